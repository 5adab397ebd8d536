"""Entry point of the `distq` command: the group of commands, and how errors become exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click

from distq.cli.common import DistqCommand, debug_option, version
from distq.errors import DistqError

#: Exit codes beside those that `distq.errors` defines.
DONE, INTERNAL, USAGE, INTERRUPTED, BROKEN_PIPE, TERMINATED = 0, 1, 2, 130, 141, 143

#: name of the command -> module that holds it, in the order in which help lists them.
COMMANDS = {
    "compile": "distq.cli.compile",
    "verify": "distq.cli.verify",
    "show": "distq.cli.show",
    "explain": "distq.cli.explain",
    "schedule": "distq.cli.schedule",
    "tradeoff": "distq.cli.tradeoff",
    "run": "distq.cli.run",
    "export": "distq.cli.export",
    "networks": "distq.cli.networks",
    "demo": "distq.cli.demo",
    "doctor": "distq.cli.doctor",
}


class CommandGroup(click.Group):
    """A group whose commands live in modules of their own, imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with this name, or None."""
        module = COMMANDS.get(cmd_name)
        return None if module is None else import_module(module).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` name; an unknown one is answered with the list of the valid ones."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}; the commands are {', '.join(COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done; 1 internal error; 2 wrong usage, or an output that cannot be written; "
    "3 input that cannot be read or is not supported; 4 does not fit this network; 5 verification failed; "
    "130 interrupted.",
)
@click.version_option(version(), "-V", "--version", message="distq %(version)s")
@debug_option
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Compile quantum circuits for networks of modules joined by entanglement links, and verify them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _sentence(text: str) -> str:
    """`text` on one line."""
    return " ".join(text.split())


def _fail(text: str, code: int, debug: bool) -> int:
    """Print one sentence on stderr (with `debug` after the traceback) and return the exit code."""
    if debug:
        traceback.print_exc()
    try:
        print(f"distq: {_sentence(text)}", file=sys.stderr, flush=True)
    except OSError:  # nobody reads stderr any more
        _silence(sys.stderr)
    return code


def _silence(stream: Any) -> None:
    """Point the stream's descriptor at nothing, so that the interpreter's own flush at exit cannot fail."""
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
    except (OSError, ValueError):
        pass


def _tolerate_encoding() -> None:
    """On terminals that cannot show every character (timelines draw lines) print ? instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _usage_text(error: click.ClickException) -> str:
    """The message of a usage error, with the command whose help explains it."""
    text = error.format_message().rstrip(". ")
    context = getattr(error, "ctx", None)
    if context is None:
        return text
    return f"{text[:1].lower()}{text[1:]} (see '{context.command_path} --help')"


class _TerminatedError(BaseException):
    """SIGTERM arrived; raised so that half-written output is cleaned up."""


@contextmanager
def _terminate_cleanly() -> Iterator[None]:
    """Turn SIGTERM into an exception while a command runs, as SIGINT is."""

    def handler(signum: int, frame: object) -> NoReturn:
        raise _TerminatedError

    try:
        before = signal.signal(signal.SIGTERM, handler)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _invoke(args: list[str]) -> int:
    """Run one command; errors pass through."""
    try:
        with cli.make_context("distq", args) as context:
            cli.invoke(context)
    except click.exceptions.Exit as e:
        code = e.exit_code
    else:
        code = DONE
    if sys.stdout:  # there is none if the caller closed it
        sys.stdout.flush()
    return code


def _os_error_text(error: OSError) -> str:
    where = f": {os.fspath(error.filename)}" if isinstance(error.filename, (str, os.PathLike)) else ""
    return f"cannot read or write{where} ({error.strerror or error})"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments without the program's name; default those of the process.

    Returns:
        0 done; 1 an internal error; 2 wrong usage, or an output that cannot be written; 3 input that cannot
        be read or is not supported; 4 the circuit does not fit the network; 5 verification failed;
        130 interrupted; 141 the reader of the output went away; 143 terminated.
    """
    if "_DISTQ_COMPLETE" in os.environ:  # shell completion, which click answers itself
        cli.main(prog_name="distq")
    _tolerate_encoding()
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    try:
        with warnings.catch_warnings(), _terminate_cleanly():
            if not debug and argv is None:
                warnings.simplefilter("ignore")
            return _invoke(args)
    except click.UsageError as e:
        return _fail(_usage_text(e), USAGE, debug)
    except click.ClickException as e:
        return _fail(e.format_message(), USAGE, debug)
    except DistqError as e:
        return _fail(str(e), e.exit_code, debug)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", INTERRUPTED, debug)
    except _TerminatedError:
        return _fail("terminated", TERMINATED, debug)
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except MemoryError:
        return _fail("out of memory; a smaller circuit or --effort fast needs less", INTERNAL, debug)
    except OSError as e:
        return _fail(_os_error_text(e), USAGE, debug)
    except Exception as e:
        hint = "" if debug else "; run the command again with --debug for the traceback, and report it"
        return _fail(f"internal error: {type(e).__name__}: {e}{hint}", INTERNAL, debug)


__all__ = ["COMMANDS", "DistqCommand", "cli", "main"]
