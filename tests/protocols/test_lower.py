import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from distq.circuit.logical import CircuitBuilder
from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.partition.order import graph_homes, order
from distq.partition.packets import build_packets
from distq.partition.plan import Placement
from distq.program.types import COMM, DATA
from distq.protocols.lower import lower

sys.path.insert(0, str(Path(__file__).parent))
from dense import run_circuit, run_program

CODES = [Op.H, Op.X, Op.Y, Op.T, Op.S, Op.SX, Op.RZ]


def random_circuit(rng, n, gates, wide):
    builder = CircuitBuilder(n)
    for _ in range(gates):
        if n == 1 or rng.random() < 0.42:
            code = CODES[rng.integers(len(CODES))]
            builder.add(code, (int(rng.integers(n)),), (0.7,) if code == Op.RZ else ())
        else:
            arity = min(n, 3 if wide and rng.random() < 0.15 else 2)
            qubits = tuple(int(q) for q in rng.choice(n, arity, replace=False))
            builder.add([Op.MCP, Op.PARITY][rng.integers(2)], qubits, ([np.pi, 0.3][rng.integers(2)],))
    return builder.build()


def random_program(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 6)), int(rng.integers(2, 4))
    complete = bool(rng.integers(2))
    while True:
        data = rng.integers(1, n + 1, k)
        if data.sum() >= n:
            break
    comm = rng.integers(1, 4, k)
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k) if complete or j == i + 1]
    modules = tuple(Module(f"m{i}", int(data[i]), int(comm[i])) for i in range(k))
    network = Network(modules, tuple(Link(f"m{i}", f"m{j}") for i, j in pairs))
    circuit = random_circuit(rng, n, int(rng.integers(0, 25)), wide=complete and comm.min() >= 2)
    graph = build_packets(circuit)
    slots = np.repeat(np.arange(k), data)
    homes = rng.permutation(slots)[:n].astype(np.int32)
    final = rng.permutation(slots)[:n].astype(np.int32) if rng.random() < 0.4 else homes
    sites = homes[graph.leg_qubit[graph.node_offsets[:-1]]].copy()
    detached = rng.random(graph.num_nodes) < 0.3
    sites[detached] = rng.integers(k, size=int(detached.sum()))
    plan = order(circuit, graph, network, Placement(graph_homes(graph, homes), sites, "", final))
    return circuit, network, plan, lower(plan), rng


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_programs_compute_their_circuit(seed):
    circuit, network, plan, program, rng = random_program(seed)
    for role, capacity in ((COMM, network.comm_array), (DATA, network.data_array)):
        mine = program.qubit_role == role
        assert np.all(program.qubit_index[mine] < capacity[program.qubit_module[mine]])
    assert program.qubit_module[program.output_qubit].tolist() == plan.final_homes.tolist()
    if program.num_physical > 15:
        return
    amplitudes = rng.normal(size=2**circuit.num_qubits) + 1j * rng.normal(size=2**circuit.num_qubits)
    amplitudes /= np.linalg.norm(amplitudes)
    wanted = run_circuit(circuit, amplitudes)
    for _ in range(2):
        assert abs(abs(np.vdot(wanted, run_program(program, amplitudes, rng))) - 1) < 1e-8


def test_a_remote_gate_is_the_protocol_of_the_model():
    builder = CircuitBuilder(2)
    builder.add(Op.MCP, (0, 1), (np.pi,))
    circuit = builder.build()
    graph = build_packets(circuit)
    homes = np.array([0, 1], np.int32)
    program = lower(order(circuit, graph, Network.all_to_all(2, 1, 1), Placement(graph_homes(graph, homes), homes[1:])))
    names = [Op(c).name for c in program.code]
    assert names == ["EPR", "CX", "MEASURE", "SEND", "X", "MCP", "H", "MEASURE", "SEND", "Z"]
    assert program.ebits == 1
