from __future__ import annotations

import random
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from program_samples import HANDMADE, finish, random_program

sys.path.insert(0, str(Path(__file__).parents[1] / "schedule"))
from timeline_checks import random_hardware

from distq.network.hardware import LinkHardware, ModuleHardware
from distq.ops import Op
from distq.program.order import canonical
from distq.program.types import ProgramBuilder
from distq.report.gantt import LEFT, RIGHT, WIDTH, gantt
from distq.report.schedule import schedule_text, time_text
from distq.schedule.plan import schedule

SVG = "{http://www.w3.org/2000/svg}"


def shapes(text: str, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter(f"{SVG}{tag}"))


def titles(text: str) -> list[str]:
    return [e.text or "" for e in shapes(text, "title")]


@pytest.mark.parametrize("name", HANDMADE)
def test_every_operation_is_drawn(name: str) -> None:
    form = canonical(HANDMADE[name]())
    network = form.network.with_hardware(
        ModuleHardware(one_qubit_time=1.0, two_qubit_time=2.0, measure_time=3.0),
        LinkHardware(pair_time=5.0, latency=4.0),
    )
    t = schedule(form, network, frames=False)
    text = gantt(t, "detailed")
    found = titles(text)
    legs = np.diff(form.qubit_offsets)
    assert sum(x.startswith("measure,") for x in found) == np.count_nonzero(form.code == Op.MEASURE)
    assert sum(x.startswith("CX") for x in found) == 2 * np.count_nonzero(form.code == Op.CX)
    assert sum(x.startswith("message") for x in found) >= 1
    # Each pair on its link, there until its use if that is later, and on its two qubits.
    pair = int(t.graph.pairs[0])
    waits = t.order.start[t.order.user[pair]] > t.end[pair]
    assert sum(x.startswith("pair 0") for x in found) == 3 + waits
    assert legs.max() >= 2
    labels = [e.text for e in shapes(text, "text")]
    assert {m.name for m in form.network.modules} <= set(labels)
    assert any(e.get("stroke") == "#e53e3e" for e in shapes(text, "rect"))
    # A box begins and ends where its times say.
    row = int(np.flatnonzero(form.code == Op.MEASURE)[0])
    scale = (WIDTH - LEFT - RIGHT) / t.makespan
    wanted = (round(LEFT + t.start[row] * scale, 1), round(3 * scale, 1))
    boxes = [(float(e.get("x", 0)), float(e.get("width"))) for e in shapes(text, "rect")]
    assert any(abs(a - wanted[0]) < 0.11 and abs(b - wanted[1]) < 0.11 for a, b in boxes)


def test_tracked_corrections_are_circles() -> None:
    form = canonical(HANDMADE["teleported_cz"]())
    network = form.network.with_hardware(ModuleHardware(two_qubit_time=2.0), LinkHardware(pair_time=5.0, latency=9.0))
    t = schedule(form, network)
    assert t.graph.frames
    assert len(shapes(gantt(t), "circle")) == 2


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("form", ["detailed", "summary", "auto"])
def test_pictures_are_valid_and_inside(seed: int, form: str) -> None:
    program = canonical(random_program(seed, rows=60))
    text = gantt(schedule(program, random_hardware(seed, program.network, ages=False)), form)
    root = ET.fromstring(text)
    width, height = float(root.get("width")), float(root.get("height"))
    for e in shapes(text, "rect"):
        assert float(e.get("x", 0)) + float(e.get("width")) <= width + 1
        assert 0 <= float(e.get("y", 0)) <= height
    for e in shapes(text, "text"):
        assert float(e.get("y")) <= height


def test_long_programs_are_summarised() -> None:
    r = random.Random(1)
    program = canonical(random_program(1, rows=2000))
    t = schedule(program, random_hardware(r.randrange(99), program.network, ages=False))
    text = gantt(t)
    assert "polygon" in text
    assert "<circle" not in text
    assert "polygon" not in gantt(t, "detailed")


def test_nothing_and_nonsense() -> None:
    t = schedule(canonical(finish(ProgramBuilder(HANDMADE["teleported_cz"]().network), [], [])))
    assert ET.fromstring(gantt(t)) is not None
    assert ET.fromstring(gantt(t, "summary")) is not None
    assert "makespan" in schedule_text(t, {})
    with pytest.raises(ValueError, match="must be auto, detailed or summary"):
        gantt(t, "long")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0, "s", "0 s"), (1.5, "s", "1.5 s"), (2e-3, "s", "2 ms"), (1.25e-6, "s", "1.25 us"), (6e-8, "s", "60 ns"),
     (1e-12, "s", "0.001 ns"), (float("inf"), "s", "never"), (12.0, "operation", "12")],
)  # fmt: skip
def test_times(value: float, unit: str, text: str) -> None:
    assert time_text(value, unit) == text


def test_text_of_a_schedule() -> None:
    form = canonical(HANDMADE["fan_out"]())
    network = form.network.with_hardware(ModuleHardware(measure_time=1e-3), LinkHardware(rate=100.0, latency=1e-4))
    t = schedule(form, network)
    text = schedule_text(t, {"on demand": 1.0}, t.distribution(100, 3), 2e-3)
    for words in ("makespan", "bound B1", "bound B2           2 ms", "on demand          1 s", "100 samples, seed 3",
                  "counted as 0", "two_qubit_time (every module)", "critical path: "):  # fmt: skip
        assert words in text
