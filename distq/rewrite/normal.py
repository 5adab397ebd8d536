"""The normal form: fewer and wider diagonal gates for the same circuit."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.rewrite.items import Items, read_items
from distq.rewrite.regroup import ImpossibleError, write_items

#: Techniques of `normalise`, in the order in which they are applied.
TECHNIQUES = ("gadgets", "whole-gates")


def normalise(circuit: LogicalCircuit, techniques: Collection[str] = TECHNIQUES) -> LogicalCircuit:
    """Lower the number of diagonal gates.

    Args:
        circuit: in normal form, one-qubit gates not merged.
        techniques: of `TECHNIQUES`. "gadgets": pairs of CX that enclose rotations become parity rotations.
            "whole-gates": parity rotations that make up a multi-controlled phase become that gate, and rotations and phases
            that cancel vanish.

    Returns:
        An equal circuit, up to a global phase, with a witness for each replacement if origins are tracked; the same
        object if there is nothing to replace.
    """
    if not _may_gain(circuit, techniques):
        return circuit
    old = read_items(circuit)
    banned = np.zeros(old.count, np.bool_)
    while True:
        items = old.copy()
        if not _apply(items, banned, techniques):
            return circuit
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            if banned[error.gates].all():
                return circuit
            banned[error.gates] = True


def _apply(items: Items, banned: np.ndarray, techniques: Collection[str]) -> int:
    from distq.rewrite.gadgets import fold_gadgets
    from distq.rewrite.whole import make_whole

    done = 0
    if "gadgets" in techniques:
        done += fold_gadgets(items, banned)
    if "whole-gates" in techniques:
        done += make_whole(items, banned)
    return done


def _may_gain(circuit: LogicalCircuit, techniques: Collection[str]) -> bool:
    """Whether two gates stand on the same wires; without that nothing can be gained."""
    from distq.circuit.rows import MCP, PARITY

    wide = (circuit.arity >= 2) & (circuit.guard < 0) & ((circuit.code == MCP) | (circuit.code == PARITY))
    if (wide & (circuit.arity > 2)).any():
        return bool(techniques)
    rows = np.flatnonzero(wide)
    a, b = (circuit.qubits[circuit.qubit_offsets[rows] + k].astype(np.int64) for k in (0, 1))
    _, count = np.unique(np.minimum(a, b) * circuit.num_qubits + np.maximum(a, b), return_counts=True)
    return bool(techniques) and bool((count > 1).any())
