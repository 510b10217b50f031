"""JSON paths as kubectl and the printer columns of custom resources use them.

Fields (`.spec.replicas`, `['a.b']`, `.metadata.annotations.a\\.b/c`), list elements, slices and unions (`[0]`, `[-1]`,
`[1:3]`, `[0,2]`), wildcards, `..name`, and filters (`[?(@.type=="Ready")]`). A path may stand in braces and begin with
`$`, a dot, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]


class JsonPathError(ValueError):
    """The path cannot be read."""


def find(path: str, obj: Any) -> list[Any]:
    """All values at `path`, in the order of the document; none where it leads nowhere. Raises JsonPathError."""
    found = [obj]
    for step in compile_path(path):
        found = [value for node in found for value in step(node)]
    return found


@lru_cache(maxsize=1024)
def compile_path(path: str) -> tuple[Step, ...]:
    """The steps of a path, each from a value to the values it leads to. Raises JsonPathError."""
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    return tuple(_Reader(text.removeprefix("$").removeprefix("@"), path).steps())


_NAME = re.compile(r"(?:\\.|[^.\[\]\\\s()=!<>|&,{}\"'])+")
_SUBSCRIPT = re.compile(
    r"\s*(?:(?P<quoted>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")|(?P<star>\*)"
    r"|(?P<slice>(?P<start>-?\d+)?\s*:\s*(?P<stop>-?\d+)?(?:\s*:\s*(?P<step>-?\d+)?)?)|(?P<index>-?\d+))\s*"
)
_LITERAL = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|nil")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*")


class _Reader:
    """Reads one path from left to right."""

    def __init__(self, text: str, whole: str) -> None:
        self.text = text
        self.whole = whole
        self.at = 0

    def steps(self) -> Iterator[Step]:
        while self.at < len(self.text):
            yield self._step()

    def _step(self) -> Step:
        if self.text.startswith("..", self.at):
            self.at += 2
            return _descend(self._name()) if self._next() != "[" else _descend_any
        if self._next() == ".":
            self.at += 1
            if self._next() == "[":
                return self._subscript()
        if self._next() == "*":
            self.at += 1
            return _every
        if self._next() == "[":
            return self._subscript()
        return _field(self._name())

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _name(self) -> str:
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise self._error("expected a field name")
        self.at = found.end()
        return re.sub(r"\\(.)", r"\1", found[0])

    def _subscript(self) -> Step:
        self.at += 1
        if self.text.startswith("?(", self.at):
            self.at += 2
            step = self._filter()
            self._expect(")")
            self._expect("]")
            return step
        choices = [self._choice()]
        while self._next() == ",":
            self.at += 1
            choices.append(self._choice())
        self._expect("]")
        return choices[0] if len(choices) == 1 else _union(tuple(choices))

    def _choice(self) -> Step:
        found = _SUBSCRIPT.match(self.text, self.at)
        if found is None:
            raise self._error("expected an index, a slice, a quoted name or *")
        self.at = found.end()
        if found["quoted"]:
            return _field(_unquote(found["quoted"]))
        if found["star"]:
            return _every
        if found["slice"]:
            start, stop, step = (int(found[part]) if found[part] else None for part in ("start", "stop", "step"))
            if step is not None and step <= 0:
                raise self._error("the step of a slice must be positive")
            return _slice(slice(start, stop, step))
        return _element(int(found["index"]))

    def _filter(self) -> Step:
        left = self._operand()
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            return _where(lambda node: bool(left(node)))
        self.at = operator.end()
        right = self._operand()
        compare = operator[1]
        return _where(lambda node: _compare(left(node), compare, right(node)))

    def _operand(self) -> Callable[[Any], list[Any]]:
        while self._next() == " ":
            self.at += 1
        literal = _LITERAL.match(self.text, self.at)
        if literal is not None:
            self.at = literal.end()
            value = _literal(literal[0])
            return lambda node: [value]
        if self._next() not in ("@", "$", "."):
            raise self._error("expected @, a text or a number")
        self.at += self._next() != "."
        steps: list[Step] = []
        while self._next() in (".", "["):
            steps.append(self._step())

        def walk(node: Any) -> list[Any]:
            found = [node]
            for step in steps:
                found = [value for inner in found for value in step(inner)]
            return found

        return walk

    def _expect(self, character: str) -> None:
        while self._next() == " ":
            self.at += 1
        if self._next() != character:
            raise self._error(f"expected {character!r}")
        self.at += 1

    def _error(self, cause: str) -> JsonPathError:
        return JsonPathError(f"JSON path {self.whole!r}: {cause} at {self.text[self.at :]!r}")


def _field(name: str) -> Step:
    def step(node: Any) -> Iterator[Any]:
        if isinstance(node, dict) and name in node:
            yield node[name]

    return step


def _element(index: int) -> Step:
    def step(node: Any) -> Iterator[Any]:
        if isinstance(node, list) and -len(node) <= index < len(node):
            yield node[index]

    return step


def _slice(part: slice) -> Step:
    def step(node: Any) -> Iterator[Any]:
        if isinstance(node, list):
            yield from node[part]

    return step


def _union(choices: tuple[Step, ...]) -> Step:
    return lambda node: (value for choice in choices for value in choice(node))


def _every(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def _descend(name: str) -> Step:
    own = _every if name == "*" else _field(name)
    return lambda node: (value for inner in _descend_any(node) for value in own(inner))


def _descend_any(node: Any) -> Iterator[Any]:
    yield node
    for inner in _every(node):
        yield from _descend_any(inner)


def _where(test: Callable[[Any], bool]) -> Step:
    return lambda node: (value for value in _every(node) if test(value)) if isinstance(node, list | dict) else iter(())


def _compare(left: list[Any], operator: str, right: list[Any]) -> bool:
    """Filters compare single values of one type; an absent side makes every comparison false."""
    if len(left) != 1 or len(right) != 1:
        return False
    a, b = left[0], right[0]
    if operator in ("==", "!="):
        return (a == b and isinstance(a, bool) == isinstance(b, bool)) is (operator == "==")
    both_text = isinstance(a, str) and isinstance(b, str)
    if not both_text and not (_is_number(a) and _is_number(b)):
        return False
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return _unquote(text)
    named: dict[str, Any] = {"true": True, "false": False, "null": None, "nil": None}
    return named[text] if text in named else float(text) if re.search(r"[.eE]", text) else int(text)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
