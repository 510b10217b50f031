"""Custom objects against a schema: the answers are a real kube-apiserver's (v1.37.2)."""

import json
from pathlib import Path

import pytest

from hansa.api.schema import apply_defaults, prune, unknown_fields, validate
from hansa.base.patch import copy_json

TABLE = json.loads(Path(__file__).with_name("schema_cases.json").read_text())
SCHEMA = TABLE["schema"]


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: json.dumps(case["spec"])[:60])
def test_faults_defaults_and_pruning(case):
    obj = {"apiVersion": "val.dev/v1", "kind": "Val", "metadata": {"name": "a"}, "spec": copy_json(case["spec"])}
    assert unknown_fields(obj, SCHEMA, structural=True) == case.get("unknown", [])
    prune(obj, SCHEMA)
    apply_defaults(obj, SCHEMA)
    causes = sorted([error.field, error.reason, error.message] for error in validate(obj, SCHEMA))
    assert causes == sorted(case.get("causes", []))
    if "stored" in case:
        assert obj["spec"] == case["stored"]
