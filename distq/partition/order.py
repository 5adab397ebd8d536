"""From a placement to a plan: a total order of gates, copies and moves that fits the communication qubits.

The order is found by list scheduling. A node is ready when the segments of all its legs are open and the bits
that it reads are written. Ready nodes whose qubits are all present at the site are carried out at once;
copies that nobody needs any more are dropped at once. Then a copy is fetched: first one that serves all that
is left of its packet at that module (it goes again immediately), else what the first waiting node in the
circuit's order needs. When a module has no communication qubit free, the copy whose next use is farthest away
is dropped, as in Belady's rule for caches, and fetched again later; the count of the plan includes it.

A copy that must pass a module with fewer than two communication qubits cannot be relayed there. Then homes
move
instead: by state teleportation into a free data qubit, or by an exchange with a qubit of the neighbour.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.errors import InfeasibleError
from distq.network.model import Network
from distq.partition.order_parity import Collectors
from distq.partition.order_state import moves_of
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement, Plan, Step


def order(
    circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement, exchange: bool = True
) -> Plan:
    """The plan for a placement; a placement with a `rank` is carried out in that order.

    With `exchange` two qubits may change places by three copied CX where communication qubits are too few for two state
    teleportations.

    Raises:
        InfeasibleError: a gate needs more communication qubits than any module has, a link is missing, or qubits
            would have to change places and cannot.
    """
    from distq.partition.order_rank import RankOrderer

    kind = Orderer if placement.rank is None else RankOrderer
    orderer = kind(circuit, graph, network, placement)
    orderer.copied_exchange = exchange
    return plan_of(orderer, circuit, graph, placement)


def plan_of(orderer: Orderer, circuit: LogicalCircuit, graph: PacketGraph, placement: Placement) -> Plan:
    """Let a list scheduler make all its steps."""
    orderer.run()
    columns = np.array(orderer.steps, np.int32).reshape(-1, 4)
    return Plan(
        circuit=circuit,
        network=orderer.network,
        graph=graph,
        placement=placement,
        initial_homes=orderer.initial_homes,
        final_homes=np.array(orderer.home, np.int32),
        kind=columns[:, 0].astype(np.uint8),
        a=columns[:, 1].copy(),
        b=columns[:, 2].copy(),
        c=columns[:, 3].copy(),
        leg_sites=orderer.leg_sites(graph) if orderer.spread else None,
    )


def classical_dependencies(circuit: LogicalCircuit, graph: PacketGraph) -> tuple[list[list[int]], list[int]]:
    """For each node the nodes that must wait for it because of classical bits, and how many each waits for.

    A guard waits for the measurements it reads. Where a classical bit of the source is written more than
    once, the writes keep their order and wait for reads of the value before.
    """
    followers: list[list[int]] = [[] for _ in range(graph.num_nodes)]
    waits = [0] * graph.num_nodes
    if not len(circuit.bit_clbit):
        return followers, waits
    writer: dict[int, int] = {}
    last_write: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    bits = circuit.bit[graph.node_row]
    guards = circuit.guard[graph.node_row]
    edges: set[tuple[int, int]] = set()
    for node in np.flatnonzero((bits >= 0) | (guards >= 0)).tolist():
        if guards[node] >= 0:
            for version, _ in circuit.guards[guards[node]]:
                edges.add((writer[version], node))
                readers.setdefault(circuit.bit_clbit[version], []).append(node)
        version = int(bits[node])
        if version >= 0:
            clbit = circuit.bit_clbit[version]
            if clbit in last_write:
                edges.add((last_write[clbit], node))
            edges.update((reader, node) for reader in readers.pop(clbit, ()) if reader != node)
            writer[version] = last_write[clbit] = node
    for before, after in sorted(edges):
        followers[before].append(after)
        waits[after] += 1
    return followers, waits


class Orderer(Collectors):
    """The list scheduler; `order_rank` has one for an order that is given."""

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement) -> None:
        super().__init__(circuit, graph, network, placement)
        self.followers, waits = classical_dependencies(circuit, graph)
        self.wait = [len(legs) + w for legs, w in zip(self.legs, waits)]
        self.ready: list[int] = []
        self.blocked: list[int] = []
        self.bursts: list[tuple[int, int]] = []
        # Planned moves, by the first node that comes after them, the last one first.
        moves = moves_of(placement)
        before = np.searchsorted(graph.node_row, moves[:, 0]) if placement.rank is None else moves[:, 0]
        self.moves = list(zip(before.tolist(), moves[:, 1].tolist(), moves[:, 2].tolist()))[::-1]
        self.packet_offsets: list[int] = graph.packet_offsets.tolist()

    def run(self) -> None:
        """Make all the steps."""
        for q in range(self.n):
            self.open_segment(q)
        while True:
            self.run_ready()
            if self.fetch_burst():
                continue
            while self.blocked and self.done[self.node_at[self.blocked[0]]]:
                heappop(self.blocked)
            if self.moves and (not self.blocked or self.moves[-1][0] <= self.blocked[0]):
                self.move_next()
            elif self.blocked:
                self.force(self.node_at[heappop(self.blocked)])
            else:
                break
        assert all(self.done), "nodes were left over"
        self.finish_homes()

    def open_segment(self, q: int) -> None:
        """Turn qubit q into its present segment and release the nodes there; ends its line after the last one."""
        s = self.segment[q]
        if self.turn_count[s + q]:
            self.steps.append((Step.TURN, q, s, 0))
        if s == self.segment_offsets[q + 1]:
            return
        nodes = self.segment_nodes[s]
        if s == self.segment_offsets[q] or self.segment_packet[s] != self.segment_packet[s - 1]:
            self.open_packet(q, s)
        for node in nodes:
            self.release(node)

    def open_packet(self, q: int, s: int) -> None:
        """Note what the packet of segment s needs, and where."""
        need: dict[int, int] = {}
        packet, end = self.segment_packet[s], self.segment_offsets[q + 1]
        while s < end and self.segment_packet[s] == packet:
            for node in self.segment_nodes[s]:
                if not self.local[node]:
                    site = self.leg_site(node, q) if node in self.spread else self.site[node]
                    need[site] = need.get(site, 0) + 1
            s += 1
        self.need[q] = need
        goal = self.junction_home[packet + q + 1]
        moves = self.moves_left[q] and not self.dead_junction[packet + q + 1]
        self.goal[q] = goal if moves and goal != self.home[q] else -1
        self.ready_for[q] = {}

    def release(self, node: int) -> None:
        """One thing less to wait for."""
        self.wait[node] -= 1
        if self.wait[node] == 0:
            self.ready.append(node)

    def run_ready(self) -> None:
        """Carry out all that is ready and has its qubits present; the rest waits for copies."""
        while self.ready:
            node = self.ready.pop()
            if self.done[node]:
                continue
            if self.local[node]:
                if self.dead[self.legs[node][0]]:
                    heappush(self.blocked, node)  # until it is needed, others may have its place
                else:
                    self.execute(node, self.home[self.legs[node][0]])
                continue
            site = self.site[node]
            if node in self.spread:
                missing = [(q, m) for q, m in self.spread[node].items() if not self.present(q, m)]
                if not missing and self.try_collect(node):
                    continue
            else:
                missing = [(q, site) for q in self.legs[node] if not self.present(q, site)]
                if not missing:
                    self.execute(node, site)
                    continue
            heappush(self.blocked, self.rank[node])
            for q, site in missing:
                count = self.ready_for[q].get(site, 0) + 1
                self.ready_for[q][site] = count
                if count >= self.need[q].get(site, 0):
                    self.bursts.append((q, site))

    def execute(self, node: int, site: int) -> None:
        """Carry out a node in a module where everything it needs is."""
        self.steps.append((Step.NODE, node, site, 0))
        if self.local[node]:
            self.site[node] = site
        self.done[node] = 1
        sites = self.spread.get(node)
        for q in self.legs[node]:
            if not self.local[node]:
                self.use(q, site if sites is None else sites[q])
            s = self.segment[q]
            self.segment_left[s] -= 1
            if self.segment_left[s] == 0:
                self.close_segment(q)
        for follower in self.followers[node]:
            self.release(follower)

    def use(self, q: int, site: int) -> None:
        """The share of q in `site` was used by one of the nodes that need it."""
        need = self.need[q]
        need[site] -= 1
        if need[site] == 0:
            del need[site]
            if site in self.copies[q]:
                self.drop_if_useless(q, site)

    def close_segment(self, q: int) -> None:
        """All nodes of the present segment of q are done."""
        s = self.segment[q]
        self.segment[q] = s + 1
        ends = s + 1 == self.segment_offsets[q + 1]
        if ends or self.segment_packet[s + 1] != self.segment_packet[s]:
            packet = self.packet_offsets[q + 1] if ends else self.segment_packet[s + 1]
            if self.dead_junction[packet + q]:
                self.die(q)
            elif self.must_move(q):
                self.waiting[q] = 1
                self.goal[q] = self.next_home(q)
                return
            self.drop_all(q)
        self.open_segment(q)

    def next_home(self, q: int) -> int:
        """The planned home of q at its present junction."""
        s = self.segment[q]
        packet = self.packet_offsets[q + 1] if s == self.segment_offsets[q + 1] else self.segment_packet[s]
        return self.junction_home[packet + q]

    def must_move(self, q: int) -> bool:
        """Whether a planned move has still to bring q to the home of its present junction."""
        return self.moves_left[q] > 0 and self.home[q] != self.next_home(q)

    def move_next(self) -> None:
        """Carry out the planned moves that come next and belong to one point of the circuit."""
        before = self.moves[-1][0]
        goals: dict[int, int] = {}
        while self.moves and self.moves[-1][0] == before:
            _, q, module = self.moves.pop()
            self.moves_left[q] -= 1
            goals[q] = module
        self.rearrange(goals)
        for q in goals:
            if self.waiting[q] and not self.must_move(q):
                self.waiting[q] = 0
                self.drop_all(q)
                self.open_segment(q)
            elif self.segment[q] < self.segment_offsets[q + 1]:
                self.wake(q, self.home[q])

    def fetch_burst(self) -> bool:
        """Fetch a copy that serves all that is left of its packet in one go and needs nothing to be dropped."""
        while self.bursts:
            q, site = self.bursts.pop()
            need = self.need[q].get(site, 0)
            if not need or self.ready_for[q].get(site, 0) < need or self.present(q, site):
                continue
            at = self.source(q, site)
            if at < 0 or self.hop[at][site] != site or not (self.free[at] and self.free[site]):
                continue
            self.fetch(q, site, [])
            self.wake(q, site)
            return True
        return False

    def wake(self, q: int, site: int) -> None:
        """Look again at the ready nodes that waited for a copy of q in `site`."""
        self.ready_for[q].pop(site, None)
        for node in reversed(self.segment_nodes[self.segment[q]]):
            if not self.done[node] and self.wait[node] == 0 and self.leg_site(node, q) == site:
                self.ready.append(node)

    def force(self, node: int) -> None:
        """Carry out a node whose turn it is, whatever it costs."""
        if self.local[node]:
            (q,) = self.legs[node]
            self.begin(q, self.segment_packet[self.segment[q]] + q + 1)
            self.execute(node, self.home[q])
            return
        scattered = False
        while not self.serve(node):
            if any(self.parked):
                self.unpark()
                continue
            if self.parity[node] and not scattered:
                # Every leg at the home of its qubit: no copies are needed.
                self.set_sites(node, {q: self.home[q] for q in self.legs[node]})
                scattered = True
                continue
            site = self.other_site(node)
            if site < 0:
                self.approach(node)
            else:
                self.set_sites(node, dict.fromkeys(self.legs[node], site))
        for q in self.legs[node]:
            site = self.leg_site(node, q)
            if self.segment[q] < self.segment_offsets[q + 1] and self.present(q, site):
                self.wake(q, site)

    def serve(self, node: int) -> bool:
        """Carry out a node where it is planned, whatever copies must go for it; False if that is impossible there."""
        if node in self.spread:
            return self.force_collect(node)
        if not self.gather(node, self.site[node]):
            return False
        self.execute(node, self.site[node])
        return True

    def gather(self, node: int, site: int) -> bool:
        """Bring all legs of a node to a site; False (with nothing lost but copies) if that is impossible there."""
        legs = self.legs[node]
        missing = [q for q in legs if not self.present(q, site)]
        remote = sum(self.home[q] != site for q in legs)
        if remote > self.comm[site] or any(self.source(q, site) < 0 for q in missing):
            return False
        return all(self.fetch(q, site, legs) for q in missing)

    def other_site(self, node: int) -> int:
        """The cheapest module that could serve a node whose planned site cannot; -1 if there is none."""
        best, best_cost = -1, 0
        legs = self.legs[node]
        for site in range(self.k):
            if sum(self.home[q] != site for q in legs) > self.comm[site]:
                continue
            cost = 0
            for q in legs:
                if not self.present(q, site):
                    at = self.source(q, site)
                    cost = cost + self.distance[at][site] if at >= 0 else -1
                if cost < 0:
                    break
            if cost >= 0 and (best < 0 or cost < best_cost):
                best, best_cost = site, cost
        return best

    def approach(self, node: int) -> None:
        """Move the homes of two legs of a node one hop closer to each other."""
        legs = self.legs[node]
        pairs = [(self.any_distance[self.home[p]][self.home[q]], p, q) for p in legs for q in legs if p < q]
        if len(legs) > 2 or min(pairs)[0] < 0:
            names = ", ".join(self.network.modules[self.home[q]].name for q in legs)
            raise InfeasibleError(
                f"a gate on {len(legs)} qubits in modules {names} has no module with enough communication qubits; "
                "give a module more of them or add links"
            )
        _, p, q = min(pairs)
        self.step_towards(p, self.home[q], legs)


def graph_homes(graph: PacketGraph, homes: NDArray[np.int32]) -> NDArray[np.int32]:
    """(J,) homes of all junctions when every qubit keeps its home `homes[q]`."""
    junctions = np.diff(graph.packet_offsets) + 1
    return np.repeat(homes.astype(np.int32), junctions)
