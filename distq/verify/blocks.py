"""Finds the program's events for an operation of the source that has no event of its own.

Such an operation (a two-qubit unitary, a gate that the compiler expanded) is proved as a whole on its own few
strands: the product E of a run of the program's events equals the operation W up to one-qubit unitaries, and a SWAP
if W acts on two strands. The search only proposes a run. Whatever it proposes, the source's events are afterwards
those of the run followed by the local rest W E^dagger, which is exact, and the comparison of all events decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from distq.verify.events import MASK, SHIFT, Event, EventSet, Replacement
from distq.verify.rotations import Complex, Quaternion, Vector, from_matrix, pauli
from distq.verify.tape import Row

#: Largest entry of the difference that still counts as equal.
_TOLERANCE = 1e-7
#: Steps of one search before it gives up.
_BUDGET = 4000
#: Events that a search may leave out, and events in a run.
_DISCREPANCIES = 3
_LONGEST = 400
_SWAP_ORDER = [0, 2, 1, 3]


class ProgramIndex:
    """The program's events that are not accounted for yet, as the source proceeds."""

    def __init__(self, events: EventSet) -> None:
        self.set = events
        self.packets: list[list[list[int]]] = [[[] for _ in axes] for axes in events.axes]
        for number, event in enumerate(events.events):
            for leg in event.legs:
                self.packets[leg >> SHIFT][leg & MASK].append(number)
        self.front = [0] * len(events.axes)
        self.used = [False] * len(events.events)
        for strand in range(len(self.front)):
            self._advance(strand)

    # Bookkeeping

    def _advance(self, strand: int) -> None:
        packets, front = self.packets[strand], self.front[strand]
        while front < len(packets) and all(self.used[e] for e in packets[front]):
            front += 1
        self.front[strand] = front

    def available(self, strands: Sequence[int]) -> list[int]:
        """Events on some of these strands, and no other, that can come next; in the program's order."""
        allowed = set(strands)
        found: set[int] = set()
        for strand in allowed:
            packets, front = self.packets[strand], self.front[strand]
            if front < len(packets):
                found.update(e for e in packets[front] if not self.used[e] and e not in found)
        return sorted(e for e in found if self._is_next(self.set.events[e], allowed))

    def _is_next(self, event: Event, allowed: set[int]) -> bool:
        return all(leg >> SHIFT in allowed and leg & MASK == self.front[leg >> SHIFT] for leg in event.legs)

    def use(self, number: int) -> None:
        """Take an event out."""
        self.used[number] = True
        for leg in self.set.events[number].legs:
            self._advance(leg >> SHIFT)

    def release(self, number: int) -> None:
        """Put the event back that was taken out last."""
        self.used[number] = False
        for leg in self.set.events[number].legs:
            strand = leg >> SHIFT
            self.front[strand] = min(self.front[strand], leg & MASK)

    # What the builder of the source asks

    def consume(self, event: Event) -> None:
        """Take out the event of the program that corresponds to one of the source, if there is one."""
        strands = sorted(leg >> SHIFT for leg in event.legs)
        choices = [
            e
            for e in self.available(strands)
            if self.set.events[e].kind == event.kind
            and sorted(leg >> SHIFT for leg in self.set.events[e].legs) == strands
        ]
        if choices:
            self.use(min(choices, key=lambda e: abs(self.set.events[e].angle - event.angle)))

    def has_partner(self, kind: int, strands: Sequence[int]) -> bool:
        """Whether an event of this kind on exactly these strands can come next."""
        wanted = sorted(strands)
        return any(
            self.set.events[e].kind == kind and sorted(leg >> SHIFT for leg in self.set.events[e].legs) == wanted
            for e in self.available(strands)
        )

    def match(self, strands: Sequence[int], matrix: Complex, guard: int, conditional: bool) -> Replacement | None:
        """Search a run of events whose product is `matrix` up to local unitaries, and use it up."""
        search = _Search(self, list(strands), guard >= 0)
        if not search.run(matrix, conditional):
            return None
        return Replacement([self.legs(e) for e in search.chosen], search.turns, search.swapped, search.error)

    def legs(self, number: int) -> tuple[int, tuple[tuple[int, Vector], ...], float]:
        """Kind, (strand, axis) legs and angle of an event."""
        event, axes = self.set.events[number], self.set.axes
        signs = event.extra if event.kind == Row.MCP and event.extra else (1,) * len(event.legs)
        legs = []
        for leg, sign in zip(event.legs, signs):
            x, y, z = axes[leg >> SHIFT][leg & MASK]
            legs.append((leg >> SHIFT, (sign * x, sign * y, sign * z)))
        return event.kind, tuple(legs), event.angle


class _Search:
    """Limited-discrepancy search for a run of events.

    The events that can come next are taken in the program's order, which is nearly always right; those that belong
    to a later operation, but commute and stand earlier, are the discrepancies: at most one is left out at first,
    then two, and so on.

    References:
        W. D. Harvey and M. L. Ginsberg, Limited discrepancy search, IJCAI 1995, pp. 607-615.
    """

    def __init__(self, index: ProgramIndex, strands: list[int], guarded: bool) -> None:
        self.index, self.strands, self.guarded = index, strands, guarded
        self.chosen: list[int] = []
        self.left_out: set[int] = set()
        self.turns: list[Quaternion] = []
        self.swapped = False
        self.error = 0.0
        self.budget = _BUDGET

    def run(self, matrix: Complex, conditional: bool) -> bool:
        """Whether `matrix` = (local unitaries) * (product of a run); the run is in `chosen`.

        Qubits cannot be renamed by an operation that is `conditional`.
        """
        self.may_swap = len(self.strands) == 2 and not conditional
        return any(self._descend(matrix, discrepancies) for discrepancies in range(_DISCREPANCIES + 1))

    def _descend(self, rest: Complex, discrepancies: int) -> bool:
        if self._is_local(rest):
            return True
        number = self._next()
        if number < 0 or self.budget == 0 or len(self.chosen) == _LONGEST:
            return False
        self.budget -= 1
        self.index.use(number)
        self.chosen.append(number)
        if self._descend(self._without(rest, number), discrepancies):
            return True
        self.chosen.pop()
        self.index.release(number)
        if discrepancies == 0:
            return False
        self.left_out.add(number)
        found = self._descend(rest, discrepancies - 1)
        self.left_out.discard(number)
        return found

    def _is_local(self, rest: Complex) -> bool:
        found = local_factors(rest, len(self.strands))
        if found is None and self.may_swap:
            # rest = SWAP * (local), so the lines of the matrix are exchanged.
            found = local_factors(rest[_SWAP_ORDER], 2)
            self.swapped = found is not None
        if found is None:
            return False
        self.turns, self.error = found
        return True

    def _next(self) -> int:
        events = self.index.set.events
        for number in self.index.available(self.strands):
            event = events[number]
            if (
                number not in self.left_out
                and event.kind in (Row.PARITY, Row.MCP)
                and (event.guard >= 0) == self.guarded
            ):
                return number
        return -1

    def _without(self, rest: Complex, number: int) -> Complex:
        """Rest * E^dagger for one event E."""
        kind, legs, angle = self.index.legs(number)
        size, k = len(rest), len(self.strands)
        tensor = rest.reshape((size,) + (2,) * k)
        product = tensor
        for strand, axis in legs:
            one = pauli(axis) if kind == Row.PARITY else (np.eye(2) - pauli(axis)) / 2
            place = k - self.strands.index(strand)  # bit 0 is the last column index
            product = np.moveaxis(np.tensordot(product, one, axes=(place, 0)), -1, place)
        if kind == Row.PARITY:
            result = np.cos(angle / 2) * tensor + 1j * np.sin(angle / 2) * product
        else:
            result = tensor + (np.exp(-1j * angle) - 1) * product
        return result.reshape(size, size)


def local_factors(matrix: Complex, count: int) -> tuple[list[Quaternion], float] | None:
    """One-qubit unitaries whose tensor product is the matrix up to phase, or None.

    Returns:
        The unitaries, first = lowest bit, and the largest entry of the difference.
    """
    row, column = np.unravel_index(int(np.argmax(np.abs(matrix))), matrix.shape)
    factors: list[Any] = []
    product = np.ones((1, 1), complex)
    for bit in range(count):
        rows = [int(row) & ~(1 << bit), int(row) | 1 << bit]
        columns = [int(column) & ~(1 << bit), int(column) | 1 << bit]
        part = matrix[np.ix_(rows, columns)]
        scale = abs(part[0, 0] * part[1, 1] - part[0, 1] * part[1, 0])
        if scale < 1e-12:
            return None
        factors.append(part / np.sqrt(scale))
        product = np.kron(factors[-1], product)
    phase = matrix[row, column] / product[row, column]
    error = float(np.abs(matrix - phase * product).max())
    if error > _TOLERANCE:
        return None
    return [from_matrix(f)[0] for f in factors], error
