"""What commands that rehearse share: where the federation comes from, how its control plane is set, how plans look."""

from __future__ import annotations

import functools
import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hansa.cli import session
from hansa.kube.errors import ConfigError

if TYPE_CHECKING:
    from rich.text import Text

    from hansa.foresight.plan import BindingChange, FieldChange, HubChange, MemberChange, Move, Plan, UnknownClusters
    from hansa.foresight.snapshot import Snapshot
    from hansa.foresight.veil import Veil

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_OPTIONS = (
    click.option("--hub", "live", is_flag=True, help="Start from the hub as it is now (default)."),
    click.option(
        "--snapshot",
        "file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Start from a file of `hansa snapshot`, without any cluster.",
    ),
    click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True),
)
_CONTROL_PLANE = (
    click.option("--feature-gates", default="", help="This and the following as `hansa run` has them."),
    click.option("--scheduler-name", default="default-scheduler", show_default=True),
    click.option("--skipped-propagating-apis", default=""),
    click.option("--skipped-propagating-namespaces", default="kube-.*", show_default=True),
    click.option("--plugins", default="*", show_default=True),
    click.option("--clear-clusters-without-fit", is_flag=True),
    click.option("--enable-empty-workload-propagation", is_flag=True),
)
_STYLES = {
    "deleted": ("-", "red"),
    "replaced": ("-/+", "red"),
    "waiting": ("-", "red"),
    "created": ("+", "green"),
    "configured": ("~", "yellow"),
    "changed": ("~", "yellow"),
}
_SHOWN = 10
"""Known clusters that a warning names."""
_SAID = {
    "replaced": "deleted, then made again",
    "waiting": "deleted as soon as the cluster can be reached",
    "released": "stays in the cluster, and is nobody's any more",
    "abandoned": "stays in the cluster, which has left",
    "relabelled": "only Hansa's own labels and annotations",
}


def options(command: F) -> F:
    """Where to start from and how to print, and `settings`."""
    found: Any = session.hub_options(settings(command))
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


def settings(command: F) -> F:
    """The flags of `hansa run` that decide; `control_plane` gets the Settings that they make."""

    @functools.wraps(command)
    def with_settings(
        *,
        feature_gates: str,
        scheduler_name: str,
        skipped_propagating_apis: str,
        skipped_propagating_namespaces: str,
        plugins: str,
        clear_clusters_without_fit: bool,
        enable_empty_workload_propagation: bool,
        **others: Any,
    ) -> Any:
        from hansa.app.control_plane import Settings

        chosen = expected(
            lambda: Settings.of(
                gates=feature_gates,
                scheduler=scheduler_name,
                skipped_apis=skipped_propagating_apis,
                skipped_namespaces=skipped_propagating_namespaces,
                eviction_timeout="",
                plugins=plugins,
                no_fit_clears=clear_clusters_without_fit,
                keeps_empty=enable_empty_workload_propagation,
            )
        )
        return command(control_plane=chosen, **others)

    found: Any = with_settings
    for option in reversed(_CONTROL_PLANE):
        found = option(found)
    return found


def base(kubeconfig: Path | None, context: str | None, file: Path | None, live: bool, veil: Veil) -> Snapshot:
    """The federation to start from. Ends the program when it cannot be had."""
    if file is not None and live:
        session.fail("--hub and --snapshot exclude each other")
    if file is not None:
        return expected(lambda: from_file(file))
    return session.run(_captured(kubeconfig, context, veil))


def from_file(file: Path) -> Snapshot:
    """Raises ConfigError for a file that is no snapshot."""
    from hansa.foresight.snapshot import read

    with file.open("rb") as lines:
        return read(lines, str(file))


def namespace_of(kubeconfig: Path | None, context: str | None) -> str:
    """What kubectl takes for objects that name none."""
    from hansa.kube import config

    return config.load(kubeconfig, context).namespace


async def _captured(kubeconfig: Path | None, context: str | None, veil: Veil) -> Snapshot:
    from hansa.app.connect import connected
    from hansa.foresight.capture import capture
    from hansa.runtime.clock import SystemClock

    async with connected(kubeconfig, context) as hub:
        return await capture(hub, SystemClock(), veil)


def expected(work: Callable[[], T]) -> T:
    """Call; an expected failure ends the program with one line. What a rehearsed control plane logs is no news.

    Looking for cycles to free meanwhile would take a third of the time: nearly all that is made stays to the end.
    """
    logging.disable(logging.CRITICAL)
    gc.disable()
    try:
        return work()
    except ConfigError as error:
        session.fail(str(error))
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)


# -- how a plan looks -------------------------------------------------------------------------------------------------


def show(lines: Sequence[Text]) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    for line in lines:
        console.print(line)


def plan_lines(plan: Plan) -> list[Text]:
    """Deletions first."""
    from rich.text import Text

    from hansa.foresight.plan import DESTRUCTIVE

    if plan.empty:
        found = [Text("No changes.")]
    else:
        found = [*_section("Deletes", _deletes(plan), "red")]
        found += _section("On the hub", (_hub(each) for each in plan.hub if each.action not in ("deleted",)))
        found += _section("Where it goes", (line for each in plan.bindings for line in _binding(each)))
        rest = (each for each in plan.members if each.action not in DESTRUCTIVE)
        found += _section("In members", (line for each in rest for line in _member(each)))
    found += _section("The control plane warns", (Text(f"  ! {problem}", "yellow") for problem in plan.problems))
    found += _section("Note", (Text(f"  {note}") for note in plan.notes))
    return [*found, Text(""), Text(summary(plan), "red" if plan.deletes else "")]


def summary(plan: Plan) -> str:
    made = sum(change.action == "created" for change in plan.members)
    changed = sum(change.action == "changed" for change in plan.members)
    named = sum(change.action == "deleted" for change in plan.hub)
    return (
        f"In members: {len(plan.destroyed)} to delete, {changed} to change, {made} to create."
        f" On the hub: {named} to delete."
    )


def unknown(warning: UnknownClusters) -> str:
    """Which field, which names, and the likeliest of those that there are."""
    shown = ", ".join(warning.known[:_SHOWN]) or "none"
    more = f" and {len(warning.known) - _SHOWN} more" if len(warning.known) > _SHOWN else ""
    named = ", ".join(warning.names)
    return f"{warning.object}: {warning.field}: no cluster is named {named}; there are {shown}{more}"


def _section(title: str, lines: Iterator[Text], style: str = "") -> list[Text]:
    from rich.text import Text

    found = list(lines)
    return [Text(f"{title}:", f"bold {style}".strip()), *found] if found else []


def _deletes(plan: Plan) -> Iterator[Text]:
    for change in plan.destroyed:
        yield from _member(change)
    for change in plan.hub:
        if change.action == "deleted":
            yield _hub(change)


def _hub(change: HubChange) -> Text:
    from rich.text import Text

    sign, style = _STYLES.get(change.action, (" ", ""))
    why = "" if change.named else "  goes with it"
    said = f"  ({change.action})" if change.action in ("unchanged", "not found") else ""
    where = "hub  " if change.action == "deleted" else ""
    return Text(f"  {sign} {where}{change.kind} {_key(change.namespace, change.name)}{said}{why}", style)


def _member(change: MemberChange) -> Iterator[Text]:
    from rich.text import Text

    sign, style = _STYLES.get(change.action, ("~", ""))
    said = f"  ({_SAID[change.action]})" if change.action in _SAID else ""
    held = "  (held back: dispatching is suspended)" if change.held else ""
    what = f"{change.kind} {_key(change.namespace, change.name)}"
    yield Text(f"  {sign} {change.cluster}  {what}{said}{held}", style)
    for each in change.fields:
        yield Text(f"      {field(each)}")


def field(change: FieldChange) -> str:
    return f"{change.path}: {_value(change.before)} → {_value(change.after)}"


def _binding(change: BindingChange) -> Iterator[Text]:
    from rich.text import Text

    sign, style = _STYLES[change.action]
    yield Text(f"  {sign} {change.template}", style)
    width = max((len(move.cluster) for move in change.moves), default=0)
    for move in change.moves:
        yield Text(f"      {move.cluster:<{width}}  {_moved(move)}", "red" if move.after is None else "")
    if change.or_moves:
        other = ", ".join(f"{move.cluster} {_moved(move)}" for move in change.or_moves)
        yield Text(f"      or {other}: a tie, which the identity decides that the hub gives to the new object")
    if change.refused:
        yield Text(f"      not placed: {change.refused}", "yellow")


def _moved(move: Move) -> str:
    if move.before is None:
        return f"+ {move.after} replicas" if move.after else "+"
    if move.after is None:
        return f"- {move.before} replicas" if move.before else "-"
    return f"{move.before} → {move.after} replicas"


def _value(value: Any) -> str:
    import msgspec

    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 100 else text[:97] + "..."


def _key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name
