"""Start `hansa up` as a process of its own, wait until it serves, and stop it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hansa.app.state import StateFolder
from hansa.kube.errors import ConfigError

START_SECONDS = 120.0
STOP_SECONDS = 30.0


async def start(
    directory: Path,
    members: Sequence[str],
    *,
    real: bool = False,
    services: bool = False,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Start a federation in the background and return what it says when ready.

    Raises ConfigError with the end of its log when it ends before, or is not ready in time.
    """
    folder = StateFolder(directory)
    folder.prepare()
    arguments = ["up", f"--dir={folder.directory}", f"--member-names={','.join(members)}", "--foreground"]
    if real:
        arguments.append("--real")
    if services:
        arguments.append("--services")
    with folder.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220  returns at once, and must outlive this event loop
            [sys.executable, "-m", "hansa.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    loop = asyncio.get_running_loop()
    begun = told = loop.time()
    deadline = begun + START_SECONDS
    while loop.time() < deadline:
        if folder.owner() == process.pid and (ready := folder.readiness()) is not None:
            return ready
        if process.poll() is not None:
            raise ConfigError(f"the federation did not start:\n{_tail(folder.log)}")
        if loop.time() - told > 2:
            say(f"starting ({loop.time() - begun:.0f} s): {_tail(folder.log, 1)}")
            told = loop.time()
        await asyncio.sleep(0.05)
    raise ConfigError(f"the federation is not ready after {START_SECONDS:g} s; its log is {folder.log}")


async def stop(directory: Path, *, purge: bool = False) -> bool:
    """End the process that holds `directory`; False when there was none. `purge` removes the folder too.

    Raises ConfigError when the process does not end, or the folder is not a federation's.
    """
    folder = StateFolder(directory)
    pid = folder.owner()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        await _wait_released(folder, pid)
    if purge and folder.directory.exists():
        if folder.spec() is None:
            raise ConfigError(f"{folder.directory} is not a federation's folder: nothing was removed")
        await asyncio.to_thread(shutil.rmtree, folder.directory)
    return pid is not None


async def _wait_released(folder: StateFolder, pid: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STOP_SECONDS
    while loop.time() < deadline:
        if folder.owner() is None:
            return
        await asyncio.sleep(0.05)
    raise ConfigError(f"process {pid} does not end; its log is {folder.log}")


def _tail(path: Path, lines: int = 12) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
