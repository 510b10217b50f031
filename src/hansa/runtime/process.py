"""One child process: started in a session of its own, logged to a file, ended with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

STOP_SECONDS = 10.0
LOG_TAIL_BYTES = 3000

# Linux ends a process with its parent when it asks for it (PR_SET_PDEATHSIG). It has to be the child that asks, and
# code between fork and exec is unsafe beside threads, so a small Python asks and then becomes the program. The signal
# follows the thread that started the child, which is the one that runs the event loop.
_ENDS_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ProcessEnded(Exception):
    """A process ended by itself. The message holds the end of its log."""

    def __init__(self, name: str, code: int, tail: str) -> None:
        super().__init__(f"{name} ended with {code}:\n{tail}")
        self.name = name
        self.code = code


class Process:
    """A program with its arguments. Secrets belong in files: arguments are visible to everybody on the machine."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = list(arguments)
        self._environment = {"PATH": os.environ.get("PATH", ""), **(environment or {})}
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """None before the start and after the end."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    async def start(self) -> None:
        """Start it; returns before it is ready. Does nothing while it runs."""
        if self.pid is not None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *ends_with_parent(self._arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises ProcessEnded when it was started and has ended."""
        child = self._child
        if child is not None and child.returncode is not None:
            raise ProcessEnded(self.name, child.returncode, self.tail())

    async def wait(self) -> None:
        """Until it ends by itself, or was never started. Raises ProcessEnded."""
        if self._child is not None:
            await self._child.wait()
            self.check()

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, and kill it when it has not after `seconds`. Returns when it is gone."""
        child = self._child
        if child is None:
            return
        if child.returncode is None:
            _signal(child.pid, signal.SIGTERM)
            try:
                async with asyncio.timeout(seconds):
                    await child.wait()
            except TimeoutError:
                _signal(child.pid, signal.SIGKILL)
                await child.wait()
        self._child = None

    async def kill(self) -> None:
        """End it as a crash would."""
        child = self._child
        if child is not None and child.returncode is None:
            _signal(child.pid, signal.SIGKILL)
            await child.wait()
        self._child = None

    def tail(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def ends_with_parent(arguments: Sequence[str]) -> list[str]:
    """The command that runs these until they end, or the process that starts it does; on Linux only."""
    if sys.platform != "linux":
        return list(arguments)
    return [sys.executable, "-I", "-S", "-c", _ENDS_WITH_PARENT, str(os.getpid()), *arguments]


def _signal(pid: int, number: signal.Signals) -> None:
    """To the whole group: each child leads a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
