"""Rewriting passes: the circuit stays equal, witnesses equal their sources, and the rules are kept."""

import math
import random

import numpy as np
import pytest
from circuit_branches import densities, logical_branches, random_state
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, random_unitary
from witness_checks import matrix, same

from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.logical import NO_ORIGIN
from distq.circuit.to_qiskit import to_qiskit
from distq.ops import Op
from distq.rewrite.blocks import Rewriting, witness_row
from distq.rewrite.expand import expand_gates
from distq.rewrite.merge import merge_one_qubit
from distq.testing.random_circuits import RandomChoices, random_circuit

PI = math.pi
H, MCP, PARITY = int(Op.H), int(Op.MCP), int(Op.PARITY)


def equal(before, after):
    return same(Operator(to_qiskit(before)).data, Operator(to_qiskit(after)).data)


def rows_of(circuit, origin):
    return [witness_row(circuit, int(r)) for r in Rewriting(circuit).rows_of(origin)]


def wires_of(rows):
    return sorted({q for _, wires, _ in rows for q in wires})


def test_cx_rz_cx_becomes_a_parity():
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.rz(0.3, 2)
    circuit.cx(0, 2)
    circuit.cz(1, 2)
    before = from_qiskit(circuit)
    rewriting = Rewriting(before)
    rewriting.replace(range(1, 8), [(PARITY, (0, 2), (0.3,))], 4)
    assert rewriting.is_taken(7)
    assert not rewriting.is_taken(8)
    after = rewriting.build()
    assert after.code.tolist() == [H, PARITY, MCP]
    assert after.origin.tolist() == [0, -1, 4]
    assert [(r.sources, r.rows, r.swaps) for r in after.rewrites] == [((1, 3), ((PARITY, (0, 2), (0.3,)),), ())]
    assert after.blocks == ((0, 3, 1),)
    assert equal(before, after)


def test_an_earlier_rewrite_is_a_source():
    circuit = QuantumCircuit(2)
    circuit.ecr(0, 1)
    circuit.cz(0, 1)
    before = from_qiskit(circuit)
    (ecr,) = before.rewrites
    rewriting = Rewriting(before)
    rewriting.replace(range(len(before)), [*ecr.rows, (MCP, (0, 1), (PI,))], 0)
    after = rewriting.build()
    assert after.rewrites[0] == ecr
    assert after.rewrites[1].sources == (-1, 1)
    assert (after.origin == -2).all()
    assert equal(before, after)


def test_exchanged_wires():
    circuit = QuantumCircuit(4)
    for a, b in ((0, 1), (1, 0), (0, 1)):
        circuit.cx(a, b)
    circuit.unitary(random_unitary(4, seed=1), [1, 2])
    circuit.iswap(0, 3)
    circuit.cx(0, 1)
    for a, b in ((0, 2), (2, 0), (0, 2)):
        circuit.cx(a, b)
    circuit.crx(0.3, 2, 1)
    before = from_qiskit(circuit)
    # After the iSWAP qubit 0 is on wire 3.
    last = [int(r) for k in (6, 7, 8) for r in Rewriting(before).rows_of(k)]
    rewriting = Rewriting(before)
    rewriting.replace(last, [], last[0], swaps=((3, 2),))
    rewriting.replace(range(9), [], 4, swaps=((0, 1),))
    after = rewriting.build()
    assert equal(before, after)
    assert [r.sources for r in after.rewrites[2:]] == [(0, 1, 2), (6, 7, 8)]
    assert [r.swaps for r in after.rewrites[2:]] == [((0, 1),), ((3, 2),)]
    assert after.rewrites[:2] == before.rewrites
    assert len(after) == len(before) - 18
    # A second pass, in the new names: the unitary now acts on wire 0.
    (unitary,) = {o for o in after.origin.tolist() if o < 0 and 2 in wires_of(rows_of(after, o))}
    assert wires_of(rows_of(after, unitary)) == [0, 2]
    again = Rewriting(after)
    rows = again.rows_of(unitary)
    again.replace(rows, [*rows_of(after, unitary), (H, (0,), ()), (H, (0,), ())], int(rows[0]))
    assert equal(before, again.build())
    assert wires_of(again.build().rewrites[-1].rows) == [0, 2]


def test_cycles_of_wires_are_swaps_one_after_the_other():
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit.cz(0, 1)
    circuit.crx(0.3, 1, 2)
    circuit.cry(0.4, 2, 3)
    before = from_qiskit(circuit)
    rewriting = Rewriting(before)
    at = rewriting.rows_of(1)
    rewriting.replace(at, rows_of(before, 1), int(at[0]), swaps=((0, 1), (1, 2), (3, 1)))
    exchanged = QuantumCircuit(4)
    exchanged.h(0)
    exchanged.cz(0, 1)
    for a, b in ((0, 1), (1, 2), (3, 1)):
        exchanged.swap(a, b)
    exchanged.crx(0.3, 1, 2)
    exchanged.cry(0.4, 2, 3)
    assert equal(from_qiskit(exchanged), rewriting.build())
    assert same(Operator(exchanged).data, Operator(to_qiskit(rewriting.build())).data)


def neighbours(circuit, choices):
    """Two instructions on several qubits whose rows stand next to each other, and what they are."""
    wide = [int(o) for o in dict.fromkeys(circuit.origin[circuit.arity > 1].tolist())]
    rewriting = Rewriting(circuit)
    for k in range(len(wide) - 1):
        first, second = rewriting.rows_of(wide[k]), rewriting.rows_of(wide[k + 1])
        between = range(int(first[-1]) + 1, int(second[0]))
        others = {int(q) for r in between for q in witness_row(circuit, r)[1]}
        if not others & set(wires_of(rows_of(circuit, wide[k + 1]))) and choices.integer(0, 1):
            yield wide[k], wide[k + 1]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_random_passes(seed):
    choices = RandomChoices(seed)
    features = ("standard", "multi", "unitary", "swap")
    before = circuit = from_qiskit(random_circuit(choices, 4, 14, features))
    for _ in range(3):
        rewriting, used = Rewriting(circuit), set()
        pairs = list(neighbours(circuit, choices))
        choices.rng.shuffle(pairs)
        for a, b in pairs:
            if {a, b} & used:
                continue
            used |= {a, b}
            rows = [*rewriting.rows_of(a).tolist(), *rewriting.rows_of(b).tolist()]
            new = [*rows_of(circuit, a), *rows_of(circuit, b)]
            wires = wires_of(new)
            swaps = ()
            if choices.integer(0, 2) == 0:
                p, q = random.Random(seed).sample(wires, 2)
                for c, t in ((p, q), (q, p), (p, q)):
                    new += [(H, (t,), ()), (MCP, (c, t), (PI,)), (H, (t,), ())]
                swaps = ((p, q),)
            rewriting.replace(rows, new, int(rewriting.rows_of(a)[-1]) + 1, swaps)
        after = rewriting.build()
        assert equal(circuit, after)
        for number in range(len(circuit.rewrites), len(after.rewrites)):
            assert set(after.rewrites[number].sources) <= used
            assert list(after.rewrites[number].rows) == rows_of(after, -1 - number)
        assert NO_ORIGIN not in after.origin
        circuit = after
    assert equal(before, circuit)
    assert equal(before, merge_one_qubit(circuit))


def test_random_expansions():
    choices, compared = RandomChoices(5), 0
    for _ in range(40):
        before = from_qiskit(random_circuit(choices, 5, 8, ("standard", "multi", "parameters")))
        wide = [int(r) for r in np.flatnonzero(before.arity > 2) if choices.integer(0, 2)]
        after = expand_gates(before, wide)
        values = {p: math.sin(sum(map(ord, p.name))) for p in before.parameters}
        a, b = (Operator(to_qiskit(c).assign_parameters(values)).data for c in (before, after))
        assert same(a, b)
        chosen = dict.fromkeys(before.origin[sorted(wide)].tolist())
        assert [r.sources for r in after.rewrites[len(before.rewrites) :]] == [(k,) for k in chosen]
        for number, rewrite in enumerate(after.rewrites[len(before.rewrites) :], len(before.rewrites)):
            old, new = rows_of(before, rewrite.sources[0]), rows_of(after, -1 - number)
            assert list(rewrite.rows) == new
            wires = wires_of(old)
            assert same(matrix(old, wires), matrix(rewrite.rows, wires))
            compared += 1
        # Merging keeps the order of all gates on several qubits.
        raw, merged = (c.code[c.arity > 1].tolist() for c in (after, merge_one_qubit(after)))
        assert raw == merged
    assert compared > 20


def conditional():
    circuit = QuantumCircuit(4, 2)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[0], 1)) as otherwise:
        circuit.x(0)
    with otherwise:
        circuit.ccx(0, 1, 2)
        circuit.cx(0, 3)
    circuit.cx(1, 3)
    return circuit


def test_all_visits_are_expanded_and_share_a_witness():
    source = conditional()
    before = from_qiskit(source)
    wide = np.flatnonzero(before.arity > 2)
    assert len(wide) == 2
    assert Rewriting(before).is_repeated[wide].all()
    assert not Rewriting(before).is_repeated[-1]
    state = random_state(4, 1)
    wanted = densities(logical_branches(before, state))
    for chosen in ([wide[1]], wide):
        after = expand_gates(before, chosen)
        assert after.arity.max() == 2
        (rewrite,) = after.rewrites
        assert before.paths[rewrite.sources[0]] == (4, 1, 0)
        assert (after.origin == -1).sum() == 2 * len(rewrite.rows)
        found = densities(logical_branches(after, state))
        assert found.keys() == wanted.keys()
        for key, value in found.items():
            np.testing.assert_allclose(value, wanted[key], atol=1e-9)


def test_visits_are_replaced_alike_or_not_at_all():
    before = from_qiskit(conditional())
    (k,) = {int(o) for o in before.origin[before.arity > 2]}
    probe = Rewriting(before)
    first, second = (part.tolist() for part in np.split(probe.rows_of(k), 2))
    old = rows_of(before, k)[: len(first)]
    new = [(H, (3,), ()), (H, (3,), ()), *old]

    def run(*calls):
        rewriting = Rewriting(before)
        for rows, body, at in calls:
            rewriting.replace(rows, body, at)
        return rewriting.build()

    after = run((first, new, first[0]), (second, new, second[0]))
    assert [r.rows for r in after.rewrites] == [tuple(new)]
    state = random_state(4, 2)
    wanted, found = (densities(logical_branches(c, state)) for c in (before, after))
    for key, value in found.items():
        np.testing.assert_allclose(value, wanted[key], atol=1e-9)
    with pytest.raises(ValueError, match="is left while others are removed"):
        run((first, new, first[0]))
    with pytest.raises(ValueError, match="other rows in another visit"):
        run((first, new, first[0]), (second, old, second[0]))
    with pytest.raises(ValueError, match="different guards"):
        run(([*first, *second], new, first[0]))
    with pytest.raises(ValueError, match="do not cancel"):
        run((first[1:], new, first[0]), (second, new, second[0]))


def test_rules():
    circuit = QuantumCircuit(3, 1)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.rz(0.1, 0)
    circuit.ecr(0, 1)
    circuit.measure(0, 0)
    before = from_qiskit(circuit)
    # 0: H; 1-3: CCX; 4: RZ; 5-9: ECR; then the measurement
    size = len(before)
    cases = [
        ([2], "row 1 is left"),
        ([0], "no gate on two or more qubits"),
        ([0, 1, 2, 3], "wire 0 is removed that stands before it"),
        ([1, 2, 3, size - 1], "measurement"),
    ]
    for removed, message in cases:
        rewriting = Rewriting(before)
        rewriting.replace(removed, [], 1)
        with pytest.raises(ValueError, match=message):
            rewriting.build()
    rewriting = Rewriting(before)
    with pytest.raises(ValueError, match="cannot stand before row"):
        rewriting.replace([1, 2, 3], [], size + 1)
    rewriting.replace([1, 2, 3, 4], [], 1)
    with pytest.raises(ValueError, match="row 3 is removed twice"):
        rewriting.replace([3], [], 1)
    with pytest.raises(ValueError, match="row 2 is removed twice"):
        rewriting.substitute(2, [])
    with pytest.raises(ValueError, match="row 0 is no gate"):
        rewriting.substitute(0, [])
    with pytest.raises(ValueError, match="no origins"):
        Rewriting(merge_one_qubit(before))
    assert Rewriting(before).build() is before


def test_symbols_of_new_rows():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.crz(a, 0, 1)
    circuit.crx(b, 0, 1)
    circuit.rzz(2 * a, 0, 1)
    before = from_qiskit(circuit)
    rewriting = Rewriting(before)
    middle = rewriting.rows_of(1)
    assert witness_row(before, int(rewriting.rows_of(2)[0])) == (PARITY, (0, 1), (2 * a,))
    rewriting.replace(rewriting.rows_of(2), [(PARITY, (1, 0), (a,)), (PARITY, (1, 0), (a,))], len(before))
    rewriting.replace(middle, [], int(middle[0]))
    after = rewriting.build()
    assert after.parameters == (a,)
    assert len(after.expressions) == after.param_expr.max() + 1
    found = Operator(to_qiskit(after).assign_parameters({a: 0.3})).data
    assert same(found, Operator(circuit.assign_parameters({a: 0.3, b: 0.0})).data)


def test_scale():
    circuit = QuantumCircuit(40)
    rng = np.random.default_rng(0)
    for _ in range(3000):
        a, b = (int(v) for v in rng.choice(40, 2, replace=False))
        circuit.cx(a, b)
        circuit.rz(0.1, b)
        circuit.cx(a, b)
    before = from_qiskit(circuit)
    rewriting = Rewriting(before)
    for start in range(0, len(before), 7):
        c, t = (int(q) for q in before.qubits[before.qubit_offsets[start + 1] :][:2])
        rewriting.replace(range(start, start + 7), [(PARITY, (c, t), (0.1,))], start)
    after = rewriting.build()
    assert len(after) == len(after.rewrites) == 3000
    assert after.rewrites[7].sources == (21, 23)
    assert (after.origin == -1 - np.arange(3000)).all()
