"""Taints keep off what does not tolerate them, and drive nothing out."""

from __future__ import annotations

from tests.support.objects import DEPLOYMENTS, deployment, policy, selects
from tests.support.rig import Rig

KEY = "cluster-toleration.karmada.io"


async def test_only_the_cluster_whose_taint_is_tolerated_is_used(rig: Rig) -> None:
    for name in rig.members:
        await rig.edit_cluster(name, {"taints": [{"key": KEY, "value": name, "effect": "NoSchedule"}]})
    first = rig.members[0]
    template = deployment("web", rig.namespace)
    toleration = {"key": KEY, "value": first, "operator": "Equal", "effect": "NoSchedule"}
    placement = {"clusterTolerations": [toleration]}
    await rig.apply(template, policy("p", rig.namespace, [selects(template)], placement=placement))
    await rig.divides("web-deployment", {first: 3})
    await rig.reaches([first], DEPLOYMENTS, "web", rig.namespace)


async def test_a_taint_drives_nothing_out(rig: Rig) -> None:
    template = deployment("web", rig.namespace)
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    await rig.divides("web-deployment", dict.fromkeys(rig.members, 3))
    await rig.edit_cluster(rig.members[0], {"taints": [{"key": KEY, "value": "x", "effect": "NoSchedule"}]})

    async def there() -> None:
        assert await rig.where(DEPLOYMENTS, "web", rig.namespace) == rig.members

    await rig.holds(there)
