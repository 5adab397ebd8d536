"""Rows for a phase or a parity rotation on the legs that are left of a gate."""

from __future__ import annotations

import math
from typing import Any

from distq.circuit.logical import WitnessRow
from distq.ops import Op

#: Angles nearer than this to a multiple of pi are that multiple [rad].
_EPS = 1e-13


def phase_rows(wires: tuple[int, ...], angle: Any) -> list[WitnessRow]:
    """diag(1, ..., 1, e^{i angle}) on one or more wires; nothing if it is the identity."""
    if isinstance(angle, (int, float)) and abs(math.remainder(angle, math.tau)) < _EPS:
        return []
    return [_diagonal(wires[0], angle)] if len(wires) == 1 else [(Op.MCP, wires, (angle,))]


def parity_rows(wires: tuple[int, ...], angle: Any, *, guarded: bool = False) -> list[WitnessRow]:
    """exp(-i angle/2 Z...Z) on one or more wires, up to a global phase; nothing if it is one.

    Where it will be `guarded`, a product of Z becomes gates on one qubit each.
    """
    if isinstance(angle, (int, float)):
        rest = math.remainder(angle, math.tau)
        if abs(rest) < _EPS:
            return []
        if guarded and abs(abs(rest) - math.pi) < _EPS:
            return [(Op.Z, (w,), ()) for w in wires]
    return [_diagonal(wires[0], angle)] if len(wires) == 1 else [(Op.PARITY, wires, (angle,))]


def _diagonal(wire: int, angle: Any) -> WitnessRow:
    """The gate diag(1, e^{i angle}), by its name if it has one."""
    if isinstance(angle, (int, float)):
        from distq.circuit.one_qubit import diagonal_code, snap

        turn = snap(float(angle))
        code = int(diagonal_code(turn))
        if code >= 0 and code != Op.P:
            return code, (wire,), ()
        return Op.P, (wire,), (turn,)
    return Op.P, (wire,), (angle,)
