"""What admission asks and hears (admission.k8s.io/v1), and how a refusal is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.builtin.registry import to_storage, to_version
from hansa.apiserver.message import UserInfo

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """admission.k8s.io/v1 AdmissionRequest. `object` is None on DELETE, `old_object` on CREATE."""

    uid: str
    resource: Resource
    """Its kind is the kind of the object in the body (Scale for `scale`)."""
    operation: Operation
    name: str
    namespace: str
    user: UserInfo
    object: Json | None
    old_object: Json | None = None
    subresource: str = ""
    dry_run: bool = False
    options: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmissionResponse:
    """A verdict. `patch`: JSON patch operations against `request.object`."""

    allowed: bool = True
    message: str = ""
    reason: str = ""
    code: int = 0
    patch: Sequence[Json] = ()
    warnings: Sequence[str] = ()
    causes: Sequence[Json] = ()


def in_version(obj: Any, resource: Resource) -> Any:
    """An object in the version a webhook asked for."""
    if obj is None or obj.get("apiVersion") == resource.api_version or obj.get("kind") != resource.kind:
        return obj
    stored = to_storage(obj)
    if stored is not obj or resource.group in ("autoscaling", "events.k8s.io"):
        return to_version(stored, resource.gvk)
    return {**obj, "apiVersion": resource.api_version}


def review(request: AdmissionRequest, seen_as: Resource) -> Json:
    def kind(resource: Resource) -> Json:
        body: Json = request.object or request.old_object or {}
        if body.get("kind", resource.kind) != resource.kind:  # the body of a subresource, such as Scale
            gvk = GVK.of(body.get("apiVersion", ""), body["kind"])
            return {"group": gvk.group, "version": gvk.version, "kind": gvk.kind}
        return {"group": resource.group, "version": resource.version, "kind": resource.kind}

    def location(resource: Resource) -> Json:
        return {"group": resource.group, "version": resource.version, "resource": resource.plural}

    user = request.user
    body: Json = {
        "uid": request.uid,
        "kind": kind(seen_as),
        "resource": location(seen_as),
        "requestKind": kind(request.resource),
        "requestResource": location(request.resource),
        "name": request.name,
        "namespace": request.namespace,
        "operation": request.operation,
        "userInfo": {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        },
        "object": in_version(request.object, seen_as),
        "oldObject": in_version(request.old_object, seen_as),
        "dryRun": request.dry_run,
        "options": request.options or None,
    }
    if request.subresource:
        body |= {"subResource": request.subresource, "requestSubResource": request.subresource}
    for key in ("name", "namespace"):
        if not body[key]:
            del body[key]
    _drop_empty(body["userInfo"])
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": body}


def _drop_empty(values: dict[str, Any]) -> None:
    for key in [key for key, value in values.items() if not value]:
        del values[key]


def denial(name: str, response: AdmissionResponse) -> Json:
    why = response.message or response.reason
    text = f'admission webhook "{name}" denied the request'
    message = f"{text}: {why}" if why else f"{text} without explanation"
    code = response.code if response.code >= 400 else 400
    return failure_status(code, response.reason or _REASONS.get(code, ""), message, response.causes)


def forbidden(request: AdmissionRequest, why: str) -> Json:
    resource = request.resource
    subject = f'{resource.group_resource} "{request.name}"' if request.name else resource.group_resource
    status = failure_status(403, "Forbidden", f"{subject} is forbidden: {why}")
    details: Mapping[str, str] = {"name": request.name, "group": resource.group, "kind": resource.plural}
    status["details"] = {key: value for key, value in details.items() if value}
    return status


def internal(message: str, cause: str = "") -> Json:
    status = failure_status(500, "InternalError", message)
    if cause:
        status["details"] = {"causes": [{"message": cause}]}
    return status


def failure_status(code: int, reason: str, message: str, causes: Sequence[Json] = ()) -> Json:
    status: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if causes:
        status["details"] = {"causes": list(causes)}
    return status
