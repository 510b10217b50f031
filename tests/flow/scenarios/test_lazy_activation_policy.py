"""Policies whose changes wait for the template's next change (activationPreference: Lazy)."""

from __future__ import annotations

from tests.support.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment, policy, selects
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json

PPS = scheme.PROPAGATION_POLICIES


def lazy(rig: Rig, template: Json, member: str, *, name: str = "lazy", **spec: object) -> Json:
    return policy(name, rig.namespace, [selects(template)], clusters=[member], activationPreference="Lazy", **spec)


async def claimed(rig: Rig, name: str, by: str) -> None:
    async def told() -> None:
        live = await rig.get("hub", CONFIG_MAPS, name, rig.namespace)
        assert live is not None and live["metadata"]["annotations"][names.POLICY_NAME_ANNOTATION] == by

    await rig.eventually(told)


async def stays(rig: Rig, *members: str, name: str = "web") -> None:
    async def there() -> None:
        assert await rig.where(CONFIG_MAPS, name, rig.namespace) == list(members)

    await rig.holds(there, seconds=3)


async def touch(rig: Rig, name: str = "web", value: str = "edited") -> None:
    await rig.patch(CONFIG_MAPS, name, {"data": {"user": value}}, rig.namespace)


async def test_a_template_after_its_lazy_policy_is_propagated(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(lazy(rig, template, "member1"), template)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)


async def test_a_template_before_its_lazy_policy_is_claimed_and_waits_for_its_next_edit(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(template)
    await rig.holds(_nothing, seconds=1)
    await rig.apply(lazy(rig, template, "member1"))
    await claimed(rig, "web", "lazy")
    await stays(rig)
    await touch(rig)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)


async def _nothing() -> None:
    """Time passes: the template is known before the policy comes."""


async def test_an_edit_of_a_lazy_policy_waits_for_the_templates_next_edit(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(lazy(rig, template, "member1"), template)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)
    await rig.apply(lazy(rig, template, "member2"))
    await stays(rig, "member1")
    await touch(rig)
    await rig.reaches(["member2"], CONFIG_MAPS, "web", rig.namespace)


async def test_a_policy_that_is_lazy_no_longer_acts_at_once(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(lazy(rig, template, "member1"), template)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)
    await rig.apply(policy("lazy", rig.namespace, [selects(template)], clusters=["member2"]))
    await rig.reaches(["member2"], CONFIG_MAPS, "web", rig.namespace)


async def test_a_policy_that_is_lazy_no_longer_acts_on_what_it_only_claimed(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(template)
    await rig.holds(_nothing, seconds=1)
    await rig.apply(lazy(rig, template, "member1"))
    await claimed(rig, "web", "lazy")
    await stays(rig)
    await rig.apply(policy("lazy", rig.namespace, [selects(template)], clusters=["member1"]))
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)


async def test_what_comes_with_the_turn_to_laziness_waits(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(policy("lazy", rig.namespace, [selects(template)], clusters=["member1"]), template)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)
    await rig.apply(lazy(rig, template, "member2"))
    await stays(rig, "member1")
    await touch(rig)
    await rig.reaches(["member2"], CONFIG_MAPS, "web", rig.namespace)


async def test_a_lazy_preemptor_claims_at_once_and_acts_at_the_next_edit(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(policy("first", rig.namespace, [selects(template)], clusters=["member1"], priority=1), template)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)
    await rig.apply(lazy(rig, template, "member2", name="taker", priority=2, preemption="Always"))
    await claimed(rig, "web", "taker")
    await stays(rig, "member1")
    await touch(rig)
    await rig.reaches(["member2"], CONFIG_MAPS, "web", rig.namespace)


async def test_a_deleted_lazy_policy_moves_nothing(rig: Rig) -> None:
    template = config_map("web", rig.namespace)
    await rig.apply(lazy(rig, template, "member1"), template)
    await rig.reaches(["member1"], CONFIG_MAPS, "web", rig.namespace)
    await rig.delete(PPS, "lazy", rig.namespace)
    await stays(rig, "member1")


async def test_dependencies_follow_lazily_too(rig: Rig) -> None:
    settings = config_map("settings", rig.namespace)
    pod = {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]}
    template = deployment("web", rig.namespace, pod=pod)
    await rig.apply(settings, template)
    await rig.holds(_nothing, seconds=1)
    await rig.apply(lazy(rig, template, "member1", propagateDeps=True))

    async def nowhere() -> None:
        assert await rig.where(DEPLOYMENTS, "web", rig.namespace) == []
        assert await rig.where(CONFIG_MAPS, "settings", rig.namespace) == []

    await rig.holds(nowhere, seconds=3)
    await rig.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 1}}, rig.namespace)
    await rig.reaches(["member1"], DEPLOYMENTS, "web", rig.namespace)
    await rig.reaches(["member1"], CONFIG_MAPS, "settings", rig.namespace)
