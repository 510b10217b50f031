"""Clusters: taints by condition, damping, credentials, summaries; which namespaces are propagated."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hansa.api import names
from hansa.api.cluster import Cluster, ResourceModel, ResourceModelRange
from hansa.api.item import Item
from hansa.base.quantity import Quantity
from hansa.control.cluster.credentials import config_of
from hansa.control.cluster.damping import Damping
from hansa.control.cluster.lifecycle import taints_by_condition
from hansa.control.cluster.modeling import modelings
from hansa.control.cluster.summary import PodRequests, allocatable, node_summary, shown
from hansa.control.namespace.eligible import is_propagated
from hansa.kube.errors import ConfigError


def cluster(ready: str | None = None, **spec: Any) -> Cluster:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    return msgspec.convert({"metadata": {"name": "m1"}, "spec": spec, "status": {"conditions": conditions}}, Cluster)


NOT_READY = {"key": names.NOT_READY_TAINT, "effect": "NoSchedule"}
UNREACHABLE = {"key": names.UNREACHABLE_TAINT, "effect": "NoSchedule"}
OWN = {"key": "team", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("ready", "taints", "expected"),
    [
        (None, [], [names.NOT_READY_TAINT]),
        ("False", [UNREACHABLE], [names.NOT_READY_TAINT]),
        ("Unknown", [NOT_READY, OWN], ["team", names.UNREACHABLE_TAINT]),
        ("True", [NOT_READY, UNREACHABLE, OWN], ["team"]),
        ("True", [{**NOT_READY, "effect": "NoExecute"}], [names.NOT_READY_TAINT]),
        ("False", [NOT_READY], [names.NOT_READY_TAINT]),
    ],
)
def test_taints_by_condition(ready: str | None, taints: list[dict[str, str]], expected: list[str]) -> None:
    found = taints_by_condition(cluster(ready, taints=taints), "now")
    assert [taint.key for taint in found] == expected


def test_damping() -> None:
    damping = Damping(success_seconds=30, failure_seconds=20)
    assert damping.reported("m1", None, False, 0) is False  # the first observation counts at once
    assert damping.reported("m1", True, False, 0) is True
    assert damping.reported("m1", True, False, 19) is True
    assert damping.reported("m1", True, True, 19.5) is True  # it recovers, so counting begins anew
    assert damping.reported("m1", True, False, 20) is True
    assert damping.reported("m1", True, False, 40) is False
    assert damping.reported("m1", False, True, 50) is False
    assert damping.reported("m1", False, True, 80) is True


def test_credentials() -> None:
    spec = {"apiEndpoint": "10.0.0.1:6443", "proxyURL": "http://proxy:3128", "proxyHeader": {"a": "b"}}
    config = config_of(cluster(**spec), {"token": b"secret\n", "caBundle": b"PEM"})
    assert (config.server, config.ca_data, config.proxy_url) == ("https://10.0.0.1:6443", b"PEM", "http://proxy:3128")
    assert "secret" not in repr(config)
    insecure = config_of(
        cluster(apiEndpoint="https://m", insecureSkipTLSVerification=True), {"token": b"t", "caBundle": b"P"}
    )
    assert (insecure.ca_data, insecure.insecure_skip_tls_verify) == (None, True)
    with pytest.raises(ConfigError, match="apiEndpoint"):
        config_of(cluster(), {"token": b"t"})
    with pytest.raises(ConfigError, match="token"):
        config_of(cluster(apiEndpoint="https://m"), {})


def pod(name: str, node: str = "", phase: str = "Running", version: str = "1") -> Item:
    spec = {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": "250m"}}}]}
    metadata = {"name": name, "namespace": "default", "resourceVersion": version}
    return Item.of({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase}})


def test_summaries() -> None:
    requests = PodRequests()
    pods = [pod("a", "n1"), pod("b", "n1"), pod("c"), pod("d", "n1", "Succeeded")]
    allocated, allocating = requests.totals(pods)
    assert shown(allocated) == {"cpu": "500m", "pods": "2"}
    assert shown(allocating) == {"cpu": "250m", "pods": "1"}
    assert {node: shown(used) for node, used in requests.by_node().items()} == {"n1": shown(allocated)}
    allocated, allocating = requests.totals([pod("a", "n1"), pod("c", "n1", version="2")])
    assert (shown(allocated)["pods"], shown(allocating)) == ("2", {})

    def node(ready: str) -> Item:
        status = {"allocatable": {"cpu": "4", "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": ready}]}
        return Item.of({"apiVersion": "v1", "kind": "Node", "metadata": {"name": ready}, "status": status})

    nodes = [node("True"), node("False")]
    assert node_summary(nodes) == {"totalNum": 2, "readyNum": 1}
    assert shown(allocatable(nodes)) == {"cpu": "8", "memory": "16Gi"}


@pytest.mark.parametrize(
    ("name", "labels", "propagated"),
    [
        ("shop", {}, True),
        ("default", {}, False),
        ("kube-flannel", {}, False),
        ("karmada-system", {}, False),
        ("karmada-es-m1", {}, False),
        ("kube-federation-system", {}, False),
        ("shop", {names.SKIP_AUTO_PROPAGATION_LABEL: "True"}, False),
        ("shop", {names.SKIP_AUTO_PROPAGATION_LABEL: "false"}, True),
    ],
)
def test_which_namespaces_are_propagated(name: str, labels: dict[str, str], propagated: bool) -> None:
    item = Item.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    assert is_propagated(item, ("kube-.*",)) is propagated


MODELS = [
    ResourceModel(
        grade=grade,
        ranges=[
            ResourceModelRange(name="cpu", min=str(cpu), max="1000"),
            ResourceModelRange(name="memory", min=f"{memory}Gi", max="1000Gi"),
        ],
    )
    for grade, (cpu, memory) in enumerate([(0, 0), (1, 4), (2, 16)])
]


def sized(name: str, cpu: str, memory: str, pods: str = "110") -> Item:
    return Item.of(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
        }
    )


@pytest.mark.parametrize(
    ("nodes", "used", "expected"),
    [
        ([], {}, [0, 0, 0]),
        ([sized("n", "2500m", "5Gi")], {}, [0, 1, 0]),
        ([sized("n", "16", "64Gi")], {}, [0, 0, 1]),
        ([sized("n", "16", "64Gi")], {"n": {"cpu": Quantity.parse("15500m")}}, [1, 0, 0]),
        ([sized("n", "16", "64Gi")], {"n": {"cpu": Quantity.parse("20")}}, [1, 0, 0]),
        ([sized("n", "16", "64Gi", "0"), sized("o", "1", "4Gi")], {}, [0, 1, 0]),
        ([sized("n", "16", "64Gi")], {"n": {"pods": Quantity.of(110)}}, [0, 0, 0]),
    ],
)
def test_nodes_by_grade(nodes: list[Item], used: dict[str, dict[str, Quantity]], expected: list[int]) -> None:
    found = modelings(MODELS, nodes, used)
    assert [(entry["grade"], entry["count"]) for entry in found] == list(enumerate(expected))
