"""Aggregated ClusterRoles: their `rules` are those of the roles that their selectors find, and follow them."""

from __future__ import annotations

import asyncio

from hansa.api.meta import Key
from hansa.apiserver.context import Context
from hansa.apiserver.storage import Event
from hansa.base.patch import equal_json

_BUCKET = "clusterroles.rbac.authorization.k8s.io"


class Aggregation:
    """Runs for one server. The authorizer knows what belongs together; here it is written down for readers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._wake = asyncio.Event()
        self._wake.set()
        context.storage.subscribe(self._hear)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._write()

    def _hear(self, name: str, event: Event) -> None:
        del event
        if name == _BUCKET:
            self._wake.set()

    def _write(self) -> None:
        context = self._context
        bucket = context.storage.bucket(_BUCKET)
        for name in context.authorizer.aggregating():
            entry = bucket.entries.get(Key("", name))
            rules = context.authorizer.aggregated_rules(name)
            if entry is None or entry.deleting or rules is None:
                continue
            role = entry.json()
            if not equal_json(role.get("rules") or [], rules):
                context.storage.put(bucket, {**role, "rules": rules}, entry)
