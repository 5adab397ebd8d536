from __future__ import annotations

from pathlib import Path

import pytest
from cli_cases import Cli

HARDWARE = """
topology = "all-to-all"
modules = 2
data = 2
comm = 2
[hardware]
one_qubit_time = 1e-6
two_qubit_time = 1e-5
measure_time = 1e-4
measure_error = 0.02
two_qubit_error = 0.01
data_t2 = 0.05
comm_t2 = 0.05
[link_hardware]
rate = 500
fidelity = 0.9
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(HARDWARE)
    return path


@pytest.fixture
def unitary(tmp_path: Path, cli: Cli, lab: Path) -> Path:
    """A GHZ circuit without measurements, compiled for the lab."""
    source, directory = tmp_path / "state.qasm", tmp_path / "state"
    source.write_text(
        'OPENQASM 2.0; include "qelib1.inc"; qreg q[4]; h q[0]; cx q[0],q[1]; cx q[1],q[2]; cx q[2],q[3];'
    )
    assert cli("compile", source, "--network", lab, "-o", directory).code == 0
    return directory


def test_schedule_predicts(program: Path, lab: Path, unitary: Path, cli: Cli) -> None:
    assert "1 (the network states no errors and no memory times)" in cli("schedule", program).out
    out = cli("schedule", unitary).out
    assert "(process); average over inputs" in out
    assert "each alone costs" in out
    assert " pairs 0." in out
    found = cli("schedule", program, "--network", lab, "--json").json["fidelity"]
    assert 0.5 < found["fidelity"] < 0.9
    assert found["dominated_by"] == "measurement"
    assert found["product"] <= found["fidelity"] + 4 * found["standard_error"]


def test_noisy_runs_of_measured_circuits(program: Path, lab: Path, cli: Cli) -> None:
    exact = cli("run", program, "--noise", "--network", lab, "--json").json
    assert exact["schema"] == "distq-noisy-1"
    assert exact["method"] == "density_matrix"
    assert exact["shots"] == 0
    assert set(exact["ideal_distribution"]) == {"0000", "1111"}
    assert 0.05 < exact["total_variation"] < 0.3
    sampled = cli("run", program, "--noise", "--network", lab, "--json", "--method", "stabilizer", "--shots", 2000).json
    assert sampled["total_variation"] == pytest.approx(exact["total_variation"], abs=0.04)
    text = cli("run", program, "--noise", "--network", lab).out
    assert "Hellinger fidelity" in text
    assert "0000" in text
    # Without hardware nothing goes wrong.
    assert cli("run", program, "--noise", "--json").json["total_variation"] == pytest.approx(0)


def test_noisy_runs_of_states_and_processes(unitary: Path, cli: Cli) -> None:
    state = cli("run", unitary, "--noise", "--json").json
    process = cli("run", unitary, "--noise", "--reference", "--method", "stabilizer", "--shots", 2000, "--json").json
    assert 0.6 < state["fidelity"] < 0.95
    assert state["process_fidelity"] is None
    predicted = cli("schedule", unitary, "--json").json["fidelity"]
    assert process["process_fidelity"] == pytest.approx(predicted["fidelity"], abs=0.05)
    assert "with the ideal state" in cli("run", unitary, "--noise").out
    out = cli("run", unitary, "--noise", "--reference", "--method", "stabilizer").out
    assert "(process); average over inputs" in out


def test_options_of_noisy_runs_need_noise(program: Path, cli: Cli) -> None:
    for options in (("--network", "oxford-2025"), ("--reference",), ("--method", "stabilizer")):
        result = cli("run", program, *options)
        assert result.code == 2
        assert "add --noise" in result.err
    result = cli("run", program, "--noise", "--reference")
    assert result.code == 2
    assert "classical bits" in result.err
