"""CX gates change places with their neighbours where packets grow together, at the price of one gate more.

CX(a, b) and CX(b, c) do not commute, but the first one after the second is the same as before it with a CX(a, c) beside
it. Where the leg of each meets legs along its own axis in its new place, the wire has two packets fewer (or one), and
the new gate shares the packets of its legs with the two. So a copy of b outlives a CX onto b, if the control of that
is present where the copy is used: what Wu et al. call embedding, without a gate that has several sites.

References:
    Wu et al., Entanglement-efficient bipartite-distributed quantum computing, Quantum 7, 1196 (2023), arXiv:2212.12688.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.rewrite.items import Items, read_items
from distq.rewrite.regroup import ImpossibleError, write_items

#: Times between two items of the circuit, so that gates can be put between others again and again.
_ROOM = 1 << 20
#: A leg that meets nothing.
_NOTHING = (0, 0, 0)


def exchange_neighbours(circuit: LogicalCircuit) -> LogicalCircuit:
    """Exchange CX-like gates with their neighbours wherever a wire has fewer packets after that.

    Args:
        circuit: in normal form, one-qubit gates not merged.

    Returns:
        An equal circuit, up to a global phase, with a witness for each replacement if origins are tracked; the same
        object if there is nothing to exchange.
    """
    if not _may_gain(circuit):
        return circuit
    old = read_items(circuit)
    old.key *= _ROOM
    banned: set[int] = set()
    while True:
        items = old.copy()
        if not _Exchanges(items, banned).run():
            return circuit
        try:
            return write_items(items, old)
        except ImpossibleError as error:
            found = set(error.gates.tolist())
        if found <= banned:
            return circuit
        banned |= found


def _may_gain(circuit: LogicalCircuit) -> bool:
    """Whether there are two CZ-like gates that share a wire."""
    from distq.circuit.rows import MCP

    two = np.flatnonzero((circuit.code == MCP) & (circuit.arity == 2) & (circuit.guard < 0))
    two = two[circuit.params[circuit.param_offsets[two]] == math.pi]
    wires = circuit.qubits[np.concatenate([circuit.qubit_offsets[two], circuit.qubit_offsets[two] + 1])]
    return bool(len(np.unique(wires)) < len(wires))


class _Exchanges:
    """Legs of each wire in the order of time, and what is done to them."""

    def __init__(self, items: Items, banned: set[int]) -> None:
        from distq.rewrite._items_kernel import CZ, DEAD, PHASE

        self.items, self.CZ = items, CZ
        count = items.count
        kind, angle, base = items.kind[:count], items.angle[:count], items.base[:count]
        usable = (kind == CZ) | ((kind == PHASE) & (base < 0) & (np.abs(angle) == math.pi))
        usable &= items.width[:count] == 2  # what comes of two of these has two legs
        usable[list(banned)] = False
        self.usable: list[bool] = usable.tolist()
        self.key: list[int] = items.key[:count].tolist()
        self.wide: list[bool] = (items.width[:count] > 1).tolist()
        self.legs: list[dict[int, int]] = [{} for _ in range(count)]
        #: By wire: (time, item, signed letter).
        self.lines: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        alive = (kind[items.legs[0][: items.pins]] != DEAD).tolist()
        for item, wire, letter, lives in zip(*(c[: items.pins].tolist() for c in items.legs[:3]), alive):
            if lives:
                self.legs[item][wire] = letter
                self.lines[wire].append((self.key[item], item, letter))
        self.done = 0

    def run(self) -> int:
        """Exchange until nothing more is gained; returns how many pairs were."""
        before = -1
        while before < self.done:
            before = self.done
            for wire in sorted(self.lines):
                self._sweep(wire)
        return self.done

    def _sweep(self, wire: int) -> None:
        line = self.lines[wire]
        at = 0
        while at + 1 < len(line):
            if self._gains(line, at) and self._exchange(wire, line[at][1], line[at + 1][1]):
                at = max(0, at - 2)
            else:
                at += 1

    def _gains(self, line: list[tuple[int, int, int]], at: int) -> bool:
        """Whether two legs, each alone along its axis, would meet legs along their axes in each other's place."""
        (_, first, a), (_, second, b) = line[at], line[at + 1]
        if not (self.usable[first] and self.usable[second]) or abs(a) == abs(b):
            return False
        (_, i, left), (_, j, right) = line[at - 1] if at else _NOTHING, line[at + 2] if at + 2 < len(line) else _NOTHING
        if abs(left) == abs(a) or abs(right) == abs(b):
            return False
        return (abs(left) == abs(b) and self.wide[i]) or (abs(right) == abs(a) and self.wide[j])

    def _exchange(self, wire: int, first: int, second: int) -> bool:
        """The first gate after the second, and a new one; False if they cannot."""
        a = {w: s for w, s in self.legs[first].items() if w != wire}
        c = {w: s for w, s in self.legs[second].items() if w != wire}
        if set(a) & set(c):
            return False
        low, high = self.key[first], self.key[second]
        wires = (wire, *a, *c)
        if all(self._passes(w, s, low, high) for w, s in a.items()):
            after = min(self._next(w, high) for w in wires)
            moved, time = first, (high + after) // 2
            fits = high < time < after
        elif all(self._passes(w, s, low, high) for w, s in c.items()):
            before = max(self._last(w, low) for w in wires)
            moved, time = second, (low + before) // 2
            fits = before < time < low
        else:
            return False
        if not fits:
            return False
        self._move(moved, time)
        self._add(moved, {**a, **c})
        self.items.unite(first, second)
        self.done += 1
        return True

    def _passes(self, wire: int, letter: int, low: int, high: int) -> bool:
        """Whether a leg commutes with all others on its wire from one time to another."""
        line = self.lines[wire]
        part = line[bisect_left(line, (low,)) : bisect_left(line, (high + 1,))]
        return all(abs(s) == abs(letter) for _, _, s in part)

    def _next(self, wire: int, time: int) -> int:
        """The first time of a leg after another."""
        line = self.lines[wire]
        at = bisect_left(line, (time + 1,))
        return line[at][0] if at < len(line) else time + _ROOM

    def _last(self, wire: int, time: int) -> int:
        """The last time of a leg before another."""
        line = self.lines[wire]
        at = bisect_left(line, (time,))
        return line[at - 1][0] if at else time - _ROOM

    def _move(self, item: int, time: int) -> None:
        for wire, letter in self.legs[item].items():
            line = self.lines[wire]
            line.pop(bisect_left(line, (self.key[item], item, letter)))
            insort(line, (time, item, letter))
        self.key[item] = time
        self.items.key[item] = time

    def _add(self, owner: int, legs: dict[int, int]) -> None:
        """A new gate beside another, which shares a leg with it."""
        items = self.items
        items.reserve(
            1024 if items.count == len(items.kind) else 0, 1024 if items.pins + 16 > len(items.legs[0]) else 0
        )
        i, time = items.count, self.key[owner]
        items.count += 1
        items.kind[i], items.row[i], items.base[i], items.angle[i] = self.CZ, items.row[owner], -1, math.pi
        items.first[i], items.key[i], items.width[i] = items.pins, time, len(legs)
        items.parent[i] = self.items.root(owner)
        for k, (wire, letter) in enumerate(legs.items()):
            leg = items.pins
            items.pins += 1
            following = leg + 1 if k + 1 < len(legs) else -1
            for column, value in zip(items.legs, (i, wire, letter, 0, following, -1, -1)):
                column[leg] = value
            insort(self.lines[wire], (time, i, letter))
        self.legs.append(dict(legs))
        self.key.append(time)
        self.wide.append(True)
        # Its place is that of its neighbours; what is beside them cannot be told apart any more.
        self.usable.append(False)
