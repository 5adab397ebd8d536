"""The hypergraphs that partitioners cut: flat arrays made from the packets of a circuit."""

from __future__ import annotations

from dataclasses import dataclass

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
    stay at the home of their qubit and do not appear.

    Attributes:
        of_node: (M,) merged node that stands for each node of the graph, -1 where there is no choice.
        offsets: (G+1,) into `packets`.
        packets: flat; the packets of each merged node, in increasing order.
        weight: (G,) nodes of the graph that each stands for.
        repeats: (G,) equal parts of the circuit that each stands for (`fold`); None: one.
    """

    of_node: Int32
    offsets: Int64
    packets: Int32
    weight: Int32
    repeats: Int32 | None = None

    @property
    def count(self) -> int:
        """G."""
        return len(self.weight)

    @property
    def owner(self) -> Int32:
        """(len(packets),) merged node of each entry of `packets`."""
        return np.repeat(np.arange(self.count, dtype=np.int32), np.diff(self.offsets))


@dataclass(frozen=True)
class Hypergraph:
    """Vertices 0..n_fixed-1 that take room (qubits or junctions), then gate nodes; one net for each packet kept.

    Attributes:
        num_homes: vertices that stand for homes; vertex `num_homes + g` is merged node g.
        nodes: the merged nodes.
        net_packet: (E,) packet of each net, increasing.
        net_offsets: (E+1,) into `pins`.
        pins: flat vertices of each net, homes first.
        vertex_offsets: (num_homes+G+1,) into `nets`.
        nets: flat nets of each vertex.
        net_weight: (E,) ebits that a copy of the packet costs.
    """

    num_homes: int
    nodes: GateNodes
    net_packet: Int32
    net_offsets: Int64
    pins: Int32
    vertex_offsets: Int64
    nets: Int32
    net_weight: Int32

    @property
    def num_vertices(self) -> int:
        """Homes and merged nodes."""
        return self.num_homes + self.nodes.count

    @property
    def num_nets(self) -> int:
        """E."""
        return len(self.net_packet)


def merge_nodes(graph: PacketGraph) -> GateNodes:
    """Merge the nodes of `graph` that lie in exactly the same packets, and drop those without a choice of site."""
    arity = np.diff(graph.node_offsets)
    free = (arity >= 2) & ~graph.node_local
    of_node = np.full(graph.num_nodes, -1, np.int32)
    packets: list[Int32] = []
    widths: list[int] = []
    weights: list[Int32] = []
    merged = 0
    for width in np.unique(arity[free]).tolist():
        chosen = np.flatnonzero(free & (arity == width))
        legs = np.sort(graph.leg_packet[graph.node_offsets[chosen][:, None] + np.arange(width)], axis=1)
        order = np.lexsort(legs.T[::-1])
        ordered = legs[order]
        new = np.ones(len(order), bool)
        new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        group = np.cumsum(new) - 1
        of_node[chosen[order]] = group + merged
        packets.append(ordered[new].ravel())
        widths += [width] * int(new.sum())
        weights.append(np.bincount(group).astype(np.int32))
        merged += int(new.sum())
    empty = np.zeros(0, np.int32)
    return GateNodes(
        of_node=of_node,
        offsets=np.concatenate([[0], np.cumsum(widths, dtype=np.int64)]).astype(np.int64),
        packets=np.concatenate(packets).astype(np.int32) if packets else empty,
        weight=np.concatenate(weights) if weights else empty,
    )


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
    size = np.bincount(packet, minlength=graph.num_packets)
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
    return Hypergraph(
        num_homes=num_homes,
        nodes=nodes,
        net_packet=net_packet.astype(np.int32),
        net_offsets=np.concatenate([[0], np.cumsum(size[net_packet])]).astype(np.int64),
        pins=vertex.astype(np.int32),
        vertex_offsets=np.concatenate([[0], np.cumsum(degree)]).astype(np.int64),
        nets=net[by_vertex].astype(np.int32),
        net_weight=np.ones(len(net_packet), np.int32),
    )


def junction_qubit(graph: PacketGraph) -> Int32:
    """(J,) qubit of each junction."""
    return np.repeat(np.arange(graph.num_qubits, dtype=np.int32), np.diff(graph.packet_offsets) + 1)


def expand(graph: PacketGraph, nodes: GateNodes, homes: Int32, sites: Int32, name: str) -> Placement:
    """A placement from homes of all junctions and sites of merged nodes; nodes without choice go home."""
    first_leg = graph.leg_packet[graph.node_offsets[:-1]]
    at_home = homes[graph.junction(first_leg)]
    chosen = nodes.of_node >= 0
    result = at_home.astype(np.int32)
    result[chosen] = sites[nodes.of_node[chosen]]
    return Placement(homes=np.asarray(homes, np.int32), sites=result, partitioner=name)
