"""Envoy itself accepts what we write for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hansa.base.certificates import issue_uri, make_authority, make_request
from hansa.service.gateway import files
from hansa.service.gateway.envoy import find_envoy
from hansa.service.gateway.layout import Layout
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.site import Address, Inbound, Locality, Outbound, Site

NAME = "http.web.shop.svc.clusterset.local"
POD, GATEWAY = Address("127.0.0.2", 8080), Address("127.0.0.3", 15443)
V6 = Address("fd00::2", 8080)
INBOUNDS = (
    Inbound("shop/web/http", NAME, ("b", "c"), False, (POD, V6)),
    Inbound("shop/db/5432", "5432.db.shop.svc.clusterset.local", ("b",), True, (POD,)),
)
PLACES = (Locality("", "", 0, 1, ()), Locality("b", "r1", 1, 3, (GATEWAY,)), Locality("c", "", 2, 1, ()))
OUTBOUNDS = (
    Outbound("shop/web/http", 20000, NAME, PLACES, 71, False),
    Outbound("shop/web/sticky", 20001, NAME, PLACES, 1, True),
    Outbound("shop/web/nobody", 20002, NAME, (), 100, False),
)


@pytest.mark.parametrize(
    "site",
    [Site("a", ()), Site("a", ("b", "c"), INBOUNDS, OUTBOUNDS), Site("a", ("b",), (), OUTBOUNDS)],
    ids=["empty", "full", "importer"],
)
async def test_envoy_accepts_the_files(site: Site, tmp_path: Path) -> None:
    layout, settings = Layout(tmp_path), Settings("127.0.0.1", inbound_address="::1")
    layout.prepare()
    now = datetime.now(UTC)
    authority = make_authority("test", now)
    key, request = make_request()
    certificate = issue_uri(authority, request, "spiffe://x/y", now, timedelta(hours=1))
    files.write(files.start_documents(layout, settings))
    files.write(files.identity_document(layout, certificate, key))
    files.write(files.documents(site, site, layout, settings, authority.certificate))
    process = await asyncio.create_subprocess_exec(
        find_envoy(),
        *("--mode", "validate", "--config-path", str(layout.bootstrap), "--log-level", "warning"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
