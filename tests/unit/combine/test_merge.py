"""What users read when exports differ, and what becomes of families of addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hansa.combine.export import Export, Offer, Port
from hansa.combine.merge import Incumbent, merge

HTTP = Port("http", 80)
BASE = Offer(ports=(HTTP,), ip_families=("IPv4",))


def exports(*offers):
    return [Export(f"c{n}", f"2026-01-01T00:00:0{n}Z", offer) for n, offer in enumerate(offers, 1)]


def told(*offers):
    merged = merge(exports(*offers))
    assert merged is not None
    return {conflict.reason: conflict.message for conflict in merged.conflicts}


def test_exports_that_agree_are_in_no_conflict():
    assert told(BASE, BASE, BASE) == {}


@pytest.mark.parametrize(
    ("other", "reason", "message"),
    [
        (
            replace(BASE, type="Headless"),
            "TypeConflict",
            'type: "ClusterSetIP" holds, as the oldest export, of cluster c1, has it: 2 of 3 clusters agree, not c2',
        ),
        (
            replace(BASE, labels={"a": "b"}),
            "LabelsConflict",
            "exportedLabels: {} holds, as the oldest export, of cluster c1, has it: 2 of 3 clusters agree, not c2",
        ),
        (
            replace(BASE, ports=(HTTP, Port("grpc", 90))),
            "PortConflict",
            "ports: the oldest export's hold: grpc 90/TCP is in 1 of 3 clusters",
        ),
        (
            replace(BASE, ports=(Port("http", 81),)),
            "PortConflict",
            "ports: the oldest export's hold: http 81/TCP of c2 is left out; http 80/TCP is in 2 of 3 clusters",
        ),
        (
            replace(BASE, ip_families=("IPv6",)),
            "IPFamilyConflict",
            "ipFamilies: IPv4 holds: 2 of 3 clusters have it, not c2",
        ),
    ],
)
def test_field_winner_and_tally(other, reason, message):
    assert told(BASE, other, BASE) == {reason: message}


def test_affinity_is_nothing_to_a_headless_service():
    headless = replace(BASE, type="Headless")
    assert told(headless, replace(headless, session_affinity="ClientIP")) == {}


def test_the_config_of_an_affinity_that_lost_is_no_second_conflict():
    sticky = replace(BASE, session_affinity="ClientIP", session_affinity_config={"clientIP": {"timeoutSeconds": 1}})
    assert set(told(BASE, sticky)) == {"SessionAffinityConflict"}
    assert set(told(sticky, BASE)) == {"SessionAffinityConflict", "SessionAffinityConfigConflict"}


@pytest.mark.parametrize(
    ("families", "merged", "conflict"),
    [
        ([("IPv4", "IPv6"), ("IPv6", "IPv4")], ("IPv4", "IPv6"), False),
        ([("IPv4", "IPv6"), ("IPv6",)], ("IPv6",), False),
        ([("IPv4",), ("IPv6",)], ("IPv4",), True),
        ([("IPv6", "IPv4"), ("IPv4",), ("IPv6",)], ("IPv6", "IPv4"), True),
    ],
)
def test_families_are_those_that_all_share(families, merged, conflict):
    found = merge(exports(*(replace(BASE, ip_families=each) for each in families)))
    assert found is not None and found.offer.ip_families == merged
    assert ("IPFamilyConflict" in {each.reason for each in found.conflicts}) is conflict


def test_a_value_whose_export_has_gone_says_that_it_was_there_first():
    local = replace(BASE, internal_traffic_policy="Local")
    cluster = replace(BASE, internal_traffic_policy="Cluster")
    first, second, third = exports(local, cluster, local)
    before = merge([first, second, third])
    assert before is not None
    after = merge([second, third], Incumbent(before.offer, before.since))
    assert after is not None and after.offer.internal_traffic_policy == "Local"
    assert after.conflicts[0].message == (
        'internalTrafficPolicy: "Local" holds, as it was there first: 1 of 2 clusters agree, not c2'
    )


def test_the_oldest_may_change_its_mind():
    first, second = exports(replace(BASE, internal_traffic_policy="Local"), BASE)
    before = merge([first, second])
    assert before is not None
    edited = replace(first, offer=replace(BASE, internal_traffic_policy="Cluster"))
    after = merge([edited, second], Incumbent(before.offer, before.since))
    assert after is not None and after.offer.internal_traffic_policy == "Cluster"
