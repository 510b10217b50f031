"""Serve admission reviews over HTTPS."""

from __future__ import annotations

import errno
import logging
import ssl
import uuid
from typing import Any

import msgspec
from aiohttp import web

from hansa.api.meta import Json
from hansa.extension.webhook import review
from hansa.kube.errors import ConfigError

log = logging.getLogger(__name__)

MAX_REVIEW_BYTES = 8 << 20
"""Old and new object, each at most what an API server accepts, and some room."""


class WebhookServer:
    """Serves on `host`:`port` (0: any free one)."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self.host = host
        self.port = port
        self._context = context
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises ConfigError when the address cannot be had."""
        application = web.Application(client_max_size=MAX_REVIEW_BYTES)
        application.router.add_post("/{path}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port, ssl_context=self._context).start()
        except OSError as error:
            await runner.cleanup()
            why = "address in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
            raise ConfigError(
                f"webhook server: cannot listen on {self.host}:{self.port}: {why}; choose another --webhook-address"
            ) from error
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        try:
            document = msgspec.json.decode(await request.read(), type=dict[str, Any])
            asked: Json = document["request"]
            response = answer(path, asked)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            return web.Response(status=400, text=f"not an AdmissionReview: {error}\n")
        if response is None:
            return web.Response(status=404, text=f"no webhook at /{path}\n")
        reply = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        return web.Response(body=msgspec.json.encode(reply), content_type="application/json")


def answer(path: str, request: Json) -> Json | None:
    """The response of the webhook at `path`; None when there is none."""
    if path.startswith("mutate-"):
        return review.mutate(request, lambda: str(uuid.uuid4()))
    if path.startswith("validate-"):
        return review.validate(request)
    return None
