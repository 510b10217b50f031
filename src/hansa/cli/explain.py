"""`hansa explain`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hansa.cli import rehearse, session

if TYPE_CHECKING:
    from rich.text import Text

    from hansa.app.control_plane import Settings
    from hansa.foresight.explanation import AttemptTold, ClusterTold, Explanation, OverrideTold


@click.command("explain")
@click.argument("kind")
@click.argument("name")
@session.hub_options
@click.option("-n", "--namespace", help="Namespace; default: the context's.")
@click.option(
    "--snapshot",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Of a file of `hansa snapshot` instead of the hub.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@rehearse.settings
def command(
    kind: str,
    name: str,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    file: Path | None,
    output: str,
    control_plane: Settings,
) -> None:
    """Say which policy has an object, why it is in which clusters, what overrides change, and what it waits for.

    KIND and NAME as for kubectl: a template, a federated object, a ResourceBinding or a Work. Objects of the hub are
    read with your own rights, members are not asked; where a right is missing, it is named.
    """
    found: Explanation
    if file is not None:
        found = rehearse.expected(lambda: _offline(file, kind, name, namespace or "default", control_plane))
    else:
        space = namespace or rehearse.namespace_of(kubeconfig, context)
        found = session.run(_live(kubeconfig, context, kind, name, space, control_plane))
    if output == "json":
        session.write_json(found)
    else:
        rehearse.show(lines(found))


async def _live(
    kubeconfig: Path | None, context: str | None, kind: str, name: str, namespace: str, settings: Settings
) -> Any:
    from hansa.app.connect import connected
    from hansa.foresight.explain import explain
    from hansa.runtime.clock import SystemClock

    async with connected(kubeconfig, context) as hub:
        return await explain(hub, kind, name, namespace, settings.rules, SystemClock().now())


def _offline(file: Path, kind: str, name: str, namespace: str, settings: Settings) -> Any:
    from hansa.app.rehearsal import explained

    return explained(rehearse.from_file(file), kind, name, namespace, settings)


# -- how it looks -----------------------------------------------------------------------------------------------------


def lines(found: Explanation) -> list[Text]:
    from rich.text import Text

    head = f"{found.object}" + (f"  ({found.binding})" if found.binding else "")
    shown = [Text(head, "bold"), Text("Policy:", "bold")]
    shown.append(Text(f"  {found.claim.policy or 'none'}: {found.claim.why}"))
    shown += [Text(f"  not {rival.policy}: {rival.why}", "dim") for rival in found.claim.rivals]
    if found.decision is not None:
        shown += [Text("Clusters:", "bold"), Text(f"  {found.decision.said}"), Text(f"  {found.decision.stands}")]
        shown += [line for attempt in found.decision.attempts for line in _attempt(attempt)]
    if found.overrides:
        shown += [Text("Overrides:", "bold"), *(line for each in found.overrides for line in _override(each))]
    if found.members:
        shown += [Text("In members:", "bold"), *_members(found)]
    if found.waiting:
        shown += [Text("Waiting for:", "bold"), *(Text(f"  {each}", "yellow") for each in found.waiting)]
    elif found.members:
        shown.append(Text("Waiting for nothing.", "bold"))
    if found.lacking:
        shown += [Text("Not part of this, for you may not:", "bold"), *(Text(f"  {each}") for each in found.lacking)]
    return shown


def _attempt(attempt: AttemptTold) -> Iterator[Text]:
    from rich.text import Text

    if attempt.term:
        yield Text(f"  affinity {attempt.term}:")
    width = max((len(each.name) for each in attempt.clusters), default=0)
    for each in attempt.clusters:
        yield Text(f"    {'✓' if each.selected else '✗'} {each.name:<{width}}  {_words(each)}", _style(each))
        for refusal in each.refusals[1:]:
            yield Text(f"      {'':<{width}}  {refusal}", "dim")
    for step in attempt.steps:
        yield Text(f"    {step}")
    if attempt.failure:
        yield Text(f"    no decision: {attempt.failure}", "red")


def _style(each: ClusterTold) -> str:
    return "green" if each.selected else "dim"


def _words(each: ClusterTold) -> str:
    if each.refusals:
        return each.refusals[0]
    parts = [f"{each.replicas} replicas" if each.replicas else "", each.why]
    if each.score is not None:
        single = ", ".join(f"{name} {points}" for name, points in each.points.items())
        parts.append(f"{each.score} points" + (f" ({single})" if len(each.points) > 1 else ""))
    if each.room is not None:
        parts.append(f"room for {each.room} more" + (f" beside {each.arriving} on their way" if each.arriving else ""))
    return ", ".join(part for part in parts if part)


def _override(each: OverrideTold) -> Iterator[Text]:
    from rich.text import Text

    yield Text(f"  {each.cluster}  {each.policy or 'itself'}, rule {each.rule}")
    if each.fault:
        yield Text(f"      cannot be applied: {each.fault}", "red")
    elif not each.fields:
        yield Text("      changes nothing")
    for field in each.fields:
        yield Text(f"      {rehearse.field(field)}")


def _members(found: Explanation) -> Iterator[Text]:
    from rich.text import Text

    width = max(len(each.cluster) for each in found.members)
    for each in found.members:
        replicas = f"{each.replicas} replicas, " if each.replicas else ""
        applied = "applied" if each.applied else "not applied"
        message = f", {each.message}" if each.message else ""
        style = "" if each.applied and each.health != "Unhealthy" else "yellow"
        yield Text(f"  {each.cluster:<{width}}  {replicas}{applied}, {each.health.lower()}{message}", style)
