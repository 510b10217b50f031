"""Installing, joining and leaving, on embedded servers in this process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from hansa.api import names, scheme
from hansa.apiserver.embedded import ADMIN, start_embedded
from hansa.app.inprocess import InProcessTransport
from hansa.dialect.kubefed import types
from hansa.install import objects
from hansa.install.init import deinit, init
from hansa.install.join import JoinRequest, join
from hansa.install.unjoin import unjoin
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError, Forbidden, NotFound
from hansa.runtime.clock import LoopClock

FEW = types.enablements(types.DEFAULT_TYPES[:2])


def quiet(text: str) -> None:
    del text


@asynccontextmanager
async def server(name: str, *, user=ADMIN) -> AsyncGenerator[Client, None]:
    embedded = await start_embedded(name, clock=LoopClock())
    try:
        yield Client(InProcessTransport(name, embedded, user=user), qps=0)
    finally:
        await embedded.stop()


@pytest.fixture
async def hub():
    async with server("hub") as client:
        await init(client, quiet, federated=FEW)
        yield client


@pytest.fixture
async def member():
    async with server("member1") as client:
        yield client


def request(name="member1"):
    return JoinRequest(name, "https://127.0.0.1:6443", region="eu", zones=("eu-a",), provider="test")


async def versions(hub):
    found = {}
    for resource in (scheme.CRDS, scheme.NAMESPACES, scheme.CLUSTER_ROLES, scheme.FEDERATED_TYPE_CONFIGS):
        for item in (await hub.list(resource)).items:
            found[(resource.plural, str(item.key))] = item.meta.resource_version
    return found


async def test_a_second_init_changes_nothing(hub):
    before = await versions(hub)
    await init(hub, quiet, federated=FEW)
    assert await versions(hub) == before


async def test_init_warns_of_nodes(hub):
    await hub.create(scheme.NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    said = []
    await init(hub, said.append, federated=FEW)
    assert any("nodes of its own" in text for text in said)


async def test_a_joined_member_serves_both_dialects(hub, member):
    await join(hub, member, request(), quiet)
    cluster = (await hub.get(scheme.CLUSTERS, "member1")).json()
    kube_system = (await member.get(scheme.NAMESPACES, "kube-system")).meta.uid
    assert cluster["spec"]["id"] == kube_system
    assert cluster["spec"]["syncMode"] == "Push"
    assert (cluster["spec"]["region"], cluster["spec"]["zones"]) == ("eu", ["eu-a"])
    secret = await hub.get(scheme.SECRETS, "member1", names.CLUSTER_NAMESPACE)
    assert set(secret.json()["data"]) == {"token", "caBundle"}
    (owner,) = secret.meta.owner_references
    assert (owner.kind, owner.uid) == ("Cluster", cluster["metadata"]["uid"])
    kubefed = (await hub.get(scheme.KUBEFED_CLUSTERS, "member1", names.KUBEFED_NAMESPACE)).json()
    assert kubefed["spec"]["apiEndpoint"] == "https://127.0.0.1:6443"
    token = await hub.get(scheme.SECRETS, kubefed["spec"]["secretRef"]["name"], names.KUBEFED_NAMESPACE)
    assert token.json()["data"]["token"]


@pytest.mark.parametrize("name", ["member1", "other"])
async def test_a_second_join_is_refused_and_writes_nothing(hub, member, name):
    await join(hub, member, request(), quiet)
    before = await versions(hub)
    with pytest.raises(ConfigError, match="has been registered"):
        await join(hub, member, request(name), quiet)
    assert await versions(hub) == before


@pytest.mark.parametrize("name", ["", "Big", "a.b", "x" * 49])
async def test_a_name_that_cannot_be_one_is_refused(hub, member, name):
    with pytest.raises(ConfigError, match="invalid cluster name"):
        await join(hub, member, request(name), quiet)


async def test_joining_a_hub_without_hansa_names_the_way_out(member):
    async with server("plain") as plain:
        with pytest.raises(ConfigError, match="hansa init"):
            await join(plain, member, request(), quiet)


async def test_leaving_cleans_both_sides(hub, member):
    await join(hub, member, request(), quiet)
    await unjoin(hub, "member1", quiet, member=member)
    for resource, name, namespace in (
        (scheme.CLUSTERS, "member1", None),
        (scheme.KUBEFED_CLUSTERS, "member1", names.KUBEFED_NAMESPACE),
    ):
        with pytest.raises(NotFound):
            await hub.get(resource, name, namespace)
    with pytest.raises(NotFound):
        await member.get(scheme.CLUSTER_ROLES, "karmada-controller-manager:karmada-member1")
    with pytest.raises(ConfigError, match="no cluster object"):
        await unjoin(hub, "member1", quiet)


@pytest.mark.parametrize("namespace", [names.CLUSTER_NAMESPACE, names.KUBEFED_NAMESPACE])
async def test_credentials_that_an_earlier_cluster_left_are_not_taken_for_those_of_the_next(hub, member, namespace):
    """They are there until the garbage collector has seen that their Cluster is gone."""
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": names.CLUSTER_NAMESPACE}
    owner["uid"] = (await hub.get(scheme.NAMESPACES, owner["name"])).meta.uid
    left = {"apiVersion": "v1", "kind": "Secret", "data": {"token": "b2xk"}}
    left["metadata"] = {"name": "member1", "namespace": namespace, "ownerReferences": [owner]}
    await hub.create(scheme.SECRETS, left)
    await join(hub, member, request(), quiet)
    found = await hub.get(scheme.SECRETS, "member1", namespace)
    assert found.json()["data"]["token"] != "b2xk"
    assert [each.kind for each in found.meta.owner_references] == ["Cluster"]


async def test_deinit_refuses_while_somebody_is_joined_and_then_leaves_nothing(hub, member):
    await join(hub, member, request(), quiet)
    before = await versions(hub)
    with pytest.raises(ConfigError, match="still joined: member1"):
        await deinit(hub, quiet)
    assert await versions(hub) == before
    await unjoin(hub, "member1", quiet)
    await deinit(hub, quiet)
    groups = {item.json()["spec"]["group"] for item in (await hub.list(scheme.CRDS)).items}
    assert groups <= {"multicluster.x-k8s.io"}
    with pytest.raises(NotFound):
        await hub.get(scheme.CLUSTER_ROLES, objects.ROLE)


async def test_the_account_may_do_its_work_and_no_more(hub):
    embedded = hub.transport._handler
    account = Client(InProcessTransport("hub", embedded, user=embedded_user()), qps=0)
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    await hub.create(scheme.CONFIGMAPS, config_map)
    await account.patch(scheme.CONFIGMAPS, "a", "default", {"metadata": {"labels": {"claimed": "yes"}}})
    for forbidden in (
        account.delete(scheme.CONFIGMAPS, "a", "default"),
        account.create(scheme.CONFIGMAPS, {**config_map, "metadata": {"name": "b", "namespace": "default"}}),
        account.delete(scheme.SECRETS, "x", "default"),
        account.delete(scheme.NODES, "x"),
    ):
        with pytest.raises(Forbidden):
            await forbidden


def embedded_user():
    from hansa.apiserver.message import UserInfo

    return UserInfo(objects.ACCOUNT_USER, ("system:serviceaccounts",))
