"""The techniques that lower the cost of a circuit before it is partitioned, by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from distq.circuit.logical import LogicalCircuit
from distq.errors import UsageError

#: What each technique does; all are on unless they are switched off by name.
TECHNIQUES: dict[str, str] = {
    "gadgets": "pairs of CX around rotations become parity rotations",
    "combine": "two CX on the same qubits that differ in one axis become one rotation",
    "whole-gates": "parity rotations that make up a multi-controlled phase become that gate; what cancels vanishes",
}


def enabled(without: Iterable[str] = ()) -> tuple[str, ...]:
    """The techniques that are on.

    Args:
        without: names of those that are off.

    Raises:
        UsageError: there is no technique of that name.
    """
    off = set(without)
    for name in sorted(off):
        if name not in TECHNIQUES:
            raise UsageError(f"there is no technique {name!r} to leave out; choose from {', '.join(TECHNIQUES)}")
    return tuple(name for name in TECHNIQUES if name not in off)


def rewrite(circuit: LogicalCircuit, techniques: Collection[str]) -> LogicalCircuit:
    """An equal circuit, up to a global phase, with fewer diagonal gates; one-qubit gates are not merged before.

    Args:
        circuit: in normal form.
        techniques: names of `TECHNIQUES`.
    """
    from distq.rewrite.normal import normalise

    return normalise(circuit, techniques)
