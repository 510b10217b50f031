"""Who may do what: the RBAC authorizer (rbac.authorization.k8s.io/v1) over an index that writes keep up to date.

Rules are compiled once for each role; what applies to one user in one namespace is gathered once and kept until an RBAC
object changes, so that a decision is a few set look-ups. In Kubernetes a controller writes what an aggregated role
gathers into its `rules`; here the index gathers by itself too, so that it holds where no such controller runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hansa.api import scheme
from hansa.api.meta import Json
from hansa.apiserver import faults
from hansa.apiserver.builtin.default_rbac import default_rbac
from hansa.apiserver.builtin.escalation import missing_rights
from hansa.apiserver.builtin.selectors import selects
from hansa.apiserver.message import UserInfo

__all__ = ["Attributes", "Authorizer", "Decision", "default_rbac", "forbidden_message", "forbidden_status"]

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
_ACCOUNT_PREFIX = "system:serviceaccount:"
_REMEMBERED_USERS = 4096
_RESOURCES = {
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for. A non-resource request has a `path` and no resource.

    `verb` is the API verb (get, list, watch, create, update, patch, delete, deletecollection, impersonate …), for
    non-resource requests the HTTP method in lower case.
    """

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Decision(NamedTuple):
    """`allowed`, and why (or why not), as it goes into the message."""

    allowed: bool
    reason: str = ""


class _Rule(NamedTuple):
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    paths: tuple[str, ...]
    source: Json

    def allows(self, asked: Attributes) -> bool:
        if asked.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not asked.resource and asked.path:
            return any(_path_matches(pattern, asked.path) for pattern in self.paths)
        if asked.group not in self.groups and "*" not in self.groups:
            return False
        resources = self.resources
        if "*" not in resources:
            if asked.subresource:
                if (
                    f"{asked.resource}/{asked.subresource}" not in resources
                    and f"*/{asked.subresource}" not in resources
                ):
                    return False
            elif asked.resource not in resources:
                return False
        return not self.names or asked.name in self.names


def _path_matches(pattern: str, path: str) -> bool:
    if pattern in ("*", path):
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def _compile(rules: Iterable[Json] | None) -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            frozenset(rule.get("verbs") or ()),
            frozenset(rule.get("apiGroups") or ()),
            frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
            rule,
        )
        for rule in rules or ()
    )


class _Binding(NamedTuple):
    order: str
    namespace: str
    name: str
    kind: str
    role_kind: str
    role_name: str
    subjects: tuple[Json, ...]


class _Granted(NamedTuple):
    """Rules of one binding for one user, or why there are none."""

    rules: tuple[_Rule, ...]
    why: str
    error: str


class Authorizer:
    """RBAC. Feed it every committed write of the four RBAC kinds with `changed`; `allowed` then needs no I/O."""

    def __init__(self, objects: Iterable[Json] = ()) -> None:
        self._roles: dict[tuple[str, str], tuple[_Rule, ...]] = {}
        self._selectors: dict[str, list[Json]] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        self._bindings: dict[str, dict[str, dict[str, _Binding]]] = {}  # namespace -> subject -> name -> binding
        self._gathered: dict[str, tuple[_Rule, ...]] = {}
        self._users: dict[tuple[str, tuple[str, ...], str], list[_Granted]] = {}
        for obj in objects:
            self.changed(None, obj)

    def changed(self, old: Json | None, new: Json | None) -> None:
        """A Role, ClusterRole, RoleBinding or ClusterRoleBinding was created (old None), changed or deleted (new None).

        Other kinds are ignored.
        """
        kind = (new or old or {}).get("kind", "")
        if kind in ("Role", "ClusterRole"):
            self._role_changed(old, new)
        elif kind in ("RoleBinding", "ClusterRoleBinding"):
            if old is not None:
                self._unbind(old)
            if new is not None:
                self._bind(new)
        else:
            return
        self._users.clear()
        self._gathered.clear()

    def _role_changed(self, old: Json | None, new: Json | None) -> None:
        meta: Json = (new or old or {})["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        if new is None:
            self._roles.pop(key, None)
        else:
            self._roles[key] = _compile(new.get("rules"))
        if key[0]:
            return
        name = key[1]
        self._labels.pop(name, None)
        self._selectors.pop(name, None)
        if new is not None:
            self._labels[name] = meta.get("labels") or {}
            aggregation: Json = new.get("aggregationRule") or {}
            if aggregation.get("clusterRoleSelectors"):
                self._selectors[name] = aggregation["clusterRoleSelectors"]

    def aggregated_rules(self, name: str) -> list[Json] | None:
        """What the `rules` of an aggregated ClusterRole should be; None for a role that gathers nothing.

        Order and removal of duplicates as the clusterrole-aggregation controller: by selector, then by role name.
        """
        if name not in self._selectors:
            return None
        found: list[Json] = []
        for other in self._gathered_from(name, {name}):
            for rule in self._roles[("", other)]:
                if rule.source not in found:
                    found.append(rule.source)
        return found

    def _gathered_from(self, name: str, seen: set[str]) -> list[str]:
        """The roles that a role gathers, those that they gather included."""
        found: list[str] = []
        for selector in self._selectors.get(name, ()):
            for other in sorted(self._labels):
                if other not in seen and selects(selector, self._labels[other]):
                    seen.add(other)
                    found += [other, *self._gathered_from(other, seen)]
        return found

    def _rules_of_role(self, namespace: str, name: str) -> tuple[_Rule, ...] | None:
        """Rules of a stored role and, for an aggregated one, of what it gathers; None when it does not exist."""
        rules = self._roles.get((namespace, name))
        if rules is None or namespace or name not in self._selectors:
            return rules
        known = self._gathered.get(name)
        if known is None:
            sources = {id(rule.source) for rule in rules}
            others = [rule for other in self._gathered_from(name, {name}) for rule in self._roles[("", other)]]
            known = self._gathered[name] = (*rules, *(rule for rule in others if id(rule.source) not in sources))
        return known

    def aggregating(self) -> list[str]:
        """Names of the ClusterRoles that gather others."""
        return sorted(self._selectors)

    def _subject_keys(self, binding: Json) -> Iterable[str]:
        namespace = binding["metadata"].get("namespace", "")
        for subject in binding.get("subjects") or ():
            kind, name = subject.get("kind", ""), subject.get("name", "")
            if kind == "Group":
                yield f"g:{name}"
            elif kind == "User":
                yield f"u:{name}"
            elif kind == "ServiceAccount":
                yield f"u:{_ACCOUNT_PREFIX}{subject.get('namespace') or namespace}:{name}"

    def _bind(self, obj: Json) -> None:
        meta, role = obj["metadata"], obj.get("roleRef") or {}
        binding = _Binding(
            meta["name"],
            meta.get("namespace", ""),
            meta["name"],
            obj.get("kind", ""),
            role.get("kind", ""),
            role.get("name", ""),
            tuple(obj.get("subjects") or ()),
        )
        by_subject = self._bindings.setdefault(binding.namespace, {})
        for key in self._subject_keys(obj):
            by_subject.setdefault(key, {})[binding.name] = binding

    def _unbind(self, obj: Json) -> None:
        by_subject = self._bindings.get(obj["metadata"].get("namespace", ""), {})
        for key in self._subject_keys(obj):
            names = by_subject.get(key)
            if names is not None:
                names.pop(obj["metadata"]["name"], None)
                if not names:
                    del by_subject[key]

    def _granted(self, user: UserInfo, namespace: str) -> list[_Granted]:
        key = (user.name, user.groups, namespace)
        known = self._users.get(key)
        if known is None:
            if len(self._users) >= _REMEMBERED_USERS:
                self._users.clear()
            known = [self._grant(user, binding) for binding in self._bindings_of(user, "")]
            if namespace:
                known += [self._grant(user, binding) for binding in self._bindings_of(user, namespace)]
            self._users[key] = known
        return known

    def _bindings_of(self, user: UserInfo, namespace: str) -> list[_Binding]:
        by_subject = self._bindings.get(namespace)
        if not by_subject:
            return []
        found: dict[str, _Binding] = {}
        for key in (f"u:{user.name}", *(f"g:{group}" for group in user.groups)):
            found.update(by_subject.get(key, {}))
        return [found[name] for name in sorted(found)]

    def _grant(self, user: UserInfo, binding: _Binding) -> _Granted:
        role_namespace = binding.namespace if binding.role_kind == "Role" else ""
        rules = self._rules_of_role(role_namespace, binding.role_name)
        if binding.role_kind not in ("Role", "ClusterRole"):
            return _Granted((), "", f'unsupported role reference kind: "{binding.role_kind}"')
        if rules is None:
            resource = binding.role_kind.lower()
            return _Granted((), "", f'{resource}.{GROUP} "{binding.role_name}" not found')
        subject = next(s for s in binding.subjects if _applies(s, user, binding.namespace))
        where = f"{binding.name}/{binding.namespace}" if binding.namespace else binding.name
        return _Granted(
            rules,
            f'RBAC: allowed by {binding.kind} "{where}" of {binding.role_kind} "{binding.role_name}" to '
            + _describe(subject, binding.namespace),
            "",
        )

    def allowed(self, user: UserInfo, asked: Attributes) -> Decision:
        """Decide. Members of `system:masters` may do everything."""
        if MASTERS in user.groups:
            return Decision(True)
        granted = self._granted(user, asked.namespace)
        for grant in granted:
            for rule in grant.rules:
                if rule.allows(asked):
                    return Decision(True, grant.why)
        errors = [grant.error for grant in granted if grant.error]
        return Decision(False, f"rbac: RBAC: {_aggregate(errors)}" if errors else "")

    def rules_of(self, user: UserInfo, namespace: str) -> tuple[list[Json], str]:
        """All rules that apply to a user in a namespace, and what could not be resolved (SelfSubjectRulesReview)."""
        granted = self._granted(user, namespace)
        errors = [grant.error for grant in granted if grant.error]
        return [rule.source for grant in granted for rule in grant.rules], _aggregate(errors) if errors else ""

    def escalation(self, user: UserInfo, new: Json, old: Json | None) -> str | None:
        """Why `user` may not write this Role or binding (rights it does not hold itself); None when it may.

        Raises Fault (NotFound) for a binding to a role that is not there, unless the user may bind anything.
        The text is the part after `roles.rbac.authorization.k8s.io "n" is forbidden: `.
        """
        kind = new.get("kind", "")
        if MASTERS in user.groups or kind not in _RESOURCES or (old is not None and _only_collected(new, old)):
            return None
        meta = new["metadata"]
        namespace = meta.get("namespace", "")
        if kind in ("Role", "ClusterRole"):
            name = meta.get("name", "") if old is not None else ""
            if self.allowed(user, Attributes("escalate", GROUP, "*", _RESOURCES[kind], "", namespace, name)).allowed:
                return None
            refusal = self._uncovered(user, namespace, new.get("rules") or [])
            if refusal is None and kind == "ClusterRole" and any(_gathers(role) for role in (new, old)):
                everything = [
                    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                    {"verbs": ["*"], "nonResourceURLs": ["*"]},
                ]
                if self._uncovered(user, namespace, everything) is not None:
                    return "must have cluster-admin privileges to use the aggregationRule"
            return refusal
        role: Json = new.get("roleRef") or {}
        of_role = _RESOURCES.get(role.get("kind", ""), "")
        bind = Attributes("bind", role.get("apiGroup", ""), "*", of_role, "", namespace, role.get("name", ""))
        if of_role and self.allowed(user, bind).allowed:
            return None
        role_namespace = namespace if role.get("kind") == "Role" else ""
        rules = self._rules_of_role(role_namespace, role.get("name", ""))
        if rules is None:
            # under the name of the binding's resource, as Kubernetes says it
            resource = scheme.ROLE_BINDINGS if kind == "RoleBinding" else scheme.CLUSTER_ROLE_BINDINGS
            raise faults.not_found(resource, role.get("name", ""))
        return self._uncovered(user, namespace, [rule.source for rule in rules])

    def _uncovered(self, user: UserInfo, namespace: str, wanted: list[Json]) -> str | None:
        held, error = self.rules_of(user, namespace)
        missing = missing_rights(held, wanted)
        if not missing:
            return None
        groups = " ".join(f'"{group}"' for group in user.groups)
        message = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
            + "\n".join(missing)
        )
        # here Kubernetes names the resource in the plural
        error = error.replace(f"role.{GROUP}", f"roles.{GROUP}")
        return f"{message}; resolution errors: [{error}]" if error else message


def _gathers(role: Json | None) -> bool:
    return bool(role and (role.get("aggregationRule") or {}).get("clusterRoleSelectors"))


def _only_collected(new: Json, old: Json) -> bool:
    """Nothing changed but what garbage collection needs (owner references, finalizers) and bookkeeping."""
    skipped = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")

    def rest(obj: Json) -> dict[str, Any]:
        return obj | {"metadata": {k: v for k, v in obj["metadata"].items() if k not in skipped}}

    return rest(new) == rest(old)


def _applies(subject: Json, user: UserInfo, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return name == user.name
    if kind == "Group":
        return name in user.groups
    return f"{_ACCOUNT_PREFIX}{subject.get('namespace') or namespace}:{name}" == user.name


def _describe(subject: Json, namespace: str) -> str:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind == "ServiceAccount":
        return f'{kind} "{name}/{subject.get("namespace") or namespace}"'
    return f'{kind} "{name}"'


def _aggregate(errors: list[str]) -> str:
    distinct = list(dict.fromkeys(errors))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def forbidden_message(user: UserInfo, asked: Attributes, reason: str = "") -> str:
    """The words of a 403: `pods "a" is forbidden: User "u" cannot get resource "pods" in API group "" …`."""
    if not asked.resource:
        return f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"' + (
            f": {reason}" if reason else ""
        )
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    subject = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    if asked.name:
        subject = f'{subject} "{asked.name}"'
    text = (
        f'{subject} is forbidden: User "{user.name}" cannot {asked.verb} resource "{resource}" '
        f'in API group "{asked.group}" {where}'
    )
    return f"{text}: {reason}" if reason else text


def forbidden_status(user: UserInfo, asked: Attributes, reason: str = "") -> Json:
    """The Status of a 403."""
    details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": forbidden_message(user, asked, reason),
        "reason": "Forbidden",
        "details": {key: value for key, value in details.items() if value},
        "code": 403,
    }
