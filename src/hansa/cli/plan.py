"""`hansa plan`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hansa.api import names
from hansa.cli import rehearse, session

if TYPE_CHECKING:
    from hansa.app.control_plane import Settings

DELETES = 2
"""Exit status when something would be deleted."""


@click.command("plan")
@click.option(
    "-f", "--filename", "files", multiple=True, required=True, help="Manifests: file, folder, or - for stdin."
)
@click.option("--delete", is_flag=True, help="Plan their deletion instead.")
@click.option("-n", "--namespace", help="For objects that name none; default: the context's.")
@rehearse.options
def command(
    files: tuple[str, ...],
    delete: bool,
    namespace: str | None,
    live: bool,
    file: Path | None,
    output: str,
    control_plane: Settings,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Show what applying manifests to the hub would do in all clusters, and change nothing.

    Exit status 0: nothing would be deleted; 2: something would; 1: it cannot be told.
    """
    from hansa.app.rehearsal import plan
    from hansa.foresight.edits import Edit, read_files
    from hansa.foresight.veil import Veil

    veil = Veil()
    edits = [Edit(veil.over(obj), delete) for obj in rehearse.expected(lambda: read_files(files))]
    snapshot = rehearse.base(kubeconfig, context, file, live, veil)
    where = namespace or (rehearse.namespace_of(kubeconfig, context) if file is None else names.DEFAULT_NAMESPACE)
    found = rehearse.expected(lambda: plan(snapshot, edits, where, control_plane))
    for warning in found.warnings:
        session.say(f"warning: {rehearse.unknown(warning)}")
    if output == "json":
        session.write_json(found)
    else:
        rehearse.show(rehearse.plan_lines(found))
    sys.exit(DELETES if found.deletes else 0)
