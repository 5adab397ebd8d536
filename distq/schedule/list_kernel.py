"""Compiled event-driven list scheduling. Import late: it brings in Numba.

Time goes from event to event. A node begins when everything it waits for has ended; a Bell pair also needs a generator
of its link, behind a switch fabric a port, and where it is purified spare communication qubits at both ends. Of the
pairs that wait for the same of these the one with the longest path behind it goes first (Hu, Operations Research 9, 841
(1961), doi:10.1287/opre.9.6.841).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True)
def _push(keys: Array, values: Array, first: int, size: int, key: float, value: int) -> None:
    """Add to the binary heap that begins at `first` and holds `size` entries."""
    i = size
    while i > 0:
        up = (i - 1) // 2
        k, v = keys[first + up], values[first + up]
        if (k, v) <= (key, value):
            break
        keys[first + i], values[first + i] = k, v
        i = up
    keys[first + i], values[first + i] = key, value


@njit(cache=True)
def _pop(keys: Array, values: Array, first: int, size: int) -> int:
    """Remove the least entry of a heap and return its value."""
    result = values[first]
    size -= 1
    key, value = keys[first + size], values[first + size]
    i = 0
    while 2 * i + 1 < size:
        down = 2 * i + 1
        if down + 1 < size and (keys[first + down + 1], values[first + down + 1]) < (
            keys[first + down],
            values[first + down],
        ):
            down += 1
        if (key, value) <= (keys[first + down], values[first + down]):
            break
        keys[first + i], values[first + i] = keys[first + down], values[first + down]
        i = down
    keys[first + i], values[first + i] = key, value
    return result


@njit(cache=True)
def _port(port_offsets: Array, port_free: Array, port_link: Array, fabric: int, link: int) -> int:
    """A free port of a fabric: one set to this link, else one never used, else the first; -1 if none is free."""
    best, score = -1, 3
    for p in range(port_offsets[fabric], port_offsets[fabric + 1]):
        if port_free[p]:
            s = 0 if port_link[p] == link else 1 if port_link[p] < 0 else 2
            if s < score:
                best, score = p, s
    return best


@njit(cache=True)
def _spare(spare_offsets: Array, spare_free: Array, module: int) -> int:
    """Spare communication qubits of a module that are free; -1 if none are, -2 if none are needed (no module)."""
    if module < 0:
        return -2
    for u in range(spare_offsets[module], spare_offsets[module + 1]):
        if spare_free[u]:
            return u
    return -1


@njit(cache=True)
def list_schedule(
    duration: Array,
    succ_offsets: Array,
    succs: Array,
    indegree: Array,
    priority: Array,
    link: Array,
    generator_offsets: Array,
    fabric: Array,
    port_offsets: Array,
    reconfiguration: Array,
    pool: Array,
    spare_offsets: Array,
    anchor: Array,
    lag: Array,
) -> tuple[Array, Array, Array, Array, int]:
    """Order, generator, port and spare communication qubits of every node.

    `link` is that of Bell pairs, else -1; `generator_offsets` number each link's generators, `port_offsets` each
    fabric's ports, `spare_offsets` each module's spare sets of communication qubits; `pool` (links, 2) are the modules
    where a pair needs one, else -1. A pair begins no earlier than `lag` behind the start of its `anchor` (-1: no such
    rule, -2: no earlier than the time `lag`).

    Returns:
        nodes in the order in which they begin; generator and port of each pair, else -1; (nodes, 2) its spare
        sets, else below 0; how many nodes began.
    """
    n, links = len(duration), len(fabric)
    remaining = indegree.copy()
    start = np.zeros(n, np.float64)
    order = np.empty(n, np.int64)
    generator, port = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    spare, spare_free = np.full((n, 2), -1, np.int64), np.ones(spare_offsets[-1], np.bool_)
    begun = 0
    event_key, event = np.empty(2 * n + 1, np.float64), np.empty(2 * n + 1, np.int64)
    events = 0
    # Pairs that wait, a heap for each link.
    offsets = np.zeros(links + 1, np.int64)
    for i in range(n):
        if link[i] >= 0:
            offsets[link[i] + 1] += 1
    offsets = np.cumsum(offsets)
    wait_key, wait = np.empty(offsets[-1], np.float64), np.empty(offsets[-1], np.int64)
    waiting = np.zeros(links, np.int64)
    generator_free = np.ones(generator_offsets[-1], np.bool_)
    port_free = np.ones(port_offsets[-1], np.bool_)
    port_link = np.full(port_offsets[-1], -1, np.int64)
    # Pairs by their anchor.
    next_anchored, first_anchored = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    ready = np.empty(n, np.int64)
    for i in range(n - 1, -1, -1):
        if anchor[i] >= 0:
            remaining[i] += 1
            next_anchored[i] = first_anchored[anchor[i]]
            first_anchored[anchor[i]] = i
        elif anchor[i] == -2:
            remaining[i] += 1
            _push(event_key, event, 0, events, lag[i], n + i)
            events += 1
    num_ready = 0
    for i in range(n):
        if remaining[i] == 0:
            ready[num_ready] = i
            num_ready += 1
    now = 0.0
    while True:
        # What is ready begins; pairs queue.
        for r in range(num_ready):
            i = ready[r]
            if link[i] >= 0:
                _push(wait_key, wait, offsets[link[i]], waiting[link[i]], -priority[i], i)
                waiting[link[i]] += 1
                continue
            start[i] = now
            order[begun] = i
            begun += 1
            _push(event_key, event, 0, events, now + duration[i], i)
            events += 1
            a = first_anchored[i]
            while a >= 0:
                _push(event_key, event, 0, events, now + lag[a], n + a)
                events += 1
                a = next_anchored[a]
        num_ready = 0
        if events == 0 or event_key[0] > now:
            # Nothing more happens at this time: generators choose.
            while True:
                best, best_key = -1, 0.0
                for x in range(links):
                    if waiting[x] == 0 or (best >= 0 and wait_key[offsets[x]] >= best_key):
                        continue
                    free = False
                    for g in range(generator_offsets[x], generator_offsets[x + 1]):
                        free = free or generator_free[g]
                    for side in range(2):
                        free = free and _spare(spare_offsets, spare_free, pool[x, side]) != -1
                    if free and (fabric[x] < 0 or _port(port_offsets, port_free, port_link, fabric[x], x) >= 0):
                        best, best_key = x, wait_key[offsets[x]]
                if best < 0:
                    break
                i = _pop(wait_key, wait, offsets[best], waiting[best])
                waiting[best] -= 1
                for g in range(generator_offsets[best], generator_offsets[best + 1]):
                    if generator_free[g]:
                        generator[i] = g
                        break
                generator_free[generator[i]] = False
                for side in range(2):
                    spare[i, side] = _spare(spare_offsets, spare_free, pool[best, side])
                    if spare[i, side] >= 0:
                        spare_free[spare[i, side]] = False
                occupied = duration[i]
                if fabric[best] >= 0:
                    p = _port(port_offsets, port_free, port_link, fabric[best], best)
                    if port_link[p] >= 0 and port_link[p] != best:
                        occupied += reconfiguration[fabric[best]]
                    port[i], port_link[p], port_free[p] = p, best, False
                start[i] = now
                order[begun] = i
                begun += 1
                _push(event_key, event, 0, events, now + occupied, i)
                events += 1
        if events == 0:
            return order, generator, port, spare, begun
        now = event_key[0]
        # One event at a time: what it sets free begins before the next.
        i = _pop(event_key, event, 0, events)
        events -= 1
        if i >= n:
            i -= n
            remaining[i] -= 1
            if remaining[i] == 0:
                ready[num_ready] = i
                num_ready += 1
            continue
        if link[i] >= 0:
            generator_free[generator[i]] = True
            for side in range(2):
                if spare[i, side] >= 0:
                    spare_free[spare[i, side]] = True
            if port[i] >= 0:
                port_free[port[i]] = True
        for j in range(succ_offsets[i], succ_offsets[i + 1]):
            s = succs[j]
            remaining[s] -= 1
            if remaining[s] == 0:
                ready[num_ready] = s
                num_ready += 1
