"""Log lines, and clocks."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from tests.support import virtual_time

from hansa.runtime import logs
from hansa.runtime.clock import LoopClock, SystemClock


@pytest.fixture
def root():
    logger = logging.getLogger()
    before = (list(logger.handlers), logger.level)
    yield logger
    logger.handlers[:], level = before
    logger.setLevel(level)


def test_json_lines_have_a_fixed_vocabulary(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(format_="json", stream=stream)
    try:
        raise ValueError("no")
    except ValueError:
        about = {"controller": "place", "key": "default/web", "elapsed": 0.25, "token": "sesame"}
        logging.getLogger("hansa.test").exception("failed %s", "badly", extra=about)
    line = json.loads(stream.getvalue())
    assert line["message"] == "failed badly"
    assert (line["level"], line["logger"]) == ("error", "hansa.test")
    assert (line["controller"], line["key"], line["elapsed"]) == ("place", "default/web", 0.25)
    assert line["error"].endswith("ValueError: no")
    assert line["time"].endswith("Z")
    assert "sesame" not in stream.getvalue()


def test_console_lines(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(level="DEBUG", stream=stream)
    logging.getLogger("hansa.test").warning("slow", extra={"cluster": "m1"})
    assert stream.getvalue()[12:] == " WARNING hansa.test: slow cluster=m1\n"


def test_the_loops_clock_moves_with_virtual_time() -> None:
    async def story() -> tuple[datetime, float]:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC))
        begun = clock.monotonic()
        await asyncio.sleep(86400)
        return clock.now(), clock.monotonic() - begun

    now, passed = virtual_time.run(story())
    assert now == datetime(2026, 1, 2, tzinfo=UTC)
    assert passed == 86400


def test_the_systems_clock() -> None:
    clock = SystemClock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.monotonic() <= clock.monotonic()
