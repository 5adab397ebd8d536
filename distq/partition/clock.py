"""A rough timeline of a plan in the making: when each share, communication qubit and generator is free.

It follows the steps of a plan as they are made, one after the other, with mean times for pairs and Pauli frames (see
`schedule.graph` for the exact rules; what is left out here are switch fabrics and conditions). It serves to choose
between steps; what a plan really takes its schedule says.
"""

from __future__ import annotations

import heapq
import math

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.ops import Op
from distq.partition.packets import PacketGraph
from distq.partition.plan import Step

#: A step of a plan: kind, a, b, c.
Row = tuple[int, int, int, int]


class Clock:
    """Times [s, or units where the network states none] as a plan grows."""

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, network: Network, homes: list[int]) -> None:
        self.graph, self.network = graph, network
        self.home = homes.copy()
        times = _Times(network)
        self.one, self.two, self.measure, self.reset = times.one, times.two, times.measure, times.reset
        self.pair, self.latency = times.pair, times.latency
        self.link_of = network.link_of.tolist()
        #: Time at which each share is free: by qubit, by module.
        self.share: list[dict[int, float]] = [{m: 0.0} for m in homes]
        #: Time at which the frame of each qubit is known, and its Z part.
        self.frame = [0.0] * len(homes)
        self.z_frame = [0.0] * len(homes)
        self.slots = [_Slots(m.comm, network.timed) for m in network.modules]
        #: Communication qubit of each copy, and of a home that is parked: by qubit, by module.
        self.slot: list[dict[int, int]] = [{} for _ in homes]
        self.generators = [[0.0] * times.generators[i] for i in range(len(network.links))]
        #: Parities that modules hold for the gate that is being collected: (when it is there, communication qubit).
        self.held: dict[int, list[tuple[float, int]]] = {}
        self.end = 0.0
        self.gate_time, self.clifford = _gates(circuit, graph)
        self.offsets, self.qubits = graph.node_offsets.tolist(), graph.leg_qubit.tolist()
        self.turns = np.diff(graph.turn_offsets).tolist()
        self.opens = _opens_packet(graph)

    # Questions.

    def pair_start(self, here: int, there: int) -> float:
        """When a pair between linked modules could be requested; infinite if all communication qubits are in use."""
        return max(self.generators[self.link_of[here][there]][0], self.slots[here].next(), self.slots[there].next())

    # Steps.

    def apply(self, row: Row) -> None:
        """Follow a step."""
        kind, a, b, c = row
        if kind == Step.NODE:
            self._node(a, b)
        elif kind == Step.FETCH:
            self._fetch(a, b, c)
        elif kind == Step.DROP:
            self._drop(a, b)
        elif kind == Step.TURN:
            self._turn(a, b)
        elif kind == Step.SHIFT:
            self._shift(a, b)
        elif kind == Step.SETTLE:
            self._settle(a)
        elif kind == Step.PARK:
            self._park(a)
        elif kind == Step.EXCHANGE:
            self._exchange(a, b, c)
        elif kind in (Step.GATHER, Step.MERGE):
            self._gather(b, c, kind == Step.MERGE)
        elif kind == Step.JUMP and b >= 0:
            # What it held is given up; the data qubit there is reset before it is used.
            self.share[a] = {b: max(self.share[a].values(), default=0.0)}
            self.home[a] = b

    def _request(self, here: int, there: int) -> tuple[float, int, int]:
        """Generate a pair: when it is there, and its communication qubits."""
        (first, a), (second, b) = self.slots[here].take(), self.slots[there].take()
        link = self.link_of[here][there]
        made = max(first, second, self.generators[link][0]) + self.pair[link]
        heapq.heapreplace(self.generators[link], made)
        return made, a, b

    def _free(self, module: int, slot: int, time: float) -> None:
        """A communication qubit was measured, and can be used again after a reset."""
        self.slots[module].give(slot, time + self.reset[module])
        self.end = max(self.end, time)

    def _fetch(self, q: int, here: int, there: int) -> None:
        made, sent, self.slot[q][there] = self._request(here, there)
        measured = max(made, self.share[q][here]) + self.two[here]
        self.share[q][here] = measured
        measured += self.measure[here]
        self._free(here, sent, measured)
        self.share[q][there] = made
        self.frame[q] = max(self.frame[q], measured + self.latency[here][there])

    def _drop(self, q: int, module: int) -> None:
        time = self.share[q].pop(module) + self.one[module] + self.measure[module]
        self._free(module, self.slot[q].pop(module), time)
        self.z_frame[q] = max(self.z_frame[q], time + self.latency[module][self.home[q]])

    def _shift(self, q: int, there: int) -> None:
        here = self.home[q]
        time = self.share[q].pop(here) + self.one[here] + self.measure[here]
        if here in self.slot[q]:
            self._free(here, self.slot[q].pop(here), time)
        self.end = max(self.end, time)
        self.z_frame[q] = max(self.z_frame[q], time + self.latency[here][there])
        self.home[q] = there

    def _settle(self, q: int) -> None:
        home = self.home[q]
        self.share[q][home] += 3 * self.two[home]
        # The swap leaves |0> behind.
        self.slots[home].give(self.slot[q].pop(home), self.share[q][home])
        self.end = max(self.end, self.share[q][home])

    def _park(self, q: int) -> None:
        home = self.home[q]
        free, self.slot[q][home] = self.slots[home].take()
        self.share[q][home] = max(self.share[q][home], free) + 3 * self.two[home]

    def _turn(self, q: int, segment: int) -> None:
        for module in self.share[q]:
            self.share[q][module] += self.one[module] * self.turns[segment + q]
        if self.opens[segment + q]:
            self.frame[q] = max(self.frame[q], self.z_frame[q])

    def _node(self, node: int, module: int) -> None:
        held = self.held.pop(module, [])
        legs = [q for q in self.qubits[self.offsets[node] : self.offsets[node + 1]] if module in self.share[q]]
        start = max([*(self.share[q][module] for q in legs), *(time for time, _ in held)], default=0.0)
        if not self.clifford[node]:
            start = max([start, *(self.frame[q] for q in legs)])
        gates = self.gate_time[node]
        took = self.measure[module] if gates == -1 else self.reset[module] if gates == -2 else gates * self.two[module]
        for q in legs:
            self.share[q][module] = start + took
        self.end = max(self.end, start + took)
        self._disentangle(held, module, start + took)

    def _disentangle(self, held: list[tuple[float, int]], module: int, time: float) -> None:
        for _, slot in held:
            self._free(module, slot, time + self.one[module] + self.measure[module])

    def _gather(self, here: int, there: int, merge: bool) -> None:
        """Shares that enter a parity are not followed: their gates with it are short."""
        before = self.held.pop(here, [])
        made, sent, slot = self._request(here, there)
        done = max([made, *(time for time, _ in before)]) + (1 + len(before)) * self.two[here]
        self._free(here, sent, done + self.measure[here])
        self._disentangle(before, here, done)
        there_too = self.held.setdefault(there, [])
        if merge:
            made = max([made, *(time for time, _ in there_too)]) + self.two[there]
            self._disentangle(there_too, there, made)
            there_too.clear()
        there_too.append((made, slot))

    def _exchange(self, p: int, q: int, copies: int) -> None:
        for i, (control, target) in enumerate(((p, q), (q, p), (p, q))):
            here, there = self.home[control], self.home[target]
            if i or not copies & 1:
                self._fetch(control, here, there)
            time = max(self.share[control][there], self.share[target][there], self.frame[control]) + self.two[there]
            self.share[control][there] = self.share[target][there] = time
            if i < 2 or not copies & 2:
                self._drop(control, there)
        here, there = self.home[p], self.home[q]
        kept = self.share[p].get(there)
        self.share[p], self.share[q] = {there: self.share[q][there]}, {here: self.share[p][here]}
        if kept is not None:
            self.share[q][there], self.slot[q][there] = kept, self.slot[p].pop(there)
        self.home[p], self.home[q] = there, here


class _Slots:
    """Free communication qubits of a module, in the order in which programs take them (`protocols.lower`).

    Where time counts and they are limited they take turns, else the lowest free place is taken.
    """

    def __init__(self, number: int | None, timed: bool) -> None:
        self.limited = number is not None
        self.turns = timed and self.limited
        #: (key, slot, when it is free); the least key goes first.
        self.heap = [(i, i, 0.0) for i in range(number or 0)]
        self.count = number or 0

    def next(self) -> float:
        """When the one that is taken next is free."""
        if self.heap:
            return self.heap[0][2]
        return math.inf if self.limited else 0.0

    def take(self) -> tuple[float, int]:
        """(when it is free, slot)."""
        if self.heap:
            _, slot, time = heapq.heappop(self.heap)
            return time, slot
        self.count += 1
        return 0.0, self.count - 1

    def give(self, slot: int, time: float) -> None:
        """It is free from this time on."""
        self.count += self.turns
        heapq.heappush(self.heap, (self.count if self.turns else slot, slot, time))


class _Times:
    """Durations of a network in plain lists; in units everything but messages counts 1."""

    def __init__(self, network: Network) -> None:
        from distq.schedule.timing import of_network

        found = of_network(network)
        self.one, self.two = found.one_qubit.tolist(), found.two_qubit.tolist()
        self.measure, self.reset = found.measure.tolist(), found.reset.tolist()
        self.latency = found.latency.tolist()
        self.pair: list[float] = found.pair.tolist()
        self.generators: list[int] = found.generators.tolist()


def _gates(circuit: LogicalCircuit, graph: PacketGraph) -> tuple[list[float], list[bool]]:
    """For each node its time in two-qubit gates (-1: a measurement, -2: a reset), and whether frames pass it."""
    code = circuit.code[graph.node_row]
    size = np.diff(graph.node_offsets).astype(np.float64)
    gates = np.ones(len(code))
    wide = size > 2
    gates = np.where(wide & (code == Op.MCP), np.minimum(2.0 ** np.minimum(size, 40) - 2, 16 * size**2), gates)
    gates = np.where(wide & (code == Op.PARITY), 2 * (size - 1), gates)
    gates[size < 2] = 0.0
    gates[code == Op.MEASURE] = -1
    gates[code == Op.RESET] = -2
    at = circuit.param_offsets[graph.node_row]
    several = np.isin(code, (Op.MCP, Op.PARITY))
    clifford = np.isin(code, (Op.MEASURE, Op.RESET))
    angle = circuit.params[at[several]] / np.where(code[several] == Op.MCP, np.pi, np.pi / 2)
    exact = (np.abs(angle - np.round(angle)) < 1e-9) & (circuit.param_expr[at[several]] < 0)
    clifford[several] = exact & ((code[several] == Op.PARITY) | (size[several] == 2))
    return gates.tolist(), clifford.tolist()


def _opens_packet(graph: PacketGraph) -> list[bool]:
    """(S+n,) whether the one-qubit gates before a segment end a packet."""
    result = np.ones(graph.num_segments + graph.num_qubits, np.bool_)
    for q in range(graph.num_qubits):
        first, last = graph.segment_offsets[q], graph.segment_offsets[q + 1]
        packet = graph.segment_packet[first:last]
        result[first + q + 1 : last + q] = packet[1:] != packet[:-1]
    return result.tolist()


__all__ = ["Clock"]
