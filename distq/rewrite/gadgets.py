"""Pairs of CX that enclose rotations become parity rotations: CX RZ CX is one RZZ, and ladders one PARITY."""

from __future__ import annotations

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.rewrite.items import Items, read_items
from distq.rewrite.regroup import ImpossibleError, write_items

#: By how many legs rotations may grow when a pair, which has four, is taken out.
PAIR_LEGS = 4


def fold_gadgets(circuit: LogicalCircuit) -> LogicalCircuit:
    """Take out pairs of equal CZ-like gates (CX, CY, CZ in any axes) and turn what they enclose instead.

    Between the two there may be, on their wires, gates that commute with them, rotations about Pauli letters on any
    number of wires (numerical or symbolic), phase gates on two wires, and one-qubit Cliffords. A rotation whose letter
    does not commute on one wire gains the other wire. A pair is taken out if legs in all do not grow.

    Args:
        circuit: in normal form, one-qubit gates not merged.

    Returns:
        An equal circuit, up to a global phase; the same object if there is nothing to take out.
    """
    if not has_pairs(circuit):
        return circuit
    old = read_items(circuit)
    banned = np.zeros(old.count, np.bool_)
    while True:
        items = old.copy()
        if not fold(items, banned, PAIR_LEGS):
            return circuit
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            banned[error.gates] = True


def has_pairs(circuit: LogicalCircuit) -> bool:
    """Whether two CZ stand on the same wires."""
    _, count = np.unique(_pairs(circuit), return_counts=True)
    return bool((count > 1).any())


def _pairs(circuit: LogicalCircuit) -> np.ndarray:
    from distq.circuit.rows import MCP, PI

    rows = np.flatnonzero((circuit.code == MCP) & (circuit.arity == 2) & (circuit.guard < 0))
    rows = rows[circuit.params[circuit.param_offsets[rows]] == PI]
    a, b = (circuit.qubits[circuit.qubit_offsets[rows] + k].astype(np.int64) for k in (0, 1))
    return np.minimum(a, b) * circuit.num_qubits + np.maximum(a, b)


def fold(items: Items, banned: np.ndarray, limit: int) -> int:
    """Take out pairs until none is left; returns how many."""
    from distq.rewrite._gadget_kernel import take_pairs
    from distq.rewrite._items_kernel import CZ

    gates = np.flatnonzero(items.kind[: items.original] == CZ)
    leg = items.first[gates]
    a, b = items.legs[1][leg], items.legs[1][items.legs[4][leg]]
    code = np.minimum(a, b) * items.circuit.num_qubits + np.maximum(a, b)
    _, inverse, count = np.unique(code, return_inverse=True, return_counts=True)
    pair = np.full(items.original, -1, np.int64)
    pair[gates] = np.where(count[inverse] > 1, inverse, -1)
    last = np.empty(len(count), np.int64)
    total = 0
    items.reserve(4 * len(gates) + 16, 10 * len(gates) + 16)
    while True:
        ends = np.array([items.count, items.pins])
        before = items.kind.copy()
        taken = take_pairs(items.columns(), items.legs[:7], ends, pair, last, banned, limit)
        items.count, items.pins = int(ends[0]), int(ends[1])
        if taken < 0:
            items.reserve(len(gates) + 16, 6 * 2000 + 10 * len(gates))
            total += int(np.count_nonzero(before[gates] != items.kind[gates]) > 0)
            continue
        total += taken
        if taken == 0:
            return total
