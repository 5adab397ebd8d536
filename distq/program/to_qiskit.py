"""A program as one dynamic Qiskit circuit over all modules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.circuit.logical import Register
from distq.ops import NUM_ONE_QUBIT, Conjunction, Op
from distq.program.clbits import BitPlaces, place_bits
from distq.program.order import canonical, declared_sizes
from distq.program.types import MEASURED, DistributedProgram

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Clbit, Qubit
    from qiskit.transpiler.layout import TranspileLayout


def to_qiskit(program: DistributedProgram) -> QuantumCircuit:
    """One dynamic circuit that does what all modules together do.

    Registers `<module>_d` and `<module>_c` hold the data and communication qubits of each module, all that the module
    has (of unlimited communication qubits those that are used); the source's classical registers have their names and
    hold the final values; registers `<module>_m` hold the other bits that are measured. (A `_` is appended where
    such a name is taken by the source.) A Bell pair is `h` and a CX gate with the label "epr", so that a noise model
    can address it. Messages are plain reads of the sender's bit. The layout says where each qubit of the source is at
    the start and the end, so that `SparsePauliOp.apply_layout` works. A classical bit whose last write depends on
    conditions in a way that cannot be written in place gets its value at the end, through a qubit that holds no output.

    Returns:
        The circuit; `circuit.metadata["distq"]` has the names of the modules and the positions of inputs and outputs.

    Raises:
        InputError: the program is not well formed.
    """
    return _Exporter(canonical(program)).run()


class _Exporter:
    def __init__(self, program: DistributedProgram) -> None:
        from qiskit import QuantumCircuit

        self.program = program
        self.circuit: QuantumCircuit = QuantumCircuit(name=program.circuit_name or None)
        self.circuit.global_phase = program.global_phase
        self.places: BitPlaces = place_bits(program)
        #: The clbit of each bit of the program; received bits have that of the bit that was sent.
        self.bits: list[Any] = [None] * program.num_bits
        self.clbits: list[Clbit] = []

    def run(self) -> QuantumCircuit:
        self._add_registers()
        self._add_rows()
        if self.places.copied:
            self._copy_values()
        program, circuit = self.program, self.circuit
        circuit._layout = _layout(program, circuit.qubits)
        circuit.metadata = {
            "distq": {
                "modules": [m.name for m in program.network.modules],
                "inputs": program.input_qubit.tolist(),
                "outputs": program.output_qubit.tolist(),
                "ebits": program.ebits,
            }
        }
        return circuit

    def _add_registers(self) -> None:
        """Qubits in the order of the canonical program; the source's classical bits first, then the others."""
        from qiskit.circuit import ClassicalRegister, QuantumRegister

        program, circuit = self.program, self.circuit
        names = [m.name for m in program.network.modules]
        taken = {r.name for r in program.clbit_registers}
        for m, (data, comm) in enumerate(zip(*(s.tolist() for s in declared_sizes(program)))):
            for suffix, size in (("d", data), ("c", comm)):
                if size:
                    circuit.add_register(QuantumRegister(size, _free(f"{names[m]}_{suffix}", taken)))
        clbits = self.clbits = _add_clbits(circuit, program.clbit_registers, len(program.clbit_values))
        own = program.bit_kind == MEASURED
        own[list(self.places.clbit)] = False
        for m, name in enumerate(names):
            numbers = np.flatnonzero(own & (program.bit_module == m)).tolist()
            if numbers:
                register = ClassicalRegister(len(numbers), _free(f"{name}_m", taken))
                circuit.add_register(register)
                for number, bit in zip(numbers, register):
                    self.bits[number] = bit
        for number, c in self.places.clbit.items():
            self.bits[number] = clbits[c]
        for number, source in enumerate(self.places.origin):
            self.bits[number] = self.bits[source]

    def _add_rows(self) -> None:
        from qiskit.circuit import CircuitInstruction
        from qiskit.circuit.library import CXGate, HGate, Measure, Reset

        program, append = self.program, self.circuit._append
        code, guard, bit = program.code.tolist(), program.guard.tolist(), program.bit.tolist()
        offsets, start = program.qubit_offsets.tolist(), program.param_offsets.tolist()
        wires = self.circuit.qubits
        operands = [wires[q] for q in program.qubits.tolist()]
        gates = _Gates(program)
        hadamard, pair, measure, reset = HGate(), CXGate(label="epr"), Measure(), Reset()
        for row, op in enumerate(code):
            if op == Op.SEND:
                continue
            qubits = tuple(operands[offsets[row] : offsets[row + 1]])
            if op == Op.EPR:
                append(CircuitInstruction(hadamard, qubits[:1], ()))
                append(CircuitInstruction(pair, qubits, ()))
                continue
            if op == Op.MEASURE:
                steps = [CircuitInstruction(measure, qubits, (self.bits[bit[row]],))]
            elif op == Op.RESET:
                steps = [CircuitInstruction(reset, qubits, ())]
            else:
                steps = gates.steps(op, qubits, start[row])
            if guard[row] >= 0:
                append(self._guarded(steps, program.guards[guard[row]], qubits))
            else:
                for step in steps:
                    append(step)

    def _guarded(self, steps: list[Any], conjunction: Conjunction, qubits: tuple[Qubit, ...]) -> Any:
        """The steps in an if statement for each literal of the conjunction."""
        from qiskit.circuit import CircuitInstruction, IfElseOp, QuantumCircuit

        literals = [(self.bits[bit], value) for bit, value in conjunction]
        clbits = list(dict.fromkeys([c for c, _ in literals] + [c for s in steps for c in s.clbits]))
        for literal in reversed(literals):
            body = QuantumCircuit(list(qubits), clbits)
            for step in steps:
                body._append(step)
            steps = [CircuitInstruction(IfElseOp(literal, body), qubits, tuple(clbits))]
        return steps[0]

    def _copy_values(self) -> None:
        """Write the values of decision lists that could not be written in place."""
        from qiskit.circuit import QuantumRegister

        circuit, outputs = self.circuit, set(self.program.output_qubit.tolist())
        free = [q for i, q in enumerate(circuit.qubits) if i not in outputs]
        if not free:
            taken = {r.name for r in (*circuit.qregs, *circuit.cregs)}
            circuit.add_register(QuantumRegister(1, _free("copy", taken)))
            free = [circuit.qubits[-1]]
        for c in self.places.copied:
            for conjunction, bit in reversed(self.program.clbit_values[c]):
                with ExitStack() as stack:
                    for b, value in conjunction:
                        stack.enter_context(circuit.if_test((self.bits[b], value)))
                    circuit.reset(free[0])
                    if bit >= 0:
                        with circuit.if_test((self.bits[bit], 1)):
                            circuit.x(free[0])
                    circuit.measure(free[0], self.clbits[c])


class _Gates:
    """Makes instructions for unitary rows."""

    def __init__(self, program: DistributedProgram) -> None:
        from qiskit.circuit import library

        self.library = library
        self.params: list[Any] = program.params.tolist()
        for at in np.flatnonzero(program.param_expr >= 0).tolist():
            self.params[at] = program.expressions[program.param_expr[at]]
        names = ("H", "X", "Y", "Z", "S", "Sdg", "T", "Tdg", "SX", "SXdg")
        self.fixed = [getattr(library, f"{n}Gate")() for n in names]
        self.rotations = [library.PhaseGate, library.RXGate, library.RYGate, library.RZGate]
        self.cx, self.swap, self.cz = library.CXGate(), library.SwapGate(), library.CZGate()

    def steps(self, op: int, qubits: tuple[Qubit, ...], at: int) -> list[Any]:
        """The instructions of one row; `at` is where its parameters begin."""
        from qiskit.circuit import CircuitInstruction

        if op == Op.PARITY and len(qubits) > 2:
            # No gate of Qiskit that simulators know says this in one piece.
            ladder = [CircuitInstruction(self.cx, pair, ()) for pair in pairwise(qubits)]
            turn = CircuitInstruction(self.library.RZGate(self.params[at]), qubits[-1:], ())
            return [*ladder, turn, *ladder[::-1]]
        return [CircuitInstruction(self._gate(op, len(qubits), at), qubits, ())]

    def _gate(self, op: int, size: int, at: int) -> Any:
        if op < Op.P:
            return self.fixed[op]
        if op == Op.U:
            return self.library.UGate(*self.params[at : at + 3])
        if op < NUM_ONE_QUBIT:
            return self.rotations[op - Op.P](self.params[at])
        if op == Op.CX:
            return self.cx
        if op == Op.SWAP:
            return self.swap
        angle = self.params[at]
        if op == Op.PARITY:
            return self.library.RZZGate(angle)
        if size == 2:
            # The comparison is exact: any other angle is not a CZ.
            return self.cz if isinstance(angle, float) and angle == np.pi else self.library.CPhaseGate(angle)
        return self.library.MCPhaseGate(angle, size - 1)


def _free(name: str, taken: set[str]) -> str:
    """The name, with `_` appended until nothing else has it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _add_clbits(circuit: QuantumCircuit, registers: Sequence[Register], count: int) -> list[Clbit]:
    """The source's classical bits, in its order, in registers with its names."""
    from qiskit.circuit import ClassicalRegister, Clbit

    if [b for r in registers for b in r.bits] == list(range(count)):
        for r in registers:
            circuit.add_register(ClassicalRegister(len(r.bits), r.name))
        return list(circuit.clbits)
    clbits = [Clbit() for _ in range(count)]
    circuit.add_bits(clbits)
    for r in registers:
        circuit.add_register(ClassicalRegister(name=r.name, bits=[clbits[b] for b in r.bits]))
    return clbits


def _layout(program: DistributedProgram, qubits: list[Qubit]) -> TranspileLayout | None:
    """Where each qubit of the source starts and ends; None if two qubits of the source share a place."""
    from qiskit.circuit import QuantumRegister
    from qiskit.circuit import Qubit as VirtualQubit
    from qiskit.transpiler.layout import Layout, TranspileLayout

    start, end = program.input_qubit.tolist(), program.output_qubit.tolist()
    n, total = len(start), len(qubits)
    if len(set(start)) < n or len(set(end)) < n:
        return None
    registers = program.qubit_registers
    virtual: list[Any]
    if [b for r in registers for b in r.bits] == list(range(n)):
        made = [QuantumRegister(len(r.bits), r.name) for r in registers]
        virtual = [q for r in made for q in r]
    else:
        made, virtual = [], [VirtualQubit() for _ in range(n)]
    if total > n:
        ancillas = QuantumRegister(total - n, _free("ancilla", {r.name for r in made}))
        made.append(ancillas)
        virtual += list(ancillas)
    begins = start + _rest(start, total)
    initial = Layout(dict(zip(virtual, begins)))
    for register in made:
        initial.add_register(register)
    # Qubits that hold no output stay where they are if they can.
    moved = dict(zip(start, end))
    spare = [p for p in range(total) if p not in moved]
    targets = set(range(total)) - set(end)
    stay = [p for p in spare if p in targets]
    moved.update((p, p) for p in stay)
    moved.update(zip([p for p in spare if p not in targets], sorted(targets - set(stay))))
    final = Layout({qubits[p]: q for p, q in moved.items()})
    return TranspileLayout(
        initial_layout=initial,
        input_qubit_mapping={q: i for i, q in enumerate(virtual)},
        final_layout=final,
        _input_qubit_count=n,
        _output_qubit_list=list(qubits),
    )


def _rest(chosen: list[int], total: int) -> list[int]:
    found = set(chosen)
    return [p for p in range(total) if p not in found]
