"""`hansa dns`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from hansa.cli import session
from hansa.kube.errors import ConfigError


@click.command("dns")
@session.member_options
@click.option(
    "--listen",
    multiple=True,
    default=("127.0.0.1:5353",),
    show_default=True,
    help="HOST:PORT, UDP and TCP; repeatable.",
)
@click.option("--domain", default="clusterset.local", show_default=True, help="Domain of imported services.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the last known zone, served after a restart while the member's API is away; default: none.",
)
@click.option(
    "--state-max-age", default="24h", show_default=True, metavar="DURATION", help="An older state file is not served."
)
@click.option("--health-address", help="HOST:PORT of /readyz, /healthz, /metrics; default: none.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
def command(
    kubeconfig: Path | None,
    context: str | None,
    listen: tuple[str, ...],
    domain: str,
    state: Path | None,
    state_max_age: str,
    health_address: str | None,
    log_format: Literal["console", "json"],
) -> None:
    """Serve the names of imported services beside a member, in the foreground.

    Reads ServiceImports, EndpointSlices and the ConfigMap hansa-system/hansa-peers of the member.
    """

    async def work() -> None:
        from hansa.app.dns import DnsOptions, run
        from hansa.base.duration import parse_duration

        try:
            age = parse_duration(state_max_age)
        except ValueError as error:
            raise ConfigError(f"--state-max-age: {error}") from error
        await run(DnsOptions(kubeconfig, context, listen, domain, state, age, health_address, log_format), session.say)

    session.run(work())
