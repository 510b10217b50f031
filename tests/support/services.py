"""Services that scenarios export: a Deployment, its Service and its export, and what others see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.objects import deployment, metadata
from tests.support.rig import Rig

from hansa.api import names, scheme
from hansa.api.meta import Json

HELLO_PORTS: tuple[Json, ...] = (
    {"name": "tcp", "port": 42, "protocol": "TCP", "targetPort": 42},
    {"name": "udp", "port": 42, "protocol": "UDP", "targetPort": 42},
)


def hello_service(namespace: str, *, ports: Sequence[Json] = HELLO_PORTS, name: str = "hello", **spec: Any) -> Json:
    """As the conformance suite of the Multi-Cluster Services API has it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace, {"own": "label"}, {"own": "annotation"}),
        "spec": {"selector": {"app": name}, "ports": list(ports), **spec},
    }


def as_v1alpha1(definition: Json) -> Json:
    """As an installer of old has it: that version is the only one."""
    (old,) = [version for version in definition["spec"]["versions"] if version["name"] == "v1alpha1"]
    return {**definition, "spec": {**definition["spec"], "versions": [{**old, "storage": True}]}}


def export(namespace: str, name: str = "hello", **spec: Any) -> Json:
    document: Json = {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceExport",
        "metadata": metadata(name, namespace),
    }
    return document | ({"spec": spec} if spec else {})


def service_import(namespace: str, *, version: str = "v1beta1", **spec: Any) -> Json:
    """As somebody writes it: not ours."""
    return {
        "apiVersion": f"multicluster.x-k8s.io/{version}",
        "kind": "ServiceImport",
        "metadata": metadata("hello", namespace),
        "spec": spec,
    }


def routing_policy(namespace: str, **spec: Any) -> Json:
    return {
        "apiVersion": "networking.hansa.dev/v1alpha1",
        "kind": "ServiceRoutingPolicy",
        "metadata": metadata("hello", namespace),
        "spec": spec,
    }


def endpoint(address: str, *, ready: bool = True) -> Json:
    return {"addresses": [address], "conditions": {"ready": ready}}


def slice_by_hand(
    namespace: str,
    endpoints: Sequence[Json],
    *,
    service: str = "hello",
    name: str = "",
    port: tuple[str, int] = ("tcp", 8080),
) -> Json:
    """A slice of a Service without selector."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata(name or f"{service}-by-hand", namespace, {names.SERVICE_LABEL: service}),
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": port[0], "port": port[1], "protocol": "TCP"}],
    }


class Services:
    """What a scenario does with services of its namespace."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.namespace = rig.namespace

    async def served(self) -> None:
        """Until every member knows exports."""

        async def known() -> None:
            for member in self.rig.members:
                await self.rig.clients[member].list(scheme.SERVICE_EXPORTS, self.namespace)
                await self.rig.clients[member].list(scheme.SERVICE_IMPORTS, self.namespace)

        await self.rig.eventually(known)

    async def run(self, member: str, *, replicas: int = 1, name: str = "hello", **service: Any) -> None:
        """Pods and their Service in one member."""
        await self.rig.apply(
            deployment(name, self.namespace, replicas=replicas),
            hello_service(self.namespace, name=name, **service),
            server=member,
        )

    async def export(self, *members: str, name: str = "hello", **spec: Any) -> None:
        await self.served()
        for member in members:
            await self.rig.apply(export(self.namespace, name, **spec), server=member)

    async def unexport(self, member: str, name: str = "hello") -> None:
        await self.rig.delete(scheme.SERVICE_EXPORTS, name, self.namespace, server=member)

    async def imported(self, member: str, name: str = "hello") -> Json | None:
        return await self.rig.get(member, scheme.SERVICE_IMPORTS, name, self.namespace)

    async def derived(self, member: str, name: str = "hello") -> Json | None:
        return await self.rig.get(member, scheme.SERVICES, f"derived-{name}", self.namespace)

    async def slices(self, member: str, name: str = "hello", source: str = "") -> Sequence[Json]:
        """Imported ones; of one source cluster when it is named."""
        labels = f"{names.IMPORT_NAME_LABEL}={name}" + (f",{names.SOURCE_CLUSTER_LABEL}={source}" if source else "")
        return await self.rig.list(member, scheme.ENDPOINT_SLICES, self.namespace, labels=labels)

    async def the_slice(self, member: str, name: str = "hello", source: str = "") -> Json:
        """The only one. Raises AssertionError when there is none, or more."""
        found = await self.slices(member, name, source)
        assert len(found) == 1, found
        return found[0]

    async def addresses(self, member: str, source: str, name: str = "hello") -> list[str]:
        """Of ready endpoints."""
        found = await self.slices(member, name, source)
        return sorted(
            address
            for slice_ in found
            for endpoint in slice_["endpoints"]
            if endpoint["conditions"].get("ready", True)
            for address in endpoint["addresses"]
        )

    async def pods(self, member: str, name: str = "hello") -> list[str]:
        """Addresses of its pods."""
        found = await self.rig.list(member, scheme.PODS, self.namespace, labels=f"app={name}")
        return sorted(pod["status"]["podIP"] for pod in found if pod.get("status", {}).get("podIP"))

    async def condition(self, member: str, type_: str, name: str = "hello") -> Json:
        """Of an export. Raises KeyError."""
        found = await self.rig.get(member, scheme.SERVICE_EXPORTS, name, self.namespace)
        assert found is not None
        return by_type(found)[type_]

    async def is_imported(self, *members: str, name: str = "hello") -> None:
        """Wait until all of them import it, and have endpoints or are headless."""

        async def there() -> None:
            for member in members:
                found = await self.imported(member, name)
                assert found is not None, member
                assert by_type(found)["Ready"]["status"] == "True", (member, found)

        await self.rig.eventually(there)

    async def is_gone(self, *members: str, name: str = "hello") -> None:
        async def gone() -> None:
            for member in members:
                assert await self.imported(member, name) is None, member
                assert await self.derived(member, name) is None, member
                assert not await self.slices(member, name), member

        await self.rig.eventually(gone)

    async def told(self, member: str, type_: str, status: str, reason: str, name: str = "hello") -> Json:
        """Wait for a condition of an export."""

        async def said() -> None:
            found = await self.condition(member, type_, name)
            assert (found["status"], found["reason"]) == (status, reason), found

        await self.rig.eventually(said)
        return await self.condition(member, type_, name)


async def exported(rig: Rig, *members: str, **service: Any) -> Services:
    """The service runs in the members, they export it, and all import it."""
    services = Services(rig)
    for member in members:
        await services.run(member, **service)
    await services.export(*members)
    await services.is_imported(*rig.members)
    return services


async def exported_twice(rig: Rig, first: Json, second: Json, *exports: Json) -> Services:
    """By member1, and by member2 more than a second later, which is not waited for."""
    services = Services(rig)
    specs = (*exports, {}, {})
    await services.run("member1", **first)
    await services.export("member1", **specs[0])
    await services.is_imported(*rig.members)
    await rig.later(1.1)
    await services.run("member2", **second)
    await services.export("member2", **specs[1])
    return services


def by_type(obj: Json) -> Mapping[str, Json]:
    return {condition["type"]: condition for condition in (obj.get("status") or {}).get("conditions") or ()}
