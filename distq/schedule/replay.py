"""The distribution of the makespan: the planned order replayed with random times of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import UsageError

if TYPE_CHECKING:
    from distq.schedule.result import Timeline


@dataclass(frozen=True, eq=False)
class Distribution:
    """Makespans of a program with random times of pairs.

    Attributes:
        makespan: (samples,) infinite where a pair never lived long enough.
        discarded: (samples,) pairs that grew too old and were generated again.
        seed: of the random numbers.
        raw_pairs: (samples,) elementary pairs, with those spent on purification and those that expired.
        attempts: (samples,) attempts; NaN where the network says for some pairs only at what rate they come.
    """

    makespan: NDArray[np.float64]
    discarded: NDArray[np.int64]
    seed: int
    raw_pairs: NDArray[np.int64]
    attempts: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean makespan."""
        return float(self.makespan.mean())

    @property
    def median(self) -> float:
        """Half of the samples take at most so long."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """The least makespan that this share of the samples does not exceed."""
        return float(np.quantile(self.makespan, share, method="inverted_cdf"))

    @property
    def failed(self) -> int:
        """Samples in which a pair never lived long enough."""
        return int(np.count_nonzero(np.isinf(self.makespan)))

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data; null for infinite."""
        names = {"mean": self.mean, "median": self.median, "p5": self.quantile(0.05), "p95": self.quantile(0.95)}
        return {
            "samples": len(self.makespan),
            "seed": self.seed,
            **{key: value if np.isfinite(value) else None for key, value in names.items()},
            "discarded_pairs": float(self.discarded.mean()),
            "raw_pairs": float(self.raw_pairs.mean()),
            "attempts": None if np.isnan(self.attempts).any() else float(self.attempts.mean()),
            "failed": self.failed,
        }


def distribution(timeline: Timeline, samples: int, seed: int = 0) -> Distribution:
    """Replay the planned order of a timeline.

    Everything keeps its order on every qubit, generator, port and message. A pair takes the time of its attempts, each
    with the success probability of its link, and where it is purified of all rounds until the last has succeeded. A
    pair that is older than its link allows when its user is ready is discarded at that age and generated again, then,
    on the same generator; a generator begins a pair only when those of its pairs with a finite life have been used that
    the plan uses before, and the second half of such a pair is used no earlier than the first.

    Args:
        timeline: of the program.
        samples: at least 1.
        seed: the same seed gives the same times.

    Raises:
        UsageError: the number of samples is less than 1.
    """
    if samples < 1:
        raise UsageError(f"the number of samples is {samples}, but must be at least 1")
    found = timeline.order.counted_replay(timeline.graph, samples, True, seed)
    makespan, discarded, _, _, raw_pairs, attempts = found
    return Distribution(makespan, discarded, seed, raw_pairs, attempts)


__all__ = ["Distribution", "distribution"]
