"""Plans over a federation in one process: what they show, what they refuse, what they leave out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support import objects
from tests.support.federation import Federation

from hansa.api.meta import Json
from hansa.apiserver.message import UserInfo
from hansa.app.admission import plug
from hansa.app.control_plane import Settings
from hansa.app.inprocess import InProcessTransport
from hansa.app.rehearsal import plan, what_if
from hansa.foresight.capture import capture
from hansa.foresight.edits import Edit, carry_out
from hansa.foresight.plan import Move, Plan
from hansa.foresight.veil import Veil
from hansa.foresight.whatif import Forecast, Scenario
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError

SPACE = "shop"
MEMBERS = ("member1", "member2", "member3")
_THREAD = ThreadPoolExecutor(1)
# a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
pytestmark = pytest.mark.looptime(resolution=2**-20)


async def opened(federation: Federation) -> Federation:
    """A Deployment and a Secret of one policy in member1 and member2."""
    plug(federation.servers["hub"].context.admission)
    await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    for region, name in zip(("north", "north", "south"), MEMBERS, strict=True):
        await federation.join(name, region=region)
    for obj in (front(), secret(), policy()):
        await carry_out(federation.hub, Edit(obj), SPACE)
    await federation.settle()
    return federation


def front(replicas: int = 2, **changes: object) -> Json:
    return objects.deployment("front", SPACE, replicas=replicas, **changes)


def secret(password: str = "swordfish") -> Json:
    return objects.secret("door", SPACE, {"password": password})


def policy(clusters: Sequence[str] = ("member1", "member2"), **changes: object) -> Json:
    selectors = [objects.selects(front()), objects.selects(secret())]
    return objects.policy("everything", SPACE, selectors, clusters=clusters, **changes)


async def planned(federation: Federation, *edits: Json | Edit, veil: Veil | None = None) -> Plan:
    veil = veil or Veil()
    snapshot = await capture(federation.hub, federation.clock, veil)
    chosen = [edit if isinstance(edit, Edit) else Edit(veil.over(edit)) for edit in edits]
    return _THREAD.submit(plan, snapshot, chosen, SPACE, Settings()).result()


def members(found: Plan) -> list[tuple[str, str, str]]:
    return [(change.action, change.cluster, change.kind) for change in found.members]


async def test_what_is_there_already_changes_nothing(federation: Federation):
    shop = await opened(federation)
    before = shop.servers["hub"].context.storage.version
    found = await planned(shop, front(), secret(), policy())
    assert found.empty
    assert not found.deletes
    assert found.notes == ()
    assert [change.action for change in found.hub] == ["unchanged"] * 3
    assert shop.servers["hub"].context.storage.version == before


async def test_a_policy_that_leaves_a_cluster_deletes_there(federation: Federation):
    shop = await opened(federation)
    found = await planned(shop, policy(["member2", "member3"]))
    assert members(found) == [
        ("deleted", "member1", "Deployment"),
        ("deleted", "member1", "Secret"),
        ("created", "member3", "Deployment"),
        ("created", "member3", "Secret"),
    ]
    assert found.deletes
    moves = next(change.moves for change in found.bindings if change.template == "Deployment shop/front")
    assert moves == (
        Move(cluster="member1", before=2, after=None),
        Move(cluster="member3", before=None, after=2),
    )


async def test_what_is_preserved_is_released_and_not_deleted(federation: Federation):
    shop = await opened(federation)
    found = await planned(
        shop, policy(preserveResourcesOnDeletion=True), policy(["member2"], preserveResourcesOnDeletion=True)
    )
    assert [entry for entry in members(found) if entry[1] == "member1"] == [
        ("released", "member1", "Deployment"),
        ("released", "member1", "Secret"),
    ]
    assert not found.deletes


async def test_a_cluster_out_of_reach_is_cleaned_later(federation: Federation):
    shop = await opened(federation)
    shop.cut("member1")
    await shop.settle(60)
    found = await planned(shop, policy(["member2"]))
    assert members(found)[0] == ("waiting", "member1", "Deployment")
    assert found.deletes


async def test_fields_are_compared_and_secrets_are_not_shown(federation: Federation):
    shop = await opened(federation)
    found = await planned(shop, front(image="nginx:2"), secret("sesame"))
    fields = {change.kind: [(f.path, f.before, f.after) for f in change.fields] for change in found.members}
    assert fields == {
        "Deployment": [("/spec/template/spec/containers/0/image", objects.IMAGE, "nginx:2")],
        "Secret": [("/data/password", "(hidden)", "(hidden)")],
    }
    assert "sesame" not in repr(found) and "hidden:" not in repr(found)


async def test_deleting_a_namespace_names_all_that_goes_with_it(federation: Federation):
    shop = await opened(federation)
    found = await planned(
        shop, Edit({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}, delete=True)
    )
    gone = {(change.kind, change.name, change.named) for change in found.hub if change.action == "deleted"}
    assert {("Namespace", SPACE, True), ("Deployment", "front", False), ("Secret", "door", False)} <= gone
    assert ("deleted", "member1", "Deployment") in members(found)


async def test_deleting_a_policy_deletes_nothing_in_members(federation: Federation):
    shop = await opened(federation)
    found = await planned(shop, Edit(policy(), delete=True))
    assert not found.destroyed
    assert [change.action for change in found.hub] == ["deleted"]


async def test_a_tie_of_a_new_template_is_told(federation: Federation):
    shop = await opened(federation)
    weighted = {"replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"}}
    new = objects.deployment("new", SPACE, replicas=3)
    divided = objects.policy("divided", SPACE, [objects.selects(new)], placement=weighted)
    even = objects.deployment("new", SPACE, replicas=4)
    found = await planned(shop, new, divided)
    assert (found.bindings[0].moves, found.bindings[0].or_moves) == (_moves(1, 1, 1), ())
    found = await planned(shop, even, divided)
    assert (found.bindings[0].moves, found.bindings[0].or_moves) == (
        _moves(2, 1, 1),
        _moves(1, 1, 2),
    )


def _moves(*after: int) -> tuple[Move, ...]:
    return tuple(Move(cluster=name, before=None, after=count) for name, count in zip(MEMBERS, after, strict=True))


async def test_a_policy_that_fits_nowhere_says_why(federation: Federation):
    shop = await opened(federation)
    other = objects.deployment("other", SPACE)
    lost = objects.policy(
        "lost",
        SPACE,
        [objects.selects(other)],
        placement={"clusterAffinity": {"labelSelector": {"matchLabels": {"gpu": "yes"}}}},
    )
    found = await planned(shop, other, lost)
    assert found.bindings[0].moves == ()
    assert "cluster(s) did not match the placement cluster affinity constraint" in found.bindings[0].refused
    assert any("ScheduleBindingFailed" in problem for problem in found.problems)


async def test_what_the_hub_refuses_is_refused(federation: Federation):
    shop = await opened(federation)
    with pytest.raises(ConfigError, match=r"PropagationPolicy shop/everything: .*schedulerName"):
        await planned(shop, policy(schedulerName="other"))
    with pytest.raises(ConfigError, match='no matches for kind "Thing"'):
        await planned(shop, {"apiVersion": "example.io/v1", "kind": "Thing", "metadata": {"name": "x"}})


async def test_what_was_left_to_do_is_told_apart(federation: Federation):
    """A template that the control plane has not seen yet: here because it has stopped."""
    shop = await opened(federation)
    await shop.plane.stop()
    await shop.apply(
        objects.deployment("late", SPACE),
        objects.policy("late", SPACE, [objects.selects(objects.deployment("late", SPACE))]),
    )
    shop.plane = type(shop.plane)(shop)
    found = await planned(shop, front())
    assert found.empty
    assert any("still to be done without this: Deployment shop/late is created" in note for note in found.notes)


async def test_what_may_not_be_read_is_left_out_and_never_taken_for_absent(federation: Federation):
    shop = await opened(federation)
    rules = [
        {"apiGroups": [group], "resources": ["*"], "verbs": ["get", "list"]}
        for group in ("policy.karmada.io", "work.karmada.io", "cluster.karmada.io", "apps", "apiextensions.k8s.io")
    ]
    rules.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]})
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": rules,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "anna"}],
    }
    await shop.apply(role, binding)
    reader = Client(InProcessTransport("hub", shop.servers["hub"], user=UserInfo("anna", ("system:authenticated",))))
    snapshot = await capture(reader, shop.clock, Veil())
    found = _THREAD.submit(plan, snapshot, [Edit(front(3))], SPACE, Settings()).result()
    assert {change.kind for change in found.members} == {"Deployment"}
    assert not found.deletes
    assert any(note.startswith("left out: secrets: ") for note in found.notes)
    rules.pop(0)
    await shop.apply({**role, "rules": rules})
    with pytest.raises(ConfigError, match=r"you may not list propagationpolicies.policy.karmada.io"):
        await capture(reader, shop.clock, Veil())


# -- what if ----------------------------------------------------------------------------------------------------------


async def forecast(federation: Federation, **scenario: tuple[str, ...]) -> Forecast:
    snapshot = await capture(federation.hub, federation.clock, Veil())
    return _THREAD.submit(what_if, snapshot, Scenario(**scenario), Settings()).result()


async def test_a_failed_cluster_keeps_what_it_has_and_its_replicas_find_another_place(federation: Federation):
    shop = await opened(federation)
    placement = {
        "clusterAffinity": {"exclude": ["member2"]},
        "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}],
    }
    moving = objects.deployment("moving", SPACE, replicas=2)
    await carry_out(shop.hub, Edit(moving), SPACE)
    await carry_out(shop.hub, Edit(objects.policy("one", SPACE, [objects.selects(moving)], placement=placement)), SPACE)
    await shop.settle()
    found = await forecast(shop, failed_clusters=("member1",))
    assert found.failed == ("member1",)
    assert not found.at_once.deletes and found.at_once.members == ()
    by_name = {each.template: each for each in found.affected}
    assert by_name["Deployment shop/moving"].gained == (Move(cluster="member3", before=None, after=2),)
    assert by_name["Deployment shop/front"].gained == ()
    assert (by_name["Deployment shop/front"].remaining, by_name["Deployment shop/front"].missing) == (2, 0)
    assert found.others == 1
    assert not found.missing


async def test_a_region_that_fails_leaves_no_place(federation: Federation):
    shop = await opened(federation)
    found = await forecast(shop, failed_regions=("north",))
    assert found.failed == ("member1", "member2")
    (front_,) = found.affected
    assert front_.missing == 2
    assert "0/3 clusters are available" in front_.refused


async def test_a_new_cluster_like_another_gets_what_its_policies_give_it(federation: Federation):
    shop = await opened(federation)
    everywhere = objects.config_map("words", SPACE)
    await carry_out(shop.hub, Edit(everywhere), SPACE)
    await carry_out(shop.hub, Edit(objects.policy("all", SPACE, [objects.selects(everywhere)])), SPACE)
    await shop.settle()
    found = await forecast(shop, added=("member4=like:member1",))
    assert ("created", "member4", "ConfigMap") in members(found.at_once)
    assert ("created", "member4", "Namespace") in members(found.at_once)
    assert ("created", "member4", "Deployment") not in members(found.at_once)
    assert not found.at_once.deletes


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ({"failed_clusters": ("member9",)}, "no cluster member9: there are member1, member2, member3"),
        ({"failed_regions": ("east",)}, "no cluster in region east: there are north, south"),
        ({"added": ("member1=like:member2",)}, "there is a cluster member1 already"),
        ({"added": ("member4=like:member9",)}, "no cluster member9"),
    ],
)
async def test_what_is_not_there_cannot_fail(federation: Federation, scenario: dict[str, tuple[str, ...]], words: str):
    shop = await opened(federation)
    with pytest.raises(ConfigError, match=words):
        await forecast(shop, **scenario)
