"""The dynamic search: qubits change their homes between packets, by state teleportation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distq.partition.hypergraph import expand, general_hypergraph, junction_qubit
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement
from distq.partition.registry import PartitionProblem
from distq.partition.static import gate_structure, pack, slices

Int32 = NDArray[np.int32]


def junction_slots(graph: PacketGraph) -> tuple[Int32, int]:
    """Time slot of each junction, and the number of slots.

    The first junction of a qubit is in slot 0, the last in the last slot; one between two packets is in the slot of
    the first node of the packet after it, in the order of rows. A dead one (`PacketGraph.dead`) is in the slot from
    which its qubit takes no room any more.
    """
    n = graph.num_qubits
    first = np.full(graph.num_packets, np.iinfo(np.int64).max)
    leg_row = graph.node_row[graph.leg_node()].astype(np.int64)
    np.minimum.at(first, graph.leg_packet, leg_row)
    row = np.full(graph.num_junctions, -1, np.int64)
    before = graph.junction(np.arange(graph.num_packets, dtype=np.int32))
    row[before] = first
    start = graph.packet_offsets[:-1] + np.arange(n)
    last = graph.packet_offsets[1:] + np.arange(n)
    row[start] = -1
    row[last[last > start]] = np.iinfo(np.int64).max
    if graph.dead is None:
        distinct, slot = np.unique(row, return_inverse=True)
        return slot.astype(np.int32), len(distinct)
    # The qubit is there from its reset on, and until the last node of the packet before.
    reset = np.flatnonzero(graph.dead[before])
    row[before[reset] + 1] = first[reset]
    gone = np.full(graph.num_packets, -1, np.int64)
    np.maximum.at(gone, graph.leg_packet, leg_row)
    distinct = np.unique(np.concatenate([row[~graph.dead], [-1, np.iinfo(np.int64).max]]))
    slot = np.searchsorted(distinct, row)
    ending = np.flatnonzero(graph.dead[before + 1])
    slot[before[ending] + 1] = np.searchsorted(distinct, gone[ending], side="right")
    slot[start[graph.dead[start]]] = 0
    return slot.astype(np.int32), len(distinct)


class DynamicSearch:
    """State of the search for homes of all junctions and sites of merged nodes.

    Energies are in ebits, plus `kernels.LACK` for each communication qubit that a gate lacks at its site.
    """

    def __init__(self, problem: PartitionProblem, time: tuple[Int32, int] | None = None) -> None:
        """Prepare the arrays; `time`: slots of junctions and their number, where not those of `junction_slots`."""
        self.problem = problem
        self.halt = problem.halt
        graph = problem.graph
        self.hypergraph = general_hypergraph(graph)
        n = graph.num_qubits
        modules = np.flatnonzero(problem.allowed).astype(np.int32)
        structure, scalars = gate_structure(self.hypergraph, problem.span, problem.network.comm_array, modules)
        slot, slots = time or junction_slots(graph)
        line_first = np.concatenate([graph.packet_offsets[:-1] + np.arange(n), [graph.num_junctions]])
        self.dead = np.zeros(graph.num_junctions, np.bool_) if graph.dead is None else graph.dead
        loose = self._loose(line_first)
        structure |= {
            "capacity": np.where(problem.allowed, problem.capacities, 0),
            "movable": np.flatnonzero(loose),
            "line": junction_qubit(graph),
            "line_first": line_first,
            "slot": slot,
            "loose": loose.astype(np.int32),
            "dead": self.dead.astype(np.int32),
            "idle_end": np.zeros(n, np.int32),
        }
        scalars |= {"num_qubits": n, "num_slots": slots, "num_loose": int(loose.sum())}
        k = problem.num_modules
        self.s, self.v, self.at = pack(
            structure, {"home": graph.num_junctions}, scalars, {"load": k * slots, "over": 1}
        )
        self.energy = 0
        self.overload = 0
        self._journal = np.zeros((4 * self.hypergraph.nodes.count + 16, 2), np.int32)
        self._log = np.zeros((2 * graph.num_junctions + 16, 2), np.int32)
        self._best = np.zeros(self.at.presence, np.int32)

    def _loose(self, line_first: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(J,) which junctions may move: not given or tied ends, nor wires that are pinned or have no packets."""
        problem = self.problem
        loose = np.ones(problem.graph.num_junctions, bool)
        start, last = line_first[:-1], line_first[1:] - 1
        loose[start[problem.fixed >= 0]] = False
        loose[last[problem.final >= 0]] = False
        loose[last[problem.tied]] = False
        loose[start[problem.end_qubit[problem.tied]]] = False
        loose[start[start == last]] = False
        loose[problem.pinned[junction_qubit(problem.graph)]] = False
        return loose & ~self.dead

    def load(self, placement: Placement) -> int:
        """Start from a placement; returns its energy. `overload` counts the data qubits missing, slot by slot."""
        from distq.partition.dynamic_kernel import fill_load
        from distq.partition.kernels import rebuild

        v, at, graph, nodes = self.v, self.at, self.problem.graph, self.hypergraph.nodes
        homes = placement.homes.copy()
        packet = np.arange(graph.num_packets, dtype=np.int32)
        before = graph.junction(packet)
        ending = before[self.dead[before + 1] & ~self.dead[before]]
        homes[ending + 1] = homes[ending]  # dead junctions follow the one before them
        v[at.home : at.home + graph.num_junctions] = homes
        last = graph.packet_offsets[1:] + np.arange(graph.num_qubits)
        ends = placement.final_homes
        self._start_ends = (placement.homes[last] if ends is None else ends).astype(np.int32)
        self.s[at.idle_end : at.idle_end + at.num_qubits] = self._start_ends
        net_home = v[at.net_home : at.net_home + 2 * at.num_nets].reshape(-1, 2)
        net_home[:, 0], net_home[:, 1] = self.hypergraph.net_homes(graph, homes)
        begins = packet[self.dead[before]]
        net_home[begins, 0] = net_home[begins, 1]
        v[at.site : at.site + at.num_nodes] = nodes.sites(graph, placement)
        self.energy = int(rebuild(self.s, v, at))
        self.overload = int(fill_load(self.s, v, at))
        return self.energy

    def anneal(self, budget: int, seed: int, hot: float = 1.0, cold: float = 0.15) -> int:
        """Anneal from the current state and keep the best found; returns its energy. Temperatures in ebits."""
        from distq.partition.dynamic_kernel import anneal_dynamic, fill_load
        from distq.partition.kernels import rebuild

        if self.overload or self.at.num_nets == 0 or self.at.num_modules < 2:
            # The start is not within the capacities, or there is nothing to choose.
            return self.energy
        slices(anneal_dynamic, self, budget, seed, hot, cold, self._log)
        self.v[: self.at.presence] = self._best
        self.energy = int(rebuild(self.s, self.v, self.at))
        self.overload = int(fill_load(self.s, self.v, self.at))
        return self.energy

    def placement(self, name: str) -> Placement:
        """The current state as a placement; wires without packets end where they did at the start."""
        at, graph = self.at, self.problem.graph
        homes = self.v[at.home : at.home + graph.num_junctions].copy()
        sites = self.v[at.site : at.site + at.num_nodes].copy()
        found = expand(graph, self.hypergraph.nodes, homes, sites, name)
        end = homes[graph.packet_offsets[1:] + np.arange(graph.num_qubits)]
        bare = np.diff(graph.packet_offsets) == 0
        return replace(
            found,
            final_homes=np.where(bare, self._start_ends, end).astype(np.int32),
            moves=planned_moves(graph, homes),
        )


def planned_moves(graph: PacketGraph, homes: Int32, rank: Int32 | None = None) -> Int32:
    """The moves that bring each wire to the homes of its junctions: columns of `Placement.moves`.

    A wire moves inside the packet between two junctions with different homes, at the latest at the first row (or rank)
    of the packet after it, or after all of them.
    """
    position = graph.node_row if rank is None else rank
    rows = int(position.max()) + 1 if graph.num_nodes else 0
    packet = np.arange(graph.num_packets, dtype=np.int32)
    first = np.full(graph.num_packets + 1, rows, np.int64)
    np.minimum.at(first, graph.leg_packet, position[graph.leg_node()].astype(np.int64))
    last = np.zeros(graph.num_packets, bool)
    last[graph.packet_offsets[1:][np.diff(graph.packet_offsets) > 0] - 1] = True
    before = graph.junction(packet)
    moved = homes[before] != homes[before + 1]
    if graph.dead is not None:
        moved &= ~graph.dead[before] & ~graph.dead[before + 1]
    moved = np.flatnonzero(moved)
    row = np.where(last, rows, first[1:])[moved]
    moves = np.stack([row, graph.packet_qubit[moved], homes[before + 1][moved]], axis=1)
    return moves[np.argsort(row, kind="stable")].astype(np.int32)


#: Junctions and merged nodes beyond which there is one run only (a move costs several times as much there: longer
#: lines, caches), from a first temperature at which its few moves a node do not lose the start.
LARGE = 40_000
COOL = 0.2
#: First temperatures of the runs in turn [ebits].
HEATS = (0.5, 0.35, 1.0)
#: The same for runs that go on from the best so far.
AGAIN = (0.35, 0.25)


def improve_dynamic(problem: PartitionProblem, *placements: Placement) -> Placement:
    """Let qubits change their homes between packets wherever that saves ebits; never worse than the placements.

    Homes stay within the data qubits in every slot (`junction_slots`), so that carrying out the circuit's rows in
    their order is possible with enough communication qubits. Ends that were asked for are kept. The last two runs of
    five go on from the best found by the others.

    Args:
        problem: what is being solved.
        placements: where to start; within the capacities, the best first.
    """
    options = problem.options
    search = DynamicSearch(problem)
    least = search.load(placements[0])
    best = placements[0]
    size = problem.graph.num_junctions + search.at.num_nodes
    budget = min(options.run_most, options.run_each * size)
    large = size > LARGE
    runs = min(options.runs, 1) if large else options.runs
    fresh = runs - 2 * runs // 5
    for i in range(runs):
        if least == 0 or problem.halt.asked():
            break
        again = i - fresh
        if again >= 0 and best is placements[0]:
            break  # where nothing was found from hot, little is from cool
        start = best if again >= 0 else placements[i % len(placements)]
        hot = AGAIN[again % len(AGAIN)] if again >= 0 else COOL if large else HEATS[i % len(HEATS)]
        search.load(start)
        if search.anneal(budget, problem.seed * 1009 + i, hot=hot) < least:
            least = search.energy
            best = search.placement(f"{start.partitioner.removesuffix('+moves')}+moves")
    return best
