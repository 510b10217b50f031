"""Where a Service's pods are: EndpointSlices and, for old clients, Endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.scheme import ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES
from hansa.kube.errors import AlreadyExists, NotFound
from hansa.runtime.controller import Controller, Requeue
from hansa.runtime.informer import Change
from hansa.sim.awaited import Awaited, OwnWrites
from hansa.sim.pod import Pod
from hansa.sim.site import Site

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
ENDPOINTS_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"
LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"
BY_SERVICE = "service"
SLICE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Backend:
    """One pod behind a Service, with the Service's ports as numbers."""

    pod: Pod
    body: Json
    ports: tuple[tuple[str, int, str, str], ...]
    """Name, number, protocol, application protocol."""


@dataclass(frozen=True, slots=True)
class EndpointsReconciler:
    site: Site
    awaited: Awaited
    own: OwnWrites = field(default_factory=OwnWrites)

    async def reconcile(self, key: Key) -> Requeue | None:
        service = self.site.store(SERVICES).get(key)
        if service is None or service.deleting:
            if service is None:
                await self._clean(key)
            return None
        spec = service.json().get("spec") or {}
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return None
        pending = self.awaited.pending_seconds(key)
        if pending is not None:
            return Requeue(pending)
        backends = list(self._backends(service, spec))
        await self._slices(service, spec, backends)
        await self._endpoints(service, spec, backends)
        return None

    def _backends(self, service: Item, spec: Json) -> Iterator[Backend]:
        selector: dict[str, str] = spec["selector"]
        for item in self.site.store(PODS).list(service.meta.namespace):
            labels = item.labels
            if any(labels.get(name) != value for name, value in selector.items()):
                continue
            pod = Pod(item)
            if pod.ip and not pod.finished:
                body = item.json()
                yield Backend(pod, body, _resolved(spec.get("ports") or [], body))

    async def _clean(self, key: Key) -> None:
        """Slices go with their Service by its owner reference; Endpoints have none."""
        found = self.site.store(ENDPOINTS).get(key)
        if found is not None and found.labels.get(ENDPOINTS_MANAGED_BY) == "endpoint-controller":
            try:
                await self.site.client.delete(ENDPOINTS, key.name, key.namespace, uid=found.meta.uid)
            except NotFound:
                return

    # -- EndpointSlices ----------------------------------------------------------------------------------------------

    async def _slices(self, service: Item, spec: Json, backends: Sequence[Backend]) -> None:
        key = service.key
        live = [
            item
            for item in self.site.store(ENDPOINT_SLICES).by(BY_SERVICE, f"{key.namespace}/{key.name}")
            if item.labels.get(MANAGED_BY) == SLICE_CONTROLLER and not item.deleting
        ]
        if any(self.own.ahead_of(item) for item in live):
            return
        labels = _labels(service, spec) | {SERVICE_NAME: key.name, MANAGED_BY: SLICE_CONTROLLER}
        wanted = list(self._wanted(spec, backends))
        spare = {item.key: item for item in live}
        for content in wanted:
            match = _best_match(list(spare.values()), content)
            if match is None:
                await self._create_slice(service, labels, content)
            else:
                del spare[match.key]
                await self._update_slice(match, labels, content)
        for item in spare.values():
            try:
                await self.site.client.delete(ENDPOINT_SLICES, item.meta.name, item.meta.namespace, uid=item.meta.uid)
            except NotFound:
                continue
            self.awaited.deleted(key, item)

    def _wanted(self, spec: Json, backends: Sequence[Backend]) -> Iterator[Json]:
        groups: dict[tuple[tuple[str, int, str, str], ...], list[Json]] = {}
        for backend in sorted(backends, key=lambda entry: entry.pod.name):
            groups.setdefault(backend.ports, []).append(self._endpoint(spec, backend))
        if not groups:
            groups[()] = []  # an empty slice says that somebody looked
        for ports, endpoints in groups.items():
            for start in range(0, max(1, len(endpoints)), SLICE_SIZE):
                yield {
                    "endpoints": endpoints[start : start + SLICE_SIZE],
                    "ports": [_slice_port(*port) for port in ports],
                }

    def _endpoint(self, spec: Json, backend: Backend) -> Json:
        pod, body = backend.pod, backend.body["spec"]
        serving, terminating = pod.ready, pod.item.deleting
        ready = bool(spec.get("publishNotReadyAddresses")) or (serving and not terminating)
        endpoint: Json = {
            "addresses": [pod.ip],
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
            "nodeName": pod.node,
            "targetRef": _target(pod),
        }
        if body.get("hostname"):
            endpoint["hostname"] = body["hostname"]
        node = self.site.store(NODES).get(Key("", pod.node))
        if node is not None and names.ZONE_LABEL in node.labels:
            endpoint["zone"] = node.labels[names.ZONE_LABEL]
        return endpoint

    async def _create_slice(self, service: Item, labels: dict[str, str], content: Json) -> None:
        made = await self.site.client.create(
            ENDPOINT_SLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": f"{service.meta.name}-",
                    "namespace": service.meta.namespace,
                    "labels": labels,
                    "annotations": {LAST_CHANGE: self.site.now()},
                    "ownerReferences": [service.as_owner()],
                },
                "addressType": "IPv4",
                **content,
            },
        )
        self.awaited.created(service.key, made)

    async def _update_slice(self, item: Item, labels: dict[str, str], content: Json) -> None:
        body = item.json()
        same = _plain(body.get("endpoints")) == _plain(content["endpoints"])
        if same and _plain(body.get("ports")) == _plain(content["ports"]) and item.labels == labels:
            return
        gone = {name: None for name in item.labels if name not in labels}
        metadata = {
            "resourceVersion": item.meta.resource_version,
            "labels": {**gone, **labels},
            "annotations": {LAST_CHANGE: self.site.now()},
        }
        written = await self.site.client.patch(
            ENDPOINT_SLICES, item.meta.name, item.meta.namespace, {"metadata": metadata, **content}
        )
        self.own.note(written)

    # -- Endpoints ---------------------------------------------------------------------------------------------------

    async def _endpoints(self, service: Item, spec: Json, backends: Sequence[Backend]) -> None:
        key, client = service.key, self.site.client
        labels = _labels(service, spec) | {ENDPOINTS_MANAGED_BY: "endpoint-controller"}
        subsets = _subsets(spec, backends)
        live = self.site.store(ENDPOINTS).get(key)
        if live is None:
            obj: Json = {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {
                    "name": key.name,
                    "namespace": key.namespace,
                    "labels": labels,
                    "annotations": {LAST_CHANGE: self.site.now()},
                },
            }
            if subsets:
                obj["subsets"] = subsets
            try:
                self.own.note(await client.create(ENDPOINTS, obj))
            except AlreadyExists:
                return  # the cache will show it, and wake us
        elif self.own.ahead_of(live):
            return
        elif _plain(live.json().get("subsets")) != _plain(subsets) or live.labels != labels:
            patch: Json = {
                "metadata": {
                    "resourceVersion": live.meta.resource_version,
                    "labels": {**{name: None for name in live.labels if name not in labels}, **labels},
                    "annotations": {LAST_CHANGE: self.site.now()},
                },
                "subsets": subsets or None,
            }
            self.own.note(await client.patch(ENDPOINTS, key.name, key.namespace, patch))


def _resolved(ports: Sequence[Json], pod: Json) -> tuple[tuple[str, int, str, str], ...]:
    found: list[tuple[str, int, str, str]] = []
    for port in ports:
        protocol = port.get("protocol", "TCP")
        number = _number(port.get("targetPort") or port["port"], protocol, pod)
        if number is not None:
            found.append((port.get("name", ""), number, protocol, port.get("appProtocol", "")))
    return tuple(found)


def _number(target: int | str, protocol: str, pod: Json) -> int | None:
    """A number, or the pod's container port of that name."""
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _slice_port(name: str, number: int, protocol: str, application: str) -> Json:
    port: Json = {"name": name, "port": number, "protocol": protocol}
    return port | {"appProtocol": application} if application else port


def _target(pod: Pod) -> Json:
    return {"kind": "Pod", "name": pod.name, "namespace": pod.item.meta.namespace, "uid": pod.item.meta.uid}


def _labels(service: Item, spec: Json) -> dict[str, str]:
    own = (SERVICE_NAME, MANAGED_BY, HEADLESS, ENDPOINTS_MANAGED_BY)
    labels = {name: value for name, value in service.labels.items() if name not in own}
    return labels | {HEADLESS: ""} if spec.get("clusterIP") == "None" else labels


def _subsets(spec: Json, backends: Sequence[Backend]) -> list[Json]:
    tolerates = bool(spec.get("publishNotReadyAddresses"))
    groups: dict[tuple[tuple[str, int, str, str], ...], tuple[list[Json], list[Json]]] = {}
    for backend in sorted(backends, key=lambda entry: entry.pod.ip):
        pod = backend.pod
        if pod.item.deleting and not tolerates:
            continue
        ready, unready = groups.setdefault(backend.ports, ([], []))
        address: Json = {"ip": pod.ip, "nodeName": pod.node, "targetRef": _target(pod)}
        if backend.body["spec"].get("hostname"):
            address["hostname"] = backend.body["spec"]["hostname"]
        (ready if pod.ready or tolerates else unready).append(address)
    subsets: list[Json] = []
    for ports, (ready, unready) in groups.items():
        subset: Json = {}
        if ready:
            subset["addresses"] = ready
        if unready:
            subset["notReadyAddresses"] = unready
        if ports:
            subset["ports"] = [_old_port(*port) for port in ports]
        subsets.append(subset)
    return subsets


def _old_port(name: str, number: int, protocol: str, application: str) -> Json:
    port: Json = {"name": name} if name else {}
    port |= {"port": number, "protocol": protocol}
    return port | {"appProtocol": application} if application else port


def _best_match(live: Sequence[Item], content: Json) -> Item | None:
    """The live slice with the same ports, else any."""
    for item in live:
        if _plain(item.json().get("ports")) == _plain(content["ports"]):
            return item
    return live[0] if live else None


def _plain(value: object) -> bytes:
    """Null and empty are the same, and so are an unset port name and an empty one."""
    return msgspec.json.encode(value or [], order="deterministic")


def endpoints_controller(site: Site) -> Controller[Key]:
    services, pods, nodes = site.informer(SERVICES), site.informer(PODS), site.informer(NODES)
    slices, endpoints = site.informer(ENDPOINT_SLICES), site.informer(ENDPOINTS)
    slices.store.add_index(BY_SERVICE, _by_service)
    awaited = Awaited(slices)
    controller = Controller(
        "sim-endpoints",
        EndpointsReconciler(site, awaited),
        workers=2,
        needs=(services, pods, nodes, slices, endpoints),
    )
    queue = controller.queue
    selectors: dict[Key, dict[str, str]] = {}

    def service_changed(change: Change) -> None:
        key = change.item.key
        selectors.pop(key, None)
        if change.new is not None:
            selectors[key] = (change.new.json().get("spec") or {}).get("selector") or {}
        queue.add(key)

    def pod_changed(change: Change) -> None:
        for item in (change.old, change.new):
            if item is not None:
                for key, selector in selectors.items():
                    if key.namespace == item.meta.namespace and selector and _selects(selector, item):
                        queue.add(key)

    def slice_changed(change: Change) -> None:
        name = change.item.labels.get(SERVICE_NAME)
        if name and change.item.labels.get(MANAGED_BY) == SLICE_CONTROLLER:
            queue.add(Key(change.item.meta.namespace, name))

    def endpoints_changed(change: Change) -> None:
        if change.item.key in selectors:
            queue.add(change.item.key)

    services.subscribe(service_changed)
    pods.subscribe(pod_changed)
    slices.subscribe(slice_changed)
    endpoints.subscribe(endpoints_changed)
    return controller


def _by_service(item: Item) -> tuple[str, ...]:
    name = item.labels.get(SERVICE_NAME)
    return (f"{item.meta.namespace}/{name}",) if name else ()


def _selects(selector: dict[str, str], item: Item) -> bool:
    labels = item.labels
    return all(labels.get(name) == value for name, value in selector.items())
