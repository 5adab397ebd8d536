"""The built-in partitioners, one function each; "auto" (portfolio.py) tries several of them."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from distq.partition.capacity import interactions, mend
from distq.partition.hypergraph import expand, junction_qubit
from distq.partition.plan import Placement
from distq.partition.registry import PartitionProblem, register

Int32 = NDArray[np.int32]


@register("contiguous")
def contiguous(problem: PartitionProblem) -> Int32:
    """Qubits in their order, module after module, each filled before the next."""
    places = np.repeat(np.arange(problem.num_modules), np.where(problem.allowed, problem.capacities, 0))
    return _deal(problem, places)


@register("round-robin")
def round_robin(problem: PartitionProblem) -> Int32:
    """Qubits dealt out to the modules in turn, as long as they have room."""
    capacity = np.where(problem.allowed, problem.capacities, 0)
    capacity = np.minimum(capacity, problem.num_qubits)
    turn, module = np.meshgrid(np.arange(capacity.max()), np.arange(len(capacity)), indexing="ij")
    places = module[turn < capacity]
    return _deal(problem, places)


def _deal(problem: PartitionProblem, places: NDArray[np.int64]) -> Int32:
    """Give free qubits the places in order, leaving out as many of each module as fixed qubits take there."""
    fixed = problem.fixed
    taken = np.bincount(fixed[fixed >= 0], minlength=problem.num_modules)
    kept = np.ones(len(places), bool)
    for m in np.flatnonzero(taken).tolist():
        kept[np.flatnonzero(places == m)[-taken[m] :]] = False
    homes = fixed.copy()
    free = np.flatnonzero(fixed < 0)
    homes[free] = places[kept][: len(free)]
    return homes


@register("mtkahypar")
def mtkahypar(problem: PartitionProblem) -> Placement:
    """Multilevel hypergraph partitioning of packets, gate sites free (the deterministic preset)."""
    from distq.partition.mtk import partition_qubits

    homes, sites = partition_qubits(problem, problem.seed)
    return placement(problem, mend(problem, homes), sites, "mtkahypar")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep METIS from remarking on small graphs on the C standard output, where results or JSON may be going."""
    try:
        saved = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        with suppress(OSError, TypeError, AttributeError):  # a platform without a C library by this name
            ctypes.CDLL(None).fflush(None)
        os.dup2(saved, 1)
        os.close(saved)
        os.close(null)


@register("metis")
def metis(problem: PartitionProblem) -> Int32:
    """METIS on the graph of qubits, an edge counting the pairs of packets that two qubits share.

    References:
        G. Karypis, V. Kumar, A fast and high quality multilevel scheme for partitioning irregular graphs,
        SIAM J. Sci. Comput. 20, 359 (1998), doi:10.1137/S1064827595287997.
    """
    import pymetis

    blocks = np.flatnonzero(problem.allowed & (problem.capacities > 0))
    first, second, weight = interactions(problem)
    if len(blocks) == 1 or not len(first):
        return contiguous(problem)
    n = problem.num_qubits
    start = np.searchsorted(first, np.arange(n + 1))
    scaled = np.maximum(1, np.round(weight * 12)).astype(int)
    room = np.minimum(problem.capacities[blocks], n).astype(float)
    with _quiet():
        _, found = pymetis.part_graph(
            len(blocks),
            adjacency=pymetis.CSRAdjacency(start.tolist(), second.tolist()),
            eweights=scaled.tolist(),
            tpwgts=(room / room.sum()).tolist(),
            options=pymetis.Options(seed=problem.seed % 2**31, numbering=0),
        )
    return mend(problem, blocks[np.array(found)].astype(np.int32))


@register("interaction")
def interaction(problem: PartitionProblem) -> Int32:
    """Annealing on the graph of qubits (as for METIS) with the network's distances: a fast coarse picture."""
    from distq.partition.graph_kernel import anneal_graph
    from distq.partition.static import random_state

    start = mend(problem, contiguous(problem))
    first, second, weight = interactions(problem)
    movable = np.flatnonzero(problem.fixed < 0)
    modules = np.flatnonzero(problem.allowed)
    if not len(first) or not len(movable) or len(modules) < 2:
        return start
    n = problem.num_qubits
    mean = float(weight.mean())
    best = np.zeros(n, np.int32)
    anneal_graph(
        np.searchsorted(first, np.arange(n + 1)),
        second,
        weight,
        problem.span.distances.astype(np.float64),
        modules,
        np.where(problem.allowed, problem.capacities, 0),
        movable,
        start,
        best,
        random_state(problem.seed),
        GRAPH_MOVES[problem.effort] * (n + 50),
        2.0 * mean,
        0.2 * mean,
    )
    return best


#: Nodes tried by "anneal", at least.
ANNEAL_MOVES = {"fast": 200_000, "default": 1_000_000, "best": 5_000_000}
#: Proposals for each qubit in "interaction".
GRAPH_MOVES = {"fast": 1000, "default": 3000, "best": 6000}


@register("anneal")
def anneal(problem: PartitionProblem) -> Placement:
    """Simulated annealing of homes and sites from a contiguous start; the cost is the one that is reported."""
    from distq.partition.portfolio import SCALE
    from distq.partition.static import StaticSearch

    search = StaticSearch(problem)
    search.load(mend(problem, contiguous(problem)))
    moves = ANNEAL_MOVES[problem.effort]
    search.anneal(max(moves, SCALE[problem.effort] * problem.hypergraph.nodes.count), problem.seed, hot=1.5)
    search.descend()
    return placement(problem, search.homes, search.sites, "anneal")


def placement(problem: PartitionProblem, homes: Int32, sites: Int32, name: str) -> Placement:
    """A placement from homes of qubits and sites of merged nodes."""
    graph = problem.graph
    spread = homes[junction_qubit(graph)].astype(np.int32)
    last = graph.packet_offsets[1:] + np.arange(graph.num_qubits)
    end = np.where(problem.final >= 0, problem.final, homes[problem.end_qubit]).astype(np.int32)
    moves = np.diff(graph.packet_offsets) > 0
    spread[last[moves]] = end[moves]
    from dataclasses import replace

    return replace(expand(graph, problem.hypergraph.nodes, spread, sites, name), final_homes=end)
