"""Products of rotations about Pauli strings in a normal form: proofs for blocks on any number of qubits.

A product of gates T is kept as T = C R_m ... R_1 with a Clifford operation C and rotations R_j = exp(-i t_j/2 P_j)
about Pauli strings by angles that are no multiples of pi/2. A gate exp(-i t/2 P) after T becomes a rotation about
C^dagger P C before C, or part of C where t is a multiple of pi/2. Two rotations about one string add up if those
between them commute with it; in layers of strings that commute with each other they are found by a look-up. If the
product is the identity up to one-qubit gates, this usually leaves nothing else; if not, something always remains, so
that what is accepted is right.

References:
    D. Litinski, A game of surface codes, Quantum 3, 128 (2019), doi:10.22331/q-2019-03-05-128 (gates as rotations).
    P. Cartier, D. Foata, Problemes combinatoires de commutation et rearrangements, Lect. Notes Math. 85 (1969), for
    the layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import combinations

from distq.verify.rotations import (
    FIXED,
    IDENTITY,
    X_AXIS,
    Y_AXIS,
    Z_AXIS,
    Quaternion,
    Vector,
    about,
    inverse,
    multiply,
    pull_back,
)

#: i^r X^x Z^z; bit w of x and z is wire w.
Pauli = tuple[int, int, int]
#: A leg of a string: wire, letter (1, 2, 3: X, Y, Z) and sign.
Leg = tuple[int, int, int]

#: Angles and axes this close [rad] to a multiple of pi/2 or to a Pauli axis are taken as such; all of it is added up.
_SNAP = 1e-10
#: What is left of a rotation and still counts as rounding [rad].
_REST = 1e-7
#: Legs of a multi-controlled phase: it becomes 2^legs - 1 rotations.
MAX_PHASE_LEGS = 10
_QUARTER = math.pi / 2
_AXES = (X_AXIS, Y_AXIS, Z_AXIS)


class NotLocalError(Exception):
    """The product is not shown to consist of one-qubit gates."""


class _Layer:
    """Rotations about strings that commute; on which wires some of them have an X, a Y or a Z."""

    __slots__ = ("angles", "with_x", "with_y", "with_z")

    def __init__(self) -> None:
        self.angles: dict[tuple[int, int], float] = {}
        self.with_x = self.with_y = self.with_z = 0

    def commutes(self, x: int, z: int) -> bool:
        y = x & z
        others = (x & ~z & (self.with_y | self.with_z)) | (y & (self.with_x | self.with_z))
        if not others | (z & ~x & (self.with_x | self.with_y)):
            return True
        return all(((x & q).bit_count() + (z & p).bit_count()) % 2 == 0 for p, q in self.angles)

    def add(self, x: int, z: int, angle: float) -> None:
        self.angles[x, z] = angle
        self.with_x |= x & ~z
        self.with_y |= x & z
        self.with_z |= z & ~x


class PauliProduct:
    """A product of gates on a few wires, the first gate first.

    Attributes:
        error: sum of all roundings of angles [rad].
    """

    def __init__(self, num_wires: int) -> None:
        #: C^dagger X_w C and C^dagger Z_w C.
        self.image_x: list[Pauli] = [(1 << w, 0, 0) for w in range(num_wires)]
        self.image_z: list[Pauli] = [(0, 1 << w, 0) for w in range(num_wires)]
        self.layers: list[_Layer] = []
        self.error = 0.0

    # Gates

    def turn(self, wire: int, gate: Quaternion) -> None:
        """A one-qubit gate."""
        for letter, angle in _euler(gate):
            self.rotate([(wire, letter, 1)], angle)

    def parity(self, wires: Sequence[int], axes: Sequence[Vector], angle: float) -> None:
        """Exp(-i angle/2 of the product of the axes)."""
        legs = self._legs(wires, axes)
        self.rotate(legs, angle)
        self._restore(wires, axes)

    def phase(self, wires: Sequence[int], axes: Sequence[Vector], angle: float) -> None:
        """E^{i angle} where every wire is in the -1 state of its axis.

        Raises:
            NotLocalError: on too many wires.
        """
        if len(wires) > MAX_PHASE_LEGS:
            raise NotLocalError
        legs = self._legs(wires, axes)
        share = angle / 2 ** (len(legs) - 1)
        for size in range(1, len(legs) + 1):
            for chosen in combinations(legs, size):
                self.rotate(chosen, share if size & 1 else -share)
        self._restore(wires, axes)

    def _legs(self, wires: Sequence[int], axes: Sequence[Vector]) -> list[Leg]:
        """Legs along Pauli axes; other axes are turned to Z first."""
        legs = []
        for wire, axis in zip(wires, axes):
            letter, sign, rest = _letter(axis)
            self.error += rest
            if letter == 0:
                self.turn(wire, inverse(_from_z(axis)))
                letter, sign = 3, 1
            legs.append((wire, letter, sign))
        return legs

    def _restore(self, wires: Sequence[int], axes: Sequence[Vector]) -> None:
        for wire, axis in zip(wires, axes):
            if _letter(axis)[0] == 0:
                self.turn(wire, _from_z(axis))

    def rotate(self, legs: Sequence[Leg], angle: float) -> None:
        """Exp(-i angle/2 P) for a string P."""
        image: Pauli = (0, 0, 0)
        for wire, letter, sign in legs:
            if letter != 3:
                image = _product(image, self.image_x[wire])
            if letter != 1:
                image = _product(image, self.image_z[wire])
            image = (image[0], image[1], image[2] + (letter == 2) + (1 - sign) & 3)
        turns = round(angle / _QUARTER)
        rest = abs(angle - turns * _QUARTER)
        if rest < _SNAP:
            self.error += rest
            if turns & 3:
                for wire, letter, _ in legs:
                    if letter != 1:
                        self.image_x[wire] = _turned(self.image_x[wire], image, turns)
                    if letter != 3:
                        self.image_z[wire] = _turned(self.image_z[wire], image, turns)
            return
        x, z, r = image
        self._insert(x, z, angle if (r - (x & z).bit_count()) & 3 == 0 else -angle)

    def _insert(self, x: int, z: int, angle: float) -> None:
        """A rotation after all others (and before C)."""
        layers = self.layers
        at = len(layers)
        while at > 0:
            layer = layers[at - 1]
            present = layer.angles.get((x, z))
            if present is not None:
                self._merge(layer, x, z, present + angle)
                return
            if not layer.commutes(x, z):
                break
            at -= 1
        if at == len(layers):
            layers.append(_Layer())
        layers[at].add(x, z, angle)

    def _merge(self, layer: _Layer, x: int, z: int, angle: float) -> None:
        turns = round(angle / _QUARTER)
        rest = abs(angle - turns * _QUARTER)
        if rest >= _SNAP:
            layer.angles[x, z] = angle
            return
        self.error += rest
        del layer.angles[x, z]
        while self.layers and not self.layers[-1].angles:
            self.layers.pop()
        if turns & 3:
            # It commutes with all later rotations, or it would not have been found, and goes into C.
            string = (x, z, (x & z).bit_count() & 3)
            for images in (self.image_x, self.image_z):
                for wire, image in enumerate(images):
                    if ((x & image[1]).bit_count() + (z & image[0]).bit_count()) & 1:
                        images[wire] = _turned(image, string, turns)

    # The result

    def local_factors(self, places: Sequence[int]) -> list[Quaternion]:
        """The one-qubit gates that the product consists of, before a renaming of wires.

        Args:
            places: the product is a permutation that brings wire w to places[w], after a one-qubit gate on every w.

        Raises:
            NotLocalError: it is not of this form, or this method cannot show it.
        """
        factors = [IDENTITY] * len(places)
        for layer in self.layers:
            for (x, z), angle in layer.angles.items():
                support = x | z
                if support.bit_count() == 1:
                    wire = support.bit_length() - 1
                    axis = Y_AXIS if x and z else X_AXIS if x else Z_AXIS
                    factors[wire] = multiply(about(axis, angle), factors[wire])
                elif abs(rest := math.remainder(angle, math.tau)) < _REST:
                    self.error += abs(rest)
                else:
                    raise NotLocalError
        for wire, place in enumerate(places):
            images = []
            for x, z, r in (self.image_x[place], self.image_z[place]):
                if (x | z) != 1 << wire:
                    raise NotLocalError
                letter = 2 if x and z else 1 if x else 3
                images.append((letter, 1 if (r - (letter == 2)) & 3 == 0 else -1))
            factors[wire] = multiply(_cliffords()[images[0], images[1]], factors[wire])
        return factors


def _product(p: Pauli, q: Pauli) -> Pauli:
    return p[0] ^ q[0], p[1] ^ q[1], (p[2] + q[2] + 2 * (p[1] & q[0]).bit_count()) & 3


def _turned(image: Pauli, string: Pauli, turns: int) -> Pauli:
    """G^dagger image g for g = exp(-i turns pi/4 string), where image and string anticommute."""
    turns &= 3
    if turns == 2:
        return image[0], image[1], image[2] + 2 & 3
    x, z, r = _product(string, image)
    return x, z, r + turns & 3


@lru_cache(maxsize=4096)
def _euler(gate: Quaternion) -> tuple[tuple[int, float], ...]:
    """A gate as rotations about Z, Y and Z, the first one first."""
    w, x, y, z = gate
    plus = math.atan2(z, w) if math.hypot(w, z) > _SNAP / 100 else 0.0
    minus = math.atan2(-x, y) if math.hypot(x, y) > _SNAP / 100 else 0.0
    middle = 2 * math.atan2(math.hypot(x, y), math.hypot(w, z))
    return tuple((k, a) for k, a in ((3, plus - minus), (2, middle), (3, plus + minus)) if a != 0.0)


@lru_cache(maxsize=4096)
def _letter(axis: Vector) -> tuple[int, int, float]:
    """Letter, sign and distance of the nearest Pauli axis; letter 0 if there is none near."""
    for letter, value in enumerate(axis, 1):
        rest = sum(abs(v) for k, v in enumerate(axis, 1) if k != letter)
        if rest < _SNAP:
            return letter, 1 if value > 0 else -1, rest
    return 0, 1, 0.0


@lru_cache(maxsize=4096)
def _from_z(axis: Vector) -> Quaternion:
    """A rotation that takes Z to the axis (which is not -Z)."""
    x, y, z = axis
    w = math.sqrt((1 + z) / 2)
    return w, -y / (2 * w), x / (2 * w), 0.0


@cache
def _cliffords() -> dict[tuple[tuple[int, int], tuple[int, int]], Quaternion]:
    """The one-qubit Clifford gates C by C^dagger X C and C^dagger Z C, each as (letter, sign)."""
    found: dict[tuple[tuple[int, int], tuple[int, int]], Quaternion] = {}
    waiting = [IDENTITY]
    while waiting:
        gate = waiting.pop()
        x, z = (_letter(pull_back(gate, axis))[:2] for axis in (X_AXIS, Z_AXIS))
        if (x, z) not in found:
            found[x, z] = gate
            waiting += [multiply(FIXED["h"], gate), multiply(FIXED["s"], gate)]
    return found
