"""Measured packets: the legs of a qubit that is about to be measured become classical.

Where nothing but gates that are diagonal on wire c, and X-type one-qubit gates, stand between a gate's leg on c and a
measurement of c, the measurement commutes with all of them up to flips of its outcome. It is carried out before the
first of them; the leg's value is then the bit b = outcome xor the parity of the X-type gates in between:

- a multi-controlled phase acts on its other legs if b = 1;
- a parity rotation by t acts on its other legs by t, and once more by -2t if b = 1;
- diagonal one-qubit gates on c are phases of the branch and go, and so do gates without legs that are left.

The same holds for legs behind the measurement in the same packet. Gates between modules become classical messages: a
QFT before measurements is the semiclassical one.

References:
    R. B. Griffiths and C.-S. Niu, Semiclassical Fourier transform for quantum computation, Phys. Rev. Lett. 76, 3228
    (1996), doi:10.1103/PhysRevLett.76.3228.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit, WitnessRow
from distq.ops import Conjunction, Op
from distq.rewrite.diagonal import parity_rows, phase_rows
from distq.rewrite.edit import NewRow, angle_of, conjoin, edit, guard_of

#: Parity rotations whose sign would depend on more classical bits than this keep some legs.
_MOST_BITS = 4
#: ... and on more than this, where two or more legs are left.
_MOST_BITS_WIDE = 2
#: A change may make room for another one (gates that vanish let packets grow together); rounds at most.
_ROUNDS = 20


def measured_packets(circuit: LogicalCircuit, *, widest: int | None = None) -> LogicalCircuit:
    """Make legs classical that a measurement along their axis ends.

    Args:
        circuit: normalised and merged (`merge_one_qubit`).
        widest: gates that would still act on more qubits than this are left as they are (`widest_left`).

    Returns:
        An equal circuit, up to a global phase in every branch; the same object if there was nothing to do.
    """
    from distq.rewrite.merge import merge_one_qubit

    for _ in range(_ROUNDS):
        found = _Pass(circuit, widest).run()
        if found is None:
            break
        circuit = merge_one_qubit(found)
    return circuit


@dataclass(frozen=True)
class _Packets:
    """What `_measured_kernel.measured_legs` returns."""

    of_pin: NDArray[np.int32]
    flips: NDArray[np.uint8]
    measured: NDArray[np.int32]
    flips_before: NDArray[np.uint8]


class _Pass:
    def __init__(self, circuit: LogicalCircuit, widest: int | None) -> None:
        self.circuit, self.widest = circuit, widest
        self.new: list[NewRow] = []
        self.removed = np.zeros(len(circuit), np.bool_)

    def run(self) -> LogicalCircuit | None:
        """The new circuit, or None if nothing changed."""
        circuit = self.circuit
        plain = (circuit.code == Op.MEASURE) & (circuit.guard < 0)
        if not plain.any():
            return None
        self.packets = packets = _packets(circuit, plain)
        measured = (packets.of_pin >= 0) & (packets.measured[packets.of_pin] >= 0)
        row_of_pin = np.repeat(np.arange(len(circuit)), circuit.arity)
        wide = (circuit.code == Op.MCP) | (circuit.code == Op.PARITY)
        rows = np.unique(row_of_pin[measured & wide[row_of_pin]])
        if not len(rows):
            return None
        chosen = self._choose(rows.tolist(), measured)
        if not chosen:
            return None
        for row, pins in chosen.items():
            self._convert(row, pins)
        active = {int(packets.of_pin[pin]) for pins in chosen.values() for pin in pins}
        self._measure_first(active, row_of_pin)
        self.new.sort(key=lambda r: r.at)  # stable: a measurement that goes before row i precedes what replaces row i
        return edit(circuit, self.removed, self.new)

    def _choose(self, rows: list[int], measured: NDArray[np.bool_]) -> dict[int, list[int]]:
        """The pins of each row that become classical.

        X-type gates are moved before the measurement, so that a packet that has some, and a leg that stays, is left
        alone; then legs of other gates may have to stay too.
        """
        circuit, packets = self.circuit, self.packets
        offsets = circuit.qubit_offsets
        flipped = set(packets.of_pin[(packets.of_pin >= 0) & (packets.flips > 0)].tolist())
        closed: set[int] = set()
        while True:
            chosen: dict[int, list[int]] = {}
            again = False
            for row in rows:
                pins = [p for p in range(int(offsets[row]), int(offsets[row + 1])) if measured[p]]
                free = [p for p in pins if int(packets.of_pin[p]) not in closed]
                taken = self._selection(row, free)
                if taken:
                    chosen[row] = taken
                for pin in pins:
                    packet = int(packets.of_pin[pin])
                    if pin not in taken and packet in flipped and packet not in closed:
                        closed.add(packet)
                        again = True
            if not again:
                return chosen

    def _selection(self, row: int, pins: list[int]) -> list[int]:
        """As many of these pins of a row as can become classical."""
        legs = int(self.circuit.arity[row])
        if self.circuit.code[row] == Op.PARITY:
            if len(pins) == legs:
                return pins
            most = _MOST_BITS if legs - len(pins) == 1 else _MOST_BITS_WIDE
            pins = pins[:most] if legs - len(pins) > 1 or len(pins) <= most else pins[:_MOST_BITS_WIDE]
        return pins if self.widest is None or legs - len(pins) <= self.widest else []

    def _convert(self, row: int, pins: list[int]) -> None:
        """Replace a gate some of whose legs are classical."""
        circuit, packets = self.circuit, self.packets
        self.removed[row] = True
        span = range(int(circuit.qubit_offsets[row]), int(circuit.qubit_offsets[row + 1]))
        left = tuple(int(circuit.qubits[p]) for p in span if p not in pins)
        if not left:
            return
        # (bit, value that it has where the leg is in the state 1)
        ones = []
        for pin in pins:
            packet = packets.of_pin[pin]
            flip = packets.flips[pin] ^ packets.flips_before[packet]
            ones.append((int(circuit.bit[packets.measured[packet]]), 1 - int(flip)))
        guard, angle = guard_of(circuit, row), angle_of(circuit, row)
        if circuit.code[row] == Op.MCP:
            self._add(row, phase_rows(left, angle), conjoin(guard, _literals(ones)))
            return
        self._add(row, parity_rows(left, angle), guard)
        for values in product((0, 1), repeat=len(ones)):
            if sum(values) % 2:
                odd = tuple((bit, one if value else 1 - one) for (bit, one), value in zip(ones, values))
                self._add(row, parity_rows(left, -2 * angle, guarded=True), conjoin(guard, odd))

    def _add(self, at: int, rows: list[WitnessRow], guard: Conjunction | None) -> None:
        if guard is not None:
            self.new += [NewRow(at, code, wires, params, guard) for code, wires, params in rows]

    def _measure_first(self, active: set[int], row_of_pin: NDArray[np.int64]) -> None:
        """Put the measurements of these packets at their beginning, after the X-type gates before them."""
        circuit, packets = self.circuit, self.packets
        pins = np.flatnonzero(np.isin(packets.of_pin, np.array(sorted(active), np.int32)))
        begin: dict[int, int] = {}
        for packet, row in zip(packets.of_pin[pins].tolist(), row_of_pin[pins].tolist()):
            begin.setdefault(packet, row)
            if circuit.code[row] < Op.MCP:
                early = row < packets.measured[packet]
                self.removed[row] |= early or circuit.code[row] not in (Op.X, Op.Y)
        moved = []
        for packet in sorted(active):
            row, at = int(packets.measured[packet]), begin[packet]
            wires = (int(circuit.qubits[circuit.qubit_offsets[row]]),)
            if packets.flips_before[packet]:
                moved.append(NewRow(at, Op.X, wires))
            moved.append(NewRow(at, Op.MEASURE, wires, bit=int(circuit.bit[row])))
            self.removed[row] = True
        self.new = moved + self.new


def _literals(ones: list[tuple[int, int]]) -> Conjunction:
    return tuple(sorted(ones))


def _packets(circuit: LogicalCircuit, plain: NDArray[np.bool_]) -> _Packets:
    """Packets along Z; measurements along with the gates, those under a condition as an end."""
    from distq.rewrite import _measured_kernel as kernel

    table = np.full(max(Op) + 1, kernel.ENDS, np.uint8)
    table[[Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ, Op.MCP, Op.PARITY]] = kernel.KEEPS
    table[[Op.X, Op.Y]] = kernel.FLIPS
    meets = table[circuit.code]
    meets[(meets == kernel.FLIPS) & (circuit.guard >= 0)] = kernel.ENDS
    meets[plain] = kernel.MEASURES
    return _Packets(*kernel.measured_legs(circuit.num_qubits, circuit.qubit_offsets, circuit.qubits, meets))
