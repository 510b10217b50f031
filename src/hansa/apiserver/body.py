"""Bodies: what media type they are, what they say, and in which form the answer is wanted."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from hansa.api.meta import Json
from hansa.apiserver import faults, protobuf

JSON = "application/json"
YAML = "application/yaml"
ACCEPTED = (JSON, YAML, protobuf.MEDIA_TYPE)
MAX_BODY_BYTES = 3 * 1024 * 1024
GZIP_BYTES = 128 * 1024

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode(body: bytes, content_type: str, kind: str = "") -> Json:
    """One object; `kind` is what it should be. Raises BadRequest, UnsupportedMediaType, RequestEntityTooLarge."""
    if len(body) > MAX_BODY_BYTES:
        raise faults.too_large(MAX_BODY_BYTES)
    try:
        value = decode_any(body, content_type)
    except faults.Fault as fault:
        if fault.code == 400 and kind:
            text = f"the object provided is unrecognized (must be of type {kind}): {fault.message} ({body[:64].hex()})"
            raise faults.bad_request(text) from fault
        raise
    if not isinstance(value, dict):
        raise faults.bad_request(f"the object provided is unrecognized (must be of type object): {body[:64]!r}")
    return value


def decode_any(body: bytes, content_type: str) -> Any:
    """Any document. Raises as `decode`."""
    media = content_type.partition(";")[0].strip().lower() or JSON
    if media.endswith("json"):
        try:
            return _decode(body)
        except msgspec.DecodeError as error:
            raise faults.bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    if media.endswith("yaml"):
        try:
            return yaml.load(body, Loader=_Loader)
        except yaml.YAMLError as error:
            raise faults.bad_request(f"error converting YAML to JSON: {error}") from error
    if media == protobuf.MEDIA_TYPE:
        try:
            return protobuf.decode(body)
        except (protobuf.ProtobufError, msgspec.DecodeError) as error:
            raise faults.bad_request(str(error)) from error
    raise faults.unsupported_media_type(ACCEPTED)


class _Loader(yaml.CSafeLoader):
    """YAML as JSON has it: dates stay text."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def duplicate_fields(body: bytes, document: Any) -> list[str]:
    """Paths of fields that a JSON body gives twice; `document` is what it was read as."""
    if body.count(b'":') == _count_keys(document):
        return []  # as many keys were written as were kept
    any_found = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal any_found
        found = dict(items)
        if len(found) < len(items):
            any_found = True
            keys = [key for key, _ in items]
            found[_DUPLICATED] = [key for key in found if keys.count(key) > 1]
        return found

    read = json.loads(body, object_pairs_hook=pairs)
    return _paths(read, "") if any_found else []


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum([_count_keys(inner) for inner in value.values() if isinstance(inner, dict | list)])
    return sum([_count_keys(inner) for inner in value if isinstance(inner, dict | list)])


_DUPLICATED = "\0duplicated"


def _paths(value: Any, path: str) -> list[str]:
    if isinstance(value, list):
        return [p for index, inner in enumerate(value) for p in _paths(inner, f"{path}[{index}]")]
    if not isinstance(value, dict):
        return []
    found = [f"{path}.{key}" if path else key for key in value.get(_DUPLICATED) or ()]
    for key, inner in value.items():
        if key != _DUPLICATED:
            found += _paths(inner, f"{path}.{key}" if path else key)
    return found


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer is wanted. `shape` is "", Table, PartialObjectMetadata or APIGroupDiscoveryList."""

    media: str = JSON
    shape: str = ""
    group: str = ""
    version: str = ""


def negotiate(accept: str, shapes: tuple[str, ...] = ()) -> Form:
    """The first acceptable form of an Accept header. Raises NotAcceptable."""
    if not accept:
        return Form()
    alternatives: list[tuple[float, int, Form]] = []
    for position, part in enumerate(accept.split(",")):
        media, *rest = [piece.strip() for piece in part.split(";")]
        parameters = dict(piece.split("=", 1) for piece in rest if "=" in piece)
        form = _form(media.lower(), parameters, shapes)
        if form is not None:
            alternatives.append((-_quality(parameters.get("q", "1")), position, form))
    if not alternatives:
        raise faults.not_acceptable((JSON, YAML))
    return min(alternatives, key=lambda entry: entry[:2])[2]


def _form(media: str, parameters: dict[str, str], shapes: tuple[str, ...]) -> Form | None:
    if media in ("*/*", "application/*", JSON):
        media = JSON
    elif media != YAML:
        return None
    shape = parameters.get("as", "")
    if shape and shape not in shapes:
        return None
    return Form(media, shape, parameters.get("g", ""), parameters.get("v", ""))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def encode(document: Any, form: Form) -> bytes:
    """A document in the wanted media type; bytes are JSON already."""
    if form.media == YAML:
        value = _decode(document) if isinstance(document, bytes) else document
        return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True).encode()
    return document if isinstance(document, bytes) else _encode(document) + b"\n"


def compressed(body: bytes, accept_encoding: str) -> bytes | None:
    """The body gzipped when that was asked for and is worth it."""
    if len(body) < GZIP_BYTES or "gzip" not in accept_encoding:
        return None
    return gzip.compress(body, 1)
