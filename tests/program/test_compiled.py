from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from program_samples import HANDMADE, fan_out, finish, oxford_network, random_program, state_teleport, teleported_cz

from distq.errors import InputError
from distq.ops import Op
from distq.program.compiled import CompiledProgram, load, peak_comm_qubits
from distq.program.order import canonical, differences
from distq.program.types import COMM, DATA, DistributedProgram, ProgramBuilder
from distq.schedule.asap import Durations, asap

#: What `--json` must hold at least.
KEYS = [
    "schema",
    "version",
    "circuit",
    "network",
    "ebits",
    "ebits_per_link",
    "peak_comm_qubits",
    "remote_gates",
    "teleports",
    "classical_bits",
    "messages",
    "depth",
    "remote_depth",
    "initial_layout",
    "final_layout",
    "verified",
    "seconds",
    "seed",
    "reproducible",
]


def compiled(program: DistributedProgram, **stats: object) -> CompiledProgram:
    form = canonical(program)
    return CompiledProgram(program=form, schedule=asap(form), stats=stats)


def occupied(program: DistributedProgram, module: int) -> int:
    """The most communication qubits in use at once: intervals of rows, counted row by row."""
    peak = 0
    n = len(program)
    comm = [
        q for q in range(program.num_physical) if program.qubit_module[q] == module and program.qubit_role[q] == COMM
    ]
    intervals = []
    for q in comm:
        rows = [i for i in range(n) if q in program.qubits[program.qubit_offsets[i] : program.qubit_offsets[i + 1]]]
        begin = 0 if q in program.input_qubit else None
        for i in rows:
            ends = program.code[i] in (Op.MEASURE, Op.RESET) and program.guard[i] < 0
            if begin is None and program.code[i] != Op.RESET:
                begin = i
            if begin is not None and (ends or (i == rows[-1] and q not in program.output_qubit)):
                intervals.append((begin, i))
                begin = None
        if begin is not None:
            intervals.append((begin, n))
    for i in range(n):
        peak = max(peak, sum(a <= i <= b for a, b in intervals))
    return peak


def test_peaks() -> None:
    assert compiled(teleported_cz()).peak_comm_qubits == {"A": 1, "B": 1}
    for seed in range(40):
        form = canonical(random_program(seed, rows=40))
        assert peak_comm_qubits(form) == [occupied(form, m) for m in range(len(form.network.modules))]


def test_figures() -> None:
    program = compiled(fan_out())
    assert program.ebits == 2
    assert program.ebits_per_link == {("m0", "m1"): 1, ("m1", "m2"): 1}
    assert (program.messages, program.classical_bits) == (4, 4)
    assert (program.depth, program.remote_depth, program.schedule.makespan) == (9, 1, 9)
    assert program.initial_layout == {0: ("m0", "d", 0), 1: ("m1", "d", 0), 2: ("m2", "d", 0)}
    assert compiled(state_teleport()).final_layout == {0: ("B", "d", 1)}
    middle = program.modules[1]
    assert (middle.name, middle.data_qubits, middle.comm_qubits, middle.statements) == ("m1", 1, 2, 9)
    assert middle.qasm.startswith("OPENQASM 3.0;\n")


def test_a_bit_sent_twice_is_one_classical_bit() -> None:
    from distq.network.model import Network

    b = ProgramBuilder(Network.all_to_all(3, 1, 1))
    bit = b.measure(b.qubit(0, DATA, 0), 0)
    b.send(bit, 1)
    b.send(bit, 2)
    program = compiled(finish(b, [], []))
    assert (program.messages, program.classical_bits) == (2, 1)


def test_dict_has_the_promised_keys() -> None:
    stats = {"circuit": {"gates": 5, "two_qubit_gates": 2}, "seed": 7, "remote_gates": 2, "partitioner": "x"}
    result = compiled(fan_out(), **stats).to_dict()
    assert set(KEYS) <= set(result)
    assert result["circuit"] == {"name": "fan-out", "qubits": 3, "clbits": 0, "gates": 5, "two_qubit_gates": 2}
    assert (result["seed"], result["remote_gates"], result["partitioner"]) == (7, 2, "x")
    assert result["ebits_per_link"][0] == {"a": "m0", "b": "m1", "ebits": 1}
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize("name", HANDMADE)
def test_save_and_load(name: str, tmp_path: Path) -> None:
    program = compiled(HANDMADE[name](), seed=3, seconds={"read": 0.5})
    program.save(tmp_path / "p")
    again = load(tmp_path / "p")
    assert differences(again.program, program.program) == []
    assert np.array_equal(again.schedule.start, program.schedule.start)
    assert np.array_equal(again.schedule.end, program.schedule.end)
    assert again.to_dict() == program.to_dict()
    assert again.summary() == program.summary()


def test_the_schedule_of_the_files_is_kept(tmp_path: Path) -> None:
    form = canonical(fan_out())
    slow = asap(form, Durations(pair=5.0))
    CompiledProgram(form, slow).save(tmp_path / "p")
    again = load(tmp_path / "p")
    rows = form.code != Op.SEND
    assert np.array_equal(again.schedule.start[rows], slow.start[rows])
    assert again.schedule.makespan == slow.makespan


def test_bad_schedules(tmp_path: Path) -> None:
    compiled(fan_out()).save(tmp_path / "p")
    path = tmp_path / "p" / "manifest.json"
    good = json.loads(path.read_bytes())
    good["schedule"]["start"][0].append(0.0)
    path.write_text(json.dumps(good))
    with pytest.raises(InputError, match="one time for each statement"):
        load(tmp_path / "p")
    good["schedule"]["start"][0].pop()
    good["schedule"]["start"][0][0] += 1.0  # the pair in module 0
    path.write_text(json.dumps(good))
    with pytest.raises(InputError, match="different times"):
        load(tmp_path / "p")
    del good["schedule"]
    path.write_text(json.dumps(good))
    assert load(tmp_path / "p").schedule.makespan == 9


def test_summary_is_for_people() -> None:
    stats = {
        "circuit": {"gates": 5, "two_qubit_gates": 2},
        "remote_gates": 2,
        "teleports": 0,
        "verified": {"method": "symbolic", "ok": True, "seconds": 0.25},
        "seconds": {"read": 0.5, "partition": 1.0},
        "seed": 7,
        "reproducible": False,
    }
    text = compiled(fan_out(), **stats).summary()
    for part in (
        "fan-out: 3 qubits, 5 gates (2 on two or more qubits)",
        "2 (m0-m1 1, m1-m2 1)",
        "yes (symbolic, 0.25 s)",
        "1.50 (read 0.50, partition 1.00)",
        "7, not reproducible",
        "1 of 2       2 of 2",
    ):
        assert part in text
    assert "nothing" not in text


def test_programs_without_operations() -> None:
    program = compiled(finish(ProgramBuilder(oxford_network()), [], []))
    assert program.ebits == 0
    assert program.to_dict()["depth"] == 0
    assert "0 qubits" in program.summary()


def test_frozen() -> None:
    program = compiled(teleported_cz())
    with pytest.raises(AttributeError):
        program.stats = {}  # type: ignore[misc]
    assert replace(program, stats={"seed": 1}).stats == {"seed": 1}
