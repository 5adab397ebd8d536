"""Does a program keep to the coupling maps of its modules? Read from its files alone; nothing is taken from the router.

In a module with a coupling map d[i] sits on the i-th data position and c[j] on the j-th communication position. Every
operation on two qubits must be on an edge of the map, and none may act on more. That Bell pairs arrive on declared
communication qubits is seen when the files are read and replayed; here each must have a position of its own, too.
"""

from __future__ import annotations

from typing import Any

from distq.verify.manifest import Manifest
from distq.verify.reader import ProgramFiles


def coupling_problem(files: ProgramFiles) -> str | None:
    """One sentence on the first operation that its processor cannot carry out; None if there is none."""
    maps: list[_Map | None] = []
    for number in range(len(files.manifest.modules)):
        try:
            maps.append(_read(files.manifest, number))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            name = files.manifest.modules[number].name
            return f"The coupling map of module {name!r} in the manifest cannot be read ({error})."
    if not any(maps):
        return None
    for row, qubits in enumerate(files.qubits):
        here = maps[files.module[row]]
        if files.kind[row] == "epr":
            for q in qubits:
                there = maps[files.qubit_module[q]]
                if there is not None and _position(files, there, q) not in there.ports:
                    return (
                        f"{files.place(row)}: Bell pair {files.pair[row]} arrives on {files.qubit_name(q)}, which is "
                        "not a communication position of the processor."
                    )
            continue
        if here is None or not qubits:
            continue
        positions = [_position(files, here, q) for q in qubits]
        for q, position in zip(qubits, positions):
            if position is None:
                return f"{files.place(row)}: {files.qubit_name(q)} has no position on the coupling map."
        if len(qubits) > 2:
            return f"{files.place(row)}: acts on {len(qubits)} qubits, but the coupling map joins two at a time."
        if len(qubits) == 2 and frozenset(positions) not in here.edges:
            names = " and ".join(f"{files.qubit_name(q)} (position {p})" for q, p in zip(qubits, positions))
            return f"{files.place(row)}: acts on {names}, which the coupling map does not join."
    return None


class _Map:
    """One processor: its edges, and where data and communication qubits sit."""

    def __init__(self, edges: set[frozenset[int]], places: list[int], ports: list[int]) -> None:
        self.edges, self.places, self.ports = edges, places, ports


def _read(manifest: Manifest, number: int) -> _Map | None:
    entry: dict[str, Any] = manifest.raw["network"]["modules"][number]
    hardware = entry.get("hardware") or {}
    listed = hardware.get("coupling")
    if listed is None:
        return None
    module = manifest.modules[number]
    edges = {frozenset((int(a), int(b))) for a, b in listed}
    places, ports = hardware.get("data_positions"), hardware.get("comm_positions")
    # What is not placed takes the lowest positions of the map that are left: data first.
    left = sorted({p for edge in edges for p in edge} - {*(places or ()), *(ports or ())})
    if places is None:
        places, left = left[: module.data_limit], left[module.data_limit :]
    if ports is None:
        ports = left[: module.comm_limit]
    if len({*places, *ports}) < len(places) + len(ports):
        raise ValueError("two qubits share a position")
    return _Map(edges, [int(p) for p in places], [int(p) for p in ports])


def _position(files: ProgramFiles, here: _Map, qubit: int) -> int | None:
    module = files.qubit_module[qubit]
    index = qubit - files.qubit_offsets[module]
    data = files.manifest.modules[module].data
    row, at = (here.ports, index - data) if files.qubit_comm[qubit] else (here.places, index)
    return row[at] if at < len(row) else None


__all__ = ["coupling_problem"]
