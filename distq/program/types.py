"""The distributed program: operations on the physical qubits of every module, in columns and in one order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import Register
from distq.network.model import Network
from distq.ops import NUM_PARAMS, Conjunction, DecisionList, Op

Int8 = NDArray[np.uint8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

#: Roles of physical qubits.
DATA, COMM = 0, 1
#: Kinds of program bits.
MEASURED, RECEIVED = 0, 1


@dataclass(frozen=True)
class Block:
    """A witness: the compiler put gates in the place of instructions. Only the verifier reads it, and trusts nothing.

    Attributes:
        of: an instruction of the source by its position or path, or -1-n: all gates of the earlier block n.
        gates: in the language of the module files, on q[i] for wire i.
        turn: blocks of one turn are put in their places together, after those of lower ones.
    """

    of: tuple[int | tuple[int, ...], ...]
    gates: tuple[str, ...]
    turn: int = 0


@dataclass(frozen=True)
class DistributedProgram:
    """What every module does, as one sequence that respects every dependency.

    Physical qubits and bits are numbered over the whole network; tables say where each lies. Row i has code
    `code[i]` (an `Op`) and acts on the physical qubits `qubits[qubit_offsets[i]:qubit_offsets[i+1]]`, which
    all lie in one module, except for EPR, whose two qubits lie at the ends of link `link[i]` (its first qubit
    in the module that the link names first). Every physical qubit starts in |0>, but those in `input_qubit`,
    which hold the circuit's input. A bit is written once: by MEASURE, or by SEND as a received bit of another
    module. A guarded MEASURE that is not carried out writes 0.

    Attributes:
        network: where the program runs.
        code, qubit_offsets, qubits, param_offsets, params, param_expr: as in `LogicalCircuit`.
        guard: (N,) index into `guards` (conjunctions of program bits, all of the row's module), or -1.
        bit: (N,) the bit written by MEASURE, the bit sent by SEND (a MEASURED bit), else -1.
        bit2: (N,) the RECEIVED bit that SEND writes in the other module, else -1.
        link: (N,) link index of EPR rows, else -1.
        tag: (N,) row of the plan's step table that this row comes from, -1 if none.
        exchange: (N,) the verifier's witness: number of the three-CX exchange that a CX row belongs to; number of the
            birth (`births`) that a RESET row is, what was there before being given up; -2 - q for a RESET row that
            gives up qubit q of the source; else -1.
        qubit_module, qubit_role, qubit_index: for every physical qubit its module, DATA or COMM, and its
            index there.
        bit_module, bit_kind, bit_index: for every bit its module, MEASURED or RECEIVED, and its index there.
        input_qubit: (n,) physical qubit that holds qubit i of the source circuit at the start; where it begins later
            (`unborn`), the one where it does.
        output_qubit: (n,) physical qubit that holds it at the end; qubits that were given up before may have the same
            as others.
        births: qubit of the source that begins at each birth, in |0>; those of one qubit are in the order of its lives.
        unborn: qubits of the source that are nowhere at the start, in increasing order: their first life begins at a
            birth, if at all.
        clbit_values: for each classical bit of the source its value at the end, over program bits.
        expressions: Qiskit ParameterExpressions.
        qubit_registers, clbit_registers, circuit_name, global_phase: of the source circuit.
        start: "zero" if the program relies on qubits that start in |0>, else "any".
        outcomes_only: whether it preserves no more than the joint distribution of the classical bits.
        blocks: witnesses, in order.
        error_bound: bound on the operator norm of the difference from the circuit, up to a global phase.
        block_parameters: sorted names of unbound parameters that occur in witnesses only.
    """

    network: Network
    code: Int8
    qubit_offsets: Int64
    qubits: Int32
    param_offsets: Int64
    params: NDArray[np.float64]
    param_expr: Int32
    guard: Int32
    bit: Int32
    bit2: Int32
    link: Int32
    tag: Int32
    exchange: Int32
    guards: tuple[Conjunction, ...]
    qubit_module: Int32
    qubit_role: Int8
    qubit_index: Int32
    bit_module: Int32
    bit_kind: Int8
    bit_index: Int32
    input_qubit: Int32
    output_qubit: Int32
    clbit_values: tuple[DecisionList, ...]
    expressions: tuple[Any, ...] = ()
    qubit_registers: tuple[Register, ...] = ()
    clbit_registers: tuple[Register, ...] = ()
    circuit_name: str = ""
    global_phase: Any = 0.0
    start: str = "any"
    outcomes_only: bool = False
    blocks: tuple[Block, ...] = ()
    block_parameters: tuple[str, ...] = ()
    error_bound: float = 0.0
    births: tuple[int, ...] = ()
    unborn: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.code)

    @property
    def num_qubits(self) -> int:
        """Number of qubits of the source circuit."""
        return len(self.input_qubit)

    @property
    def num_physical(self) -> int:
        """Number of physical qubits that the program names."""
        return len(self.qubit_module)

    @property
    def num_bits(self) -> int:
        """Number of program bits, measured and received."""
        return len(self.bit_module)

    @property
    def ebits(self) -> int:
        """Bell pairs consumed, each hop counted."""
        return int(np.count_nonzero(self.code == Op.EPR))

    def row_module(self) -> Int32:
        """(N,) module of each row: that of its first qubit; for SEND the module of the sent bit."""
        result = np.full(len(self), -1, np.int32)
        has = self.qubit_offsets[1:] > self.qubit_offsets[:-1]
        result[has] = self.qubit_module[self.qubits[self.qubit_offsets[:-1][has]]]
        send = self.code == Op.SEND
        result[send] = self.bit_module[self.bit[send]]
        return result


@dataclass
class ProgramBuilder:
    """Collects the rows of a `DistributedProgram`; physical qubits and bits are made as they are first needed."""

    network: Network
    _rows: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    _qubits: list[int] = field(default_factory=list)
    _qubit_offsets: list[int] = field(default_factory=lambda: [0])
    _params: list[float] = field(default_factory=list)
    _param_expr: list[int] = field(default_factory=list)
    _param_offsets: list[int] = field(default_factory=lambda: [0])
    _guards: dict[Conjunction, int] = field(default_factory=dict)
    _physical: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _bits: list[tuple[int, int, int]] = field(default_factory=list)
    _bit_count: dict[tuple[int, int], int] = field(default_factory=dict)

    def qubit(self, module: int, role: int, index: int) -> int:
        """The physical qubit with this place."""
        return self._physical.setdefault((module, role, index), len(self._physical))

    def new_bit(self, module: int, kind: int) -> int:
        """A new bit in `module`."""
        index = self._bit_count.get((module, kind), 0)
        self._bit_count[module, kind] = index + 1
        self._bits.append((module, kind, index))
        return len(self._bits) - 1

    def bit_place(self, bit: int) -> tuple[int, int, int]:
        """(module, kind, index) of a bit."""
        return self._bits[bit]

    def add(
        self,
        code: int,
        qubits: tuple[int, ...] = (),
        params: tuple[float, ...] = (),
        exprs: tuple[int, ...] = (),
        guard: Conjunction = (),
        bit: int = -1,
        bit2: int = -1,
        link: int = -1,
        tag: int = -1,
        exchange: int = -1,
    ) -> None:
        """Append a row. `exprs`, if given, says for each parameter which expression it is (-1: the number)."""
        if len(params) != NUM_PARAMS[code]:
            raise ValueError(f"{Op(code).name} takes {NUM_PARAMS[code]} parameters, not {len(params)}")
        g = self._guards.setdefault(guard, len(self._guards)) if guard else -1
        self._rows.append((int(code), g, bit, bit2, link, tag, exchange))
        self._qubits.extend(qubits)
        self._qubit_offsets.append(len(self._qubits))
        self._params.extend(params)
        self._param_expr.extend(exprs or (-1,) * len(params))
        self._param_offsets.append(len(self._params))

    def measure(self, qubit: int, module: int, guard: Conjunction = (), tag: int = -1) -> int:
        """Append a measurement of a physical qubit of `module`; returns the new bit."""
        bit = self.new_bit(module, MEASURED)
        self.add(Op.MEASURE, (qubit,), guard=guard, bit=bit, tag=tag)
        return bit

    def send(self, bit: int, module: int, tag: int = -1) -> int:
        """Append a message that takes `bit` to `module`; returns the received bit there."""
        received = self.new_bit(module, RECEIVED)
        self.add(Op.SEND, bit=bit, bit2=received, tag=tag)
        return received

    def build(self, **rest: Any) -> DistributedProgram:
        """The program; `rest` are the remaining fields (input_qubit, output_qubit, clbit_values, ...)."""
        rows = np.array(self._rows, np.int32).reshape(-1, 7)
        places = np.array(list(self._physical), np.int32).reshape(-1, 3)
        bits = np.array(self._bits, np.int32).reshape(-1, 3)
        return DistributedProgram(
            network=self.network,
            code=rows[:, 0].astype(np.uint8),
            qubit_offsets=np.array(self._qubit_offsets, np.int64),
            qubits=np.array(self._qubits, np.int32),
            param_offsets=np.array(self._param_offsets, np.int64),
            params=np.array(self._params, np.float64),
            param_expr=np.array(self._param_expr, np.int32),
            guard=rows[:, 1].copy(),
            bit=rows[:, 2].copy(),
            bit2=rows[:, 3].copy(),
            link=rows[:, 4].copy(),
            tag=rows[:, 5].copy(),
            exchange=rows[:, 6].copy(),
            guards=tuple(self._guards),
            qubit_module=places[:, 0].copy(),
            qubit_role=places[:, 1].astype(np.uint8),
            qubit_index=places[:, 2].copy(),
            bit_module=bits[:, 0].copy(),
            bit_kind=bits[:, 1].astype(np.uint8),
            bit_index=bits[:, 2].copy(),
            **rest,
        )
