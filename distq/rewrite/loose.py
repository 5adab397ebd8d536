"""Instructions with which no block of a later pass may begin.

The axes of a block count in the coordinates before its first instruction. A one-qubit rotation commutes with gates
along its axis, so that a pass may have put it behind an instruction before which it stands in the source, where the
verifier still finds it: there the instruction has other coordinates. A block of that instruction alone does not mind,
but one of several does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.circuit.logical import LogicalCircuit


def loose_origins(circuit: LogicalCircuit) -> NDArray[np.int32]:
    """Origins whose gates share a run of commuting legs with one-qubit rotations that may have been moved past them.

    Only blocks of several instructions move anything: these blocks themselves, and the rotations in them.

    Args:
        circuit: with origins; one-qubit gates not merged.

    Returns:
        The origins, sorted; none where all stands as in the source.
    """
    from distq.rewrite.items import read_items
    from distq.rewrite.regroup import runs_of_legs

    blocks = [-1 - n for n, r in enumerate(circuit.rewrites) if len(r.sources) > 1 and not r.swaps]
    if not blocks or not (circuit.arity > 1).any() or len(circuit.origin) != len(circuit):
        return np.zeros(0, np.int32)
    items = read_items(circuit, keep_quarters=True)
    run = runs_of_legs(items)
    item = items.legs[0][: items.pins]
    origin = circuit.origin[items.row[item]]
    moved = np.isin(origin, blocks)
    alone = items.width[item] == 1
    shared = _has_other(run, origin, alone & moved) | (moved & _has_other(run, origin, alone))
    return np.unique(origin[~alone & shared])


def _has_other(run: NDArray[np.int64], origin: NDArray[np.int32], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(legs,) whether the run of a leg holds one of the chosen legs of another origin."""
    count = int(run.max(initial=-1)) + 1
    limits = np.iinfo(np.int32)
    low, high = np.full(count, limits.max), np.full(count, limits.min)
    np.minimum.at(low, run[chosen], origin[chosen])
    np.maximum.at(high, run[chosen], origin[chosen])
    return np.asarray((low <= high)[run] & ((low[run] != origin) | (high[run] != origin)))
