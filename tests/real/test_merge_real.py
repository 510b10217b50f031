"""The recorded answers to merging writes are those of a real API server."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from pathlib import Path

import aiohttp
from tests.parity.merge_cases import ANSWERS, CRD, HISTORIES, KINDS, play

from hansa.rig.binaries import find_binaries
from hansa.rig.cluster import API_ONLY, RealCluster


async def test_histories_on_a_real_server(tmp_path: Path) -> None:
    cluster = RealCluster("merge", tmp_path / "merge", find_binaries(), role=API_ONLY, durable=False)
    await cluster.start()
    try:
        context = ssl.create_default_context(cafile=str(cluster.pki.certificate("ca")))
        context.load_cert_chain(cluster.pki.certificate("admin"), cluster.pki.key("admin"))
        async with aiohttp.ClientSession() as session:

            async def send(method, path, body, media):
                data = json.dumps(body).encode() if body is not None else None
                headers = {"content-type": media, "accept": "application/json"}
                url = cluster.server + path
                async with session.request(method, url, data=data, headers=headers, ssl=context) as answer:
                    text = await answer.read()
                    return answer.status, json.loads(text) if text.startswith(b"{") else {}

            await send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD, "application/json")
            for _ in range(200):
                if (await send("GET", KINDS["Thing"][1], None, "application/json"))[0] == 200:
                    break
                await asyncio.sleep(0.1)
            answers = {history.name: await play(send, history) for history in HISTORIES}
    finally:
        await cluster.stop()
    if os.environ.get("HANSA_RECORD"):
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in answers.items())
        ANSWERS.write_text("{\n" + lines + "\n}\n")
    assert answers == json.loads(ANSWERS.read_text())
