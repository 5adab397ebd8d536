"""Where rows come from: paths lead to the instruction, and a witness equals what it replaces."""

import numpy as np
import pytest
import qiskit.circuit.library as lib
from hypothesis import given, settings
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import AnnotatedOperation, ControlModifier, InverseModifier, Parameter, PowerModifier
from qiskit.quantum_info import SparsePauliOp, random_unitary
from witness_checks import check, follow

from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.logical import NO_ORIGIN
from distq.rewrite.merge import merge_one_qubit
from distq.testing import strategies

A = Parameter("a")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(strategies.circuits(1, 5, 14))
def test_random_circuits(circuit):
    check(circuit, from_qiskit(circuit))


#: Gates that become other rows here than a reader without our rules would make.
WITNESSED = [
    lib.iSwapGate(),
    lib.DCXGate(),
    lib.ECRGate(),
    lib.XXPlusYYGate(0.3, 0.2),
    lib.XXPlusYYGate(np.pi, 0.2),
    lib.XXMinusYYGate(0.3, 0.2),
    lib.UnitaryGate(random_unitary(4, seed=1)),
    lib.UnitaryGate(np.eye(4)[[0, 2, 1, 3]]),
    lib.UnitaryGate(np.diag(np.exp(1j * np.arange(8) ** 2))),
    lib.DiagonalGate([1, 1j, -1, 1, 1, -1j, 1, 1]),
    lib.UCRZGate([0.1, 0.2, 0.3, 0.4]),
    lib.UCRYGate([0.1, 0.2]),
    lib.UCGate([np.eye(2), np.array([[0, 1], [1, 0]])]),
    lib.PauliEvolutionGate(SparsePauliOp(["XX", "ZY"], [0.2, 0.3])),
    lib.CUGate(A, 0.1, 0.2, 0.3),
    lib.CU3Gate(A, 0.1, 0.2),
    lib.iSwapGate().control(1, annotated=False),
    lib.RZZGate(0.4).control(2, annotated=False),
    lib.SwapGate().control(2, annotated=False),
    AnnotatedOperation(lib.SXGate(), [ControlModifier(1), PowerModifier(0.3)]),
    AnnotatedOperation(lib.iSwapGate(), [InverseModifier()]),
]
PLAIN = [
    lib.CXGate(), lib.CYGate(), lib.CZGate(), lib.CHGate(), lib.CPhaseGate(A), lib.CRXGate(A), lib.CRYGate(0.1),
    lib.CRZGate(A), lib.CUGate(0.1, 0.2, 0.3, 0.4), lib.CSXGate(), lib.RXXGate(A), lib.RYYGate(0.1), lib.RZZGate(A),
    lib.RZXGate(0.1), lib.SwapGate(), lib.CCXGate(), lib.CCZGate(), lib.CSwapGate(), lib.MCXGate(4),
    lib.MCPhaseGate(A, 3), lib.XGate().control(3, ctrl_state=2, annotated=False), lib.RCCXGate(), lib.C3XGate(),
    lib.PauliGate("XYZ"), lib.PermutationGate([2, 0, 1]), lib.PauliEvolutionGate(SparsePauliOp(["XYZ"], [0.2]), 0.7),
    lib.HGate(), AnnotatedOperation(lib.SXGate(), [ControlModifier(2, 1), PowerModifier(3), InverseModifier()]),
    AnnotatedOperation(lib.CPhaseGate(0.3), [ControlModifier(1)]),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize(("gate", "count"), [(g, 1) for g in WITNESSED] + [(g, 0) for g in PLAIN])
def test_witnesses(gate, count):
    circuit = QuantumCircuit(gate.num_qubits + 1)
    circuit.swap(0, gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    circuit.barrier()
    circuit.append(gate, reversed(range(1, gate.num_qubits + 1)))
    logical = from_qiskit(circuit)
    assert len(logical.rewrites) == 2 * count
    assert logical.paths == ()
    assert check(circuit, logical) >= (1 if gate.name == "permutation" else 3)


def test_numbers_are_positions():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.barrier()
    circuit.id(1)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    logical = from_qiskit(circuit)
    assert logical.paths == ()
    assert logical.origin.tolist() == [0, 3, 3, 3, 4]
    merged = merge_one_qubit(logical)
    assert len(merged.origin) == 0
    assert NO_ORIGIN not in logical.origin


def test_paths():
    inner = QuantumCircuit(2, name="inner")
    inner.cx(0, 1)
    inner.iswap(0, 1)
    outer = QuantumCircuit(2, name="outer")
    outer.h(0)
    outer.append(inner.to_gate(), [1, 0])
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(2, "c"))
    circuit.x(2)
    circuit.append(outer.to_gate(), [2, 0])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[0], 1)) as otherwise:
        circuit.append(inner.to_gate(), [0, 1])
        with circuit.for_loop(range(3, 5), A):
            circuit.rz(A, 0)
            circuit.swap(1, 2)
    with otherwise:
        circuit.cz(0, 2)
        circuit.ecr(2, 1)
    circuit.cx(0, 1)
    logical = from_qiskit(circuit)
    check(circuit, logical)
    leaf = {p: follow(circuit, p)[0].name for p in logical.paths}
    named = {path: name for path, name in leaf.items() if name in ("iswap", "ecr", "swap", "rz", "cx")}
    assert named == {
        (1, 1, 0): "cx",
        (1, 1, 1): "iswap",
        (4, 0, 0, 0): "cx",
        (4, 0, 0, 1): "iswap",
        (4, 0, 1, 0, 0): "rz",
        (4, 0, 1, 0, 1): "swap",
        (4, 0, 1, 1, 0): "rz",
        (4, 0, 1, 1, 1): "swap",
        (4, 1, 1): "ecr",
        (5,): "cx",
    }
    assert len(logical.paths) == len(set(logical.paths))
    places = [logical.paths[r.sources[0]] for r in logical.rewrites]
    # The else branch is walked for several conjunctions, but has one witness.
    assert places == [(1, 1, 1), (4, 0, 0, 1), (4, 0, 1, 0, 1), (4, 0, 1, 1, 1), (4, 1, 1)]
    ecr = [r for r, origin in enumerate(logical.origin) if origin == -5]
    assert len(ecr) == 2 * len(logical.rewrites[4].rows)


def test_a_matrix_is_named_by_its_gate():
    class Odd(lib.iSwapGate.__bases__[0]):
        def __init__(self):
            super().__init__("odd", 2, [])

        def to_matrix(self):
            return random_unitary(4, seed=3).data

    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.append(Odd(), [2, 1])
    circuit.cx(0, 1)
    logical = from_qiskit(circuit)
    assert logical.paths == ((0,), (1,), (2,))
    assert [r.sources for r in logical.rewrites] == [(1,)]
    check(circuit, logical)


def test_exchanges_inside_conditionals_are_gates():
    circuit = QuantumCircuit(3, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.swap(0, 1)
        circuit.append(lib.PermutationGate([2, 0, 1]), [0, 1, 2])
        circuit.iswap(0, 1)
    logical = from_qiskit(circuit)
    assert [len(r.rows) for r in logical.rewrites] == [9, 18, 10]
    assert all(r.swaps == () for r in logical.rewrites)
    check(circuit, logical)


def test_scale():
    rng = np.random.default_rng(0)
    circuit = QuantumCircuit(40)
    for _ in range(4000):
        a, b = (int(v) for v in rng.choice(40, 2, replace=False))
        circuit.cx(a, b)
        circuit.rz(0.1, b)
        circuit.cx(a, b)
    logical = from_qiskit(circuit)
    assert logical.paths == ()
    assert logical.rewrites == ()
    assert np.array_equal(np.bincount(logical.origin), np.tile([3, 1, 3], 4000))
