import pytest

from hansa.base.quantity import Quantity, QuantityError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("0Gi", "0"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1000m", "1"),
        ("100m", "100m"),
        ("1500m", "1500m"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("512", "512"),
        ("1000", "1k"),
        ("100000", "100k"),
        ("1024Ki", "1Mi"),
        ("0.1Ki", "102400m"),
        ("0.0005Ki", "512m"),
        ("1e3", "1e3"),
        ("1000e0", "1e3"),
        ("12E", "12E"),
        ("1.500", "1.500"),  # the digits alone decide that a text is kept
        ("+5", "+5"),
        ("-1000m", "-1"),
        ("0.0000000001", "1n"),
        ("1.0000000001", "1000000001n"),
        ("100E", "100E"),
        (".5", "500m"),
        ("-", "0"),
        (".", "0"),
        ("5.", "5."),
    ],
)
def test_amounts_are_written_back_as_the_api_server_does(text, canonical):
    quantity = Quantity.parse(text)
    assert str(quantity) == canonical
    assert Quantity.parse(canonical) == quantity


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must match"),
        ("one", "must match"),
        ("1 Gi", "must match"),
        ("1Gib", "must match"),
        ("--1", "suffix"),
        ("1gi", "must match"),
        ("1i", "suffix"),
        ("1mm", "suffix"),
        ("1e", "suffix"),
        ("1٣", "must match"),
    ],
)
def test_what_is_no_amount(text, message):
    with pytest.raises(QuantityError, match=message):
        Quantity.parse(text)


def test_amounts_compare_and_add_by_value():
    assert Quantity.parse("1Gi") == Quantity.parse("1024Mi") == Quantity.parse("1073741824")
    assert len({Quantity.parse("1"), Quantity.parse("1000m")}) == 1
    assert Quantity.parse("999m") < Quantity.parse("1") <= Quantity.parse("1")
    assert str(Quantity.parse("100m") + Quantity.parse("1")) == "1100m"
    assert str(Quantity.parse("1Gi") - Quantity.parse("512Mi")) == "512Mi"
    assert str(Quantity.parse("0") + Quantity.parse("2Gi")) == "2Gi"
    assert str(Quantity.parse("250m") * 4) == "1"
    assert Quantity.parse("1") != 1


def test_whole_units_and_thousandths_round_away_from_zero():
    assert Quantity.parse("1100m").value == 2
    assert Quantity.parse("-1100m").value == -2
    assert Quantity.parse("1u").milli == 1
    assert Quantity.parse("1Gi").value == 2**30
    assert str(Quantity.of(2048, "binary")) == "2Ki"


def test_binary_amounts_are_capped():
    assert Quantity.parse("100Ei").value == 2**63 - 1
