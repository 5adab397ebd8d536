"""Circuits from files, standard input and Qiskit objects."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from distq.circuit.logical import LogicalCircuit
from distq.errors import InputError, UsageError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: A file name, "-" for standard input, or a circuit.
Source = "str | os.PathLike[str] | QuantumCircuit"

FORMATS: Final = ("qasm2", "qasm3", "qpy")
_QPY_MAGIC = b"QISKIT"
_VERSION = re.compile(r"\A(?:\s+|//[^\n]*\n|/\*.*?\*/)*OPENQASM\s+(\d+)(?:\.\d+)?\s*;", re.DOTALL)
_COMMENTS = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)
_OLD_REGISTER = re.compile(r"^\s*[qc]reg\b", re.MULTILINE)
#: Where Qiskit's readers put the line.
_LINE_FORMS = (
    re.compile(r"^[^\n]*?:(\d+),\d+:\s*(.*)", re.DOTALL),  # qasm2: file:line,column: text
    re.compile(r"^L(\d+):C\d+:\s*(.*)", re.DOTALL),  # openqasm3
    re.compile(r"^(\d+),\d+:\s*(.*)", re.DOTALL),  # qiskit_qasm3_import
    re.compile(r"^line (\d+):\d+ (.*)", re.DOTALL),  # the parser generator, on stderr
)


def read(source: str | os.PathLike[str] | QuantumCircuit, *, format: str | None = None) -> LogicalCircuit:
    """Read a circuit in normal form.

    Args:
        source: a file name, "-" for standard input, or a Qiskit `QuantumCircuit`.
        format: "qasm2", "qasm3" or "qpy"; by default it is found from the content and the extension.

    Raises:
        InputError: the file cannot be read, or holds something that is not supported; names the file and the line.
        UsageError: the format is not known.
    """
    from distq.circuit.from_qiskit import from_qiskit

    return from_qiskit(load_source(source, format))


def load_source(source: str | os.PathLike[str] | QuantumCircuit, format: str | None = None) -> QuantumCircuit:
    """Read a circuit with Qiskit's own readers, unchanged. Arguments and errors as for `read`."""
    if format is not None and format not in FORMATS:
        raise UsageError(f"'{format}' is not a circuit format: use one of {', '.join(FORMATS)}.")
    if not isinstance(source, (str, os.PathLike)):
        from qiskit import QuantumCircuit

        if isinstance(source, QuantumCircuit):
            return source
        raise UsageError(f"A circuit is a file name, '-' or a Qiskit QuantumCircuit, not a {type(source).__name__}.")
    name, content, folder = _content(source)
    if not _COMMENTS.sub(b"", content).strip():
        raise InputError(f"{name} is empty: give it an OpenQASM 2 or 3 program or a QPY file with one circuit.")
    kind = format or _sniff(content, name)
    if kind == "qpy":
        return _load_qpy(content, name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}, line {line}, is not text in UTF-8: give an OpenQASM 2 or 3 program, or a QPY file."
        ) from None
    circuit = _load_qasm2(text, name, folder) if kind == "qasm2" else _load_qasm3(text, name)
    circuit.name = "circuit" if name == "standard input" else Path(name).stem
    return circuit


def _content(source: str | os.PathLike[str]) -> tuple[str, bytes, str]:
    """(name for messages, bytes, folder for includes)."""
    if source == "-":
        return "standard input", sys.stdin.buffer.read(), "."
    path = Path(source)
    try:
        return str(path), path.read_bytes(), str(path.parent)
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist: give the name of an OpenQASM or QPY file, or '-' for standard input."
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path} is a directory: give the name of an OpenQASM or QPY file in it.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the file and its permissions.") from None


def _sniff(content: bytes, name: str) -> str:
    """The format, from the content where it says so, else from the extension."""
    if content.startswith(_QPY_MAGIC) or name.endswith(".qpy"):
        return "qpy"
    text = content.decode("utf-8-sig", errors="replace")
    found = _VERSION.match(text)
    if found:
        version = int(found.group(1))
        if version not in (2, 3):
            line = text.count("\n", 0, found.start(1)) + 1
            raise InputError(f"{name}, line {line}: OpenQASM {version} is not known: use OpenQASM 2 or 3.")
        return f"qasm{version}"
    if name.endswith((".qasm3", ".qasm2")):
        return name[-5:]
    return "qasm2" if _OLD_REGISTER.search(text) else "qasm3"


def _load_qpy(content: bytes, name: str) -> QuantumCircuit:
    from qiskit import QuantumCircuit, qpy

    try:
        circuits: list[Any] = qpy.load(io.BytesIO(content))
    except Exception as error:  # damaged files raise errors of many kinds
        raise InputError(
            f"{name} is not a QPY file that this Qiskit can read ({_first_line(error)}): "
            "write it again with qiskit.qpy.dump."
        ) from error
    if len(circuits) != 1:
        raise InputError(f"{name} holds {len(circuits)} circuits: write the one to compile into a file of its own.")
    if not isinstance(circuits[0], QuantumCircuit):
        raise InputError(f"{name} holds a {type(circuits[0]).__name__}, not a circuit: write a QuantumCircuit.")
    return circuits[0]


def _load_qasm2(text: str, name: str, folder: str) -> QuantumCircuit:
    from qiskit import qasm2

    try:
        return qasm2.loads(
            text,
            include_path=(folder,),
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except Exception as error:  # also errors of Qiskit's circuit, as for a gate on one qubit twice
        raise _parse_error(name, "OpenQASM 2", error) from error


def _load_qasm3(text: str, name: str) -> QuantumCircuit:
    from qiskit import qasm3

    complaints = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaints):
            return qasm3.loads(text)
    except ImportError:
        raise
    except Exception as error:  # the reader raises errors of many kinds on malformed input
        raise _parse_error(name, "OpenQASM 3", error, complaints.getvalue()) from error


def _parse_error(name: str, language: str, error: Exception, complaints: str = "") -> InputError:
    message = str(getattr(error, "message", "") or error).strip().strip('"')
    line: int | None = None
    for text in (message, complaints.strip()):
        for form in _LINE_FORMS:
            found = form.match(text)
            if found and line is None:
                line, message = int(found.group(1)), found.group(2)
    cause = getattr(error.__cause__, "args", ())
    token = getattr(cause[0], "offendingToken", None) if cause else None
    if line is None and token is not None:
        line, message = int(token.line), message or f"'{token.text}' is not expected here"
    if line is None:
        line = _line_of_node(error)
    message = (message or "it does not follow the grammar").splitlines()[0].strip().rstrip(".")
    place = f"{name}, line {line}" if line is not None else name
    return InputError(f"{place}: not valid {language}: {message}. Correct the file and try again.")


def _line_of_node(error: Exception) -> int | None:
    """The line of the innermost syntax node that a reader was at when it failed."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        for value in trace.tb_frame.f_locals.values():
            start = getattr(getattr(value, "span", None), "start_line", None)
            if isinstance(start, int):
                line = start
        trace = trace.tb_next
    return line


def _first_line(error: Exception) -> str:
    return (str(error).strip().strip("'\"").splitlines() or [type(error).__name__])[0].rstrip(".")
