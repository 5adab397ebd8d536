"""The order by the clock: the same rules for every step as for the usual order, and a clock that goes right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_order import check_steps, random_case

from distq.circuit.logical import CircuitBuilder, LogicalCircuit
from distq.errors import InfeasibleError
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.ops import Op
from distq.partition.clock import Clock
from distq.partition.order import graph_homes, order
from distq.partition.order_time import Rule, order_by_time, tails
from distq.partition.packets import PacketGraph, build_packets
from distq.partition.plan import Placement, Plan
from distq.protocols.lower import lower
from distq.schedule.plan import schedule_ahead

HARDWARE = ModuleHardware(one_qubit_time=1.0, two_qubit_time=10.0, measure_time=10.0, reset_time=1.0)
PAIR = LinkHardware(pair_time=100.0, latency=1.0)
RULES = (Rule(), Rule(urgency=1.0, single=3.0, hold=0.5), Rule(urgency=0.3, noise=1.0, seed=7, ahead=4))


@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_every_step_is_allowed(seed: int, rule: Rule) -> None:
    circuit, graph, network, placement, final = random_case(seed)
    if seed % 2:
        network = network.with_hardware(HARDWARE, PAIR)
    plan = order_by_time(circuit, graph, network, placement, rule)
    check_steps(plan, final)


def clock_of(plan: Plan) -> Clock:
    clock = Clock(plan.circuit, plan.graph, plan.network, plan.initial_homes.tolist())
    for row in zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist(), plan.c.tolist()):
        clock.apply(row)
    return clock


def test_clock_and_schedule() -> None:
    """On random plans the clock is off by little."""
    ratios = []
    for seed in range(150):
        circuit, graph, network, placement, _ = random_case(seed)
        plan = order(circuit, graph, network.with_hardware(HARDWARE, PAIR), placement)
        found = clock_of(plan).end
        try:
            real = schedule_ahead(lower(plan)).makespan
        except InfeasibleError:
            continue
        if real > 200:
            ratios.append(found / real)
    assert len(ratios) > 60
    assert 0.97 < np.median(ratios) < 1.01
    assert np.quantile(ratios, 0.1) > 0.92
    assert np.quantile(ratios, 0.95) < 1.03
    assert 0.75 < min(ratios) <= max(ratios) < 1.15


@pytest.mark.parametrize("comm", [1, 2, None])
def test_clock_of_a_remote_gate(comm: int | None) -> None:
    """Pair 100, CZ 10, and the copy goes: H 1, measurement 10; pairs of the same link follow each other."""
    for gates in (1, 2, 3):
        builder = CircuitBuilder(4)
        for i in range(gates):
            builder.add(Op.MCP, (i % 2, 2 + i // 2), (np.pi,))
            if i + 1 < gates:
                builder.add(Op.H, (i % 2,))
        circuit = builder.build()
        graph = build_packets(circuit)
        homes = np.array([0, 0, 1, 1], np.int32)
        network = Network.line(2, 2, comm, hardware=HARDWARE, link_hardware=PAIR)
        plan = order(circuit, graph, network, Placement(graph_homes(graph, homes), np.ones(gates, np.int32)))
        # At the end a correction waits for its message, and is carried out.
        assert 0 <= schedule_ahead(lower(plan)).makespan - clock_of(plan).end <= 2


def layers(n: int, depth: int, seed: int) -> tuple[LogicalCircuit, PacketGraph, np.ndarray]:
    """CZ between random partners, with H between."""
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(n)
    for _ in range(depth):
        pairs = rng.permutation(n).reshape(-1, 2)
        for a, b in pairs.tolist():
            builder.add(Op.MCP, (a, b), (np.pi,))
        for q in range(n):
            builder.add(Op.H, (q,))
    circuit = builder.build()
    return circuit, build_packets(circuit), np.repeat(np.arange(4), n // 4).astype(np.int32)


def test_it_is_quicker_where_much_may_happen_at_once() -> None:
    ratios = []
    for seed in range(8):
        circuit, graph, homes = layers(16, 6, seed)
        network = Network.all_to_all(4, 4, 2, hardware=HARDWARE, link_hardware=PAIR)
        sites = homes[graph.leg_qubit[graph.node_offsets[:-1]]]
        placement = Placement(graph_homes(graph, homes), sites)
        usual, timed = order(circuit, graph, network, placement), order_by_time(circuit, graph, network, placement)
        ratios.append(schedule_ahead(lower(timed)).makespan / schedule_ahead(lower(usual)).makespan)
    assert np.exp(np.mean(np.log(ratios))) < 0.8


def test_the_same_rule_gives_the_same_order() -> None:
    case = random_case(11)[:4]
    for rule in RULES:
        first, second = (order_by_time(*case, rule) for _ in range(2))
        assert np.array_equal(first.kind, second.kind)
        assert np.array_equal(first.a, second.a)


def test_tails() -> None:
    """CZ 10, H 1, CZ 10 on one qubit; gates that commute do not wait for each other."""
    builder = CircuitBuilder(3)
    builder.add(Op.MCP, (0, 1), (np.pi,))
    builder.add(Op.MCP, (1, 2), (np.pi,))
    builder.add(Op.H, (0,))
    builder.add(Op.MCP, (0, 2), (np.pi,))
    circuit = builder.build()
    graph = build_packets(circuit)
    network = Network.line(2, 2, 1, hardware=HARDWARE, link_hardware=PAIR)
    assert tails(graph, Clock(circuit, graph, network, [0, 0, 1])) == [21.0, 10.0, 10.0]
