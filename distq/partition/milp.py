"""The integer program behind the partition: exact homes and sites for small circuits, by HiGHS.

References:
    Cha and Lee, arXiv:2501.11816 (gate sites for a fixed allocation as an integer program).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.errors import UsageError
from distq.partition.hypergraph import Hypergraph
from distq.partition.registry import PartitionProblem
from distq.partition.steiner import COMPLETE

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Exact:
    """What the integer program found.

    Attributes:
        ebits: cost of the solution.
        bound: proven lower bound for the same class of placements; equal to `ebits` if the solver finished.
        homes: (n,) module of each qubit.
        sites: (G,) module of each merged node.
    """

    ebits: int
    bound: int
    homes: Int32
    sites: Int32

    @property
    def optimal(self) -> bool:
        """Whether the optimum was proved."""
        return self.bound >= self.ebits


def solve_static(problem: PartitionProblem, homes: Int32 | None = None, node_limit: int = 100_000) -> Exact | None:
    """Optimal sites for given homes, or optimal homes and sites, with one home per qubit.

    Variables: which module each qubit and each merged node is in, and whether each net is present in each module.
    Communication qubits are not limited here.

    Args:
        problem: on a complete network.
        homes: (n,) fixed homes; None leaves them free within the capacities.
        node_limit: nodes of the branch-and-bound tree (not seconds, so that the answer repeats).

    Returns:
        None if the solver stopped without a solution.

    Raises:
        UsageError: the network is not complete.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if problem.span.mode != COMPLETE:
        raise UsageError("the integer program knows complete networks only; use another partitioner on this one")
    graph = problem.hypergraph
    k, vertices, edges = problem.num_modules, graph.num_vertices, graph.num_nets
    present = vertices * k
    size = present + edges * k
    rows = _rows(graph, k, problem)
    lower, upper = np.zeros(size), np.ones(size)
    assignment = problem.fixed if homes is None else homes
    module = np.arange(k)
    for q in np.flatnonzero(assignment >= 0).tolist():
        lower[q * k + assignment[q]] = 1
        upper[q * k + module[module != assignment[q]]] = 0
    upper[: vertices * k].reshape(vertices, k)[:, ~problem.allowed] = 0
    ends = np.flatnonzero(problem.net_final >= 0)
    lower[present + ends * k + problem.net_final[ends]] = 1
    price = np.concatenate([np.zeros(present), np.repeat(graph.net_weight, k)]).astype(float)
    whole = np.concatenate([np.ones(present), np.zeros(edges * k)])
    result = milp(
        price,
        integrality=whole,
        bounds=Bounds(lower, upper),
        constraints=[LinearConstraint(matrix, least, most) for matrix, least, most in rows],
        options={"node_limit": node_limit},
    )
    if result.x is None:
        return None
    chosen = result.x[:present].reshape(vertices, k).argmax(axis=1).astype(np.int32)
    base = int(graph.net_weight.sum())
    bound = int(np.ceil(result.mip_dual_bound - 1e-6)) - base if result.mip_dual_bound is not None else 0
    return Exact(round(result.fun) - base, max(bound, 0), chosen[: graph.num_homes], chosen[graph.num_homes :])


def _rows(graph: Hypergraph, k: int, problem: PartitionProblem) -> list[tuple[object, object, object]]:
    """Constraints: one module each; a net is present where its pins are; capacities."""
    from scipy.sparse import coo_matrix

    vertices, edges = graph.num_vertices, graph.num_nets
    size = (vertices + edges) * k
    one = coo_matrix(
        (np.ones(vertices * k), (np.repeat(np.arange(vertices), k), np.arange(vertices * k))), shape=(vertices, size)
    )
    net = np.repeat(np.arange(edges), np.diff(graph.net_offsets))
    pins = len(net)
    row = np.arange(pins * k)
    module = np.tile(np.arange(k), pins)
    pin = np.repeat(graph.pins, k) * k + module
    there = (vertices + np.repeat(net, k)) * k + module
    cover = coo_matrix(
        (np.concatenate([np.ones(pins * k), -np.ones(pins * k)]), (np.tile(row, 2), np.concatenate([there, pin]))),
        shape=(pins * k, size),
    )
    n = graph.num_homes
    room = coo_matrix((np.ones(n * k), (np.tile(np.arange(k), n), np.arange(n * k))), shape=(k, size))
    return [
        (one.tocsr(), np.ones(vertices), np.ones(vertices)),
        (cover.tocsr(), np.zeros(pins * k), np.full(pins * k, np.inf)),
        (room.tocsr(), np.zeros(k), problem.capacities.astype(float)),
    ]
