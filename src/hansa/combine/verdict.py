"""What users are told: conditions of ServiceExports and ServiceImports (KEP-1645, and some of ours)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Condition
from hansa.combine.export import TCP, Invalid, Offer
from hansa.combine.merge import Conflict
from hansa.combine.objects import addresses_of
from hansa.combine.silence import Silence
from hansa.combine.slices import Reach
from hansa.combine.source import ENDPOINTS_MAX, Source
from hansa.combine.wording import some

VALID, READY, CONFLICT = "Valid", "Ready", "Conflict"
ENDPOINTS_ACCEPTED = "hansa.dev/EndpointsAccepted"
"""On an export: False while endpoints are left out; not there when none are."""
PARTIALLY_ROUTABLE = "hansa.dev/PartiallyRoutable"
"""On an import: True while ports cannot be reached through gateways; not there when all can."""
EXPORT_CONDITIONS = (VALID, READY, CONFLICT, ENDPOINTS_ACCEPTED)
IMPORT_CONDITIONS = (READY, PARTIALLY_ROUTABLE)


class Ranges(NamedTuple):
    """A cluster's pod ranges as they are declared, and why they cannot be read."""

    text: str = ""
    fault: str = ""


class Obstacle(NamedTuple):
    """Why an import does not work: message and reason of condition Ready=False."""

    message: str
    reason: str = "Pending"


def invalid_export(why: Invalid, generation: int) -> list[Condition]:
    failed = "not exported: " + why.message
    return [
        _condition(VALID, "False", why.reason, why.message, generation),
        _condition(READY, "False", "Failed", failed, generation),
        _condition(CONFLICT, "False", "NoConflicts", "", generation),
    ]


def valid_export(
    conflicts: Sequence[Conflict], source: Source, checked: Ranges, *, imported: bool, obstacles: str, generation: int
) -> list[Condition]:
    """`imported`: by some cluster; `obstacles`: what keeps it from others, empty when nothing does."""
    found = [_condition(VALID, "True", "Valid", "", generation)]
    if imported:
        found.append(_condition(READY, "True", "Exported", obstacles, generation))
    else:
        found.append(_condition(READY, "False", "Pending", obstacles or "no cluster has imported it yet", generation))
    if conflicts:
        reasons = ",".join(conflict.reason for conflict in conflicts)
        message = "\n".join(conflict.message for conflict in conflicts)
        found.append(_condition(CONFLICT, "True", reasons, message, generation))
    else:
        found.append(_condition(CONFLICT, "False", "NoConflicts", "", generation))
    refused = _refused(source, checked, generation)
    return [*found, refused] if refused is not None else found


def silent_export(silence: Silence, generation: int) -> Condition:
    return _condition(READY, "Unknown", "Pending", f"this cluster is {silence}", generation)


def _refused(source: Source, checked: Ranges, generation: int) -> Condition | None:
    if checked.fault:
        message = f"annotation {names.POD_RANGES_ANNOTATION} of the Cluster: {checked.fault}; addresses are not checked"
        return _condition(ENDPOINTS_ACCEPTED, "False", "InvalidPodRanges", message, generation)
    if source.outside:
        message = f"outside this cluster's pod ranges {checked.text}, and left out: {some(source.outside)}"
        return _condition(ENDPOINTS_ACCEPTED, "False", "OutsidePodRanges", message, generation)
    if source.left_out:
        message = (
            f"{source.left_out} endpoints are left out: no more than {ENDPOINTS_MAX} of one service and cluster are"
            " published. Reach it through gateways, or spread it over clusters"
        )
        return _condition(ENDPOINTS_ACCEPTED, "False", "TooManyEndpoints", message, generation)
    return None


def other_family(derived: Item, offer: Offer) -> Obstacle | None:
    """When the derived Service has addresses, and none of a family that is offered."""
    own: list[str] = (derived.json().get("spec") or {}).get("ipFamilies") or []
    if not own or addresses_of(derived, offer):
        return None
    offered, has = ", ".join(offer.ip_families), ", ".join(own)
    return Obstacle(f"the service is of {offered}, Services of this cluster are of {has} only", "IPFamilyNotSupported")


def import_conditions(
    offer: Offer,
    way: Reach,
    silences: Mapping[str, Silence],
    *,
    has_address: bool,
    obstacle: Obstacle | None,
    generation: int,
) -> list[Condition]:
    found: list[Condition] = []
    if obstacle is not None:
        found.append(_condition(READY, "False", obstacle.reason, obstacle.message, generation))
    elif not has_address and not offer.headless:
        found.append(_condition(READY, "False", "Pending", "the derived Service has no address yet", generation))
    else:
        remarks = [f"{cluster}: {silence}" for cluster, silence in sorted(silences.items())]
        if way.unreachable:
            far = some(way.unreachable)
            remarks.insert(0, f"not reached from here, on another network and without a gateway: {far}")
        found.append(_condition(READY, "True", "Ready", some(remarks, "; "), generation))
    ports = [str(port) for port in offer.ports if port.protocol != TCP]
    if ports and not offer.headless and (way.by_gateway or way.mode != "direct"):
        message = f"gateways carry TCP only; not reached through them: {some(ports)}"
        found.append(_condition(PARTIALLY_ROUTABLE, "True", "ProtocolNotSupported", message, generation))
    return found


def settled(old: Iterable[Condition] | None, wanted: Sequence[Condition], ours: Collection[str]) -> list[Condition]:
    """`old` without those of `ours` that are not wanted any more: what others have set stays."""
    present = {condition.type for condition in wanted}
    return [condition for condition in old or () if condition.type not in ours or condition.type in present]


def _condition(type_: str, status: str, reason: str, message: str, generation: int) -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message, observed_generation=generation)
