"""One embedded server, asked in process."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hansa.apiserver.embedded import ADMIN, Embedded, start_embedded
from hansa.apiserver.message import Request, Response, UserInfo
from hansa.runtime.clock import LoopClock

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass
class Api:
    """A server with short ways to ask it."""

    embedded: Embedded
    user: UserInfo = ADMIN

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        accept: str = "",
        **headers: str,
    ) -> Response:
        bare, _, query = path.partition("?")
        pairs = tuple(tuple(part.split("=", 1)) for part in query.split("&") if part)
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content-type": media, "user-agent": "tester/1", **headers}
        if accept:
            named["accept"] = accept
        return await self.embedded.handle(Request(method, bare, pairs, named, content, self.user))  # type: ignore[arg-type]

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Code and document."""
        answer = await self.send(method, path, body, **more)
        assert isinstance(answer.body, bytes)
        return answer.code, json.loads(answer.body) if answer.body.startswith((b"{", b"[")) else answer.body.decode()

    async def must(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        code, document = await self.ask(method, path, body, **more)
        assert code < 300, document
        return document

    async def watch(self, path: str) -> Watch:
        answer = await self.send("GET", path)
        assert answer.code == 200, answer.body
        if isinstance(answer.body, bytes):
            return Watch(_once(answer.body))
        return Watch(answer.body)


class Watch:
    """Events of a stream, one by one."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._lines: list[bytes] = []

    async def next(self) -> tuple[str, Any]:
        while not self._lines:
            self._lines = (await anext(self._chunks)).splitlines()
        event = json.loads(self._lines.pop(0))
        return event["type"], event["object"]

    async def names(self, count: int) -> list[str]:
        """`TYPE name` of the next events."""
        found: list[str] = []
        for _ in range(count):
            kind, obj = await self.next()
            found.append(f"{kind} {obj['metadata'].get('name', '')}".strip())
        return found

    async def ended(self) -> bool:
        return not self._lines and await anext(self._chunks, None) is None

    async def close(self) -> None:
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def start(directory: Path | None = None, **more: Any) -> Api:
    return Api(await start_embedded("test", clock=LoopClock(), directory=directory, rng=random.Random(7), **more))


@pytest.fixture
async def api() -> AsyncGenerator[Api, None]:
    server = await start()
    yield server
    await server.embedded.stop()


CONFIGS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def config(name: str, **more: Any) -> dict[str, Any]:
    meta = {"name": name} | more.pop("metadata", {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}} | more


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": pod} | spec,
    }


BOATS = "/apis/sea.example/v1/namespaces/default/boats"


def definition(**version: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "crew": {"type": "integer", "minimum": 1, "default": 3},
                    "port": {"type": "string"},
                },
            },
            "status": {"type": "object", "properties": {"crew": {"type": "integer"}}},
        },
    }
    first = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}} | version
    names = {"plural": "boats", "singular": "boat", "kind": "Boat"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.sea.example"},
        "spec": {"group": "sea.example", "scope": "Namespaced", "names": names, "versions": [first]},
    }


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
