"""Rewriting passes over the raw circuit: rows out, rows in, and a witness for each replacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distq.circuit.control import conjugations
from distq.circuit.logical import NO_ORIGIN, LogicalCircuit, Rewrite, WitnessRow
from distq.ops import NUM_ONE_QUBIT, NUM_PARAMS, Op

Swaps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Replacement:
    """What `Rewriting.replace` was told."""

    removed: NDArray[np.int64]
    rows: tuple[WitnessRow, ...]
    at: int
    swaps: Swaps
    sources: tuple[int, ...]
    guard: int


class Rewriting:
    """One pass over a circuit: collects replacements and carries them out together.

    The circuit is raw (`origin` is filled; one-qubit gates are not merged yet). For a pass::

        rewriting = Rewriting(circuit)
        rewriting.replace(removed, new_rows, at)  # once for each place, in any order
        circuit = rewriting.build()

    Rules for what is removed; a breach raises ValueError, in `replace` or in `build`:

    - Rows of an instruction (or of an earlier rewrite) with gates on two or more qubits go together: with one of them all
      others must be removed as well, their one-qubit rows included (`rows_of`); what is to stay is stated again in
      the new rows. They become the `sources` of the witness.
    - Rows of other one-qubit instructions may be removed where they stand on their wire behind the first removed row
      of a source; what they do must be in the new rows.
    - No measurement and no reset, and no mixture of guards. Where an instruction is visited under several guards
      (`is_repeated`), every visit must be replaced, by the same rows.

    The new rows must do exactly what the removed rows did, up to a global phase, if they stand before row `at`; that is
    for the pass to know, as is that the removed rows can be brought there.
    """

    def __init__(self, circuit: LogicalCircuit) -> None:
        if len(circuit.origin) != len(circuit):
            raise ValueError("the circuit has no origins: rewrite it before its one-qubit gates are merged")
        self.circuit = circuit
        self._replacements: list[_Replacement] = []
        self._taken = np.zeros(len(circuit), np.bool_)

    def __len__(self) -> int:
        """Number of replacements so far."""
        return len(self._replacements)

    # -- what a pass needs to know -------------------------------------------------------------------------------

    def rows_of(self, origin: int) -> NDArray[np.int64]:
        """All rows with this origin, one-qubit rows included, in order."""
        order, keys = self._by_origin
        first, last = np.searchsorted(keys, origin, "left"), np.searchsorted(keys, origin, "right")
        return order[first:last]

    @cached_property
    def is_repeated(self) -> NDArray[np.bool_]:
        """(N,) whether the row's instruction is visited under several guards."""
        order, keys = self._by_origin
        guard = self.circuit.guard[order]
        wide = self.circuit.arity[order] > 1
        order, keys, guard = order[wide], keys[wide], guard[wide]
        mixed = np.unique(keys[1:][(keys[1:] == keys[:-1]) & (guard[1:] != guard[:-1])])
        return np.isin(self.circuit.origin, mixed)

    @cached_property
    def _by_origin(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        order = np.argsort(self.circuit.origin, kind="stable")
        return order, self.circuit.origin[order]

    def is_taken(self, row: int) -> bool:
        """Whether a replacement of this pass has removed the row already."""
        return bool(self._taken[row])

    # -- the pass ------------------------------------------------------------------------------------------------

    def replace(self, removed: Sequence[int], new_rows: Sequence[WitnessRow], at: int, swaps: Swaps = ()) -> None:
        """Put `new_rows` in the place of the rows `removed`.

        Args:
            removed: rows of the circuit (its numbering, which stays valid until `build`).
            new_rows: (code, wires, parameters) in the wires of the circuit, unitary; a parameter is a float [rad] or a
                ParameterExpression. They get the guard of the removed rows.
            at: the new rows stand before this row of the circuit; len(circuit) is the end.
            swaps: after the new rows these pairs of wires are to be exchanged, as by SWAP gates one after the
                other. No gate is made of them: all that follows is renamed by `build`.

        Raises:
            ValueError: a rule of the class is broken, or a row was removed by an earlier call.
        """
        raise NotImplementedError

    def build(self) -> LogicalCircuit:
        """The circuit after all replacements, with their witnesses in the order of their places.

        Replacements with the same sources (visits under several guards) share one witness.

        Raises:
            ValueError: a rule of the class is broken.
        """
        raise NotImplementedError
