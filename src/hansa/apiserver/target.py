"""What a request is about: the verb, resource, name and options that its method, path and query spell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hansa.apiserver import faults
from hansa.apiserver.message import Request

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "GET": "get", "HEAD": "get", "DELETE": "delete"}
# beneath /namespaces/NAME these are the namespace's own subresources, not resources in it
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


class Query:
    """Query parameters; the first of repeated ones counts."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        return self.get(name) in ("1", "true", "True", "t", "T", "TRUE")

    def number(self, name: str) -> int | None:
        """A whole number. Raises BadRequest."""
        text = self.get(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise faults.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error

    @property
    def dry_run(self) -> bool:
        """Raises BadRequest for anything but All."""
        values = [value for value in self.all("dryRun") if value]
        if any(value != "All" for value in values):
            raise faults.bad_request(f'dryRun: Unsupported value: "{values[0]}": supported values: "All"')
        return bool(values)


@dataclass(frozen=True, slots=True)
class Target:
    """`verb` is the API verb, also `list`, `watch`, `deletecollection`. Without a version it is about no resource."""

    verb: str
    path: str
    query: Query
    group: str = ""
    version: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def is_resource(self) -> bool:
        return bool(self.plural)


def target_of(request: Request) -> Target:
    """Read a request line. Paths of no resource keep the HTTP method as their verb."""
    query = Query(request.query)
    parts = [part for part in request.path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(request.method.lower(), request.path, query)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    plural, name = rest[0], rest[1] if len(rest) > 1 else ""
    subresource = "/".join(rest[2:])
    if plural == "namespaces" and not group and name:
        namespace = name
    verb = _VERBS.get(request.method, request.method.lower())
    if not name:
        if verb == "get":
            verb = "watch" if query.flag("watch") else "list"
        elif verb == "delete":
            verb = "deletecollection"
    return Target(verb, request.path, query, group, version, plural, subresource, namespace, name)
