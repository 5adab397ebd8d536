"""Gates on three or more qubits become gates on two, for modules with too few communication qubits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.control import INVERSE, conjugations
from distq.circuit.logical import LogicalCircuit
from distq.circuit.rows import MCP, PARITY, PI, Row, Rows
from distq.circuit.standard import HANDLERS
from distq.ops import NUM_PARAMS

#: Sizes of MCP for which the Gray code needs the fewest gates.
_GRAY_SIZES = (6, 7)


def expand_gates(circuit: LogicalCircuit, rows: Iterable[int]) -> LogicalCircuit:
    """Expand multi-qubit diagonal gates into two-qubit MCP and PARITY gates and one-qubit gates.

    A PARITY on k qubits becomes 2k-3 two-qubit gates, an MCP on three 5, on four 13, on five 27, on six 61, and
    on k of the order of k squared. Guards are kept: on the two-qubit gates and on the one-qubit gates that do not
    cancel without them. Symbolic angles stay symbolic.

    Args:
        circuit: in normal form.
        rows: rows to expand; those on fewer than three qubits are left as they are.

    Returns:
        An equal circuit, up to a global phase.
    """
    wide = (circuit.code == MCP) | (circuit.code == PARITY)
    chosen = sorted({int(r) for r in rows if wide[r] and circuit.arity[r] > 2})
    if not chosen:
        return circuit
    parts = _Parts(circuit)
    start = 0
    for row in chosen:
        parts.keep(start, row)
        parts.expand(row)
        start = row + 1
    parts.keep(start, len(circuit))
    return parts.build()


def expanded(code: int, qubits: Sequence[int], angle: Any) -> list[Row]:
    """The rows of an MCP or PARITY with two-qubit gates only, equal to it up to a global phase."""
    rows = Rows()
    if code == PARITY:
        last = qubits[-1]
        for q in qubits[:-2]:
            rows.cx(q, last)
        rows.parity(qubits[-2:], angle)
        for q in reversed(qubits[:-2]):
            rows.cx(q, last)
    else:
        _mcp(rows, list(qubits), angle)
    return rows.tail(0, 0, 0)


def _mcp(rows: Rows, qubits: list[int], angle: Any) -> None:
    """MCP(t) = CP(t/2) on the last two, and on the others and the last; less the same with the parity of the latter.

    References:
        Barenco et al., Phys. Rev. A 52, 3457 (1995), lemma 7.5, arXiv:quant-ph/9503016.
    """
    if len(qubits) <= 2:
        rows.mcp(qubits, angle)
        return
    if len(qubits) in _GRAY_SIZES:
        _gray(rows, qubits[:-1], qubits[-1], angle)
        return
    *controls, middle, last = qubits
    half = angle / 2
    rows.mcp((middle, last), half)
    _flip(rows, controls, middle, last)
    rows.mcp((middle, last), -half)
    _flip(rows, controls, middle, last, undo=True)
    _mcp(rows, [*controls, last], half)


def _gray(rows: Rows, controls: list[int], last: int, angle: Any) -> None:
    """The product over all parities of the controls of CP(+-t/2^(k-2)) from that parity to `last`, in Gray-code order.

    Each parity is made by CX on its highest control. 2^k - 3 two-qubit gates for k qubits.
    """
    share = angle / 2 ** (len(controls) - 1)
    previous = 0
    for count in range(1, 1 << len(controls)):
        pattern = count ^ count >> 1
        top = pattern.bit_length() - 1
        changed = (pattern ^ previous).bit_length() - 1
        if changed != top:
            rows.cx(controls[changed], controls[top])
        else:
            # The highest bit is new: collect all lower bits of the pattern on it.
            for k in range(top):
                if pattern >> k & 1:
                    rows.cx(controls[k], controls[top])
        rows.mcp((controls[top], last), share if pattern.bit_count() % 2 else -share)
        previous = pattern


def _flip(rows: Rows, controls: list[int], target: int, idle: int, *, undo: bool = False) -> None:
    """X on `target` if all controls are 1, up to a diagonal that the undoing cancels; `idle` is restored."""
    if len(controls) == 1:
        rows.cx(controls[0], target)
        return
    if len(controls) <= 3:
        gate = "rccx" if len(controls) == 2 else "rcccx"
        _append(rows, gate, [*controls, target], undo)
        return
    from qiskit.synthesis import synth_mcx_1_dirty_kg24

    circuit = synth_mcx_1_dirty_kg24(len(controls))
    if undo:
        circuit = circuit.inverse()
    where = dict(zip(circuit.qubits, [*controls, target, idle]))
    from distq.circuit.operations import add_any

    scratch = Rows()
    for instruction in circuit.data:
        add_any(scratch, instruction.operation, [where[q] for q in instruction.qubits])
    _append_narrow(rows, scratch.tail(0, 0, 0))


def _append(rows: Rows, gate: str, qubits: list[int], undo: bool) -> None:
    scratch = Rows()
    HANDLERS[gate](scratch, qubits, ())
    body = scratch.tail(0, 0, 0)
    _append_narrow(rows, [_inverse(r) for r in reversed(body)] if undo else body)


def _append_narrow(rows: Rows, body: list[Row]) -> None:
    for code, qubits, params in body:
        if len(qubits) > 2:
            for row in expanded(code, qubits, params[0]):
                rows.row(*row)
        else:
            rows.row(code, qubits, params)


def _inverse(row: Row) -> Row:
    code, qubits, params = row
    if code in INVERSE:
        return INVERSE[code], qubits, params
    if code == MCP and params[0] == PI:
        return row
    return code, qubits, tuple(-p for p in params)


class _Parts:
    """Columns of the new circuit, piece by piece."""

    def __init__(self, circuit: LogicalCircuit) -> None:
        self.circuit = circuit
        self.pieces: list[tuple[NDArray[Any], ...]] = []
        self.expressions = list(circuit.expressions)
        #: (old row, new row) after each expanded row, to move the block boundaries.
        self.moved: list[tuple[int, int]] = []
        self.length = 0

    def _add(self, *columns: NDArray[Any]) -> None:
        self.pieces.append(columns)
        self.length += len(columns[0])

    def keep(self, start: int, stop: int) -> None:
        """Rows of the old circuit."""
        c = self.circuit
        q0, q1 = c.qubit_offsets[start], c.qubit_offsets[stop]
        p0, p1 = c.param_offsets[start], c.param_offsets[stop]
        self._add(
            c.code[start:stop],
            np.diff(c.qubit_offsets[start : stop + 1]),
            c.qubits[q0:q1],
            c.params[p0:p1],
            c.param_expr[p0:p1],
            c.guard[start:stop],
            c.bit[start:stop],
        )

    def expand(self, row: int) -> None:
        """The expansion of an old row."""
        c = self.circuit
        qubits = c.qubits[c.qubit_offsets[row] : c.qubit_offsets[row + 1]].tolist()
        at = int(c.param_offsets[row])
        symbol = int(c.param_expr[at])
        angle = c.expressions[symbol] if symbol >= 0 else float(c.params[at])
        body = expanded(int(c.code[row]), qubits, angle)
        params, expr = [], []
        for value in (p for _, _, values in body for p in values):
            if isinstance(value, float):
                params.append(value)
                expr.append(-1)
            else:
                params.append(float("nan"))
                expr.append(len(self.expressions))
                self.expressions.append(value)
        guard = np.full(len(body), c.guard[row], np.int32)
        if c.guard[row] >= 0:
            guard[list(conjugations(body))] = -1
        self._add(
            np.array([r[0] for r in body], np.uint8),
            np.array([len(r[1]) for r in body], np.int64),
            np.array([q for r in body for q in r[1]], np.int32),
            np.array(params, np.float64),
            np.array(expr, np.int32),
            guard,
            np.full(len(body), -1, np.int32),
        )
        self.moved.append((row + 1, self.length))

    def build(self) -> LogicalCircuit:
        """The new circuit."""
        code, width, qubits, params, expr, guard, bit = (np.concatenate(c) for c in zip(*self.pieces))
        used = np.unique(expr[expr >= 0])
        renumber = np.full(len(self.expressions) + 1, -1, np.int32)
        renumber[used] = np.arange(len(used))
        return replace(
            self.circuit,
            code=code,
            qubit_offsets=_offsets(width),
            qubits=qubits,
            param_offsets=_offsets(np.array(NUM_PARAMS)[code]),
            params=params,
            param_expr=renumber[expr],
            guard=guard,
            bit=bit,
            expressions=tuple(self.expressions[k] for k in used),
            blocks=tuple((self._new_row(a), self._new_row(b), n) for a, b, n in self.circuit.blocks),
        )

    def _new_row(self, row: int) -> int:
        old, new = 0, 0
        for after, length in self.moved:
            if after > row:
                break
            old, new = after, length
        return new + row - old


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result
