"""The tables of `distq explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from distq.report.explain import Explanation, MoveUse

if TYPE_CHECKING:
    from rich.table import Table

#: Rows of a table that are shown unless told otherwise.
TOP = 20


def explain_text(found: Explanation, width: int, top: int = TOP) -> str:
    """The tables as text: links, packets, moves, exchanges, each with the biggest spenders first.

    Args:
        found: what is shown.
        width: columns of the terminal.
        top: packets, moves and exchanges shown.
    """
    import io

    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=max(width, 80), color_system=None, highlight=False, legacy_windows=False)
    console.print(_headline(found), soft_wrap=True, markup=False)
    for table in _tables(found, top):
        console.print()
        console.print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _headline(found: Explanation) -> str:
    total = found.totals
    if not found.ebits:
        return "The program consumes no Bell pairs."
    parts = [f"{total[key]} for {text}" for key, text in _PURPOSES if total[key]]
    lines = [f"{found.ebits} ebits: {', '.join(parts)}"]
    if total["remote_gates_served"]:
        lines.append(
            f"copies serve {total['remote_gates_served']} gates and save {total['saved_by_copies']} ebits against one "
            "pair for each"
        )
    if found.moves or found.exchanges:
        lines.append(f"moves save {total['saved_by_moves']} ebits against staying where the qubits were")
    return "\n".join(lines)


_PURPOSES = (("copies", "copies"), ("moves", "moves"), ("exchanges", "exchanges"), ("other", "other steps"))


def _tables(found: Explanation, top: int) -> list[Table]:
    result = []
    if found.links:
        rows = [(f"{x.a} - {x.b}", x.ebits, x.copies, x.moves, x.exchanges, x.other) for x in found.links]
        columns: Sequence[str] = ("link", "ebits", "copies", "moves", "exchanges", "other")
        result.append(_table("Bell pairs on each link", columns, rows, len(rows), range(1, 6)))
    copied = [p for p in found.packets if p.ebits or p.remote_gates]
    if copied:
        packets: list[Sequence[object]] = [
            (p.packet, p.qubit, p.axis, p.home, _copies(p.copied_to), p.gates, p.remote_gates, p.ebits, p.saved)
            for p in copied[:top]
        ]
        columns = ("packet", "qubit", "axis", "home", "copied to", "gates", "remote", "ebits", "saved")
        result.append(_table("Packets with gates on copies", columns, packets, len(copied), (0, 1, 5, 6, 7, 8)))
    if found.moves:
        moves: list[Sequence[object]] = [
            (m.qubit, m.origin, m.target, f"{m.time:g}", _packet(m), m.ebits, m.gates, m.local_packets, m.saved)
            for m in found.moves[:top]
        ]
        columns = ("qubit", "from", "to", "time", "packet", "ebits", "gates on the way", "local packets", "saved")
        result.append(_table("Moves", columns, moves, len(found.moves), (0, 3, 4, 5, 6, 7, 8)))
    if found.exchanges:
        exchanges: list[Sequence[object]] = [
            ("{}, {}".format(*x.qubits), " - ".join(x.modules), f"{x.time:g}", x.ebits, x.local_packets, x.saved)
            for x in found.exchanges[:top]
        ]
        columns = ("qubits", "between", "time", "ebits", "local packets", "saved")
        result.append(_table("Exchanges of two qubits", columns, exchanges, len(found.exchanges), range(2, 6)))
    if found.others:
        rows_ = [(o.kind, o.steps, o.ebits) for o in found.others]
        result.append(_table("Other steps", ("kind", "steps", "ebits"), rows_, len(rows_), (1, 2)))
    return result


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], count: int, right: Sequence[int]
) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    more = f" (the {len(rows)} biggest of {count})" if count > len(rows) else ""
    table = Table(title=Text(title + more), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, title_style="")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i in right else "left", no_wrap=name != "copied to")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    return table


def _packet(move: MoveUse) -> str:
    """The number of the packet in which a qubit moves; a qubit that no gate acts on has none."""
    return str(move.packet) if move.packet >= 0 else "-"


def _copies(modules: Sequence[str]) -> str:
    """Names of modules in order, with how often where a module is named more than once."""
    times = {name: modules.count(name) for name in modules}
    return ", ".join(name if n == 1 else f"{name} ({n}x)" for name, n in times.items())
