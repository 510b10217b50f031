"""From structs to definitions, and what is committed of them."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, field, inspect

from hansa.api.core import Int32, Quantity, RawJson, embedded
from hansa.api.crd import _notes, all_crds, crd_of, schema_of
from hansa.api.kinds import KINDS
from hansa.api.meta import ATOMIC_LIST, REQUIRED, Condition, Wire

ROOT = Path(__file__).parents[3]


class Inner(Wire, frozen=True, kw_only=True):
    """What is within.

    Not shown.
    """

    name: str
    size: Int32 = 0


class Outer(Wire, frozen=True, kw_only=True):
    inner: Inner
    word: Literal["a", "b", ""] = ""
    text: Annotated[str, Meta(min_length=1, max_length=5, pattern="^x", extra_json_schema={"default": "x"})] = "x"
    count: Annotated[int, Meta(ge=0, le=9)] = 0
    many: Annotated[list[Inner], Meta(min_length=1), ATOMIC_LIST] | None = None
    by_name: dict[str, Inner] | None = None
    amount: Quantity | None = None
    raw: RawJson | None = None
    marked: Annotated[str, Meta(extra_json_schema={REQUIRED: True})] = ""
    proxy_url: str = field(name="proxyURL", default="")
    service: Annotated[dict[str, Any], embedded("io.k8s.api.core.v1.ServiceStatus", more={"type": "string"})] | None = (
        None
    )


SCHEMA = schema_of(Outer)
FIELDS = SCHEMA["properties"]


def test_required_are_fields_without_a_default_and_those_marked():
    assert SCHEMA["required"] == ["inner", "marked"]
    assert FIELDS["marked"] == {"type": "string"}
    assert FIELDS["inner"]["required"] == ["name"]


def test_plain_types_and_limits():
    assert FIELDS["word"] == {"type": "string", "enum": ["a", "b"]}
    assert FIELDS["text"] == {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^x", "default": "x"}
    assert FIELDS["count"] == {"type": "integer", "format": "int64", "minimum": 0, "maximum": 9}
    assert FIELDS["inner"]["properties"]["size"] == {"type": "integer", "format": "int32"}
    assert "proxyURL" in FIELDS


def test_lists_maps_and_objects_of_any_shape():
    assert FIELDS["many"]["items"]["required"] == ["name"]
    assert FIELDS["many"]["minItems"] == 1
    assert FIELDS["many"]["x-kubernetes-list-type"] == "atomic"
    assert FIELDS["byName"]["additionalProperties"]["required"] == ["name"]
    assert FIELDS["raw"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert FIELDS["amount"]["x-kubernetes-int-or-string"] and "type" not in FIELDS["amount"]


def test_the_first_paragraph_of_a_docstring_is_the_description():
    assert FIELDS["inner"]["description"] == "What is within."


def test_a_built_in_type_is_spelt_out_with_fields_of_our_own():
    service = FIELDS["service"]
    assert service["properties"]["more"] == {"type": "string"}
    assert service["properties"]["conditions"]["items"]["required"]
    assert "$ref" not in str(service)


def test_conditions_are_stored_by_kubernetes_rules_but_any_can_be_read():
    schema = schema_of(Condition)
    assert schema["required"] == ["type", "status", "reason", "lastTransitionTime"]
    assert msgspec.json.decode(b'{"type":"Ready","status":"?","reason":""}', type=Condition).status == "?"


def test_definitions_are_fresh_documents():
    crd_of(KINDS[0])["spec"]["versions"][0]["schema"].clear()
    assert crd_of(KINDS[0])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert REQUIRED not in str(all_crds())


@pytest.mark.parametrize("target", ["crds", "docs"])
def test_what_is_committed_is_what_the_types_say(target):
    done = subprocess.run(
        [sys.executable, "tools/gen.py", target, "--check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


class Noted(Inner, frozen=True, kw_only=True):
    """More of it.

    size: How big it is,
        all in all.
    inner: What is in it.
    """

    inner: Inner
    plain: str = ""


def test_a_docstring_tells_of_single_fields_too():
    fields = schema_of(Noted)["properties"]
    assert fields["size"]["description"] == "How big it is, all in all."
    assert fields["inner"]["description"] == "What is in it."
    assert "description" not in fields["plain"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
def test_every_note_is_of_a_field_that_exists(kind):
    """A field that is renamed takes its note along."""
    waiting, seen = [kind.struct], set()
    while waiting:
        struct = waiting.pop()
        seen.add(struct)
        assert _notes(struct).keys() <= set(struct.__struct_fields__), struct
        waiting += [inner for inner in _structs(inspect.type_info(struct)) if inner not in seen]


def _structs(kind):
    match kind:
        case inspect.StructType(fields=fields):
            return [inner for one in fields for inner in _named(one.type)]
        case _:
            return []


def _named(kind):
    match kind:
        case inspect.Metadata():
            return _named(kind.type)
        case inspect.UnionType(types=types):
            return [inner for part in types for inner in _named(part)]
        case inspect.ListType(item_type=item) | inspect.DictType(value_type=item):
            return _named(item)
        case inspect.StructType(cls=cls):
            return [cls]
        case _:
            return []
