"""The canonical form of a distributed program: what reading its files gives back.

Rows are merged from the modules' own sequences by one rule: always the lowest-numbered module that can proceed. A
Bell pair is one event of two modules; a message is sent right after the measurement of its bit, and can be read from
then on. Qubits, bits, guards and expressions are numbered in an order that follows from the files alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import InputError
from distq.ops import Conjunction, DecisionList, Op
from distq.program.check import check_program, flatten_guards
from distq.program.expressions import ExpressionWriter, parameter_names, parse
from distq.program.types import COMM, DATA, MEASURED, RECEIVED, DistributedProgram

Int64 = NDArray[np.int64]


class DeadlockError(InputError):
    """No module can proceed; `waiting` holds (module, row) of every module that has not reached its end."""

    def __init__(self, message: str, waiting: list[tuple[int, int]]) -> None:
        super().__init__(message)
        self.waiting = waiting


def canonical(program: DistributedProgram) -> DistributedProgram:
    """The same program in canonical form; `load_program` of a saved program gives exactly this.

    Raises:
        InputError: the program is not well formed, or deadlocked.
    """
    check_program(program)
    return arrange(program, *sequences(program))[0]


def sequences(program: DistributedProgram) -> tuple[Int64, Int64]:
    """(offsets, rows): the rows of every module in its own order, Bell pairs in both modules, without SEND."""
    rows = np.flatnonzero(program.code != Op.SEND)
    epr = np.flatnonzero(program.code == Op.EPR)
    partner = program.qubit_module[program.qubits[program.qubit_offsets[epr] + 1]]
    module = np.concatenate([program.row_module()[rows], partner])
    both = np.concatenate([rows, epr])
    order = np.lexsort((both, module))
    offsets = np.searchsorted(module[order], np.arange(len(program.network.modules) + 1))
    return offsets.astype(np.int64), both[order].astype(np.int64)


def arrange(program: DistributedProgram, offsets: Int64, rows: Int64) -> tuple[DistributedProgram, Int64]:
    """Merge the modules' sequences and number everything canonically.

    Args:
        program: well formed; the order of its rows does not matter, but for several messages that take one bit.
        offsets: (k+1,) where each module's sequence begins in `rows`.
        rows: rows of each module in its own order; a Bell pair is in two sequences, SEND rows are in none.

    Returns:
        The program, and for each of its rows the row of `program` that it was.

    Raises:
        DeadlockError: no module can proceed.
        InputError: a message takes a bit that is never measured.
    """
    order = _merged(program, offsets, rows)
    qubit_map, qubit_tables = _number_qubits(program)
    bit_map, bit_tables, origin = _number_bits(program, order)
    guard, guards = _renumber_guards(program, program.guard[order], bit_map)
    qubit_offsets, at = _gather(program.qubit_offsets, order)
    param_offsets, param_at = _gather(program.param_offsets, order)
    params, param_expr, expressions = _renumber_expressions(
        program, program.params[param_at], program.param_expr[param_at]
    )
    code = program.code[order]
    tag = program.tag[order]
    send = np.flatnonzero(code == Op.SEND)
    if len(send):
        # A message has no line of its own: it carries the tag of its measurement.
        measure = np.maximum.accumulate(np.where(code == Op.SEND, -1, np.arange(len(code))))
        tag[send] = tag[measure[send]]
    # The entry behind the last bit keeps -1 as it is.
    bits = np.append(bit_map, -1).astype(np.int32)
    result = replace(
        program,
        code=code,
        qubit_offsets=qubit_offsets,
        qubits=qubit_map[program.qubits[at]],
        param_offsets=param_offsets,
        params=params,
        param_expr=param_expr,
        guard=guard,
        bit=bits[program.bit[order]],
        bit2=bits[program.bit2[order]],
        link=program.link[order],
        tag=tag,
        exchange=program.exchange[order],
        guards=guards,
        input_qubit=qubit_map[program.input_qubit],
        output_qubit=qubit_map[program.output_qubit],
        clbit_values=tuple(_resolved(c, v, origin, bit_map) for c, v in enumerate(program.clbit_values)),
        expressions=expressions,
        global_phase=_phase(program),
        **qubit_tables,
        **bit_tables,
    )
    return result, order


def _merged(program: DistributedProgram, offsets: Int64, rows: Int64) -> Int64:
    from distq.program.kernels import merge

    guard_offsets, guard_bits = flatten_guards(program)
    code = program.code
    first = np.full(len(program), -1, np.int32)
    second = first.copy()
    epr = np.flatnonzero(code == Op.EPR)
    first[epr] = program.qubit_module[program.qubits[program.qubit_offsets[epr]]]
    second[epr] = program.qubit_module[program.qubits[program.qubit_offsets[epr] + 1]]
    send = np.flatnonzero(code == Op.SEND)
    by_bit = send[np.argsort(program.bit[send], kind="stable")]
    send_offsets = np.searchsorted(program.bit[by_bit], np.arange(program.num_bits + 1)).astype(np.int64)
    order, count, cursor = merge(
        offsets,
        rows,
        code,
        program.guard,
        guard_offsets,
        guard_bits,
        first,
        second,
        program.bit,
        program.bit2,
        send_offsets,
        by_bit.astype(np.int64),
        program.num_bits,
    )
    waiting = [(m, int(rows[c])) for m, c in enumerate(cursor) if c < offsets[m + 1]]
    if waiting:
        names = ", ".join(
            f"{program.network.modules[m].name!r} before row {row} ({Op(program.code[row]).name})"
            for m, row in waiting[:4]
        )
        more = f" and {len(waiting) - 4} more" if len(waiting) > 4 else ""
        raise DeadlockError(
            f"the distributed program is deadlocked: these modules wait for ever: {names}{more}", waiting
        )
    if count < len(program):
        missing = np.setdiff1d(send, order[:count])
        raise InputError(
            f"the distributed program is not well formed: row {int(missing[0])} (SEND) sends a bit that is never "
            "measured"
        )
    return order


def _gather(offsets: Int64, order: Int64) -> tuple[Int64, Int64]:
    """New offsets, and the positions in the old flat array, when rows are taken in this order."""
    lengths = np.diff(offsets)[order]
    new = np.zeros(len(order) + 1, np.int64)
    np.cumsum(lengths, out=new[1:])
    return new, np.arange(new[-1]) + np.repeat(offsets[:-1][order] - new[:-1], lengths)


def declared_sizes(program: DistributedProgram) -> tuple[Int64, Int64]:
    """((k,) data, (k,) communication qubits) that each module file declares.

    Data: all that the module has. Communication: none if no statement uses one, else all that the module has, or those
    up to the last that is used where there is no limit. A program that names more qubits than there are declares them.
    """
    k = len(program.network.modules)
    used = np.zeros(program.num_physical, np.bool_)
    for qubits in (program.qubits, program.input_qubit, program.output_qubit):
        used[qubits] = True
    highest = np.zeros((2, k), np.int64)
    np.maximum.at(highest, (program.qubit_role[used], program.qubit_module[used]), program.qubit_index[used] + 1)
    limits = np.array([0 if m.comm is None else m.comm for m in program.network.modules], np.int64)
    data = np.maximum(program.network.data_array, highest[DATA])
    comm = np.where(highest[COMM] > 0, np.maximum(limits, highest[COMM]), 0)
    return data, comm


def _number_qubits(program: DistributedProgram) -> tuple[NDArray[np.int32], dict[str, Any]]:
    """The new number of every qubit that is used, and the new tables: module by module, data before communication."""
    data, comm = declared_sizes(program)
    base = np.zeros(len(data) + 1, np.int64)
    np.cumsum(data + comm, out=base[1:])
    module, role, index = program.qubit_module, program.qubit_role, program.qubit_index
    number = base[module] + np.where(role == COMM, data[module], 0) + index
    within = np.arange(base[-1]) - np.repeat(base[:-1], data + comm)
    data_of = np.repeat(data, data + comm)
    tables = {
        "qubit_module": np.repeat(np.arange(len(data)), data + comm).astype(np.int32),
        "qubit_role": np.where(within < data_of, DATA, COMM).astype(np.uint8),
        "qubit_index": np.where(within < data_of, within, within - data_of).astype(np.int32),
    }
    return number.astype(np.int32), tables


def _number_bits(program: DistributedProgram, order: Int64) -> tuple[Int64, dict[str, Any], Int64]:
    """The new number of every written bit (else -1), the new tables, and the measured bit that each bit comes from.

    Bits are numbered module by module: measured bits in the order of measurement, then received bits as they arrive.
    """
    code = program.code[order]
    measured = program.bit[order][code == Op.MEASURE]
    sends = code == Op.SEND
    received = program.bit2[order][sends]
    written = np.concatenate([measured, received]).astype(np.int64)
    kind = np.repeat([MEASURED, RECEIVED], [len(measured), len(received)])
    module = program.bit_module[written]
    place = np.lexsort((np.arange(len(written)), kind, module))
    new = np.full(program.num_bits, -1, np.int64)
    new[written[place]] = np.arange(len(written))
    group = module[place].astype(np.int64) * 2 + kind[place]
    start = np.searchsorted(group, group)
    tables = {
        "bit_module": module[place].astype(np.int32),
        "bit_kind": kind[place].astype(np.uint8),
        "bit_index": (np.arange(len(written)) - start).astype(np.int32),
    }
    origin = np.arange(program.num_bits)
    origin[received] = program.bit[order][sends]
    return new, tables, origin


def _resolved(clbit: int, entries: DecisionList, origin: Int64, number: Int64) -> DecisionList:
    def bit(old: int) -> int:
        found = int(number[origin[old]])
        if found < 0:
            raise InputError(f"the value of classical bit {clbit} names a program bit that is never measured")
        return found

    return tuple(
        (tuple((bit(b), int(value)) for b, value in conjunction), -1 if target == -1 else bit(target))
        for conjunction, target in entries
    )


def _renumber_guards(
    program: DistributedProgram, column: NDArray[np.int32], number: Int64
) -> tuple[NDArray[np.int32], tuple[Conjunction, ...]]:
    """Guards in the order of their first use, each once; the empty conjunction is no guard."""
    used, first = np.unique(column, return_index=True)
    used = used[np.argsort(first)]
    new = np.full(len(program.guards) + 1, -1, np.int32)
    found: dict[Conjunction, int] = {}
    # Plain lists: indexing them is ten times faster than indexing arrays.
    to = number.tolist()
    for g in used.tolist():
        if g < 0 or not program.guards[g]:
            continue
        conjunction = tuple((to[b], int(value)) for b, value in program.guards[g])
        new[g] = found.setdefault(conjunction, len(found))
    return new[column], tuple(found)


def _renumber_expressions(
    program: DistributedProgram, params: NDArray[np.float64], column: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32], tuple[Any, ...]]:
    """Expressions in the order of their first use, each text once; expressions without parameters become numbers."""
    if not len(column) or column.max() < 0:
        return params, column, ()
    writer = ExpressionWriter(parameter_names((*program.expressions, program.global_phase)))
    params, column = params.copy(), column.copy()
    params[column >= 0] = np.nan
    used, first = np.unique(column, return_index=True)
    new = np.full(len(program.expressions) + 1, -1, np.int32)
    value = np.full(len(program.expressions) + 1, np.nan)
    found: dict[str, int] = {}
    kept = []
    for g in used[np.argsort(first)].tolist():
        if g < 0:
            continue
        expression = program.expressions[g]
        text = _text(writer, expression)
        if not isinstance(text, str):
            value[g] = text
            continue
        if text not in found:
            found[text] = len(found)
            kept.append(_reduced(writer, expression, text))
        new[g] = found[text]
    symbolic = column >= 0
    params[symbolic] = value[column[symbolic]]
    return params, new[column], tuple(kept)


def _text(writer: ExpressionWriter, expression: Any) -> str | float:
    """The text of an expression, or its value if it does not depend on a parameter."""
    if not getattr(expression, "parameters", None):
        return _real(expression)
    try:
        text = writer.text(expression)
        return text if writer.names_in(text) else _real(parse(text, {}))
    except ValueError as error:
        raise InputError(f"the angle {str(expression)[:80]!r} cannot be used: {error}") from error


def _phase(program: DistributedProgram) -> Any:
    phase = program.global_phase
    writer = ExpressionWriter(parameter_names((*program.expressions, phase)))
    text = _text(writer, phase)
    return _reduced(writer, phase, text) if isinstance(text, str) else text


def _reduced(writer: ExpressionWriter, expression: Any, text: str) -> Any:
    """The expression without parameters that its text has not (`a + b * 0`), which files could not bring back."""
    own = {writer.identifier(p.name): p for p in expression.parameters}
    return expression if writer.names_in(text) == set(own) else parse(text, own)


def _real(expression: Any) -> float:
    try:
        value = float(expression)
    except (TypeError, ValueError) as error:
        raise InputError(f"the angle {expression} is not a real number") from error
    if not np.isfinite(value):
        raise InputError(f"the angle {expression} is not a finite number")
    return value


def differences(a: DistributedProgram, b: DistributedProgram) -> list[str]:
    """Names of the fields in which two programs differ; expressions are compared as text, NaN equals NaN."""
    found = []
    for name in DistributedProgram.__dataclass_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if isinstance(x, np.ndarray):
            same = x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
        elif name in ("expressions", "global_phase"):
            same = _texts(x) == _texts(y)
        else:
            same = x == y
        if not same:
            found.append(name)
    return found


def _texts(value: Any) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    writer = ExpressionWriter(parameter_names(values))
    return [_text(writer, v) for v in values]
