"""Compiled loops over program columns. Import this module late: it brings in Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.ops import Op

Array = NDArray[Any]

_EPR = int(Op.EPR)
_MEASURE = int(Op.MEASURE)
_RESET = int(Op.RESET)


@njit(cache=True)
def _can_proceed(
    m: int,
    cursor: Array,
    ends: Array,
    rows: Array,
    code: Array,
    guard: Array,
    guard_offsets: Array,
    guard_bits: Array,
    first: Array,
    second: Array,
    written: Array,
    waiter: Array,
) -> bool:
    """Whether module m's next statement can be carried out now; if a bit is missing, m is noted as waiting for it."""
    if cursor[m] >= ends[m]:
        return False
    row = rows[cursor[m]]
    g = guard[row]
    if g >= 0:
        for j in range(guard_offsets[g], guard_offsets[g + 1]):
            bit = guard_bits[j]
            if not written[bit]:
                waiter[bit] = m
                return False
    if code[row] == _EPR:
        other = second[row] if first[row] == m else first[row]
        return cursor[other] < ends[other] and rows[cursor[other]] == row
    return True


@njit(cache=True)
def merge(
    offsets: Array,
    rows: Array,
    code: Array,
    guard: Array,
    guard_offsets: Array,
    guard_bits: Array,
    first: Array,
    second: Array,
    bit: Array,
    bit2: Array,
    send_offsets: Array,
    send_rows: Array,
    num_bits: int,
) -> tuple[Array, int, Array]:
    """Merge the modules' own sequences, always taking the lowest-numbered module that can proceed.

    `rows[offsets[m]:offsets[m+1]]` are module m's statements; `first` and `second` the modules of EPR rows;
    `send_rows[send_offsets[b]:send_offsets[b+1]]` the SEND rows of bit b, which follow the measurement of b at once.

    Returns (order, count, cursor): the first `count` entries of `order` are rows; `cursor[m]` is where module m
    stands at the end: the end of its sequence, unless the program is deadlocked.
    """
    k = len(offsets) - 1
    cursor = offsets[:-1].copy()
    ends = offsets[1:]
    written = np.zeros(num_bits, np.bool_)
    waiter = np.full(num_bits, -1, np.int64)
    ready = np.zeros(k, np.bool_)
    order = np.empty(len(code), np.int64)
    count = 0
    for m in range(k):
        ready[m] = _can_proceed(
            m, cursor, ends, rows, code, guard, guard_offsets, guard_bits, first, second, written, waiter
        )
    low = 0
    while low < k:
        if not ready[low]:
            low += 1
            continue
        m = low
        row = rows[cursor[m]]
        order[count] = row
        count += 1
        cursor[m] += 1
        if code[row] == _EPR:
            other = second[row] if first[row] == m else first[row]
            cursor[other] += 1
            ready[other] = _can_proceed(
                other,
                cursor,
                ends,
                rows,
                code,
                guard,
                guard_offsets,
                guard_bits,
                first,
                second,
                written,
                waiter,
            )
            low = _wake_partner(other, low, cursor, ends, rows, code, first, second, ready)
            if ready[other] and other < low:
                low = other
        elif code[row] == _MEASURE:
            written[bit[row]] = True
            for j in range(send_offsets[bit[row]], send_offsets[bit[row] + 1]):
                order[count] = send_rows[j]
                count += 1
                into = bit2[send_rows[j]]
                written[into] = True
                w = waiter[into]
                if w >= 0 and w != m:
                    waiter[into] = -1
                    ready[w] = _can_proceed(
                        w,
                        cursor,
                        ends,
                        rows,
                        code,
                        guard,
                        guard_offsets,
                        guard_bits,
                        first,
                        second,
                        written,
                        waiter,
                    )
                    if ready[w] and w < low:
                        low = w
        ready[m] = _can_proceed(
            m, cursor, ends, rows, code, guard, guard_offsets, guard_bits, first, second, written, waiter
        )
        low = _wake_partner(m, low, cursor, ends, rows, code, first, second, ready)
    return order, count, cursor


@njit(cache=True)
def _wake_partner(
    m: int,
    low: int,
    cursor: Array,
    ends: Array,
    rows: Array,
    code: Array,
    first: Array,
    second: Array,
    ready: Array,
) -> int:
    """Where m now stands before a pair whose other module stands there too, both can proceed; returns the new low."""
    if not ready[m]:
        return low
    row = rows[cursor[m]]
    if code[row] == _EPR:
        other = second[row] if first[row] == m else first[row]
        ready[other] = True
        if other < low:
            low = other
    return low


@njit(cache=True)
def peak_occupation(
    code: Array,
    guard: Array,
    qubit_offsets: Array,
    qubits: Array,
    qubit_module: Array,
    is_comm: Array,
    held_at_start: Array,
    held_at_end: Array,
    k: int,
) -> Array:
    """(k,) the most communication qubits of each module that are occupied at one time.

    A communication qubit is occupied from its first use (Bell pair or gate) until it is measured or reset without a
    condition, or until its last use; where it holds an input or an output also before or after.
    """
    n = len(qubit_module)
    last = np.full(n, -1, np.int64)
    for i in range(len(code)):
        for j in range(qubit_offsets[i], qubit_offsets[i + 1]):
            last[qubits[j]] = i
    occupied = np.zeros(n, np.bool_)
    now = np.zeros(k, np.int64)
    peak = np.zeros(k, np.int64)
    for q in range(n):
        if is_comm[q] and held_at_start[q]:
            occupied[q] = True
            now[qubit_module[q]] += 1
    for m in range(k):
        peak[m] = now[m]
    for i in range(len(code)):
        frees = guard[i] < 0 and (code[i] == _MEASURE or code[i] == _RESET)
        for j in range(qubit_offsets[i], qubit_offsets[i + 1]):
            q = qubits[j]
            if not is_comm[q]:
                continue
            m = qubit_module[q]
            if not occupied[q] and code[i] != _RESET:
                occupied[q] = True
                now[m] += 1
                if now[m] > peak[m]:
                    peak[m] = now[m]
        # All qubits of a row are there at the same time: they are freed after it.
        for j in range(qubit_offsets[i], qubit_offsets[i + 1]):
            q = qubits[j]
            if occupied[q] and is_comm[q] and (frees or (last[q] == i and not held_at_end[q])):
                occupied[q] = False
                now[qubit_module[q]] -= 1
    return peak
