"""The 24 one-qubit Cliffords as frames: where they send the axes, and the shortest gates for one.

A frame says how the coordinates of a wire lie towards fixed ones: a Clifford F with state = F * (fixed state). It is
known by the images F^dagger X F and F^dagger Z F, signed letters: +-1 for X, +-2 for Y, +-3 for Z. Arrays only, so that
compiled loops can use them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.ops import Op

Int8 = NDArray[np.int8]

X, Y, Z = 1, 2, 3
#: Codes of the gates that `STEP` knows, all below this.
NUM_NAMED = int(Op.SXDG) + 1
#: C^dagger X C and C^dagger Z C for each named Clifford gate C.
_IMAGES = {
    Op.H: (Z, X),
    Op.X: (X, -Z),
    Op.Y: (-X, -Z),
    Op.Z: (-X, Z),
    Op.S: (-Y, Z),
    Op.SDG: (Y, Z),
    Op.SX: (X, Y),
    Op.SXDG: (X, -Y),
}


def _product(a: int, b: int) -> tuple[int, int]:
    """(e, c) with a b = i^e c for two different letters without signs."""
    c = 6 - a - b
    return (1 if (b - a) % 3 == 1 else -1), c


def _third(x: int, z: int) -> int:
    """The image of Y = i X Z from those of X and Z."""
    power, letter = _product(abs(x), abs(z))
    sign = (1 if x > 0 else -1) * (1 if z > 0 else -1) * -power
    return sign * letter


def _through(frame: tuple[int, int], letter: int) -> int:
    """F^dagger L F for a signed letter L."""
    x, z = frame
    image = (0, x, _third(x, z), z)[abs(letter)]
    return image if letter > 0 else -image


def _explore() -> tuple[list[tuple[int, int]], dict[tuple[int, int], tuple[int, ...]]]:
    """All frames from the identity on, and the shortest gates that lead to each."""
    start = (X, Z)
    gates: dict[tuple[int, int], tuple[int, ...]] = {start: ()}
    queue = [start]
    for frame in queue:
        for code, (x, z) in _IMAGES.items():
            following = (_through(frame, x), _through(frame, z))
            if following not in gates:
                gates[following] = (*gates[frame], int(code))
                queue.append(following)
    return queue, gates


_FRAMES, _GATES = _explore()
_NUMBER = {frame: k for k, frame in enumerate(_FRAMES)}
NUM_FRAMES = len(_FRAMES)
IDENTITY = 0

#: (24, 4) image of each letter (entry 0 is unused).
IMAGE: Int8 = np.array([[0, x, _third(x, z), z] for x, z in _FRAMES], np.int8)
#: (24, codes) the frame after a named gate; -1 for T and TDG.
STEP: Int8 = np.full((NUM_FRAMES, NUM_NAMED), -1, np.int8)
for _code, (_x, _z) in _IMAGES.items():
    for _k, _frame in enumerate(_FRAMES):
        STEP[_k, _code] = _NUMBER[(_through(_frame, _x), _through(_frame, _z))]
#: (24, 3) the gates that lead from the identity to each frame, -1 where there are fewer.
GATES: Int8 = np.full((NUM_FRAMES, 3), -1, np.int8)
for _frame, _path in _GATES.items():
    GATES[_NUMBER[_frame], : len(_path)] = _path
#: (24,) their number.
LENGTH: Int8 = (GATES >= 0).sum(axis=1).astype(np.int8)


def _after(frame: int, clifford: int) -> int:
    for code in GATES[clifford]:
        if code >= 0:
            frame = int(STEP[frame, code])
    return frame


#: (24, 24) the frame after the gates of another.
COMPOSE: Int8 = np.array([[_after(f, c) for c in range(NUM_FRAMES)] for f in range(NUM_FRAMES)], np.int8)
#: (24, 24) which Clifford leads from one frame to another.
BETWEEN: Int8 = np.argsort(COMPOSE, axis=1).astype(np.int8)
#: (24, 7) the shortest Clifford after which the signed letter (index: letter + 3) is Z.
TO_Z: Int8 = np.zeros((NUM_FRAMES, 7), np.int8)
for _f in range(NUM_FRAMES):
    for _letter in (-3, -2, -1, 1, 2, 3):
        _fit = [c for c in range(NUM_FRAMES) if IMAGE[COMPOSE[_f, c], Z] == _letter]
        TO_Z[_f, _letter + 3] = min(_fit, key=lambda c: (LENGTH[c], c))
#: (24, 4) the frame after a Pauli in the fixed coordinates.
PAULI: Int8 = np.zeros((NUM_FRAMES, 4), np.int8)
for _k, (_x, _z) in enumerate(_FRAMES):
    PAULI[_k, 0] = _k
    for _letter in (X, Y, Z):
        PAULI[_k, _letter] = _NUMBER[(_x if abs(_x) == _letter else -_x, _z if abs(_z) == _letter else -_z)]


def quaternions() -> NDArray[np.float64]:
    """(24, 4) unit quaternions (w, x, y, z) of the Cliffords, in the order of the frames."""
    from distq.circuit.one_qubit import _multiply, of_gate

    result = np.zeros((NUM_FRAMES, 4))
    for k in range(NUM_FRAMES):
        product = (1.0, 0.0, 0.0, 0.0)
        for code in GATES[k]:
            if code >= 0:
                product = _multiply(of_gate(int(code), 0.0, 0.0, 0.0), product)
        result[k] = product
    return result
