"""Estimators that ask the clusters themselves how much room they have: the port, and how it is used.

Karmada's rule: of several answers the least counts, and an estimator that fails for one cluster is not heard at all for
that binding.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from hansa.api.work import BindingSpec
from hansa.schedule.capacity import Load

TIMEOUT_SECONDS = 3.0
log = logging.getLogger(__name__)


class EstimateError(Exception):
    """The estimator cannot say for some cluster."""


class Estimator(Protocol):
    @property
    def name(self) -> str: ...

    async def room(self, spec: BindingSpec, clusters: Sequence[str], assumed: Mapping[str, Load]) -> Mapping[str, int]:
        """How many more replicas of the binding, or whole sets of its components, find room in each of `clusters`.

        -1 is no opinion. `assumed` is what is on its way and takes room already. Raises EstimateError.
        """
        ...


async def ask(
    estimators: Sequence[Estimator], spec: BindingSpec, clusters: Sequence[str], assumed: Mapping[str, Load]
) -> tuple[Mapping[str, int], ...]:
    """What those say that can."""

    async def one(estimator: Estimator) -> Mapping[str, int] | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await estimator.room(spec, clusters, assumed)
        except (EstimateError, TimeoutError) as error:
            why = str(error) or f"no answer in {TIMEOUT_SECONDS:g} s"
            template = f"{spec.resource.kind} {spec.resource.namespace}/{spec.resource.name}"
            log.warning("estimator %s is not heard for %s: %s", estimator.name, template, why)
            return None

    answers = await asyncio.gather(*(one(estimator) for estimator in estimators))
    return tuple(answer for answer in answers if answer is not None)
