"""Sphinx configuration; `make docs` builds with every warning an error."""

from __future__ import annotations

import re
from importlib.metadata import version as installed

project = "distq"
author = "The distq developers"
copyright = f"2026, {author}"
version = release = installed("distq")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"distq {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_type_aliases = {"Homes": "Homes", "Data": "Data", "Comm": "Comm"}
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


_SPAN = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)


def _markdown_to_rst(text: str) -> str:
    """Docstrings write `code` and kets like |0>, which mean something else in reStructuredText."""
    parts = _SPAN.split(text)
    for i, part in enumerate(parts):
        if not part.startswith("`"):
            parts[i] = part.replace("|", "\\|")
            continue
        code = " ".join(part.strip("`").split())
        glued = i + 1 < len(parts) and re.match(r"\w", parts[i + 1])
        parts[i] = f"``{code}``" + ("\\ " if glued else "")
    return "".join(parts)


def _process(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Convert everything but literal blocks (after a line that ends in two colons) and examples (>>>)."""
    blocks: list[list[str]] = [[]]
    literal = False
    for line in lines:
        if literal and line.strip() and not line.startswith(" "):
            literal = False
            blocks.append([])
        blocks[-1].append(line)
        if not literal and (line.rstrip().endswith("::") or line.startswith(">>>")):
            literal = True
            blocks.append([])
    converted = []
    for number, block in enumerate(blocks):
        text = "\n".join(block)
        follows_literal = number and blocks[number - 1] and _opens_literal(blocks[number - 1][-1])
        converted += (text if follows_literal else _markdown_to_rst(text)).split("\n") if block else []
    lines[:] = converted


def _opens_literal(line: str) -> bool:
    return line.rstrip().endswith("::") or line.startswith(">>>")


def setup(app: object) -> None:
    """Called by Sphinx; runs before napoleon, on the docstring as it was written."""
    app.connect("autodoc-process-docstring", _process, priority=400)  # type: ignore[attr-defined]
