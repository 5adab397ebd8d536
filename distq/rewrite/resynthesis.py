"""Runs of gates on two qubits become as few diagonal factors as their unitary has, or a SWAP and fewer.

A unitary on two qubits is one-qubit gates around exp(-i (a XX + b YY + c ZZ)), and the factors of that commute: three
diagonal gates at most, fewer where a, b or c vanish (its Weyl coordinates). Times SWAP it has others: three CX in turn
are a SWAP and nothing else, two (DCX, iSWAP) a SWAP and one CX. The SWAP is a relabelling of wires.

How many factors there are is read from the spectrum of the unitary in the magic basis, for all runs at once; a run is
replaced only if there are fewer than it has gates, and none of them is so small that its axes would be lost.

References:
    Makhlin, Quantum Inf. Process. 1, 243 (2002), arXiv:quant-ph/0002045; Zhang, Vala, Sastry, Whaley, Phys. Rev. A 67,
    042313 (2003), arXiv:quant-ph/0209120; mirrored gates: Cross et al., Phys. Rev. A 100, 032328 (2019),
    arXiv:1811.12926.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit
from distq.ops import Op

Complex = NDArray[np.complex128]
Int64 = NDArray[np.int64]

#: Gates that are nearer to the identity than this stay as they are, and no factor so small is made [rad].
TINY = 1e-6
#: Coordinates within this of 0 are 0 [rad]; new gates equal the old ones to this.
_EPS = 1e-12
#: Angles this near to a multiple of pi/4 become it [rad].
_SNAP = 1e-13

#: Columns: the magic basis (index = 2 * second bit + first bit).
_MAGIC = np.array([[1, 0, 0, 1j], [0, 1j, 1, 0], [0, 1j, -1, 0], [1, 0, 0, -1j]]) / math.sqrt(2)
_SWAP = np.eye(4)[[0, 2, 1, 3]]


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that may be replaced.

    Attributes:
        rows: of the circuit.
        wires: the lower one first.
        at: the first row on both wires.
        gates: number of rows on both wires.
        matrix: (4, 4), up to a phase.
        name: the matrix to the last digits that count.
        mirrored: whether it is to become a SWAP after other gates.
    """

    rows: list[int]
    wires: tuple[int, int]
    at: int
    gates: int
    matrix: Complex
    name: bytes
    mirrored: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """Rows that equal a run, up to a SWAP if it is mirrored: code, wires (1, 2 or both: 3) and parameters."""

    rows: tuple[tuple[int, int, tuple[float, ...]], ...]
    gates: int


def resynthesise(circuit: LogicalCircuit, *, swaps: bool = False, mirror: bool = True) -> LogicalCircuit:
    """Replace runs of gates on one pair of wires by fewer diagonal gates.

    Args:
        circuit: in normal form, one-qubit gates not merged.
        swaps: only runs that save two factors or more as a SWAP: three CX in turn, and the like.
        mirror: whether runs may become a SWAP and other gates.

    Returns:
        An equal circuit, up to a global phase, with a witness for each replacement if origins are tracked; the same
        object if there is nothing to replace.
    """
    from distq.rewrite.blocks import Rewriting

    tracked = len(circuit.origin) == len(circuit)
    work = circuit if tracked else replace(circuit, origin=np.arange(len(circuit), dtype=np.int32), rewrites=())
    forms: dict[bytes, _Form | None] = {}
    rewriting = Rewriting(work)
    for run in _candidates(work, swaps, mirror):
        if run.name not in forms:
            forms[run.name] = _synthesised(run.matrix, run.mirrored)
        form = forms[run.name]
        if form is None or form.gates >= run.gates:
            continue
        legs = ((), run.wires[:1], run.wires[1:], run.wires)
        new = [(code, legs[which], params) for code, which, params in form.rows]
        rewriting.replace(run.rows, new, run.at, (run.wires,) if run.mirrored else ())
    result = rewriting.build()
    if tracked or result is work:
        return result if tracked else circuit
    return replace(result, origin=circuit.origin, rewrites=circuit.rewrites)


# Runs


def _candidates(circuit: LogicalCircuit, swaps: bool, mirror: bool) -> Iterator[_Run]:
    """Runs that have fewer factors than gates, in order."""
    from distq.rewrite._pairs_kernel import find_runs, run_matrices

    size = len(circuit)
    run_of, wires, gates = np.empty(size, np.int64), np.empty((size, 2), np.int64), np.empty(size, np.int64)
    source = (circuit.code, circuit.qubit_offsets, circuit.qubits)
    count = find_runs(circuit.num_qubits, (*source, circuit.origin), _barriers(circuit), run_of, wires, gates)
    gates = gates[:count]
    gates[_torn(circuit, run_of, count)] = 0
    wanted = np.flatnonzero(gates >= (3 if swaps else 2))
    if not len(wanted):
        return
    number = np.full(count + 1, -1, np.int64)
    number[wanted] = np.arange(len(wanted))
    rows = np.flatnonzero(number[run_of] >= 0)
    label = number[run_of[rows]]
    wires, gates = wires[wanted], gates[wanted]
    matrices = np.empty((len(wanted), 4, 4), np.complex128)
    turned = np.empty(len(wanted), np.int64)
    columns = (*source, circuit.param_offsets, circuit.params)
    run_matrices(rows, label, wires[:, 0].copy(), columns, matrices, turned)
    # Gates along the same axes share their packets already.
    some = np.flatnonzero(turned > 0)
    plain, mirrored = count_factors(matrices[some])
    if not mirror:
        mirrored[:] = 3
    fits = np.minimum(plain, mirrored) < gates[some]
    if swaps:
        fits &= mirrored <= plain - 2
    chosen = some[fits]
    is_mirrored = (mirrored < plain)[fits].tolist()
    names = _rounded(matrices[chosen])
    order = np.argsort(label, kind="stable")
    cuts = np.searchsorted(label[order], np.arange(len(wanted) + 1))
    rows = rows[order]
    two = np.flatnonzero(circuit.arity[rows] > 1)
    at = rows[two[np.searchsorted(two, cuts[chosen])]].tolist()
    lows, highs = cuts[chosen].tolist(), cuts[chosen + 1].tolist()
    pairs, sizes = wires[chosen].tolist(), gates[chosen].tolist()
    for k, (low, high, (a, b)) in enumerate(zip(lows, highs, pairs)):
        name = names[k].tobytes()
        yield _Run(rows[low:high].tolist(), (a, b), at[k], sizes[k], matrices[chosen[k]], name, is_mirrored[k])


def _torn(circuit: LogicalCircuit, run_of: Int64, count: int) -> Int64:
    """Runs that lack rows of an instruction whose gates they hold, or hold some of another."""
    inside = (run_of >= 0) & (circuit.arity > 1)
    origin, inverse = np.unique(circuit.origin, return_inverse=True)
    owner = np.full(len(origin), -1, np.int64)
    owner[inverse[inside]] = run_of[inside]
    owner[origin == NO_ORIGIN] = -1
    expected = owner[inverse]
    apart = (expected >= 0) & (run_of != expected)
    found = np.unique(np.concatenate([expected[apart], run_of[apart]]))
    return found[found >= 0]


def _barriers(circuit: LogicalCircuit) -> NDArray[np.bool_]:
    """(N,) rows that are in no run: no numerical unitary on one or two wires, tiny, or of a larger instruction."""
    from distq.rewrite.budget import rotation_errors

    unitary = (circuit.code < Op.MEASURE) & (circuit.arity <= 2) & (circuit.guard < 0)
    symbolic = np.concatenate([[0], np.cumsum(circuit.param_expr >= 0)])
    unitary &= symbolic[circuit.param_offsets[1:]] == symbolic[circuit.param_offsets[:-1]]
    two = np.flatnonzero(unitary & (circuit.arity == 2))
    unitary[two[rotation_errors(circuit, two) < TINY]] = False
    # Instructions with gates on several wires: all or nothing, and on one pair of wires only.
    wide = circuit.arity > 1
    unitary &= ~wide | (circuit.origin != NO_ORIGIN)
    origin, inverse = np.unique(circuit.origin, return_inverse=True)
    pins = np.repeat(np.arange(len(circuit)), circuit.arity)
    low, high = np.full(len(origin), circuit.num_qubits), np.full(len(origin), -1)
    np.minimum.at(low, inverse[pins], circuit.qubits)
    np.maximum.at(high, inverse[pins], circuit.qubits)
    has_wide, torn = np.zeros(len(origin), np.bool_), np.zeros(len(origin), np.bool_)
    has_wide[inverse[wide]] = True
    torn[inverse[~unitary]] = True
    outside = (circuit.qubits != low[inverse[pins]]) & (circuit.qubits != high[inverse[pins]])
    torn[inverse[pins[outside]]] = True
    torn &= has_wide & (origin != NO_ORIGIN)
    return np.asarray(~unitary | torn[inverse])


# Factors


def count_factors(matrices: Complex) -> tuple[Int64, Int64]:
    """How many diagonal factors unitaries on two qubits have.

    Args:
        matrices: (runs, 4, 4) unitary, up to a phase.

    Returns:
        (runs,) the number of nonzero Weyl coordinates of each, and of SWAP times each.
    """
    root = np.linalg.det(matrices) ** 0.25
    magic = _MAGIC.conj().T @ (matrices / root[:, None, None]) @ _MAGIC
    values = np.linalg.eigvals(magic.transpose(0, 2, 1) @ magic)
    # SWAP multiplies the spectrum by i; that of a unitary is known up to its sign.
    return _nonzero(values), _nonzero(1j * values)


def _nonzero(values: Complex) -> Int64:
    """From (runs, 4) numbers on the unit circle whose product is 1: e^{2i (+-a +-b +-c)}, with an even number of -."""
    result = np.full(len(values), 3)
    pairs = ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2))
    tolerance = 8 * _EPS
    for i, j, k, m in pairs:
        opposite = (np.abs(values[:, i] * values[:, j] - 1) < tolerance) & (
            np.abs(values[:, k] * values[:, m] - 1) < tolerance
        )
        result[opposite & (result > 2)] = 2
        twice = (np.abs(values[:, i] - values[:, j]) < tolerance) & (np.abs(values[:, k] - values[:, m]) < tolerance)
        result[twice & (np.abs(values[:, i] * values[:, k] - 1) < tolerance) & (result > 1)] = 1
    result[np.abs(values - np.where(values[:, :1].real > 0, 1, -1)).max(axis=1) < tolerance] = 0
    return result


# Forms


def _rounded(matrices: Complex) -> Complex:
    """Matrices to the digits that count, up to their phases."""
    flat = matrices.reshape(len(matrices), 16)
    first = flat[np.arange(len(flat)), np.argmax(np.abs(flat) > 0.3, axis=1)]
    return np.asarray((flat * (np.abs(first) / first)[:, None]).round(13) + 0.0)


def _synthesised(matrix: Complex, mirrored: bool) -> _Form | None:
    """Rows for the matrix, or for SWAP times it; None if they would lose precision."""
    from distq.circuit.rows import Rows
    from distq.circuit.unitaries import add_two_qubit

    if mirrored:
        matrix = _SWAP @ matrix
    clifford = _clifford_rows(matrix)
    if clifford is not None:
        return _Form(clifford, sum(legs == 3 for _, legs, _ in clifford))
    scratch = Rows()
    add_two_qubit(scratch, (0, 1), matrix)
    rows: list[tuple[int, int, tuple[float, ...]]] = []
    for code, legs, params in scratch.tail(0, 0, 0):
        values = tuple(_snapped(float(p)) for p in params)
        if len(legs) == 1:
            rows.append((code, 1 + legs[0], values))
            continue
        period = math.pi if code == Op.PARITY else math.tau
        if abs(math.remainder(values[0], period)) < TINY:
            return None
        if code == Op.PARITY and abs(values[0]) == math.pi / 2:
            # A CZ: gates that are made of several are found through it.
            turn = int(Op.S if values[0] > 0 else Op.SDG)
            rows += [(turn, 1, ()), (turn, 2, ()), (int(Op.MCP), 3, (math.pi,))]
        else:
            rows.append((code, 3, values))
    if _distance(rows, matrix) > _EPS:
        return None
    return _Form(tuple(rows), sum(legs == 3 for _, legs, _ in rows))


def _clifford_rows(matrix: Complex) -> tuple[tuple[int, int, tuple[float, ...]], ...] | None:
    """Rows for a Clifford matrix that are Cliffords themselves; None for others.

    Where a Weyl coordinate vanishes the one-qubit gates around the factors are not unique, and most choices would hide
    from the stabilizer method that the circuit is one of Cliffords.
    """
    from qiskit.exceptions import QiskitError
    from qiskit.quantum_info import Clifford
    from qiskit.synthesis import synth_clifford_bm

    try:
        circuit = synth_clifford_bm(Clifford.from_matrix(matrix))
    except QiskitError:
        return None
    rows: list[tuple[int, int, tuple[float, ...]]] = []
    for instruction in circuit.data:
        name = instruction.operation.name
        legs = [1 + circuit.find_bit(q).index for q in instruction.qubits]
        if name in _CLIFFORDS:
            rows.append((_CLIFFORDS[name], legs[0], ()))
        elif name == "cx":
            turn = (int(Op.H), legs[1], ())
            rows += [turn, (int(Op.MCP), 3, (math.pi,)), turn]
        else:
            return None
    return tuple(rows) if _distance(rows, matrix) <= _EPS else None


_CLIFFORDS = {name.lower(): int(Op[name]) for name in ("H", "X", "Y", "Z", "S", "SDG", "SX", "SXDG")}


def _snapped(angle: float) -> float:
    quarter = round(angle / (math.pi / 4)) * (math.pi / 4)
    return quarter if abs(angle - quarter) < _SNAP else angle


def _distance(rows: list[tuple[int, int, tuple[float, ...]]], matrix: Complex) -> float:
    """The largest entry of the difference between rows and a matrix, up to a global phase."""
    from distq.circuit.one_qubit import gate_matrix

    product = np.eye(4, dtype=complex)
    for code, legs, params in rows:
        if legs < 3:
            one = gate_matrix(code, params)
            gate = np.kron(np.eye(2), one) if legs == 1 else np.kron(one, np.eye(2))
        elif code == Op.MCP:
            gate = np.diag([1, 1, 1, np.exp(1j * params[0])])
        else:
            gate = np.diag(np.exp(-0.5j * params[0] * np.array([1, -1, -1, 1])))
        product = gate @ product
    overlap = np.vdot(product, matrix)
    return float(np.abs(product * (overlap / abs(overlap)) - matrix).max()) if abs(overlap) > 1 else math.inf
