"""The stabilizer method on Clifford circuits of a hundred qubits and more.

    python benchmarks/clifford.py [--qubits 120]

GHZ states, random graph states and random Clifford circuits are compiled for four modules with two communication
qubits each, saved, and verified from the files by the stabilizer and the symbolic method.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit

import distq


def ghz(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n, name=f"ghz_n{n}")
    circuit.h(0)
    circuit.cx(range(n - 1), range(1, n))
    return circuit


def graph_state(n: int, seed: int) -> QuantumCircuit:
    """A random graph with three edges a vertex."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n, name=f"graph_n{n}")
    circuit.h(range(n))
    edges = {tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(3 * n)}
    for a, b in sorted(edges):
        circuit.cz(a, b)
    return circuit


def clifford(n: int, seed: int, measure: bool = False) -> QuantumCircuit:
    """Ten random gates a qubit; with measurements, every fourth qubit is measured and corrects another one."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n, n // 4 if measure else 0, name=f"clifford_n{n}{'_measured' if measure else ''}")
    for _ in range(10 * n):
        a, b = rng.choice(n, 2, replace=False).tolist()
        getattr(circuit, ["h", "s", "sdg", "x", "sx"][rng.integers(5)])(a)
        getattr(circuit, ["cx", "cz", "cy"][rng.integers(3)])(a, b)
    if measure:
        for clbit in range(n // 4):
            circuit.measure(4 * clbit, clbit)
            with circuit.if_test((circuit.clbits[clbit], 1)):
                circuit.x(4 * clbit + 1)
    return circuit


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qubits", type=int, default=120)
    parser.add_argument("--modules", type=int, default=4)
    options = parser.parse_args()
    n = options.qubits
    network = distq.Network.all_to_all(options.modules, data=math.ceil(n / options.modules), comm=2)
    failed = 0
    print(f"{'circuit':24} {'ebits':>6} {'compile s':>10} {'stabilizer':>12} {'s':>7} {'symbolic':>10} {'s':>7}")
    for circuit in (ghz(n), graph_state(n, 0), clifford(n, 0), clifford(n, 1, measure=True)):
        start = time.perf_counter()
        program = distq.compile(circuit, network, effort="fast", verify="none")
        seconds = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            program.save(Path(folder) / "program")
            results = [distq.verify(circuit, Path(folder) / "program", method=m) for m in ("stabilizer", "symbolic")]
        shown = " ".join(f"{'ok' if r.ok else 'WRONG':>12} {r.seconds:7.2f}" for r in results)
        print(f"{circuit.name:24} {program.ebits:6} {seconds:10.2f} {shown}", flush=True)
        failed += sum(not r.ok for r in results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
