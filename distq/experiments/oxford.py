"""The experiment of Main et al. on two trapped-ion modules: its programs, compiled, and what they should give.

One parameter is fitted, to one figure: the two-qubit depolarising probability of each local CZ, to the teleported CZ.
All other figures are those of the preset. What the other programs give follows from them.

Reference:
    D. Main et al., Nature 638, 383 (2025), doi:10.1038/s41586-024-08404-x, arXiv:2407.00835.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from distq.errors import DistqError, InfeasibleError, UsageError
from distq.experiments.grover import grover

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.network.model import Network
    from distq.program.compiled import CompiledProgram
    from distq.schedule.result import Timeline

SOURCE = "Main et al., Nature 638, 383 (2025), arXiv:2407.00835"
PRESET = "oxford-2025"
GATE, SEARCH = "average gate fidelity", "success probability"
#: Sources of error in the budget, and the classes of noise of `distq.simulate.noisy` that they consist of.
BUDGET: dict[str, tuple[str, ...]] = {
    "pairs": ("pairs",),
    "local gates": ("two-qubit", "one-qubit"),
    "memory": ("idling", "ageing"),
    "preparation, readout": ("measurement",),
}
#: The average gate fidelity that the parameter is fitted to is reproduced this well.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Published:
    """A figure of the paper with its standard error; `recalled`: from memory, not checked against the paper."""

    value: float
    error: float
    recalled: bool = False


@dataclass(frozen=True)
class Task:
    """One program of the experiment, or one that is set beside it.

    Attributes:
        name: short, without spaces.
        title: for tables.
        circuits: what is compiled: one gate, or a search for each marked state.
        quantity: `GATE` or `SEARCH`.
        final_homes: "same" (where the qubits began, as in the experiment) or "free".
        teleports: without the exchange by three copied CX, so that qubits change places by state teleportation alone.
        roomy: on the variant of the preset with two communication qubits in its first module.
        gates: teleported gates in the experiment; None where it has no such program.
        published: the figure of the paper.
    """

    name: str
    title: str
    circuits: Callable[[], list[QuantumCircuit]]
    quantity: str = GATE
    final_homes: str = "same"
    teleports: bool = False
    roomy: bool = False
    gates: int | None = None
    published: Published | None = None


def _one_gate(name: str) -> Callable[[], list[QuantumCircuit]]:
    def make() -> list[QuantumCircuit]:
        from qiskit import QuantumCircuit

        circuit = QuantumCircuit(2, name=name)
        getattr(circuit, name)(0, 1)
        return [circuit]

    return make


def _searches() -> list[QuantumCircuit]:
    return [grover(2, marked) for marked in MARKED]


MARKED = ("00", "01", "10", "11")
#: The program that the parameter is fitted to, and its figure.
FITTED, TARGET = "cz", 0.862
TASKS = (
    Task("cz", "CZ", _one_gate("cz"), gates=1, published=Published(TARGET, 0.009)),
    Task("grover", "Grover search", _searches, SEARCH, gates=2, published=Published(0.71, 0.01)),
    Task("iswap", "iSWAP", _one_gate("iswap"), gates=2, published=Published(0.70, 0.02, recalled=True)),
    Task("swap", "SWAP", _one_gate("swap"), gates=3, published=Published(0.64, 0.02, recalled=True)),
    Task("iswap-free", "iSWAP, free ends", _one_gate("iswap"), final_homes="free"),
    Task("swap-free", "SWAP, free ends", _one_gate("swap"), final_homes="free"),
    Task("swap-teleports", "SWAP by teleports", _one_gate("swap"), teleports=True),
    Task("swap-teleports-roomy", "SWAP by teleports, variant", _one_gate("swap"), teleports=True, roomy=True),
)


@dataclass(frozen=True)
class Row:
    """What became of one task.

    Attributes:
        task: which one.
        refused: why it cannot be compiled; the other figures are None then.
        ebits: Bell pairs of one program (of each search).
        local_gates: two-qubit gates inside modules; a SWAP counts as three.
        makespan: [s].
        verified: by what method.
        value: predicted with the fitted parameter.
        lost: what each source of error of `BUDGET` takes away if it is alone.
        all_lost: what all take together.
    """

    task: Task
    refused: str | None = None
    ebits: int | None = None
    local_gates: int | None = None
    makespan: float | None = None
    verified: str | None = None
    value: float | None = None
    lost: dict[str, float] | None = None
    all_lost: float | None = None

    @property
    def fitted(self) -> bool:
        """Whether the parameter was fitted to this figure."""
        return self.task.name == FITTED

    @property
    def difference(self) -> float | None:
        """Predicted less published."""
        if self.value is None or self.task.published is None:
            return None
        return self.value - self.task.published.value

    @property
    def missed(self) -> bool:
        """Whether a prediction lies outside the standard error of the experiment."""
        off, published = self.difference, self.task.published
        return off is not None and published is not None and not self.fitted and abs(off) > published.error

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        task, published = self.task, self.task.published
        return {
            "name": task.name,
            "title": task.title,
            "quantity": task.quantity,
            "network": f"{PRESET}, {ROOMY}" if task.roomy else PRESET,
            "final_homes": task.final_homes,
            "teleported_gates_in_experiment": task.gates,
            "refused": self.refused,
            "ebits": self.ebits,
            "local_gates": self.local_gates,
            "makespan": self.makespan,
            "verified": self.verified,
            "value": self.value,
            "fitted": self.fitted,
            "published": None if published is None else asdict(published),
            "difference": self.difference,
            "missed": self.missed,
            "lost": self.lost,
            "all_lost": self.all_lost,
        }


@dataclass(frozen=True)
class Oxford:
    """The whole comparison.

    Attributes:
        rows: one for each of `TASKS`.
        error: the fitted parameter as 1 - average fidelity of a local CZ.
        target: the figure that it was fitted to.
        network: the preset.
        seed: of the compiler.
    """

    rows: tuple[Row, ...]
    error: float
    target: float
    network: Network
    seed: int

    @property
    def depolarising(self) -> float:
        """The fitted parameter as probability p of rho -> (1 - p) rho + p I/4."""
        return 4 * self.error / 3

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.task.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "schema": "distq-oxford/1",
            "source": SOURCE,
            "preset": PRESET,
            "seed": self.seed,
            "fit": {
                "parameter": "two-qubit depolarising probability of each local CZ",
                "depolarising": self.depolarising,
                "error": self.error,
                "fitted_to": FITTED,
                "target": self.target,
            },
            "fixed": {what: {"value": value, "source": source} for what, value, source in fixed_figures(self.network)},
            "unknown": list(unknown_figures(self.network)),
            "rows": [row.to_dict() for row in self.rows],
        }


#: How the variant differs from the preset.
ROOMY = "with two communication qubits in its first module"


def roomy(network: Network) -> Network:
    """The network with two communication qubits in its first module."""
    first, *rest = network.modules
    return dataclasses.replace(network, modules=(dataclasses.replace(first, comm=2), *rest))


def compiled(task: Task, network: Network, seed: int = 0) -> list[CompiledProgram]:
    """The verified programs of a task.

    Raises:
        InfeasibleError: qubits would have to change places by state teleportation and cannot.
    """
    import distq

    return [
        distq.compile(
            circuit,
            roomy(network) if task.roomy else network,
            seed=seed,
            final_homes=task.final_homes,
            without=("exchange",) if task.teleports else (),
            verify="statevector",
        )
        for circuit in task.circuits()
    ]


def local_gates(program: CompiledProgram) -> int:
    """Two-qubit gates inside modules; a SWAP counts as three."""
    import numpy as np

    from distq.ops import Op

    code = program.program.code
    return int(np.isin(code, (Op.CX, Op.MCP, Op.PARITY)).sum() + 3 * (code == Op.SWAP).sum())


class Model:
    """The programs of one task on their timelines, ready to be simulated with different errors."""

    def __init__(self, task: Task, programs: Iterable[CompiledProgram]) -> None:
        from distq.schedule.plan import schedule

        self.task = task
        self.programs = list(programs)
        self.timelines: list[Timeline] = [schedule(program) for program in self.programs]

    def value(self, error: float, only: Iterable[str] | None = None) -> float:
        """The figure of the task (the mean over its programs) for an error (1 - average fidelity) of the local CZ.

        Args:
            error: of every two-qubit gate inside a module.
            only: classes of noise that count; default all.
        """
        from distq.simulate.noisy import CLASSES, noisy

        found = []
        for i, (program, timeline) in enumerate(zip(self.programs, self.timelines)):
            result = noisy(
                program,
                timeline=timeline,
                method="density_matrix",
                reference=self.task.quantity == GATE,
                local_two_qubit_error=error,
                only=CLASSES if only is None else tuple(only),
            )
            figure = result.average_fidelity if result.distribution is None else result.distribution.get(MARKED[i], 0.0)
            if figure is None:
                raise DistqError(f"the simulation of {self.task.title} gave no figure to compare; report this")
            found.append(figure)
        return sum(found) / len(found)


def fit(model: Model, target: float) -> float:
    """The error of the local CZ with which a model gives the target.

    Raises:
        UsageError: no error does.
    """
    from scipy.optimize import brentq

    best, worst = model.value(0.0), model.value(0.5)
    if not worst < target < best:
        raise UsageError(
            f"no error of the local gates gives {target:.4f}: without any it is {best:.4f}, with 0.5 it is "
            f"{worst:.4f}; choose a target between them"
        )
    return float(brentq(lambda error: model.value(error) - target, 0.0, 0.5, xtol=TOLERANCE / 10))


@dataclass(frozen=True)
class Prepared:
    """All tasks, compiled: the models of those that can be, and why the others cannot."""

    network: Network
    seed: int
    models: dict[str, Model]
    refused: dict[str, str]


def prepare(seed: int = 0, network: Network | None = None, progress: Callable[[str], None] | None = None) -> Prepared:
    """Compile and verify all tasks; arguments as those of `oxford`."""
    from distq.network.presets import preset

    found = Prepared(preset(PRESET) if network is None else network, seed, {}, {})
    for task in TASKS:
        if progress:
            progress(f"compiling {task.title}")
        try:
            found.models[task.name] = Model(task, compiled(task, found.network, seed))
        except InfeasibleError as reason:
            found.refused[task.name] = str(reason)
    return found


def compare(prepared: Prepared, target: float = TARGET, progress: Callable[[str], None] | None = None) -> Oxford:
    """Fit the one parameter to the CZ and predict the other figures; arguments as those of `oxford`."""
    if progress:
        progress("simulating")
    error = fit(prepared.models[FITTED], target)
    rows = tuple(
        Row(task, refused=prepared.refused[task.name])
        if task.name in prepared.refused
        else _row(prepared.models[task.name], error)
        for task in TASKS
    )
    return Oxford(rows, error, target, prepared.network, prepared.seed)


def oxford(
    seed: int = 0,
    *,
    target: float = TARGET,
    network: Network | None = None,
    progress: Callable[[str], None] | None = None,
) -> Oxford:
    """Compile and verify all tasks, fit the one parameter to the CZ, and predict the other figures.

    Args:
        seed: of the compiler.
        target: average gate fidelity of the CZ that is fitted to; default: the published one.
        network: instead of the preset, another network of two modules.
        progress: is called with what is done next.

    Raises:
        MissingExtraError: qiskit-aer is not installed.
        VerificationError: a program failed its verification.
        UsageError: no error of the local gates gives the target.
    """
    return compare(prepare(seed, network, progress), target, progress)


def _row(model: Model, error: float) -> Row:
    value = model.value(error)
    first = model.programs[0]
    return Row(
        task=model.task,
        ebits=max(p.ebits for p in model.programs),
        local_gates=max(local_gates(p) for p in model.programs),
        makespan=max(t.makespan for t in model.timelines),
        verified=first.stats["verified"]["method"],
        value=value,
        lost={name: 1 - model.value(error, classes) for name, classes in BUDGET.items()},
        all_lost=1 - value,
    )


def fixed_figures(network: Network) -> list[tuple[str, float, str]]:
    """What the preset says apart from the fitted parameter: (what, value in SI units, source)."""
    link = network.links[0].hardware
    modules = [m.hardware for m in network.modules if m.hardware is not None]
    found: list[tuple[str, float, str]] = []
    if link is not None:
        found.append(("pair fidelity", link.pair_fidelity, "density matrix by tomography, " + SOURCE))
        found.append(("mean pair time [s]", link.mean_pair_time, "9.7 pairs per second, " + SOURCE))
    for hardware in modules[:1]:
        if hardware.data_t2 is not None:
            found.append(("T2 of circuit qubits [s]", hardware.data_t2, "about 10 s, arXiv:2506.14334"))
    return found


def unknown_figures(network: Network) -> tuple[str, ...]:
    """Figures that the preset does not have, and that therefore count as no error and no time."""
    names = {
        "measure_error": "readout error",
        "reset_error": "preparation error",
        "one_qubit_error": "one-qubit gates' error",
        "data_t1": "T1 of circuit qubits",
        "comm_t2": "memory of network qubits",
        "two_qubit_time": "durations of local operations",
    }
    modules = [m.hardware for m in network.modules]
    return tuple(text for key, text in names.items() if all(getattr(h, key, None) is None for h in modules))


def unknown_classes(network: Network) -> frozenset[str]:
    """Sources of error of `BUDGET` of which the preset has no figure at all."""
    modules = [m.hardware for m in network.modules if m.hardware is not None]
    keys = {"preparation, readout": ("measure_error", "reset_error"), "memory": ("data_t1", "data_t2")}
    return frozenset(
        name for name, fields in keys.items() if all(getattr(h, key) is None for h in modules for key in fields)
    )


__all__ = ["BUDGET", "FITTED", "MARKED", "PRESET", "SOURCE", "TARGET", "TASKS", "Model", "Oxford", "Prepared",
           "Published", "Row", "Task", "compare", "compiled", "fit", "fixed_figures", "local_gates", "oxford",
           "prepare", "roomy", "unknown_classes", "unknown_figures"]  # fmt: skip
