"""Matrices as rows: one-qubit, diagonal in some frame, controlled, and general two-qubit unitaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.circuit.control import diagonalise_matrix, frame_of_axis
from distq.circuit.one_qubit import gate_matrix, gates_of, quaternion
from distq.circuit.rows import PI, Rows, X, is_multiple

Complex = NDArray[np.complex128]
Float = NDArray[np.float64]

#: Matrix elements smaller than this are zero.
_EPS = 1e-12
_SWAP = np.eye(4)[[0, 2, 1, 3]]


def add_one_qubit(rows: Rows, qubit: int, matrix: Complex) -> None:
    """Append a 2x2 unitary."""
    phase, gates = gates_of(matrix)
    for code, params in gates:
        rows.one(code, qubit, params)
    rows.phase = rows.phase + phase


def add_diagonal(rows: Rows, qubits: Sequence[int], angles: Float) -> None:
    """Append diag(exp(i angles)), bit k of the index being qubits[k], in MCP or in PARITY rows, whichever are fewer.

    Args:
        rows: where to append.
        qubits: k wires.
        angles: (2**k,) phases [rad].
    """
    angles = np.angle(np.exp(1j * angles))
    k = len(qubits)
    best, flips = _parity_terms(angles), 0
    # An X on some qubits before and after (an open control) may save terms.
    for shift in range(1 << k) if k <= 5 else (0,):
        found = _mcp_terms(angles[np.arange(1 << k) ^ shift])
        if found.cost < best.cost or (found.cost == best.cost and best.parity):
            best, flips = found, shift
    flipped = [q for i, q in enumerate(qubits) if flips >> i & 1]
    for qubit in flipped:
        rows.gate(X, qubit)
    for subset in np.flatnonzero(best.values).tolist():
        chosen = [q for i, q in enumerate(qubits) if subset >> i & 1]
        if best.parity:
            rows.parity(chosen, float(best.values[subset]))
        else:
            rows.mcp(chosen, float(best.values[subset]))
    for qubit in flipped:
        rows.gate(X, qubit)


@dataclass(frozen=True)
class _Terms:
    """A diagonal gate as a product of MCP or of PARITY gates: the angle of each subset of the qubits [rad]."""

    values: Float
    parity: bool
    cost: tuple[int, int]


def _terms(values: Float, parity: bool, period: float) -> _Terms:
    values = values - 2 * PI * np.round(values / (2 * PI)) if not parity else values
    values = np.where(np.abs(values) <= _EPS, 0.0, values)
    weight = np.array([s.bit_count() for s in range(len(values))])
    left = np.abs(values - period * np.round(values / period)) > _EPS
    many = (weight >= 2) & left
    return _Terms(values, parity, (int(many.sum()), int(weight[many].sum())))


def _mcp_terms(angles: Float) -> _Terms:
    return _terms(_mobius(angles), False, 2 * PI)


def _parity_terms(angles: Float) -> _Terms:
    # A parity rotation by pi is a product of Z.
    return _terms(-2 * _walsh(angles), True, PI)


def _mobius(values: Float) -> Float:
    """Solve for f: values[x] = sum of f over the subsets of x."""
    result = values.copy()
    step = 1
    while step < len(result):
        view = result.reshape(-1, 2, step)
        view[:, 1] -= view[:, 0]
        step *= 2
    return result


def _walsh(values: Float) -> Float:
    """Solve for f: values[x] = sum over s of f[s] (-1)^(x.s)."""
    result = values.copy()
    step = 1
    while step < len(result):
        view = result.reshape(-1, 2, step)
        view[:] = np.stack((view[:, 0] + view[:, 1], view[:, 0] - view[:, 1]), axis=1) / 2
        step *= 2
    return result


def add_framed_diagonal(rows: Rows, qubits: Sequence[int], matrix: Complex) -> bool:
    """Append `matrix` if it is diagonal after a change of axis on at most one qubit (as controlled gates are).

    Returns:
        Whether it is; if not, nothing is appended.
    """
    if np.abs(matrix - np.diag(np.diag(matrix))).max() < _EPS:
        add_diagonal(rows, qubits, np.angle(np.diag(matrix)))
        return True
    for k in range(len(qubits)):
        blocks = _blocks(matrix, k)
        if blocks is None:
            continue
        axis = _common_axis(blocks)
        if axis is None:
            continue
        before, after = frame_of_axis(*axis)
        v = np.eye(2, dtype=complex)
        for code, params in after:
            v = gate_matrix(code, params) @ v
        diagonal = v.conj().T @ blocks @ v
        angles = np.angle(diagonal[:, [0, 1], [0, 1]])
        for code, params in before:
            rows.one(code, qubits[k], params)
        order = [q for i, q in enumerate(qubits) if i != k]
        add_diagonal(rows, [qubits[k], *order], angles.reshape(-1))
        for code, params in after:
            rows.one(code, qubits[k], params)
        return True
    return False


def _blocks(matrix: Complex, k: int) -> Complex | None:
    """(2**(n-1), 2, 2) blocks acting on qubit k if the matrix is diagonal on all others."""
    size = len(matrix)
    n = size.bit_length() - 1
    tensor = matrix.reshape((2,) * (2 * n))
    row, col = n - 1 - k, 2 * n - 1 - k
    rest_rows = [a for a in range(n) if a != row]
    rest_cols = [a for a in range(n, 2 * n) if a != col]
    square = tensor.transpose(*rest_rows, *rest_cols, row, col).reshape(size // 2, size // 2, 2, 2)
    index = np.arange(size // 2)
    blocks: Complex = square[index, index]
    if (np.abs(square).sum() - np.abs(blocks).sum()) > _EPS * size:
        return None
    return blocks


def _common_axis(blocks: Complex) -> tuple[float, float, float] | None:
    """The axis about which every block is a rotation, if there is one."""
    axis: tuple[float, float, float] | None = None
    quaternions = [quaternion(b)[2:] for b in blocks]
    best = max(quaternions, key=lambda v: v[0] ** 2 + v[1] ** 2 + v[2] ** 2)
    length = math.sqrt(sum(c * c for c in best))
    if length < 1e-6:
        return None
    x, y, z = (c / length for c in best)
    lead = z if abs(z) > _EPS else (x if abs(x) > _EPS else y)
    if lead < 0:
        x, y, z = -x, -y, -z
    axis = (x, y, z)
    for a, b, c in quaternions:
        cross = (b * z - c * y, c * x - a * z, a * y - b * x)
        if max(abs(v) for v in cross) > _EPS:
            return None
    return axis


def add_two_qubit(rows: Rows, qubits: Sequence[int], matrix: Complex) -> None:
    """Append a 4x4 unitary (index = 2 * bit of qubits[1] + bit of qubits[0]) with as few diagonal factors as it takes.

    In order: a diagonal gate in some frame, a controlled gate up to one-qubit gates, a tensor product, and at most
    three parity rotations by the Weyl (KAK) decomposition, of the gate or of the gate times a free SWAP.

    References:
        Kraus, Cirac, Phys. Rev. A 63, 062309 (2001), arXiv:quant-ph/0011050.
    """
    matrix = np.asarray(matrix, complex)
    if _add_product(rows, qubits, matrix) or add_framed_diagonal(rows, qubits, matrix):
        return
    if _add_controlled(rows, qubits, matrix):
        return
    if rows.mirrored:
        plain, mirrored = _weyl(matrix), _weyl(_SWAP @ matrix)
        if _factors(mirrored) < _factors(plain):
            _add_weyl(rows, qubits, _SWAP @ matrix, mirrored)
            rows.swap(qubits[0], qubits[1])
            return
        _add_weyl(rows, qubits, matrix, plain)
    else:
        _add_weyl(rows, qubits, matrix, _weyl(matrix))


def _add_product(rows: Rows, qubits: Sequence[int], matrix: Complex) -> bool:
    """Append the matrix if it is a tensor product of two one-qubit unitaries."""
    tensor = matrix.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3)  # (row, col) of qubits[1], (row, col) of qubits[0]
    pairs = tensor.reshape(4, 4)
    low = pairs[int(np.abs(pairs).max(axis=1).argmax())]
    low = low * (math.sqrt(2) / np.linalg.norm(low))
    high = pairs @ low.conj() / 2
    if np.abs(np.outer(high, low) - pairs).max() > _EPS:
        return False
    low, high = low.reshape(2, 2), high.reshape(2, 2)
    add_one_qubit(rows, qubits[0], low)
    add_one_qubit(rows, qubits[1], high)
    return True


def _add_controlled(rows: Rows, qubits: Sequence[int], matrix: Complex) -> bool:
    """Append |0><0| x A + |1><1| x B or its product with X on the control."""
    for k in range(2):
        other = 1 - k
        view = matrix.reshape(2, 2, 2, 2)
        # axes: row of control, col of control, row of target, col of target
        view = view.transpose(0, 2, 1, 3) if k == 1 else view.transpose(1, 3, 0, 2)
        straight = max(np.abs(view[0, 1]).max(), np.abs(view[1, 0]).max()) < _EPS
        flipped = max(np.abs(view[0, 0]).max(), np.abs(view[1, 1]).max()) < _EPS
        if not straight and not flipped:
            continue
        first, second = (view[0, 0], view[1, 1]) if straight else (view[1, 0], view[0, 1])
        add_one_qubit(rows, qubits[other], first)
        diagonalise_matrix(second @ first.conj().T).emit(rows, (qubits[k],), qubits[other])
        if flipped:
            rows.gate(X, qubits[k])
        return True
    return False


class _Weyl:
    """Angles of RXX, RYY, RZZ and the local gates around them."""

    def __init__(self, matrix: Complex) -> None:
        from qiskit.synthesis import TwoQubitWeylDecomposition

        # No fidelity: the decomposition must not round to a nearby special gate.
        found = TwoQubitWeylDecomposition(matrix, fidelity=None)
        self.angles = [-2 * float(v) for v in (found.a, found.b, found.c)]
        self.before = (np.asarray(found.K2r), np.asarray(found.K2l))
        self.after = (np.asarray(found.K1r), np.asarray(found.K1l))
        self.phase = float(found.global_phase)


def _weyl(matrix: Complex) -> _Weyl:
    return _Weyl(matrix)


def _factors(weyl: _Weyl) -> int:
    return sum(not is_multiple(v, PI) for v in weyl.angles)


def _add_weyl(rows: Rows, qubits: Sequence[int], matrix: Complex, weyl: _Weyl) -> None:
    rows.phase = rows.phase + weyl.phase
    for qubit, gate in zip(qubits, weyl.before):
        add_one_qubit(rows, qubit, gate)
    for label, angle in zip("XYZ", weyl.angles):
        if not is_multiple(angle, 2 * PI):
            angle = math.copysign(PI, angle) if is_multiple(angle, 2 * PI, PI) else angle
            add_pauli_rotation(rows, label * 2, qubits, angle)
    for qubit, gate in zip(qubits, weyl.after):
        add_one_qubit(rows, qubit, gate)


#: (V^-1, V) for each Pauli V Z V^-1.
PAULI_FRAMES = {"Z": ((), ()), "X": frame_of_axis(1.0, 0.0, 0.0), "Y": frame_of_axis(0.0, 1.0, 0.0)}


def add_pauli_rotation(rows: Rows, label: str, qubits: Sequence[int], angle: object) -> None:
    """Append exp(-i angle/2 P), P the product of label[k] (I, X, Y or Z) on qubits[k]."""
    active = [(p, q) for p, q in zip(label, qubits) if p != "I"]
    for p, q in active:
        for code, params in PAULI_FRAMES[p][0]:
            rows.one(code, q, params)
    rows.parity([q for _, q in active], angle)
    for p, q in active:
        for code, params in PAULI_FRAMES[p][1]:
            rows.one(code, q, params)
