"""Mutants of classical replacements are refused; the parts of the normal form on their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import random_unitary

import distq
from distq.errors import InputError
from distq.network.model import Network
from distq.ops import Op
from distq.program.compiled import CompiledProgram
from distq.program.files import save_program
from distq.program.order import canonical
from distq.program.types import RECEIVED, DistributedProgram
from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.levels import levels


def case(kind: str) -> QuantumCircuit:
    circuit = QuantumCircuit(4, 4)
    circuit.ry(0.3, range(4))
    circuit.rx(0.4, range(4))
    if kind == "phases":
        circuit.cp(0.3, 0, 2)
        circuit.x(0)
        circuit.cp(0.7, 0, 3)
        circuit.h([2, 3])
        circuit.cp(1.1, 2, 1)
        circuit.ry(0.6, 1)
        circuit.measure([0, 2], [0, 2])
    elif kind == "parities":
        circuit.rzz(0.3, 0, 2)
        circuit.rzz(0.8, 1, 3)
        circuit.x(1)
        circuit.ry(0.6, [2, 3])
        circuit.measure([0, 1], [0, 1])
    else:
        circuit.measure(3, 3)
        with circuit.if_test((3, 1)):
            circuit.ccz(0, 1, 2)
            circuit.rzz(0.4, 0, 2)
        circuit.measure(0, 0)
        circuit.ry(0.5, [1, 2])
    return circuit


def mutants(program: DistributedProgram) -> Iterator[tuple[str, DistributedProgram]]:
    """Wrong polarity, no guard, wrong angle, another bit: for every guarded gate that is not a correction."""
    user = {b for values in program.clbit_values for _, b in values}
    sent = dict(zip(program.bit2.tolist(), program.bit.tolist()))
    for row in np.flatnonzero((program.guard >= 0) & (program.code < Op.MEASURE)).tolist():
        guard = program.guards[program.guard[row]]
        if any(sent.get(b, b) not in user for b, _ in guard):
            continue
        for k, (bit, value) in enumerate(guard):
            wrong = (*guard[:k], (bit, 1 - value), *guard[k + 1 :])
            yield "polarity", guarded(program, row, wrong)
            yield "guard dropped", guarded(program, row, (*guard[:k], *guard[k + 1 :]))
            here = program.bit_module[bit]
            for other in range(program.num_bits):
                if other != bit and program.bit_module[other] == here and sent.get(other, other) in user:
                    if program.bit_kind[other] != RECEIVED and earlier(program, row, other):
                        continue
                    yield "another bit", guarded(program, row, (*guard[:k], (other, value), *guard[k + 1 :]))
        first, last = program.param_offsets[row], program.param_offsets[row + 1]
        if last > first:
            for name, factor in (("sign", -1.0), ("angle", 0.5)):
                params = program.params.copy()
                params[first] *= factor
                yield name, replace(program, params=params)


def earlier(program: DistributedProgram, row: int, bit: int) -> bool:
    """Whether a row stands before the measurement of a bit."""
    return bool(row < np.flatnonzero((program.code == Op.MEASURE) & (program.bit == bit))[0])


def guarded(program: DistributedProgram, row: int, guard: Any) -> DistributedProgram:
    column = program.guard.copy()
    column[row] = len(program.guards) if guard else -1
    return replace(program, guard=column, guards=(*program.guards, guard) if guard else program.guards)


def saved(program: DistributedProgram, path: Path) -> bool:
    try:
        save_program(canonical(program), path)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("start", ["any", "zero"])
@pytest.mark.parametrize("kind", ["phases", "parities", "conditional"])
def test_mutants_are_refused(tmp_path: Path, kind: str, start: str) -> None:
    circuit = case(kind)
    homes = {q: q % 2 for q in range(4)}
    program = distq.compile(circuit, Network.all_to_all(2, data=2), start=start, initial_homes=homes, effort="fast")
    seen: dict[str, int] = {}
    for number, (name, mutant) in enumerate(mutants(program.program)):
        path = tmp_path / str(number)
        if not saved(mutant, path):
            continue
        wrong = not distq.verify(circuit, path, "statevector", start=start).ok
        assert distq.verify(circuit, path, "symbolic", start=start).ok == (not wrong), name
        seen[name] = seen.get(name, 0) + wrong
    assert seen["polarity"] >= 2
    assert seen["guard dropped"] >= 2
    assert sum(seen.values()) >= 6


def test_gate_before_its_measurement_is_refused(tmp_path: Path) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.h([0, 1])
    circuit.cp(0.3, 0, 1)
    circuit.measure(0, 0)
    program = distq.compile(circuit, Network.all_to_all(1, data=2)).program
    rows = np.arange(len(program))
    measure = int(np.flatnonzero(program.code == Op.MEASURE)[0])
    gate = int(np.flatnonzero(program.guard >= 0)[0])
    assert measure < gate
    path = tmp_path / "p"
    CompiledProgram(program, distq.compile(circuit, Network.all_to_all(1, data=2)).schedule).save(path)
    text = (path / "module_0.qasm").read_text()
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if "measure" in line)
    use = next(i for i, line in enumerate(lines) if line.startswith("if"))
    lines[at], lines[use] = lines[use], lines[at]
    assert len(rows) == len(program)
    from hashlib import sha256

    old = sha256(text.encode()).hexdigest()
    new = "\n".join(lines) + "\n"
    (path / "module_0.qasm").write_text(new)
    manifest = (path / "manifest.json").read_text().replace(old, sha256(new.encode()).hexdigest())
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError):
        distq.verify(circuit, path)


def test_weaker_promises_do_not_excuse_everything(tmp_path: Path) -> None:
    """What the other promise would excuse is refused, and so is what neither excuses."""
    plain = QuantumCircuit(2, 1)
    plain.h(0)
    plain.measure(0, 0)
    network = Network.all_to_all(1, data=2)
    after = plain.copy()
    after.cx(0, 1)  # no outcome sees it
    before = QuantumCircuit(2, 1)
    before.cz(1, 0)  # nothing if 1 is |0>
    before.compose(plain, clbits=[0], inplace=True)
    program = distq.compile(plain, network)
    for method in ("symbolic", "statevector", "stabilizer"):

        def ok(circuit: QuantumCircuit, method: str = method, **promise: Any) -> bool:
            return distq.verify(circuit, program, method, **promise).ok

        assert ok(plain)
        assert ok(after, outcomes_only=True)
        assert not ok(after)
        assert not ok(after, start="zero")
        assert ok(before, start="zero")
        assert not ok(before, outcomes_only=True)
        wrong = QuantumCircuit(2, 1)
        wrong.ry(math.pi, 0)
        wrong.measure(0, 0)
        assert not ok(wrong, start="zero", outcomes_only=True)


def test_outcomes_must_be_right(tmp_path: Path) -> None:
    """A gate between preparation and measurement that does matter cannot be left out."""
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.cz(0, 1)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    less = QuantumCircuit(2, 2)
    less.measure([0, 1], [0, 1])
    program = distq.compile(less, Network.all_to_all(1, data=2))
    for method in ("symbolic", "statevector", "stabilizer"):
        assert not distq.verify(circuit, program, method, start="zero", outcomes_only=True).ok


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.sampled_from([0.4, -0.4, 1.2, math.pi / 2, math.pi, -2.0])), max_size=5),
    st.sampled_from([math.pi, math.tau]),
)
def test_levels_keep_the_angles_in_every_case(parts: list[tuple[int, float]], period: float) -> None:
    b = Booleans()
    sums: dict[int, float] = {}
    for table, angle in parts:
        f = FALSE
        for row in range(8):
            if table >> row & 1:
                f = b.disj(f, b.all_of(b.var(k) if row >> k & 1 else b.negate(b.var(k)) for k in range(3)))
        if f not in (TRUE, FALSE):
            sums[f] = sums.get(f, 0.0) + angle
    found, odd, dropped = levels(list(sums.items()), period, b)
    assert dropped < 1e-9
    for row in range(8):
        values = {k: row >> k & 1 for k in range(3)}
        before = sum(a for f, a in sums.items() if b.value(f, values))
        after = sum(a for f, a in found if f < 0 or b.value(f, values))
        after += math.pi * sum(b.value(f, values) for f in odd)
        assert abs(math.remainder(before - after, math.tau)) < 1e-8
    # The form does not depend on how the same angles were given.
    again, _, _ = levels([(f, a) for f, a in reversed(found) if f >= 0], period, b)
    kept = sorted(p for p in found if p[0] >= 0)
    assert [f for f, _ in sorted(again)] == [f for f, _ in kept]
    assert [a for _, a in sorted(again)] == pytest.approx([a for _, a in kept])


def test_substitution() -> None:
    b = Booleans()
    x, y, z = (b.var(k) for k in range(3))
    f = b.ite(x, b.xor(y, z), z)
    assert b.substitute(f, {1: z}) == b.ite(x, FALSE, z)
    assert b.substitute(f, {0: TRUE}) == b.xor(y, z)
    assert b.substitute(f, {}) == f


def _measured_again(angle: float = 0.4) -> QuantumCircuit:
    """A qubit that is measured twice, with a gate between that happens in some branches only."""
    circuit = QuantumCircuit(4, 1)
    circuit.measure(1, 0)
    circuit.measure(3, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.unitary(random_unitary(4, seed=5), [0, 1])
        circuit.iswap(3, 0)
    circuit.cu(-1.9178, -0.14585, angle, 0.3, 1, 2)
    circuit.measure(1, 0)
    return circuit


def test_outcomes_that_a_branch_fixes_and_earlier_ones_decide() -> None:
    circuit = _measured_again()
    program = distq.compile(circuit, distq.Network.all_to_all(1, data=4, comm=None), effort="fast", verify="none")
    assert distq.verify(circuit, program, method="symbolic").ok
    assert distq.verify(circuit, program, method="statevector").ok
    other = _measured_again(0.9)
    assert not distq.verify(other, program, method="statevector").ok
    assert not distq.verify(other, program, method="symbolic").ok
