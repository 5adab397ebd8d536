"""Conditions as canonical Boolean functions, against truth tables and Qiskit's own meaning."""

from __future__ import annotations

import random
from itertools import product

import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit.classical import expr

from distq.verify.booleans import FALSE, TRUE, Booleans
from distq.verify.source import read_source


def random_function(rng: random.Random, store: Booleans, depth: int) -> tuple[int, object]:
    if depth == 0 or rng.random() < 0.2:
        v = rng.randrange(4)
        return store.var(v), lambda a: bool(a[v])
    f, ef = random_function(rng, store, depth - 1)
    g, eg = random_function(rng, store, depth - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return store.conj(f, g), lambda a: ef(a) and eg(a)
    if kind == 1:
        return store.disj(f, g), lambda a: ef(a) or eg(a)
    if kind == 2:
        return store.xor(f, g), lambda a: ef(a) != eg(a)
    return store.negate(f), lambda a: not ef(a)


def test_functions_are_canonical() -> None:
    rng, store = random.Random(1), Booleans()
    seen: dict[tuple[bool, ...], int] = {}
    for _ in range(300):
        f, truth = random_function(rng, store, 4)
        table = tuple(truth(a) for a in product((0, 1), repeat=4))
        for a, value in zip(product((0, 1), repeat=4), table):
            assert store.value(f, dict(enumerate(a))) == value
        assert seen.setdefault(table, f) == f
        if f != FALSE:
            assert store.value(f, store.witness(f))
        essential = {
            v for v in range(4)
            if any(truth(a) != truth((*a[:v], 1 - a[v], *a[v + 1:])) for a in product((0, 1), repeat=4))
        }  # fmt: skip
        assert set(store.support([f])) == essential


def test_long_conjunctions() -> None:
    store = Booleans()
    f = store.all_of(store.var(i) if i % 2 else store.negate(store.var(i)) for i in range(300))
    assert store.value(f, {i: i % 2 for i in range(300)})
    assert not store.value(f, {i: i % 2 for i in range(299)})
    assert store.conj(f, store.var(0)) == FALSE
    assert store.disj(f, store.negate(f)) == TRUE


NUMBERS = [
    (lambda a, b, c: expr.less(a, b), lambda a, b, c: a < b),
    (lambda a, b, c: expr.less_equal(a, 3), lambda a, b, c: a <= 3),
    (lambda a, b, c: expr.greater(a, b), lambda a, b, c: a > b),
    (lambda a, b, c: expr.greater_equal(a, 5), lambda a, b, c: a >= 5),
    (lambda a, b, c: expr.equal(a, b), lambda a, b, c: a == b),
    (lambda a, b, c: expr.not_equal(expr.bit_xor(a, b), 2), lambda a, b, c: a ^ b != 2),
    (lambda a, b, c: expr.equal(expr.bit_and(a, b), expr.bit_or(a, 1)), lambda a, b, c: a & b == a | 1),
    (lambda a, b, c: expr.equal(expr.bit_not(a), b), lambda a, b, c: ~a & 7 == b),
    (lambda a, b, c: expr.equal(expr.shift_left(a, 1), b), lambda a, b, c: (a << 1) & 7 == b),
    (lambda a, b, c: expr.equal(expr.shift_right(a, b), 1), lambda a, b, c: a >> b == 1),
    (lambda a, b, c: expr.index(a, 1), lambda a, b, c: bool(a >> 1 & 1)),
    (lambda a, b, c: expr.index(a, b), lambda a, b, c: b < 3 and bool(a >> b & 1)),
    (lambda a, b, c: expr.logic_and(c, expr.logic_not(expr.index(a, 0))), lambda a, b, c: c and not a & 1),
    (lambda a, b, c: expr.logic_or(c, expr.cast(a, expr.lift(True).type)), lambda a, b, c: c or a != 0),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(NUMBERS)))
def test_expressions(case: int) -> None:
    build, meaning = NUMBERS[case]
    a, b, c = ClassicalRegister(3, "a"), ClassicalRegister(3, "b"), ClassicalRegister(1, "c")
    circuit = QuantumCircuit(1)
    circuit.add_bits([])
    for register in (a, b, c):
        circuit.add_register(register)
    for i in range(7):
        circuit.measure(0, i)
    with circuit.if_test(build(a, b, c[0])):
        circuit.x(0)
    source = read_source(circuit)
    guard = source.tape.rows[-1][3] if len(source.tape.rows) == 8 else FALSE
    for x, y, z in product(range(8), range(8), range(2)):
        bits = x | y << 3 | z << 6
        value = source.booleans.value(guard, {i: bits >> i & 1 for i in range(7)})
        assert value == bool(meaning(x, y, z)), (x, y, z)


def test_rewritten_bits_and_switch() -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.measure(0, 0)
        circuit.measure(0, 1)
    with circuit.switch(circuit.clbits[0]) as case:
        with case(0):
            circuit.x(0)
        with case(case.DEFAULT):
            circuit.y(0)
    source = read_source(circuit)
    b = source.booleans
    second = b.conj(b.var(0), b.var(1))
    assert source.clbits == [second, b.conj(b.var(0), b.var(2))]
    assert [row[3] for row in source.tape.rows[-2:]] == [b.negate(second), second]
    assert source.atom_guard == [TRUE, b.var(0), b.var(0)]
