from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from program_samples import finish, oxford_network, random_program, teleported_cz

from distq.errors import InputError
from distq.network.model import Link, Module, Network
from distq.ops import Op
from distq.program.order import DeadlockError, arrange, canonical, differences, sequences
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder


def lowest_first(program: DistributedProgram) -> list[int]:
    """The rule, literally: again and again look for the lowest-numbered module that can proceed."""
    modules = program.row_module().tolist()
    own: list[list[int]] = [[] for _ in program.network.modules]
    ends = {}
    for row, code in enumerate(program.code.tolist()):
        if code == Op.SEND:
            continue
        members = {modules[row]}
        if code == Op.EPR:
            at = program.qubit_offsets[row]
            members = {int(program.qubit_module[q]) for q in program.qubits[at : at + 2]}
        ends[row] = members
        for m in members:
            own[m].append(row)
    written: set[int] = set()
    order = []
    while any(own):
        for m, queue in enumerate(own):
            if not queue:
                continue
            row = queue[0]
            g = int(program.guard[row])
            reads = {b for b, _ in program.guards[g]} if g >= 0 else set()
            if reads <= written and all(own[x] and own[x][0] == row for x in ends[row]):
                break
        else:
            raise AssertionError("stuck")
        order.append(row)
        for x in ends[row]:
            own[x].pop(0)
        if program.code[row] == Op.MEASURE:
            bit = int(program.bit[row])
            written.add(bit)
            for send in np.flatnonzero((program.code == Op.SEND) & (program.bit == bit)).tolist():
                order.append(send)
                written.add(int(program.bit2[send]))
    return order


def shuffled(program: DistributedProgram, seed: int) -> DistributedProgram:
    """The same program in another order of rows, with everything numbered at random."""
    r = random.Random(seed)
    n = len(program)
    before: list[set[int]] = [set() for _ in range(n)]
    last: dict[Any, int] = {}
    writer: dict[int, int] = {}
    for row in range(n):
        qubits = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
        keys = {("module", int(program.qubit_module[q])) for q in qubits}
        if program.code[row] == Op.SEND:
            keys = {("sends", int(program.bit[row]))}
            before[row].add(writer[int(program.bit[row])])
            writer[int(program.bit2[row])] = row
        if program.code[row] == Op.MEASURE:
            writer[int(program.bit[row])] = row
        if program.guard[row] >= 0:
            before[row] |= {writer[b] for b, _ in program.guards[int(program.guard[row])]}
        for key in keys:
            if key in last:
                before[row].add(last[key])
            last[key] = row
    order: list[int] = []
    done: set[int] = set()
    left = list(range(n))
    while left:
        row = r.choice([x for x in left if before[x] <= done])
        left.remove(row)
        done.add(row)
        order.append(row)
    q, b = list(range(program.num_physical)), list(range(program.num_bits))
    r.shuffle(q)
    r.shuffle(b)
    new_q, new_b = np.argsort(q).astype(np.int32), np.append(np.argsort(b), -1).astype(np.int32)
    rows = np.array(order, np.int64)
    flat = {}
    for offsets, names in (("qubit_offsets", ["qubits"]), ("param_offsets", ["params", "param_expr"])):
        old = getattr(program, offsets)
        at = np.concatenate([np.arange(old[x], old[x + 1]) for x in order] or [np.zeros(0, int)]).astype(int)
        flat[offsets] = np.concatenate([[0], np.cumsum(np.diff(old)[rows])]).astype(np.int64)
        flat |= {name: getattr(program, name)[at] for name in names}
    flat["qubits"] = new_q[flat["qubits"]]
    columns = {c: getattr(program, c)[rows] for c in ("code", "guard", "link", "tag", "exchange")}

    def bits(conjunction: Any) -> Any:
        return tuple((int(new_b[x]), v) for x, v in conjunction)

    return replace(
        program,
        **flat,
        **columns,
        bit=new_b[program.bit[rows]],
        bit2=new_b[program.bit2[rows]],
        guards=tuple(bits(g) for g in program.guards),
        qubit_module=program.qubit_module[q],
        qubit_role=program.qubit_role[q],
        qubit_index=program.qubit_index[q],
        bit_module=program.bit_module[b],
        bit_kind=program.bit_kind[b],
        bit_index=program.bit_index[b],
        input_qubit=new_q[program.input_qubit],
        output_qubit=new_q[program.output_qubit],
        clbit_values=tuple(tuple((bits(g), int(new_b[x])) for g, x in v) for v in program.clbit_values),
    )


@pytest.mark.parametrize("seed", range(60))
def test_rows_follow_the_rule(seed: int) -> None:
    program = random_program(seed, rows=40)
    assert arrange(program, *sequences(program))[1].tolist() == lowest_first(program)


@pytest.mark.parametrize("seed", range(60))
def test_canonical_form_does_not_depend_on_order_and_numbers(seed: int) -> None:
    program = random_program(seed, rows=40)
    form = canonical(program)
    assert differences(canonical(form), form) == []
    assert differences(canonical(shuffled(program, seed)), form) == []


def test_handmade_order() -> None:
    form = canonical(teleported_cz())
    names = [Op(c).name for c in form.code.tolist()]
    assert names == ["EPR", "CX", "MEASURE", "SEND", "X", "MCP", "H", "MEASURE", "SEND", "Z"]
    assert form.qubit_module.tolist() == [0, 0, 1, 1]
    assert form.qubit_role.tolist() == [DATA, COMM, DATA, COMM]
    assert form.bit_kind.tolist() == [0, 1, 0, 1]
    assert form.ebits == 1


def test_differences_are_found() -> None:
    a = canonical(teleported_cz())
    assert differences(a, replace(a, tag=a.tag + 1)) == ["tag"]
    assert differences(a, replace(a, params=a.params + 1e-15)) == ["params"]
    assert differences(a, replace(a, circuit_name="x", global_phase=1.0)) == ["circuit_name", "global_phase"]


def _two_pairs() -> DistributedProgram:
    b = ProgramBuilder(Network((Module("A", 1, 2), Module("B", 1, 2)), (Link("A", "B"),)))
    q = [[b.qubit(m, COMM, i) for i in range(2)] for m in range(2)]
    for i in range(2):
        b.add(Op.EPR, (q[0][i], q[1][i]), link=0)
    return finish(b, [], [])


def test_deadlock_is_refused() -> None:
    """Two modules that take the two pairs between them in opposite order."""
    program = _two_pairs()
    with pytest.raises(DeadlockError, match="deadlocked") as error:
        arrange(program, np.array([0, 2, 4]), np.array([0, 1, 1, 0]))
    assert [m for m, _ in error.value.waiting] == [0, 1]


def _with(column: str, row_code: Op, value: Any) -> Any:
    def change(p: DistributedProgram) -> DistributedProgram:
        values = getattr(p, column).copy()
        values[np.flatnonzero(p.code == row_code)[0]] = value
        return replace(p, **{column: values})

    return change


def _qubits(row_code: Op, *qubits: int) -> Any:
    def change(p: DistributedProgram) -> DistributedProgram:
        values = p.qubits.copy()
        at = p.qubit_offsets[np.flatnonzero(p.code == row_code)[0]]
        values[at : at + len(qubits)] = qubits
        return replace(p, qubits=values)

    return change


# The canonical teleported CZ has the qubits 0 = A.d, 1 = A.c, 2 = B.d, 3 = B.c, and the bits 0 = A.m, 1 = A.r,
# 2 = B.m, 3 = B.r.
_BROKEN = {
    "unknown code": _with("code", Op.H, 23),
    "wrong arity": _with("code", Op.H, Op.CX),
    "wrong number of parameters": _with("code", Op.H, Op.RZ),
    "qubits of two modules": _qubits(Op.CX, 0, 3),
    "same qubit twice": _qubits(Op.CX, 1, 1),
    "no such qubit": _qubits(Op.CX, 0, 99),
    "pair on a data qubit": _qubits(Op.EPR, 0, 3),
    "pair the wrong way round": _qubits(Op.EPR, 3, 1),
    "pair without link": _with("link", Op.EPR, -1),
    "no such link": _with("link", Op.EPR, 1),
    "link on a gate": _with("link", Op.H, 0),
    "measures into another module": _with("bit", Op.MEASURE, 2),
    "measures into a received bit": _with("bit", Op.MEASURE, 1),
    "measures nowhere": _with("bit", Op.MEASURE, -1),
    "bit on a gate": _with("bit", Op.H, 0),
    "sends a received bit": _with("bit", Op.SEND, 1),
    "sends to itself": _with("bit2", Op.SEND, 1),
    "sends into a measured bit": _with("bit2", Op.SEND, 2),
    "reads a bit of another module": _with("guard", Op.X, 1),
    "no such guard": _with("guard", Op.X, 7),
    "conditional pair": _with("guard", Op.EPR, 0),
    "exchange on another gate": _with("exchange", Op.MCP, 3),
    "angle not finite": lambda p: replace(p, params=np.array([math.inf])),
    "symbolic angle without expression": lambda p: replace(p, param_expr=np.array([0], np.int32)),
    "column too short": lambda p: replace(p, tag=p.tag[:-1]),
    "offsets too short": lambda p: replace(p, qubit_offsets=p.qubit_offsets[:-1]),
    "two qubits in one place": lambda p: replace(p, qubit_index=p.qubit_index * 0, qubit_role=p.qubit_role * 0),
    "no such module": lambda p: replace(p, qubit_module=p.qubit_module + 1),
    "input nowhere": lambda p: replace(p, input_qubit=np.array([0, 9], np.int32)),
    "inputs without outputs": lambda p: replace(p, output_qubit=p.output_qubit[:1]),
    "value that may not exist": lambda p: replace(p, clbit_values=(((((0, 1),), 0),),)),
    "value of no bit": lambda p: replace(p, clbit_values=((((), 44),),)),
    "guard of two modules": lambda p: replace(p, guards=(((3, 1), (0, 1)), *p.guards[1:])),
    "guard with value 2": lambda p: replace(p, guards=(((3, 2),), *p.guards[1:])),
}  # fmt: skip


@pytest.mark.parametrize("what", _BROKEN)
def test_ill_formed_programs_are_refused(what: str) -> None:
    good = canonical(teleported_cz())
    with pytest.raises(InputError, match="not well formed"):
        canonical(_BROKEN[what](good))


def test_bits_that_are_never_measured() -> None:
    good = canonical(teleported_cz())
    measure = np.flatnonzero(good.code == Op.MEASURE)[0]
    code, bit = good.code.copy(), good.bit.copy()
    code[measure], bit[measure] = Op.RESET, -1
    with pytest.raises(InputError, match="wait for ever"):
        canonical(replace(good, code=code, bit=bit))
    lone = ProgramBuilder(oxford_network())
    lone.send(lone.new_bit(0, 0), 1)
    with pytest.raises(InputError, match="never measured"):
        canonical(finish(lone, [], []))


def test_empty_program() -> None:
    b = ProgramBuilder(oxford_network())
    form = canonical(finish(b, [], []))
    assert len(form) == 0
    assert form.num_physical == 2  # the data qubits of both modules; no communication qubit is used
