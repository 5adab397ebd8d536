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

from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.errors import InfeasibleError
from distq.network.model import Network
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement, Plan, Step

#: How many nodes ahead the search for the next use of a copy looks; farther counts as never.
_HORIZON = 64


def order(circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement) -> Plan:
    """The plan for a placement.

    Raises:
        InfeasibleError: a gate needs more communication qubits than any module has, or a link is missing.
    """
    orderer = _Orderer(circuit, graph, network, placement)
    orderer.run()
    columns = np.array(orderer.steps, np.int32).reshape(-1, 4)
    return Plan(
        circuit=circuit,
        network=network,
        graph=graph,
        placement=placement,
        initial_homes=orderer.initial_homes,
        final_homes=np.array(orderer.home, np.int32),
        kind=columns[:, 0].astype(np.uint8),
        a=columns[:, 1].copy(),
        b=columns[:, 2].copy(),
        c=columns[:, 3].copy(),
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


class _Orderer:
    """The state of the list scheduler. Plain lists: element access is what it spends its time on."""

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
        self.done = bytearray(graph.num_nodes)
        self.followers, waits = classical_dependencies(circuit, graph)
        self.wait = [len(legs) + w for legs, w in zip(self.legs, waits)]
        # Segments and packets.
        self.segment_nodes: list[list[int]] = [[] for _ in range(graph.num_segments)]
        for node in range(graph.num_nodes):
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
        # Modules.
        self.comm: list[int] = network.comm_array.tolist()
        self.free: list[int] = self.comm.copy()
        self.held: list[list[int]] = [[] for _ in range(self.k)]
        self.residents: list[set[int]] = [set() for _ in range(self.k)]
        for q, m in enumerate(self.home):
            self.residents[m].add(q)
        self.data: list[int] = network.data_array.tolist()
        self.link_of = network.link_of.tolist()
        self.distance, self.hop = relay_distances(network)
        self.any_distance, self.any_hop = relay_distances(network, 0)
        self.complete = all(d <= 1 for row in self.any_distance for d in row)
        # Work lists.
        self.ready: list[int] = []
        self.blocked: list[int] = []
        self.bursts: list[tuple[int, int]] = []

    # The main loop.

    def run(self) -> None:
        for q in range(self.n):
            self.open_segment(q)
        while True:
            self.run_ready()
            if self.fetch_burst():
                continue
            while self.blocked and self.done[self.blocked[0]]:
                heappop(self.blocked)
            if not self.blocked:
                break
            self.force(heappop(self.blocked))
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
        need: dict[int, int] = {}
        packet, end = self.segment_packet[s], self.segment_offsets[q + 1]
        while s < end and self.segment_packet[s] == packet:
            for node in self.segment_nodes[s]:
                site = self.site[node]
                need[site] = need.get(site, 0) + 1
            s += 1
        self.need[q] = need
        self.ready_for[q] = {}

    def release(self, node: int) -> None:
        self.wait[node] -= 1
        if self.wait[node] == 0:
            self.ready.append(node)

    def run_ready(self) -> None:
        while self.ready:
            node = self.ready.pop()
            if self.done[node]:
                continue
            if self.local[node]:
                self.execute(node, self.home[self.legs[node][0]])
                continue
            site = self.site[node]
            missing = [q for q in self.legs[node] if not self.present(q, site)]
            if not missing:
                self.execute(node, site)
                continue
            heappush(self.blocked, node)
            for q in missing:
                count = self.ready_for[q].get(site, 0) + 1
                self.ready_for[q][site] = count
                if count >= self.need[q].get(site, 0):
                    self.bursts.append((q, site))

    def present(self, q: int, module: int) -> bool:
        return self.home[q] == module or module in self.copies[q]

    def execute(self, node: int, site: int) -> None:
        self.steps.append((Step.NODE, node, site, 0))
        self.done[node] = 1
        for q in self.legs[node]:
            if not self.local[node]:
                self.use(q, site)
            s = self.segment[q]
            self.segment_left[s] -= 1
            if self.segment_left[s] == 0:
                self.close_segment(q)
        for follower in self.followers[node]:
            self.release(follower)

    def use(self, q: int, site: int) -> None:
        need = self.need[q]
        need[site] -= 1
        if need[site] == 0:
            del need[site]
            if site in self.copies[q]:
                self.drop_if_useless(q, site)

    def close_segment(self, q: int) -> None:
        s = self.segment[q]
        self.segment[q] = s + 1
        ends = s + 1 == self.segment_offsets[q + 1]
        if ends or self.segment_packet[s + 1] != self.segment_packet[s]:
            self.drop_all(q)
        self.open_segment(q)

    # Copies.

    def drop(self, q: int, module: int) -> None:
        self.steps.append((Step.DROP, q, module, 0))
        self.copies[q].remove(module)
        self.held[module].remove(q)
        self.free[module] += 1

    def drop_all(self, q: int) -> None:
        for module in self.copies[q].copy():
            self.drop(q, module)

    def drop_if_useless(self, q: int, module: int) -> None:
        """Drop a copy that no node needs, unless it is the nearest share for a module that still needs one."""
        if module in self.need[q]:
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
        """First waiting node that needs the copy of q in `module`; a large number if there is none nearby."""
        if module not in self.need[q]:
            return len(self.done) + 1
        seen = 0
        s, end = self.segment[q], self.segment_offsets[q + 1]
        packet = self.segment_packet[s]
        while s < end and self.segment_packet[s] == packet and seen < _HORIZON:
            for node in self.segment_nodes[s]:
                if not self.done[node]:
                    seen += 1
                    if self.site[node] == module:
                        return node
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
            if hops < 0 or self.comm[m] < (1 if i == 0 else 2) or self.comm[module] < 1:
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
            if not self.done[node] and self.wait[node] == 0 and self.site[node] == site:
                self.ready.append(node)

    # A node whose turn it is, whatever it costs.

    def force(self, node: int) -> None:
        legs, site = self.legs[node], self.site[node]
        while not self.gather(node, site):
            site = self.other_site(node)
            if site < 0:
                self.approach(node)
                site = self.site[node]
            else:
                self.change_site(node, site)
        self.execute(node, site)
        for q in legs:
            if self.segment[q] < self.segment_offsets[q + 1] and self.present(q, site):
                self.wake(q, site)

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

    def change_site(self, node: int, site: int) -> None:
        for q in self.legs[node]:
            old, need = self.site[node], self.need[q]
            need[site] = need.get(site, 0) + 1
            need[old] -= 1
            if need[old] == 0:
                del need[old]
                if old in self.copies[q]:
                    self.drop_if_useless(q, old)
        self.site[node] = site

    # Moves of homes.

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

    def step_towards(self, q: int, goal: int, keep: Sequence[int] = ()) -> None:
        """Move the home of q one hop towards a module: into a free data qubit, or by an exchange."""
        there = self.any_hop[self.home[q]][goal]
        if len(self.residents[there]) < self.data[there]:
            self.move(q, there)
            return
        partners = [v for v in self.residents[there] if v not in keep]
        if not partners:
            raise InfeasibleError(
                f"module {self.network.modules[there].name} holds only qubits of the gate that has to pass it; "
                "give it one more data qubit or a second communication qubit"
            )
        wants_back = [v for v in partners if self.target[v] == self.home[q] and self.target[v] != there]
        self.exchange(q, max(wants_back or partners, key=lambda v: (self.idle_until(v), -v)))

    def idle_until(self, q: int) -> int:
        s = self.segment[q]
        if s == self.segment_offsets[q + 1]:
            return len(self.done)
        return min(node for node in self.segment_nodes[s] if not self.done[node])

    def move(self, q: int, there: int) -> None:
        """State teleportation into a free data qubit of a linked module."""
        here = self.home[q]
        for module in self.copies[q].copy():
            if module != there:
                self.drop(q, module)
        if there not in self.copies[q] and not self.fetch(q, there, [q]):
            self.no_room(here, there)
        self.shift(q, there)
        self.settle(q)

    def shift(self, q: int, there: int) -> None:
        """The copy of q in `there` becomes its home, for the time being on its communication qubit."""
        self.steps.append((Step.SHIFT, q, there, 0))
        self.residents[self.home[q]].discard(q)
        self.residents[there].add(q)
        self.copies[q].remove(there)
        self.held[there].remove(q)
        self.home[q] = there

    def settle(self, q: int) -> None:
        self.steps.append((Step.SETTLE, q, 0, 0))
        self.free[self.home[q]] += 1

    def exchange(self, p: int, q: int) -> None:
        """Exchange the homes of two qubits in linked modules: 2 ebits if a module has two communication qubits, else 3."""
        self.drop_all(p)
        self.drop_all(q)
        if self.comm[self.home[p]] >= 2:
            p, q = q, p
        here, there = self.home[p], self.home[q]
        if not (self.make_room(here, ()) and self.make_room(there, (), min(2, self.comm[there]))):
            self.no_room(here, there)
        if self.comm[there] >= 2:
            self.fetch(p, there, [p])
            self.shift(p, there)
            self.fetch(q, here, [q])
            self.shift(q, here)
            self.settle(p)
            self.settle(q)
            return
        self.steps.append((Step.EXCHANGE, p, q, 0))
        for qubit, old, new in ((p, here, there), (q, there, here)):
            self.residents[old].discard(qubit)
            self.residents[new].add(qubit)
            self.home[qubit] = new

    def no_room(self, here: int, there: int) -> None:
        a, b = self.network.modules[here], self.network.modules[there]
        raise InfeasibleError(
            f"a qubit cannot move from module {a.name} ({a.comm} communication qubits) to {b.name} ({b.comm}); "
            "each needs at least one"
        )

    def finish_homes(self) -> None:
        """Bring every qubit to the home that the placement wants at the end.

        Modules are completed farthest first in a breadth-first order of the network, so that what remains is
        always
        connected: every qubit can reach its module without passing a completed one.
        """
        while self.teleport_home():
            pass
        remaining = set(self.target) | set(self.home)
        if all(h == t for h, t in zip(self.home, self.target)):
            return
        order_, seen = [], set()
        for root in sorted(remaining):
            if root in seen:
                continue
            queue = [root]
            seen.add(root)
            for m in queue:
                for other in range(self.k):
                    if self.link_of[m][other] >= 0 and other not in seen:
                        seen.add(other)
                        queue.append(other)
            order_ += queue
        open_modules = set(order_)
        for module in reversed(order_):
            while True:
                strangers = [q for q in range(self.n) if self.target[q] == module and self.home[q] != module]
                if not strangers:
                    break
                self.bring(
                    min(strangers, key=lambda q: (self.any_distance[self.home[q]][module], q)),
                    module,
                    open_modules,
                )
                while self.teleport_home():
                    pass
            # Strangers left in spare room leave too: later paths do not enter a completed module.
            for q in sorted(self.residents[module]):
                if self.target[q] != module:
                    self.push_out(q, open_modules)
            open_modules.discard(module)

    def teleport_home(self) -> bool:
        """Teleport one qubit straight into a free data qubit of the module where it must end, if there is such."""
        for q in range(self.n):
            there = self.target[q]
            if (
                self.home[q] != there
                and len(self.residents[there]) < self.data[there]
                and self.link_of[self.home[q]][there] >= 0
            ):
                self.move(q, there)
                return True
        return False

    def bring(self, q: int, goal: int, open_modules: set[int]) -> None:
        """Move q to `goal` through modules that are still open; those in its way step back by one hop."""
        path = self.open_path(self.home[q], goal, open_modules)
        for there in path:
            if len(self.residents[there]) < self.data[there]:
                self.move(q, there)
                continue
            here = self.home[q]
            settled = there == goal
            partners = [v for v in self.residents[there] if not (settled and self.target[v] == goal)]
            self.exchange(q, min(partners, key=lambda v: (self.target[v] != here, self.target[v] == there, v)))

    def push_out(self, q: int, open_modules: set[int]) -> None:
        """Make q leave its module towards the nearest free data qubit; qubits on the way move one hop on."""
        start = self.home[q]
        before = {start: start}
        queue = [start]
        for m in queue:
            if m != start and len(self.residents[m]) < self.data[m]:
                while m != start:
                    here = before[m]
                    self.move(q if here == start else min(self.residents[here]), m)
                    m = here
                return
            for other in range(self.k):
                if self.link_of[m][other] >= 0 and other in open_modules and other not in before:
                    before[other] = m
                    queue.append(other)
        raise AssertionError("no room is left outside a module although the final homes fit")

    def open_path(self, start: int, goal: int, open_modules: set[int]) -> list[int]:
        before = {goal: goal}
        queue = [goal]
        for m in queue:
            for other in range(self.k):
                if self.link_of[m][other] >= 0 and other in open_modules and other not in before:
                    before[other] = m
                    queue.append(other)
        path, at = [], start
        while at != goal:
            at = before[at]
            path.append(at)
        return path


def graph_homes(graph: PacketGraph, homes: NDArray[np.int32]) -> NDArray[np.int32]:
    """(J,) homes of all junctions when every qubit keeps its home `homes[q]`."""
    junctions = np.diff(graph.packet_offsets) + 1
    return np.repeat(homes.astype(np.int32), junctions)
