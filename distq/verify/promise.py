"""What a program is verified against: the strongest promise, or a weaker one that the caller asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distq.verify.manifest import Manifest


@dataclass(frozen=True)
class Promise:
    """What may be assumed of the inputs, and what must be preserved.

    Attributes:
        start_zero: every qubit starts in |0>, instead of any state.
        outcomes_only: the joint distribution of the classical bits must be right, but not the state that is left.
    """

    start_zero: bool = False
    outcomes_only: bool = False


#: Every input state, and the state of the outputs.
STRONGEST = Promise()


def missing(manifest: Manifest, promise: Promise) -> str | None:
    """A sentence if the program says that it relies on more than its user promised, else None."""
    if manifest.start_zero and not promise.start_zero:
        return (
            "The program relies on qubits that start in |0>, but is to be verified for every input; if they do start "
            "so, give start='zero' (on the command line --start zero)."
        )
    if manifest.outcomes_only and not promise.outcomes_only:
        return (
            "The program preserves no more than the outcomes of measurements, but is to be verified for the state that "
            "is left too; if the outcomes are enough, give outcomes_only=True (on the command line --outcomes-only)."
        )
    return None
