"""What Qiskit's gates mean: matrices, controlled gates and Pauli rotations, without their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from distq.verify.rotations import X_AXIS, Y_AXIS, Z_AXIS, Vector, axis_angle, from_matrix

PAULI_AXES: dict[str, Vector] = {"X": X_AXIS, "Y": Y_AXIS, "Z": Z_AXIS}
#: Two-qubit rotations about a product of Paulis, with the axes of their first and second qubit.
ROTATIONS = {"rxx": "XX", "ryy": "YY", "rzz": "ZZ", "rzx": "ZX"}
#: (axis, angle, rest): U = e^{i rest} times e^{i angle} on the -1 state of the axis.
Eigenphases = tuple[Vector, float, float]


def eigenphases(matrix: Any) -> Eigenphases:
    """The eigenvalues of a 2 x 2 unitary, with the axis that makes `rest` vanish, if there is such a one."""
    turn, alpha = from_matrix(matrix)
    axis, phi = axis_angle(turn)  # the eigenvalues are e^{i(alpha - phi/2)} on +axis, e^{i(alpha + phi/2)} on -axis
    if abs(math.remainder(alpha + phi / 2, math.tau)) < 1e-14:
        return (-axis[0], -axis[1], -axis[2]), -phi, 0.0
    rest = math.remainder(alpha - phi / 2, math.tau)
    return axis, phi, 0.0 if abs(rest) < 1e-14 else rest


def controlled_parts(op: Any) -> tuple[int, int, Any] | None:
    """(number of controls, control state, 2 x 2 matrix) of a controlled one-qubit gate; controls come first.

    None if the gate is not of this kind, has ancillas, or its base has no matrix of its own.
    """
    from qiskit.circuit import AnnotatedOperation, ControlledGate

    if isinstance(op, ControlledGate):
        if op.num_qubits != op.num_ctrl_qubits + 1 or op.base_gate.num_qubits != 1:
            return None
        matrix = _controlled_matrix(op)
        return None if matrix is None else (op.num_ctrl_qubits, int(op.ctrl_state), matrix)
    if isinstance(op, AnnotatedOperation):
        return _annotated_parts(op)
    return None


def _controlled_matrix(op: Any) -> Any:
    """The matrix that is applied when the controls are in their state."""
    base = op.base_gate
    if op.num_ctrl_qubits == 1 and hasattr(op, "__array__"):
        whole = np.asarray(op.to_matrix(), complex)
        rows = [int(op.ctrl_state), int(op.ctrl_state) + 2]
        return whole[np.ix_(rows, rows)]
    if base.name == "u" and len(base.params) == 4:  # that of CUGate, which has a phase of its own
        theta, phi, lam, gamma = (float(p) for p in base.params)
        c, s = math.cos(theta / 2), math.sin(theta / 2)
        first, second = [c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]
        return np.exp(1j * gamma) * np.array([first, second])
    if not hasattr(base, "__array__"):
        return None
    return np.asarray(base.to_matrix(), complex)


def _annotated_parts(op: Any) -> tuple[int, int, Any] | None:
    from qiskit.circuit.annotated_operation import ControlModifier, InverseModifier, PowerModifier

    controls, state = 0, 0
    base = op.base_op
    if controlled_parts(base) is not None:
        controls, state, matrix = controlled_parts(base)  # type: ignore[misc]
    elif base.num_qubits == 1 and hasattr(base, "__array__"):
        matrix = np.asarray(base.to_matrix(), complex)
    else:
        return None
    for modifier in op.modifiers:
        if isinstance(modifier, InverseModifier):
            matrix = matrix.conj().T
        elif isinstance(modifier, PowerModifier) and float(modifier.power).is_integer():
            matrix = np.linalg.matrix_power(matrix, int(modifier.power))
        elif isinstance(modifier, ControlModifier):
            added, wanted = modifier.num_ctrl_qubits, modifier.ctrl_state
            wanted = (1 << added) - 1 if wanted is None else int(wanted)
            controls, state = controls + added, state << added | wanted
        else:
            return None
    return (controls, state, matrix) if controls else None


def evolution_legs(op: Any) -> tuple[float, list[tuple[int, Vector]]] | None:
    """Angle [rad] and (qubit, axis) legs of a PauliEvolutionGate of a single term; None for others."""
    operators = op.operator if isinstance(op.operator, list) else [op.operator]
    if len(operators) != 1 or not hasattr(operators[0], "paulis") or len(operators[0]) != 1:
        return None
    coefficient = complex(operators[0].coeffs[0])
    if coefficient.imag != 0:
        return None
    label = str(operators[0].paulis[0].to_label())
    sign = -1.0 if label.startswith("-") else 1.0
    letters = label.lstrip("-")[::-1]
    legs = [(q, PAULI_AXES[p]) for q, p in enumerate(letters) if p != "I"]
    return 2 * sign * coefficient.real * float(op.time), legs


def pair_matrix(op: Any) -> Any:
    """The matrix of a two-qubit gate that has one of its own, not through its parts; else None."""
    from qiskit.circuit import Gate

    if not isinstance(op, Gate):
        return None
    # Classes that Qiskit makes for single gates come before their own.
    modules = [c.__module__ or "" for c in type(op).__mro__]
    module = next(m for m in modules if m and not m.startswith("qiskit.circuit.singleton"))
    if not module.startswith("qiskit.circuit.library.") and getattr(op, "definition", None) is not None:
        return None  # put together by the user, in OpenQASM or in Python: its parts are read
    try:
        matrix = np.asarray(op.to_matrix(), complex)
    except Exception:  # a gate without a matrix says so in many ways
        return None
    return matrix if matrix.shape == (4, 4) else None


def annotated_definition(op: Any) -> Any:
    """A circuit for an operation with modifiers (inverse, control, power), through Qiskit's own synthesis."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import AnnotatedOperation
    from qiskit.transpiler.passes import HighLevelSynthesis

    if not isinstance(op, AnnotatedOperation):
        return None
    circuit = QuantumCircuit(op.num_qubits)
    circuit.append(op, range(op.num_qubits))
    done = HighLevelSynthesis()(circuit)
    return None if any(isinstance(i.operation, AnnotatedOperation) for i in done.data) else done
