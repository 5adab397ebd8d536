"""Fault injection: distributed programs broken in every way that a compiler might break them.

Each kind of fault is a function that edits a `Draft` and says what it did. A fault may happen to change nothing
that matters; `Mutant.certain` is set where the program is wrong by construction, given that the original was right
and its circuit unitary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from distq.errors import UsageError
from distq.network.model import UNLIMITED
from distq.ops import Op
from distq.program.types import COMM, DATA, RECEIVED, DistributedProgram
from distq.testing.draft import Draft, Row, commute, same_up_to_phase

T = TypeVar("T")

#: What was done, and whether it is wrong by construction (if the circuit is unitary).
Change = tuple[str, bool]
Fault = Callable[[Draft, random.Random], Change | None]

#: Kinds of faults in the columns of a program, in alphabetical order once all are registered.
FAULTS: dict[str, Fault] = {}


@dataclass(frozen=True)
class Mutant:
    """A broken program.

    Attributes:
        kind: name of the kind of fault.
        description: what was done, with the row.
        program: the result; it may be impossible to put in order, which `save_program` refuses.
        certain: wrong by construction; only set for unitary circuits.
    """

    kind: str
    description: str
    program: DistributedProgram
    certain: bool


def mutations(
    program: DistributedProgram,
    rng: random.Random,
    *,
    kinds: Iterable[str] | None = None,
    per_kind: int = 1,
    unitary: bool = False,
) -> Iterator[Mutant]:
    """Break a program in many ways, one fault at a time.

    Args:
        program: a right program.
        rng: source of randomness.
        kinds: some of `FAULTS`; all if not given.
        per_kind: mutants of each kind (fewer where the program offers no place for the fault).
        unitary: the circuit holds no measurement and no reset, so that some faults are wrong by construction.

    Raises:
        UsageError: an unknown kind.
    """
    import distq.testing.gate_faults
    import distq.testing.parity_faults
    import distq.testing.reuse_faults  # noqa: F401  (registers its kinds)

    chosen = sorted(FAULTS) if kinds is None else list(kinds)
    for kind in chosen:
        if kind not in FAULTS:
            raise UsageError(f"fault {kind!r} is not known; the kinds are {', '.join(sorted(FAULTS))}")
    original = Draft(program)
    for kind in chosen:
        for _ in range(per_kind):
            draft = original.copy()
            change = FAULTS[kind](draft, rng)
            if change is not None:
                description, certain = change
                yield Mutant(kind, description, draft.build(), certain and unitary)


def fault(kind: str) -> Callable[[Fault], Fault]:
    """Register a kind of fault."""

    def register(function: Fault) -> Fault:
        FAULTS[kind] = function
        return function

    return register


def pick(rng: random.Random, options: Sequence[T]) -> T | None:
    """One of the options, or None if there are none."""
    return options[rng.randrange(len(options))] if options else None


def where(draft: Draft, test: Callable[[Row], bool]) -> list[int]:
    """Rows that pass the test."""
    return [i for i, r in enumerate(draft.rows) if test(r)]


def row_name(row: Row, index: int) -> str:
    """A row in words."""
    return f"row {index} ({Op(row.code).name} on {', '.join(map(str, row.qubits))})"


def is_something(row: Row) -> bool:
    """A gate that is not the identity up to a phase."""
    matrix = row.matrix()
    return matrix is None or not same_up_to_phase(matrix, np.eye(len(matrix)))


# ---- corrections and bits ----


def _corrections(draft: Draft) -> list[int]:
    return where(draft, lambda r: r.is_correction)


def on_data(draft: Draft, row: Row) -> bool:
    """Whether the row acts on data qubits only."""
    return all(draft.is_data(q) for q in row.qubits)


@fault("correction dropped")
def _correction_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _corrections(draft))
    if i is None:
        return None
    row = draft.rows.pop(i)
    draft.drop_unread()
    return f"{row_name(row, i)} dropped", on_data(draft, row)


@fault("correction repeated")
def _correction_repeated(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _corrections(draft))
    if i is None:
        return None
    draft.rows.insert(i, replace(draft.rows[i]))
    return f"{row_name(draft.rows[i], i)} twice", on_data(draft, draft.rows[i])


@fault("correction moved")
def _correction_moved(draft: Draft, rng: random.Random) -> Change | None:
    """Later, beyond the next operation on its qubit that it does not commute with."""
    i = pick(rng, _corrections(draft))
    if i is None:
        return None
    row = draft.rows[i]
    following = [j for j in range(i + 1, len(draft.rows)) if set(draft.rows[j].qubits) & set(row.qubits)]
    for j in following:
        other = draft.rows[j]
        if not other.is_gate or other.guard or not commute(row, other):
            draft.rows.insert(j, draft.rows.pop(i))
            return f"{row_name(row, i)} moved behind {row_name(other, j)}", False
    return None


@fault("correction of another kind")
def _correction_kind(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _corrections(draft))
    if i is None:
        return None
    row = draft.rows[i]
    text = row_name(row, i)
    row.code = rng.choice([c for c in (int(Op.X), int(Op.Y), int(Op.Z)) if c != row.code])
    return f"{text} became {Op(row.code).name}", on_data(draft, row)


@fault("correction on another qubit")
def _correction_elsewhere(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _corrections(draft))
    if i is None:
        return None
    row = draft.rows[i]
    other = pick(rng, [q for q in draft.in_module(draft.module(row)) if q != row.qubits[0]])
    if other is None:
        return None
    text, certain = row_name(row, i), on_data(draft, row)
    row.qubits = (other,)
    return f"{text} on {other} instead", certain


@fault("correction sent to the wrong module")
def _correction_rerouted(draft: Draft, rng: random.Random) -> Change | None:
    """The bit goes to another module, which carries out the correction; all of it consistently."""
    count = len(draft.program.network.modules)
    i = pick(rng, [i for i in _corrections(draft) if len(draft.rows[i].guard) == 1])
    if i is None or count < 2:
        return None
    row = draft.rows[i]
    bit, value = row.guard[0]
    if draft.bit_places[bit][1] == RECEIVED:
        bit = next(r.bit for r in draft.rows if r.code == Op.SEND and r.bit2 == bit)
    here = draft.module(row)
    target = rng.choice([m for m in range(count) if m != here and draft.in_module(m)] or [here])
    qubit = pick(rng, draft.in_module(target))
    if target == here or qubit is None:
        return None
    if target != draft.bit_places[bit][0]:
        bit = draft.sent_to(bit, target, i)
    # A communication qubit may hold a copy of the same qubit.
    certain = on_data(draft, row) and draft.is_data(qubit)
    row.guard, row.qubits = ((bit, value),), (qubit,)
    draft.drop_unread()
    return f"row {i} sent to module {target} and carried out there on {qubit}", certain


@fault("bits swapped")
def _bits_swapped(draft: Draft, rng: random.Random) -> Change | None:
    """Two corrections of one module exchange their conditions; both bits are there before either."""
    written = {r.bit2 if r.code == Op.SEND else r.bit: i for i, r in enumerate(draft.rows) if r.bit >= 0}
    rows = _corrections(draft)
    rng.shuffle(rows)
    for i in rows:
        first = draft.rows[i]
        for j in range(i + 1, min(i + 200, len(draft.rows))):
            second = draft.rows[j]
            if not second.is_correction or draft.module(second) != draft.module(first):
                continue
            if second.guard != first.guard and all(written[bit] < i for bit, _ in second.guard):
                first.guard, second.guard = second.guard, first.guard
                return f"the conditions of rows {i} and {j} exchanged", False
    return None


@fault("bit of another measurement")
def _wrong_bit(draft: Draft, rng: random.Random) -> Change | None:
    """A message takes another bit that its module has measured before."""
    rows = where(draft, lambda r: r.code == Op.SEND)
    rng.shuffle(rows)
    for i in rows:
        module = draft.module(draft.rows[i])
        before = [
            r.bit for r in draft.rows[:i]
            if r.code == Op.MEASURE and draft.module(r) == module and r.bit != draft.rows[i].bit
        ]  # fmt: skip
        if before:
            draft.rows[i].bit = before[-1] if rng.random() < 0.7 else rng.choice(before)
            return f"row {i} sends bit {draft.rows[i].bit} instead", False
    return None


@fault("guard value flipped")
def _guard_flipped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: bool(r.guard)))
    if i is None:
        return None
    row = draft.rows[i]
    j = rng.randrange(len(row.guard))
    row.guard = tuple((b, 1 - v if k == j else v) for k, (b, v) in enumerate(row.guard))
    return f"{row_name(row, i)}: condition {j} negated", row.is_correction and on_data(draft, row)


@fault("guard dropped")
def _guard_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: bool(r.guard)))
    if i is None:
        return None
    row = draft.rows[i]
    certain = row.is_correction and on_data(draft, row)
    j = rng.randrange(len(row.guard))
    row.guard = row.guard[:j] + row.guard[j + 1 :]
    draft.drop_unread()
    return f"{row_name(row, i)}: condition {j} dropped", certain


@fault("guard added")
def _guard_added(draft: Draft, rng: random.Random) -> Change | None:
    """An operation happens only if some bit measured before in its module is 1."""
    rows = where(draft, lambda r: r.is_gate)
    rng.shuffle(rows)
    for i in rows[:50]:
        module = draft.module(draft.rows[i])
        bits = [
            r.bit for r in draft.rows[:i]
            if r.code == Op.MEASURE and draft.module(r) == module and r.bit not in dict(draft.rows[i].guard)
        ]  # fmt: skip
        if bits:
            draft.rows[i].guard += ((rng.choice(bits), rng.randrange(2)),)
            return f"{row_name(draft.rows[i], i)} got the condition {draft.rows[i].guard[-1]}", False
    return None


# ---- copies and Bell pairs ----


def _disentangled(draft: Draft) -> list[int]:
    """Rows that measure a communication qubit right after H on it."""
    found: list[int] = []
    last: dict[int, int] = {}
    for i, row in enumerate(draft.rows):
        if row.code == Op.MEASURE and draft.is_comm(row.qubits[0]) and not row.guard:
            j = last.get(row.qubits[0], -1)
            if j >= 0 and draft.rows[j].code == Op.H and not draft.in_clbits(row.bit):
                found.append(i)
        for q in row.qubits:
            last[q] = i
    return found


def previous(draft: Draft, qubit: int, start: int) -> int | None:
    """The last row before `start` that acts on the qubit."""
    return next((j for j in range(start - 1, -1, -1) if qubit in draft.rows[j].qubits), None)


def _following(draft: Draft, qubit: int, start: int) -> int | None:
    return next((j for j in range(start + 1, len(draft.rows)) if qubit in draft.rows[j].qubits), None)


@fault("copy left entangled")
def _copy_left(draft: Draft, rng: random.Random) -> Change | None:
    """A share is not disentangled: no H, no measurement, no correction."""
    i = pick(rng, _disentangled(draft))
    if i is None:
        return None
    row = draft.rows[i]
    before = previous(draft, row.qubits[0], i)
    assert before is not None
    bits = {row.bit} | {r.bit2 for r in draft.rows if r.code == Op.SEND and r.bit == row.bit}
    readers = [j for b in bits for j in draft.readers(b)]
    if any(len(draft.rows[j].guard) > 1 for j in readers):
        return None
    gone = {i, before, *readers}
    draft.rows = [
        r for j, r in enumerate(draft.rows)
        if j not in gone and not (r.code == Op.SEND and r.bit == row.bit)
    ]  # fmt: skip
    return f"the share on {row.qubits[0]} stays entangled at row {i}", False


@fault("copy measured along the wrong axis")
def _copy_axis(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, _disentangled(draft))
    if i is None:
        return None
    before = previous(draft, draft.rows[i].qubits[0], i)
    assert before is not None
    row = draft.rows.pop(before)
    return f"{row_name(row, before)} before the measurement dropped", False


@fault("gate on a stale copy")
def _stale(draft: Draft, rng: random.Random) -> Change | None:
    """A gate on a share moves behind the end of that share."""
    rows = where(draft, lambda r: len(r.qubits) > 1 and r.is_gate and any(draft.is_comm(q) for q in r.qubits))
    rng.shuffle(rows)
    for i in rows[:50]:
        row = draft.rows[i]
        share = next(q for q in row.qubits if draft.is_comm(q))
        for j in range(i + 1, len(draft.rows)):
            other = draft.rows[j]
            if other.code == Op.MEASURE and other.qubits[0] == share:
                draft.rows.insert(j, draft.rows.pop(i))
                return f"{row_name(row, i)} moved behind the measurement in row {j}", False
    return None


@fault("Bell half reused")
def _reused(draft: Draft, rng: random.Random) -> Change | None:
    """A later pair on the same two qubits is not made: both halves are used a second time."""
    seen: set[int] = set()
    rows = []
    for number, row in enumerate(draft.rows):
        if row.code == Op.EPR:
            if set(row.qubits) <= seen:
                rows.append(number)
            seen.update(row.qubits)
    i = pick(rng, rows)
    if i is None:
        return None
    qubits = set(draft.rows[i].qubits)
    gone = {i}
    for q in sorted(qubits):
        before = previous(draft, q, i)
        if before is not None and draft.rows[before].code == Op.RESET:
            gone.add(before)
    draft.rows = [r for j, r in enumerate(draft.rows) if j not in gone]
    return f"the Bell pair of row {i} on {sorted(qubits)} is not made again", True


@fault("Bell pair dropped")
def _pair_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.EPR))
    if i is None:
        return None
    row = draft.rows.pop(i)
    return f"{row_name(row, i)} dropped", True


@fault("Bell pair made twice")
def _pair_twice(draft: Draft, rng: random.Random) -> Change | None:
    """The second time after the first use of a half."""
    i = pick(rng, where(draft, lambda r: r.code == Op.EPR))
    if i is None:
        return None
    row = draft.rows[i]
    uses = [j for q in row.qubits if (j := _following(draft, q, i)) is not None]
    at = min(uses, default=i) + rng.randrange(2)
    draft.rows.insert(at, replace(row))
    # A second pair on top of the first may, by luck, be undone by the measurements.
    return f"{row_name(row, i)} again at row {at}", False


@fault("Bell pair on another link")
def _pair_link(draft: Draft, rng: random.Random) -> Change | None:
    links = draft.program.network.link_ends.tolist()
    i = pick(rng, where(draft, lambda r: r.code == Op.EPR))
    if i is None or len(links) < 2:
        return None
    row = draft.rows[i]
    others = [j for j in range(len(links)) if j != row.link]
    rng.shuffle(others)
    for link in others:
        ends = [[q for q in draft.in_module(m) if draft.is_comm(q)] for m in links[link]]
        if all(ends):
            row.link, row.qubits = link, (rng.choice(ends[0]), rng.choice(ends[1]))
            return f"the Bell pair of row {i} made on link {link}, qubits {row.qubits}", True
    return None


@fault("Bell half on another qubit")
def _pair_half(draft: Draft, rng: random.Random) -> Change | None:
    rows = where(draft, lambda r: r.code == Op.EPR)
    rng.shuffle(rows)
    for i in rows[:50]:
        row = draft.rows[i]
        side = rng.randrange(2)
        own = row.qubits[side]
        module = draft.places[own][0]
        others = [q for q in draft.in_module(module) if draft.is_comm(q) and q != own]
        if others:
            other = rng.choice(others)
            row.qubits = (other, row.qubits[1]) if side == 0 else (row.qubits[0], other)
            return f"a half of the Bell pair of row {i} arrives on {other}, not {own}", True
    return None


@fault("X missing on a share")
def _share_gate(draft: Draft, rng: random.Random) -> Change | None:
    """An unconditional one-qubit gate on a communication qubit is left out (but not one before a measurement)."""
    ends = {previous(draft, draft.rows[i].qubits[0], i) for i in _disentangled(draft)}
    rows = [
        i for i in where(draft, lambda r: r.is_one_qubit and not r.guard and draft.is_comm(r.qubits[0]))
        if i not in ends
    ]  # fmt: skip
    i = pick(rng, rows)
    if i is None:
        return None
    row = draft.rows.pop(i)
    return f"{row_name(row, i)} dropped", False


@fault("X added on a share")
def _share_flip(draft: Draft, rng: random.Random) -> Change | None:
    rows = where(draft, lambda r: r.is_gate and len(r.qubits) > 1 and any(draft.is_comm(q) for q in r.qubits))
    i = pick(rng, rows)
    if i is None:
        return None
    q = next(q for q in draft.rows[i].qubits if draft.is_comm(q))
    draft.rows.insert(i, Row(int(Op.X), (q,)))
    return f"X on {q} at row {i}", False


@fault("X-type gate on one share only")
def _share_alone(draft: Draft, rng: random.Random) -> Change | None:
    """A gate that turns the axis, on a qubit that has a copy elsewhere at that moment."""
    rows = where(draft, lambda r: r.code == Op.CX and draft.is_data(r.qubits[0]) and draft.is_comm(r.qubits[1]))
    i = pick(rng, rows)
    if i is None:
        return None
    q = draft.rows[i].qubits[0]
    code = rng.choice((int(Op.X), int(Op.H), int(Op.Y)))
    draft.rows.insert(i + 1, Row(code, (q,)))
    return f"{Op(code).name} on {q} at row {i + 1}", False


@fault("reset dropped")
def _reset_dropped(draft: Draft, rng: random.Random) -> Change | None:
    i = pick(rng, where(draft, lambda r: r.code == Op.RESET))
    if i is None:
        return None
    row = draft.rows.pop(i)
    return f"{row_name(row, i)} dropped", False


@fault("reset of a live qubit")
def _reset_added(draft: Draft, rng: random.Random) -> Change | None:
    # A SWAP may bring something to a qubit that holds nothing.
    rows = where(draft, lambda r: r.is_gate and not r.guard and r.code != Op.SWAP)
    i = pick(rng, rows)
    if i is None:
        return None
    q = rng.choice(draft.rows[i].qubits)
    draft.rows.insert(i, Row(int(Op.RESET), (q,)))
    return f"{q} reset at row {i}", draft.is_data(q)


@fault("communication qubit over-allocated")
def _over_allocated(draft: Draft, rng: random.Random) -> Change | None:
    """One use of a communication qubit, from its pair to the next reset, gets a qubit that the module has not."""
    limits = draft.program.network.comm_array
    rows = [
        (i, q) for i in where(draft, lambda r: r.code == Op.EPR) for q in draft.rows[i].qubits
        if limits[draft.places[q][0]] < UNLIMITED
    ]  # fmt: skip
    chosen = pick(rng, rows)
    if chosen is None:
        return None
    i, old = chosen
    module = draft.places[old][0]
    new = draft.new_qubit(module, COMM, int(limits[module]))
    for row in draft.rows[i:]:
        if row.code == Op.RESET and row.qubits == (old,):
            break
        row.qubits = tuple(new if q == old else q for q in row.qubits)
    else:
        draft.outputs = [new if q == old else q for q in draft.outputs]
    return f"{old} from row {i} on is communication qubit {draft.places[new][2]} of module {module}", True


@fault("data qubit over-allocated")
def _data_over_allocated(draft: Draft, rng: random.Random) -> Change | None:
    limits = draft.program.network.data_array
    old = pick(rng, sorted({q for r in draft.rows for q in r.qubits if draft.is_data(q)}))
    if old is None:
        return None
    module = draft.places[old][0]
    new = draft.new_qubit(module, DATA, int(limits[module]))
    for row in draft.rows:
        row.qubits = tuple(new if q == old else q for q in row.qubits)
    draft.inputs = [new if q == old else q for q in draft.inputs]
    draft.outputs = [new if q == old else q for q in draft.outputs]
    return f"data qubit {old} became number {draft.places[new][2]} of module {module}", True
