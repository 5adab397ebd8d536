"""Resets that nobody can see: both sides of a comparison go without them.

What a qubit holds is thrown away by an unconditional reset, and at the end of the circuit if it is no output. Where
nothing but one-qubit gates and further resets stands between two such points, it does not matter what these do. In the
same way a reset of a qubit that is promised to start in |0>, and has met nothing but one-qubit gates, leaves it as it
was promised to be. A program that gives up a qubit, or begins one on a qubit that another had before, has resets
that the circuit lacks, and lacks some that it has; the rest must agree.
"""

from __future__ import annotations

from collections.abc import Sequence

from distq.verify.tape import Row, Tape, TapeRow


def strands_at_end(tape: Tape) -> list[int]:
    """For every wire the strand (the wire at the start) that it carries at the end."""
    found = list(range(tape.num_wires))
    for kind, wires, _, _, _ in tape.rows:
        if kind == Row.SWAP:
            a, b = wires
            found[a], found[b] = found[b], found[a]
    return found


def visible(tape: Tape, kept: Sequence[bool], start_zero: bool) -> Tape:
    """The tape without resets, and one-qubit gates before them, that make no difference.

    Args:
        tape: of the circuit or of a program.
        kept: (num_wires,) whether what a wire holds at the end matters.
        start_zero: whether all wires start in |0>.
    """
    if not any(row[0] == Row.RESET for row in tape.rows):
        return tape
    rows = _before_thrown_away(tape.rows, list(kept))
    return Tape(tape.num_wires, _after_start(rows, tape.num_wires) if start_zero else rows)


def _before_thrown_away(rows: list[TapeRow], matters: list[bool]) -> list[TapeRow]:
    """From the end: rows on wires of which nothing is seen any more."""
    result: list[TapeRow] = []
    for row in reversed(rows):
        kind, wires, _, guard, _ = row
        if kind == Row.SWAP and guard < 0:
            a, b = wires
            matters[a], matters[b] = matters[b], matters[a]
        elif kind in (Row.RESET, Row.TURN) and not matters[wires[0]]:
            continue
        elif kind == Row.RESET and guard < 0:
            matters[wires[0]] = False
        else:
            for wire in wires:
                matters[wire] = True
        result.append(row)
    return result[::-1]


def _after_start(rows: list[TapeRow], num_wires: int) -> list[TapeRow]:
    """Resets of wires that have met nothing but one-qubit gates, together with these gates."""
    #: Positions of the one-qubit gates on each wire since the start; None: it has met something else.
    met: list[list[int] | None] = [[] for _ in range(num_wires)]
    gone: set[int] = set()
    for position, (kind, wires, _, guard, _) in enumerate(rows):
        if kind == Row.SWAP and guard < 0:
            a, b = wires
            met[a], met[b] = met[b], met[a]
            continue
        for wire in wires:
            turns = met[wire]
            if turns is None:
                continue
            if kind == Row.TURN:
                turns.append(position)
            elif kind == Row.RESET and guard < 0:
                gone.update((*turns, position))
                met[wire] = []
            else:
                met[wire] = None
    return [row for position, row in enumerate(rows) if position not in gone]
