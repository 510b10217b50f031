"""Parts of the core API that Hansa's own kinds contain, or that Hansa reads from other objects."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from hansa.api.meta import ATOMIC_LIST, Object, Timestamp, Wire

BUILTIN = "builtin"
MORE = "more"
_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
_QUANTITY = rf"^(\+|-)?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?$"
Quantity = Annotated[
    str | int,
    Meta(
        extra_json_schema={
            "x-kubernetes-int-or-string": True,
            "pattern": _QUANTITY,
        }
    ),
]
"""A quantity as it is on the wire; base/quantity.py computes with it."""

ResourceList = dict[str, Quantity]
RawJson = Annotated[
    dict[str, Any], Meta(extra_json_schema={"type": "object", "x-kubernetes-preserve-unknown-fields": True})
]
"""An object of any shape."""
Time = Timestamp
Int32 = Annotated[int, Meta(extra_json_schema={"format": "int32"})]


class Taint(Wire, frozen=True, kw_only=True):
    """What workloads must tolerate.

    effect: `NoSchedule`, or `NoExecute`, which also drives out what is there.
    time_added: When a `NoExecute` taint was put on.
    """

    key: str
    effect: str
    value: str = ""
    time_added: Time | None = None


class Toleration(Wire, frozen=True, kw_only=True):
    """Lets taints pass.

    key: Empty with `Exists`: any taint.
    operator: `Exists`, or `Equal`, which is meant when empty.
    effect: Empty: any effect.
    toleration_seconds: How long a `NoExecute` taint is put up with; none: for ever.
    """

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None

    def tolerates(self, taint: Taint) -> bool:
        """Whether this toleration lets the taint pass (core/v1 Toleration)."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return self.operator in ("", "Equal") and self.value == taint.value and bool(self.key)


class LocalSecretReference(Wire, frozen=True, kw_only=True):
    """A Secret on the hub."""

    namespace: str
    name: str


class ObjectReference(Wire, frozen=True, kw_only=True):
    """Names one object. `uid` and `resource_version` are those seen when the reference was made."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class NodeSelectorRequirement(Wire, frozen=True, kw_only=True):
    """What one label or field is to be.

    operator: `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    """

    key: str
    operator: str
    values: Annotated[list[str], ATOMIC_LIST] | None = None


class NodeSelectorTerm(Wire, frozen=True, kw_only=True):
    """Nodes by labels and by fields (`metadata.name`)."""

    match_expressions: Annotated[list[NodeSelectorRequirement], ATOMIC_LIST] | None = None
    match_fields: Annotated[list[NodeSelectorRequirement], ATOMIC_LIST] | None = None


class NodeSelector(Wire, frozen=True, kw_only=True):
    """Nodes that fit any of the terms."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], ATOMIC_LIST]


class Secret(Object, frozen=True, kw_only=True):
    """`data` is base64, as on the wire."""

    type: str = ""
    data: dict[str, str] | None = None


def embedded(definition: str, **more: Any) -> Meta:
    """Marks a field whose schema is that of a built-in type, with `more` fields; filled in when CRDs are made."""
    return Meta(extra_json_schema={BUILTIN: definition, **({MORE: more} if more else {})})
