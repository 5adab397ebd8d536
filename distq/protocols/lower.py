"""Plan -> DistributedProgram: each step becomes its protocol. Nothing is decided here.

The protocols are those of Eisert, Jacobs, Papadopoulos and Plenio, PRA 62, 052317 (2000), and Yimsiriwattana
and Lomonaco, quant-ph/0402148 (cat-entangler and cat-disentangler).
"""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.ops import Conjunction, DecisionList, Op
from distq.partition.plan import Plan, Step
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder

_PI = 3.141592653589793


def lower(plan: Plan) -> DistributedProgram:
    """The distributed program of a plan."""
    return _Lowering(plan).run()


def ends_here(qubit: int) -> int:
    """What the column `exchange` says of a reset that gives up a qubit of the source."""
    return -2 - qubit


def _births(plan: Plan) -> tuple[dict[int, int], tuple[int, ...]]:
    """The number of the birth that each row is, and the qubits of the source that are born.

    Where wires change their places, or carry several qubits in turn, every unconditional reset is a birth, in the order
    of rows: then those of one qubit are in the order of its lives.
    """
    circuit = plan.circuit
    if circuit.input_wire is None and not (plan.kind == Step.JUMP).any():
        return {}, ()
    qubit = dict(circuit.births)
    rows = np.flatnonzero((circuit.code == Op.RESET) & (circuit.guard < 0)).tolist()
    wires = circuit.qubits[circuit.qubit_offsets[rows]].tolist()
    births = tuple(qubit.get(row, wire) for row, wire in zip(rows, wires, strict=True))
    return {row: number for number, row in enumerate(rows)}, births


class _Slots:
    """Free places among the data or communication qubits of one module; the lowest free one is taken."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        if self._free:
            return heapq.heappop(self._free)
        self._next += 1
        return self._next - 1

    def give(self, index: int) -> None:
        heapq.heappush(self._free, index)


class _Turns(_Slots):
    """Communication qubits that take turns: the one that was free longest is taken.

    So the next pair can be in generation while the last is still in use; by the lowest free place it would wait for it.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._queue: deque[int] = deque()

    def take(self) -> int:
        if self._next >= self._number and self._queue:
            return self._queue.popleft()
        self._next += 1
        return self._next - 1

    def give(self, index: int) -> None:
        self._queue.append(index)


class _Lowering:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.circuit: LogicalCircuit = plan.circuit
        self.network: Network = plan.network
        self.out = ProgramBuilder(plan.network)
        modules = plan.network.modules
        # Who takes turns matters for time alone; where there is none the fewest places are used.
        self.slots = {
            DATA: [_Slots() for _ in modules],
            COMM: [
                _Turns(comm) if plan.network.timed and comm and m.comm is not None else _Slots()
                for m, comm in zip(modules, plan.network.comm_array.tolist())
            ],
        }
        self.link_of = plan.network.link_of.tolist()
        self.link_ends = plan.network.link_ends.tolist()
        self.home: list[int] = plan.initial_homes.tolist()
        #: Physical qubit of the home of each wire, and of each of its copies by module.
        self.place: dict[int, tuple[int, int, int]] = {}
        self.at: list[int] = [self.take(m, DATA) for m in self.home]
        self.copies: list[dict[int, int]] = [{} for _ in self.home]
        #: Parities of the gate that is being collected, by module: (communication qubit, wires in it).
        self.parities: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        self.leg_sites = None if plan.leg_sites is None else plan.leg_sites.tolist()
        self.node_offsets = plan.graph.node_offsets.tolist()
        self.dirty: set[int] = set()
        #: Program bit of each bit version, and the received bits made from it by module.
        self.version_bit: dict[int, int] = {}
        self.received: dict[tuple[int, int], int] = {}
        self.exchanges = 0
        #: Number of the birth at each reset between lives, the qubits by number, and where they began first.
        self.births, self.born = _births(plan)
        self.birthplace: dict[int, int] = {}
        #: Qubit of the source that each wire carries, wires that have changed their place since they held anything, and
        #: the qubits of the source that were given up on data qubits which were not reset since.
        self.carries = list(range(len(self.home)))
        if self.circuit.input_wire is not None:
            self.carries = [-1] * len(self.home)
            for q, wire in enumerate(self.circuit.input_wire.tolist()):
                if wire >= 0:
                    self.carries[wire] = q
        self.jumped: set[int] = set()
        self.given_up: dict[int, int] = {}
        self.tag = -1
        # Columns of the circuit as lists, for speed.
        c = self.circuit
        self.code, self.offsets, self.qubits = c.code.tolist(), c.qubit_offsets.tolist(), c.qubits.tolist()
        self.param_offsets, self.params = c.param_offsets.tolist(), c.params.tolist()
        self.exprs, self.guard, self.bit = c.param_expr.tolist(), c.guard.tolist(), c.bit.tolist()

    def run(self) -> DistributedProgram:
        start = self.at.copy()
        plan = self.plan
        handlers = {
            int(Step.FETCH): self.fetch,
            int(Step.DROP): self.drop,
            int(Step.SHIFT): self.shift,
            int(Step.SETTLE): self.settle,
            int(Step.PARK): self.park,
            int(Step.TURN): self.turn,
            int(Step.NODE): self.node,
            int(Step.EXCHANGE): self.exchange,
            int(Step.GATHER): self.gather,
            int(Step.MERGE): self.merge,
            int(Step.JUMP): self.jump,
        }
        rows = zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist(), plan.c.tolist())
        for self.tag, (kind, a, b, c) in enumerate(rows):
            handlers[kind](a, b, c)
        self.tag = -1
        circuit = self.circuit
        wires = circuit.output_wire.tolist()
        return self.out.build(
            input_qubit=np.array(self.inputs(start), np.int32),
            output_qubit=np.array([self.at[w] for w in wires], np.int32),
            clbit_values=tuple(self.decision(x) for x in circuit.clbit_values),
            expressions=circuit.expressions,
            qubit_registers=circuit.qubit_registers,
            clbit_registers=circuit.clbit_registers,
            circuit_name=circuit.name,
            global_phase=circuit.global_phase,
            start=circuit.start,
            outcomes_only=circuit.outcomes_only,
            births=self.born,
            unborn=() if circuit.input_wire is None else tuple(np.flatnonzero(circuit.input_wire < 0).tolist()),
        )

    def inputs(self, start: list[int]) -> list[int]:
        """Where each qubit of the source begins: on its wire at the start, or where it is born later."""
        if self.circuit.input_wire is None:
            return start
        wires = enumerate(self.circuit.input_wire.tolist())
        return [start[w] if w >= 0 else self.birthplace.get(q, start[0]) for q, w in wires]

    # Qubits and bits.

    def take(self, module: int, role: int) -> int:
        index = self.slots[role][module].take()
        qubit = self.out.qubit(module, role, index)
        self.place[qubit] = (module, role, index)
        return qubit

    def give(self, qubit: int) -> None:
        module, role, index = self.place[qubit]
        self.slots[role][module].give(index)

    def release(self, qubit: int) -> None:
        """A qubit was measured: its place is free, and must be reset before it is used again."""
        self.give(qubit)
        self.dirty.add(qubit)

    def clean(self, qubit: int) -> None:
        if qubit in self.dirty:
            self.dirty.discard(qubit)
            self.out.add(Op.RESET, (qubit,), tag=self.tag)
        elif qubit in self.given_up:
            self.out.add(Op.RESET, (qubit,), tag=self.tag, exchange=ends_here(self.given_up.pop(qubit)))

    def local_bit(self, bit: int, module: int) -> int:
        """A program bit as it is known in `module`: itself, or the bit received there; sent once."""
        home = self.out.bit_place(bit)[0]
        if home == module:
            return bit
        key = (bit, module)
        if key not in self.received:
            self.received[key] = self.out.send(bit, module, tag=self.tag)
        return self.received[key]

    def conjunction(self, guard: int, module: int) -> Conjunction:
        if guard < 0:
            return ()
        return tuple((self.local_bit(self.version_bit[v], module), value) for v, value in self.circuit.guards[guard])

    def decision(self, values: DecisionList) -> DecisionList:
        return tuple(
            (
                tuple((self.version_bit[v], value) for v, value in when),
                self.version_bit[bit] if bit >= 0 else -1,
            )
            for when, bit in values
        )

    def correct(self, pauli: Op, qubit: int, module: int, bit: int) -> None:
        """Apply a Pauli to a qubit of `module` if a bit, wherever it was measured, is 1."""
        self.out.add(pauli, (qubit,), guard=((self.local_bit(bit, module), 1),), tag=self.tag)

    # Steps.

    def pair(self, module_a: int, module_b: int) -> tuple[int, int]:
        """A Bell pair on the link between two modules; returns its halves in this order."""
        a, b = self.take(module_a, COMM), self.take(module_b, COMM)
        self.clean(a)
        self.clean(b)
        link = self.link_of[module_a][module_b]
        ends = (a, b) if self.link_ends[link][0] == module_a else (b, a)
        self.out.add(Op.EPR, ends, link=link, tag=self.tag)
        return a, b

    def cat_entangle(self, source: int, here: int, there: int) -> int:
        """Copy a share of a qubit from `here` to a new communication qubit in `there`, which is returned."""
        a, b = self.pair(here, there)
        self.out.add(Op.CX, (source, a), tag=self.tag)
        outcome = self.out.measure(a, here, tag=self.tag)
        self.release(a)
        self.correct(Op.X, b, there, outcome)
        return b

    def cat_disentangle(self, share: int, module: int, rest: int, rest_module: int) -> None:
        """Remove a share; the phase goes to another share `rest`."""
        self.out.add(Op.H, (share,), tag=self.tag)
        outcome = self.out.measure(share, module, tag=self.tag)
        self.release(share)
        self.correct(Op.Z, rest, rest_module, outcome)

    def fetch(self, q: int, here: int, there: int) -> None:
        source = self.at[q] if here == self.home[q] else self.copies[q][here]
        self.copies[q][there] = self.cat_entangle(source, here, there)

    def drop(self, q: int, module: int, _: int) -> None:
        self.cat_disentangle(self.copies[q].pop(module), module, self.at[q], self.home[q])

    def shift(self, q: int, there: int, _: int) -> None:
        copy = self.copies[q].pop(there)
        self.cat_disentangle(self.at[q], self.home[q], copy, there)
        self.at[q], self.home[q] = copy, there

    def settle(self, q: int, _: int, __: int) -> None:
        self.local_move(q, DATA)

    def park(self, q: int, _: int, __: int) -> None:
        self.local_move(q, COMM)

    def local_move(self, q: int, role: int) -> None:
        slot = self.take(self.home[q], role)
        self.clean(slot)
        self.out.add(Op.SWAP, (self.at[q], slot), tag=self.tag)
        self.give(self.at[q])  # it is in |0> after the swap
        self.at[q] = slot

    def turn(self, q: int, segment: int, _: int) -> None:
        graph = self.plan.graph
        entry = segment + q
        for row in graph.turn_rows[graph.turn_offsets[entry] : graph.turn_offsets[entry + 1]].tolist():
            self.gate(row, (self.at[q],))
            if self.code[row] in (Op.X, Op.Y):
                for copy in self.copies[q].values():
                    self.out.add(Op.X, (copy,), tag=self.tag)

    def gate(self, row: int, qubits: tuple[int, ...], guard: Conjunction = ()) -> None:
        first, last = self.param_offsets[row], self.param_offsets[row + 1]
        params, exprs = tuple(self.params[first:last]), tuple(self.exprs[first:last])
        code = self.code[row]
        if code == Op.PARITY and len(qubits) == 1:  # all of it was collected on one communication qubit
            code = Op.RZ
        self.out.add(code, qubits, params, exprs, guard, tag=self.tag)

    def node(self, node: int, module: int, _: int) -> None:
        row = int(self.plan.graph.node_row[node])
        held = self.parities.pop(module, [])
        qubits = (*self.shares(node, module), *(share for share, _ in held))
        guard = self.conjunction(self.guard[row], module)
        if self.code[row] == Op.MEASURE:
            self.version_bit[self.bit[row]] = self.out.measure(qubits[0], module, guard, self.tag)
        elif row in self.births:
            self.begin(self.qubits[self.offsets[row]], self.births[row], qubits[0])
        else:
            self.gate(row, qubits, guard)
        for share, wires in held:
            self.disentangle_parity(share, module, wires)

    def begin(self, wire: int, birth: int, place: int) -> None:
        """A wire begins to carry a qubit of the source, in |0>, here."""
        qubit = self.carries[wire] = self.born[birth]
        self.jumped.discard(wire)
        self.given_up.pop(place, None)
        self.dirty.discard(place)
        self.birthplace.setdefault(qubit, place)
        self.out.add(Op.RESET, (place,), tag=self.tag, exchange=birth)

    def jump(self, q: int, module: int, _: int) -> None:
        """A wire that holds nothing that matters gives up its place, and gets another one if there is a module."""
        if self.at[q] >= 0:
            self.give(self.at[q])
            if q not in self.jumped and self.carries[q] >= 0:
                self.given_up[self.at[q]] = self.carries[q]
        self.jumped.add(q)
        self.at[q] = -1
        if module >= 0:
            self.at[q], self.home[q] = self.take(module, DATA), module

    def wires(self, node: int, module: int) -> list[int]:
        """The wires whose legs enter a node in a module."""
        row = int(self.plan.graph.node_row[node])
        wires = self.qubits[self.offsets[row] : self.offsets[row + 1]]
        if self.leg_sites is None or not self.plan.graph.node_parity[node]:
            return wires
        sites = self.leg_sites[self.node_offsets[node] : self.node_offsets[node + 1]]
        return [q for q, site in zip(wires, sites) if site == module]

    def shares(self, node: int, module: int) -> list[int]:
        """The shares on which a node acts in a module."""
        return [self.at[q] if self.home[q] == module else self.copies[q][module] for q in self.wires(node, module)]

    def gather(self, node: int, here: int, there: int) -> None:
        """The parity of legs, and of parities that are held, goes to a linked module: a cat-entangler of their sum."""
        held = self.parities.pop(here, [])
        sources = [*self.shares(node, here), *(share for share, _ in held)]
        added = self.parities.setdefault(there, [])
        a, b = self.pair(here, there)
        for source in sources:
            self.out.add(Op.CX, (source, a), tag=self.tag)
        outcome = self.out.measure(a, here, tag=self.tag)
        self.release(a)
        self.correct(Op.X, b, there, outcome)
        added.append((b, (*self.wires(node, here), *(q for _, wires in held for q in wires))))
        for share, wires in held:
            self.disentangle_parity(share, here, wires)

    def merge(self, node: int, here: int, there: int) -> None:
        """As `gather`; then what the other module held before becomes a part of what it has received."""
        before = self.parities.pop(there)
        self.gather(node, here, there)
        share, wires = self.parities[there].pop()
        for old, more in before:
            self.out.add(Op.CX, (old, share), tag=self.tag)
            self.disentangle_parity(old, there, more)
            wires += more
        self.parities[there].append((share, wires))

    def disentangle_parity(self, share: int, module: int, wires: tuple[int, ...]) -> None:
        """Remove a parity of wires; the phase goes to every one of them."""
        self.out.add(Op.H, (share,), tag=self.tag)
        outcome = self.out.measure(share, module, tag=self.tag)
        self.release(share)
        for q in wires:
            self.correct(Op.Z, self.at[q], self.home[q], outcome)

    def exchange(self, p: int, q: int, copies: int) -> None:
        """SWAP of two qubits in linked modules as three CX, each by a copy of its control.

        The first copy may be there already (1 in `copies`). After the last CX the first home holds q: its copy may stay
        as one of q (2).
        """
        for i, (control, target) in enumerate(((p, q), (q, p), (p, q))):
            here, there = self.home[control], self.home[target]
            if i == 0 and copies & 1:
                copy = self.copies[p].pop(there)
            else:
                copy = self.cat_entangle(self.at[control], here, there)
            self.out.add(Op.CX, (copy, self.at[target]), tag=self.tag, exchange=self.exchanges)
            if i == 2 and copies & 2:
                self.copies[q][there] = copy
            else:
                self.cat_disentangle(copy, there, self.at[control], here)
        self.exchanges += 1
        self.home[p], self.home[q] = self.home[q], self.home[p]
        self.at[p], self.at[q] = self.at[q], self.at[p]
