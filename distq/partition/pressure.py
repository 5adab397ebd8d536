"""The search under few communication qubits: what it minimises is what an order pays when copies do not fit.

Copies are intervals on a tape, an order of all nodes; `tape_kernel` says what reading it costs, and `pressure_kernel`
anneals homes, sites and the order of nodes together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.cost import cost
from distq.partition.dynamic import DynamicSearch, planned_moves
from distq.partition.order_state import relay_distances
from distq.partition.place import solve
from distq.partition.plan import Placement, Plan, Step
from distq.partition.registry import PartitionProblem
from distq.partition.serve import one_communication_qubit
from distq.partition.static import slices

Int32 = NDArray[np.int32]

#: Communication qubits beyond which a module counts as having this many.
MOST_COMM = 64


def rank_of(plan: Plan) -> Int32:
    """(M,) the position of each node among the nodes of a plan."""
    nodes = plan.a[plan.kind == Step.NODE]
    rank = np.zeros(plan.graph.num_nodes, np.int32)
    rank[nodes] = np.arange(len(nodes), dtype=np.int32)
    return rank


class PressureSearch(DynamicSearch):
    """State of the search for homes of junctions, sites of merged nodes, and the order of nodes.

    Energies are the ebits of the tape, plus `kernels.LACK` for each communication or data qubit that is missing.
    """

    def __init__(self, circuit: LogicalCircuit, problem: PartitionProblem) -> None:
        graph = problem.graph
        super().__init__(problem, (np.zeros(graph.num_junctions, np.int32), graph.num_nodes + 2))
        self._tape(circuit)

    def _tape(self, circuit: LogicalCircuit) -> None:
        from distq.partition.tape_kernel import TapeLayout

        graph, nodes, problem = self.problem.graph, self.hypergraph.nodes, self.problem
        k, size, packets = problem.num_modules, graph.num_nodes, graph.num_packets
        comm = np.minimum(problem.network.comm_array, MOST_COMM)
        stride = 3 + 2 * int(comm.max(initial=0))
        hop, distance = _ways(problem.network)
        leg_node, row = graph.leg_node(), graph.node_row
        leg_group = np.where(nodes.of_leg >= 0, nodes.of_leg, nodes.of_node[leg_node])
        members = np.flatnonzero(leg_group >= 0)
        structure: dict[str, NDArray[Any]] = {
            "node_offsets": graph.node_offsets,
            "leg_qubit": graph.leg_qubit,
            "leg_packet": graph.leg_packet,
            "leg_segment": graph.leg_segment,
            "leg_node": leg_node,
            "leg_group": leg_group,
            "group_offsets": _offsets(leg_group[members], nodes.count),
            "group_legs": members[np.argsort(leg_group[members], kind="stable")],
            "classical": (circuit.bit[row] >= 0) | (circuit.guard[row] >= 0),
            "parity": graph.node_parity,
            "packet_qubit": graph.packet_qubit,
            "packet_offsets": graph.packet_offsets,
            "list_offsets": _offsets(graph.leg_packet, packets),
            "comm": comm,
            "data": np.where(problem.allowed, problem.capacities, 0),
            "hop": hop.ravel(),
            "distance": distance.ravel(),
        }
        legs, width = len(leg_node), k * stride
        sizes = {"order": size, "position": size, "legs": legs, "place": legs, "link": legs}
        kept = (size + 1) * width
        sizes |= {"paid": size + 1, "kept": kept, "fresh_paid": size + 1, "fresh_kept": kept}
        sizes |= {"state": width, "idle": k, "last": k, "filled": packets}
        scalars = {"num_nodes": size, "num_legs": legs, "num_packets": packets, "stride": stride, "width": width}
        fixed = np.concatenate([np.asarray(a, np.int32) for a in structure.values()])
        lengths = [len(a) for a in structure.values()] + list(sizes.values())
        offsets = dict(zip([*structure, *sizes], np.concatenate([[0], np.cumsum(lengths)]).tolist()))
        self.o = TapeLayout(**scalars, **offsets)
        self.w = np.concatenate([fixed, np.zeros(sum(sizes.values()), np.int32)])
        self._best_order = np.zeros(size, np.int32)
        self._log = np.zeros((2 * graph.num_junctions + 64, 2), np.int32)
        self._trail = np.zeros((1024, 2), np.int32)

    def _order(self) -> Int32:
        """(M,) the node at each position, a view."""
        return self.w[self.o.order : self.o.order + self.o.num_nodes]

    def start(self, placement: Placement, rank: Int32) -> int:
        """Start from a placement and an order of nodes; returns the energy."""
        from distq.partition.pressure_kernel import time_slots_of
        from distq.partition.tape_kernel import whole_tape

        self.load(placement)
        self._order()[:] = np.argsort(rank)
        bare = np.diff(self.problem.graph.packet_offsets) == 0
        idle = np.bincount(self._start_ends[bare], minlength=self.at.k)
        self.w[self.o.idle : self.o.idle + self.at.k] = idle
        self.energy = int(whole_tape(self.s, self.v, self.at, self.w, self.o))
        self.overload = int(time_slots_of(self.s, self.v, self.at, self.w, self.o))
        return self.energy

    def anneal_tape(self, budget: int, seed: int, hot: float = 0.3, cold: float = 0.08) -> int:
        """Anneal and keep the best found; returns its energy. `budget` counts legs that are read."""
        from distq.partition.kernels import rebuild
        from distq.partition.pressure_kernel import anneal_tape, time_slots_of
        from distq.partition.tape_kernel import whole_tape

        if self.at.num_nets == 0 or self.at.num_modules < 2:
            return self.energy
        self._best_order[:] = self._order()
        more = (self._log, self.w, self.o, self._best_order, self._trail)
        slices(anneal_tape, self, budget, seed, hot, cold, *more)
        self.v[: self.at.presence] = self._best
        rebuild(self.s, self.v, self.at)
        self._order()[:] = self._best_order
        self.energy = int(whole_tape(self.s, self.v, self.at, self.w, self.o))
        self.overload = int(time_slots_of(self.s, self.v, self.at, self.w, self.o))
        return self.energy

    def found(self, name: str) -> Placement:
        """The current state as a placement with an order."""
        rank = self.w[self.o.position : self.o.position + self.o.num_nodes].copy()
        placement = self.placement(name)
        return replace(placement, rank=rank, moves=planned_moves(self.problem.graph, placement.homes, rank))


def _offsets(groups: NDArray[Any], count: int) -> NDArray[np.int64]:
    """(count+1,) offsets of the members of each group, if members are sorted by group."""
    return np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=count))])


def _ways(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(k, k) first hop and distance between modules; where relays lack communication qubits, over any path."""
    distance, hop = (np.array(x) for x in relay_distances(network))
    any_distance, any_hop = (np.array(x) for x in relay_distances(network, 0))
    lost = distance < 0
    return np.where(lost, any_hop, hop), np.where(lost, 2 * np.maximum(any_distance, 0), distance)


#: Words of the state along the tape beyond which this search is left out (two copies of them are kept).
MOST_WORDS = 16_000_000
#: First temperatures of the runs in turn [ebits].
HEATS = (0.3, 0.2, 0.5)
#: The same for runs that go on from the best so far, and for runs that read each leg less often than `FEW` times.
AGAIN = (0.2, 0.15)
FEW = 10_000
#: Nothing is searched if each leg can be read fewer times than this: that takes long and finds next to nothing.
TOO_FEW = 500


def frugal(problem: PartitionProblem) -> Placement | None:
    """The best static placement for modules with one communication qubit; None if no module has a limit.

    Its gates are at the home of a leg, so that a copy goes as soon as it was used: it pays little more than its
    estimate however few communication qubits there are, and is a good start for the search.
    """
    network = one_communication_qubit(problem.network)
    return None if network is None else solve(replace(problem, network=network))[0]


def improve_pressure(circuit: LogicalCircuit, problem: PartitionProblem, plans: list[Plan]) -> Placement | None:
    """A placement with an order of nodes that pays less than every plan, by the tape's count; None if none is found.

    The runs begin from the plans in turn, the cheapest first, and the last ones from the best that was found. Nothing
    is searched where no module has a limit, where the best plan pays what it would without limits, and where the state
    along the tape would not fit into memory.

    Args:
        circuit: that is partitioned.
        problem: what is being solved.
        plans: orders of several placements.
    """
    options, network, graph = problem.options, problem.network, problem.graph
    if all(m.comm is None for m in network.modules) or not options.tapes or not graph.num_nodes:
        return None
    paid = [cost(plan, network) for plan in plans]
    free = min(cost(plan.placement, network, graph) for plan in plans)
    stride = 3 + 2 * int(min(network.comm_array.max(), MOST_COMM))
    if min(paid) <= free or (graph.num_nodes + 1) * problem.num_modules * stride > MOST_WORDS:
        return None
    starts = [plans[i] for i in np.argsort(paid, kind="stable").tolist()]
    search = PressureSearch(circuit, problem)
    budget = min(options.tape_most, int(options.tape_each * (search.o.num_legs + graph.num_junctions) ** 1.5))
    if budget < TOO_FEW * search.o.num_legs:
        return None
    least, best = min(paid), None
    fresh = options.tapes - options.tapes // 2
    for i in range(options.tapes):
        if problem.halt.asked():
            break
        again = i - fresh
        start = starts[i % len(starts)]
        if again >= 0 and best is not None:
            assert best.rank is not None
            search.start(best, best.rank)
        else:
            search.start(start.placement, rank_of(start))
        cool = again >= 0 or budget < FEW * search.o.num_legs
        hot = AGAIN[i % len(AGAIN)] if cool else HEATS[i % len(HEATS)]
        if search.anneal_tape(budget, problem.seed * 1009 + i, hot) < least:
            least = search.energy
            best = search.found(f"{start.placement.partitioner.removesuffix('+tape')}+tape")
    return best
