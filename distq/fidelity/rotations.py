"""What one-qubit gates do to Paulis, for all rows of a program at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import UsageError
from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.types import DistributedProgram

Float64 = NDArray[np.float64]
_PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
#: No special part of a turn.
_GENERIC = 0.7320508
#: Fixed gates as (theta, phi, lambda) of U, up to a phase.
_FIXED = {
    Op.H: (np.pi / 2, 0, np.pi),
    Op.X: (np.pi, 0, np.pi),
    Op.Y: (np.pi, np.pi / 2, np.pi / 2),
    Op.Z: (0, 0, np.pi),
    Op.S: (0, 0, np.pi / 2),
    Op.SDG: (0, 0, -np.pi / 2),
    Op.T: (0, 0, np.pi / 4),
    Op.TDG: (0, 0, -np.pi / 4),
    Op.SX: (np.pi / 2, -np.pi / 2, np.pi / 2),
    Op.SXDG: (-np.pi / 2, -np.pi / 2, np.pi / 2),
}


def rotations(program: DistributedProgram, params: Float64) -> Float64:
    """(N, 3, 3) amplitude of Pauli j (X, Y, Z) in U^ P_i U for rows that are one-qubit gates, else 0."""
    code = program.code
    result = np.zeros((len(program), 3, 3))
    rows = np.flatnonzero(code < NUM_ONE_QUBIT)
    if not len(rows):
        return result
    angles = np.zeros((len(rows), 3))
    for op, fixed in _FIXED.items():
        angles[code[rows] == op] = fixed
    at = program.param_offsets[rows]
    for op in (Op.P, Op.RX, Op.RY, Op.RZ):
        here = code[rows] == op
        t = params[at[here]]
        columns = {Op.RX: (t, -np.pi / 2, np.pi / 2), Op.RY: (t, 0, 0)}.get(op, (0, 0, t))
        angles[here] = np.stack([np.broadcast_to(c, t.shape) for c in columns], axis=1)
    general = code[rows] == Op.U
    for j in range(3):
        angles[general, j] = params[at[general] + j]
    u = _matrices(angles)
    turned = np.einsum("nba,ibc,ncd->niad", u.conj(), _PAULIS, u)
    result[rows] = np.einsum("niab,jba->nij", turned, _PAULIS).real / 2
    return result


def _matrices(angles: Float64) -> NDArray[np.complex128]:
    theta, phi, lam = angles.T
    c, s = np.cos(theta / 2), np.sin(theta / 2)
    rows = [[c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]]
    return np.moveaxis(np.array(rows, np.complex128), 2, 0)


def phases(program: DistributedProgram, params: Float64) -> Float64:
    """(N,) angle of phases and parity gates, else 0."""
    result = np.zeros(len(program))
    rows = np.flatnonzero(np.isin(program.code, (Op.MCP, Op.PARITY)))
    result[rows] = params[program.param_offsets[rows]]
    return result


def values(program: DistributedProgram, parameters: dict[str, float] | None) -> Float64:
    """Parameters as numbers; where one has no value, numbers that stand for angles that are not special."""
    params = program.params.copy()
    rows = np.flatnonzero(program.param_expr >= 0)
    numbers = [_number(expression, parameters or {}) for expression in program.expressions]
    params[rows] = np.array(numbers, np.float64)[program.param_expr[rows]] if len(rows) else 0.0
    return params


def _number(expression: Any, given: dict[str, float]) -> float:
    names = sorted(p.name for p in expression.parameters)
    values = {p: given.get(p.name, _GENERIC + 0.618034 * names.index(p.name)) for p in expression.parameters}
    try:
        return float(expression.bind(values))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        if all(name in given for name in names):
            raise UsageError(f"the angle {expression} has no number for these values: {error}") from None
        return _GENERIC


__all__ = ["phases", "rotations", "values"]
