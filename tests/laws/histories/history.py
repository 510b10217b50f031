"""Random histories: what users do to a federation while it fails and restarts, and what must be true in the end.

A history lives in a namespace of its own and ends with everything healed. The model is of users' wishes: where each
object should be by the policies as Karmada documents them, and what it should say.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.laws.histories.oracle import MANAGED, Oracle, Place, Violation
from tests.support.federation import Federation
from tests.support.objects import config_map, override_policy, policy, secret, selects

from hansa.api import names, scheme
from hansa.api.meta import Json, Resource
from hansa.kube.errors import ApiError, Conflict, NotFound

MEMBERS = ("member1", "member2")
STEPS = (4, 10)
BROKEN = {"overriders": {"plaintext": [{"path": "/nothing/here/at/all", "operator": "replace", "value": "x"}]}}
FOREIGN = "example.io/theirs"


@dataclass
class Wish:
    """What users want of one object. `bound` is where it should be; None until a policy has had its say."""

    name: str
    resource: Resource
    exists: bool = False
    value: str = ""
    policy: tuple[str, ...] | None = None
    suspends: bool = False
    """Whether the policy says so; `suspended` is what the binding was told."""
    suspended: bool = False
    bound: tuple[str, ...] | None = None
    created: float = 0.0
    unsure: bool = False
    """Whether the policy was heard is a matter of chance: it went at once, or it is Lazy and came with its template in
    one second, so that a process which starts then cannot tell which was first."""
    unheard: bool = False
    """Edited while it belonged to no policy: members may have the old data or, after a restart, the new."""
    broken: bool = False
    foreign: set[str] = field(default_factory=set[str])
    """Members where somebody else had an object of the name first."""
    theirs: dict[str, str] = field(default_factory=dict[str, str])
    """The annotation that somebody else last put on our object, by member."""


class History:
    """`canary` is what no log, event or status may ever show."""

    def __init__(self, federation: Federation, oracle: Oracle, seed: int) -> None:
        self.federation, self.oracle = federation, oracle
        self.chance = random.Random(seed)
        self.namespace = f"h{seed % 10**9}"
        self.canary = f"canary-{seed}"
        self.steps: list[str] = []
        self.wishes = [
            Wish("one", scheme.CONFIGMAPS),
            Wish("two", scheme.CONFIGMAPS),
            Wish("keys", scheme.SECRETS),
        ]

    # -- the whole ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Raises Violation, whose message has the steps."""
        try:
            await self._run()
        except AssertionError as error:
            raise Violation(f"{error}\nafter: " + "\n       ".join(["", *self.steps])) from error

    async def _run(self) -> None:
        await self._begin()
        for _ in range(self.chance.randint(*STEPS)):
            await self._step()
            await asyncio.sleep(self.chance.choice((0, 0, 0.05, 0.3, 1, 3)))
            self.oracle.check()
        await self._heal()
        await self._settled()
        await self._judge()
        await self._judge_restart()
        await self._end()

    async def _begin(self) -> None:
        hub = self.federation.hub
        await hub.create(
            scheme.NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        )
        for member in MEMBERS:
            await self._until_there(member)

    async def _until_there(self, member: str) -> None:
        for _ in range(400):
            if await self.federation.get(member, scheme.NAMESPACES, self.namespace) is not None:
                return
            await asyncio.sleep(0.25)
        raise Violation(f"convergence: namespace {self.namespace} is not in {member}")

    async def _step(self) -> None:
        weighted: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (6, self._template),
            (6, self._policy),
            (2, self._delete_template),
            (2, self._delete_policy),
            (2, self._override),
            (2, self._foreign_object),
            (3, self._foreign_annotation),
            (2, self._drift),
            (2, self._cut),
            (2, self._faults),
            (2, self._restart),
        ]
        weights, actions = [weight for weight, _ in weighted], [action for _, action in weighted]
        await self.chance.choices(actions, weights)[0]()

    def _did(self, what: str) -> None:
        self.steps.append(f"{asyncio.get_running_loop().time():.2f} {what}")

    # -- users on the hub ---------------------------------------------------------------------------------------------

    def _wish(self) -> Wish:
        return self.chance.choice(self.wishes)

    def _document(self, wish: Wish) -> Json:
        if wish.resource is scheme.SECRETS:
            return secret(wish.name, self.namespace, {"v": wish.value, "key": self.canary})
        return config_map(wish.name, self.namespace, {"v": wish.value})

    async def _template(self) -> None:
        wish = self._wish()
        wish.value = str(self.chance.randrange(10**6))
        data = self._document(wish)["data"]
        created = not wish.exists
        if created:
            self._did(f"create {wish.name}")
            if not await self._create(wish.resource, self._document(wish)):
                return
            wish.exists, wish.created = True, asyncio.get_running_loop().time()
        else:
            self._did(f"edit {wish.name}")
            await self.federation.hub.patch(wish.resource, wish.name, self.namespace, {"data": data})
        if wish.policy is not None:
            self._bind(wish)
        else:
            wish.unheard = True

    async def _create(self, resource: Resource, document: Json) -> bool:
        """False while an old object of that name is on its way out."""
        try:
            await self.federation.hub.create(resource, document)
        except Conflict:
            return False
        except ApiError as error:
            if error.code == 409:
                return False
            raise
        return True

    def _bind(self, wish: Wish) -> None:
        assert wish.policy is not None
        for member in set(wish.bound or ()) - set(wish.policy):
            self.oracle.may_end.add(self._place(member, wish))
        wish.bound, wish.suspended, wish.unsure = wish.policy, wish.suspends, False
        wish.unheard = False

    def _place(self, member: str, wish: Wish) -> Place:
        return (member, wish.resource.plural, self.namespace, wish.name)

    async def _policy(self) -> None:
        wish = self._wish()
        clusters = tuple(sorted(self.chance.sample(MEMBERS, self.chance.randint(1, 2))))
        lazy, suspended = self.chance.random() < 0.2, self.chance.random() < 0.15
        self._did(f"policy of {wish.name}: {clusters}{' lazy' if lazy else ''}{' suspended' if suspended else ''}")
        extra: Json = {"activationPreference": "Lazy"} if lazy else {}
        if suspended:
            extra["suspension"] = {"dispatching": True}
        name = f"p-{wish.name}"
        document = policy(name, self.namespace, [selects(self._document(wish))], clusters=clusters, **extra)
        old = await self.federation.get("hub", scheme.PROPAGATION_POLICIES, name, self.namespace)
        if old is None:
            await self.federation.hub.create(scheme.PROPAGATION_POLICIES, document)
        elif old["metadata"].get("deletionTimestamp"):
            return
        else:
            document["metadata"] = {**old["metadata"]}
            try:
                await self.federation.hub.update(scheme.PROPAGATION_POLICIES, document)
            except Conflict:
                return
        if lazy and wish.exists and wish.policy is not None:
            # what it said before may not have been heard yet, and is now held back
            wish.unsure = wish.unsure or not await self._has_acted(wish)
        wish.policy, wish.suspends = clusters, suspended
        if not lazy and wish.exists:
            self._bind(wish)
        elif lazy and wish.exists:
            # while requests fail, an edit of before may be heard only now, and then takes the new policy along
            late = self.oracle.fault_rate > 0 or asyncio.get_running_loop().time() - wish.created < 1
            wish.unsure = wish.unsure or late

    async def _delete_template(self) -> None:
        wish = self._wish()
        if not wish.exists:
            return
        self._did(f"delete {wish.name}")
        for member in MEMBERS:
            self.oracle.may_end.add(self._place(member, wish))
        wish.exists, wish.bound = False, None
        await self.federation.hub.delete(wish.resource, wish.name, self.namespace, propagation="Background")

    async def _delete_policy(self) -> None:
        """What runs keeps running."""
        wish = self._wish()
        if wish.policy is None:
            return
        self._did(f"delete the policy of {wish.name}")
        wish.unsure = wish.unsure or not await self._has_acted(wish)
        try:
            await self.federation.hub.delete(scheme.PROPAGATION_POLICIES, f"p-{wish.name}", self.namespace)
        except NotFound:
            return
        wish.policy = None

    async def _has_acted(self, wish: Wish) -> bool:
        """Whether the binding says already what the policy wants; one that goes at once may never be heard."""
        binding = f"{wish.name}-{wish.resource.kind.lower()}"
        live = await self.federation.get("hub", scheme.RESOURCE_BINDINGS, binding, self.namespace)
        clusters = {target["name"] for target in (live or {"spec": {}})["spec"].get("clusters", ())}
        return clusters == set(wish.bound or ())

    async def _override(self) -> None:
        """A broken one, or the end of it. What it selects may be anything until then; others must not care."""
        wish = self.wishes[0]
        name = "broken"
        if wish.broken:
            self._did("delete the broken override")
            await self.federation.hub.delete(scheme.OVERRIDE_POLICIES, name, self.namespace)
        else:
            self._did(f"a broken override of {wish.name}")
            selector = selects(self._document(wish))
            await self.federation.hub.create(
                scheme.OVERRIDE_POLICIES, override_policy(name, self.namespace, [selector], [BROKEN])
            )
        wish.broken = not wish.broken

    # -- users in members ---------------------------------------------------------------------------------------------

    async def _foreign_object(self) -> None:
        wish, member = self._wish(), self.chance.choice(MEMBERS)
        document = {**self._document(wish), "data": {}}
        document["metadata"]["annotations"] = {FOREIGN: "object"}
        try:
            await self.federation.clients[member].create(wish.resource, document)
        except ApiError:
            return
        self._did(f"somebody else's {wish.name} in {member}")
        wish.foreign.add(member)

    async def _ours(self, wish: Wish, member: str) -> bool:
        live = await self.federation.get(member, wish.resource, wish.name, self.namespace)
        return live is not None and (live["metadata"].get("labels") or {}).get(MANAGED) == "true"

    async def _foreign_annotation(self) -> None:
        wish, member = self._wish(), self.chance.choice(MEMBERS)
        if not await self._ours(wish, member) or wish.bound is None or member not in wish.bound:
            return
        value = str(self.chance.randrange(10**6))
        self._did(f"somebody annotates {wish.name} in {member}")
        patch = {"metadata": {"annotations": {FOREIGN: value}}}
        await self.federation.clients[member].patch(wish.resource, wish.name, self.namespace, patch)
        wish.theirs[member] = value

    async def _drift(self) -> None:
        wish, member = self._wish(), self.chance.choice(MEMBERS)
        if not await self._ours(wish, member):
            return
        client = self.federation.clients[member]
        if self.chance.random() < 0.5:
            self._did(f"somebody edits {wish.name} in {member}")
            await client.patch(wish.resource, wish.name, self.namespace, {"data": {"v": "ZHJpZnQ="}})
        else:
            self._did(f"somebody deletes {wish.name} in {member}")
            await client.delete(wish.resource, wish.name, self.namespace)
            wish.theirs.pop(member, None)

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    async def _cut(self) -> None:
        member = self.chance.choice(MEMBERS)
        cut = not self.federation.is_cut(member)
        self._did(f"{'cut' if cut else 'heal'} {member}")
        self.federation.cut(member, cut)
        if cut and self.chance.random() < 0.3:
            await asyncio.sleep(60)  # long enough to be noticed

    async def _faults(self) -> None:
        self.oracle.fault_rate = 0.0 if self.oracle.fault_rate else self.chance.choice((0.05, 0.2))
        self._did(f"{self.oracle.fault_rate:.0%} of requests fail")

    async def _restart(self) -> None:
        self._did("restart")
        await self.federation.restart()

    async def _heal(self) -> None:
        self._did("all is healed")
        self.oracle.fault_rate = 0.0
        for member in MEMBERS:
            self.federation.cut(member, False)
        for wish in self.wishes:
            if (wish.suspended or wish.suspends) and wish.policy is not None:
                wish.suspends = False
                patch = {"spec": {"suspension": None, "activationPreference": None}}
                await self.federation.hub.patch(scheme.PROPAGATION_POLICIES, f"p-{wish.name}", self.namespace, patch)
                if wish.exists:
                    self._bind(wish)
        if self.wishes[0].broken:
            return
        self.oracle.check()

    async def _settled(self) -> None:
        # a member that was cut off needs its success threshold; what failed often backs off
        await asyncio.sleep(120)
        await self.federation.settle(limit_seconds=3000)
        self.oracle.check()

    # -- what must be true --------------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        for wish in self.wishes:
            for member in MEMBERS:
                await self._judge_one(wish, member)
            if wish.exists:
                live = await self.federation.get("hub", wish.resource, wish.name, self.namespace)
                if live is None or live["data"] != self._document(wish)["data"]:
                    raise Violation(f"one writer per field: the template {wish.name} is not as its user left it")
        await self._judge_secrecy()

    async def _judge_one(self, wish: Wish, member: str) -> None:
        live = await self.federation.get(member, wish.resource, wish.name, self.namespace)
        where = f"{wish.name} in {member}"
        ours = live is not None and (live["metadata"].get("labels") or {}).get(MANAGED) == "true"
        if member in wish.foreign and not ours:
            if live is None or live["metadata"].get("annotations", {}).get(FOREIGN) != "object" or live.get("data"):
                raise Violation(f"a delete needs our marks: somebody else's {where} is gone or changed")
            return
        wanted = wish.exists and member in (wish.bound or ())
        if wish.broken or wish.suspended or wish.unsure:
            return
        if not wanted:
            if ours:
                raise Violation(f"convergence: {where} is there and should not be")
            return
        if live is None or not ours:
            raise Violation(f"convergence: {where} is missing")
        if live["data"] != self._document(wish)["data"] and not wish.unheard:
            raise Violation(f"convergence: {where} has old data")
        theirs = wish.theirs.get(member)
        if theirs is not None and live["metadata"]["annotations"].get(FOREIGN) not in (theirs, "object"):
            raise Violation(f"one writer per field: somebody's annotation on {where} is lost")

    async def _judge_secrecy(self) -> None:
        for namespace in (self.namespace, *(f"{names.EXECUTION_NAMESPACE_PREFIX}{member}" for member in MEMBERS)):
            for event in (await self.federation.hub.list(scheme.EVENTS, namespace)).items:
                if self.canary.encode() in event.raw or _encoded(self.canary) in event.raw:
                    raise Violation(f"secrets stay secret: an event shows one: {event.json()['message'][:200]}")

    async def _judge_restart(self) -> None:
        await self.federation.restart()
        self.federation.plane.forget_writes()
        await self.federation.settle()
        found = [write for write in self.federation.plane.writes if f"/{self.namespace}" in write or "/works/" in write]
        if found and not self.wishes[0].broken and not any(wish.unheard for wish in self.wishes):
            raise Violation(f"a restart writes nothing: {found[:5]}")

    async def _end(self) -> None:
        """Leave room for the next: everything of the namespace goes, on the hub and in members."""
        self._did("the end")
        for wish in self.wishes:
            for member in MEMBERS:
                self.oracle.may_end.add(self._place(member, wish))
                if member in wish.foreign:
                    await self._remove(member, wish.resource, wish.name)
            await self._remove("hub", scheme.PROPAGATION_POLICIES, f"p-{wish.name}")
            await self._remove("hub", wish.resource, wish.name)
        await self._remove("hub", scheme.OVERRIDE_POLICIES, "broken")
        await self.federation.hub.delete(scheme.NAMESPACES, self.namespace)
        await self.federation.settle(limit_seconds=3000)
        for wish in self.wishes:
            for member in MEMBERS:
                if await self._ours(wish, member):
                    raise Violation(f"convergence: {wish.name} stayed in {member} after its end")
        self.oracle.check()
        self.oracle.may_end.clear()

    async def _remove(self, server: str, resource: Resource, name: str) -> None:
        try:
            await self.federation.clients[server].delete(resource, name, self.namespace, propagation="Background")
        except NotFound:
            return


def _encoded(text: str) -> bytes:

    return base64.b64encode(text.encode())
