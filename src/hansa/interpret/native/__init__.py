"""What the kinds of Kubernetes itself mean: one module for each question."""

from __future__ import annotations

from hansa.interpret.native.aggregate import AGGREGATORS
from hansa.interpret.native.dependencies import FINDERS
from hansa.interpret.native.health import CHECKS
from hansa.interpret.native.reflect import REFLECTORS, whole
from hansa.interpret.native.replicas import COUNTERS
from hansa.interpret.native.retain import RETAINERS
from hansa.interpret.native.revise import REVISERS
from hansa.interpret.question import (
    Aggregate,
    Answer,
    Dependencies,
    Health,
    Question,
    Reflect,
    Replicas,
    Retain,
    Revise,
    kind_of,
)


def native(question: Question) -> Answer | None:
    """The last level of the chain. None: the kind has no such meaning. Raises InterpretError."""
    kind = kind_of(question)
    match question:
        case Replicas(obj):
            return Answer(COUNTERS[kind](obj)) if kind in COUNTERS else None
        case Revise(obj, replicas):
            return Answer(REVISERS[kind](obj, replicas)) if kind in REVISERS else None
        case Retain(wanted, live):
            return Answer(RETAINERS[kind](wanted, live)) if kind in RETAINERS else None
        case Reflect(live):
            return Answer(REFLECTORS.get(kind, whole)(live))
        case Aggregate(template, items):
            return Answer(AGGREGATORS[kind](template, items)) if kind in AGGREGATORS else None
        case Dependencies(obj):
            return Answer(FINDERS[kind](obj)) if kind in FINDERS else None
        case Health(live):
            return Answer(CHECKS[kind](live)) if kind in CHECKS else None
