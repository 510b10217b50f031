"""The control plane's own token is renewed through itself: the kubeconfig it was started with is used once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.federation import Wire

from hansa.api.meta import GVK
from hansa.apiserver.embedded import Keys, start_embedded
from hansa.apiserver.http import serve, server_context
from hansa.app.account import RENEW_SECONDS, TOKEN_SECONDS, AccountCredentials
from hansa.base.certificates import issue_client, issue_server
from hansa.install import objects
from hansa.kube.auth import Identity, certificate
from hansa.kube.client import Client
from hansa.kube.config import ClusterConfig
from hansa.runtime.clock import SystemClock


class Ahead(SystemClock):
    """The real clock, so many seconds later."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


@dataclass
class Administrator:
    """Credentials that count how often they are asked for."""

    known: Identity = field(repr=False)
    asked: int = 0

    async def identity(self) -> Identity:
        self.asked += 1
        return self.known

    def refused(self, identity: Identity) -> bool:
        return False


@asynccontextmanager
async def hub(directory: Path, *, may_renew: bool) -> AsyncGenerator[ClusterConfig, None]:
    clock = SystemClock()
    keys = Keys.fresh("hub", clock)
    pair = issue_server(keys.authority, ["127.0.0.1"], clock.now())
    for name, content in (("tls.crt", pair.certificate), ("tls.key", pair.key), ("ca.crt", keys.authority.certificate)):
        (directory / name).write_bytes(content)
    server = await start_embedded("hub", clock=clock, keys=keys)
    client = Client(Wire("hub", server), qps=0)
    for document in [*objects.namespaces(), objects.account(), *objects.permissions()]:
        if not may_renew and document["kind"] == "Role":
            document["rules"] = [rule for rule in document["rules"] if "serviceaccounts/token" not in rule["resources"]]
        kind = GVK.of(document["apiVersion"], document["kind"])
        await client.create(await client.discovery.resource_for(kind), document)
    context = server_context(*(str(directory / name) for name in ("tls.crt", "tls.key", "ca.crt")))
    serving = await serve(server, "127.0.0.1", 0, context)
    admin = issue_client(keys.authority, "admin", ["system:masters"], clock.now())
    identity = await certificate(admin.certificate, admin.key).identity()
    try:
        yield ClusterConfig(
            f"https://127.0.0.1:{serving.port}",
            ca_data=keys.authority.certificate,
            credentials=Administrator(identity),
        )
    finally:
        await serving.stop()
        await server.stop()


async def _two_tokens(config: ClusterConfig) -> tuple[Identity, Identity]:
    clock = Ahead()
    credentials = AccountCredentials(config, clock)
    first = await credentials.identity()
    assert await credentials.identity() is first
    clock.seconds = TOKEN_SECONDS - RENEW_SECONDS
    return first, await credentials.identity()


async def test_a_token_is_renewed_through_itself(tmp_path: Path) -> None:
    async with hub(tmp_path, may_renew=True) as config:
        first, second = await _two_tokens(config)
        assert second.authorization != first.authorization
        assert isinstance(config.credentials, Administrator) and config.credentials.asked == 1


async def test_the_kubeconfig_helps_out_when_the_account_may_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub(tmp_path, may_renew=False) as config:
        first, second = await _two_tokens(config)
        assert second.authorization != first.authorization
        assert isinstance(config.credentials, Administrator) and config.credentials.asked == 2
    (told,) = [record.getMessage() for record in caplog.records if "does not let us" in record.getMessage()]
    assert "create serviceaccounts/token" in told and "hansa init" in told
