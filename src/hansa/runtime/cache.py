"""The shared informers of one server, each started when somebody first asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hansa.api.meta import Resource
from hansa.kube.client import Client
from hansa.runtime.informer import Informer, Transform
from hansa.runtime.transform import drop_managed_fields

LISTS_AT_ONCE = 8


class Cache:
    """Informers by resource. Must be made within a running event loop.

    `labels` gives a label selector for a resource, `namespace` is the only one that is looked at; `transform` says what
    is kept of items, unless `set_transform` does.
    """

    def __init__(
        self,
        client: Client,
        *,
        namespace: str | None = None,
        labels: Callable[[Resource], str] | None = None,
        transform: Transform | None = drop_managed_fields,
    ) -> None:
        self.client = client
        self._namespace = namespace
        self._labels = labels
        self._transform = transform
        self._gate = asyncio.Semaphore(LISTS_AT_ONCE)
        self._informers: dict[Resource, Informer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._transforms: dict[Resource, Transform] = {}

    def set_transform(self, resource: Resource, transform: Transform) -> None:
        """What to keep of a resource's items. Must come before the first `informer` call for it."""
        self._transforms[resource] = transform

    def informer(self, resource: Resource) -> Informer:
        """The informer for `resource`, started now if it is the first time."""
        found = self._informers.get(resource)
        if found is None:
            labels = self._labels(resource) if self._labels else ""
            found = Informer(
                self.client,
                resource,
                namespace=self._namespace,
                labels=labels,
                transform=self._transforms.get(resource, self._transform),
                gate=self._gate,
            )
            self._informers[resource] = found
            self._start(found)
        elif self._tasks[resource].done() and found.restarts():
            # the kind had gone: whoever subscribed, and what was indexed, holds for the kind that came back
            self._start(found)
        return found

    def _start(self, informer: Informer) -> None:
        resource = informer.resource
        self._tasks[resource] = asyncio.create_task(informer.run(), name=f"informer {resource.group_resource}")

    def started(self, resource: Resource) -> Informer | None:
        """The informer when it runs, without starting it."""
        task = self._tasks.get(resource)
        return self._informers.get(resource) if task is not None and not task.done() else None

    def resources(self) -> list[Resource]:
        return list(self._informers)

    async def stop(self, resource: Resource) -> None:
        """End one informer and forget what it knew."""
        task = self._tasks.pop(resource, None)
        self._informers.pop(resource, None)
        if task is not None:
            await _ended([task])

    async def close(self) -> None:
        """End all informers and the client."""
        await self.stop_all()
        await self.client.close()

    async def stop_all(self) -> None:
        """End all informers; the client stays open for others."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._informers.clear()
        await _ended(tasks)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
