"""From the bytes of a query to the bytes of its reply. No input makes it raise.

Resolvers ask the same bytes again and again but for the id, so a reply is kept by the rest of its query: such a query
costs one look-up. All others are read by dnslib, after the counts in their header have been checked, because what a
name costs to read grows with the records that a packet claims to have.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dnslib import CLASS, EDNS0, OPCODE, QTYPE, RCODE, RR, DNSHeader, DNSLabel, DNSQuestion, DNSRecord
from prometheus_client import Counter

from hansa.service.dns.metrics import query_counter
from hansa.service.dns.resolve import SUBSET_SECONDS, Answer, resolve, soa
from hansa.service.dns.zone import Labels, Zone

log = logging.getLogger(__name__)

HEADER_BYTES = 12
PLAIN_UDP_BYTES = 512
EDNS_BYTES = 1232
"""What passes every network unfragmented; what we say we take, and the most that we send."""
MESSAGE_BYTES = 65535
QUERY_BYTES = 4096
"""Longer queries are malformed."""
KEPT = 4096
"""Replies kept for queries seen before; when there are more, all are forgotten."""
_QR = 0x8000
_TRANSFERS = (QTYPE.AXFR, QTYPE.IXFR)
_STRIDES = {QTYPE.A: 16, QTYPE.AAAA: 28}
"""Bytes of a record whose owner is the question's name."""

_BADVERS = 16


@dataclass(slots=True)
class _Kept:
    """A reply without its id, in three parts; the middle is turned by `stride` each time it is sent."""

    head: bytes
    turning: bytes
    tail: bytes
    stride: int
    until: float
    counter: Counter
    turned: int = 0

    def next(self) -> bytes:
        if not self.stride:
            return self.head + self.tail
        at = self.turned = (self.turned + self.stride) % len(self.turning)
        return self.head + self.turning[at:] + self.turning[:at] + self.tail


class Replies:
    """Answers for one zone: SERVFAIL as long as it is not known. `now` is the time of day in seconds."""

    def __init__(self, domain: Labels, now: Callable[[], float]) -> None:
        self._domain = domain
        self._now = now
        self._zone: Zone | None = None
        self._kept: dict[bytes, _Kept] = {}

    def serve(self, zone: Zone) -> None:
        """From now on this zone."""
        self._zone = zone
        self._kept.clear()

    def udp(self, packet: bytes) -> bytes | None:
        """The reply, or None for what gets none."""
        kept = self._kept.get(packet[2:])
        if kept is not None and self._now() < kept.until:
            kept.counter.inc()
            return packet[:2] + kept.next()
        return self._reply(packet, keep=True)

    def tcp(self, packet: bytes) -> bytes | None:
        """The reply, or None for what gets none. Only what does not fit in a message is cut."""
        return self._reply(packet, keep=False)

    def _reply(self, packet: bytes, *, keep: bool) -> bytes | None:
        if len(packet) < HEADER_BYTES or packet[2] & 0x80:
            return None  # replies to replies would never end
        try:
            query = _read(packet)
            if isinstance(query, int):
                return _bare(packet, query)
            return self._answer(packet, query, keep)
        except Exception:
            # dnslib has an error of its own for most that can be wrong, and others for the rest
            log.debug("query cannot be read", exc_info=True)
            return _bare(packet, RCODE.FORMERR)

    def _answer(self, packet: bytes, query: _Query, keep: bool) -> bytes:
        now = self._now()
        rcode, answer = self._decide(query, int(now) // SUBSET_SECONDS)
        counter = query_counter(QTYPE.get(query.qtype, ""), RCODE.get(rcode & 0xF, ""))
        counter.inc()
        reply = _compose(packet, query, rcode, answer)
        negative = rcode == RCODE.NXDOMAIN or (rcode == RCODE.NOERROR and not answer.records)
        if negative and self._zone is not None:
            owner = DNSLabel(query.name.label[len(query.name.label) - len(self._domain) :])
            reply.add_auth(soa(self._zone, owner))
        content = _fitted(reply, answer.additional, query.limit if keep else MESSAGE_BYTES)
        if keep and self._zone is not None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            until = now // SUBSET_SECONDS * SUBSET_SECONDS + SUBSET_SECONDS if answer.changes else math.inf
            self._kept[packet[2:]] = _kept(content, reply, query, until, counter)
        return content

    def _decide(self, query: _Query, moment: int) -> tuple[int, Answer]:
        nothing = Answer(False, [], [])
        if query.edns_version:
            return _BADVERS, nothing
        name = tuple(part.decode().lower() for part in query.name.label)
        inside = len(name) - len(self._domain)
        if query.qclass != CLASS.IN or name[max(0, inside) :] != self._domain or query.qtype in _TRANSFERS:
            return RCODE.REFUSED, nothing
        if self._zone is None:
            return RCODE.SERVFAIL, nothing
        answer = resolve(self._zone, name[:inside], query.name, query.qtype, moment)
        return (RCODE.NOERROR if answer.exists else RCODE.NXDOMAIN), answer


# -- queries -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Query:
    name: DNSLabel
    qtype: int
    qclass: int
    edns: bool
    edns_version: int
    limit: int
    """Bytes of a reply over UDP."""


def _read(packet: bytes) -> _Query | int:
    """The query, or the response code for one that is not answered. Raises whatever dnslib does on malformed input."""
    flags, questions, answers, authorities, additional = struct.unpack_from("!5H", packet, 2)
    if flags >> 11 & 0xF != OPCODE.QUERY:
        return RCODE.NOTIMP
    # IXFR has an authority; OPT and TSIG are additional
    if len(packet) > QUERY_BYTES or questions != 1 or answers or authorities > 1 or additional > 2:
        return RCODE.FORMERR
    record = DNSRecord.parse(packet)
    options = [extra for extra in record.ar if extra.rtype == QTYPE.OPT]
    if len(options) > 1:
        return RCODE.FORMERR
    asked = record.q
    if not options:
        return _Query(asked.qname, asked.qtype, asked.qclass, False, 0, PLAIN_UDP_BYTES)
    limit = min(max(options[0].rclass, PLAIN_UDP_BYTES), EDNS_BYTES)
    return _Query(asked.qname, asked.qtype, asked.qclass, True, options[0].ttl >> 16 & 0xFF, limit)


def _bare(packet: bytes, rcode: int) -> bytes:
    """A header alone, for a question that was not understood."""
    query_counter("", RCODE.get(rcode, "")).inc()
    kept = (packet[2] & 0x79) << 8  # the operation and "recursion desired"
    return packet[:2] + struct.pack("!5H", _QR | kept | rcode, 0, 0, 0, 0)


# -- replies -----------------------------------------------------------------------------------------------------------


def _compose(packet: bytes, query: _Query, rcode: int, answer: Answer) -> DNSRecord:
    desired = packet[2] & 1
    authoritative = rcode in (RCODE.NOERROR, RCODE.NXDOMAIN)
    id_ = int.from_bytes(packet[:2], "big")
    header = DNSHeader(id=id_, bitmap=0, qr=1, aa=int(authoritative), rd=desired, ra=0, rcode=rcode & 0xF)
    reply = DNSRecord(header, q=DNSQuestion(query.name, query.qtype, query.qclass))
    reply.add_answer(*answer.records)
    if query.edns:
        reply.add_ar(EDNS0(udp_len=EDNS_BYTES, ext_rcode=rcode >> 4))
    return reply


def _fitted(reply: DNSRecord, additional: list[RR], limit: int) -> bytes:
    """With the additional records if they fit, without if not; truncated where even the answer does not fit."""
    own = list(reply.ar)
    reply.add_ar(*additional)
    content = reply.pack()
    if len(content) > limit and additional:
        reply.ar = own
        reply.set_header_qa()
        content = reply.pack()
    if len(content) <= limit:
        return bytes(content)
    reply.header.tc = 1
    # over UDP nothing of it is used: who sees the mark asks again over TCP
    kept = len(reply.rr) * limit // len(content) - 1 if limit == MESSAGE_BYTES else 0
    reply.rr = reply.rr[: max(0, kept)]
    reply.set_header_qa()
    return bytes(reply.pack())


def _kept(content: bytes, reply: DNSRecord, query: _Query, until: float, counter: Counter) -> _Kept:
    stride = _STRIDES.get(query.qtype, 0) if len(reply.rr) > 1 else 0
    start = HEADER_BYTES + sum(1 + len(part) for part in query.name.label) + 1 + 4
    end = start + stride * len(reply.rr)
    return _Kept(
        content[2:start],
        content[start:end] if stride else b"",
        content[end if stride else start :],
        stride,
        until,
        counter,
    )
