"""The real dig."""

from __future__ import annotations

import asyncio
import re
import shutil

import pytest
from tests.wire.dns_cases import Answer, Case

DIG = shutil.which("dig")
needs_dig = pytest.mark.skipif(DIG is None, reason="dig is not installed (package bind9-dnsutils)")


async def ask(case: Case, host: str, port: int) -> Answer:
    """What the server answers. Raises AssertionError when there is no answer."""
    text = await dig(host, port, *case.flags, case.name, case.qtype)
    return parse(text)


async def dig(host: str, port: int, *arguments: str) -> str:
    assert DIG is not None
    process = await asyncio.create_subprocess_exec(
        *(DIG, f"@{host}", "-p", str(port), "+tries=1", "+timeout=5", "+norecurse", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode()


def parse(text: str) -> Answer:
    if "; Transfer failed." in text:
        return Answer("REFUSED")
    status = re.search(r"status: (\w+)", text)
    assert status, text
    flags = re.search(r";; flags: ([\w ]+)", text)
    assert flags and "qr" in flags[1].split(), text
    authority = _section(text, "AUTHORITY")
    cut = "tc" in flags[1].split()
    return Answer(
        status[1],
        # what comes along with a truncated answer differs, and nobody may use it
        frozenset() if cut else frozenset(map(_record, _section(text, "ANSWER"))),
        negative=any(" SOA " in " ".join(line.split()) for line in authority),
        truncated=cut,
    )


def _section(text: str, name: str) -> list[str]:
    found = re.search(rf";; {name} SECTION:\n(.*?)\n(\n|;;)", text, re.DOTALL)
    return found[1].splitlines() if found else []


def _record(line: str) -> str:
    """Type and data; priority and weight of SRV records are the server's choice."""
    _, _, _, kind, data = line.split(maxsplit=4)
    return f"SRV {' '.join(data.split()[2:])}" if kind == "SRV" else f"{kind} {data}"
