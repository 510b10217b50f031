"""`hansa whatif`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hansa.cli import rehearse, session

if TYPE_CHECKING:
    from rich.text import Text

    from hansa.app.control_plane import Settings
    from hansa.foresight.whatif import Affected, Forecast

MISSING = 2
"""Exit status when replicas find no place."""


@click.command("whatif")
@click.option("--fail-cluster", multiple=True, metavar="NAME", help="A cluster that can no longer be reached.")
@click.option("--fail-region", multiple=True, metavar="REGION", help="All clusters of a region.")
@click.option(
    "--add-cluster",
    multiple=True,
    metavar="FILE|NAME=like:OTHER",
    help="A new cluster: a Cluster with status in a file, or one like another, but empty.",
)
@rehearse.options
def command(
    fail_cluster: tuple[str, ...],
    fail_region: tuple[str, ...],
    add_cluster: tuple[str, ...],
    live: bool,
    file: Path | None,
    output: str,
    control_plane: Settings,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Show what failed and new clusters would do to the federation, and change nothing.

    Exit status 0: everything keeps or finds its place; 2: replicas would find none; 1: it cannot be told.
    """
    from hansa.app.rehearsal import what_if
    from hansa.foresight.veil import Veil
    from hansa.foresight.whatif import Scenario

    if not (fail_cluster or fail_region or add_cluster):
        session.fail("nothing to look at: give --fail-cluster, --fail-region or --add-cluster")
    snapshot = rehearse.base(kubeconfig, context, file, live, Veil())
    scenario = Scenario(fail_cluster, fail_region, add_cluster)
    found = rehearse.expected(lambda: what_if(snapshot, scenario, control_plane))
    if output == "json":
        session.write_json(found)
    else:
        rehearse.show(lines(found))
    sys.exit(MISSING if found.missing else 0)


def lines(forecast: Forecast) -> list[Text]:
    from rich.text import Text

    found: list[Text] = []
    if forecast.failed:
        found.append(Text(f"Not reachable: {', '.join(forecast.failed)}", "bold"))
        found.append(
            Text("  Nothing is deleted by that: what runs there keeps running until a replacement is healthy.")
        )
    if forecast.added:
        found.append(Text(f"New: {', '.join(forecast.added)}", "bold"))
    found.append(Text("By itself:", "bold"))
    found += [
        Text(f"  {line.plain}" if line.plain else "", line.style) for line in rehearse.plan_lines(forecast.at_once)
    ]
    if forecast.failed:
        found.append(Text("When workloads are evicted from there:", "bold"))
        found += [line for each in forecast.affected for line in _affected(each)] or [Text("  no workload runs there")]
        if forecast.others:
            found.append(Text(f"  {forecast.others} objects without replicas are there too"))
    return found


def _affected(each: Affected) -> Iterator[Text]:
    from rich.text import Text

    lost = ", ".join(f"{move.before or 0} in {move.cluster}" for move in each.lost)
    yield Text(f"  {each.template}: {lost}", "red" if each.missing else "")
    for move in each.gained:
        yield Text(f"      {move.cluster}  {move.before or 0} → {move.after} replicas", "green")
    if not each.gained and not each.missing:
        yield Text(f"      {each.remaining} replicas are elsewhere already")
    if each.missing:
        why = f": {each.refused}" if each.refused else ""
        yield Text(f"      {each.missing} replicas find no place{why}", "red")
