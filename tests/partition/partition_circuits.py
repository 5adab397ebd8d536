"""Small circuits for the partition tests."""

from __future__ import annotations

import numpy as np

from distq.circuit.logical import CircuitBuilder, LogicalCircuit
from distq.network.model import Network
from distq.ops import Op
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement


def random_circuit(
    qubits: int, gates: int, seed: int, widest: int = 3, local: float = 0.0, output: list[int] | None = None
) -> LogicalCircuit:
    """Diagonal gates on 2..widest qubits, H and X between them, and measurements with probability `local`."""
    rng = np.random.default_rng(seed)
    b = CircuitBuilder(qubits)
    clbits = 0
    for _ in range(gates):
        if rng.random() < 0.4:
            b.add(Op.H if rng.random() < 0.7 else Op.X, (int(rng.integers(qubits)),))
        if rng.random() < local:
            b.measure(int(rng.integers(qubits)), clbits)
            clbits += 1
        width = min(int(rng.integers(2, widest + 1)), qubits)
        legs = tuple(rng.choice(qubits, width, replace=False).tolist())
        b.add(Op.MCP if rng.random() < 0.5 else Op.PARITY, legs, (0.3,))
    if output is None:
        return b.build()
    return b.build(output_wire=np.array(output, np.int32))


def qft(qubits: int) -> LogicalCircuit:
    """QFT without its final swaps."""
    b = CircuitBuilder(qubits)
    for i in range(qubits):
        b.add(Op.H, (i,))
        for j in range(i + 1, qubits):
            b.add(Op.MCP, (i, j), (np.pi / 2 ** (j - i),))
    return b.build()


def unserved_nodes(graph: PacketGraph, network: Network, placement: Placement) -> np.ndarray:
    """Nodes whose site lacks communication qubits for their remote legs, or whose leg is in a module without any.

    Empty unless the circuit has gates that no module could serve; such gates have to be expanded.
    """
    comm = network.comm_array
    node = graph.leg_node()
    before = placement.homes[graph.junction(graph.leg_packet)]
    after = placement.homes[graph.junction(graph.leg_packet) + 1]
    site = placement.sites_of_legs(graph)
    away = (before != site) & (after != site)
    # Each leg of a wide parity gate is served on its own.
    own = graph.node_parity[node]
    remote = np.bincount(node[away & ~own], minlength=graph.num_nodes)
    silent = np.bincount(node[away & ((comm[before] == 0) | own & (comm[site] == 0))], minlength=graph.num_nodes)
    return np.flatnonzero((remote > comm[placement.sites]) | (silent > 0)).astype(np.int32)
