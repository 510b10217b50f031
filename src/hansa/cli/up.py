"""`hansa up`."""

from __future__ import annotations

from pathlib import Path

import click

from hansa.app.state import FederationSpec, StateFolder
from hansa.cli import session
from hansa.install.join import check_name
from hansa.kube.errors import ConfigError

MAX_MEMBERS = 200


@click.command("up")
@click.option("--members", type=click.IntRange(1, MAX_MEMBERS), help="Number of members, named member1, member2, …")
@click.option("--member-names", help="Names of the members instead, separated by commas.")
@session.directory_option
@click.option("--detach", is_flag=True, help="Return when the federation is ready; `hansa down` stops it.")
@click.option("--real", is_flag=True, help="Real Kubernetes processes (see `make kube`) instead of embedded servers.")
@click.option(
    "--services",
    is_flag=True,
    help="Also pods that answer (image hansa/echo), and a name server and a gateway for each member.",
)
@click.option("--foreground", is_flag=True, hidden=True)
def command(
    members: int | None,
    member_names: str | None,
    directory: Path,
    detach: bool,
    real: bool,
    services: bool,
    foreground: bool,
) -> None:
    """Start a federation on this machine: hub, members and control plane.

    Writes DIR/kubeconfig with the contexts hub and one for each member. A second `up` on a running federation shows it.
    """
    session.run(_up(members, member_names, directory, detach and not foreground, real, services))


async def _up(
    members: int | None, member_names: str | None, directory: Path, detach: bool, real: bool, services: bool
) -> None:
    if real and services:
        raise ConfigError(
            "--services needs pods on loopback addresses, which real API servers refuse: leave --real out"
        )
    folder = StateFolder(directory)
    spec = _spec(folder, members, member_names, real, services)
    if folder.owner() is not None:
        _show_running(folder)
        return
    if spec.services:
        from hansa.service.gateway.envoy import find_envoy

        find_envoy()
    if detach:
        from hansa.app import detached

        ready = await detached.start(
            folder.directory, spec.members, real=spec.real, services=spec.services, say=session.say
        )
        session.say(ready["summary"])
        return
    from hansa.app import up

    await up.serve(folder, spec, say=session.say)


def _spec(
    folder: StateFolder, members: int | None, member_names: str | None, real: bool, services: bool
) -> FederationSpec:
    """What is asked for; what the folder holds where nothing is asked. Raises ConfigError where the two differ."""
    if members is not None and member_names is not None:
        raise ConfigError("--members and --member-names exclude each other")
    recorded = folder.spec()
    if members is None and member_names is None:
        if recorded is not None and (recorded.services or not services):
            return recorded
        members = 3
    names = (
        tuple(f"member{i}" for i in range(1, (members or 0) + 1))
        if member_names is None
        else tuple(name.strip() for name in member_names.split(","))
    )
    for name in names:
        check_name(name)
    if len(set(names)) < len(names) or "hub" in names:
        raise ConfigError(f"--member-names {member_names}: names must differ from each other and from hub")
    wanted = FederationSpec(names, real, services)
    if recorded is not None and recorded != wanted:
        kind = "real" if recorded.real else "embedded, with services" if recorded.services else "embedded"
        raise ConfigError(
            f"{folder.directory} holds another federation ({kind}: {', '.join(recorded.members)}):"
            " name another --dir, or `hansa down --purge` it first"
        )
    return wanted


def _show_running(folder: StateFolder) -> None:
    ready = folder.readiness()
    if ready is None:
        session.say(f"{folder.directory}: starting (process {folder.owner()})")
        return
    session.say(ready["summary"])
