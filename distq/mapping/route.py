"""Routing of a whole program: where its qubits begin, the SWAPs, and the program on the places of its processors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.mapping.chart import Chart, chart
from distq.mapping.nodes import PAIR, TOUCH, Nodes, build_nodes
from distq.ops import NUM_PARAMS, Op
from distq.partition.plan import Plan
from distq.program.types import COMM, DATA, DistributedProgram

if TYPE_CHECKING:
    from distq.mapping.kernel import World

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

#: Starts, forward and backward passes from each, for each effort.
TRIALS = {"fast": (6, 3), "default": (16, 4), "best": (60, 5)}
#: Weights of the layers of nodes behind the blocked ones; starts take turns.
LAYERS = (np.array([1.0, 0.7, 0.5, 0.35, 0.25, 0.2]), np.array([0.5]), np.array([0.5, 0.5, 0.5, 0.5]))


@dataclass(frozen=True, eq=False)
class Mapping:
    """A routed program and what routing added.

    Attributes:
        program: on the places of the processors, with SWAPs.
        swaps: (k,) SWAPs in each module.
    """

    program: DistributedProgram
    swaps: Int64


def map_program(program: DistributedProgram, plan: Plan, *, effort: str = "default", seed: int = 0) -> Mapping:
    """Route a lowered program on the coupling maps of its modules.

    In a module with a coupling map, d[i] and c[j] are then the places at `data_positions[i]` and `comm_positions[j]`,
    every operation on two qubits is on an edge, and every Bell pair arrives at a free communication place; SWAPs move
    what the places hold. Modules without one stay as they are.

    Args:
        program: as `protocols.lower` returns it, in the order in which it was written, with gates on at most two
            qubits.
        plan: that it was lowered from.
        effort: how many starts are tried: "fast", "default" or "best".
        seed: of the starts and of ties.

    Raises:
        ValueError: a gate acts on three or more qubits.
    """
    places = chart(program.network)
    nodes = build_nodes(program, plan, places)
    actions, start, swaps = _search(nodes, places, *TRIALS[effort], seed)
    return Mapping(_Transcript(program, nodes, places, start).run(actions), swaps)


def _search(nodes: Nodes, places: Chart, starts: int, passes: int, seed: int) -> tuple[NDArray[Any], Int32, Int64]:
    """(actions, place of each token at the start, SWAPs in each module) of the best run found.

    Each start is refined by running forwards and backwards in turn, as SABRE does. Modules hardly depend on each other,
    so the best layout of each is put together at the end.
    """
    from distq.mapping.kernel import route
    from distq.mapping.layout import first_layouts

    forward, backward = _world(nodes, places), _world(nodes, places, backward=True)
    rng = np.array([seed * 2 + 1], np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
    k = len(places.data)
    least, best_layout = np.full(k, np.iinfo(np.int64).max), np.full(nodes.num_tokens, -1, np.int32)
    token_module = np.full(nodes.num_tokens, -1, np.int32)
    for token, module, _ in nodes.start:
        token_module[token] = module
    best: tuple[NDArray[Any], Int32, Int64] | None = None

    def run(layout: Int32, layers: NDArray[np.float64]) -> Int32:
        nonlocal best
        place = layout.copy()
        actions, swaps = route(forward, place, layers, rng)
        better = swaps < least
        least[better] = swaps[better]
        taken = (token_module >= 0) & better[token_module]
        best_layout[taken] = layout[taken]
        if best is None or swaps.sum() < best[2].sum():
            best = actions, layout, swaps
        return place

    for trial, layout in enumerate(first_layouts(nodes, places, starts, seed)):
        layers = LAYERS[trial % len(LAYERS)]
        for _ in range(passes):
            place = run(layout, layers)
            route(backward, place, layers, rng)
            layout = place
        run(layout, layers)
    for turn in range(2 * passes):
        run(best_layout.copy(), LAYERS[turn % len(LAYERS)])
    assert best is not None
    return best


def _world(nodes: Nodes, places: Chart, *, backward: bool = False) -> World:
    from distq.mapping.kernel import World

    number = len(nodes)
    before = np.repeat(np.arange(number, dtype=np.int32), np.diff(nodes.succ_offsets))
    after, settled = nodes.succ, nodes.settled
    if backward:
        before, after = after, before
        settled = np.zeros(nodes.num_tokens, np.bool_)
        settled[[token for token, _, _ in nodes.start]] = True
    sort = np.argsort(before, kind="stable")
    to_data = np.zeros(places.num_places, np.int16)
    for p in np.flatnonzero(places.is_comm).tolist():
        m = places.module[p]
        to_data[p] = places.distance[p, : places.data[m]].min()
    offsets, neighbours = places.neighbours
    waits = np.bincount(after, minlength=number)
    columns = (nodes.kind, nodes.m1, nodes.m2, nodes.t1, nodes.t2, nodes.strict, nodes.ends, waits, _meetings(nodes))
    return World(
        base=places.base,
        spot=np.stack([places.module, places.is_comm, to_data], axis=1).astype(np.int32),
        neighbour_offsets=offsets,
        neighbours=neighbours,
        distance=places.distance,
        node=np.stack(columns, axis=1).astype(np.int32),
        succ_offsets=np.searchsorted(before[sort], np.arange(number + 1)).astype(np.int32),
        succ=np.ascontiguousarray(after[sort]),
        settled=settled,
        backward=backward,
    )


def _meetings(nodes: Nodes) -> Int32:
    """(N,) for each pair the token that the copy which it brings meets first, else -1."""
    result = np.full(len(nodes), -1, np.int32)
    first: dict[int, int] = {}
    for n in np.flatnonzero((nodes.kind == TOUCH) | (nodes.kind == PAIR))[::-1].tolist():
        a, b = int(nodes.t1[n]), int(nodes.t2[n])
        if nodes.kind[n] == PAIR:
            result[n] = first.get(b, -1)
        else:
            first[a], first[b] = b, a
    return result


class _Transcript:
    """Writes the rows of a routed program."""

    def __init__(self, program: DistributedProgram, nodes: Nodes, places: Chart, start: Int32) -> None:
        self.program, self.nodes, self.places = program, nodes, places
        known = zip(program.qubit_module.tolist(), program.qubit_role.tolist(), program.qubit_index.tolist())
        self.physical = {place: q for q, place in enumerate(known)}
        self.of_place = [self._physical(p) for p in range(places.num_places)]
        self.place: list[int] = start.tolist()
        self.token = [-1] * places.num_places
        for t, p in enumerate(self.place):
            if p >= 0:
                self.token[p] = t
        #: Places that were measured and not reset since.
        self.used = [False] * places.num_places
        self.code: list[int] = []
        self.source: list[int] = []
        self.qubits: list[list[int]] = []

    def _physical(self, place: int) -> int:
        places = self.places
        m = int(places.module[place])
        index, data = place - int(places.base[m]), int(places.data[m])
        key = (m, DATA, index) if index < data else (m, COMM, index - data)
        return self.physical.setdefault(key, len(self.physical))

    def run(self, actions: NDArray[Any]) -> DistributedProgram:
        program, nodes = self.program, self.nodes
        inputs = self._ends(program.input_qubit, nodes.input_token)
        flat, offsets = program.qubits.tolist(), program.qubit_offsets.tolist()
        code, kinds = program.code.tolist(), nodes.kind.tolist()
        first, rows = nodes.row.tolist(), nodes.rows.tolist()
        ends = nodes.ends.tolist()
        for n, p, q in actions.tolist():
            if n < 0:
                if n == -1:
                    self._swap(p, q)
                continue
            row = first[n]
            if kinds[n] == PAIR:
                self._pair(n, row, p, q, flat[offsets[row] : offsets[row + 3]])
                continue
            for at in range(row, row + rows[n]):
                tokens = nodes.row_tokens[n]
                where = [self._at(t) for t in tokens] if tokens else flat[offsets[at] : offsets[at + 1]]
                self._row(code[at], at, where)
            if ends[n] >= 0:
                place = self.place[ends[n]]
                self.token[place], self.place[ends[n]], self.used[place] = -1, -1, True
        outputs = self._ends(program.output_qubit, nodes.output_token)
        return self._build(inputs, outputs)

    def _at(self, token: int) -> int:
        return self.of_place[self.place[token]]

    def _ends(self, qubits: Int32, tokens: Int32) -> Int32:
        """Physical qubits of inputs or outputs."""
        found = [self._at(t) if t >= 0 else q for q, t in zip(qubits.tolist(), tokens.tolist())]
        return np.array(found, np.int32)

    def _row(self, code: int, source: int, qubits: list[int]) -> None:
        self.code.append(code)
        self.source.append(source)
        self.qubits.append(qubits)

    def _swap(self, p: int, q: int) -> None:
        self._row(Op.SWAP, -1, [self.of_place[p], self.of_place[q]])
        a, b = self.token[p], self.token[q]
        self.token[p], self.token[q] = b, a
        for token, place in ((a, q), (b, p)):
            if token >= 0:
                self.place[token] = place
        self.used[p], self.used[q] = self.used[q], self.used[p]

    def _pair(self, n: int, row: int, near: int, far: int, wires: list[int]) -> None:
        """A Bell pair, the CX onto its near half, and the measurement of that."""
        halves, source, measured = wires[:2], wires[2], wires[4]
        held, born = self.nodes.row_tokens[n]
        renamed = {}
        for half in halves:
            place = near if half == measured else far
            if place < 0:
                continue
            if self.used[place]:
                self._row(Op.RESET, -1, [self.of_place[place]])
                self.used[place] = False
            renamed[half] = self.of_place[place]
        self._row(Op.EPR, row, [renamed.get(h, h) for h in halves])
        target = renamed.get(measured, measured)
        self._row(Op.CX, row + 1, [self._at(held) if held >= 0 else source, target])
        self._row(Op.MEASURE, row + 2, [target])
        if near >= 0:
            self.used[near] = True
        if far >= 0:
            self.place[born], self.token[far] = far, born

    def _build(self, inputs: Int32, outputs: Int32) -> DistributedProgram:
        program = self.program
        source = np.array(self.source, np.int64)
        old = np.where(source < 0, 0, source)
        added = source < 0
        lengths = np.where(added, 0, np.array(NUM_PARAMS)[program.code[old]])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.arange(offsets[-1]) + np.repeat(program.param_offsets[old] - offsets[:-1], lengths)
        columns: dict[str, Any] = {
            key: np.where(added, -1, getattr(program, key)[old]).astype(np.int32)
            for key in ("guard", "bit", "bit2", "link", "tag", "exchange")
        }
        table = np.array(list(self.physical), np.int32).reshape(-1, 3)
        return replace(
            program,
            code=np.array(self.code, np.uint8),
            qubit_offsets=np.concatenate([[0], np.cumsum([len(q) for q in self.qubits])]).astype(np.int64),
            qubits=np.array([q for qs in self.qubits for q in qs], np.int32),
            param_offsets=offsets,
            params=program.params[at],
            param_expr=program.param_expr[at],
            qubit_module=table[:, 0].copy(),
            qubit_role=table[:, 1].astype(np.uint8),
            qubit_index=table[:, 2].copy(),
            input_qubit=inputs,
            output_qubit=outputs,
            **columns,
        )


__all__ = ["TRIALS", "Mapping", "map_program"]
