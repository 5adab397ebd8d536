"""Help, version and start-up time; the reference in the documentation is that of the commands."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import click
import pytest
from cli_cases import Cli

from distq.cli.main import COMMANDS
from distq.cli.main import cli as group

ROOT = Path(__file__).parents[2]


def test_help_lists_every_command(cli: Cli) -> None:
    result = cli("--help")
    assert result.code == 0
    assert result.err == ""
    for name in COMMANDS:
        assert f"  {name} " in result.out
    assert cli().out == result.out
    assert cli("-h").out == result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(cli: Cli, name: str) -> None:
    result = cli(name, "--help")
    assert result.code == 0
    assert f"distq {name}" in result.out


def test_every_option_is_explained() -> None:
    context = click.Context(group)
    commands = [group.get_command(context, name) for name in COMMANDS]
    commands += [child for c in commands if isinstance(c, click.Group) for child in c.commands.values()]
    for command in commands:
        assert command is not None
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, (command.name, option.name)


def test_version(cli: Cli) -> None:
    import distq

    assert cli("--version").out.strip() == f"distq {distq.__version__}"


def test_start_up_is_fast() -> None:
    """Nothing heavy is imported for help; the limit is generous, since the machine may be busy."""
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "distq", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 1.0
    code = (
        "import sys; from distq.cli.main import main; main(['compile', '--help']); main(['--help']); "
        "heavy = {'qiskit', 'numpy', 'scipy', 'numba', 'mtkahypar', 'rich', 'msgspec'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_documentation_is_up_to_date() -> None:
    """Run `python docs/refresh.py` after changing a command or what it prints."""
    module = reference()
    for path, text in module.pages().items():
        assert path.read_text(encoding="utf-8") == text
    for name in COMMANDS:
        assert f"\n## distq {name}\n" in module.reference()
