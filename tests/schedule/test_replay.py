"""The replay against closed forms, and against a simulation by processes in simpy with the same random numbers."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable

import numpy as np
import pytest
from program_samples import finish, random_program
from simpy_oracle import Simulation
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


def compare(t: Timeline, seed: int, samples: Iterable[int]) -> int:
    """Start and end of everything as in the oracle; returns how many pairs were discarded."""
    discarded = 0
    for sample in samples:
        makespan, lost, start, end = t.order.replay(t.graph, samples=1, random=True, seed=seed, first_sample=sample)
        oracle = Simulation(t, seed, sample)
        assert oracle.run() == pytest.approx(makespan[0], rel=1e-6)
        assert np.allclose(oracle.start, start, rtol=1e-6, atol=1e-9)
        assert np.allclose(oracle.end, end, rtol=1e-6, atol=1e-9)
        assert oracle.discarded == lost[0]
        discarded += oracle.discarded
    return discarded


@pytest.mark.parametrize("seed", range(40))
def test_events_give_the_same_times(seed: int) -> None:
    program = canonical(random_program(seed, rows=40)) if seed % 4 == 0 else compiled(1000 + seed)
    if len(program) > 250:
        pytest.skip("too long for the oracle")
    network = random_hardware(seed, program.network)
    try:
        t = schedule(program, network, policy=POLICIES[seed % 3], frames=seed % 2 == 0)
    except InfeasibleError:
        pytest.skip("pairs grow too old")
    found = t.distribution(4, seed)
    compare(t, seed, np.flatnonzero(np.isfinite(found.makespan)).tolist())


def test_oracle_sees_expired_pairs() -> None:
    """A case in which pairs do expire, so that the comparison is not empty."""
    t = schedule(late_use(12.0), late_use(12.0).network.with_hardware(links=LinkHardware(rate=0.05, max_age=12.0)))
    found = t.distribution(200, 3)
    assert found.discarded.sum() > 20
    assert compare(t, 3, range(60)) == found.discarded[:60].sum()


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
        finite = np.flatnonzero(np.isfinite(found.makespan)).tolist()
        discarded += compare(t, seed, finite)
        compared += len(finite)
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
    # What is measured is the replay of the program, not how it was found.
    program = distq.compile(circuit, network, effort="fast", verify="none", partitioner="metis")
    t = schedule(program)
    t.distribution(1)
    began = time.perf_counter()
    found = t.distribution(10_000)
    assert time.perf_counter() - began < 10
    assert len(found.makespan) == 10_000
    assert found.failed == 0
