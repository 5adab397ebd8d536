"""Gates under quantum control, and which rows of V D V^-1 need no control (or no guard)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.one_qubit import of_gate, quaternion
from distq.circuit.rows import MCP, PARITY, PI, RX, RY, RZ, SX, SXDG, H, P, Row, Rows, U, is_multiple, number
from distq.ops import Op

#: Inverses of the gates without parameters.
INVERSE = {int(o): int(o) for o in (Op.H, Op.X, Op.Y, Op.Z)}
for _a, _b in ((Op.S, Op.SDG), (Op.T, Op.TDG), (Op.SX, Op.SXDG)):
    INVERSE[int(_a)] = int(_b)
    INVERSE[int(_b)] = int(_a)
_TURNS = (P, RX, RY, RZ)

Gate1 = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True)
class Diagonalised:
    """A one-qubit unitary V D V^-1: `before` are the gates of V^-1, `after` those of V, in time order.

    D = diag(1, exp(i angle)) if `phase` is None, else exp(i phase) RZ(angle).
    """

    angle: Any
    phase: Any = None
    before: tuple[Gate1, ...] = ()
    after: tuple[Gate1, ...] = ()

    def emit(self, rows: Rows, controls: Sequence[int], target: int) -> None:
        """Append the gate with one or more controls."""
        for code, params in self.before:
            rows.one(code, target, params)
        both = (*controls, target)
        angle, phase = self.angle, self.phase
        if phase is None:
            rows.mcp(both, angle)
        elif len(controls) == 1:
            rows.mcp(controls, phase)
            rows.parity((target,), angle / 2)
            rows.parity(both, -angle / 2)
        else:
            rows.mcp(both, angle)
            rows.mcp(controls, phase - angle / 2)
        for code, params in self.after:
            rows.one(code, target, params)


_FRAME_X: tuple[tuple[Gate1, ...], tuple[Gate1, ...]] = (((H, ()),), ((H, ()),))
_FRAME_Y: tuple[tuple[Gate1, ...], tuple[Gate1, ...]] = (((SX, ()),), ((SXDG, ()),))
_FRAME_H: tuple[tuple[Gate1, ...], tuple[Gate1, ...]] = (((RY, (-PI / 4,)),), ((RY, (PI / 4,)),))

_NAMED: dict[int, Diagonalised] = {
    int(Op.X): Diagonalised(PI, None, *_FRAME_X),
    int(Op.Y): Diagonalised(PI, None, *_FRAME_Y),
    int(Op.Z): Diagonalised(PI),
    int(Op.H): Diagonalised(PI, None, *_FRAME_H),
    int(Op.S): Diagonalised(PI / 2),
    int(Op.SDG): Diagonalised(-PI / 2),
    int(Op.T): Diagonalised(PI / 4),
    int(Op.TDG): Diagonalised(-PI / 4),
    int(Op.SX): Diagonalised(PI / 2, None, *_FRAME_X),
    int(Op.SXDG): Diagonalised(-PI / 2, None, *_FRAME_X),
}


def frame_of_axis(x: float, y: float, z: float) -> tuple[tuple[Gate1, ...], tuple[Gate1, ...]]:
    """(V^-1, V) as gates with V Z V^-1 = x X + y Y + z Z, for a unit vector."""
    eps = 1e-12
    if abs(x) < eps and abs(y) < eps:
        return ((), ()) if z > 0 else (((int(Op.X), ()),), ((int(Op.X), ()),))
    theta, phi = math.atan2(math.hypot(x, y), z), math.atan2(y, x)
    if abs(z) < eps and abs(y) < eps and x > 0:
        return _FRAME_X
    if abs(z) < eps and abs(x) < eps and y > 0:
        return _FRAME_Y
    if abs(y) < eps:
        theta = theta if x > 0 else -theta
        return (((RY, (-theta,)),), ((RY, (theta,)),))
    return (((U, (-theta, 0.0, -phi)),), ((U, (theta, phi, 0.0)),))


def diagonalise_matrix(matrix: NDArray[np.complex128]) -> Diagonalised:
    """Diagonalise a 2x2 unitary, with a phase gate in the middle where one eigenvalue is one."""
    return diagonalise_quaternion(*quaternion(matrix))


def diagonalise_quaternion(phase: float, w: float, x: float, y: float, z: float, zero: float = 1e-12) -> Diagonalised:
    """The same for exp(i phase) (w - i (x X + y Y + z Z)); a rotation by less than `zero` [rad] is none."""
    length = math.hypot(x, y, z)
    if length <= zero / 2:
        return Diagonalised(0.0, phase if w > 0 else phase + PI)
    # The axis with its first nonzero component of (z, x, y) positive.
    small = 1e-12 * length
    lead = z if abs(z) > small else (x if abs(x) > small else y)
    sign = 1.0 if lead > 0 else -1.0
    angle = 2 * math.atan2(sign * length, w)
    before, after = frame_of_axis(sign * x / length, sign * y / length, sign * z / length)
    if is_multiple(phase - angle / 2, 2 * PI):
        return Diagonalised(phase + angle / 2, None, before, after)
    return Diagonalised(angle, phase, before, after)


def diagonalise(code: int, params: Sequence[Any]) -> Diagonalised | None:
    """Diagonalise a one-qubit row; None for a U whose axis depends on a symbolic angle."""
    if code in _NAMED:
        return _NAMED[code]
    params = [number(p) for p in params]
    if code == P:
        return Diagonalised(params[0])
    if code == RZ:
        return Diagonalised(params[0], 0.0)
    if code == RX:
        return Diagonalised(params[0], 0.0, *_FRAME_X)
    if code == RY:
        return Diagonalised(params[0], 0.0, *_FRAME_Y)
    theta, phi, lam = params
    if theta == 0.0:
        return Diagonalised(phi + lam)
    if all(type(p) is float for p in params):
        # The quaternion is right to the last bits however small theta is.
        return diagonalise_quaternion((phi + lam) / 2, *of_gate(U, theta, phi, lam), zero=0.0)
    if is_multiple(number(phi + lam), 4 * PI):
        return Diagonalised(theta, 0.0, ((P, (lam,)), (SX, ())), ((SXDG, ()), (P, (-lam,))))
    return None


def control_one(rows: Rows, controls: Sequence[int], target: int, code: int, params: Sequence[Any]) -> None:
    """Append a one-qubit gate with controls (all on 1)."""
    found = diagonalise(code, params)
    if found is not None:
        found.emit(rows, controls, target)
        return
    # U(theta, phi, lam) with symbolic angles is P(d) e^{is} (RZ(s) RY(theta/2)) X (RY(-theta/2) RZ(-s)) X P(-d).
    theta, phi, lam = params
    s, d = (phi + lam) / 2, (phi - lam) / 2
    rows.turn(P, target, -d)
    _control_x(rows, controls, target)
    rows.turn(RZ, target, -s)
    rows.turn(RY, target, -theta / 2)
    _control_x(rows, controls, target)
    rows.turn(RY, target, theta / 2)
    rows.turn(RZ, target, s)
    rows.turn(P, target, d)
    rows.mcp(controls, s)


def _control_x(rows: Rows, controls: Sequence[int], target: int) -> None:
    _NAMED[int(Op.X)].emit(rows, controls, target)


def control_rows(rows: Rows, controls: Sequence[int], body: Sequence[Row], phase: Any) -> None:
    """Append exp(i phase) times the unitary rows `body` under controls (all on 1).

    Rows that cancel in pairs around the middle when that is absent need no control.
    """
    free = conjugations(body, max_width=1 << 30)
    for index, (code, qubits, params) in enumerate(body):
        if index in free:
            rows.row(code, qubits, params)
        elif code == MCP:
            rows.mcp((*controls, *qubits), params[0])
        elif code == PARITY:
            _control_parity(rows, controls, qubits, params[0])
        else:
            control_one(rows, controls, qubits[0], code, params)
    rows.mcp(tuple(controls), phase)


def _control_parity(rows: Rows, controls: Sequence[int], qubits: Sequence[int], angle: Any) -> None:
    if len(controls) <= 2:
        # The projector on 1...1 is a sum of 2^k parities.
        share = angle / 2 ** len(controls)
        for subset in range(1 << len(controls)):
            chosen = [c for k, c in enumerate(controls) if subset >> k & 1]
            rows.parity((*chosen, *qubits), -share if len(chosen) % 2 else share)
        return
    last = qubits[-1]
    for qubit in qubits[:-1]:
        rows.cx(qubit, last)
    rows.mcp((*controls, last), angle)
    rows.mcp(tuple(controls), -angle / 2)
    for qubit in reversed(qubits[:-1]):
        rows.cx(qubit, last)


def are_inverse(a: Row, b: Row) -> bool:
    """Whether two unitary rows on the same wires multiply to the identity, exactly."""
    code = a[0]
    if code in INVERSE:
        return b[0] == INVERSE[code]
    if b[0] != code:
        return False
    if code == U:
        (t, p, m), (t2, p2, m2) = a[2], b[2]
        return bool(t2 == -t and p2 == -m and m2 == -p)
    if code == MCP and a[2][0] == PI:
        return bool(b[2][0] == PI)
    return bool(a[2][0] == -b[2][0]) if code in _TURNS or code in (MCP, PARITY) else False


@dataclass
class _Line:
    """What is left of one wire: rows from `low` to `high`."""

    rows: list[int] = field(default_factory=list)
    low: int = 0
    high: int = -1


def conjugations(body: Sequence[Row], max_width: int = 1) -> set[int]:
    """Rows of V and V^-1 where `body` has the shape V D V^-1: they cancel exactly when the other rows are absent.

    Args:
        body: rows in order.
        max_width: rows on more wires than this are never returned.
    """
    lines: dict[int, _Line] = {}
    for index, (_, qubits, _) in enumerate(body):
        for q in qubits:
            line = lines.setdefault(q, _Line())
            line.rows.append(index)
            line.high += 1
    found: set[int] = set()
    _match_ends(body, lines, max_width, found)
    # Then the one-qubit gates next to each remaining row, those on several wires first.
    for index in sorted(range(len(body)), key=lambda k: len(body[k][1]) < 2):
        if index in found:
            continue
        for q in body[index][1]:
            _match_neighbours(body, lines[q], index, found)
    return found


def _match_ends(body: Sequence[Row], lines: dict[int, _Line], max_width: int, found: set[int]) -> None:
    """Match the first and last rows of the wires, as long as that goes."""
    todo = list(lines)
    while todo:
        line = lines[todo.pop()]
        if line.low >= line.high:
            continue
        first, last = line.rows[line.low], line.rows[line.high]
        qubits = body[first][1]
        if len(qubits) > max_width or set(qubits) != set(body[last][1]):
            continue
        touched = [lines[q] for q in qubits]
        exposed = all(t.rows[t.low] == first and t.rows[t.high] == last for t in touched)
        if not exposed or not are_inverse(body[first], body[last]):
            continue
        found.update((first, last))
        for t in touched:
            t.low += 1
            t.high -= 1
        todo.extend(qubits)


def _match_neighbours(body: Sequence[Row], line: _Line, index: int, found: set[int]) -> None:
    """Match one-qubit gates on one wire around a row, from the inside to the outside."""
    here = bisect_left(line.rows, index)
    left, right = here - 1, here + 1
    while left >= line.low and right <= line.high:
        a, b = line.rows[left], line.rows[right]
        if a in found or b in found or len(body[a][1]) > 1 or len(body[b][1]) > 1:
            return
        if not are_inverse(body[a], body[b]):
            return
        found.update((a, b))
        left -= 1
        right += 1
