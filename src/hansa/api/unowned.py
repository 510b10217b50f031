"""Fields that nobody comes to own: what every object has, and what an endpoint ignores."""

from __future__ import annotations

from hansa.api import fieldset
from hansa.api.builtin import schema_name
from hansa.api.fieldset import FieldSet
from hansa.api.meta import GVK

NEVER_MANAGED: FieldSet = fieldset.of(
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)
"""Fields that belong to nobody."""

_STATUS: FieldSet = fieldset.of(("f:status",))
_SPEC: FieldSet = fieldset.of(("f:spec",))
_SPEC_AND_METADATA: FieldSet = fieldset.of(("f:spec",), ("f:metadata",))
_BUT_STATUS: dict[tuple[str, str], FieldSet] = {
    ("apps", "Deployment"): fieldset.of(("f:spec",), ("f:metadata", "f:labels")),
    ("", "Pod"): fieldset.of(("f:spec",), ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _SPEC_AND_METADATA,
    ("networking.k8s.io", "ServiceCIDR"): _SPEC_AND_METADATA,
    ("storage.k8s.io", "VolumeAttachment"): _SPEC_AND_METADATA,
    ("storage.k8s.io", "CSINode"): _SPEC_AND_METADATA,
    ("certificates.k8s.io", "PodCertificateRequest"): _SPEC_AND_METADATA,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): _SPEC_AND_METADATA,
    ("certificates.k8s.io", "CertificateSigningRequest"): fieldset.of(("f:spec",), ("f:status", "f:conditions")),
}
"""What the status subresource ignores, where that is more than spec."""


def ignored_fields(subresource: str, *, has_status: bool, gvk: GVK | None = None) -> FieldSet:
    """The fields that a write through this endpoint cannot set, so that nobody comes to own them by it.

    `has_status` says that the kind serves `/status`. A kind that is not built in ignores all metadata there.
    """
    if subresource == "status":
        if gvk is None:
            return _SPEC
        known = schema_name(gvk) is not None
        return _BUT_STATUS.get((gvk.group, gvk.kind), _SPEC if known else _SPEC_AND_METADATA)
    return _STATUS if has_status and not subresource else {}
