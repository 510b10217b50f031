"""PATCH: JSON patch, merge patch, strategic merge patch and server-side apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hansa.api.meta import GVK, Json
from hansa.api.strategic import StrategicError, strategic_merge
from hansa.apiserver import applying, faults, misfit, subresources
from hansa.apiserver.body import MAX_BODY_BYTES, decode_any, duplicate_fields
from hansa.apiserver.builtin.shape import ShapeError
from hansa.apiserver.context import Call, Context
from hansa.apiserver.writes import Result, Writes
from hansa.base.patch import PatchError, apply_json_patch, apply_merge_patch

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
MAX_OPERATIONS = 10_000


class Patches:
    """Patches of one server."""

    def __init__(self, context: Context, writes: Writes) -> None:
        self._context = context
        self._writes = writes

    async def patch(self, call: Call) -> Result:
        media = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if len(call.request.body) > MAX_BODY_BYTES:
            raise faults.too_large(MAX_BODY_BYTES)
        if media == APPLY:
            return await self._apply(call)
        accepted = [JSON_PATCH, MERGE, *([] if call.served.custom else [STRATEGIC]), APPLY]
        if media not in accepted:
            raise faults.unsupported_media_type(accepted)
        if call.target.query.get("force"):
            text = 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
            raise faults.Fault(422, "Invalid", text)
        patch = decode_any(call.request.body, "application/json")
        change = self._change(call, media, patch)
        if isinstance(patch, dict) and media == MERGE:
            self._writes.check_fields(call, patch, duplicate_fields(call.request.body, patch))
        seen: Json = {}

        def patched(obj: Json) -> Json:
            nonlocal seen
            seen = obj
            return self._patched(call, obj, change, check=media != MERGE)

        try:
            return await self._writes.replace(call, patched, patched=True)
        except ShapeError as error:
            if media == JSON_PATCH:
                raise misfit.of_operations(call.gvk, change(seen), patch, error) from error
            if media == MERGE:
                raise misfit.of_merge(call.gvk, seen, patch, error) from error
            raise misfit.of_document(call.gvk, patch, change(seen), error) from error

    def _change(self, call: Call, media: str, patch: Any) -> Callable[[Json], Any]:
        if media == JSON_PATCH:
            if not isinstance(patch, list):
                raise faults.bad_request("cannot unmarshal the patch into a list of operations")
            if len(patch) > MAX_OPERATIONS:
                text = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
                raise faults.Fault(413, "RequestEntityTooLarge", text)
            return lambda obj: _json_patched(obj, patch)
        if not isinstance(patch, dict):
            raise faults.bad_request("the patch must be an object")
        if media == MERGE:
            return lambda obj: apply_merge_patch(obj, patch)
        return lambda obj: _strategically_merged(call, obj, patch)

    def _patched(self, call: Call, obj: Json, change: Callable[[Json], Any], *, check: bool) -> Json:
        version = obj["metadata"]["resourceVersion"]
        if call.target.subresource == "scale":
            scale = change(subresources.scale_of(call, obj))
            return subresources.set_scale(call, obj, scale)
        patched = change(obj)
        if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
            raise faults.bad_request("the patch leaves no object")
        meta = patched["metadata"]
        self._check_identity(call, patched)
        if check:
            self._writes.check_fields(call, patched)
        # a patch works on what is there now, so the kind's demand for a version does not hold
        meta["resourceVersion"] = meta.get("resourceVersion") or version
        return patched

    def _check_identity(self, call: Call, patched: Json) -> None:
        target = call.target
        if patched["metadata"].get("name") != target.name:
            text = "the name of the object ({}) does not match the name on the URL ({})"
            raise faults.bad_request(text.format(patched["metadata"].get("name", ""), target.name))
        if GVK.of(patched.get("apiVersion", ""), patched.get("kind", "")) != call.gvk:
            raise faults.bad_request("the kind or apiVersion of an object cannot be changed")

    async def _apply(self, call: Call) -> Result:
        try:
            return await applying.apply(self._context, self._writes, call)
        except ShapeError as error:
            raise faults.bad_patch(call.request.body.decode(errors="replace"), str(error)) from error


def _json_patched(obj: Json, patch: list[Any]) -> Any:
    try:
        return apply_json_patch(obj, patch, missing="add")
    except (PatchError, AttributeError) as error:
        text = "the server rejected our request due to an error in our request"
        raise faults.Fault(422, "Invalid", text) from error


def _strategically_merged(call: Call, obj: Json, patch: Json) -> Json:
    try:
        return strategic_merge(obj, patch, call.served.schema() or {})
    except StrategicError as error:
        reason = "BadRequest" if error.code == 400 else "InternalError"
        raise faults.Fault(error.code, reason, str(error)) from error
