"""Take a cluster out of the federation, as `karmadactl unjoin` does.

Deleting the Cluster makes the control plane remove what it put into the member, then the execution namespace, then the
Cluster's finalizer. `force` gives up on the member: finalizers are taken off and its objects stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.meta import Json, Resource
from hansa.base.names import execution_namespace
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import ApiError, ConfigError, NotFound, Unreachable


async def unjoin(
    hub: Client,
    name: str,
    say: Callable[[str], None],
    *,
    member: Client | None = None,
    namespace: str = names.CLUSTER_NAMESPACE,
    wait_seconds: float = 60.0,
    force: bool = False,
) -> None:
    """Remove the Cluster `name`, wait until it is gone, then the accounts in `member` when one is given.

    Raises ConfigError when there is no such push Cluster, or it does not go in time and `force` is not set.
    """
    try:
        cluster = await hub.get(scheme.CLUSTERS, name)
    except NotFound as error:
        raise ConfigError(f"no cluster object {name} found in karmada control Plane") from error
    if cluster.as_(Cluster).spec.sync_mode == "Pull":
        raise ConfigError(f"cluster {name} is a Pull mode member cluster: remove it with `unregister`")
    await hub.delete(scheme.CLUSTERS, name, uid=cluster.meta.uid)
    if not await _gone(hub, name, wait_seconds, say):
        if not force:
            raise ConfigError(
                f"cluster {name} is still being removed after {wait_seconds:g} s: is the control plane running and the"
                " member reachable? `--wait` waits longer, `--force` leaves what is in the member and removes it here."
            )
        say(f"giving up on {name}: what was propagated there stays")
        await _strip_finalizers(hub, name)
        await _gone(hub, name, wait_seconds, say)
    await _remove_kubefed(hub, name)
    if member is not None:
        await _clean_member(member, name, namespace, force=force)
    say(f"cluster({name}) is unjoined successfully")


async def _gone(hub: Client, name: str, wait_seconds: float, say: Callable[[str], None]) -> bool:
    for second in range(max(1, int(wait_seconds))):
        try:
            await hub.get(scheme.CLUSTERS, name)
        except NotFound:
            return True
        if second == 1:
            say(f"waiting for cluster {name} to let go of what was propagated to it")
        await asyncio.sleep(1)
    return False


async def _strip_finalizers(hub: Client, name: str) -> None:
    namespace = execution_namespace(name)
    for work in (await hub.list(scheme.WORKS, namespace)).items:
        kept = [f for f in work.meta.finalizers or [] if f != names.EXECUTION_FINALIZER]
        await _set_finalizers(hub, scheme.WORKS, work.meta.name, namespace, kept)
    with suppress(NotFound):
        cluster = await hub.get(scheme.CLUSTERS, name)
        ours = (names.CLUSTER_FINALIZER, names.SERVICES_FINALIZER)
        kept = [f for f in cluster.meta.finalizers or [] if f not in ours]
        await _set_finalizers(hub, scheme.CLUSTERS, name, None, kept)


async def _set_finalizers(
    hub: Client, resource: Resource, name: str, namespace: str | None, finalizers: list[str]
) -> None:
    patch: Json = {"metadata": {"finalizers": finalizers or None}}
    with suppress(NotFound):
        await hub.patch(resource, name, namespace, patch, kind=PatchKind.MERGE)


async def _remove_kubefed(hub: Client, name: str) -> None:
    for resource in (scheme.KUBEFED_CLUSTERS, scheme.SECRETS):
        with suppress(NotFound):
            await hub.delete(resource, name, names.KUBEFED_NAMESPACE)


async def _clean_member(member: Client, name: str, namespace: str, *, force: bool) -> None:
    account = f"karmada-{name}"
    role = f"karmada-controller-manager:{account}"
    targets: list[tuple[Resource, str, str | None]] = [
        (scheme.CLUSTER_ROLE_BINDINGS, role, None),
        (scheme.CLUSTER_ROLES, role, None),
        (scheme.SERVICE_ACCOUNTS, account, namespace),
        (scheme.SERVICE_ACCOUNTS, "karmada-impersonator", namespace),
        (scheme.NAMESPACES, namespace, None),
    ]
    for resource, target, scope in targets:
        try:
            await member.delete(resource, target, scope)
        except NotFound:
            continue
        except (ApiError, Unreachable):
            if not force:
                raise
