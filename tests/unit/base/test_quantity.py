import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.base.quantity import Quantity, QuantityError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("100m", "100m"),
        ("0.1", "100m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Mi", "512Ki"),
        ("1Ki", "1Ki"),
        ("1000Ki", "1000Ki"),
        ("1000k", "1M"),
        ("1e3", "1e3"),
        ("1E", "1E"),
        ("12e6", "12e6"),
        ("-5", "-5"),
        ("+5", "5"),
        (".5", "500m"),
        ("5.", "5"),
        ("0.0000000001", "1n"),
    ],
)
def test_canonical_forms(text, canonical):
    assert str(Quantity.parse(text)) == canonical


@pytest.mark.parametrize("text", ["", "x", "1x", "1 ", "1.2.3", "Mi", "1mi", "0x1", "1e", "--1"])
def test_what_is_no_quantity(text):
    with pytest.raises(QuantityError):
        Quantity.parse(text)


def test_rounding_is_up():
    assert Quantity.parse("1100m").value == 2
    assert Quantity.parse("100u").milli == 1


@given(st.integers(0, 10**15), st.sampled_from(["m", "", "k", "M", "Ki", "Mi"]))
def test_the_canonical_form_is_the_same_number(number, suffix):
    quantity = Quantity.parse(f"{number}{suffix}")
    assert Quantity.parse(str(quantity)) == quantity
    assert str(Quantity.parse(str(quantity))) == str(quantity)
