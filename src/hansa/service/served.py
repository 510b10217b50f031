"""Kinds of the Multi-Cluster Services API in the version that a member serves: others may have installed one of two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hansa.api.meta import Resource
from hansa.api.scheme import SERVICE_EXPORTS
from hansa.kube.client import Client
from hansa.kube.discovery import Discovery
from hansa.runtime.informer import RESTART_SECONDS, Informer

VERSIONS = ("v1beta1", "v1alpha1")
"""The best first; their schemas are equal."""


def versions(resource: Resource) -> list[Resource]:
    """Of a kind in the order in which they are asked for; other APIs' kinds have the one that they are asked in."""
    if resource.group != SERVICE_EXPORTS.group:
        return [resource]
    return [resource._replace(version=version) for version in VERSIONS]


def served(discovery: Discovery, resource: Resource) -> Resource | None:
    """In the best version that is known to be served."""
    return next((each for each in versions(resource) if discovery.known(each.gvk) is not None), None)


async def follow(client: Client, informer: Informer, missing: Callable[[], None] | None = None) -> None:
    """Until cancelled: a kind that is not served may come later, with its definition. `missing` is told each time."""
    while True:
        await informer.run()
        # an informer ends after a look at discovery
        other = served(client.discovery, informer.resource)
        if other is None and missing is not None:
            missing()
        if other is None or not informer.restarts(other):
            await asyncio.sleep(RESTART_SECONDS + 0.1)
            informer.restarts()
