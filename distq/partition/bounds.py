"""Lower bounds on ebits, each with the class of plans for which it is proved.

All bounds are for the normalised circuit that was compiled: its packets and its gates on several qubits as they are
(the rewriting passes run before), PARITY gates on three or more qubits carried out at one site or as parity nets. Homes
may change in time, gates may have any site, copies any source and any number of communication qubits; relays and
exchanges are covered, because every Bell pair makes one packet or parity net present in at most one module more (an
exchange consumes three and moves two qubits).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.partition.bound_nets import BoundNets, bound_nets
from distq.partition.bound_windows import spanning_bound
from distq.partition.plan import Plan

Int32 = NDArray[np.int32]

#: Classes of plans.
EVERY_PLAN = "every plan"
THESE_ENDS = "every plan with these start and end homes"
THESE_HOMES = "every plan with these homes at every junction"

#: Legs times modules beyond which no minimum cuts are made.
MOST_CUT_LEGS = 400_000


@dataclass(frozen=True)
class Bounds:
    """Lower bounds for a plan [ebits]; each class holds the next one, so that the numbers never decrease.

    Attributes:
        every_plan: for every plan of this normalised circuit within the capacities.
        these_ends: for those with the same homes at the start and at the end.
        these_homes: for those with the same homes at every junction.
    """

    every_plan: int
    these_ends: int
    these_homes: int

    def proved(self, ebits: int) -> str | None:
        """The widest class in which a plan with this many ebits is proved to be the best; None if in none."""
        classes = ((self.every_plan, EVERY_PLAN), (self.these_ends, THESE_ENDS), (self.these_homes, THESE_HOMES))
        return next((name for bound, name in classes if ebits == bound), None)


def lower_bounds(
    plan: Plan, junctions: Int32 | None = None, *, zero_start: bool = False, outcomes_only: bool = False
) -> Bounds:
    """Bounds for the circuit, the network and the homes of a plan.

    Args:
        plan: its circuit, packets, network and homes are used; what it costs does not matter.
        junctions: (J,) homes of its junctions; default those of its placement.
        zero_start: whether qubits start in |0>, so that they need no room before their first gate.
        outcomes_only: whether the state that is left does not matter, so that they need none after their last gate.
    """
    nets = bound_nets(plan.circuit, plan.graph, zero_start, outcomes_only)
    every = spanning_bound(nets, plan.network.data_array)
    if len(nets.legs) * plan.network.num_modules > MOST_CUT_LEGS:
        return Bounds(every, every, every)
    ends = max(every, ends_bound(nets, plan.initial_homes, plan.final_homes))
    homes = plan.placement.homes if junctions is None else junctions
    return Bounds(every, ends, max(ends, homes_bound(nets, homes)))


def ends_bound(nets: BoundNets, initial: Int32, final: Int32) -> int:
    """The bound for every plan with these homes at the start and at the end, whatever the capacities.

    Qubits that hold nothing at the start or at the end are free there. A qubit without packets that ends elsewhere
    costs an ebit by itself.

    Args:
        nets: of a normalised circuit.
        initial: (n,) module of each wire at the start.
        final: (n,) module of each wire at the end.
    """
    graph = nets.graph
    before = np.full(graph.num_packets, -1, np.int32)
    after = before.copy()
    first, last = nets.life_offsets[:-1][nets.fixed_start], nets.life_offsets[1:][nets.fixed_end] - 1
    before[first] = initial[graph.packet_qubit[first]]
    after[last] = final[graph.packet_qubit[last]]
    return separation_bound(nets, before, after) + int(np.count_nonzero((initial != final) & nets.idle))


def homes_bound(nets: BoundNets, homes: Int32) -> int:
    """The bound for every plan with these homes at every junction, whatever the sites.

    Args:
        nets: of a normalised circuit.
        homes: (J,) module of each junction.
    """
    before = nets.graph.junction(np.arange(nets.graph.num_packets, dtype=np.int32))
    after = homes[before + 1].astype(np.int32)
    # After a measurement or a reset nothing is left to be at home.
    after[nets.life_offsets[1:] - 1] = np.where(nets.fixed_end, after[nets.life_offsets[1:] - 1], -1)
    first = homes[before].astype(np.int32)
    if nets.graph.dead is not None:  # there a qubit is nowhere
        first[nets.graph.dead[before]] = -1
        after[nets.graph.dead[before + 1]] = -1
    return separation_bound(nets, first, after)


def separation_bound(nets: BoundNets, before: Int32, after: Int32) -> int:
    """The bound for given homes of some junctions, everything else being free.

    *Proof.* In every plan the elements present both in module m and elsewhere separate the junctions in m from those in
    other modules: a chain of elements that share vertices leads from one module to the other only through such an
    element. So they are at least as many as in a minimum cut, c(m), found by maximum flow with capacity one for each
    element, and each costs an ebit. An element that touches L >= 2 modules counts in L of these cuts and costs
    L - 1 >= L / 2 ebits, so half the sum of all c(m) is a bound as well.

    Args:
        nets: of a normalised circuit.
        before: (K,) module of the junction before each packet, -1 where it is free.
        after: (K,) the same of the junction behind it; where both are given, for one junction they agree.
    """
    packet = np.arange(nets.graph.num_packets)
    module = np.full(nets.graph.num_packets + nets.num_lives, -1, np.int32)
    for junction, home in ((packet + nets.life_of_packet, before), (packet + nets.life_of_packet + 1, after)):
        module[junction[home >= 0]] = home[home >= 0]
    used = np.unique(module[module >= 0]).tolist()
    if len(used) < 2:
        return 0
    tails, heads, size = _arcs(nets)
    if len(used) == 2:
        return _cut(nets, module, used[0], tails, heads, size)
    cuts = [_cut(nets, module, m, tails, heads, size) for m in used]
    return max(max(cuts), -(-sum(cuts) // 2))


def _arcs(nets: BoundNets) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Arcs without limit between the ends of elements and vertices: (tails, heads, number of flow nodes).

    Flow nodes: the ends where flow enters elements, those where it leaves them, junctions, gates, source, sink.
    """
    graph, elements = nets.graph, nets.num_elements
    packet = np.arange(graph.num_packets)
    before = packet + nets.life_of_packet + 2 * elements
    owner = np.repeat(np.arange(len(nets.gate_row)), np.diff(nets.gate_offsets))
    ordinary = owner < nets.num_gates
    first_gate = 2 * elements + graph.num_packets + nets.num_lives
    vertex = np.concatenate([before, before + 1, owner[ordinary] + first_gate])
    element = np.concatenate([packet, packet, nets.legs[ordinary]])
    # The leg of a parity gate is in its packet and in the parity net and in nothing else.
    parity = owner[~ordinary] - nets.num_gates + graph.num_packets
    legs = nets.legs[~ordinary]
    tails = np.concatenate([vertex, element + elements, legs + elements, parity + elements])
    heads = np.concatenate([element, vertex, parity, legs])
    return tails, heads, first_gate + nets.num_gates + 2


def _cut(nets: BoundNets, module: Int32, m: int, tails: NDArray[np.int64], heads: NDArray[np.int64], size: int) -> int:
    """Fewest elements whose removal separates the junctions in module m from those in other modules."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    elements = nets.num_elements
    here = np.flatnonzero(module == m) + 2 * elements
    there = np.flatnonzero((module >= 0) & (module != m)) + 2 * elements
    element = np.arange(elements)
    tail = np.concatenate([element, tails, np.full(len(here), size - 2), there])
    head = np.concatenate([element + elements, heads, here, np.full(len(there), size - 1)])
    room = np.full(len(tail), elements + 1, np.int32)
    room[:elements] = 1
    flow = maximum_flow(csr_matrix((room, (tail, head)), shape=(size, size)), size - 2, size - 1)
    return int(flow.flow_value)
