"""Where a module's qubits begin: layouts of Qiskit's SABRE, and random ones, as starts of the search."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distq.mapping.chart import Chart
from distq.mapping.nodes import PAIR, TOUCH, Nodes

Int32 = NDArray[np.int32]

#: At most so many interactions of a module are shown to Qiskit's layout pass.
_SHOWN = 4000


def first_layouts(nodes: Nodes, places: Chart, number: int, seed: int) -> Iterator[Int32]:
    """Places of the tokens that are there from the start, on data places; others have -1.

    The first half of the layouts is that of `SabreLayout` with different seeds, the others are random.
    """
    rng = np.random.default_rng(seed)
    for trial in range(number):
        layout = np.full(nodes.num_tokens, -1, np.int32)
        for m in np.flatnonzero(places.mapped).tolist():
            tokens = [token for token, module, _ in nodes.start if module == m]
            found = None
            if trial < (number + 1) // 2:
                found = _sabre(nodes, places, m, tokens, seed + trial)
            if found is None:
                found = places.base[m] + rng.permutation(int(places.data[m]))[: len(tokens)]
            layout[tokens] = found
        yield layout


def _sabre(nodes: Nodes, places: Chart, module: int, tokens: list[int], seed: int) -> Int32 | None:
    """Data places for a module's tokens by Qiskit's SabreLayout; None where there is nothing to go by.

    Qiskit sees the module's operations on two qubits, with a copy on the communication qubit where it appears. It does
    not know that communication qubits stay where they are: what it puts there goes to the nearest free data place.
    """
    gates = _interactions(nodes, module, tokens)
    if not gates or len(tokens) < 2:
        return None
    from qiskit import QuantumCircuit
    from qiskit.transpiler import CouplingMap, PassManager
    from qiskit.transpiler.passes import SabreLayout

    first, last = int(places.base[module]), int(places.base[module + 1])
    size, data = last - first, int(places.data[module])
    circuit = QuantumCircuit(size)
    number = {t: i for i, t in enumerate(tokens)}
    for a, b in gates:
        # Copies and Bell halves all stand for the communication qubits, in turn.
        pair = [number.get(t, data + (t if t >= 0 else -1) % max(size - data, 1)) for t in (a, b)]
        if pair[0] != pair[1]:
            circuit.cz(*pair)
    own = places.edges[places.module[places.edges[:, 0]] == module] - first
    coupling = CouplingMap([*own.tolist(), *own[:, ::-1].tolist()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        passes = PassManager([SabreLayout(coupling, seed=seed, swap_trials=4, layout_trials=4, max_iterations=2)])
        passes.run(circuit)
    layout = passes.property_set["layout"]
    if layout is None:
        return None
    chosen = [int(layout[q]) for q in circuit.qubits[: len(tokens)]]
    return first + np.array(_on_data(chosen, places.distance[first:last], data), np.int32)


def _interactions(nodes: Nodes, module: int, tokens: list[int]) -> list[tuple[int, int]]:
    """Pairs of tokens (-1: a Bell half) that come together in a module, in order."""
    here = np.flatnonzero((nodes.m1 == module) & ((nodes.kind == TOUCH) | (nodes.kind == PAIR)))[:_SHOWN]
    found = []
    for n in here.tolist():
        other = int(nodes.t2[n]) if nodes.kind[n] == TOUCH else -1
        found.append((int(nodes.t1[n]), other))
    return found


def _on_data(chosen: list[int], distance: NDArray[Any], data: int) -> list[int]:
    taken = {p for p in chosen if p < data}
    result = []
    for p in chosen:
        if p >= data:
            p = min((q for q in range(data) if q not in taken), key=lambda q: (distance[p, q], q))
            taken.add(p)
        result.append(p)
    return result


__all__ = ["first_layouts"]
