"""Where a pod may run: affinity, tolerations, spread constraints."""

from __future__ import annotations

from hansa.api.meta import Json
from hansa.apiserver.builtin.checks import each, label_selector, positive, supported
from hansa.base.field import FieldError, duplicate, forbidden, invalid, not_supported, required
from hansa.base.names import dns1123_label, dns1123_subdomain, label_value, qualified_name

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_affinity(affinity: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    nodes = affinity.get("nodeAffinity")
    if nodes:
        here = f"{path}.nodeAffinity"
        if nodes.get(_REQUIRED) is not None:
            errors += validate_node_selector(nodes[_REQUIRED], f"{here}.{_REQUIRED}")
        for index, term in enumerate(nodes.get(_PREFERRED, ())):
            at = f"{here}.{_PREFERRED}[{index}]"
            errors += _weight(term, at)
            errors += _node_term(term.get("preference") or {}, f"{at}.preference", any_value=True)
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind)
        if not pods:
            continue
        for index, term in enumerate(pods.get(_REQUIRED, ())):
            errors += _pod_term(term, f"{path}.{kind}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(pods.get(_PREFERRED, ())):
            at = f"{path}.{kind}.{_PREFERRED}[{index}]"
            errors += _weight(weighted, at)
            errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _weight(term: Json, path: str) -> list[FieldError]:
    weight = term.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def validate_node_selector(selector: Json, path: str) -> list[FieldError]:
    terms = selector.get("nodeSelectorTerms")
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: list[FieldError] = []
    for index, term in enumerate(terms):
        errors += _node_term(term, f"{path}.nodeSelectorTerms[{index}]", any_value=False)
    return errors


def _node_term(term: Json, path: str, *, any_value: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, item in enumerate(term.get("matchExpressions", ())):
        here = f"{path}.matchExpressions[{index}]"
        values, key = item.get("values") or (), item.get("key", "")
        match item.get("operator", ""):
            case "In" | "NotIn":
                if not values:
                    errors.append(required(f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
            case "Exists" | "DoesNotExist":
                if values:
                    text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    errors.append(forbidden(f"{here}.values", text))
            case "Gt" | "Lt":
                if len(values) != 1:
                    text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                    errors.append(required(f"{here}.values", text))
            case operator:
                errors.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        errors += each(f"{here}.key", key, qualified_name(key))
        if not any_value:
            for at, value in enumerate(values):
                errors += each(f"{here}.values[{at}]", value, label_value(value))
    for index, item in enumerate(term.get("matchFields", ())):
        errors += _node_field(item, f"{path}.matchFields[{index}]")
    return errors


def _node_field(item: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    values = item.get("values") or ()
    operator = item.get("operator", "")
    if operator not in ("In", "NotIn"):
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", text))
    if item.get("key") != "metadata.name":
        errors.append(invalid(f"{path}.key", item.get("key", ""), "not a valid field selector key"))
    else:
        for at, value in enumerate(values):
            errors += each(f"{path}.values[{at}]", value, dns1123_subdomain(value))
    return errors


def _pod_term(term: Json, path: str) -> list[FieldError]:
    selector = term.get("labelSelector")
    errors = label_selector(selector, f"{path}.labelSelector")
    errors += label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for name in term.get("namespaces", ()):
        errors += each(f"{path}.namespace", name, dns1123_label(name))
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        errors += _label_keys(term.get(field) or [], selector, f"{path}.{field}")
    both = set(term.get("mismatchLabelKeys") or ())
    errors += [
        invalid(f"{path}.matchLabelKeys[{index}]", key, "exists in both matchLabelKeys and mismatchLabelKeys")
        for index, key in enumerate(term.get("matchLabelKeys") or ())
        if key in both
    ]
    key = term.get("topologyKey", "")
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + each(f"{path}.topologyKey", key, qualified_name(key))


def _label_keys(keys: list[str], selector: Json | None, path: str) -> list[FieldError]:
    if not keys:
        return []
    if selector is None:
        return [forbidden(path, "must not be specified when labelSelector is not set")]
    errors: list[FieldError] = []
    for index, key in enumerate(keys):
        errors += each(f"{path}[{index}]", key, qualified_name(key))
    return errors


def validate_tolerations(tolerations: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        value, effect = toleration.get("value", ""), toleration.get("effect", "")
        if key:
            errors += each(f"{here}.key", key, qualified_name(key))
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{here}.operator", operator, text))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid(f"{here}.effect", effect, text))
        match operator:
            case "Equal" | "":
                faults = label_value(value)
                if faults:
                    errors.append(invalid(f"{here}.operator", value, ";".join(faults)))
            case "Exists":
                if value:
                    text = "value must be empty when `operator` is 'Exists'"
                    errors.append(invalid(f"{here}.operator", value, text))
            case _:
                errors.append(not_supported(f"{here}.operator", operator, ["Equal", "Exists"]))
        if effect:
            errors += supported(effect, EFFECTS, f"{here}.effect")
    return errors


def validate_spread(constraints: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, constraint in enumerate(constraints):
        here = f"{path}[{index}]"
        key, action = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        errors += positive(constraint.get("maxSkew", 0), f"{here}.maxSkew")
        if not key:
            errors.append(required(f"{here}.topologyKey", "can not be empty"))
        errors += supported(action, ("DoNotSchedule", "ScheduleAnyway"), f"{here}.whenUnsatisfiable")
        if any(
            (other.get("topologyKey", ""), other.get("whenUnsatisfiable", "")) == (key, action)
            for other in constraints[index + 1 :]
        ):
            errors.append(duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        domains = constraint.get("minDomains")
        if domains is not None:
            errors += positive(domains, f"{here}.minDomains")
            if action != "DoNotSchedule":
                text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                errors.append(invalid(f"{here}.minDomains", domains, text))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(field) is not None:
                errors += supported(constraint[field], ("Honor", "Ignore"), f"{here}.{field}")
        selector = constraint.get("labelSelector")
        errors += _label_keys(constraint.get("matchLabelKeys") or [], selector, f"{here}.matchLabelKeys")
        errors += label_selector(selector, f"{here}.labelSelector")
    return errors
