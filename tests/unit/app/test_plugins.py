"""Plug-ins come by entry point; the guide's example is one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from tests.support.packages import installed, of_the_guide

from hansa.api.cluster import Cluster
from hansa.api.core import Taint
from hansa.api.work import BindingSpec, BindingStatus
from hansa.app.plugins import scheduler_plugins
from hansa.kube.errors import ConfigError
from hansa.schedule import Fit, Memory, Request, Snapshot, Unfit, schedule
from hansa.schedule.plugin import PluginError
from hansa.schedule.survey import IN_TREE
from hansa.schedule.trace import trace

Install = Callable[[str, str], None]
APIS = [{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Install, None, None]:
    with ExitStack() as stack:
        yield lambda code, points: stack.enter_context(installed(tmp_path, monkeypatch, code, points))


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


def test_the_guides_example_filters_and_scores(install: Install) -> None:
    install(of_the_guide("python"), of_the_guide("toml"))
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


def test_a_trace_has_every_verdict_and_the_points_of_each_score(install: Install) -> None:
    install(of_the_guide("python"), of_the_guide("toml"))
    prices = {"example.io/price-per-hour": "0.25"}
    members = Snapshot.of([cluster("m1", {"example.io/certified": "true"}, prices), cluster("m2", {}, prices)])
    (attempt,) = trace(request(), members, scheduler_plugins()).attempts
    first, second = attempt.clusters
    assert first.refusals == [] and [verdict.filter for verdict in first.verdicts][-1] == "OnlyCertified"
    assert first.points == {"ClusterLocality": 0, "Cheapest": 75}
    assert first.candidate is not None and first.candidate.score == 75
    assert [refusal.reason for refusal in second.refusals] == ["cluster(s) were not certified"]
    assert second.points == {}


def test_a_filter_that_fails_where_no_decision_asks_it_spoils_no_trace(install: Install) -> None:
    price = "Refusal('dear') if float(info.cluster.metadata.annotations['example.io/price-per-hour']) > 1 else None"
    install(
        "from hansa.schedule.outcome import Refusal\nfrom hansa.schedule.plugin import Filter\n"
        f"mine = Filter('Mine', lambda request, info: {price})\n",
        FILTERS,
    )
    taint = Taint(key="team", value="other", effect="NoSchedule")
    away = cluster("m2", {})
    away = msgspec.structs.replace(away, spec=msgspec.structs.replace(away.spec, taints=[taint]))
    members = Snapshot.of([cluster("m1", {}, {"example.io/price-per-hour": "0.2"}), away])
    (attempt,) = trace(request(), members, scheduler_plugins()).attempts
    assert attempt.found == ("m1",)
    reasons = [refusal.reason for refusal in attempt.clusters[1].refusals]
    assert reasons[0] == "cluster(s) had untolerated taint {team=other:NoSchedule}"
    assert reasons[1].startswith("filter Mine failed on cluster m2: KeyError")


def test_plugins_are_switched_as_karmadas_are(install: Install) -> None:
    install(of_the_guide("python"), of_the_guide("toml"))
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
def test_a_broken_package_stops_the_start(install: Install, code: str, message: str) -> None:
    install(code, FILTERS)
    with pytest.raises(ConfigError, match=message):
        scheduler_plugins()


@pytest.mark.parametrize(
    ("body", "message"),
    [("1 / 0", "filter Mine failed on cluster m1: ZeroDivisionError"), ("True", "filter Mine answered True: wanted a")],
)
def test_a_plugin_that_fails_is_named(install: Install, body: str, message: str) -> None:
    code = f"from hansa.schedule.plugin import Filter\nmine = Filter('Mine', lambda request, info: {body})\n"
    install(code, FILTERS)
    with pytest.raises(PluginError, match=message):
        schedule(request(), Snapshot.of([cluster("m1", {})]), Memory(scheduler_plugins()).survey)


def test_without_other_packages_there_are_ours() -> None:
    assert scheduler_plugins() == IN_TREE
