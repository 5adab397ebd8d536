"""Save and load program directories: one OpenQASM 3 file per module and a manifest, written all or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distq.errors import InputError, UsageError
from distq.ops import Conjunction, Op
from distq.program.emit import ModuleText, emit_modules, expression_writer
from distq.program.expressions import derived_identifier, identifiers
from distq.program.manifest import FORMAT, MANIFEST, VERSION, decode_manifest, encode_manifest
from distq.program.order import canonical
from distq.program.types import COMM, Block, DistributedProgram

if TYPE_CHECKING:
    from distq.schedule.asap import Schedule

PathLike = str | os.PathLike[str]


def save_program(
    program: DistributedProgram,
    directory: PathLike,
    *,
    stats: dict[str, Any] | None = None,
    schedule: Schedule | None = None,
    extra: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
) -> None:
    """Write a program directory, atomically: it appears, or replaces an older program, as a whole or not at all.

    Args:
        program: any order of rows that is valid; the files hold its canonical form.
        directory: is made, with its parents, if it does not exist; a program in it is replaced.
        stats: what the compiler reports; kept as it is.
        schedule: start times of the rows of `program`, which must be in canonical form then; computed in unit
            durations if not given.
        extra: further keys of the manifest.
        plan: what the steps of the plan are for, beside the tags.

    Raises:
        UsageError: the directory cannot be written, or holds something else than a distq program.
        InputError: the program is not well formed.
    """
    from distq.program.order import differences

    target = Path(os.path.abspath(directory))
    form = canonical(program)
    if schedule is None:
        from distq.schedule.asap import asap

        schedule = asap(form)
    elif differences(form, program):
        raise ValueError("a schedule can only be saved with the canonical program that it belongs to")
    files = program_files(form, stats=stats, schedule=schedule, extra=extra, plan=plan)
    _write_directory(target, files)


def program_files(
    program: DistributedProgram,
    *,
    stats: dict[str, Any] | None = None,
    schedule: Schedule | None = None,
    extra: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
) -> dict[str, bytes]:
    """The content of every file of a program directory, by name; the manifest comes last.

    Args:
        program: in canonical form.
        stats: what the compiler reports.
        schedule: start times of the rows; without it the manifest has none.
        extra: further keys of the manifest.
        plan: what the steps of the plan are for, beside the tags.
    """
    texts = emit_modules(program)
    content = {f"module_{i}.qasm": t.text.encode("utf-8") for i, t in enumerate(texts)}
    manifest = _manifest(program, texts, content)
    if schedule is not None:
        start = [schedule.start[t.rows].tolist() for t in texts]
        manifest["schedule"] = {"makespan": float(schedule.makespan), "start": start}
    manifest["stats"] = dict(stats or {})
    manifest["plan"] = {**(plan or {}), "tag": [program.tag[t.rows].tolist() for t in texts]}
    clash = sorted(set(extra or ()) & set(manifest))
    if clash:
        raise ValueError(f"extra keys must not replace those of the format: {', '.join(clash)}")
    manifest.update(extra or {})
    content[MANIFEST] = encode_manifest(manifest)
    return content


def _manifest(program: DistributedProgram, texts: list[ModuleText], content: dict[str, bytes]) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        written_by = version("distq")
    except PackageNotFoundError:
        written_by = "0+unknown"
    names, writer = expression_writer(program)
    phase = program.global_phase
    if not isinstance(phase, float):
        phase = writer.text(phase)
    epr = np.flatnonzero(program.code == Op.EPR)
    send = np.flatnonzero(program.code == Op.SEND)
    a, b = program.qubit_offsets[epr], program.qubit_offsets[epr] + 1
    bit, bit2 = program.bit[send], program.bit2[send]
    ident = identifiers(names)
    derived = {i: formula for text in texts for i, formula in text.derived}
    return {
        "format": FORMAT,
        "version": VERSION,
        "distq": written_by,
        "circuit": {
            "name": program.circuit_name,
            "qubits": program.num_qubits,
            "clbits": len(program.clbit_values),
            "qubit_registers": [[r.name, list(r.bits)] for r in program.qubit_registers],
            "clbit_registers": [[r.name, list(r.bits)] for r in program.clbit_registers],
            "global_phase": phase if isinstance(phase, str) else float(phase),
        },
        "network": program.network.to_dict(),
        "modules": [
            {
                "name": module.name,
                "file": f"module_{i}.qasm",
                "sha256": hashlib.sha256(content[f"module_{i}.qasm"]).hexdigest(),
                "data": text.data,
                "comm": text.comm,
                "measured": text.measured,
                "received": text.received,
            }
            for i, (module, text) in enumerate(zip(program.network.modules, texts))
        ],
        "pairs": {
            "link": program.link[epr].tolist(),
            "a": program.qubit_index[program.qubits[a]].tolist(),
            "b": program.qubit_index[program.qubits[b]].tolist(),
        },
        "messages": {
            "from": program.bit_module[bit].tolist(),
            "bit": program.bit_index[bit].tolist(),
            "to": program.bit_module[bit2].tolist(),
            "into": program.bit_index[bit2].tolist(),
        },
        "inputs": _places(program, program.input_qubit),
        "outputs": _places(program, program.output_qubit),
        "clbits": [
            [[_literals(program, conjunction), _bit_place(program, bit)] for conjunction, bit in entries]
            for entries in program.clbit_values
        ],
        "parameters": [name if ident[name] == name else [name, ident[name]] for name in names],
        "derived": [[i, derived[i]] for i in map(derived_identifier, range(len(derived)))],
        "promise": {"start": program.start, "outcomes_only": program.outcomes_only},
        **({"blocks": list(map(_block, program.blocks))} if program.blocks else {}),
        **({"error_bound": program.error_bound} if program.error_bound else {}),
        **({"births": list(program.births)} if program.births else {}),
        **({"unborn": list(program.unborn)} if program.unborn else {}),
    }


def _block(block: Block) -> dict[str, Any]:
    return {"of": block.of, "is": block.gates, **({"turn": block.turn} if block.turn else {})}


def _places(program: DistributedProgram, qubits: Any) -> list[list[Any]]:
    return [
        [
            int(program.qubit_module[q]),
            "c" if program.qubit_role[q] == COMM else "d",
            int(program.qubit_index[q]),
        ]
        for q in qubits.tolist()
    ]


def _bit_place(program: DistributedProgram, bit: int) -> list[Any] | None:
    return None if bit < 0 else [int(program.bit_module[bit]), "m", int(program.bit_index[bit])]


def _literals(program: DistributedProgram, conjunction: Conjunction) -> list[list[Any]]:
    return [[int(program.bit_module[b]), "m", int(program.bit_index[b]), value] for b, value in conjunction]


# ---- writing a directory ----


def _write_directory(target: Path, files: dict[str, bytes]) -> None:
    target = Path(os.path.realpath(target))
    temporary = None
    try:
        _check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        temporary = _make_temporary(target)
        for name, content in files.items():
            with open(temporary / name, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync_directory(temporary)
        # Nobody else may have put something there in the meantime.
        _check_target(target)
        _put_in_place(temporary, target)
        temporary = None
        _sync_directory(target.parent)
    except OSError as error:
        raise UsageError(
            f"cannot write the program to {target}: {error.strerror or error}; choose a directory that can be written"
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _check_target(target: Path) -> None:
    """Refuse to replace anything but an older program or an empty directory."""
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise UsageError(f"cannot write the program to {target}: it is not a directory; choose another name")
    found = sorted(os.listdir(target))
    if not found:
        return
    if MANIFEST not in found or not _is_manifest(target / MANIFEST):
        raise UsageError(
            f"will not replace {target}: it is not empty and holds no distq program; choose another directory"
        )
    foreign = [f for f in found if f != MANIFEST and not _is_module_file(f)]
    if foreign:
        raise UsageError(
            f"will not replace the program in {target}: the directory also holds {foreign[0]!r}, which would be lost; "
            "move it away or choose another directory"
        )


def _is_manifest(path: Path) -> bool:
    with open(path, "rb") as file:
        return f'"format": "{FORMAT}"'.encode() in file.read(256).replace(b'":"', b'": "')


def _is_module_file(name: str) -> bool:
    return name.startswith("module_") and name.endswith(".qasm") and name[7:-5].isdecimal()


def _prefix(target: Path) -> str:
    return f".{target.name}.distq-{os.uname().nodename if hasattr(os, 'uname') else 'host'}-"


def _make_temporary(target: Path) -> Path:
    """A new directory beside the target; its name tells which process is writing it."""
    for attempt in range(1000):
        path = target.parent / f"{_prefix(target)}{os.getpid()}-{attempt}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise FileExistsError(f"too many unfinished copies beside {target}")


def _remove_stale(target: Path) -> None:
    """Remove what killed runs on this machine left behind."""
    prefix = _prefix(target)
    for path in target.parent.glob(f"{_escaped(prefix)}*"):
        pid = path.name[len(prefix) :].partition("-")[0]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _escaped(text: str) -> str:
    import glob

    return glob.escape(text)


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # asking with signal 0 would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _put_in_place(temporary: Path, target: Path) -> None:
    if not target.exists() or not any(target.iterdir()):
        if sys.platform == "win32" and target.exists():
            target.rmdir()
        os.rename(temporary, target)
        return
    if _exchange(temporary, target):
        shutil.rmtree(temporary, ignore_errors=True)
        return
    # No atomic exchange on this system: for a moment the old program has another name.
    old = temporary.with_name(temporary.name + "-old")
    os.rename(target, old)
    try:
        os.rename(temporary, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two directories atomically; False where the system cannot."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        first, second = os.fsencode(a), os.fsencode(b)
        if sys.platform == "darwin":
            return bool(libc.renamex_np(first, second, ctypes.c_uint(2)) == 0)
        at_fdcwd = ctypes.c_int(-100)
        return bool(libc.renameat2(at_fdcwd, first, at_fdcwd, second, ctypes.c_uint(2)) == 0)
    except (OSError, AttributeError, TypeError):
        return False


def _sync_directory(path: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- reading ----


def load_program(directory: PathLike) -> tuple[DistributedProgram, dict[str, Any]]:
    """Read a program directory.

    Returns:
        The program in canonical form, and the whole manifest as plain data.

    Raises:
        InputError: a file is missing, was changed or is incomplete, or the files contradict each other; the message
            names the file and the line.
    """
    from distq.program.join import join_modules
    from distq.program.read import read_module

    path = Path(directory)
    files = _read_files(path)
    manifest, document, network = decode_manifest(files[MANIFEST], str(path / MANIFEST))
    parameters = _parameters(manifest.parameters, str(path / MANIFEST))
    inputs = parameters | _derived(manifest.derived, parameters, str(path / MANIFEST))
    arrivals: list[dict[int, int]] = [{} for _ in manifest.modules]
    for number, (to, into) in enumerate(zip(manifest.messages.to, manifest.messages.into)):
        arrivals[to][number] = into
    modules = []
    for i, module in enumerate(manifest.modules):
        name = str(path / module.file)
        if hashlib.sha256(files[module.file]).hexdigest() != module.sha256:
            raise InputError(
                f"{name}: the file was changed after it was written (its checksum is not that of the manifest); "
                "compile the program again"
            )
        try:
            text = files[module.file].decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{name}: not UTF-8 text (byte {error.start}); compile the program again") from None
        sizes = (module.data, module.comm, module.measured, module.received)
        modules.append(read_module(text, name, i, sizes, arrivals[i], inputs))
    return join_modules(manifest, network, modules, parameters, str(path / MANIFEST)), document


def _read_files(path: Path) -> dict[str, bytes]:
    """All files of one version of the program, even if it is replaced while they are read."""
    for _ in range(_ATTEMPTS):
        before = _identity(path)
        problem = None
        files: dict[str, bytes] = {}
        try:
            with _reader(path) as read:
                files[MANIFEST] = read(MANIFEST)
                for name in _module_names(files[MANIFEST]):
                    files[name] = read(name)
        except OSError as error:
            problem = error
        if (problem is None and _HELD) or _identity(path) == before:
            break
    if problem is None:
        return files
    missing = Path(str(problem.filename or path)).name
    if not path.is_dir():
        raise InputError(f"{path}: there is no such program directory; give the directory that compile wrote") from None
    if missing == MANIFEST:
        raise InputError(
            f"{path}: not a distq program ({MANIFEST} cannot be read: {problem.strerror}); give the directory that "
            "compile wrote"
        ) from None
    raise InputError(
        f"{path / missing}: cannot be read ({problem.strerror}); the program is incomplete: compile it again"
    ) from None


#: Whether files can be read from a directory that is held open, whatever takes its name meanwhile.
_HELD = os.open in os.supports_dir_fd
#: Versions that may come and go while one is read.
_ATTEMPTS = 100


@contextlib.contextmanager
def _reader(path: Path) -> Iterator[Callable[[str], bytes]]:
    """Reads files of a directory by name."""
    if not _HELD:
        yield lambda name: (path / name).read_bytes()
        return
    handle = os.open(path, os.O_RDONLY)

    def read(name: str) -> bytes:
        with open(name, "rb", opener=lambda file, flags: os.open(file, flags, dir_fd=handle)) as file:
            return file.read()

    try:
        yield read
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _module_names(manifest: bytes) -> Iterator[str]:
    """Names of the module files; nothing if the manifest cannot be read, which is reported later."""
    import msgspec

    try:
        modules = msgspec.json.decode(manifest).get("modules", [])
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, RecursionError):
        return
    if isinstance(modules, list):
        yield from (f"module_{i}.qasm" for i in range(len(modules)))


def _parameters(entries: list[str | tuple[str, str]], path: str) -> dict[str, Any]:
    """Parameter objects by the identifier that the files use."""
    found: dict[str, Any] = {}
    names = [(e, e) if isinstance(e, str) else e for e in entries]
    if names:
        from distq.program.expressions import new_parameter

        for name, ident in names:
            if ident in found or not ident.isidentifier():
                raise InputError(f"{path}: the parameter {name!r} is declared twice or has no identifier")
            found[ident] = new_parameter(name)
        if len({p.name for p in found.values()}) != len(found):
            raise InputError(f"{path}: a parameter is declared twice")
    return found


def _derived(entries: list[tuple[str, str]], parameters: dict[str, Any], path: str) -> dict[str, Any]:
    """Expressions of the parameters by the identifier of the derived input that they are the formula of."""
    from distq.program.expressions import parse

    found: dict[str, Any] = {}
    for number, (ident, formula) in enumerate(entries):
        if ident != derived_identifier(number) or ident in parameters:
            raise InputError(
                f"{path}: entry {number} of 'derived' is called {ident!r}, but must be called "
                f"{derived_identifier(number)!r}, and no parameter may be; compile the program again"
            )
        try:
            found[ident] = parse(formula, parameters)
        except ValueError as error:
            raise InputError(
                f"{path}: the formula of the derived input {ident!r} cannot be read: {error}; compile the program again"
            ) from None
        if not getattr(found[ident], "parameters", None):
            raise InputError(
                f"{path}: the formula of the derived input {ident!r} depends on no parameter; compile the program again"
            )
    return found
