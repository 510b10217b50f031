"""Namespaces of the hub are in every member."""

from __future__ import annotations

from tests.support.rig import Rig

from hansa.api import names, scheme


async def test_a_namespace_comes_and_goes_everywhere(rig: Rig) -> None:
    name = rig.name("space")
    await rig.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await rig.reaches(rig.members, scheme.NAMESPACES, name)
    await rig.delete(scheme.NAMESPACES, name)
    await rig.reaches([], scheme.NAMESPACES, name)


async def test_a_label_keeps_a_namespace_on_the_hub(rig: Rig) -> None:
    name = rig.name("home")
    labels = {names.SKIP_AUTO_PROPAGATION_LABEL: "true"}
    await rig.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    async def nowhere() -> None:
        assert await rig.where(scheme.NAMESPACES, name) == []

    await rig.holds(nowhere, seconds=3)


async def test_execution_namespaces_stay_on_the_hub(rig: Rig) -> None:
    for member in rig.members:
        assert await rig.get("hub", scheme.NAMESPACES, f"karmada-es-{member}") is not None
        assert await rig.where(scheme.NAMESPACES, f"karmada-es-{member}") == []
