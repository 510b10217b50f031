"""The hub's signer `hansa.dev/gateway`: approves or denies requests of members, signs, and tidies up afterwards."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.base.certificates import issue_uri
from hansa.base.clock import Clock, parse_rfc3339, rfc3339
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.runtime.cache import Cache
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.service.identity import authority
from hansa.service.identity.decision import Issue, Refuse, decide, requester

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600.0
"""A request that is done stays so long for people to look at."""
PUBLISH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Signer:
    """Works on CertificateSigningRequests by name."""

    hub: Client
    cache: Cache
    clock: Clock

    async def reconcile(self, key: Key) -> Requeue | None:
        item = self.cache.informer(scheme.CERTIFICATE_SIGNING_REQUESTS).store.get(key)
        if item is None or not is_ours(item):
            return None
        obj = item.json()
        status: Json = obj.get("status") or {}
        types = {condition["type"] for condition in status.get("conditions") or ()}
        if status.get("certificate") or types & {"Denied", "Failed"}:
            return await self._tidy(item)
        decision = decide(obj["spec"], is_member=await self._is_member(obj["spec"]))
        if isinstance(decision, Refuse):
            await self._refuse(item, status, decision, approved="Approved" in types)
        else:
            if "Approved" not in types:
                item = await self._approve(item, status, decision)
            await self._sign(item, decision)
        return Requeue(KEPT_SECONDS)

    async def _is_member(self, spec: Json) -> bool:
        """Asked of the server, not of the cache: a cluster may have joined, or left, a moment ago."""
        cluster = requester(spec)
        if cluster is None:
            return False
        try:
            return not (await self.hub.get(scheme.CLUSTERS, cluster)).deleting
        except NotFound:
            return False

    async def _approve(self, item: Item, status: Json, decision: Issue) -> Item:
        message = f"asked for by cluster {decision.cluster}"
        return await self._write(item, "approval", _with(status, "Approved", "GatewayOfMember", message, self._now()))

    async def _refuse(self, item: Item, status: Json, refusal: Refuse, *, approved: bool) -> None:
        """What somebody has approved cannot be denied any more; then it fails."""
        type_, subresource = ("Failed", "status") if approved else ("Denied", "approval")
        log.warning("request %s of a gateway is refused: %s", item.meta.name, refusal.message)
        change = _with(status, type_, refusal.reason, refusal.message, self._now())
        await self._write(item, subresource, change)

    async def _sign(self, item: Item, decision: Issue) -> None:
        known = await authority.ensure(self.hub, self.clock)
        await authority.publish(self.hub, known)
        now = self.clock.now()
        certificate = issue_uri(known.pair, decision.request, decision.uri, now, decision.lifetime)
        await self._write(item, "status", {"certificate": base64.b64encode(certificate).decode()})

    async def _write(self, item: Item, subresource: str, status: Json) -> Item:
        patch: Json = {"metadata": {"resourceVersion": item.meta.resource_version}, "status": status}
        resource = scheme.CERTIFICATE_SIGNING_REQUESTS
        return await self.hub.patch(resource, item.meta.name, None, patch, subresource=subresource)

    async def _tidy(self, item: Item) -> Requeue | None:
        created = parse_rfc3339(item.meta.creation_timestamp or self._now())
        left = KEPT_SECONDS - (self.clock.now() - created).total_seconds()
        if left > 0:
            return Requeue(left)
        try:
            await self.hub.delete(scheme.CERTIFICATE_SIGNING_REQUESTS, item.meta.name, uid=item.meta.uid)
        except NotFound:
            log.debug("%s has gone already", item.meta.name)
        return None

    def _now(self) -> str:
        return rfc3339(self.clock.now())


@dataclass(slots=True)
class Authorities:
    """Keeps the published authorities equal to the Secret, so that one can follow another."""

    hub: Client
    name: str = "gateway authorities"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                known = await authority.read(self.hub)
                if known is not None:
                    await authority.publish(self.hub, known)
            except (ApiError, Unreachable) as error:
                log.debug("authorities of gateways not looked at: %s", error)
            except KeyError as error:
                log.error("Secret %s/%s lacks %s", names.HANSA_NAMESPACE, names.GATEWAY_AUTHORITY, error)
            await asyncio.sleep(PUBLISH_SECONDS)


def controllers(hub: Client, cache: Cache, clock: Clock) -> Sequence[Controller[Key] | Authorities]:
    """Must be called within the event loop; the informer starts here."""
    requests = cache.informer(scheme.CERTIFICATE_SIGNING_REQUESTS)
    controller = Controller("gateway-signer", Signer(hub, cache, clock), workers=2, needs=(requests,))

    def changed(change: Change) -> None:
        if change.new is not None and is_ours(change.new):
            controller.queue.add(change.new.key, low=change.initial)

    requests.subscribe(changed)
    return [controller, Authorities(hub)]


def is_ours(item: Item) -> bool:
    return item.json()["spec"].get("signerName") == names.GATEWAY_SIGNER


def _with(status: Json, type_: str, reason: str, message: str, now: str) -> Json:
    condition = {
        "type": type_,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    }
    return {"conditions": [*(status.get("conditions") or ()), condition]}
