"""Witnesses: true ones are carried out and leave the operation as it was, false ones are refused."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import Handmade, teleported_cz
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit import library as lib
from qiskit.quantum_info import Operator
from tapes import accepted, carried_out, same, unitary
from witnesscases import Case, expanded, lines_of, mutants, parity_line, random_case

from distq.errors import InputError
from distq.verify import verify
from distq.verify.block_proof import WitnessError
from distq.verify.events import Builder
from distq.verify.reader import read_directory
from distq.verify.source import read_source
from distq.verify.symbolic import verify_symbolic
from distq.verify.tape import Row, Tape

CX_RZ_CX = "rzz(0.3) q[0], q[1];"


def circuit_of(n: int, *gates: tuple, clbits: int = 0) -> QuantumCircuit:
    circuit = QuantumCircuit(n, clbits)
    for name, *args in gates:
        getattr(circuit, name)(*args)
    return circuit


def of(*sources: Any, lines: list[str]) -> dict[str, Any]:
    return {"of": list(sources), "is": lines}


@pytest.mark.parametrize("seed", range(60))
def test_true_witnesses_are_accepted_and_false_ones_refused(seed: int) -> None:
    """`accepted` also checks that the tape is still the circuit, whatever the witness said."""
    case = random_case(seed, n=3 + seed % 4)
    assert accepted(case.circuit, case.blocks)
    source, tape = carried_out(case.circuit, case.blocks)
    assert not any(row[0] == Row.BLOCK for row in tape.rows) or any(
        row[0] == Row.BLOCK and row[4] not in {p for b in case.blocks for p in b["of"]} for row in source.tape.rows
    )
    for kind, blocks in mutants(case, random.Random(seed)):
        result = accepted(case.circuit, blocks)
        if kind in ("instruction in two blocks", "block twice", "reference to the block itself", "lie about a swap"):
            assert not result, kind


def test_most_kinds_of_lies_are_lies() -> None:
    """The mutants above are not right by accident: of each kind most are refused."""
    refused, made = Counter[str](), Counter[str]()
    for seed in range(60, 84):
        case = random_case(seed, n=5)
        for kind, blocks in mutants(case, random.Random(seed)):
            made[kind] += 1
            refused[kind] += not accepted(case.circuit, blocks)
    assert len(made) == 12
    assert all(refused[kind] > 0.6 * made[kind] for kind in made), (refused, made)


def test_blocks_of_later_turns_come_later() -> None:
    """A block may stand for what an earlier turn leaves, and not the other way round."""
    circuit = circuit_of(2, ("cx", 0, 1), ("rz", 0.3, 1), ("cx", 0, 1), ("rzz", 0.2, 0, 1))
    first, second = of(0, 2, lines=[CX_RZ_CX]), of(-1, 3, lines=["rzz(0.5) q[0], q[1];"])
    for turns, expected in (((0, 0), True), ((0, 1), True), ((3, 7), True), ((1, 0), False)):
        blocks = [{**block, "turn": turn} for block, turn in zip((first, second), turns)]
        assert accepted(circuit, blocks) == expected, turns


@pytest.mark.parametrize(
    ("angle", "expected"), [(2 * math.pi, True), (-4 * math.pi, True), (math.pi, False), (0.3, False)]
)
def test_conditional_rotations_by_full_turns_stand_in_nobodys_way(angle: float, expected: bool) -> None:
    for legs in ((0, 1), (1,)):
        circuit = QuantumCircuit(3, 1)
        circuit.measure(2, 0)
        circuit.cx(0, 1)
        circuit.rz(0.3, 1)
        with circuit.if_test((circuit.clbits[0], 1)):
            (circuit.ryy if len(legs) == 2 else circuit.ry)(angle, *legs)
        circuit.cx(0, 1)
        with nullcontext() if expected else pytest.raises(WitnessError, match="cannot be brought together"):
            carried_out(circuit, [of(1, 4, lines=[CX_RZ_CX])])


# Interleaved gates

BETWEEN = [
    (("cz", 0, 2), True),  # along Z on the control
    (("cx", 2, 1), True),  # along X on the target: behind the second CX
    (("cz", 2, 1), False),
    (("cx", 2, 0), False),
    (("rz", 0.4, 0), True),
    (("rx", 0.4, 0), False),
    (("rz", 0.4, 1), False),  # no obstacle, but another angle
    (("swap", 0, 2), False),
    (("measure", 0, 0), True),
    (("measure", 1, 0), False),
    (("reset", 0), False),
    (("cz", 2, 3), True),
]


@pytest.mark.parametrize(("gate", "fine"), BETWEEN)
def test_what_may_stand_between(gate: tuple, fine: bool) -> None:
    circuit = circuit_of(4, ("h", 1), ("cx", 0, 1), ("rz", 0.3, 1), gate, ("cx", 0, 1), ("h", 0), clbits=1)
    blocks = [of(1, 4, lines=[CX_RZ_CX])]
    try:
        source, tape = carried_out(circuit, blocks)
    except WitnessError:
        assert not fine
        return
    assert fine
    if gate[0] != "measure":
        assert same(unitary(source.tape), unitary(tape))
    assert [row[0] for row in tape.rows if row[0] == Row.PARITY] == [Row.PARITY]


def test_a_wire_keeps_the_order_of_its_measurements() -> None:
    circuit = circuit_of(3, ("cx", 0, 1), ("measure", 0, 0), ("rz", 0.3, 1), ("measure", 0, 1), ("cx", 0, 1), clbits=2)
    _, tape = carried_out(circuit, [of(0, 4, lines=[CX_RZ_CX])])
    assert [row[2][1] for row in tape.rows if row[0] == Row.MEASURE] == [0, 1]


@pytest.mark.parametrize("n", [7, 64, 200])
def test_ladders_on_many_qubits(n: int) -> None:
    circuit = QuantumCircuit(n + 1)
    circuit.h(range(n))
    sources = []
    for i in range(n - 1):
        sources.append(len(circuit.data))
        circuit.cx(i, i + 1)
    circuit.rz(0.37, n - 1)
    circuit.cz(0, n)
    for i in reversed(range(n - 1)):
        sources.append(len(circuit.data))
        circuit.cx(i, i + 1)
    line = parity_line(0.37, range(n))
    _, tape = carried_out(circuit, [of(*sources, lines=[line])])
    assert sorted(len(row[1]) for row in tape.rows if row[0] in (Row.PARITY, Row.MCP)) == [2, n]
    for wrong, chosen in ((line.replace("0.37", "0.38"), sources), (line, sources[1:]), (line, [*sources[:-1], 0])):
        with pytest.raises(WitnessError):
            carried_out(circuit, [of(*chosen, lines=[wrong])])


@pytest.mark.parametrize("n", [4, 7, 8, 10])
def test_wide_gates_in_small_ones(n: int) -> None:
    """Up to eight qubits by the matrix, beyond by states (or by rotations, where there are few)."""
    from distq.ops import NUM_ONE_QUBIT, Op
    from distq.rewrite.expand import expanded as expansion

    def line(code: int, wires: tuple[int, ...], params: tuple[float, ...]) -> str:
        name = (
            "U" if code == Op.U else "cp" if code == Op.MCP else "rzz" if code == Op.PARITY else Op(code).name.lower()
        )
        assert code < NUM_ONE_QUBIT or len(wires) == 2
        angles = f"({', '.join(map(repr, params))})" if params else ""
        return f"{name}{angles} {', '.join(f'q[{w}]' for w in wires)};"

    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    circuit.mcp(0.7, list(range(n - 1)), n - 1)
    lines = [line(*row) for row in expansion(Op.MCP, list(range(n)), 0.7)]
    _, tape = carried_out(circuit, [of(n, lines=lines)])
    assert all(len(row[1]) <= 2 for row in tape.rows)
    if n <= 8:
        assert same(unitary(read_source(circuit).tape), unitary(tape))
    at = next(i for i in reversed(range(len(lines))) if lines[i].startswith("cp"))
    for wrong in (
        lines[:at] + lines[at + 1 :],
        [*lines[:at], lines[at].replace("cp(", "cp(0.01 + "), *lines[at + 1 :]],
    ):
        with pytest.raises(WitnessError, match="is not equal"):
            carried_out(circuit, [of(n, lines=wrong)])


@pytest.mark.parametrize("size", [1e4, 1e17, 1e300])
@pytest.mark.parametrize("legs", [2, 4])
def test_angles_far_from_zero(size: float, legs: int) -> None:
    """A large angle is what its sine and cosine say, not what is left after subtracting a rounded pi many times."""
    for k in range(6):
        angle = size * (1 + k / 7)
        circuit = QuantumCircuit(legs)
        circuit.mcp(angle, list(range(legs - 1)), legs - 1)
        wires = ", ".join(f"q[{i}]" for i in range(legs))
        right = math.atan2(math.sin(angle), math.cos(angle))
        for offset in (0.0, 1e-3, math.pi / 2, math.pi, -math.pi / 2):
            line = f"{'cp' if legs == 2 else f'ctrl({legs - 1}) @ p'}({right + offset!r}) {wires};"
            assert accepted(circuit, [of(0, lines=[line])]) == (offset == 0.0)
            tapes = [
                read_source(circuit).tape,
                Tape(legs, [(Row.MCP, tuple(range(legs)), (right + offset, None), -1, 0)]),
            ]
            ours, theirs = (Builder(legs).run(t).events for t in tapes)
            assert (abs(ours[0].angle - theirs[0].angle) < 1e-9) == (offset == 0.0)


def test_controlled_rotations_between() -> None:
    """A controlled rotation is a rotation of the target and one of both; the former counts for coordinates."""
    theta = 0.7
    circuit = circuit_of(3, ("cy", 0, 1), ("cry", theta, 2, 1), ("cz", 0, 1))
    lines = [f"ry({theta / 2}) q[1];", "h q[1];", "rzz(-pi/2) q[0], q[1];", "rz(pi/2) q[1];"]
    assert accepted(circuit, [of(0, 2, lines=lines)])
    assert not accepted(circuit, [of(0, 2, lines=lines[1:])])
    for gate in (("crx", theta, 2, 1), ("cu", theta, 0.2, 0.3, 0.4, 2, 1), ("crz", theta, 1, 2)):
        assert accepted(circuit_of(3, gate, ("rzz", 0.1, 0, 1)), [of(0, lines=[])]) is False


# Blocks of blocks


def toffoli_case() -> Case:
    case = Case(QuantumCircuit(4))
    case.circuit.h(2)
    case.circuit.ccx(0, 1, 2)
    case.circuit.cx(2, 3)
    case.blocks = [of(1, lines=["h q[2];", "ctrl(2) @ p(3.141592653589793) q[0], q[1], q[2];", "h q[2];"])]
    return case


def test_a_block_of_an_earlier_block() -> None:
    case = toffoli_case()
    piece = QuantumCircuit(3)
    piece.ccx(0, 1, 2)
    plain = lines_of(piece.decompose(), range(3))
    assert accepted(case.circuit, [*case.blocks, of(-1, lines=plain)])
    assert accepted(case.circuit, [*case.blocks, of(-1, 2, lines=[*plain, "cx q[2], q[3];"])])
    assert not accepted(case.circuit, [*case.blocks, of(-1, lines=[x for x in plain if "cx q[1]" not in x])])
    assert not accepted(case.circuit, [*case.blocks, of(-1, lines=plain), of(-1, lines=plain)])
    assert not accepted(case.circuit, [of(-2, lines=plain), *case.blocks])
    again = [*case.blocks, of(-1, lines=plain), of(-2, lines=case.blocks[0]["is"])]
    assert accepted(case.circuit, again)


def test_coordinates_outlast_a_round() -> None:
    """The second block is reached in the second round; its first instruction begins with one-qubit gates."""
    circuit = circuit_of(4, ("h", 1), ("rccx", 0, 2, 1), ("cp", 1.4, 3, 1), ("iswap", 1, 0), ("h", 2))
    first = of(3, lines=["s q[1];", "s q[0];", "cz q[1], q[0];", "swap q[1], q[0];"])
    lines = ["rx(pi/4) q[1];", "h q[1];", "ctrl(2) @ p(pi) q[0], q[2], q[1];", "rzz(pi/4) q[0], q[2];", "tdg q[0];"]
    assert accepted(circuit, [first, of(-1, 1, lines=lines)])
    assert not accepted(circuit, [first, of(-1, 1, lines=lines[2:])])
    third = of(-2, lines=[*lines, "rzz(pi/4) q[0], q[2];", "rzz(-pi/4) q[0], q[2];"])
    assert accepted(circuit, [first, of(-1, 1, lines=lines), third])


def test_too_many_rounds_are_refused() -> None:
    blocks = [of(0, lines=["cz q[0], q[1];"])]
    blocks += [of(-k, lines=["cz q[0], q[1];"]) for k in range(1, 60)]
    assert accepted(circuit_of(2, ("cz", 0, 1)), blocks)
    blocks += [of(-k, lines=["cz q[0], q[1];"]) for k in range(60, 90)]
    with pytest.raises(WitnessError, match="64 rounds"):
        carried_out(circuit_of(2, ("cz", 0, 1)), blocks)


def test_blocks_that_cross_go_one_after_the_other() -> None:
    """Each can be brought together, but not both at once."""
    circuit = circuit_of(4, ("cx", 0, 1), ("cx", 3, 2), ("cz", 0, 2), ("cz", 3, 1))
    first = of(0, 2, lines=["cx q[0], q[1];", "cz q[0], q[2];"])
    second = of(1, 3, lines=["cx q[3], q[2];", "cz q[3], q[1];"])
    assert accepted(circuit, [first, second])
    assert accepted(circuit, [second, first])
    one = circuit_of(2, ("cx", 0, 1), ("cz", 0, 1), ("cx", 0, 1))
    assert not accepted(one, [of(0, 2, lines=[])])


# Exchanged wires

ISWAP = ["s q[0];", "s q[1];", "cz q[0], q[1];", "swap q[0], q[1];"]


def test_swaps_rename_wires() -> None:
    circuit = circuit_of(3, ("h", 1), ("iswap", 0, 1), ("cx", 1, 2), ("t", 0), ("cx", 0, 2))
    block = of(1, lines=ISWAP)
    assert accepted(circuit, [block])
    assert not accepted(circuit, [of(1, lines=ISWAP[:-1])])
    # CX on qubits 1 and 2 is on wires 0 and 2 now, whatever comes first in the list; but not for earlier blocks.
    later = of(2, lines=["cx q[0], q[2];"])
    assert accepted(circuit, [block, later])
    assert not accepted(circuit, [block, of(2, lines=["cx q[1], q[2];"])])
    assert accepted(circuit, [of(2, lines=["cx q[1], q[2];"]), block])
    assert not accepted(circuit, [later, block])
    assert accepted(circuit, [block, of(-1, 2, lines=[*ISWAP[:-1], "cx q[0], q[2];"])])
    assert accepted(circuit, [of(1, 2, lines=[*ISWAP[:-1], "cx q[0], q[2];", ISWAP[-1]])])


def test_several_swaps_are_gates_one_after_the_other() -> None:
    circuit = circuit_of(3, ("iswap", 0, 1), ("iswap", 1, 2), ("h", 0), ("cx", 0, 1), ("cx", 1, 2))
    lines = [*ISWAP[:-1], "s q[0];", "s q[2];", "cz q[0], q[2];", "swap q[0], q[1];", "swap q[1], q[2];"]
    target = circuit_of(3, ("s", 0), ("s", 1), ("cz", 0, 1), ("s", 0), ("s", 2), ("cz", 0, 2))
    target.swap(0, 1)
    target.swap(1, 2)
    assert np.allclose(Operator(target).data, Operator(circuit_of(3, ("iswap", 0, 1), ("iswap", 1, 2))).data)
    assert accepted(circuit, [of(0, 1, lines=lines)])
    # What follows on q[0] is on wire 1 now, on q[1] on wire 2, on q[2] on wire 0.
    assert accepted(circuit, [of(0, 1, lines=lines), of(3, lines=["cx q[1], q[2];"]), of(4, lines=["cx q[2], q[0];"])])
    assert not accepted(circuit, [of(0, 1, lines=[*lines[:-2], lines[-1], lines[-2]])])


def test_a_gate_behind_the_exchange_of_its_wire_is_not_renamed_too_early() -> None:
    """The CZ acts on a wire that the block exchanges, before the block's last gate but after its last one there."""
    circuit = circuit_of(4, ("iswap", 0, 1), ("cz", 0, 2), ("cz", 1, 3))
    lines = [*ISWAP[:-1], "cz q[0], q[3];", "swap q[0], q[1];"]
    assert not accepted(circuit, [of(0, 2, lines=lines)])
    circuit = circuit_of(4, ("iswap", 0, 1), ("cz", 1, 3), ("cz", 0, 2))
    assert accepted(circuit, [of(0, 1, lines=lines)])


def test_swaps_of_untouched_wires_are_refused() -> None:
    circuit = circuit_of(3, ("cz", 0, 1), ("h", 2))
    cz = "cz q[0], q[1];"
    swap = ["cx q[0], q[2];", "cx q[2], q[0];", "cx q[0], q[2];", "swap q[0], q[2];"]
    assert not accepted(circuit, [of(0, lines=[cz, *swap])])
    assert not accepted(circuit, [of(1, lines=["swap q[0], q[2];"])])
    assert not accepted(circuit, [of(lines=["swap q[0], q[2];"])])
    assert accepted(circuit, [of(lines=[])])


# Conditions, loops, definitions


def conditional_circuit(second: int = 0) -> QuantumCircuit:
    circuit = QuantumCircuit(3, 2)
    circuit.measure(2, 0)
    circuit.measure(2, 1)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.cx(0, 1)
        circuit.rz(0.3, 1)
        circuit.cx(0, 1)
    with otherwise:
        circuit.iswap(0, 1)
    with circuit.if_test((circuit.clbits[second], 1)):
        circuit.cz(0, 1)
    return circuit


def test_bodies_of_conditionals() -> None:
    circuit = conditional_circuit()
    rz = [2, 0, 1]
    good = of([2, 0, 0], rz, [2, 0, 2], lines=[CX_RZ_CX])
    swapped = of([2, 1, 0], lines=["h q[0];", "h q[1];", "rzz(-pi/2) q[0], q[1];", "h q[0];", "h q[1];",
                                   "rx(pi/2) q[0];", "rx(pi/2) q[1];", "rzz(-pi/2) q[0], q[1];"])  # fmt: skip
    source, tape = carried_out(circuit, [good, swapped])
    guards = [row[3] for row in source.tape.rows if row[3] >= 0]
    assert {row[3] for row in tape.rows if row[3] >= 0} == set(guards)
    measures = {0: [], 1: []}
    for value in (0, 1):
        holds = {g: bool(value) == (g == guards[0]) for g in guards}
        rows = [[r for r in t.rows if r[0] != Row.MEASURE] for t in (source.tape, tape)]
        for t, kept in zip((source.tape, tape), rows):
            measures[value].append(unitary(type(t)(3, kept), holds))
        assert same(*measures[value])
    for blocks, reason in (
        ([of([2, 0, 0], [2, 0, 2], lines=[CX_RZ_CX])], "brought together"),  # the rotation is guarded
        ([of([2, 0, 0], rz, [2, 0, 2], [2, 1, 0], lines=[CX_RZ_CX])], "different conditions"),
        ([of([2, 1, 0], lines=["s q[0];", "s q[1];", "cz q[0], q[1];", "swap q[0], q[1];"])], "under a condition"),
        ([of([2, 0, 0], rz, [2, 0, 2], lines=["rzz(-0.3) q[0], q[1];"])], "equal"),
        ([of(1, lines=[])], "measurement"),
    ):
        with pytest.raises(WitnessError, match=reason):
            carried_out(circuit, blocks)


@pytest.mark.parametrize("second", [0, 1])
def test_one_condition_in_two_places(second: int) -> None:
    circuit = conditional_circuit(second)
    sources = [[2, 0, 0], [2, 0, 1], [2, 0, 2], [3, 0, 0]]
    circuit.data = [item for item in circuit.data if item.operation.name != "if_else"] + [
        item for item in circuit.data if item.operation.name == "if_else"
    ]
    blocks = [of(*sources, lines=["rzz(0.3) q[0], q[1];", "cz q[0], q[1];"])]
    # The else branch stands between the two, on the same qubits, and does not commute with them.
    with pytest.raises(WitnessError, match="brought together" if second == 0 else "different conditions"):
        carried_out(circuit, blocks)


def test_a_condition_keeps_its_measurement_before_it() -> None:
    """The CX pair under a condition on the control's outcome cannot move before the measurement."""
    circuit = QuantumCircuit(2, 1)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.cz(0, 1)
    circuit.rz(0.3, 1)
    circuit.cx(0, 1)
    with pytest.raises(WitnessError):
        carried_out(circuit, [of(0, 4, lines=[CX_RZ_CX])])
    del circuit.data[2]
    carried_out(circuit, [of(0, 3, lines=[CX_RZ_CX])])


def test_paths_into_loops_and_definitions() -> None:
    inner = QuantumCircuit(2, name="inner")
    inner.h(0)
    inner.cx(0, 1)
    inner.rz(0.3, 1)
    inner.cx(0, 1)
    circuit = QuantumCircuit(3)
    with circuit.for_loop(range(2)):
        circuit.append(inner.to_gate(), [0, 1])
        circuit.cx(1, 2)
    circuit.append(inner.to_gate(), [1, 2])
    blocks = [
        of([0, 0, 0, 1], [0, 0, 0, 3], lines=[CX_RZ_CX]),
        of([0, 1, 0, 1], [0, 1, 0, 3], lines=[CX_RZ_CX]),
        of([1, 1], [1, 3], lines=["rzz(0.3) q[1], q[2];"]),
    ]
    assert accepted(circuit, blocks)
    # A path stands for everything below it; one-qubit gates before the first gate count then.
    whole = ["h q[1];", "rzz(0.3) q[1], q[2];"]
    assert accepted(circuit, [*blocks[:2], of(1, lines=whole)])
    assert not accepted(circuit, [*blocks[:2], of(1, lines=whole[1:])])
    assert not accepted(circuit, [*blocks, of(1, lines=whole)])
    assert not accepted(circuit, [of([0, 0, 0, 1], [0, 1, 0, 3], lines=[CX_RZ_CX])])


def test_one_qubit_gates_may_be_named() -> None:
    circuit = circuit_of(2, ("h", 0), ("cx", 0, 1), ("rz", 0.3, 1), ("cx", 0, 1), ("h", 1))
    assert accepted(circuit, [of(1, 2, 3, lines=[CX_RZ_CX])])
    assert accepted(circuit, [of(0, 1, 3, 4, lines=[CX_RZ_CX])])


def test_matrices_between_others() -> None:
    circuit = circuit_of(2, ("cx", 0, 1), ("ecr", 0, 1), ("t", 0), ("iswap", 1, 0), ("cp", 0.3, 0, 1))
    from qiskit.synthesis import TwoQubitBasisDecomposer

    plain = TwoQubitBasisDecomposer(lib.CXGate(), euler_basis="U")(Operator(circuit).data)
    assert accepted(circuit, [of(0, 1, 3, 4, lines=lines_of(plain, [0, 1]))])
    assert not accepted(circuit, [of(0, 1, 3, lines=lines_of(plain, [0, 1]))])


# In the manifest


def rzz_program(text: str = "rzz(0.3)", **extra: Any) -> Handmade:
    program = teleported_cz(text)
    program.extra.update(extra)
    return program


def test_programs_with_witnesses(tmp_path: Path) -> None:
    circuit = circuit_of(2, ("cx", 0, 1), ("rz", 0.3, 1), ("cx", 0, 1))
    block, lie = of(0, 2, lines=[CX_RZ_CX]), of(0, 2, lines=["rzz(0.31) q[0], q[1];"])
    files = read_directory(rzz_program(blocks=[block]).save(tmp_path / "right"))
    outcome = verify_symbolic(circuit, files)
    assert outcome.ok, outcome.reason
    assert verify(circuit, tmp_path / "right", "statevector").ok
    for name, program, reason in (
        ("without", rzz_program(), "gate"),
        ("angle", rzz_program("rzz(0.31)", blocks=[block]), "gate"),
        (
            "lie",
            rzz_program("rzz(0.31)", blocks=[lie]),
            "Block 0 of the manifest",
        ),
        ("half", rzz_program(blocks=[of(0, lines=[CX_RZ_CX])]), "Block 0 of the manifest is not equal"),
    ):
        outcome = verify_symbolic(circuit, read_directory(program.save(tmp_path / name)))
        assert not outcome.ok
        assert reason in outcome.reason
        assert outcome.reason.endswith(".")


def test_other_methods_do_not_need_witnesses(tmp_path: Path) -> None:
    circuit = circuit_of(2, ("cx", 0, 1), ("s", 1), ("cx", 0, 1))
    path = rzz_program("cz", blocks=[of(0, 2, lines=["cz q[0], q[1];"])]).save(tmp_path / "p")
    assert not verify(circuit, path, "stabilizer").ok  # an S on both is missing
    circuit.sdg([0, 1])
    circuit.z([0, 1])
    circuit.z([0, 1])
    wanted = circuit_of(2, ("cx", 0, 1), ("sdg", 1), ("cx", 0, 1), ("s", 0), ("s", 1))
    for method in ("symbolic", "stabilizer", "statevector"):
        result = verify(wanted, path, method)
        assert result.ok, (method, result.message)


def test_angles_of_parameters(tmp_path: Path) -> None:
    theta = Parameter("theta")
    circuit = circuit_of(2, ("cx", 0, 1), ("rz", theta + 1, 1), ("cx", 0, 1))
    for name, line, ok in (("a", "rzz(theta + 1.0)", True), ("b", "rzz(theta)", False), ("c", "rzz(1 + theta)", True)):
        program = rzz_program("rzz(theta + 1.0)", blocks=[of(0, 2, lines=[f"{line} q[0], q[1];"])])
        program.parameters = ["theta"]
        files = read_directory(program.save(tmp_path / name))
        assert verify_symbolic(circuit, files).ok is ok


MALFORMED: list[tuple[Any, str]] = [
    ({}, "not of type list"),
    ([[]], "block 0 is not"),
    ([{"of": [0]}], "block 0 is not"),
    ([{"of": 0, "is": []}], "block 0 is not"),
    ([of(0, lines=[]), of(-2, lines=[])], "block 1 refers to -2"),
    ([of(-1, lines=[])], "no earlier block"),
    ([of(True, lines=[])], "refers to True"),
    ([of([], lines=[])], "refers to []"),
    ([of([0, -1], lines=[])], "refers to [0, -1]"),
    ([of(0.5, lines=[])], "refers to 0.5"),
    ([{**of(0, lines=[]), "turn": -1}], "the turn of block 0 is -1"),
    ([{**of(0, lines=[]), "turn": "1"}], "the turn of block 0 is '1'"),
    ([of("0", lines=[])], "refers to '0'"),
    ([of(0, lines=[3])], "3 is not a gate"),
    ([of(0, lines=["cz q[0], q[2];"])], "q[2] does not exist"),
    ([of(0, lines=["cz q[0], q[0];"])], "named twice"),
    ([of(0, lines=["cz d[0], d[1];"])], "d[0] does not exist"),
    ([of(0, lines=["cz q[0], q[1]"])], "cannot read"),
    ([of(0, lines=["rzz(phi) q[0], q[1];"])], "'phi'"),
    ([of(0, lines=["rzz(nan) q[0], q[1];"])], "nan"),
    ([of(0, lines=["epr(0) q[0];"])], "Bell pair"),
    ([of(0, lines=["reset q[0];"])], "not a gate"),
    ([of(0, lines=["m[0] = measure q[0];"])], "cannot read|unknown"),
    ([of(0, lines=["if (m[0]) { x q[0]; }"])], "cannot read|unknown"),
    ([of(0, lines=["swap q[0], q[1];", "h q[0];"])], "follows a swap"),
    ([of(0, lines=["frobnicate q[0];"])], "unknown gate"),
]


@pytest.mark.parametrize("case", range(len(MALFORMED)))
def test_malformed_witnesses(case: int, tmp_path: Path) -> None:
    blocks, reason = MALFORMED[case]
    path = rzz_program(blocks=blocks).save(tmp_path / "p")
    with pytest.raises(InputError) as found:
        read_directory(path)
    text = str(found.value)
    assert any(part in text for part in reason.split("|")), text
    assert text.startswith(str(path / "manifest.json"))
    assert text.endswith(".")
    assert "\n" not in text


def test_an_absent_or_empty_list_is_fine(tmp_path: Path) -> None:
    circuit = circuit_of(2, ("rzz", 0.3, 0, 1))
    for name, extra in (("absent", {}), ("empty", {"blocks": []}), ("null", {"blocks": None})):
        path = rzz_program(**extra).save(tmp_path / name)
        assert ("blocks" in json.loads((path / "manifest.json").read_text())) is (name != "absent")
        assert verify_symbolic(circuit, read_directory(path)).ok


def test_expansions_of_many_sizes() -> None:
    for seed in range(12):
        rng = random.Random(seed)
        piece = expanded(rng, 6)
        k = piece.source.num_qubits
        circuit = QuantumCircuit(k)
        circuit.h(range(k))
        before = len(circuit.data)
        sources = []
        for item in piece.source.data:
            if item.operation.num_qubits > 1:
                sources.append(before)
            circuit.append(item)
            before += 1
        assert accepted(circuit, [of(*sources, lines=piece.lines(range(k)))])
