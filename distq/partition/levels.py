"""Another order of the nodes in which homes may change: level by level.

Homes stay within the data qubits at every moment of an order, and qubits can exchange modules only while both are on
their way. Which moments those are depends on the order: a circuit written gate by gate along its qubits leaves others
than the same circuit written layer by layer, and neither is better always.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.partition.order import classical_dependencies
from distq.partition.packets import PacketGraph

Int32 = NDArray[np.int32]


def rank_by_level(circuit: LogicalCircuit, graph: PacketGraph) -> Int32 | None:
    """(M,) the position of each node in the order of levels, as a `Placement.rank`.

    A node is one level above the highest that its qubits have reached, but nodes in turn on the same qubits share one,
    as a unitary on two qubits is three gates and one level. Nodes of one level stand in the order of rows.

    Args:
        circuit: that is partitioned.
        graph: its packets.

    Returns:
        None where that is the order of rows, and where places are given up and taken again (`PacketGraph.dead`): those
        are planned by rows.
    """
    if graph.dead is not None:
        return None
    followers, _ = classical_dependencies(circuit, graph)
    reached, latest = [-1] * graph.num_qubits, [-1] * graph.num_qubits
    level, least = [0] * graph.num_nodes, [0] * graph.num_nodes
    offsets, legs = graph.node_offsets.tolist(), graph.leg_qubit.tolist()
    before: list[int] = []
    for node in range(graph.num_nodes):
        qubits = legs[offsets[node] : offsets[node + 1]]
        last = latest[qubits[0]]
        again = last >= 0 and before[last] == len(qubits) and all(latest[q] == last for q in qubits)
        height = max(reached[q] for q in qubits) + (0 if again else 1)
        level[node] = max(height, least[node])
        before.append(len(qubits))
        for q in qubits:
            reached[q], latest[q] = level[node], node
        for other in followers[node]:
            least[other] = max(least[other], level[node])
    order = np.argsort(level, kind="stable")
    if (order == np.arange(graph.num_nodes)).all():
        return None
    rank = np.empty(graph.num_nodes, np.int32)
    rank[order] = np.arange(graph.num_nodes, dtype=np.int32)
    return rank
