"""One-qubit gates that stand for several rotations are taken apart, for passes that read rotations."""

from __future__ import annotations

import numpy as np

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit
from distq.ops import Op
from distq.rewrite.splice import Insertion, splice

#: Angles this close to a multiple of pi/2 [rad] are one.
_EXACT = 1e-12


def split_turns(circuit: LogicalCircuit) -> LogicalCircuit:
    """U(theta, phi, lambda) becomes RZ(lambda), RY(theta), RZ(phi) where it is more than a Clifford and one rotation.

    Compilers merge one-qubit gates: what stands between two CX is often H with a rotation on either side. The new gates
    have the origin of the old one. Gates with symbolic angles or guards stay.

    Returns:
        An equal circuit, up to a global phase; the same object if there is nothing to take apart.
    """
    rows = np.flatnonzero((circuit.code == Op.U) & (circuit.guard < 0))
    if not len(rows):
        return circuit
    at = circuit.param_offsets[rows][:, None] + np.arange(3)
    numeric = (circuit.param_expr[at] < 0).all(axis=1)
    angles = np.where(numeric[:, None], circuit.params[at], 0.0)
    quarters = angles / (np.pi / 2)
    rotates = np.abs(quarters - np.round(quarters)) > _EXACT
    flat = ~rotates[:, 0] & (np.round(quarters[:, 0]) % 2 == 0)
    # Diagonal and antidiagonal gates have one rotation, whatever phi and lambda are.
    chosen = numeric & ~flat & (rotates.sum(axis=1) > 1)
    if not chosen.any():
        return circuit
    removed = np.zeros(len(circuit), np.bool_)
    removed[rows[chosen]] = True
    origins = circuit.origin.tolist() if len(circuit.origin) == len(circuit) else [NO_ORIGIN] * len(circuit)
    wires = circuit.qubits[circuit.qubit_offsets[rows]]
    insertions = []
    for row, wire, (theta, phi, lam) in zip(rows[chosen].tolist(), wires[chosen].tolist(), angles[chosen].tolist()):
        parts = ((Op.RZ, lam), (Op.RY, theta), (Op.RZ, phi))
        new = [(int(code), (wire,), (angle,)) for code, angle in parts if angle]
        insertions.append(Insertion(row, new, origin=origins[row]))
    return splice(circuit, removed, insertions, circuit.origin)[0]


__all__ = ["split_turns"]
