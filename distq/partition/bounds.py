"""Lower bounds on ebits, each with the class of plans for which it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.network.model import UNLIMITED, Network
from distq.partition.hypergraph import Hypergraph, static_hypergraph
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement
from distq.partition.sites import min_cut_sites

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Bound:
    """A lower bound and what it is a bound for.

    Attributes:
        ebits: no plan of the class needs fewer.
        holds_for: the class, in words.
    """

    ebits: int
    holds_for: str


#: Classes of plans.
ANY_PLAN = "every plan within the capacities"
THESE_HOMES = "every plan with these packets and these homes of all junctions, whatever the sites of the gates"


def general_bound() -> Bound:
    """The bound for every plan within the capacities; 0 is all that is proved at present."""
    return Bound(0, ANY_PLAN)


def homes_bound(graph: PacketGraph, network: Network, placement: Placement) -> Bound:
    """A bound for all choices of sites under the homes of `placement`; its sites do not matter.

    With two modules in use it is the minimum cut of the packet hypergraph, hence the optimum for these homes as
    long as a third module cannot help. In general, for each module m, a packet that spans modules on both sides of
    the cut between m and the rest costs at least an ebit, and at least half an ebit for each module it spans:
    the largest of these cuts, and half their sum, are bounds. Communication qubits are not limited and every link
    counts one, which can only lower it.
    """
    hypergraph = static_hypergraph(graph)
    packet = np.arange(graph.num_packets, dtype=np.int32)
    before, after = placement.homes[graph.junction(packet)], placement.homes[graph.junction(packet) + 1]
    cuts = [
        _cut(hypergraph, np.where(before == m, 1, 0), np.where(after == m, 1, 0))
        for m in np.unique(placement.homes).tolist()
    ]
    if len(cuts) < 2:
        return Bound(0, THESE_HOMES)
    return Bound(max(max(cuts), -(-sum(cuts) // 2)), THESE_HOMES)


def _cut(hypergraph: Hypergraph, before: NDArray[np.int64], after: NDArray[np.int64]) -> int:
    """Packets that must span both sides of a cut, sites chosen best: sides 0 and 1 instead of modules."""
    nets, full = hypergraph.packets, hypergraph.without_home
    free = np.full(2, UNLIMITED, np.int64)
    cut = min_cut_sites(hypergraph, full(before[nets]), full(after[nets]), (0, 1), free)
    assert cut is not None
    return cut.value + int(np.count_nonzero(before != after))
