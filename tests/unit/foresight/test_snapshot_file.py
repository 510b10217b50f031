"""The file of a snapshot, and what of Secrets is in it."""

from __future__ import annotations

import base64
import json

import pytest

from hansa.api.meta import GVK
from hansa.api.names import LAST_APPLIED_ANNOTATION
from hansa.foresight.snapshot import API_VERSION, KIND, Header, LeftOut, Snapshot, read, written
from hansa.foresight.veil import Veil
from hansa.kube.errors import ConfigError


def snapshot(*objects) -> Snapshot:
    header = Header(
        api_version=API_VERSION,
        kind=KIND,
        taken_at="2026-11-28T12:00:00Z",
        hub="hub",
        kinds=("v1/ConfigMap", "apps/v1/Deployment"),
        left_out=(LeftOut(resource="secrets", kind="Secret", api_version="v1", reason="no"),),
        objects=len(objects),
    )
    return Snapshot(header, objects)


def config_map(name="a"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_what_is_written_can_be_read():
    whole = snapshot(config_map(), config_map("b"))
    found = read(written(whole), "file")
    assert found == whole
    assert found.known == {GVK("", "v1", "ConfigMap"), GVK("apps", "v1", "Deployment")}
    assert found.unknown == {GVK("", "v1", "Secret")}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "the file is empty"),
        ([b"apiVersion: v1\n"], "line 1: no snapshot"),
        ([b'{"apiVersion":"v1","kind":"List"}\n'], "take one with `hansa snapshot -o file`"),
        ([b'{"apiVersion":"foresight.hansa.dev/v9","kind":"FederationSnapshot"}\n'], "take it anew"),
        (list(written(snapshot(config_map(), config_map())))[:-1], "cut short: 1 of 2 objects"),
        ([next(iter(written(snapshot(config_map())))), b"{\n"], "line 2: no snapshot"),
    ],
)
def test_what_is_no_snapshot_is_refused(lines, words):
    with pytest.raises(ConfigError, match="file") as refused:
        read(lines, "file")
    assert words in str(refused.value)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(**data):
    applied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "swordfish"}}
    annotations = {LAST_APPLIED_ANNOTATION: json.dumps(applied), "note": "kept"}
    metadata = {"name": "s", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def work(manifest):
    return {"kind": "Work", "metadata": {"name": "w"}, "spec": {"workload": {"manifests": [manifest, config_map()]}}}


def federated():
    overrides = [
        {"path": "/data/password", "value": b64("swordfish")},
        {"path": "/data", "op": "add", "value": {"password": b64("swordfish")}},
        {"path": "/metadata/labels", "value": {"a": "b"}},
    ]
    return {
        "kind": "FederatedSecret",
        "metadata": {"name": "s"},
        "spec": {
            "template": {"data": {"password": b64("swordfish")}},
            "overrides": [{"clusterName": "member1", "clusterOverrides": overrides}],
        },
    }


@pytest.mark.parametrize(
    "obj", [secret(password=b64("swordfish")), work(secret(password=b64("swordfish"))), federated()]
)
def test_no_value_of_a_secret_is_left(obj):
    text = json.dumps(Veil().over(obj))
    assert "swordfish" not in text
    assert b64("swordfish") not in text


def test_equal_values_look_equal_wherever_they_are_and_others_do_not():
    veil = Veil()
    one = veil.over(secret(password=b64("swordfish"), other=b64("tuna")))
    inside = veil.over(work(secret(password=b64("swordfish"))))["spec"]["workload"]["manifests"][0]
    assert one["data"]["password"] == inside["data"]["password"] != one["data"]["other"]
    plain = veil.over({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "stringData": {"password": "swordfish"}})
    assert b64(plain["stringData"]["password"]) == one["data"]["password"]
    operations = veil.over(federated())["spec"]["overrides"][0]["clusterOverrides"]
    assert operations[0]["value"] == operations[1]["value"]["password"] == one["data"]["password"]
    assert operations[2]["value"] == {"a": "b"}
    assert one["metadata"]["annotations"]["note"] == "kept"


def test_another_veil_hides_otherwise_and_no_veil_shows_its_key():
    assert Veil().over(secret(a=b64("x")))["data"] != Veil().over(secret(a=b64("x")))["data"]
    assert repr(Veil()) == "Veil()"


def test_docker_configurations_stay_json():
    hidden = Veil().over(secret(**{".dockerconfigjson": b64('{"auths":{}}')}))
    assert "auths" in json.loads(base64.b64decode(hidden["data"][".dockerconfigjson"]))


def test_other_kinds_stay_as_they_are():
    assert Veil().over(config_map()) == config_map()
