"""Which requests the hub asks about: webhook configurations with Karmada's names, paths and rules.

What Hansa writes itself is left out: its writer fills the same things in before, and a control plane that is down must
not stop its own restart.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

from hansa.api import names, scheme
from hansa.api.meta import Json, Resource

TIMEOUT_SECONDS = 3
_OWN_WRITES: Json = {
    "name": "not-hansa-itself",
    "expression": f'request.userInfo.username != "system:serviceaccount:{names.HANSA_NAMESPACE}:hansa"',
}


class Entry(NamedTuple):
    """One webhook."""

    name: str
    path: str
    resource: Resource | None
    operations: tuple[str, ...]
    mutating: bool

    def document(self) -> Json:
        """Without the address."""
        entry: Json = {
            "name": self.name,
            "rules": [self._rule()],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": TIMEOUT_SECONDS,
        }
        if self.resource is None:
            exists = {"key": names.DELETION_PROTECTED_LABEL, "operator": "Exists"}
            entry["objectSelector"] = {"matchExpressions": [exists]}
        else:
            entry["matchConditions"] = [_OWN_WRITES]
        return entry

    def _rule(self) -> Json:
        resource = self.resource
        return {
            "apiGroups": [resource.group if resource else "*"],
            "apiVersions": [resource.version if resource else "*"],
            "resources": [resource.plural if resource else "*/*"],
            "operations": list(self.operations),
            "scope": "*",
        }


def _entries() -> tuple[Entry, ...]:
    both, creation = ("CREATE", "UPDATE"), ("CREATE",)
    defaulted = (
        (scheme.PROPAGATION_POLICIES, both),
        (scheme.CLUSTER_PROPAGATION_POLICIES, both),
        (scheme.OVERRIDE_POLICIES, both),
        (scheme.RESOURCE_BINDINGS, creation),
        (scheme.CLUSTER_RESOURCE_BINDINGS, creation),
        (scheme.WORKS, both),
        (scheme.MULTI_CLUSTER_SERVICES, both),
    )
    checked = (
        scheme.PROPAGATION_POLICIES,
        scheme.CLUSTER_PROPAGATION_POLICIES,
        scheme.OVERRIDE_POLICIES,
        scheme.CLUSTER_OVERRIDE_POLICIES,
        scheme.RESOURCE_BINDINGS,
        scheme.SERVICE_ROUTING_POLICIES,
        scheme.MULTI_CLUSTER_SERVICES,
        scheme.MULTI_CLUSTER_INGRESSES,
    )

    def name(resource: Resource) -> str:
        domain = "hansa.dev" if resource.group.endswith("hansa.dev") else "karmada.io"
        return f"{resource.kind.lower()}.{domain}"

    return (
        *(Entry(name(r), f"/mutate-{r.kind.lower()}", r, operations, True) for r, operations in defaulted),
        *(Entry(name(r), f"/validate-{r.kind.lower()}", r, both, False) for r in checked),
        Entry(
            "resourcedeletionprotection.karmada.io", "/validate-resourcedeletionprotection", None, ("DELETE",), False
        ),
    )


ENTRIES = _entries()


def configurations(url: str, authority: bytes) -> tuple[Json, Json]:
    """The mutating and the validating configuration of a server at `url`, whose certificate `authority` signed."""
    bundle = base64.b64encode(authority).decode()

    def document(kind: str, *, mutating: bool) -> Json:
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": names.HANSA_WEBHOOKS},
            "webhooks": [
                {**entry.document(), "clientConfig": {"url": url.rstrip("/") + entry.path, "caBundle": bundle}}
                for entry in ENTRIES
                if entry.mutating is mutating
            ],
        }

    return (
        document("MutatingWebhookConfiguration", mutating=True),
        document("ValidatingWebhookConfiguration", mutating=False),
    )
