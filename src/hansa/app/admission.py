"""Connect admission with a hub: in process with the embedded one, over HTTPS with any other."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import tempfile
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hansa.api import names, scheme
from hansa.api.meta import Json
from hansa.apiserver.admission import Admission
from hansa.apiserver.admission_review import AdmissionRequest, AdmissionResponse
from hansa.base.certificates import KeyPair, expires_at, first_certificate, issue_server, make_authority
from hansa.base.clock import Clock
from hansa.extension.webhook import review
from hansa.extension.webhook.configuration import ENTRIES, configurations
from hansa.extension.webhook.server import WebhookServer
from hansa.install import objects
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import AlreadyExists, ApiError, NotFound, Unreachable

log = logging.getLogger(__name__)

SECRET = "hansa-webhook"
RENEWED_DAYS = 90
REFRESH_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class InProcess:
    """A webhook without a wire."""

    mutating: bool

    async def admit(self, request: AdmissionRequest) -> AdmissionResponse:
        if request.user.name == objects.ACCOUNT_USER:
            # what `matchConditions` say to a real hub
            return AdmissionResponse()
        asked: Json = {
            "uid": request.uid,
            "operation": request.operation,
            "name": request.name,
            "namespace": request.namespace,
            "object": request.object,
            "oldObject": request.old_object,
        }
        if self.mutating:
            response = review.mutate(asked, lambda: str(uuid.uuid4()))
            patch = msgspec.json.decode(base64.b64decode(response["patch"])) if "patch" in response else ()
            return AdmissionResponse(patch=patch)
        response = review.validate(asked)
        if response["allowed"]:
            return AdmissionResponse()
        status = response["status"]
        causes = (status.get("details") or {}).get("causes") or ()
        return AdmissionResponse(False, status["message"], status["reason"], status["code"], causes=causes)


def plug(admission: Admission) -> None:
    """Have an embedded hub ask about the requests that a real one would ask about."""
    for entry in ENTRIES:
        document = entry.document()
        # the embedded server does not evaluate CEL; `InProcess` looks at the user itself
        document.pop("matchConditions", None)
        admission.plug(InProcess(entry.mutating), document, mutating=entry.mutating)


@asynccontextmanager
async def served(hub: Client, host: str, port: int, clock: Clock) -> AsyncGenerator[str, None]:
    """Serve webhooks and keep the hub pointed at them; the URL. Raises ConfigError when the address is taken."""
    webhooks = Webhooks(hub, host, port, clock)
    url = await webhooks.start()
    keeping = asyncio.create_task(_keep(webhooks), name="webhook certificates")
    try:
        yield url
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await webhooks.stop()


async def _keep(webhooks: Webhooks) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            await webhooks.refresh()
        except (ApiError, Unreachable) as error:
            log.warning("webhook configurations not refreshed: %s", error)


class Webhooks:
    """The server, its certificates, and the hub's configurations of it."""

    def __init__(self, hub: Client, host: str, port: int, clock: Clock) -> None:
        self._hub = hub
        self._host = host
        self._clock = clock
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._server = WebhookServer(host, port, self._tls)

    @property
    def url(self) -> str:
        return f"https://{self._host}:{self._server.port}"

    async def start(self) -> str:
        """The URL. Raises ConfigError when the address is taken."""
        authorities, pair = await self._certificates()
        _load(self._tls, pair)
        await self._server.start()
        await self._configure(authorities)
        return self.url

    async def stop(self) -> None:
        await self._server.stop()

    async def refresh(self) -> None:
        """Renew what runs out, and put back what somebody changed.

        The hub hears of a new authority before it meets the certificate that it has signed.
        """
        authorities, pair = await self._certificates()
        await self._configure(authorities)
        _load(self._tls, pair)

    async def _configure(self, authorities: bytes) -> None:
        for resource, document in zip(
            (scheme.MUTATING_WEBHOOK_CONFIGURATIONS, scheme.VALIDATING_WEBHOOK_CONFIGURATIONS),
            configurations(self.url, authorities),
            strict=True,
        ):
            await self._hub.patch(resource, names.HANSA_WEBHOOKS, None, document, kind=PatchKind.APPLY, force=True)

    async def _certificates(self) -> tuple[bytes, KeyPair]:
        """Authorities and serving certificate, kept in a Secret so that replicas and restarts share them.

        After a renewal the former authority stays trusted: other replicas serve what it signed until they look again.
        """
        for _ in range(2):
            try:
                data = (await self._hub.get(scheme.SECRETS, SECRET, names.HANSA_NAMESPACE)).json().get("data") or {}
            except NotFound:
                data = {}
            found = {name: base64.b64decode(value) for name, value in data.items()}
            certificate = found.get("tls.crt", b"")
            fresh = certificate and (expires_at(certificate) - self._clock.now()).days > RENEWED_DAYS
            if fresh and found.get("host", b"").decode() == self._host:
                return found["ca.crt"], KeyPair(certificate, found["tls.key"])
            authority = make_authority("hansa-webhook", self._clock.now())
            pair = issue_server(authority, [self._host], self._clock.now())
            authorities = authority.certificate + first_certificate(found.get("ca.crt", b""))
            wanted = {
                "ca.crt": authorities,
                "tls.crt": pair.certificate,
                "tls.key": pair.key,
                "host": self._host.encode(),
            }
            secret: Json = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": SECRET, "namespace": names.HANSA_NAMESPACE},
                "data": {name: base64.b64encode(value).decode() for name, value in wanted.items()},
            }
            try:
                if data:
                    await self._hub.patch(scheme.SECRETS, SECRET, names.HANSA_NAMESPACE, {"data": secret["data"]})
                else:
                    await self._hub.create(scheme.SECRETS, secret)
            except AlreadyExists:
                continue  # another replica was faster: use its certificates
            return authorities, pair
        raise AssertionError("unreachable")


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Handshakes from now on show `pair`."""
    with tempfile.TemporaryDirectory() as directory:  # mode 0700; the key is on disk only while it is loaded
        file = Path(directory) / "pair.pem"
        file.touch(mode=0o600)
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)
