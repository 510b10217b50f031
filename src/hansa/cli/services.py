"""`hansa services`: exported services, as all clusters have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hansa.cli import session
from hansa.kube.errors import ConfigError

if TYPE_CHECKING:
    from hansa.app.services import ServiceView, Source


@click.command("services")
@session.hub_options
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("--clusters", "-C", default="", help="Only these members, separated by commas.")
@click.option(
    "-o", "--output", type=click.Choice(["json", "wide"]), help="json; wide: a line for each importing cluster."
)
def command(
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    all_namespaces: bool,
    clusters: str,
    output: str | None,
) -> None:
    """Show exported services: who exports and imports them, which clusters answer, what is wrong, what is in conflict.

    `member1:2` are two ready endpoints in member1; with a ⇄, requests go there through gateways.
    """
    wanted = tuple(part.strip() for part in clusters.split(",") if part.strip())
    session.run(_show(kubeconfig, context, None if all_namespaces else namespace, wanted, output))


async def _show(
    kubeconfig: Path | None, context: str | None, namespace: str | None, wanted: Sequence[str], output: str | None
) -> None:
    from hansa.app.connect import connected
    from hansa.app.members import member_clients
    from hansa.app.services import Holdings, holdings, views

    async with connected(kubeconfig, context) as hub:
        members = await member_clients(hub, wanted)
        try:
            found = await holdings(members, namespace)
        finally:
            for client in members.values():
                await client.close()
    known = {cluster: each for cluster, each in found.items() if isinstance(each, Holdings)}
    for cluster, error in found.items():
        if cluster not in known:
            session.say(f"{cluster}: {error}")
    if found and not known:
        raise ConfigError("no member could be asked")
    services = views(known)
    if output == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(services)).decode())
    elif not services:
        session.say("No exported services found")
    else:
        _print(services, wide=output == "wide", with_namespace=namespace is None)


def _print(services: Iterable[ServiceView], *, wide: bool, with_namespace: bool) -> None:
    titles = ("IN", "IPS", "MODE", "ANSWERED FROM") if wide else ("EXPORTED BY", "IMPORTED BY", "ANSWERED FROM")
    namespaced = ("NAMESPACE",) if with_namespace else ()
    rows: list[tuple[str, ...]] = [(*namespaced, "NAME", "TYPE", "PORTS", *titles, "HEALTH", "CONFLICT")]
    for service in services:
        start = (*((service.namespace,) if with_namespace else ()), service.name, service.type, ",".join(service.ports))
        end = (_some(service.faults) or "OK", _some(service.conflicts))
        rows += [(*start, *cells, *end) for cells in (_wide(service) if wide else [_narrow(service)])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _narrow(service: ServiceView) -> tuple[str, str, str]:
    sources: dict[str, int] = {}
    for each in service.imports:
        for source in each.sources:
            sources[source.cluster] = max(sources.get(source.cluster, 0), source.ready)
    exporters = (each.cluster for each in service.exports if each.valid)
    return (
        ",".join(exporters),
        ",".join(each.cluster for each in service.imports),
        ",".join(f"{cluster}:{ready}" for cluster, ready in sorted(sources.items())),
    )


def _wide(service: ServiceView) -> list[tuple[str, str, str, str]]:
    return [
        (each.cluster, ",".join(each.ips), each.mode, ",".join(map(_shown, each.sources))) for each in service.imports
    ] or [("", "", "", "")]


def _shown(source: Source) -> str:
    return f"{source.cluster}:{source.ready}{'⇄' if source.gateway else ''}"


def _some(texts: Sequence[str]) -> str:
    return texts[0] + (f" (+{len(texts) - 1})" if len(texts) > 1 else "") if texts else ""
