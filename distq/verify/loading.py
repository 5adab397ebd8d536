"""Reads source circuits through Qiskit's own readers only."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from distq.errors import InputError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_VERSION = re.compile(r"^\s*OPENQASM\s+(\d+)", re.MULTILINE)


def load_circuit(source: QuantumCircuit | str | Path) -> QuantumCircuit:
    """The circuit of a file (OpenQASM 2 or 3, QPY), of standard input (`-`), or the given circuit itself.

    Raises:
        InputError: the file cannot be read or is not a circuit; the message names file and reason.
    """
    from qiskit import QuantumCircuit

    if isinstance(source, QuantumCircuit):
        return source
    name = "standard input" if str(source) == "-" else str(source)
    try:
        content = sys.stdin.buffer.read() if str(source) == "-" else Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}).") from error
    try:
        return _parse(content, None if str(source) == "-" else Path(source).parent)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:
        raise InputError(f"{name}: Qiskit cannot read it ({' '.join(str(error).split())}).") from error


def _parse(content: bytes, folder: Path | None) -> QuantumCircuit:
    from qiskit import qasm2, qasm3, qpy

    if content.startswith(b"QISKIT"):
        circuits = qpy.load(io.BytesIO(content))
        if len(circuits) != 1:
            raise InputError(f"the QPY file holds {len(circuits)} circuits, but exactly one is expected.")
        return circuits[0]
    text = content.decode("utf-8")
    version = _VERSION.search(text)
    if version is None:
        raise InputError("it is neither QPY nor OpenQASM (no OPENQASM line).")
    if version[1] == "3":
        return qasm3.loads(text)
    return qasm2.loads(
        text,
        include_path=(folder or Path("."),),
        custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
    )
