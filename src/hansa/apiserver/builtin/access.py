"""rbac.authorization.k8s.io/v1 Role, ClusterRole, RoleBinding, ClusterRoleBinding."""

from __future__ import annotations

from collections.abc import Callable

from hansa.api.meta import GVK, Json
from hansa.apiserver.builtin.checks import IMMUTABLE, each, label_selector
from hansa.apiserver.builtin.fallback import CREATED, CREATED_AT, NAME
from hansa.apiserver.builtin.kind import column, make
from hansa.apiserver.builtin.objectmeta import path_segment_name, subdomain_name, validate_meta, validate_meta_update
from hansa.apiserver.builtin.rules import KindRules
from hansa.base.field import FieldError, invalid, not_supported, required
from hansa.base.names import path_segment

GROUP = "rbac.authorization.k8s.io"


def _rules(obj: Json, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    late: list[FieldError] = []  # what Kubernetes checks by declaration comes after the rest
    for index, rule in enumerate(obj.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            late.append(required(f"{path}.verbs"))
        urls = rule.get("nonResourceURLs")
        if urls:
            here = f"{path}.nonResourceURLs"
            if namespaced:
                errors.append(invalid(here, urls, "namespaced rules cannot apply to non-resource URLs"))
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(invalid(here, urls, text))
            continue
        if not rule.get("apiGroups"):
            errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    aggregation = obj.get("aggregationRule")
    if aggregation is not None:
        selectors = aggregation.get("clusterRoleSelectors")
        if not selectors:
            text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            errors.append(required("aggregationRule.clusterRoleSelectors", text))
        for index, selector in enumerate(selectors or ()):
            errors += label_selector(selector, f"aggregationRule.clusterRoleSelectors[{index}]")
    return errors + late


def _default_binding(obj: Json) -> None:
    role = obj["roleRef"]
    if not role.get("apiGroup"):
        role["apiGroup"] = GROUP
    for subject in obj.get("subjects", ()):
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def _binding(obj: Json, *, namespaced: bool) -> list[FieldError]:
    role: Json = obj.get("roleRef") or {}
    errors: list[FieldError] = []
    if role.get("apiGroup") != GROUP:
        errors.append(not_supported("roleRef.apiGroup", role.get("apiGroup", ""), [GROUP]))
    kinds = ["Role", "ClusterRole"] if namespaced else ["ClusterRole"]
    if role.get("kind") not in kinds:
        errors.append(not_supported("roleRef.kind", role.get("kind", ""), kinds))
    if role.get("name"):
        errors += each("roleRef.name", role["name"], path_segment(role["name"]))
    subjects = obj.get("subjects") or []
    for index, subject in enumerate(subjects):
        errors += _subject(subject, f"subjects[{index}]", namespaced=namespaced)
    # what Kubernetes checks by declaration comes after the rest
    errors += [required(f"subjects[{index}].name") for index, s in enumerate(subjects) if not s.get("name")]
    return errors if role.get("name") else [*errors, required("roleRef.name")]


def _subject(subject: Json, path: str, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    name, group = subject.get("name", ""), subject.get("apiGroup", "")
    match subject.get("kind", ""):
        case "ServiceAccount":
            if name:
                errors += each(f"{path}.name", name, subdomain_name(name, False))
            if group:
                errors.append(not_supported(f"{path}.apiGroup", group, [""]))
            if not namespaced and not subject.get("namespace"):
                errors.append(required(f"{path}.namespace"))
        case "User" | "Group":
            if group != GROUP:
                errors.append(not_supported(f"{path}.apiGroup", group, [GROUP]))
        case kind:
            errors.append(not_supported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"]))
    return errors


def _names(kind: str) -> Callable[[Json], str]:
    def show(obj: Json) -> str:
        subjects = obj.get("subjects") or ()
        if kind == "ServiceAccount":
            own = obj["metadata"].get("namespace", "")
            found = [f"{s.get('namespace') or own}/{s.get('name', '')}" for s in subjects if s.get("kind") == kind]
        else:
            found = [s.get("name", "") for s in subjects if s.get("kind") == kind]
        return ", ".join(found)

    return show


def _role_text(obj: Json) -> str:
    return f"{obj['roleRef'].get('kind', '')}/{obj['roleRef'].get('name', '')}"


def _kind(kind: str, *, namespaced: bool) -> KindRules:
    gvk = GVK(GROUP, "v1", kind)
    binding = kind.endswith("Binding")

    def checks(obj: Json) -> list[FieldError]:
        return _binding(obj, namespaced=namespaced) if binding else _rules(obj, namespaced=namespaced)

    def create(obj: Json) -> list[FieldError]:
        return validate_meta(obj, namespaced=namespaced, name=path_segment_name) + checks(obj)

    def update(new: Json, old: Json, subresource: str) -> list[FieldError]:
        del subresource
        errors = create(new)
        if binding:
            errors += validate_meta_update(new, old)
            if new.get("roleRef") != old.get("roleRef"):
                errors.append(invalid("roleRef", _shown(new["roleRef"]), IMMUTABLE))
            return errors
        return errors + validate_meta_update(new, old)

    if not binding:
        return make(
            gvk, columns=(NAME, CREATED_AT), validate_create=create, validate_update=update, create_on_update=True
        )
    return make(
        gvk,
        defaults=_default_binding,
        validate_create=create,
        validate_update=update,
        create_on_update=True,
        columns=(
            NAME,
            column("Role", _role_text),
            CREATED,
            column("Users", _names("User"), wide=True),
            column("Groups", _names("Group"), wide=True),
            column("ServiceAccounts", _names("ServiceAccount"), wide=True),
        ),
    )


def _shown(role: Json) -> Json:
    """A roleRef as Kubernetes' internal type prints it."""
    return {"APIGroup": role.get("apiGroup", ""), "Kind": role.get("kind", ""), "Name": role.get("name", "")}


RULES = {
    rules.gvk: rules
    for rules in (
        _kind("Role", namespaced=True),
        _kind("ClusterRole", namespaced=False),
        _kind("RoleBinding", namespaced=True),
        _kind("ClusterRoleBinding", namespaced=False),
    )
}
