"""Runs of one-qubit gates become at most two gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distq.circuit.logical import LogicalCircuit
from distq.ops import NUM_ONE_QUBIT, NUM_PARAMS


def merge_one_qubit(circuit: LogicalCircuit) -> LogicalCircuit:
    """Merge one-qubit gates between other operations on a wire.

    A run of unguarded numerical gates becomes nothing if it is the identity up to a phase; itself if it is one gate;
    a diagonal gate (Z, S, T, P, ...) if it is diagonal; X, Y, or X and a diagonal gate if it is antidiagonal; RX or RY
    if it is a rotation about that axis; the gate's name if it is a Clifford with a name; else U. Angles that
    are multiples of pi/4 within 1e-13 become exactly that. Symbolic and guarded gates end a run and stay as they are.

    Args:
        circuit: any circuit in normal form; blocks are kept, gates do not cross their ends.

    Returns:
        An equal circuit, up to a global phase (the field `global_phase` still speaks of the source). Its rows have no
        origins any more; all rows but unguarded numerical one-qubit gates keep their order.
    """
    from distq.rewrite._merge_kernel import merge

    ones = int(np.count_nonzero(circuit.code < NUM_ONE_QUBIT))
    rows, qubits, params = len(circuit) + ones, len(circuit.qubits) + ones, len(circuit.params) + 3 * ones
    source = (
        circuit.code,
        circuit.qubit_offsets,
        circuit.qubits,
        circuit.param_offsets,
        circuit.params,
        circuit.param_expr,
        circuit.guard,
        circuit.bit,
    )
    target = (
        np.empty(rows, np.uint8),
        np.empty(rows, np.int64),
        np.empty(qubits, np.int32),
        np.empty(params, np.float64),
        np.empty(params, np.int32),
        np.empty(rows, np.int32),
        np.empty(rows, np.int32),
    )
    ends = np.zeros(3, np.int64)
    blocks = circuit.blocks or ((0, len(circuit), 1),)
    starts = np.array([b[0] for b in blocks] + [len(circuit)], np.int64)
    new_starts = np.zeros(len(starts), np.int64)
    merge(circuit.num_qubits, starts, new_starts, source, target, ends)
    n, nq, npar = (int(e) for e in ends)
    code, width, new_qubits, new_params, expr, guard, bit = target
    code = code[:n].copy()
    return replace(
        circuit,
        code=code,
        qubit_offsets=_offsets(width[:n]),
        qubits=new_qubits[:nq].copy(),
        param_offsets=_offsets(np.array(NUM_PARAMS)[code]),
        params=new_params[:npar].copy(),
        param_expr=expr[:npar].copy(),
        guard=guard[:n].copy(),
        bit=bit[:n].copy(),
        blocks=tuple((int(a), int(b), block[2]) for a, b, block in zip(new_starts, new_starts[1:], blocks)),
        origin=np.zeros(0, np.int32),
    )


def _offsets(counts: np.ndarray) -> np.ndarray:
    result = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=result[1:])
    return result
