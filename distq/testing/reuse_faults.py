"""Faults in programs whose qubits use the same place one after the other."""

from __future__ import annotations

import random
from collections.abc import Sequence

from distq.ops import Op
from distq.program.types import DATA
from distq.testing.directory_faults import Directory, text_fault
from distq.testing.draft import Draft, Row
from distq.testing.faults import Change, fault, pick, previous, row_name, where


def _births(draft: Draft) -> list[int]:
    """Resets on which a qubit begins."""
    return where(draft, lambda r: r.code == Op.RESET and r.exchange >= 0)


@fault("place reused too early")
def _too_early(draft: Draft, rng: random.Random) -> Change | None:
    """The reset comes before the last thing that was done to the qubit that is given up."""
    births = [(i, j) for i in _births(draft) if (j := previous(draft, draft.rows[i].qubits[0], i)) is not None]
    found = pick(rng, births)
    if found is None:
        return None
    i, j = found
    row = draft.rows.pop(i)
    draft.rows.insert(j, row)
    return f"{row_name(row, i)}, a birth, moved before row {j}", False


@fault("place not reset before reuse")
def _not_reset(draft: Draft, rng: random.Random) -> Change | None:
    """A qubit goes on with what the one before it has left: its birth is said of a reset of another place."""
    births = [i for i in _births(draft) if previous(draft, draft.rows[i].qubits[0], i) is not None]
    i = pick(rng, births)
    if i is None:
        return None
    row = draft.rows[i]
    module = draft.module(row)
    limit = draft.program.network.modules[module].data
    others = [q for q, (m, role, index) in enumerate(draft.places) if m == module and role == DATA and index < limit]
    others = [q for q in others if q != row.qubits[0]]
    text = row_name(row, i)
    if not others:
        draft.rows[i] = Row(int(Op.X), row.qubits)
        return f"{text}, a birth, became X", False
    row.qubits = (rng.choice(others),)
    return f"{text}, a birth, takes place on qubit {row.qubits[0]}", False


@fault("births exchanged")
def _exchanged(draft: Draft, rng: random.Random) -> Change | None:
    births = _births(draft)
    if len(births) < 2:
        return None
    i, j = rng.sample(births, 2)
    draft.rows[i].exchange, draft.rows[j].exchange = draft.rows[j].exchange, draft.rows[i].exchange
    return f"the births in rows {i} and {j} exchanged", False


@fault("birth of another qubit")
def _another(draft: Draft, rng: random.Random) -> Change | None:
    if not draft.births or len(draft.inputs) < 2:
        return None
    number = rng.randrange(len(draft.births))
    old = draft.births[number]
    draft.births[number] = rng.choice([q for q in range(len(draft.inputs)) if q != old])
    return f"birth {number} is that of qubit {draft.births[number]} instead of {old}", False


@text_fault("promise of the start not asked for")
def _promise(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """The program says that it needs no promise, but some of its qubits are nowhere at the start."""
    if "unborn" not in d.manifest:
        return None
    d.manifest["promise"]["start"] = "any"
    return "'promise' says that qubits start in any state", True


@text_fault("unborn qubits forgotten")
def _forgotten(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """A qubit is said to be there from the start, at the place where it begins later."""
    if "unborn" not in d.manifest:
        return None
    qubit = rng.choice(d.manifest["unborn"])
    d.manifest["unborn"].remove(qubit)
    return f"qubit {qubit} is no longer said to be nowhere at the start", False
