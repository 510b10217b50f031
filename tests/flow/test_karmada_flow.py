"""From a template and a policy to members and back, on embedded servers, with virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hansa.api import names, scheme

pytestmark = pytest.mark.looptime

EXAMPLE = Path(__file__).parents[2] / "examples" / "karmada-nginx.yaml"


def example() -> list[dict[str, Any]]:
    documents = [entry for entry in yaml.safe_load_all(EXAMPLE.read_text()) if entry]
    for entry in documents:
        entry["metadata"].setdefault("namespace", "default")
    return documents


async def test_example_reaches_its_member(federation) -> None:
    await federation.join("member1", "member2")
    await federation.settle()
    await federation.apply(*example())
    await federation.settle()
    binding = await federation.get("hub", scheme.RESOURCE_BINDINGS, "nginx-deployment", "default")
    assert binding is not None
    assert [target["name"] for target in binding["spec"]["clusters"]] == ["member1"]
    assert binding["spec"]["clusters"][0]["replicas"] == 2
    conditions = {entry["type"]: entry["status"] for entry in binding["status"]["conditions"]}
    assert conditions == {"Scheduled": "True", "FullyApplied": "True"}
    live = await federation.get("member1", scheme.DEPLOYMENTS, "nginx", "default")
    assert live is not None
    assert live["metadata"]["annotations"]["foo"] == "bar"
    assert live["metadata"]["labels"][names.MANAGED_LABEL] == "true"
    assert await federation.get("member2", scheme.DEPLOYMENTS, "nginx", "default") is None
