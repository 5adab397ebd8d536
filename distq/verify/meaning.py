"""A smaller normal form of events, by what measurements, resets and known inputs mean.

Both sides of a comparison are brought to it, so that nothing needs to be known about what the compiler did. Each step
keeps what the operation does to every input, or to |0>, or to the classical bits only, as far as promised.

*Measured packets.* An unconditional measurement commutes with every event of its packet and depends on no condition, so
it may stand at the beginning of the packet. After it the strand is in an eigenstate of the packet's axis, and which one
its outcome says: all other legs in the packet are Boolean functions of the outcome. A multi-controlled phase is then
one on its other legs under a further condition; a parity rotation by t is one by t on its other legs and one by
-2t under the condition that an odd number of its classical legs is 1. An event without legs is a phase of the branch.

*Known strands.* The strand's state after a measurement is known up to a classical bit, after an unconditional reset
altogether, and at the start if it is promised to be |0>. It might as well be thrown away and prepared anew: its
coordinates begin again, with the known state along Z, and a reset has no axis. As long as a strand is known, legs along
its known axis are classical, as above. Rotations about this axis are phases of the branch, so coordinates matter only
up to them; they are fixed by the first other event, whose axis is turned into the half plane of X and Z.

*Unseen resets.* A reset of a strand that nothing happens to before its next unconditional reset, or before the end if
its state does not matter then, makes no difference; neither does one of a strand that is promised to start in |0>
before anything else happens to it.

*Outcomes only.* If only the classical bits matter, every strand is thrown away at the end, as it is before a reset. A
gate all of whose legs are in the last packet that is kept of their strands commutes with all that follows there. It can
be brought to where its strands are thrown away (or after that, if one of them lives on: the environment keeps the
other), and there it has no effect. This is repeated from the end.

Steps make room for each other, and for adding up and cancelling of events, so they are repeated until nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.events import MASK, PARALLEL, SHIFT, Builder, Event, EventSet
from distq.verify.levels import CLOSE, Parts, levels
from distq.verify.promise import Promise
from distq.verify.rotations import IDENTITY, Z_AXIS, Quaternion, Vector, about, multiply, pull_back
from distq.verify.tape import Row

#: Rounds at most.
_ROUNDS = 60
#: An axis whose component along Z is smaller than this counts as perpendicular.
_LEVEL = 1e-7
_GATES = (Row.PARITY, Row.MCP)


class ImpossibleError(Exception):
    """The circuit has no such branch: a measurement of a known state would have the other outcome.

    A program that is right in all branches that the circuit has cannot have others, as probabilities add up to one.
    """


@dataclass(frozen=True)
class Labels:
    """What guards and bits of an event set mean.

    Attributes:
        booleans: the store of functions of the circuit's measurements.
        guard: the function of a guard label.
        atom: the measurement of the circuit that a bit is.
        values: in one branch, the outcomes that are fixed.
        is_source: whether the events are those of the circuit, which says what branches there are.
    """

    booleans: Booleans
    guard: Callable[[int], int]
    atom: Callable[[int], int]
    values: Mapping[int, int] = field(default_factory=dict)
    is_source: bool = False


@dataclass(frozen=True)
class Normal:
    """A normal form.

    Attributes:
        events: guards are functions (-1: always), bits are measurements of the circuit.
        free: packets (of the events it was made from) whose axes were perpendicular to what was known of their strand,
            so that they could as well have been turned round.
        given: what is certain in this branch: outcomes that are known are those that it fixes. TRUE for events that are
            not the circuit's.
    """

    events: EventSet
    free: frozenset[int]
    given: int = TRUE


def normal_form(
    events: EventSet,
    labels: Labels,
    promise: Promise,
    turned: Collection[int] = (),
    kept: Collection[int] | None = None,
) -> Normal:
    """The normal form of a tape's events.

    Args:
        events: as the `Builder` made them from a tape.
        labels: what its guards and bits mean.
        promise: which steps are allowed.
        turned: free packets that are turned round. All others keep the direction of the leg that came first. This is a
            matter of coordinates: every choice is right.
        kept: strands whose state at the end matters; None: all.
    """
    current = _translated(events, labels)
    outcomes: dict[int, int] = {}
    given: list[int] = []
    first = _Round(current, labels, promise, outcomes, _directions(events, turned), given)
    current, _ = first.run()
    matters = None if kept is None else set(kept)
    for _ in range(_ROUNDS):
        visible = visible_resets(current.events, matters, promise.start_zero)
        fewer = len(visible) < len(current.events)
        current.events = visible
        current, changed = _Round(current, labels, promise, outcomes, None, given).run()
        if not (changed or fewer):
            break
    for _ in range(_ROUNDS if promise.outcomes_only else 0):
        count = len(current.events)
        current.events = visible_resets(_seen(current.events), matters, promise.start_zero)
        fewer = len(current.events) < count
        # Once more, without the packets that are empty now.
        current, changed = _Round(current, labels, promise, outcomes, None, given).run()
        if not (changed or fewer):
            break
    return Normal(current, frozenset(first.free), labels.booleans.all_of(given))


def _directions(events: EventSet, turned: Collection[int]) -> list[list[int]]:
    """For every packet whether its first leg, or the opposite of it, points along its axis (1) or not (-1)."""
    return [
        [-sign if strand << SHIFT | position in turned else sign for position, sign in enumerate(signs)]
        for strand, signs in enumerate(events.signs)
    ]


def _translated(events: EventSet, labels: Labels) -> EventSet:
    """Guards become functions, bits atoms."""
    result = []
    for event in events.events:
        guard = TRUE if event.guard < 0 else labels.guard(event.guard)
        if guard == FALSE:
            continue
        extra = event.extra
        if event.kind == Row.MEASURE:
            extra = (labels.atom(extra[0]), extra[1])
        result.append(event._replace(guard=-1 if guard == TRUE else guard, extra=extra))
    return EventSet(result, events.axes, events.frames, events.strand_at, events.dropped, events.measured)


class _Round:
    """One rebuild of all events.

    Args:
        old: the events.
        labels: for functions of outcomes.
        promise: what may be assumed.
        outcomes: measurements that find what earlier ones decide, as functions of these; grows.
        signs: directions for packets whose axes are perpendicular to known ones, if coordinates still run through
            measurements and resets in `old`; None after the first round.
        given: what is certain because the branch fixes outcomes that are known; grows.
    """

    def __init__(
        self,
        old: EventSet,
        labels: Labels,
        promise: Promise,
        outcomes: dict[int, int],
        signs: list[list[int]] | None,
        given: list[int],
    ) -> None:
        self.old, self.labels, self.signs = old, labels, signs
        self.free: set[int] = set()
        self.outcomes, self.given = outcomes, given
        self.booleans = labels.booleans
        if outcomes:
            decided = partial(self._decided, self.booleans.all_of(given))
            old.events = [e for e in map(decided, old.events) if e.guard != FALSE]
        count = len(old.frames)
        self.builder = Builder(count)
        self.builder.dropped = old.dropped
        #: Whether the strand is in the -1 state of Z in its present coordinates; None: unknown.
        self.known: list[int | None] = [FALSE if promise.start_zero else None] * count
        self.changed = False
        #: The first unconditional measurement of every packet that has one, and those that are done.
        self.measured: dict[int, int] = {}
        self.done: set[int] = set()
        #: For such packets, once measured: whether the strand was found in the -1 state of the packet's axis.
        self.value: dict[int, int] = {}
        for number, event in enumerate(old.events):
            if event.kind == Row.MEASURE and event.guard < 0:
                self.measured.setdefault(event.legs[0], number)

    def run(self) -> tuple[EventSet, bool]:
        """The new events, and whether they differ from the old ones."""
        old, builder = self.old, self.builder
        sums = _sums(old.events)
        for number, event in enumerate(old.events):
            builder.origin = event.origin
            if event.kind not in _GATES:
                self._begin(event.legs)
                if number not in self.done:
                    (self._measure if event.kind == Row.MEASURE else self._reset)(event)
                continue
            parts = sums.pop((event.kind, event.legs, event.extra), None)
            if parts is None:
                continue  # added to an earlier one
            self._begin(event.legs)
            self._gates(event, parts)
        frames = [
            _representative(multiply(frame, inner)) if known is not None else multiply(frame, inner)
            for frame, inner, known in zip(old.frames, builder.frames, self.known)
        ]
        changed = self.changed or len(builder.events) != len(old.events)
        changed = changed or any(len(a) != len(b) for a, b in zip(old.axes, builder.axes))
        return EventSet(builder.events, builder.axes, frames, old.strand_at, builder.dropped, old.measured), changed

    def _decided(self, certain: int, event: Event) -> Event:
        """The event with a guard that asks for no outcome that earlier ones, or what is certain, decide."""
        if event.guard < 0:
            return event
        b = self.booleans
        guard = b.substitute(event.guard, self.outcomes)
        if b.conj(certain, guard) == FALSE:
            guard = FALSE
        always = b.conj(certain, b.negate(guard)) == FALSE
        return event._replace(guard=-1 if always else guard)

    # Strands

    def _axis(self, packet: int) -> tuple[int, Vector]:
        """Strand and axis of an old packet in the present coordinates."""
        strand = packet >> SHIFT
        return strand, pull_back(self.builder.frames[strand], self.old.axes[strand][packet & MASK])

    def _begin(self, packets: tuple[int, ...]) -> None:
        """Carry out the measurements of packets that begin here."""
        for packet in packets:
            number = self.measured.get(packet, -1)
            if number >= 0 and number not in self.done:
                self.done.add(number)
                event, origin = self.old.events[number], self.builder.origin
                self.builder.origin = event.origin
                self._measure(event)
                self.builder.origin = origin

    def _classical(self, packet: int) -> int | None:
        """Whether the strand is in the -1 state of an old packet's axis, if that is known."""
        if packet in self.value:
            return self.value[packet]
        strand, (x, y, z) = self._axis(packet)
        known = self.known[strand]
        if known is None or x * x + y * y >= PARALLEL * PARALLEL:
            return None
        return self._signed(known, 1 if z > 0 else -1)

    def _leg(self, packet: int) -> tuple[int, int]:
        """Packet and sign of a leg that is not classical."""
        if self.known[packet >> SHIFT] is not None:
            self._settle(packet)
        return self.builder.leg(*self._axis(packet))

    def _settle(self, packet: int) -> None:
        """Fix the coordinates of a strand that is known no longer: this axis comes into the half plane of X and Z."""
        strand, (x, y, z) = self._axis(packet)
        sign = 1
        if abs(z) > _LEVEL:
            sign = 1 if z > 0 else -1
        elif self.signs is not None:
            sign = self.signs[strand][packet & MASK]
            self.free.add(packet)
        half = math.atan2(sign * y, sign * x) / 2
        turn = (math.cos(half), 0.0, 0.0, math.sin(half))
        self.builder.frames[strand] = multiply(self.builder.frames[strand], turn)
        self.builder.open[strand] = False
        self.known[strand] = None

    def _restart(self, packet: int, known: int, sign: int) -> None:
        """Coordinates begin again; `known`: whether the strand is in the -1 state of sign * (axis of the packet)."""
        strand = packet >> SHIFT
        x, y, z = self.old.axes[strand][packet & MASK]
        if self.signs is not None:
            self.builder.frames[strand] = _towards((sign * x, sign * y, sign * z))
        else:
            self.builder.frames[strand] = IDENTITY
        self.builder.open[strand] = False
        self.known[strand] = known

    # Events

    def _measure(self, event: Event) -> None:
        (packet,) = event.legs
        atom, sign = event.extra
        known = self._classical(packet)
        # If the outcome is known, the measurement is an event all the same.
        place, turned = self._leg(packet) if known is None else self.builder.leg(*self._axis(packet))
        self.builder.put(Row.MEASURE, (place,), 0.0, event.guard, (atom, sign * turned))
        if event.guard < 0:
            # Outcome 0 stands for the +1 state of sign * axis.
            outcome = self._outcome(atom) if known is None else self._signed(known, sign)
            if known is not None and atom not in self.outcomes:
                self.outcomes[atom] = outcome
                self.changed = True
                fixed = self.labels.values.get(atom)
                if self.labels.is_source and fixed is not None:
                    self.given.append(self._signed(outcome, 1 if fixed else -1))
                    if self.booleans.all_of(self.given) == FALSE:
                        raise ImpossibleError
            self.value[packet] = self._signed(outcome, sign)
            self._restart(packet, outcome, sign)

    def _outcome(self, atom: int) -> int:
        value = self.labels.values.get(atom)
        return self.booleans.var(atom) if value is None else (TRUE if value else FALSE)

    def _signed(self, function: int, sign: int) -> int:
        return function if sign > 0 else self.booleans.negate(function)

    def _reset(self, event: Event) -> None:
        (packet,) = event.legs
        strand = packet >> SHIFT
        sign = event.extra[0]
        if event.guard < 0:
            self._restart(packet, FALSE, sign)
            self.builder.axes[strand].append(Z_AXIS)
            self.builder.signs[strand].append(1)
            place = strand << SHIFT | len(self.builder.axes[strand]) - 1
            self.builder.put(Row.RESET, (place,), 0.0, -1, (1,))
            return
        known = self._classical(packet)
        if known is None and self.known[strand] is not None:
            self._settle(packet)
        strand, axis = self._axis(packet)
        self.builder.open[strand] = False
        place, turned = self.builder.leg(strand, axis)
        self.builder.open[strand] = False
        self.builder.put(Row.RESET, (place,), 0.0, event.guard, (sign * turned,))
        if known is not None:
            # In the -1 state of this axis if reset to it, or as before.
            value = self.booleans.ite(event.guard, FALSE if sign > 0 else TRUE, known)
            self.known[strand] = self._signed(value, 1 if axis[2] > 0 else -1)

    def _gates(self, event: Event, sums: dict[int, float]) -> None:
        """All gates in one place. A parity rotation by pi on several legs is a product of Paulis, one for each leg."""
        parts = list(sums.items())
        if len(parts) > 1 or parts[0][0] >= 0:
            is_wide = event.kind == Row.PARITY and len(event.legs) > 1
            found, odd, dropped = levels(parts, math.pi if is_wide else math.tau, self.booleans)
            self.builder.dropped += dropped
            for guard in odd:
                for leg in event.legs:
                    self._gate(event._replace(legs=(leg,)), guard, math.pi)
            self.changed = self.changed or bool(odd) or not _same(parts, found)
            parts = found
        for guard, angle in parts:
            self._gate(event, guard, angle)

    def _gate(self, event: Event, guard: int, angle: float) -> None:
        b = self.booleans
        legs: list[tuple[int, int]] = []
        classical: list[int] = []
        for packet, sign in zip(event.legs, event.extra or (1,) * len(event.legs)):
            known = self._classical(packet)
            if known is None:
                legs.append((packet, sign))
            else:
                classical.append(self._signed(known, sign))
        self.changed = self.changed or bool(classical)
        whole = TRUE if guard < 0 else guard
        if event.kind == Row.MCP:
            self._place(Row.MCP, legs, angle, b.conj(whole, b.all_of(classical)))
            return
        odd = FALSE
        for function in classical:
            odd = b.xor(odd, function)
        if odd == TRUE:
            angle, odd = -angle, FALSE
        self._place(Row.PARITY, legs, angle, whole)
        self._place(Row.PARITY, legs, -2 * angle, b.conj(whole, odd))

    def _place(self, kind: int, old_legs: list[tuple[int, int]], angle: float, guard: int) -> None:
        """A gate in its one form: without condition as it is when all outcomes are 0, and what differs from that.

        Legs are packets of the old events, with signs.
        """
        if not old_legs or guard == FALSE:
            return
        if guard == TRUE and len(old_legs) == 1:
            # A rotation; it does not matter to it whether the strand is known.
            ((packet, sign),) = old_legs
            strand, axis = self._axis(packet)
            self.builder.frames[strand] = multiply(self.builder.frames[strand], about(axis, sign * angle))
            return
        legs = []
        for packet, sign in old_legs:
            place, turned = self._leg(packet)
            legs.append((place, sign * turned))
        if guard == TRUE:
            self.builder.place(kind, legs, angle, -1)
        elif self.booleans.value(guard, {}):
            self.changed = True
            self.builder.place(kind, legs, angle, -1)
            self.builder.place(kind, legs, -angle, self.booleans.negate(guard))
        else:
            self.builder.place(kind, legs, angle, guard)


#: (kind, packets, signs) of gates that may be added up.
_Place = tuple[int, tuple[int, ...], tuple[int, ...]]


def _sums(events: list[Event]) -> dict[_Place, dict[int, float]]:
    """For all gates in one place, by their guards, the sums of their angles."""
    sums: dict[_Place, dict[int, float]] = {}
    for event in events:
        if event.kind in _GATES:
            parts = sums.setdefault((event.kind, event.legs, event.extra), {})
            parts[event.guard] = parts.get(event.guard, 0.0) + event.angle
    return sums


def _same(a: Parts, b: Parts) -> bool:
    """Whether two lists have the same angles under the same conditions."""
    return len(a) == len(b) and all(g == h and abs(s - t) < CLOSE for (g, s), (h, t) in zip(sorted(a), sorted(b)))


def _towards(axis: Vector) -> Quaternion:
    """A rotation that takes Z to this axis."""
    x, y, z = axis
    if z < -0.5:
        # By way of -Z: X turns Z round, and the rest is small.
        half = _shortest((x, -y, -z))
        return multiply((0.0, 1.0, 0.0, 0.0), half)
    return _shortest(axis)


def _shortest(axis: Vector) -> Quaternion:
    """The rotation from Z to an axis that is not near -Z, about the axis perpendicular to both."""
    x, y, z = axis
    w = 1 + z
    norm = math.sqrt(w * w + x * x + y * y)
    return (w / norm, -y / norm, x / norm, 0.0)


def _representative(frame: Quaternion) -> Quaternion:
    """The frame of a known strand up to rotations about Z that come before it."""
    w, x, y, z = frame
    if x * x + y * y < CLOSE * CLOSE:
        return IDENTITY
    if w * w + z * z < CLOSE * CLOSE:
        return (0.0, 1.0, 0.0, 0.0)
    # frame = Rz(a) Ry(b) Rz(c) has w - iz ~ e^{-i(a+c)/2} and y - ix ~ e^{i(a-c)/2}.
    angle = -(math.atan2(-z, w) + math.atan2(-x, y))
    return multiply(frame, (math.cos(angle / 2), 0.0, 0.0, -math.sin(angle / 2)))


def visible_resets(events: list[Event], kept: set[int] | None, start_zero: bool) -> list[Event]:
    """Events without the unconditional resets that make no difference.

    Args:
        events: in coordinates that begin again after every unconditional reset.
        kept: strands whose state at the end matters; None: all.
        start_zero: whether strands start in |0>.
    """
    resets = [e.legs[0] >> SHIFT for e in events if e.kind == Row.RESET and e.guard < 0]
    if not resets:
        return events
    #: Whether what a strand holds has been seen, going backwards; strands without resets do not matter.
    matters = {strand: kept is None or strand in kept for strand in resets}
    result = []
    for event in reversed(events):
        strands = [leg >> SHIFT for leg in event.legs]
        if event.kind == Row.RESET and event.guard < 0:
            if not matters[strands[0]]:
                continue
            matters[strands[0]] = False
        else:
            matters.update(dict.fromkeys(strands, True))
        result.append(event)
    result.reverse()
    if not start_zero:
        return result
    met: set[int] = set()
    events, result = result, []
    for event in events:
        strands = [leg >> SHIFT for leg in event.legs]
        if event.kind == Row.RESET and event.guard < 0 and strands[0] not in met:
            continue
        met.update(strands)
        result.append(event)
    return result


def _seen(events: list[Event]) -> list[Event]:
    """Events without those that no classical bit depends on."""
    last: dict[int, int] = {}
    kept: list[Event] = []
    for event in reversed(events):
        strands = [leg >> SHIFT for leg in event.legs]
        if event.kind == Row.RESET and event.guard < 0:
            last.pop(strands[0], None)
        elif event.kind in _GATES and all(last.get(s, leg) == leg for s, leg in zip(strands, event.legs)):
            continue
        else:
            for strand, leg in zip(strands, event.legs):
                last.setdefault(strand, leg)
        kept.append(event)
    return kept[::-1]
