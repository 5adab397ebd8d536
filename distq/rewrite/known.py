"""Known inputs: legs of qubits whose state is known become constants.

A qubit in |0> (at the start, if the user says so, and after an unconditional reset) that met only one-qubit gates is in
a known state. Where this is an eigenstate of the axis along which a gate acts on it, the leg has a known value: a
multi-controlled phase does nothing if it is 0 and loses the leg if it is 1; a parity rotation loses the leg, and its
sign changes if the value is 1. What is left of a gate may be a one-qubit gate, which leaves its qubit known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.ops import NUM_ONE_QUBIT, Op
from distq.rewrite.diagonal import parity_rows, phase_rows
from distq.rewrite.edit import NewRow, angle_of, edit, guard_of

#: A state is an eigenstate if the rest of its Bloch vector is shorter than this.
_EPS = 1e-12

Quaternion = tuple[float, float, float, float]
_ZERO: Quaternion = (1.0, 0.0, 0.0, 0.0)


def known_inputs(
    circuit: LogicalCircuit, start: str = "any", *, resets: bool = True, widest: int | None = None
) -> LogicalCircuit:
    """Take out legs whose value is known.

    Args:
        circuit: normalised; merged circuits give more (`merge_one_qubit`).
        start: "zero": every qubit starts in |0>; "any": only resets make a qubit known.
        resets: whether a reset makes its qubit known.
        widest: gates that would still act on more qubits than this are left as they are; None: no limit.

    Returns:
        An equal circuit on these inputs, up to a global phase in every branch, merged; the same object if there was
        nothing to do.
    """
    from distq.rewrite.merge import merge_one_qubit

    if start != "zero" and not (resets and ((circuit.code == Op.RESET) & (circuit.guard < 0)).any()):
        return circuit
    found = _Pass(circuit, start == "zero", resets, widest).run()
    if found is None:
        return circuit
    return replace(merge_one_qubit(found), start="zero" if start == "zero" else circuit.start)


class _Pass:
    def __init__(self, circuit: LogicalCircuit, zero: bool, resets: bool, widest: int | None) -> None:
        self.circuit, self.resets, self.widest = circuit, resets, widest
        #: What made the state of each wire out of |0>; None: it is not known.
        self.state: list[Quaternion | None] = [_ZERO if zero else None] * circuit.num_qubits
        self.new: list[NewRow] = []
        self.removed = np.zeros(len(circuit), np.bool_)

    def run(self) -> LogicalCircuit | None:
        """The new circuit, or None if nothing changed."""
        circuit, state = self.circuit, self.state
        codes, offsets, qubits = circuit.code.tolist(), circuit.qubit_offsets.tolist(), circuit.qubits.tolist()
        guarded = (circuit.guard >= 0).tolist()
        for row, code in enumerate(codes):
            wires = tuple(qubits[offsets[row] : offsets[row + 1]])
            if all(state[w] is None for w in wires) and code != Op.RESET:
                continue
            if code < NUM_ONE_QUBIT:
                self._turn(wires[0], code, self._params(row), guarded[row])
            elif code in (Op.MCP, Op.PARITY):
                self._gate(row, wires)
            elif self._value(wires[0]) is None or code == Op.RESET:
                state[wires[0]] = _ZERO if code == Op.RESET and self.resets and not guarded[row] else None
        return edit(circuit, self.removed, self.new) if self.removed.any() else None

    def _params(self, row: int) -> tuple[float, float, float] | None:
        """Three numbers (unused ones are 0), or None if one is symbolic."""
        first, last = int(self.circuit.param_offsets[row]), int(self.circuit.param_offsets[row + 1])
        if (self.circuit.param_expr[first:last] >= 0).any():
            return None
        a, b, c = (*self.circuit.params[first:last].tolist(), 0.0, 0.0, 0.0)[:3]
        return a, b, c

    def _turn(self, wire: int, code: int, params: tuple[float, float, float] | None, guarded: bool) -> None:
        """A one-qubit gate. One that only makes a phase leaves a state known whatever its angle and condition."""
        state = self.state[wire]
        if state is None:
            return
        if self._value(wire) is not None and code in (Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ):
            return
        if guarded or params is None:
            self.state[wire] = None
            return
        from distq.circuit.one_qubit import of_gate

        w, x, y, z = of_gate(code, *params)
        p, q, r, s = state
        self.state[wire] = (
            w * p - x * q - y * r - z * s,
            w * q + x * p + y * s - z * r,
            w * r - x * s + y * p + z * q,
            w * s + x * r - y * q + z * p,
        )

    def _value(self, wire: int) -> int | None:
        """The bit that a wire holds, if its state is one of the computational basis."""
        state = self.state[wire]
        if state is None:
            return None
        w, x, y, z = state
        if x * x + y * y < _EPS * _EPS:
            return 0
        return 1 if w * w + z * z < _EPS * _EPS else None

    def _gate(self, row: int, wires: tuple[int, ...]) -> None:
        values = {w: self._value(w) for w in wires}
        known = [v for v in values.values() if v is not None]
        left = tuple(w for w in wires if values[w] is None)
        vanishes = self.circuit.code[row] == Op.MCP and 0 in known
        if not known or not (vanishes or self.widest is None or len(left) <= self.widest):
            self._forget(left)
            return
        guard, angle = guard_of(self.circuit, row), angle_of(self.circuit, row)
        self.removed[row] = True
        rows: list[Any] = []
        if left and self.circuit.code[row] == Op.PARITY:
            rows = parity_rows(left, -angle if sum(known) % 2 else angle, guarded=bool(guard))
        elif left and not vanishes:
            rows = phase_rows(left, angle)
        for code, where, params in rows:
            self.new.append(NewRow(row, code, where, params, guard))
            if len(where) == 1:
                number = all(isinstance(p, (int, float)) for p in params)
                self._turn(where[0], code, (*params, 0.0, 0.0, 0.0)[:3] if number else None, bool(guard))
            else:
                self._forget(where)

    def _forget(self, wires: tuple[int, ...]) -> None:
        for wire in wires:
            self.state[wire] = None
