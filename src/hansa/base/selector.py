"""Label and field selectors (Kubernetes concepts: Labels and Selectors; Field Selectors)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

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


_TOKEN = re.compile(r"\s*(?:(?P<op>==|!=|=|!|,|\(|\)|>|<)|(?P<word>[^\s=!,()<>]+))")


def parse_labels(text: str) -> Labels:
    """`a=b,c in (d,e),!f,g`. Raises SelectorError."""
    tokens = _tokens(text)
    requirements: list[Requirement] = []
    while tokens:
        requirements.append(_parse_requirement(tokens, text))
        if tokens and tokens.pop(0) != ",":
            raise SelectorError(f"unable to parse requirement: expected ',' in {text!r}")
    for requirement in requirements:
        _check(requirement)
    return Labels(tuple(requirements))


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


_FIELD = re.compile(r"^(?P<path>[^=!]+?)\s*(?P<op>==|!=|=)(?P<value>.*)$", re.S)


def parse_fields(text: str) -> Fields:
    """`metadata.name=a,status.phase!=Running`; `\\,`, `\\=` and `\\\\` stand for themselves. Raises SelectorError."""
    requirements: list[FieldRequirement] = []
    for part in re.split(r"(?<!\\),", text):
        if not part.strip():
            continue
        found = _FIELD.match(part.strip())
        if found is None:
            raise SelectorError(f"invalid field selector {part!r}: wanted path=value, path==value or path!=value")
        value = re.sub(r"\\([\\,=])", r"\1", found["value"])
        requirements.append(FieldRequirement(found["path"].strip(), found["op"] != "!=", value))
    return Fields(tuple(requirements))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        found = _TOKEN.match(stripped, position)
        if found is None:
            raise SelectorError(f"unable to parse requirement: found {stripped[position:]!r}")
        tokens.append(found["op"] or found["word"])
        position = found.end()
    return tokens


def _parse_requirement(tokens: list[str], text: str) -> Requirement:
    first = tokens.pop(0)
    if first == "!":
        if not tokens:
            raise SelectorError(f"unable to parse requirement: expected a key after '!' in {text!r}")
        return Requirement(tokens.pop(0), "DoesNotExist")
    if _is_operator(first):
        raise SelectorError(f"unable to parse requirement: found {first!r}, expected: !, identifier")
    if not tokens or tokens[0] == ",":
        return Requirement(first, "Exists")
    operator = tokens.pop(0)
    if operator in ("=", "==", "!=", ">", "<"):
        value = tokens.pop(0) if tokens and not _is_operator(tokens[0]) else ""
        kinds: dict[str, Operator] = {"!=": "NotIn", ">": "Gt", "<": "Lt"}
        return Requirement(first, kinds.get(operator, "In"), (value,))
    if operator in ("in", "notin"):
        return Requirement(first, "In" if operator == "in" else "NotIn", _parse_set(tokens, text))
    raise SelectorError(f"unable to parse requirement: found {operator!r}, expected: in, notin, =, ==, !=, gt, lt")


def _parse_set(tokens: list[str], text: str) -> tuple[str, ...]:
    if not tokens or tokens.pop(0) != "(":
        raise SelectorError(f"unable to parse requirement: expected '(' in {text!r}")
    values: list[str] = []
    expect_value = True
    while tokens:
        token = tokens.pop(0)
        if token == ")":
            if expect_value:
                values.append("")
            return tuple(values)
        if token == ",":
            if expect_value:
                values.append("")
            expect_value = True
        elif _is_operator(token):
            break
        else:
            values.append(token)
            expect_value = False
    raise SelectorError(f"unable to parse requirement: expected ')' in {text!r}")


def _is_operator(token: str) -> bool:
    return token in {"==", "!=", "=", "!", ",", "(", ")", ">", "<"}


def _requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    if operator == "In" or operator == "NotIn":
        if not values:
            raise SelectorError(f"for 'in', 'notin' operators, values set can't be empty (key {key!r})")
        return Requirement(key, operator, values)
    if operator == "Exists" or operator == "DoesNotExist":
        if values:
            raise SelectorError(f"values set must be empty for exists and does not exist (key {key!r})")
        return Requirement(key, operator)
    raise SelectorError(f'"{operator}" is not a valid label selector operator')


def _check(requirement: Requirement) -> None:
    faults = qualified_name(requirement.key)
    for value in requirement.values:
        faults += label_value(value)
    if requirement.operator in ("Gt", "Lt") and not _is_int(requirement.values[0]):
        faults.append("for 'Gt', 'Lt' operators, the value must be an integer")
    if faults:
        raise SelectorError(f"unable to parse requirement: {requirement.key}: {'; '.join(faults)}")


def _compares(value: str, operator: str, bound: str) -> bool:
    if not _is_int(value):
        return False
    return int(value) > int(bound) if operator == "Gt" else int(value) < int(bound)


def _is_int(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None
