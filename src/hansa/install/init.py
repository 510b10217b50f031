"""Install Hansa on a hub, upgrade it, and remove it again.

`init` applies every object server-side with one field manager, so running it again changes only what differs, and a
newer version upgrades an older one. `deinit` refuses while clusters are joined: removing the CRDs under them would
delete every Work, and with it what runs in the members.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from hansa.api import crd, names, scheme
from hansa.api.meta import GVK, Json, Resource
from hansa.dialect.kubefed import types
from hansa.install import enrol, objects
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import ConfigError, MethodNotAllowed, NotFound

ESTABLISH_SECONDS = 30.0
REMOVE_SECONDS = 60.0


async def init(hub: Client, say: Callable[[str], None], *, federated: Sequence[types.Enablement]) -> None:
    """Install or upgrade CRDs, namespaces, the account and its permissions, and the given KubeFed types.

    Raises Forbidden when the caller may not install, ConfigError when a CRD is not accepted by the hub.
    """
    await _warn_of_workloads(hub, say)
    definitions = [*crd.all_crds(), *(one.crd for one in federated)]
    say(f"applying {len(definitions)} custom resource definitions")
    await _apply(hub, definitions)
    await _wait_established(hub, [definition["metadata"]["name"] for definition in definitions])
    say("applying namespaces, the service account and its permissions, federated types")
    await install(hub, federated)


async def install(hub: Client, federated: Sequence[types.Enablement]) -> None:
    """Everything but the definitions, which the hub must serve already."""
    await hub.discovery.refresh()
    await _apply(hub, [*objects.namespaces(), objects.account(), *_permissions()])
    await _apply(hub, (one.type_config for one in federated))


async def enable(hub: Client, say: Callable[[str], None], federated: Sequence[types.Enablement]) -> None:
    """Serve and propagate more federated types on a hub where Hansa is installed."""
    say(f"enabling {', '.join(one.type_config['metadata']['name'] for one in federated)}")
    await _apply(hub, (one.crd for one in federated))
    await _wait_established(hub, [one.crd["metadata"]["name"] for one in federated])
    await hub.discovery.refresh()
    await _apply(hub, (one.type_config for one in federated))


async def deinit(hub: Client, say: Callable[[str], None]) -> None:
    """Remove what `init` installed. Raises ConfigError, and removes nothing, while clusters are joined."""
    joined: list[str] = []
    with suppress(NotFound):
        joined = [item.meta.name for item in (await hub.list(scheme.CLUSTERS)).items]
    if joined:
        raise ConfigError(
            f"clusters are still joined: {', '.join(joined)}. Removing Hansa now would delete what it runs there:"
            " `hansa unjoin` each of them first"
        )
    await _delete_webhooks(hub)
    definitions = await _installed_definitions(hub)
    say(f"removing {len(definitions)} custom resource definitions")
    for name in definitions:
        with suppress(NotFound):
            await hub.delete(scheme.CRDS, name)
    await _wait_removed(hub, definitions)
    say("removing permissions, the service account and namespaces")
    for obj in [*reversed(_permissions()), objects.account(), *reversed(objects.namespaces())]:
        resource = await hub.discovery.resource_for(_gvk(obj))
        with suppress(NotFound):
            await hub.delete(resource, obj["metadata"]["name"], obj["metadata"].get("namespace"))


async def _wait_removed(hub: Client, definitions: Sequence[str]) -> None:
    """Until the definitions are gone. Finalizers of what is left are taken off: no cluster is joined, so nothing in a
    member waits for them, and the control plane may have stopped already. Raises ConfigError when one stays."""
    waiting = set(definitions)
    for _ in range(int(REMOVE_SECONDS / 0.25)):
        present = {item.meta.name: item for item in (await hub.list(scheme.CRDS)).items}
        waiting &= present.keys()
        if not waiting:
            return
        for name in waiting:
            await _release_instances(hub, present[name].json()["spec"])
        await asyncio.sleep(0.25)
    raise ConfigError(f"not removed after {REMOVE_SECONDS:g} s: {', '.join(sorted(waiting))}; run `hansa deinit` again")


async def _release_instances(hub: Client, spec: Json) -> None:
    version = next(version["name"] for version in spec["versions"] if version["storage"])
    names_ = spec["names"]
    resource = Resource(spec["group"], version, names_["plural"], names_["kind"], spec["scope"] == "Namespaced")
    with suppress(NotFound, MethodNotAllowed):
        for item in (await hub.list(resource)).items:
            if item.meta.finalizers:
                patch: Json = {"metadata": {"finalizers": None}}
                with suppress(NotFound):
                    await hub.patch(resource, item.meta.name, item.meta.namespace or None, patch)


async def _warn_of_workloads(hub: Client, say: Callable[[str], None]) -> None:
    if (await hub.list(scheme.NODES)).items:
        say(
            "warning: this hub has nodes of its own. A template's Deployment would also run here: use an API server"
            " without nodes and workload controllers as the hub"
        )


async def _apply(hub: Client, wanted: Iterable[Json]) -> None:
    for obj in wanted:
        meta = obj["metadata"]
        resource = await hub.discovery.resource_for(_gvk(obj))
        await hub.patch(resource, meta["name"], meta.get("namespace"), obj, kind=PatchKind.APPLY, force=True)


async def _wait_established(hub: Client, wanted: list[str]) -> None:
    waiting = set(wanted)
    refused: dict[str, str] = {}
    for _ in range(int(ESTABLISH_SECONDS / 0.1)):
        for item in (await hub.list(scheme.CRDS)).items:
            if item.meta.name not in waiting:
                continue
            conditions = {c["type"]: c for c in (item.json().get("status") or {}).get("conditions") or []}
            if conditions.get("Established", {}).get("status") == "True":
                waiting.discard(item.meta.name)
            elif conditions.get("NamesAccepted", {}).get("status") == "False":
                refused[item.meta.name] = conditions["NamesAccepted"].get("message", "")
        if not waiting or refused:
            break
        await asyncio.sleep(0.1)
    if waiting:
        details = "; ".join(f"{name}: {message}" for name, message in refused.items())
        raise ConfigError(f"{hub.server} does not establish {', '.join(sorted(waiting))}. {details}".strip())


async def _installed_definitions(hub: Client) -> list[str]:
    """CRDs of the groups that are Hansa's alone. multicluster.x-k8s.io may belong to others too, so it stays."""
    groups = {group for group in objects.OWN_GROUPS if group != "multicluster.x-k8s.io"}
    return [
        item.meta.name for item in (await hub.list(scheme.CRDS)).items if item.meta.name.partition(".")[2] in groups
    ]


async def _delete_webhooks(hub: Client) -> None:
    for resource in (scheme.MUTATING_WEBHOOK_CONFIGURATIONS, scheme.VALIDATING_WEBHOOK_CONFIGURATIONS):
        with suppress(NotFound):
            await hub.delete(resource, names.HANSA_WEBHOOKS)


def _permissions() -> list[Json]:
    """The account's, and those that members have on the hub."""
    return [*objects.permissions(), *enrol.permissions()]


def _gvk(obj: Json) -> GVK:
    return GVK.of(obj["apiVersion"], obj["kind"])
