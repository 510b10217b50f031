"""The table of kubectl commands on a real kube-apiserver and on the embedded one: what people see is the same."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from tests.wire.kubectl_cases import CASES
from tests.wire.kubectl_runner import Outcome, comparable, run
from tests.wire.kubectl_server import embedded_server

from hansa.rig.binaries import MissingBinaries, find_binaries
from hansa.rig.cluster import HUB, RealCluster


async def _outcomes(kubeconfig: Path, home: Path) -> dict[str, Outcome]:
    return {case.name: await run(case, kubeconfig, home) for case in CASES}


@pytest.mark.timeout(600)
async def test_both_servers_answer_alike(tmp_path: Path) -> None:
    try:
        binaries = find_binaries()
    except MissingBinaries as error:
        pytest.fail(str(error))
    for name in ("server", "real", "embedded"):
        (tmp_path / name).mkdir()
    cluster = RealCluster("real", tmp_path / "cluster", binaries, role=HUB, durable=False)
    await cluster.start()
    try:
        kubeconfig = tmp_path / "real.kubeconfig"
        kubeconfig.write_text(json.dumps(cluster.kubeconfig()))
        real = await _outcomes(kubeconfig, tmp_path / "real")
    finally:
        await cluster.stop()
    async with embedded_server(tmp_path / "server") as (_, _, kubeconfig):
        embedded = await _outcomes(kubeconfig, tmp_path / "embedded")
    differences: list[str] = []
    for case in CASES:
        if not case.compare:
            continue
        wanted, got = comparable(real[case.name].text), comparable(embedded[case.name].text)
        if wanted != got or real[case.name].code != embedded[case.name].code:
            lines = difflib.unified_diff(wanted.splitlines(), got.splitlines(), "real", "embedded", lineterm="", n=0)
            differences.append("\n".join([f"== {case.name}", *list(lines)[2:12]]))
    assert not differences, "\n".join(differences)
