"""Compiled loop that finds what waits for what, with Pauli frames. Import late: it brings in Numba.

A correction, an X, Y or Z under a condition, is not carried out but remembered in its qubit's frame: an X part and a Z
part, each a node of the graph at whose end the frame is known. Gates move frames along; where a frame would not stay
a Pauli, the gate waits for it. Joins of frames are nodes of no duration; that two equal parts cancel is not used, so
that waiting is never too short.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distq.ops import NUM_ONE_QUBIT, Op
from distq.schedule.graph import CLIFFORD, GENERIC

Array = NDArray[Any]

_H, _X, _Y, _Z = int(Op.H), int(Op.X), int(Op.Y), int(Op.Z)
_S, _SDG, _T, _TDG, _P, _RZ = int(Op.S), int(Op.SDG), int(Op.T), int(Op.TDG), int(Op.P), int(Op.RZ)
_SX, _SXDG, _RX, _RY, _U = int(Op.SX), int(Op.SXDG), int(Op.RX), int(Op.RY), int(Op.U)
_MCP, _PARITY, _CX, _SWAP = int(Op.MCP), int(Op.PARITY), int(Op.CX), int(Op.SWAP)
_MEASURE, _RESET, _EPR, _SEND = int(Op.MEASURE), int(Op.RESET), int(Op.EPR), int(Op.SEND)
#: Positions in the array of counters.
_EDGES, _NODES, _TOPO = 0, 1, 2


@njit(cache=True)
def _edge(src: Array, dst: Array, count: Array, a: int, b: int) -> None:
    if a >= 0:
        src[count[_EDGES]] = a
        dst[count[_EDGES]] = b
        count[_EDGES] += 1


@njit(cache=True)
def _join(src: Array, dst: Array, count: Array, topo: Array, a: int, b: int) -> int:
    """The node at whose end both frames are known."""
    if a < 0 or a == b:
        return b
    if b < 0:
        return a
    node = count[_NODES]
    count[_NODES] += 1
    _edge(src, dst, count, a, node)
    _edge(src, dst, count, b, node)
    topo[count[_TOPO]] = node
    count[_TOPO] += 1
    return node


@njit(cache=True)
def _occupy(src: Array, dst: Array, count: Array, last: Array, pending: Array, touch: Array, q: int, node: int) -> None:
    """`node` is the next on qubit q."""
    _edge(src, dst, count, last[q], node)
    last[q] = node
    pair = pending[q]
    if pair >= 0:
        pending[q] = -1
        if touch[pair, 0] < 0:
            touch[pair, 0] = node
        else:
            touch[pair, 1] = node


@njit(cache=True)
def task_graph(
    code: Array,
    qubit_offsets: Array,
    qubits: Array,
    angle: Array,
    guard: Array,
    guard_offsets: Array,
    guard_bits: Array,
    bit: Array,
    bit2: Array,
    row_duration: Array,
    apply_duration: Array,
    outputs: Array,
    num_bits: int,
    max_virtual: int,
    max_edges: int,
    frames: bool,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Nodes and edges of everything that waits.

    Node i < N is row i; the others are joins of frames, and corrections that are carried out after all.

    `angle` says of each row PAULI, CLIFFORD or GENERIC; `apply_duration` how long a Pauli takes on each qubit; with
    `frames` corrections are tracked, else they are carried out where they stand.

    Returns:
        sources and targets of the edges; duration of each node; qubit of each node that carries out a correction (-1:
        another node); nodes in an order in which sources come first; (N, 2) the first node after a pair on each half,
        in this order (-1: none).
    """
    n, num_qubits = len(code), len(apply_duration)
    src, dst = np.empty(max_edges, np.int64), np.empty(max_edges, np.int64)
    duration = np.zeros(n + max_virtual, np.float64)
    duration[:n] = row_duration
    applied = np.full(n + max_virtual, -1, np.int64)
    topo = np.empty(n + max_virtual, np.int64)
    touch = np.full((n, 2), -1, np.int64)
    count = np.zeros(3, np.int64)
    count[_NODES] = n
    last, pending = np.full(num_qubits, -1, np.int64), np.full(num_qubits, -1, np.int64)
    fx, fz = np.full(num_qubits, -1, np.int64), np.full(num_qubits, -1, np.int64)
    bit_row, bit_frame = np.full(num_bits, -1, np.int64), np.full(num_bits, -1, np.int64)

    for i in range(n + len(outputs)):
        # Behind the rows: frames of outputs are resolved.
        c = code[i] if i < n else _U
        guarded = i < n and guard[i] >= 0
        first = qubit_offsets[i] if i < n else 0
        size = qubit_offsets[i + 1] - first if i < n else 1
        tracked = frames and guarded and c in (_X, _Y, _Z)
        # Corrections that have to be carried out before this row: both parts of a frame, or X alone.
        need_x = need_z = False
        if i >= n or (guarded and not tracked):
            need_x = need_z = True
        elif c == _MCP and angle[i] == GENERIC:
            need_x = True
        if need_x:
            for j in range(size):
                q = qubits[first + j] if i < n else outputs[i - n]
                if fx[q] >= 0 or (need_z and fz[q] >= 0):
                    node = count[_NODES]
                    count[_NODES] += 1
                    duration[node] = apply_duration[q]
                    applied[node] = q
                    _edge(src, dst, count, fx[q], node)
                    fx[q] = -1
                    if need_z:
                        _edge(src, dst, count, fz[q], node)
                        fz[q] = -1
                    _occupy(src, dst, count, last, pending, touch, q, node)
                    topo[count[_TOPO]] = node
                    count[_TOPO] += 1
        if i >= n:
            continue
        if guarded:
            for j in range(guard_offsets[guard[i]], guard_offsets[guard[i] + 1]):
                _edge(src, dst, count, bit_row[guard_bits[j]], i)
                _edge(src, dst, count, bit_frame[guard_bits[j]], i)
        if c == _SEND:
            _edge(src, dst, count, bit_row[bit[i]], i)
            _edge(src, dst, count, bit_frame[bit[i]], i)
            bit_row[bit2[i]] = i
        elif tracked:
            duration[i] = 0.0
        else:
            # A one-qubit gate takes up the part of the frame that does not pass; so does the sign of a parity's angle.
            for j in range(size):
                q = qubits[first + j]
                wait_x = wait_z = False
                if c in (_T, _TDG) or (c in (_P, _RZ, _PARITY) and angle[i] == GENERIC):
                    wait_x = True
                elif c == _RX and angle[i] == GENERIC:
                    wait_z = True
                elif c == _U or (c == _RY and angle[i] == GENERIC):
                    wait_x = wait_z = True
                if wait_x:
                    _edge(src, dst, count, fx[q], i)
                    if c != _PARITY:
                        fx[q] = -1
                if wait_z:
                    _edge(src, dst, count, fz[q], i)
                    fz[q] = -1
                _occupy(src, dst, count, last, pending, touch, q, i)
        topo[count[_TOPO]] = i
        count[_TOPO] += 1

        # What the row does to frames.
        if tracked:
            q = qubits[first]
            if c != _Z:
                fx[q] = _join(src, dst, count, topo, fx[q], i)
            if c != _X:
                fz[q] = _join(src, dst, count, topo, fz[q], i)
        elif c == _EPR:
            for j in range(2):
                q = qubits[first + j]
                fx[q] = fz[q] = -1
                pending[q] = i
        elif c == _RESET:
            if not guarded:
                fx[qubits[first]] = fz[qubits[first]] = -1
        elif c == _MEASURE:
            q = qubits[first]
            bit_row[bit[i]] = i
            bit_frame[bit[i]] = fx[q]
            fz[q] = -1
        elif c < NUM_ONE_QUBIT:
            q = qubits[first]
            quarter = angle[i] == CLIFFORD
            if c == _H or (c == _RY and quarter):
                fx[q], fz[q] = fz[q], fx[q]
            elif c in (_S, _SDG) or (c in (_P, _RZ) and quarter):
                fz[q] = _join(src, dst, count, topo, fz[q], fx[q])
            elif c in (_SX, _SXDG) or (c == _RX and quarter):
                fx[q] = _join(src, dst, count, topo, fx[q], fz[q])
        elif c == _CX:
            a, b = qubits[first], qubits[first + 1]
            fx[b] = _join(src, dst, count, topo, fx[b], fx[a])
            fz[a] = _join(src, dst, count, topo, fz[a], fz[b])
        elif c == _SWAP:
            a, b = qubits[first], qubits[first + 1]
            fx[a], fx[b] = fx[b], fx[a]
            fz[a], fz[b] = fz[b], fz[a]
        elif c == _MCP and size == 2 and angle[i] == CLIFFORD:
            a, b = qubits[first], qubits[first + 1]
            fz[a] = _join(src, dst, count, topo, fz[a], fx[b])
            fz[b] = _join(src, dst, count, topo, fz[b], fx[a])
        elif c == _PARITY and angle[i] == CLIFFORD:
            # X on one leg becomes X there and Z on all.
            frame = -1
            for j in range(size):
                frame = _join(src, dst, count, topo, frame, fx[qubits[first + j]])
            for j in range(size):
                q = qubits[first + j]
                fz[q] = _join(src, dst, count, topo, fz[q], frame)
    nodes, edges = count[_NODES], count[_EDGES]
    return src[:edges], dst[:edges], duration[:nodes], applied[:nodes], topo[: count[_TOPO]], touch


@njit(cache=True)
def longest_paths(
    duration: Array, topo: Array, pred_offsets: Array, preds: Array, succ_offsets: Array, succs: Array
) -> tuple[Array, Array]:
    """(earliest start, longest path from the start of each node to the end) with unlimited resources."""
    head, tail = np.zeros(len(duration)), np.zeros(len(duration))
    for node in topo:
        for j in range(pred_offsets[node], pred_offsets[node + 1]):
            p = preds[j]
            head[node] = max(head[node], head[p] + duration[p])
    for node in topo[::-1]:
        for j in range(succ_offsets[node], succ_offsets[node + 1]):
            tail[node] = max(tail[node], tail[succs[j]])
        tail[node] += duration[node]
    return head, tail
