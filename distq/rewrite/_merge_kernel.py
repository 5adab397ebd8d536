"""The compiled loop of `merge_one_qubit`. Importing this module imports Numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from distq.circuit.one_qubit import of_gate, synthesise
from distq.ops import NUM_ONE_QUBIT, NUM_PARAMS, Op

_U, _RX, _RY = int(Op.U), int(Op.RX), int(Op.RY)
_NUM_PARAMS = np.array(NUM_PARAMS, np.int64)


@numba.njit(cache=True)
def _copy(row: int, source: Any, target: Any, ends: Any) -> None:
    """Append row `row` of the source columns to the target columns, whose lengths are in `ends`."""
    code, q_off, qubits, p_off, params, expr, guard, bit = source
    out_code, out_width, out_qubits, out_params, out_expr, out_guard, out_bit = target
    n, nq, np_ = ends
    out_code[n] = code[row]
    out_width[n] = q_off[row + 1] - q_off[row]
    out_guard[n] = guard[row]
    out_bit[n] = bit[row]
    for k in range(q_off[row], q_off[row + 1]):
        out_qubits[nq] = qubits[k]
        nq += 1
    for k in range(p_off[row], p_off[row + 1]):
        out_params[np_] = params[k]
        out_expr[np_] = expr[k]
        np_ += 1
    ends[0], ends[1], ends[2] = n + 1, nq, np_


@numba.njit(cache=True)
def _flush(
    wire: int, runs: Any, gates: Any, source: Any, target: Any, ends: Any, new_code: Any, new_params: Any
) -> None:
    """Append what the run of one-qubit gates on `wire` amounts to."""
    count = runs[wire, 0]
    if count == 0:
        return
    row = runs[wire, 1]
    runs[wire, 0] = 0
    w, x, y, z = gates[wire]
    norm = np.sqrt(w * w + x * x + y * y + z * z)
    found = synthesise(w / norm, x / norm, y / norm, z / norm, new_code, new_params)
    if found == 0:
        return
    if count == 1:
        code = source[0][row]
        keep = code != _U or new_code[0] == _U
        if code in (_RX, _RY) and new_code[0] < _U:
            # A half turn is better called X, Y or Z; any other rotation keeps its name.
            half_turn = abs(w) < 1e-12 * norm
            keep = not half_turn
        if keep:
            _copy(row, source, target, ends)
            return
    out_code, out_width, out_qubits, out_params, out_expr, out_guard, out_bit = target
    for k in range(found):
        n = ends[0]
        out_code[n] = new_code[k]
        out_width[n] = 1
        out_guard[n] = -1
        out_bit[n] = -1
        out_qubits[ends[1]] = wire
        for j in range(_NUM_PARAMS[new_code[k]]):
            out_params[ends[2]] = new_params[k, j]
            out_expr[ends[2]] = -1
            ends[2] += 1
        ends[0] += 1
        ends[1] += 1


@numba.njit(cache=True)
def merge(num_wires: int, starts: Any, new_starts: Any, source: Any, target: Any, ends: Any) -> None:
    """Merge runs of unguarded numerical one-qubit gates on each wire, within each block.

    Args:
        num_wires: number of wires.
        starts: (B+1,) first row of each block, and the number of rows.
        new_starts: (B+1,) output, the same for the new rows.
        source: the columns code, qubit_offsets, qubits, param_offsets, params, param_expr, guard, bit.
        target: output columns code, width, qubits, params, param_expr, guard, bit, long enough.
        ends: (3,) output, rows, qubits and parameters written.
    """
    code, q_off, qubits, p_off, params, expr, guard, _bit = source
    runs = np.zeros((num_wires, 2), np.int64)
    gates = np.zeros((num_wires, 4), np.float64)
    new_code = np.zeros(2, np.int64)
    new_params = np.zeros((2, 3), np.float64)
    for block in range(len(starts) - 1):
        new_starts[block] = ends[0]
        for row in range(starts[block], starts[block + 1]):
            first, count = p_off[row], p_off[row + 1] - p_off[row]
            plain = code[row] < NUM_ONE_QUBIT and guard[row] < 0
            for k in range(first, first + count):
                if expr[k] >= 0:
                    plain = False
            if not plain:
                for k in range(q_off[row], q_off[row + 1]):
                    _flush(qubits[k], runs, gates, source, target, ends, new_code, new_params)
                _copy(row, source, target, ends)
                continue
            wire = qubits[q_off[row]]
            a = params[first] if count > 0 else 0.0
            b = params[first + 1] if count > 2 else 0.0
            c = params[first + 2] if count > 2 else 0.0
            w, x, y, z = of_gate(code[row], a, b, c)
            if runs[wire, 0] == 0:
                runs[wire, 1] = row
                gates[wire, 0], gates[wire, 1], gates[wire, 2], gates[wire, 3] = w, x, y, z
            else:
                p, q, r, s = gates[wire]
                gates[wire, 0] = w * p - x * q - y * r - z * s
                gates[wire, 1] = w * q + x * p + y * s - z * r
                gates[wire, 2] = w * r - x * s + y * p + z * q
                gates[wire, 3] = w * s + x * r - y * q + z * p
            runs[wire, 0] += 1
        for wire in range(num_wires):
            _flush(wire, runs, gates, source, target, ends, new_code, new_params)
    new_starts[len(starts) - 1] = ends[0]
