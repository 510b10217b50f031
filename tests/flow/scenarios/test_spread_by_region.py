"""Clusters are chosen by region; a region that is asked for wins over the most clusters that are."""

from __future__ import annotations

from tests.support.objects import DEPLOYMENTS, deployment, policy, selects
from tests.support.rig import Rig

from hansa.api.meta import Json


def by(field: str, count: int) -> Json:
    return {"spreadByField": field, "minGroups": count, "maxGroups": count}


async def test_one_cluster_in_each_of_two_regions_and_then_in_one(rig: Rig) -> None:
    regions = dict(zip(rig.members, ("east", "east", "west"), strict=True))
    for name, region in regions.items():
        await rig.edit_cluster(name, {"region": region})
    template = deployment("web", rig.namespace)

    def asking_for(count: int) -> Json:
        constraints = [by("cluster", 1), by("region", count)]
        return policy("p", rig.namespace, [selects(template)], placement={"spreadConstraints": constraints})

    async def used() -> list[str]:
        return [target["name"] for target in (await rig.binding("web-deployment"))["spec"]["clusters"]]

    async def in_both() -> None:
        assert sorted(regions[name] for name in await used()) == ["east", "west"]

    async def in_one() -> None:
        assert len(await used()) == 1

    await rig.apply(template, asking_for(2))
    await rig.eventually(in_both)
    await rig.reaches(await used(), DEPLOYMENTS, "web", rig.namespace)
    await rig.apply(asking_for(1))
    await rig.eventually(in_one)
    await rig.reaches(await used(), DEPLOYMENTS, "web", rig.namespace)


async def test_too_few_regions_are_told_with_a_way_out(rig: Rig) -> None:
    for name in rig.members:
        await rig.edit_cluster(name, {"region": "east"})
    template = deployment("web", rig.namespace)
    placement = {"spreadConstraints": [by("cluster", 2), by("region", 2)]}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
    await rig.refused("web-deployment", "SchedulerError", "the number of feasible region is less than")
    told = await rig.event("ScheduleBindingFailed", "web", rig.namespace)
    assert "placement.spreadConstraints[1] asks for 2 or more by region. Lower minGroups" in told["message"]
