"""What waits for what in a program: the graph that schedules, bounds and replays share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.ops import Op
from distq.program.check import flatten_guards
from distq.program.types import DistributedProgram

if TYPE_CHECKING:
    from distq.circuit.logical import LogicalCircuit
    from distq.schedule.timing import Timing

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
#: Classes of angles: the gate is a Pauli (or nothing), another Clifford gate, anything else.
PAULI, CLIFFORD, GENERIC = 0, 1, 2
#: An angle this near to a multiple of a quarter turn is one.
_EXACT = 1e-9


@dataclass(frozen=True, eq=False)
class TaskGraph:
    """Nodes with durations, and edges along which they wait for each other.

    Node i below `len(program)` is row i of the program. The others are joins of Pauli frames (no duration), and
    corrections that are carried out (on the qubit in `applied`).

    Attributes:
        program, timing: what is scheduled, and how long it takes.
        frames: whether corrections are tracked as Pauli frames.
        duration: (nodes,) mean durations.
        applied: (nodes,) physical qubit of a correction that is carried out, else -1.
        topo: (nodes,) an order in which sources of edges come first.
        touch: (N, 2) for Bell pairs the first node on each half afterwards, in the order of `topo`; else -1.
        pred_offsets, preds, succ_offsets, succs: edges from both sides.
    """

    program: DistributedProgram
    timing: Timing
    frames: bool
    duration: Float64
    applied: Int64
    topo: Int64
    touch: Int64
    pred_offsets: Int64
    preds: Int64
    succ_offsets: Int64
    succs: Int64

    @property
    def num_nodes(self) -> int:
        """Rows and further nodes."""
        return len(self.duration)

    @cached_property
    def link(self) -> Int64:
        """(nodes,) link of a Bell pair, else -1."""
        result = np.full(self.num_nodes, -1, np.int64)
        result[: len(self.program)] = self.program.link
        return result

    @cached_property
    def pairs(self) -> Int64:
        """Nodes that are Bell pairs, in the order of the program."""
        return np.flatnonzero(self.program.code == Op.EPR)

    @cached_property
    def paths(self) -> tuple[Float64, Float64]:
        """(earliest start, longest path from the start of each node to the end) with unlimited resources."""
        from distq.schedule.graph_kernel import longest_paths

        return longest_paths(self.duration, self.topo, self.pred_offsets, self.preds, self.succ_offsets, self.succs)

    def predecessors(self, node: int) -> list[int]:
        """What a node waits for."""
        return self.preds[self.pred_offsets[node] : self.pred_offsets[node + 1]].tolist()

    def with_edges(self, source: Any, target: Any) -> TaskGraph:
        """The graph with further edges, along which the order `topo` need not hold."""
        from dataclasses import replace

        old = np.repeat(np.arange(self.num_nodes), np.diff(self.pred_offsets))
        src = np.concatenate([self.preds, np.asarray(source, np.int64)])
        dst = np.concatenate([old, np.asarray(target, np.int64)])
        return replace(self, **_both_sides(src, dst, self.num_nodes))


def task_graph(program: DistributedProgram, timing: Timing, frames: bool = True) -> TaskGraph:
    """The graph of a program in canonical order; `frames`: corrections are tracked, not carried out at once."""
    from distq.schedule import graph_kernel

    guard_offsets, guard_bits = flatten_guards(program)
    n, legs = len(program), len(program.qubits)
    references = int(np.diff(guard_offsets)[program.guard[program.guard >= 0]].sum())
    outputs = np.unique(program.output_qubit).astype(np.int64)
    most = 3 * legs + 2 * n + len(outputs) + 8
    src, dst, duration, applied, topo, touch = graph_kernel.task_graph(
        program.code,
        program.qubit_offsets,
        program.qubits,
        angle_classes(program),
        program.guard,
        guard_offsets,
        guard_bits,
        program.bit,
        program.bit2,
        timing.of_rows(program),
        timing.one_qubit[program.qubit_module],
        outputs,
        program.num_bits,
        most,
        3 * most + 3 * legs + 2 * references + 2 * n + 8,
        frames,
    )
    sides = _both_sides(src, dst, len(duration))
    return TaskGraph(program, timing, frames, duration, applied, topo, touch, **sides)


def _both_sides(src: Int64, dst: Int64, nodes: int) -> dict[str, Any]:
    by_target, by_source = np.argsort(dst, kind="stable"), np.argsort(src, kind="stable")
    return {
        "pred_offsets": np.searchsorted(dst[by_target], np.arange(nodes + 1)).astype(np.int64),
        "preds": src[by_target],
        "succ_offsets": np.searchsorted(src[by_source], np.arange(nodes + 1)).astype(np.int64),
        "succs": dst[by_source],
    }


def angle_classes(program: DistributedProgram | LogicalCircuit) -> NDArray[np.int64]:
    """(N,) whether each rotation is a Pauli, another Clifford gate, or anything else."""
    result = np.full(len(program), GENERIC, np.int64)
    code, size = program.code, np.diff(program.qubit_offsets)
    rows = np.flatnonzero(np.isin(code, (Op.P, Op.RX, Op.RY, Op.RZ, Op.MCP, Op.PARITY)))
    at = program.param_offsets[rows]
    known = program.param_expr[at] < 0
    rows, angle = rows[known], program.params[at[known]]
    # A controlled phase is Clifford at half turns, on three or more qubits only where it is nothing.
    step = np.where(code[rows] != Op.MCP, np.pi / 2, np.where(size[rows] == 2, np.pi, 2 * np.pi))
    turns = angle / step
    nearest = np.round(turns)
    exact = np.abs(turns - nearest) < _EXACT
    odd = np.abs(nearest % 2) == 1
    odd &= ~((code[rows] == Op.MCP) & (size[rows] > 2))
    result[rows[exact]] = np.where(odd, CLIFFORD, PAULI)[exact]
    return result


__all__ = ["CLIFFORD", "GENERIC", "PAULI", "TaskGraph", "angle_classes", "task_graph"]
