"""What it costs to have one qubit present in a set of modules: Steiner trees over the network's distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.network.model import Network

Int32 = NDArray[np.int32]

#: Distance [ebits] given to modules that no path joins: larger than any tree, small enough to add up in 64 bits.
UNREACHABLE = 1_000_000
#: Networks up to this many modules get a table of all subsets.
MAX_TABLE = 10
#: How `SpanCost` answers: modules - 1, a table of subsets, or a minimum spanning tree.
COMPLETE, TABLE, TREE = 0, 1, 2


@dataclass(frozen=True)
class SpanCost:
    """Ebits to join a set of modules by links.

    Exact on complete networks and up to `MAX_TABLE` modules; beyond that the minimum spanning tree over distances,
    which is at most twice the Steiner tree and equal to it for two modules.

    Attributes:
        mode: `COMPLETE`, `TABLE` or `TREE`.
        distances: (k, k) links on a shortest path [ebits], `UNREACHABLE` where there is none.
        table: (2^k,) Steiner tree of each subset (bit m: module m) in mode `TABLE`, else one entry.
    """

    mode: int
    distances: Int32
    table: Int32

    @property
    def num_modules(self) -> int:
        """Number of modules, k."""
        return len(self.distances)

    def of_sets(self, owner: NDArray[np.integer], module: NDArray[np.integer], count: int) -> NDArray[np.int64]:
        """(count,) cost of each set, whose members are given as pairs (owner, module); repetitions are allowed."""
        k = self.num_modules
        pairs = np.unique(owner.astype(np.int64) * k + module)
        who, where = pairs // k, pairs % k
        if self.mode == COMPLETE:
            return np.maximum(np.bincount(who, minlength=count) - 1, 0)
        if self.mode == TABLE:
            masks = np.bincount(who, weights=np.left_shift(1, where), minlength=count).astype(np.int64)
            return self.table[masks].astype(np.int64)
        cost = np.zeros(count, np.int64)
        starts = np.flatnonzero(np.diff(who, prepend=-1))
        for a, b in zip(starts, np.append(starts[1:], len(who))):
            if b - a > 1:
                cost[who[a]] = spanning_tree(self.distances, where[a:b])
        return cost


def spanning_tree(distances: Int32, modules: NDArray[np.integer]) -> int:
    """Weight of the minimum spanning tree of `modules` over `distances` (Prim)."""
    near = distances[modules[0]][modules].astype(np.int64)
    left = np.ones(len(modules), bool)
    left[0] = False
    total = 0
    while left.any():
        i = int(np.flatnonzero(left)[np.argmin(near[left])])
        total += int(near[i])
        left[i] = False
        near = np.minimum(near, distances[modules[i]][modules])
    return total


def steiner_table(distances: Int32) -> Int32:
    """(2^k,) Steiner trees of all subsets of modules, by the recursion of Dreyfus and Wagner.

    References:
        S. E. Dreyfus, R. A. Wagner, The Steiner problem in graphs, Networks 1, 195 (1971), doi:10.1002/net.3230010302.
    """
    k = len(distances)
    # tree[s, v]: smallest tree that joins the set s and v. Unreachable sums stay far below 2^63.
    tree = np.zeros((1 << k, k), np.int64)
    for s in range(1, 1 << k):
        low = s & -s
        rest = s ^ low
        if rest == 0:
            tree[s] = distances[low.bit_length() - 1]
            continue
        best = np.full(k, np.iinfo(np.int64).max)
        # Proper non-empty subsets of `rest`, and `low` with what is left: every split of s once.
        part = rest
        while part:
            best = np.minimum(best, tree[part] + tree[s ^ part])
            part = (part - 1) & rest
        tree[s] = (best[:, None] + distances).min(axis=0)
    return np.minimum(tree.min(axis=1), np.iinfo(np.int32).max).astype(np.int32)


def span_cost(network: Network) -> SpanCost:
    """The cost of joining modules on `network`; exact where the network is complete or has at most ten modules."""
    hops = network.distances
    distances = np.where(hops < 0, UNREACHABLE, hops).astype(np.int32)
    k = len(distances)
    if np.array_equal(distances, 1 - np.eye(k, dtype=np.int32)):
        return SpanCost(COMPLETE, distances, np.zeros(1, np.int32))
    if k <= MAX_TABLE:
        return SpanCost(TABLE, distances, steiner_table(distances))
    return SpanCost(TREE, distances, np.zeros(1, np.int32))
