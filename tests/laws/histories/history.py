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
from tests.laws.histories.shapes import CLUSTER_ROLE, CONFIG_MAP, DEPLOYMENT, SECRET, THING, Shape
from tests.support.federation import Federation
from tests.support.objects import override_policy, policy, selects

from hansa.api import names, scheme
from hansa.api.meta import Json, Resource
from hansa.kube.errors import ApiError, Conflict, NotFound

MEMBERS = ("member1", "member2")
STEPS = (4, 10)
BROKEN = {"overriders": {"plaintext": [{"path": "/nothing/here/at/all", "operator": "replace", "value": "x"}]}}
FOREIGN = "example.io/theirs"
CHOSEN = "example.io/chosen"
BY_LABEL = ("by label",)
"""In place of the names of clusters: those that bear the label CHOSEN: yes."""


@dataclass
class Wish:
    """What users want of one object. `bound` is where it should be; None until a policy has had its say."""

    shape: Shape
    namespace: str
    exists: bool = False
    value: str = ""
    policy: tuple[str, ...] | None = None
    lazy: bool = False
    suspends: bool = False
    """Whether the policy says so; `suspended` is what the binding was told."""
    suspended: bool = False
    preserves: bool = False
    """Whether the policy says so; `preserved` is what the binding was told."""
    preserved: bool = False
    ever_preserved: bool = False
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
    released: set[str] = field(default_factory=set[str])
    """Members that were let go of while the object there was to be preserved."""
    blurred: set[str] = field(default_factory=set[str])
    """Members where it is a matter of chance whether the object is ours: it was released and is wanted again, or was
    let go of before it was certain to be preserved."""

    @property
    def resource(self) -> Resource:
        return self.shape.resource

    @property
    def kind(self) -> str:
        return self.shape.resource.kind.lower()

    @property
    def within(self) -> str | None:
        return self.namespace if self.shape.resource.namespaced else None

    @property
    def name(self) -> str:
        return self.kind if self.within else f"{self.namespace}-{self.kind}"

    @property
    def binding(self) -> str:
        return f"{self.name}-{self.kind}"

    @property
    def policies(self) -> Resource:
        return scheme.PROPAGATION_POLICIES if self.within else scheme.CLUSTER_PROPAGATION_POLICIES


class History:
    """`canary` is what no log, event or status may ever show."""

    def __init__(self, federation: Federation, oracle: Oracle, seed: int) -> None:
        self.federation, self.oracle = federation, oracle
        self.chance = random.Random(seed)
        self.namespace = f"h{seed % 10**9}"
        self.canary = f"canary-{seed}"
        self.steps: list[str] = []
        self.wishes = [
            Wish(shape, self.namespace)
            for shape in (CONFIG_MAP, *self.chance.sample((SECRET, DEPLOYMENT, THING, CLUSTER_ROLE), 2))
        ]
        self.chosen = set(MEMBERS)
        self.restarted = float("-inf")

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
            (2, self._label),
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
        return wish.shape.make(wish.kind, self.namespace, wish.value, self.canary)

    async def _template(self) -> None:
        wish = self._wish()
        wish.value = str(self.chance.randrange(10**6))
        content = wish.shape.content(self._document(wish))
        created = not wish.exists
        if created:
            self._did(f"create {wish.name}")
            if not await self._create(wish.resource, self._document(wish)):
                return
            wish.exists, wish.created = True, asyncio.get_running_loop().time()
        else:
            self._did(f"edit {wish.name}")
            await self.federation.hub.patch(wish.resource, wish.name, wish.within, content)
        if wish.policy is not None:
            self._bind(wish)
            # a process that starts just then finds the edit as if it had always been there
            wish.unsure = not created and wish.lazy and asyncio.get_running_loop().time() - self.restarted < 1
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

    def _bind(self, wish: Wish, held: frozenset[str] = frozenset()) -> None:
        """The policy has its say. `held` are the members of which `_held` was true before."""
        assert wish.policy is not None
        self._lose(wish, set(self._meant(wish.bound)) - set(self._meant(wish.policy)), held)
        for member in wish.released & set(self._meant(wish.policy)):
            self._blur(wish, member)
        wish.bound, wish.suspended, wish.unsure = wish.policy, wish.suspends, False
        wish.preserved = wish.preserves
        wish.unheard = False

    def _meant(self, clusters: tuple[str, ...] | None) -> tuple[str, ...]:
        return tuple(sorted(self.chosen)) if clusters == BY_LABEL else clusters or ()

    def _lose(self, wish: Wish, members: set[str], held: frozenset[str]) -> None:
        """Somebody wants the object of `wish` gone from there."""
        for member in members:
            self.oracle.may_end.add(self._place(member, wish))
            if member in held:
                wish.released.add(member)
                self.oracle.preserved.add(self._place(member, wish))
                continue
            wish.theirs.pop(member, None)  # it may go with the object
            if wish.ever_preserved:
                self._blur(wish, member)

    def _blur(self, wish: Wish, member: str) -> None:
        wish.released.discard(member)
        wish.blurred.add(member)
        self.oracle.preserved.discard(self._place(member, wish))

    async def _held(self, wish: Wish) -> frozenset[str]:
        """Members in which our object is, and is certain to stay there when it is let go of."""
        if not wish.preserved or wish.unsure or wish.broken:
            return frozenset()
        found: set[str] = set()
        for member in set(MEMBERS) - wish.blurred:
            for work in await self.federation.works(member):
                manifest = work["spec"]["workload"]["manifests"][0]
                named = (manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
                certain = work["spec"]["preserveResourcesOnDeletion"] and "deletionTimestamp" not in work["metadata"]
                if named == (wish.resource.kind, wish.within, wish.name) and certain and await self._ours(wish, member):
                    found.add(member)
        return frozenset(found)

    def _place(self, member: str, wish: Wish) -> Place:
        return (member, wish.shape.bucket, wish.within or "", wish.name)

    async def _policy(self) -> None:
        wish = self._wish()
        clusters = tuple(sorted(self.chance.sample(MEMBERS, self.chance.randint(1, 2))))
        clusters = BY_LABEL if self.chance.random() < 0.25 else clusters
        lazy, suspended = self.chance.random() < 0.2, self.chance.random() < 0.15
        preserves = self.chance.random() < 0.2
        extra: Json = {"activationPreference": "Lazy"} if lazy else {}
        if suspended:
            extra["suspension"] = {"dispatching": True}
        if preserves:
            wish.ever_preserved = True
            extra["preserveResourcesOnDeletion"] = True
        self._did(f"policy of {wish.name}: {clusters} {extra or ''}")
        name, selectors = f"p-{wish.name}", [selects(self._document(wish))]
        affinity = {"labelSelector": {"matchLabels": {CHOSEN: "yes"}}} if clusters == BY_LABEL else None
        placement: Json = {"clusterAffinity": affinity or {"clusterNames": list(clusters)}}
        document = policy(name, wish.within, selectors, placement=placement, **extra)
        # an edit that chooses a cluster no longer, and preserves no longer, may be heard in two steps
        held = await self._held(wish) if preserves else frozenset[str]()
        old = await self.federation.get("hub", wish.policies, name, wish.within)
        if old is None:
            await self.federation.hub.create(wish.policies, document)
        elif old["metadata"].get("deletionTimestamp"):
            return
        else:
            document["metadata"] = {**old["metadata"]}
            try:
                await self.federation.hub.update(wish.policies, document)
            except Conflict:
                return
        if lazy and wish.exists and wish.policy is not None:
            # what it said before may not have been heard yet, and is now held back
            wish.unsure = wish.unsure or not await self._has_acted(wish)
        wish.policy, wish.suspends, wish.preserves, wish.lazy = clusters, suspended, preserves, lazy
        if not lazy and wish.exists:
            self._bind(wish, held)
        elif lazy and wish.exists:
            # while requests fail, an edit of before may be heard only now, and then takes the new policy along
            late = self.oracle.fault_rate > 0 or asyncio.get_running_loop().time() - wish.created < 1
            wish.unsure = wish.unsure or late

    async def _delete_template(self) -> None:
        wish = self._wish()
        if not wish.exists:
            return
        self._did(f"delete {wish.name}")
        self._lose(wish, set(MEMBERS), await self._held(wish))
        wish.exists, wish.bound = False, None
        await self.federation.hub.delete(wish.resource, wish.name, wish.within, propagation="Background")

    async def _delete_policy(self) -> None:
        """What runs keeps running."""
        wish = self._wish()
        if wish.policy is None:
            return
        self._did(f"delete the policy of {wish.name}")
        wish.unsure = wish.unsure or not await self._has_acted(wish)
        try:
            await self.federation.hub.delete(wish.policies, f"p-{wish.name}", wish.within)
        except NotFound:
            return
        wish.policy = None

    async def _has_acted(self, wish: Wish) -> bool:
        """Whether the binding says already what the policy wants; one that goes at once may never be heard."""
        live = await self._binding(wish)
        spec = live["spec"] if live is not None else {}
        clusters = {target["name"] for target in spec.get("clusters", ())}
        suspended = bool((spec.get("suspension") or {}).get("dispatching"))
        preserved = bool(spec.get("preserveResourcesOnDeletion"))
        wanted = (set(self._meant(wish.bound)), wish.suspended, wish.preserved)
        return (clusters, suspended, preserved) == wanted

    async def _label(self) -> None:
        """A cluster is chosen, or no longer. What belongs to no policy any more may follow or stay."""
        member = self.chance.choice(MEMBERS)
        self._did(f"{member} is {'no longer ' if member in self.chosen else ''}chosen")
        following = [wish for wish in self.wishes if BY_LABEL in (wish.bound, wish.policy)]
        held = [await self._held(wish) for wish in following]
        self.chosen ^= {member}
        for wish, there in zip(following, held, strict=True):
            if member not in self.chosen:
                self._lose(wish, {member}, there if wish.bound == BY_LABEL else frozenset())
            elif member in wish.released:
                self._blur(wish, member)
            wish.unsure = wish.unsure or (wish.bound == BY_LABEL != wish.policy)
        for wish in self.wishes:
            if member not in self.chosen and wish not in following and await self._follows_labels(wish):
                self._lose(wish, {member}, await self._held(wish))
        await self._mark(member)

    async def _follows_labels(self, wish: Wish) -> bool:
        """Whether the binding still says what an earlier policy did: of two edits, the later may be heard first."""
        live = await self._binding(wish)
        return live is not None and "labelSelector" in (live["spec"]["placement"].get("clusterAffinity") or {})

    async def _binding(self, wish: Wish) -> Json | None:
        bindings = scheme.RESOURCE_BINDINGS if wish.within else scheme.CLUSTER_RESOURCE_BINDINGS
        return await self.federation.get("hub", bindings, wish.binding, wish.within)

    async def _mark(self, member: str) -> None:
        patch = {"metadata": {"labels": {CHOSEN: "yes" if member in self.chosen else "no"}}}
        await self.federation.hub.patch(scheme.CLUSTERS, member, None, patch)

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
        document = self._theirs(wish)
        try:
            await self.federation.clients[member].create(wish.resource, document)
        except ApiError:
            return
        self._did(f"somebody else's {wish.name} in {member}")
        wish.foreign.add(member)

    def _theirs(self, wish: Wish) -> Json:
        document = wish.shape.make(wish.kind, self.namespace, "theirs", "")
        document["metadata"]["annotations"] = {FOREIGN: "object"}
        return document

    async def _ours(self, wish: Wish, member: str) -> bool:
        live = await self.federation.get(member, wish.resource, wish.name, wish.within)
        return live is not None and (live["metadata"].get("labels") or {}).get(MANAGED) == "true"

    async def _foreign_annotation(self) -> None:
        wish, member = self._wish(), self.chance.choice(MEMBERS)
        if not await self._ours(wish, member) or member not in self._meant(wish.bound):
            return
        value = str(self.chance.randrange(10**6))
        self._did(f"somebody annotates {wish.name} in {member}")
        patch = {"metadata": {"annotations": {FOREIGN: value}}}
        await self.federation.clients[member].patch(wish.resource, wish.name, wish.within, patch)
        wish.theirs[member] = value

    async def _drift(self) -> None:
        wish, member = self._wish(), self.chance.choice(MEMBERS)
        if not await self._ours(wish, member):
            return
        client = self.federation.clients[member]
        if self.chance.random() < 0.5:
            self._did(f"somebody edits {wish.name} in {member}")
            drifted = wish.shape.make(wish.kind, self.namespace, "drift", "")
            await client.patch(wish.resource, wish.name, wish.within, wish.shape.content(drifted))
        else:
            self._did(f"somebody deletes {wish.name} in {member}")
            await client.delete(wish.resource, wish.name, wish.within)
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
        self.restarted = asyncio.get_running_loop().time()
        await self.federation.restart()

    async def _heal(self) -> None:
        self._did("all is healed")
        self.oracle.fault_rate = 0.0
        for member in MEMBERS:
            self.federation.cut(member, False)
        for wish in self.wishes:
            if (wish.suspended or wish.suspends) and wish.policy is not None:
                held = await self._held(wish)
                wish.suspends = False
                patch = {"spec": {"suspension": None, "activationPreference": None}}
                await self.federation.hub.patch(wish.policies, f"p-{wish.name}", wish.within, patch)
                if wish.exists:
                    self._bind(wish, held)
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
                live = await self.federation.get("hub", wish.resource, wish.name, wish.within)
                if live is None or not self._says(wish, live, self._document(wish)):
                    raise Violation(f"one writer per field: the template {wish.name} is not as its user left it")
        await self._judge_secrecy()

    async def _judge_one(self, wish: Wish, member: str) -> None:
        live = await self.federation.get(member, wish.resource, wish.name, wish.within)
        where = f"{wish.name} in {member}"
        ours = live is not None and (live["metadata"].get("labels") or {}).get(MANAGED) == "true"
        if member in wish.foreign and not ours:
            marked = live is not None and live["metadata"].get("annotations", {}).get(FOREIGN) == "object"
            if live is None or not marked or not self._says(wish, live, self._theirs(wish)):
                raise Violation(f"a delete needs our marks: somebody else's {where} is gone or changed")
            return
        wanted = wish.exists and member in self._meant(wish.bound)
        if member in wish.released and live is None:
            raise Violation(f"a delete needs somebody's will: {where} was to be preserved, and is gone")
        if wish.broken or wish.suspended or wish.unsure or member in wish.blurred:
            return
        if not wanted:
            if ours:
                raise Violation(f"convergence: {where} is there and should not be")
            return
        if live is None or not ours:
            raise Violation(f"convergence: {where} is missing")
        if not self._says(wish, live, self._document(wish)) and not wish.unheard:
            raise Violation(f"convergence: {where} has old data")
        theirs = wish.theirs.get(member)
        if theirs is not None and live["metadata"]["annotations"].get(FOREIGN) not in (theirs, "object"):
            raise Violation(f"one writer per field: somebody's annotation on {where} is lost")

    def _says(self, wish: Wish, live: Json, document: Json) -> bool:
        return wish.shape.content(live) == wish.shape.content(document)

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
                    await self._remove(member, wish.resource, wish.name, wish.within)
            await self._remove("hub", wish.policies, f"p-{wish.name}", wish.within)
            await self._remove("hub", wish.resource, wish.name, wish.within)
        await self._remove("hub", scheme.OVERRIDE_POLICIES, "broken", self.namespace)
        self.chosen = set(MEMBERS)
        for member in MEMBERS:
            await self._mark(member)
        await self.federation.hub.delete(scheme.NAMESPACES, self.namespace)
        await self.federation.settle(limit_seconds=3000)
        for wish in self.wishes:
            for member in MEMBERS:
                if await self._ours(wish, member):
                    raise Violation(f"convergence: {wish.name} stayed in {member} after its end")
                if wish.within is None:
                    await self._remove(member, wish.resource, wish.name, None)
        self.oracle.check()
        self.oracle.may_end.clear()
        self.oracle.preserved.clear()

    async def _remove(self, server: str, resource: Resource, name: str, namespace: str | None) -> None:
        try:
            await self.federation.clients[server].delete(resource, name, namespace, propagation="Background")
        except NotFound:
            return


def _encoded(text: str) -> bytes:

    return base64.b64encode(text.encode())
