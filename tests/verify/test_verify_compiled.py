"""Compiled programs: accepted as they are, refused for a circuit that differs in one gate."""

from __future__ import annotations

import io
import random
import sys
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qasm2, qasm3, qpy
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator, random_unitary
from randomcircuits import random_circuit

import distq
from distq import Network
from distq.errors import InputError, UsageError
from distq.verify import verify
from distq.verify.loading import load_circuit


def network(seed: int, qubits: int) -> Network:
    rng = random.Random(seed)
    k = rng.choice((2, 2, 3))
    return Network.all_to_all(k, data=-(-qubits // k) + rng.choice((0, 0, 1)), comm=rng.choice((1, 2, 3)))


@pytest.mark.parametrize("seed", range(16))
def test_random_circuits(seed: int) -> None:
    circuit = random_circuit(seed, n=2 + seed % 4, size=4 + seed % 9, control=seed % 3 != 0)
    program = distq.compile(circuit, network(seed, circuit.num_qubits), effort="fast", verify="none")
    result = verify(circuit, program, "auto")
    assert result.ok, result.message
    assert result.seconds > 0
    other = circuit.copy()
    other.cp(0.01, 0, 1)
    other.h([0, 1])
    other.cp(-0.01, 0, 1)
    other.h([0, 1])
    if not any(item.operation.name in ("measure", "reset", "if_else") for item in circuit.data):
        assert not verify(other, program, "symbolic").ok


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 600))
def test_many_random_circuits(seed: int) -> None:
    test_random_circuits(seed)


def test_quantum_volume_blocks() -> None:
    circuit = QuantumCircuit(6)
    rng = random.Random(5)
    for layer in range(6):
        order = rng.sample(range(6), 6)
        for i in range(0, 6, 2):
            circuit.append(UnitaryGate(random_unitary(4, seed=10 * layer + i)), order[i : i + 2])
    program = distq.compile(circuit, Network.all_to_all(3, data=2, comm=2), effort="fast", verify="none")
    assert verify(circuit, program, "symbolic").ok
    # One block whose matrix is off by a little.
    wrong = circuit.copy_empty_like()
    for i, item in enumerate(circuit.data):
        operation = item.operation
        if i == 9:
            shift = QuantumCircuit(2)
            shift.rxx(1e-4, 0, 1)
            operation = UnitaryGate(Operator(shift).data @ operation.to_matrix())
        wrong.append(operation, item.qubits)
    assert not verify(wrong, program, "symbolic").ok


def test_few_communication_qubits_expand_wide_gates() -> None:
    circuit = QuantumCircuit(5)
    circuit.h(range(5))
    circuit.mcx([0, 1, 2, 3], 4)
    circuit.ccx(0, 2, 4)
    circuit.mcp(0.3, [1, 2, 3], 0)
    program = distq.compile(circuit, Network.all_to_all(5, data=1, comm=1), effort="fast", verify="none")
    assert verify(circuit, program, "symbolic").ok
    circuit.mcp(0.01, [1, 2, 3], 0)
    assert not verify(circuit, program, "symbolic").ok


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = bell()
    (tmp_path / "a.qasm").write_text(qasm2.dumps(circuit))
    (tmp_path / "b.qasm").write_text(qasm3.dumps(circuit))
    with (tmp_path / "c.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    program = distq.compile(circuit, Network.all_to_all(2, data=1), effort="fast", verify="none")
    program.save(tmp_path / "program")
    for name in ("a.qasm", "b.qasm", "c.qpy"):
        assert verify(tmp_path / name, tmp_path / "program", "symbolic").ok
    with (tmp_path / "a.qasm").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert load_circuit("-") == load_circuit(tmp_path / "a.qasm")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"OPENQASM 2.0;\nqreg q[1];\nnonsense q[0];\n", "Qiskit cannot read it"),
        (b"OPENQASM 3.0;\nqubit q;\nnonsense q;\n", "Qiskit cannot read it"),
        (b"hello", "neither QPY nor OpenQASM"),
        (b"QISKIT\x0c", "Qiskit cannot read it"),
    ],
)
def test_bad_sources(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_circuit(tmp_path / "x")
    with pytest.raises(InputError, match="cannot be read"):
        load_circuit(tmp_path / "missing")


def test_methods(tmp_path: Path) -> None:
    circuit = bell()
    program = distq.compile(circuit, Network.all_to_all(2, data=1), effort="fast", verify="none")
    for method in ("symbolic", "statevector", "stabilizer"):
        assert verify(circuit, program, method).method == method
    with pytest.raises(UsageError, match="symbolic, statevector, stabilizer"):
        verify(circuit, program, "magic")
    t = QuantumCircuit(2)
    t.t(0)
    t.cx(0, 1)
    other = distq.compile(t, Network.all_to_all(2, data=1), effort="fast", verify="none")
    with pytest.raises(UsageError, match="the stabilizer method cannot judge"):
        verify(t, other, "stabilizer")


def test_loops_on_measured_values_are_refused() -> None:
    circuit = bell()
    program = distq.compile(circuit, Network.all_to_all(2, data=1), effort="fast", verify="none")
    loop = QuantumCircuit(2, 2)
    loop.measure(0, 0)
    with loop.while_loop((loop.clbits[0], 1)):
        loop.x(0)
        loop.measure(0, 0)
    with pytest.raises(InputError, match="while_loop: loops on measured values"):
        verify(loop, program, "symbolic")
