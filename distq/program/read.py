"""Line reader for module files: accepts exactly the forms that `emit` writes, a few microseconds a line.

Lines that occur again are looked up, not read again: a statement is a number of a template, and the columns of the
program are gathered from the templates at the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from distq.errors import InputError
from distq.ops import NUM_PARAMS, Op
from distq.program.emit import EPR_DEFINITION, GATE_NAMES, RZZ_DEFINITION, SXDG_DEFINITION, parity_definition
from distq.program.expressions import is_plain, parse

#: A literal of a guard as it stands in a file: "m" or "r", index, value.
Literal = tuple[str, int, int]

_N = r"(0|[1-9][0-9]{0,8})"
_HEADING = re.compile(rf"// distq program 1, module {_N}: (.*)")
_DECLARATION = re.compile(rf"(qubit|bit)\[{_N}\] ([dcmr]);")
_INPUT = re.compile(r"input float (\w+);")
_PARITY = re.compile(r"parity[1-9][0-9]{0,5}")
_PARITY_DEFINITION = re.compile(r"gate parity([1-9][0-9]{0,5})\(")
_GUARD = re.compile(rf"if \((!?)([mr])\[{_N}\]\) \{{ (.*) \}}")
_MEASURE = re.compile(rf"m\[{_N}\] = measure ([dc])\[{_N}\];")
_OPERAND = re.compile(rf"([dc])\[{_N}\]")
_CONTROLLED = re.compile(r"ctrl\(([1-9][0-9]{0,5})\) @ p\((.*)\)")
_ANNOTATION = re.compile(rf"@distq\.(send|recv|exchange|birth|end) {_N}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?")

_PLAIN: dict[str, tuple[int, int]] = {
    **{name: (code, 1) for code, name in enumerate(GATE_NAMES)},
    "reset": (int(Op.RESET), 1),
    "cx": (int(Op.CX), 2),
    "swap": (int(Op.SWAP), 2),
    "cp": (int(Op.MCP), 2),
    "rzz": (int(Op.PARITY), 2),
}


@dataclass
class _Templates:
    """Columns of the different statements of a file."""

    code: list[int] = field(default_factory=list)
    qubits: list[tuple[int, ...]] = field(default_factory=list)
    params: list[tuple[Any, ...]] = field(default_factory=list)
    guard: list[tuple[Literal, ...]] = field(default_factory=list)
    bit: list[int] = field(default_factory=list)
    pair: list[int] = field(default_factory=list)


@dataclass
class ModuleRows:
    """The statements of one module file, in columns; a qubit is its index in d, or `data` plus its index in c.

    Attributes:
        path: where it was read.
        data, comm, measured, received: declared sizes of d, c, m and r.
        statement: (N,) template of each statement.
        line: (N,) line number of each statement, from 1.
        templates: columns of the templates; `bit` is the index in m of a measurement, `pair` the number of a pair.
        sends: (position of the statement, message) of every message, in the order of the lines.
        receives: (position of the statement, message) of every message that is read.
        exchange: (position of the statement, exchange that a cx belongs to, or qubit that a reset begins, or -2 - q).
    """

    path: str
    data: int
    comm: int
    measured: int
    received: int
    statement: NDArray[np.int64]
    line: NDArray[np.int64]
    templates: _Templates
    sends: list[tuple[int, int]]
    receives: list[tuple[int, int]]
    exchange: list[tuple[int, int]]


def read_module(
    text: str,
    path: str,
    module: int,
    sizes: tuple[int, int, int, int],
    arrivals: Mapping[int, int],
    inputs: Mapping[str, Any],
) -> ModuleRows:
    """Read one module file.

    Args:
        text: the whole file.
        path: its name, for messages.
        module: its number.
        sizes: what the manifest says that it declares: elements of d, c, m and r.
        arrivals: for each message that goes to this module the index in r that it fills.
        inputs: what each identifier that the file may declare as an input stands for: Parameter objects, and the
            expressions of derived inputs.

    Raises:
        InputError: names file and line.
    """
    reader = _Reader(path, module, sizes, arrivals, inputs)
    return reader.read(text)


class _Reader:
    def __init__(
        self,
        path: str,
        module: int,
        sizes: tuple[int, int, int, int],
        arrivals: Mapping[int, int],
        inputs: Mapping[str, Any],
    ) -> None:
        self.path, self.module, self.sizes = path, module, sizes
        self.data, self.comm, self.measured, self.received = sizes
        self.arrivals, self.known_inputs = arrivals, inputs
        self.number = 0
        self.inputs: dict[str, Any] = {}
        self.defined: set[str] = set()
        self.templates = _Templates()
        self.heads: dict[str, tuple[int, tuple[Any, ...], int, int]] = {}
        self.operands: dict[str, tuple[int, ...]] = {}
        self.conditions: dict[str, tuple[Literal, ...]] = {}
        self.measured_yet = bytearray(self.measured)
        self.received_yet = bytearray(self.received)
        self.sends: list[tuple[int, int]] = []
        self.receives: list[tuple[int, int]] = []
        self.exchange: list[tuple[int, int]] = []

    def fail(self, problem: str) -> NoReturn:
        raise InputError(f"{self.path}, line {self.number}: {problem}; compile the program again")

    def read(self, text: str) -> ModuleRows:
        """Read the whole file."""
        lines = text.split("\n")
        self.number = len(lines)
        if lines.pop() != "":
            self.fail("the last line is incomplete")
        self.number = 0
        start = self._header(lines)
        statement, line = self._statements(lines, start)
        self.number = len(lines)
        missing = self.measured_yet.find(0)
        if missing >= 0:
            self.fail(f"bit m[{missing}] is declared but never measured")
        return ModuleRows(
            self.path,
            *self.sizes,
            np.array(statement, np.int64),
            np.array(line, np.int64),
            self.templates,
            self.sends,
            self.receives,
            self.exchange,
        )

    def _header(self, lines: list[str]) -> int:
        """Read everything before the first statement; returns its position."""
        for wanted in ("OPENQASM 3.0;", 'include "stdgates.inc";'):
            self.number += 1
            if len(lines) < self.number or lines[self.number - 1] != wanted:
                self.fail(f"expected {wanted!r}")
        self.number += 1
        heading = _HEADING.fullmatch(lines[2]) if len(lines) > 2 else None
        if heading is None or int(heading[1]) != self.module:
            self.fail(f"expected '// distq program 1, module {self.module}: ...'")
        declared: dict[str, int] = {}
        position = 3
        for position in range(3, len(lines) + 1):
            self.number = position + 1
            if position == len(lines) or not self._declaration(lines[position], declared):
                break
        for register, size in zip("dcmr", self.sizes):
            if declared.get(register, 0) != size:
                self.fail(
                    f"register {register} has {declared.get(register, 0)} elements where the manifest says {size}"
                )
        return position

    def _declaration(self, text: str, declared: dict[str, int]) -> bool:
        if text.startswith("gate "):
            parity = _PARITY_DEFINITION.match(text)
            known = {EPR_DEFINITION: "epr", SXDG_DEFINITION: "sxdg", RZZ_DEFINITION: "rzz"}
            if parity and 3 <= int(parity[1]) <= self.data + self.comm:
                known[parity_definition(int(parity[1]))] = f"parity{parity[1]}"
            if text not in known:
                self.fail("this gate definition is none of those that a program may have")
            self.defined.add(known[text])
        elif text.startswith("input "):
            match = _INPUT.fullmatch(text)
            if match is None or match[1] in self.inputs:
                self.fail(f"cannot read the declaration {_short(text)}")
            if match[1] not in self.known_inputs:
                self.fail(f"the input {match[1]!r} is neither a parameter nor a derived input of the manifest")
            self.inputs[match[1]] = self.known_inputs[match[1]]
        elif text.startswith(("qubit", "bit")):
            found = _DECLARATION.fullmatch(text)
            if found is None or found[3] in declared or (found[1] == "qubit") != (found[3] in "dc"):
                self.fail(f"cannot read the declaration {_short(text)}")
            declared[found[3]] = int(found[2])
        else:
            return False
        return True

    def _statements(self, lines: list[str], start: int) -> tuple[list[int], list[int]]:
        known: dict[str, int] = {}
        statement: list[int] = []
        numbers: list[int] = []
        code, guard = self.templates.code, self.templates.guard
        measure = int(Op.MEASURE)
        pending: list[tuple[str, int]] = []
        for number, text in enumerate(lines[start:], start + 1):
            found = known.get(text)
            if found is None:
                self.number = number
                if text.startswith("@"):
                    pending.append(self._annotation(text))
                    continue
                found = known[text] = self._statement(text)
            if pending:
                self.number = number
                self._attach(len(statement), found, pending)
                pending = []
            if guard[found] or code[found] == measure:
                self.number = number
                self._use_bits(found)
            statement.append(found)
            numbers.append(number)
        if pending:
            self.number = len(lines)
            self.fail("the file ends after an annotation")
        return statement, numbers

    def _annotation(self, text: str) -> tuple[str, int]:
        match = _ANNOTATION.fullmatch(text)
        if match is None:
            self.fail(
                f"cannot read the annotation {_short(text)}; known are @distq.send, @distq.recv, @distq.exchange, "
                "@distq.birth, @distq.end"
            )
        return match[1], int(match[2])

    def _attach(self, position: int, template: int, pending: list[tuple[str, int]]) -> None:
        reads = {index for kind, index, _ in self.templates.guard[template] if kind == "r"}
        exchanges = 0
        for kind, number in pending:
            if kind == "send":
                if self.templates.code[template] != Op.MEASURE:
                    self.fail(f"message {number} is sent here, but this statement measures nothing")
                self.sends.append((position, number))
            elif kind == "recv":
                index = self.arrivals.get(number)
                if index is None:
                    self.fail(f"message {number} does not come to this module, by the manifest")
                if index not in reads:
                    self.fail(f"message {number} fills r[{index}], which this statement does not read")
                if self.received_yet[index]:
                    self.fail(f"r[{index}] is received a second time")
                self.received_yet[index] = 1
                self.receives.append((position, number))
            elif kind in ("birth", "end"):
                exchanges += 1
                if exchanges > 1 or self.templates.code[template] != Op.RESET or self.templates.guard[template]:
                    self.fail(f"a {kind} annotation stands alone before a reset without condition")
                self.exchange.append((position, number if kind == "birth" else -2 - number))
            else:
                exchanges += 1
                if exchanges > 1 or self.templates.code[template] != Op.CX:
                    self.fail("an exchange annotation stands alone before a cx")
                self.exchange.append((position, number))

    def _use_bits(self, template: int) -> None:
        for kind, index, _ in self.templates.guard[template]:
            if kind == "m":
                if not self.measured_yet[index]:
                    self.fail(f"m[{index}] is read before it is measured")
            elif not self.received_yet[index]:
                self.fail(f"r[{index}] is read without '@distq.recv' before its first use")
        bit = self.templates.bit[template]
        if bit >= 0:
            if self.measured_yet[bit]:
                self.fail(f"m[{bit}] is measured a second time; every bit is written once")
            self.measured_yet[bit] = 1

    def _statement(self, text: str) -> int:
        """The number of a new template."""
        guard: tuple[Literal, ...] = ()
        inner = text
        while inner.startswith("if "):
            match = _GUARD.fullmatch(inner)
            if match is None:
                self.fail(f"cannot read the condition in {_short(text)}")
            guard += (self._literal(match[1], match[2], int(match[3])),)
            inner = match[4]
        bit = pair = -1
        params: tuple[Any, ...] = ()
        if inner.startswith("m["):
            measure = _MEASURE.fullmatch(inner)
            if measure is None:
                self.fail(f"cannot read the measurement {_short(text)}")
            code = int(Op.MEASURE)
            bit = int(measure[1])
            if bit >= self.measured:
                self.fail(f"bit m[{bit}] is not declared")
            qubits: tuple[int, ...] = (self._qubit(measure[2], int(measure[3])),)
        else:
            code, params, pair, qubits = self._gate(inner)
            if pair >= 0 and guard:
                self.fail("a Bell pair cannot depend on a condition")
        columns = self.templates
        columns.code.append(code)
        columns.qubits.append(qubits)
        columns.params.append(params)
        columns.guard.append(guard)
        columns.bit.append(bit)
        columns.pair.append(pair)
        return len(columns.code) - 1

    def _literal(self, negation: str, kind: str, index: int) -> Literal:
        if index >= (self.measured if kind == "m" else self.received):
            self.fail(f"bit {kind}[{index}] is not declared")
        return kind, index, 0 if negation else 1

    def _qubit(self, register: str, index: int) -> int:
        if index >= (self.data if register == "d" else self.comm):
            self.fail(f"qubit {register}[{index}] is not declared")
        return index if register == "d" else self.data + index

    def _gate(self, text: str) -> tuple[int, tuple[Any, ...], int, tuple[int, ...]]:
        # Heads (name and angles) and operands repeat: most of the time both are looked up.
        cut = text.rfind(") ") + 1 or text.find(" ")
        if cut <= 0 or not text.endswith(";"):
            self.fail(f"cannot read the statement {_short(text)}")
        head, tail = text[:cut], text[cut + 1 : -1]
        known = self.heads.get(head)
        if known is None:
            known = self.heads[head] = self._head(head)
        qubits = self.operands.get(tail)
        if qubits is None:
            qubits = self.operands[tail] = self._operand_list(tail)
        code, params, pair, arity = known
        if len(qubits) != arity:
            self.fail(f"{_short(head)} acts on {arity} qubits, not {len(qubits)}")
        if pair >= 0 and qubits[0] < self.data:
            self.fail("half of a Bell pair on a data qubit; Bell pairs arrive on communication qubits")
        return code, params, pair, qubits

    def _operand_list(self, text: str) -> tuple[int, ...]:
        found = []
        for part in text.split(", "):
            match = _OPERAND.fullmatch(part)
            if match is None:
                self.fail(f"cannot read the qubit {_short(part)}")
            found.append(self._qubit(match[1], int(match[2])))
        if len(set(found)) != len(found):
            self.fail(f"a qubit is named twice in {_short(text)}")
        return tuple(found)

    def _head(self, text: str) -> tuple[int, tuple[Any, ...], int, int]:
        """(code, parameters, pair, number of qubits) of a gate's name and angles."""
        if text.startswith("ctrl"):
            return self._controlled(text)
        name, bracket, rest = text.partition("(")
        inside = rest[:-1] if bracket and rest.endswith(")") else None
        if (inside is None) != (not bracket):
            self.fail(f"cannot read the gate {_short(text)}")
        if name == "cz" and inside is None:
            return int(Op.MCP), (math.pi,), -1, 2
        if name == "epr" and inside is not None and re.fullmatch(_N, inside):
            self._check_defined("epr")
            return int(Op.EPR), (), int(inside), 1
        if name.startswith("parity") and _PARITY.fullmatch(name) and inside is not None:
            self._check_defined(name)
            return int(Op.PARITY), self._angles(inside, 1), -1, int(name[6:])
        if name not in _PLAIN:
            self.fail(f"unknown gate {_short(name)}")
        code, arity = _PLAIN[name]
        if name in ("sxdg", "rzz"):
            self._check_defined(name)
        count = NUM_PARAMS[code]
        if (inside is None) != (count == 0):
            self.fail(f"{name} takes {count} angles")
        return code, self._angles(inside, count) if inside is not None else (), -1, arity

    def _controlled(self, text: str) -> tuple[int, tuple[Any, ...], int, int]:
        match = _CONTROLLED.fullmatch(text)
        if match is None:
            self.fail(f"cannot read the gate {_short(text)}")
        arity = int(match[1]) + 1
        if arity < 3:
            self.fail("a phase with one control is written cz or cp")
        return int(Op.MCP), self._angles(match[2], 1), -1, arity

    def _check_defined(self, name: str) -> None:
        if name not in self.defined:
            self.fail(f"gate {name} is used but not defined")

    def _angles(self, text: str, count: int) -> tuple[Any, ...]:
        parts = text.split(", ")
        if len(parts) != count:
            self.fail(f"{count} angles are needed where {len(parts)} are given")
        return tuple(self._angle(part) for part in parts)

    def _angle(self, text: str) -> Any:
        if _NUMBER.fullmatch(text):
            value = float(text)
            if math.isfinite(value):
                return value
        try:
            value = parse(text, self.inputs)
        except ValueError as error:
            self.fail(str(error))
        if not is_plain(text):
            self.fail(f"{_short(text)} cannot stand here, only in a formula under 'derived' in the manifest")
        return float(value) if isinstance(value, (int, float)) else value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
