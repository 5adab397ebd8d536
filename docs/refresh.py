"""Writes what the documentation takes from the program: `python docs/refresh.py`; a test fails if it is out of date.

`cli.md` is written from the commands themselves. In other pages the text block after a line like
`<!-- output: distq show program, from: time -->` is replaced by what the command prints, from the line on that starts
with this word. The commands of such a page run in order in a directory that holds `examples/`. Notebooks in `examples/`
get the outputs of their cells.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import click

from distq.cli.main import cli, main

DOCS = Path(__file__).parent
PAGES = ("quickstart.md", "oxford.md", "purification.md")

HEAD = """\
<!-- Written by docs/refresh.py from the commands themselves: edit those, then run it. -->
# Command line

Every command has `--help` (or `-h`). Results go to standard output, with `--json` as one JSON object;
progress goes to standard error, and only where that is a terminal. An error is one sentence on standard
error; with `--debug` the Python traceback comes before it.

## Exit codes

0
: done

1
: an internal error, or `distq doctor` found something broken

2
: wrong usage: an unknown command, option or value, an optional package that is not installed, or an output
  that cannot be written

3
: input that cannot be read, is damaged or is not supported: a circuit, a network file, a program directory

4
: the circuit does not fit this network; the sentence says what is missing

5
: verification failed

130
: interrupted (Ctrl-C)

141
: whoever read the output closed it, as in `distq show DIR | head -3`

143
: terminated (SIGTERM)

However a command ends, there is no partial output: a program directory or a file appears whole or not at all.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for command in _children(cli):
        parts.append(_section(command, f"distq {command.name}", "##"))
        parts += [_section(child, f"distq {command.name} {child.name}", "###") for child in _children(command)]
    return "".join(parts)


def _children(command: click.Command) -> list[click.Command]:
    """The subcommands of a group, in its order."""
    if not isinstance(command, click.Group):
        return []
    context = click.Context(command)
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return [child for child in found if child is not None]


def _section(command: click.Command, path: str, heading: str) -> str:
    arguments = [str(p.metavar or p.name).upper() for p in command.params if isinstance(p, click.Argument)]
    usage = " ".join([path, "COMMAND" if isinstance(command, click.Group) else "[OPTIONS]", *arguments])
    text = f"\n{heading} {path}\n\n```text\n{usage}\n```\n\n{_plain(command.help)}\n"
    if command.epilog:
        text += f"\n{_plain(command.epilog)}\n"
    rows = [_row(p) for p in command.params if isinstance(p, click.Option) and p.name != "debug"]
    if rows:
        text += "\n| option | meaning |\n| --- | --- |\n" + "".join(rows)
    return text


def _row(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if not option.is_flag:
        choices = option.type.choices if isinstance(option.type, click.Choice) else ()
        names += f" {option.metavar or '|'.join(choices) or option.type.name.upper()}"
    meaning = str(option.help)
    if option.show_default and not option.is_flag:
        meaning += f" Default: `{option.default}`."
    if option.required:
        meaning += " Required."
    return f"| `{names.replace('|', chr(92) + '|')}` | {meaning} |\n"


def _plain(text: str | None) -> str:
    """Help text as Markdown paragraphs."""
    return "\n\n".join(" ".join(block.split()) for block in (text or "").split("\n\n")).strip()


_OUTPUT = re.compile(r"(<!-- output: (.*), from: (.*) -->\n\n```text\n)(.*?)(```\n)", re.DOTALL)


def with_outputs(page: str) -> str:
    """The text of a page with the outputs that it quotes brought up to date."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(DOCS.parent / "examples", Path(directory) / "examples")
        os.chdir(directory)
        try:
            return _OUTPUT.sub(lambda m: m[1] + _output(m[2], m[3]) + m[5], page)
        finally:
            os.chdir(before)


def _output(commands: str, start: str) -> str:
    for command in commands.split(" && "):
        stream = io.StringIO()
        with redirect_stdout(stream):
            if code := main(shlex.split(command)[1:]):
                raise SystemExit(f"{command} ended with {code}")
    lines = [line.rstrip() for line in stream.getvalue().rstrip().splitlines()]
    first = next((i for i, line in enumerate(lines) if line.startswith(start)), 0)
    return "\n".join(lines[first:]) + "\n"


def pages() -> dict[Path, str]:
    """Every page that this script writes, as it should be."""
    result = {DOCS / name: with_outputs((DOCS / name).read_text(encoding="utf-8")) for name in PAGES}
    return {DOCS / "cli.md": reference(), **result}


def executed(notebook: str) -> str:
    """A notebook (its JSON) with the outputs that its cells print, run one after the other in this process."""
    content = json.loads(notebook)
    names: dict[str, object] = {"__name__": "__main__"}
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    for count, cell in enumerate(cells, 1):
        stream = io.StringIO()
        with redirect_stdout(stream):
            exec(compile("".join(cell["source"]), f"<cell {count}>", "exec"), names)
        lines = stream.getvalue().splitlines(keepends=True)
        cell["execution_count"] = count
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def notebooks() -> dict[Path, str]:
    """Every notebook among the examples, as it should be."""
    found = sorted((DOCS.parent / "examples").glob("*.ipynb"))
    return {path: executed(path.read_text(encoding="utf-8")) for path in found}


if __name__ == "__main__":
    for path, text in {**pages(), **notebooks()}.items():
        path.write_text(text, encoding="utf-8")
