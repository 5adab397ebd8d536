"""Makespans of every circuit of a directory on four modules, with bounds, baselines and the objectives.

    python benchmarks/makespan.py CIRCUITS_DIR [--effort fast] [--only NAME[,NAME...]] [--skip NAME[,NAME...]]
        [--modules 4] [--comm 2] [--pair 10] [--csv OUT]

All-to-all, ceil(n/k) data qubits a module, one generator a link. Times are in two-qubit gates: a pair takes `--pair`, a
measurement 1, one-qubit gates, resets and messages 0.1. Three plans of each circuit: that with the fewest ebits in the
usual order ("usual"), those of the objectives ebits and makespan ("m"). Columns: ebits, B1 (bound for this program),
makespans with one remote operation at a time ("one"), on demand, and ahead of need; B2 is the bound for every plan. At
the end geometric means of ratios, over circuits with ebits.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

import distq
from distq.choose import Chooser
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.read import load_source
from distq.objective import Objective
from distq.partition.cost import cost
from distq.partition.order import order
from distq.partition.plan import Plan
from distq.pipeline import make_plan, normalise
from distq.program.order import canonical
from distq.protocols.lower import lower
from distq.schedule.bounds import every_plan_bound
from distq.schedule.plan import schedule

#: Of a two-qubit gate [s].
GATE = 1e-5
COLUMNS = ["circuit", "qubits", "usual_ebits", "usual_on_demand", "usual_one", "usual_ahead",
           "ebits", "B1", "B2", "one", "on_demand", "ahead",
           "m_ebits", "m_B1", "m_one", "m_on_demand", "makespan", "seconds"]  # fmt: skip


def network_for(n: int, options: argparse.Namespace) -> distq.Network:
    gates = distq.ModuleHardware(one_qubit_time=GATE / 10, two_qubit_time=GATE, measure_time=GATE, reset_time=GATE / 10)
    links = distq.LinkHardware(pair_time=options.pair * GATE, latency=GATE / 10)
    k = options.modules
    return distq.Network.all_to_all(k, math.ceil(n / k), options.comm, hardware=gates, link_hardware=links)


def figures(plan: Plan) -> dict[str, float]:
    program = canonical(lower(plan))
    timeline = schedule(program)
    return {
        "ebits": cost(plan, plan.network),
        "B1": timeline.bounds.best / GATE,
        "ahead": timeline.makespan / GATE,
        "on_demand": schedule(program, policy="on-demand").makespan / GATE,
        "one": schedule(program, policy="one-at-a-time").makespan / GATE,
    }


def measure(path: Path, options: argparse.Namespace) -> dict[str, object]:
    """One row: both objectives choose from what one search found, as two runs of `distq.compile` would."""
    begin = time.perf_counter()
    source = load_source(path)
    network = network_for(source.num_qubits, options)
    raw, merged, last = normalise(from_qiskit(source), network)
    found: list[Plan] = []

    def take(chooser: Chooser) -> Plan:
        usual = []
        for candidate in chooser.candidates:
            with suppress(distq.InfeasibleError):
                usual.append(order(chooser.circuit, chooser.graph, network, candidate))
        found.append(min(usual, key=lambda plan: cost(plan, network)))
        found.extend(chooser.best(x).plan for x in (Objective(ebits=1), Objective(makespan=1)))
        return found[-1]

    plan = make_plan(merged, network, raw=raw, last=last, effort=options.effort, objective=take)
    usual, fewest, quickest = map(figures, found)
    row: dict[str, object] = {"circuit": path.stem, "qubits": source.num_qubits}
    row |= {"usual_" + key: usual[key] for key in ("ebits", "on_demand", "one", "ahead")}
    row |= {key: fewest[key] for key in ("ebits", "B1", "one", "on_demand", "ahead")}
    row |= {"m_" + key: quickest[key] for key in ("ebits", "B1", "one", "on_demand")}
    row |= {"makespan": quickest["ahead"], "B2": every_plan_bound(plan.circuit, network) / GATE}
    return row | {"seconds": time.perf_counter() - begin}


def summary(rows: list[dict[str, float]]) -> str:
    def mean(over: str, under: str) -> str:
        values = [row[over] / row[under] for row in rows if row[over] and row[under]]
        return f"{math.exp(np.mean(np.log(values))):.3f} ({len(values)})"

    lines = [
        ("makespan / B1, fewest ebits", mean("ahead", "B1")),
        ("makespan / B1, quickest", mean("makespan", "m_B1")),
        ("ahead / one at a time, usual order", mean("usual_ahead", "usual_one")),
        ("ahead / one at a time, fewest ebits", mean("ahead", "one")),
        ("ahead / one at a time, quickest", mean("makespan", "m_one")),
        ("ahead / on demand, usual order", mean("usual_ahead", "usual_on_demand")),
        ("ahead / on demand, fewest ebits", mean("ahead", "on_demand")),
        ("own plan / on demand of the fewest ebits", mean("makespan", "on_demand")),
        ("own plan / on demand of the usual order", mean("makespan", "usual_on_demand")),
        ("own plan / one at a time of the fewest ebits", mean("makespan", "one")),
        ("ebits, quickest / fewest", mean("m_ebits", "ebits")),
    ]
    return "\n".join(f"{name:45} {value}" for name, value in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("circuits", type=Path)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--skip", default="", help="names, separated by commas")
    parser.add_argument("--modules", type=int, default=4)
    parser.add_argument("--comm", type=int, default=2)
    parser.add_argument("--pair", type=float, default=10.0)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    only, skip = ({x for x in text.split(",") if x} for text in (options.only, options.skip))
    paths = [p for p in sorted(options.circuits.glob("*.qasm"), key=lambda p: (p.stat().st_size, p.stem))
             if (not only or p.stem in only) and p.stem not in skip]  # fmt: skip
    rows = []
    print(" ".join(COLUMNS))
    for path in paths:
        row = measure(path, options)
        rows.append(row)
        print(*(f"{row[c]:.1f}" if isinstance(row[c], float) else row[c] for c in COLUMNS), flush=True)
        if options.csv:
            with options.csv.open("w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
    numbers = [{key: float(str(value)) for key, value in row.items() if key != "circuit"} for row in rows]
    print(summary([row for row in numbers if row["ebits"]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
