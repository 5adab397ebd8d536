"""Compiled loop that follows random Paulis backwards through a program. Import late: it brings in Numba.

The process fidelity of a noisy program with the ideal one is the average over all Paulis of the overlap of what both
make of them in the Heisenberg picture. Noise multiplies a Pauli by a number, so one sample is a path: at a gate that
turns a Pauli into a sum of several, one of them is taken with its squared amplitude, and at each place of noise the
path's weight is multiplied. For Clifford gates and Pauli noise that is exact; else what is left out is the interference
of different paths that end in the same Pauli. (Sums over Pauli paths: Aharonov et al., STOC 2023, arXiv:2211.03999;
here they are sampled.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.ops import NUM_ONE_QUBIT, Op

Array = NDArray[Any]

_X, _Y, _Z = int(Op.X), int(Op.Y), int(Op.Z)
_MCP, _PARITY, _CX, _SWAP = int(Op.MCP), int(Op.PARITY), int(Op.CX), int(Op.SWAP)
_MEASURE, _RESET, _EPR, _SEND = int(Op.MEASURE), int(Op.RESET), int(Op.EPR), int(Op.SEND)
TWO, ONE, PAIRS, AGEING, IDLING, MEASURING = 0, 1, 2, 3, 4, 5


@njit(cache=True)
def _phases(rng: Any, x: Array, z: Array, legs: Array, theta: float) -> None:
    """A phase theta on all legs at 1: P becomes P times a sum of products of Z; one is taken."""
    k = len(legs)
    touched = 0
    for q in legs:
        touched += x[q]
    if touched == 0:
        return
    size = 2.0**k
    c = 2 * np.cos(theta) - 2
    stay = (1 + c / size) ** 2
    even = (size / 2 - 1) * c * c / (size * size)
    u = rng.random()
    if u < stay:
        return
    want = 0 if u < stay + even else 1
    while True:
        # A random set of legs, not empty, that meets those with an X part evenly or oddly; 2 marks its members.
        parity = 0
        some = False
        for q in legs:
            if rng.random() < 0.5:
                some = True
                parity ^= x[q]
                z[q] ^= 2
        chosen = some and parity == want
        for q in legs:
            if z[q] & 2:
                z[q] = (z[q] & 1) ^ (1 if chosen else 0)
        if chosen:
            return


@njit(cache=True)
def _turn(rng: Any, x: Array, z: Array, q: int, rotation: Array) -> None:
    """A one-qubit gate: rotation[i, j] is the amplitude of Pauli j (X, Y, Z) in U^ P_i U."""
    if not (x[q] or z[q]):
        return
    i = (1 if z[q] else 0) if x[q] else 2
    u = rng.random()
    j = 0
    while j < 2:
        u -= rotation[i, j] * rotation[i, j]
        if u < 0:
            break
        j += 1
    x[q] = 1 if j < 2 else 0
    z[q] = 1 if j > 0 else 0


@njit(cache=True)
def _unitary(rng: Any, x: Array, z: Array, c: int, legs: Array, theta: float, rotation: Array) -> None:
    if c < NUM_ONE_QUBIT:
        _turn(rng, x, z, legs[0], rotation)
    elif c == _CX:
        a, b = legs[0], legs[1]
        x[b] ^= x[a]
        z[a] ^= z[b]
    elif c == _SWAP:
        a, b = legs[0], legs[1]
        x[a], x[b] = x[b], x[a]
        z[a], z[b] = z[b], z[a]
    elif c == _MCP:
        _phases(rng, x, z, legs, theta)
    else:
        odd = 0
        for q in legs:
            odd ^= x[q]
        if odd and rng.random() < np.sin(theta) ** 2:
            for q in legs:
                z[q] ^= 1


@njit(cache=True)
def _correction(rng: Any, bits: Array, conjunction: Array) -> None:
    """A guarded Pauli met one that anticommutes: 1 - 2 [all bits as wanted] as a sum over products of bits."""
    many = len(conjunction)
    if many == 1:
        bits[conjunction[0]] ^= 1
    elif rng.random() >= (1 - 2.0 / 2**many) ** 2:
        some = False
        while not some:
            for b in conjunction:
                if rng.random() < 0.5:
                    bits[b] ^= 1
                    some = True


@njit(cache=True)
def _guarded_gate(
    rng: Any, x: Array, z: Array, bits: Array, c: int, legs: Array, theta: float, rotation: Array, conjunction: Array
) -> None:
    """Another gate under a condition: carried out or not, with equal weight."""
    old_x, old_z = x[legs], z[legs]
    _unitary(rng, x, z, c, legs, theta, rotation)
    changed = False
    for j in range(len(legs)):
        changed = changed or old_x[j] != x[legs[j]] or old_z[j] != z[legs[j]]
    if not changed:
        return
    if rng.random() < 0.5:
        for j in range(len(legs)):
            x[legs[j]] = old_x[j]
            z[legs[j]] = old_z[j]
    for b in conjunction:
        if rng.random() < 0.5:
            bits[b] ^= 1


@njit(cache=True)
def _end(w: Array, x: Array, z: Array, bits: Array, c: int, q: int, b: int, readout: float, reset: float) -> None:
    """A measurement or a reset."""
    if x[q]:
        w[6] = 0.0
        x[q] = 0
    if c == _MEASURE:
        if bits[b]:
            w[MEASURING] *= 1 - 2 * readout
        z[q] ^= bits[b]
        bits[b] = 0
    else:
        if z[q]:
            w[MEASURING] *= 1 - 2 * reset
        z[q] = 0


@njit(cache=True)
def _guarded_end(
    rng: Any, w: Array, x: Array, z: Array, bits: Array, c: int, q: int, b: int, readout: float, reset: float
) -> None:
    """A measurement or a reset under a condition: carried out or not, with equal weight."""
    if rng.random() < 0.5:
        _end(w, x, z, bits, c, q, b, readout, reset)
    elif c == _MEASURE:
        bits[b] = 0


@njit(cache=True)
def paths(
    code: Array,
    qubit_offsets: Array,
    qubits: Array,
    guard: Array,
    guard_offsets: Array,
    guard_bits: Array,
    bit: Array,
    bit2: Array,
    angle: Array,
    rotation: Array,
    one_qubit: Array,
    one_on: Array,
    spread: Array,
    readout: Array,
    reset: Array,
    link: Array,
    bell: Array,
    keep_z: Array,
    keep_x: Array,
    ageing: Array,
    applied_offsets: Array,
    applied_qubit: Array,
    applied_loss: Array,
    outputs: Array,
    end_z: Array,
    end_x: Array,
    end_ageing: Array,
    out_bits: Array,
    inputs: Array,
    zero: bool,
    num_bits: int,
    num_qubits: int,
    samples: int,
    rng: Any,
) -> Array:
    """Weights of random paths.

    `spread` holds for each leg what is left of a Pauli on it and the next leg of its row by two-qubit noise (1: no such
    noise); `one_on` whether a row's one-qubit noise is there; `bell` for each link what is left of XX, YY and ZZ;
    `keep_z`, `keep_x` for each leg what is left of Z, and of X and Y, after the wait before it; `zero`: inputs are |0>.

    Returns:
        (samples, 7): the weight by class of noise, and whether the path counts: 0 where it meets something that is
        random even without noise.
    """
    n = len(code)
    result = np.ones((samples, 7))
    x, z = np.zeros(num_qubits, np.int64), np.zeros(num_qubits, np.int64)
    bits = np.zeros(num_bits, np.int64)
    is_input = np.zeros(num_qubits, np.bool_)
    is_input[inputs] = True
    for s in range(samples):
        w = result[s]
        x[:] = 0
        z[:] = 0
        bits[:] = 0
        for q in outputs:
            x[q] = rng.random() < 0.5
            z[q] = rng.random() < 0.5
        for b in out_bits:
            bits[b] = rng.random() < 0.5
        for j in range(len(outputs)):
            q = outputs[j]
            at = AGEING if end_ageing[j] else IDLING
            if x[q]:
                w[at] *= end_x[j]
            elif z[q]:
                w[at] *= end_z[j]
        for j in range(applied_offsets[n], applied_offsets[n + 1]):
            if x[applied_qubit[j]] or z[applied_qubit[j]]:
                w[ONE] *= applied_loss[j]
        for i in range(n - 1, -1, -1):
            first, last = qubit_offsets[i], qubit_offsets[i + 1]
            c = code[i]
            if c == _SEND:
                bits[bit[i]] ^= bits[bit2[i]]
                bits[bit2[i]] = 0
                continue
            k = last - first
            legs = qubits[first:last]
            # Noise behind the row.
            for j in range(k):
                if spread[first + j] < 1.0:
                    q, r = legs[j], legs[(j + 1) % k]
                    if x[q] or z[q] or x[r] or z[r]:
                        w[TWO] *= spread[first + j]
            if one_on[i] and (x[legs[k - 1]] or z[legs[k - 1]]):
                w[ONE] *= one_qubit[i]
            # The row.
            if guard[i] >= 0:
                conjunction = guard_bits[guard_offsets[guard[i]] : guard_offsets[guard[i] + 1]]
                if c in (_X, _Y, _Z):
                    q = legs[0]
                    if (c != _Z and z[q]) != (c != _X and x[q]):
                        _correction(rng, bits, conjunction)
                elif c in (_MEASURE, _RESET):
                    _guarded_end(rng, w, x, z, bits, c, legs[0], bit[i], readout[i], reset[i])
                else:
                    _guarded_gate(rng, x, z, bits, c, legs, angle[i], rotation[i], conjunction)
            elif c == _EPR:
                a, b = legs[0], legs[1]
                if x[a] != x[b] or z[a] != z[b]:
                    w[6] = 0.0
                elif x[a]:
                    w[PAIRS] *= bell[link[i], 1 if z[a] else 0]
                elif z[a]:
                    w[PAIRS] *= bell[link[i], 2]
                x[a] = z[a] = x[b] = z[b] = 0
            elif c in (_MEASURE, _RESET):
                _end(w, x, z, bits, c, legs[0], bit[i], readout[i], reset[i])
            else:
                _unitary(rng, x, z, c, legs, angle[i], rotation[i])
            if w[6] == 0.0:
                break
            # Waiting and corrections before it.
            for j in range(first, last):
                q = qubits[j]
                at = AGEING if ageing[j] else IDLING
                if x[q]:
                    w[at] *= keep_x[j]
                elif z[q]:
                    w[at] *= keep_z[j]
            for j in range(applied_offsets[i], applied_offsets[i + 1]):
                if x[applied_qubit[j]] or z[applied_qubit[j]]:
                    w[ONE] *= applied_loss[j]
        for q in range(num_qubits):
            if x[q] and (zero or not is_input[q]):
                w[6] = 0.0
    return result


__all__ = ["paths"]
