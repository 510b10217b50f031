"""Reading an object as Kubernetes' Go types do: what is dropped, what always appears, what does not fit.

A kube-apiserver decodes into structs and writes them back: unknown fields and nulls vanish, empty values of fields
marked omitempty vanish, other fields appear with their zero value, quantities and times take their canonical form. All
of it happens here, in place, touching only what changes.

Data: `types` maps a struct to its fields `[name, code, flags, default?]`. Codes: s string, b bool, i int32, l int64,
f float, B bytes, q Quantity, t Time, u MicroTime, d Duration, x int-or-string, j any, `[X` list, `{X` map,
`@name` struct, `*X` pointer. Flags: o omitempty, z omitzero. `named` has the Go names of types that are strings or
numbers, by struct and field; `internal` the internal types that messages print.
"""

from __future__ import annotations

import gzip
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from hansa.api.meta import GVK, Json
from hansa.base.clock import parse_rfc3339, rfc3339, rfc3339_micro
from hansa.base.quantity import Quantity

Convert = Callable[[Any], Any]

_DATA = Path(__file__).with_name("shapes.json.gz")
_PLAIN_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
_PLAIN_QUANTITY = re.compile(r"^(0|[1-9]\d{0,2}(m|k|M|G|T|Ki|Mi|Gi|Ti)?)$")
_GO_TYPES = {"s": "string", "b": "bool", "i": "int32", "l": "int64", "f": "float64", "B": "[]uint8"}


class ShapeError(ValueError):
    """A value does not fit the kind; the text is that of Go's JSON decoder."""


class _Misfit(Exception):
    """On its way up: collects the path, and the struct in which the field stands."""

    def __init__(self, found: str, wanted: str, text: str = "") -> None:
        super().__init__()
        self.found, self.wanted, self.text = found, wanted, text
        self.path: list[str] = []
        self.struct = ""


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "number"
        case float():
            return f"number {value!r}"
        case list():
            return "array"
        case _:
            return "object"


def _string(value: Any) -> Any:
    if type(value) is not str:
        raise _Misfit(_json_type(value), "string")
    return value


def _bool(value: Any) -> Any:
    if type(value) is not bool:
        raise _Misfit(_json_type(value), "bool")
    return value


def _integer(bits: int) -> Convert:
    low, high, name = -(1 << (bits - 1)), (1 << (bits - 1)) - 1, f"int{bits}"

    def convert(value: Any) -> Any:
        if type(value) is int and low <= value <= high:
            return value
        raise _Misfit(f"number {value}" if type(value) is int else _json_type(value), name)

    return convert


def _float(value: Any) -> Any:
    if type(value) not in (int, float):
        raise _Misfit(_json_type(value), "float64")
    return value


def _bytes(value: Any) -> Any:
    if type(value) is not str:
        raise _Misfit(_json_type(value), "[]uint8")
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        raw = a2b_base64(text, strict_mode=True) if text else b""
    except Base64Error:
        raise _Misfit("", "", f"illegal base64 data at input byte {_bad_byte(text)}") from None
    return value if text is value else b2a_base64(raw, newline=False).decode()


def _bad_byte(text: str) -> int:
    found = re.match(r"^[A-Za-z0-9+/]*", text)
    end = found.end() if found else 0
    return end if end < len(text) and text[end] != "=" else max(0, len(text) - len(text) % 4)


def _time(value: Any) -> Any:
    if type(value) is str:
        if _PLAIN_TIME.match(value):
            return value
        try:
            return rfc3339(parse_rfc3339(value))
        except ValueError:
            text = f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
            raise _Misfit("", "", text) from None
    raise _Misfit(_json_type(value), "string")


def _micro_time(value: Any) -> Any:
    if type(value) is not str:
        raise _Misfit(_json_type(value), "string")
    match = _MICRO.match(value)
    bad, wanted = (value, "2006") if match is None else (match["rest"], ".000000")
    if match is not None and match[2]:
        try:
            return rfc3339_micro(parse_rfc3339(value))
        except ValueError:
            bad, wanted = value, "2006"
    text = f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{bad}" as "{wanted}"'
    raise _Misfit("", "", text)


_MICRO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?P<rest>\.\d{6}(Z|[+-]\d\d:\d\d)|.*)$")


@lru_cache(maxsize=4096)
def canonical_quantity(text: str) -> str:
    """A quantity as it is written back, rounded up to thousandths. Raises ValueError."""
    quantity = Quantity.parse(text)
    milli = quantity.milli
    if not text.endswith(("n", "u")):
        return str(quantity)
    return str(Quantity.parse(f"{milli}m"))


def _quantity(value: Any) -> Any:
    if type(value) is str:
        if _PLAIN_QUANTITY.match(value):
            return value
    elif type(value) in (int, float):
        value = repr(value)
    else:
        raise _Misfit(_json_type(value), "string")
    try:
        return canonical_quantity(value)
    except ValueError:
        text = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        raise _Misfit("", "", text) from None


def _int_or_string(value: Any) -> Any:
    if type(value) is str or (type(value) is int and -(1 << 31) <= value < 1 << 31):
        return value
    raise _Misfit(f"number {value}" if type(value) is int else _json_type(value), "int32")


def _anything(value: Any) -> Any:
    return value


_SCALARS: dict[str, Convert] = {
    "s": _string,
    "b": _bool,
    "i": _integer(32),
    "l": _integer(64),
    "f": _float,
    "B": _bytes,
    "q": _quantity,
    "t": _time,
    "u": _micro_time,
    "d": _string,
    "x": _int_or_string,
    "j": _anything,
}
_ZEROS: dict[str, Any] = {"s": "", "b": False, "i": 0, "l": 0, "f": 0, "q": "0", "x": 0, "d": "0s"}


class _Struct:
    """A compiled struct. `__call__` converts one JSON object in place and returns it."""

    __slots__ = ("always", "compiled", "defaults", "fields", "go_name", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.go_name = name.rpartition(".")[2]
        self.fields: dict[str, tuple[Convert, bool]] = {}
        self.always: tuple[tuple[str, str], ...] = ()
        self.defaults: tuple[tuple[str, Any], ...] = ()
        self.compiled = False

    def compile(self, fields: list[list[Any]]) -> None:
        always: list[tuple[str, str]] = []
        defaults: list[tuple[str, Any]] = []
        for name, code, flags, *default in fields:
            pointer = code.startswith("*")
            droppable = not pointer and code not in "xqjtu"
            if not flags:
                droppable = code[0] in "[{"  # stored empty lists and maps come back as null
            elif code.startswith("@"):
                droppable = "z" in flags
            self.fields[name] = (_converter(code.lstrip("*")), droppable)
            if not flags or ("z" not in flags and (code.startswith("@") or code in "xqtu")):
                always.append((name, code))
            if default and (default[0] or pointer):
                defaults.append((name, default[0]))
        self.always, self.defaults = tuple(always), tuple(defaults)
        self.compiled = True

    def __call__(self, value: Any) -> Any:
        if type(value) is not dict:
            raise _Misfit(_json_type(value), f"v1.{self.go_name}")
        fields = self.fields
        gone: list[str] | None = None
        for key, item in value.items():
            field = fields.get(key)
            if field is None or item is None:
                gone = [*gone, key] if gone else [key]
                continue
            convert, droppable = field
            try:
                new = convert(item)
            except _Misfit as misfit:
                misfit.path.append(key)
                if not misfit.struct:
                    misfit.struct = self.go_name
                    misfit.wanted = name_of_scalar(self.name, key) or misfit.wanted
                raise
            if droppable and not new:
                gone = [*gone, key] if gone else [key]
            elif new is not item:
                value[key] = new
        if gone:
            for key in gone:
                del value[key]
        for name, default in self.defaults:
            if name not in value:
                value[name] = default
        for name, code in self.always:
            if name not in value:
                value[name] = _zero(code)
        return value


@cache
def _data() -> Json:
    return msgspec.json.decode(gzip.decompress(_DATA.read_bytes()), type=dict[str, Any])


_structs: dict[str, _Struct] = {}


def _struct(name: str) -> _Struct:
    found = _structs.get(name)
    if found is None:
        found = _structs[name] = _Struct(name)
        found.compile(_data()["types"][name])
    return found


@cache
def _converter(code: str) -> Convert:
    head = code[0]
    if head == "@":
        return _struct(code[1:])
    if head == "[":
        return _list_of(code[1:])
    if head == "{":
        return _map_of(code[1:])
    return _SCALARS[head]


def _list_of(code: str) -> Convert:
    convert = _converter(code.lstrip("*"))

    def convert_list(value: Any) -> Any:
        if type(value) is not list:
            raise _Misfit(_json_type(value), f"[]{_go_type(code)}")
        for index, item in enumerate(value):
            new = convert(item) if item is not None else _zero(code)
            if new is not item:
                value[index] = new
        return value

    return convert_list


def _map_of(code: str) -> Convert:
    convert = _converter(code.lstrip("*"))

    def convert_map(value: Any) -> Any:
        if type(value) is not dict:
            raise _Misfit(_json_type(value), f"map[string]{_go_type(code)}")
        for key, item in value.items():
            if item is None:
                value[key] = _zero(code)
                continue
            new = convert(item)
            if new is not item:
                value[key] = new
        return value

    return convert_map


def _go_type(code: str) -> str:
    return f"v1.{code.rpartition('.')[2]}" if code.startswith("@") else _GO_TYPES.get(code, "string")


def _zero(code: str) -> Any:
    if code.startswith("@"):
        return _struct(code[1:])({})
    return _ZEROS.get(code)


def shaper(gvk: GVK) -> Callable[[Json], None] | None:
    """The function that reads objects of a built-in kind in place; None for kinds without Go types at hand.

    It raises ShapeError where a value has the wrong type, with the text of the real decoder.
    """
    name = type_of(gvk)
    if name is None:
        return None
    struct = _struct(name)

    def shape(obj: Json) -> None:
        try:
            struct(obj)
        except _Misfit as misfit:
            raise ShapeError(_describe(misfit)) from None

    return shape


def shape_value(code: str, value: Any) -> Any:
    """One value, as its code says. Raises ShapeError, whose text names no field."""
    try:
        return _converter(code)(value)
    except _Misfit as misfit:
        text = misfit.text or f"json: cannot unmarshal {misfit.found} into Go value of type {misfit.wanted}"
        raise ShapeError(text) from None


def _describe(misfit: _Misfit) -> str:
    if misfit.text:
        return misfit.text
    path = ".".join(reversed(misfit.path))
    found = misfit.found
    return f"json: cannot unmarshal {found} into Go struct field {misfit.struct}.{path} of type {misfit.wanted}"


def internal_fields(type_name: str) -> list[list[str]]:
    """Of an internal type: `[Go name, name in JSON, code]`; without a Go name its fields stand among the others."""
    return _data()["internal"][type_name]


def type_of(gvk: GVK) -> str | None:
    """The name of its Go type here; None for kinds without Go types at hand."""
    return _data()["kinds"].get(f"{gvk.api_version}/{gvk.kind}")


def fields_of(type_name: str) -> list[list[Any]]:
    """`[name, code, flags, default?]`, in the order of the Go type."""
    return _data()["types"][type_name]


def name_of_scalar(type_name: str, field: str) -> str | None:
    """The Go name of the field's type where that is a named string or number."""
    return _data()["named"].get(type_name, {}).get(field)


def in_order(value: Any, type_name: str) -> Any:
    """A value with its fields in the order of its Go type, as error messages print it."""
    if isinstance(value, list):
        return [in_order(item, type_name) for item in value]
    if not isinstance(value, dict):
        return value
    result: Json = {}
    for name, code, *_ in fields_of(type_name):
        if name in value:
            inner = code.lstrip("*[{")
            result[name] = in_order(value[name], inner[1:]) if inner.startswith("@") else value[name]
    return result


def internal(value: Json | None, fields: tuple[str, ...]) -> Json:
    """A value as Kubernetes' internal types print: every field, with a capital letter, null where there is none."""
    return {f"{field[0].upper()}{field[1:]}": (value or {}).get(field) for field in fields}
