"""The compiled loops of `rewrite.windows`: gates around one wire, what they do, and a shorter form. Imports Numba."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from distq.rewrite._items_kernel import ROTATION

_PI = math.pi
#: Wires besides the one in the middle, at most.
CONTROLS = 5
#: Legs on the wire in the middle, at most.
LONGEST = 64
#: Angles and parts of quaternions below this are zero.
NOTHING = 1e-11


class Lines(NamedTuple):
    """Living legs, by items and by wires.

    Attributes:
        kind: (items,) as in `Items`.
        angle: (items,).
        key: (items,) time.
        usable: (items,) rotations and phases by numbers that may be replaced.
        first: (items + 1,) offsets into the columns of legs.
        wire: of each leg.
        letter: of each leg, signed.
        run: of each leg.
        low: by run the time of the leg before it on its wire.
        high: by run the time of the leg behind it on its wire.
        start: (wires + 1,) offsets into `order`.
        order: items of each wire in the order of time.
    """

    kind: NDArray[np.int8]
    angle: NDArray[np.float64]
    key: NDArray[np.int64]
    usable: NDArray[np.bool_]
    first: NDArray[np.int64]
    wire: NDArray[np.int64]
    letter: NDArray[np.int8]
    run: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    start: NDArray[np.int64]
    order: NDArray[np.int64]


@numba.njit(cache=True)
def _cost(lines: Any, i: int) -> int:
    """Legs of a gate on two and more wires."""
    legs = lines.first[i + 1] - lines.first[i]
    if legs < 2 or (lines.kind[i] == ROTATION and abs(lines.angle[i]) == _PI):
        return 0
    return int(legs)


@numba.njit(cache=True)
def _letter_on(lines: Any, i: int, b: int) -> int:
    """The letter of an item on a wire, without its sign."""
    leg = lines.first[i]
    while lines.wire[leg] != b:
        leg += 1
    return int(abs(lines.letter[leg]))


@numba.njit(cache=True)
def _extent(lines: Any, b: int, begin: int, controls: Any, runs: Any) -> tuple[int, int, int]:
    """How far a window reaches.

    Args:
        lines: the items.
        b: wire in the middle.
        begin: where in `order` it begins.
        controls: output, its other wires in the order in which they are met.
        runs: output, the run of each.

    Returns:
        Its end in `order`, how many other wires it has, and how many runs on the wire in the middle.
    """
    count, letters, letter = 0, 0, 0
    low, high = np.int64(-(1 << 62)), np.int64(1 << 62)
    for at in range(begin, min(lines.start[b + 1], begin + LONGEST)):
        i = lines.order[at]
        if not lines.usable[i]:
            return at, count, letters
        before = count
        fits = True
        for leg in range(lines.first[i], lines.first[i + 1]):
            wire, run = lines.wire[leg], lines.run[leg]
            if wire == b:
                continue
            known = -1
            for k in range(count):
                if controls[k] == wire:
                    known = k
            if known >= 0:
                fits = fits and runs[known] == run
            elif count < CONTROLS:
                controls[count], runs[count] = wire, run
                count += 1
            else:
                fits = False
        new_low, new_high = low, high
        for k in range(before, count):
            new_low, new_high = max(new_low, lines.low[runs[k]]), min(new_high, lines.high[runs[k]])
        # At some moment all runs of the other wires are there.
        if not fits or new_low >= new_high - 1:
            return at, before, letters
        low, high = new_low, new_high
        here = _letter_on(lines, i, b)
        letters += here != letter
        letter = here
    return min(lines.start[b + 1], begin + LONGEST), count, letters


@numba.njit(cache=True)
def _begin(turn: Any, phase: Any) -> None:
    """Nothing has been done yet."""
    turn[:] = 0.0
    turn[:, 0] = 1.0
    phase[:] = 0.0


@numba.njit(cache=True)
def _apply(lines: Any, i: int, b: int, controls: Any, count: int, states: Any, turn: Any, phase: Any) -> None:
    """What one more item does to the wire in the middle, for some states of the others."""
    mask, flipped, axis, sign = 0, 0, 0, 1
    for leg in range(lines.first[i], lines.first[i + 1]):
        letter = lines.letter[leg]
        if lines.wire[leg] == b:
            axis, sign = abs(letter), (1 if letter > 0 else -1)
            continue
        for k in range(count):
            if controls[k] == lines.wire[leg]:
                mask |= 1 << k
                if letter < 0:
                    flipped |= 1 << k
    angle = lines.angle[i]
    cos, sin = math.cos(angle / 2), math.sin(angle / 2)
    rotation = lines.kind[i] == ROTATION
    for k in range(len(states)):
        s = sin * sign
        bits = (states[k] ^ flipped) & mask
        if rotation:
            while bits:
                s = -s
                bits &= bits - 1
        elif bits != mask:
            continue
        else:
            phase[k] += angle / 2
        w, x, y, z = turn[k, 0], turn[k, 1], turn[k, 2], turn[k, 3]
        if axis == 1:
            turn[k, 0], turn[k, 1] = cos * w - s * x, cos * x + s * w
            turn[k, 2], turn[k, 3] = cos * y - s * z, cos * z + s * y
        elif axis == 2:
            turn[k, 0], turn[k, 2] = cos * w - s * y, cos * y + s * w
            turn[k, 1], turn[k, 3] = cos * x + s * z, cos * z - s * x
        else:
            turn[k, 0], turn[k, 3] = cos * w - s * z, cos * z + s * w
            turn[k, 1], turn[k, 2] = cos * x - s * y, cos * y + s * x


@numba.njit(cache=True)
def _axis(turn: Any, states: int) -> int:
    """The letter about which the wire in the middle is turned in all states of the others, or 0."""
    for axis in (3, 1, 2):
        fits = True
        for state in range(states):
            for other in range(1, 4):
                if other != axis and abs(turn[state, other]) > NOTHING:
                    fits = False
                    break
            if not fits:
                break
        if fits:
            return axis
    return 0


@numba.njit(cache=True)
def _phases(turn: Any, phase: Any, axis: int, count: int, value: Any) -> None:
    """The phase of each state of all wires; the wire in the middle is bit `count`."""
    states = 1 << count
    for state in range(states):
        half = math.atan2(turn[state, axis], turn[state, 0])
        value[state] = phase[state] - half
        value[state + states] = phase[state] + half


@numba.njit(cache=True)
def _terms(value: Any, bits: int, flipped: int, term: Any) -> None:
    """Phases of states as a product of multi-controlled phases, one for each set of wires; which need a 0 is given."""
    size = 1 << bits
    for s in range(size):
        term[s] = value[s ^ flipped]
    for k in range(bits):
        for s in range(size):
            if s & (1 << k):
                term[s] -= term[s ^ (1 << k)]
    for s in range(1, size):
        term[s] -= 2 * _PI * round(term[s] / (2 * _PI))
        if abs(term[s]) < NOTHING:
            term[s] = 0.0
        elif abs(abs(term[s]) - _PI) < NOTHING:
            term[s] = _PI


@numba.njit(cache=True)
def _size(s: int) -> int:
    size = 0
    while s:
        s &= s - 1
        size += 1
    return size


@numba.njit(cache=True)
def _price(term: Any, bits: int) -> tuple[int, int]:
    """Legs and gates on two and more wires."""
    legs, gates = 0, 0
    for s in range(1, 1 << bits):
        if term[s] != 0.0:
            size = _size(s)
            if size > 1:
                legs += size
                gates += 1
    return legs, gates


@numba.njit(cache=True)
def _widest(term: Any, bits: int) -> int:
    """The number of wires of the widest gate."""
    widest = 0
    for s in range(1, 1 << bits):
        if term[s] != 0.0:
            widest = max(widest, _size(s))
    return widest


@numba.njit(cache=True)
def _shortest(value: Any, bits: int, term: Any, best: Any) -> tuple[int, int, int]:
    """The form with the fewest legs that is found if wires are turned round one by one.

    Args:
        value: the phase of each state.
        bits: number of wires.
        term: scratch.
        best: output, the angle of the gate on each set of wires.

    Returns:
        Legs, gates, and which wires phases need in 0; -1: all gates are parity rotations.
    """
    legs, gates, form = 1 << 30, 0, 0
    tried, improved = 0, True
    while improved:
        improved = False
        for k in range(-1, bits):
            flipped = tried if k < 0 else tried ^ (1 << k)
            _terms(value, bits, flipped, term)
            new, count = _price(term, bits)
            if new < legs:
                legs, gates, form = new, count, flipped
                best[: 1 << bits] = term[: 1 << bits]
                improved = k >= 0
        tried = form
    # A phase of s wires is 2^s - 1 rotations.
    _terms(value, bits, 0, term)
    for k in range(bits):
        for s in range(1 << bits):
            if not s & (1 << k):
                term[s] += term[s | (1 << k)] / 2
                term[s | (1 << k)] /= 2
    for s in range(1, 1 << bits):
        term[s] *= 2 if _size(s) & 1 else -2
        term[s] -= 2 * _PI * round(term[s] / (2 * _PI))
        if abs(term[s]) < NOTHING:
            term[s] = 0.0
    new, count = _price(term, bits)
    if new < legs:
        legs, gates, form = new, count, -1
        best[: 1 << bits] = term[: 1 << bits]
    return legs, gates, form


@numba.njit(cache=True)
def _mask(lines: Any, i: int, b: int, controls: Any, count: int) -> int:
    """The wires of an item as a set; b is the wire after the controls."""
    mask = 0
    for leg in range(lines.first[i], lines.first[i + 1]):
        wire = lines.wire[leg]
        for k in range(count):
            if controls[k] == wire:
                mask |= 1 << k
        if wire == b:
            mask |= 1 << count
    return mask


@numba.njit(cache=True)
def _joins_others(term: Any, bits: int, joined: Any) -> bool:
    """Whether there is a gate on two wires that no gate was on together before."""
    for s in range(1, 1 << bits):
        if term[s] != 0.0 and _size(s) > 1:
            for k in range(bits):
                if s >> k & 1 and joined[k] & s != s:
                    return True
    return False


@numba.njit(cache=True)
def find(lines: Any, found: Any, widest: int) -> int:
    """Windows that have a form with fewer legs and no more gates: for each beginning on a wire the best end.

    A gate on wires that had none together may bring modules together that have nothing else to do with each other; so
    there is one only where at least half of the gates go.

    Args:
        lines: the items.
        found: (legs, 4) output: legs saved, wire in the middle, first and last position in `lines.order`.
        widest: gates on more wires than this are not made.

    Returns:
        How many there are.
    """
    controls, runs = np.empty(CONTROLS, np.int64), np.empty(CONTROLS, np.int64)
    top = 2 << CONTROLS
    turn, phase = np.empty((top, 4)), np.empty(top)
    value, term, best = np.empty(top), np.empty(top), np.empty(top)
    # A few states show where it is worth looking at all of them.
    few, few_turn, few_phase = np.empty(4, np.int64), np.empty((4, 4)), np.empty(4)
    states = np.arange(1 << CONTROLS)
    joined = np.zeros(CONTROLS + 1, np.int64)
    total = 0
    for b in range(len(lines.start) - 1):
        for begin in range(lines.start[b], lines.start[b + 1]):
            i = lines.order[begin]
            if not lines.usable[i] or _cost(lines, i) == 0:
                continue
            end, count, letters = _extent(lines, b, begin, controls, runs)
            gates, wide = 0, 0
            for at in range(begin, end):
                cost = _cost(lines, lines.order[at])
                gates += cost > 0
                wide += cost > 2
            if count < 2 or gates < 2 or (letters < 3 and wide < 2):
                continue
            _begin(turn, phase)
            _begin(few_turn, few_phase)
            full = (1 << count) - 1
            few[0], few[1], few[2], few[3] = 0, full, full & 0b10101, full & 0b01010
            ready = begin
            joined[:] = 0
            legs, gates, wide, gain, last = 0, 0, 0, 0, -1
            letters, letter = 0, 0
            small = False
            for at in range(begin, end):
                i = lines.order[at]
                _apply(lines, i, b, controls, count, few, few_turn, few_phase)
                here = _letter_on(lines, i, b)
                letters += here != letter
                letter = here
                cost = _cost(lines, i)
                legs += cost
                gates += cost > 0
                wide += cost > 2
                if cost > 0:
                    mask = _mask(lines, i, b, controls, count)
                    for k in range(count + 1):
                        if mask >> k & 1:
                            joined[k] |= mask
                small = small and cost == 0
                if gates < 2 or legs < 4 or (letters < 3 and wide < 2):
                    continue
                if letters < 3 and at + 1 < end and _letter_on(lines, lines.order[at + 1], b) == letter:
                    continue
                if _axis(few_turn, 4) == 0:
                    continue
                while ready <= at:
                    _apply(lines, lines.order[ready], b, controls, count, states[: 1 << count], turn, phase)
                    ready += 1
                axis = _axis(turn, 1 << count)
                if axis == 0:
                    continue
                if small and last >= 0:
                    # Rotations of one wire that follow: they may make up for what stands in the way of others.
                    last = at
                    continue
                _phases(turn, phase, axis, count, value)
                after, number, _ = _shortest(value, count + 1, term, best)
                if number > gates or legs - after <= gain or _widest(best, count + 1) > widest:
                    continue
                if 2 * number <= gates or not _joins_others(best, count + 1, joined):
                    gain, last, small = legs - after, at, True
            if last >= 0:
                found[total] = gain, b, begin, last
                total += 1
    return total


@numba.njit(cache=True)
def short_form(lines: Any, b: int, begin: int, last: int, wires: Any, angles: Any) -> tuple[int, int, int]:
    """The shortest form of a window.

    Args:
        lines: the items.
        b: wire in the middle.
        begin: position of its first item in `lines.order`.
        last: of its last item.
        wires: (CONTROLS,) output, the other wires.
        angles: (2^(CONTROLS + 1),) output, the angle of the gate on each set of wires; b is the wire after the others.

    Returns:
        How many other wires there are, the letter on b, and which wires phases need in 0 (-1: parity rotations).
    """
    runs = np.empty(CONTROLS, np.int64)
    top = 2 << CONTROLS
    turn, phase = np.empty((top, 4)), np.empty(top)
    _begin(turn, phase)
    value, term = np.empty(top), np.empty(top)
    _, count, _ = _extent(lines, b, begin, wires, runs)
    for at in range(begin, last + 1):
        _apply(lines, lines.order[at], b, wires, count, np.arange(1 << count), turn, phase)
    axis = _axis(turn, 1 << count)
    _phases(turn, phase, axis, count, value)
    _, _, form = _shortest(value, count + 1, term, angles)
    return count, axis, form
