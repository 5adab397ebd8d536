"""Text pictures: the network, and what happens when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distq.network.model import Network
from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.types import COMM, DATA, MEASURED, DistributedProgram
from distq.schedule.asap import Schedule, asap

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram

#: The detailed picture is drawn up to this many lines; above, the summarised one.
MOST_LINES = 160
#: So many links are shown in the summarised form.
MOST_LINKS = 40
_GATES = ("H", "X", "Y", "Z", "S", "S†", "T", "T†", "√X", "√X†", "P", "Rx", "Ry", "Rz", "U")
_LEVELS = " ▁▂▃▄▅▆▇█"


def timeline(
    compiled: CompiledProgram | DistributedProgram,
    width: int = 100,
    *,
    schedule: Schedule | None = None,
    form: str = "auto",
) -> str:
    """What happens when, as text.

    The detailed form has a lane for each qubit that is used, one for each link with its Bell pairs (`E3` is pair 3,
    also on its two qubits) and one for each pair of modules that send messages (`m0>r2`: the sender's bit, the
    receiver's). `X?r2` happens if bit r2 is 1, `X?!r2` if it is 0, `X?&` under several conditions; `M>m1` measures;
    letters tell simultaneous gates of one module apart. The summarised form shows how busy data and communication
    qubits are, and how many pairs and messages there are, over time.

    Args:
        compiled: a compiled program; or a program in an order in which bits are written before they are read.
        width: columns of the terminal.
        schedule: of a plain program; as soon as possible in unit durations if not given.
        form: "detailed", "summary", or "auto": detailed where it is short enough.
    """
    if isinstance(compiled, DistributedProgram):
        program, plan = compiled, schedule or asap(compiled)
    else:
        program, plan = compiled.program, schedule or compiled.schedule
    if form not in ("auto", "detailed", "summary"):
        raise ValueError(f"form is {form!r}; it must be auto, detailed or summary")
    if not np.any(program.code != Op.SEND):
        return "Nothing happens: the program has no operations.\n"
    width = max(width, 40)
    if form != "summary" and (form == "detailed" or len(program) <= 20 * MOST_LINES):
        lines = _Detailed(program, plan, width).lines()
        if form == "detailed" or len(lines) <= MOST_LINES:
            return "\n".join(lines) + "\n"
    return "\n".join(_summarised(program, plan, width)) + "\n"


class _Detailed:
    """Lanes of labels in time slots; a slot for every time at which something starts."""

    def __init__(self, program: DistributedProgram, schedule: Schedule, width: int) -> None:
        self.program, self.width = program, width
        send = program.code == Op.SEND
        times = np.unique(schedule.start[~send])
        if send.any() and schedule.start[send].max() > times[-1]:
            times = np.append(times, schedule.start[send].max())
        self.times = times
        self.slot = np.searchsorted(times, schedule.start).tolist()
        self.cells: dict[tuple[str, int], dict[int, list[str]]] = {}
        self._fill()

    def _put(self, lane: tuple[str, int], slot: int, label: str) -> None:
        self.cells.setdefault(lane, {}).setdefault(slot, []).append(label)

    def _fill(self) -> None:
        program = self.program
        modules = program.row_module().tolist()
        # Several gates on two or more qubits in one module and slot are told apart by letters.
        several: dict[tuple[int, int], list[int]] = {}
        for row, code in enumerate(program.code.tolist()):
            if code in (Op.MCP, Op.PARITY, Op.CX, Op.SWAP):
                several.setdefault((modules[row], self.slot[row]), []).append(row)
        letter = {
            row: "abcdefghijklmnopqrstuvwxyz"[i % 26]
            for rows in several.values()
            if len(rows) > 1
            for i, row in enumerate(rows)
        }
        pair = 0
        names = self.program.network.modules
        for row, code in enumerate(program.code.tolist()):
            slot = self.slot[row]
            if code == Op.SEND:
                a, b = int(program.bit[row]), int(program.bit2[row])
                lane = int(program.bit_module[a]) * len(names) + int(program.bit_module[b])
                self._put(("message", lane), slot, f"{self._bit(a)}>{self._bit(b)}")
                continue
            qubits = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
            if code == Op.EPR:
                self._put(("link", int(program.link[row])), slot, f"E{pair}")
            for i, q in enumerate(qubits):
                label = f"E{pair}" if code == Op.EPR else self._label(row, code, i, len(qubits))
                self._put(("qubit", q), slot, label + letter.get(row, "") + self._condition(row))
            pair += code == Op.EPR

    def _bit(self, bit: int) -> str:
        kind = "m" if self.program.bit_kind[bit] == MEASURED else "r"
        return f"{kind}{int(self.program.bit_index[bit])}"

    def _condition(self, row: int) -> str:
        guard = int(self.program.guard[row])
        literals = self.program.guards[guard] if guard >= 0 else ()
        if not literals:
            return ""
        if len(literals) > 1:
            return "?&"
        return f"?{'' if literals[0][1] else '!'}{self._bit(literals[0][0])}"

    def _label(self, row: int, code: int, position: int, size: int) -> str:
        if code < NUM_ONE_QUBIT:
            return _GATES[code]
        if code == Op.MEASURE:
            return f"M>{self._bit(int(self.program.bit[row]))}"
        if code == Op.RESET:
            return "|0>"
        if code == Op.CX:
            return "⊕" if position else "●"
        if code == Op.SWAP:
            return "×"
        if code == Op.PARITY:
            return "ZZ"
        angle = self.program.params[self.program.param_offsets[row]]
        return "●" if angle == np.pi or position < size - 1 else "●P"

    def lines(self) -> list[str]:
        """The picture, in as many blocks as the width needs."""
        lanes = self._lanes()
        heads = [head for _, head in lanes]
        left = max(len(h) for h in heads) + 2
        widths = [len(_number(t)) + 1 for t in self.times.tolist()]
        for cells in self.cells.values():
            for slot, labels in cells.items():
                widths[slot] = max(widths[slot], len(",".join(labels)) + 1)
        result: list[str] = []
        first = 0
        while first < len(widths):
            last, used = first, left
            while last < len(widths) and (last == first or used + widths[last] <= self.width):
                used += widths[last]
                last += 1
            if result:
                result.append("")
            result += self._block(lanes, left, widths, first, last)
            first = last
        return result

    def _block(
        self, lanes: list[tuple[tuple[str, int] | None, str]], left: int, widths: list[int], first: int, last: int
    ) -> list[str]:
        end = last == len(widths)
        times = self.times.tolist()
        header = "".join(_number(times[s]).ljust(widths[s]) for s in range(first, last))
        result = [f"{'time'.ljust(left)}{header}".rstrip()]
        outputs = {q: i for i, q in enumerate(self.program.output_qubit.tolist())}
        for lane, head in lanes:
            if lane is None:
                result.append(head)
                continue
            line = "─" if lane[0] == "qubit" else "·"
            cells = self.cells.get(lane, {})
            body = "".join(",".join(cells.get(s, [])).ljust(widths[s], line) for s in range(first, last))
            tail = f" q{outputs[lane[1]]}" if end and lane[0] == "qubit" and lane[1] in outputs else ""
            result.append(f"{head.ljust(left)}{body}{tail}")
        return result

    def _lanes(self) -> list[tuple[tuple[str, int] | None, str]]:
        program = self.program
        names = [m.name for m in program.network.modules]
        inputs = {q: i for i, q in enumerate(program.input_qubit.tolist())}
        shown = {q for kind, q in self.cells if kind == "qubit"} | set(inputs) | set(program.output_qubit.tolist())
        places = sorted(shown, key=lambda q: (program.qubit_module[q], program.qubit_role[q], program.qubit_index[q]))
        result: list[tuple[tuple[str, int] | None, str]] = []
        last = -1
        for q in places:
            if program.qubit_module[q] != last:
                last = int(program.qubit_module[q])
                result.append((None, names[last]))
            register = "c" if program.qubit_role[q] == COMM else "d"
            source = f" q{inputs[q]}" if q in inputs else ""
            result.append((("qubit", q), f"  {register}[{int(program.qubit_index[q])}]{source}"))
        links = sorted(i for kind, i in self.cells if kind == "link")
        if links:
            result.append((None, "Bell pairs"))
            result += [(("link", i), f"  {program.network.links[i].a} - {program.network.links[i].b}") for i in links]
        messages = sorted(i for kind, i in self.cells if kind == "message")
        if messages:
            result.append((None, "messages"))
            k = len(names)
            result += [(("message", i), f"  {names[i // k]} → {names[i % k]}") for i in messages]
        return result


def _number(value: float) -> str:
    return f"{value:g}"


def _summarised(program: DistributedProgram, schedule: Schedule, width: int) -> list[str]:
    """How busy qubits are, and how many pairs and messages there are, in equal stretches of time."""
    names = [m.name for m in program.network.modules]
    links = program.network.links
    code = program.code
    epr, send = np.flatnonzero(code == Op.EPR), np.flatnonzero(code == Op.SEND)
    used = np.flatnonzero(np.bincount(program.link[epr], minlength=len(links)))
    heads = [f"  {n} communication" for n in names] + [f"  {links[i].a} - {links[i].b}" for i in used]
    left = max(len(h) for h in heads) + 2
    bins = max(width - left - 14, 10)
    span = schedule.makespan or 1.0
    edges = np.linspace(0, span, bins + 1)
    row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
    start, end = schedule.start[row], schedule.end[row]
    module, role = program.qubit_module[program.qubits], program.qubit_role[program.qubits]
    right = f"{_number(span)}".rjust(bins - 1)
    result = [f"{'time'.ljust(left)}0{right}", "busy qubits (█: all that are used)"]
    for m, name in enumerate(names):
        for kind, what in ((DATA, "data"), (COMM, "communication")):
            here = (module == m) & (role == kind)
            count = len(np.unique(program.qubits[here]))
            if not count:
                continue
            share = _busy(start[here], end[here], edges) / (count * span / bins)
            mean = share.mean()
            result.append(f"{f'  {name} {what}'.ljust(left)}{_bar(share)}  {count} x {mean:.0%}")
    if len(used):
        result.append(f"Bell pairs (█: {_peak(schedule.start[epr], edges)} in one stretch)")
        most = _peak(schedule.start[epr], edges)
        # The busiest links, in the order of the network.
        totals = np.bincount(program.link[epr], minlength=len(links))
        shown = np.sort(used[np.argsort(-totals[used], kind="stable")[:MOST_LINKS]])
        for i in shown.tolist():
            counts = _histogram(schedule.start[epr[program.link[epr] == i]], edges)
            result.append(f"{f'  {links[i].a} - {links[i].b}'.ljust(left)}{_bar(counts / most)}  {int(counts.sum())}")
        if len(used) > len(shown):
            rest = int(totals.sum() - totals[shown].sum())
            result.append(f"  and {len(used) - len(shown)} links more, with {rest} pairs")
    if len(send):
        counts = _histogram(schedule.start[send], edges)
        result.append(f"{'messages'.ljust(left)}{_bar(counts / counts.max())}  {len(send)}")
    return result


def _busy(start: NDArray[np.float64], end: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Total length of the intervals inside each bin."""

    def area(points: NDArray[np.float64]) -> NDArray[np.float64]:
        # Sum over points p of max(0, t - p), at every edge t.
        ordered = np.sort(points)
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        before = np.searchsorted(ordered, edges)
        return before * edges - sums[before]

    return np.diff(area(start) - area(end))


def _histogram(times: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    at = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(at, minlength=len(edges) - 1)


def _peak(times: NDArray[np.float64], edges: NDArray[np.float64]) -> int:
    return int(_histogram(times, edges).max())


def _bar(share: NDArray[np.float64]) -> str:
    """One character for each value between 0 and 1; anything above 0 is visible."""
    levels = np.ceil(np.clip(share - 1e-9, 0, 1) * (len(_LEVELS) - 1)).astype(int)
    return "".join(_LEVELS[i] for i in levels)


def network_picture(network: Network, width: int = 100) -> str:
    """The modules with their qubits, and the links between them, as text."""
    modules = network.modules
    comm = ["unlimited" if m.comm is None else str(m.comm) for m in modules]
    name_width = max(len(m.name) for m in modules)
    data_width = max(len(str(m.data)) for m in modules)
    comm_width = max(len(c) for c in comm)
    heads = [
        f"{m.name.ljust(name_width)}  {str(m.data).rjust(data_width)} data  {c.rjust(comm_width)} comm"
        for m, c in zip(modules, comm)
    ]
    k = len(modules)
    title = f"{network.name}: " if network.name else ""
    title += f"{k} module{'' if k == 1 else 's'}, {len(network.links)} link{'' if len(network.links) == 1 else 's'}"
    ends = sorted((min(a, b), max(a, b)) for a, b in network.link_ends.tolist())
    if k > 4 and len(ends) == k * (k - 1) // 2:
        body = [*heads, "every module is linked to every other"]
    else:
        arcs = _arcs(ends, k)
        # More arcs than this are a thicket.
        if arcs.shape[1] <= 20 and k <= 20 and len(heads[0]) + 4 + arcs.shape[1] <= width:
            body = [f"{h}  {''.join(line)}".rstrip() for h, line in zip(heads, arcs)]
        else:
            body = _neighbours(network, heads, ends, width)
    return "\n".join([title, *(f"  {line}" for line in body)]) + "\n"


def _neighbours(network: Network, heads: list[str], ends: list[tuple[int, int]], width: int) -> list[str]:
    near: list[list[str]] = [[] for _ in heads]
    for a, b in ends:
        near[a].append(network.modules[b].name)
        near[b].append(network.modules[a].name)
    lines = []
    for head, names in zip(heads, near):
        text = f"{head}  linked to {', '.join(names) or 'nothing'}"
        lines.append(text if len(text) <= width else f"{head}  linked to {len(names)} modules")
    return lines


def _arcs(ends: list[tuple[int, int]], k: int) -> NDArray[np.str_]:
    """(k, columns) characters: each link an arc on the right of its modules, no two touching in one column."""
    columns: list[list[tuple[int, int]]] = []
    for a, b in sorted(ends, key=lambda e: (e[1] - e[0], e)):
        free = next((c for c in columns if all(b < x or y < a for x, y in c)), None)
        if free is None:
            columns.append(free := [])
        free.append((a, b))
    picture = np.full((k, 2 * len(columns)), " ", dtype="<U1")
    reach = [max((i for i, c in enumerate(columns) for e in c if m in e), default=-1) for m in range(k)]
    for m in range(k):
        picture[m, : 2 * reach[m] + 1] = "─"
        for i, column in enumerate(columns):
            at = 2 * i + 1
            inside = next(((a, b) for a, b in column if a <= m <= b), None)
            further = i < reach[m]
            if inside is None:
                picture[m, at] = "─" if further else " "
            elif m == inside[0]:
                picture[m, at] = "┬" if further else "╮"
            elif m == inside[1]:
                picture[m, at] = "┴" if further else "╯"
            else:
                picture[m, at] = "┼" if further else "│"
    return picture


__all__ = ["network_picture", "timeline"]
