"""Bell pairs by formula: purification, entanglement swapping, storage, and what purified pairs cost.

Bell-diagonal states are weights (A, B, C, D) of Phi+, Psi-, Psi+, Phi-; a Werner state of fidelity F has
(F, q, q, q) with q = (1 - F)/3. All operations are perfect here; `distq.network.pair_states` takes any density matrix
through the circuits themselves, with errors of gates and measurements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.errors import UsageError
from distq.network.purify import BBPSSW, DEJMPS, NESTED, PROTOCOLS, PUMPING, SCHEMES, comm_qubits_needed

#: Weights of Phi+, Psi-, Psi+, Phi-.
Weights = tuple[float, float, float, float]
#: The Laplace transform of a waiting time W: s [1/s] to E[exp(-s W)].
Laplace = Callable[[float], float]
#: Bell vectors in the order of the weights, over 00, 01, 10, 11.
BELL_VECTORS: NDArray[np.float64] = np.array([[1, 0, 0, 1], [0, 1, -1, 0], [0, 1, 1, 0], [1, 0, 0, -1]]) / math.sqrt(2)


def werner(fidelity: float) -> Weights:
    """Weights of the Werner state of a fidelity in [0, 1].

    Raises:
        UsageError: the fidelity is out of its range.
    """
    if not 0 <= fidelity <= 1:
        raise UsageError(f"the fidelity of a pair is {fidelity!r}, but must be from 0 to 1")
    q = (1 - fidelity) / 3
    return fidelity, q, q, q


def bell_weights(state: NDArray[np.complex128]) -> Weights:
    """The diagonal of a (4, 4) density matrix over 00, 01, 10, 11 in the Bell basis."""
    a, b, c, d = np.einsum("bi,ij,bj->b", BELL_VECTORS, state, BELL_VECTORS).real.tolist()
    return a, b, c, d


def bell_state(weights: Sequence[float]) -> NDArray[np.complex128]:
    """(4, 4) density matrix of a Bell-diagonal state."""
    return np.einsum("b,bi,bj->ij", np.asarray(weights, float), BELL_VECTORS, BELL_VECTORS).astype(np.complex128)


# Purification.


def bbpssw(fidelity: float, fresh: float | None = None) -> tuple[float, float]:
    """A round of BBPSSW on two Werner states: (success probability, fidelity after success).

    Bennett et al., PRL 76, 722 (1996), doi:10.1103/PhysRevLett.76.722.

    Args:
        fidelity: of the pair that is kept.
        fresh: of the pair that is measured; default: the same.
    """
    f, g = fidelity, fidelity if fresh is None else fresh
    p, q = (1 - f) / 3, (1 - g) / 3
    success = f * g + f * q + p * g + 5 * p * q
    return success, (f * g + p * q) / success


def dejmps(weights: Weights, fresh: Weights | None = None) -> tuple[float, Weights]:
    """A round of DEJMPS on two Bell-diagonal states as they are: (success probability, weights after success).

    Deutsch et al., PRL 77, 2818 (1996), doi:10.1103/PhysRevLett.77.2818. It gains most after `rotated`.

    Args:
        weights: of the pair that is kept.
        fresh: of the pair that is measured; default: the same.
    """
    a, b, c, d = weights
    e, f, g, h = weights if fresh is None else fresh
    success = (a + b) * (e + f) + (c + d) * (g + h)
    if success <= 0:
        return 0.0, weights
    kept = (a * e + b * f, c * h + d * g, c * g + d * h, a * f + b * e)
    return success, (kept[0] / success, kept[1] / success, kept[2] / success, kept[3] / success)


def rotated(weights: Weights) -> Weights:
    """The weights after the bilateral rotations that bring the least of the last three to Psi-, the largest to Psi+."""
    a, *rest = weights
    low, middle, high = sorted(rest)
    return a, low, high, middle


def purified_weights(weights: Weights, protocol: str, scheme: str, rounds: int) -> tuple[list[float], Weights]:
    """Success probability of each round, and the weights after them, with perfect operations and memories.

    DEJMPS rotates before each round; BBPSSW twirls to Werner states.

    Raises:
        UsageError: the protocol or the scheme is not known.
    """
    _known(protocol, scheme)
    if protocol == BBPSSW:
        weights = werner(weights[0])
    kept, success = weights, []
    for _ in range(rounds):
        fresh = weights if scheme == PUMPING else kept
        if protocol == BBPSSW:
            p, f = bbpssw(kept[0], fresh[0])
            kept = werner(f)
        else:
            p, kept = dejmps(rotated(kept), rotated(fresh))
        success.append(p)
    return success, kept


@dataclass(frozen=True)
class Cost:
    """What a purified pair costs on average.

    Attributes:
        raw_pairs: elementary pairs, those of failed rounds included.
        time: from the beginning to success [the unit of the elementary time].
        rounds: rounds that are carried out, failed ones included.
    """

    raw_pairs: float
    time: float
    rounds: float


def purification_cost(success: Sequence[float], scheme: str, raw_time: float, round_time: float = 0.0) -> Cost:
    """Expected cost of a pair where a failed round begins all over again (nested: its two pairs are made again).

    Elementary pairs come one after the other, a round begins when its pairs are there, and nothing is made during it.

    Args:
        success: probability of each round.
        scheme: "pumping" or "nested".
        raw_time: mean time of an elementary pair (`heralded_time`).
        round_time: of gates, measurement and messages of a round.
    """
    raw, time, rounds = 1.0, raw_time, 0.0
    for p in success:
        if p <= 0:
            return Cost(math.inf, math.inf, math.inf)
        more = Cost(1.0, raw_time, 0.0) if scheme == PUMPING else Cost(raw, time, rounds)
        raw = (raw + more.raw_pairs) / p
        time = (time + more.time + round_time) / p
        rounds = (rounds + more.rounds + 1) / p
    return Cost(raw, time, rounds)


# Generation.


def heralded_time(slot: float, probability: float, generators: int = 1, duty_cycle: float = 1.0) -> float:
    """Mean time of a pair when `generators` try at the same time in slots: slot/(d (1 - (1 - p)^m))."""
    return slot / (duty_cycle * -math.expm1(generators * math.log1p(-probability))) if probability < 1 else (
        slot / duty_cycle
    )  # fmt: skip


def geometric_wait(slot: float, probability: float) -> Laplace:
    """Waiting for a success in slots of a fixed length."""

    def transform(s: float) -> float:
        x = math.exp(-s * slot)
        return probability * x / (1 - (1 - probability) * x)

    return transform


def exponential_wait(mean: float) -> Laplace:
    """Waiting with an exponential distribution."""
    return lambda s: 1 / (1 + s * mean) if s else 1.0


def fixed_wait(time: float) -> Laplace:
    """Waiting for a fixed time."""
    return lambda s: math.exp(-s * time) if s else 1.0


def purified_wait(success: Sequence[float], scheme: str, raw: Laplace, round_time: float = 0.0) -> Laplace:
    """Waiting for a purified pair, with restarts, as in `purification_cost`."""
    wait = raw
    for p in success:
        wait = _retried(p, wait, raw if scheme == PUMPING else wait, round_time)
    return wait


def _retried(p: float, first: Laplace, second: Laplace, round_time: float) -> Laplace:
    def transform(s: float) -> float:
        x = first(s) * second(s) * math.exp(-s * round_time)
        return p * x / (1 - (1 - p) * x)

    return transform


# Swapping and storage.


def swap_fidelity(first: float, *others: float) -> float:
    """Fidelity after entanglement swapping of Werner states: F1 F2 + (1 - F1)(1 - F2)/3, pair after pair."""
    for f in others:
        first = first * f + (1 - first) * (1 - f) / 3
    return first


def swap_weights(first: Weights, *others: Weights) -> Weights:
    """Weights after entanglement swapping of Bell-diagonal states: their Pauli errors multiply."""
    for e, f, g, h in others:
        a, b, c, d = first
        first = (
            a * e + b * f + c * g + d * h,
            a * f + b * e + c * h + d * g,
            a * g + c * e + b * h + d * f,
            a * h + d * e + b * g + c * f,
        )
    return first


def depolarised(fidelity: float, time: float, memory: float) -> float:
    """Fidelity after both halves were stored for `time`, each depolarising with rate 1/`memory`."""
    return 0.25 + (fidelity - 0.25) * math.exp(-2 * time / memory)


def dephased(weights: Weights, time: float, t2: float) -> Weights:
    """Weights after both halves were stored for `time` and dephased with T2: Phi+ mixes with Phi-, Psi+ with Psi-."""
    a, b, c, d = weights
    keep = (1 + math.exp(-2 * time / t2)) / 2
    return (
        keep * a + (1 - keep) * d,
        keep * b + (1 - keep) * c,
        keep * c + (1 - keep) * b,
        keep * d + (1 - keep) * a,
    )


def _known(protocol: str, scheme: str) -> None:
    if protocol not in PROTOCOLS:
        raise UsageError(f"the purification protocol is {protocol!r}, but must be one of {', '.join(PROTOCOLS)}")
    if scheme not in SCHEMES:
        raise UsageError(f"the purification scheme is {scheme!r}, but must be one of {', '.join(SCHEMES)}")


__all__ = [
    "BBPSSW",
    "BELL_VECTORS",
    "DEJMPS",
    "NESTED",
    "PROTOCOLS",
    "PUMPING",
    "SCHEMES",
    "Cost",
    "Laplace",
    "Weights",
    "bbpssw",
    "bell_state",
    "bell_weights",
    "comm_qubits_needed",
    "dejmps",
    "dephased",
    "depolarised",
    "exponential_wait",
    "fixed_wait",
    "geometric_wait",
    "heralded_time",
    "purification_cost",
    "purified_wait",
    "purified_weights",
    "rotated",
    "swap_fidelity",
    "swap_weights",
    "werner",
]
