"""Numba kernel of the search under few communication qubits: homes, sites and the order of nodes, by what is paid.

The moves on homes and sites are those of the dynamic search, and their gates follow as if communication qubits were
without limit; what is accepted is decided by reading the tape (`tape_kernel`). Nodes that commute change places on the
tape; after half of the changes of sites, those that changed are carried to where the copies that they meet there are in
use, for elsewhere these would have to be fetched again. Import this module late: it loads Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from distq.partition.dynamic_kernel import (
    drag_window,
    fill_load,
    junction_at,
    partner_window,
    set_junction,
    set_window,
    target,
)
from distq.partition.kernels import below, flip_net, inner, move_node, somewhere, undo, uniform
from distq.partition.tape_kernel import (
    accept,
    first_use,
    has_next,
    last_use,
    leg_site,
    read_tape,
    relink,
    start_state,
)

#: Legs read between changes of the phase: order and sites, or homes and sites.
PHASE = 80_000
#: A change is given up when it costs so much more than what would be accepted, before the tape is read to the end.
SLACK = 2
#: How many of eight changes are windows of homes, while homes change; the others are changes of sites.
WINDOWS = 3
#: What it takes to carry a node along the tape and back, and to look for gates to turn round, in legs read.
CARRY, TURN = 8, 50


@inner
def relocation(s: Any, v: Any, at: Any, rng: Any, journal: Any) -> Any:
    """Move one merged node to the module of a random pin of one of its nets; journal rows."""
    g = below(rng, at.num_nodes)
    i = s[at.node_offsets + g] + below(rng, s[at.node_offsets + g + 1] - s[at.node_offsets + g])
    e = s[at.node_nets + i]
    width = s[at.net_offsets + e + 1] - s[at.net_offsets + e]
    pick = below(rng, width + 2)
    if v[at.net_home + 2 * e] < 0:
        m = v[at.site + s[at.net_nodes + s[at.net_offsets + e] + pick % width]]
    elif pick < 2:
        m = v[at.net_home + 2 * e + pick]
    else:
        m = v[at.site + s[at.net_nodes + s[at.net_offsets + e] + pick - 2]]
    if m == v[at.site + g]:
        return 0
    journal[0, 0] = g
    journal[0, 1] = v[at.site + g]
    move_node(s, v, at, g, m)
    return 1


@inner
def stretch_site(s: Any, v: Any, at: Any, w: Any, o: Any, rng: Any, journal: Any) -> Any:
    """Move a run of neighbours on the tape in one packet that share a site to another module; journal rows."""
    leg = below(rng, o.num_legs)
    g = w[o.leg_group + leg]
    if g < 0:
        return 0
    p = w[o.leg_packet + leg]
    a = v[at.site + g]
    # To where the qubit of another leg is, or to a home of this one.
    m = somewhere(s, v, at, s[at.node_nets + s[at.node_offsets + g] + below(rng, 2)], rng)
    if m == a:
        m = v[at.home + p + w[o.leg_qubit + leg] + below(rng, 2)]
    if m == a:
        m = s[at.modules + below(rng, at.num_modules)]
    if m == a:
        return 0
    length = 1 << below(rng, 5)
    used = 0
    i = w[o.place + leg]
    while length > 0 and i < w[o.list_offsets + p + 1] and used < len(journal):
        g = w[o.leg_group + w[o.legs + i]]
        if g >= 0 and v[at.site + g] == a:
            journal[used, 0] = g
            journal[used, 1] = a
            used += 1
            move_node(s, v, at, g, m)
            length -= 1
        i += 1
    return used


@inner
def turn_round(s: Any, v: Any, at: Any, w: Any, o: Any, rng: Any, journal: Any) -> Any:
    """Carry gates between two modules out in the other one, in a stretch of the tape; journal rows.

    Copies go the other way then: between two groups of qubits that all meet, that costs the same, and no change of a
    single site leads there without loss.
    """
    leg = below(rng, o.num_legs)
    x = w[o.leg_node + leg]
    a, b = ends(v, at, w, o, x)
    if a == b:
        return 0
    m = leg_site(v, at, w, o, leg)
    if m != a and m != b:
        return 0
    reach = 8 << below(rng, 8)
    i = w[o.position + x]
    used = 0
    for j in range(max(0, i - reach), min(o.num_nodes, i + reach + 1)):
        y = w[o.order + j]
        c, d = ends(v, at, w, o, y)
        if c == d or min(c, d) != min(a, b) or max(c, d) != max(a, b):
            continue
        g = w[o.leg_group + w[o.node_offsets + y]]
        if g >= 0 and v[at.site + g] == m and used < len(journal):
            journal[used, 0] = g
            journal[used, 1] = m
            used += 1
            move_node(s, v, at, g, a + b - m)
    return used


@inner
def ends(v: Any, at: Any, w: Any, o: Any, x: Any) -> Any:
    """The homes of the two qubits of node x; equal if it has not just two legs."""
    first = w[o.node_offsets + x]
    if w[o.node_offsets + x + 1] != first + 2 or w[o.leg_group + first] < 0:
        return 0, 0
    a = v[at.home + w[o.leg_packet + first] + w[o.leg_qubit + first]]
    return a, v[at.home + w[o.leg_packet + first + 1] + w[o.leg_qubit + first + 1]]


@inner
def window(s: Any, v: Any, at: Any, rng: Any, journal: Any, log: Any, over: Any) -> Any:
    """Move a window of junctions, with a partner if there is no room; (whether it fits, journal rows, log rows)."""
    j = s[at.movable + below(rng, at.num_loose)]
    q = s[at.line + j]
    a = v[at.home + j]
    first, last = s[at.line_first + q], s[at.line_first + q + 1] - 1
    length = 1 << below(rng, 6)
    kind = below(rng, 5)
    end = j
    if kind == 0:
        end = min(j + length - 1, last)
        while j > first and v[at.home + j - 1] == a:
            j -= 1
        while end < last and v[at.home + end + 1] == a:
            end += 1
    elif kind <= 2:
        while j > first and end - j + 1 < length and v[at.home + j - 1] == a:
            j -= 1
    else:
        while end < last and end - j + 1 < length and v[at.home + end + 1] == a:
            end += 1
    b = target(s, v, at, rng, q, j, end, a)
    if b == a:
        return False, 0, 0
    _, moved = set_window(s, v, at, j, end, a, b, log, 0)
    r, low, high = -1, 0, -1
    if v[at.over] > over:
        for _ in range(8):
            x = below(rng, at.num_qubits)
            if x == q or v[at.home + junction_at(s, at, x, s[at.slot + j])] != b:
                continue
            low, high = partner_window(s, v, at, x, j, end, below(rng, 4) > 0)
            if low <= high:
                r = x
                break
        if r >= 0:
            _, moved = set_window(s, v, at, low, high, b, a, log, moved)
    if v[at.over] > over:
        return False, 0, moved
    used = 0
    if below(rng, 4) > 0:
        _, used, _ = drag_window(s, v, at, j, end, rng, journal, 0)
        if r >= 0:
            _, used, _ = drag_window(s, v, at, low, high, rng, journal, used)
    return True, used, moved


@inner
def span_of_sites(s: Any, v: Any, at: Any, w: Any, o: Any, journal: Any, used: Any, begin: Any, end: Any) -> Any:
    """Find next uses again after changes of sites; the positions from where and until where that matters."""
    for j in range(used):
        g = journal[j, 0]
        for i in range(w[o.group_offsets + g], w[o.group_offsets + g + 1]):
            leg = w[o.group_legs + i]
            end = max(end, w[o.position + w[o.leg_node + leg]])
            begin = min(begin, since(v, at, w, o, leg, journal[j, 1]))
    for j in range(used):
        g = journal[j, 0]
        for i in range(s[at.node_offsets + g], s[at.node_offsets + g + 1]):
            if s[at.node_nets + i] < o.num_packets:
                relink(v, at, w, o, s[at.node_nets + i])
    return begin, end


@inner
def since(v: Any, at: Any, w: Any, o: Any, leg: Any, old: Any) -> Any:
    """The first position at which a copy may wait for a leg that enters its node at its present site or at `old`."""
    p = w[o.leg_packet + leg]
    site = leg_site(v, at, w, o, leg)
    found = w[o.position + w[o.leg_node + leg]]
    left = 1 if old < 0 or old == site else 2
    for i in range(w[o.place + leg] - 1, w[o.list_offsets + p] - 1, -1):
        m = leg_site(v, at, w, o, w[o.legs + i])
        if m == site or m == old:  # noqa: SIM109 - a tuple would be slow here
            found = w[o.position + w[o.leg_node + w[o.legs + i]]]
            left -= 1
            if left == 0:
                break
            if m == site:
                site = -1
            else:
                old = -1
    return found


@inner
def span_of_homes(s: Any, v: Any, at: Any, w: Any, o: Any, log: Any, moved: Any, begin: Any, end: Any) -> Any:
    """The same after changes of homes."""
    for x in range(moved):
        j = log[x, 0]
        q = s[at.line + j]
        if j == s[at.line_first + q]:
            begin = 0
            start_state(s, v, at, w, o)
        for p in range(j - q - 1, j - q + 1):
            if w[o.packet_offsets + q] <= p < w[o.packet_offsets + q + 1]:
                relink(v, at, w, o, p)
                begin = min(begin, first_use(w, o, p))
                end = max(end, last_use(w, o, p))
                end = max(end, first_use(w, o, p + 1) if has_next(w, o, p) else o.num_nodes)
    return begin, end


@inner
def swap_next(w: Any, o: Any, i: Any) -> Any:
    """Exchange the nodes at positions i and i + 1 if they commute; whether they did."""
    x, y = w[o.order + i], w[o.order + i + 1]
    if w[o.classical + x] and w[o.classical + y]:
        return False
    for a in range(w[o.node_offsets + x], w[o.node_offsets + x + 1]):
        for b in range(w[o.node_offsets + y], w[o.node_offsets + y + 1]):
            if w[o.leg_qubit + a] == w[o.leg_qubit + b] and w[o.leg_segment + a] != w[o.leg_segment + b]:
                return False
    for a in range(w[o.node_offsets + x], w[o.node_offsets + x + 1]):
        for b in range(w[o.node_offsets + y], w[o.node_offsets + y + 1]):
            if w[o.leg_qubit + a] == w[o.leg_qubit + b]:
                w[o.legs + w[o.place + a]], w[o.legs + w[o.place + b]] = b, a
                w[o.place + a], w[o.place + b] = w[o.place + b], w[o.place + a]
    w[o.order + i], w[o.order + i + 1] = y, x
    w[o.position + x], w[o.position + y] = i + 1, i
    return True


@inner
def carry(w: Any, o: Any, i: Any, j: Any) -> Any:
    """Move the node at position i towards position j as far as it goes; where it ends."""
    while i < j:
        if not swap_next(w, o, i):
            return i
        i += 1
    while i > j:
        if not swap_next(w, o, i - 1):
            return i
        i -= 1
    return i


@inner
def needed_since(v: Any, at: Any, w: Any, o: Any, x: Any, begin: Any) -> Any:
    """The first position at which it matters where node x is on the tape."""
    for leg in range(w[o.node_offsets + x], w[o.node_offsets + x + 1]):
        begin = min(begin, since(v, at, w, o, leg, -1))
        p = w[o.leg_packet + leg]
        if w[o.place + leg] == w[o.list_offsets + p] and p > w[o.packet_offsets + w[o.leg_qubit + leg]]:
            begin = min(begin, first_use(w, o, p - 1))
    return begin


@inner
def relink_node(v: Any, at: Any, w: Any, o: Any, x: Any) -> None:
    """Find the next uses of the packets of node x again."""
    for leg in range(w[o.node_offsets + x], w[o.node_offsets + x + 1]):
        relink(v, at, w, o, w[o.leg_packet + leg])


@inner
def another_place(v: Any, at: Any, w: Any, o: Any, rng: Any) -> Any:
    """A position, how many nodes from there on go together, and where they go (the first of them)."""
    leg = below(rng, o.num_legs)
    x = w[o.leg_node + leg]
    i = w[o.position + x]
    p = w[o.leg_packet + leg]
    m = leg_site(v, at, w, o, leg)
    begin, end = w[o.list_offsets + p], w[o.list_offsets + p + 1]
    length = 1
    if below(rng, 3) == 0:  # with what follows on the tape and needs the same copy
        place = w[o.place + leg] + 1
        while place < end and length < 16:
            other = w[o.legs + place]
            if w[o.position + w[o.leg_node + other]] != i + length or leg_site(v, at, w, o, other) != m:
                break
            place += 1
            length += 1
    kind = below(rng, 4)
    if kind < 3 and end - begin > 1:
        # Next to another use of the same copy: the one before, the one after, or any.
        if kind == 0:
            place = w[o.place + leg] - 1
            while place >= begin and leg_site(v, at, w, o, w[o.legs + place]) != m:
                place -= 1
        elif kind == 1:
            place = w[o.place + leg] + length
            while place < end and leg_site(v, at, w, o, w[o.legs + place]) != m:
                place += 1
        else:
            place = begin + below(rng, end - begin)
        if begin <= place < end:
            j = w[o.position + w[o.leg_node + w[o.legs + place]]]
            return i, length, j + 1 if j < i else j - length
    reach = 2 << below(rng, 6)
    return i, length, i - reach + below(rng, 2 * reach + 1)


@inner
def reorder(v: Any, at: Any, w: Any, o: Any, rng: Any, log: Any) -> Any:
    """Move some nodes on the tape; (log rows (from, to), first and last position that can matter)."""
    i, length, j = another_place(v, at, w, o, rng)
    size = o.num_nodes
    j = min(max(j, 0), size - length)
    length = min(length, len(log))
    if i == j:
        return 0, 0, 0
    begin, end = min(i, j), max(i, j) + length
    for x in range(length):
        begin = needed_since(v, at, w, o, w[o.order + i + x], begin)
    used = 0
    for x in range(length):
        # From the side towards which they go.
        source = i + x if j < i else i + length - 1 - x
        goal = j + x if j < i else j + length - 1 - x
        node = w[o.order + source]
        reached = carry(w, o, source, goal)
        if reached == source:
            break
        log[used, 0] = source
        log[used, 1] = reached
        used += 1
        begin = needed_since(v, at, w, o, node, begin)
        relink_node(v, at, w, o, node)
        if reached != goal:
            break
    return used, begin, min(end, size)


@inner
def put_back(v: Any, at: Any, w: Any, o: Any, log: Any, used: Any) -> None:
    """Take back the moves of `reorder`."""
    for x in range(used - 1, -1, -1):
        carry(w, o, log[x, 1], log[x, 0])
        relink_node(v, at, w, o, w[o.order + log[x, 0]])


@inner
def beside(v: Any, at: Any, w: Any, o: Any, leg: Any, m: Any) -> Any:
    """The node nearest to that of a leg that uses the same packet in module m; -1 if there is none."""
    p = w[o.leg_packet + leg]
    here = w[o.position + w[o.leg_node + leg]]
    found, least = -1, o.num_nodes + 1
    i = w[o.place + leg] - 1
    while i >= w[o.list_offsets + p]:
        if leg_site(v, at, w, o, w[o.legs + i]) == m:
            found = w[o.leg_node + w[o.legs + i]]
            least = here - w[o.position + found]
            break
        i -= 1
    i = w[o.place + leg] + 1
    while i < w[o.list_offsets + p + 1]:
        x = w[o.leg_node + w[o.legs + i]]
        if w[o.position + x] - here >= least:
            break
        if leg_site(v, at, w, o, w[o.legs + i]) == m:
            return x
        i += 1
    return found


@inner
def outermost(v: Any, at: Any, w: Any, o: Any, leg: Any, m: Any, way: Any) -> Any:
    """The last (way 1) or first (2) node that uses the same packet in module m, other than that of the leg; or -1."""
    p = w[o.leg_packet + leg]
    begin, end = w[o.list_offsets + p], w[o.list_offsets + p + 1]
    for i in range(begin, end):
        j = begin + end - 1 - i if way == 1 else i
        if w[o.legs + j] != leg and leg_site(v, at, w, o, w[o.legs + j]) == m:
            return w[o.leg_node + w[o.legs + j]]
    return -1


@inner
def follow(
    v: Any, at: Any, w: Any, o: Any, journal: Any, used: Any, main: Any, way: Any, log: Any, begin: Any, end: Any
) -> Any:
    """Bring nodes whose site changed to where another of their copies is in use; (log rows, first and last position).

    Copies of packet `main` come last: it is the one that came to new modules or left them. `way` says to which use of
    the copy: 0 the nearest, 1 the last, 2 the first.
    """
    rows = 0
    for j in range(used):
        g = journal[j, 0]
        m = v[at.site + g]
        for i in range(w[o.group_offsets + g], w[o.group_offsets + g + 1]):
            x = w[o.leg_node + w[o.group_legs + i]]
            if w[o.group_legs + i] != w[o.node_offsets + x] or w[o.parity + x] or rows >= len(log):
                continue
            goal = -1
            for leg in range(w[o.node_offsets + x], w[o.node_offsets + x + 1]):
                p = w[o.leg_packet + leg]
                if v[at.home + p + w[o.leg_qubit + leg]] == m or (p == main and goal >= 0):
                    continue
                other = beside(v, at, w, o, leg, m) if way == 0 else outermost(v, at, w, o, leg, m, way)
                if other >= 0:
                    goal = other
            if goal < 0:
                continue
            source, there = w[o.position + x], w[o.position + goal]
            if abs(source - there) < 2:
                continue
            there += 1 if there < source else -1
            begin = min(needed_since(v, at, w, o, x, begin), min(source, there))
            end = max(end, max(source, there) + 1)
            reached = carry(w, o, source, there)
            if reached != source:
                log[rows, 0] = source
                log[rows, 1] = reached
                rows += 1
                relink_node(v, at, w, o, x)
                begin = needed_since(v, at, w, o, x, begin)
    return rows, begin, min(end, o.num_nodes)


@inner
def time_slots(s: Any, v: Any, at: Any, w: Any, o: Any) -> Any:
    """Give every junction the slot of the first node of the packet after it on the tape; returns the overload."""
    for q in range(at.num_qubits):
        first, end = s[at.line_first + q], s[at.line_first + q + 1]
        s[at.slot + first] = 0
        for j in range(first + 1, end - 1):
            s[at.slot + j] = first_use(w, o, j - q) + 1
        if end - first > 1:
            s[at.slot + end - 1] = at.num_slots - 1
    return fill_load(s, v, at)


@njit(cache=True)
def anneal_tape(
    s: Any, v: Any, at: Any, rng: Any, tally: Any, until: Any, budget: Any, hot: Any, cold: Any, journal: Any,
    best: Any, log: Any, w: Any, o: Any, best_order: Any, trail: Any,
) -> None:  # fmt: skip
    """Anneal homes, sites and order together, in slices; `budget` counts legs of nodes that are read.

    The best state is left in `best` and `best_order`. For the other arguments see `dynamic_kernel.anneal_dynamic`.
    """
    energy, least, spent = tally[0], tally[1], tally[2]
    heat = 1.0 / hot
    tries = 0
    due = spent
    length = max(PHASE, 8 * o.num_legs)
    turn = spent
    homes = False
    over = 0
    size = o.num_nodes
    while spent < until:
        if spent >= turn:
            homes = spent // length % 2 == 0 and at.num_loose > 0
            turn = (spent // length + 1) * length
            if homes:
                over = time_slots(s, v, at, w, o)
        if tries % 16 == 0:
            heat = 1.0 / (hot * (cold / hot) ** (spent / budget))
        tries += 1
        kind = below(rng, 8)
        if homes and kind < 5 and below(rng, 5) >= WINDOWS:
            kind = 5 + below(rng, 3)
        used, moved, carried = 0, 0, 0
        main = -1
        turned = False
        begin, end = size + 1, 0
        fits = True
        shifted = kind < 5 and not homes
        if shifted:
            moved, begin, end = reorder(v, at, w, o, rng, log)
        elif kind < 5:
            fits, used, moved = window(s, v, at, rng, journal, log, over)
        elif at.num_nodes == 0:
            spent += 1
            continue
        elif kind == 5:
            used = stretch_site(s, v, at, w, o, rng, journal)
        elif kind == 6 and below(rng, 2) > 0:
            used = turn_round(s, v, at, w, o, rng, journal)
            turned = True
        elif kind == 6:
            used = relocation(s, v, at, rng, journal)
        else:
            e, m = below(rng, at.num_nets), s[at.modules + below(rng, at.num_modules)]
            _, used = flip_net(s, v, at, e, m, rng, journal)
            main = e
        if used + moved == 0:
            spent += 1
            continue
        delta = 0
        limit = 0.0
        stop = begin
        if fits:
            if used > 0:
                begin, end = span_of_sites(s, v, at, w, o, journal, used, begin, end)
                way = below(rng, 3) if turned else 0
                if kind >= 5 and (turned or below(rng, 2) > 0):
                    carried, begin, end = follow(v, at, w, o, journal, used, main, way, trail, begin, end)
                    spent += CARRY * carried
            if not shifted:
                begin, end = span_of_homes(s, v, at, w, o, log, moved, begin, end)
            # What comes back later is seldom more than this.
            limit = -np.log(uniform(rng) + 1e-12) / heat
            delta, stop = read_tape(v, at, w, o, begin, end, limit + SLACK)
            spent += (stop - begin) * o.num_legs // size
        spent += TURN if turned else 2
        if fits and delta <= limit:
            accept(w, o, begin, stop)
            energy += delta
            if energy < least and spent >= due:
                least = energy
                best[:] = v[: at.presence]
                best_order[:] = w[o.order : o.order + size]
                due = spent + (at.presence + size) // 16
            continue
        put_back(v, at, w, o, trail, carried)
        undo(s, v, at, journal, used)
        if shifted:
            put_back(v, at, w, o, log, moved)
        else:
            for x in range(moved - 1, -1, -1):
                set_junction(s, v, at, log[x, 0], log[x, 1])
            if fits:
                span_of_homes(s, v, at, w, o, log, moved, begin, end)
        if fits and used > 0:
            span_of_sites(s, v, at, w, o, journal, used, begin, end)
    if energy < least:
        least = energy
        best[:] = v[: at.presence]
        best_order[:] = w[o.order : o.order + size]
    tally[0], tally[1], tally[2] = energy, least, spent


@njit(cache=True)
def time_slots_of(s: Any, v: Any, at: Any, w: Any, o: Any) -> Any:
    """`time_slots`, for callers outside of kernels."""
    return time_slots(s, v, at, w, o)
