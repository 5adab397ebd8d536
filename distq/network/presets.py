"""Networks by name, and the network that the options of the command line describe."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from distq.errors import UsageError
from distq.network import topologies
from distq.network.files import load_network, parse_network
from distq.network.model import UNLIMITED_WORD, Network

#: Communication qubits of a module where the options do not say.
DEFAULT_COMM = 2


@cache
def preset_names() -> tuple[str, ...]:
    """Names of the networks that come with distq, sorted."""
    files = resources.files("distq.network").joinpath("presets").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


@cache
def preset(name: str) -> Network:
    """The network with this name; its `description` says which part of its shape is our assumption.

    Raises:
        UsageError: there is no preset of this name; the message lists all.
    """
    import tomllib

    if name not in preset_names():
        raise UsageError(_unknown("preset", name, preset_names()))
    text = resources.files("distq.network").joinpath("presets", f"{name}.toml").read_text("utf-8")
    return parse_network(tomllib.loads(text), f"preset {name}")


def resolve(
    network: str | os.PathLike[str] | Network | None = None,
    modules: int | str | None = None,
    data: int | str | Sequence[int] | None = None,
    comm: int | str | Sequence[int | str | None] | None = None,
    topology: str | None = None,
    num_qubits: int | None = None,
) -> Network:
    """The network that the options --network, --modules, --data, --comm and --topology describe.

    Args:
        network: a preset's name or a network file (a Network is returned as it is); excludes the other
            options.
        modules: number of modules k.
        data: data qubits of each module, or one number for each (a list, or a text as "8,8,4"); by default
            ceil(num_qubits / k).
        comm: likewise communication qubits, a number or "unlimited"; by default 2.
        topology: one of `topologies.TOPOLOGIES`, by default all-to-all; a grid is the most square one, a
            tree binary.
        num_qubits: of the circuit, for the default of `data`.

    Raises:
        UsageError: an option has a wrong value or is missing; the message names it and the valid values.
        NetworkError: the network file cannot be read or is not valid.
    """
    if network is not None:
        given = {"--modules": modules, "--data": data, "--comm": comm}
        if topology not in (None, "all-to-all"):
            given["--topology"] = topology
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} and --network exclude each other: leave one of them out")
        return network if isinstance(network, Network) else _file_or_preset(network)
    if modules is None:
        raise UsageError(
            "no network is given: use --network FILE|PRESET, or --modules K with --data, --comm, --topology"
        )
    topology = topology or "all-to-all"
    if topology not in topologies.TOPOLOGIES:
        raise UsageError(_unknown("--topology", topology, tuple(topologies.TOPOLOGIES)))
    k = _integer("--modules", modules, 1)
    if k > topologies.MAX_MODULES:
        raise UsageError(f"--modules is {k}: give at most {topologies.MAX_MODULES}, or a network file")
    if data is None:
        if num_qubits is None:
            raise UsageError("--data is missing: give the number of data qubits of each module")
        data = max(1, -(-num_qubits // k))
    sizes = _capacities("--data", data, k, 1)
    ports = _capacities("--comm", DEFAULT_COMM if comm is None else comm, k, 0)
    return topologies.by_name(topology, k, sizes, ports)


def _file_or_preset(network: str | os.PathLike[str]) -> Network:
    text = os.fspath(network)
    if text in preset_names():
        return preset(text)
    path = Path(text)
    if path.suffix.lower() in (".toml", ".json"):
        return load_network(path)
    if path.exists():
        raise UsageError(f"--network {text}: the name of a network file ends in .toml or .json: rename it")
    raise UsageError(_unknown("--network", text, preset_names(), "a .toml or .json file, or one of the presets"))


def _capacities(option: str, value: Any, k: int, least: int) -> list[Any]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if "," in value else value.strip()
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * k
    if len(values) != k:
        raise UsageError(f"{option} lists {len(values)} numbers for {k} modules: give one number, or one for each")
    return [_capacity(option, v, least) for v in values]


def _capacity(option: str, value: Any, least: int) -> int | None:
    if option == "--comm" and (value is None or value == UNLIMITED_WORD):
        return None
    return _integer(option, value, least)


def _integer(option: str, value: Any, least: int) -> int:
    valid = f"an integer of at least {least}" + (f", or {UNLIMITED_WORD}" if option == "--comm" else "")
    try:
        if isinstance(value, (bool, float)):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError):
        raise UsageError(f"{option} is {value!r}, but must be {valid}") from None
    if number < least:
        raise UsageError(f"{option} is {number}, but must be {valid}")
    return number


def _unknown(option: str, value: str, names: Sequence[str], kind: str = "one of") -> str:
    near = difflib.get_close_matches(value, names, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{option} {value!r} is not known{hint}: give {kind} {', '.join(names)}"
