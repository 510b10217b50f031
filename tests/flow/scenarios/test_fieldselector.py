"""Clusters are chosen by provider and region."""

from __future__ import annotations

from tests.support.objects import DEPLOYMENTS, deployment, policy, selects
from tests.support.rig import Rig


async def test_provider_and_region_select_exactly_the_first(rig: Rig) -> None:
    places = (("huaweicloud", "cn-south-1"), ("huaweicloud", "cn-north-1"), ("kind", "cn-east-1"))
    for name, (provider, region) in zip(rig.members, places, strict=True):
        await rig.edit_cluster(name, {"provider": provider, "region": region})
    selector = {
        "matchExpressions": [
            {"key": "provider", "operator": "In", "values": ["huaweicloud"]},
            {"key": "region", "operator": "NotIn", "values": ["cn-north-1"]},
        ]
    }
    template = deployment("web", rig.namespace)
    placement = {"clusterAffinity": {"clusterNames": rig.members, "fieldSelector": selector}}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
    await rig.reaches(rig.members[:1], DEPLOYMENTS, "web", rig.namespace)
    await rig.divides("web-deployment", {rig.members[0]: 3})
