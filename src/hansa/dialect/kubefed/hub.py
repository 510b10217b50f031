"""What the dialect's controllers are given."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.runtime.cache import Cache
from hansa.runtime.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Options:
    report_delay_seconds: float = 0.1
    """How long results are gathered before they are written."""
    workers: int = 16


@dataclass(frozen=True, slots=True)
class Hub:
    client: Client
    cache: Cache
    recorder: Recorder
    clock: Clock
    options: Options = Options()
