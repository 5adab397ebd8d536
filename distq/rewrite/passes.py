"""The techniques that lower the cost of a circuit before it is partitioned, by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from distq.errors import UsageError

if TYPE_CHECKING:
    from distq.circuit.logical import LogicalCircuit

#: What each technique does; all are on unless they are switched off by name.
TECHNIQUES: dict[str, str] = {
    "gadgets": "pairs of CX around rotations become parity rotations",
    "combine": "two CX on the same qubits that differ in one axis become one rotation",
    "whole-gates": "parity rotations that make up a multi-controlled phase become that gate; what cancels vanishes",
    "measured": "what is measured along the axis of its last gates is measured first: they become conditions",
    "reset": "controls on a qubit that was reset vanish",
    "known-inputs": "controls on qubits that start in |0> vanish, if that is promised",
    "outcomes-only": "gates that no measured outcome can see vanish, if only outcomes matter",
    "reuse": "qubits that start in |0> take the place of others that were measured or reset, if that is promised",
}
NAMES = tuple(TECHNIQUES)


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


def rewrite(circuit: LogicalCircuit, techniques: Collection[str], error_budget: float = 0.0) -> LogicalCircuit:
    """A circuit with fewer diagonal gates, equal up to a global phase and what the error budget allows.

    Args:
        circuit: in normal form; one-qubit gates are not merged before.
        techniques: names of `TECHNIQUES`.
        error_budget: bound on the operator norm of the difference.
    """
    from distq.rewrite.budget import drop_rotations
    from distq.rewrite.normal import normalise

    return drop_rotations(normalise(circuit, techniques), error_budget)
