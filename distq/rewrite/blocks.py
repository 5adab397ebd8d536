"""Rewriting passes over the raw circuit: rows out, rows in, and a witness for each replacement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from distq.circuit.control import conjugations
from distq.circuit.logical import NO_ORIGIN, LogicalCircuit, Rewrite, WitnessRow
from distq.ops import Op
from distq.rewrite.edit import flat
from distq.rewrite.slips import in_source_coordinates, slips_of
from distq.rewrite.splice import Insertion, Swaps, splice


@dataclass(frozen=True)
class _Replacement:
    """What `Rewriting.replace` was told."""

    removed: tuple[int, ...]
    rows: tuple[WitnessRow, ...]
    at: int
    swaps: Swaps


class Rewriting:
    """One pass over a circuit: collects replacements and carries them out together, in time linear in the circuit.

    The circuit is raw: `origin` is filled, and one-qubit gates are not merged yet. For a pass::

        rewriting = Rewriting(circuit)
        rewriting.replace(removed, new_rows, at)  # once for each place, in any order
        circuit = rewriting.build()

    Rules for what is removed:

    - All rows of an instruction (or of an earlier rewrite) that has gates on two or more qubits go together, its
      one-qubit rows included (`rows_of`); what is to stay is stated again in the new rows. These instructions become
      the `sources` of the witness.
    - Rows of one-qubit instructions may go with them if they stand behind the first removed row of a source on
      their wire; what they do must be in the new rows.
    - No measurement and no reset, and no mixture of guards. Where an instruction is visited under several guards
      (`is_repeated`), all visits are replaced, each by a call of its own, by the same rows.

    The new rows must do exactly what the removed rows did, up to a global phase, if they stand before row `at`; that is
    for the pass to know, as is that the removed rows can be brought there.

    A single row that is to become others where it stands, while the rest of its instruction stays, is a case for
    `substitute`.
    """

    def __init__(self, circuit: LogicalCircuit) -> None:
        if len(circuit.origin) != len(circuit):
            raise ValueError("the circuit has no origins: rewrite it before its one-qubit gates are merged")
        self.circuit = circuit
        self._replacements: list[_Replacement] = []
        self._substitutes: dict[int, tuple[WitnessRow, ...]] = {}
        self._taken = bytearray(len(circuit))

    def __len__(self) -> int:
        """Number of replacements so far."""
        return len(self._replacements) + len(self._substitutes)

    # -- what a pass needs to know -------------------------------------------------------------------------------

    def rows_of(self, origin: int) -> NDArray[np.int64]:
        """All rows with this origin, one-qubit rows included, in order."""
        order, keys = self._by_origin
        first, last = np.searchsorted(keys, (origin, origin + 1))
        return order[first:last]

    @cached_property
    def is_repeated(self) -> NDArray[np.bool_]:
        """(N,) whether the row's instruction is visited under several guards."""
        order, keys = self._by_origin
        wide = self.circuit.arity[order] > 1
        keys, guard = keys[wide], self.circuit.guard[order][wide]
        mixed = np.unique(keys[1:][(keys[1:] == keys[:-1]) & (guard[1:] != guard[:-1])])
        return np.isin(self.circuit.origin, mixed)

    @cached_property
    def _by_origin(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        order = np.argsort(self.circuit.origin, kind="stable")
        return order, self.circuit.origin[order]

    def is_taken(self, row: int) -> bool:
        """Whether a replacement of this pass has removed the row already."""
        return bool(self._taken[row])

    # -- the pass ------------------------------------------------------------------------------------------------

    def replace(self, removed: Sequence[int], new_rows: Sequence[WitnessRow], at: int, swaps: Swaps = ()) -> None:
        """Put `new_rows` in the place of the rows `removed`.

        Args:
            removed: rows of the circuit (its numbering, which stays valid until `build`).
            new_rows: (code, wires, parameters) in the wires of the circuit, unitary; a parameter is a float [rad] or a
                ParameterExpression. They get the guard of the removed rows. May be empty.
            at: the new rows stand before this row of the circuit; len(circuit) is the end.
            swaps: behind the new rows these pairs of wires are exchanged, as by SWAP gates one after the other. No
                gate is made of them: `build` renames the wires of all that follows.

        Raises:
            ValueError: `at` is no row, or a row was removed by an earlier call.
        """
        if not 0 <= at <= len(self.circuit):
            raise ValueError(f"new rows cannot stand before row {at}: the circuit has {len(self.circuit)} rows")
        rows = tuple(int(r) for r in removed)
        self._take(rows)
        self._replacements.append(_Replacement(rows, tuple(new_rows), at, tuple(swaps)))

    def substitute(self, row: int, new_rows: Sequence[WitnessRow]) -> None:
        """Put `new_rows` in the place of one row, where it stands; the rest of its instruction stays.

        The witness states all rows of the instruction. If it is visited under several guards, the same is done to the
        same row of all visits, and `row` is in any of them.

        Raises:
            ValueError: the row is no gate on two or more qubits, has no instruction, or was removed by an earlier call.
        """
        origin = int(self.circuit.origin[row])
        if self.circuit.arity[row] < 2 or origin == NO_ORIGIN:
            raise ValueError(f"row {row} is no gate on two or more qubits that belongs to an instruction")
        same = [row]
        if self.is_repeated[row]:
            visits = self._visits(origin)
            position = next(v.index(row) for v in visits if row in v)
            same = [v[position] for v in visits]
        self._take(same)
        self._substitutes.update(dict.fromkeys(same, tuple(new_rows)))

    def _take(self, rows: Sequence[int]) -> None:
        for row in rows:
            if self._taken[row]:
                raise ValueError(f"row {row} is removed twice")
            self._taken[row] = 1

    def build(self) -> LogicalCircuit:
        """The circuit after all replacements, with their witnesses in the order of their places.

        Replacements with the same sources (visits under several guards) share one witness. Its wires have the names
        that they have after all earlier witnesses, those of this pass included.

        Raises:
            ValueError: a rule of the class is broken; the message says which and where.
        """
        if not len(self):
            return self.circuit
        return _Build(self).run()

    def _visits(self, origin: int) -> list[list[int]]:
        """The rows of an instruction, one list for each visit."""
        rows = self.rows_of(origin)
        wide = rows[self.circuit.arity[rows] > 1]
        count = len(set(self.circuit.guard[wide].tolist()))
        if len(rows) % count:
            raise ValueError(f"the visits of {_called(origin)} differ")
        # One-qubit gates of two visits may stand in any order if they are on different wires: go by wires.
        offsets = self.circuit.qubit_offsets
        on_wire: dict[int, list[int]] = {}
        for row in rows.tolist():
            for wire in self.circuit.qubits[offsets[row] : offsets[row + 1]].tolist():
                on_wire.setdefault(wire, []).append(row)
        visit: dict[int, int] = {}
        for found in on_wire.values():
            if len(found) % count:
                raise ValueError(f"the visits of {_called(origin)} differ")
            for rank, row in enumerate(found):
                visit[row] = rank // (len(found) // count)
        return [[row for row in rows.tolist() if visit[row] == k] for k in range(count)]


def _called(origin: int) -> str:
    return f"instruction {origin}" if origin >= 0 else f"rewrite {-1 - origin}"


@dataclass(frozen=True)
class _Job:
    """One new witness in the making, or one more visit of it.

    Attributes:
        place: row of the old circuit where it begins.
        sources: as in `Rewrite`.
        guard: of this visit.
        rows: of the witness, in the old names of the wires.
        swaps: in the old names of the wires.
        pieces: (row of the old circuit, rows put before it).
        slipped: what leads from the coordinates of the source to those of the rows, in the old names of the wires.
    """

    place: int
    sources: tuple[int, ...]
    guard: int
    rows: tuple[WitnessRow, ...]
    swaps: Swaps
    pieces: tuple[tuple[int, tuple[WitnessRow, ...]], ...]
    slipped: tuple[WitnessRow, ...]


class _Build:
    """Checks the replacements of a pass and carries them out."""

    def __init__(self, rewriting: Rewriting) -> None:
        self.rewriting, self.circuit = rewriting, rewriting.circuit
        self.replacements = rewriting._replacements
        self.removed = np.frombuffer(bytes(rewriting._taken), np.uint8).astype(np.bool_)
        self.origin = self.circuit.origin.copy()

    def run(self) -> LogicalCircuit:
        """The new circuit."""
        jobs = self._replaced() if self.replacements else []
        jobs += self._substituted({s for job in jobs for s in job.sources})
        jobs.sort(key=lambda job: job.place)  # stable: those with one place stay in the order of the calls
        number = self._numbers(jobs)
        insertions: list[Insertion] = []
        first: list[int] = []
        for job in jobs:
            first.append(len(insertions))
            origin = -1 - number[job.sources]
            insertions += [Insertion(at, rows, job.guard, origin, job.swaps) for at, rows in job.pieces]
        order = sorted(range(len(insertions)), key=lambda k: insertions[k].at)
        result, names = splice(self.circuit, self.removed, [insertions[k] for k in order], self.origin)
        name_of = dict(zip(order, names))
        rewrites: dict[tuple[int, ...], Rewrite] = {}
        slips = self._slips(result)
        for job, k in zip(jobs, first):
            rewrite = _renamed(job, name_of[k], self.circuit.next_turn)
            if job.slipped:
                slips[-1 - number[job.sources]] = rewrite.rows[: len(job.slipped)]
            if rewrites.setdefault(job.sources, rewrite) != rewrite:
                self._fail(job.sources, "is replaced by other rows in another visit")
        return replace(result, rewrites=(*self.circuit.rewrites, *rewrites.values()), slipped=slips)

    def _slips(self, result: LogicalCircuit) -> dict[int, tuple[WitnessRow, ...]]:
        """The slips of what is left, in the names that the wires have now."""
        c = self.circuit
        slips: dict[int, tuple[WitnessRow, ...]] = {}
        left = Rewriting(result)
        for origin, rows in c.slipped.items():
            now = left.rows_of(origin)
            if len(now):
                was = self.rewriting.rows_of(origin)
                before, after = (x.qubits[flat(x.qubit_offsets, r)].tolist() for x, r in ((c, was), (result, now)))
                name = dict(zip(before, after))
                # Gates that cancelled may have left nothing on a wire.
                slips[origin] = tuple((code, (name[w],), params) for code, (w,), params in rows if w in name)
        return slips

    def _fail(self, sources: Sequence[int], problem: str) -> NoReturn:
        raise ValueError(f"{', '.join(_called(s) for s in sources)}: {problem}")

    # -- replacements --------------------------------------------------------------------------------------------

    def _replaced(self) -> list[_Job]:
        c = self.circuit
        sizes = [len(r.removed) for r in self.replacements]
        rows = np.array([row for r in self.replacements for row in r.removed], np.int64)
        group = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((rows, group))
        rows = rows[order]
        wide = c.arity[rows] > 1
        sources: list[dict[int, None]] = [{} for _ in sizes]
        for g, origin in zip(group[wide].tolist(), c.origin[rows[wide]].tolist()):
            sources[g][origin] = None
        guards = self._guards(rows, group, wide)
        if not all(sources) or any(NO_ORIGIN in s for s in sources):
            raise ValueError("a replacement removes no gate on two or more qubits, or one that has no instruction")
        if np.isin(c.code[rows], (Op.MEASURE, Op.RESET)).any():
            raise ValueError("a replacement removes a measurement or a reset")
        self._check_foreign(rows, group, sources)
        touched = np.array(sorted({s for found in sources for s in found}), np.int32)
        left = np.isin(c.origin, touched) & ~self.removed
        if left.any():
            self._fail([int(c.origin[left][0])], f"row {int(np.argmax(left))} is left while others are removed")
        return [
            _Job(r.at, tuple(s), g, r.rows, r.swaps, ((r.at, r.rows),), self._slipped(r, s))
            for r, s, g in zip(self.replacements, sources, guards)
        ]

    def _slipped(self, replacement: _Replacement, sources: Collection[int]) -> tuple[WitnessRow, ...]:
        """What leads from the coordinates of the source to those of the new rows."""
        c = self.circuit
        if not any(s in c.slipped for s in sources):
            return ()
        first: dict[int, int] = {}
        for row in sorted(replacement.removed):
            origin = int(c.origin[row])
            if origin in sources:
                for wire in c.qubits[c.qubit_offsets[row] : c.qubit_offsets[row + 1]].tolist():
                    first.setdefault(wire, origin)
        return slips_of(first.items(), c.slipped)

    def _guards(self, rows: NDArray[np.int64], group: NDArray[np.int64], wide: NDArray[np.bool_]) -> list[int]:
        """The guard of each replacement: that of all its rows, but for those that cancel when it is false."""
        guard = self.circuit.guard[rows]
        of_group = np.full(len(self.replacements), -1, np.int32)
        of_group[group[wide]] = guard[wide]
        differs = guard != of_group[group]
        if (differs & (wide | (guard >= 0))).any():
            raise ValueError("a replacement removes rows with different guards")
        for g in np.unique(group[differs]).tolist():
            here = rows[slice(*np.searchsorted(group, (g, g + 1)))].tolist()
            body = [witness_row(self.circuit, r) for r in here]
            free = conjugations(body, max_width=1 << 30)
            if any(self.circuit.guard[r] < 0 and k not in free for k, r in enumerate(here)):
                raise ValueError("a replacement of guarded rows removes unguarded rows that do not cancel")
        return [int(g) for g in of_group]

    def _check_foreign(self, rows: NDArray[np.int64], group: NDArray[np.int64], sources: list[dict[int, None]]) -> None:
        """Rows of one-qubit instructions are removed only behind a row of a source on their wire."""
        c = self.circuit
        last = -1
        wires: set[int] = set()
        starts, qubits = c.qubit_offsets[rows].tolist(), c.qubits.tolist()
        ends = c.qubit_offsets[rows + 1].tolist()
        for g, origin, a, b in zip(group.tolist(), c.origin[rows].tolist(), starts, ends):
            if g != last:
                last, wires = g, set()
            if origin in sources[g]:
                wires.update(qubits[a:b])
            elif qubits[a] not in wires:
                self._fail(tuple(sources[g]), f"a one-qubit gate on wire {qubits[a]} is removed that stands before it")

    # -- substitutes ---------------------------------------------------------------------------------------------

    def _substituted(self, replaced: set[int]) -> list[_Job]:
        c, found = self.circuit, self.rewriting._substitutes
        if not found:
            return []
        if any(r.swaps for r in self.replacements):
            raise ValueError("rows cannot be substituted in a pass that exchanges wires")
        jobs = []
        for origin in dict.fromkeys(c.origin[sorted(found)].tolist()):
            if origin in replaced:
                self._fail([origin], "some of its rows are substituted and some are replaced")
            for visit in self.rewriting._visits(origin):
                pieces = tuple((row, found[row]) for row in visit if row in found)
                rows = tuple(new for row in visit for new in (found[row] if row in found else (witness_row(c, row),)))
                wires = dict.fromkeys(wire for _, wires, _ in rows for wire in wires)
                slipped = slips_of([(wire, origin) for wire in wires], c.slipped)
                jobs.append(_Job(visit[0], (origin,), int(c.guard[pieces[0][0]]), rows, (), pieces, slipped))
        return jobs

    # -- witnesses -----------------------------------------------------------------------------------------------

    def _numbers(self, jobs: list[_Job]) -> dict[tuple[int, ...], int]:
        """The number of the rewrite with these sources; all remaining rows of a source belong to it from now on."""
        number: dict[tuple[int, ...], int] = {}
        guards: set[tuple[tuple[int, ...], int]] = set()
        owner: dict[int, tuple[int, ...]] = {}
        for job in jobs:
            if job.swaps and job.guard >= 0:
                self._fail(job.sources, "wires cannot be exchanged under a guard")
            if (job.sources, job.guard) in guards:
                self._fail(job.sources, "is replaced twice")
            guards.add((job.sources, job.guard))
            number.setdefault(job.sources, len(self.circuit.rewrites) + len(number))
            if any(owner.setdefault(s, job.sources) != job.sources for s in job.sources):
                self._fail(job.sources, "is replaced together with different instructions")
        for origin in set(self.circuit.origin[list(self.rewriting._substitutes)].tolist()):
            self.origin[self.rewriting.rows_of(origin)] = -1 - number[(origin,)]
        return number


def witness_row(circuit: LogicalCircuit, row: int) -> WitnessRow:
    """A row of a circuit as a tuple."""
    qubits = circuit.qubits[circuit.qubit_offsets[row] : circuit.qubit_offsets[row + 1]].tolist()
    at = range(int(circuit.param_offsets[row]), int(circuit.param_offsets[row + 1]))
    symbols = [int(circuit.param_expr[k]) for k in at]
    params = tuple(circuit.expressions[e] if e >= 0 else float(circuit.params[k]) for k, e in zip(at, symbols))
    return int(circuit.code[row]), tuple(qubits), params


def _renamed(job: _Job, name: NDArray[np.int32], turn: int) -> Rewrite:
    names = name.tolist()
    stated = in_source_coordinates(job.rows, job.slipped)
    rows = tuple((int(code), tuple(names[q] for q in wires), tuple(params)) for code, wires, params in stated)
    return Rewrite(job.sources, rows, tuple((names[a], names[b]) for a, b in job.swaps), turn)
