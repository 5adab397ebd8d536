"""What the efforts buy: every technique of the partition search, its budget, and how it is switched off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from distq.errors import UsageError

#: Budgets of moves: the valid values of every `effort`.
EFFORTS = ("fast", "default", "best")


@dataclass(frozen=True)
class SearchOptions:
    """Techniques of the search and their budgets. A move is one node or junction tried, whatever the computer's speed.

    Attributes:
        fold: count equal parts of a circuit once while homes are static (`fold`).
        multilevel: runs of Mt-KaHyPar from different orders.
        interactions: runs of annealing on the graph of qubits ("interaction").
        kept: static starts that are annealed a little.
        cool: moves of each of these.
        hot: runs of static annealing from a higher temperature.
        hot_moves: moves of each of them.
        starts: static placements from which the dynamic search begins.
        runs: runs of the dynamic search.
        run_each: moves of a run for each junction and merged node.
        run_most: most moves of a run.
        exact: most variables of the integer program for sites (`exact`).
        tapes: runs of the search for few communication qubits (`pressure`).
        tape_each: legs on the tape that such a run reads, times (legs of the circuit + junctions)^1.5.
        tape_most: most legs that it reads.
        routes: work of the search for routes (`route`): about as many entries of states that are read.
    """

    fold: bool
    multilevel: int
    interactions: int
    kept: int
    cool: int
    hot: int
    hot_moves: int
    starts: int
    runs: int
    run_each: int
    run_most: int
    exact: int
    tapes: int
    tape_each: int
    tape_most: int
    routes: int


#: The budget of each effort.
OPTIONS = {
    "fast": SearchOptions(
        fold=True,
        multilevel=2,
        interactions=4,
        kept=2,
        cool=100_000,
        hot=1,
        hot_moves=200_000,
        starts=2,
        runs=2,
        run_each=1500,
        run_most=2_500_000,
        exact=0,
        tapes=3,
        tape_each=300,
        tape_most=10_000_000,
        routes=100_000_000,
    ),
    "default": SearchOptions(
        fold=True,
        multilevel=4,
        interactions=8,
        kept=6,
        cool=400_000,
        hot=2,
        hot_moves=1_000_000,
        starts=3,
        runs=5,
        run_each=4000,
        run_most=6_000_000,
        exact=0,
        tapes=4,
        tape_each=1_000,
        tape_most=40_000_000,
        routes=600_000_000,
    ),
    "best": SearchOptions(
        fold=True,
        multilevel=12,
        interactions=32,
        kept=16,
        cool=1_000_000,
        hot=8,
        hot_moves=6_000_000,
        starts=6,
        runs=24,
        run_each=10_000,
        run_most=40_000_000,
        exact=20_000,
        tapes=10,
        tape_each=5_000,
        tape_most=200_000_000,
        routes=5_000_000_000,
    ),
}

#: What each technique is switched off by: its name in the ablation table, and the options without it.
TECHNIQUES: dict[str, dict[str, Any]] = {
    "fold": {"fold": False},
    "multilevel": {"multilevel": 0},
    "interactions": {"interactions": 0},
    "static-annealing": {"kept": 0, "hot": 0},
    "several-starts": {"starts": 1},
    "dynamic": {"runs": 0},
    "exact-sites": {"exact": 0},
    "pressure": {"tapes": 0},
    "routes": {"routes": 0},
}

_off: set[str] = set()


def search_options(effort: str) -> SearchOptions:
    """The budget of an effort, less what is `switched_off`."""
    options = OPTIONS[effort]
    for name in sorted(_off):
        options = replace(options, **TECHNIQUES[name])
    return options


@contextmanager
def switched_off(techniques: Iterable[str]) -> Iterator[None]:
    """Leave out these techniques, wherever in the process a circuit is compiled: for measuring what each one buys.

    Raises:
        UsageError: a name is not one of `TECHNIQUES`.
    """
    names = set(techniques)
    unknown = sorted(names - TECHNIQUES.keys())
    if unknown:
        raise UsageError(f"no technique is called {unknown[0]!r}; the techniques are {', '.join(TECHNIQUES)}")
    before = set(_off)
    _off.update(names)
    try:
        yield
    finally:
        _off.intersection_update(before)
