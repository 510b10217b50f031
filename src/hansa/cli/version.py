"""`hansa version`."""

from __future__ import annotations

import platform

import click

from hansa import __version__


@click.command("version")
def command() -> None:
    """Show the version."""
    click.echo(f"hansa {__version__} (Python {platform.python_version()})")
