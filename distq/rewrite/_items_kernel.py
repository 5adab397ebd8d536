"""Compiled loops of `rewrite.items`: rows to items, and items back to rows. Importing this imports Numba."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from distq.circuit.logical import NO_ORIGIN
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
def read_rows(
    source: Any, frames: Any, chain: Any, items: Any, legs: Any, turns: Any, keep_quarters: bool
) -> tuple[int, int, int]:
    """Turn rows into items. All one-qubit Cliffords go into the frames of the wires.

    Args:
        source: columns code, qubit_offsets, qubits, param_offsets, params, param_expr, guard, origin (NO_ORIGIN
            where it is not known).
        frames: (n,) output, the frame of each wire at the end; 0 at the start.
        chain: (n,) output, the last Clifford of each wire behind its last leg; -1 at the start.
        items: output columns kind, row, base, angle, first leg.
        legs: output columns item, wire, letter, frame, frame before its row, frame before its instruction, last
            Clifford before it, last Clifford before its instruction, last Clifford of its instruction after it.
        turns: output columns of the Cliffords: row, the one before it on the wire in the same gap (-1: none).
        keep_quarters: whether S, SDG, and RZ and P by odd multiples of pi/2 are rotations, too.

    Returns:
        Numbers of items, legs and Cliffords.
    """
    code, q_off, qubits, p_off, params, expr, guard, origin = source
    kind, item_row, base, angle, first = items
    leg_item, leg_wire, leg_letter, leg_frame, leg_in, leg_start, leg_lead, leg_before, leg_trail = legs
    turn_row, turn_last = turns
    n = len(frames)
    chain_frame = np.zeros(len(turn_row), np.int8)
    last_leg = np.full(n, -1, np.int64)
    count, pins, rest = 0, 0, 0
    for row in range(len(code)):
        op = code[row]
        at = p_off[row]
        letter_axis = 3
        inside = -1
        if op < NUM_ONE_QUBIT and guard[row] < 0:
            wire = qubits[q_off[row]]
            turn, symbol = 0.0, -1
            clifford = -1
            following = -1
            if keep_quarters and op in (_S, _SDG):
                turn = _PI / 2 if op == _S else -_PI / 2
            elif op < NUM_NAMED and STEP[0, op] >= 0:
                following = STEP[frames[wire], op]
            elif op == _T:
                turn = _PI / 4
            elif op == _TDG:
                turn = -_PI / 4
            elif op == _U:
                letter_axis = -1
                if expr[at] < 0 and expr[at + 1] < 0 and expr[at + 2] < 0:
                    w, x, y, z = of_gate(op, params[at], params[at + 1], params[at + 2])
                    clifford, letter_axis, turn = _split(w, x, y, z)
                    if letter_axis == 0:
                        following = COMPOSE[frames[wire], clifford]
            else:
                turn, symbol = params[at], expr[at]
                letter_axis = 1 if op == _RX else (2 if op == _RY else 3)
                if symbol < 0:
                    quarter = round(turn / (_PI / 2))
                    exact = abs(snap(turn - quarter * (_PI / 2))) < _EPS
                    if exact and not (keep_quarters and letter_axis == 3 and quarter % 2):
                        following = COMPOSE[frames[wire], _TURN[letter_axis, int(quarter % 4)]]
            if following >= 0:
                turn_row[rest] = row
                chain_frame[rest] = frames[wire]
                frames[wire] = following
                leg = last_leg[wire]
                if (
                    leg >= 0
                    and chain[wire] < 0
                    and origin[row] != NO_ORIGIN
                    and origin[item_row[leg_item[leg]]] == origin[row]
                ):
                    turn_last[rest] = leg_trail[leg]
                    leg_trail[leg] = rest
                else:
                    turn_last[rest] = chain[wire]
                    chain[wire] = rest
                rest += 1
                continue
            kind[count] = ROTATION if letter_axis > 0 else FIXED
            base[count] = symbol
            angle[count] = turn if symbol < 0 else 1.0
            inside = clifford if letter_axis > 0 else -1
            if letter_axis < 0:
                letter_axis = 0
        elif op in (_MCP, _PARITY) and guard[row] < 0:
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
            leg_in[pins] = frames[wire]
            leg_start[pins] = frames[wire]
            leg_lead[pins] = chain[wire]
            before = chain[wire]
            while before >= 0 and origin[row] != NO_ORIGIN and origin[turn_row[before]] == origin[row]:
                leg_start[pins] = chain_frame[before]
                before = turn_last[before]
            leg_before[pins] = before
            leg_trail[pins] = -1
            chain[wire] = -1
            last_leg[wire] = pins
            if inside >= 0:
                frames[wire] = COMPOSE[frames[wire], inside]
            leg_frame[pins] = frames[wire]
            leg_letter[pins] = IMAGE[frames[wire], letter_axis] if letter_axis > 0 else 0
            pins += 1
        count += 1
    return count, pins, rest


@numba.njit(cache=True)
def _gate(wire: int, op: int, target: Any, ends: Any) -> None:
    """Append a one-qubit gate, without its parameters."""
    code, origin, width, wires, _, _, row, label = target
    code[ends[0]] = op
    origin[ends[0]] = -1
    width[ends[0]] = 1
    row[ends[0]] = -1
    label[ends[0]] = -1
    wires[ends[1]] = wire
    ends[0] += 1
    ends[1] += 1


@numba.njit(cache=True)
def _turn_to(wire: int, clifford: int, now: Any, label: int, target: Any, ends: Any) -> None:
    for k in range(GATES.shape[1]):
        if GATES[clifford, k] >= 0:
            _gate(wire, GATES[clifford, k], target, ends)
            target[7][ends[0] - 1] = label
    now[wire] = COMPOSE[now[wire], clifford]


@numba.njit(cache=True)
def _rotate(wire: int, letter: int, angle: float, symbol: int, now: Any, label: int, target: Any, ends: Any) -> None:
    """Append a rotation about a letter as RX, RY, RZ or a named gate; Paulis and quarter turns too."""
    value, base = target[4], target[5]
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
        target[7][ends[0] - 1] = label
        if _NUM_PARAMS[op]:
            value[ends[2]] = sign * angle
            base[ends[2]] = symbol
            ends[2] += 1
        return


@numba.njit(cache=True)
def _copy(old: int, source: Any, target: Any, ends: Any) -> None:
    """Append a row of the circuit as it is."""
    q_off, qubits, p_off, params, expr, source_code = source
    code, origin, width, wires, value, base, row, label = target
    n = ends[0]
    code[n] = source_code[old]
    origin[n] = -1
    width[n] = q_off[old + 1] - q_off[old]
    row[n] = old
    label[n] = -1
    for k in range(q_off[old], q_off[old + 1]):
        wires[ends[1]] = qubits[k]
        ends[1] += 1
    for k in range(p_off[old], p_off[old + 1]):
        value[ends[2]] = params[k] if expr[k] < 0 else 1.0
        base[ends[2]] = expr[k]
        ends[2] += 1
    ends[0] += 1


@numba.njit(cache=True)
def _copy_turns(last: int, stop: int, turns: Any, source: Any, target: Any, ends: Any) -> None:
    """Copy the chain of Cliffords behind `stop` up to `last`."""
    turn_row, turn_last = turns
    depth = 0
    at = last
    while at != stop:
        depth += 1
        at = turn_last[at]
    for k in range(depth):
        at = last
        for _ in range(depth - 1 - k):
            at = turn_last[at]
        _copy(turn_row[at], source, target, ends)


@numba.njit(cache=True)
def _arrive(leg: int, fresh: bool, now: Any, legs: Any, turns: Any, source: Any, target: Any, ends: Any) -> None:
    """Bring a wire to the frame before the instruction of a leg, by the source's own Cliffords where these do."""
    leg_wire, leg_start, leg_before = legs[1], legs[6], legs[8]
    wire = leg_wire[leg]
    if fresh:
        _copy_turns(leg_before[leg], -1, turns, source, target, ends)
        now[wire] = leg_start[leg]
    else:
        _turn_to(wire, BETWEEN[now[wire], leg_start[leg]], now, -1, target, ends)


@numba.njit(cache=True)
def write_rows(
    order: Any, number: Any, start_leg: Any, items: Any, legs: Any, turns: Any, last_of: Any, source: Any, target: Any
) -> Any:
    """Turn items into rows.

    What belongs to no block is copied, with the Cliffords of the source around it where these still fit. On each wire
    a block begins in the frame before the first instruction that it replaces there.

    Args:
        order: living items in the order in which they are to be written, blocks in one piece.
        number: (items,) block of each item, or -1.
        start_leg: (legs,) for legs of blocks the leg of the old circuit with which the block begins on that wire.
        items: columns kind, row, base, angle, first leg, and the quaternions of LOCAL items.
        legs: columns item, wire, letter, frame, next leg of the item, frame before its row, frame before its
            instruction, last Clifford before it, before its instruction, of its instruction after it; leg before it.
        turns: columns of Cliffords: row, the one before.
        last_of: columns by wire: last leg, last Clifford behind it, frame at the end.
        source: columns qubit_offsets, qubits, param_offsets, params, param_expr, code of the circuit.
        target: output columns code, item (-1: none), width, wires, value, base, row copied (-1: none), block (-1).

    Returns:
        (3,) rows, wires and parameters written.
    """
    kind, item_row, item_base, item_angle, first, quaternions_ = items
    _, leg_wire, leg_letter, leg_frame, leg_next, leg_in, _, leg_lead, leg_before, leg_trail, old_before = legs
    code, origin, width, wires, value, base, row, label = target
    top = len(last_of[0])
    now = np.zeros(top, np.int8)
    block = np.full(top, -1, np.int64)
    last = np.full(top, -1, np.int64)
    ends = np.zeros(3, np.int64)
    new_code = np.zeros(2, np.int64)
    new_params = np.zeros((2, 3), np.float64)
    for i in order:
        what = kind[i]
        mine = number[i]
        if mine < 0:
            leg = first[i]
            while leg >= 0:
                wire = leg_wire[leg]
                _arrive(leg, last[wire] == old_before[leg], now, legs, turns, source, target, ends)
                _copy_turns(leg_lead[leg], leg_before[leg], turns, source, target, ends)
                leg = leg_next[leg]
            _copy(item_row[i], source, target, ends)
            origin[ends[0] - 1] = i
            leg = first[i]
            while leg >= 0:
                wire = leg_wire[leg]
                _copy_turns(leg_trail[leg], -1, turns, source, target, ends)
                now[wire] = _after_trail(leg, leg_frame, leg_trail, turns, source)
                last[wire] = leg
                leg = leg_next[leg]
            continue
        size = 0
        leg = first[i]
        while leg >= 0:
            wire = leg_wire[leg]
            if block[wire] != mine:
                block[wire] = mine
                begin = start_leg[leg]
                _arrive(begin, last[wire] == old_before[begin], now, legs, turns, source, target, ends)
            last[wire] = -2
            size += 1
            leg = leg_next[leg]
        leg = first[i]
        if what == ROTATION and item_base[i] < 0 and abs(item_angle[i]) == _PI:
            while leg >= 0:
                now[leg_wire[leg]] = PAULI[now[leg_wire[leg]], abs(leg_letter[leg])]
                leg = leg_next[leg]
            continue
        if what == ROTATION and size == 1:
            _rotate(leg_wire[leg], leg_letter[leg], item_angle[i], item_base[i], now, mine, target, ends)
            continue
        if what == LOCAL:
            wire = leg_wire[leg]
            _turn_to(wire, BETWEEN[now[wire], 0], now, mine, target, ends)
            w, x, y, z = quaternions_[item_row[i]]
            found = synthesise(w, x, y, z, new_code, new_params)
            for k in range(found):
                _gate(wire, new_code[k], target, ends)
                label[ends[0] - 1] = mine
                for j in range(_NUM_PARAMS[new_code[k]]):
                    value[ends[2]] = new_params[k, j]
                    base[ends[2]] = -1
                    ends[2] += 1
            continue
        if what == FIXED:
            _turn_to(leg_wire[leg], BETWEEN[now[leg_wire[leg]], leg_in[leg]], now, mine, target, ends)
            _copy(item_row[i], source, target, ends)
            now[leg_wire[leg]] = leg_frame[leg]
            label[ends[0] - 1] = mine
            continue
        while leg >= 0:
            wire = leg_wire[leg]
            _turn_to(wire, TO_Z[now[wire], leg_letter[leg] + 3], now, mine, target, ends)
            leg = leg_next[leg]
        n = ends[0]
        origin[n] = i
        width[n] = size
        row[n] = -1
        label[n] = mine
        leg = first[i]
        while leg >= 0:
            wires[ends[1]] = leg_wire[leg]
            ends[1] += 1
            leg = leg_next[leg]
        code[n] = _PARITY if what == ROTATION else _MCP
        value[ends[2]] = item_angle[i]
        base[ends[2]] = item_base[i]
        ends[2] += 1
        ends[0] += 1
    for wire in range(top):
        if last[wire] == last_of[0][wire]:
            _copy_turns(last_of[1][wire], -1, turns, source, target, ends)
        else:
            _turn_to(wire, BETWEEN[now[wire], last_of[2][wire]], now, -1, target, ends)
    return ends


@numba.njit(cache=True)
def _after_trail(leg: int, leg_frame: Any, leg_trail: Any, turns: Any, source: Any) -> int:
    """The frame behind the Cliffords of the leg's own instruction."""
    turn_row, turn_last = turns
    code, p_off, params = source[5], source[2], source[3]
    depth = 0
    at = leg_trail[leg]
    while at >= 0:
        depth += 1
        at = turn_last[at]
    frame = leg_frame[leg]
    for k in range(depth):
        at = leg_trail[leg]
        for _ in range(depth - 1 - k):
            at = turn_last[at]
        frame = COMPOSE[frame, _clifford_of(turn_row[at], code, p_off, params)]
    return frame


@numba.njit(cache=True)
def _clifford_of(row: int, code: Any, p_off: Any, params: Any) -> int:
    """Which Clifford a one-qubit row is that `read_rows` found to be one."""
    op, at = code[row], p_off[row]
    if op < NUM_NAMED:
        return STEP[0, op]
    if op == _U:
        w, x, y, z = of_gate(op, params[at], params[at + 1], params[at + 2])
        clifford, _, _ = _split(w, x, y, z)
        return clifford
    axis = 1 if op == _RX else (2 if op == _RY else 3)
    return _TURN[axis, int(round(params[at] / (_PI / 2)) % 4)]


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
