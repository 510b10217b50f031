"""Connect admission with a hub: in process with the embedded one, over HTTPS with any other."""

from __future__ import annotations

import base64
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
from hansa.apiserver.admission import Admission, AdmissionRequest, AdmissionResponse
from hansa.base.certificates import KeyPair, expires_at, issue_server, make_authority
from hansa.base.clock import Clock
from hansa.extension.webhook import review
from hansa.extension.webhook.configuration import ENTRIES, configurations
from hansa.extension.webhook.server import WebhookServer
from hansa.install import objects
from hansa.kube.client import Client, PatchKind
from hansa.kube.errors import AlreadyExists, NotFound

SECRET = "hansa-webhook"
RENEWED_DAYS = 90


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
    """Serve webhooks and point the hub at them; the URL. Raises ConfigError when the address is taken."""
    authority, pair = await _certificates(hub, host, clock)
    server = WebhookServer(host, port, _context(pair))
    await server.start()
    try:
        url = f"https://{host}:{server.port}"
        for resource, document in zip(
            (scheme.MUTATING_WEBHOOK_CONFIGURATIONS, scheme.VALIDATING_WEBHOOK_CONFIGURATIONS),
            configurations(url, authority),
            strict=True,
        ):
            await hub.patch(resource, names.HANSA_WEBHOOKS, None, document, kind=PatchKind.APPLY, force=True)
        yield url
    finally:
        await server.stop()


async def _certificates(hub: Client, host: str, clock: Clock) -> tuple[bytes, KeyPair]:
    """Authority and serving certificate, kept in a Secret so that replicas and restarts share them."""
    for _ in range(2):
        try:
            data = (await hub.get(scheme.SECRETS, SECRET, names.HANSA_NAMESPACE)).json().get("data") or {}
        except NotFound:
            data = {}
        found = {name: base64.b64decode(value) for name, value in data.items()}
        certificate = found.get("tls.crt", b"")
        fresh = certificate and (expires_at(certificate) - clock.now()).days > RENEWED_DAYS
        if fresh and found.get("host", b"").decode() == host:
            return found["ca.crt"], KeyPair(certificate, found["tls.key"])
        authority = make_authority("hansa-webhook", clock.now())
        pair = issue_server(authority, [host], clock.now())
        wanted = {
            "ca.crt": authority.certificate,
            "tls.crt": pair.certificate,
            "tls.key": pair.key,
            "host": host.encode(),
        }
        secret: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": names.HANSA_NAMESPACE},
            "data": {name: base64.b64encode(value).decode() for name, value in wanted.items()},
        }
        try:
            if data:
                await hub.patch(scheme.SECRETS, SECRET, names.HANSA_NAMESPACE, {"data": secret["data"]})
            else:
                await hub.create(scheme.SECRETS, secret)
        except AlreadyExists:
            continue  # another replica was faster: use its certificates
        return authority.certificate, pair
    raise AssertionError("unreachable")


def _context(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as directory:  # mode 0700; the key is on disk only while it is loaded
        file = Path(directory) / "pair.pem"
        file.touch(mode=0o600)
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)
    return context
