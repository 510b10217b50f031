"""The commands themselves: exit statuses, JSON, and one clear line for what cannot be used."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.support import objects
from tests.support.federation import Federation
from tests.support.packages import installed, of_the_guide

from hansa.api import scheme
from hansa.app.admission import plug
from hansa.cli.main import cli
from hansa.foresight.capture import capture
from hansa.foresight.edits import Edit, carry_out
from hansa.foresight.snapshot import written
from hansa.foresight.veil import Veil

# a power of two: sums of such times are exact, so no timer ends a rounding error early and spins
pytestmark = pytest.mark.looptime(resolution=2**-20)
_THREAD = ThreadPoolExecutor(1)


def run(*arguments: object) -> Result:
    """In a thread of its own: commands bring their own event loop."""
    result = _THREAD.submit(CliRunner().invoke, cli, [str(argument) for argument in arguments]).result()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


async def saved(federation: Federation, folder: Path) -> Path:
    """A ConfigMap in member1, and its policy."""
    plug(federation.servers["hub"].context.admission)
    await federation.join("member1", "member2")
    await federation.settle()
    for obj in (words(), policy("member1")):
        await carry_out(federation.hub, Edit(obj), "default")
    await federation.settle()
    file = folder / "saved"
    with file.open("wb") as lines:
        lines.writelines(written(await capture(federation.hub, federation.clock, Veil())))
    return file


def words():
    return objects.config_map("words", "default")


def policy(*clusters: str):
    return objects.policy("words", "default", [objects.selects(words())], clusters=clusters)


def manifest(folder: Path, *objs: object) -> Path:
    file = folder / "manifest.yaml"
    file.write_text(yaml.safe_dump_all(objs))
    return file


async def test_exit_statuses_and_json_of_a_plan(federation: Federation, tmp_path: Path):
    snapshot = await saved(federation, tmp_path)
    same = run("plan", "-f", manifest(tmp_path, words(), policy("member1")), "--snapshot", snapshot)
    assert (same.exit_code, same.stdout.splitlines()[0]) == (0, "No changes.")
    moved = run("plan", "-f", manifest(tmp_path, policy("member2")), "--snapshot", snapshot, "-o", "json")
    assert moved.exit_code == 2
    found = json.loads(moved.stdout)
    assert [(each["action"], each["cluster"]) for each in found["members"]] == [
        ("deleted", "member1"),
        ("created", "member2"),
    ]
    gone = run("plan", "--delete", "-f", manifest(tmp_path, words()), "--snapshot", snapshot)
    assert gone.exit_code == 2
    assert gone.stdout.splitlines()[:2] == ["Deletes:", "  - member1  ConfigMap default/words"]


async def test_clusters_that_a_plan_names_and_that_are_not_there(federation: Federation, tmp_path: Path):
    snapshot = await saved(federation, tmp_path)
    typed = run("plan", "-f", manifest(tmp_path, policy("member1", "membr2")), "--snapshot", snapshot, "-o", "json")
    field = "spec.placement.clusterAffinity.clusterNames"
    assert json.loads(typed.stdout)["warnings"] == [
        {
            "object": "PropagationPolicy default/words",
            "field": field,
            "names": ["membr2"],
            "known": ["member2", "member1"],
        }
    ]
    told = f"warning: PropagationPolicy default/words: {field}: no cluster is named membr2; there are member2, member1"
    assert typed.stderr.splitlines() == [told]
    gone = run("plan", "--delete", "-f", manifest(tmp_path, policy("membr2")), "--snapshot", snapshot)
    assert gone.stderr == ""


async def test_plugins_that_are_installed_take_part(
    federation: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The guide's: without a certificate nothing runs, and the cheapest comes first."""
    marks = {"labels": {"example.io/certified": "true"}, "annotations": {"example.io/price-per-hour": "0.25"}}
    web = objects.deployment("web", "default", replicas=2)
    once = [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]
    anywhere = objects.policy("web", "default", [objects.selects(web)], placement={"spreadConstraints": once})
    await saved(federation, tmp_path)
    await federation.hub.patch(scheme.CLUSTERS, "member2", None, {"metadata": marks})
    await federation.settle()
    for obj in (web, anywhere):
        await carry_out(federation.hub, Edit(obj), "default")
    await federation.settle()
    snapshot = tmp_path / "certified"
    with snapshot.open("wb") as lines:
        lines.writelines(written(await capture(federation.hub, federation.clock, Veil())))
    new = [objects.deployment("till", "default", replicas=1)]
    new.append(objects.policy("till", "default", [objects.selects(new[0])], placement={"spreadConstraints": once}))
    plan = ("plan", "-f", manifest(tmp_path, *new), "--snapshot", snapshot, "-o", "json")
    without = json.loads(run(*plan).stdout)
    assert [each["cluster"] for each in without["members"]] == ["member1"]
    with installed(tmp_path, monkeypatch, of_the_guide("python"), of_the_guide("toml")):
        found = json.loads(run(*plan).stdout)
        told = run("explain", "deployment", "web", "--snapshot", snapshot).stdout
        spared = run("explain", "deployment", "web", "--snapshot", snapshot, "--plugins", "*,-OnlyCertified").stdout
    assert [each["cluster"] for each in found["members"]] == ["member2"]
    assert found["notes"][0] == "decided with scheduler plug-ins that are installed here: OnlyCertified, Cheapest"
    assert "still to be done without this: Deployment default/web is changed" in found["notes"]
    assert "✗ member1  OnlyCertified: cluster(s) were not certified" in told
    assert "✓ member2  2 replicas, chosen, 75 points (ClusterLocality 0, Cheapest 75)" in told
    assert "100 points (ClusterLocality 100, Cheapest 0)" in spared


async def test_what_if_and_explain_of_a_snapshot(federation: Federation, tmp_path: Path):
    snapshot = await saved(federation, tmp_path)
    failed = run("whatif", "--fail-cluster", "member1", "--snapshot", snapshot, "-o", "json")
    assert (failed.exit_code, json.loads(failed.stdout)["others"]) == (0, 1)
    told = json.loads(run("explain", "cm", "words", "--snapshot", snapshot, "-o", "json").stdout)
    assert told["claim"]["policy"] == "PropagationPolicy default/words"


async def test_one_clear_line_for_what_cannot_be_used(federation: Federation, tmp_path: Path):
    snapshot = await saved(federation, tmp_path)
    file = manifest(tmp_path, {**policy("member1"), "spec": {}})
    cases = {
        ("plan", "-f", str(file), "--snapshot", str(snapshot)): "error: PropagationPolicy default/words: ",
        (
            "plan",
            "-f",
            str(file),
            "--hub",
            "--snapshot",
            str(snapshot),
        ): "error: --hub and --snapshot exclude",
        ("plan", "-f", str(tmp_path / "nowhere"), "--snapshot", str(snapshot)): "No such file",
        ("plan", "-f", str(file), "--snapshot", str(file)): "no snapshot",
        ("plan", "-f", str(file), "--snapshot", str(snapshot), "--feature-gates", "x"): "error: --feature-gates: ",
        ("whatif", "--snapshot", str(snapshot)): "error: nothing to look at: give --fail-cluster",
        ("explain", "cm", "nobody", "--snapshot", str(snapshot)): 'error: configmaps "nobody" not found',
    }
    for arguments, words_ in cases.items():
        result = run(*arguments)
        assert result.exit_code == 1, arguments
        assert words_ in result.stderr, result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.splitlines()) == 1
