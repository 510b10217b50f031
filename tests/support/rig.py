"""What a scenario runs on: a hub and its joined members, either embedded in virtual time or real processes."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.federation import Federation, running
from tests.support.real_member import joined

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.embedded import Keys
from hansa.app.admission import plug
from hansa.app.real import in_background
from hansa.kube import config
from hansa.kube.client import Client, PatchKind
from hansa.kube.discovery import NoMatch
from hansa.kube.errors import ApiError, Conflict, NotFound
from hansa.kube.http import HttpTransport
from hansa.sim.member import SimulatedMember

Check = Callable[[], Awaitable[None]]
MEMBERS = ("member1", "member2", "member3")
LOCATION = {"location": "CHN", "sync-mode": "Push"}
"""Labels of every member, as Karmada's own end-to-end suite sets them."""
POLL_SECONDS = 0.25


class Rig:
    """The scenario's view of a federation. `namespace` is its own, and exists in every member."""

    def __init__(self, clients: Mapping[str, Client], scenario: str) -> None:
        self.clients = dict(clients)
        self.hub = self.clients["hub"]
        self.members = [name for name in self.clients if name != "hub"]
        self.namespace = f"e2e-{scenario}"
        self._scenario = scenario
        self._labels: dict[str, dict[str, str]] = {}
        self._specs: dict[str, Json] = {}
        self._left: dict[str, list[Json]] = {}
        """Of members that left: their Secrets, which go with the Cluster, and the Cluster."""
        self._annotations: dict[str, set[str]] = {}

    def name(self, stem: str) -> str:
        """A name that no other scenario uses, for objects outside the namespace."""
        return f"{stem}-{self._scenario}"

    # -- objects ------------------------------------------------------------------------------------------------------

    async def apply(self, *objects: Json, server: str = "hub") -> None:
        """Create, or replace what is there; labels and annotations that are not given stay."""
        for obj in objects:
            await self._apply(obj, server)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | list[Json],
        namespace: str | None = None,
        *,
        server: str = "hub",
        kind: PatchKind = PatchKind.MERGE,
        subresource: str | None = None,
    ) -> Json:
        client = self.clients[server]
        return (await client.patch(resource, name, namespace, patch, kind=kind, subresource=subresource)).json()

    async def delete(self, resource: Resource, name: str, namespace: str | None = None, *, server: str = "hub") -> None:
        """As kubectl does; without a word on dependents some kinds leave them orphans."""
        await self.clients[server].delete(resource, name, namespace, propagation="Background")

    async def get(self, server: str, resource: Resource, name: str, namespace: str | None = None) -> Json | None:
        try:
            return (await self.clients[server].get(resource, name, namespace)).json()
        except NotFound:
            return None

    async def list(
        self, server: str, resource: Resource, namespace: str | None = None, *, labels: str = ""
    ) -> Sequence[Json]:
        page = await self.clients[server].list(resource, namespace, labels=labels)
        return [item.json() for item in page.items]

    async def events(self, name: str, namespace: str | None = None) -> Sequence[Json]:
        """Of the hub, about objects of that name."""
        found = await self.list("hub", scheme.EVENTS, namespace or "default")
        return [event for event in found if event["involvedObject"].get("name") == name]

    async def event(self, reason: str, name: str, namespace: str | None = None, *, kind: str | None = None) -> Json:
        """Wait for one of that reason; the newest."""
        seen: list[Json] = []

        async def recorded() -> None:
            found = await self.events(name, namespace)
            seen[:] = [
                event
                for event in found
                if event["reason"] == reason and kind in (None, event["involvedObject"].get("kind"))
            ]
            assert seen, f"no {reason} for {name}: {[(event['reason'], event['message']) for event in found]}"

        await self.eventually(recorded)
        return max(seen, key=lambda event: int(event["metadata"]["resourceVersion"]))

    # -- clusters -----------------------------------------------------------------------------------------------------

    async def label_cluster(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a Cluster, None removes one; put back when the scenario ends."""
        old = (await self.hub.get(scheme.CLUSTERS, name)).json()["metadata"].get("labels", {})
        self._labels.setdefault(name, old)
        await self.patch(scheme.CLUSTERS, name, {"metadata": {"labels": dict(labels)}})

    async def edit_cluster(self, name: str, spec: Json) -> None:
        """Set fields of a Cluster's spec, None removes one; put back when the scenario ends."""
        old = (await self.hub.get(scheme.CLUSTERS, name)).json()["spec"]
        before = self._specs.setdefault(name, {})
        for field in spec:
            before.setdefault(field, old.get(field))
        await self.patch(scheme.CLUSTERS, name, {"spec": spec})

    async def leave(self, name: str) -> None:
        """Unjoin a member; it joins again at the end of the scenario at the latest."""
        cluster = (await self.hub.get(scheme.CLUSTERS, name)).json()
        kept = {"name": name, "labels": cluster["metadata"].get("labels", {})}
        spec = {field: value for field, value in cluster["spec"].items() if field != "taints"}
        secrets = [await self._secret(spec[field]) for field in ("secretRef", "impersonatorSecretRef") if field in spec]
        self._left[name] = [*secrets, {**cluster, "metadata": kept, "spec": spec, "status": {}}]
        await self.delete(scheme.CLUSTERS, name)

        async def gone() -> None:
            assert await self.get("hub", scheme.CLUSTERS, name) is None

        await self.eventually(gone)
        for secret in secrets:
            with contextlib.suppress(NotFound):
                await self.delete(scheme.SECRETS, secret["metadata"]["name"], secret["metadata"]["namespace"])

    async def return_(self, name: str) -> None:
        """Join a member that left, as it was."""
        for obj in self._left.pop(name):
            await self.hub.create(await self._resource(self.hub, obj), obj)

        async def ready() -> None:
            cluster = await self.get("hub", scheme.CLUSTERS, name)
            assert cluster is not None and not cluster["spec"].get("taints")

        await self.eventually(ready)

    async def _secret(self, reference: Json) -> Json:
        secret = (await self.hub.get(scheme.SECRETS, reference["name"], reference["namespace"])).json()
        return {**secret, "metadata": dict(reference)}

    async def annotate_cluster(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of a Cluster, None removes one; taken off when the scenario ends."""
        self._annotations.setdefault(name, set()).update(annotations)
        await self.patch(scheme.CLUSTERS, name, {"metadata": {"annotations": dict(annotations)}})

    async def where(self, resource: Resource, name: str, namespace: str | None = None) -> Sequence[str]:
        """The members that hold it now."""
        return [member for member in self.members if await self.get(member, resource, name, namespace) is not None]

    async def reaches(
        self, members: Sequence[str], resource: Resource, name: str, namespace: str | None = None
    ) -> None:
        """Wait until exactly these members hold it."""

        async def there() -> None:
            assert await self.where(resource, name, namespace) == sorted(members)

        await self.eventually(there)

    # -- bindings -----------------------------------------------------------------------------------------------------

    async def binding(self, name: str) -> Json:
        """Of a template in the scenario's namespace, or of one outside of namespaces; `name` is the binding's."""
        found = await self.get("hub", scheme.RESOURCE_BINDINGS, name, self.namespace)
        found = found or await self.get("hub", scheme.CLUSTER_RESOURCE_BINDINGS, name)
        assert found is not None, f"no binding {name}"
        return found

    async def divides(self, name: str, shares: Mapping[str, int]) -> None:
        """Wait until the binding says so, and that it is scheduled, of the generation that it has."""

        async def so() -> None:
            binding = await self.binding(name)
            targets = binding["spec"].get("clusters") or []
            assert {target["name"]: target.get("replicas", 0) for target in targets} == shares
            assert self.scheduled(binding)[:2] == ("True", "Success")
            assert binding["status"]["schedulerObservedGeneration"] == binding["metadata"]["generation"]

        await self.eventually(so)

    async def refused(self, name: str, reason: str, text: str = "") -> None:
        """Wait until the binding says that it cannot be scheduled."""

        async def so() -> None:
            status, said, message = self.scheduled(await self.binding(name))
            assert (status, said) == ("False", reason) and text in message

        await self.eventually(so)

    @staticmethod
    def scheduled(binding: Json) -> tuple[str, str, str]:
        """Status, reason and message of the condition."""
        conditions = binding.get("status", {}).get("conditions") or []
        (found,) = [one for one in conditions if one["type"] == "Scheduled"]
        return found["status"], found["reason"], found["message"]

    # -- time ---------------------------------------------------------------------------------------------------------

    async def eventually(self, check: Check, seconds: float = 60.0) -> None:
        """Until `check` passes; its last error when it does not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            try:
                return await check()
            except (AssertionError, ApiError, KeyError, TypeError, IndexError, ValueError):
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def later(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def holds(self, check: Check, seconds: float = 5.0) -> None:
        """`check` passes now and for so long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            await check()
            await asyncio.sleep(POLL_SECONDS)

    # -- the rigs' own ------------------------------------------------------------------------------------------------

    async def add_member(self, name: str, service_range: str) -> None:
        """One more member, of `members` too, until the scenario ends. Its Services have addresses of `service_range`,
        which is that of a kube-apiserver: a second family comes after a comma."""
        self.clients[name] = await self._start_member(name, service_range)
        self.members.append(name)

        async def synchronised() -> None:
            await self.clients[name].get(scheme.NAMESPACES, self.namespace)

        await self.eventually(synchronised)

    @abstractmethod
    async def _start_member(self, name: str, service_range: str) -> Client:
        """Joined."""

    @abstractmethod
    async def close(self) -> None:
        """Leave the federation as it was found."""

    async def open(self) -> None:
        namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.hub.create(scheme.NAMESPACES, namespace)

        async def synchronised() -> None:
            for member in self.members:
                await self.clients[member].get(scheme.NAMESPACES, self.namespace)

        await self.eventually(synchronised)

    async def _apply(self, obj: Json, server: str) -> None:
        client = self.clients[server]
        resource = await self._resource(client, obj)
        metadata = obj["metadata"]
        for _ in range(10):
            try:
                live = (await client.get(resource, metadata["name"], metadata.get("namespace"))).json()
            except NotFound:
                await client.create(resource, obj)
                return
            kept = live["metadata"]
            merged = copy.deepcopy(obj)
            merged["metadata"] = {**kept, **metadata}
            for part in ("labels", "annotations"):
                if part in kept or part in metadata:
                    merged["metadata"][part] = {**kept.get(part, {}), **metadata.get(part, {})}
            with contextlib.suppress(Conflict):
                await client.update(resource, merged)
                return
        raise AssertionError(f"{metadata['name']} keeps changing")

    async def _resource(self, client: Client, obj: Json) -> Resource:
        """A kind may have been defined a moment ago."""
        found: list[Resource] = []

        async def served() -> None:
            try:
                found.append(await client.discovery.resource_for(GVK.of(obj["apiVersion"], obj["kind"])))
            except NoMatch as error:
                await client.discovery.refresh()
                raise AssertionError(str(error)) from error

        await self.eventually(served)
        return found[-1]


class EmbeddedRig(Rig):
    """Everything in this process; nothing is left behind."""

    def __init__(self, federation: Federation, keys: Keys, scenario: str) -> None:
        super().__init__(federation.clients, scenario)
        self.federation = federation
        self._keys = keys
        self._members = AsyncExitStack()

    async def simulate(self, name: str) -> None:
        """Act out a member's nodes and controllers until the end."""
        member = SimulatedMember(name, self.clients[name], clock=self.federation.clock, nodes=1)
        await self._members.enter_async_context(in_background(member.run(), name))

    async def close(self) -> None:
        """Nothing else survives the process."""
        await self._members.aclose()

    async def _start_member(self, name: str, service_range: str) -> Client:
        await self.federation.add_server(name, self._keys, service_range)
        self.clients[name] = self.federation.clients[name]
        await self.simulate(name)
        await self.federation.join(name, labels=LOCATION)
        return self.clients[name]


class RealRig(Rig):
    """A federation that other scenarios use too: what was made outside the namespace is taken away at the end."""

    def __init__(self, clients: Mapping[str, Client], scenario: str, directory: Path) -> None:
        super().__init__(clients, scenario)
        self._directory = directory
        self._added = AsyncExitStack()
        self._made: list[tuple[str, Resource, str]] = []

    async def _apply(self, obj: Json, server: str) -> None:
        resource = await self._resource(self.clients[server], obj)
        made = (server, resource, obj["metadata"]["name"])
        if not resource.namespaced and made not in self._made:
            self._made.append(made)
        await super()._apply(obj, server)

    async def close(self) -> None:
        for name in list(self._left):
            await self.return_(name)
        for name, spec in self._specs.items():
            await self.patch(scheme.CLUSTERS, name, {"spec": spec})
        for name, labels in self._labels.items():
            now = (await self.hub.get(scheme.CLUSTERS, name)).json()["metadata"].get("labels", {})
            back: dict[str, str | None] = {**dict.fromkeys(now), **labels}
            await self.patch(scheme.CLUSTERS, name, {"metadata": {"labels": back}})
        for name, words in self._annotations.items():
            none: dict[str, None] = dict.fromkeys(words)
            await self.patch(scheme.CLUSTERS, name, {"metadata": {"annotations": none}})
        await self._added.aclose()
        for policies in (scheme.PROPAGATION_POLICIES, scheme.OVERRIDE_POLICIES):
            for policy in await self.list("hub", policies, self.namespace):
                await self._remove("hub", policies, policy["metadata"]["name"], self.namespace)
        for server, resource, name in reversed(self._made):
            await self._remove(server, resource, name)
        await self._remove("hub", scheme.NAMESPACES, self.namespace)
        for client in self.clients.values():
            await client.close()

    async def _start_member(self, name: str, service_range: str) -> Client:
        member = joined(self.hub, name, self._directory, service_range=service_range, labels=LOCATION)
        return await self._added.enter_async_context(member)

    async def _remove(self, server: str, resource: Resource, name: str, namespace: str | None = None) -> None:
        unprotected = {"metadata": {"labels": {names.DELETION_PROTECTED_LABEL: None}}}
        with contextlib.suppress(NotFound):
            await self.patch(resource, name, unprotected, namespace, server=server)
            await self.delete(resource, name, namespace, server=server)


@asynccontextmanager
async def embedded(keys: Keys, scenario: str) -> AsyncGenerator[Rig, None]:
    """A rig of its own, in virtual time."""
    async with AsyncExitStack() as stack:
        federation = await stack.enter_async_context(
            running(keys, all_crds(), speaks_kubefed=False, serves_services=True)
        )
        plug(federation.servers["hub"].context.admission)
        rig = EmbeddedRig(federation, keys, scenario)
        stack.push_async_callback(rig.close)
        for name in MEMBERS:
            await rig.simulate(name)
        await federation.join(*MEMBERS, labels=LOCATION)
        await rig.open()
        yield rig


@asynccontextmanager
async def real(
    kubeconfig: Path, scenario: str, directory: Path, members: Sequence[str] = MEMBERS
) -> AsyncGenerator[Rig, None]:
    """A scenario's share of a federation that runs. `directory`: for what it adds to it."""
    clients = {
        name: Client(HttpTransport(config.load(kubeconfig, name)), qps=0, field_manager="scenario")
        for name in ("hub", *members)
    }
    rig = RealRig(clients, scenario, directory)
    await rig.open()
    try:
        yield rig
    finally:
        await rig.close()
