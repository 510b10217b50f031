"""What can be asked about an object's kind, and who answers: levels in order, the first that has a say decides.

The pure side never asks outside. A level that needs to (a webhook) gives an `Ask`, and the shell does the asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from hansa.api.meta import GVK, Json


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """What one member reports; `status` is None until something was collected."""

    cluster: str
    status: Json | None
    applied: bool = True
    health: str = "Unknown"


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many, and what does each need? Answer: `Needs`."""

    obj: Json


class Needs(NamedTuple):
    """`requirements` is a ReplicaRequirements of work.karmada.io/v1alpha2, None when nothing is asked for."""

    replicas: int
    requirements: Json | None


@dataclass(frozen=True, slots=True)
class Revise:
    """The object with so many replicas. Answer: a new document."""

    obj: Json
    replicas: int


@dataclass(frozen=True, slots=True)
class Retain:
    """The object to write, with what belongs to the member kept. Answer: a new document."""

    wanted: Json
    live: Json


@dataclass(frozen=True, slots=True)
class Reflect:
    """What of a member object's status goes to the hub? Answer: a document, or None for nothing."""

    live: Json


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The template's status from those of its members. Answer: the status, or None to leave it as it is."""

    template: Json
    items: Sequence[MemberStatus]


@dataclass(frozen=True, slots=True)
class Health:
    """Is the member object healthy? Answer: bool."""

    live: Json


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What must be where the object is? Answer: references {apiVersion, kind, namespace, name | labelSelector}."""

    obj: Json


Question = Replicas | Revise | Retain | Reflect | Aggregate | Health | Dependencies


class Answer(NamedTuple):
    value: Any


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that only somebody else can answer: `target` names whom, `request` is what to send."""

    question: Question
    target: str
    request: Json


class Level(Protocol):
    """One source of meaning. None: it has no say on this question for this kind. Raises InterpretError."""

    def __call__(self, question: Question) -> Answer | Ask | None: ...


@dataclass(frozen=True, slots=True)
class Chain:
    """Levels by precedence: what users declare before what is built in."""

    levels: tuple[Level, ...]

    def answer(self, question: Question) -> Answer | Ask | None:
        """None when no level has a say. Raises InterpretError."""
        for level in self.levels:
            found = level(question)
            if found is not None:
                return found
        return None


def subject(question: Question) -> Json:
    """The object that a question is about."""
    match question:
        case Replicas(obj) | Revise(obj, _) | Dependencies(obj):
            return obj
        case Retain(wanted, _):
            return wanted
        case Reflect(live) | Health(live):
            return live
        case Aggregate(template, _):
            return template


def kind_of(question: Question) -> GVK:
    obj = subject(question)
    return GVK.of(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
