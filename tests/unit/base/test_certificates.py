import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest

from hansa.base import certificates

NOW = datetime.now(UTC)


def handshake(tmp_path, authority, server, client):
    """Both ends in mutual TLS over a socket pair; the server's view of the client's certificate."""
    paths = {}
    for name, data in {
        "ca": authority.certificate,
        "server": server.certificate + server.key,
        "client": client.certificate + client.key,
    }.items():
        paths[name] = tmp_path / name
        paths[name].write_bytes(data)
    accept = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(paths["ca"]))
    accept.verify_mode = ssl.CERT_REQUIRED
    accept.load_cert_chain(str(paths["server"]))
    dial = ssl.create_default_context(cafile=str(paths["ca"]))
    dial.load_cert_chain(str(paths["client"]))
    ours, theirs = socket.socketpair()
    seen = {}

    def serve():
        try:
            with accept.wrap_socket(theirs, server_side=True) as tls:
                seen["subject"] = tls.getpeercert()["subject"]
                tls.sendall(b"ok")
        except (ssl.SSLError, OSError) as error:
            seen["error"] = error
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with dial.wrap_socket(ours, server_hostname="127.0.0.1") as tls:
            tls.recv(2)
    finally:
        thread.join(10)
    return seen


def test_a_client_is_known_by_the_name_and_groups_of_its_certificate(tmp_path):
    authority = certificates.make_authority("hub-ca", NOW)
    server = certificates.issue_server(authority, ["localhost", "127.0.0.1"], NOW)
    client = certificates.issue_client(authority, "alice", ["ops", "system:masters"], NOW)
    subject = handshake(tmp_path, authority, server, client)["subject"]
    assert (("commonName", "alice"),) in subject
    assert [v for ((k, v),) in subject if k == "organizationName"] == ["ops", "system:masters"]


def test_a_certificate_past_its_end_is_refused(tmp_path):
    then = NOW - timedelta(days=10)
    authority = certificates.make_authority("hub-ca", NOW)
    server = certificates.issue_server(authority, ["127.0.0.1"], then, days=1)
    client = certificates.issue_client(authority, "alice", [], NOW)
    with pytest.raises(ssl.SSLError):
        handshake(tmp_path, authority, server, client)
    assert certificates.expires_at(server.certificate) < NOW


def test_a_foreign_authority_is_refused(tmp_path):
    authority = certificates.make_authority("hub-ca", NOW)
    foreign = certificates.make_authority("hub-ca", NOW)
    server = certificates.issue_server(foreign, ["127.0.0.1"], NOW)
    client = certificates.issue_client(authority, "alice", [], NOW)
    with pytest.raises(ssl.SSLError):
        handshake(tmp_path, authority, server, client)


def test_the_key_is_not_in_the_repr():
    pair = certificates.make_authority("hub-ca", NOW)
    assert "PRIVATE" not in repr(pair) and "hub-ca" in repr(pair)


def test_public_half_belongs_to_the_private_key():
    key = certificates.make_signing_key()
    assert certificates.public_half(key).startswith(b"-----BEGIN PUBLIC KEY-----")
    assert certificates.public_half(key) == certificates.public_half(key)
