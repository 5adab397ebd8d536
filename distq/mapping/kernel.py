"""Compiled router: SABRE with places that hold free room for Bell pairs. Import late: it loads Numba.

The heuristic is that of Li, Ding and Xie (ASPLOS 2019, arXiv:1809.02573): of the SWAPs on edges next to something that
blocked nodes want, the one is taken after which the blocked nodes, and with less weight those that come next, are
nearest to what they need. What they need is more than being neighbours: a Bell pair needs a free communication place, at
one end with its qubit beside it, and some operations need a data place. Where this makes no progress for a while, the
first blocked node is brought about on shortest paths, which is always possible on a connected map.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.mapping.nodes import DATA_PLACE, FREE, PAIR, TOUCH
from distq.partition.kernels import below

Array = NDArray[Any]
#: Nodes ahead that count, how much, and how many are looked at to find them.
_AHEAD, _WEIGHT, _SCAN = 20, 0.5, 400
#: What a place that a SWAP has just used costs more, and after how many SWAPs this is forgotten.
_DECAY, _FORGET = 0.001, 5


class World(NamedTuple):
    """What does not change: places (see `Chart`) and nodes (see `Nodes`)."""

    base: Array
    module: Array
    is_comm: Array
    neighbour_offsets: Array
    neighbours: Array
    distance: Array
    #: (P,) edges to the nearest data place.
    to_data: Array
    kind: Array
    m1: Array
    m2: Array
    t1: Array
    t2: Array
    strict: Array
    ends: Array
    succ_offsets: Array
    succ: Array
    #: Numbers of waiting predecessors.
    waits: Array
    #: (T,) tokens that must be on a data place at the end.
    settled: Array
    #: For each module its nodes with conditions, in order.
    own_offsets: Array
    own: Array
    #: Nodes run backwards: what ends appears, and the other way round.
    backward: bool


class Board(NamedTuple):
    """What changes: the place of each token (-1: none) and the token on each place (-1: free)."""

    place: Array
    token: Array


@njit(cache=True)
def _apart(w: World, a: int, b: int) -> int:
    return w.distance[a, b - w.base[w.module[a]]]


@njit(cache=True)
def _to_free(w: World, board: Board, p: int) -> int:
    """Edges from a place to the nearest free one."""
    if board.token[p] < 0:
        return 0
    m = w.module[p]
    least = 1 << 14
    for q in range(w.base[m], w.base[m + 1]):
        if board.token[q] < 0 and w.distance[p, q - w.base[m]] < least:
            least = w.distance[p, q - w.base[m]]
    return least


@njit(cache=True)
def _first_comm(w: World, m: int) -> int:
    """First communication place of a module; they are its last places."""
    p = w.base[m + 1]
    while p > w.base[m] and w.is_comm[p - 1]:
        p -= 1
    return p


@njit(cache=True)
def _cost(w: World, board: Board, n: int, m: int) -> int:
    """How many SWAPs node n is away from what it needs in module m, about."""
    kind = w.kind[n]
    if kind == DATA_PLACE:
        p = board.place[w.t1[n]]
        return 0 if p < 0 else w.to_data[p]
    least = 1 << 14
    if kind == TOUCH:
        a, b = board.place[w.t1[n]], board.place[w.t2[n]]
        if a >= 0 and b >= 0:
            return _apart(w, a, b) - 1 + (w.to_data[b] if w.strict[n] else 0)
        if a < 0 and b < 0:
            return 0
        p = max(a, b)  # the other one will appear on a communication place
        for q in range(_first_comm(w, m), w.base[m + 1]):
            least = min(least, max(_apart(w, p, q) - 1, 0))
        return least
    if m == w.m1[n]:
        p = board.place[w.t1[n]]
        for q in range(_first_comm(w, m), w.base[m + 1]):
            c = _to_free(w, board, q)
            if p >= 0:
                c += max(_apart(w, p, q) - 1, 0)
            least = min(least, c)
        return least
    p = board.place[w.t2[n]]
    for q in range(_first_comm(w, m), w.base[m + 1]):
        if w.backward:
            least = min(least, 0 if p < 0 else _apart(w, p, q))
        else:
            least = min(least, _to_free(w, board, q))
    return least


@njit(cache=True)
def _free_comm(w: World, board: Board, m: int, beside: int, used: Array) -> int:
    """The free communication place (next to place `beside`, if any) that was left longest ago; -1: none."""
    found = -1
    for q in range(_first_comm(w, m), w.base[m + 1]):
        if board.token[q] >= 0 or (beside >= 0 and _apart(w, beside, q) != 1):
            continue
        if found < 0 or used[q] < used[found]:
            found = q
    return found


@njit(cache=True)
def _ready(w: World, board: Board, n: int, m: int, used: Array) -> bool:
    kind = w.kind[n]
    if kind != PAIR:
        return _cost(w, board, n, m) == 0
    if m == w.m1[n]:
        return _free_comm(w, board, m, board.place[w.t1[n]], used) >= 0
    if w.backward:
        return w.is_comm[board.place[w.t2[n]]]
    return _free_comm(w, board, m, -1, used) >= 0


@njit(cache=True)
def _lift(board: Board, t: int) -> None:
    if t >= 0 and board.place[t] >= 0:
        board.token[board.place[t]] = -1
        board.place[t] = -1


@njit(cache=True)
def _put(board: Board, t: int, p: int) -> None:
    if t >= 0:
        board.place[t] = p
        board.token[p] = t


@njit(cache=True)
def _swap(board: Board, p: int, q: int) -> None:
    a, b = board.token[p], board.token[q]
    board.token[p], board.token[q] = b, a
    if a >= 0:
        board.place[a] = q
    if b >= 0:
        board.place[b] = p


@njit(cache=True)
def _toward(w: World, p: int, q: int) -> int:
    """The neighbour of p on a shortest path to q."""
    for i in range(w.neighbour_offsets[p], w.neighbour_offsets[p + 1]):
        if _apart(w, w.neighbours[i], q) < _apart(w, p, q):
            return w.neighbours[i]
    return p


@njit(cache=True)
def _note(log: Array, count: Array, n: int, p: int, q: int) -> Array:
    if count[0] == len(log):
        longer = np.empty((2 * len(log), 3), np.int32)
        longer[: len(log)] = log
        log = longer
    log[count[0], 0], log[count[0], 1], log[count[0], 2] = n, p, q
    count[0] += 1
    return log


@njit(cache=True)
def _do_swap(w: World, board: Board, log: Array, count: Array, swaps: Array, used: Array, p: int, q: int) -> Array:
    if board.token[p] < 0 and board.token[q] < 0:
        return log
    _swap(board, p, q)
    used[p], used[q] = count[0], count[0]
    swaps[w.module[p]] += 1
    return _note(log, count, -1, p, q)


@njit(cache=True)
def _walk(
    w: World, board: Board, log: Array, count: Array, swaps: Array, used: Array, p: int, q: int, stop: int
) -> Array:
    """Move what is on p along a shortest path until it is `stop` edges from q."""
    while _apart(w, p, q) > stop:
        step = _toward(w, p, q)
        log = _do_swap(w, board, log, count, swaps, used, p, step)
        p = step
    return log


@njit(cache=True)
def _nearest(w: World, board: Board, p: int, data_only: bool, free_only: bool) -> int:
    """The place nearest to p that is a data place, or free, or both."""
    m = w.module[p]
    found = -1
    for q in range(w.base[m], w.base[m + 1]):
        if (data_only and w.is_comm[q]) or (free_only and board.token[q] >= 0):
            continue
        if found < 0 or _apart(w, p, q) < _apart(w, p, found):
            found = q
    return found


@njit(cache=True)
def _force(w: World, board: Board, log: Array, count: Array, swaps: Array, used: Array, n: int) -> Array:
    """Bring about what a node needs, in all its modules."""
    kind, t = w.kind[n], w.t1[n]
    if kind == DATA_PLACE:
        p = board.place[t]
        return _walk(w, board, log, count, swaps, used, p, _nearest(w, board, p, True, False), 0)
    if kind == TOUCH:
        if w.strict[n]:
            p = board.place[w.t2[n]]
            log = _walk(w, board, log, count, swaps, used, p, _nearest(w, board, p, True, False), 0)
        return _walk(w, board, log, count, swaps, used, board.place[t], board.place[w.t2[n]], 1)
    if w.m1[n] >= 0:
        best, least = -1, 1 << 14
        for q in range(_first_comm(w, w.m1[n]), w.base[w.m1[n] + 1]):
            c = _to_free(w, board, q) + max(_apart(w, board.place[t], q) - 1, 0)
            if c < least:
                best, least = q, c
        log = _walk(w, board, log, count, swaps, used, _nearest(w, board, best, False, True), best, 0)
        log = _walk(w, board, log, count, swaps, used, board.place[t], best, 1)
    m = w.m2[n]
    if m >= 0:
        best, least = -1, 1 << 14
        for q in range(_first_comm(w, m), w.base[m + 1]):
            c = _apart(w, board.place[w.t2[n]], q) if w.backward else _to_free(w, board, q)
            if c < least:
                best, least = q, c
        p = board.place[w.t2[n]] if w.backward else _nearest(w, board, best, False, True)
        log = _walk(w, board, log, count, swaps, used, p, best, 0)
    return log


@njit(cache=True)
def _settle(w: World, board: Board, log: Array, count: Array, swaps: Array, used: Array) -> Array:
    """Data qubits leave communication places at the end."""
    for p in range(len(w.module)):
        if w.is_comm[p] and board.token[p] >= 0 and w.settled[board.token[p]]:
            # Free room comes along the path; what lies on it moves by one place.
            log = _walk(w, board, log, count, swaps, used, _nearest(w, board, p, True, True), p, 0)
    return log


@njit(cache=True)
def _mark(w: World, board: Board, n: int, m: int, active: Array) -> None:
    """Places whose SWAPs may bring a node nearer to what it needs in a module."""
    kind = w.kind[n]
    if kind == DATA_PLACE or kind == TOUCH:
        active[board.place[w.t1[n]]] = True
        if kind == TOUCH:
            active[board.place[w.t2[n]]] = True
        return
    if m == w.m1[n] and board.place[w.t1[n]] >= 0:
        active[board.place[w.t1[n]]] = True
    if w.backward and m == w.m2[n]:
        active[board.place[w.t2[n]]] = True
        return
    for q in range(_first_comm(w, m), w.base[m + 1]):
        active[q] = True
        if board.token[q] >= 0:
            active[_nearest(w, board, q, False, True)] = True


@njit(cache=True)
def _sum(w: World, board: Board, nodes: Array, number: int, m: int) -> float:
    total = 0.0
    for i in range(number):
        total += _cost(w, board, nodes[i], m)
    return total


@njit(cache=True)
def _execute(w: World, board: Board, log: Array, count: Array, used: Array, n: int) -> Array:
    """Note a node whose needs are met, and what it does to tokens."""
    kind = w.kind[n]
    if kind == PAIR:
        p = q = -1
        if w.m1[n] >= 0:
            p = _free_comm(w, board, w.m1[n], board.place[w.t1[n]], used)
            used[p] = count[0]
        if w.m2[n] >= 0:
            q = board.place[w.t2[n]] if w.backward else _free_comm(w, board, w.m2[n], -1, used)
            used[q] = count[0]
            if w.backward:
                _lift(board, w.t2[n])
            else:
                _put(board, w.t2[n], q)
        return _note(log, count, n, p, q)
    log = _note(log, count, n, -1, -1)
    t = w.ends[n]
    if t >= 0:
        if w.backward:
            comm = _first_comm(w, w.m1[n])
            _put(board, t, _nearest(w, board, min(comm, w.base[w.m1[n] + 1] - 1), False, True))
        else:
            used[board.place[t]] = count[0]
            _lift(board, t)
    return log


@njit(cache=True)
def route(w: World, place: Array, rng: Array) -> tuple[Array, Array]:
    """Route all nodes.

    Args:
        w: places and nodes.
        place: (T,) place of each token at the start, -1 for those that are not there yet; overwritten by those at the
            end.
        rng: state of the random generator, which breaks ties.

    Returns:
        (actions, SWAPs in each module); an action is (node, place of the pair in m1, in m2) or (-1, p, q): a SWAP.
    """
    num_places, modules = len(w.module), len(w.base) - 1
    board = Board(place, np.full(max(num_places, 1), -1, np.int32))
    for t in range(len(place)):
        if place[t] >= 0:
            board.token[place[t]] = t
    log, count = np.empty((2 * len(w.kind) + 64, 3), np.int32), np.zeros(1, np.int64)
    swaps, stuck, since = np.zeros(modules, np.int64), np.zeros(modules, np.int64), np.zeros(modules, np.int64)
    used = np.full(num_places, -1, np.int64)
    active, decay = np.zeros(num_places, np.bool_), np.ones(num_places)
    waits, done = w.waits.copy(), np.zeros(len(w.kind), np.bool_)
    blocked, waiting = np.empty(len(w.kind), np.int32), np.zeros(len(w.kind), np.bool_)
    size = 0
    for n in range(len(w.kind)):
        if waits[n] == 0:
            blocked[size] = n
            size += 1
    head = w.own_offsets[:-1].copy()
    front, ahead = np.empty(len(w.kind) + 1, np.int32), np.empty(_AHEAD, np.int32)
    while True:
        i = 0
        while i < size:
            n = blocked[i]
            ready = True
            if w.kind[n] != FREE:
                if w.m1[n] >= 0 and not _ready(w, board, n, w.m1[n], used):
                    ready = False
                if ready and w.m2[n] >= 0 and not _ready(w, board, n, w.m2[n], used):
                    ready = False
            if not ready:
                waiting[n] = True
                i += 1
                continue
            log = _execute(w, board, log, count, used, n)
            done[n] = True
            waiting[n] = False
            size -= 1
            blocked[i] = blocked[size]
            for j in range(w.succ_offsets[n], w.succ_offsets[n + 1]):
                s = w.succ[j]
                waits[s] -= 1
                if waits[s] == 0:
                    blocked[size] = s
                    size += 1
            if w.kind[n] != FREE or w.ends[n] >= 0:
                for m in (w.m1[n], w.m2[n]):
                    if m >= 0:
                        stuck[m] = since[m] = 0
                        decay[w.base[m] : w.base[m + 1]] = 1.0
                i = 0  # a place may have become free
        if size == 0:
            break
        first = blocked[0]
        for i in range(size):
            first = min(first, blocked[i])
        m = w.m1[first]
        if m < 0 or _ready(w, board, first, m, used):
            m = w.m2[first]
        if stuck[m] > 10 + 2 * (w.base[m + 1] - w.base[m]):
            log = _force(w, board, log, count, swaps, used, first)
            stuck[m] = 0
            continue
        number = 0
        active[w.base[m] : w.base[m + 1]] = False
        for i in range(size):
            if w.m1[blocked[i]] == m or w.m2[blocked[i]] == m:
                front[number] = blocked[i]
                number += 1
                _mark(w, board, blocked[i], m, active)
        while head[m] < w.own_offsets[m + 1] and done[w.own[head[m]]]:
            head[m] += 1
        more = 0
        for i in range(head[m], min(head[m] + _SCAN, w.own_offsets[m + 1])):
            n = w.own[i]
            if not done[n] and not waiting[n]:
                ahead[more] = n
                more += 1
                if more == _AHEAD:
                    break
        best, ties, chosen_p, chosen_q = 1e30, 0, -1, -1
        for p in range(w.base[m], w.base[m + 1]):
            for i in range(w.neighbour_offsets[p], w.neighbour_offsets[p + 1]):
                q = w.neighbours[i]
                if not (active[p] or active[q]) or q < p or (board.token[p] < 0 and board.token[q] < 0):
                    continue
                _swap(board, p, q)
                score = _sum(w, board, front, number, m) / number
                if more:
                    score += _WEIGHT * _sum(w, board, ahead, more, m) / more
                _swap(board, p, q)
                score *= max(decay[p], decay[q])
                if score < best - 1e-9:
                    best, ties, chosen_p, chosen_q = score, 1, p, q
                elif score < best + 1e-9:
                    ties += 1
                    if below(rng, ties) == 0:
                        chosen_p, chosen_q = p, q
        log = _do_swap(w, board, log, count, swaps, used, chosen_p, chosen_q)
        stuck[m] += 1
        since[m] += 1
        if since[m] % _FORGET == 0:
            decay[w.base[m] : w.base[m + 1]] = 1.0
        else:
            decay[chosen_p] += _DECAY
            decay[chosen_q] += _DECAY
    log = _settle(w, board, log, count, swaps, used)
    return log[: count[0]], swaps


__all__ = ["World", "route"]
