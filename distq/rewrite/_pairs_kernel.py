"""Compiled loops of `resynthesis`: runs of gates on one pair of wires, and their matrices."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from distq.circuit.one_qubit import of_gate
from distq.ops import NUM_ONE_QUBIT, Op

_MCP, _PARITY = int(Op.MCP), int(Op.PARITY)
_ONE = NUM_ONE_QUBIT
_EPS = 1e-12


@numba.njit(cache=True)
def find_runs(num_wires: int, source: Any, barrier: Any, run_of: Any, wires: Any, gates: Any) -> int:
    """Number the rows of maximal runs.

    A run holds gates on two wires, the one-qubit gates between them on these wires, and those of the first and the last
    instruction that stand around its gates.

    Args:
        num_wires: of the circuit.
        source: columns code, qubit_offsets, qubits, origin.
        barrier: (N,) rows that are in no run and end runs on their wires.
        run_of: (N,) output, the run of each row, or -1.
        wires: (N, 2) output, for each run its wires, the lower one first.
        gates: (N,) output, for each run its gates on two wires.

    Returns:
        Number of runs, those with a single gate included.
    """
    code, offsets, qubits, origin = source
    rows = len(code)
    current = np.full(num_wires, -1, np.int64)
    #: One-qubit rows since the last gate on the wire, as linked lists.
    pending = np.full(num_wires, -1, np.int64)
    before = np.full(rows, -1, np.int64)
    #: The instruction of the last gate on each wire, while its own one-qubit gates follow.
    tail = np.full(num_wires, -1, np.int64)
    count = 0
    for row in range(rows):
        run_of[row] = -1
        first, last = offsets[row], offsets[row + 1]
        if barrier[row]:
            for k in range(first, last):
                current[qubits[k]] = pending[qubits[k]] = tail[qubits[k]] = -1
            continue
        a = qubits[first]
        if code[row] < _ONE:
            if tail[a] >= 0 and origin[tail[a]] == origin[row] and current[a] >= 0:
                run_of[row] = current[a]
                continue
            tail[a] = -1
            before[row] = pending[a]
            pending[a] = row
            continue
        b = qubits[first + 1]
        run = current[a]
        if run >= 0 and current[b] == run:
            for wire in (a, b):
                at = pending[wire]
                while at >= 0:
                    run_of[at] = run
                    at = before[at]
        else:
            run = count
            count += 1
            gates[run] = 0
            wires[run, 0], wires[run, 1] = min(a, b), max(a, b)
            for wire in (a, b):
                at = pending[wire]
                while at >= 0 and origin[at] == origin[row]:
                    run_of[at] = run
                    at = before[at]
        run_of[row] = run
        gates[run] += 1
        for wire in (a, b):
            current[wire] = run
            pending[wire] = -1
            tail[wire] = row
    return count


@numba.njit(cache=True)
def run_matrices(rows: Any, run_of: Any, low: Any, source: Any, result: Any, turned: Any) -> None:
    """Multiply the rows of runs, up to a global phase.

    Args:
        rows: rows of runs, in order.
        run_of: for each of them its run.
        low: for each run its lower wire, which is the lower bit.
        source: columns code, qubit_offsets, qubits, param_offsets, params.
        result: (runs, 4, 4) output.
        turned: (runs,) output, how many times the axis of the gates changes on one of the wires.
    """
    code, offsets, qubits, p_off, params = source
    one = np.zeros((2, 2), np.complex128)
    #: What turns each wire since its last gate.
    turn = np.zeros((len(result), 2, 4), np.float64)
    started = np.zeros(len(result), np.bool_)
    for run in range(len(result)):
        turned[run] = 0
        for k in range(4):
            for m in range(4):
                result[run, k, m] = 1.0 if k == m else 0.0
        turn[run, 0, 0] = turn[run, 1, 0] = 1.0
    for i in range(len(rows)):
        row, run = rows[i], run_of[i]
        u = result[run]
        at = p_off[row]
        if code[row] < _ONE:
            a = params[at] if p_off[row + 1] > at else 0.0
            b = params[at + 1] if p_off[row + 1] > at + 1 else 0.0
            c = params[at + 2] if p_off[row + 1] > at + 2 else 0.0
            w, x, y, z = of_gate(code[row], a, b, c)
            one[0, 0], one[0, 1] = complex(w, -z), complex(-y, -x)
            one[1, 0], one[1, 1] = complex(y, -x), complex(w, z)
            side = 0 if qubits[offsets[row]] == low[run] else 1
            step = 1 << side
            for column in range(4):
                for k in range(4):
                    if k & step == 0:
                        p, q = u[k, column], u[k | step, column]
                        u[k, column] = one[0, 0] * p + one[0, 1] * q
                        u[k | step, column] = one[1, 0] * p + one[1, 1] * q
            e, f, g, h = turn[run, side]
            turn[run, side, 0] = w * e - x * f - y * g - z * h
            turn[run, side, 1] = w * f + x * e + y * h - z * g
            turn[run, side, 2] = w * g - x * h + y * e + z * f
            turn[run, side, 3] = w * h + x * g - y * f + z * e
            continue
        angle = params[at]
        for column in range(4):
            if code[row] == _MCP:
                u[3, column] *= complex(math.cos(angle), math.sin(angle))
            else:
                half = complex(math.cos(angle / 2), -math.sin(angle / 2))
                u[0, column] *= half
                u[3, column] *= half
                u[1, column] *= half.conjugate()
                u[2, column] *= half.conjugate()
        for side in range(2):
            w, x, y, z = turn[run, side]
            if started[run] and w * w + z * z > _EPS**2 and x * x + y * y > _EPS**2:
                turned[run] += 1
            turn[run, side, 0] = 1.0
            turn[run, side, 1] = turn[run, side, 2] = turn[run, side, 3] = 0.0
        started[run] = True
