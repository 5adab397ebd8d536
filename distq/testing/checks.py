"""One compiled case, checked in every way there is: the files, all verification methods, and runs on Aer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.testing.strategies import CompileCase

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.verify.outcome import Outcome
    from distq.verify.promise import Promise
    from distq.verify.reader import ProgramFiles

#: Samples that are less likely than this to come from one distribution are called different.
SIGNIFICANCE = 1e-9


@dataclass
class CaseReport:
    """What the checks of a case found.

    Attributes:
        problems: one sentence each; empty if all is well.
        verified: method -> whether it applied (and then found the program right).
        ebits: of the program.
        seconds: time by stage [s].
    """

    problems: list[str] = field(default_factory=list)
    verified: dict[str, bool] = field(default_factory=dict)
    ebits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def check_case(
    case: CompileCase,
    *,
    shots: int = 400,
    options: Mapping[str, Any] | None = None,
    methods: Sequence[str] = ("symbolic", "statevector", "stabilizer"),
) -> CaseReport:
    """Compile, save, load, verify by every method that applies, and run against the original on Aer.

    Args:
        case: circuit, network and seed.
        shots: runs on Aer of the original and of the program; 0 for none.
        options: further arguments of `distq.compile`.
        methods: verification methods to try.
    """
    import distq
    from distq.program.order import canonical, differences
    from distq.verify.promise import Promise

    report = CaseReport()
    promise = Promise(
        start_zero=(options or {}).get("start") == "zero", outcomes_only=bool((options or {}).get("outcomes_only"))
    )
    clock = time.perf_counter
    begin = clock()
    try:
        compiled = distq.compile(case.circuit, case.network, seed=case.seed, verify="none", **dict(options or {}))
    except Exception as error:
        report.problems.append(f"compile: {type(error).__name__}: {error}")
        return report
    report.ebits = compiled.ebits
    report.seconds["compile"] = clock() - begin
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        begin = clock()
        try:
            compiled.save(path)
            loaded = distq.load(path)
            different = differences(canonical(compiled.program), loaded.program)
            if different:
                report.problems.append(f"load: differs from what was saved in {different}")
        except Exception as error:
            report.problems.append(f"save and load: {type(error).__name__}: {error}")
            return report
        report.seconds["save and load"] = clock() - begin
        for method in methods:
            begin = clock()
            _verify(case.circuit, path, method, report, promise)
            report.seconds[method] = clock() - begin
    if shots:
        begin = clock()
        try:
            _compare_runs(case, loaded, shots, report, promise)
        except Exception as error:
            report.problems.append(f"run: {type(error).__name__}: {error}")
        report.seconds["run"] = clock() - begin
    return report


def verify_with(
    circuit: QuantumCircuit, files: ProgramFiles, method: str, seed: int = 0, promise: Promise | None = None
) -> Outcome:
    """The outcome of one method of `distq.verify`, applicable or not; no promise is the strongest one."""
    from importlib import import_module

    from distq.verify.promise import STRONGEST

    function = getattr(import_module(f"distq.verify.{method}"), f"verify_{method}")
    return function(circuit, files, seed=seed, promise=promise or STRONGEST)


def _verify(circuit: QuantumCircuit, path: Path, method: str, report: CaseReport, promise: Promise) -> None:
    from distq.verify.reader import read_directory

    try:
        outcome = verify_with(circuit, read_directory(path), method, promise=promise)
    except Exception as error:
        report.problems.append(f"{method}: {type(error).__name__}: {error}")
        return
    report.verified[method] = outcome.applicable
    if outcome.applicable and not outcome.ok:
        report.problems.append(f"{method}: {outcome.reason}")


def _compare_runs(case: CompileCase, loaded: Any, shots: int, report: CaseReport, promise: Promise) -> None:
    """Both from the same random product state (or |0>); all qubits that still matter are measured at the end."""
    from distq.simulate.run import run
    from distq.verify.source_steps import source_steps

    rng = np.random.default_rng(case.seed)
    values = {p.name: float(rng.uniform(-3, 3)) for p in case.circuit.parameters}
    source = case.circuit.assign_parameters({p: values[p.name] for p in case.circuit.parameters})
    joined = loaded.to_qiskit()
    joined = joined.assign_parameters({p: values[p.name] for p in joined.parameters})
    angles = rng.uniform(0.2, 2.9, (0 if promise.start_zero else source.num_qubits, 2))
    outputs = [] if promise.outcomes_only else source_steps(source).outputs
    extra = joined.metadata["distq"]
    original = _framed(source, list(range(source.num_qubits)), outputs, angles)
    program = _framed(joined, extra["inputs"], [extra["outputs"][q] for q in outputs], angles)
    clbits, size = source.num_clbits, len(outputs)
    first = _by_position(run(original, shots, case.seed), original, clbits, size)
    second = _by_position(run(program, shots, case.seed + 1), program, clbits, size)
    p = same_distribution(first, second)
    if p < SIGNIFICANCE:
        report.problems.append(f"run: counts differ (p = {p:.2g}): {_short(first)} and {_short(second)}")


def _short(counts: Mapping[Any, int]) -> dict[Any, int]:
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:8])


def _framed(circuit: QuantumCircuit, inputs: Sequence[int], outputs: Sequence[int], angles: Any) -> QuantumCircuit:
    """Prepare a product state before, and measure the outputs into a register of their own after."""
    from qiskit import ClassicalRegister

    framed = circuit.copy_empty_like()
    framed._layout = None
    for q, (theta, phi) in zip(inputs, angles):
        framed.u(float(theta), float(phi), 0.0, q)
    for instruction in circuit.data:
        framed._append(instruction)
    if outputs:
        end = ClassicalRegister(len(outputs), "distq_outputs")
        framed.add_register(end)
        framed.measure(list(outputs), list(end))
    return framed


def _by_position(
    counts: Mapping[str, int], circuit: QuantumCircuit, clbits: int, outputs: int
) -> dict[tuple[int, ...], int]:
    """Counts by (classical bits of the source, outputs); other bits of the circuit are summed over."""
    index = {b: i for i, b in enumerate(circuit.clbits)}
    order = [index[b] for register in circuit.cregs for b in register]
    covered = set(order)
    order += [i for i in range(len(circuit.clbits)) if i not in covered]
    total = len(circuit.clbits)
    wanted = [*range(clbits), *range(total - outputs, total)]
    result: dict[tuple[int, ...], int] = {}
    for word, count in counts.items():
        digits = word.replace(" ", "")[::-1]
        values = dict(zip(order, map(int, digits)))
        key = tuple(values[i] for i in wanted)
        result[key] = result.get(key, 0) + count
    return result


def same_distribution(first: Mapping[Any, int], second: Mapping[Any, int]) -> float:
    """Probability that two samples of one distribution differ this much (chi-squared, rare outcomes merged)."""
    from scipy.stats import chi2

    rare = [0, 0]
    table = []
    totals = [sum(first.values()), sum(second.values())]
    for key in first.keys() | second.keys():
        a, b = first.get(key, 0), second.get(key, 0)
        if a + b < 10:
            rare[0] += a
            rare[1] += b
        else:
            table.append((a, b))
    if sum(rare):
        table.append((rare[0], rare[1]))
    if len(table) < 2:
        return 1.0
    ratio = np.sqrt(totals[1] / totals[0])
    statistic = sum((a * ratio - b / ratio) ** 2 / (a + b) for a, b in table)
    return float(chi2.sf(statistic, len(table) - 1))
