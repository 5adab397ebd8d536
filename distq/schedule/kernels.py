"""Compiled loops of the scheduler. Import this module late: it brings in Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.ops import Op

Array = NDArray[Any]

_MEASURE = int(Op.MEASURE)
_SEND = int(Op.SEND)


@njit(cache=True)
def as_soon_as_possible(
    code: Array,
    qubit_offsets: Array,
    qubits: Array,
    guard: Array,
    guard_offsets: Array,
    guard_bits: Array,
    bit: Array,
    bit2: Array,
    duration: Array,
    num_qubits: int,
    num_bits: int,
) -> tuple[Array, Array]:
    """(start, end) of every row when each begins as soon as its qubits and bits are there."""
    n = len(code)
    start = np.zeros(n, np.float64)
    end = np.zeros(n, np.float64)
    free = np.zeros(num_qubits, np.float64)
    known = np.zeros(num_bits, np.float64)
    for i in range(n):
        t = 0.0
        if code[i] == _SEND:
            t = known[bit[i]]
            known[bit2[i]] = t + duration[i]
        else:
            for j in range(qubit_offsets[i], qubit_offsets[i + 1]):
                t = max(t, free[qubits[j]])
            if guard[i] >= 0:
                for j in range(guard_offsets[guard[i]], guard_offsets[guard[i] + 1]):
                    t = max(t, known[guard_bits[j]])
            for j in range(qubit_offsets[i], qubit_offsets[i + 1]):
                free[qubits[j]] = t + duration[i]
            if code[i] == _MEASURE:
                known[bit[i]] = t + duration[i]
        start[i] = t
        end[i] = t + duration[i]
    return start, end
