"""Compares the events of source and program, and brings both to a smaller form when they differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.events import MASK, SHIFT, Builder, Event, EventSet
from distq.verify.rotations import distance, multiply, pull_back
from distq.verify.tape import Row

#: Largest difference of two axes, frames or angles [rad] that still counts as rounding.
TOLERANCE = 1e-7
#: Largest sum of all differences of angles [rad].
TOTAL_TOLERANCE = 1e-6
#: Entries of one group of gates under different conditions that are compared case by case.
_MAX_CASES = 8

#: Rounds of merging, at most.
_ROUNDS = 50

#: (kind, packets, extra) of events that may be added up.
_Place = tuple[int, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Difference:
    """Where two event sequences differ: origins of the first event without partner on each side, or -1."""

    problem: str
    source: int = -1
    program: int = -1


class Comparison:
    """Compares two event sets whose guards are functions in one store.

    Args:
        booleans: the store.
        source_guard, program_guard: the function of a guard label of either side (TRUE for -1).
        program_atom: for the bit of a measurement of the program, the measurement of the circuit that it is.
        given: what is certain; nothing has to agree where it is false.
    """

    def __init__(
        self,
        booleans: Booleans,
        source_guard: Callable[[int], int],
        program_guard: Callable[[int], int],
        program_atom: Callable[[int], int],
        given: int = TRUE,
    ) -> None:
        self.booleans = booleans
        self.source_guard, self.program_guard = source_guard, program_guard
        self.program_atom = program_atom
        self.given = given
        #: Sum of the differences of angles found so far [rad].
        self.error = 0.0

    def differ(self, source: EventSet, program: EventSet) -> Difference | None:
        """The first difference, or None if both are the same operation up to the frames at the end."""
        return self._axes_differ(source, program) or self._events_differ(source, program)

    def _axes_differ(self, source: EventSet, program: EventSet) -> Difference | None:
        for strand, (ours, theirs) in enumerate(zip(source.axes, program.axes)):
            count = min(len(ours), len(theirs))
            if count:
                gap = np.abs(np.array(ours[:count]) - np.array(theirs[:count])).max(axis=1)
                wrong = np.flatnonzero(gap > TOLERANCE)
                if len(wrong):
                    return _at(strand, int(wrong[0]), source, program, "a gate acts along another axis")
            if len(ours) != len(theirs):
                return _at(strand, count, source, program, "gates are missing, added or in another order")
        return None

    def _events_differ(self, source: EventSet, program: EventSet) -> Difference | None:
        rest: dict[_Place, dict[int, float]] = {}
        origins: dict[_Place, list[int]] = {}
        for side, (events, sign) in enumerate(((source.events, 1.0), (program.events, -1.0))):
            guard_of = (self.source_guard, self.program_guard)[side]
            for event in events:
                extra = event.extra
                if event.kind == Row.MEASURE and side == 1:
                    extra = (self.program_atom(extra[0]), extra[1])
                place = (event.kind, event.legs, extra)
                guards = rest.get(place)
                if guards is None:
                    guards = rest[place] = {}
                    origins[place] = [-1, -1]
                amount = event.angle if event.kind in (Row.PARITY, Row.MCP) else 1.0
                guard = TRUE if event.guard < 0 else guard_of(event.guard)
                guards[guard] = guards.get(guard, 0.0) + sign * amount
                if origins[place][side] < 0:
                    origins[place][side] = event.origin
        wrong = [place for place, guards in rest.items() if not self._vanishes(place[0], guards)]
        if wrong:
            sides = [min((origins[p][i] for p in wrong if origins[p][i] >= 0), default=-1) for i in (0, 1)]
            return Difference("the gates differ", *sides)
        return None

    def _vanishes(self, kind: int, guards: dict[int, float]) -> bool:
        """Whether what is left of a group is nothing, in every branch."""
        turn = math.tau if kind in (Row.PARITY, Row.MCP) else math.inf
        left = []
        for guard, amount in guards.items():
            size = abs(amount if turn == math.inf else math.remainder(amount, turn))
            if size > TOLERANCE:
                left.append((guard, amount))
            else:
                self.error += size
        if not left:
            return True
        if len(left) > _MAX_CASES or all(guard == TRUE for guard, _ in left):
            return False
        b = self.booleans
        for case in product((False, True), repeat=len(left)):
            holds = b.all_of([self.given, *(g if yes else b.negate(g) for yes, (g, _) in zip(case, left))])
            amount = sum(a for yes, (_, a) in zip(case, left) if yes)
            if holds != FALSE and abs(amount if turn == math.inf else math.remainder(amount, turn)) > TOLERANCE:
                return False
        return True


def _at(strand: int, position: int, source: EventSet, program: EventSet, problem: str) -> Difference:
    """The first events on one packet, on both sides."""
    packet = strand << SHIFT | position
    origins = [
        next((e.origin for e in side.events if packet in e.legs), -1) for side in (source, program)
    ]  # fmt: skip
    return Difference(problem, *origins)


def simplify(events: EventSet) -> EventSet:
    """The same operation with events of the same place added up and those that vanish left out.

    What cancels may let packets grow together, so this is repeated until nothing changes.
    """
    for _ in range(_ROUNDS):
        events, changed = _merged(events)
        if not changed:
            break
    return events


def _merged(old: EventSet) -> tuple[EventSet, bool]:
    """One round, and whether it changed anything."""
    sums: dict[tuple[_Place, int], float] = {}
    for event in old.events:
        key = ((event.kind, event.legs, event.extra), event.guard)
        sums[key] = sums.get(key, 0.0) + event.angle
    builder = Builder(len(old.frames))
    builder.dropped = old.dropped
    changed = False
    for event in old.events:
        key = ((event.kind, event.legs, event.extra), event.guard)
        angle = event.angle
        if event.kind in (Row.PARITY, Row.MCP):
            if key not in sums:
                changed = True
                continue
            angle = sums.pop(key)
        before = len(builder.events)
        _add(builder, event, angle, old)
        changed = changed or len(builder.events) != before + 1
    frames = [multiply(frame, inner) for frame, inner in zip(old.frames, builder.frames)]
    changed = changed or any(len(a) != len(b) for a, b in zip(old.axes, builder.axes))
    new = EventSet(builder.events, builder.axes, frames, old.strand_at, builder.dropped)
    return new, changed


def _add(builder: Builder, event: Event, angle: float, old: EventSet) -> None:
    builder.origin = event.origin
    if event.kind == Row.RESET:
        (packet,) = event.legs
        builder.open[packet >> SHIFT] = False
    legs = []
    for packet in event.legs:
        strand, position = packet >> SHIFT, packet & MASK
        legs.append(builder.leg(strand, pull_back(builder.frames[strand], old.axes[strand][position])))
    if event.kind == Row.RESET:
        builder.open[legs[0][0] >> SHIFT] = False
        builder.put(Row.RESET, (legs[0][0],), 0.0, event.guard, (event.extra[0] * legs[0][1],))
    elif event.kind == Row.MEASURE:
        bit, sign = event.extra
        builder.put(Row.MEASURE, (legs[0][0],), 0.0, event.guard, (bit, sign * legs[0][1]))
    else:
        signs = event.extra or (1,) * len(legs)
        builder.place(event.kind, [(p, s * t) for (p, s), t in zip(legs, signs)], angle, event.guard)


def frames_differ(source: EventSet, program: EventSet, strands: Sequence[int]) -> int:
    """The first of the strands whose frames differ at the end, or -1."""
    for strand in strands:
        if distance(source.frames[strand], program.frames[strand]) > TOLERANCE:
            return strand
    return -1
