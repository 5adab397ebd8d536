"""Numba kernel of the dynamic search: junctions have homes of their own, so that qubits move between packets.

Time is the order of rows in the circuit, in slots: one for the start, one for each packet's first node, one for the
end. A junction takes a data qubit of its home in its own slot; a packet whose two junctions have the same home takes
one there in all slots between; a packet in which the qubit moves takes none (the home is on communication qubits
then). Where a qubit holds nothing (`dead`), it takes no room, and need not be moved: the net before it ends at the home
of the junction before, the one after it begins at that of the junction after. Import this module late: it loads Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from distq.partition.kernels import (
    below,
    inner,
    lack,
    open_or_close,
    relocate,
    settle_net,
    shift,
    somewhere,
    undo,
    uniform,
)

#: Work on homes for each unit of work on sites.
HOMES_SHARE = 4


@inner
def bump(s: Any, v: Any, at: Any, m: Any, begin: Any, end: Any, sign: Any) -> None:
    """One qubit more (sign 1) or less (-1) in module m from slot `begin` to the one before `end`."""
    room = s[at.capacity + m]
    base = at.load + m * at.num_slots
    over = 0
    if sign > 0:
        for t in range(base + begin, base + end):
            if v[t] >= room:
                over += 1
            v[t] += 1
    else:
        for t in range(base + begin, base + end):
            if v[t] > room:
                over -= 1
            v[t] -= 1
    v[at.over] += over


@inner
def lack_in(s: Any, v: Any, at: Any, e: Any) -> Any:
    """Energy of missing communication qubits at the nodes of net e."""
    total = 0
    for j in range(s[at.net_offsets + e], s[at.net_offsets + e + 1]):
        g = s[at.net_nodes + j]
        total += lack(s, v, at, g, v[at.site + g])
    return total


@inner
def set_junction(s: Any, v: Any, at: Any, j: Any, m: Any) -> Any:
    """Give junction j the home m, sites unchanged; returns the change of energy."""
    a = v[at.home + j]
    if a == m:
        return 0
    q = s[at.line + j]
    t = s[at.slot + j]
    delta = 0
    stays = at.num_slots if j + 1 == s[at.line_first + q + 1] else t + 1
    bump(s, v, at, a, t, stays, -1)
    bump(s, v, at, m, t, stays, 1)
    for side in range(2):
        if side == 0:
            if j == s[at.line_first + q]:
                continue
            e, other = j - q - 1, j - 1
            begin, end = s[at.slot + other] + 1, t
        else:
            if j + 1 == s[at.line_first + q + 1]:
                continue
            e, other = j - q, j + 1
            begin, end = t + 1, s[at.slot + other]
        if at.tight:
            delta -= lack_in(s, v, at, e)
        gone = s[at.dead + other]
        delta += shift(s, v, at, e, a, m, 1 + gone)
        v[at.net_home + 2 * e + 1 - side] = m
        if gone:  # the home at the other end follows
            v[at.net_home + 2 * e + side] = m
        if at.tight:
            delta += lack_in(s, v, at, e)
        if gone:
            if side == 1:
                bump(s, v, at, a, begin, end, -1)
                bump(s, v, at, m, begin, end, 1)
                v[at.home + other] = m
            continue
        h = v[at.home + other]
        if h == a:
            bump(s, v, at, a, begin, end, -1)
        elif h == m:
            bump(s, v, at, m, begin, end, 1)
    v[at.home + j] = m
    return delta


@inner
def junction_at(s: Any, at: Any, q: Any, t: Any) -> Any:
    """The last junction of qubit q in slot t or before."""
    low = s[at.line_first + q]
    high = s[at.line_first + q + 1] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if s[at.slot + middle] <= t:
            low = middle
        else:
            high = middle - 1
    return low


@inner
def set_window(s: Any, v: Any, at: Any, i: Any, j: Any, a: Any, b: Any, log: Any, used: Any) -> Any:
    """Junctions i..j of one qubit that are at home in a (any home: -1) go to b; (change of energy, log rows)."""
    delta = 0
    for x in range(i, j + 1):
        h = v[at.home + x]
        if h == b or (a >= 0 and h != a) or s[at.loose + x] == 0 or used >= len(log):
            continue
        log[used, 0] = x
        log[used, 1] = h
        used += 1
        delta += set_junction(s, v, at, x, b)
    return delta, used


@inner
def drag_window(s: Any, v: Any, at: Any, i: Any, j: Any, rng: Any, journal: Any, used: Any) -> Any:
    """Best sites for the nodes of the packets around junctions i..j; (change of energy, journal rows, work)."""
    q = s[at.line + i]
    total = 0
    work = 0
    first = max(i - q - 1, s[at.line_first + q] - q)
    last = min(j - q, s[at.line_first + q + 1] - 2 - q)
    for e in range(first, last + 1):
        delta, used = settle_net(s, v, at, e, -1, -1, rng, journal, used)
        total += delta
        work += s[at.net_offsets + e + 1] - s[at.net_offsets + e]
    return total, used, work


@inner
def partner_window(s: Any, v: Any, at: Any, r: Any, i: Any, j: Any, wide: Any) -> Any:
    """Junctions of r that make room while junctions i..j of another qubit take its place; empty if first > last.

    The widest choice fits between the neighbours of i and j, the narrowest just covers their slots.
    """
    q = s[at.line + i]
    begin = s[at.slot + i] - 1
    if wide:
        begin = s[at.slot + i - 1] if i > s[at.line_first + q] else -1
    if begin < 0:
        first = s[at.line_first + r]
    else:
        first = junction_at(s, at, r, begin) + 1
    end = s[at.slot + j]
    if wide:
        end = s[at.slot + j + 1] - 1 if j + 1 < s[at.line_first + q + 1] else at.num_slots
    return first, junction_at(s, at, r, end)


@inner
def try_window(s: Any, v: Any, at: Any, rng: Any, heat: Any, journal: Any, log: Any) -> Any:
    """Move a window of junctions of a qubit, with a partner if there is no room; (accepted change, work)."""
    j = s[at.movable + below(rng, at.num_loose)]
    q = s[at.line + j]
    a = v[at.home + j]
    first, last = s[at.line_first + q], s[at.line_first + q + 1] - 1
    length = 1 << below(rng, 6)
    end = min(j + length - 1, last)
    kind = below(rng, 5)
    if kind == 0:
        # The whole stay in this module.
        while j > first and v[at.home + j - 1] == a:
            j -= 1
        while end < last and v[at.home + end + 1] == a:
            end += 1
    elif kind <= 2:
        end = j
        while j > first and end - j + 1 < length and v[at.home + j - 1] == a:
            j -= 1
    else:
        end = j
        while end < last and end - j + 1 < length and v[at.home + end + 1] == a:
            end += 1
    b = target(s, v, at, rng, q, j, end, a)
    if b == a:
        return 0, 1
    delta, moved = set_window(s, v, at, j, end, a, b, log, 0)
    r = -1
    low, high = 0, -1
    if v[at.over] > 0:
        for _ in range(8):
            x = below(rng, at.num_qubits)
            if x == q or v[at.home + junction_at(s, at, x, s[at.slot + j])] != b:
                continue
            low, high = partner_window(s, v, at, x, j, end, below(rng, 4) > 0)
            if low <= high:
                r = x
                break
        if r >= 0:
            more, moved = set_window(s, v, at, low, high, b, a, log, moved)
            delta += more
    used = 0
    work = 2 + (end - j)
    accepted = v[at.over] == 0
    if accepted:
        gain, used, effort = drag_window(s, v, at, j, end, rng, journal, 0)
        delta += gain
        work += effort
        if r >= 0:
            gain, used, effort = drag_window(s, v, at, low, high, rng, journal, used)
            delta += gain
            work += effort
        accepted = delta <= 0 or uniform(rng) < np.exp(-delta * heat)
    if not accepted:
        undo(s, v, at, journal, used)
        for x in range(moved - 1, -1, -1):
            set_junction(s, v, at, log[x, 0], log[x, 1])
        return 0, work
    return delta, work


@inner
def target(s: Any, v: Any, at: Any, rng: Any, q: Any, i: Any, j: Any, a: Any) -> Any:
    """A module for junctions i..j: the home before or after, where a gate of a packet around is, or any."""
    pick = below(rng, 8)
    if pick < 1 and i > s[at.line_first + q]:
        return v[at.home + i - 1]
    if pick < 2 and j + 1 < s[at.line_first + q + 1]:
        return v[at.home + j + 1]
    if pick < 7:
        first = max(i - q - 1, s[at.line_first + q] - q)
        last = min(j - q, s[at.line_first + q + 1] - 2 - q)
        if last >= first:
            e = first + below(rng, last - first + 1)
            width = s[at.net_offsets + e + 1] - s[at.net_offsets + e]
            if width > 0:
                g = s[at.net_nodes + s[at.net_offsets + e] + below(rng, width)]
                b = v[at.site + g]
                if b != a:
                    return b
                x = s[at.node_offsets + g] + below(rng, s[at.node_offsets + g + 1] - s[at.node_offsets + g])
                e = s[at.node_nets + x]
                if v[at.net_home + 2 * e] < 0:
                    return somewhere(s, v, at, e, rng)
                return v[at.net_home + 2 * e + below(rng, 2)]
    return s[at.modules + below(rng, at.num_modules)]


@njit(cache=True)
def fill_load(s: Any, v: Any, at: Any) -> Any:
    """Recount the load of every module in every slot from the homes; returns the overload."""
    v[at.load : at.load + at.k * at.num_slots] = 0
    v[at.over] = 0
    for q in range(at.num_qubits):
        if s[at.line_first + q + 1] - s[at.line_first + q] == 1:
            # No packets: it stays where it is until the last slot.
            bump(s, v, at, v[at.home + s[at.line_first + q]], 0, at.num_slots - 1, 1)
            bump(s, v, at, s[at.idle_end + q], at.num_slots - 1, at.num_slots, 1)
            continue
        for j in range(s[at.line_first + q], s[at.line_first + q + 1]):
            if s[at.dead + j]:
                continue
            t = s[at.slot + j]
            h = v[at.home + j]
            bump(s, v, at, h, t, at.num_slots if j + 1 == s[at.line_first + q + 1] else t + 1, 1)
            if j + 1 < s[at.line_first + q + 1] and v[at.home + j + 1] == h:
                bump(s, v, at, h, t + 1, s[at.slot + j + 1], 1)
    return v[at.over]


@njit(cache=True)
def anneal_dynamic(
    s: Any, v: Any, at: Any, rng: Any, tally: Any, until: Any, budget: Any, hot: Any, cold: Any, journal: Any,
    best: Any, log: Any,
) -> None:  # fmt: skip
    """Anneal homes of junctions and sites together, in slices; `budget` counts nodes and junctions tried.

    The best state is left in `best`. Start from a state without overload.

    Args:
        s: structure.
        v: variables.
        at: where they lie.
        rng: state of the generator.
        tally: energy, least energy and moves spent so far, all three carried on.
        until: moves after which this slice ends.
        budget: moves of the whole run, which the temperature follows.
        hot: first temperature.
        cold: last temperature.
        journal: scratch (node, old site).
        best: receives the best state whenever it is better than `tally` says.
        log: scratch (junction, old home).
    """
    energy, least, spent = tally[0], tally[1], tally[2]
    on_sites = 0
    on_homes = 0
    heat = 1.0 / hot
    step = 0
    due = spent
    while spent < until:
        if step % 32 == 0:
            heat = 1.0 / (hot * (cold / hot) ** (spent / budget))
        step += 1
        work = 1
        if at.num_loose > 0 and on_homes <= HOMES_SHARE * on_sites:
            delta, work = try_window(s, v, at, rng, heat, journal, log)
            energy += delta
            on_homes += work
        else:
            if at.num_nodes > 0:
                for _ in range(8):
                    energy += relocate(s, v, at, rng, heat)
                delta, work = open_or_close(s, v, at, rng, heat, journal)
                energy += delta
                work += 8
            on_sites += work
        spent += work
        if energy < least and spent >= due:
            least = energy
            best[:] = v[: at.presence]
            due = spent + at.presence // 16
    if energy < least:
        least = energy
        best[:] = v[: at.presence]
    tally[0], tally[1], tally[2] = energy, least, spent
