"""Manifests for members: an API server takes them, and the programs take their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tests.wire.kubectl_cases import Case
from tests.wire.kubectl_runner import run
from tests.wire.kubectl_server import embedded_server

from hansa.cli import dns, gateway

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = ("gateway.yaml", "gateway-deployment.yaml", "dns.yaml")
COMMANDS: dict[str, click.Command] = {"gateway": gateway.command, "dns": dns.command}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def deployment(name: str) -> dict[str, Any]:
    (found,) = (one for one in documents(name) if one["kind"] == "Deployment")
    return found


async def taken_by(kubeconfig: Path, home: Path) -> None:
    """Each manifest, strictly validated and stored by nobody. What is in a namespace needs it to be there."""
    made = await run(Case("namespace", "create namespace hansa-system --save-config"), kubeconfig, home)
    assert made.code == 0, made.text
    for name in MANIFESTS:
        argv = f"apply --dry-run=server --validate=strict -f {DEPLOY / name}"
        outcome = await run(Case(name, argv), kubeconfig, home)
        assert outcome.code == 0, outcome.text
        assert outcome.out.count("(server dry run)") == len(documents(name))
        assert not outcome.err


async def test_an_api_server_takes_them(tmp_path: Path) -> None:
    async with embedded_server(tmp_path) as (_, _, kubeconfig):
        await taken_by(kubeconfig, tmp_path)


@pytest.mark.parametrize("name", ["gateway-deployment.yaml", "dns.yaml"])
def test_the_programs_take_their_arguments(name: str) -> None:
    spec = deployment(name)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    command, *arguments = (argument.replace("$(POD_IP)", "10.0.0.7") for argument in container["args"])
    given = COMMANDS[command].make_context(command, arguments).params
    stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    drain = given.get("drain_seconds", 0)
    assert 0 < stop + drain < spec["terminationGracePeriodSeconds"] - 5, "it would be killed while it drains"


@pytest.mark.parametrize("name", ["gateway-deployment.yaml", "dns.yaml"])
def test_a_service_finds_the_pods(name: str) -> None:
    pod = deployment(name)["spec"]["template"]
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    for one in documents(name):
        if one["kind"] == "Service":
            assert one["spec"]["selector"] == pod["metadata"]["labels"]
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
        if one["kind"] == "PodDisruptionBudget":
            assert one["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
