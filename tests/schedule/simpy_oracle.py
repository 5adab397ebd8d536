"""An oracle for the replay: processes in simpy for operations, messages and pairs, with generators and ports in turn.

It takes from the scheduler nothing but the planned order on generators and ports, the delays of requests, and which
random number belongs to which try of a pair. What waits for what is read from the program itself where corrections are
carried out at once and pairs are requested ahead; else it is that of the task graph (`test_frames` tests it).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import simpy

from distq.ops import Op
from distq.schedule.result import Timeline

MASK = 2**64 - 1


def uniform(seed: int, sample: int, pair: int, attempt: int) -> float:
    """SplitMix64 in plain integers."""
    x = seed
    for word in (0, sample, pair, attempt):
        x = ((x ^ word) + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        x ^= x >> 31
    return ((x >> 11) + 1) / 2**53


def waits(t: Timeline) -> list[list[int]]:
    """For each node the nodes that must end before."""
    if t.graph.frames or t.policy != "ahead":
        return [t.graph.predecessors(n) for n in range(t.graph.num_nodes)]
    program, known = t.program, {}
    last: dict[int, int] = {}
    result: list[list[int]] = []
    for row, code in enumerate(program.code.tolist()):
        qubits = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
        before = [last[q] for q in qubits if q in last]
        before += [known[bit] for bit, _ in (program.guards[program.guard[row]] if program.guard[row] >= 0 else ())]
        if code == Op.SEND:
            before.append(known[int(program.bit[row])])
            known[int(program.bit2[row])] = row
        elif code == Op.MEASURE:
            known[int(program.bit[row])] = row
        last.update(dict.fromkeys(qubits, row))
        result.append(before)
    return result


class Turns:
    """A generator or a port: what it does in the planned order, one thing at a time."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.server = simpy.PriorityResource(env)
        #: ("make" or "use", pair), in the planned order, and the event that it is over.
        self.things: list[tuple[str, int]] = []
        self.over: dict[tuple[str, int], simpy.Event] = {}
        self.setting = -1

    def add(self, thing: tuple[str, int]) -> None:
        self.things.append(thing)
        self.over[thing] = self.env.event()


class Simulation:
    """One sample of a timeline; `run` gives the makespan."""

    def __init__(self, t: Timeline, seed: int, sample: int) -> None:
        self.t, self.seed, self.sample = t, seed, sample
        self.env = simpy.Environment()
        graph, order = t.graph, t.order
        self.link, self.user = graph.link.tolist(), order.user.tolist()
        self.age = [float(graph.timing.max_age[x]) if x >= 0 else math.inf for x in self.link]
        self.waits = waits(t)
        nodes = range(graph.num_nodes)
        self.start, self.end = [math.nan] * len(nodes), [math.nan] * len(nodes)
        self.started = [self.env.event() for _ in nodes]
        #: Of a pair: it was made for the first time. Of anything else: it has ended.
        self.done = [self.env.event() for _ in nodes]
        #: Of a pair: it is there now.
        self.there = [self.env.event() for _ in nodes]
        self.alive = [False] * len(nodes)
        self.discarded = 0
        self.pairs = [n for n in nodes if self.link[n] >= 0]
        self.mortal = {p for p in self.pairs if self.user[p] >= 0 and math.isfinite(self.age[p])}
        self.used = defaultdict(list)
        for p in sorted(self.mortal):
            self.used[self.user[p]].append(p)
        #: Nodes that use the other half of a mortal pair, and not before its first user.
        self.seconds = defaultdict(set)
        for p in self.mortal:
            for other in set(graph.touch[p].tolist()) - {self.user[p], -1}:
                self.seconds[other].add(self.user[p])
        self.turns: dict[tuple[str, int], Turns] = defaultdict(lambda: Turns(self.env))
        for n in order.order.tolist():
            for thing in [("make", n)] if self.link[n] >= 0 else [("use", p) for p in self.used[n]]:
                for place in self.places(thing[1]):
                    place.add(thing)

    def places(self, pair: int) -> list[Turns]:
        port = int(self.t.order.port[pair])
        found = [self.turns["generator", int(self.t.order.generator[pair])]]
        return found + ([self.turns["port", port]] if port >= 0 else [])

    def run(self) -> float:
        for n in range(self.t.graph.num_nodes):
            self.env.process(self.pair(n) if self.link[n] >= 0 else self.operation(n))
        self.env.run()
        assert not any(map(math.isnan, self.end)), "something never happened"
        return max(self.end, default=0.0)

    def operation(self, n: int) -> Iterator[Any]:
        """A gate, a measurement, a message, or a join of frames."""
        yield self.env.all_of([self.done[p] for p in self.waits[n]])
        yield self.env.all_of([self.started[u] for u in self.seconds[n]])
        # Pairs that it uses first must be there at the same time.
        while missing := [p for p in self.used[n] if not self.alive[p]]:
            yield self.env.all_of([self.there[p] for p in missing])
        self.start[n] = self.env.now
        self.started[n].succeed()
        for p in self.used[n]:
            for place in self.places(p):
                place.over["use", p].succeed()
        yield self.env.timeout(float(self.t.graph.duration[n]))
        self.end[n] = self.env.now
        self.done[n].succeed()

    def pair(self, p: int) -> Iterator[Any]:
        """A pair is requested, generated, kept, and generated again while it dies before it is used."""
        places = self.places(p)
        yield self.env.all_of([self.done[q] for q in self.waits[p]])
        anchor, lag = int(self.t.order.anchor[p]), float(self.t.order.lag[p])
        if anchor >= 0:
            yield self.started[anchor]
        if anchor != -1:
            at = lag + (self.start[anchor] if anchor >= 0 else 0.0)
            if at > self.env.now:
                yield self.env.timeout(at - self.env.now)
        yield from self.turn(("make", p), places)
        yield from self.generate(p, places, 0)
        for place in places:
            place.over["make", p].succeed()
        self.done[p].succeed()
        tries = 1
        while p in self.mortal:
            begin = self.env.now
            yield self.env.any_of([self.started[self.user[p]], self.env.timeout(self.age[p] * (1 + 1e-9))])
            if self.started[self.user[p]].triggered:
                return
            self.alive[p], self.there[p] = False, self.env.event()
            self.discarded += 1
            yield from self.turn(("use", p), places)
            yield from self.generate(p, places, tries, begin + self.age[p])
            tries += 1

    def turn(self, thing: tuple[str, int], places: list[Turns]) -> Iterator[Any]:
        """Wait until all that is planned before is over, but for other uses by the same operation."""
        for place in places:
            for what, pair in place.things[: place.things.index(thing)]:
                if not (thing[0] == what == "use" and self.user[pair] == self.user[thing[1]]):
                    yield place.over[what, pair]

    def generate(self, p: int, places: list[Turns], tries: int, urgency: float = 0.0) -> Iterator[Any]:
        requests = [place.server.request(priority=urgency) for place in places]
        yield self.env.all_of(requests)
        self.start[p] = self.env.now
        duration = self.takes(p, tries)
        for place in places[1:]:
            if place.setting not in (-1, self.link[p]):
                timing = self.t.graph.timing
                duration += float(timing.reconfiguration[timing.fabric[self.link[p]]])
            place.setting = self.link[p]
        yield self.env.timeout(duration)
        self.end[p] = self.env.now
        for place, request in zip(places, requests):
            place.server.release(request)
        self.alive[p] = True
        self.there[p].succeed()

    def takes(self, p: int, tries: int) -> float:
        timing, x = self.t.graph.timing, self.link[p]
        u = uniform(self.seed, self.sample, p, tries)
        if timing.kind[x] == 2:
            return -float(timing.slot[x]) * math.log(u)
        if timing.kind[x] == 1 and timing.probability[x] < 1:
            return float(timing.slot[x]) * max(1, math.ceil(math.log(u) / math.log1p(-timing.probability[x])))
        return float(timing.slot[x])
