"""What disturbs a program on its hardware: error rates of every row, and how long each qubit waits before it.

Simulation (`distq.simulate.noisy`) and prediction (`distq.report.fidelity`) read the same tables.

Conventions. Error rates of gates are 1 - average fidelity, so that a depolarising channel rho -> (1-p) rho + p I/d has
p = 2e on one qubit and p = 4e/3 on two; its process fidelity is 1 - p (1 - 1/d^2). A gate that counts as several
two-qubit gates (see `Timing.of_rows`) has two-qubit depolarising channels on neighbouring qubits, one for each.
Nothing decays while it is being operated on: the gate's error rate says it all. A qubit that waits relaxes towards |0>
with T1 and loses coherence with T2 (2 T1 if T2 is not stated).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.ops import NUM_ONE_QUBIT, Op
from distq.program.types import COMM, DistributedProgram
from distq.schedule.result import Timeline

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NoiseTable:
    """Rates and waiting times of a program on a timeline.

    A leg is one entry of `program.qubits`: one row's action on one of its qubits.

    Attributes:
        timeline: when everything happens.
        one_qubit, two_qubit: (N,) depolarising probability of one such gate in the row's module; 0 for tracked
            corrections.
        gates: (N,) two-qubit gates that a row on two or more qubits counts as.
        readout, reset: (N,) probability of a wrong bit, of |1> after a reset; 0 for other rows.
        wait: (legs,) time for which the leg's qubit waited before it, holding something that is needed (|0> behind a
            reset included) [unit of the timeline].
        waits_since: (legs,) row after which it waited; -1: the start.
        live: (legs,) whether what the qubit holds behind the row is still needed.
        applied: (row or N, qubit, depolarising probability) of each correction that is carried out, before that row;
            N: at the end.
        end_wait, end_since: (outputs,) time from the last operation on each of `outputs` to the end, and its row.
        outputs: physical qubits whose state is an output: their last operation is not a measurement or a reset.
        output_of: (outputs,) which qubit of the source each holds.
        t1, t2: (physical qubits,) infinite where nothing is lost.
        states: (links,) (4, 4) density matrix of a pair near phi+, by the link's order of modules.
    """

    timeline: Timeline
    one_qubit: Float64
    two_qubit: Float64
    gates: Float64
    readout: Float64
    reset: Float64
    wait: Float64
    waits_since: Int64
    live: Bool
    applied: tuple[tuple[int, int, float], ...]
    end_wait: Float64
    end_since: Int64
    outputs: Int64
    output_of: Int64
    t1: Float64
    t2: Float64
    states: NDArray[np.complex128]

    @property
    def program(self) -> DistributedProgram:
        """What is disturbed."""
        return self.timeline.program


def noise_table(
    timeline: Timeline, network: Network | None = None, local_two_qubit_error: float | None = None
) -> NoiseTable:
    """The noise of a scheduled program.

    Args:
        timeline: of the program.
        network: whose hardware is taken; default: that which was scheduled on.
        local_two_qubit_error: replaces `two_qubit_error` of every module.
    """
    program = timeline.program
    own = program.network
    other = (timeline.graph.timing.network or own) if network is None else network
    modules = [m.hardware or ModuleHardware() for m in other.modules[: len(own.modules)]]
    one_error = _each(modules, lambda m: m.one_qubit_error)
    two_error = _each(modules, lambda m: m.two_qubit_error)
    if local_two_qubit_error is not None:
        two_error[:] = local_two_qubit_error
    code, module = program.code, program.row_module()
    size = np.diff(program.qubit_offsets)
    tracked = timeline.tracked
    one = (code < NUM_ONE_QUBIT) & ~tracked
    several = np.isin(code, (Op.MCP, Op.PARITY, Op.CX, Op.SWAP))
    k = np.minimum(size, 40).astype(np.float64)
    gates = np.where(several, 1.0, 0.0)
    gates[code == Op.SWAP] = 3.0
    wide = several & (size > 2)
    gates = np.where(wide & (code == Op.MCP), np.minimum(2.0**k - 2, 16 * k * k), gates)
    gates = np.where(wide & (code == Op.PARITY), 2 * (k - 1), gates)
    one |= wide & (code == Op.PARITY)
    live, wait, since, end_wait, end_since, outputs, output_of = _waits(timeline)
    t1, t2 = _memories(program, modules, timed=timeline.unit == "s")
    return NoiseTable(
        timeline=timeline,
        one_qubit=np.where(one, one_qubit_depolarising(one_error)[module], 0.0),
        two_qubit=np.where(several, two_qubit_depolarising(two_error)[module], 0.0),
        gates=gates,
        readout=np.where(code == Op.MEASURE, _each(modules, lambda m: m.measure_error)[module], 0.0),
        reset=np.where(code == Op.RESET, _each(modules, lambda m: m.reset_error)[module], 0.0),
        wait=wait,
        waits_since=since,
        live=live,
        applied=_applied(timeline, one_qubit_depolarising(one_error)),
        end_wait=end_wait,
        end_since=end_since,
        outputs=outputs,
        output_of=output_of,
        t1=t1,
        t2=t2,
        states=_states(own, other),
    )


def one_qubit_depolarising(error: Float64) -> Float64:
    """The p of rho -> (1-p) rho + p I/2 from 1 - average fidelity; at most 1."""
    return np.minimum(2 * error, 1.0)


def two_qubit_depolarising(error: Float64) -> Float64:
    """The p of rho -> (1-p) rho + p I/4 from 1 - average fidelity; at most 1."""
    return np.minimum(4 * error / 3, 1.0)


def _each(modules: list[ModuleHardware], get: Callable[[ModuleHardware], float | None]) -> Float64:
    return np.array([get(m) or 0.0 for m in modules], np.float64)


def _memories(program: DistributedProgram, modules: list[ModuleHardware], timed: bool) -> tuple[Float64, Float64]:
    """T1 and T2 of each physical qubit; where no time is stated nothing is lost, since nothing takes time."""
    n = program.num_physical
    t1, t2 = np.full(n, math.inf), np.full(n, math.inf)
    if not timed:
        return t1, t2
    for q, (m, role) in enumerate(zip(program.qubit_module.tolist(), program.qubit_role.tolist())):
        hardware = modules[m]
        one, two = (hardware.comm_t1, hardware.comm_t2) if role == COMM else (hardware.data_t1, hardware.data_t2)
        t1[q] = math.inf if one is None else one
        t2[q] = 2 * t1[q] if two is None else two
    return t1, t2


def _states(own: Network, other: Network) -> NDArray[np.complex128]:
    """Pairs by the link's order of modules in the program's network; links without hardware make perfect ones."""
    result = np.empty((len(own.links), 4, 4), np.complex128)
    at = other.link_of[own.link_ends[:, 0], own.link_ends[:, 1]] if len(own.links) else np.zeros(0, np.int32)
    swap = np.eye(4)[[0, 2, 1, 3]]
    for i, j in enumerate(at.tolist()):
        found = other.links[j] if j >= 0 else None
        state = ((found.hardware if found else None) or LinkHardware()).pair_state()
        turned = j >= 0 and int(other.link_ends[j, 0]) != int(own.link_ends[i, 0])
        result[i] = swap @ state @ swap if turned else state
    return result


def _applied(timeline: Timeline, loss: Float64) -> tuple[tuple[int, int, float], ...]:
    """For each correction that is carried out the row on its qubit that it comes before."""
    graph, program = timeline.graph, timeline.program
    n = len(program)
    result = []
    for node in np.flatnonzero(graph.applied >= 0).tolist():
        qubit = int(graph.applied[node])
        later = graph.succs[graph.succ_offsets[node] : graph.succ_offsets[node + 1]].tolist()
        rows = [r for r in later if r < n and qubit in _legs(program, r)]
        result.append((min(rows, default=n), qubit, float(loss[program.qubit_module[qubit]])))
    return tuple(sorted(result))


def _legs(program: DistributedProgram, row: int) -> list[int]:
    return program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()


def _waits(timeline: Timeline) -> tuple[Bool, Float64, Int64, Float64, Int64, Int64, Int64]:
    """Who waits, holding something, how long, and since when; (live, wait, since, end_wait, ..., outputs, output_of).

    Backwards first: what a qubit holds is needed until a reset, a new pair or a last measurement; a SWAP exchanges
    what is needed. Then forwards, over the rows that occupy a qubit; tracked corrections do not.
    """
    program = timeline.program
    code, guarded = program.code.tolist(), (program.guard >= 0).tolist()
    offsets, qubits = program.qubit_offsets.tolist(), program.qubits.tolist()
    tracked = timeline.tracked.tolist()
    ended = _ended(program)
    needed = np.zeros(program.num_physical, np.bool_)
    source = [q for q, p in enumerate(program.output_qubit.tolist()) if not ended[p]]
    outputs = program.output_qubit[source].astype(np.int64)
    needed[outputs] = True
    before, after = np.zeros((2, len(qubits)), np.bool_)
    for i in range(len(code) - 1, -1, -1):
        first, last = offsets[i], offsets[i + 1]
        legs = qubits[first:last]
        after[first:last] = needed[legs]
        if guarded[i] or code[i] not in (Op.RESET, Op.EPR, Op.SWAP):
            needed[legs] = True
        elif code[i] == Op.SWAP:
            needed[legs] = needed[legs[::-1]]
        else:
            needed[legs] = False
        before[first:last] = needed[legs]
    start, end = timeline.start.tolist(), timeline.end.tolist()
    wait, since = np.zeros(len(qubits)), np.full(len(qubits), -1, np.int64)
    free = np.zeros(program.num_physical)
    row_before = np.full(program.num_physical, -1, np.int64)
    holds = np.zeros(program.num_physical, np.bool_)
    holds[program.input_qubit] = True
    done = _carried_out(timeline)
    for i in range(len(code)):
        if tracked[i]:
            continue
        first, last = offsets[i], offsets[i + 1]
        for j in range(first, last):
            q = qubits[j]
            # Corrections that are carried out in between are no waiting.
            busy, carried = 0.0, done.get(q)
            while carried and carried[0][1] <= start[i]:
                a, b = carried.popleft()
                busy += b - a
            if holds[q] and before[j]:
                wait[j] = max(start[i] - free[q] - busy, 0.0)
                since[j] = row_before[q]
            free[q], row_before[q] = end[i], i
            holds[q] = True
    end_wait = np.array([
        max(timeline.makespan - free[q] - sum(b - a for a, b in done.get(q, ())), 0.0) if holds[q]
        else 0.0 for q in outputs.tolist()
    ])  # fmt: skip
    return after, wait, since, end_wait, row_before[outputs], outputs, np.array(source, np.int64)


def _carried_out(timeline: Timeline) -> dict[int, deque[tuple[float, float]]]:
    """(start, end) of the corrections that are carried out on each qubit, in the order of time."""
    result: dict[int, deque[tuple[float, float]]] = {}
    for q, a, b in sorted(timeline.applied, key=lambda item: item[2]):
        result.setdefault(q, deque()).append((a, b))
    return result


def _ended(program: DistributedProgram) -> Bool:
    """(physical qubits,) whether the last operation on it is a measurement or a reset."""
    result = np.zeros(program.num_physical, np.bool_)
    row = np.repeat(np.arange(len(program)), np.diff(program.qubit_offsets))
    # With repeated indices the last assignment stays.
    final = np.isin(program.code, (Op.MEASURE, Op.RESET)) & (program.guard < 0)
    result[program.qubits] = final[row]
    return result


__all__ = ["NoiseTable", "noise_table", "one_qubit_depolarising", "two_qubit_depolarising"]
