"""The dynamic search against recounts by definition, an integer program's optimum, and its own static start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_circuits import qft, random_circuit, unserved_nodes

from distq.circuit.logical import CircuitBuilder
from distq.network.model import Network
from distq.ops import Op
from distq.partition.cost import cost
from distq.partition.dynamic import DynamicSearch, improve_dynamic, junction_slots
from distq.partition.packets import build_packets
from distq.partition.place import make_problem, place

FEW = settings(max_examples=20, deadline=None, derandomize=True)


def loads(graph, homes, k: int) -> np.ndarray:
    """(slots, k) data qubits taken, slot by slot and qubit by qubit, as the definition says."""
    slot, slots = junction_slots(graph)
    taken = np.zeros((slots, k), int)
    for q in range(graph.num_qubits):
        first, last = graph.packet_offsets[q] + q, graph.packet_offsets[q + 1] + q
        for t in range(slots):
            for j in range(first, last + 1):
                here = slot[j] == t or (first == last and t < slots - 1)
                stays = j < last and slot[j] < t < slot[j + 1] and homes[j] == homes[j + 1]
                if here or stays:
                    taken[t, homes[j]] += 1
    return taken


def test_slots_follow_rows():
    circuit = random_circuit(6, 30, 2, local=0.1)
    graph = build_packets(circuit)
    slot, slots = junction_slots(graph)
    for q in range(6):
        first, last = graph.packet_offsets[q] + q, graph.packet_offsets[q + 1] + q
        own = slot[first : last + 1]
        assert own[0] == 0
        assert (np.diff(own) > 0).all()
        if last > first:
            assert own[-1] == slots - 1


@FEW
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(2, 4),
    room=st.integers(0, 1),
    kind=st.sampled_from(["all", "line"]),
    comm=st.sampled_from([1, 2, None]),
    ends=st.sampled_from([None, "same", "some", "pins"]),
)
def test_capacities_costs_and_ends(seed, k, room, kind, comm, ends):
    n = 7
    output = np.random.default_rng(seed).permutation(n).tolist() if seed % 2 else None
    circuit = random_circuit(n, 3 if seed % 5 == 0 else 40, seed, local=0.1, output=output)
    graph = build_packets(circuit)
    network = (Network.all_to_all if kind == "all" else Network.line)(k, -(-n // k) + room, comm)
    options = {"same": {"final_homes": "same"}, "some": {"final_homes": {0: 0, 3: 1}}, "pins": {"pins": {2: 1}}}
    options[None] = {}
    start = place(circuit, graph, network, effort="fast", seed=seed, **options[ends])
    problem = make_problem(circuit, graph, network, effort="fast", seed=seed, **options[ends])
    search = DynamicSearch(problem)
    energy = search.load(start)
    bare = np.diff(graph.packet_offsets) == 0
    assert search.overload == 0
    assert search.anneal(20_000, seed, hot=1.5, cold=0.3) <= energy
    found = search.placement("test")
    lacking = len(unserved_nodes(graph, network, found))
    assert (cost(found, network, graph) == search.energy) == (lacking == 0)
    assert (loads(graph, found.homes, k) <= network.data_array).all()
    first = graph.packet_offsets[:-1] + np.arange(n)
    last = graph.packet_offsets[1:] + np.arange(n)
    wire = circuit.output_wire
    end = found.final_homes
    assert (end == found.homes[last])[~bare].all()
    assert (np.bincount(end, minlength=k) <= network.data_array).all()
    if ends == "same":
        assert (end[wire] == found.homes[first]).all()
    if ends == "some":
        assert end[wire[[0, 3]]].tolist() == [0, 1]
    if ends == "pins":
        assert found.homes[first[2]] == 1
        assert end[wire[2]] == 1


def test_kernel_keeps_count():
    """Energy and load added up over thousands of accepted moves equal a recount."""
    from distq.partition.dynamic_kernel import anneal_dynamic, fill_load
    from distq.partition.kernels import rebuild
    from distq.partition.static import random_state

    for make, k in ((Network.all_to_all, 3), (Network.ring, 5), (Network.line, 11)):
        circuit = random_circuit(12, 80, k, local=0.05)
        graph = build_packets(circuit)
        network = make(k, -(-12 // k), 1)
        search = DynamicSearch(make_problem(circuit, graph, network))
        energy = search.load(place(circuit, graph, network, partitioner="contiguous"))
        s, v, at = search.s, search.v, search.at
        best = np.zeros(at.presence, np.int32)
        journal, log = np.zeros((1000, 2), np.int32), np.zeros((1000, 2), np.int32)
        tally = np.array([energy, energy, 0], np.int64)
        for until in (7_000, 30_000):
            anneal_dynamic(s, v, at, random_state(1), tally, until, 30_000, 3.0, 1.0, journal, best, log)
        least = int(tally[1])
        load = v[at.load : at.load + k * at.num_slots].copy()
        presence = v[at.presence : at.presence + at.num_nets * k].copy()
        assert fill_load(s, v, at) == 0
        assert (load == v[at.load : at.load + k * at.num_slots]).all()
        assert rebuild(s, v, at) == tally[0]
        assert (presence == v[at.presence : at.presence + at.num_nets * k]).all()
        assert (loads(graph, v[at.home : at.home + graph.num_junctions], k) == load.reshape(k, -1).T).all()
        v[: at.presence] = best
        assert rebuild(s, v, at) == least < energy


def teleporting_circuit(blocks: int):
    """Two qubits that work with a pair in one module, then with a pair in the other: moving them pays."""
    b = CircuitBuilder(6)
    for block in range(2):
        for _ in range(blocks):
            for q in (0, 1):
                for p in (2 + 2 * block, 3 + 2 * block):
                    b.add(Op.MCP, (q, p), (0.4,))
                    b.add(Op.H, (q,))
                    b.add(Op.H, (p,))
    return b.build()


def test_moving_beats_staying():
    circuit = teleporting_circuit(6)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 4, None)
    start = place(circuit, graph, network)
    problem = make_problem(circuit, graph, network)
    found = improve_dynamic(problem, start)
    assert cost(found, network, graph) <= 2 < cost(start, network, graph)
    assert found.partitioner.endswith("+moves")
    assert (loads(graph, found.homes, 2) <= 4).all()


def test_full_modules_exchange_homes():
    """The same with no data qubit free: moves are exchanges or wait on communication qubits inside a packet."""
    b = CircuitBuilder(4)
    for pairs in (((0, 1), (2, 3)), ((0, 3), (2, 1))):
        for _ in range(6):
            for p, q in pairs:
                b.add(Op.MCP, (p, q), (0.4,))
                b.add(Op.H, (p,))
                b.add(Op.H, (q,))
    circuit = b.build()
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 2, None)
    found = improve_dynamic(make_problem(circuit, graph, network), place(circuit, graph, network))
    assert cost(found, network, graph) == 2
    assert (loads(graph, found.homes, 2) == 2)[[0, -1]].all()


@pytest.mark.parametrize("effort", ["fast", "default"])
def test_never_worse_and_repeatable(effort):
    circuit = qft(10)
    graph = build_packets(circuit)
    network = Network.all_to_all(3, 4, None)
    start = place(circuit, graph, network, effort="fast")
    problem = make_problem(circuit, graph, network, effort=effort, seed=3)
    one, two = improve_dynamic(problem, start), improve_dynamic(problem, start)
    assert cost(one, network, graph) <= cost(start, network, graph)
    assert (one.homes == two.homes).all()
    assert (one.sites == two.sites).all()
