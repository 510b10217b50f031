"""Faults of an object, each with its field, in the words of the Kubernetes API (Status.details.causes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Reason = Literal[
    "FieldValueInvalid",
    "FieldValueRequired",
    "FieldValueNotSupported",
    "FieldValueForbidden",
    "FieldValueDuplicate",
    "FieldValueTypeInvalid",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueNotFound",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """`field` is a path such as `spec.ports[0].name`; `message` is everything after it."""

    field: str
    reason: Reason
    message: str

    @property
    def detail(self) -> str:
        """`spec.replicas: Invalid value: -1: must be greater than or equal to 0`."""
        return f"{self.field}: {self.message}"

    def cause(self) -> dict[str, str]:
        """The form in a Status."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(path, "FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}")


def required(path: str, detail: str = "") -> FieldError:
    return FieldError(path, "FieldValueRequired", _with("Required value", detail))


def not_supported(path: str, value: Any, supported: Sequence[str]) -> FieldError:
    choices = ", ".join(f'"{choice}"' for choice in supported)
    detail = f"supported values: {choices}" if supported else ""
    return FieldError(path, "FieldValueNotSupported", _with(f"Unsupported value: {shown(value)}", detail))


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError(path, "FieldValueForbidden", _with("Forbidden", detail))


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def type_invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(path, "FieldValueTypeInvalid", f"Invalid value: {shown(value)}: {detail}")


def too_long(path: str, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(path: str, count: int, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} items")


def not_found(path: str, value: Any) -> FieldError:
    return FieldError(path, "FieldValueNotFound", f"Not found: {shown(value)}")


def shown(value: Any) -> str:
    """A value as error messages show it: text in quotes, the rest as JSON."""
    if value is None:
        return "null"
    return msgspec.json.encode(value).decode()


def _with(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text
