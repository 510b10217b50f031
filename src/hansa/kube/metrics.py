"""How many requests go to API servers. Bound children are kept, so that counting one costs half a microsecond."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter("hansa_requests_total", "Requests to API servers.", ["server", "verb", "resource", "code"])


class RequestMetrics:
    """The bound children of one server. `verb` is Kubernetes' (get, list, watch …), code 0 means no answer."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._children: dict[tuple[str, str, int], Counter] = {}

    def count(self, verb: str, resource: str, code: int) -> None:
        key = (verb, resource, code)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = REQUESTS.labels(self._server, verb, resource, str(code))
        child.inc()
