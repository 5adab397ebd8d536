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
def find(parent: Any, i: int) -> int:
    """The representative of the group of item i."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(cache=True)
def unite(parent: Any, i: int, j: int) -> None:
    """Join two groups; the lower number represents them."""
    i, j = find(parent, i), find(parent, j)
    if i < j:
        parent[j] = i
    else:
        parent[i] = j


@numba.njit(cache=True)
def _phase(a: int, b: int) -> int:
    """e with a b = i^e c, for letters without signs, 0 for equal or no letters."""
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
def _leg_on(item: int, wire: int, first: Any, leg_wire: Any, leg_next: Any) -> int:
    leg = first[item]
    while leg >= 0 and leg_wire[leg] != wire:
        leg = leg_next[leg]
    return leg


@numba.njit(cache=True)
def _unlink(leg: int, legs: Any, first: Any) -> None:
    """Take a leg off its wire and its item."""
    leg_item, leg_wire, leg_letter, leg_frame, leg_next, before, after = legs
    if before[leg] >= 0:
        after[before[leg]] = after[leg]
    if after[leg] >= 0:
        before[after[leg]] = before[leg]
    item = leg_item[leg]
    if first[item] == leg:
        first[item] = leg_next[leg]
    else:
        at = first[item]
        while leg_next[at] != leg:
            at = leg_next[at]
        leg_next[at] = leg_next[leg]


@numba.njit(cache=True)
def _link(item: int, wire: int, letter: int, following: int, legs: Any, first: Any, ends: Any) -> int:
    """Give an item a leg on a wire, before the leg `following` of that wire."""
    leg_item, leg_wire, leg_letter, leg_frame, leg_next, before, after = legs
    leg = ends[1]
    ends[1] += 1
    leg_item[leg] = item
    leg_wire[leg] = wire
    leg_letter[leg] = letter
    leg_frame[leg] = -1
    leg_next[leg] = first[item]
    first[item] = leg
    before[leg] = before[following]
    after[leg] = following
    if before[following] >= 0:
        after[before[following]] = leg
    before[following] = leg
    return leg


@numba.njit(cache=True)
def _positive(item: int, items: Any, legs: Any) -> None:
    """Put the signs of the letters of a rotation into its angle."""
    kind, row, base, angle, first, key, width, parent = items
    leg_letter, leg_next = legs[2], legs[4]
    leg = first[item]
    while leg >= 0:
        if leg_letter[leg] < 0:
            leg_letter[leg] = -leg_letter[leg]
            angle[item] = -angle[item]
        leg = leg_next[leg]


@numba.njit(cache=True)
def _expand(item: int, items: Any, legs: Any, ends: Any) -> None:
    """A phase gate on two wires becomes a parity rotation behind two rotations of one wire each."""
    kind, row, base, angle, first, key, width, parent = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_next, before, after = legs
    half = angle[item] / 2
    sub = 0
    leg = first[item]
    while leg >= 0:
        new = ends[0]
        ends[0] += 1
        kind[new] = ROTATION
        row[new] = row[item]
        base[new] = base[item]
        angle[new] = half
        first[new] = -1
        key[new] = key[item] + sub
        width[new] = 1
        parent[new] = new
        unite(parent, item, new)
        _link(new, leg_wire[leg], leg_letter[leg], leg, legs, first, ends)
        _positive(new, items, legs)
        sub += 1
        leg = leg_next[leg]
    key[item] += sub
    kind[item] = ROTATION
    angle[item] = -half
    _positive(item, items, legs)


@numba.njit(cache=True)
def _cost(width: int, local: bool) -> int:
    return 0 if width <= 1 or local else width


@numba.njit(cache=True)
def _scan(c: int, t: int, hc: int, ht: int, gc: int, gt: int, items: Any, legs: Any, found: Any, limit: int) -> int:
    """Look at the items between the legs hc, ht and gc, gt on the wires c, t.

    Returns:
        How many of them would change if the pair were taken out (listed in `found` with what follows on each
        wire), or -1 if it cannot be, or should not be, because legs in all would grow by more than `limit`.
    """
    kind, row, base, angle, first, key, width, parent = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_next, before, after = legs
    p, q = abs(leg_letter[hc]), abs(leg_letter[ht])
    a, b = after[hc], after[ht]
    count, growth, seen = 0, 0, 0
    while a != gc or b != gt:
        seen += 1
        if seen > _LONGEST:
            return -1
        on_c = a != gc and (b == gt or key[leg_item[a]] <= key[leg_item[b]])
        i = leg_item[a] if on_c else leg_item[b]
        x, y = -1, -1
        if a != gc and leg_item[a] == i:
            x = abs(leg_letter[a])
            a = after[a]
        if b != gt and leg_item[b] == i:
            y = abs(leg_letter[b])
            b = after[b]
        if (x < 0 or x == p) and (y < 0 or y == q):
            continue
        expands = kind[i] == PHASE and width[i] == 2
        if kind[i] != ROTATION and not expands:
            return -1
        x, y = max(x, 0), max(y, 0)
        new_x = _times(x, p) if y != 0 and y != q else x
        new_y = _times(y, q) if x != 0 and x != p else y
        wider = (new_x != 0) - (x != 0) + (new_y != 0) - (y != 0)
        local = base[i] < 0 and abs(angle[i]) == _PI
        growth += _cost(width[i] + wider, local) - _cost(width[i], local)
        if expands:
            growth += 2 * (x != 0 and x != p) + 2 * (y != 0 and y != q)
        if growth > limit:
            return -1
        found[count, 0], found[count, 1], found[count, 2] = i, a, b
        count += 1
    return count


@numba.njit(cache=True)
def _conjugate(i: int, c: int, t: int, sp: int, sq: int, a: int, b: int, items: Any, legs: Any, ends: Any) -> None:
    """Conjugate a rotation by CZ(sp, sq), signed letters on c and t; a, b: the legs that follow there."""
    kind, row, base, angle, first, key, width, parent = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_next, before, after = legs
    _positive(i, items, legs)
    p, q = abs(sp), abs(sq)
    on_c, on_t = _leg_on(i, c, first, leg_wire, leg_next), _leg_on(i, t, first, leg_wire, leg_next)
    x = leg_letter[on_c] if on_c >= 0 else 0
    y = leg_letter[on_t] if on_t >= 0 else 0
    turn_t, turn_c = x != 0 and x != p, y != 0 and y != q
    # (x y) -> (x Q)(P y): on c the product x P, on t the product Q y.
    power, sign = 0, 1
    new_x, new_y = x, y
    if turn_c:
        power += _phase(x, p)
        new_x = _times(x, p)
        sign = sign if sp > 0 else -sign
    if turn_t:
        power += _phase(q, y)
        new_y = _times(q, y)
        sign = sign if sq > 0 else -sign
    if power == 2 or power == -2:
        sign = -sign
    angle[i] = sign * angle[i]
    _set(i, c, on_c, new_x, a, items, legs, ends)
    _set(i, t, on_t, new_y, b, items, legs, ends)


@numba.njit(cache=True)
def _set(i: int, wire: int, leg: int, letter: int, following: int, items: Any, legs: Any, ends: Any) -> None:
    first, key, width = items[4], items[5], items[6]
    if leg < 0 and letter != 0:
        while legs[5][following] >= 0 and key[legs[0][legs[5][following]]] > key[i]:
            following = legs[5][following]
        _link(i, wire, letter, following, legs, first, ends)
        width[i] += 1
    elif leg >= 0 and letter == 0:
        _unlink(leg, legs, first)
        width[i] -= 1
    elif leg >= 0:
        legs[2][leg] = letter


@numba.njit(cache=True)
def take_pairs(items: Any, legs: Any, ends: Any, pair: Any, last: Any, banned: Any, limit: int) -> int:
    """Take out all pairs of equal CZ-like gates that enclose what lets them, inner pairs first.

    Args:
        items: columns kind, row, base, angle, first leg, key (time), width, parent (groups).
        legs: columns item, wire, letter, frame, next of item, before and after on the wire.
        ends: (2,) numbers of items and legs; grow.
        pair: (items,) number of the pair of wires of each CZ that has others on the same wires, else -1.
        last: (pairs,) scratch.
        banned: (items,) True for gates that must stay.
        limit: by how many legs the items between may grow.

    Returns:
        Number of pairs taken out; -1: the columns are too short, call again with longer ones.
    """
    kind, row, base, angle, first, key, width, parent = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_next, before, after = legs
    last[:] = -1
    previous = np.full(len(pair), -1, np.int64)
    found = np.empty((_LONGEST, 3), np.int64)
    taken = 0
    for g in range(len(pair)):
        if pair[g] < 0 or kind[g] != CZ or banned[g]:
            continue
        h = last[pair[g]]
        previous[g] = h
        last[pair[g]] = g
        if h < 0:
            continue
        gc = first[g]
        gt = leg_next[gc]
        c, t = leg_wire[gc], leg_wire[gt]
        hc, ht = _leg_on(h, c, first, leg_wire, leg_next), _leg_on(h, t, first, leg_wire, leg_next)
        if abs(leg_letter[hc]) != abs(leg_letter[gc]) or abs(leg_letter[ht]) != abs(leg_letter[gt]):
            continue
        count = _scan(c, t, hc, ht, gc, gt, items, legs, found, limit)
        if count < 0:
            continue
        if ends[0] + 2 * count > len(kind) or ends[1] + 6 * count > len(leg_item):
            return -1
        sp, sq = leg_letter[hc], leg_letter[ht]
        for k in range(count):
            i, a, b = found[k]
            if kind[i] == PHASE:
                # Its new rotations stand before it; those that do not commute with the pair change as well.
                start = ends[0]
                _expand(i, items, legs, ends)
                for new in range(start, ends[0]):
                    wire = leg_wire[first[new]]
                    if wire == c or wire == t:
                        _conjugate(new, c, t, sp, sq, a, b, items, legs, ends)
            _conjugate(i, c, t, sp, sq, a, b, items, legs, ends)
            unite(parent, h, i)
        unite(parent, h, g)
        # g h = the letter on t where the signs on c differ, and that on c where those on t differ.
        keep_t, keep_c = sp != leg_letter[gc], sq != leg_letter[gt]
        _unlink(hc, legs, first)
        _unlink(ht, legs, first)
        kind[h] = DEAD
        if not keep_c:
            _unlink(gc, legs, first)
        if not keep_t:
            _unlink(gt, legs, first)
        kind[g] = ROTATION if keep_c or keep_t else DEAD
        base[g] = -1
        angle[g] = _PI
        width[g] = keep_c + keep_t
        last[pair[g]] = previous[h]
        taken += 1
    return taken
