"""Ebits of distq beside those of other compilers, instance by instance.

    python benchmarks/ebits.py CIRCUITS_DIR [--reference CSV] [--effort default] [--verify symbolic] [--csv OUT]
        [--only NAME[,NAME...]] [--without TECHNIQUE[,TECHNIQUE...]]

Every instance of the reference (circuit, number of modules, data qubits per module) is compiled for that capacity,
all-to-all, with unlimited communication qubits, as the reference was. Without a reference each circuit is compiled for
2, 4 and 8 modules of ceil(n/k) data qubits. Ratios are (ours + 1) / (theirs + 1); means are geometric.

Instances for which one of the compilers that search (`STRONG`) has a row are in the first table, the others in the
second. `bound` is the lower bound for every plan, `ends` that for plans with our homes at the start and at the end. CPU
seconds are those of this process; a small circuit is compiled first, so that neither imports nor the compilation of
kernels count.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import distq
from distq.circuit.read import read
from distq.partition.options import TECHNIQUES as SEARCH
from distq.partition.options import switched_off
from distq.rewrite.passes import TECHNIQUES as REWRITES

#: Tools that compile or at least pack; the others are listed in a second table.
STRONG = ("pytket-dqc", "disqco", "fgp-roee")
#: The tool whose CPU seconds ours are compared with.
TIMED = "pytket-dqc"

#: (circuit, modules, data qubits per module)
Instance = tuple[str, int, int]
#: {tool: (ebits, cpu seconds)}
Rows = dict[str, tuple[int, float]]


@dataclass(frozen=True)
class Ours:
    """What distq needs for one instance.

    Attributes:
        ebits: of the program.
        bound: lower bound for every plan.
        ends: lower bound for plans with the same homes at the start and at the end.
        search: CPU of normalising and partitioning [s].
        whole: CPU of the whole compilation, from reading the file to the verdict [s].
    """

    ebits: int
    bound: int
    ends: int
    search: float
    whole: float


def instances(directory: Path, reference: Path | None) -> dict[Instance, Rows]:
    """The instances and what others need for them."""
    table: dict[Instance, Rows] = defaultdict(dict)
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


class Stages:
    """CPU seconds of each stage of a compilation, as its `progress`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.stage, self.begin = "", time.process_time()

    def __call__(self, stage: str) -> None:
        now = time.process_time()
        self.seconds[self.stage] += now - self.begin
        self.stage, self.begin = stage, now


def run(path: Path, instance: Instance, options: argparse.Namespace) -> Ours:
    """Compile one instance."""
    _, k, data = instance
    stages = Stages()
    program = distq.compile(
        path,
        distq.Network.all_to_all(k, data=data, comm=None),
        effort=options.effort,
        seed=options.seed,
        verify=options.verify,
        without=[name for name in options.without if name in REWRITES],
        progress=stages,
    )
    stages("")
    stats, seconds = program.stats, stages.seconds
    search = seconds["normalise"] + seconds["partition"]
    return Ours(program.ebits, stats["lower_bound"], stats["lower_bound_homes"], search, sum(seconds.values()))


def warm_up(effort: str) -> float:
    """CPU of compiling a small circuit for 2 and 3 modules in a fresh process: imports and kernels [s]."""
    from qiskit import QuantumCircuit

    begin = time.process_time()
    circuit = QuantumCircuit(6)
    for i in range(24):
        circuit.ry(0.1 + i, i % 6)
        circuit.cx(i % 6, (i * 5 + 1 + i // 6) % 6 if (i * 5 + 1 + i // 6) % 6 != i % 6 else (i + 1) % 6)
    for k in (2, 3):
        distq.compile(circuit, distq.Network.all_to_all(k, data=6 // k, comm=None), effort=effort, verify="none")
    return time.process_time() - begin


def mean(ratios: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else float("nan")


def best(theirs: Rows, only: tuple[str, ...] | None = None) -> int:
    """The fewest ebits of these tools."""
    return min(e for t, (e, _) in theirs.items() if only is None or t in only)


def line(instance: Instance, ours: Ours, theirs: Rows, tools: list[str]) -> str:
    """A line of a table."""
    name, k, data = instance
    least = best(theirs, STRONG if any(t in STRONG for t in theirs) else None) if theirs else None
    ratio = "" if least is None else f"{(ours.ebits + 1) / (least + 1):.2f}"
    others = " ".join(f"{theirs[t][0] if t in theirs else '':>10}" for t in tools)
    figures = f"{ours.ebits:>6} {ours.bound:>6} {ours.ends:>6} {'' if least is None else least:>6}"
    return f"{name:32} {k:>2} {data:>4} {figures} {ratio:>6} {ours.search:>6.2f}  {others}"


def header(tools: list[str]) -> str:
    """The names of the columns."""
    figures = " ".join(f"{name:>6}" for name in ("ours", "bound", "ends", "best", "ratio", "cpu s"))
    return f"{'circuit':32} {'k':>2} {'data':>4} {figures}  " + " ".join(f"{t:>10}" for t in tools)


def report(table: dict[Instance, Rows], found: dict[Instance, Ours], tools: list[str]) -> list[str]:
    """The means and sums under the tables."""
    lines = []
    for tool in tools:
        ratios = [(found[i].ebits + 1) / (rows[tool][0] + 1) for i, rows in table.items() if tool in rows]
        lines.append(f"against {tool:12} {len(ratios):4} instances, geometric mean {mean(ratios):.3f}")
    strong = {i: best(rows, STRONG) for i, rows in table.items() if any(t in STRONG for t in rows)}
    weak = {i: best(rows) for i, rows in table.items() if rows and i not in strong}
    open_ = {i: e for i, e in strong.items() if not found[i].ebits == e == found[i].bound}
    for text, part in (
        (f"against the best of {', '.join(STRONG)}", strong),
        ("  without those where both are at the lower bound", open_),
        ("against the best of the others, where only they have a row", weak),
    ):
        ratios = [(found[i].ebits + 1) / (e + 1) for i, e in part.items()]
        lines.append(f"{text}: {len(part)} instances, geometric mean {mean(ratios):.3f}")
    worse = [(i, e) for i, e in {**strong, **weak}.items() if found[i].ebits > e]
    lines.append(f"worse than the best reference on {len(worse)} instances")
    lines += [f"  {name} {k}x{data}: {found[name, k, data].ebits} > {e}" for (name, k, data), e in worse]
    optimal = sum(ours.ebits == ours.bound for ours in found.values())
    ends = sum(ours.ebits == ours.ends for ours in found.values())
    lines.append(f"proved optimal: {optimal} of {len(found)} among all plans, {ends} among those with our end homes")
    timed = [i for i, rows in table.items() if not math.isnan(rows.get(TIMED, (0, math.nan))[1])]
    if timed:
        theirs = sum(table[i][TIMED][1] for i in timed)
        search, whole = sum(found[i].search for i in timed), sum(found[i].whole for i in timed)
        lines.append(
            f"CPU seconds over the {len(timed)} instances where {TIMED} has a time: {TIMED} {theirs:.1f}, "
            f"normalise and partition {search:.1f}, whole compilation {whole:.1f}"
        )
    return lines


def write_csv(path: Path, found: dict[Instance, Ours]) -> None:
    """Our rows."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        ours_ = ["ebits", "lower_bound", "lower_bound_homes", "search_s", "cpu_s"]
        writer.writerow(["circuit", "modules", "data_qubits_per_module", *ours_])
        for instance, ours in found.items():
            row = (ours.ebits, ours.bound, ours.ends, round(ours.search, 3), round(ours.whole, 3))
            writer.writerow([*instance, *row])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("circuits", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--effort", default="default", choices=("fast", "default", "best"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verify", default="none", help="verification method of every program")
    parser.add_argument("--only", default="", help="circuits whose name contains one of these, by commas")
    parser.add_argument("--circuit", action="append", metavar="NAME", help="a circuit by its name; may be repeated")
    parser.add_argument(
        "--without", default="", help=f"techniques to switch off, by commas, out of: {', '.join((*REWRITES, *SEARCH))}"
    )
    parser.add_argument("--csv", type=Path, help="write our rows here")
    options = parser.parse_args()
    if not options.circuits.is_dir():
        parser.error(f"{options.circuits} is not a directory of .qasm files")
    table = {
        i: rows
        for i, rows in instances(options.circuits, options.reference).items()
        if any(part in i[0] for part in options.only.split(","))
    }
    if options.circuit:
        unknown = set(options.circuit) - {i[0] for i in table}
        if unknown:
            parser.error(f"there is no instance of {', '.join(sorted(unknown))}")
        table = {i: rows for i, rows in table.items() if i[0] in options.circuit}
    # The second table is for instances where none of the strong tools has a row.
    table = dict(sorted(table.items(), key=lambda x: (bool(x[1]) and not any(t in STRONG for t in x[1]), x[0])))
    options.without = [name for name in options.without.split(",") if name]
    with switched_off(name for name in options.without if name not in REWRITES):
        return compare(table, options)


def compare(table: dict[Instance, Rows], options: argparse.Namespace) -> int:
    """Compile every instance and print the tables; returns the exit code."""
    tools = sorted({tool for rows in table.values() for tool in rows})
    first_call = warm_up(options.effort)
    found: dict[Instance, Ours] = {}
    second = False
    print(header(tools))
    for instance, rows in table.items():
        if not second and rows and not any(t in STRONG for t in rows):
            second = True
            print(f"\ninstances for which none of {', '.join(STRONG)} has a row\n{header(tools)}")
        found[instance] = run(options.circuits / f"{instance[0]}.qasm", instance, options)
        print(line(instance, found[instance], rows, tools), flush=True)
    print()
    print("\n".join(report(table, found, tools)))
    print(f"CPU seconds of the first call (imports, kernels that were not cached), not counted above: {first_call:.1f}")
    if options.csv:
        write_csv(options.csv, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
