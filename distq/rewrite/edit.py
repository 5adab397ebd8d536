"""Takes rows out of the columns of a normalised circuit and puts others in, with guards and bits of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import NO_ORIGIN, LogicalCircuit
from distq.ops import NUM_PARAMS, Conjunction


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to put before row `at` of the old circuit; a parameter is a float [rad] or a ParameterExpression."""

    at: int
    code: int
    wires: tuple[int, ...]
    params: tuple[Any, ...] = ()
    guard: Conjunction = ()
    bit: int = -1


def angle_of(circuit: LogicalCircuit, row: int) -> Any:
    """The first parameter of a row: a float [rad] or a ParameterExpression."""
    at = int(circuit.param_offsets[row])
    symbol = int(circuit.param_expr[at])
    return circuit.expressions[symbol] if symbol >= 0 else float(circuit.params[at])


def guard_of(circuit: LogicalCircuit, row: int) -> Conjunction:
    """The guard of a row; empty: always."""
    guard = int(circuit.guard[row])
    return circuit.guards[guard] if guard >= 0 else ()


def conjoin(a: Conjunction, b: Conjunction) -> Conjunction | None:
    """Both, sorted and without repetitions; None if they exclude each other."""
    both = dict(a)
    for bit, value in b:
        if both.setdefault(bit, value) != value:
            return None
    return tuple(sorted(both.items()))


def edit(circuit: LogicalCircuit, removed: NDArray[np.bool_], new: Sequence[NewRow]) -> LogicalCircuit:
    """The circuit without the removed rows and with the new ones.

    Args:
        circuit: the old circuit.
        removed: (N,) which rows go.
        new: rows to put in; those with the same `at` stand in the order given. They have no origin.
    """
    kept = np.flatnonzero(~removed)
    guards = dict(zip(circuit.guards, range(len(circuit.guards))))
    expressions = list(circuit.expressions)
    params: list[float] = []
    symbols: list[int] = []
    for value in (v for row in new for v in row.params):
        number = isinstance(value, (int, float))
        params.append(float(value) if number else float("nan"))
        symbols.append(-1 if number else len(expressions))
        if not number:
            expressions.append(value)
    code = np.array([r.code for r in new], np.uint8)
    width = np.array([len(r.wires) for r in new], np.int64)
    guard = np.array([guards.setdefault(r.guard, len(guards)) if r.guard else -1 for r in new], np.int32)
    keys = np.concatenate([2 * np.array([r.at for r in new], np.int64), 2 * kept + 1])
    order = np.argsort(keys, kind="stable")
    wires = np.array([q for r in new for q in r.wires], np.int32)
    widths = np.concatenate([width, circuit.arity[kept]])
    counts = np.concatenate([np.array(NUM_PARAMS, np.int64)[code], np.diff(circuit.param_offsets)[kept]])
    pins, values = flat(circuit.qubit_offsets, kept), flat(circuit.param_offsets, kept)
    at = flat(offsets_of(counts), order)
    expr = np.concatenate([np.array(symbols, np.int32), circuit.param_expr[values]])[at]
    used = np.unique(expr[expr >= 0])
    renumber = np.full(len(expressions) + 1, -1, np.int32)
    renumber[used] = np.arange(len(used))
    sorted_keys = keys[order]
    before = np.concatenate([np.full(len(new), -1, np.int32), _wide_numbers(circuit)[kept]])[order]
    origin = circuit.origin
    if len(origin) == len(circuit):
        origin = np.concatenate([np.full(len(new), NO_ORIGIN, np.int32), origin[kept]])[order]
    return replace(
        circuit,
        code=np.concatenate([code, circuit.code[kept]])[order],
        qubit_offsets=offsets_of(widths[order]),
        qubits=np.concatenate([wires, circuit.qubits[pins]])[flat(offsets_of(widths), order)],
        param_offsets=offsets_of(counts[order]),
        params=np.concatenate([np.array(params, np.float64), circuit.params[values]])[at],
        param_expr=renumber[expr],
        guard=np.concatenate([guard, circuit.guard[kept]])[order],
        bit=np.concatenate([np.array([r.bit for r in new], np.int32), circuit.bit[kept]])[order],
        guards=tuple(guards),
        expressions=tuple(expressions[k] for k in used),
        blocks=tuple(
            (int(np.searchsorted(sorted_keys, 2 * a)) if a else 0, _end(sorted_keys, b, len(circuit)), n)
            for a, b, n in circuit.blocks
        ),
        origin=origin,
        wide_before=before[widths[order] > 1],
    )


def _wide_numbers(circuit: LogicalCircuit) -> NDArray[np.int32]:
    """(N,) `wide_before` of each row that is a gate on two or more qubits, else -1."""
    wide = circuit.arity > 1
    result = np.full(len(circuit), -1, np.int32)
    result[wide] = np.arange(np.count_nonzero(wide)) if circuit.wide_before is None else circuit.wide_before
    return result


def _end(keys: NDArray[np.int64], row: int, rows: int) -> int:
    """The new number of the row where a block ends."""
    return len(keys) if row == rows else int(np.searchsorted(keys, 2 * row))


def flat(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in a flat column of the entries of these rows."""
    lengths = offsets[rows + 1] - offsets[rows]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(offsets[rows] - (ends - lengths), lengths)


def offsets_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of several entries of these lengths begins in a flat column, and where the last one ends."""
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result
