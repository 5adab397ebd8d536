"""Which measurement of the program is which of the circuit."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.reader import Decision, Guard


class AtomError(Exception):
    """The measurements of program and circuit do not correspond."""

    def __init__(self, problem: str, strand: int) -> None:
        super().__init__(problem, strand)
        self.problem, self.strand = problem, strand


class Atoms:
    """Program bits as functions of the circuit's measurements (atoms).

    In every branch the measurements of a strand correspond in order. One of the circuit that depends on a condition
    may be several of the program under conditions that exclude each other.

    Args:
        booleans: the store of the circuit's functions.
        atom_guard: for each atom its condition.
        source: for each strand its atoms in order.
        program: (strand, bit, guard label) of the program's measurements, in order.
        guards: the conjunctions that the labels stand for.

    Raises:
        AtomError: there is no correspondence.
    """

    def __init__(
        self,
        booleans: Booleans,
        atom_guard: Sequence[int],
        source: Sequence[Sequence[int]],
        program: Sequence[tuple[int, int, int]],
        guards: Sequence[Guard],
    ) -> None:
        self.booleans = booleans
        self.guards = guards
        #: For program bits the function of atoms, and the atom.
        self.function: dict[int, int] = {}
        self.atom: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self._match(atom_guard, source, program)

    def _match(
        self,
        atom_guard: Sequence[int],
        source: Sequence[Sequence[int]],
        program: Sequence[tuple[int, int, int]],
    ) -> None:
        """Tie every measurement to the first atom of its strand that is still open where it takes place.

        In a branch that meets its condition all earlier atoms are covered already or not measured, so it is the k-th
        measurement of the strand in that branch on both sides, however bodies of exclusive conditions interleave.
        """
        b = self.booleans
        # For each strand the atoms not covered yet, in order, with the branches in which they are not.
        uncovered = [deque((atom, atom_guard[atom]) for atom in atoms if atom_guard[atom] != FALSE) for atoms in source]
        for strand, bit, label in program:
            guard = self.guard(label)
            if guard == FALSE:
                self.function[bit], self.atom[bit] = FALSE, -1
                continue
            waiting = uncovered[strand]
            if not waiting:
                raise AtomError("is measured more often than in the circuit", strand)
            place = next((i for i, (_, left) in enumerate(waiting) if b.conj(guard, left) != FALSE), -1)
            if place < 0 or b.conj(guard, b.negate(waiting[place][1])) != FALSE:
                raise AtomError("is measured under another condition than in the circuit", strand)
            atom, left = waiting[place]
            self.atom[bit] = atom
            self.function[bit] = b.conj(b.var(atom), guard)
            if left == guard:
                del waiting[place]
            else:
                waiting[place] = atom, b.conj(left, b.negate(guard))
        for strand, waiting in enumerate(uncovered):
            if waiting:
                raise AtomError("is measured less often than in the circuit", strand)

    def guard(self, label: int) -> int:
        """The function of a guard label."""
        if label < 0:
            return TRUE
        known = self._known.get(label)
        if known is None:
            known = self._known[label] = self.conjunction(self.guards[label])
        return known

    def conjunction(self, guard: Guard) -> int:
        """The function of a conjunction of program bits."""
        b = self.booleans
        return b.all_of(self._bit(bit) if value else b.negate(self._bit(bit)) for bit, value in guard)

    def _bit(self, bit: int) -> int:
        if bit not in self.function:
            raise AtomError("has a protocol bit where a measured value of the circuit is needed", -1)
        return self.function[bit]

    def decision(self, decision: Decision) -> int:
        """The function of a decision list."""
        result = FALSE
        for guard, bit in reversed(decision):
            value = FALSE if bit < 0 else self._bit(bit)
            result = self.booleans.ite(self.conjunction(guard), value, result)
        return result
