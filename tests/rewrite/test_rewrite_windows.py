"""Gates around one wire that become the few that do the same."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import C4XGate, CCXGate, MCPhaseGate, PhaseGate, RC3XGate, RCCXGate
from qiskit.quantum_info import Operator

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.to_qiskit import to_qiskit
from distq.ops import Op
from distq.rewrite import windows
from distq.rewrite.items import read_items
from distq.rewrite.normal import normalise
from distq.rewrite.passes import enabled
from distq.rewrite.turns import split_turns

TECHNIQUES = ("gadgets", "whole-gates")
BASES = (("cx", "u"), ("cx", "rz", "h", "sx", "x"), ("cz", "rz", "sx", "x"))


def written_out(gate, basis=BASES[0]):
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    return transpile(circuit, basis_gates=list(basis), optimization_level=0)


def wide_gates(circuit):
    return sorted((int(c), int(k)) for c, k in zip(circuit.code, circuit.arity) if k > 1)


def legs(circuit):
    return int(circuit.arity[circuit.arity > 1].sum())


def same(a, b):
    return Operator(to_qiskit(a)).equiv(Operator(to_qiskit(b)), atol=1e-8)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(
    "gate",
    [MCPhaseGate(0.3, 3), MCPhaseGate(-1.2, 4), MCPhaseGate(math.pi / 2, 3), PhaseGate(2.0).control(3), C4XGate()],
)
def test_gates_with_three_and_more_controls(gate, basis):
    before = from_qiskit(written_out(gate, basis))
    after = normalise(before, TECHNIQUES)
    assert wide_gates(after) == [(Op.MCP, gate.num_qubits)]
    assert same(before, after)
    assert len(wide_gates(normalise(before, ("gadgets",)))) > 1


@pytest.mark.parametrize("gate", [CCXGate(), RCCXGate()])
def test_a_wire_in_between_has_no_part_in_it(gate):
    """Four gates on three qubits are one on four; what the wire in the middle holds does not matter."""
    circuit = QuantumCircuit(5)
    body = written_out(gate)
    for step, qubits in ((CCXGate().definition, (2, 3, 4)), (body, (0, 1, 3))) * 2:
        circuit.compose(step if len(circuit.data) < 24 else step.inverse(), qubits, inplace=True)
    before = from_qiskit(circuit)
    after = normalise(before, TECHNIQUES)
    assert wide_gates(after) == [(Op.MCP, 4)]
    assert 3 not in after.qubits[after.qubit_offsets[np.flatnonzero(after.arity == 4)[0]] :][:4]
    assert same(before, after)


def test_a_rotation_between_two_equal_gates():
    """MCX RZ MCX RZ is a controlled RZ, with any number of controls."""
    circuit = QuantumCircuit(5)
    for angle in (0.8, -0.8):
        circuit.mcx([0, 1, 2, 3], 4)
        circuit.rz(angle, 4)
    after = normalise(from_qiskit(circuit), TECHNIQUES)
    assert wide_gates(after) == [(Op.MCP, 4), (Op.MCP, 5)]
    assert same(from_qiskit(circuit), after)


@pytest.mark.parametrize("between", ["control", "middle", "measurement"])
def test_what_is_in_the_way(between):
    circuit = QuantumCircuit(4, 1)
    circuit.ccx(0, 1, 2)
    circuit.ccx(2, 3, 0) if between == "control" else circuit.rz(0.3, 2)
    if between == "middle":
        circuit.cry(0.4, 3, 2)
    elif between == "measurement":
        circuit.measure(2, 0)
    circuit.ccx(0, 1, 2)
    before = from_qiskit(circuit)
    assert wide_gates(normalise(before, TECHNIQUES)) == wide_gates(before)


def test_gates_join_only_what_was_joined_unless_half_of_them_go():
    circuit = QuantumCircuit(3)
    circuit.cz(0, 1)
    circuit.cx(2, 1)
    circuit.cz(0, 1)
    before = from_qiskit(circuit)
    assert normalise(before, TECHNIQUES) is before
    circuit.cx(2, 1)
    after = normalise(from_qiskit(circuit), TECHNIQUES)
    assert wide_gates(after) == [(Op.MCP, 2)]
    assert same(from_qiskit(circuit), after)


def test_signs_that_cancel():
    """A phase where a qubit is 0, and one whatever it is, make one where it is 1."""
    circuit = QuantumCircuit(3)
    circuit.append(MCPhaseGate(0.4, 2), (0, 1, 2))
    circuit.x(2)
    circuit.append(MCPhaseGate(0.4, 2), (0, 1, 2))
    circuit.x(2)
    after = normalise(from_qiskit(circuit), TECHNIQUES)
    assert wide_gates(after) == [(Op.MCP, 2)]
    assert same(from_qiskit(circuit), after)


def test_rotations_before_a_block_are_no_part_of_it():
    """RX of the target before and behind the gates would cancel, but what is before the first gate stays there."""
    for first, last in ((0.7, -0.7), (math.pi / 4, -math.pi / 4)):
        circuit = QuantumCircuit(4)
        circuit.rx(first, 3)
        circuit.compose(written_out(MCPhaseGate(0.3, 3)), range(4), inplace=True)
        circuit.rx(last, 3)
        circuit.compose(written_out(RC3XGate()), range(4), inplace=True)
        network = distq.Network.all_to_all(2, data=2, comm=None)
        program = distq.compile(circuit, network, effort="fast")
        assert distq.verify(circuit, program).ok
        assert same(from_qiskit(circuit), normalise(from_qiskit(circuit), TECHNIQUES))


PARTS = [written_out(g) for g in (CCXGate(), RCCXGate(), MCPhaseGate(0.3, 3), MCPhaseGate(math.pi / 2, 3), RC3XGate())]
STEPS = st.tuples(
    st.sampled_from(["part", "part", "around", "commutator", "cx", "h", "t", "rz", "x", "rzz", "ccx"]),
    st.integers(0, len(PARTS) - 1),
    st.permutations(range(5)),
    st.permutations(range(5)),
)


def build(steps):
    circuit = QuantumCircuit(5)
    for name, k, p, q in steps:
        part = PARTS[k]
        own, other = p[: part.num_qubits], q[: part.num_qubits]
        if name == "part":
            circuit.compose(part, own, inplace=True)
        elif name == "around":
            circuit.compose(part, own, inplace=True)
            circuit.rz(0.3, q[0])
            circuit.compose(part.inverse(), own, inplace=True)
        elif name == "commutator":
            for step, where in ((part, own), (part, other), (part.inverse(), own), (part.inverse(), other)):
                circuit.compose(step, where, inplace=True)
        elif name in ("rz", "rzz"):
            getattr(circuit, name)(0.3, *p[: len(name) - 1])
        else:
            getattr(circuit, name)(*p[: {"cx": 2, "ccx": 3}.get(name, 1)])
    return circuit


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(STEPS, min_size=1, max_size=6))
def test_random_circuits(steps):
    circuit = build(steps)
    before = from_qiskit(circuit)
    after = normalise(before, TECHNIQUES)
    assert same(before, after)
    assert legs(after) <= legs(normalise(before, ("gadgets",)))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(STEPS, min_size=1, max_size=4))
def test_programs_are_verified(steps):
    circuit = build(steps)
    program = distq.compile(circuit, distq.Network.all_to_all(2, data=3, comm=2), effort="fast")
    assert distq.verify(circuit, program).ok


def test_switched_off():
    circuit = written_out(MCPhaseGate(0.3, 4))
    network = distq.Network.all_to_all(5, data=1, comm=None)
    assert distq.compile(circuit, network, effort="fast").stats["ebits"] == 4
    assert distq.compile(circuit, network, effort="fast", without=["whole-gates"]).stats["ebits"] > 4
    assert "whole-gates" in enabled()


def test_gates_are_not_wider_than_asked_for():
    before = from_qiskit(written_out(MCPhaseGate(0.3, 4)))
    for widest in (3, 4, 5):
        after = normalise(before, TECHNIQUES, widest)
        assert after.arity.max() == widest
        assert same(before, after)


def test_few_communication_qubits():
    """A gate that would be taken apart again is not put together."""
    circuit = written_out(MCPhaseGate(0.3, 3))
    network = distq.Network.all_to_all(2, data=2, comm=1)
    ebits = [distq.compile(circuit, network, effort="fast", without=w).stats["ebits"] for w in ((), ("whole-gates",))]
    assert ebits[0] <= ebits[1]


def test_many_gates():
    """Long windows that never become shorter."""
    circuit = QuantumCircuit(6)
    for _ in range(1500):
        for control in range(5):
            circuit.rzz(0.1, control, 5)
        circuit.rx(0.3, 5)
    items = read_items(from_qiskit(circuit))
    banned = np.zeros(items.count, np.bool_)
    assert windows.shorten_windows(items, banned) == 0


@pytest.mark.parametrize("basis", [["u", "cx"], ["rz", "sx", "x", "cx"]])
def test_merged_one_qubit_gates(basis: list[str]) -> None:
    """Between the CX of a written out gate other compilers leave H with a rotation on either side as one gate."""
    circuit = QuantumCircuit(4)
    circuit.ry(0.3, range(4))
    circuit.append(MCPhaseGate(0.3, 3), range(4))
    circuit.rx(0.7, range(4))
    written = transpile(circuit, basis_gates=basis, optimization_level=1)
    assert {step.operation.num_qubits for step in written.data} == {1, 2}
    form = normalise(from_qiskit(written), enabled())
    assert form.arity[form.arity > 1].tolist() == [4]


def test_turns_that_stay() -> None:
    circuit = QuantumCircuit(1)
    circuit.u(0.3, math.pi / 2, 0, 0)
    circuit.u(math.pi, 0.4, 0.5, 0)
    circuit.u(math.pi / 2, 0.4, math.pi, 0)
    form = from_qiskit(circuit)
    assert split_turns(form) is form
    circuit.u(math.pi / 2, 0.4, 0.5, 0)
    form = split_turns(from_qiskit(circuit))
    assert [Op(code) for code in form.code] == [Op.U, Op.U, Op.U, Op.RZ, Op.RY, Op.RZ]
    assert len(set(form.origin[3:].tolist())) == 1
