"""Takes rows out of the columns of a circuit and puts others in, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.control import conjugations
from distq.circuit.logical import NO_ORIGIN, LogicalCircuit, WitnessRow
from distq.ops import NUM_PARAMS
from distq.rewrite.edit import flat, offsets_of

Swaps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Insertion:
    """Rows that are put before row `at`, in the wires of the old circuit.

    Attributes:
        at: row of the old circuit; its length is the end.
        rows: what is put there.
        guard: index into the circuit's guards, or -1. Rows that cancel when it is false go without it.
        origin: of the new rows.
        swaps: pairs of wires that change names behind these rows, one pair after the other.
    """

    at: int
    rows: Sequence[WitnessRow]
    guard: int = -1
    origin: int = NO_ORIGIN
    swaps: Swaps = ()


def splice(
    circuit: LogicalCircuit, removed: NDArray[np.bool_], insertions: Sequence[Insertion], origin: NDArray[np.int32]
) -> tuple[LogicalCircuit, list[NDArray[np.int32]]]:
    """The circuit without the removed rows and with the new ones.

    Args:
        circuit: the old circuit.
        removed: (N,) which rows are taken out.
        insertions: by `at`, those with the same `at` in the order in which they are to stand.
        origin: (N,) of the old rows, or empty if origins are not tracked.

    Returns:
        The new circuit, and for each insertion the names of the old wires just before its swaps, for all wires (one
        and the same array for all that come before the first swap).
    """
    kept = np.flatnonzero(~removed)
    new, expressions = _columns(insertions, list(circuit.expressions))
    new_at = np.repeat(np.array([i.at for i in insertions], np.int64), [len(i.rows) for i in insertions])
    keys = np.concatenate([2 * new_at, 2 * kept + 1])
    order = np.argsort(keys, kind="stable")
    old_qubits, old_params = flat(circuit.qubit_offsets, kept), flat(circuit.param_offsets, kept)
    code = np.concatenate([new["code"], circuit.code[kept]])[order]
    width = np.concatenate([new["width"], circuit.arity[kept]])
    qubits = np.concatenate([new["qubits"], circuit.qubits[old_qubits]])[flat(offsets_of(width), order)]
    count = np.concatenate([new["count"], np.diff(circuit.param_offsets)[kept]])
    at = flat(offsets_of(count), order)
    expr = np.concatenate([new["expr"], circuit.param_expr[old_params]])[at]
    used = np.unique(expr[expr >= 0])
    renumber = np.full(len(expressions) + 1, -1, np.int32)
    renumber[used] = np.arange(len(used))
    qubit_offsets = offsets_of(width[order])
    qubits, names, last = _rename(circuit, qubits, qubit_offsets, insertions, kept)
    keys = keys[order]
    ends = {a: int(np.searchsorted(keys, 2 * a)) for block in circuit.blocks for a in block[:2]}
    ends[len(circuit)] = len(code)
    result = replace(
        circuit,
        code=code,
        qubit_offsets=qubit_offsets,
        qubits=qubits,
        param_offsets=offsets_of(count[order]),
        params=np.concatenate([new["params"], circuit.params[old_params]])[at],
        param_expr=renumber[expr],
        guard=np.concatenate([new["guard"], circuit.guard[kept]])[order],
        bit=np.concatenate([np.full(len(new_at), -1, np.int32), circuit.bit[kept]])[order],
        expressions=tuple(expressions[k] for k in used),
        output_wire=last[circuit.output_wire],
        blocks=tuple((ends[a], ends[b], n) for a, b, n in circuit.blocks),
        origin=np.concatenate([new["origin"], origin[kept]])[order] if len(origin) else origin,
    )
    return result, names


def _columns(insertions: Sequence[Insertion], expressions: list[Any]) -> tuple[dict[str, NDArray[Any]], list[Any]]:
    """Columns of all new rows; their symbolic parameters are appended to `expressions`."""
    code = bytearray()
    width, qubits, expr, guard, origin = (list[int]() for _ in range(5))
    params: list[float] = []
    for insertion in insertions:
        rows, g = insertion.rows, insertion.guard
        free = conjugations(list(rows)) if g >= 0 and len(rows) > 1 else ()
        guard += [-1 if k in free else g for k in range(len(rows))] if free else [g] * len(rows)
        origin += [insertion.origin] * len(rows)
        for row_code, wires, values in rows:
            code.append(row_code)
            width.append(len(wires))
            qubits += wires
            for value in values:
                if isinstance(value, (int, float)):
                    params.append(float(value))
                    expr.append(-1)
                else:
                    params.append(float("nan"))
                    expr.append(len(expressions))
                    expressions.append(value)
    codes = np.frombuffer(bytes(code), np.uint8)
    columns: dict[str, NDArray[Any]] = {
        "code": codes,
        "width": np.array(width, np.int64),
        "qubits": np.array(qubits, np.int32),
        "count": np.array(NUM_PARAMS, np.int64)[codes],
        "params": np.array(params, np.float64),
        "expr": np.array(expr, np.int32),
        "guard": np.array(guard, np.int32),
        "origin": np.array(origin, np.int32),
    }
    return columns, expressions


def _rename(
    circuit: LogicalCircuit,
    qubits: NDArray[np.int32],
    offsets: NDArray[np.int64],
    insertions: Sequence[Insertion],
    kept: NDArray[np.int64],
) -> tuple[NDArray[np.int32], list[NDArray[np.int32]], NDArray[np.int32]]:
    """Carry out the swaps: the new flat wires, the names before each insertion's swaps, and those at the end."""
    name = np.arange(circuit.num_qubits, dtype=np.int32)
    if not any(i.swaps for i in insertions):
        return qubits, [name] * len(insertions), name
    before = np.searchsorted(kept, [i.at for i in insertions]).tolist()
    result, names, start, done = qubits.copy(), [], 0, 0
    for insertion, old in zip(insertions, before):
        done += len(insertion.rows)
        names.append(name)
        if insertion.swaps:
            stop = int(offsets[old + done])
            result[start:stop] = name[qubits[start:stop]]
            start, name = stop, name.copy()
            for a, b in insertion.swaps:
                name[a], name[b] = int(name[b]), int(name[a])
    result[start:] = name[qubits[start:]]
    return result, names, name
