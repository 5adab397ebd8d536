"""Collecting a parity: the tree along which the parities of some modules come together in one of them.

Each module adds its own legs to what it holds already and passes the sum on to its parent at one ebit, so the tree
costs an ebit for each link. A module that passes a parity on needs one communication qubit for its half of the pair,
and one more if it holds what its children sent; what it holds is disentangled as soon as it has been passed on.
Several parities may wait in a module, or each is added to the next where communication qubits are few, so that
two are enough for any number of children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ParityTree:
    """How parities reach their root.

    Attributes:
        root: the module where the gate is carried out.
        edges: (module, parent), every module after those that send to it.
    """

    root: int
    edges: tuple[tuple[int, int], ...]


def parity_tree(
    modules: Sequence[int],
    room: Sequence[int],
    distance: Sequence[Sequence[int]],
    hop: Sequence[Sequence[int]],
    favourite: int = -1,
) -> ParityTree | None:
    """A tree with few links that joins `modules` within the communication qubits.

    Each root is tried, and the tree grown by the module nearest to it (the shortest-path heuristic), which costs at
    most twice the Steiner tree and the optimum on complete networks.

    Args:
        modules: where the legs are, at least two.
        room: (k,) communication qubits of each module that may be used for this.
        distance: (k, k) links between modules by way of modules that can relay, -1 where there is no such way.
        hop: (k, k) the next module on that way.
        favourite: the root among equals.

    Returns:
        None if there is no such tree.

    References:
        H. Takahashi, A. Matsuyama, An approximate solution for the Steiner problem in graphs, Math. Japonica 24, 573
        (1980).
    """
    best: ParityTree | None = None
    least: tuple[int, int, bool, int] | None = None
    inside = set(modules)
    for roots in (sorted(inside), [m for m in range(len(room)) if m not in inside]):
        for root in roots:
            parent = _grow(root, inside, room, distance, hop)
            if parent is None:
                continue
            children = sum(p == root for p in parent.values())
            key = (len(parent), max(0, children - room[root]), root != favourite, root)
            if least is None or key < least:
                best, least = ParityTree(root, _edges(root, parent)), key
        if best is not None:
            break
    return best


def _grow(
    root: int,
    modules: set[int],
    room: Sequence[int],
    distance: Sequence[Sequence[int]],
    hop: Sequence[Sequence[int]],
) -> dict[int, int] | None:
    """The parent of every module of a tree but the root; None if communication qubits are too few."""
    parent: dict[int, int] = {}
    tree = [root]
    left = modules - {root}
    while left:
        found = None
        for v in tree:
            if room[v] < 2 and (v != root or parent):
                continue
            for m in left:
                d = distance[m][v]
                if d >= 0 and (found is None or (d, v != root, m, v) < found):
                    found = (d, v != root, m, v)
        if found is None:
            return None
        _, _, m, v = found
        while m not in parent and m not in (root, v):
            parent[m] = hop[m][v]
            tree.append(m)
            left.discard(m)
            m = parent[m]
    need = dict.fromkeys(parent, 1)
    children: dict[int, int] = {}
    for p in parent.values():
        children[p] = children.get(p, 0) + 1
    for p, count in children.items():
        need[p] = 2 if p != root else min(2, count)
    return parent if all(room[m] >= least for m, least in need.items()) else None


def _edges(root: int, parent: dict[int, int]) -> tuple[tuple[int, int], ...]:
    """Edges with the farthest modules first."""
    depth = {root: 0}

    def deep(m: int) -> int:
        if m not in depth:
            depth[m] = deep(parent[m]) + 1
        return depth[m]

    return tuple((m, parent[m]) for m in sorted(parent, key=lambda m: (-deep(m), m)))
