"""Python's collector of cycles stops everything while it looks at all objects there are."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

LOOK_SECONDS = 1.0


async def spare_what_lasts(ready: Callable[[], bool]) -> None:
    """Once everything is there, have the collector never look at it again.

    Code and full caches are most of what a process holds, and looking at them makes up most of a pause. They are freed
    like anything else when nothing refers to them; only cycles among them would stay.
    """
    while not ready():  # noqa: ASYNC110 (nobody sets an event: it is worked out)
        await asyncio.sleep(LOOK_SECONDS)
    gc.collect()
    gc.freeze()
