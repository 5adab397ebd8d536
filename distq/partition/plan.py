"""What a partitioner decides (Placement) and everything that costs (Plan)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.partition.packets import PacketGraph

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Placement:
    """The assignment of the communication model: a module for every junction and every node.

    Attributes:
        homes: (J,) module of each junction, numbered as in `PacketGraph`.
        sites: (M,) module at which each node (multi-qubit gate, measurement, ...) is carried out.
        partitioner: name of the method that found it.
        leg_sites: (L,) module at which each leg enters its gate. It differs from the node's site only for parity gates
            on three or more qubits (`PacketGraph.node_parity`), whose parity is collected from these modules at one
            ebit for each module but one. None: every leg at the site of its node.
        final_homes: (n,) module where each wire must end; None: the home of its last junction. It differs
            from that only for a wire without packets, which has a single junction.
        moves: (V, 3) moves of homes during the circuit, sorted: (row of the circuit before which it happens, wire,
            module). Homes that follow from them row by row never exceed the data qubits of a module; the home of a
            junction is the one at the first row of the packet after it, but the first one of a wire is where the wire
            starts. None: no wire moves.
        rank: (M,) the position of each node in the order that the placement was made for, which keeps to the segments
            and to classical bits; what `moves` calls rows are such positions then. None: the order of rows.
    """

    homes: Int32
    sites: Int32
    partitioner: str = ""
    final_homes: Int32 | None = None
    moves: Int32 | None = None
    leg_sites: Int32 | None = None
    rank: Int32 | None = None

    def sites_of_legs(self, graph: PacketGraph) -> Int32:
        """(L,) module at which each leg enters its gate."""
        return self.sites[graph.leg_node()] if self.leg_sites is None else self.leg_sites


class Step(IntEnum):
    """Rows of the plan's step table; a, b, c are the columns."""

    #: a = qubit, b = module of a share, c = linked module: cat-entangle; a copy of qubit a appears in c. One
    #: ebit.
    FETCH = 0
    #: a = qubit, b = module: the share of qubit a in module b (a copy, or its home after a SHIFT) is
    #: disentangled.
    DROP = 1
    #: a = qubit, b = module that holds a copy: the copy becomes the home, still on its communication qubit.
    SHIFT = 2
    #: a = qubit: the home moves from its communication qubit into a free data qubit of the same module.
    SETTLE = 3
    #: a = qubit, b = segment: the one-qubit gates before the segment are carried out, on every share.
    TURN = 4
    #: a = node, b = module: the gate, measurement or reset.
    NODE = 5
    #: a = qubit: the home moves from its data qubit onto a communication qubit, inside the packet in which it leaves.
    PARK = 7
    #: a, b = qubits in linked modules: they exchange homes by three cat-entangled CX. Three ebits. c is a sum of 1: the
    #: copy of a that is in b's module serves for the first CX, which saves its ebit (and ends the copy); 2: the copy
    #: for the last CX stays, as a copy of b in the module that was its home.
    EXCHANGE = 6
    #: a = node (a parity gate), b, c = linked modules: the parity of the node's legs in b (`Plan.leg_sites`) and of
    #: what b holds for this node passes to c, which holds it until it passes it on or carries out the node; b holds
    #: nothing of it any more. One ebit.
    GATHER = 8
    #: The same; what c holds for this node already is added to it. One ebit.
    MERGE = 9
    #: a = qubit that holds nothing that matters, b = module: what it holds is given up where it is, and its place from
    #: here on is a free data qubit of that module; b = -1: it has none for the time being.
    JUMP = 10


@dataclass(frozen=True)
class Plan:
    """Everything that costs: homes, sites, and the total order of gates, copies and moves.

    Attributes:
        circuit: the normalised circuit.
        network: where it runs.
        graph: its packets.
        placement: homes and sites that the order was made from.
        initial_homes: (n,) module of each wire at the start.
        final_homes: (n,) module of each wire at the end.
        kind, a, b, c: columns of the step table.
        leg_sites: (L,) module at which each leg enters its gate; it differs from the module of the NODE step only for
            parity gates with GATHER or MERGE steps. None: it differs nowhere.
    """

    circuit: LogicalCircuit
    network: Network
    graph: PacketGraph
    placement: Placement
    initial_homes: Int32
    final_homes: Int32
    kind: NDArray[np.uint8]
    a: Int32
    b: Int32
    c: Int32
    leg_sites: Int32 | None = None
