"""Follows paths through Qiskit's circuits and compares rows with the instructions that they come from."""

import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ForLoopOp, IfElseOp
from qiskit.quantum_info import Operator

from distq.circuit.logical import CircuitBuilder
from distq.circuit.to_qiskit import to_qiskit
from distq.rewrite.blocks import witness_row


def follow(circuit, path):
    """(operation, positions of its qubits in the circuit) of the instruction with this path."""
    at, rest = path[0], path[1:]
    qubits = list(range(circuit.num_qubits))
    while True:
        item = circuit.data[at]
        index = {q: i for i, q in enumerate(circuit.qubits)}
        qubits = [qubits[index[q]] for q in item.qubits]
        operation = item.operation
        if not rest:
            return operation, qubits
        if isinstance(operation, ForLoopOp):
            values, parameter, body = operation.params
            number, at, rest = rest[0], rest[1], rest[2:]
            value = list(values)[number]
            circuit = body if parameter is None else body.assign_parameters({parameter: value}, strict=False)
        elif isinstance(operation, IfElseOp) or operation.name == "box":
            number, at, rest = rest[0], rest[1], rest[2:]
            circuit = operation.blocks[number]
        else:
            at, rest = rest[0], rest[1:]
            circuit = operation.definition


def bound(value):
    """A number in the place of every parameter, by its name."""
    free = getattr(value, "parameters", ())
    if not free:
        return float(value)
    return float(value.bind({p: math.sin(sum(map(ord, p.name))) for p in free}))


def matrix(rows, wires, swaps=()):
    """The operator of rows and of SWAP gates behind them, on these wires."""
    place = {w: i for i, w in enumerate(wires)}
    builder = CircuitBuilder(len(wires))
    for code, at, params in rows:
        builder.add(code, tuple(place[w] for w in at), tuple(bound(p) for p in params))
    circuit = to_qiskit(builder.build())
    for a, b in swaps:
        circuit.swap(place[a], place[b])
    return Operator(circuit).data


def operator(operation):
    """The operator of an operation of Qiskit."""
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, range(operation.num_qubits))
    values = {p: math.sin(sum(map(ord, p.name))) for p in circuit.parameters}
    return Operator(circuit.assign_parameters(values)).data


def same(a, b):
    return np.abs(a - b * np.exp(1j * np.angle(np.vdot(b, a)))).max() < 1e-7


def check(circuit, logical):
    """Every row belongs to an instruction, and every instruction and every rewrite to the rows that it says.

    Returns:
        How many instructions and rewrites were compared.
    """
    assert len(logical.origin) == len(logical)
    assert (logical.origin >= -len(logical.rewrites)).all()
    count = len(logical.paths) or len(circuit.data)
    assert (logical.origin < count).all()
    of = {}
    for number, rewrite in enumerate(logical.rewrites):
        assert len(rewrite.sources) == 1
        assert rewrite.sources[0] not in of
        of[rewrite.sources[0]] = (number, rewrite)
    rows = {}
    for row, origin in enumerate(logical.origin.tolist()):
        rows.setdefault(origin, []).append(row)
    wire, compared = list(range(circuit.num_qubits)), 0
    guarded = set(np.unique(logical.origin[logical.guard >= 0]).tolist())
    for k in range(count):
        operation, qubits = follow(circuit, logical.paths[k] if logical.paths else (k,))
        wires = [wire[q] for q in qubits]
        here = [witness_row(logical, r) for r in rows.get(k, [])]
        swaps = ()
        if k in of:
            number, rewrite = of[k]
            assert k not in rows
            assert rewrite.swaps or -1 - number in rows
            assert not rewrite.swaps or -1 - number not in guarded
            here, swaps = rewrite.rows, rewrite.swaps
            kept = [witness_row(logical, r) for r in rows.get(-1 - number, [])]
            visits = len(kept) // max(len(here), 1)
            assert kept == [r for _ in range(visits) for r in here]
        elif operation.name == "swap":
            swaps = (tuple(wires),)
        elif operation.name == "permutation":
            pattern = [int(p) for p in operation.pattern]
            for q, w in zip(qubits, [wires[p] for p in pattern]):
                wire[q] = w
            continue
        elif operation.name in ("measure", "reset", "barrier", "delay"):
            assert len(here) <= 1 or k in guarded
            continue
        for _, at, _ in here:
            assert set(at) <= set(wires)
        if k not in guarded and (here or swaps) and operation.num_qubits <= 6:
            assert same(matrix(here, wires, swaps), operator(operation)), (k, operation.name)
            compared += 1
        holder = {w: q for q, w in zip(qubits, wires)}
        for a, b in swaps:
            i, j = holder[a], holder[b]
            wire[i], wire[j] = wire[j], wire[i]
    assert wire == logical.output_wire.tolist()
    return compared
