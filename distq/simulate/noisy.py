"""Noisy runs of programs on Qiskit Aer: what an experiment would see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distq.errors import MissingExtraError, UsageError
from distq.network.model import Network
from distq.program.types import DistributedProgram
from distq.simulate.channels import unitary_with
from distq.simulate.deferred import CLASSES, Deferred, NotClifford
from distq.simulate.noise import noise_table

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram
    from distq.schedule.result import Timeline

Complex = NDArray[np.complex128]
METHODS = ("auto", "density_matrix", "trajectories", "stabilizer")
#: Wires (live qubits and bits) up to which "auto" takes density matrices, and up to which they are allowed.
DENSITY_WIRES, MOST_DENSITY_WIRES = 9, 12
#: Wires up to which trajectories are allowed.
TRAJECTORY_WIRES = 24
#: Runs where the method samples and nothing is said.
DEFAULT_SHOTS = 1024
#: Amplitudes of trajectories that are held at a time.
_AMPLITUDES = 2**22


@dataclass(frozen=True, eq=False)
class NoisyResult:
    """What a noisy run gave.

    Attributes:
        method: "density_matrix", "trajectories" or "stabilizer".
        wires: live qubits and bits that were simulated at a time.
        shots: runs; 0 where the result is exact.
        seed: of the simulator.
        makespan, unit: of the timeline.
        fidelity: <psi|rho|psi> with the ideal output for this input; None for circuits with classical bits, and where
            the ideal output is no pure state.
        fidelity_error: its standard error; 0 where it is exact.
        process_fidelity: entanglement fidelity, where a reference was asked for.
        average_fidelity: (d F + 1)/(d + 1) of it.
        state: density matrix of the output in Qiskit's order, qubit i of the source at position i of those that are
            outputs; of the method "density_matrix" without reference only.
        distribution: probability of each value of the source's classical bits, written as Qiskit writes it.
        ideal_distribution: the same without noise.
        counts: of the methods that sample.
    """

    method: str
    wires: int
    shots: int
    seed: int
    makespan: float
    unit: str
    fidelity: float | None = None
    fidelity_error: float = 0.0
    process_fidelity: float | None = None
    average_fidelity: float | None = None
    state: Complex | None = field(default=None, repr=False)
    distribution: dict[str, float] | None = None
    ideal_distribution: dict[str, float] | None = None
    counts: dict[str, int] | None = field(default=None, repr=False)

    @property
    def hellinger_fidelity(self) -> float | None:
        """(sum of sqrt(p q))^2 over the outcomes; None without classical bits."""
        if self.distribution is None or self.ideal_distribution is None:
            return None
        p, q = self.distribution, self.ideal_distribution
        return sum(math.sqrt(v * q.get(k, 0.0)) for k, v in p.items()) ** 2

    @property
    def total_variation(self) -> float | None:
        """Half the sum of |p - q| over the outcomes; None without classical bits."""
        if self.distribution is None or self.ideal_distribution is None:
            return None
        p, q = self.distribution, self.ideal_distribution
        return sum(abs(p.get(k, 0.0) - q.get(k, 0.0)) for k in p.keys() | q.keys()) / 2

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data, without the state."""
        return {
            "method": self.method,
            "wires": self.wires,
            "shots": self.shots,
            "seed": self.seed,
            "makespan": self.makespan,
            "unit": self.unit,
            "fidelity": self.fidelity,
            "fidelity_error": self.fidelity_error,
            "process_fidelity": self.process_fidelity,
            "average_fidelity": self.average_fidelity,
            "distribution": self.distribution,
            "ideal_distribution": self.ideal_distribution,
            "hellinger_fidelity": self.hellinger_fidelity,
            "total_variation": self.total_variation,
            "counts": self.counts,
        }


def noisy(
    program: CompiledProgram | DistributedProgram,
    network: Network | None = None,
    *,
    timeline: Timeline | None = None,
    method: str = "auto",
    shots: int | None = None,
    seed: int = 0,
    input_state: Any = None,
    reference: bool = False,
    local_two_qubit_error: float | None = None,
    only: Iterable[str] = CLASSES,
    parameters: Mapping[str, float] | None = None,
) -> NoisyResult:
    """Simulate a program with the noise of its hardware, each qubit waiting as long as on the timeline.

    Noise (see docs/fidelity.md): pairs in the state of their link; depolarising gates; wrong bits and resets;
    relaxation and dephasing of data and communication qubits and of pairs while they wait. Corrections that are tracked
    make no error. The same program without noise is the ideal.

    Args:
        program: what runs.
        network: whose hardware is taken; default: the program's own.
        timeline: of this program on this network; default: `distq.schedule.plan.schedule`.
        method: "density_matrix": exact, all outcomes summed; "trajectories": states with random noise;
            "stabilizer": Clifford programs, with the Pauli twirl of pairs and waiting; "auto": the first that fits.
        shots: runs of the methods that sample; default 1024.
        seed: of the simulator; the same seed gives the same result.
        input_state: vector of 2^n amplitudes in Qiskit's order; default |0...0>.
        reference: compare as a process: each input qubit is half of a perfect pair whose other half is kept.
        local_two_qubit_error: replaces the two-qubit error (1 - average fidelity) of every module.
        only: classes of noise that count, of `CLASSES`.
        parameters: values of unbound parameters by name [rad].

    Raises:
        MissingExtraError: qiskit-aer is not installed.
        UsageError: a value that is not valid, a parameter without a value, or a program too large for the method.
    """
    from distq.program.compiled import CompiledProgram
    from distq.schedule.plan import schedule

    if isinstance(program, CompiledProgram):
        program = program.program
    classes = frozenset(only)
    _check(method, shots, classes, local_two_qubit_error, input_state, reference, program)
    if timeline is None:
        timeline = schedule(program, network)
    elif timeline.program is not program:
        raise UsageError("the timeline belongs to another program: schedule this one")
    table = noise_table(timeline, network, local_two_qubit_error)
    bound = _bound(program, parameters or {})
    method, noise, ideal = _written(table, bound, method, classes, reference, input_state is not None)
    run = _Run(bound, table.output_of.tolist(), noise, ideal, method, shots or DEFAULT_SHOTS, seed,
               _vector(input_state, program.num_qubits), reference)  # fmt: skip
    result = run.measured() if program.clbit_values else run.state()
    return replace(result, makespan=timeline.makespan, unit=timeline.unit)


def _check(
    method: str,
    shots: int | None,
    classes: frozenset[str],
    error: float | None,
    input_state: Any,
    reference: bool,
    program: DistributedProgram,
) -> None:
    if method not in METHODS:
        raise UsageError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    if shots is not None and shots < 1:
        raise UsageError(f"shots is {shots}; it must be at least 1")
    unknown = sorted(classes - set(CLASSES))
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no class of noise; the classes are {', '.join(CLASSES)}")
    if error is not None and not 0 <= error <= 1:
        raise UsageError(f"local_two_qubit_error is {error!r}; it must be from 0 to 1")
    if reference and input_state is not None:
        raise UsageError("reference and input_state exclude each other: leave one of them out")
    if reference and (program.clbit_values or program.start == "zero"):
        raise UsageError(
            "a process cannot be compared where the circuit has classical bits or the program relies on |0>: leave "
            "reference out"
        )


def _vector(state: Any, qubits: int) -> Complex | None:
    if state is None:
        return None
    vector = np.asarray(getattr(state, "data", state), np.complex128)
    if vector.shape != (2**qubits,):
        raise UsageError(f"input_state has shape {vector.shape}; it must have 2^{qubits} amplitudes")
    norm = float(np.linalg.norm(vector))
    if not abs(norm - 1) < 1e-6:
        raise UsageError(f"input_state has the norm {norm:.6g}; it must be 1")
    return vector / norm


def _bound(program: DistributedProgram, values: Mapping[str, float]) -> DistributedProgram:
    """The program with numbers for its parameters."""
    open_ = np.flatnonzero(program.param_expr >= 0)
    if not len(open_):
        return program
    params = program.params.copy()
    for at in open_.tolist():
        expression = program.expressions[program.param_expr[at]]
        names = {p.name: p for p in expression.parameters}
        missing = sorted(names.keys() - values.keys())
        if missing:
            raise UsageError(f"parameter {missing[0]!r} has no value; give a number for each parameter")
        params[at] = float(expression.bind({p: values[name] for name, p in names.items()}))
    return replace(program, params=params, param_expr=np.full_like(program.param_expr, -1))


def _written(
    table: Any, program: DistributedProgram, method: str, classes: frozenset[str], reference: bool, given: bool
) -> tuple[str, Deferred, Deferred]:
    """The method, and the program for it with and without noise."""
    try:
        import qiskit_aer  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("qiskit-aer", "sim", "simulation") from error

    def write(clifford: bool) -> tuple[Deferred, Deferred]:
        return (
            Deferred(table, program, clifford=clifford, only=classes),
            Deferred(table, program, clifford=clifford, only=()),
        )

    more = program.num_qubits if reference else 0
    if method == "stabilizer":
        if given:
            raise UsageError("the method stabilizer starts from |0...0>: leave input_state out")
        return method, *write(True)
    plain = write(False)
    wires = plain[0].wires + more
    if method == "auto":
        method = "density_matrix"
        if wires > DENSITY_WIRES:
            method = "trajectories"
            if not given:
                try:
                    return "stabilizer", *write(True)
                except NotClifford:
                    pass
    most = MOST_DENSITY_WIRES if method == "density_matrix" else TRAJECTORY_WIRES
    if wires > most:
        raise UsageError(
            f"the program needs {wires} qubits and bits at a time, and the method {method} takes at most {most}: take "
            "another method or a smaller program (distq.predict_fidelity has no such limit)"
        )
    return method, *plain


class _Run:
    """One program with one method."""

    def __init__(
        self,
        program: DistributedProgram,
        output_of: list[int],
        noise: Deferred,
        ideal: Deferred,
        method: str,
        shots: int,
        seed: int,
        vector: Complex | None,
        reference: bool,
    ) -> None:
        self.program, self.output_of = program, output_of
        self.noise, self.ideal, self.method = noise, ideal, method
        self.shots, self.seed, self.vector, self.reference = shots, seed, vector, reference
        self.exact = method == "density_matrix"
        if reference and len(output_of) < program.num_qubits:
            raise UsageError("a process cannot be compared where the circuit ends with a reset: leave reference out")

    def result(self, **found: Any) -> NoisyResult:
        wires = max(self.noise.wires, self.ideal.wires) + (self.program.num_qubits if self.reference else 0)
        return NoisyResult(self.method, wires, 0 if self.exact else self.shots, self.seed, 0.0, "s", **found)

    def circuit(self, written: Deferred) -> tuple[Any, list[int]]:
        """The circuit on its wires, and the wires of what is compared: outputs, then references."""
        from qiskit import QuantumCircuit
        from qiskit.circuit import CircuitInstruction

        n = self.program.num_qubits if self.reference else 0
        circuit = QuantumCircuit(written.wires + n)
        outputs = list(written.output_wires)
        for i in range(n):
            circuit.h(written.wires + i)
            circuit.cx(written.wires + i, written.inputs[i])
            outputs.append(written.wires + i)
        if self.vector is not None and self.exact:
            circuit.unitary(unitary_with(self.vector), written.inputs)
        elif self.vector is not None:
            circuit.initialize(self.vector, written.inputs)
        qubits = circuit.qubits
        for operation, wires in written.out:
            circuit._append(CircuitInstruction(operation, [qubits[w] for w in wires], ()))
        return circuit, outputs

    def run(self, circuit: Any, shots: int, seed: int) -> Any:
        from qiskit_aer import AerSimulator

        name = {"trajectories": "statevector"}.get(self.method, self.method)
        # Fusion of channels costs more than it saves here; truncation drops qubits that are read at the end.
        simulator = AerSimulator(method=name, seed_simulator=seed, enable_truncation=False, fusion_enable=False)
        result = simulator.run(circuit, shots=shots).result()
        if not result.success:
            raise UsageError(f"Aer cannot run this program: {result.status}; try another method")
        return result.data()

    # Circuits without classical bits.

    def state(self) -> NoisyResult:
        if self.method == "density_matrix":
            return self._density()
        return self._stabilizer() if self.method == "stabilizer" else self._trajectories()

    def _fidelity(self, value: float | None, error: float = 0.0, **more: Any) -> NoisyResult:
        if value is None or not self.reference:
            return self.result(fidelity=value, fidelity_error=error, **more)
        d = 2**self.program.num_qubits
        average = (d * value + 1) / (d + 1)
        return self.result(process_fidelity=value, average_fidelity=average, fidelity_error=error, **more)

    def _density(self) -> NoisyResult:
        found = []
        for written in (self.noise, self.ideal):
            circuit, outputs = self.circuit(written)
            circuit.save_density_matrix(outputs)
            found.append(np.asarray(self.run(circuit, 1, self.seed)["density_matrix"].data))
        rho, ideal = found
        pure = float(np.vdot(ideal, ideal).real) > 1 - 1e-9
        value = float(np.vdot(ideal, rho).real) if pure else None
        return self._fidelity(value, state=None if self.reference else rho)

    def _trajectories(self) -> NoisyResult:
        circuit, outputs = self.circuit(self.ideal)
        circuit.save_statevector(pershot=True)
        first = [_parted(np.asarray(v), outputs) for v in self.run(circuit, 2, self.seed)["statevector"]]
        if abs(abs(np.vdot(first[0], first[1])) - 1) > 1e-6:
            return self._fidelity(None)
        circuit, outputs = self.circuit(self.noise)
        circuit.save_statevector(pershot=True)
        batch = max(1, min(self.shots, _AMPLITUDES >> circuit.num_qubits))
        values: list[float] = []
        while len(values) < self.shots:
            size = min(batch, self.shots - len(values))
            states = self.run(circuit, size, self.seed + len(values))["statevector"]
            values += [float(abs(np.vdot(first[0], _parted(np.asarray(v), outputs))) ** 2) for v in states]
        return self._fidelity(float(np.mean(values)), float(np.std(values) / math.sqrt(len(values))))

    def _stabilizer(self) -> NoisyResult:
        from qiskit.quantum_info import StabilizerState
        from qiskit.synthesis import synth_stabilizer_layers

        circuit, _ = self.circuit(self.ideal)
        circuit.save_stabilizer(pershot=True)
        first, second = (StabilizerState(s) for s in self.run(circuit, 2, self.seed)["stabilizer"])
        if not first.equiv(second):
            return self._fidelity(None)
        # Wires that hold no output are |0> at the end, with noise and without.
        circuit, _ = self.circuit(self.noise)
        circuit.compose(_elementary(synth_stabilizer_layers(first).inverse()), inplace=True)
        self._read(circuit, list(range(circuit.num_qubits)))
        counts = self.run(circuit, self.shots, self.seed)["counts"]
        hits = counts.get("0x0", 0) / self.shots
        inner = min(max(hits, 1 / self.shots), 1 - 1 / self.shots)
        return self._fidelity(hits, math.sqrt(max(inner * (1 - inner), 0.0) / self.shots))

    @staticmethod
    def _read(circuit: Any, wires: list[int]) -> None:
        from qiskit.circuit import ClassicalRegister

        circuit.add_register(ClassicalRegister(max(len(wires), 1)))
        for i, w in enumerate(wires):
            circuit.measure(w, i)

    # Circuits with classical bits.

    def measured(self) -> NoisyResult:
        written = [self._distribution(self.noise), self._distribution(self.ideal)]
        counts = None
        if not self.exact:
            counts = {k: round(v * self.shots) for k, v in written[0].items()}
        return self.result(distribution=written[0], ideal_distribution=written[1], counts=counts)

    def _distribution(self, written: Deferred) -> dict[str, float]:
        circuit, _ = self.circuit(written)
        bits = sorted(written.bit_wires)
        wires = sorted({written.bit_wires[b] for b in bits})
        text = _reader(self.program, {b: wires.index(written.bit_wires[b]) for b in bits})
        values: dict[int, float]
        if not wires:
            values = {0: 1.0}
        elif self.exact:
            circuit.save_probabilities(wires)
            found = np.asarray(self.run(circuit, 1, self.seed)["probabilities"])
            values = {i: float(found[i]) for i in np.flatnonzero(found > 1e-12).tolist()}
        else:
            self._read(circuit, wires)
            counts = self.run(circuit, self.shots, self.seed)["counts"]
            values = {int(k, 16): n / self.shots for k, n in counts.items()}
        result: dict[str, float] = {}
        for value, p in values.items():
            word = text(value)
            result[word] = result.get(word, 0.0) + p
        return dict(sorted(result.items()))


def _parted(state: Complex, outputs: list[int]) -> Complex:
    """The outputs of a state whose other wires are all |0>."""
    index = np.zeros(1, np.int64)
    for w in outputs:
        index = np.concatenate([index, index | (1 << w)])
    return state[index]


def _elementary(circuit: Any) -> Any:
    """A Clifford circuit without gates that are made of others."""
    from distq.simulate.deferred import CLIFFORD

    while others := {i.operation.name for i in circuit.data} - CLIFFORD:
        circuit = circuit.decompose(gates_to_decompose=sorted(others))
    return circuit


def _reader(program: DistributedProgram, position: Mapping[int, int]) -> Callable[[int], str]:
    """From the value of all bits to that of the source's classical bits, as text."""
    from distq.simulate.run import _writer

    text = _writer(range(len(program.clbit_values)), [r.bits for r in program.clbit_registers])

    def read(value: int) -> str:
        result = 0
        for c, entries in enumerate(program.clbit_values):
            for conjunction, bit in entries:
                if all((value >> position[b]) & 1 == wanted for b, wanted in conjunction):
                    result |= (0 if bit < 0 else (value >> position[bit]) & 1) << c
                    break
        return text(result)

    return read


__all__ = ["CLASSES", "METHODS", "NoisyResult", "noisy"]
