"""The ServiceImport and the derived Service of one importing cluster, as documents; and what an import says it is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.mcs import ServiceImport
from hansa.api.meta import Json, Key
from hansa.api.routing import Route
from hansa.combine.export import Age, Offer, Port, offer_of_import
from hansa.combine.merge import Incumbent, Merged
from hansa.combine.slices import derived_name, derived_port_name


class Made(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an import was made of, so that the next decision can tell: JSON in EXPORTED_ANNOTATION.

    labels, annotations: Keys of those that were exported; others may have added more.
    """

    since: Age
    families: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


def made_of(item: Item) -> Made | None:
    """None for an import that is not ours."""
    text = item.annotations.get(names.EXPORTED_ANNOTATION)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Made)
    except msgspec.DecodeError:  # ours, and somebody changed it: as new as can be, so that anything wins against it
        return Made(since=Age("~", ""))


def incumbent_of(item: Item) -> Incumbent | None:
    """What an import of ours says. Raises msgspec.ValidationError."""
    made = made_of(item)
    if made is None:
        return None
    labels = {key: item.labels[key] for key in made.labels if key in item.labels}
    annotations = {key: item.annotations[key] for key in made.annotations if key in item.annotations}
    return Incumbent(offer_of_import(item.as_(ServiceImport).spec, labels, annotations, made.families), made.since)


def route_of(item: Item | None) -> Route | None:
    """The ways that an import names; None when it names none that can be read."""
    text = item.annotations.get(names.ROUTE_ANNOTATION) if item is not None else None
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Route)
    except msgspec.DecodeError:
        return None


def import_document(key: Key, merged: Merged, route: Route, derived: Item | None) -> Json:
    """With the addresses of `derived`, the derived Service as it is in that cluster."""
    offer = merged.offer
    made = Made(
        since=merged.since,
        families=offer.ip_families,
        labels=tuple(sorted(offer.labels)),
        annotations=tuple(sorted(offer.annotations)),
    )
    annotations = {
        **offer.annotations,
        names.EXPORTED_ANNOTATION: _text(made),
        names.ROUTE_ANNOTATION: _text(route),
    }
    spec: Json = {"type": offer.type, "ports": [_import_port(port) for port in offer.ports]}
    if offer.headless:
        spec |= _filled(ipFamilies=list(offer.ip_families))
    else:
        annotations[names.DERIVED_SERVICE_ANNOTATION] = derived_name(key.name)
        own = addresses_of(derived, offer) if derived is not None else {}
        spec |= _filled(
            ips=list(own.values()),
            ipFamilies=list(own or offer.ip_families),
            sessionAffinity=offer.session_affinity,
            sessionAffinityConfig=offer.session_affinity_config,
        )
    spec |= _filled(internalTrafficPolicy=offer.internal_traffic_policy, trafficDistribution=offer.traffic_distribution)
    metadata: Json = {
        "name": key.name,
        "namespace": key.namespace,
        **_filled(labels=dict(offer.labels)),
        "annotations": annotations,
    }
    return {
        "apiVersion": scheme.SERVICE_IMPORTS.api_version,
        "kind": "ServiceImport",
        "metadata": metadata,
        "spec": spec,
    }


def addresses_of(derived: Item, offer: Offer) -> dict[str, str]:
    """By family, in the cluster's order: of the derived Service's addresses those of families that are offered."""
    spec: Json = derived.json().get("spec") or {}
    own = zip(spec.get("ipFamilies") or (), spec.get("clusterIPs") or (), strict=False)
    return {family: address for family, address in own if family in (offer.ip_families or (family,))}


def derived_document(key: Key, offer: Offer) -> Json:
    """Without selector: its endpoints are the imported slices. Without owner.

    It has an address of each family of its cluster, whatever is offered: so each stays when exporters come and go.
    """
    single = len(offer.ports) == 1
    spec: Json = {
        "type": "ClusterIP",
        "ports": [_service_port(port, single=single) for port in offer.ports],
        "sessionAffinity": offer.session_affinity,
        "ipFamilyPolicy": "PreferDualStack",
        **_filled(
            sessionAffinityConfig=offer.session_affinity_config,
            internalTrafficPolicy=offer.internal_traffic_policy,
            trafficDistribution=offer.traffic_distribution,
        ),
    }
    metadata: Json = {
        "name": derived_name(key.name),
        "namespace": key.namespace,
        "labels": {names.IMPORT_NAME_LABEL: key.name},
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def owned_by(document: Json, owner: Item) -> Json:
    """The document with the import as owner, not as controller (KEP-1645)."""
    reference: Json = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.meta.name,
        "uid": owner.meta.uid,
    }
    return {**document, "metadata": {**document["metadata"], "ownerReferences": [reference]}}


def _import_port(port: Port) -> Json:
    return _filled(name=port.name, protocol=port.protocol, appProtocol=port.app_protocol) | {"port": port.number}


def _service_port(port: Port, *, single: bool) -> Json:
    name = derived_port_name(port, single=single)
    return _filled(name=name, protocol=port.protocol, appProtocol=port.app_protocol) | {
        "port": port.number,
        "targetPort": port.number,
    }


def _filled(**fields: str | Sequence[str] | Json | None) -> Json:
    return {name: value for name, value in fields.items() if value}


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
