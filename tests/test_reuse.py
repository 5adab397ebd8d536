"""Qubits that are reused: fewer wires, room that is given back, and programs that stay right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit
from reuse_plans import program_of, random_plan

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.lives import ended_qubits
from distq.errors import InfeasibleError
from distq.network.model import Network
from distq.ops import Op
from distq.partition.plan import Step
from distq.partition.reuse import reuse_qubits
from distq.rewrite.merge import merge_one_qubit
from distq.simulate.run import run
from distq.testing import (
    CompileCase,
    MutationTable,
    RandomChoices,
    check_case,
    mutate_case,
    passing_circuit,
    random_network,
    random_reuse_case,
)
from distq.testing.reuse_cases import peak_qubits
from distq.verify import verify
from distq.verify.outputs import output_qubits

ZERO: dict[str, Any] = {"start": "zero"}


def ghz(n: int) -> QuantumCircuit:
    """A GHZ state, measured along axes that are not those of its gates."""
    circuit = QuantumCircuit(n, n)
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.ry(0.3, range(n))
    circuit.measure(range(n), range(n))
    return circuit


def ladder(n: int, depth: int) -> QuantumCircuit:
    """Layers of gates between neighbours, measured at the end."""
    circuit = QuantumCircuit(n, n)
    for layer in range(depth):
        circuit.ry(0.4 + layer, range(n))
        for q in range(layer % 2, n - 1, 2):
            circuit.rzz(0.3, q, q + 1)
        circuit.rx(0.2, range(n))
    circuit.measure(range(n), range(n))
    return circuit


def wires(circuit: QuantumCircuit, **options: Any) -> int:
    shared = reuse_qubits(merge_one_qubit(from_qiskit(circuit)), **options)
    return circuit.num_qubits if shared is None else shared.circuit.num_qubits


def test_wires_are_as_many_as_qubits_at_once() -> None:
    assert wires(ghz(10)) == 2
    assert wires(ladder(12, 1)) == 2
    assert wires(ladder(12, 2)) == 3
    unmeasured = ghz(6)
    unmeasured.remove_final_measurements()
    assert wires(unmeasured) == 6
    # If only outcomes matter, a qubit is needed until its last gate.
    half = QuantumCircuit(4, 1)
    for q in range(3):
        half.h(q)
        half.crx(0.3, q, 3)
    half.measure(3, 0)
    assert wires(half) == 4
    assert wires(half, outcomes_only=True) == 2


def test_order_is_that_of_dependencies() -> None:
    """All gates come before all measurements here, layer by layer; a measurement need not wait for all of them."""
    circuit = ladder(8, 2)
    shared = reuse_qubits(merge_one_qubit(from_qiskit(circuit)))
    assert shared is not None
    code = shared.circuit.code.tolist()
    assert code.index(Op.MEASURE) < len(code) // 3
    assert sorted(r for r in shared.rows.tolist() if r >= 0) == sorted(set(shared.rows.tolist()) - {-1})
    assert [code[row] for row, _ in shared.circuit.births] == [Op.RESET] * 5


def test_what_is_not_certainly_over_is_kept() -> None:
    circuit = QuantumCircuit(6, 6)
    circuit.measure([0, 1, 2, 3], [0, 1, 2, 3])
    circuit.id(1)
    circuit.barrier()
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.reset(2)
    with circuit.for_loop(range(2)):
        circuit.measure(4, 4)
    assert ended_qubits(circuit).tolist() == [True, False, False, True, True, False]
    kept = {q for q in range(6) if not ended_qubits(circuit)[q]}
    assert set(output_qubits(circuit)) <= kept


@pytest.mark.parametrize("circuit", [ghz(8), ladder(8, 2)], ids=["ghz", "ladder"])
def test_more_qubits_than_the_network_has(circuit: QuantumCircuit) -> None:
    network = Network.all_to_all(2, data=2, comm=1)
    with pytest.raises(InfeasibleError, match=r"if its qubits start in \|0>, say so .*: then \d are enough"):
        distq.compile(circuit, network)
    with pytest.raises(InfeasibleError, match="the network has 4 data qubits"):
        distq.compile(circuit, network, **ZERO, without=("reuse",))
    program = distq.compile(circuit, network, **ZERO, verify="auto")
    assert verify(circuit, program, "statevector", **ZERO).ok
    assert not verify(circuit, program).ok
    assert program.stats["lower_bound"] <= program.ebits
    with pytest.raises(InfeasibleError, match=r"\(\d at a time where qubits are reused\)"):
        distq.compile(ladder(8, 6), Network.all_to_all(2, data=2, comm=1), **ZERO)


def test_reuse_saves_ebits_and_can_be_switched_off() -> None:
    network = Network.all_to_all(4, data=3, comm=2)
    circuit = ladder(12, 2)
    with_reuse = distq.compile(circuit, network, **ZERO, effort="fast").ebits
    assert with_reuse == 0
    assert distq.compile(circuit, network, **ZERO, effort="fast", without=("reuse",)).ebits >= 3
    # Homes that are asked for are kept: every qubit has one of its own then.
    homes = {q: q // 3 for q in range(12)}
    program = distq.compile(circuit, network, **ZERO, effort="fast", initial_homes=homes)
    assert not program.program.births
    assert [int(program.program.qubit_module[q]) for q in program.program.input_qubit] == list(homes.values())


def test_measured_qubits_make_room_for_others() -> None:
    """Full modules; a qubit moves into the place of a measured one, whatever the qubits start in."""
    circuit = QuantumCircuit(4, 1)

    def block(a: int, b: int) -> None:
        for angle in (0.3, 0.7, 1.1, 0.4):
            circuit.rxx(angle, a, b)
            circuit.ry(angle, [a, b])

    block(0, 1)
    block(2, 3)
    circuit.measure(0, 0)
    block(1, 2)
    network = Network.all_to_all(2, data=2, comm=2)
    program = distq.compile(circuit, network, verify="auto")
    assert program.ebits == 1
    assert distq.compile(circuit, network, without=("reuse",)).ebits == 2


def test_saved_programs_keep_their_births(tmp_path: Path) -> None:
    program = distq.compile(ghz(5), Network.all_to_all(2, data=1, comm=1), **ZERO)
    program.save(tmp_path / "p")
    loaded = distq.load(tmp_path / "p")
    assert loaded.program.births == program.program.births
    assert loaded.program.unborn == program.program.unborn
    assert len(program.program.births) == 3
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["promise"]["start"] == "zero"
    assert sorted(manifest["births"]) == manifest["unborn"]
    assert sum(run(loaded.to_qiskit(), 50, 1).values()) == 50
    assert loaded.to_qiskit().count_ops()["reset"] >= 3


# Many cases


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_on_tight_networks(seed: int) -> None:
    only = seed % 4 == 3
    case = random_reuse_case(seed, clifford=seed % 2 == 1, outcomes_only=only, max_qubits=6)
    options = {**ZERO, "outcomes_only": only, "effort": "fast"}
    report = check_case(case, shots=200 if seed % 3 == 0 else 0, options=options)
    assert report.problems == []
    assert report.verified["symbolic"]
    assert report.verified["statevector"]


def test_lives_that_wander() -> None:
    """Homes at random within the room there is; wires that hold nothing jump."""
    jumps = 0
    for seed in range(16):
        choices = RandomChoices(f"jump {seed}")
        qubits, only, start = choices.integer(2, 5), seed % 4 == 2, "any" if seed % 4 == 3 else "zero"
        circuit = passing_circuit(choices, qubits, together=choices.integer(2, 3))
        room = qubits if start == "any" else peak_qubits(circuit, outcomes_only=only) + seed % 2
        network = random_network(choices, room, min_modules=2, max_modules=3)
        plan = random_plan(CompileCase(circuit, network, seed), start=start, outcomes_only=only)
        jumps += bool((plan.kind == Step.JUMP).any())
        program = program_of(plan)
        for method in ("symbolic", "statevector"):
            result = verify(circuit, program, method, start=start, outcomes_only=only)
            assert result.ok, (seed, result.message)
    assert jumps >= 4


def test_broken_programs_are_noticed() -> None:
    table = MutationTable()
    kinds = ["place reused too early", "place not reset before reuse", "births exchanged", "birth of another qubit"]
    texts = ["promise of the start not asked for", "unborn qubits forgotten"]
    for seed in range(4):
        mutate_case(
            random_reuse_case(seed, max_qubits=5), table, seed=seed, per_kind=2, kinds=kinds, directory_kinds=texts,
            options={**ZERO, "effort": "fast"},
        )  # fmt: skip
    assert table.failures == []
    assert table.counts["place reused too early"]["caught"] >= 3
    assert table.counts["promise of the start not asked for"]["refused"] >= 3
