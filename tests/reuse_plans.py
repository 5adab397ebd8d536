"""Programs from placements that no search would choose: homes of lives at random, within the room there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from distq.circuit.from_qiskit import from_qiskit
from distq.partition.dynamic import DynamicSearch
from distq.partition.order import order
from distq.partition.packets import build_packets
from distq.partition.place import make_problem, solve
from distq.partition.plan import Plan
from distq.partition.reuse import reuse_qubits
from distq.partition.static import slices
from distq.pipeline import normalise
from distq.program.compiled import CompiledProgram
from distq.program.order import canonical
from distq.program.witnesses import with_witnesses
from distq.protocols.lower import lower
from distq.schedule.asap import asap
from distq.testing import CompileCase


def random_plan(case: CompileCase, *, start: str, outcomes_only: bool = False, share: bool = True) -> Plan:
    """A plan in which qubits wander; with `share` several of them use one wire."""
    logical = replace(from_qiskit(case.circuit), reuse=True)
    circuit = normalise(logical, case.network, start=start, outcomes_only=outcomes_only)[1]
    shared = reuse_qubits(circuit, outcomes_only=outcomes_only) if share and start == "zero" else None
    circuit = shared.circuit if shared else circuit
    graph = build_packets(circuit)
    problem = make_problem(circuit, graph, case.network, effort="fast", seed=case.seed)
    search = DynamicSearch(problem)
    search.load(solve(problem, "auto")[0])
    if search.at.num_nets and search.at.num_modules > 1 and not search.overload:
        from distq.partition.dynamic_kernel import anneal_dynamic, fill_load
        from distq.partition.kernels import rebuild

        energy = search.energy
        slices(anneal_dynamic, search, 400, case.seed, 50.0, 50.0, search._log)
        state = search.v.copy()
        # What the search has kept count of is what a recount gives.
        search.energy = int(rebuild(search.s, search.v, search.at))
        assert fill_load(search.s, search.v, search.at) == 0
        assert np.array_equal(state, search.v)
        assert energy >= 0
    return order(circuit, graph, case.network, search.placement("random"))


def program_of(plan: Plan) -> CompiledProgram:
    """The program of a plan, unverified."""
    program = with_witnesses(canonical(lower(plan)), plan.circuit)
    stats: dict[str, Any] = {"ebits": program.ebits}
    return CompiledProgram(program=program, schedule=asap(program), stats=stats, plan_rows={})
