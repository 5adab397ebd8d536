"""What both sides of a comparison are brought to: rows of logical operations on wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from distq.verify.rotations import Vector


class Row(IntEnum):
    """Kinds of rows of a tape, and what their payload is."""

    #: A one-qubit unitary: its quaternion.
    TURN = 0
    #: exp(-i angle/2 of the product of the legs' axes): (angle, axes or None where all are Z).
    PARITY = 1
    #: e^{i angle} where every leg is in the -1 state of its axis: (angle, axes or None).
    MCP = 2
    #: Measurement: (sign of Z that outcome 0 stands for, number of the bit that it writes).
    MEASURE = 3
    #: Back to |0>.
    RESET = 4
    #: A unitary of a few qubits: its matrix, first wire = lowest bit.
    BLOCK = 5
    #: The two wires exchange what they hold.
    SWAP = 6


#: (kind, wires, payload, guard, origin): guard -1 is always; origin says where the row comes from, for messages.
TapeRow = tuple[int, tuple[int, ...], Any, int, int]
#: Axes of the legs; None: Z for all.
Axes = Sequence[Vector] | None


@dataclass
class Tape:
    """Rows on wires 0 .. num_wires - 1; wire i carries qubit i of the circuit at the start."""

    num_wires: int
    rows: list[TapeRow] = field(default_factory=list)
