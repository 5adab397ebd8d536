"""One-qubit unitaries as unit quaternions, and the shortest rows for one.

A quaternion (w, x, y, z) is the unitary w - i (x X + y Y + z Z), with determinant one. The functions on numbers are
compiled because the merging pass calls them for every gate.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from distq.ops import NUM_PARAMS, Op

_H, _X, _Y, _Z, _S, _SDG, _T, _TDG = (int(o) for o in (Op.H, Op.X, Op.Y, Op.Z, Op.S, Op.SDG, Op.T, Op.TDG))
_SX, _SXDG, _P, _RX, _RY, _RZ, _U = (int(o) for o in (Op.SX, Op.SXDG, Op.P, Op.RX, Op.RY, Op.RZ, Op.U))
_PI = math.pi
_R = math.sqrt(0.5)
_C8, _S8 = math.cos(math.pi / 8), math.sin(math.pi / 8)
#: Components smaller than this are zero.
_EPS = 1e-12
#: Angles nearer than this to a multiple of pi/4 become that multiple [rad].
_SNAP = 1e-13


@numba.njit(cache=True)
def of_gate(code: int, a: float, b: float, c: float) -> tuple[float, float, float, float]:
    """Quaternion of a one-qubit gate with the parameters a, b, c [rad] (unused ones are ignored)."""
    if code == _H:
        return 0.0, _R, 0.0, _R
    if code == _X:
        return 0.0, 1.0, 0.0, 0.0
    if code == _Y:
        return 0.0, 0.0, 1.0, 0.0
    if code == _Z:
        return 0.0, 0.0, 0.0, 1.0
    if code == _S:
        return _R, 0.0, 0.0, _R
    if code == _SDG:
        return _R, 0.0, 0.0, -_R
    if code == _T:
        return _C8, 0.0, 0.0, _S8
    if code == _TDG:
        return _C8, 0.0, 0.0, -_S8
    if code == _SX:
        return _R, _R, 0.0, 0.0
    if code == _SXDG:
        return _R, -_R, 0.0, 0.0
    if code == _U:
        cos, sin = math.cos(a / 2), math.sin(a / 2)
        plus, minus = (b + c) / 2, (b - c) / 2
        return cos * math.cos(plus), -sin * math.sin(minus), sin * math.cos(minus), cos * math.sin(plus)
    cos, sin = math.cos(a / 2), math.sin(a / 2)
    if code == _RX:
        return cos, sin, 0.0, 0.0
    if code == _RY:
        return cos, 0.0, sin, 0.0
    return cos, 0.0, 0.0, sin


@numba.njit(cache=True)
def snap(angle: float) -> float:
    """`angle` [rad] in (-pi, pi], exactly a multiple of pi/4 where it is nearly one."""
    angle = angle - 2 * _PI * round(angle / (2 * _PI))
    quarter = round(angle / (_PI / 4))
    if abs(angle - quarter * (_PI / 4)) < _SNAP:
        angle = quarter * (_PI / 4)
    if angle <= -_PI:
        angle += 2 * _PI
    return angle


@numba.njit(cache=True)
def diagonal_code(angle: float) -> int:
    """The code of diag(1, exp(i angle)) for a snapped angle: -1 if it is the identity, else P if it has no name."""
    if angle == 0.0:
        return -1
    if angle == _PI:
        return _Z
    if angle == _PI / 2:
        return _S
    if angle == -_PI / 2:
        return _SDG
    if angle == _PI / 4:
        return _T
    if angle == -_PI / 4:
        return _TDG
    return _P


@numba.njit(cache=True)
def synthesise(w: float, x: float, y: float, z: float, code: Any, params: Any) -> int:
    """Write at most two rows for a quaternion, up to a global phase, and return how many.

    Diagonal unitaries become diagonal gates, antidiagonal ones X, Y, or X and a diagonal gate, rotations about X or Y
    RX or RY, Cliffords that have a name that gate, all else U.

    Args:
        w: of the quaternion, which need not be normalised exactly.
        x: of the quaternion.
        y: of the quaternion.
        z: of the quaternion.
        code: (2,) output, codes.
        params: (2, 3) output, parameters [rad].
    """
    if abs(x) < _EPS and abs(y) < _EPS:
        angle = snap(2 * math.atan2(z, w))
        code[0] = diagonal_code(angle)
        params[0, 0] = angle
        return 0 if angle == 0.0 else 1
    if abs(w) < _EPS and abs(z) < _EPS:
        angle = snap(2 * math.atan2(y, x))
        code[0] = _X
        if angle == 0.0:
            return 1
        if angle == _PI:
            code[0] = _Y
            return 1
        code[1] = diagonal_code(angle)
        params[1, 0] = angle
        return 2
    if abs(y) < _EPS and abs(z) < _EPS:
        angle = snap(2 * math.atan2(x, w))
        code[0] = _SX if angle == _PI / 2 else (_SXDG if angle == -_PI / 2 else _RX)
        params[0, 0] = angle
        return 1
    if abs(x) < _EPS and abs(z) < _EPS:
        code[0] = _RY
        params[0, 0] = snap(2 * math.atan2(y, w))
        return 1
    if abs(w) < _EPS and abs(y) < _EPS and abs(x - z) < _EPS:
        code[0] = _H
        return 1
    code[0] = _U
    common = math.atan2(-z, w)
    params[0, 0] = snap(2 * math.atan2(math.hypot(x, y), math.hypot(w, z)))
    params[0, 1] = snap(math.atan2(-x, y) - common)
    params[0, 2] = snap(math.atan2(x, y) - common)
    return 1


def quaternion(matrix: NDArray[np.complex128]) -> tuple[float, float, float, float, float]:
    """(phase, w, x, y, z) with `matrix` = exp(i phase) (w - i (x X + y Y + z Z)), normalised."""
    (a, b), (c, d) = matrix.tolist()
    phase = cmath.phase(a * d - b * c) / 2
    turn = cmath.exp(-1j * phase)
    w, z = ((a + d) * turn).real / 2, ((d - a) * turn).imag / 2
    x, y = -((b + c) * turn).imag / 2, ((c - b) * turn).real / 2
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    return phase, w / norm, x / norm, y / norm, z / norm


def gates_of(matrix: NDArray[np.complex128]) -> tuple[float, list[tuple[int, tuple[float, ...]]]]:
    """(phase, [(code, parameters), ...]) in time order, whose product times exp(i phase) is `matrix`."""
    phase, w, x, y, z = quaternion(matrix)
    code = np.zeros(2, np.int64)
    params = np.zeros((2, 3))
    count = synthesise(w, x, y, z, code, params)
    gates = []
    product = (1.0, 0.0, 0.0, 0.0)
    for k in range(count):
        name, (a, b, c) = int(code[k]), params[k].tolist()
        gates.append((name, (a, b, c)[: NUM_PARAMS[name]]))
        product = _multiply(of_gate(name, a, b, c), product)
        phase -= gate_phase(name, a, b, c)
    if sum(p * q for p, q in zip(product, (w, x, y, z))) < 0:
        phase += _PI
    return phase, gates


def _multiply(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float, float, float]:
    """The quaternion of a after b."""
    w, x, y, z = a
    p, q, r, s = b
    return (
        w * p - x * q - y * r - z * s,
        w * q + x * p + y * s - z * r,
        w * r - x * s + y * p + z * q,
        w * s + x * r - y * q + z * p,
    )


def gate_matrix(code: int, params: tuple[float, ...]) -> NDArray[np.complex128]:
    """The exact matrix of a one-qubit gate, with the phase of Qiskit's gate of that name."""
    a, b, c = (*params, 0.0, 0.0, 0.0)[:3]
    w, x, y, z = of_gate(code, a, b, c)
    m = np.array([[w - 1j * z, -y - 1j * x], [y - 1j * x, w + 1j * z]])
    return m * np.exp(1j * gate_phase(code, a, b, c))


def gate_phase(code: int, a: float, b: float, c: float) -> float:
    """Phase [rad] by which Qiskit's gate differs from its quaternion."""
    if code in (_H, _X, _Y, _Z):
        return _PI / 2
    if code == _P:
        return a / 2
    if code == _U:
        return (b + c) / 2
    return {_S: _PI / 4, _SDG: -_PI / 4, _T: _PI / 8, _TDG: -_PI / 8, _SX: _PI / 4, _SXDG: -_PI / 4}.get(code, 0.0)
