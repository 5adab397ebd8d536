"""Hardware at random, and an independent replay of timelines: nothing here uses the scheduler's graph."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np

from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.ops import Op
from distq.program.types import DistributedProgram
from distq.schedule.result import Timeline

EPSILON = 1e-9


def random_hardware(seed: int, network: Network, *, certain: bool = False, ages: bool = True) -> Network:
    """The network with times at random; `certain`: every attempt succeeds."""
    r = random.Random(seed)

    def module() -> ModuleHardware:
        keys = ("one_qubit_time", "two_qubit_time", "measure_time", "reset_time")
        # Few different values, so that things happen at the same time.
        return ModuleHardware(**{key: r.choice((0, 1, 1, 2, 3.5, 10)) for key in keys if r.random() < 0.9})

    fabrics = [Fabric(f"f{i}", r.randint(1, 2), r.choice((None, 0, 4))) for i in range(r.randint(0, 2))]

    def link() -> LinkHardware:
        kind = r.randrange(3)
        probability = 1.0 if certain else r.choice((0.1, 0.5, 1))
        source: dict[str, float] = {}
        if kind == 0 or (certain and kind == 1):
            source = {"pair_time": r.choice((0, 3, 10, 25.5))}
        elif kind == 1:
            source = {"rate": r.choice((0.05, 0.1, 1))}
        else:
            source = {"attempt_time": r.choice((1, 3)), "success_probability": probability}
        return LinkHardware(
            **source,
            generators=r.randint(1, 2),
            duty_cycle=r.choice((None, 0.5)),
            max_age=r.choice((None, 5, 40, 200)) if ages else None,
            latency=r.choice((None, 0, 1, 8)),
            fabric=r.choice(fabrics).name if fabrics and r.random() < 0.6 else None,
        )

    return network.with_hardware([module() for _ in network.modules], [link() for _ in network.links], fabrics)


def check_timeline(t: Timeline) -> None:
    """Nothing is used twice at a time, no bit is read before it is there, every order is kept, durations are right."""
    program = t.program
    start, end, tracked = t.start, t.end, t.tracked
    assert (start >= 0).all()
    assert t.makespan == max(end.max(initial=0.0), max((b for _, _, b in t.applied), default=0.0))
    _check_durations(t)
    _check_bits(program, start, end, tracked, frames=t.graph.frames)
    _check_qubits(t)
    _check_generators(t)
    if not t.order.discarded:
        _check_ages(t)


def _check_durations(t: Timeline) -> None:
    program = t.program
    expected = t.graph.timing.of_rows(program)
    expected[t.tracked] = 0
    took = t.end - t.start
    pairs = program.code == Op.EPR
    assert np.allclose(took[~pairs], expected[~pairs])
    fabric = t.graph.timing.fabric[program.link[pairs]]
    most = np.append(t.graph.timing.reconfiguration, 0.0)[fabric]
    extra = (took - expected)[pairs]
    assert ((np.abs(extra) < EPSILON) | (np.abs(extra - most) < EPSILON)).all()


def _check_bits(
    program: DistributedProgram, start: np.ndarray, end: np.ndarray, tracked: np.ndarray, *, frames: bool
) -> None:
    """Raw outcomes: with frames `test_frames` sees that what they mean is known as well."""
    known: dict[int, float] = {}
    for row, code in enumerate(program.code.tolist()):
        if code == Op.SEND:
            assert start[row] >= known[int(program.bit[row])] - EPSILON
            known[int(program.bit2[row])] = end[row]
        guard = int(program.guard[row])
        for bit, _ in program.guards[guard] if guard >= 0 else ():
            assert start[row] >= known[bit] - EPSILON
        if code == Op.MEASURE:
            known[int(program.bit[row])] = end[row]
    assert frames or not tracked.any()


def _check_qubits(t: Timeline) -> None:
    program = t.program
    rows = defaultdict(list)
    for row in range(len(program)):
        if not t.tracked[row]:
            for q in program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist():
                rows[q].append((t.start[row], t.end[row]))
    applied = defaultdict(list)
    for q, a, b in t.applied:
        applied[q].append((a, b))
    for q, intervals in rows.items():
        # The program's order on each qubit.
        for (_, b), (c, _) in zip(intervals, intervals[1:]):  # noqa: RUF007
            assert c >= b - EPSILON
        both = sorted([*intervals, *applied[q]])
        for (_, b), (c, _) in zip(both, both[1:]):  # noqa: RUF007
            assert c >= b - EPSILON


def _check_generators(t: Timeline) -> None:
    timing, program = t.graph.timing, t.program
    by_link, by_fabric = defaultdict(list), defaultdict(list)
    by_port = defaultdict(list)
    rows = np.flatnonzero(program.code == Op.EPR).tolist()
    for row in rows:
        link = int(program.link[row])
        interval = (float(t.start[row]), float(t.end[row]))
        by_link[link].append(interval)
        if timing.fabric[link] >= 0:
            by_fabric[int(timing.fabric[link])].append(interval)
            by_port[int(t.order.port[row])].append((*interval, link, row))
    for link, intervals in by_link.items():
        assert _most_at_once(intervals) <= timing.generators[link]
    for fabric, intervals in by_fabric.items():
        assert _most_at_once(intervals) <= timing.ports[fabric]
    if t.order.discarded:
        return
    expected = timing.of_rows(program)
    for uses in by_port.values():
        uses.sort()
        for (_, b, before, _), (c, d, link, row) in zip(uses, uses[1:]):  # noqa: RUF007
            assert c >= b - EPSILON
            turned = timing.reconfiguration[timing.fabric[link]] if link != before else 0.0
            if b > c - EPSILON and d - c < EPSILON:
                continue  # several at one moment: their order is not to be seen
            assert d - c >= expected[row] + turned - EPSILON


def _most_at_once(intervals: list[tuple[float, float]]) -> int:
    events = sorted([(a, 1) for a, b in intervals if b > a] + [(b, -1) for a, b in intervals if b > a])
    most = now = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


def _check_ages(t: Timeline) -> None:
    """No pair is older than its link allows when either half is first used."""
    program = t.program
    waiting: dict[int, int] = {}
    first: dict[int, float] = {}
    uses = [
        (float(t.start[row]), row, q)
        for row in range(len(program))
        if not t.tracked[row]
        for q in program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
    ]
    by_qubit = defaultdict(list)
    for at, row, q in sorted(uses, key=lambda u: u[1]):
        by_qubit[q].append((at, row))
    applied = defaultdict(list)
    for q, a, _ in t.applied:
        applied[q].append(a)
    for q, rows in by_qubit.items():
        for at, row in rows:
            if q in waiting:
                pair = waiting.pop(q)
                if program.code[row] == Op.EPR:
                    first[pair] = -np.inf  # of no use
                else:
                    early = [a for a in applied[q] if t.end[pair] - EPSILON <= a <= at]
                    first[pair] = min([first.get(pair, np.inf), at, *early])
            if program.code[row] == Op.EPR:
                waiting[q] = row
    for pair, at in first.items():
        limit = t.graph.timing.max_age[program.link[pair]]
        assert at - t.end[pair] <= limit * (1 + 1e-6)
