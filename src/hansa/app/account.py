"""Work as the ServiceAccount that `init` installed, whatever the kubeconfig's own rights are."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hansa.api import scheme
from hansa.api.meta import Json
from hansa.base.clock import Clock
from hansa.install import objects
from hansa.kube.auth import Identity, Static
from hansa.kube.client import Client
from hansa.kube.config import ClusterConfig
from hansa.kube.errors import ConfigError, Forbidden, NotFound, Unauthorized
from hansa.kube.http import HttpTransport
from hansa.runtime.clock import SystemClock

TOKEN_SECONDS = 3600
RENEW_SECONDS = 600.0
"""A token is exchanged when it has no longer to live."""


@dataclass
class AccountCredentials:
    """A token of the account, renewed before it ends.

    The first comes through the kubeconfig of `granter`, later ones through the token that still lives; the kubeconfig
    helps out when that one is refused.
    """

    granter: ClusterConfig
    clock: Clock = field(default_factory=SystemClock)
    _identity: Identity | None = None
    _renew_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def identity(self) -> Identity:
        """Raises ConfigError when the account is missing, or the granter may not make tokens for it."""
        async with self._lock:
            if self._identity is None or self.clock.monotonic() >= self._renew_at:
                self._identity = Identity(f"Bearer {await self._renewed()}")
                self._renew_at = self.clock.monotonic() + TOKEN_SECONDS - RENEW_SECONDS
            return self._identity

    def refused(self, identity: Identity) -> bool:
        """A token that is refused is exchanged once."""
        if self._identity is identity:
            self._identity = None
            return True
        return self._identity is not None

    async def _renewed(self) -> str:
        if self._identity is not None:
            own = replace(self.granter, credentials=Static(self._identity), impersonate=None)
            # what the account may not do, its client has said
            with suppress(Forbidden, Unauthorized):
                return await _token(own)
        account = f"{objects.ACCOUNT_NAMESPACE}/{objects.ACCOUNT}"
        try:
            return await _token(self.granter)
        except NotFound as error:
            raise ConfigError(f"ServiceAccount {account} does not exist on the hub: run `hansa init` first") from error
        except Forbidden as error:
            raise ConfigError(f"a token for ServiceAccount {account} cannot be had: {error.message}") from error


async def _token(config: ClusterConfig) -> str:
    """A token of the account, by the TokenRequest API."""
    request: Json = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": objects.ACCOUNT, "namespace": objects.ACCOUNT_NAMESPACE},
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    client = Client(HttpTransport(config))
    try:
        answer = await client.create(
            scheme.SERVICE_ACCOUNTS, request, objects.ACCOUNT_NAMESPACE, name=objects.ACCOUNT, subresource="token"
        )
    finally:
        await client.close()
    return answer.json()["status"]["token"]


async def hub_as_account(config: ClusterConfig, *, qps: float, burst: int) -> Client:
    """A client for the hub that works as the account. Raises ConfigError, Unreachable."""
    credentials = AccountCredentials(config)
    await credentials.identity()
    own = replace(config, credentials=credentials, impersonate=None)
    return Client(HttpTransport(own), qps=qps, burst=burst)
