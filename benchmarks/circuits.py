"""Every circuit of a directory on 2, 4 and 8 modules with 2 and 1 communication qubits, compiled and verified.

    python benchmarks/circuits.py CIRCUITS_DIR [--csv OUT] [--effort fast]

All-to-all networks of ceil(n/k) data qubits, and for k = 4 a 2x2 grid. Every program is saved and verified from its
files by the symbolic method, those small enough by the statevector method too. Exits with 1 if one fails.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import tempfile
import time
from pathlib import Path

import distq
from distq.circuit.read import read

COLUMNS = ["circuit", "qubits", "modules", "topology", "data", "comm", "ebits", "peak_comm", "teleports", "makespan",
           "compile_s", "symbolic", "symbolic_s", "statevector", "statevector_s"]  # fmt: skip


def cases(n: int) -> list[tuple[str, int, int]]:
    """(topology, modules, communication qubits)."""
    complete = [("all-to-all", k, comm) for k in (2, 4, 8) if k <= n for comm in (2, 1)]
    return complete + [("grid", 4, comm) for comm in (2, 1) if n >= 4]


def network_for(topology: str, k: int, data: int, comm: int) -> distq.Network:
    if topology == "grid":
        return distq.Network.grid(2, 2, data=data, comm=comm)
    return distq.Network.all_to_all(k, data=data, comm=comm)


def measure(path: Path, n: int, topology: str, k: int, comm: int, options: argparse.Namespace) -> dict[str, object]:
    data = math.ceil(n / k)
    start = time.perf_counter()
    program = distq.compile(path, network_for(topology, k, data, comm), effort=options.effort, verify="none")
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {"circuit": path.stem, "qubits": n, "modules": k, "topology": topology, "data": data, "comm": comm}
    row["compile_s"] = round(time.perf_counter() - start, 3)
    summary = program.to_dict()
    row |= {"ebits": program.ebits, "teleports": summary["teleports"], "makespan": program.schedule.makespan}
    peak = summary["peak_comm_qubits"]
    row["peak_comm"] = max(peak.values() if isinstance(peak, dict) else peak)
    if int(str(row["peak_comm"])) > comm:
        raise SystemExit(f"{path.stem}: {row['peak_comm']} communication qubits used where {comm} exist")
    with tempfile.TemporaryDirectory() as directory:
        program.save(Path(directory) / "program")
        methods = ["symbolic"] + (["statevector"] if n <= options.statevector else [])
        for method in methods:
            try:
                result = distq.verify(path, Path(directory) / "program", method=method)
            except distq.UsageError:
                row[method] = "too large"
                continue
            row[method] = "ok" if result.ok else result.message
            row[f"{method}_s"] = round(result.seconds, 3)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("circuits", type=Path)
    parser.add_argument("--csv", type=Path, default=Path("circuits.csv"))
    parser.add_argument("--effort", default="fast")
    parser.add_argument(
        "--statevector", type=int, default=9, help="largest number of qubits for the statevector method"
    )
    parser.add_argument("--only", default="", help="circuits whose name contains this")
    options = parser.parse_args()
    if not options.circuits.is_dir():
        parser.error(f"{options.circuits} is not a directory of .qasm files")
    failed = count = 0
    with options.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for path in sorted(options.circuits.glob("*.qasm")):
            if options.only not in path.stem:
                continue
            n = read(path).num_qubits
            for topology, k, comm in cases(n):
                row = measure(path, n, topology, k, comm, options)
                writer.writerow(row)
                file.flush()
                count += 1
                bad = row["symbolic"] != "ok" or row["statevector"] not in ("ok", "too large", "")
                failed += bad
                print(*row.values(), "FAILED" if bad else "", flush=True)
    print(f"{count} programs, {failed} failed; rows in {options.csv}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
