"""The Karmada convention: marks, retention, comparison, release."""

from __future__ import annotations

from typing import Any

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Key, ObjectMeta
from hansa.interpret.convention import Delete, Leave, Origin, Release, dialect_of
from hansa.interpret.convention.karmada import KARMADA, conflict_resolution

TEMPLATE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "default", "uid": "u1", "generation": 3, "labels": {"app": "x"}},
    "data": {"a": "b"},
}
BINDING = ObjectMeta(name="c-configmap", namespace="default", labels={names.BINDING_ID_LABEL: "b1"})


def origin(**changes: Any) -> Origin:
    fields: dict[str, Any] = {
        "template": Item.of(TEMPLATE).meta,
        "binding": BINDING,
        "work": Key("karmada-es-m1", "c-123"),
        "work_id": "w1",
    }
    return Origin(**{**fields, **changes})


def meta(document: dict[str, Any]) -> ObjectMeta:
    return Item.of(document).meta


def test_marks() -> None:
    marked = KARMADA.mark(TEMPLATE, origin())
    annotations = marked["metadata"]["annotations"]
    assert marked["metadata"]["labels"] == {
        "app": "x",
        names.BINDING_ID_LABEL: "b1",
        names.MANAGED_LABEL: "true",
        names.WORK_ID_LABEL: "w1",
    }
    assert annotations[names.TEMPLATE_GENERATION_ANNOTATION] == "3"
    assert annotations[names.CONFLICT_RESOLUTION_ANNOTATION] == "abort"
    assert annotations[names.MANAGED_ANNOTATIONS_ANNOTATION] == ",".join(sorted(annotations))
    assert "uid" not in marked["metadata"]
    assert KARMADA.mark(TEMPLATE, origin()) == marked


def test_marks_of_cluster_scoped_objects() -> None:
    binding = ObjectMeta(name="c", labels={names.CLUSTER_BINDING_ID_LABEL: "b2"})
    marked = KARMADA.mark(TEMPLATE, origin(binding=binding))
    assert marked["metadata"]["labels"][names.CLUSTER_BINDING_ID_LABEL] == "b2"
    assert marked["metadata"]["annotations"][names.CLUSTER_BINDING_NAME_ANNOTATION] == "c"


def test_ownership() -> None:
    live = meta(KARMADA.mark(TEMPLATE, origin()))
    assert KARMADA.owns(live)
    assert KARMADA.work_of(live, "ConfigMap", "m1") == Key("karmada-es-m1", "c-123")
    stranger = meta(TEMPLATE)
    assert not KARMADA.owns(stranger)
    assert not KARMADA.may_adopt(KARMADA.mark(TEMPLATE, origin()), stranger, ObjectMeta())
    assert KARMADA.may_adopt(KARMADA.mark(TEMPLATE, origin(conflict_resolution="overwrite")), stranger, ObjectMeta())
    assert "already exists in the cluster m1" in KARMADA.refusal(TEMPLATE, stranger, "m1")


def test_retention_keeps_the_members_own_and_drops_what_was_ours() -> None:
    before = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "labels": {"app": "x", "old": "ours"}}}
    live = KARMADA.mark(before, origin())
    live["metadata"] |= {"resourceVersion": "7", "finalizers": ["theirs"], "uid": "m", "generation": 1}
    live["metadata"]["labels"] |= {"their": "label", "app": "drifted"}
    wanted = KARMADA.mark(TEMPLATE, origin())
    retained = KARMADA.retain(wanted, live, ObjectMeta())
    assert retained["metadata"]["labels"]["their"] == "label"
    assert retained["metadata"]["labels"]["app"] == "x"
    assert "old" not in retained["metadata"]["labels"]
    assert retained["metadata"]["resourceVersion"] == "7"
    assert retained["metadata"]["finalizers"] == ["theirs"]
    assert not KARMADA.equal(retained, live)
    assert KARMADA.equal(
        KARMADA.retain(wanted, {**retained, "status": {"x": 1}}, ObjectMeta()), {**retained, "status": {"x": 2}}
    )


def test_equality_knows_no_null() -> None:
    assert KARMADA.equal({"metadata": {"labels": {}}, "data": {"a": None}}, {"metadata": {}, "data": {}})
    assert not KARMADA.equal({"metadata": {}, "data": {"a": ""}}, {"metadata": {}, "data": {}})


def test_end() -> None:
    live = meta(KARMADA.mark(TEMPLATE, origin()))
    assert KARMADA.on_delete(ObjectMeta(), False, live) == Delete("Background")
    assert KARMADA.on_delete(ObjectMeta(), True, live) == Release()
    assert KARMADA.on_delete(ObjectMeta(), False, meta(TEMPLATE)) == Leave()
    claimed = {**TEMPLATE["metadata"], "labels": {"app": "x", names.POLICY_ID_LABEL: "p"}}
    released = KARMADA.release(KARMADA.mark({**TEMPLATE, "metadata": claimed}, origin()), ObjectMeta())
    assert released["metadata"]["labels"] == {"app": "x"}
    # Karmada leaves this one on what it lets go
    assert list(released["metadata"]["annotations"]) == [names.CONFLICT_RESOLUTION_ANNOTATION]


def test_conflict_resolution() -> None:
    def asked(value: str | None) -> ObjectMeta:
        return ObjectMeta(annotations={names.CONFLICT_RESOLUTION_ANNOTATION: value} if value else None)

    assert conflict_resolution(asked(None), "Overwrite") == "overwrite"
    assert conflict_resolution(asked("abort"), "Overwrite") == "abort"
    assert conflict_resolution(asked("overwrite"), "Abort") == "overwrite"
    assert conflict_resolution(asked("nonsense"), None) == "abort"


def test_dialects() -> None:
    assert dialect_of(None) == "karmada"
    assert dialect_of({names.DIALECT_LABEL: "kubefed"}) == "kubefed"
