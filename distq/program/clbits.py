"""Where the bits of a program go in a circuit whose classical bits can be written more than once.

A program writes every bit once, and says at the end which bit is the value of each classical bit of the source: a
decision list, if the last write depended on a condition. In a dynamic circuit the measurements can write the source's
classical bit itself, one after the other, as in the source, if nobody reads an older value after it is overwritten.
Where that cannot be shown, the bits get places of their own, and the value is copied at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from distq.ops import Conjunction, Op
from distq.program.types import DistributedProgram

#: A bit is read: the row, and the whole conjunction that the reading belongs to.
_Read = tuple[int, frozenset[tuple[int, int]]]


@dataclass(frozen=True)
class BitPlaces:
    """Places of the measured bits of a program.

    Attributes:
        origin: for each bit the measured bit whose value it is (a received bit: the one that was sent).
        clbit: for measured bits that are written in place the classical bit of the source.
        copied: classical bits of the source whose value must be copied at the end.
    """

    origin: list[int]
    clbit: dict[int, int]
    copied: tuple[int, ...]


def place_bits(program: DistributedProgram) -> BitPlaces:
    """Decide which bits are written in place.

    Args:
        program: in canonical form.
    """
    origin = np.arange(program.num_bits)
    send = program.code == Op.SEND
    origin[program.bit2[send]] = program.bit[send]
    placer = _Placer(program, origin.tolist())
    return placer.run()


class _Placer:
    def __init__(self, program: DistributedProgram, origin: list[int]) -> None:
        self.program, self.origin = program, origin
        #: Bits whose place may be overwritten: only for these the reads matter.
        self.watched = {bit for values in program.clbit_values if len(values) > 1 for _, bit in values}
        self.written: dict[int, tuple[int, frozenset[tuple[int, int]]]] = {}
        self.reads: dict[int, list[_Read]] = {}
        self._collect()

    def _collect(self) -> None:
        program = self.program
        measure = np.flatnonzero(program.code == Op.MEASURE)
        for row, bit in zip(measure.tolist(), program.bit[measure].tolist()):
            if bit in self.watched:
                self.written[bit] = (row, self._literals(int(program.guard[row])))
        if self.watched:
            guarded = np.flatnonzero(program.guard >= 0)
            for row, guard in zip(guarded.tolist(), program.guard[guarded].tolist()):
                self._note_reads(self.reads, row, self._literals(guard), ())

    def _literals(self, guard: int) -> frozenset[tuple[int, int]]:
        return self._resolved(self.program.guards[guard]) if guard >= 0 else frozenset()

    def _resolved(self, conjunction: Conjunction) -> frozenset[tuple[int, int]]:
        return frozenset((self.origin[bit], value) for bit, value in conjunction)

    def _note_reads(
        self,
        reads: dict[int, list[_Read]],
        row: int,
        literals: frozenset[tuple[int, int]],
        more: Iterable[int],
    ) -> None:
        for bit in {*(b for b, _ in literals), *more} & self.watched:
            reads.setdefault(bit, []).append((row, literals))

    def run(self) -> BitPlaces:
        values = self.program.clbit_values
        copied: set[int] = set()
        while True:
            reads = {bit: list(found) for bit, found in self.reads.items()}
            # Copies read at the end what their decision lists name.
            for c in copied:
                for conjunction, bit in values[c]:
                    self._note_reads(reads, len(self.program), self._resolved(conjunction), [bit])
            place: dict[int, int] = {}
            failed = set()
            for c in range(len(values)):
                if c in copied:
                    continue
                bits = [bit for _, bit in values[c] if bit >= 0]
                if any(bit in place for bit in bits) or not self._in_place(c, reads):
                    failed.add(c)
                else:
                    place.update((bit, c) for bit in bits)
            if not failed:
                return BitPlaces(self.origin, place, tuple(sorted(copied)))
            copied |= failed

    def _in_place(self, clbit: int, reads: dict[int, list[_Read]]) -> bool:
        """Whether measurements that write this classical bit one after the other leave the right value in it."""
        entries = self.program.clbit_values[clbit]
        if len(entries) == 1:
            return True
        bits = [bit for _, bit in reversed(entries)]
        conditions = [self._resolved(conjunction) for conjunction, _ in reversed(entries)]
        if bits[0] < 0:
            bits, conditions = bits[1:], conditions[1:]
        else:
            # The first write may be guarded: without it the bit is 0, as it was.
            conditions[0] = self.written[bits[0]][1]
        if min(bits, default=0) < 0 or len(set(bits)) != len(bits):
            return False
        rows = [self.written[bit][0] for bit in bits]
        if rows != sorted(rows) or any(self.written[b][1] != c for b, c in zip(bits, conditions)):
            return False
        for k, bit in enumerate(bits):
            until = rows[k + 1] if k + 1 < len(bits) else len(self.program)
            for row, literals in reads.get(bit, ()):
                # A measurement that is not carried out gives 0, but leaves an older value in place.
                if row > until or (k > 0 and not conditions[k] <= literals):
                    return False
        return True
