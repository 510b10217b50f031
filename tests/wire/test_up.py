"""`hansa up` and `hansa down` as a user has them."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

KUBECTL = Path(sys.executable).with_name("kubectl")


def hansa(*arguments, timeout=60):
    return subprocess.run(
        [sys.executable, "-m", "hansa.cli", *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )


def kubectl(directory, *arguments):
    return subprocess.run(
        [KUBECTL, f"--kubeconfig={directory}/kubeconfig", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"HOME": str(directory), "PATH": os.environ["PATH"]},
    )


@pytest.fixture
def directory(tmp_path):
    yield tmp_path / "fed"
    hansa("down", "--dir", tmp_path / "fed")


def test_a_federation_comes_goes_and_comes_back_with_its_data(directory):
    up = hansa("up", "--members", 2, "--dir", directory, "--detach")
    assert up.returncode == 0, up.stderr
    assert "kubectl --context hub get clusters" in up.stderr
    ready = kubectl(directory, "--context", "hub", "get", "clusters", "-o", "jsonpath={.items[*].metadata.name}")
    assert ready.stdout == "member1 member2"
    assert kubectl(directory, "--context", "member1", "create", "configmap", "kept").returncode == 0

    again = hansa("up", "--members", 2, "--dir", directory)
    assert again.returncode == 0 and "ready" in again.stderr
    other = hansa("up", "--members", 3, "--dir", directory)
    assert other.returncode == 1 and "holds another federation" in other.stderr

    assert hansa("down", "--dir", directory).returncode == 0
    assert hansa("up", "--dir", directory, "--detach").returncode == 0
    found = kubectl(directory, "--context", "member1", "get", "configmap", "kept", "-o", "name")
    assert found.stdout.strip() == "configmap/kept"

    purge = hansa("down", "--purge", "--dir", directory)
    assert purge.returncode == 0 and not directory.exists()


def test_a_port_that_somebody_else_has_is_named(directory):
    assert hansa("up", "--members", 1, "--dir", directory, "--detach").returncode == 0
    assert hansa("down", "--dir", directory).returncode == 0
    port = int((directory / "ports.json").read_text().split('"hub": ')[1].split(",")[0].strip(" \n}"))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        up = hansa("up", "--dir", directory)
    assert up.returncode == 1
    assert f"port {port}" in up.stderr and "ports.json" in up.stderr


def test_purge_removes_only_what_is_a_federations(tmp_path):
    (tmp_path / "precious").write_text("x")
    down = hansa("down", "--purge", "--dir", tmp_path)
    assert down.returncode == 1
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "--members", "0"], "0 is not in the range"),
        (["up", "--member-names", "A"], "invalid cluster name 'A'"),
        (["up", "--member-names", "a,a"], "must differ"),
        (["up", "--members", "1", "--member-names", "a"], "exclude each other"),
        (["get", "pods", "--kubeconfig", "/nowhere/kc"], "/nowhere/kc"),
        (["join", "x", "--kubeconfig", "/nowhere/kc", "--cluster-kubeconfig", "/nowhere/m"], "/nowhere/"),
        (["kubefed", "enable"], "either KIND or --all-native"),
    ],
)
def test_bad_arguments_are_one_clear_line(tmp_path, arguments, words):
    extra = ["--dir", str(tmp_path / "fed")] if arguments[0] == "up" else []
    run = hansa(*arguments, *extra)
    assert run.returncode != 0
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def test_services_are_for_embedded_members_and_for_federations_that_were_started_with_them(directory):
    real = hansa("up", "--real", "--services", "--dir", directory)
    assert real.returncode == 1 and "leave --real out" in real.stderr
    assert hansa("up", "--members", 1, "--dir", directory, "--detach").returncode == 0
    assert hansa("down", "--dir", directory).returncode == 0
    other = hansa("up", "--services", "--dir", directory)
    assert other.returncode == 1 and "holds another federation (embedded: member1)" in other.stderr


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: web}
"""


def test_services_are_shown_over_all_clusters(directory, tmp_path):
    assert hansa("up", "--members", 2, "--dir", directory, "--detach").returncode == 0
    (tmp_path / "service.yaml").write_text(SERVICE)
    shown = ("services", "--kubeconfig", directory / "kubeconfig")
    nothing = hansa(*shown, "-A")
    assert nothing.returncode == 0 and "No exported services found" in nothing.stderr
    for member in ("member1", "member2"):
        assert kubectl(directory, "--context", member, "create", "namespace", "shop").returncode == 0
    made = kubectl(directory, "--context", "member1", "-n", "shop", "apply", "-f", tmp_path / "service.yaml")
    assert made.returncode == 0, made.stderr
    deadline = time.monotonic() + 30
    found = []
    while not (found and found[0]["exports"][0]["valid"] and len(found[0]["imports"]) == 2):
        assert time.monotonic() < deadline, found
        answer = hansa(*shown, "-n", "shop", "-o", "json")
        assert answer.returncode == 0, answer.stderr
        found = json.loads(answer.stdout)
    assert [each["cluster"] for each in found[0]["exports"]] == ["member1"]
    table = hansa(*shown, "-n", "shop")
    assert table.stdout.splitlines()[0].split()[:3] == ["NAME", "TYPE", "PORTS"]
    assert table.stdout.splitlines()[1].split()[:3] == ["web", "ClusterSetIP", "80/TCP"]
    assert "no ready endpoints" in table.stdout
