"""Bad input: one sentence on stderr, the right exit code, no traceback, no partial output."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_cases import GHZ, Cli, Result

USAGE, INPUT, FIT, WRONG = 2, 3, 4, 5


def check(result: Result, code: int, *parts: str) -> None:
    """The result is this failure, told in one sentence that has these parts."""
    assert result.code == code, result.err
    assert result.out == ""
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("distq: ")
    assert "Traceback" not in result.err
    assert "internal error" not in result.err
    for part in parts:
        assert part in lines[0], f"{part!r} is not in {lines[0]!r}"


def listing(directory: Path) -> set[str]:
    """Names of everything under a directory, hidden things included."""
    return {str(p.relative_to(directory)) for p in directory.rglob("*")}


@pytest.fixture
def refused(tmp_path: Path, cli: Cli) -> Callable[..., None]:
    """Compile fails as said and leaves the directory as it was."""

    def compile_(code: int, parts: tuple[str, ...], *args: object) -> None:
        before = listing(tmp_path)
        check(cli("compile", *args, "-o", tmp_path / "out"), code, *parts)
        assert listing(tmp_path) == before

    return compile_


def write(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


class TestCircuits:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            (GHZ.replace("cx q[1],q[2];", "cx q[1] q[2];"), ("bad.qasm", "7")),
            (GHZ.replace("cx q[1],q[2];", "frobnicate q[1],q[2];"), ("bad.qasm", "7", "frobnicate")),
            (GHZ.replace("cx q[1],q[2];", "cx q[1],q[9];"), ("bad.qasm", "7")),
            (GHZ.replace("cx q[1],q[2];", "cx q[1],q[2]"), ("bad.qasm", "8")),
            (
                'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nfrobnicate q[0];\n',
                ("bad.qasm", "4", "frobnicate"),
            ),
            ("OPENQASM 3.0;\nqubit[2 q;\n", ("bad.qasm", "2")),
            ("this is no circuit\n", ("bad.qasm",)),
            ("", ("bad.qasm",)),
        ],
        ids=["syntax2", "gate2", "index2", "semicolon2", "gate3", "syntax3", "nonsense", "empty"],
    )
    def test_malformed(self, tmp_path: Path, refused: Callable[..., None], text: str, parts: tuple[str, ...]) -> None:
        refused(INPUT, parts, write(tmp_path, "bad.qasm", text), "--modules", 2)

    def test_loop_on_a_measured_value(self, tmp_path: Path, refused: Callable[..., None]) -> None:
        text = (
            'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit c;\nc = measure q[0];\n'
            "while (c) { h q[0]; c = measure q[0]; }\n"
        )
        refused(INPUT, ("while",), write(tmp_path, "loop.qasm", text), "--modules", 2)

    def test_broken_qpy(self, tmp_path: Path, refused: Callable[..., None]) -> None:
        path = tmp_path / "broken.qpy"
        path.write_bytes(b"QISKIT\x0d\x00\x01\x02")
        refused(INPUT, ("broken.qpy",), path, "--modules", 2)

    def test_binary(self, tmp_path: Path, refused: Callable[..., None]) -> None:
        path = tmp_path / "noise.qasm"
        path.write_bytes(bytes(range(256)))
        refused(INPUT, ("noise.qasm",), path, "--modules", 2)

    def test_missing_file(self, tmp_path: Path, refused: Callable[..., None]) -> None:
        refused(INPUT, ("nowhere.qasm",), tmp_path / "nowhere.qasm", "--modules", 2)

    def test_directory(self, tmp_path: Path, refused: Callable[..., None]) -> None:
        refused(INPUT, (str(tmp_path),), tmp_path, "--modules", 2)


class TestNetworks:
    def test_circuit_larger_than_network(self, ghz: Path, refused: Callable[..., None]) -> None:
        refused(FIT, ("4", "2 data qubits"), ghz, "--modules", 2, "--data", 1)

    def test_disconnected(self, tmp_path: Path, ghz: Path, refused: Callable[..., None]) -> None:
        network = write(
            tmp_path, "two.toml", 'modules = [{name = "A", data = 2}, {name = "B", data = 2}]\nlinks = []\n'
        )
        refused(FIT, ("not connected", "A", "B"), ghz, "--network", network)

    def test_no_communication_qubits(self, ghz: Path, refused: Callable[..., None]) -> None:
        refused(FIT, ("communication",), ghz, "--modules", 2, "--comm", 0)

    @pytest.mark.parametrize(
        ("option", "value"),
        [("--data", "0"), ("--data", "-3"), ("--modules", "0"), ("--modules", "-1"), ("--comm", "-1")],
    )
    def test_capacities(self, ghz: Path, refused: Callable[..., None], option: str, value: str) -> None:
        others = {"--modules": "2", "--data": "2", option: value}
        refused(USAGE, (option, value), ghz, *(part for pair in others.items() for part in pair))

    @pytest.mark.parametrize("value", ["two", "1.5", "1,2,3", ""])
    def test_capacity_is_no_number(self, ghz: Path, refused: Callable[..., None], value: str) -> None:
        refused(USAGE, ("--comm",), ghz, "--modules", 2, "--comm", value)

    @pytest.mark.parametrize("key", ["data", "comm"])
    @pytest.mark.parametrize("value", ["-1", "1.5", '"many"', "true"])
    def test_capacities_in_a_file(
        self, tmp_path: Path, ghz: Path, refused: Callable[..., None], key: str, value: str
    ) -> None:
        text = "\n".join(
            f'[[modules]]\nname = "{n}"\n' + "".join(f"{k} = {value if k == key else 4}\n" for k in ("data", "comm"))
            for n in "AB"
        )
        network = write(tmp_path, "net.toml", text + '\n[[links]]\na = "A"\nb = "B"\n')
        refused(INPUT, ("net.toml", key), ghz, "--network", network)

    def test_duplicate_names(self, tmp_path: Path, ghz: Path, refused: Callable[..., None]) -> None:
        text = 'modules = [{name = "A", data = 2}, {name = "A", data = 2}]\nlinks = [{a = "A", b = "A"}]\n'
        refused(INPUT, ("net.toml", "'A'"), ghz, "--network", write(tmp_path, "net.toml", text))

    @pytest.mark.parametrize(("name", "text"), [("n.toml", "modules = = 2\n"), ("n.json", '{"modules": ')])
    def test_malformed_file(
        self, tmp_path: Path, ghz: Path, refused: Callable[..., None], name: str, text: str
    ) -> None:
        refused(INPUT, (name, "line"), ghz, "--network", write(tmp_path, name, text))

    def test_unknown_preset(self, ghz: Path, refused: Callable[..., None]) -> None:
        refused(USAGE, ("oxford-2052", "oxford-2025", "duke-2024"), ghz, "--network", "oxford-2052")

    def test_no_network(self, ghz: Path, refused: Callable[..., None]) -> None:
        refused(USAGE, ("--network", "--modules"), ghz)

    def test_two_networks(self, ghz: Path, refused: Callable[..., None]) -> None:
        refused(USAGE, ("--network", "--modules"), ghz, "--network", "oxford-2025", "--modules", 2)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "valid"),
        [
            ("--effort", ("fast", "default", "best")),
            ("--verify", ("none", "symbolic", "statevector", "stabilizer", "auto")),
            ("--topology", ("all-to-all", "line", "ring", "grid", "star", "tree")),
            ("--partitioner", ("auto",)),
            ("--initial-homes", ("free",)),
            ("--final-homes", ("free", "same")),
        ],
    )
    def test_unknown_value(self, ghz: Path, refused: Callable[..., None], option: str, valid: tuple[str, ...]) -> None:
        refused(USAGE, (option.removeprefix("--"), "wrong", *valid), ghz, "--modules", 2, option, "wrong")

    def test_unknown_method_of_verify(self, ghz: Path, program: Path, cli: Cli) -> None:
        check(cli("verify", ghz, program, "--method", "wrong"), USAGE, "wrong", "symbolic", "stabilizer")

    def test_unknown_format(self, tmp_path: Path, program: Path, cli: Cli) -> None:
        result = cli("export", program, "--format", "wrong", "-o", tmp_path / "x")
        check(result, USAGE, "wrong", "qiskit-qpy", "qasm3")

    def test_unknown_command(self, cli: Cli) -> None:
        check(cli("complie"), USAGE, "complie", "compile", "verify", "doctor")
        check(cli("networks", "lsit"), USAGE, "lsit", "list", "show", "check")

    def test_unknown_option(self, ghz: Path, cli: Cli) -> None:
        check(cli("compile", ghz, "--efort", "fast"), USAGE, "--efort", "--effort")

    def test_missing_argument(self, cli: Cli) -> None:
        check(cli("compile"), USAGE, "CIRCUIT")

    @pytest.mark.parametrize("value", ["-1", "x", "1.5"])
    def test_seed(self, ghz: Path, refused: Callable[..., None], value: str) -> None:
        refused(USAGE, ("--seed", value), ghz, "--modules", 2, "--seed", value)

    @pytest.mark.parametrize(
        ("pin", "parts"),
        [
            ("0", ("--pin", "qubit=module")),
            ("0=", ("--pin", "qubit=module")),
            ("9=m0", ("--pin", "9", "3")),
            ("x[0]=m0", ("--pin", "x[0]", "q[4]")),
            ("0=nowhere", ("nowhere", "m0", "m1")),
        ],
    )
    def test_pin(self, ghz: Path, refused: Callable[..., None], pin: str, parts: tuple[str, ...]) -> None:
        refused(USAGE, parts, ghz, "--modules", 2, "--pin", pin)

    def test_pins_that_contradict(self, ghz: Path, refused: Callable[..., None]) -> None:
        refused(USAGE, ("--pin", "twice"), ghz, "--modules", 2, "--pin", "0=m0", "--pin", "q[0]=m1")

    def test_pins_beyond_capacity(self, ghz: Path, refused: Callable[..., None]) -> None:
        pins = [part for q in range(3) for part in ("--pin", f"{q}=m0")]
        refused(FIT, ("m0", "3", "2"), ghz, "--modules", 2, *pins)

    def test_homes_file(self, tmp_path: Path, ghz: Path, refused: Callable[..., None]) -> None:
        broken = write(tmp_path, "homes.json", '{"0": ')
        refused(USAGE, ("--initial-homes", "homes.json"), ghz, "--modules", 2, "--initial-homes", broken)
        missing = tmp_path / "none.toml"
        refused(USAGE, ("--final-homes", "none.toml"), ghz, "--modules", 2, "--final-homes", missing)


def each_command(program: Path, ghz: Path) -> list[tuple[object, ...]]:
    """Every command that reads a program directory."""
    export = ("export", program, "--format", "qasm3", "-o", program.parent / "out.qasm")
    return [("verify", ghz, program), ("show", program), ("run", program), export]


class TestDirectories:
    @pytest.mark.parametrize("which", range(4), ids=["verify", "show", "run", "export"])
    @pytest.mark.parametrize("how", ["edited", "truncated", "manifest cut", "manifest gone", "module gone", "empty"])
    def test_edited_or_truncated(self, program: Path, ghz: Path, cli: Cli, how: str, which: int) -> None:
        module, manifest = program / "module_1.qasm", program / "manifest.json"
        if how == "edited":
            module.write_text(module.read_text().replace("cz", "cx", 1) + "\n")
        elif how == "truncated":
            module.write_bytes(module.read_bytes()[: module.stat().st_size // 2])
        elif how == "manifest cut":
            manifest.write_bytes(manifest.read_bytes()[: manifest.stat().st_size // 2])
        elif how == "manifest gone":
            manifest.unlink()
        elif how == "module gone":
            module.unlink()
        else:
            for path in program.iterdir():
                path.unlink()
        name = "module_1.qasm" if how in ("edited", "truncated", "module gone") else "manifest.json"
        check(cli(*each_command(program, ghz)[which]), INPUT, name)
        assert not (program.parent / "out.qasm").exists()

    def test_missing(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        for command in each_command(tmp_path / "nowhere", ghz):
            check(cli(*command), INPUT, "nowhere")

    def test_a_file(self, ghz: Path, cli: Cli) -> None:
        for command in each_command(ghz, ghz):
            check(cli(*command), INPUT, "ghz.qasm")

    def test_another_version(self, program: Path, ghz: Path, cli: Cli) -> None:
        manifest = program / "manifest.json"
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**content, "version": 99}))
        for command in each_command(program, ghz):
            check(cli(*command), INPUT, "99")

    @pytest.mark.parametrize("method", ["auto", "symbolic", "statevector", "stabilizer"])
    @pytest.mark.parametrize(
        "text",
        [GHZ.replace("cx q[2],q[3];", ""), GHZ.replace("h q[0]", "h q[1]"), GHZ.replace("[4]", "[5]")],
        ids=["gate missing", "gate elsewhere", "another size"],
    )
    def test_circuit_and_program_do_not_belong_together(
        self, tmp_path: Path, program: Path, cli: Cli, text: str, method: str
    ) -> None:
        other = write(tmp_path, "other.qasm", text)
        check(cli("verify", other, program, "--method", method), WRONG, "other.qasm")

    def test_json_verdict(self, tmp_path: Path, program: Path, cli: Cli) -> None:
        other = write(tmp_path, "other.qasm", GHZ.replace("cx q[2],q[3];", ""))
        result = cli("verify", other, program, "--json")
        assert result.code == WRONG
        assert result.json["ok"] is False
        assert result.json["message"]
        assert len(result.err.splitlines()) == 1


class TestOutput:
    def test_parent_is_missing(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        """Directories on the way are made, but only for a result."""
        assert cli("compile", ghz, "--modules", 2, "--data", 1, "-o", tmp_path / "a" / "b").code == FIT
        assert not (tmp_path / "a").exists()
        assert cli("compile", ghz, "--modules", 2, "-o", tmp_path / "a" / "b").code == 0
        assert (tmp_path / "a" / "b" / "manifest.json").exists()

    def test_parent_is_a_file(self, ghz: Path, cli: Cli) -> None:
        check(cli("compile", ghz, "--modules", 2, "-o", ghz / "b"), USAGE, "not a directory")

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory in which nobody can write")
    def test_nobody_can_write(self, ghz: Path, program: Path, cli: Cli) -> None:
        check(cli("compile", ghz, "--modules", 2, "-o", "/proc/distq"), USAGE, "/proc/distq")
        check(cli("export", program, "--format", "qasm3", "-o", "/proc/x.qasm"), USAGE, "/proc/x.qasm")

    def test_a_file_is_not_replaced(self, ghz: Path, cli: Cli) -> None:
        text = ghz.read_text()
        for force in ((), ("--force",)):
            check(cli("compile", ghz, "--modules", 2, "-o", ghz, *force), USAGE, "not a directory")
        assert ghz.read_text() == text

    def test_something_else_is_not_replaced(self, tmp_path: Path, ghz: Path, cli: Cli) -> None:
        precious = tmp_path / "thesis"
        precious.mkdir()
        (precious / "chapter.tex").write_text("words")
        for force in ((), ("--force",)):
            check(cli("compile", ghz, "--modules", 2, "-o", precious, *force), USAGE, "chapter.tex")
        assert listing(precious) == {"chapter.tex"}

    def test_a_program_with_notes_is_not_replaced(self, ghz: Path, program: Path, cli: Cli) -> None:
        (program / "notes.txt").write_text("words")
        check(cli("compile", ghz, "--modules", 2, "-o", program, "--force"), USAGE, "notes.txt")

    def test_a_program_is_replaced_with_force_only(self, ghz: Path, program: Path, cli: Cli) -> None:
        before = (program / "manifest.json").read_bytes()
        check(cli("compile", ghz, "--modules", 4, "-o", program), USAGE, "--force")
        assert (program / "manifest.json").read_bytes() == before
        assert cli("compile", ghz, "--modules", 4, "-o", program, "--force").code == 0
        assert len(list(program.glob("module_*.qasm"))) == 4

    def test_a_failed_compilation_keeps_the_old_program(self, ghz: Path, program: Path, cli: Cli) -> None:
        before = listing(program.parent)
        check(cli("compile", ghz, "--modules", 2, "--data", 1, "-o", program, "--force"), FIT)
        assert listing(program.parent) == before
        assert cli("verify", ghz, program).code == 0

    def test_export_keeps_a_file(self, ghz: Path, program: Path, cli: Cli) -> None:
        check(cli("export", program, "--format", "qasm3", "-o", ghz), USAGE, "--force")
        assert ghz.read_text() == GHZ


class TestExplain:
    def test_no_record(self, program: Path, cli: Cli) -> None:
        manifest = json.loads((program / "manifest.json").read_text())
        plan = manifest.pop("plan")
        (program / "manifest.json").write_text(json.dumps(manifest))
        check(cli("explain", program), INPUT, str(program), "compile the circuit again")
        assert cli("show", program).code == 0
        manifest["plan"] = plan | {"fetch": {"step": "all of them"}}
        (program / "manifest.json").write_text(json.dumps(manifest))
        check(cli("explain", program), INPUT, str(program), "'plan'", "fetch")

    def test_no_program(self, tmp_path: Path, cli: Cli) -> None:
        check(cli("explain", tmp_path / "nothing"), INPUT, "nothing")

    def test_options(self, program: Path, cli: Cli) -> None:
        check(cli("explain", program, "--top", "0"), USAGE, "--top")
        check(cli("explain"), USAGE, "DIR")


class TestProcess:
    """The same through a real process."""

    def test_sentence_and_code(self, tmp_path: Path, shell: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        write(tmp_path, "bad.qasm", GHZ.replace("cx q[1],q[2];", "frobnicate q[1],q[2];"))
        done = shell("compile", "bad.qasm", "--modules", 2, "-o", "out")
        check(Result(done.returncode, done.stdout, done.stderr), INPUT, "bad.qasm", "frobnicate")
        assert listing(tmp_path) == {"bad.qasm"}

    def test_debug_prints_the_traceback(
        self, tmp_path: Path, shell: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        done = shell("compile", "nowhere.qasm", "--modules", 2, "--debug")
        assert done.returncode == INPUT
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("distq: ")

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_interrupted(self, tmp_path: Path, number: int, code: int) -> None:
        command = [sys.executable, "-m", "distq", "compile", "-", "--modules", "2", "-o", "out"]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2)  # it waits for its standard input
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert out == ""
        assert re.fullmatch(r"distq: (interrupted|terminated)\n", err)
        assert listing(tmp_path) == set()

    @pytest.mark.skipif(os.name != "posix", reason="pipes")
    def test_reader_goes_away(self, tmp_path: Path) -> None:
        command = f"{sys.executable} -m distq networks schema | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        assert done.stdout.strip() in ("0", "141")


def test_internal_error(monkeypatch: pytest.MonkeyPatch, ghz: Path, cli: Cli) -> None:
    import distq.pipeline

    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("a\nfault")

    monkeypatch.setattr(distq.pipeline, "compile", broken)
    result = cli("compile", ghz, "--modules", 2)
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "internal error" in result.err
    assert "--debug" in result.err


def test_interrupted_while_saving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ghz: Path, cli: Cli) -> None:
    """Ctrl-C in the middle of writing leaves nothing behind."""
    real = os.replace

    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, interrupted)
    before = listing(tmp_path)
    result = cli("compile", ghz, "--modules", 2, "-o", tmp_path / "out")
    monkeypatch.setattr(os, "replace", real)
    assert result.code == 130
    assert result.err == "distq: interrupted\n"
    assert listing(tmp_path) == before
