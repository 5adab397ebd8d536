"""The compiled loop of `measured_packets`. Importing this module imports Numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

#: How a row meets the axis Z of its wires.
KEEPS, FLIPS, ENDS, MEASURES = 0, 1, 2, 3


@numba.njit(cache=True)
def measured_legs(n: int, offsets: Any, qubits: Any, meets: Any) -> tuple[Any, Any, Any, Any]:
    """Number the packets along Z on every wire and find those with a measurement.

    Args:
        n: number of wires.
        offsets: (N+1,) offsets into `qubits`.
        qubits: flat wires.
        meets: (N,) KEEPS, FLIPS, ENDS or MEASURES.

    Returns:
        (L,) packet of each pin, -1 where the row ends packets; (L,) parity of the flips in its packet up to it; (K,)
        row of the first measurement in each packet, -1 if there is none; (K,) parity of the flips before that.
    """
    pins = len(qubits)
    packet = np.full(pins, -1, np.int32)
    flips = np.zeros(pins, np.uint8)
    current = np.full(n, -1, np.int32)
    parity = np.zeros(n, np.uint8)
    first = np.full(pins + 1, -1, np.int32)
    before = np.zeros(pins + 1, np.uint8)
    count = 0
    for row in range(len(meets)):
        kind = meets[row]
        for pin in range(offsets[row], offsets[row + 1]):
            q = qubits[pin]
            if kind == ENDS:
                current[q] = -1
                continue
            if current[q] < 0:
                current[q] = count
                parity[q] = 0
                count += 1
            packet[pin] = current[q]
            flips[pin] = parity[q]
            if kind == FLIPS:
                parity[q] ^= 1
            elif kind == MEASURES and first[current[q]] < 0:
                first[current[q]] = row
                before[current[q]] = parity[q]
    return packet, flips, first[:count], before[:count]
