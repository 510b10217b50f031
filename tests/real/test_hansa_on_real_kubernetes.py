"""The program itself on real API servers: init, join, run with webhooks, propagate, unjoin, deinit."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support.commands import Kubectl, hansa, running

from hansa.rig.binaries import MissingBinaries, find_binaries
from hansa.rig.federation import RealFederation

EXAMPLES = Path(__file__).parents[2] / "examples"

try:
    BINARIES = find_binaries()
except MissingBinaries as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.mark.timeout(400)
async def test_a_federation_from_init_to_deinit(tmp_path: Path) -> None:
    async with RealFederation(tmp_path / "rig", ["member1", "member2"], binaries=BINARIES, durable=False) as federation:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(federation.kubeconfig()))
        kubectl = Kubectl(tmp_path)

        too_early = hansa("run", "--kubeconfig", kubeconfig, "--context", "hub")
        assert too_early.returncode == 1 and "hansa init" in too_early.stderr

        assert hansa("init", "--kubeconfig", kubeconfig, "--context", "hub").returncode == 0
        crds = ("get", "crds", "-o", "jsonpath={.items[*].metadata.resourceVersion}")
        versions = kubectl("hub", *crds).stdout
        again = hansa("init", "--kubeconfig", kubeconfig, "--context", "hub")
        assert again.returncode == 0, again.stderr
        assert kubectl("hub", *crds).stdout == versions

        for member in ("member1", "member2"):
            join = hansa(
                *("join", member, "--kubeconfig", kubeconfig, "--context", "hub"),
                *("--cluster-kubeconfig", kubeconfig, "--cluster-context", member, "--cluster-region", "eu"),
            )
            assert join.returncode == 0, join.stderr

        log = tmp_path / "run.log"
        with running(kubeconfig, log):
            _propagates(kubectl)
            _refuses(kubectl)
            _leaves(kubectl, kubeconfig)
        assert "Traceback" not in log.read_text()


def _propagates(kubectl: Kubectl) -> None:
    applied = kubectl("hub", "apply", "-f", str(EXAMPLES / "karmada-nginx.yaml"))
    assert applied.returncode == 0, applied.stderr
    policy_id = ("get", "propagationpolicy", "example-policy", "-o", "jsonpath={.metadata.finalizers[0]}")
    assert kubectl.until("hub", policy_id, "karmada.io/propagation-policy-controller")
    annotation = ("get", "deployment", "nginx", "-o", "jsonpath={.metadata.annotations.foo}")
    assert kubectl.until("member1", annotation, "bar") == "bar"
    assert "NotFound" in kubectl("member2", "get", "deployment", "nginx").stderr
    applied = ("get", "resourcebinding", "nginx-deployment", "-o", "jsonpath={.status.conditions[*].status}")
    assert kubectl.until("hub", applied, "True True") == "True True"
    # drift is repaired
    assert kubectl("member1", "scale", "deployment", "nginx", "--replicas=7").returncode == 0
    replicas = ("get", "deployment", "nginx", "-o", "jsonpath={.spec.replicas}")
    assert kubectl.until("member1", replicas, "2") == "2"


def _refuses(kubectl: Kubectl) -> None:
    policy = yaml.safe_dump(
        {
            "apiVersion": "policy.karmada.io/v1alpha1",
            "kind": "PropagationPolicy",
            "metadata": {"name": "bad", "namespace": "default"},
            "spec": {
                "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "elsewhere"}],
                "placement": {},
            },
        }
    )
    refused = kubectl("hub", "apply", "-f", "-", stdin=policy)
    assert refused.returncode == 1
    assert "namespace of resource selector must be the same as the namespace of the policy" in refused.stderr


def _leaves(kubectl: Kubectl, kubeconfig: Path) -> None:
    early = hansa("deinit", "--kubeconfig", kubeconfig, "--context", "hub")
    assert early.returncode == 1 and "still joined: member1, member2" in early.stderr
    assert kubectl("hub", "delete", "deployment", "nginx").returncode == 0
    gone = ("get", "deployments", "-o", "jsonpath={.items[*].metadata.name}")
    assert kubectl.until("member1", gone, "") == ""
    for member in ("member1", "member2"):
        unjoin = hansa("unjoin", member, "--kubeconfig", kubeconfig, "--context", "hub")
        assert unjoin.returncode == 0, unjoin.stderr
    late = hansa("deinit", "--kubeconfig", kubeconfig, "--context", "hub")
    assert late.returncode == 0, late.stderr
    left = kubectl("hub", "get", "crds", "-o", "jsonpath={.items[*].spec.group}").stdout
    assert set(left.split()) <= {"multicluster.x-k8s.io"}


@pytest.mark.timeout(300)
def test_the_demo_holds_on_real_kubernetes() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hansa.cli", "demo", "--real", "--examples", str(EXAMPLES)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout + run.stderr
