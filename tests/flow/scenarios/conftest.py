"""Behaviours of Karmada's end-to-end suite, as scenarios that run unchanged on every rig.

`pytest tests/flow/scenarios` takes embedded servers and virtual time; `--rig real` takes kube-apiservers, where one
federation serves all scenarios.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import cast

import pytest
from looptime import LoopTimeEventLoop
from tests.support.rig import LOCATION, MEMBERS, Rig, embedded, real

from hansa.apiserver.embedded import Keys

HERE = Path(__file__).parent
START_SECONDS = 180


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--rig") == "real":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path, None, None]:
    """Of a real federation, started once."""
    directory = tmp_path_factory.mktemp("real")
    _hansa("up", "--real", "--detach", "--member-names", ",".join(MEMBERS), "--dir", str(directory))
    try:
        yield directory / "kubeconfig"
    finally:
        _hansa("down", "--dir", str(directory))


@pytest.fixture
async def rig(request: pytest.FixtureRequest, server_keys: Keys, tmp_path: Path) -> AsyncGenerator[Rig, None]:
    """Three members that are joined and ready, and a namespace for this scenario alone."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    if request.config.getoption("--rig") == "real":
        async with real(request.getfixturevalue("kubeconfig"), digest, tmp_path) as built:
            for name in MEMBERS:
                await built.label_cluster(name, LOCATION)
            yield built
        return
    # virtual from the start, for what runs in the background sets its timers before the test begins
    loop = cast("LoopTimeEventLoop", asyncio.get_running_loop())
    # a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
    loop.setup_looptime(resolution=2**-20)
    with loop.looptime_enabled():
        async with embedded(server_keys, digest) as built:
            yield built


def _hansa(*arguments: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hansa.cli", *arguments], capture_output=True, text=True, timeout=START_SECONDS
    )
    assert run.returncode == 0, run.stdout + run.stderr
