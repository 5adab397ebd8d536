"""The source circuit as steps of the branch simulator, by Qiskit's own matrices and definitions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distq.verify.branches import Guard, Step
from distq.verify.outputs import output_qubits

#: Matrices of gates on more qubits than this are avoided where the gate has a definition.
MATRIX_QUBITS = 6


class UnsupportedError(Exception):
    """The source circuit holds something that the branch simulator cannot do; the message names it."""


@dataclass
class SourceSteps:
    """Steps over the qubits and classical bits of a circuit (further bits hold values of conditions).

    Attributes:
        num_qubits, num_clbits: of the circuit.
        steps: what to do.
        outputs: qubits whose last operation is not an unconditional measurement or reset.
        touched: qubits that some step names.
        has_measurement: whether anything but unitary gates occurs.
    """

    num_qubits: int
    num_clbits: int
    steps: list[Step] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    has_measurement: bool = False


def source_steps(circuit: Any) -> SourceSteps:
    """Flatten a bound `QuantumCircuit`: conditionals become guards, loops are unrolled.

    Raises:
        UnsupportedError: a loop on measured values, a stored variable or an operation without a meaning.
    """
    return _Flattener(circuit).run()


class _Flattener:
    def __init__(self, circuit: Any) -> None:
        self.circuit = circuit
        self.result = SourceSteps(circuit.num_qubits, circuit.num_clbits)
        self.next_bit = circuit.num_clbits
        self.matrices: dict[Any, Any] = {}

    def run(self) -> SourceSteps:
        if next(self.circuit.iter_vars(), None) is not None or next(self.circuit.iter_stretches(), None):
            raise UnsupportedError("stored classical variables are not supported")
        n, m = self.circuit.num_qubits, self.circuit.num_clbits
        self.block(self.circuit, list(range(n)), list(range(m)), ())
        result = self.result
        result.touched = {q for step in result.steps for q in step.qubits}
        result.has_measurement = any(s.kind in ("measure", "reset") for s in result.steps)
        result.outputs = output_qubits(self.circuit)
        return result

    def block(self, body: Any, qubits: Sequence[int], clbits: Sequence[int], guard: Guard) -> None:
        """Steps of a circuit whose bits are those of the whole circuit at the given positions."""
        q_of = dict(zip(body.qubits, qubits))
        c_of = dict(zip(body.clbits, clbits))
        for instruction in body.data:
            where = [q_of[q] for q in instruction.qubits]
            values = [c_of[c] for c in instruction.clbits]
            self.operation(instruction.operation, where, values, guard, c_of)

    def operation(self, op: Any, qubits: list[int], clbits: list[int], guard: Guard, c_of: dict[Any, int]) -> None:
        name = op.name
        if name in ("barrier", "delay"):
            return
        if name == "measure":
            self.add(Step("measure", tuple(qubits), guard=guard, bit=clbits[0]))
        elif name == "reset":
            self.add(Step("reset", tuple(qubits), guard=guard))
        elif name == "swap" and getattr(op, "_standard_gate", None) is not None:
            self.add(Step("swap", tuple(qubits), guard=guard))
        elif name == "if_else":
            bit = self.condition(op.condition, guard, c_of)
            for value, body in zip((1, 0), op.blocks):
                self.block(body, qubits, clbits, (*guard, (bit, value)))
        elif name == "switch_case":
            self.switch(op, qubits, clbits, guard, c_of)
        elif name == "for_loop":
            indices, parameter, body = op.params
            for value in indices:
                bound = body if parameter is None else body.assign_parameters({parameter: value})
                self.block(bound, qubits, clbits, guard)
        elif name == "box":
            self.block(op.blocks[0], qubits, clbits, guard)
        elif hasattr(op, "blocks") or name in ("store", "break_loop", "continue_loop"):
            raise UnsupportedError(f"{name} is not supported")
        else:
            self.gate(op, qubits, clbits, guard)

    def add(self, step: Step) -> None:
        if step.guard and step.kind == "swap":
            # A conditional exchange does not only rename.
            a, b = step.qubits
            for c, t in ((a, b), (b, a), (a, b)):
                self.add(Step("gate", (c, t), matrix=_X, controls=1, pattern=(1,), guard=step.guard))
            return
        self.result.steps.append(step)

    def evaluate(self, reads: list[int], function: Callable[[Sequence[int]], int], guard: Guard) -> int:
        bit = self.next_bit
        self.next_bit += 1
        self.add(Step("eval", reads=tuple(reads), function=function, guard=guard, bit=bit))
        return bit

    def condition(self, condition: Any, guard: Guard, c_of: dict[Any, int]) -> int:
        """A new bit that holds the value that a condition has now."""
        reads, number = _expression(condition, c_of)
        return self.evaluate(reads, lambda v: int(bool(number(v))), guard)

    def switch(self, op: Any, qubits: list[int], clbits: list[int], guard: Guard, c_of: dict[Any, int]) -> None:
        from qiskit.circuit import CASE_DEFAULT

        reads, number = _expression(op.target, c_of)
        seen: list[int] = []
        for labels, body in op.cases_specifier():
            default = any(label is CASE_DEFAULT for label in labels)
            wanted = {int(label) for label in labels if label is not CASE_DEFAULT}
            # The default comes last and takes what no earlier case took.
            taken = set(seen) if default else None

            def matches(v: Sequence[int], wanted: set[int] = wanted, taken: set[int] | None = taken) -> int:
                value = int(number(v))
                return int(value in wanted or (taken is not None and value not in taken))

            bit = self.evaluate(reads, matches, guard)
            seen.extend(wanted)
            self.block(body, qubits, clbits, (*guard, (bit, 1)))

    def gate(self, op: Any, qubits: list[int], clbits: list[int], guard: Guard) -> None:
        import qiskit.circuit.library as lib
        from qiskit.circuit import ControlledGate

        if not qubits:
            return  # a phase of everything
        many = len(qubits) > 2
        if many and isinstance(op, lib.PermutationGate):
            self.permutation(op, qubits, guard)
            return
        if many and isinstance(op, ControlledGate) and len(op.base_gate.params) == len(op.params) != 4:
            # (A controlled CU keeps four parameters that its base gate does not take.)
            k = op.num_ctrl_qubits
            pattern = tuple((op.ctrl_state >> j) & 1 for j in range(k))
            self.add_matrix(op.base_gate, qubits, k, pattern, guard, op.name)
            return
        if len(qubits) <= MATRIX_QUBITS and self.add_matrix(op, qubits, 0, (), guard):
            return
        definition = getattr(op, "definition", None)
        if definition is None:
            if len(qubits) > 12 or not self.add_matrix(op, qubits, 0, (), guard):
                raise UnsupportedError(f"{op.name} has neither a matrix nor a definition")
            return
        self.block(definition, qubits, clbits, guard)

    def permutation(self, op: Any, qubits: list[int], guard: Guard) -> None:
        """Output j of the permutation is input pattern[j]; carried out as exchanges."""
        held = list(range(len(qubits)))
        for j, source in enumerate(op.pattern):
            at = held.index(int(source))
            if at != j:
                held[j], held[at] = held[at], held[j]
                self.add(Step("swap", (qubits[j], qubits[at]), guard=guard))

    def add_matrix(
        self,
        op: Any,
        qubits: list[int],
        controls: int,
        pattern: tuple[int, ...],
        guard: Guard,
        name: str = "",
    ) -> bool:
        matrix = self.matrix(op)
        if matrix is None:
            return False
        diagonal = controls == 0 and np.count_nonzero(matrix - np.diag(np.diagonal(matrix))) == 0
        if diagonal:
            self.add(
                Step(
                    "diagonal",
                    tuple(qubits),
                    matrix=np.diagonal(matrix).copy(),
                    guard=guard,
                    name=name or op.name,
                )
            )
        else:
            self.add(
                Step(
                    "gate",
                    tuple(qubits),
                    matrix=matrix,
                    controls=controls,
                    pattern=pattern,
                    guard=guard,
                    name=name or op.name,
                )
            )
        return True

    def matrix(self, op: Any) -> Any:
        """Matrix by Qiskit, or None where it has none."""
        key = None
        if all(isinstance(p, (int, float)) for p in getattr(op, "params", (None,))):
            key = (op.name, type(op), tuple(op.params), getattr(op, "ctrl_state", None), op.num_qubits)
            if key in self.matrices:
                return self.matrices[key]
        value = self.find_matrix(op)
        if key is not None and getattr(op, "_standard_gate", None) is not None:
            self.matrices[key] = value
        return value

    @classmethod
    def find_matrix(cls, op: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of SciPy, about the format of its sparse matrices
            return cls.compute_matrix(op)

    @staticmethod
    def compute_matrix(op: Any) -> Any:
        from qiskit.circuit import AnnotatedOperation, Gate
        from qiskit.exceptions import QiskitError
        from qiskit.quantum_info import Operator

        try:
            return np.asarray(op.to_matrix(), dtype=np.complex128)
        except (AttributeError, QiskitError, TypeError, NotImplementedError):
            pass
        if not isinstance(op, (Gate, AnnotatedOperation)):
            return None  # it may hold resets or measurements
        try:
            return np.asarray(Operator(op).data, dtype=np.complex128)
        except (QiskitError, TypeError):
            return None


_X = np.array([[0, 1], [1, 0]], np.complex128)


def _expression(condition: Any, c_of: dict[Any, int]) -> tuple[list[int], Callable[[Sequence[int]], int]]:
    """Positions of the bits that a condition reads, and a function from their values to its value."""
    from qiskit.circuit import ClassicalRegister, Clbit
    from qiskit.circuit.classical import expr, types

    reads: list[int] = []

    def read(bits: Sequence[Any]) -> Callable[[Sequence[int]], int]:
        start = len(reads)
        reads.extend(c_of[b] for b in bits)
        stop = len(reads)
        return lambda v: sum(x << j for j, x in enumerate(v[start:stop]))

    def build(node: Any) -> Callable[[Sequence[int]], int]:
        if isinstance(node, Clbit):
            return read([node])
        if isinstance(node, ClassicalRegister):
            return read(list(node))
        if isinstance(node, expr.Value):
            return lambda v: int(node.value)
        if isinstance(node, expr.Var):
            if not isinstance(node.var, (Clbit, ClassicalRegister)):
                raise UnsupportedError("stored classical variables are not supported")
            return build(node.var)
        if isinstance(node, expr.Cast):
            inner = build(node.operand)
            if isinstance(node.type, types.Bool):
                return lambda v: int(bool(inner(v)))
            mask = _mask(node.type)
            return lambda v: inner(v) & mask
        if isinstance(node, expr.Unary):
            inner, mask = build(node.operand), _mask(node.type)
            if node.op is expr.Unary.Op.LOGIC_NOT:
                return lambda v: int(not inner(v))
            if node.op is expr.Unary.Op.BIT_NOT:
                return lambda v: ~inner(v) & mask
            raise UnsupportedError(f"{node.op} in a condition is not supported")
        if isinstance(node, expr.Binary):
            return _binary(node, build(node.left), build(node.right))
        if isinstance(node, expr.Index):
            target, index = build(node.target), build(node.index)
            return lambda v: (target(v) >> index(v)) & 1
        raise UnsupportedError(f"the condition {node!r} is not supported")

    if isinstance(condition, tuple):
        target, wanted = condition
        number = build(target)
        return reads, lambda v: int(number(v) == int(wanted))
    return reads, build(condition)


def _mask(kind: Any) -> int:
    width = getattr(kind, "width", 1)
    return int((1 << width) - 1)


def _binary(
    node: Any, left: Callable[[Sequence[int]], int], right: Callable[[Sequence[int]], int]
) -> Callable[[Sequence[int]], int]:
    from qiskit.circuit.classical.expr import Binary

    op, mask = node.op, _mask(node.type)
    table: dict[Any, Callable[[int, int], int]] = {
        Binary.Op.BIT_AND: lambda a, b: a & b,
        Binary.Op.BIT_OR: lambda a, b: a | b,
        Binary.Op.BIT_XOR: lambda a, b: a ^ b,
        Binary.Op.LOGIC_AND: lambda a, b: int(bool(a and b)),
        Binary.Op.LOGIC_OR: lambda a, b: int(bool(a or b)),
        Binary.Op.EQUAL: lambda a, b: int(a == b),
        Binary.Op.NOT_EQUAL: lambda a, b: int(a != b),
        Binary.Op.LESS: lambda a, b: int(a < b),
        Binary.Op.LESS_EQUAL: lambda a, b: int(a <= b),
        Binary.Op.GREATER: lambda a, b: int(a > b),
        Binary.Op.GREATER_EQUAL: lambda a, b: int(a >= b),
        Binary.Op.SHIFT_LEFT: lambda a, b: (a << b) & mask,
        Binary.Op.SHIFT_RIGHT: lambda a, b: a >> b,
    }
    if op not in table:
        raise UnsupportedError(f"{op} in a condition is not supported")
    function = table[op]
    return lambda v: function(left(v), right(v))
