"""What every command shares: running a coroutine, one clear line for an expected failure, and progress."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from hansa.app.state import DEFAULT_DIRECTORY
from hansa.kube.errors import ApiError, ConfigError, Unreachable

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on uvloop. Expected failures end the program with one line on stderr and exit status 1."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except (ConfigError, Unreachable) as error:
        fail(str(error))
    except ApiError as error:
        fail(f"Error from server ({error.status_reason}): {error.message}")
    except KeyboardInterrupt:
        sys.exit(130)


def fail(message: str) -> NoReturn:
    """Print what went wrong and leave with status 1."""
    click.echo(f"error: {message}", err=True)
    sys.exit(1)


def say(message: str) -> None:
    """One line of progress, on stderr so that output can be piped."""
    click.echo(message, err=True)


def write_json(value: Any) -> None:
    """One document on stdout, indented."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def directory_option(command: F) -> F:
    """`--dir` of a federation that `up` runs."""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_DIRECTORY,
        show_default=True,
        help="Folder of the federation.",
    )(command)


def hub_options(command: F) -> F:
    """`--kubeconfig` and `--context` of the hub, with karmadactl's alias."""
    return _server_options(command, "hub", "--karmada-context")


def member_options(command: F) -> F:
    """`--kubeconfig` and `--context` of a member."""
    return _server_options(command, "member")


def _server_options(command: F, server: str, *aliases: str) -> F:
    context = click.option("--context", *aliases, "context", help=f"Context of the {server} in the kubeconfig.")
    kubeconfig = click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path),
        help=f"Kubeconfig of the {server}; default: $KUBECONFIG, then ~/.kube/config.",
    )
    return kubeconfig(context(command))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # no wheel for this platform: the standard loop does the same, slower
        return None
    return uvloop.new_event_loop
