"""The real kubectl against the embedded server: every case ends as it should."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.wire.kubectl_cases import CASES
from tests.wire.kubectl_runner import KUBECTL, faults, run
from tests.wire.kubectl_server import embedded_server


@pytest.mark.timeout(300)
async def test_kubectl_cases(tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    async with embedded_server(tmp_path) as (_, _, kubeconfig):
        for case in CASES:
            outcome = await run(case, kubeconfig, tmp_path)
            wrong = faults(case, outcome)
            if wrong:
                found[case.name] = [*wrong, outcome.text[:500]]
    assert not found


async def test_kubectl_get_watch_shows_what_comes_and_goes(tmp_path: Path) -> None:
    from tests.wire.kubectl_cases import Case

    async with embedded_server(tmp_path) as (_, _, kubeconfig):
        environment = {"HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig), "PATH": "/usr/bin:/bin"}
        watch = await asyncio.create_subprocess_exec(
            KUBECTL,
            *("get", "configmaps", "-w", "--output-watch-events", "-l", "a=b"),
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        assert watch.stdout is not None
        try:
            await run(Case("create", "create configmap early"), kubeconfig, tmp_path)
            await run(Case("enter", "label configmap early a=b"), kubeconfig, tmp_path)
            async with asyncio.timeout(20):
                assert (await watch.stdout.readline()).split() == [b"EVENT", b"NAME", b"DATA", b"AGE"]
                assert (await watch.stdout.readline()).split()[:3] == [b"ADDED", b"early", b"0"]
            await run(Case("leave", "label configmap early a-"), kubeconfig, tmp_path)
            async with asyncio.timeout(20):
                assert (await watch.stdout.readline()).split()[:2] == [b"DELETED", b"early"]
        finally:
            watch.kill()
            await watch.wait()
