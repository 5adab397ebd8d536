"""One random branch of a small dynamic circuit as a state vector, for tests of circuits to compare with."""

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Operator


class Branch:
    """State and classical bits after one branch of `circuit`, from |0...0> or a given state.

    `state` has one axis per qubit, qubit 0 first; `bits` maps Clbit to bool.
    """

    def __init__(self, circuit: QuantumCircuit, rng: np.random.Generator, state: np.ndarray | None = None):
        n = circuit.num_qubits
        self.rng = rng
        if state is None:
            state = np.zeros(2**n, complex)
            state[0] = 1
        self.state = state.reshape((2,) * n).astype(complex)
        self.bits = dict.fromkeys(circuit.clbits, False)
        self._run(circuit, {q: i for i, q in enumerate(circuit.qubits)}, {c: c for c in circuit.clbits})

    def _run(self, circuit, qubit, clbit):
        for item in circuit.data:
            where = [qubit[q] for q in item.qubits]
            name = item.name
            if name in ("barrier", "delay"):
                continue
            if name == "measure":
                self.bits[clbit[item.clbits[0]]] = self._measure(where[0])
            elif name == "reset":
                if self._measure(where[0]):
                    self.state = np.flip(self.state, where[0])
            elif name == "if_else":
                self._branch(item, qubit, clbit)
            else:
                self._apply(Operator(item.operation).data, where)

    def _branch(self, item, qubit, clbit):
        left, value = item.operation.condition
        if hasattr(left, "size"):
            holds = sum(int(self.bits[clbit[b]]) << i for i, b in enumerate(left)) == value
        else:
            holds = self.bits[clbit[left]] == bool(value)
        blocks = item.operation.blocks
        body = blocks[0] if holds else blocks[1] if len(blocks) > 1 else None
        if body is not None:
            inner = {q: qubit[o] for q, o in zip(body.qubits, item.qubits)}
            bits = {c: clbit[o] for c, o in zip(body.clbits, item.clbits)}
            self._run(body, inner, bits)

    def _apply(self, matrix, where):
        k = len(where)
        # Qiskit's matrices count the first qubit as the least significant.
        axes = where[::-1]
        moved = np.moveaxis(self.state, axes, range(k))
        shape = moved.shape
        self.state = np.moveaxis((matrix @ moved.reshape(2**k, -1)).reshape(shape), range(k), axes)

    def _measure(self, axis):
        zero, one = (np.take(self.state, i, axis) for i in (0, 1))
        p = np.linalg.norm(one) ** 2 / np.linalg.norm(self.state) ** 2
        outcome = bool(self.rng.random() < p)
        kept = np.stack([np.zeros_like(zero), one] if outcome else [zero, np.zeros_like(one)], axis)
        self.state = kept / np.linalg.norm(kept)
        return outcome

    def reduced(self, qubits) -> np.ndarray:
        """Density matrix of some qubits, the first least significant as in Qiskit."""
        qubits = list(qubits)
        moved = np.moveaxis(self.state, qubits[::-1], range(len(qubits))).reshape(2 ** len(qubits), -1)
        return moved @ moved.conj().T

    def vector(self) -> np.ndarray:
        """State vector in Qiskit's order."""
        return self.state.transpose().reshape(-1)


def random_state(n: int, rng: np.random.Generator) -> np.ndarray:
    """A random state vector of n qubits in Qiskit's order."""
    state = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    return state / np.linalg.norm(state)


def embed(state: np.ndarray, places, width: int) -> np.ndarray:
    """The state with its qubit i on axis places[i] and |0> elsewhere, one axis a qubit."""
    full = np.zeros((2,) * width, complex)
    inside = full[tuple(slice(None) if i in places else 0 for i in range(width))]
    tensor = state.reshape((2,) * len(places)).transpose()  # axis i is qubit i
    inside[...] = np.moveaxis(tensor, range(len(places)), np.argsort(np.argsort(places)))
    return full
