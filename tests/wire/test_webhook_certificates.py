"""Webhooks' certificates are renewed while they serve; whoever trusted the old authority is told first."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta

from tests.support.federation import Wire

from hansa.api import names, scheme
from hansa.apiserver.embedded import Keys, start_embedded
from hansa.app.admission import SECRET, Webhooks
from hansa.base.certificates import expires_at
from hansa.kube.client import Client
from hansa.runtime.clock import SystemClock


class Shifted(SystemClock):
    """The real clock, so many days ago."""

    days = 0

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=self.days)


async def shown(hub: Client, url: str) -> tuple[datetime, int]:
    """End of the certificate that a client sees that trusts what the hub is told, and how many authorities that is."""
    found = await hub.get(scheme.VALIDATING_WEBHOOK_CONFIGURATIONS, names.HANSA_WEBHOOKS)
    bundle = base64.b64decode(found.json()["webhooks"][0]["clientConfig"]["caBundle"]).decode()
    trusting = ssl.create_default_context(cadata=bundle)
    host, _, port = url.removeprefix("https://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return expires_at(ssl.DER_cert_to_PEM_cert(certificate).encode()), bundle.count("BEGIN CERTIFICATE")


async def test_certificates_are_renewed_while_they_serve() -> None:
    server = await start_embedded("hub", clock=SystemClock(), keys=Keys.fresh("test", SystemClock()))
    hub = Client(Wire("hub", server), qps=0)
    await hub.create(
        scheme.NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.HANSA_NAMESPACE}}
    )
    clock = Shifted()
    clock.days = 300
    webhooks = Webhooks(hub, "127.0.0.1", 0, clock)
    url = await webhooks.start()
    try:
        first, authorities = await shown(hub, url)
        assert authorities == 1
        await webhooks.refresh()
        assert await shown(hub, url) == (first, 1), "nothing was due"
        clock.days = 0
        await webhooks.refresh()
        renewed, authorities = await shown(hub, url)
        assert renewed > first + timedelta(days=299)
        assert authorities == 2, "other replicas still serve the former certificate"
        stored = (await hub.get(scheme.SECRETS, SECRET, names.HANSA_NAMESPACE)).json()["data"]
        assert expires_at(base64.b64decode(stored["tls.crt"])) == renewed
        await hub.delete(scheme.VALIDATING_WEBHOOK_CONFIGURATIONS, names.HANSA_WEBHOOKS)
        await webhooks.refresh()
        assert (await shown(hub, url))[0] == renewed, "what somebody removed is put back"
    finally:
        await webhooks.stop()
        await server.stop()
