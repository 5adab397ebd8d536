"""Fault injection in the text of a program directory, with checksums made right again.

What the canonical order of a save would repair or refuse - a message read too early, an annotation that is missing,
a file of another program - can only be broken here.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from distq.errors import UsageError

T = TypeVar("T")
MANIFEST = "manifest.json"


class Directory:
    """The files of a program, as lines and JSON, to be edited."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.manifest: dict[str, Any] = json.loads(files[MANIFEST])
        self.names: list[str] = [m["file"] for m in self.manifest["modules"]]
        self.lines: list[list[str]] = [files[n].decode().splitlines() for n in self.names]
        self.sealed = True

    @classmethod
    def read(cls, path: str | Path) -> Directory:
        """Read a saved program."""
        return cls({p.name: p.read_bytes() for p in Path(path).iterdir() if p.is_file()})

    def statements(self, module: int) -> list[int]:
        """Lines of a module that are statements or annotations, not declarations."""
        start = 0
        for i, line in enumerate(self.lines[module]):
            if line.startswith(("OPENQASM", "include", "//", "gate ", "input ", "qubit", "bit")):
                start = i + 1
        return list(range(start, len(self.lines[module])))

    def matching(self, pattern: str) -> list[tuple[int, int]]:
        """(module, line) of the statements that a regular expression finds."""
        search = re.compile(pattern).search
        return [(m, i) for m in range(len(self.lines)) for i in self.statements(m) if search(self.lines[m][i])]

    def files(self) -> dict[str, bytes]:
        """The content of the files; checksums are right unless `sealed` is False.

        The schedule and the plan's tags, which have an entry for every statement, are left out: they say nothing
        about what the program does.
        """
        result = {}
        manifest = dict(self.manifest)
        manifest.pop("schedule", None)
        manifest.pop("plan", None)
        for module, name, lines in zip(manifest["modules"], self.names, self.lines):
            content = ("\n".join(lines) + "\n").encode()
            result[name] = content
            if self.sealed:
                module["sha256"] = hashlib.sha256(content).hexdigest()
        result[MANIFEST] = json.dumps(manifest).encode()
        return result


@dataclass(frozen=True)
class BrokenDirectory:
    """A broken program as files.

    Attributes:
        kind: name of the kind of fault.
        description: what was done.
        files: content by name.
        certain: wrong by construction, for any circuit.
    """

    kind: str
    description: str
    files: dict[str, bytes]
    certain: bool

    def write(self, path: str | Path) -> Path:
        """Write the files into a directory, which is made."""
        return write_files(self.files, path)


def write_files(files: Mapping[str, bytes], path: str | Path) -> Path:
    """Write files into a directory, which is made."""
    target = Path(path)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (target / name).write_bytes(content)
    return target


Change = tuple[str, bool]
TextFault = Callable[[Directory, random.Random, Sequence[Directory]], Change | None]
#: Kinds of faults in the text of a directory.
DIRECTORY_FAULTS: dict[str, TextFault] = {}


def directory_mutations(
    files: Mapping[str, bytes],
    rng: random.Random,
    *,
    others: Sequence[Mapping[str, bytes]] = (),
    kinds: Iterable[str] | None = None,
    per_kind: int = 1,
) -> Iterator[BrokenDirectory]:
    """Break the files of a program in many ways, one fault at a time.

    Args:
        files: content of a program directory by file name.
        rng: source of randomness.
        others: files of other programs, for files that do not belong together.
        kinds: some of `DIRECTORY_FAULTS`; all if not given.
        per_kind: mutants of each kind (fewer where there is no place for the fault).

    Raises:
        UsageError: an unknown kind.
    """
    import distq.testing.witness_faults  # noqa: F401  (registers its kinds)

    chosen = sorted(DIRECTORY_FAULTS) if kinds is None else list(kinds)
    foreign = [Directory(f) for f in others]
    for kind in chosen:
        if kind not in DIRECTORY_FAULTS:
            names = ", ".join(sorted(DIRECTORY_FAULTS))
            raise UsageError(f"fault {kind!r} is not known; the kinds are {names}")
        for _ in range(per_kind):
            directory = Directory(files)
            change = DIRECTORY_FAULTS[kind](directory, rng, foreign)
            if change is not None:
                yield BrokenDirectory(kind, change[0], directory.files(), change[1])


def _fault(kind: str) -> Callable[[TextFault], TextFault]:
    """Register a kind of fault."""

    def register(function: TextFault) -> TextFault:
        DIRECTORY_FAULTS[kind] = function
        return function

    return register


#: For kinds in other files.
text_fault = _fault


def _pick(rng: random.Random, options: Sequence[T]) -> T | None:
    return options[rng.randrange(len(options))] if options else None


@_fault("message read before it is sent")
def _read_early(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """The annotation and its statement move before the Bell pair or the message that they depend on."""
    places = d.matching(r"^@distq\.recv")
    rng.shuffle(places)
    for module, i in places:
        lines = d.lines[module]
        before = [j for j in d.statements(module) if j < i and re.match(r"epr|@distq\.send", lines[j])]
        if not before:
            continue
        end = i
        while lines[end].startswith("@"):
            end += 1
        block = lines[i : end + 1]
        del lines[i : end + 1]
        j = before[-1]
        lines[j:j] = block
        return f"{d.names[module]}: lines {i + 1} to {end + 1} moved before line {j + 1}", False
    return None


@_fault("receive annotation dropped")
def _receive_dropped(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _pick(rng, d.matching(r"^@distq\.recv"))
    if chosen is None:
        return None
    module, i = chosen
    return f"{d.names[module]}: {d.lines[module].pop(i)!r} dropped", True


@_fault("receive annotation too late")
def _receive_late(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    places = [(m, i) for m, i in d.matching(r"^@distq\.recv") if i + 2 < len(d.lines[m])]
    chosen = _pick(rng, places)
    if chosen is None:
        return None
    module, i = chosen
    lines = d.lines[module]
    end = i
    while lines[end].startswith("@"):
        end += 1
    lines.insert(end, lines.pop(i))
    return f"{d.names[module]}: line {i + 1} moved behind line {end + 1}", True


@_fault("send annotation dropped")
def _send_dropped(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _pick(rng, d.matching(r"^@distq\.send"))
    if chosen is None:
        return None
    module, i = chosen
    return f"{d.names[module]}: {d.lines[module].pop(i)!r} dropped", True


@_fault("send annotation on another measurement")
def _send_moved(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    places = d.matching(r"^@distq\.send")
    rng.shuffle(places)
    for module, i in places:
        lines = d.lines[module]
        targets = [j for j in d.statements(module) if "measure" in lines[j] and not 0 <= j - i <= 1]
        j = _pick(rng, targets)
        if j is not None:
            annotation = lines.pop(i)
            lines.insert(j - (j > i), annotation)
            # Two measurements may always have the same outcome.
            return f"{d.names[module]}: line {i + 1} moved to line {j + 1}", False
    return None


@_fault("message for another module")
def _message_column(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """An entry of the manifest's messages changes places with another."""
    messages = d.manifest["messages"]
    column = rng.choice(("from", "bit", "to", "into"))
    values = messages[column]
    pairs = [(i, j) for i in range(len(values)) for j in range(i) if values[i] != values[j]]
    chosen = _pick(rng, pairs)
    if chosen is None:
        return None
    i, j = chosen
    values[i], values[j] = values[j], values[i]
    return f"messages {i} and {j} exchange {column!r} in the manifest", False


@_fault("received bits exchanged")
def _received(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """Two messages to one module fill each other's bit."""
    messages = d.manifest["messages"]
    count = len(messages["to"])
    pairs = [(i, j) for i in range(count) for j in range(i) if messages["to"][i] == messages["to"][j]]
    chosen = _pick(rng, pairs)
    if chosen is None:
        return None
    i, j = chosen
    into = messages["into"]
    into[i], into[j] = into[j], into[i]
    return f"messages {i} and {j} fill each other's bit", False


@_fault("pair numbers exchanged")
def _pair_numbers(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """Two Bell pairs change places in one of the files only."""
    places = d.matching(r"^epr\(")
    rng.shuffle(places)
    for module, i in places:
        lines = d.lines[module]
        rest = [j for m, j in places if m == module and lines[j] != lines[i]]
        j = _pick(rng, rest)
        if j is not None:
            lines[i], lines[j] = lines[j], lines[i]
            return f"{d.names[module]}: lines {i + 1} and {j + 1} exchanged", False
    return None


@_fault("pair column changed")
def _pair_column(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    pairs = d.manifest["pairs"]
    column = rng.choice(("link", "a", "b"))
    if not pairs[column]:
        return None
    i = rng.randrange(len(pairs[column]))
    pairs[column][i] += rng.choice((-1, 1))
    return f"{column!r} of pair {i} is {pairs[column][i]} in the manifest", True


@_fault("file of another program")
def _foreign_file(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _pick(rng, list(others))
    if chosen is None:
        return None
    module = rng.randrange(min(len(d.lines), len(chosen.lines)))
    if chosen.lines[module] == d.lines[module]:
        return None
    d.lines[module] = list(chosen.lines[module])
    return f"{d.names[module]} taken from another program", False


@_fault("manifest of another program")
def _foreign_manifest(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    fitting = [o for o in others if len(o.lines) == len(d.lines) and o.lines != d.lines]
    chosen = _pick(rng, fitting)
    if chosen is None:
        return None
    d.manifest = json.loads(json.dumps(chosen.manifest))
    return "the manifest taken from another program", False


@_fault("module files exchanged")
def _exchanged(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    if len(d.lines) < 2:
        return None
    i, j = rng.sample(range(len(d.lines)), 2)
    d.lines[i], d.lines[j] = d.lines[j], d.lines[i]
    return f"{d.names[i]} and {d.names[j]} exchanged", True


@_fault("line dropped")
def _line_dropped(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _pick(rng, d.matching(""))
    if chosen is None:
        return None
    module, i = chosen
    return f"{d.names[module]}: line {i + 1} {d.lines[module].pop(i)!r} dropped", False


@_fault("line repeated")
def _line_repeated(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _pick(rng, d.matching(""))
    if chosen is None:
        return None
    module, i = chosen
    d.lines[module].insert(i, d.lines[module][i])
    return f"{d.names[module]}: line {i + 1} {d.lines[module][i]!r} twice", False


@_fault("lines exchanged")
def _lines_exchanged(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    places = [(m, i) for m, i in d.matching("") if i + 1 < len(d.lines[m])]
    chosen = _pick(rng, places)
    if chosen is None:
        return None
    module, i = chosen
    lines = d.lines[module]
    lines[i], lines[i + 1] = lines[i + 1], lines[i]
    return f"{d.names[module]}: lines {i + 1} and {i + 2} exchanged", False


@_fault("digit changed")
def _digit(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    chosen = _pick(rng, d.matching(r"\d"))
    if chosen is None:
        return None
    module, i = chosen
    line = d.lines[module][i]
    at = rng.choice([m.start() for m in re.finditer(r"\d", line)])
    new = str((int(line[at]) + rng.choice((1, 9))) % 10)
    d.lines[module][i] = line[:at] + new + line[at + 1 :]
    return f"{d.names[module]}: line {i + 1} {line!r} became {d.lines[module][i]!r}", False


@_fault("line moved to another module")
def _line_elsewhere(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    places = d.matching(r"^(?!@|epr)")
    chosen = _pick(rng, places)
    if chosen is None or len(d.lines) < 2:
        return None
    module, i = chosen
    target = rng.choice([m for m in range(len(d.lines)) if m != module])
    at = rng.choice([*d.statements(target), len(d.lines[target])])
    d.lines[target].insert(at, d.lines[module].pop(i))
    return f"{d.names[module]}: line {i + 1} moved to line {at + 1} of {d.names[target]}", False


@_fault("network smaller than declared")
def _capacity(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """A module of the network has fewer qubits than its file declares."""
    entries = list(zip(d.manifest["modules"], d.manifest["network"]["modules"]))
    rng.shuffle(entries)
    for module, limits in entries:
        for kind in ("comm", "data"):
            if module[kind] > 1:
                limits[kind] = module[kind] - 1
                return f"module {module['name']!r} has {limits[kind]} {kind} qubits", True
    return None


@_fault("file edited")
def _edited(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """Any edit, with the old checksum."""
    module = rng.randrange(len(d.lines))
    d.lines[module].append("// edited")
    d.sealed = False
    return f"{d.names[module]}: a line added, checksum as before", True


@_fault("file truncated")
def _truncated(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    module = rng.randrange(len(d.lines))
    count = len(d.lines[module])
    keep = rng.randrange(count)
    del d.lines[module][keep:]
    d.sealed = False
    return f"{d.names[module]}: {keep} of {count} lines left", True


@text_fault("derived formula changed")
def _formula(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """Another function of the same parameters, which is sometimes the same number."""
    derived = d.manifest.get("derived", [])
    entry = _pick(rng, derived)
    if entry is None:
        return None
    old = entry[1]
    entry[1] = rng.choice((f"-({old})", f"{old} + 0.01", f"abs({old})", f"({old}) * ({old})", f"({old}) / 2"))
    return f"the formula of {entry[0]} is {entry[1]!r} instead of {old!r}", False


@text_fault("derived formulas exchanged")
def _formulas_exchanged(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    derived = d.manifest.get("derived", [])
    if len(derived) < 2:
        return None
    first, second = rng.sample(derived, 2)
    first[1], second[1] = second[1], first[1]
    return f"{first[0]} and {second[0]} have each other's formula", False


@text_fault("derived input not in the manifest")
def _derived_dropped(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    derived = d.manifest.get("derived", [])
    chosen = _pick(rng, derived)
    if chosen is None:
        return None
    derived.remove(chosen)
    return f"{chosen[0]} removed from 'derived'", True


@text_fault("derived formula unreadable")
def _formula_unreadable(d: Directory, rng: random.Random, others: Sequence[Directory]) -> Change | None:
    """Syntax, a function or a name that formulas do not have; a formula of another derived input; or a number."""
    entry = _pick(rng, d.manifest.get("derived", []))
    if entry is None:
        return None
    old = entry[1]
    entry[1] = rng.choice((f"({old}", f"gamma({old})", f"{old} + nobody", f"_e0 + {old}", "0.5", f"({old})**1e999", ""))
    return f"the formula of {entry[0]} is {entry[1]!r} instead of {old!r}", True
