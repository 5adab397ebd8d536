"""The one cost function: what a placement is estimated to cost, and what a plan costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.errors import UsageError
from distq.network.model import Network
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement, Plan, Step
from distq.partition.steiner import SpanCost, span_cost

#: Ebits of an exchange of two homes (three cat-entangled CX).
EXCHANGE_EBITS = 3
#: Steps that consume one ebit, on the link between the modules in columns b and c.
ONE_PAIR = (Step.FETCH, Step.GATHER, Step.MERGE)


def cost(x: Placement | Plan, network: Network, graph: PacketGraph | None = None) -> int:
    """Ebits of a plan, or the estimate for a placement [ebits].

    For a plan it is the count: one for each FETCH, GATHER and MERGE, two or three for each EXCHANGE. For a placement
    it is the sum over packets of the Steiner tree of the modules in which the packet must be present, and over parity
    gates of that of the sites of their legs. Both agree on complete networks with unlimited communication qubits;
    else the count of a plan may be higher.

    Args:
        x: a plan or a placement.
        network: where it runs.
        graph: packets of the circuit; needed for a placement only.

    Raises:
        UsageError: a placement came without its graph.
    """
    if isinstance(x, Plan):
        pairs = np.count_nonzero(np.isin(x.kind, ONE_PAIR))
        return int(pairs) + int(exchange_ebits(x).sum())
    if graph is None:
        raise UsageError("the cost of a Placement needs the packets it belongs to: cost(placement, network, graph)")
    span = span_cost(network)
    return int(packet_costs(x, span, graph).sum() + parity_costs(x, span, graph).sum())


def packet_costs(placement: Placement, span: SpanCost, graph: PacketGraph) -> NDArray[np.int64]:
    """(K,) estimated ebits of each packet: its modules are those of the junctions around it and of its nodes."""
    packet = np.arange(graph.num_packets, dtype=np.int32)
    before = graph.junction(packet)
    first, second = placement.homes[before], placement.homes[before + 1]
    if graph.dead is not None:  # there the qubit is nowhere
        first, second = np.where(graph.dead[before], second, first), np.where(graph.dead[before + 1], first, second)
    owner = np.concatenate([packet, packet, graph.leg_packet])
    module = np.concatenate([first, second, placement.sites_of_legs(graph)])
    return span.of_sets(owner, module, graph.num_packets)


def parity_costs(placement: Placement, span: SpanCost, graph: PacketGraph) -> NDArray[np.int64]:
    """(M,) estimated ebits of collecting the parity of each gate from the sites of its legs; 0 for other gates."""
    node = graph.leg_node()
    legs = graph.node_parity[node]
    return span.of_sets(node[legs], placement.sites_of_legs(graph)[legs], graph.num_nodes)


def ebits_per_link(plan: Plan) -> NDArray[np.int64]:
    """(number of links,) ebits that the plan consumes on each link of its network [ebits]."""
    network = plan.network
    total = np.zeros(len(network.links), np.int64)
    pair = np.isin(plan.kind, ONE_PAIR)
    np.add.at(total, network.link_of[plan.b[pair], plan.c[pair]], 1)
    exchange = plan.kind == Step.EXCHANGE
    if exchange.any():
        a, b = exchange_modules(plan)
        np.add.at(total, network.link_of[a, b], exchange_ebits(plan))
    return total


def exchange_ebits(plan: Plan) -> NDArray[np.int64]:
    """Ebits of each EXCHANGE step: one less where a copy that is there serves for the first CX."""
    return EXCHANGE_EBITS - (plan.c[plan.kind == Step.EXCHANGE].astype(np.int64) & 1)


def exchange_modules(plan: Plan) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Homes of both qubits just before each EXCHANGE step, found by following the moves of the plan."""
    home = plan.initial_homes.copy()
    first: list[int] = []
    second: list[int] = []
    moving = np.flatnonzero(np.isin(plan.kind, (Step.SHIFT, Step.EXCHANGE, Step.JUMP)))
    for i in moving.tolist():
        a, b = int(plan.a[i]), int(plan.b[i])
        if plan.kind[i] != Step.EXCHANGE:
            home[a] = b
        else:
            first.append(int(home[a]))
            second.append(int(home[b]))
            home[a], home[b] = home[b], home[a]
    return np.array(first, np.int32), np.array(second, np.int32)
