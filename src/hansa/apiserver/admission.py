"""Admission: built-in plug-ins, hooks in process and webhooks; first those that change, then those that check.

Mutating webhooks run one after the other, by name of configuration and place in it; those that ask for it
(`reinvocationPolicy: IfNeeded`) run once more when a later one changed the object. Validating ones run in parallel.
A hook in process is registered with the same rules and selectors as a webhook (`plug`) and keeps its place among them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hansa.api.meta import Json, Resource
from hansa.apiserver.admission_review import (
    AdmissionRequest,
    AdmissionResponse,
    denial,
    failure_status,
    forbidden,
    in_version,
    internal,
    review,
)
from hansa.apiserver.builtin import plugins
from hansa.apiserver.builtin.lookup import Lookup
from hansa.apiserver.builtin.webhook_match import exempt, matched_resource, selected
from hansa.apiserver.webhook_call import CallFailed, WebhookClient, patch_of
from hansa.base.patch import PatchError, apply_json_patch

_MUTATING, _VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
_DEFAULT_SECONDS = 10


class Hook(Protocol):
    """An admission hook in process."""

    async def admit(self, request: AdmissionRequest) -> AdmissionResponse: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the chain made of a request. `denial` is a complete Status document when the request is refused."""

    object: Json | None
    warnings: Sequence[str] = ()
    denial: Json | None = None


class _Denied(Exception):
    def __init__(self, status: Json) -> None:
        super().__init__(status["message"])
        self.status = status


@dataclass(frozen=True, slots=True)
class _Webhook:
    order: tuple[str, int]
    config: Json
    hook: Hook | None = None

    @property
    def name(self) -> str:
        return self.config.get("name", "")

    @property
    def reinvocable(self) -> bool:
        return self.config.get("reinvocationPolicy") == "IfNeeded"


class Admission:
    """The chain. Feed webhook configurations with `changed`, as the authorizer."""

    def __init__(
        self,
        lookup: Lookup,
        *,
        suffix: Callable[[], str],
        plugged_in: frozenset[str] = plugins.ALL,
        equivalents: Callable[[Resource], Iterable[Resource]] = lambda resource: (),
    ) -> None:
        """`suffix` makes five random characters; `equivalents` names a resource's other versions (or groups)."""
        self._lookup = lookup
        self._suffix = suffix
        self._plugged_in = plugged_in
        self._equivalents = equivalents
        self._client = WebhookClient()
        self._configurations: dict[str, dict[str, Json]] = {_MUTATING: {}, _VALIDATING: {}}
        self._hooks: dict[str, list[_Webhook]] = {_MUTATING: [], _VALIDATING: []}
        self._webhooks: dict[str, list[_Webhook]] = {_MUTATING: [], _VALIDATING: []}

    async def close(self) -> None:
        """Close connections to webhooks."""
        await self._client.close()

    def plug(self, hook: Hook, webhook: Json, *, mutating: bool) -> None:
        """Run `hook` in process where `webhook` (an entry of a configuration, without clientConfig) matches."""
        kind = _MUTATING if mutating else _VALIDATING
        order = (webhook.get("name", ""), len(self._hooks[kind]))
        self._hooks[kind].append(_Webhook(order, webhook, hook))
        self._sort(kind)

    def changed(self, old: Json | None, new: Json | None) -> None:
        """A MutatingWebhookConfiguration or ValidatingWebhookConfiguration was created, changed or deleted.

        Other kinds are ignored.
        """
        kind = (new or old or {}).get("kind", "")
        known = self._configurations.get(kind)
        if known is None:
            return
        name = (new or old or {})["metadata"]["name"]
        if new is None:
            known.pop(name, None)
        else:
            known[name] = new
        self._sort(kind)

    def _sort(self, kind: str) -> None:
        found = list(self._hooks[kind])
        for name, configuration in self._configurations[kind].items():
            found += [_Webhook((name, index), entry) for index, entry in enumerate(configuration.get("webhooks") or ())]
        self._webhooks[kind] = sorted(found, key=lambda webhook: webhook.order)

    async def mutate(self, request: AdmissionRequest) -> Outcome:
        """Call before `prepare_*`; the outcome's object wants defaults again. The given one stays as it is."""
        try:
            if request.operation in ("CREATE", "UPDATE") and request.object is not None:
                request = self._completed(request)
            elif request.operation == "DELETE":
                why = plugins.refuse_delete(request.resource, request.subresource, request.name)
                if why:
                    raise _Denied(forbidden(request, why))
            if not self._webhooks[_MUTATING] or exempt(request.resource):
                return Outcome(request.object)
            return await self._mutate(request)
        except plugins.Refused as refusal:
            return Outcome(None, denial=forbidden(request, str(refusal)))
        except _Denied as denied:
            return Outcome(None, denial=denied.status)

    def _completed(self, request: AdmissionRequest) -> AdmissionRequest:
        assert request.object is not None
        obj = request.object
        if request.resource.plural in ("pods", "persistentvolumeclaims") and not request.resource.group:
            obj = apply_json_patch(obj, [])  # a private copy
            resource, subresource = request.resource, request.subresource
            if request.operation == "CREATE":
                plugins.on_create(resource, subresource, obj, self._lookup, self._suffix, self._plugged_in)
            else:
                plugins.on_update(resource, subresource, obj, self._plugged_in)
        return replace(request, object=obj)

    async def _mutate(self, request: AdmissionRequest) -> Outcome:
        warnings: list[str] = []
        ran: dict[int, Json | None] = {}
        for index, webhook in enumerate(self._webhooks[_MUTATING]):
            changed = await self._mutate_one(webhook, request, warnings)
            if changed is None:
                continue
            request = changed
            if webhook.reinvocable:
                ran[index] = request.object
        for index, seen in ran.items():
            if request.object != seen:
                again = await self._mutate_one(self._webhooks[_MUTATING][index], request, warnings)
                request = again or request
        return Outcome(request.object, warnings)

    async def _mutate_one(
        self, webhook: _Webhook, request: AdmissionRequest, warnings: list[str]
    ) -> AdmissionRequest | None:
        """The request after one webhook; None when the webhook does not concern it."""
        seen_as = self._concerns(webhook, request)
        if seen_as is None:
            return None
        response = await self._ask(webhook, request, seen_as)
        warnings += response.warnings
        if not response.patch or request.object is None:
            return request
        try:
            patched = apply_json_patch(in_version(request.object, seen_as), list(response.patch), missing="add")
        except PatchError as error:
            raise _Denied(internal(f"{error}")) from error
        return replace(request, object=in_version(patched, request.resource))

    async def validate(self, request: AdmissionRequest) -> Outcome:
        """Call after validation and allocation, right before storing; also for DELETE, per object."""
        if not self._webhooks[_VALIDATING] or exempt(request.resource):
            return Outcome(request.object)
        concerned = [
            (webhook, seen_as)
            for webhook in self._webhooks[_VALIDATING]
            if (seen_as := self._concerns(webhook, request)) is not None
        ]
        if not concerned:
            return Outcome(request.object)
        answers = await asyncio.gather(
            *(self._ask(webhook, request, seen_as) for webhook, seen_as in concerned), return_exceptions=True
        )
        warnings: list[str] = []
        for answer in answers:
            if isinstance(answer, _Denied):
                return Outcome(None, warnings, answer.status)
            if isinstance(answer, BaseException):
                raise answer
            warnings += answer.warnings
        return Outcome(request.object, warnings)

    def _concerns(self, webhook: _Webhook, request: AdmissionRequest) -> Resource | None:
        seen_as = matched_resource(
            webhook.config,
            request.resource,
            request.subresource,
            request.operation,
            self._equivalents(request.resource),
        )
        if seen_as is None:
            return None
        fits = selected(
            webhook.config, request.resource, request.namespace, request.object, request.old_object, self._lookup
        )
        return seen_as if fits else None

    async def _ask(self, webhook: _Webhook, request: AdmissionRequest, seen_as: Resource) -> AdmissionResponse:
        """The webhook's verdict. Raises _Denied when it refuses, or fails and its failurePolicy is Fail."""
        if request.dry_run and webhook.config.get("sideEffects", "None") not in ("None", "NoneOnDryRun"):
            text = f'admission webhook "{webhook.name}" does not support dry run'
            raise _Denied(failure_status(400, "BadRequest", text))
        try:
            response = await self._response(webhook, request, seen_as)
        except CallFailed as failure:
            if webhook.config.get("failurePolicy") == "Ignore":
                return AdmissionResponse()
            text = f'Internal error occurred: failed calling webhook "{webhook.name}": {failure}'
            raise _Denied(internal(text, str(failure))) from failure
        if not response.allowed:
            raise _Denied(denial(webhook.name, response))
        return response

    async def _response(self, webhook: _Webhook, request: AdmissionRequest, seen_as: Resource) -> AdmissionResponse:
        seconds = webhook.config.get("timeoutSeconds") or _DEFAULT_SECONDS
        if webhook.hook is not None:
            asked = replace(
                request,
                resource=seen_as,
                object=in_version(request.object, seen_as),
                old_object=in_version(request.old_object, seen_as),
            )
            try:
                async with asyncio.timeout(seconds):
                    return await webhook.hook.admit(asked)
            except TimeoutError as error:
                raise CallFailed("failed to call webhook: context deadline exceeded") from error
        answer = await self._client.call(webhook.config.get("clientConfig") or {}, review(request, seen_as), seconds)
        result: Json = answer.get("status") or {}
        return AdmissionResponse(
            bool(answer.get("allowed")),
            result.get("message", ""),
            result.get("reason", ""),
            result.get("code", 0),
            patch_of(answer),
            answer.get("warnings") or (),
            (result.get("details") or {}).get("causes") or (),
        )
