"""What the server owns in a custom resource: status apart from spec, and the generation."""

from __future__ import annotations

from typing import Any

from hansa.api.meta import Json
from hansa.apiserver.resources import Served
from hansa.base.patch import equal_json


def prepare_create(served: Served, obj: Json) -> None:
    custom = served.custom
    assert custom is not None
    if custom.has_status:
        obj.pop("status", None)
    obj["metadata"]["generation"] = 1


def prepare_update(served: Served, obj: Json, old: Json, subresource: str) -> None:
    custom = served.custom
    assert custom is not None
    if subresource == "status":
        status, meta = obj.get("status"), obj["metadata"]
        kept = {**old, "metadata": {**old["metadata"], "managedFields": meta.get("managedFields")}}
        obj.clear()
        obj.update(kept)
        if obj["metadata"]["managedFields"] is None:
            del obj["metadata"]["managedFields"]
        if status is None:
            obj.pop("status", None)
        else:
            obj["status"] = status
        return
    if custom.has_status:
        if "status" in old:
            obj["status"] = old["status"]
        else:
            obj.pop("status", None)
    if not equal_json(_intent(obj, custom.has_status), _intent(old, custom.has_status)):
        obj["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1


def _intent(obj: Json, has_status: bool) -> dict[str, Any]:
    left_out = {"metadata", "status"} if has_status else {"metadata"}
    return {key: value for key, value in obj.items() if key not in left_out}
