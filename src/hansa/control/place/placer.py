"""Decide over the clusters that the cache knows, all decisions over one snapshot until a cluster changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from hansa.api import scheme
from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus, ResourceBinding
from hansa.base.clock import Clock
from hansa.base.gates import Gates
from hansa.control.place import estimators
from hansa.control.place.assumed import Assumed
from hansa.control.place.estimators import Estimator
from hansa.control.place.groups import Groups
from hansa.control.place.metrics import attempted
from hansa.control.place.timing import Stopwatch, timed
from hansa.runtime.cache import Cache
from hansa.runtime.informer import Change, Informer
from hansa.schedule import Fit, Memory, Outcome, Request, Snapshot, Unfit, in_question, schedule
from hansa.schedule.plugin import PluginError, Plugins
from hansa.schedule.request import without_components
from hansa.schedule.survey import IN_TREE

Estimates = tuple[Mapping[str, int], ...]


class Placer:
    """`at_birth` is the place port that dialects are handed, `place` is the scheduler's.

    `waiting` tells the highest priority among the bindings that wait for the scheduler, None when none does.
    `arrives`: False on a hub without members, where what is on its way stays so.
    """

    def __init__(
        self,
        cache: Cache,
        clock: Clock,
        gates: Gates,
        *,
        plugins: Plugins = IN_TREE,
        estimators: Sequence[Estimator] = (),
        keeps_empty: bool = False,
        arrives: bool = True,
    ) -> None:
        self.clusters: Informer = cache.informer(scheme.CLUSTERS)
        self.groups = Groups(cache)
        self.waiting: Callable[[], int | None] = lambda: None
        self.snapshot = Snapshot.of([], models=gates.enabled("CustomizedClusterResourceModeling"))
        self._assumed = Assumed(clock, forgets=arrives) if gates.enabled("SchedulingOvercommitProtection") else None
        self._stopwatch = Stopwatch(clock)
        self._memory = Memory(timed(plugins, clock), self._stopwatch.over)
        self._estimators = estimators
        self._keeps_empty = keeps_empty
        self._clock = clock
        self._components = gates.enabled("MultiplePodTemplatesScheduling")
        cache.informer(scheme.RESOURCE_BINDINGS).subscribe(self._binding_changed)
        self.clusters.subscribe(self._changed)

    def seen(self, binding: ResourceBinding) -> ResourceBinding:
        """As decisions on it see it."""
        if self._components:
            return binding
        return msgspec.structs.replace(binding, spec=without_components(binding.spec))

    def asks(self, spec: BindingSpec) -> bool:
        """Whether there is somebody to ask how much room clusters have for the binding."""
        return bool(self._estimators) and (spec.replicas > 0 or bool(spec.components))

    async def estimates(self, spec: BindingSpec, status: BindingStatus) -> Estimates:
        """What estimators say of the clusters that the decision may be about."""
        request = self._request(spec, status, ())
        self._stopwatch.begin()
        clusters = in_question(request, self.snapshot, self._memory.survey)
        return await estimators.ask(self._estimators, spec, clusters, request.assumed) if clusters else ()

    def place(self, spec: BindingSpec, status: BindingStatus, estimates: Estimates = ()) -> Outcome | None:
        """Decide, and have the next decisions reckon with it.

        None while the clusters are not known: that is not the same as none. Raises ValueError without placement.
        """
        if not self.clusters.synced:
            return None
        request = self._request(spec, status, estimates)
        try:
            self._stopwatch.begin()
            outcome = schedule(request, self.snapshot, self._memory.survey, self._stopwatch.over)
        except PluginError as error:
            return Unfit("SchedulerError", str(error))
        if isinstance(outcome, Fit) and self._assumed is not None and spec.resource.namespace:
            self._assumed.add(spec, outcome.targets)
        return outcome

    def at_birth(self, spec: BindingSpec, status: BindingStatus) -> Fit | None:
        """`place`, or None where the scheduler is to decide: others go first or have to be asked, nothing fits, or the
        name of an affinity term belongs into status."""
        if spec.placement is None or spec.placement.cluster_affinities:
            return None
        priority = spec.schedule_priority.priority if spec.schedule_priority is not None else 0
        top = self.waiting()
        spec = spec if self._components else without_components(spec)
        if self.asks(spec) or (top is not None and top > priority):
            return None
        begun = self._clock.monotonic()
        outcome = self.place(spec, status)
        if not isinstance(outcome, Fit):
            return None
        kind = "ScaleSchedule" if status.last_scheduled_time else "ReconcileSchedule"
        attempted(kind, self._clock.monotonic() - begun, scheduled=True)
        return outcome

    def _request(self, spec: BindingSpec, status: BindingStatus, estimates: Estimates) -> Request:
        return Request.of(
            spec,
            status,
            peers=self.groups.peers(spec),
            assumed=self._assumed.loads(spec) if self._assumed is not None and spec.is_workload else {},
            estimates=estimates,
            keeps_empty=self._keeps_empty,
        )

    def _binding_changed(self, change: Change) -> None:
        if self._assumed is None:
            return
        if not self._assumed.knows(change.item.key):
            if change.initial:
                binding = self.seen(change.item.as_(ResourceBinding))
                self._assumed.recall(binding.spec, binding.status)
            return
        if change.new is None:
            self._assumed.drop(change.item.key)
        else:
            self._assumed.settle(change.item.key, change.new.as_(ResourceBinding).status)

    def _changed(self, change: Change) -> None:
        if change.new is None:
            self.snapshot = self.snapshot.without(change.item.meta.name)
        else:
            self.snapshot = self.snapshot.changed(change.new.as_(Cluster))
