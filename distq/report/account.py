"""What every Bell pair of a plan is for: the rows that `distq explain` shows, made while compiling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distq.partition.plan import Plan, Step

#: Steps that are accounted for one by one, or consume nothing.
_KNOWN = [Step.FETCH, Step.DROP, Step.SHIFT, Step.SETTLE, Step.TURN, Step.NODE, Step.PARK, Step.EXCHANGE, Step.JUMP]


@dataclass
class Account:
    """Rows of plain data, in the order of the plan; packets, qubits and modules by number.

    Qubits are wires, or qubits of the source where these share wires.

    Attributes:
        packets: number, qubit, axis, home at its beginning, gates in it on two or more qubits; of packets with copies.
        fetches: step of the plan, packet (-1: of a qubit without packets, which moves), modules it goes from and to,
            gates carried out on this copy, the move it is for (-1: none), whether it only passes the copy on (relay).
        moves: step of the plan, packet, qubit, modules from and to, how many of the packets after it (up to the next
            move of the qubit) lie in the new home alone, and modules saved: how many fewer modules the packet of the
            move and those after it touch than if the qubit had stayed.
        exchanges: step, both packets and qubits, their modules before it, and the last two figures of a move.
        others: step and kind of the steps that are none of these; some of them may consume Bell pairs.
        homes: (J,) home of each junction.
        counts: how often each technique was used.
    """

    packets: dict[str, list[Any]] = field(default_factory=dict)
    fetches: dict[str, list[Any]] = field(default_factory=dict)
    moves: dict[str, list[Any]] = field(default_factory=dict)
    exchanges: dict[str, list[Any]] = field(default_factory=dict)
    others: dict[str, list[Any]] = field(default_factory=dict)
    homes: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What is written into the manifest beside the tags."""
        return {
            "packet": self.packets,
            "fetch": self.fetches,
            "move": self.moves,
            "exchange": self.exchanges,
            "other": self.others,
        }


def account(plan: Plan) -> Account:
    """Follow a plan step by step and write down what its Bell pairs are for."""
    return _Walk(plan).run()


@dataclass
class _Copy:
    step: int
    packet: int
    source: int
    target: int
    parent: int
    gates: int = 0
    move: int = -1
    children: list[int] = field(default_factory=list)


class _Walk:
    def __init__(self, plan: Plan) -> None:
        self.plan, graph = plan, plan.graph
        self.home: list[int] = plan.initial_homes.tolist()
        self.copies: list[dict[int, int]] = [{} for _ in self.home]
        self.made: list[_Copy] = []
        self.offsets, self.leg_qubit = graph.node_offsets.tolist(), graph.leg_qubit.tolist()
        self.leg_packet: list[int] = graph.leg_packet.tolist()
        self.local: list[bool] = graph.node_local.tolist()
        self.leg_sites: list[int] | None = None if plan.leg_sites is None else plan.leg_sites.tolist()
        self.packet = _packets_of_steps(plan)
        packets = graph.num_packets
        #: Sites of the gates of each packet, homes of its qubit in it in turn, and gates in it.
        self.sites: list[set[int]] = [set() for _ in range(packets)]
        self.stays: list[list[int]] = [[] for _ in range(packets)]
        self.gates = [0] * packets
        #: (step, packet, qubit, from, to) of every change of a home; exchanges give two.
        self.changes: list[tuple[int, int, int, int, int]] = []
        self.detached = 0
        self.parked = 0

    def run(self) -> Account:
        plan = self.plan
        exchanges: list[int] = []
        rows = zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist(), plan.c.tolist())
        for i, (kind, a, b, c) in enumerate(rows):
            if kind == Step.NODE:
                self.node(a, b)
            elif kind == Step.FETCH:
                self.fetch(i, a, b, c)
            elif kind == Step.DROP:
                self.copies[a].pop(b)
            elif kind == Step.SHIFT:
                self.made[self.copies[a].pop(b)].move = len(self.changes)
                self.change(i, self.packet[i], a, b)
            elif kind == Step.PARK:
                self.parked += 1
            elif kind == Step.JUMP:
                self.home[a] = b
            elif kind == Step.EXCHANGE:
                exchanges.append(len(self.changes))
                there, here = self.home[b], self.home[a]
                self.copies[a].pop(there, -1)
                self.change(i, self.packet[i], a, there)
                self.change(i, self.packet_of_b[i], b, here)
                if c & 2:  # its pair counts as one of the exchange, so that this copy has no step
                    self.copies[b][there] = len(self.made)
                    self.made.append(_Copy(-1, self.packet_of_b[i], here, there, -1))
        return self.finish(set(exchanges))

    @property
    def packet_of_b(self) -> dict[int, int]:
        return self.packet.second

    def fetch(self, step: int, q: int, source: int, target: int) -> None:
        parent = self.copies[q].get(source, -1)
        if parent >= 0:
            self.made[parent].children.append(len(self.made))
        self.copies[q][target] = len(self.made)
        self.made.append(_Copy(step, self.packet[step], source, target, parent))

    def change(self, step: int, packet: int, q: int, target: int) -> None:
        if packet >= 0:
            stays = self.stays[packet]
            stays += [target] if stays else [self.home[q], target]
        self.changes.append((step, packet, q, self.home[q], target))
        self.home[q] = target

    def node(self, node: int, site: int) -> None:
        first, last = self.offsets[node], self.offsets[node + 1]
        if last - first < 2 or self.local[node]:
            for leg in range(first, last):
                self.stay(self.leg_packet[leg], self.leg_qubit[leg])
                self.serve(self.leg_packet[leg], self.leg_qubit[leg], site)
            return
        remote = 0
        for leg in range(first, last):
            q, packet = self.leg_qubit[leg], self.leg_packet[leg]
            at = site if self.leg_sites is None else self.leg_sites[leg]
            self.stay(packet, q)
            self.gates[packet] += 1
            remote += self.home[q] != at
            self.serve(packet, q, at)
        self.detached += remote == last - first

    def serve(self, packet: int, q: int, site: int) -> None:
        """A gate of a packet is carried out at a site, on the home or on a copy."""
        self.sites[packet].add(site)
        if self.home[q] != site and site in self.copies[q]:
            self.made[self.copies[q][site]].gates += 1

    def stay(self, packet: int, q: int) -> None:
        if not self.stays[packet]:
            self.stays[packet].append(self.home[q])

    def finish(self, exchanges: set[int]) -> Account:
        purpose = self.purposes()
        source = _source_qubits(self.plan)
        used = sorted({c.packet for c in self.made if c.packet >= 0})
        result = Account(homes=self.junction_homes())
        result.packets = {
            "packet": used,
            "qubit": [source[p] for p in used],
            "axis": [_axis(self.plan, p) for p in used],
            "home": [self.stays[p][0] for p in used],
            "gates": [self.gates[p] for p in used],
        }
        figures = self.figures()
        single = [i for i in range(len(self.changes)) if i not in exchanges and i - 1 not in exchanges]
        number = {change: i for i, change in enumerate(single)}
        relays = [bool(c.children) and not c.gates and c.move < 0 for c in self.made]
        result.fetches = {
            "step": [c.step for c in self.made],
            "packet": [c.packet for c in self.made],
            "from": [c.source for c in self.made],
            "to": [c.target for c in self.made],
            "gates": [c.gates for c in self.made],
            "move": [number[m] if m >= 0 else -1 for m in purpose],
            "relay": relays,
        }
        columns = ("step", "packet", "qubit", "from", "to", "local", "saved")
        self.changes = [(i, p, source[p] if p >= 0 else q, *rest) for i, p, q, *rest in self.changes]  # type: ignore[misc]
        moves = [(*self.changes[i], *figures[i]) for i in single]
        result.moves = {name: [row[j] for row in moves] for j, name in enumerate(columns)}
        both = [(self.changes[i], self.changes[i + 1], figures[i], figures[i + 1]) for i in sorted(exchanges)]
        result.exchanges = {
            "step": [x[0] for x, _, _, _ in both],
            "packets": [[x[1], y[1]] for x, y, _, _ in both],
            "qubits": [[x[2], y[2]] for x, y, _, _ in both],
            "modules": [[x[3], y[3]] for x, y, _, _ in both],
            "local": [f[0] + g[0] for _, _, f, g in both],
            "saved": [f[1] + g[1] for _, _, f, g in both],
        }
        kind = self.plan.kind
        strange = np.flatnonzero(~np.isin(kind, _KNOWN)).tolist()
        result.others = {"step": strange, "kind": [Step(int(kind[i])).name.lower() for i in strange]}
        counts = {
            "moves": len(moves),
            "exchanges": len(both),
            "parked_moves": self.parked,
            "shared_copies": sum(c.gates > 1 for c in self.made),
            "relays": sum(relays),
            "detached_gates": self.detached,
            "parity_nets": len(np.unique(self.plan.a[np.isin(kind, (Step.GATHER, Step.MERGE))])),
        }
        result.counts = {name: n for name, n in counts.items() if n}
        return result

    def purposes(self) -> list[int]:
        """For each copy the change of home that it is for, or -1; a copy passed on serves what it was passed on for."""
        result = [c.move for c in self.made]
        for i in range(len(self.made) - 1, -1, -1):
            copy = self.made[i]
            if result[i] < 0 and not copy.gates and copy.children:
                result[i] = result[copy.children[0]]
        return result

    def figures(self) -> list[tuple[int, int]]:
        """For each change of a home: packets after it that are local then, and modules saved (see `Account`)."""
        of_qubit: dict[int, list[int]] = {}
        for i, change in enumerate(self.changes):
            of_qubit.setdefault(change[2], []).append(i)
        ends: list[int] = self.plan.graph.packet_offsets[1:].tolist()
        result = [(0, 0)] * len(self.changes)
        for q, changes in of_qubit.items():
            for i, following in zip(changes, [*changes[1:], -1]):
                _, packet, _, old, new = self.changes[i]
                if packet < 0:
                    result[i] = (0, -1)
                    continue
                last = ends[q] - 1 if following < 0 else self.changes[following][1]
                saved = local = 0
                for p in range(packet, last + 1):
                    stays = set(self.stays[p])
                    actual = self.sites[p] | stays
                    saved += len(self.sites[p] | (stays - {new}) | {old}) - len(actual)
                    local += p > packet and bool(self.sites[p]) and actual == {new}
                result[i] = (local, saved)
        return result

    def junction_homes(self) -> list[int]:
        """(J,) home of each junction: where the qubit is before the first step that belongs to the packet after it."""
        graph = self.plan.graph
        offsets = graph.packet_offsets.tolist()
        first, last = self.plan.initial_homes.tolist(), self.plan.final_homes.tolist()
        result: list[int] = []
        for q in range(graph.num_qubits):
            packets = range(offsets[q], offsets[q + 1])
            result += [self.stays[p][0] for p in packets]
            result.append(last[q] if len(packets) else first[q])
        return result


class _StepPackets(dict[int, int]):
    """Packet of qubit a at each step that concerns one; `second` the same for qubit b of exchanges."""

    def __init__(self) -> None:
        super().__init__()
        self.second: dict[int, int] = {}


def _packets_of_steps(plan: Plan) -> _StepPackets:
    """The packet that a qubit is in when a copy of it is made or it moves, found from what it does next."""
    graph = plan.graph
    first, end = graph.packet_offsets[:-1].tolist(), graph.packet_offsets[1:].tolist()
    now = [e - 1 if e > f else -1 for f, e in zip(first, end)]
    segment_first = graph.segment_offsets.tolist()
    segment_packet = graph.segment_packet.tolist()
    offsets, qubit, packet = graph.node_offsets.tolist(), graph.leg_qubit.tolist(), graph.leg_packet.tolist()
    local = graph.node_local.tolist()
    found = _StepPackets()
    kinds, a, b = plan.kind.tolist(), plan.a.tolist(), plan.b.tolist()
    for i in range(len(kinds) - 1, -1, -1):
        kind, q = kinds[i], a[i]
        if kind == Step.NODE:
            for leg in range(offsets[q], offsets[q + 1]):
                now[qubit[leg]] = packet[leg]
            if local[q]:  # alone in its packet: what comes before it belongs to the packet before it
                leg = offsets[q]
                now[qubit[leg]] = max(packet[leg] - 1, first[qubit[leg]])
        elif kind == Step.TURN:
            s = b[i]
            ends = s == segment_first[q + 1]
            if s > segment_first[q] and (ends or segment_packet[s] != segment_packet[s - 1]):
                now[q] = segment_packet[s - 1]  # a junction: what comes before it belongs to the packet before it
        elif kind in (Step.FETCH, Step.SHIFT):
            found[i] = now[q]
        elif kind == Step.EXCHANGE:
            found[i], found.second[i] = now[q], now[b[i]]
    return found


def _source_qubits(plan: Plan) -> list[int]:
    """(K,) the qubit that each packet belongs to; of the source where wires carry several in turn."""
    graph, circuit = plan.graph, plan.circuit
    found: list[int] = graph.packet_qubit.tolist()
    if circuit.input_wire is None:
        return found
    carries = {wire: q for q, wire in enumerate(circuit.input_wire.tolist()) if wire >= 0}
    born = dict(circuit.births)
    nodes = np.flatnonzero(np.isin(graph.node_row, list(born)))
    begins = dict(zip(graph.leg_packet[graph.node_offsets[nodes]].tolist(), graph.node_row[nodes].tolist()))
    for packet, wire in enumerate(found):
        if packet in begins:
            carries[wire] = born[begins[packet]]
        found[packet] = carries[wire]
    return found


def _axis(plan: Plan, packet: int) -> str:
    """Along what a packet acts, in the frame of the packet before it, or of the input for the first one.

    Every packet acts along Z in its own frame; the one-qubit gates before it turn that from the frame before.
    """
    from distq.circuit.one_qubit import gate_matrix

    graph, circuit = plan.graph, plan.circuit
    q = int(graph.packet_qubit[packet])
    segments = graph.segment_packet[graph.segment_offsets[q] : graph.segment_offsets[q + 1]]
    entry = int(graph.segment_offsets[q] + np.searchsorted(segments, packet)) + q
    turn = np.eye(2, dtype=complex)
    for row in graph.turn_rows[graph.turn_offsets[entry] : graph.turn_offsets[entry + 1]].tolist():
        at = slice(circuit.param_offsets[row], circuit.param_offsets[row + 1])
        if (circuit.param_expr[at] >= 0).any():
            return "symbolic"
        turn = gate_matrix(int(circuit.code[row]), tuple(circuit.params[at].tolist())) @ turn
    z = turn.conj().T @ np.diag([1, -1]) @ turn
    vector = np.array([z[0, 1].real, -z[0, 1].imag, z[0, 0].real])
    for name, value in zip("XYZ", vector):
        if abs(value) > 1 - 1e-9:
            return name
    return "({:.2g}, {:.2g}, {:.2g})".format(*(np.round(vector, 2) + 0.0))
