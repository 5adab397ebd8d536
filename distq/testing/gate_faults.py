"""Faults in gates and measurements, and in what a program says about its inputs, outputs and classical bits."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from distq.ops import NUM_PARAMS, Op
from distq.testing.draft import Draft, Row, commute, on_joint_qubits, same_up_to_phase
from distq.testing.faults import Change, fault, is_something, on_data, pick, previous, row_name, where

# ---- gates ----


def _gates(draft: Draft) -> list[int]:
    """Unconditional unitary gates."""
    return where(draft, lambda r: r.is_gate and not r.guard)


def _certain_gate(draft: Draft, row: Row) -> bool:
    """A gate whose removal changes the circuit: on data qubits, or diagonal on several qubits."""
    if not is_something(row):
        return False
    return on_data(draft, row) or row.code == Op.MCP


@fault("gate dropped")
def _gate_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _gates(draft))
    if i is None:
        return None
    row = draft.rows.pop(i)
    return f"{row_name(row, i)} dropped", _certain_gate(draft, row)


@fault("gate repeated")
def _gate_repeated(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _gates(draft))
    if i is None:
        return None
    row = draft.rows[i]
    draft.rows.insert(i, replace(row))
    return f"{row_name(row, i)} twice", _certain_gate(draft, row)


@fault("gates exchanged")
def _gates_exchanged(draft: Draft, rng: random.Random) -> Change | None:
    """Two gates that share a qubit, one right after the other there, and that do not commute."""
    rows = _gates(draft)
    rng.shuffle(rows)
    for i in rows[:200]:
        first = draft.rows[i]
        blocked: set[int] = set()
        for j in range(i + 1, min(i + 40, len(draft.rows))):
            second = draft.rows[j]
            if not set(second.qubits) & (set(first.qubits) | blocked):
                continue
            if set(second.qubits) & blocked or not second.is_gate or second.guard:
                break
            if commute(first, second):
                blocked |= set(second.qubits)
                continue
            draft.rows[i], draft.rows[j] = second, first
            known = on_joint_qubits([first, second]) is not None
            same = len(draft.modules(first) | draft.modules(second)) == 1
            clean = not blocked and same and known
            certain = clean and on_data(draft, first) and on_data(draft, second)
            return f"{row_name(first, i)} and {row_name(second, j)} exchanged", certain
    return None


@fault("angle changed")
def _angle(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: bool(r.params) and r.is_gate))
    if i is None:
        return None
    row = draft.rows[i]
    j = rng.randrange(len(row.params))
    old = row.params[j]
    symbolic = bool(row.exprs) and row.exprs[j] >= 0
    before = row.matrix()
    if symbolic:
        row.exprs = tuple(-1 if k == j else e for k, e in enumerate(row.exprs))
        new = rng.uniform(-3, 3)
    else:
        new = rng.choice((old + 0.01, -old if abs(old) > 1e-3 else 0.7, old + np.pi / 2, old / 2 + 0.3))
    row.params = tuple(new if k == j else p for k, p in enumerate(row.params))
    after = row.matrix()
    changed = symbolic or (before is not None and after is not None and not same_up_to_phase(before, after, 1e-9))
    certain = changed and not row.guard and _certain_gate(draft, row) and row.code != Op.U
    return f"{row_name(row, i)}: angle {old} became {new}", certain


@fault("gate of another kind")
def _gate_kind(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, [i for i in _gates(draft) if draft.rows[i].is_one_qubit or draft.rows[i].code >= Op.MCP])
    if i is None:
        return None
    row = draft.rows[i]
    text = row_name(row, i)
    before = row.matrix()
    if row.code in (Op.MCP, Op.PARITY):
        row.code = int(Op.PARITY if row.code == Op.MCP else Op.MCP)
    elif row.code in (Op.CX, Op.SWAP):
        row.code, row.params, row.exprs = int(Op.MCP), (float(np.pi),), ()
        row.exchange = -1
    else:
        codes = [c for c in range(int(Op.MCP)) if c != row.code and NUM_PARAMS[c] == len(row.params)]
        if not codes:
            return None
        row.code = rng.choice(codes)
    after = row.matrix()
    certain = before is not None and after is not None and not same_up_to_phase(before, after, 1e-9)
    return f"{text} became {Op(row.code).name}", certain and on_data(draft, row)


@fault("gate on the wrong qubit")
def _gate_elsewhere(draft: Draft, rng: random.Random) -> Change | None:
    rows = _gates(draft)
    rng.shuffle(rows)
    for i in rows[:50]:
        row = draft.rows[i]
        others = [q for q in draft.in_module(draft.module(row)) if q not in row.qubits]
        if not others:
            continue
        text, certain = row_name(row, i), _certain_gate(draft, row) and on_data(draft, row)
        j = rng.randrange(len(row.qubits))
        old, new = row.qubits[j], rng.choice(others)
        row.qubits = tuple(new if k == j else q for k, q in enumerate(row.qubits))
        return f"{text}: {new} instead of {old}", certain and draft.is_data(new)
    return None


@fault("gate added")
def _gate_added(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _gates(draft))
    if i is None:
        return None
    q = rng.choice(draft.rows[i].qubits)
    code = rng.choice((Op.X, Op.Z, Op.H, Op.S, Op.T))
    draft.rows.insert(i, Row(int(code), (q,)))
    return f"{code.name} on {q} at row {i}", draft.is_data(q)


@fault("CX reversed")
def _cx_reversed(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.CX))
    if i is None:
        return None
    row = draft.rows[i]
    row.qubits = row.qubits[::-1]
    return f"{row_name(row, i)} reversed", False


@fault("exchange broken")
def _exchange_broken(draft: Draft, rng: random.Random) -> Change | None:
    """One CX of an exchange is dropped or reversed, or two of its parts change places."""
    rows = where(draft, lambda r: r.exchange >= 0 and r.code == Op.CX)
    i = pick(rng, rows)
    if i is None:
        return None
    row = draft.rows[i]
    if rng.random() < 0.5:
        draft.rows.pop(i)
        return f"{row_name(row, i)} of exchange {row.exchange} dropped", False
    row.qubits = row.qubits[::-1]
    return f"{row_name(row, i)} of exchange {row.exchange} reversed", False


@fault("move into a data qubit dropped")
def _swap_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.SWAP))
    if i is None:
        return None
    row = draft.rows.pop(i)
    return f"{row_name(row, i)} dropped", False


# ---- measurements and what the circuit is told ----


@fault("measurement basis changed")
def _basis(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.MEASURE))
    if i is None:
        return None
    row = draft.rows[i]
    code = rng.choice((Op.H, Op.SX))
    draft.rows.insert(i, Row(int(code), row.qubits, guard=row.guard))
    return f"{code.name} before {row_name(row, i)}", False


@fault("outcome flipped")
def _outcome(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.MEASURE))
    if i is None:
        return None
    row = draft.rows[i]
    draft.rows.insert(i, Row(int(Op.X), row.qubits, guard=row.guard))
    return f"X before {row_name(row, i)}", False


@fault("measurement of another qubit")
def _measured_elsewhere(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.MEASURE))
    if i is None:
        return None
    row = draft.rows[i]
    other = pick(rng, [q for q in draft.in_module(draft.module(row)) if q not in row.qubits])
    if other is None:
        return None
    text = row_name(row, i)
    row.qubits = (other,)
    return f"{text}: measures {other} instead", False


@fault("measurement moved")
def _measure_moved(draft: Draft, rng: random.Random) -> Change | None:
    """Before the previous operation on its qubit, or behind the next."""
    i = pick(rng, where(draft, lambda r: r.code == Op.MEASURE))
    if i is None:
        return None
    row = draft.rows[i]
    j = previous(draft, row.qubits[0], i)
    if j is None or draft.rows[j].code == Op.EPR:
        return None
    draft.rows.insert(j, draft.rows.pop(i))
    return f"{row_name(row, i)} moved before row {j}", False


@fault("outputs permuted")
def _outputs(draft: Draft, rng: random.Random) -> Change | None:
    if len(draft.outputs) < 2:
        return None
    i, j = rng.sample(range(len(draft.outputs)), 2)
    draft.outputs[i], draft.outputs[j] = draft.outputs[j], draft.outputs[i]
    return f"outputs {i} and {j} exchanged", True


@fault("inputs permuted")
def _inputs(draft: Draft, rng: random.Random) -> Change | None:
    if len(draft.inputs) < 2:
        return None
    i, j = rng.sample(range(len(draft.inputs)), 2)
    draft.inputs[i], draft.inputs[j] = draft.inputs[j], draft.inputs[i]
    return f"inputs {i} and {j} exchanged", True


@fault("output elsewhere")
def _output_elsewhere(draft: Draft, rng: random.Random) -> Change | None:
    if not draft.outputs:
        return None
    i = rng.randrange(len(draft.outputs))
    module = draft.places[draft.outputs[i]][0]
    others = [q for q in range(len(draft.places)) if q not in draft.outputs]
    other = pick(rng, [q for q in others if draft.places[q][0] == module] or others)
    if other is None:
        return None
    draft.outputs[i] = other
    return f"output {i} claimed to be on {other}", True


@fault("classical bit decision changed")
def _clbit(draft: Draft, rng: random.Random) -> Change | None:
    if not draft.clbits:
        return None
    c = rng.randrange(len(draft.clbits))
    entries = list(draft.clbits[c])
    written = sorted({r.bit for r in draft.rows if r.code == Op.MEASURE} | {-1})
    k = rng.randrange(len(entries))
    guard, bit = entries[k]
    if guard and rng.random() < 0.5:
        j = rng.randrange(len(guard))
        entries[k] = (tuple((b, 1 - v if x == j else v) for x, (b, v) in enumerate(guard)), bit)
    else:
        others = [b for b in written if b != bit]
        if not others:
            return None
        entries[k] = (guard, rng.choice(others))
    draft.clbits[c] = tuple(entries)
    return f"classical bit {c} is {entries}", False


@fault("classical bits exchanged")
def _clbits_exchanged(draft: Draft, rng: random.Random) -> Change | None:
    pairs = [(i, j) for i in range(len(draft.clbits)) for j in range(i) if draft.clbits[i] != draft.clbits[j]]
    chosen = pick(rng, pairs)
    if chosen is None:
        return None
    i, j = chosen
    draft.clbits[i], draft.clbits[j] = draft.clbits[j], draft.clbits[i]
    return f"classical bits {i} and {j} exchanged", False
