"""Communication qubits that hold the parity of several qubits: programs by hand, and all their neighbours."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from handmade import Handmade
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

from distq.errors import InputError
from distq.verify.reader import read_directory
from distq.verify.statevector import verify_statevector
from distq.verify.symbolic import verify_symbolic


def gather(p: Handmade, a: int, ca: int, b: int, cb: int, *sources: str) -> None:
    """The parity of some qubits of module a appears on c[cb] of module b."""
    p.epr(a, ca, b, cb)
    p.at(a, *(f"cx {s}, c[{ca}];" for s in sources))
    p.measure(a, f"c[{ca}]", b)
    bit = p.recv(b)
    p.at(b, f"if ({bit}) {{ x c[{cb}]; }}")


def forget(p: Handmade, b: int, share: str, *legs: tuple[int, str]) -> None:
    """The parity on a qubit of module b is measured, and Z goes to every (module, qubit) in it."""
    p.at(b, f"h {share};")
    others = sorted({m for m, _ in legs if m != b})
    bit = p.measure(b, share, *others)
    first = len(p.messages) - len(others)
    for m, qubit in legs:
        if m == b:
            p.at(b, f"if ({bit}) {{ z {qubit}; }}")
            continue
        number = first + others.index(m)
        if not any(line == f"@distq.recv {number}" for line in p.lines[m]):
            p.at(m, f"@distq.recv {number}")
        p.at(m, f"if (r[{p.messages[number][3]}]) {{ z {qubit}; }}")


def two_modules() -> Handmade:
    """Qubits 0, 1 in module 0; 2 in module 1."""
    p = Handmade([(2, 1), (1, 1)])
    p.inputs = [[0, "d", 0], [0, "d", 1], [1, "d", 0]]
    gather(p, 0, 0, 1, 0, "d[0]", "d[1]")
    p.at(1, "rzz(0.3) d[0], c[0];")
    forget(p, 1, "c[0]", (0, "d[0]"), (0, "d[1]"))
    p.at(0, "h d[0];")
    return p


def chain() -> Handmade:
    """Qubits 0, 1 in module 0, 2 in module 1, which passes all three on to module 2, where none is: a rotation."""
    p = Handmade([(2, 1), (1, 2), (0, 1)], links=[(0, 1), (1, 2)])
    p.inputs = [[0, "d", 0], [0, "d", 1], [1, "d", 0]]
    gather(p, 0, 0, 1, 0, "d[0]", "d[1]")
    gather(p, 1, 1, 2, 0, "d[0]", "c[0]")
    forget(p, 1, "c[0]", (0, "d[0]"), (0, "d[1]"))
    p.at(2, "rz(0.3) c[0];")
    forget(p, 2, "c[0]", (0, "d[0]"), (0, "d[1]"), (1, "d[0]"))
    return p


def merged() -> Handmade:
    """Qubit 0 in module 0, 1 and 2 in module 2; their parities are added in module 1, which has qubit 3."""
    p = Handmade([(1, 1), (1, 2), (2, 1)], links=[(0, 1), (1, 2)])
    p.inputs = [[0, "d", 0], [2, "d", 0], [2, "d", 1], [1, "d", 0]]
    gather(p, 0, 0, 1, 0, "d[0]")
    gather(p, 2, 0, 1, 1, "d[0]", "d[1]")
    p.at(1, "cx c[0], c[1];")
    forget(p, 1, "c[0]", (0, "d[0]"))
    p.at(1, "rzz(0.3) d[0], c[1];")
    forget(p, 1, "c[1]", (0, "d[0]"), (2, "d[0]"), (2, "d[1]"))
    return p


def flipped() -> Handmade:
    """One of the qubits is flipped, and the parity along with it, in between; the gate depends on a measurement."""
    p = Handmade([(3, 1), (1, 1)])
    p.inputs = [[0, "d", 0], [0, "d", 1], [1, "d", 0], [0, "d", 2]]
    bit = p.measure(0, "d[2]", 1)
    seen = p.recv(1)
    p.lines[1].pop()  # read further down
    p.clbits = [[[[], [0, bit[0], 0]]]]
    gather(p, 0, 0, 1, 0, "d[0]", "d[1]")
    p.at(1, "@distq.recv 0", f"if ({seen}) {{ rzz(0.3) d[0], c[0]; }}")
    forget(p, 1, "c[0]", (0, "d[0]"), (0, "d[1]"))
    p.at(0, "x d[0];", "h d[0];")
    return p


def parity(n: int, *more: tuple) -> QuantumCircuit:
    circuit = QuantumCircuit(n)
    circuit.append(PauliEvolutionGate(SparsePauliOp("Z" * n), time=0.15), range(n))
    for name, *args in more:
        getattr(circuit, name)(*args)
    return circuit


def conditional() -> QuantumCircuit:
    circuit = QuantumCircuit(4, 1)
    circuit.measure(3, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.append(PauliEvolutionGate(SparsePauliOp("ZZZ"), time=0.15), [0, 1, 2])
    circuit.x(0)
    circuit.h(0)
    return circuit


RIGHT: dict[str, tuple[Callable[[], Handmade], QuantumCircuit]] = {
    "two modules": (two_modules, parity(3, ("h", 0))),
    "chain": (chain, parity(3)),
    "merged": (merged, parity(4)),
    "conditional": (flipped, conditional()),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_are_accepted(name: str, tmp_path: Path) -> None:
    program, circuit = RIGHT[name]
    files = read_directory(program().save(tmp_path))
    outcome = verify_symbolic(circuit, files)
    assert outcome.ok, outcome.reason
    assert verify_statevector(circuit, files).ok


@pytest.mark.parametrize("name", RIGHT)
def test_every_neighbour_is_refused_or_right(name: str, tmp_path: Path) -> None:
    """Each statement dropped, repeated, exchanged with the next, or on other qubits; the statevector method decides."""
    program, circuit = RIGHT[name]
    counts: Counter[str] = Counter()
    for i, neighbour in enumerate(neighbours(program())):
        try:
            files = read_directory(neighbour.save(tmp_path / str(i)))
        except InputError:
            counts["malformed"] += 1
            continue
        ours, truth = verify_symbolic(circuit, files).ok, verify_statevector(circuit, files).ok
        assert truth or not ours, (neighbour.lines, program().lines)
        counts[f"{'right' if truth else 'wrong'}, {'accepted' if ours else 'refused'}"] += 1
    assert counts["wrong, refused"] >= 30, counts
    assert counts["right, accepted"] >= 2, counts


def neighbours(p: Handmade):
    def edited(module: int, lines: list[str]) -> Handmade:
        other = copy.copy(p)
        other.lines = [lines if m == module else own for m, own in enumerate(p.lines)]
        return other

    for module, lines in enumerate(p.lines):
        data, comm = p.sizes[module]
        qubits = [f"d[{i}]" for i in range(data)] + [f"c[{i}]" for i in range(comm)]
        for i, line in enumerate(lines):
            if line.startswith("@"):
                continue
            start = i - 1 if i and lines[i - 1].startswith("@") else i
            yield edited(module, lines[:start] + lines[i + 1 :])
            yield edited(module, [*lines[: i + 1], line, *lines[i + 1 :]])
            following = next((j for j in range(i + 1, len(lines)) if not lines[j].startswith("@")), None)
            if following is not None:
                mine, next_ = lines[start : i + 1], lines[i + 1 : following + 1]
                yield edited(module, lines[:start] + next_ + mine + lines[following + 1 :])
            for old in qubits:
                for new in qubits:
                    if old != new and old in line:
                        yield edited(module, [*lines[:i], line.replace(old, new), *lines[i + 1 :]])


BROKEN: list[tuple[str, int, str, list[str], str]] = [
    ("two modules", 0, "cx d[1], c[0];", [], "lacks a"),
    ("two modules", 0, "cx d[1], c[0];", ["cx d[1], c[0];"] * 2, "added twice"),
    ("two modules", 1, "rzz(0.3) d[0], c[0];", ["cp(0.3) d[0], c[0];"], "holds the parity of qubits 0, 1"),
    ("two modules", 1, "rzz(0.3) d[0], c[0];", ["rzz(0.3) d[0], c[0];", "sx c[0];"], "which holds a parity"),
    ("two modules", 1, "rzz(0.3) d[0], c[0];", ["cx c[0], d[0];"], "holds the parity of qubits 0, 1"),
    ("two modules", 1, "rzz(0.3) d[0], c[0];", ["cx d[0], c[0];"], "not those of the circuit|correction"),
    ("two modules", 1, "h c[0];", [], "holds the parity of qubits 0, 1"),
    ("two modules", 0, "if (r[0]) { z d[1]; }", [], "lacks a correction at the end"),
    ("two modules", 0, "if (r[0]) { z d[0]; }", ["h d[0];"], "while copies of it|no share of qubit 0|Z correction"),
    ("two modules", 1, "if (r[0]) { x c[0]; }", ["if (r[0]) { z c[0]; }"], "the correction of a parity is x"),
    ("two modules", 1, "if (r[0]) { x c[0]; }", ["if (!r[0]) { x c[0]; }"], "not those|do not multiply"),
    ("chain", 1, "cx c[0], c[1];", [], "lacks a"),
    ("chain", 2, "rz(0.3) c[0];", ["rx(0.3) c[0];"], "which holds a parity"),
    ("chain", 2, "rz(0.3) c[0];", ["rz(0.3) c[0];", "x c[0];"], "which holds a parity"),
    ("merged", 1, "cx c[0], c[1];", ["cx c[1], c[0];"], "still holds|lacks|not those"),
    ("merged", 1, "cx c[0], c[1];", [], "lacks a"),
]


@pytest.mark.parametrize("case", range(len(BROKEN)))
def test_broken_programs_are_refused_with_the_reason(case: int, tmp_path: Path) -> None:
    name, module, old, new, reason = BROKEN[case]
    program, circuit = RIGHT[name]
    p = program()
    at = p.lines[module].index(old)
    if not new and p.lines[module][at - 1].startswith("@distq.recv"):
        new = p.lines[module][at + 1 : at + 2]
        p.lines[module][at : at + 2] = new
    else:
        p.lines[module][at : at + 1] = new
    outcome = verify_symbolic(circuit, read_directory(p.save(tmp_path)))
    assert not outcome.ok
    assert any(part in outcome.reason for part in reason.split("|")), outcome.reason


def test_gate_between_the_two_parts_of_a_disentanglement(tmp_path: Path) -> None:
    """H on a qubit while its copy has had its H but is not measured yet: the Z correction comes too late."""
    circuit = QuantumCircuit(3, 1)
    circuit.cz(0, 2)
    circuit.h(0)
    circuit.measure(1, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    # Module 0 waits between the two parts, while module 1 goes on.
    p = Handmade([(1, 1), (2, 1)])
    p.inputs = [[1, "d", 0], [1, "d", 1], [0, "d", 0]]
    p.cat(1, "d[0]", 0, 0, 0)
    p.at(0, "cz c[0], d[0];", "h c[0];")
    p.at(1, "h d[0];")
    p.measure(1, "d[1]", 0)
    bit = p.recv(0)
    p.clbits = [[[[], [1, "m", 1]]]]
    p.at(0, f"if ({bit}) {{ z d[0]; }}")
    p.measure(0, "c[0]", 1)
    p.at(1, f"@distq.recv {len(p.messages) - 1}", "if (r[0]) { z d[0]; }")
    files = read_directory(p.save(tmp_path))
    assert not verify_statevector(circuit, files).ok
    assert not verify_symbolic(circuit, files).ok
