"""`hansa run` on a real hub, with each verb taken away that tests/flow does not take from controllers alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hansa.install import objects
from hansa.rig.binaries import MissingBinaries, find_binaries
from hansa.rig.federation import RealFederation
from hansa.rig.ports import free_ports

DEADLINE_SECONDS = 60.0
try:
    BINARIES = find_binaries()
except MissingBinaries as missing:
    pytest.skip(str(missing), allow_module_level=True)

Json = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"


class Hub:
    """kubectl and `hansa` as the administrator of a real hub."""

    def __init__(self, directory: Path, kubeconfig: Path) -> None:
        self.directory = directory
        self.kubeconfig = kubeconfig

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        run = subprocess.run(
            [BINARIES.kubectl, f"--kubeconfig={self.kubeconfig}", *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            env={"HOME": str(self.directory)},
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def apply(self, *documents: Json) -> None:
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def forget(self, *what: str) -> None:
        self.kubectl("delete", "--ignore-not-found", *what)

    @contextlib.contextmanager
    def running(self) -> Generator[Path, None, None]:
        """`hansa run`; the file of what it says."""
        health, webhook = free_ports(2)
        log = self.directory / "run.log"
        command = [
            *(sys.executable, "-m", "hansa.cli", "run", "--kubeconfig", str(self.kubeconfig), "--leader-elect"),
            *("--health-address", f"127.0.0.1:{health}", "--webhook-address", f"127.0.0.1:{webhook}"),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield log
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
async def hub(tmp_path: Path) -> Any:
    async with RealFederation(tmp_path / "rig", [], binaries=BINARIES, durable=False) as federation:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(federation.kubeconfig()))
        init = [sys.executable, "-m", "hansa.cli", "init", "--kubeconfig", str(kubeconfig)]
        await asyncio.to_thread(subprocess.run, init, check=True)
        yield Hub(tmp_path, kubeconfig)


def _webhooks(hub: Hub) -> None:
    hub.forget("mutatingwebhookconfigurations,validatingwebhookconfigurations", "hansa")


def _serving_secret(hub: Hub) -> None:
    hub.forget("-n", "hansa-system", "secret", "hansa-webhook")


def _lease(hub: Hub) -> None:
    hub.forget("-n", "hansa-system", "lease", "hansa")


def _role(hub: Hub) -> None:
    _propagate(hub, "Role", rules=[{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["delete"]}])


def _role_binding(hub: Hub) -> None:
    subjects = [{"apiGroup": _RBAC, "kind": "User", "name": "somebody"}]
    _propagate(hub, "RoleBinding", roleRef={"apiGroup": _RBAC, "kind": "Role", "name": "role"}, subjects=subjects)


def _propagate(hub: Hub, kind: str, **content: Any) -> None:
    """A template that is about rights which the account does not hold itself."""
    meta = {"name": kind.lower(), "namespace": "default"}
    policy = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": meta,
        "spec": {"resourceSelectors": [{"apiVersion": f"{_RBAC}/v1", "kind": kind}], "placement": {}},
    }
    hub.apply({"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": meta, **content}, policy)


def _kubefed_cluster(hub: Hub) -> None:
    """A cluster that KubeFed knew, with its token."""
    meta = {"name": "old", "namespace": "kube-federation-system"}
    hub.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": "t"}},
        {
            "apiVersion": "core.kubefed.io/v1beta1",
            "kind": "KubeFedCluster",
            "metadata": meta,
            "spec": {"apiEndpoint": "https://127.0.0.1:1", "secretRef": {"name": "old"}},
        },
    )


def _karmada_cluster(hub: Hub) -> None:
    """A cluster as Karmada's tools join it."""
    meta = {"name": "new", "namespace": "karmada-cluster"}
    hub.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": "t"}},
        {
            "apiVersion": "cluster.karmada.io/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": "new"},
            "spec": {"syncMode": "Push", "apiEndpoint": "https://127.0.0.1:1", "secretRef": meta},
        },
    )


CASES: list[tuple[str, str, str, str, Callable[[Hub], None], str]] = [
    ("ClusterRole", "", "mutatingwebhookconfigurations", "create", _webhooks, "patch mutatingwebhookconfigurations"),
    ("ClusterRole", "", "roles", "escalate", _role, "patch roles"),
    ("ClusterRole", "", "roles", "bind", _role_binding, "patch rolebindings"),
    ("ClusterRole", "", "leases", "create", _lease, "create leases"),
    ("Role", "hansa-system", "leases", "update", _lease, "update leases"),
    ("Role", "hansa-system", "secrets", "create", _serving_secret, "create secrets"),
    ("Role", "karmada-cluster", "secrets", "create", _kubefed_cluster, "create secrets"),
    ("Role", "kube-federation-system", "secrets", "create", _karmada_cluster, "create secrets"),
]


def test_every_verb_of_the_roles_has_a_case() -> None:
    granted = {
        (document["metadata"].get("namespace", ""), resource, verb)
        for document in objects.permissions()
        if document["kind"] in ("Role", "ClusterRole")
        for rule in document["rules"]
        for resource in rule["resources"][:1]
        for verb in rule["verbs"]
    }
    here = {(namespace, resource, verb) for _, namespace, resource, verb, _, _ in CASES}
    assert here <= granted
    left = {grant for grant in granted - here if grant[0]}
    assert left == {("hansa-system", "serviceaccounts/token", "create")}, "the token is in tests/wire/test_account.py"


@pytest.mark.timeout(600)
async def test_a_verb_that_is_missing_is_named_with_the_way_out(hub: Hub) -> None:
    missed: list[str] = []
    for kind, namespace, resource, verb, prepare, told in CASES:
        for document in objects.permissions():
            same = document["kind"] == kind and document["metadata"].get("namespace", "") == namespace
            if same:
                for rule in document["rules"]:
                    if rule["resources"][0] == resource and verb in rule["verbs"]:
                        rule["verbs"] = [other for other in rule["verbs"] if other != verb]
                document["rules"] = [rule for rule in document["rules"] if rule["verbs"]]
            if document["kind"] in ("Role", "ClusterRole"):
                hub.apply(document)
        _webhooks(hub)  # nobody serves them now
        prepare(hub)
        with hub.running() as log:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while f"does not let us {told}" not in log.read_text() and time.monotonic() < deadline:
                await asyncio.sleep(0.2)
        text = log.read_text()
        if f"does not let us {told}" not in text or "hansa init" not in text:
            missed.append(f"{namespace}: without {verb} on {resource}:\n{text[-1500:]}")
    assert not missed, "\n\n".join(missed)
