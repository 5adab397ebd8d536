"""The reader accepts the format of docs/design.md and names file and line of everything else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from handmade import Handmade, state_teleport, teleported_cz

from distq.errors import InputError
from distq.verify.angles import evaluate, names_in
from distq.verify.reader import ProgramFiles, read_directory


def everything() -> Handmade:
    """One module file with every form of statement."""
    p = Handmade([(4, 1), (1, 1)])
    p.inputs = [[0, "d", i] for i in range(4)]
    p.parameters = ["theta"]
    p.at(0, *(f"{g} d[0];" for g in ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")))
    p.at(0, "p(0.1) d[1];", "rx(-1e-05) d[1];", "ry(2*theta - 1) d[1];", "rz(theta) d[1];", "U(0.1, 0.2, -0.3) d[1];")
    p.at(0, "cx d[0], d[1];", "cz d[0], d[1];", "cp(-0.5) d[0], d[1];", "rzz(0.25) d[0], d[1];", "swap d[0], d[1];")
    p.at(
        0,
        "ctrl(2) @ p(3.0) d[0], d[1], d[2];",
        "parity3(0.5) d[0], d[1], d[2];",
        "parity4(0.5) d[0], d[1], d[2], d[3];",
    )
    p.cat(0, "d[0]", 0, 1, 0)
    p.measure(0, "d[3]", guard="!m[0]")
    p.at(0, "if (m[0]) { if (!m[1]) { x d[2]; } }", "reset c[0];")
    return p  # fmt: skip


def test_every_form(tmp_path: Path) -> None:
    files = read_directory(everything().save(tmp_path))
    assert len(files) == len(files.qubits) == len(files.line)
    by_kind = dict(zip(files.kind, zip(files.qubits, files.params, files.guard, files.bit)))
    assert by_kind["U"][1] == (0.1, 0.2, -0.3)
    assert by_kind["ry"][1] == ("2*theta - 1",)
    assert by_kind["mcp"][:2] == ((0, 1, 2), (3.0,))
    assert by_kind["parity"][:2] == ((0, 1, 2, 3), (0.5,))
    assert by_kind["epr"][0] == (4, 6)
    assert by_kind["reset"][0] == (4,)
    assert by_kind["measure"][2:] == (((0, 0),), 1)
    assert ((0, 1), (1, 0)) in files.guard
    assert (files.qubit_name(4), files.qubit_name(5)) == ("c[0] of module 'm0'", "d[0] of module 'm1'")
    bound = files.bind({"theta": 0.25})
    assert [p for k, p in zip(bound.kind, bound.params) if k in ("ry", "rz")] == [(-0.5,), (0.25,)]
    row = files.kind.index("U")
    lines = (tmp_path / "module_0.qasm").read_text().split("\n")
    assert lines[files.line[row] - 1].startswith("U(")
    assert files.place(row) == f"module_0.qasm, line {files.line[row]}"


def test_the_order_respects_messages_and_pairs(tmp_path: Path) -> None:
    files = read_directory(state_teleport().save(tmp_path))
    assert files.kind == ["epr", "cx", "measure", "h", "measure", "x", "z", "swap", "h"]
    assert [g for g in files.guard if g] == [((0, 1),), ((1, 1),)]
    assert files.inputs == [0, 2]
    assert files.outputs == [3, 2]


def change(old: str, new: str, module: int = 0) -> Callable[[Path], None]:
    def act(directory: Path) -> None:
        path = directory / f"module_{module}.qasm"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        resign(directory)

    return act


def resign(directory: Path) -> None:
    """Make the checksums right again, as somebody who wants to deceive would."""
    manifest = json.loads((directory / "manifest.json").read_text())
    for entry in manifest["modules"]:
        entry["sha256"] = hashlib.sha256((directory / entry["file"]).read_bytes()).hexdigest()
    (directory / "manifest.json").write_text(json.dumps(manifest))


def manifest(**changes: Any) -> Callable[[Path], None]:
    def act(directory: Path) -> None:
        path = directory / "manifest.json"
        document = json.loads(path.read_text())
        for key, value in changes.items():
            if value is None:
                del document[key]
            elif callable(value):
                value(document[key])
            else:
                document[key] = value
        path.write_text(json.dumps(document))

    return act


FAULTS: list[tuple[Callable[[Path], Any], str]] = [
    (lambda d: (d / "module_1.qasm").unlink(), r"module_1.qasm: cannot be read"),
    (lambda d: (d / "manifest.json").unlink(), r"manifest.json: cannot be read"),
    (lambda d: (d / "manifest.json").write_text("{"), r"not valid JSON"),
    (lambda d: (d / "manifest.json").write_text("[]"), r"not of type dict"),
    (lambda d: (d / "module_0.qasm").write_text("x"), r"changed after it was written"),
    (lambda d: ((d / "module_0.qasm").write_bytes(b"\xff\n"), resign(d)), r"not UTF-8"),
    (change("z d[0]; }\n", "z d[0]; }"), r"cut off"),
    (change("OPENQASM 3.0;", "OPENQASM 2.0;"), r"line 1: expected"),
    (change("module 0:", "module 1:"), r"line 3: expected"),
    (change("qubit[1] d;", "qubit[2] d;"), r"register d has 2 elements, but the manifest says 1"),
    (change("qubit[1] d;", "qubit[1] q;"), r"line 5: cannot read the declaration"),
    (change("qubit[1] d;\n", ""), r"register d has 0 elements"),
    (change("epr(pair) a { }", "epr(pair) a { x a; }"), r"line 4: the definition of gate epr"),
    (change("gate epr(pair) a { }\n", ""), r"gate epr is used but not defined"),
    (change("cx d[0], c[0];", "cx d[0], c[1];"), r"line 10: qubit c\[1\] is not declared"),
    (change("cx d[0], c[0];", "cx d[0], d[0];"), r"named twice"),
    (change("cx d[0], c[0];", "cx d[0];"), r"acts on 2 qubits, not 1"),
    (change("cx d[0], c[0];", "cy d[0], c[0];"), r"unknown gate 'cy'"),
    (change("cx d[0], c[0];", "cx d[0], c[0]"), r"cannot read the statement"),
    (change("cx d[0], c[0];", "rz d[0];"), r"rz takes 1 angles, not 0"),
    (change("cx d[0], c[0];", "rz(1e999) d[0];"), r"is not a finite number"),
    (change("cx d[0], c[0];", "rz(theta) d[0];"), r"refers to 'theta', which is not declared"),
    (change("cx d[0], c[0];", "rz(__import__('os')) d[0];"), r"cannot stand in an angle|not an arithmetic"),
    (change("cx d[0], c[0];", "rz(1/0) d[0];"), r"cannot be read"),
    (change("cx d[0], c[0];", "include \"x\";"), r"unknown gate|cannot read"),
    (change("@distq.send 0", "@distq.send 9"), r"message 9 is not in the manifest"),
    (change("@distq.send 0", "@distq.note 0"), r"unknown annotation"),
    (change("@distq.send 0\n", ""), r"deadlocked: this statement waits for message 1"),
    (change("@distq.send 0\nm[0] = measure c[0];", "m[0] = measure c[0];\n@distq.send 0"), r"no measurement follows"),
    (change("@distq.recv 1\n", ""), r"r\[0\] is read before a message brought it"),
    (change("@distq.recv 1", "@distq.recv 0"), r"message 0 goes to another module"),
    (change("if (r[0])", "if (m[3])"), r"bit m\[3\] is not declared"),
    (change("if (r[0])", "if (r[0] == 1)"), r"cannot read the condition"),
    (change("cx d[0], c[0];", "if (m[0]) { x d[0]; }\ncx d[0], c[0];"), r"m\[0\] is read before it is measured"),
    (change("@distq.recv 1", "m[0] = measure d[0];\n@distq.recv 1"), r"measured twice"),
    (change("epr(0) c[0];", "epr(0) d[0];"), r"Bell pairs arrive on communication qubits"),
    (change("epr(0) c[0];", "epr(1) c[0];"), r"Bell pair 1 is not in the manifest"),
    (change("epr(0) c[0];\n", ""), r"the program is deadlocked"),
    (change("cx d[0]", "epr(0) c[0];\ncx d[0]"), r"Bell pair 0 is made twice"),
    (change("cx d[0]", "@distq.exchange 0\nz d[0];\ncx d[0]"), r"an exchange consists of cx gates"),
    (manifest(version=2), r"version 2"),
    (manifest(format="other"), r"'other'"),
    (manifest(pairs=None), r"key 'pairs' is missing"),
    (manifest(inputs=[[0, "d", 0]]), r"1 entries for 2 qubits"),
    (manifest(inputs=[[0, "d", 0], [0, "d", 0]]), r"the same physical qubit"),
    (manifest(outputs=[[0, "d", 0], [1, "d", 7]]), r"must be a number from 0 to 0"),
    (manifest(pairs={"link": [0], "a": [0], "b": []}), r"different lengths"),
    (manifest(pairs={"link": [4], "a": [0], "b": [0]}), r"the link of Bell pair 0"),
    (manifest(pairs={"link": [0, 0], "a": [0, 0], "b": [0, 0]}), r"Bell pair 1 occurs in no module file"),
    (manifest(modules=lambda m: m.pop()), r"1 modules, but the network has 2"),
    (manifest(modules=lambda m: m[0].update(file="../x")), r"must be 'module_0.qasm'"),
    (manifest(modules=lambda m: m[0].update(data=-1)), r"size outside"),
    (manifest(modules=lambda m: m[0].update(name="z")), r"not the name of module 0"),
    (manifest(messages=lambda m: m.update({"to": [0, 0]})), r"goes to its own sender"),
    (manifest(clbits=[[]]), r"1 entries for 0 classical bits"),
    (manifest(schedule={"makespan": 1, "start": [[0.0], [0.0]]}), r"the schedule is for \[1, 1\] statements"),
    (manifest(network=lambda n: n["links"][0].update(a="nowhere")), r"a link of the network joins"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(FAULTS)))
def test_faults_are_named(case: int, tmp_path: Path) -> None:
    directory = teleported_cz().save(tmp_path / "p")
    act, message = FAULTS[case]
    act(directory)
    with pytest.raises(InputError, match=message):
        read_directory(directory)


def test_gate_definitions_are_checked(tmp_path: Path) -> None:
    """A definition that means something else than its name is refused, an equivalent one is not."""
    for old, new, right in (
        ("cx a, b; rz(t) b; cx a, b;", "cx b, a; rz(t) a; cx b, a;", True),
        ("cx a, b; rz(t) b; cx a, b;", "cx a, b; rz(t) a; cx a, b;", False),
        ("cx a, b; rz(t) b; cx a, b;", "cx a, b; rz(t) b;", False),
        ("s a; h a; s a;", "h a; sdg a; h a;", True),
        ("s a; h a; s a;", "s a; h a; sdg a;", False),
        ("rz(t) d; cx c, d;", "rz(t) d; cx b, d;", False),
    ):
        directory = everything().save(tmp_path)
        change(old, new)(directory)
        if right:
            assert isinstance(read_directory(directory), ProgramFiles)
        else:
            with pytest.raises(InputError, match="the definition of gate"):
                read_directory(directory)


def test_angles() -> None:
    assert names_in("2*sin(a)/(b - 1)**2") == {"a", "b"}
    assert evaluate("2*sin(a)/(b - 1)**2", {"a": 0.5, "b": 3.0}) == pytest.approx(0.23971276930210156)
    assert evaluate("-pi/2 + arctan(x)", {"x": 0.0}) == pytest.approx(-1.5707963267948966)
    for text in ("a if b else c", "[1]", "a.b", "f(1)", "'x'", "lambda: 0", "1 +", "True & 1"):
        with pytest.raises(ValueError, match=r".+"):
            names_in(text)
