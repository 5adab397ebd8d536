from __future__ import annotations

import random

import numpy as np
import pytest
from exact import decide, outcome, run, same, start, steps_of_circuit, steps_of_program
from program_samples import HANDMADE, fan_out, finish, random_program, state_teleport, teleported_cz
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_statevector

from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.program.clbits import place_bits
from distq.program.compiled import CompiledProgram
from distq.program.order import canonical
from distq.program.to_qiskit import to_qiskit
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
from distq.schedule.asap import asap

_VALUES = {"theta": 0.7, "φ": -1.3, "v[0]": 0.4, "v[1]": 2.1, "v[2]": -0.6, "my angle": 1.9, "c": 0.35}


def compare(program: DistributedProgram, seed: int = 0) -> QuantumCircuit:
    """The exported circuit and the program have the same outcomes and the same states on the outputs."""
    circuit = to_qiskit(program)
    form = canonical(program)
    bound = circuit.assign_parameters({p: _VALUES[p.name] for p in circuit.parameters})
    inputs, outputs = form.input_qubit.tolist(), form.output_qubit.tolist()
    state = random_statevector(2 ** len(inputs), seed=seed).data
    ours = run(steps_of_program(form, _VALUES), start(form.num_physical, inputs, state), once=True)
    theirs = run(steps_of_circuit(bound), start(circuit.num_qubits, inputs, state), once=False)
    clbits = circuit.clbits[: len(form.clbit_values)]
    assert same(
        outcome(ours, outputs, lambda bits: decide(form, bits)),
        outcome(theirs, outputs, lambda bits: tuple(bits.get(c, 0) for c in clbits)),
    )
    return circuit


@pytest.mark.parametrize("name", HANDMADE)
def test_handmade(name: str) -> None:
    circuit = compare(HANDMADE[name]())
    assert sum(i.operation.label == "epr" for i in circuit.data) == HANDMADE[name]().ebits


def test_random_programs_mean_the_same() -> None:
    in_place = copied = 0
    for seed in range(250):
        program = random_program(seed, rows=14, small=True)
        if canonical(program).num_physical > 7:
            continue
        compare(program, seed)
        places = place_bits(canonical(program))
        in_place += any(len(program.clbit_values[c]) > 1 for c in places.clbit.values())
        copied += bool(places.copied)
    assert in_place > 10
    assert copied > 10


def rewritten_bits(seed: int) -> DistributedProgram:
    """Two qubits, two classical bits that are measured into again and again, and many reads of old values."""
    r = random.Random(seed)
    b = ProgramBuilder(Network((Module("A", 2, 0),)))
    qubits = [b.qubit(0, DATA, i) for i in range(2)]
    values: list[tuple] = [(((), -1),), (((), -1),)]
    guards: list[tuple] = [()]
    bits: list[int] = []
    for _ in range(14):
        guard = r.choice(guards)
        if bits and r.random() < 0.6:
            # Often the condition of an earlier measurement and its bit: the read that cannot see a skipped write.
            guard = tuple(dict([*guard, (r.choice(bits[-3:]), r.randint(0, 1))]).items())
        if r.random() < 0.5 or len(bits) > 6:
            b.add(r.choice([Op.H, Op.SX, Op.X]), (r.choice(qubits),), guard=guard)
            continue
        bit = b.measure(r.choice(qubits), 0, guard)
        guards.append((*guard, (bit, 1)))
        bits.append(bit)
        c = r.randrange(2)
        values[c] = ((guard, bit), *values[c]) if guard else (((), bit),)
    if r.random() < 0.2:
        # Lists that no source would have: a literal is missing, or the entries are exchanged.
        values = [tuple((g[1:], bit) if r.random() < 0.5 else (g, bit) for g, bit in v) for v in values]
    elif r.random() < 0.2:
        values = [(*r.sample(v[:-1], len(v) - 1), v[-1]) for v in values]
    return finish(b, qubits, qubits, tuple(values))


def test_bits_that_are_written_again() -> None:
    in_place = copied = 0
    for seed in range(300):
        program = rewritten_bits(seed)
        compare(program, seed)
        places = place_bits(canonical(program))
        in_place += any(len(program.clbit_values[c]) > 1 for c in places.clbit.values())
        copied += bool(places.copied)
    assert in_place > 50
    assert copied > 50


def _effect(program: DistributedProgram) -> np.ndarray:
    """The unitary from inputs to outputs, by deferring all measurements; fails if ancillas stay entangled."""
    circuit = to_qiskit(program)
    deferred = QuantumCircuit(circuit.num_qubits + circuit.num_clbits)
    bit = {c: circuit.num_qubits + i for i, c in enumerate(circuit.clbits)}
    wire = {q: i for i, q in enumerate(circuit.qubits)}
    for item in circuit.data:
        qubits = [wire[q] for q in item.qubits]
        if item.operation.name == "measure":
            deferred.cx(qubits[0], bit[item.clbits[0]])
        elif item.operation.name == "if_else":
            (inner,) = item.operation.blocks[0].data
            deferred.append(inner.operation.control(1), [bit[item.operation.condition[0]], *qubits])
        else:
            deferred.append(item.operation, qubits)
    layout = circuit.layout
    inputs, outputs = layout.initial_index_layout(filter_ancillas=True), layout.final_index_layout()
    n, total = len(inputs), deferred.num_qubits
    # Axis of qubit q: the first qubit is the last axis. Everything but the inputs starts in |0>.
    keep = [total - 1 - q for q in reversed(outputs)]
    rest = [a for a in range(total) if a not in keep]
    columns = []
    for value in range(2**n):
        position = sum(1 << q for i, q in enumerate(inputs) if value >> i & 1)
        final = Statevector.from_int(position, 2**total).evolve(deferred).data
        columns.append(final.reshape((2,) * total).transpose([*rest, *keep]).reshape(-1, 2**n))
    kraus = np.stack(columns, axis=-1)
    strengths = np.einsum("kij,kij->k", kraus.conj(), kraus).real / 2**n
    first = kraus[np.argmax(strengths)] / np.sqrt(strengths.max())
    for k, strength in zip(kraus, strengths):
        if strength > 1e-12:
            assert np.isclose(abs(np.vdot(first, k)), 2**n * np.sqrt(strength))  # the same up to a phase
    return first


def _equal_up_to_phase(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.isclose(abs(np.vdot(a, b)), np.linalg.norm(a) * np.linalg.norm(b)))


def test_protocols_have_the_right_effect() -> None:
    cz = QuantumCircuit(2)
    cz.cz(0, 1)
    assert _equal_up_to_phase(_effect(teleported_cz()), Operator(cz).data)
    fan = QuantumCircuit(3)
    fan.h(1)
    fan.cx(1, 0)
    fan.cp(0.7, 1, 2)
    assert _equal_up_to_phase(_effect(fan_out()), Operator(fan).data)


def test_aer_runs_it_as_it_is() -> None:
    from qiskit_aer import AerSimulator

    circuit = to_qiskit(state_teleport())
    counts = AerSimulator(seed_simulator=5).run(circuit, shots=4000, shot_branching_enable=True).result().get_counts()
    ones = sum(n for bits, n in counts.items() if bits.split()[-1] == "1")
    assert abs(ones / 4000 - np.sin(0.15) ** 2) < 0.015  # five standard deviations


def test_observables_follow_the_layout() -> None:
    from qiskit_aer.primitives import EstimatorV2

    source = QuantumCircuit(3)
    source.h(1)
    source.cx(1, 0)
    source.cp(0.7, 1, 2)
    circuit = CompiledProgram(canonical(fan_out()), asap(canonical(fan_out()))).to_qiskit()
    observable = SparsePauliOp.from_list([("IXX", 1.0), ("IZZ", 0.5), ("ZII", -0.25)])
    placed = observable.apply_layout(circuit.layout)
    assert placed.num_qubits == circuit.num_qubits
    options = {"run_options": {"shots": 20000, "seed_simulator": 3, "shot_branching_enable": True}}
    value = EstimatorV2(options=options).run([(circuit, placed)], precision=0.01).result()[0].data.evs
    assert abs(value - Statevector(source).expectation_value(observable).real) < 0.06


def test_layout_says_where_qubits_are() -> None:
    program = canonical(fan_out())
    layout = to_qiskit(program).layout
    assert layout.initial_index_layout(filter_ancillas=True) == program.input_qubit.tolist()
    assert layout.final_index_layout() == program.output_qubit.tolist()
    for seed in range(60):
        form = canonical(random_program(seed))
        layout = to_qiskit(form).layout
        assert layout.initial_index_layout(filter_ancillas=True) == form.input_qubit.tolist()
        assert layout.final_index_layout() == form.output_qubit.tolist()
        assert sorted(layout.final_index_layout(filter_ancillas=False)) == list(range(form.num_physical))


def _one_module() -> tuple[ProgramBuilder, int]:
    b = ProgramBuilder(Network((Module("A", 1, 0),)))
    return b, b.qubit(0, DATA, 0)


def test_a_conditional_second_write_is_in_place() -> None:
    b, q = _one_module()
    b.add(Op.H, (q,))
    first = b.measure(q, 0)
    b.add(Op.H, (q,), guard=((first, 1),))
    second = b.measure(q, 0, ((first, 1),))
    program = finish(b, [q], [q], ((((((first, 1),)), second), ((), first)),))
    assert not place_bits(canonical(program)).copied
    circuit = compare(program)
    assert circuit.num_clbits == 1


@pytest.mark.parametrize("late", ["old value", "skipped write"])
def test_an_overwritten_value_that_is_read_later_is_kept(late: str) -> None:
    b, q = _one_module()
    b.add(Op.H, (q,))
    condition = b.measure(q, 0)
    b.add(Op.RX, (q,), (0.4,))
    first = b.measure(q, 0)
    b.add(Op.H, (q,))
    second = b.measure(q, 0, ((condition, 1),))
    b.add(Op.RY, (q,), (0.9,), guard=((first if late == "old value" else second, 1),))
    values = ((((condition, 1),), second), ((), first))
    program = finish(b, [q], [q], (values,))
    assert place_bits(canonical(program)).copied == (0,)
    circuit = compare(program)
    assert circuit.num_qubits == 2  # the only qubit holds the output: the copy needs one of its own


def test_one_bit_in_two_classical_bits() -> None:
    b, q = _one_module()
    b.add(Op.H, (q,))
    bit = b.measure(q, 0)
    compare(finish(b, [q], [q], ((((), bit),), (((), bit),), (((), -1),))))


def test_names_of_registers_do_not_clash() -> None:
    from distq.circuit.logical import Register

    b = ProgramBuilder(Network((Module("A", 1, 1), Module("B", 1, 1)), (Link("A", "B"),)))
    q, c, far = b.qubit(0, DATA, 0), b.qubit(0, COMM, 0), b.qubit(1, COMM, 0)
    b.add(Op.EPR, (c, far), link=0)
    bits = [b.measure(x, m) for x, m in ((q, 0), (c, 0), (far, 1))]
    registers = (Register("A_d", (1,)), Register("B_m", (0, 1)))
    program = finish(b, [q], [q], ((((), bits[0]),), (((), bits[1]),)), clbit_registers=registers)
    circuit = compare(program)
    assert [r.name for r in circuit.cregs] == ["A_d", "B_m", "B_m_"]
    assert [r.name for r in circuit.qregs] == ["A_d_", "A_c", "B_d", "B_c"]
    assert circuit.find_bit(circuit.clbits[1]).registers[0][0].name == "A_d"


def test_statements_keep_their_parameters() -> None:
    program = next(p for s in range(50) if (p := random_program(s, 60)).param_expr.max(initial=-1) >= 0)
    circuit = to_qiskit(program)
    assert {p.name for p in circuit.parameters} <= set(_VALUES)
    assert circuit.parameters
