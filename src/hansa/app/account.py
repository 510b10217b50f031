"""Work as the ServiceAccount that `init` installed, whatever the kubeconfig's own rights are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from hansa.api import scheme
from hansa.api.meta import Json
from hansa.install import objects
from hansa.kube.auth import Identity
from hansa.kube.client import Client
from hansa.kube.config import ClusterConfig
from hansa.kube.errors import ConfigError, Forbidden, NotFound
from hansa.kube.http import HttpTransport
from hansa.runtime.clock import SystemClock

TOKEN_SECONDS = 3600
RENEW_SECONDS = 600.0
"""A token is exchanged when it has no longer to live."""


@dataclass
class AccountCredentials:
    """A token of the account, renewed before it ends. The first comes through `granter`, later ones through itself."""

    granter: Client
    _identity: Identity | None = None
    _renew_at: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _clock: SystemClock = field(default_factory=SystemClock)

    async def identity(self) -> Identity:
        """Raises ConfigError when the account is missing, or the granter may not make tokens for it."""
        async with self._lock:
            if self._identity is None or self._clock.monotonic() >= self._renew_at:
                self._identity = Identity(f"Bearer {await self._request()}")
                self._renew_at = self._clock.monotonic() + TOKEN_SECONDS - RENEW_SECONDS
            return self._identity

    def refused(self, identity: Identity) -> bool:
        """A token that is refused is exchanged once."""
        if self._identity is identity:
            self._identity = None
            return True
        return self._identity is not None

    async def _request(self) -> str:
        request: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": objects.ACCOUNT, "namespace": objects.ACCOUNT_NAMESPACE},
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        account = f"{objects.ACCOUNT_NAMESPACE}/{objects.ACCOUNT}"
        try:
            answer = await self.granter.create(
                scheme.SERVICE_ACCOUNTS,
                request,
                objects.ACCOUNT_NAMESPACE,
                name=objects.ACCOUNT,
                subresource="token",
            )
        except NotFound as error:
            raise ConfigError(f"ServiceAccount {account} does not exist on the hub: run `hansa init` first") from error
        except Forbidden as error:
            raise ConfigError(f"a token for ServiceAccount {account} cannot be had: {error.message}") from error
        return answer.json()["status"]["token"]


async def hub_as_account(config: ClusterConfig, *, qps: float, burst: int) -> Client:
    """A client for the hub that works as the account. Raises ConfigError, Unreachable."""
    credentials = AccountCredentials(Client(HttpTransport(config)))
    await credentials.identity()
    own = replace(config, credentials=credentials, impersonate=None)
    return Client(HttpTransport(own), qps=qps, burst=burst)
