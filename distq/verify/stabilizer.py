"""Verification of Clifford circuits on hundreds of qubits: both sides must have the same stabilizer flows.

A flow P -> Q says that the circuit turns the Pauli product P of its inputs into Q of its outputs. Stim finds
generators of all flows of a circuit with measurements and Pauli corrections, with the measured bits on which
the sign of Q depends. Classical bits of the source become qubits that are 0 or 1, internal bits are
eliminated, and what remains - the signed group of flows from inputs to outputs and classical bits - is all
that a Clifford instrument does, in every branch: equal groups mean equal joint distributions and equal
remaining states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import MissingExtraError
from distq.verify.branches import Guard, Step
from distq.verify.outcome import Outcome
from distq.verify.outputs import misplaced
from distq.verify.promise import STRONGEST, Promise
from distq.verify.reader import Decision, ProgramFiles
from distq.verify.source_steps import UnsupportedError, source_steps
from distq.verify.statevector import program_steps

if TYPE_CHECKING:
    import stim

#: Deviations of a matrix from a Clifford gate that count as rounding.
ROUNDING = 1e-8
#: Gates on more qubits than this are not examined.
GATE_QUBITS = 4

#: Parity of some measurement records, and a constant: ({3, 5}, 1) is rec 3 xor rec 5 xor 1.
Affine = tuple[frozenset[int], int]
ZERO: Affine = (frozenset(), 0)


class NotCliffordError(Exception):
    """Something that stabilizers cannot follow; the message names it."""


def verify_stabilizer(
    circuit: Any, files: ProgramFiles, *, seed: int = 0, promise: Promise = STRONGEST, max_qubits: int = 3000
) -> Outcome:
    """Compare all stabilizer flows of a Clifford circuit and its program: a proof for every input and branch.

    Applies to Clifford gates (whatever their names), measurements, resets, and Paulis conditional on parities
    of measured bits. Nothing is sampled.

    Args:
        circuit: the source, a `QuantumCircuit`.
        files: the program, from `read_directory`.
        seed: not needed; accepted by every method.
        promise: with `start_zero` all qubits are reset at the start; with `outcomes_only` also at the end.
        max_qubits: physical qubits in use at most.

    Returns:
        An outcome; not applicable if something is not Clifford (the reason names it).

    Raises:
        MissingExtraError: stim is not installed.
    """
    try:
        import stim  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("stim", "verify", "the stabilizer method") from error
    name = "stabilizer"
    if circuit.num_qubits != len(files.inputs) or circuit.num_clbits != len(files.clbits):
        return Outcome.wrong(name, "the circuit and the program have different numbers of qubits or classical bits")
    if circuit.parameters or files.parameters:
        return Outcome.not_applicable(name, "unbound parameters are not Clifford")
    problem = misplaced(circuit, files, promise)
    if problem:
        return Outcome.wrong(name, problem)
    try:
        source = source_steps(circuit)
        steps = program_steps(files)
        sides = []
        decisions: list[Decision] = [(((), c),) for c in range(circuit.num_clbits)]
        if promise.outcomes_only:
            source.outputs = []
        every = [] if promise.start_zero else list(range(circuit.num_qubits))
        for rows, inputs, outputs, values in (
            (source.steps, every, source.outputs, decisions),
            (steps, [files.inputs[q] for q in every], [files.outputs[q] for q in source.outputs], files.clbits),
        ):
            side = _Side(rows, inputs, outputs, values)
            if side.num_qubits > max_qubits:
                return Outcome.not_applicable(name, f"{side.num_qubits} qubits; the limit is {max_qubits}")
            sides.append(side.flows())
    except NotCliffordError as error:
        return Outcome.not_applicable(name, f"{error}")
    except UnsupportedError as error:
        return Outcome.not_applicable(name, str(error))
    expected, found = sides
    different = _difference(expected, found, len(every), source.outputs)
    if different:
        return Outcome.wrong(name, different, flows=len(expected))
    return Outcome.right(name, flows=len(expected))


#: Canonical generators: leading bit -> (bits of the Pauli product, the signed product).
Flows = dict[int, tuple[int, "stim.PauliString"]]


def _difference(expected: Flows, found: Flows, num_qubits: int, outputs: list[int]) -> str | None:
    """A sentence about the first flow that only one side has."""
    for pivot in sorted(expected.keys() | found.keys(), reverse=True):
        a, b = expected.get(pivot), found.get(pivot)
        if a is not None and b is not None and a[0] == b[0] and a[1] == b[1]:
            continue
        here, owner, other = (a, "circuit", "program") if a is not None else (b, "program", "circuit")
        assert here is not None
        return f"the {owner} has the flow {_words(here[1], num_qubits, outputs)}, the {other} has not"
    return None


def _words(pauli: stim.PauliString, num_qubits: int, outputs: list[int]) -> str:
    names = [f"q{q}" for q in range(num_qubits)] + [f"q{q}" for q in outputs]
    names += [f"clbit {c}" for c in range(len(pauli) - len(names))]
    # The transposed input changes the sign for every Y.
    sign = pauli.sign.real
    inputs: list[str] = []
    results: list[str] = []
    for j, name in enumerate(names):
        letter = "_XYZ"[pauli[j]]
        if letter != "_":
            (inputs if j < num_qubits else results).append(f"{letter}({name})")
            sign *= -1 if letter == "Y" and j < num_qubits else 1
    return f"{' '.join(inputs) or '1'} -> {'-' if sign < 0 else ''}{' '.join(results) or '1'}"


@dataclass
class _Side:
    """One side as a stim circuit, and its flows."""

    steps: Sequence[Step]
    inputs: Sequence[int]
    outputs: Sequence[int]
    decisions: Sequence[Decision]
    number: dict[int, int] = field(default_factory=dict)
    bits: dict[int, Affine] = field(default_factory=dict)
    records: int = 0
    clifford: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for q in self.inputs:
            self.number.setdefault(q, len(self.number))
        for step in self.steps:
            for q in step.qubits:
                self.number.setdefault(q, len(self.number))
        for q in self.outputs:
            self.number.setdefault(q, len(self.number))

    @property
    def num_qubits(self) -> int:
        return len(self.number)

    def flows(self) -> Flows:
        circuit = self.build()
        first = len(self.number)
        inputs = [self.number[q] for q in self.inputs]
        outputs = [self.number[q] for q in self.outputs] + [first + c for c in range(len(self.decisions))]
        return _visible(circuit, inputs, outputs)

    def build(self) -> stim.Circuit:
        import stim

        circuit = stim.Circuit()
        total = len(self.number) + len(self.decisions)
        # Stim knows only qubits that something acts on.
        circuit.append("I", range(total))
        starts = {self.number[q] for q in self.inputs}
        clean = [j for j in range(total) if j not in starts]
        if clean:
            circuit.append("R", clean)
        for step in self.steps:
            self.append(circuit, step)
        for c, decision in enumerate(self.decisions):
            self.flip(circuit, "X", len(self.number) + c, self.decide(c, decision))
        kept = {self.number[q] for q in self.outputs} | set(range(len(self.number), total))
        rest = [j for j in range(total) if j not in kept]
        if rest:
            circuit.append("R", rest)
        return circuit

    def append(self, circuit: stim.Circuit, step: Step) -> None:
        where = [self.number[q] for q in step.qubits]
        if step.kind == "eval":
            self.bits[step.bit] = self.evaluate(step)
            return
        condition = self.guard(step.guard, step)
        if condition == ZERO:
            return
        always = condition == (frozenset(), 1)
        if step.kind in ("measure", "reset"):
            if not always:
                raise NotCliffordError(f"a {step.kind} under a condition is not supported")
            circuit.append("M" if step.kind == "measure" else "R", where)
            if step.kind == "measure":
                self.bits[step.bit] = (frozenset((self.records,)), 0)
                self.records += 1
        elif step.kind == "swap":
            circuit.append("SWAP", where)
        else:
            gate, pauli = self.gate(step)
            if always:
                for name, targets in gate:
                    circuit.append(name, [where[t] for t in targets])
            elif pauli is None:
                raise NotCliffordError(f"{step.name or 'a gate'} under a condition is not a Pauli")
            else:
                for j, letter in enumerate(pauli):
                    if letter != "_":
                        self.flip(circuit, letter, where[j], condition)

    def flip(self, circuit: stim.Circuit, pauli: str, qubit: int, condition: Affine) -> None:
        """A Pauli, if the condition holds."""
        import stim

        records, constant = condition
        for r in sorted(records):
            circuit.append(f"C{pauli}", [stim.target_rec(r - self.records), qubit])
        if constant:
            circuit.append(pauli, [qubit])

    def value(self, bit: int) -> Affine:
        return self.bits.get(bit, ZERO)

    def guard(self, guard: Guard, step: Step) -> Affine:
        literals: list[Affine] = []
        for bit, wanted in guard:
            records, constant = self.value(bit)
            literal = (records, constant ^ 1 ^ wanted)
            if literal == ZERO or (records, literal[1] ^ 1) in literals:
                return ZERO
            if literal != (frozenset(), 1) and literal not in literals:
                literals.append(literal)
        if len(literals) > 1:
            raise NotCliffordError(f"{step.name or step.kind} under two conditions is not supported")
        return literals[0] if literals else (frozenset(), 1)

    def evaluate(self, step: Step) -> Affine:
        assert step.function is not None
        if self.guard(step.guard, step) == ZERO:
            return ZERO
        result = self.affine(step.reads, step.function)
        if result is None:
            raise NotCliffordError("a condition that is not a parity of measured bits is not supported")
        return result

    def decide(self, clbit: int, decision: Decision) -> Affine:
        reads = sorted({b for guard, bit in decision for b in [bit, *(x for x, _ in guard)] if b >= 0})

        def function(values: Sequence[int]) -> int:
            table = dict(zip(reads, values))
            for guard, bit in decision:
                if all(table[b] == v for b, v in guard):
                    return table[bit] if bit >= 0 else 0
            return 0

        result = self.affine(reads, function)
        if result is None:
            raise NotCliffordError(f"classical bit {clbit} is not a parity of measured bits")
        return result

    def affine(self, reads: Sequence[int], function: Callable[[Sequence[int]], int]) -> Affine | None:
        """The function as a parity of records, or None. Constant and repeated bits are allowed."""
        inputs = [self.value(b) for b in reads]
        free = sorted({r for records, _ in inputs for r in records})
        if len(free) > 12:
            return None

        def at(true: frozenset[int]) -> int:
            return int(bool(function([(len(records & true) + c) & 1 for records, c in inputs])))

        constant = at(frozenset())
        chosen = frozenset(r for r in free if at(frozenset((r,))) != constant)
        for values in product((0, 1), repeat=len(free)):
            true = frozenset(r for r, v in zip(free, values) if v)
            if at(true) != (len(chosen & true) + constant) & 1:
                return None
        return chosen, constant

    def gate(self, step: Step) -> tuple[list[tuple[str, list[int]]], str | None]:
        """Stim instructions on the positions of the step's qubits, and the Pauli letters if it is one."""
        assert step.matrix is not None
        key = (step.kind, step.matrix.tobytes(), step.controls, step.pattern, len(step.qubits))
        if key not in self.clifford:
            self.clifford[key] = _clifford(step)
        found = self.clifford[key]
        if found is None:
            raise NotCliffordError(f"{step.name or 'a gate'} is not Clifford")
        return found


_PAULIS = {
    "_": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], np.complex128),
    "Z": np.array([[1, 0], [0, -1]], np.complex128),
}


def _full_matrix(step: Step) -> NDArray[np.complex128]:
    assert step.matrix is not None
    if step.kind == "diagonal":
        return np.diag(step.matrix)
    if not step.controls:
        return step.matrix
    k = step.controls
    size = 2 ** len(step.qubits)
    index = np.arange(size)
    pattern = sum(v << j for j, v in enumerate(step.pattern))
    on = index[(index & ((1 << k) - 1)) == pattern]
    matrix = np.eye(size, dtype=np.complex128)
    matrix[np.ix_(on, on)] = step.matrix
    return matrix


def _pauli_matrix(letters: str) -> NDArray[np.complex128]:
    """Letter j belongs to qubit j, the bit j of the index."""
    result: NDArray[np.complex128] = np.eye(1, dtype=np.complex128)
    for letter in letters:
        result = np.kron(_PAULIS[letter], result).astype(np.complex128)
    return result


def _as_pauli(matrix: NDArray[np.complex128], count: int) -> tuple[str, complex] | None:
    """(letters, phase) if the matrix is a Pauli product times a phase."""
    column = int(np.argmax(np.abs(matrix[:, 0])))
    flips = [(column >> j) & 1 for j in range(count)]
    letters = ""
    for j in range(count):
        a, b = matrix[column, 0], matrix[column ^ (1 << j), 1 << j]
        # X has equal, Y opposite entries; so have the identity and Z.
        same = abs(a - b) < abs(a + b)
        letters += ("X" if same else "Y") if flips[j] else ("_" if same else "Z")
    pauli = _pauli_matrix(letters)
    phase = complex(np.vdot(pauli, matrix)) / 2**count
    if np.linalg.norm(matrix - phase * pauli) > ROUNDING * 2**count or abs(abs(phase) - 1) > ROUNDING:
        return None
    return letters, phase


def _clifford(step: Step) -> tuple[list[tuple[str, list[int]]], str | None] | None:
    import stim

    count = len(step.qubits)
    if count > GATE_QUBITS:
        return None
    matrix = _full_matrix(step)
    own = _as_pauli(matrix, count)
    images: dict[str, list[stim.PauliString]] = {"X": [], "Z": []}
    for letter, found in images.items():
        for j in range(count):
            generator = _pauli_matrix("_" * j + letter + "_" * (count - 1 - j))
            image = _as_pauli(matrix @ generator @ matrix.conj().T, count)
            if image is None:
                return None
            found.append(stim.PauliString(image[0]) * (1 if image[1].real > 0 else -1))
    tableau = stim.Tableau.from_conjugated_generators(xs=images["X"], zs=images["Z"])
    instructions = []
    for instruction in tableau.to_circuit():
        instructions.append((instruction.name, [t.value for t in instruction.targets_copy()]))
    return instructions, own[0] if own else None


def _visible(circuit: stim.Circuit, inputs: Sequence[int], outputs: Sequence[int]) -> Flows:
    """Canonical generators of the flows from inputs to outputs that need no measurement record.

    A flow P -> Q becomes the stabilizer P^T (x) Q of the circuit's Choi state. Rows are reduced by their
    highest bit; records are the highest bits, so that rows which need none are left at the end.
    """
    import stim

    generators = circuit.flow_generators()
    width = circuit.num_qubits
    k, m = len(inputs), len(outputs)
    size = k + m
    rows: list[tuple[int, stim.PauliString]] = []
    for flow in generators:
        before, after = _bools(flow.input_copy(), width), _bools(flow.output_copy(), width)
        x = np.concatenate([before[0][list(inputs)], after[0][list(outputs)]])
        z = np.concatenate([before[1][list(inputs)], after[1][list(outputs)]])
        sign = flow.output_copy().sign * flow.input_copy().sign
        transposed = int(np.count_nonzero(x[:k] & z[:k])) & 1
        pauli = stim.PauliString.from_numpy(xs=x, zs=z, sign=(-1 if transposed else 1) * int(sign.real))
        bits = int.from_bytes(np.packbits(np.concatenate([x, z]), bitorder="little").tobytes(), "little")
        for record in flow.measurements_copy():
            bits ^= 1 << (2 * size + record)
        rows.append((bits, pauli))
    basis: Flows = {}
    for bits, pauli in rows:
        while bits:
            pivot = bits.bit_length() - 1
            if pivot not in basis:
                basis[pivot] = (bits, pauli)
                break
            other = basis[pivot]
            bits ^= other[0]
            pauli = pauli * other[1]
        else:
            if pauli.sign != 1:
                raise AssertionError("contradicting flows")
    visible = {p: row for p, row in basis.items() if p < 2 * size}
    return _reduce(visible)


def _reduce(basis: Flows) -> Flows:
    """Clear every leading bit from all other rows, so that equal groups have equal rows."""
    pivots = sorted(basis)
    mask = sum(1 << p for p in pivots)
    done: Flows = {}
    for pivot in pivots:
        bits, pauli = basis[pivot]
        while extra := bits & mask & ~(1 << pivot):
            other = done[extra.bit_length() - 1]
            bits ^= other[0]
            pauli = pauli * other[1]
        done[pivot] = (bits, pauli)
    return done


def _bools(pauli: stim.PauliString, width: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """X and Z parts, filled up to `width` qubits."""
    x, z = np.zeros(width, bool), np.zeros(width, bool)
    xs, zs = pauli.to_numpy()
    x[: len(xs)], z[: len(zs)] = xs, zs
    return x, z
