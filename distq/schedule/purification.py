"""How often the pairs of each link are purified, chosen by what an objective gains and loses.

Purified pairs are better and come later, and qubits wait for them meanwhile. Without a program each link is judged by
one pair and the two data qubits that wait for it; with a program every candidate is scheduled and its fidelity
predicted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.errors import InfeasibleError, UsageError
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.network.pair_states import PurifiedPair, purified_pair
from distq.network.purify import DEJMPS, PROTOCOLS, SCHEMES, Purify

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram
    from distq.program.types import DistributedProgram
    from distq.schedule.result import Timeline

#: Rounds that are tried.
ROUNDS = 3
#: Links are judged one by one, after groups of equal links together, where there are at most so many.
MOST_SINGLE = 16
#: Predicted fidelity of a timeline on a network.
Predictor = Callable[["Timeline", Network], float]
_NO_GAIN = 1e-9


@dataclass(frozen=True)
class LinkChoice:
    """What was chosen for a link.

    Attributes:
        link: names of its ends.
        purify: None: no purification.
        before, after: its pairs without, and with what was chosen.
        pairs: that the program takes from it; None without a program.
        reason: why, in a sentence without a full stop.
    """

    link: tuple[str, str]
    purify: Purify | None
    before: PurifiedPair
    after: PurifiedPair
    pairs: int | None
    reason: str


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen for all links.

    Attributes:
        network: with `purify` of every link as chosen.
        links: in the order of the network.
        objective: "fidelity" or "ebits", or "makespan" (no purification but what a threshold asks for).
        before, after: predicted fidelities of the program without and with what was chosen; None without a program.
        makespan_before, makespan_after: likewise [the unit of the timeline].
    """

    network: Network
    links: tuple[LinkChoice, ...]
    objective: str
    before: float | None = None
    after: float | None = None
    makespan_before: float | None = None
    makespan_after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "objective": self.objective,
            "predicted_fidelity": {"without": self.before, "with": self.after},
            "makespan": {"without": self.makespan_before, "with": self.makespan_after},
            "links": [
                {
                    "a": x.link[0],
                    "b": x.link[1],
                    "purify": None if x.purify is None else x.purify.to_dict(),
                    "pairs": x.pairs,
                    "fidelity": {"raw": x.before.fidelity, "purified": x.after.fidelity},
                    "pair_time": {"raw": _finite(x.before.time), "purified": _finite(x.after.time)},
                    "raw_pairs_per_pair": _finite(x.after.raw_pairs),
                    "reason": x.reason,
                }
                for x in self.links
            ],
        }


def choose_purification(
    network: Network,
    objective: str = "fidelity",
    program: DistributedProgram | CompiledProgram | None = None,
    *,
    min_pair_fidelity: float | None = None,
    rounds: int = ROUNDS,
    protocols: Sequence[str] = (DEJMPS,),
    predict: Predictor | None = None,
) -> Choice:
    """Choose purification for each link; what the network states is not kept.

    Args:
        network: its hardware.
        objective: "fidelity", or "ebits" (which count after purification): as many rounds as raise the predicted
            fidelity; "makespan": none.
        program: that is judged; its communication qubits leave room or not. Links that it does not use are left alone.
        min_pair_fidelity: pairs that a program uses must be at least so good, whatever the objective; then the
            objective chooses among what is good enough, "makespan" the quickest.
        rounds: at most.
        protocols: that may be chosen, with pumping and nested.
        predict: predicted fidelity of a timeline on a network; default `predicted`.

    Raises:
        UsageError: an option has a value that is not known.
        InfeasibleError: some pairs cannot be made good enough.
    """
    from distq.program.compiled import CompiledProgram

    if objective not in ("fidelity", "makespan", "ebits"):
        raise UsageError(f"the objective is {objective!r}, but must be one of fidelity, makespan, ebits")
    if min_pair_fidelity is not None and not 0.25 <= min_pair_fidelity <= 1:
        raise UsageError(f"min_pair_fidelity is {min_pair_fidelity!r}, but must be a number from 0.25 to 1")
    for name in protocols:
        if name not in PROTOCOLS:
            raise UsageError(f"the purification protocol is {name!r}, but must be one of {', '.join(PROTOCOLS)}")
    if isinstance(program, CompiledProgram):
        program = program.program
    chooser = _Chooser(without_purification(network), objective, program, min_pair_fidelity, predict or predicted)
    chooser.options = list(options(rounds, protocols))
    return chooser.run()


def options(rounds: int = ROUNDS, protocols: Sequence[str] = (DEJMPS,)) -> Iterator[Purify]:
    """What may be chosen: one round once, more rounds in both schemes."""
    for protocol in protocols:
        for r in range(1, rounds + 1):
            for scheme in SCHEMES if r > 1 else SCHEMES[:1]:
                yield Purify(r, protocol, scheme)


def without_purification(network: Network) -> Network:
    """The same network whose pairs are taken as they are made."""
    return with_purification(network, {})


def with_purification(network: Network, chosen: Mapping[int, Purify]) -> Network:
    """The same network with this purification of these links, and none of others."""
    links = []
    for i, link in enumerate(network.links):
        hardware, wanted = link.hardware, chosen.get(i)
        if (hardware.purify if hardware else None) != wanted:
            link = replace(link, hardware=replace(hardware or LinkHardware(), purify=wanted))
        links.append(link)
    return replace(network, links=tuple(links))


def predicted(timeline: Timeline, network: Network) -> float:
    """The product of the process fidelities of everything that happens on the timeline, `FidelityPrediction.product`.

    Lower than the predicted fidelity, because errors that cancel or do no harm count as well, but without sampling.
    """
    from distq.fidelity.predict import products
    from distq.simulate.noise import noise_table

    return math.exp(-sum(products(noise_table(timeline, network)).values()))


def idle_rate(hardware: ModuleHardware | None) -> float:
    """How fast the process fidelity of a data qubit that waits falls at first: (1/T1 + 2/T2)/4 [1/s]."""
    if hardware is None:
        return 0.0
    relaxation = 1 / hardware.data_t1 if hardware.data_t1 else 0.0
    dephasing = 1 / hardware.data_t2 if hardware.data_t2 else relaxation / 2
    return (relaxation + 2 * dephasing) / 4


class _Chooser:
    def __init__(
        self,
        network: Network,
        objective: str,
        program: DistributedProgram | None,
        threshold: float | None,
        predict: Predictor,
    ) -> None:
        self.network, self.objective, self.program = network, objective, program
        self.threshold, self.predict = threshold, predict
        self.options: list[Purify] = []
        self.raw = [purified_pair(network, i, None) for i in range(len(network.links))]
        self.counts = self._counts()
        self.plans: dict[tuple[tuple[int, Purify], ...], tuple[float, float] | None] = {}

    def _counts(self) -> list[int | None]:
        if self.program is None:
            return [None] * len(self.network.links)
        from distq.ops import Op
        from distq.schedule.timing import matching_links

        used = self.program.link[self.program.code == Op.EPR]
        counts = np.bincount(used, minlength=len(self.program.network.links))
        result: list[int | None] = [0] * len(self.network.links)
        for i, n in zip(matching_links(self.program, self.network).tolist(), counts.tolist()):
            if i >= 0:
                result[i] = n
        return result

    def run(self) -> Choice:
        chosen: dict[int, Purify] = {}
        candidates = {i: self._candidates(i) for i in range(len(self.network.links))}
        reasons = {i: why for i, (_, why) in candidates.items()}
        possible = {i: found for i, (found, _) in candidates.items()}
        for i in possible:
            if self.threshold is not None and self.raw[i].fidelity < self.threshold and self.counts[i] != 0:
                if not possible[i]:
                    self._refuse(i)
                chosen[i] = min(possible[i], key=lambda x: self._pair(i, x).time)
        if self.objective != "makespan":
            chosen = self._best(chosen, possible)
        return self._choice(chosen, reasons)

    def _pair(self, link: int, purify: Purify | None) -> PurifiedPair:
        return purified_pair(self.network, link, purify)

    def _candidates(self, link: int) -> tuple[list[Purify], str]:
        """What a link may be given, and why nothing if so."""
        raw = self.raw[link]
        if self.counts[link] == 0:
            return [], "the program takes no pairs from it"
        if raw.time == math.inf:
            return [], "the link is down"
        needed = self.threshold is not None and raw.fidelity < self.threshold
        if self.objective == "makespan" and not needed:
            return [], "the objective is the makespan, and purified pairs come later"
        better = [x for x in self.options if self._pair(link, x).fidelity > raw.fidelity + _NO_GAIN]
        if not better:
            if raw.fidelity > 1 - _NO_GAIN:
                return [], "its pairs are perfect"
            return [], "no round improves its pairs with the errors of its modules"
        found, lack = [], ""
        for x in better:
            why = self._lack(link, x)
            if why is None:
                found.append(x)
            lack = lack or why or ""
        if not found:
            return [], lack
        if needed:
            found = [x for x in found if self.threshold is not None and self._pair(link, x).fidelity >= self.threshold]
        most = max(self._pair(link, x).fidelity for x in better)
        return found, "" if found else f"no more than {most:.4f} is reached"

    def _lack(self, link: int, purify: Purify) -> str | None:
        """Which module has too few communication qubits for it, or None."""
        ends = self.network.link_ends[link].tolist()
        for m in ends:
            module = self.network.modules[m]
            if module.comm is None:
                continue
            if module.comm < purify.comm_qubits:
                return f"it takes {purify.comm_qubits} communication qubits, and module {module.name} has {module.comm}"
            if self.program is not None and module.comm - self._used(m) < purify.comm_qubits - 1:
                return (
                    f"the program uses {self._used(m)} of the {module.comm} communication qubits of module "
                    f"{module.name}, which leaves too few for purification"
                )
        return None

    def _used(self, module: int) -> int:
        from distq.program.types import COMM

        program = self.program
        assert program is not None
        named = np.unique(program.qubits)
        return int(np.count_nonzero((program.qubit_module[named] == module) & (program.qubit_role[named] == COMM)))

    def _refuse(self, link: int) -> None:
        item = self.network.links[link]
        best = max([self.raw[link].fidelity, *(self._pair(link, x).fidelity for x in self.options)])
        lack = next((why for x in self.options if (why := self._lack(link, x))), None)
        more = f"; {lack}" if lack else ""
        raise InfeasibleError(
            f"the pairs of the link {item.a} - {item.b} have fidelity {self.raw[link].fidelity:.4f}, and at most "
            f"{best:.4f} after purification, but min_pair_fidelity is {self.threshold}{more}: lower it, or give the "
            "link better pairs or its modules more communication qubits"
        )

    def _best(self, chosen: dict[int, Purify], possible: dict[int, list[Purify]]) -> dict[int, Purify]:
        """Equal links together, then one by one, each time what raises the score."""
        groups: dict[Any, list[int]] = {}
        for i, found in possible.items():
            if found:
                a, b = (self.network.modules[m].hardware for m in self.network.link_ends[i].tolist())
                groups.setdefault((self.network.links[i].hardware, a, b, tuple(found)), []).append(i)
        parts = list(groups.values())
        singles = [i for part in parts if len(part) > 1 for i in part]
        if len(singles) <= MOST_SINGLE:
            parts += [[i] for i in singles]
        best = self._score(chosen)
        for part in parts:
            none = None if self.threshold is None or self.raw[part[0]].fidelity >= self.threshold else chosen[part[0]]
            for option in [none, *possible[part[0]]]:
                trial = {i: x for i, x in chosen.items() if i not in part}
                trial |= {i: option for i in part if option is not None}
                score = self._score(trial)
                if score > best + _NO_GAIN * abs(best):
                    best, chosen = score, trial
        return chosen

    def _score(self, chosen: dict[int, Purify]) -> float:
        """Logarithm of the predicted fidelity; minus infinity where there is no room for these choices."""
        if self.program is not None:
            found = self._planned(chosen)
            return -math.inf if found is None else math.log(max(found[0], 1e-300))
        total = 0.0
        for i in range(len(self.network.links)):
            pair = self._pair(i, chosen.get(i))
            ends = self.network.link_ends[i].tolist()
            rate = sum(idle_rate(self.network.modules[m].hardware) for m in ends)
            idle = rate * pair.time if rate and math.isfinite(pair.time) else 0.0
            total += math.log(max(pair.fidelity, 1e-300)) - idle
        return total

    def _planned(self, chosen: dict[int, Purify]) -> tuple[float, float] | None:
        """(predicted fidelity, makespan) of the program; None where there is no room, or pairs grow too old."""
        from distq.schedule.plan import schedule

        assert self.program is not None
        key = tuple(sorted(chosen.items(), key=lambda item: item[0]))
        if key not in self.plans:
            network = with_purification(self.network, chosen)
            try:
                timeline = schedule(self.program, network)
                self.plans[key] = (self.predict(timeline, network), timeline.makespan)
            except InfeasibleError:
                self.plans[key] = None
        return self.plans[key]

    def _choice(self, chosen: dict[int, Purify], reasons: dict[int, str]) -> Choice:
        links = []
        for i, item in enumerate(self.network.links):
            purify = chosen.get(i)
            after = self._pair(i, purify)
            reason = reasons[i]
            if purify is not None:
                needed = self.threshold is not None and self.raw[i].fidelity < self.threshold
                asked = f"pairs of at least {self.threshold} are asked for"
                reason = asked if needed else "the predicted fidelity is larger"
            elif not reason:
                reason = "waiting for purified pairs costs more than they gain"
            links.append(LinkChoice((item.a, item.b), purify, self.raw[i], after, self.counts[i], reason))
        network = with_purification(self.network, chosen)
        if self.program is None:
            return Choice(network, tuple(links), self.objective)
        before, after_plan = self._planned({}), self._planned(chosen)
        if after_plan is None:
            self._planned_or_raise(network)
        return Choice(
            network,
            tuple(links),
            self.objective,
            *((found[0] if found else None) for found in (before, after_plan)),
            *((found[1] if found else None) for found in (before, after_plan)),
        )

    def _planned_or_raise(self, network: Network) -> None:
        from distq.schedule.plan import schedule

        assert self.program is not None
        schedule(self.program, network)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


__all__ = [
    "Choice",
    "LinkChoice",
    "Predictor",
    "choose_purification",
    "idle_rate",
    "options",
    "predicted",
    "with_purification",
    "without_purification",
]
