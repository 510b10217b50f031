"""TLS contexts from PEM in memory."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from hansa.kube.errors import ConfigError


def client_context(
    ca_data: bytes | None, *, insecure: bool = False, certificate: bytes = b"", key: bytes = b""
) -> ssl.SSLContext:
    """A client's context. No `ca_data` means the system's authorities. Raises ConfigError for unusable PEM."""
    try:
        context = ssl.create_default_context(cadata=ca_data.decode("ascii") if ca_data and not insecure else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ConfigError("the certificate authority is not PEM") from error
    # authorities made by older tools lack extensions that RFC 5280 wants; Go does not ask for them
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.set_alpn_protocols(["http/1.1"])
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate and key:
        _load(context, certificate, key)
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes these from a file only: one of mode 0600 that is gone at once."""
    handle, name = tempfile.mkstemp(prefix="hansa-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(name)
    except ssl.SSLError as error:
        # OpenSSL's text does not quote the key
        raise ConfigError(f"the client certificate or its key cannot be used: {error.reason}") from error
    finally:
        Path(name).unlink()
