"""What several commands share: options, output, progress. Imports nothing heavy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

VERIFY_METHODS = ("auto", "symbolic", "statevector", "stabilizer")


def version() -> str:
    """The installed version of distq."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("distq")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="After an error print the traceback as well."
)


class DistqCommand(click.Command):
    """A command that also takes --debug, wherever it stands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        debug_option(self)


def print_json(data: object) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(data, indent=2, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as plain Python."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def width() -> int:
    """Columns of the terminal, or 100 where stdout is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns if sys.stdout and sys.stdout.isatty() else 100


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[..., None] | None]:
    """A callable that shows the name of the running stage on stderr, or None where stderr is no terminal."""
    if quiet or not (sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda stage, *_: status.update(str(stage))
