"""Token files that rotate, and exec plugins that expire."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support import virtual_time

from hansa.kube import auth
from hansa.kube.auth import Identity
from hansa.kube.errors import ConfigError
from hansa.kube.execplugin import ExecCredentials, ExecPlugin


def test_a_token_file_is_read_again_after_a_minute_or_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def story() -> list[str]:
        credentials = auth.Files(token=auth.WatchedFile(file, "tokenFile"))
        seen: list[str] = []

        async def look() -> None:
            seen.append((await credentials.identity()).authorization.removeprefix("Bearer "))

        write(file, "one")
        await look()
        write(file, "two")
        await look()
        await asyncio.sleep(61)
        await look()
        write(file, "three")
        assert credentials.refused(await credentials.identity())
        await look()
        file.unlink()
        await asyncio.sleep(61)
        await look()
        return seen

    assert virtual_time.run(story()) == ["one", "one", "two", "three", "three"]


def write(file: Path, content: str) -> None:
    file.write_text(content)


async def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    credentials = auth.Files(token=auth.WatchedFile(tmp_path / "no", "user me: tokenFile"))
    with pytest.raises(ConfigError, match="user me: tokenFile: cannot read"):
        await credentials.identity()


class Plugin:
    """A shell script that counts its calls and prints what is in a file."""

    def __init__(self, folder: Path, *, then: str = "") -> None:
        self.folder = folder
        self.script = folder / "plugin"
        self.script.write_text(
            f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> {folder}/calls\ncat {folder}/answer\n{then}\n'
        )
        self.script.chmod(stat.S_IRWXU)

    def answers(self, token: str = "", **status: str) -> None:
        given = {"token": token, **status} if token else status
        self.says(
            json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": given})
        )

    def says(self, text: str) -> None:
        (self.folder / "answer").write_text(text)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


async def test_a_plugin_is_asked_once_until_its_answer_expires(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    plugin = Plugin(tmp_path)
    plugin.answers("a", expirationTimestamp="2026-01-01T00:10:00Z")
    described = ExecPlugin(str(plugin.script), cluster={"server": "https://hub"})
    credentials = ExecCredentials(described, now=lambda: now)
    together = await asyncio.gather(*(credentials.identity() for _ in range(5)))
    assert {identity.authorization for identity in together} == {"Bearer a"}
    assert len(plugin.calls) == 1
    assert json.loads(plugin.calls[0])["spec"] == {"interactive": False, "cluster": {"server": "https://hub"}}
    plugin.answers("b")
    now += timedelta(minutes=11)
    assert (await credentials.identity()).authorization == "Bearer b"
    plugin.answers("c")
    assert (await credentials.identity()).authorization == "Bearer b"
    assert credentials.refused(Identity("Bearer b"))
    assert credentials.refused(Identity("Bearer a"))
    assert (await credentials.identity()).authorization == "Bearer c"
    credentials.refused(Identity("Bearer b"))  # a late 401 of the old token throws nothing away
    await credentials.identity()
    assert len(plugin.calls) == 3


async def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path)
    plugin.answers(clientCertificateData="C", clientKeyData="K")
    identity = await ExecCredentials(ExecPlugin(str(plugin.script))).identity()
    assert (identity.authorization, identity.certificate, identity.key) == ("", b"C", b"K")


async def test_an_explicit_token_comes_before_the_plugins(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path)
    plugin.answers("plugin")
    credentials = auth.Layered(auth.bearer("explicit"), ExecCredentials(ExecPlugin(str(plugin.script))))
    assert (await credentials.identity()).authorization == "Bearer explicit"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("secret-not-json", "did not print an ExecCredential"),
        (
            '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}',
            "did not answer with an Exec",
        ),
        ('{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}', "without a status"),
        ('{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{}}', "neither a token"),
    ],
)
async def test_bad_answers_are_told_without_quoting_them(tmp_path: Path, says: str, message: str) -> None:
    plugin = Plugin(tmp_path)
    plugin.says(says)
    with pytest.raises(ConfigError, match=message) as caught:
        await ExecCredentials(ExecPlugin(str(plugin.script))).identity()
    assert "secret" not in str(caught.value)


async def test_a_plugin_that_fails_or_is_missing(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path, then="echo please log in >&2; exit 3")
    plugin.answers("a")
    with pytest.raises(ConfigError, match="ended with status 3: please log in"):
        await ExecCredentials(ExecPlugin(str(plugin.script))).identity()
    with pytest.raises(ConfigError, match=r"No such file or directory\. Get it from example"):
        await ExecCredentials(ExecPlugin(str(tmp_path / "no"), install_hint="Get it from example")).identity()
