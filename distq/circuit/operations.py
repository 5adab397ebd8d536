"""Rows for Qiskit operations that are not standard gates: controlled, annotated, matrices, Paulis, permutations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.circuit.control import control_one, control_rows
from distq.circuit.rows import RX, RZ, Rows, X, number
from distq.circuit.standard import BASES, HANDLERS
from distq.circuit.unitaries import (
    PAULI_FRAMES,
    add_diagonal,
    add_framed_diagonal,
    add_one_qubit,
    add_pauli_rotation,
    add_two_qubit,
)

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class UnknownOperationError(Exception):
    """An operation has no meaning that distq can find out; the text says why."""


def add_operation(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    """Append the rows of `operation` if it is of a kind known here.

    Returns:
        False if it is not; its definition is to be used then, and nothing was appended.

    Raises:
        UnknownOperationError: it is of a known kind, but cannot be carried out.
    """
    from qiskit.circuit import AnnotatedOperation, ControlledGate

    if isinstance(operation, AnnotatedOperation):
        _add_annotated(rows, operation, qubits)
        return True
    if isinstance(operation, ControlledGate):
        return _add_controlled(rows, operation, qubits)
    for kind, add in _kinds():
        if isinstance(operation, kind):
            return add(rows, operation, qubits)
    return False


_KINDS: list[tuple[type, Callable[[Rows, Any, Sequence[int]], bool]]] = []


def _kinds() -> list[tuple[type, Callable[[Rows, Any, Sequence[int]], bool]]]:
    if not _KINDS:
        from qiskit.circuit.library import (
            DiagonalGate,
            PauliEvolutionGate,
            PauliGate,
            PauliProductRotationGate,
            PermutationGate,
            UCGate,
            UnitaryGate,
        )
        from qiskit.circuit.library.generalized_gates.uc_pauli_rot import UCPauliRotGate

        _KINDS.extend(
            [
                (UnitaryGate, _add_unitary),
                (DiagonalGate, _add_diagonal_gate),
                (PauliGate, _add_pauli),
                (PauliEvolutionGate, _add_evolution),
                (PauliProductRotationGate, _add_product_rotation),
                (PermutationGate, _add_permutation),
                (UCPauliRotGate, _add_multiplexed_rotation),
                (UCGate, _add_multiplexed),
            ]
        )
    return _KINDS


# -- controls ----------------------------------------------------------------------------------------------------


def _add_controlled(rows: Rows, operation: Any, qubits: Sequence[int], count: int = 0, state: int = 0) -> bool:
    """Append an operation under `count` controls (the first qubits), open where `state` has a 0.

    Controlled gates are taken apart, so that all controls end in one gate.
    """
    from qiskit.circuit import ControlledGate
    from qiskit.circuit.library import CUGate

    base = operation
    extra: list[tuple[int, Any]] = []
    while isinstance(base, ControlledGate):
        if base.base_gate.num_qubits + base.num_ctrl_qubits != base.num_qubits:
            # It has ancilla qubits, about which only the definition knows.
            if not count:
                return False
            break
        # The outer controls come first among the qubits.
        state |= base.ctrl_state << count
        count += base.num_ctrl_qubits
        if isinstance(base, CUGate):
            extra.append((count, number(base.params[3])))
        base = base.base_gate
    if base.name == "u" and len(base.params) == 4:
        # CUGate.control() leaves the fourth parameter, a phase on the controls, in the base gate.
        extra.append((count, number(base.params[3])))
    controls, targets = tuple(qubits[:count]), tuple(qubits[count:])
    closed = [q for k, q in enumerate(controls) if not state >> k & 1]
    for qubit in closed:
        rows.gate(X, qubit)
    if base.name in BASES and _is_standard(base):
        control_one(rows, controls, targets[0], BASES[base.name], [number(p) for p in base.params[:3]])
    elif base.name == "r" and _is_standard(base):
        # R(theta, phi) is an RX whose axis is turned by phi about Z.
        theta, phi = (number(p) for p in base.params)
        rows.turn(RZ, targets[0], -phi)
        control_one(rows, controls, targets[0], RX, (theta,))
        rows.turn(RZ, targets[0], phi)
    else:
        body, phase = _rows_of(base)
        moved = [(code, tuple(targets[q] for q in at), params) for code, at, params in body]
        control_rows(rows, controls, moved, phase)
    for length, phase in extra:
        rows.mcp(controls[:length], phase)
    for qubit in closed:
        rows.gate(X, qubit)
    return True


def _is_standard(gate: Any) -> bool:
    return getattr(gate, "_standard_gate", None) is not None


def _rows_of(operation: Any) -> tuple[list[Any], Any]:
    """Rows of an operation on the wires 0, 1, ..., and its global phase."""
    scratch = Rows()
    add_any(scratch, operation, list(range(operation.num_qubits)))
    return scratch.tail(0, 0, 0), scratch.phase


def add_any(rows: Rows, operation: Any, qubits: Sequence[int]) -> None:
    """Append a unitary operation of any kind, through its definition if need be.

    Raises:
        UnknownOperationError: it is not unitary, or nothing is known about it.
    """
    handler = HANDLERS.get(operation.name)
    if handler is not None and _is_standard(operation) and _default_state(operation):
        handler(rows, qubits, operation.params)
    elif operation.name not in ("barrier", "delay") and not add_operation(rows, operation, qubits):
        _by_definition(rows, operation, qubits)


def _default_state(operation: Any) -> bool:
    from qiskit.circuit import ControlledGate

    if not isinstance(operation, ControlledGate):
        return True
    return bool(operation.ctrl_state == 2**operation.num_ctrl_qubits - 1)


def definition_of(operation: Any) -> QuantumCircuit | None:
    """The circuit that an operation stands for: its definition, else its matrix as a gate; None if it has neither."""
    from qiskit import QuantumCircuit
    from qiskit.exceptions import QiskitError

    try:
        definition = getattr(operation, "definition", None)
        if definition is None and hasattr(operation, "to_circuit"):
            definition = operation.to_circuit()
        if definition is None and hasattr(operation, "to_matrix"):
            definition = QuantumCircuit(operation.num_qubits)
            definition.unitary(operation.to_matrix(), definition.qubits)
    except (QiskitError, NotImplementedError, AttributeError, TypeError):
        return None
    return definition


def _by_definition(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    definition = definition_of(operation)
    if definition is None or operation.num_clbits:
        raise UnknownOperationError(f"contains '{operation.name}', which has no unitary definition")
    where = dict(zip(definition.qubits, qubits))
    rows.phase = rows.phase + definition.global_phase
    for instruction in definition.data:
        add_any(rows, instruction.operation, [where[q] for q in instruction.qubits])
    return True


def _add_annotated(rows: Rows, operation: Any, qubits: Sequence[int]) -> None:
    from qiskit.circuit import AnnotatedOperation, ControlModifier, InverseModifier, PowerModifier
    from qiskit.exceptions import QiskitError

    modifiers = operation.modifiers
    base = operation.base_op
    while isinstance(base, AnnotatedOperation):
        modifiers = [*base.modifiers, *modifiers]
        base = base.base_op
    gate, controls = base, []
    try:
        for modifier in modifiers:
            # Powers and inverses commute with controls, so they may be taken first.
            if isinstance(modifier, InverseModifier):
                gate = gate.inverse()
            elif isinstance(modifier, PowerModifier):
                gate = gate.power(modifier.power)
            elif isinstance(modifier, ControlModifier):
                controls.append(modifier)
            else:
                raise UnknownOperationError(f"has the unknown modifier {modifier}")
    except (QiskitError, NotImplementedError, TypeError, AttributeError) as error:
        raise UnknownOperationError(f"cannot be resolved: {str(error).strip().rstrip('.')}") from error
    if isinstance(gate, AnnotatedOperation):
        raise UnknownOperationError("has a power that Qiskit cannot carry out")
    count = sum(m.num_ctrl_qubits for m in controls)
    # The last modifier's controls come first among the qubits.
    state, done = 0, 0
    for modifier in reversed(controls):
        state |= modifier.ctrl_state << done
        done += modifier.num_ctrl_qubits
    if count:
        _add_controlled(rows, gate, qubits, count, state)
    else:
        add_any(rows, gate, qubits)


# -- matrices ----------------------------------------------------------------------------------------------------


def _add_unitary(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    matrix = np.asarray(operation.to_matrix(), complex)
    if len(qubits) == 1:
        add_one_qubit(rows, qubits[0], matrix)
    elif len(qubits) == 2:
        add_two_qubit(rows, qubits, matrix)
    elif len(qubits) == 0:
        rows.phase = rows.phase + float(np.angle(matrix[0, 0]))
    else:
        return add_framed_diagonal(rows, qubits, matrix)
    return True


def _add_diagonal_gate(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    add_diagonal(rows, qubits, np.angle(np.asarray(operation.params, complex)))
    return True


def _add_multiplexed_rotation(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    axis = {"ucrx": "X", "ucry": "Y", "ucrz": "Z"}.get(operation.name)
    if axis is None:
        return False
    # Qubit 0 is the target; bit k of the index of an angle is the qubit k + 1.
    angles = np.array([float(p) for p in operation.params])
    phases = np.stack((-angles / 2, angles / 2), axis=1).reshape(-1)
    _framed(rows, axis, qubits, phases)
    return True


def _framed(rows: Rows, axis: str, qubits: Sequence[int], phases: np.ndarray) -> None:
    before, after = PAULI_FRAMES[axis]
    for code, params in before:
        rows.one(code, qubits[0], params)
    add_diagonal(rows, qubits, phases)
    for code, params in after:
        rows.one(code, qubits[0], params)


def _add_multiplexed(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    if operation.up_to_diagonal or len(qubits) > 10:
        return False
    blocks = [np.asarray(b, complex) for b in operation.params]
    size = 2 * len(blocks)
    matrix = np.zeros((size, size), complex)
    for k, block in enumerate(blocks):
        matrix[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = block
    if len(qubits) == 1:
        add_one_qubit(rows, qubits[0], matrix)
        return True
    if len(qubits) == 2:
        add_two_qubit(rows, qubits, matrix)
        return True
    return add_framed_diagonal(rows, qubits, matrix)


# -- Paulis and permutations -------------------------------------------------------------------------------------


def _add_pauli(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    for label, qubit in zip(reversed(operation.params[0]), qubits):
        if label != "I":
            HANDLERS[label.lower()](rows, (qubit,), ())
    return True


def _add_evolution(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    from qiskit.synthesis import ProductFormula

    synthesis = operation.synthesis
    if not isinstance(synthesis, ProductFormula) or synthesis.atomic_evolution is not None:
        return False
    try:
        terms = [(label, list(at), number(angle)) for label, at, angle in synthesis.expand(operation)]
    except NotImplementedError:
        return False
    if any(set(label) - set("IXYZ") for label, _, _ in terms):
        return False  # projectors, which the definition expands
    for label, at, angle in terms:
        add_pauli_rotation(rows, label, [qubits[k] for k in at], angle)
    return True


def _add_product_rotation(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    label = operation.pauli().to_label()[::-1]
    add_pauli_rotation(rows, label, qubits, number(operation.params[0]))
    return True


def _add_permutation(rows: Rows, operation: Any, qubits: Sequence[int]) -> bool:
    rows.permute(qubits, [int(k) for k in operation.pattern])
    return True
