"""Server-side apply: what a manager declares becomes its fields, what it no longer declares goes."""

from __future__ import annotations

from hansa.api import merge
from hansa.api.meta import GVK, Json
from hansa.apiserver import faults, subresources, tracking
from hansa.apiserver.body import decode_any
from hansa.apiserver.context import Call, Context
from hansa.apiserver.writes import Result, Writes
from hansa.base.clock import rfc3339

LONGEST_MANAGER = 128


async def apply(context: Context, writes: Writes, call: Call) -> Result:
    """PATCH with an apply configuration; creates what is missing. Raises Conflict, Invalid, BadRequest."""
    manager = call.target.query.get("fieldManager")
    check_manager(manager, required=True)
    config = _config(call)
    entry = context.entry(call.served, call.target.namespace, call.target.name)
    if entry is None:
        if call.target.subresource:
            raise faults.not_found(call.served.resource, call.target.name)
        if config["metadata"].get("uid"):
            uid = config["metadata"]["uid"]
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise faults.conflict(call.served.resource, call.target.name, why)
        writes.check_fields(call, config)
        return await writes.store_new(call, _applied(context, call, None, config), applied=True)
    writes.check_fields(call, config)
    return await writes.replace(call, lambda live: _applied(context, call, live, config), applied=True, patched=True)


def check_manager(manager: str, *, required: bool) -> None:
    """Raises Invalid for a fieldManager that is missing where it is needed, or too long."""
    if required and not manager:
        raise _invalid_option("fieldManager: Required value: is required for apply patch")
    if len(manager.encode()) > LONGEST_MANAGER:
        raise _invalid_option(f"fieldManager: Too long: may not be more than {LONGEST_MANAGER} bytes")


def _invalid_option(text: str) -> faults.Fault:
    field, _, message = text.partition(": ")
    reason = "FieldValueRequired" if message.startswith("Required") else "FieldValueTooLong"
    details: Json = {
        "group": "meta.k8s.io",
        "kind": "PatchOptions",
        "causes": [{"reason": reason, "message": message, "field": field}],
    }
    return faults.Fault(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {text}', details)


def _config(call: Call) -> Json:
    """The declared object, with the name and namespace of the path."""
    config = decode_any(call.request.body, "application/yaml")
    if not isinstance(config, dict):
        raise faults.bad_request("error decoding YAML: the apply configuration must be an object")
    wanted = subresources.kind_of(call)
    given = GVK.of(config.get("apiVersion") or "", config.get("kind") or "")
    if given != wanted:
        if not config.get("apiVersion"):
            raise faults.bad_request("invalid object type: /, Kind=")
        raise faults.bad_request(
            f"incorrect type/version in object: expected {wanted.api_version}, Kind={wanted.kind}; got {given}"
        )
    meta = config.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise faults.bad_request("metadata must be an object")
    name, namespace = meta.setdefault("name", call.target.name), meta.get("namespace")
    if name != call.target.name:
        text = "the name of the object ({}) does not match the name on the URL ({})"
        raise faults.bad_request(text.format(name, call.target.name))
    if call.served.resource.namespaced:
        if namespace and namespace != call.target.namespace:
            raise faults.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        meta["namespace"] = call.target.namespace
    return config


def _applied(context: Context, call: Call, live: Json | None, config: Json) -> Json:
    if call.target.subresource == "scale":
        assert live is not None
        config = {
            "apiVersion": call.gvk.api_version,
            "kind": call.gvk.kind,
            "metadata": {key: config["metadata"][key] for key in ("name", "namespace") if key in config["metadata"]},
            "spec": {"replicas": (config.get("spec") or {}).get("replicas", 0)},
        }
    try:
        obj = merge.apply(
            live,
            config,
            call.served.schema(),
            manager=call.manager,
            api_version=call.gvk.api_version,
            now=rfc3339(context.clock.now()),
            force=call.target.query.flag("force"),
            subresource=call.target.subresource,
            ignored=tracking.ignored(call),
        )
    except merge.ApplyConflict as error:
        causes = [conflict.cause() for conflict in error.conflicts]
        raise faults.Fault(409, "Conflict", str(error), {"causes": causes}) from error
    except merge.ApplyError as error:
        reason = "BadRequest" if error.code == 400 else "InternalError"
        raise faults.Fault(error.code, reason, str(error)) from error
    if live is not None and not config["metadata"].get("resourceVersion"):
        obj["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return obj
