"""Qubit reuse: qubits that are not needed at the same time share a wire, with a reset between them.

A qubit takes room while it holds something unknown. If it starts in |0>, that begins with its first gate; it ends with
its last measurement or reset, if nobody looks at the state that is left. An unconditional reset in between ends what
was and begins something new. Each such part of a qubit's line is a *life*; lives that follow each other in time can
have the same data qubit, one after the other. *Why it is right:* a life begins in |0>, which a reset of any data qubit
makes, whatever that held; and what a life leaves behind is traced out, before or after the reset.

Which lives can follow each other depends on the order of gates. Only what a measurement depends on has to come before
it, so the circuit is put in another order first: again and again the life is ended that needs the fewest others to
begin (DeCross, Chertkov, Kohagen and Foss-Feig, Qubit-reuse compilation with mid-circuit measurement and reset, Phys.
Rev. X 13, 041057 (2023), arXiv:2210.08039). Nodes of one segment commute, so that they wait for nothing among
themselves. Then lives are given wires by their intervals in this order; as many wires as lives at once are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.ops import Op
from distq.partition.order import classical_dependencies
from distq.partition.packets import PacketGraph, build_packets

Int32 = NDArray[np.int32]

#: Lives that are looked at for the one to end next, in the order of rows.
_LOOK = 512


@dataclass(frozen=True)
class Reused:
    """A circuit whose wires carry several qubits of the source in turn.

    Attributes:
        circuit: with `births` and `input_wire`; its order differs from that of the circuit it was made from.
        rows: (N,) row of that circuit that each row was; -1: a reset between lives.
    """

    circuit: LogicalCircuit
    rows: Int32


def reuse_qubits(circuit: LogicalCircuit, *, outcomes_only: bool = False) -> Reused | None:
    """Let qubits that start in |0> share wires where their lives follow each other.

    Args:
        circuit: normalised and merged; every qubit starts in |0>.
        outcomes_only: whether no more than the joint distribution of the classical bits matters.

    Returns:
        An equal circuit on fewer wires, or None if this order needs as many wires as there are qubits.
    """
    ended = np.zeros(circuit.num_qubits, np.bool_)
    if len(circuit.ended):
        ended[circuit.output_wire[circuit.ended]] = True
    if outcomes_only:
        ended[:] = True
    if not ended.any() and not ((circuit.code == Op.RESET) & (circuit.guard < 0)).any():
        return None
    graph = build_packets(circuit)
    lives = _Lives(circuit, graph, ended)
    order = lives.order()
    wire, wires = lives.assign(order)
    if wires >= circuit.num_qubits:
        return None
    found = _write(lives, order, wire, max(wires, 1))
    if outcomes_only and not circuit.outcomes_only:
        found = replace(found, circuit=replace(found.circuit, outcomes_only=True))
    return found


class _Lives:
    """The lives of a circuit's wires and what they depend on.

    Attributes:
        life_of_segment: life in which each segment lies.
        wire, first: of each life: its wire, and whether it is the wire's first one.
        kept: of each life: whether what it holds at the end of the circuit matters.
        begins: of each node: whether it is a reset that begins a life (and is no node any more).
    """

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, ended: NDArray[np.bool_]) -> None:
        self.circuit, self.graph = circuit, graph
        offsets, qubits, segments = graph.node_offsets.tolist(), graph.leg_qubit.tolist(), graph.leg_segment.tolist()
        self.legs = [list(zip(qubits[a:b], segments[a:b], strict=True)) for a, b in pairwise(offsets)]
        row = graph.node_row
        reset = (circuit.code[row] == Op.RESET) & (circuit.guard[row] < 0)
        self.begins: list[bool] = reset.tolist()
        self.segment_offsets: list[int] = graph.segment_offsets.tolist()
        self.nodes: list[list[int]] = [[] for _ in range(graph.num_segments)]
        for node, legs in enumerate(self.legs):
            for _, segment in legs:
                self.nodes[segment].append(node)
        self.life_of_segment: list[int] = [0] * graph.num_segments
        self.last_life: list[int] = []
        self.wire: list[int] = []
        self.first: list[bool] = []
        self.kept: list[bool] = []
        for q, ends in enumerate(ended.tolist()):
            self._new_life(q, True)
            for segment in range(self.segment_offsets[q], self.segment_offsets[q + 1]):
                if self.begins[self.nodes[segment][0]]:
                    self._new_life(q, False)
                self.life_of_segment[segment] = len(self.wire) - 1
            self.kept[-1] = not ends
            self.last_life.append(len(self.wire) - 1)
        #: Nodes of each life, in the order of the circuit.
        self.members: list[list[int]] = [[] for _ in self.wire]
        for node, legs in enumerate(self.legs):
            if not self.begins[node]:
                for _, segment in legs:
                    self.members[self.life_of_segment[segment]].append(node)
        followers, _ = classical_dependencies(circuit, graph)
        self.after: list[list[int]] = [[] for _ in self.legs]
        for node, later in enumerate(followers):
            for other in later:
                self.after[other].append(node)

    def _new_life(self, wire: int, first: bool) -> None:
        self.wire.append(wire)
        self.first.append(first)
        self.kept.append(False)

    def order(self) -> list[int]:
        """Nodes in an order in which few lives overlap; the resets that begin lives are left out."""
        needs = self._needs()
        last: list[list[int]] = [
            [] if self.kept[life] or not nodes else self._last_nodes(life) for life, nodes in enumerate(self.members)
        ]
        cone = [0] * len(last)
        for life, nodes in enumerate(last):
            for node in nodes:
                cone[life] |= needs[node]
        waiting = sorted((life for life, nodes in enumerate(last) if nodes), key=lambda life: last[life][-1])
        done, order, born = bytearray(len(self.legs)), [], 0
        closed = bytearray(self.graph.num_segments)
        while waiting:
            number = min(range(min(len(waiting), _LOOK)), key=lambda i: ((cone[waiting[i]] & ~born).bit_count(), i))
            life = waiting.pop(number)
            for node in self._before(last[life], done, closed):
                done[node] = 1
                order.append(node)
                for _, segment in self.legs[node]:
                    if not self.begins[node]:
                        born |= 1 << self.life_of_segment[segment]
        order += [node for node, is_done in enumerate(done) if not is_done]
        return [node for node in order if not self.begins[node]]

    def _last_nodes(self, life: int) -> list[int]:
        """The nodes of the last segment of a life that has any."""
        segment = max(s for _, s in self.legs[self.members[life][-1]] if self.life_of_segment[s] == life)
        return self.nodes[segment]

    def _needs(self) -> list[int]:
        """For each node the lives that must have begun when it is carried out, as a set of bits."""
        n = self.graph.num_qubits
        before, now, open_segment = [0] * n, [0] * n, [-1] * n
        needs = [0] * len(self.legs)
        for node, legs in enumerate(self.legs):
            bits = 0
            for q, segment in legs:
                if open_segment[q] != segment:
                    before[q] |= now[q]
                    now[q], open_segment[q] = 0, segment
                bits |= before[q]
                if not self.begins[node]:
                    bits |= 1 << self.life_of_segment[segment]
            for earlier in self.after[node]:
                bits |= needs[earlier]
            needs[node] = bits
            for q, _ in legs:
                now[q] |= bits
        return needs

    def _before(self, nodes: Sequence[int], done: bytearray, closed: bytearray) -> list[int]:
        """These nodes and all that they wait for, as far as they are not done, in the order of the circuit."""
        found: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if done[node] or node in found:
                continue
            found.add(node)
            stack += self.after[node]
            for q, segment in self.legs[node]:
                if segment > self.segment_offsets[q] and not closed[segment - 1]:
                    closed[segment - 1] = 1  # all of it is found from here on, or done
                    stack += self.nodes[segment - 1]
        return sorted(found)

    def assign(self, order: Sequence[int]) -> tuple[list[int], int]:
        """A wire for every life (-1: it holds nothing at any time), and how many wires there are.

        Of the wires that are free, a life takes the one that has shared most nodes with the wires of its partners.
        """
        place = [0] * len(self.legs)
        for position, node in enumerate(order):
            place[node] = position
        end = len(order)
        spans = []
        for life, nodes in enumerate(self.members):
            if not nodes and not self.kept[life]:
                continue
            positions = [place[node] for node in nodes]
            spans.append((min(positions, default=end), end if self.kept[life] else max(positions), life))
        wire, wires = [-1] * len(self.wire), 0
        busy: list[tuple[int, int]] = []
        free: list[int] = []
        shared: dict[tuple[int, int], int] = {}
        for begin, finish, life in sorted(spans):
            while busy and busy[0][0] < begin:
                free.append(heappop(busy)[1])
            partners = self._partners(life, wire)
            if free:
                best = max(free, key=lambda w: (sum(shared.get((w, p), 0) for p in partners), -w))
                free.remove(best)
            else:
                best, wires = wires, wires + 1
            wire[life] = best
            heappush(busy, (finish, best))
            for partner in partners:
                shared[best, partner] = shared.get((best, partner), 0) + 1
                shared[partner, best] = shared.get((partner, best), 0) + 1
        return wire, wires

    def _partners(self, life: int, wire: Sequence[int]) -> list[int]:
        """Wires of the lives that have nodes in common with a life, as far as they are known."""
        found = {wire[self.life_of_segment[s]] for node in self.members[life] for _, s in self.legs[node]}
        return sorted(found - {-1})


def _write(lives: _Lives, order: Sequence[int], wire: Sequence[int], wires: int) -> Reused:
    """The circuit in this order, on these wires."""
    circuit, graph = lives.circuit, lives.graph
    turn_offsets, turn_rows = graph.turn_offsets.tolist(), graph.turn_rows.tolist()
    node_row = graph.node_row.tolist()
    # Row of the circuit (-1: a birth) with the wire of each of its legs.
    rows: list[int] = []
    pins: list[int] = []
    births: list[tuple[int, int]] = []
    input_wire = [-1] * circuit.num_qubits
    used = [False] * wires
    begun = [False] * len(lives.wire)
    opened = bytearray(graph.num_segments)

    def begin(life: int) -> None:
        begun[life] = True
        here = wire[life]
        if used[here] or not lives.first[life]:
            births.append((len(rows), lives.wire[life]))
            rows.append(-1)
            pins.append(here)
        else:
            input_wire[lives.wire[life]] = here
        used[here] = True

    def turn(entry: int, here: int) -> None:
        for row in turn_rows[turn_offsets[entry] : turn_offsets[entry + 1]]:
            rows.append(row)
            pins.append(here)

    for node in order:
        for q, segment in lives.legs[node]:
            life = lives.life_of_segment[segment]
            if not begun[life]:
                begin(life)
            if not opened[segment]:
                opened[segment] = 1
                turn(segment + q, wire[life])
        rows.append(node_row[node])
        pins += [wire[lives.life_of_segment[segment]] for _, segment in lives.legs[node]]
    for q, life in enumerate(lives.last_life):
        if lives.kept[life]:
            if not begun[life]:
                begin(life)
            turn(lives.segment_offsets[q + 1] + q, wire[life])
    last = np.array([max(wire[life], 0) for life in lives.last_life], np.int32)
    chosen = np.array(rows, np.int32)
    return Reused(_gathered(circuit, chosen, pins, wires, births, np.array(input_wire, np.int32), last), chosen)


def _gathered(
    circuit: LogicalCircuit,
    rows: Int32,
    pins: list[int],
    wires: int,
    births: list[tuple[int, int]],
    input_wire: Int32,
    last: Int32,
) -> LogicalCircuit:
    """The columns of a circuit in another order, on other wires, with resets where `rows` is -1."""
    old = rows >= 0
    at = np.where(old, rows, 0)
    arity = np.where(old, circuit.arity[at] if len(circuit) else 1, 1)
    counts = np.where(old, np.diff(circuit.param_offsets)[at] if len(circuit) else 0, 0)
    begin = circuit.param_offsets[at]
    ends = np.cumsum(counts)
    values = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(begin - (ends - counts), counts)

    def pick(column: NDArray[Any], other: int) -> NDArray[Any]:
        return np.where(old, column[at], other) if len(circuit) else np.full(len(at), other)

    return replace(
        circuit,
        num_qubits=wires,
        code=pick(circuit.code, int(Op.RESET)).astype(np.uint8),
        qubit_offsets=np.concatenate([[0], np.cumsum(arity)]).astype(np.int64),
        qubits=np.array(pins, np.int32),
        param_offsets=np.concatenate([[0], ends]).astype(np.int64),
        params=circuit.params[values],
        param_expr=circuit.param_expr[values],
        guard=pick(circuit.guard, -1).astype(np.int32),
        bit=pick(circuit.bit, -1).astype(np.int32),
        output_wire=last[circuit.output_wire],
        blocks=((0, len(rows), 1),),
        origin=np.zeros(0, np.int32),
        wide_before=None,
        start="zero",
        births=tuple(births),
        input_wire=input_wire,
    )
