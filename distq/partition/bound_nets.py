"""The hypergraph that bounds are proved on: packets, parity nets, and what holds them together.

Elements are what ebits are paid for: a packet, or the parity net of a wide PARITY gate. An element that touches L
modules costs at least L - 1 ebits, whatever the plan: every Bell pair that is used for it makes it present in at most
one module more. Vertices are in one module each: junctions (the home there), gates (their site) and the legs of wide
parity gates (where the leg enters the parity). Elements that share a vertex share a module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.ops import Op
from distq.partition.packets import PacketGraph

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class BoundNets:
    """Packets (elements 0 .. K-1), then the parity nets that count, and the gates that tie them together.

    Of parity gates that share a packet, directly or through others, one counts: a plan may use a parity that was sent
    for one of them for the others as well, so that only together they cost what one of them costs.

    Attributes:
        graph: packets of the circuit.
        gate_row: (G,) rows of the gates on two or more qubits with one site, increasing, then those of the parity
            gates that count.
        num_gates: how many of them have one site.
        gate_offsets: (G+1,) into `legs`.
        legs: flat; the packets of each gate.
        occupied: (K,) packets through the whole of which their qubit needs room in whatever plan: not those that
            follow a measurement or a reset, or precede nothing but a reset.
        fixed_start: (n,) qubits that hold something unknown from the start.
        fixed_end: (n,) qubits that hold something at the end.
    """

    graph: PacketGraph
    gate_row: Int32
    num_gates: int
    gate_offsets: Int64
    legs: Int32
    occupied: Bool
    fixed_start: Bool
    fixed_end: Bool

    @property
    def num_elements(self) -> int:
        """Packets and parity nets."""
        return self.graph.num_packets + len(self.gate_row) - self.num_gates


def bound_nets(circuit: LogicalCircuit, graph: PacketGraph, zero_start: bool = False) -> BoundNets:
    """The hypergraph of a normalised circuit.

    Args:
        circuit: normalised circuit.
        graph: its packets.
        zero_start: whether qubits start in |0>, so that they need no room before their first gate.
    """
    arity = np.diff(graph.node_offsets)
    wide = (circuit.code[graph.node_row] == Op.PARITY) & (arity >= 3)
    ordinary = np.flatnonzero((arity >= 2) & ~wide)
    parity = _representatives(graph, np.flatnonzero(wide))
    nodes = np.concatenate([ordinary, parity])
    lengths = arity[nodes]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = np.arange(offsets[-1]) + np.repeat(graph.node_offsets[nodes] - offsets[:-1], lengths)
    occupied, fixed_start, fixed_end = _room(circuit, graph, zero_start)
    return BoundNets(
        graph=graph,
        gate_row=graph.node_row[nodes],
        num_gates=len(ordinary),
        gate_offsets=offsets,
        legs=graph.leg_packet[at],
        occupied=occupied,
        fixed_start=fixed_start,
        fixed_end=fixed_end,
    )


def _representatives(graph: PacketGraph, nodes: Int64) -> Int64:
    """Of parity gates that are joined by common packets the widest one, increasing."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(nodes):
        return nodes
    size = len(nodes)
    width = np.diff(graph.node_offsets)[nodes]
    first = np.repeat(np.arange(size), width)
    start = np.cumsum(width) - width
    at = np.arange(len(first)) + np.repeat(graph.node_offsets[nodes] - start, width)
    second = graph.leg_packet[at] + size
    total = size + graph.num_packets
    joined = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(total, total))
    label = connected_components(joined, directed=False)[1][:size]
    order = np.lexsort((nodes, -width, label))
    kept = order[np.unique(label[order], return_index=True)[1]]
    return np.sort(nodes[kept])


def _room(circuit: LogicalCircuit, graph: PacketGraph, zero_start: bool) -> tuple[Bool, Bool, Bool]:
    """Packets that need room all the time, and qubits that need it at the start and at the end."""
    packets, n = graph.num_packets, graph.num_qubits
    code = circuit.code[graph.node_row]
    ends = np.isin(code, (Op.MEASURE, Op.RESET))
    local = np.zeros(packets, bool)
    local[graph.leg_packet[graph.node_offsets[:-1][ends]]] = True
    occupied = ~local
    # What follows a measurement or a reset on the same qubit begins in a known state.
    after = np.flatnonzero(local[:-1] & (graph.packet_qubit[1:] == graph.packet_qubit[:-1])) + 1
    occupied[after] = False
    first, last = graph.packet_offsets[:-1], graph.packet_offsets[1:]
    some = last > first
    fixed_start, fixed_end = np.ones(n, bool), np.ones(n, bool)
    fixed_end[some] = ~local[last[some] - 1]
    # A qubit that is reset before anything else holds an unknown state until then, but nobody needs it.
    fixed_start[some] = occupied[first[some]]
    if zero_start:
        fixed_start[:] = False
        occupied[first[some]] = False
    return occupied, fixed_start, fixed_end
