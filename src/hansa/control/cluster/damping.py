"""A cluster's readiness as it is reported: what was observed has to last before it counts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Damping:
    """Thresholds in seconds. The first observation counts at once."""

    success_seconds: float
    failure_seconds: float
    _since: dict[str, tuple[bool, float]] = field(default_factory=dict[str, tuple[bool, float]])

    def reported(self, cluster: str, said: bool | None, observed: bool, now: float) -> bool:
        """What to report. `said` is what was reported last, None when nothing was yet; `now` is monotonic."""
        if said is None or said == observed:
            self._since.pop(cluster, None)
            return observed
        state, since = self._since.get(cluster, (said, now))
        if state != observed:
            since = now
            self._since[cluster] = (observed, now)
        threshold = self.success_seconds if observed else self.failure_seconds
        return observed if now - since >= threshold else said

    def forget(self, cluster: str) -> None:
        self._since.pop(cluster, None)
