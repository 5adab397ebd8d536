"""Break thousands of programs and see whether the verifiers notice.

    python benchmarks/mutation.py

Small programs: every mutant is labelled by the statevector method; each one that it calls wrong must be rejected by
the symbolic method (and by the stabilizer method, where that applies). Mutants that turn out equivalent are counted
apart ("equal", or "strict" where the symbolic method rejects them all the same). Large programs: only mutants that are
wrong by construction. Prints counts by kind; exit code 1 if a mutant slips through, or if there were fewer than
`--least` faulty programs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from typing import Any

from distq.errors import DistqError
from distq.network.model import Network
from distq.testing import (
    FEATURES,
    UNITARY_FEATURES,
    CompileCase,
    MutationTable,
    RandomChoices,
    mutate_case,
    random_reuse_case,
)
from distq.testing.random_circuits import random_circuit, random_network

#: Kinds of small circuits: features and numbers of qubits and gates.
SMALL: tuple[dict[str, Any], ...] = (
    {"features": UNITARY_FEATURES, "qubits": (2, 5), "gates": (4, 14)},
    {"features": FEATURES, "qubits": (2, 4), "gates": (4, 12)},
    {"features": ("clifford", "swap"), "qubits": (3, 6), "gates": (8, 20)},
    {"features": ("standard", "clifford", "measure", "conditional"), "qubits": (2, 4), "gates": (5, 12)},
    {"features": ("standard", "pauli"), "qubits": (3, 6), "gates": (3, 8)},
    {"options": {"start": "zero"}},  # qubits that come and go: `random_reuse_case`
)


def small_case(seed: int) -> CompileCase:
    choices = RandomChoices(f"mutation {seed}")
    shape = SMALL[seed % len(SMALL)]
    if "options" in shape:
        return random_reuse_case(seed, max_qubits=5)
    qubits = choices.integer(*shape["qubits"])
    circuit = random_circuit(choices, qubits, choices.integer(*shape["gates"]), shape["features"], max_clbits=3)
    return CompileCase(circuit, random_network(choices, qubits, min_modules=2), seed)


def large_case(seed: int, qubits: int = 24, gates: int = 400) -> CompileCase:
    choices = RandomChoices(f"large mutation {seed}")
    features = UNITARY_FEATURES if seed % 2 else ("clifford", "swap")
    circuit = random_circuit(choices, qubits, gates, features)
    network = Network.all_to_all(4, data=7, comm=3) if seed % 3 else Network.grid(2, 3, data=5, comm=2)
    return CompileCase(circuit, network, seed)


def run(small: int, large: int, per_kind: int, first: int = 0) -> MutationTable:
    table = MutationTable()
    others: deque[Any] = deque(maxlen=2)

    def one(case: CompileCase, seed: int, is_small: bool) -> None:
        try:
            # A large program that was found quickly has as much to break as one that was searched for long.
            options = SMALL[seed % len(SMALL)].get("options") if is_small else {"effort": "fast"}
            program = mutate_case(
                case, table, seed=seed, per_kind=per_kind, others=others, small=is_small, options=options
            )
        except DistqError as error:
            table.failures.append(f"seed {seed}: {type(error).__name__}: {error}\n{case!r}")
        else:
            others.append(program)

    for seed in range(first, first + small):
        one(small_case(seed), seed, True)
        if (seed + 1) % 10 == 0:
            print(f"{seed + 1} programs, {table.total()} mutants", file=sys.stderr, flush=True)
    for seed in range(first, first + large):
        one(large_case(seed), seed, False)
        print(f"large program {seed}, {table.total()} mutants", file=sys.stderr, flush=True)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=60, help="small programs to break")
    parser.add_argument("--large", type=int, default=10, help="large programs to break")
    parser.add_argument("--per-kind", type=int, default=1, help="mutants of each kind and program")
    parser.add_argument("--first", type=int, default=0, help="seed of the first program")
    parser.add_argument("--least", type=int, default=2000, help="faulty programs there must be")
    arguments = parser.parse_args()
    start = time.perf_counter()
    table = run(arguments.small, arguments.large, arguments.per_kind, arguments.first)
    print(table.text())
    print(
        f"\n{table.programs} programs, {table.total()} mutants, of which {table.faulty} are faulty, "
        f"{table.total('equal', 'strict')} equivalent ({table.total('strict')} of them rejected all the same), "
        f"{table.total('unknown')} unknown; {table.total('slipped')} slipped through. "
        f"{time.perf_counter() - start:.0f} s."
    )
    for failure in table.failures:
        print(failure, file=sys.stderr)
    if table.failures:
        return 1
    if table.faulty < arguments.least:
        print(f"only {table.faulty} faulty programs; ask for more with --small", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
