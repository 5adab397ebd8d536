"""What measurements, resets and known inputs make superfluous: counts, and programs that stay right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.errors import UsageError
from distq.network.model import Network
from distq.ops import Op
from distq.rewrite.known import known_inputs
from distq.rewrite.measured import measured_packets
from distq.rewrite.merge import merge_one_qubit
from distq.rewrite.unseen import outcomes_only
from distq.testing import FEATURES, RandomChoices, check_case, random_case, random_circuit, random_network
from distq.testing.strategies import CompileCase

#: Measurements and what follows from them, more often than the other features.
OFTEN = (*FEATURES, "measure", "measure", "reset", "conditional", "standard", "standard")
PROMISES: list[dict[str, Any]] = [
    {},
    {"start": "zero"},
    {"outcomes_only": True},
    {"start": "zero", "outcomes_only": True},
    {"without": ("measured", "reset", "known-inputs", "outcomes-only"), "start": "zero", "outcomes_only": True},
]


def qft(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n, n)
    for j in range(n):
        circuit.h(j)
        for k in range(j + 1, n):
            circuit.cp(math.pi / 2 ** (k - j), j, k)
    return circuit


def all_measured(circuit: QuantumCircuit) -> QuantumCircuit:
    circuit.measure(range(circuit.num_qubits), range(circuit.num_qubits))
    return circuit


def phase_estimation(counting: int) -> QuantumCircuit:
    """The eigenvalue of a phase gate; the inverse QFT is the measured part."""
    circuit = QuantumCircuit(counting + 1, counting)
    circuit.x(counting)
    circuit.h(range(counting))
    for j in range(counting):
        circuit.cp(2 * math.pi * 0.3 * 2**j, j, counting)
    for j in reversed(range(counting)):
        for k in range(j + 1, counting):
            circuit.cp(-math.pi / 2 ** (k - j), k, j)
        circuit.h(j)
    circuit.measure(range(counting), range(counting))
    return circuit


def bernstein_vazirani(secret: int, n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n + 1, n)
    circuit.x(n)
    circuit.h(range(n + 1))
    for q in range(n):
        if secret >> q & 1:
            circuit.cx(q, n)
    circuit.h(range(n))
    circuit.measure(range(n), range(n))
    return circuit


def normal(circuit: QuantumCircuit) -> Any:
    return merge_one_qubit(from_qiskit(circuit))


def wide(circuit: Any) -> int:
    return circuit.num_two_qubit_gates


# ---- counts ----


@pytest.mark.parametrize(("n", "modules"), [(4, 2), (6, 3), (8, 2)])
def test_measured_qft_needs_messages_only(n: int, modules: int) -> None:
    circuit, network = all_measured(qft(n)), Network.all_to_all(modules, data=n // modules)
    homes = {q: q // (n // modules) for q in range(n)}
    program = distq.compile(circuit, network, initial_homes=homes, verify="auto")
    assert program.ebits == 0
    # Each bit goes once to every module that holds a later qubit.
    assert program.messages == sum(modules - 1 - homes[q] for q in range(n))
    assert distq.compile(circuit, network, without=("measured",)).ebits > 0


def test_inverse_qft_of_phase_estimation_is_free() -> None:
    circuit = phase_estimation(5)
    network = Network.all_to_all(2, data=3)
    # Two qubits with the eigenstate's one: those three, and three others.
    homes = {0: 0, 1: 1, 2: 0, 3: 1, 4: 0, 5: 1}
    options: dict[str, Any] = {"initial_homes": homes, "pins": homes}
    assert distq.compile(circuit, network, **options).ebits == 1  # the eigenstate's qubit meets the other module
    assert distq.compile(circuit, network, start="zero", **options).ebits == 0  # ... and is known to be 1


def test_bernstein_vazirani_from_zero() -> None:
    circuit = bernstein_vazirani(0b11111, 5)
    network = Network.all_to_all(3, data=2)
    assert distq.compile(circuit, network).ebits == 2
    assert distq.compile(circuit, network, start="zero", verify="auto").ebits == 0


def test_measured_ghz() -> None:
    circuit = QuantumCircuit(5, 5)
    circuit.h(0)
    circuit.cx(range(4), range(1, 5))
    assert distq.compile(all_measured(circuit), Network.line(5, data=1), verify="auto").ebits == 0


# ---- what becomes of single gates ----


def test_flips_between_gate_and_measurement() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.cp(0.3, 0, 1)
    circuit.x(0)
    circuit.t(0)
    circuit.measure(0, 0)
    found = measured_packets(normal(circuit))
    assert wide(found) == 0
    codes = found.code.tolist()
    # The flip comes first, so the bit is 0 where the gate's leg was 1.
    assert codes == [Op.X, Op.MEASURE, Op.P]
    assert found.guards[found.guard[2]] == ((0, 0),)


def test_parity_keeps_its_sign_by_a_second_rotation() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.rzz(0.3, 0, 1)
    circuit.measure(0, 0)
    found = measured_packets(normal(circuit))
    assert wide(found) == 0
    p = [round(x, 12) for x in found.params.tolist()]
    assert p == [0.3, -0.6]
    assert found.guard.tolist() == [-1, -1, 0]


def test_gate_whose_legs_are_all_measured_vanishes() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.ccz(0, 1, 2)
    circuit.rzz(0.2, 0, 2)
    found = measured_packets(normal(all_measured(circuit)))
    assert found.code.tolist() == [Op.MEASURE] * 3


def test_symbolic_angle() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.rzz(Parameter("a"), 0, 1)
    circuit.measure(0, 0)
    network = Network.all_to_all(2, data=1)
    assert distq.compile(circuit, network).ebits == 0


@pytest.mark.parametrize("between", ["h", "rx"])
def test_another_axis_ends_the_packet(between: str) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.cz(0, 1)
    getattr(circuit, between)(*((0.2, 0) if between == "rx" else (0,)))
    circuit.measure(0, 0)
    source = normal(circuit)
    assert measured_packets(source) is source


def test_measurement_under_a_condition_is_left_alone() -> None:
    circuit = QuantumCircuit(3, 2)
    circuit.measure(2, 1)
    circuit.h(0)
    circuit.cz(0, 1)
    with circuit.if_test((1, 1)):
        circuit.measure(0, 0)
    assert wide(measured_packets(normal(circuit))) == 1


def test_controls_on_known_qubits() -> None:
    circuit = QuantumCircuit(3)
    circuit.cx(0, 1)  # 0 is |0>: nothing
    circuit.x(0)
    circuit.cx(0, 1)  # X on 1
    circuit.ccx(0, 1, 2)  # X on 2
    found = known_inputs(normal(circuit), "zero")
    assert wide(found) == 0
    assert found.start == "zero"
    source = normal(circuit)
    assert known_inputs(source) is source


def test_known_along_another_axis() -> None:
    circuit = QuantumCircuit(2)
    circuit.x(1)
    circuit.h(1)
    circuit.h(0)
    circuit.cx(0, 1)  # 1 is |->: Z on 0
    assert wide(known_inputs(normal(circuit), "zero")) == 0


def test_reset_makes_known_whatever_the_start() -> None:
    circuit = QuantumCircuit(2)
    circuit.reset(0)
    circuit.cx(0, 1)
    assert wide(known_inputs(normal(circuit))) == 0
    assert known_inputs(normal(circuit)).start == "any"


def test_unseen_gates_vanish() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.h([0, 1, 2])
    circuit.cz(0, 1)  # seen: an H and a measurement follow
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.cz(0, 1)
    circuit.h(1)
    circuit.cz(1, 2)
    found = outcomes_only(normal(circuit))
    assert wide(found) == 1
    assert found.outcomes_only


def test_names() -> None:
    circuit, network = all_measured(qft(4)), Network.all_to_all(2, data=2)
    with pytest.raises(UsageError, match="measured"):
        distq.compile(circuit, network, without=("nothing",))
    with pytest.raises(UsageError, match="start"):
        distq.compile(circuit, network, start="one")


# ---- promises ----


def test_promises_are_recorded_and_must_be_asked_for(tmp_path: Any) -> None:
    circuit, network = bernstein_vazirani(0b111, 3), Network.all_to_all(2, data=2)
    program = distq.compile(circuit, network, start="zero", outcomes_only=True)
    program.save(tmp_path / "p")
    assert distq.load(tmp_path / "p").program.start == "zero"
    assert distq.load(tmp_path / "p").program.outcomes_only
    for method in ("symbolic", "statevector", "stabilizer", "auto"):
        refused = distq.verify(circuit, tmp_path / "p", method)
        assert not refused.ok
        assert "start='zero'" in refused.message
        refused = distq.verify(circuit, tmp_path / "p", method, start="zero")
        assert not refused.ok
        assert "outcomes_only" in refused.message
        assert distq.verify(circuit, tmp_path / "p", method, start="zero", outcomes_only=True).ok
    with pytest.raises(UsageError, match="start"):
        distq.verify(circuit, tmp_path / "p", start="one")


def test_no_promise_is_recorded_where_none_was_needed() -> None:
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.cz(0, 1)
    program = distq.compile(circuit, Network.all_to_all(2, data=1), start="zero", outcomes_only=False)
    assert program.program.start == "any"
    assert distq.verify(circuit, program).ok


# ---- random circuits ----


def draw_case(seed: int, build: Callable[..., CompileCase] = random_case) -> CompileCase:
    return build(seed, max_qubits=4, max_gates=14, features=OFTEN, max_modules=3)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), promise=st.sampled_from(PROMISES))
def test_random_programs_stay_right(seed: int, promise: dict[str, Any]) -> None:
    options = {"effort": "fast", **promise}
    report = check_case(draw_case(seed), shots=100 if seed % 4 == 0 else 0, options=options)
    assert report.problems == []


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), promise=st.sampled_from(PROMISES[:4]))
def test_random_circuits_measured_at_the_end(seed: int, promise: dict[str, Any]) -> None:
    """Packets that end in measurements, gates on many qubits among them, with few communication qubits."""
    choices = RandomChoices(seed)
    n = choices.integer(2, 5)
    circuit = random_circuit(choices, n, 12, ("standard", "multi", "clifford"))
    circuit.measure_all()
    case = CompileCase(circuit, random_network(choices, n, max_modules=3), seed)
    report = check_case(case, shots=0, options={"effort": "fast", **promise})
    assert report.problems == []
