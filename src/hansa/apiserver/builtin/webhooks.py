"""admissionregistration.k8s.io/v1 MutatingWebhookConfiguration and ValidatingWebhookConfiguration."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import each, label_selector, supported
from hansa.apiserver.builtin.fallback import CREATED, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.rules import KindRules
from hansa.base.field import FieldError, duplicate, invalid, not_supported, required
from hansa.base.names import dns1123_subdomain

GROUP = "admissionregistration.k8s.io"
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")


def _default(obj: Json) -> None:
    mutating = obj.get("kind") == "MutatingWebhookConfiguration"
    for webhook in obj.get("webhooks") or ():
        webhook.setdefault("failurePolicy", "Fail")
        webhook.setdefault("matchPolicy", "Equivalent")
        webhook.setdefault("namespaceSelector", {})
        webhook.setdefault("objectSelector", {})
        webhook.setdefault("timeoutSeconds", 10)
        if mutating:
            webhook.setdefault("reinvocationPolicy", "Never")
        service = (webhook.get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)
        for rule in webhook.get("rules") or ():
            rule.setdefault("scope", "*")


def _checks(obj: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, webhook in enumerate(obj.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        errors += _webhook(webhook, path)
        name = webhook.get("name", "")
        if name in names:
            errors.append(duplicate(f"{path}.name", name))
        names.add(name)
    return errors


def _webhook(webhook: Json, path: str) -> list[FieldError]:
    name = webhook.get("name", "")
    errors: list[FieldError] = []
    if not name:
        errors.append(required(f"{path}.name"))
    else:
        faults = dns1123_subdomain(name)
        errors += each(f"{path}.name", name, faults)
        if not faults and name.count(".") < 2:
            errors.append(
                invalid(f"{path}.name", name, "should be a domain with at least three segments separated by dots")
            )
    for index, rule in enumerate(webhook.get("rules") or ()):
        errors += _rule(rule, f"{path}.rules[{index}]")
    for field, choices in (
        ("failurePolicy", ("Fail", "Ignore")),
        ("matchPolicy", ("Equivalent", "Exact")),
    ):
        if webhook.get(field) is not None:
            errors += supported(webhook[field], choices, f"{path}.{field}")
    effects = webhook.get("sideEffects")
    if effects is None:
        text = f"must specify one of {', '.join(_SIDE_EFFECTS)}"
        errors.append(required(f"{path}.sideEffects", text))
    elif effects not in _SIDE_EFFECTS:
        errors.append(not_supported(f"{path}.sideEffects", effects, list(_SIDE_EFFECTS)))
    if webhook.get("timeoutSeconds") is not None and not 1 <= webhook["timeoutSeconds"] <= 30:
        text = "the timeout value must be between 1 and 30 seconds"
        errors.append(invalid(f"{path}.timeoutSeconds", webhook["timeoutSeconds"], text))
    for field in ("namespaceSelector", "objectSelector"):
        errors += label_selector(webhook.get(field), f"{path}.{field}")
    if webhook.get("reinvocationPolicy") is not None:
        errors += supported(webhook["reinvocationPolicy"], ("IfNeeded", "Never"), f"{path}.reinvocationPolicy")
    errors += _client(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    versions = webhook.get("admissionReviewVersions") or []
    if not versions:
        errors.append(required(f"{path}.admissionReviewVersions", "must specify one of v1, v1beta1"))
    elif not {"v1", "v1beta1"} & set(versions):
        text = "must include at least one of v1, v1beta1"
        errors.append(invalid(f"{path}.admissionReviewVersions", versions, text))
    return errors


def _client(config: Json, path: str) -> list[FieldError]:
    url: str | None = config.get("url")
    service: Json = config.get("service") or {}
    if (url is None) == (config.get("service") is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return _url(url, f"{path}.url")
    errors = [required(f"{path}.service.{field}") for field in ("name", "namespace") if not service.get(field)]
    port = service.get("port")
    if port is not None and not 1 <= port <= 65535:
        text = "port is not valid: must be between 1 and 65535, inclusive"
        errors.append(invalid(f"{path}.service.port", port, text))
    return errors


def _url(url: str, path: str) -> list[FieldError]:
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    errors: list[FieldError] = []
    if parts.scheme != "https":
        errors.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not parts.netloc:
        errors.append(invalid(path, parts.netloc, f"host must be specified{form}"))
    if parts.username is not None:
        errors.append(invalid(path, parts.netloc, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def _rule(rule: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    operations = rule.get("operations") or []
    if not operations:
        errors.append(required(f"{path}.operations"))
    if len(operations) > 1 and "*" in operations:
        text = "if '*' is present, must not specify other operations"
        errors.append(invalid(f"{path}.operations", operations, text))
    for index, operation in enumerate(operations):
        errors += supported(operation, _OPERATIONS, f"{path}.operations[{index}]")
    for field, what in (("apiGroups", "API groups"), ("apiVersions", "API versions"), ("resources", "resources")):
        values = rule.get(field) or []
        if not values:
            errors.append(required(f"{path}.{field}"))
        if field != "resources" and len(values) > 1 and "*" in values:
            errors.append(invalid(f"{path}.{field}", values, f"if '*' is present, must not specify other {what}"))
        if field != "apiGroups":
            errors += [required(f"{path}.{field}[{index}]") for index, value in enumerate(values) if not value]
    if rule.get("scope") is not None:
        errors += supported(rule["scope"], ("*", "Cluster", "Namespaced"), f"{path}.scope")
    return errors


def _kind(kind: str) -> KindRules:
    gvk = GVK(GROUP, "v1", kind)
    return make(
        gvk,
        namespaced=False,
        defaults=_default_of(kind),
        checks=_checks,
        full_recheck=True,
        counted=("webhooks",),
        columns=(NAME, column("Webhooks", lambda o: len(o.get("webhooks") or ()), "integer"), CREATED),
        unconditional_update=False,
    )


def _default_of(kind: str) -> Callable[[Json], None]:
    def default(obj: Json) -> None:
        obj.setdefault("kind", kind)
        _default(obj)

    return default


RULES = {rules.gvk: rules for rules in map(_kind, ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"))}
