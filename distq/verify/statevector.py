"""Verification by states: both sides are simulated in all branches, on random or entangled inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.verify.angles import evaluate
from distq.verify.bindings import random_bindings
from distq.verify.branches import (
    Branch,
    Guard,
    Limits,
    Run,
    State,
    Step,
    TooLargeError,
    estimate_peak,
    simulate,
)
from distq.verify.outcome import Outcome
from distq.verify.outputs import misplaced
from distq.verify.promise import STRONGEST, Promise
from distq.verify.reader import Decision, ProgramFiles
from distq.verify.source_steps import SourceSteps, UnsupportedError, source_steps

#: Largest distance (Frobenius norm, per classical outcome) that counts as rounding.
TOLERANCE = 1e-7
#: Circuits with at most this many active qubits are checked on the maximally entangled input.
CHOI_QUBITS = 8
#: Amplitudes written per check at most, for the maximally entangled input.
CHOI_WORK = 4e8
#: Parity gates on more qubits are simulated as CX gates around a rotation: their diagonal would have 2^k entries.
_DENSE_PARITY = 4


@dataclass(frozen=True)
class _Ensemble:
    """Unnormalised states for each value of the classical bits.

    Attributes:
        keys: (K, number of classical bits), sorted by row, with repetitions.
        vectors: (K, d): a pure state of the outputs and references for each row; the ensemble of a classical
            value is the sum over its rows.
    """

    keys: NDArray[np.uint8]
    vectors: State


def verify_statevector(
    circuit: Any,
    files: ProgramFiles,
    *,
    seed: int = 0,
    promise: Promise = STRONGEST,
    max_qubits: int = 22,
    max_branches: int = 2**12,
    max_work: float = 4e9,
    tolerance: float = TOLERANCE,
) -> Outcome:
    """Compare the circuit and the program on states, in all measurement branches.

    Up to `CHOI_QUBITS` qubits the input is maximally entangled with reference qubits, which is a proof for
    every input; above, two random states of all qubits, which tell any two different circuits apart with
    probability 1 (up to rounding). With measurements, the joint distribution of the classical bits
    is compared, and for each of their values the state of the remaining outputs; those whose last operation
    is an unconditional measurement or reset are traced out. Unbound parameters get random values, new ones for
    each input.

    Args:
        circuit: the source, a `QuantumCircuit`.
        files: the program, from `read_directory`.
        seed: for inputs, parameters, and the choice of branches if there are too many.
        promise: with `start_zero` the only input is |0...0>; with `outcomes_only` all qubits are traced out at the end.
        max_qubits: qubits that hold something at one moment.
        max_branches: different measurement branches at one moment. Equal ones are merged, so that a right
            program seldom has many. Unitary circuits with more are checked on a random part of them.
        max_work: amplitudes written, for each of both sides and each input.
        tolerance: see `TOLERANCE`.

    Returns:
        An outcome; not applicable if a limit would be exceeded.
    """
    rng = np.random.default_rng(seed)
    if circuit.num_qubits != len(files.inputs):
        return Outcome.wrong(
            "statevector",
            f"the circuit has {circuit.num_qubits} qubits and the program {len(files.inputs)}",
        )
    if circuit.num_clbits != len(files.clbits):
        return Outcome.wrong(
            "statevector",
            f"the circuit has {circuit.num_clbits} classical bits and the program {len(files.clbits)}",
        )
    problem = misplaced(circuit, files, promise)
    if problem:
        return Outcome.wrong("statevector", problem)
    wanted = sorted(p.name for p in circuit.parameters)
    # A parameter may be lost with a gate that never happens, but none may be new.
    for outer, _ in files.parameters:
        if outer not in wanted:
            ours = ", ".join(wanted) or "none"
            return Outcome.wrong("statevector", f"the program has the parameter {outer!r}, the circuit has {ours}")
    bindings = _bindings(circuit, files, rng)
    details: dict[str, Any] = {"sampled": False, "inputs": 0, "branches": 1}
    limits = Limits(max_qubits, max_branches, max_work)
    try:
        repeat = 2
        done = 0
        while done < repeat:
            bound, program = next(bindings)
            source = source_steps(bound)
            if promise.outcomes_only:
                source.outputs = []
            check = _Check(source, program, limits, tolerance, rng, promise.start_zero)
            choi = check.use_choi()
            problem = check.run(choi)
            details["choi"] = choi
            details["inputs"] += 1
            details["branches"] = max(details["branches"], check.peak_branches)
            details["sampled"] = details["sampled"] or check.sampled
            if problem is not None:
                return Outcome.wrong("statevector", problem, **details)
            if (choi or promise.start_zero) and not files.parameters:
                repeat = 1
            done += 1
    except TooLargeError as error:
        return Outcome.not_applicable("statevector", f"too large: {error}")
    except UnsupportedError as error:
        return Outcome.not_applicable("statevector", str(error))
    return Outcome.right("statevector", **details)


def _bindings(circuit: Any, files: ProgramFiles, rng: np.random.Generator) -> Iterator[tuple[Any, ProgramFiles]]:
    """Both sides with the same random values for the unbound parameters, again and again."""
    if circuit.parameters:
        for bound, values in random_bindings(circuit, rng):
            yield bound, files.bind(values)
    while True:
        yield circuit, files


class _Check:
    """One comparison, on one input."""

    def __init__(
        self,
        source: SourceSteps,
        program: ProgramFiles,
        limits: Limits,
        tolerance: float,
        rng: np.random.Generator,
        start_zero: bool,
    ) -> None:
        self.source, self.program, self.tolerance, self.rng = source, program, tolerance, rng
        self.start_zero = start_zero
        self.steps = program_steps(program)
        self.limits = limits
        self.sampled = False
        self.peak_branches = 1
        used = {q for step in self.steps for q in step.qubits}
        #: Qubits that nothing touches on either side and that stay where they are need no simulation.
        self.active = [
            q
            for q in range(source.num_qubits)
            if q in source.touched
            or program.inputs[q] in used
            or program.outputs[q] in used
            or program.inputs[q] != program.outputs[q]
        ]

    def use_choi(self) -> bool:
        n = len(self.active)
        if n > CHOI_QUBITS or self.start_zero:
            return False
        _, work = estimate_peak(self.steps, [self.program.inputs[q] for q in self.active])
        return n <= 3 or work * 2.0**n <= CHOI_WORK

    def run(self, choi: bool) -> str | None:
        """What is wrong, or None."""
        self.check_size(len(self.active) if choi else 0)
        state, references = self.input(choi)
        # Qubits in |0> take no room until something is done to them.
        present = [] if self.start_zero else self.active
        start = Branch(state.copy(), [*references, *present])
        exact = self.limits
        outputs = [q for q in self.source.outputs if q in set(self.active)]
        expected = simulate(
            self.source.steps,
            start,
            frozenset(range(self.source.num_clbits)),
            frozenset(outputs),
            exact,
            self.rng,
        )
        zero = all(bit < 0 for decision in self.program.clbits for _, bit in decision)
        unitary = not self.source.has_measurement and zero and bool(self.source.outputs)
        limits = Limits(exact.qubits, exact.branches, exact.work, sample=unitary)
        places = [self.program.inputs[q] for q in present]
        there = [*references, *(self.program.outputs[q] for q in outputs)]
        start = Branch(state.copy(), [*references, *places])
        bits = frozenset(b for d in self.program.clbits for g, v in d for b in [v, *(x for x, _ in g)] if b >= 0)
        found = simulate(self.steps, start, bits, frozenset(there), limits, self.rng)
        self.sampled = found.sampled
        self.peak_branches = max(found.peak_branches, expected.peak_branches)
        kept = [*references, *outputs]
        identity: list[Decision] = [(((), c),) for c in range(self.source.num_clbits)]
        if unitary:
            return self.compare_unitary(expected.branches[0], kept, found, there)
        return self.compare(_ensemble(expected, kept, identity), _ensemble(found, there, list(self.program.clbits)))

    def input(self, choi: bool) -> tuple[State, list[int]]:
        n = len(self.active)
        if self.start_zero:
            return np.ones((), np.complex128), []
        if choi:
            references = [-1 - j for j in range(n)]
            state = np.eye(2**n, dtype=np.complex128).reshape((2,) * (2 * n)) / 2 ** (n / 2)
            return state, references
        state = self.rng.normal(size=2**n) + 1j * self.rng.normal(size=2**n)
        return (state / np.linalg.norm(state)).reshape((2,) * n), []

    def check_size(self, references: int) -> None:
        """Refuse early what cannot fit, before any state is made."""
        present = [] if self.start_zero else self.active
        sides = (
            (self.source.steps, present),
            (self.steps, [self.program.inputs[q] for q in present]),
        )
        for steps, start in sides:
            _, work = estimate_peak(steps, start)
            if len(start) + references > self.limits.qubits:
                raise TooLargeError(f"{len(start)} qubits; the limit is {self.limits.qubits}")
            # The estimate is an upper bound for one branch; a margin for what it cannot know.
            if work * 2.0**references > 4 * self.limits.work:
                raise TooLargeError(f"about {work:.1g} amplitude updates; the limit is {self.limits.work:.1g}")

    def compare_unitary(self, expected: Branch, kept: Sequence[int], found: Run, there: Sequence[int]) -> str | None:
        """Every branch must give the same pure state, whatever the rest of the qubits hold."""
        _, target = _columns(expected, kept, [])
        psi = target[0][:, 0]
        for branch in found.branches:
            _, blocks = _columns(branch, there, [])
            for block in blocks:
                norm = float(np.linalg.norm(block))
                if norm == 0.0:
                    continue
                rest = block - np.outer(psi, psi.conj() @ block)
                distance = float(np.linalg.norm(rest)) / norm
                if distance > self.tolerance:
                    return f"a measurement branch gives another state (distance {distance:.2g})"
        return None

    def compare(self, expected: _Ensemble, found: _Ensemble) -> str | None:
        """For every value of the classical bits the same unnormalised density matrix."""
        width = expected.keys.shape[1]
        both = np.concatenate([expected.keys, found.keys])
        packed = np.packbits(both, axis=1) if width else np.zeros((len(both), 1), np.uint8)
        _, labels = np.unique(packed, axis=0, return_inverse=True)
        labels = labels.reshape(-1)
        count = int(labels.max()) + 1
        here, other = labels[: len(expected.keys)], labels[len(expected.keys) :]
        single = (np.bincount(here, minlength=count) == 1) & (np.bincount(other, minlength=count) == 1)
        one_here, one_other = np.zeros(count, int), np.zeros(count, int)
        one_here[here], one_other[other] = np.arange(len(here)), np.arange(len(other))
        simple = np.flatnonzero(single)
        a, b = expected.vectors[one_here[simple]], found.vectors[one_other[simple]]
        overlap = np.sum(b.conj() * a, axis=1)
        size = np.abs(overlap)
        phase = np.where(size > 0, overlap / np.where(size > 0, size, 1), 1)
        gap = np.linalg.norm(a - phase[:, None] * b, axis=1)
        distances = gap * (np.linalg.norm(a, axis=1) + np.linalg.norm(b, axis=1))
        worst = [(float(d), int(label)) for d, label in zip(distances, simple)]
        rows_here, rows_other = _groups(here, count), _groups(other, count)
        for label in np.flatnonzero(~single):
            distance = _density_distance(expected.vectors[rows_here[label]], found.vectors[rows_other[label]])
            worst.append((distance, int(label)))
        distance, worst_label = max(worst)
        if distance <= self.tolerance:
            return None
        value = both[int(np.flatnonzero(labels == worst_label)[0])]
        probabilities = [
            float(np.sum(np.abs(e.vectors[rows[worst_label]]) ** 2))
            for e, rows in ((expected, rows_here), (found, rows_other))
        ]
        text = "".join(map(str, value.tolist())) or "(none)"
        return (
            f"for the classical bits {text} (bit 0 first) the circuit has probability {probabilities[0]:.6g} "
            f"and the program {probabilities[1]:.6g}, and the states differ by {distance:.2g}"
        )


def _groups(labels: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, count)))


def _density_distance(a: State, b: State) -> float:
    """Frobenius distance of two mixtures, given by unnormalised states in rows."""
    if len(a) + len(b) < a.shape[1]:
        # Both live in the span of the rows: express them there.
        factor: State = np.linalg.qr(np.concatenate([a, b]).T)[1]
        a, b = factor.T[: len(a)], factor.T[len(a) :]
    return float(np.linalg.norm(a.T @ a.conj() - b.T @ b.conj()))


def _columns(branch: Branch, kept: Sequence[int], bits: Sequence[int]) -> tuple[list[int], list[State]]:
    """The state as matrices (kept qubits, the rest), one for each value of the deferred bits among `bits`.

    Returns:
        The deferred bits, most significant first, and the matrices in the order of their values.
    """
    known_axes = [q for q in kept if q not in branch.axes]
    state, axes = branch.state, branch.axes
    for q in known_axes:
        grown = np.zeros((2, *state.shape), np.complex128)
        grown[int(q in branch.known)] = state
        state, axes = grown, [q, *axes]
    keeps = set(kept)
    deferred = [b for b in branch.deferred if b in set(bits) and branch.deferred[b] not in keeps]
    first = [branch.deferred[b] for b in deferred]
    chosen = keeps.union(first)
    rest = [q for q in axes if q not in chosen]
    order = [axes.index(q) for q in [*first, *kept, *rest]]
    shape = (2 ** len(first), 2 ** len(kept), 2 ** len(rest))
    return deferred, list(state.transpose(order).reshape(shape))


def _ensemble(run: Run, kept: Sequence[int], decisions: list[Decision]) -> _Ensemble:
    """Evaluate the classical bits of every branch, and trace out what is not kept."""
    bits = _bits_of(decisions)
    keys: list[NDArray[np.uint8]] = []
    vectors: list[State] = []
    for branch in run.branches:
        deferred, blocks = _columns(branch, kept, sorted(bits))
        count = len(blocks)
        numbers = np.arange(count)
        values = {b: np.full(count, b in branch.bits) for b in bits}
        for j, bit in enumerate(deferred):
            values[bit] = (numbers >> (len(deferred) - 1 - j)) & 1 == 1
        clbits = np.zeros((count, len(decisions)), np.uint8)
        for c, decision in enumerate(decisions):
            clbits[:, c] = _decide(decision, values, count)
        for row, block in zip(clbits, blocks):
            weights = np.linalg.norm(block, axis=0)
            columns = block[:, weights > 1e-10]
            keys.append(np.repeat(row[None, :], columns.shape[1], axis=0))
            vectors.append(columns.T)
    return _Ensemble(np.concatenate(keys), np.concatenate(vectors))


def _bits_of(decisions: Sequence[Decision]) -> set[int]:
    """Bits that the decision lists read."""
    entries = [entry for decision in decisions for entry in decision]
    return {b for guard, bit in entries for b in (bit, *(x for x, _ in guard)) if b >= 0}


def _decide(decision: Decision, values: dict[int, NDArray[np.bool_]], count: int) -> NDArray[np.bool_]:
    result = np.zeros(count, bool)
    undecided = np.ones(count, bool)
    for guard, bit in decision:
        holds = undecided.copy()
        for other, value in guard:
            holds &= values[other] == bool(value)
        if bit >= 0:
            result[holds] = values[bit][holds]
        undecided &= ~holds
    return result


def program_steps(files: ProgramFiles) -> list[Step]:
    """A bound program as steps of the branch simulator; its bits are those of `files`."""
    steps: list[Step] = []
    fixed: dict[str, Step] = {}
    for kind, qubits, params, guard, bit in zip(files.kind, files.qubits, files.params, files.guard, files.bit):
        angles = tuple(evaluate(a, {}) for a in params)
        if kind in ("measure", "reset"):
            steps.append(Step(kind, qubits, guard=guard, bit=bit, name=kind))
        elif kind == "epr":
            steps.append(Step("gate", qubits[:1], _one_qubit("h", ()), guard=guard, name=kind))
            steps.append(_controlled(qubits, _one_qubit("x", ()), guard, kind))
        elif kind == "cx":
            steps.append(_controlled(qubits, _one_qubit("x", ()), guard, kind))
        elif kind == "swap" and guard:
            pairs = (qubits, qubits[::-1], qubits)
            steps.extend(_controlled(pair, _one_qubit("x", ()), guard, kind) for pair in pairs)
        elif kind == "swap":
            steps.append(Step(kind, qubits, name=kind))
        elif kind == "mcp":
            phase = np.diag([1.0, np.exp(1j * angles[0])]).astype(np.complex128)
            steps.append(_controlled(qubits, phase, guard, f"mcp on {len(qubits)} qubits"))
        elif kind == "parity" and len(qubits) > _DENSE_PARITY:
            ladder = [_controlled((q, qubits[-1]), _one_qubit("x", ()), (), kind) for q in qubits[:-1]]
            turn = np.diagonal(_one_qubit("rz", angles)).copy()
            steps += [*ladder, Step("diagonal", qubits[-1:], turn, guard=guard, name=kind), *ladder]
        elif kind == "parity":
            signs = np.array([1.0])
            for _ in qubits:
                signs = np.concatenate([signs, -signs])
            diagonal = np.exp(-0.5j * angles[0] * signs)
            steps.append(Step("diagonal", qubits, diagonal, guard=guard, name=kind))
        else:
            model = fixed.get(kind)
            if model is None or angles:
                matrix = _one_qubit(kind, angles)
                if matrix[0, 1] == 0 and matrix[1, 0] == 0:
                    model = Step("diagonal", (), np.diagonal(matrix).copy(), name=kind)
                else:
                    model = Step("gate", (), matrix, name=kind)
                fixed[kind] = model
            steps.append(replace(model, qubits=qubits, guard=guard))
    return steps


def _controlled(qubits: tuple[int, ...], matrix: State, guard: Guard, name: str) -> Step:
    """A one-qubit gate on the last qubit under the control of the others."""
    k = len(qubits) - 1
    if matrix[0, 1] == 0 and k < 4:
        diagonal = np.ones(2**k * 2, np.complex128)
        diagonal[2**k - 1], diagonal[-1] = matrix[0, 0], matrix[1, 1]
        return Step("diagonal", qubits, diagonal, guard=guard, name=name)
    return Step("gate", qubits, matrix, k, (1,) * k, guard=guard, name=name)


def _one_qubit(kind: str, params: tuple[Any, ...]) -> State:
    """Matrices of the file format's one-qubit gates, written out here once more."""
    r = 1 / np.sqrt(2)
    tables: dict[str, list[list[complex]]] = {
        "x": [[0, 1], [1, 0]],
        "y": [[0, -1j], [1j, 0]],
        "z": [[1, 0], [0, -1]],
        "h": [[r, r], [r, -r]],
        "s": [[1, 0], [0, 1j]],
        "sdg": [[1, 0], [0, -1j]],
        "t": [[1, 0], [0, r + r * 1j]],
        "tdg": [[1, 0], [0, r - r * 1j]],
        "sx": [[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]],
        "sxdg": [[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]],
    }
    if kind in tables:
        return np.array(tables[kind], np.complex128)
    t = float(params[0])
    c, s = np.cos(t / 2), np.sin(t / 2)
    if kind == "p":
        return np.array([[1, 0], [0, np.exp(1j * t)]], np.complex128)
    if kind == "rz":
        return np.array([[np.exp(-0.5j * t), 0], [0, np.exp(0.5j * t)]], np.complex128)
    if kind == "rx":
        return np.array([[c, -1j * s], [-1j * s, c]], np.complex128)
    if kind == "ry":
        return np.array([[c, -s], [s, c]], np.complex128)
    if kind == "U":
        phi, lam = float(params[1]), float(params[2])
        return np.array(
            [[c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]], np.complex128
        )
    raise UnsupportedError(f"the program's gate {kind!r} is not known")
