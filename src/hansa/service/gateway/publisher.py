"""Tell the member where its gateway is and whom it reaches: ConfigMap `hansa-gateway`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.base.clock import Clock, rfc3339
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.service.gateway.health import PeerHealth
from hansa.service.gateway.settings import Settings

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 60.0
"""What is told is confirmed so often; what is older than some of these is not known to hold any more."""


class Publisher:
    """Writes on a change, and a heartbeat. What cannot be written is tried again with the next one."""

    def __init__(self, member: Client, settings: Settings, clock: Clock) -> None:
        self._member = member
        self._clock = clock
        addresses = (settings.address,) if settings.advertised is None else settings.advertised
        self._fixed = {names.GATEWAY_ADDRESSES_KEY: ",".join(addresses)} if addresses else {}
        self._told: Mapping[str, PeerHealth] | None = None
        self._told_at = 0.0

    async def tell(self, health: Mapping[str, PeerHealth]) -> None:
        """Raises nothing: the gateway serves whether or not anybody hears of it."""
        now = asyncio.get_running_loop().time()
        if health == self._told and now - self._told_at < HEARTBEAT_SECONDS:
            return
        report = {"observedTime": rfc3339(self._clock.now()), "peers": health}
        data = {**self._fixed, names.GATEWAY_HEALTH_KEY: msgspec.json.encode(report).decode()}
        try:
            await self._write(data)
        except (ApiError, Unreachable) as error:
            log.info("%s not written: %s", names.GATEWAY_ADDRESSES, error)
            return
        self._told, self._told_at = health, now

    async def _write(self, data: Json) -> None:
        try:
            await self._member.patch(scheme.CONFIGMAPS, names.GATEWAY_ADDRESSES, names.HANSA_NAMESPACE, {"data": data})
        except NotFound:
            meta = {"name": names.GATEWAY_ADDRESSES, "namespace": names.HANSA_NAMESPACE}
            await self._member.create(
                scheme.CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
            )
