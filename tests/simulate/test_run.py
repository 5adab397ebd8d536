"""Noiseless runs on Aer."""

from __future__ import annotations

import sys

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, ForLoopOp, IfElseOp, Parameter, Qubit

import distq
from distq.errors import MissingExtraError, UsageError
from distq.network.model import Network
from distq.simulate.run import run, success_probability


def compiled(circuit: QuantumCircuit, **options: object) -> distq.CompiledProgram:
    network = Network.all_to_all(2, data=(circuit.num_qubits + 1) // 2, comm=2)
    return distq.compile(circuit, network, verify="none", effort="fast", **options)  # type: ignore[arg-type]


def test_counts_are_written_as_qiskit_writes_them() -> None:
    circuit = QuantumCircuit(QuantumRegister(4, "q"), ClassicalRegister(1, "a"), ClassicalRegister(3, "b"))
    circuit.x([0, 2])
    circuit.cx(2, 3)
    circuit.measure([0, 1, 2, 3], [0, 1, 2, 3])
    assert run(circuit, 10) == {"110 1": 10}
    assert run(compiled(circuit), 10) == {"110 1": 10}


def test_programs_give_the_counts_of_their_circuits() -> None:
    circuit = QuantumCircuit(4, 3)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(3)
        circuit.cx(3, 1)
    circuit.measure([1, 2], [1, 2])
    counts = run(compiled(circuit), 600, seed=4)
    assert set(counts) == {"000", "111"}
    assert counts == run(compiled(circuit), 600, seed=4)
    probability, error = success_probability(counts, "111")
    assert abs(probability - 0.5) < 5 * error


def test_bits_outside_registers_are_counted() -> None:
    circuit = QuantumCircuit([Qubit(), Qubit()], [Clbit(), Clbit()])
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    assert run(circuit, 5) == {"10": 5}
    assert run(compiled(circuit), 5) == {"10": 5}


def test_without_measurements_all_bits_are_zero() -> None:
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    assert run(circuit, 7) == {"": 7}
    circuit.add_register(ClassicalRegister(2, "c"))
    assert run(circuit, 7) == {"00": 7}
    assert run(compiled(circuit), 7) == {"00": 7}


def test_parameters_need_values() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.rx(Parameter("theta"), 0)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    program = compiled(circuit)
    assert run(program, 5, parameters={"theta": 3.141592653589793}) == {"1": 5}
    with pytest.raises(UsageError, match="theta"):
        run(program, 5)


def test_blocks_on_which_aer_alone_fails() -> None:
    circuit = QuantumCircuit(3, 2)
    circuit.measure(2, 0)
    body, nothing, loop = (circuit.copy_empty_like() for _ in range(3))
    body.y(1)
    nothing.append(ForLoopOp(range(0), None, loop), circuit.qubits, circuit.clbits)
    circuit.append(IfElseOp((circuit.clbits[0], 1), body, nothing), circuit.qubits, circuit.clbits)
    circuit.measure(1, 1)
    circuit.append(IfElseOp((circuit.clbits[1], 1), body), circuit.qubits, circuit.clbits)
    assert run(circuit, 5) == {"00": 5}
    assert run(compiled(circuit), 5) == {"00": 5}


def test_the_stabilizer_method_is_found_for_clifford_circuits() -> None:
    n = 60
    circuit = QuantumCircuit(n, n)
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.measure(range(n), range(n))
    assert set(run(compiled(circuit), 20, seed=1)) == {"0" * n, "1" * n}


def test_wrong_arguments_are_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with pytest.raises(UsageError, match="at least 1"):
        run(circuit, 0)
    with pytest.raises(UsageError, match="statevector"):
        run(circuit, 1, method="exact")
    with pytest.raises(UsageError, match="no counts"):
        success_probability({}, "0")


def test_without_aer_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    monkeypatch.setitem(sys.modules, "qiskit_aer", None)
    with pytest.raises(MissingExtraError, match=r"distq\[sim\]"):
        run(circuit, 1)


def test_the_error_of_a_certain_outcome_is_not_zero() -> None:
    assert success_probability({"1": 100}, ["1", "0"]) == (1.0, pytest.approx(0.01, rel=0.01))
    assert success_probability({"1": 50, "0": 50}, "1") == (0.5, pytest.approx(0.05))
