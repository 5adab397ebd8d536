"""A program with its noise as a circuit without classical control, on as few wires as it needs at a time.

A measured qubit is not read: its wire becomes that of the bit, conditions become quantum controls on it, and when
nothing reads the bit any more the wire is reset and used again. By the principle of deferred measurement this is the
same program; a density matrix then sums over all outcomes exactly, and no simulator has to carry out conditions.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import numpy as np

from distq.errors import UsageError
from distq.ops import Conjunction, Op
from distq.program.to_qiskit import _Gates
from distq.program.types import DistributedProgram
from distq.simulate.channels import bell_paulis, depolarising, pair_kraus, relaxation, relaxation_paulis
from distq.simulate.noise import NoiseTable

#: Classes of noise, as in the error budget.
CLASSES = ("two-qubit", "one-qubit", "pairs", "ageing", "idling", "measurement")
#: Gates that stabilizers can carry out.
CLIFFORD = frozenset({"x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap"})
#: Gates that Aer's methods for states and density matrices carry out as they are.
PLAIN = CLIFFORD | {"t", "tdg", "p", "u", "rx", "ry", "rz", "cp", "rzz"}
_PHI = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]) / 2


class NotClifford(UsageError):
    """The program cannot be carried out on stabilizers."""


class Deferred:
    """Writes a program for a simulator.

    Attributes:
        out: instructions as (operation, wires).
        wires: number of wires.
        inputs: wire of each qubit of the source at the start.
        output_wires: wire of each of `table.outputs` at the end.
        bit_wires: wire of each program bit that the source's classical bits are made of.
    """

    def __init__(
        self, table: NoiseTable, program: DistributedProgram, *, clifford: bool, only: Iterable[str] = CLASSES
    ) -> None:
        self.table, self.program, self.clifford = table, program, clifford
        self.only = frozenset(only)
        self.out: list[tuple[Any, tuple[int, ...]]] = []
        self.wires = 0
        self._free: list[int] = []
        self._wire: dict[int, int] = {}
        self._bit: dict[int, int] = {}
        self._reset_error: dict[int, float] = {}
        self._cache: dict[Any, Any] = {}
        self._gates = _Gates(program)
        self.inputs = [self._ensure(q) for q in program.input_qubit.tolist()]
        self._origin = self._origins()
        self._last_read = self._reads()
        self._before: dict[int, list[tuple[int, float]]] = {}
        for row, qubit, loss in table.applied:
            self._before.setdefault(row, []).append((qubit, loss))
        self._write()
        self.output_wires = [self._ensure(q) for q in table.outputs.tolist()]
        self.bit_wires = {
            bit: self._bit[self._origin[bit]]
            for entry in program.clbit_values
            for conjunction, value in entry
            for bit in (*(b for b, _ in conjunction), value)
            if bit >= 0
        }

    # Wires and bits.

    def _take(self) -> int:
        if self._free:
            return heapq.heappop(self._free)
        self.wires += 1
        return self.wires - 1

    def _release(self, wire: int) -> None:
        self._emit("reset", wire)
        heapq.heappush(self._free, wire)

    def _ensure(self, qubit: int) -> int:
        """The wire of a physical qubit; one that held nothing is |0>, up to the error of its reset."""
        if qubit not in self._wire:
            self._wire[qubit] = self._take()
            self._paulis((("I", 1 - (e := self._reset_error.pop(qubit, 0.0))), ("X", e)), self._wire[qubit])
        return self._wire[qubit]

    def _origins(self) -> list[int]:
        """The measured bit of each bit."""
        origin = list(range(self.program.num_bits))
        send = self.program.code == Op.SEND
        for a, b in zip(self.program.bit[send].tolist(), self.program.bit2[send].tolist()):
            origin[b] = origin[a]
        return origin

    def _reads(self) -> dict[int, int]:
        """The last row that reads each measured bit; behind all rows where the source's bits are made of it."""
        program, result = self.program, {}
        for row in np.flatnonzero(program.guard >= 0).tolist():
            for bit, _ in program.guards[program.guard[row]]:
                result[self._origin[bit]] = row
        for entry in program.clbit_values:
            for conjunction, value in entry:
                for bit in (*(b for b, _ in conjunction), value):
                    if bit >= 0:
                        result[self._origin[bit]] = len(program)
        return result

    # Instructions.

    def _emit(self, name: str, *wires: int) -> None:
        if name not in self._cache:
            from qiskit.circuit import library

            gates = {"x": library.XGate, "h": library.HGate, "cx": library.CXGate, "reset": library.Reset}
            self._cache[name] = gates[name]()
        self.out.append((self._cache[name], wires))

    def _paulis(self, terms: tuple[tuple[str, float], ...], *wires: int) -> None:
        """A Pauli channel; the first letter of a word acts on the first wire."""
        if terms[0][1] >= 1:
            return
        key = (terms, len(wires))
        if key not in self._cache:
            from qiskit_aer.noise import pauli_error

            self._cache[key] = pauli_error([(w[::-1], p) for w, p in terms if p > 0]).to_instruction()
        self.out.append((self._cache[key], wires))

    def _kraus(self, key: Any, operators: Any, *wires: int) -> None:
        if key not in self._cache:
            from qiskit.quantum_info import Kraus

            self._cache[key] = Kraus(list(operators)).to_instruction()
        self.out.append((self._cache[key], wires))

    def _gate(self, operation: Any, wires: tuple[int, ...]) -> None:
        name = operation.name
        if name in (CLIFFORD if self.clifford else PLAIN):
            self.out.append((operation, wires))
        elif self.clifford:
            for inner, places in self._clifford(operation):
                self.out.append((inner, tuple(wires[p] for p in places)))
        else:
            key = (name, tuple(operation.params), getattr(operation, "ctrl_state", None), len(wires))
            if key not in self._cache:
                from qiskit.circuit.library import UnitaryGate
                from qiskit.quantum_info import Operator

                self._cache[key] = UnitaryGate(Operator(operation), check_input=False)
            self.out.append((self._cache[key], wires))

    def _clifford(self, operation: Any) -> list[tuple[Any, tuple[int, ...]]]:
        """Clifford gates that make up an operation."""
        key = ("clifford", operation.name, tuple(operation.params), operation.num_qubits)
        if key not in self._cache:
            from qiskit.exceptions import QiskitError
            from qiskit.quantum_info import Clifford, Operator

            try:
                if operation.num_qubits > 2:
                    raise QiskitError("wide")
                matrix = np.round(Operator(operation).data, 12)
                circuit = Clifford.from_matrix(matrix).to_circuit()
            except QiskitError:
                raise NotClifford(
                    f"the program has the gate {operation.name}{tuple(operation.params) or ''}, which is no Clifford "
                    "gate: take the method trajectories or density_matrix"
                ) from None
            self._cache[key] = [
                (item.operation, tuple(circuit.find_bit(q).index for q in item.qubits)) for item in circuit.data
            ]
        return self._cache[key]

    def _controlled(self, operation: Any, wires: tuple[int, ...], conjunction: Conjunction) -> None:
        """An operation under a condition."""
        literals = {self._bit[self._origin[bit]]: value for bit, value in conjunction}
        if any(literals[self._bit[self._origin[bit]]] != value for bit, value in conjunction):
            return  # two messages of one bit that should differ
        if len(literals) == 1 and operation.name in ("x", "y", "z"):
            from qiskit.circuit.library import CXGate, CYGate, CZGate

            ((wire, value),) = literals.items()
            gate = {"x": CXGate, "y": CYGate, "z": CZGate}[operation.name]()
            flips = () if value else (wire,)
            for w in flips:
                self._emit("x", w)
            self.out.append((gate, (wire, *wires)))
            for w in flips:
                self._emit("x", w)
            return
        state = sum(value << i for i, value in enumerate(literals.values()))
        gate = operation.control(len(literals), ctrl_state=state, annotated=False)
        self._gate(gate, (*literals, *wires))

    # Rows.

    def _write(self) -> None:
        program, table = self.program, self.table
        code, guard = program.code.tolist(), program.guard.tolist()
        offsets, qubits = program.qubit_offsets.tolist(), program.qubits.tolist()
        bits, start = program.bit.tolist(), program.param_offsets.tolist()
        tracked, live = table.timeline.tracked.tolist(), table.live.tolist()
        # Several bits may be read for the last time by one row.
        dying: dict[int, list[int]] = {}
        for bit, row in self._last_read.items():
            dying.setdefault(row, []).append(bit)
        for row, op in enumerate(code):
            first, last = offsets[row], offsets[row + 1]
            legs = qubits[first:last]
            self._carry_out(row)
            if not tracked[row]:
                for j in range(first, last):
                    self._idle(qubits[j], float(table.wait[j]), int(table.waits_since[j]))
            conjunction = program.guards[guard[row]] if guard[row] >= 0 else ()
            if op == Op.EPR:
                self._pair(row, legs)
            elif op == Op.MEASURE:
                self._measure(row, legs[0], bits[row], conjunction, live[first])
            elif op == Op.RESET:
                self._reset(row, legs[0], conjunction)
            elif op == Op.SWAP and not conjunction:
                a, b = legs
                held = self._wire.pop(a, None), self._wire.pop(b, None)
                for q, wire in zip((b, a), held):
                    if wire is not None:
                        self._wire[q] = wire
                errors = self._reset_error.pop(a, 0.0), self._reset_error.pop(b, 0.0)
                self._reset_error.update({q: e for q, e in zip((b, a), errors) if e})
                for q, needed in zip(legs, live[first:last]):
                    if needed:
                        self._ensure(q)
                self._noise(row, legs)
            elif op != Op.SEND:
                for step in self._gates.steps(op, tuple(legs), start[row]):
                    wires = tuple(self._ensure(q) for q in step.qubits)
                    if conjunction:
                        self._controlled(step.operation, wires, conjunction)
                    else:
                        self._gate(step.operation, wires)
                if not tracked[row]:
                    self._noise(row, legs)
            for q, needed in zip(legs, live[first:last]):
                if not needed and q in self._wire:
                    self._release(self._wire.pop(q))
            for bit in dying.get(row, ()):
                self._release(self._bit.pop(bit))
        self._carry_out(len(code))
        for q, wait, since in zip(table.outputs.tolist(), table.end_wait.tolist(), table.end_since.tolist()):
            self._idle(q, wait, since)

    def _carry_out(self, row: int) -> None:
        """Noise of the corrections that are carried out before a row."""
        for qubit, loss in self._before.get(row, ()):
            if qubit in self._wire and "one-qubit" in self.only:
                self._paulis(depolarising(loss, 1), self._wire[qubit])

    def _idle(self, qubit: int, time: float, since: int) -> None:
        kind = "ageing" if since >= 0 and self.program.code[since] == Op.EPR else "idling"
        t1, t2 = float(self.table.t1[qubit]), float(self.table.t2[qubit])
        if qubit in self._reset_error and kind in self.only:
            self._reset_error[qubit] *= float(np.exp(-time / t1))
        if time <= 0 or qubit not in self._wire or kind not in self.only or (np.isinf(t1) and np.isinf(t2)):
            return
        if self.clifford:
            self._paulis(relaxation_paulis(time, t1, t2), self._wire[qubit])
        else:
            self._kraus(("idle", time, t1, t2), relaxation(time, t1, t2), self._wire[qubit])

    def _noise(self, row: int, legs: list[int]) -> None:
        """Depolarising noise behind a gate; a qubit that holds nothing takes its share of it away."""
        table = self.table
        p1, p2, count = float(table.one_qubit[row]), float(table.two_qubit[row]), int(table.gates[row])
        if "two-qubit" in self.only and p2 > 0:
            k = len(legs)
            for j in range(k if k > 2 else 1):
                gates = count if k == 2 else count // k + (j < count % k)
                wires = [self._wire[q] for q in (legs[j], legs[(j + 1) % k]) if q in self._wire]
                if wires:
                    self._paulis(depolarising(1 - (1 - p2) ** gates, len(wires)), *wires)
        if "one-qubit" in self.only and p1 > 0:
            self._paulis(depolarising(p1, 1), self._wire[legs[-1]])

    def _pair(self, row: int, legs: list[int]) -> None:
        for q in legs:
            self._reset_error.pop(q, None)
            if q in self._wire:
                self._release(self._wire.pop(q))
        a, b = (self._ensure(q) for q in legs)
        link = int(self.program.link[row])
        state = self.table.states[link]
        perfect = "pairs" not in self.only or np.abs(state - _PHI).max() < 1e-12
        if perfect or self.clifford:
            self._emit("h", a)
            self._emit("cx", a, b)
            if not perfect:
                self._paulis(bell_paulis(state), b)
        else:
            self._kraus(("pair", link), pair_kraus(state), a, b)

    def _measure(self, row: int, qubit: int, bit: int, conjunction: Conjunction, needed: bool) -> None:
        wire = self._ensure(qubit)
        error = float(self.table.readout[row]) if "measurement" in self.only else 0.0
        flip = (("I", 1 - error), ("X", error))
        if conjunction:
            # A measurement that is not carried out leaves 0 and the qubit as it was.
            from qiskit.circuit.library import CXGate

            result, coin = self._take(), self._take()
            self._controlled(CXGate(), (wire, result), conjunction)
            self._paulis(flip, coin)
            self._controlled(CXGate(), (coin, result), conjunction)
            self._release(coin)
        else:
            if needed:
                result = self._take()
                self._emit("cx", wire, result)
            else:
                result = self._wire.pop(qubit)
            self._paulis(flip, result)
        self._bit[bit] = result
        if bit not in self._last_read:
            self._release(self._bit.pop(bit))

    def _reset(self, row: int, qubit: int, conjunction: Conjunction) -> None:
        error = float(self.table.reset[row]) if "measurement" in self.only else 0.0
        if not conjunction:
            if qubit in self._wire:
                self._release(self._wire.pop(qubit))
            self._reset_error[qubit] = error
            return
        from qiskit.circuit.library import SwapGate

        wire, fresh = self._ensure(qubit), self._take()
        self._paulis((("I", 1 - error), ("X", error)), fresh)
        self._controlled(SwapGate(), (wire, fresh), conjunction)
        self._release(fresh)


__all__ = ["CLASSES", "Deferred", "NotClifford"]
