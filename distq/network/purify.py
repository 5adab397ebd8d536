"""What a network may say about purification: the protocol, how its rounds follow each other, and how many there are."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from distq.errors import NetworkError

#: How rounds follow each other.
PUMPING, NESTED = "pumping", "nested"
SCHEMES = (PUMPING, NESTED)
#: What a round does.
BBPSSW, DEJMPS = "bbpssw", "dejmps"
PROTOCOLS = (BBPSSW, DEJMPS)
#: More rounds than this are taken for a mistake: 2^10 nested pairs, and pumping has long reached its limit.
MOST_ROUNDS = 10


def comm_qubits_needed(rounds: int, scheme: str = PUMPING) -> int:
    """Communication qubits at each end while a pair is made: with pumping the kept pair and the fresh one.

    Nested rounds hold a pair of every level: rounds + 1.
    """
    if rounds < 1:
        return 1
    return 2 if scheme == PUMPING else rounds + 1


@dataclass(frozen=True)
class Purify:
    """Purification of the pairs of a link, before a program gets them.

    Attributes:
        rounds: from 1 to 10.
        protocol: "dejmps" (default) or "bbpssw".
        scheme: "pumping" (default): each round measures a fresh pair; two communication qubits at each end. "nested":
            each round measures a pair of the same level; rounds + 1 communication qubits.

    Raises:
        NetworkError: a value is out of its range.
    """

    rounds: int
    protocol: str = DEJMPS
    scheme: str = PUMPING

    def __post_init__(self) -> None:
        try:
            rounds = 0 if isinstance(self.rounds, bool) else operator.index(self.rounds)
        except TypeError:
            rounds = 0
        if not 1 <= rounds <= MOST_ROUNDS:
            raise NetworkError(
                f"purify.rounds is {self.rounds!r}, but must be an integer from 1 to {MOST_ROUNDS}: correct it, or "
                "leave purify out"
            )
        object.__setattr__(self, "rounds", rounds)
        for key, valid in (("protocol", PROTOCOLS), ("scheme", SCHEMES)):
            if getattr(self, key) not in valid:
                raise NetworkError(f"purify.{key} is {getattr(self, key)!r}, but must be one of {', '.join(valid)}")

    @property
    def comm_qubits(self) -> int:
        """Communication qubits at each end while a pair is made, the one that keeps it included."""
        return comm_qubits_needed(self.rounds, self.scheme)

    def to_dict(self) -> dict[str, Any]:
        """As in a network file."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def of(cls, value: Any) -> Purify:
        """From what a network file or a user gives.

        Raises:
            NetworkError: it is neither a `Purify` nor a table with its keys.
        """
        if isinstance(value, Purify):
            return value
        names = [f.name for f in fields(cls)]
        if not isinstance(value, Mapping):
            raise NetworkError(f"purify is {value!r}, but must be a table with keys from {', '.join(names)}")
        for key in value:
            if key not in names:
                raise NetworkError(f"purify has the unknown key {key!r}: the keys are {', '.join(names)}")
        if "rounds" not in value:
            raise NetworkError("purify.rounds is missing: add the number of rounds")
        content = dict(value)
        # JSON has one kind of number: 2.0 is the integer 2.
        if isinstance(content["rounds"], float) and content["rounds"].is_integer():
            content["rounds"] = int(content["rounds"])
        return cls(**content)


__all__ = [
    "BBPSSW",
    "DEJMPS",
    "MOST_ROUNDS",
    "NESTED",
    "PROTOCOLS",
    "PUMPING",
    "SCHEMES",
    "Purify",
    "comm_qubits_needed",
]
