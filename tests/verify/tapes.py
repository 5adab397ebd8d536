"""Tapes as matrices, and witnesses by hand, for the tests of the verifier's substitution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from distq.errors import InputError
from distq.verify.block_proof import WitnessError
from distq.verify.rotations import Z_AXIS, matrix_of
from distq.verify.source import Source, read_source
from distq.verify.substitute import substitute
from distq.verify.tape import Row, Tape
from distq.verify.witnesses import read_witnesses

_PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def unitary(tape: Tape, holds: Any = None) -> np.ndarray:
    """The matrix of a tape without measurements, in the branch in which guard g has the value holds[g]."""
    n = tape.num_wires
    result = np.eye(1 << n, dtype=complex)
    for kind, wires, payload, guard, _ in tape.rows:
        if guard >= 0 and not holds[guard]:
            continue
        gate, order = gate_matrix(kind, len(wires), payload), list(wires)
        tensor = result.reshape((2,) * n + (-1,))
        k = len(order)
        legs = [n - 1 - w for w in reversed(order)]
        moved = np.tensordot(gate.reshape((2,) * (2 * k)), tensor, axes=(range(k, 2 * k), legs))
        result = np.moveaxis(moved, range(k), legs).reshape(result.shape)
    return result


def gate_matrix(kind: int, count: int, payload: Any) -> np.ndarray:
    """The matrix of a row; first wire = lowest bit."""
    if kind == Row.TURN:
        return matrix_of(payload)
    if kind == Row.BLOCK:
        return np.asarray(payload)
    if kind == Row.SWAP:
        return np.eye(4)[[0, 2, 1, 3]]
    assert kind in (Row.PARITY, Row.MCP)
    angle, axes = payload
    product = np.ones((1, 1), complex)
    for axis in axes or (Z_AXIS,) * count:
        pauli = np.einsum("i,ijk->jk", np.array(axis), _PAULIS)
        product = np.kron(pauli if kind == Row.PARITY else (np.eye(2) - pauli) / 2, product)
    identity = np.eye(1 << count)
    if kind == Row.PARITY:
        return np.cos(angle / 2) * identity - 1j * np.sin(angle / 2) * product
    return identity + (np.exp(1j * angle) - 1) * product


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal up to a phase."""
    return bool(abs(abs(np.trace(a.conj().T @ b)) / len(a) - 1) < 1e-9)


def carried_out(circuit: QuantumCircuit, blocks: Sequence[Any], names: Sequence[str] = ()) -> tuple[Source, Tape]:
    """The source, and its tape with the witnesses carried out.

    Raises:
        InputError: a block is malformed.
        WitnessError: a block is not true.
    """

    def fail(problem: str) -> Any:
        raise InputError(problem)

    witnesses = read_witnesses(blocks, circuit.num_qubits, names, fail)
    source = read_source(circuit)
    done = substitute(source.tape, source.paths, witnesses, lambda g: source.booleans.support([g]))
    return source, done.tape


def accepted(circuit: QuantumCircuit, blocks: Sequence[Any]) -> bool:
    """Whether the blocks are accepted; if so the tape must still be the circuit."""
    try:
        source, tape = carried_out(circuit, blocks)
    except (InputError, WitnessError):
        return False
    guards = sorted({row[3] for row in source.tape.rows if row[3] >= 0})
    for value in range(1 << min(1, len(guards))):
        holds = {g: bool(value) for g in guards}
        assert same(unitary(source.tape, holds), unitary(tape, holds)), blocks
    return True
