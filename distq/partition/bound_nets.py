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

    A measurement or a reset ends a life: what the qubit holds afterwards may be prepared anywhere. Lives are numbered
    qubit by qubit in time order, like packets; two packets share a junction only if they belong to one life.

    Attributes:
        graph: packets of the circuit.
        life_of_packet: (K,) life of each packet.
        life_offsets: (lives+1,) packets of each life.
        gate_row: (G,) rows of the gates on two or more qubits with one site, increasing, then those of the parity
            gates that count.
        num_gates: how many of them have one site.
        gate_offsets: (G+1,) into `legs`.
        legs: flat; the packets of each gate.
        occupied: (K,) packets through the whole of which their qubit needs room in whatever plan: not those that
            follow a measurement or a reset, or precede nothing but a reset.
        fixed_start: (lives,) those that hold something unknown from the start of the circuit.
        fixed_end: (lives,) those that hold something at its end.
        idle: (n,) qubits without packets that hold something all the time.
    """

    graph: PacketGraph
    life_of_packet: Int32
    life_offsets: Int64
    gate_row: Int32
    num_gates: int
    gate_offsets: Int64
    legs: Int32
    occupied: Bool
    fixed_start: Bool
    fixed_end: Bool
    idle: Bool

    @property
    def num_lives(self) -> int:
        """Lives with packets."""
        return len(self.life_offsets) - 1

    @property
    def num_elements(self) -> int:
        """Packets and parity nets."""
        return self.graph.num_packets + len(self.gate_row) - self.num_gates


def bound_nets(
    circuit: LogicalCircuit, graph: PacketGraph, zero_start: bool = False, outcomes_only: bool = False
) -> BoundNets:
    """The hypergraph of a normalised circuit.

    Args:
        circuit: normalised circuit.
        graph: its packets.
        zero_start: whether qubits start in |0>, so that they need no room before their first gate.
        outcomes_only: whether the state that is left does not matter, so that they need none after their last gate.
    """
    arity = np.diff(graph.node_offsets)
    wide = (circuit.code[graph.node_row] == Op.PARITY) & (arity >= 3)
    ordinary = np.flatnonzero((arity >= 2) & ~wide)
    parity = _representatives(graph, np.flatnonzero(wide))
    nodes = np.concatenate([ordinary, parity])
    lengths = arity[nodes]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = np.arange(offsets[-1]) + np.repeat(graph.node_offsets[nodes] - offsets[:-1], lengths)
    life, life_offsets, ends = _lives(circuit, graph)
    starts_known = np.zeros(graph.num_packets, bool)
    starts_known[life_offsets[:-1]] = True
    originals = np.isin(life_offsets[:-1], graph.packet_offsets[:-1])
    if not zero_start:
        starts_known[life_offsets[:-1][originals]] = False
    occupied, fixed_end = ~(ends | starts_known), ~ends[life_offsets[1:] - 1]
    kept = circuit.kept_wires() & (not outcomes_only)
    unseen = ~kept[graph.packet_qubit[life_offsets[1:] - 1]]
    occupied[(life_offsets[1:] - 1)[unseen]] = False
    fixed_end[unseen] = False
    return BoundNets(
        graph=graph,
        life_of_packet=life,
        life_offsets=life_offsets,
        gate_row=graph.node_row[nodes],
        num_gates=len(ordinary),
        gate_offsets=offsets,
        legs=graph.leg_packet[at],
        occupied=occupied,
        fixed_start=~(starts_known | ends)[life_offsets[:-1]],
        fixed_end=fixed_end,
        idle=(np.diff(graph.packet_offsets) == 0) & kept & (not zero_start),
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


def _lives(circuit: LogicalCircuit, graph: PacketGraph) -> tuple[Int32, Int64, Bool]:
    """(life of each packet, offsets of lives, which packets are a measurement or a reset and end one)."""
    ends = np.zeros(graph.num_packets, bool)
    code = circuit.code[graph.node_row]
    local = np.isin(code, (Op.MEASURE, Op.RESET))
    ends[graph.leg_packet[graph.node_offsets[:-1][local]]] = True
    begins = np.ones(graph.num_packets, bool)
    begins[1:] = ends[:-1] | (graph.packet_qubit[1:] != graph.packet_qubit[:-1])
    life = (np.cumsum(begins) - 1).astype(np.int32)
    return life, np.append(np.flatnonzero(begins), graph.num_packets).astype(np.int64), ends
