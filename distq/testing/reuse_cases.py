"""Random circuits whose qubits come and go, on networks with too few data qubits for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distq.network.model import Network
from distq.testing.random_circuits import Choices, RandomChoices, _Writer, random_network
from distq.testing.strategies import CompileCase

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: Gates between the qubits that are there.
GATES = ("standard", "clifford", "multi", "unitary", "swap", "parameters", "pauli")


def passing_circuit(
    choices: Choices, num_qubits: int, *, together: int = 3, features: Sequence[str] = GATES, clifford: bool = False
) -> QuantumCircuit:
    """A random circuit in which at most a few qubits are in use at once.

    They meet in random gates, some under conditions on earlier outcomes; then one leaves: measured, reset, measured and
    reset (it comes back later), or with the state that it has.

    Args:
        choices: source of randomness.
        num_qubits: at least one.
        together: qubits in use at once, at most.
        features: kinds of gates, of `FEATURES`.
        clifford: only Clifford gates, and Paulis under conditions.
    """
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

    circuit = QuantumCircuit(QuantumRegister(num_qubits, "q"), ClassicalRegister(num_qubits + 2, "c"))
    writer = _Writer(choices, circuit, ("clifford",) if clifford else tuple(features), 2)
    coming = list(circuit.qubits)
    here: list[Any] = []
    written: list[Any] = []
    returns = 2
    while coming or here:
        while coming and len(here) < together:
            here.append(coming.pop(choices.integer(0, len(coming) - 1)))
        writer.qubits = here
        for _ in range(choices.integer(1, 4)):
            writer.operation(circuit, 0)
        if written and choices.integer(0, 2) == 0:
            with circuit.if_test((choices.choice(written), choices.integer(0, 1))):
                getattr(circuit, choices.choice(("x", "z") if clifford else ("x", "z", "h", "t")))(choices.choice(here))
        for _ in range(choices.integer(1, 2)):
            if not here:
                break
            q = here.pop(choices.integer(0, len(here) - 1))
            end = choices.choice(("measure", "measure", "measure", "reset", "measure", "state", "return"))
            if end in ("measure", "return"):
                bit = choices.choice(circuit.clbits)
                circuit.measure(q, bit)
                if bit not in written:
                    written.append(bit)
            if end == "reset" or (end == "return" and returns):
                circuit.reset(q)
            if end == "return" and returns:
                returns -= 1
                coming.append(q)
    return circuit


def peak_qubits(circuit: QuantumCircuit, *, outcomes_only: bool = False, without: Sequence[str] = ()) -> int:
    """Data qubits that the compiler needs for a circuit in |0> if all are in one module."""
    from distq.circuit.from_qiskit import from_qiskit
    from distq.partition.reuse import reuse_qubits
    from distq.pipeline import normalise

    network = Network.all_to_all(1, data=circuit.num_qubits)
    promise: dict[str, Any] = {"start": "zero", "outcomes_only": outcomes_only, "without": without}
    logical = normalise(from_qiskit(circuit), network, **promise)[1]
    shared = reuse_qubits(logical, outcomes_only=outcomes_only)
    return circuit.num_qubits if shared is None else shared.circuit.num_qubits


def random_reuse_case(
    seed: int, *, max_qubits: int = 7, max_modules: int = 4, clifford: bool = False, outcomes_only: bool = False
) -> CompileCase:
    """A circuit whose qubits come and go, on a network with little more room than it needs (`start="zero"`)."""
    choices = RandomChoices(f"reuse {seed}")
    qubits = choices.integer(2, max_qubits)
    circuit = passing_circuit(choices, qubits, together=choices.integer(1, 3), clifford=clifford)
    room = peak_qubits(circuit, outcomes_only=outcomes_only)
    network = random_network(choices, room, max_modules=max_modules)
    return CompileCase(circuit, network, choices.integer(0, 99))
