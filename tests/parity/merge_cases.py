"""Histories of writes that merge: strategic patches, server-side apply, ordinary updates, their managers and conflicts.

`play` runs one against any API server and reduces the answers to what the merge decides. `merge_answers.json` holds the
answers of a real kube-apiserver (v1.37.2); `tests/real` replays them there and rewrites the file with HANSA_RECORD=1.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).with_name("merge_answers.json")
JSON, MERGE, STRATEGIC, APPLY = (
    "application/json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
Send = Callable[[str, str, Any, str], Awaitable[tuple[int, Any]]]
"""(method, path with query, body, content type) -> code, decoded answer"""

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.merge.dev"},
    "spec": {
        "group": "merge.dev",
        "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "replicas": {"type": "integer"},
                                    "set": {
                                        "type": "array",
                                        "items": {"type": "string"},
                                        "x-kubernetes-list-type": "set",
                                    },
                                    "whole": {"type": "array", "items": {"type": "string"}},
                                    "atom": {
                                        "type": "object",
                                        "additionalProperties": {"type": "string"},
                                        "x-kubernetes-map-type": "atomic",
                                    },
                                    "ports": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["port", "proto"],
                                        "items": {
                                            "type": "object",
                                            "required": ["port"],
                                            "properties": {
                                                "port": {"type": "integer"},
                                                "proto": {"type": "string", "default": "TCP"},
                                                "name": {"type": "string"},
                                            },
                                        },
                                    },
                                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                },
                            },
                            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class Step:
    """One write. `body` may lack apiVersion, kind and name; a PUT's body is a merge patch over what is stored."""

    manager: str
    body: dict[str, Any]
    media: str = APPLY
    method: str = "PATCH"
    force: bool = False
    subresource: str = ""


@dataclass(frozen=True)
class History:
    name: str
    steps: tuple[Step, ...]
    kind: str = "ConfigMap"
    extra: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "ConfigMap": ("v1", "/api/v1/namespaces/default/configmaps"),
    "Thing": ("merge.dev/v1", "/apis/merge.dev/v1/namespaces/default/things"),
    "Deployment": ("apps/v1", "/apis/apps/v1/namespaces/default/deployments"),
    "Service": ("v1", "/api/v1/namespaces/default/services"),
}


def create(manager: str, body: dict[str, Any]) -> Step:
    return Step(manager, body, JSON, "POST")


def put(manager: str, body: dict[str, Any], subresource: str = "") -> Step:
    return Step(manager, body, JSON, "PUT", subresource=subresource)


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers), **spec}}
    return {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


def strategic(manager: str, spec: dict[str, Any]) -> Step:
    return Step(manager, {"spec": {"template": {"spec": spec}}}, STRATEGIC)


LAST_APPLIED = (
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"taken-over","namespace":"default"},"data":{"x":"1"}}'
)
PLAIN = container("web", image="web:1")

HISTORIES = (
    History("shared-and-dropped", (
        Step("m", {"data": {"x": "1", "y": "1"}}),
        Step("n", {"data": {"y": "1", "z": "1"}}),
        Step("m", {"data": {"w": "1"}}),
        Step("n", {}),
    )),
    History("conflicts", (
        Step("m", {"data": {"x": "1", "y": "1"}}),
        Step("u", {"data": {"y": "2", "v": "1"}}, MERGE),
        Step("n", {"data": {"x": "2"}}),
        Step("n", {"data": {"x": "2", "y": "3", "v": "1"}}),
        Step("n", {"data": {"x": "2", "y": "3", "v": "1"}}, force=True),
    )),
    History("untracked", (
        create("c", {"data": {"x": "1"}}),
        put("r", {"metadata": {"managedFields": []}}),
        put("u", {"data": {"x": "2"}}),
        Step("m", {"data": {"x": "3"}}),
        Step("m", {"data": {"y": "1"}, "metadata": {"labels": {"l": "1"}}}),
    )),
    History("updates", (
        create("c", {"data": {"x": "1", "y": "1"}, "metadata": {"labels": {"l": "1"}, "finalizers": ["h.dev/f"]}}),
        put("d", {"data": {"x": "2"}}),
        put("c", {"data": {"y": None}, "metadata": {"labels": {"k": "1"}, "finalizers": None}}),
        Step("d", {"metadata": {"annotations": {"a": "1"}}}, MERGE),
        Step("d", {"metadata": {"annotations": {"a": "1"}}}, MERGE),
    )),
    History("taken-over", (
        create(
            "kubectl-client-side-apply",
            {
                "data": {"x": "1", "y": "1"},
                "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": LAST_APPLIED}},
            },
        ),
        Step("other", {"data": {"x": "2"}}),
        Step("kubectl", {"data": {"x": "2", "y": "2"}}),
        Step("kubectl", {"data": {"x": "2"}}),
    )),
    History("refused", (
        Step("m", {"metadata": {"managedFields": []}}),
        Step("m", {"spec": {"nope": 1}}),
        Step("m", {"spec": {"set": ["a", "a"]}}),
        Step("m", {"spec": {"ports": [{"port": 1}, {"port": 1, "proto": "TCP"}]}}),
    ), "Thing"),
    History("topologies", (
        Step("m", {"spec": {"set": ["a", "b"], "whole": ["x"], "atom": {"k": "v"}}}),
        Step("n", {"spec": {"set": ["c", "b"], "whole": ["x"]}}),
        Step("n", {"spec": {"set": ["c"], "whole": ["y"]}}),
        Step("n", {"spec": {"atom": {"l": "v"}}}, force=True),
        Step("m", {"spec": {"set": ["a"]}}),
    ), "Thing"),
    History("list-maps", (
        Step("m", {"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2}]}}),
        Step("n", {"spec": {"ports": [{"port": 3}, {"port": 1, "proto": "UDP"}, {"port": 2, "name": "b"}]}}),
        Step("n", {"spec": {"ports": [{"port": 1, "name": "z"}]}}),
        Step("m", {"spec": {"ports": [{"port": 2, "proto": "TCP"}]}}),
        Step("n", {"spec": {}}),
    ), "Thing"),
    History("free-form", (
        Step("m", {"spec": {"free": {"a": {"b": 1, "c": [1, 2]}, "d": "e"}}}),
        Step("n", {"spec": {"free": {"a": {"c": [1, 2], "f": {}}}}}),
        Step("n", {"spec": {"free": {"a": []}}}),
        Step("n", {"spec": {"free": {"a": []}}}, force=True),
        Step("m", {"spec": {"free": {"d": "e"}}}),
    ), "Thing"),
    History("subresources", (
        Step("m", {"spec": {"replicas": 1, "set": ["a"]}, "status": {"replicas": 9}}),
        put("c", {"status": {"replicas": 1}, "spec": {"replicas": 7}}, "status"),
        Step("s", {"spec": {"set": ["b"]}, "status": {"replicas": 1}}, subresource="status"),
        Step("u", {"status": {"replicas": 2}}, MERGE, subresource="status"),
        Step("m", {"spec": {"replicas": 2, "set": ["a"]}}),
        Step("h", {"spec": {"replicas": 5}}, MERGE, subresource="scale"),
        Step("m", {"spec": {"replicas": 2, "set": ["a"]}}),
        Step("m", {"spec": {"set": ["a"]}}),
    ), "Thing"),
    History("deployment", (
        Step("m", pod(container("web", image="web:1", ports=[{"containerPort": 80}]))),
        Step("n", {"spec": {"replicas": 3, "template": {"spec": {"containers": [container("side", image="s:1")]}}}}),
        Step("h", {"spec": {"replicas": 5}}, MERGE, subresource="scale"),
        Step("n", {"spec": {"replicas": 3}}),
        Step("n", {"metadata": {"labels": {"l": "1"}}}),
        Step("m", pod(container("web", image="web:2"))),
    ), "Deployment"),
    History("service", (
        Step("m", {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}),
        Step("n", {"spec": {"ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "x"}]}}),
        Step("n", {"spec": {"ports": [{"port": 80, "name": "http"}]}}),
    ), "Service"),
    History("strategic-containers", (
        create("c", pod(PLAIN, container("side", image="s:1", args=["x"], env=[{"name": "A", "value": "1"}]))),
        strategic("u", {"containers": [container("web", image="web:2"), container("new", image="n:1")]}),
        strategic("u", {"containers": [container("side", args=["y"], env=[{"name": "B", "value": "2"}])]}),
        strategic("u", {"containers": [{"name": "new", "$patch": "delete"}]}),
        strategic("u", {"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}]}),
        strategic("u", {"containers": [{"$patch": "replace"}, PLAIN]}),
        strategic("u", {"containers": [{"image": "x"}]}),
    ), "Deployment"),
    History("strategic-directives", (
        create("c", pod(PLAIN, nodeSelector={"k": "v"}, volumes=[{"name": "v", "emptyDir": {}}])),
        strategic("u", {"nodeSelector": {"$patch": "replace", "l": "w"}}),
        strategic("u", {"nodeSelector": {"l": None}}),
        strategic("u", {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]}),
        Step("u", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, STRATEGIC),
        Step("u", {"metadata": {"finalizers": ["h.dev/a", "h.dev/b"]}}, STRATEGIC),
        Step("u", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["h.dev/a"]}}, STRATEGIC),
        Step("u", {"metadata": {"finalizers": None}}, STRATEGIC),
    ), "Deployment"),
)  # fmt: skip


async def play(send: Send, history: History) -> list[dict[str, Any]]:
    """The reduced answer to each step. Leaves nothing behind."""
    version, base = KINDS[history.kind]
    answers: list[dict[str, Any]] = []
    try:
        for step in history.steps:
            code, answer = await _write(send, history, step, version, base)
            if step.subresource == "scale" and code == 200:
                code, answer = await send("GET", f"{base}/{history.name}", None, JSON)
            answers.append(reduced(code, answer))
    finally:
        await send("DELETE", f"{base}/{history.name}", None, JSON)
    return answers


async def _write(send: Send, history: History, step: Step, version: str, base: str) -> tuple[int, Any]:
    body = {**step.body, "metadata": {**step.body.get("metadata", {}), "name": history.name}}
    if step.media in (APPLY, JSON):
        body = {"apiVersion": version, "kind": history.kind, **body}
        body["metadata"]["namespace"] = "default"
    path = base if step.method == "POST" else f"{base}/{history.name}"
    if step.subresource:
        path += f"/{step.subresource}"
    if step.method == "PUT":
        _, live = await send("GET", f"{base}/{history.name}", None, JSON)
        body = merged(live, body)
    query = f"?fieldManager={step.manager}"
    if step.media == APPLY:
        query += f"&force={str(step.force).lower()}"
    return await send(step.method, path + query, body, step.media)


def merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    result = {**old}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(old.get(key), value)
    return result


def reduced(code: int, answer: Any) -> dict[str, Any]:
    """What a merge decides: the object's content and its owners, or the fault."""
    if code >= 400:
        causes = [
            [cause.get(key) for key in ("reason", "message", "field")]
            for cause in answer.get("details", {}).get("causes", [])
        ]
        return {"code": code, "message": answer["message"], "causes": sorted(causes, key=str)}
    meta = answer["metadata"]
    content = {key: value for key, value in answer.items() if key not in ("apiVersion", "kind", "metadata")}
    if answer["kind"] == "Service":
        content["spec"] = {key: content["spec"].get(key) for key in ("ports", "selector")}
    if answer["kind"] == "Deployment":
        content["spec"].pop("progressDeadlineSeconds", None)
    owners = [{key: value for key, value in entry.items() if key != "time"} for entry in meta.get("managedFields", [])]
    return {
        "code": code,
        "content": content,
        "metadata": {key: meta[key] for key in ("labels", "annotations", "finalizers") if key in meta},
        "owners": sorted(owners, key=lambda entry: json.dumps(entry, sort_keys=True)),
    }
