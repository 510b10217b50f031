"""A gateway works in its member with what deploy/gateway.yaml grants; without one of the verbs it says so."""

from __future__ import annotations

import asyncio
import base64
import copy
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import yaml
from tests.flow.test_gateway_identity_flow import as_member
from tests.support.federation import Federation, Wire, running

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.apiserver.message import UserInfo
from hansa.base.certificates import make_authority
from hansa.install import enrol, objects
from hansa.kube.client import Client
from hansa.service.gateway.health import PeerHealth
from hansa.service.gateway.publisher import Publisher
from hansa.service.gateway.settings import Settings
from hansa.service.gateway.sources import Sources
from hansa.service.identity.keeper import Identity, Keeper

pytestmark = pytest.mark.looptime(resolution=2**-20)
MANIFEST: list[Json] = list(yaml.safe_load_all((Path(__file__).parents[2] / "deploy" / "gateway.yaml").read_text()))
ACCOUNT = UserInfo("system:serviceaccount:hansa-system:hansa-gateway", ("system:authenticated",))
GRANTS = [
    (document["kind"], number, verb)
    for document in MANIFEST
    for number, rule in enumerate(document.get("rules", ()))
    for verb in rule["verbs"]
]


@pytest.fixture
async def federation(server_keys: Keys) -> AsyncGenerator[Federation, None]:
    async with running(server_keys, all_crds(), speaks_kubefed=False, members=("member1",)) as built:
        await built.apply(objects.namespaces()[0], *enrol.permissions())
        await built.apply(objects.namespaces()[0], *all_crds(), server="member1")
        await built.join("member1")
        yield built


async def work(federation: Federation, directory: Path) -> None:
    """All that a gateway does in its member: for the first time, and again on another machine."""
    member = Client(Wire("member1", federation.servers["member1"], user=ACCOUNT), qps=0)
    sources = Sources(member, lambda: None)
    tasks = [asyncio.create_task(sources.run())]
    for folder in ("first", "second"):
        (directory / folder).mkdir()
        used: list[Identity] = []
        hub = as_member(federation, "member1")
        tasks.append(asyncio.create_task(Keeper(hub, member, directory / folder, federation.clock, used.append).run()))
        await asyncio.sleep(20)
    # another authority: the Secret in the member changes
    more = base64.b64encode(make_authority("next", federation.clock.now()).certificate).decode()
    patch = {"data": {"ca.crt": more}}
    await federation.hub.patch(scheme.SECRETS, names.GATEWAY_AUTHORITY, names.HANSA_NAMESPACE, patch)
    await asyncio.sleep(150)
    publisher = Publisher(member, Settings("10.0.0.1"), federation.clock)
    await publisher.tell({})
    await publisher.tell({"member2": PeerHealth(1, 1)})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "does not let us" in record.getMessage()]


async def test_what_is_granted_is_enough(
    federation: Federation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await federation.restart()  # within the test, so that its timers are virtual
    await federation.apply(*MANIFEST, server="member1")
    await work(federation, tmp_path)
    assert refusals(caplog) == []
    stored = await federation.get("member1", scheme.CONFIGMAPS, names.GATEWAY_ADDRESSES, names.HANSA_NAMESPACE)
    assert stored is not None
    assert '"member2"' in stored["data"][names.GATEWAY_HEALTH_KEY]
    assert await federation.get("member1", scheme.SECRETS, names.GATEWAY_IDENTITY, names.HANSA_NAMESPACE)


@pytest.mark.parametrize(("kind", "rule", "verb"), GRANTS)
async def test_without_a_verb_the_log_names_it(
    federation: Federation, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, rule: int, verb: str
) -> None:
    await federation.restart()
    manifest = copy.deepcopy(MANIFEST)
    role = next(document for document in manifest if document["kind"] == kind)
    role["rules"][rule]["verbs"].remove(verb)
    role["rules"] = [one for one in role["rules"] if one["verbs"]]
    await federation.apply(*manifest, server="member1")
    caplog.set_level(logging.ERROR)
    await work(federation, tmp_path)
    found = refusals(caplog)
    assert any(f"cannot {verb} resource" in message for message in found), found or "nobody missed it"
