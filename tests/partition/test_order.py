"""The plan's steps, replayed by the rules of the communication model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.circuit.logical import CircuitBuilder
from distq.errors import InfeasibleError
from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.partition.cost import cost, ebits_per_link
from distq.partition.order import graph_homes, order
from distq.partition.packets import build_packets
from distq.partition.plan import Placement, Step


def random_circuit(rng, n, gates, wide, parities=False):
    builder = CircuitBuilder(n)
    versions = []
    for _ in range(gates):
        roll = rng.random()
        guard = ((versions[-1], 1),) if versions and rng.random() < 0.2 else ()
        if roll < 0.35:
            builder.add(int(rng.choice([Op.H, Op.X, Op.Y, Op.T, Op.S])), (int(rng.integers(n)),), guard=guard)
        elif roll < 0.42:
            versions.append(builder.measure(int(rng.integers(n)), int(rng.integers(2)), guard))
        elif n >= 2:
            arity = min(n, 3 if wide and roll > 0.9 else 2)
            qubits = tuple(int(q) for q in rng.choice(n, arity, replace=False))
            builder.add(int(rng.choice([Op.MCP, Op.PARITY])), qubits, (0.5,), guard=guard)
            if parities and n >= 3 and rng.random() < 0.4:
                qubits = tuple(int(q) for q in rng.choice(n, int(rng.integers(3, n + 1)), replace=False))
                builder.add(Op.PARITY, qubits, (0.5,), guard=guard)
    return builder.build(clbit_values=((((), -1),),) * 2)


def random_network(rng, n):
    k = int(rng.integers(2, 5))
    while True:
        data = rng.integers(1, n + 1, k)
        if data.sum() >= n:
            break
    comm = rng.integers(1, 4, k) if rng.random() < 0.7 else [None] * k
    complete = bool(rng.integers(2))
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k) if complete or j == i + 1]
    modules = tuple(Module(f"m{i}", int(data[i]), None if comm[i] is None else int(comm[i])) for i in range(k))
    return Network(modules, tuple(Link(f"m{i}", f"m{j}") for i, j in pairs)), complete


def random_moves(rng, circuit, graph, network, homes):
    """Homes that change at random rows within the data qubits, as moves, junction homes, and homes at the end."""
    homes, moves = homes.copy(), []
    junctions = graph_homes(graph, homes)
    first_row = np.full(graph.num_packets, len(circuit) + 1)
    np.minimum.at(first_row, graph.leg_packet, graph.node_row[graph.leg_node()])
    starts = first_row[np.arange(graph.num_packets)]
    junction = graph.junction(np.arange(graph.num_packets, dtype=np.int32))
    for row in sorted(rng.integers(0, len(circuit) + 1, int(rng.integers(0, 6))).tolist()):
        slots = np.repeat(np.arange(len(network.modules)), network.data_array)
        wanted = rng.permutation(slots)[: len(homes)]
        if rng.random() < 0.5 and len(homes) > 1:
            wanted = homes.copy()
            a, b = rng.choice(len(homes), 2, replace=False)
            wanted[[a, b]] = wanted[[b, a]]
        for q in np.flatnonzero(wanted != homes).tolist():
            moves.append((row, q, int(wanted[q])))
        homes = wanted.astype(np.int32)
        later = (starts >= row) & (np.arange(graph.num_packets) > graph.packet_offsets[graph.packet_qubit])
        junctions[junction[later]] = homes[graph.packet_qubit[later]]
        junctions[graph.packet_offsets[1:] + np.arange(graph.num_qubits)] = homes
    return np.array(moves, np.int32).reshape(-1, 3), junctions, homes


def random_case(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    network, complete = random_network(rng, n)
    roomy = bool(network.comm_array.min() >= 2)
    circuit = random_circuit(rng, n, int(rng.integers(0, 40)), complete and roomy, roomy)
    graph = build_packets(circuit)
    slots = np.repeat(np.arange(len(network.modules)), network.data_array)
    homes = rng.permutation(slots)[:n].astype(np.int32)
    final = rng.permutation(slots)[:n].astype(np.int32) if rng.random() < 0.4 else homes
    sites = homes[graph.leg_qubit[graph.node_offsets[:-1]]].copy()
    free = ~graph.node_local & (rng.random(graph.num_nodes) < 0.3)
    sites[free] = rng.integers(len(network.modules), size=int(free.sum()))
    legs = np.where(rng.random(len(graph.leg_qubit)) < 0.7, homes[graph.leg_qubit], sites[graph.leg_node()])
    legs = np.where(graph.node_parity[graph.leg_node()], legs, sites[graph.leg_node()]).astype(np.int32)
    moves, junctions, last = random_moves(rng, circuit, graph, network, homes)
    if graph.num_packets and (np.diff(graph.packet_offsets) > 0).all() and rng.random() < 0.5:
        final = final if rng.random() < 0.3 else last
        return circuit, graph, network, Placement(junctions, sites, "", final, moves, legs), final
    return circuit, graph, network, Placement(graph_homes(graph, homes), sites, "", final, None, legs), final


class Replay:
    """Follows the steps with sets and refuses whatever the model does not allow."""

    def __init__(self, plan):
        self.plan, network = plan, plan.network
        self.home = plan.initial_homes.tolist()
        self.on_comm = set()
        self.copies = {q: set() for q in range(len(self.home))}
        self.comm = network.comm_array
        self.data = network.data_array
        self.link = network.link_of
        self.segment = plan.graph.segment_offsets[:-1].tolist()
        self.left = np.bincount(plan.graph.leg_segment, minlength=plan.graph.num_segments).tolist()
        self.done = []
        # Parities of the node that is being collected, by module: one set of legs for each communication qubit.
        self.parities = {m: [] for m in range(network.num_modules)}
        self.collecting = -1

    def used(self, module):
        held = sum(module in c for c in self.copies.values()) + len(self.parities[module])
        return held + sum(self.home[q] == module for q in self.on_comm)

    def check_room(self):
        for m in range(len(self.comm)):
            assert self.used(m) <= self.comm[m]
            assert sum(h == m and q not in self.on_comm for q, h in enumerate(self.home)) <= self.data[m]

    def pair(self, a, b):
        assert self.link[a, b] >= 0
        assert self.used(a) + 1 <= self.comm[a]
        assert self.used(b) + 1 <= self.comm[b]

    def step(self, kind, a, b, c):
        if kind == Step.FETCH:
            assert b == self.home[a] or b in self.copies[a]
            assert c != self.home[a]
            assert c not in self.copies[a]
            self.pair(b, c)
            self.copies[a].add(c)
        elif kind == Step.DROP:
            self.copies[a].remove(b)
        elif kind == Step.PARK:
            assert a not in self.on_comm
            self.on_comm.add(a)
        elif kind == Step.SHIFT:
            self.copies[a].remove(b)
            self.on_comm.discard(a)
            self.home[a] = b
            self.on_comm.add(a)
        elif kind == Step.SETTLE:
            self.on_comm.remove(a)
        elif kind == Step.EXCHANGE:
            here, there = self.home[a], self.home[b]
            if c & 1:
                self.copies[a].remove(there)
            assert not self.copies[a] | self.copies[b]
            self.pair(here, there)
            self.home[a], self.home[b] = there, here
            if c & 2:
                self.copies[b].add(there)
        elif kind == Step.NODE:
            self.node(a, b)
        elif kind in (Step.GATHER, Step.MERGE):
            self.gather(a, b, c)
            if kind == Step.MERGE:
                *others, last = self.parities[c]
                assert others
                self.parities[c] = [set().union(*others, last)]
        self.check_room()

    def gather(self, node, here, there):
        """The parity of the legs in `here` and of what it holds goes to `there`."""
        assert self.collecting in (-1, node)
        self.collecting = node
        self.pair(here, there)
        passed = self.legs_at(node, here)
        for held in self.parities[here]:
            assert not passed & held
            passed |= held
        assert passed
        self.parities[here] = []
        self.parities[there].append(passed)

    def legs_at(self, node, module):
        graph = self.plan.graph
        legs = range(graph.node_offsets[node], graph.node_offsets[node + 1])
        found = {leg for leg in legs if self.site_of(leg, module) == module}
        for q in graph.leg_qubit[list(found)]:
            assert self.home[q] == module or module in self.copies[q]
        return found

    def site_of(self, leg, module):
        return module if self.plan.leg_sites is None else self.plan.leg_sites[leg]

    def node(self, node, site):
        graph = self.plan.graph
        assert self.collecting in (-1, node)
        self.collecting = -1
        sets = [self.legs_at(node, site), *self.parities[site]]
        self.parities[site] = []
        assert not any(self.parities.values())
        assert sum(map(len, sets)) == len(set().union(*sets)) == graph.node_offsets[node + 1] - graph.node_offsets[node]
        assert len(sets) == 1 or graph.node_parity[node]
        for leg in range(graph.node_offsets[node], graph.node_offsets[node + 1]):
            q, s = graph.leg_qubit[leg], graph.leg_segment[leg]
            while self.segment[q] < s:
                assert self.left[self.segment[q]] == 0, "a segment was left before its nodes were done"
                self.segment[q] += 1
            assert self.segment[q] == s
            self.left[s] -= 1
            if graph.node_local[node]:
                assert not self.copies[q]
                assert q not in self.on_comm
        self.done.append(node)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_every_step_is_allowed(seed):
    circuit, graph, network, placement, final = random_case(seed)
    check_steps(order(circuit, graph, network, placement), final)


def check_steps(plan, final):
    """Every step is allowed, all nodes are carried out, qubits end at `final`, and bits are written before reads."""
    circuit, graph = plan.circuit, plan.graph
    replay = Replay(plan)
    for row in zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist(), plan.c.tolist()):
        replay.step(*row)
    assert sorted(replay.done) == list(range(graph.num_nodes))
    assert replay.home == final.tolist() == plan.final_homes.tolist()
    assert not any(replay.copies.values())
    assert not replay.on_comm
    place = {node: i for i, node in enumerate(replay.done)}
    writer = {int(v): i for i, v in enumerate(circuit.bit[graph.node_row]) if v >= 0}
    for node, guard in enumerate(circuit.guard[graph.node_row]):
        for version, _ in circuit.guards[guard] if guard >= 0 else ():
            assert place[writer[version]] < place[node]


def test_same_input_same_order():
    first, second = (order(*random_case(11)[:4]) for _ in range(2))
    assert np.array_equal(first.kind, second.kind)
    assert np.array_equal(first.a, second.a)


def fetches(plan):
    return int(np.count_nonzero(plan.kind == Step.FETCH))


def star(n, comm):
    """One control that meets every other qubit; all in modules of their own."""
    builder = CircuitBuilder(n)
    for q in range(1, n):
        builder.add(Op.MCP, (0, q), (np.pi,))
    circuit = builder.build()
    graph = build_packets(circuit)
    homes = np.arange(n, dtype=np.int32)
    placement = Placement(graph_homes(graph, homes), graph.leg_qubit[1::2].copy())
    return circuit, graph, placement, Network.all_to_all(n, data=1, comm=comm)


@pytest.mark.parametrize("comm", [1, 2, None])
def test_a_packet_costs_one_pair_a_module(comm):
    circuit, graph, placement, network = star(5, comm)
    assert fetches(order(circuit, graph, network, placement)) == 4


def test_a_line_with_one_communication_qubit_moves_homes():
    builder = CircuitBuilder(3)
    builder.add(Op.MCP, (0, 2), (0.3,))
    circuit = builder.build()
    graph = build_packets(circuit)
    homes = np.arange(3, dtype=np.int32)
    plan = order(circuit, graph, Network.line(3, data=1, comm=1), Placement(graph_homes(graph, homes), homes[:1]))
    assert Step.EXCHANGE in plan.kind


def test_a_gate_that_nobody_can_gather_is_refused():
    builder = CircuitBuilder(3)
    builder.add(Op.MCP, (0, 1, 2), (0.3,))
    circuit = builder.build()
    graph = build_packets(circuit)
    homes = np.arange(3, dtype=np.int32)
    with pytest.raises(InfeasibleError, match="communication qubits"):
        order(
            circuit,
            graph,
            Network.all_to_all(3, data=1, comm=1),
            Placement(graph_homes(graph, homes), homes[:1]),
        )


def spread_parity(network, homes):
    """The plan of one parity gate on qubits in the modules `homes`, every leg at home."""
    builder = CircuitBuilder(len(homes))
    builder.add(Op.PARITY, tuple(range(len(homes))), (0.3,))
    circuit = builder.build()
    graph = build_packets(circuit)
    homes = np.array(homes, np.int32)
    placement = Placement(graph_homes(graph, homes), homes[:1], leg_sites=homes)
    return order(circuit, graph, network, placement), placement


@pytest.mark.parametrize("comm", [2, 3, None])
@pytest.mark.parametrize("homes", [[0, 0, 1], [0, 1, 2, 3], [0, 1, 1, 2, 2, 2, 3, 4]])
def test_a_parity_costs_one_pair_for_each_module_but_one(homes, comm):
    network = Network.all_to_all(5, 4, comm)
    plan, placement = spread_parity(network, homes)
    assert cost(plan, network) == cost(placement, network, plan.graph) == len(set(homes)) - 1
    assert ebits_per_link(plan).sum() == cost(plan, network)
    assert (Step.MERGE in plan.kind) == (comm is not None and comm < len(set(homes)) - 1)
    assert Step.FETCH not in plan.kind


def test_one_communication_qubit_suffices_for_two_modules():
    plan, _ = spread_parity(Network.all_to_all(2, 4, 1), [0, 0, 0, 1, 1, 1])
    assert cost(plan, plan.network) == 1


def test_a_parity_passes_modules_without_legs():
    plan, _ = spread_parity(Network.line(5, 4, 2), [0, 0, 2, 4])
    assert cost(plan, plan.network) == 4
    plan, _ = spread_parity(Network.star(5, 4, 2), [1, 2, 3, 4])
    assert cost(plan, plan.network) == 4
    assert 0 in plan.c  # the hub, which has no leg


def test_a_parity_is_collected_where_its_qubits_cannot_be_gathered():
    modules = (Module("a", 2, 2), Module("b", 2, 1))
    network = Network(modules, (Link("a", "b"),))
    builder = CircuitBuilder(3)
    builder.add(Op.PARITY, (0, 1, 2), (0.3,))
    circuit = builder.build()
    graph = build_packets(circuit)
    # All three legs are planned in b, which has one communication qubit for two copies.
    homes = np.array([0, 0, 1], np.int32)
    plan = order(circuit, graph, network, Placement(graph_homes(graph, homes), np.array([1], np.int32)))
    assert cost(plan, network) == 1
