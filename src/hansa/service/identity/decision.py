"""Whether a CertificateSigningRequest becomes the certificate of a cluster's gateway.

The name in the certificate comes from who the API server says has asked, and from nothing in the request: a signer that
believed the request would let every member pass for every other.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import timedelta

from hansa.api import names
from hansa.api.meta import Json
from hansa.api.routing import gateway_identity
from hansa.base.certificates import request_fault

LIFETIME = timedelta(hours=24)
USAGES = ("digital signature", "client auth", "server auth")


@dataclass(frozen=True, slots=True)
class Issue:
    """A certificate for `request` (PEM) that names the gateways of `cluster`."""

    cluster: str
    request: bytes
    lifetime: timedelta

    @property
    def uri(self) -> str:
        return gateway_identity(self.cluster)


@dataclass(frozen=True, slots=True)
class Refuse:
    """`reason` is one word, `message` says what to do."""

    reason: str
    message: str


def requester(spec: Json) -> str | None:
    """The cluster as which it was asked; None for anybody else. `username` and `groups` are the API server's words."""
    user: str = spec.get("username", "")
    if not user.startswith(names.MEMBER_USER_PREFIX) or names.MEMBERS_GROUP not in (spec.get("groups") or ()):
        return None
    return user.removeprefix(names.MEMBER_USER_PREFIX) or None


def decide(spec: Json, *, is_member: bool) -> Issue | Refuse:
    """`is_member`: whether a Cluster of the requester's name exists and is not being deleted."""
    cluster = requester(spec)
    if cluster is None:
        message = (
            f"only {names.MEMBER_USER_PREFIX}<cluster> in group {names.MEMBERS_GROUP} may ask for a gateway's"
            f" certificate, not {spec.get('username', '')}"
        )
        return Refuse("NotACluster", message)
    if not is_member:
        return Refuse("NotAMember", f"there is no Cluster {cluster}, or it is being removed")
    unwanted = sorted(set(spec.get("usages") or ()) - set(USAGES))
    if unwanted:
        return Refuse("UnwantedUsage", f"spec.usages: {', '.join(unwanted)}: allowed are {', '.join(USAGES)}")
    try:
        request = base64.b64decode(spec.get("request", ""), validate=True)
    except binascii.Error:
        return Refuse("UnfitRequest", "spec.request: not base64")
    fault = request_fault(request, gateway_identity(cluster))
    if fault:
        return Refuse("UnfitRequest", f"spec.request: {fault}")
    seconds = spec.get("expirationSeconds")
    lifetime = LIFETIME if seconds is None else min(LIFETIME, timedelta(seconds=seconds))
    return Issue(cluster, request, lifetime)
