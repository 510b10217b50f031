"""`hansa enrol`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hansa.cli import session


@click.command("enrol")
@click.argument("name")
@session.hub_options
@click.option("--server", help="URL of the hub as the member reaches it; default: the kubeconfig's.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File for the kubeconfig; default: stdout.")
def command(name: str, kubeconfig: Path | None, context: str | None, server: str | None, output: Path | None) -> None:
    """Give the joined cluster NAME an identity of its own on the hub, and print the kubeconfig for it.

    With it a gateway asks for its certificate; there is nothing else that it can do. It ends when the cluster leaves.
    """
    content = session.run(_enrol(name, (kubeconfig, context), server))
    if output is None:
        click.echo(content, nl=False)
        return
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    session.say(f"cluster({name}) reaches the hub with {output}")


async def _enrol(name: str, hub_at: tuple[Path | None, str | None], server: str | None) -> str:
    import yaml

    from hansa.app.connect import connected
    from hansa.install.enrol import enrol
    from hansa.kube import config

    given = config.load(*hub_at)
    async with connected(*hub_at) as hub:
        access = await enrol(hub, name, server=server or given.server, authority=given.ca_data or b"")
    return yaml.safe_dump(access.kubeconfig(), sort_keys=False)
