"""Gates in one place under several conditions in one form: for every angle the condition under which it is applied."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distq.verify.booleans import FALSE, TRUE, Booleans

#: Angles closer than this [rad] are equal.
CLOSE = 1e-9
#: Angles this close to the lower end of their range count as the upper end.
_SNAP = 1e-6
#: Conditions that have measurements in common are resolved into at most this many cases.
_CASES = 32

#: (condition, angle [rad]); condition -1: always.
Parts = list[tuple[int, float]]


def levels(parts: Sequence[tuple[int, float]], period: float, b: Booleans) -> tuple[Parts, list[int], float]:
    """The same angles, modulo a period, under conditions that exclude each other as far as they are related.

    Args:
        parts: (condition, angle) that add up; no condition twice.
        period: 2 pi, or pi where a turn by pi is given back apart.
        b: the store of conditions.

    Returns:
        The parts; conditions under which the turns taken off are odd in number (if the period is pi); and the sum of
        the angles that were dropped as rounding.
    """
    result: Parts = [(guard, angle) for guard, angle in parts if guard < 0]
    odd: list[int] = []
    dropped = 0.0
    for group in _related([p for p in parts if p[0] >= 0], b):
        cells = _cells(group, b)
        if cells is None:
            result += group
            continue
        found: list[tuple[float, int]] = []
        turned = FALSE
        for condition, total in cells:
            angle = math.remainder(total, period)
            if angle < -period / 2 + _SNAP:
                angle += period
            if round((total - angle) / period) % 2:
                turned = b.disj(turned, condition)
            if abs(angle) < CLOSE:
                dropped += abs(angle)
                continue
            for k, (other, where) in enumerate(found):
                if abs(other - angle) < CLOSE:
                    found[k] = other, b.disj(where, condition)
                    break
            else:
                found.append((angle, condition))
        if period < math.tau and turned != FALSE:
            odd.append(turned)
        result += [(-1 if where == TRUE else where, angle) for angle, where in found]
    return result, odd, dropped


def _related(parts: Parts, b: Booleans) -> list[Parts]:
    """Parts whose conditions have variables in common, directly or through others, together."""
    if len(parts) <= 1:
        return [parts] if parts else []
    groups: list[tuple[set[int], Parts]] = []
    for part in parts:
        support, members = set(b.support([part[0]])), [part]
        rest = []
        for group in groups:
            if support.isdisjoint(group[0]):
                rest.append(group)
            else:
                support |= group[0]
                members = group[1] + members
        groups = [*rest, (support, members)]
    return [members for _, members in groups]


def _cells(parts: Parts, b: Booleans) -> Parts | None:
    """Conditions that exclude each other and cover everything, with the angle under each; None if too many."""
    cells: Parts = [(TRUE, 0.0)]
    for guard, angle in parts:
        other = b.negate(guard)
        cells = [
            (both, total + more)
            for condition, total in cells
            for both, more in ((b.conj(condition, guard), angle), (b.conj(condition, other), 0.0))
            if both != FALSE
        ]
        if len(cells) > _CASES:
            return None
    return cells
