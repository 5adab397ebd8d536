"""Passes one after the other, each on what the last one made: the verifier follows them all."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import C4XGate, CCXGate, MCPhaseGate, RC3XGate, RCCXGate
from stages import difference

from distq.circuit.from_qiskit import from_qiskit
from distq.rewrite.embedding import exchange_neighbours
from distq.rewrite.expand import expand_gates
from distq.rewrite.normal import normalise
from distq.rewrite.passes import enabled
from distq.rewrite.resynthesis import resynthesise

ANGLES = (0.3, 0.7, math.pi / 2, math.pi / 4, -math.pi / 4, math.pi / 8, -math.pi / 8)


def random_circuit(rng):
    """CCX in CX and T, ladders, cancelling pairs, and gates that are read as several rows."""
    n = int(rng.integers(3, 8))
    circuit = QuantumCircuit(n)
    turn = circuit.h if rng.integers(2) else lambda q: circuit.rx(0.3, q)
    for _ in range(int(rng.integers(8, 45))):
        a, b, c = (int(q) for q in rng.permutation(n)[:3])
        angle = float(rng.choice(ANGLES))
        gates = (
            *[lambda: circuit.cx(a, b)] * 3,
            lambda: circuit.cp(angle, a, b),
            lambda: circuit.rz(angle, a),
            lambda: circuit.t(a),
            lambda: circuit.tdg(a),
            lambda: turn(a),
            lambda: circuit.rzz(angle, a, b),
            lambda: circuit.compose(CCXGate().definition, (a, b, c), inplace=True),
            lambda: circuit.compose(CCXGate().definition, (a, b, c), inplace=True),
            lambda: circuit.ccx(a, b, c),
            lambda: circuit.cz(a, b),
            lambda: circuit.swap(a, b),
            lambda: circuit.iswap(a, b),
            lambda: circuit.cu(angle, 0.2, 0.1, 0.4, a, b),
            lambda: circuit.cswap(a, b, c),
            lambda: circuit.rccx(a, b, c),
        )
        gates[int(rng.integers(len(gates)))]()
    return circuit


def stages(circuit):
    """(name, form) after each pass."""
    techniques = enabled()
    form = from_qiskit(circuit)
    yield "read", form
    form = normalise(resynthesise(form, swaps=True), techniques)
    yield "normal", form
    form = resynthesise(form, mirror=False)
    yield "factors", form
    yield "mirrored", resynthesise(form)
    form = exchange_neighbours(form)
    yield "embedding", form
    yield "both", resynthesise(form)


@pytest.mark.parametrize("block", range(8))
def test_all_forms_and_their_expansions(block):
    for seed in range(10 * block, 10 * block + 10):
        rng = np.random.default_rng(seed)
        circuit = random_circuit(rng)
        for name, form in stages(circuit):
            assert difference(circuit, form) is None, (seed, name)
            wide = np.flatnonzero(form.arity > 2)
            for rows in (wide, rng.permutation(wide)[: len(wide) // 2]):
                assert difference(circuit, expand_gates(form, rows)) is None, (seed, name, rows)


def written_out(gate):
    """A gate in gates on one and two qubits."""
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    while any(len(step.qubits) > 2 for step in circuit.data):
        circuit = circuit.decompose()
    return circuit


BODIES = [written_out(g) for g in (CCXGate(), RCCXGate(), RC3XGate(), MCPhaseGate(0.3, 3), MCPhaseGate(-0.7, 4))]
BODIES.append(written_out(C4XGate()))


def circuit_of_windows(rng):
    """Multi-controlled gates in small gates, around others and between."""
    n = int(rng.integers(5, 8))
    circuit = QuantumCircuit(n)
    for _ in range(int(rng.integers(2, 8))):
        body, other = (BODIES[int(k)] for k in rng.integers(len(BODIES), size=2))
        p, q = rng.permutation(n).tolist(), rng.permutation(n).tolist()
        first, second = p[: body.num_qubits], q[: other.num_qubits]
        kind = int(rng.integers(4))
        if kind:
            circuit.compose(body, first, inplace=True)
        if kind == 1:
            circuit.compose(other, second, inplace=True)
        elif kind == 2:
            circuit.rz(float(rng.choice(ANGLES)), q[0])
        if kind in (1, 2):
            circuit.compose(body.inverse(), first, inplace=True)
        if kind == 1:
            circuit.compose(other.inverse(), second, inplace=True)
        for gate in (circuit.h, circuit.t, circuit.x, circuit.s)[: int(rng.integers(5))]:
            gate(int(rng.integers(n)))
        if kind == 0:
            circuit.ccx(*p[:3])
            circuit.rzz(0.3, *q[:2])
    return circuit


@pytest.mark.parametrize("block", range(4))
def test_windows(block):
    for seed in range(3 * block, 3 * block + 3):
        rng = np.random.default_rng(seed)
        circuit = circuit_of_windows(rng)
        for name, form in stages(circuit):
            assert difference(circuit, form) is None, (seed, name)
            wide = np.flatnonzero(form.arity > 2)
            rows = rng.permutation(wide)[: len(wide) // 2]
            assert difference(circuit, expand_gates(form, rows)) is None, (seed, name, rows)


def test_rotations_in_other_blocks_and_gates_that_pass_them():
    """Two CCX in CX and T share a run of a wire with a CZ; one of them may be prepared by a rotation elsewhere."""
    circuit = QuantumCircuit(19)
    pairs = [(15, 5), (6, 13), None, (6, 13), (9, 5), "tdg5", (15, 5), "t5", (9, 5), "cz", (18, 9), (18, 9), "t1"]
    pairs += [(13, 1), "tdg14", (9, 14), "t14", (15, 14), "tdg14", (9, 14), "t14", (15, 14)]
    for what in pairs:
        if what is None:
            circuit.cp(-math.pi / 8, 13, 8)
        elif what == "cz":
            circuit.cz(10, 15)
        elif isinstance(what, str):
            getattr(circuit, what.rstrip("0123456789"))(int(what.lstrip("tdg")))
        else:
            circuit.cx(*what)
    form = normalise(from_qiskit(circuit), enabled())
    assert (form.arity > 2).any()
    assert difference(circuit, expand_gates(form, range(len(form)))) is None


def test_slips_are_told_in_the_coordinates_of_the_source():
    """A rotation that belongs to one block changes sides with a gate that a later pass replaces."""
    seen = 0
    for seed in range(200):
        circuit = random_circuit(np.random.default_rng(seed))
        form = normalise(resynthesise(from_qiskit(circuit), swaps=True), enabled())
        if not form.slipped:
            continue
        wide = np.flatnonzero(np.isin(form.origin, list(form.slipped)) & (form.arity > 2))
        if len(wide):
            seen += 1
            assert difference(circuit, expand_gates(form, wide)) is None, seed
    assert seen
