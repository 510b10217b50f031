"""Bodies of requests and answers. Objects stay the bytes that they are; of lists and events only the frame is read."""

from __future__ import annotations

import msgspec

from hansa.api.item import Item
from hansa.api.meta import Json, Resource


class ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _TypeMeta(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""


encode = msgspec.json.Encoder().encode
_decode_list = msgspec.json.Decoder(_List).decode
decode_event = msgspec.json.Decoder(_Event).decode
_decode_type = msgspec.json.Decoder(_TypeMeta).decode


def page_of(body: bytes, resource: Resource) -> tuple[ListMeta, list[Item]]:
    page = _decode_list(body)
    api_version, kind = resource.api_version, resource.kind
    return page.metadata, [Item.parse(raw, api_version=api_version, kind=kind) for raw in page.items or ()]


def body_of(obj: Json | msgspec.Struct | Item) -> tuple[bytes, Item]:
    """What to send. An Item goes as the bytes it holds; those of a list lack apiVersion and kind, which are put in."""
    if not isinstance(obj, Item):
        item = Item.of(obj)
        return item.raw, item
    if _decode_type(obj.raw).kind:
        return obj.raw, obj
    rest = obj.raw.lstrip()[1:]
    comma = b"" if rest.lstrip().startswith(b"}") else b","
    return b'{"apiVersion":%b,"kind":%b%b' % (encode(obj.api_version), encode(obj.kind), comma + rest), obj
