"""Each rule switched off, one at a time: what the histories must catch, or they prove nothing.

A sabotage replaces one guard of the control plane by what an engineer in a hurry would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.laws.histories.shapes import BY_KIND
from tests.support import federation

from hansa.api.item import Item
from hansa.api.meta import Json, Key
from hansa.api.work import BindingSpec
from hansa.control.execute.apply import Applier
from hansa.control.execute.reconciler import Executor
from hansa.control.execute.remove import Remover
from hansa.control.render import reconciler as render
from hansa.control.render import works
from hansa.control.render.overrides import OverridePolicies
from hansa.control.render.targets import orphans
from hansa.interpret.convention.karmada import KARMADA
from hansa.kube.client import Client
from hansa.override.error import OverrideError
from hansa.runtime.recorder import EventType, Source

Sabotage = Callable[[], AbstractContextManager[Any]]


def _convention(**changes: Any) -> AbstractContextManager[Any]:
    return patch.object(federation, "KARMADA", replace(KARMADA, **changes))


def no_ownership() -> AbstractContextManager[Any]:
    """Whatever has the right name is ours."""
    return _convention(owns=lambda live: True)


def always_adopt() -> AbstractContextManager[Any]:
    """A conflict is settled by taking over."""
    return _convention(may_adopt=lambda manifest, live, work: True)


def never_preserved() -> AbstractContextManager[Any]:
    """What is let go of is deleted, whatever the policy says."""
    return _convention(on_delete=lambda work, preserve, live: KARMADA.on_delete(work, False, live))


@contextmanager
def unreachable_is_gone() -> Any:
    """A cluster that does not answer has no place in the plan: its Works go."""
    reconcile = render.Renderer.reconcile

    async def hasty(self: render.Renderer, key: Key) -> Any:
        def leaving(spec: BindingSpec, found: Iterable[Item]) -> list[Item]:
            fleet = self.context.fleet

            def lost(work: Item) -> bool:
                member = fleet.get(work.meta.namespace.removeprefix("karmada-es-"))
                return member is None or not member.ready

            return [*orphans(spec, found), *(work for work in found if lost(work))]

        with patch.object(render, "orphans", leaving):
            return await reconcile(self, key)

    with patch.object(render.Renderer, "reconcile", hasty):
        yield


@contextmanager
def error_is_absence() -> Any:
    """No answer from a member reads as: it is not there, nothing is left to delete."""
    remove = Remover.remove

    async def hasty(self: Remover, *arguments: Any, **options: Any) -> None:
        try:
            await remove(self, *arguments, **options)
        except Exception:
            return

    lost = patch.object(Executor, "_is_lost", _yes)
    with patch.object(Remover, "remove", hasty), lost:
        yield


async def _yes(*_: Any) -> bool:
    return True


@contextmanager
def blind_put() -> Any:
    """The last writer wins."""
    update = Client.update

    async def blind(self: Client, resource: Any, obj: Any, **options: Any) -> Item:
        if isinstance(obj, dict) and resource.kind in BY_KIND:
            metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
            obj = {**obj, "metadata": metadata}
        return await update(self, resource, obj, **options)

    with patch.object(Client, "update", blind):
        yield


@contextmanager
def stale_template() -> Any:
    """A template is patched without a look at what it is now."""
    change = Client.patch

    async def blind(self: Client, resource: Any, name: str, namespace: Any, document: Any, **options: Any) -> Item:
        if isinstance(document, dict) and resource.kind in BY_KIND:
            document = {**document, "metadata": {**document.get("metadata", {}), "resourceVersion": None}}
            del document["metadata"]["resourceVersion"]
        return await change(self, resource, name, namespace, document, **options)

    with patch.object(Client, "patch", blind):
        yield


@contextmanager
def write_always() -> Any:
    """A Work is written at every look, to be on the safe side."""
    work_patch = works.work_patch
    serial = 0

    def eager(wanted: Json, existing: Item) -> Json | None:
        nonlocal serial
        serial += 1
        found = work_patch(wanted, existing) or {}
        annotations = {**(found.get("metadata") or {}).get("annotations", {}), "looked": str(serial)}
        return {**found, "metadata": {**found.get("metadata", {}), "annotations": annotations}}

    with patch.object(works, "work_patch", eager):
        yield


@contextmanager
def broken_for_all() -> Any:
    """One override policy that cannot be applied stops everything of its namespace."""
    orders = OverridePolicies.orders

    def strict(self: OverridePolicies, subject: Any, **options: Any) -> Any:
        _, informer = self.informers
        if any("broken" in item.meta.name for item in informer.store.list(subject.namespace)):
            raise OverrideError("override policy is broken")
        return orders(self, subject, **options)

    with patch.object(OverridePolicies, "orders", strict):
        yield


@contextmanager
def chatty() -> Any:
    """Events that say what was applied."""
    tell = Source.event

    def verbose(self: Source, obj: Item | Json, type_: EventType, reason: str, message: str) -> None:
        body = obj.json() if isinstance(obj, Item) else obj
        tell(self, obj, type_, reason, f"{message}: {body.get('data')}")

    with patch.object(Source, "event", verbose):
        yield


@contextmanager
def deaf_to_drift() -> Any:
    """What a cache has seen once is taken for what is there."""
    with ExitStack() as stack:
        live = Applier.live
        seen: dict[Any, Item] = {}

        async def remembered(self: Applier, member: Any, place: Any) -> Item | None:
            found = seen.get(place) or await live(self, member, place)
            if found is not None:
                seen[place] = found
            return found

        stack.enter_context(patch.object(Applier, "live", remembered))
        yield


SABOTAGES: dict[str, Sabotage] = {
    "no ownership (rule 1)": no_ownership,
    "always adopt (rule 1)": always_adopt,
    "never preserved (rule 1)": never_preserved,
    "error is absence (rule 1)": error_is_absence,
    "unreachable is gone (rule 2)": unreachable_is_gone,
    "blind put (rule 3)": blind_put,
    "stale template (rule 3)": stale_template,
    "write always (rule 4)": write_always,
    "broken for all (rule 5)": broken_for_all,
    "chatty (rule 6)": chatty,
    "deaf to drift (convergence)": deaf_to_drift,
}
