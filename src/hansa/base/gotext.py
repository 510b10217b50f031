"""How Go prints JSON values (`%v`): some messages of the Kubernetes API contain them so."""

from __future__ import annotations

from typing import Any


def go_text(value: Any) -> str:
    """`map[a:1 b:[x y] c:<nil>]`."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(go_text(item) for item in value)}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
