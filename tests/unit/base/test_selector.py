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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (we b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"),
        ("app=a=b", "found '=', expected: ',' or 'end of string'"),
        ("app=web,", "found '', expected: identifier after ','"),
        ("(app)", "found '(', expected: !, identifier, or 'end of string'"),
        ("app>=5", "unable to parse requirement: found '=', expected: identifier"),
        ("/y=1", 'unable to parse requirement: <nil>: Invalid value: "/y": prefix part must be non-empty'),
        (
            "n>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be"
            " an integer",
        ),
    ],
)
def test_faults_of_label_selectors_are_the_api_servers(text, message):
    with pytest.raises(SelectorError) as caught:
        parse_labels(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=\b", r"invalid field selector: invalid escape sequence: \b"),
    ],
)
def test_faults_of_field_selectors_are_the_api_servers(text, message):
    with pytest.raises(SelectorError) as caught:
        parse_fields(text)
    assert str(caught.value) == message


def test_an_empty_set_holds_the_empty_value():
    assert parse_labels("app in ()").matches({"app": ""})
    assert not parse_labels("app in ()").matches({})
