"""A long run of random cases: compile, save, load, verify by every method, and compare runs on Aer.

    python benchmarks/property_run.py --cases 5000

Prints a line for every failure on standard error, with the seed that reproduces it (`--first SEED --cases 1`), and
a summary as one JSON object on standard output. Exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

from distq.testing import FEATURES, WRITTEN_OUT, check_case, random_case, random_reuse_case

#: Kinds of cases: (name, arguments of `random_case`, and the effort to compile with, or the promise for a
#: `random_reuse_case`); a seed takes the kind at seed modulo their number.
KINDS = (
    ("all features", {}),
    ("all features, more gates", {"min_qubits": 3, "max_qubits": 6, "max_gates": 25}),
    ("unitary", {"min_qubits": 2, "max_qubits": 6, "max_gates": 20,
                 "features": ("standard", "clifford", "multi", "unitary", "swap", "parameters", "barrier", "runs")}),
    ("runs on two qubits", {"min_qubits": 2, "max_qubits": 6, "max_gates": 14,
                            "features": ("runs", "standard", "swap", "measure", "conditional")}),
    ("Clifford with measurements", {"min_qubits": 2, "max_qubits": 7, "max_gates": 30,
                                    "features": ("clifford", "swap", "measure", "reset")}),
    ("conditionals", {"min_qubits": 2, "max_qubits": 4, "max_gates": 12,
                      "features": ("standard", "clifford", "measure", "reset", "conditional", "loop")}),
    ("written out", {"min_qubits": 3, "max_qubits": 6, "max_gates": 100, "effort": "fast",
                     "features": ("standard", "clifford", "multi", "swap", WRITTEN_OUT)}),
    ("qubits that come and go", {"start": "zero"}),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--effort", choices=("fast", "default", "best"), default="default", help="of the compiler")
    parser.add_argument("--shots", type=int, default=400, help="runs on Aer of each side; 0 for none")
    parser.add_argument("--features", nargs="*", choices=FEATURES, help="only these, for every case")
    parser.add_argument("--show", action="store_true", help="print every failing case in full")
    arguments = parser.parse_args()
    start = time.perf_counter()
    failures: list[dict[str, object]] = []
    verified: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    ebits = 0
    for seed in range(arguments.first, arguments.first + arguments.cases):
        name, options = KINDS[seed % len(KINDS)]
        promise = {"effort": arguments.effort, **{k: v for k, v in options.items() if k in ("start", "effort")}}
        if "start" in promise and not arguments.features:
            promise["outcomes_only"] = seed // len(KINDS) % 4 == 3
            case = random_reuse_case(seed, clifford=seed % 4 == 1, outcomes_only=bool(promise["outcomes_only"]))
        else:
            if arguments.features:
                options = {**options, "features": tuple(arguments.features)}
            case = random_case(seed, **{k: v for k, v in options.items() if k not in promise})
        report = check_case(case, shots=arguments.shots, options=promise)
        kinds[name] += 1
        ebits += report.ebits
        seconds.update(report.seconds)
        verified.update(m for m, applied in report.verified.items() if applied)
        if report.problems:
            failures.append({"seed": seed, "kind": name, "problems": report.problems})
            print(f"seed {seed} ({name}): {'; '.join(report.problems)}", file=sys.stderr, flush=True)
            if arguments.show:
                print(repr(case), file=sys.stderr, flush=True)
        if (seed + 1) % 500 == 0:
            print(f"{seed + 1 - arguments.first} cases, {len(failures)} failures", file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                "cases": arguments.cases,
                "failures": failures,
                "by_kind": dict(kinds),
                "verified": dict(verified),
                "ebits": ebits,
                "seconds": {k: round(v, 1) for k, v in {**seconds, "total": time.perf_counter() - start}.items()},
            },
            indent=1,
        )
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
