"""`hansa snapshot`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from hansa.cli import session


@click.command("snapshot")
@session.hub_options
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; default: stdout.")
@click.option("--with-secret-data", is_flag=True, help="Values of Secrets too. Whoever has the file has them.")
def command(kubeconfig: Path | None, context: str | None, output: Path | None, with_secret_data: bool) -> None:
    """Save the hub's objects that decisions depend on, for `hansa plan --snapshot` and `hansa whatif --snapshot`.

    Values of Secrets are replaced by stand-ins that only tell equal from different.
    """
    session.run(_snapshot(kubeconfig, context, output, with_secret_data))


async def _snapshot(kubeconfig: Path | None, context: str | None, output: Path | None, with_secret_data: bool) -> None:
    from hansa.app.connect import connected
    from hansa.foresight.capture import capture
    from hansa.foresight.snapshot import written
    from hansa.foresight.veil import Veil
    from hansa.runtime.clock import SystemClock

    async with connected(kubeconfig, context) as hub:
        found = await capture(hub, SystemClock(), None if with_secret_data else Veil())
    if output is None:
        sys.stdout.buffer.writelines(written(found))
    else:
        # nobody else's to read: names and settings of a whole federation are in it
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(written(found))
    for entry in found.header.left_out:
        session.say(f"left out: {entry.resource}: {entry.reason}")
    session.say(f"{len(found.objects)} objects of {len(found.header.kinds)} kinds")
