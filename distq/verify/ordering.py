"""Which events of a sequence may change places, and an order in which each block of them is contiguous.

Two events of a tape in frame coordinates (`distq.verify.events`) may be exchanged if on every wire that they share
their axes are parallel, and if neither is a measurement on which the other depends. On a wire, consecutive events with
parallel axes form a run; all events of a run precede all those of the next one. Blocks are contracted to one node
each; what remains must have no cycle, and then every topological order is an equal sequence.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from distq.verify.events import PARALLEL
from distq.verify.rotations import Vector

#: How an event acts on a wire: along an axis, or in a way that commutes with nothing except what has the same key.
Action = Vector | int
#: Runs of at most this many pairs of neighbours are joined directly.
_DIRECT = 4


class CycleError(Exception):
    """Blocks cannot be brought together.

    Attributes:
        groups: sets of blocks that get into each other's way; a block alone has a foreign event inside.
        event: for the first of these, an event that stands between those of the block, or -1.
    """

    def __init__(self, groups: list[list[int]], event: int) -> None:
        super().__init__(groups, event)
        self.groups, self.event = groups, event


class Dependencies:
    """The order of events, with blocks as single nodes.

    Args:
        num_wires: wires of the tape.
        support: the measurements that a guard depends on.

    Events are numbered in the order in which they are added.
    """

    def __init__(self, num_wires: int, support: Callable[[int], Iterable[int]]) -> None:
        self.support = support
        self.runs: list[list[list[int]]] = [[] for _ in range(num_wires)]
        self.last: list[Action | None] = [None] * num_wires
        self.succ: list[list[int]] = []
        self.indegree: list[int] = []
        #: For every node its first event, or -1 for nodes that only carry order.
        self.first: list[int] = []
        self.events: list[list[int]] = []
        self.block_node: dict[int, int] = {}
        self.block_of: dict[int, int] = {}
        self.measured_by: dict[int, int] = {}
        self.last_measured: dict[int, int] = {}
        self.guard_node: dict[int, int] = {}
        self.count = 0

    def _node(self, first: int) -> int:
        self.succ.append([])
        self.indegree.append(0)
        self.first.append(first)
        self.events.append([] if first < 0 else [first])
        return len(self.first) - 1

    def _edge(self, before: int, after: int) -> None:
        self.succ[before].append(after)
        self.indegree[after] += 1

    def add(self, wires: Sequence[int], actions: Sequence[Action], guard: int, block: int, atom: int = -1) -> None:
        """Append an event of a block (-1: none); `atom` is the measurement that it is, or -1."""
        event = self.count
        self.count += 1
        if block < 0:
            node = self._node(event)
        elif block in self.block_node:
            node = self.block_node[block]
            self.events[node].append(event)
        else:
            node = self.block_node[block] = self._node(event)
            self.block_of[node] = block
        for wire, action in zip(wires, actions):
            runs = self.runs[wire]
            if runs and _same(self.last[wire], action):
                if runs[-1][-1] != node:
                    runs[-1].append(node)
            else:
                runs.append([node])
                self.last[wire] = action
        if guard >= 0:
            self._guarded(node, guard)
        if atom >= 0:
            # Measurements of a wire keep their order, so that it is clear which one is which.
            if wires[0] in self.last_measured:
                self._edge(self.last_measured[wires[0]], node)
            self.measured_by[atom] = self.last_measured[wires[0]] = node

    def _guarded(self, node: int, guard: int) -> None:
        source = self.guard_node.get(guard)
        if source is None:
            source = self.guard_node[guard] = self._node(-1)
            for atom in self.support(guard):
                if atom in self.measured_by:
                    self._edge(self.measured_by[atom], source)
        self._edge(source, node)

    # The order

    def order(self) -> list[tuple[int, list[int]]]:
        """(block or -1, its events) in an equal sequence; what stood earlier comes first where there is a choice.

        Raises:
            CycleError: there is none.
        """
        for runs in self.runs:
            for before, after in pairwise(runs):
                self._join(before, after)
            runs.clear()
        indegree, succ, first = self.indegree, self.succ, self.first
        ready = [(first[node], node) for node, degree in enumerate(indegree) if degree == 0]
        heapq.heapify(ready)
        found: list[tuple[int, list[int]]] = []
        done = 0
        while ready:
            at, node = heapq.heappop(ready)
            done += 1
            if at >= 0:
                found.append((self.block_of.get(node, -1), self.events[node]))
            for other in succ[node]:
                indegree[other] -= 1
                if indegree[other] == 0:
                    heapq.heappush(ready, (first[other], other))
        if done < len(first):
            raise self._cycles()
        return found

    def _join(self, before: list[int], after: list[int]) -> None:
        """All of one run precede all of the next, with few edges."""
        if len(before) == len(after) == 1:
            if before[0] != after[0]:
                self._edge(before[0], after[0])
            return
        left, right = dict.fromkeys(before), dict.fromkeys(after)
        shared = [node for node in left if node in right]
        if not shared:
            if len(left) * len(right) <= _DIRECT:
                for u in left:
                    for v in right:
                        self._edge(u, v)
                return
            middle = self._node(-1)
        else:
            # A block with events in both runs is itself between the rest; two of these cannot be.
            middle = shared[0]
            for u, v in zip(shared, [*shared[1:], shared[0]]):
                if u != v:
                    self._edge(u, v)
        for u in left:
            if u not in shared:
                self._edge(u, middle)
        for v in right:
            if v not in shared:
                self._edge(middle, v)

    def _cycles(self) -> CycleError:
        left = [node for node, degree in enumerate(self.indegree) if degree > 0]
        groups: list[list[int]] = []
        event = -1
        for nodes in strong_components(left, self.succ):
            if len(nodes) > 1:
                blocks = sorted(self.block_of[n] for n in nodes if n in self.block_of)
                if len(blocks) == 1 and event < 0:
                    event = next((self.first[n] for n in nodes if n not in self.block_of and self.first[n] >= 0), -1)
                    groups.insert(0, blocks)
                else:
                    groups.append(blocks)
        return CycleError(groups, event)


def _same(last: Action | None, action: Action) -> bool:
    if isinstance(last, tuple) and isinstance(action, tuple):
        a, b, c = last
        x, y, z = action
        p, q, r = y * c - z * b, z * a - x * c, x * b - y * a
        return p * p + q * q + r * r < PARALLEL * PARALLEL
    return last == action


def strong_components(nodes: Iterable[int], succ: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected components of the part of a graph that `nodes` span.

    References:
        R. Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1, 146 (1972), doi:10.1137/0201010.
    """
    number: dict[int, int] = dict.fromkeys(nodes, -1)
    low: dict[int, int] = {}
    stack: list[int] = []
    open_nodes: set[int] = set()
    found: list[list[int]] = []
    counter = 0
    for root in list(number):
        if number[root] >= 0:
            continue
        path = [(root, 0)]
        while path:
            node, position = path.pop()
            if position == 0:
                number[node] = low[node] = counter
                counter += 1
                stack.append(node)
                open_nodes.add(node)
            for i in range(position, len(succ[node])):
                other = succ[node][i]
                if number.get(other) == -1:
                    path.append((node, i + 1))
                    path.append((other, 0))
                    break
                if other in open_nodes:
                    low[node] = min(low[node], number[other])
            else:
                if path:
                    parent = path[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == number[node]:
                    component: list[int] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                    open_nodes.difference_update(component)
                    found.append(component)
    return found
