"""The normal form: fewer and wider diagonal gates for the same circuit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.rewrite.gadgets import PAIR_LEGS
from distq.rewrite.items import Items, read_items
from distq.rewrite.regroup import ImpossibleError, write_items

#: By how many legs rotations may grow for a pair of CX if a gate with fewer legs in all comes of it.
DETOUR_LEGS = 24


def normalise(circuit: LogicalCircuit, techniques: Collection[str]) -> LogicalCircuit:
    """Lower the number of diagonal gates.

    Args:
        circuit: in normal form, one-qubit gates not merged.
        techniques: of "gadgets" (pairs of CX that enclose rotations become parity rotations), "combine" (two CX that
            differ in the axis on one wire become one rotation by pi/2) and "whole-gates" (parity rotations that
            make up a multi-controlled phase become that gate, and rotations and phases that cancel vanish).

    Returns:
        An equal circuit, up to a global phase, with a witness for each replacement if origins are tracked; the same
        object if there is nothing to replace.
    """
    for stage in stages(techniques):
        circuit = run_stage(circuit, stage)
    return circuit


@dataclass(frozen=True)
class Stage:
    """One pass from a circuit to items and back.

    Attributes:
        gadgets: whether pairs of CX are taken out.
        whole: whether phase gates are made.
        combine: whether two CX that differ in one axis become one rotation.
        limit: as for `fold_gadgets`.
        must_gain: whether what is replaced together must have fewer legs afterwards.
    """

    gadgets: bool
    whole: bool
    combine: bool = False
    limit: int = PAIR_LEGS
    must_gain: bool = False


def stages(techniques: Collection[str]) -> list[Stage]:
    """The passes that techniques stand for, in order."""
    gadgets, whole = "gadgets" in techniques, "whole-gates" in techniques
    found = []
    if gadgets or whole:
        found.append(Stage(gadgets, whole))
    if gadgets and whole:
        # Some gates show themselves only behind parities that cost more than the CX.
        found.append(Stage(gadgets, whole, limit=DETOUR_LEGS, must_gain=True))
    if "combine" in techniques:
        # Last, because what stands for two CX hides gates that are made of more.
        found.append(Stage(gadgets, whole, combine=True))
    return found


def run_stage(circuit: LogicalCircuit, stage: Stage) -> LogicalCircuit:
    """The circuit after one pass; the same object if there is nothing to replace."""
    if not _may_gain(circuit, stage):
        return circuit
    old = read_items(circuit)
    banned = np.zeros(old.count, np.bool_)
    while True:
        items = old.copy()
        if not _apply(items, banned, stage):
            return circuit
        if stage.must_gain:
            useless = _useless(items, old)
            if len(useless):
                banned[useless] = True
                continue
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            if banned[error.gates].all():
                return circuit
            banned[error.gates] = True


def _apply(items: Items, banned: NDArray[np.bool_], stage: Stage) -> int:
    from distq.rewrite.gadgets import fold_gadgets
    from distq.rewrite.whole import make_whole

    done = 0
    if stage.gadgets or stage.combine:
        done += fold_gadgets(items, banned, combine=stage.combine, limit=stage.limit)
        if not done and (stage.combine or stage.must_gain):
            return 0
    if stage.whole:
        done += make_whole(items, banned)
    return done


def _useless(items: Items, old: Items) -> NDArray[np.int64]:
    """Old items of groups that have no fewer legs on gates of two and more qubits than before."""
    from distq.rewrite._items_kernel import DEAD, ROTATION

    root = items.roots()
    pauli = (items.kind == ROTATION) & (items.base < 0) & (np.abs(items.angle) == np.pi)
    counts = (items.kind != DEAD) & (items.width > 1) & ~pauli
    after = np.bincount(root, np.where(counts, items.width, 0)[: items.count], items.count)
    width = old.width[: old.count]
    before = np.bincount(root[: old.count], np.where(width > 1, width, 0), items.count)
    size = np.bincount(root, minlength=items.count)
    return np.flatnonzero(((after >= before) & (size > 1))[root[: old.count]])


def _may_gain(circuit: LogicalCircuit, stage: Stage) -> bool:
    """Whether two gates stand on the same wires, or one on three or more; without that nothing can be gained."""
    from distq.circuit.rows import MCP, PARITY

    wide = (circuit.arity >= 2) & (circuit.guard < 0) & ((circuit.code == MCP) | (circuit.code == PARITY))
    if not stage.combine and not stage.must_gain and (wide & (circuit.arity > 2)).any():
        return True
    two = np.flatnonzero(wide & (circuit.arity == 2))
    if stage.combine or stage.must_gain:
        # These stages begin with pairs of CZ.
        two = two[(circuit.code[two] == MCP) & (circuit.params[circuit.param_offsets[two]] == np.pi)]
    a, b = (circuit.qubits[circuit.qubit_offsets[two] + k].astype(np.int64) for k in (0, 1))
    name = np.sort(np.minimum(a, b) * circuit.num_qubits + np.maximum(a, b))
    return bool((name[1:] == name[:-1]).any())
