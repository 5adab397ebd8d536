"""Numba kernels shared by the searches: presence counts of nets, deltas of moves, local search on sites.

Everything lies in two flat arrays, `s` (structure) and `v` (variables), at the offsets of a `Layout`. A net's
presence in a module is a count of its pins there; its cost is that of joining the modules where that is positive
(`steiner`). Import this module late: it loads Numba.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from distq.partition.steiner import COMPLETE, TABLE

#: For functions that only kernels call: without wrappers they compile faster. Numba's cache does not see
#: changes in such functions when their file is not that of the kernel: touch that file after a change here.
inner: Any = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[call-overload]

#: Energy of one communication qubit that a gate lacks at its site: far above any gain in ebits of one move.
LACK = 64


class Layout(NamedTuple):
    """Where everything lies in the structure `s` (read only) and the variables `v`; E nets, G merged nodes.

    Two flat int32 arrays and offsets compile several times faster than a score of arrays, and run as fast.
    """

    mode: int = 0  # how a set of modules is priced (steiner.COMPLETE, TABLE, TREE)
    tight: int = 0  # 1 if some gate may lack communication qubits at some module
    k: int = 0
    num_qubits: int = 0
    num_nets: int = 0
    num_nodes: int = 0
    num_modules: int = 0  # modules that may be used
    num_movable: int = 0
    num_slots: int = 0  # time slots: dynamic search only, like the next
    num_loose: int = 0
    # In s:
    table: int = 0  # (2^k,) price of each set of modules, in mode TABLE
    distances: int = 0  # (k, k)
    weight: int = 0  # (E,) price of a copy
    node_offsets: int = 0  # (G+1,) into node_nets
    node_nets: int = 0  # nets of each node, one per leg
    net_offsets: int = 0  # (E+1,) into net_nodes
    net_nodes: int = 0  # nodes of each net
    comm: int = 0  # (k,) communication qubits
    capacity: int = 0  # (k,) data qubits
    modules: int = 0  # modules that may be used
    pin_offsets: int = 0  # (n+1,) into pin_net, pin_slot: static search only, like those below
    pin_net: int = 0  # nets that follow each qubit
    pin_slot: int = 0  # 0: the home before the net follows, 1: the one after it, 2: both
    movable: int = 0  # qubits that may move
    line: int = 0  # (J,) qubit of each junction: dynamic search only, like those below
    line_first: int = 0  # (n+1,) first junction of each qubit
    slot: int = 0  # (J,) time slot of each junction
    loose: int = 0  # (J,) 1 for junctions that may move; `movable` lists them
    idle_end: int = 0  # (n,) where wires without packets end
    dead: int = 0  # (J,) 1 for junctions at which a qubit holds nothing and takes no room
    # In v; what comes before `presence` is the solution, the rest follows from it:
    home: int = 0  # (n,) home of each qubit; in the dynamic search (J,) of each junction
    load: int = 0  # (k,) qubits at home in each module; in the dynamic search (k, slots)
    over: int = 0  # (1,) qubits without a place, summed over slots: dynamic search only
    net_home: int = 0  # (E, 2) homes before and after each net; -1 for parity nets, which have none
    site: int = 0  # (G,)
    presence: int = 0  # (E, k) pins of each net in each module
    mask: int = 0  # (E,) modules present as bits, in mode TABLE
    scratch: int = 0  # (k,)


@inner
def next_random(rng: Any) -> Any:
    """64 random bits: xorshift64*."""
    x = rng[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    rng[0] = x
    return x * np.uint64(2685821657736338717)


@inner
def below(rng: Any, n: Any) -> Any:
    """A random integer in [0, n), n < 2^32."""
    return np.int64(((next_random(rng) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@inner
def uniform(rng: Any) -> Any:
    """A random number in [0, 1)."""
    return (next_random(rng) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inner
def tree_cost(s: Any, v: Any, at: Any, e: Any, leave: Any, enter: Any) -> Any:
    """Spanning tree of the modules of net e, after one pin left and one entered (-1: none)."""
    k = at.k
    # scratch[m]: distance of module m from the tree; -1 outside the set, or in the tree already.
    last = -1
    members = 0
    for m in range(k):
        pins = v[at.presence + e * at.k + m]
        if m == leave:
            pins -= 1
        if m == enter:
            pins += 1
        v[at.scratch + m] = -1
        if pins > 0:
            v[at.scratch + m] = 1 << 30
            last = m
            members += 1
    total = 0
    for _ in range(members - 1):
        v[at.scratch + last] = -1
        best = -1
        for m in range(k):
            if v[at.scratch + m] >= 0:
                v[at.scratch + m] = min(v[at.scratch + m], s[at.distances + last * at.k + m])
                if best < 0 or v[at.scratch + m] < v[at.scratch + best]:
                    best = m
        total += v[at.scratch + best]
        last = best
    return total


@inner
def peek(s: Any, v: Any, at: Any, e: Any, a: Any, b: Any) -> Any:
    """Change of net e's cost if one pin went from a to b."""
    if at.mode == COMPLETE:
        delta = 0
        if v[at.presence + e * at.k + a] == 1:
            delta -= 1
        if v[at.presence + e * at.k + b] == 0:
            delta += 1
        return delta * s[at.weight + e]
    leaves = v[at.presence + e * at.k + a] == 1
    enters = v[at.presence + e * at.k + b] == 0
    if not leaves and not enters:
        return 0
    if at.mode == TABLE:
        old = v[at.mask + e]
        new = old | (1 << b)
        if leaves:
            new &= ~(1 << a)
        return (s[at.table + new] - s[at.table + old]) * s[at.weight + e]
    return (tree_cost(s, v, at, e, a, b) - tree_cost(s, v, at, e, -1, -1)) * s[at.weight + e]


@inner
def shift(s: Any, v: Any, at: Any, e: Any, a: Any, b: Any, pins: Any) -> Any:
    """Move `pins` pins of net e, all of them in a, to b; returns the change of its cost."""
    leaves = v[at.presence + e * at.k + a] == pins
    enters = v[at.presence + e * at.k + b] == 0
    delta = 0
    if leaves or enters:
        if at.mode == COMPLETE:
            if leaves:
                delta -= s[at.weight + e]
            if enters:
                delta += s[at.weight + e]
        elif at.mode == TABLE:
            old = v[at.mask + e]
            new = old | (1 << b)
            if leaves:
                new &= ~(1 << a)
            v[at.mask + e] = new
            delta = (s[at.table + new] - s[at.table + old]) * s[at.weight + e]
        else:
            delta = -tree_cost(s, v, at, e, -1, -1) * s[at.weight + e]
    v[at.presence + e * at.k + a] -= pins
    v[at.presence + e * at.k + b] += pins
    if at.mode > TABLE and (leaves or enters):
        delta += tree_cost(s, v, at, e, -1, -1) * s[at.weight + e]
    return delta


@inner
def lack(s: Any, v: Any, at: Any, g: Any, m: Any) -> Any:
    """Energy of the communication qubits that node g lacks if it is carried out at m."""
    if not at.tight:
        return 0
    away = 0
    mute = 0
    for i in range(s[at.node_offsets + g], s[at.node_offsets + g + 1]):
        e = s[at.node_nets + i]
        if v[at.net_home + 2 * e] < 0:
            continue
        if v[at.net_home + 2 * e] != m and v[at.net_home + 2 * e + 1] != m:
            away += 1
            if s[at.comm + v[at.net_home + 2 * e]] == 0:
                mute += 1
    return (max(0, away - s[at.comm + m]) + mute) * LACK


@inner
def peek_node(s: Any, v: Any, at: Any, g: Any, b: Any) -> Any:
    """Change of energy if node g went to b."""
    a = v[at.site + g]
    delta = 0
    for i in range(s[at.node_offsets + g], s[at.node_offsets + g + 1]):
        delta += peek(s, v, at, s[at.node_nets + i], a, b)
    if at.tight:
        delta += lack(s, v, at, g, b) - lack(s, v, at, g, a)
    return delta


@inner
def move_node(s: Any, v: Any, at: Any, g: Any, b: Any) -> None:
    """Carry node g out at b."""
    a = v[at.site + g]
    for i in range(s[at.node_offsets + g], s[at.node_offsets + g + 1]):
        shift(s, v, at, s[at.node_nets + i], a, b, 1)
    v[at.site + g] = b


@inner
def best_site(s: Any, v: Any, at: Any, g: Any, banned: Any, start: Any) -> Any:
    """(module, delta) of the cheapest site of node g, not `banned`; ties go by the order from `start` on."""
    a = v[at.site + g]
    few = at.num_modules
    best = a
    least = 0
    if a == banned:
        least = 1 << 40
    if few <= 12:
        for j in range(few):
            m = s[at.modules + (start + j) % few]
            if m != a and m != banned:
                delta = peek_node(s, v, at, g, m)
                if delta < least:
                    best, least = m, delta
        return best, least
    # Many modules: those where a leg is at home, and those where another gate has a copy of some leg.
    for i in range(s[at.node_offsets + g], s[at.node_offsets + g + 1]):
        e = s[at.node_nets + i]
        width = s[at.net_offsets + e + 1] - s[at.net_offsets + e]
        for j in range(4):
            if j == 0:
                m = v[at.net_home + 2 * e]
            elif j == 1:
                m = v[at.net_home + 2 * e + 1]
            else:
                m = v[at.site + s[at.net_nodes + s[at.net_offsets + e] + (start + j) % width]]
            if m != a and m != banned and m >= 0:
                delta = peek_node(s, v, at, g, m)
                if delta < least:
                    best, least = m, delta
    return best, least


@njit(cache=True)
def rebuild(s: Any, v: Any, at: Any) -> Any:
    """Recount presence from homes of nets and sites; returns the energy."""
    k = at.k
    v[at.presence : at.presence + at.num_nets * k] = 0
    energy = 0
    for e in range(at.num_nets):
        if v[at.net_home + 2 * e] >= 0:
            v[at.presence + e * at.k + v[at.net_home + 2 * e]] += 1
            v[at.presence + e * at.k + v[at.net_home + 2 * e + 1]] += 1
        for i in range(s[at.net_offsets + e], s[at.net_offsets + e + 1]):
            v[at.presence + e * at.k + v[at.site + s[at.net_nodes + i]]] += 1
        if at.mode == COMPLETE:
            members = 0
            for m in range(k):
                if v[at.presence + e * at.k + m] > 0:
                    members += 1
            energy += (members - 1) * s[at.weight + e]
        elif at.mode == TABLE:
            mask = 0
            for m in range(k):
                if v[at.presence + e * at.k + m] > 0:
                    mask |= 1 << m
            v[at.mask + e] = mask
            energy += s[at.table + mask] * s[at.weight + e]
        else:
            energy += tree_cost(s, v, at, e, -1, -1) * s[at.weight + e]
    for g in range(at.num_nodes):
        energy += lack(s, v, at, g, v[at.site + g])
    return energy


@inner
def somewhere(s: Any, v: Any, at: Any, e: Any, rng: Any) -> Any:
    """The home before net e, or, for a parity net, the site of one of its legs."""
    m = v[at.net_home + 2 * e]
    if m < 0:
        i = s[at.net_offsets + e]
        m = v[at.site + s[at.net_nodes + i + below(rng, s[at.net_offsets + e + 1] - i)]]
    return m


@inner
def relocate(s: Any, v: Any, at: Any, rng: Any, heat: Any) -> Any:
    """Try one node at the module of a random pin of one of its nets; returns the accepted change."""
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
    delta = peek_node(s, v, at, g, m)
    if delta > 0 and uniform(rng) >= np.exp(-delta * heat):
        return 0
    move_node(s, v, at, g, m)
    return delta


@inner
def settle_net(s: Any, v: Any, at: Any, e: Any, banned: Any, only: Any, rng: Any, journal: Any, used: Any) -> Any:
    """Give nodes of net e their best sites in turn, none at `banned`; with `only` >= 0 those that suit it.

    Moves are written to `journal` (node, old site) from row `used` on; returns (change of energy, rows used).
    """
    total = 0
    start = below(rng, at.num_modules)
    for i in range(s[at.net_offsets + e], s[at.net_offsets + e + 1]):
        g = s[at.net_nodes + i]
        a = v[at.site + g]
        if only >= 0:
            if a == only:
                continue
            m = only
            delta = peek_node(s, v, at, g, m)
            if delta > 0:
                continue
        elif banned >= 0:
            if a != banned:
                continue
            m, delta = best_site(s, v, at, g, banned, start)
        else:
            m, delta = best_site(s, v, at, g, -1, start)
        if m == a or used >= len(journal):
            continue
        journal[used, 0] = g
        journal[used, 1] = a
        used += 1
        move_node(s, v, at, g, m)
        total += delta
    return total, used


@inner
def undo(s: Any, v: Any, at: Any, journal: Any, used: Any) -> None:
    """Take back the journal's moves, the last first."""
    for j in range(used - 1, -1, -1):
        move_node(s, v, at, journal[j, 0], journal[j, 1])


@inner
def flip_net(s: Any, v: Any, at: Any, e: Any, m: Any, rng: Any, journal: Any) -> Any:
    """Give net e a copy in m (nodes may come there), or close the one that is there; (change, journal rows)."""
    home = m == v[at.net_home + 2 * e] or m == v[at.net_home + 2 * e + 1]
    if home:
        return settle_net(s, v, at, e, -1, m, rng, journal, 0)
    if v[at.presence + e * at.k + m] > 0:
        return settle_net(s, v, at, e, m, -1, rng, journal, 0)
    # A pin without owner holds the copy open while the nodes look at it.
    a = somewhere(s, v, at, e, rng)
    v[at.presence + e * at.k + a] += 1
    first = shift(s, v, at, e, a, m, 1)
    delta, used = settle_net(s, v, at, e, -1, m, rng, journal, 0)
    a = somewhere(s, v, at, e, rng)  # the legs of a parity net may have left
    delta += first + shift(s, v, at, e, m, a, 1)
    v[at.presence + e * at.k + a] -= 1
    return delta, used


@inner
def open_or_close(s: Any, v: Any, at: Any, rng: Any, heat: Any, journal: Any) -> Any:
    """Try `flip_net` for a random net and module; (accepted change, work)."""
    e = below(rng, at.num_nets)
    m = s[at.modules + below(rng, at.num_modules)]
    width = s[at.net_offsets + e + 1] - s[at.net_offsets + e]
    delta, used = flip_net(s, v, at, e, m, rng, journal)
    if delta > 0 and uniform(rng) >= np.exp(-delta * heat):
        undo(s, v, at, journal, used)
        return 0, width
    return delta, width


@njit(cache=True)
def anneal_sites(
    s: Any, v: Any, at: Any, rng: Any, tally: Any, until: Any, budget: Any, hot: Any, cold: Any, journal: Any, best: Any
) -> None:
    """Anneal sites under fixed homes, in slices; `budget` counts nodes tried. Leaves the best state in `best`.

    For the arguments see `dynamic_kernel.anneal_dynamic`.
    """
    energy, least, spent = tally[0], tally[1], tally[2]
    heat = 1.0 / hot
    step = 0
    due = spent
    while spent < until:
        if step % 64 == 0:
            heat = 1.0 / (hot * (cold / hot) ** (spent / budget))
        step += 1
        if step % 4 == 0:
            delta, work = open_or_close(s, v, at, rng, heat, journal)
            spent += work
            energy += delta
        else:
            energy += relocate(s, v, at, rng, heat)
            spent += 1
        # Copies of the whole state are rationed, so that they never cost more than the moves.
        if energy < least and spent >= due:
            least = energy
            best[:] = v[: at.presence]
            due = spent + at.num_nodes // 16
    if energy < least:
        least = energy
        best[:] = v[: at.presence]
    tally[0], tally[1], tally[2] = energy, least, spent


@njit(cache=True)
def descend_sites(s: Any, v: Any, at: Any, rng: Any, journal: Any, rounds: Any) -> Any:
    """Greedy rounds: each node its best site, then each net a copy more or less if that pays; the change."""
    total = 0
    for _ in range(rounds):
        gained = 0
        for g in range(at.num_nodes):
            m, delta = best_site(s, v, at, g, -1, 0)
            if delta < 0:
                move_node(s, v, at, g, m)
                gained += delta
        for e in range(at.num_nets):
            for j in range(at.num_modules):
                delta, used = flip_net(s, v, at, e, s[at.modules + j], rng, journal)
                if delta > 0:
                    undo(s, v, at, journal, used)
                else:
                    gained += delta
        total += gained
        if gained == 0:
            break
    return total
