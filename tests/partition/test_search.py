"""The partition search against oracles: brute force, integer programs, networkx, and its own recounting."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partition_circuits import qft, random_circuit, unserved_nodes

from distq.errors import UsageError
from distq.network.model import Network
from distq.ops import Op
from distq.partition.bound_nets import bound_nets
from distq.partition.bounds import homes_bound
from distq.partition.cost import cost
from distq.partition.hypergraph import general_hypergraph, merge_nodes, static_hypergraph
from distq.partition.methods import contiguous, placement
from distq.partition.milp import solve_static
from distq.partition.packets import build_packets
from distq.partition.place import make_problem, place
from distq.partition.plan import Placement
from distq.partition.sites import min_cut_sites, refine_sites
from distq.partition.static import StaticSearch
from distq.partition.steiner import COMPLETE, TABLE, TREE, span_cost, spanning_tree, steiner_table

FEW = settings(max_examples=25, deadline=None, derandomize=True)


def network_of(kind: str, k: int, data: int, comm: int | None) -> Network:
    return {
        "all": Network.all_to_all,
        "line": Network.line,
        "ring": Network.ring,
        "star": Network.star,
    }[kind](k, data, comm)


def slow_cost(p: Placement, network: Network, graph) -> int:
    """The estimate by its definition, packet by packet, with networkx for the trees."""
    links = nx.Graph()
    links.add_nodes_from(range(network.num_modules))
    links.add_edges_from(network.link_ends.tolist())
    total = 0
    sites = p.sites_of_legs(graph)
    for packet in range(graph.num_packets):
        before = packet + graph.packet_qubit[packet]
        modules = {int(p.homes[before]), int(p.homes[before + 1])}
        modules |= {int(sites[i]) for i in np.flatnonzero(graph.leg_packet == packet)}
        total += steiner_by_brute_force(links, modules)
    for node in range(graph.num_nodes):
        modules = {int(m) for m in sites[graph.node_offsets[node] : graph.node_offsets[node + 1]]}
        assert len(modules) == 1 or graph.node_parity[node]
        total += steiner_by_brute_force(links, modules)
    return total


def steiner_by_brute_force(links: nx.Graph, terminals: set[int]) -> int:
    others = [v for v in links if v not in terminals]
    for extra in range(len(others) + 1):
        for relays in itertools.combinations(others, extra):
            if nx.is_connected(links.subgraph(terminals | set(relays))):
                return len(terminals) + extra - 1
    raise AssertionError("not connected")


@pytest.mark.parametrize("kind", ["line", "ring", "star"])
def test_steiner_table_against_brute_force(kind):
    network = network_of(kind, 6, 2, 2)
    links = nx.Graph(network.link_ends.tolist())
    table = steiner_table(network.distances)
    for mask in range(1, 64):
        terminals = {m for m in range(6) if mask >> m & 1}
        assert table[mask] == steiner_by_brute_force(links, terminals)


def test_modes_of_span_cost():
    assert span_cost(Network.all_to_all(40, 1)).mode == COMPLETE
    assert span_cost(Network.line(10, 1)).mode == TABLE
    large = span_cost(Network.line(12, 1))
    assert large.mode == TREE
    assert spanning_tree(large.distances, np.array([0, 11, 5])) == 11
    assert large.of_sets(np.array([0, 0, 2, 2, 2]), np.array([3, 3, 0, 4, 2]), 3).tolist() == [0, 0, 4]


@FEW
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["all", "line", "star"]),
    k=st.sampled_from([1, 2, 3, 5, 12]),
    comm=st.sampled_from([1, 2, None]),
)
def test_kernel_energy_is_the_cost(seed, kind, k, comm):
    """After thousands of incremental moves the energy is that of a recount, and that of cost()."""
    n = 8
    circuit = random_circuit(n, 30, seed, widest=3 + seed % 4, local=0.1)
    graph = build_packets(circuit)
    network = network_of(kind, k, -(-n // k) + 1, comm)
    problem = make_problem(circuit, graph, network, seed=seed)
    search = StaticSearch(problem)
    search.load(contiguous(problem))
    energy = search.energy + 0
    descended = search.descend()
    assert descended <= energy
    assert descended == search.load(search.homes, search.sites)
    annealed = search.anneal(3000, seed, hot=2.0, cold=0.5)
    assert annealed <= descended
    found = placement(problem, search.homes, search.sites, "test")
    penalty = annealed - cost(found, network, graph)
    assert penalty >= 0
    assert penalty % 64 == 0
    assert (penalty == 0) == (len(unserved_nodes(graph, network, found)) == 0)
    if k <= 5:
        assert cost(found, network, graph) == slow_cost(found, network, graph)
    assert (np.bincount(search.homes, minlength=k) <= network.data_array).all()


def test_kernel_tracks_energy_exactly():
    """The energy that the kernel adds up while annealing at a high temperature equals a recount of its best."""
    from distq.partition.kernels import rebuild
    from distq.partition.static import random_state
    from distq.partition.static_kernel import anneal_static

    for kind, k in (("all", 3), ("ring", 5), ("line", 11)):
        circuit = random_circuit(12, 60, k, widest=k)
        problem = make_problem(circuit, build_packets(circuit), network_of(kind, k, 5, 1))
        search = StaticSearch(problem)
        search.load(contiguous(problem))
        s, v, at = search.s, search.v, search.at
        best = np.zeros(at.presence, np.int32)
        journal = np.zeros((1000, 2), np.int32)
        tally = np.array([search.energy, search.energy, 0], np.int64)
        for until in (5_000, 20_000):
            anneal_static(s, v, at, random_state(1), tally, until, 20_000, 3.0, 1.0, journal, best, 1.0)
        assert rebuild(s, v, at) == tally[0]
        v[: at.presence] = best
        assert rebuild(s, v, at) == tally[1]


def brute_force(problem) -> int:
    """The optimum over homes and sites, each merged node trying every module."""
    n, k = problem.num_qubits, problem.num_modules
    search = StaticSearch(problem)
    best = 10**9
    for homes in itertools.product(range(k), repeat=n):
        if (np.bincount(homes, minlength=k) > problem.capacities).any():
            continue
        for sites in itertools.product(range(k), repeat=problem.hypergraph.nodes.count):
            best = min(best, search.load(np.array(homes, np.int32), np.array(sites, np.int32)))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_integer_program_and_auto_against_brute_force(seed):
    circuit = random_circuit(4, 5, seed, widest=3)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 2, None)
    problem = make_problem(circuit, graph, network)
    optimum = brute_force(problem)
    exact = solve_static(problem)
    assert exact is not None
    assert exact.optimal
    assert exact.ebits == optimum
    assert cost(place(circuit, graph, network), network, graph) == optimum


@pytest.mark.parametrize(("k", "seed"), [(2, 0), (2, 1), (3, 2), (3, 3), (4, 4)])
def test_auto_reaches_the_integer_program(k, seed):
    circuit = random_circuit(8, 18, seed, widest=3)
    graph = build_packets(circuit)
    network = Network.all_to_all(k, -(-8 // k), None)
    exact = solve_static(make_problem(circuit, graph, network))
    assert exact is not None
    assert exact.optimal
    assert cost(place(circuit, graph, network), network, graph) == exact.ebits


@pytest.mark.parametrize(("n", "k", "ebits"), [(8, 2, 4), (16, 2, 8), (16, 4, 16)])
def test_qft_optima(n, k, ebits):
    """Contiguous halves need n/2; over four modules of four detached gates bring 24 down to 16."""
    circuit = qft(n)
    graph = build_packets(circuit)
    network = Network.all_to_all(k, n // k, None)
    assert cost(place(circuit, graph, network), network, graph) == ebits


@FEW
@given(seed=st.integers(0, 10**6), widest=st.integers(2, 4), moving=st.booleans())
def test_minimum_cut_is_optimal(seed, widest, moving):
    """Against the integer program (static) and, for gates on two qubits, networkx's vertex cover by matching."""
    circuit = random_circuit(6, 25, seed, widest)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 6, None)
    rng = np.random.default_rng(seed)
    hypergraph = static_hypergraph(graph)
    home = rng.integers(0, 2, graph.num_qubits)[graph.packet_qubit[hypergraph.packets]]
    end = home ^ (rng.random(len(home)) < 0.3) if moving else home
    before, after = hypergraph.without_home(home), hypergraph.without_home(end)
    cut = min_cut_sites(hypergraph, before, after, (0, 1), network.comm_array)
    assert cut is not None
    crossing = {
        e
        for e in range(hypergraph.num_nets)
        if len({before[e], after[e]} - {-1} | {cut.sites[v - 6] for v in pins_of(hypergraph, e) if v >= 6}) > 1
    }
    assert hypergraph.net_weight[sorted(crossing)].sum() == cut.value + int((before != after).sum())
    assert cut.value == cut_by_networkx(hypergraph, before, after)


def pins_of(hypergraph, e: int) -> list[int]:
    return hypergraph.pins[hypergraph.net_offsets[e] : hypergraph.net_offsets[e + 1]].tolist()


def cut_by_networkx(hypergraph, before, after) -> int:
    flow = nx.DiGraph()
    flow.add_nodes_from(["s", "t"])
    for e in range(hypergraph.num_nets):
        if before[e] != after[e]:
            continue
        gates = [v for v in pins_of(hypergraph, e) if v >= hypergraph.num_homes]
        if before[e] < 0:
            flow.add_edge(("in", e), ("out", e), capacity=int(hypergraph.net_weight[e]))
            flow.add_edges_from([(g, ("in", e)) for g in gates])
            flow.add_edges_from([(("out", e), g) for g in gates])
        elif before[e] == 0:
            flow.add_edge("s", ("net", e), capacity=1)
            flow.add_edges_from([(("net", e), g) for g in gates])
        else:
            flow.add_edge(("net", e), "t", capacity=1)
            flow.add_edges_from([(g, ("net", e)) for g in gates])
    return nx.minimum_cut_value(flow, "s", "t")


def test_sites_respect_communication_qubits():
    """With one communication qubit each, no gate on two qubits is detached and no gate on three is remote twice."""
    for seed in range(6):
        circuit = random_circuit(9, 40, seed, widest=2)
        graph = build_packets(circuit)
        network = Network.all_to_all(3, 3, 1)
        found = place(circuit, graph, network, effort="fast", seed=seed)
        assert len(unserved_nodes(graph, network, found)) == 0
        two = np.flatnonzero(np.diff(graph.node_offsets) == 2)
        legs = graph.leg_qubit[graph.node_offsets[two][:, None] + np.arange(2)]
        assert (found.homes[graph.packet_offsets[legs] + legs] == found.sites[two][:, None]).any(axis=1).all()


def test_unserved_nodes_are_named():
    wide = (circuit for s in range(50) if (circuit := random_circuit(3, 1, s)).arity.max() == 3)
    circuit = next(c for c in wide if c.code[c.arity == 3] == Op.MCP)
    graph = build_packets(circuit)
    network = Network.all_to_all(3, 1, 1)
    found = place(circuit, graph, network)
    assert unserved_nodes(graph, network, found).tolist() == [0]


@FEW
@given(seed=st.integers(0, 10**6), k=st.integers(2, 4), kind=st.sampled_from(["all", "line"]))
def test_bound_and_refinement(seed, k, kind):
    """Refined sites are never worse, cost at least the bound, and meet it on two modules without wide parities."""
    circuit = random_circuit(8, 30, seed)
    graph = build_packets(circuit)
    network = network_of(kind, k, 8, None)
    rng = np.random.default_rng(seed)
    homes = rng.integers(0, k, graph.num_junctions).astype(np.int32)
    first = homes[graph.junction(graph.leg_packet[graph.node_offsets[:-1]])]
    start = Placement(homes, first)
    refined = refine_sites(graph, network, start, effort="fast", seed=seed)
    assert (refined.homes == homes).all()
    nets = bound_nets(circuit, graph)
    bound = homes_bound(nets, homes)
    assert bound <= cost(refined, network, graph) <= cost(start, network, graph)
    plain = nets.num_gates == np.count_nonzero(np.diff(graph.node_offsets) > 1)
    if k == 2 and plain and len(np.unique(homes)) == 2:
        assert cost(refined, network, graph) == bound


def test_merging_loses_nothing():
    circuit = random_circuit(6, 80, 3)
    graph = build_packets(circuit)
    nodes = merge_nodes(graph)
    assert nodes.weight.sum() == np.count_nonzero(nodes.of_node >= 0) + np.count_nonzero(nodes.of_leg >= 0)
    assert nodes.num_plain < np.count_nonzero(nodes.of_node >= 0)
    assert nodes.net_weight.sum() == np.count_nonzero(graph.node_parity)
    for node in range(graph.num_nodes):
        g = nodes.of_node[node]
        legs = np.sort(graph.leg_packet[graph.node_offsets[node] : graph.node_offsets[node + 1]])
        if g >= 0:
            assert nodes.packets[nodes.offsets[g] : nodes.offsets[g + 1]].tolist() == legs.tolist()
        elif graph.node_parity[node]:
            # A leg is a node in its packet and in a net that all legs share.
            number = nodes.of_leg[graph.node_offsets[node] : graph.node_offsets[node + 1]]
            pairs = nodes.legs[number - nodes.num_plain]
            assert pairs[:, 0].tolist() == graph.leg_packet[graph.node_offsets[node] :][: len(legs)].tolist()
            assert len(np.unique(pairs[:, 1])) == 1
            assert np.count_nonzero(nodes.legs[:, 1] == pairs[0, 1]) == len(legs)
        else:
            assert len(legs) < 2 or graph.node_local[node]


def test_general_hypergraph_has_both_junctions():
    circuit = random_circuit(5, 20, 1, local=0.2)
    graph = build_packets(circuit)
    hypergraph = general_hypergraph(graph)
    assert hypergraph.num_homes == graph.num_junctions
    assert hypergraph.num_packet_nets == graph.num_packets
    assert hypergraph.num_nets == graph.num_packets + np.count_nonzero(np.diff(graph.node_offsets)[graph.node_parity])
    for e in range(graph.num_packets):
        first = e + graph.packet_qubit[e]
        assert pins_of(hypergraph, e)[:2] == [first, first + 1]
    for vertex in range(hypergraph.num_vertices):
        nets = hypergraph.nets[hypergraph.vertex_offsets[vertex] : hypergraph.vertex_offsets[vertex + 1]]
        assert all(vertex in pins_of(hypergraph, e) for e in nets.tolist())


def test_cost_of_a_placement_needs_the_graph():
    with pytest.raises(UsageError, match="needs the packets"):
        cost(Placement(np.zeros(1, np.int32), np.zeros(0, np.int32)), Network.all_to_all(2, 2))


def test_integer_program_refuses_incomplete_networks():
    circuit = random_circuit(4, 4, 0)
    with pytest.raises(UsageError, match="complete"):
        solve_static(make_problem(circuit, build_packets(circuit), Network.line(3, 2)))
