"""Workloads of several pod templates go to one cluster as a whole.

Their components are written into the binding directly, as the interpreter of their kind would do.
"""

from __future__ import annotations

import pytest
from tests.support.objects import crd, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api import scheme
from hansa.api.meta import Json, Resource


def part(name: str, replicas: int, cpu: str, memory: str) -> Json:
    return {
        "name": name,
        "replicas": replicas,
        "replicaRequirements": {"resourceRequest": {"cpu": cpu, "memory": memory}},
    }


WORKLOADS = {
    "FlinkDeployment": [part("jobmanager", 1, "50m", "100m"), part("taskmanager", 1, "100m", "100m")],
    "VolcanoJob": [part("job-nginx1", 1, "200m", "100Mi"), part("job-nginx2", 2, "100m", "100Mi")],
}


@pytest.mark.parametrize("kind", sorted(WORKLOADS))
async def test_all_components_go_to_exactly_one_cluster(rig: Rig, kind: str) -> None:
    group, plural = f"{rig.name('g')}.io", f"{kind.lower()}s"
    for server in ("hub", *rig.members):
        await rig.apply(crd(group, kind, plural), server=server)
    resource = Resource(group, "v1alpha1", plural, kind, True)
    template = {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": metadata("job", rig.namespace), "spec": {}}
    constraint = {"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}
    placement = {
        "spreadConstraints": [constraint],
        "replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"},
    }
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
    name = f"job-{kind.lower()}"

    async def there() -> None:
        await rig.binding(name)

    await rig.eventually(there)
    spec = {"components": WORKLOADS[kind], "clusters": None}
    await rig.patch(scheme.RESOURCE_BINDINGS, name, {"spec": spec}, rig.namespace)

    async def scheduled() -> None:
        binding = await rig.binding(name)
        assert rig.scheduled(binding)[:2] == ("True", "Success")
        (target,) = binding["spec"]["clusters"]
        wanted = {entry["name"]: entry["replicas"] for entry in WORKLOADS[kind]}
        assert {entry["name"]: entry["replicas"] for entry in target["components"]} == wanted
        assert await rig.where(resource, "job", rig.namespace) == [target["name"]]

    await rig.eventually(scheduled)
