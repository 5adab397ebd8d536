"""Compiled loops of `rewrite.items`: rows to items, and items back to rows. Importing this imports Numba."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from distq.circuit.one_qubit import of_gate, snap, synthesise
from distq.ops import NUM_ONE_QUBIT, NUM_PARAMS, Op
from distq.rewrite.clifford import BETWEEN, COMPOSE, GATES, IMAGE, NUM_NAMED, PAULI, STEP, TO_Z, quaternions

DEAD, ROTATION, CZ, PHASE, FIXED, LOCAL = 0, 1, 2, 3, 4, 5

_PI = math.pi
_EPS = 1e-13
_QUATERNIONS = quaternions()
_NUM_PARAMS = np.array(NUM_PARAMS, np.int64)
_H, _T, _TDG, _P = int(Op.H), int(Op.T), int(Op.TDG), int(Op.P)
_RX, _RY, _RZ, _U = int(Op.RX), int(Op.RY), int(Op.RZ), int(Op.U)
_Z, _S, _SDG = int(Op.Z), int(Op.S), int(Op.SDG)
_MCP, _PARITY, _MEASURE = int(Op.MCP), int(Op.PARITY), int(Op.MEASURE)
#: The Clifford of a turn by k pi/2 about an axis: [axis, k].
_TURN = np.zeros((4, 4), np.int8)
for _axis in (1, 2, 3):
    for _k in range(4):
        _q = np.zeros(4)
        _q[0], _q[_axis] = math.cos(_k * _PI / 4), math.sin(_k * _PI / 4)
        _TURN[_axis, _k] = int(np.argmax(np.abs(_QUATERNIONS @ _q)))


@numba.njit(cache=True)
def _split(w: float, x: float, y: float, z: float) -> tuple[int, int, float]:
    """(Clifford, axis, angle): the unitary is the Clifford and then a turn about X, Y or Z; axis -1: it is neither."""
    best, axis, angle = -1, -1, 0.0
    for k in range(len(_QUATERNIONS)):
        p, q, r, s = _QUATERNIONS[k]
        # (w, x, y, z) after the inverse of the Clifford.
        a = w * p + x * q + y * r + z * s
        b = -w * q + x * p - y * s + z * r
        c = -w * r + y * p - z * q + x * s
        d = -w * s + z * p - x * r + y * q
        small = (abs(b) < _EPS) + (abs(c) < _EPS) + (abs(d) < _EPS)
        if small == 3:
            return k, 0, 0.0
        if small == 2 and best < 0:
            best = k
            axis = 1 if abs(b) >= _EPS else (2 if abs(c) >= _EPS else 3)
            angle = 2 * math.atan2(b + c + d, a)
    return best, axis, snap(angle)


@numba.njit(cache=True)
def read_rows(source: Any, frames: Any, items: Any, legs: Any) -> tuple[int, int]:
    """Turn rows into items. All one-qubit Cliffords go into the frames of the wires.

    Args:
        source: columns code, qubit_offsets, qubits, param_offsets, params, param_expr, guard.
        frames: (n,) output, the frame of each wire at the end; 0 at the start.
        items: output columns kind, row, base, angle, first leg.
        legs: output columns item, wire, letter, frame.

    Returns:
        Numbers of items and legs.
    """
    code, q_off, qubits, p_off, params, expr, guard = source
    kind, item_row, base, angle, first = items
    leg_item, leg_wire, leg_letter, leg_frame = legs
    count, pins = 0, 0
    for row in range(len(code)):
        op = code[row]
        at = p_off[row]
        letter_axis = 3
        if op < NUM_ONE_QUBIT and guard[row] < 0:
            wire = qubits[q_off[row]]
            if op < NUM_NAMED and STEP[0, op] >= 0:
                frames[wire] = STEP[frames[wire], op]
                continue
            turn, symbol = 0.0, -1
            if op == _T:
                turn = _PI / 4
            elif op == _TDG:
                turn = -_PI / 4
            elif op == _U:
                letter_axis = -1
                if expr[at] < 0 and expr[at + 1] < 0 and expr[at + 2] < 0:
                    w, x, y, z = of_gate(op, params[at], params[at + 1], params[at + 2])
                    clifford, letter_axis, turn = _split(w, x, y, z)
                    if letter_axis >= 0:
                        frames[wire] = COMPOSE[frames[wire], clifford]
                    if letter_axis == 0:
                        continue
            else:
                turn, symbol = params[at], expr[at]
                letter_axis = 1 if op == _RX else (2 if op == _RY else 3)
                if symbol < 0:
                    quarter = round(turn / (_PI / 2))
                    if abs(snap(turn - quarter * (_PI / 2))) < _EPS:
                        frames[wire] = COMPOSE[frames[wire], _TURN[letter_axis, int(quarter % 4)]]
                        continue
            kind[count] = ROTATION if letter_axis > 0 else FIXED
            base[count] = symbol
            angle[count] = turn if symbol < 0 else 1.0
            if letter_axis < 0:
                letter_axis = 0
        elif (op == _MCP or op == _PARITY) and guard[row] < 0:
            symbol = expr[at]
            base[count] = symbol
            angle[count] = params[at] if symbol < 0 else 1.0
            kind[count] = ROTATION
            if op == _MCP:
                kind[count] = PHASE
                if q_off[row + 1] - q_off[row] == 2 and symbol < 0 and params[at] == _PI:
                    kind[count] = CZ
        else:
            kind[count] = FIXED
            base[count] = -1
            angle[count] = 0.0
            diagonal = op in (_MEASURE, _MCP, _PARITY, _Z, _S, _SDG, _T, _TDG, _P, _RZ)
            letter_axis = 3 if diagonal else 0
        item_row[count] = row
        first[count] = pins
        for k in range(q_off[row], q_off[row + 1]):
            wire = qubits[k]
            leg_item[pins] = count
            leg_wire[pins] = wire
            leg_frame[pins] = frames[wire]
            leg_letter[pins] = IMAGE[frames[wire], letter_axis] if letter_axis > 0 else 0
            pins += 1
        count += 1
    return count, pins


@numba.njit(cache=True)
def _gate(wire: int, op: int, target: Any, ends: Any) -> None:
    """Append a one-qubit gate without parameters."""
    code, origin, width, wires, value, base, row = target
    code[ends[0]] = op
    origin[ends[0]] = -1
    width[ends[0]] = 1
    row[ends[0]] = -1
    wires[ends[1]] = wire
    ends[0] += 1
    ends[1] += 1


@numba.njit(cache=True)
def _turn_to(wire: int, clifford: int, now: Any, target: Any, ends: Any) -> None:
    for k in range(GATES.shape[1]):
        if GATES[clifford, k] >= 0:
            _gate(wire, GATES[clifford, k], target, ends)
    now[wire] = COMPOSE[now[wire], clifford]


@numba.njit(cache=True)
def _rotate(wire: int, letter: int, angle: float, symbol: int, now: Any, item: int, target: Any, ends: Any) -> None:
    """Append a rotation about a letter as RX, RY, RZ or a named gate; Paulis and quarter turns too."""
    code, origin, width, wires, value, base, row = target
    for axis in (3, 1, 2):
        image = IMAGE[now[wire], axis]
        if abs(image) != abs(letter):
            continue
        sign = 1.0 if image == letter else -1.0
        op = _RX if axis == 1 else (_RY if axis == 2 else _RZ)
        if symbol < 0 and axis == 3:
            turn = snap(sign * angle)
            if turn == _PI / 4:
                op = _T
            elif turn == -_PI / 4:
                op = _TDG
        _gate(wire, op, target, ends)
        origin[ends[0] - 1] = item
        if _NUM_PARAMS[op]:
            value[ends[2]] = sign * angle
            base[ends[2]] = symbol
            ends[2] += 1
        return


@numba.njit(cache=True)
def write_rows(order: Any, starts: Any, first_frames: Any, items: Any, legs: Any, source: Any, target: Any) -> Any:
    """Turn items into rows, in one sequence or in several that start anew.

    Args:
        order: items in the order in which they are to be written.
        starts: (S+1,) where each sequence starts in `order`.
        first_frames: (leg,) frame at the start of a sequence of the wire of each leg; empty: the identity.
        items: columns kind, row, base, angle, first leg, and the quaternions of LOCAL items.
        legs: columns item, wire, letter, frame, next leg of the item.
        source: columns qubit_offsets, param_offsets, params, param_expr and code of the circuit.
        target: output columns code, item (-1: none), width, wires, value, base, row (-1: no copy of a row).

    Returns:
        (S+1, 3) rows, wires and parameters written before each sequence.
    """
    kind, item_row, item_base, item_angle, first, turns = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_next = legs
    _q_off, p_off, params, expr, source_code = source
    code, origin, width, wires, value, base, row = target
    now = np.zeros(1, np.int8)
    seen = np.zeros(1, np.int64)
    top = 0
    for k in range(len(leg_wire)):
        top = max(top, leg_wire[k] + 1)
    now = np.zeros(top, np.int8)
    seen = np.full(top, -1, np.int64)
    ends = np.zeros(3, np.int64)
    bounds = np.zeros((len(starts), 3), np.int64)
    new_code = np.zeros(2, np.int64)
    new_params = np.zeros((2, 3), np.float64)
    for part in range(len(starts) - 1):
        for index in range(starts[part], starts[part + 1]):
            i = order[index]
            what = kind[i]
            if what == DEAD:
                continue
            size = 0
            leg = first[i]
            while leg >= 0:
                wire = leg_wire[leg]
                if seen[wire] != part:
                    seen[wire] = part
                    now[wire] = first_frames[leg] if len(first_frames) else 0
                size += 1
                leg = leg_next[leg]
            leg = first[i]
            if what == ROTATION and item_base[i] < 0 and abs(item_angle[i]) == _PI:
                while leg >= 0:
                    now[leg_wire[leg]] = PAULI[now[leg_wire[leg]], abs(leg_letter[leg])]
                    leg = leg_next[leg]
                continue
            if what == ROTATION and size == 1:
                _rotate(leg_wire[leg], leg_letter[leg], item_angle[i], item_base[i], now, i, target, ends)
                continue
            if what == LOCAL:
                wire = leg_wire[leg]
                _turn_to(wire, BETWEEN[now[wire], 0], now, target, ends)
                w, x, y, z = turns[item_row[i]]
                found = synthesise(w, x, y, z, new_code, new_params)
                for k in range(found):
                    _gate(wire, new_code[k], target, ends)
                    for j in range(_NUM_PARAMS[new_code[k]]):
                        value[ends[2]] = new_params[k, j]
                        base[ends[2]] = -1
                        ends[2] += 1
                continue
            while leg >= 0:
                wire = leg_wire[leg]
                if leg_letter[leg] == 0:
                    _turn_to(wire, BETWEEN[now[wire], leg_frame[leg]], now, target, ends)
                else:
                    _turn_to(wire, TO_Z[now[wire], leg_letter[leg] + 3], now, target, ends)
                leg = leg_next[leg]
            n = ends[0]
            origin[n] = i
            width[n] = size
            row[n] = -1
            leg = first[i]
            while leg >= 0:
                wires[ends[1]] = leg_wire[leg]
                ends[1] += 1
                leg = leg_next[leg]
            if what == FIXED:
                old = item_row[i]
                row[n] = old
                code[n] = source_code[old]
                for k in range(p_off[old], p_off[old + 1]):
                    value[ends[2]] = params[k] if expr[k] < 0 else 1.0
                    base[ends[2]] = expr[k]
                    ends[2] += 1
            else:
                code[n] = _PARITY if what == ROTATION else _MCP
                value[ends[2]] = item_angle[i]
                base[ends[2]] = item_base[i]
                ends[2] += 1
            ends[0] += 1
        bounds[part + 1, 0], bounds[part + 1, 1], bounds[part + 1, 2] = ends[0], ends[1], ends[2]
    return bounds


@numba.njit(cache=True)
def final_frames(order: Any, items: Any, legs: Any, num_wires: int) -> Any:
    """The frames of the wires after `write_rows` has written one sequence."""
    kind, _row, base, angle, first, _turns = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_next = legs
    now = np.zeros(num_wires, np.int8)
    for i in order:
        what = kind[i]
        leg = first[i]
        if what == DEAD:
            continue
        pauli = what == ROTATION and base[i] < 0 and abs(angle[i]) == _PI
        alone = leg_next[leg] < 0 and what == ROTATION
        while leg >= 0:
            wire = leg_wire[leg]
            if pauli:
                now[wire] = PAULI[now[wire], abs(leg_letter[leg])]
            elif what == LOCAL:
                now[wire] = 0
            elif leg_letter[leg] == 0:
                now[wire] = leg_frame[leg]
            elif not alone:
                now[wire] = COMPOSE[now[wire], TO_Z[now[wire], leg_letter[leg] + 3]]
            leg = leg_next[leg]
    return now


@numba.njit(cache=True)
def order_labels(num_labels: int, source: Any, target: Any, rank: Any) -> Any:
    """A topological order of a graph without cycles, among what is free always the label of the lowest rank.

    Args:
        num_labels: number of nodes.
        source: (E+1,) for each node its first edge: offsets into `target`.
        target: (E,) heads of the edges.
        rank: (labels,) different for every node.

    Returns:
        (labels,) the position of each node in the order.
    """
    waiting = np.zeros(num_labels, np.int64)
    for head in target:
        waiting[head] += 1
    heap = np.empty(num_labels, np.int64)
    size = 0
    place = np.full(num_labels, -1, np.int64)
    for node in range(num_labels):
        if waiting[node] == 0:
            size = _push(heap, size, node, rank)
    done = 0
    while size > 0:
        node = heap[0]
        size = _pop(heap, size, rank)
        place[node] = done
        done += 1
        for k in range(source[node], source[node + 1]):
            head = target[k]
            waiting[head] -= 1
            if waiting[head] == 0:
                size = _push(heap, size, head, rank)
    return place


@numba.njit(cache=True)
def _push(heap: Any, size: int, node: int, rank: Any) -> int:
    k = size
    while k > 0 and rank[heap[(k - 1) // 2]] > rank[node]:
        heap[k] = heap[(k - 1) // 2]
        k = (k - 1) // 2
    heap[k] = node
    return size + 1


@numba.njit(cache=True)
def _pop(heap: Any, size: int, rank: Any) -> int:
    size -= 1
    last = heap[size]
    k = 0
    while 2 * k + 1 < size:
        child = 2 * k + 1
        if child + 1 < size and rank[heap[child + 1]] < rank[heap[child]]:
            child += 1
        if rank[heap[child]] >= rank[last]:
            break
        heap[k] = heap[child]
        k = child
    heap[k] = last
    return size
