"""Gates around one wire become the few that do the same: multi-controlled gates however they were written out.

A window is a sequence of items on one wire, the middle, all of them, while on every other wire that they touch they
share one run of commuting legs: these wires are controls. For each state of the controls, along the axes of their runs,
the window is then a turn of the middle and a phase, so that what it does is known from at most 32 quaternions. If the
turns are all about one letter, the window is diagonal along letters on all of its wires, and so is a product of
multi-controlled phases, or of parity rotations (its Moebius or Walsh transform). It becomes the one with the fewest
legs, if these are fewer than before.

Examples: C0 and C1 turn the middle about X by pi, if controls are set, and RZ of the middle stands between: C0 RZ C0 RZ
is a controlled RZ, whatever C0 is; C0 C1 C0 C1 with C1 about Z is a phase of the controls, and the middle has no part
in it.

References:
    A. Barenco et al., Elementary gates for quantum computation, PRA 52, 3457 (1995), arXiv:quant-ph/9503016 (ways in
    which such gates are written out).
    V. Shende, S. Bullock, I. Markov, Synthesis of quantum logic circuits, arXiv:quant-ph/0406176 (gates with a select
    register as turns that depend on its state).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distq.rewrite.items import Int64, Items

if TYPE_CHECKING:
    from distq.rewrite._windows_kernel import Lines

#: Windows have no more wires than this: 5 and the one in the middle.
MAX_WIRES = 6
#: New angles this close [rad] to simple fractions of those that were there are taken as such.
_CLOSE = 1e-11
#: Halvings of an angle that are looked for.
_HALVINGS = 6


def shorten_windows(items: Items, banned: NDArray[np.bool_], widest: int = MAX_WIRES) -> int:
    """Replace windows by fewer gates with fewer legs.

    Args:
        items: changed in place; members of new groups are noted in `items.dense`.
        banned: (items,) items that must stay.
        widest: gates on more wires than this are not made.

    Returns:
        How many windows were replaced.
    """
    return _Round(items, banned).run(widest)


def _lines(items: Items, banned: NDArray[np.bool_]) -> Lines:
    """The living legs."""
    from distq.rewrite._items_kernel import CZ, DEAD, PHASE, ROTATION
    from distq.rewrite._windows_kernel import CONTROLS, Lines

    n = items.count
    kind, key = items.kind[:n], items.key[:n]
    leg = items.first[:n][kind != DEAD]
    found = []
    while len(leg):
        leg = leg[leg >= 0]
        found.append(leg)
        leg = items.legs[4][leg]
    legs = np.concatenate(found) if found else np.zeros(0, np.int64)
    # By item, and by wire in the order of time.
    legs = legs[np.argsort(items.legs[0][legs], kind="stable")]
    item, wire, letter = (items.legs[k][legs] for k in range(3))
    order = np.lexsort((item, key[item], wire))
    w, size, time = wire[order], np.abs(letter[order]), key[item[order]]
    begins = np.append(True, (w[1:] != w[:-1]) | (size[1:] != size[:-1]) | (size[1:] == 0))[: len(w)]
    run = np.empty(len(w), np.int64)
    run[order] = np.cumsum(begins) - 1
    at = np.flatnonzero(begins)
    far = 1 << 62
    low, high = np.full(len(at), -far, np.int64), np.full(len(at), far, np.int64)
    joined = w[at[1:]] == w[at[1:] - 1]
    low[1:][joined] = time[at[1:] - 1][joined]
    high[:-1][joined] = time[at[1:]][joined]
    usable = (kind == ROTATION) | (kind == PHASE) | (kind == CZ)
    usable &= (items.base[:n] < 0) & (items.width[:n] <= CONTROLS + 1)
    usable[: len(banned)] &= ~banned
    return Lines(
        kind,
        items.angle[:n],
        key,
        usable,
        np.concatenate([[0], np.cumsum(np.bincount(item, minlength=n))]).astype(np.int64),
        wire,
        letter,
        run,
        low,
        high,
        np.concatenate([[0], np.cumsum(np.bincount(wire, minlength=items.circuit.num_qubits))]).astype(np.int64),
        item[order],
    )


@dataclass(frozen=True)
class _Beginnings:
    """Where groups begin on wires: the time of their first old gate on two and more wires."""

    spots: Int64
    times: Int64
    wires: int

    @staticmethod
    def of(items: Items) -> _Beginnings:
        """All of them."""
        item, wire = items.old_legs
        wide = items.old_width[item] > 1
        item, wire = item[wide], wire[wide]
        spot = items.roots()[item] * items.circuit.num_qubits + wire
        order = np.lexsort((item, spot))
        spots, first = np.unique(spot[order], return_index=True)
        return _Beginnings(spots, items.key[item[order][first]], items.circuit.num_qubits)

    def time(self, root: int, wire: int) -> int | None:
        """The beginning of a group on a wire, if it is there."""
        spot = root * self.wires + wire
        at = int(np.searchsorted(self.spots, spot))
        return int(self.times[at]) if at < len(self.spots) and self.spots[at] == spot else None


class _Round:
    """Windows that do not touch each other."""

    def __init__(self, items: Items, banned: NDArray[np.bool_]) -> None:
        self.items = items
        self.lines = _lines(items, banned)
        #: By wire the disjoint spans of time that were changed.
        self.spans: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def run(self, widest: int) -> int:
        """Replace; returns how many."""
        from distq.rewrite._windows_kernel import find

        found = np.empty((len(self.lines.order), 4), np.int64)
        count = find(self.lines, found, widest)
        if not count:
            return 0
        found = found[:count]
        # Most is saved first; of the same the shortest, the earliest.
        rank = np.lexsort((found[:, 2], found[:, 3] - found[:, 2], -found[:, 0]))
        self.beginnings = _Beginnings.of(self.items)
        return sum(self._replace(*found[k, 1:].tolist()) for k in rank)

    def _replace(self, middle: int, begin: int, last: int) -> bool:
        lines = self.lines
        members = lines.order[begin : last + 1].tolist()
        times = [int(lines.key[i]) for i in members]
        first_leg, end_leg = lines.first[members].tolist(), lines.first[np.array(members) + 1].tolist()
        legs = [leg for a, b in zip(first_leg, end_leg) for leg in range(a, b)]
        wires = {int(w) for w in lines.wire[legs]}
        span = times[0], times[-1]
        if any(self._is_taken(w, span) for w in wires):
            return False
        # At this time the runs of all other wires are there; the items can be brought to it.
        runs = lines.run[[leg for leg in legs if lines.wire[leg] != middle]]
        low, high = int(lines.low[runs].max()), int(lines.high[runs].min())
        time = next((t for t in times if low < t < high), None)
        if time is None or not self._may_go(members, middle):
            return False
        letters = {int(w): int(abs(x)) for w, x in zip(lines.wire[legs], lines.letter[legs])}
        self._write(members, middle, begin, last, time, letters)
        for w in wires:
            insort(self.spans[w], span)
        return True

    def _is_taken(self, wire: int, span: tuple[int, int]) -> bool:
        spans = self.spans[wire]
        at = bisect_left(spans, span)
        return (at < len(spans) and spans[at][0] <= span[1]) or (at > 0 and spans[at - 1][1] >= span[0])

    def _may_go(self, members: list[int], middle: int) -> bool:
        """Whether rotations of the middle stand behind the beginning of the block that is to be made.

        What is before its first gate on two or more wires there is no part of it.
        """
        items = self.items
        known = (self.beginnings.time(items.root(i), middle) for i in members if items.width[i] > 1)
        start = min((t for t in known if t is not None), default=None)
        alone = [i for i in members if items.width[i] == 1 and i < items.original]
        return not alone or (start is not None and all(items.key[i] > start for i in alone))

    def _write(
        self, members: list[int], middle: int, begin: int, last: int, time: int, letters: dict[int, int]
    ) -> None:
        """The items give way to the shortest form, at a time where all runs are there."""
        from distq.rewrite._items_kernel import DEAD, PHASE, ROTATION
        from distq.rewrite._windows_kernel import CONTROLS, short_form

        items = self.items
        others, angles = np.empty(CONTROLS, np.int64), np.empty(2 << CONTROLS)
        count, axis, form = short_form(self.lines, middle, begin, last, others, angles)
        names = [*others[:count].tolist(), middle]
        letters[middle] = axis
        owner = min(members)
        for i in members:
            items.unite(owner, i)
            items.kind[i] = DEAD
        given = np.unique(np.abs(items.angle[members]))
        for s in range(1, 2 << count):
            if angles[s] == 0.0:
                continue
            bits = [k for k in range(count + 1) if s >> k & 1]
            signed = [(names[k], letters[names[k]] * (-1 if form >= 0 and form >> k & 1 else 1)) for k in bits]
            kind = PHASE if form >= 0 and len(bits) > 1 else ROTATION
            self._add(owner, kind, _rounded(float(angles[s]), given), time, signed)
        items.dense.append(owner)

    def _add(self, owner: int, kind: int, angle: float, time: int, legs: list[tuple[int, int]]) -> None:
        """A new item; the letters of rotations have no signs."""
        from distq.rewrite._items_kernel import ROTATION

        items = self.items
        items.reserve(
            1024 if items.count == len(items.kind) else 0, 1024 if items.pins + 16 > len(items.legs[0]) else 0
        )
        i = items.count
        items.count += 1
        items.kind[i], items.row[i], items.base[i] = kind, items.row[owner], -1
        items.first[i], items.key[i], items.width[i] = items.pins, time, len(legs)
        items.parent[i] = items.root(owner)
        for k, (wire, letter) in enumerate(legs):
            if kind == ROTATION and letter < 0:
                letter, angle = -letter, -angle
            following = items.pins + 1 if k + 1 < len(legs) else -1
            for column, value in zip(items.legs, (i, wire, letter, 0, following, -1, -1)):
                column[items.pins] = value
            items.pins += 1
        items.angle[i] = angle


def _rounded(angle: float, given: NDArray[np.float64]) -> float:
    """An angle, or the simple fraction of one of those given, or of pi, that it is up to rounding."""
    for unit in (np.pi, *given.tolist()):
        part = angle / unit * 2**_HALVINGS if unit > 1e-6 else 0.0
        exact = round(part) / 2**_HALVINGS * unit
        if exact != 0.0 and abs(part) < 2 ** (_HALVINGS + 4) and abs(angle - exact) < _CLOSE:
            return float(exact)
    return angle
