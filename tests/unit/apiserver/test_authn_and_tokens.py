"""Who asks: bearer tokens, ServiceAccount JWTs, certificates, impersonation."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hansa.api.meta import Json
from hansa.apiserver.authn import ANONYMOUS, Authenticator, BadImpersonation, Refusal, user_of_subject
from hansa.apiserver.message import Request, UserInfo
from hansa.apiserver.rbac import Attributes, Authorizer
from hansa.apiserver.tokens import TokenIssuer, TokenRefused

ROOT = UserInfo("root", ("system:masters",))
LIST_PODS = Attributes("list", "", "v1", "pods")


class Time:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


class Objects(dict[tuple[str, str, str], Json]):
    def get(self, group: str, kind: str, namespace: str, name: str) -> Json | None:  # type: ignore[override]
        assert group == ""
        return super().get((kind, namespace, name))

    def list(self, group: str, kind: str, namespace: str = "") -> list[Json]:
        return [obj for (k, _, _), obj in self.items() if k == kind]

    def add(self, kind: str, name: str, namespace: str = "a", uid: str = "u", **more: Json) -> Json:
        self[(kind, namespace, name)] = obj = {
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            **more,
        }
        return obj


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(params=["ES256", "RS256"], scope="module")
def key(request: pytest.FixtureRequest) -> bytes:
    if request.param == "ES256":
        return pem(ec.generate_private_key(ec.SECP256R1()))
    return pem(rsa.generate_private_key(65537, 2048))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def issuer(key: bytes, time: Time, objects: Objects) -> TokenIssuer:
    return TokenIssuer(issuer="https://hansa", private_key_pem=key, clock=time, lookup=objects)


def claims(token: str) -> Json:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_token_names_its_account_until_it_expires(issuer: TokenIssuer, time: Time, objects: Objects) -> None:
    account = objects.add("ServiceAccount", "robot", uid="u-1")
    answer = issuer.request(account, {"spec": {"expirationSeconds": 600}})
    token = answer["status"]["token"]
    assert answer["status"]["expirationTimestamp"] == "2026-01-01T00:10:00Z"
    assert claims(token)["sub"] == "system:serviceaccount:a:robot"
    assert claims(token)["aud"] == ["https://hansa"]
    user = issuer.authenticate(token)
    assert user is not None
    assert user.name == "system:serviceaccount:a:robot"
    assert user.uid == "u-1"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated")
    time.moment += timedelta(seconds=601)
    assert issuer.authenticate(token) is None


def test_tokens_die_with_their_account(issuer: TokenIssuer, objects: Objects) -> None:
    account = objects.add("ServiceAccount", "robot", uid="u-1")
    token = issuer.request(account, {})["status"]["token"]
    objects.add("ServiceAccount", "robot", uid="u-2")
    assert issuer.authenticate(token) is None


def test_audiences(issuer: TokenIssuer, objects: Objects) -> None:
    account = objects.add("ServiceAccount", "robot")
    token = issuer.request(account, {"spec": {"audiences": ["vault"]}})["status"]["token"]
    assert issuer.authenticate(token) is None
    assert issuer.authenticate(token, ("vault",)) is not None


def test_tokens_bound_to_a_pod(issuer: TokenIssuer, time: Time, objects: Objects) -> None:
    account = objects.add("ServiceAccount", "robot")
    pod = objects.add("Pod", "p", uid="p-1", spec={"serviceAccountName": "robot", "nodeName": "n"})
    objects.add("Node", "n", namespace="", uid="n-1")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
    token = issuer.request(account, {"spec": {"boundObjectRef": bound}})["status"]["token"]
    user = issuer.authenticate(token)
    assert user is not None
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    assert user.extra["authentication.kubernetes.io/node-uid"] == ("n-1",)
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert issuer.authenticate(token) is not None
    time.moment += timedelta(seconds=61)
    assert issuer.authenticate(token) is None


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"expirationSeconds": 5}, 422),
        ({"boundObjectRef": {"kind": "Foo", "apiVersion": "v1", "name": "x"}}, 400),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "x"}}, 404),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "other"}}, 409),
    ],
)
def test_requests_that_are_refused(issuer: TokenIssuer, objects: Objects, spec: Json, code: int) -> None:
    account = objects.add("ServiceAccount", "robot")
    objects.add("Secret", "s")
    with pytest.raises(TokenRefused) as refused:
        issuer.request(account, {"spec": spec})
    assert refused.value.code == code


def test_secrets_are_filled_once_and_hold_a_token(issuer: TokenIssuer, objects: Objects) -> None:
    account = objects.add("ServiceAccount", "robot", uid="u-1")
    secret = objects.add("Secret", "s")
    assert issuer.fill_secret(secret, account, b"CA")
    assert not issuer.fill_secret(secret, account, b"CA")
    assert base64.b64decode(secret["data"]["ca.crt"]) == b"CA"
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == "u-1"
    token = base64.b64decode(secret["data"]["token"]).decode()
    user = issuer.authenticate(token)
    assert user is not None and user.uid == "u-1"
    secret["data"]["token"] = ""
    assert issuer.authenticate(token) is None


def test_forged_tokens(issuer: TokenIssuer, key: bytes, time: Time, objects: Objects) -> None:
    account = objects.add("ServiceAccount", "robot")
    token = issuer.request(account, {})["status"]["token"]
    head, payload, signature = token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    other = TokenIssuer(
        issuer="https://hansa", private_key_pem=pem(ec.generate_private_key(ec.SECP256R1())), clock=time, lookup=objects
    )
    for forged in (
        f"{none}.{payload}.",
        f"{head}.{payload[:-2]}xx.{signature}",
        f"{head}.{payload}.{signature[:-4]}",
        "a.b.c",
        "nonsense",
        other.request(account, {})["status"]["token"],
    ):
        assert issuer.authenticate(forged) is None, forged


def test_the_keys_are_published(issuer: TokenIssuer) -> None:
    (jwk,) = issuer.keys()["keys"]
    assert jwk["alg"] in ("RS256", "ES256")
    assert "d" not in jwk
    assert issuer.configuration()["issuer"] == "https://hansa"


def request(user: UserInfo | None = None, **headers: str) -> Request:
    return Request("GET", "/", headers={key.replace("_", "-"): value for key, value in headers.items()}, user=user)


def test_bearer_tokens_and_nobody() -> None:
    authn = Authenticator(static_tokens={"secret": UserInfo("ci", ("bots",))})
    assert authn.authenticate(request(authorization="Bearer secret")) == UserInfo(
        "ci", ("bots", "system:authenticated")
    )
    assert authn.authenticate(request(authorization="bearer  secret")) is not None
    assert authn.authenticate(request(authorization="Bearer wrong")) is None
    assert authn.authenticate(request()) == ANONYMOUS
    assert Authenticator(anonymous=False).authenticate(request()) is None
    known = authn.authenticate(request(UserInfo("x")))
    assert known == UserInfo("x", ("system:authenticated",))


def test_certificates() -> None:
    assert user_of_subject("me", ["a"]) == UserInfo("me", ("a", "system:authenticated"))
    assert user_of_subject("", ["a"]) is None


def impersonator(*names: str) -> Authorizer:
    rules = [
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users", "groups"], "resourceNames": list(names)}
    ]
    return Authorizer(
        [
            {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": rules},
            {
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "b"},
                "roleRef": {"kind": "ClusterRole", "name": "r"},
                "subjects": [{"kind": "User", "name": "alice"}],
            },
        ]
    )


def test_impersonation() -> None:
    authn, alice = Authenticator(), UserInfo("alice")
    assert authn.impersonate(request(), alice, Authorizer(), LIST_PODS) is alice
    as_bob = request(impersonate_user="bob")
    assert authn.impersonate(as_bob, ROOT, Authorizer(), LIST_PODS) == UserInfo("bob", ("system:authenticated",))
    refused = authn.impersonate(as_bob, alice, Authorizer(), LIST_PODS)
    assert isinstance(refused, Refusal)
    assert refused.asked.verb == "impersonate-on:user-info:list"
    assert authn.impersonate(as_bob, alice, impersonator("bob"), LIST_PODS) == UserInfo(
        "bob", ("system:authenticated",)
    )
    grouped = request(impersonate_user="bob", impersonate_group="g1\ng2")
    assert isinstance(authn.impersonate(grouped, alice, impersonator("bob", "g1"), LIST_PODS), Refusal)
    allowed = authn.impersonate(grouped, alice, impersonator("bob", "g1", "g2"), LIST_PODS)
    assert allowed == UserInfo("bob", ("g1", "g2", "system:authenticated"))


def test_impersonating_an_account_brings_its_groups() -> None:
    found = Authenticator().impersonate(
        request(impersonate_user="system:serviceaccount:a:robot"), ROOT, Authorizer(), LIST_PODS
    )
    assert isinstance(found, UserInfo)
    assert found.groups == ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated")


def test_impersonation_needs_a_user() -> None:
    with pytest.raises(BadImpersonation, match="without impersonating a user name"):
        Authenticator().impersonate(request(impersonate_group="g"), ROOT, Authorizer(), LIST_PODS)


def test_extra_is_read_with_its_escapes() -> None:
    found = Authenticator().impersonate(
        request(impersonate_user="bob", impersonate_uid="5", **{"impersonate_extra_a%2fb": "x\ny"}),
        ROOT,
        Authorizer(),
        LIST_PODS,
    )
    assert isinstance(found, UserInfo)
    assert found.extra == {"a/b": ("x", "y")}
    assert found.uid == "5"
