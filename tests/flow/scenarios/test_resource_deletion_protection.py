"""Objects that nobody deletes by accident."""

from __future__ import annotations

import pytest
from tests.support.objects import DEPLOYMENTS, config_map, deployment
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.kube.errors import ApiError

MESSAGE = f"This resource is protected, please make sure to remove the label: {names.DELETION_PROTECTED_LABEL}"
PROTECTED = {names.DELETION_PROTECTED_LABEL: "Always"}
UNPROTECT = {"metadata": {"labels": {names.DELETION_PROTECTED_LABEL: None}}}


async def test_a_protected_object_is_deleted_only_without_its_label(rig: Rig) -> None:
    await rig.apply(deployment("web", rig.namespace, labels=PROTECTED))
    with pytest.raises(ApiError, match=MESSAGE):
        await rig.delete(DEPLOYMENTS, "web", rig.namespace)
    await rig.patch(DEPLOYMENTS, "web", UNPROTECT, rig.namespace)
    await rig.delete(DEPLOYMENTS, "web", rig.namespace)

    async def gone() -> None:
        assert await rig.get("hub", DEPLOYMENTS, "web", rig.namespace) is None

    await rig.eventually(gone)


async def test_a_protected_namespace_is_deleted_only_without_its_label(rig: Rig) -> None:
    name = rig.name("space")
    await rig.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": PROTECTED}})
    with pytest.raises(ApiError, match=MESSAGE):
        await rig.delete(scheme.NAMESPACES, name)
    await rig.patch(scheme.NAMESPACES, name, UNPROTECT)
    await rig.delete(scheme.NAMESPACES, name)


async def test_a_namespace_with_a_protected_object_does_not_end_before_the_protection(rig: Rig) -> None:
    name = rig.name("space")
    await rig.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await rig.apply(deployment("web", name, labels=PROTECTED))
    await rig.delete(scheme.NAMESPACES, name)

    async def terminating() -> None:
        live = await rig.get("hub", scheme.NAMESPACES, name)
        assert live is not None and live["status"]["phase"] == "Terminating"
        assert await rig.get("hub", DEPLOYMENTS, "web", name) is not None

    await rig.eventually(terminating)
    await rig.holds(terminating, seconds=5)
    await rig.patch(DEPLOYMENTS, "web", UNPROTECT, name)

    async def gone() -> None:
        assert await rig.get("hub", scheme.NAMESPACES, name) is None

    await rig.eventually(gone, seconds=120)


async def test_another_value_of_the_label_protects_nothing(rig: Rig) -> None:
    await rig.apply(config_map("open", rig.namespace, labels={names.DELETION_PROTECTED_LABEL: ""}))
    await rig.delete(scheme.CONFIGMAPS, "open", rig.namespace)
    assert await rig.get("hub", scheme.CONFIGMAPS, "open", rig.namespace) is None
