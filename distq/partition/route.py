"""Routes: plans for networks where communication qubits are too few to relay copies between all modules.

There a gate between qubits in distant modules needs homes to change, and what that costs depends on the moment: an
exchange of two qubits is three CX by copies, of which the first may have served gates of the one before, and the last
may serve gates of the other one afterwards. So an exchange costs one ebit more than the copies that are wanted anyway,
at best. `route_kernel` searches for a script of copies and exchanges; here it becomes a plan.

Searches go forwards through the circuit and then backwards, from where the qubits ended, which finds homes to begin
from (as in G. Li, Y. Ding, Y. Xie, Tackling the qubit mapping problem for NISQ-era quantum devices,
arXiv:1809.02573).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.cost import cost
from distq.partition.order import Orderer, classical_dependencies, graph_homes, plan_of
from distq.partition.order_state import relay_distances
from distq.partition.plan import Placement, Plan, Step
from distq.partition.pressure import MOST_COMM
from distq.partition.registry import PartitionProblem

Int32 = NDArray[np.int32]

#: Nodes beyond which nothing is searched.
MOST_NODES = 30_000
#: Most states kept of as many ebits, and rows of the record of what was tried.
WIDEST, HISTORY = 200, 3_000_000
#: (How many of the next nodes count with full weight, more or less; the price of a hop that no copy can make.)
VIEWS = ((16.0, 1.0), (40.0, 1.5), (8.0, 0.7), (60.0, 0.7), (24.0, 2.5))
#: Homes to begin from, and searches that are repeated with a wider beam.
STARTS, FINALS = 2, 3
#: Turns forwards and backwards from each of the homes to begin from.
TURNS = 3
#: What a gate far ahead is thought to cost, out of the mean of the best plan.
MEAN = 1.0


def needs_routes(network: Network, allowed: NDArray[np.bool_]) -> bool:
    """Whether some modules that may be used are joined, but not by relays for copies."""
    used = np.flatnonzero(allowed)
    distance = np.array(relay_distances(network)[0])[np.ix_(used, used)]
    hops = np.array(relay_distances(network, 0)[0])[np.ix_(used, used)]
    return bool(np.any((distance < 0) & (hops > 0)))


class RouteOrderer(Orderer):
    """Makes the steps that a script says; what it leaves over is done as usual."""

    def __init__(
        self, circuit: LogicalCircuit, problem: PartitionProblem, placement: Placement, script: NDArray[np.int32]
    ) -> None:
        super().__init__(circuit, problem.graph, problem.network, placement)
        self.script, self.scripted = script, True

    def run(self) -> None:
        """Make all the steps."""
        for q in range(self.n):
            self.open_segment(q)
        for kind, a, b, c in self.script.tolist():
            self.follow(kind, a, b, c)
        assert all(self.done), "nodes were left over"
        self.scripted = False
        self.finish_homes()

    def follow(self, kind: int, a: int, b: int, c: int) -> None:
        """Make the step that a row of the script says."""
        from distq.partition import route_state as rows

        if kind == rows.NODE:
            if not self.local[a]:
                self.set_sites(a, dict.fromkeys(self.legs[a], b))
            self.execute(a, b)
        elif kind == rows.DROP:
            self.drop(a, b)
        elif kind == rows.FETCH:
            self.steps.append((Step.FETCH, a, b, c))
            self.copies[a].append(c)
            self.held[c].append(a)
            self.free[c] -= 1
        elif kind == rows.SHIFT:
            self.shift(a, b)
            self.settle(a)
        else:
            self.change_places(a, b, c)

    def change_places(self, p: int, q: int, copies: int) -> None:
        """Exchange two qubits, with copies that are there before or stay (`Step.EXCHANGE`)."""
        here, there = self.home[p], self.home[q]
        if copies & 1:
            self.copies[p].remove(there)
            self.held[there].remove(p)
            self.free[there] += 1
            i = len(self.steps) - 1
            while self.steps[i][0] == Step.DROP:
                i -= 1
            if self.steps[i][:2] == (Step.FETCH, p) and self.steps[i][3] == there:
                # It served nothing else, so that it is one of the exchange.
                del self.steps[i]
                copies -= 1
        self.steps.append((Step.EXCHANGE, p, q, copies))
        for v, old, new in ((p, here, there), (q, there, here)):
            self.residents[old].discard(v)
            self.residents[new].add(v)
            self.home[v] = new
        if copies & 2:
            self.copies[q].append(there)
            self.held[there].append(q)
            self.free[there] -= 1

    def drop_if_useless(self, q: int, module: int) -> None:
        """The script says when copies go."""
        if not self.scripted:
            super().drop_if_useless(q, module)


def _lists(members: list[list[int]]) -> tuple[Int32, Int32]:
    """Offsets and one list of several."""
    offsets = np.cumsum([0, *(len(x) for x in members)])
    return offsets.astype(np.int32), np.array([x for y in members for x in y], np.int32)


def _flat(values: Any) -> Int32:
    """As the kernels want it."""
    return np.ascontiguousarray(values, np.int32)


class RouteSearch:
    """The beam search for one circuit on one network, forwards and backwards."""

    def __init__(self, circuit: LogicalCircuit, problem: PartitionProblem) -> None:
        self.problem, self.graph = problem, problem.graph
        self.followers, _ = classical_dependencies(circuit, problem.graph)
        self.ways = [self._structure(False), self._structure(True)]

    def _structure(self, backwards: bool) -> Any:
        from distq.partition.route_state import Routes

        graph, network, problem = self.graph, self.problem.network, self.problem
        n, k, size = graph.num_qubits, problem.num_modules, graph.num_nodes
        after = self.followers
        before: list[list[int]] = [[] for _ in range(size)]
        for x, nodes in enumerate(after):
            for y in nodes:
                before[y].append(x)
        offsets, qubit = graph.node_offsets.astype(np.int32), graph.leg_qubit
        packet, segment = graph.leg_packet, graph.leg_segment
        segment_packet, segments = graph.segment_packet, graph.num_segments
        flips = graph.turn_flips[np.arange(segments) + graph.packet_qubit[segment_packet]]
        ends = graph.segment_offsets[1:]
        if backwards:
            # Qubits and nodes in the same order of numbers, time in the other one.
            owner = graph.packet_qubit[segment_packet]
            turned = graph.segment_offsets[owner] + graph.segment_offsets[owner + 1] - 1 - np.arange(segments)
            entry = np.minimum(np.arange(segments) + 1 + owner, len(graph.turn_flips) - 1)
            flips = graph.turn_flips[entry][turned]
            segment_packet = segment_packet[turned]
            legs = np.concatenate([np.arange(offsets[x], offsets[x + 1]) for x in range(size - 1, -1, -1)])
            qubit, packet, segment = qubit[legs], packet[legs], turned[segment[legs]]
            offsets = np.concatenate([[0], np.cumsum(np.diff(offsets)[::-1])]).astype(np.int32)
            before, after = ([[size - 1 - y for y in nodes] for nodes in lists[::-1]] for lists in (after, before))
        members: list[list[int]] = [[] for _ in range(segments)]
        for x in range(size):
            for leg in range(offsets[x], offsets[x + 1]):
                members[segment[leg]].append(x)
        distance, hop = relay_distances(network)
        comm = np.minimum(network.comm_array, MOST_COMM).astype(np.int32)
        slots = int(comm.max(initial=1))
        load = 4 * n + k * slots
        nodes_offsets, segment_nodes = _lists(members)
        before_offsets, before_ = _lists(before)
        after_offsets, after_ = _lists(after)
        return Routes(
            num_qubits=n,
            num_nodes=size,
            num_modules=k,
            slots=slots,
            segment=n,
            left=2 * n,
            dirty=3 * n,
            copies=4 * n,
            load=load,
            size=load + k,
            node_offsets=_flat(offsets),
            leg_qubit=_flat(qubit),
            leg_segment=_flat(segment),
            leg_packet=_flat(packet),
            segment_end=_flat(ends),
            segment_packet=_flat(segment_packet),
            nodes_offsets=nodes_offsets,
            segment_nodes=segment_nodes,
            flips=_flat(flips),
            before_offsets=before_offsets,
            before=before_,
            after_offsets=after_offsets,
            after=after_,
            comm=comm,
            data=_flat(np.where(problem.allowed, problem.capacities, 0)),
            hop=_flat(hop),
            distance=_flat(distance),
            hops=_flat(relay_distances(network, 0)[0]),
            linked=_flat(network.link_of >= 0),
            movable=_flat(~problem.pinned),
        )

    def search(
        self, homes: Int32, least: int, budget: int, view: tuple[float, float], mean: float, backwards: bool = False
    ) -> tuple[int, NDArray[np.int32]] | None:
        """Ebits and actions (the last first) of the best that was found below `least`; None if there is none."""
        from distq.partition.route_kernel import EXCHANGES, FETCHES, beam

        routes = self.ways[backwards]
        reach, far = view
        weight = np.exp(-np.arange(min(routes.num_nodes, int(3 * reach))) / reach)
        n, tried = routes.num_qubits, EXCHANGES + FETCHES
        each = n * n // 2 + 4 * len(weight)
        each += tried * (routes.num_nodes // 16 + routes.size // 4 + 2 * len(weight) + 20)
        width = int(np.clip(budget // (each * max(1, least)), 1, WIDEST))
        history = np.zeros((min(HISTORY, width * tried * least + 2), 4), np.int32)
        paid, row, _ = beam(routes, homes, width, weight, far, mean, least, 4 * budget, history)
        if paid < 0:
            return None
        actions = []
        while row:
            actions.append(history[row, 1:])
            row = history[row, 0]
        return int(paid), np.array(actions, np.int32).reshape(-1, 3)

    def script(self, homes: Int32, actions: NDArray[np.int32], backwards: bool = False) -> tuple[Any, Int32]:
        """The rows of the script, and where the qubits are at the end."""
        from distq.partition.route_kernel import replay

        routes = self.ways[backwards]
        state, done = np.zeros(routes.size, np.int32), np.zeros(routes.num_nodes, np.uint8)
        stack = np.zeros(4 * len(routes.leg_qubit) + 64, np.int32)
        each = routes.num_modules * (routes.slots + 1) + 3
        log = np.zeros((1 + routes.num_nodes + each * len(actions), 4), np.int32)
        replay(routes, state, done, homes, actions, stack, log)
        assert log[0, 0] < len(log), "a script is longer than its actions allow"
        return log[1 : 1 + log[0, 0]], state[: routes.num_qubits].copy()


def improve_routes(circuit: LogicalCircuit, problem: PartitionProblem, plans: list[Plan]) -> Plan | None:
    """A plan with fewer ebits than all of these, by a search for routes; None if none is found.

    Nothing is searched where copies can reach every module, where a gate has more than two legs, where qubits share
    wires, and where a plan pays what it would without limits.

    Args:
        circuit: that is partitioned.
        problem: what is being solved.
        plans: orders of several placements; searches begin from their homes.
    """
    graph, network, options = problem.graph, problem.network, problem.options
    if not options.routes or graph.dead is not None or not 0 < graph.num_nodes <= MOST_NODES:
        return None
    if np.diff(graph.node_offsets).max() > 2 or not needs_routes(network, problem.allowed):
        return None
    paid = [cost(plan, network) for plan in plans]
    if min(paid) <= min(cost(plan.placement, network, graph) for plan in plans):
        return None
    search = RouteSearch(circuit, problem)
    free = bool((problem.fixed < 0).all() and not problem.tied.any())
    starts: dict[bytes, Int32] = {}
    for i in np.argsort(paid, kind="stable").tolist():
        starts.setdefault(plans[i].initial_homes.tobytes(), plans[i].initial_homes)
    gates = int((np.diff(graph.node_offsets) == 2).sum())
    found: list[tuple[int, Int32, Any]] = []
    least = min(paid)
    tries = [(homes, view) for view in VIEWS for homes in list(starts.values())[:STARTS]]
    each = options.routes // (2 * TURNS * len(tries))
    for homes, view in tries:
        for turn in range(TURNS if free else 1):
            if problem.halt.asked():
                break
            mean = MEAN * least / gates
            answer = search.search(homes, 2 * least, each, view, mean)
            if answer is None:
                break
            least = min(least, answer[0])
            found.append((answer[0], homes, (answer[1], view)))
            if turn + 1 < TURNS:
                _, ends = search.script(homes, answer[1])
                back = search.search(ends, 2 * least, each, view, mean, True)
                if back is None:
                    break
                _, homes = search.script(ends, back[1], True)
    found.sort(key=lambda x: x[0])
    best: Plan | None = None
    for ebits, homes, (actions, view) in found[:FINALS]:
        if problem.halt.asked():
            break
        answer = search.search(homes, ebits, options.routes // (2 * FINALS), view, MEAN * least / gates)
        plan = _plan(circuit, problem, search, homes, actions if answer is None else answer[1])
        if cost(plan, network) < min([*paid, *([cost(best, network)] if best else [])]):
            best = plan
    return best


def _plan(
    circuit: LogicalCircuit, problem: PartitionProblem, search: RouteSearch, homes: Int32, actions: NDArray[np.int32]
) -> Plan:
    """The plan of some actions."""
    graph = problem.graph
    script, ends = search.script(homes, actions)
    place = graph_homes(graph, homes)
    sites = place[(graph.leg_packet + graph.leg_qubit)[graph.node_offsets[:-1]]]
    placement = Placement(place, sites, "route", final_homes=_ends(problem, homes, ends))
    return plan_of(RouteOrderer(circuit, problem, placement, script), circuit, graph, placement)


def _ends(problem: PartitionProblem, homes: Int32, ends: Int32) -> Int32:
    """(n,) where each wire must end: as asked for, else where the search left it or, if that is full, near it."""
    asked = np.where(problem.tied, homes[problem.end_qubit], problem.final)
    asked = np.where(problem.pinned, homes, asked).astype(np.int32)
    load = np.bincount(asked[asked >= 0], minlength=problem.num_modules)
    for q in np.flatnonzero(asked < 0).tolist():
        room = np.flatnonzero(problem.allowed & (load < problem.capacities))
        asked[q] = room[np.argmin(problem.span.distances[ends[q], room])]
        load[asked[q]] += 1
    return asked
