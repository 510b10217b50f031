"""`hansa down`."""

from __future__ import annotations

from pathlib import Path

import click

from hansa.cli import session


@click.command("down")
@session.directory_option
@click.option("--purge", is_flag=True, help="Remove the federation's data too.")
def command(directory: Path, purge: bool) -> None:
    """Stop a federation that `up` started. Its data stays, and `up` continues with it, unless --purge is given."""
    from hansa.app import detached

    stopped = session.run(detached.stop(directory, purge=purge))
    outcome = "stopped" if stopped else "was not running"
    session.say(f"{directory.expanduser()}: {outcome}{', data removed' if purge else ''}")
