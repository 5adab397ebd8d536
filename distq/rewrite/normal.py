"""The normal form: fewer and wider diagonal gates for the same circuit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.rewrite.items import Items, read_items
from distq.rewrite.regroup import ImpossibleError, write_items
from distq.rewrite.turns import split_turns

#: By how many legs rotations may grow for a pair of CX if a gate with fewer legs in all comes of it.
DETOUR_LEGS = 24
#: How often windows are looked for in what others have become.
LEVELS = 16


def normalise(circuit: LogicalCircuit, techniques: Collection[str], widest: int | None = None) -> LogicalCircuit:
    """Lower the number of diagonal gates.

    Args:
        circuit: in normal form, one-qubit gates not merged.
        techniques: of "gadgets" (pairs of CX that enclose rotations become parity rotations) and "whole-gates" (parity
            rotations that make up a multi-controlled phase become that gate, rotations and phases that cancel vanish,
            and gates around one wire become fewer with the same effect).
        widest: gates around one wire become none on more wires than this (None: no limit).

    Returns:
        An equal circuit, up to a global phase, with a witness for each replacement if origins are tracked; the same
        object if there is nothing to replace.
    """
    if not _may_gain(circuit, techniques):
        return circuit
    # S between two CX is a turn of the axis of the second, or a rotation that both enclose: the better is taken.
    tries = [_try(circuit, techniques, keep_quarters) for keep_quarters in _ways(circuit, techniques)]
    if "whole-gates" in techniques:
        tries = [_shorten(new, widest) for new in tries]
    return min(tries, key=lambda new: int(new.arity[new.arity > 1].sum()))


def _shorten(circuit: LogicalCircuit, widest: int | None) -> LogicalCircuit:
    """Replace windows, level by level.

    Each level has witnesses of its own, because the gates that windows are made of are at one place in the circuit of
    the level, but the instructions that these came from need not be.
    """
    best, circuit = circuit, split_turns(circuit)
    for _ in range(LEVELS):
        shorter = _shorten_once(circuit, widest)
        if shorter is circuit:
            break
        best = circuit = shorter
    return best


def _shorten_once(circuit: LogicalCircuit, widest: int | None) -> LogicalCircuit:
    from distq.rewrite.whole import make_whole
    from distq.rewrite.windows import MAX_WIRES, shorten_windows

    if not _may_gain(circuit, ("whole-gates",)):
        return circuit
    old = read_items(circuit)
    banned = np.zeros(old.count, np.bool_)
    while True:
        items = old.copy()
        if not shorten_windows(items, banned, MAX_WIRES if widest is None else widest):
            return circuit
        make_whole(items, banned)
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            if banned[error.gates].all():
                return circuit
            banned[error.gates] = True


def _ways(circuit: LogicalCircuit, techniques: Collection[str]) -> tuple[bool, ...]:
    """Whether quarter turns about Z are to be taken as rotations: no, or no and yes if there are any."""
    from distq.circuit.rows import RZ, SDG, P, S

    if "gadgets" not in techniques:
        return (False,)
    named = (circuit.code == S) | (circuit.code == SDG)
    turns = np.flatnonzero(((circuit.code == RZ) | (circuit.code == P)) & (circuit.guard < 0))
    at = circuit.param_offsets[turns]
    quarters = circuit.params[at][circuit.param_expr[at] < 0] / (np.pi / 2)
    odd = (np.abs(quarters - np.round(quarters)) < 1e-12) & (np.round(quarters) % 2 == 1)
    return (False, True) if named.any() or odd.any() else (False,)


def _try(circuit: LogicalCircuit, techniques: Collection[str], keep_quarters: bool) -> LogicalCircuit:
    old = read_items(circuit, keep_quarters)
    banned = np.zeros(old.count, np.bool_)
    while True:
        items = _changed(old.copy(), banned, techniques)
        if items is None:
            return circuit
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            if banned[error.gates].all():
                return circuit
            banned[error.gates] = True


def _changed(items: Items, banned: NDArray[np.bool_], techniques: Collection[str]) -> Items | None:
    """The items after all stages, or None if nothing has changed."""
    from distq.rewrite.gadgets import fold_gadgets
    from distq.rewrite.whole import make_whole

    gadgets, whole = "gadgets" in techniques, "whole-gates" in techniques
    done = fold_gadgets(items, banned) if gadgets else 0
    done += make_whole(items, banned) if whole else 0
    if gadgets and whole:
        # Some gates show themselves only behind parities that cost more than the CX.
        items, gained = _detour(items, banned)
        done += gained
    return items if done else None


def _detour(start: Items, banned: NDArray[np.bool_]) -> tuple[Items, int]:
    """Take out pairs whose rotations grow by more, where what is replaced together has fewer legs in the end.

    Returns:
        The items, and how many gates of pairs were replaced.
    """
    from distq.rewrite._items_kernel import CZ
    from distq.rewrite.gadgets import fold_gadgets
    from distq.rewrite.whole import make_whole

    start.relink()
    banned = banned.copy()
    while True:
        items = start.copy()
        done = fold_gadgets(items, banned, limit=DETOUR_LEGS)
        if not done:
            return start, 0
        make_whole(items, banned)
        root = items.roots()
        gone = np.flatnonzero((start.kind[: start.original] == CZ) & (items.kind[: start.original] != CZ))
        no_gain = _legs(items, root) >= _legs(start, root[: start.count], len(root))
        useless = gone[no_gain[root[gone]]]
        if not len(useless):
            return items, done
        banned[useless] = True


def _legs(items: Items, root: NDArray[np.int64], count: int = 0) -> NDArray[Any]:
    """For each representative the legs of gates on two and more wires."""
    from distq.rewrite._items_kernel import DEAD, ROTATION

    kind, width = items.kind[: items.count], items.width[: items.count]
    pauli = (kind == ROTATION) & (items.base[: items.count] < 0) & (np.abs(items.angle[: items.count]) == np.pi)
    counts = (kind != DEAD) & (width > 1) & ~pauli
    return np.bincount(root, np.where(counts, width, 0), count or items.count)


def _may_gain(circuit: LogicalCircuit, techniques: Collection[str]) -> bool:
    """Whether two gates stand on the same wires, or one on three or more; without that nothing can be gained."""
    from distq.circuit.rows import MCP, PARITY

    if not techniques:
        return False
    wide = (circuit.arity >= 2) & (circuit.guard < 0) & ((circuit.code == MCP) | (circuit.code == PARITY))
    if (wide & (circuit.arity > 2)).any():
        return True
    two = np.flatnonzero(wide)
    a, b = (circuit.qubits[circuit.qubit_offsets[two] + k].astype(np.int64) for k in (0, 1))
    name = np.sort(np.minimum(a, b) * circuit.num_qubits + np.maximum(a, b))
    return bool((name[1:] == name[:-1]).any())
