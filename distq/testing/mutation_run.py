"""Do the verifiers notice broken programs? Mutants are made, labelled by states, and shown to every method."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distq.errors import InputError
from distq.testing.checks import verify_with
from distq.testing.directory_faults import directory_mutations, write_files
from distq.testing.faults import mutations
from distq.testing.strategies import CompileCase

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.program.types import DistributedProgram
    from distq.verify.promise import Promise

#: These break the network's rules, not the state: the statevector method may well call them right.
RULE_KINDS = frozenset(
    {"communication qubit over-allocated", "data qubit over-allocated", "network smaller than declared"}
)

#: What can become of a mutant; "slipped" and "mislabelled" must not occur.
VERDICTS = (
    "refused",  # cannot be written in any order, or the files contradict each other
    "caught",  # wrong, and rejected
    "rule",  # breaks only a rule of the network, and is rejected
    "equal",  # right after all, and accepted
    "strict",  # right after all, and rejected: the symbolic method wants more than equality
    "unknown",  # too large for the statevector method, not wrong by construction
    "slipped",  # wrong, and accepted
    "mislabelled",  # said to be wrong by construction, but it is right
)


@dataclass
class MutationTable:
    """Counts of verdicts by kind of fault, and everything that went wrong."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    programs: int = 0

    def add(self, kind: str, verdict: str) -> None:
        """Count one mutant."""
        self.counts.setdefault(kind, Counter())[verdict] += 1

    def total(self, *verdicts: str) -> int:
        """Number of mutants with one of these verdicts; all if none is given."""
        return sum(c[v] for c in self.counts.values() for v in (verdicts or VERDICTS))

    @property
    def faulty(self) -> int:
        """Mutants that are known to be faulty: all but those that are equal to the original, or unknown."""
        return self.total("refused", "caught", "rule", "slipped")

    def text(self) -> str:
        """The table, one kind a line."""
        width = max((len(k) for k in self.counts), default=4)
        head = f"{'kind':{width}}  {'mutants':>8}" + "".join(f"{v:>12}" for v in VERDICTS)
        lines = [head]
        rows = [*sorted(self.counts.items()), ("all", sum(self.counts.values(), Counter()))]
        for kind, counter in rows:
            cells = "".join(f"{counter[v] or '':>12}" for v in VERDICTS)
            lines.append(f"{kind:{width}}  {sum(counter.values()):>8}{cells}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Candidate:
    kind: str
    description: str
    files: dict[str, bytes] | None
    certain: bool


def mutate_case(
    case: CompileCase,
    table: MutationTable,
    *,
    seed: int = 0,
    per_kind: int = 1,
    others: Iterable[DistributedProgram] = (),
    small: bool = True,
    kinds: Iterable[str] | None = None,
    directory_kinds: Iterable[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> DistributedProgram:
    """Compile a case, break the program in every way, and count what becomes of the mutants.

    Args:
        case: circuit, network and seed.
        table: where to count.
        seed: of the choice of faults.
        per_kind: mutants of each kind.
        others: other programs, whose files are mixed in.
        small: label mutants by the statevector method; otherwise only those count that are wrong by construction.
        kinds: kinds of faults in the columns; all if not given.
        directory_kinds: kinds of faults in the text; all if not given.
        options: further arguments of `distq.compile`; promises among them are what mutants are verified for.

    Returns:
        The right program.
    """
    import distq
    from distq.verify.promise import Promise

    chosen = dict(options or {})
    promise = Promise(chosen.get("start") == "zero", bool(chosen.get("outcomes_only")))
    program = distq.compile(case.circuit, case.network, seed=case.seed, verify="none", **chosen).program
    table.programs += 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        original = _files(program)
        assert original is not None
        problem = _verdict(case.circuit, _Candidate("none", "", original, False), path / "right", small, promise)
        if problem != "equal" and not (problem == "unknown" and not small):
            table.failures.append(f"the unbroken program is {problem}\n{case!r}")
        candidates = _candidates(
            program, original, seed, per_kind, others, _is_unitary(case.circuit), kinds, directory_kinds
        )
        for number, candidate in enumerate(candidates):
            if not small and not candidate.certain:
                continue
            verdict = _verdict(case.circuit, candidate, path / str(number), small, promise)
            table.add(candidate.kind, verdict)
            if verdict in ("slipped", "mislabelled"):
                table.failures.append(f"{verdict}: {candidate.kind}: {candidate.description}\n{case!r}")
    return program


def _is_unitary(circuit: QuantumCircuit) -> bool:
    names = {i.operation.name for i in circuit.data}
    return not circuit.num_clbits and not names & {"reset", "initialize"}


def _files(program: DistributedProgram) -> dict[str, bytes] | None:
    """The files of a program, or None if it cannot be written."""
    from distq.program.files import program_files
    from distq.program.order import canonical

    try:
        return program_files(canonical(program))
    except InputError:
        return None


def _candidates(
    program: DistributedProgram,
    original: Mapping[str, bytes],
    seed: int,
    per_kind: int,
    others: Iterable[DistributedProgram],
    unitary: bool,
    kinds: Iterable[str] | None,
    directory_kinds: Iterable[str] | None,
) -> Iterator[_Candidate]:
    rng = random.Random(f"mutants {seed}")
    for mutant in mutations(program, rng, per_kind=per_kind, unitary=unitary, kinds=kinds):
        yield _Candidate(mutant.kind, mutant.description, _files(mutant.program), mutant.certain)
    foreign = [f for f in map(_files, others) if f is not None]
    for broken in directory_mutations(original, rng, others=foreign, per_kind=per_kind, kinds=directory_kinds):
        yield _Candidate(broken.kind, broken.description, broken.files, broken.certain)


def _verdict(circuit: QuantumCircuit, candidate: _Candidate, path: Path, small: bool, promise: Promise) -> str:
    from distq.verify.reader import read_directory

    if candidate.files is None:
        return "refused"
    write_files(candidate.files, path)
    try:
        files = read_directory(path)
    except InputError:
        return "refused"
    accepted = verify_with(circuit, files, "symbolic", promise=promise).ok
    if not small:
        if not candidate.certain:
            return "unknown"
        return "slipped" if accepted else "caught"
    label = verify_with(circuit, files, "statevector", promise=promise)
    stabilizer = verify_with(circuit, files, "stabilizer", promise=promise)
    if not label.applicable:
        if candidate.certain:
            return "slipped" if accepted else "caught"
        return "unknown"
    if not label.ok:
        return "slipped" if accepted or stabilizer.ok else "caught"
    if stabilizer.applicable and not stabilizer.ok:
        return "mislabelled"
    if candidate.kind in RULE_KINDS:
        return "slipped" if accepted else "rule"
    if candidate.certain:
        return "mislabelled"
    return "equal" if accepted else "strict"


__all__ = ["RULE_KINDS", "VERDICTS", "MutationTable", "mutate_case"]
