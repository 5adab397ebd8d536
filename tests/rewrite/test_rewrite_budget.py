"""Rotations left out: the bound holds, the budget is kept, and nobody is believed."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.to_qiskit import to_qiskit
from distq.cli.main import main
from distq.errors import UsageError
from distq.network.presets import resolve
from distq.rewrite.budget import drop_rotations
from distq.rewrite.passes import TECHNIQUES, rewrite


def qft(n):
    circuit = QuantumCircuit(n)
    for j in reversed(range(n)):
        circuit.h(j)
        for k in range(j):
            circuit.cp(math.pi / 2 ** (j - k), k, j)
    return circuit


def distance(a, b):
    """Operator norm of the difference, at the best global phase among those that suit one entry or the trace."""
    a, b = Operator(to_qiskit(a)).data, Operator(to_qiskit(b)).data
    return np.linalg.norm(a - b * np.exp(1j * np.angle(np.vdot(b, a))), 2)


GATE = st.tuples(
    st.sampled_from(["cp", "rzz", "rxx", "ccp", "cx", "h", "crx"]),
    st.permutations(range(4)),
    st.floats(-0.2, 0.2) | st.sampled_from([math.pi, 2 * math.pi + 0.01, 1e-30]),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(GATE, max_size=15), st.sampled_from([0.0, 1e-3, 0.05, 0.4]))
def test_the_bound_holds(gates, budget):
    circuit = QuantumCircuit(4)
    for name, wires, angle in gates:
        if name == "h":
            circuit.h(wires[0])
        elif name == "cx":
            circuit.cx(*wires[:2])
        elif name == "ccp":
            circuit.mcp(angle, wires[:2], wires[2])
        else:
            getattr(circuit, name)(angle, *wires[:2])
    before = from_qiskit(circuit)
    after = drop_rotations(before, budget)
    assert after.error_bound <= budget
    assert distance(before, after) <= after.error_bound + 1e-9
    assert len(after.rewrites) - len(before.rewrites) >= (after.error_bound > 0)
    if budget == 0:
        assert after is before


def test_smallest_first():
    after = drop_rotations(from_qiskit(qft(8)), 0.1)
    kept = np.abs(after.params[after.param_offsets[:-1][after.arity == 2]])
    # The angles are pi/2^d, 8-d of each: pi/128 and one of pi/64 make 0.074; the second would be too much.
    assert after.error_bound == pytest.approx(2 * math.sin(math.pi / 256) + 2 * math.sin(math.pi / 128), rel=1e-12)
    assert sorted(kept)[0] == math.pi / 64
    assert len(kept) == 26


def test_symbols_guards_and_measurements_stay():
    circuit = QuantumCircuit(3, 1)
    circuit.cp(Parameter("a"), 0, 1)
    circuit.measure(2, 0)
    with circuit.if_test((0, 1)):
        circuit.cp(1e-5, 0, 1)
    before = from_qiskit(circuit)
    assert drop_rotations(before, 0.5) is before


@pytest.mark.parametrize("wide", [False, True])
def test_verified_only_within_the_budget(tmp_path, wide):
    circuit = qft(6)
    if wide:
        circuit.ccx(0, 1, 2)
        circuit.cx(3, 4)
        circuit.rz(0.004, 4)
        circuit.cx(3, 4)
        circuit.mcp(0.002, [0, 1, 2], 5)
    network = resolve(None, "2", None, "2", None, 6)
    program = distq.compile(circuit, network, error_budget=0.2, verify="auto")
    spent = program.stats["error_bound"]
    assert 0.01 < spent <= 0.2
    path = tmp_path / "program"
    program.save(path)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["error_bound"] == spent
    for method in ("symbolic", "auto"):
        assert distq.verify(circuit, path, method=method, error_budget=0.2).ok
        assert not distq.verify(circuit, path, method=method).ok
        assert not distq.verify(circuit, path, method=method, error_budget=spent * 0.99).ok
    assert distq.verify(circuit, path, method="statevector", error_budget=0.2).ok
    assert not distq.verify(circuit, path, method="statevector").ok
    # A program that leaves out the same and says nothing, or another angle, is wrong.
    found = distq.verify(circuit, path, method="symbolic", error_budget=0.2)
    assert found.details["symbolic"]["error_bound"] == pytest.approx(spent)
    manifest["blocks"] = []
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert not distq.verify(circuit, path, method="symbolic", error_budget=0.2).ok


def test_another_angle_is_no_omission(tmp_path):
    circuit = QuantumCircuit(2)
    circuit.cp(0.3, 0, 1)
    circuit.h(0)
    circuit.cp(0.001, 0, 1)
    network = resolve(None, "2", None, "2", None, 2)
    path = tmp_path / "program"
    distq.compile(circuit, network, error_budget=0.01).save(path)
    changed = circuit.copy()
    changed.data[0] = changed.data[0].replace(operation=circuit.data[0].operation.__class__(0.301))
    assert distq.verify(circuit, path, method="symbolic", error_budget=0.01).ok
    assert not distq.verify(changed, path, method="symbolic", error_budget=0.01).ok


def test_default_and_refusals(tmp_path, capsys):
    circuit = QuantumCircuit(2)
    circuit.cp(1e-10, 0, 1)
    network = resolve(None, "2", None, "2", None, 2)
    program = distq.compile(circuit, network)
    assert program.stats["ebits"] == 0
    assert program.stats["error_bound"] == pytest.approx(1e-10)
    assert distq.compile(circuit, network, error_budget=0).stats["error_bound"] == 0
    for call in (distq.compile, distq.verify):
        with pytest.raises(UsageError, match="error_budget"):
            call(circuit, network if call is distq.compile else program, error_budget=1.5)
    source = tmp_path / "c.qasm"
    source.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; cp(0.001) q[0],q[1];')
    target = tmp_path / "program"
    assert main(["compile", str(source), "--modules", "2", "-o", str(target), "--error-budget", "0.01"]) == 0
    assert main(["verify", str(source), str(target), "--error-budget", "0.01"]) == 0
    assert main(["verify", str(source), str(target)]) == 5
    assert "leaves out rotations" in capsys.readouterr().err


def test_after_the_normal_form():
    circuit = QuantumCircuit(3)
    circuit.cx(0, 1)
    circuit.rz(1e-4, 1)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    before = from_qiskit(circuit)
    after = rewrite(before, TECHNIQUES, 1e-3)
    assert after.num_two_qubit_gates == 1
    assert after.error_bound == pytest.approx(5e-5)
    assert distance(before, after) <= 5e-5 + 1e-12


def test_rotations_that_cancel_are_not_left_out():
    """An X between two equal rotations makes them cancel, whatever the budget."""
    circuit = QuantumCircuit(2)
    for _ in range(3):
        circuit.rx(np.pi, 1)
        circuit.crz(-0.56924, 0, 1)
    program = distq.compile(circuit, distq.Network.all_to_all(2, data=1, comm=2), effort="fast", error_budget=0.0)
    assert program.stats["verified"]["ok"]
    assert program.stats["error_bound"] == 0.0
