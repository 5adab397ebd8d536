"""What a plan should be good at: ebits, makespan, predicted fidelity, or a weighted sum of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distq.errors import UsageError

#: What an objective is made of.
NAMES = ("ebits", "makespan", "fidelity")


@dataclass(frozen=True)
class Figures:
    """What is known about a plan.

    Attributes:
        ebits: Bell pairs that it consumes.
        makespan: planned, with mean times of pairs [s, or operations where the network states no time]; infinite where
            some pairs would grow too old however often they are generated.
        fidelity: predicted, from 0 to 1; None where it was not asked for.
    """

    ebits: int
    makespan: float
    fidelity: float | None = None


@dataclass(frozen=True)
class Objective:
    """Weights of what a plan is judged by, at least one of them positive.

    With one weight plans are compared by that figure, and by the others where it is the same: ebits, makespan, then
    fidelity. With several, the least sum of weight x figure / the same figure of a reference plan (that with the fewest
    ebits in the usual order) is best; for the fidelity F the figure is -ln F, since fidelities multiply.
    """

    ebits: float = 0.0
    makespan: float = 0.0
    fidelity: float = 0.0

    def __post_init__(self) -> None:
        for name in NAMES:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise _bad_weight(name, value)
        if not any(self.weights.values()):
            raise UsageError(f"every weight of the objective is 0; give one of {', '.join(NAMES)} a positive weight")

    @classmethod
    def of(cls, value: str | Mapping[str, float] | Objective) -> Objective:
        """The objective that a user names: "makespan", "ebits=1,makespan=2", or a mapping from names to weights.

        Raises:
            UsageError: a name is not known, or a weight is not a number of at least 0.
        """
        if isinstance(value, Objective):
            return value
        if isinstance(value, str):
            value = dict(_weight(part) for part in value.split(","))
        if not isinstance(value, Mapping):
            raise UsageError(f"the objective is {value!r}; it must be {_VALID}")
        for name in value:
            if name not in NAMES:
                raise UsageError(f"the objective names {name!r}; it must be {_VALID}")
        return cls(**value)

    @property
    def weights(self) -> dict[str, float]:
        """By name."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def single(self) -> str | None:
        """The only figure that counts; None where there are several."""
        named = [name for name, weight in self.weights.items() if weight]
        return named[0] if len(named) == 1 else None

    @property
    def text(self) -> str:
        """As it is given on the command line."""
        return self.single or ",".join(f"{name}={weight:g}" for name, weight in self.weights.items() if weight)

    def key(self, figures: Figures, reference: Figures) -> tuple[float, ...]:
        """The least is best."""
        values = _values(figures)
        rest = tuple(values[name] for name in NAMES)
        if self.single:
            return (values[self.single], *rest)
        least = _values(reference)
        if math.inf in (values[name] for name, w in self.weights.items() if w):
            return (math.inf, *rest)
        score = sum(w * values[name] / (least[name] or 1.0) for name, w in self.weights.items() if w)
        return (score, *rest)


_VALID = f"one of {', '.join(NAMES)}, or weights of them such as ebits=1,makespan=2"


def _values(figures: Figures) -> dict[str, float]:
    fidelity = figures.fidelity
    loss = 0.0 if fidelity is None else -math.log(fidelity) if fidelity > 0 else math.inf
    return {"ebits": float(figures.ebits), "makespan": figures.makespan, "fidelity": loss}


def _weight(part: str) -> tuple[str, Any]:
    name, equals, text = (x.strip() for x in part.partition("="))
    if not equals:
        return name, 1.0
    try:
        return name, float(text)
    except ValueError:
        raise _bad_weight(name, text) from None


def _bad_weight(name: str, value: object) -> UsageError:
    return UsageError(f"the weight of {name} in the objective is {value!r}; it must be a number of at least 0")


__all__ = ["NAMES", "Figures", "Objective"]
