"""Random values of parameters: reproducible, of both signs, and only such as the circuit's angles allow."""

from __future__ import annotations

import random
from itertools import islice

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from distq.errors import InputError
from distq.verify.bindings import random_bindings


def rotations(*angles: object) -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    for angle in angles:
        circuit.rx(angle, 0)
    return circuit


@pytest.mark.parametrize("seed", range(20))
def test_both_signs_where_the_circuit_allows_it(seed: int) -> None:
    names = [Parameter(f"a{i}") for i in range(12)]
    positive = (3, 7, 8)
    circuit = rotations(*(p.log() if i in positive else p**7 for i, p in enumerate(names)))
    (_, first), (bound, second) = islice(random_bindings(circuit, random.Random(seed)), 2)
    for i, p in enumerate(names):
        assert (first[p.name] * second[p.name] > 0) == (i in positive)
        assert first[p.name] != second[p.name] or i in positive
    assert not bound.parameters
    again = [values for _, values in islice(random_bindings(circuit, random.Random(seed)), 2)]
    assert again == [first, second]


def test_narrow_domains() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = rotations((a * 0.9).arcsin(), (1 - b).log(), (a + b) ** 0.5)
    found = [values for _, values in islice(random_bindings(circuit, np.random.default_rng(1)), 6)]
    assert len({v["a"] for v in found}) > 1
    for values in found:
        assert abs(values["a"] * 0.9) <= 1
        assert values["b"] < 1
        assert values["a"] + values["b"] >= 0


def test_no_values_at_all() -> None:
    a = Parameter("a")
    with pytest.raises(InputError, match="no real number"):
        next(random_bindings(rotations((a * 0 - 2 - a * a).log()), random.Random(0)))
