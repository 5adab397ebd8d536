"""The static search: flat arrays for the kernels, and the annealer around them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.partition.halt import Halt
from distq.partition.hypergraph import Hypergraph, last_packet
from distq.partition.registry import PartitionProblem
from distq.partition.steiner import SpanCost

Int32 = NDArray[np.int32]


class SiteSearch:
    """State of the search for sites of merged nodes under given homes before and after every net.

    Energies are in ebits, plus `kernels.LACK` for each communication qubit that a gate lacks at its site.
    Not thread-safe.
    """

    def __init__(
        self,
        hypergraph: Hypergraph,
        span: SpanCost,
        comm: NDArray[np.int64],
        allowed: NDArray[np.bool_],
        more: dict[str, NDArray[Any]] | None = None,
        num_qubits: int = 0,
        halt: Halt | None = None,
    ) -> None:
        self.halt = halt or Halt()
        modules = np.flatnonzero(allowed).astype(np.int32)
        structure, scalars = gate_structure(hypergraph, span, comm, modules)
        structure |= more or {}
        scalars |= {"num_qubits": num_qubits, "num_movable": len(structure.get("movable", ()))}
        self.s, self.v, self.at = pack(structure, {"home": num_qubits, "load": span.num_modules}, scalars)
        self.energy = 0
        self._journal = np.zeros((4 * hypergraph.nodes.count + 16, 2), np.int32)
        self._best = np.zeros(self.at.presence, np.int32)

    def set_homes(self, before: NDArray[Any], after: NDArray[Any], sites: NDArray[Any] | None = None) -> int:
        """Start from (E,) homes of nets and sites (none: at the home of the first leg); returns the energy.

        The homes of parity nets are -1. The first net of every merged node is that of a packet.
        """
        from distq.partition.kernels import rebuild

        v, at = self.v, self.at
        net_home = v[at.net_home : at.net_home + 2 * at.num_nets].reshape(-1, 2)
        net_home[:, 0] = before
        net_home[:, 1] = after
        first = self.s[at.node_offsets : at.node_offsets + at.num_nodes]
        v[at.site : at.site + at.num_nodes] = before[self.s[at.node_nets + first]] if sites is None else sites
        self.energy = int(rebuild(self.s, v, at))
        return self.energy

    @property
    def net_home(self) -> Int32:
        """(E, 2) homes before and after each net."""
        return self.v[self.at.net_home : self.at.net_home + 2 * self.at.num_nets].reshape(-1, 2).copy()

    @property
    def sites(self) -> Int32:
        """(G,) current sites of merged nodes."""
        return self.v[self.at.site : self.at.site + self.at.num_nodes].copy()

    def descend(self, rounds: int = 20) -> int:
        """Improve sites greedily; returns the energy."""
        from distq.partition.kernels import descend_sites

        self.energy += int(descend_sites(self.s, self.v, self.at, random_state(0), self._journal, rounds))
        return self.energy

    def anneal_sites(self, budget: int, seed: int, hot: float = 1.0, cold: float = 0.15) -> int:
        """Anneal sites only, and keep the best found; returns its energy. For the arguments see `anneal`."""
        from distq.partition.kernels import anneal_sites

        if self.at.num_nodes == 0:
            return self.energy
        return self._anneal(anneal_sites, budget, seed, hot, cold)

    def _anneal(self, kernel: Any, budget: int, seed: int, hot: float, cold: float, *more: float) -> int:
        from distq.partition.kernels import rebuild

        if self.at.num_nets == 0 or self.at.num_nodes + self.at.num_movable == 0:
            return self.energy
        slices(kernel, self, budget, seed, hot, cold, *more)
        self.v[: self.at.presence] = self._best
        self.energy = int(rebuild(self.s, self.v, self.at))
        return self.energy


class StaticSearch(SiteSearch):
    """State of the search for homes and sites with one home per qubit."""

    def __init__(self, problem: PartitionProblem) -> None:
        self.problem = problem
        hypergraph, graph = problem.hypergraph, problem.graph
        self._owner = graph.packet_qubit[hypergraph.packets]
        last = hypergraph.packets == last_packet(graph)[self._owner]
        # The qubit at whose home each net ends; its own qubit but for the last nets of wires that end elsewhere.
        self._end = np.where(last, problem.end_qubit[self._owner], self._owner)
        more = {
            "capacity": np.where(problem.allowed, problem.capacities, 0),
            "movable": np.flatnonzero(problem.fixed < 0),
        }
        super().__init__(
            hypergraph,
            problem.span,
            problem.network.comm_array,
            problem.allowed,
            more | self._pins(),
            problem.num_qubits,
            problem.halt,
        )

    def _pins(self) -> dict[str, NDArray[Any]]:
        """Which homes of nets follow each qubit: 0 the one before the net, 1 the one after it, 2 both."""
        problem = self.problem
        first = problem.hypergraph.vertex_offsets[: problem.num_qubits + 1]
        net = problem.hypergraph.nets[: first[-1]]
        qubit = np.repeat(np.arange(problem.num_qubits), np.diff(first))
        bound = (problem.net_final[: len(self._owner)] >= 0) | (self._end != self._owner)
        slot = np.where(self._owner[net] != qubit, 1, np.where(bound[net], 0, 2))
        return {"pin_offsets": first, "pin_net": net, "pin_slot": slot}

    def load(self, homes: NDArray[np.integer], sites: NDArray[np.integer] | None = None) -> int:
        """Start from (n,) homes and sites of merged nodes (none: at the home of the first leg); the energy."""
        v, at = self.v, self.at
        v[at.home : at.home + at.num_qubits] = homes
        v[at.load : at.load + at.k] = np.bincount(homes, minlength=at.k)
        final = self.problem.net_final[: len(self._owner)]
        full = self.problem.hypergraph.without_home
        return self.set_homes(full(homes[self._owner]), full(np.where(final >= 0, final, homes[self._end])), sites)

    @property
    def homes(self) -> Int32:
        """(n,) current homes."""
        return self.v[self.at.home : self.at.home + self.at.num_qubits].copy()

    def anneal(self, budget: int, seed: int, hot: float = 1.0, cold: float = 0.15) -> int:
        """Anneal homes and sites from the current state and keep the best found; returns its energy.

        Args:
            budget: nodes tried.
            seed: of the random numbers.
            hot: first temperature [ebits].
            cold: last temperature [ebits].
        """
        from distq.partition.static_kernel import anneal_static

        return self._anneal(anneal_static, budget, seed, hot, cold, self.stretch)

    @cached_property
    def stretch(self) -> float:
        """Pairs of packets that two qubits share on average: the scale of what a qubit's move changes."""
        from distq.partition.capacity import interactions

        _, _, weight = interactions(self.problem)
        return float(weight.mean()) if len(weight) else 1.0


#: Moves between two looks at the clock: a few tenths of a second.
SLICE = 1_000_000


def slices(kernel: Any, search: Any, budget: int, seed: int, hot: float, cold: float, *more: Any) -> None:
    """Run a kernel that anneals, in slices, until its budget is spent or the search is told to halt."""
    search._best[:] = search.v[: search.at.presence]
    tally = np.array([search.energy, search.energy, 0], np.int64)
    rng = random_state(seed)
    while tally[2] < budget and not search.halt.asked():
        until = min(budget, int(tally[2]) + SLICE)
        kernel(
            search.s, search.v, search.at, rng, tally, until, budget, hot, cold, search._journal, search._best, *more
        )


def gate_structure(
    hypergraph: Hypergraph, span: SpanCost, comm: NDArray[np.int64], allowed: Int32
) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """The part of the flat arrays that describes nets and merged nodes, and its scalars."""
    homes, nodes = hypergraph.num_homes, hypergraph.nodes
    is_node = hypergraph.pins >= homes
    net = np.repeat(np.arange(hypergraph.num_nets), np.diff(hypergraph.net_offsets))
    width = np.bincount(net[is_node], minlength=hypergraph.num_nets)
    first = hypergraph.vertex_offsets[homes:]
    arity = np.diff(nodes.offsets)
    usable = comm[allowed]
    tight = len(allowed) > 1 and nodes.count > 0 and int(usable.min()) < int(arity.max())
    structure: dict[str, NDArray[Any]] = {
        "table": span.table,
        "distances": span.distances.ravel(),
        "weight": hypergraph.net_weight,
        "node_offsets": first - first[0],
        "node_nets": hypergraph.nets[first[0] :],
        "net_offsets": np.concatenate([[0], np.cumsum(width)]),
        "net_nodes": hypergraph.pins[is_node] - homes,
        "comm": comm,
        "modules": allowed,
    }
    scalars = {
        "mode": span.mode,
        "tight": int(tight),
        "k": span.num_modules,
        "num_nets": hypergraph.num_nets,
        "num_nodes": nodes.count,
        "num_modules": len(allowed),
    }
    return structure, scalars


def pack(
    structure: dict[str, NDArray[Any]],
    solution: dict[str, int],
    scalars: dict[str, int],
    rest: dict[str, int] | None = None,
) -> Any:
    """(s, v, Layout): the structure in one int32 array, and room for the variables in another.

    Args:
        structure: arrays that do not change.
        solution: sizes of variables beside homes of nets and sites that belong to the solution.
        scalars: of the layout.
        rest: sizes of variables that follow from the solution.
    """
    from distq.partition.kernels import Layout

    offsets: dict[str, int] = {}
    end = 0
    for name, array in structure.items():
        offsets[name] = end
        end += len(array)
    s = np.concatenate([np.asarray(a, np.int32) for a in structure.values()])
    edges, k = scalars["num_nets"], scalars["k"]
    sizes = solution | {"net_home": 2 * edges, "site": scalars["num_nodes"]}
    sizes |= {"presence": edges * k, "mask": edges, "scratch": k} | (rest or {})
    end = 0
    for name, size in sizes.items():
        offsets[name] = end
        end += size
    return s, np.zeros(end, np.int32), Layout(**offsets, **scalars)


def random_state(seed: int) -> NDArray[np.uint64]:
    """State of the kernels' generator: any integer seed gives a well-mixed, non-zero one."""
    return np.random.SeedSequence(seed % 2**64).generate_state(1, np.uint64) | np.uint64(1)
