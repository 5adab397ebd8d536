"""An oracle for replays with purification: one sample, event by event, in the order of time.

Generators, ports and spare communication qubits work off queues in the planned order, pairs expire when their time has
come, and purified pairs are made by recursion. From the scheduler it takes the planned order, what waits for what, and
the delays of requests.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict

from simpy_oracle import uniform

from distq.schedule.result import Timeline


class Events:
    """One sample, event by event."""

    def __init__(self, t: Timeline, seed: int, sample: int) -> None:
        self.t, self.seed, self.sample = t, seed, sample
        g, o = t.graph, t.order
        self.timing = g.timing
        self.link = g.link.tolist()
        self.user = o.user.tolist()
        self.heap: list[tuple[float, int, str, int]] = []
        self.count = itertools.count()
        self.start: dict[int, float] = {}
        self.end: dict[int, float] = {}
        self.tries: dict[int, int] = defaultdict(int)
        self.waiting_for = {n: g.predecessors(n) for n in range(g.num_nodes)}
        self.followers: dict[int, list[int]] = defaultdict(list)
        for n, preds in self.waiting_for.items():
            for p in set(preds):
                self.followers[p].append(n)
        self.alive: set[int] = set()  # pairs that are there
        self.dead: set[int] = set()  # that have expired and wait for their generator
        self.making: set[int] = set()
        self.discarded = 0
        #: Queue of each resource: ("make", pair) and, for pairs that can die, ("use", pair).
        self.queue: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
        self.busy: set[tuple[str, int]] = set()
        self.set_to: dict[int, int] = {}
        mortal = defaultdict(list)
        for pair in g.pairs.tolist():
            if self.user[pair] >= 0 and math.isfinite(self.age(pair)):
                mortal[self.user[pair]].append(pair)
        self.first_user: dict[int, list[int]] = defaultdict(list)
        for n, pairs in mortal.items():
            for pair in pairs:
                for other in set(g.touch[pair].tolist()) - {n, -1}:
                    self.first_user[other].append(n)
        self.mortal = {p for pairs in mortal.values() for p in pairs}
        for n in o.order.tolist():
            items = [("make", n)] if self.link[n] >= 0 else [("use", p) for p in mortal[n]]
            for what, pair in items:
                for resource in self.resources(pair):
                    self.queue[resource].append((what, pair))

    def age(self, pair: int) -> float:
        return float(self.timing.max_age[self.link[pair]])

    def resources(self, pair: int) -> list[tuple[str, int]]:
        port = int(self.t.order.port[pair])
        return [("generator", int(self.t.order.generator[pair]))] + ([("port", port)] if port >= 0 else [])

    def at(self, time: float, what: str, node: int) -> None:
        heapq.heappush(self.heap, (time, next(self.count), what, node))

    def takes(self, pair: int) -> float:
        x, t = self.link[pair], self.timing
        u = uniform(self.seed, self.sample, pair, self.tries[pair])
        if t.kind[x] == 2:
            return -t.slot[x] * math.log(u)
        if t.kind[x] == 1 and t.probability[x] < 1:
            return t.slot[x] * max(1, math.ceil(math.log(u) / math.log1p(-t.probability[x])))
        return float(t.slot[x])

    def run(self) -> float:
        self.now = 0.0
        for pair in self.t.graph.pairs.tolist():
            if self.t.order.anchor[pair] == -2:
                self.at(float(self.t.order.lag[pair]), "look", pair)
        while True:
            self.look()
            if not self.heap:
                break
            self.now = self.heap[0][0]
            while self.heap and self.heap[0][0] == self.now:
                _, _, what, node = heapq.heappop(self.heap)
                if what == "end":
                    self.end[node] = self.now
                elif what == "made":
                    self.making.discard(node)
                    self.alive.add(node)
                    self.end[node] = self.now
                    for r in self.resources(node):
                        self.busy.discard(r)
                    if node in self.mortal and self.user[node] not in self.start:
                        self.at(self.now + self.age(node) * (1 + 1e-9), "expire", node)
                elif what == "expire" and self.user[node] not in self.start and node not in self.making:
                    # The event is that of this pair, unless it was made again meanwhile: then it is younger.
                    self.look()
                    if self.user[node] not in self.start:
                        self.alive.discard(node)
                        self.dead.add(node)
                        self.discarded += 1
        assert len(self.start) == self.t.graph.num_nodes
        return max(self.end.values(), default=0.0)

    def look(self) -> None:
        """Begin all that can begin now."""
        again = True
        while again:
            again = False
            for n in range(self.t.graph.num_nodes):
                if n in self.start:
                    continue
                if self.link[n] >= 0:
                    if self.can_make(n):
                        self.make(n, "make")
                        again = True
                elif all(self.done(p) for p in self.waiting_for[n]) and all(
                    u in self.start for u in self.first_user[n]
                ):
                    self.start[n] = self.now
                    again = True
                    if self.t.graph.duration[n] == 0:
                        self.end[n] = self.now
                    else:
                        self.at(self.now + float(self.t.graph.duration[n]), "end", n)
                    for key, items in self.queue.items():
                        self.queue[key] = [i for i in items if not (i[0] == "use" and self.user[i[1]] == n)]
                    for pair in self.t.graph.pairs.tolist():
                        if self.t.order.anchor[pair] == n:
                            self.at(self.now + float(self.t.order.lag[pair]), "look", pair)
            for pair in sorted(self.dead, key=lambda p: (self.end[p] + self.age(p), p)):
                first = [self.first_use(r, pair) for r in self.resources(pair)]
                if all(first) and not any(r in self.busy for r in self.resources(pair)):
                    self.dead.discard(pair)
                    self.make(pair, "again")
                    again = True

    def first_use(self, resource: tuple[str, int], pair: int) -> bool:
        """Whether nothing stands in the queue before the use of this pair but other uses by the same node."""
        for what, other in self.queue[resource]:
            if (what, other) == ("use", pair):
                return True
            if what == "make" or self.user[other] != self.user[pair]:
                return False
        return False

    def done(self, node: int) -> bool:
        if self.link[node] >= 0:
            return node in self.alive
        return node in self.end and self.end[node] <= self.now

    def can_make(self, pair: int) -> bool:
        # Of a pair that only has to come first it does not matter whether it is still there.
        if not all(p in self.end if self.link[p] >= 0 else self.done(p) for p in self.waiting_for[pair]):
            return False
        anchor, lag = int(self.t.order.anchor[pair]), float(self.t.order.lag[pair])
        if anchor == -2 and self.now < lag:
            return False
        if anchor >= 0 and (anchor not in self.start or self.now < self.start[anchor] + lag):
            return False
        return all(r not in self.busy and self.queue[r][0] == ("make", pair) for r in self.resources(pair))

    def make(self, pair: int, what: str) -> None:
        self.start[pair] = self.now
        self.making.add(pair)
        duration = self.takes(pair)
        self.tries[pair] += 1
        port = int(self.t.order.port[pair])
        if port >= 0:
            if self.set_to.get(port, self.link[pair]) != self.link[pair]:
                duration += float(self.timing.reconfiguration[self.timing.fabric[self.link[pair]]])
            self.set_to[port] = self.link[pair]
        for r in self.resources(pair):
            self.busy.add(r)
            if what == "make":
                assert self.queue[r].pop(0) == ("make", pair)
        self.at(self.now + duration, "made", pair)


class PurifiedEvents(Events):
    """The simulation of events with purification: by recursion, and with spare communication qubits as resources."""

    def resources(self, pair: int) -> list[tuple[str, int]]:
        spare = [("spare", s) for s in self.t.order.spare[pair].tolist() if s >= 0]
        return [*super().resources(pair), *spare]

    def takes(self, pair: int) -> float:
        x, t = self.link[pair], self.timing
        if t.rounds[x] == 0:
            return super().takes(pair)
        self.draw = (self.tries[pair] + 1) << 32

        def u() -> float:
            self.draw += 1
            return uniform(self.seed, self.sample, pair, self.draw - 1)

        def raw() -> float:
            if t.kind[x] == 2:
                return -t.slot[x] * math.log(u())
            if t.kind[x] == 1 and t.probability[x] < 1:
                return t.slot[x] * max(1, math.ceil(math.log(u()) / math.log1p(-t.probability[x])))
            u()
            return float(t.slot[x])

        def level(k: int) -> float:
            if k == 0:
                return raw()
            total = 0.0
            while True:
                total += level(k - 1) + (level(k - 1) if t.nested[x] else raw()) + t.round_time[x]
                if u() <= t.success[x, k - 1]:
                    return total

        return level(int(t.rounds[x]))
