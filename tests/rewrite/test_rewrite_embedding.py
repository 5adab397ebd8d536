"""CX that change places: equal circuits, right witnesses, fewer packets, and the cheaper form in the end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from witness_replay import check_witnesses

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.to_qiskit import to_qiskit
from distq.partition.packets import build_packets
from distq.rewrite.embedding import exchange_neighbours
from distq.rewrite.merge import merge_one_qubit
from distq.rewrite.passes import COMPETING, NAMES, enabled, other_forms, rewrite


def packets(circuit):
    return build_packets(merge_one_qubit(circuit)).num_packets


def adder(bits):
    """Cuccaro's ripple-carry adder: carry, then a and b in turn (arXiv:quant-ph/0410184)."""
    circuit = QuantumCircuit(2 * bits + 1)
    carries = [0, *range(1, 2 * bits + 1, 2)]
    for k in range(bits):
        c, a, b = carries[k], 2 * k + 1, 2 * k + 2
        circuit.cx(a, b)
        circuit.cx(a, c)
        circuit.ccx(c, b, a)
    for k in reversed(range(bits)):
        c, a, b = carries[k], 2 * k + 1, 2 * k + 2
        circuit.ccx(c, b, a)
        circuit.cx(a, c)
        circuit.cx(c, b)
    return circuit


GATES = st.lists(
    st.tuples(st.sampled_from(["cx", "cx", "cx", "cz", "h", "s", "t", "cp", "ccx", "swap"]), st.permutations(range(4))),
    max_size=24,
)


def build(parts):
    circuit = QuantumCircuit(4)
    for name, wires in parts:
        count = {"h": 1, "s": 1, "t": 1, "ccx": 3}.get(name, 2)
        getattr(circuit, name)(*((0.3,) if name == "cp" else ()), *wires[:count])
    return circuit


@settings(max_examples=150, deadline=None, derandomize=True)
@given(GATES)
def test_random_circuits(parts):
    before = from_qiskit(build(parts))
    after = exchange_neighbours(before)
    if after is not before:
        assert packets(after) < packets(before)
        check_witnesses(before, after)
        assert Operator(to_qiskit(before)).equiv(Operator(to_qiskit(after)), atol=1e-8)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(GATES, st.integers(0, 99))
def test_forms_are_verified(parts, seed):
    """Every form, not only the cheapest."""
    network = distq.Network.all_to_all(2, data=2, comm=None)
    circuit = build(parts)
    for without in ((), ("embedding",), ("mirrored",), COMPETING):
        program = distq.compile(circuit, network, effort="fast", seed=seed, without=without)
        assert program.stats["verified"]["ok"]
        assert not set(without) & set(program.stats["techniques"]["rewrites"])


def test_a_ripple_carry_adder_needs_three_pairs_a_boundary():
    """The copy of a carry outlives the CX onto it: 3 ebits for each boundary, not 4."""
    circuit = adder(7)
    network = distq.Network.all_to_all(3, data=5, comm=None)
    # Windows of gates around one wire, which are `whole-gates`, do as well here.
    assert distq.compile(circuit, network, effort="fast").stats["ebits"] == 6
    with_it = distq.compile(circuit, network, effort="fast", without=["whole-gates"])
    without = distq.compile(circuit, network, effort="fast", without=["whole-gates", "embedding"])
    assert with_it.stats["ebits"] < without.stats["ebits"]
    assert "embedding" in with_it.stats["techniques"]["rewrites"]
    assert distq.verify(circuit, with_it).ok
    # The techniques that are reported make the form that was compiled.
    names = with_it.stats["techniques"]["rewrites"]
    assert (
        rewrite(from_qiskit(circuit), names).num_two_qubit_gates
        > rewrite(from_qiskit(circuit), enabled(["whole-gates", "embedding"])).num_two_qubit_gates
    )


def test_forms_that_do_not_pay_are_left():
    """The new gate joins two modules that have nothing else to do with each other."""
    circuit = QuantumCircuit(3)
    circuit.cz(0, 1)
    circuit.cx(2, 1)
    circuit.cz(1, 0)
    base = rewrite(from_qiskit(circuit), enabled(COMPETING))
    forms = list(other_forms(base, NAMES))
    assert [names for names, _ in forms] == [tuple(n for n in NAMES if n != "mirrored")]
    program = distq.compile(circuit, distq.Network.all_to_all(2, data=2, comm=None), effort="fast")
    alone = distq.compile(circuit, distq.Network.all_to_all(2, data=2, comm=None), effort="fast", without=COMPETING)
    assert program.stats["ebits"] <= alone.stats["ebits"]


@pytest.mark.parametrize("between", ["t", "measure", "cp"])
def test_what_stands_in_the_way(between):
    circuit = QuantumCircuit(4, 1)
    for step in ((0, 1), (2, 1), None):
        if step is None:
            circuit.cz(1, 0)
        else:
            (circuit.cx if step[0] else circuit.cz)(*step)
            if between == "t":
                circuit.t(1)
            elif between == "measure":
                circuit.measure(1, 0)
            else:
                circuit.rxx(0.3, 2, 3)
                circuit.rxx(0.3, 0, 3)
    before = from_qiskit(circuit)
    assert exchange_neighbours(before) is before


def test_many_gates():
    import time

    rng = np.random.default_rng(0)
    circuit = QuantumCircuit(30)
    for _ in range(8000):
        circuit.cx(*rng.choice(30, 2, replace=False).tolist())
    before = from_qiskit(circuit)
    exchange_neighbours(from_qiskit(adder(2)))
    start = time.process_time()
    after = exchange_neighbours(before)
    assert time.process_time() - start < 3.0
    assert packets(after) < packets(before)
