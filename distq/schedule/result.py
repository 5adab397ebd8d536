"""A schedule: when everything begins and ends, what is busy, and what the makespan is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import InfeasibleError
from distq.ops import Op
from distq.program.types import COMM, DATA, DistributedProgram
from distq.schedule.graph import TaskGraph

if TYPE_CHECKING:
    from distq.fidelity.predict import FidelityPrediction
    from distq.schedule.bounds import Bounds
    from distq.schedule.replay import Distribution

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
#: What a critical path is made of.
GATES, PAIRS, MESSAGES, WAITING = "gates", "pairs", "messages", "waiting"
#: A pair that was generated so often without living long enough is given up.
MOST_TRIES = 1000


@dataclass(frozen=True, eq=False)
class Order:
    """The planned order of a graph's nodes on everything that they share.

    Attributes:
        order: (nodes,) nodes as they begin.
        generator, port: (nodes,) of Bell pairs, numbered over all links and fabrics; else -1.
        anchor, lag: (nodes,) a pair is requested no earlier than `lag` behind the start of node `anchor` (-1: no such
            rule; -2: no earlier than the time `lag`).
        user: (nodes,) the node that first uses a Bell pair; -1 where there is none.
        start, end: (nodes,) with mean times; of a pair that was generated again, the last try.
        discarded: pairs that are too old when they are used, and are generated again, even with mean times.
    """

    order: Int64
    generator: Int64
    port: Int64
    anchor: Int64
    lag: Float64
    user: Int64
    start: Float64
    end: Float64
    discarded: int

    @classmethod
    def planned(
        cls, graph: TaskGraph, order: Int64, generator: Int64, port: Int64, anchor: Int64, lag: Float64
    ) -> Order:
        """The order with its times."""
        position = np.empty(len(order), np.int64)
        position[order] = np.arange(len(order))
        user = _users(graph, position)
        empty = np.zeros(len(order), np.float64)
        plan = cls(order, generator, port, anchor, lag, user, empty, empty, 0)
        makespan, discarded, start, end = plan.replay(graph, samples=1, random=False)
        if not np.isfinite(makespan[0]):
            raise InfeasibleError(
                "some pairs grow too old before they can be used, however often they are generated again: give the "
                "links a larger max_age, more generators, or a higher rate"
            )
        return cls(order, generator, port, anchor, lag, user, start, end, int(discarded[0]))

    def replay(
        self, graph: TaskGraph, *, samples: int, random: bool, seed: int = 0, first_sample: int = 0
    ) -> tuple[Float64, Int64, Float64, Float64]:
        """Makespan and discarded pairs of each sample; start and end of each node in the last one."""
        from distq.schedule.replay_kernel import replay

        t = graph.timing
        # Only pairs with a finite life need to be watched.
        pairs = graph.pairs
        watched = pairs[(self.user[pairs] >= 0) & np.isfinite(t.max_age[graph.link[pairs]])]
        watched = watched[np.argsort(self.user[watched], kind="stable")]
        # The other half is used no earlier: a pair must not die when half of it is used up.
        touch = graph.touch[watched]
        other = np.where(touch[:, 0] == self.user[watched], touch[:, 1], touch[:, 0])
        seconds = np.argsort(other, kind="stable")
        seconds = seconds[other[seconds] >= 0]
        behind = np.append(t.reconfiguration, 0.0)[t.fabric]
        return replay(
            self.order,
            graph.pred_offsets,
            graph.preds,
            graph.duration,
            graph.link,
            self.generator,
            self.port,
            self.anchor,
            self.lag,
            np.searchsorted(self.user[watched], np.arange(graph.num_nodes + 1)).astype(np.int64),
            watched,
            np.searchsorted(other[seconds], np.arange(graph.num_nodes + 1)).astype(np.int64),
            watched[seconds],
            self.user,
            t.kind,
            t.slot,
            t.probability,
            t.max_age,
            behind,
            int(t.generators.sum()),
            int(t.ports.sum()),
            seed,
            first_sample,
            samples,
            random,
            MOST_TRIES,
        )

    def too_old(self, graph: TaskGraph) -> Int64:
        """Pairs that would be older than their link allows if they were not generated again."""
        pairs = graph.pairs[self.user[graph.pairs] >= 0]
        if not self.discarded:
            return pairs[:0]
        from dataclasses import replace

        immortal = replace(graph, timing=replace(graph.timing, max_age=np.full_like(graph.timing.max_age, np.inf)))
        _, _, start, end = self.replay(immortal, samples=1, random=False)
        limit = graph.timing.max_age[graph.link[pairs]] * (1 + 1e-9)
        return pairs[start[self.user[pairs]] - end[pairs] > limit]


def _users(graph: TaskGraph, position: Int64) -> Int64:
    """The node that comes first in the order of those that use a half of each pair.

    -1 where there is none, or another pair takes the place of a half: such a pair is of no use.
    """
    result = np.full(graph.num_nodes, -1, np.int64)
    touch = graph.touch[graph.pairs]
    replaced = np.any((touch >= 0) & (graph.link[touch] >= 0), axis=1)
    touch = np.where(np.reshape(replaced, (-1, 1)), -1, touch)
    late = len(position)
    at = np.where(touch >= 0, position[touch], late)
    first = np.where(at[:, 0] <= at[:, 1], touch[:, 0], touch[:, 1]) if len(touch) else touch[:0, 0]
    result[graph.pairs] = first
    return result


@dataclass(frozen=True)
class Segment:
    """A stretch of the critical path.

    Attributes:
        kind: "gates" (local operations), "pairs", "messages", or "waiting" (a pair is requested later on purpose).
        start, end: [the unit of the timeline].
        row: of the program, or -1 for a correction that is carried out, or for waiting.
        where: the module or the link, for people.
        what: the operation, for people.
    """

    kind: str
    start: float
    end: float
    row: int
    where: str
    what: str


@dataclass(frozen=True)
class Use:
    """How busy a module is.

    Attributes:
        name: of the module.
        data_qubits, comm_qubits: how many the program uses.
        data_busy: share of the makespan in which these data qubits take part in an operation.
        data_idle: time in which they wait, summed over them.
        comm_busy: share in which the communication qubits are occupied: from the start of a pair's generation, or the
            first gate, until they are measured or reset, or used for the last time.
        peak_comm: the most communication qubits occupied at one time.
    """

    name: str
    data_qubits: int
    comm_qubits: int
    data_busy: float
    data_idle: float
    comm_busy: float
    peak_comm: int


@dataclass(frozen=True, eq=False)
class Timeline:
    """A program on a timeline, with mean times for pairs.

    Attributes:
        graph: what waits for what.
        policy: how pairs are requested; of "ahead" "on-demand" where that was quicker.
        order: the order on every resource, with the times.
    """

    graph: TaskGraph
    policy: str
    order: Order

    @property
    def program(self) -> DistributedProgram:
        """What is scheduled."""
        return self.graph.program

    @property
    def unit(self) -> str:
        """Of all times: "s", or "operation" where the network states no time."""
        return self.graph.timing.unit

    @property
    def start(self) -> Float64:
        """(N,) start of each row; of a tracked correction the time at which it is known."""
        return self.order.start[: len(self.program)]

    @property
    def end(self) -> Float64:
        """(N,) end of each row; of SEND the time at which the bit can be read."""
        return self.order.end[: len(self.program)]

    @cached_property
    def makespan(self) -> float:
        """End of the last node."""
        return float(self.order.end.max(initial=0.0))

    @cached_property
    def tracked(self) -> NDArray[np.bool_]:
        """(N,) rows that are corrections in a Pauli frame; they take no time and occupy no qubit."""
        program = self.program
        if not self.graph.frames:
            return np.zeros(len(program), np.bool_)
        return (program.guard >= 0) & np.isin(program.code, (Op.X, Op.Y, Op.Z))

    @cached_property
    def applied(self) -> list[tuple[int, float, float]]:
        """(physical qubit, start, end) of corrections that are carried out where a frame does not pass."""
        nodes = np.flatnonzero(self.graph.applied >= 0)
        columns = (self.graph.applied[nodes], self.order.start[nodes], self.order.end[nodes])
        return list(zip(*(c.tolist() for c in columns)))

    @cached_property
    def pair_ages(self) -> Float64:
        """(pairs,) time between the end of each pair's generation and its first use; NaN if it is never used."""
        pairs = self.graph.pairs
        user = self.order.user[pairs]
        return np.where(user >= 0, self.order.start[user] - self.order.end[pairs], np.nan)

    @cached_property
    def occupations(self) -> list[tuple[int, float, float]]:
        """(physical qubit, start, end) of every interval in which a communication qubit is occupied."""
        program = self.program
        tracked = self.tracked
        row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
        chosen = (program.qubit_role[program.qubits] == COMM) & ~tracked[row]
        qubit, row = program.qubits[chosen], row[chosen]
        order = np.lexsort((row, qubit))
        code, guard = program.code.tolist(), program.guard.tolist()
        start, end = self.start.tolist(), self.end.tolist()
        result: list[tuple[int, float, float]] = []
        holds: dict[int, tuple[float, float]] = {q: (0.0, 0.0) for q in program.input_qubit.tolist()
                                                 if program.qubit_role[q] == COMM}  # fmt: skip
        outputs = set(program.output_qubit.tolist())
        for q, r in zip(qubit[order].tolist(), row[order].tolist()):
            begin = holds.pop(q, None)
            if code[r] == Op.RESET and begin is None:
                continue
            first = start[r] if begin is None else begin[0]
            if guard[r] < 0 and code[r] in (Op.MEASURE, Op.RESET):
                result.append((q, first, end[r]))
            else:
                holds[q] = (first, end[r])
        for q, (first, last) in holds.items():
            result.append((q, first, self.makespan if q in outputs else last))
        return result

    @cached_property
    def modules(self) -> tuple[Use, ...]:
        """How busy each module is."""
        program = self.program
        used = np.unique(np.concatenate([program.qubits, program.input_qubit, program.output_qubit]))
        row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
        busy = np.zeros(program.num_physical)
        np.add.at(busy, program.qubits, np.where(self.tracked[row], 0.0, (self.end - self.start)[row]))
        for q, first, last in self.applied:
            busy[q] += last - first
        span = self.makespan or 1.0
        result = []
        for m, module in enumerate(program.network.modules):
            here = used[program.qubit_module[used] == m]
            data, comm = (here[program.qubit_role[here] == role] for role in (DATA, COMM))
            held = [(a, b) for q, a, b in self.occupations if program.qubit_module[q] == m]
            work = float(busy[data].sum())
            result.append(
                Use(
                    module.name,
                    len(data),
                    len(comm),
                    work / (span * len(data)) if len(data) else 0.0,
                    max(self.makespan * len(data) - work, 0.0),
                    sum(b - a for a, b in held) / (span * len(comm)) if len(comm) else 0.0,
                    _peak(held),
                )
            )
        return tuple(result)

    @cached_property
    def link_use(self) -> Float64:
        """(links,) share of the makespan in which each generator of a link makes pairs, on average."""
        pairs, links = self.graph.pairs, self.program.network.links
        busy = np.zeros(len(links))
        np.add.at(busy, self.graph.link[pairs], (self.order.end - self.order.start)[pairs])
        return busy / (self.graph.timing.generators * (self.makespan or 1.0))

    @cached_property
    def critical_path(self) -> tuple[Segment, ...]:
        """From the end back: what each stretch of the makespan was waiting for; in the order of time."""
        from distq.schedule.critical import critical_path

        return critical_path(self)

    @cached_property
    def dominated_by(self) -> dict[str, float]:
        """Time of the critical path by kind, the largest first."""
        sums = dict.fromkeys((GATES, PAIRS, MESSAGES, WAITING), 0.0)
        for segment in self.critical_path:
            sums[segment.kind] += segment.end - segment.start
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    @cached_property
    def fidelity(self) -> FidelityPrediction:
        """What the program's result is worth on this timeline, and what it loses to what."""
        from distq.fidelity.predict import predict_fidelity

        return predict_fidelity(self)

    @cached_property
    def bounds(self) -> Bounds:
        """Lower bounds on the makespan of this program."""
        from distq.schedule.bounds import bounds

        return bounds(self.graph)

    def distribution(self, samples: int = 1000, seed: int = 0) -> Distribution:
        """Replay the order with random times of pairs."""
        from distq.schedule.replay import distribution

        return distribution(self, samples, seed)

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        from distq.report.schedule import timeline_dict

        return timeline_dict(self)


def _peak(intervals: list[tuple[float, float]]) -> int:
    """The most intervals that overlap; one that ends where another begins does not count with it."""
    events = sorted([(a, 1) for a, b in intervals if b > a] + [(b, -1) for a, b in intervals if b > a])
    most = now = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


__all__ = ["GATES", "MESSAGES", "PAIRS", "WAITING", "Order", "Segment", "Timeline", "Use"]
