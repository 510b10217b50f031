"""Quantities (Kubernetes API: resource.Quantity): exact numbers with a suffix.

Three families: decimal SI (n u m k M G T P E), binary SI (Ki Mi Gi Ti Pi Ei) and decimal exponents (1e3). Arithmetic is
exact; what is finer than a nano is rounded up, as the API does.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache, total_ordering
from typing import Literal

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_FORM = re.compile(r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<suffix>[A-Za-z]{0,2}|[eE][+-]?\d+)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_BINARY_NAMES = {power: name for name, power in _BINARY.items()} | {0: ""}
_NANO = Fraction(1, 10**9)
MAX = 2**63 - 1


class QuantityError(ValueError):
    """The text is not a quantity. The words are those of the Kubernetes API."""

    def __init__(self) -> None:
        super().__init__("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")


@total_ordering
class Quantity:
    """An exact number and the family in which it is written. Immutable."""

    __slots__ = ("amount", "format")

    def __init__(self, amount: int | Fraction = 0, format: Format = "DecimalSI") -> None:
        self.amount = Fraction(amount)
        self.format: Format = format

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """Raises QuantityError."""
        return _parse(str(text))

    @property
    def value(self) -> int:
        """Rounded up to a whole number."""
        return _ceiling(self.amount)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up."""
        return _ceiling(self.amount * 1000)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.amount + other.amount, self.format if self.amount else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.amount - other.amount, self.format if self.amount else other.format)

    def __mul__(self, times: int) -> Quantity:
        return Quantity(self.amount * times, self.format)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.amount == other.amount

    def __lt__(self, other: Quantity) -> bool:
        return self.amount < other.amount

    def __hash__(self) -> int:
        return hash(self.amount)

    def __str__(self) -> str:
        """The canonical form: no fraction, the largest suffix that loses nothing."""
        amount = self.amount
        if amount == 0:
            return "0"
        if self.format == "BinarySI" and amount.denominator == 1 and abs(amount) >= 1024:
            return _binary(amount.numerator)
        return _decimal(amount, exponent=self.format == "DecimalExponent")

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"


@lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    found = _FORM.fullmatch(text)
    if found is None:
        raise QuantityError
    number = Fraction(found["number"] if not found["number"].endswith(".") else found["number"] + "0")
    suffix = found["suffix"]
    format: Format = "DecimalSI"
    if suffix in _BINARY:
        number *= 2 ** _BINARY[suffix]
        format = "BinarySI"
    elif suffix in _DECIMAL:
        number *= Fraction(10) ** _DECIMAL[suffix]
    elif re.fullmatch(r"[eE][+-]?\d+", suffix):
        power = int(suffix[1:])
        if abs(power) > 400:
            raise QuantityError
        number *= Fraction(10) ** power
        format = "DecimalExponent"
    else:
        raise QuantityError
    if number % _NANO:
        number = _ceiling(number / _NANO) * _NANO
    if number > MAX:
        number = Fraction(MAX)
    return Quantity(-number if found["sign"] == "-" else number, format)


def _binary(amount: int) -> str:
    power = 0
    while power < 60 and amount % 1024 == 0:
        amount //= 1024
        power += 10
    return f"{amount}{_BINARY_NAMES[power]}"


def _decimal(amount: Fraction, *, exponent: bool) -> str:
    power = 0
    while amount.denominator != 1:
        amount *= 1000
        power -= 3
    whole = amount.numerator
    while power < 18 and whole % 1000 == 0:
        whole //= 1000
        power += 3
    if exponent:
        return f"{whole}e{power}" if power else str(whole)
    return f"{whole}{_DECIMAL_NAMES[power]}"


def _ceiling(number: Fraction) -> int:
    return -((-number.numerator) // number.denominator)
