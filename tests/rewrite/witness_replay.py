"""A small checker of witnesses for the tests, by dense matrices; it shares nothing with the passes it checks."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from distq.circuit.one_qubit import gate_matrix
from distq.ops import NUM_ONE_QUBIT, Op

Z = np.diag([1.0, -1.0])


class Events:
    """The gates on two or more qubits of a unitary circuit, along axes in the coordinates at the start."""

    def __init__(self, circuit, values):
        self.circuit = circuit
        self.events = []  # (code, angle, {wire: axis matrix}, origin)
        #: Coordinates of a wire before the first row of an instruction there.
        self.start = {}
        local = [np.eye(2, dtype=complex) for _ in range(circuit.num_qubits)]
        for row in range(len(circuit)):
            code = int(circuit.code[row])
            assert code < Op.MEASURE
            assert circuit.guard[row] < 0
            qubits = circuit.qubits[circuit.qubit_offsets[row] : circuit.qubit_offsets[row + 1]].tolist()
            params = []
            for k in range(int(circuit.param_offsets[row]), int(circuit.param_offsets[row + 1])):
                e = int(circuit.param_expr[k])
                params.append(float(circuit.params[k]) if e < 0 else number(circuit.expressions[e], values))
            origin = int(circuit.origin[row])
            for q in qubits:
                self.start.setdefault((origin, q), (row, local[q]))
            if code < NUM_ONE_QUBIT:
                local[qubits[0]] = gate_matrix(code, tuple(params)) @ local[qubits[0]]
            else:
                axes = {q: local[q].conj().T @ Z @ local[q] for q in qubits}
                self.events.append((code, params[0], axes, origin))

    def begin(self, sources, wire):
        """Coordinates of a wire before the first of some instructions there."""
        found = [self.start[(s, wire)] for s in sources if (s, wire) in self.start]
        return min(found, key=lambda f: f[0])[1]


def number(expression, values):
    """The value of an angle."""
    if isinstance(expression, (int, float)):
        return float(expression)
    return float(expression.bind({p: values[p.name] for p in expression.parameters}).numeric())


def check_witnesses(before, after, values=None, max_wires=9):
    """Assert that each rewrite of `after` that `before` lacks is right and that all can be brought together at once.

    Returns:
        How many there are.
    """
    values = values or {}
    known = len(before.rewrites)
    assert after.rewrites[:known] == before.rewrites
    fresh = after.rewrites[known:]
    source = Events(before, values)
    owner = {}
    for n, rewrite in enumerate(fresh):
        for s in rewrite.sources:
            assert s not in owner
            owner[s] = n
    _check_order(source, owner)
    for rewrite in fresh:
        assert not rewrite.swaps
        named = [e for e in source.events if e[3] in rewrite.sources]
        assert {e[3] for e in named} == set(rewrite.sources)
        wires = sorted({w for e in named for w in e[2]})
        if len(wires) > max_wires:
            continue
        old = np.eye(2 ** len(wires), dtype=complex)
        for code, angle, axes, _ in named:
            old = gate(code, angle, axes, wires) @ old
        new = np.eye(2 ** len(wires), dtype=complex)
        local = {w: source.begin(rewrite.sources, w) for w in wires}
        for code, qubits, params in rewrite.rows:
            params = tuple(number(p, values) for p in params)
            assert set(qubits) <= set(wires)
            if code < NUM_ONE_QUBIT:
                local[qubits[0]] = gate_matrix(code, params) @ local[qubits[0]]
            else:
                axes = {q: local[q].conj().T @ Z @ local[q] for q in qubits}
                new = gate(code, params[0], axes, wires) @ new
        assert is_local(old @ new.conj().T, len(wires)), rewrite
    _check_rows(after, known)
    return len(fresh)


def _check_rows(after, known):
    """The rows of the circuit that belong to a rewrite are those that its witness states."""
    for n in range(known, len(after.rewrites)):
        rows = np.flatnonzero(after.origin == -1 - n)
        stated = after.rewrites[n].rows
        assert len(rows) == len(stated)
        for row, (code, qubits, _) in zip(rows.tolist(), stated):
            assert int(after.code[row]) == code
            assert tuple(after.qubits[after.qubit_offsets[row] : after.qubit_offsets[row + 1]].tolist()) == qubits


def gate(code, angle, axes, wires):
    """The dense matrix of a gate along axes; wires[0] is the lowest bit."""
    strings = np.ones((1, 1))
    projector = np.ones((1, 1))
    for w in wires:
        one = axes.get(w, np.eye(2))
        strings = np.kron(one, strings)
        projector = np.kron((np.eye(2) - one) / 2 if w in axes else np.eye(2), projector)
    if code == Op.PARITY:
        return np.cos(angle / 2) * np.eye(len(strings)) - 1j * np.sin(angle / 2) * strings
    return np.eye(len(strings)) + (np.exp(1j * angle) - 1) * projector


def is_local(matrix, count):
    """Whether a matrix is a product of one-qubit unitaries."""
    tensor = matrix.reshape((2,) * (2 * count))
    for k in range(count):
        axes = [k, count + k] + [a for a in range(2 * count) if a % count != k]
        flat = tensor.transpose(axes).reshape(4, -1)
        if np.linalg.svd(flat, compute_uv=False)[1] > 1e-7:
            return False
    return True


def _check_order(source, owner):
    """No cycle is left when the events of each block are one node, and others follow where axes differ."""
    count = len(source.events)
    base = 1 + max(owner.values(), default=-1)
    node = [owner.get(e[3], base + k) for k, e in enumerate(source.events)]
    edges = []
    for w in range(source.circuit.num_qubits):
        run, last = [], None
        previous = []
        for k, (_, _, axes, _) in enumerate(source.events):
            if w not in axes:
                continue
            if last is not None and min(np.abs(axes[w] - last).max(), np.abs(axes[w] + last).max()) < 1e-9:
                run.append(node[k])
            else:
                previous, run = run, [node[k]]
            last = axes[w]
            edges += [(p, node[k]) for p in previous if p != node[k]]
    size = base + count
    graph = coo_matrix((np.ones(len(edges)), tuple(np.array(edges).reshape(-1, 2).T)), shape=(size, size))
    found, _ = connected_components(graph, directed=True, connection="strong")
    assert found == size, "blocks cannot be brought together"
