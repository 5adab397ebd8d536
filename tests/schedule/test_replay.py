"""The replay against closed forms, and against a simulation of events by another program with the same random numbers.

The oracle is a simulation of its own and not simpy, which need not be installed. Things happen in it in the order of
time: generators and ports work off queues, pairs expire when their time has come.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import time
from collections import defaultdict

import numpy as np
import pytest
from program_samples import finish, random_program
from test_timeline import chain, compiled, late_use, star
from timeline_checks import check_timeline, random_hardware

import distq
from distq.errors import InfeasibleError, UsageError
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.ops import Op
from distq.program.order import canonical
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
from distq.schedule.plan import POLICIES, schedule
from distq.schedule.result import Timeline
from distq.testing import RandomChoices, random_circuit

MASK = 2**64 - 1


def uniform(seed: int, sample: int, pair: int, attempt: int) -> float:
    """SplitMix64 in plain integers."""
    x = seed
    for word in (0, sample, pair, attempt):
        x = ((x ^ word) + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        x ^= x >> 31
    return ((x >> 11) + 1) / 2**53


class Events:
    """One sample, event by event."""

    def __init__(self, t: Timeline, seed: int, sample: int) -> None:
        self.t, self.seed, self.sample = t, seed, sample
        g, o = t.graph, t.order
        self.timing = g.timing
        self.link = g.link.tolist()
        self.user = o.user.tolist()
        self.heap: list[tuple[float, int, str, int]] = []
        self.count = itertools.count()
        self.start: dict[int, float] = {}
        self.end: dict[int, float] = {}
        self.tries: dict[int, int] = defaultdict(int)
        self.waiting_for = {n: g.predecessors(n) for n in range(g.num_nodes)}
        self.followers: dict[int, list[int]] = defaultdict(list)
        for n, preds in self.waiting_for.items():
            for p in set(preds):
                self.followers[p].append(n)
        self.alive: set[int] = set()  # pairs that are there
        self.dead: set[int] = set()  # that have expired and wait for their generator
        self.making: set[int] = set()
        self.discarded = 0
        #: Queue of each resource: ("make", pair) and, for pairs that can die, ("use", pair).
        self.queue: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
        self.busy: set[tuple[str, int]] = set()
        self.set_to: dict[int, int] = {}
        mortal = defaultdict(list)
        for pair in g.pairs.tolist():
            if self.user[pair] >= 0 and math.isfinite(self.age(pair)):
                mortal[self.user[pair]].append(pair)
        self.first_user: dict[int, list[int]] = defaultdict(list)
        for n, pairs in mortal.items():
            for pair in pairs:
                for other in set(g.touch[pair].tolist()) - {n, -1}:
                    self.first_user[other].append(n)
        self.mortal = {p for pairs in mortal.values() for p in pairs}
        for n in o.order.tolist():
            items = [("make", n)] if self.link[n] >= 0 else [("use", p) for p in mortal[n]]
            for what, pair in items:
                for resource in self.resources(pair):
                    self.queue[resource].append((what, pair))

    def age(self, pair: int) -> float:
        return float(self.timing.max_age[self.link[pair]])

    def resources(self, pair: int) -> list[tuple[str, int]]:
        port = int(self.t.order.port[pair])
        return [("generator", int(self.t.order.generator[pair]))] + ([("port", port)] if port >= 0 else [])

    def at(self, time: float, what: str, node: int) -> None:
        heapq.heappush(self.heap, (time, next(self.count), what, node))

    def takes(self, pair: int) -> float:
        x, t = self.link[pair], self.timing
        u = uniform(self.seed, self.sample, pair, self.tries[pair])
        if t.kind[x] == 2:
            return -t.slot[x] * math.log(u)
        if t.kind[x] == 1 and t.probability[x] < 1:
            return t.slot[x] * max(1, math.ceil(math.log(u) / math.log1p(-t.probability[x])))
        return float(t.slot[x])

    def run(self) -> float:
        self.now = 0.0
        for pair in self.t.graph.pairs.tolist():
            if self.t.order.anchor[pair] == -2:
                self.at(float(self.t.order.lag[pair]), "look", pair)
        while True:
            self.look()
            if not self.heap:
                break
            self.now = self.heap[0][0]
            while self.heap and self.heap[0][0] == self.now:
                _, _, what, node = heapq.heappop(self.heap)
                if what == "end":
                    self.end[node] = self.now
                elif what == "made":
                    self.making.discard(node)
                    self.alive.add(node)
                    self.end[node] = self.now
                    for r in self.resources(node):
                        self.busy.discard(r)
                    if node in self.mortal and self.user[node] not in self.start:
                        self.at(self.now + self.age(node) * (1 + 1e-9), "expire", node)
                elif what == "expire" and self.user[node] not in self.start and node not in self.making:
                    # The event is that of this pair, unless it was made again meanwhile: then it is younger.
                    self.look()
                    if self.user[node] not in self.start:
                        self.alive.discard(node)
                        self.dead.add(node)
                        self.discarded += 1
        assert len(self.start) == self.t.graph.num_nodes
        return max(self.end.values(), default=0.0)

    def look(self) -> None:
        """Begin all that can begin now."""
        again = True
        while again:
            again = False
            for n in range(self.t.graph.num_nodes):
                if n in self.start:
                    continue
                if self.link[n] >= 0:
                    if self.can_make(n):
                        self.make(n, "make")
                        again = True
                elif all(self.done(p) for p in self.waiting_for[n]) and all(
                    u in self.start for u in self.first_user[n]
                ):
                    self.start[n] = self.now
                    again = True
                    if self.t.graph.duration[n] == 0:
                        self.end[n] = self.now
                    else:
                        self.at(self.now + float(self.t.graph.duration[n]), "end", n)
                    for key, items in self.queue.items():
                        self.queue[key] = [i for i in items if not (i[0] == "use" and self.user[i[1]] == n)]
                    for pair in self.t.graph.pairs.tolist():
                        if self.t.order.anchor[pair] == n:
                            self.at(self.now + float(self.t.order.lag[pair]), "look", pair)
            for pair in sorted(self.dead, key=lambda p: (self.end[p] + self.age(p), p)):
                first = [self.first_use(r, pair) for r in self.resources(pair)]
                if all(first) and not any(r in self.busy for r in self.resources(pair)):
                    self.dead.discard(pair)
                    self.make(pair, "again")
                    again = True

    def first_use(self, resource: tuple[str, int], pair: int) -> bool:
        """Whether nothing stands in the queue before the use of this pair but other uses by the same node."""
        for what, other in self.queue[resource]:
            if (what, other) == ("use", pair):
                return True
            if what == "make" or self.user[other] != self.user[pair]:
                return False
        return False

    def done(self, node: int) -> bool:
        if self.link[node] >= 0:
            return node in self.alive
        return node in self.end and self.end[node] <= self.now

    def can_make(self, pair: int) -> bool:
        # Of a pair that only has to come first it does not matter whether it is still there.
        if not all(p in self.end if self.link[p] >= 0 else self.done(p) for p in self.waiting_for[pair]):
            return False
        anchor, lag = int(self.t.order.anchor[pair]), float(self.t.order.lag[pair])
        if anchor == -2 and self.now < lag:
            return False
        if anchor >= 0 and (anchor not in self.start or self.now < self.start[anchor] + lag):
            return False
        return all(r not in self.busy and self.queue[r][0] == ("make", pair) for r in self.resources(pair))

    def make(self, pair: int, what: str) -> None:
        self.start[pair] = self.now
        self.making.add(pair)
        duration = self.takes(pair)
        self.tries[pair] += 1
        port = int(self.t.order.port[pair])
        if port >= 0:
            if self.set_to.get(port, self.link[pair]) != self.link[pair]:
                duration += float(self.timing.reconfiguration[self.timing.fabric[self.link[pair]]])
            self.set_to[port] = self.link[pair]
        for r in self.resources(pair):
            self.busy.add(r)
            if what == "make":
                assert self.queue[r].pop(0) == ("make", pair)
        self.at(self.now + duration, "made", pair)


@pytest.mark.parametrize("seed", range(40))
def test_events_give_the_same_times(seed: int) -> None:
    program = canonical(random_program(seed, rows=40)) if seed % 4 == 0 else compiled(1000 + seed)
    if len(program) > 250:
        pytest.skip("too long for the oracle")
    network = random_hardware(seed, program.network)
    try:
        t = schedule(program, network, policy=POLICIES[seed % 3])
    except InfeasibleError:
        pytest.skip("pairs grow too old")
    found = t.distribution(4, seed)
    for sample in range(4):
        if not np.isfinite(found.makespan[sample]):
            continue
        oracle = Events(t, seed, sample)
        assert oracle.run() == pytest.approx(found.makespan[sample], rel=1e-6)
        assert oracle.discarded == found.discarded[sample]


def test_oracle_sees_expired_pairs() -> None:
    """A case in which pairs do expire, so that the comparison is not empty."""
    t = schedule(late_use(12.0), late_use(12.0).network.with_hardware(links=LinkHardware(rate=0.05, max_age=12.0)))
    found = t.distribution(200, 3)
    assert found.discarded.sum() > 20
    for sample in range(60):
        oracle = Events(t, 3, sample)
        assert oracle.run() == pytest.approx(found.makespan[sample], rel=1e-6)
        assert oracle.discarded == found.discarded[sample]


def impatient(seed: int) -> DistributedProgram:
    """Pairs that wait for long lines of gates, on few generators and ports, and die early."""
    r = random.Random(seed)
    links = r.randint(1, 3)
    fabric = "f" if r.random() < 0.5 else None
    hardware = [
        LinkHardware(rate=r.choice((0.1, 0.3)), max_age=r.choice((4.0, 8.0, 20.0)), generators=r.randint(1, 2),
                     fabric=fabric)
        for _ in range(links)
    ]  # fmt: skip
    network = star(links, LinkHardware(), (Fabric("f", r.randint(1, 2), r.choice((0, 2.0))),)).with_hardware(
        ModuleHardware(one_qubit_time=1.0, two_qubit_time=2.0, measure_time=1.0), hardware
    )
    b = ProgramBuilder(network)
    qubits = [b.qubit(0, DATA, i) for i in range(3)]
    free: list[int] = []
    for i in range(r.randint(6, 14)):
        link = r.randrange(links)
        half = b.qubit(0, COMM, r.randrange(3)) if r.random() < 0.3 else b.qubit(0, COMM, 10 + i)
        if half in free:
            continue
        far, its = b.qubit(link + 1, COMM, i), b.qubit(link + 1, DATA, 0)
        b.add(Op.EPR, (half, far), link=link)
        if r.random() < 0.5:
            for _ in range(r.choice((0, 3, 15))):
                b.add(Op.H, (its,))
            b.add(Op.CX, (its, far))
        free.append(half)
        while free and (len(free) > 3 or r.random() < 0.4):
            q = r.choice(qubits)
            for _ in range(r.choice((0, 3, 15))):
                b.add(Op.H, (q,))
            used = free.pop(r.randrange(len(free)))
            b.add(Op.CX, (free[0] if free and r.random() < 0.1 else q, used))
            b.measure(used, 0)
    return canonical(finish(b, qubits, qubits))


@pytest.mark.parametrize("part", range(4))
def test_events_give_the_same_times_where_pairs_expire(part: int) -> None:
    discarded = compared = 0
    for seed in range(part, 60, 4):
        try:
            t = schedule(impatient(seed), policy=POLICIES[seed % 3] if seed % 2 else "ahead")
        except InfeasibleError:  # two pairs for one gate from one generator, dead before both are there
            continue
        check_timeline(t)
        found = t.distribution(6, seed)
        for sample in np.flatnonzero(np.isfinite(found.makespan)).tolist():
            oracle = Events(t, seed, sample)
            assert oracle.run() == pytest.approx(found.makespan[sample], rel=1e-6)
            assert oracle.discarded == found.discarded[sample]
            discarded += oracle.discarded
            compared += 1
    assert compared > 60
    assert discarded > 50


def close(found: np.ndarray, mean: float) -> bool:
    return abs(found.mean() - mean) < 4 * found.std() / math.sqrt(len(found))


@pytest.mark.parametrize(("p", "duty"), [(0.5, None), (0.01, 0.5), (1.0, 0.25)])
def test_one_link(p: float, duty: float | None) -> None:
    """Mean tau/(p d) a pair; P(done by t) = 1 - (1-p)^floor(t/tau)."""
    link = LinkHardware(attempt_time=2.0, success_probability=p, duty_cycle=duty)
    found = schedule(chain(5, 1, star(1, link))).distribution(20_000, 1).makespan
    assert close(found, 5 * 2 / (p * (duty or 1))) or (p == 1 and (found == 40).all())
    one = schedule(chain(1, 1, star(1, link))).distribution(20_000, 2).makespan
    for attempts in (1, 2, 5, 40):
        share = (one <= attempts * 2 / (duty or 1) + 1e-9).mean()
        assert share == pytest.approx(1 - (1 - p) ** attempts, abs=0.015)


@pytest.mark.parametrize(("n", "p"), [(2, 0.3), (5, 0.1), (8, 0.02)])
def test_all_of_n_links(n: int, p: float) -> None:
    link = LinkHardware(attempt_time=1.0, success_probability=p)
    mean = sum((-1) ** (j + 1) * math.comb(n, j) / (1 - (1 - p) ** j) for j in range(1, n + 1))
    assert close(schedule(chain(1, n, star(n, link))).distribution(20_000, 7).makespan, mean)
    # As many generators of one link are the same.
    many = LinkHardware(attempt_time=1.0, success_probability=p, generators=n)
    assert close(schedule(chain(n, 1, star(1, many))).distribution(20_000, 8).makespan, mean)


def test_rate() -> None:
    found = schedule(chain(1, 1, star(1, LinkHardware(rate=9.7)))).distribution(20_000, 5)
    assert close(found.makespan, 1 / 9.7)
    assert found.median == pytest.approx(math.log(2) / 9.7, rel=0.03)
    assert found.quantile(0.95) == pytest.approx(math.log(20) / 9.7, rel=0.03)


def test_expired_pairs() -> None:
    """The user is ready at time T: tries of which each ends before T - age are discarded."""
    program = late_use(12.0)
    t = schedule(program, program.network.with_hardware(links=LinkHardware(attempt_time=4.0, success_probability=1.0,
                                                                           max_age=12.0)))  # fmt: skip
    assert t.order.discarded == 0
    found = t.distribution(3)
    assert (found.discarded == 0).all()
    assert (found.makespan == t.makespan).all()


def test_seeds_and_dictionary() -> None:
    t = schedule(chain(3, 2, star(2, LinkHardware(rate=1.0))))
    a, b, c = t.distribution(50, 1), t.distribution(50, 1), t.distribution(50, 2)
    assert np.array_equal(a.makespan, b.makespan)
    assert not np.array_equal(a.makespan, c.makespan)
    assert np.array_equal(t.distribution(20, 1).makespan, a.makespan[:20])
    content = a.to_dict()
    assert content["samples"] == 50
    assert content["p5"] <= content["median"] <= content["p95"]
    assert content["mean"] == pytest.approx(a.makespan.mean())
    with pytest.raises(UsageError, match="number of samples is 0"):
        t.distribution(0)


def test_ten_thousand_samples_are_quick() -> None:
    circuit = random_circuit(RandomChoices(5), 16, 1000, ("standard", "clifford"))
    network = Network.all_to_all(
        4, 4, 2,
        hardware=ModuleHardware(one_qubit_time=1e-6, two_qubit_time=1e-5, measure_time=1e-5),
        link_hardware=LinkHardware(attempt_time=1e-5, success_probability=0.1, max_age=1e-3),
    )  # fmt: skip
    program = distq.compile(circuit, network, effort="fast", verify="none")
    t = schedule(program)
    t.distribution(1)
    began = time.perf_counter()
    found = t.distribution(10_000)
    assert time.perf_counter() - began < 10
    assert len(found.makespan) == 10_000
    assert found.failed == 0
