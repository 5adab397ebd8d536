"""Every gate as a unitary, phase included, and the number of diagonal factors that it takes."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ControlModifier, InverseModifier, Parameter, PowerModifier
from qiskit.circuit import library as lib
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import (
    Operator,
    Pauli,
    SparseObservable,
    SparsePauliOp,
    random_clifford,
    random_statevector,
    random_unitary,
)
from qiskit.synthesis import LieTrotter, SuzukiTrotter

from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.to_qiskit import to_qiskit
from distq.ops import Op
from distq.rewrite.expand import expand_gates
from distq.rewrite.merge import merge_one_qubit

STANDARD = {
    name: gate for name, gate in get_standard_gate_name_mapping().items() if name not in ("measure", "reset", "delay")
}


def circuit_of(operation):
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, range(operation.num_qubits))
    return circuit


def assert_equal(circuit, values=None, tol=1e-9):
    """Our normal form is the circuit, and merged and expanded it still is, up to a phase then."""
    logical = from_qiskit(circuit)
    back = to_qiskit(logical)
    if values:
        circuit = circuit.assign_parameters(values)
        back = back.assign_parameters({p: v for p, v in values.items() if p in back.parameters})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's about Qiskit's sparse matrices
        wanted, found = Operator(circuit).data, Operator(back).data
    np.testing.assert_allclose(found, wanted, atol=tol)
    if not values:
        merged = merge_one_qubit(logical)
        small = expand_gates(merged, range(len(merged)))
        assert small.arity.max(initial=0) <= 2
        found = Operator(to_qiskit(small)).data
        found = found * np.exp(1j * np.angle(np.vdot(found, wanted)))
        np.testing.assert_allclose(found, wanted, atol=tol)
    return logical


def factors(logical):
    """{(code, number of qubits): count} of the gates on two or more qubits."""
    return dict(Counter((Op(c).name, int(n)) for c, n in zip(logical.code, logical.arity) if n > 1))


def numbers(gate, seed):
    rng = np.random.default_rng(seed)
    return gate.base_class(*rng.uniform(-3, 3, len(gate.params))) if gate.params else gate


@pytest.mark.parametrize("name", STANDARD)
def test_standard_gates(name):
    gate = STANDARD[name]
    assert_equal(circuit_of(numbers(gate, 1)), tol=1e-12)
    if gate.params:
        circuit = circuit_of(gate)
        rng = np.random.default_rng(2)
        assert_equal(circuit, {p: float(rng.uniform(-3, 3)) for p in circuit.parameters}, tol=1e-12)


@pytest.mark.parametrize("name", [n for n, g in STANDARD.items() if g.num_qubits <= 4])
@pytest.mark.parametrize("controls", [1, 2, 3])
def test_controlled_standard_gates(name, controls):
    gate = STANDARD[name]
    if name == "global_phase" and controls > 1:
        controls = 2
    if gate.num_qubits + controls > 6:
        controls = 6 - gate.num_qubits
    for state in sorted({0, 1, 2**controls - 1}):
        controlled = numbers(gate, 3).control(controls, ctrl_state=state, annotated=False)
        assert_equal(circuit_of(controlled), tol=1e-11)
    if gate.params:
        circuit = circuit_of(gate.control(controls, ctrl_state=1, annotated=False))
        rng = np.random.default_rng(4)
        assert_equal(circuit, {p: float(rng.uniform(-3, 3)) for p in circuit.parameters}, tol=1e-11)


@pytest.mark.parametrize("angle", [0.0, np.pi / 2, -np.pi / 2, np.pi, -np.pi, 2 * np.pi, 3 * np.pi, 4 * np.pi, 11.4])
@pytest.mark.parametrize("name", [n for n, g in STANDARD.items() if g.params])
def test_special_angles(name, angle):
    gate = STANDARD[name].base_class(*[angle] * len(STANDARD[name].params))
    assert_equal(circuit_of(gate), tol=1e-12)
    if gate.num_qubits and gate.num_qubits < 3:
        assert_equal(circuit_of(gate.control(2, annotated=False)), tol=1e-11)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (lib.CXGate(), {("MCP", 2): 1}),
        (lib.CYGate(), {("MCP", 2): 1}),
        (lib.CHGate(), {("MCP", 2): 1}),
        (lib.CSXGate(), {("MCP", 2): 1}),
        (lib.CPhaseGate(0.3), {("MCP", 2): 1}),
        (lib.CPhaseGate(1e-20), {("MCP", 2): 1}),
        (lib.CPhaseGate(0.0), {}),
        (lib.CPhaseGate(2 * np.pi), {}),
        (lib.CRZGate(0.3), {("PARITY", 2): 1}),
        (lib.CRXGate(0.3), {("PARITY", 2): 1}),
        (lib.CRYGate(0.3), {("PARITY", 2): 1}),
        (lib.CUGate(0.1, 0.2, 0.3, 0.4), {("PARITY", 2): 1}),
        (lib.CU3Gate(0.1, 0.2, 0.3), {("PARITY", 2): 1}),
        (lib.CU3Gate(1e-20, 0.2, -0.2), {("MCP", 2): 1}),
        (lib.RZZGate(0.3), {("PARITY", 2): 1}),
        (lib.RZZGate(np.pi), {}),
        (lib.RXXGate(0.3), {("PARITY", 2): 1}),
        (lib.RYYGate(0.3), {("PARITY", 2): 1}),
        (lib.RZXGate(0.3), {("PARITY", 2): 1}),
        (lib.ECRGate(), {("PARITY", 2): 1}),
        (lib.SwapGate(), {}),
        (lib.iSwapGate(), {("MCP", 2): 1}),
        (lib.DCXGate(), {("MCP", 2): 1}),
        (lib.XXPlusYYGate(0.3, 0.2), {("PARITY", 2): 2}),
        (lib.XXPlusYYGate(np.pi, 0.2), {("MCP", 2): 1}),
        (lib.XXMinusYYGate(0.3, 0.2), {("PARITY", 2): 2}),
        (lib.CCXGate(), {("MCP", 3): 1}),
        (lib.CCXGate(ctrl_state=1), {("MCP", 3): 1}),
        (lib.CCZGate(), {("MCP", 3): 1}),
        (lib.C3XGate(), {("MCP", 4): 1}),
        (lib.C3SXGate(), {("MCP", 4): 1}),
        (lib.C4XGate(), {("MCP", 5): 1}),
        (lib.MCXGate(6), {("MCP", 7): 1}),
        (lib.MCPhaseGate(0.3, 5), {("MCP", 6): 1}),
        (lib.HGate().control(3, annotated=False), {("MCP", 4): 1}),
        (lib.RXGate(0.3).control(3, annotated=False), {("MCP", 4): 1, ("MCP", 3): 1}),
        (lib.CSwapGate(), {("MCP", 2): 2, ("MCP", 3): 1}),
        (lib.RCCXGate(), {("MCP", 2): 3}),
        (lib.RZZGate(0.3).control(1, annotated=False), {("PARITY", 2): 1, ("PARITY", 3): 1}),
        (lib.GlobalPhaseGate(0.3).control(3, annotated=False), {("MCP", 3): 1}),
        (lib.PauliGate("XYZ"), {}),
        (lib.PermutationGate([2, 0, 1, 3]), {}),
        (lib.PauliProductRotationGate(Pauli("-XIYZ"), 0.3), {("PARITY", 3): 1}),
        (lib.PauliEvolutionGate(SparsePauliOp("XYZX"), 0.3), {("PARITY", 4): 1}),
        (lib.DiagonalGate([1] * 7 + [-1]), {("MCP", 3): 1}),
        (lib.DiagonalGate([1, 1, -1, 1, 1, 1, 1, 1]), {("MCP", 3): 1}),
        (lib.UCRZGate([0.3, -0.3, -0.3, 0.3]), {("PARITY", 3): 1}),
        (lib.QFTGate(4), {("MCP", 2): 6}),
    ],
    ids=lambda v: v.name if hasattr(v, "name") else "",
)
def test_number_of_factors(gate, expected):
    assert factors(assert_equal(circuit_of(gate), tol=1e-11)) == expected


@pytest.mark.parametrize("base", [lib.HGate(), lib.CXGate(), lib.CUGate(0.1, 0.2, 0.3, 0.4), lib.CSwapGate()])
def test_annotated_control_takes_no_more_factors(base):
    plain = base.control(2, ctrl_state=1, annotated=False)
    annotated = base.control(2, ctrl_state=1, annotated=True)
    assert factors(assert_equal(circuit_of(annotated))) == factors(assert_equal(circuit_of(plain)))


def test_cx_rz_cx_stays_two_factors():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.rz(0.3, 1)
    circuit.cx(0, 1)
    assert factors(assert_equal(circuit)) == {("MCP", 2): 2}


def test_swaps_are_relabelled():
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.swap(0, 1)
    circuit.cx(1, 2)
    circuit.append(lib.PermutationGate([1, 2, 0]), [0, 1, 2])
    circuit.t(0)
    circuit.swap(2, 0)
    logical = assert_equal(circuit)
    assert sorted(logical.output_wire.tolist()) == [0, 1, 2]
    assert factors(logical) == {("MCP", 2): 1}


# -- matrices ----------------------------------------------------------------------------------------------------

_A, _B, _C, _D = (random_unitary(2, seed=k).data for k in range(4))
_MATRICES = {
    "swap": (lib.SwapGate(), 0),
    "cx": (lib.CXGate(), 1),
    "iswap": (lib.iSwapGate(), 1),
    "dcx": (lib.DCXGate(), 1),
    "ecr": (lib.ECRGate(), 1),
    "cu": (lib.CUGate(0.1, 0.2, 0.3, 0.4), 1),
    "open cu": (lib.CUGate(0.1, 0.2, 0.3, 0.4, ctrl_state=0), 1),
    "tiny rzz": (lib.RZZGate(1e-9), 1),
    "tiny rxx": (lib.RXXGate(1e-7), 1),
    "xx+yy": (lib.XXPlusYYGate(0.3, 0.1), 2),
    "ccx": (lib.CCXGate(), 1),
    "c3x open": (lib.XGate().control(3, ctrl_state=2, annotated=False), 1),
    "ccy": (lib.YGate().control(2, annotated=False), 1),
    "ccz": (lib.CCZGate(), 1),
    "random": (random_unitary(4, seed=5), 3),
    "local": (np.kron(_A, _B), 0),
    "local cx": (np.kron(_A, _B) @ lib.CXGate().to_matrix() @ np.kron(_C, _D), 1),
    "local tiny rxx": (np.kron(_A, _B) @ lib.RXXGate(1e-6).to_matrix() @ np.kron(_C, _D), 1),
    "local iswap": (np.kron(_A, _B) @ lib.iSwapGate().to_matrix() @ np.kron(_C, _D), 1),
    "controlled either way": (np.block([[_A, 0 * _A], [0 * _A, _B]]), 1),
    "crossed": (np.block([[0 * _A, _A], [_B, 0 * _A]]), 1),
    "diagonal": (np.diag(np.exp(1j * np.arange(4) ** 2)), 1),
    "x x": (lib.PauliGate("XX"), 0),
}


@pytest.mark.parametrize("name", _MATRICES)
def test_unitary_gates(name):
    source, expected = _MATRICES[name]
    matrix = Operator(source).data
    gate = lib.UnitaryGate(matrix)
    assert assert_equal(circuit_of(gate)).num_two_qubit_gates == expected
    # Not annotated=False: Qiskit then rounds the gate to a nearby one.
    assert_equal(circuit_of(gate.control(1, annotated=True)))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_random_unitaries(size, seed):
    assert_equal(circuit_of(lib.UnitaryGate(random_unitary(2**size, seed=seed))))


@pytest.mark.parametrize("exact", ["X", "Y", "Z", "H", "S", "T", "I"])
def test_one_qubit_matrices_keep_their_kind(exact):
    matrix = getattr(lib, f"{exact}Gate")().to_matrix()
    logical = merge_one_qubit(assert_equal(circuit_of(lib.UnitaryGate(matrix))))
    assert [Op(c).name for c in logical.code] == ([] if exact == "I" else [exact])


def test_diagonal_gates_of_five_qubits():
    phases = np.exp(1j * np.random.default_rng(1).normal(size=32))
    logical = assert_equal(circuit_of(lib.DiagonalGate(list(phases))))
    assert set(logical.code[logical.arity > 1].tolist()) == {int(Op.MCP)}


# -- composite operations ----------------------------------------------------------------------------------------


def _sub_circuit():
    sub = QuantumCircuit(3, global_phase=0.3)
    sub.h(0)
    sub.cx(0, 1)
    sub.rz(0.2, 1)
    sub.cx(0, 1)
    sub.swap(1, 2)
    sub.t(2)
    sub.u(0.1, 0.2, 0.3, 0)
    return sub.to_gate()


_COMPOSITE = {
    "definition": lambda: _sub_circuit(),
    "controlled definition": lambda: _sub_circuit().control(2, ctrl_state=1, annotated=False),
    "inverse": lambda: _sub_circuit().inverse(),
    "power": lambda: _sub_circuit().power(2),
    "repeat": lambda: _sub_circuit().repeat(3),
    "annotated definition": lambda: _sub_circuit().control(1, annotated=True),
    "annotated s": lambda: AnnotatedOperation(lib.SGate(), [InverseModifier(), ControlModifier(2, 1)]),
    "annotated twice": lambda: AnnotatedOperation(
        AnnotatedOperation(lib.RXGate(0.3), [ControlModifier(1, 0)]), [PowerModifier(0.4), ControlModifier(2, 2)]
    ),
    "annotated qft": lambda: AnnotatedOperation(lib.QFTGate(3), [ControlModifier(1, 0), InverseModifier()]),
    "annotated permutation": lambda: AnnotatedOperation(lib.PermutationGate([2, 0, 3, 1]), ControlModifier(1)),
    "annotated rotation": lambda: AnnotatedOperation(
        lib.PauliProductRotationGate(Pauli("XYZ"), 0.7), ControlModifier(3, 5)
    ),
    "controlled cu": lambda: lib.CUGate(0.1, 0.2, 0.3, 0.4).control(2, ctrl_state=1, annotated=False),
    "evolution": lambda: lib.PauliEvolutionGate(SparsePauliOp(["ZZI", "IZZ", "III"], [0.3, 0.2, 0.9]), time=0.7),
    "multiplexer": lambda: lib.UCGate([_A, _B, _C, _D]),
    "multiplexer of one": lambda: lib.UCGate([_A, _B]),
    "ucrx": lambda: lib.UCRXGate([0.1, 0.2, 0.3, 0.4]),
    "ucry": lambda: lib.UCRYGate([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]),
    "state preparation": lambda: lib.StatePreparation(random_statevector(8, seed=3)),
    "state label": lambda: lib.StatePreparation("01+-rl"),
    "state number": lambda: lib.StatePreparation(5, 4),
    "isometry": lambda: lib.Isometry(random_unitary(8, seed=3).data[:, :2], 0, 0),
    "mcmt": lambda: lib.MCMTGate(lib.HGate(), 2, 2),
    "linear function": lambda: lib.LinearFunction([[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
    "clifford": lambda: random_clifford(3, seed=3),
    "clifford gate": lambda: random_clifford(3, seed=3).to_instruction(),
    "adder": lambda: lib.FullAdderGate(2),
    "multiplier": lambda: lib.MultiplierGate(2),
    "comparator": lambda: lib.IntegerComparatorGate(3, 2),
    "and": lambda: lib.AndGate(3),
    "or": lambda: lib.OrGate(3),
    "graph state": lambda: lib.GraphStateGate([[0, 1, 1], [1, 0, 0], [1, 0, 0]]),
    "rv": lambda: lib.RVGate(0.1, 0.2, 0.3),
    "r3cx controlled": lambda: lib.RC3XGate().control(1, annotated=False),
}


@pytest.mark.parametrize("name", _COMPOSITE)
def test_composite_operations(name):
    assert_equal(circuit_of(_COMPOSITE[name]()))


def test_gate_with_a_matrix_only():
    from qiskit.circuit import Gate

    class Odd(Gate):
        def __init__(self):
            super().__init__("odd", 2, [])

        def __array__(self, dtype=None, copy=None):
            return np.asarray(lib.CPhaseGate(0.3).to_matrix(), dtype=dtype)

    assert factors(assert_equal(circuit_of(Odd()))) == {("MCP", 2): 1}


@pytest.mark.parametrize(
    "synthesis", [LieTrotter(reps=2), SuzukiTrotter(order=2), SuzukiTrotter(order=4), LieTrotter(wrap=True)]
)
def test_evolution_is_the_product_formula(synthesis):
    gate = lib.PauliEvolutionGate(SparsePauliOp(["XXZ", "IZY", "III"], [0.3, 0.2, 0.9]), 0.7, synthesis=synthesis)
    wanted = Operator(gate.definition).data
    np.testing.assert_allclose(Operator(to_qiskit(from_qiskit(circuit_of(gate)))).data, wanted, atol=1e-10)


def test_evolution_under_projectors():
    gate = lib.PauliEvolutionGate(SparseObservable.from_list([("01+", 0.3), ("0-X", 0.4)]), time=0.7)
    wanted = Operator(gate.definition).data
    np.testing.assert_allclose(Operator(to_qiskit(from_qiskit(circuit_of(gate)))).data, wanted, atol=1e-10)


def test_symbolic_evolution():
    time = Parameter("t")
    gate = lib.PauliEvolutionGate(SparsePauliOp(["XXZ", "IZY"], [0.3, 0.2]), time=time)
    logical = from_qiskit(circuit_of(gate))
    assert logical.parameters == (time,)
    bound = to_qiskit(logical).assign_parameters({time: 0.7})
    wanted = Operator(gate.definition.assign_parameters({time: 0.7})).data
    np.testing.assert_allclose(Operator(bound).data, wanted, atol=1e-10)


def test_parameters_stay_symbolic():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3, global_phase=a)
    circuit.rx(a, 0)
    circuit.crx(a + b, 0, 1)
    circuit.cu(a, b, -b, 0.3, 1, 2)
    circuit.append(lib.RGate(a, b).control(2, annotated=False), [0, 1, 2])
    circuit.append(lib.UGate(a, b, 0.1).control(2, annotated=True), [0, 1, 2])
    circuit.rz((a * 2).assign(a, 0.5), 2)
    logical = assert_equal(circuit, {a: 0.4, b: -1.3})
    assert logical.parameters == (a, b)
    assert np.isnan(logical.params[logical.param_expr >= 0]).all()


def test_integer_and_bound_parameters_are_numbers():
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rz((a * 2).assign(a, 1), 0)
    circuit.rx(np.float64(2), 0)
    circuit.ry(2, 0)
    logical = assert_equal(circuit)
    assert logical.params.tolist() == [2.0, 2.0, 2.0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 6))
def test_random_circuits(seed, width, depth):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        circuit = random_circuit(width, depth, max_operands=4, seed=seed)
    assert_equal(circuit)


def test_barriers_delays_and_idle_qubits():
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit.barrier()
    circuit.delay(100, 1)
    circuit.id(2)
    circuit.cx(0, 2)
    logical = assert_equal(circuit)
    assert logical.num_qubits == 4
    assert len(logical) == 4


def test_registers_and_names():
    from qiskit import ClassicalRegister, QuantumRegister
    from qiskit.circuit import Clbit, Qubit

    circuit = QuantumCircuit([Qubit()], QuantumRegister(2, "q"), [Clbit()], ClassicalRegister(2, "c"))
    circuit.measure(1, 2)
    logical = from_qiskit(circuit)
    assert [(r.name, r.bits) for r in logical.qubit_registers] == [("q", (1, 2))]
    assert [(r.name, r.bits) for r in logical.clbit_registers] == [("c", (1, 2))]
    assert logical.clbit_values == ((((), -1),), (((), -1),), (((), 0),))
    assert logical.name == "circuit"
    assert logical.blocks == ((0, 1, 1),)


def test_hundred_thousand_gates_are_read_in_seconds():
    import time

    circuit = QuantumCircuit(100)
    for k in range(100_000):
        if k % 2:
            circuit.cx(k % 100, (k + 7) % 100)
        else:
            circuit.rz(0.1, k % 100)
    start = time.perf_counter()
    logical = from_qiskit(circuit)
    assert time.perf_counter() - start < 5  # it takes 0.2 s on an idle machine
    assert len(logical) == 200_000
