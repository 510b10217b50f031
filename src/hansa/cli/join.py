"""`hansa join`."""

from __future__ import annotations

from pathlib import Path

import click

from hansa.api import names
from hansa.cli import session


@click.command("join")
@click.argument("name")
@session.hub_options
@click.option("--cluster-kubeconfig", type=click.Path(path_type=Path), required=True, help="Kubeconfig of the cluster.")
@click.option("--cluster-context", help="Context of the cluster in its kubeconfig.")
@click.option("--cluster-namespace", default=names.CLUSTER_NAMESPACE, show_default=True, help="Where credentials go.")
@click.option("--cluster-provider", default="", help="Provider of the cluster.")
@click.option("--cluster-region", default="", help="Region of the cluster.")
@click.option("--cluster-zones", default="", help="Availability zones of the cluster, separated by commas.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
def command(
    name: str,
    kubeconfig: Path | None,
    context: str | None,
    cluster_kubeconfig: Path,
    cluster_context: str | None,
    cluster_namespace: str,
    cluster_provider: str,
    cluster_region: str,
    cluster_zones: str,
    dry_run: bool,
) -> None:
    """Join the cluster NAME to the federation, in push mode."""
    zones = tuple(zone.strip() for zone in cluster_zones.split(",") if zone.strip())
    session.run(
        _join(
            (kubeconfig, context),
            (cluster_kubeconfig, cluster_context),
            dry_run,
            name=name,
            namespace=cluster_namespace,
            provider=cluster_provider,
            region=cluster_region,
            zones=zones,
        )
    )


async def _join(
    hub_at: tuple[Path | None, str | None],
    member_at: tuple[Path | None, str | None],
    dry_run: bool,
    *,
    name: str,
    namespace: str,
    provider: str,
    region: str,
    zones: tuple[str, ...],
) -> None:
    from hansa.app.connect import connected
    from hansa.install import join
    from hansa.kube import config

    member_config = config.load(*member_at)
    request = join.JoinRequest(
        name,
        member_config.server,
        namespace=namespace,
        provider=provider,
        region=region,
        zones=zones,
        insecure_skip_tls_verification=member_config.insecure_skip_tls_verify,
        proxy_url=member_config.proxy_url or "",
        ca_data=member_config.ca_data or b"",
    )
    async with connected(*hub_at) as hub, connected(*member_at) as member:
        if dry_run:
            await join.check(hub, member, request)
            session.say(f"cluster({name}) can be joined")
            return
        await join.join(hub, member, request, session.say)
