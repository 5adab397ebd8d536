"""A schedule as a picture: a Gantt chart in SVG, written by hand."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.types import COMM, DATA
from distq.report.schedule import time_text
from distq.schedule.result import GATES, MESSAGES, PAIRS, WAITING

if TYPE_CHECKING:
    from distq.schedule.result import Timeline

Float64 = NDArray[np.float64]

#: Above so many rows of the program, or lanes, the summarised form is drawn.
MOST_ROWS = 1500
MOST_LANES = 120
#: So many links are shown in the summarised form, the busiest ones.
MOST_LINKS = 40
#: Sizes [pixels].
LANE, BOX, LEFT, TOP, WIDTH, RIGHT = 20, 14, 170, 64, 1240, 24
#: Attempts narrower than this are not marked [pixels].
ATTEMPT = 4
#: Stretches of time in the summarised form.
BINS = 300
_COLOURS = {
    "one qubit": "#8fb8de", "several qubits": "#2b6cb0", "measurement": "#d69e2e", "reset": "#a0aec0",
    "correction": "#d53f8c", "pair in generation": "#805ad5", "attempt": "#c4b5fd", "pair until its use": "#d6c8f5",
    "communication qubit held": "#e2e8f0", "message": "#718096", "critical path": "#e53e3e", "data qubits": "#2b6cb0",
    "communication qubits": "#319795", "generators": "#805ad5", GATES: "#2b6cb0", PAIRS: "#805ad5",
    MESSAGES: "#718096", WAITING: "#ed8936",
}  # fmt: skip
_NAMES = {Op.CX: "CX", Op.SWAP: "SWAP", Op.MCP: "phase", Op.PARITY: "ZZ", Op.MEASURE: "measure", Op.RESET: "reset"}


def gantt(timeline: Timeline, form: str = "auto") -> str:
    """The SVG text of a schedule.

    The detailed form has a lane for each qubit that is used, grouped by modules, with its operations; and one for each
    generator of a link, with pairs in generation and until they are used. Messages are arrows, the critical path is
    outlined, and its kinds make the strip at the top. The summarised form shows how busy modules and links are over
    time.

    Args:
        timeline: of a program.
        form: "detailed", "summary", or "auto": detailed up to 1500 rows and 120 lanes.

    Raises:
        ValueError: the form is not known.
    """
    if form not in ("auto", "detailed", "summary"):
        raise ValueError(f"form is {form!r}; it must be auto, detailed or summary")
    if form != "summary":
        picture = _Detailed(timeline)
        if form == "detailed" or (len(timeline.program) <= MOST_ROWS and len(picture.lane) <= MOST_LANES):
            return picture.draw()
    return _Summary(timeline).draw()


class _Picture:
    """Shapes on a scale of time."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.program = timeline, timeline.program
        self.names = [m.name for m in self.program.network.modules]
        self.span = timeline.makespan or 1.0
        self.shapes: list[str] = []
        self.used: dict[str, None] = {}
        self.bottom = TOP

    def x(self, time: float) -> float:
        return LEFT + time / self.span * (WIDTH - LEFT - RIGHT)

    def box(
        self, what: str, start: float, end: float, y: float, title: str, height: float = BOX, more: str = ""
    ) -> None:
        """A coloured box in the lane whose middle is y; at least a pixel wide."""
        self.used[what] = None
        x = self.x(start)
        self.shapes.append(
            f'<rect x="{x:.1f}" y="{y - height / 2:.1f}" width="{max(self.x(end) - x, 1):.1f}" height="{height:g}" '
            f'fill="{_COLOURS[what]}"{more}><title>{escape(title)}</title></rect>'
        )

    def text(self, x: float, y: float, text: str, more: str = "") -> None:
        self.shapes.append(f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(text)}</text>')

    def when(self, start: float, end: float) -> str:
        unit = self.timeline.unit
        return f"{time_text(start, unit)} to {time_text(end, unit)}"

    def fill(self) -> None:
        """Draw the lanes from TOP on, and set `bottom`."""
        raise NotImplementedError

    def draw(self) -> str:
        self.fill()
        body, self.shapes = self.shapes, []
        self._axis()
        axis, self.shapes = self.shapes, []
        self._legend()
        height = self.bottom + 14
        program = self.program
        title = f"{program.circuit_name or 'program'} on {program.network.name or 'the network'}"
        head = (
            f"{title}: makespan {time_text(self.timeline.makespan, self.timeline.unit)}"
            f"{'' if self.timeline.unit == 's' else ' operations'}, "
            f"lower bound {time_text(self.timeline.bounds.best, self.timeline.unit)}"
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11" fill="#2d3748">',
                f"<title>{escape(title)}</title>",
                '<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" '
                'orient="auto"><path d="M0,0 L6,3 L0,6 z" fill="#718096"/></marker>'
                '<marker id="hot" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6" '
                'orient="auto"><path d="M0,0 L6,3 L0,6 z" fill="#e53e3e"/></marker></defs>',
                f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
                f'<text x="12" y="20" font-size="14" font-weight="bold">{escape(head)}</text>',
                *axis,
                *body,
                *self.shapes,
                "</svg>\n",
            ]
        )

    def _axis(self) -> None:
        step = _step(self.span / 8)
        for i in range(int(self.span / step * (1 + 1e-9)) + 1):
            x = self.x(i * step)
            self.shapes.append(f'<line x1="{x:.1f}" y1="{TOP - 20}" x2="{x:.1f}" y2="{self.bottom}" stroke="#e2e8f0"/>')
            self.text(x, TOP - 24, time_text(i * step, self.timeline.unit), ' text-anchor="middle" fill="#718096"')

    def _legend(self) -> None:
        x = 12.0
        self.bottom += 24
        for what in self.used:
            label = f"critical path: {what}" if what in (GATES, PAIRS, MESSAGES, WAITING) else what
            width = 30 + 7 * len(label)
            if x + width > WIDTH:
                x, self.bottom = 12.0, self.bottom + 18
            self.shapes.append(
                f'<rect x="{x:.1f}" y="{self.bottom - 10}" width="12" height="12" fill="{_COLOURS[what]}" '
                'stroke="#cbd5e0"/>'
            )
            self.text(x + 16, self.bottom, label)
            x += width

    def strip(self, y: float) -> None:
        """What the critical path consists of."""
        self.text(12, y + 4, "critical path", ' font-weight="bold"')
        for s in self.timeline.critical_path:
            self.box(s.kind, s.start, s.end, y, f"{s.what} {s.where}, {self.when(s.start, s.end)}", 8)


def _step(least: float) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9)))


class _Detailed(_Picture):
    def __init__(self, timeline: Timeline) -> None:
        super().__init__(timeline)
        self.critical = {s.row for s in timeline.critical_path if s.row >= 0}
        #: Middle of the lane of each qubit and generator.
        self.lane: dict[tuple[str, int], float] = {}
        self.heads: list[tuple[float, str, bool]] = []
        self._place()

    def _place(self) -> None:
        program, y = self.program, float(TOP + LANE)
        used = np.unique(np.concatenate([program.qubits, program.input_qubit, program.output_qubit]))
        inputs = {q: i for i, q in enumerate(program.input_qubit.tolist())}
        for m, name in enumerate(self.names):
            here = used[program.qubit_module[used] == m]
            here = here[np.lexsort((program.qubit_index[here], program.qubit_role[here]))]
            if len(here):
                self.heads.append((y, name, True))
                y += LANE * 0.9
            for q in here.tolist():
                register = "c" if program.qubit_role[q] == COMM else "d"
                label = f"{register}[{int(program.qubit_index[q])}]" + (f"  q{inputs[q]}" if q in inputs else "")
                self.heads.append((y, label, False))
                self.lane["qubit", q] = y
                y += LANE
            y += LANE * 0.3
        pairs = self.timeline.graph.pairs
        generators = np.unique(self.timeline.order.generator[pairs])
        first = np.concatenate([[0], np.cumsum(self.timeline.graph.timing.generators)])
        if len(generators):
            self.heads.append((y, "Bell pairs", True))
            y += LANE * 0.9
        for g in generators.tolist():
            link = int(np.searchsorted(first, g, side="right")) - 1
            ends = program.network.links[link]
            several = f" #{g - int(first[link]) + 1}" if self.timeline.graph.timing.generators[link] > 1 else ""
            self.heads.append((y, f"{ends.a} - {ends.b}{several}", False))
            self.lane["generator", g] = y
            y += LANE
        self.bottom = int(y)

    def fill(self) -> None:
        self.strip(TOP - 6)
        for y, label, bold in self.heads:
            self.text(12 if bold else 24, y + 4, label, ' font-weight="bold"' if bold else "")
        for y in self.lane.values():
            self.shapes.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#cbd5e0"/>')
        for q, start, end in self.timeline.occupations:
            self.box("communication qubit held", start, end, self.lane["qubit", q], self.when(start, end), BOX + 2)
        self._pairs()
        arrows: list[int] = []
        for row, code in enumerate(self.program.code.tolist()):
            if code == Op.SEND:
                arrows.append(row)
            elif code != Op.EPR:
                self._row(row, code)
        for q, start, end in self.timeline.applied:
            self.box("correction", start, end, self.lane["qubit", q], f"correction, {self.when(start, end)}")
        self._messages(arrows)

    def _outline(self, row: int) -> str:
        if row not in self.critical:
            return ""
        self.used["critical path"] = None
        return f' stroke="{_COLOURS["critical path"]}" stroke-width="2"'

    def _pairs(self) -> None:
        start, end, order = self.timeline.start, self.timeline.end, self.timeline.order
        for number, row in enumerate(self.timeline.graph.pairs.tolist()):
            y = self.lane["generator", int(order.generator[row])]
            attempts = float(self.timeline.graph.timing.attempts[self.timeline.graph.link[row]])
            title = f"pair {number}, {self.when(start[row], end[row])}"
            if attempts > 1:  # not where only a rate is known
                title += f", {attempts:.3g} attempts expected"
            user = int(order.user[row])
            if user >= 0 and order.start[user] > end[row]:
                self.box("pair until its use", end[row], order.start[user], y, title)
            self.box("pair in generation", start[row], end[row], y, title, more=self._outline(row))
            self._attempts(float(start[row]), float(end[row]), attempts, y)
            for q in self._qubits(row):
                self.box("pair in generation", start[row], end[row], self.lane["qubit", q], title, 6)

    def _attempts(self, start: float, end: float, attempts: float, y: float) -> None:
        """Marks between the attempts that a pair takes in the mean, where there is room for them."""
        if not attempts > 1 or (self.x(end) - self.x(start)) / attempts < ATTEMPT:
            return
        self.used["attempt"] = None
        for i in range(1, int(np.ceil(attempts))):
            x = self.x(start + (end - start) * i / attempts)
            self.shapes.append(
                f'<line x1="{x:.1f}" y1="{y - BOX / 2:.1f}" x2="{x:.1f}" y2="{y + BOX / 2:.1f}" '
                f'stroke="{_COLOURS["attempt"]}" stroke-width="0.7"/>'
            )

    def _qubits(self, row: int) -> list[int]:
        p = self.program
        return p.qubits[p.qubit_offsets[row] : p.qubit_offsets[row + 1]].tolist()

    def _row(self, row: int, code: int) -> None:
        start, end = float(self.timeline.start[row]), float(self.timeline.end[row])
        name = _NAMES.get(Op(code), Op(code).name)
        title = f"{name}{' if' if self.program.guard[row] >= 0 else ''}, {self.when(start, end)}"
        places = [self.lane["qubit", q] for q in self._qubits(row)]
        if self.timeline.tracked[row]:
            self.used["correction"] = None
            self.shapes.append(
                f'<circle cx="{self.x(start):.1f}" cy="{places[0]:.1f}" r="3" fill="white" '
                f'stroke="{_COLOURS["correction"]}"><title>{escape(title)}, tracked</title></circle>'
            )
            return
        what = "one qubit" if code < NUM_ONE_QUBIT else "several qubits"
        what = {Op.MEASURE: "measurement", Op.RESET: "reset"}.get(Op(code), what)
        if self.program.guard[row] >= 0 and code in (Op.X, Op.Y, Op.Z):
            what = "correction"
        if len(places) > 1:
            x = self.x((start + end) / 2)
            self.shapes.append(
                f'<line x1="{x:.1f}" y1="{min(places):.1f}" x2="{x:.1f}" y2="{max(places):.1f}" '
                f'stroke="{_COLOURS[what]}" stroke-width="1.5"/>'
            )
        for y in places:
            self.box(what, start, end, y, title, more=self._outline(row))

    def _messages(self, rows: list[int]) -> None:
        """From the qubit that was measured to the one that first depends on the bit."""
        p = self.program
        measured = {int(p.bit[r]): self._qubits(r)[0] for r in np.flatnonzero(p.code == Op.MEASURE).tolist()}
        reader: dict[int, int] = {}
        for row in np.flatnonzero(p.guard >= 0).tolist():
            for bit, _ in p.guards[p.guard[row]]:
                reader.setdefault(bit, self._qubits(row)[0])
        for row in rows:
            source, target = measured[int(p.bit[row])], reader.get(int(p.bit2[row]))
            if target is None:
                continue
            hot = row in self.critical
            self.used["message"] = None
            a, b = self.timeline.start[row], self.timeline.end[row]
            self.shapes.append(
                f'<line x1="{self.x(a):.1f}" y1="{self.lane["qubit", source]:.1f}" x2="{self.x(b):.1f}" '
                f'y2="{self.lane["qubit", target]:.1f}" stroke="{_COLOURS["critical path" if hot else "message"]}" '
                f'stroke-width="{1.5 if hot else 0.8}" stroke-dasharray="3 2" '
                f'marker-end="url(#{"hot" if hot else "tip"})">'
                f"<title>message, {self.when(a, b)}</title></line>"
            )


class _Summary(_Picture):
    def fill(self) -> None:
        self.strip(TOP - 6)
        t, program = self.timeline, self.program
        edges = np.linspace(0, self.span, BINS + 1)
        y = float(TOP + 2 * LANE)
        row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
        local = (program.qubit_role[program.qubits] == DATA) & ~t.tracked[row]
        for m, use in enumerate(t.modules):
            here = local & (program.qubit_module[program.qubits] == m)
            self.text(12, y, use.name, ' font-weight="bold"')
            if use.data_qubits:
                busy = _busy(t.start[row[here]], t.end[row[here]], edges) / (use.data_qubits * self.span / BINS)
                self._area("data qubits", f"{use.data_qubits} data, {use.data_busy:.0%}", busy, y)
                y += 1.6 * LANE
            if use.comm_qubits:
                held = np.array([(a, b) for q, a, b in t.occupations if program.qubit_module[q] == m]).reshape(-1, 2)
                busy = _busy(held[:, 0], held[:, 1], edges) / (use.comm_qubits * self.span / BINS)
                self._area("communication qubits", f"{use.comm_qubits} comm, {use.comm_busy:.0%}", busy, y)
                y += 1.6 * LANE
            y += 0.4 * LANE
        pairs = t.graph.pairs
        links = t.graph.link[pairs]
        busiest = np.argsort(-t.link_use, kind="stable")[:MOST_LINKS]
        shown = [i for i in np.sort(busiest).tolist() if (links == i).any()]
        for i in shown:
            here = pairs[links == i]
            ends = program.network.links[i]
            share = _busy(t.start[here], t.end[here], edges) / (t.graph.timing.generators[i] * self.span / BINS)
            self.text(12, y, f"{ends.a} - {ends.b}", ' font-weight="bold"')
            self._area("generators", f"{len(here)} pairs, {t.link_use[i]:.0%}", share, y)
            y += 1.6 * LANE
        hidden = len(np.unique(links)) - len(shown)
        if hidden:
            self.text(12, y, f"and {hidden} links more")
            y += LANE
        self.bottom = int(y)

    def _area(self, what: str, label: str, share: Float64, y: float) -> None:
        """How busy something is, as a filled curve that stands on y + LANE/2."""
        self.used[what] = None
        base, height = y + LANE * 0.5, LANE * 1.3
        self.text(LEFT - 6, y + 4, label, ' text-anchor="end" fill="#718096"')
        xs = LEFT + np.arange(BINS + 1) / BINS * (WIDTH - LEFT - RIGHT)
        points = [f"{xs[0]:.1f},{base:.1f}"]
        for i, value in enumerate(np.clip(share, 0, 1).tolist()):
            points += [f"{xs[i]:.1f},{base - value * height:.1f}", f"{xs[i + 1]:.1f},{base - value * height:.1f}"]
        points.append(f"{xs[-1]:.1f},{base:.1f}")
        self.shapes.append(f'<line x1="{LEFT}" y1="{base:.1f}" x2="{WIDTH - RIGHT}" y2="{base:.1f}" stroke="#cbd5e0"/>')
        self.shapes.append(f'<polygon points="{" ".join(points)}" fill="{_COLOURS[what]}"/>')


def _busy(start: Float64, end: Float64, edges: Float64) -> Float64:
    """Total length of the intervals inside each stretch of time."""

    def area(points: Float64) -> Float64:
        # Sum over points p of max(0, t - p), at every edge t.
        ordered = np.sort(points)
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        before = np.searchsorted(ordered, edges)
        return before * edges - sums[before]

    return np.diff(area(start) - area(end))


__all__ = ["gantt"]
