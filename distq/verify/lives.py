"""The lives of a qubit, strands of their own in a replay, become one wire again.

A life begins in |0> and is thrown away at its end, before the next life of the same qubit begins in the circuit. In the
program they are on different physical qubits, or on one that was reset in between, and nothing but the gates says in
which order they are. Rows on different strands commute, but for measurements and what depends on their outcomes, and so
do neighbours that act along one axis of every strand they share; so any order of rows will do that keeps all other rows
of each strand in theirs and outcomes before what reads them. One in which
every life is over before the next begins is looked for; in it, a wire with resets between the lives is the same
operation.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from distq.verify.rotations import Z_AXIS, Vector
from distq.verify.tape import Row, Tape, TapeRow

#: A guard: all of these (bit, value) hold.
Guard = tuple[tuple[int, int], ...]


class OverlapError(Exception):
    """No order of rows lets the lives of a qubit follow each other."""

    def __init__(self, qubit: int) -> None:
        super().__init__(qubit)
        self.qubit = qubit


def lives_of(births: Sequence[int], num_qubits: int, unborn: Collection[int]) -> list[list[int]]:
    """The strands of each qubit in order: its input, unless it is not there at the start, then its births by number."""
    lives: list[list[int]] = [[] if q in unborn else [q] for q in range(num_qubits)]
    for number, qubit in enumerate(births):
        lives[qubit].append(num_qubits + number)
    return lives


def joined(tape: Tape, lives: Sequence[Sequence[int]], unborn: Collection[int], guards: Sequence[Guard]) -> Tape:
    """The tape with one wire for each qubit, and resets between its lives.

    Args:
        tape: rows on strands.
        lives: the strands of each qubit in order.
        unborn: qubits whose first strand begins in |0> by promise, so that no reset is needed before it.
        guards: what the numbers of guards mean, in bits that measurements write.

    Raises:
        OverlapError: the lives of a qubit do not follow each other.
    """
    qubit_of = {strand: q for q, strands in enumerate(lives) for strand in strands}
    before = {later: earlier for strands in lives for earlier, later in pairwise(strands)}
    rows = _in_order(tape.rows, lives, before, guards, qubit_of)
    present = [strands[0] if strands else -1 for strands in lives]
    begun = [q not in unborn for q in range(len(lives))]
    result: list[TapeRow] = []
    for row in rows:
        for strand in row[1]:
            q = qubit_of[strand]
            if strand != present[q]:
                present[q] = strand
                if begun[q]:
                    result.append((Row.RESET, (q,), None, -1, row[4]))
            begun[q] = True
        result.append((row[0], tuple(qubit_of[s] for s in row[1]), *row[2:]))
    origin = rows[-1][4] if rows else -1
    for q, strands in enumerate(lives):
        if strands and strands[-1] != present[q] and begun[q]:
            result.append((Row.RESET, (q,), None, -1, origin))
    return Tape(len(lives), result)


def _in_order(
    rows: list[TapeRow],
    lives: Sequence[Sequence[int]],
    before: dict[int, int],
    guards: Sequence[Guard],
    qubit_of: dict[int, int],
) -> list[TapeRow]:
    """The rows in an order in which every life is over before the next one of its qubit begins."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    groups = _commuting(rows)
    for strand, found in groups.items():
        first[strand], last[strand] = found[0][0], found[-1][-1]
    #: For lives with rows the last of the nearest earlier life that has some.
    waits: dict[int, int] = {}
    for strands in lives:
        end = -1
        for strand in strands:
            if strand in first:
                if end >= 0:
                    waits[strand] = end
                end = strand
    if all(first[strand] > last[end] for strand, end in waits.items()):
        return rows
    earlier_of: list[set[int]] = [set() for _ in rows]
    for strand, found in groups.items():
        if strand in waits:
            found = [groups[waits[strand]][-1], *found]
        for some, others in pairwise(found):
            for position in others:
                earlier_of[position].update(some)
    written: dict[int, int] = {}
    followers: list[list[int]] = [[] for _ in rows]
    missing = [0] * len(rows)
    for position, (kind, _, payload, guard, _) in enumerate(rows):
        earlier = earlier_of[position]
        if guard >= 0:
            earlier.update(written[bit] for bit, _ in guards[guard] if bit in written)
        if kind == Row.MEASURE:
            written[payload[1]] = position
        for other in earlier:
            followers[other].append(position)
        missing[position] = len(earlier)
    ready = [position for position, count in enumerate(missing) if not count]
    heapify(ready)
    result: list[TapeRow] = []
    while ready:
        position = heappop(ready)
        result.append(rows[position])
        for other in followers[position]:
            missing[other] -= 1
            if not missing[other]:
                heappush(ready, other)
    if len(result) < len(rows):
        stuck = next(s for p, row in enumerate(rows) if missing[p] for s in row[1] if s in before)
        raise OverlapError(qubit_of[stuck])
    return result


def _commuting(rows: Sequence[TapeRow]) -> dict[int, list[list[int]]]:
    """For every strand its rows in groups that follow each other; those of one group act along one axis."""
    groups: dict[int, list[list[int]]] = {}
    axis_of: dict[int, Vector | None] = {}
    for position, (kind, strands, payload, _, _) in enumerate(rows):
        axes: Sequence[Vector | None] = (None,) * len(strands)
        if kind in (Row.MCP, Row.PARITY):
            axes = payload[1] or (Z_AXIS,) * len(strands)
        for strand, axis in zip(strands, axes):
            before = axis_of.get(strand)
            if axis is not None and before is not None and axis in (before, tuple(-x for x in before)):
                groups[strand][-1].append(position)
            else:
                groups.setdefault(strand, []).append([position])
                axis_of[strand] = axis
    return groups
