"""Compile, emit and verify a large circuit; time and memory stage by stage.

    python benchmarks/scale.py [--gates 100000] [--qubits 1000] [--modules 8] [--comm 2]

The circuit is random with a preference for near neighbours (nine gates of ten reach at most 20 qubits far) and ends
nowhere near the capacity of the search; it stands for compiled programs of that size, not for a hard partition.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit

import distq


def random_circuit(n: int, gates: int, seed: int) -> QuantumCircuit:
    """`gates` CX and CP with one-qubit gates between them."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    first = rng.integers(n, size=gates).tolist()
    near = rng.integers(1, min(21, n), size=gates)
    far = rng.integers(1, n, size=gates)
    second = ((np.array(first) + np.where(rng.random(gates) < 0.9, near, far)) % n).tolist()
    kinds, angles = rng.random(gates).tolist(), rng.uniform(0, 6, gates).tolist()
    for a, b, kind, angle in zip(first, second, kinds, angles):
        if kind < 0.5:
            circuit.cx(a, b)
        else:
            circuit.cp(angle, a, b)
        if kind < 0.25:
            circuit.h(a)
        elif kind < 0.4:
            circuit.rz(angle, b)
    return circuit


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, default=100_000)
    parser.add_argument("--qubits", type=int, default=1000)
    parser.add_argument("--modules", type=int, default=8)
    parser.add_argument("--comm", type=int, default=2)
    parser.add_argument("--effort", default="default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    circuit = random_circuit(options.qubits, options.gates, options.seed)
    network = distq.Network.all_to_all(
        options.modules, data=math.ceil(options.qubits / options.modules), comm=options.comm
    )
    warm = random_circuit(12, 60, 1)
    start = time.perf_counter()
    distq.compile(warm, distq.Network.all_to_all(2, data=6, comm=2), effort=options.effort)
    print(f"{'imports and compiled kernels':30} {time.perf_counter() - start:8.2f} s (not counted)")
    start = time.perf_counter()
    program = distq.compile(circuit, network, effort=options.effort, seed=options.seed, verify="none")
    compiled = time.perf_counter()
    for stage, seconds in program.stats["seconds"].items():
        print(f"{stage:30} {seconds:8.2f} s")
    with tempfile.TemporaryDirectory() as directory:
        program.save(Path(directory) / "program")
        saved = time.perf_counter()
        result = distq.verify(circuit, Path(directory) / "program", method="symbolic")
        verified = time.perf_counter()
    print(f"{'emit and save':30} {saved - compiled:8.2f} s")
    print(f"{'read and verify (symbolic)':30} {verified - saved:8.2f} s  ok={result.ok} {result.message}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'total':30} {verified - start:8.2f} s, {peak:.2f} GiB peak")
    print(f"{program.ebits} ebits, {len(program.program)} operations")
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
