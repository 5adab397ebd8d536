"""How long everything takes on a network: the hardware of its modules and links as arrays.

A network in which no time is stated counts units: every operation and every pair takes 1, messages take 0. Else times
are in seconds, and what is not stated takes none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from distq.errors import InfeasibleError
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.network.pair_states import PurifiedPair, of_hardware
from distq.network.pairs import NESTED, PUMPING, purification_cost
from distq.network.purify import Purify
from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.types import COMM, DATA, DistributedProgram

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
#: How the time of a pair is distributed.
FIXED, GEOMETRIC, EXPONENTIAL = 0, 1, 2
#: A round of purification in units: a one-qubit gate, CX, measurement and reset.
ROUND_UNITS = 4.0
#: A round that succeeds less often is taken for a mistake in the description.
LEAST_SUCCESS = 1e-3


@dataclass(frozen=True, eq=False)
class Timing:
    """Durations and resources for the modules and links of a program's network.

    Attributes:
        unit: "s", or "operation" where nothing is stated.
        one_qubit, two_qubit, measure, reset: (k,) durations.
        latency: (k, k) of a message, along the quickest path of links.
        pair: (links,) mean time of a pair on one generator, with purification; infinite where a link is down.
        kind: (links,) FIXED, GEOMETRIC or EXPONENTIAL.
        slot: (links,) time of one attempt divided by the duty cycle (GEOMETRIC), else mean time of an elementary pair.
        probability: (links,) of an attempt (GEOMETRIC), else 1.
        generators: (links,) pairs in generation at the same time.
        max_age: (links,) infinite where pairs live for ever.
        fabric: (links,) index of the switch fabric, or -1.
        ports, reconfiguration: (fabrics,) ports, and the time before one serves another link.
        rounds, nested, success, round_time: (links,) of purification; `success` (links, most rounds).
        raw_pairs, attempts: (links,) expected for one pair; attempts are NaN where only a rate is stated.
        pool: (links, 2) the modules in which a pair in generation occupies spare communication qubits, else -1.
        spare: (k,) how many pairs can do so at the same time in each module, with `spare_size` qubits each.
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
    rounds: Int64
    nested: NDArray[np.bool_]
    success: Float64
    round_time: Float64
    raw_pairs: Float64
    attempts: Float64
    pool: Int64
    spare: Int64
    spare_size: Int64
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
    at = matching_links(program, other)
    used = np.bincount(program.link[program.code == Op.EPR], minlength=len(at))
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
    spare = spare_qubits(program, other, [x.purify if n else None for x, n in zip(links, used.tolist())])
    return _Arrays(own, other, links).timing(spare)


def matching_links(program: DistributedProgram, network: Network) -> NDArray[np.int32]:
    """For each link of the program's network that of another network between the same modules; -1: there is none."""
    ends = program.network.link_ends
    k = len(network.modules)
    inside = (ends < k).all(axis=1)
    result = np.full(len(ends), -1, np.int32)
    result[inside] = network.link_of[ends[inside, 0], ends[inside, 1]]
    return result


def of_network(network: Network) -> Timing:
    """The timing of a network, for programs that are still to be made."""
    return _Arrays(network, network, [x.hardware or LinkHardware() for x in network.links]).timing()


class _Arrays:
    def __init__(self, own: Network, other: Network, links: list[LinkHardware]) -> None:
        self.own, self.other, self.links = own, other, links
        self.timed = other.timed
        self.modules = [m.hardware or ModuleHardware() for m in other.modules[: len(own.modules)]]

    def timing(self, room: tuple[Int64, Int64, Int64] | None = None) -> Timing:
        """`room`: as `spare_qubits` returns it; None: it does not matter."""
        none = (np.full((len(self.links), 2), -1, np.int64), *np.zeros((2, len(self.modules)), np.int64))
        pool, spare, spare_size = none if room is None else room
        fabrics = {f.name: i for i, f in enumerate(self.other.fabrics)}
        links = self.links
        slot = self._pair([self._slot(x) for x in links])
        purified = self._purified()
        return Timing(
            unit="s" if self.timed else "operation",
            one_qubit=self._module("one_qubit_time"),
            two_qubit=self._module("two_qubit_time"),
            measure=self._module("measure_time"),
            reset=self._module("reset_time"),
            latency=self._latency(),
            pair=np.array([x.time for x in purified], np.float64),
            kind=np.array([self._kind(x) for x in links], np.int64),
            slot=slot,
            probability=np.array([x.attempt_probability or 1.0 for x in links], np.float64),
            generators=np.array([x.generators or 1 for x in links], np.int64),
            max_age=np.array([math.inf if x.max_age is None else x.max_age for x in links], np.float64),
            fabric=np.array([-1 if x.fabric is None else fabrics[x.fabric] for x in links], np.int64),
            ports=np.array([f.ports for f in self.other.fabrics], np.int64),
            reconfiguration=np.array([f.reconfiguration_time or 0.0 for f in self.other.fabrics], np.float64),
            rounds=np.array([len(x.success) for x in purified], np.int64),
            nested=np.array([x.purify is not None and x.purify.scheme == NESTED for x in purified], np.bool_),
            success=self._success(purified),
            round_time=np.array([x.round_time for x in purified], np.float64),
            raw_pairs=np.array([x.raw_pairs for x in purified], np.float64),
            attempts=np.array([self._attempts(x, y.raw_pairs) for x, y in zip(links, purified)], np.float64),
            pool=pool,
            spare=spare,
            spare_size=spare_size,
            unstated=self._unstated() if self.timed else (),
            network=self.other,
        )

    def _purified(self) -> list[PurifiedPair]:
        """Every link's pairs; in units an elementary pair counts 1 and a round as its four operations."""
        ends = self.own.link_ends.tolist()
        result = []
        for link, (a, b) in zip(self.links, ends):
            found = of_hardware(link, self.modules[a], self.modules[b], link.purify)
            if found.success and min(found.success) < LEAST_SUCCESS:
                names = f"{self.own.modules[a].name} - {self.own.modules[b].name}"
                raise InfeasibleError(
                    f"a round of purification on the link {names} succeeds with probability {min(found.success):.2g}: "
                    "leave purify out, or correct fidelity and errors"
                )
            if not self.timed and math.isfinite(found.time):
                scheme = found.purify.scheme if found.purify else PUMPING
                cost = purification_cost(found.success, scheme, 1.0, ROUND_UNITS)
                found = replace(found, time=cost.time, round_time=ROUND_UNITS)
            result.append(found)
        return result

    def _success(self, purified: list[PurifiedPair]) -> Float64:
        result = np.ones((len(purified), max([1, *(len(x.success) for x in purified)])))
        for i, x in enumerate(purified):
            result[i, : len(x.success)] = x.success
        return result

    def _attempts(self, link: LinkHardware, raw_pairs: float) -> float:
        kind = self._kind(link)
        if kind == EXPONENTIAL:
            return math.nan
        return raw_pairs / (link.attempt_probability or 1.0) if kind == GEOMETRIC else raw_pairs

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


def spare_qubits(
    program: DistributedProgram, network: Network, purify: Sequence[Purify | None]
) -> tuple[Int64, Int64, Int64]:
    """The communication qubits that purification may occupy beside those that the program names.

    A pair in generation holds its halves where the program wants them, and the others on spare qubits of both modules.

    Args:
        program: which communication qubits it uses.
        network: how many there are.
        purify: of each link of the program.

    Returns:
        (links, 2) modules in which a pair needs spare qubits, else -1; (k,) pairs that can have them at the same time;
        (k,) qubits for each of them.

    Raises:
        InfeasibleError: a module has too few.
    """
    own = program.network
    ends = own.link_ends.astype(np.int64)
    size = np.zeros(len(own.modules), np.int64)
    because = [-1] * len(own.modules)
    pool = np.full((len(ends), 2), -1, np.int64)
    for i, x in enumerate(purify):
        if x is not None:
            pool[i] = ends[i]
            for m in ends[i].tolist():
                if x.comm_qubits - 1 > size[m]:
                    size[m], because[m] = x.comm_qubits - 1, i
    named = np.unique(program.qubits)
    spare = np.zeros(len(size), np.int64)
    for m in np.flatnonzero(size).tolist():
        here = (program.qubit_module[named] == m) & (program.qubit_role[named] == COMM)
        used, has = int(np.count_nonzero(here)), network.modules[m].comm
        spare[m] = used if has is None else min(used, (has - used) // size[m])
        if spare[m] < 1:
            link = own.links[because[m]]
            raise InfeasibleError(
                f"the program uses {used} of the {has} communication qubits of module {own.modules[m].name!r}, and "
                f"purifying the pairs of the link {link.a} - {link.b} takes {size[m]} more: compile for this network, "
                "which leaves them free, or leave purify out"
            )
    return pool, spare, size


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


__all__ = ["EXPONENTIAL", "FIXED", "GEOMETRIC", "Timing", "matching_links", "of_network", "spare_qubits", "timing"]
