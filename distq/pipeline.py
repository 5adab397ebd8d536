"""The whole compiler on one screen: read, normalise, partition, order, lower, schedule, package, verify."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from distq.errors import InfeasibleError
from distq.prepare import prepare

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from distq.choose import Chooser
    from distq.circuit.logical import LogicalCircuit
    from distq.network.model import Network
    from distq.objective import Objective
    from distq.partition.halt import Halt
    from distq.partition.plan import Plan
    from distq.partition.reuse import Reused
    from distq.program.compiled import CompiledProgram
    from distq.program.types import DistributedProgram

#: A home for some qubits of the source: by qubit, the name or the index of a module.
Homes = Mapping[int, str | int]
T = TypeVar("T")
M = TypeVar("M")
#: Makes a circuit on fewer wires, if it can.
Reuse = Callable[["LogicalCircuit"], "Reused | None"]


def compile(
    circuit: str | Path | QuantumCircuit,
    network: Network | str | Path,
    *,
    effort: str = "default",
    seed: int = 0,
    partitioner: str = "auto",
    initial_homes: str | Homes | None = None,
    final_homes: str | Homes | None = None,
    pins: Homes | None = None,
    start: str = "any",
    outcomes_only: bool = False,
    without: Collection[str] = (),
    error_budget: float = 1e-9,
    mapping: bool = True,
    objective: str | Mapping[str, float] | Objective = "ebits",
    verify: str = "symbolic",
    time_limit: float | None = None,
    purify: str = "stated",
    min_pair_fidelity: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> CompiledProgram:
    """Compile a circuit for a network of modules and verify the result.

    Args:
        circuit: a Qiskit circuit, or the path of an OpenQASM 2 or 3 or QPY file ("-" reads standard input).
        network: a `Network`, the path of a network file, or the name of a preset.
        effort: budget of the partition search: "fast", "default" or "best".
        seed: of every random choice; the same circuit, network, options and seed give the same program.
        partitioner: name of a registered partitioner; "auto" takes the best of several.
        initial_homes: "free", or the module of some qubits at the start.
        final_homes: "free", "same" (where they began), or the module of some qubits at the end.
        pins: qubits that stay in a module all the time.
        start: "any": the program does to every input state what the circuit does; "zero": to qubits that start in |0>.
        outcomes_only: preserve only the joint distribution of the classical bits, not the state that is left.
        without: techniques that are switched off, by name (`distq.rewrite.passes.NAMES`).
        error_budget: rotations may be left out as long as the operator norm of the difference between program and
            circuit is at most this, up to a global phase; 0: none. What was spent is `error_bound` in the summary.
        mapping: route on the coupling maps of the modules that have one; False: the program is for the same network
            without coupling maps.
        objective: what the plan should be good at: "ebits", "makespan" or "fidelity" (planned and predicted on the
            hardware of the network), or weights of them, as a mapping or as "ebits=1,makespan=2" (see
            `distq.objective.Objective`). Of plans equal by it that with fewer ebits, then the quicker is taken.
        verify: "none", "symbolic", "statevector", "stabilizer" or "auto".
        time_limit: end the partition search after so many seconds [s] with the best found by then. The first Ctrl-C
            during the search does the same. A search that was cut short is marked `reproducible: false` in the stats.
        purify: how pairs are purified: "stated" (as the network says), "none", or "auto" (by the predicted fidelity of
            the program; see `distq.purified`).
        min_pair_fidelity: every pair that the program uses is at least so good, by purification where that is needed.
        progress: is called with the name of each stage as it begins.

    Raises:
        InputError: the circuit cannot be read or holds something that is not supported.
        NetworkError: the network is not valid.
        InfeasibleError: the circuit does not fit the network.
        VerificationError: the program failed its verification; this is a fault in distq.
        UsageError: an option has a value that is not known.
    """
    if purify != "stated" or min_pair_fidelity is not None:
        arguments = dict(locals())
        from distq.purified import compile_purified

        return compile_purified(**arguments)
    from distq.choose import preferred
    from distq.circuit.from_qiskit import readings
    from distq.mapping.chart import is_mapped
    from distq.objective import Objective
    from distq.partition.halt import Halt
    from distq.partition.reuse import reuse_qubits
    from distq.program.compiled import CompiledProgram
    from distq.rewrite.passes import enabled
    from distq.schedule.asap import asap

    wanted = Objective.of(objective)
    halt = Halt(time_limit)
    clock = _Clock(progress)
    with clock("read"):
        ready = prepare(
            circuit,
            network,
            effort=effort,
            verify=verify,
            start=start,
            outcomes_only=outcomes_only,
            error_budget=error_budget,
            without=without,
            mapping=mapping,
        )
        source, network, techniques = ready.source, ready.network, enabled(without)
        forms = readings(source, bool(pins) or final_homes not in (None, "free"))
    # Neither homes that are asked for nor the router of a module know wires that give up their place.
    bound = _asked(initial_homes, final_homes, pins) or is_mapped(network)
    if "reuse" in techniques and not bound:
        forms = [replace(form, reuse=True) for form in forms]
    options: dict[str, Any] = {
        "effort": effort,
        "seed": seed,
        "partitioner": partitioner,
        "initial_homes": initial_homes,
        "final_homes": final_homes,
        "pins": pins,
        "without": without,
        "objective": wanted,
        "halt": halt,
        "clock": clock,
    }

    def plan_for(logical: LogicalCircuit) -> tuple[Plan, tuple[str, ...]]:
        with clock("normalise"):
            rewritten, merged, last = ready.normalise(logical)
        reuse = partial(reuse_qubits, outcomes_only=outcomes_only) if logical.reuse else None

        def search(circuit: LogicalCircuit, raw: LogicalCircuit) -> Plan:
            try:
                return make_plan(
                    circuit,
                    network.without_coupling(),
                    raw=raw,
                    last=last,
                    reuse=reuse if start == "zero" else None,
                    **options,
                )
            except InfeasibleError as error:
                shared = reuse(circuit) if reuse and start == "any" else None
                if shared is None or not shared.circuit.num_qubits <= network.total_data < circuit.num_qubits:
                    raise
                raise InfeasibleError(
                    f"{error}; if its qubits start in |0>, say so (start='zero', on the command line --start zero): "
                    f"then {shared.circuit.num_qubits} are enough, because qubits can be reused"
                ) from error

        return _best_form(search(merged, rewritten), rewritten, techniques, search, last, wanted, halt)

    made = _possible(plan_for, forms)
    plan, techniques = made[preferred([plan for plan, _ in made], wanted)]
    program, mapped = _lower(plan, network, clock, effort, seed)
    with clock("schedule"):
        schedule = asap(program)
    stats = {
        "circuit": {"gates": source.size(), "two_qubit_gates": forms[0].num_two_qubit_gates},
        **count_plan(plan),
        **mapped,
        "effort": effort,
        "partitioner": plan.placement.partitioner,
        "start": start,
        "outcomes_only": outcomes_only,
        "objective": wanted.text,
        "seed": seed,
        "techniques": {"rewrites": list(techniques)},
        "error_bound": plan.circuit.error_bound,
        "reproducible": not halt.hit,
        "seconds": clock.seconds,
    }
    with clock("report"):
        rows = report_plan(plan, stats)
    compiled = CompiledProgram(program=program, schedule=schedule, stats=stats, plan_rows=rows)
    if verify != "none":
        with clock("verify"):
            ready.verify(compiled)
    return compiled


def normalise(
    logical: LogicalCircuit,
    network: Network,
    *,
    start: str = "any",
    outcomes_only: bool = False,
    without: Collection[str] = (),
    error_budget: float = 1e-9,
) -> tuple[LogicalCircuit, LogicalCircuit, Callable[[LogicalCircuit], LogicalCircuit]]:
    """The circuit that is partitioned; arguments as those of `compile`.

    Returns:
        The circuit in its normal form with one-qubit gates not merged, the one to partition, and what makes the second
        of the first after merging (the rewrites by what the circuit means).
    """
    from distq.mapping.chart import is_mapped
    from distq.rewrite.expand import expand_gates
    from distq.rewrite.meaning import rewrite_meaning
    from distq.rewrite.merge import merge_one_qubit
    from distq.rewrite.passes import enabled, rewrite

    rewritten = rewrite(logical, enabled(without), error_budget, _widest(network))
    if is_mapped(network):
        # Coupling maps join two places at a time. Wide gates that rewrites made would be taken apart in another way.
        if (rewritten.origin[rewritten.arity > 2] < -len(logical.rewrites)).any():
            kept = enabled((*without, "gadgets", "whole-gates"))
            rewritten = rewrite(logical, kept, error_budget)
        rewritten = expand_gates(rewritten, range(len(rewritten)))
    last = partial(rewrite_meaning, network=network, start=start, outcomes_only=outcomes_only, without=without)
    return rewritten, last(merge_one_qubit(rewritten)), last


def _widest(network: Network) -> int | None:
    """The widest gate that it makes sense to put together: what no module has the qubits for is taken apart again."""
    room = [(m.data, m.comm) for m in network.modules]
    if any(comm is None for _, comm in room):
        return None
    # A single communication qubit serves gates on three qubits; wider ones seldom have all others in one module.
    return max(data + comm if comm > 1 else 3 for data, comm in room if comm is not None)


def _best_form(
    plan: Plan,
    form: LogicalCircuit,
    techniques: tuple[str, ...],
    search: Callable[[LogicalCircuit, LogicalCircuit], Plan],
    last: Callable[[LogicalCircuit], LogicalCircuit],
    objective: Objective,
    halt: Halt,
) -> tuple[Plan, tuple[str, ...]]:
    """The best of this plan and those for other forms of the circuit, and the techniques that led to it."""
    from distq.choose import preferred
    from distq.partition.cost import cost
    from distq.rewrite.merge import merge_one_qubit
    from distq.rewrite.passes import COMPETING, other_forms

    found = [(plan, tuple(t for t in techniques if t not in COMPETING))]
    for names, other in other_forms(form, techniques):
        if halt.hit or not cost(plan, plan.network):
            break
        with suppress(InfeasibleError):
            found.append((search(last(merge_one_qubit(other)), other), names))
    return found[preferred([plan for plan, _ in found], objective)]


def make_plan(
    circuit: LogicalCircuit,
    network: Network,
    *,
    raw: LogicalCircuit | None = None,
    last: Callable[[LogicalCircuit], LogicalCircuit] | None = None,
    effort: str = "default",
    seed: int = 0,
    partitioner: str = "auto",
    initial_homes: str | Homes | None = None,
    final_homes: str | Homes | None = None,
    pins: Homes | None = None,
    without: Collection[str] = (),
    reuse: Reuse | None = None,
    objective: Objective | Callable[[Chooser], Plan] | None = None,
    halt: Halt | None = None,
    clock: _Clock | None = None,
) -> Plan:
    """Partition a normalised circuit and put gates, copies and moves in order.

    Gates on three or more qubits that no module could serve with its communication qubits are expanded first: in `raw`,
    if it is given (the circuit before its one-qubit gates were merged), so that the plan's circuit has the witnesses;
    `last` is what was done to the circuit after that. With `reuse` (`partition.reuse.reuse_qubits`, where the promises
    allow it, and no homes are asked for) qubits share wires if that saves ebits, or if there is no room otherwise.
    `objective` says which of several plans is taken (None: the one with the fewest ebits), or takes one itself.
    """
    from distq.choose import preferred
    from distq.partition.cost import cost
    from distq.partition.halt import Halt

    planned = partial(
        _make_plan,
        circuit,
        network,
        raw,
        last,
        {
            "effort": effort,
            "seed": seed,
            "initial_homes": _by_index(initial_homes, network),
            "final_homes": _by_index(final_homes, network),
            "pins": _by_index(pins, network),
            "halt": halt or Halt(),
        },
        partitioner,
        "exchange" not in without,
        objective,
        clock or _Clock(None),
    )
    shared = reuse(circuit) if reuse and not _asked(initial_homes, final_homes, pins) else None
    if shared is None:
        return planned(None)
    plans, problem = [], None
    for attempt in (reuse, None):
        try:
            plans.append(planned(attempt))
        except InfeasibleError as error:
            problem = error
        if plans and cost(plans[0], network) == 0:
            break
    if not plans:
        raise InfeasibleError(f"{problem} ({shared.circuit.num_qubits} at a time where qubits are reused)") from problem
    return plans[preferred(plans, None if callable(objective) else objective)]


def _make_plan(
    circuit: LogicalCircuit,
    network: Network,
    raw: LogicalCircuit | None,
    last: Callable[[LogicalCircuit], LogicalCircuit] | None,
    options: dict[str, Any],
    partitioner: str,
    exchange: bool,
    objective: Objective | Callable[[Chooser], Plan] | None,
    clock: _Clock,
    reuse: Reuse | None,
) -> Plan:
    """The plan with or without qubits that share wires; `options` are those of `make_problem`."""
    from distq.choose import Chooser
    from distq.network.feasible import usable_modules
    from distq.objective import Objective
    from distq.partition.dynamic import improve_dynamic
    from distq.partition.exact import with_exact_sites
    from distq.partition.order import order
    from distq.partition.packets import build_packets
    from distq.partition.place import make_problem, solve
    from distq.partition.pressure import frugal, improve_pressure
    from distq.partition.route import improve_routes
    from distq.partition.serve import modest, scattered, unservable

    effort, seed = options["effort"], options["seed"]
    with options["halt"].interruptible(clock.progress):
        while True:
            shared = reuse(circuit) if reuse else None
            own, circuit = circuit, shared.circuit if shared else circuit
            options["allowed"] = usable_modules(network, circuit.num_qubits)
            with clock("partition"):
                graph = build_packets(circuit)
                problem = make_problem(circuit, graph, network, **options)
                placements = solve(problem, partitioner)
            rows = unservable(circuit, graph, network, placements[0])
            if not len(rows):
                break
            with clock("normalise"):
                raw, circuit = _expanded(own, shared.rows[rows].tolist() if shared else rows, raw, last)
        with clock("partition"):
            # Which of these is cheapest when communication qubits are few, only their order can tell.
            candidates = placements[:1]
            if partitioner == "auto":
                moving = with_exact_sites(problem, improve_dynamic(problem, *placements))
                simple = modest(graph, network, placements[0], effort=effort, seed=seed)
                apart = scattered(graph, network, placements[0])
                near = frugal(problem)
                others = (moving, simple, apart, near)
                candidates += [p for p in others if p is not None and p is not placements[0]]
    with clock("order"):
        plans = _possible(lambda placement: order(circuit, graph, network, placement, exchange), candidates)
    if partitioner == "auto":
        with clock("partition"), options["halt"].interruptible(clock.progress):
            together = improve_pressure(circuit, problem, plans)
        if together is not None:
            with clock("order"), suppress(InfeasibleError):
                plans.append(order(circuit, graph, network, together, exchange))
        with clock("order"), options["halt"].interruptible(clock.progress):
            routed = improve_routes(circuit, problem, plans) if exchange else None
        if routed is not None:
            plans.append(routed)
    with clock("order"), options["halt"].interruptible(clock.progress):
        chooser = Chooser.of_plans(plans, placements[1:], effort, seed, exchange=exchange, halt=options["halt"])
        if callable(objective):
            return objective(chooser)
        return chooser.best(objective or Objective(ebits=1)).plan


def _possible(make: Callable[[T], M], candidates: Iterable[T]) -> list[M]:
    """What can be made of the candidates: homes that change may leave a wide gate without a module to serve it.

    Raises:
        InfeasibleError: none can be made; the reason is that of the first.
    """
    made: list[M] = []
    refused: InfeasibleError | None = None
    for candidate in candidates:
        try:
            made.append(make(candidate))
        except InfeasibleError as error:
            refused = refused or error
    if refused and not made:
        raise refused
    return made


def _expanded(
    circuit: LogicalCircuit,
    rows: list[int],
    raw: LogicalCircuit | None,
    last: Callable[[LogicalCircuit], LogicalCircuit] | None,
) -> tuple[LogicalCircuit | None, LogicalCircuit]:
    """The raw and the merged circuit with these rows of the merged one expanded."""
    import numpy as np

    from distq.rewrite.expand import expand_gates
    from distq.rewrite.merge import merge_one_qubit

    if raw is None:
        return None, expand_gates(circuit, rows)
    # Merging keeps the order of all gates on several qubits.
    number = np.searchsorted(np.flatnonzero(circuit.arity > 1), rows).tolist()
    if circuit.wide_before is not None:
        number = circuit.wide_before[number].tolist()
        if min(number) < 0:
            raise ValueError("a gate that lost legs cannot be expanded any more")
    raw = expand_gates(raw, np.flatnonzero(raw.arity > 1)[number].tolist())
    circuit = merge_one_qubit(raw)
    return raw, last(circuit) if last else circuit


def count_plan(plan: Plan) -> dict[str, Any]:
    """Figures of a plan for reports: ebits, gates carried out with a remote qubit, state teleportations."""
    import numpy as np

    from distq.partition.cost import cost
    from distq.partition.plan import Step

    return {
        "ebits": cost(plan, plan.network),
        "remote_gates": _count_remote_gates(plan),
        "teleports": int(np.count_nonzero(plan.kind == Step.SHIFT)),
        "exchanges": int(np.count_nonzero(plan.kind == Step.EXCHANGE)),
    }


def report_plan(plan: Plan, stats: dict[str, Any]) -> dict[str, Any]:
    """Add bounds and techniques to the figures of a plan; returns the rows that say what its Bell pairs are for.

    Techniques that earlier stages have put into `stats` stay there.
    """
    import numpy as np

    from distq.partition.bounds import lower_bounds
    from distq.report.account import account

    found = account(plan)
    promise = {"zero_start": stats.get("start") == "zero", "outcomes_only": bool(stats.get("outcomes_only"))}
    bounds = lower_bounds(plan, np.array(found.homes, np.int32), **promise)
    proved = bounds.proved(stats["ebits"])
    stats["lower_bound"] = bounds.every_plan
    stats["lower_bound_homes"] = bounds.these_ends
    stats["optimal"] = proved is not None
    stats["optimal_class"] = proved
    stats.setdefault("error_bound", 0.0)
    stats["techniques"] = {"partitioner": plan.placement.partitioner, **stats.get("techniques", {}), **found.counts}
    return found.to_dict()


def _count_remote_gates(plan: Plan) -> int:
    """Gates with at least one qubit that is present as a copy."""
    from distq.partition.plan import Step

    home = plan.initial_homes.tolist()
    offsets, legs = plan.graph.node_offsets.tolist(), plan.graph.leg_qubit.tolist()
    count = 0
    for kind, a, b in zip(plan.kind.tolist(), plan.a.tolist(), plan.b.tolist()):
        if kind == Step.NODE:
            count += any(home[q] != b for q in legs[offsets[a] : offsets[a + 1]])
        elif kind in (Step.SHIFT, Step.JUMP):
            home[a] = b
        elif kind == Step.EXCHANGE:
            home[a], home[b] = home[b], home[a]
    return count


def _lower(
    plan: Plan, network: Network, clock: _Clock, effort: str, seed: int
) -> tuple[DistributedProgram, dict[str, Any]]:
    """The program, and figures of its routing on the coupling maps of the network's modules."""
    from dataclasses import replace

    from distq.mapping.chart import is_mapped
    from distq.program.order import canonical
    from distq.program.witnesses import with_witnesses
    from distq.protocols.lower import lower

    with clock("lower"):
        program = lower(plan)
    figures: dict[str, Any] = {}
    if is_mapped(network):
        from distq.mapping.route import map_program

        with clock("map"):
            mapped = map_program(replace(program, network=network), plan, effort=effort, seed=seed)
            program = mapped.program
            figures["mapping"] = {"swaps": mapped.swaps.tolist()}
    with clock("lower"):
        return with_witnesses(canonical(program), plan.circuit), figures


class _Clock:
    """Wall time of each stage [s], and progress."""

    def __init__(self, progress: Callable[[str], None] | None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if self.progress:
            self.progress(stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def _asked(*homes: str | Homes | None) -> bool:
    """Whether the user asks for any of these homes."""
    return any(h and h != "free" for h in homes)


def _by_index(homes: str | Homes | None, network: Network) -> str | dict[int, int] | None:
    """Homes with the names of modules turned into indices."""
    if homes is None or isinstance(homes, str):
        return homes
    return {q: network.index(m) if isinstance(m, str) else m for q, m in homes.items()}
