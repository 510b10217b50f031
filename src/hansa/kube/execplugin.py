"""Credentials from a program that a kubeconfig names (client.authentication.k8s.io ExecCredential)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from hansa.api.meta import Json
from hansa.base.clock import parse_rfc3339
from hansa.kube.auth import Identity
from hansa.kube.errors import ConfigError

TIMEOUT_SECONDS = 60.0
API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
COMPLAINT_MAX = 300


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """How to call the program. `cluster` is what it is told about the server, None when it is not to know."""

    command: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_version: str = API_VERSIONS[0]
    install_hint: str = ""
    cluster: Json | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    identity: Identity
    expires: datetime | None


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ExecCredentials:
    """Asks the plugin once for all who wait, keeps the answer until it expires or the server refuses it."""

    def __init__(self, plugin: ExecPlugin, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._plugin = plugin
        self._now = now
        self._given: _Given | None = None
        self._asking = asyncio.Lock()

    async def identity(self) -> Identity:
        async with self._asking:
            given = self._given
            if given is None or (given.expires is not None and given.expires <= self._now()):
                given = self._given = await _ask(self._plugin)
            return given.identity

    def refused(self, identity: Identity) -> bool:
        # somebody else may have had it renewed since this request was sent
        if self._given is not None and self._given.identity == identity:
            self._given = None
        return True


async def _ask(plugin: ExecPlugin) -> _Given:
    spec: Json = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    question = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    environment = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": msgspec.json.encode(question).decode()}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        hint = f". {plugin.install_hint}" if plugin.install_hint else ""
        raise ConfigError(f"credential plugin {plugin.command}: {error.strerror or error}{hint}") from error
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise ConfigError(f"credential plugin {plugin.command}: no answer in {TIMEOUT_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        said = complaint.decode(errors="replace").strip()[-COMPLAINT_MAX:]
        raise ConfigError(f"credential plugin {plugin.command} ended with status {process.returncode}: {said}")
    return _read(plugin, output)


def _read(plugin: ExecPlugin, output: bytes) -> _Given:
    # the output is a secret: no message may quote it
    about = f"credential plugin {plugin.command}"
    try:
        answer = msgspec.json.decode(output, type=dict[str, object])
    except msgspec.DecodeError:
        raise ConfigError(f"{about} did not print an ExecCredential as JSON") from None
    if answer.get("kind") != "ExecCredential" or answer.get("apiVersion") != plugin.api_version:
        raise ConfigError(f"{about} did not answer with an ExecCredential of {plugin.api_version}")
    status = answer.get("status")
    if not isinstance(status, dict):
        raise ConfigError(f"{about} answered without a status")
    token, certificate, key = (
        str(status.get(name) or "") for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if not token and not (certificate and key):
        raise ConfigError(f"{about} answered with neither a token nor a client certificate and its key")
    expires: datetime | None = None
    if status.get("expirationTimestamp"):
        try:
            expires = parse_rfc3339(str(status["expirationTimestamp"]))
        except ValueError:
            raise ConfigError(f"{about}: expirationTimestamp is not a time") from None
    return _Given(Identity(f"Bearer {token}" if token else "", certificate.encode(), key.encode()), expires)
