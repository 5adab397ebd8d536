"""Folding equal parts: the folded energy is that of the whole circuit, for any homes and any sites."""

from __future__ import annotations

import numpy as np
import pytest
from partition_circuits import random_circuit

from distq.circuit.logical import CircuitBuilder
from distq.network.model import Network
from distq.ops import Op
from distq.partition.cost import cost
from distq.partition.hypergraph import merge_nodes
from distq.partition.methods import placement
from distq.partition.options import switched_off
from distq.partition.packets import build_packets
from distq.partition.place import make_problem
from distq.partition.static import StaticSearch


def layered(seed: int, layers: int, stray: bool = False):
    """The same random part between walls of H, `layers` times; with `stray`, one layer has another gate."""
    b = CircuitBuilder(6)
    for layer in range(layers):
        rng = np.random.default_rng(seed)
        for q in range(6):
            b.add(Op.H, (q,))
        for _ in range(9):
            width = int(rng.integers(2, 4))
            b.add(Op.MCP, tuple(rng.choice(6, width, replace=False).tolist()), (0.1 + layer,))
            if rng.random() < 0.4:
                b.add(Op.H, (int(rng.integers(6)),))
        if stray and layer == 1:
            b.add(Op.MCP, (0, 5), (0.7,))
            b.add(Op.MCP, (1, 4, 3), (0.7,))
    return b.build()


@pytest.mark.parametrize("seed", range(12))
def test_folded_energy_is_the_whole_cost(seed):
    circuit = layered(seed, 4, stray=seed % 3 == 0)
    graph = build_packets(circuit)
    whole = merge_nodes(graph).count
    rng = np.random.default_rng(seed)
    for network in (Network.all_to_all(3, 4, None), Network.line(4, 3, None)):
        options = {"final_homes": "same"} if seed % 4 == 1 else {"final_homes": {0: 1}} if seed % 4 == 2 else {}
        problem = make_problem(circuit, graph, network, seed=seed, **options)
        hypergraph = problem.hypergraph
        assert hypergraph.nodes.count < whole
        search = StaticSearch(problem)
        for _ in range(5):
            homes = rng.integers(network.num_modules, size=6).astype(np.int32)
            sites = rng.integers(network.num_modules, size=hypergraph.nodes.count).astype(np.int32)
            energy = search.load(homes, sites)
            assert energy == cost(placement(problem, homes, sites, "test"), network, graph)


def test_layers_become_one():
    """Four equal layers: the inner ones are one; nothing is merged where nothing repeats, or when switched off."""
    circuit = layered(3, 4)
    graph = build_packets(circuit)
    network = Network.all_to_all(2, 3, None)
    nodes = make_problem(circuit, graph, network).hypergraph.nodes
    assert nodes.repeats.max() == 4
    assert int((nodes.weight * nodes.repeats).sum()) == int((np.diff(graph.node_offsets) >= 2).sum())
    with switched_off(["fold"]):
        assert make_problem(circuit, graph, network).hypergraph.nodes.count == merge_nodes(graph).count
    single = random_circuit(6, 40, 1)
    other = build_packets(single)
    nodes = make_problem(single, other, network).hypergraph.nodes
    assert nodes.weight[: nodes.num_plain].sum() <= other.num_nodes
