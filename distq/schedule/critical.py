"""The chain of things that the makespan waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distq.ops import Op
from distq.schedule.result import GATES, MESSAGES, PAIRS, WAITING, Segment

if TYPE_CHECKING:
    from distq.schedule.result import Timeline


def critical_path(timeline: Timeline) -> tuple[Segment, ...]:
    """Segments without gaps from time 0 to the makespan."""
    return _Walk(timeline).run()


class _Walk:
    def __init__(self, timeline: Timeline) -> None:
        self.timeline, self.graph, self.order = timeline, timeline.graph, timeline.order
        self.start, self.end = self.order.start, self.order.end
        self.before = {**self._previous(self.order.generator), **self._previous(self.order.port, 1)}

    def _previous(self, resource: np.ndarray, side: int = 0) -> dict[tuple[int, int], int]:
        """The pair before each pair on its generator or port, by the time of its start."""
        pairs = self.graph.pairs[resource[self.graph.pairs] >= 0]
        pairs = pairs[np.lexsort((self.end[pairs], self.start[pairs], resource[pairs]))]
        same = resource[pairs[1:]] == resource[pairs[:-1]]
        return {(int(b), side): int(a) for a, b, s in zip(pairs[:-1], pairs[1:], same) if s}

    def run(self) -> tuple[Segment, ...]:
        if not len(self.end):
            return ()
        node = int(np.argmax(self.end))
        result: list[Segment] = []
        while node >= 0:
            if self.end[node] > self.start[node]:
                result.append(self._segment(node))
            begin = float(self.start[node])
            node = self._cause(node)
            gap = float(self.end[node]) if node >= 0 else 0.0
            if gap < begin:
                result.append(Segment(WAITING, gap, begin, -1, "", "requested later on purpose"))
            elif gap > begin:
                # A pair was bound to the start of this node: the path goes on from there.
                result.append(Segment(WAITING, float(self.start[node]), begin, -1, "", "requested later on purpose"))
                begin = float(self.start[node])
                node = self._cause(node)
                gap = float(self.end[node]) if node >= 0 else 0.0
        return tuple(s for s in reversed(result) if s.end > s.start)

    def _cause(self, node: int) -> int:
        """What ended as this node began; else the node that a pair's request was bound to; -1 at the beginning."""
        candidates = self.graph.predecessors(node)
        candidates += [self.before[node, side] for side in (0, 1) if (node, side) in self.before]
        best = max(candidates, key=lambda p: (self.end[p], -p), default=-1)
        if best >= 0 and self.end[best] == self.start[node]:
            return best
        anchor = int(self.order.anchor[node])
        return anchor if anchor >= 0 else best

    def _segment(self, node: int) -> Segment:
        program = self.graph.program
        names = [m.name for m in program.network.modules]
        start, end = float(self.start[node]), float(self.end[node])
        if node >= len(program):
            module = names[int(program.qubit_module[self.graph.applied[node]])]
            return Segment(GATES, start, end, -1, module, "correction")
        code = int(program.code[node])
        if code == Op.EPR:
            link = program.network.links[int(program.link[node])]
            return Segment(PAIRS, start, end, node, f"{link.a} - {link.b}", "Bell pair")
        if code == Op.SEND:
            a, b = program.bit_module[program.bit[node]], program.bit_module[program.bit2[node]]
            return Segment(MESSAGES, start, end, node, f"{names[a]} to {names[b]}", "message")
        module = names[int(program.qubit_module[program.qubits[program.qubit_offsets[node]]])]
        return Segment(GATES, start, end, node, module, Op(code).name.lower())
