"""What every compilation begins with: options that make sense, a circuit and a network that were read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distq.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.circuit.logical import LogicalCircuit
    from distq.network.model import Network
    from distq.program.compiled import CompiledProgram

EFFORTS = ("fast", "default", "best")
STARTS = ("any", "zero")
VERIFY_METHODS = ("none", "symbolic", "statevector", "stabilizer", "auto")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A circuit and a network, and what was promised of the circuit.

    Attributes:
        source: the circuit as Qiskit holds it.
        network: without links that never make a pair.
        without: techniques that are switched off.
        promises: what a program may rely on: `start`, `outcomes_only` and `error_budget` of `distq.compile`.
        method: how programs are verified, "none" for not at all.
    """

    source: QuantumCircuit
    network: Network
    without: Collection[str]
    promises: dict[str, Any]
    method: str

    def normalise(
        self, logical: LogicalCircuit
    ) -> tuple[LogicalCircuit, LogicalCircuit, Callable[[LogicalCircuit], LogicalCircuit]]:
        """`distq.pipeline.normalise` without the techniques whose forms compete with this one."""
        from distq.pipeline import normalise
        from distq.rewrite.passes import COMPETING

        return normalise(logical, self.network, without={*self.without, *COMPETING}, **self.promises)

    def verify(self, compiled: CompiledProgram) -> None:
        """Check that a program does what the source does, and note that in its figures.

        Raises:
            VerificationError: it does not.
        """
        from distq.verify import verify

        result = verify(self.source, compiled, method=self.method, **self.promises)
        if not result.ok:
            raise VerificationError(
                f"the compiled program failed its {result.method} verification: {result.message} "
                "This is a fault in distq; please report it with the circuit, the network and the seed"
            )
        compiled.stats["verified"] = {"method": result.method, "ok": result.ok, "seconds": result.seconds}


def prepare(
    circuit: str | Path | QuantumCircuit,
    network: Network | str | Path,
    *,
    effort: str,
    verify: str,
    start: str,
    outcomes_only: bool,
    error_budget: float,
    without: Collection[str],
    mapping: bool = True,
) -> Prepared:
    """Check the options, read the circuit, and find the network; arguments as those of `distq.compile`.

    Raises:
        UsageError: an option has a value that is not known.
        InputError: the circuit cannot be read.
        NetworkError: the network is not valid.
        InfeasibleError: the circuit needs links that never make a pair.
    """
    from distq.circuit.read import load_source
    from distq.network.feasible import alive
    from distq.network.presets import resolve
    from distq.rewrite.passes import enabled

    for option, value, valid in (
        ("effort", effort, EFFORTS),
        ("verify", verify, VERIFY_METHODS),
        ("start", start, STARTS),
    ):
        if value not in valid:
            raise UsageError(f"{option} is {value!r}; it must be one of {', '.join(valid)}")
    enabled(without)
    if not 0 <= error_budget < 1:
        raise UsageError(f"error_budget is {error_budget}; it must be at least 0 and less than 1")
    source = load_source(circuit)
    if isinstance(network, (str, Path)):
        network = resolve(network=str(network))
    network = alive(network, source.num_qubits)
    return Prepared(
        source,
        network if mapping else network.without_coupling(),
        without,
        {"start": start, "outcomes_only": outcomes_only, "error_budget": error_budget},
        verify,
    )


__all__ = ["EFFORTS", "STARTS", "VERIFY_METHODS", "Prepared", "prepare"]
