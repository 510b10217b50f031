"""Bad input gets one clear line that names what is wrong and the way out; docs/reference/errors.md shows the same."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

KUBECTL = Path(sys.executable).with_name("kubectl")
ERRORS = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"


def hansa(*arguments, timeout=90):
    return subprocess.run(
        [sys.executable, "-m", "hansa.cli", *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bad") / "fed"
    up = hansa("up", "--members", 2, "--dir", directory, "--detach")
    assert up.returncode == 0, up.stderr
    yield directory
    hansa("down", "--purge", "--dir", directory)


@pytest.fixture
def kubectl(folder):
    def run(*arguments, documents=(), context="hub"):
        return subprocess.run(
            [KUBECTL, f"--kubeconfig={folder}/kubeconfig", f"--context={context}", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            input=yaml.safe_dump_all(documents),
            env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        )

    return run


def shown(text, words):
    """The text has the words, in one piece, and is documented word by word."""
    assert words in text, text
    assert "Traceback" not in text
    assert words in ERRORS.read_text(), f"docs/reference/errors.md does not show: {words}"


def config_map(**changes):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}} | changes


def policy(name="p", kind="ConfigMap", cluster="member1", **changes):
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "v1", "kind": kind, "name": name}],
            "placement": {"clusterAffinity": {"clusterNames": [cluster]}},
            **changes,
        },
    }


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            policy(placment={}),
            'strict decoding error: unknown field "spec.placment"',
        ),
        (
            policy(priority="high"),
            'spec.priority: Invalid value: "string": spec.priority in body must be of type integer: "string"',
        ),
        (
            policy(preemption="Sometimes"),
            'spec.preemption: Unsupported value: "Sometimes": supported values: "Always", "Never"',
        ),
        (
            config_map(metadata={"name": "Not_A_Name", "namespace": "default"}),
            'metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain must consist of',
        ),
        (
            config_map(metadata={"name": "a", "namespace": "nowhere"}),
            'namespaces "nowhere" not found',
        ),
        (
            policy(resourceSelectors=[{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "other"}]),
            "namespace of resource selector must be the same as the namespace of the policy",
        ),
    ],
)
def test_what_the_hub_refuses(kubectl, document, words):
    run = kubectl("create", "-f", "-", documents=[document])
    assert run.returncode == 1
    shown(run.stderr, words)


def test_a_policy_that_selects_nothing_does_nothing(kubectl):
    assert kubectl("apply", "-f", "-", documents=[policy("nothing")]).returncode == 0
    assert kubectl("get", "resourcebindings", "-o", "name").stdout == ""
    assert kubectl("delete", "propagationpolicy", "nothing").returncode == 0


def test_an_override_path_that_does_not_exist(kubectl):
    """The cluster it concerns gets nothing new, and an Event says why; others are served; nothing is deleted."""
    template = config_map(metadata={"name": "settings", "namespace": "default"}, data={"colour": "blue"})
    placed = policy("settings", placement={"clusterAffinity": {"clusterNames": ["member1", "member2"]}})
    kubectl("apply", "-f", "-", documents=[template, placed])
    for member in ("member1", "member2"):
        until(lambda member=member: colour(kubectl, member), "blue")
    plaintext = [{"path": "/data/nope", "operator": "replace", "value": "x"}]
    rule = {"targetCluster": {"clusterNames": ["member1"]}, "overriders": {"plaintext": plaintext}}
    override = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": "wrong-path", "namespace": "default"},
        "spec": {"resourceSelectors": placed["spec"]["resourceSelectors"], "overrideRules": [rule]},
    }
    kubectl("apply", "-f", "-", documents=[override])
    kubectl("apply", "-f", "-", documents=[{**template, "data": {"colour": "green"}}])
    until(lambda: colour(kubectl, "member2"), "green")
    assert colour(kubectl, "member1") == "blue"
    for words in ("Apply override policy(default/wrong-path) for cluster(member1) failed", "/data/nope"):
        until(lambda words=words: words in events(kubectl, "settings"), True)
        shown(events(kubectl, "settings"), words)
    kubectl("delete", "overridepolicy", "wrong-path")
    until(lambda: colour(kubectl, "member1"), "green")


def colour(kubectl, member):
    return kubectl("get", "configmap", "settings", "-o", "jsonpath={.data.colour}", context=member).stdout


def events(kubectl, name):
    listed = json.loads(kubectl("get", "events", "-o", "json").stdout)["items"]
    return "\n".join(e["message"] for e in listed if e["involvedObject"]["name"].startswith(name))


def until(read, wanted):
    deadline = time.monotonic() + 45
    while (found := read()) != wanted:
        assert time.monotonic() < deadline, f"{found!r} is not {wanted!r}"
        time.sleep(0.2)


def edited(folder, tmp_path, change):
    document = yaml.safe_load((folder / "kubeconfig").read_text())
    change(document)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_joining(folder, tmp_path):
    hub = ("--kubeconfig", folder / "kubeconfig", "--context", "hub")

    def join(name, kubeconfig, *more):
        return hansa("join", name, *hub, "--cluster-kubeconfig", kubeconfig, *more)

    again = join("another", folder / "kubeconfig", "--cluster-context", "member1")
    assert again.returncode == 1
    shown(again.stderr, "has been registered (as Cluster member1): unjoin it first, or give another cluster")

    port = free_port()

    def nobody_there(document):
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"

    away = join("away", edited(folder, tmp_path, nobody_there), "--cluster-context", "hub")
    assert away.returncode == 1
    assert re.search(rf"error: .*127\.0\.0\.1:{port} is unreachable: ", away.stderr), away.stderr
    assert "Traceback" not in away.stderr
    assert "is unreachable: " in ERRORS.read_text()

    bad_name = join("Big_Name", folder / "kubeconfig")
    assert bad_name.returncode == 1
    shown(bad_name.stderr, "invalid cluster name 'Big_Name'")

    unknown = hansa("unjoin", "nobody", *hub)
    assert unknown.returncode == 1
    shown(unknown.stderr, "no cluster object nobody found in karmada control Plane")


def test_kubeconfigs(folder, tmp_path):
    missing = hansa("get", "pods", "--kubeconfig", tmp_path / "none")
    assert missing.returncode == 1
    assert str(tmp_path / "none") in missing.stderr and "Traceback" not in missing.stderr

    no_context = edited(folder, tmp_path, lambda document: document.pop("current-context"))
    run = hansa("get", "pods", "--kubeconfig", no_context)
    assert run.returncode == 1
    assert "current-context" in run.stderr and "--context" in run.stderr, run.stderr

    wrong = hansa("get", "pods", "--kubeconfig", folder / "kubeconfig", "--context", "mars")
    assert wrong.returncode == 1
    assert "mars" in wrong.stderr and "member1" in wrong.stderr, wrong.stderr


def test_addresses(folder):
    hub = ("--kubeconfig", folder / "kubeconfig", "--context", "hub")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = hansa("run", *hub, "--health-address", address)
    assert run.returncode == 1
    shown(run.stderr, "address in use; choose another address")
    odd = hansa("run", *hub, "--health-address", "8080")
    assert odd.returncode == 1
    shown(odd.stderr, "--health-address 8080: wanted HOST:PORT, such as 127.0.0.1:10357")


def test_a_hub_that_was_not_initialised(folder):
    """A member is an API server without Hansa's kinds and account."""
    run = hansa("run", "--kubeconfig", folder / "kubeconfig", "--context", "member2", "--health-address", "127.0.0.1:0")
    assert run.returncode == 1
    shown(run.stderr, "ServiceAccount hansa-system/hansa does not exist on the hub: run `hansa init` first")
