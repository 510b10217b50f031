"""Addresses of load balancers in several members, as one list without repetition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hansa.api.meta import Json
from hansa.interpret.document import sequence


def merged_ingress(entries: Sequence[Json], *, with_mode: bool) -> list[Json]:
    """Entries with the same hostname and IP (and ipMode, for Services) become one, their ports united.

    Order: by hostname with the empty ones last, then by IP, then by mode with the absent one first.
    """
    merged: dict[tuple[str, str, str], Json] = {}
    for entry in entries:
        key = (entry.get("hostname") or "", entry.get("ip") or "", (entry.get("ipMode") or "") if with_mode else "")
        known = merged.get(key)
        if known is None:
            merged[key] = dict(entry)
        elif ports := _united(sequence(known, "ports"), sequence(entry, "ports")):
            known["ports"] = ports
    for entry in merged.values():
        if sequence(entry, "ports"):
            entry["ports"] = _united(sequence(entry, "ports"), [])
    return [entry for _, entry in sorted(merged.items(), key=lambda pair: (not pair[0][0], *pair[0]))]


def _united(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    ports = {(port.get("port") or 0, port.get("protocol") or "", port.get("error") or ""): port for port in left}
    for port in right:
        ports.setdefault((port.get("port") or 0, port.get("protocol") or "", port.get("error") or ""), port)
    return [port for _, port in sorted(ports.items())]
