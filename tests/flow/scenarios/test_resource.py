"""Statuses of all members together, on the template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.objects import (
    BUDGETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    INGRESSES,
    JOBS,
    SERVICES,
    STATEFUL_SETS,
    deployment,
    metadata,
    pod_template,
    policy,
    selects,
    service,
)
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json, Resource


def workload(kind: str, name: str, namespace: str, **spec: Any) -> Json:
    selector = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata(name, namespace),
        "spec": {"selector": selector, "template": pod_template(name), **spec},
    }


async def propagated(rig: Rig, resource: Resource, template: Json) -> None:
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.reaches(rig.members, resource, template["metadata"]["name"], rig.namespace)


async def status_becomes(rig: Rig, resource: Resource, name: str, check: Callable[[Json], None]) -> None:
    async def there() -> None:
        live = await rig.get("hub", resource, name, rig.namespace)
        assert live is not None
        check(live.get("status") or {})

    await rig.eventually(there)


def counts(**wanted: int) -> Callable[[Json], None]:
    def check(status: Json) -> None:
        assert {name: status.get(name) for name in wanted} == wanted

    return check


async def say_in_members(rig: Rig, resource: Resource, name: str, status_of: Callable[[int], Json]) -> list[Json]:
    """Write a status into each member, as its own controllers would; what was written, in the order of members."""
    written = [status_of(number) for number in range(len(rig.members))]
    for member, status in zip(rig.members, written, strict=True):
        await rig.patch(resource, name, {"status": status}, rig.namespace, server=member, subresource="status")
    return written


def balancer(number: int) -> Json:
    return {"loadBalancer": {"ingress": [{"ip": f"172.19.1.{number + 6}", "hostname": f"host{number}.example.io"}]}}


async def test_a_deployments_counters_are_summed(rig: Rig) -> None:
    await propagated(rig, DEPLOYMENTS, deployment("web", rig.namespace, replicas=2))
    wanted = counts(replicas=6, readyReplicas=6, availableReplicas=6, updatedReplicas=6)
    await status_becomes(rig, DEPLOYMENTS, "web", wanted)


async def test_a_stateful_sets_counters_are_summed(rig: Rig) -> None:
    await propagated(rig, STATEFUL_SETS, workload("StatefulSet", "web", rig.namespace, replicas=2, serviceName="web"))
    wanted = counts(replicas=6, readyReplicas=6, currentReplicas=6, updatedReplicas=6)
    await status_becomes(rig, STATEFUL_SETS, "web", wanted)


async def test_a_daemon_sets_counters_are_summed(rig: Rig) -> None:
    await propagated(rig, DAEMON_SETS, workload("DaemonSet", "web", rig.namespace))
    nodes = sum([len(await rig.list(member, scheme.NODES)) for member in rig.members])
    wanted = counts(
        currentNumberScheduled=nodes,
        desiredNumberScheduled=nodes,
        numberAvailable=nodes,
        numberReady=nodes,
        updatedNumberScheduled=nodes,
    )
    await status_becomes(rig, DAEMON_SETS, "web", wanted)


async def test_a_jobs_successes_are_summed(rig: Rig) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata("task", rig.namespace),
        "spec": {"template": pod_template("task", restartPolicy="Never")},
    }
    await propagated(rig, JOBS, job)
    await status_becomes(rig, JOBS, "task", counts(succeeded=3))


async def test_a_services_addresses_are_put_together(rig: Rig) -> None:
    await propagated(rig, SERVICES, service("web", rig.namespace, kind="LoadBalancer"))
    written = await say_in_members(rig, SERVICES, "web", balancer)
    wanted = [entry for status in written for entry in status["loadBalancer"]["ingress"]]

    def check(status: Json) -> None:
        found = (status.get("loadBalancer") or {}).get("ingress") or []
        assert [(entry["ip"], entry["hostname"]) for entry in found] == [(e["ip"], e["hostname"]) for e in wanted]

    await status_becomes(rig, SERVICES, "web", check)


async def test_an_ingresss_addresses_are_put_together(rig: Rig) -> None:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata("web", rig.namespace),
        "spec": {"rules": [{"host": "www.example.io", "http": {"paths": [path]}}]},
    }
    await propagated(rig, INGRESSES, ingress)
    written = await say_in_members(rig, INGRESSES, "web", balancer)
    wanted = {"ingress": [entry for status in written for entry in status["loadBalancer"]["ingress"]]}

    def check(status: Json) -> None:
        assert status.get("loadBalancer") == wanted

    await status_becomes(rig, INGRESSES, "web", check)


async def test_a_disruption_budgets_counters_are_summed(rig: Rig) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata("web", rig.namespace),
        "spec": {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "nobody"}}},
    }
    await propagated(rig, BUDGETS, budget)

    async def summed() -> None:
        # a member's own controller may write its counters too: what counts is the sum of what members say
        said = [await rig.get(member, BUDGETS, "web", rig.namespace) for member in rig.members]
        live = await rig.get("hub", BUDGETS, "web", rig.namespace)
        assert live is not None
        for name in ("disruptionsAllowed", "expectedPods"):
            total = sum((one or {}).get("status", {}).get(name, 0) for one in said)
            assert live["status"][name] == total

    base = {"currentHealthy": 0, "desiredHealthy": 0}
    await say_in_members(
        rig, BUDGETS, "web", lambda number: {**base, "disruptionsAllowed": number, "expectedPods": number + 1}
    )
    await rig.eventually(summed)


async def test_a_node_ports_number_is_the_same_in_all_members(rig: Rig) -> None:
    await propagated(rig, SERVICES, service("web", rig.namespace, kind="NodePort"))
    hub = await rig.get("hub", SERVICES, "web", rig.namespace)
    assert hub is not None
    wanted = hub["spec"]["ports"][0]["nodePort"]
    for member in rig.members:
        live = await rig.get(member, SERVICES, "web", rig.namespace)
        assert live is not None and live["spec"]["ports"][0]["nodePort"] == wanted

    async def applied() -> None:
        binding = await rig.get("hub", scheme.RESOURCE_BINDINGS, "web-service", rig.namespace)
        assert binding is not None
        statuses = [one["status"] for one in binding["status"]["conditions"] if one["type"] == "FullyApplied"]
        assert statuses == ["True"]

    await rig.eventually(applied)
