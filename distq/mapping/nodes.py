"""A lowered program as nodes for the router: what needs which qubits next to each other, or where.

In modules with a coupling map the router moves tokens. A token is what a physical qubit of the lowered program holds: a
qubit of the circuit or a copy of one, from its appearance (as an input, or as half of a Bell pair) to the measurement
that ends it. Local moves of the lowered program (SWAP with a free qubit) only rename, because places are the router's
business. The lowered program's own qubits, wires here, say what waits for what: in every order that keeps each wire's
order no module holds more than it has room for, so nothing can get stuck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.mapping.chart import Chart
from distq.ops import NUM_ONE_QUBIT, Op
from distq.partition.plan import Plan, Step
from distq.program.types import DATA, DistributedProgram

Int32 = NDArray[np.int32]

#: Kinds of nodes: no condition; token t1 on a data place; t1 and t2 on neighbours (with `strict`, t2 on a data place);
#: a Bell pair with the CX onto its first half and the measurement of that half: t1 beside a free communication place in
#: module m1, and a free communication place in module m2, where t2 appears.
FREE, DATA_PLACE, TOUCH, PAIR = 0, 1, 2, 3
#: Gates that commute with each other on every wire.
_DIAGONAL = frozenset((Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ, Op.MCP, Op.PARITY))
#: One-qubit gates that may act on a communication qubit: diagonal ones, and Paulis, which flip a share.
_ANYWHERE = frozenset((Op.X, Op.Y, Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ))


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes in the order of the program.

    Attributes:
        kind: (N,) FREE, DATA_PLACE, TOUCH or PAIR.
        m1, m2: (N,) modules of the node that have a coupling map, else -1; m2 for PAIR only.
        t1, t2: (N,) tokens, or -1.
        strict: (N,) TOUCH nodes whose t2 must be on a data place.
        ends: (N,) the token that is gone after the node, or -1.
        row, rows: (N,) first row and number of rows of the program; 0 rows: the node leaves nothing in the program.
        succ_offsets, succ: which nodes wait for each.
        start: tokens that are there from the start, with the data index of the lowered program: (token, module, index).
        input_token: (n,) token of each input; -1 in modules without a coupling map.
        output_token: (n,) token of each output; -1 there.
        settled: (T,) tokens that are data qubits at the end.
        row_tokens: for each node the tokens of its qubits, in the order of its row (for PAIR of the CX).
    """

    kind: Int32
    m1: Int32
    m2: Int32
    t1: Int32
    t2: Int32
    strict: NDArray[np.bool_]
    ends: Int32
    row: Int32
    rows: Int32
    succ_offsets: Int32
    succ: Int32
    start: tuple[tuple[int, int, int], ...]
    input_token: Int32
    output_token: Int32
    settled: NDArray[np.bool_]
    row_tokens: list[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def num_tokens(self) -> int:
        """Tokens of all modules with a coupling map."""
        return len(self.settled)


def build_nodes(program: DistributedProgram, plan: Plan, chart: Chart) -> Nodes:
    """The nodes of a lowered program.

    Args:
        program: as `protocols.lower` returns it, in the order in which it was written.
        plan: that it was lowered from.
        chart: of its network.

    Raises:
        ValueError: a gate acts on three or more qubits, so that it cannot be routed; expand it before partitioning.
    """
    return _Build(program, plan, chart).run()


class _Build:
    def __init__(self, program: DistributedProgram, plan: Plan, chart: Chart) -> None:
        self.program = program
        self.mapped = chart.mapped.tolist()
        self.step = plan.kind.tolist()
        self.module = program.qubit_module.tolist()
        self.role = program.qubit_role.tolist()
        self.columns: list[tuple[int, ...]] = []
        self.row_tokens: list[tuple[int, ...]] = []
        #: Last node on each wire that is not diagonal there, the diagonal ones since, and the last node of each bit.
        self.last_wire = [-1] * program.num_physical
        self.diagonal: list[list[int]] = [[] for _ in range(program.num_physical)]
        self.bit_node = [-1] * program.num_bits
        self.edges: list[tuple[int, int]] = []
        #: Token on each wire, and the wire's role for each token at the end.
        self.token = [-1] * program.num_physical
        self.count = 0

    def run(self) -> Nodes:
        program = self.program
        start = []
        for wire in program.input_qubit.tolist():
            if self.mapped[self.module[wire]]:
                start.append((self.appear(wire), self.module[wire], int(program.qubit_index[wire])))
        input_token = np.array([self.token[w] for w in program.input_qubit.tolist()], np.int32)
        code = program.code.tolist()
        offsets, flat = program.qubit_offsets.tolist(), program.qubits.tolist()
        row = 0
        while row < len(code):
            wires = flat[offsets[row] : offsets[row + 1]]
            if code[row] == Op.EPR:
                self.pair(row, wires, flat[offsets[row + 1] : offsets[row + 2]])
                row += 3
                continue
            self.single(row, code[row], wires)
            row += 1
        settled = np.zeros(self.count, np.bool_)
        for wire, token in enumerate(self.token):
            if token >= 0:
                settled[token] = self.role[wire] == DATA
        columns = np.ascontiguousarray(np.array(self.columns, np.int32).reshape(-1, 9).T)
        edges = np.array(self.edges, np.int32).reshape(-1, 2)
        edges = np.unique(edges[edges[:, 0] >= 0], axis=0)
        return Nodes(
            kind=columns[0],
            m1=columns[1],
            m2=columns[2],
            t1=columns[3],
            t2=columns[4],
            strict=columns[5].astype(np.bool_),
            ends=columns[6],
            row=columns[7],
            rows=columns[8],
            succ_offsets=np.searchsorted(edges[:, 0], np.arange(columns.shape[1] + 1)).astype(np.int32),
            succ=np.ascontiguousarray(edges[:, 1]),
            start=tuple(start),
            input_token=input_token,
            output_token=np.array([self.token[w] for w in program.output_qubit.tolist()], np.int32),
            settled=settled,
            row_tokens=self.row_tokens,
        )

    def appear(self, wire: int) -> int:
        self.token[wire] = self.count
        self.count += 1
        return self.count - 1

    def node(
        self,
        row: int,
        wires: list[int],
        tokens: tuple[int, ...],
        kind: int = FREE,
        m1: int = -1,
        m2: int = -1,
        t1: int = -1,
        t2: int = -1,
        *,
        strict: bool = False,
        ends: int = -1,
        rows: int = 1,
    ) -> None:
        number = len(self.columns)
        program = self.program
        tag = int(program.tag[row])
        # The verifier wants nothing between the parts of an exchange.
        free = tag < 0 or self.step[tag] != Step.EXCHANGE
        for wire in wires:
            self.edges.append((self.last_wire[wire], number))
            if free and self._is_diagonal(int(program.code[row]), wire == wires[-1]):
                self.diagonal[wire].append(number)
                continue
            self.edges += [(before, number) for before in self.diagonal[wire]]
            self.last_wire[wire], self.diagonal[wire] = number, []
        for at in range(row, row + rows):
            if program.guard[at] >= 0:
                self.edges += [(self.bit_node[bit], number) for bit, _ in program.guards[program.guard[at]]]
            if program.code[at] == Op.SEND:
                self.edges.append((self.bit_node[program.bit[at]], number))
                self.bit_node[program.bit2[at]] = number
            elif program.code[at] == Op.MEASURE:
                self.bit_node[program.bit[at]] = number
        self.columns.append((kind, m1, m2, t1, t2, int(strict), ends, row, rows))
        self.row_tokens.append(tokens)

    def pair(self, row: int, halves: list[int], cx: list[int]) -> None:
        """A Bell pair with the CX and the measurement that follow it in a cat-entangler."""
        program = self.program
        follows = program.code[row + 1 : row + 3].tolist()
        source, near = cx if len(cx) == 2 else (-1, -1)
        if (
            follows != [Op.CX, Op.MEASURE]
            or near not in halves
            or program.qubits[program.qubit_offsets[row + 2]] != near
        ):
            raise ValueError(f"row {row}: the Bell pair of a collected parity cannot be routed")
        far = halves[0] if near == halves[1] else halves[1]
        if self.token[near] >= 0 or self.token[far] >= 0:
            raise ValueError(f"row {row}: a Bell pair arrives on a qubit that is in use")
        here, there = self.module[near], self.module[far]
        m1 = here if self.mapped[here] else -1
        m2 = there if self.mapped[there] else -1
        held = self.token[source]
        born = self.appear(far) if m2 >= 0 else -1
        self.node(row, [near, far, source], (held, born), PAIR, m1, m2, held, born, rows=3)

    def single(self, row: int, code: int, wires: list[int]) -> None:
        if not wires or not self.mapped[self.module[wires[0]]]:
            self.node(row, wires, ())
            return
        program, first = self.program, wires[0]
        module = self.module[first]
        if code == Op.SWAP:
            a, b = wires
            self.token[a], self.token[b] = self.token[b], self.token[a]
            self.node(row, wires, (), rows=0)
            return
        tokens = tuple(self.token[w] for w in wires)
        tag = int(program.tag[row])
        of_circuit = tag >= 0 and self.step[tag] == Step.NODE
        if code == Op.RESET and not of_circuit:
            self.node(row, wires, (), rows=0)  # the router resets a place when it needs it
            return
        if len(tokens) > 2:
            raise ValueError(f"row {row} ({Op(code).name}) acts on {len(tokens)} qubits, so it cannot be routed")
        if len(tokens) == 2:
            self.node(row, wires, tokens, TOUCH, module, -1, *tokens, strict=code == Op.CX)
            return
        ends = tokens[0] if code == Op.MEASURE and not of_circuit else -1
        if self.role[first] == DATA and not self._anywhere(code, int(program.guard[row])):
            self.node(row, wires, tokens, DATA_PLACE, module, -1, tokens[0], ends=ends)
        else:
            self.node(row, wires, tokens, FREE, module, -1, tokens[0], ends=ends)
        if ends >= 0:
            self.token[first] = -1

    @staticmethod
    def _is_diagonal(code: int, last: bool) -> bool:
        """Whether a row (EPR: with the CX that follows, whose control is the last wire) is diagonal on a wire."""
        return code in _DIAGONAL or (code == Op.EPR and last)

    @staticmethod
    def _anywhere(code: int, guard: int) -> bool:
        if code >= NUM_ONE_QUBIT or code not in _ANYWHERE:
            return False
        return guard < 0 or code not in (Op.X, Op.Y)


__all__ = ["DATA_PLACE", "FREE", "PAIR", "TOUCH", "Nodes", "build_nodes"]
