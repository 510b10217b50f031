"""The outputs in docs/guides/explain-and-plan.md are what the program prints, on the federation of the page.

`UPDATE_DOCS=1` writes them.
"""

from __future__ import annotations

import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.support.federation import Federation, running

from hansa.api import names
from hansa.api.crd import all_crds
from hansa.api.meta import Json
from hansa.apiserver.embedded import Keys
from hansa.app.admission import plug
from hansa.cli.main import cli
from hansa.dialect.kubefed import types as kubefed_types
from hansa.foresight.capture import capture
from hansa.foresight.edits import Edit, carry_out, read_files
from hansa.foresight.snapshot import written
from hansa.foresight.veil import Veil

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "explain-and-plan.md"
MEMBERS = ("member1", "member2", "cluster1", "cluster2")
REGIONS = ("region1", "region2", "region3", "region1")
_BLOCK = re.compile(r"```console\n\$ (?P<command>hansa [^\n]+)\n(?P<output>.*?)```\n", re.DOTALL)
_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```yaml\n(?P<content>.*?)```\n", re.DOTALL)
_THREAD = ThreadPoolExecutor(1)
# a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
pytestmark = pytest.mark.looptime(resolution=2**-20)


def blocks(text: str) -> list[re.Match[str]]:
    return list(_BLOCK.finditer(text))


async def federation_of_the_page(federation: Federation, folder: Path) -> None:
    """Both examples of the repository, and what the page's files add that are said to be applied."""
    plug(federation.servers["hub"].context.admission)
    enabled = kubefed_types.enablements(kubefed_types.DEFAULT_TYPES)
    await federation.apply(*(one.type_config for one in enabled))
    for name, region in zip(MEMBERS, REGIONS, strict=True):
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "node1"},
            "status": {"allocatable": {"cpu": "8", "pods": "20", "memory": "16Gi"}},
        }
        await federation.apply(node, server=name)
        await federation.join(name, region=region)
    await federation.settle()
    applied = [ROOT / "examples" / "karmada-nginx.yaml", ROOT / "examples" / "kubefed-nginx.yaml"]
    applied += [folder / name for name in ("no-fit.yaml", "preemption.yaml", "web.yaml")]
    for file in applied:
        for obj in read_files([str(file)]):
            await carry_out(federation.hub, Edit(obj), names.DEFAULT_NAMESPACE)
        await federation.settle()
    await let_run(federation)


async def let_run(federation: Federation) -> None:
    """Every Deployment in every member is up: what the members' own controllers do elsewhere."""
    for name in MEMBERS:
        client = federation.clients[name]
        resource = next(e.resource for e in await client.discovery.resources() if e.resource.plural == "deployments")
        for item in (await client.list(resource)).items:
            replicas = item.json()["spec"]["replicas"]
            counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
            status: Json = {"observedGeneration": item.meta.generation, **dict.fromkeys(counts, replicas)}
            patch = {"status": status}
            await client.patch(resource, item.meta.name, item.meta.namespace, patch, subresource="status")
    # what is on its way counts for five minutes
    await asyncio.sleep(301)
    await federation.settle()


def run(command: str, folder: Path, snapshot: Path) -> str:
    """As in a shell in `folder`, but of the snapshot instead of the hub."""
    arguments = command.split()[1:]
    for position, word in enumerate(arguments):
        if word.endswith(".yaml"):
            local = folder / word
            arguments[position] = str(local if local.exists() else ROOT / word)
    if "--snapshot" in arguments:
        arguments[arguments.index("--snapshot") + 1] = str(snapshot)
    else:
        arguments += ["--snapshot", str(snapshot)]
    result = CliRunner().invoke(cli, arguments, prog_name="hansa")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the page shows."""
    for match in _FILE.finditer(GUIDE.read_text()):
        (tmp_path / match["name"]).write_text(match["content"])
    return tmp_path


async def test_the_guide_shows_what_the_program_prints(server_keys: Keys, folder: Path):
    enabled = kubefed_types.enablements(kubefed_types.DEFAULT_TYPES)
    crds = [*all_crds(), *(one.crd for one in enabled)]
    async with running(server_keys, crds, speaks_kubefed=True, members=MEMBERS) as federation:
        await federation_of_the_page(federation, folder)
        snapshot = folder / "federation.snapshot"
        with snapshot.open("wb") as file:
            file.writelines(written(await capture(federation.hub, federation.clock, Veil())))
        text = GUIDE.read_text()
        found = _BLOCK.sub(
            lambda match: (
                f"```console\n$ {match['command']}\n"
                f"{_THREAD.submit(run, match['command'], folder, snapshot).result()}```\n"
            ),
            text,
        )
    if os.environ.get("UPDATE_DOCS"):
        GUIDE.write_text(found)
    assert len(blocks(text)) >= 8
    assert found == text


def test_the_files_of_the_guide_are_manifests(folder: Path):
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        assert all(isinstance(obj, dict) for obj in yaml.safe_load_all(file.read_text()))
