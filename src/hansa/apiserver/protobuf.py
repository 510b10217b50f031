"""Reading Kubernetes' protobuf: what kubectl's `create` and Go's typed clients send for built-in kinds.

A body is the magic `k8s\\0` and an Unknown{typeMeta, raw}; `raw` is the message of that kind. Answers are JSON.

Data: message -> field number -> `[JSON name, code, flags]`. Codes: s string, b bool, i integer, f double, B bytes,
q Quantity, t Time, u MicroTime, d Duration, x IntOrString, R raw JSON, I list in a message of its own, 1 2 3 the
alternatives of JSON schema, `@name` message. Flags: r repeated, m map by string, p pointer (its zero counts), o left
out when empty, n its fields stand in the parent.
"""

from __future__ import annotations

import gzip
import struct
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from hansa.api.meta import GVK, Json
from hansa.base.clock import rfc3339, rfc3339_micro

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
_DATA = Path(__file__).with_name("protobuf.json.gz")
_META = "k8s.io.apimachinery.pkg.apis.meta.v1"
_EXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
_SCHEMA = f"@{_EXTENSIONS}.JSONSchemaProps"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Field = tuple[str, str, str]


class ProtobufError(ValueError):
    """The body is no such message, or of a kind without one."""


def decode(body: bytes) -> Json:
    """The object in a body. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        api_version, kind, raw = "", "", b""
        for number, value in _fields(body[len(MAGIC) :]):
            if number == 1:
                type_meta = {n: bytes(v).decode() for n, v in _fields(value)}
                api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
            elif number == 2:
                raw = bytes(value)
        obj: Json = {"apiVersion": api_version, "kind": kind}
        return obj | _message(_name_of(GVK.of(api_version, kind)), raw)
    except (IndexError, UnicodeDecodeError, struct.error, TypeError) as error:
        raise ProtobufError(f"the protobuf message is damaged: {error}") from error


def _name_of(gvk: GVK) -> str:
    package = f"k8s.io.api.{gvk.group.partition('.')[0] or 'core'}.{gvk.version}"
    if gvk.group == "apiextensions.k8s.io":
        package = _EXTENSIONS
    name = f"{package}.{gvk.kind}"
    if name not in _messages():
        name = f"{_META}.{gvk.kind}"
    if name not in _messages():
        raise ProtobufError(f'no kind "{gvk.kind}" is registered for version "{gvk.api_version}" in protobuf')
    return name


@cache
def _messages() -> dict[str, dict[str, _Field]]:
    return msgspec.json.decode(gzip.decompress(_DATA.read_bytes()), type=dict[str, dict[str, _Field]])


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes | memoryview) -> Iterator[tuple[int, Any]]:
    """Field numbers with their values: integers, or views of bytes."""
    view = memoryview(data)
    at, end = 0, len(view)
    while at < end:
        tag, at = _varint(view, at)
        match tag & 7:
            case 0:
                value, at = _varint(view, at)
                yield tag >> 3, value - (1 << 64) if value >> 63 else value
            case 1:
                yield tag >> 3, view[at : at + 8]
                at += 8
            case 2:
                size, at = _varint(view, at)
                if at + size > end:
                    raise IndexError("it ends too early")
                yield tag >> 3, view[at : at + size]
                at += size
            case 5:
                yield tag >> 3, view[at : at + 4]
                at += 4
            case kind:
                raise IndexError(f"wire type {kind}")


def _message(name: str, data: bytes | memoryview) -> Json:
    fields = _messages()[name]
    obj: Json = {}
    for number, value in _fields(data):
        field = fields.get(str(number))
        if field is None:
            continue
        key, code, flags = field
        if "m" in flags:
            entry = dict(_fields(value))
            obj.setdefault(key, {})[bytes(entry.get(1, b"")).decode()] = _value(code, entry.get(2, b""))
        elif "r" in flags:
            obj.setdefault(key, []).append(_value(code, value))
        else:
            _set(obj, key, _value(code, value), flags)
    return obj


def _set(obj: Json, key: str, value: Any, flags: str) -> None:
    if "n" in flags:
        obj |= value
    elif value is None or ("o" in flags and "p" not in flags and not value):
        return
    else:
        obj[key] = value


def _value(code: str, value: Any) -> Any:
    match code[0]:
        case "s":
            return bytes(value).decode()
        case "i":
            return 0 if value == b"" else value
        case "b":
            return bool(value)
        case "@":
            return _message(code[1:], value)
        case "B":
            return b64encode(value).decode()
        case "f":
            return struct.unpack("<d", value)[0]
        case "R":
            raw = dict(_fields(value)).get(1)
            return msgspec.json.decode(bytes(raw)) if raw else None
        case _:
            return _special(code, dict(_fields(value)), value)


def _special(code: str, parts: dict[int, Any], value: Any) -> Any:
    match code:
        case "q":
            return bytes(parts.get(1, b"0")).decode() or "0"
        case "t" | "u":
            if not parts:
                return None
            moment = _EPOCH + timedelta(seconds=parts.get(1, 0), microseconds=parts.get(2, 0) // 1000)
            return rfc3339(moment) if code == "t" else rfc3339_micro(moment)
        case "x":
            return bytes(parts.get(3, b"")).decode() if parts.get(1) else parts.get(2, 0)
        case "d":
            return f"{parts.get(1, 0) / 1e9:g}s"
        case "I":
            return [bytes(item).decode() for _, item in _fields(value)]
        case "1":
            schemas = [_value(_SCHEMA, item) for number, item in _fields(value) if number == 2]
            return schemas or _value(_SCHEMA, parts.get(1, b""))
        case "2":
            return _value(_SCHEMA, parts[2]) if 2 in parts else bool(parts.get(1))
        case _:
            names = [bytes(item).decode() for number, item in _fields(value) if number == 2]
            return names or _value(_SCHEMA, parts.get(1, b""))
