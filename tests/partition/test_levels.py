"""The order of levels: what a rank must keep to, homes within it, and what the search gains by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_circuits import random_circuit
from qiskit import QuantumCircuit
from test_order import random_circuit as conditional_circuit
from test_order import random_network
from test_pressure import check_plan

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.logical import CircuitBuilder
from distq.network.model import Network
from distq.ops import Op
from distq.partition.cost import cost
from distq.partition.dynamic import DynamicSearch, improve_dynamic
from distq.partition.levels import rank_by_level
from distq.partition.options import switched_off
from distq.partition.order import classical_dependencies, order
from distq.partition.packets import build_packets
from distq.partition.place import make_problem, place, solve
from distq.pipeline import make_plan

FEW = settings(max_examples=15, deadline=None, derandomize=True)


def blocks(pairs, gates=3):
    """Gates in turn on each of these pairs, none of which commutes with the one before."""
    b = CircuitBuilder(max(map(max, pairs)) + 1)
    for p, q in pairs:
        for _ in range(gates):
            b.add(Op.MCP, (p, q), (0.4,))
            b.add(Op.H, (p,))
            b.add(Op.H, (q,))
    return b.build()


def test_levels_are_layers_of_blocks():
    circuit = blocks([(0, 1), (1, 2), (2, 3), (4, 5), (5, 3)])
    rank = rank_by_level(circuit, build_packets(circuit))
    # (0, 1) and (4, 5); (1, 2); (2, 3); (5, 3): three gates each.
    assert rank.tolist() == [0, 1, 2, 6, 7, 8, 9, 10, 11, 3, 4, 5, 12, 13, 14]
    assert rank_by_level(blocks([(0, 1), (2, 3), (1, 2)]), build_packets(blocks([(0, 1), (2, 3), (1, 2)]))) is None


@FEW
@given(seed=st.integers(0, 10**6))
def test_ranks_keep_to_qubits_and_classical_bits(seed):
    rng = np.random.default_rng(seed)
    circuit = conditional_circuit(rng, 5, 30, True, True)
    graph = build_packets(circuit)
    rank = rank_by_level(circuit, graph)
    if rank is None:
        return
    assert sorted(rank.tolist()) == list(range(graph.num_nodes))
    for q in range(5):
        own = rank[graph.leg_node()[graph.leg_qubit == q]]
        assert (np.diff(own) > 0).all()
    followers, _ = classical_dependencies(circuit, graph)
    for node, others in enumerate(followers):
        assert all(rank[node] < rank[other] for other in others)


def test_resets_that_give_places_up_are_planned_by_rows():
    source = QuantumCircuit(4)
    for p, q in ((0, 1), (1, 2), (2, 3), (0, 3), (0, 1)):
        source.cx(p, q)
        source.reset(p)
    circuit = replace(from_qiskit(source), reuse=True)
    assert rank_by_level(circuit, build_packets(circuit)) is None


@FEW
@given(seed=st.integers(0, 10**6), room=st.integers(0, 1), k=st.integers(2, 3))
def test_plans_in_the_order_of_levels_pay_what_was_promised(seed, room, k):
    circuit = random_circuit(6, 30, seed, local=0.1)
    graph = build_packets(circuit)
    rank = rank_by_level(circuit, graph)
    if rank is None:
        return
    network = Network.all_to_all(k, -(-6 // k) + room, None)
    problem = make_problem(circuit, graph, network, effort="fast", seed=seed)
    search = DynamicSearch(problem, rank=rank)
    search.load(place(circuit, graph, network, effort="fast", seed=seed))
    search.anneal(20_000, seed, hot=1.5, cold=0.5)
    found = search.placement("test")
    plan = order(circuit, graph, network, found)
    check_plan(plan)
    assert cost(plan, network) == cost(found, network, graph) == search.energy


@FEW
@given(seed=st.integers(0, 10**6))
def test_plans_in_the_order_of_levels_are_carried_out_with_few_communication_qubits(seed):
    rng = np.random.default_rng(seed)
    network, complete = random_network(rng, 5)
    circuit = conditional_circuit(rng, 5, 30, complete and bool(network.comm_array.min() >= 2), False)
    graph = build_packets(circuit)
    rank = rank_by_level(circuit, graph)
    if rank is None:
        return
    try:
        start = place(circuit, graph, network, effort="fast", seed=seed)
    except distq.InfeasibleError:
        return
    search = DynamicSearch(make_problem(circuit, graph, network, effort="fast", seed=seed), rank=rank)
    search.load(start)
    search.anneal(5_000, seed, hot=3.0, cold=2.0)
    try:
        check_plan(order(circuit, graph, network, search.placement("test")))
    except distq.InfeasibleError:
        return


def rounds(seed, n=8, depth=6):
    """Random blocks in layers, written one qubit after the other as far as that is possible."""
    rng = np.random.default_rng(seed)
    left = [tuple(pair) for _ in range(depth) for pair in rng.permutation(n).reshape(-1, 2).tolist()]
    pairs = []
    while left:
        # The latest pair that nothing before it waits for.
        ready = [i for i, pair in enumerate(left) if not {*pair} & {q for other in left[:i] for q in other}]
        pairs.append(left.pop(ready[-1]))
    return blocks(pairs)


def test_the_search_returns_the_best_of_both_orders():
    gained = 0
    for seed in range(4):
        circuit = rounds(seed)
        graph = build_packets(circuit)
        network = Network.all_to_all(2, 4, None)
        problem = make_problem(circuit, graph, network, effort="fast", seed=seed)
        starts = solve(problem)
        assert rank_by_level(circuit, graph) is not None
        found = improve_dynamic(problem, *starts, circuit=circuit)
        figures = [cost(p, network, graph) for p in found]
        assert figures == sorted(figures, reverse=True)
        assert all(f < cost(starts[0], network, graph) for f in figures)
        assert [p.rank is None for p in found] in ([True], [False], [True, False])
        gained += found[-1].rank is not None
        plan = make_plan(circuit, network, effort="fast", seed=seed)
        assert cost(plan, network) == figures[-1]
    assert gained
    with switched_off(["levels"]):
        problem = make_problem(circuit, graph, network, effort="fast", seed=seed)
        assert all(p.rank is None for p in improve_dynamic(problem, *starts, circuit=circuit))


def test_programs_are_verified():
    """Blocks on full modules, where the order of levels is taken for some seeds."""
    taken = 0
    for seed in range(3):
        source = QuantumCircuit(8, 8)
        circuit = rounds(seed, depth=4)
        for row in range(len(circuit)):
            qubits = circuit.qubits[circuit.qubit_offsets[row] : circuit.qubit_offsets[row + 1]].tolist()
            source.cp(0.4, *qubits) if len(qubits) == 2 else source.h(qubits[0])
        source.measure(range(8), range(8))
        program = distq.compile(
            source, Network.all_to_all(2, 4, None), effort="fast", seed=seed, without=["resynthesis"]
        )
        assert program.stats["verified"]["ok"]
        taken += program.stats["teleports"] > 0
    assert taken
