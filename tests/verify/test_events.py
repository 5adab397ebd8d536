"""The canonical form means what it says: events and frames multiply to the circuit's operator."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import library as lib
from qiskit.quantum_info import Operator, SparsePauliOp
from randomcircuits import random_circuit
from tapes import gate_matrix

from distq.verify.compare import Comparison, simplify
from distq.verify.events import MASK, SHIFT, Builder, EventSet, OpaqueError
from distq.verify.rotations import matrix_of, pauli
from distq.verify.source import Source, read_source
from distq.verify.tape import Row


def embed(matrix: np.ndarray, wires: list[int], n: int) -> np.ndarray:
    return Operator(np.eye(2**n)).compose(Operator(matrix), qargs=wires).data


def operator_of(events: EventSet) -> np.ndarray:
    """The unitary that an event set without measurements and resets stands for."""
    n = len(events.frames)
    total = np.eye(2**n, dtype=complex)
    for event in events.events:
        strands = [leg >> SHIFT for leg in event.legs]
        signs = event.extra or (1,) * len(strands)
        axes = [tuple(s * x for x in events.axes[leg >> SHIFT][leg & MASK]) for s, leg in zip(signs, event.legs)]
        total = embed(gate_matrix(event.kind, len(axes), (event.angle, axes)), strands, n) @ total
    for strand, frame in enumerate(events.frames):
        total = embed(matrix_of(frame), [strand], n) @ total
    relabel = QuantumCircuit(n)
    # Wire i ends with strand strand_at[i].
    relabel.append(lib.PermutationGate(events.strand_at), range(n))
    return Operator(relabel).data @ total


def equal_up_to_phase(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(abs(abs(np.trace(a.conj().T @ b)) / len(a) - 1) < 1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_events_multiply_to_the_operator(seed: int) -> None:
    circuit = random_circuit(seed, n=2 + seed % 3, size=1 + seed % 12, control=False)
    tape = read_source(circuit).tape
    blocks = [row for row in tape.rows if row[0] == Row.BLOCK]
    if blocks:
        # Matrices need a witness that takes them apart: here it is Qiskit's own decomposition of them.
        plain = circuit.decompose(["unitary", "iswap", "ecr", "dcx", "xx_plus_yy", "xx_minus_yy"], reps=4)
        tape = read_source(plain).tape
    events = Builder(circuit.num_qubits).run(tape)
    wanted = Operator(circuit.remove_final_measurements(inplace=False) or circuit).data
    assert equal_up_to_phase(operator_of(events), wanted)
    smaller = simplify(events)
    assert equal_up_to_phase(operator_of(smaller), wanted)
    assert len(smaller.events) <= len(events.events) + 8


def differ(a: EventSet, b: EventSet, source: Source) -> bool:
    comparison = Comparison(source.booleans, lambda g: g, lambda g: g, lambda bit: bit)
    return comparison.differ(simplify(a), simplify(b)) is not None


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ([("cz", 0, 1), ("cz", 1, 2)], [("cz", 1, 2), ("cz", 0, 1)], True),
        ([("cx", 0, 1), ("cx", 0, 2)], [("cx", 0, 2), ("cx", 0, 1)], True),
        ([("cx", 0, 1), ("cx", 2, 1)], [("cx", 2, 1), ("cx", 0, 1)], True),
        ([("cx", 0, 1), ("cx", 1, 2)], [("cx", 1, 2), ("cx", 0, 1)], False),
        ([("cz", 0, 1), ("h", 1), ("cz", 1, 2)], [("cz", 1, 2), ("h", 1), ("cz", 0, 1)], False),
        ([("cx", 0, 1), ("cx", 0, 1)], [], True),
        ([("cx", 0, 1), ("cx", 1, 2), ("cx", 1, 2), ("cx", 0, 1)], [], True),
        ([("cx", 0, 1), ("cx", 1, 2), ("cx", 0, 1)], [("cx", 1, 2)], False),
        ([("cp", 0.3, 0, 1), ("cp", 0.4, 0, 1)], [("cp", 0.7, 0, 1)], True),
        ([("cp", 3.0, 0, 1), ("cp", 3.0, 0, 1)], [("cp", 6.0, 0, 1)], True),
        ([("cp", 3.0, 0, 1), ("cp", 3.0, 0, 1)], [("cp", 6.1, 0, 1)], False),
        ([("rzz", 2.0, 0, 1), ("h", 0), ("rzz", 0.5, 0, 1)], [("rzz", 2.0, 0, 1), ("h", 0), ("rzz", 0.5, 1, 0)], True),
        ([("x", 0), ("rzz", 0.5, 0, 1), ("x", 0)], [("rzz", -0.5, 0, 1)], True),
        ([("x", 0), ("rzz", 0.5, 0, 1), ("x", 0)], [("rzz", 0.5, 0, 1)], False),
        ([("x", 0), ("cp", 0.5, 0, 1), ("x", 0)], [("cp", -0.5, 0, 1), ("p", 0.5, 1)], True),
        ([("x", 0), ("ccx", 0, 1, 2), ("x", 0)], [("ccx", 0, 1, 2), ("cx", 1, 2)], True),
        ([("x", 0), ("ccx", 0, 1, 2), ("x", 0)], [("ccx", 0, 1, 2)], False),
        ([("ccz", 0, 1, 2), ("h", 2)], [("ccz", 2, 0, 1), ("h", 2)], True),
        ([("cp", 3.141592653589793, 0, 1)], [("cp", -3.141592653589793, 0, 1)], True),
        ([("crx", 0.4, 0, 1)], [("h", 1), ("crz", 0.4, 0, 1), ("h", 1)], True),
        ([("crx", 0.4, 0, 1)], [("h", 1), ("cp", 0.4, 0, 1), ("h", 1)], False),
    ],
)  # fmt: skip
def test_commutation_and_merging(left: list, right: list, same: bool) -> None:
    sets, operators, source = [], [], None
    for gates in (left, right):
        circuit = QuantumCircuit(3)
        for name, *args in gates:
            getattr(circuit, name)(*args)
        source = read_source(circuit)
        sets.append(Builder(3).run(source.tape))
        operators.append(Operator(circuit).data)
    assert source is not None
    assert equal_up_to_phase(*operators) is same  # the expectation itself
    frames = all(
        equal_up_to_phase(matrix_of(f), matrix_of(g))
        for f, g in zip(simplify(sets[0]).frames, simplify(sets[1]).frames)
    )
    assert (not differ(sets[0], sets[1], source) and frames) is same


def test_a_matrix_without_a_witness_is_refused() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.iswap(0, 1)
    with pytest.raises(OpaqueError) as found:
        Builder(2).run(read_source(circuit).tape)
    assert found.value.origin == 1


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_pauli_evolution_is_one_event() -> None:
    circuit = QuantumCircuit(4)
    circuit.append(lib.PauliEvolutionGate(SparsePauliOp("XZIY", coeffs=[0.5]), time=0.3), range(4))
    events = Builder(4).run(read_source(circuit).tape)
    assert [len(e.legs) for e in events.events] == [3]
    assert equal_up_to_phase(operator_of(events), Operator(circuit).data)


def test_pauli_is_axis() -> None:
    assert np.allclose(pauli((0.0, 1.0, 0.0)), [[0, -1j], [1j, 0]])
