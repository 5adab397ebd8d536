"""What modules and links are like: durations, errors, memories, coupling maps, sources of pairs, switch fabrics.

All times in seconds, rates in hertz. Everything is optional: what is not stated takes no time, makes no error and lasts
for ever. A network in which no time at all is stated counts every operation as one unit (see `distq.schedule.timing`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import NetworkError
from distq.network.purify import Purify

#: Undirected edges between positions of a processor.
Coupling = tuple[tuple[int, int], ...]
#: Four rows of four complex numbers.
State = tuple[tuple[complex, ...], ...]
#: Bell states by name, as vectors over 00, 01, 10, 11.
BELL: dict[str, tuple[int, int, int, int]] = {
    "phi+": (1, 0, 0, 1),
    "phi-": (1, 0, 0, -1),
    "psi+": (0, 1, 1, 0),
    "psi-": (0, 1, -1, 0),
}
#: How far a density matrix may be from Hermitian, from trace 1 and from non-negative.
STATE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class ModuleHardware:
    """Times [s], errors, memories and the coupling map of one module; None stands for what is not known.

    Attributes:
        one_qubit_time, two_qubit_time, measure_time, reset_time: durations [s]; default 0.
        one_qubit_error, two_qubit_error: 1 - average gate fidelity; default 0.
        measure_error, reset_error: probability of a wrong result; default 0.
        data_t1, data_t2, comm_t1, comm_t2: relaxation and dephasing times of data and of communication qubits
            [s]; default infinite.
        coupling: undirected edges between positions of the processor; default: every qubit with every other.
        data_positions, comm_positions: where each data and each communication qubit sits; by default data qubits
            on the first positions that are free and communication qubits on those behind them.

    Raises:
        NetworkError: a value is out of its range, T2 is more than twice T1, or positions are given without a
            coupling map, repeat, or are not on it.
    """

    one_qubit_time: float | None = None
    two_qubit_time: float | None = None
    measure_time: float | None = None
    reset_time: float | None = None
    one_qubit_error: float | None = None
    two_qubit_error: float | None = None
    measure_error: float | None = None
    reset_error: float | None = None
    data_t1: float | None = None
    data_t2: float | None = None
    comm_t1: float | None = None
    comm_t2: float | None = None
    coupling: Coupling | None = None
    data_positions: tuple[int, ...] | None = None
    comm_positions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for key in ("one_qubit", "two_qubit", "measure", "reset"):
            _set(self, f"{key}_time", 0, math.inf)
            _set(self, f"{key}_error", 0, 1)
        for kind in ("data", "comm"):
            _set(self, f"{kind}_t1", 0, math.inf, above=True)
            _set(self, f"{kind}_t2", 0, math.inf, above=True)
            t1, t2 = getattr(self, f"{kind}_t1"), getattr(self, f"{kind}_t2")
            if t1 is not None and t2 is not None and t2 > 2 * t1:
                raise NetworkError(
                    f"{kind}_t2 is {t2!r} s, more than twice {kind}_t1 = {t1!r} s, which no qubit can have: correct one"
                )
        if self.coupling is not None:
            object.__setattr__(self, "coupling", _edges(self.coupling))
        for key in ("data_positions", "comm_positions"):
            value = getattr(self, key)
            if value is None:
                continue
            if self.coupling is None:
                raise NetworkError(f"{key} are given without a coupling map: add coupling, or remove them")
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise NetworkError(f"{key} is {value!r}, but must be a list of positions")
            object.__setattr__(self, key, tuple(_position(key, p) for p in value))

    def places(self, data: int, comm: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Positions of so many data and communication qubits on the coupling map.

        Raises:
            NetworkError: there is no coupling map, the numbers do not fit, two qubits share a position, one is off
                the map, or the map does not join all of them.
        """
        if self.coupling is None:
            raise NetworkError("there is no coupling map, so qubits have no positions")
        if comm is None:
            raise NetworkError("a module with a coupling map cannot have unlimited communication qubits: give a number")
        places, ports = self.data_positions, self.comm_positions
        for key, found, number, what in (
            ("data_positions", places, data, "data"),
            ("comm_positions", ports, comm, "communication"),
        ):
            if found is not None and len(found) != number:
                raise NetworkError(f"{key} has {len(found)} entries for {number} {what} qubits: give one for each")
        free = sorted({p for edge in self.coupling for p in edge} - {*(places or ()), *(ports or ())})
        missing = (data if places is None else 0) + (comm if ports is None else 0)
        if len(free) < missing:
            raise NetworkError(
                f"the coupling map has {len(free)} free positions for {missing} qubits that are not placed (data = "
                f"{data}, comm = {comm}): add positions to coupling, or lower data or comm"
            )
        if places is None:
            places, free = tuple(free[:data]), free[data:]
        if ports is None:
            ports = tuple(free[:comm])
        _check_places(self.coupling, places, ports)
        return places, ports

    def to_dict(self) -> dict[str, Any]:
        """What is known, as in a network file."""
        return _known(self)


@dataclass(frozen=True)
class LinkHardware:
    """How a link makes pairs; None stands for what is not known.

    Either `pair_time` (every pair takes as long), or attempts (`attempt_time` with `success_probability`, or with
    `rate`), or `rate` alone (attempts so short that the waiting time is exponential); else pairs take no time.

    Attributes:
        attempt_time: of one attempt [s].
        success_probability: of one attempt, in (0, 1].
        rate: mean number of pairs per second of one generator while it runs [Hz]; 0: the link is down.
        pair_time: of every pair [s].
        generators: pairs that can be in generation at the same time; default 1.
        fidelity: of a pair, a Werner state, in [0.25, 1]; default 1.
        state: the density matrix of a pair instead, over 00, 01, 10, 11 with the qubit of the link's first module
            first.
        bell: which Bell state `state` is near: "phi+" (default), "phi-", "psi+" or "psi-"; a Pauli that takes no
            time turns it into phi+.
        duty_cycle: share of the time in which attempts are made, in (0, 1]; the mean time of a pair is divided by
            it; default 1.
        max_age: a pair older than this is discarded [s]; default: never.
        latency: of a classical message over this link [s]; default 0.
        fabric: name of the switch fabric through which pairs of this link are made.
        purify: how pairs are purified before a program gets them (a `Purify`, or a mapping with its fields); `max_age`
            then counts from the end of purification; default: not at all.

    Raises:
        NetworkError: a value is out of its range, two contradict each other, or `state` is no state.
    """

    attempt_time: float | None = None
    success_probability: float | None = None
    rate: float | None = None
    pair_time: float | None = None
    generators: int | None = None
    fidelity: float | None = None
    state: State | None = None
    bell: str | None = None
    duty_cycle: float | None = None
    max_age: float | None = None
    latency: float | None = None
    fabric: str | None = None
    purify: Purify | None = None

    def __post_init__(self) -> None:
        if self.purify is not None:
            object.__setattr__(self, "purify", Purify.of(self.purify))
        _set(self, "attempt_time", 0, math.inf, above=True)
        _set(self, "success_probability", 0, 1, above=True)
        _set(self, "rate", 0, math.inf)
        _set(self, "pair_time", 0, math.inf)
        _set(self, "fidelity", 0.25, 1)
        _set(self, "duty_cycle", 0, 1, above=True)
        _set(self, "max_age", 0, math.inf, above=True)
        _set(self, "latency", 0, math.inf)
        if self.generators is not None:
            object.__setattr__(self, "generators", _count("generators", self.generators))
        if self.fabric is not None and (not isinstance(self.fabric, str) or not self.fabric):
            raise NetworkError(f"fabric is {self.fabric!r}, but must be the name of a switch fabric")
        self._check_source()
        if self.bell is not None and (not isinstance(self.bell, str) or self.bell not in BELL):
            raise NetworkError(f"bell is {self.bell!r}, but must be one of {', '.join(BELL)}")
        if self.state is None:
            if self.bell is not None:
                raise NetworkError("bell belongs to a state: add the density matrix of a pair, or remove it")
            return
        if self.fidelity is not None:
            raise NetworkError("fidelity and state exclude each other: remove one of them")
        object.__setattr__(self, "state", _state(self.state))
        if self.pair_fidelity < 0.25:
            raise NetworkError(
                f"state has fidelity {self.pair_fidelity:.4f} to {self.bell or 'phi+'}, less than 0.25: name the Bell "
                f"state that it is near (bell = one of {', '.join(BELL)})"
            )

    def _check_source(self) -> None:
        if self.pair_time is not None:
            for key in ("attempt_time", "success_probability", "rate"):
                if getattr(self, key) is not None:
                    raise NetworkError(f"pair_time and {key} exclude each other: remove one of them")
        if self.success_probability is not None:
            if self.attempt_time is None:
                raise NetworkError("success_probability needs attempt_time: add how long one attempt takes")
            if self.rate is not None:
                raise NetworkError("success_probability and rate exclude each other: remove one of them")
        if self.attempt_time is not None:
            if self.success_probability is None and self.rate is None:
                raise NetworkError("attempt_time needs success_probability or rate: add one of them")
            if self.rate is not None and self.rate * self.attempt_time > 1:
                raise NetworkError(
                    f"rate = {self.rate!r} Hz is more than one pair for each attempt of {self.attempt_time!r} s: "
                    "correct one of them"
                )

    @property
    def timed(self) -> bool:
        """Whether any time is stated."""
        return any(getattr(self, k) is not None for k in ("attempt_time", "rate", "pair_time", "latency"))

    @property
    def attempt_probability(self) -> float | None:
        """Success probability of one attempt, given or from rate and attempt time; None without attempts."""
        if self.success_probability is not None:
            return self.success_probability
        return None if self.attempt_time is None or self.rate is None else self.rate * self.attempt_time

    @property
    def mean_pair_time(self) -> float:
        """Mean time of one pair on one generator [s]: tau/(p d), 1/(rate d) or the pair time/d, d the duty cycle.

        Without purification (`distq.network.pair_states.purified_pair` has it with). Infinite where the rate is 0.
        """
        duty = self.duty_cycle or 1.0
        p = self.attempt_probability
        if self.rate == 0:
            return math.inf
        if self.attempt_time is not None and p is not None:
            return self.attempt_time / (p * duty)
        if self.rate is not None:
            return 1 / (self.rate * duty)
        return (self.pair_time or 0.0) / duty

    def pair_state(self) -> NDArray[np.complex128]:
        """(4, 4) density matrix of a pair as it is made, near phi+; Werner if only a fidelity is known."""
        phi = _projector("phi+")
        if self.state is None:
            f = 1.0 if self.fidelity is None else self.fidelity
            return f * phi + (1 - f) / 3 * (np.eye(4) - phi)
        x, z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
        bell = self.bell or "phi+"
        pauli = (x if bell.startswith("psi") else np.eye(2)) @ (z if bell.endswith("-") else np.eye(2))
        turn = np.kron(np.eye(2), pauli)
        return turn @ np.array(self.state) @ turn.conj().T

    @property
    def pair_fidelity(self) -> float:
        """Fidelity of a pair to phi+ as it is made."""
        if self.state is None:
            return 1.0 if self.fidelity is None else self.fidelity
        vector = np.array(BELL[self.bell or "phi+"]) / math.sqrt(2)
        return float((vector @ np.array(self.state) @ vector).real)

    def to_dict(self) -> dict[str, Any]:
        """What is known, as in a network file."""
        result = _known(self)
        if self.purify is not None:
            result["purify"] = self.purify.to_dict()
        if self.state is not None:
            result["state"] = [[_plain(x) for x in row] for row in self.state]
        return result


@dataclass(frozen=True)
class Fabric:
    """A switch fabric: a pool of ports (Bell-state analysers) shared by all links that name it.

    A pair in generation takes one port; a port that served another link before is reconfigured first.

    Attributes:
        name: by which links refer to it.
        ports: pairs that can be in generation at the same time over all its links.
        reconfiguration_time: [s].

    Raises:
        NetworkError: a value is out of its range.
    """

    name: str
    ports: int = 1
    reconfiguration_time: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise NetworkError(f"the name of a switch fabric is {self.name!r}, but must be a text")
        object.__setattr__(self, "ports", _count("ports", self.ports))
        _set(self, "reconfiguration_time", 0, math.inf)

    def to_dict(self) -> dict[str, Any]:
        """The fabric as in a network file."""
        return _known(self)


def _known(item: ModuleHardware | LinkHardware | Fabric) -> dict[str, Any]:
    found = {f.name: getattr(item, f.name) for f in fields(item)}
    return {key: _lists(value) for key, value in found.items() if value is not None}


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, tuple) else value


def _plain(value: complex) -> Any:
    return value.real if value.imag == 0 else [value.real, value.imag]


def _set(item: Any, key: str, low: float, high: float, above: bool = False) -> None:
    """Check a number and store it as a float; `above`: the lower end itself is not allowed."""
    value = getattr(item, key)
    if value is None:
        return
    wanted = f"a number {'above' if above else 'of at least'} {low:g}" + (
        "" if high == math.inf else f", at most {high:g}"
    )
    try:
        if isinstance(value, (bool, np.bool_, str)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise NetworkError(f"{key} is {value!r}, but must be {wanted}") from None
    if not math.isfinite(number):
        raise NetworkError(f"{key} is {number!r}, but must be finite: leave it out where there is no limit")
    if not (low < number if above else low <= number) or number > high:
        raise NetworkError(f"{key} is {number!r}, but must be {wanted}")
    object.__setattr__(item, key, number)


def _count(key: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise NetworkError(f"{key} is {value!r}, but must be an integer of at least 1")
    return number


def _position(key: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise NetworkError(f"{key} names position {value!r}, but positions are integers of at least 0")
    return number


def _edges(value: Any) -> Coupling:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise NetworkError(f"coupling is {value!r}, but must be a list of pairs of positions")
    edges = []
    for edge in value:
        if isinstance(edge, str) or not isinstance(edge, Sequence) or len(edge) != 2:
            raise NetworkError(f"coupling has the entry {edge!r}, but must be a list of pairs of positions")
        a, b = (_position("coupling", p) for p in edge)
        if a == b:
            raise NetworkError(f"coupling joins position {a} to itself: remove it")
        edges.append((a, b))
    return tuple(edges)


def _check_places(coupling: Coupling, data: tuple[int, ...], comm: tuple[int, ...]) -> None:
    near: dict[int, list[int]] = {}
    for a, b in coupling:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    used: dict[int, str] = {}
    for what, positions in (("data", data), ("communication", comm)):
        for i, p in enumerate(positions):
            who = f"{what} qubit {i}"
            if p not in near and len(data) + len(comm) > 1:
                raise NetworkError(f"{who} sits on position {p}, which is not on the coupling map")
            if p in used:
                raise NetworkError(f"{used[p]} and {who} both sit on position {p}: move one")
            used[p] = who
    reached: set[int] = set()
    todo = [data[0]]
    while todo:
        p = todo.pop()
        if p not in reached:
            reached.add(p)
            todo += [other for other in near.get(p, []) if other in used]  # positions without a qubit carry nothing
    for p, who in used.items():
        if p not in reached:
            raise NetworkError(f"the coupling map does not join {who} (position {p}) to data qubit 0: add edges")


def _state(value: Any) -> State:
    shape = "state must be four rows of four numbers, each a number or [real, imaginary]"
    try:
        rows = tuple(tuple(_complex(x) for x in row) for row in value)
    except (TypeError, ValueError):
        raise NetworkError(shape) from None
    if len(rows) != 4 or any(len(row) != 4 for row in rows):
        raise NetworkError(shape)
    matrix = np.array(rows)
    if not np.isfinite(matrix).all():
        raise NetworkError("state has an entry that is not finite")
    if np.abs(matrix - matrix.conj().T).max() > STATE_TOLERANCE:
        raise NetworkError("state is no density matrix: it is not Hermitian")
    if abs(np.trace(matrix) - 1) > STATE_TOLERANCE:
        raise NetworkError(f"state is no density matrix: its trace is {np.trace(matrix).real:.6g}, not 1")
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < -STATE_TOLERANCE:
        raise NetworkError(
            f"state is no density matrix: it has the negative eigenvalue {least:.3g} (a published matrix that was "
            "rounded must be replaced by the nearest state)"
        )
    return rows


def _complex(value: Any) -> complex:
    if isinstance(value, (bool, str)):
        raise TypeError
    if isinstance(value, (list, tuple)):
        real, imaginary = value
        if isinstance(real, bool) or isinstance(imaginary, bool):
            raise TypeError
        return complex(float(real), float(imaginary))
    return complex(value)


def _projector(name: str) -> NDArray[np.complex128]:
    vector = np.array(BELL[name], np.complex128) / math.sqrt(2)
    return np.outer(vector, vector.conj())


__all__ = ["BELL", "Fabric", "LinkHardware", "ModuleHardware", "Purify"]
