"""Plug-ins come by entry point; the guide's example is one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from hansa.api.cluster import Cluster
from hansa.api.work import BindingSpec, BindingStatus
from hansa.app.plugins import scheduler_plugins
from hansa.kube.errors import ConfigError
from hansa.schedule import Fit, Memory, Request, Snapshot, Unfit, schedule
from hansa.schedule.plugin import PluginError
from hansa.schedule.survey import IN_TREE

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "scheduler-plugins.md"
APIS = [{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.S))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a package with the code and the entry points given."""

    def install(code: str, points: str) -> None:
        module = "payments.placement"
        (tmp_path / "payments").mkdir()
        (tmp_path / "payments" / "__init__.py").touch()
        (tmp_path / "payments" / "placement.py").write_text(code)
        info = tmp_path / "payments-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: payments\nVersion: 1.0\n")
        lines = points.replace('[project.entry-points."', "[").replace('"]', "]").replace('"', "")
        (info / "entry_points.txt").write_text(lines)
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in ("payments", module):
            monkeypatch.delitem(sys.modules, name, raising=False)

    yield install
    for name in [name for name in sys.modules if name.split(".")[0] == "payments"]:
        module: ModuleType = sys.modules[name]
        assert module
        del sys.modules[name]


def cluster(name: str, labels: dict[str, str], annotations: dict[str, str] | None = None) -> Cluster:
    metadata = {"name": name, "labels": labels, "annotations": annotations or {}}
    return msgspec.convert({"metadata": metadata, "status": {"apiEnablements": APIS}}, Cluster)


def request(most: int = 1) -> Request:
    limits = [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": most}]
    document = {
        "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "n", "name": "w"},
        "placement": {"spreadConstraints": limits},
        "replicas": 1,
    }
    return Request.of(msgspec.convert(document, BindingSpec), BindingStatus())


def test_the_guides_example_filters_and_scores(installed: Any) -> None:
    installed(blocks("python"), blocks("toml"))
    plugins = scheduler_plugins()
    names = [plugin.name for plugin in (*plugins.filters, *plugins.scores)]
    assert names[-3:] == ["OnlyCertified", "ClusterLocality", "Cheapest"]
    yes = {"example.io/certified": "true"}
    members = Snapshot.of(
        [
            cluster("m1", yes, {"example.io/price-per-hour": "0.7"}),
            cluster("m2", yes, {"example.io/price-per-hour": "0.2"}),
            cluster("m3", {}),
        ]
    )
    look = Memory(plugins).survey
    outcome = schedule(request(), members, look)
    assert isinstance(outcome, Fit)
    assert [target.name for target in outcome.targets] == ["m2"]
    assert outcome.diagnosis["m3"].reason == "cluster(s) were not certified"
    outcome = schedule(request(), Snapshot.of([cluster("m3", {})]), look)
    assert isinstance(outcome, Unfit)
    assert outcome.message == "0/1 clusters are available: 1 cluster(s) were not certified."


def test_plugins_are_switched_as_karmadas_are(installed: Any) -> None:
    installed(blocks("python"), blocks("toml"))
    without = scheduler_plugins("*,-Cheapest,-TaintToleration")
    assert [score.name for score in without.scores] == ["ClusterLocality"]
    assert "TaintToleration" not in [each.name for each in without.filters]
    only = scheduler_plugins("ClusterAffinity")
    assert [each.name for each in only.filters] == ["ClusterAffinity"] and only.scores == ()
    with pytest.raises(ConfigError, match=r"--plugins: no plug-in is named Nonsense. Known are APIEnablement, "):
        scheduler_plugins("*,-Nonsense")


FILTERS = '[project.entry-points."hansa.schedule.filters"]\nmine = "payments.placement:mine"\n'


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "raise OSError('disk')",
            r"mine in group hansa.schedule.filters of payments cannot be loaded: OSError",
        ),
        ("mine = 3", "3 is not a hansa.schedule.plugin.Filter"),
        (
            "from hansa.schedule.plugin import Filter\nmine = Filter('TaintToleration', lambda r, i: None)",
            "two plug-ins are named TaintToleration: rename one of them",
        ),
    ],
)
def test_a_broken_package_stops_the_start(installed: Any, code: str, message: str) -> None:
    installed(code, FILTERS)
    with pytest.raises(ConfigError, match=message):
        scheduler_plugins()


@pytest.mark.parametrize(
    ("body", "message"),
    [("1 / 0", "filter Mine failed on cluster m1: ZeroDivisionError"), ("True", "filter Mine answered True: wanted a")],
)
def test_a_plugin_that_fails_is_named(installed: Any, body: str, message: str) -> None:
    code = f"from hansa.schedule.plugin import Filter\nmine = Filter('Mine', lambda request, info: {body})\n"
    installed(code, FILTERS)
    with pytest.raises(PluginError, match=message):
        schedule(request(), Snapshot.of([cluster("m1", {})]), Memory(scheduler_plugins()).survey)


def test_without_other_packages_there_are_ours() -> None:
    assert scheduler_plugins() == IN_TREE
