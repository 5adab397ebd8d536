"""What one verification method found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Bound on the operator-norm error that is accepted if the caller says nothing.
DEFAULT_BUDGET = 1e-9


@dataclass(frozen=True)
class Outcome:
    """The verdict of one method.

    Attributes:
        method: `statevector`, `stabilizer` or `symbolic`.
        ok: True only if the program was shown to be right.
        applicable: False if the method cannot judge this program (`ok` is False then).
        reason: what is wrong, or why the method does not apply; empty if all is well.
        details: figures of the method (inputs, branches, flows, whether branches were sampled).
    """

    method: str
    ok: bool
    applicable: bool = True
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def right(cls, method: str, **details: Any) -> Outcome:
        """The program was shown to be right."""
        return cls(method, True, details=details)

    @classmethod
    def wrong(cls, method: str, reason: str, **details: Any) -> Outcome:
        """The program was shown to be wrong."""
        return cls(method, False, True, reason, details)

    @classmethod
    def not_applicable(cls, method: str, reason: str) -> Outcome:
        """The method cannot tell."""
        return cls(method, False, False, reason)
