"""Logical circuits become Qiskit circuits again, for tests and for looking at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distq.circuit.conditions import evaluate
from distq.circuit.logical import LogicalCircuit
from distq.circuit.rows import MCP, PARITY, PI
from distq.ops import NUM_ONE_QUBIT, Op

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def to_qiskit(circuit: LogicalCircuit) -> QuantumCircuit:
    """The circuit in Qiskit's gates, with the source's qubits in their places at the end.

    Args:
        circuit: in normal form. Guards become nested `if_test`; PARITY rows on three or more qubits CX gates around an
            RZ; the relabelling `output_wire` a permutation at the end.

    Returns:
        A circuit with one classical bit for each bit version, in a register `v`; `clbit_values` gives the classical
        bits of the source from them.
    """
    from qiskit import ClassicalRegister, QuantumCircuit
    from qiskit.circuit.library import PermutationGate

    result = QuantumCircuit(circuit.num_qubits, name=circuit.name, global_phase=circuit.global_phase)
    bits = ClassicalRegister(len(circuit.bit_clbit), "v")
    if len(bits):
        result.add_register(bits)
    for start, stop, count in circuit.blocks:
        for _ in range(count):
            for row in range(start, stop):
                _add_row(result, circuit, row)
    order = [int(w) for w in circuit.output_wire]
    if order != list(range(circuit.num_qubits)):
        result.append(PermutationGate(order), range(circuit.num_qubits))
    return result


def _add_row(result: QuantumCircuit, circuit: LogicalCircuit, row: int) -> None:
    from contextlib import ExitStack

    code = int(circuit.code[row])
    qubits = circuit.qubits[circuit.qubit_offsets[row] : circuit.qubit_offsets[row + 1]].tolist()
    params: list[Any] = []
    for k in range(int(circuit.param_offsets[row]), int(circuit.param_offsets[row + 1])):
        expression = int(circuit.param_expr[k])
        params.append(float(circuit.params[k]) if expression < 0 else circuit.expressions[expression])
    guard = circuit.guards[circuit.guard[row]] if circuit.guard[row] >= 0 else ()
    with ExitStack() as stack:
        for version, value in guard:
            stack.enter_context(result.if_test((result.clbits[version], value)))
        _add_gate(result, code, qubits, params, int(circuit.bit[row]))


def _add_gate(result: QuantumCircuit, code: int, qubits: list[int], params: list[Any], bit: int) -> None:
    if code < NUM_ONE_QUBIT:
        getattr(result, Op(code).name.lower())(*params, *qubits)
    elif code == MCP:
        if len(qubits) == 2 and params[0] == PI:
            result.cz(*qubits)
        else:
            result.mcp(params[0], qubits[:-1], qubits[-1])
    elif code == PARITY:
        last = qubits[-1]
        if len(qubits) == 2:
            result.rzz(params[0], *qubits)
            return
        for q in qubits[:-1]:
            result.cx(q, last)
        result.rz(params[0], last)
        for q in reversed(qubits[:-1]):
            result.cx(q, last)
    elif code == Op.MEASURE:
        result.measure(qubits[0], bit)
    elif code == Op.RESET:
        result.reset(qubits[0])
    else:
        raise ValueError(f"a logical circuit has no operation {Op(code).name}")


def clbit_values(circuit: LogicalCircuit, versions: Sequence[int]) -> list[int]:
    """The classical bits of the source, given the value of each bit version."""
    return [evaluate(entries, versions) for entries in circuit.clbit_values]
