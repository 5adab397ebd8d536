"""The source circuit as a tape: Qiskit's instructions, read independently of the compiler's reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.errors import InputError
from distq.verify import rotations
from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.conditions import Conditions
from distq.verify.gates import (
    PAULI_AXES,
    ROTATIONS,
    Eigenphases,
    annotated_definition,
    controlled_parts,
    eigenphases,
    evolution_legs,
    pair_matrix,
)
from distq.verify.rotations import X_AXIS, Z_AXIS, Quaternion, from_matrix
from distq.verify.tape import Row, Tape

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: Standard gates on one qubit with a name in common with the program format; all others go by their matrix.
_CLOSED_FORM = {**{name: name for name in rotations.FIXED}, "rx": "rx", "ry": "ry", "rz": "rz", "p": "p", "u": "U"}
#: Control, and target along X.
_CX = (math.pi, (Z_AXIS, X_AXIS))
#: Where an instruction stands in the source circuit.
Path = tuple[int, ...]
_IGNORED = frozenset({"barrier", "delay", "id", "global_phase"})


@dataclass(frozen=True)
class Source:
    """The source circuit on a tape.

    Attributes:
        tape: its operations; measurements write the atoms 0, 1, 2, ..., guards are functions in `booleans`.
        booleans: functions of the atoms.
        atom_guard: for each atom the function that says whether it is measured (it is 0 if not).
        clbits: for each classical bit the function that it holds at the end.
        names: for each origin number of the tape the name of the instruction.
        paths: for each row of the tape where it comes from: the position of the instruction in the circuit; inside a
            definition the position there; inside a branch, a case or an iteration its number and the position there.
    """

    tape: Tape
    booleans: Booleans
    atom_guard: list[int]
    clbits: list[int]
    names: list[str]
    paths: list[Path]


def read_source(circuit: QuantumCircuit) -> Source:
    """Translate a circuit without unbound parameters.

    Raises:
        InputError: an operation is not supported.
    """
    walker = _Walker(circuit)
    walker.walk(circuit, list(range(circuit.num_qubits)), list(range(circuit.num_clbits)), TRUE)
    return Source(walker.tape, walker.booleans, walker.atom_guard, walker.clbits, walker.names, walker.paths)


class _Walker:
    def __init__(self, circuit: QuantumCircuit) -> None:
        from qiskit.circuit import ControlFlowOp

        self.tape = Tape(circuit.num_qubits)
        self.booleans = Booleans()
        self.conditions = Conditions(self.booleans)
        self.atom_guard: list[int] = []
        self.clbits = [FALSE] * circuit.num_clbits
        self.names: list[str] = []
        self.paths: list[Path] = []
        self.path: Path = ()
        self.turns: dict[Any, Quaternion] = {}
        self.controlled: dict[Any, tuple[int, int, Eigenphases]] = {}
        self.outer_clbits = {bit: i for i, bit in enumerate(circuit.clbits)}
        self.depth = 0
        self.control_flow_type = ControlFlowOp

    def row(self, kind: Row, wires: tuple[int, ...], payload: Any, guard: int) -> None:
        self.tape.rows.append((kind, wires, payload, -1 if guard == TRUE else guard, len(self.names) - 1))
        self.paths.append(self.path)

    def walk(
        self, circuit: QuantumCircuit, wires: Sequence[int], clbits: Sequence[int], guard: int, inside: Path = ()
    ) -> None:
        """Translate a circuit whose qubit i is on wires[i] and whose classical bit i is clbits[i] outside.

        `inside` is the path of the circuit in the source.
        """
        if guard == FALSE:
            return
        position = {bit: i for i, bit in enumerate(circuit.qubits)}
        outside = {bit: clbits[i] for i, bit in enumerate(circuit.clbits)}
        for number, item in enumerate(circuit.data):
            qubits = tuple(wires[position[q]] for q in item.qubits)
            self.path = (*inside, number)
            self.instruction(item.operation, qubits, [outside[c] for c in item.clbits], outside, guard)

    def instruction(
        self, op: Any, qubits: tuple[int, ...], clbits: list[int], outside: dict[Any, int], guard: int
    ) -> None:
        name = op.name
        if name in _IGNORED:
            return
        if self.depth == 0:
            self.names.append(name)
        if name == "measure":
            self.measure(qubits[0], clbits[0], guard)
        elif name == "reset":
            self.row(Row.RESET, qubits, None, guard)
        elif isinstance(op, self.control_flow_type):
            self.control_flow(op, qubits, clbits, outside, guard)
        else:
            self.gate(op, qubits, clbits, guard)

    def measure(self, qubit: int, clbit: int, guard: int) -> None:
        atom = len(self.atom_guard)
        self.atom_guard.append(guard)
        self.row(Row.MEASURE, (qubit,), (1, atom), guard)
        value = self.booleans.conj(guard, self.booleans.var(atom))
        self.clbits[clbit] = self.booleans.ite(guard, value, self.clbits[clbit])

    # Control flow

    def control_flow(
        self, op: Any, qubits: tuple[int, ...], clbits: list[int], outside: dict[Any, int], guard: int
    ) -> None:
        def value_of(bit: Any) -> int:
            index = outside.get(bit, self.outer_clbits.get(bit, -1))
            if index < 0:
                raise InputError(f"{op.name}: its condition reads a classical bit that the circuit does not have.")
            return self.clbits[index]

        path = self.path

        def body(block: QuantumCircuit, when: int, number: int) -> None:
            self.depth += 1
            self.walk(block, qubits, clbits, when, (*path, number))
            self.depth -= 1

        b = self.booleans
        if any(block.num_captured_vars or block.num_declared_vars for block in op.blocks):
            raise InputError(f"{op.name}: stored classical variables are not supported.")
        if op.name == "if_else":
            test = self.conditions.condition(op.condition, value_of)
            for number, (block, when) in enumerate(zip(op.blocks, (test, b.negate(test)))):
                body(block, b.conj(guard, when), number)
        elif op.name == "for_loop":
            indices, variable, block = op.params
            for number, value in enumerate(indices):
                body(
                    block if variable is None else block.assign_parameters({variable: value}, strict=False),
                    guard,
                    number,
                )
        elif op.name == "switch_case":
            self.switch(op, value_of, body, guard)
        elif op.name == "box":
            body(op.blocks[0], guard, 0)
        else:
            raise InputError(f"{op.name}: loops on measured values are not supported.")

    def switch(self, op: Any, value_of: Any, body: Any, guard: int) -> None:
        from qiskit.circuit import CASE_DEFAULT

        b, bits = self.booleans, self.conditions.target(op.target, value_of)
        rest = guard
        for number, (labels, block) in enumerate(op.cases_specifier()):
            when = FALSE
            for label in labels:
                holds = TRUE if label is CASE_DEFAULT else self.conditions.equals(bits, int(label))
                when = b.disj(when, holds)
            body(block, b.conj(rest, when), number)
            rest = b.conj(rest, b.negate(when))

    # Gates

    def gate(self, op: Any, qubits: tuple[int, ...], clbits: list[int], guard: int) -> None:
        name = op.name
        if name in _CLOSED_FORM and getattr(op, "_standard_gate", None) is not None:
            row = _CLOSED_FORM[name]
            turn = rotations.FIXED.get(name) or rotations.gate(row, [float(p) for p in op.params])
            self.row(Row.TURN, qubits, turn, guard)
            return
        if name == "cx" and getattr(op, "_standard_gate", None) is not None:
            self.row(Row.MCP, qubits, _CX, guard)
            return
        if len(qubits) == 1 and hasattr(op, "to_matrix") and self.turn(op, qubits, guard):
            return
        standard = getattr(op, "_standard_gate", None) is not None
        if name == "swap" and standard and guard == TRUE:
            self.row(Row.SWAP, qubits, None, guard)
        elif name in ROTATIONS and standard and len(qubits) == 2:
            axes = tuple(PAULI_AXES[p] for p in ROTATIONS[name])
            self.row(Row.PARITY, qubits, (float(op.params[0]), axes), guard)
        elif not (self.controlled_gate(op, qubits, guard) or self.whole(op, qubits, guard)):
            self.definition(op, qubits, clbits, guard)

    def turn(self, op: Any, qubits: tuple[int, ...], guard: int) -> bool:
        key = None
        if getattr(op, "_standard_gate", None) is not None:
            key = (op.name, *op.params)
        turn = self.turns.get(key) if key else None
        if turn is None:
            try:
                turn = from_matrix(np.asarray(op.to_matrix(), complex))[0]
            except Exception:  # a gate without a matrix says so in many ways; its definition is used then
                return False
            if key:
                self.turns[key] = turn
        self.row(Row.TURN, qubits, turn, guard)
        return True

    def whole(self, op: Any, qubits: tuple[int, ...], guard: int) -> bool:
        """A Pauli rotation, or a two-qubit gate with a matrix of its own."""
        if op.name == "PauliEvolution":
            found = evolution_legs(op)
            if found is None:
                return False
            angle, legs = found
            if legs:
                wires = tuple(qubits[q] for q, _ in legs)
                self.row(Row.PARITY, wires, (angle, tuple(axis for _, axis in legs)), guard)
            return True
        matrix = pair_matrix(op) if len(qubits) == 2 else None
        if matrix is not None:
            self.row(Row.BLOCK, qubits, matrix, guard)
        return matrix is not None

    def controlled_gate(self, op: Any, qubits: tuple[int, ...], guard: int) -> bool:
        """Controlled-U: a phase on the controls, and one on the controls and an axis of the target.

        With one control and two phases it is rotations of control, of target and of both.
        """
        key = (op.name, *op.params) if getattr(op, "_standard_gate", None) is not None else None
        known = self.controlled.get(key) if key else None
        if known is None:
            parts = controlled_parts(op)
            if parts is None:
                return False
            known = (parts[0], parts[1], eigenphases(parts[2]))
            if key:
                self.controlled[key] = known
        count, state, (axis, phi, rest) = known
        signs = tuple(Z_AXIS if state >> i & 1 else (0.0, 0.0, -1.0) for i in range(count))
        if rest != 0.0 and count == 1:
            # A rotation of each and one of both: coordinates between gates (of witnesses) depend on this choice.
            control, target = qubits
            if abs(math.remainder(rest + phi / 2, math.tau)) > 1e-14:
                self.row(Row.TURN, (control,), rotations.about(signs[0], rest + phi / 2), guard)
            if phi != 0.0:
                self.row(Row.TURN, (target,), rotations.about(axis, phi / 2), guard)
                self.row(Row.PARITY, qubits, (-phi / 2, (*signs, axis)), guard)
            return True
        if rest != 0.0:
            self.row(Row.MCP, qubits[:-1], (rest, signs), guard)
        if phi != 0.0:
            self.row(Row.MCP, qubits, (phi, (*signs, axis)), guard)
        return True

    def definition(self, op: Any, qubits: tuple[int, ...], clbits: list[int], guard: int) -> None:
        circuit = getattr(op, "definition", None)
        if circuit is None:
            circuit = annotated_definition(op)
        if circuit is None:
            raise InputError(f"gate {op.name!r}: it has neither a definition nor a matrix that can be used.")
        self.depth += 1
        self.walk(circuit, qubits, clbits, guard, self.path)
        self.depth -= 1
