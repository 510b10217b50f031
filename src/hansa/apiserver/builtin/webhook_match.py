"""Does a webhook of a configuration concern a request? Rules, scopes, match policy, selectors."""

from __future__ import annotations

from collections.abc import Iterable

from hansa.api.meta import Json, Resource
from hansa.apiserver.builtin.lookup import Lookup
from hansa.apiserver.builtin.selectors import selects

GROUP = "admissionregistration.k8s.io"
_EXEMPT = frozenset(
    (
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    )
)


def exempt(resource: Resource) -> bool:
    """Webhooks never see the objects that configure admission, or they could lock everybody out."""
    return resource.group == GROUP and resource.plural in _EXEMPT


def matched_resource(
    webhook: Json, resource: Resource, subresource: str, operation: str, equivalents: Iterable[Resource]
) -> Resource | None:
    """The resource as which the webhook sees the request: itself, or an equivalent one that a rule names."""
    rules: list[Json] = webhook.get("rules") or []
    if any(_rule_matches(rule, resource, subresource, operation) for rule in rules):
        return resource
    if webhook.get("matchPolicy") == "Exact":
        return None
    for other in equivalents:
        if any(_rule_matches(rule, other, subresource, operation) for rule in rules):
            return other
    return None


def _rule_matches(rule: Json, resource: Resource, subresource: str, operation: str) -> bool:
    return (
        _has(rule.get("operations"), operation)
        and _has(rule.get("apiGroups"), resource.group)
        and _has(rule.get("apiVersions"), resource.version)
        and _in_scope(rule.get("scope", "*"), resource)
        and any(_names(pattern, resource.plural, subresource) for pattern in rule.get("resources") or ())
    )


def _has(values: list[str] | None, value: str) -> bool:
    return bool(values) and ("*" in values or value in values)


def _in_scope(scope: str, resource: Resource) -> bool:
    if scope == "*":
        return True
    # a Namespace belongs to the cluster's scope, though requests about it carry its name as their namespace
    return (scope == "Namespaced") is resource.namespaced


def _names(pattern: str, plural: str, subresource: str) -> bool:
    wanted, slash, wanted_sub = pattern.partition("/")
    if wanted not in ("*", plural):
        return False
    if not slash:
        return not subresource
    return wanted_sub in ("*", subresource)


def selected(
    webhook: Json, resource: Resource, namespace: str, obj: Json | None, old: Json | None, lookup: Lookup
) -> bool:
    """The namespace's and the object's labels fit the webhook's selectors."""
    selector: Json = webhook.get("namespaceSelector") or {}
    if selector.get("matchLabels") or selector.get("matchExpressions"):
        labels = _namespace_labels(resource, namespace, obj or old, lookup)
        if labels is not None and not selects(selector, labels):
            return False
    selector = webhook.get("objectSelector") or {}
    if not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return True
    return any(
        selects(selector, (candidate.get("metadata") or {}).get("labels")) for candidate in (obj, old) if candidate
    )


def _namespace_labels(resource: Resource, namespace: str, obj: Json | None, lookup: Lookup) -> Json | None:
    """Labels of the namespace the request is about; None for cluster-scoped objects, which the selector passes."""
    if resource.plural == "namespaces" and not resource.group:
        return ((obj or {}).get("metadata") or {}).get("labels") or {}
    if not namespace:
        return None
    found = lookup.get("", "Namespace", "", namespace)
    return (found["metadata"].get("labels") or {}) if found else {}
