"""Exact sites against all sites there are, the minimum cut, and in effort "best"."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_circuits import qft, random_circuit

from distq.network.model import Network
from distq.partition.cost import cost
from distq.partition.dynamic import DynamicSearch
from distq.partition.exact import exact_sites, servable, with_exact_sites
from distq.partition.halt import Halt
from distq.partition.hypergraph import expand, general_hypergraph
from distq.partition.kernels import rebuild
from distq.partition.options import OPTIONS, switched_off
from distq.partition.packets import build_packets
from distq.partition.place import make_problem
from distq.partition.plan import Placement
from distq.partition.sites import min_cut_sites
from distq.pipeline import make_plan

FEW = settings(max_examples=25, deadline=None, derandomize=True)


def at_home(graph, homes) -> Placement:
    """Every gate at the home of its first leg."""
    nodes = general_hypergraph(graph).nodes
    first = nodes.packets[nodes.offsets[:-1]]
    return expand(graph, nodes, homes, homes[graph.junction(first)], "start")


def search_of(problem, placement) -> DynamicSearch:
    search = DynamicSearch(problem)
    search.load(placement)
    return search


@FEW
@given(seed=st.integers(0, 10**6), widest=st.integers(2, 3), comm=st.sampled_from([1, 2, None]), turns=st.booleans())
def test_against_all_sites(seed, widest, comm, turns):
    circuit = random_circuit(5, 6, seed, widest)
    graph = build_packets(circuit)
    network = Network.all_to_all(3, 5, comm)
    rng = np.random.default_rng(seed)
    line = np.repeat(rng.integers(0, 3, 5), np.diff(graph.packet_offsets) + 1)
    homes = (rng.integers(0, 3, graph.num_junctions) if turns else line).astype(np.int32)
    problem = make_problem(circuit, graph, network, effort="best", seed=seed)
    start = at_home(graph, homes)
    search = search_of(problem, start)
    first = search.energy
    if not 0 < search.at.num_nodes <= 7:
        return
    least = first
    for sites in itertools.product(range(3), repeat=search.at.num_nodes):
        search.v[search.at.site : search.at.site + search.at.num_nodes] = sites
        least = min(least, int(rebuild(search.s, search.v, search.at)))
    found = with_exact_sites(problem, start)
    assert search_of(problem, found).energy == least
    assert (found is start) == (least == first)
    assert (found.homes == start.homes).all()
    if comm is None:
        assert cost(found, network, graph) == least


@FEW
@given(seed=st.integers(0, 10**6), widest=st.integers(2, 4), comm=st.sampled_from([2, None]))
def test_two_modules_are_a_minimum_cut(seed, widest, comm):
    circuit = random_circuit(6, 25, seed, widest)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 6, comm)
    homes = np.random.default_rng(seed).integers(0, 2, graph.num_junctions).astype(np.int32)
    hypergraph = general_hypergraph(graph)
    before, after = hypergraph.net_homes(graph, homes)
    cut = min_cut_sites(hypergraph, before, after, (0, 1), network.comm_array)
    may = servable(hypergraph, before, after, network.comm_array, np.arange(2))
    if cut is None:
        assert not may.any(axis=1).all()
        return
    price = cut.value + int((before != after).sum())
    assert exact_sites(hypergraph, before, after, np.arange(2), may, price) is None
    sites = exact_sites(hypergraph, before, after, np.arange(2), may, price + 1)
    assert sites is not None
    search = search_of(make_problem(circuit, graph, network), at_home(graph, homes))
    search.v[search.at.site : search.at.site + search.at.num_nodes] = sites
    assert rebuild(search.s, search.v, search.at) == price


def test_effort_best_asks_for_exact_sites():
    """Four modules of four for a QFT on sixteen: gates at the home of a leg pay 24, detached ones 16."""
    circuit = qft(16)
    graph = build_packets(circuit)
    network = Network.all_to_all(4, 4, None)
    start = at_home(graph, np.repeat(np.arange(16) // 4, np.diff(graph.packet_offsets) + 1).astype(np.int32))
    found = with_exact_sites(make_problem(circuit, graph, network, effort="best"), start)
    assert (cost(start, network, graph), cost(found, network, graph)) == (24, 16)
    assert found.partitioner == "start+exact"
    again = with_exact_sites(make_problem(circuit, graph, network, effort="best"), start)
    assert (found.sites == again.sites).all()


@pytest.mark.parametrize("left_out", ["default", "line", "halted", "switched off"])
def test_where_it_is_left_out(left_out):
    circuit = qft(9)
    graph = build_packets(circuit)
    network = (Network.line if left_out == "line" else Network.all_to_all)(3, 3, None)
    start = at_home(graph, np.repeat(np.arange(9) // 3, np.diff(graph.packet_offsets) + 1).astype(np.int32))
    halt = Halt()
    if left_out == "halted":
        halt.hit = True
    effort = "default" if left_out == "default" else "best"
    with switched_off(["exact-sites"] if left_out == "switched off" else []):
        assert with_exact_sites(make_problem(circuit, graph, network, effort=effort, halt=halt), start) is start


def test_plans_are_made_of_them(monkeypatch):
    """With the budget of effort "fast" but for the integer program, so that there is something left to find."""
    worst = replace(OPTIONS["fast"], hot=0, kept=0, runs=0, exact=OPTIONS["best"].exact)
    monkeypatch.setitem(OPTIONS, "fast", worst)
    monkeypatch.setattr("distq.partition.sites.SITE_MOVES", {"fast": (0, 0)})
    gained = 0
    for seed in range(6):
        circuit = random_circuit(8, 40, seed)
        network = Network.all_to_all(4, 2, None)
        plan = make_plan(circuit, network, effort="fast", seed=seed)
        with switched_off(["exact-sites"]):
            without = cost(make_plan(circuit, network, effort="fast", seed=seed), network)
        assert cost(plan, network) <= without
        if cost(plan, network) < without:
            gained += 1
            assert plan.placement.partitioner.endswith("+exact")
    assert gained
