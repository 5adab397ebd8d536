"""Where results go: directories and files are checked before the work, and appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from distq.errors import UsageError


def check_directory(path: Path, force: bool) -> None:
    """Refuse early an output directory that could not be written or must not be replaced.

    A new name and an empty directory are fine. A program that distq wrote is replaced with `force` only;
    anything else is never replaced.

    Raises:
        UsageError: with the reason and what to do.
    """
    if not path.exists() and not path.is_symlink():
        _check_parent(path)
        return
    if not path.is_dir():
        raise UsageError(f"cannot write to {path}: it is not a directory; give another name with -o")
    _check_parent(path)
    content = sorted(p.name for p in path.iterdir())
    if not content:
        return
    foreign = [name for name in content if not _is_ours(name)]
    if "manifest.json" not in content or foreign:
        shown = foreign[0] if foreign else content[0]
        raise UsageError(
            f"cannot write to {path}: it holds {shown}, which distq did not write, and is not replaced; "
            "give another name with -o"
        )
    if not force:
        raise UsageError(f"{path} holds a program already: give another name with -o, or --force to replace it")


def _is_ours(name: str) -> bool:
    return name == "manifest.json" or (name.startswith("module_") and name.endswith(".qasm"))


def _check_parent(path: Path) -> None:
    """Refuse a path below something in which no file can be made; directories on the way may be missing."""
    parent = path.absolute().parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(f"cannot write to {path}: {parent} is not a directory")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write to {path}: no permission to write in {parent}")


def check_file(path: Path, force: bool) -> None:
    """Refuse early an output file that could not be written, or that exists unless `force` is given."""
    if path.is_dir():
        raise UsageError(f"cannot write to {path}: it is a directory; give the name of a file")
    _check_parent(path)
    if path.exists() and not force:
        raise UsageError(f"{path} exists already: give another name, or --force to replace it")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; when the body ends without an error it becomes `path`, else it goes.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror or error}") from None
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
