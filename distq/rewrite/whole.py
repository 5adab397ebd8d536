"""Parity rotations that make up a multi-controlled phase become that gate; rotations that cancel vanish."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from distq.rewrite.items import Int64, Items

#: Angles that differ by less than this part of them are equal.
_EQUAL = 1e-13
#: A phase gate on k wires is made of 2^k - 1 rotations; wider ones are not looked for.
MAX_LEGS = 8


@dataclass
class _Index:
    """Living legs by runs: maximal sequences of legs on one wire along one axis. Items that share all runs commute.

    Attributes:
        runs: (items,) sorted runs of each living item on two or more wires, or of one wire.
        sign: for (item, run) the sign of the letter, turned round by the Paulis that stand before it in the run.
        leg_sign: for (item, run) what those Paulis alone do.
        wire: of each run.
        letter: of each run.
        alone: for each run its rotations of one wire.
    """

    runs: dict[int, tuple[int, ...]]
    sign: dict[tuple[int, int], int]
    leg_sign: dict[tuple[int, int], int]
    wire: list[int]
    letter: list[int]
    alone: dict[int, list[int]]


def make_whole(items: Items) -> int:
    """Replace sets of rotations by the multi-controlled phases that they make up, and drop those that cancel.

    MCP(t) on k wires is the product of rotations by +-t/2^(k-1) about all products of their letters. It takes the
    place of those on two wires and more if all are there, in the same runs of commuting legs; those on one wire are made
    up for.

    Returns:
        How many sets were replaced.
    """
    from distq.rewrite._items_kernel import ROTATION

    if not ((items.kind[: items.count] == ROTATION) & (items.width[: items.count] > 1)).any():
        return 0
    index = _index(items)
    finder = _Finder(items, index)
    finder.find_phases()
    finder.settle()
    finder.cancel()
    return finder.done


def _index(items: Items) -> _Index:
    from distq.rewrite._items_kernel import DEAD, PHASE, ROTATION

    alive = np.flatnonzero(items.kind[: items.count] != DEAD)
    found = []
    leg = items.first[alive]
    while len(leg):
        leg = leg[leg >= 0]
        found.append(leg)
        leg = items.legs[4][leg]
    legs = np.concatenate(found) if found else np.zeros(0, np.int64)
    item, wire, signed = items.legs[0][legs], items.legs[1][legs], items.legs[2][legs].astype(np.int64)
    order = np.lexsort((items.key[item], wire))
    item, wire, signed = item[order], wire[order], signed[order]
    letter = np.abs(signed)
    pauli = (items.kind[item] == ROTATION) & (items.base[item] < 0) & (np.abs(items.angle[item]) == np.pi)
    # Paulis stand in no run; they turn the signs behind them.
    kept = ~pauli
    flips = _flips(wire, letter, pauli)
    item, wire, letter, signed, flip = (c[kept] for c in (item, wire, letter, signed, flips))
    begins = np.ones(len(item), np.bool_)
    begins[1:] = (wire[1:] != wire[:-1]) | (letter[1:] != letter[:-1]) | (letter[1:] == 0)
    run = np.cumsum(begins) - 1
    kind, width = items.kind[item], items.width[item]
    runs: dict[int, list[int]] = defaultdict(list)
    sign: dict[tuple[int, int], int] = {}
    leg_sign: dict[tuple[int, int], int] = {}
    alone: dict[int, list[int]] = defaultdict(list)
    wanted = ((kind == ROTATION) | ((kind == PHASE) & (width <= MAX_LEGS)) & (width > 0)).nonzero()[0]
    columns = (item, run, width, np.sign(signed), flip)
    for i, r, k, s, f in zip(*(c[wanted].tolist() for c in columns)):
        if k > 1:
            runs[i].append(r)
        else:
            alone[r].append(i)
        sign[i, r] = s * f
        leg_sign[i, r] = f
    return _Index(
        {i: tuple(sorted(r)) for i, r in runs.items()},
        sign,
        leg_sign,
        wire[begins].tolist(),
        letter[begins].tolist(),
        alone,
    )


def _flips(wire: Int64, letter: Int64, pauli: np.ndarray) -> Int64:
    """(legs,) -1 where the letter has been turned round by Paulis before it on its wire, an odd number of times."""
    result = np.ones(len(wire), np.int64)
    if not pauli.any():
        return result
    for axis in (1, 2, 3):
        turns = np.cumsum(pauli & (letter != axis))
        result[(letter == axis) & (turns % 2 == 1)] = -1
    # What Paulis on lower wires did is no matter.
    starts = np.flatnonzero(np.append(True, wire[1:] != wire[:-1]))
    for axis in (1, 2, 3):
        turns = np.cumsum(pauli & (letter != axis))
        before = np.where(starts > 0, turns[starts - 1], 0)
        odd = np.repeat(before % 2 == 1, np.diff(np.append(starts, len(wire))))
        result[odd & (letter == axis)] *= -1
    return result


class _Finder:
    """Looks for phase gates and carries them out."""

    def __init__(self, items: Items, index: _Index) -> None:
        from distq.rewrite._items_kernel import CZ, DEAD, PHASE, ROTATION

        self.items, self.index = items, index
        self.DEAD, self.PHASE, self.ROTATION, self.CZ = DEAD, PHASE, ROTATION, CZ
        self.by_runs: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, runs in index.runs.items():
            self.by_runs[runs].append(i)
        #: What rotations of one wire must make up for: (run, base) -> for each item that stands for it the angle.
        self.owed: list[tuple[int, int, int, float]] = []
        self.done = 0

    # -- phases ----------------------------------------------------------------------------------------------------

    def find_phases(self) -> None:
        """Widest first."""
        items = self.items
        wide = [
            i for i, runs in self.index.runs.items() if 3 <= len(runs) <= MAX_LEGS and items.kind[i] == self.ROTATION
        ]
        wide.sort(key=lambda i: (-len(self.index.runs[i]), items.key[i]))
        for i in wide:
            if items.kind[i] == self.ROTATION:
                self._try(i)

    def _angle(self, i: int) -> tuple[int, float, tuple[float, ...]]:
        """(base, angle of the rotation about the product of the plain letters, what a phase gate has besides)."""
        items, runs = self.items, self.index.runs[i]
        signs = [self.index.sign[i, r] for r in runs]
        angle = float(items.angle[i])
        product = 1
        for s in signs:
            product *= s
        if items.kind[i] == self.ROTATION:
            return int(items.base[i]), product * angle, ()
        return int(items.base[i]), -product * angle / 2, tuple(s * angle / 2 for s in signs)

    def _try(self, widest: int) -> None:
        runs = self.index.runs[widest]
        base, angle, _ = self._angle(widest)
        group = self._find(widest)
        chosen: dict[tuple[int, ...], tuple[int, float, tuple[float, ...]]] = {runs: (widest, angle, ())}
        for size in range(len(runs) - 1, 1, -1):
            for subset in combinations(runs, size):
                best = None
                for i in self.by_runs.get(subset, ()):
                    kind = self.items.kind[i]
                    if kind != self.ROTATION and (kind != self.PHASE or size > 2):
                        continue
                    other, value, extra = self._angle(i)
                    if other == base and abs(abs(value) - abs(angle)) <= _EQUAL * abs(angle):
                        rank = (self._find(i) != group, abs(int(self.items.key[i] - self.items.key[widest])), i)
                        if best is None or rank < best[0]:
                            best = rank, (i, value, extra)
                if best is None:
                    return
                chosen[subset] = best[1]
        signs = self._signs(runs, {s: v > 0 for s, (_, v, _) in chosen.items()})
        if signs is not None:
            self._replace(widest, base, abs(angle), signs, chosen)

    @staticmethod
    def _signs(runs: tuple[int, ...], positive: dict[tuple[int, ...], bool]) -> tuple[int, dict[int, int]] | None:
        """(sign of the phase, sign of each letter): subset S has the sign (-1)^(|S|+1) times all of these."""
        best = None
        for total in (1, -1):
            for lead in (1, -1):
                sign = {runs[0]: lead}
                for r in runs[1:]:
                    sign[r] = -total * lead * (1 if positive[runs[0], r] else -1)
                fits = True
                for subset, above in positive.items():
                    product = total if len(subset) % 2 else -total
                    for r in subset:
                        product *= sign[r]
                    fits &= (product > 0) == above
                if fits and (best is None or sum(sign.values()) > sum(best[1].values())):
                    best = total, sign
        return best

    def _replace(
        self,
        widest: int,
        base: int,
        angle: float,
        signs: tuple[int, dict[int, int]],
        chosen: dict[tuple[int, ...], tuple[int, float, tuple[float, ...]]],
    ) -> None:
        items = self.items
        runs = self.index.runs[widest]
        total, sign = signs
        owed = {r: -total * sign[r] * angle for r in runs}
        for subset, (i, _, extra) in chosen.items():
            for r, value in zip(subset, extra):
                owed[r] += value
            self._unite(widest, i)
            if i != widest:
                items.kind[i] = self.DEAD
        phase = total * angle * 2 ** (len(runs) - 1)
        if base < 0:
            phase = float(np.remainder(phase + np.pi, 2 * np.pi) - np.pi)
            if abs(abs(phase) - np.pi) < 1e-12:
                phase = np.pi
        items.kind[widest] = self.PHASE
        items.angle[widest] = phase
        leg = int(items.first[widest])
        wire_run = {self.index.wire[r]: r for r in runs}
        while leg >= 0:
            r = wire_run[int(items.legs[1][leg])]
            s = sign[r] * self.index.leg_sign[widest, r]
            items.legs[2][leg] = s * abs(items.legs[2][leg])
            self.index.sign[widest, r] = sign[r]
            leg = int(items.legs[4][leg])
        for r, value in owed.items():
            if value != 0.0:
                self.owed.append((r, widest, base, value))
        self.done += 1

    # -- rotations of one wire -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Add the rotations of one wire that phases lack, to some that stand in the same block if there are any."""
        if not self.owed:
            return
        first, last = self._extent()
        items = self.items
        for r, owner, base, value in self.owed:
            wire = self.index.wire[r]
            group = self._find(owner)
            low, high = first.get((group, wire), -1), last.get((group, wire), -1)
            for i in self.index.alone.get(r, ()):
                if items.kind[i] != self.ROTATION or items.base[i] != base or not low < items.key[i] < high:
                    continue
                if self._find(i) not in (group, i):
                    continue
                value += self.index.sign[i, r] * float(items.angle[i])
                items.kind[i] = self.DEAD
                self._unite(owner, i)
            if abs(value) > 1e-15:
                self._add_rotation(owner, wire, self.index.letter[r] * self.index.leg_sign[owner, r], base, value)

    def _extent(self) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
        """For (group, wire) the first and the last time of an old gate on two or more wires that is replaced."""
        items = self.items
        first: dict[tuple[int, int], int] = {}
        last: dict[tuple[int, int], int] = {}
        owners = {self._find(o) for _, o, _, _ in self.owed}
        root = items.parent[: items.original].copy()
        while True:
            above = items.parent[root]
            if (above == root).all():
                break
            root = above
        item, wire = items.old_legs
        wanted = np.isin(root[item], list(owners)) & (items.old_width[item] > 1)
        for i, g, w in zip(item[wanted].tolist(), root[item[wanted]].tolist(), wire[wanted].tolist()):
            key = int(items.key[i])
            first[g, w] = min(first.get((g, w), key), key)
            last[g, w] = max(last.get((g, w), key), key)
        return first, last

    def _add_rotation(self, owner: int, wire: int, letter: int, base: int, angle: float) -> None:
        items = self.items
        items.reserve(1, 1)
        i, leg = items.count, items.pins
        items.count += 1
        items.pins += 1
        items.kind[i] = self.ROTATION
        items.row[i] = items.row[owner]
        items.base[i] = base
        items.angle[i] = angle
        items.first[i] = leg
        items.key[i] = items.key[owner]
        items.width[i] = 1
        items.parent[i] = self._find(owner)
        for column, value in zip(items.legs, (i, wire, letter, 0, -1, -1, -1)):
            column[leg] = value

    # -- what cancels ----------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Rotations, and phases, in the same runs whose angles add up to nothing."""
        items = self.items
        for runs, members in self.by_runs.items():
            if len(members) < 2:
                continue
            waiting: dict[tuple[object, ...], list[int]] = defaultdict(list)
            for i in sorted(members, key=lambda i: int(items.key[i])):
                kind = items.kind[i]
                if kind == self.DEAD:
                    continue
                signs = tuple(self.index.sign[i, r] for r in runs)
                value = float(items.angle[i])
                name: tuple[object, ...] = (int(items.base[i]), signs)
                if kind == self.ROTATION:
                    value *= int(np.prod(signs))
                    name = (int(items.base[i]),)
                for j in waiting[name]:
                    other = float(items.angle[j])
                    if kind == self.ROTATION:
                        other *= int(np.prod([self.index.sign[j, r] for r in runs]))
                    total = value + other
                    if kind == self.PHASE and items.base[i] < 0:
                        total = float(np.remainder(total + np.pi, 2 * np.pi) - np.pi)
                    if abs(total) <= _EQUAL * abs(value):
                        items.kind[i] = items.kind[j] = self.DEAD
                        self._unite(i, j)
                        waiting[name].remove(j)
                        self.done += 1
                        break
                else:
                    waiting[name].append(i)

    # -- groups ----------------------------------------------------------------------------------------------------

    def _find(self, i: int) -> int:
        parent = self.items.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def _unite(self, i: int, j: int) -> None:
        a, b = sorted((self._find(i), self._find(j)))
        self.items.parent[b] = a
