"""The strategies and the fault injection of `distq.testing`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate, XXMinusYYGate, XXPlusYYGate
from qiskit.quantum_info import SparsePauliOp

import distq
from distq.errors import InputError, MissingExtraError, UsageError
from distq.network.model import Network
from distq.program.files import program_files, save_program
from distq.program.order import canonical, differences
from distq.program.types import DistributedProgram
from distq.testing import (
    DIRECTORY_FAULTS,
    FAULTS,
    FEATURES,
    WRITTEN_OUT,
    CompileCase,
    Directory,
    MutationTable,
    RandomChoices,
    circuits,
    clifford_circuits,
    compile_cases,
    directory_mutations,
    mutations,
    networks,
    random_case,
    random_circuit,
    same_distribution,
    write_files,
)
from distq.testing.draft import Draft, Row, on_joint_qubits, same_up_to_phase
from distq.verify.reader import read_directory


def compiled(seed: int, **options: object) -> tuple[CompileCase, DistributedProgram]:
    case = random_case(seed, **options)  # type: ignore[arg-type]
    program = distq.compile(case.circuit, case.network, seed=0, verify="none", effort="fast").program
    return case, canonical(program)


def rich_program() -> DistributedProgram:
    """One that offers a place for most kinds of faults."""
    circuit = QuantumCircuit(4, 2)
    for q in range(4):
        circuit.ry(0.3 + q, q)
    for a, b in ((0, 2), (1, 3), (0, 3), (2, 1)):
        circuit.cp(0.4 + a, a, b)
        circuit.rx(0.2, a)
        circuit.x(b)
        circuit.cp(0.3 + b, a, b)
    theta, phi = Parameter("theta"), Parameter("phi")
    circuit.ry(theta.sin() + phi, 1)
    circuit.cp(theta**7, 0, 2)
    circuit.append(XXPlusYYGate(0.7, 0.1), [0, 2])
    circuit.append(XXMinusYYGate(0.9, 0.2), [1, 3])
    circuit.iswap(1, 2)  # a witness with a SWAP
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    with circuit.if_test((0, 1)):
        circuit.rx(0.5, 2)
        circuit.rx(0.5, 3)
    network = Network.line(3, data=[2, 1, 1], comm=2)
    return canonical(distq.compile(circuit, network, verify="none", effort="fast").program)


# ---- strategies ----


def operations(circuit: QuantumCircuit) -> set[str]:
    found = set()
    for instruction in circuit.data:
        found.add(instruction.operation.name)
        for body in getattr(instruction.operation, "blocks", ()):
            if body is not None:
                found |= operations(body)
    return found


def test_every_supported_operation_occurs() -> None:
    names: set[str] = set()
    parameters = 0
    for seed in range(150):
        circuit = random_circuit(RandomChoices(seed), 4, 15)
        names |= operations(circuit)
        parameters += len(circuit.parameters)
    wanted = "h p u cx cp rzz ccx cswap mcx mcphase unitary swap iswap measure reset if_else for_loop initialize"
    assert set(wanted.split()) <= names
    assert parameters > 50


@settings(max_examples=25, derandomize=True, deadline=None)
@given(circuits(2, 4, 8))
def test_circuits_keep_their_bounds(circuit: QuantumCircuit) -> None:
    assert 2 <= circuit.num_qubits <= 4
    assert len(circuit.data) <= 8
    assert circuit.num_clbits <= 4


@settings(max_examples=25, derandomize=True, deadline=None)
@given(clifford_circuits(2, 4, 10))
def test_clifford_circuits_are_clifford(circuit: QuantumCircuit) -> None:
    from qiskit.quantum_info import Clifford

    Clifford(circuit)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), networks(n, max_modules=5))))
def test_networks_are_connected_and_have_room(case: tuple[int, Network]) -> None:
    qubits, network = case
    assert sum(m.data for m in network.modules) >= qubits
    assert all(m.data >= 1 for m in network.modules)
    assert all(m.comm is None or m.comm >= 1 for m in network.modules)
    assert network.connected


@settings(max_examples=5, derandomize=True, deadline=None)
@given(compile_cases(max_qubits=3, max_gates=4))
def test_compile_cases_fit(case: CompileCase) -> None:
    assert case.network.fits(case.circuit.num_qubits)
    assert str(case.seed) in repr(case)


def test_the_same_seed_gives_the_same_case() -> None:
    assert random_case(5).circuit == random_case(5).circuit
    assert random_case(5).network == random_case(5).network
    assert random_case(5).circuit != random_case(6).circuit


def test_an_unknown_feature_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="standard, clifford"):
        random_circuit(RandomChoices(0), 2, 2, ("standrad",))


def test_without_hypothesis_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingExtraError, match=r"distq\[test\]"):
        circuits()


def test_samples_of_one_distribution_are_alike_and_others_are_not() -> None:
    rng = np.random.default_rng(1)

    def sample(p: list[float]) -> dict[int, int]:
        values, counts = np.unique(rng.choice(4, 500, p=p), return_counts=True)
        return dict(zip(values.tolist(), counts.tolist()))

    even, odd = [0.25] * 4, [0.4, 0.1, 0.25, 0.25]
    assert min(same_distribution(sample(even), sample(even)) for _ in range(50)) > 1e-4
    assert max(same_distribution(sample(even), sample(odd)) for _ in range(50)) < 1e-4
    assert same_distribution({0: 100}, {0: 100}) == 1.0
    assert same_distribution({0: 100}, {1: 100}) < 1e-9


# ---- fault injection ----


@pytest.mark.parametrize("seed", range(6))
def test_a_draft_builds_the_program_that_it_was_made_from(seed: int) -> None:
    _, program = compiled(seed)
    assert not differences(Draft(program).build(), program)


def test_rows_know_their_matrices() -> None:
    cx, z = Row(19, (0, 1)), Row(3, (0,))
    found = on_joint_qubits([cx, z, Row(1, (0,))])
    assert found is not None
    a, b, c = found
    assert same_up_to_phase(a @ b, b @ a)
    assert not same_up_to_phase(a @ c, c @ a)
    # |q1 q0> = |01> goes to |11>.
    assert a[3, 1] == 1
    assert Row(3, (0,), exprs=(2,)).matrix() is None


def parity_program() -> DistributedProgram:
    """The parity of two qubits is collected in another module."""
    circuit = QuantumCircuit(4)
    circuit.append(PauliEvolutionGate(SparsePauliOp("ZXZZ"), time=0.3), range(4))
    circuit.h(range(4))
    return distq.compile(circuit, Network.all_to_all(2, 2, 2), verify="none").program


def reuse_program(modules: int = 2) -> DistributedProgram:
    """Qubits that start in |0>, one after the other in the same places."""
    circuit = QuantumCircuit(6, 6)
    for q in range(5):
        circuit.h(q)
        circuit.rx(0.3 * q + 0.2, q + 1)
        circuit.cp(0.4, q, q + 1)
        circuit.h(q)
        circuit.measure(q, q)
    network = Network.all_to_all(modules, 2, 2)
    return distq.compile(circuit, network, start="zero", verify="none").program


def test_every_kind_of_fault_finds_a_place_and_changes_the_program() -> None:
    found = set()
    programs = [
        rich_program(),
        parity_program(),
        reuse_program(),
        *(compiled(s, min_qubits=3, max_gates=20)[1] for s in (3, 4, 8, 11)),
    ]
    for program in programs:
        for mutant in mutations(program, random.Random(1)):
            assert mutant.kind in FAULTS
            assert mutant.description
            assert not mutant.certain
            assert differences(mutant.program, program)
            found.add(mutant.kind)
    missing = set(FAULTS) - found
    # Exchanges only arise on networks that are full.
    assert missing <= {"exchange broken", "move into a data qubit dropped"}


def test_mutations_leave_the_original_alone_and_repeat_with_the_seed() -> None:
    program = rich_program()
    before = {name: np.copy(getattr(program, name)) for name in ("code", "qubits", "guard", "output_qubit")}
    first = [(m.kind, m.description) for m in mutations(program, random.Random(3), per_kind=2)]
    second = [(m.kind, m.description) for m in mutations(program, random.Random(3), per_kind=2)]
    assert first == second
    assert all(np.array_equal(before[name], getattr(program, name)) for name in before)


def test_an_unknown_kind_is_refused_with_the_valid_ones() -> None:
    program = rich_program()
    with pytest.raises(UsageError, match="gate dropped"):
        list(mutations(program, random.Random(0), kinds=["gate droped"]))
    with pytest.raises(UsageError, match="file truncated"):
        list(directory_mutations(program_files(program), random.Random(0), kinds=["file shortened"]))


def test_certain_faults_are_only_claimed_for_unitary_circuits() -> None:
    _, program = compiled(2, min_qubits=3, features=("standard",))
    assert any(m.certain for m in mutations(program, random.Random(0), unitary=True))
    assert not any(m.certain for m in mutations(program, random.Random(0)))


def test_directory_faults_have_right_checksums(tmp_path: Path) -> None:
    first, second = rich_program(), compiled(7, min_qubits=3)[1]
    save_program(first, tmp_path / "program")
    files = {p.name: p.read_bytes() for p in (tmp_path / "program").iterdir()}
    assert Directory.read(tmp_path / "program").files() == Directory(files).files()
    write_files(Directory(files).files(), tmp_path / "copy")
    assert len(read_directory(tmp_path / "copy")) == len(read_directory(tmp_path / "program"))
    found = set()
    refused = {}
    for i, broken in enumerate(
        directory_mutations(files, random.Random(2), others=[program_files(second)], per_kind=3)
    ):
        found.add(broken.kind)
        path = broken.write(tmp_path / str(i))
        try:
            read_directory(path)
        except InputError as error:
            refused.setdefault(broken.kind, []).append(str(error))
    # The other program has another number of modules.
    reused = {"unborn qubits forgotten", "promise of the start not asked for"}
    for i, broken in enumerate(directory_mutations(program_files(reuse_program()), random.Random(2), kinds=reused)):
        found.add(broken.kind)
        assert broken.write(tmp_path / f"reused {i}").exists()
    assert set(DIRECTORY_FAULTS) - found <= {"manifest of another program"}
    for kind, messages in refused.items():
        if kind not in ("file edited", "file truncated", "manifest of another program"):
            assert not any("checksum" in m for m in messages), kind
    assert all("checksum" in m for m in refused["file edited"])


def test_the_table_counts_by_kind() -> None:
    table = MutationTable()
    for verdict in ("caught", "caught", "equal", "strict"):
        table.add("gate dropped", verdict)
    table.add("bits swapped", "refused")
    assert table.total() == 5
    assert table.faulty == 3
    assert table.text().splitlines()[-1].split() == ["all", "5", "1", "2", "1", "1"]


def test_features_are_all_used() -> None:
    for feature in (*FEATURES, WRITTEN_OUT):
        others = ("standard",) if feature != "standard" else ()
        random_circuit(RandomChoices(1), 3, 10, (feature, "measure", *others))
