"""Numba kernel of the static search: qubits move or exchange homes and take their gates along.

Import this module late: it loads Numba.
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


@inner
def move_qubit(s: Any, v: Any, at: Any, q: Any, b: Any) -> Any:
    """Give qubit q the home b, sites unchanged; returns the change of energy."""
    a = v[at.home + q]
    delta = 0
    if at.tight:
        delta -= lack_around(s, v, at, q)
    for i in range(s[at.pin_offsets + q], s[at.pin_offsets + q + 1]):
        e = s[at.pin_net + i]
        slot = s[at.pin_slot + i]
        delta += shift(s, v, at, e, a, b, 2 if slot == 2 else 1)
        if slot != 1:
            v[at.net_home + 2 * e] = b
        if slot != 0:
            v[at.net_home + 2 * e + 1] = b
    if at.tight:
        delta += lack_around(s, v, at, q)
    v[at.home + q] = b
    v[at.load + a] -= 1
    v[at.load + b] += 1
    return delta


@inner
def lack_around(s: Any, v: Any, at: Any, q: Any) -> Any:
    """Energy of missing communication qubits at the nodes of qubit q."""
    total = 0
    for i in range(s[at.pin_offsets + q], s[at.pin_offsets + q + 1]):
        e = s[at.pin_net + i]
        for j in range(s[at.net_offsets + e], s[at.net_offsets + e + 1]):
            g = s[at.net_nodes + j]
            total += lack(s, v, at, g, v[at.site + g])
    return total


@inner
def drag(s: Any, v: Any, at: Any, q: Any, rng: Any, journal: Any, used: Any) -> Any:  # pragma: no cover
    """Best sites for the nodes of qubit q, one by one; (change of energy, journal rows used, work)."""
    total = 0
    work = 0
    for i in range(s[at.pin_offsets + q], s[at.pin_offsets + q + 1]):
        e = s[at.pin_net + i]
        delta, used = settle_net(s, v, at, e, -1, -1, rng, journal, used)
        total += delta
        work += s[at.net_offsets + e + 1] - s[at.net_offsets + e]
    return total, used, work


@inner
def try_exchange(s: Any, v: Any, at: Any, q: Any, r: Any, b: Any, rng: Any, heat: Any, journal: Any) -> Any:
    """Qubit q goes to b, and r, if >= 0, to q's home, with their gates; (accepted change, work)."""
    a = v[at.home + q]
    delta = move_qubit(s, v, at, q, b)
    if r >= 0:
        delta += move_qubit(s, v, at, r, a)
    gain, used, work = drag(s, v, at, q, rng, journal, 0)
    delta += gain
    if r >= 0:
        gain, used, more = drag(s, v, at, r, rng, journal, used)
        delta += gain
        work += more
    if delta > 0 and uniform(rng) >= np.exp(-delta * heat):
        undo(s, v, at, journal, used)
        move_qubit(s, v, at, q, a)
        if r >= 0:
            move_qubit(s, v, at, r, b)
        return 0, work + 2
    return delta, work + 2


@inner
def propose(s: Any, v: Any, at: Any, rng: Any) -> Any:
    """A qubit, a partner (-1: none) and a module to go to (-1: nothing found)."""
    count = at.num_movable
    q = s[at.movable + below(rng, count)]
    a = v[at.home + q]
    b = a
    pins = s[at.pin_offsets + q + 1] - s[at.pin_offsets + q]
    if pins > 0 and below(rng, 4) > 0:
        # Where one of its gates, or the partner in one of its gates, is.
        e = s[at.pin_net + s[at.pin_offsets + q] + below(rng, pins)]
        width = s[at.net_offsets + e + 1] - s[at.net_offsets + e]
        if width > 0:
            g = s[at.net_nodes + s[at.net_offsets + e] + below(rng, width)]
            b = v[at.site + g]
            if b == a:
                i = s[at.node_offsets + g] + below(rng, s[at.node_offsets + g + 1] - s[at.node_offsets + g])
                b = somewhere(s, v, at, s[at.node_nets + i], rng)
    if b == a:
        b = s[at.modules + below(rng, at.num_modules)]
    if b == a or s[at.capacity + b] == 0:
        return q, -1, -1
    if v[at.load + b] < s[at.capacity + b] and below(rng, 2) == 0:
        return q, -1, b
    for _ in range(4 * at.num_modules):
        r = s[at.movable + below(rng, count)]
        if v[at.home + r] == b:
            return q, r, b
    if v[at.load + b] < s[at.capacity + b]:
        return q, -1, b
    return q, -1, -1


@njit(cache=True)
def anneal_static(
    s: Any, v: Any, at: Any, rng: Any, tally: Any, until: Any, budget: Any, hot: Any, cold: Any, journal: Any,
    best: Any, stretch: Any,
) -> None:  # fmt: skip
    """Anneal homes and sites together, in slices; `budget` counts nodes tried. The best state is left in `best`.

    The moves: one node; one copy more or less for a packet; a qubit to another module or two qubits exchanged,
    with greedy sites for their gates. About two thirds of the work goes into the last kind. Its temperature is
    `stretch` times that of the others, because a whole qubit changes more at once. For the arguments see
    `dynamic_kernel.anneal_dynamic`.
    """
    energy, least, spent = tally[0], tally[1], tally[2]
    on_sites = 0
    on_qubits = 0
    heat = 1.0 / hot
    step = 0
    due = spent
    free = at.num_movable > 0 and at.num_modules > 1
    while spent < until:
        if step % 32 == 0:
            heat = 1.0 / (hot * (cold / hot) ** (spent / budget))
        step += 1
        if free and on_qubits <= 2 * on_sites:
            q, r, b = propose(s, v, at, rng)
            work = 1
            if b >= 0:
                delta, work = try_exchange(s, v, at, q, r, b, rng, heat / stretch, journal)
                energy += delta
            on_qubits += work
        else:
            work = 1
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
            due = spent + (at.num_nodes + at.num_qubits) // 16
    if energy < least:
        least = energy
        best[:] = v[: at.presence]
    tally[0], tally[1], tally[2] = energy, least, spent
