"""Conditionals, loops, boxes: every branch of the normal form against every branch of the source."""

import random

import numpy as np
import pytest
from circuit_branches import assert_same, logical_branches, source_branches
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Parameter, Qubit
from qiskit.circuit.classical import expr, types

from distq.circuit.from_qiskit import from_qiskit
from distq.ops import Op
from distq.rewrite.merge import merge_one_qubit


def guard_of(circuit, row):
    return circuit.guards[circuit.guard[row]] if circuit.guard[row] >= 0 else ()


def test_teleportation():
    circuit = QuantumCircuit(3, 3)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    circuit.measure(2, 2)
    logical = from_qiskit(circuit)
    assert_same(circuit, logical)
    assert logical.clbit_values == ((((), 0),), (((), 1),), (((), 2),))


def test_conjugating_gates_of_a_guarded_gate_carry_no_guard():
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.cx(0, 1)
        circuit.rx(0.3, 1)
    logical = from_qiskit(circuit)
    assert [(Op(c), guard_of(logical, r)) for r, c in enumerate(logical.code)] == [
        (Op.MEASURE, ()),
        (Op.H, ()),
        (Op.MCP, ((0, 1),)),
        (Op.H, ()),
        (Op.RX, ((0, 1),)),
    ]
    assert_same(circuit, logical)


@pytest.mark.parametrize(
    "build",
    [
        lambda c: c.swap(0, 1),
        lambda c: c.iswap(0, 1),
        lambda c: c.dcx(0, 1),
        lambda c: c.ecr(0, 1),
        lambda c: c.cswap(0, 1, 2),
        lambda c: c.ccx(0, 1, 2),
        lambda c: c.rccx(0, 1, 2),
        lambda c: c.cu(0.1, 0.2, 0.3, 0.4, 0, 1),
        lambda c: c.rzz(np.pi, 0, 1),
        lambda c: c.crz(0.4, 0, 1),
        lambda c: c.append(_permutation([2, 0, 1]), [0, 1, 2]),
        lambda c: c.unitary(_random_unitary(4), [0, 2]),
        lambda c: c.unitary(_swap_like(), [0, 2]),
        lambda c: c.initialize([0, 1], 1),
    ],
)
@pytest.mark.parametrize("value", [0, 1])
def test_guarded_gates(build, value):
    circuit = QuantumCircuit(3, 1)
    circuit.measure(2, 0)
    circuit.h(2)
    with circuit.if_test((0, value)):
        build(circuit)
    circuit.swap(1, 2)
    assert_same(circuit, from_qiskit(circuit))


def _permutation(pattern):
    from qiskit.circuit.library import PermutationGate

    return PermutationGate(pattern)


def _random_unitary(size):
    from qiskit.quantum_info import random_unitary

    return random_unitary(size, seed=5).data


def _swap_like():
    from qiskit.circuit.library import XXPlusYYGate

    return XXPlusYYGate(np.pi, 0.3).to_matrix()


def test_condition_bit_is_overwritten_in_the_body():
    circuit = QuantumCircuit(3, 2)
    circuit.h([0, 1, 2])
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as otherwise:
        circuit.measure(1, 0)
        circuit.x(2)
    with otherwise:
        circuit.measure(2, 0)
        circuit.h(1)
    with circuit.if_test((0, 1)):
        circuit.y(0)
    circuit.measure(0, 1)
    assert_same(circuit, from_qiskit(circuit))


def test_never_written_bits_are_resolved():
    circuit = QuantumCircuit(1, 2)
    with circuit.if_test((0, 1)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.h(0)
    with circuit.if_test((circuit.cregs[0], 0)):
        circuit.z(0)
    logical = from_qiskit(circuit)
    assert [Op(c) for c in logical.code] == [Op.H, Op.Z]
    assert set(logical.guard) == {-1}


def test_swap_under_a_resolved_condition_is_free():
    circuit = QuantumCircuit(2, 1)
    with circuit.if_test((0, 0)):
        circuit.swap(0, 1)
    logical = from_qiskit(circuit)
    assert len(logical) == 0
    assert logical.output_wire.tolist() == [1, 0]


def test_loop_parameter_and_nested_loops():
    circuit = QuantumCircuit(2, 1)
    angle = Parameter("a")
    with circuit.for_loop(range(1, 4), angle):
        circuit.rx(0.3 * angle, 0)
        circuit.cp(0.1 * angle, 0, 1)
        with circuit.for_loop((2, 5)):
            circuit.h(1)
            circuit.swap(0, 1)
    circuit.measure(0, 0)
    logical = from_qiskit(circuit)
    assert_same(circuit, logical)
    assert int((logical.code == Op.RX).sum()) == 3
    assert logical.parameters == ()


def test_measurement_in_a_loop_makes_versions():
    circuit = QuantumCircuit(2, 1)
    with circuit.for_loop(range(3)):
        circuit.h(0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.x(1)
    logical = from_qiskit(circuit)
    assert logical.bit_clbit == (0, 0, 0)
    assert logical.clbit_values == ((((), 2),),)
    assert_same(circuit, logical)


def test_box_is_inlined():
    circuit = QuantumCircuit(2, 1)
    with circuit.box():
        circuit.h(0)
        circuit.swap(0, 1)
        circuit.measure(1, 0)
    assert_same(circuit, from_qiskit(circuit))


def test_block_bits_in_another_order():
    body = QuantumCircuit([Qubit(), Qubit()], [Clbit(), Clbit()])
    body.h(0)
    body.cx(0, 1)
    body.measure(1, 0)
    inner = QuantumCircuit([Qubit()], [])
    inner.x(0)
    body.if_test((body.clbits[0], 1), inner, [0], [])
    circuit = QuantumCircuit(3, 3)
    circuit.h(2)
    circuit.measure(2, 1)
    circuit.if_else((circuit.clbits[1], 1), body, None, [2, 0], [2, 1])
    assert_same(circuit, from_qiskit(circuit))


def test_composite_instruction_with_measurement():
    part = QuantumCircuit(2, 1, name="part")
    part.cx(0, 1)
    part.measure(1, 0)
    part.reset(1)
    circuit = QuantumCircuit(3, 2)
    circuit.h(0)
    circuit.append(part.to_instruction(), [0, 2], [1])
    circuit.h(2)
    assert_same(circuit, from_qiskit(circuit))


def test_pauli_product_measurement():
    from qiskit.circuit.library import PauliProductMeasurement
    from qiskit.quantum_info import Pauli

    circuit = QuantumCircuit(3, 1)
    circuit.append(PauliProductMeasurement(Pauli("-XZY")), [0, 1, 2], [0])
    unrolled = circuit.decompose()
    assert_same(unrolled, from_qiskit(circuit))


@pytest.mark.parametrize("value", range(8))
def test_register_conditions(value):
    qubits, first, second = QuantumRegister(4, "q"), ClassicalRegister(3, "c"), ClassicalRegister(1, "d")
    circuit = QuantumCircuit(qubits, first, second)
    circuit.h(range(3))
    circuit.measure(range(3), first)
    with circuit.if_test((first, value)) as otherwise:
        circuit.x(3)
    with otherwise:
        circuit.h(3)
    circuit.measure(3, second)
    assert_same(circuit, from_qiskit(circuit), seeds=(1,))


def test_register_condition_beyond_the_register_never_holds():
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test(expr.equal(circuit.cregs[0], expr.lift(3, types.Uint(3)))):
        circuit.x(0)
    with circuit.if_test(expr.equal(circuit.cregs[0], expr.lift(7, types.Uint(3)))):
        circuit.y(0)
    logical = from_qiskit(circuit)
    assert [Op(c) for c in logical.code] == [Op.MEASURE, Op.MEASURE, Op.X]


EXPRESSIONS = {
    "and": lambda c: expr.bit_and(c.clbits[0], c.clbits[1]),
    "or": lambda c: expr.logic_or(c.clbits[0], c.clbits[2]),
    "xor": lambda c: expr.bit_xor(expr.bit_xor(c.clbits[0], c.clbits[1]), c.clbits[2]),
    "not": lambda c: expr.logic_not(c.clbits[1]),
    "bit not": lambda c: expr.equal(expr.bit_not(c.cregs[0]), 5),
    "equal registers": lambda c: expr.equal(c.cregs[0], c.cregs[1]),
    "not equal": lambda c: expr.not_equal(c.cregs[0], 3),
    "less": lambda c: expr.less(c.cregs[0], c.cregs[1]),
    "less equal": lambda c: expr.less_equal(c.cregs[0], 5),
    "greater": lambda c: expr.greater(c.cregs[0], 2),
    "greater equal": lambda c: expr.greater_equal(c.cregs[1], c.cregs[0]),
    "index": lambda c: expr.index(c.cregs[0], 1),
    "index by register": lambda c: expr.index(c.cregs[0], c.cregs[1]),
    "shift": lambda c: expr.equal(expr.shift_left(c.cregs[0], 1), 6),
    "shift by register": lambda c: expr.equal(expr.shift_right(c.cregs[0], c.cregs[1]), 1),
    "sum": lambda c: expr.equal(expr.add(c.cregs[0], c.cregs[1]), 6),
    "difference": lambda c: expr.equal(expr.sub(c.cregs[0], c.cregs[1]), 7),
    "cast": lambda c: expr.cast(c.cregs[0], types.Bool()),
    "nested": lambda c: expr.logic_and(
        expr.bit_or(c.clbits[0], expr.logic_not(c.clbits[4])), expr.not_equal(c.cregs[1], 2)
    ),
    "true": lambda c: expr.lift(True),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions(name):
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(3, "a"), ClassicalRegister(3, "b"))
    circuit.h([0, 1, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    circuit.h([0, 1, 2])
    circuit.measure([0, 1, 2], [3, 4, 5])
    with circuit.if_test(EXPRESSIONS[name](circuit)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.rx(0.3, 1)
    assert_same(circuit, from_qiskit(circuit), seeds=(1,))


def test_wide_equality_needs_one_conjunction():
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(40, "c"))
    for k in range(40):
        circuit.measure(0, k)
    with circuit.if_test((circuit.cregs[0], 2**39 + 5)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.y(0)
    logical = from_qiskit(circuit)
    assert int((logical.code == Op.X).sum()) == 1
    assert int((logical.code == Op.Y).sum()) == 40


def dynamic_circuit(seed):
    """Three qubits, four classical bits in two overlapping registers, nested control flow."""
    rng = random.Random(seed)
    bits = [Clbit() for _ in range(4)]
    circuit = QuantumCircuit(QuantumRegister(3, "q"), bits)
    circuit.add_register(ClassicalRegister(name="a", bits=bits[:2]), ClassicalRegister(name="b", bits=bits[1:]))
    circuit.h([0, 1])
    circuit.measure(0, rng.randrange(4))
    _fill(rng, circuit, [5], 0, rng.randint(4, 12))
    return circuit


def _fill(rng, circuit, measurements, depth, count):
    for _ in range(count):
        kind = rng.choice(["gate", "gate", "gate", "measure", "reset", "if", "if", "for"])
        a, b, c = rng.sample(range(3), 3)
        if kind in ("measure", "reset") and measurements[0] > 0:
            measurements[0] -= 1
            if kind == "measure":
                circuit.measure(a, rng.randrange(4))
            else:
                circuit.reset(a)
        elif depth < 3 and kind == "if":
            with circuit.if_test(_condition(rng, circuit)) as otherwise:
                _fill(rng, circuit, measurements, depth + 1, rng.randint(1, 3))
            if rng.random() < 0.5:
                with otherwise:
                    _fill(rng, circuit, measurements, depth + 1, rng.randint(1, 3))
        elif depth < 3 and kind == "for":
            with circuit.for_loop(range(2)):
                measurements[0] -= 1
                _fill(rng, circuit, measurements, depth + 1, rng.randint(1, 3))
        else:
            _add_gate(rng, circuit, a, b, c)


def _add_gate(rng, circuit, a, b, c):
    gate = rng.choice(["h", "x", "t", "rx", "u", "cx", "cp", "swap", "iswap", "ccx", "rzz", "ecr", "crx", "cswap"])
    angle = rng.choice([0.3, -1.1, np.pi / 2, np.pi])
    if gate in ("h", "x", "t"):
        getattr(circuit, gate)(a)
    elif gate == "rx":
        circuit.rx(angle, a)
    elif gate == "u":
        circuit.u(angle, 0.2, -0.7, a)
    elif gate in ("ccx", "cswap"):
        getattr(circuit, gate)(a, b, c)
    elif gate in ("cp", "rzz", "crx"):
        getattr(circuit, gate)(angle, a, b)
    else:
        getattr(circuit, gate)(a, b)


def _condition(rng, circuit):
    one, two = rng.choice(circuit.clbits), rng.choice(circuit.clbits)
    register = rng.choice(circuit.cregs)
    return rng.choice(
        [
            (one, rng.randint(0, 1)),
            (one, 1),
            (register, rng.randint(0, 3)),
            expr.bit_xor(one, two),
            expr.logic_or(one, expr.logic_not(two)),
            expr.less(register, 2),
            expr.not_equal(register, rng.randint(0, 3)),
        ]
    )


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_random_dynamic_circuits(seed):
    circuit = dynamic_circuit(seed)
    logical = from_qiskit(circuit)
    assert_same(circuit, logical, seeds=(1,))
    assert_same(circuit, merge_one_qubit(logical), seeds=(2,))


def test_the_simulators_see_a_wrong_guard():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    other = circuit.copy_empty_like()
    other.h(0)
    other.measure(0, 0)
    with other.if_test((0, 0)):
        other.x(1)
    with pytest.raises(AssertionError):
        assert_same(circuit, from_qiskit(other))
    state = np.array([1, 0, 0, 0], complex)
    assert len(source_branches(circuit, state)) == len(logical_branches(from_qiskit(circuit), state)) == 2


def test_against_aer():
    pytest.importorskip("qiskit_aer")
    from qiskit_aer import AerSimulator

    from distq.circuit.to_qiskit import clbit_values, to_qiskit

    circuit = QuantumCircuit(3, 3)
    circuit.ry(1.0, 0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as otherwise:
        circuit.ry(0.7, 1)
        circuit.cx(1, 2)
        circuit.measure(1, 1)
    with otherwise:
        circuit.h(2)
        circuit.measure(2, 1)
    with circuit.if_test(expr.bit_and(circuit.clbits[1], expr.logic_not(circuit.clbits[0]))):
        circuit.ry(1.2, 0)
    circuit.swap(0, 2)
    circuit.measure(2, 2)
    shots = 40_000
    simulator = AerSimulator(seed_simulator=3, shot_branching_enable=True)
    wanted = simulator.run(circuit, shots=shots).result().get_counts()
    logical = from_qiskit(circuit)
    raw = simulator.run(to_qiskit(logical).decompose("permutation"), shots=shots).result().get_counts()
    found = {}
    for key, count in raw.items():
        values = clbit_values(logical, [int(b) for b in reversed(key)])
        label = "".join(str(v) for v in reversed(values))
        found[label] = found.get(label, 0) + count
    assert set(found) == set(wanted)
    for key, count in wanted.items():
        assert abs(found[key] - count) < 6 * np.sqrt(count + found[key])
