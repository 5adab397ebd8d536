"""Programs run as scheduled: raw operations in the order of time, corrections in frames, only bits that are there.

Nothing here knows rules for frames. A Pauli is moved through a gate by matrices; where it does not stay a Pauli its
bits must have arrived, and it is carried out. The result must be that of the program run line by line.
"""

from __future__ import annotations

import functools
import itertools
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from timeline_checks import random_hardware

sys.path.insert(0, str(Path(__file__).parents[1] / "program"))
from exact import matrix

import distq
from distq.ops import Op
from distq.program.types import DistributedProgram
from distq.schedule.graph import task_graph
from distq.schedule.plan import _ahead
from distq.schedule.result import Timeline
from distq.schedule.timing import timing
from distq.testing import random_case

PAULIS = {
    (0, 0): np.eye(2),
    (1, 0): np.array([[0, 1], [1, 0]]),
    (0, 1): np.diag([1, -1]),
    (1, 1): np.array([[0, 1], [-1, 0]]),
}
MOST_QUBITS = 10
LATE = 1e-9


class State:
    def __init__(self, qubits: int, inputs: list[int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.n = qubits
        psi = rng.normal(size=(2,) * len(inputs)) + 1j * rng.normal(size=(2,) * len(inputs))
        rest = np.zeros((2,) * (qubits - len(inputs)), complex)
        rest[(0,) * rest.ndim] = 1
        psi = np.multiply.outer(psi, rest) if qubits > len(inputs) else psi
        where = inputs + [q for q in range(qubits) if q not in inputs]
        self.psi = np.moveaxis(psi, range(qubits), where) / np.linalg.norm(psi)

    def gate(self, u: np.ndarray, qubits: list[int]) -> None:
        k = len(qubits)
        out = np.tensordot(u.reshape((2,) * (2 * k)), self.psi, (range(k, 2 * k), qubits))
        self.psi = np.moveaxis(out, range(k), qubits)

    def project(self, qubit: int, choose) -> int:
        psi = np.moveaxis(self.psi, qubit, 0)
        p = float(np.sum(np.abs(psi[1]) ** 2))
        value = choose(p)
        assert (p if value else 1 - p) > 1e-9
        psi = psi.copy()
        psi[1 - value] = 0
        self.psi = np.moveaxis(psi / np.linalg.norm(psi), 0, qubit)
        return value


def gate_of(program: DistributedProgram, row: int, size: int) -> np.ndarray:
    params = program.params[program.param_offsets[row] : program.param_offsets[row + 1]].tolist()
    return matrix(int(program.code[row]), params, size)


@functools.cache
def all_paulis(k: int):
    return [(p, functools.reduce(np.kron, (PAULIS[x] for x in p))) for p in itertools.product(PAULIS, repeat=k)]


def moved(u: np.ndarray, pauli: tuple) -> tuple | None:
    """The Pauli that u turns this one into, or None."""
    k = len(pauli)
    image = u @ functools.reduce(np.kron, (PAULIS[x] for x in pauli)) @ u.conj().T
    for p, m in all_paulis(k):
        if abs(abs(np.trace(m.conj().T @ image)) - 2**k) < 1e-7:
            return p
    return None


class Run:
    """In the order of time, with frames: for each tracked row the Pauli on each qubit that it stands for."""

    def __init__(self, t: Timeline, qubit: dict[int, int], seed: int) -> None:
        self.t, self.program, self.qubit = t, t.program, qubit
        self.rng = random.Random(seed)
        self.state = State(len(qubit), [qubit[q] for q in self.program.input_qubit.tolist()], seed)
        #: tracked row -> qubit -> (x, z)
        self.frame: dict[int, dict[int, tuple[int, int]]] = {}
        self.value: dict[int, int] = {}  # of tracked rows
        #: Raw outcome and the rows whose values it is to be added to.
        self.bit: dict[int, tuple[int, tuple[int, ...]]] = {}
        self.known: dict[int, float] = {}
        self.outcome: dict[int, tuple[int, tuple[int, ...]]] = {}  # of rows, for the run line by line
        self.waits = 0
        #: Tracked rows of each qubit that its line has not come to.
        self.ahead: dict[int, list[int]] = {q: [] for q in qubit.values()}
        for row in np.flatnonzero(t.tracked).tolist():
            self.ahead[self.legs(row)[0]].append(row)

    def come_to(self, row: int, q: int) -> None:
        """Corrections before this row of the program enter the frame, whatever their bits may turn out to be."""
        while self.ahead[q] and self.ahead[q][0] < row:
            r = self.ahead[q].pop(0)
            self.frame[r] = {q: {Op.X: (1, 0), Op.Y: (1, 1), Op.Z: (0, 1)}[Op(self.program.code[r])]}

    def true(self, outcome: tuple[int, tuple[int, ...]]) -> int:
        raw, rows = outcome
        return raw ^ sum(self.value[r] for r in rows) % 2

    def legs(self, row: int) -> list[int]:
        p = self.program
        return [self.qubit[q] for q in p.qubits[p.qubit_offsets[row] : p.qubit_offsets[row + 1]].tolist()]

    def holds(self, row: int, now: float) -> bool:
        guard = int(self.program.guard[row])
        literals = self.program.guards[guard] if guard >= 0 else ()
        for b, _ in literals:
            assert self.known[b] <= now + LATE, f"row {row} reads a bit too early"
        return all(self.true(self.bit[b]) == v for b, v in literals)

    def resolve(self, r: int, q: int, now: float) -> None:
        assert self.t.end[r] <= now + LATE, f"the frame of row {r} is needed before it is known"
        self.waits += 1
        x, z = self.frame[r].pop(q)
        if self.value[r]:
            self.state.gate(PAULIS[x, z], [q])

    def run(self) -> None:
        n = len(self.program)
        for node in self.t.order.order.tolist():
            if node < n:
                self.row(node, float(self.t.start[node]))
        for q in self.ahead:
            self.come_to(n, q)
        for r in list(self.frame):
            for q in list(self.frame[r]):
                self.resolve(r, q, self.t.makespan)

    def row(self, row: int, now: float) -> None:
        p, t = self.program, self.t
        code = int(p.code[row])
        if code == Op.SEND:
            assert self.known[int(p.bit[row])] <= now + LATE
            self.bit[int(p.bit2[row])] = self.true(self.bit[int(p.bit[row])]), ()
            self.known[int(p.bit2[row])] = float(t.end[row])
            return
        legs = self.legs(row)
        if t.tracked[row]:
            self.value[row] = int(self.holds(row, now))
            return
        for q in legs:
            self.come_to(row, q)
        guarded = p.guard[row] >= 0
        taken = self.holds(row, now)
        if code in (Op.MEASURE, Op.RESET):
            self.measured(row, legs[0], now, guarded, taken)
            return
        if code == Op.EPR:
            for q in legs:
                for frame in self.frame.values():
                    frame.pop(q, None)
        u = gate_of(p, row, len(legs))
        for r, frame in self.frame.items():
            here = tuple(frame.get(q, (0, 0)) for q in legs)
            if not any(map(any, here)):
                continue
            # A conditional gate may or may not move the Pauli: both must be the same.
            image = moved(u, here)
            if image is None or (guarded and image != here):
                # Only the parts that do not pass, found one by one.
                for q, part in zip(legs, here):
                    alone = tuple(part if x == q else (0, 0) for x in legs)
                    for bits in ((part[0], 0), (0, part[1])):
                        one = tuple(bits if a != (0, 0) else (0, 0) for a in alone)
                        if any(bits) and (moved(u, one) is None or (guarded and moved(u, one) != one)):
                            rest = (part[0] ^ bits[0], part[1] ^ bits[1])
                            assert t.end[r] <= now + LATE, f"row {row} does not wait for the frame of row {r}"
                            self.waits += 1
                            if self.value[r]:
                                self.state.gate(PAULIS[bits], [q])
                            part = rest
                            frame[q] = rest
                here = tuple(frame.get(q, (0, 0)) for q in legs)
                image = moved(u, here)
                assert image is not None
            for q, part in zip(legs, image):
                frame[q] = part
        if taken:
            self.state.gate(u, legs)

    def measured(self, row: int, q: int, now: float, guarded: bool, taken: bool) -> None:
        p, t = self.program, self.t
        ready, flips = float(t.end[row]), []
        for r, frame in self.frame.items():
            x, z = frame.get(q, (0, 0))
            if guarded and (x or z):
                self.resolve(r, q, now)
            elif x:
                flips.append(r)
                ready = max(ready, float(t.end[r]))
            if p.code[row] == Op.RESET and taken:
                frame.pop(q, None)
            elif q in frame:
                frame[q] = (x, 0)
        found = (0, ())
        if taken:
            raw = self.state.project(q, lambda p1: int(self.rng.random() < p1))
            found = self.outcome[row] = raw, tuple(flips)
            if p.code[row] == Op.RESET and raw:
                self.state.gate(PAULIS[1, 0], [q])
        if p.code[row] == Op.MEASURE:
            self.bit[int(p.bit[row])] = found
            self.known[int(p.bit[row])] = ready


def line_by_line(program: DistributedProgram, qubit: dict[int, int], outcome: dict[int, int], seed: int) -> State:
    state = State(len(qubit), [qubit[q] for q in program.input_qubit.tolist()], seed)
    bit: dict[int, int] = {}
    for row, code in enumerate(program.code.tolist()):
        if code == Op.SEND:
            bit[int(program.bit2[row])] = bit[int(program.bit[row])]
            continue
        legs = [qubit[q] for q in program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()]
        guard = int(program.guard[row])
        taken = all(bit[b] == v for b, v in (program.guards[guard] if guard >= 0 else ()))
        if code == Op.MEASURE:
            bit[int(program.bit[row])] = 0
        if not taken:
            continue
        if code in (Op.MEASURE, Op.RESET):
            value = state.project(legs[0], lambda _, row=row: outcome[row])
            if code == Op.MEASURE:
                bit[int(program.bit[row])] = value
            elif value:
                state.gate(PAULIS[1, 0], legs)
        else:
            state.gate(gate_of(program, row, len(legs)), legs)
    return state


def cases():
    for seed in range(200):
        features = (("standard", "clifford"), ("clifford", "measure", "reset", "conditional", "swap"),
                    ("standard", "clifford", "multi", "measure", "reset", "conditional"))[seed % 3]  # fmt: skip
        yield seed, features


@pytest.mark.parametrize("part", range(8))
def test_frames(part: int) -> None:
    ran = waits = tracked = 0
    for seed, features in itertools.islice(cases(), part, None, 8):
        case = random_case(seed, min_qubits=2, max_qubits=4, max_gates=14, features=features, max_modules=3)
        program = distq.compile(case.circuit, case.network, effort="fast", verify="none", seed=seed).program
        used = np.unique(np.concatenate([program.qubits, program.input_qubit]))
        if len(used) > MOST_QUBITS:
            continue
        qubit = {q: i for i, q in enumerate(used.tolist())}
        network = random_hardware(seed, program.network, ages=False)
        t = _ahead(task_graph(program, timing(program, network), True))
        run = Run(t, qubit, seed)
        run.run()
        outcome = {row: run.true(found) for row, found in run.outcome.items()}
        straight = line_by_line(program, qubit, outcome, seed)
        assert abs(np.vdot(straight.psi, run.state.psi)) == pytest.approx(1, abs=1e-7)
        ran += 1
        waits += run.waits
        tracked += int(t.tracked.sum())
    assert ran >= 10
    assert tracked > 5
    assert waits > 0
