"""Outcomes only: gates that no measured outcome can see are left out.

If only the joint distribution of the classical bits matters, a gate that can be brought to the end of the circuit has
no effect that anybody sees: nothing is measured after it. A diagonal gate commutes with diagonal gates, with
measurements along Z and, as far as its place at the end goes, with X-type gates behind it (they only change signs of
its angle). Going backwards, each wire is therefore "unused" (nothing that is kept follows), "diagonal" (only such
operations follow) or "used"; a diagonal gate goes if none of its wires is used. A reset forgets what was before it:
its wire is unused there, as the wire could be exchanged with one that nobody looks at.

Measurements and resets stay.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.ops import NUM_ONE_QUBIT, Op
from distq.rewrite.edit import edit

_UNUSED, _DIAGONAL, _USED = 0, 1, 2
_DIAGONAL_CODES = frozenset((Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ, Op.MCP, Op.PARITY))


def outcomes_only(circuit: LogicalCircuit) -> LogicalCircuit:
    """Leave out what no classical bit depends on.

    Args:
        circuit: normalised.

    Returns:
        A circuit with the same joint distribution of the classical bits, merged; the same object if all is seen.
    """
    from distq.rewrite.merge import merge_one_qubit

    state = [_UNUSED] * circuit.num_qubits
    removed = np.zeros(len(circuit), np.bool_)
    codes, offsets, qubits = circuit.code.tolist(), circuit.qubit_offsets.tolist(), circuit.qubits.tolist()
    guarded = (circuit.guard >= 0).tolist()
    for row in range(len(circuit) - 1, -1, -1):
        code, wires = codes[row], qubits[offsets[row] : offsets[row + 1]]
        uses = [state[w] for w in wires]
        if code in _DIAGONAL_CODES:
            if _USED not in uses:
                removed[row] = True
                continue
        elif code < NUM_ONE_QUBIT and uses[0] == _UNUSED:
            removed[row] = True
            continue
        elif code == Op.RESET and not guarded[row]:
            state[wires[0]] = _UNUSED
            continue
        elif code == Op.MEASURE:
            pass
        elif code not in (Op.X, Op.Y) or guarded[row]:
            state[wires[0]] = _USED
        for wire in wires:
            state[wire] = max(state[wire], _DIAGONAL)
    if not removed.any():
        return circuit
    return replace(merge_one_qubit(edit(circuit, removed, ())), outcomes_only=True)
