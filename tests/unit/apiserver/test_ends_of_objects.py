"""Deletes, finalizers, garbage collection, namespaces, custom resources and their definitions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.apiserver.conftest import BOATS, CONFIGS, CRDS, DEPLOYMENTS, MERGE, Api, config, definition, deployment

REPLICA_SETS = "/apis/apps/v1/namespaces/default/replicasets"


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def owned(name: str, owner: dict[str, Any], **more: Any) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return config(name, metadata={"ownerReferences": [reference | more]})


async def test_a_delete_answers_with_the_uid(api: Api) -> None:
    made = await api.must("POST", CONFIGS, config("a"))
    status = await api.must("DELETE", f"{CONFIGS}/a")
    assert (status["status"], status["details"]["uid"]) == ("Success", made["metadata"]["uid"])
    assert (await api.ask("DELETE", f"{CONFIGS}/a"))[0] == 404


async def test_preconditions(api: Api) -> None:
    await api.must("POST", CONFIGS, config("a"))
    for wanted in ({"uid": "x"}, {"resourceVersion": "1"}):
        code, status = await api.ask("DELETE", f"{CONFIGS}/a", {"preconditions": wanted})
        assert (code, status["reason"]) == (409, "Conflict")


async def test_finalizers_hold_and_the_last_lets_go_in_one_event(api: Api) -> None:
    await api.must("POST", CONFIGS, config("a", metadata={"finalizers": ["x/y"]}))
    await api.must("DELETE", f"{CONFIGS}/a")
    version = (await api.must("GET", CONFIGS))["metadata"]["resourceVersion"]
    stream = await api.watch(f"{CONFIGS}?watch=1&resourceVersion={version}")
    code, status = await api.ask("PATCH", f"{CONFIGS}/a", {"metadata": {"finalizers": ["x/y", "z/z"]}}, media=MERGE)
    assert (code, status["reason"]) == (422, "Invalid")
    await api.must("PATCH", f"{CONFIGS}/a", {"metadata": {"finalizers": None}}, media=MERGE)
    await api.must("POST", CONFIGS, config("b"))
    assert await stream.names(2) == ["DELETED a", "ADDED b"]
    await stream.close()


async def test_deletecollection_with_a_selector(api: Api) -> None:
    await api.must("POST", CONFIGS, config("a", metadata={"labels": {"x": "1"}}))
    await api.must("POST", CONFIGS, config("b"))
    gone = await api.must("DELETE", f"{CONFIGS}?labelSelector=x=1")
    assert [obj["metadata"]["name"] for obj in gone["items"]] == ["a"]
    assert (await api.ask("GET", f"{CONFIGS}/b"))[0] == 200


async def test_dependents_follow_their_owner(api: Api) -> None:
    owner = await api.must("POST", CONFIGS, config("owner"))
    second = await api.must("POST", CONFIGS, owned("child", owner))
    await api.must("POST", CONFIGS, owned("grandchild", second))
    await api.must("DELETE", f"{CONFIGS}/owner")
    await settle()
    assert (await api.ask("GET", f"{CONFIGS}/child"))[0] == 404
    assert (await api.ask("GET", f"{CONFIGS}/grandchild"))[0] == 404


async def test_one_living_owner_is_enough(api: Api) -> None:
    first, second = [await api.must("POST", CONFIGS, config(name)) for name in ("o1", "o2")]
    child = owned("child", first)
    child["metadata"]["ownerReferences"] += owned("x", second)["metadata"]["ownerReferences"]
    await api.must("POST", CONFIGS, child)
    await api.must("DELETE", f"{CONFIGS}/o1")
    await settle()
    assert (await api.ask("GET", f"{CONFIGS}/child"))[0] == 200


async def test_orphans_stay_without_their_reference(api: Api) -> None:
    owner = await api.must("POST", DEPLOYMENTS, deployment("d"))
    await api.must("POST", CONFIGS, owned("child", owner))
    await api.must("DELETE", f"{DEPLOYMENTS}/d", {"propagationPolicy": "Orphan"})
    await settle()
    assert (await api.ask("GET", f"{DEPLOYMENTS}/d"))[0] == 404
    assert "ownerReferences" not in (await api.must("GET", f"{CONFIGS}/child"))["metadata"]


async def test_foreground_waits_for_what_blocks(api: Api) -> None:
    owner = await api.must("POST", DEPLOYMENTS, deployment("d"))
    child = owned("child", owner, blockOwnerDeletion=True)
    child["metadata"]["finalizers"] = ["x/y"]
    await api.must("POST", CONFIGS, child)
    marked = await api.must("DELETE", f"{DEPLOYMENTS}/d", {"propagationPolicy": "Foreground"})
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    await settle()
    assert (await api.ask("GET", f"{DEPLOYMENTS}/d"))[0] == 200
    await api.must("PATCH", f"{CONFIGS}/child", {"metadata": {"finalizers": None}}, media=MERGE)
    await settle()
    assert (await api.ask("GET", f"{DEPLOYMENTS}/d"))[0] == 404


async def test_an_object_of_an_absent_owner_goes(api: Api) -> None:
    owner = await api.must("POST", CONFIGS, config("owner"))
    await api.must("DELETE", f"{CONFIGS}/owner")
    await api.must("POST", CONFIGS, owned("late", owner))
    await settle()
    assert (await api.ask("GET", f"{CONFIGS}/late"))[0] == 404


async def test_a_namespace_is_furnished_and_emptied(api: Api) -> None:
    await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "lab"}})
    await settle()
    lab = "/api/v1/namespaces/lab"
    await api.must("GET", f"{lab}/serviceaccounts/default")
    root = await api.must("GET", f"{lab}/configmaps/kube-root-ca.crt")
    assert "BEGIN CERTIFICATE" in root["data"]["ca.crt"]
    await api.must("POST", f"{lab}/configmaps", config("held", metadata={"finalizers": ["x/y"]}))
    marked = await api.must("DELETE", lab)
    assert marked["status"]["phase"] == "Terminating"
    await settle()
    code, status = await api.ask("POST", f"{lab}/configmaps", config("late"))
    assert (code, status["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    conditions = {c["type"]: c for c in (await api.must("GET", lab))["status"]["conditions"]}
    assert "x/y in 1 resource instances" in conditions["NamespaceFinalizersRemaining"]["message"]
    await api.must("PATCH", f"{lab}/configmaps/held", {"metadata": {"finalizers": None}}, media=MERGE)
    await settle()
    assert (await api.ask("GET", lab))[0] == 404


async def test_token_secrets_are_filled(api: Api) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    meta = {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}}
    await api.must("POST", secrets, {"metadata": meta, "type": "kubernetes.io/service-account-token"})
    await settle()
    data = (await api.must("GET", f"{secrets}/t"))["data"]
    assert set(data) == {"ca.crt", "namespace", "token"}


async def test_a_definition_is_served_at_once(api: Api) -> None:
    made = await api.must("POST", CRDS, definition(subresources={"status": {}}))
    assert made["spec"]["names"]["listKind"] == "BoatList"
    boat = await api.must("POST", BOATS, {"metadata": {"name": "a"}, "spec": {"port": "x"}, "status": {"crew": 4}})
    assert (boat["spec"], "status" in boat, boat["metadata"]["generation"]) == ({"port": "x", "crew": 3}, False, 1)
    status = (await api.must("GET", f"{CRDS}/boats.sea.example"))["status"]
    assert {c["type"]: c["status"] for c in status["conditions"]} == {"NamesAccepted": "True", "Established": "True"}
    assert status["storedVersions"] == ["v1"]
    groups = [group["name"] for group in (await api.must("GET", "/apis"))["groups"]]
    assert "sea.example" in groups


@pytest.mark.parametrize(
    ("spec", "code", "field"),
    [({"crew": 0}, 422, "spec.crew"), ({"crew": "x"}, 422, "spec.crew"), ({"port": 3}, 422, "spec.port")],
)
async def test_custom_objects_are_checked(api: Api, spec: dict[str, Any], code: int, field: str) -> None:
    await api.must("POST", CRDS, definition())
    got, status = await api.ask("POST", BOATS, {"metadata": {"name": "a"}, "spec": spec})
    assert (got, status["details"]["causes"][0]["field"]) == (code, field)


async def test_unknown_fields_of_custom_objects_are_pruned(api: Api) -> None:
    await api.must("POST", CRDS, definition())
    answer = await api.send("POST", BOATS, {"metadata": {"name": "a"}, "spec": {"speed": 9}})
    assert 'unknown field \\"spec.speed\\"' in answer.headers["warning"]
    assert (await api.must("GET", f"{BOATS}/a"))["spec"] == {"crew": 3}


async def test_versions_without_conversion(api: Api) -> None:
    body = definition()
    second = body["spec"]["versions"][0] | {"name": "v2", "storage": False}
    body["spec"]["versions"].append(second)
    await api.must("POST", CRDS, body)
    newer = BOATS.replace("/v1/", "/v2/")
    made = await api.must("POST", newer, {"metadata": {"name": "a"}, "spec": {"port": "x"}})
    assert made["apiVersion"] == "sea.example/v2"
    assert (await api.must("GET", f"{BOATS}/a"))["apiVersion"] == "sea.example/v1"
    stream = await api.watch(f"{newer}?watch=1")
    assert (await stream.next())[1]["apiVersion"] == "sea.example/v2"
    await stream.close()


async def test_a_definition_takes_its_objects_along(api: Api) -> None:
    await api.must("POST", CRDS, definition())
    await api.must("POST", BOATS, {"metadata": {"name": "a", "finalizers": ["x/y"]}})
    await api.must("DELETE", f"{CRDS}/boats.sea.example")
    await settle()
    code, status = await api.ask("POST", BOATS, {"metadata": {"name": "b"}})
    assert (code, "terminating" in status["message"]) == (403, True)
    await api.must("PATCH", f"{BOATS}/a", {"metadata": {"finalizers": None}}, media=MERGE)
    await settle()
    assert (await api.ask("GET", f"{CRDS}/boats.sea.example"))[0] == 404
    assert (await api.ask("GET", BOATS))[0] == 404


async def test_a_bad_definition_is_refused(api: Api) -> None:
    body = definition()
    body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].pop("type")
    body["metadata"]["name"] = "boots.sea.example"
    code, status = await api.ask("POST", CRDS, body)
    fields = [cause["field"] for cause in status["details"]["causes"]]
    assert (code, fields) == (
        422,
        ["metadata.name", "spec.validation.openAPIV3Schema.properties[spec].type"],
    )
