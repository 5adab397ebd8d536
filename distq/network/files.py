"""Network files: TOML or JSON, with one schema (`network.schema.json`).

A file either lists its modules and links, or names a shape (`topology`), or both::

    name = "pair"                          topology = "grid"
    [[modules]]                            rows = 2
    name = "A"                             cols = 2
    data = 4                               data = 8          # for each module, or [8, 8, 4, 4]
    comm = 2         # or "unlimited"      comm = "unlimited"
    [[modules]]
    name = "B"
    data = 4
    [[links]]
    a = "A"
    b = "B"

Modules and links may have a table `hardware`; `hardware` and `link_hardware` at the top are for every module and every
link that has none of its own; `fabrics` are switches that links share (see `distq.network.hardware`).
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from distq.errors import NetworkError
from distq.network import topologies
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import UNLIMITED_WORD, Link, Module, Network

_TEXTS = ("name", "description", "source")
_SHAPE = ("topology", "rows", "cols", "branching", "depth", "data", "comm")
_KEYS = (*_TEXTS, "modules", "links", "hardware", "link_hardware", "fabrics", *_SHAPE)
_MODULE_KEYS = ("name", "data", "comm", "hardware")
_LINK_KEYS = ("a", "b", "hardware")
#: What hardware may state, and which of it are integers or lists of them (JSON has one kind of number).
_MODULE_HARDWARE = tuple(f.name for f in fields(ModuleHardware))
_LINK_HARDWARE = tuple(f.name for f in fields(LinkHardware))
_FABRIC_KEYS = tuple(f.name for f in fields(Fabric))
_INTEGERS = ("coupling", "data_positions", "comm_positions", "generators", "ports")
#: Which keys of a shape belong to one topology only.
_OWN = {"rows": "grid", "cols": "grid", "branching": "tree", "depth": "tree"}


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network file; its name ends in .toml or .json.

    Raises:
        NetworkError: the file cannot be read or is not a valid description; the message names the file, the
            line where the parser knows it, and the key.
    """
    path = Path(path)
    suffix = _suffix(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise NetworkError(f"cannot read the network file {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise NetworkError(f"{path}: not a text in UTF-8 (byte {error.start}): save it in that encoding") from None
    try:
        content = tomllib.loads(text) if suffix == ".toml" else json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise NetworkError(f"{path}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except tomllib.TOMLDecodeError as error:
        raise NetworkError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise NetworkError(f"{path}: nested too deeply for a network file") from None
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None
    return parse_network(content, str(path))


def save_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network file, TOML or JSON by the end of its name; `load_network` gives back an equal network.

    The file appears as a whole or not at all.

    Raises:
        NetworkError: the file cannot be written.
    """
    path = Path(path)
    content = network.to_dict()
    text = _toml(content) if _suffix(path) == ".toml" else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise NetworkError(f"cannot write the network file {path}: {error.strerror or error}") from None
    except UnicodeEncodeError as error:
        raise NetworkError(f"cannot write the network file {path}: its texts are not valid Unicode: {error}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def network_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of network files, as shipped with distq.

    What a schema cannot say is checked by `load_network` alone: that names are different and printable, that
    links join two different modules that exist, and only once, and that lists of capacities are as long as
    the modules.
    """
    return json.loads(resources.files("distq.network").joinpath("network.schema.json").read_text("utf-8"))


def parse_network(content: Any, where: str = "") -> Network:
    """The network that the parsed content of a network file describes; `where` names it in messages.

    Raises:
        NetworkError: the content is not a valid description.
    """
    try:
        return _parse(content)
    except NetworkError as error:
        if where:
            raise NetworkError(f"{where}: {error}") from None
        raise


def _parse(content: Any) -> Network:
    table = _table(content, "the network", _KEYS)
    texts = {key: _text(table[key], key) for key in _TEXTS if key in table}
    if "topology" in table:
        return _shaped(table, texts)
    for key in _SHAPE:
        if key in table:
            raise NetworkError(f"{key} belongs to a topology: add topology = {_choices(topologies.TOPOLOGIES)}")
    if not isinstance(table.get("modules"), Sequence) or isinstance(table.get("modules"), str):
        raise NetworkError("modules is missing or no list: list the modules ([[modules]] in TOML), or give a topology")
    links = _links(table.get("links", []), _common(table, "link_hardware"))
    modules = _modules(table["modules"], _common(table, "hardware"))
    return Network(tuple(modules), tuple(links), fabrics=_fabrics(table), **texts)


def _common(table: Mapping[str, Any], key: str) -> Any:
    """The hardware of every module, or of every link, that has none of its own."""
    if key not in table:
        return None
    return _link_hardware(table[key], key) if key == "link_hardware" else _module_hardware(table[key], key)


def _module_hardware(value: Any, place: str) -> ModuleHardware:
    table = _table(value, place, _MODULE_HARDWARE)
    return _made(ModuleHardware, table, place)


def _link_hardware(value: Any, place: str) -> LinkHardware:
    return _made(LinkHardware, _table(value, place, _LINK_HARDWARE), place)


def _fabrics(table: Mapping[str, Any]) -> tuple[Fabric, ...]:
    listed = table.get("fabrics", [])
    if not isinstance(listed, (list, tuple)):
        raise NetworkError(
            f"fabrics is {listed!r}, but must be a list of tables with the keys {', '.join(_FABRIC_KEYS)}"
        )
    result = []
    for i, item in enumerate(listed):
        place = f"fabrics[{i}]"
        content = _table(item, place, _FABRIC_KEYS)
        if "name" not in content:
            raise NetworkError(f"{place}.name is missing: add it")
        result.append(_made(Fabric, content, place))
    return tuple(result)


def _made(kind: Any, table: Mapping[str, Any], place: str) -> Any:
    """Hardware from the table of a file; there nothing is null, and 2.0 is the integer 2."""
    for key, value in table.items():
        if value is None:
            raise NetworkError(f"{place}.{key} is null: leave it out where it is not known")
    try:
        return kind(**{key: _whole(value) if key in _INTEGERS else value for key, value in table.items()})
    except NetworkError as error:
        raise NetworkError(f"{place}: {error}") from None


def _whole(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_whole(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shaped(table: Mapping[str, Any], texts: dict[str, str]) -> Network:
    topology = table["topology"]
    if not isinstance(topology, str) or topology not in topologies.TOPOLOGIES:
        raise NetworkError(f"topology is {topology!r}, but must be {_choices(topologies.TOPOLOGIES)}")
    if "links" in table:
        raise NetworkError("links and topology exclude each other: remove one of them")
    for key, owner in _OWN.items():
        if key in table and topology != owner:
            raise NetworkError(f"{key} belongs to topology = {owner!r}, not to {topology!r}: remove it")
    listed = table.get("modules")
    if isinstance(listed, (list, tuple)):
        for key in ("data", "comm"):
            if key in table:
                raise NetworkError(f"{key} belongs in each of the modules that are listed: move it there")
        modules = _modules(listed, _common(table, "hardware"))
        _, edges, name = _shape(table, topology, len(modules))
    else:
        if "data" not in table:
            raise NetworkError("data is missing: give the number of data qubits of each module")
        count = None if listed is None else _integer(listed, "modules", 1)
        k, edges, name = _shape(table, topology, count)
        data = _many(table["data"], "data", 1)
        modules = topologies.modules_like(k, data, _many(table.get("comm", 2), "comm", 0))
        if common := _common(table, "hardware"):
            modules = [_with_hardware(m, common) for m in modules]
    network = topologies.attach(modules, edges, **{"name": name, **texts})
    link_hardware = _common(table, "link_hardware")
    return network.with_hardware(None, link_hardware, _fabrics(table))


def _with_hardware(module: Module, hardware: ModuleHardware) -> Module:
    try:
        return replace(module, hardware=hardware)
    except NetworkError as error:
        raise NetworkError(f"hardware: {error}") from None


def _shape(table: Mapping[str, Any], topology: str, count: int | None) -> tuple[int, topologies.Edges, str]:
    """Number of modules, links and default name of the shape that a file describes."""
    sizes = {key: _integer(table[key], key, 0 if key == "depth" else 1) for key in _OWN if key in table}
    if ("rows" in sizes) != ("cols" in sizes):
        raise NetworkError("a grid needs both rows and cols, or the number of modules alone")
    if "depth" in sizes and count is not None and not isinstance(table["modules"], (list, tuple)):
        raise NetworkError("depth and modules exclude each other in a tree: remove one of them")
    branching = sizes.get("branching", 2)
    if "rows" in sizes:
        k = sizes["rows"] * sizes["cols"]
    elif "depth" in sizes:
        k = topologies.tree_size(branching, sizes["depth"])
    elif count is None:
        wanted = {"grid": "rows and cols, or modules", "tree": "depth or modules"}.get(topology, "modules")
        raise NetworkError(f"the size of the {topology} is missing: give {wanted}")
    else:
        k = count
    if count is not None and k != count:
        raise NetworkError(f"the {topology} has {k} places for {count} modules: make the numbers agree")
    if k > topologies.MAX_MODULES:
        raise NetworkError(f"the {topology} has {k} modules, more than {topologies.MAX_MODULES}: make it smaller")
    if topology == "grid":
        rows, cols = (sizes["rows"], sizes["cols"]) if "rows" in sizes else topologies.squarest(k)
        return k, topologies.grid_edges(rows, cols), f"grid-{rows}x{cols}"
    if topology == "tree":
        return k, topologies.tree_edges(k, branching), f"tree-{branching}-{k}"
    return k, topologies.TOPOLOGIES[topology](k), f"{topology}-{k}"


def _modules(listed: Sequence[Any], common: ModuleHardware | None) -> list[Module]:
    modules = []
    for i, item in enumerate(listed):
        place = f"modules[{i}]"
        table = _table(item, place, _MODULE_KEYS)
        for key in ("name", "data"):
            if key not in table:
                raise NetworkError(f"{place}.{key} is missing: add it")
        name = _text(table["name"], f"{place}.name")
        who = f"{place}.{{}} (module {name!r})"
        data = _integer(table["data"], who.format("data"), 1)
        comm = _comm(table.get("comm", 2), who.format("comm"))
        hardware = common
        if "hardware" in table:
            hardware = _module_hardware(table["hardware"], who.format("hardware"))
        try:
            modules.append(Module(name, data, comm, hardware))
        except NetworkError as error:
            raise NetworkError(f"{place}: {error}") from None
    return modules


def _links(listed: Any, common: LinkHardware | None) -> list[Link]:
    if not isinstance(listed, (list, tuple)):
        raise NetworkError(f"links is {listed!r}, but must be a list of tables with the keys a and b")
    links = []
    for i, item in enumerate(listed):
        table = _table(item, f"links[{i}]", _LINK_KEYS)
        for key in ("a", "b"):
            if key not in table:
                raise NetworkError(f"links[{i}].{key} is missing: give the name of a module")
        a, b = (_text(table[key], f"links[{i}].{key}") for key in ("a", "b"))
        hardware = common
        if "hardware" in table:
            hardware = _link_hardware(table["hardware"], f"links[{i}].hardware ({a} - {b})")
        links.append(Link(a, b, hardware))
    return links


def _table(value: Any, place: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NetworkError(f"{place} is {value!r}, but must be a table with keys from {', '.join(known)}")
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise NetworkError(f"{place} has the unknown key {key!r}{hint}: the keys are {', '.join(known)}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise NetworkError(f"{place} is {value!r}, but must be a text")
    return value


def _integer(value: Any, place: str, least: int) -> int:
    # JSON has one kind of number: 8.0 is the integer 8, for the schema and therefore here.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise NetworkError(f"{place} is {value!r}, but must be an integer of at least {least}")
    return value


def _comm(value: Any, place: str) -> int | None:
    if value == UNLIMITED_WORD and isinstance(value, str):
        return None
    try:
        return _integer(value, place, 0)
    except NetworkError as error:
        raise NetworkError(f'{error}, or "{UNLIMITED_WORD}"') from None


def _many(value: Any, key: str, least: int) -> Any:
    """A capacity for all modules, or a list with one for each."""
    one = _comm if key == "comm" else lambda v, place: _integer(v, place, least)
    if isinstance(value, (list, tuple)):
        return [one(v, f"{key}[{i}]") for i, v in enumerate(value)]
    return one(value, key)


def _choices(names: Any) -> str:
    return "one of " + ", ".join(f'"{n}"' for n in names)


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".toml", ".json"):
        raise NetworkError(f"{path}: the name of a network file ends in .toml or .json: rename it")
    return suffix


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; Python's parser would let the last of equal keys win without a word."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        double = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise NetworkError(f"the key {double!r} occurs twice in one object: remove one")
    return found


def _toml(content: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_toml_value(content[key])}" for key in _TEXTS if key in content]
    for key in ("modules", "links", "fabrics"):
        for item in content.get(key, ()):
            lines += ["", f"[[{key}]]", *(f"{k} = {_toml_value(v)}" for k, v in item.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        # TOML's basic strings escape as JSON does, but DEL, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_toml_value(v) for v in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{k} = {_toml_value(v)}' for k, v in value.items())} }}" if value else "{}"
    return str(value)
