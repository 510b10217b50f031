"""Bindings of objects outside of namespaces."""

from __future__ import annotations

from tests.support.objects import CLUSTER_ROLES, metadata, policy, selects
from tests.support.rig import Rig

from hansa.api import names, scheme


async def test_works_and_member_objects_bear_the_id_of_their_binding(rig: Rig) -> None:
    name = rig.name("reader")
    template = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(name),
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    await rig.apply(template, policy(rig.name("p"), None, [selects(template)]))
    await rig.reaches(rig.members, CLUSTER_ROLES, name)
    binding = await rig.get("hub", scheme.CLUSTER_RESOURCE_BINDINGS, f"{name}-clusterrole")
    assert binding is not None
    identity = binding["metadata"]["labels"][names.CLUSTER_BINDING_ID_LABEL]
    label = f"{names.CLUSTER_BINDING_ID_LABEL}={identity}"
    works = await rig.list("hub", scheme.WORKS, labels=label)
    assert len(works) == len(rig.members) == len(binding["spec"]["clusters"])
    for member in rig.members:
        live = await rig.get(member, CLUSTER_ROLES, name)
        assert live is not None and live["metadata"]["labels"][names.CLUSTER_BINDING_ID_LABEL] == identity
