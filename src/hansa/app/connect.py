"""A client for the API server that a kubeconfig names."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.http import HttpTransport


@asynccontextmanager
async def connected(kubeconfig: Path | None, context: str | None) -> AsyncGenerator[Client, None]:
    """Raises ConfigError when the kubeconfig cannot be used; the server itself is not asked yet."""
    client = Client(HttpTransport(config.load(kubeconfig, context)))
    try:
        yield client
    finally:
        await client.close()
