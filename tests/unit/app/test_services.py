"""`hansa services`: one view from what the clusters hold."""

from __future__ import annotations

from typing import Any

import msgspec
from click.testing import CliRunner
from tests.wire.dns_cases import endpoint, imported, slice_of

from hansa.api import names
from hansa.api.item import Item
from hansa.api.meta import Json
from hansa.api.routing import Backend, Route, RoutePort
from hansa.app.services import Holdings, Source, views
from hansa.cli.services import _print

HTTP = (("http", "TCP", 80),)
ROUTE = Route(
    mode="hybrid",
    ports=(RoutePort(name="http", port=80, listen=20001),),
    backends=(Backend(cluster="east", tier=0, weight=3, ports=("http",)),),
)


def exported(*conditions: tuple[str, str, str]) -> Item:
    listed = [{"type": type_, "status": status, "reason": reason} for type_, status, reason in conditions]
    meta = {"name": "web", "namespace": "shop"}
    return Item.of({"kind": "ServiceExport", "metadata": meta, "status": {"conditions": listed}})


GOOD = exported(("Valid", "True", "Valid"), ("Ready", "True", "Exported"), ("Conflict", "False", "NoConflicts"))


def web(ready: str = "True", route: Route | None = ROUTE) -> Item:
    body = imported("web", HTTP, ("10.96.0.1",))
    if route is not None:
        body["metadata"]["annotations"] = {names.ROUTE_ANNOTATION: msgspec.json.encode(route).decode()}
    body["status"] = {
        "conditions": [{"type": "Ready", "status": ready, "reason": "Pending" if ready != "True" else "Ready"}]
    }
    return Item.of(body)


def active(body: Json) -> Item:
    body["metadata"]["labels"][names.SERVICE_LABEL] = "derived-web"
    return Item.of(body)


def pods(cluster: str, *addresses: str) -> Json:
    return slice_of("web", cluster, [endpoint(address) for address in addresses], (("http", "TCP", 8080),))


def through_gateway(cluster: str) -> Json:
    return slice_of("web", cluster, [endpoint("10.0.0.1")], (("http", "TCP", 20001),))


def one(**clusters: Holdings) -> Any:
    (found,) = views(clusters)
    return found


def test_a_service_that_all_agree_on() -> None:
    view = one(
        east=Holdings([GOOD], [web()], [active(pods("east", "10.1.0.1", "10.1.0.2"))]),
        west=Holdings([], [web()], [active(through_gateway("east"))]),
    )
    assert (view.namespace, view.name, view.type, view.ports) == ("shop", "web", "ClusterSetIP", ("80/TCP",))
    assert [each.cluster for each in view.exports] == ["east"]
    assert {each.cluster: each.sources for each in view.imports} == {
        "east": (Source(cluster="east", ready=2),),
        "west": (Source(cluster="east", ready=3, gateway=True),),
    }
    assert view.faults == view.conflicts == []


def test_slices_that_wait_answer_nothing_unless_the_service_is_headless() -> None:
    waiting = Item.of(pods("east", "10.1.0.1"))
    assert one(east=Holdings([GOOD], [web()], [waiting])).faults == ["east: no ready endpoints"]
    headless = Holdings([GOOD], [Item.of(imported("web"))], [waiting])
    assert one(east=headless).imports[0].sources == (Source(cluster="east", ready=1),)


def test_faults_are_told_with_their_cluster() -> None:
    unseen = exported()
    invalid = exported(("Valid", "False", "NoService"), ("Ready", "False", "Pending"))
    view = one(east=Holdings([unseen], [], []), west=Holdings([invalid], [web("False")], []))
    assert view.faults == ["east: not looked at yet", "west: NoService", "west: Pending"]
    assert [each.valid for each in view.exports] == [False, False]


def test_a_conflict_is_told_once() -> None:
    both = exported(("Valid", "True", "Valid"), ("Ready", "True", "Ready"), ("Conflict", "True", "PortConflict"))
    view = one(east=Holdings([both], [web()], []), west=Holdings([both], [web()], []))
    assert view.conflicts == ["PortConflict"]


def test_an_import_without_a_route_is_shown_all_the_same() -> None:
    view = one(east=Holdings([GOOD], [web(route=None)], [active(pods("east", "10.1.0.1"))]))
    assert (view.imports[0].mode, view.imports[0].sources) == ("", (Source(cluster="east", ready=1),))


def test_what_is_printed(capsys: Any) -> None:
    view = one(
        east=Holdings([GOOD], [web()], [active(pods("east", "10.1.0.1"))]),
        west=Holdings([], [web()], [active(through_gateway("east"))]),
    )
    _print([view], wide=False, with_namespace=True)
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("shop", "web", "ClusterSetIP", "80/TCP", "east", "east,west", "east:3", "OK")
    ]
    _print([view], wide=True, with_namespace=False)
    assert capsys.readouterr().out.splitlines()[2].split()[3:] == ["west", "10.96.0.1", "hybrid", "east:3⇄", "OK"]


def test_the_command_is_there() -> None:
    from hansa.cli.main import cli

    assert "ANSWER" in CliRunner().invoke(cli, ["services", "--help"]).output.upper()
