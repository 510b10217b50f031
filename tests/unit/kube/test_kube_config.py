"""Kubeconfig files: what is read, how several merge, and what is said when one cannot be used."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import trustme
import yaml

from hansa.kube import config
from hansa.kube.auth import Impersonation
from hansa.kube.errors import ConfigError

CA = trustme.CA()
CA_PEM = CA.cert_pem.bytes()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def write(path: Path, *, current: str = "me@hub", cluster: object = None, user: object = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "current-context": current,
        "clusters": [{"name": "hub", "cluster": {"server": "https://hub:6443"} if cluster is None else cluster}],
        "users": [{"name": "me", "user": {"token": "sesame"} if user is None else user}],
        "contexts": [
            {"name": "me@hub", "context": {"cluster": "hub", "user": "me", "namespace": "team"}},
            {"name": "nobody@hub", "context": {"cluster": "hub"}},
            {"name": "me@nowhere", "context": {"cluster": "nowhere", "user": "me"}},
            {"name": "you@hub", "context": {"cluster": "hub", "user": "you"}},
        ],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


async def authorization(found: config.ClusterConfig) -> str:
    return (await found.credentials.identity()).authorization


async def test_the_current_context(home: Path) -> None:
    found = config.load(write(home / "k"))
    assert (found.server, found.namespace, found.context_name) == ("https://hub:6443", "team", "me@hub")
    assert await authorization(found) == "Bearer sesame"
    assert "sesame" not in repr(found)


async def test_a_named_context_without_user_is_anonymous(home: Path) -> None:
    found = config.load(write(home / "k"), "nobody@hub")
    assert await authorization(found) == ""
    assert found.namespace == "default"


async def test_everything_about_a_cluster(home: Path) -> None:
    cluster = {
        "server": "https://10.0.0.1:6443/k8s/c-1/",
        "certificate-authority-data": b64(CA_PEM),
        "tls-server-name": "hub.example",
        "proxy-url": "http://proxy:3128",
    }
    user = {"token": "t", "as": "bob", "as-groups": ["a", "b"], "as-uid": "7", "as-user-extra": {"scope": ["x"]}}
    found = config.load(write(home / "k", cluster=cluster, user=user))
    assert found.server == "https://10.0.0.1:6443/k8s/c-1"
    assert found.ca_data == CA_PEM
    assert (found.tls_server_name, found.proxy_url) == ("hub.example", "http://proxy:3128")
    assert found.impersonate == Impersonation("bob", "7", ("a", "b"), {"scope": ("x",)})


async def test_files_are_relative_to_the_kubeconfig(home: Path) -> None:
    issued = CA.issue_cert(common_name="alice")
    folder = home / "deep"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(CA_PEM)
    (folder / "c.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / "k.pem").write_bytes(issued.private_key_pem.bytes())
    (folder / "token").write_text("from-file\n")
    user = {"client-certificate": "c.pem", "client-key": "k.pem", "tokenFile": "token", "token": "inline"}
    cluster = {"server": "https://hub", "certificate-authority": "ca.pem"}
    found = config.load(write(folder / "k", cluster=cluster, user=user))
    identity = await found.credentials.identity()
    assert found.ca_data == CA_PEM
    assert identity.certificate == issued.cert_chain_pems[0].bytes()
    assert identity.key == issued.private_key_pem.bytes()
    assert identity.authorization == "Bearer from-file"


async def test_inline_data_comes_before_files(home: Path) -> None:
    user = {
        "client-certificate-data": b64(b"C"),
        "client-certificate": "missing.pem",
        "client-key-data": b64(b"K"),
        "client-key": "missing.pem",
    }
    identity = await config.load(write(home / "k", user=user)).credentials.identity()
    assert (identity.certificate, identity.key) == (b"C", b"K")


async def test_basic(home: Path) -> None:
    found = config.load(write(home / "k", user={"username": "u", "password": "p"}))
    assert await authorization(found) == "Basic " + b64(b"u:p")


async def test_kubeconfig_variable_merges_and_the_first_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(home / "first", current="", user={"token": "first"})
    second = home / "second"
    second.write_text(
        yaml.safe_dump(
            {
                "current-context": "other",
                "contexts": [{"name": "other", "context": {"cluster": "hub", "user": "me"}}],
                "users": [{"name": "me", "user": {"token": "second"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", f"{home / 'absent'}:{first}:{second}")
    found = config.load()
    assert found.context_name == "other"
    assert await authorization(found) == "Bearer first"


def test_the_usual_file_then_the_pod_then_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"no kubeconfig: .*\.kube/config does not exist; give one with --kubeconfig"):
        config.load()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        config.load()
    write(home / ".kube" / "config")
    assert config.load().server == "https://hub:6443"


async def test_in_a_pod(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name, content in (("token", b"pod"), ("ca.crt", CA_PEM), ("namespace", b"hansa-system")):
        (home / name).write_bytes(content)
    found = config.in_cluster(home)
    assert (found.server, found.namespace, found.ca_data) == ("https://[fd00::1]:443", "hansa-system", CA_PEM)
    assert await authorization(found) == "Bearer pod"


EXEC = {"command": "x", "apiVersion": "client.authentication.k8s.io/v1"}

FAULTY = [
    ({"current": ""}, None, r"k: no current-context; choose one with --context \(there are: me@hub, "),
    ({}, "missing", r'k: context "missing" does not exist \(there are: me@hub, nobody@hub, '),
    ({}, "me@nowhere", r'k: cluster "nowhere" does not exist \(there are: hub\)'),
    ({}, "you@hub", r'k: user "you" does not exist \(there are: me\)'),
    ({"cluster": {}}, None, r'k: cluster "hub": server is missing'),
    ({"cluster": {"server": "ftp://x"}}, None, r'cluster "hub": server: .* is not an http or https URL'),
    (
        {"cluster": {"server": "https://h", "certificate-authority": "no.pem"}},
        None,
        r"certificate-authority: cannot read",
    ),
    ({"cluster": {"server": "https://h", "certificate-authority-data": "%"}}, None, r"authority-data is not base64"),
    (
        {"cluster": {"server": "https://h", "certificate-authority-data": b64(b"x")}},
        None,
        r"authority-data: .* not PEM",
    ),
    (
        {
            "cluster": {
                "server": "https://h",
                "insecure-skip-tls-verify": True,
                "certificate-authority-data": b64(CA_PEM),
            }
        },
        None,
        r"remove one of them",
    ),
    ({"cluster": {"server": "https://h", "proxy-url": "socks5://p"}}, None, r"proxy-url: only http and https"),
    ({"user": {"tokenFile": "no"}}, None, r'user "me": tokenFile: cannot read'),
    ({"user": {"client-certificate-data": b64(b"C")}}, None, r"client-key is missing"),
    ({"user": {"auth-provider": {"name": "gcp"}}}, None, r"use an exec plugin"),
    ({"user": {"exec": {}}}, None, r"exec.command is missing"),
    ({"user": {"exec": {**EXEC, "apiVersion": "v9"}}}, None, r"exec.apiVersion: 'v9' is not one of"),
    ({"user": {"exec": {**EXEC, "interactiveMode": "Always"}}}, None, r"needs a terminal"),
    ({"user": {"as-uid": "1"}}, None, r'user "me": as is missing'),
]


@pytest.mark.parametrize(("given", "context", "message"), FAULTY)
def test_faults_name_file_field_and_way_out(
    home: Path, given: dict[str, object], context: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load(write(home / "k", **given), context)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "is not YAML at line"),
        ("just text", "is not a kubeconfig"),
        ("clusters: 5", "clusters must be a list"),
        ("users: [{}]", r"users\[0\] has no name"),
        ("", "no current-context"),
    ],
)
def test_files_that_are_no_kubeconfig(home: Path, content: str, message: str) -> None:
    (home / "k").write_text(content)
    with pytest.raises(ConfigError, match=message):
        config.load(home / "k")


def test_a_missing_file(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"kubeconfig .*/none does not exist; give one with --kubeconfig"):
        config.load(home / "none")
