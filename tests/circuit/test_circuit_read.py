"""Files, standard input and objects; what a bad file says."""

import io
import sys

import numpy as np
import pytest
from circuit_branches import assert_same
from qiskit import QuantumCircuit, qasm2, qasm3, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

from distq.circuit.read import load_source, read
from distq.circuit.to_qiskit import to_qiskit
from distq.errors import InputError, UsageError

QASM2 = """OPENQASM 2.0;
include "qelib1.inc";
gate pair(t) a, b { cx a, b; rz(t) b; cx a, b; }
qreg a[2];
qreg b[1];
creg c[2];
creg d[1];
h a;
cp(pi/3) a[0], b[0];
rzz(0.3) a[1], b[0];
ccx a[0], a[1], b[0];
pair(0.2) a[0], a[1];
measure a[0] -> c[0];
if (c == 1) x b[0];
reset a[0];
measure b[0] -> d[0];
"""

QASM3 = """// a comment
OPENQASM 3.0;
include "stdgates.inc";
input float theta;
gate pair(t) a, b { cx a, b; rz(t) b; cx a, b; }
qubit[3] q;
bit[2] c;
h q[0];
pair(theta) q[0], q[1];
ctrl @ ry(0.3) q[1], q[2];
negctrl(2) @ x q[0], q[1], q[2];
inv @ s q[2];
pow(2) @ t q[0];
c[0] = measure q[0];
if (c[0]) { x q[1]; } else { z q[2]; }
if (c == 2) { h q[1]; }
for int i in [0:2] { rx(0.1 * i) q[2]; }
"""


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_openqasm_2(tmp_path):
    path = write(tmp_path, "in.qasm", QASM2)
    circuit = load_source(path)
    assert circuit.count_ops()["cp"] == 1
    logical = read(path)
    assert_same(circuit, logical)
    assert logical.name == "in"
    assert [r.name for r in logical.qubit_registers] == ["a", "b"]
    assert ((0, 1),) in logical.guards


def test_openqasm_3(tmp_path):
    path = write(tmp_path, "in.qasm", QASM3)
    logical = read(path)
    assert [p.name for p in logical.parameters] == ["theta"]
    bound = QASM3.replace("input float theta;\n", "").replace("pair(theta)", "pair(0.7)")
    circuit = load_source(write(tmp_path, "bound.qasm", bound))
    assert_same(circuit, read(circuit))


def test_stdin(monkeypatch):
    class Stdin:
        buffer = io.BytesIO(QASM2.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    logical = read("-")
    assert logical.name == "circuit"
    assert logical.num_qubits == 3


def test_qpy(tmp_path):
    circuit = QuantumCircuit(2, name="mine")
    circuit.rx(Parameter("a"), 0)
    circuit.cx(0, 1)
    path = tmp_path / "in.qpy"
    with path.open("wb") as file:
        qpy.dump(circuit, file)
    logical = read(path)
    assert logical.name == "mine"
    assert [p.name for p in logical.parameters] == ["a"]
    renamed = tmp_path / "in.bin"
    path.rename(renamed)
    assert len(read(renamed)) == len(logical)
    with path.open("wb") as file:
        qpy.dump([circuit, circuit, circuit], file)
    with pytest.raises(InputError, match="holds 3 circuits"):
        read(path)
    path.write_bytes(renamed.read_bytes()[:60])
    with pytest.raises(InputError, match="is not a QPY file that this Qiskit can read"):
        read(path)


def test_circuit_objects_are_not_copied_or_changed():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    assert load_source(circuit) is circuit
    before = circuit.copy()
    read(circuit)
    assert circuit == before
    assert read(circuit).name == "circuit"


@pytest.mark.parametrize("dumps", [qasm2.dumps, qasm3.dumps])
def test_formats_agree(tmp_path, dumps):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cp(0.3, 0, 1)
    circuit.ccx(0, 1, 2)
    circuit.swap(0, 2)
    circuit.rzz(0.2, 1, 2)
    logical = read(write(tmp_path, "x.qasm", dumps(circuit)))
    found = Operator(to_qiskit(logical)).data
    np.testing.assert_allclose(found, Operator(circuit).data, atol=1e-9)


def test_a_file_may_define_gates_that_qiskit_knows(tmp_path):
    text = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
    text += "gate rzz(t) a, b { cx a, b; u1(t) b; cx a, b; }\nqreg q[2];\nrzz(0.3) q[0], q[1];\n"
    logical = read(write(tmp_path, "x.qasm", text))
    assert logical.num_two_qubit_gates in (1, 2)


def test_include_is_relative_to_the_file(tmp_path):
    write(tmp_path, "mine.inc", "gate twice a, b { CX a, b; CX b, a; }\n")
    path = write(tmp_path, "x.qasm", 'OPENQASM 2.0;\ninclude "mine.inc";\nqreg q[2];\ntwice q[0], q[1];\n')
    assert read(path).num_two_qubit_gates == 2


def test_format_can_be_named(tmp_path):
    path = write(tmp_path, "x.txt", QASM2)
    assert read(path, format="qasm2").num_qubits == 3
    with pytest.raises(InputError, match="OpenQASM 3"):
        read(path, format="qasm3")
    with pytest.raises(UsageError, match="qasm2, qasm3, qpy"):
        read(path, format="qasm")
    with pytest.raises(UsageError, match="not a list"):
        read([1, 2])


HEAD2, HEAD3 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n', 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BAD = {
    "unknown gate 2": (HEAD2 + "qreg q[2];\nfoo q[0];\n", "line 4", "'foo'"),
    "syntax 2": ("OPENQASM 2.0;\nqreg q[2]\nh q[0];\n", "line 3", "';'"),
    "index 2": (HEAD2 + "qreg q[2];\nh q[5];\n", "line 4", "out-of-range"),
    "qubit twice 2": (HEAD2 + "qreg q[2];\ncx q[0], q[0];\n", "line 4", "duplicate"),
    "include 2": ('OPENQASM 2.0;\ninclude "nowhere.inc";\n', "line 2", "nowhere.inc"),
    "arity 2": (HEAD2 + "qreg q[2];\ncx q[0];\n", "line 4", "cx"),
    "opaque 2": (HEAD2 + "opaque bar a;\nqreg q[1];\nbar q[0];\n", "'bar'", "definition"),
    "unknown gate 3": (HEAD3 + "qubit[2] q;\nfoo q[0];\n", "line 4", "'foo'"),
    "syntax 3": ("OPENQASM 3.0;\nqubit[2] q\nh q[0];\n", "line 3", "'h'"),
    "token 3": ("OPENQASM 3.0;\nqubit q; $$ foo\n", "line 2", "$$"),
    "index 3": (HEAD3 + "qubit[2] q;\n\nh q[5];\n", "line 5", "out of range"),
    "assignment 3": (HEAD3 + "bit[2] c;\nc[1] = c[0];\n", "line 4", "not supported"),
    "integer 3": (HEAD3 + "int[4] x;\nx = 4;\n", "line 3", "not supported"),
    "switch 3": (HEAD3 + "bit c;\nqubit q;\nswitch (c) { case 0 { x q; } }\n", "line 5", "not supported"),
    "while 3": (HEAD3 + "bit c;\nqubit q;\nc = measure q;\nwhile (c) { x q; }\n", "'while_loop'", "not supported"),
    "no program": ("this is not a program\n", "line 1", "OpenQASM 3"),
    "version": ("OPENQASM 4.0;\n", "line 1", "OpenQASM 4"),
    "empty": ("  \n", "is empty", "OpenQASM"),
    "comments": ("// nothing\n/* at\nall */\n", "is empty", "OpenQASM"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_text(tmp_path, name, capfd):
    text, *parts = BAD[name]
    path = write(tmp_path, "bad.qasm", text)
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    for part in parts:
        assert part in message
    if parts[0].startswith("line") or "empty" in message:
        assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    assert capfd.readouterr() == ("", "")


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "none.qasm")
    with pytest.raises(InputError, match="is a directory"):
        read(tmp_path)
    path = tmp_path / "x.qasm"
    path.write_bytes(b"OPENQASM 2.0;\n\xff\xfe")
    with pytest.raises(InputError, match="line 2, is not text"):
        read(path)
