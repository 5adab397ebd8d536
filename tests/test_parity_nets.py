"""Parity gates on many qubits: compiled, saved, verified by every method, and paid for as the model says."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.network.model import Network
from distq.ops import Op
from distq.partition.cost import cost
from distq.partition.order import order
from distq.partition.packets import build_packets
from distq.partition.plan import Plan, Step
from distq.pipeline import make_plan
from distq.protocols.lower import lower
from distq.rewrite.merge import merge_one_qubit
from distq.testing import FAULTS, CompileCase, MutationTable, check_case, compile_cases, mutate_case
from distq.verify import verify

PARITY_FAULTS = [kind for kind in FAULTS if kind.startswith("parity")]


def gadgets(qubits: int, count: int, seed: int, widest: int | None = None) -> QuantumCircuit:
    """Pauli rotations with random letters on random qubits, three at least."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(qubits)
    for _ in range(count):
        width = int(rng.integers(3, (widest or qubits) + 1))
        chosen = rng.choice(qubits, width, replace=False).tolist()
        letters = "".join(rng.choice(list("XYZ"), width))
        circuit.append(PauliEvolutionGate(SparsePauliOp(letters), time=float(rng.uniform(0.1, 1))), chosen)
    return circuit


@pytest.mark.parametrize("modules", [2, 4, 8])
def test_one_gadget_costs_a_pair_for_each_module_but_one(modules: int) -> None:
    circuit = QuantumCircuit(16)
    circuit.append(PauliEvolutionGate(SparsePauliOp("XYZX" * 4), time=0.2), range(16))
    program = distq.compile(circuit, Network.all_to_all(modules, 16 // modules, None), effort="fast")
    assert program.stats["ebits"] == modules - 1
    assert np.count_nonzero(program.program.code == Op.EPR) == modules - 1


@settings(max_examples=30, derandomize=True, deadline=None)
@given(compile_cases(min_qubits=3, max_qubits=6, max_gates=9, features=("pauli", "standard")))
def test_programs_with_wide_parities(case: CompileCase) -> None:
    report = check_case(case, shots=0, options={"effort": "fast"})
    assert report.problems == []
    assert report.verified["symbolic"]


@settings(max_examples=20, derandomize=True, deadline=None)
@given(
    compile_cases(
        min_qubits=3, max_qubits=5, max_gates=10, features=("pauli", "clifford", "measure", "conditional", "multi")
    )
)
def test_with_conditions_measurements_and_controlled_phases(case: CompileCase) -> None:
    report = check_case(case, shots=0, options={"effort": "fast"})
    assert report.problems == []
    assert report.verified["symbolic"]


KINDS = {
    "all": lambda comm: Network.all_to_all(4, 3, comm),
    "line": lambda comm: Network.line(4, 3, comm),
    "grid": lambda comm: Network.grid(2, 3, data=2, comm=comm),
    "star": lambda comm: Network.star(5, 3, comm),
}


@pytest.mark.parametrize("comm", [1, 2, 3, None])
@pytest.mark.parametrize("kind", KINDS)
def test_larger_programs(kind: str, comm: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier accepts them, the ebits are those of the plan, and few communication qubits cost more."""
    # With one communication qubit each, gates are expanded, which the verifier follows up to six qubits.
    circuit, network = gadgets(12, 15, seed=3, widest=5 if comm == 1 else 12), KINDS[kind](comm)
    plans: list[Plan] = []

    def made(*args: Any, **options: Any) -> Plan:
        plans.append(make_plan(*args, **options))
        return plans[-1]

    monkeypatch.setattr("distq.pipeline.make_plan", made)
    program = distq.compile(circuit, network, effort="fast", verify="symbolic")
    assert program.stats["verified"]["ok"]
    pairs = int(np.count_nonzero(program.program.code == Op.EPR))
    assert pairs == program.stats["ebits"]
    plan = min(plans, key=lambda plan: cost(plan, network))
    assert cost(plan, network) == pairs
    collected = np.isin(plan.kind, (Step.GATHER, Step.MERGE))
    if comm != 1:
        assert collected.any()
    if kind == "all" and comm is None:
        assert cost(plan.placement, network, plan.graph) == pairs
        # No gadget costs more than by collecting it from the homes of its qubits.
        home = plan.placement.homes[plan.graph.packet_offsets[:-1] + np.arange(12)]
        node = [
            len(np.unique(home[legs])) - 1 for legs in np.split(plan.graph.leg_qubit, plan.graph.node_offsets[1:-1])
        ]
        assert pairs <= sum(node)


def test_clifford_gadgets_have_the_flows_of_their_circuit() -> None:
    """The source of the stabilizer method is written as ladders of CX."""
    circuit, ladders = QuantumCircuit(10), QuantumCircuit(10)
    rng = np.random.default_rng(1)
    for _ in range(8):
        chosen = rng.choice(10, 6, replace=False).tolist()
        circuit.append(PauliEvolutionGate(SparsePauliOp("ZZZZZZ"), time=np.pi / 4), chosen)
        for a, b in itertools.pairwise(chosen):
            ladders.cx(a, b)
        ladders.s(chosen[-1])
        for a, b in reversed(list(itertools.pairwise(chosen))):
            ladders.cx(a, b)
        turned = int(rng.integers(10))
        circuit.h(turned)
        ladders.h(turned)
    program = distq.compile(circuit, Network.grid(2, 2, data=3, comm=2), effort="fast")
    assert Op.PARITY in program.program.code
    assert verify(ladders, program, "stabilizer").ok


def test_the_protocol() -> None:
    """Two qubits in one module, one in the other."""
    circuit = QuantumCircuit(3)
    circuit.append(PauliEvolutionGate(SparsePauliOp("ZZZ"), time=0.2), range(3))
    network = Network.all_to_all(2, 2, 1)
    plan = make_plan(from_qiskit(circuit), network, initial_homes={0: 0, 1: 0, 2: 1})
    names = [Op(c).name for c in lower(plan).code]
    leg = ["EPR", "CX", "CX", "MEASURE", "SEND", "X", "PARITY"]
    one = ["EPR", "CX", "MEASURE", "SEND", "X", "PARITY"]
    assert names[: len(leg)] == leg or names[: len(one)] == one
    assert names.count("EPR") == 1


def test_one_communication_qubit_needs_expansion_beyond_two_modules() -> None:
    circuit = gadgets(6, 4, seed=2)
    program = distq.compile(circuit, Network.all_to_all(3, 2, 1), effort="fast")
    assert program.stats["verified"]["ok"]


def test_a_packet_and_a_net_share_a_copy() -> None:
    """Ten rotations of three qubits in one module and always the same one in the other: its copy costs less."""
    circuit = QuantumCircuit(4)
    for i in range(10):
        circuit.append(PauliEvolutionGate(SparsePauliOp("ZZZZ"), time=0.1 + i), range(4))
        circuit.h([0, 1, 2])
    network = Network.all_to_all(2, 3, None)
    program = distq.compile(circuit, network, initial_homes={0: 0, 1: 0, 2: 0, 3: 1}, effort="fast")
    assert program.stats["ebits"] == 1


def test_orders_repeat() -> None:
    circuit = merge_one_qubit(from_qiskit(gadgets(10, 12, seed=5)))
    graph, network = build_packets(circuit), Network.star(4, 3, 2)
    placement = make_plan(circuit, network, effort="fast").placement
    first, second = (order(circuit, graph, network, placement) for _ in range(2))
    assert np.array_equal(first.kind, second.kind)
    assert np.array_equal(first.b, second.b)


def test_no_broken_parity_passes() -> None:
    table = MutationTable()
    networks = (Network.all_to_all(2, 3, 2), Network.line(3, 2, 2), Network.all_to_all(3, 2, None))
    for seed in range(5):
        circuit = gadgets(5, 2, seed)
        circuit.cz(0, 1)
        case = CompileCase(circuit, networks[seed % 3], seed)
        mutate_case(case, table, seed=seed, kinds=PARITY_FAULTS, directory_kinds=[])
    assert table.failures == []
    assert set(table.counts) == set(PARITY_FAULTS)
    for kind, counts in table.counts.items():
        assert counts["caught"] + counts["refused"] >= 3, kind


def test_wide_parities_do_not_need_their_matrix() -> None:
    """A rotation of 40 qubits in each of four modules; the source for the stabilizer method is a ladder of CX."""
    circuit, ladder = QuantumCircuit(40), QuantumCircuit(40)
    circuit.append(PauliEvolutionGate(SparsePauliOp("Z" * 40), time=np.pi / 4), range(40))
    for q in range(39):
        ladder.cx(q, 39)
    ladder.s(39)
    for q in range(39):
        ladder.cx(q, 39)
    program = distq.compile(circuit, Network.all_to_all(4, 10, 2), effort="fast")
    assert program.stats["ebits"] == 3
    assert verify(ladder, program, "stabilizer").ok
