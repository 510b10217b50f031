"""Workloads that are in a member already, before their template is."""

from __future__ import annotations

from tests.support.objects import DEPLOYMENTS, deployment, policy, selects
from tests.support.rig import Rig

from hansa.api import names
from hansa.api.meta import Json


async def ported(rig: Rig) -> Json:
    """A Deployment that member1 had first."""
    template = deployment("web", rig.namespace, replicas=2)
    await rig.apply(template, server="member1")
    await rig.apply(template, policy("p", rig.namespace, [selects(template)]))
    return template


async def counted(rig: Rig, replicas: int) -> None:
    async def there() -> None:
        live = await rig.get("hub", DEPLOYMENTS, "web", rig.namespace)
        assert live is not None
        status = live.get("status") or {}
        assert [status.get(name) for name in ("replicas", "readyReplicas", "updatedReplicas")] == [replicas] * 3

    await rig.eventually(there)


async def test_only_members_where_it_was_applied_count(rig: Rig) -> None:
    await ported(rig)
    await counted(rig, 4)
    live = await rig.get("member1", DEPLOYMENTS, "web", rig.namespace)
    assert live is not None and names.MANAGED_LABEL not in live["metadata"].get("labels", {})


async def test_an_annotation_of_the_template_lets_it_be_taken_over(rig: Rig) -> None:
    await ported(rig)
    await counted(rig, 4)
    note = {"metadata": {"annotations": {names.CONFLICT_RESOLUTION_ANNOTATION: "overwrite"}}}
    await rig.patch(DEPLOYMENTS, "web", note, rig.namespace)
    await counted(rig, 6)
    live = await rig.get("member1", DEPLOYMENTS, "web", rig.namespace)
    assert live is not None and live["metadata"]["labels"][names.MANAGED_LABEL] == "true"
