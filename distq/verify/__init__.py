"""Is the program still the circuit? Three methods that share no code with the compiler's passes."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from distq.errors import UsageError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.program.compiled import CompiledProgram
    from distq.verify.outcome import Outcome
    from distq.verify.promise import Promise
    from distq.verify.reader import ProgramFiles

METHODS = ("auto", "symbolic", "statevector", "stabilizer")
#: `auto` adds the statevector method up to this many qubits of the circuit.
_AUTO_QUBITS = 8
#: ... and this many statements of the program.
_AUTO_STATEMENTS = 2000
#: ... and this many amplitudes written.
_AUTO_WORK = 2e8

__all__ = ["METHODS", "VerifyResult", "verify"]


@dataclass(frozen=True)
class VerifyResult:
    """The result of `distq.verify`.

    Attributes:
        method: the methods that were used, joined by `+`.
        ok: whether all of them accept the program.
        seconds: time taken [s].
        message: one sentence: what was shown, or what is wrong and where.
        details: figures of each method, by its name.
    """

    method: str
    ok: bool
    seconds: float
    message: str
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "method": self.method,
            "ok": self.ok,
            "seconds": self.seconds,
            "message": self.message,
            "details": self.details,
        }


def verify(
    circuit: QuantumCircuit | str | Path,
    program: CompiledProgram | str | Path,
    method: str = "auto",
    *,
    seed: int = 0,
    start: str = "any",
    outcomes_only: bool = False,
    error_budget: float = 1e-9,
) -> VerifyResult:
    """Verify that a compiled program computes a circuit, for every input state and measurement branch.

    Only what is promised here is assumed; what the program's manifest says about promises is not believed. A
    program that says itself that it relies on a weaker promise is wrong unless that is given here too.

    The circuit is read through Qiskit's own readers and the program from its files; a `CompiledProgram` is saved
    into a temporary directory first.

    Args:
        circuit: a Qiskit circuit, the path of a file (OpenQASM 2 or 3, QPY), or `-` for standard input.
        program: the directory of a saved program, or a compiled program.
        method: `symbolic` (any size), `statevector`, `stabilizer` (Clifford circuits), or `auto`: symbolic, and
            statevector as well if the circuit is small.
        seed: of everything random in the methods.
        start: "any" input state, or "zero": all qubits start in |0>, and only this input is verified.
        outcomes_only: verify the joint distribution of the classical bits, but not the state that is left.
        error_budget: rotations that the program leaves out are accepted while the operator-norm error that they may
            cause is at most this in all; what the program says about that is not believed.

    Returns:
        The result; a wrong program gives `ok=False` and raises nothing.

    Raises:
        UsageError: unknown method, or the method cannot judge this circuit.
        InputError: the circuit or the program cannot be read.
    """
    from distq.verify.loading import load_circuit
    from distq.verify.promise import Promise
    from distq.verify.reader import read_directory

    if start not in ("any", "zero"):
        raise UsageError(f"start is {start!r}; it must be one of any, zero.")
    if method not in METHODS:
        raise UsageError(f"method is {method!r}; it must be one of {', '.join(METHODS)}.")
    if not 0 <= error_budget < 1:
        raise UsageError(f"error_budget is {error_budget}; it must be at least 0 and less than 1.")
    begin = time.perf_counter()
    source = load_circuit(circuit)
    if isinstance(program, (str, Path)):
        files = read_directory(program)
    else:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "program"
            program.save(target)
            files = read_directory(target)
    outcomes = _run(source, files, method, seed, Promise(start == "zero", outcomes_only), error_budget)
    return _result(outcomes, time.perf_counter() - begin)


def _run(
    source: QuantumCircuit, files: ProgramFiles, method: str, seed: int, promise: Promise, error_budget: float
) -> list[Outcome]:
    from distq.verify.coupling import coupling_problem
    from distq.verify.outcome import Outcome
    from distq.verify.promise import missing

    problem = missing(files.manifest, promise) or coupling_problem(files)
    if problem:
        return [Outcome.wrong("symbolic" if method == "auto" else method, problem)]
    if method in ("auto", "symbolic"):
        from distq.verify.symbolic import verify_symbolic

        outcomes = [verify_symbolic(source, files, seed=seed, promise=promise, error_budget=error_budget)]
        if method == "auto" and source.num_qubits <= _AUTO_QUBITS and len(files) <= _AUTO_STATEMENTS:
            from distq.verify.statevector import TOLERANCE, verify_statevector

            tolerance = TOLERANCE + 2 * error_budget
            second = verify_statevector(
                source, files, seed=seed, promise=promise, max_work=_AUTO_WORK, tolerance=tolerance
            )
            outcomes += [second] if second.applicable else []
        return outcomes
    if method == "statevector":
        from distq.verify.statevector import TOLERANCE, verify_statevector

        tolerance = TOLERANCE + 2 * error_budget
        outcome = verify_statevector(source, files, seed=seed, promise=promise, tolerance=tolerance)
    else:
        from distq.verify.stabilizer import verify_stabilizer

        outcome = verify_stabilizer(source, files, seed=seed, promise=promise)
    if not outcome.applicable:
        reason = outcome.reason.rstrip(".")
        raise UsageError(f"the {method} method cannot judge this program ({reason}); use --method symbolic.")
    return [outcome]


def _result(outcomes: list[Outcome], seconds: float) -> VerifyResult:
    wrong = [o for o in outcomes if not o.ok]
    message = wrong[0].reason if wrong else "The program computes the circuit."
    return VerifyResult(
        method="+".join(o.method for o in outcomes),
        ok=not wrong,
        seconds=seconds,
        message=message,
        details={o.method: o.details for o in outcomes},
    )


class _CallablePackage(ModuleType):
    """`distq.verify` is this package once anything in it was imported; calling it calls the function `verify`."""

    def __call__(self, *args: Any, **kwargs: Any) -> VerifyResult:
        return verify(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
