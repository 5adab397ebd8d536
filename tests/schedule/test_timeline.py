from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from program_samples import HANDMADE, finish, oxford_network, random_program
from qiskit import QuantumCircuit
from timeline_checks import check_timeline, random_hardware

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.errors import InfeasibleError, UsageError
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.pipeline import normalise
from distq.program.order import canonical
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
from distq.rewrite.merge import merge_one_qubit
from distq.rewrite.passes import NAMES
from distq.schedule.asap import Durations, asap
from distq.schedule.bounds import every_plan_bound
from distq.schedule.plan import POLICIES, schedule
from distq.testing import RandomChoices, random_case, random_circuit


def compiled(seed: int) -> DistributedProgram:
    case = random_case(seed, min_qubits=2, max_qubits=6, max_gates=25)
    return distq.compile(case.circuit, case.network, effort="fast", verify="none", seed=case.seed).program


def all_plans(program: DistributedProgram, network: Network) -> dict:
    found = {}
    for frames in (True, False):
        for policy in POLICIES:
            with suppress(InfeasibleError):  # pairs that grow too old whatever is done
                found[policy, frames] = schedule(program, network, policy=policy, frames=frames)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_on_random_hardware(seed: int) -> None:
    program = compiled(seed) if seed % 3 else canonical(random_program(seed, rows=60))
    network = random_hardware(seed, program.network)
    plans = all_plans(program, network)
    for t in plans.values():
        check_timeline(t)
        assert t.makespan >= t.bounds.best - 1e-9 * t.makespan
        assert sum(t.dominated_by.values()) == pytest.approx(t.makespan)
        path = t.critical_path
        assert all(a.end == pytest.approx(b.start) for a, b in zip(path, path[1:]))  # noqa: RUF007
    for (policy, frames), t in plans.items():
        assert plans["ahead", True].makespan <= plans[policy, frames].makespan
        assert plans["ahead", frames].makespan <= t.makespan


@pytest.mark.parametrize("part", range(4))
def test_no_plan_beats_its_bound(part: int) -> None:
    positive = 0
    for seed in range(part, 80, 4):
        case = random_case(seed, min_qubits=2, max_qubits=6, max_gates=25)
        network = random_hardware(seed, case.network, ages=False)
        compiled = distq.compile(case.circuit, network, effort="fast", seed=case.seed)
        program = compiled.program
        without = set(NAMES) - set(compiled.stats["techniques"]["rewrites"])
        _, logical, _ = normalise(from_qiskit(case.circuit), network, without=without)
        check_timeline(schedule(program))
        for hardware, least in ((network, None), (case.network, 1)):
            bound = every_plan_bound(logical, hardware)
            assert schedule(program, hardware).makespan >= bound * (1 - 1e-9)
            positive += bound > 0
            assert least is None or bound >= least or not logical.num_two_qubit_gates
    assert positive > 20


def test_communication_qubits_take_turns_where_time_counts() -> None:
    circuit = QuantumCircuit(4)
    for _ in range(4):
        circuit.cz(0, 2)
        circuit.h(0)
        circuit.h(2)
    slow = LinkHardware(pair_time=10.0)
    makespan = {}
    for comm, timed in ((1, True), (2, True), (3, True), (2, False), (None, True)):
        network = Network.line(2, 2, comm, link_hardware=slow if timed else None)
        homes = {0: 0, 1: 0, 2: 1, 3: 1}
        found = distq.compile(circuit, network, effort="fast", pins=homes, without=["resynthesis"])
        program = found.program
        pairs = np.flatnonzero(program.code == Op.EPR)
        assert len(pairs) == 4
        halves = program.qubit_index[program.qubits[program.qubit_offsets[pairs]]].tolist()
        turns = 1 if comm is None or not timed else comm
        assert halves == [i % turns for i in range(4)]
        assert max(found.peak_comm_qubits.values()) == 1
        makespan[comm, timed] = schedule(
            program, network.with_hardware(ModuleHardware(measure_time=10.0), slow)
        ).makespan
    assert makespan[2, True] < makespan[1, True]


HARDWARE = ModuleHardware(one_qubit_time=1.0, two_qubit_time=10.0, measure_time=7.0)


def test_bound_for_every_plan() -> None:
    """Four gates in one packet may happen together; an H between two sets an order."""
    network = Network.line(2, 3, hardware=HARDWARE)

    def bounds(gate: Callable[[QuantumCircuit, int, int], object]) -> list[tuple[float, float]]:
        circuit, found = QuantumCircuit(4, 1), []
        for _ in range(2):
            for other in (1, 2, 3):
                gate(circuit, 0, other)
        for step in range(3):
            if step == 1:
                circuit.h(0)
                gate(circuit, 0, 1)
            elif step == 2:
                circuit.measure(0, 0)
            logical = merge_one_qubit(from_qiskit(circuit))
            found.append((every_plan_bound(logical, network), every_plan_bound(logical, network, frames=False)))
        return found

    # Before the measurement the last gate may be done by one bit; what its outcome means is known after the first one.
    assert bounds(lambda c, a, b: c.cp(0.3, a, b)) == [(10, 10), (21, 21), (11, 10 + 1 + 7)]
    # A CZ may come before what a teleported qubit went through.
    assert bounds(lambda c, a, b: c.cz(a, b)) == [(10, 10), (11, 21), (11, 10 + 1 + 7)]


def ladder(n: int, general: bool) -> QuantumCircuit:
    """CX, or a phase and an H, from each qubit to the next."""
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for q in range(n - 1):
        if general:
            circuit.cp(0.3, q, q + 1)
            circuit.h(q + 1)
        else:
            circuit.cx(q, q + 1)
    return circuit


@pytest.mark.parametrize("general", [False, True])
def test_ladders(general: bool) -> None:
    """With frames the parts of a Clifford ladder in different modules run at the same time; others have to wait."""
    circuit = ladder(16, general)
    network = Network.all_to_all(4, 4, 2, hardware=HARDWARE, link_hardware=LinkHardware(pair_time=1.0))
    _, logical, _ = normalise(from_qiskit(circuit), network)
    chain, bound = every_plan_bound(logical, network, frames=False), every_plan_bound(logical, network)
    assert chain == 15 * 10 + 14
    assert bound == (chain if general else 11)
    program = distq.compile(circuit, network, effort="fast")
    t = schedule(program)
    check_timeline(t)
    assert schedule(program, frames=False).makespan >= chain
    assert t.makespan >= chain if general else bound <= t.makespan < chain / 2


@pytest.mark.parametrize("part", range(3))
def test_no_plan_with_frames_beats_its_bound(part: int) -> None:
    """Circuits on which frames matter, on networks whose pairs cost next to nothing."""
    for seed in range(part, 24, 3):
        r = random.Random(seed)
        circuit = QuantumCircuit(6)
        for _ in range(30):
            gate = r.choice(("h", "h", "cz", "cz", "cx", "s", "t", "rx", "sx", "cp", "rzz", "ccz", "ry"))
            a, b, c = r.sample(range(6), 3)
            angle = r.choice((0.3, np.pi / 2, np.pi, 0.0, -np.pi / 2, 1.1))
            if gate in ("h", "s", "t", "sx"):
                getattr(circuit, gate)(a)
            elif gate in ("rx", "ry"):
                getattr(circuit, gate)(angle, a)
            elif gate in ("cp", "rzz"):
                getattr(circuit, gate)(angle, a, b)
            else:
                getattr(circuit, gate)(*((a, b, c) if gate == "ccz" else (a, b)))
        times = {key: r.choice((0.0, 1.0, 5.0)) for key in ("one_qubit_time", "measure_time", "reset_time")}
        gates = ModuleHardware(two_qubit_time=r.choice((1.0, 5.0)), **times)
        link = LinkHardware(pair_time=r.choice((0.0, 0.1)), generators=4)
        network = Network.all_to_all(r.choice((2, 3, 6)), 3, r.choice((1, 2, 3)), hardware=gates, link_hardware=link)
        _, logical, _ = normalise(from_qiskit(circuit), network)
        bound = every_plan_bound(logical, network)
        program = distq.compile(circuit, network, effort="fast", objective="makespan", verify="none")
        makespan = schedule(program).makespan
        assert makespan >= bound * (1 - 1e-9)
        assert bound > 0


@pytest.mark.parametrize("seed", range(30))
def test_certain_pairs_replay_to_the_plan(seed: int) -> None:
    program = compiled(seed) if seed % 2 else canonical(random_program(seed, rows=60))
    for t in all_plans(program, random_hardware(seed, program.network, certain=True)).values():
        found = t.distribution(3, seed)
        assert (found.makespan == t.makespan).all()
        assert (found.discarded == t.order.discarded).all()


@pytest.mark.parametrize("seed", range(20))
def test_without_contention_it_is_as_soon_as_possible(seed: int) -> None:
    """With a generator for every pair and corrections at once the older scheduler gives the same times."""
    program = canonical(random_program(seed, rows=60))
    r = random.Random(seed)
    times = {key: r.choice((0.5, 1, 2)) for key in ("one_qubit_time", "measure_time", "reset_time")}
    hardware = ModuleHardware(**times, two_qubit_time=0.0)
    link = LinkHardware(pair_time=r.choice((1, 7)), generators=100)
    network = program.network.with_hardware(hardware, link)
    t = schedule(program, network, frames=False)
    plain = np.isin(program.code, (Op.MCP, Op.PARITY, Op.CX, Op.SWAP))
    wide = np.diff(program.qubit_offsets) > 2
    if not (plain & (program.code == Op.PARITY) & wide).any():
        durations = Durations(times["one_qubit_time"], 0.0, times["measure_time"], times["reset_time"], link.pair_time)
        assert np.array_equal(t.start, asap(program, durations).start)


@pytest.mark.parametrize("name", HANDMADE)
def test_units(name: str) -> None:
    form = canonical(HANDMADE[name]())
    t = schedule(form)
    assert t.unit == "operation"
    assert t.graph.timing.unstated == ()
    check_timeline(t)
    # Corrections at once and one generator a link: never shorter than with unlimited ones.
    assert schedule(form, frames=False).makespan >= asap(form).makespan


def chain(pairs: int, links: int, network: Network) -> DistributedProgram:
    """`pairs` pairs on each of `links` links from module 0, measured at once on both sides, all at the same time."""
    b = ProgramBuilder(network)
    for link in range(links):
        for i in range(pairs):
            a, c = b.qubit(0, COMM, link * pairs + i), b.qubit(link + 1, COMM, i)
            b.add(Op.EPR, (a, c), link=link)
            b.measure(a, 0)
            b.measure(c, link + 1)
    return canonical(finish(b, [], []))


def star(links: int, hardware: LinkHardware, fabrics: tuple[Fabric, ...] = ()) -> Network:
    modules = [Module("hub", 1, 100), *(Module(f"m{i}", 1, 100) for i in range(links))]
    return Network(modules, [Link("hub", f"m{i}", hardware) for i in range(links)], fabrics=fabrics)


def test_generators_and_ports() -> None:
    slow = LinkHardware(pair_time=10.0, latency=0.0)
    for generators, expected in ((1, 30), (2, 20), (3, 10)):
        link = LinkHardware(pair_time=10.0, generators=generators)
        assert schedule(chain(3, 1, star(1, link))).makespan == expected
    assert schedule(chain(1, 3, star(3, slow))).makespan == 10
    fabric = LinkHardware(pair_time=10.0, fabric="f")
    for ports, turn, expected in ((1, 0, 30), (1, 5, 40), (2, 5, 25), (3, 5, 10)):
        network = star(3, fabric, (Fabric("f", ports, turn),))
        t = schedule(chain(1, 3, network))
        assert t.makespan == expected
        assert t.bounds.fabrics == {0: pytest.approx(30 / ports)}
    # A port that stays on one link need not be set again.
    assert schedule(chain(3, 1, star(1, fabric, (Fabric("f", 1, 5),)))).makespan == 30


def test_urgent_pairs_go_first() -> None:
    network = star(1, LinkHardware(pair_time=10.0)).with_hardware(ModuleHardware(one_qubit_time=1.0))
    b = ProgramBuilder(network)
    ends = [(b.qubit(0, COMM, i), b.qubit(1, COMM, i)) for i in range(2)]
    for a, c in ends:
        b.add(Op.EPR, (a, c), link=0)
    for _ in range(30):
        b.add(Op.H, (ends[1][0],))
    t = schedule(canonical(finish(b, [], [])))
    assert t.makespan == 40
    assert t.bounds.best == 40
    assert t.dominated_by == {"gates": 30, "pairs": 10, "messages": 0, "waiting": 0}


def late_use(age: float | None) -> DistributedProgram:
    """A pair that is needed after 100 s of gates."""
    link = LinkHardware(pair_time=10.0, max_age=age)
    network = star(1, link).with_hardware(ModuleHardware(one_qubit_time=10.0, two_qubit_time=1.0))
    b = ProgramBuilder(network)
    q, a, c = b.qubit(0, DATA, 0), b.qubit(0, COMM, 0), b.qubit(1, COMM, 0)
    b.add(Op.EPR, (a, c), link=0)
    for _ in range(10):
        b.add(Op.H, (q,))
    b.add(Op.CX, (q, a))
    return canonical(finish(b, [q], [q]))


def test_pairs_are_not_requested_too_early() -> None:
    t = schedule(late_use(None))
    assert (t.start[t.program.code == Op.EPR][0], t.makespan) == (0, 101)
    assert t.pair_ages.tolist() == [90]
    t = schedule(late_use(25.0))
    check_timeline(t)
    assert t.makespan == 101
    assert t.order.discarded == 0
    assert 0 < t.pair_ages[0] <= 25 * (1 + 1e-9)
    assert t.pair_ages[0] == pytest.approx(25)
    assert schedule(late_use(25.0), policy="on-demand").makespan == 111


@pytest.mark.parametrize("seed", range(3))
def test_pairs_with_a_life_are_requested_in_time(seed: int) -> None:
    """Ahead of need, but none so early that it dies: on compiled programs, the shorter the life the later."""
    gates = ModuleHardware(one_qubit_time=1e-6, two_qubit_time=1e-5, measure_time=1e-5, reset_time=1e-6)
    circuit = random_circuit(RandomChoices(seed), 12, 100, ("standard", "clifford"))
    network = Network.all_to_all(4, 3, 2, hardware=gates, link_hardware=LinkHardware(pair_time=1e-4))
    program = distq.compile(circuit, network, effort="fast", verify="none").program
    demand = schedule(program, policy="on-demand")
    oldest, early = [], []
    for life in (1e-5, 3e-5, 1e-4, None):
        t = schedule(program, network.with_hardware(gates, LinkHardware(pair_time=1e-4, max_age=life)))
        check_timeline(t)
        assert t.order.discarded == 0
        ages = t.pair_ages[np.isfinite(t.pair_ages)]
        assert ages.max() <= (life or np.inf) * (1 + 1e-6)
        assert t.makespan <= demand.makespan * (1 + 1e-9)
        oldest.append(ages.max())
        requested = t.order.start[t.graph.pairs]
        ready = [max((t.order.end[p] for p in t.graph.predecessors(u) if p != pair), default=0.0)
                 for pair, u in zip(t.graph.pairs.tolist(), t.order.user[t.graph.pairs].tolist())]  # fmt: skip
        early.append(np.count_nonzero(requested < np.array(ready) - 1e-9))
    assert oldest == sorted(oldest)
    assert min(early) > len(demand.graph.pairs) / 5


def test_frames_wait_for_no_bit() -> None:
    """Teleporting a qubit along a chain of Clifford gates: messages overlap; a T gate has to wait for them."""

    def program(op: Op) -> DistributedProgram:
        network = oxford_network().with_hardware(
            ModuleHardware(one_qubit_time=1.0, two_qubit_time=1.0, measure_time=1.0),
            LinkHardware(pair_time=5.0, latency=100.0),
        )
        b = ProgramBuilder(network)
        q, a, c, d = b.qubit(0, DATA, 0), b.qubit(0, COMM, 0), b.qubit(1, COMM, 0), b.qubit(1, DATA, 0)
        b.add(Op.EPR, (a, c), link=0)
        b.add(Op.CX, (q, a))
        bit = b.measure(a, 0)
        b.add(Op.X, (c,), guard=((b.send(bit, 1), 1),))
        b.add(op, (c,))
        for _ in range(50):
            b.add(Op.CX, (c, d))
        return canonical(finish(b, [q, d], [q, d]))

    arrived = 5 + 1 + 1 + 100
    # The message is awaited only at the end, and one correction is carried out.
    t = schedule(program(Op.S))
    assert t.graph.frames
    assert t.makespan == arrived + 1
    assert schedule(program(Op.S), frames=False).makespan == arrived + 1 + 1 + 50
    assert schedule(program(Op.T)).makespan == arrived + 1 + 50
    assert t.start[t.program.code == Op.S][0] == 5


def test_refusals() -> None:
    form = canonical(HANDMADE["teleported_cz"]())
    dead = form.network.with_hardware(links=LinkHardware(rate=0.0))
    with pytest.raises(InfeasibleError, match=r"needs 1 pairs on the link A - B, whose rate is 0"):
        schedule(form, dead)
    with pytest.raises(InfeasibleError, match="which the network does not have"):
        schedule(form, Network(form.network.modules))
    with pytest.raises(InfeasibleError, match="has 2 modules, but all-to-all-1 has 1"):
        schedule(form, Network.all_to_all(1, 5))
    with pytest.raises(InfeasibleError, match="uses 1 communication qubits of module 'A', but line-2 has 0"):
        schedule(form, Network.line(2, 5, 0))
    with pytest.raises(UsageError, match="it must be one of ahead, on-demand, one-at-a-time"):
        schedule(form, policy="lazy")
    # Two pairs for one gate, each dead before the other can be there.
    network = star(1, LinkHardware(pair_time=10.0, max_age=5.0))
    b = ProgramBuilder(network)
    ends = [(b.qubit(0, COMM, i), b.qubit(1, COMM, i)) for i in range(2)]
    for a, c in ends:
        b.add(Op.EPR, (a, c), link=0)
    b.add(Op.CX, (ends[0][0], ends[1][0]))
    with pytest.raises(InfeasibleError, match="some pairs grow too old before they can be used"):
        schedule(canonical(finish(b, [], [])))


def test_latency_takes_the_quickest_way() -> None:
    program = canonical(HANDMADE["teleported_cz"]())
    t = schedule(program, program.network.with_hardware(links=LinkHardware(latency=2.0)))
    assert t.graph.timing.latency.tolist() == [[0, 2], [2, 0]]
    network = Network.ring(4, 1, link_hardware=LinkHardware(latency=1.0))
    slow = network.with_hardware(links={("m0", "m3"): LinkHardware(latency=10.0)})
    b = ProgramBuilder(slow)
    q, far = b.qubit(0, DATA, 0), b.qubit(3, DATA, 0)
    bit = b.measure(q, 0)
    b.add(Op.H, (far,), guard=((b.send(bit, 3), 1),))
    t = schedule(canonical(finish(b, [q, far], [q, far])))
    assert t.makespan == 3
    assert t.dominated_by["messages"] == 3


def test_nothing_to_do() -> None:
    t = schedule(canonical(finish(ProgramBuilder(oxford_network()), [], [])))
    assert (t.makespan, t.bounds.best, t.critical_path) == (0, 0, ())
    assert t.distribution(5).makespan.tolist() == [0] * 5


def test_summary_numbers() -> None:
    t = schedule(chain(3, 1, star(1, LinkHardware(pair_time=10.0))))
    assert t.link_use.tolist() == [1.0]
    assert [m.peak_comm for m in t.modules] == [1, 1]
    assert [m.comm_busy for m in t.modules] == [pytest.approx(1 / 3)] * 2
    assert t.to_dict()["links"][0] == {
        "a": "hub", "b": "m0", "pairs": 3, "raw_pairs": 3.0, "generators": 1, "busy": 1.0,
    }  # fmt: skip
