"""Grover's search as a circuit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def grover(num_qubits: int, marked: str) -> QuantumCircuit:
    """Grover's search for one marked state among 2**num_qubits, with the best number of iterations, measured.

    Args:
        num_qubits: at least two.
        marked: the bit string to find, last qubit first, as Qiskit prints counts.

    References:
        L. K. Grover, arXiv:quant-ph/9605043.
    """
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(num_qubits, num_qubits, name=f"grover{num_qubits}")
    qubits = list(range(num_qubits))
    zeros = [q for q in qubits if marked[num_qubits - 1 - q] == "0"]
    circuit.h(qubits)
    for _ in range(iterations(num_qubits)):
        if zeros:
            circuit.x(zeros)
        circuit.mcp(math.pi, qubits[:-1], qubits[-1])
        if zeros:
            circuit.x(zeros)
        circuit.h(qubits)
        circuit.x(qubits)
        circuit.mcp(math.pi, qubits[:-1], qubits[-1])
        circuit.x(qubits)
        circuit.h(qubits)
    circuit.measure(qubits, qubits)
    return circuit


def iterations(num_qubits: int) -> int:
    """The number of Grover iterations that comes closest to certainty for one marked state."""
    angle = math.asin(2 ** (-num_qubits / 2))
    return max(1, round(math.pi / (4 * angle) - 0.5))


def ideal_success(circuit: QuantumCircuit, marked: str) -> float:
    """Probability that the circuit itself measures `marked` (exact)."""
    from qiskit.quantum_info import Statevector

    state = Statevector(circuit.remove_final_measurements(inplace=False))
    return float(state.probabilities_dict().get(marked, 0.0))


__all__ = ["grover", "ideal_success", "iterations"]
