"""Numba kernel: annealing of homes on the graph of interacting qubits, distances between modules included.

A coarse but very fast picture of the problem (no packets, no sites), good for starts. Import this module late: it
loads Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from distq.partition.kernels import below, uniform


@njit(cache=True)
def anneal_graph(
    offsets: Any,
    partners: Any,
    weights: Any,
    distances: Any,
    modules: Any,
    capacity: Any,
    movable: Any,
    home: Any,
    best: Any,
    rng: Any,
    budget: Any,
    hot: Any,
    cold: Any,
) -> Any:
    """Minimise the sum over edges of weight times distance between homes by moves and exchanges.

    Args:
        offsets: (n+1,) into partners and weights, the symmetric adjacency.
        partners: neighbours.
        weights: of the edges.
        distances: (k, k).
        modules: those that may be used.
        capacity: (k,).
        movable: qubits that may move.
        home: (n,) start; overwritten.
        best: (n,) receives the best homes.
        rng: state of the generator.
        budget: proposals.
        hot: first temperature.
        cold: last temperature.
    """
    n, k = len(home), len(capacity)
    # near[q, m]: what the edges of q cost if q were in m.
    near = np.zeros((n, k))
    load = np.zeros(k, np.int64)
    for q in range(n):
        load[home[q]] += 1
        for i in range(offsets[q], offsets[q + 1]):
            for m in range(k):
                near[q, m] += weights[i] * distances[m, home[partners[i]]]
    energy = 0.0
    least = 0.0
    best[:] = home
    heat = 1.0 / hot
    for step in range(budget):
        if step % 256 == 0:
            heat = 1.0 / (hot * (cold / hot) ** (step / budget))
        q = movable[below(rng, len(movable))]
        a = home[q]
        r = movable[below(rng, len(movable))]
        b = home[r]
        if below(rng, 4) == 0:
            b = modules[below(rng, len(modules))]
        if a == b:
            continue
        exchange = load[b] >= capacity[b]
        if exchange and home[r] != b:
            continue
        delta = near[q, b] - near[q, a]
        if exchange:
            delta += near[r, a] - near[r, b]
            for i in range(offsets[q], offsets[q + 1]):
                if partners[i] == r:
                    delta += weights[i] * 2 * distances[a, b]
        if delta > 0 and uniform(rng) >= np.exp(-delta * heat):
            continue
        energy += delta
        home[q] = b
        for i in range(offsets[q], offsets[q + 1]):
            for m in range(k):
                near[partners[i], m] += weights[i] * (distances[m, b] - distances[m, a])
        if exchange:
            home[r] = a
            for i in range(offsets[r], offsets[r + 1]):
                for m in range(k):
                    near[partners[i], m] += weights[i] * (distances[m, a] - distances[m, b])
        else:
            load[a] -= 1
            load[b] += 1
        if energy < least - 1e-9:
            least = energy
            best[:] = home
    return least
