"""Derived inputs: angles that importers of OpenQASM 3 cannot read, as inputs with a formula in the manifest."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from program_samples import finish
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Parameter

import distq
from distq.errors import InputError
from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.program.emit import emit_modules
from distq.program.expressions import is_plain
from distq.program.files import load_program, program_files, save_program
from distq.program.order import canonical
from distq.program.to_qiskit import to_qiskit
from distq.program.types import DATA, DistributedProgram, ProgramBuilder
from distq.verify.reader import read_directory


def content(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def edit(directory: Path, **changes: Any) -> None:
    """Change keys of the manifest."""
    path = directory / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


def symbolic_program(*angles: Any, split: bool = False) -> DistributedProgram:
    """One module (or two, each with every angle) that turns a qubit by each angle, the last one conditionally."""
    modules = (Module("A", 1, 0), Module("B", 1, 0))[: 2 if split else 1]
    b = ProgramBuilder(Network(modules))
    for m in range(len(modules)):
        q = b.qubit(m, DATA, 0)
        for i in range(len(angles) - 1):
            b.add(Op.RZ, (q,), (math.nan,), (i,))
            b.add(Op.H, (q,))
        bit = b.measure(q, m)
        b.add(Op.U, (q,), (math.nan, 0.5, math.nan), (len(angles) - 1, -1, 0), guard=((bit, 1),))
    return canonical(finish(b, [], [], expressions=angles))


def derived_of(program: DistributedProgram) -> dict[str, str]:
    return dict(json.loads(program_files(program)["manifest.json"])["derived"])


def test_derived_inputs(tmp_path: Path) -> None:
    """Functions and powers become inputs; one for each formula; parameters that only formulas use are listed."""
    theta, phi, odd, taken = Parameter("theta"), Parameter("phi"), Parameter("my angle"), Parameter("_e0")
    angles = (theta.sin(), 2 * phi, odd**7, theta.sin(), phi**3, taken - (theta + odd).arctan())
    program = symbolic_program(*angles, split=True)
    save_program(program, tmp_path / "p")
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_bytes())
    assert manifest["parameters"] == [["_e0", "_p0"], ["my angle", "_p1"], "phi", "theta"]
    assert [ident for ident, _ in manifest["derived"]] == ["_e0", "_e1", "_e2"]
    assert [formula for _, formula in manifest["derived"]][:2] == ["sin(theta)", "_p1 ** 7"]
    for name in ("module_0.qasm", "module_1.qasm"):
        text = (tmp_path / "p" / name).read_text()
        declared = re.findall(r"input float (\w+);", text)
        assert declared == ["_e0", "_e1", "_e2", "phi"]
        assert "if (m[0]) { U(_e2, 0.5, _e0) d[0]; }" in text
        assert "rz(phi * phi * phi) d[0];" in text
        assert {p.name for p in qasm3.loads(text).parameters} == set(declared)
    loaded, _ = load_program(tmp_path / "p")
    save_program(loaded, tmp_path / "q")
    assert content(tmp_path / "p") == content(tmp_path / "q")
    values = {theta: 0.4, phi: -1.1, odd: 0.7, taken: 0.2}
    by_name = {p.name: v for p, v in values.items()}
    for ours, back in zip(program.expressions, loaded.expressions, strict=True):
        assert back.parameters <= to_qiskit(loaded).parameters
        assert {p.name for p in back.parameters} == {p.name for p in ours.parameters}
        bound = back.bind({p: by_name[p.name] for p in back.parameters})
        assert float(bound) == pytest.approx(float(ours.bind({p: values[p] for p in ours.parameters})))


def test_a_module_declares_the_derived_inputs_that_it_uses() -> None:
    theta = Parameter("theta")
    b = ProgramBuilder(Network((Module("A", 1, 0), Module("B", 1, 0))))
    for m in range(2):
        b.add(Op.RZ, (b.qubit(m, DATA, 0),), (math.nan,), (m,))
    texts = emit_modules(canonical(finish(b, [], [], expressions=(theta.exp(), theta.cos()))))
    assert [t.derived for t in texts] == [(("_e0", "exp(theta)"),), (("_e1", "cos(theta)"),)]
    assert [re.findall("input.*", t.text) for t in texts] == [["input float _e0;"], ["input float _e1;"]]


def test_what_an_importer_would_misread_is_derived() -> None:
    """Deep nesting, and whole numbers that OpenQASM 3 divides with rounding, if Qiskit should ever write them."""
    many = [Parameter(f"a{i}") for i in range(120)]
    nested = many[0]
    for p in many[1:60]:
        nested = p / (1 + nested)
    program = symbolic_program(sum(many[1:], many[0]), nested, many[0] / 2)
    assert len(derived_of(program)) == 2
    assert qasm3.loads(emit_modules(program)[0].text).num_qubits == 1
    for text, plain in (
        ("(v + w) * 0.5 / (1 - v)", True), ("2 * v - -3.5", True), ("-(-v)", True), ("v / 2", True),
        ("2 / 3 * v", False), ("v + -1 / 2", False), ("(1 + 2) * v", False), ("v ** 2", False), ("sin(v)", False),
    ):  # fmt: skip
        assert is_plain(text) is plain, text


def test_a_parameter_that_cancels_is_not_listed(tmp_path: Path) -> None:
    theta, phi = Parameter("theta"), Parameter("phi")
    program = symbolic_program(theta + (phi - phi).cos(), theta.sin() + 0 * phi)
    assert json.loads(program_files(program)["manifest.json"])["parameters"] == ["theta"]
    save_program(program, tmp_path / "p")
    save_program(load_program(tmp_path / "p")[0], tmp_path / "q")
    assert content(tmp_path / "p") == content(tmp_path / "q")


def test_an_angle_that_is_too_long() -> None:
    many = [Parameter(f"a{i}") for i in range(2000)]
    with pytest.raises(InputError, match="cannot be used"):
        symbolic_program(sum(many[1:], many[0]))


_DERIVED = {
    "no list": ({}, "derived"),
    "no pair": ([["_e0"]], "derived"),
    "no text": ([["_e0", 1.5]], "derived"),
    "another name": ([["x", "sin(theta)"]], "'x', but must be"),
    "another number": ([["_e1", "sin(theta)"]], "'_e1', but must be"),
    "dropped": ([], "'_e0' is neither a parameter nor a derived input"),
    "syntax": ([["_e0", "sin(theta"]], "'_e0' cannot be read"),
    "empty": ([["_e0", ""]], "'_e0' cannot be read"),
    "unknown function": ([["_e0", "gamma(theta)"]], "gamma"),
    "unknown name": ([["_e0", "sin(nobody)"]], "'nobody'"),
    "itself": ([["_e0", "sin(_e0)"]], "'_e0'"),
    "another derived input": ([["_e0", "sin(theta)"], ["_e1", "_e0 + theta"]], "'_e0'"),
    "no parameter": ([["_e0", "sin(0.5)"]], "depends on no parameter"),
    "infinite": ([["_e0", "theta * 1e999"]], "'_e0' cannot be read"),
    "deep": ([["_e0", "-" * 5000 + "theta"]], "'_e0' cannot be read"),
    "code": ([["_e0", "__import__('os').getpid() * theta"]], "'_e0' cannot be read"),
}


@pytest.mark.parametrize("what", _DERIVED)
def test_derived_inputs_that_cannot_be_read(what: str, tmp_path: Path) -> None:
    """Both readers refuse them with one sentence."""
    save_program(symbolic_program(Parameter("theta").sin()), tmp_path / "p")
    value, message = _DERIVED[what]
    path = tmp_path / "p" / "manifest.json"
    edit(tmp_path / "p", derived=value)
    for read in (load_program, read_directory):
        with pytest.raises(InputError, match=message) as caught:
            read(tmp_path / "p")
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value) or "module_0.qasm" in str(caught.value)


def test_a_derived_input_and_a_parameter_of_one_name(tmp_path: Path) -> None:
    save_program(symbolic_program(Parameter("theta").sin()), tmp_path / "p")
    edit(tmp_path / "p", parameters=["theta", ["x", "_e0"]])
    for read in (load_program, read_directory):
        with pytest.raises(InputError, match="no parameter may be"):
            read(tmp_path / "p")


@pytest.mark.parametrize("angle", ["sin(theta)", "theta ** 7", "1 / 2 * theta"])
def test_formulas_do_not_stand_in_module_files(angle: str, tmp_path: Path) -> None:
    save_program(symbolic_program(2 * Parameter("theta")), tmp_path / "p")
    path = tmp_path / "p" / "module_0.qasm"
    path.write_text(path.read_text().replace("2 * theta", angle))
    modules = json.loads((tmp_path / "p" / "manifest.json").read_bytes())["modules"]
    edit(tmp_path / "p", modules=[modules[0] | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}])
    with pytest.raises(InputError, match="only in a formula"):
        load_program(tmp_path / "p")
    with pytest.raises(InputError, match="cannot stand in an angle"):
        read_directory(tmp_path / "p")


def compiled() -> tuple[QuantumCircuit, distq.CompiledProgram]:
    """A circuit whose gates between modules, conditions and global phase have functions of parameters."""
    theta, phi = Parameter("theta"), Parameter("phi")
    circuit = QuantumCircuit(4, 1, global_phase=theta.cos())
    for q in range(4):
        circuit.h(q)
    for a, b in ((0, 2), (1, 3), (0, 3)):
        circuit.cp(theta.sin() / 2, a, b)
        circuit.rzz(phi**7 + theta, a, b)
        circuit.rx(phi.exp(), b)
    circuit.measure(1, 0)
    with circuit.if_test((0, 1)):
        circuit.ry((theta * phi).arctan(), 2)
        circuit.rz(theta.log(), 2)
    network = Network((Module("A", 2, 1), Module("B", 2, 1)), (Link("A", "B"),))
    return circuit, distq.compile(circuit, network, verify="symbolic", effort="fast")


def test_a_compiled_circuit(tmp_path: Path) -> None:
    circuit, program = compiled()
    program.save(tmp_path / "p")
    for name, data in content(tmp_path / "p").items():
        if name.endswith(".qasm"):
            qasm3.loads(data.decode())
    loaded = distq.load(tmp_path / "p")
    loaded.save(tmp_path / "q")
    assert content(tmp_path / "p") == content(tmp_path / "q")
    for method in ("symbolic", "statevector"):
        assert distq.verify(circuit, tmp_path / "q", method=method).ok
    # The joined circuit has the user's own parameters, as objects or after loading by name.
    assert program.to_qiskit().parameters == circuit.parameters
    assert [p.name for p in loaded.to_qiskit().parameters] == ["phi", "theta"]


@pytest.mark.parametrize("change", ["abs({})", "-({})", "({}) + 1e-4", "sign({})", "({}) * ({})"])
def test_the_verifier_refuses_other_formulas(change: str, tmp_path: Path) -> None:
    """Also where functions agree on a part of the numbers: each formula of a program in turn."""
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    for angle in (theta.sin(), theta**7, (2 * theta).arctan()):
        circuit.rx(angle, 0)
        circuit.cp(angle, 0, 1)
        circuit.ry(angle, 1)
    network = Network((Module("A", 1, 1), Module("B", 1, 1)), (Link("A", "B"),))
    distq.compile(circuit, network, effort="fast").save(tmp_path / "p")
    derived = json.loads((tmp_path / "p" / "manifest.json").read_bytes())["derived"]
    assert len(derived) >= 3
    for i, (ident, formula) in enumerate(derived):
        edit(tmp_path / "p", derived=[*derived[:i], [ident, change.format(formula, formula)], *derived[i + 1 :]])
        for method in ("symbolic", "statevector"):
            assert not distq.verify(circuit, tmp_path / "p", method=method).ok
    edit(tmp_path / "p", derived=derived)
    assert distq.verify(circuit, tmp_path / "p").ok
