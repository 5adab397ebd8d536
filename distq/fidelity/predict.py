"""Predicted fidelity of a scheduled program, and what it is lost to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import UsageError
from distq.network.model import Network
from distq.ops import Op
from distq.program.check import flatten_guards
from distq.program.types import DistributedProgram
from distq.simulate.noise import NoiseTable, noise_table

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram
    from distq.schedule.result import Timeline

Float64 = NDArray[np.float64]
#: Classes of noise, in the order of the kernel.
CLASSES = ("two-qubit", "one-qubit", "pairs", "ageing", "idling", "measurement")
#: Paths, and at most so many steps of all of them together.
MOST_SAMPLES, MOST_STEPS, LEAST_SAMPLES = 20_000, 400_000_000, 400
#: Paths from |0...0>.
MOST_ZERO = 1_000_000
#: With fewer paths that count the product is taken.
LEAST_PATHS = 30
#: Qubits up to which the fidelity for |0...0> can be predicted.
ZERO_QUBITS = 12


@dataclass(frozen=True)
class FidelityPrediction:
    """A prediction from a timeline.

    Attributes:
        fidelity: with `inputs` "any" the process (entanglement) fidelity of what the program does with what it should
            do; with "zero" that of the output state for qubits that start in |0>.
        inputs: "any" or "zero".
        standard_error: of it, from the number of paths.
        average_fidelity: over pure inputs, (d F + 1)/(d + 1) with d = 2^qubits; None for "zero"
            and for circuits with classical bits.
        product: the product of the process fidelities of everything that happens, as if no two errors ever cancelled
            and every one did harm: a lower estimate, without sampling.
        budget: by class of noise, 1 - fidelity if there were no other.
        product_budget: by class, -log of its part of `product`.
        qubits: of the circuit.
        samples: paths that counted; 0 where there were too few, and `fidelity` and `budget` are those of the product.
        seed: of the paths.
    """

    fidelity: float
    inputs: str
    standard_error: float
    average_fidelity: float | None
    product: float
    budget: dict[str, float]
    product_budget: dict[str, float]
    qubits: int
    samples: int
    seed: int

    @property
    def dominated_by(self) -> str:
        """The class that costs most; "nothing" where there is no noise."""
        name = max(CLASSES, key=lambda c: self.budget[c])
        return name if self.budget[name] > 0 else "nothing"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "fidelity": self.fidelity,
            "inputs": self.inputs,
            "standard_error": self.standard_error,
            "average": self.average_fidelity,
            "product": self.product,
            "budget": dict(self.budget),
            "product_budget": dict(self.product_budget),
            "dominated_by": self.dominated_by,
            "samples": self.samples,
            "seed": self.seed,
        }


def predict_fidelity(
    program: CompiledProgram | DistributedProgram | Timeline,
    network: Network | None = None,
    *,
    inputs: str | None = None,
    local_two_qubit_error: float | None = None,
    parameters: Mapping[str, float] | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> FidelityPrediction:
    """Predict the process fidelity of a program on the hardware of its network.

    Random Paulis are followed backwards through the program (see `distq.fidelity.kernel` and docs/fidelity.md): noise
    of gates, pairs, measurement and waiting damps them. The cost is that of `samples` walks through the program,
    whatever its number of qubits.

    For a circuit with classical bits the same is said of the channel from its input qubits to its bits and outputs.

    Args:
        program: a program, which is scheduled first, or its timeline.
        network: whose hardware is taken; default: the program's own. With a timeline, that on which it was made.
        inputs: "any": the process fidelity; "zero": the fidelity of the output state for qubits that start in |0>, for
            at most `ZERO_QUBITS` qubits; default: what the program promises, and "any" for larger ones.
        local_two_qubit_error: replaces the two-qubit error (1 - average fidelity) of every module.
        parameters: values of unbound parameters [rad]; those without one count as generic angles.
        samples: number of paths; default: as many as fit into seconds, at most 20,000.
        seed: of the paths.

    Raises:
        UsageError: `inputs`, `samples` or the error rate is not valid.
    """
    from distq.schedule.plan import schedule
    from distq.schedule.result import Timeline

    timeline = program if isinstance(program, Timeline) else schedule(program, network)
    if samples is not None and samples < 1:
        raise UsageError(f"samples is {samples}; it must be at least 1")
    if local_two_qubit_error is not None and not 0 <= local_two_qubit_error <= 1:
        raise UsageError(f"local_two_qubit_error is {local_two_qubit_error!r}; it must be from 0 to 1")
    qubits = timeline.program.num_qubits
    if inputs is None:
        inputs = "zero" if timeline.program.start == "zero" and qubits <= ZERO_QUBITS else "any"
    if inputs not in ("any", "zero") or (inputs == "zero" and qubits > ZERO_QUBITS):
        raise UsageError(f"inputs is {inputs!r}; it must be any, or zero for at most {ZERO_QUBITS} qubits")
    table = noise_table(timeline, network, local_two_qubit_error)
    return predict(table, dict(parameters or {}), samples, seed, zero=inputs == "zero")


def predict(
    table: NoiseTable,
    parameters: dict[str, float] | None = None,
    samples: int | None = None,
    seed: int = 0,
    zero: bool = False,
) -> FidelityPrediction:
    """The prediction from a table of noise."""
    n = table.program.num_qubits
    if samples is None:
        legs = len(table.program.qubits) + len(table.program) + 1
        # Of paths back to |0...0> only one in 2^n counts.
        most = min(MOST_SAMPLES << n, MOST_ZERO) if zero else MOST_SAMPLES
        samples = max(LEAST_SAMPLES, min(most, MOST_STEPS // legs))
    weights = _paths(table, parameters, samples, seed, zero)
    costs = products(table)
    kept = weights[weights[:, 6] > 0, :6]
    if len(kept) >= LEAST_PATHS:
        whole = np.prod(kept, axis=1)
        value = min(max(float(whole.mean()), 0.0), 1.0)
        error = float(whole.std() / math.sqrt(len(whole)))
        budget = {name: float(1 - kept[:, i].mean()) for i, name in enumerate(CLASSES)}
    else:
        # Nearly everything is random even without noise (many qubits that are reset).
        value, error = math.exp(-sum(costs.values())), 0.0
        budget = {name: -math.expm1(-cost) for name, cost in costs.items()}
    # (d F + 1)/(d + 1) without d, which overflows.
    share = 2.0**-n if n < 1000 else 0.0
    return FidelityPrediction(
        fidelity=value,
        inputs="zero" if zero else "any",
        standard_error=error,
        average_fidelity=None if zero or table.program.clbit_values else (value + share) / (1 + share),
        product=math.exp(-sum(costs.values())),
        budget=budget,
        product_budget=costs,
        qubits=n,
        samples=len(kept) if len(kept) >= LEAST_PATHS else 0,
        seed=seed,
    )


def products(table: NoiseTable) -> dict[str, float]:
    """-log of the product of process fidelities, by class of noise.

    A two-qubit depolarising channel has 1 - 15p/16, one on one qubit 1 - 3p/4, a pair its fidelity, waiting
    (1 + exp(-t/T1) + 2 exp(-t/T2))/4, a wrong bit or reset 1 - e. Measurements whose bit nobody reads cost nothing.
    """
    program, code = table.program, table.program.code

    def cost(loss: Float64) -> float:
        with np.errstate(divide="ignore"):
            return float(-np.log1p(-np.minimum(loss, 1.0)).sum()) + 0.0

    applied = np.array([loss for _, _, loss in table.applied])
    epr = code == Op.EPR
    waits = _lost(_waits(table), table.t1[program.qubits], table.t2[program.qubits])
    ageing = _ageing(table, table.waits_since)
    last = _lost(table.end_wait, table.t1[table.outputs], table.t2[table.outputs])
    last_ageing = _ageing(table, table.end_since)
    read = np.zeros(len(program), np.bool_)
    read[_read_measurements(program)] = True
    # A reset before a new pair is of no consequence; others count.
    return {
        "two-qubit": float(-(table.gates * np.log1p(-table.two_qubit * 15 / 16)).sum()) + 0.0,
        "one-qubit": cost(table.one_qubit * 0.75) + cost(applied * 0.75),
        "pairs": cost(1 - _pair_fidelities(table)[program.link[epr]]),
        "ageing": cost(waits[ageing]) + cost(last[last_ageing]),
        "idling": cost(waits[~ageing]) + cost(last[~last_ageing]),
        "measurement": cost(table.readout[read]) + cost(_reset_errors(table)),
    }


def _pair_fidelities(table: NoiseTable) -> Float64:
    phi = np.array([1, 0, 0, 1]) / math.sqrt(2)
    result: Float64 = np.einsum("i,lij,j->l", phi, table.states, phi).real
    return np.where(np.abs(result - 1) < 1e-12, 1.0, result)


def _lost(time: Float64, t1: Float64, t2: Float64) -> Float64:
    """1 - process fidelity of waiting."""
    result: Float64 = -(np.expm1(-time / t1) + 2 * np.expm1(-time / t2)) / 4
    return result


def _waits(table: NoiseTable) -> Float64:
    """(legs,) waits that do harm: not those of |0> behind a reset."""
    since = table.waits_since
    program = table.program
    if not len(program):
        return table.wait
    before = np.maximum(since, 0)
    fresh = (since >= 0) & (program.code[before] == Op.RESET) & (program.guard[before] < 0)
    return np.where(fresh, 0.0, table.wait)


def _ageing(table: NoiseTable, since: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(table.program):
        return np.zeros(len(since), np.bool_)
    result: NDArray[np.bool_] = (since >= 0) & (table.program.code[np.maximum(since, 0)] == Op.EPR)
    return result


def _reset_errors(table: NoiseTable) -> Float64:
    """Of resets after which the qubit is used as it is: not those before a new pair."""
    program = table.program
    rows = np.flatnonzero(table.reset > 0)
    return table.reset[rows[table.live[program.qubit_offsets[rows]]]]


def _origins(program: DistributedProgram) -> NDArray[np.int64]:
    """The measured bit behind each bit."""
    origin = np.arange(program.num_bits)
    send = program.code == Op.SEND
    origin[program.bit2[send]] = program.bit[send]
    return origin


def _read_measurements(program: DistributedProgram) -> NDArray[np.int64]:
    """Rows that measure a bit which something reads."""
    origin = _origins(program)
    used = np.zeros(program.num_bits + 1, np.bool_)
    for g in np.unique(program.guard[program.guard >= 0]).tolist():
        used[[origin[b] for b, _ in program.guards[g]]] = True
    for entries in program.clbit_values:
        for conjunction, bit in entries:
            used[[origin[b] for b, _ in conjunction]] = True
            if bit >= 0:
                used[origin[bit]] = True
    rows = np.flatnonzero(program.code == Op.MEASURE)
    result: NDArray[np.int64] = rows[used[program.bit[rows]]]
    return result


def _paths(table: NoiseTable, parameters: dict[str, float] | None, samples: int, seed: int, zero: bool) -> Float64:
    from distq.fidelity.kernel import paths
    from distq.fidelity.rotations import phases, rotations, values

    program = table.program
    params = values(program, parameters)
    guard_offsets, guard_bits = flatten_guards(program)
    q, wait = program.qubits, _waits(table)
    applied = sorted(table.applied)
    counts = np.bincount(np.array([r for r, _, _ in applied], np.int64), minlength=len(program) + 1)
    outs = table.outputs
    out_bits = sorted({int(_origins(program)[b]) for e in program.clbit_values for _, b in e if b >= 0})
    found: Float64 = paths(
        program.code,
        program.qubit_offsets,
        q,
        program.guard,
        guard_offsets,
        guard_bits,
        program.bit,
        program.bit2,
        phases(program, params),
        rotations(program, params),
        1 - table.one_qubit,
        table.one_qubit > 0,
        _spread(table),
        table.readout,
        table.reset,
        program.link,
        _bell(table),
        np.exp(-wait / table.t1[q]),
        np.exp(-wait / table.t2[q]),
        _ageing(table, table.waits_since),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([b for _, b, _ in applied], np.int64),
        np.array([1 - loss for _, _, loss in applied], np.float64),
        outs,
        np.exp(-table.end_wait / table.t1[outs]),
        np.exp(-table.end_wait / table.t2[outs]),
        _ageing(table, table.end_since),
        np.array(out_bits, np.int64),
        program.input_qubit.astype(np.int64),
        zero,
        program.num_bits,
        program.num_physical,
        samples,
        np.random.default_rng(seed),
    )
    return found


def _spread(table: NoiseTable) -> Float64:
    """(legs,) what is left of a Pauli on a leg and the next one by two-qubit noise."""
    program = table.program
    size = np.diff(program.qubit_offsets)
    row = np.repeat(np.arange(len(program)), size)
    k = size[row]
    place = np.arange(len(row)) - program.qubit_offsets[:-1][row]
    many = table.gates[row]
    rounds = np.where(
        k > 2, many // np.maximum(k, 1) + (place < many % np.maximum(k, 1)), np.where(place == 0, many, 0)
    )
    result: Float64 = np.power(1 - table.two_qubit[row], np.where(k >= 2, rounds, 0))
    return result


def _bell(table: NoiseTable) -> Float64:
    """(links, 3) what is left of XX, YY, ZZ in a pair."""
    words = np.array([np.kron(p, p) for p in _PAULIS])
    signs = np.array([1, -1, 1])
    result: Float64 = np.einsum("pij,lji->lp", words, table.states).real * signs
    # Perfect pairs are perfect, whatever the rounding.
    return np.where(np.abs(result - 1) < 1e-12, 1.0, result)


_PAULIS = (np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1]))

__all__ = ["CLASSES", "FidelityPrediction", "predict_fidelity", "products"]
