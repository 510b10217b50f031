import pytest

from hansa.base.selector import SelectorError, parse_fields, parse_labels

OBJECT = {"app": "web", "tier": "front", "size": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web,db)", True),
        ("app notin (web)", False),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("size>4", True),
        ("size<4", False),
        ("app=", False),
        ("app in (web), !missing , tier", True),
    ],
)
def test_label_selectors(text, matches):
    assert parse_labels(text).matches(OBJECT) is matches


@pytest.mark.parametrize("text", ["app=web tier=x", "in (a)", "a in a", "a in (b", "=x", "a=b=c", "!", "a!b", "-a=b"])
def test_unreadable_label_selectors(text):
    with pytest.raises(SelectorError):
        parse_labels(text)


def test_a_selector_prints_what_it_parses():
    text = "app=web,tier in (back,front),!x,y"
    assert str(parse_labels(text)) == text
    assert parse_labels(str(parse_labels(text))) == parse_labels(text)


def test_field_selectors():
    fields = parse_fields(r"metadata.name=a\,b,status.phase!=Running")
    assert fields.exact("metadata.name") == "a,b"
    assert fields.matches({"metadata.name": "a,b", "status.phase": "Pending"}.get)
    assert not fields.matches({"metadata.name": "a,b", "status.phase": "Running"}.get)
    with pytest.raises(SelectorError):
        parse_fields("metadata.name")
