from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_cases import Cli

HARDWARE = """
topology = "all-to-all"
modules = 2
data = 2
[hardware]
two_qubit_time = 1e-5
measure_time = 2e-5
[link_hardware]
attempt_time = 1e-5
success_probability = 0.1
latency = 1e-6
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(HARDWARE)
    return path


def test_units(program: Path, cli: Cli) -> None:
    result = cli("schedule", program)
    assert result.code == 0, result.err
    for words in ("every operation and pair 1", "bound B1", "on demand", "one at a time", "critical path", "m0 - m1"):
        assert words in result.out
    assert "counted as 0" not in result.out


def test_hardware_of_another_network(program: Path, lab: Path, cli: Cli, ghz: Path) -> None:
    content = cli("schedule", program, "--network", lab, "--samples", 500, "--seed", 4, "--circuit", ghz, "--json").json
    assert content["schema"] == "distq-schedule-1"
    assert content["unit"] == "s"
    # One pair of 100 us, and gates on both sides of it.
    assert content["bounds"]["B2"] <= content["bounds"]["B1"] <= content["makespan"]
    assert 1e-4 < content["makespan"] < 3e-4
    assert set(content["baselines"]) == {"on-demand", "one-at-a-time"}
    found = content["distribution"]
    assert (found["samples"], found["seed"]) == (500, 4)
    assert found["p5"] < found["median"] < found["p95"]
    assert sum(content["critical_path"]["time"].values()) == pytest.approx(content["makespan"])
    assert content["counted_as_zero"] == ["one_qubit_time (every module)", "reset_time (every module)"]
    again = cli("schedule", program, "--network", lab, "--samples", 500, "--seed", 4, "--circuit", ghz, "--json").json
    assert again == content
    assert cli("schedule", program, "--network", lab, "--samples", 0, "--json").json["distribution"] is None
    assert "with random pairs" not in cli("schedule", program, "--samples", 0).out


def test_no_frames(program: Path, lab: Path, cli: Cli) -> None:
    content = cli("schedule", program, "--network", lab, "--no-frames", "--json").json
    assert content["frames"] is False
    assert content["makespan"] >= cli("schedule", program, "--network", lab, "--json").json["makespan"]


def test_hardware_survives_the_program_directory(tmp_path: Path, ghz: Path, lab: Path, cli: Cli) -> None:
    assert cli("compile", ghz, "--network", lab, "-o", tmp_path / "out").code == 0
    content = cli("schedule", tmp_path / "out", "--json").json
    assert content["unit"] == "s"
    assert content == cli("schedule", tmp_path / "out", "--network", lab, "--json").json
    assert cli("verify", ghz, tmp_path / "out").code == 0
    assert cli("show", tmp_path / "out", "--json").json["makespan"] == int(
        cli("show", tmp_path / "out", "--json").json["makespan"]
    )


def test_refusals(tmp_path: Path, program: Path, cli: Cli) -> None:
    path = tmp_path / "dead.toml"
    path.write_text(HARDWARE.replace("success_probability = 0.1", "rate = 0"))
    result = cli("schedule", program, "--network", path)
    assert result.code == 4
    assert "on the link m0 - m1, whose rate is 0" in result.err
    path.write_text(HARDWARE.replace("modules = 2", "modules = 1"))
    assert cli("schedule", program, "--network", path).code == 4
    assert cli("schedule", program, "--network", "moon").code == 2
    assert cli("schedule", program, "--samples", -1).code == 2
    assert cli("schedule", tmp_path / "nothing").code == 3
    path.write_text(HARDWARE.replace("0.1", "0"))
    result = cli("schedule", program, "--network", path)
    assert result.code == 3
    assert "success_probability is 0.0" in result.err


def test_dead_links_are_left_out(tmp_path: Path, ghz: Path, cli: Cli) -> None:
    path = tmp_path / "ring.toml"
    path.write_text(
        "".join(f'[[modules]]\nname = "{n}"\ndata = 2\n' for n in "abc")
        + '[[links]]\na = "a"\nb = "b"\nhardware = { rate = 0 }\n'
        + '[[links]]\na = "b"\nb = "c"\n[[links]]\na = "a"\nb = "c"\n'
    )
    summary = cli("compile", ghz, "--network", path, "--json").json
    assert [(x["a"], x["b"]) for x in summary["network"]["links"]] == [("b", "c"), ("a", "c")]
    path.write_text(HARDWARE.replace("attempt_time = 1e-5\nsuccess_probability = 0.1", "rate = 0"))
    result = cli("compile", ghz, "--network", path)
    assert result.code == 4
    assert "links whose rate is 0 (m0 - m1)" in result.err


def test_svg(tmp_path: Path, program: Path, cli: Cli) -> None:
    path = tmp_path / "a.svg"
    assert cli("show", program, "--svg", path).code == 0
    detailed = path.read_text()
    assert ET.fromstring(detailed).tag.endswith("svg")
    assert "critical path: gates" in detailed
    assert "attempts" not in detailed
    assert cli("show", program, "--svg", path).code == 2
    assert cli("show", program, "--svg", path, "--force", "--timeline", "summary").code == 0
    assert path.read_text() != detailed
    assert "polygon" in path.read_text()


def test_svg_marks_attempts(tmp_path: Path, lab: Path, cli: Cli, ghz: Path) -> None:
    # With measurements this circuit needs no pair.
    assert cli("compile", ghz, "--network", lab, "--without", "measured", "-o", tmp_path / "dir").code == 0
    assert cli("show", tmp_path / "dir", "--svg", tmp_path / "a.svg").code == 0
    picture = (tmp_path / "a.svg").read_text()
    assert ", 10 attempts expected" in picture
    assert "critical path: pairs" in picture
