"""Checks of cluster affinities, wherever they stand."""

from __future__ import annotations

from typing import Any

from hansa.admit.fields import entries, mapping, text
from hansa.base.field import FieldError, invalid

_KEYS = ("provider", "region", "zone")


def check_affinity(affinity: Any, path: str) -> list[FieldError]:
    """Field selectors may speak of provider, region and zone, with In and NotIn."""
    errors: list[FieldError] = []
    where = f"{path}.fieldSelector"
    for expression in entries(mapping(mapping(affinity).get("fieldSelector")).get("matchExpressions")):
        key, operator = text(expression.get("key")), text(expression.get("operator"))
        if key not in _KEYS:
            errors.append(invalid(where, key, f'unsupported key "{key}", must be provider, region, or zone'))
        if operator not in ("In", "NotIn"):
            errors.append(invalid(where, operator, f'unsupported operator "{operator}", must be In or NotIn'))
    return errors
