"""`distq doctor`: does this installation have what distq needs?"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import click

from distq.cli.common import DistqCommand, print_json, version
from distq.errors import DistqError

#: Extras that a user of the library may want; the others are for developing distq.
EXTRAS = ("sim", "verify", "viz")


@click.command("doctor", cls=DistqCommand, short_help="Check the installation.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def command(as_json: bool) -> None:
    """Check the installation: versions, dependencies and extras, threads, caches.

    Exit code 1 if something is missing or broken that distq cannot do without.
    """
    findings = examine()
    if as_json:
        print_json(findings)
    else:
        _print(findings)
    if findings["problems"]:
        raise DistqError("; ".join(findings["problems"]))


def examine() -> dict[str, Any]:
    """Everything that `distq doctor` reports; `problems` lists what keeps distq from working."""
    required, optional = _requirements()
    packages = {name: _package(name) for name in required}
    extras = {extra: {name: _package(name) for name in names} for extra, names in optional.items()}
    cache = _numba_cache()
    problems = [
        f"{name} {found['problem']}: install it with pip" for name, found in packages.items() if found["problem"]
    ]
    if cache["problem"]:
        problems.append(cache["problem"])
    return {
        "schema": "distq-doctor/1",
        "distq": version(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "threads": {"cpus": os.cpu_count(), "usable": _usable_cpus(), "numba": _numba_threads()},
        "packages": packages,
        "extras": extras,
        "numba_cache": cache,
        "problems": problems,
    }


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Names of the packages that distq needs, and of those of each extra, from its own metadata."""
    try:
        lines = metadata.requires("distq") or []
    except metadata.PackageNotFoundError:
        raise DistqError("distq is not installed in this Python: run pip install . in its source directory") from None
    required: list[str] = []
    optional: dict[str, list[str]] = {extra: [] for extra in EXTRAS}
    for line in lines:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        if name and extra is None:
            required.append(name[0])
        elif name and extra and extra[1] in optional:
            optional[extra[1]].append(name[0])
    return required, optional


def _package(name: str) -> dict[str, str | None]:
    """Version of an installed package and what is wrong with importing it."""
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return {"version": None, "problem": "is not installed"}
    try:
        import_module(name.replace("-", "_"))
    except Exception as error:  # whatever an extension module raises when it cannot be loaded
        return {"version": found, "problem": f"cannot be imported ({type(error).__name__}: {error})"}
    return {"version": found, "problem": None}


def _numba_cache() -> dict[str, str | None]:
    """Where compiled kernels are kept between runs, and whether that place can be written."""
    place = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parents[1])
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        fallback = _user_cache()
        if fallback is None:
            return {
                "path": str(place),
                "problem": f"compiled kernels cannot be cached in {place} ({error.strerror}): "
                "set NUMBA_CACHE_DIR to a directory that can be written",
            }
        return {"path": str(fallback), "problem": None}
    return {"path": str(place), "problem": None}


def _user_cache() -> Path | None:
    """Numba's second choice: a cache directory of the user, if it can be written."""
    try:
        from numba.misc.appdirs import AppDirs

        place = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except Exception:
        return None


def _usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _numba_threads() -> int | None:
    try:
        import numba

        return int(numba.get_num_threads())
    except Exception:
        return None


def _print(findings: dict[str, Any]) -> None:
    threads = findings["threads"]
    rows = [
        ("distq", findings["distq"]),
        ("python", f"{findings['python']}  {findings['executable']}"),
        ("platform", findings["platform"]),
        ("threads", f"{threads['usable']} of {threads['cpus']} CPUs usable, numba {threads['numba']}"),
    ]
    rows += [(name, _state(found)) for name, found in findings["packages"].items()]
    for extra, packages in findings["extras"].items():
        rows += [(f"[{extra}] {name}", _state(found, extra)) for name, found in packages.items()]
    rows.append(("kernel cache", findings["numba_cache"]["path"]))
    longest = max(len(name) for name, _ in rows)
    for name, text in rows:
        click.echo(f"{name:{longest}}  {text}")
    click.echo("everything that distq needs is there" if not findings["problems"] else "something is missing")


def _state(found: dict[str, str | None], extra: str = "") -> str:
    if found["problem"] is None:
        return str(found["version"])
    hint = f": pip install 'distq[{extra}]'" if extra and found["version"] is None else ""
    return f"{found['version'] or ''} {found['problem']}{hint}".strip()
