"""What every scenario starts from."""

from __future__ import annotations

from tests.support.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment, policy, selects
from tests.support.rig import Rig

from hansa.api import scheme


async def test_all_members_are_joined_ready_and_labelled(rig: Rig) -> None:
    clusters = await rig.list("hub", scheme.CLUSTERS, labels="location=CHN,sync-mode=Push")
    assert [cluster["metadata"]["name"] for cluster in clusters] == rig.members
    for cluster in clusters:
        ready = [one["status"] for one in cluster["status"]["conditions"] if one["type"] == "Ready"]
        assert ready == ["True"]


async def test_a_deployment_runs_in_its_members_and_tells_so_on_the_hub(rig: Rig) -> None:
    template = deployment("web", rig.namespace, replicas=2)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member1", "member2"]))
    await rig.reaches(["member1", "member2"], DEPLOYMENTS, "web", rig.namespace)

    async def counted() -> None:
        live = await rig.get("hub", DEPLOYMENTS, "web", rig.namespace)
        assert live is not None and live["status"]["readyReplicas"] == 4

    await rig.eventually(counted)


async def test_scenarios_do_not_see_each_other(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], clusters=["member3"]))
    await rig.reaches(["member3"], CONFIG_MAPS, "web", rig.namespace)
