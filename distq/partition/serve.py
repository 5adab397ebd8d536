"""What communication qubits allow: gates that no module can gather, and placements that ask for less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.collect import parity_tree
from distq.partition.order_state import relay_distances
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement
from distq.partition.sites import refine_sites


def unservable(circuit: LogicalCircuit, graph: PacketGraph, network: Network, placement: Placement) -> list[int]:
    """Rows of gates on three or more qubits that no module could gather with its communication qubits.

    A parity gate can be gathered, or its parity collected from the homes of its legs. Where homes may have to move
    because copies cannot be relayed everywhere, all such gates count as unservable: a gate on two qubits can always be
    carried out after moving one of them.
    """
    nodes = np.flatnonzero(np.diff(graph.node_offsets) >= 3)
    if not len(nodes):
        return []
    legs_home = placement.homes[graph.leg_packet + graph.leg_qubit]
    used = np.unique(legs_home)
    distances, hop = relay_distances(network)
    distance = np.array(distances)
    if np.any(distance[np.ix_(used, used)] < 0):
        return graph.node_row[nodes].tolist()
    rows = []
    comm = network.comm_array
    reach = distance >= 0
    served: dict[tuple[int, ...], bool] = {}
    for node in nodes.tolist():
        homes = legs_home[graph.node_offsets[node] : graph.node_offsets[node + 1]]
        remote = len(homes) - np.bincount(homes, minlength=len(comm))
        if np.any((remote <= comm) & reach[homes].all(axis=0)):
            continue
        modules = tuple(np.unique(homes).tolist())
        if graph.node_parity[node] and modules not in served:
            served[modules] = parity_tree(modules, comm.tolist(), distance.tolist(), hop) is not None
        if not (graph.node_parity[node] and served[modules]):
            rows.append(int(graph.node_row[node]))
    return rows


def one_communication_qubit(network: Network) -> Network | None:
    """The network with at most one communication qubit in every module that has a limit; None if none has.

    What purification keeps for itself stays.
    """
    if all(m.comm is None for m in network.modules):
        return None
    kept = network.purification_comm.tolist()
    modules = tuple(
        m if m.comm is None else replace(m, comm=min(1 + more, m.comm)) for m, more in zip(network.modules, kept)
    )
    return replace(network, modules=modules)


def modest(
    graph: PacketGraph, network: Network, placement: Placement, *, effort: str = "default", seed: int = 0
) -> Placement | None:
    """The same homes with sites chosen as if every module had one communication qubit.

    Detached gates save ebits when their copies coexist, and cost more than they save when communication
    qubits are too few for that; the order of both placements tells which case it is. None if no module has a
    limit, or if nothing would change.
    """
    less = one_communication_qubit(network)
    if less is None:
        return None
    home = placement.homes[graph.leg_packet + graph.leg_qubit].astype(np.int32)
    sites = home[graph.node_offsets[:-1]]
    node = graph.leg_node()
    start = replace(placement, sites=sites, leg_sites=np.where(graph.node_parity[node], home, sites[node]))
    found = refine_sites(graph, less, start, effort=effort, seed=seed)
    same = np.array_equal(found.sites_of_legs(graph), placement.sites_of_legs(graph))
    return None if same and np.array_equal(found.sites, placement.sites) else found


def scattered(graph: PacketGraph, network: Network, placement: Placement) -> Placement | None:
    """The same homes and sites, but every leg of a wide parity gate at the home of its qubit.

    Such gates need no copies and no communication qubits but those that pass the parity on. None if no module has a
    limit, or if nothing would change.
    """
    if all(m.comm is None for m in network.modules):
        return None
    before = placement.sites_of_legs(graph)
    home = placement.homes[graph.leg_packet + graph.leg_qubit]
    legs = np.where(graph.node_parity[graph.leg_node()], home, before).astype(np.int32)
    return None if np.array_equal(legs, before) else replace(placement, leg_sites=legs)
