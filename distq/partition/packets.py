"""Packets, segments and nodes: the structure of a circuit that decides what communication costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.ops import Op

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class PacketGraph:
    """Nodes, the packets that hold their legs, and the one-qubit gates between them.

    A node is a row of the circuit that is not an unguarded one-qubit gate. A packet is a maximal run of legs
    on one qubit along one axis; packets are numbered qubit by qubit in time order, so packet p of qubit q
    lies between the junctions p + q and p + q + 1. A segment is a part of a packet between X-type one-qubit
    gates: nodes of one segment commute on that qubit, segments follow each other. Segments are numbered like
    packets.

    Attributes:
        num_qubits: n.
        node_row: (M,) row of the circuit.
        node_local: (M,) True where the node must be carried out at the home on its only share (measure,
            reset, guarded one-qubit gates that are not diagonal); such a node is alone in its packet.
        node_offsets: (M+1,) offsets into the leg columns.
        leg_qubit, leg_packet, leg_segment: (L,) of each leg.
        packet_offsets: (n+1,) packets of qubit q are packet_offsets[q] .. packet_offsets[q+1]-1.
        packet_qubit: (K,) qubit of each packet.
        segment_offsets: (n+1,) like packet_offsets.
        segment_packet: (S,) packet of each segment.
        turn_offsets: (S+n+1,) offsets into turn_rows: entry s + q for segment s of qubit q holds the rows of
            the one-qubit gates before that segment; the entry after the last segment of q those at the end of
            its line.
        turn_rows: rows of one-qubit gates.
        turn_flips: (S+n,) True where these gates multiply to an X-type (antidiagonal) matrix.
        dead: (J,) True for junctions at which the qubit holds nothing that matters, and takes no room: before a reset,
            and at the end if its state there does not matter. None: it always does, or keeps its place all the same.
        node_parity: (M,) True for parity gates on three or more qubits: their legs may have sites of their own, which
            a parity net joins.
    """

    num_qubits: int
    node_row: Int32
    node_local: NDArray[np.bool_]
    node_offsets: Int64
    leg_qubit: Int32
    leg_packet: Int32
    leg_segment: Int32
    packet_offsets: Int64
    packet_qubit: Int32
    segment_offsets: Int64
    segment_packet: Int32
    turn_offsets: Int64
    turn_rows: Int32
    turn_flips: NDArray[np.bool_]
    node_parity: NDArray[np.bool_]
    dead: NDArray[np.bool_] | None = None

    @property
    def num_nodes(self) -> int:
        """M."""
        return len(self.node_row)

    @property
    def num_packets(self) -> int:
        """K."""
        return len(self.packet_qubit)

    @property
    def num_junctions(self) -> int:
        """J = K + n."""
        return self.num_packets + self.num_qubits

    @property
    def num_segments(self) -> int:
        """S."""
        return len(self.segment_packet)

    def junction(self, packet: Int32) -> Int32:
        """The junction before each packet; the one after it is the next number."""
        return packet + self.packet_qubit[packet]

    def leg_node(self) -> Int32:
        """(L,) node of each leg."""
        return np.repeat(np.arange(self.num_nodes, dtype=np.int32), np.diff(self.node_offsets))


#: How a one-qubit gate meets the axis of a packet (Z): it keeps it, turns it round, or ends the packet.
#: Decided by the code alone, so that no rounding can mistake a general gate for a diagonal one
#: (`rewrite.merge` names products).
_KEEPS, _FLIPS, _ENDS = 0, 1, 2
_AXIS = np.full(max(Op) + 1, _ENDS, np.uint8)
_AXIS[[Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ, Op.MCP, Op.PARITY]] = _KEEPS
_AXIS[[Op.X, Op.Y]] = _FLIPS


def build_packets(circuit: LogicalCircuit) -> PacketGraph:
    """The packets of a circuit whose one-qubit gates were merged (`rewrite.merge.merge_one_qubit`).

    Unmerged circuits are allowed; their packets are shorter where, say, two H stand side by side.
    """
    axis = _AXIS[circuit.code]
    guarded = circuit.guard >= 0
    is_node = ~circuit.is_one_qubit_gate() | guarded
    node_row = np.flatnonzero(is_node).astype(np.int32)
    node_local = axis[node_row] != _KEEPS
    n, rows = circuit.num_qubits, len(circuit)
    # First pass: numbers along each qubit's line; second: the same, shifted so that qubits follow each other.
    leg_packet, leg_segment, turn_of_row, packets, segments = _walk(
        n, rows, circuit.qubit_offsets, circuit.qubits, axis, is_node
    )
    packet_offsets = np.concatenate([[0], np.cumsum(packets)]).astype(np.int64)
    segment_offsets = np.concatenate([[0], np.cumsum(segments)]).astype(np.int64)
    arity = circuit.arity[node_row]
    node_offsets = np.concatenate([[0], np.cumsum(arity)]).astype(np.int64)
    pin = np.repeat(is_node, circuit.arity)
    leg_qubit = circuit.qubits[pin]
    leg_packet = (leg_packet[pin] + packet_offsets[leg_qubit]).astype(np.int32)
    leg_segment = (leg_segment[pin] + segment_offsets[leg_qubit]).astype(np.int32)
    segment_packet = np.zeros(segment_offsets[-1], np.int32)
    segment_packet[leg_segment] = leg_packet
    one = np.flatnonzero(~is_node)
    qubit_of_row = circuit.qubits[circuit.qubit_offsets[one]]
    entry = turn_of_row[one] + segment_offsets[qubit_of_row] + qubit_of_row
    order = np.argsort(entry, kind="stable")
    entries = int(segment_offsets[-1]) + n
    turn_offsets = np.concatenate([[0], np.cumsum(np.bincount(entry, minlength=entries))]).astype(np.int64)
    flips = np.bincount(entry, weights=axis[one] == _FLIPS, minlength=entries)
    ends = np.bincount(entry, weights=axis[one] == _ENDS, minlength=entries)
    graph = PacketGraph(
        num_qubits=n,
        node_row=node_row,
        node_local=node_local,
        node_offsets=node_offsets,
        leg_qubit=leg_qubit,
        leg_packet=leg_packet,
        leg_segment=leg_segment,
        packet_offsets=packet_offsets,
        packet_qubit=np.repeat(np.arange(n, dtype=np.int32), packets),
        segment_offsets=segment_offsets,
        segment_packet=segment_packet,
        turn_offsets=turn_offsets,
        turn_rows=one[order].astype(np.int32),
        turn_flips=(flips % 2 == 1) & (ends == 0),
        node_parity=(circuit.code[node_row] == Op.PARITY) & (arity >= 3),
    )
    return replace(graph, dead=_dead(circuit, graph)) if circuit.reuse else graph


def _dead(circuit: LogicalCircuit, graph: PacketGraph) -> NDArray[np.bool_] | None:
    """(J,) junctions at which qubits hold nothing that matters; None if there are none."""
    dead = np.zeros(graph.num_junctions, np.bool_)
    reset = np.flatnonzero((circuit.code[graph.node_row] == Op.RESET) & (circuit.guard[graph.node_row] < 0))
    dead[graph.junction(graph.leg_packet[graph.node_offsets[reset]])] = True
    ends = ~circuit.kept_wires() & (np.diff(graph.packet_offsets) > 0)
    dead[(graph.packet_offsets[1:] + np.arange(graph.num_qubits))[ends]] = True
    return dead if dead.any() else None


@njit(cache=True)
def _walk(
    n: int, rows: int, offsets: Int64, qubits: Int32, axis: NDArray[np.uint8], is_node: NDArray[np.bool_]
) -> tuple[Int32, Int32, Int32, Int32, Int32]:  # pragma: no cover - compiled
    """Number packets and segments along each line; a one-qubit gate gets the segment that it is turned before."""
    leg_packet = np.zeros(len(qubits), np.int32)
    leg_segment = np.zeros(len(qubits), np.int32)
    turn_of_row = np.zeros(rows, np.int32)
    packets = np.zeros(n, np.int32)
    segments = np.zeros(n, np.int32)
    # The strongest gate met on each line since its last node, and whether that node was local.
    met = np.zeros(n, np.uint8)
    closed = np.ones(n, np.bool_)
    # One-qubit gates since the last node, as linked lists: they turn into the next segment if one begins,
    # and belong to the present one if not (they are all diagonal then).
    last = np.full(n, -1, np.int64)
    before = np.full(rows, -1, np.int64)
    for i in range(rows):
        if not is_node[i]:
            q = qubits[offsets[i]]
            before[i] = last[q]
            last[q] = i
            met[q] = max(met[q], axis[i])
            continue
        local = axis[i] != 0
        for j in range(offsets[i], offsets[i + 1]):
            q = qubits[j]
            if closed[q] or local or met[q] == 2:
                packets[q] += 1
                segments[q] += 1
            elif met[q] == 1:
                segments[q] += 1
            leg_packet[j] = packets[q] - 1
            leg_segment[j] = segments[q] - 1
            row = last[q]
            while row >= 0:
                turn_of_row[row] = segments[q] - 1
                row = before[row]
            last[q] = -1
            met[q] = 0
            closed[q] = local
    for q in range(n):
        row = last[q]
        while row >= 0:
            turn_of_row[row] = segments[q]
            row = before[row]
    return leg_packet, leg_segment, turn_of_row, packets, segments
