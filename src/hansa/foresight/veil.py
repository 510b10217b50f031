"""Values of Secrets behind a veil: equal values look equal, and nobody can read or guess them.

Each veil has a key of its own that is never stored, so a stand-in tells nothing to whoever has only the file.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from hansa.api.meta import Json
from hansa.api.names import LAST_APPLIED_ANNOTATION

HIDDEN = "hidden:"
_DOCKER = {".dockerconfigjson", ".dockercfg"}
"""Keys whose values an API server wants to be JSON."""


@dataclass(frozen=True, slots=True)
class Veil:
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def over(self, obj: Json) -> Json:
        """The object with every Secret in it hidden: itself, a Work's manifests, or a FederatedSecret's template."""
        match obj.get("kind"):
            case "Secret":
                return self._secret(obj)
            case "Work":
                workload: Json = (obj.get("spec") or {}).get("workload") or {}
                manifests = [self.over(manifest) for manifest in workload.get("manifests") or ()]
                return {**obj, "spec": {**obj["spec"], "workload": {**workload, "manifests": manifests}}}
            case "FederatedSecret":
                return self._federated(obj)
            case _:
                return obj

    def _secret(self, obj: Json) -> Json:
        hidden = dict(obj)
        for member, encoded in (("data", True), ("stringData", False)):
            if isinstance(values := obj.get(member), dict):
                hidden[member] = {key: self._value(key, value, encoded=encoded) for key, value in values.items()}
        metadata: Json = obj.get("metadata") or {}
        annotations: Json = metadata.get("annotations") or {}
        if LAST_APPLIED_ANNOTATION in annotations:
            kept = {key: value for key, value in annotations.items() if key != LAST_APPLIED_ANNOTATION}
            kept[LAST_APPLIED_ANNOTATION] = self._applied(annotations[LAST_APPLIED_ANNOTATION])
            hidden["metadata"] = {**metadata, "annotations": kept}
        return hidden

    def _applied(self, text: str) -> str:
        """kubectl's record of what was applied holds the values too."""
        try:
            return json.dumps(self.over({**json.loads(text), "kind": "Secret"}), separators=(",", ":")) + "\n"
        except (ValueError, TypeError, AttributeError):
            return "{}\n"

    def _federated(self, obj: Json) -> Json:
        spec: Json = dict(obj.get("spec") or {})
        if isinstance(template := spec.get("template"), dict):
            spec["template"] = self._secret(template)
        overrides: list[Json] = []
        for entry in spec.get("overrides") or ():
            operations = [self._operation(operation) for operation in entry.get("clusterOverrides") or ()]
            overrides.append({**entry, "clusterOverrides": operations})
        if overrides:
            spec["overrides"] = overrides
        return {**obj, "spec": spec}

    def _operation(self, operation: Json) -> Json:
        path = str(operation.get("path") or "")
        root, _, rest = path.removeprefix("/").partition("/")
        if root not in ("data", "stringData") or "value" not in operation:
            return operation
        value = operation["value"]
        encoded = root == "data"
        if isinstance(value, dict):
            shown: Any = {key: self._value(key, inner, encoded=encoded) for key, inner in value.items()}
        else:
            shown = self._value(rest, value, encoded=encoded)
        return {**operation, "value": shown}

    def _value(self, key: str, value: Any, *, encoded: bool) -> str:
        raw = str(value).encode()
        if encoded:
            with contextlib.suppress(binascii.Error):  # the API server will say so
                raw = base64.b64decode(raw, validate=True)
        name = HIDDEN + hmac.new(self.key, raw, hashlib.sha256).hexdigest()[:32]
        text = json.dumps({"auths": {name: {"auth": ""}}}) if key in _DOCKER else name
        return base64.b64encode(text.encode()).decode() if encoded else text
