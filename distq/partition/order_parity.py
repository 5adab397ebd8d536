"""Parity gates whose legs are in several modules: their parity is collected along a tree, not their qubits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.collect import ParityTree, parity_tree
from distq.partition.order_moves import Movers
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement, Step

Int32 = NDArray[np.int32]


class Collectors(Movers):
    """The part of the list scheduler that collects parities.

    A parity gate of this kind is carried out in one go: nothing else happens between its first `GATHER` and its
    `NODE`, and copies of its legs may come just before.
    """

    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement) -> None:
        super().__init__(circuit, graph, network, placement)
        self.trees: dict[tuple[int, ...], ParityTree | None] = {}
        self.leave_at_home(graph, placement)

    def leave_at_home(self, graph: PacketGraph, placement: Placement) -> None:
        """Where a parity gate has more copies than its modules have room for, all its legs stay at home instead."""
        before = placement.homes[graph.leg_packet + graph.leg_qubit]
        after = placement.homes[graph.leg_packet + graph.leg_qubit + 1]
        sites = self.leg_sites(graph)
        away = (sites != before) & (sites != after) & graph.node_parity[graph.leg_node()]
        for node in np.unique(graph.leg_node()[away]).tolist():
            legs = slice(graph.node_offsets[node], graph.node_offsets[node + 1])
            room = self.comm.copy()
            for m in sites[legs][away[legs]].tolist():
                room[m] -= 1
            if min(room) >= 0 and (node not in self.spread or self.tree(node, room) is not None):
                continue
            self.put(node, dict(zip(self.legs[node], before[legs].tolist())))

    def put(self, node: int, sites: dict[int, int]) -> None:
        """Note where the legs of a node enter it."""
        if len(set(sites.values())) == 1:
            self.spread.pop(node, None)
            self.site[node] = next(iter(sites.values()))
        else:
            self.spread[node] = sites

    def tree(self, node: int, room: list[int]) -> ParityTree | None:
        """The tree for a parity gate, given the communication qubits that it may use."""
        modules = sorted(set(self.spread[node].values()))
        key = (*modules, -1, *(min(r, len(modules)) for r in room), self.site[node])
        if key not in self.trees:
            self.trees[key] = parity_tree(modules, room, self.distance, self.hop, self.site[node])
        return self.trees[key]

    def try_collect(self, node: int) -> bool:
        """Carry out a parity gate whose legs are all where they enter it, if no copy has to go for it."""
        tree = self.tree(node, self.free)
        if tree is not None:
            self.collect(node, tree)
        return tree is not None

    def force_collect(self, node: int) -> bool:
        """Carry out a parity gate at the sites of its legs; False (nothing lost but copies) if that is impossible."""
        sites = self.spread[node]
        room = self.comm.copy()
        for q in range(self.n):
            if self.parked[q]:
                room[self.home[q]] -= 1
        for q, m in sites.items():
            if self.home[q] != m:
                room[m] -= 1
        tree = self.tree(node, room)
        if tree is None:
            return False
        for _ in range(2):  # a copy on its way may push out another one of this gate
            for q, m in sites.items():
                if not self.present(q, m) and not self.fetch(q, m, self.entering(node, m)):
                    return False
        if not all(self.present(q, m) for q, m in sites.items()):
            return False
        self.collect(node, tree)
        return True

    def entering(self, node: int, module: int) -> list[int]:
        """The qubits whose legs enter a parity gate in a module."""
        return [q for q, m in self.spread[node].items() if m == module]

    def collect(self, node: int, tree: ParityTree) -> None:
        """Collect the parity along a tree and carry out the gate at its root."""
        waiting = dict.fromkeys([tree.root, *(m for m, _ in tree.edges)], 0)
        for _, parent in tree.edges:
            waiting[parent] += 1
        held = dict.fromkeys(waiting, 0)
        for m, parent in tree.edges:
            for module in (m, parent):
                if not self.make_room(module, self.entering(node, module)):
                    raise AssertionError("a parity gate was given too little room")
            waiting[parent] -= 1
            spare = self.free[parent] >= 2 or (parent == tree.root and waiting[parent] == 0)
            if held[parent] and not spare:
                self.steps.append((Step.MERGE, node, m, parent))
            else:
                self.steps.append((Step.GATHER, node, m, parent))
                held[parent] += 1
                self.free[parent] -= 1
            self.free[m] += held[m]
            held[m] = 0
        self.free[tree.root] += held[tree.root]
        self.site[node] = tree.root
        self.execute(node, tree.root)

    def execute(self, node: int, site: int) -> None:
        """Carry out a node in a module where everything it needs is."""
        raise NotImplementedError

    def set_sites(self, node: int, sites: dict[int, int]) -> None:
        """Let the legs of a node (qubit: module) enter it elsewhere than planned."""
        for q, new in sites.items():
            old, need = self.leg_site(node, q), self.need[q]
            if new == old:
                continue
            need[new] = need.get(new, 0) + 1
            need[old] -= 1
            if need[old] == 0:
                del need[old]
                if old in self.copies[q]:
                    self.drop_if_useless(q, old)
        self.put(node, sites)

    def leg_sites(self, graph: PacketGraph) -> Int32:
        """(L,) where the legs entered their nodes."""
        found = np.array(self.site, np.int32)[graph.leg_node()]
        for node, sites in self.spread.items():
            first = graph.node_offsets[node]
            found[first : first + len(sites)] = [sites[q] for q in self.legs[node]]
        return found
