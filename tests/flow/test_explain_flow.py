"""Explanations of a federation in one process: what is found, and what is said where something is missing."""

from __future__ import annotations

import pytest
from tests.support import objects
from tests.support.federation import Federation

from hansa.api.meta import Json
from hansa.api.scheme import CLUSTERS as _CLUSTERS
from hansa.apiserver.message import UserInfo
from hansa.app.admission import plug
from hansa.app.inprocess import InProcessTransport
from hansa.base.gates import Gates
from hansa.control.context import Options
from hansa.foresight.deciding import Rules
from hansa.foresight.edits import Edit, carry_out
from hansa.foresight.explain import explain
from hansa.foresight.explanation import Explanation
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError

# a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
pytestmark = pytest.mark.looptime(resolution=2**-20)
SPACE = "shop"
RULES = Rules()


async def opened(federation: Federation, *objs: Json) -> Federation:
    plug(federation.servers["hub"].context.admission)
    await federation.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    await federation.join("member1", "member2")
    await federation.settle()
    for obj in objs:
        await carry_out(federation.hub, Edit(obj), SPACE)
        await federation.settle()
    return federation


def words(name: str = "words") -> Json:
    return objects.config_map(name, SPACE)


def policy(
    name: str, *clusters: str, namespace: str | None = SPACE, selector: Json | None = None, **spec: object
) -> Json:
    selectors = [selector or objects.selects(words())]
    return objects.policy(name, namespace, selectors, clusters=clusters or ["member1"], **spec)


async def told(
    federation: Federation, kind: str = "configmap", name: str = "words", rules: Rules = RULES
) -> Explanation:
    return await explain(federation.hub, kind, name, SPACE, rules, federation.clock.now())


def rivals(found: Explanation) -> dict[str, str]:
    return {rival.policy.rpartition("/")[2].rpartition(" ")[2]: rival.why for rival in found.claim.rivals}


@pytest.mark.parametrize(
    "kind", ["configmap", "ConfigMap", "cm", "configmaps", "resourcebinding", "rb.work.karmada.io", "works"]
)
async def test_kinds_as_kubectl_takes_them(federation: Federation, kind: str):
    shop = await opened(federation, words(), policy("p"))
    if kind == "works":
        (name,) = [
            each["metadata"]["name"] for each in await shop.works("member1") if "words" in each["metadata"]["name"]
        ]
        found = await explain(shop.hub, kind, name, "karmada-es-member1", RULES, shop.clock.now())
    else:
        binding = kind.startswith(("rb", "resourcebinding"))
        found = await told(shop, kind, "words-configmap" if binding else "words")
    assert found.object == "ConfigMap shop/words"
    assert found.binding == "ResourceBinding shop/words-configmap"
    assert found.claim.policy == "PropagationPolicy shop/p"
    assert [(each.cluster, each.applied, each.health) for each in found.members] == [("member1", True, "Healthy")]
    assert found.waiting == ()
    assert found.lacking == ()


async def test_why_other_policies_do_not_have_it(federation: Federation):
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    shop = await opened(
        federation,
        words(),
        policy("holder", priority=5),
        policy("lower", priority=1),
        policy("looser", priority=5, selector=kind),
        policy("later", priority=5),
        policy("higher", priority=9),
        policy("greedy", priority=4, preemption="Always"),
        policy("wide", namespace=None, preemption="Always", priority=9),
        policy("stranger", selector={**kind, "name": "other"}),
        policy("labelled", selector={**kind, "labelSelector": {"matchLabels": {"a": "b"}}}),
    )
    found = await told(shop)
    assert found.claim.policy == "PropagationPolicy shop/holder"
    assert rivals(found) == {
        "lower": "selects it too, but comes second: priority 1 against 5",
        "looser": "selects it too, but comes second: selects it by its kind, the other by its name",
        "later": "selects it too, but comes second: name later against holder",
        "higher": "would come first (priority 9 against 5), but came later and takes nothing over (preemption: Never)",
        "greedy": "wants to take it over (preemption: Always), and may not: its priority 4 is not higher than 5",
        "wide": (
            "wants to take it over (preemption: Always), and may not:"
            " a cluster-wide policy takes nothing from a policy of a namespace"
        ),
        "stranger": "selects ConfigMap other",
        "labelled": "its label selector does not match the labels of ConfigMap words",
    }


async def test_what_nobody_claims(federation: Federation):
    found = await told(await opened(federation, words()))
    assert (found.claim.policy, found.claim.why, found.binding) == ("", "no policy selects it", "")
    assert found.waiting == ("a binding: no policy selects it",)


async def test_each_filter_that_is_against_a_cluster(federation: Federation):
    shop = await opened(federation, words(), policy("p"))
    cluster = await shop.get("hub", _CLUSTERS, "member2")
    assert cluster is not None
    taint = {"key": "full", "value": "yes", "effect": "NoSchedule"}
    await shop.hub.patch(_CLUSTERS, "member2", None, {"spec": {"taints": [taint]}})
    await shop.settle()
    found = await told(shop)
    assert found.decision is not None
    refused = {each.name: each.refusals for each in found.decision.attempts[0].clusters}
    assert refused == {
        "member1": (),
        "member2": (
            "TaintToleration: cluster(s) had untolerated taint {full=yes:NoSchedule}",
            "ClusterAffinity: cluster(s) did not match the placement cluster affinity constraint",
        ),
    }


async def test_what_overrides_change_and_which_of_them_fail(federation: Federation):
    add = {"path": "/data/user", "operator": "replace", "value": "anna"}
    bert = {**add, "value": "bert"}
    missing = {"path": "/data/nobody", "operator": "replace", "value": "x"}
    selects = [objects.selects(words())]

    def rule(cluster: str, entry: Json) -> Json:
        return {"targetCluster": {"clusterNames": [cluster]}, "overriders": {"plaintext": [entry]}}

    shop = await opened(
        federation,
        objects.override_policy("a-wide", None, selects, [rule("member1", add)]),
        objects.override_policy("own", SPACE, selects, [rule("member1", bert), rule("member2", missing)]),
        words(),
        policy("p", "member1", "member2"),
    )
    found = await told(shop)
    shown = [
        (each.cluster, each.policy, each.rule, [(f.path, f.before, f.after) for f in each.fields], bool(each.fault))
        for each in found.overrides
    ]
    assert shown == [
        ("member1", "ClusterOverridePolicy a-wide", 0, [("/data/user", "karmada", "anna")], False),
        ("member1", "OverridePolicy shop/own", 0, [("/data/user", "anna", "bert")], False),
        ("member2", "OverridePolicy shop/own", 1, [], True),
    ]
    assert "member2: its Work has not been made; events of the binding say why" in found.waiting


async def test_what_is_waited_for_in_a_cluster(federation: Federation):
    held = {"dispatchingOnClusters": {"clusterNames": ["member1"]}}
    shop = await opened(federation, words(), policy("p", "member1", "member2", suspension=held))
    shop.cut("member2")
    await shop.settle(60)
    found = await told(shop)
    assert found.waiting == (
        "member1: dispatching is suspended",
        "member2: the cluster is not ready: cluster is not reachable",
    )


async def test_rights_that_are_missing_are_named(federation: Federation):
    shop = await opened(federation, words(), policy("p"))
    rules = [{"apiGroups": ["", "work.karmada.io"], "resources": ["configmaps", "resourcebindings"], "verbs": ["get"]}]
    group = "rbac.authorization.k8s.io"
    await shop.apply(
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "anna"}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "anna"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "anna"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "anna"}],
        },
    )
    user = UserInfo("anna", ("system:authenticated",))
    hub = Client(InProcessTransport("hub", shop.servers["hub"], user=user), qps=0)
    found = await explain(hub, "configmap", "words", SPACE, RULES, shop.clock.now())
    assert found.members[0].cluster == "member1"
    assert found.waiting == ()
    assert set(found.lacking) == {
        "list works.work.karmada.io",
        "list clusters.cluster.karmada.io",
        "list propagationpolicies.policy.karmada.io in namespace shop",
        "list clusterpropagationpolicies.policy.karmada.io",
        "list clusteroverridepolicies.policy.karmada.io",
        "list overridepolicies.policy.karmada.io in namespace shop",
        "list resourcebindings.work.karmada.io in namespace shop",
    }
    with pytest.raises(ConfigError, match=r"you may not get secrets in namespace shop"):
        await explain(hub, "secret", "x", SPACE, RULES, shop.clock.now())


async def test_what_is_on_its_way_takes_room(federation: Federation):
    """Until its cluster says so: five minutes at most, as the scheduler has it."""
    for member in ("member1", "member2"):
        await federation.apply(node(8), server=member)
    divided = {"replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}}
    shops = [objects.deployment(name, SPACE, replicas=3) for name in ("web", "till")]
    selectors = [objects.selects(each) for each in shops]
    everything = objects.policy("everything", SPACE, selectors, placement=divided)
    shop = await opened(federation)
    await shop.settle(25)
    await shop.apply(*shops, everything)
    await shop.settle()

    async def rooms(rules: Rules = RULES) -> dict[str, tuple[int | None, int]]:
        found = await told(shop, "deployment", "web", rules)
        assert found.decision is not None
        return {each.name: (each.room, each.arriving) for each in found.decision.attempts[0].clusters}

    assert await rooms() == {"member1": (5, 3), "member2": (5, 3)}
    assert await rooms(Rules(Options(gates=Gates.parse("SchedulingOvercommitProtection=false")))) == {
        "member1": (8, 0),
        "member2": (8, 0),
    }
    await shop.settle(301)
    assert await rooms() == {"member1": (8, 0), "member2": (8, 0)}


def node(pods: int) -> Json:
    status = {"allocatable": {"pods": str(pods), "cpu": "64", "memory": "64Gi"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": status}


async def test_what_is_not_there(federation: Federation):
    shop = await opened(federation)
    with pytest.raises(ConfigError, match='configmaps "nothing" not found in namespace shop'):
        await told(shop, name="nothing")
    with pytest.raises(ConfigError, match='the server doesn\'t have a resource type "things"'):
        await told(shop, kind="things")
