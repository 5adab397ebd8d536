"""When everything begins: list scheduling of a program on the qubits, generators, ports and messages of its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distq.errors import DistqError, InfeasibleError, UsageError
from distq.network.model import Network
from distq.ops import Op
from distq.program.types import COMM, DistributedProgram
from distq.schedule.graph import TaskGraph, task_graph
from distq.schedule.result import Order, Timeline
from distq.schedule.timing import timing

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
#: How pairs are requested.
POLICIES = ("ahead", "on-demand", "one-at-a-time")
#: So often the requests of pairs that would grow too old are moved; then such pairs are requested on demand.
AGE_ROUNDS = 6


def schedule(
    program: DistributedProgram | CompiledProgram,
    network: Network | None = None,
    *,
    policy: str = "ahead",
    frames: bool = True,
) -> Timeline:
    """Schedule a program on the hardware of its network.

    Args:
        program: in canonical order, as compiled or loaded.
        network: of the same shape, whose hardware is taken instead (see `distq.schedule.timing.timing`).
        policy: "ahead": pairs are requested as soon as their communication qubits are free, the most urgent first, but
            not so early that they would grow older than their link allows; where another policy, or corrections that
            are carried out at once, give a shorter makespan, that schedule is taken.
            "on-demand": a pair is requested when all else that its first user waits for is done.
            "one-at-a-time": one remote operation after the other in the program's order, each on demand: a pair is
            requested when besides all that came before on communication qubits, gates on copies, measurements and
            messages included, is done. Other gates go on meanwhile.
        frames: corrections are tracked as Pauli frames; else carried out where they stand.

    Raises:
        UsageError: the policy is not known.
        InfeasibleError: the program needs a link that is down, or the network has another shape.
    """
    from distq.program.compiled import CompiledProgram

    if policy not in POLICIES:
        raise UsageError(f"the policy of requesting pairs is {policy!r}; it must be one of {', '.join(POLICIES)}")
    if isinstance(program, CompiledProgram):
        program = program.program
    times = timing(program, network)
    graph = task_graph(program, times, frames)
    if policy != "ahead":
        return _baseline(graph, policy)
    plans: list[Timeline] = []
    refused: InfeasibleError | None = None
    for candidate in (graph, task_graph(program, times, False)) if frames else (graph,):
        for method in POLICIES:
            try:
                plans.append(_ahead(candidate) if method == policy else _baseline(candidate, method))
            except InfeasibleError as error:
                refused = error
    if not plans and refused is not None:
        raise refused
    return min(plans, key=lambda plan: plan.makespan)


def schedule_ahead(program: DistributedProgram) -> Timeline:
    """Pairs ahead of need with Pauli frames: what `schedule` nearly always takes, in a sixth of the time.

    The program need not be in canonical order.

    Raises:
        InfeasibleError: some pairs grow too old before they can be used.
    """
    return _ahead(task_graph(program, timing(program), True))


def _baseline(graph: TaskGraph, policy: str) -> Timeline:
    rules = _sequential(graph) if policy == "one-at-a-time" else _requests(graph, graph.pairs)
    return _planned(graph, policy, rules)


@dataclass(frozen=True)
class _Rules:
    """When pairs may be requested, beyond what their qubits say: edges, and starts of other nodes with a lag."""

    source: Int64
    target: Int64
    anchor: Int64 | None = None
    lag: Float64 | None = None


def _ahead(graph: TaskGraph) -> Timeline:
    """Pairs as early as possible, then later where they would grow too old."""
    n = graph.num_nodes
    anchor, lag = np.full(n, -1, np.int64), np.zeros(n, np.float64)
    none = np.zeros(0, np.int64)
    plan = _planned(graph, "ahead", _Rules(none, none, anchor, lag))
    for _ in range(AGE_ROUNDS):
        late = plan.order.too_old(graph)
        if not len(late):
            return plan
        anchor, lag = anchor.copy(), lag.copy()
        _delay(graph, plan, late, anchor, lag)
        plan = _planned(graph, "ahead", _Rules(none, none, anchor, lag))
    if not len(plan.order.too_old(graph)):
        return plan
    mortal = graph.pairs[np.isfinite(graph.timing.max_age[graph.link[graph.pairs]])]
    return _planned(graph, "ahead", _requests(graph, mortal))


def _delay(graph: TaskGraph, plan: Timeline, late: Int64, anchor: Int64, lag: Float64) -> None:
    """Bind the request of each pair in `late` to something that its user waits for, so that it is young enough."""
    start, end = plan.order.start, plan.order.end
    for pair in late.tolist():
        age = float(graph.timing.max_age[graph.link[pair]])
        wanted = float(start[plan.order.user[pair]]) - age * (1 - 1e-9) - float(end[pair] - start[pair])
        node = int(plan.order.user[pair])
        while start[node] > wanted:
            before = [p for p in graph.predecessors(node) if p != pair and graph.link[p] < 0]
            if not before:
                node = -2
                break
            node = max(before, key=lambda p: (end[p], -p))
        anchor[pair], lag[pair] = node, max(wanted - (start[node] if node >= 0 else 0.0), 0.0)


def _requests(graph: TaskGraph, pairs: Int64) -> _Rules:
    """These pairs are requested only when all else that the first user waits for is done."""
    source, target = [], []
    links, touch = graph.link, graph.touch[:, 0]
    for pair in pairs.tolist():
        user = int(touch[pair])
        if user < 0 or links[user] >= 0:
            continue
        for p in graph.predecessors(user):
            # Two pairs with one user: the second is requested when the first is there.
            if p != pair and not (links[p] >= 0 and touch[p] == user and p > pair):
                source.append(p)
                target.append(pair)
    return _Rules(np.array(source, np.int64), np.array(target, np.int64))


def _sequential(graph: TaskGraph) -> _Rules:
    """One remote operation after the other, each on demand: pair, entangling, gates on copies, disentangling, messages.

    The order is that of the program with every pair just before its first use, so that no two rules contradict.
    """
    program, n = graph.program, graph.num_nodes
    position = np.empty(n, np.int64)
    position[graph.topo] = np.arange(n)
    pairs, first = graph.pairs, graph.touch[graph.pairs, 0]
    used = position[np.where(first >= 0, first, pairs)]
    order = np.lexsort((pairs, used))
    pairs, used = pairs[order], used[order]
    row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
    remote = np.zeros(n, np.bool_)
    remote[row[program.qubit_role[program.qubits] == COMM]] = True
    # Messages of outcomes that were measured on communication qubits.
    about = np.zeros(program.num_bits, np.bool_)
    measured = np.flatnonzero(program.code == Op.MEASURE)
    about[program.bit[measured[remote[measured]]]] = True
    sent = np.flatnonzero(program.code == Op.SEND)
    remote[sent[about[program.bit[sent]]]] = True
    remote[pairs] = False
    nodes = np.flatnonzero(remote)
    # Each waits for all that comes since the use of the one before.
    after = np.searchsorted(used, position[nodes], side="right")
    late = after < len(pairs)
    demand = _requests(graph, pairs)
    source = np.concatenate([pairs[:-1], nodes[late], demand.source])
    return _Rules(source, np.concatenate([pairs[1:], pairs[after[late]], demand.target]))


def _planned(graph: TaskGraph, policy: str, rules: _Rules) -> Timeline:
    """Schedule under these rules, and replay the order with mean times."""
    from distq.schedule.list_kernel import list_schedule

    if len(rules.source):
        graph = graph.with_edges(rules.source, rules.target)
    n = graph.num_nodes
    anchor = np.full(n, -1, np.int64) if rules.anchor is None else rules.anchor
    lag = np.zeros(n, np.float64) if rules.lag is None else rules.lag
    t = graph.timing
    generators = np.concatenate([[0], np.cumsum(t.generators)]).astype(np.int64)
    ports = np.concatenate([[0], np.cumsum(t.ports)]).astype(np.int64)
    spare_offsets = np.concatenate([[0], np.cumsum(t.spare)]).astype(np.int64)
    order, generator, port, spare, begun = list_schedule(
        graph.duration,
        graph.succ_offsets,
        graph.succs,
        np.diff(graph.pred_offsets),
        graph.paths[1],
        graph.link,
        generators,
        t.fabric,
        ports,
        t.reconfiguration,
        t.pool,
        spare_offsets,
        anchor,
        lag,
    )
    if begun < n:
        raise DistqError(f"the scheduler stopped with {n - begun} of {n} nodes left; this is a fault in distq")
    return Timeline(graph, policy, Order.planned(graph, order, generator, port, anchor, lag, spare))


__all__ = ["POLICIES", "schedule", "schedule_ahead"]
