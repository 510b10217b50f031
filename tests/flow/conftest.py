"""Federations for flow tests, and the choice of what they run on."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from tests.support.federation import Federation, running

from hansa.api.crd import all_crds
from hansa.apiserver.embedded import Keys
from hansa.dialect.kubefed import types as kubefed_types
from hansa.runtime.clock import SystemClock


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rig", choices=("embedded", "real"), default="embedded", help="what the scenarios run on (default: embedded)"
    )


@pytest.fixture(scope="session")
def server_keys() -> Keys:
    return Keys.fresh("test", SystemClock())


@pytest.fixture
async def federation(server_keys: Keys) -> AsyncGenerator[Federation, None]:
    """A hub and three servers that are not joined yet."""
    async with running(server_keys, all_crds(), speaks_kubefed=False) as built:
        yield built


@pytest.fixture
async def kubefed_federation(server_keys: Keys) -> AsyncGenerator[Federation, None]:
    """The same, with KubeFed's controllers and default types beside Karmada's."""
    enabled = kubefed_types.enablements(kubefed_types.DEFAULT_TYPES)
    crds = [*all_crds(), *(one.crd for one in enabled)]
    async with running(server_keys, crds, speaks_kubefed=True) as built:
        await built.apply(*(one.type_config for one in enabled))
        yield built
