"""distq inside Qiskit's transpiler: an init stage that distributes the circuit over a network of modules.

Two ways in::

    target = DistqTarget(Network.all_to_all(2, data=4), effort="fast")
    result = transpile(circuit, target=target, init_method="distq", layout_method="distq")

    result = generate_pass_manager(Network.all_to_all(2, data=4)).run(circuit)

The result is one dynamic circuit over all modules with its layout set, so that `SparsePauliOp.apply_layout`
and the primitives work as for any transpiled circuit; `result.metadata["distq"]` says what the distribution
costs.

Why it is done this way (Qiskit 2.6): only the init stage may widen a circuit. The network travels on the
target, because stage plugins have no options of their own. The target has no coupling map, so that no layout
or routing stage runs, which would know nothing of links: every two-qubit gate already lies within a module,
but the Bell pairs, which are `CXGate(label="epr")`. Later passes would merge those with their neighbours and
lose the label, so they stand between barriers where such passes run.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from qiskit.circuit import (
    Barrier,
    CircuitInstruction,
    Delay,
    ForLoopOp,
    Gate,
    IfElseOp,
    Measure,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
    Reset,
)
from qiskit.circuit.library import CXGate, HGate, get_standard_gate_name_mapping
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.dagcircuit import DAGCircuit
from qiskit.transpiler import PassManager, PassManagerConfig, StagedPassManager, Target
from qiskit.transpiler.basepasses import AnalysisPass, TransformationPass
from qiskit.transpiler.layout import Layout
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager
from qiskit.transpiler.preset_passmanagers.plugin import PassManagerStagePlugin

from distq.errors import UsageError
from distq.network.model import Network

if TYPE_CHECKING:
    from distq.program.compiled import CompiledProgram

#: Label of the CX gates that stand for Bell pairs, and name of the gate that replaces them (see `EPRGate`).
EPR = "epr"
#: Label of the barriers around Bell pairs.
GUARD = "epr-guard"
#: Gates that every module can carry out unless `basis_gates` says otherwise: all that distq emits.
BASIS_GATES = (
    "h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "p", "rx", "ry", "rz", "u",
    "cx", "cz", "cp", "rzz", "swap", "ccx", "ccz",
)  # fmt: skip
#: Effort of the partition search by optimization level, where the options do not name one.
EFFORT_BY_LEVEL = ("fast", "default", "default", "best")
_OTHERS = {"measure", "reset", "delay", "barrier", "if_else", "for_loop"}


class EPRGate(Gate):
    """Prepares a Bell pair from |00>: in targets without CX it stands for H and `CXGate(label="epr")`."""

    def __init__(self) -> None:
        super().__init__(EPR, 2, [], label=EPR)

    def _define(self) -> None:
        self.definition = QuantumCircuit(2)
        self.definition.h(0)
        self.definition.append(CXGate(label=EPR), [0, 1])


class DistqTarget(Target):
    """A Qiskit target that carries a network, and the options with which circuits are compiled for it.

    Every gate is allowed on all qubits: keeping gates within modules is the distribution's business, and a
    target with connections would invite Qiskit to route over them. If the basis has no CX, Bell pairs are
    `EPRGate`s.

    Args:
        network: where circuits run; a `Network`, the name of a preset, or a network file.
        basis_gates: names of the standard gates that the modules can carry out; by default `BASIS_GATES`.
        options: keyword arguments of `distq.compile` (effort, seed, verify, initial_homes, ...).

    Raises:
        UsageError: an option or a gate is not known; the message lists the valid ones.
    """

    #: Where circuits run.
    network: Network
    #: Keyword arguments of `distq.compile`.
    options: dict[str, Any]

    def __new__(  # noqa: D102 - Qiskit's Target is made here, in Rust, and wants the same arguments as __init__.
        cls,
        network: Network | str | os.PathLike[str] | None = None,
        *,
        basis_gates: Iterable[str] | None = None,
        **options: Any,
    ) -> DistqTarget:
        # Without a network only when a copy is made, before its state is set.
        if network is None:
            return super().__new__(cls)
        resolved = _network(network)
        comm = [m.comm for m in resolved.modules]
        width = None if None in comm else resolved.total_data + sum(c for c in comm if c is not None)
        return super().__new__(cls, description=f"distq: {resolved.name}", num_qubits=width)

    def __init__(
        self,
        network: Network | str | os.PathLike[str],
        *,
        basis_gates: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        self.network = _network(network)
        self.options = _compile_options(options)
        gates = get_standard_gate_name_mapping()
        names = list(dict.fromkeys(BASIS_GATES if basis_gates is None else basis_gates))
        for name in names:
            if name in _OTHERS:
                continue
            if name not in gates or not isinstance(gates[name], Gate):
                valid = ", ".join(sorted(n for n in gates if n not in _OTHERS))
                raise UsageError(f"basis_gates has {name!r}, no standard gate of Qiskit: use {valid}")
            self.add_instruction(gates[name])
        if "cx" not in names:
            self.add_instruction(EPRGate())
        self.add_instruction(Measure())
        self.add_instruction(Reset())
        self.add_instruction(Delay(0))
        self.add_instruction(IfElseOp, name="if_else")
        # Circuits may come with loops; distributed they have none.
        self.add_instruction(ForLoopOp, name="for_loop")

    def __getstate__(self) -> dict[str, Any]:
        return {"target": super().__getstate__(), "network": self.network, "options": self.options}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(state["target"])
        self.network = state["network"]
        self.options = state["options"]


class DistributePass(TransformationPass):
    """Replaces a circuit by a program for the modules of a network, and sets its layout.

    Property set: `distq_program` is the `CompiledProgram`; `distq_layout` what `SetDistributedLayout` needs.

    Args:
        network: where the circuit runs.
        options: keyword arguments of `distq.compile`.
        guard: whether Bell pairs are put between barriers (see `RemovePairGuards`).
        pair_gate: whether Bell pairs become `EPRGate`s.
        keep: names of gates on three or more qubits that need not be expanded.
    """

    def __init__(
        self,
        network: Network,
        options: Mapping[str, Any] | None = None,
        *,
        guard: bool = False,
        pair_gate: bool = False,
        keep: Iterable[str] = BASIS_GATES,
    ) -> None:
        super().__init__()
        self.network = network
        self.options = dict(options or {})
        self.guard = guard
        self.pair_gate = pair_gate
        self.keep = frozenset(keep) | _OTHERS

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """Compile the circuit; raises what `distq.compile` raises."""
        import distq

        source = dag_to_circuit(dag)
        program = distq.compile(source, self.network, **self.options)
        exported = program.to_qiskit()
        result = _unroll_wide_gates(exported, self.keep)
        if self.guard or self.pair_gate:
            result = _mark_pairs(result, guard=self.guard, pair_gate=self.pair_gate)
        result.name = dag.name
        result.metadata = {**(dag.metadata or {}), "distq": _summary(program, exported)}
        self.property_set["distq_program"] = program
        self.property_set["distq_layout"] = _Layouts.of(source, exported)
        return circuit_to_dag(result, copy_operations=False)


class SetDistributedLayout(AnalysisPass):
    """Declares to Qiskit where the distribution put the qubits of the circuit at the start and the end.

    Nothing is declared if two qubits end in one place, which Qiskit has no words for: it can happen only where one
    of them was measured for good. `circuit.metadata["distq"]` has the places nevertheless.
    """

    def run(self, dag: DAGCircuit) -> None:
        """Set `layout`, `final_layout` and `original_qubit_indices`."""
        if self.property_set["distq_program"] is None:
            raise UsageError('layout_method="distq" needs init_method="distq": add it')
        found = self.property_set["distq_layout"]
        if found is None:
            return
        self.property_set["layout"] = found.layout
        self.property_set["final_layout"] = found.final_layout
        self.property_set["original_qubit_indices"] = found.indices
        # Anything that stood there spoke of the qubits before the distribution.
        self.property_set["virtual_permutation_layout"] = None


class RemovePairGuards(TransformationPass):
    """Removes the barriers around Bell pairs, when no pass comes that would merge the pairs with others."""

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """Remove them."""
        for node in dag.named_nodes("barrier"):
            if node.op.label == GUARD:
                dag.remove_op_node(node)
        return dag


class DistqInitPlugin(PassManagerStagePlugin):
    """Qiskit's init stage `distq`: needs a `DistqTarget`."""

    def pass_manager(
        self, pass_manager_config: PassManagerConfig, optimization_level: int | None = None
    ) -> PassManager:
        """The stage; raises UsageError if the target carries no network or an initial layout is given."""
        target = pass_manager_config.target
        if not isinstance(target, DistqTarget):
            raise UsageError(
                'init_method="distq" needs a target that carries a network: transpile with target=DistqTarget(network)'
            )
        if pass_manager_config.initial_layout is not None:
            raise UsageError(
                "initial_layout has no meaning for a distributed circuit: "
                "give DistqTarget the option initial_homes (the module of each qubit)"
            )
        level = 2 if optimization_level is None else optimization_level
        options = {"effort": EFFORT_BY_LEVEL[level], **target.options}
        if "seed" not in options and pass_manager_config.seed_transpiler is not None:
            options["seed"] = pass_manager_config.seed_transpiler
        # Only these stages keep to the gates that they find.
        gentle = (
            level < 2
            and pass_manager_config.translation_method in (None, "default", "translator")
            and pass_manager_config.optimization_method in (None, "default")
        )
        names = target.operation_names
        distribute = DistributePass(target.network, options, guard=not gentle, pair_gate="cx" not in names, keep=names)
        return PassManager([distribute, SetDistributedLayout()])


class DistqLayoutPlugin(PassManagerStagePlugin):
    """Qiskit's layout stage `distq`: repeats the layout of the init stage; Qiskit would choose its own."""

    def pass_manager(
        self, pass_manager_config: PassManagerConfig, optimization_level: int | None = None
    ) -> PassManager:
        """The stage."""
        return PassManager([SetDistributedLayout()])


def generate_pass_manager(
    network: Network | str | os.PathLike[str],
    optimization_level: int = 1,
    *,
    basis_gates: Iterable[str] | None = None,
    seed_transpiler: int | None = None,
    **options: Any,
) -> StagedPassManager:
    """A pass manager that distributes circuits over a network and then optimizes each module's gates.

    Args:
        network: a `Network`, the name of a preset, or a network file.
        optimization_level: of Qiskit's later stages, 0 to 3; also the effort of the partition search unless
            the options name one (`EFFORT_BY_LEVEL`).
        basis_gates: names of the standard gates that the modules can carry out; by default `BASIS_GATES`.
        seed_transpiler: seed of Qiskit's stages, and of distq's unless the options have a `seed`.
        options: keyword arguments of `distq.compile`.

    Raises:
        UsageError: an option, a gate or the level is not known.
    """
    if optimization_level not in range(4):
        raise UsageError(f"optimization_level is {optimization_level!r}: give 0, 1, 2 or 3")
    target = DistqTarget(network, basis_gates=basis_gates, **options)
    manager = generate_preset_pass_manager(
        optimization_level=optimization_level, target=target, seed_transpiler=seed_transpiler
    )
    config = PassManagerConfig(target=target, seed_transpiler=seed_transpiler)
    manager.init = DistqInitPlugin().pass_manager(config, optimization_level)
    if optimization_level >= 2:
        manager.post_optimization = PassManager([RemovePairGuards()])
    return manager


class _Layouts:
    """The layout of a distributed circuit in the terms of Qiskit's property set.

    Qubit i of the source starts on `outputs[start[i]]` and ends on `outputs[end[i]]`.
    """

    @classmethod
    def of(cls, source: QuantumCircuit, exported: QuantumCircuit) -> _Layouts | None:
        """Those of a program that was exported to Qiskit; None if it has no layout."""
        if exported.layout is None:
            return None
        start = exported.layout.initial_index_layout(filter_ancillas=True)
        return cls(source, exported.qubits, start, exported.layout.final_index_layout(filter_ancillas=True))

    def __init__(
        self, source: QuantumCircuit, outputs: Sequence[Qubit], start: Sequence[int], end: Sequence[int]
    ) -> None:
        width = len(outputs)
        idle = sorted(set(range(width)) - set(start))
        ancillas = QuantumRegister(len(idle), "distq_ancilla") if idle else ()
        places = [*zip(source.qubits, start), *zip(ancillas, idle)]
        self.indices = {qubit: i for i, (qubit, _) in enumerate(places)}
        self.layout = Layout(dict(places))
        for register in (*source.qregs, *([ancillas] if idle else [])):
            self.layout.add_register(register)
        self.final_layout: Layout | None = None
        if list(start) != list(end):
            # Idle qubits take the places that are left, their own if they can: nobody asks where they end.
            ends = dict(zip(start, end))
            left = set(range(width)) - set(end)
            ends |= {i: i for i in idle if i in left}
            left -= set(ends.values())
            ends |= dict(zip((i for i in range(width) if i not in ends), sorted(left)))
            self.final_layout = Layout({outputs[i]: place for i, place in ends.items()})


def _unroll_wide_gates(circuit: QuantumCircuit, keep: Set[str]) -> QuantumCircuit:
    """Expand gates on three or more qubits by their definitions, which need no other qubits.

    Left to Qiskit's synthesis they would borrow idle qubits, and those may lie in another module.
    """
    while wide := {i.name for i in circuit.data if len(i.qubits) > 2 and i.name not in keep}:
        circuit = circuit.decompose(sorted(wide))
    return circuit


def _mark_pairs(circuit: QuantumCircuit, *, guard: bool, pair_gate: bool) -> QuantumCircuit:
    """Put Bell pairs between barriers, and turn them (with the H before them) into gates of their own."""
    rows: list[CircuitInstruction | None] = []
    last: dict[Qubit, int] = {}
    gate, barrier = EPRGate(), Barrier(2, label=GUARD)
    for item in circuit.data:
        if item.label == EPR and item.name == "cx":
            if pair_gate:
                first = item.qubits[0]
                before = rows[last[first]] if first in last else None
                if before is not None and before.name == "h":
                    rows[last[first]] = None
                else:
                    rows.append(CircuitInstruction(HGate(), (first,)))
                item = CircuitInstruction(gate, item.qubits)
            around = CircuitInstruction(barrier, item.qubits)
            rows.extend((around, item, around) if guard else (item,))
        else:
            rows.append(item)
        if pair_gate:
            last.update(dict.fromkeys(item.qubits, len(rows) - 1))
    result = circuit.copy_empty_like()
    for row in rows:
        if row is not None:
            result.append(row)
    return result


def _summary(program: CompiledProgram, exported: QuantumCircuit) -> dict[str, Any]:
    """What `--json` prints, without the times, so that equal seeds give equal circuits."""
    summary = {**(exported.metadata or {}).get("distq", {}), **program.to_dict()}
    summary.pop("seconds", None)
    if isinstance(summary.get("verified"), dict):
        summary["verified"] = {key: value for key, value in summary["verified"].items() if key != "seconds"}
    return summary


def _network(network: Network | str | os.PathLike[str]) -> Network:
    from distq.network.presets import resolve

    return resolve(network=network)


def _compile_options(options: dict[str, Any]) -> dict[str, Any]:
    import distq

    known = [p for p in inspect.signature(distq.compile).parameters if p not in ("circuit", "network")]
    for name in options:
        if name not in known:
            raise UsageError(f"{name!r} is no option of distq.compile: the options are {', '.join(known)}")
    return options
