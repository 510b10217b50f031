"""Create, update, patch: what is stored, what is answered, what is refused."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.unit.apiserver.conftest import (
    APPLY,
    CONFIGS,
    DEPLOYMENTS,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Api,
    config,
    deployment,
)


async def test_a_new_object_gets_what_the_server_owns(api: Api) -> None:
    made = await api.must("POST", CONFIGS, config("a", metadata={"uid": "mine", "generation": 9}))
    meta = made["metadata"]
    assert (meta["namespace"], meta["uid"] != "mine", "generation" in meta) == ("default", True, False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", meta["creationTimestamp"])
    assert meta["managedFields"][0]["manager"] == "tester"
    assert made == await api.must("GET", f"{CONFIGS}/a")


async def test_versions_grow_by_one_counter(api: Api) -> None:
    first = await api.must("POST", CONFIGS, config("a"))
    other = await api.must("POST", DEPLOYMENTS, deployment("b"))
    second = await api.must("POST", CONFIGS, config("c"))
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in (first, other, second)]
    assert versions == sorted(set(versions))


async def test_generated_names_are_of_five_characters(api: Api) -> None:
    made = await api.must("POST", CONFIGS, {"metadata": {"generateName": "g-"}})
    assert re.fullmatch(r"g-[bcdfghjklmnpqrstvwxz2456789]{5}", made["metadata"]["name"])


@pytest.mark.parametrize(
    ("path", "body", "code", "reason"),
    [
        (CONFIGS, config("Bad_Name"), 422, "Invalid"),
        (CONFIGS, config("a", metadata={"namespace": "other"}), 400, "BadRequest"),
        (CONFIGS, config("a", metadata={"resourceVersion": "5"}), 400, "BadRequest"),
        (CONFIGS, config("a", kind="Secret"), 400, "BadRequest"),
        (CONFIGS, config("a", apiVersion="v2"), 400, "BadRequest"),
        (CONFIGS, config("a", data={"a": 1}), 400, "BadRequest"),
        (CONFIGS, b"nonsense", 400, "BadRequest"),
        (CONFIGS, b"x" * (4 << 20), 413, "RequestEntityTooLarge"),
        (CONFIGS.replace("default", "nowhere"), config("a"), 404, "NotFound"),
        (f"{CONFIGS}?dryRun=Some", config("a"), 400, "BadRequest"),
        (f"{CONFIGS}?fieldValidation=Strict", config("a", extra=1), 400, "BadRequest"),
        (DEPLOYMENTS, deployment("a", replicas=-1), 422, "Invalid"),
    ],
)
async def test_a_bad_create_is_refused_with_a_status(api: Api, path: str, body: object, code: int, reason: str) -> None:
    got, status = await api.ask("POST", path, body)
    assert (got, status["kind"], status["reason"], status["code"]) == (code, "Status", reason, code)


async def test_twice_is_a_conflict(api: Api) -> None:
    await api.must("POST", CONFIGS, config("a"))
    code, status = await api.ask("POST", CONFIGS, config("a"))
    assert (code, status["reason"], status["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')


async def test_unknown_fields_are_dropped_with_a_warning(api: Api) -> None:
    answer = await api.send("POST", CONFIGS, config("a", extra=1))
    assert answer.code == 201
    assert answer.headers["warning"] == '299 - "unknown field \\"extra\\""'
    assert "extra" not in await api.must("GET", f"{CONFIGS}/a")


async def test_dry_run_changes_nothing(api: Api) -> None:
    before = api.embedded.context.storage.version
    made = await api.must("POST", f"{CONFIGS}?dryRun=All", config("a"))
    assert made["metadata"]["uid"]
    assert (await api.ask("GET", f"{CONFIGS}/a"))[0] == 404
    assert api.embedded.context.storage.version == before


async def test_a_stale_put_conflicts_and_one_without_version_does_not(api: Api) -> None:
    first = await api.must("POST", CONFIGS, config("a"))
    await api.must("PATCH", f"{CONFIGS}/a", {"data": {"b": "2"}}, media=MERGE)
    code, status = await api.ask("PUT", f"{CONFIGS}/a", first)
    assert code == 409
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    replaced = await api.must("PUT", f"{CONFIGS}/a", config("a"))
    assert replaced["data"] == {"a": "1"}


async def test_a_write_that_changes_nothing_keeps_the_version(api: Api) -> None:
    made = await api.must("POST", CONFIGS, config("a"))
    again = await api.must("PATCH", f"{CONFIGS}/a", {"data": {"a": "1"}}, media=MERGE)
    assert again == made
    assert (await api.must("PUT", f"{CONFIGS}/a", made)) == made


async def test_generation_counts_intent_and_the_delete(api: Api) -> None:
    await api.must("POST", DEPLOYMENTS, deployment("a") | {"status": {"replicas": 4}})
    one = f"{DEPLOYMENTS}/a"
    obj = await api.must("GET", one)
    assert (obj["metadata"]["generation"], obj.get("status")) == (1, {})
    obj = await api.must("PATCH", one, {"metadata": {"labels": {"x": "y"}}, "status": {"replicas": 3}}, media=MERGE)
    assert (obj["metadata"]["generation"], obj["status"]) == (1, {})
    obj = await api.must("PATCH", f"{one}/status", {"status": {"replicas": 3}, "spec": {"replicas": 8}}, media=MERGE)
    assert (obj["metadata"]["generation"], obj["status"], obj["spec"]["replicas"]) == (1, {"replicas": 3}, 1)
    obj = await api.must("PATCH", one, {"spec": {"replicas": 2}, "metadata": {"finalizers": ["x/y"]}}, media=MERGE)
    assert obj["metadata"]["generation"] == 2
    obj = await api.must("DELETE", one)
    assert (obj["metadata"]["generation"], "deletionTimestamp" in obj["metadata"]) == (3, True)


async def test_the_four_patches(api: Api) -> None:
    await api.must("POST", DEPLOYMENTS, deployment("a"))
    one = f"{DEPLOYMENTS}/a"
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s"}]}}}}
    obj = await api.must("PATCH", one, side, media=STRATEGIC)
    assert [c["name"] for c in obj["spec"]["template"]["spec"]["containers"]] == ["side", "c"]
    ops = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "t"}]
    obj = await api.must("PATCH", one, ops, media=JSON_PATCH)
    assert obj["spec"]["template"]["spec"]["containers"][0]["image"] == "t"
    obj = await api.must("PATCH", one, side, media=MERGE)
    assert [c["name"] for c in obj["spec"]["template"]["spec"]["containers"]] == ["side"]
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 7}}
    obj = await api.must("PATCH", f"{one}?fieldManager=me&force=true", applied, media=APPLY)
    assert obj["spec"]["replicas"] == 7
    managers = {(e["manager"], e["operation"]) for e in obj["metadata"]["managedFields"]}
    assert managers == {("me", "Apply"), ("tester", "Update")}
    assert (await api.ask("PATCH", one, {}, media="text/plain"))[0] == 415


async def test_apply_creates_conflicts_and_takes_over(api: Api) -> None:
    one = f"{CONFIGS}/a"
    code, _ = await api.ask("PATCH", f"{one}?fieldManager=x", config("a"), media=APPLY)
    assert code == 201
    code, status = await api.ask("PATCH", f"{one}?fieldManager=y", config("a", data={"a": "2"}), media=APPLY)
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "x": .data.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "x"', "field": ".data.a"}
    ]
    taken = await api.must("PATCH", f"{one}?fieldManager=y&force=true", config("a", data={"a": "2"}), media=APPLY)
    assert taken["data"] == {"a": "2"}
    assert [e["manager"] for e in taken["metadata"]["managedFields"]] == ["y"]
    assert (await api.ask("PATCH", one, config("a"), media=APPLY))[0] == 422
    assert (await api.ask("PATCH", f"{one}?force=true", {}, media=MERGE))[0] == 422


async def test_scale(api: Api) -> None:
    await api.must("POST", DEPLOYMENTS, deployment("a", replicas=2))
    scale = await api.must("GET", f"{DEPLOYMENTS}/a/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 2},
        {"replicas": 0, "selector": "app=a"},
    )
    scale["spec"]["replicas"] = 5
    assert (await api.must("PUT", f"{DEPLOYMENTS}/a/scale", scale))["spec"] == {"replicas": 5}
    assert (await api.ask("PUT", f"{DEPLOYMENTS}/a/scale", scale))[0] == 409
    obj = await api.must("GET", f"{DEPLOYMENTS}/a")
    assert (obj["spec"]["replicas"], obj["metadata"]["generation"]) == (5, 2)


async def test_racing_patches_all_arrive(api: Api) -> None:
    await api.must("POST", CONFIGS, config("a"))
    await asyncio.gather(*(api.must("PATCH", f"{CONFIGS}/a", {"data": {f"k{n}": "x"}}, media=MERGE) for n in range(20)))
    assert len((await api.must("GET", f"{CONFIGS}/a"))["data"]) == 21


async def test_a_put_of_a_missing_lease_creates_it(api: Api) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
    code, _ = await api.ask("PUT", path, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}})
    assert code == 201
    assert (await api.ask("PUT", f"{CONFIGS}/none", config("none")))[0] == 404


async def test_an_unknown_path_is_not_found_in_plain_text(api: Api) -> None:
    assert await api.ask("GET", "/apis/apps/v1/unicorns") == (404, "404 page not found\n")
    assert (await api.ask("POST", f"{CONFIGS}/a", {}))[0] == 405
