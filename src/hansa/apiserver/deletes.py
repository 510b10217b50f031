"""Delete one object or a collection: preconditions, finalizers, grace, and what becomes of dependents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hansa.api.meta import GVK, Json, Key
from hansa.apiserver import customs, faults
from hansa.apiserver.admission_review import AdmissionRequest
from hansa.apiserver.body import JSON, decode
from hansa.apiserver.context import Call, Context, finished
from hansa.apiserver.reads import Reads
from hansa.apiserver.storage import Entry
from hansa.base.clock import rfc3339
from hansa.base.field import FieldError, invalid, not_supported
from hansa.base.patch import equal_json

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_POLICIES = ("Foreground", "Background", "Orphan")


class Deletes:
    """Deletes of one server."""

    def __init__(self, context: Context, reads: Reads) -> None:
        self._context = context
        self._reads = reads

    async def delete(self, call: Call) -> tuple[int, Json]:
        options = self._options(call)
        target = call.target
        entry = self._context.entry(call.served, target.namespace, target.name)
        if entry is None:
            raise faults.not_found(call.served.resource, target.name)
        return await self._delete(call, entry, options)

    async def delete_collection(self, call: Call) -> Json:
        """Delete all that a list with the same selectors shows; the answer is that list."""
        options = self._options(call)
        selection = self._reads.select(call)
        bucket = self._context.bucket(call.served)
        entries = [bucket.entries[key] for key in list(bucket.ordered())]
        deleted: list[Json] = []
        for entry in entries:
            if not selection.matches(entry) or bucket.entries.get(entry.key) is not entry:
                continue
            target = replace(call.target, name=entry.key.name, namespace=entry.key.namespace)
            try:
                await self._delete(replace(call, target=target), entry, options)
            except faults.Fault as fault:
                if fault.code != 404:
                    raise
            deleted.append(call.served.to_served(entry.json()))
        return {
            "kind": f"{call.gvk.kind}List",
            "apiVersion": call.gvk.api_version,
            "metadata": {"resourceVersion": str(self._context.storage.version)},
            "items": deleted,
        }

    async def _delete(self, call: Call, entry: Entry, options: Json) -> tuple[int, Json]:
        context, served = self._context, call.served
        resource, name = served.resource, entry.key.name
        _check_preconditions(call, entry, options)
        obj = entry.json()
        dry_run = call.target.query.dry_run or bool(options.get("dryRun"))
        await self._admit(call, obj, dry_run, options)
        bucket = context.bucket(served)
        current = bucket.entries.get(Key(entry.key.namespace, name))
        if current is None:
            raise faults.not_found(resource, name)
        entry, obj = current, current.json()
        marked = self._marked(call, obj, options)
        if finished(marked):
            status = faults.success(resource, name, entry.uid)
            if not dry_run:
                context.storage.delete(bucket, entry)
            return 200, status
        if dry_run or equal_json(marked, obj):
            return 200, served.to_served(marked)
        context.storage.put(bucket, marked, entry)
        return 200, served.to_served(marked)

    def _marked(self, call: Call, obj: Json, options: Json) -> Json:
        """The object as the delete leaves it: marked with the time, and with the finalizers that the policy needs."""
        marked = {**obj, "metadata": dict(obj["metadata"])}
        meta = marked["metadata"]
        finalizers: list[str] = list(meta.get("finalizers") or ())
        policy = _policy(call, options)
        for name, wanted in ((ORPHAN, policy == "Orphan"), (FOREGROUND, policy == "Foreground")):
            if wanted and name not in finalizers:
                finalizers.append(name)
            elif not wanted and policy is not None and name in finalizers:
                finalizers.remove(name)
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        asked = options.get("gracePeriodSeconds")
        grace = call.rules.graceful(obj, asked) if call.rules.graceful is not None else 0
        already = meta.get("deletionGracePeriodSeconds") if meta.get("deletionTimestamp") else None
        if already is not None:
            grace = min(grace, already)
        if meta.get("deletionTimestamp") is None or (already is not None and grace < already):
            now = self._context.clock.now()
            meta["deletionTimestamp"] = rfc3339(now + timedelta(seconds=grace))
            meta["deletionGracePeriodSeconds"] = grace
            if already is None and meta.get("generation"):
                meta["generation"] += 1
        if (
            obj.get("kind") == "CustomResourceDefinition"
            and not already
            and not obj["metadata"].get("deletionTimestamp")
        ):
            customs.begin_removal(marked, meta["deletionTimestamp"])
        if obj.get("kind") == "Namespace" and not call.gvk.group:
            marked["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return marked

    async def _admit(self, call: Call, obj: Json, dry_run: bool, options: Json) -> None:
        meta = obj["metadata"]
        request = AdmissionRequest(
            uid=meta.get("uid", ""),
            resource=call.served.resource,
            operation="DELETE",
            name=meta["name"],
            namespace=meta.get("namespace", ""),
            user=call.user,
            object=None,
            old_object=obj,
            dry_run=dry_run,
            options=options,
        )
        for outcome in (await self._context.admission.mutate(request), await self._context.admission.validate(request)):
            for warning in outcome.warnings:
                call.warn(warning)
            if outcome.denial is not None:
                raise faults.Fault.of(outcome.denial)

    def _options(self, call: Call) -> Json:
        """DeleteOptions of the body, else of the query."""
        body, query = call.request.body, call.target.query
        if body.strip():
            options = decode(body, call.request.headers.get("content-type", JSON))
            if options.get("kind", "DeleteOptions") != "DeleteOptions":
                raise faults.bad_request(f"decoded object cannot be converted to DeleteOptions: {options.get('kind')}")
        else:
            options = {}
            if query.get("propagationPolicy"):
                options["propagationPolicy"] = query.get("propagationPolicy")
            if query.get("orphanDependents"):
                options["orphanDependents"] = query.flag("orphanDependents")
            grace = query.number("gracePeriodSeconds")
            if grace is not None:
                options["gracePeriodSeconds"] = grace
        policy = options.get("propagationPolicy")
        if policy and policy not in _POLICIES:
            raise _invalid_options(not_supported("propagationPolicy", policy, [*_POLICIES, "nil"]))
        if policy and options.get("orphanDependents") is not None:
            text = "orphanDependents and deletionPropagation cannot be both set"
            raise _invalid_options(invalid("propagationPolicy", policy, text))
        return options


def _invalid_options(error: FieldError) -> faults.Fault:
    return faults.invalid(GVK("meta.k8s.io", "v1", "DeleteOptions"), "", [error])


def _check_preconditions(call: Call, entry: Entry, options: Json) -> None:
    wanted = options.get("preconditions") or {}
    resource, name = call.served.resource, entry.key.name
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    by_kind = resource._replace(plural=resource.kind)
    if uid and uid != entry.uid:
        why = f"the UID in the precondition ({uid}) does not match the UID in record ({entry.uid})."
        raise faults.conflict(by_kind, name, f"{why} The object might have been deleted and then recreated")
    if version and version != str(entry.version):
        why = f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record"
        raise faults.conflict(by_kind, name, f"{why} ({entry.version}). The object might have been modified")


def _policy(call: Call, options: Json) -> str | None:
    """What becomes of dependents; None leaves what an earlier delete decided."""
    policy = options.get("propagationPolicy")
    if policy:
        return policy
    orphan = options.get("orphanDependents")
    if orphan is not None:
        return "Orphan" if orphan else "Background"
    return "Orphan" if call.rules.orphan_by_default else None
