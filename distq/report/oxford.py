"""The comparison with the Oxford experiment as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from distq.report.tables import table

if TYPE_CHECKING:
    from distq.experiments.oxford import Oxford, Published, Row


def oxford_text(found: Oxford, width: int = 100) -> str:
    """The tables and what is fitted, fixed, unknown, missed and refused.

    Args:
        found: what is shown.
        width: columns of the text around the tables.
    """
    from distq.experiments.oxford import PRESET, SOURCE

    parts = [
        f"Two trapped-ion modules, one circuit qubit and one network qubit each (preset {PRESET}); {SOURCE}.",
        _comparison(found),
        "Figures are average gate fidelities; that of the search is its success probability, the mean over the four "
        "marked states. Those of the experiment have their standard errors; (r): recalled, not verified against the "
        "paper. (f): fitted to the experiment. local: two-qubit gates inside the modules. free ends: outputs may end "
        "in either module; in all other programs they end where the inputs began. variant: the first module has a "
        "second communication qubit.",
        _fitted(found),
        _fixed(found),
        "Error budget: what each source takes away if it is alone, in points (-: no figure in the preset)",
        _budget(found),
        *_misses(found),
    ]
    parts += [f"Refused: {row.task.title}: {row.refused}." for row in found.rows if row.refused]
    return "\n\n".join(p.rstrip() if "─" in p else textwrap.fill(p, width) for p in parts) + "\n"


def percent(value: float) -> str:
    """A fraction as a percentage with one digit."""
    return f"{100 * value:.1f}"


def with_error(published: Published) -> str:
    """A published figure as a percentage with its error in the last digit, as papers write it."""
    digits = 0 if 100 * published.error >= 0.95 else 1
    error = round(100 * published.error * 10**digits)
    return f"{100 * published.value:.{digits}f}({error}){' (r)' if published.recalled else ''}"


def _comparison(found: Oxford) -> str:
    header = ("program", "ebits", "local", "time [ms]", "ours [%]", "experiment", "points", "")
    return table(header, [_cells(row) for row in found.rows], right=(1, 2, 3, 4, 6))


def _cells(row: Row) -> tuple[str, ...]:
    if row.value is None or row.makespan is None:
        return (row.task.title, "-", "-", "-", "-", "-", "-", "refused")
    published, off = row.task.published, row.difference
    verdict = ""
    if row.fitted:
        verdict = "fitted"
    elif published is not None:
        verdict = "MISS" if row.missed else "within error"
    return (
        row.task.title,
        str(row.ebits),
        str(row.local_gates),
        f"{1e3 * row.makespan:.0f}",
        percent(row.value) + (" (f)" if row.fitted else "    "),
        "-" if published is None else with_error(published),
        "-" if off is None else f"{100 * off + 0.0:+.1f}" if abs(off) >= 5e-4 else "0.0",
        verdict,
    )


def _fitted(found: Oxford) -> str:
    return (
        "Fitted: one parameter, to the CZ alone: two-qubit depolarising noise of probability "
        f"p = {found.depolarising:.4f} on each local two-qubit gate (average error {100 * found.error:.2f} %)."
    )


def _fixed(found: Oxford) -> str:
    from distq.experiments.oxford import fixed_figures, unknown_figures

    known = "; ".join(f"{what} {value:.4g} ({source})" for what, value, source in fixed_figures(found.network))
    missing = ", ".join(unknown_figures(found.network))
    return f"Fixed by the preset: {known}. Not in the preset, and so without effect: {missing}."


def _budget(found: Oxford) -> str:
    from distq.experiments.oxford import BUDGET, unknown_classes

    unknown = unknown_classes(found.network)
    rows = [
        (
            row.task.title,
            *("-" if name in unknown else _points(row.lost[name]) for name in BUDGET),
            _points(row.all_lost),
        )
        for row in found.rows
        if row.lost is not None and row.all_lost is not None
    ]
    return table(("program", *BUDGET, "all together"), rows, right=range(1, len(BUDGET) + 2))


def _points(lost: float) -> str:
    return f"{abs(100 * lost):.1f}"


def _misses(found: Oxford) -> list[str]:
    result = []
    for row in found.rows:
        published, off = row.task.published, row.difference
        if published is not None and off is not None and row.missed:
            errors = abs(off) / published.error
            result.append(
                f"Missed: {row.task.title} by {100 * off:+.1f} points, {errors:.1f} standard errors of the experiment."
            )
    if result:
        result.append(
            "The fit puts all errors of one teleported gate that are not in the preset on its local gates. What a "
            "program of several gates loses beyond that (preparation and readout in the test, memory during later "
            "waits for a pair that is not dephasing with T2) is in no figure of the preset, and so in none of ours."
        )
    return result


__all__ = ["oxford_text", "percent", "with_error"]
