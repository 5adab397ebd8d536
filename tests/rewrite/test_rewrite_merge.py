"""Merged one-qubit gates: the same circuit, in the promised shapes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.logical import CircuitBuilder
from distq.circuit.to_qiskit import to_qiskit
from distq.ops import NUM_ONE_QUBIT, NUM_PARAMS, Op
from distq.rewrite.merge import merge_one_qubit

PI = np.pi
DIAGONAL = {Op.Z, Op.S, Op.SDG, Op.T, Op.TDG, Op.P, Op.RZ}
FLIPS = {Op.X, Op.Y}


def run(*gates):
    """Merge a run on one wire: [(code, *parameters), ...]."""
    builder = CircuitBuilder(1)
    for code, *params in gates:
        builder.add(code, (0,), tuple(params))
    merged = merge_one_qubit(builder.build())
    return [
        (Op(c), *merged.params[merged.param_offsets[k] : merged.param_offsets[k + 1]].tolist())
        for k, c in enumerate(merged.code)
    ]


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ([(Op.H,), (Op.H,)], []),
        ([(Op.T,), (Op.T,)], [(Op.S,)]),
        ([(Op.S,), (Op.S,)], [(Op.Z,)]),
        ([(Op.T,), (Op.TDG,)], []),
        ([(Op.H,), (Op.X,), (Op.H,)], [(Op.Z,)]),
        ([(Op.H,), (Op.Z,), (Op.H,)], [(Op.X,)]),
        ([(Op.S,), (Op.X,), (Op.SDG,)], [(Op.Y,)]),
        ([(Op.S,), (Op.H,), (Op.S,)], [(Op.SXDG,)]),
        ([(Op.H,), (Op.RX, 0.3), (Op.H,)], [(Op.P, 0.3)]),
        ([(Op.RX, 0.3), (Op.RX, 0.4)], [(Op.RX, 0.7)]),
        ([(Op.RY, 0.3), (Op.RY, 0.4)], [(Op.RY, 0.7)]),
        ([(Op.RZ, 0.3), (Op.P, 0.4)], [(Op.P, 0.7)]),
        ([(Op.X,), (Op.T,)], [(Op.X,), (Op.T,)]),
        ([(Op.P, 0.3), (Op.X,)], [(Op.X,), (Op.P, -0.3)]),
        ([(Op.X,), (Op.RZ, 0.3), (Op.X,)], [(Op.P, -0.3)]),
        ([(Op.Y,), (Op.X,)], [(Op.Z,)]),
        ([(Op.SX,), (Op.SX,)], [(Op.X,)]),
        # One gate keeps its name, but for gates that hide what they are.
        ([(Op.RZ, PI / 2)], [(Op.RZ, PI / 2)]),
        ([(Op.P, PI)], [(Op.P, PI)]),
        ([(Op.RX, PI / 2)], [(Op.RX, PI / 2)]),
        ([(Op.SDG,)], [(Op.SDG,)]),
        ([(Op.RX, PI)], [(Op.X,)]),
        ([(Op.RY, -PI)], [(Op.Y,)]),
        ([(Op.RX, 0.0)], []),
        ([(Op.RZ, 2 * PI)], []),
        ([(Op.P, 0.0)], []),
        ([(Op.U, PI / 2, 0.0, PI)], [(Op.H,)]),
        ([(Op.U, 0.0, 0.2, 0.1)], [(Op.P, pytest.approx(0.3))]),
        ([(Op.U, PI, 0.2, 0.1 + PI)], [(Op.X,), (Op.P, pytest.approx(0.1))]),
        ([(Op.U, 0.1, 0.2, 0.3)], [(Op.U, 0.1, 0.2, 0.3)]),
    ],
)
def test_shapes(gates, expected):
    found = run(*gates)
    assert [g[0] for g in found] == [g[0] for g in expected]
    for mine, wanted in zip(found, expected):
        assert list(mine[1:]) == pytest.approx(list(wanted[1:]), abs=1e-14)


ANGLES = st.sampled_from([0.0, 0.3, -1.2, PI / 4, PI / 2, -PI / 2, PI, 2 * PI, 5.0])
GATES = st.integers(0, NUM_ONE_QUBIT - 1).flatmap(lambda c: st.tuples(st.just(Op(c)), *[ANGLES] * NUM_PARAMS[c]))


def matrix_of(circuit):
    return Operator(to_qiskit(circuit)).data


def same(a, b):
    return abs(abs(np.vdot(a, b)) - len(a)) < 1e-9


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(GATES, max_size=8))
def test_runs(gates):
    builder = CircuitBuilder(1)
    for code, *params in gates:
        builder.add(code, (0,), tuple(params))
    before = builder.build()
    after = merge_one_qubit(before)
    wanted = matrix_of(before)
    assert same(matrix_of(after), wanted)
    assert len(after) <= max(2, len(before))
    kinds = {Op(c) for c in after.code}
    if abs(wanted[0, 1]) < 1e-12:
        assert kinds <= DIAGONAL
    elif abs(wanted[0, 0]) < 1e-12:
        assert kinds <= DIAGONAL | FLIPS
        assert len(kinds & FLIPS) == 1
    again = merge_one_qubit(after)
    assert len(again) <= len(after)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_circuits(seed):
    rng = np.random.default_rng(seed)
    builder = CircuitBuilder(3)
    for _ in range(40):
        code = int(rng.integers(0, 17))
        if code < NUM_ONE_QUBIT:
            qubits = (int(rng.integers(3)),)
        else:
            qubits = tuple(int(q) for q in rng.permutation(3)[: rng.integers(2, 4)])
        builder.add(code, qubits, tuple(float(v) for v in rng.choice([0.2, PI / 2, PI, -1.0], NUM_PARAMS[code])))
    before = builder.build()
    after = merge_one_qubit(before)
    assert same(matrix_of(after), matrix_of(before))
    assert after.num_two_qubit_gates == before.num_two_qubit_gates
    ones = after.code < NUM_ONE_QUBIT
    assert int(ones.sum()) <= int((before.code < NUM_ONE_QUBIT).sum()) + 3


def test_symbolic_gates_end_a_run():
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.h(0)
    circuit.rx(a, 0)
    circuit.t(0)
    circuit.t(0)
    merged = merge_one_qubit(from_qiskit(circuit))
    assert [Op(c) for c in merged.code] == [Op.RX, Op.S]
    assert merged.param_expr.tolist() == [0]
    assert np.isnan(merged.params[0])


def test_guards_measurements_and_resets_end_a_run():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.x(1)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.x(1)
    circuit.reset(0)
    circuit.h(0)
    before = from_qiskit(circuit)
    merged = merge_one_qubit(before)
    assert sorted(merged.code.tolist()) == sorted(before.code.tolist())
    assert merged.guards == before.guards
    assert int((merged.guard >= 0).sum()) == 1
    assert merged.bit[merged.code == Op.MEASURE].tolist() == [0]


def test_blocks_are_kept_apart():
    builder = CircuitBuilder(2)
    for _ in range(4):
        builder.add(Op.H, (0,))
    builder.add(Op.T, (1,))
    circuit = replace(builder.build(), blocks=((0, 1, 1), (1, 3, 5), (3, 5, 1)))
    merged = merge_one_qubit(circuit)
    assert [Op(c) for c in merged.code] == [Op.H, Op.H, Op.T]
    assert merged.blocks == ((0, 1, 1), (1, 1, 5), (1, 3, 1))


def test_empty_circuit():
    assert len(merge_one_qubit(CircuitBuilder(3).build())) == 0


def test_a_million_gates():
    import time

    n = 1_000_000
    rng = np.random.default_rng(0)
    code = rng.integers(0, 10, n).astype(np.uint8)
    circuit = replace(
        CircuitBuilder(1000).build(),
        code=code,
        qubit_offsets=np.arange(n + 1),
        qubits=rng.integers(0, 1000, n).astype(np.int32),
        param_offsets=np.zeros(n + 1, np.int64),
        guard=np.full(n, -1, np.int32),
        bit=np.full(n, -1, np.int32),
        blocks=((0, n, 1),),
    )
    merge_one_qubit(circuit)
    start = time.perf_counter()
    merged = merge_one_qubit(circuit)
    assert time.perf_counter() - start < 5  # it takes 0.2 s on an idle machine
    assert len(merged) <= 2000
