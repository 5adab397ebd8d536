"""Tapes as events in frame coordinates: the canonical form in which source and program are compared.

Every strand (a logical qubit, from input to output) carries a frame U: the product of the one-qubit gates so far. A
diagonal gate on several qubits becomes an event whose legs have axes U^dagger Z U, so that all one-qubit gates stand
at the end of the circuit and only events lie between. Consecutive events of a strand with parallel axes form a
packet. Then

    two event sequences are the same operation if, strand by strand, their packets have the same axes, and if the
    multisets of (kind, packets of the legs, angle, guard) agree.

Proof. Call two events dependent if they share a strand on which their axes are not parallel, or if one is a
measurement and the other is guarded by its bit. Exchanging neighbours that are independent does not change the
operation. Parallelism is an equivalence relation, so exchanges on a strand happen only within a packet and never
change where packets begin and end. Conversely let the packets agree and match the events. Both sequences are linear
orders in which the events of an earlier packet of a strand precede those of a later one and every measurement
precedes the events that it guards; events not ordered by these rules are independent. Both are linear extensions of
one partial order, and any two of these are joined by exchanges of incomparable neighbours.

Gates have more than one form, so events are brought to one: an axis points into a fixed half space (which flips the
signs of angles); a controlled phase on two legs is a parity rotation and a rotation of each leg, which goes into the
frames; a parity rotation by pi is a product of Paulis, which goes into the frames too, so that angles lie in
(-pi/2, pi/2]; a multi-controlled phase with legs of negative sign is expanded into those with positive ones.
Rotations about a leg's axis commute with all events of the packet, so it does not matter where in it they enter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from distq.verify.rotations import (
    IDENTITY,
    Quaternion,
    Vector,
    axis_angle,
    multiply,
    principal,
    pull_back,
    z_row,
)
from distq.verify.tape import Axes, Row, Tape

#: Axes whose directions differ by less than this [rad] are parallel.
PARALLEL = 1e-7
#: Events with smaller angles [rad] are left out; what is left out is added up in `EventSet.dropped`.
NEGLIGIBLE = 1e-12
#: Axes point into the half space around this direction, chosen so that no common axis lies on its border.
_UP: Vector = (0.48169, 0.31783, 0.81668)
#: Angles this close to -pi/2 (or -pi) count as +pi/2 (or pi).
_SNAP = 1e-6
#: Multi-controlled phases on at most this many legs are expanded until all signs are positive.
_EXPAND = 6
#: Packet number = strand << SHIFT | position among the packets of the strand.
SHIFT = 32
MASK = (1 << SHIFT) - 1


class Event(NamedTuple):
    """One event: `legs` are packet numbers, in order; `extra` holds signs, and the bit of a measurement."""

    kind: int
    legs: tuple[int, ...]
    angle: float
    guard: int
    extra: tuple[int, ...]
    origin: int


@dataclass
class EventSet:
    """The canonical form of a tape.

    Attributes:
        events: in the order of the tape.
        axes: for every strand the axes of its packets, in frame coordinates.
        frames: for every strand the product of its one-qubit gates.
        strand_at: for every wire the strand that it carries at the end.
        signs: for every strand, for its packets, whether the leg that opened it points along its axis (1) or not (-1).
        dropped: sum of the angles that were left out as negligible [rad].
        measured: (strand, bit, guard) of every measurement, carried out or not, in order.
    """

    events: list[Event]
    axes: list[list[Vector]]
    frames: list[Quaternion]
    strand_at: list[int]
    dropped: float = 0.0
    measured: list[tuple[int, int, int]] = field(default_factory=list)
    signs: list[list[int]] = field(default_factory=list)


@dataclass
class Builder:
    """Turns a tape into an `EventSet`.

    Attributes:
        num_strands: wires at the start.
        holds: decides guards in one branch; None keeps them as labels on the events.
    """

    num_strands: int
    holds: Callable[[int], bool] | None = None
    events: list[Event] = field(default_factory=list)
    dropped: float = 0.0

    def __post_init__(self) -> None:
        n = self.num_strands
        self.frames: list[Quaternion] = [IDENTITY] * n
        self.axes: list[list[Vector]] = [[] for _ in range(n)]
        self.signs: list[list[int]] = [[] for _ in range(n)]
        self.open = [False] * n
        self.strand_at = list(range(n))
        self.origin = -1
        self.measured: list[tuple[int, int, int]] = []

    def run(self, tape: Tape) -> EventSet:
        """Process all rows."""
        frames, strand_at, holds = self.frames, self.strand_at, self.holds
        for kind, wires, payload, guard, origin in tape.rows:
            if kind == Row.MEASURE:
                self.measured.append((strand_at[wires[0]], payload[1], guard))
            if guard >= 0 and holds is not None:
                if not holds(guard):
                    continue
                guard = -1
            self.origin = origin
            if kind == Row.SWAP:
                a, b = wires
                strand_at[a], strand_at[b] = strand_at[b], strand_at[a]
                continue
            if kind == Row.TURN:
                s = strand_at[wires[0]]
                if guard < 0:
                    frames[s] = multiply(payload, frames[s])
                else:
                    axis, angle = axis_angle(payload)
                    self._rotation(s, axis, angle, guard)
            elif kind == Row.PARITY:
                self._gate(Row.PARITY, tuple(strand_at[w] for w in wires), payload[0], payload[1], guard)
            elif kind == Row.MCP:
                self._gate(Row.MCP, tuple(strand_at[w] for w in wires), payload[0], payload[1], guard)
            elif kind == Row.MEASURE:
                self._measure(strand_at[wires[0]], payload, guard)
            elif kind == Row.RESET:
                self._reset(strand_at[wires[0]], guard)
            else:
                raise OpaqueError(origin)
        return EventSet(self.events, self.axes, frames, strand_at, self.dropped, self.measured, self.signs)

    # Legs and packets

    def leg(self, strand: int, axis: Vector) -> tuple[int, int]:
        """Packet and sign of a leg with this axis in frame coordinates; opens a packet if it must."""
        packets = self.axes[strand]
        x, y, z = axis
        if self.open[strand]:
            a, b, c = packets[-1]
            p, q, r = y * c - z * b, z * a - x * c, x * b - y * a
            if p * p + q * q + r * r < PARALLEL * PARALLEL:
                return strand << SHIFT | len(packets) - 1, (1 if x * a + y * b + z * c > 0 else -1)
        self.open[strand] = True
        if x * _UP[0] + y * _UP[1] + z * _UP[2] > 0:
            packets.append(axis)
            self.signs[strand].append(1)
            return strand << SHIFT | len(packets) - 1, 1
        packets.append((-x, -y, -z))
        self.signs[strand].append(-1)
        return strand << SHIFT | len(packets) - 1, -1

    def put(self, kind: int, legs: tuple[int, ...], angle: float, guard: int, extra: tuple[int, ...]) -> None:
        """Append an event as it is."""
        self.events.append(Event(kind, legs, angle, guard, extra, self.origin))

    def _turn_about(self, packet: int, angle: float) -> None:
        """A rotation about a packet's axis goes into the frame of its strand."""
        strand = packet >> SHIFT
        x, y, z = self.axes[strand][packet & MASK]
        c, s = math.cos(angle / 2), math.sin(angle / 2)
        self.frames[strand] = multiply(self.frames[strand], (c, s * x, s * y, s * z))

    # Gates

    def _gate(self, kind: int, strands: tuple[int, ...], angle: float, axes: Axes, guard: int) -> None:
        frames, angle = self.frames, principal(angle)
        if axes is None:
            legs = [self.leg(s, z_row(frames[s])) for s in strands]
        else:
            legs = [self.leg(s, pull_back(frames[s], a)) for s, a in zip(strands, axes)]
        self.place(kind, legs, angle, guard)

    def place(self, kind: int, legs: Sequence[tuple[int, int]], angle: float, guard: int) -> None:
        """A parity rotation or multi-controlled phase on (packet, sign) legs, in canonical form."""
        if kind == Row.PARITY:
            sign = 1
            for _, s in legs:
                sign *= s
            if len(legs) == 2 and guard < 0:
                self._parity_pair(legs[0][0], legs[1][0], sign * angle, 0.0, 0.0)
            else:
                self._parity(tuple(sorted(p for p, _ in legs)), sign * angle, guard)
        else:
            self._phase(legs, angle, guard)

    def _parity(self, packets: tuple[int, ...], angle: float, guard: int) -> None:
        if guard >= 0:
            # A guarded Pauli must stay an event; the angle counts modulo 2 pi (a guarded sign is a global phase).
            angle = math.remainder(angle, math.tau)
            if angle < -math.pi + _SNAP:
                angle += math.tau
        elif len(packets) == 1:
            self._turn_about(packets[0], angle)
            return
        else:
            turns = round(angle / math.pi)
            angle -= turns * math.pi
            if angle < -math.pi / 2 + _SNAP:
                angle += math.pi
                turns -= 1
            if turns & 1:
                for packet in packets:
                    self._turn_about(packet, math.pi)
        if abs(angle) <= NEGLIGIBLE:
            self.dropped += abs(angle)
            return
        self.put(Row.PARITY, packets, angle, guard, ())

    def _phase(self, legs: Sequence[tuple[int, int]], angle: float, guard: int) -> None:
        if len(legs) == 2:
            # e^{it} on -1, -1 = PARITY(-t/2) and a rotation by t/2 about each leg's axis, up to phase.
            (a, sign_a), (b, sign_b) = legs
            if guard < 0:
                self._parity_pair(a, b, -angle / 2 * (sign_a * sign_b), angle / 2 * sign_a, angle / 2 * sign_b)
            else:
                self._parity((a,), angle / 2 * sign_a, guard)
                self._parity((b,), angle / 2 * sign_b, guard)
                self._parity((a, b) if a < b else (b, a), -angle / 2 * (sign_a * sign_b), guard)
            return
        legs = sorted(legs)
        negative = [p for p, sign in legs if sign < 0]
        if len(legs) > _EXPAND:
            packets = tuple(p for p, _ in legs)
            self._positive_phase(packets, angle, guard, tuple(sign for _, sign in legs) if negative else ())
            return
        positive = [p for p, sign in legs if sign > 0]
        for count in range(len(negative) + 1):
            for chosen in combinations(negative, count):
                packets = tuple(sorted((*positive, *chosen)))
                self._positive_phase(packets, -angle if count & 1 else angle, guard, ())

    def _parity_pair(self, a: int, b: int, angle: float, turn_a: float, turn_b: float) -> None:
        """A parity rotation on two legs, after rotations about their axes."""
        turns = round(angle / math.pi)
        angle -= turns * math.pi
        if angle < -math.pi / 2 + _SNAP:
            angle += math.pi
            turns -= 1
        if turns & 1:
            turn_a += math.pi
            turn_b += math.pi
        if turn_a != 0.0:
            self._turn_about(a, turn_a)
        if turn_b != 0.0:
            self._turn_about(b, turn_b)
        if abs(angle) <= NEGLIGIBLE:
            self.dropped += abs(angle)
        else:
            self.put(Row.PARITY, (a, b) if a < b else (b, a), angle, -1, ())

    def _positive_phase(self, packets: tuple[int, ...], angle: float, guard: int, signs: tuple[int, ...]) -> None:
        if not packets:
            return  # a global phase
        if len(packets) == 1:
            self._parity(packets, angle, guard)
            return
        if len(packets) == 2:
            self._phase([(p, 1) for p in packets], angle, guard)
            return
        angle = math.remainder(angle, math.tau)
        if angle < -math.pi + _SNAP:
            angle += math.tau
        if abs(angle) <= NEGLIGIBLE:
            self.dropped += abs(angle)
            return
        self.put(Row.MCP, packets, angle, guard, signs)

    def _rotation(self, strand: int, axis: Vector, angle: float, guard: int) -> None:
        if abs(angle) <= NEGLIGIBLE:
            self.dropped += abs(angle)
            return
        if axis[0] * _UP[0] + axis[1] * _UP[1] + axis[2] * _UP[2] < 0:  # a rotation about Z is not one about -Z
            axis, angle = (-axis[0], -axis[1], -axis[2]), -angle
        packet, sign = self.leg(strand, pull_back(self.frames[strand], axis))
        self._parity((packet,), sign * angle, guard)

    def _measure(self, strand: int, payload: tuple[int, int], guard: int) -> None:
        packet, sign = self.leg(strand, z_row(self.frames[strand]))
        self.put(Row.MEASURE, (packet,), 0.0, guard, (payload[1], sign * payload[0]))

    def _reset(self, strand: int, guard: int) -> None:
        # Nothing commutes with a reset: it is alone in its packet.
        self.open[strand] = False
        packet, sign = self.leg(strand, z_row(self.frames[strand]))
        self.open[strand] = False
        self.put(Row.RESET, (packet,), 0.0, guard, (sign,))


class OpaqueError(Exception):
    """A matrix on several qubits that no witness takes apart."""

    def __init__(self, origin: int) -> None:
        super().__init__(origin)
        self.origin = origin
