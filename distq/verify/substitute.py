"""Puts the gates of witnesses in the place of the instructions that they stand for, after proving that it is right.

A witness says that some rows of the source are equal to other gates, up to one-qubit gates. The tape is rewritten in
rounds, because a witness may speak of the gates of earlier ones. In every round the rows are put in an order in which
each block is contiguous (`distq.verify.ordering`), by exchanges of neighbours that commute. Then a block is a product W
of gates on a few wires, and with the product E of the gates that the witness names, W E^dagger is computed and must be
a product L of one-qubit gates (`distq.verify.block_proof`), and a renaming of wires if the witness ends with swaps. The
rows of the block are replaced by E and L. Every step is an equality of operations up to rounding, whose sum is
returned; what the witness says is used only to choose the step.

Axes of the new gates count in the coordinates that a wire has just before the first instruction on several qubits that
the block replaces there. Therefore rows keep the frames (products of one-qubit gates) in which they were written, and
one-qubit gates between rows restore these.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from distq.verify.block_proof import Block, Event, Proof, Task, WitnessError
from distq.verify.ordering import Action, CycleError, Dependencies
from distq.verify.products import MAX_WIRES, Local, factorise
from distq.verify.rotations import (
    IDENTITY,
    Z_AXIS,
    Quaternion,
    about,
    axis_angle,
    inverse,
    multiply,
    pull_back,
    z_row,
)
from distq.verify.source import Path
from distq.verify.tape import Row, Tape, TapeRow
from distq.verify.witnesses import Witness

#: Rounds, at most.
_MAX_ROUNDS = 64
#: Blocks on fewer wires than this are proved by matrices at once.
_FEW_WIRES = 4
#: Tag of rows that belong to no instruction and no witness.
_NO_TAG = 1 << 62


@dataclass(frozen=True)
class Substituted:
    """The new tape, the sum of all roundings [rad], and a bound on the error of all rotations left out."""

    tape: Tape
    error: float
    omitted: float


def substitute(
    tape: Tape,
    paths: Sequence[Path],
    witnesses: Sequence[Witness],
    support: Callable[[int], Iterable[int]],
    error_budget: float = 0.0,
) -> Substituted:
    """Replace the rows that witnesses speak of.

    Args:
        tape: rows of the source.
        paths: for each row the path of its instruction.
        witnesses: with numbers for all angles.
        support: the measurements that a guard depends on.
        error_budget: bound on the operator-norm error of all rotations together that witnesses leave out.

    Raises:
        WitnessError: one of them is not true, or contradicts another.
    """
    # Hundreds of thousands of small objects without cycles: the collector would walk over them again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        work = _Work(tape, paths, witnesses, support, error_budget)
        work.run()
    finally:
        if collects:
            gc.enable()
    return Substituted(Tape(tape.num_wires, work.rows), work.error, work.omitted)


class _Work:
    """All rounds."""

    def __init__(
        self,
        tape: Tape,
        paths: Sequence[Path],
        witnesses: Sequence[Witness],
        support: Callable[[int], Iterable[int]],
        error_budget: float,
    ) -> None:
        self.num_wires = tape.num_wires
        self.witnesses, self.support = witnesses, support
        self.rows: list[TapeRow] = tape.rows
        #: For every row its number in the source, -1-n for a gate of witness n, or _NO_TAG.
        self.tags: Sequence[int] = range(len(tape.rows))
        #: For every row of the source the witness that replaces it, or -1; and for every witness.
        self.owner = [-1] * len(tape.rows)
        self.user = [-1] * len(witnesses)
        self.error = 0.0
        self.omitted, self.error_budget = 0.0, error_budget
        self._claim(paths)

    def _claim(self, paths: Sequence[Path]) -> None:
        """Which witness speaks of which rows."""
        spans: dict[Path, tuple[int, int]] = {}
        for i, path in enumerate(paths):
            while path:
                spans[path] = (spans[path][0] if path in spans else i, i + 1)
                path = path[:-1]
        rows, owner = self.rows, self.owner
        for number, witness in enumerate(self.witnesses):
            for path in witness.paths:
                span = range(*spans.get(path, (0, 0)))
                if len({w for i in span for w in rows[i][1]}) < 2 and all(
                    rows[i][0] == Row.TURN and rows[i][3] < 0 for i in span
                ):
                    continue  # one-qubit gates are no part of what is replaced; they stand between it
                for i in span:
                    if owner[i] >= 0:
                        raise WitnessError(number, f"speaks of instruction {_name(path)}, which is spoken of already")
                    if rows[i][0] in (Row.MEASURE, Row.RESET):
                        raise WitnessError(number, f"speaks of a measurement or reset (instruction {_name(path)})")
                    owner[i] = number
            for other in witness.earlier:
                if self.user[other] >= 0:
                    raise WitnessError(number, f"speaks of block {other}, which is spoken of already")
                self.user[other] = number

    def run(self) -> None:
        """Rounds until every witness has been used."""
        pending = list(range(len(self.witnesses)))
        applied = [False] * len(self.witnesses)
        rounds = 0
        while pending:
            held: set[int] = set()
            while True:
                rounds += 1
                if rounds > _MAX_ROUNDS:
                    raise WitnessError(pending[0], f"is not reached in {_MAX_ROUNDS} rounds")
                ready = self._ready(pending, applied, held)
                result = _Round(self, ready).run()
                if isinstance(result, set):
                    held |= result
                    continue
                break
            self.rows, self.tags = result.rows, result.tags
            self.error += result.error
            self.omitted += result.omitted
            for number in ready:
                applied[number] = True
            pending = [n for n in pending if not applied[n]]

    def _ready(self, pending: Sequence[int], applied: Sequence[bool], held: set[int]) -> list[int]:
        """Witnesses for the next round: what they speak of is there, and wires have the names that they use.

        None is used before those of an earlier turn: it may have been right only after these.
        """
        ready: list[int] = []
        waiting = False
        turn = min(self.witnesses[number].turn for number in pending)
        for number in pending:
            witness = self.witnesses[number]
            if witness.turn > turn:
                continue
            fine = number not in held and all(applied[n] for n in witness.earlier)
            if witness.swaps and (waiting or not fine):
                break  # it renames wires for all later ones, but not for the earlier ones
            if fine:
                ready.append(number)
            else:
                waiting = True
        if not ready:
            raise WitnessError(pending[0], "waits for a block that comes later")
        return ready


def _name(path: Path) -> str:
    return ".".join(map(str, path))


class _Round:
    """The witnesses of one round, on one tape."""

    def __init__(self, work: _Work, ready: Sequence[int]) -> None:
        self.work = work
        self.blocks = {n: Block(n, work.witnesses[n]) for n in ready}
        self.owners = [self._owner(tag) for tag in work.tags]
        self.events: list[Event] = []
        self.order = Dependencies(work.num_wires, work.support)
        self.rows: list[TapeRow] = []
        self.tags: list[int] = []
        self.error = 0.0
        self.omitted = 0.0

    def _owner(self, tag: int) -> int:
        """The witness that speaks of rows with this tag, in whatever round, or -1."""
        if tag == _NO_TAG:
            return -1
        return self.work.owner[tag] if tag >= 0 else self.work.user[-1 - tag]

    def run(self) -> _Round | set[int]:
        """The round itself when it is done, or witnesses that must wait for another one."""
        for owner in self.owners:
            if owner in self.blocks:
                self.blocks[owner].rows_left += 1
        for block in self.blocks.values():
            self._prepare(block)
        waiting = self._scan()
        if waiting:
            return waiting
        try:
            sequence = self.order.order()
        except CycleError as cycles:
            return self._hold_back(cycles)
        proofs = self._prove()
        self._emit(sequence, proofs)
        return self

    def _hold_back(self, cycles: CycleError) -> set[int]:
        """Of blocks that get into each other's way the first goes first."""
        held = {n for group in cycles.groups for n in group[1:]}
        if held:
            return held
        block = self.blocks[cycles.groups[0][0]]
        between = f" (gate {self.events[cycles.event].origin} of the circuit)" if cycles.event >= 0 else ""
        raise block.fail(f"speaks of instructions that cannot be brought together past one between them{between}")

    def _prepare(self, block: Block) -> None:
        """The renaming: what is on the line of wire w is afterwards on wire renaming[w]."""
        held: dict[int, int] = {}
        for a, b in block.witness.swaps:
            held[a], held[b] = held.get(b, b), held.get(a, a)
        block.renaming = {line: wire for line, wire in held.items() if line != wire}
        block.swapped = frozenset(block.renaming)

    # Rows become events

    def _scan(self) -> set[int]:
        """Events in frame coordinates; returns witnesses that must wait because of the names of wires."""
        num_wires = self.work.num_wires
        self.wire = wire = list(range(num_wires))
        self.frame = frame = [IDENTITY] * num_wires
        self.renamed = [-1] * num_wires
        #: On wires where a one-qubit gate of a later round's witness came last: the witness, and the frame before.
        leads: dict[int, tuple[int, Quaternion]] = {}
        waiting: set[int] = set()
        for (kind, qubits, payload, guard, origin), tag, owner in zip(self.work.rows, self.work.tags, self.owners):
            wires = tuple([wire[q] for q in qubits])
            block = self.blocks.get(owner)
            if block is not None:
                for w in wires:
                    if w not in block.first:
                        block.first[w] = frame[w]
                        if self.renamed[w] > owner:
                            waiting.add(self.renamed[w])
            if kind == Row.PARITY and len(wires) == 1 and guard < 0:
                angle, axes = payload
                kind, payload = Row.TURN, about(axes[0] if axes else Z_AXIS, angle)
            nothing = guard >= 0 and _is_nothing(kind, payload)
            turns = [(wires[0], payload)] if kind == Row.TURN and (guard < 0 or nothing) else []
            if kind == Row.PARITY and (guard < 0 or nothing) and _is_multiple(payload[0], math.pi):
                # A product of letters, or nothing: no gate on two wires, so that it stands in nobody's way.
                half = abs(math.remainder(payload[0], 2 * math.pi)) > 1
                axes = payload[1] or (Z_AXIS,) * len(wires)
                turns = [(w, about(axis, math.pi) if half else IDENTITY) for w, axis in zip(wires, axes)]
            if turns:
                for w, turn in turns:
                    if owner < 0 or block is not None:
                        leads.pop(w, None)
                    elif leads.get(w, (-1,))[0] != owner:
                        leads[w] = owner, frame[w]
                    frame[w] = multiply(turn, frame[w])
            elif kind == Row.SWAP:
                a, b = qubits
                wire[a], wire[b] = wire[b], wire[a]
            else:
                self._event(kind, wires, payload, guard, origin, tag, block)
                if leads:
                    found = ((w, leads.pop(w, (-1, IDENTITY))) for w in wires)
                    self.events[-1].leads = tuple((w, before) for w, (n, before) in found if n == owner >= 0)
            if block is not None:
                block.rows_left -= 1
                if block.rows_left == 0 and block.renaming:
                    # A scan that will be done again refuses nothing: some names in it are wrong.
                    self._rename(block, may_fail=not waiting)
        for block in self.blocks.values():
            if block.renaming and not block.events:
                raise block.fail("exchanges wires, but speaks of no gate on two or more qubits")
        return {n for n in self.blocks if waiting and n >= min(waiting)}

    def _event(
        self, kind: int, wires: tuple[int, ...], payload: Any, guard: int, origin: int, tag: int, block: Block | None
    ) -> None:
        frames = tuple([self.frame[w] for w in wires])
        number = len(self.events)
        actions: tuple[Action, ...]
        atom = -1
        if kind == Row.MCP or kind == Row.PARITY:
            axes = payload[1]
            if axes is None:
                actions = tuple([z_row(f) for f in frames])
            else:
                actions = tuple([pull_back(f, a) for f, a in zip(frames, axes)])
        elif kind == Row.TURN:
            actions = (pull_back(frames[0], axis_angle(payload)[0]),)
        elif kind == Row.MEASURE:
            actions, atom = (z_row(frames[0]),), payload[1]
        else:
            actions = (number,) * len(wires)
        self.events.append(Event(kind, wires, payload, guard, origin, tag, frames, actions))
        owner = -1
        if block is not None:
            owner = block.number
            if block.events and self.events[block.events[0]].guard != guard:
                raise block.fail("speaks of instructions under different conditions")
            block.events.append(number)
            if block.swapped:
                actions = tuple([-1 - owner if w in block.swapped else a for w, a in zip(wires, actions)])
        self.order.add(wires, actions, guard, owner, atom)

    def _rename(self, block: Block, *, may_fail: bool) -> None:
        """After the last row of a block that ends with swaps."""
        if may_fail and any(self.order.last[w] != -1 - block.number for w in block.swapped):
            # What else happens on these wires must be clearly before or after the exchange.
            raise block.fail("exchanges wires on which it replaces nothing, or not the last gate until then")
        line = {w: q for q, w in enumerate(self.wire)}
        frames = {w: self.frame[w] for w in block.renaming}
        for before, after in block.renaming.items():
            self.wire[line[before]] = after
            self.frame[after] = frames[before]
        last = max(block.number, *(self.renamed[w] for w in block.renaming))
        for w in block.renaming:
            self.renamed[w] = last

    # Proofs

    def _prove(self) -> dict[int, Proof]:
        proofs: dict[int, Proof] = {}
        few: list[Task] = []
        too_much: dict[int, str] = {}
        for block in self.blocks.values():
            if not block.events:
                if any(len(g.wires) > 1 for g in block.witness.gates):
                    raise block.fail("speaks of no gate on two or more qubits")
                continue
            task = Task(block, [self.events[i] for i in block.events])
            omitted = task.omission()
            total, allowed = self.work.omitted + self.omitted + (omitted or 0.0), self.work.error_budget
            if omitted is not None and total <= allowed * (1 + 1e-9):
                self.omitted += omitted
                proofs[block.number] = task.proof(Local([IDENTITY] * len(task.wires), 0.0))
                continue
            if omitted is not None:  # unless what is left out cancels
                too_much[block.number] = (
                    f"leaves out rotations; with those before it the error may be {total:.2g}, and "
                    f"{allowed:.2g} is allowed"
                )
            found = task.by_paulis() if len(task.wires) >= _FEW_WIRES else None
            if found is None:
                few.append(task)
            else:
                proofs[block.number] = task.proof(found)
        for task, local in zip(few, factorise([t.product() for t in few])):
            if local is None and len(task.wires) > MAX_WIRES:
                raise task.block.fail(
                    f"acts on {len(task.wires)} wires, and rotations do not show that it is right; matrices and states "
                    f"can up to {MAX_WIRES} wires"
                )
            if local is None and task.block.number in too_much:
                raise task.block.fail(too_much[task.block.number])
            if local is None:
                instructions = ", ".join(str(n) for n in dict.fromkeys(e.origin for e in task.events))
                raise task.block.fail(
                    f"is not equal to what it speaks of (gates {instructions} of the circuit), up to one-qubit gates"
                )
            proofs[task.block.number] = task.proof(task.in_coordinates(local))
        return proofs

    # The new tape

    def _emit(self, sequence: Sequence[tuple[int, list[int]]], proofs: dict[int, Proof]) -> None:
        self.now = [IDENTITY] * self.work.num_wires
        for number, events in sequence:
            if number >= 0:
                self._emit_block(self.blocks[number], proofs[number])
                continue
            event = self.events[events[0]]
            for wire, before in event.leads:
                frame = event.frames[event.wires.index(wire)]
                self._settle((wire,), (before,), event.origin)
                self._put(Row.TURN, (wire,), multiply(frame, inverse(before)), -1, event.origin, event.tag)
                self.now[wire] = frame
            self._settle(event.wires, event.frames, event.origin)
            self._put(event.kind, event.wires, event.payload, event.guard, event.origin, event.tag)
        self._settle(range(self.work.num_wires), self.frame, -1)
        where = list(range(self.work.num_wires))
        for line, wire in enumerate(self.wire):
            # Lines before this one have their wires already.
            at = where.index(wire, line) if where[line] != wire else line
            if at != line:
                where[line], where[at] = where[at], where[line]
                self._put(Row.SWAP, (line, at), None, -1, -1, _NO_TAG)

    def _put(self, kind: int, wires: tuple[int, ...], payload: Any, guard: int, origin: int, tag: int) -> None:
        self.rows.append((kind, wires, payload, guard, origin))
        self.tags.append(tag)

    def _settle(self, wires: Iterable[int], frames: Sequence[Quaternion], origin: int) -> None:
        """One-qubit gates after which the wires are in these frames."""
        for wire, frame in zip(wires, frames):
            now = self.now[wire]
            if frame is not now:
                self.now[wire] = frame
                if frame != now:
                    self._put(Row.TURN, (wire,), multiply(frame, inverse(now)), -1, origin, _NO_TAG)

    def _emit_block(self, block: Block, proof: Proof) -> None:
        guard, origin = self.events[block.events[0]].guard, self.events[block.events[0]].origin
        self._settle(block.first, list(block.first.values()), origin)
        tag = -1 - block.number
        for kind, wires, payload in proof.rows:
            self._put(kind, wires, payload, -1 if kind == Row.TURN else guard, origin, tag)
        for wire, rest in proof.rest.items():
            turn = proof.turns.get(wire)
            if guard < 0:
                back = rest if turn is None else multiply(rest, inverse(turn))
                self._put(Row.TURN, (wire,), back, -1, origin, _NO_TAG)
                continue
            if turn is not None:
                self._put(Row.TURN, (wire,), inverse(turn), -1, origin, _NO_TAG)
            if abs(rest[0]) < 1.0 - 1e-15:
                self._put(Row.TURN, (wire,), rest, guard, origin, tag)
        self.error += proof.error


def _is_multiple(angle: float, of: float) -> bool:
    """Whether an angle is a multiple of another, to the last bits."""
    return abs(math.remainder(angle, of)) <= 8 * sys.float_info.epsilon * abs(angle)


def _is_nothing(kind: int, payload: Any) -> bool:
    """Whether a rotation is one by a multiple of 2 pi: a sign, and under a condition the phase of a branch."""
    if kind == Row.TURN:
        return bool(abs(payload[0]) >= 1.0 - 1e-15)
    return kind == Row.PARITY and _is_multiple(payload[0], 2 * math.pi)
