"""What Bell pairs are for: totals that add up, figures against plain counts over the rows of the program."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

import distq
from distq.errors import InputError
from distq.ops import Op
from distq.program.compiled import CompiledProgram
from distq.program.types import COMM
from distq.report.explain import Explanation, explain
from distq.report.explain_text import explain_text
from distq.testing.strategies import CompileCase, compile_cases


def blocks(qubits: int, layers: int, seed: int) -> QuantumCircuit:
    """Random pairs of qubits in layers: qubits move."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(qubits)
    for _ in range(layers):
        order = rng.permutation(qubits)
        for a, b in order[: qubits // 2 * 2].reshape(-1, 2).tolist():
            for _ in range(2):
                circuit.ry(float(rng.random()), a)
                circuit.cx(a, b)
                circuit.rx(float(rng.random()), b)
    return circuit


def check(compiled: CompiledProgram) -> Explanation:
    """Everything that can be counted from the rows of the program alone agrees with the explanation."""
    found = explain(compiled)
    total = found.totals
    program = compiled.program
    assert total["ebits"] == compiled.ebits == sum(total[x] for x in ("copies", "moves", "exchanges", "other"))
    assert {(x.a, x.b): x.ebits for x in found.links} == {k: n for k, n in compiled.ebits_per_link.items() if n}
    for x in found.links:
        assert x.ebits == x.copies + x.moves + x.exchanges + x.other
    assert sum(p.move_ebits for p in found.packets) == total["moves"]
    assert total["copies"] == sum(p.ebits for p in found.packets)
    # Gates on several qubits that touch a communication qubit holding a copy; the CX of protocols have other codes.
    owner = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
    on_comm = program.qubit_role[program.qubits] == COMM
    gate = np.isin(program.code, (Op.MCP, Op.PARITY)) & (np.diff(program.qubit_offsets) > 1)
    served = int(np.count_nonzero(on_comm & gate[owner]))
    moved = compiled.stats["teleports"] or compiled.stats["techniques"].get("parked_moves")
    assert total["remote_gates_served"] <= served or compiled.stats["techniques"].get("parity_nets")
    # A home on its way sits on a communication qubit too, and so does a parity.
    if not moved and not compiled.stats["techniques"].get("parity_nets"):
        assert total["remote_gates_served"] == served
    assert total["saved_by_copies"] == total["remote_gates_served"] - total["copies"]
    assert len(found.moves) == compiled.stats["teleports"]
    assert len(found.exchanges) == compiled.stats["exchanges"]
    assert all(x.ebits in (2, 3) for x in found.exchanges)
    for p in found.packets:
        assert p.remote_gates <= p.gates
        assert p.saved == p.remote_gates - p.ebits
        assert p.home not in p.copied_to or p.move_ebits
    # Qubits are where their moves have brought them.
    at = {q: place[0] for q, place in compiled.initial_layout.items()}
    for m in sorted((*found.moves, *found.exchanges), key=lambda m: m.time):
        changes = [(m.qubit, m.origin, m.target)] if hasattr(m, "qubit") else []
        if not changes:
            (a, b), (x, y) = m.qubits, m.modules
            changes = [(a, x, y), (b, y, x)]
        for q, origin, target in changes:
            assert origin != target
            at[q] = target
    assert Counter(at.values()) == Counter(place[0] for place in compiled.final_layout.values())
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=compile_cases(min_qubits=2, max_qubits=6, max_gates=16))
def test_totals_are_the_ebits(case: CompileCase) -> None:
    # Places that wires give up are no part of the account.
    options = {"effort": "fast", "verify": "none", "without": ("reuse",)}
    compiled = distq.compile(case.circuit, case.network, seed=case.seed, **options)
    check(compiled)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), comm=st.sampled_from([1, 2, None]), k=st.integers(2, 3))
def test_circuits_whose_qubits_move(seed: int, comm: int | None, k: int) -> None:
    network = distq.Network.all_to_all(k, data=6 // k, comm=comm)
    compiled = distq.compile(blocks(6, 6, seed), network, effort="fast", seed=seed, verify="none")
    found = check(compiled)
    if compiled.stats["teleports"] and k == 2 and comm is None:
        # The search moved qubits only because that pays; staying would have cost more.
        assert sum(m.saved for m in found.moves) >= 0


def test_moves_are_explained() -> None:
    """Two qubits work together in one module, then one of them in the other."""
    circuit = QuantumCircuit(4)
    rng = np.random.default_rng(1)
    for a, b in ((0, 1), (0, 2)):
        for _ in range(6):
            circuit.rx(float(rng.random()), a)
            circuit.cx(a, b)
            circuit.ry(float(rng.random()), b)
    compiled = distq.compile(
        circuit,
        distq.Network.all_to_all(2, data=3, comm=2),
        initial_homes={0: 0, 1: 0, 2: 1, 3: 1},
        final_homes="free",
        without=("resynthesis",),
    )
    found = check(compiled)
    assert len(found.moves) == compiled.ebits == 1
    move = found.moves[0]
    assert move.ebits == 1
    # At least five gates with packets of their own became local; the ebit of the move is already taken off.
    assert move.saved >= 4
    assert move.local_packets >= 5
    assert compiled.stats["techniques"]["moves"] == 1
    assert compiled.stats["optimal"]
    assert compiled.stats["lower_bound_homes"] <= 1


def test_saved_of_moves_is_a_recount() -> None:
    """For each move: the modules that its packets would touch had it stayed, from the plan's own steps."""
    from distq.circuit.from_qiskit import from_qiskit
    from distq.partition.plan import Step
    from distq.pipeline import make_plan
    from distq.report.account import account
    from distq.rewrite.merge import merge_one_qubit

    plan = make_plan(merge_one_qubit(from_qiskit(blocks(8, 8, 5))), distq.Network.all_to_all(2, data=4, comm=None))
    graph, moves = plan.graph, account(plan).moves
    assert len(moves["step"]) > 3
    site = {}
    for kind, a, b in zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist()):
        if kind == Step.NODE:
            site[a] = b
    legs = graph.leg_node()
    packet_sites = {p: {site[n] for n in legs[graph.leg_packet == p].tolist()} for p in range(graph.num_packets)}
    for i, q in enumerate(moves["qubit"]):
        later = [j for j in range(i + 1, len(moves["step"])) if moves["qubit"][j] == q]
        last = moves["packet"][later[0]] if later else int(graph.packet_offsets[q + 1]) - 1
        old, new = moves["from"][i], moves["to"][i]
        saved = 0
        for p in range(moves["packet"][i], last + 1):
            stay = packet_sites[p] | {old}
            now = packet_sites[p] | {new}
            if p == moves["packet"][i]:
                now |= {old}
            if later and p == last:
                target = moves["to"][later[0]]
                stay |= {target}
                now |= {target}
            saved += len(stay) - len(now)
        assert moves["saved"][i] == saved


def test_exchanges_and_relays() -> None:
    """One communication qubit a module on a line: qubits exchange homes. Two: copies go over a relay."""
    circuit = QuantumCircuit(3)
    circuit.cx(0, 2)
    one = distq.compile(circuit, distq.Network.line(3, data=1, comm=1), initial_homes={0: 0, 1: 1, 2: 2})
    found = check(one)
    assert found.totals["exchanges"] == 3 * len(found.exchanges) > 0
    two = distq.compile(
        circuit, distq.Network.line(3, data=1, comm=2), initial_homes={0: 0, 1: 1, 2: 2}, final_homes="same"
    )
    found = check(two)
    assert found.totals["copies"] == 2
    assert two.stats["techniques"].get("relays", 0) + two.stats["techniques"].get("detached_gates", 0) == 1


def test_saved_and_loaded(tmp_path: Path) -> None:
    compiled = distq.compile(blocks(6, 4, 2), distq.Network.all_to_all(3, data=2, comm=2))
    compiled.save(tmp_path / "p")
    loaded = distq.load(tmp_path / "p")
    assert check(loaded) == check(compiled)
    loaded.save(tmp_path / "again")
    assert explain(distq.load(tmp_path / "again")) == explain(compiled)
    assert (tmp_path / "p" / "manifest.json").read_bytes() == (tmp_path / "again" / "manifest.json").read_bytes()


def test_text() -> None:
    compiled = distq.compile(blocks(6, 6, 2), distq.Network.all_to_all(3, data=2, comm=2))
    found = explain(compiled)
    text = explain_text(found, 100, top=2)
    assert text.startswith(f"{compiled.ebits} ebits: ")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    tables = (("Packets with gates on copies", sum(p.ebits + p.remote_gates > 0 for p in found.packets)),)
    for title, count in (*tables, ("Moves", len(found.moves))):
        if count > 2:
            assert f"{title} (the 2 biggest of {count})" in text
    everything = found.to_dict()
    assert json.loads(json.dumps(everything))["totals"] == everything["totals"]
    assert len(everything["packets"]) == len(found.packets)
    ebits = [p["ebits"] + p["move_ebits"] for p in everything["packets"]]
    assert ebits == sorted(ebits, reverse=True)
    assert len(found.to_dict(1)["packets"]) == 1
    alone = distq.compile(blocks(4, 2, 1), distq.Network.all_to_all(1, data=4))
    assert explain_text(explain(alone), 100) == "The program consumes no Bell pairs.\n"


def test_axes() -> None:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.s(0)
    circuit.cz(0, 1)
    circuit.ry(0.3, 1)
    circuit.cz(1, 2)
    network = distq.Network.all_to_all(3, data=1, comm=None)
    axes = {(p.qubit, p.axis) for p in explain(distq.compile(circuit, network)).packets}
    assert axes <= {(0, "X"), (1, "Z"), (1, "(-0.3, 0, 0.96)"), (2, "Z")}
    assert axes


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda rows: {}, "does not say"),
        (lambda rows: {**rows, "fetch": {}}, "missing"),
        (lambda rows: {**rows, "fetch": {**rows["fetch"], "step": rows["fetch"]["step"][:-1]}}, "do not fit"),
        (lambda rows: {**rows, "fetch": {**rows["fetch"], "packet": [99] * len(rows["fetch"]["step"])}}, "do not fit"),
        (lambda rows: {**rows, "packet": {**rows["packet"], "home": [-1] * len(rows["packet"]["home"])}}, "do not fit"),
        (lambda rows: {**rows, "move": 3}, "wrong value"),
    ],
)  # fmt: skip
def test_bad_records(change, part: str) -> None:  # type: ignore[no-untyped-def]
    network = distq.Network.all_to_all(2, data=2, comm=2)
    compiled = distq.compile(blocks(4, 3, 3), network, effort="fast", verify="none")
    assert compiled.ebits
    with pytest.raises(InputError, match=part):
        explain(replace(compiled, plan_rows=change(compiled.plan_rows)))
