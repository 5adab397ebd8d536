"""Rotations that changed sides with gates along their axes.

The gates that take the place of instructions count axes in the coordinates that each wire has in the source before the
first of these. A one-qubit rotation commutes with gates along its axis, so that it may stand on the other side of
these when a pass has moved them: there the coordinates are others, and what is put there later has to be turned back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, WitnessRow
from distq.ops import Op
from distq.rewrite.items import Int64, Items

#: By origin: rotations on single wires (`LogicalCircuit.slipped`).
Slips = Mapping[int, tuple[WitnessRow, ...]]


def rotations(old: Items) -> Int64:
    """Legs of rotations on one wire."""
    from distq.rewrite._items_kernel import ROTATION

    item = old.legs[0][: old.pins]
    alone = (old.kind[: old.count] == ROTATION) & (old.width[: old.count] == 1)
    return np.flatnonzero(alone[item])


def beginnings(old: Items, group: Int64) -> Int64:
    """The first leg of each group on each wire, of instructions with gates on two or more qubits.

    Args:
        old: the items.
        group: (items,) the group of each, or -1: none.
    """
    n = old.count
    wide = (group >= 0) & (old.width[:n] > 1)
    if old.is_tracked:
        origin = old.circuit.origin[old.row[:n]]
        wide = (group >= 0) & np.isin(origin, np.unique(origin[wide]))
    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    legs = np.flatnonzero(wide[item])
    legs = legs[np.argsort(item[legs], kind="stable")]
    _, first = np.unique(group[item[legs]] * old.circuit.num_qubits + wire[legs], return_index=True)
    return legs[first]


def pairs_in_runs(run: Int64, left: Int64, right: Int64) -> tuple[Int64, Int64]:
    """All pairs of a leg of `left` and a leg of `right` in the same run."""
    right = right[np.argsort(run[right], kind="stable")]
    low, high = (np.searchsorted(run[right], run[left], side=side) for side in ("left", "right"))
    first = np.repeat(left, high - low)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    return first, right[np.repeat(low, high - low) + offset]


def find_slips(old: Items, run: Int64, label: Int64, place: Int64, block: Int64, first: Slips) -> Slips:
    """Which rotations stand on the other side of gates in a new order, by the origins that these have in it.

    Args:
        old: the items in their old order; origins are tracked.
        run: (legs,) as `runs_of_legs`.
        label: (items,) the class of each.
        place: (classes,) position in the new order.
        block: (items,) number of the new rewrite that takes the place of each, or -1.
        first: with which new rewrites begin, by their origins: the turns that brought older slips back.

    Returns:
        Rotations that lead from the coordinates in the source to those of the new order, older slips included.
    """
    item = old.legs[0]
    origin = old.circuit.origin[old.row[: old.count]].astype(np.int64)
    # Sources keep their origins, blocks have new ones.
    final = np.where(block >= 0, -1 - len(old.circuit.rewrites) - block, origin)
    names, group = np.unique(final, return_inverse=True)
    group[final == NO_ORIGIN] = -1
    begins = beginnings(old, group)
    single = rotations(old)
    moved = _moved_runs(run, item, place[label], np.concatenate([single, begins]))
    single, begin = pairs_in_runs(run, single[moved[run[single]]], begins[moved[run[begins]]])
    a, b = item[single], item[begin]
    other = (label[a] != label[b]) & (final[a] != final[b])
    single, begin, a, b = single[other], begin[other], a[other], b[other]
    wrong = (a < b) != (place[label[a]] < place[label[b]])
    left = set(names.tolist())
    found = {o: list(rows) for o, rows in {**old.circuit.slipped, **first}.items() if o in left}
    for s, leg in zip(single[wrong].tolist(), begin[wrong].tolist()):
        found.setdefault(int(final[item[leg]]), []).append(_passed(old, s, leg))
    return {o: tuple(rows) for o, rows in found.items()}


def _moved_runs(run: Int64, item: Int64, place: Int64, legs: Int64) -> NDArray[np.bool_]:
    """(runs,) whether the items of some of the legs have another order than before."""
    legs = legs[np.lexsort((item[legs], run[legs]))]
    at = place[item[legs]]
    moved = np.zeros(int(run.max(initial=-1)) + 1, np.bool_)
    moved[run[legs[1:]][(run[legs[1:]] == run[legs[:-1]]) & (at[1:] < at[:-1])]] = True
    return moved


def _passed(old: Items, single: int, begin: int) -> WitnessRow:
    """The rotation that leads from the coordinates of a gate in the source to those where it stands now.

    It is in the frame before the gate's instruction: the rotation itself if the gate comes first in the source, else
    its inverse.
    """
    from distq.rewrite.clifford import IMAGE

    item, wire, letter = (int(column[single]) for column in old.legs[:3])
    frame = int(old.legs[8][begin])
    axis = next(axis for axis in (1, 2, 3) if abs(int(IMAGE[frame, axis])) == abs(letter))
    sign = 1.0 if int(IMAGE[frame, axis]) == letter else -1.0
    if item < int(old.legs[0][begin]):
        sign = -sign
    angle, base = sign * float(old.angle[item]), int(old.base[item])
    value = angle if base < 0 else scaled(old.circuit.expressions[base], angle)
    return int((Op.RX, Op.RY, Op.RZ)[axis - 1]), (wire,), (value,)


def slips_of(begins: Iterable[tuple[int, int]], slips: Slips) -> tuple[WitnessRow, ...]:
    """What leads from the source to a block: from (wire, origin of the gates that are the first there)."""
    return tuple(row for wire, origin in begins for row in slips.get(origin, ()) if row[1] == (wire,))


def in_source_coordinates(rows: tuple[WitnessRow, ...], slipped: tuple[WitnessRow, ...]) -> tuple[WitnessRow, ...]:
    """The operation of rows, for which `slipped` leads from the coordinates of the source to theirs."""
    back = tuple((code, wires, (-params[0],)) for code, wires, params in reversed(slipped))
    return (*slipped, *rows, *back)


def scaled(expression: Any, factor: float) -> Any:
    """An expression times a number."""
    return expression if factor == 1.0 else expression * factor
