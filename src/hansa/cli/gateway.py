"""`hansa gateway`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

import click

from hansa.cli import session


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else str(ipaddress.ip_address(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not an IP address") from error


@click.command("gateway")
@session.member_options
@click.option(
    "--hub-kubeconfig", type=click.Path(path_type=Path), required=True, help="The member's own access to the hub."
)
@click.option("--hub-context", help="Context of the hub in its kubeconfig.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), required=True, help="Folder for all that it needs."
)
@click.option("--address", required=True, callback=_address, help="Where pods of the member reach it.")
@click.option("--inbound-address", callback=_address, help="Where other gateways reach it; default: --address.")
@click.option("--port", default=15443, show_default=True, help="Where other gateways reach it.")
@click.option(
    "--advertise",
    metavar="ADDRESS,...",
    help="Told to the member as its gateway's addresses; default: --address; empty: an administrator tells it.",
)
@click.option("--max-connections", default=50_000, show_default=True, help="More are refused.")
@click.option("--workers", default=2, show_default=True, help="Threads of Envoy.")
@click.option(
    "--drain-seconds",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="On SIGTERM: half of it goes on as before while it is not ready, then connections under way may finish.",
)
@click.option("--health-address", help="HOST:PORT of /readyz, /healthz, /metrics; default: none.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
def command(
    kubeconfig: Path | None,
    context: str | None,
    hub_kubeconfig: Path,
    hub_context: str | None,
    directory: Path,
    address: str,
    inbound_address: str | None,
    port: int,
    advertise: str | None,
    max_connections: int,
    workers: int,
    drain_seconds: float,
    health_address: str | None,
    log_format: Literal["console", "json"],
) -> None:
    """Run the gateway of a member, in the foreground.

    It carries requests between clusters by mutual TLS, and goes on while the hub or the member's API server is away.
    """

    async def work() -> None:
        from hansa.app.gateway import GatewayOptions, serve
        from hansa.service.gateway.settings import Settings

        told = None if advertise is None else tuple(filter(None, (one.strip() for one in advertise.split(","))))
        settings = Settings(
            address,
            inbound_address=inbound_address or "",
            port=port,
            advertised=told,
            max_connections=max_connections,
            workers=workers,
        )
        await serve(
            GatewayOptions(
                kubeconfig,
                context,
                hub_kubeconfig,
                hub_context,
                directory,
                settings,
                drain_seconds,
                health_address,
                log_format,
            ),
            session.say,
        )

    session.run(work())
