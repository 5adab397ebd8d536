"""Qiskit circuits become logical circuits: normal form, guards, single-assignment bits, unrolled loops."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from distq.circuit.conditions import (
    Diagrams,
    Evaluator,
    TooComplexError,
    UnsupportedConditionError,
    assign,
)
from distq.circuit.control import conjugations
from distq.circuit.logical import LogicalCircuit, Register
from distq.circuit.operations import UnknownOperationError, add_operation, definition_of
from distq.circuit.rows import Rows
from distq.circuit.standard import HANDLERS
from distq.circuit.witnesses import OWN_WAY, Origins, Path, is_understood
from distq.errors import InputError
from distq.ops import NUM_PARAMS, Conjunction, DecisionList, Op

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: Loops are unrolled up to this many rows in all.
MAX_ROWS = 50_000_000

_MEASURE, _RESET = int(Op.MEASURE), int(Op.RESET)
#: Handlers of gates that need no witness, and of those among them that need none inside a conditional.
_FREE = {name: handler for name, handler in HANDLERS.items() if name not in OWN_WAY}
_GUARDED = {name: handler for name, handler in _FREE.items() if name != "swap"}


def from_qiskit(circuit: QuantumCircuit, *, mirrors: bool = True) -> LogicalCircuit:
    """The normal form of a Qiskit circuit.

    Every gate becomes one-qubit gates around diagonal gates on two or more qubits; SWAPs and permutations outside
    conditionals relabel wires; conditionals become guards over bit versions; `for` loops are unrolled; barriers and
    delays are dropped. Unbound parameters stay symbolic.

    Args:
        circuit: any circuit of gates, measurements, resets, `if_test`, `if_else`, `for_loop` and `box`.
        mirrors: read a gate that is cheaper together with a SWAP as that and a relabelling: an iSWAP as a CZ.

    Raises:
        InputError: an operation is not supported; the message says which, where, and what to do.
    """
    walker = Walker(circuit)
    walker.mirrors = mirrors
    walker.run()
    return walker.build()


def readings(circuit: QuantumCircuit, homes_are_bound: bool) -> list[LogicalCircuit]:
    """The normal forms of a circuit that are worth a plan of their own.

    Reading a gate as a cheaper one and a SWAP pays where qubits may end anywhere. Where they may not, the SWAP has to
    be undone by moves of homes, and the gate as it stands (an iSWAP as two CZ) may be cheaper: then both are given.

    Args:
        circuit: as for `from_qiskit`.
        homes_are_bound: whether something is asked of the final homes.
    """
    first = from_qiskit(circuit)
    if not homes_are_bound or np.array_equal(first.output_wire, np.arange(first.num_qubits)):
        return [first]
    second = from_qiskit(circuit, mirrors=False)
    return [first] if np.array_equal(second.output_wire, first.output_wire) else [first, second]


@dataclass(frozen=True)
class _Scope:
    """How the bits of one circuit (the source, a block or a definition) map to those of the source."""

    qubit: dict[Any, int]
    clbit: dict[Any, int]
    inside: str = ""
    path: Path = ()
    first: int = 0


class Walker(Rows):
    """Walks over a circuit and its blocks and appends rows."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        super().__init__()
        self.circuit = circuit
        #: Wire of each qubit of the source, and the inverse.
        self.wire = list(range(circuit.num_qubits))
        self.position = list(range(circuit.num_qubits))
        self.free_swaps = True
        self.guard: Conjunction = ()
        self.guards: dict[Conjunction, int] = {}
        self.guarded: list[tuple[int, int]] = []
        self.measured: list[tuple[int, int]] = []
        self.bit_clbit: list[int] = []
        self.values: list[DecisionList] = [(((), -1),)] * circuit.num_clbits
        self.origins = Origins()
        self._qubit_names = _names(circuit.qubits, circuit.qregs, "qubit")

    # -- the walk ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Walk over the whole source."""
        circuit = self.circuit
        scope = _Scope({q: i for i, q in enumerate(circuit.qubits)}, {c: i for i, c in enumerate(circuit.clbits)})
        self.walk(circuit, scope)

    def walk(self, circuit: QuantumCircuit, scope: _Scope) -> None:
        """Append all instructions of a circuit or block."""
        self._refuse_variables(circuit, scope)
        if not self.guard:
            self.phase = self.phase + circuit.global_phase
        wire, where, handlers = self.wire, scope.qubit, _GUARDED if self.guard else _FREE
        origins, code = self.origins, self.code
        origins.enter(scope.path, scope.first)
        mark_origin, stretches = origins.marks.append, len(origins.segments)
        for index, instruction in enumerate(circuit.data):
            mark_origin(len(code))
            if instruction.is_standard_gate():
                handler = handlers.get(instruction.name)
                if handler is not None:
                    qubits = [wire[where[q]] for q in instruction.qubits]
                    if self.guard:
                        mark = self._mark()
                        handler(self, qubits, instruction.params)
                        self._apply_guard(mark)
                    else:
                        handler(self, qubits, instruction.params)
                    continue
            self._other(index, instruction, scope)
            if len(origins.segments) > stretches:
                origins.enter(scope.path, index + 1)
                stretches = len(origins.segments)

    def _other(self, index: int, instruction: Any, scope: _Scope) -> None:
        from qiskit.circuit import Barrier, Delay, Measure, Reset

        operation = instruction.operation
        positions = [scope.qubit[q] for q in instruction.qubits]
        if isinstance(operation, Measure):
            self.measure(self.wire[positions[0]], scope.clbit[instruction.clbits[0]])
        elif isinstance(operation, Reset):
            mark = self._mark()
            self.gate(_RESET, self.wire[positions[0]])
            self._apply_guard(mark)
        elif isinstance(operation, (Barrier, Delay)):
            return
        else:
            place = _Place(self, index, operation, positions, scope.inside)
            if not self._control_flow(operation, instruction, scope, place):
                self._unitary_or_definition(operation, instruction, scope, place)

    def _unitary_or_definition(self, operation: Any, instruction: Any, scope: _Scope, place: _Place) -> None:
        positions = place.positions
        mark, wires = self._mark(), [self.wire[p] for p in place.positions]
        handler = HANDLERS.get(operation.name) if instruction.is_standard_gate() else None
        try:
            if handler is not None:
                handler(self, wires, instruction.params)
            done = handler is not None or add_operation(self, operation, wires)
        except UnknownOperationError as error:
            place.refuse(str(error))
        if done:
            self._note_rows(operation, mark, wires, [self.wire[p] for p in positions])
            self._apply_guard(mark)
            return
        definition = definition_of(operation)
        if definition is None:
            place.refuse(
                "has neither a definition nor a matrix: give the gate a definition, or replace it by known gates"
            )
        inner = _Scope(
            dict(zip(definition.qubits, positions)),
            dict(zip(definition.clbits, (scope.clbit[c] for c in instruction.clbits))),
            f", in the definition of {place}",
            (*scope.path, place.index),
        )
        if len(definition.data) == 1 and definition.data[0].name == "unitary":
            # A matrix and nothing else: the instruction itself is the place to name.
            inner = replace(inner, path=scope.path, first=place.index)
            self.origins.repeats = True
        self.walk(definition, inner)

    def _note_rows(
        self, operation: Any, mark: tuple[int, int, int], before: Sequence[int], after: Sequence[int]
    ) -> None:
        """Keep the rows since `mark` as a witness, if others would not come to them from the operation."""
        code = self.code[mark[0] :]
        if before != after or Op.MCP in code or Op.PARITY in code:
            rows = self.tail(*mark)
            if not is_understood(operation, rows):
                self.origins.witness(mark[0], len(self.code), rows, before, after)

    # -- rows ----------------------------------------------------------------------------------------------------

    def swap(self, a: int, b: int) -> None:
        """Exchange two wires: a relabelling, or three CX inside a conditional."""
        if not self.free_swaps:
            super().swap(a, b)
            return
        i, j = self.position[a], self.position[b]
        self.position[a], self.position[b] = j, i
        self.wire[i], self.wire[j] = b, a

    def permute(self, qubits: Sequence[int], pattern: Sequence[int]) -> None:
        """A relabelling, or swaps inside a conditional."""
        if not self.free_swaps:
            super().permute(qubits, pattern)
            return
        positions = [self.position[q] for q in qubits]
        for k, p in enumerate(positions):
            self.wire[p] = qubits[pattern[k]]
            self.position[qubits[pattern[k]]] = p

    def measure(self, wire: int, clbit: int) -> None:
        """Append a measurement into a new version of `clbit`."""
        mark = self._mark()
        version = len(self.bit_clbit)
        self.bit_clbit.append(clbit)
        self.measured.append((len(self.code), version))
        self.gate(_MEASURE, wire)
        self._apply_guard(mark)
        self.values[clbit] = assign(self.values[clbit], self.guard, version)

    def _mark(self) -> tuple[int, int, int]:
        return len(self.code), len(self.qubits), len(self.params)

    def _apply_guard(self, mark: tuple[int, int, int]) -> None:
        """Put the guard on the rows since `mark`, except those that cancel when the guard is false."""
        if not self.guard or len(self.code) == mark[0]:
            return
        index = self.guards.setdefault(self.guard, len(self.guards))
        free = conjugations(self.tail(*mark)) if len(self.code) > mark[0] + 1 else set()
        first = mark[0]
        self.guarded.extend((row, index) for row in range(first, len(self.code)) if row - first not in free)

    # -- control flow --------------------------------------------------------------------------------------------

    def _control_flow(self, operation: Any, instruction: Any, scope: _Scope, place: _Place) -> bool:
        from qiskit.circuit import BoxOp, ControlFlowOp, ForLoopOp, IfElseOp, Store

        if isinstance(operation, IfElseOp):
            self._if_else(operation, instruction, scope, place)
        elif isinstance(operation, ForLoopOp):
            self._for_loop(operation, instruction, scope, place)
        elif isinstance(operation, BoxOp):
            block = operation.blocks[0]
            self.walk(block, self._inner(block, instruction, scope, place, 0))
        elif isinstance(operation, Store):
            place.refuse("assigns a stored classical variable: only measured bits can be used in conditions")
        elif isinstance(operation, ControlFlowOp) or operation.name in ("break_loop", "continue_loop"):
            place.refuse(
                "is not supported: conditionals (if_test, if_else) and for loops with constant bounds are; "
                "unroll or rewrite it with those"
            )
        else:
            return False
        return True

    def _inner(
        self, block: QuantumCircuit, instruction: Any, scope: _Scope, place: _Place, number: int, note: str = ""
    ) -> _Scope:
        # Conditions in the block may name registers whose bits are those of the enclosing scope.
        clbits = scope.clbit
        own = [(b, scope.clbit[c]) for b, c in zip(block.clbits, instruction.clbits)]
        if any(clbits.get(b) != c for b, c in own):
            clbits = {**clbits, **dict(own)}
        qubits = dict(zip(block.qubits, place.positions))
        return _Scope(qubits, clbits, f", inside {place}{note}", (*scope.path, place.index, number))

    def _if_else(self, operation: Any, instruction: Any, scope: _Scope, place: _Place) -> None:
        diagrams = Diagrams()

        def read(bit: Any) -> int:
            if bit not in scope.clbit:
                place.refuse("has a condition on a classical bit that is not in the circuit: add the bit to it")
            return diagrams.of_decision_list(self.values[scope.clbit[bit]])

        try:
            condition = Evaluator(diagrams, read).condition(operation.condition)
            truth = diagrams.under(condition, self.guard)
            # Both lists are made before a block can write a bit.
            cases = [(diagrams.conjunctions(truth), operation.blocks[0], " (true branch)")]
            if len(operation.blocks) > 1:
                cases.append((diagrams.conjunctions(diagrams.neg(truth)), operation.blocks[1], " (else branch)"))
        except UnsupportedConditionError as error:
            place.refuse(
                f"has a condition that uses {error}, which is not supported: use Boolean and integer "
                "comparisons of measured bits"
            )
        except (TooComplexError, RecursionError):
            place.refuse(
                "has a condition that needs more than 2048 disjoint cases of measured bits: use fewer bits "
                "in one condition"
            )
        outer, outer_swaps, outer_phase = self.guard, self.free_swaps, self.phase
        for number, (conjunctions, block, note) in enumerate(cases):
            inner = self._inner(block, instruction, scope, place, number, note)
            self.origins.repeats |= len(conjunctions) > 1
            for conjunction in conjunctions:
                self.guard = tuple(sorted({*outer, *conjunction}))
                self.free_swaps = outer_swaps and not self.guard
                self.walk(block, inner)
        self.guard, self.free_swaps = outer, outer_swaps
        if self.guard or all(conjunctions != [()] for conjunctions, _, _ in cases):
            self.phase = outer_phase  # the phase of a branch cannot be observed

    def _for_loop(self, operation: Any, instruction: Any, scope: _Scope, place: _Place) -> None:
        from qiskit.circuit import Parameter

        indices, parameter, body = operation.params
        if parameter is not None and not isinstance(parameter, Parameter):
            place.refuse("counts with a stored classical variable: use a Parameter as the loop parameter")
        for count, value in enumerate(indices):
            bound = body
            if parameter is not None and parameter in body.parameters:
                bound = body.assign_parameters({parameter: value})
            note = f" (iteration {count})"
            self.walk(bound, self._inner(bound, instruction, scope, place, count, note))
            if len(self.code) > MAX_ROWS or (count > MAX_ROWS):
                place.refuse(f"unrolls to more than {MAX_ROWS} operations: use fewer repetitions")

    def _refuse_variables(self, circuit: QuantumCircuit, scope: _Scope) -> None:
        names = [v.name for v in circuit.iter_vars()]
        if names:
            raise InputError(
                f"The circuit{scope.inside} has the classical variable '{names[0]}', which is not supported: only "
                "measured bits can be used in conditions; use Parameters for values known before the run."
            )

    # -- the result ----------------------------------------------------------------------------------------------

    def build(self) -> LogicalCircuit:
        """The circuit from the rows so far."""
        circuit = self.circuit
        code = np.frombuffer(bytes(self.code), np.uint8)
        width = np.where((code == Op.MCP) | (code == Op.PARITY), 2, 1)
        if self.wide:
            width[list(self.wide)] = list(self.wide.values())
        params = np.array(self.params, np.float64)
        param_expr = np.full(len(params), -1, np.int32)
        if self.symbols:
            param_expr[list(self.symbols)] = np.arange(len(self.symbols))
        if not np.isfinite(params[param_expr < 0]).all():
            self._refuse_not_finite()
        guard = np.full(len(code), -1, np.int32)
        if self.guarded:
            pairs = np.array(self.guarded, np.int64)
            guard[pairs[:, 0]] = pairs[:, 1]
        bit = np.full(len(code), -1, np.int32)
        if self.measured:
            pairs = np.array(self.measured, np.int64)
            bit[pairs[:, 0]] = pairs[:, 1]
        origin, paths, rewrites = self.origins.columns(len(code))
        return LogicalCircuit(
            num_qubits=circuit.num_qubits,
            code=code,
            qubit_offsets=_offsets(width),
            qubits=np.array(self.qubits, np.int32),
            param_offsets=_offsets(np.array(NUM_PARAMS)[code]),
            params=params,
            param_expr=param_expr,
            guard=guard,
            bit=bit,
            guards=tuple(self.guards),
            bit_clbit=tuple(self.bit_clbit),
            clbit_values=tuple(self.values),
            expressions=tuple(self.symbols.values()),
            output_wire=np.array(self.wire, np.int32),
            qubit_registers=_registers(circuit.qubits, circuit.qregs),
            clbit_registers=_registers(circuit.clbits, circuit.cregs),
            global_phase=self.phase,
            # Names that Qiskit numbers by itself depend on what ran before.
            name=re.sub(r"^circuit-\d+(-\d+)?$", "circuit", circuit.name),
            blocks=((0, len(code), 1),),
            origin=origin,
            paths=paths,
            rewrites=rewrites,
            ended=self._ended(code),
        )

    def _ended(self, code: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which qubits end with a measurement or reset; nobody looks for them where there is none."""
        from distq.circuit.lives import ended_qubits

        if not np.isin(code, (_MEASURE, _RESET)).any():
            return np.zeros(self.circuit.num_qubits, np.bool_)
        return ended_qubits(self.circuit)

    def _refuse_not_finite(self) -> NoReturn:
        for index, instruction in enumerate(self.circuit.data):
            for value in instruction.params:
                if isinstance(value, (int, float)) and not np.isfinite(value):
                    place = _Place(
                        self,
                        index,
                        instruction,
                        [self.circuit.find_bit(q).index for q in instruction.qubits],
                        "",
                    )
                    place.refuse(f"has the parameter {value}: give it a finite angle")
        raise InputError("A gate of the circuit has a parameter that is not a finite real number: give it one.")


class _Place:
    """Where an operation is, for messages."""

    def __init__(self, walker: Walker, index: int, operation: Any, positions: Sequence[int], inside: str) -> None:
        self.walker, self.index, self.name = walker, index, operation.name
        self.positions, self.inside = positions, inside

    def __str__(self) -> str:
        names = [self.walker._qubit_names[p] for p in self.positions[:6]]
        more = ", ..." if len(self.positions) > 6 else ""
        on = f" on {', '.join(names)}{more}" if names else ""
        return f"'{self.name}' (instruction {self.index}{on}){self.inside}"

    def refuse(self, why: str) -> NoReturn:
        raise InputError(f"The operation {self} {why}.")


def _names(bits: Sequence[Any], registers: Iterable[Any], kind: str) -> list[str]:
    index = {b: i for i, b in enumerate(bits)}
    names = [f"{kind} {i}" for i in range(len(bits))]
    for register in registers:
        for k, bit in enumerate(register):
            names[index[bit]] = f"{register.name}[{k}]"
    return names


def _registers(bits: Sequence[Any], registers: Iterable[Any]) -> tuple[Register, ...]:
    index = {b: i for i, b in enumerate(bits)}
    return tuple(Register(r.name, tuple(index[b] for b in r)) for r in registers)


def _offsets(counts: Any) -> Any:
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result
