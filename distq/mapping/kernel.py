"""Compiled router: SABRE with places that hold free room for Bell pairs. Import late: it loads Numba.

The heuristic is that of Li, Ding and Xie (ASPLOS 2019, arXiv:1809.02573), with the layers of Qiskit's version: of the
SWAPs on edges next to something that blocked nodes want, the one is taken after which the blocked nodes, and with less
weight those in the layers behind them, are nearest to what they need. What they need is more than being neighbours: a
Bell pair needs a free communication place, at one end with its qubit beside it, and some operations need a data place.
Where this makes no progress for a while, the first blocked node is brought about on shortest paths, which is always
possible on a connected map.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.mapping.nodes import DATA_PLACE, FREE, PAIR, TOUCH
from distq.partition.kernels import below, inner

Array = NDArray[Any]
#: What a place that a SWAP has just used costs more, and after how many SWAPs this is forgotten.
_DECAY, _FORGET = 0.001, 5


#: Columns of `World.spot`: module, whether it is a communication place, edges to the nearest data place.
_MODULE, _COMM, _TO_DATA = 0, 1, 2
#: Columns of `World.node`, as in `Nodes`; the number of predecessors; what a copy that appears meets first, or -1.
_KIND, _M1, _M2, _T1, _T2, _STRICT, _ENDS, _WAITS, _MEETS = 0, 1, 2, 3, 4, 5, 6, 7, 8


class World(NamedTuple):
    """What does not change: places (see `Chart`) and nodes (see `Nodes`), in few arrays, which compile faster."""

    base: Array
    #: (P, 3)
    spot: Array
    neighbour_offsets: Array
    neighbours: Array
    distance: Array
    #: (N, 9)
    node: Array
    succ_offsets: Array
    succ: Array
    #: (T,) tokens that must be on a data place at the end.
    settled: Array
    #: Nodes run backwards: what ends appears, and the other way round.
    backward: bool


class Board(NamedTuple):
    """What changes: the place of each token (-1: none) and the token on each place (-1: free)."""

    place: Array
    token: Array


@inner
def _apart(w: World, a: int, b: int) -> int:
    return w.distance[a, b - w.base[w.spot[a, _MODULE]]]


@inner
def _to_free(w: World, board: Board, p: int) -> int:
    """Edges from a place to the nearest free one."""
    if board.token[p] < 0:
        return 0
    m = w.spot[p, _MODULE]
    least = 1 << 14
    for q in range(w.base[m], w.base[m + 1]):
        if board.token[q] < 0 and w.distance[p, q - w.base[m]] < least:
            least = w.distance[p, q - w.base[m]]
    return least


@inner
def _first_comm(w: World, m: int) -> int:
    """First communication place of a module; they are its last places."""
    p = w.base[m + 1]
    while p > w.base[m] and w.spot[p - 1, _COMM]:
        p -= 1
    return p


@inner
def _cost(w: World, board: Board, n: int, m: int) -> int:
    """How many SWAPs node n is away from what it needs in module m, about."""
    kind = w.node[n, _KIND]
    if kind == DATA_PLACE:
        p = board.place[w.node[n, _T1]]
        return 0 if p < 0 else w.spot[p, _TO_DATA]
    least = 1 << 14
    if kind == TOUCH:
        a, b = board.place[w.node[n, _T1]], board.place[w.node[n, _T2]]
        if a >= 0 and b >= 0:
            return _apart(w, a, b) - 1 + (w.spot[b, _TO_DATA] if w.node[n, _STRICT] else 0)
        if a < 0 and b < 0:
            return 0
        p = max(a, b)  # the other one will appear on a communication place
        for q in range(_first_comm(w, m), w.base[m + 1]):
            least = min(least, max(_apart(w, p, q) - 1, 0))
        return least
    if m == w.node[n, _M1]:
        p = board.place[w.node[n, _T1]]
        for q in range(_first_comm(w, m), w.base[m + 1]):
            c = _to_free(w, board, q)
            if p >= 0:
                c += max(_apart(w, p, q) - 1, 0)
            least = min(least, c)
        return least
    p = board.place[w.node[n, _T2]]
    for q in range(_first_comm(w, m), w.base[m + 1]):
        if w.backward:
            least = min(least, 0 if p < 0 else _apart(w, p, q))
        else:
            least = min(least, _to_free(w, board, q))
    return least


@inner
def _free_comm(w: World, board: Board, m: int, beside: int, used: Array) -> int:
    """The free communication place (next to place `beside`, if any) that was left longest ago; -1: none."""
    found = -1
    for q in range(_first_comm(w, m), w.base[m + 1]):
        if board.token[q] >= 0 or (beside >= 0 and _apart(w, beside, q) != 1):
            continue
        if found < 0 or used[q] < used[found]:
            found = q
    return found


@inner
def _ready(w: World, board: Board, n: int, m: int, used: Array) -> bool:
    kind = w.node[n, _KIND]
    if kind != PAIR:
        return _cost(w, board, n, m) == 0
    if m == w.node[n, _M1]:
        return _free_comm(w, board, m, board.place[w.node[n, _T1]], used) >= 0
    if w.backward:
        return w.spot[board.place[w.node[n, _T2]], _COMM]
    return _free_comm(w, board, m, -1, used) >= 0


@inner
def _lift(board: Board, t: int) -> None:
    if t >= 0 and board.place[t] >= 0:
        board.token[board.place[t]] = -1
        board.place[t] = -1


@inner
def _put(board: Board, t: int, p: int) -> None:
    if t >= 0:
        board.place[t] = p
        board.token[p] = t


@inner
def _swap(board: Board, p: int, q: int) -> None:
    a, b = board.token[p], board.token[q]
    board.token[p], board.token[q] = b, a
    if a >= 0:
        board.place[a] = q
    if b >= 0:
        board.place[b] = p


@inner
def _toward(w: World, p: int, q: int) -> int:
    """The neighbour of p on a shortest path to q."""
    for i in range(w.neighbour_offsets[p], w.neighbour_offsets[p + 1]):
        if _apart(w, w.neighbours[i], q) < _apart(w, p, q):
            return w.neighbours[i]
    return p


@inner
def _note(log: Array, count: Array, n: int, p: int, q: int) -> Array:
    if count[0] == len(log):
        longer = np.empty((2 * len(log), 3), np.int32)
        longer[: len(log)] = log
        log = longer
    log[count[0], 0], log[count[0], 1], log[count[0], 2] = n, p, q
    count[0] += 1
    return log


@inner
def _do_swap(w: World, board: Board, log: Array, count: Array, swaps: Array, used: Array, p: int, q: int) -> Array:
    if board.token[p] < 0 and board.token[q] < 0:
        return log
    _swap(board, p, q)
    used[p], used[q] = count[0], count[0]
    swaps[w.spot[p, _MODULE]] += 1
    return _note(log, count, -1, p, q)


@inner
def _nearest(w: World, board: Board, p: int, data_only: bool, free_only: bool) -> int:
    """The place nearest to p that is a data place, or free, or both."""
    m = w.spot[p, _MODULE]
    found = -1
    for q in range(w.base[m], w.base[m + 1]):
        if (data_only and w.spot[q, _COMM]) or (free_only and board.token[q] >= 0):
            continue
        if found < 0 or _apart(w, p, q) < _apart(w, p, found):
            found = q
    return found


@inner
def _goal(w: World, board: Board, n: int, phase: int) -> tuple[int, int, int]:
    """What to move (from place, toward place, up to so many edges) in each phase of bringing about a node; -1: nothing.

    Phase 0: a token goes to a data place. 1: two tokens become neighbours. 2: room comes to a communication place in
    module m1, 3: and the qubit beside it. 4: what module m2 needs on a communication place.
    """
    kind, t = w.node[n, _KIND], w.node[n, _T1]
    m = w.node[n, _M2] if phase == 4 else w.node[n, _M1]
    if m < 0 or (phase >= 2) != (kind == PAIR) or (phase == 1 and kind != TOUCH):
        return -1, -1, 0
    if phase == 0:
        if kind == TOUCH:
            if w.node[n, _STRICT] == 0:
                return -1, -1, 0
            t = w.node[n, _T2]
        return board.place[t], _nearest(w, board, board.place[t], True, False), 0
    if phase == 1:
        return board.place[t], board.place[w.node[n, _T2]], 1
    token = board.place[t] if phase < 4 else (board.place[w.node[n, _T2]] if w.backward else -1)
    best, least = -1, 1 << 14
    for q in range(_first_comm(w, m), w.base[m + 1]):
        if phase == 3 and board.token[q] >= 0:
            continue
        c = 0 if phase == 4 and w.backward else _to_free(w, board, q)
        if token >= 0:
            c += max(_apart(w, token, q) - (1 if phase < 4 else 0), 0)
        if c < least:
            best, least = q, c
    if phase == 3:
        return token, best, 1
    if phase == 4 and w.backward:
        return token, best, 0
    return _nearest(w, board, best, False, True), best, 0


@inner
def _force(w: World, board: Board, log: Array, count: Array, swaps: Array, used: Array, n: int) -> Array:
    """Bring about what a node needs, in all its modules; -1: data qubits leave communication places at the end."""
    places = len(w.spot)
    # Data may pass other communication places on their way out: several rounds.
    for phase in range(5 if n >= 0 else 8 * places):
        if n >= 0:
            p, q, stop = _goal(w, board, n, phase)
        else:
            p, q, stop = -1, phase % places, 0
            if w.spot[q, _COMM] and board.token[q] >= 0 and w.settled[board.token[q]]:
                # Free room comes along the path; what lies on it moves by one place.
                p = _nearest(w, board, q, True, True)
        while p >= 0 and _apart(w, p, q) > stop:
            step = _toward(w, p, q)
            log = _do_swap(w, board, log, count, swaps, used, p, step)
            p = step
    return log


@inner
def _undo(w: World, board: Board, log: Array, count: Array, swaps: Array, m: int, number: int) -> None:
    """Take back the last SWAPs of a module, between which it did nothing else."""
    i = count[0] - 1
    while number > 0:
        if log[i, 0] == -1 and w.spot[log[i, 1], _MODULE] == m:
            _swap(board, log[i, 1], log[i, 2])
            log[i, 0] = -2
            swaps[m] -= 1
            number -= 1
        i -= 1


@inner
def _mark(w: World, board: Board, n: int, m: int, active: Array) -> None:
    """Places whose SWAPs may bring a node nearer to what it needs in a module."""
    kind = w.node[n, _KIND]
    if kind != PAIR:
        active[board.place[w.node[n, _T1]]] = True
        if kind == TOUCH:
            active[board.place[w.node[n, _T2]]] = True
        return
    if m == w.node[n, _M1] and board.place[w.node[n, _T1]] >= 0:
        active[board.place[w.node[n, _T1]]] = True
    if w.backward and m == w.node[n, _M2]:
        active[board.place[w.node[n, _T2]]] = True
        return
    for q in range(_first_comm(w, m), w.base[m + 1]):
        active[q] = True
        if board.token[q] >= 0:
            active[_nearest(w, board, q, False, True)] = True


@inner
def _sum(w: World, board: Board, nodes: Array, number: int, m: int) -> float:
    total = 0.0
    for i in range(number):
        total += _cost(w, board, nodes[i], m)
    return total


@inner
def _next_layer(w: World, waits: Array, layer: Array, number: int, met: Array, touched: Array) -> int:
    """Replace a layer of nodes by those that can be done when all of it is done; returns how many.

    `touched[:met[0]]` collects the nodes whose entry in `waits` was lowered, once for each time.
    """
    # Nodes on one qubit in between cost little: they are passed at once.
    size, touches = 0, met[0]
    i = touches
    for j in range(number):
        n = layer[j]
        for s in range(w.succ_offsets[n], w.succ_offsets[n + 1]):
            touched[touches] = w.succ[s]
            touches += 1
    while i < touches:
        s = touched[i]
        i += 1
        waits[s] -= 1
        if waits[s] != 0:
            continue
        if w.node[s, _KIND] == TOUCH or w.node[s, _KIND] == PAIR:
            layer[size] = s
            size += 1
        else:
            for j in range(w.succ_offsets[s], w.succ_offsets[s + 1]):
                touched[touches] = w.succ[j]
                touches += 1
    met[0] = touches
    return size


@inner
def _entrance(w: World, board: Board, n: int, used: Array) -> int:
    """The free communication place for the copy that a pair brings: near to what it meets, or left longest ago."""
    m, partner = w.node[n, _M2], w.node[n, _MEETS]
    found = _free_comm(w, board, m, -1, used)
    if partner < 0 or board.place[partner] < 0:
        return found
    for q in range(_first_comm(w, m), w.base[m + 1]):
        if board.token[q] < 0 and _apart(w, board.place[partner], q) < _apart(w, board.place[partner], found):
            found = q
    return found


@inner
def _execute(w: World, board: Board, log: Array, count: Array, used: Array, n: int) -> Array:
    """Note a node whose needs are met, and what it does to tokens."""
    kind = w.node[n, _KIND]
    if kind == PAIR:
        p = q = -1
        if w.node[n, _M1] >= 0:
            p = _free_comm(w, board, w.node[n, _M1], board.place[w.node[n, _T1]], used)
            used[p] = count[0]
        if w.node[n, _M2] >= 0:
            q = board.place[w.node[n, _T2]] if w.backward else _entrance(w, board, n, used)
            used[q] = count[0]
            if w.backward:
                _lift(board, w.node[n, _T2])
            else:
                _put(board, w.node[n, _T2], q)
        return _note(log, count, n, p, q)
    log = _note(log, count, n, -1, -1)
    t = w.node[n, _ENDS]
    if t >= 0:
        if w.backward:
            comm = _first_comm(w, w.node[n, _M1])
            _put(board, t, _nearest(w, board, min(comm, w.base[w.node[n, _M1] + 1] - 1), False, True))
        else:
            used[board.place[t]] = count[0]
            _lift(board, t)
    return log


@njit(cache=True)
def route(w: World, place: Array, layers: Array, rng: Array) -> tuple[Array, Array]:
    """Route all nodes.

    Args:
        w: places and nodes.
        place: (T,) place of each token at the start, -1 for those that are not there yet; overwritten by those at the
            end.
        layers: weights of the layers of nodes behind the blocked ones; each is divided by the places of the module.
        rng: state of the random generator, which breaks ties.

    Returns:
        (actions, SWAPs in each module); an action is (node, place of the pair in m1, in m2) or (-1, p, q): a SWAP;
        -2 stands for one that was taken back.
    """
    num_places, modules = len(w.spot), len(w.base) - 1
    board = Board(place, np.full(max(num_places, 1), -1, np.int32))
    for t in range(len(place)):
        if place[t] >= 0:
            board.token[place[t]] = t
    log, count = np.empty((2 * len(w.node) + 64, 3), np.int32), np.zeros(1, np.int64)
    swaps, stuck, since = np.zeros(modules, np.int64), np.zeros(modules, np.int64), np.zeros(modules, np.int64)
    used = np.full(num_places, -1, np.int64)
    active, decay = np.zeros(num_places, np.bool_), np.ones(num_places)
    waits = w.node[:, _WAITS].copy()
    blocked = np.empty(len(w.node), np.int32)
    size = 0
    for n in range(len(w.node)):
        if waits[n] == 0:
            blocked[size] = n
            size += 1
    front, ahead = np.empty(len(w.node) + 1, np.int32), np.empty(len(w.node) + 1, np.int32)
    layer, weight = np.empty(len(w.node) + 1, np.int32), np.empty(len(w.node) + 1)
    touched, met = np.empty(len(w.succ) + 1, np.int32), np.zeros(1, np.int64)
    while True:
        i = 0
        while i < size:
            n = blocked[i]
            ready = True
            if w.node[n, _KIND] != FREE:
                if w.node[n, _M1] >= 0 and not _ready(w, board, n, w.node[n, _M1], used):
                    ready = False
                if ready and w.node[n, _M2] >= 0 and not _ready(w, board, n, w.node[n, _M2], used):
                    ready = False
            if not ready:
                i += 1
                continue
            log = _execute(w, board, log, count, used, n)
            size -= 1
            blocked[i] = blocked[size]
            for j in range(w.succ_offsets[n], w.succ_offsets[n + 1]):
                s = w.succ[j]
                waits[s] -= 1
                if waits[s] == 0:
                    blocked[size] = s
                    size += 1
            if w.node[n, _KIND] != FREE or w.node[n, _ENDS] >= 0:
                for m in (w.node[n, _M1], w.node[n, _M2]):
                    if m >= 0:
                        stuck[m] = since[m] = 0
                        decay[w.base[m] : w.base[m + 1]] = 1.0
                i = 0  # a place may have become free
        if size == 0:
            break
        first = blocked[0]
        for i in range(size):
            first = min(first, blocked[i])
        m = w.node[first, _M1]
        if m < 0 or _ready(w, board, first, m, used):
            m = w.node[first, _M2]
        if stuck[m] > 5 + (w.base[m + 1] - w.base[m]) // 2:
            _undo(w, board, log, count, swaps, m, stuck[m])
            log = _force(w, board, log, count, swaps, used, first)
            stuck[m] = 0
            continue
        number = 0
        active[w.base[m] : w.base[m + 1]] = False
        for i in range(size):
            if w.node[blocked[i], _M1] == m or w.node[blocked[i], _M2] == m:
                front[number] = blocked[i]
                number += 1
                _mark(w, board, blocked[i], m, active)
        met[0], more = 0, 0
        layer[:number] = front[:number]
        size_now = number
        for depth in range(len(layers)):
            size_now = _next_layer(w, waits, layer, size_now, met, touched)
            for i in range(size_now):
                if w.node[layer[i], _M1] == m or w.node[layer[i], _M2] == m:
                    ahead[more] = layer[i]
                    weight[more] = layers[depth] / (w.base[m + 1] - w.base[m])
                    more += 1
        for i in range(met[0]):
            waits[touched[i]] += 1
        best, ties, chosen_p, chosen_q = 1e30, 0, -1, -1
        for p in range(w.base[m], w.base[m + 1]):
            for i in range(w.neighbour_offsets[p], w.neighbour_offsets[p + 1]):
                q = w.neighbours[i]
                if not (active[p] or active[q]) or q < p or (board.token[p] < 0 and board.token[q] < 0):
                    continue
                _swap(board, p, q)
                score = _sum(w, board, front, number, m)
                for j in range(more):
                    score += weight[j] * _cost(w, board, ahead[j], m)
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
    log = _force(w, board, log, count, swaps, used, -1)
    return log[: count[0]], swaps


__all__ = ["World", "route"]
