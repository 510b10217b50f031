"""What the controllers of the pipeline are given. Ports are functions: tests and processes choose what is behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hansa.api.cluster import Cluster
from hansa.base.clock import Clock
from hansa.base.gates import Gates
from hansa.interpret.convention import Convention, dialect_of
from hansa.interpret.convention.karmada import KARMADA
from hansa.interpret.question import Answer, Question
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.fleet import Fleet
from hansa.runtime.patience import Traffic
from hansa.runtime.recorder import Recorder

Interpret = Callable[[Question], Awaitable[Answer | None]]
"""Ask the interpreter; None when nothing is known of the kind. Raises InterpretError."""

Connect = Callable[[Cluster, Mapping[str, bytes]], Client]
"""(cluster, data of its secret) → a client for the member. Raises ConfigError when they are of no use."""


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds. Defaults are Karmada's where Karmada has the switch."""

    scheduler_name: str = "default-scheduler"
    cluster_status_seconds: float = 10.0
    cluster_success_threshold_seconds: float = 30.0
    cluster_failure_threshold_seconds: float = 30.0
    report_delay_seconds: float = 0.1
    """How long statuses are gathered before they are written."""
    workers: int = 16
    skipped_namespaces: tuple[str, ...] = ("kube-.*",)
    """Regular expressions that a namespace's whole name is held against."""
    gates: Gates = Gates()
    no_fit_clears: bool = False
    """Whether a binding that no cluster fits loses its clusters even where something is broken, as in Karmada."""
    eviction_limit_seconds: float | None = None
    """How long what runs in a cluster that is being left stays without a healthy replacement; None: until there is one.
    Karmada's is 600."""


@dataclass(frozen=True, slots=True)
class Context:
    hub: Client
    cache: Cache
    """Informers of the hub."""
    fleet: Fleet
    recorder: Recorder
    clock: Clock
    interpret: Interpret
    connect: Connect
    options: Options = Options()
    traffic: Traffic = field(default_factory=Traffic)
    """Shared with the dialects."""
    conventions: Mapping[str, Convention] = field(default_factory=lambda: {KARMADA.name: KARMADA})

    def convention(self, labels: Mapping[str, str] | None) -> Convention | None:
        """The convention of a binding or Work; None for a dialect that this process does not know."""
        return self.conventions.get(dialect_of(labels))


class Part(Protocol):
    """Something that runs until it is cancelled: a controller or a loop."""

    name: str

    async def run(self) -> None: ...
