"""Chooses coordinates for the source's normal form in which it can be compared with the program's.

Where an axis is perpendicular to what is known of a strand, its direction is a matter of coordinates
(`distq.verify.meaning`), and source and program may begin with opposite ones. Directions of the source are turned round
one by one as long as that brings it nearer to the program. Nothing depends on this search but whether the two are found
to be equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from distq.verify.compare import TOLERANCE
from distq.verify.events import SHIFT, EventSet
from distq.verify.meaning import Normal
from distq.verify.rotations import distance

#: Events that are made while searching, at most, in all tries together.
_WORK = 300_000
_LEAST_TRIES = 8
#: Angles [rad] are compared in steps of this.
_STEP = 1e-6


def aligned(source: Callable[[frozenset[int]], Normal], program: EventSet, kept: Sequence[int]) -> Iterator[Normal]:
    """Normal forms of the source that may agree with the program's.

    Args:
        source: the normal form when these free packets are turned round.
        program: the program's normal form.
        kept: strands whose frames at the end matter.
    """
    turned: frozenset[int] = frozenset()
    best = source(turned)
    yield best
    gap, strands = _gap(best.events, program, kept)
    tries = max(_LEAST_TRIES, _WORK // (len(best.events.events) + 1))
    waiting = _choices(best, strands)
    while tries > 0 and gap:
        packets = next(waiting, None)
        if packets is None:
            break
        tries -= 1
        other = source(turned ^ packets)
        found, where = _gap(other.events, program, kept)
        if found < gap:
            turned, best, gap = turned ^ packets, other, found
            waiting = _choices(best, where)
    if turned:
        yield best


def _choices(normal: Normal, strands: set[int]) -> Iterator[frozenset[int]]:
    """Free packets, those on strands that differ first; then two at a time, where one alone brings nothing."""
    order = sorted(normal.free, key=lambda p: (p >> SHIFT not in strands, p))
    for size in (1, 2):
        yield from map(frozenset, combinations(order, size))


def _gap(source: EventSet, program: EventSet, kept: Sequence[int]) -> tuple[int, set[int]]:
    """How many axes, gates and frames differ, and on which strands."""
    count, strands = 0, set()
    for strand, (ours, theirs) in enumerate(zip(source.axes, program.axes)):
        wrong = abs(len(ours) - len(theirs))
        for a, b in zip(ours, theirs):
            wrong += max(abs(x - y) for x, y in zip(a, b)) > TOLERANCE
        if wrong:
            count += wrong
            strands.add(strand)
    difference = _signature(source)
    difference.subtract(_signature(program))
    for (_, legs, _, _, _), number in difference.items():
        if number:
            count += abs(number)
            strands.update(leg >> SHIFT for leg in legs)
    for strand in kept:
        if distance(source.frames[strand], program.frames[strand]) > TOLERANCE:
            count += 1
            strands.add(strand)
    return count, strands


def _signature(events: EventSet) -> Counter[tuple[int, tuple[int, ...], int, int, tuple[int, ...]]]:
    return Counter((e.kind, e.legs, round(e.angle / _STEP), e.guard, e.extra) for e in events.events)
