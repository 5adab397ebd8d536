"""Ebits of circuits whose qubits are all measured at the end, with and without the rewrites that use their meaning.

    python benchmarks/measured.py DIRECTORY [--modules 2 4] [--effort fast] [--comm unlimited]

prints one line for each circuit and number of modules: ebits without the rewrites, with `measured`, with known inputs
as well (--start zero), with --outcomes-only as well; then, for the last three, with qubits that are reused. At the end
the geometric means of (with + 1) / (without + 1). Every program is verified by the symbolic method.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distq
from distq.circuit.read import load_source
from distq.errors import DistqError
from distq.network.model import Network

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: Column -> options of `distq.compile`; the first is what the others are compared with.
VARIANTS: dict[str, dict[str, Any]] = {
    "without": {"without": ("measured", "reset", "known-inputs", "outcomes-only", "reuse")},
    "measured": {"without": ("reuse",)},
    "start zero": {"start": "zero", "without": ("reuse",)},
    "outcomes only": {"start": "zero", "outcomes_only": True, "without": ("reuse",)},
    "any + reuse": {},
    "zero + reuse": {"start": "zero"},
    "outc. + reuse": {"start": "zero", "outcomes_only": True},
}


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with a measurement of every qubit at its end."""
    from qiskit import ClassicalRegister

    result = circuit.copy()
    register = ClassicalRegister(circuit.num_qubits, "distq_measured")
    result.add_register(register)
    result.measure(range(circuit.num_qubits), register)
    return result


def network_for(qubits: int, modules: int, comm: int | None) -> Network:
    """Equal modules, all linked, with just enough data qubits."""
    return Network.all_to_all(modules, data=-(-qubits // modules), comm=comm)


def row(circuit: QuantumCircuit, modules: int, comm: int | None, effort: str, seed: int) -> dict[str, int]:
    """Ebits by variant."""
    network = network_for(circuit.num_qubits, modules, comm)
    return {
        name: distq.compile(circuit, network, effort=effort, seed=seed, **options).ebits
        for name, options in VARIANTS.items()
    }


def mean(rows: list[dict[str, int]], name: str) -> float:
    """Geometric mean of (ebits + 1) / (ebits without + 1)."""
    base = next(iter(VARIANTS))
    return math.exp(sum(math.log((r[name] + 1) / (r[base] + 1)) for r in rows) / len(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--modules", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--comm", default="unlimited")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--largest", type=int, default=10**9, help="leave out circuits with more instructions")
    arguments = parser.parse_args()
    comm = None if arguments.comm == "unlimited" else int(arguments.comm)
    print(f"{'circuit':32} {'k':>2} " + " ".join(f"{name:>13}" for name in VARIANTS))
    rows = []
    for path in sorted(arguments.directory.glob("*.qasm")):
        circuit = load_source(path)
        if circuit.size() > arguments.largest:
            continue
        for modules in arguments.modules:
            try:
                found = row(measured(circuit), modules, comm, arguments.effort, arguments.seed)
            except DistqError as error:
                print(f"{path.stem:32} {modules:>2} {type(error).__name__}: {error}", flush=True)
                continue
            rows.append(found)
            print(f"{path.stem:32} {modules:>2} " + " ".join(f"{n:>13}" for n in found.values()), flush=True)
    if rows:
        print(
            f"{'geometric mean of (x + 1) / (without + 1)':32}".ljust(36)
            + "  "
            + ", ".join(f"{name}: {mean(rows, name):.3f}" for name in VARIANTS)
        )


if __name__ == "__main__":
    main()
