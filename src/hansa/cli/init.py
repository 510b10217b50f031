"""`hansa init`."""

from __future__ import annotations

from pathlib import Path

import click

from hansa.cli import session


@click.command("init")
@session.hub_options
def command(kubeconfig: Path | None, context: str | None) -> None:
    """Install Hansa on a hub, or upgrade it. Running it again changes nothing that is already right."""
    session.run(_init(kubeconfig, context))


async def _init(kubeconfig: Path | None, context: str | None) -> None:
    from hansa.app.connect import connected
    from hansa.dialect.kubefed import types
    from hansa.install.init import init

    async with connected(kubeconfig, context) as hub:
        await init(hub, session.say, federated=types.enablements(types.DEFAULT_TYPES))
    session.say("Hansa is installed: `hansa join` adds clusters, `hansa run` runs the control plane")
