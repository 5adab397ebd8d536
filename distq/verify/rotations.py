"""One-qubit unitaries up to phase as unit quaternions, in plain tuples.

The quaternion (w, x, y, z) stands for w - i (x X + y Y + z Z); `multiply(g, f)` is f first, then g.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]
Complex = NDArray[np.complex128]

IDENTITY: Quaternion = (1.0, 0.0, 0.0, 0.0)
X_AXIS: Vector = (1.0, 0.0, 0.0)
Y_AXIS: Vector = (0.0, 1.0, 0.0)
Z_AXIS: Vector = (0.0, 0.0, 1.0)
_R = math.sqrt(0.5)
_C8, _S8 = math.cos(math.pi / 8), math.sin(math.pi / 8)

#: Gates without parameters.
FIXED: dict[str, Quaternion] = {
    "x": (0.0, 1.0, 0.0, 0.0),
    "y": (0.0, 0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 0.0, 1.0),
    "h": (0.0, _R, 0.0, _R),
    "s": (_R, 0.0, 0.0, _R),
    "sdg": (_R, 0.0, 0.0, -_R),
    "t": (_C8, 0.0, 0.0, _S8),
    "tdg": (_C8, 0.0, 0.0, -_S8),
    "sx": (_R, _R, 0.0, 0.0),
    "sxdg": (_R, -_R, 0.0, 0.0),
}


def gate(name: str, params: Sequence[float]) -> Quaternion:
    """The quaternion of a gate of the program format."""
    fixed = FIXED.get(name)
    if fixed is not None:
        return fixed
    half = params[0] / 2
    c, s = math.cos(half), math.sin(half)
    if name in ("rz", "p"):
        return (c, 0.0, 0.0, s)
    if name == "rx":
        return (c, s, 0.0, 0.0)
    if name == "ry":
        return (c, 0.0, s, 0.0)
    if name == "U":  # rz(phi) ry(theta) rz(lambda)
        plus, minus = (params[1] + params[2]) / 2, (params[1] - params[2]) / 2
        return (c * math.cos(plus), -s * math.sin(minus), s * math.cos(minus), c * math.sin(plus))
    raise ValueError(f"{name!r} is not a one-qubit gate")


def multiply(g: Quaternion, f: Quaternion) -> Quaternion:
    """First f, then g; kept at unit length."""
    a, b, c, d = g
    e, i, j, k = f
    w = a * e - b * i - c * j - d * k
    x = a * i + b * e + c * k - d * j
    y = a * j - b * k + c * e + d * i
    z = a * k + b * j - c * i + d * e
    scale = 1.5 - 0.5 * (w * w + x * x + y * y + z * z)
    return (w * scale, x * scale, y * scale, z * scale)


def inverse(f: Quaternion) -> Quaternion:
    """The inverse."""
    return (f[0], -f[1], -f[2], -f[3])


def principal(angle: float) -> float:
    """The angle [rad] modulo 2 pi, if it is large: pi itself is rounded, so that multiples of it must stay few."""
    return angle if -64.0 < angle < 64.0 else math.atan2(math.sin(angle), math.cos(angle))


def about(axis: Vector, angle: float) -> Quaternion:
    """Exp(-i angle/2 axis.sigma)."""
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return (c, s * axis[0], s * axis[1], s * axis[2])


def pull_back(frame: Quaternion, axis: Vector) -> Vector:
    """The axis seen before the frame: U^dagger (axis.sigma) U."""
    w, x, y, z = frame
    a, b, c = axis
    # Rotation by the inverse quaternion: v + 2 w (v x q) + 2 q x (q x v), with q = (x, y, z).
    p, q, r = y * c - z * b, z * a - x * c, x * b - y * a
    return (
        a - 2 * (w * p - (y * r - z * q)),
        b - 2 * (w * q - (z * p - x * r)),
        c - 2 * (w * r - (x * q - y * p)),
    )


def z_row(frame: Quaternion) -> Vector:
    """`pull_back(frame, Z_AXIS)`."""
    w, x, y, z = frame
    return (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y))


def axis_angle(f: Quaternion) -> tuple[Vector, float]:
    """Axis and angle in [0, 2 pi] of a rotation; the quaternion -1 is a turn by 2 pi."""
    length = math.sqrt(f[1] * f[1] + f[2] * f[2] + f[3] * f[3])
    if length < 1e-14:
        return Z_AXIS, 0.0 if f[0] > 0 else math.tau
    return (f[1] / length, f[2] / length, f[3] / length), 2 * math.atan2(length, f[0])


def distance(f: Quaternion, g: Quaternion) -> float:
    """Distance of two rotations, whatever their signs; about half the angle between them when small."""
    plus = sum((a - b) ** 2 for a, b in zip(f, g))
    minus = sum((a + b) ** 2 for a, b in zip(f, g))
    return math.sqrt(min(plus, minus))


def from_matrix(matrix: Any) -> tuple[Quaternion, float]:
    """The quaternion of a 2 x 2 unitary and the phase that it leaves out: matrix = e^{i phase} * quaternion."""
    a, b, c, d = complex(matrix[0][0]), complex(matrix[0][1]), complex(matrix[1][0]), complex(matrix[1][1])
    phase = cmath.phase(a * d - b * c) / 2
    back = cmath.exp(-1j * phase)
    a, b, c, d = a * back, b * back, c * back, d * back
    w, z = (a + d) / 2, (a - d) * 0.5j
    x, y = (b + c) * 0.5j, (c - b) / 2
    norm = math.sqrt(w.real**2 + x.real**2 + y.real**2 + z.real**2)
    return (w.real / norm, x.real / norm, y.real / norm, z.real / norm), phase


def matrix_of(f: Quaternion) -> Complex:
    """The 2 x 2 matrix of a quaternion."""
    w, x, y, z = f
    return np.array([[w - 1j * z, -y - 1j * x], [y - 1j * x, w + 1j * z]])


def pauli(axis: Vector) -> Complex:
    """axis.sigma."""
    x, y, z = axis
    return np.array([[z, x - 1j * y], [x + 1j * y, -z]])
