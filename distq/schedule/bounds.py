"""Lower bounds on makespans, from durations alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distq.ops import Op
from distq.schedule.graph import TaskGraph

if TYPE_CHECKING:
    from distq.circuit.logical import LogicalCircuit
    from distq.network.model import Network


@dataclass(frozen=True)
class Bounds:
    """Lower bounds on the makespan of one program with mean times of pairs (B1), by what they come from.

    Attributes:
        path: the longest chain of things that wait for each other, messages included, with unlimited generators.
        links: for each link that is used the shortest way to its pairs, the sum of their times divided by its
            generators, and the shortest way from them to the end.
        fabrics: likewise for the ports of each switch fabric.
        comm: for each module the busy time of its busiest communication qubit, or of its spare ones, where purified
            pairs take turns, with the shortest ways to and from these pairs.
    """

    path: float
    links: dict[str, float]
    fabrics: dict[int, float]
    comm: dict[str, float]

    @property
    def best(self) -> float:
        """The largest of all."""
        return max([self.path, *self.links.values(), *self.fabrics.values(), *self.comm.values()])


def bounds(graph: TaskGraph) -> Bounds:
    """B1: no schedule of this program with these times is shorter, however pairs are requested."""
    program, t = graph.program, graph.timing
    head, tail = graph.paths
    pairs = graph.pairs
    link = graph.link[pairs]
    network = program.network

    def busy(chosen: np.ndarray, servers: int) -> float:
        nodes = pairs[chosen]
        work = float(graph.duration[nodes].sum()) / servers
        return float(head[nodes].min()) + work + float((tail[nodes] - graph.duration[nodes]).min())

    links = {
        f"{network.links[i].a} - {network.links[i].b}": busy(link == i, int(t.generators[i]))
        for i in np.unique(link).tolist()
    }
    fabric = t.fabric[link]
    fabrics = {i: busy(fabric == i, int(t.ports[i])) for i in np.unique(fabric).tolist() if i >= 0}
    row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
    work = np.zeros(program.num_physical)
    np.add.at(work, program.qubits, graph.duration[row])
    comm = {
        m.name: float(work[(program.qubit_module == i) & (program.qubit_role == 1)].max(initial=0.0))
        for i, m in enumerate(network.modules)
    }
    # Pairs that are purified take turns on the spare communication qubits of their modules.
    for i in np.unique(t.pool[link]).tolist() if len(link) else ():
        if i >= 0:
            name = network.modules[i].name
            comm[name] = max(comm[name], busy((t.pool[link] == i).any(axis=1), int(t.spare[i])))
    return Bounds(float((head + graph.duration).max(initial=0.0)), links, fabrics, comm)


def every_plan_bound(circuit: LogicalCircuit, network: Network, *, frames: bool = True) -> float:
    """B2: no program that carries out the gates of this circuit on this network is shorter, whatever its plan.

    The longest chain of gates on the quickest module. Gates in different packets of a qubit follow each other, with a
    one-qubit gate between them; gates in one packet may happen in any order, even at the same time on several copies.
    With Pauli frames Clifford gates need not wait for what comes before on other halves of pairs (`frame_bound`).
    Pairs, messages and gates on packets that are measured next cost nothing, a qubit that is reset begins anew, and a
    gate on many qubits counts as one on two. It holds for the gates as they are: rewriting them may make it smaller.

    Args:
        circuit: normalised, as it is partitioned.
        network: its times, in the unit of `distq.schedule.timing`.
        frames: corrections may be tracked; else each is carried out where it stands.
    """
    from distq.partition.packets import build_packets
    from distq.schedule.frame_bound import frame_bound

    def least(key: str) -> float:
        if not network.timed:
            return 1.0
        return min((getattr(m.hardware, key) if m.hardware else None) or 0.0 for m in network.modules)

    one, several, measure = least("one_qubit_time"), least("two_qubit_time"), least("measure_time")
    graph = build_packets(circuit)
    if frames:
        return frame_bound(circuit, graph, one, several, measure)
    code = circuit.code[graph.node_row].tolist()
    offsets, qubits = graph.node_offsets.tolist(), graph.leg_qubit.tolist()
    packets, segments = graph.leg_packet.tolist(), graph.leg_segment.tolist()
    turned = np.diff(graph.turn_offsets) > 0
    owner = graph.packet_qubit
    measured = set()
    for i, c in enumerate(code):
        packet = packets[offsets[i]]
        if c == Op.MEASURE and packet > 0 and owner[packet - 1] == owner[packet]:
            measured.add(packet - 1)
    begin, end = [0.0] * graph.num_qubits, [0.0] * graph.num_qubits
    current = [-1] * graph.num_qubits
    longest = 0.0
    for i, c in enumerate(code):
        legs = range(offsets[i], offsets[i + 1])
        for leg in legs:
            q = qubits[leg]
            if packets[leg] == current[q]:
                continue
            turn = one if turned[segments[leg] + q] and current[q] >= 0 else 0.0
            # A measurement may come before the gates of the packet that it measures.
            begin[q] = (begin[q] if c == Op.MEASURE else end[q]) + turn
            end[q] = max(begin[q], end[q])
            current[q] = packets[leg]
        start = max(begin[qubits[leg]] for leg in legs)
        if c == Op.RESET:
            begin[qubits[offsets[i]]] = end[qubits[offsets[i]]] = 0.0
            continue
        free = any(packets[leg] in measured for leg in legs)
        time = measure if c == Op.MEASURE else several if len(legs) > 1 and not free else 0.0
        for leg in legs:
            end[qubits[leg]] = max(end[qubits[leg]], start + time)
        longest = max(longest, start + time)
    return longest


__all__ = ["Bounds", "bounds", "every_plan_bound"]
