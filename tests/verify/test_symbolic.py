"""Programs written by hand: right ones are accepted, and broken in every way they are refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from handmade import Handmade, state_teleport, teleported_cz
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr

from distq.errors import InputError
from distq.verify import verify
from distq.verify.outcome import Outcome
from distq.verify.reader import read_directory
from distq.verify.symbolic import verify_symbolic


def check(program: Handmade, circuit: QuantumCircuit, path: Path) -> Outcome:
    """The symbolic method's outcome; the statevector method must not accept less than it."""
    from distq.verify.statevector import verify_statevector

    files = read_directory(program.save(path / "program"))
    outcome = verify_symbolic(circuit, files)
    if outcome.ok:
        other = verify_statevector(circuit, files)
        assert other.ok, other.reason
    return outcome


def circuit_of(n: int, *gates: tuple, clbits: int = 0) -> QuantumCircuit:
    circuit = QuantumCircuit(n, clbits)
    for name, *args in gates:
        getattr(circuit, name)(*args)
    return circuit


def replace(program: Handmade, module: int, old: str, *new: str) -> Handmade:
    lines = program.lines[module]
    at = lines.index(old)
    first = at - 1 if not new and lines[at - 1].startswith("@distq.recv") else at
    lines[first : at + 1] = new
    return program


def fan_out() -> Handmade:
    """Qubit 0 controls a CZ in module 1, a CP in module 2 (copied from module 1), with X on every share between."""
    p = Handmade([(1, 1), (1, 2), (1, 1)], links=[(0, 1), (1, 2)])
    p.inputs = [[0, "d", 0], [1, "d", 0], [2, "d", 0]]
    p.cat(0, "d[0]", 0, 1, 0)
    p.cat(1, "c[0]", 1, 2, 0)
    p.at(1, "cz c[0], d[0];")
    p.at(0, "x d[0];").at(1, "x c[0];").at(2, "x c[0];")
    p.at(2, "cp(0.7) c[0], d[0];")
    p.drop(2, "c[0]", 1, "c[0]")
    return p.drop(1, "c[0]", 0, "d[0]")


def detached() -> Handmade:
    """CZ of qubits of modules 0 and 1, carried out on two copies in module 2."""
    p = Handmade([(1, 1), (1, 1), (1, 2)])
    p.inputs = [[0, "d", 0], [1, "d", 0]]
    p.cat(0, "d[0]", 0, 2, 0)
    p.cat(1, "d[0]", 0, 2, 1)
    p.at(2, "cz c[0], c[1];")
    p.drop(2, "c[0]", 0, "d[0]")
    return p.drop(2, "c[1]", 1, "d[0]")


def exchange() -> Handmade:
    """Qubits 0 and 1 exchange their homes; then H on qubit 0, which is in module 1."""
    p = Handmade([(1, 1), (1, 1)])
    p.inputs = [[0, "d", 0], [1, "d", 0]]
    p.outputs = [[1, "d", 0], [0, "d", 0]]
    for a in (0, 1, 0):
        b = 1 - a
        p.cat(a, "d[0]", 0, b, 0)
        p.at(b, "@distq.exchange 0", "cx c[0], d[0];")
        p.drop(b, "c[0]", a, "d[0]")
        p.at(a, "reset c[0];").at(b, "reset c[0];")
    return p.at(1, "h d[0];")


def exchange_with_copies() -> Handmade:
    """Qubits 0 and 1 exchange their homes; copies serve gates before the first CX and after the last.

    Module 1 does not wait for module 0 with its own gates before the first CX, nor before the last.
    """
    p = Handmade([(1, 1), (1, 1)])
    p.inputs = [[0, "d", 0], [1, "d", 0]]
    p.outputs = [[1, "d", 0], [0, "d", 0]]
    p.cat(1, "d[0]", 0, 0, 0)
    p.at(0, "cz c[0], d[0];")
    p.at(1, "rz(0.3) d[0];")
    for a in (1, 0, 1):
        b = 1 - a
        if p.lines[0].count("cx c[0], d[0];"):
            p.cat(a, "d[0]", 0, b, 0)
        p.at(b, "@distq.exchange 0", "cx c[0], d[0];")
        if a == 1 and p.lines[0].count("cx c[0], d[0];") == 2:
            break
        p.drop(b, "c[0]", a, "d[0]")
        p.at(a, "reset c[0];").at(b, "reset c[0];")
    p.at(1, "rz(0.7) d[0];")
    p.at(0, "cp(0.2) c[0], d[0];")
    return p.drop(0, "c[0]", 1, "d[0]")


def conditional() -> Handmade:
    """Measure qubit 0; if 1: H on qubit 1 (in the other module); measure qubit 1."""
    p = Handmade([(1, 0), (1, 0)])
    p.inputs = [[0, "d", 0], [1, "d", 0]]
    p.measure(0, "d[0]", 1)
    bit = p.recv(1)
    p.at(1, f"if ({bit}) {{ h d[0]; }}")
    p.measure(1, "d[0]")
    p.clbits = [[[[], [0, "m", 0]]], [[[], [1, "m", 0]]]]
    return p


def conditional_circuit() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.h(1)
    circuit.measure(1, 1)
    return circuit


CZ = circuit_of(2, ("cz", 0, 1))
CONDITIONAL = conditional_circuit()
FAN_OUT = circuit_of(3, ("cz", 0, 1), ("x", 0), ("cp", 0.7, 0, 2))
EXCHANGE = circuit_of(2, ("h", 0))
EXCHANGE_WITH_COPIES = circuit_of(2, ("cz", 0, 1), ("rz", 0.3, 1), ("rz", 0.7, 0), ("cp", 0.2, 0, 1))
TELEPORT = circuit_of(2, ("h", 0))
RIGHT: list[tuple[Callable[[], Handmade], QuantumCircuit]] = [
    (teleported_cz, CZ),
    (lambda: teleported_cz("cp(0.3)"), circuit_of(2, ("cp", 0.3, 0, 1))),
    (lambda: teleported_cz("rzz(0.3)"), circuit_of(2, ("rzz", 0.3, 0, 1))),
    (state_teleport, TELEPORT),
    (fan_out, FAN_OUT),
    (detached, CZ),
    (exchange, EXCHANGE),
    (exchange_with_copies, EXCHANGE_WITH_COPIES),
    (conditional, CONDITIONAL),
    # The copy in module 1 is not used after the X, so whether it is flipped does not matter.
    (lambda: replace(fan_out(), 1, "x c[0];"), FAN_OUT),
]


@pytest.mark.parametrize("case", range(len(RIGHT)))
def test_right_programs_are_accepted(case: int, tmp_path: Path) -> None:
    program, circuit = RIGHT[case]
    outcome = check(program(), circuit, tmp_path)
    assert outcome.ok, outcome.reason


def test_swapped_circuit_is_an_exchange_of_outputs(tmp_path: Path) -> None:
    p = exchange()
    p.outputs = p.inputs
    assert check(p, circuit_of(2, ("swap", 0, 1), ("h", 1)), tmp_path).ok


WHY = "inside exchange|lacks a Z correction|while copies of it exist|do not multiply|flipped"
BROKEN: list[tuple[Callable[[], Handmade], QuantumCircuit, str]] = [
    # other gates
    (lambda: teleported_cz("cp(0.31)"), circuit_of(2, ("cp", 0.3, 0, 1)), "not those of the circuit"),
    (lambda: teleported_cz("rzz(-0.3)"), circuit_of(2, ("rzz", 0.3, 0, 1)), "not those of the circuit"),
    (lambda: replace(teleported_cz(), 1, "cz c[0], d[0];"), CZ, "not those of the circuit"),
    (lambda: replace(teleported_cz(), 1, "cz c[0], d[0];", *["cz c[0], d[0];"] * 2), CZ, "not those"),
    (lambda: teleported_cz().at(0, "t d[0];"), CZ, "do not multiply"),
    # protocols
    (lambda: replace(teleported_cz(), 1, "if (r[0]) { x c[0]; }"), CZ, "lacks its X correction"),
    (lambda: replace(teleported_cz(), 1, "if (r[0]) { x c[0]; }", "if (!r[0]) { x c[0]; }"), CZ, "do not multiply"),
    (lambda: replace(teleported_cz(), 1, "if (r[0]) { x c[0]; }", "if (r[0]) { z c[0]; }"), CZ, "X correction"),
    (lambda: replace(teleported_cz(), 1, "if (r[0]) { x c[0]; }", "if (r[0]) { y c[0]; }"), CZ, "x or z, not y"),
    (lambda: replace(teleported_cz(), 1, "if (r[0]) { x c[0]; }", "x c[0];"), CZ, "X correction"),
    (lambda: replace(teleported_cz(), 0, "if (r[0]) { z d[0]; }"), CZ, "lacks a correction at the end"),
    (lambda: replace(teleported_cz(), 0, "if (r[0]) { z d[0]; }", "if (m[0]) { z d[0]; }"), CZ, "lacks a corr"),
    (lambda: replace(teleported_cz(), 0, "if (r[0]) { z d[0]; }", "if (r[0]) { x d[0]; }"), CZ, "lacks a corr"),
    (lambda: teleported_cz().at(0, "if (r[0]) { z d[0]; }"), CZ, "lacks a correction at the end"),
    (lambda: replace(teleported_cz(), 1, "h c[0];"), CZ, "lacks a corr|holds a share|not a data qubit|measured"),
    (lambda: replace(teleported_cz(), 1, "h c[0];", "h d[0];"), CZ, "do not multiply|measured"),
    (lambda: replace(teleported_cz(), 0, "cx d[0], c[0];"), CZ, "half of an unused Bell pair"),
    (lambda: replace(teleported_cz(), 0, "cx d[0], c[0];", "cz d[0], c[0];"), CZ, "half of an unused Bell pair"),
    (lambda: replace(teleported_cz(), 0, "cx d[0], c[0];", "cx c[0], d[0];"), CZ, "half of an unused Bell pair"),
    (lambda: replace(teleported_cz(), 0, "cx d[0], c[0];", *["cx d[0], c[0];"] * 2), CZ, "added twice"),
    (lambda: teleported_cz().epr(0, 0, 1, 0), CZ, "was not reset"),
    (lambda: teleported_cz().at(1, "cz c[0], d[0];"), CZ, "was measured and holds no qubit"),
    (lambda: teleported_cz().at(0, "reset c[0];").at(1, "reset c[0];").epr(0, 0, 1, 0), CZ, "left over"),
    (
        lambda: teleported_cz().at(0, "reset c[0];").at(1, "reset c[0];").cat(0, "d[0]", 0, 1, 0),
        CZ,
        "still holds a share",
    ),
    (lambda: replace(teleported_cz(), 1, "cz c[0], d[0];", "cz c[0], d[0];", "h d[0];", "t c[0];", "h c[0];"),
     CZ, "waiting for the measurement|not those"),
    (lambda: replace(teleported_cz(), 1, "cz c[0], d[0];", "sx c[0];", "cz c[0], d[0];"), CZ, "copies of it"),
    (lambda: replace(teleported_cz(), 0, "@distq.recv 1", "h d[0];", "@distq.recv 1"), CZ, "no share of qubit 0"),
    (lambda: replace(teleported_cz(), 1, "cz c[0], d[0];", "reset c[0];"), CZ, "reset while copies"),
    # an X on some shares only
    (lambda: replace(fan_out(), 2, "x c[0];"), FAN_OUT, "not those of the circuit"),
    (lambda: replace(fan_out(), 0, "x d[0];"), FAN_OUT, "do not multiply"),
    # places
    (lambda: _with(teleported_cz(), outputs=[[1, "d", 0], [0, "d", 0]]), CZ, "the manifest says"),
    (lambda: _with(teleported_cz(), inputs=[[0, "c", 0], [1, "d", 0]]), CZ, "not on a data qubit"),
    (lambda: _with(teleported_cz(), inputs=[[1, "d", 0], [0, "d", 0]]), circuit_of(2, ("cp", 1.0, 0, 1)), "not those"),
    (lambda: _with(teleported_cz(), limits=[(1, 0), (1, 1)]), CZ, "1 communication qubits, but the network"),
    (lambda: _with(teleported_cz(), limits=[(0, 1), (1, 1)]), CZ, "1 data qubits, but the network"),
    (lambda: replace(state_teleport(), 1, "swap c[0], d[1];"), TELEPORT, "no qubit of the circuit"),
    (lambda: replace(state_teleport(), 1, "swap c[0], d[1];", "h c[0];", "swap c[0], d[1];"), TELEPORT, "not a data"),
    (lambda: replace(state_teleport(), 1, "if (r[1]) { z c[0]; }"), TELEPORT, "lacks a Z correction before"),
    (lambda: replace(state_teleport(), 1, "h d[1];", "h d[0];"), TELEPORT, "do not multiply"),
    # exchanges
    (lambda: replace(exchange(), 1, "@distq.exchange 0", "@distq.exchange 1"), EXCHANGE, "inside|open"),
    (lambda: replace(exchange(), 0, "@distq.exchange 0"), EXCHANGE, "inside exchange|do not make a swap"),
    (lambda: replace(exchange(), 1, "h d[0];"), EXCHANGE, "do not multiply"),
    (lambda: replace(exchange(), 0, "@distq.exchange 0", "s d[0];", "@distq.exchange 0"), EXCHANGE, "do not multiply"),
    (lambda: replace(exchange(), 0, "@distq.exchange 0", "h d[0];", "@distq.exchange 0"), EXCHANGE, "inside exchange"),
    (exchange, circuit_of(2, ("h", 1)), "do not multiply"),
    (
        exchange_with_copies,
        circuit_of(2, ("cz", 0, 1), ("rz", 0.3, 0), ("rz", 0.7, 1), ("cp", 0.2, 0, 1)),
        "do not multiply",
    ),
    *(
        (lambda old=old, new=new: replace(exchange_with_copies(), 1, old, new), EXCHANGE_WITH_COPIES, WHY)
        for old in ("rz(0.3) d[0];", "rz(0.7) d[0];")
        for new in ("x d[0];", "h d[0];", "y d[0];")
    ),
    (
        lambda: replace(exchange_with_copies(), 0, "cp(0.2) c[0], d[0];", "rz(0.1) d[0];", "cp(0.2) c[0], d[0];"),
        EXCHANGE_WITH_COPIES,
        "do not multiply",
    ),
    # conditions
    (lambda: replace(conditional(), 1, "if (r[0]) { h d[0]; }", "if (!r[0]) { h d[0]; }"), CONDITIONAL, "not those"),
    (lambda: replace(conditional(), 1, "if (r[0]) { h d[0]; }", "h d[0];"), CONDITIONAL, "not those"),
    (lambda: replace(conditional(), 1, "if (r[0]) { h d[0]; }"), CONDITIONAL, "not those"),
    (lambda: _with(conditional(), clbits=[[[[], [1, "m", 0]]], [[[], [0, "m", 0]]]]), CONDITIONAL, "bit 0"),
    (lambda: _with(conditional(), clbits=[[[[], None]], [[[], [1, "m", 0]]]]), CONDITIONAL, "bit 0"),
    (conditional, circuit_of(2, ("measure", 0, 0), ("measure", 1, 1), clbits=2), "not those|another condition"),
    (conditional, circuit_of(2, ("measure", 0, 0), clbits=2), "more often"),
    # other circuits
    (teleported_cz, circuit_of(3, ("cz", 0, 1)), "3 qubits"),
    (teleported_cz, circuit_of(2, ("cz", 0, 1), clbits=1), "1 classical bits"),
    (teleported_cz, circuit_of(2, ("iswap", 0, 1)), "the manifest says|no counterpart|do not multiply"),
    (teleported_cz, circuit_of(2, ("cz", 0, 1), ("measure_all",)), "classical bits"),
]  # fmt: skip


def _with(program: Handmade, **fields: object) -> Handmade:
    for name, value in fields.items():
        setattr(program, name, value)
    return program


@pytest.mark.parametrize("case", range(len(BROKEN)))
def test_broken_programs_are_refused(case: int, tmp_path: Path) -> None:
    program, circuit, reason = BROKEN[case]
    outcome = check(program(), circuit, tmp_path)
    assert not outcome.ok
    assert any(part in outcome.reason for part in reason.split("|")), outcome.reason
    assert outcome.reason.endswith(".")


def test_statevector_agrees_that_broken_programs_are_wrong(tmp_path: Path) -> None:
    """A sanity check of the list above: nearly all its entries are wrong as physics, not only by our rules."""
    from distq.verify.statevector import verify_statevector

    accepted = 0
    for case, (program, circuit, _) in enumerate(BROKEN):
        files = read_directory(program().save(tmp_path / str(case)))
        if circuit.num_qubits == len(files.inputs) and circuit.num_clbits == len(files.clbits):
            accepted += verify_statevector(circuit, files).ok
    assert accepted <= len(BROKEN) // 4


def test_split_condition_is_one(tmp_path: Path) -> None:
    """`if (a | b) cx` as two CZ under conditions that exclude each other, around an unconditional H."""
    circuit = QuantumCircuit(4, 2)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test(expr.bit_or(circuit.clbits[0], circuit.clbits[1])):
        circuit.cx(2, 3)
    p = Handmade([(4, 0)])
    p.inputs = [[0, "d", i] for i in range(4)]
    p.measure(0, "d[0]")
    p.measure(0, "d[1]")
    gates = ["h d[3];", "if (m[0]) { cz d[2], d[3]; }", "if (!m[0]) { if (m[1]) { cz d[2], d[3]; } }", "h d[3];"]
    p.clbits = [[[[], [0, "m", i]]] for i in range(2)]
    p.at(0, *gates)
    assert check(p, circuit, tmp_path).ok
    q = replace(p, 0, gates[2], "if (m[1]) { cz d[2], d[3]; }")
    assert not check(q, circuit, tmp_path / "q").ok


def test_merged_conditional_gates_need_branches(tmp_path: Path) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.h(1)
        circuit.t(1)
        circuit.h(1)
    p = Handmade([(2, 0)])
    p.inputs = [[0, "d", 0], [0, "d", 1]]
    p.clbits = [[[[], [0, "m", 0]]]]
    p.measure(0, "d[0]")
    p.at(0, "if (m[0]) { rx(0.7853981633974483) d[1]; }")
    outcome = check(p, circuit, tmp_path)
    assert outcome.ok
    assert outcome.details["branches"] == 2
    assert outcome.details["branches_sampled"] is False
    assert not check(replace(p, 0, p.lines[0][-1], "if (m[0]) { rx(0.79) d[1]; }"), circuit, tmp_path / "q").ok


def test_unbound_parameters(tmp_path: Path) -> None:
    theta = Parameter("theta")
    circuit = circuit_of(2, ("cp", 2 * theta, 0, 1))
    for text, ok in (
        ("cp(2*theta)", True),
        ("cp(theta + theta)", True),
        ("cp(theta*theta)", False),
        ("cp(0.4)", False),
    ):
        p = teleported_cz(text)
        p.parameters = ["theta"]
        outcome = verify_symbolic(circuit, read_directory(p.save(tmp_path / text.replace("*", "_"))))
        assert outcome.ok is ok
        if ok:
            assert outcome.details["bindings"] == 2
    p = teleported_cz("cp(phi)")
    p.parameters = ["phi"]
    outcome = verify_symbolic(circuit, read_directory(p.save(tmp_path / "other")))
    assert "phi" in outcome.reason


def test_opposite_order_of_gates_that_do_not_commute(tmp_path: Path) -> None:
    p = Handmade([(3, 0)])
    p.inputs = [[0, "d", i] for i in range(3)]
    p.at(0, "cx d[0], d[1];", "cx d[1], d[2];")
    assert check(p, circuit_of(3, ("cx", 0, 1), ("cx", 1, 2)), tmp_path).ok
    assert not check(p, circuit_of(3, ("cx", 1, 2), ("cx", 0, 1)), tmp_path).ok


@pytest.mark.parametrize("legs", [3, 4])
def test_multi_qubit_gates(legs: int, tmp_path: Path) -> None:
    qubits = list(range(legs))
    operands = ", ".join(f"d[{i}]" for i in qubits)
    p = Handmade([(legs, 0)])
    p.inputs = [[0, "d", i] for i in qubits]
    p.at(0, f"ctrl({legs - 1}) @ p(0.5) {operands};", f"parity{legs}(0.25) {operands};")
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.quantum_info import SparsePauliOp

    same = circuit_of(legs, ("mcp", 0.5, qubits[:-1], qubits[-1]))
    same.append(PauliEvolutionGate(SparsePauliOp("Z" * legs), time=0.125), qubits)
    files = read_directory(p.save(tmp_path / "p"))
    assert verify_symbolic(same, files).ok
    wrong = circuit_of(legs, ("mcp", 0.5, qubits[:-1], qubits[-1]))
    wrong.append(PauliEvolutionGate(SparsePauliOp("Z" * legs), time=0.25), qubits)
    assert not verify_symbolic(wrong, files).ok


def test_verify_raises_only_for_malformed_files(tmp_path: Path) -> None:
    directory = teleported_cz().save(tmp_path / "p")
    assert verify(CZ, directory).ok
    assert verify(CZ, directory).method == "symbolic+statevector"
    result = verify(circuit_of(2, ("cx", 0, 1)), directory, "symbolic")
    assert not result.ok
    assert result.to_dict()["message"] == result.message
    (directory / "module_0.qasm").write_text("OPENQASM 3.0;\n")
    with pytest.raises(InputError, match="changed after it was written"):
        verify(CZ, directory)
