"""The state of a replay: what every physical qubit holds, and the rules of shares that all statements keep to.

Every physical qubit is clean (|0>), used (measured, to be reset before it is used again), half of a Bell pair, or a
share of a strand: a strand with the value x has on each share p the value x xor f_p, where f_p is a constant and a
set of protocol bits whose correction is still to come; the strand carries Z to the power of a set of protocol bits.
A communication qubit may also hold the parity of several strands, with an f of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NoReturn

from distq.verify.reader import Guard, ProgramFiles
from distq.verify.rotations import FIXED
from distq.verify.spare import lack_of_spare
from distq.verify.tape import Row, Tape

X = FIXED["x"]
NO_BITS: frozenset[int] = frozenset()


class ReplayError(Exception):
    """The program breaks a rule; the message says which, and where."""


class Status(IntEnum):
    """What a physical qubit holds."""

    CLEAN = 0
    #: Measured: a basis state that only a reset makes usable.
    USED = 1
    #: Half of a Bell pair.
    BELL = 2
    #: Half of a Bell pair onto which shares were added by CX; its measurement makes the other half hold their parity.
    JOINED = 3
    #: A share of a strand.
    SHARE = 4
    #: A share or a parity after H, to be measured: disentangling.
    LEAVING = 5
    #: The parity of several strands.
    PARITY = 6


@dataclass
class Strand:
    """What a qubit of the circuit, or one of its lives, is in the program: a value on one or several shares."""

    label: int
    #: Z to the power of the parity of these protocol bits is still to be corrected.
    pending: frozenset[int] = NO_BITS
    shares: set[int] = field(default_factory=set)
    #: Physical qubits that are no shares but know of it: Bell halves onto which it was added, parities, shares after H.
    joined: int = 0
    #: Bell halves onto which it alone was added: their partners become shares.
    coming: int = 0
    #: Measured along Z since its last gate that is not diagonal: every share is a basis state.
    classical: bool = False
    exchange: int = -1


class ReplayState:
    """Strands, their shares, the tape so far, and the checks that statements need; `distq.verify.replay` acts on it."""

    def __init__(self, files: ProgramFiles, start_zero: bool) -> None:
        self.files = files
        count = files.num_physical
        self.status = [Status.CLEAN] * count
        self.partner = [-1] * count
        #: Of JOINED, LEAVING and PARITY qubits: the strands that they know of.
        self.parts: list[tuple[Strand, ...]] = [()] * count
        #: Of shares: the strand; of shares, JOINED and PARITY qubits: the constant and the bits of f.
        self.strand: list[Strand | None] = [None] * count
        #: The last entry, of no qubit, stays empty.
        self.flip = [0] * (count + 1)
        self.bits: list[frozenset[int]] = [NO_BITS] * (count + 1)
        self.protocol = bytearray(files.num_bits)
        #: Strands of inputs, then those of births by number. Those that are never there stay without a share.
        count = len(files.inputs)
        self.tape = Tape(count + len(files.manifest.births))
        self.strands = [Strand(i) for i in range(self.tape.num_wires)]
        self.qubit_of = [*range(count), *files.manifest.births]
        self.guards: list[Guard] = []
        self.guard_number: dict[Guard, int] = {}
        self.exchanges: dict[int, tuple[Strand, Strand, int]] = {}
        self.row = -1
        self._check_capacity()
        for strand, qubit in zip(self.strands, files.inputs, strict=False):
            if strand.label in files.manifest.unborn:
                if not start_zero:
                    raise ReplayError(f"Input {strand.label} is nowhere at the start, but no start in |0> is promised.")
                continue
            if self.status[qubit] != Status.CLEAN:
                raise ReplayError(f"Two inputs start on {files.qubit_name(qubit)}.")
            if files.qubit_comm[qubit]:
                raise ReplayError(f"Input {strand.label} starts on {files.qubit_name(qubit)}, not on a data qubit.")
            self._add_share(strand, qubit, 0, NO_BITS)

    def _check_capacity(self) -> None:
        for module in self.files.manifest.modules:
            if module.data > module.data_limit:
                raise ReplayError(
                    f"Module {module.name!r} uses {module.data} data qubits, but the network gives it "
                    f"{module.data_limit}."
                )
            if module.comm_limit is not None and module.comm > module.comm_limit:
                raise ReplayError(
                    f"Module {module.name!r} uses {module.comm} communication qubits, but the network gives it "
                    f"{module.comm_limit}."
                )
        lack = lack_of_spare(self.files)
        if lack:
            raise ReplayError(lack)

    def fail(self, problem: str) -> NoReturn:
        """Refuse the program because of the present statement."""
        raise ReplayError(f"{self.files.place(self.row)}: {problem}.")

    def name(self, qubit: int) -> str:
        """A physical qubit as files call it."""
        return self.files.qubit_name(qubit)

    # Shares

    def _add_share(self, strand: Strand, qubit: int, flip: int, bits: frozenset[int]) -> None:
        self.status[qubit] = Status.SHARE
        self.strand[qubit] = strand
        self.flip[qubit], self.bits[qubit] = flip, bits
        strand.shares.add(qubit)

    def _remove_share(self, qubit: int, status: Status) -> None:
        strand = self.strand[qubit]
        if strand is not None:
            strand.shares.discard(qubit)
        self.status[qubit] = status
        self.strand[qubit] = None

    def _share(self, qubit: int) -> Strand:
        """The strand of a qubit that must be a share."""
        strand = self.strand[qubit]
        if self.status[qubit] != Status.SHARE or strand is None:
            self._not_a_share(qubit)
        return strand

    def _not_a_share(self, qubit: int) -> NoReturn:
        what = {
            Status.CLEAN: "holds no qubit of the circuit (it is in |0>)",
            Status.USED: "was measured and holds no qubit of the circuit",
            Status.BELL: "holds half of an unused Bell pair",
            Status.JOINED: "is waiting for the measurement of its cat-entanglement",
            Status.LEAVING: "is waiting for the measurement of its disentanglement",
            Status.PARITY: f"holds the parity of {self._labels(qubit)}",
        }
        self.fail(f"{self.name(qubit)} {what[self.status[qubit]]}, so this statement cannot act on it")

    def _labels(self, qubit: int) -> str:
        """The strands that a JOINED, LEAVING or PARITY qubit knows of, in words."""
        return "qubits " + ", ".join(map(str, sorted(s.label for s in self.parts[qubit])))

    def _known(self, qubit: int) -> tuple[Strand, ...]:
        """The strands whose parity a qubit holds, which must be a share or a parity."""
        return self.parts[qubit] if self.status[qubit] == Status.PARITY else (self._share(qubit),)

    def _need_settled(self, qubit: int, strand: Strand) -> None:
        if self.bits[qubit]:
            self.fail(f"the copy of qubit {strand.label} on {self.name(qubit)} still lacks its X correction")

    def _need_junction(self, qubit: int, strand: Strand) -> None:
        """Conditions for a gate that is not diagonal: a single share on a data qubit, nothing pending."""
        self._need_settled(qubit, strand)
        if len(strand.shares) > 1 or strand.joined:
            self.fail(f"a gate that is not diagonal acts on qubit {strand.label} while copies of it exist")
        if strand.pending:
            self.fail(f"qubit {strand.label} still lacks a Z correction before a gate that is not diagonal")
        if self.files.qubit_comm[qubit]:
            self.fail(f"a gate that is not diagonal acts on {self.name(qubit)}, which is not a data qubit")
        self._normalise(qubit, strand)

    def _normalise(self, qubit: int, strand: Strand) -> None:
        """A constant flip of the only share is an X on the strand."""
        if self.flip[qubit]:
            self._put(strand, Row.TURN, X, -1)
            self.flip[qubit] = 0

    def _put(self, strand: Strand, kind: Row, payload: object, guard: int) -> None:
        """A row on one strand."""
        if strand.exchange >= 0:
            self.fail(f"qubit {strand.label} is used inside exchange {strand.exchange}")
        self.tape.rows.append((kind, (strand.label,), payload, guard, self.row))

    def _diagonal_label(self, strand: Strand) -> int:
        """The qubit on which a diagonal gate on a strand acts, inside an exchange, too.

        There it commutes with the first CX and with the third one on their control, so that it stands before the
        exchange or after it: the modules of the two qubits do not wait for each other where copies serve or stay.
        """
        if strand.exchange < 0:
            return strand.label
        one, two, count = self.exchanges[strand.exchange]
        if strand is not one:
            self.fail(f"qubit {strand.label} is used inside exchange {strand.exchange}")
        return one.label if count == 1 else two.label

    def _guard(self, row: int) -> int:
        """Number of a guard of user bits; -1 for none."""
        guard = self.files.guard[row]
        if not guard:
            return -1
        number = self.guard_number.get(guard)
        if number is None:
            if any(self.protocol[bit] for bit, _ in guard):
                self.fail("the condition uses a protocol bit, but the statement is no correction")
            number = self.guard_number[guard] = len(self.guards)
            self.guards.append(guard)
        return number
