"""`hansa kubefed`."""

from __future__ import annotations

from pathlib import Path

import click

from hansa.cli import session
from hansa.dialect.kubefed import types
from hansa.kube.client import Client
from hansa.kube.errors import ConfigError


@click.group("kubefed")
def command() -> None:
    """Manage the KubeFed dialect."""


@command.command("enable")
@click.argument("kind", required=False)
@click.option("--all-native", is_flag=True, help="Every kind of Kubernetes' own.")
@session.hub_options
def enable(kind: str | None, all_native: bool, kubeconfig: Path | None, context: str | None) -> None:
    """Federate a KIND (kind, plural or short name): its FederatedX is served and propagated."""
    if bool(kind) == all_native:
        raise click.UsageError("give either KIND or --all-native")
    session.run(_enable(kind, kubeconfig, context))


async def _enable(kind: str | None, kubeconfig: Path | None, context: str | None) -> None:
    from hansa.app.connect import connected
    from hansa.install.init import enable as install_types

    async with connected(kubeconfig, context) as hub:
        if kind is None:
            wanted = types.enablements(types.NATIVE_TYPES)
        else:
            native = types.native_type(kind)
            wanted = types.enablements((native,)) if native else [await _discovered(hub, kind)]
        await install_types(hub, session.say, wanted)


async def _discovered(hub: Client, kind: str) -> types.Enablement:
    """A custom kind, found by what the hub serves."""
    word = kind.lower()
    for entry in await hub.discovery.resources():
        resource = entry.resource
        names = {resource.kind.lower(), resource.plural, resource.group_resource, entry.singular, *entry.short_names}
        if entry.preferred and word in names:
            return types.enablement(resource, entry.short_names)
    raise ConfigError(
        f"the hub serves no kind {kind!r}: give kind, plural or short name, as `kubectl api-resources` does"
    )
