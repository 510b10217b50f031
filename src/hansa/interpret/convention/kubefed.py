"""The KubeFed convention: members' objects carry the label `kubefed.io/managed`, and no trace of Works.

Behaviour of KubeFed's sync controller, with one intended difference: where overrides set annotations, only the keys
that they name are compared and written. KubeFed writes the whole map, and so updates for ever an object whose
annotations a controller in the member writes too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hansa.api import names
from hansa.api.meta import GVK, Json, Key, ObjectMeta, Wire
from hansa.base.names import execution_namespace, work_name
from hansa.interpret.convention import Convention, Delete, Deletion, Leave, Origin, Release
from hansa.interpret.convention.federated import (
    PATCH_MISSING,
    body_of,
    decided_annotations,
    decided_paths,
    delete_option,
    overrides_of,
    retains_replicas,
)
from hansa.interpret.convention.karmada import KARMADA, binding_annotations, binding_labels
from hansa.interpret.document import at, mapping, put, sequence
from hansa.interpret.error import InterpretError

TARGET_ANNOTATION = "hansa.dev/kubefed-target"
"""On bindings: `apps/v1/Deployment`, what the federated object federates."""
HOST_UID_ANNOTATION = "hansa.dev/kubefed-host-uid"
"""On bindings of FederatedNamespaces: the UID of the hub's own namespace, which is never deleted."""
RULES_ANNOTATION = "hansa.dev/kubefed-rules"
"""On Works: what execution must know beside the manifest (`Rules` as JSON)."""

LABEL_FALSE = f'the label {names.KUBEFED_MANAGED_LABEL} of the object is "false", so it is left as it is'
ALREADY_THERE = "Resource pre-exist in cluster"

_SERVER_SET = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


class Rules(Wire, frozen=True):
    """`decided` are the JSON pointers that overrides have a say in; `delete_option` is JSON, given while deleting."""

    decided: tuple[str, ...] = ()
    retain_replicas: bool = False
    delete_option: str = ""
    host_uid: str = ""


class DeleteOption(Wire, frozen=True):
    """The part of meta.k8s.io/v1 DeleteOptions that KubeFed honours."""

    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    preconditions: dict[str, str] | None = None


def target_annotation(target: GVK) -> str:
    return f"{target.api_version}/{target.kind}"


def target_of(binding: ObjectMeta | None) -> GVK:
    """What a binding's federated object federates. Raises InterpretError."""
    value = (binding.annotations or {}).get(TARGET_ANNOTATION, "") if binding is not None else ""
    api_version, _, kind = value.rpartition("/")
    if not api_version:
        raise InterpretError(f"the binding lacks the annotation {TARGET_ANNOTATION}")
    return GVK.of(api_version, kind)


def read_delete_option(text: str) -> DeleteOption:
    """The value of the annotation `kubefed.io/deleteoption`. Raises InterpretError."""
    try:
        return msgspec.json.decode(text, type=DeleteOption)
    except msgspec.DecodeError as error:
        raise InterpretError(f"annotation {names.KUBEFED_DELETE_OPTION_ANNOTATION}: {error}") from error


def rules_of(work: ObjectMeta) -> Rules:
    text = (work.annotations or {}).get(RULES_ANNOTATION)
    return msgspec.json.decode(text, type=Rules) if text else Rules()


def _body(federated: Json, binding: ObjectMeta | None, cluster: str) -> Json:
    return body_of(federated, target_of(binding))


def _overrides(federated: Json, cluster: str) -> list[Json]:
    return overrides_of(federated).get(cluster, [])


def work_kind(kind: str) -> str:
    """The federated kind, so that a Work of the other dialect for the same object has another name."""
    return f"Federated{kind}"


def _work_of(live: ObjectMeta, kind: str, cluster: str) -> Key | None:
    if names.KUBEFED_MANAGED_LABEL not in (live.labels or {}):
        return None
    return Key(execution_namespace(cluster), work_name(live.namespace, live.name, work_kind(kind)))


def _work_labels(federated: Json, origin: Origin) -> dict[str, str]:
    return binding_labels(origin)


def _work_annotations(federated: Json, origin: Origin) -> dict[str, str]:
    cluster = origin.work.namespace.removeprefix(names.EXECUTION_NAMESPACE_PREFIX)
    own = (origin.binding.annotations or {}) if origin.binding is not None else {}
    rules = Rules(
        decided=tuple(decided_paths(overrides_of(federated).get(cluster, []))),
        retain_replicas=retains_replicas(federated),
        # only the end of the federated object is meant, not that of its placement on one cluster
        delete_option=delete_option(federated) if at(federated, "metadata", "deletionTimestamp") else "",
        host_uid=own.get(HOST_UID_ANNOTATION, ""),
    )
    return {
        **binding_annotations(origin),
        names.CONFLICT_RESOLUTION_ANNOTATION: origin.conflict_resolution,
        RULES_ANNOTATION: msgspec.json.encode(rules).decode(),
    }


def _mark(manifest: Json, origin: Origin) -> Json:
    target = target_of(origin.binding)
    meta = {key: value for key, value in mapping(manifest, "metadata").items() if key not in _SERVER_SET}
    # overrides of a parent must not move the object to where we would not find it again
    meta["name"] = origin.template.name
    meta.pop("namespace", None)
    if origin.template.namespace and target.kind != "Namespace":
        meta["namespace"] = origin.template.namespace
    meta["labels"] = {**mapping(meta, "labels"), names.KUBEFED_MANAGED_LABEL: "true"}
    return {**manifest, "kind": target.kind, "metadata": meta}


def _owns(live: ObjectMeta) -> bool:
    return _managed_label(live) == "true"


def _managed_label(live: ObjectMeta) -> str | None:
    return (live.labels or {}).get(names.KUBEFED_MANAGED_LABEL)


def _may_adopt(manifest: Json, live: ObjectMeta, work: ObjectMeta) -> bool:
    if _managed_label(live) == "false":
        return False
    asked = (work.annotations or {}).get(names.CONFLICT_RESOLUTION_ANNOTATION)
    return asked == "overwrite" or _is_host(live, work)


def _is_host(live: ObjectMeta, work: ObjectMeta) -> bool:
    host_uid = rules_of(work).host_uid
    return bool(host_uid) and host_uid == live.uid


def _refusal(manifest: Json, live: ObjectMeta, cluster: str) -> str:
    return LABEL_FALSE if _managed_label(live) == "false" else ALREADY_THERE


# -- what a member keeps ----------------------------------------------------------------------------------------------


def _retain(manifest: Json, live: Json, work: ObjectMeta) -> Json:
    rules = rules_of(work)
    retained = {**manifest, "metadata": _retain_metadata(manifest, live, rules)}
    match manifest.get("kind"):
        case "Service":
            return _retain_service(retained, live, rules)
        case "ServiceAccount":
            return _retain_account(retained, live, rules)
        case "Namespace" if "spec" in live and _open(rules, "/spec"):
            return {**retained, "spec": live["spec"]}  # the server's own finalizer
        case _:
            return (
                _retain_replicas(retained, live)
                if rules.retain_replicas and _open(rules, "/spec/replicas")
                else retained
            )


def _retain_metadata(manifest: Json, live: Json, rules: Rules) -> Json:
    ours, theirs = mapping(manifest, "metadata"), mapping(live, "metadata")
    decided = decided_annotations(rules.decided)
    kept = {key: value for key, value in mapping(theirs, "annotations").items() if key not in decided}
    meta = {**ours, "annotations": {**kept, **mapping(ours, "annotations")}}
    if manifest.get("kind") == "Namespace" and (name := at(theirs, "labels", names.NAMESPACE_NAME_LABEL)):
        # the server sets it on every namespace
        meta["labels"] = {**mapping(ours, "labels"), names.NAMESPACE_NAME_LABEL: name}
    finalizers = sequence(ours, "finalizers")
    if "/metadata/finalizers" not in rules.decided:
        finalizers = [
            *sequence(theirs, "finalizers"),
            *(f for f in finalizers if f not in sequence(theirs, "finalizers")),
        ]
    meta["finalizers"] = finalizers
    if "ownerReferences" not in ours and "ownerReferences" in theirs:
        meta["ownerReferences"] = theirs["ownerReferences"]
    if "resourceVersion" in theirs:
        meta["resourceVersion"] = theirs["resourceVersion"]
    return meta


def _retain_service(manifest: Json, live: Json, rules: Rules) -> Json:
    for field in ("healthCheckNodePort", "clusterIP", "clusterIPs"):
        value = at(live, "spec", field)
        if value and _open(rules, f"/spec/{field}"):
            manifest = put(manifest, value, "spec", field)
    ports = sequence(manifest, "spec", "ports")
    if ports and _open(rules, "/spec/ports"):
        manifest = put(manifest, _with_node_ports(ports, sequence(live, "spec", "ports")), "spec", "ports")
    return manifest


def _with_node_ports(wanted: list[Any], live: list[Any]) -> list[Any]:
    known = {_port_identity(port): port.get("nodePort") for port in live if isinstance(port, dict)}
    result: list[Any] = []
    for port in wanted:
        node_port = known.get(_port_identity(port)) if isinstance(port, dict) else None
        result.append({**port, "nodePort": node_port} if node_port else port)
    return result


def _port_identity(port: Json) -> tuple[Any, ...]:
    # the member fills in the protocol; without it KubeFed finds no match and leaves the port to the member's server
    return (port.get("name") or "", port.get("protocol") or "TCP", port.get("port"))


def _retain_account(manifest: Json, live: Json, rules: Rules) -> Json:
    secrets = sequence(live, "secrets")
    if secrets and not sequence(manifest, "secrets") and _open(rules, "/secrets"):
        return put(manifest, secrets, "secrets")
    return manifest


def _retain_replicas(manifest: Json, live: Json) -> Json:
    replicas = at(live, "spec", "replicas")
    return manifest if replicas is None else put(manifest, replicas, "spec", "replicas")


def _open(rules: Rules, path: str) -> bool:
    """Whether no override has a say in what is at `path`, above it or below it: overrides win over the member."""
    return not any(
        path == decided or path.startswith(decided + "/") or decided.startswith(path + "/") for decided in rules.decided
    )


# -- the end ----------------------------------------------------------------------------------------------------------


def _release(live: Json, work: ObjectMeta) -> Json:
    labels = mapping(live, "metadata", "labels")
    kept = {key: value for key, value in labels.items() if key != names.KUBEFED_MANAGED_LABEL}
    return put(live, kept, "metadata", "labels")


def _on_delete(work: ObjectMeta, preserve: bool, live: ObjectMeta) -> Deletion:
    if not _owns(live):
        return Leave()
    if preserve or _is_host(live, work):
        return Release()
    option = rules_of(work).delete_option
    if not option:
        return Delete()
    read = read_delete_option(option)
    return Delete(read.propagation_policy, read.grace_period_seconds, read.preconditions or {})


KUBEFED = Convention(
    name=names.KUBEFED,
    body=_body,
    overrides=_overrides,
    patch_missing=PATCH_MISSING,
    override_policies=False,
    interpreted=False,
    work_kind=work_kind,
    work_of=_work_of,
    work_labels=_work_labels,
    work_annotations=_work_annotations,
    mark=_mark,
    owns=_owns,
    may_adopt=_may_adopt,
    refusal=_refusal,
    retain=_retain,
    equal=KARMADA.equal,
    release=_release,
    on_delete=_on_delete,
)
