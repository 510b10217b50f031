"""What an edit would do, as a value that can be printed or stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from hansa.api.meta import Wire

MemberAction = Literal["deleted", "replaced", "waiting", "released", "abandoned", "created", "changed", "relabelled"]
"""What happens to an object in a member. `replaced`: deleted and made again. `waiting`: deleted as soon as the member
can be reached. `relabelled`: nothing but Hansa's own marks changes."""
DESTRUCTIVE: tuple[MemberAction, ...] = ("deleted", "replaced", "waiting")


class FieldChange(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """`path` is a JSON pointer; None is absent."""

    path: str
    before: Any = None
    after: Any = None


class MemberChange(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """One object in one member. `held`: not before dispatching is resumed."""

    cluster: str
    action: MemberAction
    api_version: str
    kind: str
    namespace: str
    name: str
    binding: str = ""
    held: bool = False
    fields: tuple[FieldChange, ...] = ()


class HubChange(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """One object on the hub. `named`: the edit itself names it; what follows from one does not."""

    action: Literal["created", "configured", "unchanged", "deleted", "not found"]
    api_version: str
    kind: str
    namespace: str
    name: str
    named: bool = True


class Move(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Replicas in one cluster; None where the object is not. 0 where it has no replicas to divide."""

    cluster: str
    before: int | None
    after: int | None


class BindingChange(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Where a template goes. `refused`: why it cannot be placed as it is.

    `or_moves`: what the moves are instead if the hub gives a new template an identity of the other kind, by which odd
    replicas go to the other end of the alphabet; empty where that makes no difference.
    """

    action: Literal["created", "changed", "deleted"]
    namespace: str
    name: str
    template: str
    moves: tuple[Move, ...] = ()
    refused: str = ""
    or_moves: tuple[Move, ...] = ()


class UnknownClusters(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A field that names clusters which the federation does not have. `known`: those that it has, likely ones first."""

    object: str
    field: str
    names: tuple[str, ...]
    known: tuple[str, ...]


class Plan(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Deletions come first in each list.

    warnings: What in the files themselves is probably not meant so.
    problems: What the control plane warns of on the way.
    notes: What the reader must know about the plan itself.
    """

    hub: tuple[HubChange, ...] = ()
    members: tuple[MemberChange, ...] = ()
    bindings: tuple[BindingChange, ...] = ()
    warnings: tuple[UnknownClusters, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def deletes(self) -> bool:
        """Whether something is deleted, on the hub or in a member."""
        return any(change.action == "deleted" for change in self.hub) or bool(self.destroyed)

    @property
    def destroyed(self) -> Sequence[MemberChange]:
        return [change for change in self.members if change.action in DESTRUCTIVE]

    @property
    def empty(self) -> bool:
        return not (self.members or self.bindings or any(change.action != "unchanged" for change in self.hub))
