"""Modules from Qiskit targets: any backend, fake or real, as one processor of a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from distq.errors import NetworkError
from distq.network.hardware import ModuleHardware

if TYPE_CHECKING:
    from qiskit.transpiler import Target


def target_hardware(target: Target, comm: Sequence[int]) -> tuple[ModuleHardware, int]:
    """Hardware of a processor with this target, and how many data qubits it has.

    Durations and errors are medians over the qubits or edges that state one; rotations about Z that take no time are
    left out of those of one-qubit gates. T1 and T2 are medians over data and over communication qubits; a T2 above
    2 T1, which medians may give, is lowered to that. What the target does not state stays unknown.

    Args:
        target: of a backend, with a number of qubits.
        comm: positions of the communication qubits; all others hold data.

    Raises:
        NetworkError: the target has no qubits, or a communication qubit is not one of them or is listed twice.
    """
    size = target.num_qubits
    if not size:
        raise NetworkError("the target states no number of qubits: give one of a backend")
    ports = [int(p) for p in comm]
    for p in ports:
        if not 0 <= p < size:
            raise NetworkError(f"comm names position {p}, but the target has the positions 0 to {size - 1}")
        if ports.count(p) > 1:
            raise NetworkError(f"comm names position {p} twice: give each communication qubit a position of its own")
    data = [p for p in range(size) if p not in ports]
    if not data:
        raise NetworkError(f"all {size} positions of the target are communication qubits: leave one for data")
    found: dict[str, Any] = {}
    for key, instructions in _instructions(target).items():
        times = [p.duration for p in instructions if p.duration is not None]
        if key == "one_qubit":  # virtual ones only if there are no others
            times = [t for t in times if t > 0] or times
        errors = [p.error for p in instructions if p.error is not None]
        found[f"{key}_time"] = median(times) if times else None
        found[f"{key}_error"] = min(1.0, median(errors)) if errors else None
    for kind, positions in (("data", data), ("comm", ports)):
        t1, t2 = (_lifetime(target, positions, key) for key in ("t1", "t2"))
        found[f"{kind}_t1"] = t1
        found[f"{kind}_t2"] = min(t2, 2 * t1) if t1 is not None and t2 is not None else t2
    places: dict[str, Any] = {}
    coupling = target.build_coupling_map()
    if coupling is not None and size > 1:
        edges = sorted({(min(a, b), max(a, b)) for a, b in coupling.get_edges() if a != b})
        if not edges:
            raise NetworkError(
                "the target joins no two qubits: give one with a coupling map, or without any restriction"
            )
        places = {"coupling": tuple(edges), "data_positions": tuple(data), "comm_positions": tuple(ports)}
    return ModuleHardware(**found, **places), len(data)


def _instructions(target: Target) -> dict[str, list[Any]]:
    """Properties of one- and two-qubit gates, measurements and resets, one for each place that states any."""
    from qiskit.circuit import Gate, Measure, Reset

    found: dict[str, list[Any]] = {"one_qubit": [], "two_qubit": [], "measure": [], "reset": []}
    for name in target.operation_names:
        operation = target.operation_from_name(name)
        if isinstance(operation, Measure):
            key = "measure"
        elif isinstance(operation, Reset):
            key = "reset"
        elif isinstance(operation, Gate) and operation.num_qubits in (1, 2):
            key = "one_qubit" if operation.num_qubits == 1 else "two_qubit"
        else:
            continue
        found[key] += [p for p in (target[name] or {}).values() if p is not None]
    return found


def _lifetime(target: Target, positions: Iterable[int], key: str) -> float | None:
    listed = target.qubit_properties
    values = [getattr(listed[p], key, None) for p in positions] if listed else []
    known = [float(v) for v in values if v is not None and math.isfinite(v) and v > 0]
    return median(known) if known else None


__all__ = ["target_hardware"]
