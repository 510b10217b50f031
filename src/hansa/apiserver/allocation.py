"""Cluster IPs and node ports of Services.

What is in use is kept in sets and rebuilt from the stored Services at start, so nothing has to be persisted. Values are
held from `create` or `update` on, and let go by `settle` (the write was stored) or `rollback` (it was not).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from hansa.api.meta import Json
from hansa.apiserver.builtin.service_spec import is_headless, needs_health_check
from hansa.base.field import FieldError, forbidden, invalid

_LARGEST = 1 << 16
_FAMILY = {4: "IPv4", 6: "IPv6"}


class _Range:
    """Addresses of one family. The lower part of the range is for addresses that are asked for by name."""

    def __init__(self, network: IPv4Network | IPv6Network) -> None:
        self.network = network
        self.family = _FAMILY[network.version]
        self.used: set[str] = set()
        size = min(network.num_addresses, _LARGEST)
        self._first = int(network.network_address) + 1
        self._count = max(1, size - 2)
        reserved = min(max(16, size // 16), 256) if size > 64 else 0
        self._next = reserved

    def take(self) -> str | None:
        for _ in range(self._count):
            address = str(ip_address(self._first + self._next % self._count))
            self._next += 1
            if address not in self.used:
                self.used.add(address)
                return address
        return None


class ServiceAllocator:
    """Gives out what a Service needs of its cluster. `node_ports` is inclusive at both ends."""

    def __init__(self, cidrs: Iterable[str] = ("10.96.0.0/12",), node_ports: tuple[int, int] = (30000, 32767)) -> None:
        self._ranges = [_Range(ip_network(cidr)) for cidr in cidrs]
        self._low, self._high = node_ports
        # nodePorts are spread over the range, starting above the part for ports asked for by number
        self._next_port = min(86, (self._high - self._low) // 32)
        self._ports: dict[int, set[str]] = {}
        self._health_ports: set[int] = set()

    def rebuild(self, services: Iterable[Json]) -> None:
        """Forget everything, then take what the stored Services hold."""
        for range_ in self._ranges:
            range_.used.clear()
        self._ports.clear()
        self._health_ports.clear()
        for service in services:
            self._hold(service["spec"])

    def _hold(self, spec: Json) -> None:
        for address in _addresses(spec):
            range_ = self._range_of(address)
            if range_:
                range_.used.add(address)
        for protocol, port in _node_ports(spec):
            self._ports.setdefault(port, set()).add(protocol)
        if spec.get("healthCheckNodePort"):
            self._health_ports.add(spec["healthCheckNodePort"])

    def _range_of(self, address: str) -> _Range | None:
        return next((r for r in self._ranges if _inside(address, r)), None)

    def create(self, service: Json, *, dry_run: bool) -> list[FieldError]:
        """Fill in ipFamilies, clusterIP(s), node ports. On faults nothing is held; a dry run holds nothing."""
        return self._write(service, {}, dry_run)

    def update(self, new: Json, old: Json, *, dry_run: bool) -> list[FieldError]:
        """Keep or change, as the types say. What is no longer needed is released by `settle` after the write."""
        return self._write(new, old["spec"], dry_run)

    def _write(self, service: Json, before: Json, dry_run: bool) -> list[FieldError]:
        spec: Json = service["spec"]
        held = _Held(self, before, dry_run)
        errors = self._families(spec, before) or held.addresses(spec) or held.ports(spec)
        if errors or dry_run:
            held.release()
        return errors

    def _families(self, spec: Json, before: Json) -> list[FieldError]:
        """Settle ipFamilyPolicy and ipFamilies."""
        if spec.get("type") == "ExternalName":
            return []
        own = [range_.family for range_ in self._ranges]
        families: list[str] = list(spec.get("ipFamilies") or [])
        for index, family in enumerate(families):
            if family not in own and not (is_headless(spec) and not spec.get("selector")):
                return [invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")]
        policy = spec.get("ipFamilyPolicy")
        given = [address for address in spec.get("clusterIPs") or [] if address != "None"]
        if policy is None:
            two = len(given) == 2 or len(families) == 2
            selectorless = is_headless(spec) and not spec.get("selector") and not before
            policy = "RequireDualStack" if two else "RequireDualStack" if selectorless else "SingleStack"
            spec["ipFamilyPolicy"] = policy
        if policy == "RequireDualStack" and len(own) < 2 and not (is_headless(spec) and not spec.get("selector")):
            text = "this cluster is not configured for dual-stack services"
            return [invalid("spec.ipFamilyPolicy", policy, text)]
        for address in given[len(families) :]:
            families.append(_FAMILY[ip_address(address).version])
        if not families:
            families = [own[0]]
        wants_two = policy == "RequireDualStack" or (policy == "PreferDualStack" and len(own) > 1)
        if wants_two and len(families) == 1:
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
        if policy == "SingleStack":
            families = families[:1]
        spec["ipFamilies"] = families
        return []

    def settle(self, old: Json | None, new: Json | None) -> None:
        """A write was committed (new None: deleted): release what `old` held and `new` does not."""
        if old is None:
            return
        kept = new["spec"] if new else {}
        self._release(old["spec"], kept)

    def rollback(self, old: Json | None, new: Json) -> None:
        """The write failed after `create` or `update`: release what only `new` holds."""
        self._release(new["spec"], old["spec"] if old else {})

    def _release(self, spec: Json, kept: Json) -> None:
        for address in set(_addresses(spec)) - set(_addresses(kept)):
            range_ = self._range_of(address)
            if range_:
                range_.used.discard(address)
        for protocol, port in set(_node_ports(spec)) - set(_node_ports(kept)):
            protocols = self._ports.get(port)
            if protocols is not None:
                protocols.discard(protocol)
                if not protocols:
                    del self._ports[port]
        health = spec.get("healthCheckNodePort")
        if health and health != kept.get("healthCheckNodePort"):
            self._health_ports.discard(health)

    # -- used while a write is under way ----------------------------------------------------------------------------

    def address_for(self, family: str) -> str | None:
        range_ = next((r for r in self._ranges if r.family == family), None)
        return range_.take() if range_ else None

    def claim_address(self, address: str) -> str | None:
        """Why an address that was asked for cannot be had; None when it is now held."""
        range_ = self._range_of(address)
        if range_ is None:
            listed = ", ".join(str(r.network) for r in self._ranges if r.network.version == ip_address(address).version)
            return f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {listed}"
        if address in range_.used:
            return "provided IP is already allocated"
        range_.used.add(address)
        return None

    def claim_port(self, port: int, protocol: str) -> str | None:
        if not self._low <= port <= self._high:
            return f"provided port is not in the valid range. The range of valid ports is {self._low}-{self._high}"
        protocols = self._ports.get(port, set())
        if protocol in protocols or port in self._health_ports:
            return "provided port is already allocated"
        self._ports.setdefault(port, set()).add(protocol)
        return None

    def port_for(self, protocol: str) -> int | None:
        count = self._high - self._low + 1
        for _ in range(count):
            port = self._low + self._next_port % count
            self._next_port += 7  # prime to any usual range: spreads, and meets every port
            if port not in self._ports and port not in self._health_ports:
                self._ports[port] = {protocol}
                return port
        return None

    def claim_health_port(self, port: int) -> str | None:
        if not self._low <= port <= self._high:
            return f"provided port is not in the valid range. The range of valid ports is {self._low}-{self._high}"
        if port in self._health_ports or port in self._ports:
            return "provided port is already allocated"
        self._health_ports.add(port)
        return None

    def drop_address(self, address: str) -> None:
        range_ = self._range_of(address)
        if range_:
            range_.used.discard(address)

    def drop_port(self, protocol: str, port: int) -> None:
        protocols = self._ports.get(port)
        if protocols is not None:
            protocols.discard(protocol)
            if not protocols:
                del self._ports[port]

    def drop_health_port(self, port: int) -> None:
        self._health_ports.discard(port)


class _Held:
    """What one write has taken so far, beyond what the old object (`before`, a spec) had."""

    def __init__(self, allocator: ServiceAllocator, before: Json, dry_run: bool) -> None:
        self._allocator = allocator
        self._dry_run = dry_run  # a given port is not looked at then, as in Kubernetes
        self._before = before
        self._addresses: list[str] = []
        self._ports: list[tuple[str, int]] = []
        self._health: list[int] = []

    def addresses(self, spec: Json) -> list[FieldError]:
        if spec.get("type") == "ExternalName" or is_headless(spec):
            if is_headless(spec):
                spec["clusterIP"] = "None"
            return []
        mine = _addresses(self._before)
        result: list[str] = list(spec.get("clusterIPs") or [])[: len(spec["ipFamilies"])]
        for index, address in enumerate(result):
            if address in mine:
                continue
            why = self._allocator.claim_address(address)
            if why:
                shown = result if index else [address]
                return [invalid("spec.clusterIPs", shown, f"failed to allocate IP {address}: {why}")]
            self._addresses.append(address)
        for family in spec["ipFamilies"][len(result) :]:
            address = self._allocator.address_for(family)
            if address is None:
                return [forbidden("spec.clusterIPs", "failed to allocate a serviceIP: range is full")]
            self._addresses.append(address)
            result.append(address)
        spec["clusterIP"], spec["clusterIPs"] = result[0], result
        return []

    def ports(self, spec: Json) -> list[FieldError]:
        mine = set(_node_ports(self._before))
        balanced = spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
        wanted = spec.get("type") == "NodePort" or balanced
        shared: dict[int, int] = {}  # port number -> node port: one for TCP and UDP on the same number
        for index, port in enumerate(spec.get("ports") or ()):
            protocol, number = port.get("protocol", "TCP"), port.get("nodePort", 0)
            if number:
                if (protocol, number) in mine or self._dry_run:
                    continue
                why = self._allocator.claim_port(number, protocol)
                if why:
                    return [invalid(f"spec.ports[{index}].nodePort", number, why)]
                self._ports.append((protocol, number))
            elif wanted:
                same = shared.get(port.get("port", 0))
                if same is not None and self._allocator.claim_port(same, protocol) is None:
                    number = same
                else:
                    found = self._allocator.port_for(protocol)
                    if found is None:
                        text = "failed to allocate a nodePort: range is full"
                        return [invalid(f"spec.ports[{index}].nodePort", 0, text)]
                    number = found
                self._ports.append((protocol, number))
                port["nodePort"] = number
            if number:
                shared[port.get("port", 0)] = number
        return self._health_port(spec)

    def _health_port(self, spec: Json) -> list[FieldError]:
        if not needs_health_check(spec):
            return []
        number = spec.get("healthCheckNodePort", 0)
        if number and number == self._before.get("healthCheckNodePort"):
            return []
        if not number:
            found = self._allocator.port_for("")
            if found is None:
                return [invalid("spec.healthCheckNodePort", 0, "failed to allocate a nodePort: range is full")]
            self._allocator.drop_port("", found)
            number = spec["healthCheckNodePort"] = found
        why = self._allocator.claim_health_port(number)
        if why:
            text = f"failed to allocate requested HealthCheck NodePort {number}: {why}"
            return [invalid("spec.healthCheckNodePort", number, text)]
        self._health.append(number)
        return []

    def release(self) -> None:
        for address in self._addresses:
            self._allocator.drop_address(address)
        for protocol, port in self._ports:
            self._allocator.drop_port(protocol, port)
        for port in self._health:
            self._allocator.drop_health_port(port)


def _inside(address: str, range_: _Range) -> bool:
    try:
        return ip_address(address) in range_.network
    except ValueError:
        return False


def _addresses(spec: Json) -> list[str]:
    if spec.get("type") == "ExternalName":
        return []
    return [address for address in spec.get("clusterIPs") or () if address and address != "None"]


def _node_ports(spec: Json) -> list[tuple[str, int]]:
    return [(port.get("protocol", "TCP"), port["nodePort"]) for port in spec.get("ports") or () if port.get("nodePort")]
