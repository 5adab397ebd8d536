"""Verification at any size: protocols are replayed, and the gates that remain are the circuit's, up to commutation.

The program's protocols are replayed from its files (`distq.verify.replay`), which refuses every breach of their
rules and leaves the logical operations. Both these and the source circuit become events in frame coordinates
(`distq.verify.events`, where the criterion is stated and proved) and are compared. Conditions are compared as Boolean
functions of the circuit's measurements. Where the compiler put other gates in the place of instructions, its witnesses
are proved first and carried out on the source (`distq.verify.substitute`). If the comparison does not settle it, gates
that add up or cancel are merged; both sides are brought to the normal form of `distq.verify.meaning`, by what
measurements, resets and promises allow; and conditions are resolved branch by branch, in all branches or, if these are
too many, in a sample that takes every condition both ways.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from distq.verify.alignment import aligned
from distq.verify.atoms import AtomError, Atoms
from distq.verify.bindings import random_bindings
from distq.verify.block_proof import WitnessError
from distq.verify.booleans import FALSE, Booleans
from distq.verify.compare import TOTAL_TOLERANCE, Comparison, Difference, frames_differ, simplify
from distq.verify.events import Builder, EventSet, OpaqueError
from distq.verify.meaning import ImpossibleError, Labels, normal_form
from distq.verify.outcome import DEFAULT_BUDGET, Outcome
from distq.verify.outputs import output_qubits
from distq.verify.promise import STRONGEST, Promise
from distq.verify.reader import ProgramFiles
from distq.verify.replay import Replayed, ReplayError, replay
from distq.verify.resets import strands_at_end, visible
from distq.verify.source import Source, read_source
from distq.verify.substitute import substitute
from distq.verify.tape import Row

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: Branches times rows that are compared one by one; more are sampled.
_BRANCH_WORK = 4_000_000
#: Branches of a sample, at most.
_SAMPLE = 256
#: Sets of values for unbound parameters.
_BINDINGS = 2


class Mismatch(Exception):
    """The program is not the circuit; the message is one sentence."""


def verify_symbolic(
    circuit: QuantumCircuit,
    files: ProgramFiles,
    *,
    seed: int = 0,
    promise: Promise = STRONGEST,
    error_budget: float = DEFAULT_BUDGET,
) -> Outcome:
    """Whether the program carries out the circuit on every input, in every measurement branch.

    Args:
        circuit: the source circuit.
        files: the program, as read from its directory.
        seed: for the values of unbound parameters, and for sampled branches.
        promise: what may be assumed, and what must be preserved.
        error_budget: bound on the operator-norm error of the rotations that the program leaves out.

    Returns:
        The outcome; `details` has `events`, `angle_error` [rad], `bindings`, `blocks` (witnesses proved), `error_bound`
        (of what is left out), and for conditions that had to be resolved branch by branch `branches` and
        `branches_sampled`.

    Raises:
        InputError: the circuit holds an operation that is not supported.
    """
    try:
        _check_sizes(circuit, files)
        details: dict[str, Any] = {}
        for bound, program in _bindings(circuit, files, seed):
            details = _check(bound, program, seed, promise, error_budget)
            details["bindings"] = _BINDINGS if circuit.parameters else 1
            details["blocks"] = len(files.blocks)
    except (Mismatch, ReplayError) as error:
        return Outcome.wrong("symbolic", str(error))
    return Outcome.right("symbolic", **details)


def _check_sizes(circuit: QuantumCircuit, files: ProgramFiles) -> None:
    for what, ours, theirs in (
        ("qubits", circuit.num_qubits, files.manifest.num_qubits),
        ("classical bits", circuit.num_clbits, files.manifest.num_clbits),
    ):
        if ours != theirs:
            raise Mismatch(f"The circuit has {ours} {what}, but the program was compiled for {theirs}.")
    ours_named = {p.name for p in circuit.parameters}
    for outer, _ in files.parameters:
        if outer not in ours_named:
            raise Mismatch(f"The program has a parameter {outer!r}, which the circuit has not.")


def _bindings(circuit: QuantumCircuit, files: ProgramFiles, seed: int) -> Iterator[tuple[QuantumCircuit, ProgramFiles]]:
    if not circuit.parameters:
        yield circuit, files
        return
    for bound, values in islice(random_bindings(circuit, random.Random(seed)), _BINDINGS):
        yield bound, files.bind(values)


def _check(
    circuit: QuantumCircuit, files: ProgramFiles, seed: int, promise: Promise, error_budget: float
) -> dict[str, Any]:
    outputs = [] if promise.outcomes_only else output_qubits(circuit)
    source, error, omitted = _with_witnesses(read_source(circuit), files, error_budget)
    return {**_Check(source, error, files, seed, outputs, promise).run(), "error_bound": omitted}


@dataclass
class _Sides:
    source: EventSet
    program: EventSet


class _Check:
    """One circuit without unbound parameters against one program."""

    def __init__(
        self,
        source: Source,
        witness_error: float,
        files: ProgramFiles,
        seed: int,
        outputs: list[int],
        promise: Promise,
    ) -> None:
        self.source, self.witness_error = source, witness_error
        self.files, self.seed, self.outputs, self.promise = files, seed, outputs, promise
        self.replayed: Replayed = replay(files, start_zero=promise.start_zero)
        self._trim()
        self.booleans: Booleans = source.booleans

    def run(self) -> dict[str, Any]:
        """Details of a successful check.

        Raises:
            Mismatch: the program is not the circuit.
        """
        try:
            return self._labelled()
        except Mismatch as error:
            if not self.replayed.guards and all(row[3] < 0 for row in self.source.tape.rows):
                raise
            first = error
        try:
            return self._branches()
        except Mismatch:
            raise first from None

    def _trim(self) -> None:
        """Leave out resets that nobody can see, on both sides."""
        wires = range(self.source.tape.num_wires)
        strand_at = strands_at_end(self.source.tape)
        ours, theirs = set(self.outputs), {strand_at[q] for q in self.outputs}
        zero = self.promise.start_zero
        self.source = replace(self.source, tape=visible(self.source.tape, [w in ours for w in wires], zero))
        tape = visible(self.replayed.tape, [w in theirs for w in wires], zero)
        self.replayed = replace(self.replayed, tape=tape)

    # Conditions as labels

    def _labelled(self) -> dict[str, Any]:
        sides = self._build()
        atoms = self._atoms(sides)
        self._check_clbits(atoms)
        error = self._compare(sides, atoms)
        return {"events": len(sides.source.events), "angle_error": error}

    def _build(self, source_holds: Any = None, program_holds: Any = None) -> _Sides:
        program = Builder(self.replayed.tape.num_wires, program_holds).run(self.replayed.tape)
        try:
            source = Builder(self.source.tape.num_wires, source_holds).run(self.source.tape)
        except OpaqueError as error:
            raise Mismatch(
                f"{self._gate(error.origin)} is a matrix on several qubits, and no block of the manifest says which "
                "gates the program has in its place."
            ) from error
        return _Sides(source, program)

    def _compare(self, sides: _Sides, atoms: Atoms, outcomes: Mapping[int, int] | None = None) -> float:
        """The error [rad] of a program that is right, in the first form in which that shows."""
        self._check_outputs(sides)
        first: Mismatch | None = None
        for form, comparison in self._forms(sides, atoms, outcomes or {}):
            try:
                return self._agree(form, comparison)
            except Mismatch as error:
                first = first or error
        assert first is not None
        raise first

    def _forms(self, sides: _Sides, atoms: Atoms, outcomes: Mapping[int, int]) -> Iterator[tuple[_Sides, Comparison]]:
        """Both sides as they are; with gates added up; in their normal form; and with gates added up in that."""
        yield sides, self._comparison(atoms)
        yield _Sides(simplify(sides.source), simplify(sides.program)), self._comparison(atoms)
        if not (self.replayed.guards or sides.source.measured or self.promise != STRONGEST or self._has_reset()):
            return
        labels = Labels(self.booleans, lambda g: g, lambda atom: atom, outcomes, is_source=True)
        kept = [sides.source.strand_at[q] for q in self.outputs]
        source = partial(normal_form, sides.source, labels, self.promise, kept=kept)
        labels = Labels(self.booleans, atoms.guard, lambda bit: atoms.atom.get(bit, -1), outcomes)
        program = normal_form(sides.program, labels, self.promise, kept=kept).events
        for form in aligned(source, program, kept):
            same = partial(Comparison, self.booleans, lambda g: g, lambda g: g, lambda atom: atom, form.given)
            yield _Sides(form.events, program), same()
            yield _Sides(simplify(form.events), simplify(program)), same()

    def _has_reset(self) -> bool:
        return any(row[0] == Row.RESET for row in self.source.tape.rows)

    def _agree(self, sides: _Sides, comparison: Comparison) -> float:
        """The error of a program that is right in this form."""
        difference = comparison.differ(sides.source, sides.program)
        if difference is not None:
            raise Mismatch(self._describe(difference))
        kept = [sides.source.strand_at[q] for q in self.outputs]
        strand = frames_differ(sides.source, sides.program, kept)
        if strand >= 0:
            raise Mismatch(
                f"The one-qubit gates on the qubit that starts as {strand} do not multiply to those of the circuit."
            )
        error = comparison.error + sides.source.dropped + sides.program.dropped + self.witness_error
        if error > TOTAL_TOLERANCE:
            raise Mismatch(f"The program's angles differ from those of the circuit by {error:.2g} in total.")
        return error

    def _comparison(self, atoms: Atoms) -> Comparison:
        return Comparison(self.booleans, lambda g: g, atoms.guard, lambda bit: atoms.atom.get(bit, -1))

    def _check_outputs(self, sides: _Sides) -> None:
        files, replayed = self.files, self.replayed
        for qubit in self.outputs:
            strand = sides.source.strand_at[qubit]
            place, wanted = replayed.place[strand], files.outputs[qubit]
            if place < 0:
                raise Mismatch(f"Output {qubit} is not on exactly one physical qubit at the end.")
            if place != wanted:
                raise Mismatch(
                    f"Output {qubit} ends on {files.qubit_name(place)}, but the manifest says "
                    f"{files.qubit_name(wanted)}."
                )
            if files.qubit_comm[place]:
                raise Mismatch(f"Output {qubit} ends on {files.qubit_name(place)}, which is not a data qubit.")
            if replayed.pending[strand]:
                raise Mismatch(f"Output {qubit} still lacks a correction at the end.")

    def _check_clbits(self, atoms: Atoms) -> None:
        for clbit, (ours, theirs) in enumerate(zip(self.source.clbits, self.files.clbits)):
            try:
                same = atoms.decision(theirs) == ours
            except AtomError:
                same = False
            if not same:
                raise Mismatch(f"Classical bit {clbit} does not hold at the end what it holds in the circuit.")

    # Measurements

    def _atoms(self, sides: _Sides) -> Atoms:
        """The correspondence of measurements."""
        ours: list[list[int]] = [[] for _ in range(self.source.tape.num_wires)]
        for strand, atom, _ in sides.source.measured:
            ours[strand].append(atom)
        try:
            return Atoms(self.booleans, self.source.atom_guard, ours, sides.program.measured, self.replayed.guards)
        except AtomError as error:
            raise Mismatch(f"The qubit that starts as {error.strand} {error.problem}.") from error

    # Branches

    def _branches(self) -> dict[str, Any]:
        # Where measurements take place does not depend on conditions: only unconditional gates rename qubits.
        atoms = self._atoms(self._build(_never, _never))
        self._check_clbits(atoms)
        ours = {row[3] for row in self.source.tape.rows if row[3] >= 0}
        theirs = {label: atoms.guard(label) for label in range(len(self.replayed.guards))}
        functions = sorted(ours | set(theirs.values()))
        variables = self.booleans.support(functions)
        rows = len(self.source.tape.rows) + len(self.replayed.tape.rows)
        sampled = len(variables) > 20 or (rows << len(variables)) > _BRANCH_WORK
        chosen = (
            self._sample(functions, variables, max(8, min(_SAMPLE, _BRANCH_WORK // rows)))
            if sampled
            else ({v: i >> k & 1 for k, v in enumerate(variables)} for i in range(1 << len(variables)))
        )
        count, error, events = 0, 0.0, 0
        value = self.booleans.value
        for assignment in chosen:
            ours_hold = {g: value(g, assignment) for g in ours}
            theirs_hold = {g: value(f, assignment) for g, f in theirs.items()}
            sides = self._build(ours_hold.__getitem__, theirs_hold.__getitem__)
            with suppress(ImpossibleError):
                error = max(error, self._compare(sides, atoms, assignment))
            events, count = max(events, len(sides.source.events)), count + 1
        return {"events": events, "angle_error": error, "branches": count, "branches_sampled": sampled}

    def _sample(self, functions: list[int], variables: list[int], size: int) -> Iterator[dict[int, int]]:
        """Random assignments, and for every condition one that meets it and those that just miss it."""
        rng = random.Random(self.seed)
        b = self.booleans

        def complete(fixed: dict[int, int]) -> dict[int, int]:
            return {v: fixed.get(v, rng.getrandbits(1)) for v in variables}

        for _ in range(size // 4):
            yield complete({})
        left = size - size // 4
        for f in functions:
            if f == FALSE or left <= 0:
                continue
            meets = b.witness(f)
            candidates = [meets, *({**meets, v: 1 - x} for v, x in meets.items())]
            for fixed in candidates[:left]:
                yield complete(fixed)
            left -= len(candidates)

    # Messages

    def _gate(self, origin: int) -> str:
        return f"Gate {origin} of the circuit ({self.source.names[origin]})"

    def _describe(self, difference: Difference) -> str:
        where = []
        if difference.source >= 0:
            where.append(f"from gate {difference.source} ({self.source.names[difference.source]}) of the circuit on")
        if difference.program >= 0:
            where.append(f"in {self.files.place(difference.program)}")
        text = f" ({'; '.join(where)})" if where else ""
        return f"The program's gates are not those of the circuit: {difference.problem}{text}."


def _with_witnesses(source: Source, files: ProgramFiles, error_budget: float) -> tuple[Source, float, float]:
    """The source with the program's witnesses carried out, the rounding [rad], and the error of what is left out.

    Raises:
        Mismatch: one of them is not true.
    """
    if not files.blocks:
        return source, 0.0, 0.0
    try:
        done = substitute(source.tape, source.paths, files.blocks, lambda g: source.booleans.support([g]), error_budget)
    except WitnessError as error:
        raise Mismatch(f"Block {error.number} of the manifest {error.problem}.") from error
    return replace(source, tape=done.tape, paths=[]), done.error, done.omitted


def _never(guard: int) -> bool:
    return False
