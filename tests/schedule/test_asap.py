from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest
from program_samples import HANDMADE, finish, oxford_network, random_program, teleported_cz

from distq.network.model import Network
from distq.ops import Op
from distq.program.order import canonical
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
from distq.schedule.asap import UNIT, Durations, asap, depth, from_starts, remote_depth


def longest_paths(program: DistributedProgram, duration: np.ndarray) -> np.ndarray:
    """End of each row as the longest path in the graph of what waits for what."""
    graph = nx.DiGraph()
    last: dict[object, int] = {}
    for row in range(len(program)):
        graph.add_node(row)
        qubits = program.qubits[program.qubit_offsets[row] : program.qubit_offsets[row + 1]].tolist()
        g = int(program.guard[row])
        bits = [b for b, _ in program.guards[g]] if g >= 0 else []
        if program.code[row] == Op.SEND:
            bits = [int(program.bit[row])]
        for key in [*(("q", q) for q in qubits), *(("b", b) for b in bits)]:
            if key in last:
                graph.add_edge(last[key], row)
        for q in qubits:
            last["q", q] = row
        if program.code[row] == Op.MEASURE:
            last["b", int(program.bit[row])] = row
        if program.code[row] == Op.SEND:
            last["b", int(program.bit2[row])] = row
    end = np.zeros(len(program))
    for row in nx.topological_sort(graph):
        end[row] = duration[row] + max((end[p] for p in graph.predecessors(row)), default=0.0)
    return end


def random_durations(seed: int, network: Network) -> Durations:
    r = random.Random(seed)
    k, links = len(network.modules), len(network.links)

    def each(n: int) -> float | tuple[float, ...]:
        return r.uniform(0, 3) if r.random() < 0.5 else tuple(r.uniform(0, 3) for _ in range(n))

    message = r.uniform(0, 2) if r.random() < 0.5 else tuple(tuple(r.uniform(0, 2) for _ in range(k)) for _ in range(k))
    return Durations(each(k), each(k), each(k), each(k), each(links), message)


@pytest.mark.parametrize("seed", range(40))
def test_starts_are_longest_paths(seed: int) -> None:
    program = canonical(random_program(seed, rows=50))
    for durations in (UNIT, random_durations(seed, program.network)):
        schedule = asap(program, durations)
        duration = durations.of_rows(program)
        assert np.allclose(schedule.end, longest_paths(program, duration))
        assert np.allclose(schedule.end - schedule.start, duration)
        assert schedule.makespan == schedule.end.max(initial=0.0)
    assert depth(program) == asap(program).makespan
    pairs = (program.code == Op.EPR).astype(float)
    assert remote_depth(program) == longest_paths(program, pairs).max(initial=0.0)


def test_teleported_cz() -> None:
    form = canonical(teleported_cz())
    schedule = asap(form)
    names = [Op(c).name for c in form.code.tolist()]
    assert list(zip(names, schedule.start.tolist())) == [
        ("EPR", 0), ("CX", 1), ("MEASURE", 2), ("SEND", 3), ("X", 3), ("MCP", 4), ("H", 5), ("MEASURE", 6), ("SEND", 7),
        ("Z", 7),
    ]  # fmt: skip
    assert (depth(form), remote_depth(form), schedule.makespan) == (8, 1, 8)
    slow = asap(form, Durations(pair=10, message=((0, 2), (3, 0))))
    assert slow.makespan == 8 + 9 + 2 + 3


def test_remote_depth_counts_pairs_in_a_row() -> None:
    b = ProgramBuilder(oxford_network())
    a, c = b.qubit(0, COMM, 0), b.qubit(1, COMM, 0)
    for _ in range(3):
        b.add(Op.EPR, (a, c), link=0)
        b.add(Op.RESET, (a,))
    for _ in range(20):
        b.add(Op.H, (b.qubit(0, DATA, 0),))
    form = canonical(finish(b, [], []))
    assert (depth(form), remote_depth(form)) == (20, 3)


@pytest.mark.parametrize("name", HANDMADE)
def test_from_starts_gives_the_same_schedule(name: str) -> None:
    form = canonical(HANDMADE[name]())
    schedule = asap(form)
    kept = schedule.start.copy()
    kept[form.code == Op.SEND] = np.nan  # which files do not hold
    again = from_starts(form, kept, schedule.makespan)
    assert np.array_equal(again.start, schedule.start)
    assert np.array_equal(again.end, schedule.end)


def test_nothing_to_do() -> None:
    form = canonical(finish(ProgramBuilder(oxford_network()), [], []))
    assert (asap(form).makespan, depth(form), remote_depth(form)) == (0, 0, 0)


@pytest.mark.parametrize("bad", [{"pair": -1.0}, {"measure": float("nan")}, {"message": ((0, -1), (0, 0))}])
def test_bad_durations(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative or not finite"):
        Durations(**bad)
