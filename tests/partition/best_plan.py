"""The fewest ebits of any plan of a tiny circuit, by a search through all of them: an oracle for the bounds.

A state says for every qubit in which packet it is, where its home was when that began, in which modules the packet is
present, and whether the home is on a data qubit, on the move (on no data qubit; it must end elsewhere) or holds nothing
(it may begin anywhere then); and which gates are done. Nothing here is shared with the bounds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.ops import Op
from distq.partition.packets import PacketGraph

DATA, MOVING, EMPTY = 0, 1, 2
#: packet (counted along the line), module at its beginning, set of modules as bits, one of the three above.
Qubit = tuple[int, int, int, int]
#: qubits, gates and parity legs that are done as bits, set of modules of each parity net as bits.
State = tuple[tuple[Qubit, ...], int, tuple[int, ...]]


class Search:
    """Dijkstra's algorithm over all plans, with unlimited communication qubits and every module linked."""

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, capacities: list[int], zero_start: bool = False):
        self.capacities, self.k, self.n = capacities, len(capacities), graph.num_qubits
        self.zero_start = zero_start
        first = graph.packet_offsets.tolist()
        self.packets = np.diff(graph.packet_offsets).tolist()
        #: For each gate, or leg of a wide parity gate: [(qubit, packet)], parity net or -1, whether it empties a qubit.
        self.tasks: list[tuple[list[tuple[int, int]], int, bool]] = []
        self.of_packet: dict[tuple[int, int], int] = {}
        self.ends: set[tuple[int, int]] = set()
        self.parities = 0
        for node, row in enumerate(graph.node_row.tolist()):
            legs = [
                (int(graph.leg_qubit[i]), int(graph.leg_packet[i]) - first[int(graph.leg_qubit[i])])
                for i in range(graph.node_offsets[node], graph.node_offsets[node + 1])
            ]
            code = circuit.code[row]
            if code in (Op.MEASURE, Op.RESET):
                self.ends.add(legs[0])
            if code == Op.PARITY and len(legs) > 2:
                for leg in legs:
                    self.add([leg], self.parities)
                self.parities += 1
            else:
                self.add(legs, -1, code == Op.RESET)

    def add(self, legs: list[tuple[int, int]], net: int, resets: bool = False) -> None:
        for leg in legs:
            self.of_packet[leg] = self.of_packet.get(leg, 0) | 1 << len(self.tasks)
        self.tasks.append((legs, net, resets))

    def best(self, limit: int, initial: list[int] | None = None, final: list[int] | None = None) -> int | None:
        """The fewest ebits, None if more than `limit`; with the homes at the start and at the end that are given."""
        seen: set[State] = set()
        queue: list[tuple[int, int, State]] = []
        count = itertools.count()
        status = EMPTY if self.zero_start else DATA
        everywhere = itertools.product(range(1 if self.zero_start else self.k), repeat=self.n)
        for homes in everywhere if initial is None else [tuple(initial)]:
            if self.zero_start or all(homes.count(m) <= c for m, c in enumerate(self.capacities)):
                qubits = tuple((0, m, 1 << m, status) for m in homes)
                heapq.heappush(queue, (0, next(count), (qubits, 0, (0,) * self.parities)))
        while queue:
            cost, _, state = heapq.heappop(queue)
            state = self.work(state)
            if state in seen:
                continue
            seen.add(state)
            if self.finished(state, final):
                return cost
            for price, other in self.steps(state):
                if cost + price <= limit and other not in seen:
                    heapq.heappush(queue, (cost + price, next(count), other))
        return None

    def finished(self, state: State, final: list[int] | None) -> bool:
        qubits, done, _ = state
        if done != (1 << len(self.tasks)) - 1:
            return False
        for q, (packet, home, _, status) in enumerate(qubits):
            if packet < self.packets[q] or status == MOVING:
                return False
            if final is not None and status == DATA and home != final[q]:
                return False
        return True

    def work(self, state: State) -> State:
        """Carry out everything that costs nothing and can be done where things are."""
        qubits, done, nets = state
        for t, (legs, net, resets) in enumerate(self.tasks):
            if done >> t & 1 or any(qubits[q][0] != p for q, p in legs):
                continue
            common = -1
            for q, _ in legs:
                common &= qubits[q][2]
            if any(qubits[q][3] == EMPTY for q, _ in legs) and not resets:
                continue
            if common and (net < 0 or common & nets[net]):
                done |= 1 << t
        return qubits, done, nets

    def steps(self, state: State) -> Iterator[tuple[int, State]]:
        qubits, done, nets = state
        load = [sum(x[1] == m and x[3] == DATA for x in qubits) for m in range(self.k)]
        room = [a < b for a, b in zip(load, self.capacities)]

        for q, (packet, home, modules, status) in enumerate(qubits):

            def now(*new: int, q: int = q) -> State:
                return (*qubits[:q], new, *qubits[q + 1 :]), done, nets  # type: ignore[return-value]

            if status == EMPTY and packet < self.packets[q]:
                for m in range(self.k):
                    if room[m]:
                        yield 0, now(packet, m, 1 << m, DATA)
            elif packet < self.packets[q]:
                if status == DATA:
                    yield 0, now(packet, home, modules, MOVING)
                for m in range(self.k):
                    if not modules >> m & 1:
                        yield 1, now(packet, home, modules | 1 << m, status)
            if packet == self.packets[q]:
                # A line without packets, or after its last one, can only be moved as a whole.
                if self.packets[q] == 0 and status == DATA:
                    for m in range(self.k):
                        if m != home:
                            yield 1, now(packet, m, 1 << m, MOVING)
                elif self.packets[q] == 0 and status == MOVING and room[home]:
                    yield 0, now(packet, home, modules, DATA)
                continue
            tasks = self.of_packet[q, packet]
            if done & tasks != tasks:
                continue
            if (q, packet) in self.ends:
                yield 0, now(packet + 1, 0, 1, EMPTY)
                continue
            for m in range(self.k):
                if modules >> m & 1 and ((m == home and status == DATA) or (m != home and room[m])):
                    yield 0, now(packet + 1, m, 1 << m, DATA)
        for t, (legs, net, _) in enumerate(self.tasks):
            q, p = legs[0]
            if net < 0 or done >> t & 1 or qubits[q][0] != p or qubits[q][3] == EMPTY:
                continue
            for m in range(self.k):
                if qubits[q][2] >> m & 1:
                    sets = (*nets[:net], nets[net] | 1 << m, *nets[net + 1 :])
                    yield int(nets[net] > 0), (qubits, done | 1 << t, sets)
