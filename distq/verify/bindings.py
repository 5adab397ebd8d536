"""Random numbers for the unbound parameters of a circuit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from distq.errors import InputError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

#: Ranges [rad] from which the first values are drawn, and how often; small positive ones suit sqrt, log and arcsin.
_RANGES = ((-3.0, 3.0, 6), (0.1, 0.9, 2))
#: How often signs are changed in search of values of the opposite sign.
_FLIPS = 40


class _Source(Protocol):
    def uniform(self, low: float, high: float, /) -> float: ...


def random_bindings(circuit: QuantumCircuit, rng: _Source) -> Iterator[tuple[QuantumCircuit, dict[str, float]]]:
    """The circuit with random numbers for its parameters, at which each of its angles is a real number; without end.

    Two in a row have opposite signs in every parameter for which the circuit allows that, so that functions which
    agree on a half of the numbers (`abs(x)` and `x`) are told apart. Whether the angles of a program are real numbers
    there too is not asked: those of a right program are.

    Args:
        circuit: with unbound parameters.
        rng: source of randomness.

    Yields:
        The bound circuit, and the values [rad] by name.

    Raises:
        InputError: no such values were found.
    """
    while True:
        bound, values = _first(circuit, rng)
        yield bound, values
        yield _opposite(circuit, rng, bound, values)


def _first(circuit: QuantumCircuit, rng: _Source) -> tuple[QuantumCircuit, dict[str, float]]:
    for low, high, attempts in _RANGES:
        for _ in range(attempts):
            values = {p.name: float(rng.uniform(low, high)) for p in circuit.parameters}
            bound = _bound(circuit, values)
            if bound is not None:
                return bound, values
    raise InputError(
        "an angle of the circuit is no real number at any values of its parameters that were tried; give numbers to "
        "the parameters before compiling."
    )


def _opposite(
    circuit: QuantumCircuit, rng: _Source, bound: QuantumCircuit, values: dict[str, float]
) -> tuple[QuantumCircuit, dict[str, float]]:
    """Other values, with the opposite sign wherever the circuit allows it: all at once, else by halves."""
    waiting, flips, start = [list(values)], 0, values
    while waiting and flips < _FLIPS:
        names = waiting.pop()
        flips += 1
        changed = values | {n: -values[n] * float(rng.uniform(0.7, 1.0)) for n in names}
        found = _bound(circuit, changed)
        if found is not None:
            bound, values = found, changed
        elif len(names) > 1:
            half = len(names) // 2
            waiting += [names[half:], names[:half]]
    return _first(circuit, rng) if values is start else (bound, values)


def _bound(circuit: QuantumCircuit, values: dict[str, float]) -> QuantumCircuit | None:
    try:
        return circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
    except Exception:  # Qiskit raises errors of several kinds for logarithms of negative numbers and the like
        return None
