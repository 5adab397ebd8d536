"""Puts the gates of witnesses in the place of the instructions that they stand for, after proving that it is right.

A witness says that some rows of the source are equal to other gates, up to one-qubit gates. The tape is rewritten in
rounds, because a witness may speak of the gates of earlier ones. In every round the rows are put in an order in which
each block is contiguous (`distq.verify.ordering`), by exchanges of neighbours that commute. Then a block is a product W
of gates on a few wires, and with the product E of the gates that the witness names, W E^dagger is computed and must be
a product L of one-qubit gates (`distq.verify.paulis`, `distq.verify.products`), and a renaming of wires if the witness
ends with swaps. The rows of the block are replaced by E and L. Every step is an equality of operations up to rounding,
whose sum is returned; what the witness says is used only to choose the step.

Axes of the new gates count in the coordinates that a wire has just before the first instruction on several qubits that
the block replaces there. Therefore rows keep the frames (products of one-qubit gates) in which they were written, and
one-qubit gates between rows restore these.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from distq.verify.angles import Angle
from distq.verify.ordering import Action, CycleError, Dependencies
from distq.verify.paulis import NotLocalError, PauliProduct
from distq.verify.products import MAX_WIRES, Local, Product, Step, factorise
from distq.verify.rotations import (
    IDENTITY,
    X_AXIS,
    Z_AXIS,
    Quaternion,
    Vector,
    about,
    axis_angle,
    gate,
    inverse,
    matrix_of,
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
_CX_AXES = (Z_AXIS, X_AXIS)
#: Tag of rows that belong to no instruction and no witness.
_NO_TAG = 1 << 62

#: Rotations are left out only if their errors, in one block, add up to less than this.
_SMALL = 0.5


class WitnessError(Exception):
    """A witness is not true; `problem` continues "block `number` ..."."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(number, problem)
        self.number, self.problem = number, problem


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


@dataclass(slots=True)
class _Event:
    """A row on its wires, with the frames and the axes (in frame coordinates) of its legs."""

    kind: int
    wires: tuple[int, ...]
    payload: Any
    guard: int
    origin: int
    tag: int
    frames: tuple[Quaternion, ...]
    actions: tuple[Action, ...]
    #: (wire, frame before): one-qubit gates of the same instruction just before, which a later round must see.
    leads: tuple[tuple[int, Quaternion], ...] = ()


@dataclass(slots=True)
class _Block:
    """One witness in a round."""

    number: int
    witness: Witness
    events: list[int] = field(default_factory=list)
    #: For every wire the frame before the first instruction on several qubits there.
    first: dict[int, Quaternion] = field(default_factory=dict)
    rows_left: int = 0
    swapped: frozenset[int] = frozenset()
    renaming: dict[int, int] = field(default_factory=dict)

    def fail(self, problem: str) -> WitnessError:
        return WitnessError(self.number, problem)


@dataclass(slots=True)
class _Proof:
    """What replaces a block: rows as (kind, wires, payload); their one-qubit part; and what comes after the rest."""

    rows: list[tuple[int, tuple[int, ...], Any]]
    turns: dict[int, Quaternion]
    rest: dict[int, Quaternion]
    error: float


class _Round:
    """The witnesses of one round, on one tape."""

    def __init__(self, work: _Work, ready: Sequence[int]) -> None:
        self.work = work
        self.blocks = {n: _Block(n, work.witnesses[n]) for n in ready}
        self.owners = [self._owner(tag) for tag in work.tags]
        self.events: list[_Event] = []
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

    def _prepare(self, block: _Block) -> None:
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
        self, kind: int, wires: tuple[int, ...], payload: Any, guard: int, origin: int, tag: int, block: _Block | None
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
        self.events.append(_Event(kind, wires, payload, guard, origin, tag, frames, actions))
        owner = -1
        if block is not None:
            owner = block.number
            if block.events and self.events[block.events[0]].guard != guard:
                raise block.fail("speaks of instructions under different conditions")
            block.events.append(number)
            if block.swapped:
                actions = tuple([-1 - owner if w in block.swapped else a for w, a in zip(wires, actions)])
        self.order.add(wires, actions, guard, owner, atom)

    def _rename(self, block: _Block, *, may_fail: bool) -> None:
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

    def _prove(self) -> dict[int, _Proof]:
        proofs: dict[int, _Proof] = {}
        few: list[_Task] = []
        too_much: dict[int, str] = {}
        for block in self.blocks.values():
            if not block.events:
                if any(len(g.wires) > 1 for g in block.witness.gates):
                    raise block.fail("speaks of no gate on two or more qubits")
                continue
            task = _Task(block, [self.events[i] for i in block.events])
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

    def _emit(self, sequence: Sequence[tuple[int, list[int]]], proofs: dict[int, _Proof]) -> None:
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

    def _emit_block(self, block: _Block, proof: _Proof) -> None:
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


class _Task:
    """The proof of one block: W (rows of the tape) = L E (gates of the witness), then the renaming."""

    def __init__(self, block: _Block, events: list[_Event]) -> None:
        self.block, self.events = block, events
        self.wires = list(block.first)
        self.place = {w: i for i, w in enumerate(self.wires)}
        guard = events[0].guard
        if guard >= 0 and block.renaming:
            raise block.fail("exchanges wires under a condition")
        # A gate on one wire where nothing is replaced is a local factor: it may as well be left out.
        self.rows = [r for r in _rows_of(block.witness) if r[0] != Row.TURN or r[1][0] in self.place]
        for _, wires, _ in self.rows:
            for wire in wires:
                if wire not in self.place:
                    raise block.fail(f"has a gate on wire {wire}, on which it replaces nothing")
        #: After the product, the line of wire w holds what the gates of the witness leave on wire renaming[w].
        self.places = list(range(len(self.wires)))
        for line, wire in block.renaming.items():
            self.places[self.place[wire]] = self.place[line]
        self.turns: dict[int, Quaternion] = {}
        #: Gates of the witness on several wires with the one-qubit gates before them.
        self.gates: list[tuple[int, tuple[int, ...], float, list[Vector]]] = []
        for kind, wires, payload in self.rows:
            if kind == Row.TURN:
                (wire,) = wires
                self.turns[wire] = multiply(payload, self.turns[wire]) if wire in self.turns else payload
            else:
                angle, axes = payload
                axes = axes or (Z_AXIS,) * len(wires)
                turned = [pull_back(self.turns[w], a) if w in self.turns else a for w, a in zip(wires, axes)]
                self.gates.append((kind, wires, angle, turned))

    def proof(self, local: Local) -> _Proof:
        """The proof from L in the coordinates of the witness."""
        return _Proof(self.rows, self.turns, dict(zip(self.wires, local.turns)), local.error)

    # By leaving out

    def omission(self) -> float | None:
        """If the witness states the gates themselves without some small rotations, a bound on the error of that.

        The distance of exp(-i t/2 P) from the identity, up to a phase, is at most |t|/2, that of diag(1, .., e^{it})
        |e^{it} - 1|, and distances add up along a product.
        """
        if self.block.renaming or len(self.gates) >= len(self.events):
            return None
        first = self.block.first
        rest = iter(self.gates)
        wanted = next(rest, None)
        omitted = 0.0
        for event in self.events:
            if wanted is not None and self._is_same(event, wanted, first):
                wanted = next(rest, None)
                continue
            if event.kind not in (Row.PARITY, Row.MCP):
                return None
            angle = math.remainder(event.payload[0], 2 * math.pi)
            omitted += abs(angle) / 2 if event.kind == Row.PARITY else 2 * abs(math.sin(angle / 2))
        return omitted if wanted is None and omitted < _SMALL else None

    @staticmethod
    def _is_same(
        event: _Event, gate: tuple[int, tuple[int, ...], float, list[Vector]], first: dict[int, Quaternion]
    ) -> bool:
        kind, wires, angle, axes = gate
        if event.kind != kind or set(event.wires) != set(wires) or abs(event.payload[0] - angle) > 1e-12:
            return False
        here = dict(zip(event.wires, event.actions))
        return all(math.dist(here[w], pull_back(first[w], a)) < 1e-9 for w, a in zip(wires, axes))  # type: ignore[arg-type]

    # By matrices: everything in frame coordinates

    def product(self) -> Product:
        """E^dagger, then W."""
        place, first = self.place, self.block.first
        steps = []
        for kind, wires, angle, axes in reversed(self.gates):
            turned = tuple([pull_back(first[w], a) for w, a in zip(wires, axes)])
            steps.append(Step(kind, tuple([place[w] for w in wires]), turned, -angle))
        for event in self.events:
            places = tuple([place[w] for w in event.wires])
            steps.append(_step(event, places))
        return Product(len(self.wires), steps, self.places)

    def in_coordinates(self, local: Local) -> Local:
        """L in the coordinates of the witness."""
        frames = self.block.first
        turns = [multiply(frames[w], multiply(turn, inverse(frames[w]))) for w, turn in zip(self.wires, local.turns)]
        return Local(turns, local.error)

    # By rotations: everything in the coordinates of the circuit, where axes are most likely to be Pauli axes

    def by_paulis(self) -> Local | None:
        """L in the coordinates of the witness, or None if the method does not show it."""
        place = self.place
        product = PauliProduct(len(self.wires))
        try:
            for kind, wires, angle, axes in reversed(self.gates):
                _multiply(product, kind, [place[w] for w in wires], axes, -angle)
            frames = dict(self.block.first)
            for event in self.events:
                places = [place[w] for w in event.wires]
                for wire, at, frame in zip(event.wires, places, event.frames):
                    if frame is not frames[wire]:
                        product.turn(at, multiply(frame, inverse(frames[wire])))
                        frames[wire] = frame
                if event.kind == Row.TURN:
                    product.turn(places[0], event.payload)
                elif event.kind == Row.BLOCK:
                    return None
                else:
                    angle, axes = event.payload
                    _multiply(product, event.kind, places, axes or (Z_AXIS,) * len(places), angle)
            return self._back(product, frames)
        except NotLocalError:
            return None

    def _back(self, product: PauliProduct, frames: dict[int, Quaternion]) -> Local:
        """Without the one-qubit gates between the first and the last row, which stay where they are."""
        first = self.block.first
        for wire, at in self.place.items():
            if frames[wire] is not first[wire]:
                product.turn(at, multiply(first[wire], inverse(frames[wire])))
        turns = product.local_factors(self.places)
        line = {wire: line for line, wire in self.block.renaming.items()}
        for wire, at in self.place.items():
            if wire in line:
                # What is on this wire now is in the coordinates of the line that it belongs to.
                turns[at] = multiply(multiply(first[wire], inverse(first[line[wire]])), turns[at])
        return Local(turns, product.error)


def _multiply(product: PauliProduct, kind: int, places: list[int], axes: Sequence[Vector], angle: float) -> None:
    if kind == Row.PARITY:
        product.parity(places, axes, angle)
    else:
        product.phase(places, axes, angle)


def _step(event: _Event, places: tuple[int, ...]) -> Step:
    """A row in frame coordinates."""
    import numpy as np

    if event.kind == Row.TURN:
        turn = multiply(inverse(event.frames[0]), multiply(event.payload, event.frames[0]))
        return Step(Row.BLOCK, places, (), 0.0, matrix_of(turn))
    if event.kind == Row.BLOCK:
        frame = np.ones((1, 1), complex)
        for f in event.frames:
            frame = np.kron(matrix_of(f), frame)
        return Step(Row.BLOCK, places, (), 0.0, frame.conj().T @ event.payload @ frame)
    return Step(event.kind, places, event.actions, event.payload[0])  # type: ignore[arg-type]


def _rows_of(witness: Witness) -> list[tuple[int, tuple[int, ...], Any]]:
    """The gates of a witness as rows of a tape: kind, wires, payload."""
    rows: list[tuple[int, tuple[int, ...], Any]] = []
    for kind, wires, angles in witness.gates:
        if kind == "mcp":
            rows.append((Row.MCP, wires, (_number(angles[0]), None)))
        elif kind == "parity":
            rows.append((Row.PARITY, wires, (_number(angles[0]), None)))
        elif kind == "cx":
            rows.append((Row.MCP, wires, (3.141592653589793, _CX_AXES)))
        else:
            rows.append((Row.TURN, wires, gate(kind, [_number(a) for a in angles])))
    return rows


def _is_multiple(angle: float, of: float) -> bool:
    """Whether an angle is a multiple of another, to the last bits."""
    return abs(math.remainder(angle, of)) <= 8 * sys.float_info.epsilon * abs(angle)


def _is_nothing(kind: int, payload: Any) -> bool:
    """Whether a rotation is one by a multiple of 2 pi: a sign, and under a condition the phase of a branch."""
    if kind == Row.TURN:
        return bool(abs(payload[0]) >= 1.0 - 1e-15)
    return kind == Row.PARITY and _is_multiple(payload[0], 2 * math.pi)


def _number(angle: Angle) -> float:
    assert not isinstance(angle, str), "witnesses are bound before they are used"
    return angle
