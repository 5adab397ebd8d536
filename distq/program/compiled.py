"""What compile returns: the program, its schedule, and what the compiler reports about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.errors import InputError
from distq.ops import Op
from distq.program.order import sequences
from distq.program.types import COMM, DATA, DistributedProgram
from distq.schedule.asap import Schedule, asap, depth, from_starts, remote_depth

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.network.model import Network
    from distq.program.emit import ModuleText

#: Version of what `to_dict` returns.
SCHEMA = "distq-summary-1"
#: A physical qubit for people: (module name, "d" or "c", index).
Place = tuple[str, str, int]


@dataclass(frozen=True)
class ModuleView:
    """One module of a compiled program.

    Attributes:
        name: of the module.
        data_qubits, comm_qubits: how many of them the program uses.
        data, comm: how many the module has (`comm` None: no limit).
        peak_comm_qubits: the most communication qubits occupied at one time.
        statements: number of statements in its file.
        qasm: its OpenQASM 3 program.
    """

    name: str
    data_qubits: int
    comm_qubits: int
    data: int
    comm: int | None
    peak_comm_qubits: int
    statements: int
    qasm: str = field(repr=False)


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """A distributed program with its schedule.

    Attributes:
        program: in canonical form.
        schedule: start and end of every row.
        stats: what the compiler reports (seed, seconds, verified, ...); plain data.
        plan_rows: what each step of the plan was for, as `report.account` writes it down; plain data for
            `report.explain`. Empty if it is not known.
    """

    program: DistributedProgram
    schedule: Schedule
    stats: dict[str, Any] = field(default_factory=dict)
    plan_rows: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """Where the program runs."""
        return self.program.network

    @property
    def ebits(self) -> int:
        """Bell pairs that the program consumes, each hop counted."""
        return self.program.ebits

    @cached_property
    def ebits_per_link(self) -> dict[tuple[str, str], int]:
        """Bell pairs on each link of the network, by the names of the modules it joins; unused links have 0."""
        counts = np.bincount(self.program.link[self.program.code == Op.EPR], minlength=len(self.network.links))
        return {(x.a, x.b): int(n) for x, n in zip(self.network.links, counts)}

    @cached_property
    def peak_comm_qubits(self) -> dict[str, int]:
        """The most communication qubits of each module that are occupied at one time, counted by a replay."""
        return dict(zip((m.name for m in self.network.modules), peak_comm_qubits(self.program)))

    @cached_property
    def modules(self) -> tuple[ModuleView, ...]:
        """The modules in the order of the network."""
        program = self.program
        used = np.zeros(program.num_physical, np.bool_)
        for qubits in (program.qubits, program.input_qubit, program.output_qubit):
            used[qubits] = True
        result = []
        for m, (module, text) in enumerate(zip(self.network.modules, self._texts)):
            here = used & (program.qubit_module == m)
            result.append(
                ModuleView(
                    module.name,
                    int(np.count_nonzero(here & (program.qubit_role == DATA))),
                    int(np.count_nonzero(here & (program.qubit_role == COMM))),
                    module.data,
                    module.comm,
                    self.peak_comm_qubits[module.name],
                    len(text.rows),
                    text.text,
                )
            )
        return tuple(result)

    @cached_property
    def _texts(self) -> list[ModuleText]:
        from distq.program.emit import emit_modules

        return emit_modules(self.program)

    @property
    def initial_layout(self) -> dict[int, Place]:
        """Where each qubit of the source is at the start."""
        return self._layout(self.program.input_qubit.tolist())

    @property
    def final_layout(self) -> dict[int, Place]:
        """Where each qubit of the source is at the end."""
        return self._layout(self.program.output_qubit.tolist())

    def _layout(self, qubits: list[int]) -> dict[int, Place]:
        return {q: self._place(p) for q, p in enumerate(qubits)}

    def _place(self, qubit: int) -> Place:
        program = self.program
        name = self.network.modules[int(program.qubit_module[qubit])].name
        return name, "c" if program.qubit_role[qubit] == COMM else "d", int(program.qubit_index[qubit])

    @property
    def messages(self) -> int:
        """Classical messages, of one bit each."""
        return int(np.count_nonzero(self.program.code == Op.SEND))

    @property
    def local_swaps(self) -> int:
        """SWAPs inside modules: by routing on coupling maps, and else from or to communication qubits."""
        return int(np.count_nonzero(self.program.code == Op.SWAP))

    @cached_property
    def classical_bits(self) -> int:
        """Measured bits that leave their module, each counted once however many modules it is sent to."""
        return len(np.unique(self.program.bit[self.program.code == Op.SEND]))

    @cached_property
    def depth(self) -> int:
        """Length of the longest chain of operations that wait for each other."""
        return depth(self.program)

    @cached_property
    def remote_depth(self) -> int:
        """The largest number of Bell pairs in a chain of operations that wait for each other."""
        return remote_depth(self.program)

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain data, as `--json` prints it; null stands for what only the compiler knows."""
        from importlib.metadata import PackageNotFoundError, version

        from distq.report.purification import raw_pairs

        try:
            written_by = version("distq")
        except PackageNotFoundError:
            written_by = "0+unknown"
        stats, program = self.stats, self.program
        known = stats.get("circuit") or {}
        result: dict[str, Any] = {
            "schema": SCHEMA,
            "version": written_by,
            "circuit": {
                "name": program.circuit_name,
                "qubits": program.num_qubits,
                "clbits": len(program.clbit_values),
                "gates": known.get("gates"),
                "two_qubit_gates": known.get("two_qubit_gates"),
            },
            "network": self.network.to_dict(),
            "ebits": self.ebits,
            "raw_pairs": raw_pairs(self.network, list(self.ebits_per_link.values())),
            "purification": stats.get("purification"),
            "lower_bound": stats.get("lower_bound"),
            "lower_bound_homes": stats.get("lower_bound_homes"),
            "optimal": stats.get("optimal"),
            "optimal_class": stats.get("optimal_class"),
            "error_bound": stats.get("error_bound"),
            "techniques": stats.get("techniques"),
            "ebits_per_link": [{"a": a, "b": b, "ebits": n} for (a, b), n in self.ebits_per_link.items()],
            "peak_comm_qubits": self.peak_comm_qubits,
            "remote_gates": stats.get("remote_gates"),
            "teleports": stats.get("teleports"),
            "local_swaps": self.local_swaps,
            "classical_bits": self.classical_bits,
            "messages": self.messages,
            "depth": self.depth,
            "remote_depth": self.remote_depth,
            "makespan": self.schedule.makespan,
            "initial_layout": {str(q): list(p) for q, p in self.initial_layout.items()},
            "final_layout": {str(q): list(p) for q, p in self.final_layout.items()},
            "verified": stats.get("verified"),
            "seconds": stats.get("seconds", {}),
            "seed": stats.get("seed"),
            "reproducible": stats.get("reproducible"),
        }
        result.update({key: value for key, value in stats.items() if key not in result})
        return result

    def summary(self) -> str:
        """The figures for people, and a table of the modules."""
        from distq.report.summary import summary

        return summary(self)

    def to_qiskit(self) -> QuantumCircuit:
        """One dynamic circuit over all modules (see `distq.program.to_qiskit`)."""
        from distq.program.to_qiskit import to_qiskit

        return to_qiskit(self.program)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the program directory, atomically; an older program there is replaced.

        Raises:
            UsageError: the directory cannot be written or holds something else.
        """
        from distq.program.files import save_program

        save_program(self.program, directory, stats=self.stats, schedule=self.schedule, plan=self.plan_rows)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> CompiledProgram:
        """Read a program directory.

        Raises:
            InputError: it is missing, was edited, is incomplete or is no program; the message says where.
        """
        from distq.program.files import load_program

        program, manifest = load_program(directory)
        plan_rows = {key: value for key, value in (manifest.get("plan") or {}).items() if key != "tag"}
        schedule = _loaded_schedule(program, manifest, directory)
        return cls(program, schedule, dict(manifest.get("stats") or {}), plan_rows)


def load(directory: str | os.PathLike[str]) -> CompiledProgram:
    """Read a program directory that `CompiledProgram.save` or `distq compile` wrote.

    Raises:
        InputError: it is missing, was edited, is incomplete or is no program; the message says where.
    """
    return CompiledProgram.load(directory)


def _loaded_schedule(
    program: DistributedProgram, manifest: dict[str, Any], directory: str | os.PathLike[str]
) -> Schedule:
    if not manifest.get("schedule"):
        return asap(program)
    offsets, rows = sequences(program)
    columns = [np.asarray(column, np.float64) for column in manifest["schedule"]["start"]]
    if [len(c) for c in columns] != np.diff(offsets).tolist():
        raise InputError(
            f"{os.path.join(directory, 'manifest.json')}: 'schedule.start' does not have one time for each statement; "
            "compile the program again"
        )
    start = np.zeros(len(program), np.float64)
    joined = np.concatenate(columns)
    start[rows] = joined
    if not np.array_equal(start[rows], joined):
        raise InputError(
            f"{os.path.join(directory, 'manifest.json')}: 'schedule.start' gives the two halves of a Bell pair "
            "different times; compile the program again"
        )
    return from_starts(program, start, float(manifest["schedule"]["makespan"]))


def peak_comm_qubits(program: DistributedProgram) -> list[int]:
    """The most communication qubits of each module that are occupied at one time.

    One is occupied from its Bell pair, or its first gate, until it is measured or reset, or used for the last time.
    """
    from distq.program.kernels import peak_occupation

    starts, ends = np.zeros((2, program.num_physical), np.bool_)
    starts[program.input_qubit] = True
    ends[program.output_qubit] = True
    peak = peak_occupation(
        program.code,
        program.guard,
        program.qubit_offsets,
        program.qubits,
        program.qubit_module,
        program.qubit_role == COMM,
        starts,
        ends,
        len(program.network.modules),
    )
    return [int(p) for p in peak]


__all__ = ["SCHEMA", "CompiledProgram", "ModuleView", "load", "peak_comm_qubits"]
