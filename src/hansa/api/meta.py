"""The parts that every Kubernetes object shares (meta.k8s.io/v1), as frozen structs.

Structs are for reading, and for objects that Hansa owns. Unknown fields do not survive a round trip, so an object
that somebody else owns is never written from a struct: it is patched, or rewritten from its own JSON.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec

Json = dict[str, Any]
"""A JSON object, decoded."""

REQUIRED = "x-required"
"""Mark in a field's extra schema: servers demand the field although the struct can be read without it."""
Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
ATOMIC_LIST = msgspec.Meta(extra_json_schema={"x-kubernetes-list-type": "atomic"})
"""Server-side apply owns the whole list, not its items."""
_REASON = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
_CONDITION_TYPE = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)


class Wire(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Parent of everything that has a JSON form: frozen, camelCase names, defaults left out.

    Go servers send `null` for empty lists, so list and map fields are declared `X | None = None`. What has a JSON form
    has no cycles, so the collector that looks for them is spared it.
    """


class GVK(NamedTuple):
    """Group, version and kind; the group of core objects is the empty string."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def of(cls, api_version: str, kind: str) -> GVK:
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)

    def __str__(self) -> str:
        return f"{self.api_version}, Kind={self.kind}"


class Resource(NamedTuple):
    """A resource as it appears in a URL, with the kind it holds. What discovery yields and every client call takes."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def gvk(self) -> GVK:
        return GVK(self.group, self.version, self.kind)

    @property
    def api_version(self) -> str:
        return self.gvk.api_version

    @property
    def group_resource(self) -> str:
        """`deployments.apps`; `pods` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of the collection or, with a name, of one object. Without a namespace: of all namespaces."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


class Key(NamedTuple):
    """Where an object is within its resource. `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class OwnerReference(Wire, frozen=True, kw_only=True):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Wire, frozen=True, kw_only=True):
    """metadata, without managedFields: whoever needs those reads the JSON."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    finalizers: list[str] | None = None

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)


class Object(Wire, frozen=True, kw_only=True):
    """Parent of the typed kinds. Each subclass adds `spec`, `status` or top-level fields of its own."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


class Condition(Wire, frozen=True, kw_only=True):
    """One thing that is so, or not, and since when (meta.k8s.io/v1).

    Limits hold for what servers store; any condition can be read.
    """

    type: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 316, "pattern": _CONDITION_TYPE})]
    status: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["True", "False", "Unknown"]})]
    reason: Annotated[
        str,
        msgspec.Meta(extra_json_schema={REQUIRED: True, "minLength": 1, "maxLength": 1024, "pattern": _REASON}),
    ] = ""
    # not required, unlike in Kubernetes: defaults are left out, so an empty message is not written
    message: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 32768})] = ""
    last_transition_time: (
        Annotated[str, msgspec.Meta(extra_json_schema={REQUIRED: True, "format": "date-time"})] | None
    ) = None
    observed_generation: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})] = 0


class LabelSelectorRequirement(Wire, frozen=True, kw_only=True):
    key: str
    operator: str
    values: Annotated[list[str], ATOMIC_LIST] | None = None


class LabelSelector(Wire, frozen=True, kw_only=True):
    """Objects by labels: all of `match_labels` and all of `match_expressions` hold."""

    match_labels: dict[str, str] | None = None
    match_expressions: Annotated[list[LabelSelectorRequirement], ATOMIC_LIST] | None = None
