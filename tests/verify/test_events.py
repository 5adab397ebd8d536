"""The canonical form means what it says: events and frames multiply to the circuit's operator."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import library as lib
from qiskit.quantum_info import Operator, SparsePauliOp
from randomcircuits import random_circuit

from distq.verify.blocks import ProgramIndex, local_factors
from distq.verify.compare import Comparison, simplify
from distq.verify.events import MASK, SHIFT, Builder, EventSet, dense_gate
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
        total = embed(dense_gate(event.kind, event.angle, axes), strands, n) @ total
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
        # Blocks need a program to be matched with: here Qiskit's own decomposition of them.
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


@pytest.mark.parametrize("seed", range(30))
def test_local_factors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 1 + seed % 4
    product = np.exp(1j * rng.uniform(0, 6)) * np.ones((1, 1))
    factors = []
    for _ in range(count):
        quaternion = rng.normal(size=4)
        factors.append(tuple(quaternion / np.linalg.norm(quaternion)))
        product = np.kron(matrix_of(factors[-1]), product)
    found = local_factors(product, count)
    assert found is not None
    for wanted, got in zip(factors, found[0]):
        assert equal_up_to_phase(matrix_of(wanted), matrix_of(got))
    if count > 1:
        axes = [(0.0, 0.0, 1.0)] * count
        assert local_factors(dense_gate(Row.PARITY, 1e-3, axes) @ product, count) is None


@pytest.mark.parametrize("name", ["iswap", "ecr", "dcx", "unitary", "cswap", "rccx", "c3x", "c4x"])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_matched_with_a_decomposition(name: str, seed: int) -> None:
    """The program may be any decomposition, with commuting gates of later operations interleaved."""
    from qiskit.quantum_info import random_unitary

    gates = {
        "iswap": lib.iSwapGate(),
        "ecr": lib.ECRGate(),
        "dcx": lib.DCXGate(),
        "unitary": lib.UnitaryGate(random_unitary(4, seed=seed)),
        "cswap": lib.CSwapGate(),
        "rccx": lib.RCCXGate(),
        "c3x": lib.C3XGate(),
        "c4x": lib.C4XGate(),
    }
    rng = np.random.default_rng(seed)
    n = 5
    circuit = QuantumCircuit(n)
    for i in range(4):
        gate = gates[name]
        circuit.append(gate, [int(q) for q in rng.permutation(n)[: gate.num_qubits]])
        a, b = (int(q) for q in rng.permutation(n)[:2])
        circuit.cp(0.1 + i, a, b)
        circuit.h(b)
    decomposed = circuit.decompose(list({gates[name].name}), reps=1).decompose(["ccx", "rcccx", "mcx"], reps=5)
    source = read_source(circuit, coarse=True)
    assert any(row[0] == Row.BLOCK for row in source.tape.rows)
    program = Builder(n).run(read_source(decomposed).tape)
    ours = Builder(n, None, ProgramIndex(program)).run(source.tape)
    assert not differ(ours, program, source)
    order = [ours.strand_at.index(s) for s in range(n)]
    assert equal_up_to_phase(operator_of(ours), Operator(circuit).data), order


def test_a_wrong_block_is_not_matched() -> None:
    circuit, wrong = QuantumCircuit(2), QuantumCircuit(2)
    circuit.iswap(0, 1)
    wrong.cp(3.0, 0, 1)
    program = Builder(2).run(read_source(wrong).tape)
    with pytest.raises(Exception, match="0"):
        Builder(2, None, ProgramIndex(program)).run(read_source(circuit).tape)


def test_a_unitary_that_is_a_swap_renames_qubits() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.unitary(Operator(lib.SwapGate()).data, [0, 1])
    circuit.s(0)
    plain = QuantumCircuit(2)
    plain.h(0)
    plain.s(1)
    program = Builder(2).run(read_source(plain).tape)
    events = Builder(2, None, ProgramIndex(program)).run(read_source(circuit).tape)
    assert events.strand_at == [1, 0]
    assert equal_up_to_phase(operator_of(events), Operator(circuit).data)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_pauli_evolution_is_one_event() -> None:
    circuit = QuantumCircuit(4)
    circuit.append(lib.PauliEvolutionGate(SparsePauliOp("XZIY", coeffs=[0.5]), time=0.3), range(4))
    events = Builder(4).run(read_source(circuit).tape)
    assert [len(e.legs) for e in events.events] == [3]
    assert equal_up_to_phase(operator_of(events), Operator(circuit).data)


def test_pauli_is_axis() -> None:
    assert np.allclose(pauli((0.0, 1.0, 0.0)), [[0, -1j], [1j, 0]])
