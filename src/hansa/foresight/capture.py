"""Take a snapshot of a hub with the rights of whoever asks."""

from __future__ import annotations

import asyncio

from hansa.api import scheme
from hansa.api.meta import Json, Resource
from hansa.base.clock import Clock, rfc3339
from hansa.foresight.snapshot import API_VERSION, KIND, Header, LeftOut, Snapshot
from hansa.foresight.veil import Veil
from hansa.kube.client import Client
from hansa.kube.discovery import ApiResource
from hansa.kube.errors import ConfigError, Forbidden, MethodNotAllowed, NotFound

NEEDED = (
    scheme.CLUSTERS,
    scheme.NAMESPACES,
    scheme.PROPAGATION_POLICIES,
    scheme.CLUSTER_PROPAGATION_POLICIES,
    scheme.OVERRIDE_POLICIES,
    scheme.CLUSTER_OVERRIDE_POLICIES,
    scheme.RESOURCE_BINDINGS,
    scheme.CLUSTER_RESOURCE_BINDINGS,
    scheme.WORKS,
)
"""Without these nothing can be said."""
LISTS_AT_ONCE = 8
_NO_PART = frozenset(
    {
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "componentstatuses",
        # Nodes and Pods of a hub are no templates, and nothing is decided by them
        "nodes",
        "pods",
    }
)
_NO_PART_GROUPS = frozenset(
    {"apiregistration.k8s.io", "admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io", "metrics.k8s.io"}
)


async def capture(hub: Client, clock: Clock, veil: Veil | None) -> Snapshot:
    """Everything that decisions depend on. With a `veil`, no value of a Secret.

    Raises ConfigError when what is needed may not be read or is not served.
    """
    await hub.discovery.refresh()
    resources = [entry.resource for entry in await hub.discovery.resources() if _takes_part(entry)]
    missing = [resource.group_resource for resource in NEEDED if resource not in resources]
    if missing:
        raise ConfigError(f"{hub.server} does not serve {', '.join(missing)}: run `hansa init` on it first")
    slots = asyncio.Semaphore(LISTS_AT_ONCE)

    async def one(resource: Resource) -> list[Json] | Forbidden | None:
        async with slots:
            try:
                items = (await hub.list(resource)).items
            except Forbidden as error:
                return error
            except (NotFound, MethodNotAllowed):
                return None  # gone since discovery, or an aggregated API that lists nothing
        return [_cleaned(item.json(), veil) for item in items]

    answers = dict(zip(resources, await asyncio.gather(*map(one, resources)), strict=True))
    refused = {resource: answer for resource, answer in answers.items() if isinstance(answer, Forbidden)}
    if forbidden := [resource for resource in NEEDED if resource in refused]:
        names = ", ".join(resource.group_resource for resource in forbidden)
        raise ConfigError(f"you may not list {names} on {hub.server}, and without them nothing can be foretold")
    objects = [obj for answer in answers.values() if isinstance(answer, list) for obj in answer]
    header = Header(
        api_version=API_VERSION,
        kind=KIND,
        taken_at=rfc3339(clock.now()),
        hub=hub.server,
        secret_data="Included" if veil is None else "Hidden",
        kinds=tuple(f"{each.api_version}/{each.kind}" for each, answer in answers.items() if isinstance(answer, list)),
        left_out=tuple(_left_out(resource, error) for resource, error in refused.items()),
        objects=len(objects),
    )
    return Snapshot(header, tuple(objects))


def _takes_part(entry: ApiResource) -> bool:
    resource = entry.resource
    return (
        entry.preferred
        and "list" in entry.verbs
        and resource.group not in _NO_PART_GROUPS
        and resource.group_resource not in _NO_PART
    )


def _cleaned(obj: Json, veil: Veil | None) -> Json:
    obj["metadata"].pop("managedFields", None)
    return veil.over(obj) if veil is not None else obj


def _left_out(resource: Resource, error: Forbidden) -> LeftOut:
    return LeftOut(
        resource=resource.group_resource,
        kind=resource.kind,
        api_version=resource.api_version,
        reason=error.message,
    )
