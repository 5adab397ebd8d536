"""Plans for networks on which copies cannot be relayed: exchanges that use copies and leave some behind."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

import distq
from distq.network.model import Network
from distq.ops import Op
from distq.partition.options import switched_off
from distq.report.explain import explain
from distq.verify import verify

NETWORKS = {
    "grid": lambda data: Network.grid(2, 2, data=data, comm=1),
    "line": lambda data: Network.line(4, data=data, comm=1),
    "star": lambda data: Network.star(4, data=data, comm=1),
}


def random_circuit(rng: np.random.Generator, n: int, gates: int, measured: bool) -> QuantumCircuit:
    circuit = QuantumCircuit(n, n)
    for _ in range(gates):
        a, b = (int(q) for q in rng.choice(n, 2, replace=False))
        kind = rng.integers(7)
        if kind == 0:
            circuit.cx(a, b)
        elif kind == 1:
            circuit.cp(float(rng.uniform(0.2, 3)), a, b)
        elif kind == 2:
            circuit.rzz(float(rng.uniform(0.2, 3)), a, b)
        elif kind == 3:
            circuit.x(a)
        elif kind == 4:
            circuit.h(a)
        elif kind == 5:
            circuit.ry(float(rng.uniform(0.2, 3)), a)
        elif measured:
            circuit.measure(a, a)
            with circuit.if_test((circuit.clbits[a], 1)):
                circuit.z(b)
        else:
            circuit.cz(a, b)
    return circuit


def compiled_with(circuit, network, without=(), **options):
    with switched_off(without):
        return distq.compile(circuit, network, effort="fast", **options)


@pytest.mark.parametrize("shape", NETWORKS)
@pytest.mark.parametrize("seed", range(8))
def test_one_communication_qubit_is_enough(shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 9))
    spare = int(rng.integers(2))
    network = NETWORKS[shape](-(-n // 4) + spare)
    circuit = random_circuit(rng, n, int(rng.integers(15, 45)), measured=seed % 4 == 3)
    same = [{}, {"final_homes": "same"}, {"final_homes": {1: seed % 4, 3: 0}}][seed % 3]
    compiled = compiled_with(circuit, network, **same)  # raises if the program is not that circuit
    assert max(compiled.peak_comm_qubits.values()) <= 1
    assert compiled.ebits <= compiled_with(circuit, network, ["routes"], verify="none", **same).ebits
    assert compiled.ebits == int((compiled.program.code == Op.EPR).sum())


def ladder(n: int) -> QuantumCircuit:
    """Controlled phases between all pairs of qubits, and Hadamard gates between them."""
    circuit = QuantumCircuit(n)
    for a in range(n):
        circuit.h(a)
        for b in range(a + 1, n):
            circuit.cp(0.1 + 0.01 * (a + b), a, b)
    return circuit


@pytest.mark.parametrize("shape", NETWORKS)
def test_routes_halve_what_gates_between_distant_modules_cost(shape: str) -> None:
    network = NETWORKS[shape](3)
    routed = compiled_with(ladder(12), network)
    assert routed.stats["partitioner"] == "route"
    assert routed.ebits <= 0.75 * compiled_with(ladder(12), network, ["routes"], verify="none").ebits
    assert compiled_with(ladder(12), network, verify="none").ebits == routed.ebits
    explained = explain(routed)
    assert sum(explained.totals[x] for x in ("copies", "moves", "exchanges", "other")) == routed.ebits
    assert verify(ladder(12), routed, method="statevector").ok
