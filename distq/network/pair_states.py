"""The density matrix of the pairs that a link gives to programs: made, stored, purified and swapped, with errors.

A pair is kept as its (4, 4) table of Pauli correlations r[i, j] = tr(rho P_i (x) P_j), P = I, X, Y, Z, in which every
step is simple: storage and errors scale entries, Cliffords permute them, and measuring the second pair of two keeps a
few of them. Errors are depolarising channels of the gate errors of the modules, flips of outcomes, and relaxation and
dephasing of communication qubits while a pair waits for the next one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distq.errors import NetworkError
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.network.pairs import (
    BBPSSW,
    PUMPING,
    Laplace,
    exponential_wait,
    fixed_wait,
    geometric_wait,
    purification_cost,
    purified_wait,
)
from distq.network.purify import Purify

Float64 = NDArray[np.float64]
_PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
#: Correlations of phi+.
_PHI = np.diag([1.0, 1.0, -1.0, 1.0])
_H = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
_S = np.diag([1, 1j])
_RX = np.array([[1, -1j], [-1j, 1]]) / math.sqrt(2)
_CX = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])


def correlations(state: NDArray[np.complex128]) -> Float64:
    """(4, 4) Pauli correlations of a density matrix over 00, 01, 10, 11."""
    rho = np.asarray(state).reshape(2, 2, 2, 2)
    return np.einsum("abcd,ica,jdb->ij", rho, _PAULIS, _PAULIS).real


def density(table: Float64) -> NDArray[np.complex128]:
    """(4, 4) density matrix of Pauli correlations."""
    return np.einsum("ij,iac,jbd->abcd", table, _PAULIS, _PAULIS).reshape(4, 4) / 4


def fidelity(table: Float64) -> float:
    """Fidelity to phi+."""
    return float((table * _PHI).sum() / 4)


@dataclass(frozen=True)
class Noise:
    """What the two ends do to a pair; each entry for the link's first and second module.

    Attributes:
        one_qubit, two_qubit: probabilities of depolarising channels.
        flip: probabilities of a wrong outcome.
        relaxation, dephasing: rates 1/T1 and 1/T2 of communication qubits [1/s].
    """

    one_qubit: tuple[float, float] = (0.0, 0.0)
    two_qubit: tuple[float, float] = (0.0, 0.0)
    flip: tuple[float, float] = (0.0, 0.0)
    relaxation: tuple[float, float] = (0.0, 0.0)
    dephasing: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, a: ModuleHardware | None, b: ModuleHardware | None) -> Noise:
        """From the hardware of both modules; what is not stated makes no error.

        Where only T1 is known, T2 is the largest that it allows, 2 T1.
        """
        ends = (a or ModuleHardware(), b or ModuleHardware())

        def both(values: list[float]) -> tuple[float, float]:
            return values[0], values[1]

        relaxation = both([1 / m.comm_t1 if m.comm_t1 else 0.0 for m in ends])
        return cls(
            # An error 1 - average fidelity is p/2 of a depolarised qubit, 3p/4 of two.
            both([min(2 * (m.one_qubit_error or 0.0), 1.0) for m in ends]),
            both([min(4 / 3 * (m.two_qubit_error or 0.0), 1.0) for m in ends]),
            both([m.measure_error or 0.0 for m in ends]),
            relaxation,
            both([1 / m.comm_t2 if m.comm_t2 else r / 2 for m, r in zip(ends, relaxation)]),
        )


def stored(table: Float64, noise: Noise, wait: Laplace) -> Float64:
    """A pair after both halves waited for a random time whose Laplace transform is given; exact for its mean state."""
    parts = [_decay(noise.relaxation[i], noise.dephasing[i]) for i in (0, 1)]
    if all(rate == 0 for part in parts for rate, _ in part):
        return table
    result = np.zeros((4, 4))
    for s, left in parts[0]:
        for t, right in parts[1]:
            result += (wait(s + t) if s + t else 1.0) * (left @ table @ right.T)
    return result


def _decay(relaxation: float, dephasing: float) -> list[tuple[float, Float64]]:
    """A qubit's channel over a time t as a sum of exp(-rate t) times a matrix: towards |0>, coherences shrink."""
    ground = np.diag([1.0, 0, 0, 0])
    moving = np.diag([0, 0, 0, 1.0])
    if relaxation:
        ground[3, 0] = 1.0
        moving[3, 0] = -1.0
    return [(0.0, ground), (relaxation, moving), (dephasing, np.diag([0, 1.0, 1.0, 0]))]


def twirled(table: Float64) -> Float64:
    """The Werner state of the same fidelity."""
    mean = (table * _PHI)[1:, 1:].trace() / 3
    return np.diag([1.0, mean, -mean, mean])


def round_of(kept: Float64, fresh: Float64, protocol: str, noise: Noise) -> tuple[float, Float64]:
    """A round: (success probability, correlations of the kept pair after it).

    Both pairs are turned (BBPSSW: twirled; DEJMPS: so that Psi- is rarest, then by a quarter turn about X), CX at both
    ends goes from the kept to the fresh pair, which is measured, and the kept one stays where the outcomes agree.
    """
    pairs = []
    for table in (kept, fresh):
        turned = twirled(table) if protocol == BBPSSW else _turned(table)
        scale = [np.array([1.0, 1 - p, 1 - p, 1 - p]) for p in noise.one_qubit]
        pairs.append(turned * np.outer(scale[0], scale[1]))
    joint = np.einsum("ab,cd->acbd", *pairs).reshape(16, 16)  # (kept, fresh) of one end by those of the other
    cx = [_noisy_cx(p) for p in noise.two_qubit]
    joint = (cx[0] @ joint @ cx[1].T).reshape(4, 4, 4, 4)
    agree = (1 - 2 * noise.flip[0]) * (1 - 2 * noise.flip[1])
    result = (joint[:, 0, :, 0] + agree * joint[:, 3, :, 3]) / 2
    success = float(result[0, 0])
    if success <= 0:
        return 0.0, kept
    return success, result / success


def _noisy_cx(p: float) -> Float64:
    keep = np.full(16, 1 - p)
    keep[0] = 1.0
    return keep[:, None] * _cx_table()


@lru_cache(maxsize=1)
def _cx_table() -> Float64:
    words = np.einsum("iab,jcd->ijacbd", _PAULIS, _PAULIS).reshape(16, 4, 4)
    return _transfer(words, _CX)


def _transfer(words: NDArray[np.complex128], unitary: NDArray[Any]) -> Float64:
    """tr(P_i U P_j U^dagger), normalised, over Pauli words."""
    moved = unitary @ words @ unitary.conj().T
    return np.einsum("iab,jba->ij", words, moved).real / words.shape[-1]


@lru_cache(maxsize=1)
def _turns() -> tuple[tuple[Float64, Float64], ...]:
    """All bilateral Cliffords U (x) U* that permute Phi-, Psi+, Psi-, as tables for both ends."""
    group = (np.eye(2), _S, _H, _S @ _H, _H @ _S, _H @ _S @ _H)
    return tuple((_transfer(_PAULIS, u), _transfer(_PAULIS, u.conj())) for u in group)


def _turned(table: Float64) -> Float64:
    """Turned so that Psi- is rarest and Psi+ most frequent of the three, then the quarter turn of DEJMPS."""
    best, least = table, (math.inf, math.inf)
    for left, right in _turns():
        turned = left @ table @ right.T
        key = (round(_weight(turned, (1, -1, -1, -1)), 12), -round(_weight(turned, (1, 1, 1, -1)), 12))
        if key < least:
            best, least = turned, key
    left, right = _quarter_turn()
    return left @ best @ right.T


def _weight(table: Float64, signs: tuple[int, int, int, int]) -> float:
    return float((np.diag(table) * np.array(signs)).sum() / 4)


@lru_cache(maxsize=1)
def _quarter_turn() -> tuple[Float64, Float64]:
    return _transfer(_PAULIS, _RX), _transfer(_PAULIS, _RX.conj())


@dataclass(frozen=True, eq=False)
class PurifiedPair:
    """The pairs that a link gives to programs.

    Attributes:
        purify: how they are purified; None: not at all.
        state: (4, 4) density matrix over 00, 01, 10, 11, near phi+, the link's first module first.
        fidelity: to phi+.
        success: probability of each round; memories enter with their mean over the waiting time.
        raw_pairs: expected elementary pairs for one.
        time: mean time on one generator [s]; 0 where the network does not say, infinite where the link is down.
        round_time: of the operations and messages of a round [s].
        comm_qubits: at each end while a pair is made.
    """

    purify: Purify | None
    state: NDArray[np.complex128]
    fidelity: float
    success: tuple[float, ...]
    raw_pairs: float
    time: float
    round_time: float
    comm_qubits: int


def purified_pair(
    network: Network, link: int | tuple[str, str], purify: Purify | Literal["stated"] | None = "stated"
) -> PurifiedPair:
    """The pairs of a link after purification.

    Args:
        network: its hardware; what is not stated makes no error.
        link: its position, or the names of its ends.
        purify: instead of what the network states; None: no purification.

    Raises:
        NetworkError: there is no such link.
    """
    index = link_index(network, link)
    item = network.links[index]
    hardware = item.hardware or LinkHardware()
    chosen = hardware.purify if isinstance(purify, str) else purify
    a, b = (network.modules[m].hardware or ModuleHardware() for m in network.link_ends[index].tolist())
    return of_hardware(hardware, a, b, chosen)


@lru_cache(maxsize=4096)
def of_hardware(link: LinkHardware, a: ModuleHardware, b: ModuleHardware, purify: Purify | None) -> PurifiedPair:
    """As `purified_pair`, from the hardware of a link and of its two modules."""
    raw = correlations(link.pair_state())
    kept = raw
    success: list[float] = []
    noise, pause, raw_wait = Noise.of(a, b), round_time(link, a, b), wait_of(link)
    scheme, protocol = (purify.scheme, purify.protocol) if purify else (PUMPING, "")
    for _ in range(purify.rounds if purify else 0):
        # The kept pair waits for the other one, and for the end of the round.
        other = raw if scheme == PUMPING else kept
        wait = raw_wait if scheme == PUMPING else purified_wait(success, scheme, raw_wait, pause)
        p, kept = round_of(stored(kept, noise, wait), other, protocol, noise)
        success.append(p)
        kept = stored(kept, noise, fixed_wait(pause))
    mean = link.mean_pair_time
    cost = purification_cost(success, scheme, mean, pause)
    state = density(kept)
    state.setflags(write=False)
    return PurifiedPair(
        purify, state, fidelity(kept), tuple(success), cost.raw_pairs, cost.time if success else mean, pause,
        purify.comm_qubits if purify else 1,
    )  # fmt: skip


def round_time(link: LinkHardware, a: ModuleHardware, b: ModuleHardware) -> float:
    """Of a round [s]: a one-qubit gate, CX, measurement and reset at the slower end, and a message each way at once."""
    keys = ("one_qubit_time", "two_qubit_time", "measure_time", "reset_time")
    return max(sum(getattr(m, key) or 0.0 for key in keys) for m in (a, b)) + (link.latency or 0.0)


def wait_of(link: LinkHardware) -> Laplace:
    """How long one elementary pair takes on one generator."""
    p = link.attempt_probability
    if link.rate == 0:
        return lambda s: 0.0
    if link.attempt_time is not None and p is not None:
        return geometric_wait(link.attempt_time / (link.duty_cycle or 1.0), p)
    if link.rate is not None:
        return exponential_wait(link.mean_pair_time)
    return fixed_wait(link.mean_pair_time)


def link_index(network: Network, link: int | tuple[str, str]) -> int:
    """The position of a link that is given by its position or by the names of its ends."""
    if isinstance(link, tuple):
        index = int(network.link_of[network.index(link[0]), network.index(link[1])])
        if index < 0:
            raise NetworkError(f"there is no link {link[0]} - {link[1]}: add it, or name another")
        return index
    if not 0 <= link < len(network.links):
        raise NetworkError(f"there is no link number {link}: the network has {len(network.links)}")
    return int(link)


def link_pair_state(network: Network, link: int | tuple[str, str]) -> NDArray[np.complex128]:
    """(4, 4) density matrix of a pair as a program gets it: after purification, near phi+, first module first."""
    return purified_pair(network, link).state


def link_pair_fidelity(network: Network, link: int | tuple[str, str]) -> float:
    """Fidelity to phi+ of a pair as a program gets it, after purification."""
    return purified_pair(network, link).fidelity


def relay_state(network: Network, modules: list[int] | list[str]) -> NDArray[np.complex128]:
    """(4, 4) density matrix of a pair between the ends of a path, swapped at every module between them.

    Each swap is a Bell measurement (a CX, a one-qubit gate, two measurements) with the errors of its module; its
    corrections are tracked and make no error. Copies that pass hop by hop have the same Pauli errors.

    Args:
        network: its links and hardware.
        modules: by position or name, at least two; neighbours are joined by links.

    Raises:
        NetworkError: two neighbours have no link, or there is no path.
    """
    path = [network.index(m) if isinstance(m, str) else int(m) for m in modules]
    if len(path) < 2:
        raise NetworkError("a path has at least two modules: name both ends")
    names = [network.modules[m].name for m in path]
    result: Float64 | None = None
    for i in range(len(path) - 1):
        index = link_index(network, (names[i], names[i + 1]))
        table = correlations(link_pair_state(network, index))
        if network.link_ends[index, 0] != path[i]:
            table = table.T
        if result is None:
            result = table
            continue
        hardware = network.modules[path[i]].hardware
        result = swapped(result, table, Noise.of(hardware, hardware))
    assert result is not None
    return density(result)


def relay_fidelity(network: Network, modules: list[int] | list[str]) -> float:
    """Fidelity to phi+ of `relay_state`."""
    return fidelity(correlations(relay_state(network, modules)))


def swapped(first: Float64, second: Float64, noise: Noise | None = None) -> Float64:
    """A pair of the outer halves after a Bell measurement of the inner ones, corrected by its outcome.

    `noise`: of the module between (its first entries count).
    """
    scale = np.ones(4)
    if noise is not None:
        wrong = 1 - 2 * noise.flip[0]
        # Of the correlations XX and ZZ of the inner halves one is read from each outcome, YY from both.
        scale[1:] = (1 - noise.two_qubit[0]) * np.array([wrong * (1 - noise.one_qubit[0]), 0, wrong])
        scale[2] = (1 - noise.two_qubit[0]) * wrong**2 * (1 - noise.one_qubit[0])
    return first * (np.diag(_PHI) * np.diag(second) * scale)[None, :]


__all__ = [
    "Noise",
    "PurifiedPair",
    "correlations",
    "density",
    "fidelity",
    "link_index",
    "link_pair_fidelity",
    "link_pair_state",
    "of_hardware",
    "purified_pair",
    "relay_fidelity",
    "relay_state",
    "round_of",
    "round_time",
    "stored",
    "swapped",
    "twirled",
    "wait_of",
]
