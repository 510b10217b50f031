"""Requests under way, and what became of them."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hansa.runtime.process import ends_with_parent

HERE = Path(__file__).parent
WAIT_SECONDS = 30.0


@dataclass
class Process:
    """A child of the test. `prefix`: what it is started with, such as `ip netns exec a`."""

    arguments: Sequence[str]
    prefix: Sequence[str] = ()
    child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = ends_with_parent([*self.prefix, sys.executable, "-S", *self.arguments])
        pipe = asyncio.subprocess.PIPE
        self.child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)

    async def kill(self) -> None:
        if self.child is not None and self.child.returncode is None:
            self.child.kill()
            await self.child.wait()


@dataclass
class Pod(Process):
    @classmethod
    def at(cls, host: str, port: int, name: str, prefix: Sequence[str] = ()) -> Pod:
        return cls((str(HERE / "pod.py"), host, str(port), name), prefix)

    async def start(self) -> None:
        await super().start()
        assert self.child is not None and self.child.stdout is not None
        assert (await self.child.stdout.readline()).strip() == b"ready"


@dataclass
class Talk:
    """A connection that stays open between requests."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def with_pod(cls, host: str, port: int) -> Talk:
        return cls(*await asyncio.open_connection(host, port))

    async def ask(self) -> bytes:
        """The first letter of who answers."""
        self.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(WAIT_SECONDS):
            await self.reader.readuntil(b"\r\n\r\n")
            return await self.reader.readexactly(1)

    def close(self) -> None:
        self.writer.close()


@dataclass
class Talker(Process):
    """A connection that stays open between requests, from within a namespace."""

    @classmethod
    def to(cls, host: str, port: int, prefix: Sequence[str]) -> Talker:
        return cls((str(HERE / "talker.py"), host, str(port)), prefix)

    async def ask(self, seconds: float = WAIT_SECONDS) -> str:
        """Who answers; empty when the connection ends instead. Raises TimeoutError."""
        assert self.child is not None and self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(b"\n")
        async with asyncio.timeout(seconds):
            return (await self.child.stdout.readline()).decode().strip()


@dataclass
class Load(Process):
    """A caller, and all that it has told so far."""

    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    reading: asyncio.Task[None] | None = None

    @classmethod
    def on(cls, host: str, port: int, prefix: Sequence[str] = (), *, pause: float = 0.02, limit: float = 5.0) -> Load:
        return cls((str(HERE / "caller.py"), host, str(port), str(pause), str(limit)), prefix)

    async def start(self) -> None:
        await super().start()
        self.reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        await self.kill()
        if self.reading is not None:
            await self.reading

    async def _read(self) -> None:
        assert self.child is not None and self.child.stdout is not None
        async for line in self.child.stdout:
            if line.endswith(b"\n"):
                self.results.append(msgspec.json.decode(line))

    async def until(self, *names: str, count: int = 10) -> Span:
        """Wait for `count` answers in a row that all come from `names`; what happened from now to the first of them."""
        start = len(self.results)
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                last = self.results[start:][-count:]
                if len(last) == count and all(one["by"] in names for one in last):
                    return Span(self.results[start : len(self.results) - count + 1])
                await asyncio.sleep(0.02)

    async def during(self, seconds: float) -> Span:
        """Those of so long from now."""
        start = len(self.results)
        await asyncio.sleep(seconds)
        return Span(self.results[start:])

    async def some(self, count: int = 50) -> Span:
        """The next `count` requests."""
        start = len(self.results)
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.results) < start + count:
                await asyncio.sleep(0.02)
        return Span(self.results[start : start + count])


@dataclass(frozen=True)
class Span:
    """Requests one after the other."""

    results: list[dict[str, Any]]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Span:
        """Those of several callers, in the order in which they began."""
        return cls(sorted((one for span in spans for one in span.results), key=lambda one: one["at"]))

    @property
    def by(self) -> Counter[str]:
        return Counter(one["by"] for one in self.results if not one["error"])

    @property
    def failed(self) -> int:
        return sum(1 for one in self.results if one["error"])

    def __str__(self) -> str:
        errors = Counter(one["error"] for one in self.results if one["error"])
        slowest = max((one["took"] for one in self.results), default=0.0)
        seconds = self.results[-1]["at"] + self.results[-1]["took"] - self.results[0]["at"] if self.results else 0.0
        told = f"{len(self.results)} requests in {seconds:.2f} s, {self.failed} failed {dict(errors) or ''}"
        return f"{told}, by {dict(self.by)}, slowest {slowest:.3f} s"
