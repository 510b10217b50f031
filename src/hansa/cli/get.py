"""`hansa get`: kubectl's columns over hub and members."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from hansa.cli import session
from hansa.kube.errors import ApiError, ConfigError, NotFound, Unreachable

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@click.command("get")
@click.argument("resource")
@click.argument("name", required=False)
@session.hub_options
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
@click.option("-l", "--selector", default="", help="Label selector.")
@click.option("--clusters", "-C", default="", help="Only these members, separated by commas.")
@click.option(
    "--operation-scope",
    type=click.Choice(["hub", "members", "all"]),
    default="all",
    show_default=True,
    help="Where to look.",
)
def command(
    resource: str,
    name: str | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    all_namespaces: bool,
    selector: str,
    clusters: str,
    operation_scope: str,
) -> None:
    """Show RESOURCE, as the hub and the members have it, one row for each object and cluster.

    RESOURCE is a plural, singular, kind or short name, as for kubectl.
    """
    where = "" if all_namespaces else namespace
    wanted = tuple(part.strip() for part in clusters.split(",") if part.strip())
    session.run(_get(resource, name, kubeconfig, context, where, selector, wanted, operation_scope))


async def _get(
    word: str,
    name: str | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str,
    selector: str,
    wanted: tuple[str, ...],
    scope: str,
) -> None:
    from hansa.app.connect import connected
    from hansa.app.members import member_clients

    async with connected(kubeconfig, context) as hub:
        places = {"hub": hub} if scope != "members" else {}
        if scope != "hub":
            places |= await member_clients(hub, wanted)
        tables = await asyncio.gather(
            *(_table(client, word, name, namespace, selector) for client in places.values()), return_exceptions=True
        )
        for client in [client for place, client in places.items() if place != "hub"]:
            await client.close()
    _print(dict(zip(places, tables, strict=True)), with_namespace=not namespace)


async def _table(client: Any, word: str, name: str | None, namespace: str, selector: str) -> dict[str, Any]:
    resource = await _resource(client, word)
    query = [("labelSelector", selector)] if selector else []
    path = resource.path(namespace or None, name) if resource.namespaced else resource.path(None, name)
    answer = await client.raw("GET", path, query=query, headers={"accept": _TABLE})
    return msgspec.json.decode(answer.body)


async def _resource(client: Any, word: str) -> Any:
    wanted = word.lower()
    for entry in await client.discovery.resources():
        resource = entry.resource
        if entry.preferred and wanted in {
            resource.plural,
            resource.group_resource,
            resource.kind.lower(),
            entry.singular,
            *entry.short_names,
        }:
            return resource
    raise ConfigError(f'the server doesn\'t have a resource type "{word}"')


def _print(found: dict[str, Any], *, with_namespace: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    shown: Table | None = None
    rows = 0
    for place, table in found.items():
        if isinstance(table, NotFound):
            continue
        if isinstance(table, ApiError | Unreachable | ConfigError):
            session.say(f"{place}: {table}")
            continue
        if isinstance(table, BaseException):
            raise table
        columns = [
            (i, column["name"]) for i, column in enumerate(table["columnDefinitions"]) if not column.get("priority")
        ]
        if shown is None:
            shown = Table(box=None, pad_edge=False, header_style="")
            for title in ["CLUSTER", *(["NAMESPACE"] if with_namespace else []), *(c.upper() for _, c in columns)]:
                shown.add_column(title, no_wrap=True)
        for row in table.get("rows") or []:
            meta = row["object"]["metadata"]
            cells = [str(row["cells"][i]) for i, _ in columns if i < len(row["cells"])]
            shown.add_row(place, *([meta.get("namespace", "")] if with_namespace else []), *cells)
            rows += 1
    if shown is None or not rows:
        session.say("No resources found")
        return
    Console(soft_wrap=True).print(shown)
