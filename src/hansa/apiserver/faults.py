"""Refusals: every one is a Status (meta.k8s.io/v1) with one reason, one code, and details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.api.meta import GVK, Json, Resource
from hansa.base.field import FieldError
from hansa.base.field import invalid as invalid_value


class Fault(Exception):
    """Ends a request with a Status of failure."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.continue_token = ""
        """With Expired: where an inconsistent list may go on."""

    @property
    def status(self) -> Json:
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        if not self.details:
            del status["details"]
        if self.continue_token:
            status["metadata"] = {"continue": self.continue_token}
        return status

    @classmethod
    def of(cls, status: Json) -> Fault:
        """From a complete Status document."""
        return cls(
            int(status.get("code") or 500),
            str(status.get("reason") or ""),
            str(status.get("message") or ""),
            status.get("details"),
        )


def success(resource: Resource, name: str, uid: str) -> Json:
    """What a delete answers when the object is gone."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": _details(resource, name) | {"uid": uid},
    }


def not_found(resource: Resource, name: str) -> Fault:
    text = f'{resource.group_resource} "{name}" not found'
    return Fault(404, "NotFound", text, _details(resource, name))


class NoSuchPath(Fault):
    """Nothing is served there: the one answer that is no Status, but a line of text."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "the server could not find the requested resource", {})


def no_such_resource() -> Fault:
    return NoSuchPath()


def already_exists(resource: Resource, name: str) -> Fault:
    text = f'{resource.group_resource} "{name}" already exists'
    return Fault(409, "AlreadyExists", text, _details(resource, name))


def conflict(resource: Resource, name: str, why: str, causes: Sequence[Json] = ()) -> Fault:
    details = _details(resource, name)
    if causes:
        details["causes"] = list(causes)
    return Fault(
        409, "Conflict", f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {why}', details
    )


def modified(resource: Resource, name: str) -> Fault:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(gvk: GVK, name: str, errors: Sequence[FieldError]) -> Fault:
    """422 with every fault as a cause."""
    texts = [error.detail for error in dict.fromkeys(errors)]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    kind = f"{gvk.kind}.{gvk.group}" if gvk.group else gvk.kind
    details: Json = {"name": name, "group": gvk.group, "kind": gvk.kind, "causes": [e.cause() for e in errors]}
    return Fault(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', _without_empty(details))


def bad_patch(shown: str, why: str) -> Fault:
    """422 for a patch that leaves something that is no object of the kind."""
    error = invalid_value("patch", shown, why)
    return Fault(422, "Invalid", f' "" is invalid: {error.detail}', {"causes": [error.cause()]})


def bad_request(message: str) -> Fault:
    return Fault(400, "BadRequest", message)


def forbidden(message: str, resource: Resource | None = None, name: str = "", causes: Sequence[Json] = ()) -> Fault:
    details: Json = _details(resource, name) if resource else {}
    if causes:
        details["causes"] = list(causes)
    return Fault(403, "Forbidden", message, details)


def unauthorized() -> Fault:
    return Fault(401, "Unauthorized", "Unauthorized")


def method_not_allowed(verb: str) -> Fault:
    return Fault(
        405, "MethodNotAllowed", f"the server does not allow this method on the requested resource ({verb})", {}
    )


def unsupported_media_type(accepted: Sequence[str]) -> Fault:
    listed = ", ".join(accepted)
    text = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return Fault(415, "UnsupportedMediaType", text)


def not_acceptable(offered: Sequence[str]) -> Fault:
    text = f"only the following media types are accepted: {', '.join(offered)}"
    return Fault(406, "NotAcceptable", text)


def expired(message: str, token: str = "") -> Fault:
    fault = Fault(410, "Expired", message)
    fault.continue_token = token
    return fault


def too_large(limit: int) -> Fault:
    text = f"Request entity too large: limit is {limit}"
    return Fault(413, "RequestEntityTooLarge", text)


def _details(resource: Resource, name: str) -> dict[str, Any]:
    return _without_empty({"name": name, "group": resource.group, "kind": resource.plural})


def _without_empty(details: Json) -> Json:
    return {key: value for key, value in details.items() if value}
