"""Objectives: how they are named, what they compare, and that the plans they take are right and better by them."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

import distq
from distq.choose import Chooser, quick_schedule
from distq.circuit.from_qiskit import from_qiskit
from distq.errors import UsageError
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.objective import Figures, Objective
from distq.partition.halt import Halt
from distq.pipeline import make_plan, normalise
from distq.rewrite.passes import COMPETING
from distq.schedule.plan import schedule
from distq.testing import CompileCase, RandomChoices, check_case, random_case, random_circuit

sys.path.insert(0, str(Path(__file__).parent / "schedule"))
from timeline_checks import random_hardware

HARDWARE = ModuleHardware(one_qubit_time=1e-6, two_qubit_time=1e-5, measure_time=1e-5, reset_time=1e-6)
PAIR = LinkHardware(pair_time=1e-4, latency=1e-6)


def four(data: int, comm: int = 2) -> Network:
    return Network.all_to_all(4, data, comm, hardware=HARDWARE, link_hardware=PAIR)


def test_names_and_weights() -> None:
    assert Objective.of("makespan") == Objective(makespan=1)
    assert Objective.of("ebits=1, makespan=2.5") == Objective(ebits=1, makespan=2.5)
    assert Objective.of({"fidelity": 3}) == Objective(fidelity=3)
    assert Objective.of("ebits=0,fidelity=2").single == "fidelity"
    for text in ("ebits", "makespan", "ebits=1,makespan=2.5", "makespan=0.1,fidelity=3"):
        assert Objective.of(Objective.of(text).text) == Objective.of(text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("speed", "names 'speed'; it must be one of ebits, makespan, fidelity"),
        ({"ebits": -1}, "weight of ebits in the objective is -1"),
        ("ebits=x", "weight of ebits in the objective is 'x'"),
        ({"makespan": math.nan}, "weight of makespan in the objective is nan"),
        ({"makespan": True}, "weight of makespan in the objective is True"),
        ({"ebits": 0}, "every weight of the objective is 0"),
        ({}, "every weight of the objective is 0"),
        (7, "the objective is 7; it must be one of"),
        ("", "names ''"),
    ],
)
def test_bad_objectives(value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Objective.of(value)
    with pytest.raises(UsageError, match=message):
        distq.compile(random_case(1).circuit, random_case(1).network, objective=value)


def test_what_is_better() -> None:
    reference = Figures(10, 2.0, 0.9)
    quick, frugal, good = Figures(12, 1.0, 0.85), Figures(8, 2.5, 0.85), Figures(12, 2.5, 0.95)

    def best(text: str) -> Figures:
        return min((quick, frugal, good), key=lambda x: Objective.of(text).key(x, reference))

    assert (best("makespan"), best("ebits"), best("fidelity")) == (quick, frugal, good)
    assert best("makespan=1,ebits=0.1") == quick
    assert best("makespan=0.1,ebits=1") == frugal
    # -ln F: 0.05 against 0.16 with 0.105 as one.
    key = Objective(ebits=2, makespan=3, fidelity=5).key(good, reference)
    assert key[0] == pytest.approx(2 * 1.2 + 3 * 1.25 + 5 * math.log(0.95) / math.log(0.9))
    # Equal makespans: fewer ebits.
    assert Objective.of("makespan").key(Figures(3, 1.0), reference) < Objective.of("makespan").key(
        Figures(4, 1.0), reference
    )
    assert Objective.of("fidelity").key(Figures(3, 1.0, 0.0), reference)[0] == math.inf


@pytest.mark.parametrize("objective", ["makespan", "ebits=1,makespan=1"])
@pytest.mark.parametrize("part", range(3))
def test_programs_are_right(objective: str, part: int) -> None:
    for seed in range(part, 12, 3):
        case = random_case(seed, min_qubits=2, max_qubits=5, max_gates=15)
        network = random_hardware(seed, case.network) if seed % 5 else case.network
        timed = CompileCase(case.circuit, network, case.seed)
        options = {"objective": objective, "effort": "fast"}
        found = check_case(timed, shots=0, options=options, methods=("symbolic", "statevector"))
        assert found.problems == []


def chooser(seed: int, effort: str = "fast") -> Chooser:
    """The chooser for a random circuit on four modules."""
    circuit = random_circuit(RandomChoices(seed), 12, 120, ("standard", "clifford"))
    found: list[Chooser] = []

    def take(it: Chooser):  # type: ignore[no-untyped-def]
        found.append(it)
        return it.best(Objective(ebits=1)).plan

    _, merged, _ = normalise(from_qiskit(circuit), four(3), without=COMPETING)
    make_plan(merged, four(3), effort=effort, seed=seed, objective=take)
    return found[0]


@pytest.mark.parametrize("seed", range(4))
def test_none_is_worse_than_the_plan_for_ebits(seed: int) -> None:
    it = chooser(seed)
    it.predict = lambda timeline: math.exp(-timeline.makespan * 1e3) * 0.99 ** len(timeline.graph.pairs)
    fewest = it.best(Objective(ebits=1)).figures
    quickest = it.best(Objective(makespan=1)).figures
    best = it.best(Objective(fidelity=1)).figures
    both = it.best(Objective(ebits=1, makespan=1)).figures
    assert quickest.makespan < fewest.makespan
    assert both.ebits / fewest.ebits + both.makespan / fewest.makespan <= 2
    assert best.fidelity is not None
    assert best.fidelity >= math.exp(-quickest.makespan * 1e3) * 0.99**fewest.ebits * 0.9
    assert it.best(Objective(fidelity=1)).figures == best


def test_figures_are_those_of_the_schedule() -> None:
    circuit = random_circuit(RandomChoices(3), 12, 120, ("standard", "clifford"))
    it = chooser(3)
    for objective in (Objective(ebits=1), Objective(makespan=1)):
        tried = it.best(objective)
        # One form of the circuit, as the chooser has one.
        options: dict[str, Any] = {"effort": "fast", "seed": 3, "verify": "none", "without": COMPETING}
        program = distq.compile(circuit, four(3), objective=objective, **options)
        assert program.ebits == tried.figures.ebits
        assert program.stats["objective"] == objective.text
        timeline = quick_schedule(tried.plan)
        assert timeline is not None
        assert timeline.makespan == tried.figures.makespan
        assert schedule(program).makespan == pytest.approx(tried.figures.makespan, rel=0.1)
        assert schedule(program).makespan <= tried.figures.makespan * (1 + 1e-12)


def test_makespans_count_units_where_there_is_no_time() -> None:
    network = Network.all_to_all(4, 3, 2)
    found = []
    for seed in (3, 4, 5):
        circuit = random_circuit(RandomChoices(seed), 12, 60, ("standard", "clifford"))
        found.append(
            [
                schedule(distq.compile(circuit, network, effort="fast", objective=name, verify="none")).makespan
                for name in ("ebits", "makespan")
            ]
        )
    assert all(quick <= usual for usual, quick in found)
    assert any(quick < usual for usual, quick in found)


def test_the_search_can_be_halted() -> None:
    it = chooser(1)
    it.halt = Halt(1e-9)
    it._known.clear()
    it.best(Objective(makespan=1))
    assert it.halt.hit
    assert len(it._known) <= 2 * (len(it.candidates) + len(it.others))


def test_plans_without_a_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pairs grow too old whatever is done, the plan with the fewest ebits is still given."""
    it = chooser(2)
    it._known.clear()
    monkeypatch.setattr("distq.choose.quick_schedule", lambda plan: None)
    it.predict = lambda timeline: 1.0
    for text in ("ebits", "makespan", "fidelity", "ebits=1,makespan=1"):
        figures = it.best(Objective.of(text)).figures
        assert figures.makespan == math.inf
        assert figures.ebits <= min(x.figures.ebits for x in it._known.values() if x is not None and x.rule is None)
