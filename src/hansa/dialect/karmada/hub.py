"""What the dialect's controllers are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hansa.api.work import BindingSpec, BindingStatus
from hansa.base.clock import Clock
from hansa.base.gates import Gates
from hansa.interpret.question import Answer, Question
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.patience import Traffic
from hansa.runtime.recorder import Recorder
from hansa.schedule import Fit

Place = Callable[[BindingSpec, BindingStatus], Fit | None]
"""Decide where a binding goes; None where the scheduler is to decide, later."""

Interpret = Callable[[Question], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Options:
    """`skipped_apis` as Karmada's flag has them: group, group/version, or group/version/Kind,Kind."""

    scheduler_name: str = "default-scheduler"
    skipped_apis: tuple[str, ...] = ()
    skipped_namespaces: tuple[str, ...] = ("kube-.*",)
    discovery_seconds: float = 30.0
    report_delay_seconds: float = 0.1
    workers: int = 16
    gates: Gates = Gates()


@dataclass(frozen=True, slots=True)
class Hub:
    """`place` is None where a scheduler of its own decides; bindings are then made without clusters."""

    client: Client
    cache: Cache
    recorder: Recorder
    clock: Clock
    interpret: Interpret
    place: Place | None
    options: Options = Options()
    traffic: Traffic = field(default_factory=Traffic)
