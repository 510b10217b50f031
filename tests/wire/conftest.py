"""Options of the tests that start real processes."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=3, help="how often a federation is killed under load")
    parser.addoption(
        "--outage-seconds", type=float, default=5.0, help="how long hub and members are away from gateways"
    )
    parser.addoption("--seed", type=int, default=None, help="seed of the random moments; default: a fresh one")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return request.config.option.kills


@pytest.fixture
def outage_seconds(request: pytest.FixtureRequest) -> float:
    return request.config.option.outage_seconds
