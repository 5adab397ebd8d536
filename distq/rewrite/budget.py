"""Rotations so small that they may be left out, within a bound on the error of the whole circuit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit

#: Bound on the operator-norm error that is allowed if the user says nothing.
DEFAULT_BUDGET = 1e-9


def drop_rotations(circuit: LogicalCircuit, budget: float) -> LogicalCircuit:
    """Leave out the smallest rotations on two and more qubits as long as their errors add up to no more than a bound.

    The error of leaving out exp(-i t/2 P) is at most |t|/2, that of a phase diag(1, ..., 1, exp(i t)) |exp(i t) - 1|,
    in the operator norm and up to a global phase. Symbolic and guarded gates stay.

    Args:
        circuit: one-qubit gates not merged; with origins each gate left out has a witness.
        budget: bound on the sum of errors; 0 leaves out nothing.

    Returns:
        The circuit, its field `error_bound` grown by the sum of the errors.
    """
    rows = np.flatnonzero(_droppable(circuit))
    error = rotation_errors(circuit, rows)
    order = np.argsort(error, kind="stable")
    total = np.cumsum(error[order])
    chosen = rows[order[: int(np.searchsorted(total, budget, side="right"))]] if budget > 0 else rows[:0]
    if not len(chosen):
        return circuit
    spent = circuit.error_bound + float(total[len(chosen) - 1])
    return replace(_without(circuit, np.sort(chosen)), error_bound=spent)


def rotation_errors(circuit: LogicalCircuit, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(rows,) bound on the error of leaving out each of some numerical MCP and PARITY rows."""
    from distq.circuit.rows import PARITY

    angle = circuit.params[circuit.param_offsets[rows]]
    angle = angle - 2 * np.pi * np.round(angle / (2 * np.pi))
    return np.asarray(np.where(circuit.code[rows] == PARITY, np.abs(angle) / 2, 2 * np.abs(np.sin(angle / 2))))


def _droppable(circuit: LogicalCircuit) -> NDArray[np.bool_]:
    from distq.circuit.rows import MCP, PARITY

    wide = (circuit.arity > 1) & (circuit.guard < 0) & ((circuit.code == MCP) | (circuit.code == PARITY))
    wide[wide] = circuit.param_expr[circuit.param_offsets[:-1][wide]] < 0
    if len(circuit.origin) == len(circuit):
        wide &= circuit.origin != NO_ORIGIN
    return np.asarray(wide)


def _without(circuit: LogicalCircuit, rows: NDArray[np.int64]) -> LogicalCircuit:
    if len(circuit.origin) == len(circuit):
        from distq.rewrite.blocks import Rewriting

        rewriting = Rewriting(circuit)
        for row in rows.tolist():
            rewriting.substitute(row, ())
        return rewriting.build()
    from distq.rewrite.splice import splice

    removed = np.zeros(len(circuit), np.bool_)
    removed[rows] = True
    return splice(circuit, removed, [], circuit.origin)[0]
