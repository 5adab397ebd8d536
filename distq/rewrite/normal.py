"""The normal form: fewer and wider diagonal gates for the same circuit."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.rewrite.items import Items, read_items
from distq.rewrite.regroup import ImpossibleError, write_items


def normalise(circuit: LogicalCircuit, techniques: Collection[str]) -> LogicalCircuit:
    """Lower the number of diagonal gates.

    Args:
        circuit: in normal form, one-qubit gates not merged.
        techniques: of "gadgets" (pairs of CX that enclose rotations become parity rotations), "combine" (two CX that
            differ in the axis on one wire become one rotation by pi/2) and "whole-gates" (parity rotations that
            make up a multi-controlled phase become that gate, and rotations and phases that cancel vanish).

    Returns:
        An equal circuit, up to a global phase, with a witness for each replacement if origins are tracked; the same
        object if there is nothing to replace.
    """
    circuit = _stage(circuit, techniques, combine=False)
    if "combine" in techniques:
        # Later, because what stands for two CX hides gates that are made of more.
        circuit = _stage(circuit, techniques, combine=True)
    return circuit


def _stage(circuit: LogicalCircuit, techniques: Collection[str], *, combine: bool) -> LogicalCircuit:
    if not _may_gain(circuit, techniques, combine):
        return circuit
    old = read_items(circuit)
    banned = np.zeros(old.count, np.bool_)
    while True:
        items = old.copy()
        if not _apply(items, banned, techniques, combine):
            return circuit
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            if banned[error.gates].all():
                return circuit
            banned[error.gates] = True


def _apply(items: Items, banned: NDArray[np.bool_], techniques: Collection[str], combine: bool) -> int:
    from distq.rewrite.gadgets import fold_gadgets
    from distq.rewrite.whole import make_whole

    done = 0
    if combine or "gadgets" in techniques:
        done += fold_gadgets(items, banned, combine=combine)
    if combine and not done:
        return 0
    if "whole-gates" in techniques:
        done += make_whole(items, banned)
    return done


def _may_gain(circuit: LogicalCircuit, techniques: Collection[str], combine: bool) -> bool:
    """Whether two gates stand on the same wires, or one on three or more; without that nothing can be gained."""
    from distq.circuit.rows import MCP, PARITY

    if not combine and not {"gadgets", "whole-gates"} & set(techniques):
        return False
    wide = (circuit.arity >= 2) & (circuit.guard < 0) & ((circuit.code == MCP) | (circuit.code == PARITY))
    if (wide & (circuit.arity > 2)).any():
        return True
    rows = np.flatnonzero(wide)
    a, b = (circuit.qubits[circuit.qubit_offsets[rows] + k].astype(np.int64) for k in (0, 1))
    name = np.sort(np.minimum(a, b) * circuit.num_qubits + np.maximum(a, b))
    return bool((name[1:] == name[:-1]).any())
