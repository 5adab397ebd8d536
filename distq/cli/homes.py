"""The options that say where qubits live: words, mappings and files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distq.errors import UsageError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.network.model import Network

#: Qubit of the circuit -> name of a module.
Homes = dict[int, str]

_FORM = "write qubit=module, as in 0=A,1=B or q[0]=A, or name a .json or .toml file that maps qubits to modules"


def homes(
    option: str, text: str | None, words: tuple[str, ...], circuit: QuantumCircuit, network: Network
) -> str | Homes | None:
    """What --initial-homes and --final-homes mean: one of `words`, a mapping "0=A,1=B", or a file with one.

    Raises:
        UsageError: it is none of these, a qubit or module does not exist, or a qubit is named twice.
    """
    if text is None or text in words:
        return text
    path = Path(text)
    if path.suffix.lower() in (".json", ".toml"):
        return _mapping(option, _read(option, path).items(), circuit, network)
    if "=" not in text:
        raise UsageError(f"{option} is {text!r}, but must be {', '.join(words)} or a mapping: {_FORM}")
    return pins(option, text.split(","), circuit, network)


def pins(option: str, items: Iterable[str], circuit: QuantumCircuit, network: Network) -> Homes:
    """A mapping from texts like "0=A" or "q[0]=A".

    Raises:
        UsageError: a text has another form, a qubit or module does not exist, or a qubit is named twice.
    """
    pairs = []
    for item in items:
        qubit, equals, module = (part.strip() for part in item.partition("="))
        if not (qubit and equals and module):
            raise UsageError(f"{option} {item!r} cannot be read: {_FORM}")
        pairs.append((qubit, module))
    return _mapping(option, pairs, circuit, network)


def _read(option: str, path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise UsageError(f"{option}: cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:  # also what both parsers and the decoder raise
        raise UsageError(f"{option}: {path} cannot be read: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(m, str) for m in content.values()):
        raise UsageError(f'{option}: {path} must map qubits to names of modules, as {{"0": "A", "q[1]": "B"}}')
    return content


def _mapping(option: str, pairs: Iterable[tuple[str, str]], circuit: QuantumCircuit, network: Network) -> Homes:
    result: Homes = {}
    known = [m.name for m in network.modules]
    for text, module in pairs:
        qubit = _qubit(option, text, circuit)
        if qubit in result:
            raise UsageError(f"{option} names qubit {text} twice: give it one module")
        if module not in known:
            raise UsageError(f"{option} names module {module!r}; the modules are {', '.join(known)}")
        result[qubit] = module
    return result


def _qubit(option: str, text: str, circuit: QuantumCircuit) -> int:
    """Index of the qubit that `text` names: a number among all qubits, or register[number]."""
    if text.isdecimal():
        if int(text) < circuit.num_qubits:
            return int(text)
        raise UsageError(f"{option} names qubit {text}, but the circuit has qubits 0 to {circuit.num_qubits - 1}")
    match = re.fullmatch(r"(\w+)\[(\d+)\]", text)
    registers = {register.name: register for register in circuit.qregs}
    if match is None or match[1] not in registers or int(match[2]) >= registers[match[1]].size:
        known = ", ".join(f"{name}[{register.size}]" for name, register in registers.items()) or "none"
        raise UsageError(
            f"{option} names qubit {text!r}, which the circuit does not have: give a number from 0 to "
            f"{circuit.num_qubits - 1}, or a qubit of its registers ({known})"
        )
    return circuit.find_bit(registers[match[1]][int(match[2])]).index
