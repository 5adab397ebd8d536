import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.circuit.logical import CircuitBuilder
from distq.ops import NUM_ONE_QUBIT, Op
from distq.partition.packets import build_packets

CZ = (np.pi,)
KEEPS = {Op.Z, Op.S, Op.T, Op.RZ, Op.P}


def graph_of(*rows):
    builder = CircuitBuilder(1 + max(q for row in rows for q in row[1]))
    for row in rows:
        builder.add(*row)
    return build_packets(builder.build())


def test_diagonal_gates_keep_a_packet():
    graph = graph_of((Op.MCP, (0, 1), CZ), (Op.T, (0,)), (Op.MCP, (0, 2), CZ))
    assert graph.leg_packet.tolist() == [0, 1, 0, 2]
    assert graph.num_segments == 3


def test_x_begins_a_segment_of_the_same_packet():
    graph = graph_of((Op.MCP, (0, 1), CZ), (Op.X, (0,)), (Op.MCP, (0, 1), CZ))
    assert graph.leg_packet.tolist() == [0, 1, 0, 1]
    assert graph.leg_segment.tolist() == [0, 2, 1, 2]
    assert graph.turn_flips.tolist() == [False, True, False, False, False]


def test_h_ends_a_packet():
    graph = graph_of((Op.MCP, (0, 1), CZ), (Op.H, (0,)), (Op.MCP, (0, 1), CZ))
    assert graph.leg_packet.tolist() == [0, 2, 1, 2]


def test_measurement_is_alone_in_its_packet():
    builder = CircuitBuilder(2)
    builder.add(Op.MCP, (0, 1), CZ)
    builder.measure(0, 0)
    builder.add(Op.MCP, (0, 1), CZ)
    graph = build_packets(builder.build())
    assert graph.leg_packet.tolist() == [0, 3, 1, 2, 3]
    assert graph.node_local.tolist() == [False, True, False]


def test_guarded_one_qubit_gates_are_nodes():
    builder = CircuitBuilder(2)
    version = builder.measure(1, 0)
    builder.add(Op.Z, (0,), guard=((version, 1),))
    builder.add(Op.MCP, (0, 1), CZ)
    builder.add(Op.X, (0,), guard=((version, 1),))
    graph = build_packets(builder.build())
    assert graph.node_local.tolist() == [True, False, False, True]
    assert graph.leg_packet.tolist() == [2, 0, 0, 3, 1]


def test_empty_and_idle():
    graph = build_packets(CircuitBuilder(3).build())
    assert graph.num_junctions == 3
    assert graph.num_nodes == 0


ROWS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([Op.H, Op.X, Op.Y, Op.Z, Op.T, Op.SX]), st.integers(0, 3)),
        st.permutations(range(4)).map(lambda p: (Op.MCP, *p[:2])),
        st.permutations(range(4)).map(lambda p: (Op.MCP, *p[:3])),
    ),
    max_size=30,
)


@given(ROWS)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_numbers_follow_a_plain_walk(rows):
    """The kernel against a direct transcription of the definition."""
    builder = CircuitBuilder(4)
    for code, *qubits in rows:
        builder.add(code, tuple(qubits), CZ if code == Op.MCP else ())
    circuit = builder.build()
    graph = build_packets(circuit)
    legs = [[] for _ in range(4)]  # per qubit: (packet, segment) of each leg, counted from 0
    between: list[list[int]] = [[] for _ in range(4)]
    for code, *qubits in rows:
        if code < NUM_ONE_QUBIT:
            between[qubits[0]].append(code)
            continue
        for q in qubits:
            packet, segment = legs[q][-1] if legs[q] else (-1, -1)
            if not legs[q] or any(c in (Op.H, Op.SX) for c in between[q]):
                packet, segment = packet + 1, segment + 1
            elif any(c in (Op.X, Op.Y) for c in between[q]):
                segment += 1
            legs[q].append((packet, segment))
            between[q] = []
    for q in range(4):
        mine = graph.leg_qubit == q
        assert (graph.leg_packet[mine] - graph.packet_offsets[q]).tolist() == [p for p, _ in legs[q]]
        assert (graph.leg_segment[mine] - graph.segment_offsets[q]).tolist() == [s for _, s in legs[q]]
    assert sorted(graph.turn_rows.tolist()) == np.flatnonzero(circuit.is_one_qubit_gate()).tolist()
