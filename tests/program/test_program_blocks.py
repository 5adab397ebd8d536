"""Witnesses in the manifest: what is written, that it comes back, and that nonsense is refused."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, random_unitary

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.logical import Rewrite
from distq.errors import InputError
from distq.ops import Op
from distq.program.emit import GATE_NAMES, gate_text
from distq.program.files import load_program, save_program
from distq.program.order import differences
from distq.program.types import Block
from distq.program.witnesses import with_witnesses
from distq.rewrite.passes import TECHNIQUES
from distq.testing.strategies import random_case

sys.path.insert(0, str(Path(__file__).parents[1] / "circuit"))
from witness_checks import same


def line_circuit(lines, num_qubits):
    """The circuit of the lines of a block, by Qiskit's own gates."""
    circuit = QuantumCircuit(num_qubits)
    for line in lines:
        name, _, operands = line.removesuffix(";").partition(" q[")
        qubits = [int(q.removeprefix("q[").removesuffix("]")) for q in f"q[{operands}".split(", ")]
        head, _, angle = name.removesuffix(")").partition("(")
        if name.startswith("ctrl("):
            circuit.mcp(float(name.partition("@ p(")[2].removesuffix(")")), qubits[:-1], qubits[-1])
        elif head.startswith("parity"):
            for q in qubits[:-1]:
                circuit.cx(q, qubits[-1])
            circuit.rz(float(angle), qubits[-1])
            for q in reversed(qubits[:-1]):
                circuit.cx(q, qubits[-1])
        else:
            getattr(circuit, head.lower())(*(float(v) for v in angle.split(", ") if v), *qubits)
    return circuit


def save(compiled, path):
    compiled.save(path)
    return json.loads((path / "manifest.json").read_text())


def small(comm=2):
    return distq.Network.all_to_all(2, data=2, comm=comm)


def test_what_is_written(tmp_path):
    gate = random_unitary(4, seed=1)
    inner = QuantumCircuit(2, name="inner")
    inner.cx(0, 1)
    inner.iswap(0, 1)
    circuit = QuantumCircuit(4)
    circuit.append(inner.to_gate(), [0, 1])
    circuit.unitary(gate, [1, 2])
    manifest = save(distq.compile(circuit, small(), verify="none", without=tuple(TECHNIQUES)), tmp_path / "p")
    first, second = manifest["blocks"]
    assert first == {"of": [[0, 1]], "is": ["s q[0];", "s q[1];", "cz q[0], q[1];", "swap q[0], q[1];"]}
    assert second["of"] == [1]
    # Qubit 1 is on wire 0 after the iSWAP.
    found = line_circuit([line.replace("q[2]", "q[1]") for line in second["is"]], 2)
    assert same(Operator(found).data, gate.data)


def test_no_blocks_no_key(tmp_path):
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    assert "blocks" not in save(
        distq.compile(circuit, small(), verify="none", without=tuple(TECHNIQUES)), tmp_path / "p"
    )


def test_expanded_gates(tmp_path):
    circuit = QuantumCircuit(6)
    circuit.barrier()
    circuit.ccx(0, 2, 4)
    circuit.mcp(0.3, [0, 1, 2, 3, 4], 5)
    network = distq.Network.line(3, data=2, comm=1)
    compiled = distq.compile(circuit, network, effort="fast", verify="none")
    manifest = save(compiled, tmp_path / "p")
    blocks = {tuple(b["of"]): b["is"] for b in manifest["blocks"]}
    assert set(blocks) == {(1,), (2,)}
    for (k,), lines in blocks.items():
        qubits = [circuit.find_bit(q).index for q in circuit.data[k].qubits]
        wanted = QuantumCircuit(6)
        wanted.append(circuit.data[k].operation, qubits)
        assert same(Operator(line_circuit(lines, 6)).data, Operator(wanted).data)
    back = load_program(tmp_path / "p")[0]
    assert back.blocks == compiled.program.blocks


def test_random_programs_come_back(tmp_path):
    seen = 0
    for seed in range(12):
        case = random_case(seed, min_qubits=3, max_gates=14)
        compiled = distq.compile(case.circuit, case.network, seed=case.seed, effort="fast", verify="none")
        compiled.save(tmp_path / "a")
        back = distq.load(tmp_path / "a")
        assert differences(compiled.program, back.program) == []
        back.save(tmp_path / "b")
        for file in sorted((tmp_path / "a").iterdir()):
            assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
        seen += len(back.program.blocks)
    assert seen > 5


def test_parameters_of_witnesses_only(tmp_path):
    a, b = Parameter("v[1]"), Parameter("v[0]")
    circuit = QuantumCircuit(2)
    circuit.rzz(a, 0, 1)
    logical = from_qiskit(circuit)
    program = distq.compile(circuit, small(), verify="none").program
    rows = ((int(Op.PARITY), (0, 1), (2 * b,)), (int(Op.U), (0,), (0.1, a - a, a)))
    written = with_witnesses(program, replace(logical, rewrites=(Rewrite((0,), rows),)))
    assert written.block_parameters == ("v[0]",)
    save_program(written, tmp_path / "p")
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["parameters"] == [["v[0]", "_p0"], ["v[1]", "_p1"]]
    assert manifest["blocks"] == [{"of": [0], "is": ["rzz(2 * _p0) q[0], q[1];", "U(0.1, 0.0, _p1) q[0];"]}]
    back = load_program(tmp_path / "p")[0]
    assert differences(written, back) == []
    save_program(back, tmp_path / "q")
    assert (tmp_path / "p" / "manifest.json").read_bytes() == (tmp_path / "q" / "manifest.json").read_bytes()


def test_gate_texts():
    angles = {1: ["0.5"], 3: ["0.1", "0.2", "0.3"]}
    for code, name in enumerate(GATE_NAMES):
        count = 3 if name == "U" else int(name in ("p", "rx", "ry", "rz"))
        values = angles.get(count, [])
        lines = [gate_text(code, values, 1, "q[0]")]
        wanted = {"U": "u"}.get(name, name)
        gate = QuantumCircuit(1)
        getattr(gate, wanted)(*map(float, values), 0)
        assert same(Operator(line_circuit(lines, 1)).data, Operator(gate).data)
    assert gate_text(Op.MCP, [repr(math.pi)], 2, "q[0], q[1]") == "cz q[0], q[1];"
    assert gate_text(Op.MCP, ["0.5"], 2, "q[0], q[1]") == "cp(0.5) q[0], q[1];"
    assert gate_text(Op.MCP, ["a"], 3, "x, y, z") == "ctrl(2) @ p(a) x, y, z;"
    assert gate_text(Op.PARITY, ["a"], 2, "x, y") == "rzz(a) x, y;"
    assert gate_text(Op.PARITY, ["a"], 3, "x, y, z") == "parity3(a) x, y, z;"


BAD = [
    [{"of": [], "is": []}],
    [{"of": [-1], "is": []}],
    [{"of": [0], "is": []}, {"of": [-2], "is": []}],
    [{"of": [[]], "is": []}],
    [{"of": [[1, -1]], "is": []}],
    [{"of": ["0"], "is": []}],
    [{"of": [0]}],
    [{"of": [0], "is": [1]}],
    {"of": [0], "is": []},
]


@pytest.mark.parametrize("blocks", BAD)
def test_nonsense_is_refused(blocks, tmp_path):
    circuit = QuantumCircuit(2)
    circuit.iswap(0, 1)
    manifest = save(distq.compile(circuit, small(), verify="none", without=tuple(TECHNIQUES)), tmp_path / "p")
    manifest["blocks"] = blocks
    (tmp_path / "p" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"blocks|Expected"):
        load_program(tmp_path / "p")


def test_good_blocks_are_read(tmp_path):
    circuit = QuantumCircuit(2)
    circuit.iswap(0, 1)
    manifest = save(distq.compile(circuit, small(), verify="none", without=tuple(TECHNIQUES)), tmp_path / "p")
    manifest["blocks"] += [{"of": [-1, [0, 3]], "is": []}]
    (tmp_path / "p" / "manifest.json").write_text(json.dumps(manifest))
    assert load_program(tmp_path / "p")[0].blocks[1] == Block((-1, (0, 3)), ())
