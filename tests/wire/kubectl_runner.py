"""Runs kubectl cases against a server given by its kubeconfig, and makes outputs of two servers comparable."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.wire.kubectl_cases import Case

KUBECTL = str(Path(sys.executable).parent / "kubectl")
SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


async def run(case: Case, kubeconfig: Path, home: Path) -> Outcome:
    """One case. Raises TimeoutError when kubectl does not end."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig)}
    if case.script:
        editor = home / "editor.sh"
        editor.write_text(f'#!/bin/sh\nsed -i {shlex.quote(case.script)} "$1"\n')
        editor.chmod(0o700)
        environment["KUBE_EDITOR"] = str(editor)
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *shlex.split(case.argv),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(case.stdin.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return Outcome(process.returncode or 0, out.decode(), err.decode())


def faults(case: Case, outcome: Outcome) -> list[str]:
    """What an outcome lacks."""
    found = [f"exit status {outcome.code}, wanted {case.code}"] if outcome.code != case.code else []
    return found + [f"{text!r} is missing" for text in case.has if text not in outcome.text]


_SUBSTITUTIONS = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"resourceVersion(\"?): ?['\"]\d+['\"]", r"resourceVersion\1: VERSION"),
    (r"resourceVersion(\\+)\":\\+\"\d+", r"resourceVersion\1: VERSION"),
    (r"\b127\.0\.0\.1:\d+", "SERVER"),
    (r"(?m)^(CreationTimestamp: |Created on: ).*$", r"\1 TIME"),
    (r"\b\d+(\.\d+)?m?s\b", "AGE"),
    (r"\b\d+m\d+s\b", "AGE"),
    (r"\b10\.\d+\.\d+\.\d+\b", "ADDRESS"),
    (r"kube-api-access-\w{5}", "kube-api-access-RANDOM"),
    (r" +\n", "\n"),
    (r" {2,}", "  "),
)


def comparable(text: str) -> str:
    """The output without what differs from run to run."""
    text = _in_order(text)
    for pattern, replacement in _SUBSTITUTIONS:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def _in_order(text: str) -> str:
    """An object's managed fields in an order of their own: servers sort them by time, which has whole seconds."""
    if text.startswith("apiVersion:") and "managedFields:" in text:
        obj = yaml.safe_load(text)
        _sort_managers(obj)
        return yaml.safe_dump(obj, sort_keys=False)
    return _QUOTED_OBJECT.sub(_requoted, text)


_QUOTED_OBJECT = re.compile(r'"\{(?:[^"\\]|\\.)*managedFields(?:[^"\\]|\\.)*\}"')


def _requoted(match: re.Match[str]) -> str:
    """An object that a message quotes."""
    obj = json.loads(json.loads(match[0]))
    _sort_managers(obj)
    return json.dumps(json.dumps(obj, separators=(",", ":")))


def _sort_managers(obj: Any) -> None:
    entries = obj.get("metadata", {}).get("managedFields") or []
    entries.sort(key=lambda entry: (entry.get("manager", ""), entry["operation"], entry.get("subresource", "")))
