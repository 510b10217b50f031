"""A control plane that starts again where nothing has changed: how soon it is ready, what it writes, what it holds."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.case import NAMESPACE, Case, create_all, reports, until
from bench.rigs import MEMBERS, Plane, Rig
from hansa.api import scheme

QUIET_SECONDS = 10.0
"""How long writes are counted after the new process is ready."""


async def measure_restart(rig: Rig, plane: Plane, case: Case) -> dict[str, Any]:
    """Propagate, restart, count."""
    await rig.hub.create(scheme.PROPAGATION_POLICIES, case.policy(), NAMESPACE)
    async with reports(rig.hub, case) as back:
        await create_all(rig.hub, case)
        await until(lambda: len(back.seen) >= case.count, f"{case.name}: status on the hub")
    await asyncio.sleep(QUIET_SECONDS)
    loaded, peak = rig.now_mib(), rig.peak_mib()
    plane.stop()
    before = await rig.writes()
    seconds = await plane.start()
    await asyncio.sleep(QUIET_SECONDS)
    after = await rig.writes()
    return {
        "rig": rig.name,
        "case": f"restart with {case.count} {case.resource.plural} in {len(MEMBERS)} members",
        "seconds_to_ready": round(seconds, 2),
        "writes": {server: after[server] - before[server] for server in after},
        "rss_mib_before": round(loaded, 1),
        "peak_rss_mib_before": round(peak, 1),
        "rss_mib": round(rig.now_mib(), 1),
        "peak_rss_mib": round(rig.peak_mib(), 1),
    }
