"""Runs the command line in-process, and a small program that the tests share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_cases import GHZ, Cli, Result

from distq.cli.main import main


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls `main` with these arguments."""

    def call(*args: object) -> Result:
        capsys.readouterr()
        code = main([str(a) for a in args])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command as a process of its own in `tmp_path`."""

    def call(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "distq", *map(str, args)]
        environment = {**os.environ, "COLUMNS": "100"}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=120, **options
        )

    return call


@pytest.fixture
def ghz(tmp_path: Path) -> Path:
    """A GHZ circuit on four qubits, measured."""
    path = tmp_path / "ghz.qasm"
    path.write_text(GHZ)
    return path


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The GHZ circuit compiled for two modules, once for all tests: they work on copies."""
    directory = tmp_path_factory.mktemp("compiled")
    source = directory / "ghz.qasm"
    source.write_text(GHZ)
    assert main(["compile", str(source), "--modules", "2", "--without", "measured", "-o", str(directory / "p")]) == 0
    return directory / "p"


@pytest.fixture
def program(tmp_path: Path, compiled: Path) -> Path:
    """The GHZ circuit compiled for two modules."""
    return shutil.copytree(compiled, tmp_path / "program")
