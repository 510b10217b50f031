"""A federation rehearsed: a snapshot in an embedded hub, the control plane that decides over it, and virtual time.

Everything runs on an event loop of its own, so `plan` is no coroutine: call it outside of one, or in another thread.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import msgspec

from hansa.api import names, scheme
from hansa.api.cluster import Cluster
from hansa.api.crd import all_crds
from hansa.api.meta import Key
from hansa.api.work import ResourceBinding
from hansa.apiserver.builtin import plugins
from hansa.apiserver.embedded import ADMIN, Embedded, Keys, start_embedded
from hansa.apiserver.message import UserInfo
from hansa.app.admission import plug
from hansa.app.control_plane import ControlPlane, Settings
from hansa.app.inprocess import InProcessTransport
from hansa.app.plugins import brought_along
from hansa.base.certificates import KeyPair
from hansa.base.clock import parse_rfc3339
from hansa.base.division import descends
from hansa.foresight import difference, virtual_time, whatif
from hansa.foresight.edits import Done, Edit, carry_out
from hansa.foresight.explain import explain
from hansa.foresight.explanation import Explanation
from hansa.foresight.plan import BindingChange, Plan, UnknownClusters
from hansa.foresight.rest import Rest
from hansa.foresight.restore import restore
from hansa.foresight.snapshot import Snapshot
from hansa.foresight.stand_in import StandIn
from hansa.foresight.state import State
from hansa.foresight.unknown import unknown_clusters
from hansa.foresight.whatif import Forecast, Scenario
from hansa.install import objects
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError
from hansa.runtime.cache import Cache
from hansa.runtime.clock import LoopClock, SystemClock

PACE_SECONDS = 0.05
"""After an object is applied: the control plane has heard of it when the next comes. Deletes do not wait (kubectl)."""
_UUID_BITS = 128
_ACCOUNT = UserInfo(objects.ACCOUNT_USER, ("system:serviceaccounts", "system:masters"))


class _Identities(random.Random):
    """Draws identities of new objects of one kind: those by which odd replicas go to the first name, or to the last."""

    def __init__(self, *, last: bool) -> None:
        super().__init__(int(last))
        self._last = last

    def getrandbits(self, k: int, /) -> int:
        while True:
            drawn = super().getrandbits(k)
            if k != _UUID_BITS or descends(str(uuid.UUID(int=drawn, version=4))) is self._last:
                return drawn


@dataclass
class Rehearsal:
    """`before` is the state at rest, without the edit."""

    server: Embedded
    hub: Client
    before: State
    notes: list[str]
    _rest: Rest
    _stand_in: StandIn
    done: list[Done] = field(default_factory=list[Done])

    async def carry_out(self, edits: Sequence[Edit], namespace: str) -> None:
        """Raises ConfigError when the hub refuses one, or the control plane finds no rest afterwards."""
        for edit in edits:
            self.done.append(await carry_out(self.hub, edit, namespace))
            if not edit.delete:
                await asyncio.sleep(PACE_SECONDS)
        await self.settle()

    async def settle(self) -> None:
        """Until the control plane has done all that it is going to do. Raises Restless."""
        await self._rest.settle()

    @property
    def state(self) -> State:
        return State.of(self.server, self.before)

    def plan(self) -> Plan:
        """What has changed since the beginning."""
        after = self.state
        return Plan(
            hub=difference.hub_changes(self.done, self.before, after),
            members=difference.member_changes(self.before, after, self._stand_in.ended),
            bindings=difference.binding_changes(self.before, after),
            warnings=tuple(self._unknown(after)),
            problems=difference.problems(self.before, after),
            notes=tuple(self.notes),
        )

    def tied(self, plan: Plan) -> bool:
        """Whether the identity of something new may decide how replicas are divided."""
        bindings = self.state.bindings
        for change in plan.bindings:
            if change.action == "created" and len(change.moves) > 1:
                placement = bindings[Key(change.namespace, change.name)].as_(ResourceBinding).spec.placement
                if placement is None or placement.divided:
                    return True
        return False

    def _unknown(self, after: State) -> Iterator[UnknownClusters]:
        """Of what was applied, as the hub has it."""
        clusters = {key.name for gvk, key in after.others if gvk == scheme.CLUSTERS.gvk}
        for about in dict.fromkeys(one.about for one in self.done):
            item = after.others.get(about)
            if item is not None:
                yield from unknown_clusters(item, clusters)


@asynccontextmanager
async def rehearsal(snapshot: Snapshot, settings: Settings, *, last: bool = False) -> AsyncGenerator[Rehearsal, None]:
    """A federation at rest. `last`: which way ties of new templates go. Raises Restless."""
    authority = _authority(snapshot)
    clock = LoopClock(parse_rfc3339(snapshot.header.taken_at))
    server = await start_embedded(
        "rehearsal",
        clock=clock,
        extra_crds=all_crds(),
        keys=_keys() if authority is None else replace(_keys(), authority=authority),
        rng=_Identities(last=last),
        admission_plugins=plugins.ALL - {"ServiceAccount"},
        furnishes_namespaces=authority is not None,
    )
    hub = Client(InProcessTransport("hub", server, user=ADMIN), qps=0, field_manager="kubectl-client-side-apply")
    members = Client(InProcessTransport("hub", server, user=ADMIN), qps=0)
    works = Cache(members)
    try:
        notes = restore(snapshot, server)
        if others := brought_along(settings.rules.plugins):
            notes.append(f"decided with scheduler plug-ins that are installed here: {', '.join(others)}")
        plug(server.context.admission)
        initial = State.of(server)
        stand_in = StandIn(members, works)
        plane_client = Client(InProcessTransport("hub", server, user=_ACCOUNT), qps=0)
        plane = ControlPlane(plane_client, clock, _no_members, settings, only_decides=True)
        let_go = stand_in.controller()
        fault: ConfigError | None = None
        async with plane.running(), asyncio.TaskGroup() as group:
            task = group.create_task(let_go.run(), name=let_go.name)
            rest = Rest(server.context.storage, [*plane.controllers, let_go])
            try:
                await rest.settle()
                before = State.of(server, initial)
                notes += _busy(initial, before, stand_in)
                stand_in.ended.clear()
                yield Rehearsal(server, hub, before, notes, rest, stand_in)
            except ConfigError as error:
                fault = error  # a task group would wrap it
            task.cancel()
        if fault is not None:
            raise fault
    finally:
        await works.close()
        await server.stop()


def plan(snapshot: Snapshot, edits: Sequence[Edit], namespace: str, settings: Settings) -> Plan:
    """What the edits would do. Raises ConfigError."""

    async def once(last: bool) -> tuple[Plan, bool]:
        async with rehearsal(snapshot, settings, last=last) as federation:
            await federation.carry_out(edits, namespace)
            found = federation.plan()
            return found, federation.tied(found)

    found, tied = virtual_time.run(once(False))
    return _with_alternatives(found, virtual_time.run(once(True))[0]) if tied else found


def what_if(snapshot: Snapshot, scenario: Scenario, settings: Settings) -> Forecast:
    """What the failures and the new clusters would do. Raises ConfigError."""

    async def once() -> Forecast:
        async with rehearsal(snapshot, settings) as federation:
            hub, now = federation.hub, snapshot.header.taken_at
            clusters = (await hub.list(scheme.CLUSTERS)).items
            added = whatif.adding(scenario, clusters)
            failed = whatif.failing(scenario, [item.as_(Cluster) for item in clusters])
            for cluster in added:
                await whatif.add(hub, cluster)
            for name in failed:
                await whatif.fail(hub, name, now)
            await federation.settle()
            at_once = federation.plan()
            await whatif.evict(hub, federation.state, failed, now)
            await federation.settle()
            affected, others = whatif.affected(federation.before, federation.state, failed)
            names = tuple(cluster["metadata"]["name"] for cluster in added)
            return Forecast(failed=failed, added=names, at_once=at_once, affected=affected, others=others)

    return virtual_time.run(once())


def explained(snapshot: Snapshot, word: str, name: str, namespace: str, settings: Settings) -> Explanation:
    """Of a snapshot, what `hansa explain` says of a hub. Raises ConfigError."""

    async def once() -> Explanation:
        server = await start_embedded("snapshot", clock=SystemClock(), extra_crds=all_crds(), keys=_keys())
        try:
            notes = restore(snapshot, server)
            hub = Client(InProcessTransport("snapshot", server, user=ADMIN), qps=0)
            taken_at = parse_rfc3339(snapshot.header.taken_at)
            found = await explain(hub, word, name, namespace, settings.rules, taken_at)
            return msgspec.structs.replace(found, lacking=(*found.lacking, *notes))
        finally:
            await server.stop()

    return virtual_time.run(once())


def _with_alternatives(plan: Plan, other: Plan) -> Plan:
    """`plan`, with what differs in the one whose ties went the other way."""
    others = {(change.namespace, change.name): change.moves for change in other.bindings}

    def one(change: BindingChange) -> BindingChange:
        moves = others.get((change.namespace, change.name), ())
        return change if moves == change.moves else msgspec.structs.replace(change, or_moves=moves)

    return msgspec.structs.replace(plan, bindings=tuple(one(change) for change in plan.bindings))


def _busy(initial: State, rest: State, stand_in: StandIn) -> list[str]:
    """What a control plane that works on the hub has yet to do without any edit."""
    members = difference.member_changes(initial, rest, stand_in.ended)
    bindings = difference.binding_changes(initial, rest)
    notes = [f"still to be done without this: {change.template} is {change.action}" for change in bindings]
    return notes + [
        f"still to be done without this: {change.kind} {change.namespace}/{change.name} in {change.cluster}"
        f" is {change.action}"
        for change in members
    ]


def _no_members(cluster: Cluster, secret: Mapping[str, bytes]) -> Client:
    raise ConfigError(f"{cluster.metadata.name}: a rehearsal has no members")


def _authority(snapshot: Snapshot) -> KeyPair | None:
    """The certificate authority that the hub gives to its namespaces; None when it gives none."""
    for obj in snapshot.of_kind("ConfigMap", ""):
        metadata = obj["metadata"]
        if (metadata["namespace"], metadata["name"]) == (names.DEFAULT_NAMESPACE, "kube-root-ca.crt"):
            return KeyPair(str((obj.get("data") or {}).get("ca.crt", "")).encode(), b"")
    return None


@cache
def _keys() -> Keys:
    """No token and no certificate of a rehearsal leaves the process."""
    return Keys.fresh("rehearsal", SystemClock())
