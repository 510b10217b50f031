"""Who may do what: the RBAC authorizer (rbac.authorization.k8s.io/v1) over an index that writes keep up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hansa.api.meta import Json
from hansa.apiserver.message import UserInfo


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


class Authorizer:
    """RBAC. Feed it every committed write of the four RBAC kinds with `changed`; `allowed` then needs no I/O."""

    def changed(self, old: Json | None, new: Json | None) -> None:
        """A Role, ClusterRole, RoleBinding or ClusterRoleBinding was created (old None), changed or deleted (new None)."""
        raise NotImplementedError

    def allowed(self, user: UserInfo, asked: Attributes) -> Decision:
        raise NotImplementedError

    def escalation(self, user: UserInfo, new: Json, old: Json | None) -> str | None:
        """Why `user` may not write this Role or binding (rights it does not hold itself); None when it may.

        The text is the part after `roles.rbac.authorization.k8s.io "n" is forbidden: `.
        """
        raise NotImplementedError


def forbidden_message(user: UserInfo, asked: Attributes, reason: str = "") -> str:
    """The words of a 403: `pods "a" is forbidden: User "u" cannot get resource "pods" in API group "" …`."""
    raise NotImplementedError


def default_rbac() -> list[Json]:
    """The ClusterRoles, Roles and bindings that every cluster starts with."""
    raise NotImplementedError
