"""`distq networks purify`, and purification in compile and schedule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distq.network.pair_states import purified_pair
from distq.network.presets import preset
from distq.network.purify import Purify

NETWORK = """
topology = "all-to-all"
modules = 2
data = 2
comm = 3
[hardware]
two_qubit_time = 1e-5
data_t2 = 10.0
[link_hardware]
attempt_time = 1e-5
success_probability = 0.1
fidelity = 0.8
"""
CIRCUIT = """OPENQASM 2.0; include "qelib1.inc"; qreg q[4];
h q[0]; cx q[0],q[1]; cx q[1],q[2]; h q[2]; cx q[2],q[3]; t q[3]; cx q[3],q[0]; h q[1]; cx q[1],q[3]; cx q[0],q[2];"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    network, circuit = tmp_path / "net.toml", tmp_path / "c.qasm"
    network.write_text(NETWORK)
    circuit.write_text(CIRCUIT)
    return network, circuit


def test_table_of_a_network(cli):
    done = cli("networks", "purify", "eth-cryolink-2023", "--rounds", 2)
    assert done.code == 0
    assert done.out.splitlines()[0] == "a - b"
    assert "dejmps, nested 2 0.9463 +0.1423 0.773, 0.749 6.91 552.7 us 3 (missing)" in " ".join(done.out.split())
    found = json.loads(cli("networks", "purify", "eth-cryolink-2023", "--json").out)
    rows = found["networks"][0]["rows"]
    assert [(r["rounds"], r["scheme"]) for r in rows] == [
        (0, None), (1, "pumping"), (2, "pumping"), (2, "nested"), (3, "pumping"), (3, "nested")
    ]  # fmt: skip
    for row in rows[1:]:
        pair = purified_pair(preset("eth-cryolink-2023"), 0, Purify(row["rounds"], "dejmps", row["scheme"]))
        assert row["fidelity"] == pair.fidelity
        assert row["pair_time"] == pair.time
        assert row["raw_pairs"] == pair.raw_pairs
        assert not row["enough"]


def test_several_networks(cli, files):
    done = cli("networks", "purify", files[0], "oxford-2025", "nv-delft-metro", "--protocol", "bbpssw", "--rounds", 1)
    lines = done.out.splitlines()
    assert len(lines) == 5
    assert lines[2].split() == ["all-to-all-2", "0.8000", "0.8382", "1", "pumping", "2.6", "2"]
    assert lines[3].split()[-3:] == ["-", "-", "-"]
    assert lines[4].split()[-2:] == ["2", "(missing)"]
    both = cli("networks", "purify", files[0], "oxford-2025", "--protocol", "bbpssw", "--protocol", "dejmps")
    assert "bbpssw 1 pumping" in both.out
    assert cli("networks", "purify", "ibm-lcoupler").code == 0
    assert cli("networks", "purify").code == 2


def test_compile_and_schedule(cli, files, tmp_path):
    network, circuit = files
    out = tmp_path / "p"
    done = cli("compile", circuit, "--network", network, "--effort", "fast", "--purify", "auto", "-o", out)
    assert done.code == 0
    assert "purification     m0 - m1: dejmps" in done.out
    assert "the predicted fidelity is larger" in done.out
    assert cli("verify", circuit, out).code == 0
    text = cli("schedule", out, "--samples", 50).out
    assert "raw pairs" in text
    found = json.loads(cli("schedule", out, "--samples", 50, "--json").out)
    assert found["raw_pairs"] > found["ebits"] == found["links"][0]["pairs"]
    assert found["links"][0]["raw_pairs"] == pytest.approx(found["raw_pairs"])
    assert found["attempts"] == pytest.approx(found["raw_pairs"] / 0.1)
    assert found["distribution"]["raw_pairs"] > found["ebits"]
    assert found["distribution"]["attempts"] > found["distribution"]["raw_pairs"]
    summary = json.loads(cli("compile", circuit, "--network", network, "--effort", "fast", "--json").out)
    assert summary["purification"] is None
    assert summary["raw_pairs"] == summary["ebits"]


def test_threshold(cli, files):
    network, circuit = files
    done = cli("compile", circuit, "--network", network, "--effort", "fast", "--min-pair-fidelity", 0.9)
    assert done.code == 0
    assert "pairs of at least 0.9 are asked for" in done.out
    done = cli("compile", circuit, "--network", network, "--effort", "fast", "--min-pair-fidelity", 0.9999)
    assert done.code == 4
    assert "but min_pair_fidelity is 0.9999" in done.err
    assert cli("compile", circuit, "--network", network, "--min-pair-fidelity", 0.1).code == 2


def test_rounds_that_a_module_has_no_room_for(cli, files):
    network, circuit = files
    network.write_text(NETWORK + 'purify = { rounds = 4, scheme = "nested" }\n')
    done = cli("compile", circuit, "--network", network)
    assert done.code == 3
    assert "takes 5 communication qubits at each end, but module 'm0' has 3: give it more" in done.err
