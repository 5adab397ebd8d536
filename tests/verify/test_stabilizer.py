"""The stabilizer method: agreement with the statevector method, and large Clifford circuits."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from handmade import Handmade
from qiskit import QuantumCircuit
from qiskit.quantum_info import random_clifford

import distq
from distq.errors import InputError, MissingExtraError
from distq.network.model import Network
from distq.testing import (
    CompileCase,
    RandomChoices,
    mutations,
    random_circuit,
    random_network,
)
from distq.verify.reader import ProgramFiles, read_directory
from distq.verify.stabilizer import verify_stabilizer
from distq.verify.statevector import verify_statevector


def compiled(circuit: QuantumCircuit, network: Network, folder: Path) -> ProgramFiles:
    distq.compile(circuit, network, verify="none", effort="fast").save(folder / "program")
    return read_directory(folder / "program")


def clifford_case(seed: int) -> CompileCase:
    choices = RandomChoices(seed)
    n = choices.integer(2, 5)
    features = ("clifford", "swap", "measure", "reset") if seed % 2 else ("clifford", "swap")
    circuit = random_circuit(choices, n, choices.integer(4, 14), features)
    if circuit.num_clbits and seed % 3 == 0:
        with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
            circuit.x(0)
        with otherwise:
            circuit.z(n - 1)
    return CompileCase(circuit, random_network(choices, n, min_modules=2), seed)


@pytest.mark.parametrize("seed", range(12))
def test_it_agrees_with_the_statevector_method_on_right_and_broken_programs(seed: int, tmp_path: Path) -> None:
    case = clifford_case(seed)
    program = distq.compile(case.circuit, case.network, seed=seed, verify="none", effort="fast").program
    from distq.program.files import save_program

    save_program(program, tmp_path / "right")
    assert verify_stabilizer(case.circuit, read_directory(tmp_path / "right")).ok
    seen = set()
    for i, mutant in enumerate(mutations(program, random.Random(seed))):
        try:
            save_program(mutant.program, tmp_path / str(i))
            files = read_directory(tmp_path / str(i))
        except InputError:
            continue
        stabilizer = verify_stabilizer(case.circuit, files)
        if stabilizer.applicable:
            states = verify_statevector(case.circuit, files)
            assert states.applicable
            assert stabilizer.ok == states.ok, (mutant.kind, mutant.description)
            seen.add(stabilizer.ok)
    assert seen == {True, False}


@pytest.mark.parametrize("comm", [1, 2])
def test_ghz_on_128_qubits(comm: int, tmp_path: Path) -> None:
    n = 128
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    files = compiled(circuit, Network.all_to_all(4, data=n // 4, comm=comm), tmp_path)
    outcome = verify_stabilizer(circuit, files)
    assert outcome.ok
    assert outcome.details["flows"] == 2 * n
    circuit.z(5)
    outcome = verify_stabilizer(circuit, files)
    assert not outcome.ok
    assert "-> -" in outcome.reason


def test_graph_state_on_100_measured_qubits(tmp_path: Path) -> None:
    n = 100
    rng = random.Random(1)
    circuit = QuantumCircuit(n, n)
    circuit.h(range(n))
    for a in range(n):
        for b in rng.sample(range(n), 2):
            if a != b:
                circuit.cz(a, b)
    circuit.h(range(0, n, 3))
    circuit.measure(range(0, n, 2), range(0, n, 2))
    files = compiled(circuit, Network.grid(2, 2, data=25, comm=2), tmp_path)
    assert verify_stabilizer(circuit, files).ok
    other = QuantumCircuit(n, n)
    other.compose(circuit, inplace=True)
    other.s(1)
    assert not verify_stabilizer(other, files).ok


def test_random_clifford_on_104_qubits(tmp_path: Path) -> None:
    n = 104
    circuit = QuantumCircuit(n)
    for block in range(13):
        circuit.compose(random_clifford(8, seed=block).to_circuit(), range(8 * block, 8 * block + 8), inplace=True)
    for block in range(12):
        qubits = range(8 * block + 4, 8 * block + 12)
        circuit.compose(random_clifford(8, seed=100 + block).to_circuit(), qubits, inplace=True)
    files = compiled(circuit, Network.all_to_all(4, data=26, comm=2), tmp_path)
    assert verify_stabilizer(circuit, files).ok
    circuit.cz(3, 77)
    assert not verify_stabilizer(circuit, files).ok


def one_module(lines: list[str], qubits: int = 2) -> Handmade:
    program = Handmade([(qubits, 0)])
    program.inputs = [[0, "d", q] for q in range(qubits)]
    return program.at(0, *lines)


def test_clifford_gates_are_known_by_their_matrices(tmp_path: Path) -> None:
    pi = "3.141592653589793"
    program = one_module([f"rx({pi}/2) d[0];", f"U({pi}/2, 0.0, {pi}) d[1];", f"rzz({pi}/2) d[0], d[1];"])
    files = read_directory(program.save(tmp_path / "p"))
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.h(1)
    circuit.s([0, 1])
    circuit.cz(0, 1)
    assert verify_stabilizer(circuit, files).ok
    circuit.s(0)
    assert not verify_stabilizer(circuit, files).ok


@pytest.mark.parametrize(
    ("line", "name"), [("t d[0];", "t"), ("rx(0.1) d[0];", "rx"), ("cp(0.5) d[0], d[1];", "mcp on 2 qubits")]
)
def test_a_gate_that_is_not_clifford_is_named(line: str, name: str, tmp_path: Path) -> None:
    files = read_directory(one_module([line]).save(tmp_path / "p"))
    outcome = verify_stabilizer(QuantumCircuit(2), files)
    assert not outcome.ok
    assert not outcome.applicable
    assert outcome.reason == f"{name} is not Clifford"


def test_an_angle_that_is_almost_clifford_is_not(tmp_path: Path) -> None:
    files = read_directory(one_module(["rz(1.5708) d[0];"]).save(tmp_path / "p"))
    circuit = QuantumCircuit(2)
    circuit.s(0)
    assert not verify_stabilizer(circuit, files).applicable


def test_conditions_beyond_parities_are_not_applicable(tmp_path: Path) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(0)
    program = one_module([])
    program.clbits = [[[[], None]], [[[], None]]]
    outcome = verify_stabilizer(circuit, read_directory(program.save(tmp_path / "p")))
    assert not outcome.applicable
    assert "parity" in outcome.reason


def test_outcomes_are_compared_jointly(tmp_path: Path) -> None:
    def program(*bits: object) -> ProgramFiles:
        made = one_module(["h d[0];", "cx d[0], d[1];"])
        made.measure(0, "d[0]")
        made.measure(0, "d[1]")
        made.clbits = [[[[], b]] for b in bits]
        return read_directory(made.save(tmp_path / "p"))

    zero, one = [0, "m", 0], [0, "m", 1]
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    assert verify_stabilizer(circuit, program(zero, one)).ok
    assert not verify_stabilizer(circuit, program(one, zero)).ok
    # A bit that is random in the circuit and constant in the program.
    outcome = verify_stabilizer(circuit, program(zero, None))
    assert not outcome.ok
    assert outcome.applicable
    # A bit that is constant in the circuit and random in the program.
    half = QuantumCircuit(2, 2)
    half.h(0)
    half.cx(0, 1)
    half.measure([0, 1], [0, 0])
    assert not verify_stabilizer(half, program(one, zero)).ok


def test_without_stim_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = read_directory(one_module([]).save(tmp_path / "p"))
    monkeypatch.setitem(sys.modules, "stim", None)
    with pytest.raises(MissingExtraError, match=r"distq\[verify\]"):
        verify_stabilizer(QuantumCircuit(2), files)


def test_unbound_parameters_are_not_applicable(tmp_path: Path) -> None:
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(2)
    circuit.rz(Parameter("a"), 0)
    outcome = verify_stabilizer(circuit, read_directory(one_module([]).save(tmp_path / "p")))
    assert not outcome.applicable
