"""The registry of partitioners: what a partitioner is given, and how a user adds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distq.errors import UsageError
from distq.network.model import Network
from distq.partition.fold import fold
from distq.partition.halt import Halt
from distq.partition.hypergraph import Hypergraph, last_packet, static_hypergraph
from distq.partition.options import SearchOptions, search_options
from distq.partition.packets import PacketGraph
from distq.partition.plan import Placement
from distq.partition.steiner import SpanCost, span_cost

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class PartitionProblem:
    """What a partitioner has to solve.

    Attributes:
        graph: packets of the circuit.
        network: where it runs.
        capacities: (k,) qubits that may be at home in each module; 0 for modules that may not be used.
        seed: same seed, same answer.
        effort: "fast", "default" or "best": how many moves to spend, never how many seconds.
        fixed: (n,) module in which each qubit must start, -1 where it is free.
        final: (n,) module in which each qubit (wire) must end, -1 where it is free.
        end_qubit: (n,) the wire at whose home each wire must end; itself where it is not `tied`, or tied to its own.
        tied: (n,) which wires must end where the wire `end_qubit` began.
        allowed: (k,) modules that may hold qubits and carry out gates.
        pinned: (n,) which qubits (wires) may not leave the module in which they start.
        halt: says when a search has to end early.
    """

    graph: PacketGraph
    network: Network
    capacities: NDArray[np.int64]
    seed: int
    effort: str
    fixed: Int32
    final: Int32
    end_qubit: Int32
    tied: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    pinned: NDArray[np.bool_]
    halt: Halt = field(default_factory=Halt)

    @property
    def num_qubits(self) -> int:
        """Number of qubits, n."""
        return self.graph.num_qubits

    @property
    def num_modules(self) -> int:
        """Number of modules, k, of which not all may be allowed."""
        return len(self.capacities)

    @cached_property
    def options(self) -> SearchOptions:
        """Techniques of the search and their budgets."""
        return search_options(self.effort)

    @property
    def leaves(self) -> NDArray[np.bool_]:
        """(n,) which wires have to end in a given module that is not known to be the one where they start."""
        return (self.final >= 0) & (self.final != self.fixed)

    @cached_property
    def hypergraph(self) -> Hypergraph:
        """Qubits and merged nodes: the static form. One net for each packet, repeated parts counted once (`fold`)."""
        graph = self.graph
        busy = np.diff(graph.packet_offsets) > 0
        ending = np.flatnonzero(self.leaves & busy)
        whole = static_hypergraph(graph, self.end_qubit, last_packet(graph)[ending])
        elsewhere = np.flatnonzero((self.leaves | (self.end_qubit != np.arange(graph.num_qubits))) & busy)
        single = np.isin(whole.net_packet, last_packet(graph)[elsewhere])
        return fold(whole, graph.packet_qubit, single) if self.options.fold else whole

    @cached_property
    def net_final(self) -> Int32:
        """(E,) module in which each net of `hypergraph` must end, -1 where it is free."""
        packet = self.hypergraph.packets
        qubit = self.graph.packet_qubit[packet]
        ends = (packet == last_packet(self.graph)[qubit]) & self.leaves[qubit]
        return self.hypergraph.without_home(np.where(ends, self.final[qubit], -1))

    @cached_property
    def span(self) -> SpanCost:
        """The price of being present in a set of modules."""
        return span_cost(self.network)


#: A partitioner returns the home of every qubit, or a whole placement.
Partitioner = Callable[[PartitionProblem], ArrayLike | Placement]

_P = TypeVar("_P", bound=Partitioner)

_PARTITIONERS: dict[str, Partitioner] = {}


def register_partitioner(name: str, function: Partitioner) -> None:
    """Make `function` available as `partitioner=name`.

    It gets a `PartitionProblem` and returns (n,) the module of each qubit, whose gate sites are then chosen by
    distq, or a `Placement`. Homes beyond the capacities are mended, with the fewest moves.

    Raises:
        UsageError: the name is empty or taken by another function.
    """
    if not name or name == "auto":
        raise UsageError(f"a partitioner cannot be called {name!r}: choose another name")
    if _PARTITIONERS.get(name, function) is not function:
        raise UsageError(f"a partitioner called {name!r} exists already: choose another name")
    _PARTITIONERS[name] = function


def register(name: str) -> Callable[[_P], _P]:
    """Decorator that registers a partitioner.

    >>> import numpy as np
    >>> @register("all-in-first")
    ... def all_in_first(problem):
    ...     return np.zeros(problem.num_qubits, int)
    >>> unregister("all-in-first")
    """

    def add(function: _P) -> _P:
        register_partitioner(name, function)
        return function

    return add


def unregister(name: str) -> None:
    """Forget a partitioner; unknown names are ignored."""
    _PARTITIONERS.pop(name, None)


def partitioner_names() -> list[str]:
    """Valid values of `partitioner=`, sorted; "auto" tries several and keeps the best."""
    _load_builtin()
    return sorted([*_PARTITIONERS, "auto"])


def get_partitioner(name: str) -> Partitioner:
    """The partitioner called `name`.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    _load_builtin()
    if name == "auto":
        from distq.partition.portfolio import portfolio

        return portfolio
    if name not in _PARTITIONERS:
        raise UsageError(f"no partitioner is called {name!r}; the partitioners are {', '.join(partitioner_names())}")
    return _PARTITIONERS[name]


def _load_builtin() -> None:
    """Our own partitioners register themselves when they are imported."""
    from distq.partition import methods  # noqa: F401
