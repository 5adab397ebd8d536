"""The proof that one block of a witness is right: W, the rows of the tape, is L E, the gates of the witness and a rest.

`distq.verify.substitute` says which rows stand together; here they are compared with what the witness says, by leaving
out rotations that are small, by rotations about Paulis, or by matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from distq.verify.angles import Angle
from distq.verify.ordering import Action
from distq.verify.paulis import NotLocalError, PauliProduct
from distq.verify.products import Local, Product, Step
from distq.verify.rotations import (
    X_AXIS,
    Z_AXIS,
    Quaternion,
    Vector,
    gate,
    inverse,
    matrix_of,
    multiply,
    pull_back,
)
from distq.verify.tape import Row
from distq.verify.witnesses import Witness

_CX_AXES = (Z_AXIS, X_AXIS)
#: Rotations are left out only if their errors, in one block, add up to less than this.
_SMALL = 0.5


class WitnessError(Exception):
    """A witness is not true; `problem` continues "block `number` ..."."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(number, problem)
        self.number, self.problem = number, problem


@dataclass(slots=True)
class Event:
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
class Block:
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
        """The error that says what is wrong with it."""
        return WitnessError(self.number, problem)


@dataclass(slots=True)
class Proof:
    """What replaces a block: rows as (kind, wires, payload); their one-qubit part; and what comes after the rest."""

    rows: list[tuple[int, tuple[int, ...], Any]]
    turns: dict[int, Quaternion]
    rest: dict[int, Quaternion]
    error: float


class Task:
    """The proof of one block: W (rows of the tape) = L E (gates of the witness), then the renaming."""

    def __init__(self, block: Block, events: list[Event]) -> None:
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

    def proof(self, local: Local) -> Proof:
        """The proof from L in the coordinates of the witness."""
        return Proof(self.rows, self.turns, dict(zip(self.wires, local.turns)), local.error)

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
        event: Event, gate: tuple[int, tuple[int, ...], float, list[Vector]], first: dict[int, Quaternion]
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


def _step(event: Event, places: tuple[int, ...]) -> Step:
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


def _number(angle: Angle) -> float:
    assert not isinstance(angle, str), "witnesses are bound before they are used"
    return angle
