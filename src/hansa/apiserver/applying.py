"""Server-side apply: what a manager declares becomes its fields, what it no longer declares goes."""

from __future__ import annotations

from hansa.apiserver import faults
from hansa.apiserver.context import Call, Context
from hansa.apiserver.writes import Result, Writes


async def apply(context: Context, writes: Writes, call: Call) -> Result:
    """PATCH with an apply configuration; creates what is missing. Raises Conflict, Invalid, BadRequest."""
    del context, writes
    raise faults.Fault(
        501, "NotImplemented", "server-side apply comes with the next change", {"name": call.target.name}
    )
