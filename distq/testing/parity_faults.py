"""Faults in parities that are collected on communication qubits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from distq.ops import Op
from distq.testing.draft import Draft
from distq.testing.faults import Change, fault, pick, previous, row_name


@dataclass(frozen=True)
class _Sum:
    """Bell half onto which several shares are added: its rows."""

    half: int
    legs: tuple[int, ...]
    measured: int


def _sums(draft: Draft) -> list[_Sum]:
    """The parities that are passed on by a Bell pair."""
    found: list[_Sum] = []
    legs: dict[int, list[int]] = {}
    for i, row in enumerate(draft.rows):
        if row.code == Op.EPR:
            legs.update((q, []) for q in row.qubits)
        elif row.code == Op.CX and row.qubits[1] in legs:
            legs[row.qubits[1]].append(i)
        elif row.code == Op.MEASURE and (added := legs.pop(row.qubits[0], [])) and len(added) > 1:
            found.append(_Sum(row.qubits[0], tuple(added), i))
    return found


def _leg(draft: Draft, rng: random.Random) -> int | None:
    return pick(rng, [leg for s in _sums(draft) for leg in s.legs])


def _corrections(draft: Draft) -> Iterator[list[int]]:
    """The Z corrections of each parity: several that depend on one measurement."""
    source = {r.bit2: r.bit for r in draft.rows if r.code == Op.SEND}
    rows: dict[int, list[int]] = {}
    for i, row in enumerate(draft.rows):
        if row.is_correction and row.code == Op.Z and len(row.guard) == 1:
            bit = row.guard[0][0]
            rows.setdefault(source.get(bit, bit), []).append(i)
    return (found for found in rows.values() if len(found) > 1)


def _one_correction(draft: Draft, rng: random.Random) -> int | None:
    return pick(rng, [i for rows in _corrections(draft) for i in rows])


@fault("parity without a leg")
def _leg_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = _leg(draft, rng)
    if i is None:
        return None
    row = draft.rows.pop(i)
    return f"{row_name(row, i)} dropped", False


@fault("parity leg twice")
def _leg_twice(draft: Draft, rng: random.Random) -> Change | None:
    i = _leg(draft, rng)
    if i is None:
        return None
    draft.rows.insert(i, replace(draft.rows[i]))
    return f"{row_name(draft.rows[i], i)} twice", False


@fault("parity leg of another qubit")
def _leg_of_another(draft: Draft, rng: random.Random) -> Change | None:
    """Another qubit of the module is added, or the leg is added to another qubit."""
    i = _leg(draft, rng)
    if i is None:
        return None
    row = draft.rows[i]
    other = pick(rng, [q for q in draft.in_module(draft.module(row)) if q not in row.qubits])
    if other is None:
        return None
    text = row_name(row, i)
    row.qubits = (other, row.qubits[1]) if rng.random() < 0.6 else (row.qubits[0], other)
    return f"{text}: {other} instead", False


@fault("parity leg too late")
def _leg_late(draft: Draft, rng: random.Random) -> Change | None:
    """A leg is added behind the measurement that passes the parity on."""
    chosen = pick(rng, _sums(draft))
    if chosen is None:
        return None
    i = rng.choice(chosen.legs)
    row = draft.rows[i]
    draft.rows.insert(chosen.measured, draft.rows.pop(i))
    return f"{row_name(row, i)} moved behind row {chosen.measured}", False


@fault("parity measured along the wrong axis")
def _axis(draft: Draft, rng: random.Random) -> Change | None:
    """Without the H before the measurement, or with one before that of the half that passes it on."""
    sums = _sums(draft)
    if sums and rng.random() < 0.3:
        chosen = rng.choice(sums)
        row = replace(draft.rows[chosen.measured], code=int(Op.H), bit=-1)
        draft.rows.insert(chosen.measured, row)
        return f"{row_name(row, chosen.measured)} added", False
    source = {r.bit2: r.bit for r in draft.rows if r.code == Op.SEND}
    bits = [source.get(bit, bit) for rows in _corrections(draft) for bit, _ in draft.rows[rows[0]].guard]
    bit = pick(rng, bits)
    if bit is None:
        return None
    i = draft.find(int(Op.MEASURE), bit=bit)
    before = None if i is None else previous(draft, draft.rows[i].qubits[0], i)
    if before is None or draft.rows[before].code != Op.H:
        return None
    row = draft.rows.pop(before)
    return f"{row_name(row, before)} dropped", False


@fault("parity correction dropped")
def _correction_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = _one_correction(draft, rng)
    if i is None:
        return None
    row = draft.rows.pop(i)
    draft.drop_unread()
    return f"{row_name(row, i)} dropped", False


@fault("parity correction on another qubit")
def _correction_elsewhere(draft: Draft, rng: random.Random) -> Change | None:
    i = _one_correction(draft, rng)
    if i is None:
        return None
    row = draft.rows[i]
    other = pick(rng, [q for q in draft.in_module(draft.module(row)) if q not in row.qubits])
    if other is None:
        return None
    text = row_name(row, i)
    row.qubits = (other,)
    return f"{text} on {other} instead", False


@fault("parity correction too late")
def _correction_late(draft: Draft, rng: random.Random) -> Change | None:
    """Behind the next gate on its qubit."""
    pairs = []
    for i in (i for rows in _corrections(draft) for i in rows):
        (qubit,) = draft.rows[i].qubits
        following = (j for j in range(i + 1, len(draft.rows)) if qubit in draft.rows[j].qubits)
        gate = next((j for j in following if draft.rows[j].is_gate and not draft.rows[j].guard), None)
        if gate is not None:
            pairs.append((i, gate))
    chosen = pick(rng, pairs)
    if chosen is None:
        return None
    i, j = chosen
    row = draft.rows[i]
    draft.rows.insert(j, draft.rows.pop(i))
    return f"{row_name(row, i)} moved behind row {j}", False


@fault("parity used after its end")
def _late_use(draft: Draft, rng: random.Random) -> Change | None:
    """A rotation of a parity moves behind the parity's measurement, or the H of that before the rotation."""
    rows = [
        i for i, r in enumerate(draft.rows)
        if r.code in (Op.PARITY, Op.RZ) and not r.guard and any(draft.is_comm(q) for q in r.qubits)
    ]  # fmt: skip
    i = pick(rng, rows)
    if i is None:
        return None
    row = draft.rows[i]
    held = next(q for q in reversed(row.qubits) if draft.is_comm(q))
    for j in range(i + 1, len(draft.rows)):
        other = draft.rows[j]
        if held in other.qubits and other.code in (Op.H, Op.MEASURE):
            if other.code == Op.H and rng.random() < 0.5:
                draft.rows.insert(i, draft.rows.pop(j))
                return f"{row_name(other, j)} moved before {row_name(row, i)}", False
            draft.rows.insert(j, draft.rows.pop(i))
            return f"{row_name(row, i)} moved behind row {j}", False
    return None


@fault("parity as a phase")
def _as_phase(draft: Draft, rng: random.Random) -> Change | None:
    """A parity gate with a leg on a communication qubit becomes a controlled phase."""
    rows = [
        i for i, r in enumerate(draft.rows)
        if r.code == Op.PARITY and any(draft.is_comm(q) for q in r.qubits)
    ]  # fmt: skip
    i = pick(rng, rows)
    if i is None:
        return None
    text = row_name(draft.rows[i], i)
    draft.rows[i].code = int(Op.MCP)
    return f"{text} became MCP", False
