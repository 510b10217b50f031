"""What was acknowledged is there after SIGKILL, under the same versions and uids."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from hansa.apiserver.embedded import ADMIN, Keys, start_embedded
from hansa.apiserver.message import Request
from hansa.runtime.clock import LoopClock

_CHILD = """
import asyncio, json, sys
from pathlib import Path
from hansa.apiserver.embedded import ADMIN, start_embedded
from hansa.apiserver.message import Request
from hansa.runtime.clock import LoopClock

async def main():
    server = await start_embedded("child", clock=LoopClock(), directory=Path(sys.argv[1]))
    path = "/api/v1/namespaces/default/configmaps"
    for number in range(100_000):
        body = json.dumps({"metadata": {"name": f"c{number}"}, "data": {"n": str(number)}}).encode()
        answer = await server.handle(Request("POST", path, (), {}, body, ADMIN))
        assert answer.code == 201, answer.body
        made = json.loads(answer.body)["metadata"]
        print(made["name"], made["uid"], made["resourceVersion"], flush=True)
        if number % 3 == 2:
            answer = await server.handle(Request("DELETE", f"{path}/c{number - 1}", (), {}, b"", ADMIN))
            assert answer.code == 200
            print("gone", f"c{number - 1}", flush=True)

asyncio.run(main())
"""


async def test_a_killed_server_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, str(tmp_path), stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    assert child.stdout is not None
    acknowledged: dict[str, tuple[str, str]] = {}
    gone: set[str] = set()

    def heard(line: bytes) -> None:
        words = line.decode().split()
        if words[0] == "gone":
            gone.add(words[1])
            acknowledged.pop(words[1], None)
        elif len(words) == 3:
            acknowledged[words[0]] = (words[1], words[2])

    async with asyncio.timeout(60):
        while len(acknowledged) < 150:
            heard(await child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        while line := await child.stdout.readline():
            if line.endswith(b"\n"):
                heard(line)
        await child.wait()

    server = await start_embedded("child", clock=LoopClock(), directory=tmp_path)
    try:
        answer = await server.handle(Request("GET", "/api/v1/namespaces/default/configmaps", (), {}, b"", ADMIN))
        assert isinstance(answer.body, bytes)
        listed = json.loads(answer.body)
        found = {
            obj["metadata"]["name"]: (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])
            for obj in listed["items"]
        }
        assert {name: found.get(name) for name in acknowledged} == acknowledged
        assert not gone & found.keys()
        newest = max(int(version) for _, version in acknowledged.values())
        assert int(listed["metadata"]["resourceVersion"]) >= newest
    finally:
        await server.stop()


async def test_a_restart_keeps_what_a_fresh_cluster_has(tmp_path: Path) -> None:
    uids: list[str] = []
    keys = Keys.fresh("twice", LoopClock())
    for _ in range(2):
        server = await start_embedded("twice", clock=LoopClock(), directory=tmp_path, keys=keys)
        answer = await server.handle(Request("GET", "/api/v1/namespaces/kube-system", (), {}, b"", ADMIN))
        assert isinstance(answer.body, bytes)
        uids.append(json.loads(answer.body)["metadata"]["uid"])
        version = server.context.storage.version
        await asyncio.sleep(0.05)
        writes = server.context.storage.writes
        await server.stop()
    assert uids[0] == uids[1]
    assert writes == 0, "a restart with nothing changed writes nothing"
    assert version > 0
