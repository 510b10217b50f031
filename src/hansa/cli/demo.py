"""`hansa demo`: a fresh federation, the examples, and every value they promise, read with kubectl."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from hansa.app import demo
from hansa.app.demo_services import Step
from hansa.cli import session
from hansa.kube.errors import ConfigError

EXAMPLES = ("karmada-nginx.yaml", "kubefed-nginx.yaml")


@click.command("demo")
@click.option("--real", is_flag=True, help="On real Kubernetes processes instead of the embedded servers.")
@click.option(
    "--examples",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("examples"),
    show_default=True,
    help="Folder with the examples' manifests.",
)
@click.option("--services", is_flag=True, help="Multi-cluster services instead: names, gateways, failover.")
@click.option("--keep", is_flag=True, help="Leave the federation running, and say how to reach it.")
def command(real: bool, examples: Path, services: bool, keep: bool) -> None:
    """Run the examples on a fresh federation and check every value.

    Exit status 0 only when every value holds.
    """
    if services:
        if real:
            session.fail("--services needs pods on loopback addresses, which real API servers refuse: leave --real out")
        steps = session.run(_demo_services(examples, keep))
        _report_steps(steps)
        sys.exit(0 if all(step.holds for step in steps) else 1)
    findings = session.run(_demo(real, examples, keep))
    _report(findings)
    sys.exit(0 if all(finding.holds for finding in findings) else 1)


async def _demo(real: bool, examples: Path, keep: bool) -> list[demo.Finding]:
    from hansa.app import detached  # imports the servers

    for file in EXAMPLES:
        _check(examples / file)
    directory = Path(tempfile.mkdtemp(prefix="hansa-demo-"))
    session.say(f"starting a federation of {', '.join(demo.MEMBERS)} in {directory}")
    await detached.start(directory, demo.MEMBERS, real=real, say=session.say)
    try:
        kubectl = demo.Kubectl(directory / "kubeconfig")
        for file in EXAMPLES:
            session.say(f"kubectl apply -f {examples / file}")
            await kubectl.apply(examples / file)
        return await demo.observe(
            kubectl, demo.expectations(), lambda hold, total: session.say(f"{hold} of {total} values hold")
        )
    finally:
        await _leave(directory, keep, "deployments")


async def _demo_services(examples: Path, keep: bool) -> list[Step]:
    from hansa.app import demo_services, detached
    from hansa.service.gateway.envoy import find_envoy

    find_envoy()
    for file in demo_services.EXAMPLES:
        _check(examples / file)
    directory = Path(tempfile.mkdtemp(prefix="hansa-demo-"))
    session.say(f"starting a federation of {', '.join(demo_services.MEMBERS)} with services in {directory}")
    ready = await detached.start(directory, demo_services.MEMBERS, services=True, say=session.say)
    try:
        walk = demo_services.Walk(directory / "kubeconfig", ready["services"], session.say)
        return await walk.go(examples)
    finally:
        await _leave(directory, keep, "services")


def _check(example: Path) -> None:
    if not example.is_file():
        raise ConfigError(f"{example} does not exist: run in the project's folder, or name one by --examples")


async def _leave(directory: Path, keep: bool, shown: str) -> None:
    from hansa.app import detached

    if keep:
        session.say(f"still running: kubectl --kubeconfig {directory / 'kubeconfig'} --context hub get {shown}")
        session.say(f"stop it with: hansa down --purge --dir {directory}")
    else:
        await detached.stop(directory, purge=True)


def _report_steps(steps: list[Step]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="A service over three clusters", title_justify="left")
    for column in ("", "step", "found"):
        table.add_column(column, overflow="fold")
    for step in steps:
        table.add_row("[green]✓[/]" if step.holds else "[red]✗[/]", _escape(step.title), _escape(step.found))
    Console().print(table)
    click.echo(f"{sum(step.holds for step in steps)} of {len(steps)} steps hold")


def _report(findings: list[demo.Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What the examples promise, read with kubectl", title_justify="left")
    for column in ("", "example", "context", "value", "found"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        wanted = finding.expectation
        shown = finding.found if finding.holds else f"{finding.found!r}, expected {wanted.value!r}"
        mark = "[green]✓[/]" if finding.holds else "[red]✗[/]"
        table.add_row(mark, wanted.story, wanted.context, _escape(wanted.title), _escape(shown or "(none)"))
    Console().print(table)
    hold = sum(finding.holds for finding in findings)
    click.echo(f"{hold} of {len(findings)} values hold")


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
