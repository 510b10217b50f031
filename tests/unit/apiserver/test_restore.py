"""Complaints about documents that do not fit, each as a kube-apiserver 1.37 words it."""

from __future__ import annotations

from typing import Any

import pytest

from hansa.api.meta import GVK
from hansa.apiserver.builtin.restore import complaint

DEPLOYMENT = GVK("apps", "v1", "Deployment")
CONFIG_MAP = GVK("", "v1", "ConfigMap")


@pytest.mark.parametrize(
    ("gvk", "document", "wanted"),
    [
        (CONFIG_MAP, {"data": {"color": 5}}, "cannot convert int64 to string"),
        (CONFIG_MAP, {"data": {"color": True}}, "unrecognized type: string"),
        (CONFIG_MAP, {"data": ["color"]}, "cannot restore map from slice"),
        (CONFIG_MAP, {"binaryData": {"a": 5}}, "cannot restore slice from int64"),
        (CONFIG_MAP, {"immutable": "no"}, "unrecognized type: bool"),
        (DEPLOYMENT, {"spec": {"replicas": "two"}}, "unrecognized type: int32"),
        (DEPLOYMENT, {"spec": {"replicas": 1.5}}, "cannot convert float64 to int32"),
        (DEPLOYMENT, {"spec": {"replicas": 2.0}}, None),
        (DEPLOYMENT, {"spec": {"replicas": None}}, None),
        (DEPLOYMENT, {"spec": {"strategy": "Recreate"}}, "cannot restore struct from: string"),
        (
            DEPLOYMENT,
            {"spec": {"template": {"spec": {"restartPolicy": 7}}}},
            "cannot convert int64 to v1.RestartPolicy",
        ),
        (DEPLOYMENT, {"spec": {"template": {"spec": {"containers": "c"}}}}, "cannot restore slice from string"),
        (GVK("example.org", "v1", "Boat"), {"spec": 5}, None),
    ],
)
def test_the_first_thing_that_does_not_fit_is_named(gvk: GVK, document: dict[str, Any], wanted: str | None) -> None:
    assert complaint(document, gvk) == wanted
