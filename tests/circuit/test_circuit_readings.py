"""Where final homes are bound, gates are also read without a SWAP, and the cheaper plan is taken."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate, XXPlusYYGate
from qiskit.quantum_info import random_unitary

import distq
from distq.circuit.from_qiskit import from_qiskit, readings
from distq.network.model import Module
from distq.network.presets import preset
from distq.partition.cost import cost
from distq.pipeline import make_plan, normalise
from distq.report.explain import explain
from distq.report.explain_text import explain_text


def pair(gate: str) -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    getattr(circuit, gate)(0, 1)
    return circuit


@pytest.mark.parametrize(("gate", "same", "free"), [("cz", 1, 1), ("iswap", 2, 1), ("dcx", 2, 1), ("swap", 3, 0)])
def test_ebits_of_one_gate(gate: str, same: int, free: int) -> None:
    network = preset("oxford-2025")
    assert distq.compile(pair(gate), network, final_homes="same", verify="statevector").ebits == same
    assert distq.compile(pair(gate), network, verify="statevector").ebits == free


def test_a_second_reading_only_where_it_differs() -> None:
    assert len(readings(pair("iswap"), homes_are_bound=False)) == 1
    assert len(readings(pair("swap"), homes_are_bound=True)) == 1
    assert len(readings(pair("cz"), homes_are_bound=True)) == 1
    mirrored, plain = readings(pair("iswap"), homes_are_bound=True)
    assert mirrored.output_wire.tolist() == [1, 0]
    assert plain.output_wire.tolist() == [0, 1]
    assert (mirrored.num_two_qubit_gates, plain.num_two_qubit_gates) == (1, 2)


@st.composite
def swapping_circuits(draw: st.DrawFn) -> QuantumCircuit:
    """Circuits on three or four qubits from gates that hold a SWAP, with a conditional now and then."""
    n = draw(st.integers(3, 4))
    circuit = QuantumCircuit(n)
    for _ in range(draw(st.integers(1, 7))):
        a, b = draw(st.permutations(range(n)))[:2]
        name = draw(st.sampled_from(["swap", "iswap", "dcx", "xx_plus_yy", "unitary", "cx", "h"]))
        if name == "xx_plus_yy":
            angle = draw(st.sampled_from([np.pi, -np.pi, 0.7]))
            circuit.append(XXPlusYYGate(angle, 0.3), [a, b])
        elif name == "unitary":
            seed = draw(st.integers(0, 99))
            matrix = np.kron(random_unitary(2, seed), random_unitary(2, seed + 1))
            swap = np.eye(4)[[0, 2, 1, 3]]
            circuit.append(
                UnitaryGate(swap @ matrix if draw(st.booleans()) else matrix @ np.diag([1, 1, 1, 1j])), [a, b]
            )
        elif name == "h":
            circuit.h(a)
        else:
            getattr(circuit, name)(a, b)
    return circuit


@settings(max_examples=25, deadline=None, derandomize=True)
@given(circuit=swapping_circuits(), comm=st.sampled_from([1, 2]), pin=st.booleans())
def test_programs_are_right_and_no_dearer_than_either_reading(circuit: QuantumCircuit, comm: int, pin: bool) -> None:
    network = distq.Network.all_to_all(2, data=2, comm=comm)
    kwargs = {"pins": {0: 1}} if pin else {"final_homes": "same"}
    program = distq.compile(circuit, network, effort="fast", verify="statevector", **kwargs)
    assert distq.verify(circuit, program, method="symbolic").ok
    if not pin:
        first, last = program.initial_layout, program.final_layout
        assert all(first[q][0] == last[q][0] for q in first)
    for mirrors in (True, False):
        raw, merged, last_pass = normalise(from_qiskit(circuit, mirrors=mirrors), network)
        plan = make_plan(merged, network, raw=raw, last=last_pass, effort="fast", **kwargs)
        assert program.ebits <= cost(plan, network)


def test_exchanges_can_be_switched_off() -> None:
    network = preset("oxford-2025")
    assert distq.compile(pair("swap"), network, final_homes="same").stats["exchanges"] == 1
    with pytest.raises(distq.InfeasibleError, match="needs 2 communication qubits in one of them and 1"):
        distq.compile(pair("swap"), network, final_homes="same", without=["exchange"])
    larger = dataclasses.replace(network, modules=(Module("alice", 1, 2), Module("bob", 1, 1)))
    program = distq.compile(pair("swap"), larger, final_homes="same", without=["exchange"], verify="statevector")
    assert (program.ebits, program.stats["teleports"], program.stats["exchanges"]) == (2, 2, 0)
    assert program.stats["optimal"]
    # The qubits have no packets; their moves are explained all the same.
    found = explain(program)
    assert (found.totals["moves"], len(found.moves), found.packets) == (2, 2, ())
    assert "Moves" in explain_text(found, 100)
