"""A circuit as a sequence of items with Pauli legs, for passes that look for equal forms of it.

All one-qubit Cliffords are taken out of the sequence: they turn the axes along which the other gates act. What is
left is

- rotations exp(-i t/2 P), P a product of Pauli letters on any number of wires (an RZ behind an H is a rotation
  about X of one wire),
- CZ gates and other phase gates with a letter for each wire,
- rows that stay as they are: measurements, resets, guarded gates, and one-qubit gates that are no rotations about
  a letter; a leg of theirs has a letter if they are diagonal along it, else 0: nothing passes.

Letters are in the coordinates of each wire at the start of the circuit. Each item keeps its time when others vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit

Int64 = NDArray[np.int64]
Int8 = NDArray[np.int8]
Float64 = NDArray[np.float64]


class ItemColumns(NamedTuple):
    """Columns of items, as compiled loops want them."""

    kind: Int8
    row: Int64
    base: Int64
    angle: Float64
    first: Int64
    key: Int64
    width: Int64
    parent: Int64


class LegColumns(NamedTuple):
    """Columns of legs, as compiled loops want them."""

    item: Int64
    wire: Int64
    letter: Int8
    frame: Int8
    next: Int64
    before: Int64
    after: Int64


#: Spare times between two items.
SPACING = 4


@dataclass
class Items:
    """Columns of items and of legs, longer than what is in use.

    Attributes:
        circuit: where they come from.
        count: number of items in use; those below `original` stand for one row each.
        pins: number of legs in use.
        original: number of items read from the circuit.
        kind: DEAD, ROTATION, CZ, PHASE, FIXED or LOCAL (see `_items_kernel`).
        row: row of the circuit; for LOCAL an index into `turns`.
        base: index of the symbolic angle, or -1.
        angle: [rad], or the factor of the symbolic angle.
        first: first leg.
        key: time.
        width: number of legs.
        parent: union-find forest of what is replaced together.
        legs: columns item, wire, letter (signed: 1 X, 2 Y, 3 Z, 0 none), frame, next leg of the item, leg before and
            after on the wire; for those read from the circuit also: frame before the row, frame before its
            instruction, last Clifford before it on the wire, the same before its instruction, last Clifford of its
            instruction behind it.
        cliffords: columns of the one-qubit Cliffords: row, and the one before it without a leg between (-1: none).
        last_of: by wire: last leg, last Clifford behind it, frame at the end.
        old_legs: item and wire of each leg read from the circuit.
        old_width: number of legs of each item read from the circuit.
        turns: quaternions of LOCAL items.
        dense: items of groups that only matrices prove.
    """

    circuit: LogicalCircuit
    count: int
    pins: int
    original: int
    kind: Int8
    row: Int64
    base: Int64
    angle: Float64
    first: Int64
    key: Int64
    width: Int64
    parent: Int64
    legs: tuple[NDArray[Any], ...]
    cliffords: tuple[Int64, Int64]
    last_of: tuple[Int64, Int64, Int8]
    old_legs: tuple[Int64, Int64]
    old_width: Int64
    turns: list[tuple[float, float, float, float]]
    dense: list[int]

    @property
    def is_tracked(self) -> bool:
        """Whether the origins of rows are known."""
        return len(self.circuit.origin) == len(self.circuit)

    def roots(self) -> Int64:
        """(count,) the representative of each item among those that are replaced together."""
        root = self.parent[: self.count].copy()
        while True:
            above = root[root]
            if (above == root).all():
                return root
            root = above

    def root(self, i: int) -> int:
        """The representative of one item among those that are replaced together."""
        parent = self.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def unite(self, i: int, j: int) -> None:
        """Two items are replaced together; the lower number represents them."""
        a, b = sorted((self.root(i), self.root(j)))
        self.parent[b] = a

    def relink(self) -> None:
        """Put the legs of each wire in the order of time again."""
        item, wire, _, _, following, before, after = self.legs[:7]
        found = []
        leg = self.first[: self.count][self.kind[: self.count] != 0]
        while len(leg):
            leg = leg[leg >= 0]
            found.append(leg)
            leg = following[leg]
        legs = np.concatenate(found) if found else np.zeros(0, np.int64)
        legs = legs[np.lexsort((self.key[item[legs]], wire[legs]))]
        before[legs] = after[legs] = -1
        same = wire[legs[1:]] == wire[legs[:-1]]
        before[legs[1:][same]] = legs[:-1][same]
        after[legs[:-1][same]] = legs[1:][same]

    def columns(self) -> tuple[ItemColumns, LegColumns]:
        """The columns that passes change."""
        items = ItemColumns(self.kind, self.row, self.base, self.angle, self.first, self.key, self.width, self.parent)
        return items, LegColumns(*self.legs[:7])

    def reserve(self, items: int, pins: int) -> None:
        """Make room for so many more items and legs."""
        if self.count + items > len(self.kind):
            extra = self.count + items - len(self.kind)
            for name in ("kind", "row", "base", "angle", "first", "key", "width", "parent"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros(extra, column.dtype)]))
        if self.pins + pins > len(self.legs[0]):
            extra = self.pins + pins - len(self.legs[0])
            self.legs = tuple(np.concatenate([c, np.zeros(extra, c.dtype)]) for c in self.legs)

    def legs_of(self, item: int) -> list[tuple[int, int]]:
        """(wire, signed letter) of each leg."""
        result = []
        leg = int(self.first[item])
        while leg >= 0:
            result.append((int(self.legs[1][leg]), int(self.legs[2][leg])))
            leg = int(self.legs[4][leg])
        return result

    def copy(self) -> Items:
        """Columns of its own."""
        return replace(
            self,
            **{n: getattr(self, n).copy() for n in ("kind", "row", "base", "angle", "first", "key", "width", "parent")},
            legs=tuple(c.copy() for c in self.legs),
            turns=list(self.turns),
            dense=list(self.dense),
        )


def read_items(circuit: LogicalCircuit, keep_quarters: bool = False) -> Items:
    """The items of a circuit.

    Args:
        circuit: in normal form.
        keep_quarters: whether S, SDG, and RZ and P by odd multiples of pi/2 are rotations rather than parts of frames.
    """
    from distq.rewrite._items_kernel import read_rows

    rows, pins, n = len(circuit), len(circuit.qubits), circuit.num_qubits
    kind, row, base = np.empty(rows, np.int8), np.empty(rows, np.int64), np.empty(rows, np.int64)
    angle, first = np.empty(rows, np.float64), np.empty(rows, np.int64)
    types = (np.int64, np.int64, np.int8, np.int8, np.int8, np.int8, np.int64, np.int64, np.int64)
    columns: tuple[NDArray[Any], ...] = tuple(np.empty(pins, t) for t in types)
    cliffords = np.empty(rows, np.int64), np.empty(rows, np.int64)
    frames, chain = np.zeros(n, np.int8), np.full(n, -1, np.int64)
    tracked = len(circuit.origin) == rows
    source = (
        circuit.code,
        circuit.qubit_offsets,
        circuit.qubits,
        circuit.param_offsets,
        circuit.params,
        circuit.param_expr,
        circuit.guard,
        circuit.origin if tracked else np.full(rows, NO_ORIGIN, np.int32),
    )
    count, pins, rest = read_rows(
        source, frames, chain, (kind, row, base, angle, first), columns, cliffords, keep_quarters
    )
    kind, row, base = kind[:count].copy(), row[:count].copy(), base[:count].copy()
    angle, first = angle[:count].copy(), first[:count].copy()
    item, wire, letter, frame, *others = (c[:pins].copy() for c in columns)
    _share_symbols(circuit, base, angle)
    width = np.diff(np.append(first, pins))
    following = np.arange(1, pins + 1)
    following[np.append(first[1:], pins) - 1] = -1
    order = np.argsort(wire, kind="stable")
    before, after = np.full(pins, -1, np.int64), np.full(pins, -1, np.int64)
    same = wire[order[1:]] == wire[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    after[order[:-1][same]] = order[1:][same]
    last_leg = np.full(n, -1, np.int64)
    last_leg[wire[order]] = order
    return Items(
        circuit=circuit,
        count=count,
        pins=pins,
        original=count,
        kind=kind,
        row=row,
        base=base,
        angle=angle,
        first=first,
        key=np.arange(count) * SPACING,
        width=width,
        parent=np.arange(count),
        legs=(item, wire, letter, frame, following, before, after, *others),
        cliffords=(cliffords[0][:rest], cliffords[1][:rest]),
        last_of=(last_leg, chain, frames),
        old_legs=(item.copy(), wire.copy()),
        old_width=width.copy(),
        turns=[],
        dense=[],
    )


def _share_symbols(circuit: LogicalCircuit, base: Int64, angle: Float64) -> None:
    """Give angles that are the same expression, up to a sign and powers of two, one base and factors.

    Expressions are taken to be equal if they are at two random points.
    """
    used = np.unique(base[base >= 0]).tolist()
    if not used:
        return
    rng = np.random.default_rng(1)
    names = circuit.parameters
    points = [{p: float(v) for p, v in zip(names, rng.uniform(0.3, 1.7, len(names)))} for _ in range(2)]
    known: dict[tuple[Any, ...], tuple[int, float]] = {}
    new_base, factor = np.arange(len(circuit.expressions)), np.ones(len(circuit.expressions))
    for e in used:
        expression = circuit.expressions[e]
        try:
            first, second = (
                float(expression.bind({p: point[p] for p in expression.parameters}).numeric()) for point in points
            )
        except (ArithmeticError, ValueError, TypeError):
            continue
        if first == 0.0 or not np.isfinite([first, second]).all():
            continue
        mantissa, power = math.frexp(abs(first))
        name = (frozenset(expression.parameters), round(mantissa, 12), round(second / first, 12))
        scale = math.copysign(2.0**power, first)
        number, unit = known.setdefault(name, (e, scale))
        new_base[e], factor[e] = number, scale / unit
    symbolic = base >= 0
    angle[symbolic] *= factor[base[symbolic]]
    base[symbolic] = new_base[base[symbolic]]
