"""Expanded gates: two qubits at most, the same circuit, guards and symbols kept."""

from dataclasses import replace

import numpy as np
import pytest
from circuit_branches import densities, logical_branches, random_state
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.logical import CircuitBuilder
from distq.circuit.to_qiskit import to_qiskit
from distq.ops import Op
from distq.rewrite.expand import expand_gates


def one(code, size, angle):
    builder = CircuitBuilder(size)
    builder.add(code, tuple(reversed(range(size))), (angle,))
    return builder.build()


def same(a, b):
    a, b = Operator(to_qiskit(a)).data, Operator(to_qiskit(b)).data
    return np.abs(a - b * np.exp(1j * np.angle(np.vdot(b, a)))).max() < 1e-9


@pytest.mark.parametrize(("size", "count"), [(3, 5), (4, 13), (5, 27), (6, 61), (7, 125), (8, 235)])
@pytest.mark.parametrize("angle", [np.pi, 0.3])
def test_mcp(size, count, angle):
    circuit = one(Op.MCP, size, angle)
    found = expand_gates(circuit, [0])
    assert found.num_two_qubit_gates == count
    assert found.arity.max() == 2
    assert same(found, circuit)


@pytest.mark.parametrize("size", range(3, 9))
def test_parity(size):
    circuit = one(Op.PARITY, size, 0.3)
    found = expand_gates(circuit, [0])
    assert found.num_two_qubit_gates == 2 * size - 3
    assert found.arity.max() == 2
    assert same(found, circuit)


def test_only_the_chosen_rows():
    circuit = QuantumCircuit(4)
    circuit.h([0, 1, 2, 3])
    circuit.ccz(0, 1, 2)
    circuit.ccx(1, 2, 3)
    circuit.cz(0, 1)
    before = from_qiskit(circuit)
    wide = np.flatnonzero(before.arity > 2)
    after = expand_gates(before, [int(wide[1]), 0, len(before) - 1])
    assert (after.arity > 2).sum() == 1
    assert same(after, before)
    assert expand_gates(before, []) is before


def test_symbolic_angle():
    a = Parameter("a")
    circuit = QuantumCircuit(5)
    circuit.rx(2 * a, 0)
    circuit.mcp(a, [0, 1, 2], 3)
    circuit.mcp(a / 3, [0, 1, 2, 3], 4)
    before = from_qiskit(circuit)
    after = expand_gates(before, range(len(before)))
    assert after.parameters == (a,)
    assert after.param_expr.max() == len(after.expressions) - 1
    bound = to_qiskit(after).assign_parameters({a: 0.7})
    wanted = Operator(circuit.assign_parameters({a: 0.7})).data
    found = Operator(bound).data
    found = found * np.exp(1j * np.angle(np.vdot(found, wanted)))
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("build", [lambda c: c.ccx(0, 1, 2), lambda c: c.mcp(0.3, [0, 1, 2], 3), lambda c: _parity(c)])
def test_guards(build):
    circuit = QuantumCircuit(4, 1)
    circuit.h(3)
    circuit.measure(3, 0)
    circuit.h(3)
    with circuit.if_test((0, 1)):
        build(circuit)
    before = from_qiskit(circuit)
    after = expand_gates(before, range(len(before)))
    assert after.arity.max() == 2
    assert (after.guard[after.arity == 2] >= 0).all()
    state = random_state(4, 1)
    wanted, found = (densities(logical_branches(c, state)) for c in (before, after))
    assert set(wanted) == set(found)
    for bits in wanted:
        np.testing.assert_allclose(found[bits], wanted[bits], atol=1e-9)


def _parity(circuit):
    from qiskit.circuit.library import PauliProductRotationGate
    from qiskit.quantum_info import Pauli

    circuit.append(PauliProductRotationGate(Pauli("ZZXZ"), 0.4), [0, 1, 2, 3])


def test_blocks_move_along():
    builder = CircuitBuilder(3)
    builder.add(Op.H, (0,))
    builder.add(Op.MCP, (0, 1, 2), (np.pi,))
    builder.add(Op.X, (1,))
    builder.add(Op.PARITY, (0, 1, 2), (0.2,))
    builder.add(Op.H, (2,))
    before = replace(builder.build(), blocks=((0, 2, 1), (2, 4, 3), (4, 5, 1)))
    after = expand_gates(before, range(5))
    (a0, a1, _), (b0, b1, n), (c0, c1, _) = after.blocks
    assert (a0, a1, n, c1) == (0, b0, 3, len(after))
    assert b1 == c0
    assert Op(after.code[b0]) is Op.X
    assert same(after, before)
