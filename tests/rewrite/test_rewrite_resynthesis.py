"""Runs on two qubits: SWAPs become relabellings, blocks their Weyl factors, and nothing loses precision."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import DCXGate, SwapGate, iSwapGate
from qiskit.quantum_info import Operator, random_unitary

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.to_qiskit import to_qiskit
from distq.ops import Op
from distq.rewrite.passes import TECHNIQUES, enabled, rewrite
from distq.rewrite.resynthesis import count_factors, resynthesise
from distq.testing.random_circuits import RandomChoices, random_circuit

PI = math.pi
BASES = (("cx", "u"), ("cz", "rz", "sx", "x"))
NETWORK = distq.Network.all_to_all(2, data=2, comm=None)


def wide(circuit):
    return [int(c) for c, k in zip(circuit.code, circuit.arity) if k > 1]


def same(a, b):
    return Operator(to_qiskit(a)).equiv(Operator(to_qiskit(b)), atol=1e-8)


def expected_wires(circuit):
    return circuit.output_wire.tolist()


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(("gate", "gates"), [(SwapGate(), 0), (DCXGate(), 1), (iSwapGate(), 1)])
def test_a_swap_is_a_relabelling(gate, gates, basis):
    circuit = QuantumCircuit(3)
    circuit.cp(0.3, 0, 2)
    circuit.append(gate, [0, 1])
    circuit.cp(0.4, 0, 2)
    before = from_qiskit(transpile(circuit, basis_gates=list(basis), optimization_level=0))
    after = rewrite(before, TECHNIQUES)
    assert len(wide(after)) == 2 + gates
    assert expected_wires(after) == [1, 0, 2]
    assert same(before, after)
    # The same without the technique: wires keep their names.
    assert expected_wires(rewrite(before, enabled(("resynthesis",)))) == [0, 1, 2]


def test_a_swap_takes_a_rotation_with_it():
    circuit = QuantumCircuit(2)
    for a, b in ((0, 1), (1, 0), (0, 1)):
        circuit.cx(a, b)
    circuit.h(0)
    circuit.rzz(0.7, 0, 1)
    before = from_qiskit(circuit)
    after = resynthesise(before, swaps=True)
    assert len(wide(after)) == 1
    assert same(before, after)
    assert after.rewrites[0].swaps


def test_factors_of_known_gates():
    one = [np.kron(random_unitary(2, seed=s).data, random_unitary(2, seed=s + 9).data) for s in range(2)]
    swap = SwapGate().to_matrix()
    zz = np.diag(np.exp(1j * 0.3 * np.array([1, -1, -1, 1])))
    cx = np.diag([1, 1, 1, -1]) + 0j
    xx = np.kron([[0, 1], [1, 0]], [[0, 1], [1, 0]])
    two = zz @ (math.cos(0.4) * np.eye(4) - 1j * math.sin(0.4) * xx)
    cases = [(np.eye(4) + 0j, 0, 3), (zz, 1, 3), (cx, 1, 2), (two, 2, 3), (random_unitary(4, seed=3).data, 3, 3)]
    matrices = np.array([one[0] @ m @ one[1] for m, _, _ in cases])
    plain, mirrored = count_factors(matrices)
    assert plain.tolist() == [c[1] for c in cases]
    assert mirrored.tolist() == [c[2] for c in cases]
    assert count_factors(swap @ matrices)[0].tolist() == mirrored.tolist()


def test_many_gates_on_one_pair_are_three_factors():
    circuit = QuantumCircuit(2)
    for seed in range(6):
        circuit.cx(seed % 2, 1 - seed % 2)
        circuit.unitary(random_unitary(2, seed=seed), 0)
        circuit.unitary(random_unitary(2, seed=seed + 50), 1)
    before = from_qiskit(circuit)
    after = rewrite(before, TECHNIQUES)
    assert len(wide(after)) == 3
    assert same(before, after)


@pytest.mark.parametrize("angle", [1e-7, 1e-20])
def test_small_angles_stay(angle):
    """The axis of a small rotation is lost in the matrix of a run; the gate is kept as it is."""
    circuit = QuantumCircuit(2)
    circuit.cp(angle, 0, 1)
    circuit.u(0.1, 0.2, 0.3, 0)
    circuit.cx(0, 1)
    circuit.u(0.1, 0.2, 0.3, 0)
    circuit.cp(angle, 0, 1)
    before = from_qiskit(circuit)
    assert rewrite(before, TECHNIQUES) is before


def test_a_small_factor_is_not_made():
    """One small factor, whose axes a matrix does not tell."""
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.rx(1e-8, 0)
    circuit.cx(0, 1)
    before = from_qiskit(circuit)
    assert resynthesise(before) is before


def test_equal_axes_stay_exact():
    circuit = QuantumCircuit(2)
    circuit.cp(0.1, 0, 1)
    circuit.rz(0.2, 0)
    circuit.x(1)
    circuit.cp(0.2, 0, 1)
    before = from_qiskit(circuit)
    assert resynthesise(before) is before


@pytest.mark.parametrize("wall", ["symbol", "measure", "if", "other"])
def test_what_ends_a_run(wall):
    circuit = QuantumCircuit(3, 1)
    circuit.measure(2, 0)
    circuit.cx(0, 1)
    circuit.cx(1, 0)
    if wall == "symbol":
        circuit.rx(Parameter("t"), 0)
    elif wall == "measure":
        circuit.measure(0, 0)
    elif wall == "if":
        with circuit.if_test((0, 1)):
            circuit.h(0)
    else:
        circuit.rxx(0.1, 0, 2)
    circuit.cx(0, 1)
    before = from_qiskit(circuit)
    assert resynthesise(before, swaps=True) is before


def test_witnesses_come_in_any_order():
    """A block with a SWAP that comes later in the list and earlier in the circuit; blocks of other passes between."""
    circuit = QuantumCircuit(4)
    circuit.cx(2, 1)
    circuit.u(0.98, 0.53, 0.7, 1)
    circuit.cx(0, 3)
    circuit.cx(3, 0)
    circuit.iswap(0, 1)
    circuit.u(0.6, 1, 2, 0)
    for a, b in ((2, 0), (0, 2), (2, 0)):
        circuit.cx(a, b)
    circuit.cx(0, 1)
    circuit.rz(0.4, 1)
    circuit.cx(0, 1)
    program = distq.compile(circuit, NETWORK, effort="fast")
    assert program.stats["verified"]["ok"]
    assert distq.verify(circuit, program, method="statevector").ok
    # Unless the SWAPs are told, no verifier believes the program.
    assert sum(bool(r.swaps) for r in rewrite(from_qiskit(circuit), TECHNIQUES).rewrites) == 3


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_random_circuits_rich_in_runs(seed):
    choices = RandomChoices(seed)
    circuit = random_circuit(choices, choices.integer(2, 4), 8, ("runs", "clifford", "unitary", "swap"))
    before = from_qiskit(circuit)
    after = rewrite(before, TECHNIQUES)
    assert same(before, after)
    assert len(wide(rewrite(before, enabled(("embedding",))))) <= len(wide(before))
    untracked = resynthesise(before_without_origins(before))
    assert same(before, untracked)
    assert not untracked.rewrites


def before_without_origins(circuit):
    from dataclasses import replace

    return replace(circuit, origin=np.zeros(0, np.int32), rewrites=())


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_programs_are_verified(seed):
    choices = RandomChoices(seed)
    circuit = random_circuit(choices, 4, 8, ("runs", "standard", "swap", "measure", "conditional"))
    program = distq.compile(circuit, NETWORK, effort="fast", seed=seed % 7)
    assert program.stats["verified"]["ok"]


def test_a_long_circuit_takes_less_than_a_second():
    import time

    circuit = QuantumCircuit(40)
    rng = np.random.default_rng(1)
    a, b = 0, 1
    for _ in range(10_000):
        a, b = b, int(rng.choice([q for q in range(40) if q not in (a, b)]))
        circuit.cx(a, b)
        circuit.cx(b, a)
        circuit.cx(a, b)
    before = from_qiskit(circuit)
    resynthesise(from_qiskit(circuit.copy_empty_like()), swaps=True)
    start = time.process_time()
    after = resynthesise(before, swaps=True)
    assert time.process_time() - start < 5.0
    assert wide(after) == []
    assert all(code != Op.MCP for code in after.code)


def test_moved_rotations_are_noticed():
    """T and the CRZ between two CX stand in one run of commuting legs with the block that takes their place."""
    circuit = QuantumCircuit(2)
    circuit.cx(1, 0)
    circuit.t(0)
    circuit.crz(PI, 0, 1)
    circuit.cx(1, 0)
    before = from_qiskit(circuit)
    after = rewrite(before, ("gadgets",))
    assert [set(r.sources) for r in after.rewrites] == [{0, 2, 3}]
    assert distq.compile(circuit, NETWORK, effort="fast").stats["verified"]["ok"]
