"""Questions about built-in kinds, put to a real kube-apiserver 1.37 and answered by the rules of the embedded one.

`python tests/parity/builtin_cases.py https://127.0.0.1:6443 TOKEN` asks a fresh server (without the admission plug-ins
ServiceAccount, TaintNodesByCondition and StorageObjectInUseProtection, and with 10.96.0.0/16 for Services) and writes
`data/builtin.json`; the tests hold the embedded server's rules to that record.

A case creates an object with `dryRun=All` and records the object, or the Status, that comes back. `change` records what
follows when the stored object is changed: each is a merge patch applied to it and sent by PUT.
"""

from __future__ import annotations

import copy
import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hansa.base.patch import apply_merge_patch

Json = dict[str, Any]
DATA = Path(__file__).with_name("data") / "builtin.json"
NAMESPACE = "default"


class Case(NamedTuple):
    name: str
    resource: str
    manifest: Json
    changes: list[Json]


PATHS = {
    "pods": "/api/v1/namespaces/{n}/pods",
    "services": "/api/v1/namespaces/{n}/services",
    "configmaps": "/api/v1/namespaces/{n}/configmaps",
    "secrets": "/api/v1/namespaces/{n}/secrets",
    "serviceaccounts": "/api/v1/namespaces/{n}/serviceaccounts",
    "endpoints": "/api/v1/namespaces/{n}/endpoints",
    "persistentvolumeclaims": "/api/v1/namespaces/{n}/persistentvolumeclaims",
    "limitranges": "/api/v1/namespaces/{n}/limitranges",
    "resourcequotas": "/api/v1/namespaces/{n}/resourcequotas",
    "replicationcontrollers": "/api/v1/namespaces/{n}/replicationcontrollers",
    "events": "/api/v1/namespaces/{n}/events",
    "podtemplates": "/api/v1/namespaces/{n}/podtemplates",
    "namespaces": "/api/v1/namespaces",
    "nodes": "/api/v1/nodes",
    "persistentvolumes": "/api/v1/persistentvolumes",
    "deployments": "/apis/apps/v1/namespaces/{n}/deployments",
    "replicasets": "/apis/apps/v1/namespaces/{n}/replicasets",
    "statefulsets": "/apis/apps/v1/namespaces/{n}/statefulsets",
    "daemonsets": "/apis/apps/v1/namespaces/{n}/daemonsets",
    "controllerrevisions": "/apis/apps/v1/namespaces/{n}/controllerrevisions",
    "jobs": "/apis/batch/v1/namespaces/{n}/jobs",
    "cronjobs": "/apis/batch/v1/namespaces/{n}/cronjobs",
    "ingresses": "/apis/networking.k8s.io/v1/namespaces/{n}/ingresses",
    "ingressclasses": "/apis/networking.k8s.io/v1/ingressclasses",
    "networkpolicies": "/apis/networking.k8s.io/v1/namespaces/{n}/networkpolicies",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{n}/endpointslices",
    "poddisruptionbudgets": "/apis/policy/v1/namespaces/{n}/poddisruptionbudgets",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/namespaces/{n}/horizontalpodautoscalers",
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
    "priorityclasses": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "leases": "/apis/coordination.k8s.io/v1/namespaces/{n}/leases",
    "roles": "/apis/rbac.authorization.k8s.io/v1/namespaces/{n}/roles",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1/namespaces/{n}/rolebindings",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "mutatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
}


def api_version_of(resource: str) -> str:
    parts = PATHS[resource].split("/")
    return parts[2] if parts[1] == "api" else f"{parts[2]}/{parts[3]}"


KIND_NAMES = {
    "pods": "Pod",
    "services": "Service",
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "limitranges": "LimitRange",
    "resourcequotas": "ResourceQuota",
    "replicationcontrollers": "ReplicationController",
    "events": "Event",
    "podtemplates": "PodTemplate",
    "namespaces": "Namespace",
    "nodes": "Node",
    "persistentvolumes": "PersistentVolume",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "controllerrevisions": "ControllerRevision",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "endpointslices": "EndpointSlice",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "leases": "Lease",
    "roles": "Role",
    "clusterroles": "ClusterRole",
    "rolebindings": "RoleBinding",
    "clusterrolebindings": "ClusterRoleBinding",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
    "endpoints": "Endpoints",
    "ingresses": "Ingress",
    "ingressclasses": "IngressClass",
    "networkpolicies": "NetworkPolicy",
    "storageclasses": "StorageClass",
    "priorityclasses": "PriorityClass",
}


def _base(document: Json, bases: dict[str, Json]) -> Json:
    """The base of a document; a name means: the same as that resource's."""
    base = document.get("base") or {}
    if isinstance(base, str):
        return bases[base]
    bases[document["resource"]] = base
    return base


def cases() -> Iterator[Case]:
    """Cases of `builtin_cases/*.yaml`: documents of resource, base, cases (name: patch), changes (name: patches)."""
    bases: dict[str, Json] = {}
    for path in sorted(Path(__file__).with_name("builtin_cases").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            resource = document["resource"]
            base = {
                "apiVersion": api_version_of(resource),
                "kind": KIND_NAMES[resource],
                "metadata": {"name": "sample"},
                **_base(document, bases),
            }
            for name, patch in (document.get("cases") or {}).items():
                yield Case(f"{resource}: {name}", resource, apply_merge_patch(copy.deepcopy(base), patch or {}), [])
            for name, changes in (document.get("changes") or {}).items():
                yield Case(f"{resource}: change {name}", resource, copy.deepcopy(base), changes)


def settled(obj: Json) -> Json:
    """Without what differs from run to run."""
    obj = copy.deepcopy(obj)
    for field in ("uid", "creationTimestamp", "resourceVersion", "managedFields"):
        (obj.get("metadata") or {}).pop(field, None)
    return obj


class Server:
    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.context = ssl._create_unverified_context()

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def table(self, path: str) -> Json:
        headers = {
            "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
            "Authorization": f"Bearer {self.token}",
        }
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
            return json.loads(answer.read())


def answer_of(code: int, body: Json) -> Json:
    if code < 300:
        return {"code": code, "object": settled(body)}
    causes = [
        {key: cause[key] for key in ("reason", "message", "field") if key in cause}
        for cause in (body.get("details") or {}).get("causes") or ()
    ]
    return {"code": code, "message": body.get("message", ""), "causes": causes}


def record(server: Server) -> list[Json]:
    found: list[Json] = []
    for number, case in enumerate(cases()):
        path = PATHS[case.resource].format(n=NAMESPACE)
        entry: Json = {"name": case.name, "resource": case.resource, "manifest": case.manifest}
        if not case.changes:
            code, body = server.ask("POST", f"{path}?dryRun=All", case.manifest)
            entry["answer"] = answer_of(code, body)
        else:
            manifest = copy.deepcopy(case.manifest)
            manifest["metadata"]["name"] = f"{manifest['metadata']['name']}-{number}"
            entry["manifest"] = manifest
            code, body = server.ask("POST", path, manifest)
            entry["answer"] = answer_of(code, body)
            entry["changes"] = []
            one = f"{path}/{manifest['metadata']['name']}"
            for change in case.changes:
                change = dict(change)
                where = change.pop("$subresource", "")
                code, body = server.ask("PUT", one + (f"/{where}" if where else ""), apply_merge_patch(body, change))
                entry["changes"].append({"patch": change, "subresource": where, "answer": answer_of(code, body)})
                _, body = server.ask("GET", one)
            rows = server.table(one)
            entry["columns"] = [[c["name"], c["type"], c["format"], c["priority"]] for c in rows["columnDefinitions"]]
            entry["cells"] = rows["rows"][0]["cells"]
            entry["stored"] = settled(body)
            server.ask("DELETE", one, {"gracePeriodSeconds": 0})
        found.append(entry)
    return found


if __name__ == "__main__":
    answers = record(Server(sys.argv[1], sys.argv[2]))
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text("[\n" + ",\n".join(json.dumps(entry, sort_keys=True) for entry in answers) + "\n]\n")
    print(f"{len(answers)} cases")
