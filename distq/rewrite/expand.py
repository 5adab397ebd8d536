"""Gates on three or more qubits become gates on two, for modules with too few communication qubits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from distq.circuit.control import INVERSE
from distq.circuit.logical import LogicalCircuit
from distq.circuit.rows import MCP, PARITY, PI, Row, Rows
from distq.circuit.standard import HANDLERS
from distq.rewrite.blocks import Rewriting, witness_row
from distq.rewrite.splice import Insertion, splice

#: Sizes of MCP for which the Gray code needs the fewest gates.
_GRAY_SIZES = (6, 7)


def expand_gates(circuit: LogicalCircuit, rows: Iterable[int]) -> LogicalCircuit:
    """Expand multi-qubit diagonal gates into two-qubit MCP and PARITY gates and one-qubit gates.

    A PARITY on k qubits becomes 2k-3 two-qubit gates, an MCP on three 5, on four 13, on five 27, on six 61, and
    on k of the order of k squared. Guards are kept: on the two-qubit gates and on the one-qubit gates that do not
    cancel without them. Symbolic angles stay symbolic.

    Args:
        circuit: in normal form. If its origins are tracked, the result has a witness for each instruction that holds
            an expanded gate, and an instruction visited under several guards is expanded in all visits.
        rows: rows to expand; those on fewer than three qubits are left as they are.

    Returns:
        An equal circuit, up to a global phase.
    """
    wide = (circuit.code == MCP) | (circuit.code == PARITY)
    chosen = sorted({int(r) for r in rows if wide[r] and circuit.arity[r] > 2})
    if not chosen:
        return circuit
    if len(circuit.origin) == len(circuit):
        rewriting = Rewriting(circuit)
        for row in chosen:
            if not rewriting.is_taken(row):  # by another visit of its instruction
                rewriting.substitute(row, _expansion(circuit, row))
        return rewriting.build()
    removed = np.zeros(len(circuit), np.bool_)
    removed[chosen] = True
    insertions = [Insertion(row, _expansion(circuit, row), int(circuit.guard[row])) for row in chosen]
    return splice(circuit, removed, insertions, circuit.origin)[0]


def _expansion(circuit: LogicalCircuit, row: int) -> list[Row]:
    code, qubits, (angle,) = witness_row(circuit, row)
    return expanded(code, qubits, angle)


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
