"""How much noise on its links can a distributed GHZ state stand? The pairs carry a label for that."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error

import distq

SHOTS = 2000


def main() -> None:
    """Print the share of all-zero and all-one outcomes for several errors of a Bell pair."""
    circuit = QuantumCircuit(6, 6)
    circuit.h(0)
    circuit.cx(range(5), range(1, 6))
    circuit.measure(range(6), range(6))

    # Measured at once, the state would need no pairs: all but one qubit could be measured before the next is entangled.
    program = distq.compile(circuit, distq.Network.line(3, data=2), seed=1, without=("measured",))
    dynamic = program.to_qiskit()
    print(f"{program.ebits} ebits")
    for error in (0.0, 0.05, 0.1):
        noise = NoiseModel()
        noise.add_all_qubit_quantum_error(depolarizing_error(error, 2), "epr")
        simulator = AerSimulator(noise_model=noise, seed_simulator=1)
        counts = simulator.run(dynamic, shots=SHOTS, shot_branching_enable=True).result().get_counts()
        good = sum(n for bits, n in counts.items() if len(set(bits.split()[-1])) == 1) / SHOTS
        print(f"depolarising {error:.2f} a pair: {good:.3f} of the outcomes are all zeros or all ones")


if __name__ == "__main__":
    main()
