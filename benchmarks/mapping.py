"""Local mapping: programs on four processors with coupling maps, beside one large processor of the same kind.

    python benchmarks/mapping.py [--kind heavy-hex] [--circuits DIR] [--max-qubits 40] [--out table.md]

Each circuit is compiled for four linked processors, heavy-hex maps of 19 qubits (Qiskit's GenericBackendV2) or 4 x 4
grids, each with two communication qubits at fixed places, and verified from its files: symbolically with every edge,
and by statevector or stabilizers where these apply. Beside it: SWAPs that `qiskit.transpile` needs for the same circuit
on one heavy-hex map of 57 qubits or one 8 x 8 grid. Circuits that would fit one processor are kept apart: qubits start
in the modules that a partition into four equal parts gives them.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit, qasm2, transpile
from qiskit.circuit.library import CDKMRippleCarryAdder, efficient_su2, qaoa_ansatz, quantum_volume, real_amplitudes
from qiskit.circuit.random import random_clifford_circuit
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.synthesis.qft import synth_qft_full
from qiskit.transpiler import CouplingMap

import distq
from distq.testing.checks import verify_with
from distq.verify.coupling import coupling_problem
from distq.verify.reader import read_directory

#: Communication qubits: in the middle of two sides of the heavy-hex map, and beside each other inside the grid.
MAPS = {
    "heavy-hex": (CouplingMap.from_heavy_hex(3), (9, 13), CouplingMap.from_heavy_hex(5)),
    "grid": (CouplingMap.from_grid(4, 4), (5, 10), CouplingMap.from_grid(8, 8)),
}
#: Statevectors are compared up to this many qubits of the circuit.
STATEVECTOR = 12


def generated() -> Iterator[QuantumCircuit]:
    """Twenty circuits on 8 to 40 qubits."""
    for n in (8, 12, 24, 40):
        yield named(synth_qft_full(n, do_swaps=False), f"qft_n{n}")
    for n in (10, 32):
        yield named(ising(n), f"ising_n{n}")
    for n in (10, 20, 36):
        yield named(maxcut(n, 3, n), f"qaoa_n{n}")
    for n in (10, 32):
        yield named(efficient_su2(n, reps=2, entanglement="linear"), f"su2_n{n}")
    yield named(real_amplitudes(12, reps=2, entanglement="full"), "real_amplitudes_n12")
    for bits in (4, 12):
        yield named(CDKMRippleCarryAdder(bits).decompose(reps=3), f"adder_n{2 * bits + 2}")
    for n in (10, 16):
        yield named(quantum_volume(n, depth=n // 2, seed=n).decompose(), f"volume_n{n}")
    for n in (12, 40):
        yield named(random_clifford_circuit(n, 6 * n, gates=["h", "s", "sx", "cx", "cz"], seed=n), f"clifford_n{n}")
    yield named(graph(40, 3), "graph_n40")
    yield named(ghz(40), "ghz_n40")


def named(circuit: QuantumCircuit, name: str) -> QuantumCircuit:
    rng = np.random.default_rng(len(name))
    circuit = circuit.assign_parameters(rng.uniform(-3, 3, circuit.num_parameters))
    circuit.name = name
    return circuit


def ising(n: int, steps: int = 4) -> QuantumCircuit:
    """Trotter steps of a ring with a transverse field."""
    circuit = QuantumCircuit(n)
    for _ in range(steps):
        circuit.rx(0.3, range(n))
        for q in range(n):
            circuit.rzz(0.7, q, (q + 1) % n)
    return circuit


def maxcut(n: int, degree: int, seed: int) -> QuantumCircuit:
    import networkx as nx

    edges = nx.random_regular_graph(degree, n, seed=seed).edges
    cost = SparsePauliOp.from_sparse_list([("ZZ", list(e), 1.0) for e in sorted(edges)], n)
    return qaoa_ansatz(cost, reps=1, insert_barriers=False).decompose(reps=2)


def graph(n: int, degree: int) -> QuantumCircuit:
    import networkx as nx

    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for a, b in sorted(nx.random_regular_graph(degree, n, seed=n).edges):
        circuit.cz(a, b)
    return circuit


def ghz(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    circuit.h(0)
    circuit.cx(range(n - 1), range(1, n))
    return circuit


def network(kind: str) -> distq.Network:
    coupling, comm, _ = MAPS[kind]
    backend = GenericBackendV2(coupling.size(), ["cz", "sx", "x", "rz"], coupling_map=coupling, seed=1)
    modules = tuple(distq.Module.from_backend(backend, comm=comm, name=f"m{i}") for i in range(4))
    links = tuple(distq.Link(f"m{a}", f"m{b}") for b in range(4) for a in range(b))
    return distq.Network(modules, links, name=kind)


def homes(circuit: QuantumCircuit, seed: int) -> dict[int, str]:
    """Modules of the qubits at the start of a program for four modules that are just large enough."""
    small = distq.Network.all_to_all(4, data=math.ceil(circuit.num_qubits / 4), comm=2)
    found = distq.compile(circuit, small, effort="fast", seed=seed, verify="none").initial_layout
    return {q: place[0] for q, place in found.items()}


def one_processor(circuit: QuantumCircuit, kind: str) -> int:
    """SWAPs of the best of three runs of Qiskit's transpiler on one large processor."""
    flat = transpile(circuit, basis_gates=["u", "cz", "cp", "rzz"], optimization_level=1)
    return min(
        transpile(flat, coupling_map=MAPS[kind][2], optimization_level=1, seed_transpiler=s).count_ops().get("swap", 0)
        for s in range(3)
    )


def measure(circuit: QuantumCircuit, kind: str, effort: str, seed: int) -> list[str]:
    begin = time.perf_counter()
    start = homes(circuit, seed)
    compiled = distq.compile(circuit, network(kind), effort=effort, seed=seed, initial_homes=start, verify="none")
    seconds = time.perf_counter() - begin
    checks = ["symbolic"]
    with tempfile.TemporaryDirectory() as folder:
        compiled.save(Path(folder) / "p")
        files = read_directory(Path(folder) / "p")
        problem = coupling_problem(files)
        if problem:
            raise SystemExit(f"{circuit.name}: {problem}")
        checks += ["statevector"] if circuit.num_qubits <= STATEVECTOR else ["stabilizer"]
        done = []
        for method in checks:
            outcome = verify_with(circuit, files, method)
            if outcome.applicable and not outcome.ok:
                raise SystemExit(f"{circuit.name}: {method}: {outcome.reason}")
            done += [method] if outcome.applicable else []
    if not done:
        raise SystemExit(f"{circuit.name}: no method applies")
    used = [int(m.data_qubits > 0) for m in compiled.modules]
    row = (
        circuit.name,
        circuit.num_qubits,
        compiled.stats["circuit"]["two_qubit_gates"],
        sum(used),
        compiled.ebits,
        compiled.local_swaps,
        one_processor(circuit, kind),
        " + ".join(done),
        f"{seconds:.1f}",
    )
    return [str(x) for x in row]


HEAD = ("circuit", "qubits", "two-qubit gates", "modules", "ebits", "SWAPs", "SWAPs on one", "verified by", "seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=tuple(MAPS), action="append")
    parser.add_argument("--circuits", type=Path, help="a folder of OpenQASM 2 files instead of the generated circuits")
    parser.add_argument("--max-qubits", type=int, default=40)
    parser.add_argument("--max-gates", type=int, default=10**9)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also append the tables to this file")
    options = parser.parse_args()
    if options.circuits:
        loaded = (
            named(qasm2.load(str(p), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS), p.stem)
            for p in sorted(options.circuits.glob("*.qasm"))
        )
        circuits = [c for c in loaded if 8 <= c.num_qubits <= options.max_qubits and c.size() <= options.max_gates]
    else:
        circuits = [c for c in generated() if c.num_qubits <= options.max_qubits]
    for kind in options.kind or tuple(MAPS):
        lines = [f"{kind}:", "", f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}"]
        print("\n".join(lines))
        ratios = []
        for circuit in circuits:
            row = measure(circuit, kind, options.effort, options.seed)
            lines.append(f"| {' | '.join(row)} |")
            print(lines[-1], flush=True)
            ratios.append((int(row[5]) + 1) / (int(row[6]) + 1))
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        lines += ["", f"Geometric mean of (SWAPs + 1)/(SWAPs on one + 1) over {len(ratios)} circuits: {mean:.2f}.", ""]
        print("\n".join(lines[-3:]))
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
