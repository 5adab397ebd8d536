"""Compiling with purification that is chosen, not stated: programs with and without room for it; the best is taken."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distq.errors import InfeasibleError, UsageError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.network.model import Network
    from distq.program.compiled import CompiledProgram
    from distq.schedule.purification import Choice

#: What may be asked for: as the network says, never, or as the compiler finds best.
PURIFY = ("stated", "none", "auto")


def compile_purified(
    circuit: str | Path | QuantumCircuit,
    network: Network | str | Path,
    purify: str,
    min_pair_fidelity: float | None,
    **options: Any,
) -> CompiledProgram:
    """Compile for a network whose purification is chosen.

    A program leaves communication qubits free for purification or it does not, so that both are compiled: one that uses
    all of them, one that leaves room for pumping, and one for the best nested rounds. Of each the links' rounds are
    chosen on its schedule, and the program with the best predicted fidelity is taken (where the objective is the
    makespan: the quickest of those that are good enough).

    Args:
        circuit: as for `distq.compile`.
        network: what it states about purification does not count.
        purify: "none" or "auto", or "stated" with a threshold, which means "auto".
        min_pair_fidelity: every pair that the program uses is at least so good.
        options: further arguments of `distq.compile`.

    Raises:
        UsageError: an option has a value that is not known.
        InfeasibleError: no program fits, or no pairs are good enough.
    """
    from distq.circuit.read import load_source
    from distq.network.presets import resolve
    from distq.pipeline import compile as compile_as_stated
    from distq.schedule.purification import choose_purification, with_purification, without_purification

    if purify not in PURIFY:
        raise UsageError(f"purify is {purify!r}; it must be one of {', '.join(PURIFY)}")
    if isinstance(network, (str, Path)):
        network = resolve(network=str(network))
    if purify == "none":
        if min_pair_fidelity is not None:
            raise UsageError("purify = none and min_pair_fidelity exclude each other: leave one of them out")
        return compile_as_stated(circuit, without_purification(network), **options)
    circuit = load_source(circuit)
    objective = _objective(options.get("objective", "fidelity"))
    found: list[tuple[CompiledProgram, Choice]] = []
    refused: InfeasibleError | None = None
    for wanted in _rooms(network, objective, min_pair_fidelity):
        try:
            program = compile_as_stated(circuit, with_purification(network, wanted), **options)
            choice = choose_purification(program.network, objective, program, min_pair_fidelity=min_pair_fidelity)
        except InfeasibleError as error:
            refused = refused or error
            continue
        found.append((program, choice))
    if not found and refused is not None:
        raise refused
    tried = [
        {"ebits": p.ebits, "predicted_fidelity": c.after, "makespan": c.makespan_after, "purified_links": sum(
            x.purify is not None for x in c.links)}
        for p, c in found
    ]  # fmt: skip
    program, choice = max(found, key=lambda item: _merit(item[0], item[1], objective))
    stats = {**program.stats, "purification": {**choice.to_dict(), "programs": tried}}
    return replace(program, program=replace(program.program, network=choice.network), stats=stats)


def _objective(wanted: Any) -> str:
    """Of an objective, or weights of several: the makespan where it counts and fidelity does not, else fidelity.

    Ebits count after purification and say nothing about it.
    """
    weights = getattr(wanted, "weights", wanted)
    if isinstance(weights, str):
        weights = dict.fromkeys((part.partition("=")[0].strip() for part in weights.split(",")), 1.0)
    return "makespan" if weights.get("makespan") and not weights.get("fidelity") else "fidelity"


def _rooms(network: Network, objective: str, threshold: float | None) -> list[dict[int, Any]]:
    """For which purification programs leave room: none, pumping, and what is best by a single pair."""
    from distq.network.pairs import PUMPING
    from distq.network.purify import Purify
    from distq.schedule.purification import choose_purification

    rooms: list[dict[int, Any]] = [{}]
    try:
        # For a program a link may be worth more, or less, than one pair says.
        ideal = choose_purification(network, objective, min_pair_fidelity=threshold)
    except InfeasibleError:
        ideal = choose_purification(network, objective)
    best = {i: x.purify for i, x in enumerate(ideal.links) if x.purify is not None}
    if best:
        rooms.append({i: Purify(1, x.protocol, PUMPING) for i, x in best.items()})
        if any(x.comm_qubits > 2 for x in best.values()):
            rooms.append(best)
    return rooms


def _merit(program: CompiledProgram, choice: Choice, objective: str) -> tuple[float, ...]:
    makespan = math.inf if choice.makespan_after is None else choice.makespan_after
    fidelity = choice.after or 0.0
    if objective == "makespan":
        return -makespan, fidelity, -program.ebits
    return fidelity, -program.ebits, -makespan


__all__ = ["PURIFY", "compile_purified"]
