"""The hypergraphs that partitioners cut: flat arrays made from the packets of a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class GateNodes:
    """The nodes of a packet graph that have a choice of site, those in exactly the same packets as one.

    Nodes in the same packets share a best site, so merging them loses nothing. Nodes with one leg and local nodes
    stay at the home of their qubit and do not appear. Of a parity gate on three or more qubits every leg is a node of
    its own, in its packet and in a virtual packet, the parity net, which joins the legs and has no home.

    Attributes:
        of_node: (M,) merged node that stands for each node of the graph, -1 where there is no choice and for parity
            gates that have one for each leg.
        of_leg: (L,) merged node that stands for each leg of these parity gates, -1 for all other legs.
        offsets: (G+1,) into `packets`.
        packets: flat; the packets of each merged node, in increasing order; K + v for parity net v.
        weight: (G,) nodes of the graph that each stands for.
        num_plain: merged nodes that are no legs; those of legs come after them, net by net.
        net_weight: (V,) parity gates of each parity net: what it costs to join one more module.
        repeats: (G,) equal parts of the circuit that each stands for (`fold`, only without parity nets); None: one.
    """

    of_node: Int32
    of_leg: Int32
    offsets: Int64
    packets: Int32
    weight: Int32
    num_plain: int
    net_weight: Int32
    repeats: Int32 | None = None

    @property
    def count(self) -> int:
        """G."""
        return len(self.weight)

    @property
    def owner(self) -> Int32:
        """(len(packets),) merged node of each entry of `packets`."""
        return np.repeat(np.arange(self.count, dtype=np.int32), np.diff(self.offsets))

    @property
    def plain_packets(self) -> Int32:
        """The packets of the merged nodes that are no legs, flat."""
        return self.packets[: self.offsets[self.num_plain]]

    @property
    def legs(self) -> Int32:
        """(legs of parity nets, 2) packet and number K + v of the parity net of each, net by net."""
        return self.packets[self.offsets[self.num_plain] :].reshape(-1, 2)

    def sites(self, graph: PacketGraph, placement: Placement) -> Int32:
        """(G,) sites of merged nodes in a placement."""
        found = np.zeros(self.count, np.int32)
        chosen = self.of_node >= 0
        found[self.of_node[chosen]] = placement.sites[chosen]
        legs = self.of_leg >= 0
        found[self.of_leg[legs]] = placement.sites_of_legs(graph)[legs]
        return found


@dataclass(frozen=True)
class Hypergraph:
    """Vertices 0..n_fixed-1 that take room (qubits or junctions), then gate nodes; one net for each packet kept.

    Parity nets come after the nets of packets; they join legs only and have no home.

    Attributes:
        num_homes: vertices that stand for homes; vertex `num_homes + g` is merged node g.
        nodes: the merged nodes.
        net_packet: (E,) packet of each net, increasing; K + v for parity net v.
        net_offsets: (E+1,) into `pins`.
        pins: flat vertices of each net, homes first.
        vertex_offsets: (num_homes+G+1,) into `nets`.
        nets: flat nets of each vertex.
        net_weight: (E,) ebits that a copy of the packet costs.
        num_packet_nets: nets of packets; the others are parity nets.
    """

    num_homes: int
    nodes: GateNodes
    net_packet: Int32
    net_offsets: Int64
    pins: Int32
    vertex_offsets: Int64
    nets: Int32
    net_weight: Int32
    num_packet_nets: int

    @property
    def num_vertices(self) -> int:
        """Homes and merged nodes."""
        return self.num_homes + self.nodes.count

    @property
    def num_nets(self) -> int:
        """E."""
        return len(self.net_packet)

    @property
    def packets(self) -> Int32:
        """Packets of the nets that are no parity nets."""
        return self.net_packet[: self.num_packet_nets]

    def without_home(self, values: NDArray[Any]) -> Int32:
        """(E,) values of the nets of packets, and -1 for parity nets, which have no home."""
        missing = np.full(self.num_nets - self.num_packet_nets, -1, np.int32)
        return np.concatenate([values, missing]).astype(np.int32)

    def net_homes(self, graph: PacketGraph, homes: NDArray[Any]) -> tuple[Int32, Int32]:
        """(E,) homes before and after each net for (J,) homes of junctions; -1 for parity nets."""
        before = graph.junction(self.packets)
        return self.without_home(homes[before]), self.without_home(homes[before + 1])


def merge_nodes(graph: PacketGraph) -> GateNodes:
    """Merge the nodes of `graph` that lie in exactly the same packets, and drop those without a choice of site."""
    arity = np.diff(graph.node_offsets)
    free = (arity >= 2) & ~graph.node_local & ~graph.node_parity
    of_node = np.full(graph.num_nodes, -1, np.int32)
    of_leg = np.full(len(graph.leg_packet), -1, np.int32)
    nothing: NDArray[Any] = np.zeros(0, np.int64)
    packets, widths, weights, net_weights = [nothing], [nothing], [nothing], [nothing]
    merged = 0
    for width in np.unique(arity[free]).tolist():
        chosen = np.flatnonzero(free & (arity == width))
        legs = np.sort(graph.leg_packet[graph.node_offsets[chosen][:, None] + np.arange(width)], axis=1)
        distinct, group, count = _groups(legs)
        of_node[chosen] = group + merged
        packets.append(distinct.ravel())
        widths.append(np.full(len(distinct), width))
        weights.append(count)
        merged += len(distinct)
    num_plain, nets = merged, 0
    for width in np.unique(arity[graph.node_parity]).tolist():
        chosen = np.flatnonzero(graph.node_parity & (arity == width))
        leg = graph.node_offsets[chosen][:, None] + np.arange(width)
        order = np.argsort(graph.leg_packet[leg], axis=1, kind="stable")
        leg = np.take_along_axis(leg, order, axis=1)
        distinct, group, count = _groups(graph.leg_packet[leg])
        of_leg[leg] = merged + group[:, None] * width + np.arange(width)
        net = graph.num_packets + nets + np.arange(len(distinct))
        packets.append(np.stack([distinct.ravel(), np.repeat(net, width)], axis=1).ravel())
        widths.append(np.full(distinct.size, 2))
        weights.append(np.repeat(count, width))
        net_weights.append(count)
        merged += distinct.size
        nets += len(distinct)
    return GateNodes(
        of_node=of_node,
        of_leg=of_leg,
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(widths))]).astype(np.int64),
        packets=np.concatenate(packets).astype(np.int32),
        weight=np.concatenate(weights).astype(np.int32),
        num_plain=num_plain,
        net_weight=np.concatenate(net_weights).astype(np.int32),
    )


def _groups(rows: Int32) -> tuple[Int32, Int64, Int64]:
    """Distinct rows in lexicographic order, the number of each row's, and how often each occurs."""
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(new) - 1
    return ordered[new], group, np.bincount(group)


def static_hypergraph(graph: PacketGraph, end_qubit: Int32 | None = None, held: Int32 | None = None) -> Hypergraph:
    """All junctions of a qubit tied together: vertices are qubits and merged nodes.

    Args:
        graph: packets of the circuit.
        end_qubit: (n,) for each wire the wire at whose home it has to end (itself: no constraint): that vertex
            is in the last packet of the wire as well.
        held: packets whose net is kept even if it has one pin, because a module is fixed in it.
    """
    packet = np.arange(graph.num_packets, dtype=np.int32)
    homes = [(packet, graph.packet_qubit)]
    if end_qubit is not None:
        wire = np.flatnonzero((end_qubit != np.arange(graph.num_qubits)) & (np.diff(graph.packet_offsets) > 0))
        homes.append((last_packet(graph)[wire], end_qubit[wire].astype(np.int32)))
    return _assemble(graph, merge_nodes(graph), graph.num_qubits, homes, held)


def last_packet(graph: PacketGraph) -> Int32:
    """(n,) last packet of each qubit; meaningless where it has none."""
    return (graph.packet_offsets[1:] - 1).astype(np.int32)


def general_hypergraph(graph: PacketGraph) -> Hypergraph:
    """Every junction a vertex of its own: the hypergraph of the communication model."""
    packet = np.arange(graph.num_packets, dtype=np.int32)
    before = graph.junction(packet)
    homes = [(packet, before), (packet, before + 1)]
    return _assemble(graph, merge_nodes(graph), graph.num_junctions, homes)


def _assemble(
    graph: PacketGraph,
    nodes: GateNodes,
    num_homes: int,
    homes: list[tuple[Int32, Int32]],
    held: Int32 | None = None,
) -> Hypergraph:
    """Nets from (packet, vertex) pairs; nets with one pin vanish unless they are held."""
    packet = np.concatenate([p for p, _ in homes] + [nodes.packets]).astype(np.int64)
    vertex = np.concatenate([v for _, v in homes] + [nodes.owner + num_homes]).astype(np.int64)
    size = np.bincount(packet, minlength=graph.num_packets + len(nodes.net_weight))
    is_net = size > 1
    if held is not None:
        is_net[held] = True
    kept = is_net[packet]
    packet, vertex = packet[kept], vertex[kept]
    order = np.argsort(packet, kind="stable")
    packet, vertex = packet[order], vertex[order]
    net_packet = np.flatnonzero(is_net)
    number = np.cumsum(is_net) - 1
    net = number[packet]
    by_vertex = np.argsort(vertex, kind="stable")
    degree = np.bincount(vertex, minlength=num_homes + nodes.count)
    num_packet_nets = int(np.searchsorted(net_packet, graph.num_packets))
    return Hypergraph(
        num_homes=num_homes,
        nodes=nodes,
        net_packet=net_packet.astype(np.int32),
        net_offsets=np.concatenate([[0], np.cumsum(size[net_packet])]).astype(np.int64),
        pins=vertex.astype(np.int32),
        vertex_offsets=np.concatenate([[0], np.cumsum(degree)]).astype(np.int64),
        nets=net[by_vertex].astype(np.int32),
        net_weight=np.concatenate([np.ones(num_packet_nets, np.int32), nodes.net_weight]),
        num_packet_nets=num_packet_nets,
    )


def junction_qubit(graph: PacketGraph) -> Int32:
    """(J,) qubit of each junction."""
    return np.repeat(np.arange(graph.num_qubits, dtype=np.int32), np.diff(graph.packet_offsets) + 1)


def expand(graph: PacketGraph, nodes: GateNodes, homes: Int32, sites: Int32, name: str) -> Placement:
    """A placement from homes of all junctions and sites of merged nodes; nodes without choice go home."""
    first_leg = graph.leg_packet[graph.node_offsets[:-1]]
    at_home = homes[graph.junction(first_leg)]
    if graph.dead is not None:  # a reset takes place where the qubit is needed next
        begins = graph.dead[graph.junction(first_leg)]
        at_home[begins] = homes[graph.junction(first_leg)[begins] + 1]
    chosen = nodes.of_node >= 0
    result = at_home.astype(np.int32)
    result[chosen] = sites[nodes.of_node[chosen]]
    homes = np.asarray(homes, np.int32)
    if not graph.node_parity.any():
        return Placement(homes=homes, sites=result, partitioner=name)
    legs = nodes.of_leg >= 0
    leg_sites = result[graph.leg_node()]
    leg_sites[legs] = sites[nodes.of_leg[legs]]
    # Where most of its legs are, a parity gate is carried out.
    node, site, count = _count_pairs(graph.leg_node()[legs], leg_sites[legs])
    order = np.lexsort((-site, count))
    result[node[order]] = site[order]
    return Placement(homes=homes, sites=result, partitioner=name, leg_sites=leg_sites)


def _count_pairs(first: Int32, second: Int32) -> tuple[Int64, Int64, Int64]:
    """Distinct pairs and how often each occurs."""
    width = int(second.max(initial=0)) + 1
    pairs, count = np.unique(first.astype(np.int64) * width + second, return_counts=True)
    return pairs // width, pairs % width, count
