from __future__ import annotations

import hashlib
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact import matrix, number
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from program_samples import HANDMADE, fan_out, finish, oxford_network, random_program, state_teleport, teleported_cz

from distq.errors import InputError, UsageError
from distq.network.model import Module, Network
from distq.ops import Op
from distq.program import files
from distq.program.emit import emit_modules
from distq.program.files import load_program, program_files, save_program
from distq.program.order import canonical, differences
from distq.program.types import COMM, DATA, MEASURED, DistributedProgram, ProgramBuilder
from distq.schedule.asap import asap

_VALUES = {"theta": 0.7, "φ": -1.3, "v[0]": 0.4, "v[1]": 2.1, "v[2]": -0.6, "my angle": 1.9, "c": 0.35}


def content(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def rewrite(directory: Path, name: str, data: bytes) -> None:
    """Change a module file and its checksum."""
    (directory / name).write_bytes(data)
    manifest = json.loads((directory / "manifest.json").read_bytes())
    for module in manifest["modules"]:
        if module["file"] == name:
            module["sha256"] = hashlib.sha256(data).hexdigest()
    (directory / "manifest.json").write_text(json.dumps(manifest))


# ---- round trips ----


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 60))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int) -> None:
    program = random_program(seed, rows)
    path = tmp_path_factory.mktemp("round") / "program"
    form = canonical(program)
    save_program(program, path, stats={"seed": seed, "ebits": np.int64(form.ebits)}, extra={"note": "outcomes"})
    loaded, manifest = load_program(path)
    assert differences(loaded, form) == []
    assert manifest["stats"] == {"seed": seed, "ebits": form.ebits}
    assert manifest["note"] == "outcomes"
    # What is loaded is written again byte by byte.
    again = program_files(loaded, stats=manifest["stats"], schedule=asap(loaded), extra={"note": "outcomes"})
    assert again == content(path)
    for before, after in zip(form.expressions, loaded.expressions):
        assert number(before, _VALUES) == pytest.approx(number(after, _VALUES), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", HANDMADE)
def test_handmade_round_trip(name: str, tmp_path: Path) -> None:
    program = HANDMADE[name]()
    save_program(program, tmp_path / "p")
    assert differences(load_program(tmp_path / "p")[0], canonical(program)) == []


def test_text_of_a_module() -> None:
    assert emit_modules(canonical(teleported_cz()))[1].text == (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\n// distq program 1, module 1: "B"\ngate epr(pair) a { }\n'
        "qubit[1] d;\nqubit[1] c;\nbit[1] m;\nbit[1] r;\nepr(0) c[0];\n@distq.recv 0\nif (r[0]) { x c[0]; }\n"
        "cz c[0], d[0];\nh c[0];\n@distq.send 1\nm[0] = measure c[0];\n"
    )


def test_modules_that_do_nothing(tmp_path: Path) -> None:
    b = ProgramBuilder(Network((Module("idle", 3, None), Module("B", 1, 0))))
    b.add(Op.H, (b.qubit(1, DATA, 0),))
    save_program(finish(b, [b.qubit(1, DATA, 0)], [b.qubit(0, DATA, 2)]), tmp_path / "p")
    loaded, manifest = load_program(tmp_path / "p")
    assert [(m["data"], m["comm"], m["measured"], m["received"]) for m in manifest["modules"]] == [
        (3, 0, 0, 0),
        (1, 0, 0, 0),
    ]
    assert manifest["pairs"] == {"link": [], "a": [], "b": []}
    assert loaded.num_physical == 4
    save_program(finish(ProgramBuilder(oxford_network()), [], []), tmp_path / "empty")
    assert len(load_program(tmp_path / "empty")[0]) == 0


def test_an_overallocated_program_can_be_saved(tmp_path: Path) -> None:
    """Whether a program keeps within its network is what verification decides, not the format."""
    b = ProgramBuilder(oxford_network())
    b.add(Op.H, (b.qubit(0, COMM, 4),))
    save_program(finish(b, [], []), tmp_path / "p")
    assert load_program(tmp_path / "p")[1]["modules"][0]["comm"] == 5


# ---- other readers ----


def input_values(manifest: dict[str, Any], values: dict[str, float]) -> dict[str, float]:
    """The number for every input of the files, by the documented meaning of the manifest's keys."""
    known = {name[1] if isinstance(name, list) else name: name for name in manifest["parameters"]}
    numbers = {ident: values[name[0] if isinstance(name, list) else name] for ident, name in known.items()}
    names = {"sin": math.sin, "cos": math.cos, "arctan": math.atan, "exp": math.exp, "log": math.log, "abs": abs}
    derived = {ident: eval(formula, {"__builtins__": {}}, names | numbers) for ident, formula in manifest["derived"]}
    return numbers | derived


def expected(program: DistributedProgram, module: int, rows: list[int], data: int) -> list[tuple[Any, ...]]:
    """(name, angles, qubits, guard, bit) of every statement, as Qiskit would have it."""
    names = ["h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "p", "rx", "ry", "rz", "u"]
    result = []
    for row in rows:
        code = int(program.code[row])
        qubits = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]]
        qubits = [q for q in qubits.tolist() if program.qubit_module[q] == module]
        places = tuple(int(program.qubit_index[q]) + (data if program.qubit_role[q] == COMM else 0) for q in qubits)
        at = range(program.param_offsets[row], program.param_offsets[row + 1])
        angles = tuple(
            float(program.params[i])
            if program.param_expr[i] < 0
            else number(program.expressions[program.param_expr[i]], _VALUES)
            for i in at
        )
        if code < 15:
            name = names[code]
        elif code == Op.MCP:
            cz = len(places) == 2 and program.param_expr[at[0]] < 0 and angles[0] == np.pi
            name, angles = ("cz", ()) if cz else ("cp" if len(places) == 2 else "mcphase", angles)
        elif code == Op.PARITY:
            name = "rzz" if len(places) == 2 else f"parity{len(places)}"
        elif code == Op.EPR:
            name, angles = "epr", (float(np.count_nonzero(program.code[:row] == Op.EPR)),)
        else:
            name = Op(code).name.lower()
        g = int(program.guard[row])
        guard = tuple(
            ("m" if program.bit_kind[b] == MEASURED else "r", int(program.bit_index[b]), v)
            for b, v in (program.guards[g] if g >= 0 else ())
        )
        bit = int(program.bit_index[program.bit[row]]) if code == Op.MEASURE else None
        result.append((name, tuple(round(a, 9) for a in angles), places, guard, bit))
    return result


def flat(circuit: Any) -> list[tuple[Any, ...]]:
    """The same of a circuit that Qiskit has read."""
    result = []

    def walk(body: Any, qubit: dict[Any, int], clbit: dict[Any, Any], guard: tuple[Any, ...]) -> None:
        for item in body.data:
            op = item.operation
            if op.name == "if_else":
                inner = op.blocks[0]
                bit, value = op.condition
                walk(
                    inner,
                    dict(zip(inner.qubits, (qubit[q] for q in item.qubits))),
                    dict(zip(inner.clbits, (clbit[c] for c in item.clbits))),
                    (*guard, (*clbit[bit], int(value))),
                )
                continue
            angles = tuple(round(float(p), 9) for p in op.params)
            bit = clbit[item.clbits[0]][1] if op.name == "measure" else None
            result.append((op.name, angles, tuple(qubit[q] for q in item.qubits), guard, bit))

    clbits = {c: (r.name, i) for r in circuit.cregs for i, c in enumerate(r)}
    walk(circuit, {q: i for i, q in enumerate(circuit.qubits)}, clbits, ())
    return result


@pytest.mark.parametrize("seed", range(40))
def test_qiskit_reads_every_file(seed: int) -> None:
    from qiskit import qasm3

    program = canonical(random_program(seed, rows=25))
    values = input_values(json.loads(program_files(program)["manifest.json"]), _VALUES)
    for m, text in enumerate(emit_modules(program)):
        circuit = qasm3.loads(text.text)
        bound = circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
        assert [(r.name, len(r)) for r in circuit.qregs] == [
            (r, n) for r, n in (("d", text.data), ("c", text.comm)) if n
        ]
        assert flat(bound) == expected(program, m, text.rows.tolist(), text.data)


def test_definitions_mean_what_their_names_say() -> None:
    """The bodies of rzz, parityK and sxdg in the files, read by Qiskit, against the definition of the rows."""
    from qiskit import qasm3
    from qiskit.quantum_info import Operator

    b = ProgramBuilder(Network((Module("A", 4, 0),)))
    q = [b.qubit(0, DATA, i) for i in range(4)]
    for size in (2, 3, 4):
        b.add(Op.PARITY, tuple(q[:size]), (0.3 * size,))
    b.add(Op.SXDG, (q[0],))
    b.add(Op.MCP, tuple(q[:3]), (0.4,))
    program = canonical(finish(b, [], []))
    circuit = qasm3.loads(emit_modules(program)[0].text)
    for item, row in zip(circuit.data, range(5)):
        at = slice(program.param_offsets[row], program.param_offsets[row + 1])
        size = len(item.qubits)
        ours = matrix(int(program.code[row]), program.params[at].tolist(), size)
        theirs = Operator(item.operation).reverse_qargs().data
        assert np.isclose(abs(np.vdot(ours, theirs)), 2**size)


@pytest.mark.parametrize("seed", range(12))
def test_the_reference_parser_accepts_every_file(seed: int) -> None:
    import openqasm3

    for text in emit_modules(canonical(random_program(seed, rows=25))):
        openqasm3.parse(text.text)


@pytest.mark.parametrize("seed", range(40))
def test_the_verifiers_reader_agrees(seed: int, tmp_path: Path) -> None:
    """The verifier reads the files with code of its own: same statements, same bits, same places."""
    from distq.verify.reader import read_directory

    program = canonical(random_program(seed, rows=40))
    save_program(program, tmp_path / "p")
    theirs = read_directory(tmp_path / "p")
    assert theirs.num_physical == program.num_physical
    ours = [int(c) for c in program.code if c != Op.SEND]
    assert len(theirs) == len(ours)
    assert theirs.inputs == program.input_qubit.tolist()
    assert theirs.outputs == program.output_qubit.tolist()
    assert sum(k == "epr" for k in theirs.kind) == program.ebits
    for m in range(len(program.network.modules)):
        modules = program.row_module()
        mine = [
            (tuple(program.qubits[program.qubit_offsets[i] : program.qubit_offsets[i + 1]].tolist()))
            for i in range(len(program))
            if modules[i] == m and program.code[i] not in (Op.SEND, Op.EPR)
        ]
        assert mine == [tuple(q) for q, x, k in zip(theirs.qubits, theirs.module, theirs.kind) if x == m and k != "epr"]


# ---- writing ----


def test_refuses_what_is_no_program(tmp_path: Path) -> None:
    program = teleported_cz()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="not a directory"):
        save_program(program, tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="holds no distq program"):
        save_program(program, tmp_path / "full")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no distq program"):
        save_program(program, tmp_path / "other")
    save_program(program, tmp_path / "mixed")
    (tmp_path / "mixed" / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        save_program(program, tmp_path / "mixed")
    assert (tmp_path / "mixed" / "notes.txt").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "full", "mixed", "other"]


def test_makes_parents_and_fills_an_empty_directory(tmp_path: Path) -> None:
    save_program(teleported_cz(), tmp_path / "a" / "b" / "p")
    assert load_program(tmp_path / "a" / "b" / "p")
    (tmp_path / "empty").mkdir()
    save_program(teleported_cz(), tmp_path / "empty")
    assert load_program(tmp_path / "empty")


def test_follows_a_link_to_the_directory(tmp_path: Path) -> None:
    save_program(teleported_cz(), tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    save_program(fan_out(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load_program(tmp_path / "real")[1]["circuit"]["name"] == "fan-out"


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot write"):
        save_program(teleported_cz(), tmp_path / "file" / "p")
    with pytest.raises(UsageError, match="cannot write"):
        save_program(teleported_cz(), "/proc/no/program")


def test_a_schedule_belongs_to_its_program(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="canonical"):
        save_program(teleported_cz(), tmp_path / "p", schedule=asap(teleported_cz()))
    with pytest.raises(ValueError, match="pairs"):
        save_program(teleported_cz(), tmp_path / "p", extra={"pairs": {}})
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("step", ["write", "sync", "rename"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_changes_nothing(step: str, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p"
    if exists:
        save_program(teleported_cz(), path)
    before = content(path) if exists else None

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    if step == "write":
        monkeypatch.setattr(files, "open", fail, raising=False)
    elif step == "sync":
        monkeypatch.setattr(files.os, "fsync", fail)
    else:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
        monkeypatch.setattr(files.os, "rename", fail)
    with pytest.raises(UsageError, match="No space left"):
        save_program(fan_out(), path)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == (["p"] if exists else [])
    if exists:
        assert content(path) == before


def test_without_atomic_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    save_program(teleported_cz(), tmp_path / "p")
    save_program(fan_out(), tmp_path / "p")
    assert load_program(tmp_path / "p")[1]["circuit"]["name"] == "fan-out"
    assert len(content(tmp_path / "p")) == 4
    real, calls = os.rename, []

    def second_fails(a: Any, b: Any) -> None:
        calls.append(a)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        real(a, b)

    monkeypatch.setattr(files.os, "rename", second_fails)
    with pytest.raises(UsageError):
        save_program(teleported_cz(), tmp_path / "p")
    assert load_program(tmp_path / "p")[1]["circuit"]["name"] == "fan-out"


_SAVER = """
import sys
sys.path.insert(0, sys.argv[2])
from program_samples import fan_out, state_teleport
from distq.program.files import save_program
save_program(fan_out(), sys.argv[1])
print("ready", flush=True)
while True:
    save_program(state_teleport(), sys.argv[1])
    save_program(fan_out(), sys.argv[1])
"""


def test_killed_while_saving(tmp_path: Path) -> None:
    """kill -9 at random moments: there is always one whole program, and what is left over is cleared away."""
    path, r = tmp_path / "p", random.Random(3)
    for _ in range(4):
        command = [sys.executable, "-c", _SAVER, str(path), str(Path(__file__).parent)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(r.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert load_program(path)[1]["circuit"]["name"] in ("fan-out", "teleport")
    save_program(teleported_cz(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["p"]


def test_readers_see_one_program_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "p"
    save_program(fan_out(), path)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            save_program(state_teleport(), path)
            save_program(fan_out(), path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        names = {load_program(path)[1]["circuit"]["name"] for _ in range(60)}
    finally:
        stop.set()
        writer.join()
    assert names <= {"fan-out", "teleport"}


# ---- bad directories ----


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_program(fan_out(), tmp_path / "p")
    return tmp_path / "p"


def test_missing_files(saved: Path) -> None:
    with pytest.raises(InputError, match="no such program directory"):
        load_program(saved / "nowhere")
    (saved / "module_1.qasm").unlink()
    with pytest.raises(InputError, match=r"module_1\.qasm: cannot be read"):
        load_program(saved)
    (saved / "manifest.json").unlink()
    with pytest.raises(InputError, match="not a distq program"):
        load_program(saved)


def test_edited_file(saved: Path) -> None:
    text = (saved / "module_0.qasm").read_text()
    (saved / "module_0.qasm").write_text(text.replace("cz", "cx"))
    with pytest.raises(InputError, match=r"module_0\.qasm: the file was changed"):
        load_program(saved)


def _edit(pattern: str, replacement: str, name: str = "module_1.qasm", plan: bool = True) -> Any:
    def change(directory: Path) -> None:
        if not plan:  # which has an entry for every statement, and would notice first
            manifest = json.loads((directory / "manifest.json").read_bytes())
            del manifest["plan"]
            (directory / "manifest.json").write_text(json.dumps(manifest))
        text = (directory / name).read_text()
        changed = re.sub(pattern, replacement, text, count=1)
        assert changed != text
        rewrite(directory, name, changed.encode())

    return change


# What is in fan_out's module 1: see the first lines of `emit_modules(canonical(fan_out()))[1].text`.
_EDITS = {
    "not QASM": (_edit("OPENQASM 3.0", "OPENQASM 2.0"), "line 1"),
    "another module's file": (_edit("module 1", "module 2"), "line 3"),
    "another definition": (_edit(r"gate epr\(pair\) a \{ \}", "gate epr(pair) a { x a; }"), "line 4"),
    "another size": (_edit(r"qubit\[2\] d", "qubit[3] d"), "register d has 3 elements"),
    "declared twice": (_edit(r"qubit\[2\] c", "qubit[2] d"), "line 6"),
    "unknown gate": (_edit(r"\nh d\[0\]", "\nhadamard d[0]"), "line 9: unknown gate 'hadamard'"),
    "no such qubit": (_edit(r"\nh d\[0\]", "\nh d[2]"), "line 9: qubit d.2. is not declared"),
    "no such register": (_edit(r"\nh d\[0\]", "\nh q[0]"), "line 9"),
    "same qubit twice": (_edit(r"cx d\[0\], c\[0\]", "cx c[0], c[0]"), "twice"),
    "missing operand": (_edit(r"cx d\[0\], c\[0\]", "cx c[0]"), "acts on 2 qubits, not 1"),
    "angle too many": (_edit(r"\nh d\[0\]", "\nh(0.1) d[0]"), "takes 0 angles"),
    "angle missing": (_edit(r"\nh d\[0\]", "\nrz d[0]"), "takes 1 angles"),
    "angle of an undeclared input": (_edit(r"\nh d\[0\]", "\nrz(theta) d[0]"), "'theta' is not declared"),
    "angle infinite": (_edit(r"\nh d\[0\]", "\nrz(1e999) d[0]"), "not finite"),
    "angle that is a program": (_edit(r"\nh d\[0\]", "\nrz(__import__) d[0]"), "line 9"),
    "pair not in the manifest": (_edit(r"epr\(0\)", "epr(7)"), "Bell pair 7 is not in the manifest"),
    "pair twice": (_edit(r"epr\(1\)", "epr(0)"), "Bell pair 0 occurs more than twice"),
    "pair elsewhere": (_edit(r"epr\(1\) c\[1\]", "epr(1) c[0]"), "does not arrive on the qubit"),
    "pair on data": (_edit(r"epr\(1\) c\[1\]", "epr(1) d[1]"), "data qubit"),
    "pair missing": (_edit(r"epr\(1\) c\[1\];\n", "", plan=False), "does not occur in two module files"),
    "message of another bit": (_edit(r"send 0", "send 2"), "message 2 takes another bit|sent twice"),
    "message not in the manifest": (_edit(r"send 0", "send 9"), "message 9"),
    "message from a gate": (_edit(r"(@distq.send 0\n)(m.*\n)", r"\2\1"), "line .*message 0 is sent here"),
    "message missing": (_edit(r"@distq.send 0\n", ""), "message 0 is sent in no module file"),
    "reads without a message": (_edit(r"@distq.recv 1\n", ""), "without '@distq.recv'"),
    "reads another message": (_edit(r"recv 1", "recv 3"), "which this statement does not read"),
    "reads a foreign message": (_edit(r"recv 1", "recv 0"), "does not come to this module"),
    "no such bit": (_edit(r"if \(r\[0\]\)", "if (r[5])"), r"r\[5\] is not declared"),
    "bit before it is measured": (_edit(r"\nh d\[0\];", "\nif (m[1]) { h d[0]; }"), r"m\[1\] is read before"),
    "bit measured twice": (_edit(r"m\[1\] = ", "m[0] = "), "measured a second time"),
    "unknown annotation": (_edit(r"@distq.send 0", "@distq.sent 0"), "cannot read the annotation"),
    "exchange of something else": (_edit(r"\nh d\[0\]", "\n@distq.exchange 0\nh d[0]"), "exchange"),
    "conditional pair": (_edit(r"epr\(1\) c\[1\];", "if (m[0]) { epr(1) c[1]; }"), "cannot depend on a condition"),
    "annotation at the end": (_edit(r"\Z", "@distq.send 0\n"), "ends after an annotation"),
    "last line incomplete": (_edit(r"\n\Z", ""), "last line is incomplete"),
    "comment": (_edit(r"\nh d\[0\]", "\n// h d[0]"), "line 9"),
    "statement dropped": (_edit(r"\nh d\[0\];", ""), "'plan.tag' does not fit"),
    "one statement too many": (_edit(r"\nh d\[0\];", "\nh d[0];\nh d[0];"), "'plan.tag' does not fit"),
    "not UTF-8": (lambda d: rewrite(d, "module_1.qasm", b"\xff\xfe"), "not UTF-8"),
    "empty file": (lambda d: rewrite(d, "module_1.qasm", b""), "line 1"),
}


@pytest.mark.parametrize("what", _EDITS)
def test_edited_file_with_a_new_checksum(what: str, saved: Path) -> None:
    change, message = _EDITS[what]
    change(saved)
    with pytest.raises(InputError, match=message):
        load_program(saved)


def test_deadlock_names_file_and_line(tmp_path: Path) -> None:
    """The two modules of a program take the two pairs between them in opposite order."""
    b = ProgramBuilder(Network.all_to_all(2, 1, 2))
    for i in range(2):
        b.add(Op.EPR, (b.qubit(0, COMM, i), b.qubit(1, COMM, i)), link=0)
    save_program(finish(b, [], []), tmp_path / "p")
    _edit(r"(epr\(0\) .*\n)(epr\(1\) .*\n)", r"\2\1")(tmp_path / "p")
    message = (
        r"deadlocked: module 'm0' waits for ever at \S*module_0\.qasm, line 7; module 'm1' .*module_1\.qasm, line 7;"
    )
    with pytest.raises(InputError, match=message):
        load_program(tmp_path / "p")


def _set(*keys: Any, value: Any) -> Any:
    def change(manifest: Any) -> None:
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return change


_MANIFESTS = {
    "format": (_set("format", value="zip"), "not the manifest of a distq program"),
    "version": (_set("version", value=2), "format version 2"),
    "module name": (_set("modules", 0, "name", value="x"), "module 0 is called 'x'"),
    "module file": (_set("modules", 0, "file", value="../../etc/passwd"), "module_0.qasm"),
    "module missing": (lambda m: m["modules"].pop(), "'modules' has 2 entries"),
    "network": (_set("network", "modules", 0, "data", value=-1), "the network is not valid"),
    "network gone": (lambda m: m.pop("network"), "network"),
    "link of a pair": (_set("pairs", "link", 0, value=9), "is on link 9"),
    "qubit of a pair": (_set("pairs", "a", 0, value=4), "Bell pair 0 lies on"),
    "negative": (_set("pairs", "a", 0, value=-1), r"pairs.a"),
    "column too short": (lambda m: m["pairs"]["b"].pop(), "differ in length"),
    "message to itself": (_set("messages", "to", 0, value=1), "from one module to another"),
    "message of no bit": (_set("messages", "bit", 0, value=9), "names a bit"),
    "bit filled twice": (_set("messages", "into", 3, value=0), "which another message fills"),
    "received bit that is not filled": (_set("modules", 0, "received", value=2), "filled by no message"),
    "measured": (_set("modules", 1, "measured", value=7), "register m has 2 elements where the manifest says 7"),
    "inputs": (_set("inputs", value=[]), "'inputs' has 0 entries"),
    "input nowhere": (_set("inputs", 0, value=[0, "d", 5]), "which does not exist"),
    "output register": (_set("outputs", 0, value=[0, "q", 0]), "names no register"),
    "clbits": (_set("clbits", value=[[]]), "'clbits' has 1 entries"),
    "register of the circuit": (_set("circuit", "qubit_registers", value=[["q", [77]]]), "a qubit that does not exist"),
    "bool": (_set("pairs", "a", 0, value=True), r"pairs.a"),
    "tags": (_set("plan", "tag", value=[[]]), "'plan.tag' has 1 columns"),
    "tag": (lambda m: m["plan"]["tag"][0].pop(), "'plan.tag' does not fit"),
    "starts": (_set("schedule", "start", value=[[], []]), "'schedule.start' has 2 columns"),
    "phase": (_set("circuit", "global_phase", value="theta"), "global phase"),
    "parameter twice": (_set("parameters", value=["a", "a"]), "declared twice"),
}


@pytest.mark.parametrize("what", _MANIFESTS)
def test_edited_manifest(what: str, saved: Path) -> None:
    change, message = _MANIFESTS[what]
    manifest = json.loads((saved / "manifest.json").read_bytes())
    change(manifest)
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=message):
        load_program(saved)


def test_decision_list_of_a_manifest(tmp_path: Path) -> None:
    save_program(state_teleport(), tmp_path / "p")
    path = tmp_path / "p" / "manifest.json"
    good = json.loads(path.read_bytes())
    for value, message in (
        ([[[[0, "m", 0, 1]], None]], "does not end with a value that always holds"),
        ([[[], [0, "r", 0]]], "names r.0. of module 0"),
        ([[[], [1, "m", 5]]], "names m.5. of module 1"),
        ([[[], [1, "m"]]], "clbits"),
    ):
        path.write_text(json.dumps({**good, "clbits": [value]}))
        with pytest.raises(InputError, match=message):
            load_program(tmp_path / "p")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "distq-program"}', "[" * 3000, "\ufeff{}"])
def test_manifest_that_is_none(text: str, saved: Path) -> None:
    (saved / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_program(saved)


def _attempt(directory: Path) -> bool:
    """Whether the directory still loads; anything but an InputError is a fault."""
    try:
        load_program(directory)
    except InputError:
        return False
    return True


def test_fuzz_module_files(tmp_path: Path) -> None:
    """Any edit: with the old checksum always an error; with a new one an error or a program, never a traceback."""
    r = random.Random(11)
    loaded = refused = 0
    for case in range(500):
        if case % 60 == 0:
            path = tmp_path / f"p{case}"
            save_program(random_program(case, rows=30), path)
            good = content(path)
            names = [n for n in good if n.endswith(".qasm")]
        name = r.choice(names)
        data = bytearray(good[name])
        kind = r.randrange(6)
        lines = data.split(b"\n")
        at = r.randrange(len(lines) - 1)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(r.randrange(len(lines)), lines[at])
        elif kind == 2:
            lines[at], lines[at - 1] = lines[at - 1], lines[at]
        changed = b"\n".join(lines)
        if kind == 3:
            changed = bytes(data[: r.randrange(len(data))])
        elif kind == 4:
            digits = [i for i, c in enumerate(data) if 48 <= c <= 57]
            data[r.choice(digits)] = r.randint(48, 57)
            changed = bytes(data)
        elif kind == 5:
            data[r.randrange(len(data))] = r.choice(b"()[]{};,!@ =.-+*/e0xz\n\t\x00\xff'\"")
            changed = bytes(data)
        if changed == good[name]:
            continue
        (path / name).write_bytes(changed)
        assert not _attempt(path)
        rewrite(path, name, changed)
        if _attempt(path):
            loaded += 1
        else:
            refused += 1
        (path / name).write_bytes(good[name])
        (path / "manifest.json").write_bytes(good["manifest.json"])
    assert refused > 280
    assert loaded > 10


def test_fuzz_manifests(tmp_path: Path) -> None:
    r = random.Random(12)
    odd = [None, True, -1, 0, 1, 2, 7, 2**31, 2**70, 1.5, "", "m", "d", [], [[]], {}, [None], "theta"]

    def places(value: Any) -> list[tuple[Any, Any]]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [p for key, inner in list(items) for p in [(value, key), *places(inner)]]

    refused = 0
    for case in range(500):
        if case % 60 == 0:
            path = tmp_path / f"p{case}"
            save_program(random_program(case, rows=30), path)
            good = (path / "manifest.json").read_bytes()
        manifest = json.loads(good)
        container, key = r.choice(places(manifest))
        if r.random() < 0.3:
            del container[key]
        else:
            container[key] = r.choice(odd)
        (path / "manifest.json").write_text(json.dumps(manifest))
        refused += not _attempt(path)
        (path / "manifest.json").write_bytes(good[: r.randrange(len(good) - 2)])
        assert not _attempt(path)
        (path / "manifest.json").write_bytes(good)
    assert refused > 250
