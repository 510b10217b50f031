"""What Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers have in common."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.builtin.cells import images_of, names_of, selector_text, template_containers
from hansa.apiserver.builtin.checks import empty_selector, is_percent, label_selector, nonnegative
from hansa.apiserver.builtin.kind import column
from hansa.apiserver.builtin.pod_checks import validate_template
from hansa.apiserver.builtin.rules import Column
from hansa.apiserver.builtin.selectors import selects
from hansa.apiserver.builtin.shape import in_order
from hansa.base.field import FieldError, forbidden, invalid, not_supported, required


def selector_checks(spec: Json, kind: str, path: str = "spec") -> list[FieldError]:
    """The selector is there, is sound, and selects something."""
    selector = spec.get("selector")
    if selector is None:
        return [required(f"{path}.selector")]
    errors = label_selector(selector, f"{path}.selector")
    if not (selector.get("matchLabels") or selector.get("matchExpressions")):
        errors.append(invalid(f"{path}.selector", selector, f"empty selector is invalid for {kind}"))
    return errors


def template_checks(spec: Json, kind: str, path: str = "spec") -> list[FieldError]:
    """The template matches the selector, is sound, and restarts always."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    here = f"{path}.template"
    errors: list[FieldError] = []
    labels = (template.get("metadata") or {}).get("labels")
    if selector is not None and selector_is_broken(selector):
        return [invalid(f"{path}.selector", in_order(selector, "meta.LabelSelector"), "invalid label selector")]
    if not (selector is not None and empty_selector(selector)) and not selects(selector, labels):
        errors.append(invalid(f"{here}.metadata.labels", labels, "`selector` does not match template `labels`"))
    return errors + validate_template(template, here) + always_restarts(template, kind, here)


def selector_is_broken(selector: Json) -> bool:
    """It cannot be evaluated at all."""
    return bool(label_selector(selector, "") if selector.get("matchExpressions") else ())


def always_restarts(template: Json, kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    spec = template.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", spec.get("restartPolicy", ""), ["Always"]))
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden(f"{path}.spec.activeDeadlineSeconds", text))
    return errors


def amount(value: Any) -> int:
    """A count, or the number of a percentage."""
    if isinstance(value, str):
        if is_percent(value):
            return int(value[:-1])
        return int(value) if value.lstrip("-").isdigit() else 0
    return value or 0


def status_counts(
    new: Json,
    old: Json,
    fields: tuple[str, ...],
    bounded: tuple[str, ...],
    ready_text: str = "cannot be greater than readyReplicas",
) -> list[FieldError]:
    """Counts of a status: not negative, and not more than there are replicas."""
    status: Json = new.get("status") or {}
    before: Json = old.get("status") or {}
    errors: list[FieldError] = []
    for field in (*fields, "observedGeneration", "collisionCount"):
        errors += nonnegative(status.get(field), f"status.{field}")
    replicas = status.get("replicas", 0)
    errors += [
        invalid(f"status.{field}", status[field], "cannot be greater than status.replicas")
        for field in bounded
        if status.get(field, 0) > replicas
    ]
    available = status.get("availableReplicas", 0)
    if "availableReplicas" in bounded and available > status.get("readyReplicas", 0):
        errors.append(invalid("status.availableReplicas", available, ready_text))
    collisions = status.get("collisionCount") or 0
    if collisions < (before.get("collisionCount") or 0):
        errors.append(invalid("status.collisionCount", collisions, "cannot be decremented"))
    return errors


def template_columns(*, selector: bool = True) -> tuple[Column, ...]:
    """Containers, Images, Selector of `-o wide`."""
    columns = (
        column("Containers", lambda o: names_of(template_containers(o["spec"].get("template"))), wide=True),
        column("Images", lambda o: images_of(template_containers(o["spec"].get("template"))), wide=True),
    )
    if selector:
        return (*columns, column("Selector", lambda o: selector_text(o["spec"].get("selector")), wide=True))
    return columns


def status_of(obj: Json, field: str) -> int:
    return (obj.get("status") or {}).get(field, 0)


def replicas_of(obj: Json) -> int:
    return obj["spec"].get("replicas") or 0
