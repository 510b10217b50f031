"""The embedded API server answers histories of merging writes as a real one does."""

from __future__ import annotations

import json

import pytest
from tests.parity.merge_cases import ANSWERS, CRD, HISTORIES, History, play

from hansa.apiserver.embedded import ADMIN, start_embedded
from hansa.apiserver.message import Request
from hansa.runtime.clock import SystemClock

EXPECTED = json.loads(ANSWERS.read_text())


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
async def test_history(history: History) -> None:
    server = await start_embedded("merge", clock=SystemClock(), extra_crds=[CRD])
    try:

        async def send(method, path, body, media):
            path, _, query = path.partition("?")
            answer = await server.handle(
                Request(
                    method,
                    path,
                    tuple(tuple(part.split("=")) for part in query.split("&") if part),
                    {"content-type": media, "accept": "application/json"},
                    json.dumps(body).encode() if body is not None else b"",
                    user=ADMIN,
                )
            )
            return answer.code, json.loads(answer.body)

        answers = await play(send, history)
    finally:
        await server.stop()
    for number, (answer, expected) in enumerate(zip(answers, EXPECTED[history.name], strict=True)):
        assert answer == expected, f"step {number}: {history.steps[number]}"
