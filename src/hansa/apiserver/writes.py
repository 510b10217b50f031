"""Create, update and patch: the way of an object from a request's body into the store.

The order is kube-apiserver's: decode, defaults, managed fields, mutating admission, what the server owns, validation,
allocation, validating admission, storage. A write that changes nothing stores nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from hansa.api import schema as schemas
from hansa.api.managers import is_reset
from hansa.api.meta import GVK, Json, Key
from hansa.apiserver import custom_rules, faults, subresources, tracking
from hansa.apiserver.admission import Outcome
from hansa.apiserver.admission_review import AdmissionRequest, Operation
from hansa.apiserver.body import JSON, decode, duplicate_fields
from hansa.apiserver.builtin import WriteContext
from hansa.apiserver.builtin.shape import ShapeError
from hansa.apiserver.context import Call, Context
from hansa.apiserver.customs import DEFINITIONS
from hansa.apiserver.resources import Served
from hansa.apiserver.storage import Entry
from hansa.base.clock import rfc3339
from hansa.base.field import FieldError
from hansa.base.names import random_suffix
from hansa.base.patch import copy_json

GENERATE_ATTEMPTS = 8
CONFLICT_ATTEMPTS = 5
MAX_GENERATED_PREFIX = 58
Update = Callable[[Json], Json | Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    obj: Json


class Writes:
    """Writes of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # -- create ------------------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Result:
        obj = self.decode(call)
        return await self.store_new(call, obj)

    async def store_new(self, call: Call, obj: Json, *, applied: bool = False) -> Result:
        """Everything after decoding. `applied` says that managed fields are set already."""
        context, served, query = self._context, call.served, call.target.query
        dry_run = query.dry_run
        self._settle_namespace(call, obj)
        self._check_namespace(call)
        self._check_definition(call, obj)
        self._stamp(call, obj)
        self._default(call, obj)
        if not applied:
            tracking.created(call, obj, rfc3339(context.clock.now()))
        obj = self._mutated(
            call, await context.admission.mutate(self._admission(call, "CREATE", obj, None, dry_run)), obj
        )
        call.rules.prepare_create(obj, WriteContext(context.clock.now(), call.user, dry_run, call.target.subresource))
        if served.custom is not None:
            custom_rules.prepare_create(served, obj)
        name = obj["metadata"].get("name", "")
        self._refuse(call, name, self._faults_of_new(served, obj))
        if context.entry(served, obj["metadata"].get("namespace", ""), name) is not None:
            raise faults.already_exists(served.resource, name)
        self._refuse_escalation(call, obj, None)
        allocated = self._allocate(call, obj, None, dry_run)
        try:
            verdict = await context.admission.validate(self._admission(call, "CREATE", obj, None, dry_run))
            self._admitted(call, verdict, obj)
            if dry_run:
                return Result(201, obj)
            if context.entry(served, obj["metadata"].get("namespace", ""), name) is not None:
                raise faults.already_exists(served.resource, name)
        except faults.Fault:
            if allocated:
                context.allocator.rollback(None, obj)
            raise
        stored = served.to_storage(obj)
        context.storage.put(context.bucket(served), stored, None)
        obj["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        return Result(201, obj)

    # -- update ------------------------------------------------------------------------------------------------------

    async def update(self, call: Call) -> Result:
        """PUT."""
        obj = self.decode(call)
        target = call.target
        self._settle_namespace(call, obj)
        given = (obj.get("metadata") or {}).get("name", "")
        if not given:
            obj["metadata"]["name"] = target.name
        elif given != target.name:
            text = "the name of the object ({}) does not match the name on the URL ({})"
            raise faults.bad_request(text.format(given, target.name))
        entry = self._context.entry(call.served, target.namespace, target.name)
        if entry is None:
            if not call.rules.create_on_update or target.subresource:
                raise faults.not_found(call.served.resource, target.name)
            return replace(await self.store_new(call, obj), code=201)
        conditional = bool(obj["metadata"].get("resourceVersion"))
        return await self.replace(call, lambda _: copy_json(obj), patched=not conditional)

    async def replace(self, call: Call, change: Update, *, applied: bool = False, patched: bool = False) -> Result:
        """Store what `change` makes of the current object.

        `patched` says that the change is one of the current object, whatever that is: it runs again when somebody
        else was faster. `applied` says that managed fields are set already.
        """
        for _ in range(CONFLICT_ATTEMPTS):
            entry = self._existing(call)
            result = await self._replace_once(call, entry, change, applied, patched)
            if result is not None:
                return result
        raise faults.modified(call.served.resource, call.target.name)

    async def _replace_once(
        self, call: Call, entry: Entry, change: Update, applied: bool, patched: bool
    ) -> Result | None:
        """None when the object changed meanwhile and the change may be tried again."""
        context, served, target = self._context, call.served, call.target
        dry_run = target.query.dry_run
        old = self._view(served, entry)
        made = change(self._view(served, entry))
        obj = await made if isinstance(made, Awaitable) else made
        meta = obj.setdefault("metadata", {})
        version = meta.get("resourceVersion") or ""
        if version and version != str(entry.version):
            if isinstance(version, str) and version.isdigit():
                raise faults.modified(served.resource, target.name)
            error = FieldError(
                "metadata.resourceVersion", "FieldValueInvalid", f'Invalid value: "{version}": must be a number'
            )
            raise faults.invalid(call.gvk, target.name, [error])
        if not version and not call.rules.unconditional_update:
            error = FieldError(
                "metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update"
            )
            raise faults.invalid(call.gvk, target.name, [error])
        uid = meta.get("uid")
        if uid and uid != entry.uid:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {entry.uid}"
            raise faults.conflict(served.resource, target.name, why)
        _keep_system_fields(obj, old)
        forgets = is_reset(meta.get("managedFields"))  # typed decoding tells no empty list from none
        self._default(call, obj)
        if not applied:
            if forgets:
                obj["metadata"]["managedFields"] = []
            tracking.updated(call, obj, old, rfc3339(context.clock.now()))
        obj = self._mutated(
            call, await context.admission.mutate(self._admission(call, "UPDATE", obj, old, dry_run)), obj
        )
        call.rules.prepare_update(obj, old, target.subresource)
        if served.custom is not None:
            custom_rules.prepare_update(served, obj, old, target.subresource)
        self._refuse(call, target.name, self._faults_of_update(served, obj, old, target.subresource))
        self._refuse_escalation(call, obj, old)
        allocated = self._allocate(call, obj, old, dry_run)
        verdict = await context.admission.validate(self._admission(call, "UPDATE", obj, old, dry_run))
        self._admitted(call, verdict, obj)
        current = context.entry(served, target.namespace, target.name)
        if current is not entry:
            if allocated:
                context.allocator.rollback(old, obj)
            if current is None or not patched:
                raise faults.modified(served.resource, target.name)
            return None
        return Result(200, self._commit(call, obj, old, entry, dry_run))

    def _commit(self, call: Call, obj: Json, old: Json, entry: Entry, dry_run: bool) -> Json:
        context, served = self._context, call.served
        if tracking.unchanged(obj, old):
            return old
        if dry_run:
            return obj
        stored = served.to_storage(obj)
        context.store(context.bucket(served), stored, entry)
        obj["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        return obj

    # -- parts -------------------------------------------------------------------------------------------------------

    def decode(self, call: Call) -> Json:
        """The object of a request's body, checked for fields that the kind does not have."""
        request = call.request
        content_type = request.headers.get("content-type", JSON)
        wanted = subresources.kind_of(call)
        obj = decode(request.body, content_type, wanted.kind)
        duplicates = duplicate_fields(request.body, obj) if "json" in content_type else []
        kind, api_version = obj.get("kind") or "", obj.get("apiVersion") or ""
        if not kind:
            obj["kind"] = wanted.kind
        if not api_version:
            obj["apiVersion"] = wanted.api_version
        if kind and kind != wanted.kind:
            raise faults.bad_request(
                f'{kind} in version "{GVK.of(api_version, kind).version}" cannot be handled as a {wanted.kind}: '
                f"converting ({wanted.version}.{kind}) to ({wanted.group.partition('.')[0] or 'core'}.{wanted.kind}): "
                "unknown conversion"
            )
        if api_version and api_version != wanted.api_version:
            text = "the API version in the data ({}) does not match the expected API version ({})"
            raise faults.bad_request(text.format(api_version, wanted.api_version))
        if obj.get("metadata") is None:
            obj["metadata"] = {}
        elif not isinstance(obj["metadata"], dict):
            text = "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta"
            raise faults.bad_request(f"{_strict_prefix(call)}{text}")
        self.check_fields(call, obj, duplicates)
        return obj

    def check_fields(self, call: Call, obj: Json, duplicates: Sequence[str] = ()) -> None:
        """Unknown and duplicate fields: refused, warned of, or ignored, as fieldValidation says (Warn by default)."""
        mode = call.target.query.get("fieldValidation") or "Warn"
        if mode not in ("Strict", "Warn", "Ignore"):
            text = f'fieldValidation: Unsupported value: "{mode}": supported values: "", "Ignore", "Strict", "Warn"'
            raise faults.bad_request(text)
        if mode == "Ignore":
            return
        schema = call.served.schema()
        found = [f'duplicate field "{path}"' for path in duplicates]
        if schema is not None and not call.target.subresource:
            structural = call.served.custom is not None
            if not (structural and call.served.custom and call.served.custom.preserves_unknown):
                found += [f'unknown field "{p}"' for p in schemas.unknown_fields(obj, schema, structural=structural)]
        if not found:
            return
        if mode == "Strict":
            raise faults.bad_request(f"{_strict_prefix(call)}strict decoding error: {', '.join(found)}")
        for text in found:
            call.warn(text)

    def _settle_namespace(self, call: Call, obj: Json) -> None:
        meta = obj["metadata"]
        if not call.served.resource.namespaced:
            return
        given, wanted = meta.get("namespace") or "", call.target.namespace
        if given and wanted and given != wanted:
            text = "the namespace of the provided object does not match the namespace sent on the request"
            raise faults.bad_request(text)
        meta["namespace"] = wanted or given
        if not meta["namespace"]:
            raise faults.bad_request("an empty namespace may not be set during creation")

    def _check_namespace(self, call: Call) -> None:
        """Objects are created in namespaces that exist and stay (admission plug-in NamespaceLifecycle)."""
        if not call.served.resource.namespaced:
            return
        name = call.target.namespace
        namespaces = self._context.resources.get("", "v1", "namespaces")
        assert namespaces is not None
        entry = self._context.entry(namespaces, "", name)
        if entry is None:
            raise faults.not_found(namespaces.resource, name)
        if entry.deleting:
            text = f"unable to create new content in namespace {name} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            resource = call.served.resource
            message = f'{resource.group_resource} "{call.target.name}" is forbidden: {text}'
            raise faults.forbidden(message, resource, call.target.name, [cause])

    def _check_definition(self, call: Call, obj: Json) -> None:
        """A kind whose definition is being deleted takes no new objects."""
        custom = call.served.custom
        if custom is None:
            return
        definition = self._context.storage.bucket(DEFINITIONS).entries.get(Key("", custom.definition))
        if definition is not None and definition.deleting:
            resource, name = call.served.resource, obj["metadata"].get("name", "")
            text = "create not allowed while custom resource definition is terminating"
            raise faults.forbidden(f'{resource.group_resource} "{name}" is forbidden: {text}', resource, name)

    def _stamp(self, call: Call, obj: Json) -> None:
        """What the server gives to a new object."""
        meta = obj["metadata"]
        if meta.get("resourceVersion"):
            raise faults.bad_request("resourceVersion should not be set on objects to be created")
        for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            meta.pop(field, None)
        meta["uid"] = str(uuid.UUID(int=self._context.rng.getrandbits(128), version=4))
        meta["creationTimestamp"] = rfc3339(self._context.clock.now())
        prefix = meta.get("generateName")
        if prefix and not meta.get("name"):
            taken = self._context.bucket(call.served).entries
            for _ in range(GENERATE_ATTEMPTS):
                meta["name"] = prefix[:MAX_GENERATED_PREFIX] + random_suffix(self._context.rng.random)
                if (meta.get("namespace", ""), meta["name"]) not in taken:
                    break

    def _default(self, call: Call, obj: Json) -> None:
        custom = call.served.custom
        if custom is None:
            try:
                call.rules.default(obj)
            except ShapeError as error:
                if call.target.verb == "patch":
                    raise  # who patches knows what to print
                raise faults.bad_request(f"{_strict_prefix(call)}{error}") from error
            return
        if not custom.preserves_unknown:
            schemas.prune(obj, custom.schema)
        schemas.apply_defaults(obj, custom.schema)

    def _faults_of_new(self, served: Served, obj: Json) -> list[FieldError]:
        errors = served.rules.validate_create(obj)
        if served.custom is not None:
            errors = errors + schemas.validate(obj, served.custom.schema)
        return errors

    def _faults_of_update(self, served: Served, obj: Json, old: Json, subresource: str) -> list[FieldError]:
        errors = served.rules.validate_update(obj, old, subresource)
        if served.custom is not None:
            errors = errors + schemas.validate(obj, served.custom.schema)
        return errors

    def _refuse(self, call: Call, name: str, errors: list[FieldError]) -> None:
        if errors:
            raise faults.invalid(call.gvk, name, errors)

    def _refuse_escalation(self, call: Call, obj: Json, old: Json | None) -> None:
        if call.gvk.group != "rbac.authorization.k8s.io":
            return
        why = self._context.authorizer.escalation(call.user, obj, old)
        if why:
            resource, name = call.served.resource, obj["metadata"].get("name", "")
            raise faults.forbidden(f'{resource.group_resource} "{name}" is forbidden: {why}', resource, name)

    def _allocate(self, call: Call, obj: Json, old: Json | None, dry_run: bool) -> bool:
        if call.gvk.group or call.gvk.kind != "Service" or call.target.subresource:
            return False
        allocator = self._context.allocator
        if old is None:
            errors = allocator.create(obj, dry_run=dry_run)
        else:
            errors = allocator.update(obj, old, dry_run=dry_run)
        self._refuse(call, obj["metadata"].get("name", ""), errors)
        return not dry_run

    def _admission(
        self, call: Call, operation: Operation, obj: Json | None, old: Json | None, dry_run: bool
    ) -> AdmissionRequest:
        meta = (obj or old or {}).get("metadata") or {}
        return AdmissionRequest(
            uid=str(uuid.UUID(int=self._context.rng.getrandbits(128), version=4)),
            resource=call.served.resource,
            operation=operation,
            name=meta.get("name", ""),
            namespace=meta.get("namespace", ""),
            user=call.user,
            object=obj,
            old_object=old,
            subresource=call.target.subresource,
            dry_run=dry_run,
        )

    def _admitted(self, call: Call, outcome: Outcome, obj: Json) -> Json:
        for warning in outcome.warnings:
            call.warn(warning)
        if outcome.denial is not None:
            raise faults.Fault.of(outcome.denial)
        return obj if outcome.object is None else outcome.object

    def _mutated(self, call: Call, outcome: Outcome, obj: Json) -> Json:
        """The object as mutating admission left it, with defaults again where it was changed."""
        changed = self._admitted(call, outcome, obj)
        if changed is not obj:
            self._default(call, changed)
        return changed

    def _existing(self, call: Call) -> Entry:
        entry = self._context.entry(call.served, call.target.namespace, call.target.name)
        if entry is None:
            raise faults.not_found(call.served.resource, call.target.name)
        return entry

    def _view(self, served: Served, entry: Entry) -> Json:
        """A private copy in the served version, with today's defaults."""
        obj = served.to_served(entry.json())
        if served.custom is not None:
            schemas.apply_defaults(obj, served.custom.schema)
        return obj


def _keep_system_fields(obj: Json, old: Json) -> None:
    meta, before = obj["metadata"], old["metadata"]
    for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    meta["resourceVersion"] = before["resourceVersion"]
    meta.pop("selfLink", None)
    if "generateName" in before:
        meta.setdefault("generateName", before["generateName"])


def _strict_prefix(call: Call) -> str:
    return f'{call.gvk.kind} in version "{call.gvk.version}" cannot be handled as a {call.gvk.kind}: '
