"""The partitioner "auto": several starts and methods, each refined, the best kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from distq.errors import DistqError
from distq.partition.capacity import mend
from distq.partition.methods import contiguous, interaction, placement
from distq.partition.options import SearchOptions
from distq.partition.plan import Placement
from distq.partition.registry import PartitionProblem
from distq.partition.sites import improve_sites
from distq.partition.static import StaticSearch
from distq.partition.steiner import COMPLETE

Int32 = NDArray[np.int32]

#: Most moves that a run spends on each merged node of a small circuit, and fewest on each of a big one.
SMALL = 6000
SCALE = {"fast": 20, "default": 100, "best": 500}
#: Legs beyond which one start of each quick kind is refined and nothing else (Mt-KaHyPar takes about 75 us a leg
#: and is tried with effort "best" only); moves for each merged node, and greedy rounds, then.
LARGE = 20_000
LARGE_ROUNDS = 3
LARGE_MOVES = {"fast": 10, "default": 30, "best": 200}


@dataclass(frozen=True)
class _Found:
    energy: int
    name: str
    homes: Int32
    sites: Int32


def portfolio(problem: PartitionProblem) -> Placement:
    """Try several starts and methods, refine the best, and keep the best by cost, then name."""
    return static_placements(problem)[0]


def static_placements(problem: PartitionProblem) -> list[Placement]:
    """The best of several starts and methods, best first, as many different ones as the dynamic search begins from.

    Circuits with more than `LARGE` legs get one start of each kind and a short refinement of the best.
    """
    search = StaticSearch(problem)
    large = len(problem.hypergraph.nodes.packets) > LARGE
    found = _large(problem, search) if large else _small(problem, search)
    found.sort(key=lambda f: (f.energy, f.name))
    best = _distinct(problem, found)[: max(1, problem.options.starts)]
    return [placement(problem, f.homes, _polish(problem, search, f), f"auto:{f.name}") for f in best]


def _small(problem: PartitionProblem, search: StaticSearch) -> list[_Found]:
    options = problem.options
    starts: list[_Found] = []
    for name, homes, sites in _starts(problem, options):
        starts.append(_descend(problem, search, name, homes, sites))
        if starts[-1].energy == 0 or problem.halt.asked():
            return starts
    starts.sort(key=lambda f: (f.energy, f.name))
    found = list(starts)
    seed = problem.seed * 1009
    nodes = problem.hypergraph.nodes.count
    moves = max(min(options.hot_moves, SMALL * nodes), SCALE[problem.effort] * nodes)
    cool = min(options.cool, SMALL * nodes)
    for i, start in enumerate(_distinct(problem, starts)[: options.kept]):
        search.load(start.homes, start.sites)
        search.anneal(cool, seed + i, hot=0.25 if i % 2 else 0.45)
        found.append(_Found(search.energy, start.name, search.homes, search.sites))
    for i in range(options.hot):
        start = starts[i % len(starts)]
        search.load(start.homes, start.sites)
        search.anneal(moves, seed + 500 + i, hot=1.5 if i % 2 else 0.8)
        found.append(_Found(search.energy, "anneal", search.homes, search.sites))
    return found


def _large(problem: PartitionProblem, search: StaticSearch) -> list[_Found]:
    options = problem.options
    multilevel = min(options.multilevel, 1) if problem.effort == "best" else 0
    interactions = min(options.interactions, 1)
    few = replace(options, multilevel=multilevel, interactions=interactions)
    found = [_descend(problem, search, *start, LARGE_ROUNDS) for start in _starts(problem, few)]
    best = min(found, key=lambda f: (f.energy, f.name))
    search.load(best.homes, best.sites)
    search.anneal(LARGE_MOVES[problem.effort] * problem.hypergraph.nodes.count, problem.seed, hot=0.3)
    return [*found, _Found(search.energy, best.name, search.homes, search.sites)]


def _starts(problem: PartitionProblem, options: SearchOptions) -> Iterator[tuple[str, Int32, Int32 | None]]:
    from distq.partition.mtk import partition_qubits

    seed = problem.seed * 1009
    yield "contiguous", contiguous(problem), None
    for i in range(options.multilevel):
        try:
            homes, sites = partition_qubits(problem, seed + i, "DETERMINISTIC_QUALITY")
        except DistqError:
            # Rare inputs that the library refuses; the other methods remain.
            break
        yield "mtkahypar", homes, sites
    for i in range(options.interactions):
        yield "interaction", interaction(replace(problem, seed=seed + i)), None


def _descend(
    problem: PartitionProblem, search: StaticSearch, name: str, homes: Int32, sites: Int32 | None, rounds: int = 20
) -> _Found:
    mended = mend(problem, homes)
    search.load(mended, sites)
    search.descend(rounds)
    found = _Found(search.energy, name, mended, search.sites)
    if problem.span.mode != COMPLETE and not (problem.fixed >= 0).any():
        found = _rename(problem, search, found)
    return found


def _rename(problem: PartitionProblem, search: StaticSearch, found: _Found) -> _Found:
    """Exchange whole modules as long as that shortens the trees; needs modules with room for each other's load."""
    used = np.flatnonzero(problem.allowed)
    capacity = np.where(problem.allowed, problem.capacities, 0)
    name = np.arange(problem.num_modules, dtype=np.int32)
    load = np.bincount(found.homes, minlength=problem.num_modules)
    least, improved = found.energy, True
    while improved:
        improved = False
        for i, a in enumerate(used.tolist()):
            for b in used[i + 1 :].tolist():
                trial = name.copy()
                trial[name == a], trial[name == b] = b, a
                where = np.zeros_like(load)
                where[trial] = load
                if (where > capacity).any():
                    continue
                energy = search.load(trial[found.homes], trial[found.sites])
                if energy < least:
                    name, least, improved = trial, energy, True
    return _Found(least, found.name, name[found.homes], name[found.sites])


def _distinct(problem: PartitionProblem, found: list[_Found]) -> list[_Found]:
    """Without those whose homes are the same as an earlier one's, up to the names of modules that are alike."""
    alike = problem.span.mode == COMPLETE and (problem.fixed < 0).all() and (problem.final < 0).all()
    seen: set[bytes] = set()
    kept = []
    for f in found:
        homes = f.homes
        if alike:
            _, first, group = np.unique(homes, return_index=True, return_inverse=True)
            homes = np.argsort(np.argsort(first))[group].astype(np.int32)
        if homes.tobytes() not in seen:
            seen.add(homes.tobytes())
            kept.append(f)
    return kept


def _polish(problem: PartitionProblem, search: StaticSearch, best: _Found) -> Int32:
    """Optimal sites for two modules; a last greedy pass for more."""
    search.load(best.homes, best.sites)
    net_home = search.net_home
    return improve_sites(
        search,
        problem.hypergraph,
        net_home[:, 0],
        net_home[:, 1],
        best.sites,
        problem.network.comm_array,
        problem.allowed,
        "fast",
        problem.seed,
    )
