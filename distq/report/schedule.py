"""A schedule as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distq.report.tables import table

if TYPE_CHECKING:
    from distq.fidelity.predict import FidelityPrediction
    from distq.schedule.replay import Distribution
    from distq.schedule.result import Timeline

#: So many stretches of the critical path are listed.
MOST_SEGMENTS = 12
_WORDS = {
    "ahead": "ahead of need, the most urgent first",
    "on-demand": "on demand, which is quicker here",
    "one-at-a-time": "one at a time, which is quicker here",
}
_PREFIXES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def time_text(value: float, unit: str) -> str:
    """A time for people, with a prefix where it is in seconds."""
    if unit != "s":
        return f"{value:.6g}"
    if not np.isfinite(value):
        return "never"
    for factor, name in _PREFIXES:
        if abs(value) >= factor:
            return f"{value / factor:.4g} {name}"
    return f"{value / 1e-9:.4g} ns" if value else "0 s"


def schedule_text(
    timeline: Timeline,
    baselines: dict[str, float],
    distribution: Distribution | None = None,
    every_plan: float | None = None,
    fidelity: FidelityPrediction | None = None,
) -> str:
    """Makespan, bounds, use of modules and links, critical path, distribution and fidelity for people."""
    unit = timeline.unit
    bounds = timeline.bounds

    def t(value: float) -> str:
        return time_text(value, unit)

    share = f" (makespan {timeline.makespan / bounds.best:.3g} times)" if bounds.best else ""
    lines = [
        ("makespan", t(timeline.makespan) + (" (every operation and pair 1, messages 0)" if unit != "s" else "")),
        ("pairs", f"{len(timeline.graph.pairs)}, requested {_WORDS[timeline.policy]}"),
        ("corrections", "tracked as Pauli frames" if timeline.graph.frames else "carried out where they stand"),
        ("bound B1", f"{t(bounds.best)}, for this program{share}: longest path {t(bounds.path)}"
         + (f", busiest link {t(max(bounds.links.values()))}" if bounds.links else "")
         + (f", busiest fabric {t(max(bounds.fabrics.values()))}" if bounds.fabrics else "")),
    ]  # fmt: skip
    if every_plan is not None:
        lines.append(("bound B2", f"{t(every_plan)}, for every plan of this circuit"))
    for name, value in baselines.items():
        lines.append((name, t(value)))
    path = timeline.dominated_by
    total = sum(path.values()) or 1.0
    lines.append(("critical path", ", ".join(f"{k} {v / total:.0%}" for k, v in path.items() if v) or "nothing"))
    ages = timeline.pair_ages
    ages = ages[np.isfinite(ages)]
    if len(ages):
        lines.append(
            ("age of pairs", f"{t(float(np.median(ages)))} when used (median), at most {t(float(ages.max()))}")
        )
    if timeline.raw_pairs > len(timeline.graph.pairs):
        tried = "" if timeline.attempts is None else f", {timeline.attempts:.4g} attempts"
        lines.append(("raw pairs", f"{timeline.raw_pairs:.4g} on average, with purification{tried}"))
    if timeline.order.discarded:
        lines.append(("discarded", f"{timeline.order.discarded} pairs grow too old even with mean times"))
    if distribution is not None:
        lines.append(("with random pairs", _distribution(distribution, unit)))
    if fidelity is not None:
        from distq.report.fidelity import fidelity_lines

        lines += fidelity_lines(fidelity)
    if timeline.graph.timing.unstated:
        lines.append(("counted as 0", "; ".join(timeline.graph.timing.unstated) + ": the network does not say"))
    width = max(len(name) for name, _ in lines)
    head = "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines)
    return "\n\n".join(
        part.rstrip("\n") for part in (head, _modules(timeline), _links(timeline), _path(timeline)) if part
    )


def _distribution(found: Distribution, unit: str) -> str:
    p5, p95 = time_text(found.quantile(0.05), unit), time_text(found.quantile(0.95), unit)
    text = (
        f"median {time_text(found.median, unit)}, 5% {p5}, 95% {p95} ({len(found.makespan)} samples, seed {found.seed})"
    )
    if (found.raw_pairs != found.raw_pairs[0]).any():
        text += f"; {found.raw_pairs.mean():.4g} raw pairs on average"
    if found.discarded.any():
        text += f"; {found.discarded.mean():.3g} pairs discarded on average"
    if found.failed:
        text += f"; {found.failed} samples never end, because pairs grow too old before they can be used"
    return text


def _modules(timeline: Timeline) -> str:
    rows = [
        (m.name, m.data_qubits, f"{m.data_busy:.1%}", time_text(m.data_idle, timeline.unit), m.comm_qubits,
         f"{m.comm_busy:.1%}", m.peak_comm)
        for m in timeline.modules
    ]  # fmt: skip
    header = ("module", "data", "busy", "idle in all", "comm", "occupied", "at once")
    return table(header, rows, right=range(1, 7))


def _links(timeline: Timeline) -> str:
    links, use = timeline.program.network.links, timeline.link_use
    counts = np.bincount(timeline.graph.link[timeline.graph.pairs], minlength=len(links))
    ages = timeline.pair_ages
    rows = []
    for i in np.flatnonzero(counts).tolist():
        here = ages[timeline.graph.link[timeline.graph.pairs] == i]
        here = here[np.isfinite(here)]
        oldest = time_text(float(here.max()), timeline.unit) if len(here) else "-"
        generators = int(timeline.graph.timing.generators[i])
        each = timeline.graph.timing.raw_pairs[i]
        rows.append((f"{links[i].a} - {links[i].b}", int(counts[i]), f"{each * counts[i]:.4g}", generators,
                     f"{use[i]:.1%}", oldest))  # fmt: skip
    return table(("link", "pairs", "raw", "generators", "busy", "oldest pair"), rows, right=range(1, 6)) if rows else ""


def _path(timeline: Timeline) -> str:
    segments = timeline.critical_path
    if not segments:
        return ""
    longest = sorted(range(len(segments)), key=lambda i: (segments[i].start - segments[i].end, i))[:MOST_SEGMENTS]
    rows = [
        (time_text(s.start, timeline.unit), time_text(s.end - s.start, timeline.unit), s.what, s.where)
        for s in (segments[i] for i in sorted(longest))
    ]
    title = f"critical path: {len(segments)} stretches"
    title += f", the {len(rows)} longest" if len(rows) < len(segments) else ""
    return f"{title}\n" + table(("at", "takes", "what", "where"), rows, right=(0, 1))


def timeline_dict(timeline: Timeline) -> dict[str, Any]:
    """The figures of a schedule as plain data; times in the unit named."""
    bounds = timeline.bounds
    ages = timeline.pair_ages
    ages = ages[np.isfinite(ages)]
    links = timeline.program.network.links
    counts = np.bincount(timeline.graph.link[timeline.graph.pairs], minlength=len(links))
    return {
        "unit": timeline.unit,
        "makespan": timeline.makespan,
        "policy": timeline.policy,
        "ebits": len(timeline.graph.pairs),
        "raw_pairs": timeline.raw_pairs,
        "attempts": timeline.attempts,
        "frames": timeline.graph.frames,
        "bounds": {
            "B1": bounds.best,
            "path": bounds.path,
            "links": bounds.links,
            "fabrics": {str(k): v for k, v in bounds.fabrics.items()},
            "comm": bounds.comm,
        },
        "critical_path": {
            "time": timeline.dominated_by,
            "stretches": [
                {"kind": s.kind, "start": s.start, "end": s.end, "row": s.row, "where": s.where, "what": s.what}
                for s in timeline.critical_path
            ],
        },
        "modules": [
            {
                "name": m.name,
                "data_qubits": m.data_qubits,
                "data_busy": m.data_busy,
                "data_idle": m.data_idle,
                "comm_qubits": m.comm_qubits,
                "comm_busy": m.comm_busy,
                "peak_comm_qubits": m.peak_comm,
            }
            for m in timeline.modules
        ],
        "links": [
            {
                "a": x.a,
                "b": x.b,
                "pairs": int(n),
                "raw_pairs": float(n * r) if n else 0.0,
                "generators": int(g),
                "busy": float(u),
            }
            for x, n, r, g, u in zip(
                links, counts, timeline.graph.timing.raw_pairs, timeline.graph.timing.generators, timeline.link_use
            )
        ],
        "pair_ages": {"median": float(np.median(ages)), "max": float(ages.max())} if len(ages) else None,
        "discarded_pairs": timeline.order.discarded,
        "counted_as_zero": list(timeline.graph.timing.unstated),
    }


__all__ = ["schedule_text", "time_text", "timeline_dict"]
