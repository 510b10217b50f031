"""The admission chain: plug-ins, hooks in process, webhooks over HTTPS."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trustme
from aiohttp import web

from hansa.api.meta import Json, Resource
from hansa.apiserver.admission import Admission
from hansa.apiserver.admission_review import AdmissionRequest, AdmissionResponse
from hansa.apiserver.message import UserInfo

PODS = Resource("", "v1", "pods", "Pod", True)
THINGS = Resource("example.com", "v1", "things", "Thing", True)
CREATE = {"operations": ["CREATE"], "apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["things"]}


class Store:
    def __init__(self, *objects: Json) -> None:
        self.objects = objects

    def get(self, group: str, kind: str, namespace: str, name: str) -> Json | None:
        return next((o for o in self.list(group, kind) if o["metadata"]["name"] == name), None)

    def list(self, group: str, kind: str, namespace: str = "") -> list[Json]:
        return [o for o in self.objects if o["kind"] == kind]


class Hook:
    def __init__(self, **answer: Any) -> None:
        self.answer = AdmissionResponse(**answer)
        self.seen: list[AdmissionRequest] = []

    async def admit(self, request: AdmissionRequest) -> AdmissionResponse:
        self.seen.append(request)
        return self.answer


def chain(*objects: Json, **more: Any) -> Admission:
    return Admission(Store(*objects), suffix=lambda: "abcde", **more)


def thing(resource: Resource = THINGS, operation: Any = "CREATE", **more: Any) -> AdmissionRequest:
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "x", "namespace": "ns"}}
    fields: dict[str, Any] = {"object": obj, **more}
    return AdmissionRequest("uid-1", resource, operation, "x", "ns", UserInfo("alice"), **fields)


def label(key: str, value: str) -> Json:
    return {"op": "add", "path": "/metadata/labels", "value": {key: value}}


async def test_hooks_change_in_the_order_of_their_names() -> None:
    admission = chain()
    admission.plug(Hook(patch=[label("a", "second")]), {"name": "b", "rules": [CREATE]}, mutating=True)
    admission.plug(
        Hook(patch=[label("a", "first")], warnings=["careful"]), {"name": "a", "rules": [CREATE]}, mutating=True
    )
    request = thing()
    outcome = await admission.mutate(request)
    assert outcome.object is not None
    assert outcome.object["metadata"]["labels"] == {"a": "second"}
    assert list(outcome.warnings) == ["careful"]
    assert request.object is not None and "labels" not in request.object["metadata"]


async def test_a_hook_that_asks_for_it_sees_later_changes() -> None:
    admission = chain()
    early = Hook()
    admission.plug(early, {"name": "a", "rules": [CREATE], "reinvocationPolicy": "IfNeeded"}, mutating=True)
    admission.plug(Hook(patch=[label("a", "b")]), {"name": "b", "rules": [CREATE]}, mutating=True)
    await admission.mutate(thing())
    assert len(early.seen) == 2
    assert early.seen[1].object is not None and early.seen[1].object["metadata"]["labels"] == {"a": "b"}


async def test_a_refusal_names_the_webhook() -> None:
    admission = chain()
    refusing = Hook(allowed=False, message="not today", code=403, reason="Forbidden")
    admission.plug(refusing, {"name": "guard.x.y", "rules": [CREATE]}, mutating=False)
    outcome = await admission.validate(thing())
    assert outcome.denial is not None
    assert outcome.denial["message"] == 'admission webhook "guard.x.y" denied the request: not today'
    assert outcome.denial["code"] == 403
    admission = chain()
    admission.plug(Hook(allowed=False), {"name": "g", "rules": [CREATE]}, mutating=False)
    outcome = await admission.validate(thing())
    assert outcome.denial is not None
    assert outcome.denial["message"] == 'admission webhook "g" denied the request without explanation'
    assert outcome.denial["code"] == 400


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({}, True),
        ({"operations": ["UPDATE"]}, False),
        ({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}, True),
        ({"resources": ["*/*"]}, True),
        ({"resources": ["things/status"]}, False),
        ({"scope": "Cluster"}, False),
        ({"scope": "Namespaced"}, True),
        ({"apiVersions": ["v2"]}, False),
        ({"apiGroups": ["other"]}, False),
    ],
)
async def test_rules(change: Json, concerned: bool) -> None:
    admission, hook = chain(), Hook()
    admission.plug(hook, {"name": "h", "rules": [{**CREATE, **change}]}, mutating=False)
    await admission.validate(thing())
    assert bool(hook.seen) is concerned


async def test_subresources() -> None:
    admission, hook = chain(), Hook()
    admission.plug(hook, {"name": "h", "rules": [{**CREATE, "resources": ["things"]}]}, mutating=False)
    await admission.validate(thing(subresource="status"))
    assert not hook.seen
    admission.plug(hook, {"name": "i", "rules": [{**CREATE, "resources": ["*/status"]}]}, mutating=False)
    await admission.validate(thing(subresource="status"))
    assert len(hook.seen) == 1


async def test_equivalent_versions() -> None:
    other = THINGS._replace(version="v2")
    admission, hook = chain(equivalents=lambda resource: [other]), Hook()
    rules = [{**CREATE, "apiVersions": ["v2"]}]
    admission.plug(hook, {"name": "h", "rules": rules}, mutating=False)
    admission.plug(hook, {"name": "i", "rules": rules, "matchPolicy": "Exact"}, mutating=False)
    await admission.validate(thing())
    assert len(hook.seen) == 1
    assert hook.seen[0].object is not None and hook.seen[0].object["apiVersion"] == "example.com/v2"


async def test_selectors() -> None:
    namespace = {"kind": "Namespace", "metadata": {"name": "ns", "labels": {"team": "a"}}}
    admission = chain(namespace)
    hooks = {name: Hook() for name in ("team a", "team b", "object", "no such label")}
    for name, selectors in (
        ("team a", {"namespaceSelector": {"matchLabels": {"team": "a"}}}),
        (
            "team b",
            {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}},
        ),
        ("object", {"objectSelector": {"matchLabels": {"k": "v"}}}),
        ("no such label", {"objectSelector": {"matchLabels": {"k": "other"}}}),
    ):
        admission.plug(hooks[name], {"name": name, "rules": [CREATE], **selectors}, mutating=False)
    request = thing()
    assert request.object is not None
    request.object["metadata"]["labels"] = {"k": "v"}
    await admission.validate(request)
    assert {name for name, hook in hooks.items() if hook.seen} == {"team a", "object"}


async def test_configurations_cannot_be_guarded() -> None:
    admission, hook = chain(), Hook(allowed=False)
    rules = [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]
    admission.plug(hook, {"name": "h", "rules": rules}, mutating=False)
    resource = Resource(
        "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False
    )
    assert (await admission.validate(thing(resource))).denial is None


async def test_dry_run_needs_a_promise() -> None:
    admission, hook = chain(), Hook()
    admission.plug(hook, {"name": "h", "rules": [CREATE], "sideEffects": "Some"}, mutating=False)
    outcome = await admission.validate(thing(dry_run=True))
    assert outcome.denial is not None
    assert outcome.denial["message"] == 'admission webhook "h" does not support dry run'


async def test_pods_are_completed() -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "default"}, "imagePullSecrets": [{"name": "pull"}]}
    priority = {"kind": "PriorityClass", "metadata": {"name": "usual"}, "value": 7, "globalDefault": True}
    admission = chain(account, priority)
    request = thing(PODS)
    assert request.object is not None
    request.object["spec"] = {"containers": [{"name": "c"}]}
    outcome = await admission.mutate(request)
    assert outcome.object is not None
    spec = outcome.object["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert spec["volumes"][0]["name"] == "kube-api-access-abcde"
    assert spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert (spec["priority"], spec["priorityClassName"]) == (7, "usual")
    assert [t["key"] for t in spec["tolerations"]] == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    assert "priority" not in request.object["spec"]


async def test_pods_need_their_account_and_class() -> None:
    request = thing(PODS)
    assert request.object is not None
    request.object["spec"] = {"containers": []}
    outcome = await chain().mutate(request)
    assert outcome.denial is not None
    assert outcome.denial["message"] == (
        'pods "x" is forbidden: error looking up service account ns/default: serviceaccount "default" not found'
    )
    request.object["spec"]["priorityClassName"] = "nope"
    outcome = await chain(plugged_in=frozenset({"Priority"})).mutate(request)
    assert outcome.denial is not None
    assert outcome.denial["message"] == 'pods "x" is forbidden: no PriorityClass with name nope was found'


async def test_some_namespaces_stay() -> None:
    namespaces = Resource("", "v1", "namespaces", "Namespace", False)
    request = AdmissionRequest("u", namespaces, "DELETE", "default", "", UserInfo("a"), None, {"metadata": {}})
    outcome = await chain().mutate(request)
    assert outcome.denial is not None
    assert outcome.denial["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


# -- over HTTPS -------------------------------------------------------------------------------------------------------


class Webhook:
    """A webhook server: remembers reviews, answers as told."""

    def __init__(self) -> None:
        self.reviews: list[Json] = []
        self.response: Json = {"allowed": True}
        self.raw: bytes | None = None
        self.code = 200
        self.url = ""
        self.ca = ""
        self.query: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.Response:
        review = msgspec.json.decode(await request.read())
        self.reviews.append(review)
        self.query = dict(request.query)
        if self.raw is not None:
            return web.Response(body=self.raw, status=self.code)
        answer = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": review["request"]["uid"], **self.response},
        }
        return web.json_response(answer, status=self.code)

    def configuration(self, kind: str = "ValidatingWebhookConfiguration", **more: Any) -> Json:
        entry = {
            "name": "a.b.c",
            "clientConfig": {"url": self.url, "caBundle": self.ca},
            "rules": [CREATE],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            **more,
        }
        return {"kind": kind, "metadata": {"name": "one"}, "webhooks": [entry]}


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Webhook()
    app = web.Application()
    app.router.add_post("/check", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"https://127.0.0.1:{port}/check"
    server.ca = base64.b64encode(authority.cert_pem.bytes()).decode()
    yield server
    await runner.cleanup()


@pytest.fixture
async def admission() -> AsyncIterator[Admission]:
    made = chain()
    yield made
    await made.close()


async def test_a_webhook_gets_the_review_and_its_patch_counts(webhook: Webhook, admission: Admission) -> None:
    patch = base64.b64encode(msgspec.json.encode([label("by", "webhook")])).decode()
    webhook.response = {"allowed": True, "patch": patch, "patchType": "JSONPatch", "warnings": ["hm"]}
    admission.changed(None, webhook.configuration("MutatingWebhookConfiguration", timeoutSeconds=7))
    outcome = await admission.mutate(thing(dry_run=True))
    assert outcome.object is not None
    assert outcome.object["metadata"]["labels"] == {"by": "webhook"}
    assert list(outcome.warnings) == ["hm"]
    sent = webhook.reviews[0]["request"]
    assert sent["uid"] == "uid-1"
    assert sent["operation"] == "CREATE"
    assert sent["dryRun"] is True
    assert sent["kind"] == {"group": "example.com", "version": "v1", "kind": "Thing"}
    assert sent["resource"] == {"group": "example.com", "version": "v1", "resource": "things"}
    assert sent["userInfo"] == {"username": "alice"}
    assert sent["object"]["metadata"]["name"] == "x"
    assert sent["oldObject"] is None
    assert webhook.query == {"timeout": "7s"}


async def test_a_webhook_refuses(webhook: Webhook, admission: Admission) -> None:
    webhook.response = {"allowed": False, "status": {"message": "no", "code": 422, "reason": "Invalid"}}
    admission.changed(None, webhook.configuration())
    outcome = await admission.validate(thing())
    assert outcome.denial is not None
    assert outcome.denial["message"] == 'admission webhook "a.b.c" denied the request: no'
    assert (outcome.denial["code"], outcome.denial["reason"]) == (422, "Invalid")


@pytest.mark.parametrize(
    "raw", [b"nonsense", b'{"kind":"Foo"}', b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}']
)
async def test_answers_that_are_none(webhook: Webhook, admission: Admission, raw: bytes) -> None:
    webhook.raw = raw
    configuration = webhook.configuration()
    admission.changed(None, configuration)
    outcome = await admission.validate(thing())
    assert outcome.denial is not None
    assert outcome.denial["code"] == 500
    assert outcome.denial["message"].startswith('Internal error occurred: failed calling webhook "a.b.c": ')
    admission.changed(configuration, webhook.configuration(failurePolicy="Ignore"))
    assert (await admission.validate(thing())).denial is None


async def test_certificates_are_checked(webhook: Webhook, admission: Admission) -> None:
    webhook.ca = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    admission.changed(None, webhook.configuration())
    outcome = await admission.validate(thing())
    assert outcome.denial is not None
    assert f'Post "{webhook.url}?timeout=10s"' in outcome.denial["message"]
    assert webhook.reviews == []


async def test_services_cannot_be_called_here(admission: Admission) -> None:
    config = {"service": {"name": "s", "namespace": "n"}}
    entry = {"name": "a.b.c", "clientConfig": config, "rules": [CREATE], "failurePolicy": "Fail"}
    admission.changed(
        None, {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "one"}, "webhooks": [entry]}
    )
    outcome = await admission.validate(thing())
    assert outcome.denial is not None
    assert "service n/s cannot be reached" in outcome.denial["message"]


async def test_a_configuration_that_goes_is_asked_no_more(webhook: Webhook, admission: Admission) -> None:
    configuration = webhook.configuration()
    admission.changed(None, configuration)
    admission.changed(configuration, None)
    await admission.validate(thing())
    assert webhook.reviews == []
