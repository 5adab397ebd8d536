"""How long everything takes on a network: the hardware of its modules and links as arrays.

A network in which no time is stated counts units: every operation and every pair takes 1, messages take 0. Else times
are in seconds, and what is not stated takes none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.errors import InfeasibleError
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.types import COMM, DATA, DistributedProgram

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
#: How the time of a pair is distributed.
FIXED, GEOMETRIC, EXPONENTIAL = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Timing:
    """Durations and resources for the modules and links of a program's network.

    Attributes:
        unit: "s", or "operation" where nothing is stated.
        one_qubit, two_qubit, measure, reset: (k,) durations.
        latency: (k, k) of a message, along the quickest path of links.
        pair: (links,) mean time of a pair on one generator; infinite where a link is down or missing.
        kind: (links,) FIXED, GEOMETRIC or EXPONENTIAL.
        slot: (links,) time of one attempt divided by the duty cycle (GEOMETRIC), else as `pair`.
        probability: (links,) of an attempt (GEOMETRIC), else 1.
        generators: (links,) pairs in generation at the same time.
        max_age: (links,) infinite where pairs live for ever.
        fabric: (links,) index of the switch fabric, or -1.
        ports, reconfiguration: (fabrics,) ports, and the time before one serves another link.
        unstated: what is counted as 0 because nothing is stated, for people; empty in units.
        network: whose hardware this is.
    """

    unit: str
    one_qubit: Float64
    two_qubit: Float64
    measure: Float64
    reset: Float64
    latency: Float64
    pair: Float64
    kind: Int64
    slot: Float64
    probability: Float64
    generators: Int64
    max_age: Float64
    fabric: Int64
    ports: Int64
    reconfiguration: Float64
    unstated: tuple[str, ...] = ()
    network: Network | None = None

    def of_rows(self, program: DistributedProgram) -> Float64:
        """(N,) duration of each row; that of a pair is its mean, that of SEND the latency of the message.

        A SWAP counts as three two-qubit gates, a phase on k >= 3 qubits as 2^k - 2 of them (at most 16 k^2; Barenco
        et al., PRA 52, 3457), a parity gate on k >= 3 qubits as 2(k-1) and a one-qubit gate. In units all count 1.
        """
        code, module = program.code, program.row_module()
        size = np.diff(program.qubit_offsets)
        result = np.zeros(len(program), np.float64)
        one = code < NUM_ONE_QUBIT
        result[one] = self.one_qubit[module[one]]
        several = np.isin(code, (Op.MCP, Op.PARITY, Op.CX, Op.SWAP))
        result[several] = self.two_qubit[module[several]]
        if self.unit != "operation":
            k = np.minimum(size, 40).astype(np.float64)
            gates = np.where(code == Op.SWAP, 3.0, 1.0)
            wide = size > 2
            gates = np.where(wide & (code == Op.MCP), np.minimum(2.0**k - 2, 16 * k * k), gates)
            gates = np.where(wide & (code == Op.PARITY), 2 * (k - 1), gates)
            result[several] *= gates[several]
            parity = wide & (code == Op.PARITY)
            result[parity] += self.one_qubit[module[parity]]
        for op, value in ((Op.MEASURE, self.measure), (Op.RESET, self.reset)):
            chosen = code == op
            result[chosen] = value[module[chosen]]
        epr, send = code == Op.EPR, code == Op.SEND
        result[epr] = self.pair[program.link[epr]]
        result[send] = self.latency[module[send], program.bit_module[program.bit2[send]]]
        return result


def timing(program: DistributedProgram, network: Network | None = None) -> Timing:
    """The timing of a program on its own network, or on another one with the same shape.

    Args:
        program: whose modules and links are meant.
        network: modules are matched by their position, links by their ends; it may have more of both.

    Raises:
        InfeasibleError: the network lacks a module, a link or qubits that the program uses, or a link that the
            program uses is down (rate 0).
    """
    own = program.network
    other = own if network is None else network
    if other is not own:
        _check_room(program, other)
    ends = own.link_ends
    at = other.link_of[ends[:, 0], ends[:, 1]] if len(ends) else np.zeros(0, np.int32)
    used = np.bincount(program.link[program.code == Op.EPR], minlength=len(ends))
    down = LinkHardware(rate=0)
    links = [(other.links[i].hardware or LinkHardware()) if i >= 0 else down for i in at.tolist()]
    for i in np.flatnonzero(used).tolist():
        if links[i].rate == 0:
            name = f"{own.links[i].a} - {own.links[i].b}"
            why = "which the network does not have" if at[i] < 0 else "whose rate is 0"
            raise InfeasibleError(
                f"the program needs {used[i]} pairs on the link {name}, {why}: give it a rate, or "
                "compile for this network"
            )
    return _Arrays(own, other, links).timing()


def of_network(network: Network) -> Timing:
    """The timing of a network, for programs that are still to be made."""
    return _Arrays(network, network, [x.hardware or LinkHardware() for x in network.links]).timing()


class _Arrays:
    def __init__(self, own: Network, other: Network, links: list[LinkHardware]) -> None:
        self.own, self.other, self.links = own, other, links
        self.timed = other.timed
        self.modules = [m.hardware or ModuleHardware() for m in other.modules[: len(own.modules)]]

    def timing(self) -> Timing:
        fabrics = {f.name: i for i, f in enumerate(self.other.fabrics)}
        links = self.links
        return Timing(
            unit="s" if self.timed else "operation",
            one_qubit=self._module("one_qubit_time"),
            two_qubit=self._module("two_qubit_time"),
            measure=self._module("measure_time"),
            reset=self._module("reset_time"),
            latency=self._latency(),
            pair=self._pair([x.mean_pair_time for x in links]),
            kind=np.array([self._kind(x) for x in links], np.int64),
            slot=self._pair([self._slot(x) for x in links]),
            probability=np.array([x.attempt_probability or 1.0 for x in links], np.float64),
            generators=np.array([x.generators or 1 for x in links], np.int64),
            max_age=np.array([math.inf if x.max_age is None else x.max_age for x in links], np.float64),
            fabric=np.array([-1 if x.fabric is None else fabrics[x.fabric] for x in links], np.int64),
            ports=np.array([f.ports for f in self.other.fabrics], np.int64),
            reconfiguration=np.array([f.reconfiguration_time or 0.0 for f in self.other.fabrics], np.float64),
            unstated=self._unstated() if self.timed else (),
            network=self.other,
        )

    def _module(self, key: str) -> Float64:
        default = 0.0 if self.timed else 1.0
        return np.array([default if getattr(m, key) is None else getattr(m, key) for m in self.modules], np.float64)

    def _pair(self, times: list[float]) -> Float64:
        values = np.array(times, np.float64)
        return values if self.timed else np.where(np.isinf(values), values, 1.0)

    def _kind(self, link: LinkHardware) -> int:
        if link.attempt_probability is not None:
            return GEOMETRIC
        return EXPONENTIAL if link.rate else FIXED

    def _slot(self, link: LinkHardware) -> float:
        if link.attempt_time is not None:
            return link.attempt_time / (link.duty_cycle or 1.0)
        return link.mean_pair_time

    def _latency(self) -> Float64:
        """Least sum of latencies over a path of links; modules without a path take the largest sum there is."""
        k = len(self.own.modules)
        each = [(x.hardware.latency if x.hardware else None) or 0.0 for x in self.other.links]
        if not any(each):
            return np.zeros((k, k))
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import shortest_path

        size = len(self.other.modules)
        ends = self.other.link_ends
        # A sparse zero is no edge: free links weigh next to nothing.
        weights = np.maximum(each, 1e-300)
        graph = csr_matrix((weights, (ends[:, 0], ends[:, 1])), shape=(size, size))
        found = shortest_path(graph, directed=False)
        found[found < 1e-290] = 0.0
        found[np.isinf(found)] = found[np.isfinite(found)].max(initial=0.0)
        return found[:k, :k]

    def _unstated(self) -> tuple[str, ...]:
        result = []
        for key in ("one_qubit_time", "two_qubit_time", "measure_time", "reset_time"):
            names = [m.name for m, h in zip(self.own.modules, self.modules) if getattr(h, key) is None]
            if names:
                result.append(f"{key} ({'every module' if len(names) == len(self.modules) else ', '.join(names)})")
        missing = [x for x in self.links if not (x.rate is not None or x.pair_time is not None or x.attempt_time)]
        if missing:
            result.append(
                f"time of a pair ({'every link' if len(missing) == len(self.links) else f'{len(missing)} links'})"
            )
        if self.links and all(x.latency is None for x in self.links):
            result.append("latency (every link)")
        return tuple(result)


def _check_room(program: DistributedProgram, network: Network) -> None:
    own = program.network
    name = network.name or "the other network"
    if len(network.modules) < len(own.modules):
        raise InfeasibleError(
            f"the program has {len(own.modules)} modules, but {name} has {len(network.modules)}: "
            "give a network of the same shape"
        )
    used = np.unique(np.concatenate([program.qubits, program.input_qubit, program.output_qubit]))
    for m, module in enumerate(network.modules[: len(own.modules)]):
        here = used[program.qubit_module[used] == m]
        for role, has, what in ((DATA, module.data, "data"), (COMM, module.comm, "communication")):
            need = len(here[program.qubit_role[here] == role])
            if has is not None and need > has:
                raise InfeasibleError(
                    f"the program uses {need} {what} qubits of module {own.modules[m].name!r}, but {name} has {has} "
                    "there: compile for this network"
                )


__all__ = ["EXPONENTIAL", "FIXED", "GEOMETRIC", "Timing", "of_network", "timing"]
