"""A second noisy simulator, written from docs/fidelity.md: each outcome is followed on its own, on all qubits.

It shares no code with `distq.simulate` and knows nothing of what a qubit's content is still needed for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from exact import decide, matrix

from distq.ops import Op
from distq.program.types import COMM, DistributedProgram

X = np.array([[0, 1], [1, 0]], complex)
Z = np.diag([1, -1]).astype(complex)


class Oracle:
    """Density matrices as tensors: axes 0..n-1 are rows, n..2n-1 columns."""

    def __init__(self, program: DistributedProgram, timeline: Any, state: np.ndarray) -> None:
        self.program, self.timeline = program, timeline
        self.n = program.num_physical
        self.modules = [m.hardware for m in program.network.modules]
        inputs = program.input_qubit.tolist()
        zero = np.zeros((2,) * (self.n - len(inputs)), complex)
        zero[(0,) * zero.ndim] = 1
        vector = np.multiply.outer(state.reshape((2,) * len(inputs)), zero)
        rest = [q for q in range(self.n) if q not in inputs]
        vector = np.moveaxis(vector, range(self.n), [*inputs, *rest])
        #: bits -> density matrix.
        self.branches: dict[tuple[tuple[int, int], ...], np.ndarray] = {(): np.multiply.outer(vector, vector.conj())}
        self.free = [0.0] * self.n
        self.done: dict[int, list[tuple[float, float]]] = {}
        for q, a, b in timeline.applied:
            self.done.setdefault(q, []).append((a, b))

    # Channels on one density matrix.

    def gate(self, rho: np.ndarray, u: np.ndarray, qubits: list[int]) -> np.ndarray:
        k = len(qubits)
        tensor = u.reshape((2,) * (2 * k))
        rho = np.moveaxis(np.tensordot(tensor, rho, (range(k, 2 * k), qubits)), range(k), qubits)
        columns = [q + self.n for q in qubits]
        return np.moveaxis(np.tensordot(tensor.conj(), rho, (range(k, 2 * k), columns)), range(k), columns)

    def kraus(self, rho: np.ndarray, operators: list[np.ndarray], qubits: list[int]) -> np.ndarray:
        return sum(self.gate(rho, k, qubits) for k in operators)  # type: ignore[return-value]

    def replaced(self, rho: np.ndarray, state: np.ndarray, qubits: list[int]) -> np.ndarray:
        """The qubits in a new state, whatever they held."""
        k = len(qubits)
        rest = [q for q in range(self.n) if q not in qubits]
        moved = np.transpose(rho, [*qubits, *rest, *(q + self.n for q in qubits), *(q + self.n for q in rest)])
        flat = moved.reshape(2**k, 2 ** len(rest), 2**k, 2 ** len(rest))
        kept = np.einsum("aiaj->ij", flat)
        both = np.einsum("ab,ij->aibj", state, kept).reshape((2,) * (2 * self.n))
        order = [*qubits, *rest, *(q + self.n for q in qubits), *(q + self.n for q in rest)]
        return np.transpose(both, np.argsort(order))

    def depolarised(self, rho: np.ndarray, p: float, qubits: list[int]) -> np.ndarray:
        d = 2 ** len(qubits)
        return (1 - p) * rho + p * self.replaced(rho, np.eye(d) / d, qubits)

    def waited(self, rho: np.ndarray, q: int, time: float) -> np.ndarray:
        hardware = self.modules[self.program.qubit_module[q]]
        comm = self.program.qubit_role[q] == COMM
        t1 = (hardware.comm_t1 if comm else hardware.data_t1) or math.inf
        t2 = (hardware.comm_t2 if comm else hardware.data_t2) or 2 * t1
        keep, coherence = math.exp(-time / t1), math.exp(-time / t2)
        moved = np.moveaxis(rho, [q, q + self.n], [0, 1]).copy()
        moved[0, 0] += (1 - keep) * moved[1, 1]
        moved[1, 1] *= keep
        moved[0, 1] *= coherence
        moved[1, 0] *= coherence
        return np.moveaxis(moved, [0, 1], [q, q + self.n])

    # Rows.

    def all(self, change: Any) -> None:
        self.branches = {bits: change(rho) for bits, rho in self.branches.items()}

    def wait(self, q: int, until: float) -> None:
        gone = [(a, b) for a, b in self.done.get(q, []) if a >= self.free[q] and b <= until]
        time = until - self.free[q] - sum(b - a for a, b in gone)
        error = self.modules[self.program.qubit_module[q]].one_qubit_error or 0.0
        for _ in gone:
            self.all(lambda rho: self.depolarised(rho, 2 * error, [q]))
        if time > 0:
            self.all(lambda rho: self.waited(rho, q, time))

    def run(self) -> Oracle:
        program, timeline = self.program, self.timeline
        origin = list(range(program.num_bits))
        for row, op in enumerate(program.code.tolist()):
            if op == Op.SEND:
                origin[program.bit2[row]] = origin[program.bit[row]]
                continue
            legs = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
            tracked = bool(timeline.tracked[row])
            if not tracked:
                for q in legs:
                    self.wait(q, float(timeline.start[row]))
                    self.free[q] = float(timeline.end[row])
            guard = program.guards[program.guard[row]] if program.guard[row] >= 0 else ()
            conjunction = [(origin[b], v) for b, v in guard]
            found: dict[tuple[tuple[int, int], ...], np.ndarray] = {}
            for bits, rho in self.branches.items():
                known = dict(bits)
                active = all(known[b] == v for b, v in conjunction)
                for new, after in self.row(row, op, legs, rho, active):
                    key = bits if new is None else (*bits, (int(program.bit[row]), new))
                    found[key] = found.get(key, 0) + after
            self.branches = found
            if not tracked:
                self.noise(row, op, legs)
        for q in range(self.n):
            self.wait(q, timeline.makespan)
        return self

    def row(self, row: int, op: int, legs: list[int], rho: np.ndarray, active: bool) -> Any:
        program = self.program
        hardware = self.modules[program.qubit_module[legs[0]]]
        if op == Op.MEASURE:
            if not active:
                return [(0, rho)]
            e = hardware.measure_error or 0.0
            parts = [self.gate(rho, np.diag(p), legs) for p in ([1, 0], [0, 1])]
            return [(m, (1 - e) * parts[m] + 0 * rho) for m in (0, 1)] + [(m, e * parts[1 - m]) for m in (0, 1)]
        if not active:
            return [(None, rho)]
        if op == Op.RESET:
            e = hardware.reset_error or 0.0
            return [(None, self.replaced(rho, np.diag([1 - e, e]), legs))]
        if op == Op.EPR:
            link = program.network.links[program.link[row]]
            return [(None, self.replaced(rho, link.hardware.pair_state(), legs))]
        at, end = program.param_offsets[row], program.param_offsets[row + 1]
        return [(None, self.gate(rho, matrix(op, program.params[at:end].tolist(), len(legs)), legs))]

    def noise(self, row: int, op: int, legs: list[int]) -> None:
        hardware = self.modules[self.program.qubit_module[legs[0]]]
        one, two = hardware.one_qubit_error or 0.0, hardware.two_qubit_error or 0.0
        k = len(legs)
        if op in (Op.MEASURE, Op.RESET, Op.EPR):
            return
        if k == 1:
            self.all(lambda rho: self.depolarised(rho, 2 * one, legs))
            return
        gates = {Op.SWAP: 3}.get(op, 1)
        if k > 2:
            gates = 2 * (k - 1) if op == Op.PARITY else min(2**k - 2, 16 * k * k)
        for g in range(gates):
            near = [legs[g % k], legs[(g + 1) % k]] if k > 2 else legs
            self.all(lambda rho, near=near: self.depolarised(rho, 4 * two / 3, near))
        if op == Op.PARITY and k > 2:
            self.all(lambda rho: self.depolarised(rho, 2 * one, legs[-1:]))

    # Results.

    def state(self, outputs: list[int]) -> np.ndarray:
        """Reduced density matrix in Qiskit's order."""
        rho = sum(self.branches.values())
        rest = [q for q in range(self.n) if q not in outputs]
        rows = [*reversed(outputs), *rest]
        moved = np.transpose(rho, [*rows, *(q + self.n for q in rows)])
        a, b = 2 ** len(outputs), 2 ** len(rest)
        return np.einsum("aibi->ab", moved.reshape(a, b, a, b))

    def distribution(self) -> dict[tuple[int, ...], float]:
        """Probability of each value of the classical bits."""
        result: dict[tuple[int, ...], float] = {}
        for bits, rho in self.branches.items():
            key = decide(self.program, dict(bits))
            weight = float(np.trace(rho.reshape(2**self.n, 2**self.n)).real)
            result[key] = result.get(key, 0.0) + weight
        return result
