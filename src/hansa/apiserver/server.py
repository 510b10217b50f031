"""One API server: who asks, may they, and which part answers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from hansa.api.meta import Json
from hansa.apiserver import body as bodies
from hansa.apiserver import faults, reviews, subresources
from hansa.apiserver.authn import Authenticator, BadImpersonation, Refusal
from hansa.apiserver.context import Call, Context
from hansa.apiserver.deletes import Deletes
from hansa.apiserver.discovery import Discovery
from hansa.apiserver.message import Request, Response, UserInfo
from hansa.apiserver.openapi import OpenApi
from hansa.apiserver.patches import Patches
from hansa.apiserver.rbac import Attributes, forbidden_status
from hansa.apiserver.reads import Reads
from hansa.apiserver.resources import VIRTUAL_GROUPS, Served
from hansa.apiserver.target import Target, target_of
from hansa.apiserver.watch import Watcher
from hansa.apiserver.writes import Result, Writes
from hansa.base.selector import SelectorError, parse_fields

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_SHAPES = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_OF_ONE = frozenset({"get", "update", "patch", "delete"})
_NOT_HERE = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_HEALTH = frozenset({"healthz", "livez", "readyz"})
_CHECKS = ("ping", "log", "etcd")
_STANDARD_HEADERS = {"cache-control": "no-cache, private"}


class ApiServer:
    """Answers requests. `start` and `stop` run what works in the background; requests are answered without it too."""

    def __init__(self, context: Context, authenticator: Authenticator, version: Json) -> None:
        self.context = context
        self.name = context.name
        self.reads = Reads(context)
        self.writes = Writes(context)
        self.deletes = Deletes(context, self.reads)
        self.patches = Patches(context, self.writes)
        self.discovery = Discovery(context.resources, version)
        self.openapi = OpenApi(context.resources, version)
        self._counts: Counter[tuple[str, int]] = Counter()
        self._resource_counts: Counter[tuple[str, str, str, str, str]] = Counter()
        self._authenticator = authenticator
        self._watchers: set[Watcher] = set()
        self._plain: dict[str, Callable[[], bytes]] = {
            "metrics": self._metrics,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request; what goes wrong is a Status too."""
        response = await self._answer(request)
        self._counts[(request.method, response.code)] += 1
        return response

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(self._counts.values())

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except faults.NoSuchPath:
            return Response(404, b"404 page not found\n", {"content-type": "text/plain; charset=utf-8"})
        except faults.Fault as fault:
            headers = {}
            if fault.details and fault.details.get("retryAfterSeconds"):
                headers["retry-after"] = str(fault.details["retryAfterSeconds"])
            return _answer(fault.code, _encode(fault.status) + b"\n", headers)
        except Exception:
            log.exception("request failed: %s %s", request.method, request.path)
            fault = faults.Fault(500, "InternalError", "Internal error occurred: see the server's log")
            return _answer(fault.code, _encode(fault.status) + b"\n", {})

    def close_watches(self) -> None:
        """End all watches after what is pending, for a clean shutdown."""
        for watcher in list(self._watchers):
            watcher.close()

    # -- who and whether -----------------------------------------------------------------------------------------------

    async def _handle(self, request: Request) -> Response:
        target = target_of(request)
        user = self._authenticator.authenticate(request)
        if user is None:
            raise faults.unauthorized()
        asked = _asked(target)
        user = self._impersonated(request, user, asked)
        decision = self.context.authorizer.allowed(user, asked)
        if not decision.allowed:
            raise faults.Fault.of(forbidden_status(user, asked, decision.reason))
        if not target.is_resource:
            return self._answer_path(request, target)
        return await self._answer_resource(request, target, user)

    def _impersonated(self, request: Request, user: UserInfo, asked: Attributes) -> UserInfo:
        try:
            found = self._authenticator.impersonate(request, user, self.context.authorizer, asked)
        except BadImpersonation as error:
            raise faults.bad_request(str(error)) from error
        if isinstance(found, Refusal):
            raise faults.Fault.of(forbidden_status(user, found.asked, found.reason))
        return found

    # -- paths without resources ---------------------------------------------------------------------------------------

    def _answer_path(self, request: Request, target: Target) -> Response:
        path = target.path.rstrip("/") or "/"
        if request.method not in ("GET", "HEAD"):
            raise faults.method_not_allowed(request.method.lower())
        accept = request.headers.get("accept", "")
        first = path.strip("/").partition("/")[0]
        if first in _HEALTH:
            return _health(first, path, target)
        plain = self._plain.get(first)
        if plain is not None:
            return Response(200, plain(), {"content-type": "text/plain; charset=utf-8"})
        found = self.discovery.answer(path, accept, request.headers.get("if-none-match", ""))
        if found is None:
            found = self.openapi.answer(path, accept, target.query.get("hash"))
        if found is None and path == "/openid/v1/jwks":
            found = _answer(200, _encode(self.context.issuer.keys()), {})
        if found is None and path == "/.well-known/openid-configuration":
            found = _answer(200, _encode(self.context.issuer.configuration()), {})
        if found is None:
            raise faults.no_such_resource()
        return _maybe_compressed(found, request)

    def _metrics(self) -> bytes:
        storage = self.context.storage
        lines = ["# TYPE apiserver_request_total counter"]
        for (verb, group, version, resource, sub), count in sorted(self._resource_counts.items()):
            labels = (
                f'verb="{verb.upper()}",group="{group}",version="{version}",resource="{resource}",subresource="{sub}"'
            )
            lines.append(f"apiserver_request_total{{{labels}}} {count}")
        lines.append("# TYPE hansa_apiserver_answers_total counter")
        lines += [
            f'hansa_apiserver_answers_total{{method="{method}",code="{code}"}} {count}'
            for (method, code), count in sorted(self._counts.items())
        ]
        lines.append(f"hansa_apiserver_writes_total {storage.writes}")
        lines.append(f"hansa_apiserver_watches {len(self._watchers)}")
        lines += [
            f'apiserver_storage_objects{{resource="{bucket.name}"}} {len(bucket.entries)}'
            for bucket in storage.buckets()
            if bucket.entries
        ]
        return ("\n".join(lines) + "\n").encode()

    # -- resources ---------------------------------------------------------------------------------------------------

    async def _answer_resource(self, request: Request, target: Target, user: UserInfo) -> Response:
        served = self.context.resources.get(target.group, target.version, target.plural)
        if served is None:
            raise faults.no_such_resource()
        call = Call(request, target, served, user)
        if served.custom is not None and served.custom.deprecation:
            call.warn(served.custom.deprecation)
        self._resource_counts[(target.verb, target.group, target.version, target.plural, target.subresource)] += 1
        if served.resource.group in VIRTUAL_GROUPS:
            return self._finish(call, await reviews.answer(self.context, self._authenticator, call), bodies.Form())
        self._check_verb(served, target)
        form = bodies.negotiate(request.headers.get("accept", ""), _SHAPES)
        if target.subresource:
            return self._finish(call, await self._subresource(call), form)
        match target.verb:
            case "get":
                return self._finish(call, self.reads.get(call, form), form)
            case "list":
                return self._finish(call, self.reads.list(call, form), form)
            case "watch":
                return self._watch(call, form)
            case "create":
                return self._finish(call, await self.writes.create(call), form)
            case "update":
                return self._finish(call, await self.writes.update(call), form)
            case "patch":
                return self._finish(call, await self.patches.patch(call), form)
            case "delete":
                code, document = await self.deletes.delete(call)
                return self._finish(call, Result(code, document), form)
            case "deletecollection":
                return self._finish(call, await self.deletes.delete_collection(call), form)
            case _:
                raise faults.method_not_allowed(target.verb)

    def _check_verb(self, served: Served, target: Target) -> None:
        verbs = served.verbs
        if target.subresource:
            sub = served.subresources.get(target.subresource.split("/")[0])
            if sub is None:
                raise faults.no_such_resource()
            if sub.name in _NOT_HERE:
                text = f"{target.plural}/{sub.name} is not available: this cluster is simulated, its pods run nothing"
                raise faults.Fault(501, "NotImplemented", text)
            verbs = sub.verbs
        if target.verb not in verbs or bool(target.name) != (target.verb in _OF_ONE or bool(target.subresource)):
            raise faults.method_not_allowed(target.verb)
        if served.resource.namespaced and not target.namespace and target.verb not in ("list", "watch"):
            raise faults.method_not_allowed(target.verb)

    async def _subresource(self, call: Call) -> Result | bytes | Json:
        name, verb = call.target.subresource, call.target.verb
        if verb == "get":
            if name == "scale":
                return subresources.scale_of(call, self._current(call))
            return self.reads.get(call, bodies.Form())
        if verb == "patch":
            result = await self.patches.patch(call)
        elif name == "status" and verb == "update":
            return await self.writes.update(call)
        elif name == "scale":
            scale = self.writes.decode(call)
            result = await self.writes.replace(call, lambda obj: subresources.set_scale(call, obj, scale))
        elif name == "finalize":
            namespace = self.writes.decode(call)
            return await self.writes.replace(call, lambda obj: subresources.finalize_namespace(obj, namespace))
        elif name == "token":
            return Result(201, reviews.token(self.context, call, self.writes.decode(call), self._current(call)))
        elif name in ("binding", "eviction"):
            return await self._pod_verb(call, name)
        else:
            return await self.writes.update(call)
        if name == "scale":
            return Result(200, subresources.scale_of(call, result.obj))
        return result

    async def _pod_verb(self, call: Call, name: str) -> Result:
        document = self.writes.decode(call)
        if name == "eviction":
            await self.deletes.delete(call)
        else:
            await self.writes.replace(call, lambda pod: subresources.bind_pod(pod, document))
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Result(201, status)

    def _current(self, call: Call) -> Json:
        entry = self.context.entry(call.served, call.target.namespace, call.target.name)
        if entry is None:
            raise faults.not_found(call.served.resource, call.target.name)
        return entry.json()

    def _watch(self, call: Call, form: bodies.Form) -> Response:
        headers = {"content-type": "application/json", **_STANDARD_HEADERS, **_warnings(call)}
        try:
            watcher = self.reads.watch(call, form)
        except faults.Fault as fault:
            if fault.code != 410:
                raise
            return Response(200, _encode({"type": "ERROR", "object": fault.status}) + b"\n", headers)
        self._watchers.add(watcher)
        return Response(200, self._stream(watcher), headers)

    async def _stream(self, watcher: Watcher) -> AsyncIterator[bytes]:
        lines = watcher.run()
        try:
            async for chunk in lines:
                yield chunk
        finally:
            await lines.aclose()
            self._watchers.discard(watcher)

    def _finish(self, call: Call, outcome: Result | bytes | Json, form: bodies.Form) -> Response:
        code = 200
        document: Any = outcome
        if isinstance(outcome, Result):
            code, document = outcome.code, outcome.obj
            if form.shape == "Table" and document.get("kind") == call.gvk.kind:
                from hansa.apiserver import tables

                version = document["metadata"].get("resourceVersion", "")
                document = tables.table(call, [document], self.context.clock.now(), version)
        content = bodies.encode(document, form)
        return _maybe_compressed(_answer(code, content, _warnings(call), form.media), call.request)


def _health(name: str, path: str, target: Target) -> Response:
    """The server answers, so it is well; single checks and the long form are there for those who ask for them."""
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    check = path.strip("/").partition("/")[2]
    if check and check not in _CHECKS:
        raise faults.no_such_resource()
    if target.query.all("verbose") and not check:
        lines = [f"[+]{one} ok" for one in _CHECKS]
        return Response(200, "\n".join([*lines, f"{name} check passed", ""]).encode(), headers)
    return Response(200, b"ok", headers)


def _asked(target: Target) -> Attributes:
    if not target.is_resource:
        return Attributes(target.verb, path=target.path)
    return Attributes(
        target.verb,
        target.group,
        target.version,
        target.plural,
        target.subresource,
        target.namespace,
        target.name or _selected_name(target),
        target.path,
    )


def _selected_name(target: Target) -> str:
    """Who lists or watches one object by its name needs a right to that object only (kube-apiserver: RequestInfo)."""
    if target.verb not in ("list", "watch"):
        return ""
    try:
        name = parse_fields(target.query.get("fieldSelector")).exact("metadata.name") or ""
    except SelectorError:
        return ""
    return "" if name in (".", "..") or "/" in name or "%" in name else name


def _warnings(call: Call) -> dict[str, str]:
    """All warnings in one header value; each is quoted, so readers can take them apart."""
    if not call.warnings:
        return {}
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in call.warnings]
    return {"warning": ", ".join(f'299 - "{text}"' for text in quoted)}


def _answer(code: int, content: bytes, headers: dict[str, str], media: str = bodies.JSON) -> Response:
    return Response(code, content, {"content-type": media, **_STANDARD_HEADERS, **headers})


def _maybe_compressed(response: Response, request: Request) -> Response:
    if not isinstance(response.body, bytes):
        return response
    packed = bodies.compressed(response.body, request.headers.get("accept-encoding", ""))
    if packed is None:
        return response
    return Response(response.code, packed, {**response.headers, "content-encoding": "gzip", "vary": "Accept-Encoding"})
