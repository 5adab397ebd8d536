"""place(): options, capacities, the registry, and that the same seed gives the same answer."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_circuits import qft, random_circuit

from distq.circuit.logical import CircuitBuilder
from distq.errors import DistqError, InfeasibleError, UsageError
from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.partition.capacity import check_homes, mend
from distq.partition.cost import cost
from distq.partition.mtk import partition_qubits, vertex_weights
from distq.partition.packets import build_packets
from distq.partition.place import make_problem, place
from distq.partition.plan import Placement
from distq.partition.registry import (
    get_partitioner,
    partitioner_names,
    register,
    register_partitioner,
    unregister,
)

FEW = settings(max_examples=20, deadline=None, derandomize=True)


def starts(graph, placement: Placement):
    return placement.homes[graph.packet_offsets[:-1] + np.arange(graph.num_qubits)]


def ends(graph, placement: Placement):
    return placement.homes[graph.packet_offsets[1:] + np.arange(graph.num_qubits)]


def test_names():
    assert {"auto", "mtkahypar", "metis", "anneal", "contiguous", "round-robin"} <= set(partitioner_names())


@pytest.mark.parametrize("name", ["auto", "mtkahypar", "metis", "interaction", "anneal", "contiguous", "round-robin"])
def test_every_partitioner(name):
    """Uneven capacities, one of them zero-filled by a fixed qubit; more than one component never arises here."""
    network = Network(
        (Module("a", 5, 2), Module("b", 1, 2), Module("c", 3, 2), Module("d", 4, 2)),
        tuple(Link(x, y) for i, x in enumerate("abcd") for y in "abcd"[i + 1 :]),
    )
    for seed in range(3):
        circuit = random_circuit(12, 50, seed, local=0.1)
        graph = build_packets(circuit)
        found = place(circuit, graph, network, partitioner=name, effort="fast", seed=seed, initial_homes={11: 1, 0: 3})
        home = starts(graph, found)
        assert (np.bincount(home, minlength=4) <= network.data_array).all()
        assert home[11] == 1
        assert home[0] == 3
        assert (ends(graph, found) == home).all()
        assert found.partitioner.split(":")[0] == name
        local = np.flatnonzero(graph.node_local)
        legs = graph.leg_qubit[graph.node_offsets[local]]
        assert (found.sites[local] == home[legs]).all()


@FEW
@given(data=st.data())
def test_capacities_hold(data):
    """Random capacities with a tight total, random fixed homes and pins, random partitioner."""
    k = data.draw(st.integers(1, 5))
    capacities = data.draw(st.lists(st.integers(1, 5), min_size=k, max_size=k))
    n = data.draw(st.integers(1, sum(capacities)))
    seed = data.draw(st.integers(0, 1000))
    names = [f"m{i}" for i in range(k)]
    links = tuple(Link(a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    network = Network(tuple(Module(a, c, 2) for a, c in zip(names, capacities)), links)
    circuit = random_circuit(n, 20, seed) if n > 1 else CircuitBuilder(1).build()
    graph = build_packets(circuit)
    places = np.random.default_rng(seed).permutation(np.repeat(np.arange(k), capacities))[:n]
    chosen = data.draw(st.sets(st.integers(0, n - 1)))
    wanted = {q: int(places[q]) for q in chosen}
    name = data.draw(st.sampled_from(partitioner_names()))
    kind = data.draw(st.sampled_from(["initial_homes", "final_homes", "pins"]))
    found = place(circuit, graph, network, partitioner=name, effort="fast", seed=seed, **{kind: wanted})
    start, end = starts(graph, found), ends(graph, found)
    final = end if found.final_homes is None else found.final_homes
    assert (np.bincount(start, minlength=k) <= capacities).all()
    assert (np.bincount(final, minlength=k) <= capacities).all()
    moves = np.diff(graph.packet_offsets) > 0
    assert (final[moves] == end[moves]).all()
    for q, m in wanted.items():
        if kind != "final_homes":
            assert start[q] == m
        if kind != "initial_homes":
            assert final[q] == m


def test_final_homes_follow_relabelled_outputs():
    """Qubit i ends on wire output_wire[i]."""
    circuit = random_circuit(4, 20, 1, output=[1, 0, 3, 2])
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 2)
    found = place(circuit, graph, network, final_homes={0: 1, 1: 0, 2: 1, 3: 0})
    assert ends(graph, found)[[1, 0, 3, 2]].tolist() == [1, 0, 1, 0]
    pinned = place(circuit, graph, network, pins={0: 1, 2: 0})
    assert starts(graph, pinned)[[0, 2]].tolist() == [1, 0]
    assert ends(graph, pinned)[[1, 3]].tolist() == [1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_same_ends_where_the_inputs_began(seed):
    output = np.random.default_rng(seed).permutation(6).tolist()
    circuit = random_circuit(6, 25, seed, output=output)
    graph = build_packets(circuit)
    network = Network.all_to_all(3, 2)
    found = place(circuit, graph, network, final_homes="same", seed=seed)
    assert (ends(graph, found)[output] == starts(graph, found)).all()
    assert (found.final_homes[output] == starts(graph, found)).all()


def test_same_on_a_bare_swap():
    """Wires without packets: the placement says by itself where they must end."""
    circuit = CircuitBuilder(2).build(output_wire=np.array([1, 0], np.int32))
    found = place(circuit, build_packets(circuit), Network.all_to_all(2, 1), final_homes="same")
    assert found.final_homes.tolist() == found.homes[::-1].tolist()


def test_moves_are_counted_in_the_search():
    """A wanted end attracts the start: nothing to pay where the two can agree."""
    circuit = qft(8)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 4, None)
    free = cost(place(circuit, graph, network), network, graph)
    wanted = {q: 1 - q // 4 for q in range(8)}
    assert cost(place(circuit, graph, network, final_homes=wanted), network, graph) == free


def test_partial_ends_push_others_out():
    """Both start in module 0 or 1 by force; the qubit without a wanted end has to make room."""
    circuit = random_circuit(2, 3, 0, widest=2)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 1)
    found = place(circuit, graph, network, initial_homes={0: 0, 1: 1}, final_homes={0: 1})
    assert found.final_homes.tolist() == [1, 0]


def test_user_partitioner_in_three_lines():
    register_partitioner("all-in-first", lambda problem: np.zeros(problem.num_qubits, int))
    try:
        circuit = qft(6)
        graph = build_packets(circuit)
        network = Network.all_to_all(3, 3)
        found = place(circuit, graph, network, partitioner="all-in-first")
        load = np.bincount(starts(graph, found), minlength=3)
        assert load[0] == 3
        assert found.partitioner == "all-in-first"
        with pytest.raises(UsageError, match="exists already"):
            register_partitioner("all-in-first", lambda problem: np.zeros(problem.num_qubits, int))
    finally:
        unregister("all-in-first")
    assert "all-in-first" not in partitioner_names()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros(5, int), "shape"),
        (np.zeros(6), "float64"),
        (np.full(6, 3), "3 to 3"),
        (np.full(6, -1), "-1 to -1"),
        (Placement(np.zeros(2, np.int32), np.zeros(0, np.int32)), "homes"),
    ],
)
def test_bad_answers_of_user_partitioners(answer, message):
    @register("wrong")
    def wrong(problem):
        return answer

    try:
        circuit = qft(6)
        with pytest.raises(UsageError, match=message):
            place(circuit, build_packets(circuit), Network.all_to_all(3, 2), partitioner="wrong")
    finally:
        unregister("wrong")


def test_user_placement_beyond_capacity_is_an_internal_error():
    @register("greedy")
    def greedy(problem):
        return Placement(np.zeros(problem.graph.num_junctions, np.int32), np.zeros(problem.graph.num_nodes, np.int32))

    try:
        circuit = qft(6)
        with pytest.raises(DistqError, match="exceeds the data qubits"):
            place(circuit, build_packets(circuit), Network.all_to_all(3, 2), partitioner="greedy")
    finally:
        unregister("greedy")


def test_unknown_names():
    with pytest.raises(UsageError, match="no partitioner is called 'kahypar'; the partitioners are anneal, auto, "):
        get_partitioner("kahypar")
    with pytest.raises(UsageError, match="cannot be called"):
        register_partitioner("auto", get_partitioner("metis"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"effort": "huge"}, UsageError, "fast, default, best"),
        ({"initial_homes": "same"}, UsageError, "initial_homes is 'same'"),
        ({"final_homes": "there"}, UsageError, "'free', 'same'"),
        ({"pins": {9: 0}}, UsageError, "qubit 9"),
        ({"pins": {0: 5}}, UsageError, "modules 0 to 2"),
        ({"initial_homes": {0: "m1"}}, UsageError, "by index"),
        ({"pins": {0: 1}, "initial_homes": {0: 2}}, UsageError, "pinned"),
        ({"initial_homes": {0: 1, 1: 1, 2: 1}}, InfeasibleError, "3 qubits shall start in module 'm1'"),
        ({"final_homes": {0: 1, 1: 1, 2: 1}}, InfeasibleError, "3 qubits shall end in module 'm1'"),
        ({"allowed": [0, 1]}, InfeasibleError, "needs 6 qubits"),
    ],
)
def test_bad_options(options, error, message):
    circuit = qft(6)
    with pytest.raises(error, match=message):
        place(circuit, build_packets(circuit), Network.all_to_all(3, 2), **options)


def test_modules_that_cannot_be_reached_stay_empty():
    names = "abcd"
    network = Network(tuple(Module(x, 3, 1) for x in names), (Link("a", "b"), Link("c", "d")))
    circuit = qft(5)
    graph = build_packets(circuit)
    found = place(circuit, graph, network)
    assert set(found.homes.tolist()) | set(found.sites.tolist()) in ({0, 1}, {2, 3})
    with pytest.raises(InfeasibleError, match="cannot use"):
        place(circuit, graph, network, pins={0: 3 if 0 in found.homes else 0})


def test_weights_of_the_hint():
    """Qubits min(G+1, (2^31-1-G)//n), blocks capacity*W + W - 1, within 32 bits."""
    weight, room = vertex_weights(10, 99, np.array([5, 5]))
    assert weight == 100
    assert room == [5 * 100 + 99] * 2
    n, gates = 5000, 1_000_000
    weight, room = vertex_weights(n, gates, np.array([2500, 2500]))
    assert weight == (2**31 - 1 - gates) // n
    assert weight * n + gates < 2**31
    assert max(room) < 2**31
    assert vertex_weights(3, 0, np.array([0, 2**40]))[1][0] >= 1


@FEW
@given(seed=st.integers(0, 1000), k=st.integers(2, 5), n=st.integers(4, 20))
def test_mtkahypar_keeps_fixed_and_nearly_balances(seed, k, n):
    circuit = random_circuit(n, 40, seed)
    graph = build_packets(circuit)
    network = Network.all_to_all(k, -(-n // k) + 1)
    problem = make_problem(circuit, graph, network, seed=seed, initial_homes={0: k - 1}, final_homes={1: 0})
    homes, sites = partition_qubits(problem, seed)
    assert homes[0] == k - 1
    assert len(sites) == problem.hypergraph.nodes.count
    again, _ = partition_qubits(problem, seed)
    assert (homes == again).all()
    check_homes(problem, mend(problem, homes))


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from partition_circuits import random_circuit
from distq.network.model import Network
from distq.partition.packets import build_packets
from distq.partition.place import place
import hashlib
circuit = random_circuit(14, 120, 5)
for effort, seed in (("fast", 0), ("fast", 7), ("default", 1)):
    found = place(circuit, build_packets(circuit), Network.grid(2, 2, 4), effort=effort, seed=seed)
    print(found.partitioner, hashlib.sha256(found.homes.tobytes() + found.sites.tobytes()).hexdigest())
"""


def test_same_seed_same_answer_in_other_processes_and_thread_counts():
    here = os.path.dirname(__file__)
    outputs = set()
    for threads in ("1", "2"):
        env = os.environ | {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, here], capture_output=True, text=True, env=env, check=True, timeout=300
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(set(outputs.pop().split("\n")[:2])) == 2


def test_one_module_costs_nothing():
    circuit = random_circuit(5, 20, 0, local=0.2)
    graph = build_packets(circuit)
    network = Network((Module("only", 5, 0),))
    assert cost(place(circuit, graph, network), network, graph) == 0


def test_empty_circuits():
    for n in (1, 4):
        b = CircuitBuilder(n)
        b.add(Op.H, (0,))
        circuit = b.build()
        found = place(circuit, build_packets(circuit), Network.all_to_all(2, 2))
        assert len(found.homes) == n
        assert len(found.sites) == 0


def test_more_modules_than_a_machine_word():
    """80 modules in a line: no bit masks, spanning trees instead of Steiner trees."""
    circuit = qft(12)
    graph = build_packets(circuit)
    for network in (Network.line(80, 1), Network.all_to_all(80, 1)):
        found = place(circuit, graph, network, effort="fast")
        assert len(set(starts(graph, found).tolist())) == 12
        assert cost(found, network, graph) > 0


@FEW
@given(seed=st.integers(0, 10**6), k=st.integers(2, 4), same=st.booleans())
def test_estimate_is_the_count_of_the_plan(seed, k, same):
    """On a complete network with unlimited communication qubits the placement's cost is what the plan pays."""
    from distq.partition.cost import ebits_per_link
    from distq.partition.order import order

    circuit = random_circuit(8, 30, seed, local=0.1)
    graph = build_packets(circuit)
    network = Network.all_to_all(k, -(-8 // k), None)
    found = place(circuit, graph, network, effort="fast", seed=seed, final_homes="same" if same else None)
    plan = order(circuit, graph, network, found)
    assert cost(plan, network) == cost(found, network, graph)
    assert ebits_per_link(plan).sum() == cost(plan, network)
