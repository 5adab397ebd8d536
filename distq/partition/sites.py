"""The cheapest gate sites for given homes: exact for two modules, local search for more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from distq.network.model import Network
from distq.partition.halt import Halt
from distq.partition.hypergraph import Hypergraph, expand, static_hypergraph
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement
from distq.partition.static import SiteSearch
from distq.partition.steiner import span_cost

Int32 = NDArray[np.int32]

#: Above this many legs the minimum cut is left to the local search.
MAX_CUT_PINS = 2_000_000
#: Nodes tried by the local search, at least and for each merged node.
SITE_MOVES = {"fast": (20_000, 10), "default": (200_000, 40), "best": (2_000_000, 200)}


@dataclass(frozen=True)
class Cut:
    """A minimum cut between two modules.

    Attributes:
        sites: (G,) module of each merged node.
        value: nets that are present in both modules though both their homes are in one.
    """

    sites: Int32
    value: int


def refine_sites(
    graph: PacketGraph,
    network: Network,
    placement: Placement,
    *,
    effort: str = "default",
    seed: int = 0,
    allowed: NDArray[np.bool_] | None = None,
    halt: Halt | None = None,
) -> Placement:
    """The same homes with the best sites found; never worse than the sites of `placement`.

    With two modules the result is optimal for these homes, up to two million legs (`min_cut_sites`); with more
    modules it is found by local search.

    Args:
        graph: packets of the circuit.
        network: where it runs.
        placement: homes (of all junctions) and sites to start from.
        effort: budget of the local search.
        seed: of the local search.
        allowed: (k,) modules that may carry out gates; all if None.
        halt: says when to end the local search early.
    """
    may = np.ones(network.num_modules, bool) if allowed is None else allowed
    hypergraph = static_hypergraph(graph)
    before, after = hypergraph.net_homes(graph, placement.homes)
    nodes = hypergraph.nodes
    start = nodes.sites(graph, placement)
    search = SiteSearch(hypergraph, span_cost(network), network.comm_array, may, halt=halt)
    sites = improve_sites(search, hypergraph, before, after, start, network.comm_array, may, effort, seed)
    found = expand(graph, nodes, placement.homes, sites, placement.partitioner)
    return replace(found, final_homes=placement.final_homes)


def improve_sites(
    search: SiteSearch,
    hypergraph: Hypergraph,
    before: Int32,
    after: Int32,
    start: Int32,
    comm: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    effort: str,
    seed: int,
) -> Int32:
    """Sites of merged nodes for given homes before and after each net, by minimum cut or local search."""
    least = search.set_homes(before, after, start)
    best = start
    used = np.flatnonzero(allowed)
    if len(used) == 2 and len(hypergraph.pins) <= MAX_CUT_PINS:
        cut = min_cut_sites(hypergraph, before, after, (int(used[0]), int(used[1])), comm)
        if cut is not None:
            return cut.sites if search.set_homes(before, after, cut.sites) < least else best
    search.set_homes(before, after, start)
    search.descend()
    moves, each = SITE_MOVES[effort]
    search.anneal_sites(max(moves, each * hypergraph.nodes.count), seed, hot=0.5)
    return search.sites if search.energy < least else best


def min_cut_sites(
    hypergraph: Hypergraph, before: Int32, after: Int32, modules: tuple[int, int], comm: NDArray[np.int64]
) -> Cut | None:
    """Optimal sites between two modules a and b: a minimum s-t cut of the packet hypergraph.

    A net at home in a costs an ebit if any of its nodes is on b's side, one at home in b if any is on a's side; a
    net that moves from one to the other is present in both anyway. Any number of legs is possible; where every node
    has two it is a minimum vertex cover. Nodes that lack communication qubits on one side are tied to the other.

    Args:
        hypergraph: nets and merged nodes.
        before: (E,) home before each net, in a or b; -1 for parity nets, which cost an ebit if they have nodes on
            both sides.
        after: (E,) home after each net.
        modules: (a, b).
        comm: (k,) communication qubits.

    Returns:
        None if some node can be served in neither module.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    a, b = modules
    nodes = hypergraph.nodes
    packet_net = np.full(int(nodes.packets.max(initial=0)) + 1, -1)
    kept = hypergraph.net_packet < len(packet_net)
    packet_net[hypergraph.net_packet[kept]] = np.flatnonzero(kept)
    net, node = packet_net[nodes.packets], nodes.owner
    in_a = (before == a) & (after == a)
    in_b = (before == b) & (after == b)
    # Remote legs on each side; a node that only knows one home stays there.
    away_a = np.bincount(node[in_b[net]], minlength=nodes.count)
    away_b = np.bincount(node[in_a[net]], minlength=nodes.count)
    mute = np.where(comm[before] == 0, 1, 0)[net]
    silent_a = np.bincount(node[in_a[net]], weights=mute[in_a[net]], minlength=nodes.count) > 0
    silent_b = np.bincount(node[in_b[net]], weights=mute[in_b[net]], minlength=nodes.count) > 0
    no_a = (away_a > comm[a]) | silent_b
    no_b = (away_b > comm[b]) | silent_a
    if (no_a & no_b).any():
        return None
    sites = np.where(away_b == 0, b, a).astype(np.int32)
    open_node = (away_a > 0) & (away_b > 0)
    open_node[nodes.num_plain :] = True
    leg = open_node[node] & (in_a | in_b)[net]
    if not leg.any():
        return Cut(sites, 0)
    weight = hypergraph.net_weight
    huge = int(weight.sum()) + 1
    edges, virtual = hypergraph.num_nets, hypergraph.num_packet_nets
    source, sink = edges + nodes.count, edges + nodes.count + 1
    # A parity net is an arc from a vertex that all its nodes in a reach to one that reaches all its nodes in b.
    out = sink + 1 - virtual
    parity = np.flatnonzero(net >= virtual)
    nets = np.arange(virtual, edges)
    used = np.unique(net[leg])
    from_a, from_b = used[in_a[used]], used[in_b[used]]
    leg_a, leg_b = leg & in_a[net], leg & in_b[net]
    must_a, must_b = np.flatnonzero(open_node & no_b), np.flatnonzero(open_node & no_a)
    tail = [
        np.full(len(from_a), source), from_b, net[leg_a], node[leg_b] + edges,
        np.full(len(must_a), source), must_b + edges,
        node[parity] + edges, nets, net[parity] + out,
    ]  # fmt: skip
    head = [
        from_a, np.full(len(from_b), sink), node[leg_a] + edges, net[leg_b],
        must_a + edges, np.full(len(must_b), sink),
        net[parity], nets + out, node[parity] + edges,
    ]  # fmt: skip
    room = [
        weight[from_a], weight[from_b],
        np.full(int(leg_a.sum() + leg_b.sum()) + len(must_a) + len(must_b), huge),
        np.full(len(parity), huge), weight[nets], np.full(len(parity), huge),
    ]  # fmt: skip
    shape = (edges + out, edges + out)
    arcs = (np.concatenate(tail), np.concatenate(head))
    capacity = coo_matrix((np.concatenate(room).astype(np.int32), arcs), shape=shape).tocsr()
    result = maximum_flow(capacity, source, sink)
    left = capacity - result.flow
    left.data = (left.data > 0).astype(np.int32)
    left.eliminate_zeros()
    reached = np.zeros(edges + out, bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    sites[open_node] = np.where(reached[edges : edges + nodes.count][open_node], a, b)
    return Cut(sites, int(result.flow_value))
