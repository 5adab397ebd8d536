"""A circuit for a network of different modules, read from a file: compile, look, save, verify, simulate."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qiskit import QuantumCircuit

import distq


def graph_state(edges: list[tuple[int, int]]) -> QuantumCircuit:
    """The graph state with these edges, measured in the X basis."""
    qubits = 1 + max(max(edge) for edge in edges)
    circuit = QuantumCircuit(qubits, qubits, name="graph-state")
    circuit.h(range(qubits))
    for a, b in edges:
        circuit.cz(a, b)
    circuit.h(range(qubits))
    circuit.measure(range(qubits), range(qubits))
    return circuit


def main() -> None:
    """Distribute a graph state over the laboratory of `network.toml`."""
    circuit = graph_state([(i, (i + 1) % 12) for i in range(12)] + [(0, 6), (3, 9)])
    network = Path(__file__).with_name("network.toml")

    # Qubit 0 must stay in the hub; where the others live is free.
    program = distq.compile(circuit, network, pins={0: "hub"}, seed=7)
    print(program.summary())

    with tempfile.TemporaryDirectory() as directory:
        program.save(directory)
        print(sorted(path.name for path in Path(directory).iterdir()))
        print(distq.verify(circuit, directory, method="stabilizer"))


if __name__ == "__main__":
    main()
