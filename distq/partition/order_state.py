"""The state of an order in the making: where homes and copies are, and how copies come and go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.network.feasible import parts
from distq.network.model import Network
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement, Step

#: How many nodes ahead the search for the next use of a copy looks; farther counts as never.
_HORIZON = 64


def relay_distances(network: Network, min_comm: int = 2) -> tuple[list[list[int]], list[list[int]]]:
    """Hops and first hop between modules over paths whose inner modules have at least `min_comm` communication qubits.

    Returns:
        (distance, first hop), -1 where there is no such path.
    """
    k = len(network.modules)
    comm = network.comm_array
    neighbours = [np.flatnonzero(network.link_of[m] >= 0).tolist() for m in range(k)]
    distance = [[-1] * k for _ in range(k)]
    hop = [[-1] * k for _ in range(k)]
    for target in range(k):  # a search backwards from the target gives each module its first hop
        distance[target][target] = 0
        frontier = [target]
        for m in frontier:
            if m != target and comm[m] < min_comm:
                continue
            for other in neighbours[m]:
                if distance[other][target] < 0:
                    distance[other][target] = distance[m][target] + 1
                    hop[other][target] = m
                    frontier.append(other)
    return distance, hop


def moves_of(placement: Placement) -> NDArray[np.int32]:
    """(V, 3) the moves of a placement; none if it has none."""
    return np.zeros((0, 3), np.int32) if placement.moves is None else placement.moves


class OrderState:
    """Where everything is. Plain lists: element access is what the scheduler spends its time on."""

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement) -> None:
        self.network = network
        self.n, self.k = graph.num_qubits, len(network.modules)
        self.steps: list[tuple[int, int, int, int]] = []
        # Nodes and their legs.
        offsets, qubits, segments = (
            graph.node_offsets.tolist(),
            graph.leg_qubit.tolist(),
            graph.leg_segment.tolist(),
        )
        self.legs = [qubits[offsets[i] : offsets[i + 1]] for i in range(graph.num_nodes)]
        self.local = graph.node_local.tolist()
        self.site = placement.sites.tolist()
        # Parity gates that may have sites of their own for each leg, and those of them that do: by qubit.
        self.parity = graph.node_parity.tolist()
        self.spread: dict[int, dict[int, int]] = {}
        if placement.leg_sites is not None:
            leg_sites = placement.leg_sites.tolist()
            for node in np.flatnonzero(graph.node_parity).tolist():
                there = leg_sites[offsets[node] : offsets[node + 1]]
                if len(set(there)) > 1:
                    self.spread[node] = dict(zip(self.legs[node], there))
                else:
                    self.site[node] = there[0]
        self.done = bytearray(graph.num_nodes)
        # The order in which nodes take their turns.
        rank = np.arange(graph.num_nodes) if placement.rank is None else placement.rank
        self.rank: list[int] = rank.tolist()
        self.node_at: list[int] = np.argsort(rank).tolist()
        # Segments and packets.
        self.segment_nodes: list[list[int]] = [[] for _ in range(graph.num_segments)]
        for node in self.node_at:
            for leg in range(offsets[node], offsets[node + 1]):
                self.segment_nodes[segments[leg]].append(node)
        self.segment_left = [len(x) for x in self.segment_nodes]
        self.segment_offsets = graph.segment_offsets.tolist()
        self.segment_packet = graph.segment_packet.tolist()
        self.turn_count = np.diff(graph.turn_offsets).tolist()
        self.segment = self.segment_offsets[:-1].copy()
        # Qubits: homes and copies.
        first = graph.packet_offsets[:-1] + np.arange(self.n)
        last = graph.packet_offsets[1:] + np.arange(self.n)
        self.initial_homes = placement.homes[first].astype(np.int32)
        final = placement.homes[last] if placement.final_homes is None else placement.final_homes
        self.target: list[int] = final.tolist()
        self.home: list[int] = self.initial_homes.tolist()
        self.copies: list[list[int]] = [[] for _ in range(self.n)]
        self.need: list[dict[int, int]] = [{} for _ in range(self.n)]
        self.ready_for: list[dict[int, int]] = [{} for _ in range(self.n)]
        # Planned moves: how many are left for each wire, where it goes in its present packet (-1: it stays), whether
        # its next packet waits for that, and whether its home sits on a communication qubit meanwhile.
        self.moves_left: list[int] = np.bincount(moves_of(placement)[:, 1], minlength=self.n).tolist()
        self.junction_home: list[int] = placement.homes.tolist()
        self.goal = [-1] * self.n
        self.waiting = bytearray(self.n)
        self.parked = bytearray(self.n)
        # Wires that hold nothing that matters: they have a place only so that they can begin again there.
        dead = np.zeros(graph.num_junctions, np.bool_) if graph.dead is None else graph.dead
        self.dead_junction: list[bool] = dead.tolist()
        self.dead = bytearray(dead[first].tolist())
        # Modules.
        self.comm: list[int] = network.comm_array.tolist()
        self.free: list[int] = self.comm.copy()
        self.held: list[list[int]] = [[] for _ in range(self.k)]
        self.residents: list[set[int]] = [set() for _ in range(self.k)]
        self.data: list[int] = network.data_array.tolist()
        #: Where wires may be that hold nothing.
        self.part: Sequence[int] = range(self.k)
        if graph.dead is not None and self.n:
            self.part = next(p for p in parts(network) if self.home[0] in p)
        for q in sorted(range(self.n), key=lambda q: self.dead[q]):
            m = self.home[q]
            if self.dead[q] and len(self.residents[m]) >= self.data[m]:
                m = next(m for m in self.part if len(self.residents[m]) < self.data[m])
                self.home[q] = self.initial_homes[q] = m
            self.residents[m].add(q)
        self.link_of = network.link_of.tolist()
        self.distance, self.hop = relay_distances(network)
        self.any_distance, self.any_hop = relay_distances(network, 0)
        self.complete = all(d <= 1 for row in self.any_distance for d in row)

    def present(self, q: int, module: int) -> bool:
        """Whether a module holds a share of q."""
        return self.home[q] == module or module in self.copies[q]

    def leg_site(self, node: int, q: int) -> int:
        """The module at which the leg of q enters a node."""
        sites = self.spread.get(node)
        return self.site[node] if sites is None else sites[q]

    def drop(self, q: int, module: int) -> None:
        """Disentangle the copy of q in a module."""
        self.steps.append((Step.DROP, q, module, 0))
        self.copies[q].remove(module)
        self.held[module].remove(q)
        self.free[module] += 1

    def drop_all(self, q: int) -> None:
        """Disentangle all copies of q."""
        for module in self.copies[q].copy():
            self.drop(q, module)

    def drop_if_useless(self, q: int, module: int) -> None:
        """Drop a copy that no node needs, unless it is the nearest share for a module that still needs one."""
        if module in self.need[q] or module == self.goal[q]:
            return
        if not self.complete and self.comm[module] >= 2:
            others = [self.home[q]] + [m for m in self.copies[q] if m != module]
            for goal in self.need[q]:
                here = self.distance[module][goal]
                if goal not in others and 0 <= here < min(
                    d if (d := self.distance[m][goal]) >= 0 else self.k for m in others
                ):
                    return
        self.drop(q, module)

    def next_use(self, q: int, module: int) -> int:
        """Rank of the first waiting node that needs the copy of q in `module`; a large number if there is none near."""
        if module not in self.need[q]:
            return len(self.done) + 1
        seen = 0
        s, end = self.segment[q], self.segment_offsets[q + 1]
        packet = self.segment_packet[s]
        while s < end and self.segment_packet[s] == packet and seen < _HORIZON:
            for node in self.segment_nodes[s]:
                if not self.done[node]:
                    seen += 1
                    if self.leg_site(node, q) == module:
                        return self.rank[node]
                    if seen >= _HORIZON:
                        break
            s += 1
        return len(self.done)

    def make_room(self, module: int, keep: Sequence[int], count: int = 1) -> bool:
        """Free `count` communication qubits, dropping copies of qubits that are not in `keep`."""
        while self.free[module] < count:
            victims = [q for q in self.held[module] if q not in keep]
            if not victims:
                return False
            self.drop(max(victims, key=lambda q: (self.next_use(q, module), -q)), module)
        return True

    def source(self, q: int, module: int) -> int:
        """The share of q nearest to `module` from which a copy can be sent there; -1 if there is none."""
        best, best_key = -1, (0, 0, 0)
        for i, m in enumerate([self.home[q], *self.copies[q]]):
            hops = self.distance[m][module]
            if hops < 0 or self.comm[m] < (2 if i or self.parked[q] else 1) or self.comm[module] < 1:
                continue
            key = (hops, 0 if self.free[m] else 1, i)
            if best < 0 or key < best_key:
                best, best_key = m, key
        return best

    def fetch(self, q: int, module: int, keep: Sequence[int]) -> bool:
        """Bring a copy of q to `module`, over relays if need be; `keep` are qubits whose copies stay there."""
        at = self.source(q, module)
        if at < 0:
            return False
        while at != module:
            following = self.hop[at][module]
            holders = keep if following == module else [q]
            if not (self.make_room(at, [q]) and self.make_room(following, holders)):
                return False
            self.steps.append((Step.FETCH, q, at, following))
            self.copies[q].append(following)
            self.held[following].append(q)
            self.free[following] -= 1
            if at != self.home[q]:
                self.drop_if_useless(q, at)
            at = following
        return True
