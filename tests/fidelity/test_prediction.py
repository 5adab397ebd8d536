"""Predicted fidelities against closed forms and exact simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fidelity import LIMIT, TRANSMONS, cases, ghz_circuit, settings
from program_samples import random_program, teleported_cz
from qiskit import QuantumCircuit

import distq
from distq import LinkHardware, ModuleHardware, Network
from distq.errors import UsageError
from distq.fidelity.predict import CLASSES, predict_fidelity
from distq.fidelity.rotations import rotations
from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.order import canonical
from distq.program.types import DATA, DistributedProgram, ProgramBuilder
from distq.schedule.plan import schedule
from distq.simulate.noisy import noisy


def on(program: DistributedProgram, module: Any = None, link: Any = None) -> DistributedProgram:
    return replace(program, network=program.network.with_hardware(module, link))


def test_agreement_with_exact_simulation() -> None:
    """A small run of benchmarks/fidelity.py, which has more programs and larger ones."""
    chosen = [s for s in settings() if s.name in ("oxford-2025", "simdisq-like, ions", "eth-cryolink-2023, transmons")]
    found = cases(5, seed=1, chosen=chosen, most_qubits=3)
    assert len(found) == 15
    assert max(abs(c.difference) for c in found) < LIMIT
    # The paths see what the product does not: on average they are much nearer.
    paths = np.mean([abs(c.difference) for c in found])
    assert paths < np.mean([abs(c.product - c.simulated) for c in found]) / 2
    assert min(c.simulated for c in found) < 0.3
    assert max(c.simulated for c in found) > 0.9


@pytest.mark.parametrize("fidelity", [0.97, 0.6, 0.25])
def test_a_gate_through_a_werner_pair(fidelity: float) -> None:
    found = predict_fidelity(on(teleported_cz(), None, LinkHardware(fidelity=fidelity)))
    assert found.fidelity == pytest.approx(fidelity, abs=4 * found.standard_error)
    assert found.standard_error < 0.01
    assert found.product == pytest.approx(fidelity)
    assert found.average_fidelity == pytest.approx((4 * found.fidelity + 1) / 5)
    assert found.budget["pairs"] == pytest.approx(1 - found.fidelity)
    assert found.product_budget["pairs"] == pytest.approx(-np.log(fidelity))
    assert found.dominated_by == "pairs"
    assert [k for k, v in found.budget.items() if v] == ["pairs"]


def test_no_noise_is_exactly_one() -> None:
    circuit = QuantumCircuit(6)
    for q in range(5):
        circuit.u(0.3, 0.2, q, q)
        circuit.cp(0.7 * q + 0.1, q, q + 1)
        circuit.ccx(q, (q + 1) % 6, (q + 2) % 6)
    program = distq.compile(circuit, Network.all_to_all(3, data=2, comm=2), effort="fast", verify="none")
    found = predict_fidelity(program)
    assert (found.fidelity, found.standard_error, found.product) == (1, 0, 1)
    assert found.dominated_by == "nothing"


def test_the_budget_is_that_of_each_class_alone() -> None:
    circuit = QuantumCircuit(3)
    for q in (0, 1, 2, 0, 1):
        circuit.u(0.5 + q, 0.2, 0.9, q)
        circuit.cp(1.1, q, (q + 1) % 3)
    network = Network.all_to_all(
        2, data=2, comm=1, hardware=TRANSMONS, link_hardware=LinkHardware(pair_time=10e-6, fidelity=0.9)
    )
    program = distq.compile(circuit, network, effort="fast", verify="none")
    timeline = schedule(program)
    found = timeline.fidelity
    assert set(found.budget) == set(CLASSES)
    for name in CLASSES:
        alone = noisy(program, timeline=timeline, reference=True, method="density_matrix", only=(name,))
        assert alone.process_fidelity is not None
        assert found.budget[name] == pytest.approx(1 - alone.process_fidelity, abs=0.006), name
    assert found.fidelity <= 1 - max(found.budget.values()) + 0.01
    assert found.product == pytest.approx(np.exp(-sum(found.product_budget.values())))


def test_wrong_bits_and_resets() -> None:
    found = predict_fidelity(on(teleported_cz(), ModuleHardware(measure_error=0.1)))
    assert found.fidelity == pytest.approx(0.81, abs=4 * found.standard_error)
    assert found.product == pytest.approx(0.81)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.reset(0)
    circuit.cx(0, 1)
    network = Network.all_to_all(1, data=2, comm=1, hardware=ModuleHardware(reset_error=0.2))
    program = distq.compile(circuit, network, without=("reset",), verify="none")
    reset = predict_fidelity(program)
    assert 0.75 < reset.fidelity < 0.85
    assert reset.product == pytest.approx(0.8)


def test_gates_on_many_qubits() -> None:
    b = ProgramBuilder(Network.all_to_all(1, data=4, comm=1, hardware=ModuleHardware(two_qubit_error=0.003)))
    q = [b.qubit(0, DATA, i) for i in range(4)]
    for theta in (0.4, np.pi):
        b.add(Op.MCP, tuple(q), (theta,))
        b.add(Op.PARITY, tuple(q[:3]), (theta,))
        for i in q:
            b.add(Op.U, (i,), (0.7, 0.2, 1.4))
    program = b.build(
        input_qubit=np.array(q, np.int32), output_qubit=np.array(q, np.int32), clbit_values=()
    )  # fmt: skip
    found = predict_fidelity(program)
    exact = noisy(program, reference=True, method="density_matrix").process_fidelity
    assert exact is not None
    assert exact < 0.9
    assert found.fidelity == pytest.approx(exact, abs=0.005)


def test_states_from_zero() -> None:
    """A GHZ state on slow links: qubits that dephase quickly lose it while they wait."""
    quick = replace(TRANSMONS, data_t1=None, comm_t1=None)
    values = {}
    for pair_time in (1e-6, 2e-3):
        link = LinkHardware(pair_time=pair_time, fidelity=0.95)
        network = Network.all_to_all(3, data=2, comm=1, hardware=quick, link_hardware=link)
        program = distq.compile(ghz_circuit(6), network, effort="fast", start="zero", verify="none")
        timeline = schedule(program)
        guess = predict_fidelity(timeline, inputs="zero", samples=200_000)
        assert guess.average_fidelity is None
        exact = noisy(program, timeline=timeline, method="density_matrix").fidelity
        assert guess.fidelity == pytest.approx(exact, abs=0.03)
        values[pair_time] = guess.fidelity
    assert values[1e-6] > 0.7
    assert values[2e-3] < 0.05


def test_where_everything_is_reset_the_product_is_taken() -> None:
    circuit = QuantumCircuit(16)
    circuit.h(range(16))
    circuit.reset(range(16))
    circuit.x(range(16))
    hardware = ModuleHardware(one_qubit_error=0.01)
    program = distq.compile(circuit, Network.all_to_all(2, data=8, comm=1, hardware=hardware), verify="none")
    found = predict_fidelity(program, samples=1000)
    assert found.samples == 0
    # The product counts errors before the reset, too.
    assert found.fidelity == found.product == pytest.approx(0.985**32)


@pytest.mark.parametrize("seed", range(30))
def test_random_legal_programs_give_a_number(seed: int) -> None:
    """Conditions on everything, pairs that nobody uses: still a number from 0 to 1."""
    program = canonical(random_program(seed, rows=25))
    hardware = ModuleHardware(measure_time=1.0, data_t2=10.0, two_qubit_error=0.01, measure_error=0.02, reset_error=0.1)
    found = predict_fidelity(on(program, hardware, LinkHardware(fidelity=0.9)), samples=300, seed=seed)
    assert 0 <= found.fidelity <= 1
    assert 0 <= found.product <= 1
    quiet = predict_fidelity(on(program, ModuleHardware(), LinkHardware()), samples=300)
    assert quiet.fidelity == 1


def test_rotations_are_those_of_qiskit() -> None:
    from qiskit.quantum_info import Operator, Pauli

    from distq.program.to_qiskit import to_qiskit

    b = ProgramBuilder(Network.all_to_all(1, data=1, comm=1))
    q = b.qubit(0, DATA, 0)
    for op in range(NUM_ONE_QUBIT):
        b.add(op, (q,), {Op.U: (0.3, 0.5, -0.9)}.get(op, (0.7,) * (op >= Op.P)))  # type: ignore[call-overload]
    program = b.build(input_qubit=np.array([q], np.int32), output_qubit=np.array([q], np.int32), clbit_values=())
    gates = [i.operation for i in to_qiskit(program).data]
    assert len(gates) == NUM_ONE_QUBIT
    for gate, found in zip(gates, rotations(program, program.params)):
        u = Operator(gate).data
        for i, a in enumerate("XYZ"):
            turned = u.conj().T @ Pauli(a).to_matrix() @ u
            expected = [np.trace(turned @ Pauli(c).to_matrix()).real / 2 for c in "XYZ"]
            np.testing.assert_allclose(found[i], expected, atol=1e-12)


def test_large_programs_and_seeds() -> None:
    circuit = QuantumCircuit(60)
    for layer in range(6):
        for q in range(layer % 2, 59, 2):
            circuit.rzz(0.3, q, q + 1)
        circuit.rx(0.4, range(60))
    network = Network.all_to_all(4, data=15, comm=2, hardware=ModuleHardware(two_qubit_error=1e-3),
                                 link_hardware=LinkHardware(fidelity=0.99))  # fmt: skip
    program = distq.compile(circuit, network, effort="fast", verify="none")
    timeline = schedule(program)
    first, again, other = (predict_fidelity(timeline, samples=2000, seed=s) for s in (5, 5, 6))
    assert first == again
    assert first != other
    assert first.product < first.fidelity < first.product + 0.05
    assert abs(first.fidelity - other.fidelity) < 5 * np.hypot(first.standard_error, other.standard_error)


def test_measured_circuits() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure(range(3), range(3))
    network = Network.all_to_all(3, data=1, comm=1, hardware=ModuleHardware(measure_error=0.05))
    program = distq.compile(circuit, network, effort="fast", verify="none")
    found = predict_fidelity(program)
    assert found.average_fidelity is None
    assert found.fidelity == pytest.approx(0.95**3, abs=0.01)
    assert found.product == pytest.approx(0.95**3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 0}, "at least 1"),
        ({"inputs": "one"}, "any"),
        ({"local_two_qubit_error": -0.1}, "0 to 1"),
    ],
)
def test_refusals(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        predict_fidelity(teleported_cz(), **options)


def test_plain_data() -> None:
    import json

    found = predict_fidelity(on(teleported_cz(), None, LinkHardware(fidelity=0.9)), samples=500)
    content = json.loads(json.dumps(found.to_dict()))
    assert content["fidelity"] == found.fidelity
    assert content["dominated_by"] == "pairs"
    assert set(content["budget"]) == set(CLASSES)
