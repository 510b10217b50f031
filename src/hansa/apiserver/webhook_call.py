"""One call to an admission webhook over HTTPS: AdmissionReview there, verdict back."""

from __future__ import annotations

import asyncio
import base64
import ssl
from binascii import Error as Base64Error
from typing import Any

import aiohttp
import msgspec

from hansa.api.meta import Json


class CallFailed(Exception):
    """No usable verdict. The text is what Kubernetes prints after `failed calling webhook "n": `."""


class WebhookClient:
    """Keeps connections and TLS contexts, one for each CA bundle."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, config: Json, review: Json, timeout_seconds: int) -> Json:
        """Post a review to `clientConfig` and return the `response` of the answer. Raises CallFailed."""
        url = config.get("url")
        if url is None:
            service: Json = config.get("service") or {}
            where = f"{service.get('namespace', '')}/{service.get('name', '')}"
            raise CallFailed(
                f"failed to call webhook: service {where} cannot be reached: "
                "this API server has no pods behind its services, use clientConfig.url"
            )
        separator = "&" if "?" in url else "?"
        full = f"{url}{separator}timeout={timeout_seconds}s"
        try:
            async with asyncio.timeout(timeout_seconds):
                answer = await self._post(full, config.get("caBundle") or "", review)
        except TimeoutError:
            raise CallFailed(f'failed to call webhook: Post "{full}": context deadline exceeded') from None
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise CallFailed(f'failed to call webhook: Post "{full}": {error}') from error
        return _verdict(answer, review["request"]["uid"])

    async def _post(self, url: str, ca_bundle: str, review: Json) -> bytes:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession()
        headers = {"content-type": "application/json", "accept": "application/json, */*"}
        async with self._session.post(
            url, data=msgspec.json.encode(review), headers=headers, ssl=self._context(ca_bundle)
        ) as response:
            body = await response.read()
            if response.status >= 300:
                text = body[:200].decode(errors="replace").strip()
                raise ValueError(f"the server answered {response.status}: {text}")
            return body

    def _context(self, ca_bundle: str) -> ssl.SSLContext:
        context = self._contexts.get(ca_bundle)
        if context is None:
            context = ssl.create_default_context()
            if ca_bundle:
                context = ssl.create_default_context(cadata=base64.b64decode(ca_bundle).decode())
            self._contexts[ca_bundle] = context
        return context


def _verdict(body: bytes, uid: str) -> Json:
    try:
        review = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CallFailed(f"failed to call webhook: the answer is not JSON: {error}") from error
    invalid = "received invalid webhook response: "
    kind = (review.get("apiVersion"), review.get("kind"))
    if kind not in (("admission.k8s.io/v1", "AdmissionReview"), ("admission.k8s.io/v1beta1", "AdmissionReview")):
        wanted = "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview"
        raise CallFailed(f"{invalid}{wanted}, got {kind[0]}, Kind={kind[1]}")
    response = review.get("response")
    if not isinstance(response, dict):
        raise CallFailed(f"{invalid}webhook response was absent")
    if response.get("uid") != uid and kind[0] == "admission.k8s.io/v1":
        raise CallFailed(f'{invalid}expected response.uid="{uid}", got "{response.get("uid", "")}"')
    return response


def patch_of(response: Json) -> list[Json]:
    """The operations of a response's patch. Raises CallFailed."""
    if not response.get("patch"):
        return []
    if response.get("patchType") != "JSONPatch":
        what = "received invalid webhook response: webhook returned response.patchType not supported"
        raise CallFailed(f'{what}: "{response.get("patchType", "")}"')
    try:
        return msgspec.json.decode(base64.b64decode(response["patch"]), type=list[dict[str, Any]])
    except (Base64Error, msgspec.DecodeError, ValueError) as error:
        raise CallFailed(f"received undecodable patch in webhook response: {error}") from error
