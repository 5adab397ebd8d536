"""Networks of standard shapes. Users reach these functions as `Network.all_to_all`, `Network.grid`, ..."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distq.errors import NetworkError
from distq.network.model import UNLIMITED_WORD, Comm, Data, Link, Module, Network

if TYPE_CHECKING:
    import networkx
    import rustworkx

#: Named shapes have at most this many modules: tables over pairs of modules would not fit in memory.
MAX_MODULES = 1024
#: Pairs of module indices.
Edges = Iterable[tuple[int, int]]


def all_to_all_edges(k: int) -> Iterator[tuple[int, int]]:
    """Every pair of k modules."""
    return ((i, j) for i in range(k) for j in range(i + 1, k))


def line_edges(k: int) -> Iterator[tuple[int, int]]:
    """Each of k modules with the next."""
    return ((i, i + 1) for i in range(k - 1))


def ring_edges(k: int) -> Iterator[tuple[int, int]]:
    """Each of k modules with the next, the last with the first (two modules share one link)."""
    yield from line_edges(k)
    if k > 2:
        yield 0, k - 1


def star_edges(k: int) -> Iterator[tuple[int, int]]:
    """The first of k modules with each other."""
    return ((0, i) for i in range(1, k))


def tree_edges(k: int, branching: int) -> Iterator[tuple[int, int]]:
    """Each of k modules but the first with its parent, level by level."""
    return (((i - 1) // branching, i) for i in range(1, k))


def tree_size(branching: int, depth: int) -> int:
    """Modules of a complete tree with `depth` levels below the root (some number above the limit if more)."""
    size, level = 1, 1
    for _ in range(depth):
        level *= branching
        size += level
        if size > MAX_MODULES:
            break
    return size


def grid_edges(rows: int, cols: int) -> Iterator[tuple[int, int]]:
    """Neighbours in a grid that is numbered row by row."""
    for i in range(rows * cols):
        if (i + 1) % cols:
            yield i, i + 1
        if i + cols < rows * cols:
            yield i, i + cols


def squarest(k: int) -> tuple[int, int]:
    """Rows and columns (rows <= columns) of the most square grid of k modules; 1 x k if k is prime."""
    rows = next(r for r in range(math.isqrt(k), 0, -1) if k % r == 0)
    return rows, k // rows


def _grid(k: int) -> Iterator[tuple[int, int]]:
    return grid_edges(*squarest(k))


def _binary_tree(k: int) -> Iterator[tuple[int, int]]:
    return tree_edges(k, 2)


#: Shapes that a number of modules determines: the grid is the most square one, the tree is binary.
TOPOLOGIES: dict[str, Callable[[int], Iterator[tuple[int, int]]]] = {
    "all-to-all": all_to_all_edges,
    "line": line_edges,
    "ring": ring_edges,
    "grid": _grid,
    "star": star_edges,
    "tree": _binary_tree,
}


def all_to_all(k: int, data: Data, comm: Comm = 2) -> Network:
    """K modules, each linked to each other."""
    return _regular(_count("k", k), all_to_all_edges, data, comm, f"all-to-all-{k}")


def line(k: int, data: Data, comm: Comm = 2) -> Network:
    """K modules, each linked to the next."""
    return _regular(_count("k", k), line_edges, data, comm, f"line-{k}")


def ring(k: int, data: Data, comm: Comm = 2) -> Network:
    """K modules, each linked to the next and the last to the first."""
    return _regular(_count("k", k), ring_edges, data, comm, f"ring-{k}")


def star(k: int, data: Data, comm: Comm = 2) -> Network:
    """K modules, the first linked to all others."""
    return _regular(_count("k", k), star_edges, data, comm, f"star-{k}")


def grid(rows: int, cols: int, data: Data, comm: Comm = 2) -> Network:
    """Rows x cols modules, row by row, each linked to its neighbours."""
    rows, cols = _count("rows", rows), _count("cols", cols)
    return _regular(rows * cols, lambda _: grid_edges(rows, cols), data, comm, f"grid-{rows}x{cols}")


def tree(branching: int, data: Data, comm: Comm = 2, *, depth: int | None = None, k: int | None = None) -> Network:
    """A tree filled level by level: complete with `depth` levels below the root, or of k modules."""
    branching = _count("branching", branching)
    if (depth is None) == (k is None):
        raise NetworkError("a tree needs either depth (levels below the root) or k (modules), not both")
    if depth is not None:
        size = tree_size(branching, _count("depth", depth, least=0))
    else:
        size = _count("k", k)
    return _regular(size, lambda n: tree_edges(n, branching), data, comm, f"tree-{branching}-{size}")


def by_name(topology: str, k: int, data: Data, comm: Comm = 2) -> Network:
    """K modules in the shape with this name, one of `TOPOLOGIES`."""
    k = _count("k", k)
    if topology == "grid":
        return grid(*squarest(k), data, comm)
    if topology == "tree":
        return tree(2, data, comm, k=k)
    return _regular(k, TOPOLOGIES[topology], data, comm, f"{topology}-{k}")


def from_networkx(graph: networkx.Graph, data: Data | None = None, comm: Comm = 2, name: str = "") -> Network:
    """A network shaped like a graph of networkx: one module a node, one link for each pair of adjacent nodes.

    Directions and parallel edges are ignored. Modules are in the order of the nodes; their names are the node
    attribute `name`, or the node itself as text. Node attributes `data` and `comm` win over the arguments,
    which are for every module or one for each.
    """
    nodes = list(graph.nodes)
    index = {node: i for i, node in enumerate(nodes)}
    attributes = [{"name": str(node), **graph.nodes[node]} for node in nodes]
    edges = ((index[u], index[v]) for u, v in graph.edges())
    return _from_graph(attributes, edges, data, comm, name or graph.graph.get("name") or "")


def from_rustworkx(graph: rustworkx.PyGraph, data: Data | None = None, comm: Comm = 2, name: str = "") -> Network:
    """A network shaped like a graph of rustworkx (`PyGraph` or `PyDiGraph`).

    A node's payload may be a mapping with `name`, `data` and `comm`, a text (the name), a `Module`, or
    anything else, which gives the name m<node index>. Otherwise as `from_networkx`.
    """
    indices = list(graph.node_indices())
    position = {node: i for i, node in enumerate(indices)}
    attributes: list[Mapping[str, Any]] = []
    for node in indices:
        payload = graph[node]
        if isinstance(payload, Module):
            payload = {key: getattr(payload, key) for key in ("name", "data", "comm", "hardware")}
        elif isinstance(payload, str):
            payload = {"name": payload}
        elif not isinstance(payload, Mapping):
            payload = {}
        attributes.append({"name": f"m{node}", **payload})
    edges = ((position[u], position[v]) for u, v in graph.edge_list())
    return _from_graph(attributes, edges, data, comm, name)


def attach(modules: Sequence[Module], edges: Edges, name: str = "", description: str = "", source: str = "") -> Network:
    """These modules joined by links between the given pairs of positions."""
    links = tuple(Link(modules[i].name, modules[j].name) for i, j in edges)
    return Network(tuple(modules), links, name, description, source)


def modules_like(k: int, data: Data, comm: Comm) -> list[Module]:
    """K modules m0, m1, ... with these capacities: one for all, or one for each."""
    sizes, ports = _per_module(k, "data", data), _per_module(k, "comm", comm)
    return [Module(f"m{i}", sizes[i], to_comm(ports[i])) for i in range(k)]


def to_comm(value: Any) -> Any:
    """None for communication qubits given as "unlimited"; else the value, for Module to judge."""
    return None if isinstance(value, str) and value == UNLIMITED_WORD else value


def _regular(k: int, edges: Callable[[int], Edges], data: Data, comm: Comm, name: str) -> Network:
    if k > MAX_MODULES:
        raise NetworkError(f"{name} has more than {MAX_MODULES} modules: make it smaller, or list modules and links")
    return attach(modules_like(k, data, comm), edges(k), name)


def _per_module(k: int, key: str, value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, (Sequence, Iterable)):
        return [value] * k
    values = list(value)
    if len(values) != k:
        raise NetworkError(f"{key} lists {len(values)} numbers for {k} modules: give one number, or one for each")
    return values


def _count(key: str, value: Any, least: int = 1) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise NetworkError(f"{key} is {value!r}, but must be an integer of at least {least}")
    return number


def _from_graph(
    attributes: Sequence[Mapping[str, Any]], edges: Edges, data: Data | None, comm: Comm, name: str
) -> Network:
    k = len(attributes)
    sizes, ports = _per_module(k, "data", data), _per_module(k, "comm", comm)
    modules = []
    for i, node in enumerate(attributes):
        size = node.get("data", sizes[i])
        if size is None:
            raise NetworkError(f"node {node['name']!r} has no attribute 'data': set it, or give the argument data")
        modules.append(Module(node["name"], size, to_comm(node.get("comm", ports[i])), node.get("hardware")))
    # A set would lose the order of the graph, and with it the numbers of the links.
    unique: dict[tuple[int, int], tuple[int, int]] = {}
    for a, b in edges:
        unique.setdefault((min(a, b), max(a, b)), (a, b))
    return attach(modules, unique.values(), name)
