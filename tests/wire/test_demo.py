"""`hansa demo` proves itself: it succeeds on the examples, and fails when one promise is taken away."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 110


def demo(examples):
    return subprocess.run(
        [sys.executable, "-m", "hansa.cli", "demo", "--examples", str(examples)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | {"COLUMNS": "200"},
    )


@pytest.fixture
def examples(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    return tmp_path / "examples"


def edit(file, kind, change):
    documents = list(yaml.safe_load_all(file.read_text()))
    for document in documents:
        if document["kind"] == kind:
            change(document)
    file.write_text(yaml.safe_dump_all(document for document in documents if document))


def test_the_examples_hold():
    run = demo(EXAMPLES)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "✗" not in run.stdout


def test_without_the_override_the_demo_fails(examples):
    edit(examples / "karmada-nginx.yaml", "OverridePolicy", lambda policy: policy["spec"].update(overrideRules=[]))
    run = demo(examples)
    assert run.returncode == 1, run.stdout + run.stderr
    (failed,) = [line for line in run.stdout.splitlines() if "✗" in line]
    assert "annotations.foo" in failed


def test_without_the_placement_the_demo_fails(examples):
    edit(examples / "kubefed-nginx.yaml", "FederatedDeployment", lambda obj: obj["spec"].pop("placement"))
    run = demo(examples)
    assert run.returncode == 1, run.stdout + run.stderr
    failed = [line for line in run.stdout.splitlines() if "✗" in line]
    assert any("cluster1" in line for line in failed)
    assert any("cluster2" in line for line in failed)
