"""References to container images, and changing a part of one as Karmada's image overrider does.

The grammar is `[registry/]repository[:tag][@digest]`, that of the container distribution project.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Component = Literal["Registry", "Repository", "Tag"]
Operator = Literal["add", "replace", "remove"]

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_WORD}(?:/{_WORD})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII)
_LONGEST_NAME = 255


class ImageError(ValueError):
    """Not a reference to an image."""

    def __init__(self, text: str, cause: str) -> None:
        super().__init__(f"failed to parse image value({text}), error: {cause}")


@dataclass(frozen=True, slots=True)
class Image:
    """The parts of a reference; absent ones are empty. With both tag and digest only the tag is written back."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Image:
        """Raises ImageError."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise ImageError(text, _cause(text))
        first, slash, rest = found["name"].partition("/")
        is_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
        registry, repository = (first, rest) if is_registry else ("", found["name"])
        if len(found["name"]) > _LONGEST_NAME:
            raise ImageError(text, f"repository name must not be more than {_LONGEST_NAME} characters")
        if not is_registry and not re.fullmatch(rf"{_WORD}(?:/{_WORD})*", repository):
            raise ImageError(text, _cause(text))
        return cls(registry, repository, found["tag"] or "", found["digest"] or "")

    def __str__(self) -> str:
        end = f":{self.tag}" if self.tag else f"@{self.digest}" if self.digest else ""
        return (f"{self.registry}/" if self.registry else "") + self.repository + end

    def with_version(self, version: str) -> Image:
        """A tag or a digest in place of the one there was; anything else changes nothing."""
        if _TAG.fullmatch(version):
            return replace(self, tag=version, digest="")
        if _DIGEST.fullmatch(version):
            return replace(self, tag="", digest=version)
        return self

    def without_version(self) -> Image:
        """Less the tag, or less the digest where there is no tag."""
        return replace(self, tag="") if self.tag else replace(self, digest="")


def override(text: str, component: Component, operator: Operator, value: str = "") -> str:
    """`text` with one component extended (`add`), replaced or removed. Raises ImageError."""
    image = Image.parse(text)
    match component:
        case "Registry":
            return str(replace(image, registry=_changed(image.registry, operator, value)))
        case "Repository":
            return str(replace(image, repository=_changed(image.repository, operator, value)))
        case "Tag":
            if operator == "remove":
                return str(image.without_version())
            return str(image.with_version(_changed(image.tag or image.digest, operator, value)))


def _changed(old: str, operator: Operator, value: str) -> str:
    match operator:
        case "add":
            return old + value
        case "replace":
            return value
        case "remove":
            return ""


def _cause(text: str) -> str:
    if not text:
        return "repository name must have at least one component"
    if text != text.lower() and _REFERENCE.fullmatch(text.lower()):
        return "repository name must be lowercase"
    return "invalid reference format"
