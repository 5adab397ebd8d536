"""Replays a program's protocols from its files and extracts the logical operations that remain.

What qubits hold meanwhile is described in `distq.verify.replay_state`. CX from shares, or from a qubit that holds a
parity, onto half of a Bell pair adds them up there, and the measurement of this half passes the sum to the other. A
rotation about Z of a parity is a parity gate on its strands; measured along X it leaves a Z on every one of them.
A reset that begins a qubit gives up what was there, and a new strand begins, in |0>: a further life of its qubit. In
the end the lives of a qubit become one wire again (`distq.verify.lives`). Qubits that are nowhere at the start begin in
|0>; whoever calls must have been promised this.
Statements must fit this state; what they do to the strands becomes a `Tape`, in which protocols leave no trace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from distq.verify.lives import OverlapError, joined, lives_of
from distq.verify.reader import Guard, ProgramFiles
from distq.verify.replay_state import NO_BITS, ReplayError, ReplayState, Status, Strand, X
from distq.verify.rotations import FIXED, Quaternion, Vector, gate, multiply
from distq.verify.tape import Row, Tape

_H = FIXED["h"]
_PLUS_Z: Vector = (0.0, 0.0, 1.0)
_MINUS_Z: Vector = (0.0, 0.0, -1.0)
#: A quaternion component smaller than this is zero: the gate is diagonal or antidiagonal.
_TINY = 1e-12


@dataclass
class Replayed:
    """What remains of a program.

    Attributes:
        tape: logical operations; wire i is the qubit that starts as input i; guards are numbers of `guards`, bits
            are bits of the program.
        guards: conjunctions of (bit, value).
        place: for each wire the physical qubit of its only share at the end, -1 if it has none or several.
        pending: for each wire whether a correction is missing at the end.
    """

    tape: Tape
    guards: list[Guard]
    place: list[int]
    pending: list[bool]


def replay(files: ProgramFiles, *, start_zero: bool = False) -> Replayed:
    """Replay a program whose angles are numbers.

    Args:
        files: the program.
        start_zero: whether it is promised that qubits start in |0>.

    Raises:
        ReplayError: a rule of the network or of a protocol is broken.
    """
    machine = _Machine(files, start_zero)
    machine.run()
    return machine.finish()


class _Machine(ReplayState):
    """Carries out the statements, one method for each kind."""

    # The loop

    def run(self) -> None:
        files = self.files
        handlers = {
            "epr": self._epr,
            "cx": self._cx,
            "swap": self._swap,
            "measure": self._measure,
            "reset": self._reset,
            "mcp": self._mcp,
            "parity": self._parity,
        }
        turn = self._turn
        for row, kind in enumerate(files.kind):
            self.row = row
            handler = handlers.get(kind)
            if handler is None:
                turn(kind, files.qubits[row][0], row)
            else:
                handler(files.qubits[row], row)

    def finish(self) -> Replayed:
        files, status = self.files, self.status
        for qubit, what in enumerate(status):
            if what == Status.BELL:
                raise ReplayError(f"Half of a Bell pair is left over on {self.name(qubit)} at the end.")
            if what in (Status.JOINED, Status.LEAVING):
                raise ReplayError(f"A protocol is left unfinished on {self.name(qubit)} at the end.")
            if what == Status.PARITY:
                raise ReplayError(f"{self.name(qubit)} still holds the parity of {self._labels(qubit)} at the end.")
            strand = self.strand[qubit]
            if what == Status.SHARE and files.qubit_comm[qubit] and strand is not None and not strand.classical:
                raise ReplayError(f"{self.name(qubit)} still holds a share of qubit {strand.label} at the end.")
        if self.exchanges:
            raise ReplayError(f"Exchange {min(self.exchanges)} has fewer than three cx gates.")
        count = len(files.inputs)
        lives = lives_of(files.manifest.births, count, files.manifest.unborn)
        place = [-1] * count
        pending = [False] * count
        for strand in self.strands:
            label = self.qubit_of[strand.label]
            if len(strand.shares) == 1 and lives[label][-1:] == [strand.label]:
                (qubit,) = strand.shares
                self._normalise(qubit, strand)
                place[label] = qubit
                pending[label] = bool(strand.pending or self.bits[qubit])
        if files.manifest.births:
            try:
                self.tape = joined(self.tape, lives, files.manifest.unborn, self.guards)
            except OverlapError as error:
                raise ReplayError(f"The lives of qubit {error.qubit} do not follow each other.") from error
        return Replayed(self.tape, self.guards, place, pending)

    # Bell pairs and protocols

    def _epr(self, qubits: tuple[int, ...], row: int) -> None:
        for qubit in qubits:
            if self.status[qubit] == Status.USED:
                self.fail(f"Bell pair {self.files.pair[row]} arrives on {self.name(qubit)}, which was not reset")
            if self.status[qubit] != Status.CLEAN:
                self.fail(f"Bell pair {self.files.pair[row]} arrives on {self.name(qubit)}, which is in use")
        a, b = qubits
        self.status[a] = self.status[b] = Status.BELL
        self.partner[a], self.partner[b] = b, a

    def _cx(self, qubits: tuple[int, ...], row: int) -> None:
        control, target = qubits
        if not self.files.guard[row] and (
            self.status[target] in (Status.BELL, Status.CLEAN, Status.JOINED, Status.PARITY)
            or (self.status[target] == Status.SHARE and self.files.qubit_comm[target])
        ):
            self._add_up(control, target, row)
            return
        first, second = self._share(control), self._share(target)
        if first is second:
            self.fail(f"both qubits are shares of qubit {first.label}")
        self._need_settled(control, first)
        self._need_junction(target, second)
        if self.files.exchange[row] >= 0:
            self._exchange(first, second, control, row)
            return
        guard = self._guard(row)
        second.classical = False
        self._put(second, Row.TURN, _H, -1)
        self._diagonal(Row.MCP, ((control, first), (target, second)), 3.141592653589793, guard)
        self._put(second, Row.TURN, _H, -1)

    def _add_up(self, control: int, target: int, row: int) -> None:
        """CX onto a qubit that is no data of the circuit: a share, or a parity, is added to what it holds."""
        added, what = self._known(control), self.status[target]
        if self.files.exchange[row] >= 0:
            self.fail("a cx of an exchange must act on two qubits of the circuit")
        first = added[0]
        if len(added) == len(first.shares) == 1 and not first.joined and first.exchange < 0 and not self.bits[control]:
            # Left over from a time with copies; the new copy shall not be a flipped one.
            self._normalise(control, first)
        if what == Status.CLEAN:
            if len(added) > 1:
                self.fail(f"a parity is copied to {self.name(target)}, which is not half of a Bell pair")
            self._add_share(first, target, self.flip[control], self.bits[control])
        elif what == Status.BELL:
            if self.status[self.partner[target]] != Status.BELL:
                self.fail(f"both halves of the Bell pair on {self.name(target)} are used")
            self.status[target], self.parts[target] = Status.JOINED, added
            self.flip[target], self.bits[target] = self.flip[control], self.bits[control]
            for strand in added:
                strand.joined += 1
            if len(added) == 1:
                first.coming += 1
        else:
            self._add_to_parity(added, control, target)

    def _add_to_parity(self, added: tuple[Strand, ...], control: int, target: int) -> None:
        if self.strand[target] is added[0]:
            self.fail(f"both qubits are shares of qubit {added[0].label}")
        held = self._give_up(target)
        self.parts[target] = held + added
        for strand in added:
            if any(strand is other for other in held):
                self.fail(f"qubit {strand.label} is added twice to the parity on {self.name(target)}")
            strand.joined += 1
        for strand in self.parts[target]:
            if strand.exchange >= 0:
                self.fail(f"qubit {strand.label} is used inside exchange {strand.exchange}")
        self.flip[target] ^= self.flip[control]
        self.bits[target] ^= self.bits[control]

    def _give_up(self, qubit: int) -> tuple[Strand, ...]:
        """The strands that a qubit knows of, before another is added: it becomes a parity, and no share any more."""
        if self.status[qubit] == Status.SHARE:
            strand = self._share(qubit)
            self._remove_share(qubit, Status.PARITY)
            strand.joined += 1
            held: tuple[Strand, ...] = (strand,)
        else:
            held = self.parts[qubit]
            if self.status[qubit] == Status.JOINED and len(held) == 1:
                held[0].coming -= 1
        self._need_remains(held[0])
        return held

    def _need_remains(self, strand: Strand) -> None:
        if not strand.shares and not strand.coming:
            self.fail(f"no share of qubit {strand.label} is left")

    def _exchange(self, control: Strand, target: Strand, qubit: int, row: int) -> None:
        """Three CX, the middle one the other way round, exchange two strands."""
        number = self.files.exchange[row]
        if self.files.guard[row] or self.flip[qubit]:
            self.fail(f"a cx of exchange {number} is conditional or acts on a flipped copy")
        state = self.exchanges.get(number)
        if state is None:
            if control.exchange >= 0 or target.exchange >= 0:
                self.fail(f"exchange {number} begins while another one of the same qubits is open")
            control.exchange = target.exchange = number
            self.exchanges[number] = (control, target, 1)
        else:
            one, two, count = state
            expected = (two, one) if count == 1 else (one, two)
            if (control, target) != expected:
                self.fail(f"the cx gates of exchange {number} do not make a swap")
            self.exchanges[number] = (one, two, count + 1)
            if count == 2:
                one.exchange = two.exchange = -1
                del self.exchanges[number]
                one.label, two.label = two.label, one.label
        control.classical = target.classical = False

    def _swap(self, qubits: tuple[int, ...], row: int) -> None:
        if self.files.guard[row]:
            self.fail("a swap cannot depend on a condition")
        a, b = qubits
        held = [self._lift(q) for q in (a, b)]
        for qubit, content in zip((b, a), held):
            status, partner, strand, flip, bits, parts = content
            self.status[qubit], self.partner[qubit], self.strand[qubit] = status, partner, strand
            self.flip[qubit], self.bits[qubit], self.parts[qubit] = flip, bits, parts
            if status == Status.PARITY and not self.files.qubit_comm[qubit]:
                self.fail(f"a parity moves to {self.name(qubit)}, which is not a communication qubit")
            if status in (Status.BELL, Status.JOINED):
                self.partner[partner] = qubit
                if not self.files.qubit_comm[qubit]:
                    self.fail(f"half of a Bell pair moves to {self.name(qubit)}, which is not a communication qubit")
            elif status == Status.SHARE and strand is not None:
                strand.shares.add(qubit)

    def _lift(self, qubit: int) -> tuple[Status, int, Strand | None, int, frozenset[int], tuple[Strand, ...]]:
        """What a qubit holds, taken off it."""
        strand = self.strand[qubit]
        if strand is not None and self.status[qubit] == Status.SHARE:
            strand.shares.discard(qubit)
        parts, self.parts[qubit] = self.parts[qubit], ()
        return self.status[qubit], self.partner[qubit], strand, self.flip[qubit], self.bits[qubit], parts

    def _measure(self, qubits: tuple[int, ...], row: int) -> None:
        (qubit,) = qubits
        bit, what = self.files.bit[row], self.status[qubit]
        if what in (Status.JOINED, Status.LEAVING):
            if self.files.guard[row]:
                self.fail("a measurement of a protocol cannot depend on a condition")
            self.protocol[bit] = 1
            parts, self.parts[qubit] = self.parts[qubit], ()
            self.status[qubit] = Status.USED
            if what == Status.LEAVING:
                for strand in parts:
                    strand.joined -= 1
                    self._owe(strand, bit)
            else:
                self._pass_on(parts, self.partner[qubit], self.flip[qubit], self.bits[qubit] ^ {bit})
            return
        strand = self._share(qubit)
        self._need_settled(qubit, strand)
        guard = self._guard(row)
        if len(strand.shares) == 1 and not strand.joined:
            if self.files.qubit_comm[qubit]:
                self.fail(f"qubit {strand.label} is measured on {self.name(qubit)}, which is not a data qubit")
            self._normalise(qubit, strand)
        self._put(strand, Row.MEASURE, (-1 if self.flip[qubit] else 1, bit), guard)
        if guard < 0:
            strand.classical = True
            strand.pending = NO_BITS  # Z on a basis state is a phase

    def _pass_on(self, parts: tuple[Strand, ...], other: int, flip: int, bits: frozenset[int]) -> None:
        """The other half of a Bell pair receives what was added up on the half that was measured."""
        if len(parts) == 1:
            parts[0].joined -= 1
            parts[0].coming -= 1
            self._add_share(parts[0], other, flip, bits)
            return
        self.status[other], self.parts[other] = Status.PARITY, parts
        self.flip[other], self.bits[other] = flip, bits

    def _reset(self, qubits: tuple[int, ...], row: int) -> None:
        (qubit,) = qubits
        what = self.status[qubit]
        if row in self.files.births:
            self._begin(qubit, self.strands[len(self.files.inputs) + self.files.births[row]])
            return
        if row in self.files.ends and what == Status.SHARE:
            strand = self._share(qubit)
            if self.qubit_of[strand.label] != self.files.ends[row]:
                self.fail(f"{self.name(qubit)} does not hold qubit {self.files.ends[row]}, which is to be given up")
            self._give_up_all(strand)
            self.status[qubit] = Status.CLEAN
            return
        if what in (Status.CLEAN, Status.USED) and not self.files.guard[row]:
            self.status[qubit] = Status.CLEAN
            return
        strand = self._share(qubit)
        if len(strand.shares) > 1 and strand.classical and not self.files.guard[row]:
            self._remove_share(qubit, Status.CLEAN)
            return
        if len(strand.shares) > 1 or strand.joined:
            self.fail(f"qubit {strand.label} is reset while copies of it exist")
        if self.files.qubit_comm[qubit]:
            if strand.classical and not self.files.guard[row]:
                self._remove_share(qubit, Status.CLEAN)  # measured, and given up
                return
            self.fail(f"qubit {strand.label} is reset on {self.name(qubit)}, which is not a data qubit")
        guard = self._guard(row)
        if guard >= 0:
            self._need_settled(qubit, strand)
            if strand.pending:
                self.fail(f"qubit {strand.label} still lacks a Z correction before a conditional reset")
        self._normalise(qubit, strand)
        self._put(strand, Row.RESET, None, guard)
        if guard < 0:
            self.bits[qubit], strand.pending, strand.classical = NO_BITS, NO_BITS, True

    def _begin(self, qubit: int, strand: Strand) -> None:
        """A reset on which a strand begins: what was here is given up. Every strand begins once."""
        if self.files.qubit_comm[qubit]:
            self.fail(f"qubit {self.qubit_of[strand.label]} begins on {self.name(qubit)}, which is not a data qubit")
        if self.status[qubit] == Status.SHARE:
            self._give_up_all(self._share(qubit))
        elif self.status[qubit] not in (Status.CLEAN, Status.USED):
            self._not_a_share(qubit)
        self.status[qubit] = Status.CLEAN
        self._add_share(strand, qubit, 0, NO_BITS)
        strand.classical = True

    def _give_up_all(self, strand: Strand) -> None:
        """What a strand holds is thrown away; its qubits must be reset before they are used again."""
        if strand.joined or strand.coming or (len(strand.shares) > 1 and not strand.classical):
            self.fail(f"qubit {self.qubit_of[strand.label]} is given up while copies of it exist")
        if strand.exchange >= 0:
            self.fail(f"qubit {self.qubit_of[strand.label]} is given up inside exchange {strand.exchange}")
        for qubit in list(strand.shares):
            self._remove_share(qubit, Status.USED)
            self.flip[qubit], self.bits[qubit] = 0, NO_BITS

    # Gates

    def _turn(self, kind: str, qubit: int, row: int) -> None:
        guard = self.files.guard[row]
        if self.status[qubit] == Status.PARITY:
            self._turn_parity(kind, qubit, row)
            return
        if guard and self.protocol[guard[0][0]]:
            self._correction(kind, qubit, guard)
            return
        strand = self._share(qubit)
        turn = gate(kind, self.files.params[row])  # type: ignore[arg-type]
        diagonal = abs(turn[1]) < _TINY and abs(turn[2]) < _TINY
        single = len(strand.shares) == 1 and not strand.joined
        if guard:
            self._guarded_turn(qubit, strand, turn, diagonal, self._guard(row))
        elif diagonal:
            if self.bits[qubit] and kind != "z":
                self._need_settled(qubit, strand)
            self._rotate(strand, turn, self.flip[qubit], -1)
        elif abs(turn[0]) < _TINY and abs(turn[3]) < _TINY:
            # X times a diagonal gate: flips this share; the strand is flipped when all its shares are.
            self._flip(qubit, strand, turn, kind, single)
        elif kind == "h" and not single:
            self._leave(qubit, strand)
        else:
            self._need_junction(qubit, strand)
            strand.classical = False
            self._put(strand, Row.TURN, turn, -1)

    def _turn_parity(self, kind: str, qubit: int, row: int) -> None:
        """What may be done to a parity: its X correction, a rotation about Z, and the H before its measurement."""
        guard = self.files.guard[row]
        if guard and self.protocol[guard[0][0]]:
            if len(guard) > 1:
                self.fail("a correction depends on one protocol bit alone")
            if kind != "x":
                self.fail(f"the correction of a parity is x, not {kind}")
            bit, value = guard[0]
            self.bits[qubit] ^= {bit}
            self.flip[qubit] ^= 1 - value
            return
        if kind == "h" and not guard:
            self.status[qubit] = Status.LEAVING
            return
        turn = gate(kind, self.files.params[row])  # type: ignore[arg-type]
        if abs(turn[1]) > _TINY or abs(turn[2]) > _TINY:
            self.fail(f"a gate that is not diagonal acts on {self.name(qubit)}, which holds a parity")
        self._diagonal(
            Row.PARITY, tuple(self._legs_of_parity(qubit)), 2 * math.atan2(turn[3], turn[0]), self._guard(row)
        )

    def _rotate(self, strand: Strand, turn: Quaternion, flip: int, guard: int) -> None:
        label = self._diagonal_label(strand)
        turn = (turn[0], 0.0, 0.0, -turn[3] if flip else turn[3])
        self.tape.rows.append((Row.TURN, (label,), turn, guard, self.row))

    def _flip(self, qubit: int, strand: Strand, turn: Quaternion, kind: str, single: bool) -> None:
        if kind != "x":
            # gate = X (X gate), and X gate is diagonal.
            if kind != "y":
                self._need_settled(qubit, strand)
            self._rotate(strand, multiply(X, turn), self.flip[qubit], -1)
        if strand.exchange >= 0:
            self.fail(f"qubit {strand.label} is used inside exchange {strand.exchange}")
        self.flip[qubit] ^= 1
        if single and not self.bits[qubit]:
            self._normalise(qubit, strand)

    def _leave(self, qubit: int, strand: Strand) -> None:
        """H on one of several shares: after its measurement the others carry the strand."""
        self._remove_share(qubit, Status.LEAVING)
        self.parts[qubit] = (strand,)
        strand.joined += 1
        self._need_remains(strand)

    def _correction(self, kind: str, qubit: int, guard: Guard) -> None:
        if len(guard) > 1:
            self.fail("a correction depends on one protocol bit alone")
        strand = self._share(qubit)
        bit, value = guard[0]
        if kind == "x":
            # X^(1 - b) = X X^b
            self.bits[qubit] ^= {bit}
            self.flip[qubit] ^= 1 - value
        elif kind == "z":
            self._owe(strand, bit)
            if not value:
                self._rotate(strand, FIXED["z"], 0, -1)
        else:
            self.fail(f"a correction is x or z, not {kind}")

    def _owe(self, strand: Strand, bit: int) -> None:
        """Z to the power of a protocol bit; on a basis state it is a phase."""
        if not strand.classical:
            strand.pending ^= {bit}

    def _guarded_turn(self, qubit: int, strand: Strand, turn: Quaternion, diagonal: bool, guard: int) -> None:
        if diagonal:
            self._need_settled(qubit, strand)
            self._rotate(strand, turn, self.flip[qubit], guard)
            return
        self._need_junction(qubit, strand)
        strand.classical = False
        self._put(strand, Row.TURN, turn, guard)

    def _mcp(self, qubits: tuple[int, ...], row: int) -> None:
        legs = tuple((q, self._share(q)) for q in qubits)
        self._diagonal(Row.MCP, legs, self.files.params[row][0], self._guard(row))  # type: ignore[arg-type]

    def _parity(self, qubits: tuple[int, ...], row: int) -> None:
        """A parity gate; a leg that is a parity stands for legs on all its strands."""
        status = self.status
        legs: list[tuple[int, Strand]] = []
        for q in qubits:
            if status[q] == Status.PARITY:
                legs += self._legs_of_parity(q)
            else:
                legs.append((q, self._share(q)))
        self._diagonal(Row.PARITY, tuple(legs), self.files.params[row][0], self._guard(row))  # type: ignore[arg-type]

    def _legs_of_parity(self, qubit: int) -> list[tuple[int, Strand]]:
        """A leg for each strand; only the first has the parity's flip (qubit -1 has none)."""
        first, *others = self.parts[qubit]
        return [(qubit, first), *((-1, strand) for strand in others)]

    def _diagonal(self, kind: Row, legs: tuple[tuple[int, Strand], ...], angle: float, guard: int) -> None:
        """A diagonal gate on shares of different strands; a flipped share gives its leg the opposite sign."""
        labels = tuple(self._diagonal_label(strand) for _, strand in legs)
        if len(set(labels)) < len(labels):
            self.fail(f"two of the gate's qubits are shares of qubit {max(labels, key=labels.count)}")
        flipped = False
        for qubit, strand in legs:
            if self.bits[qubit]:
                self._need_settled(qubit, strand)
            flipped = flipped or bool(self.flip[qubit])
        axes = tuple(_MINUS_Z if self.flip[q] else _PLUS_Z for q, _ in legs) if flipped else None
        self.tape.rows.append((kind, labels, (angle, axes), guard, self.row))


__all__ = ["ReplayError", "Replayed", "replay"]
