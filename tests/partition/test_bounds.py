"""Lower bounds: against all plans of tiny circuits, against what the compiler finds, and on circuits that are known."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from best_plan import Search
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_circuits import qft, random_circuit

import distq
from distq.circuit.logical import CircuitBuilder, LogicalCircuit
from distq.network.model import Network
from distq.ops import Op
from distq.partition.bound_nets import bound_nets
from distq.partition.bound_windows import Room, spanning_bound
from distq.partition.bounds import Bounds, ends_bound, lower_bounds, separation_bound
from distq.partition.cost import cost
from distq.partition.packets import build_packets
from distq.pipeline import make_plan
from distq.report.account import account
from distq.rewrite.merge import merge_one_qubit
from distq.testing.strategies import CompileCase, compile_cases

CAPACITIES = [[2, 1], [1, 1, 1], [2, 2], [2, 1, 1]]


def tiny(seed: int) -> tuple[LogicalCircuit, list[int]]:
    """A circuit on three or four qubits that are full of CZ, H, wide parities, measurements and resets."""
    rng = np.random.default_rng(seed)
    capacities = CAPACITIES[int(rng.integers(len(CAPACITIES)))]
    n = sum(capacities) if rng.random() < 0.8 else sum(capacities) - 1
    b = CircuitBuilder(n)
    clbits = 0
    for _ in range(int(rng.integers(2, 8 if n == 3 else 7))):
        kind = rng.random()
        if kind < 0.12:
            b.measure(int(rng.integers(n)), clbits)
            clbits += 1
        elif kind < 0.18:
            b.add(Op.RESET, (int(rng.integers(n)),))
        elif kind < 0.3 and n >= 3:
            b.add(Op.PARITY, tuple(rng.choice(n, 3, replace=False).tolist()), (0.3,))
        else:
            legs = tuple(rng.choice(n, 2, replace=False).tolist())
            b.add(Op.MCP, legs, (0.3,))
            b.add(Op.H, (legs[1],))
    return b.build(), capacities


@pytest.mark.parametrize("zero_start", [False, True])
def test_no_plan_is_below_the_bound(zero_start):
    """All plans of tiny circuits; the bounds are met often enough to be of use."""
    met = positive = 0
    for seed in range(25 if zero_start else 60):
        circuit, capacities = tiny(seed)
        graph = build_packets(circuit)
        nets = bound_nets(circuit, graph, zero_start)
        search = Search(circuit, graph, capacities, zero_start)
        bound = spanning_bound(nets, np.array(capacities))
        assert search.best(bound - 1) is None, (seed, bound)
        n = graph.num_qubits
        if bound * n < (4 if zero_start else 6):  # others take long
            met += search.best(bound) == bound
        positive += bound > 0
        if zero_start:
            continue
        rng = np.random.default_rng(seed)
        places = np.repeat(np.arange(len(capacities)), capacities)
        ends = [rng.permutation(places)[:n] for _ in range(2)]
        bound = ends_bound(nets, *ends)
        if bound * n < 13:
            assert search.best(bound - 1, *(x.tolist() for x in ends)) is None, (seed, bound)
    assert met > (8 if zero_start else 25)
    assert positive > (3 if zero_start else 40)


def chain(qubits: int, layers: int) -> LogicalCircuit:
    b = CircuitBuilder(qubits)
    for _ in range(layers):
        for q in range(qubits - 1):
            b.add(Op.H, (q + 1,))
            b.add(Op.MCP, (q, q + 1), (np.pi,))
            b.add(Op.H, (q + 1,))
    return b.build()


@pytest.mark.parametrize(("k", "data"), [(2, 8), (4, 4), (4, 5), (8, 2), (3, 6)])
def test_a_chain_needs_one_ebit_less_than_modules(k, data):
    circuit = merge_one_qubit(chain(16, 1))
    nets = bound_nets(circuit, build_packets(circuit))
    assert spanning_bound(nets, np.full(k, data)) == -(-16 // data) - 1


def test_repeated_circuits_cost_again():
    """Windows add up: all qubits interact again and again."""
    b = CircuitBuilder(6)
    for _ in range(10):
        for i in range(6):
            b.add(Op.H, (i,))
            for j in range(i + 1, 6):
                b.add(Op.MCP, (i, j), (0.3,))
    circuit = b.build()
    nets = bound_nets(circuit, build_packets(circuit))
    assert spanning_bound(nets, np.array([3, 3])) >= 8
    assert spanning_bound(nets, np.array([6])) == 0
    assert spanning_bound(nets, np.array([3, 6])) == 0


def test_ends_of_the_fourier_transform():
    """Halves that stay: n/2 ebits are needed, and the bound says so."""
    circuit = qft(16)
    nets = bound_nets(circuit, build_packets(circuit))
    homes = np.repeat(np.arange(2), 8)
    assert ends_bound(nets, homes, homes) == 8
    assert ends_bound(nets, homes, 1 - homes) >= 16
    idle = CircuitBuilder(3).build()
    assert ends_bound(bound_nets(idle, build_packets(idle)), np.array([0, 1, 1]), np.array([1, 0, 1])) == 2


def test_measured_qubits_make_room():
    """After a measurement another qubit may take the place: only the start and what is left at the end count."""
    b = CircuitBuilder(2)
    b.add(Op.H, (0,))
    b.measure(0, 0)
    b.add(Op.RESET, (0,))
    b.add(Op.MCP, (0, 1), (0.3,))
    b.measure(0, 1)
    circuit = b.build()
    nets = bound_nets(circuit, build_packets(circuit))
    assert nets.life_offsets.tolist() == [0, 1, 2, 4, 5]
    assert nets.fixed_start.tolist() == [False, False, False, True]
    assert nets.fixed_end.tolist() == [False, False, False, True]
    assert spanning_bound(nets, np.array([1, 1])) == 0


def test_parity_gates_that_share_packets_count_once():
    b = CircuitBuilder(6)
    for _ in range(5):
        b.add(Op.PARITY, (0, 1, 2, 3), (0.3,))
    b.add(Op.PARITY, (3, 4, 5), (0.3,))
    circuit = b.build()
    nets = bound_nets(circuit, build_packets(circuit))
    assert len(nets.gate_row) - nets.num_gates == 1
    assert spanning_bound(nets, np.array([2, 2, 2])) == 1
    homes = np.array([0, 0, 1, 1, 2, 2])
    assert ends_bound(nets, homes, homes) == 1


@pytest.mark.parametrize("capacities", [[3, 3], [2, 2, 2], [5, 2, 2, 1], [1] * 7])
def test_room(capacities):
    n = sum(capacities)
    room = Room(np.array(capacities), n)
    ordered = sorted(capacities, reverse=True)
    least = [next(m for m in range(len(ordered) + 1) if sum(ordered[:m]) >= s) for s in range(n + 1)]
    assert room.least.tolist() == least
    for s in range(n + 1):
        assert room.middle[s] == min(max(x, max(least[s - x] - 1, 0)) for x in range(s + 1))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 4), share=st.floats(0, 1))
def test_separation_against_networkx(seed, k, share):
    """The same cuts by another maximum flow, on a graph that is built from the definition."""
    circuit = random_circuit(6, 20, seed)
    graph = build_packets(circuit)
    nets = bound_nets(circuit, graph)
    rng = np.random.default_rng(seed)
    module = np.where(rng.random(graph.num_junctions) < share, rng.integers(0, k, graph.num_junctions), -1)
    before = graph.junction(np.arange(graph.num_packets))
    used = np.unique(module[module >= 0]).tolist()
    cuts = []
    for m in used:
        flow = nx.DiGraph()
        flow.add_nodes_from("st")
        for e in range(nets.num_elements):
            flow.add_edge(("in", e), ("out", e), capacity=1)

        def touch(e, v, flow=flow):
            flow.add_edge(v, ("in", e))
            flow.add_edge(("out", e), v)

        for p in range(graph.num_packets):
            for j in (p + int(graph.packet_qubit[p]), p + int(graph.packet_qubit[p]) + 1):
                touch(p, ("junction", j))
        for g in range(len(nets.gate_row)):
            for leg in range(nets.gate_offsets[g], nets.gate_offsets[g + 1]):
                if g < nets.num_gates:
                    touch(int(nets.legs[leg]), ("gate", g))
                else:
                    touch(int(nets.legs[leg]), ("leg", leg))
                    touch(graph.num_packets + g - nets.num_gates, ("leg", leg))
        for j, home in enumerate(module.tolist()):
            if home >= 0:
                flow.add_edge(*(("s", ("junction", j)) if home == m else (("junction", j), "t")))
        cuts.append(nx.minimum_cut_value(flow, "s", "t"))
    expected = max(*cuts, -(-sum(cuts) // 2)) if len(used) > 1 else 0
    assert separation_bound(nets, module[before], module[before + 1]) == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=compile_cases(min_qubits=2, max_qubits=6, max_gates=16))
def test_compiled_programs_are_never_below(case: CompileCase):
    """Any network, any number of communication qubits; what is called optimal is at a bound."""
    stats = distq.compile(case.circuit, case.network, seed=case.seed, effort="fast", verify="none").stats
    assert 0 <= stats["lower_bound"] <= stats["lower_bound_homes"] <= stats["ebits"]
    assert stats["optimal"] == (stats["optimal_class"] is not None)
    if stats["optimal_class"] == "every plan":
        assert stats["ebits"] == stats["lower_bound"]
    elif stats["optimal_class"] == "every plan with these start and end homes":
        assert stats["ebits"] == stats["lower_bound_homes"] > stats["lower_bound"]
    else:
        assert stats["ebits"] > stats["lower_bound_homes"]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), k=st.sampled_from([2, 3, 4]), comm=st.sampled_from([1, 2, None]))
def test_plans_are_never_below(seed, k, comm):
    circuit = random_circuit(8, 40, seed, widest=2)
    plan = make_plan(circuit, Network.all_to_all(k, -(-8 // k), comm), effort="fast", seed=seed)
    bounds = lower_bounds(plan, np.array(account(plan).homes, np.int32))
    assert bounds.every_plan <= bounds.these_ends <= bounds.these_homes <= cost(plan, plan.network)


def test_names_of_classes():
    assert Bounds(1, 2, 3).proved(1) == "every plan"
    assert Bounds(1, 2, 3).proved(2) == "every plan with these start and end homes"
    assert Bounds(1, 2, 3).proved(3) == "every plan with these homes at every junction"
    assert Bounds(1, 2, 3).proved(4) is None
    assert Bounds(2, 2, 2).proved(2) == "every plan"


def test_large_circuits_are_one_window(monkeypatch):
    circuit = chain(16, 1)
    nets = bound_nets(circuit, build_packets(circuit))
    monkeypatch.setattr("distq.partition.bound_windows.BUDGET", 0)
    assert spanning_bound(nets, np.full(4, 4)) == 3
