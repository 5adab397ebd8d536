"""A small exact simulator for programs and for dynamic circuits: every branch, with numpy alone."""

from __future__ import annotations

import cmath
from typing import Any

import numpy as np
from qiskit.quantum_info import Operator

from distq.ops import Op
from distq.program.types import DistributedProgram

#: (kind, matrix, qubits, written bit, conjunction); kind is "gate", "measure" or "reset".
Step = tuple[str, Any, tuple[int, ...], Any, tuple[tuple[Any, int], ...]]

_S = np.diag([1, 1j])
_H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
_X = np.array([[0, 1], [1, 0]])
_T = np.diag([1, cmath.exp(0.25j * cmath.pi)])
_SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
_FIXED = [_H, _X, np.array([[0, -1j], [1j, 0]]), np.diag([1, -1]), _S, _S.conj(), _T, _T.conj(), _SX, _SX.conj().T]


def _u(theta: float, phi: float, lam: float) -> np.ndarray:
    c, s = np.cos(theta / 2), np.sin(theta / 2)
    return np.array([[c, -cmath.exp(1j * lam) * s], [cmath.exp(1j * phi) * s, cmath.exp(1j * (phi + lam)) * c]])


def matrix(op: int, params: list[float], size: int) -> np.ndarray:
    """Matrix of a row; the first qubit is the most significant."""
    if op < Op.P:
        return _FIXED[op]
    if op == Op.P:
        return np.diag([1, cmath.exp(1j * params[0])])
    if op == Op.RX:
        return _u(params[0], -np.pi / 2, np.pi / 2)
    if op == Op.RY:
        return _u(params[0], 0, 0)
    if op == Op.U:
        return _u(*params)
    if op == Op.CX:
        return np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    if op == Op.SWAP:
        return np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    if op == Op.EPR:
        # Random programs make pairs on qubits that are not in |0>, so it must be the same unitary: CX after H.
        return matrix(Op.CX, [], 2) @ np.kron(_H, np.eye(2))
    if op == Op.MCP:
        return np.diag([1] * (2**size - 1) + [cmath.exp(1j * params[0])])
    signs = np.array([(-1) ** bin(i).count("1") for i in range(2**size)])
    return np.diag(np.exp(-0.5j * params[0] * signs))  # RZ and PARITY


def steps_of_program(program: DistributedProgram, values: dict[str, float]) -> list[Step]:
    result: list[Step] = []
    renamed: dict[int, int] = {}
    for row, op in enumerate(program.code.tolist()):
        if op == Op.SEND:
            renamed[int(program.bit2[row])] = int(program.bit[row])
            continue
        qubits = tuple(program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist())
        at = range(program.param_offsets[row], program.param_offsets[row + 1])
        params = [
            float(program.params[i])
            if program.param_expr[i] < 0
            else number(program.expressions[program.param_expr[i]], values)
            for i in at
        ]
        g = int(program.guard[row])
        guard = tuple((renamed.get(b, b), v) for b, v in program.guards[g]) if g >= 0 else ()
        if op in (Op.MEASURE, Op.RESET):
            result.append((Op(op).name.lower(), None, qubits, int(program.bit[row]), guard))
        else:
            result.append(("gate", matrix(op, params, len(qubits)), qubits, None, guard))
    return result


def number(expression: Any, values: dict[str, float]) -> float:
    """The value of an expression; what Qiskit simplifies away is not bound."""
    return float(expression.bind({p: values[p.name] for p in expression.parameters}))


def steps_of_circuit(circuit: Any) -> list[Step]:
    """Steps of a Qiskit circuit without free parameters; bits are its Clbit objects."""
    index = {q: i for i, q in enumerate(circuit.qubits)}
    result: list[Step] = []

    def walk(body: Any, qubit: dict[Any, int], clbit: dict[Any, Any], guard: tuple) -> None:
        for item in body.data:
            qubits = tuple(qubit[q] for q in item.qubits)
            name = item.operation.name
            if name == "if_else":
                inner = item.operation.blocks[0]
                bit, value = item.operation.condition
                outer_bits = dict(zip(inner.clbits, (clbit[c] for c in item.clbits)))
                walk(inner, dict(zip(inner.qubits, qubits)), outer_bits, (*guard, (clbit[bit], int(value))))
            elif name == "measure":
                result.append(("measure", None, qubits, clbit[item.clbits[0]], guard))
            elif name == "reset":
                result.append(("reset", None, qubits, None, guard))
            else:
                # Qiskit's first qubit is the least significant.
                result.append(("gate", Operator(item.operation).data, qubits[::-1], None, guard))

    walk(circuit, index, {c: c for c in circuit.clbits}, ())
    return result


def run(steps: list[Step], state: np.ndarray, once: bool) -> list[tuple[np.ndarray, dict[Any, int]]]:
    """All branches: unnormalised states, and the bits. `once`: a measurement that is not carried out writes 0."""
    branches = [(state, {})]
    for kind, gate, qubits, bit, guard in steps:
        following = []
        for vector, bits in branches:
            if not all(bits.get(b, 0) == v for b, v in guard):
                following.append((vector, {**bits, bit: 0} if kind == "measure" and once else bits))
            elif kind == "gate":
                following.append((_apply(vector, gate, qubits), bits))
            else:
                for outcome in (0, 1):
                    part = vector.copy()
                    part[(slice(None),) * qubits[0] + (1 - outcome,)] = 0
                    if np.vdot(part, part).real < 1e-12:
                        continue
                    if kind == "reset":
                        following.append((_apply(part, _X, qubits) if outcome else part, bits))
                    else:
                        following.append((part, {**bits, bit: outcome}))
        branches = following
    return branches


def _apply(vector: np.ndarray, gate: np.ndarray, qubits: tuple[int, ...]) -> np.ndarray:
    k = len(qubits)
    moved = np.tensordot(gate.reshape((2,) * 2 * k), vector, (range(k, 2 * k), qubits))
    return np.moveaxis(moved, range(k), qubits)


def start(total: int, inputs: list[int], state: np.ndarray) -> np.ndarray:
    """|0> everywhere but on the inputs, which hold `state` (first input most significant)."""
    zero = np.zeros((2,) * (total - len(inputs)), complex)
    zero[(0,) * zero.ndim] = 1
    both = np.multiply.outer(state.reshape((2,) * len(inputs)), zero)
    rest = [q for q in range(total) if q not in inputs]
    return np.moveaxis(both, range(total), [*inputs, *rest])


def outcome(
    branches: list[tuple[np.ndarray, dict[Any, int]]], outputs: list[int], read: Any
) -> dict[tuple[int, ...], np.ndarray]:
    """For each value of the classical bits the unnormalised density matrix of the output qubits."""
    result: dict[tuple[int, ...], np.ndarray] = {}
    for vector, bits in branches:
        rest = [q for q in range(vector.ndim) if q not in outputs]
        flat = np.transpose(vector, [*outputs, *rest]).reshape(2 ** len(outputs), -1)
        key = read(bits)
        result[key] = result.get(key, 0) + flat @ flat.conj().T
    return result


def decide(program: DistributedProgram, bits: dict[int, int]) -> tuple[int, ...]:
    """The values of the source's classical bits, from the definition of decision lists."""
    sent = program.code == Op.SEND
    origin = dict(zip(program.bit2[sent].tolist(), program.bit[sent].tolist()))

    def value(bit: int) -> int:
        return 0 if bit < 0 else bits.get(origin.get(bit, bit), 0)

    return tuple(
        next(value(bit) for conjunction, bit in entries if all(value(b) == v for b, v in conjunction))
        for entries in program.clbit_values
    )


def same(a: dict[tuple[int, ...], np.ndarray], b: dict[tuple[int, ...], np.ndarray]) -> bool:
    return all(np.allclose(a.get(key, 0), b.get(key, 0), atol=1e-9) for key in a.keys() | b.keys())
