"""fieldOverrider: a JSON or YAML document that is kept as text in one field of the object."""

from __future__ import annotations

import json
from typing import Any

import yaml

from hansa.api.meta import Json
from hansa.api.policy import FieldOverrider
from hansa.base.patch import apply_json_patch, parse_pointer
from hansa.override.error import OverrideError
from hansa.override.plaintext import operation, patched


def apply(manifest: Json, overrider: FieldOverrider) -> Json:
    """Raises OverrideError when the field is missing or no text, or its document cannot be read or patched."""
    text = _text(manifest, overrider.field_path)
    changed = ""
    if overrider.yaml:
        document = _patched(_read_yaml(text, overrider.field_path), overrider.yaml, overrider.field_path)
        changed = yaml.safe_dump(document, sort_keys=True, default_flow_style=False, allow_unicode=True)
    elif overrider.json:
        changed = _compact(_patched(_read_json(text, overrider.field_path), overrider.json, overrider.field_path))
    return apply_json_patch(manifest, [{"op": "replace", "path": overrider.field_path, "value": changed}])


def _text(manifest: Json, path: str) -> str:
    found: Any = manifest
    try:
        for part in parse_pointer(path):
            found = found[int(part)] if isinstance(found, list) else found[part]
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise OverrideError(f"fieldOverrider: the object has no field {path}") from error
    if not isinstance(found, str):
        raise OverrideError(f"Get object's value by overrider's path({path}) is not string")
    return found


def _patched(document: Any, entries: Any, path: str) -> Any:
    operations = [operation(entry, entry.sub_path) for entry in entries]
    return patched(document, operations, f"fieldOverrider of {path}")


def _read_yaml(text: str, path: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OverrideError(f"fieldOverrider: {path} is not YAML: {error}") from error


def _read_json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise OverrideError(f"fieldOverrider: {path} is not JSON: {error}") from error


def _compact(document: Any) -> str:
    """Without spaces, keys as they came, and HTML's characters escaped as Go's encoder does."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
