"""What a schema says about merging: which nodes are maps, lists or scalars, and which are owned as a whole.

Kubernetes calls this topology: `x-kubernetes-map-type`, `x-kubernetes-list-type` and `x-kubernetes-list-map-keys`, and
for older types the strategic merge keys. Without a schema it is deduced: maps by field, lists as a whole.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from hansa.api import builtin
from hansa.api.meta import GVK, Json

Form = Literal["map", "list", "scalar", "any"]

_UNTYPED = ("io.k8s.apimachinery.pkg.runtime.RawExtension",)
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PREFIX = "#/definitions/"


class Topology:
    """One node of a schema. Children are made when they are asked for, and kept.

    - `form`: what the value may be; "any" is deduced from the value.
    - `atomic`: maps and lists that are owned as a whole.
    - `keys`: of a list map; an empty tuple in a list that is not atomic is a set.
    - `element`: of lists, and of maps for fields that the schema does not name; None = such fields are not declared.
    """

    __slots__ = ("_element", "_fields", "_made", "_preserves", "_properties", "atomic", "defaults", "form", "keys")

    def __init__(self, schema: Json, *, atomic_map: bool | None = None, preserves: bool = False) -> None:
        self._made: dict[str, Topology] = {}
        self._preserves = preserves or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        self._properties: Json = schema.get("properties") or {}
        self.keys: tuple[str, ...] = ()
        self.defaults: Json = {}
        self.form = _form(schema)
        self.atomic = False
        self._element: Json | Literal["any"] | None = None
        if self.form == "list":
            self._read_list(schema)
        elif self.form in ("map", "any"):
            self.atomic = schema.get("x-kubernetes-map-type") == "atomic" if atomic_map is None else atomic_map
            self._element = self._unnamed(schema)
        self._fields = self._properties.keys()

    def _read_list(self, schema: Json) -> None:
        kind = schema.get("x-kubernetes-list-type")
        strategy = str(schema.get("x-kubernetes-patch-strategy", "")).split(",")
        if kind == "map":
            self.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        elif kind is None and "merge" in strategy and (key := schema.get("x-kubernetes-patch-merge-key")):
            self.keys = (key,)
        self.atomic = kind not in ("map", "set") and not (kind is None and "merge" in strategy)
        items = schema.get("items")
        self._element = items if isinstance(items, dict) else "any"
        if self.keys and isinstance(items, dict):
            fields = builtin.resolve(items).get("properties") or {}
            self.defaults = {key: fields[key]["default"] for key in self.keys if "default" in fields.get(key, {})}

    def _unnamed(self, schema: Json) -> Json | Literal["any"] | None:
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict):
            return additional
        if additional is True or (additional is None and (self._preserves or not self._properties)):
            return "any"
        return None

    def names(self, field: str) -> bool:
        """Whether the schema names a field, rather than allowing any."""
        return field in self._fields

    def field(self, name: str) -> Topology | None:
        """The node of a map's field; None where the schema does not declare it."""
        schema = self._properties.get(name)
        if schema is None:
            return self.element
        known = self._made.get(name)
        if known is None:
            known = self._made[name] = _node(schema, self._preserves)
        return known

    @property
    def element(self) -> Topology | None:
        if self._element is None:
            return None
        known = self._made.get("[]")
        if known is None:
            known = DEDUCED if self._element == "any" else _node(self._element, self._preserves)
            self._made["[]"] = known
        return known

    def with_object_meta(self, *, metadata: bool = True) -> Topology:
        """The same with Kubernetes' own metadata, apiVersion and kind, which the schemas of custom kinds leave open."""
        self._properties = {**self._properties}
        for name in ("apiVersion", "kind"):
            self._properties.setdefault(name, {"type": "string"})
        if metadata:
            self._made["metadata"] = _defined(_META)
            self._properties["metadata"] = {}
        self._fields = self._properties.keys()
        return self


def topology_of(schema: Json | None) -> Topology:
    """The topology of a kind: of a built-in kind's schema, a custom kind's structural schema, or None."""
    if not schema:
        return _free_object()
    for kind in schema.get("x-kubernetes-group-version-kind") or ():
        name = _definition_name(kind["group"], kind["version"], kind["kind"])
        if name is not None and builtin.definitions()[name] is schema:
            return _defined(name)
    known = _recent.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_recent) >= _MOST_RECENT:
            _recent.clear()
        known = _recent[id(schema)] = (schema, Topology(schema).with_object_meta())
    return known[1]


# by identity, and the schema is kept alive with its topology
_recent: dict[int, tuple[Json, Topology]] = {}
_MOST_RECENT = 256


@cache
def _free_object() -> Topology:
    return Topology({"type": "object"}).with_object_meta()


def _definition_name(group: str, version: str, kind: str) -> str | None:
    return builtin.schema_name(GVK(group, version, kind))


@cache
def _defined(name: str) -> Topology:
    if name == _QUANTITY:
        return Topology({"type": "string"})
    if name in _UNTYPED:
        return Topology({}, atomic_map=True)
    return Topology(builtin.definitions()[name])


def _node(schema: Json, preserves: bool) -> Topology:
    reference = schema.get("$ref")
    parts = schema.get("allOf")
    if reference is None and parts and len(parts) == 1:
        reference = parts[0].get("$ref")
    if reference is None:
        node = Topology(schema, preserves=preserves)
        return node.with_object_meta() if schema.get("x-kubernetes-embedded-resource") else node
    name = reference.removeprefix(_PREFIX)
    kind = schema.get("x-kubernetes-map-type")
    if kind is None:
        return _defined(name)
    return Topology(builtin.definitions()[name], atomic_map=kind == "atomic")


def _form(schema: Json) -> Form:
    if schema.get("x-kubernetes-int-or-string"):
        return "scalar"
    match schema.get("type"):
        case "object":
            return "map"
        case "array":
            return "list"
        case None:
            return "scalar" if "oneOf" in schema or "anyOf" in schema else "any"
        case _:
            return "scalar"


DEDUCED = Topology({})
"""Any value: maps by field, everything else as a whole."""


def map_of(node: Topology | None, value: Any) -> bool:
    """Whether `value` is merged by field under this node."""
    return isinstance(value, dict) and node is not None and node.form in ("map", "any") and not node.atomic


def list_of(node: Topology | None, value: Any) -> bool:
    """Whether `value` is merged by element under this node."""
    return isinstance(value, list) and node is not None and node.form == "list" and not node.atomic
