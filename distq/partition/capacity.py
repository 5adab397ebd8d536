"""Capacities: mending homes that exceed them, and checking that none do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distq.errors import DistqError, UsageError
from distq.partition.registry import PartitionProblem

Int32 = NDArray[np.int32]


def read_homes(problem: PartitionProblem, answer: ArrayLike, name: str) -> Int32:
    """The homes a partitioner returned, as (n,) integers.

    Raises:
        UsageError: they are not n module indices; the message names the partitioner.
    """
    homes = np.asarray(answer)
    wanted = f"({problem.num_qubits},) module indices below {problem.num_modules}"
    if homes.shape != (problem.num_qubits,) or (homes.size and not np.issubdtype(homes.dtype, np.integer)):
        raise UsageError(
            f"partitioner {name!r} returned an array of shape {homes.shape} and type {homes.dtype}, not {wanted}"
        )
    if homes.size and (homes.min() < 0 or homes.max() >= problem.num_modules):
        raise UsageError(f"partitioner {name!r} returned homes {homes.min()} to {homes.max()}, not {wanted}")
    return homes.astype(np.int32)


def mend(problem: PartitionProblem, homes: Int32) -> Int32:
    """Homes within the capacities and with the fixed ones kept, as near to `homes` as a greedy rule brings them.

    Fixed qubits go where they must. Where a module is too full, those of its qubits leave that have the fewest
    gate partners there, each for the module with room that holds most of its partners.
    """
    result = np.where(problem.fixed >= 0, problem.fixed, homes).astype(np.int32)
    capacity = np.where(problem.allowed, problem.capacities, 0)
    load = np.bincount(result, minlength=problem.num_modules)
    if not (load > capacity).any():
        return result
    pull = _pull(problem, result)
    free = problem.fixed < 0
    for m in np.flatnonzero(load > capacity).tolist():
        inside = np.flatnonzero((result == m) & free)
        leaving = inside[np.argsort(pull[inside, m], kind="stable")][: load[m] - capacity[m]]
        for q in leaving.tolist():
            room = np.flatnonzero(load < capacity)
            if not len(room):
                raise DistqError(f"internal error: {problem.num_qubits} qubits in {capacity.sum()} places")
            best = int(room[np.argmax(pull[q, room])])
            result[q] = best
            load[m] -= 1
            load[best] += 1
    return result


def _pull(problem: PartitionProblem, homes: Int32) -> NDArray[np.float64]:
    """(n, k) weight of the gates that each qubit shares with the qubits at home in each module."""
    from scipy.sparse import csr_matrix

    first, second, weight = interactions(problem)
    n, k = problem.num_qubits, problem.num_modules
    matrix = csr_matrix((weight, (first, second)), shape=(n, n))
    there = csr_matrix((np.ones(n), (np.arange(n), homes)), shape=(n, k))
    return (matrix @ there).toarray()


def interactions(problem: PartitionProblem) -> tuple[Int32, Int32, NDArray[Any]]:
    """Pairs of qubits that share packets, both ways: (first, second, number of pairs of packets they share).

    Merged nodes count once: ten gates between the same two packets cost no more than one.
    """
    nodes, graph = problem.hypergraph.nodes, problem.graph
    packets, net = nodes.legs.T
    qubit = graph.packet_qubit[np.concatenate([nodes.plain_packets, packets])]
    arity = np.concatenate([np.diff(nodes.offsets[: nodes.num_plain + 1]), np.unique(net, return_counts=True)[1]])
    first = np.cumsum(arity) - arity
    repeats = np.ones(len(arity)) if nodes.repeats is None else nodes.repeats
    n = problem.num_qubits
    keys, values = [], []
    for width in np.unique(arity).tolist():
        rows = qubit[first[arity == width][:, None] + np.arange(width)].astype(np.int64)
        for i in range(width):
            for j in range(width):
                if i != j:
                    keys.append(rows[:, i] * n + rows[:, j])
                    values.append(repeats[arity == width] / (width - 1))
    if not keys:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
    pairs, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    weight = np.bincount(inverse, weights=np.concatenate(values))
    return (pairs // n).astype(np.int32), (pairs % n).astype(np.int32), weight


def check_homes(problem: PartitionProblem, homes: Int32) -> None:
    """Raise an internal error if homes exceed a capacity, leave the allowed modules or ignore a fixed one."""
    load = np.bincount(homes, minlength=problem.num_modules)
    free = problem.fixed < 0
    if (load > problem.capacities).any() or (homes[~free] != problem.fixed[~free]).any():
        raise DistqError("internal error: a partition exceeds the data qubits of a module; please report it")
    if not problem.allowed[homes].all():
        raise DistqError("internal error: a partition uses a module that may not be used; please report it")
