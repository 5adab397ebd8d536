"""Products of diagonal gates as matrices: whether they are one-qubit gates, exactly up to eight qubits.

Small blocks are multiplied many at a time, larger ones gate by gate. Beyond eight qubits states take the place of the
matrix: what the product makes of product states says which one-qubit gates it must be, and that it is these is seen
on random states. A unitary that differs from the identity leaves no random state as it is, except with probability 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.verify.rotations import IDENTITY, Complex, Quaternion, Vector, from_matrix, matrix_of, pauli
from distq.verify.tape import Row

#: Largest entry of the difference that still counts as equal.
TOLERANCE = 1e-7
#: Steps whose matrices are held at a time.
_CHUNK = 1 << 14
#: Blocks on up to this many wires are multiplied many at a time.
_MANY = 3
#: The largest block whose matrix is computed, and the largest one that is tried on states.
_MATRIX_WIRES, _STATE_WIRES = 8, 14
#: Largest difference of amplitudes in units of the typical one.
_STATE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Step:
    """A gate: kind of row, places among the wires of the block, and axes with an angle, or a matrix (`BLOCK`)."""

    kind: int
    places: tuple[int, ...]
    axes: tuple[Vector, ...]
    angle: float
    matrix: Any = None


@dataclass(frozen=True)
class Product:
    """A product of steps on `num_wires` wires, the first one first; then what is on wire w goes to places[w]."""

    num_wires: int
    steps: Sequence[Step]
    places: Sequence[int]


@dataclass(frozen=True)
class Local:
    """A product is equal to these one-qubit gates, wire by wire, and then its renaming; error: largest difference."""

    turns: list[Quaternion]
    error: float


def factorise(products: Sequence[Product]) -> list[Local | None]:
    """For each product the one-qubit gates that it is equal to, up to a phase; None if it is not."""
    found: list[Local | None] = [None] * len(products)
    for size in range(1, _MANY + 1):
        chosen = [i for i, p in enumerate(products) if p.num_wires == size]
        chosen.sort(key=lambda i: -len(products[i].steps))
        start = 0
        while start < len(chosen):
            stop = start + max(1, _CHUNK // max(1, len(products[chosen[start]].steps)))
            part = chosen[start:stop]
            for i, local in zip(part, _many([products[i] for i in part], size)):
                found[i] = local
            start = stop
    for i, product in enumerate(products):
        if _MANY < product.num_wires <= _MATRIX_WIRES:
            found[i] = _by_matrix(product)
        elif _MATRIX_WIRES < product.num_wires <= _STATE_WIRES:
            found[i] = _by_states(product)
    return found


# Many small products


def _many(products: Sequence[Product], size: int) -> Iterator[Local | None]:
    """Products on `size` wires, longest first."""
    gates = _step_matrices([step for p in products for step in p.steps], size)
    lengths = np.array([len(p.steps) for p in products])
    offsets = np.cumsum(lengths) - lengths
    result = np.tile(np.eye(1 << size, dtype=complex), (len(products), 1, 1))
    for t in range(int(lengths[0])):
        count = int(np.searchsorted(-lengths, -t))  # products with more than t steps
        result[:count] = gates[offsets[:count] + t] @ result[:count]
    for i, product in enumerate(products):
        if any(w != p for w, p in enumerate(product.places)):
            result[i] = result[i][_permuted(product.places)]
    return _local(result, size)


def _step_matrices(steps: Sequence[Step], size: int) -> Complex:
    """(len(steps), 2^size, 2^size): first wire = lowest bit."""
    axes = np.zeros((len(steps), size, 3))
    used = np.zeros((len(steps), size), bool)
    for i, step in enumerate(steps):
        if step.matrix is None:
            for place, axis in zip(step.places, step.axes):
                axes[i, place] = axis
                used[i, place] = True
    angle = np.array([s.angle for s in steps])[:, None, None]
    is_parity = np.array([s.kind == Row.PARITY for s in steps])
    identity = np.eye(2, dtype=complex)
    string = np.ones((len(steps), 1, 1), complex)
    for place in range(size):
        x, y, z = axes[:, place].T
        one = np.stack([np.stack([z, x - 1j * y], -1), np.stack([x + 1j * y, -z], -1)], -2)
        one = np.where(is_parity[:, None, None], one, (identity - one) / 2)
        one[~used[:, place]] = identity
        string = (one[:, :, None, :, None] * string[:, None, :, None, :]).reshape(len(steps), 2 << place, 2 << place)
    # cos - i sin P, or 1 + (e^{i angle} - 1) P.
    wide = is_parity[:, None, None]
    result = np.where(wide, np.cos(angle / 2), 1.0) * np.eye(1 << size)
    result = result + np.where(wide, -1j * np.sin(angle / 2), np.exp(1j * angle) - 1) * string
    for i, step in enumerate(steps):
        if step.matrix is not None:
            columns = np.eye(1 << size, dtype=complex)
            result[i] = _apply(step, columns, size)
    return result


def _local(matrices: Complex, size: int) -> Iterator[Local | None]:
    """Each (2^size, 2^size) matrix as a tensor product of one-qubit unitaries, if it is one."""
    count, dim = len(matrices), 1 << size
    number = np.arange(count)
    row, column = np.divmod(np.abs(matrices).reshape(count, -1).argmax(axis=1), dim)
    product = np.ones((count, 1, 1), complex)
    factors = []
    fits = np.ones(count, bool)
    for bit in range(size):
        low = np.array([0, 1 << bit])
        rows = (row & ~(1 << bit))[:, None] | low
        columns = (column & ~(1 << bit))[:, None] | low
        part = matrices[number[:, None, None], rows[:, :, None], columns[:, None, :]]
        scale = np.abs(part[:, 0, 0] * part[:, 1, 1] - part[:, 0, 1] * part[:, 1, 0])
        fits &= scale > 1e-12
        factor = part / np.sqrt(np.where(fits, scale, 1.0))[:, None, None]
        factors.append(factor)
        product = (factor[:, :, None, :, None] * product[:, None, :, None, :]).reshape(count, 2 << bit, 2 << bit)
    peak = product[number, row, column]
    phase = matrices[number, row, column] / np.where(np.abs(peak) > 1e-12, peak, 1.0)
    error = np.abs(matrices - phase[:, None, None] * product).max(axis=(1, 2))
    fits &= error < TOLERANCE
    for i, (fit, gap) in enumerate(zip(fits.tolist(), error.tolist())):
        yield Local([from_matrix(f[i].tolist())[0] for f in factors], gap) if fit else None


def _permuted(places: Sequence[int]) -> NDArray[np.int64]:
    """Where the amplitude of every basis state goes when wire w goes to places[w]."""
    index = np.arange(1 << len(places))
    result = np.zeros_like(index)
    for wire, place in enumerate(places):
        result |= (index >> wire & 1) << place
    return result


# Larger products, gate by gate


def _apply(step: Step, columns: Complex, size: int) -> Complex:
    """The gate times `columns`, (2^size, any number)."""
    tensor = columns.reshape((2,) * size + (-1,))
    if step.matrix is not None:
        k = len(step.places)
        legs = [size - 1 - place for place in reversed(step.places)]
        gate = np.asarray(step.matrix).reshape((2,) * (2 * k))
        moved = np.tensordot(gate, tensor, axes=(range(k, 2 * k), legs))
        return np.moveaxis(moved, range(k), legs).reshape(columns.shape)
    product = tensor
    for place, axis in zip(step.places, step.axes):
        one = pauli(axis) if step.kind == Row.PARITY else (np.eye(2) - pauli(axis)) / 2
        leg = size - 1 - place
        view = product.reshape(1 << leg, 2, -1)
        product = (one @ view).reshape(tensor.shape)
    if step.kind == Row.PARITY:
        tensor = math.cos(step.angle / 2) * tensor - 1j * math.sin(step.angle / 2) * product
    else:
        tensor = tensor + (np.exp(1j * step.angle) - 1) * product
    return tensor.reshape(columns.shape)


def _applied(product: Product, columns: Complex) -> Complex:
    for step in product.steps:
        columns = _apply(step, columns, product.num_wires)
    return columns[_permuted(product.places)]


def _by_matrix(product: Product) -> Local | None:
    size = product.num_wires
    return next(_local(_applied(product, np.eye(1 << size, dtype=complex))[None], size))


def _by_states(product: Product) -> Local | None:
    size = product.num_wires
    probes = []
    for one in ([1, 0], [math.sqrt(0.5), math.sqrt(0.5)], [math.sqrt(0.5), 1j * math.sqrt(0.5)]):
        state = np.ones(1, complex)
        for _ in range(size):
            state = np.kron(np.array(one), state)
        probes.append(state)
    images = _applied(product, np.stack(probes, axis=1))
    turns = []
    for wire in range(size):
        view = images.reshape(1 << (size - 1 - wire), 2, 1 << wire, 3)
        density = np.einsum("aibs,ajbs->sij", view, view.conj())
        # What Z, X and Y become: the columns of a rotation matrix.
        z, x, y = ([2 * d[1, 0].real, 2 * d[1, 0].imag, (d[0, 0] - d[1, 1]).real] for d in density)
        turns.append(_turn_of(np.array([x, y, z]).T))
    rng = np.random.default_rng(size)
    states = rng.normal(size=(1 << size, 2)) + 1j * rng.normal(size=(1 << size, 2))
    wanted = states
    for wire, turn in enumerate(turns):
        wanted = _apply(Step(Row.BLOCK, (wire,), (), 0.0, matrix_of(turn)), wanted, size)
    got = _applied(product, states)
    phase = np.vdot(wanted[:, 0], got[:, 0])
    error = float(np.abs(got - phase / abs(phase) * wanted).max())
    return Local(turns, error) if error < _STATE_TOLERANCE else None


def _turn_of(rotation: NDArray[np.float64]) -> Quaternion:
    """The quaternion nearest to a 3 x 3 matrix."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    # The quaternion is the top eigenvector of this matrix (Bar-Itzhack, J. Guid. Control Dyn. 23, 1085 (2000)).
    table = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    w, x, y, z = np.linalg.eigh(table)[1][:, -1].tolist()
    return (w, x, y, z) if table.any() else IDENTITY
