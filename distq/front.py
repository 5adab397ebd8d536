"""What can be had for what: plans of which none is better than another in ebits, makespan and fidelity at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distq.errors import UsageError
from distq.objective import Figures, Objective

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.choose import Chooser, Predictor
    from distq.network.model import Network
    from distq.partition.plan import Plan
    from distq.pipeline import Homes
    from distq.program.compiled import CompiledProgram
    from distq.schedule.result import Timeline

#: What is tried: each figure alone, and mixtures of them.
OBJECTIVES = (
    "ebits",
    "makespan",
    "fidelity",
    "ebits=1,makespan=1",
    "ebits=3,makespan=1",
    "ebits=1,makespan=3",
    "makespan=1,fidelity=1",
    "ebits=1,makespan=1,fidelity=1",
)
#: Figures that differ by less than this share are equal, and fidelities that differ by less than what sampling adds.
SAME, SAME_FIDELITY = 1e-9, 0.002
#: Paths for each prediction.
SAMPLES = 4000


@dataclass(frozen=True, eq=False)
class Choice:
    """A program that no other one found beats in every figure.

    Attributes:
        objective, seed, effort: with these, and without the techniques `left_out`, `distq.compile` gives the same
            program.
        figures: its ebits; its makespan as `distq schedule` plans it; its predicted fidelity.
        program: verified if that was asked for.
    """

    objective: str
    seed: int
    effort: str
    figures: Figures
    program: CompiledProgram
    left_out: tuple[str, ...] = ()

    @property
    def options(self) -> str:
        """For the command line."""
        without = "".join(f" --without {name}" for name in self.left_out)
        return f"--objective {self.objective} --seed {self.seed} --effort {self.effort}{without}"


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """A Pareto front.

    Attributes:
        choices: by ebits, then makespan; none is as good as another in every figure and better in one.
        unit: of makespans: "s", or "operation" where the network states no time.
        programs: different programs that were compared.
        plans: plans that were tried on the way.
        circuit, network: names, for people.
    """

    choices: tuple[Choice, ...]
    unit: str
    programs: int
    plans: int
    circuit: str = ""
    network: str = ""

    @property
    def with_fidelity(self) -> bool:
        """Whether fidelities were predicted."""
        return any(x.figures.fidelity is not None for x in self.choices)

    def to_dict(self) -> dict[str, Any]:
        """The front as plain data."""
        from distq.report.tradeoff import tradeoff_dict

        return tradeoff_dict(self)

    def to_csv(self) -> str:
        """The front as comma-separated values."""
        from distq.report.tradeoff import tradeoff_csv

        return tradeoff_csv(self)

    def to_svg(self) -> str:
        """A picture of the front: makespans over ebits, with fidelities."""
        from distq.report.tradeoff import tradeoff_svg

        return tradeoff_svg(self)

    def __str__(self) -> str:
        from distq.report.tradeoff import tradeoff_text

        return tradeoff_text(self)


def tradeoff(
    circuit: str | Path | QuantumCircuit,
    network: Network | str | Path,
    *,
    objectives: Sequence[str | Mapping[str, float] | Objective] = OBJECTIVES,
    seeds: int = 1,
    effort: str = "default",
    seed: int = 0,
    partitioner: str = "auto",
    initial_homes: str | Homes | None = None,
    final_homes: str | Homes | None = None,
    pins: Homes | None = None,
    start: str = "any",
    outcomes_only: bool = False,
    without: Collection[str] = (),
    error_budget: float = 1e-9,
    verify: str = "symbolic",
    time_limit: float | None = None,
    progress: Callable[[str], None] | None = None,
    predict: Predictor | None = None,
) -> Tradeoff:
    """Compile a circuit for several objectives, and keep what no other program beats.

    The partition is searched once for each seed; every objective takes its plan from what was found.

    Args:
        circuit: as of `distq.compile`, and so are the others; only programs of the front are verified.
        network: see there.
        objectives: what the plans should be good at.
        seeds: how many seeds are tried, from `seed` on.
        seed: the first one.
        effort: see there.
        partitioner: see there.
        initial_homes: see there.
        final_homes: see there.
        pins: see there.
        start: see there.
        outcomes_only: see there.
        without: see there.
        error_budget: see there.
        verify: see there.
        time_limit: see there; for all seeds together.
        progress: see there.
        predict: fidelity of a timeline; None: `distq.predict_fidelity`, and a quicker estimate while plans are chosen.

    Raises:
        UsageError: an option has a value that is not known.
        InputError, NetworkError, InfeasibleError, VerificationError: as `distq.compile`.
    """
    from distq.circuit.from_qiskit import from_qiskit
    from distq.partition.halt import Halt
    from distq.pipeline import make_plan
    from distq.prepare import prepare
    from distq.rewrite.passes import COMPETING, enabled, other_forms

    wanted = [Objective.of(x) for x in objectives]
    if not wanted:
        raise UsageError("there is no objective to compile for; give at least one")
    if seeds < 1:
        raise UsageError(f"the number of seeds is {seeds}, but must be at least 1")
    halt = Halt(time_limit)
    ready = prepare(
        circuit,
        network,
        effort=effort,
        verify=verify,
        start=start,
        outcomes_only=outcomes_only,
        error_budget=error_budget,
        without=without,
    )
    source, network = ready.source, ready.network
    raw, merged, last = ready.normalise(from_qiskit(source))
    # One form of the circuit is searched for all objectives; `compile` would try others.
    left_out = {name for names, _ in other_forms(raw, enabled(without)) for name in names if name in COMPETING}
    left_out |= {"reuse"} if start == "zero" else set()
    found = _Front(predict or predicted, network, tuple(sorted(left_out - set(without))))
    for number in range(seed, seed + seeds):
        if progress:
            progress(f"seed {number}")
        collect = _Collector(wanted, predict)
        make_plan(
            merged,
            network.without_coupling(),
            raw=raw,
            last=last,
            effort=effort,
            seed=number,
            partitioner=partitioner,
            initial_homes=initial_homes,
            final_homes=final_homes,
            pins=pins,
            objective=collect,
            halt=halt,
        )
        found.plans += collect.plans
        for objective, plan in collect.chosen:
            found.add(objective, number, effort, plan)
        if halt.hit:
            break
    choices = found.best()
    if verify != "none":
        if progress:
            progress("verify")
        for choice in choices:
            ready.verify(choice.program)
    return Tradeoff(
        tuple(choices),
        "s" if network.timed else "operation",
        len(found.choices),
        found.plans,
        source.name,
        network.name,
    )


@dataclass(eq=False)
class _Collector:
    """Takes the plans for all objectives from one search."""

    wanted: list[Objective]
    predict: Predictor | None
    chosen: list[tuple[Objective, Plan]] = field(default_factory=list)
    plans: int = 0

    def __call__(self, chooser: Chooser) -> Plan:
        chooser.predict = self.predict
        for objective in self.wanted:
            self.chosen.append((objective, chooser.best(objective).plan))
        self.plans = chooser.plans
        return self.chosen[0][1]


def predicted(timeline: Timeline) -> float:
    """What `distq.predict_fidelity` predicts; the product of all fidelities where no path could be drawn."""
    from distq.fidelity.predict import predict_fidelity

    found = predict_fidelity(timeline, samples=SAMPLES)
    return found.fidelity if math.isfinite(found.fidelity) else found.product


class _Front:
    """Programs and their figures; equal plans are lowered once."""

    def __init__(self, predict: Predictor, network: Network, left_out: tuple[str, ...]) -> None:
        self.predict, self.network, self.left_out = predict, network, left_out
        self.choices: list[Choice] = []
        self.plans = 0
        self._known: set[tuple[bytes, ...]] = set()

    def add(self, objective: Objective, seed: int, effort: str, plan: Plan) -> None:
        """Lower a plan and find its figures, as `distq schedule` does."""
        from distq.pipeline import _Clock, _lower, count_plan
        from distq.program.compiled import CompiledProgram
        from distq.schedule.asap import asap
        from distq.schedule.plan import schedule

        columns = (plan.initial_homes, plan.kind, plan.a, plan.b, plan.c)
        key = tuple(x.tobytes() for x in columns)
        if key in self._known:
            return
        self._known.add(key)
        program, _ = _lower(plan, self.network, _Clock(None), effort, seed)
        timeline = schedule(program)
        figures = Figures(program.ebits, timeline.makespan, self.predict(timeline))
        stats = {**count_plan(plan), "objective": objective.text, "seed": seed, "effort": effort}
        compiled = CompiledProgram(program=program, schedule=asap(program), stats=stats)
        self.choices.append(Choice(objective.text, seed, effort, figures, compiled, self.left_out))

    def best(self) -> list[Choice]:
        """Those that none of the others beats; of equal ones the first."""
        kept: list[Choice] = []
        for choice in sorted(self.choices, key=lambda x: _values(x.figures)):
            if not any(_covers(x.figures, choice.figures) for x in kept):
                kept.append(choice)
        return kept


def _values(figures: Figures) -> tuple[float, float, float]:
    return float(figures.ebits), figures.makespan, -(1.0 if figures.fidelity is None else figures.fidelity)


def _covers(a: Figures, b: Figures) -> bool:
    """Whether `a` is at least as good as `b` in every figure."""
    *first, worth = _values(a)
    *second, other = _values(b)
    return worth <= other + SAME_FIDELITY and all(x <= y + SAME * abs(y) for x, y in zip(first, second))


__all__ = ["OBJECTIVES", "Choice", "Tradeoff", "tradeoff"]
