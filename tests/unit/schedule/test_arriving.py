"""What bindings tell of load that is on its way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hansa.api.meta import Json
from hansa.api.work import ResourceBinding
from hansa.base.clock import rfc3339
from hansa.schedule.arriving import LIFETIME_SECONDS, age_seconds, arriving, arriving_in_all
from hansa.schedule.capacity import Demand

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CPU = Demand.of({"cpu": "1"})


def binding(ago: float | None, *, health: Json | None = None, replicas: int = 3, cpu: str = "1") -> ResourceBinding:
    status: Json = {
        "aggregatedStatus": [{"clusterName": name, "health": said} for name, said in (health or {}).items()]
    }
    if ago is not None:
        status["lastScheduledTime"] = rfc3339(NOW - timedelta(seconds=ago))
    spec: Json = {
        "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "web"},
        "replicas": replicas,
        "clusters": [{"name": "m1", "replicas": 2}, {"name": "m2", "replicas": 1}],
    }
    if replicas:
        spec["replicaRequirements"] = {"resourceRequest": {"cpu": cpu}}
    return msgspec.convert({"spec": spec, "status": status}, ResourceBinding)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (binding(0), {"m1": 2, "m2": 1}),
        (binding(-60), {"m1": 2, "m2": 1}),  # the hub's clock is ahead
        (binding(LIFETIME_SECONDS - 1), {"m1": 2, "m2": 1}),
        (binding(LIFETIME_SECONDS), {}),
        (binding(None), {}),
        (binding(10, replicas=0), {}),
        (binding(10, health={"m1": "Healthy", "m2": "Unhealthy"}), {"m2": 1}),
        (binding(10, health={"m1": "Unknown"}), {"m1": 2, "m2": 1}),
    ],
)
def test_what_one_binding_has_on_its_way(one: ResourceBinding, wanted: dict[str, int]):
    found = arriving(one.spec, one.status, NOW)
    assert {name: sum(count for _, count in load) for name, load in found.items()} == wanted


def test_loads_of_many_are_summed_by_demand():
    found = arriving_in_all([binding(1), binding(2, cpu="2"), binding(3, health={"m2": "Healthy"})], NOW)
    big = Demand.of({"cpu": "2"})
    assert {name: dict(load) for name, load in found.items()} == {"m1": {CPU: 4, big: 2}, "m2": {CPU: 1, big: 1}}


def test_a_time_that_cannot_be_read_is_none():
    one = binding(None)
    status = msgspec.structs.replace(one.status, last_scheduled_time="yesterday")
    assert age_seconds(status, NOW) is None
