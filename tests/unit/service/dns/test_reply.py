"""Bytes in, bytes out: what is kept, what is cut, and what hostile packets get."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import example, given
from hypothesis import strategies as st
from tests.wire.dns_cases import IMPORTS, SLICES

from hansa.api.item import Item
from hansa.service.dns.build import Distances, service_of
from hansa.service.dns.reply import EDNS_BYTES, KEPT, Replies
from hansa.service.dns.zone import Host, Port, Service, Zone

DOMAIN = ("clusterset", "local")


def services() -> Iterable[Service]:
    slices = [Item.of(found) for found in SLICES]
    for item in map(Item.of, IMPORTS):
        own = [one for one in slices if one.labels["multicluster.kubernetes.io/service-name"] == item.meta.name]
        yield service_of(item, own, Distances())


ZONE = Zone.of(DOMAIN, 1, services())


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def replies() -> Replies:
    made = Replies(DOMAIN, Time())
    made.serve(ZONE)
    return made


def query(name: str, qtype: str = "A", *, udp_bytes: int = 0, id_: int = 1) -> bytes:
    full = f"{name}.clusterset.local".lstrip(".")
    record = DNSRecord(DNSHeader(id=id_, bitmap=0x0100), q=DNSQuestion(full, getattr(QTYPE, qtype)))
    if udp_bytes:
        record.add_ar(EDNS0(udp_len=udp_bytes))
    return bytes(record.pack())


def read(reply: bytes | None) -> DNSRecord:
    assert reply is not None
    return DNSRecord.parse(reply)


def addresses(reply: bytes | None) -> list[str]:
    return [str(record.rdata) for record in read(reply).rr]


def test_the_same_question_again_gets_the_same_records_with_its_own_id(replies: Replies) -> None:
    for id_ in (7, 8, 65535):
        reply = read(replies.udp(query("web.shop.svc", id_=id_)))
        assert (reply.header.id, reply.header.aa, str(reply.rr[0].rdata)) == (id_, 1, "10.96.0.10")


def test_every_address_has_its_turn_to_be_first(replies: Replies) -> None:
    seen = [addresses(replies.udp(query("db.shop.svc"))) for _ in range(7)]
    assert {frozenset(found) for found in seen} == {frozenset({"10.1.0.1", "10.1.0.2", "10.2.0.5"})}
    assert {found[0] for found in seen} == {"10.1.0.1", "10.1.0.2", "10.2.0.5"}


def test_another_zone_ends_what_was_kept(replies: Replies) -> None:
    assert addresses(replies.udp(query("web.shop.svc"))) == ["10.96.0.10"]
    replies.serve(Zone.of(DOMAIN, 2, [Service("shop", "web", headless=False, addresses=("10.96.0.99",))]))
    assert addresses(replies.udp(query("web.shop.svc"))) == ["10.96.0.99"]


def test_a_choice_of_pods_is_kept_for_its_moment_only() -> None:
    time = Time()
    replies = Replies(DOMAIN, time)
    hosts = tuple(Host(f"p-{n}", "far", (f"10.0.{n // 200}.{n % 200}",), (), 2) for n in range(300))
    replies.serve(Zone.of(DOMAIN, 1, [Service("shop", "crowd", headless=True, hosts=hosts)]))

    def asked() -> frozenset[str]:
        packet = query("crowd.shop.svc", udp_bytes=4096)
        assert read(replies.udp(packet)).header.tc
        return frozenset(addresses(replies.tcp(packet)))

    first = asked()
    time.now = 4.9
    assert asked() == first
    time.now = 5.0
    assert asked() != first


def test_case_is_not_looked_at_and_repeated(replies: Replies) -> None:
    reply = read(replies.udp(query("wEb.ShOp.SVC")))
    assert str(reply.q.qname) == str(reply.rr[0].rname) == "wEb.ShOp.SVC.clusterset.local."


@pytest.mark.parametrize(("wanted", "limit"), [(0, 512), (100, 512), (700, 700), (65535, EDNS_BYTES)])
def test_no_reply_is_longer_than_the_client_takes(replies: Replies, wanted: int, limit: int) -> None:
    for kind in ("A", "SRV"):
        packet = query("crowd.shop.svc", kind, udp_bytes=wanted)
        reply = replies.udp(packet)
        assert reply is not None and len(reply) <= limit
        assert read(reply).header.tc == (1 if limit < 1000 or kind == "SRV" else 0)
        assert len(read(replies.tcp(packet)).rr) == 60


def test_what_is_too_long_for_any_message_is_cut_there() -> None:
    replies = Replies(DOMAIN, Time())
    ports = tuple(Port(f"port-{n}", "tcp", n) for n in range(1, 20))
    hosts = tuple(Host(f"a-rather-long-name-of-a-pod-{n}", "far", ("10.0.0.1",), ports, 2) for n in range(100))
    replies.serve(Zone.of(DOMAIN, 1, [Service("shop", "wide", headless=True, hosts=hosts)]))
    reply = replies.tcp(query("wide.shop.svc", "SRV"))
    assert reply is not None and 60000 < len(reply) <= 65535
    assert read(reply).header.tc == 1


def test_addresses_of_targets_are_left_out_where_there_is_no_room(replies: Replies) -> None:
    few, many = query("db.shop.svc", "SRV", udp_bytes=1232), query("db.shop.svc", "SRV")
    assert [QTYPE[extra.rtype] for extra in read(replies.udp(few)).ar].count("A") == 3
    plain = read(replies.udp(many))
    assert not plain.header.tc and len(plain.rr) == 3


def test_unknown_is_not_absent() -> None:
    replies = Replies(DOMAIN, Time())
    assert read(replies.udp(query("web.shop.svc"))).header.rcode == RCODE.SERVFAIL
    replies.serve(ZONE)
    assert read(replies.udp(query("web.shop.svc"))).header.rcode == RCODE.NOERROR


def test_what_is_kept_has_a_bound(replies: Replies) -> None:
    for number in range(KEPT + 10):
        replies.udp(query(f"x-{number}"))
    assert len(replies._kept) <= KEPT


# -- hostile packets ---------------------------------------------------------------------------------------------------


def packet(flags: int = 0, counts: tuple[int, int, int, int] = (1, 0, 0, 0), rest: bytes = b"") -> bytes:
    return struct.pack("!6H", 1, flags, *counts) + rest


POINTERS = b"".join(struct.pack("!H", 0xC000 | (12 + 2 * n)) for n in range(2000))
WEB = query("web.shop.svc")[12:]


@pytest.mark.parametrize(
    ("hostile", "rcode"),
    [
        (packet(), RCODE.FORMERR),
        (packet(counts=(0, 0, 0, 0)), RCODE.FORMERR),
        (packet(counts=(2, 0, 0, 0), rest=WEB + WEB), RCODE.FORMERR),
        (packet(counts=(65535, 65535, 65535, 65535), rest=WEB), RCODE.FORMERR),
        (packet(counts=(1, 0, 0, 2), rest=WEB + 2 * b"\0\0\x29\x10\0\0\0\0\0\0\0"), RCODE.FORMERR),
        (packet(rest=b"\xc0\x0c\0\1\0\1"), RCODE.FORMERR),
        (packet(rest=b"\xc0\xff\0\1\0\1"), RCODE.FORMERR),
        (packet(rest=b"\0" + POINTERS), RCODE.REFUSED),
        (packet(rest=POINTERS), RCODE.FORMERR),
        (packet(rest=b"\x3f" + b"a" * 10), RCODE.FORMERR),
        (packet(rest=WEB + b"\0" * 5000), RCODE.FORMERR),
        (packet(rest=4 * (b"\x3f" + b"a" * 63) + b"\0\0\1\0\1"), RCODE.FORMERR),
        (packet(0x2800, rest=WEB), RCODE.NOTIMP),  # UPDATE
        (packet(0x2000, rest=WEB), RCODE.NOTIMP),  # NOTIFY
    ],
)
def test_what_makes_no_sense_gets_a_code(replies: Replies, hostile: bytes, rcode: int) -> None:
    reply = read(replies.udp(hostile))
    assert reply.header.rcode == rcode
    assert not reply.rr


@pytest.mark.parametrize("silent", [b"", b"\0" * 11, packet(0x8000, rest=WEB)])
def test_what_is_no_query_gets_nothing(replies: Replies, silent: bytes) -> None:
    assert replies.udp(silent) is None
    assert replies.tcp(silent) is None


SHARED = Replies(DOMAIN, Time())
SHARED.serve(ZONE)


@given(st.binary(max_size=1500))
@example(packet(rest=POINTERS))
def test_no_bytes_make_it_fail(hostile: bytes) -> None:
    for reply in (SHARED.udp(hostile), SHARED.tcp(hostile)):
        assert (reply is None) == (len(hostile) < 12 or hostile[2] >= 0x80)
        if reply is not None:
            assert reply[:2] == hostile[:2] and reply[2] & 0x80 and len(reply) >= 12


@st.composite
def nearly_queries(draw: st.DrawFn) -> bytes:
    """A good query with some bytes replaced, inserted or cut off."""
    name = draw(st.sampled_from(["web.shop.svc", "db.shop.svc", "_pg._tcp.db.shop.svc", "crowd.shop.svc", ""]))
    content = bytearray(query(name, draw(st.sampled_from(["A", "SRV", "ANY"])), udp_bytes=draw(st.integers(0, 65535))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content) - 1))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        if not content:
            break
    return bytes(content)


@given(nearly_queries())
def test_no_damage_to_a_query_makes_it_fail(damaged: bytes) -> None:
    reply = SHARED.udp(damaged)
    if reply is not None:
        assert len(reply) <= EDNS_BYTES
        DNSRecord.parse(reply)
        assert SHARED.udp(damaged) is not None  # and again, from what is kept
