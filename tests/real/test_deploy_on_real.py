"""A real API server takes the manifests for members."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.wire.test_deploy import taken_by

from hansa.rig.binaries import MissingBinaries, find_binaries
from hansa.rig.cluster import HUB, RealCluster


@pytest.mark.timeout(300)
async def test_a_real_api_server_takes_them(tmp_path: Path) -> None:
    try:
        binaries = find_binaries()
    except MissingBinaries as error:
        pytest.fail(str(error))
    cluster = RealCluster("real", tmp_path / "cluster", binaries, role=HUB, durable=False)
    await cluster.start()
    try:
        kubeconfig = tmp_path / "real.kubeconfig"
        kubeconfig.write_text(json.dumps(cluster.kubeconfig()))
        await taken_by(kubeconfig, tmp_path)
    finally:
        await cluster.stop()
