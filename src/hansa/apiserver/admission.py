"""Admission: in-process hooks, built-in plug-ins and webhooks, first those that change, then those that check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from hansa.api.meta import GVK, Json, Resource
from hansa.apiserver.message import UserInfo

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """admission.k8s.io/v1 AdmissionRequest. `object` is None on DELETE, `old_object` on CREATE."""

    uid: str
    resource: Resource
    """Its kind is the kind of the object in the body (Scale for `scale`)."""
    operation: Operation
    name: str
    namespace: str
    user: UserInfo
    object: Json | None
    old_object: Json | None = None
    subresource: str = ""
    dry_run: bool = False
    options: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmissionResponse:
    """A verdict. `patch`: JSON patch operations against `request.object`."""

    allowed: bool = True
    message: str = ""
    reason: str = ""
    code: int = 0
    patch: Sequence[Json] = ()
    warnings: Sequence[str] = ()
    causes: Sequence[Json] = ()


class Hook(Protocol):
    """An admission hook in process."""

    async def admit(self, request: AdmissionRequest) -> AdmissionResponse: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the chain made of a request. `denial` is a complete Status document when the request is refused."""

    object: Json | None
    warnings: Sequence[str] = ()
    denial: Json | None = None


class Admission:
    """The chain. Feed webhook configurations with `changed`, as the authorizer."""

    def changed(self, old: Json | None, new: Json | None) -> None:
        """A MutatingWebhookConfiguration or ValidatingWebhookConfiguration was created, changed or deleted."""
        raise NotImplementedError

    async def mutate(self, request: AdmissionRequest) -> Outcome:
        """Call before `prepare_*`; the object in the outcome has been defaulted again when something changed it."""
        raise NotImplementedError

    async def validate(self, request: AdmissionRequest) -> Outcome:
        """Call after validation and allocation, right before storing; also for DELETE, per object."""
        raise NotImplementedError


__all__ = ["GVK", "Admission", "AdmissionRequest", "AdmissionResponse", "Any", "Hook", "Mapping", "Outcome"]
