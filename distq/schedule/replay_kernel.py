"""Compiled replay of a planned order, one sample after the other. Import late: it brings in Numba.

The recursion is of the kind max-plus: a node begins at the latest of the ends of what it waits for, in the planned
order on every qubit, generator, port, spare communication qubit and message. Random numbers come from a counter
(SplitMix64; Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195): the n-th try of a pair in a sample takes
the same time in whatever order things happen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_ONE = np.uint64(1)


@njit(cache=True)
def _mixed(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@njit(cache=True)
def uniform(seed: int, sample: int, pair: int, attempt: int) -> float:
    """A number in (0, 1] that depends on nothing but its arguments."""
    x = _mixed(np.uint64(seed) + _GOLDEN)
    x = _mixed((x ^ np.uint64(sample)) + _GOLDEN)
    x = _mixed((x ^ np.uint64(pair)) + _GOLDEN)
    x = _mixed((x ^ np.uint64(attempt)) + _GOLDEN)
    return float((x >> _11) + _ONE) * 2.0**-53


@njit(cache=True)
def pair_time(kind: int, slot: float, probability: float, u: float) -> float:
    """Time of a pair: fixed, geometric or exponential."""
    if kind == 1 and probability < 1.0:
        return slot * max(1.0, np.ceil(np.log(u) / np.log1p(-probability)))
    if kind == 2:
        return -slot * np.log(u)
    return slot


@njit(cache=True)
def made(
    kind: int,
    slot: float,
    probability: float,
    rounds: int,
    nested: bool,
    success: Array,
    round_time: float,
    seed: int,
    sample: int,
    pair: int,
    tries: int,
) -> tuple[float, int, float]:
    """A pair at random: (time, elementary pairs, attempts; NaN where there are none).

    Purified pairs are made with restarts: with pumping a failed round begins with an elementary pair again, nested it
    costs the two pairs that it had, and those of lower levels stay.
    """
    if rounds == 0:
        t = pair_time(kind, slot, probability, uniform(seed, sample, pair, tries))
        return t, 1, _attempts(kind, slot, t)
    time, raw, attempts = 0.0, 0, 0.0
    draw = (tries + 1) << 32
    held = np.zeros(rounds + 1, np.bool_)
    level = -1  # of the pair that is kept; nested: every level in `held`
    while True:
        t = pair_time(kind, slot, probability, uniform(seed, sample, pair, draw))
        draw += 1
        time += t
        raw += 1
        attempts += _attempts(kind, slot, t)
        if not nested:
            if level < 0:
                level = 0
            else:
                time += round_time
                level = level + 1 if uniform(seed, sample, pair, draw) <= success[level] else -1
                draw += 1
            if level == rounds:
                return time, raw, attempts
            continue
        level = 0
        while held[level]:
            held[level] = False
            time += round_time
            passed = uniform(seed, sample, pair, draw) <= success[level]
            draw += 1
            if not passed:
                level = -1
                break
            level += 1
        if level == rounds:
            return time, raw, attempts
        if level >= 0:
            held[level] = True


@njit(cache=True)
def _attempts(kind: int, slot: float, time: float) -> float:
    """Attempts within a time; NaN where pairs come at a rate."""
    if kind == 1:
        return np.round(time / slot)
    return 1.0 if kind == 0 else np.nan


@njit(cache=True)
def replay(
    order: Array,
    pred_offsets: Array,
    preds: Array,
    duration: Array,
    link: Array,
    generator: Array,
    port: Array,
    anchor: Array,
    lag: Array,
    consumed_offsets: Array,
    consumed: Array,
    second_offsets: Array,
    second: Array,
    user: Array,
    kind: Array,
    slot: Array,
    probability: Array,
    max_age: Array,
    reconfiguration: Array,
    spare: Array,
    rounds: Array,
    nested: Array,
    success: Array,
    round_time: Array,
    num_generators: int,
    num_ports: int,
    num_spare: int,
    seed: int,
    first_sample: int,
    samples: int,
    random: bool,
    most_tries: int,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Replay the order.

    `order` holds the nodes in the order of the plan; `consumed` for each node the pairs with a finite life that it is
    the first to use, `second` those whose other half it uses, not before their `user`; `reconfiguration` for each link
    the time of a port that served another link before; `spare` (nodes, 2) for each pair its spare communication qubits
    at both ends, below 0 where it needs none; `rounds`, `nested`, `success` (links, most rounds) and `round_time` for
    each link how its pairs are purified. With `random` the times of pairs are drawn, else they are their mean,
    `duration`. A pair that was generated `most_tries` times without living long enough is given up.

    Returns:
        (samples,) makespan, infinite where a pair was given up; (samples,) pairs that were discarded; start and end of
        every node in the last sample (of a pair: the last try); (samples,) elementary pairs, and attempts (NaN where
        some pairs come at a rate), both 0 without `random`.
    """
    n = len(duration)
    makespan, discarded = np.zeros(samples), np.zeros(samples, np.int64)
    raw, attempts = np.zeros(samples, np.int64), np.zeros(samples)
    start, end = np.zeros(n), np.zeros(n)
    tries = np.zeros(n, np.int64)
    generator_free, port_free = np.zeros(num_generators), np.zeros(num_ports)
    port_link = np.zeros(num_ports, np.int64)
    spare_free = np.zeros(num_spare)
    for s in range(samples):
        generator_free[:] = 0.0
        port_free[:] = 0.0
        spare_free[:] = 0.0
        port_link[:] = -1
        last = 0.0
        for i in order:
            t = 0.0
            for j in range(pred_offsets[i], pred_offsets[i + 1]):
                t = max(t, end[preds[j]])
            x = link[i]
            if x >= 0:
                t = max(t, generator_free[generator[i]])
                if port[i] >= 0:
                    t = max(t, port_free[port[i]])
                for side in range(2):
                    if spare[i, side] >= 0:
                        t = max(t, spare_free[spare[i, side]])
                if anchor[i] >= 0:
                    t = max(t, start[anchor[i]] + lag[i])
                elif anchor[i] == -2:
                    t = max(t, lag[i])
                occupied = duration[i]
                if random:
                    occupied, pairs, tried = made(
                        kind[x], slot[x], probability[x], rounds[x], nested[x], success[x], round_time[x],
                        seed, first_sample + s, i, 0,
                    )  # fmt: skip
                    raw[s] += pairs
                    attempts[s] += tried
                if port[i] >= 0:
                    if port_link[port[i]] >= 0 and port_link[port[i]] != x:
                        occupied += reconfiguration[x]
                    port_link[port[i]] = x
                    port_free[port[i]] = t + occupied
                tries[i] = 1
                for side in range(2):
                    if spare[i, side] >= 0:
                        spare_free[spare[i, side]] = t + occupied
                generator_free[generator[i]] = t + occupied
                start[i], end[i] = t, t + occupied
                last = max(last, end[i])
                continue
            for j in range(second_offsets[i], second_offsets[i + 1]):
                t = max(t, start[user[second[j]]])
            if consumed_offsets[i + 1] > consumed_offsets[i]:
                # Pairs that are too old by now are generated again, on the generator and port that they had; the
                # one that expires first goes first.
                while True:
                    e = -1
                    for j in range(consumed_offsets[i], consumed_offsets[i + 1]):
                        c = consumed[j]
                        age = max_age[link[c]]
                        if t - end[c] > age * (1 + 1e-9) and (e < 0 or end[c] + age < end[e] + max_age[link[e]]):
                            e = c
                    if e < 0:
                        break
                    x, g, p = link[e], generator[e], port[e]
                    discarded[s] += 1
                    if tries[e] >= most_tries:
                        end[e] = t
                        last = np.inf
                        continue
                    begin = max(end[e] + max_age[x], generator_free[g])
                    if p >= 0:
                        begin = max(begin, port_free[p])
                    for side in range(2):
                        if spare[e, side] >= 0:
                            begin = max(begin, spare_free[spare[e, side]])
                    occupied = duration[e]
                    if random:
                        occupied, pairs, tried = made(
                            kind[x], slot[x], probability[x], rounds[x], nested[x], success[x], round_time[x],
                            seed, first_sample + s, e, tries[e],
                        )  # fmt: skip
                        raw[s] += pairs
                        attempts[s] += tried
                    if p >= 0:
                        if port_link[p] != x:
                            occupied += reconfiguration[x]
                        port_link[p] = x
                        port_free[p] = begin + occupied
                    for side in range(2):
                        if spare[e, side] >= 0:
                            spare_free[spare[e, side]] = begin + occupied
                    tries[e] += 1
                    generator_free[g] = begin + occupied
                    start[e], end[e] = begin, begin + occupied
                    t = max(t, end[e])
                # The generator takes care of its pair until it is used; only then it begins what comes later.
                # Ports and spare communication qubits likewise.
                for j in range(consumed_offsets[i], consumed_offsets[i + 1]):
                    e = consumed[j]
                    generator_free[generator[e]] = max(generator_free[generator[e]], t)
                    if port[e] >= 0:
                        port_free[port[e]] = max(port_free[port[e]], t)
                    for side in range(2):
                        if spare[e, side] >= 0:
                            spare_free[spare[e, side]] = max(spare_free[spare[e, side]], t)
            start[i], end[i] = t, t + duration[i]
            last = max(last, end[i])
        makespan[s] = last
    return makespan, discarded, start, end, raw, attempts
