"""The normal form: equal circuits, right witnesses, fewer gates, and the gates that decompositions stand for."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from circuit_branches import densities, logical_branches, random_state
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import (
    C3SXGate,
    C3XGate,
    CCXGate,
    CCZGate,
    CPhaseGate,
    CSwapGate,
    MCPhaseGate,
    RC3XGate,
    RCCXGate,
    RZZGate,
)
from qiskit.quantum_info import Operator
from witness_replay import check_witnesses

import distq
from distq.circuit.from_qiskit import from_qiskit
from distq.circuit.to_qiskit import to_qiskit
from distq.cli.main import main
from distq.errors import UsageError
from distq.network.presets import resolve
from distq.ops import Op
from distq.rewrite import normal
from distq.rewrite.passes import COMPETING, TECHNIQUES, enabled, rewrite
from distq.rewrite.regroup import write_items
from distq.rewrite.turns import split_turns

PI = math.pi
#: The others have tests of their own: test_rewrite_resynthesis, test_rewrite_exchange.
NORMAL = enabled(("resynthesis", "embedding"))
ANGLES = st.sampled_from([0.3, 1.1, PI / 4, -PI / 4, PI / 8, PI / 2, -PI / 2, PI, 1e-20])
WIRES = st.permutations(range(4))
BASES = (("cx", "u"), ("cx", "rz", "h", "sx"), ("cz", "rz", "sx", "x"))
GATES = {
    "ccx": CCXGate(),
    "ccz": CCZGate(),
    "rccx": RCCXGate(),
    "cswap": CSwapGate(),
    "c3x": C3XGate(),
    "rc3x": RC3XGate(),
    "c3sx": C3SXGate(),
    "cp": CPhaseGate(0.3),
    "ccp": MCPhaseGate(0.3, 2),
    "ccs": MCPhaseGate(PI / 2, 2),
    "c3p": MCPhaseGate(-0.7, 3),
}


def decomposed(gate, basis):
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    return transpile(circuit, basis_gates=list(basis), optimization_level=0)


DECOMPOSED = {(name, basis): decomposed(gate, basis) for name, gate in GATES.items() for basis in BASES}
ONE = st.tuples(st.sampled_from(["h", "s", "sdg", "x", "y", "z", "sx", "sxdg", "t", "tdg"]), WIRES)
TURN = st.tuples(st.sampled_from(["rz", "rx", "ry", "p", "u"]), WIRES, ANGLES)
PAIR = st.tuples(st.sampled_from(["cx", "cz", "cy", "iswap", "swap"]), WIRES)
TWO = st.tuples(st.sampled_from(["cp", "rzz", "rxx", "cry"]), WIRES, ANGLES)
LADDER = st.tuples(st.just("ladder"), WIRES, ANGLES, st.integers(2, 4))
WHOLE = st.tuples(st.just("whole"), WIRES, st.sampled_from(sorted(DECOMPOSED)))


def build(parts, num_qubits=4):
    """A circuit of parts; pairs that were opened by cx, cz, cy are closed again at random places."""
    circuit = QuantumCircuit(num_qubits)
    opened = []
    for name, wires, *rest in parts:
        if name == "whole":
            body = DECOMPOSED[rest[0]]
            circuit.compose(body, wires[: body.num_qubits], inplace=True)
        elif name == "ladder":
            w = wires[: rest[1]]
            for a, b in pairwise(w):
                circuit.cx(a, b)
            circuit.rz(rest[0], w[-1])
            for a, b in reversed(list(pairwise(w))):
                circuit.cx(a, b)
        elif name == "close":
            if opened:
                kind, a, b = opened.pop()
                getattr(circuit, kind)(a, b)
        elif name == "u":
            circuit.u(rest[0], 0.4, -rest[0], wires[0])
        elif rest:
            count = 1 if name in ("rz", "rx", "ry", "p") else 2
            getattr(circuit, name)(rest[0], *wires[:count])
        elif name in ("cx", "cz", "cy", "iswap", "swap"):
            getattr(circuit, name)(*wires[:2])
            if len(name) == 2:
                opened.append((name, *wires[:2]))
        else:
            getattr(circuit, name)(wires[0])
    return circuit


PARTS = st.lists(st.one_of(ONE, TURN, PAIR, TWO, LADDER, WHOLE, st.tuples(st.just("close"), WIRES)), max_size=20)


def size(circuit):
    """Gates on two or more qubits, and their legs."""
    wide = circuit.arity[circuit.arity > 1]
    return len(wide), int(wide.sum())


def same(a, b):
    return Operator(to_qiskit(a)).equiv(Operator(to_qiskit(b)), atol=1e-8)


def check(before, values=None):
    """The normal form of a circuit; its witnesses are right, level by level, and it has no more gates than before."""
    made = []

    def record(items, old):
        made.append((old.circuit, write_items(items, old)))
        return made[-1][1]

    def record_split(circuit):
        made.append((circuit, split_turns(circuit)))
        return made[-1][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normal, "write_items", record)
        patch.setattr(normal, "split_turns", record_split)
        after = level = rewrite(before, NORMAL)
    while level is not before:
        (source,) = (old for old, new in made if new is level and old is not new)
        # Gates taken apart keep their origins: there is no witness for that.
        if len(source.rewrites) < len(level.rewrites):
            check_witnesses(source, level, values)
        level = source
    assert all(a <= b for a, b in zip(size(after), size(before)))
    return after


def wide_gates(circuit):
    """(code, number of qubits) of the gates on two or more, sorted."""
    return sorted((int(c), int(k)) for c, k in zip(circuit.code, circuit.arity) if k > 1)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(PARTS)
def test_random_circuits(parts):
    circuit = from_qiskit(build(parts))
    after = check(circuit)
    assert same(circuit, after)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.one_of(WHOLE, ONE), min_size=1, max_size=5), st.sampled_from([(), ("gadgets",), ("whole-gates",)]))
def test_decompositions_in_a_row(parts, without):
    circuit = from_qiskit(build(parts))
    after = rewrite(circuit, enabled(without))
    assert same(circuit, after)
    check(circuit)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("ccx", [(Op.MCP, 3)]),
        ("ccz", [(Op.MCP, 3)]),
        ("ccp", [(Op.MCP, 3)]),
        ("c3x", [(Op.MCP, 4)]),
        ("c3sx", [(Op.MCP, 4)]),
        ("cswap", [(Op.MCP, 2), (Op.MCP, 2), (Op.MCP, 3)]),
        ("cp", [(Op.PARITY, 2)]),
        ("rccx", [(Op.MCP, 2), (Op.PARITY, 2), (Op.PARITY, 2)]),
    ],
)
def test_known_decompositions(name, gates, basis):
    circuit = from_qiskit(DECOMPOSED[name, basis])
    after = check(circuit)
    assert wide_gates(after) == sorted((int(c), k) for c, k in gates)
    assert same(circuit, after)


def test_qelib_ccx():
    text = """OPENQASM 2.0; include "qelib1.inc"; qreg q[3];
    h q[2]; cx q[1],q[2]; tdg q[2]; cx q[0],q[2]; t q[2]; cx q[1],q[2]; tdg q[2]; cx q[0],q[2]; t q[1]; t q[2]; h q[2];
    cx q[0],q[1]; t q[0]; tdg q[1]; cx q[0],q[1];"""
    after = check(from_qiskit(QuantumCircuit.from_qasm_str(text)))
    assert wide_gates(after) == [(Op.MCP, 3)]
    assert after.params[after.param_offsets[np.flatnonzero(after.arity == 3)[0]]] == PI


def test_swapped_toffoli():
    circuit = QuantumCircuit(3)
    circuit.cx(2, 1)
    circuit.compose(DECOMPOSED["ccx", BASES[1]], [0, 1, 2], inplace=True)
    circuit.cx(2, 1)
    after = check(from_qiskit(circuit))
    assert wide_gates(after) == [(Op.MCP, 2), (Op.MCP, 2), (Op.MCP, 3)]


@pytest.mark.parametrize("shape", ["chain", "star", "tree"])
@pytest.mark.parametrize("angle", [0.37, "t"])
def test_pauli_ladders(shape, angle):
    letters = "XYZXYZ"
    edges = {
        "chain": [(k, k + 1) for k in range(5)],
        "star": [(k, 5) for k in range(5)],
        "tree": [(0, 1), (2, 3), (4, 5), (1, 3), (3, 5)],
    }[shape]
    circuit = QuantumCircuit(6)
    for q, letter in enumerate(letters):
        if letter == "Y":
            circuit.rx(PI / 2, q)
        elif letter == "X":
            circuit.h(q)
    for a, b in edges:
        circuit.cx(a, b)
    circuit.rz(Parameter("t") if angle == "t" else angle, 5)
    for a, b in reversed(edges):
        circuit.cx(a, b)
    for q, letter in enumerate(letters):
        if letter == "Y":
            circuit.rx(-PI / 2, q)
        elif letter == "X":
            circuit.h(q)
    before = from_qiskit(circuit)
    after = check(before, {"t": 0.37})
    assert wide_gates(after) == [(Op.PARITY, 6)]
    if angle == "t":
        row = int(np.flatnonzero(after.arity == 6)[0])
        expression = after.expressions[after.param_expr[after.param_offsets[row]]]
        assert {p.name for p in expression.parameters} == {"t"}
    else:
        assert same(before, after)


def test_symbolic_angles():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3)
    circuit.cp(a / 2, 1, 2)
    circuit.cx(0, 1)
    circuit.cp(-a / 2, 1, 2)
    circuit.cx(0, 1)
    circuit.cp(a / 2, 0, 2)
    circuit.h(1)
    circuit.cx(0, 1)
    circuit.rz(b, 1)
    circuit.cx(0, 1)
    values = {"a": 0.8, "b": -0.3}
    before = from_qiskit(circuit)
    after = check(before, values)
    found = to_qiskit(after)
    assert found.num_parameters == 2
    bound = found.assign_parameters(values)
    assert Operator(bound).equiv(Operator(circuit.assign_parameters(values)))
    assert wide_gates(after) == [(Op.MCP, 3), (Op.PARITY, 2)]


def test_rzz_is_one_rotation():
    circuit = QuantumCircuit(2)
    circuit.compose(RZZGate(0.2).definition, [0, 1], inplace=True)
    circuit.h(0)
    circuit.compose(RZZGate(1e-18).definition, [0, 1], inplace=True)
    after = check(from_qiskit(circuit))
    angles = [float(after.params[after.param_offsets[r]]) for r in np.flatnonzero(after.arity == 2)]
    assert angles == [0.2]  # a rotation of one qubit as small as that is the identity, so that CX meets CX


def test_a_phase_by_a_whole_turn():
    """CC-P(2 pi) in CX and RZ by quarter turns is nothing."""
    circuit = QuantumCircuit(3)
    circuit.h(2)
    for control, target, angle in ((1, 2, -1), (0, 2, 1), (1, 2, -1), (0, 2, 1), (0, 1, -1), (0, 1, 1)):
        circuit.cx(control, target)
        circuit.rz(angle * PI / 2, target)
    circuit.s(0)
    after = check(from_qiskit(circuit))
    assert wide_gates(after) == []


def test_two_axes():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.s(1)
    circuit.cx(0, 1)
    after = check(from_qiskit(circuit))
    assert wide_gates(after) == [(Op.PARITY, 2)]


def test_what_cancels():
    circuit = QuantumCircuit(4)
    ccx = DECOMPOSED["ccx", BASES[0]]
    circuit.compose(ccx, [0, 1, 2], inplace=True)
    circuit.cx(0, 3)
    circuit.compose(ccx, [1, 0, 2], inplace=True)
    circuit.rzz(0.4, 0, 1)
    circuit.cz(0, 2)
    circuit.rzz(-0.4, 1, 0)
    after = check(from_qiskit(circuit))
    assert wide_gates(after) == [(Op.MCP, 2), (Op.MCP, 2)]


@pytest.mark.parametrize("wall", ["measure", "reset", "if", "generic"])
def test_walls(wall):
    circuit = QuantumCircuit(3, 1)
    circuit.h(range(3))
    circuit.measure(2, 0)
    circuit.cx(0, 1)
    circuit.rz(0.4, 1)
    if wall == "measure":
        circuit.measure(1, 0)
    elif wall == "reset":
        circuit.reset(1)
    elif wall == "if":
        with circuit.if_test((0, 1)):
            circuit.x(1)
    else:
        circuit.u(0.3, 0.2, 0.1, 1)
    circuit.cx(0, 1)
    before = from_qiskit(circuit)
    after = rewrite(before, NORMAL)
    assert size(after) == size(before)
    assert after.rewrites == ()


def test_measurements_and_guards_that_commute():
    circuit = QuantumCircuit(3, 3)
    circuit.h(range(3))
    circuit.measure(2, 0)
    circuit.cx(0, 1)
    circuit.rz(0.4, 1)
    circuit.measure(0, 1)
    with circuit.if_test((0, 1)):
        circuit.cz(0, 2)
        circuit.rz(0.7, 0)
    circuit.cx(0, 1)
    with circuit.if_test((1, 0)):
        circuit.x(1)
        circuit.cx(0, 1)
    circuit.cx(0, 1)
    circuit.rx(0.4, 1)
    circuit.cx(0, 1)
    before = from_qiskit(circuit)
    after = rewrite(before, TECHNIQUES)
    assert len(after.rewrites) == 2
    state = random_state(3, 1)
    one, two = (densities(logical_branches(c, state)) for c in (before, after))
    assert one.keys() == two.keys()
    assert all(np.abs(one[k] - two[k]).max() < 1e-9 for k in one)


def test_nothing_to_do():
    circuit = QuantumCircuit(4)
    for k in range(3):
        circuit.h(k)
        circuit.cx(k, k + 1)
    before = from_qiskit(circuit)
    assert rewrite(before, TECHNIQUES) is before
    assert rewrite(before, ()) is before


def test_untouched_rows_are_kept():
    circuit = QuantumCircuit(4)
    circuit.u(0.1, 0.2, 0.3, 2)
    circuit.cx(2, 3)
    circuit.sx(3)
    circuit.cx(0, 1)
    circuit.rz(0.5, 1)
    circuit.cx(0, 1)
    circuit.ch(3, 2)
    before = from_qiskit(circuit)
    after = check(before)
    gone = {0: 3, 1: 4, 2: 5}
    for k in range(len(circuit)):
        old = before.code[before.origin == k].tolist()
        new = after.code[after.origin == k].tolist()
        assert new == ([] if k in gone.values() else old)


def test_names():
    assert enabled() == tuple(TECHNIQUES)
    assert "gadgets" not in enabled(("gadgets",))
    with pytest.raises(UsageError, match="gadgets, "):
        enabled(("gadget",))
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.rz(0.3, 1)
    circuit.cx(0, 1)
    network = resolve(None, "2", None, "unlimited", None, 2)
    with_all = distq.compile(circuit, network)
    without = distq.compile(circuit, network, without=("gadgets",))
    assert with_all.stats["techniques"]["rewrites"] == [t for t in TECHNIQUES if t not in COMPETING]
    assert without.stats["techniques"]["rewrites"][0] == "whole-gates"
    with pytest.raises(UsageError):
        distq.compile(circuit, network, without=("x",))


def test_option(tmp_path, capsys):
    path = tmp_path / "c.qasm"
    path.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; cx q[0],q[1]; rz(0.3) q[1]; cx q[0],q[1];')
    call = ["compile", str(path), "--modules", "2", "--json"]
    assert main([*call, "--without", "gadgets"]) == 0
    assert json.loads(capsys.readouterr().out)["techniques"]["rewrites"][0] == "whole-gates"
    assert main([*call, "--without", "nothing"]) == 2
    assert "whole-gates" in capsys.readouterr().err


@settings(max_examples=25, deadline=None, derandomize=True)
@given(PARTS, st.sampled_from(["unlimited", "2", "1"]))
def test_programs_are_verified(parts, comm):
    circuit = build(parts)
    network = resolve(None, "2", None, comm, None, 4)
    distq.compile(circuit, network, effort="fast", verify="symbolic")


def test_rotations_keep_their_side_of_a_block():
    """Gates put in the place of a whole gate count axes where it began; a rotation of its run must not slip by."""
    circuit = QuantumCircuit(4)
    circuit.cx(0, 2)
    circuit.cx(0, 3)
    circuit.p(PI / 8, 0)
    circuit.cx(0, 1)
    circuit.p(PI / 8, 3)
    circuit.cx(1, 3)
    circuit.p(-PI / 8, 3)
    circuit.cx(0, 3)
    circuit.p(PI / 8, 3)
    circuit.cx(1, 3)
    circuit.cx(0, 2)
    network = distq.Network.all_to_all(4, data=1, comm=1)
    program = distq.compile(circuit, network, effort="fast", partitioner="contiguous")
    assert distq.verify(circuit, program, method="symbolic").ok
    assert distq.verify(circuit, program, method="statevector").ok


def test_rotations_that_have_to_pass_a_block():
    """One of two blocks cannot stay on its side of the T between them; it says so when it is expanded."""
    circuit = QuantumCircuit(5)
    circuit.cx(0, 1)
    circuit.t(0)
    circuit.cx(0, 2)
    circuit.cx(3, 2)
    circuit.cx(0, 2)
    circuit.t(2)
    circuit.cx(2, 1)
    circuit.tdg(1)
    circuit.cx(0, 1)
    circuit.ccx(0, 4, 1)
    network = distq.Network.all_to_all(5, data=1, comm=1)
    program = distq.compile(circuit, network, effort="fast", partitioner="contiguous")
    assert distq.verify(circuit, program, method="symbolic").ok
    assert distq.verify(circuit, program, method="statevector").ok


@pytest.mark.parametrize("seed", range(12))
def test_leftover_rotations_beside_expanded_gates(seed):
    """Decomposed Toffoli gates on common controls with rotations between them, where each has to be expanded again."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(5)
    for _ in range(4):
        a, b, c = rng.permutation(5)[:3].tolist()
        circuit.compose(DECOMPOSED["ccx", BASES[seed % 2]], [a, b, c], inplace=True)
        circuit.p(float(rng.uniform(0.1, 1.0)), a)
        circuit.cx(a, c)
        circuit.rz(0.4, c)
        circuit.cx(a, c)
    network = distq.Network.all_to_all(5, data=1, comm=1)
    program = distq.compile(circuit, network, effort="fast", partitioner="contiguous", verify="none")
    assert distq.verify(circuit, program, method="symbolic").ok
    assert distq.verify(circuit, program, method="statevector").ok
