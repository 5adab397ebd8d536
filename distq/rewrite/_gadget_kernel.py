"""The compiled loop of `rewrite.gadgets`: pairs of equal CZ-like gates that enclose rotations. Imports Numba."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from distq.rewrite._items_kernel import CZ, DEAD, PHASE, ROTATION

_PI = math.pi
#: Items between two gates of a pair are looked at up to this many.
_LONGEST = 2000


@numba.njit(cache=True)
def _find(parent: Any, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(cache=True)
def _unite(parent: Any, i: int, j: int) -> None:
    """Join two groups; the lower number represents them."""
    i, j = _find(parent, i), _find(parent, j)
    if i < j:
        parent[j] = i
    else:
        parent[i] = j


@numba.njit(cache=True)
def _phase(a: int, b: int) -> int:
    """The e with a b = i^e c, for letters without signs, 0 for equal or no letters."""
    if a == 0 or b == 0 or a == b:
        return 0
    return 1 if (b - a) % 3 == 1 else -1


@numba.njit(cache=True)
def _times(a: int, b: int) -> int:
    """The letter of the product of two letters without signs."""
    if a == b:
        return 0
    if a == 0 or b == 0:
        return a + b
    return 6 - a - b


@numba.njit(cache=True)
def _leg_on(item: int, wire: int, items: Any, legs: Any) -> int:
    leg = items.first[item]
    while leg >= 0 and legs.wire[leg] != wire:
        leg = legs.next[leg]
    return leg


@numba.njit(cache=True)
def _unlink(leg: int, items: Any, legs: Any) -> None:
    """Take a leg off its wire and its item."""
    if legs.before[leg] >= 0:
        legs.after[legs.before[leg]] = legs.after[leg]
    if legs.after[leg] >= 0:
        legs.before[legs.after[leg]] = legs.before[leg]
    item = legs.item[leg]
    if items.first[item] == leg:
        items.first[item] = legs.next[leg]
    else:
        at = items.first[item]
        while legs.next[at] != leg:
            at = legs.next[at]
        legs.next[at] = legs.next[leg]


@numba.njit(cache=True)
def _link(item: int, letter: int, near: int, behind: bool, items: Any, legs: Any, ends: Any) -> int:
    """Give an item a leg on the wire of the leg `near`, before it or behind it."""
    leg = ends[1]
    ends[1] += 1
    legs.item[leg] = item
    legs.wire[leg] = legs.wire[near]
    legs.letter[leg] = letter
    legs.frame[leg] = -1
    legs.next[leg] = items.first[item]
    items.first[item] = leg
    first, last = (near, legs.after[near]) if behind else (legs.before[near], near)
    legs.before[leg] = first
    legs.after[leg] = last
    if first >= 0:
        legs.after[first] = leg
    if last >= 0:
        legs.before[last] = leg
    return leg


@numba.njit(cache=True)
def _rotation(like: int, angle: float, later: int, items: Any, ends: Any) -> int:
    """A new rotation without legs, of the group and the symbol of another item."""
    new = ends[0]
    ends[0] += 1
    items.kind[new] = ROTATION
    items.row[new] = items.row[like]
    items.base[new] = items.base[like]
    items.angle[new] = angle
    items.first[new] = -1
    items.key[new] = items.key[like] + later
    items.width[new] = 1
    items.parent[new] = _find(items.parent, like)
    return new


@numba.njit(cache=True)
def _positive(item: int, items: Any, legs: Any) -> None:
    """Put the signs of the letters of a rotation into its angle."""
    leg = items.first[item]
    while leg >= 0:
        if legs.letter[leg] < 0:
            legs.letter[leg] = -legs.letter[leg]
            items.angle[item] = -items.angle[item]
        leg = legs.next[leg]


@numba.njit(cache=True)
def _expand(item: int, items: Any, legs: Any, ends: Any) -> None:
    """A phase gate on two wires becomes a parity rotation behind two rotations of one wire each."""
    half = items.angle[item] / 2
    sub = 0
    leg = items.first[item]
    while leg >= 0:
        new = _rotation(item, half, sub, items, ends)
        _link(new, legs.letter[leg], leg, False, items, legs, ends)
        _positive(new, items, legs)
        sub += 1
        leg = legs.next[leg]
    items.key[item] += sub
    items.kind[item] = ROTATION
    items.angle[item] = -half
    _positive(item, items, legs)


@numba.njit(cache=True)
def _cost(width: int, local: bool) -> int:
    return 0 if width <= 1 or local else width


@numba.njit(cache=True)
def _scan(hc: int, ht: int, gc: int, gt: int, items: Any, legs: Any, found: Any, limit: int) -> int:
    """Look at the items between the legs hc, ht and gc, gt on the same wires.

    Returns:
        How many of them would change if the pair were taken out (listed in `found` with what follows on each
        wire), or -1 if it cannot be, or should not be, because legs in all would grow by more than `limit`.
    """
    p, q = abs(legs.letter[hc]), abs(legs.letter[ht])
    a, b = legs.after[hc], legs.after[ht]
    count, growth, seen = 0, 0, 0
    while a != gc or b != gt:
        seen += 1
        if seen > _LONGEST:
            return -1
        on_c = a != gc and (b == gt or items.key[legs.item[a]] <= items.key[legs.item[b]])
        i = legs.item[a] if on_c else legs.item[b]
        x, y = -1, -1
        if a != gc and legs.item[a] == i:
            x = abs(legs.letter[a])
            a = legs.after[a]
        if b != gt and legs.item[b] == i:
            y = abs(legs.letter[b])
            b = legs.after[b]
        if (x < 0 or x == p) and (y < 0 or y == q):
            continue
        expands = items.kind[i] == PHASE and items.width[i] == 2
        if items.kind[i] != ROTATION and not expands:
            return -1
        x, y = max(x, 0), max(y, 0)
        new_x = _times(x, p) if y != 0 and y != q else x
        new_y = _times(y, q) if x != 0 and x != p else y
        wider = (new_x != 0) - (x != 0) + (new_y != 0) - (y != 0)
        local = items.base[i] < 0 and abs(items.angle[i]) == _PI
        growth += _cost(items.width[i] + wider, local) - _cost(items.width[i], local)
        if expands:
            growth += 2 * (x != 0 and x != p) + 2 * (y != 0 and y != q)
        if growth > limit:
            return -1
        found[count, 0], found[count, 1], found[count, 2] = i, a, b
        count += 1
    return count


@numba.njit(cache=True)
def _conjugate(i: int, hc: int, ht: int, a: int, b: int, items: Any, legs: Any, ends: Any) -> None:
    """Conjugate a rotation by the CZ with the legs hc, ht; a, b: the legs that follow on the same wires."""
    _positive(i, items, legs)
    on_c, on_t = _leg_on(i, legs.wire[hc], items, legs), _leg_on(i, legs.wire[ht], items, legs)
    sp, sq = legs.letter[hc], legs.letter[ht]
    p, q = abs(sp), abs(sq)
    x = legs.letter[on_c] if on_c >= 0 else 0
    y = legs.letter[on_t] if on_t >= 0 else 0
    # (x y) -> (x Q)(P y): on c the product x P, on t the product Q y.
    power, sign = 0, 1
    new_x, new_y = x, y
    if y != 0 and y != q:
        power += _phase(x, p)
        new_x = _times(x, p)
        sign = sign if sp > 0 else -sign
    if x != 0 and x != p:
        power += _phase(q, y)
        new_y = _times(q, y)
        sign = sign if sq > 0 else -sign
    if power in (2, -2):
        sign = -sign
    items.angle[i] = sign * items.angle[i]
    _set(i, on_c, new_x, a, items, legs, ends)
    _set(i, on_t, new_y, b, items, legs, ends)


@numba.njit(cache=True)
def _set(i: int, leg: int, letter: int, following: int, items: Any, legs: Any, ends: Any) -> None:
    if leg < 0 and letter != 0:
        while legs.before[following] >= 0 and items.key[legs.item[legs.before[following]]] > items.key[i]:
            following = legs.before[following]
        _link(i, letter, following, False, items, legs, ends)
        items.width[i] += 1
    elif leg >= 0 and letter == 0:
        _unlink(leg, items, legs)
        items.width[i] -= 1
    elif leg >= 0:
        legs.letter[leg] = letter


@numba.njit(cache=True)
def _pull_through(h: int, hc: int, ht: int, found: Any, count: int, items: Any, legs: Any, ends: Any) -> None:
    """Take the gate h out and conjugate by it what `_scan` has found."""
    c, t = legs.wire[hc], legs.wire[ht]
    for k in range(count):
        i, a, b = found[k]
        if items.kind[i] == PHASE:
            # Its new rotations stand before it; those on these wires may change as well.
            start = ends[0]
            _expand(i, items, legs, ends)
            for new in range(start, ends[0]):
                if legs.wire[items.first[new]] in (c, t):
                    _conjugate(new, hc, ht, a, b, items, legs, ends)
        _conjugate(i, hc, ht, a, b, items, legs, ends)
        _unite(items.parent, h, i)
    _unlink(hc, items, legs)
    _unlink(ht, items, legs)
    items.kind[h] = DEAD


@numba.njit(cache=True)
def _annul(g: int, hc: int, ht: int, gc: int, gt: int, items: Any, legs: Any) -> None:
    """What is left of g after an equal gate h: the letter on t if the signs on c differ, and that on c likewise."""
    keep_t, keep_c = legs.letter[hc] != legs.letter[gc], legs.letter[ht] != legs.letter[gt]
    if not keep_c:
        _unlink(gc, items, legs)
    if not keep_t:
        _unlink(gt, items, legs)
    items.kind[g] = ROTATION if keep_c or keep_t else DEAD
    items.base[g] = -1
    items.angle[g] = _PI
    items.width[g] = keep_c + keep_t


@numba.njit(cache=True)
def take_pairs(items: Any, legs: Any, ends: Any, pair: Any, last: Any, banned: Any, limit: int) -> int:
    """Take out all pairs of equal CZ-like gates that enclose what lets them, inner pairs first.

    Args:
        items: columns of items.
        legs: columns of legs.
        ends: (2,) numbers of items and legs; grow.
        pair: (items,) number of the pair of wires of each CZ that has others on the same wires, else -1.
        last: (pairs,) scratch.
        banned: (items,) True for gates that must stay.
        limit: by how many legs the items between may grow.

    Returns:
        Number of pairs changed; -1: the columns are too short, call again with longer ones.
    """
    last[:] = -1
    previous = np.full(len(pair), -1, np.int64)
    found = np.empty((_LONGEST, 3), np.int64)
    taken = 0
    for g in range(len(pair)):
        if pair[g] < 0 or items.kind[g] != CZ or banned[g]:
            continue
        h = last[pair[g]]
        previous[g] = h
        last[pair[g]] = g
        if h < 0:
            continue
        gc = items.first[g]
        gt = legs.next[gc]
        hc, ht = _leg_on(h, legs.wire[gc], items, legs), _leg_on(h, legs.wire[gt], items, legs)
        if abs(legs.letter[hc]) != abs(legs.letter[gc]) or abs(legs.letter[ht]) != abs(legs.letter[gt]):
            continue
        count = _scan(hc, ht, gc, gt, items, legs, found, limit)
        if count < 0:
            continue
        if ends[0] + 2 * count + 2 > len(items.kind) or ends[1] + 6 * count + 2 > len(legs.item):
            return -1
        _unite(items.parent, h, g)
        _pull_through(h, hc, ht, found, count, items, legs, ends)
        _annul(g, hc, ht, gc, gt, items, legs)
        last[pair[g]] = previous[h]
        taken += 1
    return taken
