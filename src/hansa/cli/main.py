"""`hansa`: each command lives in a module of its own, imported when it is chosen, so that `--help` stays quick."""

from __future__ import annotations

import importlib
import sys

import click

_COMMANDS = {
    "up": "Start a federation on this machine: hub, members and control plane.",
    "down": "Stop a federation that `up` started.",
    "demo": "Run the examples on a fresh federation and check every value.",
    "init": "Install Hansa on a hub.",
    "deinit": "Remove from a hub what `init` installed.",
    "run": "Run the control plane against a hub.",
    "join": "Join a cluster to the federation.",
    "unjoin": "Take a cluster out of the federation.",
    "enrol": "Give a joined cluster its own identity on the hub.",
    "gateway": "Run the gateway of a member.",
    "get": "Show objects of the hub, or of every member.",
    "services": "Show exported services, as all clusters have them.",
    "dns": "Serve the names of imported services beside a member.",
    "explain": "Say why an object is where it is, and what it waits for.",
    "plan": "Show what applying manifests would do, and change nothing.",
    "whatif": "Show what a failure or a new cluster would do, and change nothing.",
    "snapshot": "Save a federation's state, for plans without a cluster.",
    "kubefed": "Manage the KubeFed dialect.",
    "version": "Show the version.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"hansa.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The summaries stand here, so that listing the commands imports none of them.
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A federation of Kubernetes clusters, for Karmada's and KubeFed's APIs."""


def main() -> None:
    """Entry point of the program."""
    sys.exit(cli.main(standalone_mode=True))
