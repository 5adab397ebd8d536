"""Repeated parts of a circuit counted once: isomorphic components of the static hypergraph become one with a weight.

With one home per qubit, two parts of a circuit without a packet in common can be served apart from each other, and
equal parts (the layers of a Trotter formula, of QAOA, of an ansatz) equally. A search that sees one of them with the
weight of all is as exact, and as many times faster.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distq.partition.hypergraph import GateNodes, Hypergraph

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


def fold(hypergraph: Hypergraph, packet_qubit: Int32, single: NDArray[np.bool_]) -> Hypergraph:
    """The same hypergraph with equal components merged; net weights say how many there are.

    Two components are equal if there is a bijection between their packets and between their nodes that keeps the
    qubits of packets, their order in time on each qubit, and which packets each node is in.

    Args:
        hypergraph: static form, one vertex for each qubit.
        packet_qubit: (K,) qubit of each packet.
        single: (E,) nets that are like no other, because they end elsewhere.
    """
    nodes = hypergraph.nodes
    if nodes.count == 0 or nodes.num_plain < nodes.count:  # parity nets have no packet by which to tell them apart
        return hypergraph
    label = _components(hypergraph)
    first = _representatives(hypergraph, packet_qubit, single, label)
    if (first == np.arange(len(first))).all():
        return hypergraph
    node_part, net_part = label
    times = np.bincount(first, minlength=len(first))
    kept_node = first[node_part] == node_part
    kept_net = first[net_part] == net_part
    stand_in = _stand_in(node_part, first, _canonical_nodes(hypergraph, packet_qubit, label))
    number = np.cumsum(kept_node) - 1
    of_node = np.where(nodes.of_node >= 0, number[stand_in[nodes.of_node]], -1).astype(np.int32)
    width = np.diff(nodes.offsets)
    folded = replace(
        nodes,
        of_node=of_node,
        offsets=np.concatenate([[0], np.cumsum(width[kept_node])]).astype(np.int64),
        packets=nodes.packets[kept_node[nodes.owner]],
        weight=nodes.weight[kept_node],
        num_plain=int(kept_node.sum()),
        repeats=times[node_part[kept_node]].astype(np.int32),
    )
    return _restrict(hypergraph, folded, kept_node, kept_net, times[net_part[kept_net]])


def _components(hypergraph: Hypergraph) -> tuple[Int64, Int64]:
    """(component of each merged node, of each net); gates connect nets, qubits do not."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges, count = hypergraph.num_nets, hypergraph.nodes.count
    net = np.repeat(np.arange(edges), np.diff(hypergraph.net_offsets))
    is_node = hypergraph.pins >= hypergraph.num_homes
    node = hypergraph.pins[is_node] - hypergraph.num_homes
    size = edges + count
    graph = coo_matrix((np.ones(len(node), np.int8), (net[is_node], node + edges)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    return label[edges:].astype(np.int64), label[:edges].astype(np.int64)


def _canonical_nets(hypergraph: Hypergraph, packet_qubit: Int32, net_part: Int64) -> Int64:
    """(E,) a name of each net that does not depend on its component: qubit and rank among its nets of that qubit."""
    qubit = packet_qubit[hypergraph.net_packet].astype(np.int64)
    order = np.lexsort((hypergraph.net_packet, qubit, net_part))
    key = net_part[order] * (int(packet_qubit.max()) + 1) + qubit[order]
    new = np.ones(len(order), bool)
    new[1:] = key[1:] != key[:-1]
    start = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - start
    return qubit * (int(rank.max(initial=0)) + 1) + rank


def _node_names(hypergraph: Hypergraph, packet_qubit: Int32, net_part: Int64) -> tuple[NDArray[np.int64], Int64]:
    """((G, widest) canonical names of each node's nets, sorted, -1 after the last; (E,) those of the nets)."""
    nodes = hypergraph.nodes
    name = _canonical_nets(hypergraph, packet_qubit, net_part)
    first = hypergraph.vertex_offsets[hypergraph.num_homes :]
    width = np.diff(first)
    table = np.full((nodes.count, int(width.max(initial=1))), -1, np.int64)
    column = np.arange(first[-1] - first[0]) - np.repeat(first[:-1] - first[0], width)
    table[np.repeat(np.arange(nodes.count), width), column] = name[hypergraph.nets[first[0] : first[-1]]]
    return -np.sort(-table, axis=1), name


def _canonical_nodes(hypergraph: Hypergraph, packet_qubit: Int32, label: tuple[Int64, Int64]) -> Int64:
    """Nodes sorted by component, then by the names of their nets."""
    table, _ = _node_names(hypergraph, packet_qubit, label[1])
    return np.lexsort((*table.T[::-1], label[0]))


def _representatives(
    hypergraph: Hypergraph, packet_qubit: Int32, single: NDArray[np.bool_], label: tuple[Int64, Int64]
) -> Int64:
    """(components,) the first component that each is equal to."""
    node_part, net_part = label
    count = int(max(node_part.max(initial=-1), net_part.max(initial=-1))) + 1
    table, name = _node_names(hypergraph, packet_qubit, net_part)
    by_node = np.lexsort((*table.T[::-1], node_part))
    by_net = np.lexsort((name, net_part))
    node_end = np.cumsum(np.bincount(node_part, minlength=count))
    net_end = np.cumsum(np.bincount(net_part, minlength=count))
    alone = np.zeros(count, bool)
    alone[net_part[single]] = True
    first = np.arange(count)
    seen: dict[tuple[bytes, bytes], int] = {}
    a = b = 0
    for part in range(count):
        c, d = int(node_end[part]), int(net_end[part])
        if not alone[part] and c > a:
            key = (table[by_node[a:c]].tobytes(), name[by_net[b:d]].tobytes())
            first[part] = seen.setdefault(key, part)
        a, b = c, d
    return first


def _stand_in(node_part: Int64, first: Int64, order: Int64) -> Int64:
    """(G,) the node of the first equal component that takes each node's place."""
    start = np.searchsorted(node_part[order], np.arange(len(first)))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order)) - start[node_part[order]]
    return order[start[first[node_part]] + position]


def _restrict(
    hypergraph: Hypergraph, nodes: GateNodes, kept_node: NDArray[np.bool_], kept_net: NDArray[np.bool_], weight: Int64
) -> Hypergraph:
    """Only the kept nodes and nets, renumbered."""
    homes = hypergraph.num_homes
    vertex = np.concatenate([np.ones(homes, bool), kept_node])
    vertex_name, net_name = np.cumsum(vertex) - 1, np.cumsum(kept_net) - 1
    net = np.repeat(np.arange(hypergraph.num_nets), np.diff(hypergraph.net_offsets))
    owner = np.repeat(np.arange(hypergraph.num_vertices), np.diff(hypergraph.vertex_offsets))
    nets_left = kept_net[hypergraph.nets]
    degree = np.bincount(owner[nets_left], minlength=hypergraph.num_vertices)[vertex]
    return replace(
        hypergraph,
        nodes=nodes,
        net_packet=hypergraph.net_packet[kept_net],
        net_offsets=np.concatenate([[0], np.cumsum(np.diff(hypergraph.net_offsets)[kept_net])]).astype(np.int64),
        pins=vertex_name[hypergraph.pins[kept_net[net]]].astype(np.int32),
        vertex_offsets=np.concatenate([[0], np.cumsum(degree)]).astype(np.int64),
        nets=net_name[hypergraph.nets[nets_left]].astype(np.int32),
        net_weight=(hypergraph.net_weight[kept_net] * weight).astype(np.int32),
        num_packet_nets=int(kept_net.sum()),
    )
