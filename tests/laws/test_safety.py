"""The safety rules hold in random histories, and each rule that is switched off is caught."""

from __future__ import annotations

import pytest
from tests.laws.histories.oracle import Violation
from tests.laws.histories.sabotage import SABOTAGES
from tests.laws.histories.world import histories
from tests.support.virtual_time import run

from hansa.apiserver.embedded import Keys
from hansa.runtime.clock import SystemClock

COUNT = 200
SEED = 400900
"""The same histories every time; `make chaos` takes fresh ones."""
LIMIT = 1000


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys.fresh("histories", SystemClock())


@pytest.mark.timeout(600)
def test_no_history_breaks_a_rule(keys: Keys) -> None:
    assert run(histories(keys, SEED, COUNT)) == COUNT


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SABOTAGES)
def test_a_rule_that_is_switched_off_is_caught(keys: Keys, name: str) -> None:
    with SABOTAGES[name](), pytest.raises(Violation):
        run(histories(keys, 1, LIMIT))
