"""Ready pods of this cluster, from the EndpointSlices that its own controller wrote."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Key, Wire
from hansa.service.gateway.site import Address


class _Conditions(Wire, frozen=True):
    ready: bool | None = None


class _Endpoint(Wire, frozen=True, kw_only=True):
    addresses: list[str] | None = None
    conditions: _Conditions | None = None

    @property
    def ready(self) -> bool:
        """Not said means ready (discovery.k8s.io/v1)."""
        return self.conditions is None or self.conditions.ready is not False


class _Port(Wire, frozen=True, kw_only=True):
    name: str = ""
    protocol: str = "TCP"
    port: int | None = None


class _Slice(Wire, frozen=True, kw_only=True):
    address_type: str = ""
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


def ready_pods(slices: Iterable[Item], services: frozenset[Key]) -> dict[tuple[Key, str], list[Address]]:
    """Addresses by Service (of `services`) and port name. A slice that cannot be read costs its own endpoints only."""
    found: dict[tuple[Key, str], set[Address]] = {}
    for item in slices:
        service = Key(item.meta.namespace, item.labels.get(names.SERVICE_LABEL, ""))
        if service not in services or item.labels.get(names.MANAGED_BY_LABEL) == names.SLICE_MANAGER:
            continue
        try:
            read = item.as_(_Slice)
        except msgspec.ValidationError:
            continue
        if read.address_type not in ("IPv4", "IPv6"):
            continue
        hosts = [host for one in read.endpoints or () if one.ready for host in one.addresses or ()]
        for port in read.ports or ():
            if port.protocol == "TCP" and port.port:
                found.setdefault((service, port.name), set()).update(Address(host, port.port) for host in hosts)
    return {where: sorted(addresses) for where, addresses in found.items()}
