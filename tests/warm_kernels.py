"""Compiles the Numba kernels that nearly every test needs, once for all worker processes: run with a part's name.

Each part calls what leads to its kernels without the kernels of the other part, so that two processes share the work.
"""

from __future__ import annotations

import sys

import numpy as np


def search() -> None:
    """The kernels of the partition search: a circuit that needs no rewriting, with few communication qubits."""
    from distq.circuit.logical import CircuitBuilder
    from distq.network.model import Network
    from distq.ops import Op
    from distq.partition.bounds import lower_bounds
    from distq.pipeline import make_plan
    from distq.report.account import account

    rng = np.random.default_rng(1)
    b = CircuitBuilder(8)
    for _ in range(30):
        legs = tuple(rng.choice(8, 2, replace=False).tolist())
        b.add(Op.MCP, legs, (0.3,))
        b.add(Op.H, (legs[1],))
    make_plan(b.build(), Network.line(4, 2, 1), effort="fast")
    plan = make_plan(b.build(), Network.all_to_all(3, 4, 1), effort="fast")
    lower_bounds(plan, np.array(account(plan).homes, np.int32))


def rest() -> None:
    """The kernels of the rewrites, of routing, of schedules and of predictions: a circuit whose homes are given."""
    from qiskit import QuantumCircuit, transpile
    from qiskit.circuit.library import MCPhaseGate

    from distq.circuit.from_qiskit import from_qiskit
    from distq.fidelity.predict import predict_fidelity
    from distq.mapping.route import map_program
    from distq.network.hardware import LinkHardware, ModuleHardware
    from distq.network.model import Network
    from distq.partition.order import order
    from distq.partition.packets import build_packets
    from distq.partition.plan import Placement
    from distq.pipeline import normalise
    from distq.program.compiled import peak_comm_qubits
    from distq.program.order import canonical
    from distq.protocols.lower import lower
    from distq.rewrite.passes import NAMES, other_forms
    from distq.schedule.asap import asap
    from distq.schedule.plan import schedule
    from distq.testing.random_circuits import RandomChoices, random_circuit

    circuit = random_circuit(RandomChoices(1), 4, 40, ("standard", "clifford", "multi", "measure"))
    chain = ModuleHardware(1e-6, 1e-5, 1e-5, coupling=[(0, 1), (1, 2)])
    link = LinkHardware(attempt_time=1e-5, success_probability=0.1, max_age=1e-3)
    network = Network.all_to_all(2, 2, 1, hardware=chain, link_hardware=link)
    form, logical, _ = normalise(from_qiskit(circuit), network)
    list(other_forms(form, NAMES))
    written_out = transpile(QuantumCircuit(4).compose(MCPhaseGate(0.3, 3), range(4)), basis_gates=["u", "cx"])
    normalise(from_qiskit(written_out), Network.all_to_all(2, 2, None))
    graph = build_packets(logical)
    qubits = np.repeat(np.arange(4), np.diff(graph.packet_offsets) + 1)
    sites = (graph.leg_qubit[graph.node_offsets[:-1]] // 2).astype(np.int32)
    plan = order(logical, graph, network.without_coupling(), Placement((qubits // 2).astype(np.int32), sites))
    asap(map_program(lower(plan), plan, effort="fast", seed=0).program)
    program = canonical(lower(plan))
    peak_comm_qubits(program)
    timeline = schedule(program, network.without_coupling())
    timeline.distribution(2)
    predict_fidelity(timeline)


if __name__ == "__main__":
    {"search": search, "rest": rest}[sys.argv[1]]()
