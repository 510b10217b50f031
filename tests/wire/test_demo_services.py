"""`hansa demo --services` proves itself: every step holds, and it fails when one promise is taken away."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hansa.kube.errors import ConfigError
from hansa.service.gateway.envoy import find_envoy

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 230

try:
    find_envoy()
except ConfigError as missing:
    pytest.skip(str(missing), allow_module_level=True)

pytestmark = [
    pytest.mark.timeout(SECONDS + 10),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers for all of 127.0.0.0/8"),
]


def demo(examples):
    return subprocess.run(
        [sys.executable, "-m", "hansa.cli", "demo", "--services", "--examples", str(examples)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | {"COLUMNS": "250"},
    )


def test_a_service_is_found_reached_and_kept_up():
    run = demo(EXAMPLES)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "✗" not in run.stdout and "20 of 20 steps hold" in run.stdout


def test_without_an_export_the_demo_fails(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    file = tmp_path / "examples" / "services.yaml"
    kept = [each for each in yaml.safe_load_all(file.read_text()) if each["kind"] != "ServiceExport"]
    file.write_text(yaml.safe_dump_all(kept))
    run = demo(tmp_path / "examples")
    assert run.returncode == 1, run.stdout + run.stderr
    failed = [line for line in run.stdout.splitlines() if "✗" in line]
    assert any("serviceimport" in line for line in failed)
    assert "dig" not in run.stdout


def test_without_the_example_it_says_where_to_look(tmp_path):
    run = demo(tmp_path)
    assert run.returncode == 1
    assert "services.yaml does not exist" in run.stderr
