"""`hansa unjoin`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import click

from hansa.api import names
from hansa.cli import session


@click.command("unjoin")
@click.argument("name")
@session.hub_options
@click.option(
    "--cluster-kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig of the cluster, to clean it too."
)
@click.option("--cluster-context", help="Context of the cluster in its kubeconfig.")
@click.option("--cluster-namespace", default=names.CLUSTER_NAMESPACE, show_default=True, help="Where credentials are.")
@click.option("--wait", "wait_seconds", default=60.0, show_default=True, help="Seconds to wait for the cluster to go.")
@click.option("--force", is_flag=True, help="Give up on the member: what was propagated there stays.")
def command(
    name: str,
    kubeconfig: Path | None,
    context: str | None,
    cluster_kubeconfig: Path | None,
    cluster_context: str | None,
    cluster_namespace: str,
    wait_seconds: float,
    force: bool,
) -> None:
    """Take the cluster NAME out of the federation. What was propagated to it is removed from it."""
    member_at = (cluster_kubeconfig, cluster_context) if cluster_kubeconfig else None
    session.run(_unjoin((kubeconfig, context), member_at, name, cluster_namespace, wait_seconds, force))


async def _unjoin(
    hub_at: tuple[Path | None, str | None],
    member_at: tuple[Path | None, str | None] | None,
    name: str,
    namespace: str,
    wait_seconds: float,
    force: bool,
) -> None:
    from hansa.app.connect import connected
    from hansa.install.unjoin import unjoin

    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(connected(*hub_at))
        member = await stack.enter_async_context(connected(*member_at)) if member_at else None
        await unjoin(hub, name, session.say, member=member, namespace=namespace, wait_seconds=wait_seconds, force=force)
