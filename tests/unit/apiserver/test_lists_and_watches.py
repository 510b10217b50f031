"""Lists in pages and in the past; watches with selectors, bookmarks, 410 and slow readers."""

from __future__ import annotations

import json

import pytest
from tests.unit.apiserver.conftest import CONFIGS, MERGE, Api, config

from hansa.apiserver import storage, watch

ALL = "/api/v1/configmaps"


async def _make(api: Api, *names: str, **more: object) -> None:
    for name in names:
        await api.must("POST", CONFIGS, config(name, **more))


async def test_pages_are_of_one_version(api: Api) -> None:
    await _make(api, *"edcba")
    page = await api.must("GET", f"{CONFIGS}?limit=2")
    seen = [obj["metadata"]["name"] for obj in page["items"]]
    assert page["metadata"]["remainingItemCount"] == 4
    await api.must("DELETE", f"{CONFIGS}/d")
    await _make(api, "f")
    version = page["metadata"]["resourceVersion"]
    while token := page["metadata"].get("continue"):
        page = await api.must("GET", f"{CONFIGS}?limit=2&continue={token}")
        seen += [obj["metadata"]["name"] for obj in page["items"]]
        assert page["metadata"]["resourceVersion"] == version
    assert seen == ["a", "b", "c", "d", "e", "kube-root-ca.crt"]


async def test_pages_of_one_namespace_stop_at_its_end(api: Api) -> None:
    for namespace in ("defaul", "default-2", "defaulu"):
        await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        await api.must("POST", f"/api/v1/namespaces/{namespace}/configmaps", config("x"))
    await _make(api, *"ba")
    first = await api.must("GET", f"{CONFIGS}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 1
    second = await api.must("GET", f"{CONFIGS}?limit=2&continue={first['metadata']['continue']}")
    assert "continue" not in second["metadata"]
    names = [obj["metadata"]["name"] for page in (first, second) for obj in page["items"]]
    assert names == ["a", "b", "kube-root-ca.crt"]


async def test_pages_of_a_selector_end_with_its_last_object(api: Api) -> None:
    await _make(api, "a", "c", metadata={"labels": {"x": "1"}})
    await _make(api, "b", "d")
    first = await api.must("GET", f"{CONFIGS}?limit=1&labelSelector=x=1")
    assert "remainingItemCount" not in first["metadata"]
    token = first["metadata"]["continue"]
    second = await api.must("GET", f"{CONFIGS}?limit=1&labelSelector=x=1&continue={token}")
    assert [obj["metadata"]["name"] for obj in second["items"]] == ["c"]
    assert "continue" not in second["metadata"]


async def test_an_old_page_is_gone_and_says_how_to_go_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "HISTORY", 3)
    await _make(api, *"abc")
    page = await api.must("GET", f"{CONFIGS}?limit=1")
    await _make(api, *"uvwxyz")
    code, status = await api.ask("GET", f"{CONFIGS}?limit=9&continue={page['metadata']['continue']}")
    assert (code, status["reason"]) == (410, "Expired")
    rest = await api.must("GET", f"{CONFIGS}?limit=9&continue={status['metadata']['continue']}")
    assert [obj["metadata"]["name"] for obj in rest["items"]][:3] == ["b", "c", "kube-root-ca.crt"]


async def test_a_list_of_an_exact_version(api: Api) -> None:
    await _make(api, "a")
    version = api.embedded.context.storage.version
    await _make(api, "b")
    past = await api.must("GET", f"{CONFIGS}?resourceVersion={version}&resourceVersionMatch=Exact&labelSelector=!x")
    assert [obj["metadata"]["name"] for obj in past["items"]] == ["a", "kube-root-ca.crt"]
    assert (await api.ask("GET", f"{CONFIGS}?resourceVersion=99999"))[0] == 504
    assert (await api.ask("GET", f"{CONFIGS}?resourceVersionMatch=Exact"))[0] == 400


async def test_selectors(api: Api) -> None:
    await _make(api, "a", "b", metadata={"labels": {"x": "1"}})
    found = await api.must("GET", f"{ALL}?labelSelector=x%20in%20(1)".replace("%20", " "))
    assert len(found["items"]) == 2
    found = await api.must("GET", f"{ALL}?fieldSelector=metadata.name!=a,metadata.namespace=default")
    assert [obj["metadata"]["name"] for obj in found["items"]] == ["b", "kube-root-ca.crt"]
    code, status = await api.ask("GET", f"{ALL}?fieldSelector=spec.x=1")
    assert code == 400
    assert "is not a known field selector" in status["message"]


async def test_a_watch_from_a_version_misses_nothing(api: Api) -> None:
    await _make(api, "a")
    version = (await api.must("GET", CONFIGS))["metadata"]["resourceVersion"]
    await api.must("PATCH", f"{CONFIGS}/a", {"data": {"b": "2"}}, media=MERGE)
    await api.must("DELETE", f"{CONFIGS}/a")
    stream = await api.watch(f"{CONFIGS}?watch=1&resourceVersion={version}")
    await _make(api, "b")
    assert await stream.names(3) == ["MODIFIED a", "DELETED a", "ADDED b"]
    await stream.close()


async def test_objects_enter_and_leave_a_selection(api: Api) -> None:
    stream = await api.watch(f"{CONFIGS}?watch=1&labelSelector=x=1")
    await _make(api, "a")
    for value in ("1", "1", None):
        await api.must("PATCH", f"{CONFIGS}/a", {"metadata": {"labels": {"x": value, "n": value}}}, media=MERGE)
    await api.must("DELETE", f"{CONFIGS}/a")
    await _make(api, "b", metadata={"labels": {"x": "1"}})
    assert await stream.names(3) == ["ADDED a", "DELETED a", "ADDED b"]
    await stream.close()


async def test_a_watch_begins_with_what_is_there(api: Api) -> None:
    await _make(api, "a")
    stream = await api.watch(f"{CONFIGS}?watch=1")
    assert await stream.names(2) == ["ADDED a", "ADDED kube-root-ca.crt"]
    await stream.close()


async def test_streaming_lists_end_with_a_marked_bookmark(api: Api) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    stream = await api.watch(f"{CONFIGS}?{query}")
    assert await stream.names(1) == ["ADDED kube-root-ca.crt"]
    kind, mark = await stream.next()
    assert (kind, mark["kind"], mark["metadata"]["annotations"]) == (
        "BOOKMARK",
        "ConfigMap",
        {"k8s.io/initial-events-end": "true"},
    )
    assert mark["metadata"]["resourceVersion"] == str(api.embedded.context.storage.version)
    await stream.close()
    assert (await api.ask("GET", f"{CONFIGS}?watch=1&sendInitialEvents=true"))[0] == 400


async def test_a_forgotten_version_is_410_as_an_event(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "HISTORY", 2)
    await _make(api, *"abcdef")
    for version in (3, 10**9):
        stream = await api.watch(f"{CONFIGS}?watch=1&resourceVersion={version}")
        kind, status = await stream.next()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_a_reader_that_falls_behind_is_cut_off_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    version = api.embedded.context.storage.version
    slow = await api.watch(f"{CONFIGS}?watch=1&resourceVersion={version}")
    monkeypatch.setattr(watch, "MAX_PENDING_BYTES", 2000)
    quick = await api.watch(f"{CONFIGS}?watch=1&resourceVersion={version}")
    for name in "abcdefgh":
        await _make(api, name)
        assert await quick.names(1) == [f"ADDED {name}"]
    assert await slow.ended()
    await quick.close()
    assert api.embedded.context.storage.bucket("configmaps").listeners == []


async def test_a_watch_ends_after_its_timeout(api: Api) -> None:
    stream = await api.watch(f"{CONFIGS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=1&resourceVersion=0")
    assert await stream.names(2) == ["ADDED kube-root-ca.crt", "BOOKMARK"]
    assert await stream.ended()


async def test_tables_and_metadata_alone(api: Api) -> None:
    await _make(api, "a")
    table = await api.must("GET", CONFIGS, accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    partial = await api.must("GET", CONFIGS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    assert (partial["kind"], set(partial["items"][0])) == (
        "PartialObjectMetadataList",
        {"kind", "apiVersion", "metadata"},
    )
    assert (await api.ask("GET", CONFIGS, accept="text/html"))[0] == 406
    yaml = await api.send("GET", f"{CONFIGS}/a", accept="application/yaml")
    assert b"kind: ConfigMap" in yaml.body  # type: ignore[operator]


async def test_large_answers_are_packed_when_asked(api: Api) -> None:
    await api.must("POST", CONFIGS, config("big", data={"a": "x" * 200_000}))
    answer = await api.send("GET", f"{CONFIGS}/big", **{"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 10_000  # type: ignore[arg-type]


async def test_discovery_in_both_forms(api: Api) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = await api.send("GET", "/apis", accept=accept)
    groups = json.loads(answer.body)  # type: ignore[arg-type]
    assert groups["kind"] == "APIGroupDiscoveryList"
    again = await api.send("GET", "/apis", accept=accept, **{"if-none-match": answer.headers["etag"]})
    assert again.code == 304
    assert (await api.must("GET", "/apis"))["kind"] == "APIGroupList"
    resources = {r["name"]: r for r in (await api.must("GET", "/apis/apps/v1"))["resources"]}
    assert resources["deployments/scale"]["kind"] == "Scale"
    assert (await api.must("GET", "/version"))["gitVersion"] == "v1.37.2"
