"""Which qubits of a circuit are outputs: one definition for all methods, read off the circuit as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.verify.promise import Promise
    from distq.verify.reader import ProgramFiles


def misplaced(circuit: QuantumCircuit, files: ProgramFiles, promise: Promise) -> str | None:
    """A sentence if two inputs, or two outputs, are in one place, or an input is nowhere without a promise, else None.

    Inputs that are promised to be |0> may begin where others were before, and what no output holds may lie anywhere.
    """
    unborn = files.manifest.unborn
    if unborn and not promise.start_zero:
        return f"input {min(unborn)} of the program is nowhere at the start, but no start in |0> is promised"
    inputs = [place for q, place in enumerate(files.inputs) if q not in unborn]
    kept = [] if promise.outcomes_only else output_qubits(circuit)
    outputs = [files.outputs[q] for q in kept]
    for what, places in (("inputs", inputs), ("outputs", outputs)):
        if len(set(places)) < len(places):
            return f"two {what} of the program lie on the same physical qubit"
    return None


def output_qubits(circuit: QuantumCircuit) -> list[int]:
    """Qubits whose last operation is not a measurement or reset, in order; their state at the end matters.

    A measurement or reset under a condition does not count, whether or not the condition can ever fail; any other
    operation does, a SWAP and an identity included, even in a block that is never entered. Barriers and delays do
    not count.
    """
    ended: dict[int, bool] = {}
    _walk(circuit, range(circuit.num_qubits), False, ended)
    return [q for q in range(circuit.num_qubits) if not ended.get(q, False)]


def _walk(circuit: QuantumCircuit, qubits: Sequence[int], conditional: bool, ended: dict[int, bool]) -> None:
    """Note for every qubit whether the last operation so far was an unconditional measurement or reset."""
    place = dict(zip(circuit.qubits, qubits))
    for item in circuit.data:
        where = [place[q] for q in item.qubits]
        if item.is_standard_gate():
            for q in where:
                ended[q] = False
            continue
        op = item.operation
        if op.name in ("barrier", "delay"):
            continue
        if op.name in ("measure", "reset"):
            ended[where[0]] = not conditional
            continue
        bodies = _bodies(op)
        for body in bodies:
            _walk(body, where, conditional or (op.name not in ("for_loop", "box") and hasattr(op, "blocks")), ended)
        if not bodies and op.name != "for_loop":
            for q in where:
                ended[q] = False


def _bodies(op: Any) -> list[QuantumCircuit]:
    """Circuits inside an operation that may hold measurements or resets."""
    from qiskit.circuit import Gate

    if op.name == "for_loop" and not len(op.params[0]):
        return []
    if hasattr(op, "blocks"):
        return [body for body in op.blocks if body is not None]
    definition = None if isinstance(op, Gate) else getattr(op, "definition", None)
    return [] if definition is None else [definition]
