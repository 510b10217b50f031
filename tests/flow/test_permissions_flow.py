"""The control plane works with what `hansa init` grants; without one of its verbs it says what it misses."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from tests.support.federation import Federation, running
from tests.support.objects import CONFIG_MAPS, config_map, deployment, policy, selects

from hansa.api import names, scheme
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.apiserver.message import UserInfo
from hansa.install import objects
from hansa.service.definitions import definition_of
from hansa.service.silence import GRACE_SECONDS

pytestmark = pytest.mark.looptime(resolution=2**-20)
ACCOUNT = UserInfo(
    objects.ACCOUNT_USER,
    ("system:serviceaccounts", f"system:serviceaccounts:{objects.ACCOUNT_NAMESPACE}", "system:authenticated"),
)
ROLES = [document for document in objects.permissions() if document["kind"] == "ClusterRole"]
NAMESPACE = "default"
SPACE = "shop"
POD = {"volumes": [{"name": "v", "configMap": {"name": "dep"}}]}
ELSEWHERE = {
    # not by controllers: webhooks are served by the process around them
    ("admissionregistration.k8s.io", "create"),
    # roles and bindings as templates: on a real hub, in the scenarios
    # and so are the admission plugins that ask for these; who removes requests is in test_gateway_identity_flow
    ("certificates.k8s.io", "approve"),
    ("certificates.k8s.io", "sign"),
    ("certificates.k8s.io", "delete"),
    ("rbac.authorization.k8s.io", "bind"),
    ("rbac.authorization.k8s.io", "escalate"),
}


def grants() -> list[tuple[int, str]]:
    """Every verb of every rule of the cluster role."""
    return [
        (number, verb)
        for number, rule in enumerate(ROLES[0]["rules"])
        for verb in rule["verbs"]
        if (rule["apiGroups"][0], verb) not in ELSEWHERE
    ]


async def install(federation: Federation, without: tuple[int, str] | None) -> Json | None:
    """The rule that lacks a verb."""
    changed: Json | None = None
    for document in [*objects.namespaces(), objects.account(), *objects.permissions()]:
        granted = copy.deepcopy(document)
        if without is not None and granted["kind"] == "ClusterRole":
            changed = granted["rules"][without[0]]
            changed["verbs"].remove(without[1])
            granted["rules"] = [rule for rule in granted["rules"] if rule["verbs"]]
        try:
            await federation.apply(granted)
        except Exception as error:
            if "already exists" not in str(error):
                raise
    return changed


@asynccontextmanager
async def granted(
    keys: Keys, caplog: pytest.LogCaptureFixture, without: tuple[int, str] | None = None
) -> AsyncGenerator[Federation, None]:
    """Its control plane has what `init` grants, but for one verb of a rule; the log begins now."""
    async with running(keys, all_crds(), speaks_kubefed=False, serves_services=True, hub_user=ACCOUNT) as federation:
        await install(federation, without)
        await federation.restart()
        caplog.clear()
        yield federation


async def work(federation: Federation) -> None:
    """All that controllers do on a hub: a member joins, objects come, change and go, the member leaves."""
    await federation.join("member1", "member2")
    await _some(federation)
    await export(federation)
    template = deployment("web", NAMESPACE, replicas=1, pod=POD)
    own = policy("p", NAMESPACE, [selects(template)], clusters=["member1"], propagateDeps=True)
    await federation.apply(config_map("dep", NAMESPACE), template, own)
    await _some(federation)
    federation.cut("member2")
    await asyncio.sleep(2 * GRACE_SECONDS)
    federation.cut("member2", False)
    await asyncio.sleep(2 * GRACE_SECONDS)
    moved = policy("p", NAMESPACE, [selects(template)], clusters=["member2"], propagateDeps=True)
    await federation.apply(moved)
    await _some(federation)
    hub = federation.hub
    await hub.delete(scheme.SERVICE_IMPORTS, "web", SPACE)
    await hub.delete(scheme.PROPAGATION_POLICIES, "p", NAMESPACE)
    await hub.delete(scheme.DEPLOYMENTS, "web", NAMESPACE, propagation="Background")
    await hub.delete(scheme.CLUSTERS, "member1")
    await _some(federation)


async def export(federation: Federation) -> None:
    """A service that member1 exports, and that the hub imports by its own ServiceImport."""
    labels = {names.SKIP_AUTO_PROPAGATION_LABEL: "true"}
    space: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}}
    meta = {"name": "web", "namespace": SPACE}
    multicluster = {"apiVersion": scheme.SERVICE_EXPORTS.api_version, "metadata": meta}
    pods: Json = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta, "labels": {names.SERVICE_LABEL: "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"]}],
    }
    await federation.apply(
        *(definition_of(resource) for resource in (scheme.SERVICE_EXPORTS, scheme.SERVICE_IMPORTS)),
        space,
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}]}},
        pods,
        {**multicluster, "kind": "ServiceExport"},
        server="member1",
    )
    await federation.apply(
        space, {**multicluster, "kind": "ServiceImport", "spec": {"type": "ClusterSetIP", "ports": [{"port": 80}]}}
    )


async def _some(federation: Federation) -> None:
    """Time for what works; what does not never settles."""

    await asyncio.sleep(30)


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "does not let us" in record.getMessage()]


async def test_what_init_grants_is_enough(server_keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    async with granted(server_keys, caplog) as federation:
        await work(federation)
        assert refusals(caplog) == []
        assert await federation.get("member2", CONFIG_MAPS, "dep", NAMESPACE) is None
        assert await federation.get("hub", scheme.CLUSTERS, "member1") is None


@pytest.mark.parametrize(("rule", "verb"), grants())
async def test_without_a_verb_the_log_names_it_and_the_way_out(
    server_keys: Keys, caplog: pytest.LogCaptureFixture, rule: int, verb: str
) -> None:
    async with granted(server_keys, caplog, (rule, verb)) as federation:
        caplog.set_level(logging.ERROR)
        await work(federation)
        found = refusals(caplog)
        assert found, "nobody missed it: is it granted for nothing?"
        assert any(f"cannot {verb} resource" in message and "hansa init" in message for message in found), found
