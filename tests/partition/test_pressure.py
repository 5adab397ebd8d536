"""The search under few communication qubits: its count of ebits, its orders, and the plans that follow them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_order import Replay, random_case

import distq
from distq.circuit.logical import CircuitBuilder
from distq.network.model import Network
from distq.ops import Op
from distq.partition.cost import cost
from distq.partition.halt import Halt
from distq.partition.options import switched_off
from distq.partition.order import order
from distq.partition.packets import build_packets
from distq.partition.place import make_problem, solve
from distq.partition.plan import Step
from distq.partition.pressure import PressureSearch, frugal, improve_pressure, rank_of
from distq.partition.static import random_state
from distq.pipeline import make_plan


def steps(plan):
    return zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist(), plan.c.tolist())


def check_plan(plan):
    """Every step is allowed by the model's rules, nodes and turns happen once, and homes end where they should."""
    graph = plan.graph
    replay = Replay(plan)
    turned = []
    for kind, a, b, c in steps(plan):
        replay.step(kind, a, b, c)
        if kind == Step.TURN:
            turned.append(b + a)
            # A turn between packets finds its qubit at home on a data qubit and without copies.
            first, end = graph.segment_offsets[a : a + 2]
            if b in (first, end) or graph.segment_packet[b] != graph.segment_packet[b - 1]:
                assert not replay.copies[a]
                assert a not in replay.on_comm
    assert sorted(turned) == np.flatnonzero(np.diff(graph.turn_offsets)).tolist()
    assert sorted(replay.done) == list(range(graph.num_nodes))
    assert replay.home == plan.final_homes.tolist()
    assert not replay.on_comm
    assert not any(replay.copies.values())


def dense(seed, n=8, gates=60, turns=0.25, k=4, comm=2, data=2):
    """A circuit of CP gates between random qubits with H between, and its problem."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(n)
    for _ in range(gates):
        if rng.random() < turns:
            builder.add(Op.H, (int(rng.integers(n)),))
        else:
            a, b = rng.choice(n, 2, replace=False)
            builder.add(Op.MCP, (int(a), int(b)), (0.5,))
    circuit = builder.build()
    graph = build_packets(circuit)
    network = Network.all_to_all(k, data=data, comm=comm)
    return circuit, graph, network, make_problem(circuit, graph, network, effort="fast")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_an_order_that_is_given_is_carried_out_by_the_rules(seed):
    circuit, graph, network, placement, _ = random_case(seed)
    rank = rank_of(order(circuit, graph, network, placement))
    # Neighbours that have nothing in common change places.
    rng = np.random.default_rng(seed)
    nodes = np.argsort(rank)
    for i in rng.integers(0, max(1, len(nodes) - 1), 2 * len(nodes)):
        pair = nodes[i : i + 2]
        legs = [set(graph.leg_qubit[graph.node_offsets[x] : graph.node_offsets[x + 1]].tolist()) for x in pair]
        bits = (circuit.bit[graph.node_row[pair]] >= 0) | (circuit.guard[graph.node_row[pair]] >= 0)
        if len(pair) == 2 and not legs[0] & legs[1] and not bits.all():
            nodes[i : i + 2] = pair[::-1]
    shuffled = np.empty(len(nodes), np.int32)
    shuffled[nodes] = np.arange(len(nodes))
    plan = order(circuit, graph, network, replace(placement, rank=shuffled))
    check_plan(plan)


@pytest.mark.parametrize("seed", range(9))
def test_what_is_read_again_is_the_whole_tape(seed):
    from distq.partition.pressure_kernel import anneal_tape
    from distq.partition.tape_kernel import whole_tape

    # The last ones have long packets, so that many gates commute.
    circuit, graph, network, problem = dense(
        seed, gates=60 if seed < 6 else 100, turns=0.25 if seed < 6 else 0.06, comm=1 + seed % 3, data=2 + seed % 2
    )
    start = solve(problem)[0]
    search = PressureSearch(circuit, problem)
    search.start(start, rank_of(order(circuit, graph, network, start)))
    rng, tally = random_state(seed), np.array([search.energy, search.energy, 0], np.int64)
    search._best[:] = search.v[: search.at.presence]
    search._best_order[:] = search._order()
    arrays = search.s, search.v, search.at
    more = search._journal, search._best, search._log, search.w, search.o, search._best_order, search._trail
    accepted = set()
    for _ in range(40):
        anneal_tape(*arrays, rng, tally, tally[2] + 8000, 320_000, 1.0, 0.15, *more)
        assert tally[0] == whole_tape(*arrays, search.w, search.o)
        accepted.add(int(tally[0]))
    assert len(accepted) > 3


@pytest.mark.parametrize("comm", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_plan_pays_what_its_tape_says(seed, comm):
    circuit, graph, network, problem = dense(seed, comm=comm)
    start = solve(problem)[0]
    search = PressureSearch(circuit, problem)
    before = search.start(start, rank_of(order(circuit, graph, network, start)))
    assert search.anneal_tape(200_000, seed) <= before
    found = search.found("test")
    plan = order(circuit, graph, network, found)
    check_plan(plan)
    assert cost(found, network, graph) <= cost(plan, network) <= search.energy


def test_the_search_saves_what_dropping_and_fetching_again_costs():
    paid = {}
    for without in ((), ("pressure",)):
        paid[without] = 0
        for seed in range(2):
            circuit, _, network, _ = dense(seed, gates=140, turns=0.15)
            with switched_off(without):
                plan = make_plan(circuit, network, effort="fast")
            check_plan(plan)
            paid[without] += cost(plan, network)
    assert paid[()] < 0.85 * paid["pressure",]


def test_copies_that_stay_where_others_pass_save_ebits():
    # In a QFT all qubits meet. With one copy at a time each of the six pairs of modules pays for four of its qubits.
    n, data = 16, 4
    builder = CircuitBuilder(n)
    for i in range(n):
        builder.add(Op.H, (i,))
        for j in range(i + 1, n):
            builder.add(Op.MCP, (i, j), (np.pi / 2 ** (j - i),))
    circuit = builder.build()
    paid = {}
    for comm in (1, 4):
        plan = make_plan(circuit, Network.all_to_all(4, data=data, comm=comm), effort="fast")
        check_plan(plan)
        paid[comm] = cost(plan, plan.network)
    assert paid[1] == 6 * data
    assert paid[4] < 6 * data - 1


@pytest.mark.parametrize("comm", [1, 2, 3])
def test_the_program_has_as_many_pairs_as_the_plan_pays(comm):
    from qiskit import QuantumCircuit

    source = QuantumCircuit(8)
    rng = np.random.default_rng(comm)
    for _ in range(36):
        a, b = rng.choice(8, 2, replace=False)
        source.cp(0.3, int(a), int(b))
        if rng.random() < 0.2:
            source.h(int(a))
    for network in (Network.all_to_all(4, data=2, comm=comm), Network.grid(2, 2, data=2, comm=comm)):
        compiled = distq.compile(source, network, effort="fast", verify="symbolic")
        assert compiled.ebits == np.count_nonzero(compiled.program.code == Op.EPR)
        assert max(compiled.peak_comm_qubits.values()) <= comm
        assert compiled.stats["verified"]["ok"]
        with switched_off(["pressure"]):
            without = distq.compile(source, network, effort="fast", verify="none")
        assert compiled.ebits <= without.ebits


def test_the_same_seed_gives_the_same_plan():
    plans = []
    for _ in range(2):
        circuit, _, network, _ = dense(5, gates=80)
        plans.append(make_plan(circuit, network, effort="fast", seed=3))
    assert plans[0].placement.rank is not None
    assert np.array_equal(plans[0].placement.rank, plans[1].placement.rank)
    for name in ("kind", "a", "b", "c"):
        assert np.array_equal(getattr(plans[0], name), getattr(plans[1], name))


def test_nothing_is_searched_without_a_limit_or_time():
    circuit, graph, network, problem = dense(1)
    plans = [order(circuit, graph, network, solve(problem)[0])]
    unlimited = Network.all_to_all(4, data=2, comm=None)
    free = make_problem(circuit, graph, unlimited, effort="fast")
    assert improve_pressure(circuit, free, [order(circuit, graph, unlimited, solve(free)[0])]) is None
    assert frugal(free) is None
    halt = Halt(1e-9)
    assert improve_pressure(circuit, replace(problem, halt=halt), plans) is None
    assert halt.hit
