"""What each cluster has of exported services: who exports them, who imports them, where requests for them go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.mcs import ServiceExport, ServiceImport
from hansa.api.meta import Condition, Json, Key, Resource, Wire
from hansa.api.routing import Route
from hansa.api.scheme import ENDPOINT_SLICES, SERVICE_EXPORTS, SERVICE_IMPORTS
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, ConfigError, NotFound, Unreachable
from hansa.service.served import versions


class Export(Wire, frozen=True, kw_only=True):
    """`faults`: by type of condition, why it is not as it should be. `conflict`: what the exporters do not agree on."""

    cluster: str
    valid: bool
    faults: dict[str, str]
    conflict: str = ""


class Source(Wire, frozen=True, kw_only=True):
    """Where requests go: a cluster, how many ready endpoints are there, whether gateways carry the requests."""

    cluster: str
    ready: int
    gateway: bool = False


class Import(Wire, frozen=True, kw_only=True):
    cluster: str
    ips: tuple[str, ...]
    mode: str
    sources: tuple[Source, ...]
    fault: str = ""


class ServiceView(Wire, frozen=True, kw_only=True):
    """One service over all clusters that could be asked. `type` and `ports` are those of its imports."""

    namespace: str
    name: str
    type: str
    ports: tuple[str, ...]
    exports: tuple[Export, ...]
    imports: tuple[Import, ...]

    @property
    def faults(self) -> list[str]:
        """What is not as it should be, in words; empty when all is well."""
        found = [f"{each.cluster}: {text}" for each in self.exports for text in each.faults.values()]
        if not self.imports:
            found.append("imported nowhere")
        found += [f"{each.cluster}: {each.fault}" for each in self.imports if each.fault]
        return found + [
            f"{each.cluster}: no ready endpoints" for each in self.imports if not each.fault and not each.sources
        ]

    @property
    def conflicts(self) -> list[str]:
        """Each once: all exporters are told the same."""
        return list(dict.fromkeys(each.conflict for each in self.exports if each.conflict))


@dataclass(frozen=True, slots=True)
class Holdings:
    """What one cluster has."""

    exports: Sequence[Item]
    imports: Sequence[Item]
    slices: Sequence[Item]


async def holdings(
    clients: Mapping[str, Client], namespace: str | None
) -> dict[str, Holdings | ApiError | ConfigError | Unreachable]:
    """By cluster; the error of a cluster that could not be asked. No namespace: all of them."""
    found = await asyncio.gather(*(_of(client, namespace) for client in clients.values()))
    return dict(zip(clients, found, strict=True))


async def _of(client: Client, namespace: str | None) -> Holdings | ApiError | ConfigError | Unreachable:
    try:
        exports, imports, slices = await asyncio.gather(
            _list(client, SERVICE_EXPORTS, namespace),
            _list(client, SERVICE_IMPORTS, namespace),
            _list(client, ENDPOINT_SLICES, namespace, names.IMPORT_NAME_LABEL),
        )
    except (ApiError, ConfigError, Unreachable) as error:
        return error
    return Holdings(exports, imports, slices)


async def _list(client: Client, resource: Resource, namespace: str | None, labels: str = "") -> list[Item]:
    """In whichever version it is served; a kind that is not served has no objects."""
    for version in versions(resource):
        try:
            return (await client.list(version, namespace, labels=labels)).items
        except NotFound:
            continue
    return []


def views(clusters: Mapping[str, Holdings]) -> list[ServiceView]:
    """One for each service that any of the clusters exports or imports, by namespace and name."""
    keys = {item.key for each in clusters.values() for item in (*each.exports, *each.imports)}
    return [_view(key, clusters) for key in sorted(keys)]


def _view(key: Key, clusters: Mapping[str, Holdings]) -> ServiceView:
    exports: list[Export] = []
    imports: list[Import] = []
    type_, ports = "", ()
    for cluster, each in sorted(clusters.items()):
        exports += [_export(cluster, item) for item in each.exports if item.key == key]
        for item in each.imports:
            if item.key == key:
                spec = item.as_(ServiceImport).spec
                type_, ports = spec.type, tuple(f"{port.port}/{port.protocol or 'TCP'}" for port in spec.ports)
                imports.append(_import(cluster, item, each.slices))
    return ServiceView(
        namespace=key.namespace,
        name=key.name,
        type=type_,
        ports=ports,
        exports=tuple(exports),
        imports=tuple(imports),
    )


def _export(cluster: str, item: Item) -> Export:
    status = item.as_(ServiceExport).status
    conditions = {each.type: each for each in (status.conditions if status else None) or ()}
    valid = "Valid" in conditions and conditions["Valid"].status == "True"
    faults = {
        type_: _words(conditions.get(type_), "not looked at yet")
        for type_ in ("Valid", "Ready")
        if type_ not in conditions or conditions[type_].status != "True"
    }
    conflict = conditions.get("Conflict")
    return Export(
        cluster=cluster,
        valid=valid,
        faults=faults if valid else {name: text for name, text in faults.items() if name == "Valid"},
        conflict=_words(conflict, "") if conflict is not None and conflict.status == "True" else "",
    )


def _import(cluster: str, item: Item, slices: Iterable[Item]) -> Import:
    found = item.as_(ServiceImport)
    route = _route(item)
    ready = next(
        (each for each in (found.status.conditions if found.status else None) or () if each.type == "Ready"), None
    )
    own = [each for each in slices if Key(each.meta.namespace, each.labels[names.IMPORT_NAME_LABEL]) == item.key]
    return Import(
        cluster=cluster,
        ips=tuple(found.spec.ips or ()),
        mode=route.mode if route is not None else "",
        sources=_sources(own, route, headless=found.spec.type == "Headless"),
        fault=_words(ready, "") if ready is not None and ready.status != "True" else "",
    )


def _sources(slices: Iterable[Item], route: Route | None, *, headless: bool) -> tuple[Source, ...]:
    """Slices without the label of the derived Service wait: nothing goes to them now."""
    listens = {port.listen for port in route.ports if port.listen} if route is not None else set[int]()
    behind = {each.cluster: each.weight for each in route.backends} if route is not None else {}
    pods: dict[str, int] = {}
    gateways: dict[str, int] = {}
    for item in slices:
        if not headless and names.SERVICE_LABEL not in item.labels:
            continue
        cluster, body = item.labels.get(names.SOURCE_CLUSTER_LABEL, ""), item.json()
        if any(port.get("port") in listens for port in body.get("ports") or ()):
            gateways[cluster] = behind.get(cluster, 0)
        else:
            pods[cluster] = pods.get(cluster, 0) + sum(map(_is_ready, body.get("endpoints") or ()))
    return (
        *(Source(cluster=cluster, ready=ready) for cluster, ready in sorted(pods.items()) if ready),
        *(Source(cluster=cluster, ready=ready, gateway=True) for cluster, ready in sorted(gateways.items()) if ready),
    )


def _is_ready(endpoint: Json) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _route(item: Item) -> Route | None:
    try:
        return msgspec.json.decode(item.annotations.get(names.ROUTE_ANNOTATION, ""), type=Route)
    except msgspec.DecodeError:
        return None


def _words(condition: Condition | None, otherwise: str) -> str:
    if condition is None:
        return otherwise
    return f"{condition.reason}: {condition.message}" if condition.message else condition.reason
