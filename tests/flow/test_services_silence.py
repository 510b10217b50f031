"""Clusters that are not heard of: nothing goes at first, age is told, endpoints go when they are stale, and return."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from tests.flow.test_services_flow import FLAT, MEMBERS, SPACE, addresses, exporters, exports, imported, slice_, start
from tests.support.federation import Federation, Tap, running
from tests.support.services import by_type

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.base.clock import parse_rfc3339
from hansa.base.names import execution_namespace
from hansa.kube.transport import Answer
from hansa.runtime.clock import LoopClock
from hansa.service.silence import COUNT_SECONDS, GRACE_SECONDS, LISTEN_SECONDS

pytestmark = pytest.mark.looptime(resolution=2**-20)
LIMIT = 900.0
NOTICED = GRACE_SECONDS + 3 * LISTEN_SECONDS
"""Until watches have broken and the Lease is written."""


@pytest.fixture
async def federation(server_keys: Keys) -> AsyncGenerator[Federation, None]:
    async with running(server_keys, all_crds(), speaks_kubefed=False, serves_services=True) as built:
        yield built


async def both_export(federation: Federation) -> None:
    federation.stale_after_seconds = LIMIT
    await federation.restart()
    await start(federation)
    await exports(federation, "member1", "10.1.0.1")
    await exports(federation, "member2", "10.2.0.1")


async def lease(federation: Federation, cluster: str = "member1") -> Json:
    found = await federation.get("hub", scheme.LEASES, names.SERVICES_LEASE, execution_namespace(cluster))
    assert found is not None
    return found


async def remark(federation: Federation, member: str = "member3") -> str:
    found = await imported(federation, member)
    assert found is not None
    ready = by_type(found)["Ready"]
    assert ready["status"] == "True"
    return ready["message"]


async def listens(federation: Federation, seconds: float) -> None:
    """Time goes by, and what is due is done."""
    await asyncio.sleep(seconds)
    await federation.settle()


BOTH, SECOND = ["10.1.0.1", "10.2.0.1"], ["10.2.0.1"]


async def test_nothing_goes_while_the_age_is_told(federation: Federation) -> None:
    await both_export(federation)
    before = federation.clock.now()
    federation.cut("member1")
    await listens(federation, LIMIT / 2)
    for member in ("member2", "member3"):
        assert await addresses(federation, member) == BOTH
        assert await exporters(federation, member) == ["member1", "member2"]
        said = await remark(federation, member)
        assert said.startswith("member1: not heard of since ") and "withdrawn" not in said
        since = parse_rfc3339(said.removeprefix("member1: not heard of since "))
        assert abs(since - before) < timedelta(seconds=NOTICED)
    age = REGISTRY.get_sample_value("hansa_services_silent_seconds", {"cluster": "member1"})
    assert age is not None and LIMIT / 2 - NOTICED < age <= LIMIT / 2 + NOTICED
    assert REGISTRY.get_sample_value("hansa_services_silent_seconds", {"cluster": "member2"}) is None


async def test_a_stale_clusters_endpoints_go_and_return_with_it(federation: Federation) -> None:
    await both_export(federation)
    address = (await imported(federation, "member3") or {})["spec"]["ips"]
    federation.cut("member1")
    await listens(federation, LIMIT - NOTICED)
    assert await addresses(federation, "member3") == BOTH
    await listens(federation, 2 * NOTICED)
    for member in ("member2", "member3"):
        assert await addresses(federation, member) == SECOND
        assert (await remark(federation, member)).endswith("its endpoints are withdrawn")
        assert await exporters(federation, member) == ["member1", "member2"]  # nobody knows that it exports no more
    assert await addresses(federation, "member1") == BOTH
    federation.cut("member1", False)
    await listens(federation, 60)
    for member in MEMBERS:
        assert await addresses(federation, member) == BOTH
        assert await remark(federation, member) == ""
    assert (await imported(federation, "member3") or {})["spec"]["ips"] == address
    assert names.SILENT_ANNOTATION not in (await lease(federation))["metadata"].get("annotations", {})
    assert REGISTRY.get_sample_value("hansa_services_silent_seconds", {"cluster": "member1"}) is None


async def test_the_import_stays_when_all_that_export_are_stale(federation: Federation) -> None:
    await both_export(federation)
    before = await imported(federation, "member3")
    for member in ("member1", "member2"):
        federation.cut(member)
    await listens(federation, LIMIT + NOTICED)
    now = await imported(federation, "member3")
    assert before and now and now["spec"] == before["spec"]
    assert await addresses(federation, "member3") == []
    assert now["status"]["endpointSliceObjects"] == "Absent"
    await federation.restart()
    await listens(federation, 60)
    assert await imported(federation, "member3") is not None


async def test_a_cluster_that_is_back_just_in_time_loses_nothing(federation: Federation) -> None:
    await both_export(federation)
    federation.cut("member1")
    await listens(federation, LIMIT - NOTICED)
    federation.cut("member1", False)
    await listens(federation, NOTICED)
    federation.cut("member1")
    await listens(federation, LIMIT / 2)
    assert await addresses(federation, "member3") == BOTH


async def test_the_age_outlives_a_control_plane_and_time_without_one_is_no_silence(federation: Federation) -> None:
    await both_export(federation)
    federation.cut("member1")
    await listens(federation, LIMIT / 2)
    since = (await lease(federation))["spec"]["renewTime"]
    await federation.plane.stop()
    await asyncio.sleep(3 * LIMIT)
    await federation.restart()
    await listens(federation, LIMIT / 2 - NOTICED)
    assert await addresses(federation, "member3") == BOTH
    assert (await lease(federation))["spec"]["renewTime"] == since
    await listens(federation, COUNT_SECONDS + 2 * NOTICED)
    assert await addresses(federation, "member3") == SECOND


async def test_a_restart_with_a_stale_cluster_withdraws_nothing_of_others_and_brings_nothing_back(
    federation: Federation,
) -> None:
    await both_export(federation)
    federation.cut("member1")
    await listens(federation, LIMIT + 2 * NOTICED)
    await federation.restart()
    await listens(federation, 60)
    assert await addresses(federation, "member3") == SECOND
    assert [write for write in federation.plane.writes if "/leases" not in write] == []


async def test_who_is_heard_first_after_a_restart_was_never_stale(federation: Federation) -> None:
    """The count is a moment before its end when the new process starts, and the cluster is back by then."""
    await both_export(federation)
    federation.cut("member1")
    await listens(federation, LIMIT - NOTICED)
    await federation.plane.stop()
    almost = {"metadata": {"annotations": {names.SILENT_ANNOTATION: str(int(LIMIT - 1))}}}
    await federation.hub.patch(scheme.LEASES, names.SERVICES_LEASE, execution_namespace("member1"), almost)
    federation.cut("member1", False)
    await federation.restart()
    for _ in range(120):
        await asyncio.sleep(1)
        assert await addresses(federation, "member3") == BOTH
    assert names.SILENT_ANNOTATION not in (await lease(federation))["metadata"].get("annotations", {})


class Jumping(LoopClock):
    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.mark.parametrize("days", [3, -3])
async def test_a_clock_that_jumps_makes_nobody_stale_or_young(federation: Federation, days: int) -> None:
    await both_export(federation)
    federation.clock = clock = Jumping()
    await federation.restart()
    await federation.settle()
    federation.cut("member1")
    await listens(federation, LIMIT / 2)
    clock.ahead = timedelta(days=days)
    await listens(federation, LIMIT / 2 - 2 * NOTICED)
    assert await addresses(federation, "member3") == BOTH
    await listens(federation, 4 * NOTICED)
    assert await addresses(federation, "member3") == SECOND


async def test_a_control_plane_that_is_cut_off_itself_counts_nothing(federation: Federation) -> None:
    await both_export(federation)
    federation.plane.wire.cut = True
    federation.cut("member1")
    await asyncio.sleep(2 * LIMIT)
    federation.plane.wire.cut = False
    await asyncio.sleep(2 * NOTICED)
    assert await addresses(federation, "member3") == BOTH
    assert "not heard of since" in await remark(federation)


async def test_zero_means_never(federation: Federation) -> None:
    await both_export(federation)
    federation.stale_after_seconds = 0.0
    await federation.restart()
    federation.cut("member1")
    await listens(federation, 3 * LIMIT)
    assert await addresses(federation, "member3") == BOTH
    assert "not heard of since" in await remark(federation)


async def test_an_export_says_itself_that_it_is_not_heard_where_it_can_be_written(server_keys: Keys) -> None:
    class Refuses(Tap):
        broken = False

        def before(self, server: str, method: str, path: str, body: bytes) -> Answer | None:
            if self.broken and (server, method) == ("member1", "GET") and "endpointslices" in path:
                return Answer(500, {}, b'{"kind":"Status","reason":"InternalError","code":500,"message":"broken"}')
            return None

    tap = Refuses()
    async with running(server_keys, all_crds(), speaks_kubefed=False, serves_services=True, tap=tap) as federation:
        federation.stale_after_seconds = LIMIT
        await federation.restart()
        await start(federation)
        await exports(federation, "member1", "10.1.0.1")
        tap.broken = True
        await federation.restart()
        await listens(federation, 2 * NOTICED)
        found = await federation.get("member1", scheme.SERVICE_EXPORTS, "hello", SPACE)
        assert found
        ready, valid = by_type(found)["Ready"], by_type(found)["Valid"]
        assert (ready["status"], ready["reason"]) == ("Unknown", "Pending")
        assert ready["message"].startswith("this cluster is not heard of since ") and valid["status"] == "True"
        tap.broken = False
        await listens(federation, 2 * NOTICED)
        found = await federation.get("member1", scheme.SERVICE_EXPORTS, "hello", SPACE)
        assert found and by_type(found)["Ready"]["reason"] == "Exported"


async def test_slices_that_a_multi_cluster_service_attached_go_too(federation: Federation) -> None:
    await both_export(federation)
    service: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"ports": [{"name": "tcp", "port": 42}]},
    }
    native: Json = {
        "apiVersion": "networking.karmada.io/v1alpha1",
        "kind": "MultiClusterService",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"types": ["CrossCluster"], "providerClusters": [{"name": "member1"}]},
    }
    pods = slice_("10.1.0.9")
    pods["metadata"]["namespace"] = "default"
    await federation.apply(pods, server="member1")
    await federation.apply(service, native)
    label = f"{names.MANAGED_BY_LABEL}={names.KARMADA_DISPATCHED_SLICE_MANAGER}"

    async def attached() -> int:
        return len((await federation.clients["member3"].list(scheme.ENDPOINT_SLICES, "default", labels=label)).items)

    await listens(federation, 10)
    assert await attached() == 1
    federation.cut("member1")
    await asyncio.sleep(LIMIT - NOTICED)
    assert await attached() == 1
    await asyncio.sleep(3 * NOTICED)
    assert await attached() == 0
    federation.cut("member1", False)
    await asyncio.sleep(2 * NOTICED)
    assert await attached() == 1


async def test_a_network_of_its_own_says_both(federation: Federation) -> None:
    await both_export(federation)
    await federation.hub.patch(
        scheme.CLUSTERS, "member3", None, {"metadata": {"annotations": dict.fromkeys(FLAT, "elsewhere")}}
    )
    federation.cut("member1")
    await listens(federation, 2 * NOTICED)
    assert "without a gateway: member1, member2; member1: not heard of" in await remark(federation)
