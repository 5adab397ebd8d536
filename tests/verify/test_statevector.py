"""The branch simulator against Qiskit and Aer, and the statevector method on programs written by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from handmade import Handmade
from hypothesis import given, settings
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ControlModifier, ForLoopOp, InverseModifier, Parameter
from qiskit.circuit.classical import expr
from qiskit.circuit.library import CUGate, MCXGate, PermutationGate, XGate, YGate
from qiskit.quantum_info import Operator, random_unitary

from distq.testing import UNITARY_FEATURES, circuits, same_distribution
from distq.verify.branches import Branch, Limits, simulate
from distq.verify.outcome import Outcome
from distq.verify.outputs import output_qubits
from distq.verify.reader import read_directory
from distq.verify.source_steps import UnsupportedError, source_steps
from distq.verify.statevector import verify_statevector
from distq.verify.symbolic import verify_symbolic


def two_modules() -> Handmade:
    program = Handmade([(1, 1), (1, 1)])
    program.inputs = [[0, "d", 0], [1, "d", 0]]
    return program


def check(program: Handmade, circuit: QuantumCircuit, folder: Path, **options: object) -> Outcome:
    files = read_directory(program.save(folder / "program"))
    return verify_statevector(circuit, files, **options)  # type: ignore[arg-type]


def unitary_of(circuit: QuantumCircuit) -> np.ndarray:
    """The matrix of a unitary circuit by the branch simulator, column by column."""
    n = circuit.num_qubits
    state = np.eye(2**n, dtype=np.complex128).reshape((2,) * (2 * n))
    # Axes: references n-1..0 (the column), then qubits n-1..0 (the row).
    axes = [*(-1 - q for q in reversed(range(n))), *reversed(range(n))]
    source = source_steps(circuit)
    run = simulate(
        source.steps,
        Branch(state, axes),
        frozenset(),
        frozenset(range(n)),
        Limits(),
        np.random.default_rng(0),
    )
    assert len(run.branches) == 1
    branch = run.branches[0]
    order = [branch.axes.index(a) for a in axes]
    return branch.state.transpose(order).reshape(2**n, 2**n).T


def equal_up_to_phase(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(abs(abs(np.vdot(a, b)) / len(a) - 1) < 1e-9)


def probabilities(circuit: QuantumCircuit) -> dict[tuple[int, ...], float]:
    """Exact distribution of the classical bits from |0...0>, by the branch simulator."""
    source = source_steps(circuit)
    run = simulate(
        source.steps,
        Branch(np.ones((), np.complex128), []),
        frozenset(range(circuit.num_clbits)),
        frozenset(),
        Limits(),
        np.random.default_rng(0),
    )
    found: dict[tuple[int, ...], float] = {}
    for branch in run.branches:
        deferred = sorted(branch.deferred)
        first = [branch.axes.index(branch.deferred[b]) for b in deferred]
        rest = [i for i in range(len(branch.axes)) if i not in first]
        weights = np.abs(branch.state.transpose(first + rest).reshape(2 ** len(first), -1)) ** 2
        for value, weight in enumerate(weights.sum(axis=1)):
            bits = [int(b in branch.bits) for b in range(circuit.num_clbits)]
            for j, bit in enumerate(deferred):
                bits[bit] = (value >> (len(deferred) - 1 - j)) & 1
            key = tuple(bits)
            found[key] = found.get(key, 0.0) + float(weight)
    assert sum(found.values()) == pytest.approx(1)
    return found


# ---- the simulator ----


@settings(max_examples=40, derandomize=True, deadline=None)
@given(circuits(1, 4, 12, [f for f in UNITARY_FEATURES if f != "parameters"]))
def test_unitary_circuits_have_the_matrix_that_qiskit_finds(circuit: QuantumCircuit) -> None:
    assert equal_up_to_phase(unitary_of(circuit), Operator(circuit).data)


@pytest.mark.parametrize(
    "gate",
    [
        PermutationGate([2, 0, 3, 1]),
        CUGate(0.1, 0.2, 0.3, 0.4).control(2, annotated=False),
        MCXGate(3),
        XGate().control(3, ctrl_state=2, annotated=False),
        YGate().control(3, ctrl_state=5, annotated=False),
        AnnotatedOperation(YGate(), [ControlModifier(3, 5), InverseModifier()]),
    ],
    ids=lambda g: g.name,
)
def test_gates_on_many_qubits_have_the_matrix_that_qiskit_finds(gate: object) -> None:
    circuit = QuantumCircuit(4)
    circuit.unitary(random_unitary(16, seed=1), range(4))
    circuit.append(gate, [2, 0, 3, 1])
    assert equal_up_to_phase(unitary_of(circuit), Operator(circuit).data)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(circuits(1, 4, 12, ["standard", "clifford", "multi", "measure", "reset", "conditional", "loop"]))
def test_outcomes_are_distributed_as_on_aer(circuit: QuantumCircuit) -> None:
    from distq.simulate.run import run

    exact = probabilities(circuit)
    found: dict[tuple[int, ...], int] = {}
    for word, count in run(circuit, 400, 3).items():
        digits = word.replace(" ", "")[::-1]
        found[tuple(map(int, digits))] = count
    assert set(found) <= {k for k, p in exact.items() if p > 1e-12}
    # A large sample of the exact distribution stands for it.
    assert same_distribution(found, {k: round(1e6 * p) for k, p in exact.items()}) > 1e-6


def test_switch_and_expressions_are_evaluated_when_they_are_reached() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x([0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.switch(circuit.cregs[0]) as case:
        with case(1, 2):
            circuit.x(0)
        with case(3):
            circuit.x(2)
        with case(case.DEFAULT):
            circuit.x([0, 1, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    assert probabilities(circuit) == pytest.approx({(1, 1, 1): 1.0})
    changed = QuantumCircuit(2, 2)
    changed.x(0)
    changed.measure(0, 0)
    with changed.if_test(expr.bit_and(changed.clbits[0], expr.bit_not(changed.clbits[1]))) as otherwise:
        # The condition was true when it was read, and stays so for the rest of the block.
        changed.measure(1, 0)
        changed.x(1)
    with otherwise:
        changed.x(0)
    changed.measure([0, 1], [0, 1])
    assert probabilities(changed) == pytest.approx({(1, 1): 1.0})


def test_a_loop_on_a_measured_value_is_named() -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.while_loop((0, 1)):
        circuit.measure(0, 0)
    with pytest.raises(UnsupportedError, match="while_loop"):
        source_steps(circuit)


def test_outputs_are_the_qubits_that_do_not_end_with_a_measurement_or_reset() -> None:
    circuit = QuantumCircuit(5, 1)
    circuit.measure(0, 0)
    circuit.reset(1)
    circuit.h(2)
    circuit.measure(3, 0)
    circuit.x(3)
    with circuit.if_test((0, 1)):
        circuit.reset(4)
    assert output_qubits(circuit) == source_steps(circuit).outputs == [2, 3, 4]
    inner = QuantumCircuit(2, 1)
    inner.measure(0, 0)
    inner.reset(1)
    inner.h(1)
    other = QuantumCircuit(5, 1)
    other.append(inner.to_instruction(), [0, 1], [0])
    other.append(ForLoopOp(range(2), None, inner), [2, 3], [0])
    other.measure(4, 0)
    other.append(ForLoopOp(range(0), None, inner), [1, 4], [0])
    other.barrier()
    assert output_qubits(other) == source_steps(other).outputs == [1, 3]


# ---- the method ----


def test_a_gate_through_a_copy_is_right_in_every_branch(tmp_path: Path) -> None:
    program = two_modules().cat(0, "d[0]", 0, 1, 0).at(1, "cp(0.3) c[0], d[0];").drop(1, "c[0]", 0, "d[0]")
    circuit = QuantumCircuit(2)
    circuit.cp(0.3, 0, 1)
    outcome = check(program, circuit, tmp_path)
    assert outcome.ok
    assert outcome.details == {"sampled": False, "inputs": 1, "branches": 2, "choi": True}
    circuit.cp(1e-6, 0, 1)
    wrong = check(program, circuit, tmp_path)
    assert wrong.applicable
    assert not wrong.ok


@pytest.mark.parametrize("fault", ["no x", "no z", "x on the wrong value", "no measurement at the end"])
def test_faults_in_the_protocol_are_found(fault: str, tmp_path: Path) -> None:
    program = two_modules().epr(0, 0, 1, 0).at(0, "cx d[0], c[0];")
    program.measure(0, "c[0]", 1)
    bit = program.recv(1)
    if fault != "no x":
        program.at(1, f"if ({'!' if 'value' in fault else ''}{bit}) {{ x c[0]; }}")
    program.at(1, "cz c[0], d[0];")
    if fault != "no measurement at the end":
        program.at(1, "h c[0];")
        program.measure(1, "c[0]", 0)
        bit = program.recv(0)
        program.at(0, f"if ({bit}) {{ {'p(0.0)' if fault == 'no z' else 'z'} d[0]; }}")
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    outcome = check(program, circuit, tmp_path)
    assert outcome.applicable
    assert not outcome.ok


def test_a_teleported_qubit_ends_in_the_other_module(tmp_path: Path) -> None:
    program = Handmade([(1, 1), (1, 1)])
    program.inputs, program.outputs = [[0, "d", 0]], [[1, "c", 0]]
    program.cat(0, "d[0]", 0, 1, 0).drop(0, "d[0]", 1, "c[0]")
    circuit = QuantumCircuit(1)
    assert check(program, circuit, tmp_path).ok
    program.outputs = [[0, "d", 0]]
    assert not check(program, circuit, tmp_path).ok


def test_the_state_after_each_outcome_counts_not_only_its_probability(tmp_path: Path) -> None:
    def program(guard: str) -> Handmade:
        made = two_modules()
        made.measure(0, "d[0]", 1)
        bit = made.recv(1)
        made.at(1, f"if ({guard}{bit}) {{ x d[0]; }}")
        made.clbits = [[[[], [0, "m", 0]]]]
        return made

    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    assert check(program(""), circuit, tmp_path).ok
    assert "probability 0.5 and the program 0.5" in check(program("!"), circuit, tmp_path).reason


def test_a_final_measurement_frees_the_state_but_not_the_bit(tmp_path: Path) -> None:
    program = Handmade([(2, 0)])
    program.inputs = [[0, "d", 0], [0, "d", 1]]
    program.measure(0, "d[0]")
    program.at(0, "reset d[0];")
    program.clbits = [[[[], [0, "m", 0]]]]
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    assert check(program, circuit, tmp_path).ok
    program.clbits = [[[[], None]]]
    assert not check(program, circuit, tmp_path).ok
    kept = QuantumCircuit(2, 1)
    kept.measure(0, 0)
    kept.x(0)
    kept.x(0)
    program.clbits = [[[[], [0, "m", 0]]]]
    assert not check(program, kept, tmp_path).ok


def test_an_output_that_the_program_measures_is_wrong(tmp_path: Path) -> None:
    program = Handmade([(1, 0)])
    program.inputs = [[0, "d", 0]]
    program.measure(0, "d[0]")
    assert not check(program, QuantumCircuit(1), tmp_path).ok


def test_reset_mixes_and_mixtures_compare(tmp_path: Path) -> None:
    program = Handmade([(2, 0)])
    program.inputs = [[0, "d", 0], [0, "d", 1]]
    program.at(0, "cx d[0], d[1];", "reset d[1];")
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.reset(1)
    assert check(program, circuit, tmp_path).ok
    other = QuantumCircuit(2)
    other.reset(1)
    assert not check(program, other, tmp_path).ok


def test_parameters_get_the_same_random_values_on_both_sides(tmp_path: Path) -> None:
    program = Handmade([(1, 0)])
    program.inputs, program.parameters = [[0, "d", 0]], ["theta"]
    program.at(0, "rx(2*theta) d[0];")
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.rx(2 * theta, 0)
    outcome = check(program, circuit, tmp_path)
    assert outcome.ok
    assert outcome.details["inputs"] == 2
    wrong = QuantumCircuit(1)
    wrong.rx(theta, 0)
    assert not check(program, wrong, tmp_path).ok
    assert "theta" in check(program, QuantumCircuit(1), tmp_path).reason


def many_bits(count: int) -> tuple[Handmade, QuantumCircuit]:
    """All bits are measured first and used later, so that 2**count branches live at once."""
    program = Handmade([(1, count), (1, count)])
    program.inputs = [[0, "d", 0], [1, "d", 0]]
    for i in range(count):
        program.epr(0, i, 1, i).at(0, f"cx d[0], c[{i}];")
    bits = []
    for i in range(count):
        program.measure(0, f"c[{i}]", 1)
        bits.append(program.recv(1))
    for i in range(count):
        program.at(1, f"if ({bits[i]}) {{ x c[{i}]; }}", f"cp(0.1) c[{i}], d[0];", f"h c[{i}];")
    for i in range(count):
        program.measure(1, f"c[{i}]", 0)
        bits[i] = program.recv(0)
    for i in range(count):
        program.at(0, f"if ({bits[i]}) {{ z d[0]; }}")
    circuit = QuantumCircuit(2)
    circuit.cp(0.1 * count, 0, 1)
    return program, circuit


def test_branches_are_sampled_and_reported_if_there_are_too_many(tmp_path: Path) -> None:
    program, circuit = many_bits(5)
    outcome = check(program, circuit, tmp_path, max_branches=2**12)
    assert outcome.ok
    assert not outcome.details["sampled"]
    assert outcome.details["branches"] == 32
    outcome = check(program, circuit, tmp_path, max_branches=8)
    assert outcome.ok
    assert outcome.details["sampled"]
    circuit.rz(0.1, 0)
    assert not check(program, circuit, tmp_path, max_branches=8).ok


def test_what_is_too_large_is_never_called_right(tmp_path: Path) -> None:
    program, circuit = many_bits(6)
    outcome = check(program, circuit, tmp_path, max_qubits=6)
    assert not outcome.ok
    assert not outcome.applicable
    assert "6 qubits" in outcome.reason
    outcome = check(program, circuit, tmp_path, max_work=1000)
    assert not outcome.ok
    assert not outcome.applicable
    measured = QuantumCircuit(2, 2)
    measured.cp(0.6, 0, 1)
    measured.measure([0, 1], [0, 1])
    program.measure(0, "d[0]")
    program.measure(1, "d[0]")
    program.clbits = [[[[], [0, "m", 6]]], [[[], [1, "m", 6]]]]
    assert check(program, measured, tmp_path).ok
    outcome = check(program, measured, tmp_path, max_branches=8)
    assert not outcome.ok
    assert not outcome.applicable
    assert "branches" in outcome.reason


def test_many_final_measurements_need_no_branches(tmp_path: Path) -> None:
    n = 14
    program = Handmade([(n, 0)])
    program.inputs = [[0, "d", q] for q in range(n)]
    program.at(0, *(f"h d[{q}];" for q in range(n)), *(f"cz d[{q}], d[{q + 1}];" for q in range(n - 1)))
    for q in range(n):
        program.measure(0, f"d[{q}]")
    program.clbits = [[[[], [0, "m", q]]] for q in range(n)]
    circuit = QuantumCircuit(n, n)
    circuit.h(range(n))
    for q in range(n - 1):
        circuit.cz(q, q + 1)
    circuit.measure(range(n), range(n))
    outcome = check(program, circuit, tmp_path)
    assert outcome.ok
    assert outcome.details["branches"] == 1
    program.clbits[3], program.clbits[4] = program.clbits[4], program.clbits[3]
    assert not check(program, circuit, tmp_path).ok


def test_circuits_of_other_shape_do_not_belong_to_the_program(tmp_path: Path) -> None:
    program = two_modules()
    assert "3 qubits" in check(program, QuantumCircuit(3), tmp_path).reason
    assert "1 classical" in check(program, QuantumCircuit(2, 1), tmp_path).reason


def test_idle_qubits_take_no_room(tmp_path: Path) -> None:
    n = 40
    program = Handmade([(n, 0)])
    program.inputs = [[0, "d", q] for q in range(n)]
    program.at(0, "h d[7];")
    circuit = QuantumCircuit(n)
    circuit.h(7)
    assert check(program, circuit, tmp_path).ok
    program.outputs = [program.inputs[1], program.inputs[0], *program.inputs[2:]]
    assert not check(program, circuit, tmp_path).ok


def test_every_gate_of_the_format_is_simulated(tmp_path: Path) -> None:
    program = Handmade([(4, 0)])
    program.inputs = [[0, "d", q] for q in range(4)]
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    program.at(0, *(f"h d[{q}];" for q in range(4)))
    for name in ["x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg"]:
        program.at(0, f"{name} d[0];", "ry(0.2) d[0];")
        getattr(circuit, name)(0)
        circuit.ry(0.2, 0)
    for name in ("p", "rx", "ry", "rz"):
        program.at(0, f"{name}(0.7) d[1];", "h d[1];")
        getattr(circuit, name)(0.7, 1)
        circuit.h(1)
    program.at(0, "U(0.3, 0.4, 0.5) d[2];", "cx d[0], d[1];", "cz d[1], d[2];", "cp(0.4) d[0], d[2];")
    program.at(0, "rzz(0.6) d[3], d[1];", "swap d[1], d[2];", f"ctrl(2) @ p({math.pi!r}) d[0], d[1], d[2];")
    program.at(0, "parity3(0.3) d[1], d[2], d[3];", "ctrl(3) @ p(0.3) d[0], d[1], d[2], d[3];")
    circuit.u(0.3, 0.4, 0.5, 2)
    circuit.cx(0, 1)
    circuit.cz(1, 2)
    circuit.cp(0.4, 0, 2)
    circuit.rzz(0.6, 3, 1)
    circuit.swap(1, 2)
    circuit.ccz(0, 1, 2)
    circuit.cx(1, 2)
    circuit.cx(2, 3)
    circuit.rz(0.3, 3)
    circuit.cx(2, 3)
    circuit.cx(1, 2)
    circuit.mcp(0.3, [0, 1, 2], 3)
    assert check(program, circuit, tmp_path).ok
    circuit.t(3)
    assert not check(program, circuit, tmp_path).ok


@pytest.mark.parametrize("swapped", [False, True])
def test_a_measured_qubit_that_is_used_again_is_an_output_in_every_branch(swapped: bool, tmp_path: Path) -> None:
    """Both methods keep it, also in the branch in which the later operation does not happen."""
    program = Handmade([(2, 0)])
    program.inputs = [[0, "d", 0], [0, "d", 1]]
    program.measure(0, "d[0]")
    program.clbits = [[[[], [0, "m", 0]]]]
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    if swapped:
        program.outputs = program.inputs[::-1]
        circuit.swap(0, 1)
    else:
        program.at(0, "if (m[0]) { x d[0]; }")
        with circuit.if_test((0, 1)):
            circuit.x(0)
    files = read_directory(program.save(tmp_path / "right"))
    assert verify_statevector(circuit, files).ok
    assert verify_symbolic(circuit, files).ok
    program.at(0, "h d[0];" if swapped else "if (!m[0]) { h d[0]; }")
    files = read_directory(program.save(tmp_path / "wrong"))
    assert not verify_statevector(circuit, files).ok
    assert not verify_symbolic(circuit, files).ok
