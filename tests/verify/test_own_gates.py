"""Gates that users define, whatever they are called, are read through their definitions on both sides."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.quantum_info import Operator

import distq

BODIES = {
    "ecr": "s a; sx b; cx a, b; x a;",
    "swap": "cx a, b;",
    "iswap": "h a; cx a, b;",
    "own": "cx a, b; h a; cz a, b;",
    "dcx": "cx b, a;",
}


@pytest.mark.parametrize("name", BODIES)
def test_openqasm_2(tmp_path, name):
    path = tmp_path / "circuit.qasm"
    path.write_text(
        f'OPENQASM 2.0;\ninclude "qelib1.inc";\ngate {name} a, b {{ {BODIES[name]} }}\nqreg r[3];\n'
        f"{name} r[2], r[0];\ncx r[0], r[1];\n{name} r[0], r[1];\nh r[1];\n"
    )
    program = distq.compile(path, distq.Network.all_to_all(3, data=1, comm=2), effort="fast")
    assert program.stats["verified"]["ok"]
    assert distq.verify(path, program, method="statevector").ok


class Own(Gate):
    """A gate with a definition and a matrix."""

    def __init__(self, name):
        super().__init__(name, 2, [])

    def _define(self):
        self.definition = QuantumCircuit(2)
        self.definition.h(0)
        self.definition.cx(0, 1)

    def __array__(self, dtype=None, copy=None):
        return Operator(self.definition).data


@pytest.mark.parametrize("name", ["own", "rxx", "swap"])
def test_python(name):
    circuit = QuantumCircuit(3)
    for a, b in ((0, 1), (2, 1), (1, 2)):
        circuit.append(Own(name), [a, b])
    program = distq.compile(circuit, distq.Network.all_to_all(3, data=1, comm=2), effort="fast")
    assert program.stats["verified"]["ok"]
    assert distq.verify(circuit, program, method="statevector").ok
