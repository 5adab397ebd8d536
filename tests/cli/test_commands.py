"""What the commands do when all is well."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_cases import GHZ, Cli

#: What `compile --json` promises.
SUMMARY_KEYS = {
    "schema",
    "version",
    "circuit",
    "network",
    "ebits",
    "lower_bound",
    "lower_bound_homes",
    "optimal",
    "optimal_class",
    "error_bound",
    "techniques",
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
}


class TestCompile:
    def test_prints_a_summary_and_writes_nothing(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        result = cli("compile", ghz, "--modules", 2)
        assert result.code == 0
        assert result.err == ""
        assert "ebits" in result.out
        assert sorted(p.name for p in tmp_path.iterdir()) == ["ghz.qasm"]

    def test_json(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        # Measured straight away, a GHZ state needs classical messages only.
        assert cli("compile", ghz, "--modules", 2, "--json").json["ebits"] == 0
        common = (
            "compile",
            ghz,
            "--modules",
            2,
            "--without",
            "measured",
            "-o",
            tmp_path / "out",
            "--json",
            "--seed",
            3,
        )
        summary = cli(*common).json
        assert set(summary) >= SUMMARY_KEYS
        assert set(summary["circuit"]) >= {"qubits", "gates", "two_qubit_gates"}
        assert (summary["circuit"]["qubits"], summary["circuit"]["two_qubit_gates"]) == (4, 3)
        assert summary["ebits"] == 1
        assert (summary["lower_bound"], summary["lower_bound_homes"]) == (1, 1)
        assert (summary["optimal"], summary["optimal_class"]) == (True, "every plan")
        assert summary["error_bound"] == 0.0
        assert summary["techniques"]["partitioner"]
        assert summary["ebits_per_link"] == [{"a": "m0", "b": "m1", "ebits": 1}]
        assert summary["seed"] == 3
        assert summary["reproducible"] is True
        assert summary["verified"]["ok"] is True
        assert summary["verified"]["method"] == "symbolic"
        assert summary["verified"]["seconds"] > 0
        assert all(seconds >= 0 for seconds in summary["seconds"].values())
        assert cli("show", tmp_path / "out", "--json").json == summary

    def test_standard_input(self, tmp_path: Path, shell: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        done = shell("compile", "-", "--modules", 2, "--without", "measured", "-o", "out", "--json", input=GHZ)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert json.loads(done.stdout)["ebits"] == 1
        done = shell("verify", "-", "out", input=GHZ)
        assert done.returncode == 0, done.stderr

    def test_same_seed_same_files(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        for name in ("a", "b"):
            assert cli("compile", ghz, "--modules", 3, "--seed", 5, "-o", tmp_path / name).code == 0
        modules = [sorted((tmp_path / name).glob("module_*.qasm")) for name in ("a", "b")]
        assert [p.read_bytes() for p in modules[0]] == [p.read_bytes() for p in modules[1]]

    def test_empty_directory_is_used(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        (tmp_path / "out").mkdir()
        assert cli("compile", ghz, "--modules", 2, "-o", tmp_path / "out").code == 0
        assert (tmp_path / "out" / "manifest.json").exists()

    @pytest.mark.parametrize("method", ["none", "symbolic", "statevector", "stabilizer", "auto"])
    def test_verify_option(self, tmp_path: Path, cli: Cli, method: str) -> None:
        path = tmp_path / "c.qasm"
        path.write_text(GHZ.replace("measure q -> c;\n", ""))
        result = cli("compile", path, "--modules", 2, "--verify", method, "--json")
        assert result.code == 0, result.err
        verified = result.json["verified"]
        if method == "none":
            assert not verified or not verified["ok"]
        elif method == "auto":
            assert verified["ok"]
        else:
            assert verified["ok"]
            assert method in verified["method"]

    def test_networks(self, ghz: Path, cli: Cli) -> None:
        network = Path(__file__).parents[2] / "examples" / "network.toml"
        result = cli("compile", ghz, "--network", network, "--json")
        assert [m["name"] for m in result.json["network"]["modules"]] == [
            "hub",
            "trap-1",
            "trap-2",
            "transmons",
        ]
        summary = cli(
            "compile",
            ghz,
            "--modules",
            4,
            "--data",
            "1,1,1,2",
            "--comm",
            "unlimited",
            "--topology",
            "ring",
            "--json",
        ).json
        assert [m["data"] for m in summary["network"]["modules"]] == [1, 1, 1, 2]
        assert {m["comm"] for m in summary["network"]["modules"]} == {"unlimited"}
        assert len(summary["network"]["links"]) == 4

    def test_homes_and_pins(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        homes = tmp_path / "homes.json"
        homes.write_text('{"0": "m1", "q[1]": "m0", "2": "m1", "3": "m0"}')
        common = ("compile", ghz, "--modules", 2, "--without", "measured", "--json", "--initial-homes")
        for value in (homes, "0=m1,q[1]=m0,2=m1,3=m0"):
            summary = cli(*common, value, "--final-homes", "same").json
            for layout in ("initial_layout", "final_layout"):
                assert modules_of(summary[layout]) == ["m1", "m0", "m1", "m0"]
            assert summary["ebits"] >= 1
        pinned = cli("compile", ghz, "--modules", 2, "--json", "--pin", "0=m1", "--pin", "q[3]=m1").json
        for layout in ("initial_layout", "final_layout"):
            assert modules_of(pinned[layout])[0] == modules_of(pinned[layout])[3] == "m1"


def modules_of(layout: dict[str, list[object]]) -> list[object]:
    """Module of each qubit in a layout of the summary."""
    return [layout[str(qubit)][0] for qubit in range(len(layout))]


class TestVerify:
    @pytest.mark.parametrize("method", ["auto", "symbolic", "statevector", "stabilizer"])
    def test_methods(self, ghz: Path, program: Path, cli: Cli, method: str) -> None:
        result = cli("verify", ghz, program, "--method", method)
        assert result.code == 0, result.err
        assert result.out.startswith("verified: ")
        verdict = cli("verify", ghz, program, "--method", method, "--json").json
        assert verdict["ok"] is True
        assert set(verdict) >= {"method", "ok", "seconds", "message"}


class TestShow:
    def test_parts(self, program: Path, cli: Cli) -> None:
        result = cli("show", program)
        assert result.code == 0
        for word in ("m0", "m1", "ebits"):
            assert word in result.out

    @pytest.mark.parametrize("columns", [60, 140])
    def test_width(self, program: Path, cli: Cli, columns: int) -> None:
        result = cli("show", program, "--width", columns)
        assert result.code == 0
        assert max(map(len, result.out.splitlines())) <= 140

    def test_forms_of_the_timeline(self, program: Path, cli: Cli) -> None:
        assert "q0" in cli("show", program, "--timeline", "detailed").out
        assert "busy qubits" in cli("show", program, "--timeline", "summary").out

    def test_no_traces_in_a_pipe(self, program: Path, cli: Cli) -> None:
        assert "\x1b" not in cli("show", program).out


class TestExplain:
    def test_text(self, program: Path, cli: Cli) -> None:
        result = cli("explain", program)
        assert result.code == 0
        assert result.out.startswith("1 ebits: 1 for copies\n")
        assert "m0 - m1" in result.out

    def test_json(self, program: Path, cli: Cli) -> None:
        found = cli("explain", program, "--json").json
        assert found["schema"] == "distq-explain-1"
        assert found["totals"]["ebits"] == found["links"][0]["ebits"] == 1
        assert len(found["packets"]) == 1
        assert found["packets"][0]["remote_gates"] == 1
        assert cli("explain", program, "--json", "--top", 1).json == found


class TestRun:
    def test_counts(self, program: Path, cli: Cli) -> None:
        result = cli("run", program, "--shots", 500)
        assert result.code == 0, result.err
        counts = dict(line.split() for line in result.out.splitlines())
        assert set(counts) == {"0000", "1111"}
        assert sum(map(int, counts.values())) == 500
        assert cli("run", program, "--shots", 500).out == result.out
        assert cli("run", program, "--shots", 500, "--json").json["counts"] == {k: int(v) for k, v in counts.items()}

    def test_order_of_classical_bits(self, tmp_path: Path, cli: Cli) -> None:
        """Bits and registers come out as Qiskit prints them for the circuit itself."""
        path = tmp_path / "bits.qasm"
        path.write_text(
            'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg a[2];\ncreg b[1];\n'
            "x q[0];\ncx q[0],q[2];\nmeasure q[2] -> a[1];\nmeasure q[1] -> b[0];\n"
        )
        assert cli("compile", path, "--modules", 3, "-o", tmp_path / "bits").code == 0
        assert cli("run", tmp_path / "bits", "--shots", 10).out == "0 10 10\n"

    def test_parameters(self, tmp_path: Path, cli: Cli) -> None:
        path = tmp_path / "angle.qasm"
        path.write_text(
            'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float theta;\nqubit[2] q;\nbit[2] c;\n'
            "rx(theta) q[0];\ncx q[0], q[1];\nc = measure q;\n"
        )
        program = tmp_path / "angle"
        assert cli("compile", path, "--modules", 2, "-o", program).code == 0
        assert cli("run", program, "--shots", 20, "--parameter", "theta=3.141592653589793").out == "11 20\n"
        missing = cli("run", program)
        assert (missing.code, "theta" in missing.err) == (2, True)
        for text in ("theta", "theta=x", "=1", "theta=inf"):
            assert "NAME=VALUE" in cli("run", program, "--parameter", text).err


class TestExport:
    def test_qpy(self, tmp_path: Path, program: Path, cli: Cli) -> None:
        from qiskit import qpy

        import distq

        assert cli("export", program, "--format", "qiskit-qpy", "-o", tmp_path / "all.qpy").code == 0
        with (tmp_path / "all.qpy").open("rb") as file:
            (circuit,) = qpy.load(file)
        expected = distq.load(program).to_qiskit()
        assert circuit.count_ops() == expected.count_ops()
        assert [r.name for r in circuit.qregs] == [r.name for r in expected.qregs]

    def test_qasm3(self, tmp_path: Path, program: Path, cli: Cli) -> None:
        path = tmp_path / "deep" / "all.qasm"
        assert cli("export", program, "--format", "qasm3", "-o", path).code == 0
        assert path.read_text().startswith("OPENQASM 3")
        assert oct(path.stat().st_mode & 0o600) == oct(0o600)
        assert cli("export", program, "--format", "qasm3", "-o", path, "--force").code == 0


class TestNetworks:
    def test_list(self, cli: Cli) -> None:
        from distq.network.presets import preset_names

        result = cli("networks", "list")
        assert [line.split()[0] for line in result.out.splitlines()] == list(preset_names())
        assert set(cli("networks", "list", "--json").json["presets"]) == set(preset_names())

    def test_show(self, tmp_path: Path, cli: Cli) -> None:
        result = cli("networks", "show", "oxford-2025")
        for word in ("alice", "bob", "Nature 638"):
            assert word in result.out
        path = tmp_path / "n.json"
        path.write_text(cli("networks", "show", "oxford-2025", "--json").out)
        assert "2 modules, 1 link" in cli("networks", "check", path).out

    def test_check(self, tmp_path: Path, cli: Cli) -> None:
        path = tmp_path / "n.toml"
        path.write_text('modules = [{name = "A", data = 0}]\n')
        result = cli("networks", "check", path)
        assert result.code == 3
        assert "at least 1" in result.err

    def test_schema(self, cli: Cli) -> None:
        import jsonschema

        schema = cli("networks", "schema").json
        network = cli("networks", "show", "duke-2024", "--json").json
        jsonschema.validate(network, schema)

    def test_write(self, tmp_path: Path, cli: Cli) -> None:
        path = tmp_path / "mine.toml"
        assert cli("networks", "write", "oxford-2025", path).code == 0
        assert cli("networks", "show", path).out == cli("networks", "show", "oxford-2025").out
        assert cli("networks", "write", "duke-2024", path).code == 2
        assert cli("networks", "write", "duke-2024", path, "--force").code == 0
        assert cli("networks", "write", "duke-2024", tmp_path / "x.yaml").code == 2


class TestDoctor:
    def test_reports_what_is_there(self, cli: Cli) -> None:
        import qiskit

        result = cli("doctor", "--json")
        assert result.code == 0, result.err
        findings = result.json
        assert findings["problems"] == []
        assert findings["packages"]["qiskit"]["version"] == qiskit.__version__
        assert "qiskit-aer" in findings["extras"]["sim"]
        assert "mtkahypar" in cli("doctor").out

    def test_reports_what_is_broken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
        from distq.cli import doctor

        requirements = (["numpy", "no-such-package"], {"sim": ["no-such-extra"]})
        monkeypatch.setattr(doctor, "_requirements", lambda: requirements)
        result = cli("doctor")
        assert result.code == 1
        assert "no-such-package is not installed" in result.err
        assert "no-such-extra" in result.out
        assert "pip install 'distq[sim]'" in result.out


class TestDemo:
    def test_demo(self, cli: Cli) -> None:
        result = cli("demo", "--shots", 300, "--json")
        assert result.code == 0, result.err
        pair, large = result.json["searches"]
        assert pair["success"] == pytest.approx(1.0)
        assert pair["ideal"] == pytest.approx(1.0)
        assert pair["program"]["ebits"] == 2
        assert large["ideal"] > 0.99
        assert large["success"] == pytest.approx(large["ideal"], abs=5 * large["standard_error"])
        assert all(search["verified"]["ok"] for search in (pair, large))

    def test_text(self, cli: Cli) -> None:
        result = cli("demo", "--shots", 50)
        assert result.code == 0, result.err
        for word in ("alice", "bob", "ebits", "verified", "success probability", "ideal"):
            assert word in result.out

    @pytest.mark.parametrize(("qubits", "marked"), [(2, "10"), (3, "101"), (5, "00000")])
    def test_grover_finds_what_is_marked(self, qubits: int, marked: str) -> None:
        import math

        from distq.experiments.grover import grover, ideal_success, iterations

        angle = math.asin(2 ** (-qubits / 2))
        expected = math.sin((2 * iterations(qubits) + 1) * angle) ** 2
        assert ideal_success(grover(qubits, marked), marked) == pytest.approx(expected)
        assert expected > 0.9
