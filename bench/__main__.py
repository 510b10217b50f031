"""`make bench`: one JSON line for each case and rig. Budgets are in docs/performance.md."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from bench import rigs
from bench.case import Case, measure
from bench.decisions import measure_decisions
from bench.restart import measure_restart
from hansa.api import scheme


@click.command()
@click.option("--rig", "which", type=click.Choice(["embedded", "real", "both"]), default="both", show_default=True)
@click.option("--configmaps", default=300, show_default=True, help="How many; 0 leaves the case out.")
@click.option("--deployments", default=100, show_default=True, help="How many; 0 leaves the case out.")
@click.option("--decisions", default=0, show_default=True, help="New bindings to schedule; 0 leaves the case out.")
@click.option("--restart", default=0, show_default=True, help="Of so many templates, on real servers; 0 leaves it out.")
@click.option("--runs", default=1, show_default=True, help="Fresh federations, one after the other.")
def main(which: str, configmaps: int, deployments: int, decisions: int, restart: int, runs: int) -> None:
    """Propagate templates to three members, and compare with the same writes by a bare client."""
    for _ in range(runs):
        for name in ("embedded", "real") if which == "both" else (which,):
            asyncio.run(_bench(name, configmaps, deployments, decisions, restart))


async def _bench(name: str, configmaps: int, deployments: int, decisions: int, restart: int) -> None:
    make = rigs.embedded if name == "embedded" else rigs.real
    with tempfile.TemporaryDirectory(prefix="hansa-bench-", ignore_cleanup_errors=True) as directory:
        async with make(Path(directory)) as rig:
            rigs.emit({"rig": name, "case": "at rest", "peak_rss_mib": round(rig.peak_mib(), 1)})
            if configmaps:
                rigs.emit(await measure(rig, Case("cm", scheme.CONFIGMAPS, configmaps)))
            if deployments:
                rigs.emit(await measure(rig, Case("deploy", scheme.DEPLOYMENTS, deployments)))
            if decisions:
                rigs.emit(await measure_decisions(rig, decisions))
            if restart and isinstance(rig.plane, rigs.Plane):
                rigs.emit(await measure_restart(rig, rig.plane, Case("many", scheme.CONFIGMAPS, restart)))


if __name__ == "__main__":
    main()
