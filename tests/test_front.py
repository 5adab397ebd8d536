"""The Pareto front: only programs that none beats, each given again by its options, in every form of output."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from qiskit import QuantumCircuit, qasm2

import distq
from distq.cli.main import main
from distq.errors import UsageError
from distq.front import _Front
from distq.network.hardware import LinkHardware, ModuleHardware
from distq.network.model import Network
from distq.objective import Figures, Objective
from distq.program.order import differences
from distq.schedule.plan import schedule
from distq.testing import RandomChoices, random_circuit

HARDWARE = ModuleHardware(
    one_qubit_time=1e-6, two_qubit_time=1e-5, measure_time=1e-5, reset_time=1e-6, two_qubit_error=0.002, data_t2=0.1
)
PAIR = LinkHardware(pair_time=1e-4, latency=1e-6, fidelity=0.97)


def network() -> Network:
    return Network.all_to_all(4, 3, 2, hardware=HARDWARE, link_hardware=PAIR)


def circuit() -> QuantumCircuit:
    return random_circuit(RandomChoices(3), 12, 120, ("standard", "clifford"))


@pytest.fixture(scope="module")
def found() -> distq.Tradeoff:
    return distq.tradeoff(circuit(), network(), effort="fast", seeds=2)


def test_no_choice_is_beaten(found: distq.Tradeoff) -> None:
    figures = [x.figures for x in found.choices]
    assert found.programs >= len(figures) >= 2
    assert found.unit == "s"
    for i, a in enumerate(figures):
        assert a.fidelity is not None
        assert 0 < a.fidelity < 1
        for b in figures[:i]:
            assert a.fidelity is not None
            assert b.fidelity is not None
            assert a.ebits < b.ebits or a.makespan < b.makespan or a.fidelity > b.fidelity
    assert [x.ebits for x in figures] == sorted(x.ebits for x in figures)
    assert all(x.program.stats["verified"]["ok"] for x in found.choices)


def test_choices_can_be_made_again(found: distq.Tradeoff) -> None:
    for choice in found.choices:
        again = distq.compile(
            circuit(),
            network(),
            objective=choice.objective,
            seed=choice.seed,
            effort=choice.effort,
            without=choice.left_out,
            verify="none",
        )
        assert differences(again.program, choice.program.program) == []
        assert again.ebits == choice.figures.ebits
        assert schedule(again).makespan == choice.figures.makespan
        without = "".join(f" --without {name}" for name in choice.left_out)
        assert choice.options == f"--objective {choice.objective} --seed {choice.seed} --effort fast{without}"


def test_output(found: distq.Tradeoff) -> None:
    data = found.to_dict()
    assert len(data["front"]) == len(found.choices)
    assert json.loads(json.dumps(data, allow_nan=False))["front"][0]["ebits"] == found.choices[0].figures.ebits
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [int(row["ebits"]) for row in rows] == [x.figures.ebits for x in found.choices]
    assert [float(row["makespan"]) for row in rows] == [x.figures.makespan for x in found.choices]
    picture = ElementTree.fromstring(found.to_svg())
    assert len(picture.findall("{http://www.w3.org/2000/svg}circle")) == len(found.choices)
    text = str(found)
    assert all(x.options in text for x in found.choices)
    assert "fidelity" in text.splitlines()[0]


def test_what_beats_what() -> None:
    program = distq.compile(QuantumCircuit(2), Network.line(2, 1, 1), verify="none")

    def front(*figures: Figures) -> list[Figures]:
        from distq.front import Choice

        it = _Front(lambda timeline: 1.0, program.network, ())
        it.choices = [Choice("ebits", 0, "fast", x, program) for x in figures]
        return [x.figures for x in it.best()]

    a, b, c = Figures(1, 5.0, 0.8), Figures(2, 4.0, 0.8), Figures(3, 6.0, 0.9)
    assert front(c, b, a) == [a, b, c]
    assert front(a, Figures(1, 5.0, 0.8)) == [a]
    assert front(a, Figures(1, 6.0, 0.8), Figures(2, 5.0, 0.7)) == [a]
    # What sampling adds is no advantage.
    assert front(a, Figures(2, 5.0, 0.801)) == [a]
    assert front(Figures(2, math.inf, 0.0), a) == [a]


def test_bad_arguments() -> None:
    for options, message in (
        ({"objectives": []}, "no objective to compile for"),
        ({"seeds": 0}, "number of seeds is 0"),
        ({"objectives": ["speed"]}, "names 'speed'"),
        ({"verify": "maybe"}, "verify is 'maybe'"),
    ):
        with pytest.raises(UsageError, match=message):
            distq.tradeoff(circuit(), network(), **options)


def test_without_times() -> None:
    found = distq.tradeoff(
        circuit(),
        Network.all_to_all(4, 3, 2),
        effort="fast",
        objectives=["ebits", Objective(makespan=1)],
        verify="none",
    )
    assert found.unit == "operation"
    assert all(x.figures.fidelity == pytest.approx(1) for x in found.choices)
    assert found.choices[-1].figures.makespan == float(int(found.choices[-1].figures.makespan))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, table, picture = tmp_path / "c.qasm", tmp_path / "front.csv", tmp_path / "front.svg"
    drawn = QuantumCircuit(6)
    for i in range(30):
        drawn.cx(i % 6, (i * i + 1) % 6) if i % 6 != (i * i + 1) % 6 else drawn.h(i % 6)
    qasm2.dump(drawn, source)
    lab = tmp_path / "lab.toml"
    lab.write_text("topology = 'line'\nmodules = 2\ndata = 3\ncomm = 2\n[link_hardware]\npair_time = 1e-4\n", "utf-8")
    line = ["tradeoff", str(source), "--network", str(lab), "--effort", "fast", "--objective", "ebits",
            "--objective", "makespan=2,ebits=1"]  # fmt: skip
    assert main([*line, "--csv", str(table), "--svg", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "options of compile" in text
    assert "--effort fast" in text
    assert table.read_text("utf-8").startswith("ebits,makespan")
    assert picture.read_text("utf-8").startswith("<svg")
    assert main([*line, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "distq-tradeoff-1"
    assert main([*line, "--csv", str(table)]) == 2
    assert "front.csv" in capsys.readouterr().err
    assert main([*line[:-1], "speed"]) == 2
    assert "names 'speed'" in capsys.readouterr().err
