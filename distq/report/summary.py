"""The figures of a compiled program as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distq.ops import Op
from distq.program.types import DistributedProgram
from distq.report.tables import table

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram


def summary(compiled: CompiledProgram) -> str:
    """The figures for people: a line for each, and a table of the modules."""
    stats, program = compiled.stats, compiled.program
    circuit = stats.get("circuit") or {}
    gates = circuit.get("two_qubit_gates")
    lines = [
        ("circuit", f"{program.circuit_name or 'unnamed'}: {_count(program.num_qubits, 'qubit')}"
         + (f", {_count(circuit['gates'], 'gate')}" if circuit.get("gates") is not None else "")
         + (f" ({gates} on two or more qubits)" if gates is not None else "")),
        ("network", f"{program.network.name or 'unnamed'}: {_count(len(program.network.modules), 'module')}, "
         f"{_count(len(program.network.links), 'link')}"),
        ("ebits", _ebits(compiled)),
    ]  # fmt: skip
    lines += _purification(compiled)
    if stats.get("lower_bound") is not None:
        lines.append(("lower bound", _bound(stats)))
    for key, text in (("remote_gates", "remote gates"), ("teleports", "state teleports"), ("exchanges", "exchanges")):
        if stats.get(key) is not None:
            lines.append((text, str(stats[key])))
    if stats.get("mapping") is not None:
        lines.append(("local SWAPs", f"{compiled.local_swaps} (routing on coupling maps)"))
    lines += [
        ("messages", f"{compiled.messages} ({_count(compiled.classical_bits, 'measured bit')})"),
        ("depth", f"{compiled.depth} ({_count(compiled.remote_depth, 'Bell pair')} in a row)"),
        ("makespan", _makespan(compiled.schedule.makespan, compiled.schedule.unit)),
    ]
    if stats.get("objective", "ebits") != "ebits":
        lines.append(("objective", str(stats["objective"])))
    if stats.get("verified"):
        lines.append(("verified", _verified(stats["verified"])))
    if stats.get("seconds"):
        seconds = stats["seconds"]
        parts = ", ".join(f"{k} {v:.2f}" for k, v in seconds.items() if v >= 0.005)
        lines.append(("seconds", f"{sum(seconds.values()):.2f}" + (f" ({parts})" if parts else "")))
    if stats.get("seed") is not None:
        again = "" if stats.get("reproducible", True) else ", not reproducible: the search was interrupted"
        lines.append(("seed", f"{stats['seed']}{again}"))
    width = max(len(name) for name, _ in lines)
    head = "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines)
    return f"{head}\n\n{module_table(compiled)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _ebits(compiled: CompiledProgram) -> str:
    used = [f"{a}-{b} {n}" for (a, b), n in compiled.ebits_per_link.items() if n]
    if not used or len(used) > 6:
        return f"{compiled.ebits}" + (f" over {len(used)} links" if used else "")
    return f"{compiled.ebits} ({', '.join(used)})"


def _purification(compiled: CompiledProgram) -> list[tuple[str, str]]:
    """Elementary pairs where pairs are purified, and what was chosen where something was."""
    from distq.report.purification import choice_lines, raw_pairs

    lines = []
    if any(x.hardware and x.hardware.purify for x in compiled.network.links):
        found = raw_pairs(compiled.network, list(compiled.ebits_per_link.values()))
        lines.append(("raw pairs", f"{found:.4g} on average, because pairs are purified"))
    if compiled.stats.get("purification"):
        texts = choice_lines(compiled.stats["purification"])
        shown = texts if len(texts) <= 6 else [*texts[:6], f"and {len(texts) - 6} more links"]
        lines += [("purification" if i == 0 else "", text) for i, text in enumerate(shown)]
    return lines


def _bound(stats: dict[str, Any]) -> str:
    """The bounds, and what is proved about the program."""
    text = f"{stats['lower_bound']} for every plan"
    if stats.get("lower_bound_homes") is not None:
        text += f", {stats['lower_bound_homes']} with these start and end homes"
    if not stats.get("optimal"):
        return text
    return f"{text}; optimal among {str(stats.get('optimal_class')).replace('every plan', 'all plans')}"


def _makespan(makespan: float, unit: str) -> str:
    return f"{makespan:g} " + ("(every operation 1, messages 0)" if unit == "operation" else unit)


def _verified(verified: dict[str, Any]) -> str:
    seconds = verified.get("seconds")
    time = f", {seconds:.2f} s" if isinstance(seconds, (int, float)) else ""
    return f"{'yes' if verified.get('ok') else 'NO'} ({verified.get('method')}{time})"


def module_table(compiled: CompiledProgram) -> str:
    """What each module has and uses."""
    rows = [
        (
            m.name,
            f"{m.data_qubits} of {m.data}",
            f"{m.comm_qubits} of {'unlimited' if m.comm is None else m.comm}",
            m.peak_comm_qubits,
            m.statements,
        )
        for m in compiled.modules
    ]
    return table(("module", "data qubits", "communication", "at once", "statements"), rows, right=(3, 4))


def ebit_table(compiled: CompiledProgram | DistributedProgram) -> str:
    """Bell pairs on each link that the program uses, and their sum."""
    program = compiled if isinstance(compiled, DistributedProgram) else compiled.program
    links = program.network.links
    counts = np.bincount(program.link[program.code == Op.EPR], minlength=len(links)).tolist()
    rows = [(f"{x.a} - {x.b}", n) for x, n in zip(links, counts) if n]
    return table(("link", "ebits"), [*rows, ("all", sum(counts))], right=(1,))
