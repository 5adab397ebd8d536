"""The door to the partition stage: where every qubit lives and where every gate is carried out."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit
from distq.errors import InfeasibleError, UsageError
from distq.network.feasible import usable_modules
from distq.network.model import Network
from distq.partition.capacity import check_homes, mend, read_homes
from distq.partition.halt import Halt
from distq.partition.methods import placement
from distq.partition.options import EFFORTS
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement
from distq.partition.portfolio import static_placements
from distq.partition.registry import PartitionProblem, get_partitioner
from distq.partition.sites import refine_sites

Int32 = NDArray[np.int32]

#: Homes as a user gives them: free, the same as at the start, or a module index for some qubits of the source.
Homes = None | str | Mapping[int, int]


def place(
    circuit: LogicalCircuit,
    graph: PacketGraph,
    network: Network,
    *,
    partitioner: str = "auto",
    effort: str = "default",
    seed: int = 0,
    initial_homes: Homes = None,
    final_homes: Homes = None,
    pins: Mapping[int, int] | None = None,
    allowed: Iterable[int] | None = None,
    halt: Halt | None = None,
) -> Placement:
    """Choose homes and sites with few ebits, within the data qubits of every module.

    All junctions of a qubit have one home, but for the last where the qubit has to end elsewhere.

    Args:
        circuit: normalised circuit.
        graph: its packets.
        network: where it runs.
        partitioner: a name of `partitioner_names()`.
        effort: "fast", "default" or "best": a budget of moves.
        seed: same seed, same answer.
        initial_homes: None or "free", or a module index for some qubits of the source.
        final_homes: None or "free"; "same": every qubit of the source ends in the module where it began; or a module
            index for some of them.
        pins: module indices of qubits that begin, stay and end there.
        allowed: module indices that may be used; by default those of `network.feasible.usable_modules`.
        halt: says when to end the search early.

    Raises:
        UsageError: an option has an unknown value, or a qubit or module index is out of range.
        InfeasibleError: homes that are asked for exceed the data qubits of a module or lie in one that cannot
            be used, or the circuit has no room.
    """
    problem = make_problem(
        circuit,
        graph,
        network,
        effort=effort,
        seed=seed,
        initial_homes=initial_homes,
        final_homes=final_homes,
        pins=pins,
        allowed=allowed,
        halt=halt,
    )
    return solve(problem, partitioner)[0]


def solve(problem: PartitionProblem, partitioner: str = "auto") -> list[Placement]:
    """Placements with one home for each qubit, the best first; "auto" gives several to begin a dynamic search from.

    Raises:
        UsageError: there is no such partitioner, or it returned something else than homes or a placement.
    """
    if partitioner == "auto":
        return [_checked(problem, found) for found in static_placements(problem)]
    answer = get_partitioner(partitioner)(problem)
    if isinstance(answer, Placement):
        _check_placement(problem, answer, partitioner)
        return [_checked(problem, answer)]
    homes = mend(problem, read_homes(problem, answer, partitioner))
    start = placement(problem, homes, homes[_first_owner(problem)], partitioner)
    found = refine_sites(
        problem.graph,
        problem.network,
        start,
        effort=problem.effort,
        seed=problem.seed,
        allowed=problem.allowed,
        halt=problem.halt,
    )
    return [_checked(problem, found)]


def _checked(problem: PartitionProblem, found: Placement) -> Placement:
    graph = problem.graph
    check_homes(problem, found.homes[graph.packet_offsets[:-1] + np.arange(graph.num_qubits)])
    return _settle_ends(problem, found)


def make_problem(
    circuit: LogicalCircuit,
    graph: PacketGraph,
    network: Network,
    *,
    effort: str = "default",
    seed: int = 0,
    initial_homes: Homes = None,
    final_homes: Homes = None,
    pins: Mapping[int, int] | None = None,
    allowed: Iterable[int] | None = None,
    halt: Halt | None = None,
) -> PartitionProblem:
    """What a partitioner is given for these options of `place`; raises as `place` does."""
    if effort not in EFFORTS:
        raise UsageError(f"effort is {effort!r}, but must be one of {', '.join(EFFORTS)}")
    n, k = graph.num_qubits, network.num_modules
    may = np.zeros(k, bool)
    may[usable_modules(network, n) if allowed is None else list(allowed)] = True
    capacities = np.where(may, network.data_array, 0)
    if capacities.sum() < n:
        raise InfeasibleError(
            f"the circuit needs {n} qubits, but the modules that may be used have {capacities.sum()} data qubits: "
            "allow more modules or give them more data qubits"
        )
    fixed = _read("initial_homes", initial_homes, n, network, ("free",))
    end = _read("final_homes", final_homes, n, network, ("free", "same"))
    pinned = _read("pins", pins, n, network, ())
    for name, homes in (("initial_homes", fixed), ("final_homes", end)):
        clash = np.flatnonzero((homes >= 0) & (pinned >= 0) & (homes != pinned))
        if len(clash):
            raise UsageError(f"qubit {clash[0]} is pinned to one module, but {name} puts it in another: drop one")
    fixed = np.where(pinned >= 0, pinned, fixed).astype(np.int32)
    end = np.where(pinned >= 0, pinned, end).astype(np.int32)
    for name, homes in (("start", fixed), ("end", end)):
        _check_room(name, homes, network, may)
    final = np.full(n, -1, np.int32)
    if circuit.input_wire is not None:  # wires carry several qubits in turn, none of which has a wanted home
        nothing = np.zeros(n, np.bool_)
        end_qubit = np.arange(n, dtype=np.int32)
        return PartitionProblem(
            graph, network, capacities, seed, effort, fixed, final, end_qubit, nothing, may, nothing, halt or Halt()
        )
    wire = circuit.output_wire
    final[wire] = end
    end_qubit = np.arange(n, dtype=np.int32)
    if final_homes == "same":
        end_qubit[wire] = np.arange(n, dtype=np.int32)
        # A wire that must end at a home which is given anyway ends in that module.
        final = np.where(final >= 0, final, fixed[end_qubit]).astype(np.int32)
    tied = (final < 0) & (final_homes == "same")
    end_qubit[~tied] = np.flatnonzero(~tied)
    pinned_wires = pinned >= 0
    ends = (fixed, final, end_qubit, tied)
    return PartitionProblem(graph, network, capacities, seed, effort, *ends, may, pinned_wires, halt or Halt())


def _read(option: str, value: Homes, n: int, network: Network, words: tuple[str, ...]) -> Int32:
    """(n,) module of each qubit of the source, -1 where it is free."""
    homes = np.full(n, -1, np.int32)
    if value is None or (isinstance(value, str) and value in words):
        return homes
    valid = "".join(f"{w!r}, " for w in words) + "None or a mapping from qubits to modules (by index)"
    if not isinstance(value, Mapping):
        raise UsageError(f"{option} is {value!r}, but must be {valid}")
    for key, module in value.items():
        try:
            q, m = operator.index(key), operator.index(module)
        except TypeError:
            raise UsageError(f"{option} maps {key!r} to {module!r}, but must be {valid}") from None
        if not 0 <= q < n:
            raise UsageError(f"{option} names qubit {q}, but the circuit has qubits 0 to {n - 1}")
        if not 0 <= m < network.num_modules:
            raise UsageError(
                f"{option} puts qubit {q} in module {m}, but the network has modules 0 to {network.num_modules - 1}"
            )
        homes[q] = m
    return homes


def _check_room(when: str, homes: Int32, network: Network, may: NDArray[np.bool_]) -> None:
    asked = np.bincount(homes[homes >= 0], minlength=network.num_modules)
    for m in np.flatnonzero(asked).tolist():
        module = network.modules[m]
        if not may[m]:
            raise InfeasibleError(
                f"a qubit shall {when} in module {module.name!r}, which the program cannot use (no usable link joins "
                "it to the others): choose another module or add a link"
            )
        if asked[m] > module.data:
            raise InfeasibleError(
                f"{asked[m]} qubits shall {when} in module {module.name!r}, which has {module.data} data qubits: "
                "choose other modules for some of them"
            )


def _first_owner(problem: PartitionProblem) -> Int32:
    """(G,) qubit of the first leg of each merged node."""
    nodes = problem.hypergraph.nodes
    return problem.graph.packet_qubit[nodes.packets[nodes.offsets[:-1]]]


def _check_placement(problem: PartitionProblem, found: Placement, name: str) -> None:
    graph = problem.graph
    for what, array, size in (("homes", found.homes, graph.num_junctions), ("sites", found.sites, graph.num_nodes)):
        if np.shape(array) != (size,) or (size and not (np.min(array) >= 0 and np.max(array) < problem.num_modules)):
            raise UsageError(
                f"partitioner {name!r} returned {what} that are not ({size},) module indices below "
                f"{problem.num_modules}"
            )


def _settle_ends(problem: PartitionProblem, found: Placement) -> Placement:
    """Where qubits with and without a wanted end would overfill a module, move some of the latter at the end."""
    from dataclasses import replace

    graph = problem.graph
    last = graph.packet_offsets[1:] + np.arange(graph.num_qubits)
    end = found.homes[last].copy() if found.final_homes is None else found.final_homes.copy()
    load = np.bincount(end, minlength=problem.num_modules)
    if (load <= problem.capacities).all():
        return found
    free = (problem.final < 0) & ~problem.tied
    moves = np.diff(graph.packet_offsets) > 0
    homes = found.homes.copy()
    for m in np.flatnonzero(load > problem.capacities).tolist():
        for q in np.flatnonzero((end == m) & free)[: load[m] - problem.capacities[m]].tolist():
            room = np.flatnonzero(load < problem.capacities)
            near = room[np.argmin(problem.span.distances[m, room])]
            end[q] = near
            load[m] -= 1
            load[near] += 1
            if moves[q]:
                homes[last[q]] = near
    return replace(found, homes=homes, final_homes=end)
