"""Answer one admission review (admission.k8s.io/v1) from the pure decisions of `admit`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from hansa.admit import networking, overrides, propagation, routing, work
from hansa.api import names
from hansa.api.meta import Json
from hansa.base.field import FieldError
from hansa.base.patch import json_diff
from hansa.extension.webhook.manifests import normalised

NewId = Callable[[], str]
_POLICIES = frozenset({"PropagationPolicy", "ClusterPropagationPolicy"})
_OVERRIDES = frozenset({"OverridePolicy", "ClusterOverridePolicy"})
_IDENTIFIED = frozenset({"ResourceBinding", "ClusterResourceBinding", "Work"})
PROTECTED = f"This resource is protected, please make sure to remove the label: {names.DELETION_PROTECTED_LABEL}"


def mutate(request: Json, new_id: NewId) -> Json:
    """The response with a JSON patch for what is filled in. `request` is the review's request."""
    obj: Json = request["object"]
    filled = _filled(obj, request, new_id)
    operations = json_diff(obj, filled)
    response: Json = {"uid": request.get("uid", ""), "allowed": True}
    if operations:
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(msgspec.json.encode(operations)).decode()}
    return response


def validate(request: Json) -> Json:
    """The response: allowed, or every fault in one message."""
    uid = request.get("uid", "")
    if request.get("operation") == "DELETE":
        return _deletion(request, uid)
    obj: Json = request["object"]
    errors = _faults(obj, request.get("oldObject"))
    return {"uid": uid, "allowed": True} if not errors else _refused(uid, obj, errors)


def _filled(obj: Json, request: Json, new_id: NewId) -> Json:
    kind, creating = obj.get("kind"), request.get("operation") == "CREATE"
    if kind in _POLICIES:
        filled = propagation.default(_in_namespace(obj, request))
        return propagation.identity(filled, new_id()) if creating else filled
    if kind in _OVERRIDES:
        return overrides.default(_in_namespace(obj, request))
    if kind in _IDENTIFIED:
        identified = work.identified(obj, new_id())
        return normalised(identified) if kind == "Work" else identified
    if kind == "MultiClusterService":
        return networking.identified(obj, new_id())
    return obj


def _in_namespace(obj: Json, request: Json) -> Json:
    """On creation the namespace may stand in the request alone."""
    namespace = request.get("namespace")
    meta: Json = obj.get("metadata") or {}
    if not namespace or meta.get("namespace"):
        return obj
    return {**obj, "metadata": {**meta, "namespace": namespace}}


def _faults(obj: Json, old: Any) -> list[FieldError]:
    kind = obj.get("kind")
    if kind in _POLICIES:
        return propagation.check(obj, old)
    if kind in _OVERRIDES:
        return overrides.check(obj)
    checks: dict[str, Callable[[], list[FieldError]]] = {
        "ServiceRoutingPolicy": lambda: routing.check(obj),
        "MultiClusterService": lambda: networking.check_service(obj, old),
        "MultiClusterIngress": lambda: networking.check_ingress(obj),
        "ResourceBinding": lambda: work.check_binding(obj),
    }
    check = checks.get(str(kind))
    return check() if check is not None else []


def _deletion(request: Json, uid: str) -> Json:
    meta = (request.get("oldObject") or {}).get("metadata") or {}
    if (meta.get("labels") or {}).get(names.DELETION_PROTECTED_LABEL) != "Always":
        return {"uid": uid, "allowed": True}
    return {"uid": uid, "allowed": False, "status": {"code": 403, "reason": "Forbidden", "message": PROTECTED}}


def _refused(uid: str, obj: Json, errors: Sequence[FieldError]) -> Json:
    details = [error.detail for error in errors]
    message = details[0] if len(details) == 1 else f"[{', '.join(details)}]"
    status: Json = {
        "code": 422,
        "reason": "Invalid",
        "message": message,
        "details": {
            "name": (obj.get("metadata") or {}).get("name", ""),
            "kind": obj.get("kind", ""),
            "causes": [error.cause() for error in errors],
        },
    }
    return {"uid": uid, "allowed": False, "status": status}
