"""Which plan is taken: placements are put in order in several ways, and the objective judges what becomes of them.

Every plan is lowered and scheduled on the hardware of the network, so that makespans and fidelities are those of real
schedules. Budgets count plans, whatever the computer's speed.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from distq.errors import InfeasibleError
from distq.objective import Figures, Objective
from distq.partition.halt import Halt

if TYPE_CHECKING:
    from distq.circuit.logical import LogicalCircuit
    from distq.network.model import Network
    from distq.partition.order_time import Rule
    from distq.partition.packets import PacketGraph
    from distq.partition.plan import Placement, Plan
    from distq.schedule.result import Timeline

#: The predicted fidelity of a schedule, from 0 to 1.
Predictor = Callable[["Timeline"], float]
#: How many orders are tried by the clock, for ebits (of as many ebits the quickest) and for other objectives.
ROUNDS = {"fast": (12, 64), "default": (36, 192), "best": (128, 1024)}
#: Nodes of all plans tried together, at most; so that big circuits get fewer rounds.
NODES = {"fast": 60_000, "default": 300_000, "best": 3_000_000}
#: Urgency, single and hold of the rules that are tried first.
RULES = (
    (0.3, 3.0, 0.0),
    (1.0, 1.0, 0.5),
    (0.0, 3.0, 0.5),
    (1.0, 0.0, 0.0),
    (0.3, 1.0, 0.0),
    (2.0, 1.0, 0.3),
    (1.0, 3.0, 0.5),
    (0.0, 0.0, 0.3),
    (0.3, 10.0, 0.3),
    (2.0, 3.0, 0.0),
)
#: Number of a placement, and the rule of its order.
_Trial = tuple[int, "Rule"]


@dataclass(frozen=True, eq=False)
class Tried:
    """A plan that was tried.

    Attributes:
        plan: placement and order.
        figures: what it costs.
        index: of the placement it was made from.
        rule: of its order; None: the usual one.
    """

    plan: Plan
    figures: Figures
    index: int
    rule: Rule | None


@dataclass
class Chooser:
    """Tries orders of placements. The figures of a plan are found once, however many objectives ask for it.

    Attributes:
        circuit, graph, network: what is compiled.
        candidates: placements with few ebits, the first of which can be put in order.
        others: more placements, for other objectives.
        effort, seed: budget, and of the noise in orders.
        predict: fidelities; None: `estimated`.
        exchange: as of `partition.order.order`.
        halt: ends the search early.
    """

    circuit: LogicalCircuit
    graph: PacketGraph
    network: Network
    candidates: Sequence[Placement]
    others: Sequence[Placement] = ()
    effort: str = "default"
    seed: int = 0
    predict: Predictor | None = None
    exchange: bool = True
    halt: Halt = field(default_factory=Halt)
    _ordered: dict[int, Plan] = field(default_factory=dict)
    _known: dict[tuple[int, Rule | None, bool, bool], Tried | None] = field(default_factory=dict)

    @classmethod
    def of_plans(
        cls, plans: Sequence[Plan], others: Sequence[Placement], effort: str, seed: int, **rest: Any
    ) -> Chooser:
        """A chooser that has these plans already; `rest` are further fields."""
        first = plans[0]
        candidates = [plan.placement for plan in plans]
        chooser = cls(first.circuit, first.graph, first.network, candidates, others, effort, seed, **rest)
        chooser._ordered.update(enumerate(plans))
        return chooser

    def best(self, objective: Objective) -> Tried:
        """The best plan by an objective.

        Raises:
            InfeasibleError: the first placement cannot be put in order.
        """
        from distq.partition.order import order

        rounds = self._rounds(objective)
        # Without time all plans with as many ebits are the same.
        timed, faithful = rounds > 0, objective.fidelity > 0
        placements = len(self.candidates)
        if objective.single != "ebits":
            placements += len(self.others)
        found = [x for i in range(placements) if (x := self._try(i, None, timed, faithful)) is not None]
        if objective.single != "ebits":
            # The plan for ebits is the reference, and none that is worse than it is taken.
            fewest = self.best(Objective(ebits=1))
            found += [x for x in (self._try(fewest.index, fewest.rule, timed, faithful),) if x is not None]
        if not found:
            # Raises what is wrong with it.
            plan = order(self.circuit, self.graph, self.network, self.candidates[0], self.exchange)
            found = [Tried(plan, self.figures(plan, timed, faithful), 0, None)]
        reference = min(found, key=lambda x: (x.figures.ebits, x.figures.makespan, x.index)).figures

        def key(x: Tried) -> tuple[float, ...]:
            return objective.key(x.figures, reference)

        best = min(found, key=lambda x: (key(x), x.index))
        trials = self._trials(placements)
        trial = next(trials)
        for _ in range(rounds):
            if self.halt.asked():
                break
            tried = self._try(*trial, timed, faithful)
            if tried is not None and key(tried) < key(best):
                best = tried
            # The next trial may vary the best so far.
            trial = trials.send((best.index, best.rule))
        return best

    @property
    def plans(self) -> int:
        """How many different plans were tried."""
        return len({(index, rule) for index, rule, _, _ in self._known})

    def _rounds(self, objective: Objective) -> int:
        few, many = ROUNDS[self.effort]
        most = NODES[self.effort] // max(self.graph.num_nodes, 1)
        if objective.single == "ebits":
            return min(few, most // 3) if self.network.timed else 0
        return min(many, max(most, 4))

    def _trials(self, placements: int) -> Generator[_Trial, tuple[int, Rule | None], None]:
        """Placements and rules to try, endlessly: fixed rules, then variations of the best so far, which is sent."""
        best: tuple[int, Rule | None] = (0, None)
        for weights in RULES[:2]:
            for i in range(placements):
                best = yield i, _rule(weights)
        for weights in RULES[2:]:
            best = yield best[0], _rule(weights)
        choices = random.Random(self.seed)
        for number in itertools.count():
            index, rule = best
            if rule is None or number % 4 == 3:
                index, rule = choices.randrange(placements), _rule(choices.choice(RULES))
            elif number % 2:
                rule = replace(
                    rule,
                    urgency=rule.urgency * choices.choice((0.7, 1.0, 1.4)) + choices.choice((0.0, 0.1)),
                    single=rule.single * choices.choice((0.7, 1.0, 1.4)),
                    hold=max(0.0, rule.hold + choices.choice((-0.2, 0.0, 0.2))),
                    ahead=choices.choice((4, 16, 64)),
                )
            noise = choices.choice((0.1, 0.3, 1.0))
            best = yield index, replace(rule, noise=noise, seed=choices.randrange(2**31))

    def _try(self, index: int, rule: Rule | None, timed: bool, faithful: bool) -> Tried | None:
        """Put a placement in order; None where that is not possible."""
        key = (index, rule, timed, faithful)
        if key not in self._known:
            try:
                self._known[key] = self._tried(index, rule, timed, faithful)
            except InfeasibleError:  # homes that change may leave a wide gate without a module to serve it
                self._known[key] = None
        return self._known[key]

    def _tried(self, index: int, rule: Rule | None, timed: bool, faithful: bool) -> Tried:
        from distq.partition.order import order
        from distq.partition.order_time import order_by_time

        placement = [*self.candidates, *self.others][index]
        if rule is None and index in self._ordered:
            plan = self._ordered[index]
        elif rule is None:
            plan = order(self.circuit, self.graph, self.network, placement, self.exchange)
        elif placement.rank is not None:
            # Orders by the clock were tried for these, and never chosen (docs/schedule.md).
            raise InfeasibleError("this placement was made for an order of its own")
        else:
            plan = order_by_time(self.circuit, self.graph, self.network, placement, rule, self.exchange)
        return Tried(plan, self.figures(plan, timed, faithful), index, rule)

    def figures(self, plan: Plan, timed: bool, faithful: bool) -> Figures:
        """Ebits of a plan; `timed`: and its makespan; `faithful`: and its predicted fidelity."""
        return figures_of(plan, timed, faithful, self.predict)


def figures_of(plan: Plan, timed: bool, faithful: bool, predict: Predictor | None = None) -> Figures:
    """Ebits of a plan; `timed`: and its makespan; `faithful`: and its predicted fidelity (None: `estimated`)."""
    from distq.partition.cost import cost

    ebits = cost(plan, plan.network)
    if not (timed or faithful):
        return Figures(ebits, 0.0)
    timeline = quick_schedule(plan)
    if timeline is None:
        return Figures(ebits, float("inf"), 0.0 if faithful else None)
    if not faithful:
        return Figures(ebits, timeline.makespan)
    return Figures(ebits, timeline.makespan, (predict or estimated)(timeline))


def preferred(plans: Sequence[Plan], objective: Objective | None) -> int:
    """Which of several plans for one circuit is the best by an objective (None: ebits), the first of equals."""
    if len(plans) == 1:
        return 0
    objective = objective or Objective(ebits=1)
    found = [figures_of(plan, objective.single != "ebits", objective.fidelity > 0) for plan in plans]
    return min(range(len(plans)), key=lambda i: objective.key(found[i], found[0]))


def estimated(timeline: Timeline) -> float:
    """A quick estimate of the fidelity that noise leaves: the product of the fidelities of all that happens.

    Errors that cancel or do no harm count as well, so that it is lower than `distq.predict_fidelity` says; but it needs
    no sampling, and plans come in nearly the same order by it.
    """
    from distq.fidelity.predict import products
    from distq.simulate.noise import noise_table

    return math.exp(-sum(products(noise_table(timeline)).values()))


def _rule(weights: tuple[float, float, float]) -> Rule:
    from distq.partition.order_time import Rule

    urgency, single, hold = weights
    return Rule(urgency=urgency, single=single, hold=hold)


def quick_schedule(plan: Plan) -> Timeline | None:
    """A plan on the hardware of its network, pairs ahead of need; None where pairs grow too old whatever is done."""
    from distq.protocols.lower import lower
    from distq.schedule.plan import schedule_ahead

    try:
        return schedule_ahead(lower(plan))
    except InfeasibleError:
        return None


__all__ = ["Chooser", "Predictor", "Tried", "estimated", "figures_of", "preferred", "quick_schedule"]
