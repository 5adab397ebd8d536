"""Is a distributed program well formed? Shapes, numbers and places only; whether it is right is `verify`'s business."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from distq.errors import InputError
from distq.ops import NUM_ONE_QUBIT, NUM_PARAMS, Op
from distq.program.types import COMM, MEASURED, RECEIVED, DistributedProgram

_ARITY = {Op.MEASURE: 1, Op.RESET: 1, Op.CX: 2, Op.SWAP: 2, Op.EPR: 2, Op.SEND: 0}


def flatten_guards(program: DistributedProgram) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(offsets, bits) of the program's guards."""
    offsets = np.zeros(len(program.guards) + 1, np.int64)
    np.cumsum([len(g) for g in program.guards], out=offsets[1:])
    return offsets, np.array([bit for g in program.guards for bit, _ in g], np.int64)


def check_program(program: DistributedProgram) -> None:
    """Refuse a program whose columns contradict each other or the network.

    Raises:
        InputError: names the first row that is wrong.
    """
    _check_tables(program)
    _check_rows(program)
    _check_bits(program)
    _check_source(program)


def _fail(problem: str) -> NoReturn:
    raise InputError(f"the distributed program is not well formed: {problem}")


def _first(program: DistributedProgram, wrong: NDArray[np.bool_], problem: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        code = int(program.code[row])
        name = Op(code).name if code in Op._value2member_map_ else f"code {code}"
        _fail(f"row {row} ({name}) {problem}")


def _outside(values: NDArray[np.int32], size: int) -> bool:
    return bool(len(values)) and bool(values.min() < 0 or values.max() >= size)


def _check_tables(program: DistributedProgram) -> None:
    k = len(program.network.modules)
    tables = (
        ("qubit", program.qubit_module, program.qubit_role, program.qubit_index),
        ("bit", program.bit_module, program.bit_kind, program.bit_index),
    )
    for what, module, kind, index in tables:
        if not len(module) == len(kind) == len(index):
            _fail(f"the columns of the {what} table differ in length")
        if _outside(module, k) or (len(kind) and kind.max() > 1) or (len(index) and index.min() < 0):
            _fail(f"the {what} table names a module, a kind or an index that does not exist")
        places = np.stack([module, kind, index])
        if np.unique(places, axis=1).shape[1] != len(module):
            _fail(f"two entries of the {what} table are the same place")


def _check_rows(program: DistributedProgram) -> None:
    n = len(program)
    if any(
        len(c) != n for c in (program.guard, program.bit, program.bit2, program.link, program.tag, program.exchange)
    ):
        _fail("its columns differ in length")
    for offsets, flat, what in (
        (program.qubit_offsets, program.qubits, "qubit"),
        (program.param_offsets, program.params, "parameter"),
    ):
        if len(offsets) != n + 1 or offsets[0] != 0 or offsets[-1] != len(flat) or (np.diff(offsets) < 0).any():
            _fail(f"its {what} offsets do not fit")
    if len(program.param_expr) != len(program.params):
        _fail("its parameter columns differ in length")
    code = program.code
    _first(program, code > max(Op), "is no operation")
    arity = np.diff(program.qubit_offsets)
    least, most = np.full(max(Op) + 1, 2), np.full(max(Op) + 1, 2**31)
    least[:NUM_ONE_QUBIT] = most[:NUM_ONE_QUBIT] = 1
    for op, size in _ARITY.items():
        least[op] = most[op] = size
    _first(program, (arity < least[code]) | (arity > most[code]), "has a wrong number of qubits")
    _first(
        program,
        np.diff(program.param_offsets) != np.array(NUM_PARAMS)[code],
        "has a wrong number of parameters",
    )
    if _outside(program.qubits, program.num_physical):
        _fail("a row acts on a qubit that is not in the qubit table")
    row = np.repeat(np.arange(n), arity)
    module = program.qubit_module[program.qubits]
    home = program.row_module()
    together = np.zeros(n, np.bool_)
    together[row[module != home[row]]] = True
    _first(program, together & (code != Op.EPR), "acts on qubits of several modules")
    key = np.sort(row * (program.num_physical + 1) + program.qubits)
    same = np.flatnonzero(key[1:] == key[:-1])
    if len(same):
        _fail(f"row {int(key[same[0]] // (program.num_physical + 1))} names a qubit twice")
    _check_pairs(program)
    _check_params(program)
    named = (program.exchange != -1) & (code == Op.RESET)
    _first(program, (program.exchange != -1) & (code != Op.CX) & ~named, "belongs to an exchange, but is no CX")
    _first(program, (program.exchange < -1) & ~named, "gives up a qubit, but is no RESET")
    _first(program, named & (program.guard >= 0), "begins or gives up a qubit under a condition")
    _first(program, program.exchange < -1 - program.num_qubits, "gives up a qubit that the source has not")
    if np.sort(program.exchange[named & (program.exchange >= 0)]).tolist() != list(range(len(program.births))):
        _fail("not every birth is one RESET row")


def _check_pairs(program: DistributedProgram) -> None:
    epr = program.code == Op.EPR
    _first(program, ~epr & (program.link != -1), "names a link, but makes no Bell pair")
    _first(program, epr & ((program.link < 0) | (program.link >= len(program.network.links))), "names no link")
    rows = np.flatnonzero(epr)
    a, b = program.qubits[program.qubit_offsets[rows]], program.qubits[program.qubit_offsets[rows] + 1]
    ends = program.network.link_ends[program.link[rows]]
    wrong = np.zeros(len(program), np.bool_)
    wrong[rows] = (program.qubit_module[a] != ends[:, 0]) | (program.qubit_module[b] != ends[:, 1])
    _first(program, wrong, "has qubits that do not lie at the ends of its link, in the order of the link")
    wrong[rows] = (program.qubit_role[a] != COMM) | (program.qubit_role[b] != COMM)
    _first(program, wrong, "makes a Bell pair on a data qubit")


def _check_params(program: DistributedProgram) -> None:
    symbolic = program.param_expr >= 0
    if (~np.isfinite(program.params[~symbolic])).any():
        at = int(np.flatnonzero(~symbolic & ~np.isfinite(program.params))[0])
        row = int(np.searchsorted(program.param_offsets, at, side="right")) - 1
        _fail(f"row {row} ({Op(program.code[row]).name}) has an angle that is not a finite number")
    if len(program.param_expr) and program.param_expr.max() >= len(program.expressions):
        _fail("a parameter refers to an expression that does not exist")


def _check_bits(program: DistributedProgram) -> None:
    code, bit, bit2 = program.code, program.bit, program.bit2
    measure, send = code == Op.MEASURE, code == Op.SEND
    size = program.num_bits
    _first(program, (measure | send) & ((bit < 0) | (bit >= size)), "names no bit")
    _first(program, ~(measure | send) & (bit != -1), "names a bit, but neither measures nor sends")
    _first(program, send & ((bit2 < 0) | (bit2 >= size)), "fills no bit")
    _first(program, ~send & (bit2 != -1), "fills a received bit, but sends nothing")
    home = program.row_module()
    for rows, bits, kind, own, what in (
        (measure, bit, MEASURED, True, "measures into a bit that is not one of its module's measured bits"),
        (send, bit, MEASURED, True, "sends a bit that was not measured"),
        (send, bit2, RECEIVED, False, "fills a bit that is not a received bit of another module"),
    ):
        wrong = np.zeros(len(program), np.bool_)
        found = bits[rows]
        wrong[rows] = (program.bit_kind[found] != kind) | ((program.bit_module[found] == home[rows]) != own)
        _first(program, wrong, what)
    for rows, bits in ((measure, bit), (send, bit2)):
        where = np.flatnonzero(rows)
        _, first = np.unique(bits[where], return_index=True)
        twice = np.zeros(len(program), np.bool_)
        twice[where] = True
        twice[where[first]] = False
        _first(program, twice, "writes a bit that another row writes; every bit is written once")
    _check_guards(program, home)


def _check_guards(program: DistributedProgram, home: NDArray[np.int32]) -> None:
    guard = program.guard
    _first(program, guard >= len(program.guards), "has a guard that does not exist")
    guarded = guard >= 0
    _first(
        program,
        guarded & np.isin(program.code, (Op.EPR, Op.SEND)),
        "depends on a condition, which is not possible",
    )
    offsets, bits = flatten_guards(program)
    if len(bits) and (bits.min() < 0 or bits.max() >= program.num_bits):
        _fail("a guard reads a bit that is not in the bit table")
    if any(value not in (0, 1) for g in program.guards for _, value in g):
        _fail("a guard compares a bit with something else than 0 or 1")
    # A guard's bits are all of one module, and the rows that have the guard lie there.
    modules = program.bit_module[bits]
    owner = np.full(len(program.guards), -1, np.int64)
    filled = np.diff(offsets) > 0
    owner[filled] = modules[offsets[:-1][filled]]
    mixed = np.repeat(owner, np.diff(offsets)) != modules
    if mixed.any():
        at = int(np.searchsorted(offsets, np.argmax(mixed), side="right")) - 1
        _fail(f"guard {at} reads bits of several modules")
    away = np.zeros(len(program), np.bool_)
    away[guarded] = filled[guard[guarded]] & (owner[guard[guarded]] != home[guarded])
    _first(program, away, "reads a bit of another module, which was not sent to it")


def _check_source(program: DistributedProgram) -> None:
    if len(program.input_qubit) != len(program.output_qubit):
        _fail("it has different numbers of input and output qubits")
    unborn = list(program.unborn)
    if unborn != sorted(set(unborn)) or any(not 0 <= q < program.num_qubits for q in unborn):
        _fail("'unborn' is not an increasing list of qubits of the source")
    if any(not 0 <= q < program.num_qubits for q in program.births):
        _fail("a qubit is born that the source has not")
    if program.unborn and program.start != "zero":
        _fail("qubits begin in |0>, but that is not promised")
    for qubits, what in ((program.input_qubit, "an input"), (program.output_qubit, "an output")):
        if _outside(qubits, program.num_physical):
            _fail(f"{what} lies on a qubit that is not in the qubit table")
    for c, entries in enumerate(program.clbit_values):
        if not entries or entries[-1][0]:
            _fail(f"the value of classical bit {c} does not end with an entry that always holds")
        for conjunction, bit in entries:
            named = [b for b, _ in conjunction] + ([bit] if bit != -1 else [])
            if any(not 0 <= b < program.num_bits for b in named):
                _fail(f"the value of classical bit {c} names a bit that is not in the bit table")
