"""Operation codes shared by logical circuits and distributed programs, with their arities and parameters."""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """What a row of a circuit or a program does. All angles are in radians, conventions as in Qiskit."""

    H = 0
    X = 1
    Y = 2
    Z = 3
    S = 4
    SDG = 5
    T = 6
    TDG = 7
    SX = 8
    SXDG = 9
    P = 10
    RX = 11
    RY = 12
    RZ = 13
    U = 14
    #: diag(1, ..., 1, exp(i t)) on two or more qubits: CZ is t = pi, CP any t, CCZ three qubits.
    MCP = 15
    #: exp(-i t/2 Z...Z) on two or more qubits: RZZ(t) is the case of two.
    PARITY = 16
    MEASURE = 17
    RESET = 18
    # The rest occurs in distributed programs only.
    CX = 19
    SWAP = 20
    #: Prepares (|00> + |11>)/sqrt(2) on two communication qubits at the ends of one link.
    EPR = 21
    #: A classical bit of one module is sent to another, where it appears as a received bit.
    SEND = 22


#: Codes below this are one-qubit unitary gates.
NUM_ONE_QUBIT = 15
#: Number of parameters by code.
NUM_PARAMS: tuple[int, ...] = (0,) * 10 + (1, 1, 1, 1, 3, 1, 1) + (0,) * 6

#: A conjunction of (bit, value): the guard of an operation. Empty is true.
Conjunction = tuple[tuple[int, int], ...]
#: A value that depends on conditionals: the first entry whose conjunction holds gives the bit (-1: constant
#: 0). The conjunction of the last entry is empty.
DecisionList = tuple[tuple[Conjunction, int], ...]
