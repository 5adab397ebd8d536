"""Where the rows of a circuit come from: the path of every instruction, and witnesses for gates read in our own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import Rewrite, WitnessRow
from distq.circuit.rows import MCP, PARITY

Path = tuple[int, ...]

#: Standard gates that another reader may well turn into other rows.
OWN_WAY = frozenset({"iswap", "dcx", "ecr", "xx_plus_yy", "xx_minus_yy", "cu", "cu3"})


def is_understood(operation: Any, rows: Sequence[WitnessRow]) -> bool:
    """Whether anyone who reads the operation comes to these rows: controlled one-qubit gates and rotations do."""
    from qiskit.circuit import AnnotatedOperation, ControlledGate
    from qiskit.circuit.library import PauliEvolutionGate, PermutationGate

    wide = [r for r in rows if r[0] in (MCP, PARITY)]
    if isinstance(operation, (ControlledGate, AnnotatedOperation)):
        return _acts_on_one(operation) and _is_controlled(wide, operation.num_qubits - 1)
    if isinstance(operation, PauliEvolutionGate):
        return len(wide) <= 1
    # Whoever reads a permutation finds nothing but exchanges of qubits.
    return isinstance(operation, PermutationGate) and not wide


def _acts_on_one(operation: Any) -> bool:
    """Whether this is a gate with a matrix on one qubit, under any number of controls."""
    from qiskit.circuit import AnnotatedOperation, ControlledGate

    if isinstance(operation, AnnotatedOperation):
        powers = [m.power for m in operation.modifiers if hasattr(m, "power")]
        return all(float(p).is_integer() for p in powers) and _acts_on_one(operation.base_op)
    if isinstance(operation, ControlledGate):
        plain = operation.num_qubits == operation.num_ctrl_qubits + operation.base_gate.num_qubits
        return plain and _acts_on_one(operation.base_gate)
    return operation.num_qubits == 1 and hasattr(operation, "__array__")


def _is_controlled(wide: Sequence[WitnessRow], controls: int) -> bool:
    """One gate on controls and target, and at most one on all controls."""
    sizes = [len(qubits) for _, qubits, _ in wide]
    return sizes in ([], [controls + 1], [controls + 1, controls], [controls, controls + 1], [controls])


@dataclass
class Origins:
    """What is noted on a walk over a circuit.

    Attributes:
        marks: for each instruction visited, whether it has rows or not, the number of rows before it.
        segments: (number of marks before, path of the circuit, position of its first instruction) for each stretch
            of instructions of one circuit.
        repeats: whether some instructions are visited more than once.
    """

    marks: list[int] = field(default_factory=list)
    segments: list[tuple[int, Path, int]] = field(default_factory=list)
    repeats: bool = False
    _witnesses: list[tuple[int, int, int, tuple[WitnessRow, ...], tuple[tuple[int, int], ...]]] = field(
        default_factory=list
    )

    def enter(self, path: Path, position: int = 0) -> None:
        """The next instruction visited is number `position` of the circuit with this path."""
        self.segments.append((len(self.marks), path, position))

    def witness(
        self, start: int, stop: int, rows: Sequence[WitnessRow], before: Sequence[int], after: Sequence[int]
    ) -> None:
        """The last instruction became the rows from `start` to `stop`; the wires of its qubits `before` and `after`."""
        swaps = tuple(_exchanges(before, after))
        self._witnesses.append((len(self.marks) - 1, start, stop, tuple(rows), swaps))

    def columns(self, num_rows: int) -> tuple[NDArray[np.int32], tuple[Path, ...], tuple[Rewrite, ...]]:
        """`origin`, `paths` and `rewrites` of the circuit."""
        count = len(self.marks)
        number = np.arange(count, dtype=np.int32)
        paths: list[Path] = []
        if len(self.segments) > 1:
            ends = [s[0] for s in self.segments[1:]] + [count]
            for (start, path, first), end in zip(self.segments, ends):
                paths += [(*path, k) for k in range(first, first + end - start)]
        if self.repeats:
            known: dict[Path, int] = {}
            number = np.array([known.setdefault(p, len(known)) for p in paths], np.int32)
            paths = list(known)
        marks: NDArray[np.int64] = np.array([*self.marks, num_rows], np.int64)
        origin = np.repeat(number, marks[1:] - marks[:-1])
        rewrites: dict[Rewrite, int] = {}
        for mark, start, stop, rows, swaps in self._witnesses:
            rewrite = Rewrite((int(number[mark]),), rows, swaps)
            origin[start:stop] = -1 - rewrites.setdefault(rewrite, len(rewrites))
        return origin, tuple(paths), tuple(rewrites)


def _exchanges(before: Sequence[int], after: Sequence[int]) -> list[tuple[int, int]]:
    """SWAP gates, one after the other, after which what was on wire after[i] is on wire before[i]."""
    now = {w: w for w in before}
    result = []
    for wire, wanted in zip(before, after):
        if now[wire] != wanted:
            other = next(w for w, held in now.items() if held == wanted)
            now[wire], now[other] = now[other], now[wire]
            result.append((wire, other))
    return result
