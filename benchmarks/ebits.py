"""Ebits of distq beside those of other compilers, instance by instance.

    python benchmarks/ebits.py CIRCUITS_DIR [--reference CSV] [--effort default] [--verify symbolic] [--csv OUT]
        [--only NAME[,NAME...]] [--without TECHNIQUE[,TECHNIQUE...]]

Every instance of the reference (circuit, number of modules, data qubits per module) is compiled for that capacity,
all-to-all, with unlimited communication qubits, as the reference was. Without a reference each circuit is compiled for
2, 4 and 8 modules of ceil(n/k) data qubits. Ratios are (ours + 1) / (theirs + 1); means are geometric.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections import defaultdict
from pathlib import Path

import distq
from distq.circuit.read import read
from distq.partition.options import TECHNIQUES, switched_off

#: Tools that compile or at least pack; the others are listed in a second table.
STRONG = ("pytket-dqc", "disqco", "fgp-roee")


def instances(directory: Path, reference: Path | None) -> dict[tuple[str, int, int], dict[str, tuple[int, float]]]:
    """{(circuit, modules, data qubits): {tool: (ebits, cpu seconds)}}."""
    table: dict[tuple[str, int, int], dict[str, tuple[int, float]]] = defaultdict(dict)
    if reference is not None:
        with reference.open() as file:
            for row in csv.DictReader(file):
                key = (row["circuit"], int(row["modules"]), int(row["data_qubits_per_module"]))
                if (directory / f"{row['circuit']}.qasm").exists():
                    table[key][row["tool"]] = (int(row["ebits"]), float(row["cpu_s"] or "nan"))
        return table
    for path in sorted(directory.glob("*.qasm")):
        n = read(path).num_qubits
        for k in (2, 4, 8):
            if n >= 2 * k:
                table[path.stem, k, math.ceil(n / k)] = {}
    return table


def mean(ratios: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("circuits", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--effort", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verify", default="none", help="verification method of every program")
    parser.add_argument("--only", default="", help="circuits whose name contains one of these, by commas")
    parser.add_argument(
        "--without", default="", help=f"techniques to switch off, by commas, out of: {', '.join(TECHNIQUES)}"
    )
    parser.add_argument("--csv", type=Path, help="write our rows here")
    options = parser.parse_args()
    if not options.circuits.is_dir():
        parser.error(f"{options.circuits} is not a directory of .qasm files")
    every = instances(options.circuits, options.reference)
    table = {k: v for k, v in every.items() if any(part in k[0] for part in options.only.split(","))}
    with switched_off(filter(None, options.without.split(","))):
        return compare(table, options)


def compare(table: dict[tuple[str, int, int], dict[str, tuple[int, float]]], options: argparse.Namespace) -> int:
    """Compile every instance and print the table; returns the exit code."""
    per_tool: dict[str, list[float]] = defaultdict(list)
    strong, weak, worse, rows = [], [], [], []
    tools = sorted({tool for entry in table.values() for tool in entry})
    print(
        f"{'circuit':32} {'k':>2} {'data':>4} {'ours':>6} {'best':>6} {'ratio':>6} {'cpu s':>6}  "
        + " ".join(f"{t:>10}" for t in tools)
    )
    for (name, k, data), theirs in sorted(table.items()):
        network = distq.Network.all_to_all(k, data=data, comm=None)
        start = time.process_time()
        program = distq.compile(
            options.circuits / f"{name}.qasm",
            network,
            effort=options.effort,
            seed=options.seed,
            verify=options.verify,
        )
        seconds = program.stats["seconds"]
        search = seconds["normalise"] + seconds["partition"]
        rows.append((name, k, data, program.ebits, round(search, 3), round(time.process_time() - start, 3)))
        best_of = {t: v for t, v in theirs.items() if t in STRONG} or theirs
        ratio = best = float("nan")
        if best_of:
            best = min(e for e, _ in best_of.values())
            ratio = (program.ebits + 1) / (best + 1)
            (strong if any(t in STRONG for t in theirs) else weak).append(ratio)
            if program.ebits > best:
                worse.append(f"{name} {k}x{data}: {program.ebits} > {best:.0f}")
        for tool, (ebits, _) in theirs.items():
            per_tool[tool].append((program.ebits + 1) / (ebits + 1))
        others = " ".join(f"{theirs[t][0] if t in theirs else '':>10}" for t in tools)
        print(
            f"{name:32} {k:>2} {data:>4} {program.ebits:>6} {best:>6.0f} {ratio:>6.2f} {search:>6.2f}  {others}",
            flush=True,
        )
    print()
    for tool in tools:
        print(f"against {tool:12} {len(per_tool[tool]):4} instances, geometric mean {mean(per_tool[tool]):.3f}")
    print(f"against the best of {', '.join(STRONG)}: {len(strong)} instances, geometric mean {mean(strong):.3f}")
    print(
        f"against the best of the others, where only they have a row: {len(weak)} instances, "
        f"geometric mean {mean(weak):.3f}"
    )
    print(f"worse than the best reference on {len(worse)} instances" + "".join(f"\n  {x}" for x in worse))
    timed = [(row[4], table[row[:3]]["pytket-dqc"][1]) for row in rows if "pytket-dqc" in table[row[:3]]]
    timed = [(ours, theirs) for ours, theirs in timed if not math.isnan(theirs)]
    print(
        f"Seconds of normalising and partitioning (CPU time on a quiet machine) over the {len(timed)} instances where "
        "pytket-dqc has a time: "
        f"{sum(ours for ours, _ in timed):.1f}; pytket-dqc {sum(theirs for _, theirs in timed):.1f}"
    )
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["circuit", "modules", "data_qubits_per_module", "ebits", "search_s", "cpu_s"])
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
