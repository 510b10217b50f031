"""Value checks of what is called in a container: probes, and handlers of its life cycle."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import (
    each,
    http_header_faults,
    nonnegative,
    port_number_or_name,
    supported,
)
from hansa.base.field import FieldError, forbidden, invalid, required

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def validate_probe(name: str, probe: Json, grace: int | None, path: str) -> list[FieldError]:
    errors = validate_handler(probe, grace, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        errors += nonnegative(probe.get(field), f"{path}.{field}")
    own_grace = probe.get("terminationGracePeriodSeconds")
    if own_grace is not None and own_grace <= 0:
        errors.append(invalid(f"{path}.terminationGracePeriodSeconds", own_grace, "must be greater than 0"))
    if name == "readinessProbe":
        if own_grace is not None:
            errors.append(
                invalid(f"{path}.terminationGracePeriodSeconds", own_grace, "must not be set for readinessProbes")
            )
    elif probe.get("successThreshold", 0) != 1:
        errors.append(invalid(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1"))
    return errors


def validate_handler(handler: Json, grace: int | None, path: str) -> list[FieldError]:
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        return [required(path, "must specify a handler type")]
    errors = _action(given[0], handler[given[0]], grace, f"{path}.{given[0]}")
    return errors + [forbidden(f"{path}.{name}", "may not specify more than 1 handler type") for name in given[1:]]


def _action(name: str, action: Json, grace: int | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    match name:
        case "exec":
            if not action.get("command"):
                errors.append(required(f"{path}.command"))
        case "httpGet":
            if not action.get("path"):
                errors.append(required(f"{path}.path"))
            errors += port_number_or_name(action.get("port"), f"{path}.port")
            errors += supported(action.get("scheme", ""), ("HTTP", "HTTPS"), f"{path}.scheme")
            for header in action.get("httpHeaders", ()):
                errors += each(
                    f"{path}.httpHeaders", header.get("name", ""), http_header_faults(header.get("name", ""))
                )
        case "tcpSocket" | "grpc":
            errors += port_number_or_name(action.get("port"), f"{path}.port")
        case _:
            seconds = action.get("seconds", 0)
            if grace is not None and not 0 <= seconds <= grace:
                text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                errors.append(invalid(path, seconds, text))
    return errors
