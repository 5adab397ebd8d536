"""The README and the pages of the documentation do what they say: their Python runs, their commands work."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest

from distq.cli.main import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *(ROOT / "docs" / f"{name}.md" for name in ("quickstart", "networks", "extending"))]


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def prepare(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the files that the pages name, and go there."""
    shutil.copytree(ROOT / "examples", directory / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "examples" / "network.toml", directory / "my-lab.toml")
    ghz = (ROOT / "examples" / "ghz.qasm").read_text()
    (directory / "circuit.qasm").write_text(ghz)
    (directory / "pair.qasm").write_text("\n".join(ghz.replace("[6]", "[2]").splitlines()[:6]) + "\nmeasure q -> c;\n")
    monkeypatch.chdir(directory)


def python_blocks() -> list[object]:
    return [
        pytest.param("\n".join(blocks(page, "python")) if page != README else block, id=f"{page.stem}-{i}")
        for page in PAGES
        for i, block in enumerate(blocks(page, "python") if page == README else ["all"])
    ]


@pytest.mark.parametrize("code", python_blocks())
def test_python(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of the README stands alone; those of a page build on each other."""
    prepare(tmp_path, monkeypatch)
    exec(compile(code, "documentation", "exec"), {"__name__": "__main__"})


def test_the_example_is_short() -> None:
    lines = [line for line in blocks(README, "python")[0].splitlines() if line.strip()]
    assert len(lines) <= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `distq` line works, in the order of the page, in a directory with two circuits and a network file."""
    prepare(tmp_path, monkeypatch)
    commands = [shlex.split(line, comments=True) for text in blocks(page, "sh") for line in text.splitlines()]
    for command in commands:
        if command and command[0] == "distq":
            assert main(command[1:]) == 0, command


@pytest.mark.parametrize("page", [README, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_links_and_targets(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in link:
            assert (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile, target


def test_extras_and_versions() -> None:
    """The extras that the README names exist, and the version is the same everywhere."""
    import distq

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"\.\[([a-z]+)\]", README.read_text()):
        assert extra in project["optional-dependencies"]
    assert project["version"] == distq.__version__
    assert f"version: {distq.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_key_of_the_summary_is_explained() -> None:
    """docs/formats.md lists exactly the keys that --json prints."""
    import distq

    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    table = text[text.index("## The summary") : text.index("## The program directory")]
    listed = {key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    summary = distq.compile(ROOT / "examples" / "ghz.qasm", distq.Network.all_to_all(2, data=3)).to_dict()
    # Only where a module has a coupling map.
    assert listed - {"mapping"} == set(summary)
