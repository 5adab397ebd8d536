"""A growing list of rows in normal form, and the primitives that append to it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from distq.ops import NUM_PARAMS, Op

PI = math.pi
#: Computed angles closer than this to a special value are taken to be that value [rad].
ANGLE_TOLERANCE = 1e-12

#: One row as a tuple: code, wires, parameters (numbers or Qiskit ParameterExpressions).
Row = tuple[int, tuple[int, ...], tuple[Any, ...]]

H, X, Z, S, SDG = int(Op.H), int(Op.X), int(Op.Z), int(Op.S), int(Op.SDG)
SX, SXDG, U = int(Op.SX), int(Op.SXDG), int(Op.U)
P, RX, RY, RZ = int(Op.P), int(Op.RX), int(Op.RY), int(Op.RZ)
MCP, PARITY = int(Op.MCP), int(Op.PARITY)
_CX = bytes((H, MCP, H))


def number(value: Any) -> Any:
    """`value` as a float where it is a number, unchanged where it is a ParameterExpression with free parameters."""
    if type(value) is float:
        return value
    free = getattr(value, "parameters", None)
    if free:
        return value
    if free is not None:  # a ParameterExpression in which everything is bound
        value = value.numeric()
    if isinstance(value, complex):
        if value.imag != 0.0:
            return math.nan
        value = value.real
    return float(value)


def is_multiple(angle: Any, period: float, offset: float = 0.0) -> bool:
    """Whether `angle` is a number and `offset` modulo `period`; never for a symbolic angle."""
    if type(angle) is not float or not math.isfinite(angle):
        return False
    return abs(math.remainder(angle - offset, period)) < ANGLE_TOLERANCE


def _vanishes(angle: Any, offset: float = 0.0) -> bool:
    """Whether a given angle is `offset` modulo 2 pi to the last bits, however small it is: pi/2**100 is not zero."""
    if type(angle) is not float or not math.isfinite(angle):
        return False
    return abs(math.remainder(angle - offset, 2 * PI)) <= 8 * sys.float_info.epsilon * abs(angle)


class Rows:
    """Columns that grow: codes, wires and parameters of rows in normal form, and the exact global phase.

    Rows for a gate equal that gate exactly when multiplied by exp(i * phase gained), so that they may be controlled.
    SWAP is three CX here; `Walker` makes it a relabelling where that is allowed.
    """

    #: Whether `swap` costs nothing.
    free_swaps = False
    #: Whether gates may be read as what is left of them after a free SWAP.
    mirrors = True

    def __init__(self) -> None:
        self.code = bytearray()
        self.qubits: list[int] = []
        self.params: list[float] = []
        #: Number of qubits of the rows on three or more.
        self.wide: dict[int, int] = {}
        #: Symbolic parameters by position in `params`.
        self.symbols: dict[int, Any] = {}
        self.phase: Any = 0.0

    def __len__(self) -> int:
        return len(self.code)

    @property
    def mirrored(self) -> bool:
        """Whether a gate may be read as a cheaper one and a SWAP that costs nothing (an iSWAP as a CZ)."""
        return self.mirrors and self.free_swaps

    def gate(self, code: int, qubit: int) -> None:
        """Append a one-qubit gate without parameters."""
        self.code.append(code)
        self.qubits.append(qubit)

    def angle(self, value: Any) -> None:
        """Append a parameter of the last row."""
        if type(value) is not float:
            value = number(value)
            if type(value) is not float:
                self.symbols[len(self.params)] = value
                value = math.nan
        self.params.append(value)

    def turn(self, code: int, qubit: int, angle: Any) -> None:
        """Append P, RX, RY or RZ."""
        self.code.append(code)
        self.qubits.append(qubit)
        self.angle(angle)

    def u(self, qubit: int, theta: Any, phi: Any, lam: Any) -> None:
        """Append U(theta, phi, lam)."""
        self.code.append(U)
        self.qubits.append(qubit)
        self.angle(theta)
        self.angle(phi)
        self.angle(lam)

    def one(self, code: int, qubit: int, params: Iterable[Any]) -> None:
        """Append any one-qubit gate."""
        self.code.append(code)
        self.qubits.append(qubit)
        for value in params:
            self.angle(value)

    def _many(self, code: int, qubits: Sequence[int], angle: Any) -> None:
        if len(qubits) > 2:
            self.wide[len(self.code)] = len(qubits)
        self.code.append(code)
        self.qubits += qubits
        self.angle(angle)

    def mcp(self, qubits: Sequence[int], angle: Any) -> None:
        """Append diag(1, ..., 1, exp(i angle)); on one qubit a P, on none a global phase, nothing if it is one."""
        angle = number(angle)
        if _vanishes(angle):
            return
        if not qubits:
            self.phase = self.phase + angle
        elif len(qubits) == 1:
            self.turn(P, qubits[0], angle)
        else:
            self._many(MCP, qubits, PI if _vanishes(angle, PI) else angle)

    def parity(self, qubits: Sequence[int], angle: Any) -> None:
        """Append exp(-i angle/2 Z...Z); on one qubit an RZ, a product of Z if the angle is an odd multiple of pi."""
        angle = number(angle)
        if not qubits or _vanishes(angle):
            self.phase = self.phase - angle / 2
        elif len(qubits) == 1:
            self.turn(RZ, qubits[0], angle)
        elif _vanishes(angle, PI):
            self.phase = self.phase - angle / 2
            for qubit in qubits:
                self.gate(Z, qubit)
        else:
            self._many(PARITY, qubits, angle)

    def cx(self, control: int, target: int) -> None:
        """Append CX: H, CZ, H."""
        self.code += _CX
        self.qubits += (target, control, target, target)
        self.params.append(PI)

    def swap(self, a: int, b: int) -> None:
        """Append SWAP."""
        self.cx(a, b)
        self.cx(b, a)
        self.cx(a, b)

    def permute(self, qubits: Sequence[int], pattern: Sequence[int]) -> None:
        """Append a permutation: afterwards qubits[k] holds what qubits[pattern[k]] held."""
        source = list(pattern)
        for start in range(len(source)):
            here = start
            while source[here] != start:
                following = source[here]
                self.swap(qubits[here], qubits[following])
                source[here] = here
                here = following
            source[here] = here

    def row(self, code: int, qubits: Sequence[int], params: Sequence[Any]) -> None:
        """Append a row as it is."""
        if len(qubits) > 2:
            self.wide[len(self.code)] = len(qubits)
        self.code.append(code)
        self.qubits += qubits
        for value in params:
            self.angle(value)

    def tail(self, row: int, qubit_start: int, param_start: int) -> list[Row]:
        """The rows from `row` on, whose wires and parameters start at the given positions."""
        result: list[Row] = []
        for index in range(row, len(self.code)):
            code = self.code[index]
            width = self.wide.get(index, 2) if code in (MCP, PARITY) else 1
            count = NUM_PARAMS[code]
            params = tuple(self.symbols.get(k, self.params[k]) for k in range(param_start, param_start + count))
            result.append((code, tuple(self.qubits[qubit_start : qubit_start + width]), params))
            qubit_start += width
            param_start += count
        return result
