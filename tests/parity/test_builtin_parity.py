"""The embedded server's rules of built-in kinds, held to what a real kube-apiserver answered (data/builtin.json).

`python tests/parity/builtin_cases.py URL TOKEN` records the answers anew.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.allocation import ServiceAllocator
from hansa.apiserver.builtin import KindRules, WriteContext, plugins, rules_for
from hansa.apiserver.builtin.shape import ShapeError
from hansa.apiserver.message import UserInfo
from hansa.base.patch import apply_merge_patch

CASES: list[Json] = json.loads((Path(__file__).with_name("data") / "builtin.json").read_text())
CLUSTER_SCOPED = frozenset(
    (
        "namespaces",
        "nodes",
        "persistentvolumes",
        "ingressclasses",
        "storageclasses",
        "priorityclasses",
        "clusterroles",
        "clusterrolebindings",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    )
)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONTEXT = WriteContext(NOW, UserInfo("admin", ("system:masters",)))
PLUGINS = frozenset(("Priority", "DefaultTolerationSeconds"))

VARYING = frozenset(("Age", "Created At", "Last Seen", "First Seen", "Duration"))
# Go walks maps in random order, and so do its complaints about them.
UNORDERED = frozenset(("configmaps: bad key", "resourcequotas: wrong", "deployments: containers wrong"))
# What differs, and why.
KNOWN: dict[str, str] = {}


class Nothing:
    def get(self, group: str, kind: str, namespace: str, name: str) -> Json | None:
        return None

    def list(self, group: str, kind: str, namespace: str = "") -> list[Json]:
        return []


class Refused(Exception):
    def __init__(self, answer: Json) -> None:
        super().__init__(str(answer))
        self.answer = answer


class Bench:
    """One kind's way from a request to what would be stored, without a server."""

    def __init__(self, case: Json) -> None:
        manifest = case["manifest"]
        self.gvk = GVK.of(manifest["apiVersion"], manifest["kind"])
        self.rules: KindRules = rules_for(self.gvk)
        self.namespaced = case["resource"] not in CLUSTER_SCOPED
        self.resource = Resource(self.gvk.group, self.gvk.version, case["resource"], self.gvk.kind, self.namespaced)
        self.changes = bool(case.get("changes"))
        self.allocator = ServiceAllocator(("10.96.0.0/16",))

    def default(self, obj: Json) -> None:
        try:
            self.rules.default(obj)
        except ShapeError as error:
            kind, version = self.gvk.kind, self.gvk.version
            text = f'{kind} in version "{version}" cannot be handled as a {kind}: {error}'
            raise Refused({"code": 400, "message": text, "causes": []}) from None

    def refuse(self, errors: list[Any], obj: Json) -> None:
        if errors:
            raise Refused({"code": 422, "causes": [error.cause() for error in errors]})

    def create(self, manifest: Json) -> Json:
        obj = copy.deepcopy(manifest)
        if self.namespaced:
            obj["metadata"]["namespace"] = "default"
        obj["metadata"] |= {"uid": "u-1", "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.default(obj)
        try:
            plugins.on_create(self.resource, "", obj, Nothing(), lambda: "abcde", PLUGINS)
        except plugins.Refused as refusal:
            text = f'{self.resource.group_resource} "{obj["metadata"]["name"]}" is forbidden: {refusal}'
            raise Refused({"code": 403, "message": text, "causes": []}) from None
        self.rules.prepare_create(obj, CONTEXT)
        self.refuse(self.rules.validate_create(obj), obj)
        if self.gvk.kind == "Service":
            self.refuse(self.allocator.create(obj, dry_run=not self.changes), obj)
        obj["metadata"]["resourceVersion"] = "1"
        return obj

    def update(self, new: Json, old: Json, subresource: str) -> Json:
        new["metadata"] |= {"uid": "u-1", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
        if "generation" in old["metadata"]:
            new["metadata"]["generation"] = old["metadata"]["generation"]
        self.default(new)
        plugins.on_update(self.resource, subresource, new, PLUGINS)
        self.rules.prepare_update(new, old, subresource)
        self.refuse(self.rules.validate_update(new, old, subresource), new)
        if self.gvk.kind == "Service" and not subresource:
            self.refuse(self.allocator.update(new, old, dry_run=False), new)
            self.allocator.settle(old, new)
        return new


def settled(obj: Json) -> Json:
    obj = copy.deepcopy(obj)
    for field in ("uid", "creationTimestamp", "resourceVersion", "managedFields"):
        (obj.get("metadata") or {}).pop(field, None)
    status = obj.get("status") or {}
    if "lastPhaseTransitionTime" in status:
        status["lastPhaseTransitionTime"] = "then"
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "SchedulingGated":
            condition["lastTransitionTime"] = "then"
    return obj


def chosen(obj: Json, manifest: Json) -> Json:
    """Without what a server chooses: addresses, ports, a job's uid."""
    obj = copy.deepcopy(obj)
    if obj.get("kind") == "Service":
        if not manifest["spec"].get("clusterIP"):
            for field in ("clusterIP", "clusterIPs"):
                if obj["spec"].get(field) not in (None, "None", ["None"]):
                    obj["spec"][field] = "chosen"
        for port, given in zip(obj["spec"].get("ports") or [], manifest["spec"].get("ports") or [], strict=False):
            if port.get("nodePort") and not given.get("nodePort"):
                port["nodePort"] = "chosen"
    if obj.get("kind") == "Job":
        for labels in (
            obj["spec"]["template"]["metadata"].get("labels"),
            (obj["spec"].get("selector") or {}).get("matchLabels"),
            obj["metadata"].get("labels"),
        ):
            for key in list(labels or ()):
                if key.endswith("controller-uid"):
                    labels[key] = "u-1"
    return obj


def shown(answer: Json) -> Json:
    """An answer in the form in which two are compared; 422 by causes alone."""
    if answer["code"] == 422:
        return {"code": 422, "causes": [dict(cause) for cause in answer["causes"]]}
    return {"code": answer["code"], "message": answer.get("message", ""), "causes": []}


def attempt(make: Any) -> tuple[Json | None, Json]:
    try:
        obj = make()
    except Refused as refused:
        return None, refused.answer
    return obj, {}


def check(name: str, obj: Json | None, refusal: Json, recorded: Json, manifest: Json) -> None:
    if recorded["code"] >= 300:
        assert obj is None, f"accepted, where a real server says: {recorded}"
        mine, real = shown(refusal), shown(recorded)
        if name in UNORDERED:
            for answer in (mine, real):
                answer["causes"].sort(key=lambda cause: cause["field"])
        assert mine == real
    else:
        assert obj is not None, f"refused: {refusal}"
        assert chosen(settled(obj), manifest) == chosen(settled(recorded["object"]), manifest)


def _parameters() -> list[Any]:
    return [
        pytest.param(case, id=case["name"], marks=[pytest.mark.xfail(reason=KNOWN[case["name"]], strict=True)])
        if case["name"] in KNOWN
        else pytest.param(case, id=case["name"])
        for case in CASES
    ]


@pytest.mark.parametrize("case", _parameters())
def test_answers_as_a_real_server(case: Json) -> None:
    bench = Bench(case)
    obj, refusal = attempt(lambda: bench.create(case["manifest"]))
    check(case["name"], obj, refusal, case["answer"], case["manifest"])
    for change in case.get("changes", ()):
        assert obj is not None
        old = obj
        new = apply_merge_patch(copy.deepcopy(old), copy.deepcopy(change["patch"]))
        changed, refusal = attempt(lambda: bench.update(new, old, change["subresource"]))  # noqa: B023
        check(case["name"], changed, refusal, change["answer"], apply_merge_patch(case["manifest"], change["patch"]))
        obj = changed or old
    if "cells" in case:
        assert obj is not None
        mine = [[c.name, c.type, c.format, c.priority] for c in bench.rules.columns]
        assert mine == case["columns"]
        for column, cell in zip(bench.rules.columns, case["cells"], strict=True):
            if column.name not in VARYING and "uid=" not in str(cell):
                assert [column.name, column.cell(obj, NOW)] == [column.name, cell]
