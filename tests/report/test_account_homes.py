"""Homes at junctions as the account tells them: whatever a plan does, the bound for them is never above its cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import CircuitBuilder, LogicalCircuit
from distq.network.model import Network
from distq.ops import Op
from distq.partition.bounds import lower_bounds
from distq.partition.cost import cost
from distq.partition.order import order
from distq.partition.packets import PacketGraph, build_packets
from distq.partition.plan import Placement, Plan, Step
from distq.report.account import account

TWO = Network.all_to_all(2, 4, None)


def moved(circuit: LogicalCircuit, start: list[int], moves: list[tuple[int, int, int]], sites: list[int]) -> Plan:
    """The plan with these moves (row before which, wire, module); local nodes are where their qubit is then."""
    graph = build_packets(circuit)
    site = np.array(sites, np.int32)
    for node in np.flatnonzero(graph.node_local).tolist():
        site[node] = home(start, moves, int(graph.leg_qubit[graph.node_offsets[node]]), int(graph.node_row[node]))
    rows = np.array(moves, np.int32).reshape(-1, 3)
    return order(circuit, graph, TWO, Placement(junctions(graph, start, moves), site, moves=rows))


def home(start: list[int], moves: list[tuple[int, int, int]], wire: int, row: int) -> int:
    return [start[wire], *(m for r, w, m in moves if w == wire and r <= row)][-1]


def junctions(graph: PacketGraph, start: list[int], moves: list[tuple[int, int, int]]) -> NDArray[np.int32]:
    first = np.full(graph.num_packets, -1)
    node = graph.leg_node()
    first[graph.leg_packet[::-1]] = graph.node_row[node[::-1]]
    found: list[int] = []
    for q in range(graph.num_qubits):
        own = first[graph.packet_offsets[q] : graph.packet_offsets[q + 1]].tolist()
        found += [start[q], *(home(start, moves, q, row) for row in [*own[1:], 10**9])][: len(own) + 1]
    return np.array(found, np.int32)


def bound(plan: Plan) -> int:
    return lower_bounds(plan, np.array(account(plan).homes, np.int32)).these_homes


def test_a_move_before_a_conditional_gate_belongs_to_the_packet_before_it() -> None:
    """The copy that the gate needs becomes the home, then comes an X with a condition: a single pair."""
    b = CircuitBuilder(3)
    bit = b.measure(2, 0)
    b.add(Op.MCP, (0, 1), (0.3,))
    b.add(Op.X, (0,), guard=((bit, 1),))
    plan = moved(b.build(), [0, 1, 1], [(2, 0, 1)], [1, 1, 1])
    assert Step.SHIFT in plan.kind
    assert cost(plan, TWO) == 1
    found = account(plan)
    assert found.homes[:3] == [0, 1, 1]
    assert (found.moves["packet"], found.fetches["packet"]) == ([0], [0])
    assert bound(plan) == 1


def test_the_bound_is_never_above_the_plan() -> None:
    """Moves before any node, and sites as they come; many gates are carried out on the home alone."""
    happened = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        b = CircuitBuilder(4)
        bit = b.measure(3, 0)
        for _ in range(int(rng.integers(3, 9))):
            kind, q = rng.random(), int(rng.integers(3))
            if kind < 0.1:
                b.measure(q, 1)
            elif kind < 0.15:
                b.add(Op.RESET, (q,))
            elif kind < 0.45:
                b.add(Op.X if rng.random() < 0.5 else Op.H, (q,), guard=((bit, 1),))
            else:
                legs = tuple(rng.choice(4, 2, replace=False).tolist())
                b.add(Op.MCP, legs, (0.3,))
                if rng.random() < 0.4:
                    b.add(Op.H, (legs[1],))
        circuit = b.build()
        rows = build_packets(circuit).node_row
        start = rng.integers(0, 2, 4).tolist()
        at, moves = list(start), []
        for row in sorted(rng.choice(rows, int(rng.integers(1, 5))).tolist()):
            q = int(rng.integers(3))
            at[q] = 1 - at[q]
            moves.append((row, q, at[q]))
        plan = moved(circuit, start, moves, rng.integers(0, 2, len(rows)).tolist())
        assert bound(plan) <= cost(plan, TWO), seed
        happened += len(account(plan).moves["step"])
    assert happened > 300
