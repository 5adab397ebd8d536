"""Pairs of CX that enclose rotations become parity rotations: CX RZ CX is one RZZ, and ladders one PARITY."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distq.rewrite.items import Items

#: By how many legs rotations may grow when a pair, which has four, is taken out.
PAIR_LEGS = 4


def fold_gadgets(items: Items, banned: NDArray[np.bool_], *, limit: int = PAIR_LEGS) -> int:
    """Take out pairs of equal CZ-like gates (CX, CY, CZ in any axes) and turn what they enclose instead.

    Between the two there may be, on their wires, gates that commute with them, rotations about Pauli letters on any
    number of wires (numerical or symbolic), phase gates on two wires, and one-qubit Cliffords. A rotation whose letter
    does not commute on one wire gains the other wire. A pair is taken out if legs in all do not grow.

    Args:
        items: changed in place.
        banned: (items,) gates that must stay.
        limit: by how many legs the items between may grow.

    Returns:
        How many gates of pairs were replaced.
    """
    from distq.rewrite._gadget_kernel import take_pairs
    from distq.rewrite._items_kernel import CZ

    gates = np.flatnonzero(items.kind[: items.original] == CZ)
    leg = items.first[gates]
    a, b = items.legs[1][leg], items.legs[1][items.legs[4][leg]]
    code = np.minimum(a, b) * items.circuit.num_qubits + np.maximum(a, b)
    _, inverse, count = np.unique(code, return_inverse=True, return_counts=True)
    pair = np.full(items.original, -1, np.int64)
    pair[gates] = np.where(count[inverse] > 1, inverse, -1)
    last = np.empty(len(count), np.int64)
    living = len(gates)
    items.reserve(4 * len(gates) + 16, 10 * len(gates) + 16)
    while True:
        ends = np.array([items.count, items.pins])
        taken = take_pairs(*items.columns(), ends, pair, last, banned, limit)
        items.count, items.pins = int(ends[0]), int(ends[1])
        if taken < 0:
            items.reserve(len(gates) + 4096, 10 * len(gates) + 16384)
        elif taken == 0:
            return living - int(np.count_nonzero(items.kind[gates] == CZ))
