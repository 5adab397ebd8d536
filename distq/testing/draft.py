"""A distributed program as a list of rows that can be edited, and built into columns again."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from distq.ops import NUM_ONE_QUBIT, Conjunction, DecisionList, Op
from distq.program.types import COMM, DATA, RECEIVED, DistributedProgram


@dataclass
class Row:
    """One row of a `DistributedProgram`; the names are those of its columns."""

    code: int
    qubits: tuple[int, ...] = ()
    params: tuple[float, ...] = ()
    exprs: tuple[int, ...] = ()
    guard: Conjunction = ()
    bit: int = -1
    bit2: int = -1
    link: int = -1
    tag: int = -1
    exchange: int = -1

    @property
    def is_gate(self) -> bool:
        """Whether it is a unitary gate."""
        return self.code not in (Op.MEASURE, Op.RESET, Op.EPR, Op.SEND)

    @property
    def is_one_qubit(self) -> bool:
        """Whether it is a one-qubit unitary gate."""
        return self.code < NUM_ONE_QUBIT

    @property
    def is_correction(self) -> bool:
        """Whether it is an X or Z under a condition."""
        return bool(self.guard) and self.code in (Op.X, Op.Z)

    def bits(self) -> set[int]:
        """Bits that the row reads or writes."""
        return {b for b in (self.bit, self.bit2, *(g for g, _ in self.guard)) if b >= 0}

    def matrix(self) -> np.ndarray | None:
        """The matrix (first qubit least significant) of a gate without symbols on at most four qubits."""
        if not self.is_gate or any(e >= 0 for e in self.exprs) or len(self.qubits) > 4:
            return None
        return gate_matrix(self.code, self.params, len(self.qubits))


def gate_matrix(code: int, params: Sequence[float], count: int) -> np.ndarray:
    """The matrix of a gate by its code; the first qubit is the least significant index."""
    from qiskit.circuit import library as lib

    if code == Op.MCP:
        return np.diag([1.0] * (2**count - 1) + [np.exp(1j * params[0])])
    if code == Op.PARITY:
        signs = np.array([1.0])
        for _ in range(count):
            signs = np.concatenate([signs, -signs])
        return np.diag(np.exp(-0.5j * params[0] * signs))
    names = {
        Op.H: "HGate", Op.X: "XGate", Op.Y: "YGate", Op.Z: "ZGate", Op.S: "SGate", Op.SDG: "SdgGate",
        Op.T: "TGate", Op.TDG: "TdgGate", Op.SX: "SXGate", Op.SXDG: "SXdgGate", Op.P: "PhaseGate",
        Op.RX: "RXGate", Op.RY: "RYGate", Op.RZ: "RZGate", Op.U: "UGate", Op.CX: "CXGate", Op.SWAP: "SwapGate",
    }  # fmt: skip
    return np.asarray(getattr(lib, names[Op(code)])(*params).to_matrix())


class Draft:
    """An editable copy of a program."""

    def __init__(self, program: DistributedProgram) -> None:
        self.program = program
        self.rows: list[Row] = []
        q, p = program.qubit_offsets.tolist(), program.param_offsets.tolist()
        qubits, params, exprs = program.qubits.tolist(), program.params.tolist(), program.param_expr.tolist()
        columns = zip(
            program.code.tolist(), program.guard.tolist(), program.bit.tolist(), program.bit2.tolist(),
            program.link.tolist(), program.tag.tolist(), program.exchange.tolist(),
        )  # fmt: skip
        for i, (code, guard, bit, bit2, link, tag, exchange) in enumerate(columns):
            self.rows.append(
                Row(
                    code,
                    tuple(qubits[q[i] : q[i + 1]]),
                    tuple(params[p[i] : p[i + 1]]),
                    tuple(exprs[p[i] : p[i + 1]]),
                    program.guards[guard] if guard >= 0 else (),
                    bit,
                    bit2,
                    link,
                    tag,
                    exchange,
                )
            )
        self.places: list[tuple[int, int, int]] = list(
            zip(program.qubit_module.tolist(), program.qubit_role.tolist(), program.qubit_index.tolist())
        )
        self.bit_places: list[tuple[int, int, int]] = list(
            zip(program.bit_module.tolist(), program.bit_kind.tolist(), program.bit_index.tolist())
        )
        self.inputs: list[int] = program.input_qubit.tolist()
        self.outputs: list[int] = program.output_qubit.tolist()
        self.clbits: list[DecisionList] = list(program.clbit_values)
        self.births: list[int] = list(program.births)

    def copy(self) -> Draft:
        """An independent copy."""
        other = copy.copy(self)
        other.rows = [replace(r) for r in self.rows]
        for name in ("places", "bit_places", "inputs", "outputs", "clbits", "births"):
            setattr(other, name, list(getattr(self, name)))
        return other

    # ---- questions ----

    def module(self, row: Row) -> int:
        """The module of a row (of the first half, for EPR)."""
        if row.code == Op.SEND:
            return self.bit_places[row.bit][0]
        return self.places[row.qubits[0]][0]

    def modules(self, row: Row) -> set[int]:
        """All modules that a row involves."""
        if row.code == Op.SEND:
            return {self.bit_places[row.bit][0], self.bit_places[row.bit2][0]}
        return {self.places[q][0] for q in row.qubits}

    def is_comm(self, qubit: int) -> bool:
        """Whether a physical qubit is a communication qubit."""
        return self.places[qubit][1] == COMM

    def is_data(self, qubit: int) -> bool:
        """Whether a physical qubit is a data qubit."""
        return self.places[qubit][1] == DATA

    def in_module(self, module: int) -> list[int]:
        """Physical qubits of a module."""
        return [q for q, place in enumerate(self.places) if place[0] == module]

    def find(self, code: int, start: int = 0, **fields: int) -> int | None:
        """First row from `start` with this code and these values, or None."""
        for i in range(start, len(self.rows)):
            row = self.rows[i]
            if row.code == code and all(getattr(row, k) == v for k, v in fields.items()):
                return i
        return None

    def readers(self, bit: int) -> list[int]:
        """Rows whose guard reads the bit."""
        return [i for i, r in enumerate(self.rows) if any(b == bit for b, _ in r.guard)]

    def in_clbits(self, bit: int) -> bool:
        """Whether the value of a classical bit of the source depends on the bit."""
        return any(bit == b or any(bit == x for x, _ in g) for entries in self.clbits for g, b in entries)

    # ---- edits ----

    def new_qubit(self, module: int, role: int, least: int = 0) -> int:
        """A physical qubit at the lowest index from `least` that no other has."""
        taken = {place[2] for place in self.places if place[:2] == (module, role)}
        index = least
        while index in taken:
            index += 1
        self.places.append((module, role, index))
        return len(self.places) - 1

    def new_bit(self, module: int, kind: int) -> int:
        """A new bit of a module."""
        taken = [place[2] for place in self.bit_places if place[:2] == (module, kind)]
        self.bit_places.append((module, kind, max(taken, default=-1) + 1))
        return len(self.bit_places) - 1

    def sent_to(self, bit: int, module: int, at: int) -> int:
        """A received bit in `module` that holds measured bit `bit`; a message is inserted at row `at` if needed."""
        for row in self.rows:
            if row.code == Op.SEND and row.bit == bit and self.bit_places[row.bit2][0] == module:
                return row.bit2
        received = self.new_bit(module, RECEIVED)
        self.rows.insert(at, Row(int(Op.SEND), bit=bit, bit2=received))
        return received

    def drop_unread(self) -> None:
        """Remove messages that nothing reads, and bits that nothing writes."""
        read = {b for r in self.rows for b, _ in r.guard}
        self.rows = [r for r in self.rows if r.code != Op.SEND or r.bit2 in read]

    def build(self) -> DistributedProgram:
        """The program in columns; unused bits are dropped and bits numbered densely in every module."""
        written = {r.bit2 if r.code == Op.SEND else r.bit for r in self.rows if r.bit >= 0}
        kept = sorted(written)
        number = {b: i for i, b in enumerate(kept)}
        counts: dict[tuple[int, int], int] = {}
        bits = []
        for b in kept:
            module, kind, _ = self.bit_places[b]
            index = counts.get((module, kind), 0)
            counts[module, kind] = index + 1
            bits.append((module, kind, index))
        guards: dict[Conjunction, int] = {}
        column = []
        for r in self.rows:
            guard = tuple((number[b], v) for b, v in r.guard)
            column.append(guards.setdefault(guard, len(guards)) if guard else -1)
        places = np.array(self.places, np.int32).reshape(-1, 3)
        bit_table = np.array(bits, np.int32).reshape(-1, 3)
        rows = self.rows

        def ints(values: list[int]) -> np.ndarray:
            return np.array(values, np.int32)

        values = tuple(
            tuple((tuple((number[x], v) for x, v in g), number[b] if b >= 0 else -1) for g, b in entries)
            for entries in self.clbits
        )
        return replace(
            self.program,
            code=np.array([r.code for r in rows], np.uint8),
            qubit_offsets=np.cumsum([0] + [len(r.qubits) for r in rows]).astype(np.int64),
            qubits=ints([q for r in rows for q in r.qubits]),
            param_offsets=np.cumsum([0] + [len(r.params) for r in rows]).astype(np.int64),
            params=np.array([p for r in rows for p in r.params], np.float64),
            param_expr=ints([e for r in rows for e in (r.exprs or (-1,) * len(r.params))]),
            guard=ints(column),
            bit=ints([number[r.bit] if r.bit >= 0 else -1 for r in rows]),
            bit2=ints([number[r.bit2] if r.bit2 >= 0 else -1 for r in rows]),
            link=ints([r.link for r in rows]),
            tag=ints([r.tag for r in rows]),
            exchange=ints([r.exchange for r in rows]),
            guards=tuple(guards),
            qubit_module=places[:, 0].copy(),
            qubit_role=places[:, 1].astype(np.uint8),
            qubit_index=places[:, 2].copy(),
            bit_module=bit_table[:, 0].copy(),
            bit_kind=bit_table[:, 1].astype(np.uint8),
            bit_index=bit_table[:, 2].copy(),
            input_qubit=ints(self.inputs),
            output_qubit=ints(self.outputs),
            clbit_values=values,
            births=tuple(self.births),
        )


def same_up_to_phase(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-6) -> bool:
    """Whether two unitary matrices are equal up to a phase."""
    return bool(abs(abs(np.vdot(a, b)) / len(a) - 1) < tolerance)


def on_joint_qubits(rows: Sequence[Row]) -> list[np.ndarray] | None:
    """Matrices of gates on the union of their qubits, or None if one has none or they are too many."""
    qubits = sorted({q for r in rows for q in r.qubits})
    if len(qubits) > 6:
        return None
    result = []
    for r in rows:
        small = r.matrix()
        if small is None:
            return None
        k, n = len(r.qubits), len(qubits)
        tensor = np.eye(2**n, dtype=np.complex128).reshape((2,) * n + (2**n,))
        axes = [n - 1 - qubits.index(q) for q in reversed(r.qubits)]
        moved = np.moveaxis(tensor, axes, range(k))
        shape = moved.shape
        applied = (small @ moved.reshape(2**k, -1)).reshape(shape)
        result.append(np.moveaxis(applied, range(k), axes).reshape(2**n, 2**n))
    return result


def commute(a: Row, b: Row) -> bool:
    """Up to a phase; False if it is not known."""
    if not set(a.qubits) & set(b.qubits):
        return True
    found = on_joint_qubits([a, b])
    return found is not None and same_up_to_phase(found[0] @ found[1], found[1] @ found[0])
