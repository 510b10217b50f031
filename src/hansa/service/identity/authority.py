"""The authority of the clusterset: its key in a Secret of the hub, and what gateways believe in a ConfigMap.

`ca.crt` may hold several certificates: to replace an authority, the next one is believed before it signs, and the
former until nothing that it signed is valid any more.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from hansa.api import names, scheme
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.base.certificates import KeyPair, make_authority
from hansa.base.clock import Clock
from hansa.kube.client import Client
from hansa.kube.errors import AlreadyExists, NotFound

COMMON_NAME = "hansa gateways"


@dataclass(frozen=True, slots=True)
class Authority:
    """`pair` signs; `believed` (PEM) has its certificate, and those of others that are believed too."""

    pair: KeyPair
    believed: bytes


async def read(hub: Client) -> Authority | None:
    """None where none has been made yet. Raises ApiError, Unreachable, KeyError for a Secret that lacks a part."""
    try:
        secret = await hub.get(scheme.SECRETS, names.GATEWAY_AUTHORITY, names.HANSA_NAMESPACE)
    except NotFound:
        return None
    return _authority(secret)


async def ensure(hub: Client, clock: Clock) -> Authority:
    """The authority, made when there is none. Raises ApiError, Unreachable."""
    found = await read(hub)
    if found is None:
        pair = make_authority(COMMON_NAME, clock.now())
        data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": pair.certificate}
        secret = _object("Secret", names.GATEWAY_AUTHORITY) | {
            "type": "kubernetes.io/tls",
            "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
        }
        try:
            found = _authority(await hub.create(scheme.SECRETS, secret))
        except AlreadyExists:
            found = _authority(await hub.get(scheme.SECRETS, names.GATEWAY_AUTHORITY, names.HANSA_NAMESPACE))
    return found


async def publish(hub: Client, authority: Authority) -> None:
    """Have gateways believe what the Secret says. Writes only what differs."""
    data = {"ca.crt": authority.believed.decode()}
    try:
        known = await hub.get(scheme.CONFIGMAPS, names.GATEWAY_AUTHORITIES, names.HANSA_NAMESPACE)
    except NotFound:
        await hub.create(scheme.CONFIGMAPS, _object("ConfigMap", names.GATEWAY_AUTHORITIES) | {"data": data})
        return
    if known.json().get("data") != data:
        await hub.patch(scheme.CONFIGMAPS, names.GATEWAY_AUTHORITIES, names.HANSA_NAMESPACE, {"data": data})


def _authority(secret: Item) -> Authority:
    data = {name: base64.b64decode(value) for name, value in (secret.json().get("data") or {}).items()}
    pair = KeyPair(data["tls.crt"], data["tls.key"])
    others = data.get("ca.crt", b"")
    believed = others if pair.certificate.strip() in others else pair.certificate + others
    return Authority(pair, believed)


def _object(kind: str, name: str) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": names.HANSA_NAMESPACE}}
