import pytest

from hansa.base.image import Image, ImageError, override

SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("", "nginx", "", "")),
        ("library/nginx:1.19", ("", "library/nginx", "1.19", "")),
        ("docker.io/library/nginx:1.19", ("docker.io", "library/nginx", "1.19", "")),
        ("localhost/a", ("localhost", "a", "", "")),
        ("reg:5000/a/b@" + SHA, ("reg:5000", "a/b", "", SHA)),
        (f"gcr.io/a:v1@{SHA}", ("gcr.io", "a", "v1", SHA)),
        ("imagename:v1.0", ("", "imagename", "v1.0", "")),
        ("[2001:db8::1]:5000/a", ("[2001:db8::1]:5000", "a", "", "")),
    ],
)
def test_parts_of_a_reference(text, parts):
    image = Image.parse(text)
    assert (image.registry, image.repository, image.tag, image.digest) == parts


@pytest.mark.parametrize("text", ["", "Nginx", "a//b", "a:", ":tag", "a@sha256:12", "a b", "-a", "Reg/a", "a\n"])
def test_what_is_no_image(text):
    with pytest.raises(ImageError, match="failed to parse image value"):
        Image.parse(text)


@pytest.mark.parametrize(
    ("text", "component", "operator", "value", "expected"),
    [
        ("a.io/b:1", "Registry", "add", ".cn", "a.io.cn/b:1"),
        ("b:1", "Registry", "add", "a.io", "a.io/b:1"),
        ("a.io/b:1", "Registry", "replace", "c.io", "c.io/b:1"),
        ("a.io/b:1", "Registry", "remove", "", "b:1"),
        (f"a.io/b@{SHA}", "Repository", "add", "/c", f"a.io/b/c@{SHA}"),
        ("a.io/b:1", "Repository", "replace", "x/y", "a.io/x/y:1"),
        ("a.io/b:1", "Repository", "remove", "", "a.io/:1"),
        ("b:1", "Tag", "add", "-debug", "b:1-debug"),
        ("b", "Tag", "add", "1", "b:1"),
        ("b", "Tag", "replace", SHA, f"b@{SHA}"),
        (f"b@{SHA}", "Tag", "replace", "1", "b:1"),
        ("b:1", "Tag", "replace", "not a tag", "b:1"),
        ("b:1", "Tag", "remove", "", "b"),
        (f"b@{SHA}", "Tag", "remove", "", "b"),
        (f"b:1@{SHA}", "Tag", "remove", "", f"b@{SHA}"),
        (f"b:1@{SHA}", "Registry", "replace", "c.io", "c.io/b:1"),  # a digest beside a tag is lost
    ],
)
def test_overrides(text, component, operator, value, expected):
    assert override(text, component, operator, value) == expected
