"""Amounts of resources: `500m`, `1Gi`, `2e3` (Kubernetes API: resource.Quantity).

An amount is an exact count of billionths; what is finer is rounded away from zero, as the API does.
"""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Literal

Notation = Literal["decimal", "binary", "exponent"]

_NANO = 10**9
_LARGEST_BINARY = (2**63 - 1) * _NANO
_GRAMMAR = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?P<suffix>[eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY_SUFFIX = {power: suffix for suffix, power in _BINARY.items()}

_FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_SUFFIX_WRONG = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """Not a quantity. The message is the API server's."""


@total_ordering
class Quantity:
    """One amount. Immutable; equal amounts are equal however they are written."""

    __slots__ = ("_text", "nano", "notation")

    def __init__(self, nano: int, notation: Notation = "decimal", text: str = "") -> None:
        self.nano = nano
        self.notation: Notation = notation
        self._text = text

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """Read a text, or a JSON number. Raises QuantityError."""
        text = str(text)
        found = _GRAMMAR.fullmatch(text)
        if found is None or not text:
            raise QuantityError(_FORMAT_WRONG)
        whole, part, suffix = found["whole"], found["part"] or "", found["suffix"]
        base, power, notation = _suffix(suffix)
        digits = int(whole + part or "0")  # a bare sign or point is zero to the API server
        if notation == "binary":
            nano = _divide_up(digits * 2**power * _NANO, 10 ** len(part))
        else:
            shift = power - len(part) + 9
            nano = digits * 10**shift if shift >= 0 else _divide_up(digits, 10**-shift)
        kept = text if _is_canonical(whole, part, base, power) else ""
        if notation == "binary":
            nano = min(nano, _LARGEST_BINARY)
            if 0 < nano < _NANO:
                notation = "decimal"
        return cls(-nano if found["sign"] == "-" else nano, notation, kept)

    @classmethod
    def of(cls, value: int, notation: Notation = "decimal") -> Quantity:
        """A whole number of units."""
        return cls(value * _NANO, notation)

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero."""
        return _round(self.nano, _NANO)

    @property
    def milli(self) -> int:
        """Thousandths, rounded away from zero."""
        return _round(self.nano, 10**6)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __bool__(self) -> bool:
        return self.nano != 0

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano + other.nano, self.notation if self.nano else other.notation)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano - other.nano, self.notation if self.nano else other.notation)

    def __mul__(self, count: int) -> Quantity:
        return Quantity(self.nano * count, self.notation)

    def __neg__(self) -> Quantity:
        return Quantity(-self.nano, self.notation)

    def __str__(self) -> str:
        """The form in which the API server writes it back: no fraction, the largest suffix that is exact."""
        return self._text or self._canonical()

    def __repr__(self) -> str:
        return f"Quantity({self})"

    def _canonical(self) -> str:
        if self.nano == 0:
            return "0"
        units, rest = divmod(abs(self.nano), _NANO)
        sign = "-" if self.nano < 0 else ""
        if self.notation == "binary" and units >= 1024 and not rest:
            power = 0
            while units % 1024 == 0 and power < 60:
                units, power = units // 1024, power + 10
            return f"{sign}{units}{_BINARY_SUFFIX.get(power, '')}"
        amount, power = abs(self.nano), -9
        while amount % 1000 == 0 and (power < 18 or self.notation == "exponent"):
            amount, power = amount // 1000, power + 3
        if self.notation == "exponent":
            return f"{sign}{amount}e{power}" if power else f"{sign}{amount}"
        return f"{sign}{amount}{_DECIMAL_SUFFIX[power]}"


def _suffix(suffix: str) -> tuple[Literal[2, 10], int, Notation]:
    """Base, power and notation that a suffix stands for."""
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], "decimal"
    if suffix in _BINARY:
        return 2, _BINARY[suffix], "binary"
    if suffix[0] in "eE" and re.fullmatch(r"[+-]?[0-9]+", suffix[1:]):
        return 10, int(suffix[1:]), "exponent"
    raise QuantityError(_SUFFIX_WRONG)


def _is_canonical(whole: str, part: str, base: int, power: int) -> bool:
    """Whether the API server keeps the text as it was given.

    It looks at the digits only, so that `1.500` and `+5` stay as they are although `1500m` and `5` are shorter.
    """
    digits = whole.lstrip("0") + part
    if base == 2:
        room = 15 - len(whole.lstrip("0")) - int(power * 3 / 10) - 1
        return not part and room >= 0 and bool(int(digits or "0") & 7)
    scale = power - len(part)
    if len(digits) > 18 or scale < -9 or scale % 3 or digits.endswith("000"):
        return False
    return digits != "" and digits[0] != "0"


def _divide_up(amount: int, by: int) -> int:
    return -(-amount // by)


def _round(amount: int, by: int) -> int:
    return _divide_up(amount, by) if amount >= 0 else -_divide_up(-amount, by)
