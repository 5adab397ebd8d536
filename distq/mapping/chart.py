"""The coupling maps of a network's modules as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distq.network.model import Network

Int32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Chart:
    """Places on the processors of all modules with a coupling map, numbered one module after the other.

    In a module the places of its data qubits come first, in the order d[0], d[1], ..., then those of its communication
    qubits.

    Attributes:
        network: whose modules these are.
        base: (k+1,) first place of each module; modules without a coupling map have none.
        data: (k,) how many of a module's places are data qubits; 0 without a coupling map.
        edges: (E, 2) undirected edges between places, each once.
    """

    network: Network
    base: Int32
    data: Int32
    edges: Int32

    @property
    def num_places(self) -> int:
        """Places of all modules."""
        return int(self.base[-1])

    @property
    def mapped(self) -> NDArray[np.bool_]:
        """(k,) whether a module has a coupling map."""
        return np.diff(self.base) > 0

    @cached_property
    def module(self) -> Int32:
        """(P,) module of each place."""
        return np.repeat(np.arange(len(self.data)), np.diff(self.base)).astype(np.int32)

    @cached_property
    def is_comm(self) -> NDArray[np.bool_]:
        """(P,) whether a place is a communication qubit."""
        return np.arange(self.num_places) - self.base[self.module] >= self.data[self.module]

    @cached_property
    def neighbours(self) -> tuple[Int32, Int32]:
        """(offsets, places): the neighbours of every place, in order."""
        both = np.concatenate([self.edges, self.edges[:, ::-1]])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        offsets = np.searchsorted(both[:, 0], np.arange(self.num_places + 1))
        return offsets.astype(np.int32), np.ascontiguousarray(both[:, 1], np.int32)

    @cached_property
    def distance(self) -> NDArray[np.int16]:
        """(P, largest module) edges between a place and the i-th place of its own module."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import shortest_path

        width = int(np.diff(self.base).max(initial=0))
        result = np.zeros((self.num_places, width), np.int16)
        for m in np.flatnonzero(self.mapped).tolist():
            first, last = int(self.base[m]), int(self.base[m + 1])
            own = self.edges[self.module[self.edges[:, 0]] == m] - first
            graph = csr_matrix((np.ones(len(own)), (own[:, 0], own[:, 1])), shape=(last - first,) * 2)
            result[first:last, : last - first] = shortest_path(graph, directed=False, unweighted=True)
        return result


def chart(network: Network) -> Chart:
    """The chart of a network; it has no places if no module has a coupling map."""
    sizes, data, edges = [], [], []
    for module in network.modules:
        hardware = module.hardware
        if hardware is None or hardware.coupling is None:
            sizes.append(0)
            data.append(0)
            continue
        places, ports = hardware.places(module.data, module.comm)
        first = sum(sizes)
        number = {p: first + i for i, p in enumerate((*places, *ports))}
        found = {
            (min(number[a], number[b]), max(number[a], number[b]))
            for a, b in hardware.coupling
            if a in number and b in number
        }
        edges += sorted(found)
        sizes.append(len(number))
        data.append(module.data)
    base = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return Chart(network, base, np.array(data, np.int32), np.array(edges, np.int32).reshape(-1, 2))


def is_mapped(network: Network) -> bool:
    """Whether any module has a coupling map."""
    return any(m.hardware is not None and m.hardware.coupling is not None for m in network.modules)


__all__ = ["Chart", "chart", "is_mapped"]
