"""Items back to a circuit: what was replaced together stands together, and has a witness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit, Rewrite, WitnessRow
from distq.ops import NUM_PARAMS, Op
from distq.rewrite.items import Float64, Int64, Items
from distq.rewrite.slips import (
    beginnings,
    find_slips,
    in_source_coordinates,
    pairs_in_runs,
    rotations,
    scaled,
    slips_of,
)

#: Blocks on more wires than this can be proved only if all their gates are Cliffords and rotations about letters.
DENSE = 6


class ImpossibleError(Exception):
    """Some replacements cannot be stated as blocks; `gates` are the items of the old circuit concerned."""

    def __init__(self, gates: Int64) -> None:
        super().__init__(f"{len(gates)} gates")
        self.gates = gates


@dataclass(frozen=True)
class _Blocks:
    """Which old and new items belong together.

    Attributes:
        label: (items,) class of each item: a block or a single item.
        number: (classes,) number of the block, or -1.
        place: (classes,) position in the new order.
        run: (legs,) the run of each old leg.
    """

    label: Int64
    number: Int64
    place: Int64
    run: Int64


def write_items(items: Items, old: Items) -> LogicalCircuit:
    """The circuit of changed items.

    Args:
        items: changed; all that was replaced together is united in `parent`.
        old: the same before any change.

    Raises:
        ImpossibleError: a replacement encloses a measurement or the like, or cannot be proved.
    """
    from distq.rewrite._items_kernel import DEAD

    blocks = _find_blocks(items, old)
    number = blocks.number[blocks.label]
    start_leg, early = _starts(items, old, number)
    number[early] = -1
    order = np.lexsort((items.key[: items.count], number >= 0, blocks.place[blocks.label]))
    order = order[items.kind[order] != DEAD]
    rows = _write(items, old, order, number, start_leg)
    circuit = items.circuit
    if len(circuit.origin) != len(circuit):
        return _assemble(items, rows, circuit.origin, circuit.rewrites)
    origin = np.full(len(rows.code), NO_ORIGIN, np.int32)
    copied = rows.row >= 0
    origin[copied] = circuit.origin[rows.row[copied]]
    inside = rows.label >= 0
    origin[inside] = -1 - len(circuit.rewrites) - rows.label[inside]
    n = old.count
    first = _first_slips(old, number[:n])
    slipped = find_slips(old, blocks.run, blocks.label[:n], blocks.place, number[:n], first)
    witnesses = _witnesses(items, old, blocks, rows, first)
    return replace(_assemble(items, rows, origin, circuit.rewrites + witnesses), slipped=slipped)


def _find_blocks(items: Items, old: Items) -> _Blocks:
    """Close the groups so that each can be brought together, and put all in an order that the old circuit allows."""
    from distq.rewrite._items_kernel import FIXED

    n = old.count
    root = items.roots()
    grouped = (np.bincount(root, minlength=items.count) > 1)[root[:n]]
    run = runs_of_legs(old)
    tail, head = _dependencies(old, run)
    units = _units(old)
    joined = _join_instructions(_union(root[:n], units), grouped, old)
    while True:
        merged = joined
        of_old, label, is_block = _contract(merged, units, grouped, tail, head)
        _take_in(old, of_old, is_block, run)
        # A block that got hold of a part of an instruction needs all of it.
        joined = _join_instructions(_lowest(of_old), is_block[of_old], old)
        if (joined == _lowest(of_old)).all():
            break
    classes = len(is_block)
    _refuse(items, old, of_old, is_block, FIXED)
    rank = np.full(classes, n + classes, np.int64)
    np.minimum.at(rank, of_old, np.arange(n))
    borders = rank == n + classes
    # Borders come as early as they can.
    rank[borders] = -1 - np.arange(np.count_nonzero(borders))
    edges = np.unique(label[tail] * classes + label[head])
    a, b = edges // classes, edges % classes
    a, b = a[a != b], b[a != b]
    single, begin = _beside(old, of_old, is_block, run)
    item = old.legs[0]
    ahead = item[single] < item[begin]
    one, other = of_old[item[single]], of_old[item[begin]]
    before, after = np.where(ahead, one, other), np.where(ahead, other, one)
    events = _events_in_order(old, of_old, rank, a, b)
    a, b = np.append(a, events[:-1]), np.append(b, events[1:])
    kept = _without_cycles(classes, a, b, before, after)
    place = _ordered(rank, np.append(a, before[kept]), np.append(b, after[kept]))
    by_place = np.flatnonzero(is_block)[np.argsort(place[is_block])]
    number = np.full(classes, -1, np.int64)
    number[by_place] = np.arange(len(by_place))
    full = np.concatenate([of_old, of_old[root[n:]]])
    return _Blocks(full, number, place, run)


def _events_in_order(old: Items, label: Int64, rank: Int64, a: Int64, b: Int64) -> Int64:
    """All classes but unconditional one-qubit gates, in the order that they would have without these.

    One-qubit gates that stand between others are no obstacle to the verifier, for which they are turns of the axes.
    What commutes here may not do so any more when other gates take its place, and then it has to stand in one order for
    both.
    """
    n = old.count
    row = old.row[:n]
    free = (old.width[:n] == 1) & (old.circuit.code[row] < Op.MCP) & (old.circuit.guard[row] < 0)
    early = np.full(len(rank), len(rank) + n, np.int64)
    np.minimum.at(early, label[~free], np.flatnonzero(~free))
    last = early == len(rank) + n
    early[last] = -1 - np.flatnonzero(last)
    place = _ordered(early, a, b)
    events = np.flatnonzero(~last)
    return events[np.argsort(place[events])]


def _ordered(rank: Int64, a: Int64, b: Int64) -> Int64:
    """(classes,) the position of each in the order of the lowest ranks that the edges a -> b allow."""
    from distq.rewrite._items_kernel import order_labels

    edges = np.unique(a * len(rank) + b)
    tails, heads = edges // len(rank), edges % len(rank)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(tails, minlength=len(rank)))])
    return np.asarray(order_labels(len(rank), offsets, heads, rank))


def _units(old: Items) -> Int64:
    """(items,) the first of the items of the same instruction or earlier rewrite, if that has wide gates.

    These stay together, because a later witness may speak of all of them.
    """
    n = old.count
    first = np.arange(n)
    if not old.is_tracked or not n:
        return first
    origin = old.circuit.origin[old.row[:n]]
    wide = np.isin(origin, np.setdiff1d(origin[old.width[:n] > 1], NO_ORIGIN))
    continues = np.append(False, wide[1:] & (origin[1:] == origin[:-1]))
    return np.maximum.accumulate(np.where(continues, 0, first))


def _union(a: Int64, b: Int64) -> Int64:
    """The finest partition of items that has all sets of two, each given by its lowest item."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(a):
        return a
    n = len(a)
    items = np.arange(n)
    ends = np.concatenate([items, items]), np.concatenate([a, b])
    _, label = connected_components(coo_matrix((np.ones(2 * n, np.int8), ends), shape=(n, n)), directed=False)
    return _lowest(label)


def _contract(
    root: Int64, units: Int64, grouped: NDArray[np.bool_], tail: Int64, head: Int64
) -> tuple[Int64, Int64, NDArray[np.bool_]]:
    """Contract sets of items, and then all that lies between the items of one set.

    Args:
        root: (items,) representative of the set of each old item.
        units: (items,) as `_units`; one alone is no block.
        grouped: (items,) whether something is replaced together with it.
        tail: of dependencies; nodes beyond the items stand for the borders between runs.
        head: of dependencies.

    Returns:
        The class of each old item, the class of each node, and which classes are blocks.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(root)
    size = max(int(tail.max(initial=-1)), int(head.max(initial=-1)), n - 1) + 1
    node = np.arange(size)
    node[:n] = root
    graph = coo_matrix((np.ones(len(tail), np.int8), (node[tail], node[head])), shape=(size, size))
    classes, label = connected_components(graph, directed=True, connection="strong")
    label = label.astype(np.int64)[node]
    of_old = label[:n].copy()
    is_block = np.bincount(of_old[np.unique(units)], minlength=classes) > 1
    is_block[of_old[grouped]] = True
    return of_old, label, is_block


def _lowest(label: Int64) -> Int64:
    """For each item the first one of its class."""
    first = np.full(int(label.max(initial=-1)) + 1, len(label), np.int64)
    np.minimum.at(first, label, np.arange(len(label)))
    return first[label]


def _join_instructions(root: Int64, inside: NDArray[np.bool_], old: Items) -> Int64:
    """Join what shares an instruction or an earlier rewrite with gates on two or more qubits.

    Args:
        root: (items,) the first item of the set of each.
        inside: (items,) which items are in blocks.
        old: the items.

    Returns:
        The same as `root`, for the joined sets.
    """
    if not old.is_tracked:
        return root
    wide = old.width[: old.count] > 1
    origin = old.circuit.origin[old.row[: old.count]]
    touched = np.intersect1d(origin[inside], origin[wide])
    members = np.flatnonzero(np.isin(origin, touched))
    members = members[np.argsort(origin[members], kind="stable")]
    if not len(members):
        return root
    joined = np.arange(len(root))
    joined[members] = members[np.searchsorted(origin[members], origin[members])]
    return _union(root, joined)


def runs_of_legs(old: Items) -> Int64:
    """(legs,) the run of each leg: legs of one wire along one axis, in time order; runs are numbered wire by wire."""
    wire, letter = old.legs[1][: old.pins], np.abs(old.legs[2][: old.pins])
    order = np.argsort(wire, kind="stable")
    wire, letter = wire[order], letter[order]
    begins = np.ones(len(wire), np.bool_)
    begins[1:] = (wire[1:] != wire[:-1]) | (letter[1:] != letter[:-1]) | (letter[1:] == 0)
    run = np.empty(len(wire), np.int64)
    run[order] = np.cumsum(begins) - 1
    return run


def _dependencies(old: Items, run: Int64) -> tuple[Int64, Int64]:
    """Edges (earlier, later) between items that do not commute on a wire, or that a classical bit joins.

    A node numbered from `old.count` on stands between two runs.
    """
    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    count = int(run.max(initial=-1)) + 1
    wire_of = np.zeros(count, np.int64)
    wire_of[run] = wire
    follows = np.zeros(count, np.bool_)
    follows[1:] = wire_of[1:] == wire_of[:-1]
    border = old.count + run
    tails = [item, (border - 1)[follows[run]]]
    heads = [border, item[follows[run]]]
    circuit = old.circuit
    if circuit.guards:
        bit = circuit.bit[old.row[: old.count]]
        measure = {int(b): int(i) for i, b in enumerate(bit) if b >= 0}
        guard = circuit.guard[old.row[: old.count]]
        for i in np.flatnonzero(guard >= 0).tolist():
            sources = [measure[b] for b, _ in circuit.guards[guard[i]]]
            tails.append(np.array(sources, np.int64))
            heads.append(np.full(len(sources), i, np.int64))
    return np.concatenate(tails).astype(np.int64), np.concatenate(heads).astype(np.int64)


def _take_in(old: Items, label: Int64, is_block: NDArray[np.bool_], run: Int64) -> None:
    """One-qubit gates within a block, which turn the axes of gates in it that follow, belong to it.

    On each wire the runs from the block's first to before its last are its own: if another block had such a run, each
    would follow the other. So there is one block at most.
    """
    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    inside = is_block[label[item]]
    wide = np.flatnonzero(inside & (old.width[item] > 1))
    if not len(wide):
        return
    spot = label[item[wide]] * old.circuit.num_qubits + wire[wide]
    order = np.lexsort((item[wide], spot))
    wide, spot = wide[order], spot[order]
    begins = np.append(True, spot[1:] != spot[:-1])
    ends = np.append(begins[1:], True)
    first, last = wide[begins], wide[ends]
    longer = run[last] > run[first]
    first, last = first[longer], last[longer]
    order = np.argsort(run[first])
    first, last = first[order], last[order]
    alone = np.flatnonzero(old.width[item] == 1)
    at = np.searchsorted(run[first], run[alone], side="right") - 1
    fits = (at >= 0) & (len(first) > 0)
    at, alone = at[fits], alone[fits]
    fits = (run[alone] < run[last[at]]) & (item[alone] > item[first[at]])
    taken, block = item[alone[fits]], label[item[first[at[fits]]]]
    torn = inside[alone[fits]] & (label[taken] != block)
    if torn.any():
        raise ImpossibleError(np.flatnonzero(np.isin(label, np.append(label[taken[torn]], block[torn]))))
    label[taken] = block


def _beside(old: Items, label: Int64, is_block: NDArray[np.bool_], run: Int64) -> tuple[Int64, Int64]:
    """Legs of rotations outside the blocks, and of blocks that begin in the same run of a wire, all pairs of them.

    The gates that take a block's place count axes in the coordinates where it begins, on each wire. If the block is on
    the same side of the rotation as in the source, these are the same for both.
    """
    item = old.legs[0]
    first = beginnings(old, np.where(is_block[label], label, -1))
    alone = rotations(old)
    return pairs_in_runs(run, alone[~is_block[label[item[alone]]]], first)


def _without_cycles(classes: int, a: Int64, b: Int64, before: Int64, after: Int64) -> NDArray[np.bool_]:
    """Which of the edges `before` -> `after` may join the edges a -> b, which have no cycles, without making one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    tail, head = np.append(a, before), np.append(b, after)
    graph = coo_matrix((np.ones(len(tail), np.int8), (tail, head)), shape=(classes, classes))
    _, label = connected_components(graph, directed=True, connection="strong")
    return np.asarray(label[before] != label[after])


def _refuse(items: Items, old: Items, label: Int64, is_block: NDArray[np.bool_], fixed: int) -> None:
    """Raise for blocks with measurements or guards, and for those on many wires that only matrices prove."""
    circuit = old.circuit
    n = old.count
    inside = is_block[label]
    row = old.row[:n]
    stuck = (old.kind[:n] == fixed) & inside
    if not stuck.any() and not items.dense:
        return
    unitary = (circuit.code[row] < Op.MCP) & (circuit.guard[row] < 0)
    bad = np.zeros(len(is_block), np.bool_)
    bad[label[stuck & ~unitary]] = True
    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    pairs = np.unique(label[item[inside[item]]] * circuit.num_qubits + wire[inside[item]])
    wires = np.bincount(pairs // circuit.num_qubits, minlength=len(is_block))
    has_general = np.zeros(len(is_block), np.bool_)
    has_general[label[stuck & unitary]] = True
    has_general[label[items.roots()[items.dense]]] = True
    bad |= has_general & (wires > DENSE)
    if bad.any():
        raise ImpossibleError(np.flatnonzero(bad[label]))


def _starts(items: Items, old: Items, number: Int64) -> tuple[Int64, NDArray[np.bool_]]:
    """For each leg in a block the old leg with which the block begins on its wire, and which items stand before that.

    A block begins on a wire with the first instruction there that it replaces; it replaces those with gates on
    two or more qubits.
    """
    n, wires = old.count, items.circuit.num_qubits
    inside = number[:n] >= 0
    wide = (old.width[:n] > 1) & inside
    if old.is_tracked:
        origin = items.circuit.origin[old.row[:n]]
        wide = inside & np.isin(origin, np.unique(origin[wide]))
    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    legs = np.flatnonzero(wide[item])
    spots, where = np.unique(number[item[legs]] * wires + wire[legs], return_index=True)
    begins = legs[where]
    item, wire = items.legs[0][: items.pins], items.legs[1][: items.pins]
    own = number[item] * wires + wire
    at = np.minimum(np.searchsorted(spots, own), max(len(spots) - 1, 0))
    found = (number[item] >= 0) & (spots[at] == own)
    start = np.where(found, begins[at], -1)
    leg = items.first[: items.count]
    early = (number >= 0) & (items.width[: items.count] == 1) & (leg >= 0)
    # What a pass has added to a block is where that pass wants it, in the block.
    early[old.count :] = False
    early &= (start[leg] < 0) | (items.key[: items.count] < old.key[old.legs[0][start[leg]]])
    return start, early


def _write(items: Items, old: Items, order: Int64, number: Int64, start_leg: Int64) -> _Rows:
    from distq.rewrite._items_kernel import write_rows

    c = items.circuit
    pins = int(items.width[order].sum())
    # Each item is one row or two; before a leg come at most four Cliffords; those of the source are copied once.
    room = 4 * pins + 2 * len(order) + len(items.cliffords[0]) + 2 * c.num_qubits + 16
    target = (
        np.empty(room, np.uint8),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room + pins, np.int32),
        np.empty(3 * room, np.float64),
        np.empty(3 * room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )
    item, wire, letter, frame, following, _, _, *others = items.legs
    n, pins, params = write_rows(
        order,
        number,
        start_leg,
        (items.kind, items.row, items.base, items.angle, items.first, np.array(items.turns, float).reshape(-1, 4)),
        (item, wire, letter, frame, following, *others, old.legs[5]),
        items.cliffords,
        items.last_of,
        (c.qubit_offsets, c.qubits, c.param_offsets, c.params, c.param_expr, c.code),
        target,
    ).tolist()
    code, who, width, wires, value, base, row, label = target
    return _Rows(code[:n], who[:n], width[:n], wires[:pins], value[:params], base[:params], row[:n], label[:n])


@dataclass(frozen=True)
class _Rows:
    """Columns of rows: code, item (-1: none), width, wires, value, base, row copied (-1: none) and block (-1: none)."""

    code: NDArray[np.uint8]
    item: Int64
    width: Int64
    wires: NDArray[np.int32]
    value: Float64
    base: Int64
    row: Int64
    label: Int64


def _first_slips(old: Items, number: Int64) -> dict[int, tuple[WitnessRow, ...]]:
    """By the origins of new blocks: what leads from the source to the coordinates that they begin with."""
    circuit = old.circuit
    if not circuit.slipped:
        return {}
    first = beginnings(old, number)
    item, wire = old.legs[0][first], old.legs[1][first]
    begins: dict[int, list[tuple[int, int]]] = {}
    for k, w, origin in zip(number[item].tolist(), wire.tolist(), circuit.origin[old.row[item]].tolist()):
        begins.setdefault(-1 - len(circuit.rewrites) - k, []).append((w, origin))
    return {origin: slips_of(found, circuit.slipped) for origin, found in begins.items()}


def _witnesses(
    items: Items, old: Items, blocks: _Blocks, rows: _Rows, first: dict[int, tuple[WitnessRow, ...]]
) -> tuple[Rewrite, ...]:
    """What stands in the place of which instructions, block by block."""
    n = old.count
    count = int(blocks.number.max(initial=-1)) + 1
    number = blocks.number[blocks.label[:n]]
    found: list[list[WitnessRow]] = [[] for _ in range(count)]
    expressions = items.circuit.expressions
    params = np.array(NUM_PARAMS)[rows.code]
    wire_at, param_at = np.cumsum(rows.width) - rows.width, np.cumsum(params) - params
    inside = np.flatnonzero(rows.label >= 0)
    wires, value, base = rows.wires.tolist(), rows.value.tolist(), rows.base.tolist()
    columns = (rows.label, rows.code, wire_at, rows.width, param_at, params)
    for k, code, q, width, p, size in zip(*(c[inside].tolist() for c in columns)):
        angles = tuple(value[j] if base[j] < 0 else scaled(expressions[base[j]], value[j]) for j in range(p, p + size))
        found[k].append((code, tuple(wires[q : q + width]), angles))
    # Sources: instructions and earlier rewrites with gates on two or more qubits.
    wide = np.flatnonzero((old.width[:n] > 1) & (number >= 0))
    lowest = int(np.iinfo(np.int32).min)
    code = np.unique(number[wide] * 2**33 + (items.circuit.origin[old.row[wide]].astype(np.int64) - lowest))
    cuts = np.searchsorted(code // 2**33, np.arange(count + 1)).tolist()
    origin = (code % 2**33 + lowest).tolist()
    known, turn = len(items.circuit.rewrites), items.circuit.next_turn
    return tuple(
        Rewrite(tuple(origin[a:b]), in_source_coordinates(tuple(r), first.get(-1 - known - k, ())), turn=turn)
        for k, (a, b, r) in enumerate(zip(cuts, cuts[1:], found))
    )


def _assemble(items: Items, rows: _Rows, origin: NDArray[np.int32], rewrites: tuple[Rewrite, ...]) -> LogicalCircuit:
    circuit = items.circuit
    copied = rows.row >= 0
    guard, bit = np.full(len(rows.code), -1, np.int32), np.full(len(rows.code), -1, np.int32)
    guard[copied] = circuit.guard[rows.row[copied]]
    bit[copied] = circuit.bit[rows.row[copied]]
    expressions: list[Any] = []
    numbers: dict[tuple[int, float], int] = {}
    expr = np.full(len(rows.base), -1, np.int32)
    for k in np.flatnonzero(rows.base >= 0).tolist():
        name = int(rows.base[k]), float(rows.value[k])
        if name not in numbers:
            numbers[name] = len(expressions)
            expressions.append(scaled(circuit.expressions[name[0]], name[1]))
        expr[k] = numbers[name]
    offsets = [
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        for counts in (rows.width, np.array(NUM_PARAMS)[rows.code])
    ]
    return replace(
        circuit,
        code=rows.code.copy(),
        qubit_offsets=offsets[0],
        qubits=rows.wires.copy(),
        param_offsets=offsets[1],
        params=np.where(expr >= 0, np.nan, rows.value),
        param_expr=expr,
        guard=guard,
        bit=bit,
        expressions=tuple(expressions),
        blocks=((0, len(rows.code), 1),),
        origin=origin,
        rewrites=rewrites,
    )
