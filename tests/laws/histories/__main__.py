"""`make chaos`: many histories, or each rule switched off until a history catches it.

python -m tests.laws.histories --count 10000 --seed 1
python -m tests.laws.histories --sabotage
"""

from __future__ import annotations

import logging
import random
import time

import click
from tests.laws.histories.oracle import Violation
from tests.laws.histories.sabotage import SABOTAGES
from tests.laws.histories.world import histories
from tests.support.virtual_time import run

from hansa.apiserver.embedded import Keys
from hansa.runtime.clock import SystemClock

LIMIT = 1000
"""Histories within which a rule that is switched off must be caught."""


@click.command()
@click.option("--count", default=10_000, show_default=True, help="How many histories.")
@click.option("--seed", type=int, default=None, help="Of the first; the next have the next. Default: a fresh one.")
@click.option("--sabotage", is_flag=True, help="Switch each rule off in turn, and say which history catches it.")
def main(count: int, seed: int | None, sabotage: bool) -> None:
    """Exit status 1, with the history, when a rule is broken; with --sabotage, when one is not caught."""
    logging.disable(logging.CRITICAL)
    first = random.SystemRandom().randrange(10**8) if seed is None else seed
    click.echo(f"seed {first}")
    keys = Keys.fresh("chaos", SystemClock())
    if sabotage:
        missed = [name for name in SABOTAGES if not _caught(keys, name, first)]
        raise SystemExit(1 if missed else 0)
    began = time.process_time()
    try:
        done = run(histories(keys, first, count, lambda number: _progress(number, began)))
    except Violation as violation:
        click.echo(f"{violation}")
        raise SystemExit(1) from None
    click.echo(f"{done} histories without a violation, {done / (time.process_time() - began):.1f} for each CPU second")


def _progress(number: int, began: float) -> None:
    if number % 100 == 0:
        click.echo(f"{number} histories, {time.process_time() - began:.0f} CPU seconds")


def _caught(keys: Keys, name: str, seed: int) -> bool:
    done = 0

    def count(number: int) -> None:
        nonlocal done
        done = number

    try:
        with SABOTAGES[name]():
            run(histories(keys, seed, LIMIT, count))
    except Violation as violation:
        click.echo(f"{name}: caught by history {done + 1}: {str(violation).splitlines()[0][:140]}")
        return True
    click.echo(f"{name}: NOT caught in {LIMIT} histories")
    return False


if __name__ == "__main__":
    main()
