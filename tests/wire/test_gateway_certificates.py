"""Whom a gateway lets in: a real Envoy, asked with every kind of certificate."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.lab.cluster import Hub, Lab, a_hub, to
from tests.support.lab.load import Pod
from tests.support.lab.loopback import a_loopback

from hansa.api import names, scheme
from hansa.api.routing import gateway_identity
from hansa.base.certificates import KeyPair, issue_uri, make_authority, make_request
from hansa.service.gateway.settings import Settings
from hansa.service.identity import authority
from hansa.service.identity.decision import USAGES

PORT = 15443
WEB, DB = "http.web.shop.svc.clusterset.local", "http.db.shop.svc.clusterset.local"


@dataclass
class Door:
    """Cluster a, which knows b and c as members. It offers `web` to all of them, and `db` to c alone."""

    lab: Lab
    others: Mapping[str, Lab]
    hub: Hub
    directory: Path
    ca: authority.Authority

    def pair(self, cluster: str, ca: KeyPair | None = None, *, age: timedelta = timedelta()) -> KeyPair:
        key, request = make_request()
        signer, now = ca or self.ca.pair, datetime.now(UTC) - age
        return KeyPair(issue_uri(signer, request, gateway_identity(cluster), now, timedelta(hours=24)), key)

    async def ask(self, pair: KeyPair | None, server_name: str = WEB) -> str:
        """What a pod behind the gateway answers; empty for who is not let in."""
        context = ssl.create_default_context(cadata=self.ca.believed.decode())
        context.check_hostname = False  # the name in the certificate is an URI
        if pair is not None:
            file = self.directory / "client.pem"
            file.write_bytes(pair.certificate + pair.key)
            context.load_cert_chain(file)
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(
                    self.lab.settings.address, PORT, ssl=context, server_hostname=server_name
                )
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = await reader.read(4096)
                writer.close()
        except (ssl.SSLError, ConnectionError):
            return ""
        return answer.decode().partition("\r\n\r\n")[2]

    async def through(self, listen: int) -> str:
        """What answers a pod of a; empty when nobody does."""
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(self.lab.settings.address, listen)
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = await reader.read(4096)
                writer.close()
        except ConnectionError:
            return ""
        return answer.decode().partition("\r\n\r\n")[2]

    @asynccontextmanager
    async def pretending(self, cluster: str, pair: KeyPair) -> AsyncGenerator[None, None]:
        """A gateway at the address of that cluster's, with this certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.ca.believed.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        file = self.directory / "server.pem"
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await reader.read(4096):
                writer.write(b"HTTP/1.1 200 OK\r\n\r\nwelcome")
            writer.close()

        async with await asyncio.start_server(answer, self.others[cluster].settings.address, PORT, ssl=context):
            yield


@pytest.fixture
async def door(tmp_path: Path) -> AsyncGenerator[Door, None]:
    async with AsyncExitStack() as stack:
        addresses = stack.enter_context(a_loopback())
        hub = await stack.enter_async_context(a_hub("abc"))
        labs = {name: Lab(name, "r1", Settings(addresses.gateway(name)), tmp_path / name, hub) for name in "abc"}
        lab = labs["a"]
        pod = Pod.at(addresses.pod("a"), 8080, "welcome")
        await pod.start()
        stack.push_async_callback(pod.kill)
        await lab.start()
        stack.push_async_callback(lab.stop)
        await lab.knows(labs["b"], labs["c"])
        for service, consumers, listen in (("web", None, 20000), ("db", ("c",), 20001)):
            await lab.exports((addresses.pod("a"), 8080), service=service)
            await lab.imports(to(lab, 0), service=service, consumers=consumers, listen=listen)
        await lab.serving()
        ca = await authority.read(hub.admin)
        assert ca is not None
        yield Door(lab, labs, hub, tmp_path, ca)


async def test_only_a_members_certificate_opens(door: Door) -> None:
    """Each refusal for its own reason, as Envoy counts them."""
    foreign = make_authority("foreign", datetime.now(UTC))
    matrix = [
        ("none", None, "fail_verify_no_cert"),
        ("foreign authority, right name", door.pair("b", foreign), "fail_verify_error"),
        ("right authority, no member", door.pair("stranger"), "fail_verify_san"),
        ("right authority, the gateway's own name", door.pair("a"), "fail_verify_san"),
        ("expired", door.pair("b", age=timedelta(hours=25)), "fail_verify_error"),
    ]
    for what, pair, counter in matrix:
        before = await door.lab.counter(counter)
        assert await door.ask(pair) == "", what
        assert await door.lab.counter(counter) == before + 1, what
    assert await door.ask(door.pair("b")) == "welcome"


async def test_only_the_cluster_that_was_meant_is_believed(door: Door) -> None:
    """Whoever answers at the address of b's gateway: a sends requests to b alone."""
    foreign = make_authority("foreign", datetime.now(UTC))
    await door.lab.imports(None, to(door.others["b"], 0), service="far", listen=20002)
    matrix = [
        ("foreign authority, right name", door.pair("b", foreign), "fail_verify_error"),
        ("right authority, another cluster", door.pair("c"), "fail_verify_san"),
        ("expired", door.pair("b", age=timedelta(hours=25)), "fail_verify_error"),
    ]
    for what, pair, counter in matrix:
        async with door.pretending("b", pair):
            before = await door.lab.counter(counter)
            async with asyncio.timeout(30):  # probes ask by the way that requests take
                while await door.lab.counter(counter) < before + 2:
                    assert await door.through(20002) == "", what
                    await asyncio.sleep(0.1)
    async with door.pretending("b", door.pair("b")), asyncio.timeout(30):
        while await door.through(20002) != "welcome":
            await asyncio.sleep(0.1)


async def test_who_leaves_is_let_in_no_more(door: Door) -> None:
    b, c = door.pair("b"), door.pair("c")
    assert (await door.ask(b), await door.ask(c)) == ("welcome", "welcome")
    await door.lab.knows(door.others["c"])
    async with asyncio.timeout(30):
        while await door.ask(b):
            await asyncio.sleep(0.1)
    assert await door.ask(c) == "welcome"
    # nobody is left: that is nobody, not everybody
    await door.lab.knows()
    async with asyncio.timeout(30):
        while await door.ask(c):
            await asyncio.sleep(0.1)
    assert await door.ask(b) == ""


async def test_names_that_are_not_offered_are_refused(door: Door) -> None:
    before = await door.lab.counter("no_filter_chain_match")
    for name in ("http.other.shop.svc.clusterset.local", "web", WEB + ".example.com"):
        assert await door.ask(door.pair("b"), name) == ""
    assert await door.lab.counter("no_filter_chain_match") == before + 3


async def test_only_consumers_reach_what_is_for_consumers(door: Door) -> None:
    before = await door.lab.counter("fail_verify_san")
    assert await door.ask(door.pair("b"), DB) == ""
    assert await door.lab.counter("fail_verify_san") == before + 1
    assert await door.ask(door.pair("c"), DB) == "welcome"


async def test_two_authorities_are_believed_while_one_follows_the_other(door: Door) -> None:
    following = make_authority("next", datetime.now(UTC))
    assert await door.ask(door.pair("b", following)) == ""
    believed = door.ca.believed + following.certificate
    assert door.lab.served is not None
    own = door.lab.directory / "identity"
    pair = KeyPair((own / "tls.crt").read_bytes(), (own / "tls.key").read_bytes())
    door.lab.served.gateway.use(pair, believed)
    async with asyncio.timeout(30):
        while await door.ask(door.pair("b", following)) != "welcome":
            await asyncio.sleep(0.1)
    assert await door.ask(door.pair("b")) == "welcome"


async def test_a_member_cannot_have_anothers_certificate(door: Door) -> None:
    """What b asks in the name of c is refused; what it is given opens as b, not as c."""
    hub = door.hub.as_member("b")

    async def asked(request: bytes) -> dict[str, object]:
        spec = {
            "signerName": names.GATEWAY_SIGNER,
            "request": base64.b64encode(request).decode(),
            "usages": list(USAGES),
            "username": "hansa:cluster:c",
        }
        obj = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "b-"},
            "spec": spec,
        }
        name = (await hub.create(scheme.CERTIFICATE_SIGNING_REQUESTS, obj)).meta.name
        async with asyncio.timeout(30):
            while True:
                status = (await hub.get(scheme.CERTIFICATE_SIGNING_REQUESTS, name)).json().get("status") or {}
                if "certificate" in status or any(one["type"] == "Denied" for one in status.get("conditions") or ()):
                    return status
                await asyncio.sleep(0.05)

    others = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(gateway_identity("c"))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(others, critical=True)
    for_c = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    assert "certificate" not in await asked(for_c.public_bytes(serialization.Encoding.PEM))

    key, request = make_request()
    status = await asked(request)
    pair = KeyPair(base64.b64decode(str(status["certificate"])), key)
    assert await door.ask(pair, WEB) == "welcome"
    assert await door.ask(pair, DB) == "", "b passes for c"
