"""A member's side: a certificate for its gateway at all times, asked for in good time, kept on disk and in the member.

The key is made here and leaves this machine only for a Secret of the member's own API server.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.certificates import KeyPair, begins_at, belong_together, expires_at, make_request
from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.runtime.backoff import Backoff
from hansa.runtime.private_file import replace
from hansa.service.identity.decision import USAGES

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""How often the authorities and the certificate's age are looked at."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 2.0, 60.0
POLL_SECONDS = 0.5
ANSWER_SECONDS = 60.0
_FILES = ("tls.key", "tls.crt", "ca.crt")


class NotIssued(Exception):
    """No certificate was to be had, and why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`pair` is the gateway's own, `authorities` (PEM) signed those of the others."""

    pair: KeyPair
    authorities: bytes


class Keeper:
    """`hub` acts as the member (`hansa:cluster:<name>`). `use` is called with every new identity."""

    def __init__(
        self, hub: Client, member: Client, directory: Path, clock: Clock, use: Callable[[Identity], None]
    ) -> None:
        self._hub = hub
        self._member = member
        self._directory = directory
        self._clock = clock
        self._use = use
        self._current: Identity | None = None
        self._pending: tuple[str, bytes] | None = None
        """Name and key (PEM) of a request that nobody has answered yet."""

    async def run(self) -> None:
        """Until cancelled. What goes wrong is logged and tried again."""
        self._take(self._on_disk() or await self._in_member())
        backoff = Backoff(random.Random(), first=FIRST_RETRY_SECONDS, last=LAST_RETRY_SECONDS)
        while True:
            try:
                await self._look()
            except (ApiError, Unreachable, NotIssued, OSError) as error:
                log.warning("no new certificate for the gateway: %s", error)
                await asyncio.sleep(backoff.next())
            else:
                backoff.reset()
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        current = self._current
        if current is None or self._is_due(current):
            pair = await self._request()
            await self._keep(Identity(pair, await self._authorities()))
            self._pending = None
        elif (authorities := await self._authorities()) != current.authorities:
            await self._keep(Identity(current.pair, authorities))

    def _is_due(self, identity: Identity) -> bool:
        """After two thirds of its life."""
        begin, end = begins_at(identity.pair.certificate), expires_at(identity.pair.certificate)
        return self._clock.now() >= begin + (end - begin) * 2 / 3

    async def _request(self) -> KeyPair:
        """Ask, or wait on for what was asked before. Raises NotIssued, ApiError, Unreachable."""
        if self._pending is None:
            self._pending = await self._ask()
        name, key = self._pending
        try:
            for _ in range(int(ANSWER_SECONDS / POLL_SECONDS)):
                certificate = _issued(await self._hub.get(scheme.CERTIFICATE_SIGNING_REQUESTS, name))
                if certificate is not None:
                    return KeyPair(certificate, key)
                await asyncio.sleep(POLL_SECONDS)
        except (NotIssued, NotFound):
            self._pending = None
            raise
        raise NotIssued(f"{name} was not answered within {ANSWER_SECONDS:g} s: is the hub's control plane running?")

    async def _ask(self) -> tuple[str, bytes]:
        key, request = make_request()
        obj: Json = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "hansa-gateway-"},
            "spec": {
                "signerName": names.GATEWAY_SIGNER,
                "request": base64.b64encode(request).decode(),
                "usages": list(USAGES),
            },
        }
        return (await self._hub.create(scheme.CERTIFICATE_SIGNING_REQUESTS, obj)).meta.name, key

    async def _authorities(self) -> bytes:
        known = await self._hub.get(scheme.CONFIGMAPS, names.GATEWAY_AUTHORITIES, names.HANSA_NAMESPACE)
        return (known.json().get("data") or {}).get("ca.crt", "").encode()

    async def _keep(self, identity: Identity) -> None:
        content = {
            "tls.key": identity.pair.key,
            "tls.crt": identity.pair.certificate,
            "ca.crt": identity.authorities,
        }
        for name, value in content.items():
            replace(self._directory / name, value)
        self._take(identity)
        try:
            await self._store({name: base64.b64encode(value).decode() for name, value in content.items()})
        except (ApiError, Unreachable) as error:
            log.warning("Secret %s not written in the member: %s", names.GATEWAY_IDENTITY, error)

    async def _store(self, data: Json) -> None:
        name, namespace = names.GATEWAY_IDENTITY, names.HANSA_NAMESPACE
        try:
            await self._member.patch(scheme.SECRETS, name, namespace, {"data": data})
        except NotFound:
            meta = {"name": name, "namespace": namespace}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/tls", "data": data}
            await self._member.create(scheme.SECRETS, secret)

    def _take(self, identity: Identity | None) -> None:
        if identity is not None:
            self._current = identity
            self._use(identity)

    def _on_disk(self) -> Identity | None:
        try:
            return _identity({name: (self._directory / name).read_bytes() for name in _FILES})
        except FileNotFoundError:
            return None

    async def _in_member(self) -> Identity | None:
        """Of a gateway that ran elsewhere before."""
        try:
            secret = await self._member.get(scheme.SECRETS, names.GATEWAY_IDENTITY, names.HANSA_NAMESPACE)
        except (ApiError, Unreachable):
            return None
        return _identity({name: base64.b64decode(value) for name, value in (secret.json().get("data") or {}).items()})


def _identity(content: dict[str, bytes]) -> Identity | None:
    """None where a part is missing, or a write was cut short between key and certificate."""
    if not all(content.get(name) for name in _FILES) or not belong_together(content["tls.crt"], content["tls.key"]):
        return None
    return Identity(KeyPair(content["tls.crt"], content["tls.key"]), content["ca.crt"])


def _issued(request: Item) -> bytes | None:
    """The certificate; None while nobody has answered. Raises NotIssued for a refusal."""
    status: Json = request.json().get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] in ("Denied", "Failed"):
            raise NotIssued(f"{request.meta.name} was refused: {condition.get('message', '')}")
    certificate = status.get("certificate")
    return base64.b64decode(certificate) if certificate else None
