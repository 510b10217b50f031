"""Label and field selectors (Kubernetes concepts: Labels and Selectors; Field Selectors)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hansa.base.field import shown
from hansa.base.names import label_value, qualified_name

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]


class SelectorError(ValueError):
    """The selector cannot be read. The message is for its author."""


@dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return value is not None and _compares(value, self.operator, self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case "In" if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case "NotIn" if len(self.values) == 1:
                return f"{self.key}!={self.values[0]}"
            case "In" | "NotIn":
                return f"{self.key} {self.operator.lower()} ({','.join(sorted(self.values))})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
            case "Gt":
                return f"{self.key}>{self.values[0]}"
            case "Lt":
                return f"{self.key}<{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Labels:
    """A label selector; with no requirements it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


class Expression(Protocol):
    """The shape of metav1.LabelSelectorRequirement."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def values(self) -> Sequence[str] | None: ...


def labels_of(match_labels: Mapping[str, str] | None, match_expressions: Sequence[Expression] | None = None) -> Labels:
    """The selector of a metav1.LabelSelector. Raises SelectorError."""
    requirements = [Requirement(key, "In", (value,)) for key, value in sorted((match_labels or {}).items())]
    for expression in match_expressions or ():
        requirements.append(_requirement(expression.key, expression.operator, tuple(expression.values or ())))
    for requirement in requirements:
        _check(requirement)
    return Labels(tuple(requirements))


def parse_labels(text: str) -> Labels:
    """`a=b,c in (d,e),!f,g`. Raises SelectorError, in the API server's words."""
    return Labels(tuple(_Parser(text).requirements()))


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    path: str
    equals: bool
    value: str


@dataclass(frozen=True, slots=True)
class Fields:
    """A field selector: equalities and inequalities."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, get: Callable[[str], str]) -> bool:
        """`get` gives the value of a path, empty where the object has none."""
        return all((get(r.path) == r.value) is r.equals for r in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def exact(self, path: str) -> str | None:
        """The value that `path` must have, when the selector says so."""
        return next((r.value for r in self.requirements if r.path == path and r.equals), None)


def parse_fields(text: str) -> Fields:
    """`metadata.name=a,status.phase!=Running`; `\\,`, `\\=` and `\\\\` stand for themselves. Raises SelectorError."""
    requirements: list[FieldRequirement] = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        found = re.search("!=|==|=", part)
        if found is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        value = _unescaped(part[found.end() :])
        requirements.append(FieldRequirement(part[: found.start()], found[0] != "!=", value))
    return Fields(tuple(requirements))


def _unescaped(text: str) -> str:
    for escaped, plain in re.findall(r"(?s)(\\.?)|([,=])", text):
        if plain:
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(plain)}")
        if escaped[1:] not in ("\\", ",", "="):
            raise SelectorError(f"invalid field selector: invalid escape sequence: {escaped}")
    return re.sub(r"\\(.)", r"\1", text)


_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|=|!|,|\(|\)|>|<|[^ \t\r\n=!,()<>]+|$)")
_SYMBOLS = frozenset({"==", "!=", "=", "!", ",", "(", ")", ">", "<", ""})
_OPERATORS: dict[str, Operator] = {
    "in": "In",
    "notin": "NotIn",
    "=": "In",
    "==": "In",
    "!=": "NotIn",
    ">": "Gt",
    "<": "Lt",
}


class _Parser:
    """Reads a label selector from left to right; the empty token is its end."""

    def __init__(self, text: str) -> None:
        self._tokens = [*(token for token in _TOKEN.findall(text) if token), ""]
        self._at = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self._next:
            return found
        if self._next in _SYMBOLS and self._next != "!":
            raise SelectorError(f"found '{self._next}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                requirement = self._requirement()
                _check(requirement)
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from error
            found.append(requirement)
            token = self._take()
            if not token:
                return found
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            if self._next in _SYMBOLS and self._next != "!":
                raise SelectorError(f"found '{self._next}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        absent = self._next == "!"
        if absent:
            self._take()
        key = self._take()
        if key in _SYMBOLS:
            raise SelectorError(f"found '{key}', expected: identifier")
        if absent or self._next in ("", ","):
            return Requirement(key, "DoesNotExist" if absent else "Exists")
        _check(Requirement(key, "Exists"))
        operator = self._take()
        if operator not in _OPERATORS:
            raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._set() if operator in ("in", "notin") else (self._value(),)
        return Requirement(key, _OPERATORS[operator], values)

    def _value(self) -> str:
        if self._next in ("", ","):
            return ""
        value = self._take()
        if value in _SYMBOLS:
            raise SelectorError(f"found '{value}', expected: identifier")
        return value

    def _set(self) -> tuple[str, ...]:
        token = self._take()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        if self._next == ")":
            self._take()
            return ("",)  # as the API server has it
        values: list[str] = []
        while True:
            value = "" if self._next in (",", ")") else self._take()
            if value in _SYMBOLS and value:
                raise SelectorError(f"found '{value}', expected: ',', ')' or identifier")
            values.append(value)
            token = self._take()
            if token == ")":
                return tuple(dict.fromkeys(values))
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or ')'")


def _requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    if operator == "In" or operator == "NotIn":
        return Requirement(key, operator, values)
    if operator == "Exists" or operator == "DoesNotExist":
        if values:
            raise SelectorError(
                f"values: Invalid value: {shown(list(values))}: values set must be empty for exists and does not exist"
            )
        return Requirement(key, operator)
    raise SelectorError(f'"{operator}" is not a valid label selector operator')


def _check(requirement: Requirement) -> None:
    """Raises SelectorError for a key or value that no label can have."""
    faults: list[str] = []
    if key_faults := qualified_name(requirement.key):
        faults.append(f"<nil>: Invalid value: {shown(requirement.key)}: {'; '.join(key_faults)}")
    if requirement.operator in ("In", "NotIn") and not requirement.values:
        faults.append("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
    if requirement.operator in ("Gt", "Lt") and not _is_int(requirement.values[0]):
        value = shown(requirement.values[0])
        faults.append(f"values[0]: Invalid value: {value}: for 'Gt', 'Lt' operators, the value must be an integer")
    for index, value in enumerate(requirement.values):
        if value_faults := label_value(value):
            where = f"values[{index}][{requirement.key}]"
            faults.append(f"{where}: Invalid value: {shown(value)}: {'; '.join(value_faults)}")
    if faults:
        raise SelectorError(faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]")


def _compares(value: str, operator: str, bound: str) -> bool:
    if not _is_int(value):
        return False
    return int(value) > int(bound) if operator == "Gt" else int(value) < int(bound)


def _is_int(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+", text) is not None
