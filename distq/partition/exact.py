"""Exact gate sites for given homes on three and more modules, by an integer program small enough to be solved.

With two modules a minimum cut is exact whatever the size (`sites.min_cut_sites`). With more the problem is a multiway
cut; the searches find sites by annealing, and effort "best" asks the integer program whether there are better ones.

References:
    Cha and Lee, arXiv:2501.11816 (gate sites for a fixed allocation as an integer program).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.partition.dynamic import DynamicSearch
from distq.partition.hypergraph import Hypergraph
from distq.partition.plan import Placement
from distq.partition.registry import PartitionProblem
from distq.partition.steiner import COMPLETE

Int32 = NDArray[np.int32]

#: Nodes of the branch-and-bound tree: not seconds, so that the answer repeats.
NODES = 100


def with_exact_sites(problem: PartitionProblem, placement: Placement) -> Placement:
    """The same homes with the best sites, or the same placement if it has them or they are not found.

    The integer program is left out where it has more than `SearchOptions.exact` variables, on two modules, on networks
    that are not complete, and when the search has been told to halt.

    Args:
        problem: what is being solved.
        placement: homes of all junctions, and sites to begin from.
    """
    from distq.partition.kernels import rebuild

    most, used = problem.options.exact, np.flatnonzero(problem.allowed)
    if not most or len(used) < 3 or problem.span.mode != COMPLETE or problem.halt.asked():
        return placement
    search = DynamicSearch(problem)
    nodes, nets = search.at.num_nodes, search.at.num_nets
    if not nodes or (nodes + nets) * len(used) > most:
        return placement
    energy = search.load(placement)
    net_home = search.v[search.at.net_home : search.at.net_home + 2 * nets].reshape(-1, 2).copy()
    may = servable(search.hypergraph, net_home[:, 0], net_home[:, 1], problem.network.comm_array, used)
    sites = exact_sites(search.hypergraph, net_home[:, 0], net_home[:, 1], used, may, energy)
    if sites is None:
        return placement
    search.v[search.at.site : search.at.site + nodes] = sites
    search.energy = int(rebuild(search.s, search.v, search.at))
    return search.placement(f"{placement.partitioner}+exact") if search.energy < energy else placement


def servable(
    hypergraph: Hypergraph, before: Int32, after: Int32, comm: NDArray[np.int64], modules: NDArray[Any]
) -> NDArray[np.bool_]:
    """(G, modules) where each merged node has communication qubits enough for its remote legs."""
    nodes = hypergraph.nodes
    net = _nets_of_nodes(hypergraph)
    home, end = before[net][:, None], after[net][:, None]
    away = (home >= 0) & (home != modules) & (end != modules)
    silent = away & (comm[home] == 0)
    remote = np.zeros((nodes.count, len(modules)), np.int64)
    owner = _owners(hypergraph)
    np.add.at(remote, owner, away)
    may = remote <= comm[modules]
    np.logical_and.at(may, owner, ~silent)
    return may


def exact_sites(
    hypergraph: Hypergraph,
    before: Int32,
    after: Int32,
    modules: NDArray[Any],
    may: NDArray[np.bool_],
    limit: int,
    node_limit: int = NODES,
) -> Int32 | None:
    """Sites of merged nodes that cost less than `limit`, the best of all if the solver ends within its nodes.

    Variables: whether each merged node is in each module (integers), whether each net is present there (it is if one of
    its nodes is; at its homes it is anyway).

    Args:
        hypergraph: nets and merged nodes, on a complete network.
        before: (E,) home before each net; -1: a parity net, whose first module is free.
        after: (E,) home after each net.
        modules: those that may be used.
        may: (G, modules) where each node may be.
        limit: the ebits to beat, homes that change included.
        node_limit: nodes of the branch-and-bound tree.

    Returns:
        None if there are none or none were found.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_matrix

    count, nets, k = hypergraph.nodes.count, hypergraph.num_nets, len(modules)
    if not may.any(axis=1).all():
        return None
    net, owner = _nets_of_nodes(hypergraph), _owners(hypergraph)
    present = count * k
    size = present + nets * k
    price = np.repeat(hypergraph.net_weight, k).astype(float)
    price[((before[:, None] == modules) | (after[:, None] == modules)).ravel()] = 0
    price = np.concatenate([np.zeros(present), price])
    weight = hypergraph.net_weight
    # What is paid whatever the sites are: homes that change; and a parity net is in one module for nothing.
    fixed = int(weight[before != after].sum()) - int(weight[before < 0].sum())
    module = np.tile(np.arange(k), len(net))
    row = np.arange(len(net) * k)
    there, here = present + np.repeat(net, k) * k + module, np.repeat(owner, k) * k + module
    ones = np.ones(len(row))
    shape = (len(row), size)
    entries = (np.concatenate([ones, -ones]), (np.tile(row, 2), np.concatenate([there, here])))
    cover = coo_matrix(entries, shape=shape).tocsr()
    places = np.arange(present)
    single = coo_matrix((np.ones(present), (places // k, places)), shape=(count, size)).tocsr()
    upper = np.ones(size)
    upper[:present] = may.ravel()
    result = milp(
        price,
        integrality=np.concatenate([np.ones(present), np.zeros(nets * k)]),
        bounds=Bounds(np.zeros(size), upper),
        constraints=[
            LinearConstraint(cover, 0, np.inf),
            LinearConstraint(single, 1, 1),
            LinearConstraint(price[None, :], -np.inf, limit - fixed - 1),
        ],
        options={"node_limit": node_limit},
    )
    if result.x is None:
        return None
    return modules[result.x[:present].reshape(count, k).argmax(axis=1)].astype(np.int32)


def _nets_of_nodes(hypergraph: Hypergraph) -> NDArray[Any]:
    """The nets of all merged nodes, node by node."""
    return hypergraph.nets[hypergraph.vertex_offsets[hypergraph.num_homes] :]


def _owners(hypergraph: Hypergraph) -> NDArray[Any]:
    """The merged node of each entry of `_nets_of_nodes`."""
    return np.repeat(np.arange(hypergraph.nodes.count), np.diff(hypergraph.vertex_offsets[hypergraph.num_homes :]))
