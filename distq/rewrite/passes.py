"""The techniques that lower the cost of a circuit before it is partitioned, by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from distq.errors import UsageError

if TYPE_CHECKING:
    from distq.circuit.logical import LogicalCircuit

#: What each technique does; all are on unless they are switched off by name.
TECHNIQUES: dict[str, str] = {
    "gadgets": "pairs of CX around rotations become parity rotations",
    "whole-gates": "gates that make up a multi-controlled phase, or fewer of them, become these; what cancels vanishes",
    "resynthesis": "runs of gates on two qubits become their Weyl factors; three CX that are a SWAP, a relabelling",
    "mirrored": "runs on two qubits become a relabelling (SWAP) and fewer factors, if the search finds that cheaper",
    "embedding": "CX gates change places with neighbours, if the search finds that cheaper, as copies live longer then",
    "measured": "what is measured along the axis of its last gates is measured first: they become conditions",
    "reset": "controls on a qubit that was reset vanish",
    "known-inputs": "controls on qubits that start in |0> vanish, if that is promised",
    "outcomes-only": "gates that no measured outcome can see vanish, if only outcomes matter",
    "reuse": "qubits that start in |0> take the place of others that were measured or reset, if that is promised",
}
#: The same for techniques of the order of steps.
ORDERING: dict[str, str] = {
    "exchange": "two qubits change places by three copied CX where state teleportation lacks communication qubits",
}
NAMES = (*TECHNIQUES, *ORDERING)
#: Techniques with which a circuit is compiled and without, because only the search can tell which is cheaper.
COMPETING = ("embedding", "mirrored")
#: Circuits with more gates on two and more qubits have one form.
MOST_COMPETING = 20_000


def enabled(without: Iterable[str] = ()) -> tuple[str, ...]:
    """The techniques of `TECHNIQUES` that are on.

    Args:
        without: names of those that are off; those of `ORDERING` are valid too.

    Raises:
        UsageError: there is no technique of that name.
    """
    off = set(without)
    for name in sorted(off):
        if name not in NAMES:
            raise UsageError(f"there is no technique {name!r} to leave out; choose from {', '.join(NAMES)}")
    return tuple(name for name in TECHNIQUES if name not in off)


def rewrite(
    circuit: LogicalCircuit, techniques: Collection[str], error_budget: float = 0.0, widest: int | None = None
) -> LogicalCircuit:
    """A circuit with fewer diagonal gates, equal up to a global phase and what the error budget allows.

    Args:
        circuit: in normal form; one-qubit gates are not merged before.
        techniques: names of `TECHNIQUES`.
        error_budget: bound on the operator norm of the difference.
        widest: gates on more wires than this would be taken apart again (None: no limit).
    """
    from distq.rewrite.budget import drop_rotations
    from distq.rewrite.embedding import exchange_neighbours
    from distq.rewrite.normal import normalise
    from distq.rewrite.resynthesis import resynthesise

    if "resynthesis" in techniques:
        # SWAPs first, because other techniques would tear them apart; the rest last, because it hides exact angles.
        circuit = normalise(resynthesise(circuit, swaps=True), techniques, widest)
        circuit = resynthesise(circuit, mirror=False)
    else:
        circuit = normalise(circuit, techniques, widest)
    circuit = drop_rotations(circuit, error_budget)
    if {"resynthesis", "mirrored"} <= set(techniques):
        circuit = resynthesise(circuit)
    return exchange_neighbours(circuit) if "embedding" in techniques else circuit


def other_forms(form: LogicalCircuit, techniques: Collection[str]) -> Iterator[tuple[tuple[str, ...], LogicalCircuit]]:
    """Forms that compete with the one to which no technique of `COMPETING` was applied.

    Args:
        form: what `rewrite` makes of a circuit without these techniques.
        techniques: those that are on.

    Yields:
        The techniques by which `rewrite` makes the form, and the form, if it differs.
    """
    from distq.rewrite.embedding import exchange_neighbours
    from distq.rewrite.resynthesis import resynthesise

    if form.num_two_qubit_gates > MOST_COMPETING:
        return
    on = set(techniques) - (set() if "resynthesis" in techniques else {"mirrored"})
    for name, change in (("embedding", exchange_neighbours), ("mirrored", resynthesise)):
        found = change(form) if name in on else form
        if found is not form:
            yield tuple(t for t in techniques if t == name or t not in COMPETING), found
