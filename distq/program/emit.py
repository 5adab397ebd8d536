"""Module files: the OpenQASM 3 text of every module of a program in canonical form (docs/design.md has the format)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.expressions import ExpressionWriter, derived_identifier, is_plain, parameter_names
from distq.program.order import declared_sizes
from distq.program.types import COMM, MEASURED, DistributedProgram

#: Names of one-qubit gates by code.
GATE_NAMES = ("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "p", "rx", "ry", "rz", "U")
EPR_DEFINITION = "gate epr(pair) a { }"
SXDG_DEFINITION = "gate sxdg a { s a; h a; s a; }"
#: The angle of a cz.
_PI = repr(math.pi)
RZZ_DEFINITION = "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }"


def parity_definition(size: int) -> str:
    """Definition of the gate exp(-i t/2 Z...Z) on three or more qubits."""
    names = [f"q{i}" for i in range(size)]
    ladder = [f"cx {a}, {b};" for a, b in pairwise(names)]
    return f"gate parity{size}(t) {', '.join(names)} {{ {' '.join([*ladder, f'rz(t) {names[-1]};', *ladder[::-1]])} }}"


@dataclass(frozen=True)
class ModuleText:
    """One module's file.

    Attributes:
        text: the whole file.
        rows: the program row of each statement, in file order (annotations belong to the statement after them).
        data, comm, measured, received: declared sizes of the registers d, c, m and r.
        derived: (identifier, formula) of the derived inputs that the module declares.
    """

    text: str
    rows: NDArray[np.int64]
    data: int
    comm: int
    measured: int
    received: int
    derived: tuple[tuple[str, str], ...] = ()


def expression_writer(program: DistributedProgram) -> tuple[tuple[str, ...], ExpressionWriter]:
    """The sorted names of all unbound parameters of a program, and the writer of its expressions."""
    used = parameter_names((*program.expressions, program.global_phase))
    names = tuple(sorted({*used, *program.block_parameters}))
    return names, ExpressionWriter(names)


def gate_text(op: int, angles: Sequence[str], size: int, operands: str) -> str:
    """The statement of a gate.

    Args:
        op: code of a one-qubit gate, MCP or PARITY.
        angles: its parameters as they are written.
        size: number of its qubits.
        operands: their names.
    """
    if op < NUM_ONE_QUBIT:
        return f"{GATE_NAMES[op]}({', '.join(angles)}) {operands};" if angles else f"{GATE_NAMES[op]} {operands};"
    angle = angles[0]
    if op == Op.PARITY:
        return f"{'rzz' if size == 2 else f'parity{size}'}({angle}) {operands};"
    if size > 2:
        return f"ctrl({size - 1}) @ p({angle}) {operands};"
    return f"cz {operands};" if angle == _PI else f"cp({angle}) {operands};"


def emit_modules(program: DistributedProgram) -> list[ModuleText]:
    """The file of every module.

    Args:
        program: in canonical form (`distq.program.order.canonical`).
    """
    body = _Body(program)
    body.write()
    data, comm = declared_sizes(program)
    k = len(program.network.modules)
    measured = np.bincount(program.bit_module[program.bit_kind == MEASURED], minlength=k)
    received = np.bincount(program.bit_module[program.bit_kind != MEASURED], minlength=k)
    result = []
    for m in range(k):
        sizes = (int(data[m]), int(comm[m]), int(measured[m]), int(received[m]))
        lines = _header(m, program.network.modules[m].name, body.defined[m], sorted(body.inputs[m]), sizes)
        text = "\n".join((*lines, *body.lines[m])) + "\n"
        derived = tuple((i, body.derived[i]) for i in body.derived if i in body.inputs[m])
        result.append(ModuleText(text, np.array(body.rows[m], np.int64), *sizes, derived))
    return result


def _header(
    module: int, name: str, definitions: set[str], inputs: list[str], sizes: tuple[int, int, int, int]
) -> list[str]:
    lines = [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        f"// distq program 1, module {module}: {json.dumps(name, ensure_ascii=False)}",
        EPR_DEFINITION,
        *sorted(definitions, key=lambda d: (len(d), d)),
        *(f"input float {ident};" for ident in inputs),
    ]
    for kind, register, size in zip(("qubit", "qubit", "bit", "bit"), "dcmr", sizes):
        if size:
            lines.append(f"{kind}[{size}] {register};")
    return lines


class _Body:
    """The statements of every module, in one pass over the rows."""

    def __init__(self, program: DistributedProgram) -> None:
        self.program = program
        k = len(program.network.modules)
        self.lines: list[list[str]] = [[] for _ in range(k)]
        self.rows: list[list[int]] = [[] for _ in range(k)]
        self.defined: list[set[str]] = [set() for _ in range(k)]
        self.inputs: list[set[str]] = [set() for _ in range(k)]
        self.qubit_name = [
            f"{'c' if role == COMM else 'd'}[{index}]"
            for role, index in zip(program.qubit_role.tolist(), program.qubit_index.tolist())
        ]
        self.bit_name = [
            f"{'m' if kind == MEASURED else 'r'}[{index}]"
            for kind, index in zip(program.bit_kind.tolist(), program.bit_index.tolist())
        ]
        self.guards = [self._guard(g) for g in program.guards]
        self.texts: list[str] = []
        self.names_of: list[set[str]] = []
        #: Formulas of derived inputs, by identifier.
        self.derived: dict[str, str] = {}
        if program.expressions:
            self._write_expressions()
        #: Number of the message that fills each received bit.
        self.message = [-1] * program.num_bits
        send = np.flatnonzero(program.code == Op.SEND)
        for number, bit in enumerate(program.bit2[send].tolist()):
            self.message[bit] = number
        self.unread = [m >= 0 for m in self.message]
        # Plain lists: indexing them one by one is ten times faster than indexing arrays.
        self.params, self.param_expr = program.params.tolist(), program.param_expr.tolist()
        self.bit, self.bit2, self.exchange = (
            program.bit.tolist(),
            program.bit2.tolist(),
            program.exchange.tolist(),
        )

    def _guard(self, conjunction: tuple[tuple[int, int], ...]) -> tuple[str, str, tuple[int, ...]]:
        """Text before and after a guarded statement, and the received bits that it reads."""
        head = "".join(f"if ({'' if value else '!'}{self.bit_name[bit]}) {{ " for bit, value in conjunction)
        kinds = self.program.bit_kind
        return head, " }" * len(conjunction), tuple(b for b, _ in conjunction if kinds[b] != MEASURED)

    def _write_expressions(self) -> None:
        """The text of every expression, and the inputs that it needs."""
        _, writer = expression_writer(self.program)
        for expression in self.program.expressions:
            text = writer.text(expression)
            inputs = writer.names_in(text)
            if not is_plain(text):
                # The expressions of a canonical program are different texts: one derived input for each.
                ident = derived_identifier(len(self.derived))
                self.derived[ident] = text
                text, inputs = ident, {ident}
            self.texts.append(text)
            self.names_of.append(inputs)

    def write(self) -> None:
        program, names, lines_of, rows_of = self.program, self.qubit_name, self.lines, self.rows
        code, guard = program.code.tolist(), program.guard.tolist()
        start, qubits = program.qubit_offsets.tolist(), program.qubits.tolist()
        module_of = program.qubit_module.tolist()
        first_param = program.param_offsets.tolist()
        plain = {op: f"{GATE_NAMES[op]} " for op in range(Op.P)}
        plain[Op.RESET] = "reset "
        sxdg, epr, send = int(Op.SXDG), int(Op.EPR), int(Op.SEND)
        pair = 0
        for row, op in enumerate(code):
            if op == send:
                continue
            at = start[row]
            q = qubits[at]
            m = module_of[q]
            head = plain.get(op)
            if head is not None:
                text = f"{head}{names[q]};"
                if op == sxdg:
                    self.defined[m].add(SXDG_DEFINITION)
                elif self.exchange[row] >= 0:
                    lines_of[m].append(f"@distq.birth {self.exchange[row]}")
                elif self.exchange[row] < -1:
                    lines_of[m].append(f"@distq.end {-2 - self.exchange[row]}")
            elif op == epr:
                other = qubits[at + 1]
                lines_of[module_of[other]].append(f"epr({pair}) {names[other]};")
                rows_of[module_of[other]].append(row)
                text = f"epr({pair}) {names[q]};"
                pair += 1
            else:
                text = self._statement(row, op, m, qubits[at : start[row + 1]], first_param[row])
            lines = lines_of[m]
            if guard[row] >= 0:
                before, after, reads = self.guards[guard[row]]
                for bit in reads:
                    if self.unread[bit]:
                        self.unread[bit] = False
                        # The notice that a message is read stands before those of messages that are sent.
                        lines.append(f"@distq.recv {self.message[bit]}")
                text = f"{before}{text}{after}"
            if row + 1 < len(code) and code[row + 1] == send:
                following = row + 1
                while following < len(code) and code[following] == send:
                    lines.append(f"@distq.send {self.message[self.bit2[following]]}")
                    following += 1
            lines.append(text)
            rows_of[m].append(row)

    def _statement(self, row: int, op: int, module: int, qubits: list[int], at: int) -> str:
        """Rows with parameters, with several qubits, and measurements."""
        operands = ", ".join([self.qubit_name[q] for q in qubits])
        if op == Op.MEASURE:
            return f"{self.bit_name[self.bit[row]]} = measure {operands};"
        if op < NUM_ONE_QUBIT:
            count = 3 if op == Op.U else 1
            return gate_text(op, [self._angle(module, at + i) for i in range(count)], 1, operands)
        if op == Op.CX:
            if self.exchange[row] >= 0:
                self.lines[module].append(f"@distq.exchange {self.exchange[row]}")
            return f"cx {operands};"
        if op == Op.SWAP:
            return f"swap {operands};"
        size = len(qubits)
        if op == Op.PARITY:
            self.defined[module].add(RZZ_DEFINITION if size == 2 else parity_definition(size))
        return gate_text(op, [self._angle(module, at)], size, operands)

    def _angle(self, module: int, at: int) -> str:
        expression = self.param_expr[at]
        if expression < 0:
            return repr(self.params[at])
        self.inputs[module] |= self.names_of[expression]
        return self.texts[expression]
