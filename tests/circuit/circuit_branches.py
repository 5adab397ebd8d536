"""All branches of small circuits, exactly: of Qiskit circuits as they are, and of logical circuits as their rows say.

The two simulators share nothing but the application of a matrix.
"""

from collections import defaultdict

import numpy as np
from qiskit.circuit import Clbit, Gate, QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Operator

from distq.circuit.logical import LogicalCircuit
from distq.circuit.to_qiskit import clbit_values
from distq.ops import Op


def random_state(num_qubits: int, seed: int) -> np.ndarray:
    """A random pure state, index = sum of bit k << k."""
    rng = np.random.default_rng(seed)
    state = rng.normal(size=2**num_qubits) + 1j * rng.normal(size=2**num_qubits)
    return state / np.linalg.norm(state)


def apply(state: np.ndarray, matrix: np.ndarray, qubits: list[int]) -> np.ndarray:
    """`matrix` on `qubits`, the first of them being the least significant bit of its index."""
    n = int(np.log2(len(state)))
    axes = [n - 1 - q for q in reversed(qubits)]
    moved = np.moveaxis(state.reshape((2,) * n), axes, range(len(axes)))
    shape = moved.shape
    moved = (matrix @ moved.reshape(len(matrix), -1)).reshape(shape)
    return np.moveaxis(moved, range(len(axes)), axes).reshape(-1)


def project(state: np.ndarray, qubit: int, value: int) -> np.ndarray:
    return apply(state, np.diag([1 - value, value]).astype(complex), [qubit])


X = np.array([[0, 1], [1, 0]], complex)


def densities(branches) -> dict[tuple[int, ...], np.ndarray]:
    """Unnormalised density matrix of each classical outcome."""
    result = defaultdict(lambda: 0)
    for bits, state in branches:
        result[tuple(bits)] = result[tuple(bits)] + np.outer(state, state.conj())
    return {k: v for k, v in result.items() if np.trace(v).real > 1e-12}


# -- the source --------------------------------------------------------------------------------------------------


def source_branches(circuit: QuantumCircuit, state: np.ndarray):
    """[(classical bits, unnormalised state)]."""
    qubit = {q: k for k, q in enumerate(circuit.qubits)}
    clbit = {c: k for k, c in enumerate(circuit.clbits)}
    return _run(circuit, qubit, clbit, [([0] * circuit.num_clbits, state)])


def _run(circuit, qubit, clbit, branches):
    for item in circuit.data:
        at = [qubit[q] for q in item.qubits]
        to = [clbit[c] for c in item.clbits]
        op = item.operation
        following = []
        for bits, state in branches:
            following += _step(op, at, to, clbit, bits, state)
        branches = [b for b in following if np.vdot(b[1], b[1]).real > 1e-14]
    return branches


def _step(op, at, to, clbit, bits, state):
    if op.name in ("barrier", "delay"):
        return [(bits, state)]
    if op.name in ("measure", "reset"):
        result = []
        for value in (0, 1):
            after = project(state, at[0], value)
            written = list(bits)
            if op.name == "measure":
                written[to[0]] = value
            elif value:
                after = apply(after, X, at)
            result.append((written, after))
        return result
    if op.name == "if_else":
        holds = _holds(op.condition, clbit, bits)
        blocks = op.blocks
        block = blocks[0] if holds else (blocks[1] if len(blocks) > 1 else None)
        return [(bits, state)] if block is None else _inside(block, at, to, clbit, bits, state)
    if op.name == "box":
        return _inside(op.blocks[0], at, to, clbit, bits, state)
    if op.name == "for_loop":
        indices, parameter, body = op.params
        branches = [(bits, state)]
        for value in indices:
            block = body
            if parameter is not None and parameter in body.parameters:
                block = body.assign_parameters({parameter: value})
            branches = [b for each in branches for b in _inside(block, at, to, clbit, *each)]
        return branches
    if not isinstance(op, Gate) and op.name not in ("clifford", "annotated"):
        return _inside(op.definition, at, to, clbit, bits, state)
    return [(bits, apply(state, Operator(op).data, at))]


def _inside(block, at, to, clbit, bits, state):
    inner = {**clbit, **dict(zip(block.clbits, to))}
    return _run(block, dict(zip(block.qubits, at)), inner, [(bits, state)])


def _holds(condition, clbit, bits) -> bool:
    def value_of(target):
        if isinstance(target, Clbit):
            return bits[clbit[target]]
        return sum(bits[clbit[b]] << k for k, b in enumerate(target))

    if not isinstance(condition, expr.Expr):
        target, value = condition
        return value_of(target) == int(value)
    return bool(_value(condition, value_of))


def _value(node, value_of):
    if isinstance(node, expr.Value):
        return int(node.value)
    if isinstance(node, expr.Var):
        return value_of(node.var)
    if isinstance(node, expr.Index):
        return _value(node.target, value_of) >> _value(node.index, value_of) & 1
    if isinstance(node, expr.Cast):
        value = _value(node.operand, value_of)
        return int(value != 0) if isinstance(node.type, types.Bool) else value % 2**node.type.width
    width = 1 if isinstance(node.type, types.Bool) else node.type.width
    if isinstance(node, expr.Unary):
        value = _value(node.operand, value_of)
        return int(not value) if node.op == expr.Unary.Op.LOGIC_NOT else ~value % 2**width
    a, b = _value(node.left, value_of), _value(node.right, value_of)
    table = {
        "BIT_AND": lambda: a & b,
        "BIT_OR": lambda: a | b,
        "BIT_XOR": lambda: a ^ b,
        "LOGIC_AND": lambda: int(bool(a) and bool(b)),
        "LOGIC_OR": lambda: int(bool(a) or bool(b)),
        "EQUAL": lambda: int(a == b),
        "NOT_EQUAL": lambda: int(a != b),
        "LESS": lambda: int(a < b),
        "LESS_EQUAL": lambda: int(a <= b),
        "GREATER": lambda: int(a > b),
        "GREATER_EQUAL": lambda: int(a >= b),
        "SHIFT_LEFT": lambda: (a << b) % 2**width,
        "SHIFT_RIGHT": lambda: a >> b,
        "ADD": lambda: (a + b) % 2**width,
        "SUB": lambda: (a - b) % 2**width,
    }
    return table[node.op.name]()


# -- the logical circuit -----------------------------------------------------------------------------------------


def logical_branches(circuit: LogicalCircuit, state: np.ndarray):
    """[(classical bits of the source, unnormalised state with the source's qubits in order)]."""
    branches = [([0] * len(circuit.bit_clbit), state)]
    for row in range(len(circuit)):
        code = Op(circuit.code[row])
        at = circuit.qubits[circuit.qubit_offsets[row] : circuit.qubit_offsets[row + 1]].tolist()
        params = circuit.params[circuit.param_offsets[row] : circuit.param_offsets[row + 1]].tolist()
        guard = circuit.guards[circuit.guard[row]] if circuit.guard[row] >= 0 else ()
        following = []
        for versions, amplitude in branches:
            if not all(versions[b] == v for b, v in guard):
                following.append((versions, amplitude))
            elif code in (Op.MEASURE, Op.RESET):
                for value in (0, 1):
                    after = project(amplitude, at[0], value)
                    written = list(versions)
                    if code == Op.MEASURE:
                        assert not written[circuit.bit[row]], "a version is written once"
                        written[circuit.bit[row]] = value
                    elif value:
                        after = apply(after, X, at)
                    following.append((written, after))
            else:
                following.append((versions, apply(amplitude, row_matrix(code, params, len(at)), at)))
        branches = [b for b in following if np.vdot(b[1], b[1]).real > 1e-14]
    n = circuit.num_qubits
    # Qubit q is on wire output_wire[q].
    axes = [n - 1 - int(circuit.output_wire[q]) for q in reversed(range(n))]
    return [
        (clbit_values(circuit, versions), amplitude.reshape((2,) * n).transpose(axes).reshape(-1))
        for versions, amplitude in branches
    ]


def row_matrix(code: Op, params: list[float], width: int) -> np.ndarray:
    from qiskit.circuit import library

    if code == Op.MCP:
        diagonal = np.ones(2**width, complex)
        diagonal[-1] = np.exp(1j * params[0])
        return np.diag(diagonal)
    if code == Op.PARITY:
        sign = np.array([(-1) ** x.bit_count() for x in range(2**width)])
        return np.diag(np.exp(-0.5j * params[0] * sign))
    names = {"P": "PhaseGate", "SDG": "SdgGate", "TDG": "TdgGate", "SXDG": "SXdgGate"}
    return getattr(library, names.get(code.name, f"{code.name}Gate"))(*params).to_matrix()


def assert_same(circuit: QuantumCircuit, logical: LogicalCircuit, seeds=(1, 2)) -> None:
    """The same unnormalised states for the same outcomes, on random inputs."""
    for seed in seeds:
        state = random_state(circuit.num_qubits, seed)
        wanted = densities(source_branches(circuit, state))
        found = densities(logical_branches(logical, state))
        assert set(wanted) == set(found)
        for bits, density in wanted.items():
            np.testing.assert_allclose(found[bits], density, atol=1e-9)
