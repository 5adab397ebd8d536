"""The circuit inside the compiler: columns, not objects, so that a million gates fit and are fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.ops import NUM_ONE_QUBIT, Conjunction, DecisionList, Op

Int8 = NDArray[np.uint8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Register:
    """A named register of the source circuit; `bits` are positions among all qubits (or classical bits)."""

    name: str
    bits: tuple[int, ...]


#: A row as a tuple: code, wires, parameters (numbers or Qiskit ParameterExpressions).
WitnessRow = tuple[int, tuple[int, ...], tuple[Any, ...]]

#: `LogicalCircuit.origin` of a row that belongs to no single instruction (a merged one-qubit gate).
NO_ORIGIN = int(np.iinfo(np.int32).min)


@dataclass(frozen=True)
class Rewrite:
    """A witness: some instructions of the source, and the rows that took their place.

    The verifier is told of it (`blocks` of the manifest) and trusts nothing in it.

    Attributes:
        sources: k >= 0: instruction number k of the source; -1-n: all rows of the earlier rewrite n.
        rows: the rows that replace them, in wires, in the coordinates that each wire has just before the first
            gate on two or more qubits that they replace there.
        swaps: pairs of wires that change names after these rows (a SWAP that became a relabelling).
        turn: rewrites of one pass have the same number, those of later passes higher ones.
    """

    sources: tuple[int, ...]
    rows: tuple[WitnessRow, ...]
    swaps: tuple[tuple[int, int], ...] = ()
    turn: int = 0


@dataclass(frozen=True)
class LogicalCircuit:
    """A circuit in normal form: one-qubit gates around diagonal gates on two or more qubits.

    Row i has code `code[i]` (an `Op`), acts on `qubits[qubit_offsets[i]:qubit_offsets[i+1]]` and has the
    parameters `params[param_offsets[i]:param_offsets[i+1]]` [rad]. SWAP gates of the source are relabellings:
    the rows act on wires (wire i holds qubit i at the start), and qubit i of the source ends on wire
    `output_wire[i]`.

    Classical bits are in single-assignment form: every MEASURE row writes a new bit version `bit[i]`, which
    is 0 if the guard of the row is false. `clbit_values[c]` says which version classical bit c of the source
    holds at the end.

    Attributes:
        num_qubits: number of wires.
        code: (N,) operation codes.
        qubit_offsets: (N+1,) offsets into `qubits`.
        qubits: flat wire indices.
        param_offsets: (N+1,) offsets into `params` and `param_expr`.
        params: flat parameters [rad]; NaN where the parameter is symbolic.
        param_expr: flat; index into `expressions`, or -1 where the parameter is a number.
        guard: (N,) index into `guards`, or -1: always executed.
        bit: (N,) the bit version that a MEASURE row writes, else -1.
        guards: conjunctions of (bit version, value).
        bit_clbit: for each bit version the classical bit of the source that it was written to.
        clbit_values: for each classical bit of the source its value at the end, over bit versions.
        expressions: Qiskit ParameterExpressions (unbound parameters).
        output_wire: (num_qubits,) where each qubit of the source ends.
        qubit_registers: registers of the source; qubits outside every register are allowed.
        clbit_registers: classical registers of the source.
        global_phase: of the source [rad]; a number or a ParameterExpression; not observable.
        name: of the source.
        blocks: (first row, row after the last, repeat count) in order; one block with count 1 for now.
        origin: (N,) where each row comes from: k >= 0: instruction number k of the source; -1-n: rewrite n;
            `NO_ORIGIN`: neither. Empty if it is not tracked any more (after `merge_one_qubit`).
        paths: for each instruction number its path: its position in `QuantumCircuit.data`, then, inside a gate with a
            definition, its position in `definition.data`; inside an if or a for, the number of the branch (0 true,
            1 else) or of the iteration and its position in that body; and so on. Empty: instruction k has path (k,).
        rewrites: what was put in the place of instructions, in order.
        slipped: by origin of gates on two or more qubits, rotations on single wires that these commute with and that
            stand on one side of them here and on the other in the source: from the coordinates that a wire has in the
            source before the first of these gates, they lead to those that it has here. What a later pass puts there
            is to be stated in the coordinates of the source.
        error_bound: bound on the operator norm of the difference from the source, up to a global phase.
        wide_before: after `rewrite.meaning`: for each gate on two or more qubits, in order, its number among those that
            there were before, -1 if it is another gate now. None: they are what they were.
        start: "zero" if this is the source only for qubits that start in |0>, else "any".
        outcomes_only: whether it shares with the source no more than the joint distribution of the classical bits.
        ended: (qubits of the source,) which of them end with a measurement or a reset, so that what they hold at the
            end does not matter; empty: none.
        reuse: whether wires give their place back while they hold nothing that matters: from their last operation to
            the end or to an unconditional reset.
        births: only after `partition.reuse`: (RESET row, qubit of the source) in order: what the row's wire holds is
            given up, and from there on it carries this qubit, which is in |0>.
        input_wire: only after `partition.reuse`: (qubits of the source,) wire that carries each at the start; -1: none
            does, it is born later or never. None: wire i carries qubit i.
    """

    num_qubits: int
    code: Int8
    qubit_offsets: Int64
    qubits: Int32
    param_offsets: Int64
    params: Float64
    param_expr: Int32
    guard: Int32
    bit: Int32
    guards: tuple[Conjunction, ...] = ()
    bit_clbit: tuple[int, ...] = ()
    clbit_values: tuple[DecisionList, ...] = ()
    expressions: tuple[Any, ...] = ()
    output_wire: Int32 = field(default_factory=lambda: np.zeros(0, np.int32))
    qubit_registers: tuple[Register, ...] = ()
    clbit_registers: tuple[Register, ...] = ()
    global_phase: Any = 0.0
    name: str = ""
    blocks: tuple[tuple[int, int, int], ...] = ()
    origin: Int32 = field(default_factory=lambda: np.zeros(0, np.int32))
    paths: tuple[tuple[int, ...], ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    slipped: Mapping[int, tuple[WitnessRow, ...]] = field(default_factory=dict)
    error_bound: float = 0.0
    wide_before: Int32 | None = None
    start: str = "any"
    outcomes_only: bool = False
    ended: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    reuse: bool = False
    births: tuple[tuple[int, int], ...] = ()
    input_wire: Int32 | None = None

    @property
    def next_turn(self) -> int:
        """`Rewrite.turn` of the next pass."""
        return 1 + self.rewrites[-1].turn if self.rewrites else 0

    def __len__(self) -> int:
        return len(self.code)

    @property
    def arity(self) -> Int64:
        """(N,) number of qubits of each row."""
        return np.diff(self.qubit_offsets)

    @property
    def num_clbits(self) -> int:
        """Number of classical bits of the source."""
        return len(self.clbit_values)

    @property
    def num_two_qubit_gates(self) -> int:
        """Number of gates on two or more qubits, after the normal form."""
        return int(np.count_nonzero(self.arity >= 2))

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The unbound Qiskit Parameters, sorted by name."""
        found = {p for e in self.expressions for p in e.parameters}
        return tuple(sorted(found, key=lambda p: p.name))

    def kept_wires(self) -> NDArray[np.bool_]:
        """(num_qubits,) which wires hold something at the end that matters."""
        kept = np.zeros(self.num_qubits, np.bool_)
        if not self.outcomes_only:
            kept[self.output_wire[~self.ended] if len(self.ended) else self.output_wire] = True
        return kept

    def is_one_qubit_gate(self) -> NDArray[np.bool_]:
        """(N,) which rows are one-qubit unitary gates."""
        return self.code < NUM_ONE_QUBIT


class CircuitBuilder:
    """Collects rows and freezes them into a `LogicalCircuit`.

    >>> b = CircuitBuilder(2)
    >>> b.add(Op.H, (0,))
    >>> b.add(Op.MCP, (0, 1), (3.141592653589793,))
    >>> len(b.build())
    2
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self._code: list[int] = []
        self._qubit_offsets: list[int] = [0]
        self._qubits: list[int] = []
        self._param_offsets: list[int] = [0]
        self._params: list[float] = []
        self._param_expr: list[int] = []
        self._guard: list[int] = []
        self._bit: list[int] = []
        self._guards: dict[Conjunction, int] = {}
        self._expressions: list[Any] = []
        self.bit_clbit: list[int] = []

    def add(
        self,
        code: int,
        qubits: tuple[int, ...],
        params: tuple[Any, ...] = (),
        guard: Conjunction = (),
        bit: int = -1,
    ) -> None:
        """Append a row; a parameter is a number [rad] or a Qiskit ParameterExpression."""
        self._code.append(int(code))
        self._qubits.extend(qubits)
        self._qubit_offsets.append(len(self._qubits))
        for value in params:
            if isinstance(value, (int, float)):
                self._params.append(float(value))
                self._param_expr.append(-1)
            else:
                self._params.append(float("nan"))
                self._param_expr.append(len(self._expressions))
                self._expressions.append(value)
        self._param_offsets.append(len(self._params))
        self._guard.append(self._guards.setdefault(guard, len(self._guards)) if guard else -1)
        self._bit.append(bit)

    def new_bit(self, clbit: int) -> int:
        """A new bit version of classical bit `clbit`."""
        self.bit_clbit.append(clbit)
        return len(self.bit_clbit) - 1

    def measure(self, qubit: int, clbit: int, guard: Conjunction = ()) -> int:
        """Append a measurement of `qubit` and return the bit version that it writes."""
        version = self.new_bit(clbit)
        self.add(Op.MEASURE, (qubit,), guard=guard, bit=version)
        return version

    def build(self, **rest: Any) -> LogicalCircuit:
        """The circuit; `rest` are further fields of `LogicalCircuit` (registers, output_wire, ...)."""
        rest.setdefault("output_wire", np.arange(self.num_qubits, dtype=np.int32))
        return LogicalCircuit(
            num_qubits=self.num_qubits,
            code=np.array(self._code, np.uint8),
            qubit_offsets=np.array(self._qubit_offsets, np.int64),
            qubits=np.array(self._qubits, np.int32),
            param_offsets=np.array(self._param_offsets, np.int64),
            params=np.array(self._params, np.float64),
            param_expr=np.array(self._param_expr, np.int32),
            guard=np.array(self._guard, np.int32),
            bit=np.array(self._bit, np.int32),
            guards=tuple(self._guards),
            bit_clbit=tuple(self.bit_clbit),
            expressions=tuple(self._expressions),
            blocks=((0, len(self._code), 1),),
            **rest,
        )
