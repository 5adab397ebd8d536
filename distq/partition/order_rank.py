"""An order that was searched for, carried out node by node.

`order.py` finds an order; here it is given (`Placement.rank`), and with it when copies are used next and when homes
change. Nodes whose qubits happen to be present are carried out earlier, which costs nothing. The rules for copies and
moves are those by which `tape_kernel` estimates what an order pays; where they lead nowhere (too few communication
qubits for an exchange, say), those of the list scheduler take over.
"""

from __future__ import annotations

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.order import Orderer
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement


class RankOrderer(Orderer):
    """The list scheduler with a given order."""

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement) -> None:
        super().__init__(circuit, graph, network, placement)
        assert placement.rank is not None
        first = np.full(graph.num_packets + 1, graph.num_nodes, np.int64)
        np.minimum.at(first, graph.leg_packet, placement.rank[graph.leg_node()])
        last = graph.packet_offsets[1:][np.diff(graph.packet_offsets) > 0] - 1
        #: By packet, the rank of the first node after it: when its qubit moves at the latest.
        departure = np.append(first[1:], graph.num_nodes)
        departure[last] = graph.num_nodes
        self.departure: list[int] = departure.tolist()

    def run(self) -> None:
        """Make all the steps."""
        for q in range(self.n):
            self.open_segment(q)
        for node in self.node_at:
            self.run_ready()
            for q in self.legs[node]:
                if self.waiting[q] and not self.done[node]:
                    self.depart(q)
            self.run_ready()
            if not self.done[node]:
                self.force(node)
        self.run_ready()
        for q in range(self.n):
            if self.waiting[q]:
                self.depart(q)
        assert all(self.done), "nodes were left over"
        self.finish_homes()

    def leave_packet(self, q: int) -> int:
        """When q leaves its present module at the latest, by its present packet."""
        s = self.segment[q] - (1 if self.waiting[q] else 0)
        return self.departure[self.segment_packet[s]]

    def next_use(self, q: int, module: int) -> int:
        """Rank of the first node that needs the copy of q in `module`, or for which q moves there."""
        if module in self.need[q]:
            return super().next_use(q, module)
        return self.leave_packet(q) if module == self.goal[q] else len(self.done) + 1

    def depart(self, q: int) -> None:
        """Move q to where its next packet begins, or to where it ends, and open that packet."""
        there = self.next_home(q)
        if not self.arrive(q, there):
            self.rearrange({q: there})
        self.moves_left[q] -= 1
        self.waiting[q] = 0
        self.drop_all(q)
        self.open_segment(q)

    def arrive(self, q: int, there: int) -> bool:
        """Move the home of q to a module, where one that leaves gives its data qubit up if none is free."""
        here = self.home[q]
        if here == there:
            return True
        if not self.can_reach(q, there):
            return False
        leaver = -1
        if len(self.residents[there]) >= self.data[there]:
            leavers = [v for v in self.residents[there] if self.leaves(v)]
            parked = sum(self.parked[v] and self.home[v] == there for v in range(self.n))
            if not leavers or self.comm[there] < parked + 2:
                return False
            leaver = min(leavers, key=lambda v: (self.leave_packet(v), v))
        if there not in self.copies[q] and not self.fetch(q, there, [q]):
            return False
        if leaver >= 0:
            if not self.make_room(there, [q]):
                return False
            self.park(leaver)
        self.shift(q, there)
        self.settle(q)
        self.settle_parked(here)
        return True

    def settle_parked(self, module: int) -> None:
        """Homes that wait on communication qubits of a module take the data qubits that are free there again."""
        for q in range(self.n):
            if self.parked[q] and self.home[q] == module and len(self.residents[module]) < self.data[module]:
                self.parked[q] = 0
                self.residents[module].add(q)
                self.settle(q)
