"""Which namespaces are propagated by themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hansa.api import names
from hansa.api.item import Item

_EXEMPT = frozenset(
    {
        names.DEFAULT_NAMESPACE,
        names.KUBE_SYSTEM,
        names.KUBE_PUBLIC,
        names.HANSA_NAMESPACE,
        names.KUBEFED_NAMESPACE,
        *names.RESERVED_NAMESPACES,
    }
)


def is_reserved(namespace: str) -> bool:
    """The control plane's own namespaces."""
    return namespace in names.RESERVED_NAMESPACES or namespace.startswith(names.EXECUTION_NAMESPACE_PREFIX)


def is_skipped(namespace: str, patterns: Sequence[str]) -> bool:
    """Whether one of the regular expressions covers the whole name."""
    return any(re.fullmatch(pattern, namespace) for pattern in patterns)


def is_propagated(namespace: Item, patterns: Sequence[str]) -> bool:
    name = namespace.meta.name
    if name in _EXEMPT or is_reserved(name) or is_skipped(name, patterns) or namespace.deleting:
        return False
    return namespace.labels.get(names.SKIP_AUTO_PROPAGATION_LABEL, "").lower() != "true"
