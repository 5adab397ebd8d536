"""Mt-KaHyPar: multilevel hypergraph partitioning, wrapped so that it starts once and repeats exactly.

References:
    L. Gottesbueren, T. Heuer, N. Maas, P. Sanders, S. Schlag, Scalable high-quality hypergraph partitioning,
    ACM Trans. Algorithms 20, 9 (2024), doi:10.1145/3626527.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import DistqError
from distq.partition.registry import PartitionProblem

Int32 = NDArray[np.int32]

#: One thread: the deterministic presets do not depend on it, and parallel work is for callers to arrange.
THREADS = 1
#: Weights are 32-bit inside Mt-KaHyPar.
_MAX_WEIGHT = 2**31 - 1


@cache
def _library() -> tuple[Any, Any]:
    """The module and its initializer, which is process-global: a second `initialize` would warn."""
    import mtkahypar

    return mtkahypar, mtkahypar.initialize(THREADS, print_warnings=False)


def vertex_weights(num_qubits: int, num_gates: int, capacities: NDArray[np.int64]) -> tuple[int, list[int]]:
    """(W, block weights) that make Mt-KaHyPar keep the capacities, gates weighing 1 and qubits W.

    Vertices of weight 0 are treated badly there. A block may hold capacity W + W - 1, hence never one qubit too
    many, while all gates fit beside them if W > num_gates. A block's weight may not be 0, nor above 32 bits.
    """
    weight = max(1, min(num_gates + 1, (_MAX_WEIGHT - 1 - num_gates) // max(num_qubits, 1)))
    room = np.minimum(capacities, num_qubits) * weight + weight - 1
    return weight, np.clip(room, 1, _MAX_WEIGHT).tolist()


def partition_qubits(problem: PartitionProblem, seed: int, preset: str = "DETERMINISTIC") -> tuple[Int32, Int32]:
    """Homes of qubits and sites of merged nodes found by Mt-KaHyPar for the km1 objective.

    Capacities hold unless it failed to balance (`capacity.mend`).

    Args:
        problem: what to solve.
        seed: of its random numbers and of the order in which it sees vertices and nets, which matters more.
        preset: one of its deterministic presets, "DETERMINISTIC" or "DETERMINISTIC_QUALITY".
    """
    graph = problem.hypergraph
    n, gates = problem.num_qubits, graph.nodes.count
    blocks = np.flatnonzero(problem.allowed & (problem.capacities > 0))
    if len(blocks) == 1 or graph.num_nets == 0:
        return np.full(n, blocks[0], np.int32), np.full(gates, blocks[0], np.int32)
    block_of = np.full(problem.num_modules, -1)
    block_of[blocks] = np.arange(len(blocks))
    # A module fixed at the end of a net is a vertex that is fixed there; it weighs as much as a gate.
    ends = np.unique(problem.net_final[problem.net_final >= 0])
    vertices = n + gates + len(ends)
    rng = np.random.default_rng(seed)
    name = rng.permutation(vertices)
    edges = [e.tolist() for e in np.split(name[graph.pins], graph.net_offsets[1:-1])]
    for i in np.flatnonzero(problem.net_final >= 0).tolist():
        edges[i].append(int(name[n + gates + np.searchsorted(ends, problem.net_final[i])]))
    kept = [i for i in rng.permutation(len(edges)).tolist() if len(edges[i]) > 1]
    weight, room = vertex_weights(n, gates + len(ends), problem.capacities[blocks])
    weights = np.ones(vertices, np.int64)
    weights[name[:n]] = weight
    fixed = np.full(vertices, -1)
    fixed[name[:n]] = np.where(problem.fixed >= 0, block_of[problem.fixed], -1)
    fixed[name[n + gates :]] = block_of[ends]
    edge_weights = graph.net_weight[kept].tolist()
    found = _run([edges[i] for i in kept], weights.tolist(), edge_weights, room, fixed.tolist(), seed, preset)
    there = blocks[found[name]].astype(np.int32)
    return there[:n], there[n : n + gates]


def _run(
    edges: list[list[int]],
    weights: list[int],
    edge_weights: list[int],
    room: list[int],
    fixed: list[int],
    seed: int,
    preset: str,
) -> NDArray[np.int64]:
    library, initializer = _library()
    context = initializer.context_from_preset(getattr(library.PresetType, preset))
    context.set_partitioning_parameters(len(room), 0.03, library.Objective.KM1)
    context.set_individual_target_block_weights(room)
    context.logging = False
    library.set_seed(seed % 2**31)
    try:
        hypergraph = initializer.create_hypergraph(context, len(weights), len(edges), edges, weights, edge_weights)
        if any(f >= 0 for f in fixed):
            hypergraph.add_fixed_vertices(fixed, len(room))
        return np.array(hypergraph.partition(context).get_partition(), np.int64)
    except (library.InvalidInputError, library.InvalidParameterError, library.SystemError) as error:
        raise DistqError(f"Mt-KaHyPar failed ({error}); choose another partitioner, for example anneal") from error
