"""Measurements of program and circuit are tied one to one in every branch, however conditions split and interleave."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest
from handmade import Handmade
from qiskit import QuantumCircuit
from qiskit.circuit.library import DCXGate, ECRGate

import distq
from distq import Network
from distq.verify import verify
from distq.verify.atoms import AtomError, Atoms
from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.reader import Guard, read_directory
from distq.verify.statevector import verify_statevector
from distq.verify.symbolic import verify_symbolic

NOT_0: Guard = ((0, False),)
ONLY_0: Guard = ((0, True), (1, False))
BOTH: Guard = ((0, True), (1, True))

#: Conditions of the program's measurements of strand 1, after bits 0 and 1 of strand 0; the circuit measures strand 1
#: three times: twice unless both bits are 1, and then once if they are.
SPLIT: dict[str, tuple[list[Guard], list[int] | str]] = {
    "in the circuit's order": ([NOT_0, ONLY_0, NOT_0, ONLY_0, BOTH], [2, 2, 3, 3, 4]),
    "body by body": ([NOT_0, NOT_0, ONLY_0, ONLY_0, BOTH], [2, 3, 2, 3, 4]),
    "last body first": ([BOTH, ONLY_0, ONLY_0, NOT_0, NOT_0], [4, 2, 3, 2, 3]),
    "once too often in a branch": ([NOT_0, NOT_0, NOT_0, ONLY_0, ONLY_0, BOTH], "another condition"),
    "once too often at the end": ([NOT_0, NOT_0, ONLY_0, ONLY_0, BOTH, BOTH], "more often"),
    "missing in a branch": ([NOT_0, NOT_0, ONLY_0, BOTH], "less often"),
    "under a condition that is too wide": ([NOT_0, NOT_0, ((0, True),), ONLY_0, BOTH], "another condition"),
    "under overlapping conditions": ([NOT_0, ((1, False),), ONLY_0, ONLY_0, BOTH], "another condition"),
    "unconditional": ([()], "another condition"),
}


@pytest.mark.parametrize("name", SPLIT)
def test_split_conditions(name: str) -> None:
    guards, expected = SPLIT[name]
    b = Booleans()
    both = b.conj(b.var(0), b.var(1))
    atom_guard = [TRUE, TRUE, b.negate(both), b.negate(both), both]
    program = [(0, 0, -1), (0, 1, -1), *((1, 2 + i, i) for i in range(len(guards)))]
    if isinstance(expected, str):
        with pytest.raises(AtomError, match=expected):
            Atoms(b, atom_guard, [[0, 1], [2, 3, 4]], program, guards)
    else:
        atoms = Atoms(b, atom_guard, [[0, 1], [2, 3, 4]], program, guards)
        assert [atoms.atom[2 + i] for i in range(len(guards))] == expected


def test_random_correspondences_hold_in_every_branch() -> None:
    rng = random.Random(1)
    literals: list[Guard] = [tuple((v, x) for v, x in enumerate(xs) if x is not None)
                             for xs in product((None, False, True), repeat=2)]  # fmt: skip
    accepted = 0
    for _ in range(4000):
        b = Booleans()

        def function(guard: Guard, b: Booleans = b) -> int:
            return b.all_of(b.var(v) if x else b.negate(b.var(v)) for v, x in guard)

        ours = [rng.choice(literals) for _ in range(rng.randint(1, 3))]
        # The circuit's conditions, some split on a bit, in an order that may or may not keep that of the branches.
        theirs: list[Guard] = []
        for guard in ours:
            free = [v for v in (0, 1) if v not in dict(guard)]
            if free and rng.random() < 0.6:
                v = rng.choice(free)
                theirs += [(*guard, (v, False)), (*guard, (v, True))]
            else:
                theirs.append(guard)
        rng.shuffle(theirs)
        if rng.random() < 0.3:
            theirs[rng.randrange(len(theirs))] = rng.choice(literals)
        atom_guard = [TRUE, TRUE, *map(function, ours)]
        program = [(0, 0, -1), (0, 1, -1), *((1, 2 + i, i) for i in range(len(theirs)))]
        try:
            atoms = Atoms(b, atom_guard, [[0, 1], list(range(2, len(atom_guard)))], program, theirs)
        except AtomError:
            continue
        accepted += 1
        for x, y in product((0, 1), repeat=2):
            branch = {0: x, 1: y}
            wanted = [a for a in range(2, len(atom_guard)) if b.value(atom_guard[a], branch)]
            carried_out = [2 + i for i, guard in enumerate(theirs) if all(branch[v] == value for v, value in guard)]
            assert [atoms.atom[bit] for bit in carried_out] == wanted
            for bit in range(2, 2 + len(theirs)):
                seen = b.value(atoms.function[bit], branch | {atoms.atom[bit]: 1})
                assert seen == (bit in carried_out)
                assert not b.value(atoms.function[bit], branch | {atoms.atom[bit]: 0})
    assert accepted > 500


def test_condition_that_can_never_hold() -> None:
    b = Booleans()
    atoms = Atoms(b, [TRUE, FALSE], [[0], [1]], [(0, 0, -1), (1, 1, 0)], [((0, False), (0, True))])
    assert atoms.function[1] == FALSE
    assert atoms.atom[1] == -1


def split_bodies(*, inner: bool = True, again: bool = False, mixed: bool = False) -> QuantumCircuit:
    """An else body with measurements that the compiler writes once for each way to fail the condition.

    Args:
        inner: keep the inner measurement.
        again: measure once more in the else body.
        mixed: an H in place of the reset, so that no qubit that is measured is known to be 0.
    """
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    if mixed:
        circuit.h(0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.h(1)
        circuit.measure(1, 0)
    with otherwise:
        circuit.rzz(1.5707963267948966, 0, 1)
    with circuit.if_test((circuit.cregs[0], 1)) as otherwise:
        circuit.append(DCXGate(), [1, 0])
        if not mixed:
            circuit.reset(0)
    with otherwise:
        circuit.measure([0, 0], [0, 1])
        with circuit.if_test((circuit.clbits[1], 1)):
            if inner:
                circuit.measure(1, 1)
            circuit.append(ECRGate(), [0, 1])
        if again:
            circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("network", [Network.all_to_all(1, data=2, comm=1), Network.all_to_all(2, data=1, comm=2)])
def test_repeated_bodies_with_opaque_gates(network: Network) -> None:
    circuit = split_bodies()
    program = distq.compile(circuit, network, effort="fast", verify="none")
    result = verify(circuit, program, "symbolic")
    assert result.ok, result.message
    assert verify(circuit, program, "statevector").ok
    for wrong in (split_bodies(inner=False), split_bodies(again=True)):
        assert not verify(wrong, program, "statevector").ok
        assert not verify(wrong, program, "symbolic").ok


def handmade_bodies() -> Handmade:
    """The program for `split_bodies(mixed=True)`, the else body written twice, one copy after the other."""
    p = Handmade([(2, 0)])
    p.inputs = [[0, "d", 0], [0, "d", 1]]
    p.measured = [8]
    p.at(0, "m[0] = measure d[0];", "h d[0];", "if (m[0]) { h d[1]; }", "if (m[0]) { m[1] = measure d[1]; }")
    p.at(0, "if (!m[0]) { rzz(1.5707963267948966) d[0], d[1]; }")
    p.at(0, "h d[0];", "if (m[0]) { if (m[1]) { cz d[1], d[0]; } }", "h d[0];")
    p.at(0, "h d[1];", "if (m[0]) { if (m[1]) { cz d[0], d[1]; } }", "h d[1];")
    for first, when in ((2, "if (!m[0]) {"), (5, "if (m[0]) { if (!m[1]) {")):
        end, test = " }" * when.count("{"), f"if (m[{first + 1}]) {{"
        p.at(0, f"{when} m[{first}] = measure d[0];{end}", f"{when} m[{first + 1}] = measure d[0];{end}")
        p.at(0, f"{when} {test} m[{first + 2}] = measure d[1]; }}{end}")
        p.at(0, "h d[1];", f"{when} {test} rzz(1.5707963267948966) d[0], d[1]; }}{end}", "h d[1];")
        p.at(0, f"{when} {test} x d[0]; }}{end}")
    split, other = [[0, "m", 0, 1], [0, "m", 1, 0]], [[0, "m", 0, 0]]
    p.clbits = [
        [[split, [0, "m", 5]], [other, [0, "m", 2]], [[], [0, "m", 1]]],
        [
            [[*split, [0, "m", 6, 1]], [0, "m", 7]],
            [split, [0, "m", 6]],
            [[*other, [0, "m", 3, 1]], [0, "m", 4]],
            [other, [0, "m", 3]],
            [[], None],
        ],
    ]
    p.extra["blocks"] = [
        {"of": [[3, 0, 0]], "is": ["cx q[1], q[0];", "cx q[0], q[1];"]},
        {"of": [[3, 1, 2, 0, 1]], "is": ["h q[1];", "rzz(1.5707963267948966) q[0], q[1];", "h q[1];", "x q[0];"]},
    ]
    return p


SECOND = "if (m[0]) { if (!m[1]) { m[6] = measure d[0]; } }"
LAST = "if (m[0]) { if (!m[1]) { if (m[6]) { x d[0]; } } }"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LAST, [LAST]),
        (SECOND, ["if (!m[0]) { m[6] = measure d[0]; }"]),
        (SECOND, ["if (m[0]) { m[6] = measure d[0]; }"]),
        (SECOND, ["m[6] = measure d[0];"]),
        (SECOND, ["if (m[0]) { if (!m[1]) { m[6] = measure d[1]; } }"]),
        (SECOND, ["if (m[0]) { if (!m[1]) { x d[0]; } }", SECOND, "if (m[0]) { if (!m[1]) { x d[0]; } }"]),
        (SECOND, ["if (m[0]) { if (!m[1]) { x d[1]; } }", SECOND]),
        (LAST, []),
        (LAST, ["if (m[0]) { if (!m[1]) { if (!m[6]) { x d[0]; } } }"]),
        (LAST, ["if (m[0]) { if (m[6]) { x d[0]; } }", "if (!m[0]) { if (m[3]) { x d[0]; } }"]),
    ],
)
def test_changed_bodies_are_refused(old: str, new: list[str], tmp_path: Path) -> None:
    program = handmade_bodies()
    at = program.lines[0].index(old)
    program.lines[0][at : at + 1] = new
    files = read_directory(program.save(tmp_path / "program"))
    right = new == [old]
    for method in (verify_statevector, verify_symbolic):
        outcome = method(split_bodies(mixed=True), files)
        assert outcome.ok == right, outcome.reason
