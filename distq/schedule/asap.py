"""When everything happens: the as-soon-as-possible schedule of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.check import flatten_guards
from distq.program.types import DistributedProgram

Float64 = NDArray[np.float64]
#: One duration for all modules (or links), or one for each.
Times = float | Sequence[float]


@dataclass(frozen=True)
class Durations:
    """How long operations take, in one common unit.

    Attributes:
        one_qubit, multi_qubit, measure, reset: local operations; a number, or one for each module.
        pair: generation of a Bell pair; a number, or one for each link of the network.
        message: from the end of a measurement until its bit can be read in another module; a number, or a matrix
            over (sender, receiver).

    Raises:
        ValueError: a duration is negative or not finite.
    """

    one_qubit: Times = 1.0
    multi_qubit: Times = 1.0
    measure: Times = 1.0
    reset: Times = 1.0
    pair: Times = 1.0
    message: float | Sequence[Sequence[float]] = 0.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            values = np.asarray(getattr(self, name), np.float64)
            if not np.isfinite(values).all() or (values < 0).any():
                raise ValueError(f"the duration {name} is negative or not finite")

    def of_rows(self, program: DistributedProgram) -> Float64:
        """(N,) duration of each row; that of SEND is the latency of the message."""
        k, links = len(program.network.modules), len(program.network.links)
        code, module = program.code, program.row_module()
        result = np.zeros(len(program), np.float64)
        for chosen, value in (
            (code < NUM_ONE_QUBIT, self.one_qubit),
            (np.isin(code, (Op.MCP, Op.PARITY, Op.CX, Op.SWAP)), self.multi_qubit),
            (code == Op.MEASURE, self.measure),
            (code == Op.RESET, self.reset),
        ):
            result[chosen] = np.broadcast_to(np.asarray(value, np.float64), k)[module[chosen]]
        epr = code == Op.EPR
        result[epr] = np.broadcast_to(np.asarray(self.pair, np.float64), links)[program.link[epr]]
        send = code == Op.SEND
        latency = np.broadcast_to(np.asarray(self.message, np.float64), (k, k))
        result[send] = latency[module[send], program.bit_module[program.bit2[send]]]
        return result


#: Every operation and every Bell pair takes one unit, messages take none.
UNIT = Durations()


@dataclass(frozen=True)
class Schedule:
    """Start and end of every row of a program.

    Attributes:
        start, end: (N,) [unit]; a message starts when its bit is measured and ends when the receiver can read it.
        makespan: end of the last row [unit].
        unit: what one unit of time is.
    """

    start: Float64
    end: Float64
    makespan: float
    unit: str = "operation"


def asap(program: DistributedProgram, durations: Durations = UNIT) -> Schedule:
    """Start every row as soon as its qubits are free and the bits of its guard are known.

    Rows on one qubit keep their order; a Bell pair waits for both of its qubits; a received bit is known at the end
    of its measurement plus the latency of the message. A guarded operation takes its time whether or not it is
    carried out.

    Args:
        program: in an order in which every bit is written before it is read, as the canonical one.
        durations: of the operations.
    """
    start, end = _times(program, durations.of_rows(program))
    return Schedule(start, end, float(end.max()) if len(end) else 0.0)


def from_starts(program: DistributedProgram, start: Float64, makespan: float, durations: Durations = UNIT) -> Schedule:
    """The schedule whose rows start at these times (those of SEND rows follow from their measurements)."""
    start = start.astype(np.float64).copy()
    duration = durations.of_rows(program)
    known = np.zeros(program.num_bits, np.float64)
    measure, send = program.code == Op.MEASURE, program.code == Op.SEND
    known[program.bit[measure]] = (start + duration)[measure]
    start[send] = known[program.bit[send]]
    return Schedule(start, start + duration, float(makespan))


def depth(program: DistributedProgram) -> int:
    """Length of the longest chain of rows that wait for each other; messages do not count."""
    return int(_longest(program, program.code != Op.SEND))


def remote_depth(program: DistributedProgram) -> int:
    """The largest number of Bell pairs in a chain of rows that wait for each other."""
    return int(_longest(program, program.code == Op.EPR))


def _longest(program: DistributedProgram, counts: NDArray[np.bool_]) -> float:
    end = _times(program, counts.astype(np.float64))[1]
    return float(end.max()) if len(end) else 0.0


def _times(program: DistributedProgram, duration: Float64) -> tuple[Float64, Float64]:
    from distq.schedule.kernels import as_soon_as_possible

    guard_offsets, guard_bits = flatten_guards(program)
    return as_soon_as_possible(
        program.code,
        program.qubit_offsets,
        program.qubits,
        program.guard,
        guard_offsets,
        guard_bits,
        program.bit,
        program.bit2,
        duration,
        program.num_physical,
        program.num_bits,
    )
