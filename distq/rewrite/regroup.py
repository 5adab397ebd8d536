"""Items back to a circuit: what was replaced together stands together, and has a witness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit, Rewrite, WitnessRow
from distq.ops import NUM_PARAMS, Op
from distq.rewrite.items import Float64, Int64, Items

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
        slipped: (pairs, 3) blocks that a rotation of their first run of a wire had to pass: number of the block, the
            rotation's leg, and the leg with which the block begins there.
    """

    label: Int64
    number: Int64
    place: Int64
    slipped: Int64


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
    _refuse_slipped(old, number)
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
    return _assemble(items, rows, origin, circuit.rewrites + _witnesses(items, old, blocks, rows))


def _find_blocks(items: Items, old: Items) -> _Blocks:
    """Close the groups so that each can be brought together, and put all in an order that the old circuit allows."""
    from distq.rewrite._items_kernel import FIXED, order_labels

    n = old.count
    root = items.roots()
    grouped = (np.bincount(root, minlength=items.count) > 1)[root[:n]]
    run = runs_of_legs(old)
    tail, head = _dependencies(old, run)
    joined = _join_instructions(root[:n], grouped, old)
    while True:
        merged = joined
        of_old, label, is_block = _contract(merged, grouped, tail, head)
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
    kept = _without_cycles(classes, a, b, before, after)
    edges = np.unique(np.append(a, before[kept]) * classes + np.append(b, after[kept]))
    a, b = edges // classes, edges % classes
    offsets = np.concatenate([[0], np.cumsum(np.bincount(a, minlength=classes))])
    place = order_labels(classes, offsets, b, rank)
    by_place = np.flatnonzero(is_block)[np.argsort(place[is_block])]
    number = np.full(classes, -1, np.int64)
    number[by_place] = np.arange(len(by_place))
    full = np.concatenate([of_old, of_old[root[n:]]])
    wrong = place[before] > place[after]
    return _Blocks(full, number, place, np.stack([number[other], single, begin], axis=1)[wrong])


def _contract(
    root: Int64, grouped: NDArray[np.bool_], tail: Int64, head: Int64
) -> tuple[Int64, Int64, NDArray[np.bool_]]:
    """Contract sets of items, and then all that lies between the items of one set.

    Args:
        root: (items,) representative of the set of each old item.
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
    is_block = np.bincount(of_old, minlength=classes) > 1
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
    same = origin[members[1:]] == origin[members[:-1]]
    same &= root[members[1:]] != root[members[:-1]]
    if not same.any():
        return root
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a = np.concatenate([root[members[1:][same]], np.arange(len(root))])
    b = np.concatenate([root[members[:-1][same]], root])
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(len(root), len(root)))
    _, label = connected_components(graph, directed=False)
    return _lowest(label)


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
    from distq.rewrite._items_kernel import ROTATION

    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    wide = is_block[label[item]] & (old.width[item] > 1)
    if old.is_tracked:
        origin = old.circuit.origin[old.row[: old.count]]
        wide = is_block[label[item]] & np.isin(origin[item], np.unique(origin[item[wide]]))
    legs = np.flatnonzero(wide)
    legs = legs[np.argsort(item[legs], kind="stable")]
    _, first = np.unique(label[item[legs]] * old.circuit.num_qubits + wire[legs], return_index=True)
    first = legs[first]
    alone = (old.kind[: old.count] == ROTATION) & (old.width[: old.count] == 1) & ~is_block[label]
    alone = np.flatnonzero(alone[item])
    first = first[np.argsort(run[first], kind="stable")]
    low, high = (np.searchsorted(run[first], run[alone], side=side) for side in ("left", "right"))
    single = np.repeat(alone, high - low)
    offset = np.arange(len(single)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    return single, first[np.repeat(low, high - low) + offset]


def _without_cycles(classes: int, a: Int64, b: Int64, before: Int64, after: Int64) -> NDArray[np.bool_]:
    """Which of the edges `before` -> `after` may join the edges a -> b, which have no cycles, without making one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    tail, head = np.append(a, before), np.append(b, after)
    graph = coo_matrix((np.ones(len(tail), np.int8), (tail, head)), shape=(classes, classes))
    _, label = connected_components(graph, directed=True, connection="strong")
    return np.asarray(label[before] != label[after])


def _refuse(items: Items, old: Items, label: Int64, is_block: NDArray[np.bool_], fixed: int) -> None:
    """Raise for blocks with measurements, guards, or general one-qubit gates on many wires."""
    circuit = old.circuit
    n = old.count
    inside = is_block[label]
    row = old.row[:n]
    stuck = (old.kind[:n] == fixed) & inside
    if not stuck.any():
        return
    unitary = (circuit.code[row] < Op.MCP) & (circuit.guard[row] < 0)
    bad = np.zeros(len(is_block), np.bool_)
    bad[label[stuck & ~unitary]] = True
    item, wire = old.legs[0][: old.pins], old.legs[1][: old.pins]
    pairs = np.unique(label[item[inside[item]]] * circuit.num_qubits + wire[inside[item]])
    wires = np.bincount(pairs // circuit.num_qubits, minlength=len(is_block))
    has_general = np.zeros(len(is_block), np.bool_)
    has_general[label[stuck & unitary]] = True
    bad |= has_general & (wires > DENSE)
    if bad.any():
        raise ImpossibleError(np.flatnonzero(bad[label]))


def _refuse_slipped(old: Items, number: Int64) -> None:
    """Raise if an earlier block that a rotation had to pass is to be replaced again: it begins elsewhere now."""
    fixed = [-1 - n for n, rewrite in enumerate(old.circuit.rewrites) if rewrite.slipped]
    if not old.is_tracked or not fixed:
        return
    number = number[: old.count]
    here = np.isin(old.circuit.origin[old.row[: old.count]], fixed) & (number >= 0)
    if here.any():
        raise ImpossibleError(np.flatnonzero(np.isin(number, number[here])))


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


def _witnesses(items: Items, old: Items, blocks: _Blocks, rows: _Rows) -> tuple[Rewrite, ...]:
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
        angles = tuple(value[j] if base[j] < 0 else _scaled(expressions[base[j]], value[j]) for j in range(p, p + size))
        found[k].append((code, tuple(wires[q : q + width]), angles))
    # Sources: instructions and earlier rewrites with gates on two or more qubits.
    wide = np.flatnonzero((old.width[:n] > 1) & (number >= 0))
    lowest = int(np.iinfo(np.int32).min)
    code = np.unique(number[wide] * 2**33 + (items.circuit.origin[old.row[wide]].astype(np.int64) - lowest))
    cuts = np.searchsorted(code // 2**33, np.arange(count + 1)).tolist()
    origin = (code % 2**33 + lowest).tolist()
    slipped: dict[int, list[WitnessRow]] = {}
    for k, single, begin in blocks.slipped.tolist():
        slipped.setdefault(k, []).append(_passed(old, single, begin))
    return tuple(
        Rewrite(tuple(origin[a:b]), tuple(r), slipped=tuple(slipped.get(k, ())))
        for k, (a, b, r) in enumerate(zip(cuts, cuts[1:], found))
    )


def _passed(old: Items, single: int, begin: int) -> WitnessRow:
    """The rotation that leads from the coordinates of a block in the source to those where it stands now.

    It is in the frame with which the block begins: the rotation itself if the block comes first in the source, else its
    inverse.
    """
    from distq.rewrite.clifford import IMAGE

    item, wire, letter = (int(column[single]) for column in old.legs[:3])
    frame = int(old.legs[8][begin])
    axis = next(axis for axis in (1, 2, 3) if abs(int(IMAGE[frame, axis])) == abs(letter))
    sign = 1.0 if int(IMAGE[frame, axis]) == letter else -1.0
    if item < int(old.legs[0][begin]):
        sign = -sign
    angle, base = sign * float(old.angle[item]), int(old.base[item])
    value = angle if base < 0 else _scaled(old.circuit.expressions[base], angle)
    return int((Op.RX, Op.RY, Op.RZ)[axis - 1]), (wire,), (value,)


def _scaled(expression: Any, factor: float) -> Any:
    return expression if factor == 1.0 else expression * factor


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
            expressions.append(_scaled(circuit.expressions[name[0]], name[1]))
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
