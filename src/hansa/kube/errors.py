"""What an API server answers when it does not do what was asked, one exception per reason.

The reasons and codes are those of meta.k8s.io/v1 Status. `Unreachable` is apart: there was no answer at all, so nothing
is known, and callers must not read it as absence.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class ConfigError(Exception):
    """What the user gave (kubeconfig, flag, file) cannot be used. The message names it and the way out."""


class Unreachable(Exception):
    """No answer: refused, cut off, timed out, or TLS failed."""

    def __init__(self, server: str, cause: str) -> None:
        super().__init__(f"{server} is unreachable: {cause}")
        self.server = server
        self.cause = cause


class ApiError(Exception):
    """An API server's Status of failure."""

    code: ClassVar[int] = 0
    reason: ClassVar[str] = ""

    def __init__(self, message: str, *, code: int = 0, reason: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = code or self.code
        self.status_reason = reason or self.reason
        self.details = details or {}

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the server asks to wait, from details.retryAfterSeconds or the Retry-After header."""
        value = self.details.get("retryAfterSeconds")
        return float(value) if value else None


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class Expired(ApiError):
    """410: the version asked for is gone; list again."""

    code, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """422: `details["causes"]` lists reason, message and field of each fault."""

    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class ServerError(ApiError):
    """Any 5xx."""

    code, reason = 500, "InternalError"


_KINDS: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Conflict,
    AlreadyExists,
    Expired,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
)
_BY_REASON = {kind.reason: kind for kind in _KINDS} | {"Gone": Expired}
# AlreadyExists shares its code with Conflict, which stands for a bare 409.
_BY_CODE = {kind.code: kind for kind in _KINDS} | {Conflict.code: Conflict}


def error_from_status(status: dict[str, Any], code: int = 0) -> ApiError:
    """The exception for a Status object, also one that came inside a watch as an ERROR event."""
    code = int(status.get("code") or code)
    reason = str(status.get("reason") or "")
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code) or (ServerError if code >= 500 else ApiError)
    return kind(
        str(status.get("message") or reason or f"HTTP {code}"),
        code=code,
        reason=reason,
        details=dict(status.get("details") or {}),
    )


def error_from_answer(code: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """The exception for an HTTP answer whose code is not 2xx, whatever its body is."""
    try:
        status = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        status = {"message": body[:1024].decode(errors="replace").strip()}
    error = error_from_status(status, code)
    if retry_after and retry_after.isdigit():
        error.details.setdefault("retryAfterSeconds", int(retry_after))
    return error
