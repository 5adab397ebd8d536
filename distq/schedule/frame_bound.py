"""A bound on the makespan of every plan of a circuit, where corrections are tracked in Pauli frames.

A Bell pair lets later gates on a qubit happen before earlier ones are done: the half that takes the qubit's place can
be used at once, and a Clifford gate only moves along the corrections that are not known yet. What has to wait is a gate
through which a frame does not pass. So two times are followed for each qubit, lower bounds on when the X and the Z part
of what may be in its frame can be known, whatever the plan: by the end of the gates that they depend on.

In the coordinates of a packet, whose gates act along Z:

- a gate through which X does not pass (a phase or a parity at a general angle) begins when the X parts of all its legs
  can be known; one through which it passes (CZ, RZZ by quarter turns) at any time;
- a Z part can be known when the gates of the packet are done and, if they moved X parts here, those are known;
- an H exchanges the parts. After a gate of the packet before one more gate follows before it can be known what it did:
  the H itself on the same share, or that which disentangles the share.
"""

from __future__ import annotations

from dataclasses import dataclass

from distq.circuit.logical import LogicalCircuit
from distq.ops import Op
from distq.partition.packets import PacketGraph
from distq.schedule.graph import CLIFFORD, GENERIC, PAULI, angle_classes

_TURNS = {int(Op.SX), int(Op.SXDG), int(Op.RX)}
_PHASES = {int(Op.S), int(Op.SDG), int(Op.T), int(Op.TDG), int(Op.P), int(Op.RZ)}
_PAULIS = {int(Op.X), int(Op.Y), int(Op.Z)}
_ROTATIONS = {int(Op.P), int(Op.RX), int(Op.RY), int(Op.RZ)}
#: One-qubit gates through which some frame never passes.
_GENERAL = {int(Op.T), int(Op.TDG), int(Op.U)}


@dataclass
class _Line:
    """What is known of a qubit: when its X and Z parts can be known, and the end of the gates of its packet."""

    x: float = 0.0
    z: float = 0.0
    gates: float = 0.0
    packet: int = -1

    def all_gates(self, one: float) -> float:
        """When the Z part can be known."""
        return max(self.z, self.gates + one if self.gates else 0.0)


def frame_bound(circuit: LogicalCircuit, graph: PacketGraph, one: float, several: float, measure: float) -> float:
    """The bound, from the least times of gates on one and on several qubits and of measurements.

    Args:
        circuit: normalised, as it is partitioned.
        graph: its packets.
        one: time of a one-qubit gate.
        several: time of a gate on two qubits; larger ones count no more.
        measure: time of a measurement.
    """
    return _Walk(circuit, graph, one, several, measure).run()


class _Walk:
    def __init__(self, circuit: LogicalCircuit, graph: PacketGraph, one: float, several: float, measure: float) -> None:
        self.circuit, self.graph = circuit, graph
        self.one, self.several, self.measure = one, several, measure
        self.lines = [_Line() for _ in range(graph.num_qubits)]
        self.code = circuit.code.tolist()
        self.angle = angle_classes(circuit).tolist()
        self.turn_offsets, self.turn_rows = graph.turn_offsets.tolist(), graph.turn_rows.tolist()
        self.segment = [int(first) - 1 for first in graph.segment_offsets[:-1]]
        self.measured = _measured(circuit, graph)
        self.longest = 0.0

    def run(self) -> float:
        graph = self.graph
        offsets, qubits = graph.node_offsets.tolist(), graph.leg_qubit.tolist()
        segments, packets = graph.leg_segment.tolist(), graph.leg_packet.tolist()
        for node, row in enumerate(graph.node_row.tolist()):
            legs = range(offsets[node], offsets[node + 1])
            for leg in legs:
                self.advance(qubits[leg], segments[leg], packets[leg])
            here = [self.lines[qubits[leg]] for leg in legs]
            if self.code[row] == Op.MEASURE:
                self.longest = max(self.longest, here[0].x, self.measure)
                here[0].x = here[0].z = here[0].gates = 0.0
            elif self.code[row] == Op.RESET:
                here[0].x = here[0].z = here[0].gates = 0.0
            elif len(here) > 1:
                if not any(packets[leg] in self.measured for leg in legs):
                    self.gate(row, here)
            elif graph.node_local[node]:  # under a condition: one part may be known later than the other
                here[0].x = here[0].z = min(here[0].x, here[0].z)
                here[0].gates = 0.0
            self.longest = max(self.longest, *(max(line.x, line.z, line.gates) for line in here))
        return self.longest

    def gate(self, row: int, legs: list[_Line]) -> None:
        """A phase or a parity gate."""
        # A parity that was collected is rotated by a one-qubit gate.
        time = self.several
        if self.code[row] == Op.PARITY and len(legs) > 2:
            time = min(self.one, self.several)
        known = [line.x for line in legs]
        begin = max(known) if self.angle[row] == GENERIC else 0.0
        for i, line in enumerate(legs):
            line.gates = max(line.gates, begin + time)
            if self.angle[row] == CLIFFORD:
                moved = known if self.code[row] == Op.PARITY else known[:i] + known[i + 1 :]
                line.z = max(line.z, *moved)

    def advance(self, q: int, segment: int, packet: int) -> None:
        """The one-qubit gates up to a segment of a qubit."""
        line = self.lines[q]
        while self.segment[q] < segment:
            self.segment[q] += 1
            entry = self.segment[q] + q
            for row in self.turn_rows[self.turn_offsets[entry] : self.turn_offsets[entry + 1]]:
                self.turn(line, row)
        if line.packet != packet:
            if line.packet >= 0 and line.gates:
                # It ends without a gate: with a measurement, say.
                line.z, line.gates = line.all_gates(0.0), 0.0
            line.packet = packet

    def turn(self, line: _Line, row: int) -> None:
        """A one-qubit gate."""
        code, one = self.code[row], self.one
        rotation = code in _ROTATIONS
        general = code in _GENERAL or (rotation and self.angle[row] == GENERIC)
        if code in _PAULIS or (rotation and self.angle[row] == PAULI):
            return
        if code == Op.H or (code == Op.RY and not general):
            line.x, line.z, line.gates = line.all_gates(one), line.x, 0.0
        elif code in _PHASES:
            if general:
                line.gates = max(line.gates, line.x + one)
            else:
                line.z = max(line.z, line.x)
        elif code in _TURNS:
            known = line.all_gates(0.0)
            if general:
                line.x, line.z = max(line.x, known + one), known + one
            else:
                line.z = line.all_gates(one)
                line.x = max(line.x, line.z)
            line.gates = 0.0
        else:
            line.x = line.z = max(line.x, line.all_gates(0.0)) + one
            line.gates = 0.0


def _measured(circuit: LogicalCircuit, graph: PacketGraph) -> set[int]:
    """Packets that are measured along their axis next."""
    packets, offsets = graph.leg_packet, graph.node_offsets[:-1]
    owner = graph.packet_qubit
    found = packets[offsets[circuit.code[graph.node_row] == Op.MEASURE]]
    return {int(p) - 1 for p in found if p > 0 and owner[p - 1] == owner[p]}


__all__ = ["frame_bound"]
