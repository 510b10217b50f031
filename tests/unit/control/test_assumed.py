"""What is on its way takes room, until it has arrived, has left, or is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hansa.api.work import AggregatedStatusItem, BindingSpec, BindingStatus, TargetCluster
from hansa.base.clock import rfc3339
from hansa.control.place.assumed import Assumed, key_of
from hansa.schedule.arriving import LIFETIME_SECONDS
from hansa.schedule.capacity import Demand

ONE = Demand.of({"cpu": "1"})


@dataclass
class Hands:
    at: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return self.at


def binding(name: str, **spec: Any) -> BindingSpec:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": name}
    requirements = {"resourceRequest": {"cpu": "1"}}
    document = {"resource": reference, "replicas": 3, "replicaRequirements": requirements, **spec}
    return msgspec.convert(document, BindingSpec)


def targets(**replicas: int) -> list[TargetCluster]:
    return [TargetCluster(name=name, replicas=count) for name, count in replicas.items()]


def told(assumed: Assumed, spec: BindingSpec | None = None) -> Mapping[str, dict[Demand, int]]:
    loads = assumed.loads(spec or binding("somebody-else"))
    return {name: dict(load) for name, load in loads.items()}


def test_loads_of_all_bindings_are_summed_by_demand() -> None:
    assumed = Assumed(Hands())
    assumed.add(binding("a"), targets(m1=2, m2=1))
    assumed.add(binding("b", replicaRequirements={"resourceRequest": {"cpu": "2"}}), targets(m1=3))
    assert told(assumed) == {"m1": {ONE: 2, Demand.of({"cpu": "2"}): 3}, "m2": {ONE: 1}}
    assumed.add(binding("a"), targets(m2=4))
    assert told(assumed) == {"m1": {Demand.of({"cpu": "2"}): 3}, "m2": {ONE: 4}}


def test_of_its_own_a_binding_counts_what_it_is_known_to_have() -> None:
    """A decision whose write failed is made again, and must not find its own room taken."""
    assumed = Assumed(Hands())
    assumed.add(binding("a"), targets(m1=5))
    assumed.add(binding("b"), targets(m1=1))
    assert told(assumed, binding("a")) == {"m1": {ONE: 1}}
    held = [{"name": "m1", "replicas": 2}]
    assert told(assumed, binding("a", clusters=held)) == {"m1": {ONE: 3}}


def test_what_is_healthy_is_in_the_clusters_status() -> None:
    assumed = Assumed(Hands())
    assumed.add(binding("a"), targets(m1=2, m2=1))
    items = [
        AggregatedStatusItem(cluster_name="m1", health="Healthy"),
        AggregatedStatusItem(cluster_name="m2", health="Unhealthy"),
    ]
    assumed.settle(key_of(binding("a")), BindingStatus(aggregated_status=items))
    assert told(assumed) == {"m2": {ONE: 1}}
    assumed.drop(key_of(binding("a")))
    assert told(assumed) == {} and not assumed.knows(key_of(binding("a")))


def test_after_a_time_it_is_forgotten() -> None:
    hands = Hands()
    assumed = Assumed(hands)
    assumed.add(binding("a"), targets(m1=2))
    hands.at = LIFETIME_SECONDS / 2
    assumed.add(binding("b"), targets(m1=1))
    hands.at = LIFETIME_SECONDS
    assert told(assumed) == {"m1": {ONE: 1}}


def test_where_nothing_arrives_nothing_is_forgotten() -> None:
    hands = Hands()
    assumed = Assumed(hands, forgets=False)
    assumed.add(binding("a"), targets(m1=2))
    hands.at = 10 * LIFETIME_SECONDS
    assert told(assumed) == {"m1": {ONE: 2}}


def test_what_was_decided_before_is_recalled_in_any_order() -> None:
    """Each for the rest of its time."""
    hands = Hands(at=1000.0)
    assumed = Assumed(hands)
    for name, ago in (("young", 10), ("old", 290), ("gone", 310)):
        decided = rfc3339(hands.now() - timedelta(seconds=ago))
        held = [{"name": "m1", "replicas": 1}]
        assumed.recall(binding(name, clusters=held), BindingStatus(last_scheduled_time=decided))
    assert told(assumed) == {"m1": {ONE: 2}}
    hands.at += 15
    assert told(assumed) == {"m1": {ONE: 1}} and assumed.knows(key_of(binding("young")))


def test_all_components_go_along() -> None:
    assumed = Assumed(Hands())
    parts = [
        {"name": "manager", "replicas": 1, "replicaRequirements": {"resourceRequest": {"cpu": "1"}}},
        {"name": "worker", "replicas": 2, "replicaRequirements": {"resourceRequest": {"cpu": "3"}}},
    ]
    assumed.add(binding("a", replicas=0, components=parts), targets(m1=0))
    assert told(assumed) == {"m1": {ONE: 1, Demand.of({"cpu": "3"}): 2}}


def test_plain_objects_take_no_room() -> None:
    assumed = Assumed(Hands())
    plain = msgspec.structs.replace(binding("a"), replicas=0, replica_requirements=None)
    assumed.add(plain, targets(m1=0))
    assert told(assumed) == {}


def test_the_same_load_is_the_same_value() -> None:
    """So that what was computed beside it is found again."""
    assumed = Assumed(Hands())
    assumed.add(binding("a"), targets(m1=2, m2=1))
    before = assumed.loads(binding("c"))
    assumed.add(binding("b"), targets(m2=1))
    after = assumed.loads(binding("c"))
    assert before["m1"] is after["m1"] and before["m2"] is not after["m2"]
