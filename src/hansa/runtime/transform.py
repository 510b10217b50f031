"""What a cache keeps of an item. Bodies are cut as bytes and never decoded."""

from __future__ import annotations

import msgspec

from hansa.api.item import Item

_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_join = msgspec.json.Encoder().encode


def drop_managed_fields(item: Item) -> Item:
    """Without metadata.managedFields, which is often half of an object. A PUT without the field leaves it as it is."""
    if b'"managedFields"' not in item.raw:
        return item
    body = _split(item.raw)
    metadata = _split(body["metadata"])
    if metadata.pop("managedFields", None) is None:
        return item
    body["metadata"] = msgspec.Raw(_join(metadata))
    return Item(_join(body), item.meta, item.api_version, item.kind)
