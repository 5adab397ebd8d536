"""Noise as channels: Kraus operators for states, Pauli probabilities for stabilizers."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]

_PAULI = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], complex),
    "Y": np.array([[0, -1j], [1j, 0]], complex),
    "Z": np.diag([1, -1]).astype(complex),
}
#: Bell states as Paulis on the second qubit of phi+ (up to a phase): phi+, psi+, psi-, phi-.
_BELL = (("I", (1, 0, 0, 1)), ("X", (0, 1, 1, 0)), ("Y", (0, 1, -1, 0)), ("Z", (1, 0, 0, -1)))


@lru_cache(maxsize=1024)
def depolarising(probability: float, qubits: int) -> tuple[tuple[str, float], ...]:
    """The channel rho -> (1-p) rho + p I/d as Paulis with probabilities."""
    words = ["".join(w) for w in product("IXYZ", repeat=qubits)]
    share = probability / len(words)
    return ((words[0], 1 - probability + share), *((w, share) for w in words[1:]))


def relaxation(time: float, t1: float, t2: float) -> Complex:
    """(3, 2, 2) Kraus operators of waiting: populations to |0> with T1, coherence with T2 <= 2 T1.

    The coherence decays by exp(-t/T2), of which exp(-t/(2 T1)) is due to relaxation and the rest is dephasing.
    """
    lost = -math.expm1(-time / t1) if t1 < math.inf else 0.0
    kept = math.exp(-time / t2 + time / (2 * t1)) if t2 < math.inf else 1.0
    keep = np.diag([1.0, math.sqrt(1 - lost)]).astype(complex)
    decay = np.array([[0, math.sqrt(lost)], [0, 0]], complex)
    p = min(max((1 - kept) / 2, 0.0), 0.5)
    return np.array([math.sqrt(1 - p) * keep, math.sqrt(p) * (_PAULI["Z"] @ keep), decay])


def relaxation_paulis(time: float, t1: float, t2: float) -> tuple[tuple[str, float], ...]:
    """The Pauli twirl of `relaxation`: the same process fidelity."""
    x = -math.expm1(-time / t1) / 4 if t1 < math.inf else 0.0
    z = -math.expm1(-time / t2) / 2 - x if t2 < math.inf else 0.0
    return (("I", 1 - 2 * x - z), ("X", x), ("Y", x), ("Z", z))


def bell_paulis(state: Complex) -> tuple[tuple[str, float], ...]:
    """The Bell-diagonal part of a pair near phi+, as Paulis on its second qubit."""
    found = []
    for word, vector in _BELL:
        v = np.array(vector) / math.sqrt(2)
        found.append((word, max(float((v @ state @ v).real), 0.0)))
    total = sum(p for _, p in found)
    return tuple((w, p / total) for w, p in found)


def pair_kraus(state: Complex) -> list[Complex]:
    """Kraus operators, each proportional to a unitary, that make a pair from |00>.

    `state` has the pair's first qubit as the more significant one; the operators are for Qiskit's order, in which
    qubit 0 is the less significant one, applied to [first, second].
    """
    order = [0, 2, 1, 3]
    values, vectors = np.linalg.eigh(state[np.ix_(order, order)])
    result = []
    for value, vector in zip(values, vectors.T):
        if value > 1e-15:
            result.append(math.sqrt(value) * unitary_with(vector))
    scale = math.sqrt(sum(v for v in values if v > 1e-15))
    return [k / scale for k in result]


def unitary_with(vector: Complex) -> Complex:
    """A unitary whose first column is this unit vector."""
    drop = int(np.argmax(np.abs(vector)))
    rest = [i for i in range(len(vector)) if i != drop]
    q, r = np.linalg.qr(np.column_stack([vector, np.eye(len(vector))[:, rest]]))
    # QR fixes the first column up to a phase, which is that of r[0, 0].
    q[:, 0] *= r[0, 0] / abs(r[0, 0])
    return np.asarray(q, np.complex128)


__all__ = ["bell_paulis", "depolarising", "pair_kraus", "relaxation", "relaxation_paulis", "unitary_with"]
