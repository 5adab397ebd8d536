"""Routing on coupling maps: random circuits on random small processors, verified as a whole and edge by edge."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.transpiler import CouplingMap

import distq
from distq import Module, ModuleHardware, Network
from distq.network.topologies import attach
from distq.ops import Op
from distq.program.types import COMM, DistributedProgram
from distq.schedule.plan import schedule
from distq.testing import CompileCase, check_case
from distq.testing.random_circuits import FEATURES, RandomChoices, random_circuit
from distq.verify.coupling import coupling_problem
from distq.verify.reader import read_directory


def shape(kind: str, size: int) -> list[tuple[int, int]]:
    """Edges of a map with about so many positions: a line, a grid of two rows, a heavy-hex ring with its tails."""
    if kind == "line":
        return [(i, i + 1) for i in range(size - 1)]
    if kind == "grid":
        cols = (size + 1) // 2
        return sorted({(min(a, b), max(a, b)) for a, b in CouplingMap.from_grid(2, cols)})
    ring = [(i, (i + 1) % max(size - 2, 3)) for i in range(max(size - 2, 3))]
    return [*ring, (0, len(ring)), (len(ring) // 2, len(ring) + 1)]


def random_mapped_network(r: random.Random, qubits: int) -> Network:
    """Two to three modules with coupling maps (one in six has none) and communication qubits anywhere on them."""
    k = r.randint(2, 3)
    sizes = [qubits // k + (i < qubits % k) + (r.random() < 0.3) for i in range(k)]
    modules = []
    for i, data in enumerate(sizes):
        comm = r.randint(1, 2)
        if r.random() < 1 / 6:
            modules.append(Module(f"m{i}", max(data, 1), comm))
            continue
        edges = shape(r.choice(("line", "grid", "hex")), max(data, 1) + comm)
        positions = sorted({p for edge in edges for p in edge})
        ports = r.sample(positions, comm)
        names = list(range(100, 100 + len(positions)))  # positions need not begin at 0
        r.shuffle(names)
        modules.append(
            Module(
                f"m{i}",
                len(positions) - comm,
                comm,
                ModuleHardware(
                    coupling=[(names[a], names[b]) for a, b in edges],
                    data_positions=[names[p] for p in positions if p not in ports],
                    comm_positions=[names[p] for p in ports],
                ),
            )
        )
    links = [(0, 1), (1, 2)][: k - 1] + ([(0, 2)] if k == 3 and r.random() < 0.5 else [])
    return attach(modules, links, name="mapped", description="", source="")


def off_the_map(program: DistributedProgram) -> list[int]:
    """Rows that are not on an edge, written down without the compiler's chart or the verifier's."""
    bad = []
    for row in range(len(program)):
        qubits = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
        where = []
        for q in qubits:
            module = program.network.modules[program.qubit_module[q]]
            if module.hardware is None or module.hardware.coupling is None:
                continue
            rows = module.hardware.places(module.data, module.comm)
            where.append((rows[int(program.qubit_role[q] == COMM)][program.qubit_index[q]], module.hardware.coupling))
        if program.code[row] == Op.EPR:
            if any(program.qubit_role[q] != COMM for q in qubits):
                bad.append(row)
        elif len(where) > 1:
            (a, coupling), (b, _) = where[:2]
            if len(where) > 2 or ((a, b) not in coupling and (b, a) not in coupling):
                bad.append(row)
    return bad


def mapped_case(seed: int, features: tuple[str, ...] = FEATURES, gates: int = 14) -> CompileCase:
    r = random.Random(seed)
    qubits = r.randint(3, 5)
    circuit = random_circuit(RandomChoices(f"mapped {seed}"), qubits, r.randint(4, gates), features)
    return CompileCase(circuit, random_mapped_network(r, qubits), seed)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_routed_programs_do_what_their_circuits_do(seed: int) -> None:
    case = mapped_case(seed)
    report = check_case(case, shots=0, options={"effort": "fast"})
    assert report.problems == []
    assert report.verified["symbolic"]
    assert report.verified["statevector"]


@pytest.mark.parametrize("seed", [1135, 1299, 1518])
def test_cases_that_once_failed(seed: int) -> None:
    """A way out of a communication qubit; a gate in a branch of a branch; a gate expanded after others passed it."""
    report = check_case(mapped_case(seed, gates=24), shots=0, options={"effort": "fast"})
    assert report.problems == []


@settings(max_examples=12, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_routed_programs_keep_to_the_maps(seed: int) -> None:
    case = mapped_case(seed, gates=20)
    compiled = distq.compile(case.circuit, case.network, effort="fast", seed=seed, verify="none")
    assert off_the_map(compiled.program) == []
    for name, peak in compiled.peak_comm_qubits.items():
        comm = case.network.modules[case.network.index(name)].comm
        assert comm is not None
        assert peak <= comm


def grid_network(k: int = 2, **times: float) -> Network:
    edges = shape("grid", 6)
    return Network.all_to_all(
        k, data=4, comm=2, hardware=ModuleHardware(coupling=edges, comm_positions=(1, 4), **times)
    )


def test_a_program_is_the_same_again_and_after_loading(tmp_path: Path) -> None:
    circuit = mapped_case(11).circuit
    first = distq.compile(circuit, grid_network(), effort="fast", seed=4)
    second = distq.compile(circuit, grid_network(), effort="fast", seed=4)
    first.save(tmp_path / "a")
    second.save(tmp_path / "b")
    for file in ("module_0.qasm", "module_1.qasm"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    loaded = distq.load(tmp_path / "a")
    assert loaded.network == grid_network()
    assert loaded.local_swaps == first.local_swaps == loaded.to_dict()["local_swaps"]
    assert loaded.stats["mapping"]["swaps"] == first.stats["mapping"]["swaps"]
    assert sum(first.stats["mapping"]["swaps"]) == first.local_swaps


def test_without_mapping_the_program_is_for_modules_without_maps() -> None:
    circuit = mapped_case(11).circuit
    compiled = distq.compile(circuit, grid_network(), effort="fast", mapping=False)
    assert compiled.network == grid_network().without_coupling()
    assert "mapping" not in compiled.stats
    assert distq.verify(circuit, compiled).ok


def test_the_verifier_refuses_operations_off_the_map(tmp_path: Path) -> None:
    """The program for another map, with right gates: the map in the manifest decides."""
    circuit = mapped_case(11).circuit
    compiled = distq.compile(circuit, grid_network(), effort="fast")
    compiled.save(tmp_path / "p")
    assert coupling_problem(read_directory(tmp_path / "p")) is None
    manifest = tmp_path / "p" / "manifest.json"
    content = json.loads(manifest.read_text())
    for module in content["network"]["modules"]:
        module["hardware"]["coupling"] = shape("line", 6)
    manifest.write_text(json.dumps(content))
    result = distq.verify(circuit, tmp_path / "p")
    assert not result.ok
    assert "which the coupling map does not join" in result.message


def test_the_verifier_refuses_wide_gates_and_pairs_without_a_position(tmp_path: Path) -> None:
    circuit = QuantumCircuit(4)
    circuit.ccx(0, 1, 2)
    circuit.cx(0, 3)
    network = Network.all_to_all(2, data=3, comm=1)
    distq.compile(circuit, network, pins={0: 0, 1: 0, 2: 0, 3: 1}).save(tmp_path / "p")
    manifest = tmp_path / "p" / "manifest.json"
    content = json.loads(manifest.read_text())
    complete = [[a, b] for a in range(4) for b in range(a)]
    content["network"]["modules"][0]["hardware"] = {"coupling": complete}
    manifest.write_text(json.dumps(content))
    assert "acts on 3 qubits" in distq.verify(circuit, tmp_path / "p").message
    # The communication qubit of the other module has no position: the pair, or what follows it, is refused.
    content["network"]["modules"][0]["hardware"] = {}
    content["network"]["modules"][1]["hardware"] = {"coupling": complete, "comm_positions": []}
    manifest.write_text(json.dumps(content))
    problem = coupling_problem(read_directory(tmp_path / "p"))
    assert problem is not None
    assert "which is not a communication position of the processor" in problem


def test_hardware_times_reach_the_schedule() -> None:
    circuit = mapped_case(11).circuit
    slow = grid_network(one_qubit_time=1e-6, two_qubit_time=1e-5, measure_time=1e-4)
    compiled = distq.compile(circuit, slow, effort="fast")
    timeline = schedule(compiled)
    swaps = compiled.program.code == Op.SWAP
    assert swaps.any()
    assert timeline.end[swaps] - timeline.start[swaps] == pytest.approx(3e-5)
    sample = timeline.distribution(3, seed=1)
    assert sample.quantile(0.5) == pytest.approx(timeline.makespan)
