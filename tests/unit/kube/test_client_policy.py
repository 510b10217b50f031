"""What the client repeats, what it never repeats, what it counts, and how it reads what servers say."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec
import pytest
from prometheus_client import REGISTRY
from tests.support import virtual_time
from tests.support.scripted_server import Fault, ScriptedServer, status

from hansa.api import scheme
from hansa.api.item import Item
from hansa.api.meta import GVK
from hansa.kube.client import Client
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import AlreadyExists, ApiError, Conflict, NotFound, ServerError, TooManyRequests, Unreachable
from hansa.kube.limit import TokenBucket
from hansa.kube.retry import RetryPolicy
from hansa.kube.transport import Answer

CM = scheme.CONFIGMAPS


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.BUSY, Fault.BROKEN])
def test_reads_are_repeated(fault: Fault) -> None:
    async def story() -> None:
        server = ScriptedServer(faults=deque([fault, fault]))
        server.put("a")
        assert (await Client(server).get(CM, "a", "default")).meta.name == "a"
        assert len(server.log) == 3

    virtual_time.run(story())


@pytest.mark.parametrize(("fault", "error"), [(Fault.REFUSED, Unreachable), (Fault.BROKEN, ServerError)])
def test_writes_are_never_repeated_blindly(fault: Fault, error: type[Exception]) -> None:
    async def story() -> None:
        client = Client(server := ScriptedServer())
        server.put("a")
        writes = [
            lambda: client.create(CM, config_map("b")),
            lambda: client.update(CM, config_map("a")),
            lambda: client.patch(CM, "a", "default", {"data": {"x": "y"}}),
            lambda: client.delete(CM, "a", "default"),
        ]
        for number, write in enumerate(writes, 1):
            server.faults.append(fault)
            with pytest.raises(error):
                await write()
            assert len(server.log) == number

    virtual_time.run(story())


def test_a_write_that_was_turned_away_is_sent_again_when_the_server_said() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        server = ScriptedServer(faults=deque([Fault.BUSY]), retry_after="3")
        await Client(server).create(CM, config_map("a"))
        assert server.log == ["POST /api/v1/namespaces/default/configmaps"] * 2
        assert 3 <= loop.time() <= 3.31

    virtual_time.run(story())


def test_patience_has_an_end() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        server = ScriptedServer(faults=deque([Fault.BUSY]), retry_after="3600")
        with pytest.raises(TooManyRequests):
            await Client(server).get(CM, "a", "default")
        assert loop.time() == 0
        server = ScriptedServer(faults=deque([Fault.REFUSED] * 9))
        with pytest.raises(Unreachable):
            await Client(server, retry=RetryPolicy(attempts=3)).get(CM, "a", "default")
        assert len(server.log) == 3

    virtual_time.run(story())


async def test_a_page_that_is_no_answer_is_not_absence() -> None:
    client = Client(ScriptedServer(faults=deque([Fault.NONSENSE] * 3)))
    with pytest.raises(Unreachable, match="cannot be read"):
        await client.list(CM)
    with pytest.raises(Unreachable, match="cannot be read"):
        await client.get(CM, "a", "default")
    with pytest.raises(Unreachable, match="cannot be read"):
        await client.discovery.refresh()


async def test_lists_come_in_pages_and_are_consistent() -> None:
    server = ScriptedServer()
    for number in range(7):
        server.put(f"n{number}")
    found = await Client(server).list(CM, page_size=3)
    assert [item.meta.name for item in found.items] == [f"n{number}" for number in range(7)]
    assert found.resource_version == "8"
    assert {item.kind for item in found.items} == {"ConfigMap"}
    assert len(server.log) == 3


async def test_writes_by_item_json_and_struct() -> None:
    class Map(msgspec.Struct, rename="camel"):
        api_version: str
        kind: str
        metadata: dict[str, str]

    client = Client(ScriptedServer())
    made = await client.create(CM, Map("v1", "ConfigMap", {"name": "a", "namespace": "default"}))
    made = await client.update(CM, made)
    listed = (await client.list(CM)).items[0]
    assert (await client.update(CM, listed)).meta.uid == made.meta.uid
    with pytest.raises(Conflict):
        await client.update(CM, listed)
    with pytest.raises(AlreadyExists):
        await client.create(CM, config_map("a"))
    assert await client.delete(CM, "a", "default") is None
    with pytest.raises(NotFound):
        await client.get(CM, "a", "default")


class Echo:
    """Answers with what it was sent."""

    server = "https://echo"

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def request(self, method: str, path: str, *, body: bytes = b"", **_: object) -> Answer:
        self.bodies.append(body)
        return Answer(200, {}, body)

    def stream(self, *_: object, **__: object) -> object:
        raise NotImplementedError

    async def close(self) -> None: ...


@pytest.mark.parametrize("raw", [b'{"metadata":{"name":"a"}}', b' { "metadata" : { "name" : "a" } }', b"{ }"])
async def test_an_item_from_a_list_is_sent_with_its_kind(raw: bytes) -> None:
    echo = Echo()
    item = Item.parse(raw, api_version="v1", kind="ConfigMap")
    await Client(echo).create(CM, item, "default")  # type: ignore[arg-type]
    sent = msgspec.json.decode(echo.bodies[0])
    assert sent == {**msgspec.json.decode(raw), "apiVersion": "v1", "kind": "ConfigMap"}


async def test_an_item_that_has_its_kind_is_sent_as_it_is() -> None:
    echo = Echo()
    raw = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}'
    await Client(echo).create(CM, Item.parse(raw), "default")  # type: ignore[arg-type]
    assert echo.bodies[0] is raw or echo.bodies[0] == raw


def test_requests_are_counted_by_verb_resource_and_code() -> None:
    async def story() -> None:
        server = ScriptedServer(server="https://counted", faults=deque([Fault.REFUSED]))
        client = Client(server)
        with pytest.raises(NotFound):
            await client.get(CM, "a", "default")
        async with client.watch(CM, resource_version="1"):
            pass

    virtual_time.run(story())

    def count(verb: str, code: str) -> float | None:
        labels = {"server": "https://counted", "verb": verb, "resource": "configmaps", "code": code}
        return REGISTRY.get_sample_value("hansa_requests_total", labels)

    assert (count("get", "0"), count("get", "404"), count("watch", "200")) == (1, 1, 1)


def test_the_rate_limit_lets_a_burst_through_and_then_its_rate() -> None:
    async def story() -> list[float]:
        loop = asyncio.get_running_loop()
        bucket = TokenBucket(10, 5)
        at: list[float] = []

        async def ask() -> None:
            await bucket.take()
            at.append(round(loop.time(), 3))

        given_up = asyncio.create_task(asyncio.sleep(0))
        async with asyncio.TaskGroup() as group:
            for number in range(9):
                task = group.create_task(ask())
                if number == 7:
                    given_up = task
            await asyncio.sleep(0.05)
            given_up.cancel()
        return at

    at = virtual_time.run(story())
    assert at[:5] == [0, 0, 0, 0, 0]
    assert at[5:7] == [0.1, 0.2]
    assert len(at) == 8


async def test_discovery_finds_kinds_and_says_what_is_not_there() -> None:
    server = ScriptedServer()
    discovery = Client(server).discovery
    assert await discovery.resource_for(GVK("", "v1", "ConfigMap")) == CM
    with pytest.raises(NoMatch, match='no matches for kind "Widget" in version "x/v1"'):
        await discovery.resource_for(GVK("x", "v1", "Widget"))
    assert discovery.complete


async def test_discovery_asks_once_for_all_who_wait() -> None:
    server = ScriptedServer()
    discovery = Client(server).discovery
    await asyncio.gather(*(discovery.refresh() for _ in range(20)))
    assert len(server.log) <= 4


LEGACY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            },
            {"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}]},
        ],
    },
    "/api/v1": {
        "groupVersion": "v1",
        "resources": [{"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}],
    },
    "/apis/apps/v1": {
        "groupVersion": "apps/v1",
        "resources": [
            {
                "name": "deployments",
                "kind": "Deployment",
                "namespaced": True,
                "verbs": ["get"],
                "shortNames": ["deploy"],
            },
            {"name": "deployments/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
        ],
    },
    "/apis/metrics.k8s.io/v1beta1": {
        "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [{"name": "pods", "kind": "PodMetrics", "namespaced": True, "verbs": ["get"]}],
    },
}


class Legacy(Echo):
    """A server without aggregated discovery, one of whose groups may be down."""

    down = False

    async def request(self, method: str, path: str, **_: object) -> Answer:  # type: ignore[override]
        if self.down and "metrics" in path:
            return status(503, "ServiceUnavailable")
        return Answer(200, {}, msgspec.json.encode(LEGACY[path]))


def test_legacy_discovery_keeps_what_a_silent_group_had() -> None:
    async def story() -> None:
        legacy = Legacy()
        discovery = Client(legacy).discovery  # type: ignore[arg-type]
        await discovery.refresh()
        deployments = discovery.known(GVK("apps", "v1", "Deployment"))
        assert deployments is not None
        assert deployments.subresources == {"scale"}
        assert deployments.short_names == ("deploy",)
        assert discovery.complete
        legacy.down = True
        await discovery.refresh()
        assert not discovery.complete
        assert discovery.known(GVK("metrics.k8s.io", "v1beta1", "PodMetrics")) is not None

    virtual_time.run(story())


async def test_errors_keep_their_code_and_reason() -> None:
    server = ScriptedServer(faults=deque([Fault.EXPIRED]))
    with pytest.raises(ApiError) as caught:
        await Client(server).list(CM)
    assert (caught.value.status_code, caught.value.status_reason) == (410, "Expired")
