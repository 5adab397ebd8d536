"""What is not supported is refused with its name, its place and what to do."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction
from qiskit.circuit.classical import expr, types

from distq.circuit.from_qiskit import from_qiskit
from distq.errors import InputError


def refused(circuit, *parts):
    with pytest.raises(InputError) as caught:
        from_qiskit(circuit)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert message.endswith(".")
    assert "\n" not in message


def base():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


def test_while_loop():
    circuit = base()
    with circuit.while_loop((0, 1)):
        circuit.x(1)
    refused(circuit, "'while_loop' (instruction 2 on q[1])", "is not supported", "for loops")


def test_switch():
    circuit = base()
    with circuit.switch(circuit.clbits[0]) as case, case(0):
        circuit.x(1)
    refused(circuit, "'switch_case' (instruction 2", "is not supported")


@pytest.mark.parametrize("name", ["break_loop", "continue_loop"])
def test_leaving_a_loop(name):
    circuit = base()
    with circuit.for_loop(range(3)):
        circuit.h(1)
        getattr(circuit, name)()
    refused(circuit, f"'{name}' (instruction 1", "inside 'for_loop' (instruction 2", "(iteration 0)")


def test_nested_place():
    circuit = base()
    with circuit.if_test((0, 1)) as otherwise:
        circuit.x(0)
    with otherwise, circuit.while_loop((0, 1)):
        circuit.x(1)
    refused(circuit, "'while_loop' (instruction 0", "inside 'if_else' (instruction 2", "(else branch)")


def test_store_and_variables():
    circuit = base()
    circuit.store(circuit.clbits[1], expr.lift(True))
    refused(circuit, "'store' (instruction 2)", "stored classical variable")
    circuit = base()
    circuit.add_var("flag", expr.lift(False))
    refused(circuit, "classical variable 'flag'")
    circuit = QuantumCircuit(1, inputs=[expr.Var.new("level", types.Uint(8))])
    refused(circuit, "classical variable 'level'")


def test_opaque_gates():
    circuit = base()
    circuit.append(Gate("mystery", 2, []), [0, 1])
    refused(circuit, "'mystery' (instruction 2 on q[0], q[1])", "neither a definition nor a matrix")
    circuit = base()
    circuit.append(Instruction("probe", 1, 1, []), [1], [1])
    refused(circuit, "'probe' (instruction 2 on q[1])")


def test_opaque_gate_in_a_definition():
    part = QuantumCircuit(2, name="outer")
    part.h(0)
    part.append(Gate("mystery", 1, []), [1])
    circuit = base()
    circuit.append(part.to_instruction(), [1, 0])
    refused(circuit, "'mystery' (instruction 1 on q[0])", "in the definition of 'outer' (instruction 2")


def test_opaque_gate_under_control():
    part = QuantumCircuit(1, name="outer")
    part.append(Gate("mystery", 1, []), [0])
    circuit = base()
    circuit.append(part.to_gate().control(1, annotated=True), [0, 1])
    refused(circuit, "'annotated' (instruction 2", "'mystery'")


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_angles_that_are_not_finite(value):
    circuit = base()
    circuit.rx(value, 1)
    refused(circuit, "'rx' (instruction 2 on q[1])", "finite")
    outer = QuantumCircuit(2, 2)
    outer.append(circuit.to_instruction(), [0, 1], [0, 1])
    refused(outer, "finite")


def test_condition_with_too_many_cases():
    circuit = QuantumCircuit(1, 13)
    for k in range(13):
        circuit.measure(0, k)
    condition = circuit.clbits[0]
    for bit in circuit.clbits[1:]:
        condition = expr.bit_xor(condition, bit)
    with circuit.if_test(condition):
        circuit.x(0)
    refused(circuit, "'if_else' (instruction 13 on q[0])", "disjoint cases", "fewer bits")


def test_condition_with_an_unsupported_operator():
    circuit = QuantumCircuit(1, 3)
    circuit.measure(0, 0)
    with circuit.if_test(expr.equal(expr.mul(circuit.cregs[0], circuit.cregs[0]), 4)):
        circuit.x(0)
    refused(circuit, "'if_else' (instruction 1 on q[0])", "the operator MUL")


def test_loop_over_a_variable():
    circuit = QuantumCircuit(1)
    body = QuantumCircuit(1, inputs=[variable := expr.Var.new("i", types.Uint(8))])
    body.x(0)
    from qiskit.circuit import ForLoopOp

    circuit.append(ForLoopOp(range(3), variable, body), [0])
    refused(circuit, "'for_loop' (instruction 0 on q[0])", "Parameter")
