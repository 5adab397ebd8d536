"""Ebits with few communication qubits, beside another compiler's count without any limit.

    python benchmarks/finite.py CIRCUITS_DIR [--reference CSV] [--comm 2,4] [--topology all-to-all,grid] [--modules 4]
        [--effort default] [--only NAME] [--circuit NAME] [--without TECHNIQUE[,...]] [--csv OUT]

Every circuit of the directory is compiled: for the capacity in the row of `--tool` of the reference for that number of
modules, if there is one, else for ceil(n/k) data qubits. `unlimited` is our own count on the
same network without a limit, `overhead` = (ours + 1) / (unlimited + 1), `ratio` = (ours + 1) / (theirs + 1); means are
geometric. Theirs is all-to-all without limits, so there is no ratio on a grid.

Every program is verified, and its peaks are counted twice: by the compiler, and here along its schedule. Either one
above the module's communication qubits ends the benchmark.
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
from distq.network.model import Network
from distq.ops import Op
from distq.partition.options import TECHNIQUES as SEARCH
from distq.partition.options import switched_off
from distq.program.compiled import CompiledProgram
from distq.program.types import COMM
from distq.rewrite.passes import TECHNIQUES as REWRITES

TOPOLOGIES = ("all-to-all", "grid")


@dataclass(frozen=True)
class Case:
    """A circuit, how it is cut up, and what the other tool needs without limits (-1: unknown)."""

    circuit: str
    modules: int
    data: int
    theirs: int


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        ebits: of the verified program.
        unlimited: of our program without limits.
        peak: most communication qubits of a module in use.
        seconds: CPU of the compilation with the limit [s].
    """

    case: Case
    topology: str
    comm: int
    ebits: int
    unlimited: int
    peak: int
    seconds: float

    @property
    def ratio(self) -> float:
        """Ours against theirs."""
        return (self.ebits + 1) / (self.case.theirs + 1)

    @property
    def overhead(self) -> float:
        """Ours against ours without limits."""
        return (self.ebits + 1) / (self.unlimited + 1)


def cases(directory: Path, reference: Path | None, tool: str, modules: int) -> list[Case]:
    """The circuits and their capacities."""
    rows = []
    if reference is not None:
        with reference.open() as file:
            rows = [r for r in csv.DictReader(file) if r["tool"] == tool and int(r["modules"]) == modules]
    known = {r["circuit"] for r in rows}
    found = [
        Case(r["circuit"], modules, int(r["data_qubits_per_module"]), int(r["ebits"]))
        for r in rows
        if (directory / f"{r['circuit']}.qasm").exists()
    ]
    for path in sorted(directory.glob("*.qasm")):
        if path.stem not in known and (n := read(path).num_qubits) >= 2 * modules:
            found.append(Case(path.stem, modules, math.ceil(n / modules), -1))
    return found


def network(topology: str, case: Case, comm: int | None) -> Network:
    """The network of a case."""
    if topology == "grid":
        rows = max(r for r in range(1, math.isqrt(case.modules) + 1) if case.modules % r == 0)
        return Network.grid(rows, case.modules // rows, data=case.data, comm=comm)
    return Network.all_to_all(case.modules, data=case.data, comm=comm)


def replayed_peaks(compiled: CompiledProgram) -> list[int]:
    """Most communication qubits in use at one time in each module, counted along the schedule.

    One is in use from the start of its Bell pair, or of its first statement, to the start of its measurement or reset,
    or of its last statement.
    """
    program, start = compiled.program, compiled.schedule.start.tolist()
    comm = (program.qubit_role == COMM).tolist()
    offsets, qubits = program.qubit_offsets.tolist(), program.qubits.tolist()
    since: dict[int, float] = {}
    until: dict[int, float] = {}
    # At one moment, what ends comes before what begins.
    events: dict[int, list[tuple[float, int]]] = defaultdict(list)

    def end(qubit: int) -> None:
        if qubit in since:
            module = int(program.qubit_module[qubit])
            events[module] += [(since.pop(qubit), 1), (until.pop(qubit), -1)]

    guarded = program.guard.tolist()
    for row, code in enumerate(program.code.tolist()):
        for qubit in qubits[offsets[row] : offsets[row + 1]]:
            if not comm[qubit] or (code == Op.RESET and qubit not in since):
                continue
            if code == Op.EPR:
                end(qubit)
            since.setdefault(qubit, start[row])
            until[qubit] = start[row]
            if code in (Op.MEASURE, Op.RESET) and guarded[row] < 0:
                end(qubit)
    for qubit in list(since):
        end(qubit)
    peaks = [0] * program.network.num_modules
    for module, changes in events.items():
        used = 0
        for _, change in sorted(changes):
            used += change
            peaks[module] = max(peaks[module], used)
    return peaks


def run(path: Path, case: Case, topology: str, comm: int | None, options: argparse.Namespace) -> tuple[int, int, float]:
    """Ebits, peak and CPU [s] of one compilation; raises SystemExit if the program is not what it should be."""
    begin = time.process_time()
    compiled = distq.compile(
        path,
        network(topology, case, comm),
        effort=options.effort,
        seed=options.seed,
        verify="none" if comm is None else "symbolic",
        without=[name for name in options.without if name in REWRITES],
    )
    seconds = time.process_time() - begin
    peaks = list(compiled.peak_comm_qubits.values())
    if comm is not None:
        where = f"{case.circuit} on {topology} with {comm} communication qubits"
        if not compiled.stats["verified"]["ok"]:
            raise SystemExit(f"{where}: the program was not verified")
        for what, found in (("the compiler", peaks), ("the replay", replayed_peaks(compiled))):
            if max(found) > comm:
                raise SystemExit(f"{where}: {what} counts a peak of {max(found)}")
    return compiled.ebits, max(peaks), seconds


def mean(values: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def header() -> str:
    """The names of the columns."""
    names = ("comm", "ours", "unlim", "theirs", "ratio", "over", "peak", "cpu s")
    return f"{'circuit':32} {'data':>4} " + " ".join(f"{name:>6}" for name in names)


def line(row: Row) -> str:
    """A line of a table."""
    beside = row.case.theirs >= 0 and row.topology == "all-to-all"
    theirs, ratio = (row.case.theirs, f"{row.ratio:.2f}") if beside else ("", "")
    return (
        f"{row.case.circuit:32} {row.case.data:>4} {row.comm:>6} {row.ebits:>6} {row.unlimited:>6} {theirs:>6} "
        f"{ratio:>6} {row.overhead:>6.2f} {row.peak:>6} {row.seconds:>6.1f}"
    )


def report(rows: list[Row], topology: str, comm: int) -> str:
    """The means of one table."""
    part = [row for row in rows if row.topology == topology and row.comm == comm]
    ratios = [row.ratio for row in part if row.case.theirs >= 0 and topology == "all-to-all"]
    against = f"against theirs without limits {mean(ratios):.3f}, " if ratios else ""
    return (
        f"{topology}, comm = {comm}: {len(part)} circuits, geometric means: {against}"
        f"against ours without limits {mean([row.overhead for row in part]):.3f}; "
        f"{sum(row.seconds for row in part):.0f} s CPU"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("circuits", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--tool", default="pytket-dqc", help="the tool of the reference to compare with")
    parser.add_argument("--modules", type=int, default=4)
    parser.add_argument("--comm", default="2,4", help="communication qubits of every module, by commas")
    parser.add_argument("--topology", default="all-to-all", help=f"by commas, out of: {', '.join(TOPOLOGIES)}")
    parser.add_argument("--effort", default="default", choices=("fast", "default", "best"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="circuits whose name contains one of these, by commas")
    parser.add_argument("--circuit", action="append", metavar="NAME", help="a circuit by its name; may be repeated")
    parser.add_argument(
        "--without", default="", help=f"techniques to switch off, by commas, out of: {', '.join((*REWRITES, *SEARCH))}"
    )
    parser.add_argument("--csv", type=Path, help="write the rows here")
    options = parser.parse_args()
    if not options.circuits.is_dir():
        parser.error(f"{options.circuits} is not a directory of .qasm files")
    options.without = [name for name in options.without.split(",") if name]
    topologies, comms = options.topology.split(","), [int(c) for c in options.comm.split(",")]
    unknown = [t for t in topologies if t not in TOPOLOGIES]
    if unknown:
        parser.error(f"no topology is called {unknown[0]!r}; choose out of {', '.join(TOPOLOGIES)}")
    chosen = [
        case
        for case in cases(options.circuits, options.reference, options.tool, options.modules)
        if any(part in case.circuit for part in options.only.split(","))
        and (not options.circuit or case.circuit in options.circuit)
    ]
    if not chosen:
        parser.error("no circuit is left")
    with switched_off(name for name in options.without if name not in REWRITES):
        rows = measure(chosen, topologies, comms, options)
    for topology in topologies:
        for comm in comms:
            print(report(rows, topology, comm))
    if options.csv:
        write_csv(options.csv, rows)
    return 0


def measure(chosen: list[Case], topologies: list[str], comms: list[int], options: argparse.Namespace) -> list[Row]:
    """Compile everything and print a line for each."""
    rows = []
    for topology in topologies:
        print(f"{topology}, {options.modules} modules, effort {options.effort}\n{header()}")
        for case in chosen:
            path = options.circuits / f"{case.circuit}.qasm"
            unlimited, _, _ = run(path, case, topology, None, options)
            for comm in comms:
                ebits, peak, seconds = run(path, case, topology, comm, options)
                rows.append(Row(case, topology, comm, ebits, unlimited, peak, seconds))
                print(line(rows[-1]), flush=True)
        print()
    return rows


def write_csv(path: Path, rows: list[Row]) -> None:
    """Our rows."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        columns = ["topology", "comm", "ebits", "unlimited", "theirs", "cpu_s"]
        writer.writerow(["circuit", "modules", "data_qubits_per_module", *columns])
        for row in rows:
            case = row.case
            figures = (row.ebits, row.unlimited, case.theirs, round(row.seconds, 2))
            writer.writerow([case.circuit, case.modules, case.data, row.topology, row.comm, *figures])


if __name__ == "__main__":
    sys.exit(main())
