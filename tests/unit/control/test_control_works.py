"""Works: targets and orphans of a binding, what is written of a Work, and what bindings say of theirs."""

from __future__ import annotations

from typing import Any

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.work import BindingSpec, new_work
from hansa.control.aggregate.items import aggregated, fully_applied
from hansa.control.render.targets import blocking, completions, orphans, suspended, targets_of
from hansa.control.render.works import work_patch


def spec(**members: Any) -> BindingSpec:
    resource = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}
    return msgspec.convert({"resource": resource, **members}, BindingSpec)


def work(cluster: str, status: dict[str, Any] | None = None, **changes: Any) -> Item:
    made = new_work(
        namespace=f"karmada-es-{cluster}",
        name="c-1",
        labels={"a": "b"},
        annotations={"x": "y"},
        manifest={"kind": "ConfigMap", "data": {"k": "v"}},
        suspend=False,
        preserve=False,
    )
    return Item.of({**made, **changes, "status": status or {}})


def test_targets() -> None:
    needed = [{"name": "other", "clusters": [{"name": "m1", "replicas": 9}, {"name": "m3"}]}]
    found = targets_of(spec(clusters=[{"name": "m2"}, {"name": "m1", "replicas": 2}], requiredBy=needed))
    assert [(target.name, target.replicas) for target in found] == [("m2", 0), ("m1", 2), ("m3", 0)]


def test_orphans_and_evictions() -> None:
    def task(cluster: str, mode: str) -> dict[str, str]:
        return {"fromCluster": cluster, "producer": "p", "reason": "r", "purgeMode": mode}

    works = [work("m1"), work("m2"), work("m3"), work("m4")]
    tasks = [task("m2", "Gracefully"), task("m3", "Directly")]
    leaving = spec(clusters=[{"name": "m1"}], gracefulEvictionTasks=tasks)
    assert [item.meta.namespace for item in orphans(leaving, works)] == ["karmada-es-m3", "karmada-es-m4"]
    assert blocking(leaving, works)
    assert not blocking(leaving, [work("m1"), work("m2")])


def test_completions_and_suspension() -> None:
    targets = targets_of(spec(clusters=[{"name": "m1", "replicas": 1}, {"name": "m2", "replicas": 3}]))
    assert completions(8, targets, "") == {"m1": 2, "m2": 6}
    some = spec(suspension={"dispatchingOnClusters": {"clusterNames": ["m1"]}})
    assert (suspended(some, "m1"), suspended(some, "m2")) == (True, False)
    assert suspended(spec(suspension={"dispatching": True}), "m2")


def test_patch_of_a_work_is_what_differs() -> None:
    existing = work("m1")
    wanted = msgspec.json.decode(existing.raw)
    wanted.pop("status")
    assert work_patch(wanted, existing) is None
    wanted["spec"]["suspendDispatching"] = True
    wanted["metadata"]["labels"]["new"] = "label"
    assert work_patch(wanted, existing) == {
        "metadata": {"labels": {"new": "label"}},
        "spec": {"suspendDispatching": True},
    }


def test_records_of_overrides_go_with_them() -> None:
    existing = work("m1")
    document = existing.json()
    document["metadata"]["annotations"] |= {names.APPLIED_OVERRIDES_ANNOTATION: "[]", "their": "own"}
    patch = work_patch(msgspec.json.decode(existing.raw), Item.of(document))
    assert patch == {"metadata": {"annotations": {names.APPLIED_OVERRIDES_ANNOTATION: None}}}


def applied(status: str, message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": "Applied", "status": status, "message": message}]}


def test_what_bindings_say() -> None:
    identifier = {"ordinal": 0, "group": "", "version": "v1", "kind": "X", "namespace": "", "name": "c", "resource": ""}
    reported = {
        **applied("True"),
        "manifestStatuses": [{"identifier": identifier, "health": "Healthy", "status": {"a": 1}}],
    }
    entries = aggregated([work("m2", applied("False", "no")), work("m1", reported), work("m3")])
    assert entries == [
        {"clusterName": "m1", "applied": True, "health": "Healthy", "status": {"a": 1}},
        {"clusterName": "m2", "applied": False, "health": "Unknown", "appliedMessage": "no"},
        {"clusterName": "m3", "applied": False, "health": "Unknown"},
    ]
    one = spec(clusters=[{"name": "m1"}])
    assert fully_applied(one, entries[:1]).status == "True"
    assert fully_applied(one, entries[:2]).status == "False"
    assert fully_applied(spec(), []).status == "False"
