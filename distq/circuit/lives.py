"""Which qubits of a circuit end with a measurement or reset, so that nothing they hold at the end matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def ended_qubits(circuit: QuantumCircuit) -> NDArray[np.bool_]:
    """(n,) True where the last operation on a qubit, as the circuit is written, is a measurement or a reset.

    One under a condition does not count, nor does one inside an instruction with a definition of its own; `for` loops
    and boxes are looked into. A qubit without operations holds its input at the end. Where this is in doubt the answer
    is False: the qubit is then kept, which is never wrong.
    """
    answer = np.full(circuit.num_qubits, -1, np.int8)
    _walk(circuit, range(circuit.num_qubits), answer)
    return answer == 1


def _walk(circuit: QuantumCircuit, qubits: Sequence[int], answer: NDArray[np.int8]) -> None:
    """From the end to the beginning: the first operation met on a qubit decides, where nothing has so far."""
    place = dict(zip(circuit.qubits, qubits))
    left = {q for q in qubits if answer[q] < 0}
    for item in reversed(circuit.data):
        if not left:
            return
        name = item.name
        if name in ("barrier", "delay"):
            continue
        where = [place[q] for q in item.qubits]
        if name in ("for_loop", "box"):
            times = 1 if name == "box" else len(item.operation.params[0])
            for body in item.operation.blocks if times else ():
                _walk(body, where, answer)
            left = {q for q in left if answer[q] < 0}
            continue
        for q in where:
            if q in left:
                left.discard(q)
                answer[q] = name in ("measure", "reset")
