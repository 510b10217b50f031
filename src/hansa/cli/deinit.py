"""`hansa deinit`."""

from __future__ import annotations

from pathlib import Path

import click

from hansa.cli import session


@click.command("deinit")
@session.hub_options
def command(kubeconfig: Path | None, context: str | None) -> None:
    """Remove from a hub what `init` installed. Refused while clusters are joined."""
    session.run(_deinit(kubeconfig, context))


async def _deinit(kubeconfig: Path | None, context: str | None) -> None:
    from hansa.app.connect import connected
    from hansa.install.init import deinit

    async with connected(kubeconfig, context) as hub:
        await deinit(hub, session.say)
    session.say("Hansa is removed")
