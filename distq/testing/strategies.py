"""Hypothesis strategies: circuits, networks, and cases to compile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from distq.errors import MissingExtraError
from distq.network.model import Network
from distq.testing.random_circuits import (
    FEATURES,
    TOPOLOGIES,
    RandomChoices,
    random_circuit,
    random_network,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from qiskit import QuantumCircuit

T = TypeVar("T")


@dataclass(frozen=True)
class CompileCase:
    """A circuit, a network with room for it, and a seed for the compiler."""

    circuit: QuantumCircuit
    network: Network
    seed: int

    def __repr__(self) -> str:
        modules = ", ".join(f"{m.data}+{'inf' if m.comm is None else m.comm}" for m in self.network.modules)
        links = " ".join(f"{a}-{b}" for a, b in self.network.link_ends.tolist())
        return f"seed {self.seed}, modules (data+comm) {modules}, links {links or 'none'}\n{self.circuit}"


class _Drawn:
    """Choices made by hypothesis, so that failing cases shrink."""

    def __init__(self, draw: Any) -> None:
        from hypothesis import strategies as st

        self.draw, self.st = draw, st

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return int(self.draw(self.st.integers(low, high)))

    def choice(self, options: Sequence[T]) -> T:
        """One of the options; earlier ones are simpler."""
        return options[self.integer(0, len(options) - 1)]

    def angle(self) -> float:
        """An angle [rad]."""
        simple = (math.pi, math.pi / 2, -math.pi / 2, math.pi / 4, -math.pi, 2 * math.pi, 0.0)
        generic = self.st.integers(-4000, 4000).map(lambda v: v / 1000)
        return float(self.draw(self.st.sampled_from(simple) | generic))


def _hypothesis() -> Any:
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise MissingExtraError("hypothesis", "test", "a strategy of distq.testing") from error
    return strategies


def circuits(
    min_qubits: int = 1,
    max_qubits: int = 5,
    max_gates: int = 12,
    features: Sequence[str] = FEATURES,
    max_clbits: int = 4,
) -> SearchStrategy[QuantumCircuit]:
    """Random Qiskit circuits.

    Args:
        min_qubits: least number of qubits.
        max_qubits: largest number of qubits.
        max_gates: operations at the outermost level.
        features: some of `distq.testing.FEATURES`; the default is all of them.
        max_clbits: classical bits, if anything is measured.

    Raises:
        MissingExtraError: hypothesis is not installed.
    """
    st = _hypothesis()

    @st.composite
    def build(draw: Any) -> QuantumCircuit:
        choices = _Drawn(draw)
        qubits = choices.integer(min_qubits, max_qubits)
        gates = choices.integer(0, max_gates)
        return random_circuit(choices, qubits, gates, features, max_clbits=max_clbits)

    return build()


def clifford_circuits(
    min_qubits: int = 1, max_qubits: int = 6, max_gates: int = 20, *, measure: bool = False
) -> SearchStrategy[QuantumCircuit]:
    """Random Clifford circuits; with `measure` also measurements and resets.

    Raises:
        MissingExtraError: hypothesis is not installed.
    """
    extra = ("measure", "reset") if measure else ()
    return circuits(min_qubits, max_qubits, max_gates, ("clifford", "swap", *extra))


def networks(
    num_qubits: int = 4,
    min_modules: int = 1,
    max_modules: int = 4,
    comm: Sequence[int | None] = (1, 2, 3, None),
    topologies: Sequence[str] = TOPOLOGIES,
) -> SearchStrategy[Network]:
    """Random connected networks with at least `num_qubits` data qubits, heterogeneous and often full.

    Raises:
        MissingExtraError: hypothesis is not installed.
    """
    st = _hypothesis()

    @st.composite
    def build(draw: Any) -> Network:
        return random_network(
            _Drawn(draw),
            num_qubits,
            min_modules=min_modules,
            max_modules=max_modules,
            comm=comm,
            topologies=topologies,
        )

    return build()


def compile_cases(
    min_qubits: int = 1,
    max_qubits: int = 5,
    max_gates: int = 12,
    features: Sequence[str] = FEATURES,
    max_modules: int = 4,
) -> SearchStrategy[CompileCase]:
    """Random circuits together with random networks that have room for them.

    Raises:
        MissingExtraError: hypothesis is not installed.
    """
    st = _hypothesis()

    @st.composite
    def build(draw: Any) -> CompileCase:
        choices = _Drawn(draw)
        qubits = choices.integer(min_qubits, max_qubits)
        circuit = random_circuit(choices, qubits, choices.integer(0, max_gates), features)
        network = random_network(choices, qubits, max_modules=max_modules)
        return CompileCase(circuit, network, choices.integer(0, 99))

    return build()


def random_case(
    seed: int,
    min_qubits: int = 1,
    max_qubits: int = 5,
    max_gates: int = 12,
    features: Sequence[str] = FEATURES,
    max_modules: int = 4,
) -> CompileCase:
    """The same kind of case from a plain seed, for long runs; needs no hypothesis."""
    choices = RandomChoices(f"case {seed}")
    qubits = choices.integer(min_qubits, max_qubits)
    circuit = random_circuit(choices, qubits, choices.integer(0, max_gates), features)
    network = random_network(choices, qubits, max_modules=max_modules)
    return CompileCase(circuit, network, choices.integer(0, 99))
