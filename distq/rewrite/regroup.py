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
    """

    label: Int64
    number: Int64
    place: Int64


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
    key = items.key[: items.count]
    order = np.lexsort((key, blocks.place[blocks.label]))
    order = order[items.kind[order] != DEAD]
    writer = _Writer(items)
    rows = writer.write(order, np.array([0, len(order)]), np.zeros(0, np.int8), final=True)
    circuit = items.circuit
    tracked = len(circuit.origin) == len(circuit)
    first = len(circuit.rewrites)
    rewrites = circuit.rewrites
    origin = circuit.origin
    if tracked:
        number = blocks.number[blocks.label]
        rewrites += _witnesses(items, old, blocks, writer, order)
        origin = _origins(items, number, rows, first)
    return _assemble(items, rows, origin, rewrites)


def _find_blocks(items: Items, old: Items) -> _Blocks:
    """Close the groups so that each can be brought together, and put all in an order that the old circuit allows."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    from distq.rewrite._items_kernel import FIXED, order_labels

    n, total = old.count, items.count
    root = _roots(items.parent[:total])
    grouped = np.bincount(root, minlength=total) > 1
    root_old = _join_instructions(root[:n], grouped, old)
    tail, head = _dependencies(old)
    # Nodes beyond n stand for the borders between runs.
    size = max(int(tail.max(initial=-1)), int(head.max(initial=-1)), n - 1) + 1
    node = np.arange(size)
    node[:n] = root_old
    tail, head = node[tail], node[head]
    graph = coo_matrix((np.ones(len(tail), np.int8), (tail, head)), shape=(size, size))
    classes, label = connected_components(graph, directed=True, connection="strong")
    label = label.astype(np.int64)
    # A class is a block if it holds a group or several items.
    of_old = label[root_old]
    is_block = np.zeros(classes, np.bool_)
    is_block[of_old[grouped[root[:n]]]] = True
    is_block |= np.bincount(of_old, minlength=classes) > 1
    _refuse(items, old, of_old, is_block, FIXED)
    rank = np.full(classes, n + size, np.int64)
    np.minimum.at(rank, of_old, np.arange(n))
    borders = rank == n + size
    # Borders come as early as they can.
    rank[borders] = -1 - np.arange(np.count_nonzero(borders))
    edges = np.unique(label[tail] * classes + label[head])
    a, b = edges // classes, edges % classes
    a, b = a[a != b], b[a != b]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(a, minlength=classes))])
    place = order_labels(classes, offsets, b, rank)
    by_place = np.flatnonzero(is_block)[np.argsort(place[is_block])]
    number = np.full(classes, -1, np.int64)
    number[by_place] = np.arange(len(by_place))
    full = np.concatenate([of_old, of_old[root[n:]] if total > n else np.zeros(0, np.int64)])
    return _Blocks(full, number, place)


def _roots(parent: Int64) -> Int64:
    root = parent.copy()
    while True:
        above = root[root]
        if (above == root).all():
            return root
        root = above


def _join_instructions(root: Int64, grouped: NDArray[np.bool_], old: Items) -> Int64:
    """Join groups that share an instruction or an earlier rewrite."""
    circuit = old.circuit
    if len(circuit.origin) != len(circuit):
        return root
    wide = np.flatnonzero(old.width[: old.count] > 1)
    origin = circuit.origin[old.row[wide]]
    touched = np.unique(origin[grouped[root[wide]]])
    wide = wide[np.isin(origin, touched)]
    origin = circuit.origin[old.row[wide]]
    order = np.argsort(origin, kind="stable")
    wide, origin = wide[order], origin[order]
    same = origin[1:] == origin[:-1]
    if not same.any():
        return root
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a = np.concatenate([root[wide[1:][same]], np.arange(len(root))])
    b = np.concatenate([root[wide[:-1][same]], root])
    graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(len(root), len(root)))
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max() + 1, len(root), np.int64)
    np.minimum.at(lowest, label, np.arange(len(root)))
    return lowest[label]


def _dependencies(old: Items) -> tuple[Int64, Int64]:
    """Edges (earlier, later) between items that do not commute on a wire, or that a classical bit joins.

    Legs of one wire along one axis form a run; a node numbered from `old.count` on stands between two runs.
    """
    item, wire, letter = (c[: old.pins] for c in old.legs[:3])
    order = np.argsort(wire, kind="stable")
    item, wire, letter = item[order], wire[order], np.abs(letter[order])
    begins = np.ones(len(item), np.bool_)
    begins[1:] = (wire[1:] != wire[:-1]) | (letter[1:] != letter[:-1]) | (letter[1:] == 0)
    run = np.cumsum(begins) - 1
    first_wire = wire[begins]
    follows = np.zeros(len(first_wire), np.bool_)
    follows[1:] = first_wire[1:] == first_wire[:-1]
    border = old.count + run
    tails = [item, (border - 1)[follows[run]]]
    heads = [border, item[follows[run]]]
    circuit = old.circuit
    if len(circuit.guards):
        bit = circuit.bit[old.row[: old.count]]
        measure = {int(b): int(i) for i, b in enumerate(bit) if b >= 0}
        guard = circuit.guard[old.row[: old.count]]
        for i in np.flatnonzero(guard >= 0).tolist():
            sources = [measure[b] for b, _ in circuit.guards[guard[i]]]
            tails.append(np.array(sources, np.int64))
            heads.append(np.full(len(sources), i, np.int64))
    return np.concatenate(tails).astype(np.int64), np.concatenate(heads).astype(np.int64)


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


class _Writer:
    """Runs `write_rows` over items."""

    def __init__(self, items: Items) -> None:
        self.items = items
        c = items.circuit
        turns = np.array(items.turns, np.float64).reshape(-1, 4)
        self.columns = (items.kind, items.row, items.base, items.angle, items.first, turns)
        self.legs = items.legs[:5]
        self.source = (c.qubit_offsets, c.param_offsets, c.params, c.param_expr, c.code)

    def write(self, order: Int64, starts: Int64, frames: NDArray[np.int8], *, final: bool) -> _Rows:
        """The rows of sequences of items; `final`: with the Cliffords at the end of the circuit."""
        from distq.rewrite._items_kernel import final_frames, write_rows
        from distq.rewrite.clifford import BETWEEN, GATES

        items = self.items
        pins = int(items.width[order].sum())
        # Before each leg at most two Cliffords of two gates, or two gates of its own.
        room = 3 * pins + 2 * len(order) + 16
        target = (
            np.empty(room, np.uint8),
            np.empty(room, np.int64),
            np.empty(room, np.int64),
            np.empty(room + pins, np.int32),
            np.empty(room + 3 * len(order), np.float64),
            np.empty(room + 3 * len(order), np.int64),
            np.empty(room, np.int64),
        )
        bounds = write_rows(order, starts, frames, self.columns, self.legs, self.source, target)
        rows = _Rows.of(target, bounds)
        if final:
            now = final_frames(order, self.columns, self.legs, items.circuit.num_qubits)
            rest = GATES[BETWEEN[now, items.frames]]
            wires, _ = np.nonzero(rest >= 0)
            rows = rows.append_gates(rest[rest >= 0], wires)
        return rows


@dataclass(frozen=True)
class _Rows:
    """Columns of rows: code, item (-1: none), width, wires, value, base, row copied (-1: none), and bounds of sequences."""

    code: NDArray[np.uint8]
    item: Int64
    width: Int64
    wires: NDArray[np.int32]
    value: Float64
    base: Int64
    row: Int64
    bounds: Int64

    @staticmethod
    def of(target: Any, bounds: Int64) -> _Rows:
        n, pins, params = bounds[-1].tolist()
        code, item, width, wires, value, base, row = target
        return _Rows(code[:n], item[:n], width[:n], wires[:pins], value[:params], base[:params], row[:n], bounds)

    def append_gates(self, code: NDArray[Any], wires: Int64) -> _Rows:
        """With one-qubit gates without parameters at the end."""
        k = len(code)
        return _Rows(
            np.concatenate([self.code, code.astype(np.uint8)]),
            np.concatenate([self.item, np.full(k, -1)]),
            np.concatenate([self.width, np.ones(k, np.int64)]),
            np.concatenate([self.wires, wires.astype(np.int32)]),
            self.value,
            self.base,
            np.concatenate([self.row, np.full(k, -1)]),
            self.bounds,
        )


def _witnesses(items: Items, old: Items, blocks: _Blocks, writer: _Writer, order: Int64) -> tuple[Rewrite, ...]:
    """What stands in the place of which instructions, block by block."""
    n, wires = old.count, items.circuit.num_qubits
    count = int(blocks.number.max(initial=-1)) + 1
    if not count:
        return ()
    number = blocks.number[blocks.label]
    # The first old gate on two or more qubits on each wire of each block, and the frame there.
    item, wire, frame = old.legs[0][: old.pins], old.legs[1][: old.pins], old.legs[3][: old.pins]
    wide = (old.width[item] > 1) & (number[item] >= 0)
    spot = number[item[wide]] * wires + wire[wide]
    spots, where = np.unique(spot, return_index=True)
    since, frames = item[wide][where], frame[wide][where]
    # Members of blocks, without what stands on its wire before that gate.
    members = order[number[order] >= 0]
    leg = items.first[members]
    own = number[members] * wires + items.legs[1][leg]
    at = np.minimum(np.searchsorted(spots, own), len(spots) - 1)
    alone = items.width[members] == 1
    early = alone & ((spots[at] != own) | (items.key[members] < old.key[since[at]]))
    members = members[~early]
    members = members[np.argsort(number[members], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(number[members], minlength=count))])
    pins = items.legs[0][: items.pins]
    own = number[pins] * wires + items.legs[1][: items.pins]
    at = np.minimum(np.searchsorted(spots, own), len(spots) - 1)
    rows = writer.write(members, starts, np.where(spots[at] == own, frames[at], 0).astype(np.int8), final=False)
    witness_rows = _tuples(rows, items)
    # Sources: instructions and earlier rewrites with gates on two or more qubits.
    wide_items = np.flatnonzero((old.width[:n] > 1) & (number[:n] >= 0))
    origin = items.circuit.origin[old.row[wide_items]].astype(np.int64)
    base = int(np.iinfo(np.int32).min)
    code = np.unique(number[wide_items] * 2**33 + (origin - base))
    owner, origin = code // 2**33, code % 2**33 + base
    cuts = np.searchsorted(owner, np.arange(count + 1))
    source_list = origin.tolist()
    return tuple(
        Rewrite(
            tuple(source_list[cuts[k] : cuts[k + 1]]), tuple(witness_rows[rows.bounds[k, 0] : rows.bounds[k + 1, 0]])
        )
        for k in range(count)
    )


def _tuples(rows: _Rows, items: Items) -> list[WitnessRow]:
    result: list[WitnessRow] = []
    expressions = items.circuit.expressions
    wires, value, base = rows.wires.tolist(), rows.value.tolist(), rows.base.tolist()
    q = p = 0
    for code, width in zip(rows.code.tolist(), rows.width.tolist()):
        k = NUM_PARAMS[code]
        params = tuple(value[j] if base[j] < 0 else _scaled(expressions[base[j]], value[j]) for j in range(p, p + k))
        result.append((code, tuple(wires[q : q + width]), params))
        q += width
        p += k
    return result


def _scaled(expression: Any, factor: float) -> Any:
    return expression if factor == 1.0 else expression * factor


def _origins(items: Items, number: Int64, rows: _Rows, first: int) -> NDArray[np.int32]:
    origin = np.full(len(rows.code), NO_ORIGIN, np.int64)
    known = rows.item >= 0
    item = rows.item[known]
    wide = rows.width[known] > 1
    source = items.circuit.origin[items.row[item]].astype(np.int64)
    inside = number[item] >= 0
    origin[known] = np.where(inside, np.where(wide, -1 - first - number[item], NO_ORIGIN), source)
    return origin.astype(np.int32)


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
