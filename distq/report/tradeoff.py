"""A Pareto front as text, plain data, comma-separated values and a picture."""

from __future__ import annotations

import csv
import io
import math
from html import escape
from typing import TYPE_CHECKING, Any

from distq.report.schedule import time_text
from distq.report.tables import table

if TYPE_CHECKING:
    from distq.front import Tradeoff

SCHEMA = "distq-tradeoff-1"
#: Sizes of the picture [pixels].
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 90, 220, 50, 60
#: Room for a label [pixels].
LABEL = 200


def tradeoff_text(found: Tradeoff) -> str:
    """A row for each program, with the options that give it again."""
    header, right = ["ebits", "makespan"], [0, 1]
    if found.with_fidelity:
        header.append("fidelity")
        right.append(2)
    rows = []
    for choice in found.choices:
        figures = choice.figures
        row: list[object] = [figures.ebits, time_text(figures.makespan, found.unit)]
        if found.with_fidelity:
            row.append("-" if figures.fidelity is None else f"{figures.fidelity:.4f}")
        rows.append([*row, choice.options])
    text = table([*header, "options of compile"], rows, right=right)
    counts = f"{len(found.choices)} of {found.programs} different programs, {found.plans} plans tried"
    return text + counts + ("" if found.unit == "s" else "; every operation and every pair takes 1") + "\n"


def tradeoff_dict(found: Tradeoff) -> dict[str, Any]:
    """The front as plain data; makespans in the unit named."""
    return {
        "schema": SCHEMA,
        "circuit": found.circuit,
        "network": found.network,
        "unit": found.unit,
        "programs": found.programs,
        "plans": found.plans,
        "front": [
            {
                "ebits": x.figures.ebits,
                "makespan": x.figures.makespan if math.isfinite(x.figures.makespan) else None,
                "fidelity": x.figures.fidelity,
                "objective": x.objective,
                "seed": x.seed,
                "effort": x.effort,
                "verified": x.program.stats.get("verified"),
            }
            for x in found.choices
        ],
    }


def tradeoff_csv(found: Tradeoff) -> str:
    """A header and a row for each program."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ebits", "makespan", "unit", "fidelity", "objective", "seed", "effort"])
    for x in found.choices:
        fidelity = "" if x.figures.fidelity is None else x.figures.fidelity
        writer.writerow([x.figures.ebits, x.figures.makespan, found.unit, fidelity, x.objective, x.seed, x.effort])
    return text.getvalue()


def tradeoff_svg(found: Tradeoff) -> str:
    """Makespan over ebits, a dot for each program with its fidelity; the darker the higher."""
    choices = [x for x in found.choices if math.isfinite(x.figures.makespan)]
    ebits = _Axis([float(x.figures.ebits) for x in choices], LEFT, WIDTH - RIGHT)
    spans = _Axis([x.figures.makespan for x in choices], HEIGHT - BOTTOM, TOP)
    worth = [x.figures.fidelity for x in choices if x.figures.fidelity is not None]
    title = f"{found.circuit or 'circuit'} on {found.network or 'a network'}"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 24, f"Ebits and makespan: {title}", "middle", 15),
        _line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM),
        _line(LEFT, TOP, LEFT, HEIGHT - BOTTOM),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "ebits", "middle"),
        _text(LEFT, TOP - 10, "makespan", "middle"),
    ]
    for value in ebits.ticks(whole=True):
        out += [_line(ebits(value), HEIGHT - BOTTOM, ebits(value), HEIGHT - BOTTOM + 5),
                _text(ebits(value), HEIGHT - BOTTOM + 20, f"{value:g}", "middle")]  # fmt: skip
    for value in spans.ticks():
        out += [_line(LEFT - 5, spans(value), LEFT, spans(value)),
                _text(LEFT - 8, spans(value) + 4, time_text(value, found.unit), "end")]  # fmt: skip
    placed: list[tuple[float, float]] = []
    for x in choices:
        at, height, fidelity = ebits(float(x.figures.ebits)), spans(x.figures.makespan), x.figures.fidelity
        least, most = (min(worth), max(worth)) if worth else (0.0, 0.0)
        share = 1.0 if fidelity is None or most == least else (fidelity - least) / (most - least)
        colour = f"hsl(211, 60%, {80 - 50 * share:.0f}%)"
        label = x.objective + ("" if fidelity is None else f", F {fidelity:.3f}")
        out.append(f'<circle cx="{at:.1f}" cy="{height:.1f}" r="6" fill="{colour}" stroke="#2d3748">'
                   f"<title>{escape(label)}, seed {x.seed}</title></circle>")  # fmt: skip
        while any(abs(at - left) < LABEL and abs(height - top) < 13 for left, top in placed):
            height += 13 / 4
        placed.append((at, height))
        out.append(_text(at + 10, height + 4, label, "start", 11))
    return "\n".join([*out, "</svg>"]) + "\n"


class _Axis:
    """From values to pixels, with a margin on both sides."""

    def __init__(self, values: list[float], first: float, last: float) -> None:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        margin = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
        self.low, self.high, self.first, self.last = low - margin, high + margin, first, last

    def __call__(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, whole: bool = False) -> list[float]:
        """Round values, four to ten of them; `whole`: integers."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / 2))
        for factor in (1, 2, 5):
            if (self.high - self.low) / (step * factor) <= 8:
                break
        step *= factor
        if whole:
            step = max(step, 1.0)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#4a5568"/>'


def _text(x: float, y: float, text: str, anchor: str, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


__all__ = ["tradeoff_csv", "tradeoff_dict", "tradeoff_svg", "tradeoff_text"]
