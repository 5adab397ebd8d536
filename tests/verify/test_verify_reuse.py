"""Programs in which qubits use the same place one after the other, by hand: what is accepted, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from handmade import Handmade
from qiskit import QuantumCircuit

import distq
from distq.verify import verify

ZERO: dict[str, Any] = {"start": "zero"}


def one_place() -> Handmade:
    p = Handmade([(1, 1)])
    p.inputs = [[0, "d", 0], [0, "d", 0]]
    p.clbits = [[[[], [0, "m", 0]]], [[[], [0, "m", 1]]]]
    p.extra = {"promise": {"start": "zero", "outcomes_only": False}, "births": [1], "unborn": [1]}
    return p


def two_measured() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.7, 0)
    circuit.measure(0, 0)
    circuit.ry(0.9, 1)
    circuit.measure(1, 1)
    return circuit


def lines(p: Handmade, *body: str) -> Handmade:
    p.at(0, *body)
    p.measured[0] = sum("measure" in line for line in body)
    return p


BIRTH = ("@distq.birth 0", "reset d[0];")
FIRST = ("ry(0.7) d[0];", "m[0] = measure d[0];")
SECOND = ("ry(0.9) d[0];", "m[1] = measure d[0];")


def test_two_inputs_on_one_place(tmp_path: Path) -> None:
    path = lines(one_place(), *FIRST, *BIRTH, *SECOND).save(tmp_path / "p")
    for method in ("symbolic", "statevector"):
        assert verify(two_measured(), path, method, **ZERO).ok
        assert not verify(two_measured(), path, method).ok


def test_a_place_that_is_taken_too_early(tmp_path: Path) -> None:
    path = lines(one_place(), FIRST[0], *BIRTH, FIRST[1], *SECOND).save(tmp_path / "early")
    for method in ("symbolic", "statevector"):
        assert not verify(two_measured(), path, method, **ZERO).ok


def test_a_qubit_that_is_still_needed(tmp_path: Path) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.7, 0)
    circuit.measure(0, 0)
    circuit.z(0)
    circuit.ry(0.9, 1)
    circuit.measure(1, 1)
    path = lines(one_place(), *FIRST, *BIRTH, *SECOND).save(tmp_path / "needed")
    for method in ("symbolic", "statevector"):
        assert not verify(circuit, path, method, **ZERO).ok
    assert verify(circuit, path, "symbolic", **ZERO, outcomes_only=True).ok


def test_a_reset_that_is_missing(tmp_path: Path) -> None:
    plain = one_place()
    plain.extra = {"promise": {"start": "zero", "outcomes_only": False}, "unborn": [1]}
    path = lines(plain, *FIRST, *SECOND).save(tmp_path / "missing")
    for method in ("symbolic", "statevector"):
        assert not verify(two_measured(), path, method, **ZERO).ok


def test_a_promise_that_the_program_hides(tmp_path: Path) -> None:
    hidden = one_place()
    hidden.extra["promise"] = {"start": "any", "outcomes_only": False}
    path = lines(hidden, *FIRST, *BIRTH, *SECOND).save(tmp_path / "hidden")
    with pytest.raises(distq.DistqError, match="'unborn' names qubits"):
        verify(two_measured(), path, **ZERO)


def test_a_reset_qubit_begins_elsewhere_for_any_input(tmp_path: Path) -> None:
    """The second life of qubit 0 is in another module; input 1 is in its old place by then, moved there."""
    circuit = QuantumCircuit(1, 2)
    circuit.ry(0.7, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.ry(0.9, 0)
    circuit.measure(0, 1)
    p = Handmade([(1, 1), (1, 1)])
    p.inputs, p.outputs = [[0, "d", 0]], [[1, "d", 0]]
    p.clbits = [[[[], [0, "m", 0]]], [[[], [1, "m", 0]]]]
    p.extra = {"births": [0]}
    p.at(0, *FIRST).measured[0] = 1
    p.at(1, "@distq.birth 0", "reset d[0];", "ry(0.9) d[0];", "m[0] = measure d[0];").measured[1] = 1
    path = p.save(tmp_path / "p")
    for method in ("symbolic", "statevector"):
        assert verify(circuit, path, method).ok
    # Without the reset in the circuit the second measurement finds what the first one has found.
    circuit.data.pop(2)
    for method in ("symbolic", "statevector"):
        assert not verify(circuit, path, method).ok
