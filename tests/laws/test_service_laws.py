"""What holds for every merge of exports, in whatever order they come and whatever is imported already."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.api.routing import ServiceRoutingPolicySpec
from hansa.combine.export import TCP, Export, Offer, Port
from hansa.combine.merge import Incumbent, Merged, merge
from hansa.combine.routing import LISTEN_FIRST, LISTEN_LAST, Exporter, Place, listen_ports, ports_served, routable
from hansa.combine.slices import reach

ports = st.builds(
    Port,
    st.sampled_from(["", "http", "grpc"]),
    st.integers(80, 83),
    st.sampled_from(["TCP", "UDP"]),
    st.sampled_from([None, "h2c"]),
)
own_ports = st.lists(ports, max_size=3, unique_by=(lambda port: port.name, lambda port: (port.protocol, port.number)))
families = st.sampled_from([("IPv4",), ("IPv6",), ("IPv4", "IPv6"), ("IPv6", "IPv4")])
affinities = st.sampled_from([("None", None), ("ClientIP", {"clientIP": {"timeoutSeconds": 10}})])


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    affinity, config = draw(affinities)
    return Offer(
        ports=tuple(draw(own_ports)),
        type=draw(st.sampled_from(["ClusterSetIP", "Headless"])),
        session_affinity=affinity,
        session_affinity_config=config,
        internal_traffic_policy=draw(st.sampled_from(["Cluster", "Local"])),
        traffic_distribution=draw(st.sampled_from([None, "PreferClose"])),
        ip_families=draw(families),
        labels=draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))),
        annotations=draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=1)),
    )


moments = st.integers(0, 3).map(lambda second: f"2026-01-01T00:00:0{second}Z")
exports = st.lists(
    st.builds(Export, st.sampled_from(["c1", "c2", "c3", "c4"]), moments, offers()),
    min_size=1,
    max_size=4,
    unique_by=lambda export: export.cluster,
)


def merged(found: list[Export], incumbent: Incumbent | None = None, *, silent: bool = False) -> Merged:
    result = merge(found, incumbent, silent=silent)
    assert result is not None
    return result


def incumbent_of(result: Merged) -> Incumbent:
    return Incumbent(result.offer, result.since)


@given(exports, st.randoms())
def test_the_order_in_which_exports_are_seen_does_not_matter(found: list[Export], random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert merged(shuffled) == merged(found)


@given(exports, exports, st.booleans())
def test_ports_have_names_and_numbers_of_their_own(before: list[Export], now: list[Export], silent: bool) -> None:
    offer = merged(now, incumbent_of(merged(before)), silent=silent).offer
    assert len({port.name for port in offer.ports}) == len(offer.ports)
    assert len({(port.protocol, port.number) for port in offer.ports}) == len(offer.ports)


@given(exports)
def test_the_oldest_export_is_merged_as_it_is(found: list[Export]) -> None:
    oldest = min(found, key=lambda export: export.age).offer
    offer = merged(found).offer
    assert replace(offer, ports=oldest.ports, ip_families=oldest.ip_families) == oldest
    assert offer.ports[: len(oldest.ports)] == oldest.ports


@given(exports)
def test_every_port_is_served_by_somebody_and_every_port_of_no_clash_is_there(found: list[Export]) -> None:
    offer = merged(found).offer
    assert {port for export in found for port in ports_served(export.offer.ports, offer.ports)} == set(offer.ports)
    for port in {port for export in found for port in export.offer.ports}:
        clashes = [
            p for p in offer.ports if p.name == port.name or (p.protocol, p.number) == (port.protocol, port.number)
        ]
        assert clashes, port


@given(exports)
def test_conflicts_are_told_exactly_when_exports_differ(found: list[Export]) -> None:
    result = merged(found)
    offered, holds = [export.offer for export in found], result.offer
    differ = {
        "PortConflict": any(set(offer.ports) != set(offered[0].ports) for offer in offered),
        "TypeConflict": any(offer.type != holds.type for offer in offered),
        "SessionAffinityConflict": not holds.headless
        and any(offer.session_affinity != holds.session_affinity for offer in offered),
        "SessionAffinityConfigConflict": not holds.headless
        and holds.session_affinity != "None"
        and any(offer.session_affinity_config != holds.session_affinity_config for offer in offered),
        "InternalTrafficPolicyConflict": any(
            offer.internal_traffic_policy != holds.internal_traffic_policy for offer in offered
        ),
        "TrafficDistributionConflict": any(
            offer.traffic_distribution != holds.traffic_distribution for offer in offered
        ),
        "LabelsConflict": any(offer.labels != holds.labels for offer in offered),
        "AnnotationsConflict": any(offer.annotations != holds.annotations for offer in offered),
        "IPFamilyConflict": any(set(holds.ip_families) - set(offer.ip_families) for offer in offered),
    }
    assert [conflict.reason for conflict in result.conflicts] == [reason for reason, so in differ.items() if so]


@given(exports)
def test_who_agrees_with_the_oldest_changes_nothing(found: list[Export]) -> None:
    oldest = min(found, key=lambda export: export.age)
    late = Export("c9", "2027-01-01T00:00:00Z", oldest.offer)
    assert merged([*found, late]).offer == merged(found).offer
    assert merged([oldest, late]).conflicts == ()


@given(exports)
def test_equal_ages_are_told_apart_by_names_of_clusters(found: list[Export]) -> None:
    together = [replace(export, created="2026-01-01T00:00:00Z") for export in found]
    first = min(together, key=lambda export: export.cluster).offer
    offer = merged(together).offer
    assert replace(offer, ports=first.ports, ip_families=first.ip_families) == first


@given(exports)
def test_families_are_shared_by_all_or_the_oldests(found: list[Export]) -> None:
    oldest = min(found, key=lambda export: export.age).offer
    families = merged(found).offer.ip_families
    shared = [family for family in oldest.ip_families if all(family in e.offer.ip_families for e in found)]
    assert list(families) == (shared or list(oldest.ip_families))


@given(exports, exports, st.booleans())
def test_a_decision_stands_when_it_is_made_again(before: list[Export], now: list[Export], silent: bool) -> None:
    first = merged(now, incumbent_of(merged(before)), silent=silent)
    assert merged(now, incumbent_of(first), silent=silent) == first


@given(exports)
def test_when_the_winner_goes_nothing_changes_that_somebody_else_holds(found: list[Export]) -> None:
    before = merged(found)
    rest = sorted(found, key=lambda export: export.age)[1:]
    if not rest:
        return
    after = merged(rest, incumbent_of(before))
    for name in ("type", "session_affinity", "internal_traffic_policy", "traffic_distribution", "labels"):
        held = any(getattr(export.offer, name) == getattr(before.offer, name) for export in rest)
        if held:
            assert getattr(after.offer, name) == getattr(before.offer, name)
    kept = [port for port in before.offer.ports if any(port in export.offer.ports for export in rest)]
    assert [port for port in after.offer.ports if port in kept] == kept


@given(exports, offers())
def test_an_older_export_that_comes_late_still_wins(found: list[Export], offer: Offer) -> None:
    """Of the ports that it leaves free, those that were there stay."""
    late = Export("c0", "2025-01-01T00:00:00Z", offer)
    after, fresh = merged([*found, late], incumbent_of(merged(found))), merged([*found, late])
    assert replace(after.offer, ports=()) == replace(fresh.offer, ports=())
    assert after.offer.ports[: len(offer.ports)] == offer.ports


@given(exports, exports)
def test_nothing_is_taken_away_while_an_exporter_cannot_be_asked(before: list[Export], now: list[Export]) -> None:
    incumbent = incumbent_of(merged(before))
    offer = merged(now, incumbent, silent=True).offer
    if all(export.age > incumbent.since for export in now):
        assert offer.ports[: len(incumbent.offer.ports)] == incumbent.offer.ports
        assert replace(offer, ports=incumbent.offer.ports) == incumbent.offer
    assert merge([], incumbent, silent=True) == Merged(incumbent.offer, incumbent.since)
    assert merge([], incumbent) is None


@given(own_ports, st.sets(st.integers(LISTEN_FIRST, LISTEN_FIRST + 40)), st.integers(0, 3))
def test_listen_ports_are_free_and_stay(found: list[Port], taken: set[int], more: int) -> None:
    first = listen_ports("shop", "web", found, {}, taken)
    assert set(first) == {port.label for port in found if port.protocol == "TCP"}
    assert len(set(first.values())) == len(first) and not taken & set(first.values())
    assert all(LISTEN_FIRST <= number <= LISTEN_LAST for number in first.values())
    again = listen_ports("shop", "web", [*found, Port("late", 99 + more)], first, taken)
    assert {**again, **first} == again


HERE = "c1"
places = {name: Place(name, network=network) for name, network in zip(("c1", "c2", "c3", "c4"), "aabc", strict=True)}
policies = st.builds(
    ServiceRoutingPolicySpec,
    mode=st.sampled_from([None, "direct", "proxy", "hybrid"]),
    min_local=st.sampled_from([None, 2]),
    exclude=st.lists(st.sampled_from(sorted(places)), max_size=1),
    failover_only=st.lists(st.sampled_from(sorted(places)), max_size=2),
)


OFFER = Offer(ports=(Port("http", 80), Port("grpc", 90), Port("dns", 53, "UDP")))
served = st.sets(st.sampled_from(OFFER.ports)).map(lambda chosen: ports_served(chosen, OFFER.ports))
exporters_of_it = st.lists(
    st.builds(Exporter, st.sampled_from(list(places.values())), served, st.integers(0, 2)),
    max_size=4,
    unique_by=lambda exporter: exporter.cluster,
)


@settings(max_examples=400)
@given(exporters_of_it, st.booleans(), policies)
def test_a_port_leads_somewhere_while_anybody_in_reach_is_ready_for_it(
    exporters: list[Exporter], has_gateway: bool, policy: ServiceRoutingPolicySpec
) -> None:
    importer = replace(places[HERE], gateways=("192.0.2.1",) if has_gateway else ())
    way = reach(importer, OFFER, exporters, policy)
    assert way.by_gateway <= has_gateway
    for port in OFFER.ports:
        able = {each.cluster for each in routable(importer, exporters, policy) if port in each.ports and each.ready}
        reached = able if has_gateway and port.protocol == TCP else able & set(way.pods)
        active = {name for name, labels in way.active.items() if port.label in labels}
        assert active <= {each.cluster for each in exporters if port in each.ports}
        assert active & reached or not reached, (port, way)
