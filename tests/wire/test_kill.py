"""SIGKILL under load: nothing acknowledged is lost, nothing in a member is deleted or rewritten without cause.

One federation is killed again and again at random moments, while clients create, change and delete templates of both
dialects. `--kills` says how often, `--seed` repeats a run.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from hansa.api import scheme
from hansa.api.meta import Resource
from hansa.app import detached
from hansa.app.state import StateFolder
from hansa.kube import config
from hansa.kube.client import Client
from hansa.kube.errors import ApiError, NotFound, Unreachable
from hansa.kube.http import HttpTransport

MEMBERS = ("member1", "member2")
NAMESPACE = "load"
FEDERATED_CONFIGMAPS = Resource("types.kubefed.io", "v1beta1", "federatedconfigmaps", "FederatedConfigMap", True)
DEADLINE_SECONDS = 60.0


class Ledger:
    """What was acknowledged: for each object the last state, and states that were asked for without an answer."""

    def __init__(self):
        self.acknowledged = {}  # (dialect, name) -> value, or None when it was deleted
        self.open = {}  # (dialect, name) -> values that may or may not have been stored

    def asked(self, key, value):
        self.open.setdefault(key, set()).add(value)

    def answered(self, key, value):
        self.acknowledged[key] = value
        self.open.pop(key, None)

    def possible(self, key):
        return {self.acknowledged.get(key)} | self.open.get(key, set())


def karmada_object(name, value):
    meta = {"name": name, "namespace": NAMESPACE, "labels": {"load": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"value": value}}


def kubefed_object(name, value):
    return {
        "apiVersion": "types.kubefed.io/v1beta1",
        "kind": "FederatedConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "template": {"data": {"value": value}},
            "placement": {"clusters": [{"name": name} for name in MEMBERS]},
        },
    }


DIALECTS = {
    "karmada": (scheme.CONFIGMAPS, karmada_object, lambda obj: obj["data"]["value"]),
    "kubefed": (FEDERATED_CONFIGMAPS, kubefed_object, lambda obj: obj["spec"]["template"]["data"]["value"]),
}


class Load:
    """Random writes, one worker an object at a time, until told to stop or the server is gone."""

    def __init__(self, hub, ledger, rng):
        self.hub, self.ledger, self.rng = hub, ledger, rng
        self.writes = 0

    async def run(self):
        await asyncio.gather(*(self._worker(number) for number in range(8)))

    async def _worker(self, number):
        while True:
            dialect = self.rng.choice(list(DIALECTS))
            key = (dialect, f"{dialect}-{number}-{self.rng.randrange(4)}")
            try:
                await self._write(key)
            except (Unreachable, ApiError, OSError):
                return

    async def _write(self, key):
        resource, make, _ = DIALECTS[key[0]]
        value = f"{self.rng.random():.9f}"
        known = self.ledger.acknowledged.get(key)
        if known is not None and self.rng.random() < 0.2:
            self.ledger.asked(key, None)
            try:
                await self.hub.delete(resource, key[1], NAMESPACE)
                await self._gone(resource, key[1])
            except NotFound:
                pass
            self.ledger.answered(key, None)
        elif known is None:
            self.ledger.asked(key, value)
            await self.hub.create(resource, make(key[1], value))
            self.ledger.answered(key, value)
        else:
            self.ledger.asked(key, value)
            patch = {name: part for name, part in make(key[1], value).items() if name in ("data", "spec")}
            await self.hub.patch(resource, key[1], NAMESPACE, patch)
            self.ledger.answered(key, value)
        self.writes += 1

    async def _gone(self, resource, name):
        """A federated object is gone when its finalizer is."""
        while True:
            await self.hub.get(resource, name, NAMESPACE)
            await asyncio.sleep(0.05)


def client(folder, context):
    return Client(HttpTransport(config.load(folder.kubeconfig, context)), qps=0)


async def eventually(check, what):
    """Until `check` returns no complaint."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while complaint := await check():
        assert time.monotonic() < deadline, f"{what}: {complaint}"
        await asyncio.sleep(0.2)


async def value_on_hub(hub, key):
    resource, _, read = DIALECTS[key[0]]
    try:
        item = await hub.get(resource, key[1], NAMESPACE)
    except NotFound:
        return None
    return None if item.deleting else read(item.json())


async def settle_ledger(hub, ledger):
    """Compare the hub with what was acknowledged; what was open is now decided."""
    for key in list(ledger.acknowledged.keys() | ledger.open.keys()):
        found = await value_on_hub(hub, key)
        assert found in ledger.possible(key), f"{key}: {found} is none of {ledger.possible(key)}"
        ledger.answered(key, found)


async def converged(member, ledger):
    """The differences between a member and the ledger, as text; empty when there are none."""
    page = await member.list(scheme.CONFIGMAPS, NAMESPACE)
    found = {item.meta.name: item.json().get("data", {}).get("value") for item in page.items}
    found.pop("kube-root-ca.crt", None)
    wanted = {key[1]: value for key, value in ledger.acknowledged.items() if value is not None}
    differing = {name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)}
    return ", ".join(f"{name}: {found.get(name)} instead of {wanted.get(name)}" for name in sorted(differing))


async def fingerprint(member):
    """uid and version of every object in the member's namespace."""
    page = await member.list(scheme.CONFIGMAPS, NAMESPACE)
    return {item.meta.name: (item.meta.uid, item.meta.resource_version) for item in page.items}


async def prepare(hub):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await hub.create(scheme.NAMESPACES, namespace)
    federated = {
        "apiVersion": "types.kubefed.io/v1beta1",
        "kind": "FederatedNamespace",
        "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
        "spec": {"placement": {"clusterSelector": {}}},
    }
    await hub.create(scheme.FEDERATED_NAMESPACES, federated)
    selector = {"apiVersion": "v1", "kind": "ConfigMap", "labelSelector": {"matchLabels": {"load": "yes"}}}
    policy = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "load", "namespace": NAMESPACE},
        "spec": {"resourceSelectors": [selector], "placement": {"clusterAffinity": {"clusterNames": list(MEMBERS)}}},
    }
    await hub.create(scheme.PROPAGATION_POLICIES, policy)


async def start(folder):
    await detached.start(folder.directory, MEMBERS, say=lambda text: None)
    return client(folder, "hub"), {name: client(folder, name) for name in MEMBERS}


async def close(*clients):
    for one in clients:
        await one.close()


async def kill_under_load(folder, hub, ledger, rng):
    """Load, and SIGKILL at a random moment; how many writes were acknowledged in between."""
    load = Load(hub, ledger, rng)
    working = asyncio.create_task(load.run())
    await asyncio.sleep(rng.uniform(0.2, 2.5))
    os.kill(folder.owner(), signal.SIGKILL)
    async with asyncio.timeout(40):
        await working
    while folder.owner() is not None:
        await asyncio.sleep(0.02)
    return load.writes


async def story(folder, kills, rng):
    ledger = Ledger()
    writes = rewrites = 0
    hub, members = await start(folder)
    await prepare(hub)
    for _ in range(kills):
        writes += await kill_under_load(folder, hub, ledger, rng)
        await close(hub, *members.values())
        hub, members = await start(folder)
        await settle_ledger(hub, ledger)
        for name, member in members.items():
            await eventually(lambda member=member: converged(member, ledger), f"{name} after a kill")
        # a second kill, with nothing under way: whatever is there must stay as it is
        before = {name: await fingerprint(member) for name, member in members.items()}
        os.kill(folder.owner(), signal.SIGKILL)
        while folder.owner() is not None:
            await asyncio.sleep(0.02)
        await close(hub, *members.values())
        hub, members = await start(folder)
        await asyncio.sleep(1.0)  # time in which a control plane that forgets would rewrite
        for name, member in members.items():
            after = await fingerprint(member)
            assert after.keys() == before[name].keys(), f"{name}: objects came or went with a restart"
            rewrites += sum(after[key] != before[name][key] for key in after)
    await close(hub, *members.values())
    return writes, rewrites


@pytest.mark.timeout(3600)
def test_a_federation_survives_being_killed(tmp_path, kills, request):
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"seed {seed}")
    folder = StateFolder(tmp_path / "fed")
    try:
        writes, rewrites = asyncio.run(story(folder, kills, random.Random(seed)))
    except BaseException:
        print(f"seed {seed}\n{folder.log.read_text()[-3000:]}")
        raise
    finally:
        subprocess.run([sys.executable, "-m", "hansa.cli", "down", "--dir", str(folder.directory)], check=False)
    print(f"{2 * kills} kills, seed {seed}: {writes} acknowledged writes kept, {rewrites} rewrites after restarts")
    assert rewrites == 0
    assert writes > 0
