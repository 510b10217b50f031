"""Life and end of namespaces and of what comes with them.

A new namespace gets the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`; one that is deleted loses its
contents, says in its conditions what remains, and goes when nothing does. Secrets with ServiceAccount tokens are filled
here too.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import timedelta

from hansa.api import names
from hansa.api.meta import Json, Key
from hansa.apiserver.admission_review import AdmissionRequest
from hansa.apiserver.context import Context, finished
from hansa.apiserver.customs import CLEANUP, DEFINITIONS
from hansa.apiserver.message import UserInfo
from hansa.apiserver.resources import Served
from hansa.apiserver.storage import Bucket, Entry, Event
from hansa.base.clock import rfc3339
from hansa.base.patch import equal_json

log = logging.getLogger(__name__)

NAMESPACES = "namespaces"
_ROOT_CA = "kube-root-ca.crt"
RETRY_SECONDS = 0.5
_CONTROLLER = UserInfo(
    "system:serviceaccount:kube-system:namespace-controller",
    ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"),
)


class Namespaces:
    """Runs for one server. `furnishes`: namespaces get an account and the certificate authority, as clusters have them;
    a hub may do without."""

    def __init__(self, context: Context, *, furnishes: bool = True) -> None:
        self._context = context
        self._furnishes = furnishes
        self._queue: dict[tuple[str, Key], None] = {}
        self._wake = asyncio.Event()
        context.storage.subscribe(self._hear)

    async def run(self) -> None:
        """Until cancelled."""
        for name in (NAMESPACES, DEFINITIONS, "secrets", "serviceaccounts"):
            for key in self._context.storage.bucket(name).entries:
                self._add(name, key)
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting = list(self._queue)
            self._queue.clear()
            for name, key in waiting:
                try:
                    if await self._look(name, key):
                        # most of what holds it up ends with an event; this is for what has none
                        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._add, name, key)
                except Exception:
                    log.exception("namespace upkeep failed", extra={"key": str(key)})

    def _hear(self, name: str, event: Event) -> None:
        key = event.new.key
        if name in (NAMESPACES, DEFINITIONS, "secrets", "serviceaccounts"):
            self._add(name, key)
        if event.deleted:
            if key.namespace:
                self._add(NAMESPACES, Key("", key.namespace))
            self._add(DEFINITIONS, Key("", name))
        if event.deleted and name in ("serviceaccounts", "configmaps"):
            self._add(NAMESPACES, Key("", key.namespace))

    def _add(self, name: str, key: Key) -> None:
        self._queue[(name, key)] = None
        self._wake.set()

    async def _look(self, name: str, key: Key) -> bool:
        """Whether to look again without an event."""
        bucket = self._context.storage.bucket(name)
        entry = bucket.entries.get(key)
        if entry is None:
            return False
        if name == NAMESPACES:
            if entry.deleting:
                return await self._empty(bucket, entry)
            if self._furnishes:
                self._furnish(key.name)
        elif name == DEFINITIONS and entry.deleting:
            return await self._remove_instances(bucket, entry)
        elif name == "secrets":
            self._fill_token(bucket, entry)
        elif name == "serviceaccounts":
            for secret in list(self._context.storage.bucket("secrets").of_namespace(key.namespace)):
                self._fill_token(self._context.storage.bucket("secrets"), secret)
        return False

    # -- beginning ---------------------------------------------------------------------------------------------------

    def _furnish(self, namespace: str) -> None:
        accounts = self._context.storage.bucket("serviceaccounts")
        if Key(namespace, "default") not in accounts.entries:
            self._put_new(accounts, self._new("v1", "ServiceAccount", namespace, "default"))
        configs = self._context.storage.bucket("configmaps")
        wanted = {"ca.crt": self._context.ca_certificate.decode()}
        entry = configs.entries.get(Key(namespace, _ROOT_CA))
        if entry is None:
            obj = self._new("v1", "ConfigMap", namespace, _ROOT_CA)
            obj["metadata"]["annotations"] = {
                "kubernetes.io/description": "Holds the certificate authority of this cluster's API server."
            }
            self._put_new(configs, obj | {"data": wanted})
        elif not entry.deleting:
            obj = entry.json()
            if obj.get("data") != wanted:
                self._context.storage.put(configs, {**obj, "data": wanted}, entry)

    def _new(self, api_version: str, kind: str, namespace: str, name: str) -> Json:
        return {
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": str(uuid.UUID(int=self._context.rng.getrandbits(128), version=4)),
                "creationTimestamp": rfc3339(self._context.clock.now()),
            },
        }

    def _put_new(self, bucket: Bucket, obj: Json) -> None:
        self._context.storage.put(bucket, obj, None)

    def _fill_token(self, bucket: Bucket, entry: Entry) -> None:
        if entry.deleting or b"service-account-token" not in entry.raw:
            return
        secret = entry.json()
        name = (secret["metadata"].get("annotations") or {}).get(names.SERVICE_ACCOUNT_ANNOTATION)
        if secret.get("type") != names.SERVICE_ACCOUNT_TOKEN or not name:
            return
        account = self._context.storage.bucket("serviceaccounts").entries.get(Key(entry.key.namespace, name))
        if account is not None and self._context.issuer.fill_secret(
            secret, account.json(), self._context.ca_certificate
        ):
            self._context.storage.put(bucket, secret, entry)

    # -- end ---------------------------------------------------------------------------------------------------------

    async def _empty(self, bucket: Bucket, entry: Entry) -> bool:
        """Delete the contents; when none is left take off the finalizer. True while something remains."""
        namespace = entry.key.name
        denials: list[str] = []
        remaining = await self._delete_contents(namespace, denials)
        current = bucket.entries.get(entry.key)
        if current is None or not current.deleting:
            return False
        entry = current  # webhooks may have been asked meanwhile
        namespace_obj = entry.json()
        if remaining:
            self._explain(bucket, entry, namespace_obj, remaining, denials)
            return True
        spec = namespace_obj.get("spec") or {}
        spec["finalizers"] = [f for f in spec.get("finalizers") or [] if f != "kubernetes"]
        if not spec["finalizers"]:
            del spec["finalizers"]
        namespace_obj["spec"] = spec
        self._context.store(bucket, namespace_obj, entry)
        return False

    async def _delete_contents(self, namespace: str, denials: list[str]) -> dict[str, list[Entry]]:
        """Mark or remove everything in the namespace; what remains, by resource. Pods go first.

        What admission does not let go stays, and its reason is added to `denials`.
        """
        remaining: dict[str, list[Entry]] = {}
        buckets = sorted(self._context.resources.stored(), key=lambda served: served.bucket != "pods")
        for served in buckets:
            if not served.resource.namespaced:
                continue
            bucket = self._context.bucket(served)
            for content in list(bucket.of_namespace(namespace)):
                left = await self._delete(bucket, content, denials)
                if left is not None:
                    remaining.setdefault(served.resource.group_resource, []).append(left)
            if served.bucket == "pods" and remaining:
                break
        return remaining

    async def _delete(self, bucket: Bucket, entry: Entry, denials: list[str]) -> Entry | None:
        obj = entry.json()
        if not entry.deleting:
            served = next((s for s in self._context.resources.stored() if s.bucket == bucket.name), None)
            denial = await self._denial(served, obj) if served is not None else None
            if denial is not None:
                denials.append(denial)
                return entry
            current = bucket.entries.get(entry.key)
            if current is not entry:
                return current  # it changed while webhooks were asked: the next look is at what it is then
            graceful = served.rules.graceful if served is not None else None
            grace = graceful(obj, None) if graceful else 0
            obj["metadata"]["deletionTimestamp"] = rfc3339(self._context.clock.now() + timedelta(seconds=grace))
            obj["metadata"]["deletionGracePeriodSeconds"] = grace
            if obj["metadata"].get("generation"):
                obj["metadata"]["generation"] += 1
            return self._context.store(bucket, obj, entry)
        if finished(obj):
            self._context.storage.delete(bucket, entry)
            return None
        return entry

    async def _denial(self, served: Served, obj: Json) -> str | None:
        """Why admission does not let the object go; None when it does."""
        meta = obj["metadata"]
        request = AdmissionRequest(
            uid=meta.get("uid", ""),
            resource=served.resource,
            operation="DELETE",
            name=meta["name"],
            namespace=meta.get("namespace", ""),
            user=_CONTROLLER,
            object=None,
            old_object=obj,
        )
        outcome = await self._context.admission.validate(request)
        return str(outcome.denial.get("message")) if outcome.denial is not None else None

    def _explain(
        self, bucket: Bucket, entry: Entry, obj: Json, remaining: dict[str, list[Entry]], denials: list[str]
    ) -> None:
        counts = ", ".join(f"{name} has {len(left)} resource instances" for name, left in sorted(remaining.items()))
        finalizers: dict[str, int] = {}
        for left in remaining.values():
            for one in left:
                for finalizer in one.json()["metadata"].get("finalizers") or []:
                    finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        texts = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
        now = rfc3339(self._context.clock.now())
        conditions: list[Json] = []
        if denials:
            message = (
                f"Failed to delete all resource types, {len(denials)} remaining: {', '.join(sorted(set(denials)))}"
            )
            conditions.append(_condition("NamespaceDeletionContentFailure", "ContentDeletionFailed", message, now))
        conditions.append(
            _condition(
                "NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {counts}", now
            )
        )
        if texts:
            message = f"Some content in the namespace has finalizers remaining: {texts}"
            conditions.append(_condition("NamespaceFinalizersRemaining", "SomeFinalizersRemain", message, now))
        status: Json = {**(obj.get("status") or {}), "phase": "Terminating"}
        before_now: list[Json] = status.get("conditions") or []
        known = {c["type"]: c for c in before_now}
        for condition in conditions:
            before = known.get(condition["type"])
            if before is not None and before.get("message") == condition["message"]:
                condition["lastTransitionTime"] = before.get("lastTransitionTime", now)
        status["conditions"] = conditions
        if not equal_json(status, obj.get("status")) and bucket.entries.get(entry.key) is entry:
            self._context.storage.put(bucket, {**obj, "status": status}, entry)

    async def _remove_instances(self, bucket: Bucket, entry: Entry) -> bool:
        """A definition that is deleted takes its objects along, first."""
        definition = entry.json()
        if CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            return False
        instances = self._context.storage.bucket(entry.key.name)
        deleted = [await self._delete(instances, one, []) for one in list(instances.entries.values())]
        left = [kept for kept in deleted if kept is not None]
        if left:
            return True
        self._context.drop_finalizer(bucket, definition, entry, CLEANUP)
        return False


def _condition(kind: str, reason: str, message: str, now: str) -> Json:
    return {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
