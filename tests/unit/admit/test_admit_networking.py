"""Checks of ServiceRoutingPolicies, MultiClusterServices and MultiClusterIngresses."""

from __future__ import annotations

import pytest

from hansa.admit import networking, routing
from hansa.api import names


def fields(errors):
    return [error.field for error in errors]


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ({}, []),
        ({"exclude": ["a"], "failoverOnly": ["b"], "weights": [{"cluster": "b", "weight": 2}]}, []),
        ({"exclude": ["a"], "failoverOnly": ["b", "a"]}, ["spec.failoverOnly[1]"]),
        ({"exclude": ["a"], "weights": [{"cluster": "a", "weight": 1}]}, ["spec.weights[0].cluster"]),
        ({"weights": [{"cluster": "a", "weight": 1}] * 2}, ["spec.weights[1].cluster"]),
        ({"consumerClusters": ["A"], "exclude": ["b", "b"]}, ["spec.exclude[1]", "spec.consumerClusters[0]"]),
        ({"mode": "hybrid", "minLocal": 2}, []),
        ({"minLocal": 2}, []),
        ({"mode": "direct", "minLocal": 2}, ["spec.minLocal"]),
        ({"exclude": "a", "weights": [3]}, []),  # the schema's to refuse
    ],
)
def test_routing_policies(spec, faults):
    assert fields(routing.check({"spec": spec})) == faults


def service(name="web", **spec):
    return {"metadata": {"name": name}, "spec": {"types": ["CrossCluster"], **spec}}


@pytest.mark.parametrize(
    ("new", "old", "faults"),
    [
        (service(), None, []),
        (service("1web"), None, ["metadata.name"]),
        (service(types=["LoadBalancer", "LoadBalancer"]), None, []),
        (service(types=["LoadBalancer", "CrossCluster"]), None, ["spec.types"]),
        (service(types=["Other"]), None, ["spec.types[0]"]),
        (service(), service(types=["LoadBalancer"]), ["spec.types"]),
        (service(ports=[{"port": 65536, "name": "a_b"}]), None, ["spec.ports[0].name", "spec.ports[0].port"]),
        (service(consumerClusters=[{"name": "a" * 49}]), None, ["spec.range.consumerClusters[0]"]),
    ],
)
def test_multi_cluster_services(new, old, faults):
    assert fields(networking.check_service(new, old)) == faults


def test_a_service_gets_an_id_unless_it_has_one():
    named = networking.identified(service(), "id")
    assert named["metadata"]["labels"] == {names.SERVICE_ID_LABEL: "id"}
    assert networking.identified(named, "other") is named


def path(**fields):
    return {
        "rules": [{"http": {"paths": [{"pathType": "Prefix", "path": "/", "backend": {"resource": {}}, **fields}]}}]
    }


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        (path(), []),
        ({}, ["spec"]),
        (path(pathType=""), ["spec.rules[0].http.paths[0].pathType"]),
        (path(pathType="Regex"), ["spec.rules[0].http.paths[0].pathType"]),
        (path(path="a"), ["spec.rules[0].http.paths[0].path"]),
        (path(pathType="ImplementationSpecific", path=""), []),
        (path(backend={}), ["spec.rules[0].http.paths[0].backend"]),
        (path(backend={"service": {}, "resource": {}}), ["spec.rules[0].http.paths[0].backend"]),
        (
            {"defaultBackend": {"service": {"name": "w", "port": {"name": "a", "number": 1}}}},
            ["spec.defaultBackend.service.port"],
        ),
        ({"rules": [{"host": "*.example.com"}, {"host": "*"}]}, ["spec.rules[1].host"]),
    ],
)
def test_multi_cluster_ingresses(spec, faults):
    assert fields(networking.check_ingress({"metadata": {"name": "web"}, "spec": spec})) == faults
