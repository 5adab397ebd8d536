"""Parity rotations that make up a multi-controlled phase become that gate; rotations that cancel vanish."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import combinations, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.rewrite.items import Int64, Items

#: Angles that differ by less than this part of them are equal.
_EQUAL = 1e-13
#: Angles are sorted into so many buckets a radian when equal ones are looked for.
_BUCKETS = 2.0**36
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


def make_whole(items: Items, banned: NDArray[np.bool_]) -> int:
    """Replace sets of rotations by the multi-controlled phases that they make up, and drop those that cancel.

    MCP(t) on k wires is the product of rotations by +-t/2^(k-1) about all products of their letters. It takes the
    place of those on two wires and more if most are there, in the same runs of commuting legs; the others, and those
    on one wire, are made up for.

    Args:
        items: changed in place.
        banned: (items,) old items that must stay as they are.

    Returns:
        How many sets were replaced.
    """
    from distq.rewrite._items_kernel import ROTATION

    if not ((items.kind[: items.count] == ROTATION) & (items.width[: items.count] > 1)).any():
        return 0
    index = _index(items, banned)
    finder = _Finder(items, index)
    finder.find_phases()
    finder.settle()
    finder.cancel()
    return finder.done


def _index(items: Items, banned: NDArray[np.bool_]) -> _Index:
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
    free = np.append(~banned, np.ones(items.count - len(banned), np.bool_))[item]
    usable = free & ((kind == ROTATION) | ((kind == PHASE) & (width <= MAX_LEGS)))
    wanted = np.flatnonzero(usable & _matters(items, item, run, usable, (kind == ROTATION) & (width > 2)))
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


def _matters(
    items: Items, item: Int64, run: Int64, usable: NDArray[np.bool_], wide: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(legs,) whether the item of a leg can be part of a phase, or cancel another."""
    below = np.zeros(int(run.max(initial=-1)) + 1, np.bool_)
    below[run[wide & usable]] = True
    outside = np.bincount(item, ~below[run], items.count) > 0
    # Equal sums: the same runs and the same angle.
    mixed = np.random.default_rng(0).integers(0, 2**62, len(below), dtype=np.uint64)
    name = np.zeros(items.count, np.uint64)
    np.add.at(name, item[usable], mixed[run[usable]])
    angle = np.abs(items.angle[: items.count])
    name += (np.where(np.isfinite(angle), angle, 0.0) * 2**30).round().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    several = np.unique(item[usable & (items.width[item] > 1)])
    _, inverse, count = np.unique(name[several], return_inverse=True, return_counts=True)
    again = np.zeros(items.count, np.bool_)
    again[several] = count[inverse] > 1
    return (~outside | again)[item]


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


def _spanning(lows: Int64, highs: Int64, key: int) -> int:
    """How many intervals hold a time."""
    return int(np.searchsorted(lows, key) - np.searchsorted(highs, key))


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
        queue = [
            (-len(runs), int(items.key[i]), i)
            for i, runs in self.index.runs.items()
            if 3 <= len(runs) <= MAX_LEGS and items.kind[i] == self.ROTATION
        ]
        heapify(queue)
        while queue:
            i = heappop(queue)[2]
            if items.kind[i] == self.ROTATION:
                count = items.count
                self._try(i)
                for new in range(count, items.count):
                    if len(self.index.runs[new]) > 2:
                        heappush(queue, (-len(self.index.runs[new]), int(items.key[new]), new))

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
        group = self.items.root(widest)
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
                        rank = (self.items.root(i) != group, abs(int(self.items.key[i] - self.items.key[widest])), i)
                        if best is None or rank < best[0]:
                            best = rank, (i, value, extra)
                if best is not None:
                    chosen[subset] = best[1]
        # Those that lack are made up for, too, if gates become fewer by it.
        if 2 * len(chosen) <= 2 ** len(runs) - len(runs):
            return
        signs = self._signs(runs, {s: v > 0 for s, (_, v, _) in chosen.items()})
        if signs is not None:
            self._replace(widest, base, abs(angle), signs, chosen)

    @staticmethod
    def _signs(runs: tuple[int, ...], positive: dict[tuple[int, ...], bool]) -> tuple[int, dict[int, int]] | None:
        """(sign of the phase, sign of each letter): subset S has the sign (-1)^(|S|+1) times all of these."""
        best = None
        for pattern in product((1, -1), repeat=len(runs)):
            sign = dict(zip(runs, pattern))
            # The widest is always there and gives the sign of the phase.
            total = (1 if positive[runs] else -1) * (1 if len(runs) % 2 else -1) * prod(pattern)
            fits = all(
                (total * (1 if len(subset) % 2 else -1) * prod(sign[r] for r in subset) > 0) == above
                for subset, above in positive.items()
            )
            if fits and (best is None or sum(pattern) > sum(best[1].values())):
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
            self.items.unite(widest, i)
            if i != widest:
                items.kind[i] = self.DEAD
        phase = total * angle * 2 ** (len(runs) - 1)
        if base < 0:
            phase = float(np.remainder(phase + np.pi, 2 * np.pi) - np.pi)
            if abs(abs(phase) - np.pi) < 1e-12:
                phase = np.pi
        # A phase by 2 pi is none.
        items.kind[widest] = self.PHASE if base >= 0 or abs(phase) > 1e-12 else self.DEAD
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
        for size in range(2, len(runs)):
            for subset in combinations(runs, size):
                if subset not in chosen:
                    value = -total * (1 if size % 2 else -1) * prod(sign[r] for r in subset) * angle
                    self._add(widest, subset, base, value)
        self.done += 1

    # -- rotations of one wire -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Add the rotations of one wire that phases lack, to some that stand in the same block if there are any."""
        if not self.owed:
            return
        low, high, cover = self._extents()
        items = self.items
        for r, owner, base, value in self.owed:
            wire = self.index.wire[r]
            spot = self.items.root(owner), wire
            for i in self.index.alone.get(r, ()):
                key = int(items.key[i])
                if items.kind[i] != self.ROTATION or items.base[i] != base or self.items.root(i) not in (spot[0], i):
                    continue
                # It belongs to this block, and to no other, if it stands between gates that this one replaces.
                if low.get(spot, key) < key < high.get(spot, key) and cover[wire](key) == 1:
                    value += self.index.sign[i, r] * float(items.angle[i])
                    items.kind[i] = self.DEAD
                    self.items.unite(owner, i)
                    spot = self.items.root(owner), wire
            if abs(value) > 1e-15:
                self._add(owner, (r,), base, value)

    def _extents(
        self,
    ) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int], dict[int, Callable[[int], int]]]:
        """For (group, wire) the first and the last time of a gate replaced; for a wire how many groups span a time."""
        items = self.items
        item, wire = items.old_legs
        root = items.roots()[item]
        size = np.bincount(items.roots(), minlength=items.count)
        wanted = (size[root] > 1) & (items.old_width[item] > 1)
        key, root, wire = items.key[item[wanted]], root[wanted], wire[wanted]
        spot = root * items.circuit.num_qubits + wire
        order = np.lexsort((key, spot))
        key, spot = key[order], spot[order]
        begins = np.append(True, spot[1:] != spot[:-1]) if len(spot) else np.zeros(0, np.bool_)
        lows, highs, spot = key[begins], key[np.append(begins[1:], True)] if len(key) else key, spot[begins]
        group, wire = np.divmod(spot, items.circuit.num_qubits)
        names = list(zip(group.tolist(), wire.tolist()))
        cover: dict[int, Callable[[int], int]] = {}
        for w in {self.index.wire[r] for r, _, _, _ in self.owed}:
            here = wire == w
            cover[w] = partial(_spanning, np.sort(lows[here]), np.sort(highs[here]))
        return dict(zip(names, lows.tolist())), dict(zip(names, highs.tolist())), cover

    def _add(self, owner: int, runs: tuple[int, ...], base: int, angle: float) -> None:
        """A new rotation about the plain letters of some runs of an item, where that item stands."""
        items, index = self.items, self.index
        items.reserve(
            1024 if items.count == len(items.kind) else 0, 1024 if items.pins + 16 > len(items.legs[0]) else 0
        )
        i = items.count
        items.count += 1
        items.kind[i] = self.ROTATION
        items.row[i] = items.row[owner]
        items.base[i] = base
        items.first[i] = items.pins
        items.key[i] = items.key[owner]
        items.width[i] = len(runs)
        items.parent[i] = self.items.root(owner)
        for k, r in enumerate(runs):
            leg = items.pins
            items.pins += 1
            flip = index.leg_sign[owner, r]
            angle *= flip
            following = leg + 1 if k + 1 < len(runs) else -1
            for column, value in zip(items.legs, (i, index.wire[r], index.letter[r], 0, following, -1, -1)):
                column[leg] = value
            index.sign[i, r] = index.leg_sign[i, r] = flip
        items.angle[i] = angle
        if len(runs) > 1:
            index.runs[i] = runs
            self.by_runs[runs].append(i)

    # -- what cancels ----------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Rotations, and phases, in the same runs whose angles add up to nothing."""
        items, sign = self.items, self.index.sign
        for runs, members in self.by_runs.items():
            if len(members) < 2:
                continue
            waiting: dict[tuple[Any, ...], list[tuple[int, float]]] = defaultdict(list)
            for i in sorted(members, key=lambda i: int(items.key[i])):
                kind = items.kind[i]
                if kind == self.DEAD:
                    continue
                value = float(items.angle[i])
                signs = tuple(sign[i, r] for r in runs)
                if kind == self.ROTATION:
                    value *= prod(signs)
                    signs = ()
                bucket = round(abs(value) * _BUCKETS)
                base = int(items.base[i])
                for k in (bucket, bucket - 1, bucket + 1):
                    found = waiting.get((base, signs, k), [])
                    match = next((m for m in found if self._is_nothing(value + m[1], value, kind, base)), None)
                    if match is not None:
                        found.remove(match)
                        items.kind[i] = items.kind[match[0]] = self.DEAD
                        self.items.unite(i, match[0])
                        self.done += 1
                        break
                else:
                    waiting[base, signs, bucket].append((i, value))

    def _is_nothing(self, total: float, value: float, kind: int, base: int) -> bool:
        if kind == self.PHASE and base < 0:
            total = float(np.remainder(total + np.pi, 2 * np.pi) - np.pi)
        return abs(total) <= _EQUAL * abs(value)
