"""A dense simulator of logical circuits and distributed programs for a dozen qubits; slow and plain on purpose."""

import itertools

import numpy as np
from qiskit.circuit.library import standard_gates as gates

from distq.ops import NUM_ONE_QUBIT, Op

MATRIX = {
    Op.H: gates.HGate,
    Op.X: gates.XGate,
    Op.Y: gates.YGate,
    Op.Z: gates.ZGate,
    Op.S: gates.SGate,
    Op.T: gates.TGate,
    Op.RZ: gates.RZGate,
    Op.SX: gates.SXGate,
}


class State:
    def __init__(self, tensor, rng):
        self.tensor, self.rng = tensor, rng

    def one(self, matrix, q):
        self.tensor = np.moveaxis(np.tensordot(matrix, self.tensor, (1, q)), 0, q)

    def at(self, where):
        index = [slice(None)] * self.tensor.ndim
        for q, value in where:
            index[q] = value
        return tuple(index)

    def diagonal(self, code, angle, qubits):
        for values in itertools.product((0, 1), repeat=len(qubits)):
            phase = angle * all(values) if code == Op.MCP else -angle / 2 * (-1) ** sum(values)
            self.tensor[self.at(zip(qubits, values))] *= np.exp(1j * phase)

    def cx(self, control, target):
        part = self.at([(control, 1)])
        self.tensor[part] = np.flip(self.tensor[part], target - (control < target)).copy()

    def measure(self, q):
        outcome = int(self.rng.random() < np.sum(np.abs(np.take(self.tensor, 1, q)) ** 2))
        self.tensor[self.at([(q, 1 - outcome)])] = 0
        self.tensor /= np.linalg.norm(self.tensor)
        return outcome

    def gate(self, code, params, qubits):
        if code < NUM_ONE_QUBIT:
            self.one(MATRIX[code](*params).to_matrix(), qubits[0])
        elif code in (Op.MCP, Op.PARITY):
            self.diagonal(code, params[0], qubits)
        elif code == Op.CX:
            self.cx(*qubits)
        elif code == Op.SWAP:
            self.tensor = np.swapaxes(self.tensor, *qubits).copy()
        else:
            raise ValueError(code)


def rows(table):
    for i in range(len(table)):
        qubits = table.qubits[table.qubit_offsets[i] : table.qubit_offsets[i + 1]].tolist()
        params = table.params[table.param_offsets[i] : table.param_offsets[i + 1]].tolist()
        yield i, Op(table.code[i]), qubits, params


def run_circuit(circuit, amplitudes):
    """Output amplitudes of a unitary LogicalCircuit without relabelling; qubit 0 is the first axis."""
    state = State(amplitudes.reshape((2,) * circuit.num_qubits).copy(), None)
    for _, code, qubits, params in rows(circuit):
        state.gate(code, params, qubits)
    return state.tensor.reshape(-1)


def run_program(program, amplitudes, rng):
    """Output amplitudes of one random branch; asserts that all other qubits end apart from the output."""
    total, inputs = program.num_physical, program.input_qubit.tolist()
    tensor = np.zeros((2,) * total, complex)
    index = tuple(slice(None) if q in inputs else 0 for q in range(total))
    tensor[index] = np.transpose(amplitudes.reshape((2,) * len(inputs)), np.argsort(inputs))
    state, bits = State(tensor, rng), {}
    for i, code, qubits, params in rows(program):
        holds = program.guard[i] < 0 or all(bits[b] == v for b, v in program.guards[program.guard[i]])
        if code == Op.MEASURE:
            bits[program.bit[i]] = state.measure(qubits[0]) if holds else 0
        elif code == Op.SEND:
            bits[program.bit2[i]] = bits[program.bit[i]]
        elif not holds:
            continue
        elif code == Op.RESET:
            if state.measure(qubits[0]):
                state.gate(Op.X, (), qubits)
        elif code == Op.EPR:
            for q in qubits:
                assert np.linalg.norm(np.take(state.tensor, 1, q)) < 1e-9, "a Bell pair was made on a used qubit"
            state.gate(Op.H, (), qubits[:1])
            state.cx(*qubits)
        else:
            state.gate(code, params, qubits)
    outputs = program.output_qubit.tolist()
    rest = [q for q in range(total) if q not in outputs]
    columns = np.transpose(state.tensor, outputs + rest).reshape(2 ** len(outputs), -1)
    norms = np.linalg.norm(columns, axis=0)
    assert abs(norms.max() - 1) < 1e-9, "the output is entangled with what is left"
    return columns[:, norms.argmax()]
