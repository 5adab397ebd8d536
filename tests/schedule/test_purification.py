"""Purification on timelines: room, time, pairs and attempts; against the simulation of events; and what is chosen."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from program_samples import finish
from purified_oracle import PurifiedEvents
from test_timeline import chain, late_use, star
from timeline_checks import check_timeline

import distq
from distq.errors import InfeasibleError, UsageError
from distq.network.hardware import Fabric, LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.network.pair_states import purified_pair
from distq.network.pairs import SCHEMES
from distq.network.purify import Purify
from distq.ops import Op
from distq.program.order import canonical
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
from distq.schedule.bounds import bounds
from distq.schedule.plan import POLICIES, schedule
from distq.schedule.purification import choose_purification, predicted, with_purification, without_purification
from distq.schedule.result import Timeline
from distq.testing import random_case


def check_room(t: Timeline) -> None:
    """Named communication qubits and spare ones together fit each module, at every moment and by number."""
    program, network = t.program, t.program.network
    timing = t.graph.timing
    held = defaultdict(list)
    for row in np.flatnonzero(program.code == Op.EPR).tolist():
        purify = timing.rounds[program.link[row]] > 0
        for m in network.link_ends[program.link[row]].tolist() if purify else ():
            held[m].append((float(t.start[row]), float(t.end[row])))
    named = np.unique(program.qubits)
    for m, intervals in held.items():
        events = sorted([(a, 1) for a, b in intervals if b > a] + [(b, -1) for a, b in intervals if b > a])
        most = now = 0
        for _, step in events:
            now += step
            most = max(most, now)
        used = int(((program.qubit_module[named] == m) & (program.qubit_role[named] == COMM)).sum())
        limit = network.modules[m].comm
        assert most <= timing.spare[m]
        assert limit is None or used + most * timing.spare_size[m] <= limit
        assert t.modules[m].peak_comm <= t.modules[m].comm_qubits
        assert limit is None or t.modules[m].comm_qubits <= limit


def purifying(seed: int, network: Network) -> Network:
    """Times at random, and purification where modules have room for it."""
    r = random.Random(seed)
    fabrics = [Fabric(f"f{i}", r.randint(1, 2), r.choice((None, 4))) for i in range(r.randint(0, 1))]
    links = []
    for ends in network.link_ends.tolist():
        comm = min(9 if network.modules[m].comm is None else network.modules[m].comm for m in ends)
        kind = r.randrange(3)
        source = ({"pair_time": 3.0}, {"rate": 0.1}, {"attempt_time": 2.0, "success_probability": 0.4})[kind]
        purify = None
        if comm >= 2 and r.random() < 0.8:
            purify = Purify(r.randint(1, min(3, comm - 1)), r.choice(("dejmps", "bbpssw")), r.choice(SCHEMES))
        links.append(
            LinkHardware(
                **source, fidelity=r.choice((0.7, 0.9)), generators=r.randint(1, 2), latency=r.choice((None, 1.0)),
                max_age=r.choice((None, None, 60.0)), purify=purify,
                fabric=fabrics[0].name if fabrics and r.random() < 0.5 else None,
            )
        )  # fmt: skip
    module = ModuleHardware(one_qubit_time=1.0, two_qubit_time=2.0, measure_time=1.0, comm_t2=500.0)
    return network.with_hardware(module, links, fabrics)


@pytest.mark.parametrize("seed", range(24))
def test_compiled_programs_leave_room(seed: int) -> None:
    case = random_case(seed, min_qubits=2, max_qubits=6, max_gates=20)
    comm = [m.comm if m.comm is None else max(m.comm, 2) + seed % 2 for m in case.network.modules]
    roomy = replace(case.network, modules=tuple(replace(m, comm=c) for m, c in zip(case.network.modules, comm)))
    network = purifying(seed, roomy)
    program = distq.compile(case.circuit, network, effort="fast", verify="symbolic", seed=case.seed).program
    assert program.network == network
    for policy in POLICIES:
        try:
            t = schedule(program, policy=policy)
        except InfeasibleError:  # pairs grow too old before they can be used
            continue
        check_timeline(t)
        check_room(t)
        assert t.makespan >= bounds(t.graph).best - 1e-9 * t.makespan
        if len(program) > 150:
            continue
        found = t.distribution(3, seed)
        for sample in np.flatnonzero(np.isfinite(found.makespan)).tolist():
            oracle = PurifiedEvents(t, seed, sample)
            assert oracle.run() == pytest.approx(found.makespan[sample], rel=1e-6)
            assert oracle.discarded == found.discarded[sample]


def crowded(seed: int) -> DistributedProgram:
    """Many pairs at one module with few spare qubits; those on links with a finite life die while others are made."""
    r = random.Random(seed)
    links = r.randint(1, 3)
    hardware = [
        LinkHardware(rate=r.choice((0.2, 0.5)), max_age=r.choice((None, 4.0, 10.0)), generators=2, fidelity=0.8,
                     purify=Purify(r.randint(1, 2), scheme=r.choice(SCHEMES)))
        for _ in range(links)
    ]  # fmt: skip
    base = star(links, LinkHardware())
    modules = tuple(replace(m, comm=None if m.comm is None else 6 + r.randint(0, 4)) for m in base.modules)
    network = replace(base, modules=modules).with_hardware(
        ModuleHardware(one_qubit_time=1.0, two_qubit_time=2.0, measure_time=1.0), hardware
    )
    b = ProgramBuilder(network)
    qubits = [b.qubit(0, DATA, i) for i in range(3)]
    free: list[tuple[int, int]] = []
    taken: dict[int, set[int]] = {m: set() for m in range(links + 1)}
    for _ in range(r.randint(5, 10)):
        link = r.randrange(links)
        halves = []
        for m in (0, link + 1):
            i = min(i for i in range(4) if i not in taken[m])
            taken[m].add(i)
            halves.append((m, i, b.qubit(m, COMM, i)))
        b.add(Op.EPR, (halves[0][2], halves[1][2]), link=link)
        free.append((halves[0], halves[1]))
        while free and (len(free) > 2 or r.random() < 0.4):
            q = r.choice(qubits)
            for _ in range(r.choice((0, 10, 40))):
                b.add(Op.H, (q,))
            (m, i, here), (n, j, there) = free.pop(r.randrange(len(free)))
            b.add(Op.CX, (q, here))
            b.measure(here, m)
            b.measure(there, n)
            b.add(Op.RESET, (here,))
            b.add(Op.RESET, (there,))
            taken[m].discard(i)
            taken[n].discard(j)
    return canonical(finish(b, qubits, qubits))


def test_events_give_the_same_times_where_spare_qubits_are_few() -> None:
    compared = discarded = waited = 0
    for seed in range(50):
        try:
            t = schedule(crowded(seed), policy=POLICIES[seed % 3] if seed % 2 else "ahead")
        except InfeasibleError:  # pairs grow too old before they can be used
            continue
        check_timeline(t)
        check_room(t)
        waited += int((t.graph.timing.spare < 3).any())
        found = t.distribution(5, seed)
        for sample in np.flatnonzero(np.isfinite(found.makespan)).tolist():
            oracle = PurifiedEvents(t, seed, sample)
            assert oracle.run() == pytest.approx(found.makespan[sample], rel=1e-6)
            assert oracle.discarded == found.discarded[sample]
            discarded += oracle.discarded
            compared += 1
    assert compared > 60
    assert discarded > 10
    assert waited > 10


def roomy(network: Network, comm: int) -> Network:
    return replace(network, modules=tuple(replace(m, comm=comm) for m in network.modules))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_means(rounds: int, scheme: str) -> None:
    """One purified pair after the other: time, elementary pairs and attempts have the means of the formulas."""
    link = LinkHardware(attempt_time=2.0, success_probability=0.3, fidelity=0.8, latency=5.0,
                        purify=Purify(rounds, scheme=scheme))  # fmt: skip
    program = chain(3, 1, star(1, LinkHardware()))
    network = roomy(star(1, LinkHardware()), 12).with_hardware(None, link)
    t = schedule(program, network)
    pair = purified_pair(network, 0)
    assert (t.raw_pairs, t.attempts) == pytest.approx((3 * pair.raw_pairs, 3 * pair.raw_pairs / 0.3))
    assert t.graph.timing.pair[0] == pytest.approx(pair.time)
    found = t.distribution(20_000, 1)
    one = schedule(chain(1, 1, star(1, LinkHardware())), network)
    single = one.distribution(20_000, 2)
    for values, mean in ((single.makespan, pair.time + one.makespan - one.graph.timing.pair[0]),
                         (found.raw_pairs, t.raw_pairs), (found.attempts, t.attempts)):  # fmt: skip
        assert abs(values.mean() - mean) < 4 * values.std() / math.sqrt(len(values))
    content = found.to_dict()
    assert content["raw_pairs"] == pytest.approx(found.raw_pairs.mean())
    assert content["attempts"] == pytest.approx(found.attempts.mean())


def test_perfect_pairs_and_certain_attempts_replay_to_the_plan() -> None:
    link = LinkHardware(attempt_time=2.0, success_probability=1.0, purify=Purify(2, scheme="nested"))
    network = roomy(star(2, LinkHardware()), 12).with_hardware(ModuleHardware(two_qubit_time=1.0), link)
    t = schedule(chain(4, 2, star(2, LinkHardware())), network)
    found = t.distribution(20, 3)
    assert np.allclose(found.makespan, t.makespan)
    assert (found.raw_pairs == 4 * 8).all()
    assert (found.attempts == 4 * 8).all()


def test_without_purification_raw_pairs_are_pairs_and_those_that_expired() -> None:
    t = schedule(late_use(12.0), late_use(12.0).network.with_hardware(links=LinkHardware(rate=0.05, max_age=12.0)))
    found = t.distribution(300, 3)
    assert found.discarded.sum() > 20
    assert (found.raw_pairs == len(t.graph.pairs) + found.discarded).all()
    assert t.attempts is None
    assert np.isnan(found.attempts).all()
    assert found.to_dict()["attempts"] is None


def test_units() -> None:
    """Without times an elementary pair counts 1, a round 4, and a perfect round always succeeds."""
    network = roomy(star(1, LinkHardware()), 12)
    plain = chain(1, 1, star(1, LinkHardware()))
    t = schedule(plain, network)
    purified = schedule(plain, network.with_hardware(links=LinkHardware(purify=Purify(2))))
    assert purified.unit == "operation"
    assert purified.makespan == pytest.approx(t.makespan + 2 * (1 + 4))


CIRCUIT = """OPENQASM 2.0; include "qelib1.inc"; qreg q[6]; h q[0];
cx q[0],q[3]; t q[3]; cx q[1],q[4]; h q[1]; cx q[1],q[5]; cx q[2],q[3]; h q[2]; cx q[2],q[4];
h q[3]; cx q[3],q[1]; h q[4]; cx q[4],q[0]; t q[0]; cx q[5],q[2]; h q[5]; cx q[5],q[0];"""
FAST = ModuleHardware(one_qubit_time=1e-6, two_qubit_time=1e-5, measure_time=1e-5, data_t2=10.0, comm_t2=10.0)
MIDDLING = LinkHardware(attempt_time=1e-4, success_probability=0.1, fidelity=0.8)


def circuit_file(tmp_path: Path) -> Path:
    path = tmp_path / "c.qasm"
    path.write_text(CIRCUIT)
    return path


def pair_of(comm: int | None, link: LinkHardware = MIDDLING, module: ModuleHardware = FAST) -> Network:
    return Network.all_to_all(2, 3, comm, hardware=module, link_hardware=link)


def test_programs_without_room_are_refused(tmp_path: Path) -> None:
    plain = distq.compile(circuit_file(tmp_path), pair_of(2), effort="fast")
    wanted = replace(MIDDLING, purify=Purify(1))
    with pytest.raises(InfeasibleError, match=r"uses 2 of the 2 communication qubits of module 'm0', and purifying the "
                       r"pairs of the link m0 - m1 takes 1 more: compile for this network"):  # fmt: skip
        schedule(plain, pair_of(2, wanted))
    program = distq.compile(circuit_file(tmp_path), pair_of(2, wanted), effort="fast")
    t = schedule(program)
    check_room(t)
    assert [m.comm_qubits for m in t.modules] == [2, 2]
    assert t.makespan > schedule(program, pair_of(2)).makespan
    # The verifier refuses a program that is put on a network whose purification it leaves no room for.
    plain.save(tmp_path / "p")
    path = tmp_path / "p" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["network"]["links"][0]["hardware"]["purify"] = {"rounds": 1}
    path.write_text(json.dumps(manifest))
    result = distq.verify(circuit_file(tmp_path), tmp_path / "p", method="symbolic")
    assert not result.ok
    assert "uses 2 communication qubits, and purification of its pairs 1 more" in result.message


def test_a_round_that_never_succeeds_is_refused() -> None:
    network = roomy(star(1, LinkHardware()), 9).with_hardware(
        {"hub": ModuleHardware(measure_error=1.0)} if "hub" in [m.name for m in star(1, LinkHardware()).modules]
        else [ModuleHardware(measure_error=1.0), None], LinkHardware(purify=Purify(1)))  # fmt: skip
    with pytest.raises(InfeasibleError, match="succeeds with probability 0"):
        schedule(chain(1, 1, star(1, LinkHardware())), network)


def test_choice_without_a_program() -> None:
    found = choose_purification(pair_of(2))
    (link,) = found.links
    assert link.purify is not None
    assert link.purify.comm_qubits == 2
    assert found.network.links[0].hardware == replace(MIDDLING, purify=link.purify)
    assert choose_purification(pair_of(4)).links[0].purify == Purify(3, scheme="nested")
    for network, why in (
        (pair_of(1), "it takes 2 communication qubits, and module m0 has 1"),
        (pair_of(2, replace(MIDDLING, fidelity=1.0)), "its pairs are perfect"),
        (pair_of(2, module=replace(FAST, two_qubit_error=0.2)), "no round improves its pairs with the errors of its"),
        (pair_of(2, module=replace(FAST, data_t2=1e-3)), "waiting for purified pairs costs more than they gain"),
        (pair_of(2, LinkHardware(rate=0, fidelity=0.8)), "the link is down"),
    ):
        found = choose_purification(network)
        assert found.links[0].purify is None
        assert why in found.links[0].reason
        assert found.network == network
    found = choose_purification(pair_of(4), "makespan")
    assert found.links[0].purify is None
    assert "the objective is the makespan" in found.links[0].reason
    assert choose_purification(pair_of(4), "ebits").links[0].purify == Purify(3, scheme="nested")


def test_threshold() -> None:
    for objective in ("fidelity", "makespan"):
        found = choose_purification(pair_of(3), objective, min_pair_fidelity=0.9)
        assert found.links[0].after.fidelity >= 0.9
        assert found.links[0].reason == "pairs of at least 0.9 are asked for"
    # The quickest that is good enough: of more rounds than needed only the fidelity would have something.
    assert choose_purification(pair_of(3), "makespan", min_pair_fidelity=0.83).links[0].purify == Purify(1)
    assert choose_purification(pair_of(3), "makespan", min_pair_fidelity=0.79).links[0].purify is None
    with pytest.raises(InfeasibleError, match=r"m0 - m1 have fidelity 0.8000, and at most 0.98.. after "
                       r"purification, but min_pair_fidelity is 0.99; it takes 3 comm"):  # fmt: skip
        choose_purification(pair_of(2), min_pair_fidelity=0.99)
    for value in (0.1, 1.1):
        with pytest.raises(UsageError, match="min_pair_fidelity is"):
            choose_purification(pair_of(2), min_pair_fidelity=value)
    with pytest.raises(UsageError, match="the objective is 'depth'"):
        choose_purification(pair_of(2), "depth")
    with pytest.raises(UsageError, match="purification protocol is 'x'"):
        choose_purification(pair_of(2), protocols=("x",))


def test_choice_for_a_program(tmp_path: Path) -> None:
    network = pair_of(3, replace(MIDDLING, purify=Purify(1)))
    program = distq.compile(circuit_file(tmp_path), network, effort="fast")
    found = choose_purification(network, program=program)
    (link,) = found.links
    assert link.purify is not None
    assert link.pairs == program.ebits
    t = schedule(program, found.network)
    check_room(t)
    assert found.after == pytest.approx(predicted(t, found.network))
    assert found.after is not None
    assert found.before is not None
    assert found.after > found.before
    # Nothing that was tried is better.
    for purify in (None, Purify(1), Purify(2), Purify(3)):
        other = with_purification(network, {} if purify is None else {0: purify})
        assert predicted(schedule(program, other), other) <= found.after + 1e-12
    # A predictor of one's own decides: here time is all.
    hurried = choose_purification(network, program=program, predict=lambda t, _: math.exp(-t.makespan))
    assert hurried.links[0].purify is None
    # No room: the program uses all.
    plain = distq.compile(circuit_file(tmp_path), without_purification(network), effort="fast")
    none = choose_purification(without_purification(network), program=plain)
    if (none.links[0].purify) is None:
        assert "which leaves too few for purification" in none.links[0].reason


@pytest.mark.parametrize("seed", range(6))
def test_choices_are_never_worse_than_none(seed: int) -> None:
    case = random_case(500 + seed, min_qubits=3, max_qubits=6, max_gates=15)
    comm = [3 if m.comm is None else max(m.comm, 2) for m in case.network.modules]
    network = replace(
        case.network, modules=tuple(replace(m, comm=c) for m, c in zip(case.network.modules, comm))
    ).with_hardware(replace(FAST, data_t2=0.05 * 4**seed), replace(MIDDLING, purify=Purify(1)))
    program = distq.compile(case.circuit, network, effort="fast", verify="none", seed=case.seed)
    found = choose_purification(network, program=program)
    assert found.before is not None
    assert found.after is not None
    assert found.after >= found.before
    check_room(schedule(program, found.network))


def test_compile_chooses(tmp_path: Path) -> None:
    path = circuit_file(tmp_path)
    plain = distq.compile(path, pair_of(2), effort="fast", purify="none")
    assert plain.network == pair_of(2)
    auto = distq.compile(path, pair_of(2), effort="fast", purify="auto")
    report = auto.stats["purification"]
    assert report["predicted_fidelity"]["with"] > predicted(schedule(plain), plain.network)
    assert auto.network.links[0].hardware is not None
    assert auto.network.links[0].hardware.purify is not None
    check_room(schedule(auto))
    assert auto.to_dict()["raw_pairs"] == pytest.approx(schedule(auto).raw_pairs)
    assert "raw pairs" in auto.summary()
    assert "the predicted fidelity is larger" in auto.summary()
    auto.save(tmp_path / "p")
    again = distq.load(tmp_path / "p")
    assert again.network == auto.network
    assert distq.verify(path, tmp_path / "p").ok
    asked = distq.compile(path, pair_of(3), effort="fast", min_pair_fidelity=0.93)
    assert purified_pair(asked.network, 0).fidelity >= 0.93
    perfect = distq.compile(path, pair_of(2, LinkHardware(rate=100.0)), effort="fast", purify="auto")
    assert perfect.stats["purification"]["links"][0]["purify"] is None
    with pytest.raises(UsageError, match="purify is 'maybe'; it must be one of stated, none, auto"):
        distq.compile(path, pair_of(2), purify="maybe")
    with pytest.raises(UsageError, match="exclude each other"):
        distq.compile(path, pair_of(2), purify="none", min_pair_fidelity=0.9)
    with pytest.raises(InfeasibleError, match="min_pair_fidelity is"):
        distq.compile(path, pair_of(1), effort="fast", min_pair_fidelity=0.9)


def test_predictions_and_noisy_simulations_take_purified_pairs(tmp_path: Path) -> None:
    """As on a network whose links make the purified state at once, after the same time."""
    path = tmp_path / "c.qasm"
    path.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; h q[0]; cx q[0],q[1]; t q[1]; cx q[1],q[2]; h q[1];'
                    "cx q[0],q[2]; cx q[1],q[0];")  # fmt: skip
    noisy = replace(FAST, two_qubit_error=0.01, comm_t2=0.02)
    link = replace(MIDDLING, purify=Purify(2))
    network = Network.all_to_all(2, 2, 2, hardware=noisy, link_hardware=link)
    pair = purified_pair(network, 0)
    same = network.with_hardware(links=LinkHardware(pair_time=pair.time, state=pair.state.tolist()))
    program = distq.compile(path, network, effort="fast")
    found, expected = (distq.predict_fidelity(schedule(program, n), n, samples=2000) for n in (network, same))
    assert program.ebits > 0
    assert found.fidelity == pytest.approx(expected.fidelity)
    assert found.product == pytest.approx(expected.product)
    raw = without_purification(network)
    assert found.product > distq.predict_fidelity(schedule(program, raw), raw, samples=2000).product
    results = [distq.noisy(program, n, method="density_matrix").to_dict() for n in (network, same)]
    assert results[0]["fidelity"] == pytest.approx(results[1]["fidelity"])
