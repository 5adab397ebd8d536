"""An order that looks at the clock: which copy is fetched next follows from when its pair could be there.

The list scheduler of `order` takes copies as they come. Here every step that it makes is put on a rough timeline at
once (`Clock`: when each share, communication qubit and generator is free), and of the copies that could be fetched next
the one is taken that can be in use first, less a bonus for the length of what waits behind it. The weights and a little
noise give different orders; which of them is the quickest only their schedules can tell (`distq.choose`).

Rules of this kind, tried several times with other weights and noise, are called adaptive random sampling in project
scheduling (Kolisch and Drexl, Naval Research Logistics 43, 23 (1996)).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.clock import Clock
from distq.partition.order import Orderer, plan_of
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement, Plan

#: So many copies that serve all that is left of their packets are compared.
MOST_BURSTS = 64


@dataclass(frozen=True)
class Rule:
    """How the next copy is chosen.

    Attributes:
        urgency: how much sooner a copy is fetched for each second of the longest way behind it [s/s].
        hold: how much later for each second in which its communication qubits wait for something else [s/s].
        single: how much later a copy that serves a part of its packet only, in times of a pair.
        ahead: how many nodes that wait are looked at.
        noise: the largest random delay of a choice, in times of a pair.
        seed: of the noise.
    """

    urgency: float = 0.0
    hold: float = 0.0
    single: float = 0.0
    ahead: int = 16
    noise: float = 0.0
    seed: int = 0


def order_by_time(
    circuit: LogicalCircuit,
    graph: PacketGraph,
    network: Network,
    placement: Placement,
    rule: Rule = Rule(),
    exchange: bool = True,
) -> Plan:
    """The plan for a placement, its steps chosen by a rough timeline; `exchange` as of `order`.

    Raises:
        InfeasibleError: as `order`.
    """
    orderer = _TimeOrderer(circuit, graph, network, placement, rule)
    orderer.copied_exchange = exchange
    return plan_of(orderer, circuit, graph, placement)


class _TimeOrderer(Orderer):
    """The list scheduler with a clock."""

    def __init__(
        self, circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement, rule: Rule
    ) -> None:
        super().__init__(circuit, graph, network, placement)
        self.rule = rule
        self.random = random.Random(rule.seed)
        self.clock = Clock(circuit, graph, network, self.home)
        self.seen = 0
        self.tail = tails(graph, self.clock)
        self.typical_pair = float(np.mean(self.clock.pair)) if self.clock.pair else 0.0

    def run(self) -> None:
        """Make all the steps."""
        for q in range(self.n):
            self.open_segment(q)
        while True:
            self.run_ready()
            self.catch_up()
            while self.blocked and self.done[self.node_at[self.blocked[0]]]:
                heappop(self.blocked)
            if self.moves and (not self.blocked or self.moves[-1][0] <= self.blocked[0]):
                if not self.fetch_burst():
                    self.move_next()
                continue
            if not self.next_copy():
                break
        assert all(self.done), "nodes were left over"
        self.finish_homes()

    def catch_up(self) -> None:
        """Put the steps that were made on the clock."""
        for row in self.steps[self.seen :]:
            self.clock.apply(row)
        self.seen = len(self.steps)

    def next_copy(self) -> bool:
        """Fetch the copy, or carry out the node, that comes first by the rule; False if nothing is left."""
        burst, score = self.best_burst()
        node = self.best_node(score)
        if node >= 0:
            self.force(node)
        elif burst is not None:
            self.bursts.remove(burst)
            self.fetch(*burst, [])
            self.wake(*burst)
        elif self.blocked:
            self.force(self.node_at[heappop(self.blocked)])
        else:
            return False
        return True

    def best_burst(self) -> tuple[tuple[int, int] | None, float]:
        """The best copy that serves all that is left of its packet, and its score; others are forgotten."""
        best, best_score = None, float("inf")
        bursts, looked = [], 0
        waiting = list(dict.fromkeys(self.bursts))
        for number, (q, site) in enumerate(waiting):
            if looked == MOST_BURSTS:
                bursts += waiting[number:]
                break
            at = self.burst_source(q, site)
            if at == -1:
                continue
            bursts.append((q, site))
            if at < 0:
                continue
            looked += 1
            score = self.score(q, at, site) + self.noise()
            if score < best_score:
                best, best_score = (q, site), score
        self.bursts = bursts
        return best, best_score

    def best_node(self, least: float) -> int:
        """The best of the first nodes that wait, if its score is below `least`; else -1."""
        best = -1
        # Nodes behind the next planned move wait for it.
        limit = self.moves[-1][0] if self.moves else len(self.done)
        kept: list[int] = []
        while self.blocked and len(kept) < self.rule.ahead:
            rank = heappop(self.blocked)
            node = self.node_at[rank]
            if self.done[node] or (kept and kept[-1] == rank):
                continue
            kept.append(rank)
            if rank >= limit:
                break
            score = self.node_score(node) + self.noise()
            if score < least:
                best, least = node, score
        for rank in kept:
            heappush(self.blocked, rank)
        return best

    def noise(self) -> float:
        """A random delay of a choice."""
        return self.random.random() * self.rule.noise * self.typical_pair if self.rule.noise else 0.0

    def burst_source(self, q: int, site: int) -> int:
        """Where the copy of a burst comes from; -1 if it is not needed any more, -2 if it has no room just now."""
        need = self.need[q].get(site, 0)
        if not need or self.ready_for[q].get(site, 0) < need or self.present(q, site):
            return -1
        at = self.source(q, site)
        if at < 0 or self.hop[at][site] != site:
            return -1
        return at if self.free[at] and self.free[site] else -2

    def score(self, q: int, at: int, site: int) -> float:
        """When a copy could be used, by the rule: the lower the sooner."""
        clock, rule = self.clock, self.rule
        made = clock.pair_start(at, site) + clock.pair[self.link_of[at][site]]
        entangled = max(made, clock.share[q][at])
        ready, tail, looked = entangled, 0.0, 0
        for node in self.segment_nodes[self.segment[q]]:
            if self.done[node] or self.wait[node] or self.leg_site(node, q) != site:
                continue
            looked += 1
            tail = max(tail, self.tail[node])
            for other in self.legs[node]:
                there = clock.share[other].get(site)
                if other != q and there is not None:
                    ready = max(ready, there)
            if looked >= 4:
                break
        return ready + rule.hold * (entangled - made + ready - made) - rule.urgency * tail

    def node_score(self, node: int) -> float:
        """When a node could be carried out if all that it needs were fetched now, by the rule."""
        clock, rule = self.clock, self.rule
        ready, lost = 0.0, 0.0
        for q in self.legs[node]:
            site = self.leg_site(node, q)
            if self.present(q, site):
                ready = max(ready, clock.share[q].get(site, 0.0))
                continue
            at = self.source(q, site)
            if at < 0:
                return float("inf")
            hop = self.hop[at][site]
            pair = clock.pair[self.link_of[at][hop]]
            if self.free[at] and self.free[hop]:
                made = clock.pair_start(at, hop) + pair
            else:
                made = clock.end + pair
                lost += pair
            ready = max(ready, made, clock.share[q][at])
            lost += rule.single * pair
        return ready + lost - rule.urgency * self.tail[node]


def tails(graph: PacketGraph, clock: Clock) -> list[float]:
    """(M,) time from the start of each node to the end of the circuit by its longest chain, without communication.

    Nodes of one segment of a qubit follow each other in any order; one segment comes after the other.
    """
    two = float(np.mean(clock.two)) if clock.two else 0.0
    result = [0.0] * graph.num_nodes
    behind = [0.0] * (graph.num_segments + graph.num_qubits)
    offsets, qubits, segments = graph.node_offsets.tolist(), graph.leg_qubit.tolist(), graph.leg_segment.tolist()
    one = float(np.mean(clock.one)) if clock.one else 0.0
    for node in range(graph.num_nodes - 1, -1, -1):
        after = 0.0
        for leg in range(offsets[node], offsets[node + 1]):
            entry = segments[leg] + qubits[leg] + 1
            after = max(after, behind[entry] + one * clock.turns[entry])
        result[node] = after + abs(clock.gate_time[node]) * two
        for leg in range(offsets[node], offsets[node + 1]):
            entry = segments[leg] + qubits[leg]
            behind[entry] = max(behind[entry], result[node])
    return result


__all__ = ["Rule", "order_by_time", "tails"]
