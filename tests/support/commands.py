"""The programs themselves, as users start them: kubectl and `hansa`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

from hansa.rig.binaries import find_binaries
from hansa.rig.ports import free_ports

DEADLINE_SECONDS = 60


def hansa(*arguments: object, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hansa.cli", *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )


@contextlib.contextmanager
def in_background(log: Path, *arguments: object) -> Generator[subprocess.Popen[bytes], None, None]:
    """`hansa` with these arguments, which says everything into `log`, until it is told to end."""
    command = [sys.executable, "-m", "hansa.cli", *map(str, arguments)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def running(kubeconfig: Path, log: Path, *options: str) -> Generator[subprocess.Popen[bytes], None, None]:
    """`hansa run` on context `hub`, ready."""
    health, webhook = free_ports(2)
    where = ("--kubeconfig", kubeconfig, "--context", "hub")
    addresses = ("--health-address", f"127.0.0.1:{health}", "--webhook-address", f"127.0.0.1:{webhook}")
    with in_background(log, "run", *where, *addresses, *options) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{health}/readyz") as answer:
                if answer.status == 200:
                    break
            time.sleep(0.1)
        yield process


class Kubectl:
    """With the file `kubeconfig` of a directory."""

    def __init__(self, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self._environment = {"HOME": str(directory), "PATH": os.environ["PATH"]}

    def __call__(self, context: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [find_binaries().kubectl, f"--kubeconfig={self.kubeconfig}", f"--context={context}", *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            env=self._environment,
        )

    def until(self, context: str, arguments: tuple[str, ...], wanted: str, *, seconds: float = DEADLINE_SECONDS) -> str:
        """Ask until the answer is the wanted one; the last answer."""
        deadline = time.monotonic() + seconds
        while True:
            run = self(context, *arguments)
            if run.stdout.strip() == wanted or time.monotonic() > deadline:
                return run.stdout.strip() or run.stderr.strip()
            time.sleep(0.2)
