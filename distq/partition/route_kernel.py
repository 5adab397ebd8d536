"""Numba kernel: a beam search for when copies go and qubits change places where copies cannot be relayed everywhere.

States are sorted by the ebits that they have paid; of as many ebits those are kept from which least seems to be left.
What is left is estimated from the homes for the next nodes (a gate between modules that no copy can join costs more;
gates of one packet that a copy serves together share its price), and as a mean for all others. Import this module late:
it loads Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from distq.partition.kernels import inner
from distq.partition.route_state import (
    EXCHANGE,
    FETCH,
    SHIFT,
    act,
    begin,
    is_ready,
    settle,
    site_of,
    slot_of,
)

#: Buckets of states by ebits; no action costs as much. Candidates of a state: exchanges, and copies.
RING, EXCHANGES, FETCHES = 16, 8, 10


@inner
def price(r: Any, a: Any, b: Any, far: Any) -> Any:
    """Ebits that a gate between qubits in two modules is thought to cost."""
    if a == b:
        return 0.0
    if r.distance[a, b] >= 0:
        return float(r.distance[a, b])
    return 1.0 + far * (r.hops[a, b] - 1)


@inner
def near_nodes(r: Any, done: Any, first: Any, window: Any) -> Any:
    """The next nodes with two legs, in the order of rows; how many."""
    count = 0
    x = first
    last = min(r.num_nodes, first + 4 * len(window))
    while x < last and count < len(window):
        if not done[x] and r.node_offsets[x + 1] == r.node_offsets[x] + 2:
            window[count] = x
            count += 1
        x += 1
    return count


@inner
def share_out(r: Any, st: Any, window: Any, count: Any, shared: Any, sign: Any) -> None:
    """Count gates of each packet by the home of their other leg; sign -1 clears the counts."""
    k = r.num_modules
    for j in range(count):
        i = r.node_offsets[window[j]]
        a, b = st[r.leg_qubit[i]], st[r.leg_qubit[i + 1]]
        if sign < 0:
            shared[r.leg_packet[i] * k + b] = 0
            shared[r.leg_packet[i + 1] * k + a] = 0
        else:
            shared[r.leg_packet[i] * k + b] += 1
            shared[r.leg_packet[i + 1] * k + a] += 1


@inner
def ahead(r: Any, st: Any, window: Any, count: Any, shared: Any, weight: Any, far: Any, mean: Any) -> Any:
    """What the next nodes cost more than others, by present homes."""
    k = r.num_modules
    share_out(r, st, window, count, shared, 1)
    total = 0.0
    for j in range(count):
        i = r.node_offsets[window[j]]
        p, q = r.leg_qubit[i], r.leg_qubit[i + 1]
        a, b = st[p], st[q]
        paid = 0.0
        if a != b:
            s = max(shared[r.leg_packet[i] * k + b], shared[r.leg_packet[i + 1] * k + a])
            held = (slot_of(r, st, p, b) >= 0 and r.segment_packet[st[r.segment + p]] == r.leg_packet[i]) or (
                slot_of(r, st, q, a) >= 0 and r.segment_packet[st[r.segment + q]] == r.leg_packet[i + 1]
            )
            if not held:
                paid = price(r, a, b, far) / s
        total += weight[j] * (paid - mean)
    share_out(r, st, window, count, shared, -1)
    return total


@inner
def pulls(r: Any, st: Any, window: Any, count: Any, shared: Any, weight: Any, far: Any, pull: Any) -> None:
    """What the next nodes of each qubit would cost with its home in each module."""
    k = r.num_modules
    pull[:] = 0.0
    share_out(r, st, window, count, shared, 1)
    for j in range(count):
        i = r.node_offsets[window[j]]
        p, q = r.leg_qubit[i], r.leg_qubit[i + 1]
        a, b = st[p], st[q]
        s = weight[j] / max(shared[r.leg_packet[i] * k + b], shared[r.leg_packet[i + 1] * k + a])
        for m in range(k):
            pull[p, m] += s * price(r, m, b, far)
            pull[q, m] += s * price(r, a, m, far)
    share_out(r, st, window, count, shared, -1)


@inner
def put(todo: Any, worth: Any, begin_: Any, end: Any, value: Any, kind: Any, a: Any, b: Any) -> None:
    """Note a candidate among rows begin_..end-1, which hold those with the least values, if it is one of these."""
    if value >= worth[end - 1]:
        return
    i = end - 1
    while i > begin_ and worth[i - 1] > value:
        worth[i] = worth[i - 1]
        todo[i, 0], todo[i, 1], todo[i, 2] = todo[i - 1, 0], todo[i - 1, 1], todo[i - 1, 2]
        i -= 1
    worth[i] = value
    todo[i, 0], todo[i, 1], todo[i, 2] = kind, a, b


@inner
def candidates(
    r: Any, st: Any, done: Any, window: Any, count: Any, shared: Any, weight: Any, far: Any, pull: Any,
    todo: Any, worth: Any,
) -> None:  # fmt: skip
    """The exchanges, moves and copies that promise most."""
    worth[:] = 1e18
    todo[:] = -1
    pulls(r, st, window, count, shared, weight, far, pull)
    n, end = r.num_qubits, EXCHANGES + FETCHES
    for p in range(n):
        a = st[p]
        if not r.movable[p]:
            continue
        for m in range(r.num_modules):
            if m == a or not r.linked[a, m]:
                continue
            gain = pull[p, m] - pull[p, a]
            if st[r.load + m] < r.data[m]:
                put(todo, worth, 0, EXCHANGES, gain + 1.0 - (slot_of(r, st, p, m) >= 0), SHIFT, p, m)
        for q in range(p + 1, n):
            b = st[q]
            if not r.linked[a, b] or not r.movable[q]:
                continue
            gain = pull[p, b] - pull[p, a] + pull[q, a] - pull[q, b]
            if gain < 3.0:
                ready = slot_of(r, st, p, b) >= 0
                put(todo, worth, 0, EXCHANGES, gain + 3.0 - ready, EXCHANGE, p, q)
                ready = slot_of(r, st, q, a) >= 0
                put(todo, worth, 0, EXCHANGES, gain + 3.0 - ready, EXCHANGE, q, p)
    tried = 0
    for j in range(count):
        x = window[j]
        if not is_ready(r, st, done, x) or site_of(r, st, x) >= 0:
            continue
        tried += 1
        if tried > 4 * FETCHES:
            break
        i = r.node_offsets[x]
        for side in range(2):
            p, q = r.leg_qubit[i + side], r.leg_qubit[i + 1 - side]
            known = False
            for c in range(EXCHANGES, end):
                known = known or (todo[c, 1] == p and todo[c, 2] == st[q])
            if not known and r.distance[st[p], st[q]] > 0:
                served = 0
                for y in range(j, count):
                    g = r.node_offsets[window[y]]
                    for z in range(2):
                        if r.leg_packet[g + z] == r.leg_packet[i + side] and st[r.leg_qubit[g + 1 - z]] == st[q]:
                            served += 1
                value = r.distance[st[p], st[q]] - 1.0 * served + 0.02 * j
                put(todo, worth, EXCHANGES, end, value, FETCH, p, st[q])


@inner
def mark(r: Any, st: Any) -> Any:
    """A number that states which are the same have in common."""
    value = np.uint64(14695981039346656037)
    for i in range(r.size):
        value = (value ^ np.uint64(st[i] + 1)) * np.uint64(1099511628211)
    return value


@njit(cache=True)
def first_nodes(r: Any, st: Any, done: Any, homes: Any, stack: Any, log: Any) -> Any:
    """Begin, and carry out all that costs nothing; how many nodes with two legs that were."""
    begin(r, st, done, homes)
    count = 0
    for x in range(r.num_nodes):
        stack[0] = x
        count += settle(r, st, done, stack, 1, log)
    return count


@njit(cache=True)
def replay(r: Any, st: Any, done: Any, homes: Any, actions: Any, stack: Any, log: Any) -> Any:
    """Write the script of some actions, the last of which stands first; returns the ebits."""
    first_nodes(r, st, done, homes, stack, log)
    total = 0
    for i in range(len(actions) - 1, -1, -1):
        cost, _ = act(r, st, done, actions[i, 0], actions[i, 1], actions[i, 2], stack, log)
        total += cost
    return total


@njit(cache=True)
def beam(
    r: Any, homes: Any, width: Any, weight: Any, far: Any, mean: Any, least: Any, budget: Any, history: Any
) -> Any:
    """Search from some homes; (ebits or -1, last row of `history`, work).

    Gives up where nothing below `least` ebits is found, `history` (parent, kind, a, b) is full, or the budget spent.
    """
    size, nodes, n, k = r.size, r.num_nodes, r.num_qubits, r.num_modules
    states = np.empty((RING, width, size), np.int32)
    dones = np.empty((RING, width, nodes), np.uint8)
    firsts = np.zeros((RING, width), np.int32)
    lefts = np.zeros((RING, width), np.int32)
    values = np.zeros((RING, width))
    marks = np.zeros((RING, width), np.uint64)
    rows = np.zeros((RING, width), np.int32)
    counts = np.zeros(RING, np.int32)
    st, done = np.empty(size, np.int32), np.empty(nodes, np.uint8)
    window = np.empty(len(weight), np.int32)
    shared = np.zeros(len(r.leg_packet) * k + k, np.int32)
    pull = np.zeros((n, k))
    stack = np.empty(4 * len(r.leg_qubit) + 64, np.int32)
    todo = np.empty((EXCHANGES + FETCHES, 3), np.int32)
    worth = np.empty(EXCHANGES + FETCHES)
    none = np.zeros((1, 4), np.int32)
    left = 0
    for x in range(nodes):
        left += r.node_offsets[x + 1] == r.node_offsets[x] + 2
    left -= first_nodes(r, st, done, homes, stack, none)
    states[0, 0], dones[0, 0], lefts[0, 0], rows[0, 0], counts[0] = st, done, left, 0, 1
    used, work = 1, 0
    empty = 0
    for paid in range(least):
        now = paid % RING
        if counts[now] == 0:
            empty += 1
            if empty >= RING:
                break
            continue
        empty = 0
        for i in range(counts[now]):
            if lefts[now, i] == 0:
                return paid, rows[now, i], work
        i = -1
        while i + 1 < counts[now]:  # what costs nothing adds to this bucket
            i += 1
            if lefts[now, i] == 0:
                return paid, rows[now, i], work
            if work > budget:
                return -1, 0, work
            count = near_nodes(r, dones[now, i], firsts[now, i], window)
            candidates(r, states[now, i], dones[now, i], window, count, shared, weight, far, pull, todo, worth)
            work += n * n // 2 + 4 * count
            for c in range(len(todo)):
                if todo[c, 0] < 0:
                    continue
                st[:] = states[now, i]
                done[:] = dones[now, i]
                cost, made = act(r, st, done, todo[c, 0], todo[c, 1], todo[c, 2], stack, none)
                work += nodes // 16 + size // 4 + 2 * count + 20
                if cost < 0 or cost >= RING:
                    continue
                first = firsts[now, i]
                while first < nodes and done[first]:
                    first += 1
                left = lefts[now, i] - made
                count2 = near_nodes(r, done, first, window)
                value = left * mean + ahead(r, st, window, count2, shared, weight, far, mean)
                b = (paid + cost) % RING
                worst, place = value, -1
                same = False
                number = mark(r, st)
                for j in range(counts[b]):
                    if marks[b, j] == number:
                        same = True
                        break
                    if values[b, j] > worst:
                        worst, place = values[b, j], j
                if same:
                    continue
                if counts[b] < width:
                    place = counts[b]
                    counts[b] += 1
                elif b == now:
                    continue
                if place < 0:
                    continue
                if used >= len(history):
                    return -1, 0, work
                history[used, 0], history[used, 1] = rows[now, i], todo[c, 0]
                history[used, 2], history[used, 3] = todo[c, 1], todo[c, 2]
                states[b, place], dones[b, place] = st, done
                firsts[b, place], lefts[b, place], values[b, place] = first, left, value
                marks[b, place], rows[b, place] = number, used
                used += 1
        counts[now] = 0
    return -1, 0, work
