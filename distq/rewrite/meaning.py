"""The rewrites that use what a circuit means, in their order."""

from __future__ import annotations

from collections.abc import Collection

from distq.circuit.logical import LogicalCircuit
from distq.network.model import Network
from distq.rewrite.known import known_inputs
from distq.rewrite.measured import measured_packets
from distq.rewrite.unseen import outcomes_only as leave_out_unseen


def rewrite_meaning(
    circuit: LogicalCircuit,
    network: Network,
    *,
    start: str = "any",
    outcomes_only: bool = False,
    without: Collection[str] = (),
) -> LogicalCircuit:
    """Take out what measurements, resets and known inputs make superfluous.

    Args:
        circuit: normalised and merged.
        network: where it will run.
        start: "zero" promises that every qubit starts in |0>; "any": nothing.
        outcomes_only: whether no more than the joint distribution of the classical bits matters.
        without: names of rewrites that are switched off (measured, reset, known-inputs, outcomes-only).
    """
    widest = widest_left(circuit, network)
    zero = start == "zero" and "known-inputs" not in without
    if "reset" not in without:
        circuit = known_inputs(circuit, widest=widest)
    if zero:
        circuit = known_inputs(circuit, "zero", resets="reset" not in without, widest=widest)
    if outcomes_only and "outcomes-only" not in without:
        circuit = leave_out_unseen(circuit)
    if "measured" not in without:
        circuit = measured_packets(circuit, widest=widest)
    return circuit


def widest_left(circuit: LogicalCircuit, network: Network) -> int | None:
    """The largest gate that may be left of one that lost legs; None: any.

    What is left must not be expanded for want of communication qubits, because its expansion would be no part of the
    source's instruction.
    """
    if not len(circuit):
        return None
    needed = int(circuit.arity.max()) - 1
    enough = bool((network.comm_array >= needed).all())
    return None if enough else 2
